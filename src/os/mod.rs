//! Safe wrappers over system calls; the only place where `unsafe` may appear.

pub mod netlink;
pub mod packet;
