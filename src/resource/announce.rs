//! Telling the neighbours where an address is now: gratuitous ARP for IPv4, unsolicited neighbour
//! advertisements for IPv6. Frames are built here byte by byte, and a value says when which of them is due;
//! sending them is for others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Time from each announcement to the next: five in a row, and repeats for those that heard none of them
/// (a switch may hold back a port for half a minute after its cable came up).
const GAPS: [Duration; 7] = [
    Duration::from_millis(200),
    Duration::from_millis(200),
    Duration::from_millis(200),
    Duration::from_millis(200),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
];

pub(super) const BROADCAST: [u8; 6] = [0xff; 6];
pub(super) const ARP: u16 = 0x0806;
pub(super) const ARP_REQUEST: u16 = 1;
const ARP_REPLY: u16 = 2;
/// The length of a frame with ARP for IPv4.
const ARP_FRAME: usize = 42;
/// Their numbers, and the lengths of their addresses.
const ETHERNET_AND_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
const IPV6: u16 = 0x86dd;
const ICMPV6: u8 = 58;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_ETHERNET: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

/// What has to be sent now.
#[derive(Debug, PartialEq, Eq)]
pub struct Due {
    /// The address that is announced.
    pub address: IpAddr,
    /// The interface to send on.
    pub interface: u32,
    /// What to send.
    pub frames: Frames,
    /// How often it was announced before.
    sent: usize,
    ethernet: [u8; 6],
}

impl Due {
    /// Whether it is the first time.
    pub fn is_first(&self) -> bool {
        self.sent == 0
    }
}

/// The whole Ethernet frames of one announcement.
#[derive(Debug, PartialEq, Eq)]
pub enum Frames {
    /// Some systems listen to one form of gratuitous ARP, some to the other.
    Arp([[u8; ARP_FRAME]; 2]),
    /// An unsolicited neighbour advertisement.
    Neighbour(Vec<u8>),
}

impl Frames {
    /// One after the other.
    pub fn each(&self) -> impl Iterator<Item = &[u8]> {
        let (arp, neighbour) = match self {
            Self::Arp(both) => (both.as_slice(), None),
            Self::Neighbour(frame) => (&[][..], Some(frame.as_slice())),
        };
        arp.iter().map(<[u8; ARP_FRAME]>::as_slice).chain(neighbour)
    }
}

/// Addresses that are being announced. Points in time are durations since an arbitrary beginning.
#[derive(Debug, Default)]
pub struct Announcements {
    /// From each announcement to the next, once those of the beginning are over.
    refresh: Option<Duration>,
    running: BTreeMap<IpAddr, Announcement>,
    queue: BTreeSet<(Duration, IpAddr)>,
}

#[derive(Debug)]
struct Announcement {
    interface: u32,
    ethernet: [u8; 6],
    sent: usize,
    due: Duration,
}

impl Announcements {
    /// With a time between announcements once those of the beginning are over; none: then there are no more.
    pub fn new(refresh: Option<Duration>) -> Self {
        Self {
            refresh,
            ..Self::default()
        }
    }

    /// The time from each announcement to the next from now on. Those that are over are not begun again.
    pub fn set_refresh(&mut self, refresh: Option<Duration>) {
        self.refresh = refresh;
    }

    /// Whether this address will be announced again.
    pub fn goes_on(&self, address: IpAddr) -> bool {
        self.running.contains_key(&address)
    }

    /// Begins to announce an address, or begins anew.
    pub fn begin(&mut self, now: Duration, address: IpAddr, interface: u32, ethernet: [u8; 6]) {
        self.cancel(address);
        self.running.insert(
            address,
            Announcement {
                interface,
                ethernet,
                sent: 0,
                due: now,
            },
        );
        self.queue.insert((now, address));
    }

    /// Announces an address that is here once more, at that time, unless that is due earlier anyway.
    pub fn once_more(&mut self, at: Duration, address: IpAddr, interface: u32, ethernet: [u8; 6]) {
        let Some(announcement) = self.running.get_mut(&address) else {
            let announcement = Announcement {
                interface,
                ethernet,
                sent: GAPS.len(),
                due: at,
            };
            self.running.insert(address, announcement);
            self.queue.insert((at, address));
            return;
        };
        if at < announcement.due {
            self.queue.remove(&(announcement.due, address));
            announcement.due = at;
            self.queue.insert((at, address));
        }
    }

