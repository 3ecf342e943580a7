//! Socket options that the socket crate lacks.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{SockFilter, Socket};

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

/// What a packet is that the kernel gives back to the machine that sends it, as it does with those for everybody.
const PACKET_LOOPBACK: u32 = 5;
/// Where the kernel's packet filter finds the kind of a packet: `SKF_AD_OFF + SKF_AD_PKTTYPE` of <linux/filter.h>.
const KIND: u32 = 0xffff_f000 + 4;

/// From now on datagrams that came from this machine and this UDP port, and for everybody, do not arrive any more: they would
/// wake their sender, who knows what it has sent.
pub fn ignore_echoes(receive: &Socket, port: u16) -> io::Result<()> {
    let instruction = |code, yes, no, number| SockFilter::new(code, yes, no, number);
    receive.attach_filter(&[
        instruction(0x20, 0, 0, KIND),            // BPF_LD | BPF_W | BPF_ABS
        instruction(0x15, 0, 3, PACKET_LOOPBACK), // BPF_JMP | BPF_JEQ | BPF_K
        instruction(0x28, 0, 0, 0), // BPF_LD | BPF_H | BPF_ABS: the port that it comes from
        instruction(0x15, 0, 1, u32::from(port)),
        instruction(0x06, 0, 0, 0), // BPF_RET | BPF_K: nothing of it
        instruction(0x06, 0, 0, u32::MAX), // all of it
    ])
}
