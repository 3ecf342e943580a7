//! Many addresses added or removed with one message to the kernel: how that is written, and how its answer is read.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkBuffer};

// Numbers of <linux/rtnetlink.h> and <linux/if_addr.h>.
pub(super) const RTM_NEWADDR: u16 = 20;
pub(super) const RTM_DELADDR: u16 = 21;
pub(super) const NLMSG_ERROR: u16 = 2;
pub(super) const IFA_ADDRESS: u16 = 1;
pub(super) const IFA_LOCAL: u16 = 2;
pub(super) const IFA_LABEL: u16 = 3;
pub(super) const IFA_BROADCAST: u16 = 4;
const IFA_FLAGS: u16 = 8;
const IFA_F_NODAD: u8 = 2;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const RT_SCOPE_HOST: u8 = 254;

/// One request with all its attributes is no longer than this.
const LONGEST: usize = 128;
/// Where in its header a request has its length and its flags.
const LENGTH: usize = 0;
const FLAGS: usize = 6;

/// An address on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The interface.
    pub interface: u32,
    /// The address.
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// IPv4 only: the label, which is the interface's name when none was asked for.
    pub label: Option<String>,
    /// IPv4 only: the broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// IPv4 only: another address of the same network on this interface came before this one.
    pub secondary: bool,
    /// IPv6 only: the kernel found it in use elsewhere and does not let anybody use it.
    pub is_refused: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// That an address is there. `secondary` is the kernel's to decide and not looked at.
    Add,
    /// That it is not there. Gone with its interface counts as removed.
    Remove,
}

/// What became of a request to add or remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was done.
    Made,
    /// It was so already.
    AlreadySo,
}

impl Wish {
    /// The objections of the kernel that mean that there was nothing to do.
    fn already(self) -> &'static [i32] {
        match self {
            Self::Add => &[libc::EEXIST],
            Self::Remove => &[libc::EADDRNOTAVAIL, libc::ENODEV],
        }
    }
}

/// Requests, one behind the other, with numbers in a row.
#[derive(Debug)]
pub(super) struct Requests {
    wish: Wish,
    first: u32,
    bytes: Vec<u8>,
    /// Where the last one begins.
    last: usize,
    number: u32,
}

impl Requests {
    /// None yet. The first one gets this number.
    pub fn new(wish: Wish, first: u32) -> Self {
        Self {
            wish,
            first,
            bytes: Vec::new(),
            last: 0,
            number: 0,
        }
    }

    /// How many there are.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Adds one.
    pub fn add(&mut self, address: &Address) {
        let (kind, flags) = match self.wish {
            Wish::Add => (RTM_NEWADDR, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL),
            Wish::Remove => (RTM_DELADDR, NLM_F_REQUEST),
        };
        self.bytes.reserve(LONGEST);
        self.last = self.bytes.len();
        let sequence = self.first.wrapping_add(self.number);
        self.number = self.number.saturating_add(1);
        let bytes = &mut self.bytes;
        bytes.extend([0; 4]);
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]); // from whom: the kernel knows
        // A floating address was in use elsewhere a moment ago; waiting for duplicate address detection would keep it
        // unusable for a second or more.
        let no_detection = self.wish == Wish::Add && address.address.is_ipv6();
        let flags = if no_detection { IFA_F_NODAD } else { 0 };
        let family = if address.address.is_ipv4() {
            AF_INET
        } else {
            AF_INET6
        };
        bytes.extend([family, address.prefix, flags, scope(address.address)]);
        bytes.extend(address.interface.to_ne_bytes());
        for kind in [IFA_LOCAL, IFA_ADDRESS] {
            match address.address {
                IpAddr::V4(v4) => attribute(bytes, kind, &v4.octets()),
                IpAddr::V6(v6) => attribute(bytes, kind, &v6.octets()),
            }
        }
        if let Some(label) = &address.label {
            let mut text = label.as_bytes().to_vec();
            text.push(0);
            attribute(bytes, IFA_LABEL, &text);
        }
        if self.wish == Wish::Add {
            if let Some(broadcast) = address.broadcast {
                attribute(bytes, IFA_BROADCAST, &broadcast.octets());
            }
            if no_detection {
                attribute(bytes, IFA_FLAGS, &u32::from(IFA_F_NODAD).to_ne_bytes());
            }
        }
        let length = u32::try_from(self.bytes.len().saturating_sub(self.last)).unwrap_or(0);
        self.write(LENGTH, &length.to_ne_bytes());
    }

    /// What to send, and what the answer is to be read with. Only the last one asks for an answer in any case: the kernel
    /// works through them in order and objects to what it does not do whether that was asked for or not, so that its answer
    /// to the last one ends them all. Should it have no room for an objection, reading fails.
    pub fn seal(mut self) -> (Vec<u8>, Answers) {
        let flags = match self.wish {
            Wish::Add => NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
            Wish::Remove => NLM_F_REQUEST | NLM_F_ACK,
        };
        self.write(FLAGS, &flags.to_ne_bytes());
        let answers = Answers {
            wish: self.wish,
            first: self.first,
            objections: (0..self.number).map(|_| None).collect(),
            is_complete: self.number == 0,
        };
        (self.bytes, answers)
    }

    /// Writes over a field of the last one.
    fn write(&mut self, field: usize, value: &[u8]) {
        let header = self.bytes.get_mut(self.last.saturating_add(field)..);
        for (place, byte) in header.into_iter().flatten().zip(value) {
            *place = *byte;
        }
    }
}

