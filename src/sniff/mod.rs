//! `heartbeat sniff`: what two nodes say to each other, decoded and judged for a person. Pure: bytes in, words out.
//!
//! | file | what lives there |
//! |---|---|
//! | `capture` | capture files taken apart into frames |
//! | `packet`, `reassembly`, `sieve` | frames to the datagrams that concern us, IP fragments joined |
//! | `decode` | one message: what it says, and whether to believe it |
//! | `short` | the same for the short heartbeats of serial lines |
//! | `words`, `groups` | the same in plain words |
//! | `order` | where a message stands: new, copy, gap, again, restart, replay |
//! | `sequence` | the numbered stream of one node, by which that is judged |
//! | `node`, `book` | all that was heard, by node and by link |
//! | `hints`, `summary` | what is told at the end |
//! | `sniffer`, `sighting` | a message in, a line or an object of JSON out |
//! | `escape` | nothing from a wire reaches the terminal as it is |
//!
//! It judges what went over the wires, not what a node makes of it: it sees both nodes and all links, and also what a
//! node refuses. The rules by which a node decides are in `cluster`.

mod book;
pub mod capture;
mod decode;
pub mod escape;
mod groups;
mod hints;
mod node;
mod order;
pub mod packet;
mod reassembly;
mod sequence;
mod settings;
mod short;
mod sieve;
mod sighting;
mod sniffer;
mod summary;
mod words;

pub use sequence::Counts;
pub use settings::Settings;
pub use sieve::{Caught, Sieve};
pub use sighting::{ShownField, Sighting};
pub use sniffer::{Heard, Sniffer};
pub use summary::{LinkSummary, Losses, NodeLink, NodeSummary, Summary};
