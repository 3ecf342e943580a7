//! What a directive of `ha.cf` is. The directives themselves are in `table`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::diagnostic::Diagnostics;
use super::settings::Settings;
use super::source::Word;
use super::value::{Fault, Remark};

/// One directive, declared once: the parser, the checks and the test of the manual page read this.
#[derive(Debug)]
pub struct Directive {
    /// The first word of the line.
    pub name: &'static str,
    /// What follows it, as the manual page writes it.
    pub syntax: &'static str,
    /// What counts when the directive is missing.
    pub default: Default,
    /// A line that can be copied.
    pub example: &'static str,
    /// Whether it still means something.
    pub fate: Fate,
    /// What a second mention means.
    pub repeat: Repeat,
    /// Whether its text is a parameter that commands and scripts can see.
    pub recorded: bool,
    /// Whether this version does what the directive asks for.
    pub acted_on: bool,
    /// How a change of it comes into force while the daemon runs.
    pub change: Change,
    /// One line for the person who reads a list of directives.
    pub doc: &'static str,
    /// How its values are read and where they go.
    pub(super) argument: Argument,
}

/// What counts when a directive is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Nothing.
    None,
    /// As if this had been written.
    Value(&'static str),
    /// Found out in another way, told in words.
    Derived(&'static str),
}

impl Default {
    /// The default as the manual page writes it.
    pub fn text(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Value(text) | Self::Derived(text) => text,
        }
    }
}

/// Whether a directive still means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It means what it meant in heartbeat 3.0.6.
    Kept,
    /// It still works; this is the way to say it today.
    Superseded(&'static str),
    /// It is accepted and ignored, for this reason.
    Obsolete(&'static str),
}

/// What a second mention of a directive means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The last one counts.
    Last,
    /// Each one adds something.
    Adds,
    /// It must say the same.
    Same,
}

/// How a change of a directive comes into force while the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// By a reload.
    Reload,
    /// By a restart of the daemon, for this reason.
    Restart(&'static str),
    /// Not at all: the directive has no effect.
    Nothing,
}

/// Why it waits where nothing else is said.
const AT_START: &str = "it is looked at when heartbeat starts";

/// Where a value goes.
pub(super) type Slot<T> = fn(&mut Settings) -> &mut T;

/// How the values of a directive are read and where they go.
#[derive(Debug, Clone)]
pub(super) enum Argument {
    /// A time.
    Time(Slot<Duration>),
    /// A time that may be zero, to be checked against others later.
    TimeOrZero(Slot<Duration>),
    /// Yes or no.
    Boolean(Slot<bool>),
    /// A number in a range.
    Integer(Slot<u32>, RangeInclusive<u32>),
    /// One of some words in lower case.
    Choice(Slot<&'static str>, &'static [&'static str]),
    /// A word with rules of its own.
    Word(fn(&mut Settings, &str) -> Result<(), Fault>),
    /// The same, where a word may be taken and yet be odd.
    OddWord(fn(&mut Settings, &str) -> Result<Option<Remark>, Fault>),
    /// A word, but a line of its own where it begins with one of these words.
    WordOrLine {
        word: fn(&mut Settings, &str) -> Result<(), Fault>,
        openings: &'static [&'static str],
        /// Whether it was taken; then its text is remembered.
        line: fn(&mut Settings, &'static Directive, &Statement, &mut Diagnostics) -> bool,
    },
    /// Any word.
    Text(Slot<String>),
    /// A path, which should be absolute.
    Path(Slot<Option<PathBuf>>),
    /// A list whose elements are handed over one by one.
    Each(fn(&mut Settings, &'static Directive, &Word, &mut Diagnostics)),
    /// The rest of the line as it is.
    Line(fn(&mut Settings, &'static Directive, &Statement, &mut Diagnostics)),
    /// Anything; nobody looks at it.
    Ignored,
}

/// A line of `ha.cf` in words, comment removed.
#[derive(Debug)]
pub(super) struct Statement {
    /// The first word.
    pub(super) name: Word,
    /// The words after it, parted by blanks.
    pub(super) words: Vec<Word>,
    /// The text after the first word.
    pub(super) rest: String,
}

impl Directive {
    /// A directive that is kept, recorded and acted on; the last mention counts, and a change waits for a restart.
    pub(super) const fn new(name: &'static str, syntax: &'static str, argument: Argument) -> Self {
        Self {
            name,
            syntax,
            default: Default::None,
            example: "",
            fate: Fate::Kept,
            repeat: Repeat::Last,
            recorded: true,
            acted_on: true,
            change: Change::Restart(AT_START),
            doc: "",
            argument,
        }
    }

    pub(super) const fn doc(mut self, line: &'static str) -> Self {
        self.doc = line;
        self
    }

    pub(super) const fn default(mut self, value: &'static str) -> Self {
        self.default = Default::Value(value);
        self
    }

    pub(super) const fn derived(mut self, text: &'static str) -> Self {
        self.default = Default::Derived(text);
        self
    }

    pub(super) const fn example(mut self, line: &'static str) -> Self {
        self.example = line;
        self
    }

    pub(super) const fn superseded(mut self, by: &'static str) -> Self {
        self.fate = Fate::Superseded(by);
        self
    }

    pub(super) const fn obsolete(mut self, reason: &'static str) -> Self {
        self.fate = Fate::Obsolete(reason);
        self.change = Change::Nothing;
        self
    }

    /// A second mention must say the same.
    pub(super) const fn once(mut self) -> Self {
        self.repeat = Repeat::Same;
        self
    }

    /// Each mention adds something, and there is no single text to record.
    pub(super) const fn adds(mut self) -> Self {
        self.repeat = Repeat::Adds;
        self.recorded = false;
        self
    }

    pub(super) const fn unrecorded(mut self) -> Self {
        self.recorded = false;
        self
    }

    /// A reload applies a change.
    pub(super) const fn live(mut self) -> Self {
        self.change = Change::Reload;
        self
    }

    /// A change waits for a restart of the daemon, for this reason.
    pub(super) const fn restart(mut self, reason: &'static str) -> Self {
        self.change = Change::Restart(reason);
        self
    }

    /// It has only one value, or none that anybody looks at.
    pub(super) const fn inert(mut self) -> Self {
        self.change = Change::Nothing;
        self
    }

    pub(super) const fn not_yet(mut self) -> Self {
        self.acted_on = false;
        self.change = Change::Nothing;
        self
    }
}
