//! What goes over a wire: bytes to [`Message`] and back, with signatures.
//!
//! | file | what lives there |
//! |---|---|
//! | `field` | [`Field`]: a name and a typed value |
//! | `fields` | [`Message`]: ordered fields in one reusable buffer |
//! | `netstring`, `classic` | the two forms of a message, parsed and written; `form` names them |
//! | `framing` | [`TextFrames`]: a serial byte stream cut into classic messages |
//! | `authentication` | [`Keys`] and the tokens made with them |
//! | `opening`, `sealing` | [`open`] and [`seal`]: whole messages with their signatures |
//! | `copies` | [`Copies`]: one message sealed for several links |
//! | `rejection` | why a message was not let in, or not sent |
//! | `compression` | inflating what a peer compressed, up to a limit |
//! | `short` | the short form of a heartbeat, for serial lines |
//! | `base64` | binary values inside the classic form |
//!
//! Nothing here does I/O, knows peers or remembers anything between messages.

mod authentication;
mod base64;
mod classic;
mod compression;
mod copies;
mod field;
mod fields;
mod form;
mod framing;
mod netstring;
mod opening;
mod rejection;
mod sealing;
mod short;

pub use authentication::{Key, Keys, Method, checksum};
pub use compression::{Inflation, inflate};
pub use copies::Copies;
pub use field::{Field, FieldKind};
pub use fields::Message;
pub use form::Form;
pub use framing::TextFrames;
pub use netstring::list_items;
pub use opening::{Opened, claimed_key, open, parse_nested};
pub use rejection::{Malformed, Rejection, Unsealed};
pub use sealing::{seal, seal_as};
pub use short::{
    LONGEST_SHORT, MOST_INSETS, Short, SignedShort, Track, is_short, seal_short, short_at_end,
};

/// The most bytes that a message may have in either form (262 143 in heartbeat 3.0.6).
pub const MAX_WIRE: usize = 262_143;

/// The most bytes that a compressed message may inflate to.
pub const MAX_INFLATED: usize = 2 * 1024 * 1024;

/// How deep structs may nest in a message; the classic form has no bytes for more.
pub const MAX_DEPTH: usize = 16;

/// Where encoded bytes go: into a buffer, or through a digest without being stored.
trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
