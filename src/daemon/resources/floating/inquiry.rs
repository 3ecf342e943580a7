//! Whether anybody answers for addresses that do not run here: what the network knows of a node that is silent.

use std::time::Duration;

use super::FloatingAddresses;
use crate::cluster::Instant;
use crate::config::AddressSpec;
use crate::daemon::resources::checks::{Checks, Due};
use crate::daemon::resources::rivals::Who;
use crate::os::claim_tap::Claim;

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
pub struct Answered {
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
    pub fn take_answer(&mut self) -> Option<Answered> {
        let is_over = self.served.is_some() || self.checks.next_deadline().is_none();
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

impl FloatingAddresses {
    /// Asks for these addresses, each of the group in front of it. An earlier question is forgotten.
    pub fn inquire<'a>(
        &mut self,
        now: Instant,
        request: u64,
        addresses: impl Iterator<Item = (usize, &'a AddressSpec)>,
    ) {
        self.inquiry = Inquiry {
            request: Some(request),
            ..Inquiry::default()
        };
        if self.ears.hear_nothing() {
            return; // nobody can be asked whose answer is not heard
        }
        for (group, spec) in addresses {
            // An address that has no place here could not be taken either.
            let Ok(placement) = self.addresses.place(spec) else {
                continue;
            };
            let (checks, interface) = (&mut self.inquiry.checks, &placement.interface);
            if checks.begin(now, group, spec, "", interface) {
                self.inquiry.asked = self.inquiry.asked.saturating_add(1);
            }
        }
        self.concern_changed = true;
    }

    /// What came of the question, once.
    pub fn next_answered(&mut self) -> Option<Answered> {
        let answered = self.inquiry.take_answer()?;
        self.concern_changed = true;
        Some(answered)
    }

    /// Goes on with the question.
    pub(super) fn go_on_asking(&mut self, now: Instant) {
        while let Some(due) = self.inquiry.next_question(now) {
            if let Due::Ask {
                interface,
                address,
                ethernet,
            } = due
            {
                self.ask(interface, address, ethernet);
            }
        }
    }
}
