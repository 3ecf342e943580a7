//! `make demo`: a pair of machines on this computer, told to somebody who never saw one.
//!
//! Two real daemons in namespaces, joined by a null modem and two networks; a web server behind a floating
//! address; a client that asks five times a second. Cables are pulled, the owner dies and comes back.
#![allow(
    clippy::disallowed_methods,
    reason = "the demo stands outside of the daemon: it measures real time and waits for it"
)]

#[path = "../lab/mod.rs"]
mod lab;

mod scene;
mod teller;

use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::{env, fs, process, thread};

use nix::sys::signal::{SigSet, Signal};

use lab::{sandbox, web};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [command, pid_file, page] = &arguments[..]
        && command == "serve"
    {
        return serve(pid_file, page);
    }
    if !arguments.is_empty() {
        eprintln!("usage: demo    (it takes no arguments)");
        return ExitCode::from(2);
    }
    if !sandbox::is_inside() {
        let reason = sandbox::enter();
        eprintln!("The demo cannot run here: {reason}.");
        return ExitCode::FAILURE;
    }
    leave_on_request();
    sandbox::furnish();
    sandbox::show_evidence_of_failure();
    scene::play();
    ExitCode::SUCCESS
}

/// Ends everything at Ctrl-C: with the first process of the sandbox the kernel ends the others.
fn leave_on_request() {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
        .into_iter()
        .collect();
    signals
        .thread_block()
        .expect("any process may block signals");
    thread::spawn(move || {
        let _ = signals.wait();
        println!("\nStopped. Nothing is left behind.");
        process::exit(130);
    });
}

/// The web server that the resource script starts: this program again.
fn serve(pid_file: &str, page: &str) -> ExitCode {
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)) {
        Ok(listener) if fs::write(pid_file, process::id().to_string()).is_ok() => {
            web::serve(&listener, page);
            ExitCode::SUCCESS
        }
        _ => ExitCode::FAILURE,
    }
}
