//! Hearing on the networks who says that he has an address of ours. Whatever is shouted there costs little: what does
//! not concern us stays in the kernel, and who shouts too much is not listened to for a while.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use crate::cluster::Instant;
use crate::os::claim_tap::{Claim, ClaimTap};

/// So many claims within this time are a flood.
const MANY: u32 = 64;
const WITHIN: Duration = Duration::from_millis(100);
/// For so long nobody is listened to after that.
const PAUSE: Duration = Duration::from_secs(1);

/// Sockets that hear claims, opened when there is something to hear.
#[derive(Debug)]
pub(super) struct Ears {
    registry: Registry,
    token: Token,
    /// IPv4, IPv6.
    taps: [Option<ClaimTap>; 2],
    /// What the taps are set to.
    concern: Vec<IpAddr>,
    /// It can't be heard, and that was told.
    is_deaf: bool,
    /// There may be something.
    stirred: bool,
    heard: u32,
    since: Instant,
    muted_until: Option<Instant>,
}

impl Ears {
    /// What can be heard is signalled under `token`.
    pub fn new(registry: Registry, token: Token) -> Self {
        Self {
            registry,
            token,
            taps: [None, None],
            concern: Vec::new(),
            is_deaf: false,
            stirred: false,
            heard: 0,
            since: Instant::default(),
            muted_until: None,
        }
    }

    /// A descriptor has become readable.
    pub fn stir(&mut self) {
        self.stirred = true;
    }

    /// Whether claims can be heard at all, as far as that was tried.
    pub fn hear_nothing(&self) -> bool {
        self.is_deaf
    }

    /// Listens for claims of these addresses and no others.
    pub fn listen(&mut self, now: Instant, concern: Vec<IpAddr>) {
        self.concern = concern;
        if self.muted_until.is_none_or(|until| until <= now) {
            self.muted_until = None;
            self.set(true);
        }
    }

    /// A claim that was heard; none for now when there is no more, or too many came. Never blocks.
    pub fn hear(&mut self, now: Instant) -> Option<Claim> {
        if self.muted_until.is_some_and(|until| until <= now) {
            self.muted_until = None;
            self.set(true);
        }
        while std::mem::take(&mut self.stirred) {
            if now.since(self.since) >= WITHIN {
                (self.since, self.heard) = (now, 0);
            }
            if self.heard >= MANY {
                self.muted_until = Some(now + PAUSE);
                self.set(false);
                log::debug!(
                    "More than {MANY} claims of addresses within {WITHIN:?}: some are not heard"
                );
                return None;
            }
            let received = self.taps.iter().flatten().map(ClaimTap::receive);
            let would_block = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
            let mut received =
                received.filter(|received| !received.as_ref().is_err_and(would_block));
            let Some(claim) = received.next() else { break };
            drop(received);
            self.stirred = true;
            self.heard = self.heard.saturating_add(1);
            // An error: an interface went down, say.
            if let Ok(Some(claim)) = claim {
                return Some(claim);
            }
        }
        None
    }

    /// When [`hear`](Self::hear) is to be called without being woken.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.muted_until
    }

    fn set(&mut self, listens: bool) {
        for (tap, is_ipv4) in self.taps.iter_mut().zip([true, false]) {
            let concern = self.concern.iter().copied();
            let concern: Vec<IpAddr> = concern
                .filter(|address| listens && address.is_ipv4() == is_ipv4)
                .collect();
            if tap.is_none() && concern.is_empty() {
                continue;
            }
            let set = open(tap, is_ipv4, &self.registry, self.token)
                .and_then(|tap| tap.only(concern.into_iter()));
            match set {
                Ok(()) => self.stirred = true,
                Err(error) if !std::mem::replace(&mut self.is_deaf, true) => log::warn!(
                    "Cannot hear whether other machines have floating addresses of this node: {error}"
                ),
                Err(_) => {}
            }
        }
    }
}

fn open<'a>(
    tap: &'a mut Option<ClaimTap>,
    is_ipv4: bool,
    registry: &Registry,
    token: Token,
) -> io::Result<&'a ClaimTap> {
    if tap.is_none() {
        let opened = ClaimTap::open(is_ipv4)?;
        let mut descriptor = SourceFd(&opened.as_raw_fd());
        registry.register(&mut descriptor, token, Interest::READABLE)?;
        *tap = Some(opened);
    }
    tap.as_ref()
        .ok_or_else(|| io::Error::other("it was opened just now"))
}
