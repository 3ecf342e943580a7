//! heartbeat-rs: high availability for two machines, a successor of Linux-HA heartbeat 3.0.6.
//!
//! The program has two halves. The **core** ([`cluster`]) decides: it is given the time and what
//! happened, and returns what to do. It has no clock, no descriptors and no randomness of its own;
//! the simulator runs the same code as the daemon. The **shell** ([`daemon`]) does: it owns sockets,
//! serial ports, child processes and clocks, and decides nothing about the peer or the resources.
//!
//! | module | what it is |
//! |---|---|
//! | [`config`] | the text of `ha.cf`, `authkeys`, `haresources` in, a [`config::Config`] or diagnostics out |
//! | [`message`] | bytes on a wire to a [`message::Message`] and back, signatures, compression |
//! | [`cluster`] | nodes, links, delivery, ownership: the core |
//! | [`recording`] | what the core was given, as lines of text, and the replay of it |
//! | [`resource`] | how a resource is started, stopped and checked |
//! | [`control`] | what is said over the control socket |
//! | [`sniff`] | what two nodes say to each other, decoded and judged for a person |
//! | [`daemon`] | the shell: event loop, media, children, logging |
//! | [`client`] | the other end of the control socket, for the commands |
//! | [`os`] | safe wrappers over system calls; the only place where `unsafe` may appear |
//!
//! Arrows point one way: `daemon → recording → cluster → message`, `daemon → resource → os`.

pub mod client;
pub mod cluster;
pub mod config;
pub mod control;
pub mod daemon;
pub mod message;
#[allow(unsafe_code)]
pub mod os;
pub mod recording;
pub mod resource;
pub mod sniff;

/// The version of heartbeat whose protocol, files and commands this program follows.
pub const SUCCEEDS: &str = "3.0.6";

/// This program's own version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
