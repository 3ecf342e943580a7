//! `heartbeat`: the daemon and the commands that go with it. See `heartbeat(8)`.

use std::process::ExitCode;

use heartbeat::client::confirm;
use heartbeat::daemon::command;

fn main() -> ExitCode {
    let words = std::env::args_os().skip(1);
    ExitCode::from(command::run(words, confirm::run))
}
