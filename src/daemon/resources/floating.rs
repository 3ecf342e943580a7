//! Built-in addresses: added, removed and announced without a child process.

mod carriers;
mod claims;
mod inquiry;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::carrier_look::CarrierLook;
use super::checks::Checks;
use super::ears::Ears;
use super::losses::{Losses, Note};
use super::question::Inquiry;
use super::rivals::{Lines, Rivals};
use crate::cluster::{Ethernet, Instant};
use crate::config::AddressSpec;
use crate::os::netlink::Interface;
use crate::os::netlink_news::NetlinkNews;
use crate::os::packet::PacketSocket;
use crate::resource::address::{AddressError, Addresses, Presence};
use crate::resource::announce::Announcements;
use crate::resource::culprit::manager_of;
use crate::resource::group::Answer;
use crate::resource::placement::Placement;
use crate::resource::{Action, Standing};

/// How often it is looked whether what was started is still there, for as long as something is missing.
const LOOK: Duration = Duration::from_secs(2);
/// The same while nothing is. The kernel tells of every change, so that this only finds what it had no room to tell.
const LOOK_AT_REST: Duration = Duration::from_secs(20);
/// After the kernel has said something, so that many changes together are looked at once.
const LOOK_AFTER_NEWS: Duration = Duration::from_millis(50);

pub use claims::RivalView;

/// The addresses of this machine, and those that are being announced.
#[derive(Debug)]
pub(super) struct FloatingAddresses {
    addresses: Addresses,
    news: NetlinkNews,
    /// There may be news.
    stirred: bool,
    /// Those that were started and that nobody asked to stop since.
    held: BTreeMap<IpAddr, Held>,
    look_at: Instant,
    announcements: Announcements,
    /// Opened with the first announcement, because it needs a privilege that the rest does not.
    socket: Option<PacketSocket>,
    share: usize,
    ears: Ears,
    /// Addresses have come or gone since it was said what to listen for.
    concern_changed: bool,
    /// This node's own, until the kernel says that something has changed.
    own: Option<Vec<Ethernet>>,
    /// They may be others than were told last.
    own_is_news: bool,
    own_at: Instant,
    /// What was told of them last.
    told_own: Vec<Ethernet>,
    /// The other node's, as it told them.
    peer: Option<Vec<Ethernet>>,
    lines: Lines,
    carriers: CarrierLook,
    checks: Checks,
    inquiry: Inquiry,
    /// Groups whose start has waited for a check.
    decided: VecDeque<(usize, Answer)>,
}

#[derive(Debug)]
struct Held {
    spec: AddressSpec,
    /// As it was added or found.
    exact: AddressSpec,
    tag: String,
    losses: Losses,
    rivals: Rivals,
    /// Of the interface that has it.
    index: u32,
    ethernet: Option<Ethernet>,
    /// Whether its interface had a carrier when it was looked at last.
    carrier: bool,
}

