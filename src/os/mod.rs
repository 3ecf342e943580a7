//! Safe wrappers over system calls. The only folder where `unsafe` may appear; it knows nothing of ours.

pub mod interface;
pub mod netlink;
pub mod packet;
pub mod socket;
pub mod tty;
