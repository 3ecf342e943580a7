//! Capture files taken apart: the classic format of tcpdump in all its variants, and pcapng.
//!
//! Bytes go in as they are read, frames come out; what waits in between is bounded by [`MAX_RECORD`].

mod pcap;
mod pcapng;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// No record of a capture is larger; tcpdump itself keeps to a quarter of it.
pub const MAX_RECORD: usize = 1 << 20;

/// What precedes the IP packet in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkLayer {
    /// Ethernet, VLAN tags included.
    Ethernet,
    /// What `tcpdump -i any` writes.
    Cooked,
    /// The same, second version.
    Cooked2,
    /// Nothing.
    Ip,
}

impl LinkLayer {
    fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Ethernet),
            113 => Some(Self::Cooked),
            276 => Some(Self::Cooked2),
            12 | 14 | 101 | 228 | 229 => Some(Self::Ip),
            _ => None,
        }
    }
}

/// One frame of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When it was captured, since 1970.
    pub time: Option<Duration>,
    /// What its bytes begin with.
    pub layer: LinkLayer,
    /// The interface, where the capture names it.
    pub interface: Option<&'a str>,
    /// What was kept of it.
    pub bytes: &'a [u8],
}

/// Why a capture can't be read, or not further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureError {
    /// A kind of link that we don't know.
    UnknownLink(u32),
    /// What should be a record is none.
    Damaged(u64),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLink(number) => write!(
                f,
                "frames of link type {number} can't be read; Ethernet, Linux cooked (tcpdump -i any) and raw IP can"
            ),
            Self::Damaged(place) => write!(f, "the capture is damaged at byte {place}"),
        }
    }
}

/// What a stream of bytes is, judged by its first four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The classic format.
    Pcap,
    /// The format of Wireshark.
    PcapNg,
    /// None of them: perhaps what came out of a serial line.
    Other,
}

impl Format {
    /// Looks at the first four bytes.
    pub fn of(first: &[u8]) -> Self {
        if pcap::is_start(first) {
            Self::Pcap
        } else if pcapng::is_start(first) {
            Self::PcapNg
        } else {
            Self::Other
        }
    }
}

/// A capture on its way in.
#[derive(Debug)]
pub struct Capture {
    buffer: Vec<u8>,
    /// Everything before this is done with.
    done: usize,
    /// How many bytes were drained from the buffer.
    before: u64,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Pcap(pcap::Reader),
    PcapNg(pcapng::Reader),
}

/// A record, or what stands where one should be.
#[derive(Debug)]
enum Step {
    /// The record is not complete.
    Wait,
    /// So many bytes hold nothing for us.
    Skip(usize),
    /// A frame in a record of so many bytes.
    Frame(Found, usize),
}

/// Where a frame lies in the bytes that were looked at.
#[derive(Debug)]
struct Found {
    time: Option<Duration>,
    layer: LinkLayer,
    /// Place in the reader's table of interfaces.
    interface: Option<usize>,
    bytes: Range<usize>,
}

impl Capture {
    /// A capture of this format; `None` for [`Format::Other`].
    pub fn new(format: Format) -> Option<Self> {
        let reader = match format {
            Format::Pcap => Reader::Pcap(pcap::Reader::default()),
            Format::PcapNg => Reader::PcapNg(pcapng::Reader::default()),
            Format::Other => return None,
        };
        Some(Self {
            buffer: Vec::new(),
            done: 0,
            before: 0,
            reader,
        })
    }

    /// Takes what was read. Take frames until there are none before the next call.
    pub fn push(&mut self, bytes: &[u8]) {
        let done = std::mem::take(&mut self.done).min(self.buffer.len());
        self.buffer.drain(..done);
        self.before = self
            .before
            .saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if it has come as a whole.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let (found, start) = loop {
            let rest = self.buffer.get(self.done..).unwrap_or_default();
            let step = match &mut self.reader {
                Reader::Pcap(reader) => reader.step(rest),
                Reader::PcapNg(reader) => reader.step(rest),
            };
            match step {
                Ok(Step::Wait) => return Ok(None),
                Ok(Step::Skip(length)) => self.done = self.done.saturating_add(length),
                Ok(Step::Frame(found, length)) => {
                    let start = self.done;
                    self.done = start.saturating_add(length);
                    break (found, start);
                }
                Err(CaptureError::Damaged(_)) => {
                    let done = u64::try_from(self.done).unwrap_or(u64::MAX);
                    return Err(CaptureError::Damaged(self.before.saturating_add(done)));
                }
                Err(error) => return Err(error),
            }
        };
        let range = found.bytes.start.saturating_add(start)..found.bytes.end.saturating_add(start);
        let interface = match &self.reader {
            Reader::Pcap(_) => None,
            Reader::PcapNg(reader) => found.interface.and_then(|index| reader.name(index)),
        };
        Ok(Some(Frame {
            time: found.time,
            layer: found.layer,
            interface,
            bytes: self.buffer.get(range).unwrap_or_default(),
        }))
    }

    /// How many bytes of an incomplete record there are.
    pub fn left_over(&self) -> usize {
        self.buffer.len().saturating_sub(self.done)
    }
}

/// The order of the bytes in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endian {
    Big,
    Little,
}

impl Endian {
    fn u32_at(self, bytes: &[u8], place: usize) -> Option<u32> {
        let end = place.checked_add(4)?;
        let number = bytes.get(place..end)?.try_into().ok()?;
        Some(match self {
            Self::Big => u32::from_be_bytes(number),
            Self::Little => u32::from_le_bytes(number),
        })
    }

    fn u16_at(self, bytes: &[u8], place: usize) -> Option<u16> {
        let end = place.checked_add(2)?;
        let number = bytes.get(place..end)?.try_into().ok()?;
        Some(match self {
            Self::Big => u16::from_be_bytes(number),
            Self::Little => u16::from_le_bytes(number),
        })
    }

    /// A length or a place, at most [`MAX_RECORD`].
    fn length_at(self, bytes: &[u8], place: usize) -> Option<usize> {
        let length = usize::try_from(self.u32_at(bytes, place)?).ok()?;
        (length <= MAX_RECORD).then_some(length)
    }
}