/// What the kernel has said of some requests.
#[derive(Debug)]
pub(super) struct Answers {
    wish: Wish,
    first: u32,
    objections: Vec<Option<io::Error>>,
    is_complete: bool,
}

impl Answers {
    /// Whether nothing more will come.
    pub fn are_complete(&self) -> bool {
        self.is_complete
    }

    /// Takes in one datagram. What belongs to earlier requests, given up after their time, is passed over.
    ///
    /// # Errors
    /// When it is none of the kernel's.
    pub fn read(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let message = NetlinkBuffer::new_checked(bytes).map_err(io::Error::other)?;
            let length = usize::try_from(message.length())
                .unwrap_or(usize::MAX)
                .next_multiple_of(4);
            let place = message.sequence_number().wrapping_sub(self.first);
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            let is_last = place.saturating_add(1) == self.objections.len();
            if message.message_type() == NLMSG_ERROR
                && let Some(objection) = self.objections.get_mut(place)
            {
                *objection = result(message.payload()).err();
                self.is_complete |= is_last;
            }
            bytes = bytes.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// What became of each. With an error in place of the rest of the answer, what was not objected to before may have been
    /// done or not, and counts as failed.
    pub fn outcomes(self, told: &io::Result<()>) -> Vec<io::Result<Change>> {
        let already = self.wish.already();
        let outcome = |objection: Option<io::Error>| match (objection, told) {
            (Some(error), _)
                if error
                    .raw_os_error()
                    .is_some_and(|code| already.contains(&code)) =>
            {
                Ok(Change::AlreadySo)
            }
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(Change::Made),
            (None, Err(error)) => Err(same(error)),
        };
        self.objections.into_iter().map(outcome).collect()
    }
}

/// Both ends of an answer begin with zero or a negative error number.
pub(super) fn result(payload: &[u8]) -> io::Result<()> {
    let code = payload
        .first_chunk()
        .map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(code.saturating_neg()))
    }
}

