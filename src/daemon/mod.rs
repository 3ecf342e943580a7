//! The shell: the loop and everything with a descriptor.

pub mod children;
pub mod clock;
pub mod command;
pub mod command_line;
pub mod control;
pub mod datagram;
pub mod disk;
pub mod event_loop;
pub mod exit_status;
pub mod log;
pub mod look;
pub mod media;
pub mod pid_file;
pub mod reload;
pub mod resources;
pub mod scheduling;
pub mod service_manager;
pub mod settings;
pub mod signals;
pub mod sniff;
pub mod start;
pub mod state;
pub mod status;
pub mod terminal;
pub mod watchdog;
