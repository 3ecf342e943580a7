//! Whether anybody has an address that is about to be taken: asked several times, answered within a set time. Values:
//! they are told the time and what was heard.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::rivals::Who;
use crate::cluster::{Ethernet, Instant};
use crate::config::AddressSpec;
use crate::os::claim_tap::Claim;
use crate::os::netlink::Interface;

/// How often it is asked: one question or answer may get lost.
const QUESTIONS: u32 = 3;

/// The addresses that are being checked.
#[derive(Debug)]
pub(super) struct Checks {
    /// How long one takes; zero: there are none.
    time: Duration,
    running: BTreeMap<IpAddr, Check>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Check {
    /// Whose start waits for it.
    pub group: usize,
    pub spec: AddressSpec,
    pub tag: String,
    interface: u32,
    pub interface_name: String,
    ethernet: Ethernet,
    asked: u32,
    next_at: Instant,
    /// Somebody who does not keep us from taking it has it.
    pub answered: Option<(Ethernet, Who)>,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Due {
    /// Ask on this interface.
    Ask {
        interface: u32,
        address: IpAddr,
        ethernet: Ethernet,
    },
    /// Nobody answered who would keep us from taking it.
    Take(Check),
}

impl Checks {
    /// Each takes so long; with zero there are none.
    pub fn new(time: Duration) -> Self {
        Self {
            time,
            running: BTreeMap::new(),
        }
    }

    /// From now on each takes so long; with zero none begins.
    pub fn set_time(&mut self, time: Duration) {
        self.time = time;
    }

    /// How long one takes.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Begins to check an address, unless there is nobody to ask on its interface. Whether it has begun.
    pub fn begin(
        &mut self,
        now: Instant,
        group: usize,
        spec: &AddressSpec,
        tag: &str,
        interface: &Interface,
    ) -> bool {
        let Some(ethernet) = interface.ethernet else {
            return false;
        };
        if self.time.is_zero() || !interface.up || !interface.running {
            return false;
        }
        let check = Check {
            group,
            spec: spec.clone(),
            tag: tag.to_owned(),
            interface: interface.index,
            interface_name: interface.name.clone(),
            ethernet,
            asked: 0,
            next_at: now,
            answered: None,
        };
        self.running.insert(spec.address, check);
        true
    }

    /// Somebody who is not us claims an address. Gives the check that ends with it: a stranger has the address.
    pub fn hear(&mut self, claim: &Claim, who: Who) -> Option<Check> {
        let check = self.running.get_mut(&claim.address);
        let check = check.filter(|check| check.interface == claim.interface)?;
        if who == Who::Stranger {
            return self.running.remove(&claim.address);
        }
        check.answered = Some((claim.ethernet, who));
        None
    }

    /// What is due. After a delay it is asked as often as without, and waited for as long.
    pub fn next_due(&mut self, now: Instant) -> Option<Due> {
        let pause = self.time / QUESTIONS;
        let (&address, check) = self
            .running
            .iter_mut()
            .find(|(_, check)| check.next_at <= now)?;
        if check.asked < QUESTIONS {
            check.asked = check.asked.saturating_add(1);
            check.next_at = now + pause;
            return Some(Due::Ask {
                interface: check.interface,
                address,
                ethernet: check.ethernet,
            });
        }
        self.running.remove(&address).map(Due::Take)
    }

    /// All of them end now, without a question.
    pub fn make_due(&mut self) {
        for check in self.running.values_mut() {
            (check.asked, check.next_at) = (QUESTIONS, Instant::default());
        }
    }

    /// The address is not wanted any more. Gives the check that ends with it.
    pub fn cancel(&mut self, address: IpAddr) -> Option<Check> {
        self.running.remove(&address)
    }

    /// Whether an address is being checked.
    pub fn has(&self, address: IpAddr) -> bool {
        self.running.contains_key(&address)
    }

    /// All addresses that are being checked.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.running.keys().copied()
    }

    /// When [`next_due`](Self::next_due) has something to give.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.running.values().map(|check| check.next_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Ethernet = [2, 0, 0, 0, 0, 9];
    const OTHER: Ethernet = [2, 0, 0, 0, 0, 0x66];

    fn at(milliseconds: u64) -> Instant {
        Instant::from_micros((1_000_000 + milliseconds) * 1000)
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn begin(checks: &mut Checks, last: u8, has_carrier: bool) -> bool {
        let spec = AddressSpec {
            address: address(last),
            prefix: None,
            interface: None,
            label: None,
            broadcast: None,
        };
        let interface = Interface {
            index: 2,
            name: "eth0".into(),
            up: true,
            running: has_carrier,
            loopback: false,
            ethernet: Some(MAC),
        };
        checks.begin(at(0), usize::from(last), &spec, "tag", &interface)
    }

    /// What is due and when, until nothing is.
    fn story(checks: &mut Checks, late: u64) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(due_at) = checks.next_deadline() {
            let now = due_at + Duration::from_millis(late);
            let ms = now.since(at(0)).as_millis();
            let due = checks.next_due(now).expect("its deadline has come");
            told.push(match due {
                Due::Ask { address, .. } => format!("{ms} ask {address}"),
                Due::Take(check) => format!("{ms} take {}", check.spec.address),
            });
        }
        told
    }

    #[test]
    fn it_is_asked_three_times_and_then_taken() {
        let mut checks = Checks::new(Duration::from_millis(600));
        assert!(begin(&mut checks, 1, true));
        assert_eq!(
            story(&mut checks, 0),
            [
                "0 ask 10.0.0.1",
                "200 ask 10.0.0.1",
                "400 ask 10.0.0.1",
                "600 take 10.0.0.1"
            ]
        );
        assert!(begin(&mut checks, 1, true));
        assert_eq!(story(&mut checks, 5000).len(), 4, "however late");
    }

    #[test]
    fn where_nobody_can_answer_nobody_is_asked() {
        let mut checks = Checks::new(Duration::ZERO);
        assert!(!begin(&mut checks, 1, true));
        let mut checks = Checks::new(Duration::from_millis(600));
        assert!(!begin(&mut checks, 1, false), "no carrier");
    }

    #[test]
    fn a_stranger_ends_it_and_the_other_node_does_not() {
        let mut checks = Checks::new(Duration::from_millis(600));
        assert!(begin(&mut checks, 1, true) && begin(&mut checks, 2, true));
        let claim = |interface, last| Claim {
            interface,
            address: address(last),
            ethernet: OTHER,
        };
        assert!(checks.hear(&claim(3, 1), Who::Stranger).is_none());
        assert!(checks.hear(&claim(2, 3), Who::Stranger).is_none());
        assert!(checks.hear(&claim(2, 1), Who::Peer).is_none());
        let refused = checks.hear(&claim(2, 2), Who::Stranger);
        assert_eq!(refused.map(|check| check.group), Some(2));
        let mut due = std::iter::from_fn(|| {
            let due = checks.next_deadline()?;
            checks.next_due(due)
        });
        let taken = due.find_map(|due| match due {
            Due::Take(check) => Some((check.group, check.answered)),
            Due::Ask { .. } => None,
        });
        assert_eq!(taken, Some((1, Some((OTHER, Who::Peer)))));
        assert!(checks.cancel(address(1)).is_none(), "it is over");
    }
}