fn same(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len().saturating_add(4)).unwrap_or(0);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn scope(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) if v4.is_loopback() => RT_SCOPE_HOST,
        IpAddr::V4(v4) if v4.is_link_local() => RT_SCOPE_LINK,
        _ => RT_SCOPE_UNIVERSE,
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
    use netlink_packet_route::RouteNetlinkMessage;
    use netlink_packet_route::address::{AddressAttribute, AddressFlags};

    use super::*;

    fn address(text: &str, label: Option<&str>) -> Address {
        let address: IpAddr = text.parse().expect("an address");
        Address {
            interface: 7,
            address,
            prefix: 24,
            label: label.map(str::to_owned),
            broadcast: address.is_ipv4().then_some([10, 0, 0, 255].into()),
            secondary: false,
            is_refused: false,
        }
    }

    fn requests(wish: Wish, first: u32, texts: &[&str]) -> (Vec<u8>, Answers) {
        let mut requests = Requests::new(wish, first);
        for text in texts {
            requests.add(&address(text, text.contains('.').then_some("eth0:0")));
        }
        requests.seal()
    }

    /// As a decoder of others reads them.
    fn decoded(mut bytes: &[u8]) -> Vec<NetlinkMessage<RouteNetlinkMessage>> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes).expect("sound");
            let length = usize::try_from(message.header.length).expect("small");
            bytes = &bytes[length.next_multiple_of(4)..];
            found.push(message);
        }
        found
    }

    #[test]
    fn others_read_what_is_written_and_only_the_last_asks_for_an_answer() {
        let texts = ["10.0.0.1", "fd00::9", "127.0.0.9"];
        for wish in [Wish::Add, Wish::Remove] {
            let (bytes, _) = requests(wish, u32::MAX, &texts);
            let messages = decoded(&bytes);
            assert_eq!(messages.len(), texts.len());
            for ((message, text), number) in messages.iter().zip(texts).zip(0_u32..) {
                let header = &message.header;
                assert_eq!(header.sequence_number, u32::MAX.wrapping_add(number));
                assert_eq!(header.flags & NLM_F_ACK != 0, number == 2, "{number}");
                assert_eq!(header.flags & NLM_F_EXCL != 0, wish == Wish::Add);
                let told = match (&message.payload, wish) {
                    (
                        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(told)),
                        Wish::Add,
                    )
                    | (
                        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelAddress(told)),
                        Wish::Remove,
                    ) => told,
                    (other, _) => panic!("{other:?}"),
                };
                let expected = address(text, None);
                assert_eq!((told.header.index, told.header.prefix_len), (7, 24));
                assert!(
                    told.attributes
                        .contains(&AddressAttribute::Local(expected.address))
                );
                assert!(
                    told.attributes
                        .contains(&AddressAttribute::Address(expected.address))
                );
                let is_ipv4 = expected.address.is_ipv4();
                let label = AddressAttribute::Label("eth0:0".into());
                assert_eq!(told.attributes.contains(&label), is_ipv4);
                let broadcast = AddressAttribute::Broadcast([10, 0, 0, 255].into());
                assert_eq!(
                    told.attributes.contains(&broadcast),
                    is_ipv4 && wish == Wish::Add
                );
                let no_detection = AddressAttribute::Flags(AddressFlags::Nodad);
                assert_eq!(
                    told.attributes.contains(&no_detection),
                    !is_ipv4 && wish == Wish::Add
                );
            }
        }
    }

    fn answer(sequence: u32, code: i32) -> Vec<u8> {
        let mut datagram = Vec::new();
        datagram.extend(20_u32.to_ne_bytes());
        datagram.extend(NLMSG_ERROR.to_ne_bytes());
        datagram.extend(0_u16.to_ne_bytes());
        datagram.extend(sequence.to_ne_bytes());
        datagram.extend(0_u32.to_ne_bytes());
        datagram.extend(code.to_ne_bytes());
        datagram
    }

    fn told(answers: Answers, end: &io::Result<()>) -> Vec<String> {
        let outcomes = answers.outcomes(end).into_iter();
        let told = outcomes.map(|outcome| match outcome {
            Ok(change) => format!("{change:?}"),
            Err(error) => format!("{:?}", error.raw_os_error()),
        });
        told.collect()
    }

    #[test]
    fn an_objection_is_of_its_address_and_silence_is_consent_once_the_last_is_answered() {
        let texts = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
        let (_, mut answers) = requests(Wish::Add, u32::MAX, &texts);
        for (sequence, code, complete) in [
            (u32::MAX - 1, -libc::EPERM, false), // of an earlier one
            (0, -libc::EEXIST, false),
            (1, -libc::ENODEV, false),
            (3, -libc::EPERM, false), // of nobody
            (2, 0, true),
        ] {
            answers.read(&answer(sequence, code)).expect("sound");
            assert_eq!(answers.are_complete(), complete, "{sequence}");
        }
        let nodev = format!("{:?}", Some(libc::ENODEV));
        assert_eq!(
            told(answers, &Ok(())),
            ["Made", "AlreadySo", &nodev, "Made"]
        );
    }

    #[test]
    fn what_the_kernel_had_no_room_to_answer_counts_as_failed() {
        let (_, mut answers) = requests(Wish::Remove, 5, &["10.0.0.1", "10.0.0.2"]);
        answers
            .read(&answer(5, -libc::EADDRNOTAVAIL))
            .expect("sound");
        let lost = Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        let nobufs = format!("{:?}", Some(libc::ENOBUFS));
        assert_eq!(told(answers, &lost), ["AlreadySo", &nobufs]);
    }
}
