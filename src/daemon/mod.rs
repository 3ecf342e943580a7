//! The shell: the loop and everything with a descriptor.

pub mod clock;
pub mod control;
pub mod datagram;
pub mod log;
pub mod pid_file;
pub mod scheduling;
pub mod service_manager;
pub mod state;
pub mod watchdog;
