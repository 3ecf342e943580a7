//! What is told at the end: by node, by link, and what looks wrong.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::book::Book;
use super::node::{Node, Rhythm};
use super::sequence::Counts;
use super::words::{counted, seconds, uuid_text};

/// What was not even a message, as the shell counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Datagrams of which pieces are missing.
    pub incomplete: u64,
    /// Packets that the kernel had no room for.
    pub dropped: u64,
}

/// The end of the story. Nothing in it but ASCII that can be printed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// Everything that was looked at.
    pub messages: u64,
    /// From the first to the last, in seconds.
    pub seconds: Option<f64>,
    /// By node.
    pub nodes: Vec<NodeSummary>,
    /// By link.
    pub links: Vec<LinkSummary>,
    /// What was not even a message.
    #[serde(flatten)]
    pub losses: Losses,
    /// What looks wrong, in sentences.
    pub hints: Vec<String>,
}

/// What was heard of one node.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NodeSummary {
    /// Its name.
    pub name: String,
    /// Its uuids; more than one is wrong.
    pub uuids: Vec<String>,
    /// Its run, hexadecimal as on the wire.
    pub generation: Option<String>,
    /// It says which groups it holds, as ours does and heartbeat 3.0.6 does not.
    pub says_groups: bool,
    /// The keys that it names.
    pub keys: Vec<u8>,
    /// Everything of it that is authentic or could not be checked.
    pub messages: u64,
    /// Heartbeats, each once.
    pub heartbeats: u64,
    /// Numbers that never came.
    pub missing: u64,
    /// What its stream is made of.
    #[serde(flatten)]
    pub counts: Counts,
    /// The largest gap between two heartbeats, in seconds.
    pub largest_gap: Option<f64>,
    /// By link.
    pub links: Vec<NodeLink>,
}

/// A node on one link.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NodeLink {
    /// The link.
    pub link: String,
    /// Messages.
    pub messages: u64,
    /// The largest gap between two heartbeats there, in seconds.
    pub largest_gap: Option<f64>,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinkSummary {
    /// Its name.
    pub name: String,
    /// Everything.
    pub messages: u64,
    /// What was not authentic, or no message.
    pub refused: u64,
}

impl Summary {
    pub(super) fn new(book: &Book, losses: Losses, hints: Vec<String>) -> Self {
        let links = book.links.iter().map(|(name, link)| LinkSummary {
            name: name.clone(),
            messages: link.messages,
            refused: link.refused,
        });
        Self {
            messages: book.messages,
            seconds: book
                .period
                .map(|(first, last)| last.saturating_sub(first).as_secs_f64()),
            nodes: book
                .nodes
                .iter()
                .map(|(name, node)| of_node(name, node))
                .collect(),
            links: links.collect(),
            losses,
            hints,
        }
    }

    /// For a person.
    pub fn text(&self) -> String {
        let mut text = format!("--- {}", counted(self.messages, "message"));
        if let Some(period) = self.seconds {
            let _ = write!(text, " in {}", span(period));
        }
        text.push('\n');
        for node in &self.nodes {
            node.write(&mut text);
        }
        for link in &self.links {
            let _ = write!(
                text,
                "link {}: {}",
                link.name,
                counted(link.messages, "message")
            );
            if link.refused > 0 {
                let _ = write!(
                    text,
                    ", {} of them not authentic or no messages",
                    link.refused
                );
            }
            text.push('\n');
        }
        if self.hints.is_empty() && self.messages > 0 {
            text.push_str("nothing looks wrong\n");
        }
        for hint in &self.hints {
            let _ = writeln!(text, "look: {hint}");
        }
        text
    }
}

impl NodeSummary {
    fn write(&self, text: &mut String) {
        self.write_heading(text);
        let _ = write!(
            text,
            "     {}, {}",
            counted(self.messages, "message"),
            counted(self.heartbeats, "heartbeat")
        );
        let counts = self.counts;
        for (count, what) in [
            (self.missing, "missing"),
            (counts.late, "late"),
            (counts.copies, "copies"),
            (counts.again, "sent again"),
            (counts.unasked, "sent twice unasked"),
            (counts.old, "old"),
            (counts.replays, "of an older generation"),
            (counts.restarts, "restarts"),
        ] {
            if count > 0 {
                let _ = write!(text, ", {count} {what}");
            }
        }
        if let Some(gap) = self.largest_gap {
            let _ = write!(text, "; largest gap between heartbeats {}", span(gap));
        }
        text.push('\n');
        for link in &self.links {
            let _ = write!(
                text,
                "     on {}: {}",
                link.link,
                counted(link.messages, "message")
            );
            if let Some(gap) = link.largest_gap {
                let _ = write!(text, ", largest gap {}", span(gap));
            }
            text.push('\n');
        }
    }

    fn write_heading(&self, text: &mut String) {
        let generation = self.generation.as_deref().unwrap_or("unknown");
        let keys: Vec<_> = self.keys.iter().map(u8::to_string).collect();
        let keys = if keys.is_empty() {
            "unknown".to_owned()
        } else {
            keys.join(", ")
        };
        let program = if self.says_groups {
            ""
        } else {
            "; says nothing of groups, as heartbeat 3.0.6"
        };
        let _ = writeln!(
            text,
            "node {}: generation {generation}, key {keys}{program}",
            self.name
        );
    }
}

fn of_node(name: &str, node: &Node) -> NodeSummary {
    let links = node.links.iter().map(|(link, on)| NodeLink {
        link: link.clone(),
        messages: on.messages,
        largest_gap: largest(&on.rhythm),
    });
    NodeSummary {
        name: name.to_owned(),
        uuids: node.uuids.iter().map(uuid_text).collect(),
        generation: node
            .stream
            .generation()
            .map(|generation| format!("{generation:x}")),
        says_groups: node.is_ours(),
        keys: node.keys.iter().copied().collect(),
        messages: node.messages,
        heartbeats: node.rhythm.heartbeats,
        missing: node.stream.missing(),
        counts: node.stream.counts(),
        largest_gap: largest(&node.rhythm),
        links: links.collect(),
    }
}

fn largest(rhythm: &Rhythm) -> Option<f64> {
    rhythm.largest.map(|(gap, _)| gap.as_secs_f64())
}

fn span(seconds_since: f64) -> String {
    seconds(Duration::try_from_secs_f64(seconds_since).unwrap_or_default())
}
