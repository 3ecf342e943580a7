//! Built-in addresses: added, removed and announced without a child process.

mod announcing;
mod carriers;
mod claims;
mod inquiry;
mod together;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use log::Level;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::ahead::Ahead;
use super::carrier_look::CarrierLook;
use super::checks::Checks;
use super::ears::Ears;
use super::losses::{Losses, Note};
use super::question::Inquiry;
use super::rivals::{Lines, Rivals};
use crate::cluster::{Ethernet, Instant};
use crate::config::AddressSpec;
use crate::daemon::clock;
use crate::os::netlink::{Change, Interface};
use crate::os::netlink_news::NetlinkNews;
use crate::os::packet::PacketSocket;
use crate::resource::address::{AddressError, Addresses, Presence};
use crate::resource::announce::Announcements;
use crate::resource::culprit::manager_of;
use crate::resource::group::Answer;
use crate::resource::placement::Placement;
use crate::resource::{Action, Standing};

/// So long addresses are added and removed in one turn of the event loop, and a little longer where one step takes long.
const SHARE: Duration = Duration::from_millis(2);
/// The kernel's news are taken in one turn as often as this; more is left for the next one.
const MOST_NEWS: usize = 16;
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
    ahead: Ahead,
    /// Those that were started and that nobody asked to stop since.
    held: BTreeMap<IpAddr, Held>,
    look_at: Instant,
    announcements: Announcements,
    /// Opened with the first announcement, because it needs a privilege that the rest does not.
    socket: Option<PacketSocket>,
    /// An interface takes no more before then.
    announce_from: Instant,
    /// How often in a row it took no more.
    pauses: u32,
    /// No more than what is under way is done in this turn after that.
    until: Instant,
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
    /// The kernel has more to tell than was taken in one turn.
    has_more_news: bool,
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
            ahead: Ahead::default(),
            held: BTreeMap::new(),
            look_at: Instant::default(),
            announcements: Announcements::new(refresh),
            socket: None,
            announce_from: Instant::default(),
            pauses: 0,
            until: Instant::default(),
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
            has_more_news: false,
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
        self.ears.stir();
    }

    /// Takes in what has changed and what others say, and gives addresses their share of the time.
    pub fn begin_turn(&mut self, now: Instant) {
        self.take_news(now);
        self.addresses.forget_routes();
        self.hear(now);
        self.until = clock::now() + SHARE;
    }

    /// Whether the kernel is to be asked for nothing more in this turn. What was done for resources that did not have their
    /// turn yet comes first.
    pub fn share_is_used_up(&self) -> bool {
        self.ahead.is_empty() && clock::now() >= self.until
    }

    /// Carries out an action for a group. An address that is there already when it is to be started is announced all
    /// the same: whoever had it before may have spoken last. Without an answer the address is checked first, and
    /// [`next_decided`](Self::next_decided) has it in the end.
    pub fn run(
        &mut self,
        now: Instant,
        (group, is_start): (usize, bool),
        (spec, agent): (&AddressSpec, &str),
        action: Action,
        level: Level,
    ) -> Option<Answer> {
        let is_added = is_start && self.ahead.has_added(group, spec.address);
        if is_added && action == Action::Status && level > log::max_level() {
            return Some(Answer::Found(Standing::Stopped));
        }
        let tag = format!("{agent}({agent}_{})", spec.address);
        let answer = match action {
            Action::Status if is_added => {
                log::log!(target: &tag, level, "Resource is stopped");
                Ok(Answer::Found(Standing::Stopped))
            }
            Action::Status => self.status(now, spec, (&tag, level), is_start),
            Action::Start if !is_added && self.begin_check(now, group, spec, &tag) => return None,
            Action::Start => {
                let started = self.start(now, group, spec, (&tag, level));
                started.map(|()| Answer::Succeeded)
            }
            Action::Stop => {
                let stopped = self.stop(group, spec, (&tag, level));
                stopped.map(|()| Answer::Succeeded)
            }
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
        self.ahead.forget(address);
        self.cancel_check(address);
    }

    /// Puts back what somebody else removed or changed: a person, or a program that sets up an interface anew. Gives
    /// those that are of no use here because they don't stay, once in a while.
    pub fn restore(&mut self, now: Instant) -> Vec<IpAddr> {
        let mut useless = Vec::new();
        if self.held.is_empty() || self.look_at > now {
            return useless;
        }
        self.look_at = now + LOOK_AT_REST;
        self.addresses.forget();
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
                let tag = (held.tag.as_str(), Level::Info);
                self.begin_announcing(now, *address, &interface, tag);
            }
        }
        self.held = held;
    }

    /// What was done here is no news.
    fn take_news(&mut self, now: Instant) {
        let (addresses, mut is_news) = (&mut self.addresses, false);
        self.has_more_news =
            (0..MOST_NEWS).all(|_| self.news.take(|news| is_news |= addresses.heed(&news)));
        if self.has_more_news {
            addresses.forget(); // what comes next may tell of anything
        }
        if is_news || self.has_more_news {
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
            let tag = (held.tag.as_str(), Level::Info);
            self.begin_announcing(now, address, interface, tag);
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

    pub fn next_deadline(&self) -> Option<Instant> {
        if self.has_more_news {
            return Some(Instant::default());
        }
        let look = (!self.held.is_empty()).then_some(self.look_at);
        self.next_announcement()
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
        (tag, level): (&str, Level),
        is_start: bool,
    ) -> Result<Answer, AddressError> {
        let holders = self.addresses.holders(spec)?;
        if is_start {
            log::log!(target: tag, level, "{}", if holders.is_empty() { "Resource is stopped" } else { "Running OK" });
            for interface in &holders {
                self.begin_announcing(now, spec.address, interface, (tag, level));
            }
            if let Some(interface) = holders.first() {
                let exact = self.addresses.exactly(spec)?;
                self.hold(spec, tag, interface, exact);
            }
        }
        Ok(Answer::Found(if holders.is_empty() {
            Standing::Stopped
        } else {
            Standing::Running
        }))
    }

    fn start(
        &mut self,
        now: Instant,
        group: usize,
        spec: &AddressSpec,
        (tag, level): (&str, Level),
    ) -> Result<(), AddressError> {
        let ahead = self.ahead.take_added(group, spec.address);
        let (placement, change) = if let Some((_, placement, change)) = ahead {
            (placement, change)
        } else {
            let placement = self.addresses.place(spec)?;
            let change = self.addresses.add(&placement);
            (placement, change)
        };
        log::log!(target: tag, level, "Adding {placement}");
        let exact = match change? {
            Change::Made => placement.exactly(),
            Change::AlreadySo => self.addresses.exactly(spec)?,
        };
        if !placement.interface.up {
            log::warn!(
                target: tag,
                "{} is down: nobody can reach {} before it is up", placement.interface.name, spec.address,
            );
        }
        self.begin_announcing(now, spec.address, &placement.interface, (tag, level));
        self.hold(spec, tag, &placement.interface, exact);
        log::log!(target: tag, level, "Success");
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
        let tag = (held.tag.as_str(), Level::Info);
        self.begin_announcing(now, held.spec.address, &placement.interface, tag);
        Ok(placement)
    }

    fn hold(&mut self, spec: &AddressSpec, tag: &str, interface: &Interface, exact: AddressSpec) {
        let held = Held {
            spec: spec.clone(),
            exact,
            tag: tag.to_owned(),
            losses: Losses::default(),
            rivals: Rivals::default(),
            index: interface.index,
            ethernet: interface.ethernet,
            carrier: interface.running,
        };
        self.held.insert(spec.address, held);
        self.concern_changed = true;
    }

    fn stop(
        &mut self,
        group: usize,
        spec: &AddressSpec,
        (tag, level): (&str, Level),
    ) -> Result<(), AddressError> {
        self.let_go(spec.address); // whatever becomes of the removal
        let removed = match self.ahead.take_removed(group, spec.address) {
            Some(removed) => removed?,
            None => self.addresses.remove(spec)?,
        };
        if let Some(warning) = removed.warning {
            log::warn!(target: tag, "{warning}");
        }
        for interface in removed.from {
            log::log!(target: tag, level, "Removed {} from device {}", spec.address, interface.name);
        }
        Ok(())
    }

    fn begin_announcing(
        &mut self,
        now: Instant,
        address: IpAddr,
        interface: &Interface,
        (tag, level): (&str, Level),
    ) {
        let Some(ethernet) = interface.ethernet else {
            return;
        };
        if address.is_ipv4() {
            log::log!(
                target: tag, level,
                "send_arp -i 200 -r 5 {} {address} auto not_used not_used", interface.name,
            );
        }
        self.announcements
            .begin(since_boot(now), address, interface.index, ethernet);
    }
}

fn since_boot(now: Instant) -> Duration {
    Duration::from_micros(now.as_micros())
}
