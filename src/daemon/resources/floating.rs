//! Built-in addresses: added, removed and announced without a child process.

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
use crate::resource::{Action, Standing};

/// The addresses of this machine, and those that are being announced.
#[derive(Debug)]
pub(super) struct FloatingAddresses {
    addresses: Addresses,
    announcements: Announcements,
    /// Opened with the first announcement, because it needs a privilege that the rest does not.
    socket: Option<PacketSocket>,
    share: usize,
}

impl FloatingAddresses {
    pub fn open() -> io::Result<Self> {
        let addresses = Addresses::open()?;
        Ok(Self {
            addresses,
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
        let micros = self.announcements.next_deadline()?.as_micros();
        Some(Instant::from_micros(
            u64::try_from(micros).unwrap_or(u64::MAX),
        ))
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
        log::info!(target: tag, "Success");
        Ok(())
    }

    fn stop(&mut self, spec: &AddressSpec, tag: &str) -> Result<(), AddressError> {
        // Whatever becomes of the removal: an address that is given up must not be announced any more.
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
