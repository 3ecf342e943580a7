//! `heartbeat sniff` as a person uses it: over everything that was recorded of heartbeat 3.0.6, over damaged input, and
//! beside a running daemon.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests stand outside of the daemon: they measure real time and wait for it"
)]

#[path = "../lab/mod.rs"]
mod lab;

mod capture;
mod command;
mod damage;
mod live;
mod recorded;
mod stories;
