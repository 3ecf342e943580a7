//! Asking whether anybody answers for addresses that do not run here.

use super::FloatingAddresses;
use crate::cluster::Instant;
use crate::config::AddressSpec;
use crate::daemon::resources::checks::Due;
use crate::daemon::resources::question::{Answered, Inquiry};

impl FloatingAddresses {
    /// Asks for these addresses, each of the group in front of it. An earlier question is forgotten.
    pub fn inquire<'a>(
        &mut self,
        now: Instant,
        request: u64,
        addresses: impl Iterator<Item = (usize, &'a AddressSpec)>,
    ) {
        self.inquiry = Inquiry::new(request);
        if self.ears.hear_nothing() {
            return; // nobody can be asked whose answer is not heard
        }
        for (group, spec) in addresses {
            // An address that has no place here could not be taken either.
            let Ok(placement) = self.addresses.place(spec) else {
                continue;
            };
            self.inquiry.add(now, group, spec, &placement.interface);
        }
        self.concern_changed = true;
    }

    /// What came of the question, once.
    pub fn next_answered(&mut self) -> Option<Answered> {
        let answered = self.inquiry.take_answer()?;
        self.concern_changed = true;
        Some(answered)
    }

    /// Whether there is something to be taken with [`next_answered`](Self::next_answered).
    pub fn has_answered(&self) -> bool {
        self.inquiry.has_answer()
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
