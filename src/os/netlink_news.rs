//! Word from the kernel that an interface or an address of this machine has changed.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Interfaces, IPv4 addresses, IPv6 addresses: `RTNLGRP_LINK`, `RTNLGRP_IPV4_IFADDR` and `RTNLGRP_IPV6_IFADDR` of
/// <linux/rtnetlink.h>.
const GROUPS: [u32; 3] = [1, 5, 9];
/// Datagrams taken at a time; what is left makes the socket readable again.
const SHARE: usize = 256;
/// What was changed is asked for elsewhere, so only the beginning of each datagram is taken.
const GLANCE: usize = 64;

/// A socket that becomes readable with each change.
#[derive(Debug)]
pub struct NetlinkNews(Socket);

impl NetlinkNews {
    /// Opens the socket in the network namespace of the calling thread.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        socket.set_non_blocking(true)?;
        Ok(Self(socket))
    }

    /// Whether anything has changed since this was asked last, or may have. Never blocks.
    pub fn take(&self) -> bool {
        let mut changed = false;
        let mut glance = Vec::with_capacity(GLANCE);
        for _ in 0..SHARE {
            glance.clear();
            match self.0.recv(&mut glance, 0) {
                Ok(_) => changed = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return changed,
                // Most likely there were more changes than the kernel keeps word of.
                Err(_) => return true,
            }
        }
        changed
    }
}

impl AsRawFd for NetlinkNews {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_change_there_is_no_word() -> io::Result<()> {
        let news = NetlinkNews::open()?;
        while news.take() {} // of others on this machine
        assert!(!news.take());
        Ok(())
    }
}
