//! Built-in addresses: added, removed and announced without a child process.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::cluster::Instant;
use crate::config::AddressSpec;
use crate::os::netlink::Interface;
use crate::os::packet::PacketSocket;
use crate::resource::address::{AddressError, Addresses};
use crate::resource::announce::Announcements;
use crate::resource::group::Answer;
use crate::resource::placement::Placement;
use crate::resource::{Action, Standing};

/// How often it is looked whether what was started is still there.
const LOOK: Duration = Duration::from_secs(2);

/// The addresses of this machine, and those that are being announced.
#[derive(Debug)]
pub(super) struct FloatingAddresses {
    addresses: Addresses,
    /// Those that were started and that nobody asked to stop since.
    held: BTreeMap<IpAddr, Held>,
    look_at: Instant,
    announcements: Announcements,
    /// Opened with the first announcement, because it needs a privilege that the rest does not.
    socket: Option<PacketSocket>,
    share: usize,
}

#[derive(Debug)]
struct Held {
    spec: AddressSpec,
    tag: String,
    /// It is gone and cannot be put back; this was told.
    is_lost: bool,
}

impl FloatingAddresses {
    pub fn open() -> io::Result<Self> {
        let addresses = Addresses::open()?;
        Ok(Self {
            addresses,
            held: BTreeMap::new(),
            look_at: Instant::default(),
            announcements: Announcements::default(),
            socket: None,
            share: 0,
        })
    }

    /// From now on the kernel is asked anew, and at most `share` times for something to be done.
    pub fn begin_turn(&mut self, share: usize) {
        self.addresses.forget();
        self.share = share;
    }

    pub fn share_is_used_up(&self) -> bool {
        self.share == 0
    }

    /// Carries out an action. An address that is there already when it is to be started is announced all
    /// the same: whoever had it before may have spoken last.
    pub fn run(
        &mut self,
        now: Instant,
        spec: &AddressSpec,
        agent: &str,
        action: Action,
        is_start: bool,
    ) -> Answer {
        self.share = self.share.saturating_sub(1);
        let tag = format!("{agent}({agent}_{})", spec.address);
        let answer = match action {
            Action::Status => self.status(now, spec, &tag, is_start),
            Action::Start => self.start(now, spec, &tag).map(|()| Answer::Succeeded),
            Action::Stop => self.stop(spec, &tag).map(|()| Answer::Succeeded),
        };
        answer.unwrap_or_else(|error| {
            log::error!(target: &tag, "{error}");
            if action == Action::Status {
                Answer::Found(Standing::Unknown)
            } else {
                Answer::Failed
            }
        })
    }

    /// From now on it is not put back if it is missed.
    pub fn let_go(&mut self, address: IpAddr) {
        self.held.remove(&address);
    }

    /// Puts back what somebody else removed: a person, or a program that sets up an interface anew.
    pub fn restore(&mut self, now: Instant) {
        if self.held.is_empty() || self.look_at > now {
            return;
        }
        self.look_at = now + LOOK;
        let mut held = std::mem::take(&mut self.held);
        for (address, held) in &mut held {
            let tag = &held.tag;
            let put_back = match self.addresses.holders(&held.spec) {
                Ok(holders) if holders.is_empty() => self.put_back(now, held),
                Ok(_) => {
                    held.is_lost = false;
                    continue;
                }
                Err(error) => {
                    log::debug!(target: tag, "{error}");
                    break;
                }
            };
            match put_back {
                Ok(place) => {
                    log::warn!(target: tag, "Somebody removed {address}; it is added again: {place}");
                    held.is_lost = false;
                }
                Err(error) if !held.is_lost => {
                    log::error!(
                        target: tag,
                        "Somebody removed {address}. It cannot be added again: {error}. It is tried every {} s",
                        LOOK.as_secs(),
                    );
                    held.is_lost = true;
                }
                Err(_) => {}
            }
        }
        self.held = held;
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
        announcement.into_iter().chain(look).min()
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
            if !holders.is_empty() {
                self.hold(spec, tag);
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
        self.hold(spec, tag);
        log::info!(target: tag, "Success");
        Ok(())
    }

    fn put_back(&mut self, now: Instant, held: &Held) -> Result<Placement, AddressError> {
        let placement = self.addresses.place(&held.spec)?;
        self.addresses.add(&placement)?;
        self.begin_announcing(now, held.spec.address, &placement.interface, &held.tag);
        Ok(placement)
    }

    fn hold(&mut self, spec: &AddressSpec, tag: &str) {
        let held = Held {
            spec: spec.clone(),
            tag: tag.to_owned(),
            is_lost: false,
        };
        self.held.insert(spec.address, held);
    }

    fn stop(&mut self, spec: &AddressSpec, tag: &str) -> Result<(), AddressError> {
        // Whatever becomes of the removal: an address that is given up must not be announced any more.
        self.let_go(spec.address);
        self.announcements.cancel(spec.address);
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
