//! Sending whole Ethernet frames.

use std::io;
use std::mem;

use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};

/// A socket that sends Ethernet frames on any interface and receives nothing.
#[derive(Debug)]
pub struct PacketSocket(Socket);

impl PacketSocket {
    /// Opens the socket in the network namespace of the calling thread. Needs `CAP_NET_RAW`.
    pub fn open() -> io::Result<Self> {
        // Protocol 0: the kernel hands nothing to this socket.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Sends a frame, its Ethernet header included. Never blocks.
    pub fn send(&self, interface: u32, frame: &[u8]) -> io::Result<()> {
        let index = i32::try_from(interface).map_err(io::Error::other)?;
        let kind = match frame.get(12..14) {
            Some(&[high, low]) => u16::from_ne_bytes([high, low]),
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "not an Ethernet frame",
                ));
            }
        };
        self.0.send_to(frame, &address(index, kind)).map(drop)
    }
}

/// An Ethernet address as people write it, in small letters.
pub fn written(ethernet: [u8; 6]) -> String {
    let bytes = ethernet.map(|byte| format!("{byte:02x}"));
    bytes.join(":")
}

/// Where packets of a kind go, or come from: an interface.
pub(super) fn address(index: i32, kind: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is one of this platform's address types, smaller than the storage, and all its
    // fields are integers for which zeroes are valid.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = kind;
    address.sll_ifindex = index;
    let length = u32::try_from(mem::size_of::<libc::sockaddr_ll>()).unwrap_or_default();
    // SAFETY: the storage holds a sockaddr_ll of that length.
    unsafe { SockAddr::new(storage, length) }
}
