//! The real `heartbeat` and the commands on one machine: command line, pid file, control socket, state
//! files, logging, watchdog. The peer is a pty that nobody answers on.

mod alerts;
mod cl_status;
mod command_line;
mod fencing;
mod hooks;
mod inheritance;
mod keygen;
mod kinds;
mod leftovers;
mod lint_script;
mod logging;
mod machine;
mod metrics;
mod moves;
#[path = "../lab/openmetrics.rs"]
mod openmetrics;
mod pid_file;
mod pings;
mod programs;
mod recording;
mod reload;
mod resource_manager;
mod serial_test;
mod service_manager;
mod signals;
mod state;
mod upkeep;
mod watchdog;
