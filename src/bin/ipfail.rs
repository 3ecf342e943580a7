//! `ipfail`: the path that every old `ha.cf` names. What it did is part of the daemon.

use std::io::Write;
use std::process::ExitCode;

/// By which a program tells heartbeat 3.0.6 not to start it again.
const NEVER_AGAIN: u8 = 100;

fn main() -> ExitCode {
    let text = "ipfail is part of the heartbeat daemon. The line `respawn hacluster .../ipfail` in ha.cf is all that it \
                needs; see ipfail(8).\n";
    let _ = std::io::stderr().write_all(text.as_bytes()); // nobody may be there to read it
    ExitCode::from(NEVER_AGAIN)
}
