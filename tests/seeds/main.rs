//! Five tutorials that people set up heartbeat by, as tests: their configuration, their steps, and what they say that
//! one sees. Only times are shorter, and where a tutorial names no addresses it gets some.
//!
//! `README.md` lists every step with the test that shows it, here or elsewhere, or with the reason why there is none.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests stand outside of the daemon: they measure real time and wait for it"
)]

#[path = "../lab/mod.rs"]
mod lab;

mod coverage;
mod director;
mod s0;
mod s1;
mod s2;
mod s3;
mod s4;
mod stage;
mod syslog;
mod upkeep;
mod webserver;