impl FloatingAddresses {
    /// News of the kernel and claims of others are signalled under `token`. Addresses are announced anew after each
    /// `refresh`, if any, and checked for so long before they are taken, if that is not zero.
    pub fn open(
        registry: &Registry,
        token: Token,
        refresh: Option<Duration>,
        check: Duration,
    ) -> io::Result<Self> {
        let addresses = Addresses::open()?;
        let news = NetlinkNews::open()?;
        registry.register(&mut SourceFd(&news.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self {
            addresses,
            news,
            stirred: true,
            held: BTreeMap::new(),
            look_at: Instant::default(),
            announcements: Announcements::new(refresh),
            socket: None,
            share: 0,
            ears: Ears::new(registry.try_clone()?, token),
            concern_changed: false,
            own: None,
            own_is_news: true,
            own_at: Instant::default(),
            told_own: Vec::new(),
            peer: None,
            lines: Lines::default(),
            carriers: CarrierLook::default(),
            checks: Checks::new(check),
            inquiry: Inquiry::default(),
            decided: VecDeque::new(),
        })
    }

    /// The time between two announcements is another one. Addresses whose announcements were over are announced anew.
    pub fn set_refresh(&mut self, now: Instant, refresh: Option<Duration>) {
        self.announcements.set_refresh(refresh);
        if refresh.is_some() {
            let is_over = |address: &&IpAddr| !self.announcements.goes_on(**address);
            let over = self.held.keys().filter(is_over).copied().collect();
            self.announce_again(now, &over);
        }
    }

    /// Addresses that are taken from now on are checked for so long; zero for not at all.
    pub fn set_check_time(&mut self, time: Duration) {
        self.checks.set_time(time);
    }

    /// A descriptor has become readable.
    pub fn stir(&mut self) {
        self.stirred = true;
        self.ears.stir();
    }

    /// From now on the kernel is asked anew, and at most `share` times for something to be done.
    pub fn begin_turn(&mut self, share: usize) {
        self.addresses.forget();
        self.share = share;
    }

    pub fn share_is_used_up(&self) -> bool {
        self.share == 0
    }

    /// Carries out an action for a group. An address that is there already when it is to be started is announced all
    /// the same: whoever had it before may have spoken last. Without an answer the address is checked first, and
    /// [`next_decided`](Self::next_decided) has it in the end.
    pub fn run(
        &mut self,
        now: Instant,
        group: usize,
        (spec, agent): (&AddressSpec, &str),
        action: Action,
        is_start: bool,
    ) -> Option<Answer> {
        self.share = self.share.saturating_sub(1);
        let tag = format!("{agent}({agent}_{})", spec.address);
        let answer = match action {
            Action::Status => self.status(now, spec, &tag, is_start),
            Action::Start if self.begin_check(now, group, spec, &tag) => return None,
            Action::Start => self.start(now, spec, &tag).map(|()| Answer::Succeeded),
            Action::Stop => self.stop(spec, &tag).map(|()| Answer::Succeeded),
        };
        Some(answer.unwrap_or_else(|error| {
            log::error!(target: &tag, "{error}");
            if action == Action::Status {
                Answer::Found(Standing::Unknown)
            } else {
                Answer::Failed
            }
        }))
    }

    /// From now on it is not put back if it is missed, nor announced: another machine may have it.
    pub fn let_go(&mut self, address: IpAddr) {
        self.concern_changed |= self.held.remove(&address).is_some();
        self.announcements.cancel(address);
        self.cancel_check(address);
    }

    /// Puts back what somebody else removed or changed: a person, or a program that sets up an interface anew. Gives
    /// those that are of no use here because they don't stay, once in a while.
    pub fn restore(&mut self, now: Instant) -> Vec<IpAddr> {
        let mut useless = Vec::new();
        self.take_news(now);
        if self.held.is_empty() || self.look_at > now {
            return useless;
        }
        self.look_at = now + LOOK_AT_REST;
        let mut held = std::mem::take(&mut self.held);
        for (address, held) in &mut held {
            let presence = self.addresses.presence(&held.exact);
            if !matches!(presence, Ok(Presence::Right(_))) {
                self.look_at = now + LOOK;
            }
            match presence {
                Ok(Presence::Right(interface)) => self.is_right(now, *address, held, &interface),
                Ok(presence) if held.losses.may_put_back(now) => {
                    self.repair(now, *address, held, &presence);
                }
                Ok(_) => {}
                Err(error) => {
                    log::debug!(target: &held.tag, "{error}");
                    break;
                }
            }
            if held.losses.is_useless(now) {
                useless.push(*address);
            }
        }
        self.held = held;
        useless
    }

    /// Some of them are announced anew: another machine may have spoken last.
    pub fn announce_again(&mut self, now: Instant, addresses: &BTreeSet<IpAddr>) {
        let mut held = std::mem::take(&mut self.held);
        for (address, held) in held
            .iter_mut()
            .filter(|(address, _)| addresses.contains(address))
        {
            if let Ok(Presence::Right(interface)) = self.addresses.presence(&held.exact) {
                self.begin_announcing(now, *address, &interface, &held.tag);
            }
        }
        self.held = held;
    }

    fn take_news(&mut self, now: Instant) {
        if std::mem::take(&mut self.stirred) && self.news.take() {
            self.stirred = true; // there may be more than was taken
            self.own = None;
            self.own_is_news = true;
            self.own_at = self.own_at.max(now + LOOK_AFTER_NEWS);
            self.look_at = self.look_at.min(now + LOOK_AFTER_NEWS);
            self.carriers.look_soon(now + LOOK_AFTER_NEWS);
        }
    }

    /// A switch forgets who is behind a port that was without a carrier.
    fn is_right(&mut self, now: Instant, address: IpAddr, held: &mut Held, interface: &Interface) {
        held.losses.is_there();
        (held.index, held.ethernet) = (interface.index, interface.ethernet);
        if interface.running && !std::mem::replace(&mut held.carrier, interface.running) {
            log::info!(target: &held.tag, "{} has a carrier again", interface.name);
            self.begin_announcing(now, address, interface, &held.tag);
        }
        held.carrier = interface.running;
    }

    fn repair(&mut self, now: Instant, address: IpAddr, held: &mut Held, presence: &Presence) {
        let tag = &held.tag;
        let happened = match presence {
            Presence::Changed => "changed",
            _ => "removed",
        };
        if *presence == Presence::Refused {
            log::error!(
                target: tag,
                "The kernel lets nobody use {address}: when it was added by somebody, another machine had it. It is \
                 added again without asking"
            );
        }
        let place = match self.put_back(now, held, presence) {
            Ok(place) => place,
            Err(error) => {
                if held.losses.stays_away(now) {
                    log::error!(
                        target: tag,
                        "Somebody {happened} {address}. It cannot be added again: {error}. It is tried every {} s",
                        LOOK.as_secs(),
                    );
                }
                return;
            }
        };
        let manager = manager_of(Path::new("/"), place.interface.index);
        let culprit = manager.map_or_else(String::new, |name| {
            format!(". {name} looks after {}", place.interface.name)
        });
        match held.losses.put_back(now) {
            Note::Nothing => {}
            Note::Loss => {
                log::warn!(target: tag, "Somebody {happened} {address}; it is added again: {place}{culprit}");
            }
            Note::Contested => log::error!(
                target: tag,
                "{address} is {happened} again and again. It is put back without a word from now on{culprit}",
            ),
        }
    }

    /// Sends what is due.
    pub fn announce(&mut self, now: Instant) {
        while let Some(due) = self.announcements.next_due(since_boot(now)) {
            let sent = self.send(due.interface, &due.frames);
            if let Err(error) =
                sent.map_err(|error| format!("Cannot announce {}: {error}", due.address))
            {
                if due.is_first {
                    log::warn!("{error}");
                } else {
                    log::debug!("{error}");
                }
            }
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        let announcement = self
            .announcements
            .next_deadline()
            .map(|due| Instant::from_micros(u64::try_from(due.as_micros()).unwrap_or(u64::MAX)));
        let look = (!self.held.is_empty()).then_some(self.look_at);
        announcement
            .into_iter()
            .chain(look)
            .chain(self.next_claim_deadline())
            .chain(self.carriers.next())
            .min()
    }

    fn status(
        &mut self,
        now: Instant,
        spec: &AddressSpec,
        tag: &str,
        is_start: bool,
    ) -> Result<Answer, AddressError> {
        let holders = self.addresses.holders(spec)?;
        if is_start {
            log::info!(target: tag, "{}", if holders.is_empty() { "Resource is stopped" } else { "Running OK" });
            for interface in &holders {
                self.begin_announcing(now, spec.address, interface, tag);
            }
            if let Some(interface) = holders.first() {
                self.hold(spec, tag, interface)?;
            }
        }
        Ok(Answer::Found(if holders.is_empty() {
            Standing::Stopped
        } else {
            Standing::Running
        }))
    }

    fn start(&mut self, now: Instant, spec: &AddressSpec, tag: &str) -> Result<(), AddressError> {
        let placement = self.addresses.place(spec)?;
        log::info!(target: tag, "Adding {placement}");
        self.addresses.add(&placement)?;
        if !placement.interface.up {
            log::warn!(
                target: tag,
                "{} is down: nobody can reach {} before it is up", placement.interface.name, spec.address,
            );
        }
        self.begin_announcing(now, spec.address, &placement.interface, tag);
        self.hold(spec, tag, &placement.interface)?;
        log::info!(target: tag, "Success");
        Ok(())
    }

    /// As it was, and where its interface is gone but was not asked for, as it would be started now.
    fn put_back(
        &mut self,
        now: Instant,
        held: &Held,
        presence: &Presence,
    ) -> Result<Placement, AddressError> {
        if *presence != Presence::Missing {
            self.addresses.remove(&held.exact)?;
        }
        let placement = match self.addresses.place(&held.exact) {
            Err(_) if held.spec.interface.is_none() => self.addresses.place(&held.spec)?,
            place => place?,
        };
        self.addresses.add(&placement)?;
        self.begin_announcing(now, held.spec.address, &placement.interface, &held.tag);
        Ok(placement)
    }

    fn hold(
        &mut self,
        spec: &AddressSpec,
        tag: &str,
        interface: &Interface,
    ) -> Result<(), AddressError> {
        let held = Held {
            spec: spec.clone(),
            exact: self.addresses.exactly(spec)?,
            tag: tag.to_owned(),
            losses: Losses::default(),
            rivals: Rivals::default(),
            index: interface.index,
            ethernet: interface.ethernet,
            carrier: true,
        };
        self.held.insert(spec.address, held);
        self.concern_changed = true;
        Ok(())
    }

    fn stop(&mut self, spec: &AddressSpec, tag: &str) -> Result<(), AddressError> {
        self.let_go(spec.address); // whatever becomes of the removal
        let removed = self.addresses.remove(spec)?;
        if let Some(warning) = removed.warning {
            log::warn!(target: tag, "{warning}");
        }
        for interface in removed.from {
            log::info!(target: tag, "Removed {} from device {}", spec.address, interface.name);
        }
        Ok(())
    }

    fn begin_announcing(
        &mut self,
        now: Instant,
        address: IpAddr,
        interface: &Interface,
        tag: &str,
    ) {
        let Some(ethernet) = interface.ethernet else {
            return;
        };
        if address.is_ipv4() {
            log::info!(
                target: tag,
                "send_arp -i 200 -r 5 {} {address} auto not_used not_used", interface.name,
            );
        }
        self.announcements
            .begin(since_boot(now), address, interface.index, ethernet);
    }

    fn send(&mut self, interface: u32, frames: &[Vec<u8>]) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => PacketSocket::open()?,
        };
        let socket = self.socket.insert(socket);
        frames
            .iter()
            .try_for_each(|frame| socket.send(interface, frame))
    }
}

fn since_boot(now: Instant) -> Duration {
    Duration::from_micros(now.as_micros())
}
