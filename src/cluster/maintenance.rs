//! Maintenance: a person works on the pair, and nothing moves by the nodes' own decision. What is said of it is a
//! *statement*, on or off, and both nodes go by the newest one.
//!
//! - **Which is newer** a counter tells: each statement has the next number after the highest that its node knows. Of two
//!   with the same number, made while the nodes did not hear each other, the one of the node whose name comes last counts,
//!   on both. No wall clock decides that.
//! - **How it travels.** A node that holds still says so in its heartbeats to a node of ours that it has heard, in the field
//!   `hm=<counter> <s|r>`: in hex, and who made the statement, the sender or the receiver. So a node that has just started
//!   knows of it before it decides anything. All else is in a message of its own, which is sent when the nodes meet and when
//!   there is news, again and later each time until the other has said that it knows:
//!   `hb_maintenance=<counter> <s|r> <1|0> <q|a> <l|f> <age> <left>`. That is on or off; a question wants an answer; the end was
//!   reckoned live, or from the file after a restart; times are hex in milliseconds, *left* is `-` where there is no end. Beside
//!   it `hb_by` and `hb_reason` are the words of the person. Without maintenance heartbeats say nothing of it, and a pair that
//!   never had any is sent nothing at all.
//! - **One node alone.** It may be set while the nodes don't hear each other; the other acts as always until they meet. Then
//!   they join before either decides anything.
//! - **Its end** comes by itself on each node, by its own clock; it is no new statement. The wall clock counts only for a
//!   machine that was off, and the word of the other, which was not, is better.
//! - **A death** is put off: the other counts as silent and in doubt, it is not reset, and nothing of it is taken. When
//!   maintenance ends what follows begins as if it had just been found silent, with all its waits. `confirm-dead` by a person
//!   is heeded at once.
//! - **`last_link witness`** rests on each node giving up what it has when it is cut off. A node keeps it in maintenance only if
//!   the other has said that it knows; and whoever lost the other in maintenance does not take that node's silence for a
//!   give-up, whatever ping nodes say: a device or a person has to end that doubt.
//! - **What goes on**: a move that has begun, to its end and back where it fails; what S3, S6 and S7 ask for; what a person
//!   asks for. A failed stop is tried again only for these. What was found running at a start is left as it is.
//! - **A file that can't be read** counts as maintenance without a number: it is safer that nothing moves, and any word of the
//!   other node, or of a person, is newer.
//! - **Heartbeat 3.0.6** does not know of it: beside a living node of that, maintenance can't be set, and one that is set rests.

use std::fmt;
use std::time::Duration;

use super::time::{Instant, Moment};

/// The longest reason, in bytes.
pub const MOST_REASON: usize = 200;
/// The longest name of the person, in bytes.
pub const MOST_BY: usize = 64;
/// Nobody means to work for longer.
pub const LONGEST_MAINTENANCE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// What a person orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceOrder {
    pub(super) is_on: bool,
    pub(super) by: String,
    pub(super) reason: String,
    pub(super) lasts: Option<Duration>,
}

/// Why an order can't be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaintenanceMistake {
    /// The reason is longer than [`MOST_REASON`].
    LongReason,
    /// The name of the person is longer than [`MOST_BY`].
    LongName,
    /// There are characters that a terminal would obey.
    Control,
    /// It would end at once, or later than [`LONGEST_MAINTENANCE`] from now.
    Time,
}

impl fmt::Display for MaintenanceMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongReason => write!(f, "the reason is longer than {MOST_REASON} bytes"),
            Self::LongName => write!(f, "the name of the user is longer than {MOST_BY} bytes"),
            Self::Control => f.write_str(
                "there are line breaks or other control characters in the reason or the name of the user",
            ),
            Self::Time => f.write_str("it must end in the future, and within 366 days"),
        }
    }
}

impl MaintenanceOrder {
    /// Nothing moves from now on, for so long where a time is given.
    ///
    /// # Errors
    /// See [`MaintenanceMistake`].
    pub fn on(by: &str, reason: &str, lasts: Option<Duration>) -> Result<Self, MaintenanceMistake> {
        if lasts.is_some_and(|time| time.is_zero() || time > LONGEST_MAINTENANCE) {
            return Err(MaintenanceMistake::Time);
        }
        check_words(by, reason)?;
        Ok(Self {
            is_on: true,
            by: by.into(),
            reason: reason.into(),
            lasts,
        })
    }

