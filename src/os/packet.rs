//! Sending whole Ethernet frames.

use std::io;
use std::mem;
use std::os::fd::AsRawFd;

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
        self.0
            .send_to(frame, &address(index, kind(frame)?))
            .map(drop)
    }

    /// Sends frames of one protocol, their Ethernet headers included, with one system call. Never blocks. How many of them
    /// were sent, from the first on: fewer than all when the interface takes no more for the moment.
    ///
    /// # Errors
    /// Why not even the first one was sent.
    pub fn send_all(&self, interface: u32, frames: &[&[u8]]) -> io::Result<usize> {
        let index = i32::try_from(interface).map_err(io::Error::other)?;
        let Some(first) = frames.first() else {
            return Ok(0);
        };
        let to = address(index, kind(first)?);
        let mut parts: Vec<libc::iovec> = Vec::with_capacity(frames.len());
        for frame in frames {
            if kind(frame)? != kind(first)? {
                let reason = "frames of several protocols";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
            }
            parts.push(libc::iovec {
                iov_base: frame.as_ptr().cast_mut().cast(),
                iov_len: frame.len(),
            });
        }
        let header = |part: &mut libc::iovec| {
            // SAFETY: integers and pointers, for which zeroes are valid.
            let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
            header.msg_hdr.msg_name = to.as_ptr().cast_mut().cast();
            header.msg_hdr.msg_namelen = to.len();
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header
        };
        let mut headers: Vec<libc::mmsghdr> = parts.iter_mut().map(header).collect();
        let number = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        // SAFETY: so many headers are there. Each names the address and one of the parts, which are not touched before the
        // call ends, and each part a frame that the caller lends; the kernel only reads those.
        let sent = unsafe { libc::sendmmsg(self.0.as_raw_fd(), headers.as_mut_ptr(), number, 0) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Whether frames were not sent because the interface, or the socket, takes no more for the moment.
pub fn is_busy(error: &io::Error) -> bool {
    let is_full = error.raw_os_error() == Some(libc::ENOBUFS);
    is_full || error.kind() == io::ErrorKind::WouldBlock
}

/// What the kernel calls the protocol of a frame.
fn kind(frame: &[u8]) -> io::Result<u16> {
    match frame.get(12..14) {
        Some(&[high, low]) => Ok(u16::from_ne_bytes([high, low])),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not an Ethernet frame",
        )),
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
