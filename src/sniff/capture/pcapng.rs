//! pcapng: blocks in sections, each section with its own byte order and its own interfaces.

use std::time::Duration;

use super::{CaptureError, Endian, Found, LinkLayer, MAX_RECORD, Step};
use crate::sniff::escape::printable;

const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const SIMPLE_PACKET: u32 = 3;
const PACKET: u32 = 6;
const OPTION_NAME: u16 = 2;
const OPTION_UNITS: u16 = 9;
/// Type and length before a block's body, length after it.
const HEAD: usize = 8;
const TAIL: usize = 4;
/// More interfaces than any machine with two nodes' worth of cables has.
const MOST_INTERFACES: usize = 256;
/// The longest name of an interface that is shown.
const LONGEST_NAME: usize = 32;

/// Whether a stream begins like this format.
pub(super) fn is_start(first: &[u8]) -> bool {
    first.starts_with(&SECTION)
}

/// What the current section said.
#[derive(Debug, Default)]
pub(super) struct Reader {
    order: Option<Endian>,
    interfaces: Vec<Interface>,
}

#[derive(Debug)]
struct Interface {
    layer: Option<LinkLayer>,
    name: Option<String>,
    units: u8,
}

impl Reader {
    /// The name of an interface, if the capture has it.
    pub(super) fn name(&self, index: usize) -> Option<&str> {
        self.interfaces.get(index)?.name.as_deref()
    }

    pub(super) fn step(&mut self, bytes: &[u8]) -> Result<Step, CaptureError> {
        if bytes.len() < HEAD + TAIL {
            return Ok(Step::Wait);
        }
        let damaged = CaptureError::Damaged(0);
        if bytes.starts_with(&SECTION) {
            let orders = [Endian::Big, Endian::Little];
            let order = orders
                .into_iter()
                .find(|order| order.u32_at(bytes, 8) == Some(ORDER));
            self.order = Some(order.ok_or(damaged)?);
            self.interfaces.clear();
        }
        let order = self.order.ok_or(damaged)?;
        let length = order.length_at(bytes, 4).ok_or(damaged)?;
        if length % 4 != 0 || length < HEAD + TAIL {
            return Err(damaged);
        }
        let Some(block) = bytes.get(..length) else {
            return Ok(Step::Wait);
        };
        let body = block
            .get(HEAD..length.saturating_sub(TAIL))
            .unwrap_or_default();
        let found = match order.u32_at(block, 0) {
            Some(INTERFACE) => {
                self.add_interface(order, body);
                None
            }
            Some(PACKET) => self.packet(order, body),
            Some(SIMPLE_PACKET) => self.simple_packet(order, body),
            _ => None,
        };
        Ok(found.map_or(Step::Skip(length), |found| Step::Frame(found, length)))
    }

    fn add_interface(&mut self, order: Endian, body: &[u8]) {
        if self.interfaces.len() >= MOST_INTERFACES {
            return;
        }
        let number = order.u16_at(body, 0).unwrap_or(u16::MAX);
        let mut interface = Interface {
            layer: LinkLayer::from_number(number.into()),
            name: None,
            units: 6,
        };
        let mut rest = body.get(8..).unwrap_or_default();
        while let (Some(code), Some(length)) = (order.u16_at(rest, 0), order.u16_at(rest, 2)) {
            let length = usize::from(length);
            let Some(value) = rest.get(4..length.saturating_add(4)) else {
                break;
            };
            match (code, value) {
                (0, _) => break,
                (OPTION_NAME, name) => interface.name = Some(printable(name, LONGEST_NAME)),
                (OPTION_UNITS, [units, ..]) => interface.units = *units,
                _ => {}
            }
            rest = rest
                .get(length.next_multiple_of(4).saturating_add(4)..)
                .unwrap_or_default();
        }
        self.interfaces.push(interface);
    }

    fn packet(&self, order: Endian, body: &[u8]) -> Option<Found> {
        let index = order.length_at(body, 0)?;
        let interface = self.interfaces.get(index)?;
        let (high, low) = (order.u32_at(body, 4)?, order.u32_at(body, 8)?);
        let kept = order.length_at(body, 12)?;
        let bytes = frame(20, kept, body)?;
        Some(Found {
            time: time((u64::from(high) << 32) | u64::from(low), interface.units),
            layer: interface.layer?,
            interface: Some(index),
            bytes,
        })
    }

