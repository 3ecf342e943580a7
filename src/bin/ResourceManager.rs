//! `ResourceManager`: keys, states and moves of resource groups, for people and old scripts. See `ResourceManager(8)`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(heartbeat::client::resource_manager::run(
        std::env::args_os().skip(1),
    ))
}
