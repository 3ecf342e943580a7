//! The shell: the loop and everything with a descriptor.

pub mod children;
pub mod media;
pub mod media_device;
pub mod media_report;
pub mod resolver;
pub mod resources;
pub mod serial;
pub mod serial_lock;
pub mod serial_pace;
pub mod serial_queue;
pub mod udp;
pub mod write_failures;
