//! A capture, or what came out of a serial line, from a file or from standard input.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGINT;

use super::output::Next;
use super::{Failure, Options, Output, Pair};
use crate::message::TextFrames;
use crate::sniff::capture::{Capture, CaptureError, Format, Frame};
use crate::sniff::packet::unwrap;
use crate::sniff::{Heard, Losses, Sieve, Sniffer};

/// So much is read at once.
const PIECE: usize = 64 * 1024;
/// What a shell says of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// Shows everything in a file.
pub(super) fn run(options: &Options, path: &Path, pair: Pair) -> Result<(), Failure> {
    let name = path.display().to_string();
    let mut input: Box<dyn Read> = if name == "-" {
        outlive_the_sender();
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path)
            .map_err(|error| Failure::of(&format!("cannot open {name}"), &error))?;
        Box::new(file)
    };
    let mut piece = vec![0; PIECE];
    let first = first_piece(&mut input, &mut piece)
        .map_err(|error| Failure::of(&format!("cannot read {name}"), &error))?;
    let mut reading = Reading::new(options, pair, piece.get(..first).unwrap_or_default());
    let mut count = first;
    let mut next = Next::GoOn;
    let mut problem = None;
    while count > 0 && next == Next::GoOn {
        match reading.take(piece.get(..count).unwrap_or_default()) {
            Ok(found) => next = found,
            Err(Stop::Output(failure)) => return Err(failure),
            Err(Stop::Capture(error)) => {
                problem = Some(error.to_string());
                break;
            }
        }
        if next == Next::GoOn {
            count = match input.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => {
                    read.map_err(|error| Failure::of(&format!("cannot read {name}"), &error))?
                }
            };
        }
    }
    let problem = problem.or_else(|| {
        (next == Next::GoOn)
            .then(|| reading.complaint(first))
            .flatten()
    });
    reading.finish()?;
    problem.map_or(Ok(()), |problem| {
        Err(Failure::new(format!("{name}: {problem}")))
    })
}

/// A first Ctrl-C ends whoever writes into our standard input, and with that the input; the summary is still to come.
/// A second one ends us.
fn outlive_the_sender() {
    let interrupted = Arc::new(AtomicBool::new(false));
    // In this order: the first looks at what the second sets. Refused only for signals that nobody may catch.
    let _ = signal_hook::flag::register_conditional_shutdown(
        SIGINT,
        INTERRUPTED,
        Arc::clone(&interrupted),
    );
    let _ = signal_hook::flag::register(SIGINT, interrupted);
}

/// At least four bytes, if there are so many.
fn first_piece(input: &mut dyn Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < 4 {
        match input.read(piece.get_mut(length..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(count) => length = length.saturating_add(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Why reading ends early.
enum Stop {
    Output(Failure),
    Capture(CaptureError),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Output(failure)
    }
}

impl From<CaptureError> for Stop {
    fn from(error: CaptureError) -> Self {
        Self::Capture(error)
    }
}

enum Source {
    Capture(Box<Capture>, Sieve),
    Serial(TextFrames),
}

/// A file on its way through.
struct Reading {
    source: Source,
    sniffer: Sniffer,
    output: Output,
    /// What links are called that the file does not name.
    link: String,
    found: u64,
}

impl Reading {
    fn new(options: &Options, pair: Pair, first: &[u8]) -> Self {
        let (source, kind) = match Capture::new(Format::of(first)) {
            Some(capture) => {
                let sieve = Sieve::new(pair.ports(options), options.ports.is_empty());
                (Source::Capture(Box::new(capture), sieve), "net")
            }
            None => (Source::Serial(TextFrames::new()), "serial"),
        };
        let link = options
            .interfaces
            .first()
            .map_or(kind, String::as_str)
            .to_owned();
        Self {
            source,
            output: Output::new(options, std::iter::once(link.as_str())),
            sniffer: Sniffer::new(pair.settings),
            link,
            found: 0,
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Next, Stop> {
        match &mut self.source {
            Source::Capture(capture, sieve) => {
                capture.push(bytes);
                while let Some(frame) = capture.next_frame()? {
                    let Some(next) = show(
                        frame,
                        &self.link,
                        sieve,
                        &mut self.sniffer,
                        &mut self.output,
                    ) else {
                        continue;
                    };
                    self.found = self.found.saturating_add(1);
                    if next? == Next::Stop {
                        return Ok(Next::Stop);
                    }
                }
            }
            Source::Serial(frames) => {
                frames.push(bytes);
                while let Some(text) = frames.next_frame() {
                    let heard = Heard {
                        time: None,
                        link: &self.link,
                        direction: None,
                        source: None,
                        destination: None,
                        pieces: 1,
                        is_cut: false,
                        bytes: text,
                    };
                    self.found = self.found.saturating_add(1);
                    if self.output.show(&self.sniffer.hear(&heard), None)? == Next::Stop {
                        return Ok(Next::Stop);
                    }
                }
            }
        }
        Ok(Next::GoOn)
    }

    /// What there is to complain of at the end of a file whose beginning had this length.
    fn complaint(&self, first: usize) -> Option<String> {
        match &self.source {
            _ if first == 0 => Some("is empty".to_owned()),
            Source::Capture(capture, _) if capture.left_over() > 0 => Some(format!(
                "the capture is cut off: {} bytes of a record are left",
                capture.left_over()
            )),
            Source::Serial(_) if self.found == 0 => Some(
                "is neither a capture (pcap, pcapng) nor holds it messages of a serial line"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn finish(&self) -> Result<(), Failure> {
        let incomplete = match &self.source {
            Source::Capture(_, sieve) => sieve.incomplete(),
            Source::Serial(_) => 0,
        };
        let losses = Losses {
            incomplete,
            dropped: 0,
        };
        self.output.finish(&self.sniffer, losses)
    }
}

/// Shows what a frame holds, if it concerns us.
fn show(
    frame: Frame<'_>,
    link: &str,
    sieve: &mut Sieve,
    sniffer: &mut Sniffer,
    output: &mut Output,
) -> Option<Result<Next, Failure>> {
    let unwrapped = unwrap(frame.layer, frame.bytes)?;
    let number = unwrapped.interface.unwrap_or(0);
    let caught = sieve.take(number, frame.time, unwrapped.packet)?;
    let numbered = unwrapped.interface.map(|number| format!("if{number}"));
    let heard = Heard {
        time: frame.time,
        link: frame.interface.or(numbered.as_deref()).unwrap_or(link),
        direction: unwrapped.direction,
        source: Some(caught.source),
        destination: Some(caught.destination),
        pieces: caught.pieces,
        is_cut: caught.is_cut,
        bytes: &caught.payload,
    };
    Some(output.show(&sniffer.hear(&heard), frame.time))
}
