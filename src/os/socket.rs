//! Socket options that the socket crate lacks.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt};

/// `SO_DONTROUTE`: send to directly connected networks only, whatever the routing table says.
pub fn set_dont_route(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::DontRoute, &true)?)
}
