//! Safe wrappers over system calls. The only folder where `unsafe` may appear; nothing here knows what the
//! rest of the program is about.

pub mod credentials;
pub mod local_time;
pub mod process;
pub mod scheduling;
pub mod watchdog;
