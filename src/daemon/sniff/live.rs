//! The network as it is now: a tap on every interface.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use super::output::Next;
use super::{Failure, Options, Output, Pair};
use crate::config::MediumKind;
use crate::daemon::clock;
use crate::daemon::terminal::say;
use crate::os::interface;
use crate::os::packet_tap::{PacketTap, Tapped};
use crate::sniff::packet::Direction;
use crate::sniff::{Heard, Losses, Sieve, Sniffer};

/// An IP packet is not longer.
const LONGEST_PACKET: usize = 65_536;
const LOOPBACK: &str = "lo";

/// Shows what goes over the interfaces until it is interrupted.
pub(super) fn run(options: &Options, mut pair: Pair) -> Result<(), Failure> {
    let ports = pair.ports(options);
    let names = interfaces(options, &pair)?;
    let taps = open(&names, &ports)?;
    announce(&taps, &ports, &pair);
    pair.settings.links = taps.iter().map(|tap| tap.name.clone()).collect();
    pair.settings.local_node = pair.config.as_ref().map(|config| config.local_node.clone());
    let mut listening = Listening {
        output: Output::new(options, taps.iter().map(|tap| tap.name.as_str())),
        sieve: Sieve::new(ports, false),
        sniffer: Sniffer::new(pair.settings),
        buffer: vec![0; LONGEST_PACKET],
        dropped: 0,
        taps,
    };
    listening.run()?;
    let losses = Losses {
        incomplete: listening.sieve.incomplete(),
        dropped: listening.dropped,
    };
    listening.output.finish(&listening.sniffer, losses)
}

/// One interface.
struct Tap {
    name: String,
    number: u32,
    socket: PacketTap,
}

/// The names given, else those of the media.
fn interfaces(options: &Options, pair: &Pair) -> Result<Vec<String>, Failure> {
    if !options.interfaces.is_empty() {
        return Ok(options.interfaces.clone());
    }
    let Some(config) = &pair.config else {
        return Err(Failure::new(
            "which interface? Without a valid configuration, name one with --interface",
        ));
    };
    let is_network = |kind: &MediumKind| !matches!(kind, MediumKind::Serial { .. });
    let media = config
        .media
        .iter()
        .filter(|medium| is_network(&medium.kind));
    let mut names: Vec<String> = media.map(|medium| medium.link.clone()).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err(Failure::new(
            "ha.cf names serial lines only, and what comes out of one can't be shared with the daemon: record it \
             elsewhere and give the file",
        ));
    }
    Ok(names)
}

/// Opens all that can be opened; an error when that is none.
fn open(names: &[String], ports: &[u16]) -> Result<Vec<Tap>, Failure> {
    let mut taps = Vec::new();
    let mut failure = None;
    for name in names {
        let opened =
            interface::index(name).and_then(|number| Ok((number, PacketTap::open(number, ports)?)));
        match opened {
            Ok((number, socket)) => taps.push(Tap {
                name: name.clone(),
                number,
                socket,
            }),
            Err(error) => {
                let failed = Failure::of(&format!("cannot listen on {name}"), &error);
                if let Some(Failure { text, .. }) = failure.replace(failed) {
                    say(&format!("heartbeat sniff: {text}\n"));
                }
            }
        }
    }
    match failure {
        Some(failure) if taps.is_empty() => Err(failure),
        Some(Failure { text, .. }) => {
            say(&format!("heartbeat sniff: {text}\n"));
            Ok(taps)
        }
        None => Ok(taps),
    }
}

fn announce(taps: &[Tap], ports: &[u16], pair: &Pair) {
    let names: Vec<&str> = taps.iter().map(|tap| tap.name.as_str()).collect();
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let mut text = format!(
        "listening on {}, UDP port {}; Ctrl-C ends it with a summary\n",
        names.join(", "),
        ports.join(", ")
    );
    let media = pair.config.iter().flat_map(|config| &config.media);
    for medium in media.filter(|medium| matches!(medium.kind, MediumKind::Serial { .. })) {
        text.push_str(&medium.link);
        text.push_str(
            " is not listened to: what is read from a serial line is taken from the daemon\n",
        );
    }
    say(&text);
}

struct Listening {
    taps: Vec<Tap>,
    sieve: Sieve,
    sniffer: Sniffer,
    output: Output,
    buffer: Vec<u8>,
    dropped: u64,
}

impl Listening {
    /// Until a signal comes, or enough was shown.
    fn run(&mut self) -> Result<(), Failure> {
        let cannot = |error| Failure::of("cannot wait for packets", &error);
        let mut poll = Poll::new().map_err(cannot)?;
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(cannot)?;
        for (index, tap) in self.taps.iter().enumerate() {
            let descriptor = tap.socket.as_fd().as_raw_fd();
            let mut source = SourceFd(&descriptor);
            poll.registry()
                .register(&mut source, Token(index), Interest::READABLE)
                .map_err(cannot)?;
        }
        poll.registry()
            .register(&mut signals, Token(self.taps.len()), Interest::READABLE)
            .map_err(cannot)?;
        let mut events = Events::with_capacity(64);
        loop {
            match poll.poll(&mut events, None) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(cannot(error)),
                _ => {}
            }
            // Every tap is read until it is empty: readiness is told once.
            for index in 0..self.taps.len() {
                loop {
                    match self.receive(index)? {
                        Some(Next::GoOn) => {}
                        Some(Next::Stop) => return Ok(()),
                        None => break,
                    }
                    if signals.pending().next().is_some() {
                        return Ok(());
                    }
                }
            }
            if signals.pending().next().is_some() {
                return Ok(());
            }
        }
    }

    /// Shows the next packet of a tap; `None` when it has none.
    fn receive(&mut self, index: usize) -> Result<Option<Next>, Failure> {
        let Some(tap) = self.taps.get(index) else {
            return Ok(None);
        };
        let tapped = match tap.socket.receive(&mut self.buffer) {
            Ok(tapped) => tapped,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.dropped = self.dropped.saturating_add(tap.socket.dropped());
                return Ok(None);
            }
            // The interface went down; it is heard again when it is back.
            Err(error) if is_passing(&error) => return Ok(None),
            Err(error) => {
                return Err(Failure::of(
                    &format!("cannot listen on {}", tap.name),
                    &error,
                ));
            }
        };
        // On the loopback interface each packet goes out and comes in.
        if !tapped.is_ip || tapped.is_outgoing && tap.name == LOOPBACK {
            return Ok(Some(Next::GoOn));
        }
        let packet = self.buffer.get(..tapped.length).unwrap_or_default();
        let time = tapped.time.or_else(|| Some(clock::wall()));
        let Some(caught) = self.sieve.take(tap.number, time, packet) else {
            return Ok(Some(Next::GoOn));
        };
        let heard = Heard {
            time,
            link: &tap.name,
            direction: Some(direction(tapped)),
            source: Some(caught.source),
            destination: Some(caught.destination),
            pieces: caught.pieces,
            is_cut: caught.is_cut,
            bytes: &caught.payload,
        };
        self.output.show(&self.sniffer.hear(&heard), time).map(Some)
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Interrupted | ErrorKind::NetworkDown
    )
}

fn direction(tapped: Tapped) -> Direction {
    if tapped.is_outgoing {
        Direction::Out
    } else {
        Direction::In
    }
}
