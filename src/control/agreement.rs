//! What both nodes must have equal.

use serde::{Deserialize, Serialize};

/// How far the nodes are in finding that out, and where they differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Agreement {
    /// `equal` or `differs`; `asking` while they tell each other; `apart` while the other node is not heard or does not hear
    /// this one; `3.0.6` or `silent` beside a node whose program tells nothing of the kind.
    pub state: String,
    /// Where they differ.
    pub differences: Vec<Difference>,
    /// So many more lines differ, which the nodes do not tell each other.
    pub more: usize,
}

/// Something that is not equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// What it is about: a directive, and which one where there are several; `group` and a key; `version`.
    pub topic: String,
    /// What the node that answers has; none where it has nothing of the kind.
    pub here: Option<Line>,
    /// What the other node has.
    pub there: Option<Line>,
    /// All that in a sentence.
    pub words: String,
}

/// What one node has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Line {
    /// The value, or the line. What may be a password stands there as `#` and four digits, which are equal for equal words.
    pub text: String,
    /// The file and line, as in `ha.cf:12`; empty where no line says so.
    pub place: String,
}

/// Everything that both nodes must have equal, as each has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Terms {
    /// How far the nodes are, as in [`Agreement::state`].
    pub state: String,
    /// Name of the other node.
    pub peer: String,
    /// What the node that answers has.
    pub here: Vec<Term>,
    /// What the other node has; empty where that is not known.
    pub there: Vec<Term>,
    /// So many lines of it are not known.
    pub more: usize,
}

/// One thing that both nodes must have equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Term {
    /// As in [`Difference::topic`].
    pub topic: String,
    /// As in [`Line::text`]; may be cut off.
    pub text: String,
    /// As in [`Line::place`].
    pub place: String,
    /// A number that is equal where the uncut text is.
    pub digest: u32,
}
