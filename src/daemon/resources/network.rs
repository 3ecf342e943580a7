//! What the core has to know of the network: which links have a carrier, and who answers for addresses of the pair.

use super::Resources;
use crate::cluster::{GroupId, Instant, LinkId, NetworkAnswer};

impl Resources {
    /// Takes a link whose carrier the core has to hear of.
    pub fn next_link_carrier(&mut self) -> Option<(LinkId, Option<bool>)> {
        self.link_carriers.next_news()
    }

    /// Looks, together with the carriers of groups.
    pub(super) fn look_at_links(&mut self) {
        let floating = &mut self.floating;
        self.link_carriers
            .learn(|interface| floating.carrier_of_interface(interface));
    }

    /// Asks the network whether anybody answers for the addresses of these groups.
    pub fn ask_network(&mut self, now: Instant, request: u64, groups: &[GroupId]) {
        let specs = groups.iter().filter_map(|id| {
            let index = usize::try_from(id.0).ok()?;
            Some((index, self.groups.get(index)?))
        });
        let addresses =
            specs.flat_map(|(index, group)| group.specs().map(move |spec| (index, spec)));
        self.floating.inquire(now, request, addresses);
    }

    /// What it has said, and the number of the question.
    pub fn next_network_answer(&mut self) -> Option<(u64, NetworkAnswer)> {
        let answered = self.floating.next_answered()?;
        let served = answered.served.and_then(|index| u32::try_from(index).ok());
        let answer = NetworkAnswer {
            asked: answered.asked,
            served: served.map(GroupId),
        };
        Some((answered.request, answer))
    }
}
