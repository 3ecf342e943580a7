//! Safe wrappers over system calls. The only folder where `unsafe` may appear; it knows nothing of ours.

pub mod account;
mod address_requests;
pub mod alarm;
pub mod child;
pub mod claim_tap;
pub mod clock;
pub mod credentials;
pub mod inheritance;
pub mod interface;
pub mod local_time;
pub mod netlink;
pub mod netlink_news;
pub mod packet;
pub mod packet_tap;
pub mod proc;
pub mod process;
pub mod random;
pub mod regular_file;
pub mod reset;
pub mod scheduling;
pub mod screen;
pub mod socket;
pub mod spawn;
pub mod tty;
pub mod watchdog;
