//! Interfaces, addresses and connected networks of this machine, asked of and changed in the kernel
//! over one routing netlink socket. Every call is a request and its answer; the kernel answers a local
//! request at once, so nothing here waits for anybody else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NlaBuffer, NlasIterator,
};
use netlink_packet_route::address::{AddressHeader, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkFlags, LinkHeader, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{RouteHeader, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;

pub use super::address_requests::{Address, Change, Wish};
use super::address_requests::{
    IFA_ADDRESS, IFA_BROADCAST, IFA_LABEL, IFA_LOCAL, NLMSG_ERROR, RTM_NEWADDR, Requests, result,
};

/// An answer that takes longer than this will not come.
const ANSWER_LIMIT: TimeVal = TimeVal::new(1, 0);
/// A dump that was disturbed by a change is asked for again this often.
const DUMP_ATTEMPTS: usize = 5;
/// Addresses that are changed with one message: many enough that its cost does not count, few enough that nothing waits
/// for long, and that the kernel has room for as many objections.
const MOST_TOGETHER: usize = 64;
/// The kernel never builds a larger piece of a dump.
const RECEIVE_BUFFER: usize = 64 * 1024;

// Message and attribute numbers of <linux/rtnetlink.h>, <linux/if_link.h> and <linux/if_addr.h>. The
// crate's own decoders refuse a whole message over one attribute that is newer than they are; picking the
// few attributes wanted here works on every kernel.
const RTM_NEWLINK: u16 = 16;
const RTM_NEWROUTE: u16 = 24;
const NLMSG_DONE: u16 = 3;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_MULTIPATH: u16 = 9;
const RTA_VIA: u16 = 18;

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number for it.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether it has a carrier: a cable with somebody at its other end.
    pub running: bool,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// Its Ethernet address, if it is of that kind and uses ARP.
    pub ethernet: Option<[u8; 6]>,
}

/// A network that is reached without a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The interface it is on.
    pub interface: u32,
    /// The network's address.
    pub destination: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// Lower is preferred.
    pub metric: u32,
}

