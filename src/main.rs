//! `heartbeat`: the daemon and the commands that go with it. See `heartbeat(8)`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(heartbeat::daemon::command::run(std::env::args_os().skip(1)))
}
