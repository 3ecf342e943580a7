//! The shell: the loop and everything with a descriptor.

pub mod clock;
pub mod command_line;
pub mod control;
pub mod datagram;
pub mod log;
pub mod media;
pub mod media_device;
pub mod media_report;
pub mod pid_file;
pub mod resolver;
pub mod scheduling;
pub mod serial;
pub mod serial_lock;
pub mod serial_pace;
pub mod serial_queue;
pub mod service_manager;
pub mod settings;
pub mod signals;
pub mod state;
pub mod status;
pub mod udp;
pub mod watchdog;
pub mod write_failures;
