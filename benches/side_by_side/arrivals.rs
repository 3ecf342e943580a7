//! When addresses come to a machine and go, as its kernel tells: a thread waits for every word of it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use heartbeat::os::netlink::address;
use netlink_packet_core::NetlinkBuffer;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::lab::namespace::Namespace;
use super::moment::{self, Moment};
use super::record::Record;

/// `RTNLGRP_IPV4_IFADDR`
const GROUP: u32 = 5;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;

/// An address has come or gone.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// When the kernel said so.
    pub at: Moment,
    /// The address.
    pub address: Ipv4Addr,
    /// Whether it has come.
    pub is_here: bool,
}

/// All changes on one machine.
#[derive(Clone)]
pub struct Arrivals(Record<Change>);

impl Arrivals {
    /// Hears of everything from now on.
    pub fn watch(machine: &Namespace) -> Self {
        let arrivals = Self(Record::new());
        let (store, machine) = (arrivals.clone(), machine.share());
        let (ready, is_ready) = mpsc::sync_channel(1);
        thread::spawn(move || {
            machine.enter();
            moment::be_prompt();
            let mut socket = Socket::new(NETLINK_ROUTE).expect("descriptors are left");
            socket.bind(&SocketAddr::new(0, 0)).expect("a plain socket");
            socket.add_membership(GROUP).expect("everybody may");
            let _ = ready.send(());
            let mut buffer = Vec::with_capacity(4096);
            loop {
                buffer.clear();
                if socket.recv(&mut buffer, 0).is_err() {
                    continue; // more changes at once than there is room for; a run that misses one says so
                }
                store.take(moment::now(), &buffer);
            }
        });
        is_ready.recv().expect("the thread has opened its socket");
        arrivals
    }

    fn take(&self, at: Moment, mut bytes: &[u8]) {
        while let Ok(message) = NetlinkBuffer::new_checked(bytes) {
            let is_here = message.message_type() == RTM_NEWADDR;
            if is_here || message.message_type() == RTM_DELADDR {
                let told = address(message.payload());
                if let Some(IpAddr::V4(address)) = told.map(|told| told.address) {
                    self.0.add([Change {
                        at,
                        address,
                        is_here,
                    }]);
                }
            }
            let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
            bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }

    /// The first change of this kind after a moment, waited for.
    pub fn first(
        &self,
        after: Moment,
        limit: Duration,
        (address, is_here): (Ipv4Addr, bool),
    ) -> Option<Moment> {
        let is_it = |change: &Change| {
            change.at >= after && (change.address, change.is_here) == (address, is_here)
        };
        Some(self.0.first(limit, is_it)?.at)
    }
}
