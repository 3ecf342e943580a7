//! `hb_standby`: gives resource groups to the other node. See `hb_standby(1)`.

use std::process::ExitCode;

use heartbeat::client::moves;
use heartbeat::control::Direction;

fn main() -> ExitCode {
    ExitCode::from(moves::run(Direction::Standby, std::env::args_os().skip(1)))
}
