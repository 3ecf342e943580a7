//! All that was heard so far. Memory is bounded, whatever a stranger says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::decode::{Authenticity, Header};
use super::node::{MOST_LINKS, Node, Seen};
use super::order::{Order, Way};
use super::packet::Direction;
use crate::cluster::claims::hex;
use crate::message::{Message, Rejection};

/// So many nodes, and names of unauthentic ones, are told apart.
const MOST_NAMES: usize = 32;
/// So many ways are told apart: as many as there are bits to remember them.
const MOST_WAYS: usize = 64;

/// What was refused in the name of a node, or without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// How many messages.
    pub count: u64,
    /// Why the last one was.
    pub reason: Rejection,
}

/// What came on one link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Link {
    /// Everything.
    pub messages: u64,
    /// What was not authentic, or no message.
    pub refused: u64,
}

/// Where and when something came.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// When.
    pub time: Option<Duration>,
    /// On which link.
    pub link: &'a str,
    /// In which direction.
    pub direction: Option<Direction>,
    /// To which address.
    pub destination: Option<SocketAddr>,
}

/// Where a message came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The link.
    pub link: String,
    /// The address that it was sent to there.
    pub destination: Option<SocketAddr>,
}

/// The book.
#[derive(Debug, Default)]
pub struct Book {
    /// By name.
    pub nodes: BTreeMap<String, Node>,
    /// By name; empty where there was none.
    pub refused: BTreeMap<String, Refused>,
    /// By name.
    pub links: BTreeMap<String, Link>,
    /// Signed well, but no receiver takes it.
    pub flawed: u64,
    /// Not to be judged: the capture has less of them than went over the wire.
    pub cut: u64,
    /// Everything.
    pub messages: u64,
    /// When the first and the last message came.
    pub period: Option<(Duration, Duration)>,
    ways: Vec<Elsewhere>,
}

impl Book {
    /// Notes that something came.
    pub fn note(&mut self, arrival: &Arrival<'_>, authenticity: Authenticity) {
        self.messages = self.messages.saturating_add(1);
        if let Some(time) = arrival.time {
            let (first, last) = self.period.unwrap_or((time, time));
            self.period = Some((first.min(time), last.max(time)));
        }
        if self.links.len() < MOST_LINKS || self.links.contains_key(arrival.link) {
            let link = self.links.entry(arrival.link.to_owned()).or_default();
            link.messages = link.messages.saturating_add(1);
            if !authenticity.is_credible() {
                link.refused = link.refused.saturating_add(1);
            }
        }
    }

    /// Notes a message in somebody's name that is not to be believed.
    pub fn refuse(&mut self, name: &str, reason: Rejection) {
        if self.refused.len() >= MOST_NAMES && !self.refused.contains_key(name) {
            return;
        }
        let refused = self
            .refused
            .entry(name.to_owned())
            .or_insert(Refused { count: 0, reason });
        refused.count = refused.count.saturating_add(1);
        refused.reason = reason;
    }

    /// Takes in a credible message; says where it stands in its sender's stream. `None` when there are too many nodes.
    pub fn hear(
        &mut self,
        arrival: &Arrival<'_>,
        header: &Header,
        authenticity: Authenticity,
        message: &Message,
    ) -> Option<Order> {
        if self.nodes.len() >= MOST_NAMES && !self.nodes.contains_key(&header.source) {
            return None;
        }
        let seen = Seen {
            time: arrival.time,
            link: arrival.link,
            way: self.way(arrival),
            direction: arrival.direction,
        };
        self.note_request(header, message);
        let node = self.nodes.entry(header.source.clone()).or_default();
        Some(node.hear(seen, header, authenticity, message))
    }

    /// Whether another node than this says which groups it holds.
    pub fn has_ours_beside(&self, name: &str) -> bool {
        self.nodes
            .iter()
            .any(|(other, node)| other != name && node.is_ours())
    }

    /// Where a copy came first.
    pub fn elsewhere(&self, way: Way) -> Option<&Elsewhere> {
        self.ways.get(usize::from(way.0))
    }

    fn way(&mut self, arrival: &Arrival<'_>) -> Way {
        let is_it =
            |way: &Elsewhere| way.link == arrival.link && way.destination == arrival.destination;
        let known = self.ways.iter().position(is_it);
        let place = known.unwrap_or_else(|| {
            if self.ways.len() < MOST_WAYS {
                self.ways.push(Elsewhere {
                    link: arrival.link.to_owned(),
                    destination: arrival.destination,
                });
            }
            self.ways.len().saturating_sub(1)
        });
        Way(u8::try_from(place).unwrap_or(u8::MAX))
    }

    /// Requests and refusals concern the stream of another node, or of the sender itself.
    fn note_request(&mut self, header: &Header, message: &Message) {
        let decimal = |name| message.text(name).and_then(|text| text.parse::<u64>().ok());
        match header.kind.as_str() {
            "NS_rexmit" => {
                let asked = header
                    .destination
                    .as_ref()
                    .and_then(|name| self.nodes.get_mut(name));
                if let (Some(node), Some(first), Some(last)) =
                    (asked, decimal("firstseq"), decimal("lastseq"))
                {
                    node.stream.ask(first, last);
                }
            }
            "NS_nak_rexmit" => {
                let node = self.nodes.get_mut(&header.source);
                if let (Some(node), Some(number)) = (node, message.text("firstseq").and_then(hex)) {
                    node.stream.refuse(number);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::header;
    use super::*;

    fn hear(book: &mut Book, link: &str, fields: &[(&str, &str)]) -> Option<Order> {
        let mut message = Message::new();
        for (name, value) in fields {
            message.push_text(name, value);
        }
        let arrival = Arrival {
            time: None,
            link,
            direction: None,
            destination: None,
        };
        let not_checked = Authenticity::NotChecked { key: None };
        book.note(&arrival, not_checked);
        book.hear(&arrival, &header(&message), not_checked, &message)
    }

    #[test]
    fn a_request_of_one_node_makes_the_other_s_next_copy_a_retransmission() {
        let mut book = Book::default();
        let status = [
            ("t", "status"),
            ("src", "alpha"),
            ("hg", "5"),
            ("seq", "22"),
        ];
        assert_eq!(hear(&mut book, "eth0", &status), Some(Order::First));
        let request = [
            ("t", "NS_rexmit"),
            ("src", "beta"),
            ("dest", "alpha"),
            ("firstseq", "34"),
            ("lastseq", "34"),
        ];
        assert_eq!(hear(&mut book, "eth0", &request), Some(Order::Unnumbered));
        let again = Some(Order::Again { asked: true });
        assert_eq!(hear(&mut book, "eth0", &status), again);
        assert_eq!(hear(&mut book, "eth1", &status), Some(Order::Copy(Way(0))));
        assert_eq!(
            book.elsewhere(Way(0)).map(|way| way.link.as_str()),
            Some("eth0")
        );
    }

    #[test]
    fn names_and_links_without_end_cost_bounded_memory() {
        let mut book = Book::default();
        for number in 0..10_000 {
            let name = format!("node{number}");
            hear(
                &mut book,
                &name,
                &[("t", "status"), ("src", &name), ("seq", "1"), ("hg", "1")],
            );
            book.refuse(&name, Rejection::WrongSignature);
        }
        assert!(book.nodes.len() <= MOST_NAMES && book.refused.len() <= MOST_NAMES);
        assert!(book.links.len() <= MOST_LINKS && book.ways.len() <= MOST_WAYS);
        assert_eq!(book.messages, 10_000);
    }
}
