//! A host that belongs to nobody, on the network where the clients are: it asks for the floating addresses fifty times a
//! second, and writes down who answers.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use heartbeat::os::interface;
use heartbeat::os::packet::PacketSocket;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use crate::answers::{Answer, Mac, Moment};
use crate::frames::{Asker, questions, reply};
use crate::lab::namespace::{Namespace, run, run_batch};
use crate::lab::network::{Cable, Switch};
use crate::lab::null_modem::run_before_others;

/// From one question to the next.
pub const ROUND: Duration = Duration::from_millis(20);
const ETH_P_ALL: u16 = 3;
const OWN_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 50);
const OWN_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x77, 0, 0, 0, 0, 0, 0x50);

/// The witness. It asks until the test ends.
pub struct Witness {
    addresses: Vec<IpAddr>,
    began: Instant,
    record: Arc<Mutex<Record>>,
    _cable: Cable,
}

#[derive(Default)]
struct Record {
    answers: Vec<Answer>,
    /// By question, as far as answers to it may come: when it was asked.
    asked: Vec<Moment>,
}

impl Witness {
    /// Comes to a segment, whose machines have addresses in 10.77.1.0/24, and begins to ask for these.
    pub fn new(segment: &Switch, addresses: Vec<IpAddr>) -> Self {
        let namespace = Namespace::new(":");
        let cable = segment.attach(&namespace, "eth0", OWN_V4);
        let own = format!("address add {OWN_V6}/64 dev eth0 nodad");
        namespace.within(|| run_batch("ip", &[own]));
        let mac = hardware(&namespace);
        let asker = Asker {
            mac,
            v4: OWN_V4,
            v6: OWN_V6,
        };
        let began = Instant::now();
        let record = Arc::<Mutex<Record>>::default();
        let (asked, store) = (addresses.clone(), Arc::clone(&record));
        thread::spawn(move || {
            namespace.enter();
            run_before_others();
            let line = Line::open();
            for question in 0.. {
                let due = began + ROUND * question;
                line.hear_until(due, |frame| {
                    note(&store, &asker, &asked, frame);
                });
                let now = began.elapsed();
                locked(&store).asked.push(now);
                for &address in &asked {
                    for frame in questions(&asker, address, u64::from(question)) {
                        line.say(&frame);
                    }
                }
            }
        });
        Self {
            addresses,
            began,
            record,
            _cable: cable,
        }
    }

    /// The time by the witness's own clock.
    pub fn now(&self) -> Moment {
        self.began.elapsed()
    }

    /// The addresses, in the order of the numbers in its answers.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// How often it has asked for each address.
    pub fn asked(&self) -> u64 {
        u64::try_from(locked(&self.record).asked.len()).unwrap_or(u64::MAX)
    }

    /// Looks at all answers that were not forgotten, and the number of the latest question.
    pub fn look<T>(&self, at: impl FnOnce(&[Answer], u64) -> T) -> T {
        let latest = self.asked().saturating_sub(1);
        at(&locked(&self.record).answers, latest)
    }

    /// Forgets the oldest answers.
    pub fn forget(&self, count: usize) {
        locked(&self.record).answers.drain(..count);
    }
}

/// The Ethernet address of a machine on the service network.
pub fn hardware(machine: &Namespace) -> Mac {
    let shown = machine.within(|| run("ip", &["-o", "link", "show", "dev", "eth0"]).stdout);
    let shown = String::from_utf8_lossy(&shown).into_owned();
    let written = shown.split("link/ether ").nth(1).unwrap_or_default();
    let bytes = written.split([' ', ':']).take(6);
    let bytes: Vec<u8> = bytes
        .filter_map(|byte| u8::from_str_radix(byte, 16).ok())
        .collect();
    Mac::try_from(bytes).expect("it is an Ethernet")
}

fn locked(record: &Mutex<Record>) -> std::sync::MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes an answer down, if the frame is one.
fn note(record: &Mutex<Record>, asker: &Asker, addresses: &[IpAddr], frame: &[u8]) {
    let Some(reply) = reply(asker, frame) else {
        return;
    };
    let Some(address) = addresses.iter().position(|each| *each == reply.address) else {
        return;
    };
    let mut record = locked(record);
    let Some(latest) = record.asked.len().checked_sub(1) else {
        return;
    };
    // The latest question with these last bits.
    let step = 1_usize << reply.bits;
    let back = (latest % step + step - usize::from(reply.question)) % step;
    let question = latest.checked_sub(back);
    let Some((question, asked)) = question.and_then(|at| Some((at, *record.asked.get(at)?))) else {
        return;
    };
    record.answers.push(Answer {
        asked,
        question: u64::try_from(question).unwrap_or(u64::MAX),
        address,
        by: reply.by,
    });
}

