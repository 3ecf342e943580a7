//! What others say of our addresses: who claims one that runs here is answered and told of, and one that is to be taken
//! is asked for first, if that is wanted.

use std::net::IpAddr;
use std::time::Duration;

use log::Level;

use super::{FloatingAddresses, Held, since_boot};
use crate::cluster::{Ethernet, Instant, MOST_ETHERNET};
use crate::config::AddressSpec;
use crate::daemon::resources::checks::{Check, Due};
use crate::daemon::resources::rivals::{Line, Lines, Who, Word};
use crate::os::claim_tap::Claim;
use crate::os::packet::written;
use crate::resource::group::Answer;
use crate::resource::inquiry::question;

/// Another machine that claims an address of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RivalView {
    /// The address.
    pub address: IpAddr,
    /// The Ethernet address of the other machine.
    pub hardware: String,
    /// Whether that is the other node's; none when that is not known.
    pub is_peer: Option<bool>,
    /// How often it was heard to claim the address.
    pub claims: u64,
    /// How long ago it was heard last.
    pub ago: Duration,
}

impl FloatingAddresses {
    /// Takes note of what others say, and goes on with the checks. Call it in every turn.
    pub fn hear(&mut self, now: Instant) {
        if std::mem::take(&mut self.concern_changed) {
            let asked = self
                .checks
                .addresses()
                .chain(self.inquiry.checks().addresses());
            let concern = self.held.keys().copied().chain(asked);
            self.ears.listen(now, concern.collect());
        }
        while let Some(claim) = self.ears.hear(now) {
            if let Some(who) = self.whose(claim.ethernet) {
                self.judge(now, &claim, who);
            }
        }
        if self.ears.hear_nothing() {
            self.checks.make_due(); // no answer will be heard
        }
        self.go_on_asking(now);
        while let Some(due) = self.checks.next_due(now) {
            match due {
                Due::Ask {
                    interface,
                    address,
                    ethernet,
                } => self.ask(interface, address, ethernet),
                Due::Take(check) => self.take(now, check),
            }
        }
    }

    /// A group whose start has waited for a check, and what became of it.
    pub fn next_decided(&mut self) -> Option<(usize, Answer)> {
        self.decided.pop_front()
    }

    /// These are the other node's from now on.
    pub fn know_peer(&mut self, hardware: Vec<Ethernet>) {
        self.peer = Some(hardware);
    }

    /// The other node's, as far as it has told them.
    pub fn peer_ethernet(&self) -> Vec<String> {
        let told = self.peer.iter().flatten();
        told.map(|ethernet| written(*ethernet)).collect()
    }

    /// This node's own, when they are not what they were.
    pub fn news_of_hardware(&mut self, now: Instant) -> Option<Vec<Ethernet>> {
        if !self.own_is_news || self.own_at > now {
            return None;
        }
        self.own_at = now + super::LOOK;
        let mut own = self.own_hardware()?.clone();
        self.own_is_news = false;
        own.truncate(MOST_ETHERNET);
        (own != self.told_own).then(|| {
            self.told_own.clone_from(&own);
            own
        })
    }

    /// Who else was heard to claim an address that runs here.
    pub fn rivals_of(&self, now: Instant, address: IpAddr) -> Vec<RivalView> {
        let held = self.held.get(&address);
        let seen = held.into_iter().flat_map(|held| held.rivals.seen());
        seen.map(|rival| RivalView {
            address,
            hardware: written(rival.ethernet),
            is_peer: match rival.who {
                Who::Peer => Some(true),
                Who::Stranger => Some(false),
                Who::Unknown => None,
            },
            claims: rival.claims,
            ago: now.since(rival.last),
        })
        .collect()
    }

