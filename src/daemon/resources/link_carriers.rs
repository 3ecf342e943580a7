//! Which links have a carrier, and what the core knows of that.

use std::collections::VecDeque;

use crate::cluster::LinkId;

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

    /// Looks at each of them.
    pub fn learn(&mut self, mut look: impl FnMut(&str) -> Option<bool>) {
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

    /// Takes one that the core has to hear of.
    pub fn next_news(&mut self) -> Option<(LinkId, Option<bool>)> {
        self.news.pop_front()
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
