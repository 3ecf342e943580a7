//! Where the nodes differ in what they must have equal, in words.

use std::fmt;

use super::severity::Severity;
use crate::config::Term;

/// One thing that is not equal on both nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// As this node has it; `None` where it does not have it.
    pub here: Option<Term>,
    /// As the other node has it.
    pub there: Option<Term>,
}

impl Difference {
    /// What it is about: that of [`Term::topic`].
    pub fn topic(&self) -> &str {
        let term = self.here.as_ref().or(self.there.as_ref());
        term.map_or("", |term| &term.topic)
    }

    /// In a sentence, for somebody on the node whose other one is called `node`.
    pub fn told<'a>(&'a self, node: &'a str) -> impl fmt::Display + 'a {
        Told {
            difference: self,
            node,
        }
    }
}

/// Where two nodes differ, in the order of `here`, then what only the other one has.
pub fn differences<'a>(
    here: impl IntoIterator<Item = &'a Term>,
    there: impl IntoIterator<Item = &'a Term>,
) -> Vec<Difference> {
    let mut theirs: Vec<Option<&Term>> = there.into_iter().map(Some).collect();
    let mut take = |fits: &dyn Fn(&Term) -> bool| {
        let mut all = theirs.iter_mut();
        let found = all.find(|theirs| theirs.is_some_and(fits));
        found.and_then(Option::take)
    };
    let ours: Vec<&Term> = here.into_iter().collect();
    let is_known = |mine: &&Term| take(&|theirs| theirs.digest == mine.digest).is_none();
    let ours: Vec<&Term> = ours.into_iter().filter(is_known).collect();
    let mut found: Vec<Difference> = Vec::new();
    for mine in ours {
        found.push(Difference {
            here: Some(mine.clone()),
            there: take(&|theirs| theirs.topic == mine.topic).cloned(),
        });
    }
    let rest = theirs.into_iter().flatten().map(|theirs| Difference {
        here: None,
        there: Some(theirs.clone()),
    });
    found.extend(rest);
    found
}

struct Told<'a> {
    difference: &'a Difference,
    node: &'a str,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node;
        let topic = match self.difference.topic() {
            "version" => "the version of the program",
            topic => topic,
        };
        match (&self.difference.here, &self.difference.there) {
            (Some(here), Some(there)) => {
                write!(
                    f,
                    "{topic} differs: here {}, on {node} {}",
                    Side(here),
                    Side(there)
                )
            }
            (Some(here), None) => write!(
                f,
                "{topic}: only here, {}; {node} does not have it",
                Side(here)
            ),
            (None, Some(there)) => {
                write!(
                    f,
                    "{topic}: only on {node}, {}; this node does not have it",
                    Side(there)
                )
            }
            (None, None) => Ok(()),
        }
    }
}

/// The text, and where it stands.
struct Side<'a>(&'a Term);

impl fmt::Display for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Term { text, place, .. } = self.0;
        match place.as_str() {
            "" => write!(f, "`{text}` (by default)"),
            place => write!(f, "`{text}` ({place})"),
        }
    }
}

/// One thing to tell. `Display` is the text of the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are what the sentence of their variant speaks of"
)]
pub enum AgreementReport {
    /// Something differs.
    Differs {
        node: String,
        difference: Difference,
    },
    /// More differs than the nodes tell each other.
    More { node: String, count: usize },
    /// Something that differed does not any more.
    Mended { node: String, topic: String },
}

impl AgreementReport {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Differs { .. } | Self::More { .. } => Severity::Warn,
            Self::Mended { .. } => Severity::Info,
        }
    }
}

impl fmt::Display for AgreementReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs { node, difference } => {
                let cure = match difference.topic() {
                    "version" => "Bring both nodes to the same version.",
                    _ => "Make the files equal on both nodes.",
                };
                write!(
                    f,
                    "Not equal on both nodes: {}. {cure}",
                    difference.told(node)
                )
            }
            Self::More { node, count } => write!(
                f,
                "Not equal on both nodes: {count} more line(s) than are told here. Compare the files of {node} with those of \
                 this node."
            ),
            Self::Mended { node, topic } => {
                write!(f, "Equal on both nodes again: {topic} is as on {node}.")
            }
        }
    }
}