    /// When [`hear`](Self::hear) has something to do without being woken.
    pub(super) fn next_claim_deadline(&self) -> Option<Instant> {
        let at_once = self.concern_changed || !self.decided.is_empty();
        [
            at_once.then_some(Instant::default()),
            self.own_is_news.then_some(self.own_at),
            self.ears.next_deadline(),
            self.checks.next_deadline(),
            self.inquiry.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether the address is checked before it is taken; then the group waits.
    pub(super) fn begin_check(
        &mut self,
        now: Instant,
        group: usize,
        spec: &AddressSpec,
        tag: &str,
    ) -> bool {
        if self.checks.time().is_zero() || self.ears.hear_nothing() {
            return false;
        }
        // A place that can't be found is told of when it is to be taken.
        let Ok(placement) = self.addresses.place(spec) else {
            return false;
        };
        let interface = &placement.interface;
        let begun = self.checks.begin(now, group, spec, tag, interface);
        if begun {
            self.concern_changed = true;
            log::info!(
                target: tag,
                "Asking on {} for {} ms whether anybody has {}",
                interface.name, self.checks.time().as_millis(), spec.address,
            );
        }
        begun
    }

    /// It is not wanted any more.
    pub(super) fn cancel_check(&mut self, address: IpAddr) {
        if let Some(check) = self.checks.cancel(address) {
            self.concern_changed = true;
            self.decided.push_back((check.group, Answer::NeverBegan));
        }
    }

    /// Nothing for those of this node, and when they can't be told from others.
    fn whose(&mut self, ethernet: Ethernet) -> Option<Who> {
        if self.own_hardware()?.contains(&ethernet) {
            return None;
        }
        Some(match &self.peer {
            Some(peer) if peer.contains(&ethernet) => Who::Peer,
            Some(_) => Who::Stranger,
            None => Who::Unknown,
        })
    }

    fn own_hardware(&mut self) -> Option<&Vec<Ethernet>> {
        if self.own.is_none() {
            self.own = self.addresses.hardware().ok();
        }
        self.own.as_ref()
    }

    fn judge(&mut self, now: Instant, claim: &Claim, who: Who) {
        self.inquiry.hear(claim);
        if let Some(check) = self.checks.hear(claim, who) {
            self.refuse(&check, claim);
        }
        let held = self.held.get_mut(&claim.address);
        let Some(held) = held.filter(|held| held.index == claim.interface) else {
            return;
        };
        let word = held.rivals.claim(now, claim.ethernet, who);
        tell(now, held, claim, (who, word), &mut self.lines);
        if let Some(ethernet) = held.ethernet {
            let at = since_boot(held.rivals.answer_at(now));
            let (address, interface) = (claim.address, claim.interface);
            self.announcements
                .once_more(at, address, interface, ethernet);
        }
    }

    pub(super) fn ask(&mut self, interface: u32, address: IpAddr, ethernet: Ethernet) {
        if let Err(error) = self.send(interface, &[&question(address, ethernet)]) {
            log::warn!("Cannot ask whether anybody has {address}: {error}");
        }
    }

    /// A stranger has it.
    fn refuse(&mut self, check: &Check, claim: &Claim) {
        self.concern_changed = true;
        let tag = format!("CRIT:{}", check.tag);
        log::error!(
            target: &tag,
            "{} is not taken: {} on {} has it, which is neither node. Take it away from that machine; ha.cf(5) tells \
             of check_address",
            claim.address, written(claim.ethernet), check.interface_name,
        );
        self.decided.push_back((check.group, Answer::NeverBegan));
    }

    /// Nobody has it who would keep us from taking it.
    fn take(&mut self, now: Instant, check: Check) {
        let Check {
            group, spec, tag, ..
        } = check;
        if let Some((ethernet, who)) = check.answered {
            let whose = match who {
                Who::Peer => "the other node",
                _ => {
                    "the other node, or a stranger: the other node has not told its Ethernet addresses"
                }
            };
            log::warn!(
                target: &tag,
                "{} on {} has {}: {whose}. It is taken all the same",
                written(ethernet), check.interface_name, spec.address,
            );
        }
        let answer = match self.start(now, group, &spec, (&tag, Level::Info)) {
            Ok(()) => Answer::Succeeded,
            Err(error) => {
                log::error!(target: &tag, "{error}");
                self.concern_changed = true;
                Answer::Failed
            }
        };
        self.decided.push_back((group, answer));
    }
}

fn tell(now: Instant, held: &Held, claim: &Claim, (who, word): (Who, Word), lines: &mut Lines) {
    if word == Word::Nothing {
        return;
    }
    let line = lines.take(now);
    if line == Line::Dropped {
        return;
    }
    let (address, rival) = (claim.address, written(claim.ethernet));
    let interface = held.exact.interface.as_deref().unwrap_or("its interface");
    let tag = &held.tag;
    match (word, who) {
        (Word::Again(times), _) => {
            log::warn!(target: tag, "{rival} on {interface} claims {address} still: {times} times more");
        }
        (_, Who::Peer) => log::error!(
            target: tag,
            "Both nodes have {address}: the other node claims it with {rival} on {interface}. It is announced again"
        ),
        (_, Who::Stranger) => log::error!(
            target: tag,
            "{rival} on {interface} claims {address}, and is neither node. The address is announced again each time; \
             but until that machine gives it up, some clients reach that one"
        ),
        (_, Who::Unknown) => log::error!(
            target: tag,
            "{rival} on {interface} claims {address}: the other node, or a stranger. The address is announced again \
             each time"
        ),
    }
    if line == Line::Last {
        log::warn!("There are more such claims than are told in this minute");
    }
}
