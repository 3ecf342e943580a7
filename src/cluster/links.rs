//! The links to the peer: which of them it is heard on.

use std::time::Duration;

use super::LinkId;
use super::time::Instant;
use crate::message::Form;

/// The state of every link, each judged on its own.
#[derive(Debug, Clone)]
pub struct Links {
    links: Vec<Link>,
}

#[derive(Debug, Clone)]
struct Link {
    name: String,
    /// When the peer was last heard here; `None` while the link is down.
    heard: Option<Instant>,
    /// It was up in this run, or it was told that it never was.
    is_known: bool,
    /// Whether it has a carrier, where that can be known.
    carrier: Option<bool>,
}

impl Links {
    /// All links down.
    pub fn new(names: &[String]) -> Self {
        Self {
            links: names
                .iter()
                .map(|name| Link {
                    name: name.clone(),
                    heard: None,
                    is_known: false,
                    carrier: None,
                })
                .collect(),
        }
    }

    /// The peer was heard on `link`. True when that brings the link up.
    pub fn heard(&mut self, link: LinkId, now: Instant) -> bool {
        let Some(link) = self.links.get_mut(usize::from(link.0)) else {
            return false;
        };
        let was_down = link.heard.is_none();
        link.heard = Some(now);
        link.is_known = true;
        was_down
    }

    /// Whether `link` has a carrier, where that can be known.
    pub fn set_carrier(&mut self, link: LinkId, has: Option<bool>) {
        if let Some(link) = self.links.get_mut(usize::from(link.0)) {
            link.carrier = has;
        }
    }

    /// How many of them may receive something.
    pub fn that_can_receive(&self) -> usize {
        let without = self.links.iter().filter(|link| link.carrier == Some(false));
        self.links.len().saturating_sub(without.count())
    }

    /// A link that was never up in this run, each once.
    pub fn take_never_up(&mut self) -> Option<LinkId> {
        let index = self.links.iter().position(|link| !link.is_known)?;
        self.links.get_mut(index)?.is_known = true;
        u8::try_from(index).ok().map(LinkId)
    }

    /// We did not listen until now: the silence of the links that are up was ours.
    pub fn excuse_silence(&mut self, now: Instant) {
        for link in &mut self.links {
            link.heard = link.heard.map(|_| now);
        }
    }

    /// All of them, with the form that messages have there. A serial port is named by its path, an interface never has a
    /// name with a slash.
    pub fn forms(&self) -> impl ExactSizeIterator<Item = (LinkId, Form)> + Clone {
        let form = |link: &Link| {
            if link.name.starts_with('/') {
                Form::Classic
            } else {
                Form::Netstring
            }
        };
        let links = self.links.iter().take(usize::from(u8::MAX)).enumerate();
        links.map(move |(id, link)| (LinkId(u8::try_from(id).unwrap_or(u8::MAX)), form(link)))
    }

    /// Whether it is a serial line.
    pub fn is_serial(&self, link: LinkId) -> bool {
        self.forms()
            .any(|(id, form)| id == link && form == Form::Classic)
    }

    /// Whether one of them is.
    pub fn has_serial(&self) -> bool {
        self.forms().any(|(_, form)| form == Form::Classic)
    }

    /// Whether one of them is not.
    pub fn has_network(&self) -> bool {
        self.forms().any(|(_, form)| form != Form::Classic)
    }

    /// How many there are.
    pub fn count(&self) -> u8 {
        u8::try_from(self.links.len()).unwrap_or(u8::MAX)
    }

    /// Takes down one link that was silent for `deadtime`, if there is one.
    pub fn take_down_silent(&mut self, deadtime: Duration, now: Instant) -> Option<LinkId> {
        let index = self
            .links
            .iter()
            .position(|link| link.heard.is_some_and(|heard| heard + deadtime <= now))?;
        self.links.get_mut(index)?.heard = None;
        u8::try_from(index).ok().map(LinkId)
    }

    /// When the next link would go down.
    pub fn next_silence(&self, deadtime: Duration) -> Option<Instant> {
        self.links
            .iter()
            .filter_map(|link| link.heard)
            .min()
            .map(|heard| heard + deadtime)
    }

    /// Whether the peer is heard on `link`.
    pub fn is_up(&self, link: LinkId) -> bool {
        self.links
            .get(usize::from(link.0))
            .is_some_and(|link| link.heard.is_some())
    }

    /// When the peer was last heard on `link`, while that is up.
    pub fn heard_at(&self, link: LinkId) -> Option<Instant> {
        self.links.get(usize::from(link.0))?.heard
    }

    /// The link's name.
    pub fn name(&self, link: LinkId) -> &str {
        self.links
            .get(usize::from(link.0))
            .map_or("?", |link| &link.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_never_came_up_is_told_once() {
        let at = Instant::from_micros(1_000_000);
        let mut links = Links::new(&["ttyS0".into(), "eth0".into(), "eth1".into()]);
        links.heard(LinkId(0), at);
        links.heard(LinkId(1), at);
        assert_eq!(
            (links.take_never_up(), links.take_never_up()),
            (Some(LinkId(2)), None)
        );
    }

    #[test]
    fn each_link_goes_down_on_its_own() {
        let deadtime = Duration::from_secs(3);
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        let mut links = Links::new(&["ttyS0".into(), "eth0".into()]);
        assert!(links.heard(LinkId(0), at(1)));
        assert!(links.heard(LinkId(1), at(2)));
        assert!(!links.heard(LinkId(1), at(3)));
        assert_eq!(links.next_silence(deadtime), Some(at(4)));
        assert_eq!(links.take_down_silent(deadtime, at(4)), Some(LinkId(0)));
        assert_eq!(links.take_down_silent(deadtime, at(4)), None);
        assert!(!links.is_up(LinkId(0)) && links.is_up(LinkId(1)));
    }
}