    /// The address is no longer here.
    pub fn cancel(&mut self, address: IpAddr) {
        if let Some(announcement) = self.running.remove(&address) {
            self.queue.remove(&(announcement.due, address));
        }
    }

    /// Takes one announcement that is due.
    pub fn next_due(&mut self, now: Duration) -> Option<Due> {
        let &(_, address) = self.queue.first().filter(|(due, _)| *due <= now)?;
        self.queue.pop_first();
        let announcement = self.running.get_mut(&address)?;
        let Announcement {
            interface,
            ethernet,
            sent,
            ..
        } = *announcement;
        let refresh = || Some(spread(address, self.refresh?));
        if let Some(gap) = GAPS.get(sent).copied().or_else(refresh) {
            announcement.sent = sent.saturating_add(1);
            // From now and not from when it was due: after a delay they must not go out all at once.
            announcement.due = now.saturating_add(gap);
            self.queue.insert((announcement.due, address));
        } else {
            self.running.remove(&address);
        }
        Some(Due {
            address,
            interface,
            frames: frames(address, ethernet),
            sent,
            ethernet,
        })
    }

    /// What was just taken as due could not be sent yet: it is due again at that time, and counts as not announced. One that
    /// was begun anew since is left alone.
    pub fn put_back(&mut self, at: Duration, due: &Due) {
        let expected = due.sent.saturating_add(1);
        match self.running.get_mut(&due.address) {
            Some(announcement) if announcement.sent == expected => {
                self.queue.remove(&(announcement.due, due.address));
                (announcement.sent, announcement.due) = (due.sent, at);
            }
            Some(_) => return,
            None => {
                let announcement = Announcement {
                    interface: due.interface,
                    ethernet: due.ethernet,
                    sent: due.sent,
                    due: at,
                };
                self.running.insert(due.address, announcement);
            }
        }
        self.queue.insert((at, due.address));
    }

    /// When [`next_due`](Self::next_due) has something to give.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.queue.first().map(|&(due, _)| due)
    }
}

/// Between three quarters of a time and all of it: a thousand addresses that came together are not announced together
/// for ever.
fn spread(address: IpAddr, time: Duration) -> Duration {
    let last = match address {
        IpAddr::V4(v4) => v4.octets().last().copied(),
        IpAddr::V6(v6) => v6.octets().last().copied(),
    };
    let share = u32::from(last.unwrap_or(0) % 64);
    (time / 256).saturating_mul(192 + share)
}

/// The frames of one announcement.
fn frames(address: IpAddr, ethernet: [u8; 6]) -> Frames {
    match address {
        IpAddr::V4(address) => {
            let both = [ARP_REQUEST, ARP_REPLY];
            Frames::Arp(both.map(|operation| gratuitous(operation, address, ethernet)))
        }
        IpAddr::V6(address) => Frames::Neighbour(neighbour_advertisement(address, ethernet)),
    }
}

/// Written into place: there are thousands of them at once.
fn gratuitous(operation: u16, address: Ipv4Addr, ethernet: [u8; 6]) -> [u8; ARP_FRAME] {
    let mut frame = [0; ARP_FRAME];
    let parts: [&[u8]; 9] = [
        &BROADCAST,
        &ethernet,
        &ARP.to_be_bytes(),
        &ETHERNET_AND_IPV4,
        &operation.to_be_bytes(),
        &ethernet,
        &address.octets(),
        &BROADCAST,
        &address.octets(),
    ];
    for (place, byte) in frame.iter_mut().zip(parts.into_iter().flatten()) {
        *place = *byte;
    }
    frame
}

/// Appends an ARP packet, from one and about another pair of addresses.
pub(super) fn arp(
    frame: &mut Vec<u8>,
    operation: u16,
    sender: ([u8; 6], Ipv4Addr),
    target: ([u8; 6], Ipv4Addr),
) {
    frame.extend(ETHERNET_AND_IPV4);
    frame.extend(operation.to_be_bytes());
    for (ethernet, address) in [sender, target] {
        frame.extend(ethernet);
        frame.extend(address.octets());
    }
}

/// Override set, so that neighbours replace what they know; solicited clear, because nobody asked.
fn neighbour_advertisement(address: Ipv6Addr, ethernet: [u8; 6]) -> Vec<u8> {
    let mut message = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
    message.extend(address.octets());
    message.extend([2, 1]); // option: the sender's Ethernet address, in units of eight bytes
    message.extend(ethernet);
    icmp(
        (ALL_NODES_ETHERNET, ALL_NODES),
        (ethernet, address),
        message,
    )
}

