//! A laboratory for real daemons: machines, networks and cables on this computer, without touching it.
//!
//! Everything lives in namespaces of one sandbox (a process of its own for each test) and vanishes with
//! it, whatever happens. Needs root, or an ordinary user who may make user namespaces; and `ip` and
//! `bridge` from iproute2. Shared by the pair tests, the demo and the measurements, each of which takes it in by its path.
#![allow(
    dead_code,
    unused_imports,
    reason = "several programs share these files and none of them uses all"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the laboratory stands outside of the daemon: it measures real time and waits for it"
)]

pub mod files;
pub mod journal;
pub mod machine;
pub mod namespace;
pub mod network;
pub mod null_modem;
pub mod pair;
pub mod program;
pub mod sandbox;
pub mod standstill;
pub mod stranger;
pub mod usage;
pub mod watch;
pub mod web;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

pub use pair::{Link, Networks, Pair, Setup};
pub use program::Program;

/// How long anything may take that must happen, on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What tests need to run.
pub struct Demands {
    /// Whether they can run here, and if not, why.
    pub possible: fn() -> Result<(), String>,
    /// How many of them may run at a time. Each has two daemons whose timing matters.
    pub at_once: usize,
}

/// Runs one test inside a sandbox of its own, or says why it can't.
pub fn claim<F: FnOnce()>(test: F) {
    let demands = Demands {
        possible: sandbox::possible,
        at_once: 4,
    };
    claim_with(&demands, test);
}

/// Like [`claim`], for tests that need more than a sandbox.
pub fn claim_with<F: FnOnce()>(demands: &Demands, test: F) {
    if sandbox::is_inside() {
        sandbox::guard_test();
        sandbox::furnish();
        test();
        return;
    }
    match (demands.possible)() {
        Ok(()) => sandbox::run_test_inside(std::any::type_name::<F>(), demands.at_once),
        Err(reason) if std::env::var_os("HB_TEST_REQUIRE_ALL").is_some() => {
            panic!("HB_TEST_REQUIRE_ALL is set, but {reason}")
        }
        Err(reason) => sandbox::tell_skipped(&reason),
    }
}

/// Where all files of the laboratory are: a file system in memory that only the sandbox sees.
pub fn base() -> PathBuf {
    sandbox::base()
}

/// Waits until `found` has an answer; `None` when it has none within `limit`.
pub fn wait_for<T>(limit: Duration, mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = found() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until `condition` holds, and fails the test when it does not within [`PATIENCE`].
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    assert!(
        wait_for(PATIENCE, || condition().then_some(())).is_some(),
        "within {PATIENCE:?} it did not come true that {what}"
    );
}

/// Watches for `period` that `condition` stays true. For claims that something does *not* happen, where
/// waiting is the only way.
#[track_caller]
pub fn throughout(period: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + period;
    while Instant::now() < end {
        assert!(condition(), "it did not stay true that {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
