//! What the core has to know of the network: which links have a carrier, and who answers for addresses of the pair.

use std::collections::VecDeque;

use super::Resources;
use crate::cluster::{GroupId, Instant, LinkId, NetworkAnswer};

/// The links by number, and what the core knows of them.
#[derive(Debug, Default)]
pub(super) struct LinkCarriers {
    /// The interface of each; `None` for a serial line, of which nobody can tell.
    interfaces: Vec<Option<String>>,
    told: Vec<Option<bool>>,
    news: VecDeque<(LinkId, Option<bool>)>,
}

impl LinkCarriers {
    /// Of links with these names: a serial line is called by its path.
    pub fn new(names: &[String]) -> Self {
        let interface = |name: &String| (!name.starts_with('/')).then(|| name.clone());
        Self {
            interfaces: names.iter().map(interface).collect(),
            told: vec![None; names.len()],
            news: VecDeque::new(),
        }
    }

    /// Whether there is anything to look at.
    pub fn is_empty(&self) -> bool {
        self.interfaces.iter().all(Option::is_none)
    }

    fn learn(&mut self, mut look: impl FnMut(&str) -> Option<bool>) {
        let links = self.interfaces.iter().zip(&mut self.told).zip(0..=u8::MAX);
        for ((interface, told), id) in links {
            let Some(interface) = interface else {
                continue;
            };
            let has = look(interface);
            if std::mem::replace(told, has) != has {
                self.news.push_back((LinkId(id), has));
            }
        }
    }
}

impl Resources {
    /// Takes a link whose carrier the core has to hear of.
    pub fn next_link_carrier(&mut self) -> Option<(LinkId, Option<bool>)> {
        self.link_carriers.news.pop_front()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_networks_each_change_is_told_once_and_of_serial_lines_nothing() {
        let names = ["/dev/ttyS0", "eth0", "eth1"].map(String::from);
        let mut links = LinkCarriers::new(&names);
        assert!(!links.is_empty());
        links.learn(|name| Some(name == "eth0"));
        links.learn(|name| Some(name == "eth0"));
        links.learn(|name| (name == "eth1").then_some(true));
        assert_eq!(
            links.news,
            [
                (LinkId(1), Some(true)),
                (LinkId(2), Some(false)),
                (LinkId(1), None),
                (LinkId(2), Some(true)),
            ]
        );
        let serial = LinkCarriers::new(&names[..1]);
        assert!(serial.is_empty());
    }
}