/// A whole frame around an `ICMPv6` message of an even length, whose checksum is filled in.
pub(super) fn icmp(
    to: ([u8; 6], Ipv6Addr),
    from: ([u8; 6], Ipv6Addr),
    mut message: Vec<u8>,
) -> Vec<u8> {
    let length = u16::try_from(message.len())
        .unwrap_or_default()
        .to_be_bytes();
    let pseudo_header = [from.1.octets(), to.1.octets()].concat();
    let sum = checksum(
        pseudo_header
            .iter()
            .chain(&length)
            .chain(&[0, ICMPV6])
            .chain(&message),
    );
    for (byte, sum) in message.iter_mut().skip(2).zip(sum.to_be_bytes()) {
        *byte = sum;
    }
    let mut frame = header(to.0, from.0, IPV6);
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(length);
    frame.extend([ICMPV6, 255]); // a receiver drops what may have come through a router
    frame.extend(from.1.octets());
    frame.extend(to.1.octets());
    frame.extend(message);
    frame
}

pub(super) fn header(to: [u8; 6], from: [u8; 6], kind: u16) -> Vec<u8> {
    let mut frame = Vec::with_capacity(96);
    frame.extend(to);
    frame.extend(from);
    frame.extend(kind.to_be_bytes());
    frame
}

