//! Word from the kernel that an interface or an address of this machine has changed.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use netlink_packet_core::NetlinkBuffer;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt};

use super::address_requests::{Address, RTM_DELADDR, RTM_NEWADDR};
use super::netlink::address;

/// Interfaces, IPv4 addresses, IPv6 addresses: `RTNLGRP_LINK`, `RTNLGRP_IPV4_IFADDR` and `RTNLGRP_IPV6_IFADDR` of
/// <linux/rtnetlink.h>.
const GROUPS: [u32; 3] = [1, 5, 9];
/// Datagrams taken at a time; what is left makes the socket readable again.
const SHARE: usize = 1024;
/// What is told of an address is shorter; of the rest only its beginning is taken.
const GLANCE: usize = 512;
/// Room for word of a thousand addresses that come at once.
const BUFFER: usize = 1 << 20;

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// This address is there, or is there in another way.
    Added(Address),
    /// This address is not there any more.
    Removed(Address),
    /// Something else, or something that could not be read.
    Other,
}

/// A socket that becomes readable with each change.
#[derive(Debug)]
pub struct NetlinkNews {
    socket: Socket,
    buffer: Vec<u8>,
}

impl NetlinkNews {
    /// Opens the socket in the network namespace of the calling thread.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        socket.set_non_blocking(true)?;
        // With less room it may be that only the fact of a change is known. More than the machine's limit takes a
        // privilege.
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)
            .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &BUFFER));
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(GLANCE),
        })
    }

    /// Tells everything that has changed since this was asked last, or may have. Whether there may be more. Never blocks.
    pub fn take(&mut self, mut tell: impl FnMut(News)) -> bool {
        for _ in 0..SHARE {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, 0) {
                Ok(_) => tell(news(&self.buffer)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // Most likely there were more changes than the kernel keeps word of.
                Err(_) => {
                    tell(News::Other);
                    return true;
                }
            }
        }
        true
    }
}

/// What one datagram tells.
fn news(datagram: &[u8]) -> News {
    let Ok(message) = NetlinkBuffer::new_checked(datagram) else {
        return News::Other; // longer than what was taken of it
    };
    let told = match message.message_type() {
        RTM_NEWADDR => address(message.payload()).map(News::Added),
        RTM_DELADDR => address(message.payload()).map(News::Removed),
        _ => None,
    };
    told.unwrap_or(News::Other)
}

impl AsRawFd for NetlinkNews {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_change_there_is_no_word() -> io::Result<()> {
        let mut socket = NetlinkNews::open()?;
        while socket.take(drop) {} // of others on this machine
        let mut told = 0;
        assert!(!socket.take(|_| told += 1));
        assert_eq!(told, 0);
        Ok(())
    }

    #[test]
    fn what_cannot_be_read_is_a_change_of_some_kind() {
        for datagram in [&[][..], &[1; 15], &[0xff; 64]] {
            assert_eq!(news(datagram), News::Other);
        }
    }
}