    /// The nodes decide again.
    ///
    /// # Errors
    /// See [`MaintenanceMistake`].
    pub fn off(by: &str) -> Result<Self, MaintenanceMistake> {
        check_words(by, "")?;
        Ok(Self {
            is_on: false,
            by: by.into(),
            reason: String::new(),
            lasts: None,
        })
    }

    /// Whether it switches maintenance on.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Who gave it.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Why; empty where nothing was said.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// For how long; `None` for as long as nobody ends it.
    pub fn lasts(&self) -> Option<Duration> {
        self.lasts
    }
}

/// Whether these may be shown to people.
///
/// # Errors
/// See [`MaintenanceMistake`].
pub(super) fn check_words(by: &str, reason: &str) -> Result<(), MaintenanceMistake> {
    if reason.len() > MOST_REASON {
        return Err(MaintenanceMistake::LongReason);
    }
    if by.len() > MOST_BY {
        return Err(MaintenanceMistake::LongName);
    }
    if by.chars().chain(reason.chars()).any(is_obeyed) {
        return Err(MaintenanceMistake::Control);
    }
    Ok(())
}

/// Whether it breaks lines or turns the direction of writing.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Why an order can't be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaintenanceRefusal {
    /// This node is about to stop.
    Leaving,
    /// The other node runs heartbeat 3.0.6.
    Classic,
}

impl fmt::Display for MaintenanceRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leaving => "this node is shutting down",
            Self::Classic => {
                "the other node runs heartbeat 3.0.6, which knows no maintenance and would go on to take and to start groups; \
                 upgrade it first, or stop heartbeat there"
            }
        })
    }
}

/// What outlives the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceMemory {
    /// The number of the statement; zero for a file that can't be read.
    pub counter: u64,
    /// Whether it was made at this node.
    pub said_here: bool,
    /// What it says.
    pub is_on: bool,
    /// How long ago maintenance began, or ended.
    pub age: Duration,
    /// How long it goes on; zero where its time is over, `None` where it has no end.
    pub left: Option<Duration>,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The other node may be in maintenance, for all that was heard of it.
    pub peer_holds_still: bool,
}

/// Maintenance as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceView {
    /// Since when.
    pub since: Moment,
    /// When it ends by itself; `None` where it does not.
    pub until: Option<Instant>,
    /// Whether it was said at this node; else at the other.
    pub said_here: bool,
    /// Who said so; empty while only heartbeats of the other node tell of it.
    pub by: String,
    /// Why; empty where nothing was said.
    pub reason: String,
    /// Whether the other node has said that it knows.
    pub is_shared: bool,
    /// Whether it has no effect, because the other node runs heartbeat 3.0.6.
    pub rests: bool,
    /// Whether the other node has been lost meanwhile, and what follows from that is put off.
    pub awaits_death: bool,
}

/// What is to be put off until the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Silence {
    /// How long to wait before a device is asked.
    pub(super) patience: Duration,
    /// Whether the links that were left could have gone by one cut.
    pub(super) was_last: bool,
}

/// Orders statements: the later is the greater one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    pub(super) counter: u64,
    /// It was made at the node whose name comes last.
    pub(super) by_second: bool,
}

/// What was said last.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) stamp: Stamp,
    pub(super) is_on: bool,
    pub(super) since: Moment,
    pub(super) until: Option<Instant>,
    pub(super) by: String,
    pub(super) reason: String,
    /// All of it is known, and not only what heartbeats tell.
    pub(super) is_whole: bool,
    /// Its end was reckoned from a wall clock.
    pub(super) is_from_file: bool,
}

impl Statement {
    /// Whether maintenance is on by it.
    pub(super) fn holds(&self, now: Instant) -> bool {
        self.is_on && self.until.is_none_or(|until| until > now)
    }
}

