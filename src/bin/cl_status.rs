//! `cl_status`: state of nodes, links and resources. See `cl_status(1)`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(heartbeat::client::cl_status::run(
        std::env::args_os().skip(1),
    ))
}
