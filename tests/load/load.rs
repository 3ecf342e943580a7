//! `make load`: a pair of ours and a pair of Debian's heartbeat 3.0.6, side by side on one computer that has far too much to do.
//!
//! Both pairs have the same `ha.cf`: a heartbeat every 100 ms, deadtime 500 ms, two networks and a null modem, a floating
//! address and a script. First comes a quiet minute, then the load ([`pressure`]) for `HB_LOAD_SECONDS`, in which the group of each
//! pair is moved once a minute with `hb_standby`. Nobody ever dies, so every peer that is declared dead is a false death. What
//! left each machine, and when, is seen on the networks from outside, by the kernel's clock ([`tap`]); what the daemons used stands in
//! `/proc` ([`figures`]).
//!
//! All of it, the daemons too, is in one control group with little memory ([`ground`]), and where the kernel allows it there is a swap
//! file for the time of the run: inside of the group it is a machine that swaps without end, outside of it nothing is short.
#![allow(
    clippy::disallowed_methods,
    reason = "the measurement stands outside of the daemon: it takes real time and waits for it"
)]

#[path = "../lab/mod.rs"]
mod lab;

mod figures;
mod ground;
mod host;
mod pressure;
mod report;
mod tap;
mod trial;

use std::process::ExitCode;

use lab::sandbox;

fn main() -> ExitCode {
    let result = if sandbox::is_inside() {
        trial::run()
    } else {
        ground::run_inside()
    };
    match result {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("load: {reason}");
            ExitCode::FAILURE
        }
    }
}
