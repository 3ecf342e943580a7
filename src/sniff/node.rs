//! What was heard of one node, on all links together and on each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::decode::{Authenticity, Header, SINCE, text};
use super::groups::Claims;
use super::order::{Order, Way};
use super::packet::Direction;
use super::sequence::Stream;
use crate::cluster::claims::{FIELD, hex};
use crate::message::Message;

/// No more uuids of one name are kept.
const MOST_UUIDS: usize = 4;
/// So many links are told apart.
pub const MOST_LINKS: usize = 64;

/// How regularly heartbeats came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rhythm {
    /// How many came.
    pub heartbeats: u64,
    /// When the last one came.
    pub last: Option<Duration>,
    /// The largest gap between two, and when it ended.
    pub largest: Option<(Duration, Duration)>,
}

impl Rhythm {
    fn beat(&mut self, time: Option<Duration>) {
        self.heartbeats = self.heartbeats.saturating_add(1);
        let Some(time) = time else { return };
        if let Some(last) = self.last.replace(time) {
            let gap = time.saturating_sub(last);
            if self.largest.is_none_or(|(largest, _)| gap > largest) {
                self.largest = Some((gap, time));
            }
        }
    }

    /// The next beat begins anew: the node was away on purpose.
    fn pause(&mut self) {
        self.last = None;
    }
}

/// What was heard of a node on one link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OnLink {
    /// Messages.
    pub messages: u64,
    /// Heartbeats.
    pub rhythm: Rhythm,
}

/// What a node last said that it holds, in the old words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// `none`, `local`, `foreign`, `all`, as the node sees it.
    pub what: String,
    /// Nothing is on the move.
    pub is_stable: bool,
}

/// One node.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// Its numbered stream.
    pub stream: Stream,
    /// Messages, copies included.
    pub messages: u64,
    /// Heartbeats, each once.
    pub rhythm: Rhythm,
    /// By link.
    pub links: BTreeMap<String, OnLink>,
    /// The keys that it signs with.
    pub keys: BTreeSet<u8>,
    /// The uuids that use its name.
    pub uuids: BTreeSet<[u8; 16]>,
    /// The silence after which it wants to be taken for dead.
    pub deadtime: Option<Duration>,
    /// It said that it stops.
    pub has_left: bool,
    /// What it last said that it holds.
    pub holding: Option<Holding>,
    /// What its last heartbeat said of its groups; nodes with heartbeat 3.0.6 don't.
    pub claims: Option<Claims>,
    /// How many acknowledgements it sent to other nodes.
    pub acknowledgements: u64,
    /// How often it asked for something again.
    pub requests: u64,
    /// Messages in its name that came in from outside.
    pub came_in: u64,
    /// When its run began, if that was seen and not long ago.
    restarted: Option<Duration>,
}

/// Where and when a message was seen.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// When.
    pub time: Option<Duration>,
    /// On which link.
    pub link: &'a str,
    /// On which way.
    pub way: Way,
    /// In which direction.
    pub direction: Option<Direction>,
}

impl Node {
    /// Takes in a credible message; says where it stands in the stream.
    pub fn hear(
        &mut self,
        seen: Seen<'_>,
        header: &Header,
        authenticity: Authenticity,
        message: &Message,
    ) -> Order {
        self.messages = self.messages.saturating_add(1);
        if seen.direction == Some(Direction::In) {
            self.came_in = self.came_in.saturating_add(1);
        }
        self.keys.extend(authenticity.key());
        if self.uuids.len() < MOST_UUIDS {
            self.uuids.extend(header.uuid);
        }
        let is_heartbeat = header.kind == "status";
        self.note_age_of_run(seen.time);
        let generation = header.generation.unwrap_or(0);
        let order = self
            .stream
            .arrive(generation, header.number, seen.way, is_heartbeat);
        if matches!(order, Order::Restart { .. }) {
            self.has_left = false;
            self.claims = None;
            self.restarted = seen.time;
            self.rhythm.pause();
            self.links.values_mut().for_each(|link| link.rhythm.pause());
        }
        self.note_link(seen, is_heartbeat, order);
        if is_heartbeat && order.is_first_sight() {
            self.rhythm.beat(seen.time);
        }
        if order.is_first_sight() || order == Order::Unnumbered {
            self.note_words(header, message);
        }
        order
    }

