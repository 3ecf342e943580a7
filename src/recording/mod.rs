//! Recordings: everything that one core was given, as lines of text, and the replay of it.
//!
//! ```text
//! heartbeat-recording 1                     the form of the file
//! program 0.1.0                             who made it; then the settings of the core, a line each
//! started 8123.456789                       when the core was made, in seconds since boot
//! local_node alpha
//! …
//! link eth0                                 in the order of their numbers, from 0; so are groups
//! group local IPaddr::10.0.0.1 alpha IPaddr::10.0.0.1 web
//! keys auth=1 1=sha1:check:9f31c2aa         or `1=sha1:key:…`, the key itself
//!                                           an empty line ends the header
//! 0.000213 wall-clock 1795198608            an event: seconds since the core was made, what, with what
//! 0.000215                                  a tick: a time alone
//! 0.203310 received 0:eth0 ###\n11:(0)t=status,…
//! 0.203391
//! 4.511020 group 0:IPaddr::10.0.0.1 started
//! # the recording ends here: …              a remark
//! ```
//!
//! What is not printable ASCII is written `\n`, `\\` or `\x1b`. A line counts once its end is there, so a
//! recording that a crash tore can be replayed up to that point.
//!
//! The core does the same for the same inputs, so a replay decides what the recorded core decided, down to the
//! bytes of what it sends: as long as the program is the same. With another version, it shows what that would
//! have decided, which is what the recordings among the tests are for.
//!
//! | file | what lives there |
//! |---|---|
//! | `encoder` | [`Encoder`]: settings and events to lines |
//! | `reader` | [`Reader`]: lines to settings and events |
//! | `header`, `event`, `reload`, `keys`, `text` | one kind of line each, both ways; escapes and times |
//! | `replay` | [`Replay`]: the core run over a recording |
//! | `story` | [`tell`]: a replay for people |

mod encoder;
mod error;
mod event;
mod header;
mod keys;
mod maintenance;
mod reader;
mod reload;
mod replay;
mod story;
mod text;

pub use encoder::{Encoder, remark};
pub use error::{Problem, RecordingError};
pub use header::Header;
pub use keys::Secrecy;
pub use reader::Reader;
pub use replay::{Replay, Step};
pub use story::{Extent, tell};
pub use text::parse_seconds;
