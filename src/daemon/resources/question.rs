//! Whether anybody answers for addresses that do not run here: what the network knows of a node that is silent.

use std::time::Duration;

use super::checks::{Checks, Due};
use super::rivals::Who;
use crate::cluster::Instant;
use crate::config::AddressSpec;
use crate::os::claim_tap::Claim;
use crate::os::netlink::Interface;

/// How long each address is asked for: the third question comes after two thirds of it.
const TIME: Duration = Duration::from_millis(900);

/// A question to the network, and what it has said so far.
#[derive(Debug)]
pub(super) struct Inquiry {
    /// The addresses that nobody has answered for yet.
    checks: Checks,
    request: Option<u64>,
    asked: u32,
    served: Option<usize>,
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answered {
    /// The number of the question.
    pub request: u64,
    /// How many addresses could be asked for.
    pub asked: u32,
    /// A group for one of whose addresses somebody has answered.
    pub served: Option<usize>,
}

impl Default for Inquiry {
    fn default() -> Self {
        Self {
            checks: Checks::new(TIME),
            request: None,
            asked: 0,
            served: None,
        }
    }
}

impl Inquiry {
    /// One with this number, and no address yet.
    pub fn new(request: u64) -> Self {
        Self {
            request: Some(request),
            ..Self::default()
        }
    }

    /// Asks for an address of a group, unless there is nobody to ask on its interface.
    pub fn add(&mut self, now: Instant, group: usize, spec: &AddressSpec, interface: &Interface) {
        if self.checks.begin(now, group, spec, "", interface) {
            self.asked = self.asked.saturating_add(1);
        }
    }

    /// Somebody else claims an address.
    pub fn hear(&mut self, claim: &Claim) {
        if let Some(check) = self.checks.hear(claim, Who::Stranger) {
            self.served.get_or_insert(check.group);
        }
    }

    /// What is to be asked now; those that nobody has answered for in time are let go.
    pub fn next_question(&mut self, now: Instant) -> Option<Due> {
        while let Some(due) = self.checks.next_due(now) {
            if matches!(due, Due::Ask { .. }) {
                return Some(due);
            }
        }
        None
    }

    /// Whether it is over: one answer is enough.
    pub fn has_answer(&self) -> bool {
        self.request.is_some() && (self.served.is_some() || self.checks.next_deadline().is_none())
    }

    /// What came of it, once it is over.
    pub fn take_answer(&mut self) -> Option<Answered> {
        let is_over = self.has_answer();
        let request = self.request.take_if(|_| is_over)?;
        let answered = Answered {
            request,
            asked: self.asked,
            served: self.served,
        };
        *self = Self::default();
        Some(answered)
    }

    /// The addresses that are asked for.
    pub fn checks(&self) -> &Checks {
        &self.checks
    }

    /// When there is something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.request?;
        Some(self.checks.next_deadline().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::from_micros((1_000_000 + milliseconds) * 1000)
    }

    fn inquiry(addresses: &[u8]) -> Inquiry {
        let interface = Interface {
            index: 2,
            name: "eth0".into(),
            up: true,
            running: true,
            loopback: false,
            ethernet: Some([2, 0, 0, 0, 0, 9]),
        };
        let mut inquiry = Inquiry::new(7);
        for last in addresses {
            let spec = AddressSpec::bare([10, 0, 0, *last].into());
            inquiry.add(at(0), usize::from(*last), &spec, &interface);
        }
        inquiry
    }

    fn claim(last: u8) -> Claim {
        Claim {
            interface: 2,
            address: [10, 0, 0, last].into(),
            ethernet: [2, 0, 0, 0, 0, 0x66],
        }
    }

    fn answered(asked: u32, served: Option<usize>) -> Answered {
        Answered {
            request: 7,
            asked,
            served,
        }
    }

    #[test]
    fn one_answer_is_enough_and_is_told_once() {
        let mut inquiry = inquiry(&[1, 2]);
        assert!(inquiry.next_question(at(0)).is_some());
        inquiry.hear(&claim(9));
        assert_eq!(inquiry.take_answer(), None, "that was not asked for");
        inquiry.hear(&claim(2));
        assert_eq!(inquiry.take_answer(), Some(answered(2, Some(2))));
        assert_eq!(
            (inquiry.take_answer(), inquiry.next_deadline()),
            (None, None)
        );
    }

    #[test]
    fn silence_is_an_answer_after_three_questions_for_each() {
        let mut inquiry = inquiry(&[1, 2]);
        let mut questions = 0;
        while let Some(at) = inquiry.next_deadline().filter(|_| questions < 99) {
            let now = at.max(self::at(0));
            questions += u32::from(inquiry.next_question(now).is_some());
            if let Some(told) = inquiry.take_answer() {
                assert_eq!(told, answered(2, None));
                assert!(now.since(self::at(0)) >= TIME, "not before");
            }
        }
        assert_eq!(questions, 6);
    }

    #[test]
    fn where_nobody_can_be_asked_that_is_said_at_once() {
        let mut inquiry = inquiry(&[]);
        assert_eq!(inquiry.take_answer(), Some(answered(0, None)));
    }
}
