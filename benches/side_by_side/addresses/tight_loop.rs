//! What any program has to do at least: the same batched system calls, and nothing around them.

use std::net::Ipv4Addr;

use heartbeat::os::interface;
use heartbeat::os::netlink::{Address, Netlink, Wish};
use heartbeat::os::packet::PacketSocket;
use std::time::Duration;

use super::sightings::now;
use crate::lab::machine::Machine;

/// Frames that are sent with one system call.
const TOGETHER: usize = 64;

/// The addresses of a machine and their announcements, made ready.
pub struct TightLoop {
    netlink: Netlink,
    packets: PacketSocket,
    interface: u32,
    entries: Vec<Address>,
    frames: Vec<[u8; 42]>,
}

impl TightLoop {
    /// For these addresses on `eth0` of a machine.
    pub fn new(machine: &Machine, addresses: &[Ipv4Addr]) -> Self {
        let (netlink, packets, interface) = machine.namespace.within(|| {
            let netlink = Netlink::open().expect("a socket");
            let packets = PacketSocket::open().expect("only root measures");
            let interface = interface::index("eth0").expect("it was attached");
            (netlink, packets, interface)
        });
        let entry = |address: &Ipv4Addr| Address {
            interface,
            address: (*address).into(),
            prefix: 16,
            label: Some("eth0".to_owned()),
            broadcast: Some(Ipv4Addr::new(10, 78, 255, 255)),
            secondary: false,
            is_refused: false,
        };
        let both = |address: &Ipv4Addr| [1, 2].map(|operation| gratuitous(operation, *address));
        Self {
            netlink,
            packets,
            interface,
            entries: addresses.iter().map(entry).collect(),
            frames: addresses.iter().flat_map(both).collect(),
        }
    }

    /// Adds and announces them: when it began.
    pub fn run(&mut self) -> Duration {
        let began = now();
        let (outcomes, _) = self.netlink.change(Wish::Add, self.entries.iter());
        for frames in self.frames.chunks(TOGETHER) {
            let frames: Vec<&[u8]> = frames.iter().map(<[u8; 42]>::as_slice).collect();
            let sent = self.packets.send_all(self.interface, &frames);
            assert_eq!(sent.expect("sent"), frames.len());
        }
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        began
    }

    /// Removes them again.
    pub fn undo(&mut self) {
        self.netlink.change(Wish::Remove, self.entries.iter());
    }
}

fn gratuitous(operation: u8, address: Ipv4Addr) -> [u8; 42] {
    let ethernet = [2, 0, 0, 0, 0, 1];
    let head = [
        &[0xff; 6],
        &ethernet[..],
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, operation],
    ]
    .concat();
    let pairs = [
        &ethernet[..],
        &address.octets(),
        &[0xff; 6],
        &address.octets(),
    ]
    .concat();
    let frame = [head, pairs].concat();
    frame.try_into().expect("42 bytes")
}