    /// What an earlier run said last comes within deadtime or not at all.
    fn note_age_of_run(&mut self, now: Option<Duration>) {
        let (Some(restarted), Some(now), Some(deadtime)) = (self.restarted, now, self.deadtime)
        else {
            return;
        };
        if now.saturating_sub(restarted) >= deadtime {
            self.restarted = None;
            self.stream.expect_no_leftovers();
        }
    }

    fn note_link(&mut self, seen: Seen<'_>, is_heartbeat: bool, order: Order) {
        if self.links.len() >= MOST_LINKS && !self.links.contains_key(seen.link) {
            return;
        }
        let link = self.links.entry(seen.link.to_owned()).or_default();
        link.messages = link.messages.saturating_add(1);
        if is_heartbeat && (order.is_first_sight() || matches!(order, Order::Copy(_))) {
            link.rhythm.beat(seen.time);
        }
    }

    fn note_words(&mut self, header: &Header, message: &Message) {
        match header.kind.as_str() {
            // A short one says that all this is as it was.
            "status" if message.text(SINCE).is_none() => {
                let milliseconds = message.text("dt").and_then(hex);
                self.deadtime = milliseconds.map(Duration::from_millis).or(self.deadtime);
                self.claims = message.text(FIELD).and_then(Claims::read);
            }
            "resource" if message.text("rtype") == Some("full") => {
                self.holding = text(message, "rsc_hold").map(|what| Holding {
                    what: String::from_utf8_lossy(what.get(..7).unwrap_or(what)).into_owned(),
                    is_stable: message.text("isstable") == Some("1"),
                });
            }
            "shutdone" => {
                self.has_left = true;
                self.holding = None;
                self.claims = None;
            }
            "NS_ackmsg" if header.destination.as_ref() != Some(&header.source) => {
                self.acknowledgements = self.acknowledgements.saturating_add(1);
            }
            "NS_rexmit" => self.requests = self.requests.saturating_add(1),
            _ => {}
        }
    }

    /// Whether it says which groups it holds, as only ours does.
    pub fn is_ours(&self) -> bool {
        self.claims.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::header;
    use super::*;

    fn heartbeat(node: &mut Node, generation: &str, number: &str, milliseconds: u64) -> Order {
        let mut message = Message::new();
        for (name, value) in [
            ("t", "status"),
            ("src", "beta"),
            ("ts", "1"),
            ("hg", generation),
            ("seq", number),
            ("dt", "bb8"),
        ] {
            message.push_text(name, value);
        }
        let seen = Seen {
            time: Some(Duration::from_millis(milliseconds)),
            link: "eth0",
            way: Way(0),
            direction: None,
        };
        let not_checked = Authenticity::NotChecked { key: Some(1) };
        node.hear(seen, &header(&message), not_checked, &message)
    }

    #[test]
    fn a_restart_is_no_gap_between_heartbeats_and_a_silence_is() {
        let mut node = Node::default();
        for (generation, number, milliseconds) in [
            ("5", "1", 0),
            ("5", "2", 1000),
            ("5", "2", 5000),
            ("6", "1", 9000),
            ("6", "2", 11_500),
        ] {
            heartbeat(&mut node, generation, number, milliseconds);
        }
        let expected = (Duration::from_millis(2500), Duration::from_millis(11_500));
        assert_eq!(node.rhythm.largest, Some(expected));
        assert_eq!(node.rhythm.heartbeats, 4);
        assert_eq!(node.deadtime, Some(Duration::from_secs(3)));
        assert_eq!(node.links["eth0"].messages, 5);
    }
}
