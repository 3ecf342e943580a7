//! When it is looked for carriers, and what the core has heard of them.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::cluster::{GroupId, Instant};

/// How often it is looked where the kernel says nothing.
const EVERY: Duration = Duration::from_secs(10);
/// The shortest time from one look to the next: a thousand addresses come one after the other.
const REST: Duration = Duration::from_millis(250);

/// When it is looked, and where addresses belong that are not here.
#[derive(Debug, Default)]
pub(super) struct CarrierLook {
    looked: Instant,
    look_at: Instant,
    /// There was no address whose interface could be looked at: only news is waited for.
    is_idle: bool,
    /// The index of the interface, for addresses without a given one. It is kept when there is no place any more: an
    /// interface that is switched off has no routes.
    pub places: BTreeMap<IpAddr, u32>,
    /// When that was found out.
    pub found: Instant,
}

impl CarrierLook {
    /// Something has changed: not before this moment, but not long after.
    pub fn look_soon(&mut self, at: Instant) {
        self.look_at = self.look_at.min(at.max(self.looked + REST));
        self.is_idle = false;
    }

    /// Looks at the next opportunity.
    pub fn look_now(&mut self) {
        self.look_at = Instant::default();
        self.is_idle = false;
    }

    /// There is nothing to look at for now.
    pub fn rest(&mut self) {
        self.is_idle = true;
    }

    pub fn next(&self) -> Option<Instant> {
        (!self.is_idle).then_some(self.look_at)
    }

    /// Whether it is time; then the next time is set.
    pub fn is_due(&mut self, now: Instant) -> bool {
        if self.is_idle || self.look_at > now {
            return false;
        }
        (self.looked, self.look_at) = (now, now + EVERY);
        true
    }
}

/// What the core knows of them.
#[derive(Debug, Default)]
pub(super) struct Carriers {
    told: Vec<Option<bool>>,
    news: VecDeque<(GroupId, Option<bool>)>,
}

impl Carriers {
    pub fn learn(&mut self, states: Vec<Option<bool>>) {
        self.told.resize(states.len(), None);
        for ((told, state), id) in self.told.iter_mut().zip(states).zip(0..) {
            if std::mem::replace(told, state) != state {
                self.news.push_back((GroupId(id), state));
            }
        }
    }

    /// Takes what it has to hear.
    pub fn next_news(&mut self) -> Option<(GroupId, Option<bool>)> {
        self.news.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn much_news_is_looked_at_now_and_then_and_none_every_ten_seconds() {
        let mut look = CarrierLook::default();
        assert!(look.is_due(at(1000)));
        assert_eq!(look.next(), Some(at(11_000)));
        for millis in [1010, 1020, 1030] {
            look.look_soon(at(millis));
            assert_eq!(look.next(), Some(at(1250)));
        }
        assert!(!look.is_due(at(1249)) && look.is_due(at(1250)));
        look.look_soon(at(5000));
        assert_eq!(look.next(), Some(at(5000)));
        look.rest();
        assert!(!look.is_due(at(90_000)));
        look.look_soon(at(90_000));
        assert!(look.is_due(at(90_000)));
    }

    #[test]
    fn what_is_told_once_is_told_again_only_when_it_changes() {
        let mut carriers = Carriers::default();
        carriers.learn(vec![Some(true), None]);
        carriers.learn(vec![Some(true), None]);
        carriers.learn(vec![Some(false), Some(true), Some(true)]);
        carriers.learn(vec![None, Some(true)]);
        let news: Vec<_> = carriers
            .news
            .iter()
            .map(|(id, state)| (id.0, *state))
            .collect();
        assert_eq!(
            news,
            [
                (0, Some(true)),
                (0, Some(false)),
                (1, Some(true)),
                (2, Some(true)),
                (0, None)
            ]
        );
    }
}
