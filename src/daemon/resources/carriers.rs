//! Which groups have a carrier on all interfaces of their addresses: what the core has to know.

use super::Resources;
use super::carrier_look::Carriers;
use crate::cluster::{GroupId, Instant};

impl Resources {
    /// Takes a group whose carrier the core has to hear of: whether there is one; `None` where that is not known, or the
    /// group has no address that is built in.
    pub fn next_carrier(&mut self) -> Option<(GroupId, Option<bool>)> {
        self.carriers.next_news()
    }

    /// Looks, when it is time.
    pub(super) fn look_for_carriers(&mut self, now: Instant) {
        let groups = self.groups.iter().map(super::Group::specs);
        let has_links = !self.link_carriers.is_empty();
        if let Some(states) = self.floating.look_for_carriers(now, has_links, groups) {
            self.carriers.learn(states);
            self.look_at_links();
        }
    }

    /// Groups have changed or have other places: the core is told everything anew.
    pub(super) fn tell_carriers_again(&mut self) {
        self.carriers = Carriers::default();
        self.floating.look_for_carriers_again();
    }
}