/// The Internet checksum of an even number of bytes.
pub(super) fn checksum<'a>(bytes: impl Iterator<Item = &'a u8>) -> u16 {
    let mut sum = 0_u16;
    for (position, &byte) in bytes.enumerate() {
        let word = if position % 2 == 0 {
            u16::from(byte).wrapping_mul(256)
        } else {
            u16::from(byte)
        };
        let (added, carried) = sum.overflowing_add(word);
        sum = added.wrapping_add(carried.into());
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    fn hex(frame: &[u8]) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        for byte in frame {
            write!(text, "{byte:02x}").expect("a string takes everything");
        }
        text
    }

    #[test]
    fn gratuitous_arp_goes_out_as_request_and_reply() {
        let frames = frames(IpAddr::from([172, 16, 1, 200]), MAC);
        let expected = |operation| {
            format!(
                "ffffffffffff0200000000090806000108000604{operation}020000000009ac1001c8ffffffffffffac1001c8"
            )
        };
        assert_eq!(
            frames.each().map(hex).collect::<Vec<_>>(),
            [expected("0001"), expected("0002")]
        );
    }

    #[test]
    fn a_neighbour_advertisement_overrides_and_adds_up() {
        let frames = frames("fd00::9".parse().expect("an address"), MAC);
        let Frames::Neighbour(frame) = &frames else {
            panic!("one frame, not {frames:?}")
        };
        assert_eq!(
            hex(frame),
            "33330000000102000000000986dd6000000000203aff\
             fd000000000000000000000000000009ff020000000000000000000000000001\
             88005a8320000000fd0000000000000000000000000000090201020000000009"
        );
        // A receiver's check: everything with the sum in place gives zero.
        let whole = [&frame[22..54], &[0, 32, 0, ICMPV6], &frame[54..]].concat();
        assert_eq!(checksum(whole.iter()), 0);
    }

    #[test]
    fn five_announcements_go_out_200_ms_apart_and_some_later() {
        let address = IpAddr::from([10, 0, 0, 9]);
        let mut announcements = Announcements::default();
        announcements.begin(Duration::ZERO, address, 2, MAC);
        let mut times = Vec::new();
        while let Some(now) = announcements.next_deadline() {
            let due = announcements.next_due(now).expect("its deadline has come");
            assert_eq!(
                (due.address, due.interface, due.frames.each().count()),
                (address, 2, 2)
            );
            assert_eq!(due.is_first(), times.is_empty());
            times.push(now.as_millis());
            assert_eq!(announcements.next_due(now), None);
        }
        assert_eq!(times, [0, 200, 400, 600, 800, 10_800, 30_800, 60_800]);
    }

    #[test]
    fn after_the_first_minute_an_address_is_refreshed_for_ever_and_not_all_at_once() {
        let minute = Duration::from_secs(60);
        let mut announcements = Announcements::new(Some(minute));
        for last in 0..100 {
            announcements.begin(Duration::ZERO, IpAddr::from([10, 0, 0, last]), 2, MAC);
        }
        let mut times: BTreeMap<IpAddr, Vec<Duration>> = BTreeMap::new();
        let hour = minute * 60;
        while let Some(now) = announcements.next_deadline().filter(|now| *now < hour) {
            let due = announcements.next_due(now).expect("its deadline has come");
            times.entry(due.address).or_default().push(now);
        }
        let mut at_once: BTreeMap<Duration, u32> = BTreeMap::new();
        for refreshes in times.values().map(|times| &times[8..]) {
            assert!(refreshes.len() >= 58, "{}", refreshes.len());
            for pair in refreshes.windows(2) {
                assert!((minute * 3 / 4..=minute).contains(&pair[1].saturating_sub(pair[0])));
            }
            for at in refreshes {
                *at_once.entry(*at).or_default() += 1;
            }
        }
        let most = at_once.values().max();
        assert!(most < Some(&10), "{most:?} of a hundred");
    }

    #[test]
    fn once_more_is_one_announcement_and_never_a_later_one() {
        let address = IpAddr::from([10, 0, 0, 9]);
        let second = Duration::from_secs(1);
        let mut announcements = Announcements::default();
        announcements.once_more(second, address, 2, MAC);
        let due = announcements.next_due(second).expect("it is due");
        assert_eq!((due.address, due.is_first()), (address, false));
        assert_eq!(announcements.next_deadline(), None, "no more than that");
        announcements.begin(second, address, 2, MAC);
        announcements.once_more(second * 9, address, 2, MAC);
        assert_eq!(announcements.next_deadline(), Some(second));
        for _ in 0..5 {
            let now = announcements.next_deadline().expect("five in a row");
            announcements.next_due(now).expect("its deadline has come");
        }
        announcements.once_more(second * 3, address, 2, MAC);
        assert_eq!(announcements.next_deadline(), Some(second * 3));
        announcements.next_due(second * 3).expect("it is due");
        assert_eq!(announcements.next_deadline(), Some(second * 23), "goes on");
    }

    #[test]
    fn a_removed_address_is_not_announced_any_more() {
        let mut announcements = Announcements::default();
        let (gone, stays) = (IpAddr::from([10, 0, 0, 9]), IpAddr::from([10, 0, 0, 10]));
        announcements.begin(Duration::ZERO, gone, 2, MAC);
        announcements.begin(Duration::ZERO, stays, 2, MAC);
        announcements.cancel(gone);
        assert_eq!(
            announcements
                .next_due(Duration::ZERO)
                .map(|due| due.address),
            Some(stays)
        );
        assert_eq!(announcements.next_due(Duration::ZERO), None);
    }

    #[test]
    fn what_could_not_be_sent_is_due_again_as_often_as_before() {
        let address = IpAddr::from([10, 0, 0, 9]);
        let second = Duration::from_secs(1);
        let mut announcements = Announcements::default();
        announcements.begin(Duration::ZERO, address, 2, MAC);
        let due = announcements.next_due(Duration::ZERO).expect("it is due");
        announcements.put_back(second, &due);
        let mut times = Vec::new();
        while let Some(now) = announcements.next_deadline() {
            let due = announcements.next_due(now).expect("its deadline has come");
            assert_eq!(due.is_first(), times.is_empty());
            times.push(now.as_millis());
            if times.len() == 8 {
                announcements.put_back(now + second, &due); // the last one, which is not known any more
            }
        }
        assert_eq!(
            times,
            [1000, 1200, 1400, 1600, 1800, 11_800, 31_800, 61_800, 62_800]
        );
        announcements.begin(second, address, 2, MAC);
        let due = announcements.next_due(second).expect("it is due");
        announcements.begin(second * 2, address, 3, MAC);
        announcements.put_back(second * 9, &due);
        assert_eq!(announcements.next_deadline(), Some(second * 2));
    }

    #[test]
    fn late_announcements_keep_their_distance() {
        let mut announcements = Announcements::default();
        announcements.begin(Duration::ZERO, IpAddr::from([10, 0, 0, 9]), 2, MAC);
        let late = Duration::from_secs(5);
        assert!(announcements.next_due(late).is_some());
        assert!(announcements.next_due(late).is_none());
        assert_eq!(
            announcements.next_deadline(),
            Some(late + Duration::from_millis(200))
        );
    }
}
