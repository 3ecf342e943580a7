//! What the nodes tell each other of maintenance; the form is in [`maintenance`](super::maintenance).

use std::time::Duration;

use super::claims::hex;
use super::maintenance::{LONGEST_MAINTENANCE, Stamp, Statement, check_words};
use super::time::Moment;
use super::{Cluster, Instant};
use crate::message::Message;

/// The type of the message. A node of heartbeat 3.0.6 is sent none.
pub(super) const KIND: &str = "hb_maintenance";
const BY: &str = "hb_by";
const REASON: &str = "hb_reason";
/// Name of the field in heartbeats.
const FIELD: &str = "hm";

/// The pause before the peer is told again; it doubles up to a minute.
const TELL_AGAIN: Duration = Duration::from_secs(2);
const MOST_DOUBLINGS: u32 = 5;

impl Cluster {
    /// Tells the peer what it has not said to know, and asks for what only heartbeats have told.
    pub(super) fn tell_maintenance(&mut self, now: Instant) {
        if self.next_word_of_maintenance().is_some_and(|at| at <= now) {
            self.maintenance.told_at = now;
            self.maintenance.words = self.maintenance.words.saturating_add(1);
            self.send_maintenance(true, now);
        }
    }

    /// When that is due.
    pub(super) fn next_word_of_maintenance(&self) -> Option<Instant> {
        let maintenance = &self.maintenance;
        let statement = maintenance.statement.as_ref()?;
        let is_needed = !maintenance.is_shared() || !statement.is_whole;
        if !self.is_agreed || self.peer.is_classic || !is_needed {
            return None;
        }
        let pause = match maintenance.words.checked_sub(1) {
            None => return Some(self.now),
            Some(doublings) => TELL_AGAIN * 2_u32.pow(doublings.min(MOST_DOUBLINGS)),
        };
        Some(maintenance.told_at + pause)
    }

    /// Adds the field to the heartbeat begun last, where there is something to say and somebody who understands it.
    pub(super) fn push_maintenance(&mut self) {
        let listens = self.peer.heard_in_this_run && !self.peer.is_classic;
        let stamp = self.maintenance.stamp().filter(|_| self.holds_still());
        if let Some(stamp) = stamp.filter(|_| listens) {
            let author = self.author(stamp);
            let message = self.outgoing.message();
            message.push_fmt(FIELD, format_args!("{:x} {author}", stamp.counter));
        }
    }

    fn author(&self, stamp: Stamp) -> char {
        if stamp.by_second == self.is_second() {
            's'
        } else {
            'r'
        }
    }

    fn send_maintenance(&mut self, asks: bool, now: Instant) {
        let Some(statement) = self.maintenance.statement.clone() else {
            return;
        };
        let author = self.author(statement.stamp);
        let age = Moment::from(now).since(statement.since).as_millis();
        let left = statement.until.map(|until| until.since(now).as_millis());
        let left = left.map_or_else(|| "-".to_owned(), |left| format!("{left:x}"));
        let word = format!(
            "{:x} {author} {} {} {} {age:x} {left}",
            statement.stamp.counter,
            u8::from(statement.is_on),
            if asks { 'q' } else { 'a' },
            match (statement.is_whole, statement.is_from_file) {
                (false, _) => '-',
                (true, false) => 'l',
                (true, true) => 'f',
            },
        );
        let message = self.begin_to_peer(KIND);
        message.push_text(KIND, &word);
        for (name, value) in [(BY, &statement.by), (REASON, &statement.reason)] {
            if !value.is_empty() {
                message.push_text(name, value);
            }
        }
        self.finish(false);
    }

    /// What a heartbeat of a peer of ours says of it. One that does not answer this run may be a recording.
    pub(super) fn stillness_heard(&mut self, message: &Message) {
        if !self.is_agreed {
            return;
        }
        let stamp = message.text(FIELD).and_then(|text| {
            let (counter, author) = text.split_once(' ')?;
            self.stamp_of(hex(counter)?, author)
        });
        let Some(stamp) = stamp else {
            let is_over = message.text(FIELD).is_none() && !self.maintenance.is_on(self.now);
            if is_over && std::mem::take(&mut self.maintenance.peer_holds_still) {
                self.remember_maintenance();
            }
            return;
        };
        self.maintenance.note_known(stamp);
        let now = self.now;
        let is_on = self.maintenance.is_on(now);
        match &mut self.maintenance.statement {
            Some(own) if own.stamp > stamp => {}
            // Its end was reckoned here from a wall clock that is wrong: the other, which was never off, goes on.
            Some(own) if own.stamp == stamp => {
                if own.is_on && own.is_from_file && !is_on {
                    (own.until, own.is_whole) = (None, false);
                    self.heartbeat_is_due = true;
                }
            }
            _ => self.go_by(Statement {
                stamp,
                is_on: true,
                since: now.into(),
                until: None,
                by: String::new(),
                reason: String::new(),
                is_whole: false,
                is_from_file: false,
            }),
        }
        self.expect_stillness();
    }

    /// False when it can't be read.
    pub(super) fn maintenance_heard(&mut self, message: &Message, now: Instant) -> bool {
        let Some((theirs, asks)) = self.statement_in(message, now) else {
            return false;
        };
        self.maintenance.note_known(theirs.stamp);
        let is_better = match &self.maintenance.statement {
            None => true,
            Some(own) if own.stamp == theirs.stamp => {
                theirs.is_whole && (!own.is_whole || (own.is_from_file && !theirs.is_from_file))
            }
            Some(own) => own.stamp < theirs.stamp,
        };
        if is_better {
            self.go_by(theirs);
        }
        if asks {
            self.send_maintenance(false, now);
        }
        true
    }

    fn stamp_of(&self, counter: u64, author: &str) -> Option<Stamp> {
        let by_second = match author {
            "s" => !self.is_second(),
            "r" => self.is_second(),
            _ => return None,
        };
        Some(Stamp { counter, by_second })
    }

    /// What the peer says. Words that follow are for a later version.
    fn statement_in(&self, message: &Message, now: Instant) -> Option<(Statement, bool)> {
        let mut words = message.text(KIND)?.split(' ');
        let counter = hex(words.next()?)?;
        let stamp = self.stamp_of(counter, words.next()?)?;
        let is_on = one_of(words.next()?, "1", "0")?;
        let asks = one_of(words.next()?, "q", "a")?;
        let (is_whole, is_from_file) = match words.next()? {
            "-" => (false, false),
            "l" => (true, false),
            "f" => (true, true),
            _ => return None,
        };
        let age = Duration::from_millis(hex(words.next()?)?);
        let until = match words.next()? {
            "-" => None,
            left => {
                let left = Duration::from_millis(hex(left)?);
                Some(now + left.min(LONGEST_MAINTENANCE))
            }
        };
        let text = |name| message.text(name).unwrap_or_default().to_owned();
        let (by, reason) = (text(BY), text(REASON));
        check_words(&by, &reason).ok()?;
        let statement = Statement {
            stamp,
            is_on,
            since: Moment::before(now, age),
            until,
            by,
            reason,
            is_whole,
            is_from_file,
        };
        Some((statement, asks))
    }
}

fn one_of(word: &str, yes: &str, no: &str) -> Option<bool> {
    match word {
        _ if word == yes => Some(true),
        _ if word == no => Some(false),
        _ => None,
    }
}