    /// Without a time, and cut at the first interface's length if at all.
    fn simple_packet(&self, order: Endian, body: &[u8]) -> Option<Found> {
        let length = order.u32_at(body, 0)?;
        let length = usize::try_from(length).unwrap_or(MAX_RECORD);
        let kept = length.min(body.len().saturating_sub(4));
        Some(Found {
            time: None,
            layer: self.interfaces.first()?.layer?,
            interface: Some(0),
            bytes: frame(4, kept, body)?,
        })
    }
}

/// Where a frame lies in its block.
fn frame(start: usize, length: usize, body: &[u8]) -> Option<std::ops::Range<usize>> {
    let end = start.checked_add(length)?;
    (end <= body.len()).then_some(start + HEAD..end + HEAD)
}

/// Since 1970, from a count of units: powers of ten, or with the top bit of two.
fn time(count: u64, units: u8) -> Option<Duration> {
    let power = u32::from(units & 0x7f);
    let per_second = if units & 0x80 == 0 {
        10_u64.checked_pow(power)?
    } else {
        1_u64.checked_shl(power)?
    };
    let nanoseconds = u128::from(count % per_second) * 1_000_000_000 / u128::from(per_second);
    Some(Duration::new(
        count / per_second,
        u32::try_from(nanoseconds).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::super::{Capture, Format};
    use super::*;

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = u32::try_from(body.len() + HEAD + TAIL).expect("short");
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend(length.to_le_bytes());
        bytes.extend(body);
        bytes.extend(length.to_le_bytes());
        bytes
    }

    fn example() -> Vec<u8> {
        let section = [&ORDER.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
        let interface = [
            &[1, 0, 0, 0, 0, 0, 0, 0][..],
            &[2, 0, 4, 0],
            b"eth7",
            &[9, 0, 1, 0, 9, 0, 0, 0],
            &[0; 4],
        ]
        .concat();
        let nanoseconds: u64 = 1_795_198_608_000_000_500;
        let (high, low) = (
            u32::try_from(nanoseconds >> 32).expect("half"),
            u32::try_from(nanoseconds & 0xffff_ffff).expect("half"),
        );
        let mut packet = Vec::new();
        for number in [0, high, low, 3, 3] {
            packet.extend(number.to_le_bytes());
        }
        packet.extend(b"abc");
        [
            block(0x0a0d_0d0a, &section),
            block(INTERFACE, &interface),
            block(5, b"statistics"),
            block(PACKET, &packet),
            block(SIMPLE_PACKET, b"\x02\0\0\0de"),
        ]
        .concat()
    }

    #[test]
    fn frames_come_with_the_name_of_their_interface() {
        let bytes = example();
        for piece in [1, 5, bytes.len()] {
            let mut capture = Capture::new(Format::of(&bytes)).expect("a capture");
            let mut frames = Vec::new();
            for part in bytes.chunks(piece) {
                capture.push(part);
                while let Some(frame) = capture.next_frame().expect("sound") {
                    assert_eq!(frame.interface, Some("eth7"));
                    frames.push((frame.time, frame.bytes.to_vec()));
                }
            }
            let time = Duration::new(1_795_198_608, 500);
            assert_eq!(
                frames,
                [(Some(time), b"abc".to_vec()), (None, b"de".to_vec())]
            );
            assert_eq!(capture.left_over(), 0);
        }
    }

    #[test]
    fn times_are_powers_of_ten_or_two() {
        assert_eq!(time(1_500_000, 6), Some(Duration::from_millis(1500)));
        assert_eq!(time(1536, 0x8a), Some(Duration::from_millis(1500)));
        assert_eq!(time(1, 0xc0), None);
        assert_eq!(time(1, 60), None);
    }

    #[test]
    fn a_length_that_makes_no_sense_ends_the_reading() {
        for length in [0_u32, 8, 13, 0x7fff_fffc] {
            let mut bytes = example();
            bytes[32..36].copy_from_slice(&length.to_le_bytes());
            let mut capture = Capture::new(Format::PcapNg).expect("a capture");
            capture.push(&bytes);
            assert_eq!(capture.next_frame(), Err(CaptureError::Damaged(28)));
        }
    }
}
