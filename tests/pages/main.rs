//! The pages for operators in `docs`: what they show is run, parsed or looked for here, so that it is true.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests stand outside of the daemon: they measure real time and wait for it"
)]

#[path = "../lab/mod.rs"]
mod lab;

mod catalogue;
mod declared;
mod exceptions;
mod machines;
mod page;
mod quick_start;
mod recipes;
mod shown;
mod source;
