//! `hb_takeover`: takes resource groups from the other node. See `hb_takeover(1)`.

use std::process::ExitCode;

use heartbeat::client::moves;
use heartbeat::control::Direction;

fn main() -> ExitCode {
    ExitCode::from(moves::run(Direction::Takeover, std::env::args_os().skip(1)))
}
