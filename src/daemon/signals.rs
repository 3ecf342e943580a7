//! Signals as an ordinary source of the event loop.

use std::io;

use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook_mio::v1_0::Signals as Source;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// TERM: a clean stop.
    Stop,
    /// HUP: read the configuration again.
    Reload,
    /// USR1: one more level of debug lines.
    MoreDebug,
    /// USR2: one less.
    LessDebug,
    /// CHLD: a child ended.
    Child,
}

/// The signals that are taken care of.
pub struct Signals(Source);

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signals")
    }
}

impl Signals {
    /// From here on no signal listed below ends the process.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn open(registry: &Registry, token: Token) -> io::Result<Self> {
        // INT is ignored as ever: a Ctrl-C in the terminal of an administrator must not move resources.
        // PIPE is not among them: the runtime ignores it, and at our end, once nobody reads there any more, the handler of
        // any signal would raise it, its own too, without end.
        let mut source = Source::new([SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGINT])?;
        registry.register(&mut source, token, Interest::READABLE)?;
        Ok(Self(source))
    }

    /// What has come since this was last asked.
    pub fn pending(&mut self) -> impl Iterator<Item = Signal> + '_ {
        self.0.pending().filter_map(|number| match number {
            SIGTERM => Some(Signal::Stop),
            SIGHUP => Some(Signal::Reload),
            SIGUSR1 => Some(Signal::MoreDebug),
            SIGUSR2 => Some(Signal::LessDebug),
            SIGCHLD => Some(Signal::Child),
            _ => None,
        })
    }
}