/// The witness's end of the cable, below all protocols.
struct Line {
    index: u32,
    mouth: PacketSocket,
    ear: Socket,
}

impl Line {
    fn open() -> Self {
        let protocol = Protocol::from(i32::from(ETH_P_ALL.to_be()));
        let ear = Socket::new(Domain::PACKET, Type::RAW, Some(protocol));
        let ear = ear.expect("a sandbox may hear everything");
        ear.attach_filter(&filter()).expect("the program is sound");
        ear.set_nonblocking(true).expect("a plain socket");
        Self {
            index: interface::index("eth0").expect("it has one"),
            mouth: PacketSocket::open().expect("a sandbox may send anything"),
            ear,
        }
    }

    fn say(&self, frame: &[u8]) {
        let _ = self.mouth.send(self.index, frame); // a full queue is a question that nobody answers
    }

    /// Hands over what is heard until then, and what was heard before.
    fn hear_until(&self, due: Instant, mut to: impl FnMut(&[u8])) {
        let mut buffer = [0; 2048];
        loop {
            while let Ok(length) = (&self.ear).read(&mut buffer) {
                to(&buffer[..length]);
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            // Whole milliseconds, rounded up: a wait for none would turn in circles.
            let millis = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
            let mut look = [PollFd::new(self.ear.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut look, PollTimeout::from(millis));
        }
    }
}

/// Lets through ARP, ICMP and ICMPv6, so that a flood of other things drowns no answer.
fn filter() -> Vec<SockFilter> {
    const LOAD_HALF: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
    const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
    const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    [
        (LOAD_HALF, 0, 0, 12),
        (IF_EQUAL, 6, 0, 0x0806),
        (IF_EQUAL, 0, 2, 0x0800),
        (LOAD_BYTE, 0, 0, 23),
        (IF_EQUAL, 3, 4, 1),
        (IF_EQUAL, 0, 3, 0x86dd),
        (LOAD_BYTE, 0, 0, 20),
        (IF_EQUAL, 0, 1, 58),
        (RETURN, 0, 0, u32::MAX),
        (RETURN, 0, 0, 0),
    ]
    .map(|(code, yes, no, number)| SockFilter::new(code, yes, no, number))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::{overlaps, served_once};
    use crate::lab::{claim, eventually};

    /// Two hosts, each with `own` on its interface.
    fn hosts(segment: &Switch) -> [(Namespace, Cable); 2] {
        [1, 2].map(|host| {
            let namespace = Namespace::new(":");
            let cable = segment.attach(&namespace, "eth0", Ipv4Addr::new(10, 77, 1, host));
            (namespace, cable)
        })
    }

    fn change(host: &Namespace, what: &str, address: IpAddr) {
        let rest = if address.is_ipv4() {
            "/24 dev eth0"
        } else {
            "/64 dev eth0 nodad"
        };
        let line = format!("address {what} {address}{rest}");
        host.within(|| run_batch("ip", &[line]));
    }

    #[test]
    fn the_witness_sees_one_owner_a_move_and_two_owners_of_either_family() {
        claim(|| {
            let segment = Switch::new("service");
            let hosts = hosts(&segment);
            let addresses: [IpAddr; 2] = [
                [10, 77, 1, 100].into(),
                "fd00:77::100".parse().expect("an address"),
            ];
            let witness = Witness::new(&segment, addresses.to_vec());
            let owners = hosts.each_ref().map(|(host, _)| hardware(host));
            let expect_served_by = |owner: Mac| {
                eventually("all are answered for by this one alone", || {
                    witness.look(|answers, latest| {
                        let last = answers.last().map(|answer| answer.by);
                        last == Some(owner) && served_once(answers, latest, 2).is_ok()
                    })
                });
            };
            for address in addresses {
                change(&hosts[0].0, "add", address);
            }
            expect_served_by(owners[0]);
            for address in addresses {
                change(&hosts[0].0, "del", address);
                change(&hosts[1].0, "add", address);
            }
            expect_served_by(owners[1]);
            let answers = witness.look(|answers, _| answers.to_vec());
            witness.forget(answers.len());
            assert_eq!(overlaps(&answers, &[]), []);
            for (number, address) in addresses.into_iter().enumerate() {
                change(&hosts[0].0, "add", address);
                eventually("it is seen that both have it", || {
                    let found = witness.look(|answers, _| overlaps(answers, &[]));
                    let found = found.into_iter().filter(|each| each.address == number);
                    found.count() > 5
                });
                change(&hosts[0].0, "del", address);
            }
            eventually("each question is answered in both ways", || {
                witness.look(|answers, latest| {
                    let recent = latest.saturating_sub(15)..latest.saturating_sub(5);
                    let recent = answers
                        .iter()
                        .filter(|each| recent.contains(&each.question));
                    recent.count() == 2 * 2 * 10
                })
            });
        });
    }
}
