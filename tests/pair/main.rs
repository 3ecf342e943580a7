//! Two real daemons on two machines made of namespaces: what the pair as a whole does.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests stand outside of the daemon: they measure real time and wait for it"
)]

#[path = "../lab/mod.rs"]
mod lab;

mod agreement;
mod carriers;
mod damage;
mod directions;
mod doctor;
mod failback;
mod failover;
mod fencing;
mod hooks;
mod keys;
mod last_link;
mod leftovers;
mod links;
mod log_lines;
mod maintenance;
mod media;
mod monitors;
mod moves;
#[path = "../lab/openmetrics.rs"]
mod openmetrics;
mod pings;
mod programs;
mod readiness;
mod recording;
mod reload;
mod replay;
mod resource_manager;
mod resources;
mod rivals;
mod slow_line;
mod start;
mod status;
mod storm;
mod strangers;
mod telling;
mod wrong_files;
mod wrong_machines;
