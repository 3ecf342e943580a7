//! Socket options that the socket crate lacks.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt};

/// Room for `bytes` of what waits to be read, and for what the kernel adds to them: beyond the machine's limit with
/// `CAP_NET_ADMIN`, else as much as that allows.
pub fn set_receive_buffer(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    let forced = setsockopt(socket, sockopt::RcvBufForce, &bytes);
    Ok(forced.or_else(|_| setsockopt(socket, sockopt::RcvBuf, &bytes))?)
}

/// `SO_DONTROUTE`: send to directly connected networks only, whatever the routing table says.
pub fn set_dont_route(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::DontRoute, &true)?)
}
