//! In which directions links work, and what is known of it. What follows is in `directions`.

use std::fmt;
use std::time::Duration;

use super::ear::Ears;
use super::ids::LinkId;
use super::time::Instant;

/// Name of the field that says which links of the other node are heard.
pub(super) const FIELD: &str = "hl";

/// In which directions a link works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Way {
    /// Nothing is heard of the peer there, and nothing else is known.
    #[default]
    Neither,
    /// The peer is heard there, and says that it hears us.
    Both,
    /// The peer is heard there. It does not say what it hears, or not yet.
    Heard,
    /// The peer is heard there, and says that it does not hear us.
    OnlyIn,
    /// The peer is not heard there, and says that it hears us.
    OnlyOut,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Neither => "none",
            Self::Both => "both",
            Self::Heard => "unknown",
            Self::OnlyIn => "in",
            Self::OnlyOut => "out",
        })
    }
}

/// Something that is told once it has lasted: bad news soon, good news late, so that what comes and goes fills no log.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lasting<T> {
    /// What was told.
    pub(super) told: T,
    seen: T,
    since: Instant,
    /// It is as it should be.
    is_good: bool,
    /// It was once.
    was_good: bool,
}

impl<T: Copy + PartialEq> Lasting<T> {
    /// It is so now.
    pub(super) fn see(&mut self, now: Instant, state: T, is_good: bool) {
        if self.seen != state {
            (self.seen, self.since) = (state, now);
        }
        self.is_good = is_good;
        self.was_good |= is_good;
    }

    /// When it is to be told, where it is not what was told.
    pub(super) fn due(&self, (soon, late): (Duration, Duration)) -> Option<Instant> {
        let is_bad_news = self.was_good && !self.is_good;
        let wait = if is_bad_news { soon } else { late };
        (self.seen != self.told).then(|| self.since + wait)
    }

    /// What was told, now that something else is.
    pub(super) fn tell(&mut self) -> T {
        std::mem::replace(&mut self.told, self.seen)
    }
}

/// How many links are left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Left {
    /// More than one in both directions.
    #[default]
    Enough,
    /// This one.
    One(LinkId),
    /// None: there and back by different ones.
    None,
}

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Directions {
    /// Our links, by what is heard there.
    pub(super) ours: Ears,
    /// The peer's, by its own numbers.
    pub(super) theirs: Ears,
    /// What the peer hears of ours, a bit each; `None` where it does not say.
    pub(super) answered: Option<u64>,
    /// Whether the peer takes in by which link a copy comes.
    pub(super) peer_wants_names: bool,
    /// What we said last.
    pub(super) stated: Option<u64>,
    /// In which directions each link was told to work.
    pub(super) told: Vec<Lasting<Way>>,
    /// How many were told to be left.
    pub(super) left: Lasting<Left>,
    /// Since when at most one link is left.
    pub(super) jeopardy: Option<Instant>,
    /// Since when nothing gets through there and back.
    pub(super) unanswered_since: Option<Instant>,
    /// That has lasted: more than a few messages are lost.
    pub(super) is_unanswered: bool,
    /// When something is to be judged or told.
    pub(super) next: Option<Instant>,
}

impl Directions {
    /// We did not run for so long.
    pub(super) fn excuse_silence(&mut self, pause: Duration) {
        self.ours.excuse(pause);
        self.theirs.excuse(pause);
    }
}