/// A routing netlink socket.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens the socket in the network namespace of the calling thread.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &ANSWER_LIMIT)?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: Vec::with_capacity(RECEIVE_BUFFER),
        })
    }

    /// Every interface.
    pub fn interfaces(&mut self) -> io::Result<Vec<Interface>> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        self.dump(&request, RTM_NEWLINK, interface)
    }

    /// Every address of every interface.
    pub fn addresses(&mut self) -> io::Result<Vec<Address>> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.dump(&request, RTM_NEWADDR, address)
    }

    /// The networks of the main routing table, of the family of `like`, that need no gateway.
    pub fn networks(&mut self, like: IpAddr) -> io::Result<Vec<Network>> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(like);
        let request = RouteNetlinkMessage::GetRoute(message);
        self.dump(&request, RTM_NEWROUTE, |payload| network(payload, like))
    }

    /// Adds or removes addresses, in this order: what became of each. They go to the kernel in few messages, and what it
    /// does not object to is done. Where its answer is lost, those that it was about count as failed. Also whether no answer
    /// was.
    pub fn change<'a>(
        &mut self,
        wish: Wish,
        addresses: impl Iterator<Item = &'a Address>,
    ) -> (Vec<io::Result<Change>>, bool) {
        let mut all = addresses.peekable();
        let (mut outcomes, mut is_answered) = (Vec::new(), true);
        while all.peek().is_some() {
            let first = self.sequence.wrapping_add(1);
            let mut requests = Requests::new(wish, first);
            all.by_ref()
                .take(MOST_TOGETHER)
                .for_each(|address| requests.add(address));
            self.sequence = self.sequence.wrapping_add(requests.number());
            let (carried_out, is_known) = self.carry_out(requests);
            outcomes.extend(carried_out);
            is_answered &= is_known;
        }
        (outcomes, is_answered)
    }

    fn carry_out(&mut self, requests: Requests) -> (Vec<io::Result<Change>>, bool) {
        let (bytes, mut answers) = requests.seal();
        let mut told = self.socket.send(&bytes, 0).map(drop);
        while told.is_ok() && !answers.are_complete() {
            told = self.receive().and_then(|()| answers.read(&self.buffer));
        }
        (answers.outcomes(&told), told.is_ok())
    }

    fn dump<T>(
        &mut self,
        request: &RouteNetlinkMessage,
        kind: u16,
        decode: impl Fn(&[u8]) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        for _ in 0..DUMP_ATTEMPTS {
            let mut entries = Vec::new();
            let whole = self.exchange(
                request,
                NLM_F_REQUEST | NLM_F_DUMP,
                &mut |found, payload| {
                    if found == kind {
                        entries.extend(decode(payload));
                    }
                },
            )?;
            if whole {
                return Ok(entries);
            }
        }
        Err(io::Error::new(
            io::ErrorKind::Interrupted,
            "the table changed while it was read",
        ))
    }

    /// Sends one request and hands every part of its answer to `part`. False when the table changed
    /// between the parts.
    fn exchange(
        &mut self,
        request: &RouteNetlinkMessage,
        flags: u16,
        part: &mut dyn FnMut(u16, &[u8]),
    ) -> io::Result<bool> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message =
            NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request.clone()));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let mut whole = true;
        loop {
            self.receive()?;
            if let Some(end) = read_answer(&self.buffer, self.sequence, &mut whole, part)? {
                return end.map(|()| whole);
            }
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, libc::MSG_TRUNC) {
                Ok(length) if length > self.buffer.len() => {
                    return Err(io::Error::other("the kernel's answer was cut short"));
                }
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Walks through one datagram and hands each part of the answer to `sequence` to `part`, with its type. `Some` when it
/// holds the end of that answer; what belongs to an earlier request, given up after its time, is passed over. `whole`
/// becomes false when the table changed between the parts.
///
/// # Errors
/// When it is none of the kernel's.
pub fn read_answer(
    mut bytes: &[u8],
    sequence: u32,
    whole: &mut bool,
    part: &mut dyn FnMut(u16, &[u8]),
) -> io::Result<Option<io::Result<()>>> {
    while !bytes.is_empty() {
        let message = NetlinkBuffer::new_checked(bytes).map_err(io::Error::other)?;
        let length = usize::try_from(message.length())
            .unwrap_or(usize::MAX)
            .next_multiple_of(4);
        if message.sequence_number() == sequence {
            if message.flags() & NLM_F_DUMP_INTR != 0 {
                *whole = false;
            }
            match message.message_type() {
                NLMSG_ERROR | NLMSG_DONE => return Ok(Some(result(message.payload()))),
                kind => part(kind, message.payload()),
            }
        }
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(None)
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

/// The interface of which a part of an answer tells.
pub fn interface(payload: &[u8]) -> Option<Interface> {
    let header = LinkHeader::parse(payload).ok()?;
    let attributes = payload.get(16..)?;
    let name = text(attribute(attributes, IFLA_IFNAME)?);
    let with_arp =
        header.link_layer_type == LinkLayerType::Ether && !header.flags.contains(LinkFlags::Noarp);
    Some(Interface {
        index: header.index,
        name,
        up: header.flags.contains(LinkFlags::Up),
        running: header.flags.contains(LinkFlags::LowerUp),
        loopback: header.flags.contains(LinkFlags::Loopback),
        ethernet: attribute(attributes, IFLA_ADDRESS)
            .filter(|_| with_arp)
            .and_then(|bytes| bytes.try_into().ok()),
    })
}

/// The address of which a part of an answer tells.
pub fn address(payload: &[u8]) -> Option<Address> {
    let header = AddressHeader::parse(payload).ok()?;
    let attributes = payload.get(8..)?;
    // On a point-to-point interface IFA_ADDRESS is the other end; IPv6 gives IFA_ADDRESS only.
    let own = attribute(attributes, IFA_LOCAL).or_else(|| attribute(attributes, IFA_ADDRESS))?;
    let address = ip(own)?;
    Some(Address {
        interface: header.index,
        address,
        prefix: header.prefix_len,
        label: attribute(attributes, IFA_LABEL).map(text),
        broadcast: attribute(attributes, IFA_BROADCAST)
            .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
            .map(Ipv4Addr::from),
        secondary: address.is_ipv4() && header.flags.contains(AddressHeaderFlags::Secondary),
        is_refused: address.is_ipv6() && header.flags.contains(AddressHeaderFlags::Dadfailed),
    })
}

/// The network of which a part of an answer tells, if it is of the family of `like` and in the main table, and needs no
/// gateway.
pub fn network(payload: &[u8], like: IpAddr) -> Option<Network> {
    let header = RouteHeader::parse(payload).ok()?;
    let attributes = payload.get(12..)?;
    let elsewhere = [RTA_GATEWAY, RTA_VIA, RTA_MULTIPATH]
        .iter()
        .any(|&kind| attribute(attributes, kind).is_some());
    if header.address_family != family(like)
        || header.table != RouteHeader::RT_TABLE_MAIN
        || header.kind != RouteType::Unicast
        || elsewhere
    {
        return None;
    }
    let number = |kind| {
        attribute(attributes, kind)?
            .try_into()
            .ok()
            .map(u32::from_ne_bytes)
    };
    Some(Network {
        interface: number(RTA_OIF)?,
        destination: ip(attribute(attributes, RTA_DST)?)?,
        prefix: header.destination_prefix_length,
        metric: number(RTA_PRIORITY).unwrap_or(0),
    })
}

fn attribute(attributes: &[u8], kind: u16) -> Option<&[u8]> {
    NlasIterator::new(attributes)
        .map_while(Result::ok)
        .find(|found: &NlaBuffer<&[u8]>| found.kind() == kind)
        .and_then(|found| {
            let length = usize::from(found.length());
            found.into_inner().get(4..length)
        })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|&byte| byte == 0).next().unwrap_or_default()).into_owned()
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::V4(Ipv4Addr::from(v4)));
    }
    <[u8; 16]>::try_from(bytes)
        .ok()
        .map(|v6| IpAddr::V6(Ipv6Addr::from(v6)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_listed_with_its_address() -> io::Result<()> {
        let mut netlink = Netlink::open()?;
        let interfaces = netlink.interfaces()?;
        let lo = interfaces
            .iter()
            .find(|interface| interface.name == "lo")
            .expect("every namespace has one");
        assert!(lo.loopback && lo.ethernet.is_none());
        if lo.up {
            let found = netlink.addresses()?;
            assert!(
                found
                    .iter()
                    .any(|entry| entry.interface == lo.index && entry.address.is_loopback())
            );
        }
        Ok(())
    }

    #[test]
    fn answers_to_an_earlier_request_are_passed_over() {
        let mut datagram = Vec::new();
        for (sequence, code) in [(6_u32, -libc::EPERM), (7, 0)] {
            datagram.extend(20_u32.to_ne_bytes());
            datagram.extend(NLMSG_ERROR.to_ne_bytes());
            datagram.extend(0_u16.to_ne_bytes());
            datagram.extend(sequence.to_ne_bytes());
            datagram.extend(0_u32.to_ne_bytes());
            datagram.extend(code.to_ne_bytes());
        }
        let mut whole = true;
        let mut parts = 0;
        let mut read =
            |sequence| read_answer(&datagram, sequence, &mut whole, &mut |_, _| parts += 1);
        assert!(matches!(read(7), Ok(Some(Ok(())))));
        assert!(
            matches!(read(6), Ok(Some(Err(error))) if error.raw_os_error() == Some(libc::EPERM))
        );
        assert!(matches!(read(8), Ok(None)));
    }
}
