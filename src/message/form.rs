//! The two forms of a message.

/// The form in which a message came, or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text, one field per line.
    Classic,
    /// Length-prefixed fields.
    Netstring,
}
