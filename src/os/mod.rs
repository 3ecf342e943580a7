//! Safe wrappers over system calls. The only folder where `unsafe` may appear; it knows nothing of ours.

pub mod interface;
pub mod regular_file;
pub mod socket;
pub mod tty;