/// What this node knows of it.
#[derive(Debug, Default)]
pub(super) struct Maintenance {
    pub(super) statement: Option<Statement>,
    /// It had its effect in the last turn.
    pub(super) held_still: bool,
    /// It was on in the last turn, and people were told.
    pub(super) told_on: bool,
    /// The newest statement that the peer has said to know.
    pub(super) known_there: Option<Stamp>,
    /// The peer may hold still, for all that was heard of it.
    pub(super) peer_holds_still: bool,
    /// How often the peer was told in this conversation, and when last.
    pub(super) words: u32,
    pub(super) told_at: Instant,
    /// The peer was found silent, and what follows is put off.
    pub(super) silence: Option<Silence>,
    /// A person says that the peer is down.
    pub(super) is_confirmed: bool,
    /// When to look next whether something would have been done.
    pub(super) look_at: Instant,
}

impl Maintenance {
    /// As an earlier run left it.
    pub(super) fn remembered(
        memory: Option<&MaintenanceMemory>,
        is_second: bool,
        now: Instant,
    ) -> Self {
        let statement = memory.map(|memory| Statement {
            stamp: Stamp {
                counter: memory.counter,
                by_second: memory.said_here == is_second,
            },
            is_on: memory.is_on,
            since: Moment::before(now, memory.age),
            until: memory.left.map(|left| now + left.min(LONGEST_MAINTENANCE)),
            by: memory.by.clone(),
            reason: memory.reason.clone(),
            is_whole: true,
            is_from_file: true,
        });
        Self {
            statement,
            peer_holds_still: memory.is_some_and(|memory| memory.peer_holds_still),
            ..Self::default()
        }
    }

    /// Whether it is on, whether that has an effect or not.
    pub(super) fn is_on(&self, now: Instant) -> bool {
        let statement = self.statement.as_ref();
        statement.is_some_and(|statement| statement.holds(now))
    }

    /// When the last statement was made; `None` before the first.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        self.statement.as_ref().map(|statement| statement.stamp)
    }

    /// Whether the peer has said that it knows what this node knows.
    pub(super) fn is_shared(&self) -> bool {
        self.stamp().is_some() && self.known_there == self.stamp()
    }

    /// The peer says that it knows this one.
    pub(super) fn note_known(&mut self, stamp: Stamp) {
        self.known_there = self.known_there.max(Some(stamp));
    }

    /// The peer begins anew, or is found again: what it knows it has to say once more.
    pub(super) fn forget_known(&mut self) {
        (self.known_there, self.words) = (None, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_people_have_a_limit_and_no_power_over_terminals() {
        let on = |by: &str, reason: &str| MaintenanceOrder::on(by, reason, None).err();
        assert_eq!(on("root", "disk change, 换硬盘"), None);
        assert_eq!(on("root", &"x".repeat(MOST_REASON)), None);
        let long = "x".repeat(MOST_REASON + 1);
        assert_eq!(on("root", &long), Some(MaintenanceMistake::LongReason));
        let long = "x".repeat(MOST_BY + 1);
        assert_eq!(on(&long, ""), Some(MaintenanceMistake::LongName));
        for bad in [
            "a\nb",
            "\u{1b}[2J",
            "a\0",
            "\u{85}",
            "\u{202e}abc",
            "\u{2028}",
        ] {
            assert_eq!(
                on("root", bad),
                Some(MaintenanceMistake::Control),
                "{bad:?}"
            );
            assert_eq!(on(bad, "why"), Some(MaintenanceMistake::Control), "{bad:?}");
        }
    }

    #[test]
    fn it_ends_in_the_future_and_within_a_year() {
        for (lasts, is_right) in [
            (Duration::ZERO, false),
            (Duration::from_secs(1), true),
            (LONGEST_MAINTENANCE, true),
            (LONGEST_MAINTENANCE + Duration::from_secs(1), false),
        ] {
            let order = MaintenanceOrder::on("root", "", Some(lasts));
            assert_eq!(order.is_ok(), is_right, "{lasts:?}");
        }
    }

    #[test]
    fn the_higher_number_counts_and_of_two_alike_the_last_node() {
        let stamp = |counter, by_second| Stamp { counter, by_second };
        assert!(stamp(2, false) > stamp(1, true));
        assert!(stamp(2, true) > stamp(2, false));
        assert!(Some(stamp(0, false)) > None);
    }
}
