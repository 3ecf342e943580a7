//! Two chaoses: real daemons whose machines, cables and children misbehave as dice have it.
//!
//!     HB_CHAOS_SEED=7 HB_CHAOS_SECONDS=600 cargo test --test chaos -- --nocapture --test-threads=1
//!
//! plays the faults of seed 7 for ten minutes in each; `make chaos` goes through many seeds.
//!
//! **Two hundred groups** ([`faults`]): every script writes into one file that both machines append to; the order of its lines
//! is the order in which things happened, and [`events`] finds in it whatever must not happen. What a daemon that is killed
//! alone leaves running is the business of the next one on that machine, which is started at once; only where it is not, and
//! no watchdog resets the machine, the other node takes what still runs here. So this test kills a daemon alone and starts it
//! again, or takes the power from the whole machine.
//!
//! **A witness outside** ([`outside`]): a third machine asks who has the floating addresses, and believes nobody else. Here
//! links fail too, all of them at times, and daemons stay dead or paused for any time; [`truth`] knows what that excuses.
//!
//! Beside them [`stalls`] goes through daemons and machines that stand still, from milliseconds to minutes, before the same witness.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests stand outside of the daemon: they measure real time and wait for it"
)]

#[path = "../lab/mod.rs"]
mod lab;

mod answers;
mod dice;
mod events;
mod faults;
mod floods;
mod frames;
mod freezer;
mod inflict;
mod lateness;
mod outside;
mod plan;
mod scripts;
mod stalls;
mod stand_in;
mod tally;
mod truth;
mod witness;
