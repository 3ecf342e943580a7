//! The shell: the loop and everything with a descriptor.

<<<<<<< HEAD
pub mod media;
pub mod media_device;
pub mod media_report;
pub mod resolver;
pub mod serial;
pub mod serial_lock;
pub mod serial_pace;
pub mod serial_queue;
pub mod udp;
pub mod write_failures;
=======
pub mod clock;
pub mod command;
pub mod command_line;
pub mod control;
pub mod datagram;
pub mod disk;
pub mod event_loop;
pub mod log;
pub mod pid_file;
pub mod reload;
pub mod scheduling;
pub mod service_manager;
pub mod settings;
pub mod signals;
pub mod start;
pub mod state;
pub mod status;
pub mod watchdog;
>>>>>>> frame
