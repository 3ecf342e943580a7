//! The classic format: one header, then records; both byte orders, micro- and nanoseconds.

use std::time::Duration;

use super::{CaptureError, Endian, Found, LinkLayer, Step};

const HEADER: usize = 24;
const RECORD: usize = 16;
const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;

/// Whether a stream begins like this format.
pub(super) fn is_start(first: &[u8]) -> bool {
    numbers(first).is_some()
}

/// Byte order and units of the time, from the first number.
fn numbers(first: &[u8]) -> Option<(Endian, u32)> {
    [Endian::Big, Endian::Little]
        .into_iter()
        .find_map(|order| match order.u32_at(first, 0)? {
            MICROSECONDS => Some((order, 1000)),
            NANOSECONDS => Some((order, 1)),
            _ => None,
        })
}

/// What the header said.
#[derive(Debug, Default)]
pub(super) struct Reader {
    header: Option<Header>,
}

#[derive(Debug, Clone, Copy)]
struct Header {
    order: Endian,
    /// Nanoseconds in one unit of the time.
    unit: u32,
    layer: LinkLayer,
}

impl Reader {
    pub(super) fn step(&mut self, bytes: &[u8]) -> Result<Step, CaptureError> {
        let Some(header) = self.header else {
            return self.read_header(bytes);
        };
        let Some(record) = bytes.get(..RECORD) else {
            return Ok(Step::Wait);
        };
        let damaged = || CaptureError::Damaged(0);
        let order = header.order;
        let kept = order.length_at(record, 8).ok_or_else(damaged)?;
        let end = RECORD.saturating_add(kept);
        if bytes.len() < end {
            return Ok(Step::Wait);
        }
        let seconds = order.u32_at(record, 0).ok_or_else(damaged)?;
        let units = order.u32_at(record, 4).ok_or_else(damaged)?;
        let nanoseconds = u64::from(units).saturating_mul(u64::from(header.unit));
        let time = Duration::from_secs(seconds.into()) + Duration::from_nanos(nanoseconds);
        let found = Found {
            time: Some(time),
            layer: header.layer,
            interface: None,
            bytes: RECORD..end,
        };
        Ok(Step::Frame(found, end))
    }

    fn read_header(&mut self, bytes: &[u8]) -> Result<Step, CaptureError> {
        if bytes.len() < HEADER {
            return Ok(Step::Wait);
        }
        let (order, unit) = numbers(bytes).ok_or(CaptureError::Damaged(0))?;
        // The upper half tells of checksums at the end of frames.
        let number = order.u32_at(bytes, 20).unwrap_or(0) & 0xffff;
        let layer = LinkLayer::from_number(number).ok_or(CaptureError::UnknownLink(number))?;
        self.header = Some(Header { order, unit, layer });
        Ok(Step::Skip(HEADER))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Capture, Format};
    use super::*;

    fn capture(order: Endian, magic: u32, link: u32) -> Vec<u8> {
        let number = |value: u32| match order {
            Endian::Big => value.to_be_bytes(),
            Endian::Little => value.to_le_bytes(),
        };
        let mut bytes = number(magic).to_vec();
        for value in [0, 0, 0, 65_535, link, 1_795_198_608, 500, 3, 9] {
            bytes.extend(number(value));
        }
        bytes.extend(b"abc");
        bytes
    }

    #[test]
    fn both_byte_orders_and_both_units_are_read() {
        for order in [Endian::Big, Endian::Little] {
            for (magic, nanoseconds) in [(MICROSECONDS, 500_000), (NANOSECONDS, 500)] {
                let bytes = capture(order, magic, 1);
                for piece in [1, 7, 100] {
                    let mut capture = Capture::new(Format::of(&bytes)).expect("a capture");
                    let mut frames = 0;
                    for part in bytes.chunks(piece) {
                        capture.push(part);
                        while let Some(frame) = capture.next_frame().expect("sound") {
                            frames += 1;
                            assert_eq!(frame.bytes, b"abc");
                            assert_eq!(frame.time, Some(Duration::new(1_795_198_608, nanoseconds)));
                        }
                    }
                    assert_eq!((frames, capture.left_over()), (1, 0));
                }
            }
        }
    }

    #[test]
    fn an_unknown_link_and_a_huge_record_end_the_reading() {
        let mut unknown = Capture::new(Format::Pcap).expect("a capture");
        unknown.push(&capture(Endian::Little, MICROSECONDS, 147));
        assert_eq!(unknown.next_frame(), Err(CaptureError::UnknownLink(147)));
        let mut bytes = capture(Endian::Big, MICROSECONDS, 1);
        bytes[32..36].copy_from_slice(&[0xff; 4]);
        let mut damaged = Capture::new(Format::Pcap).expect("a capture");
        damaged.push(&bytes);
        assert_eq!(damaged.next_frame(), Err(CaptureError::Damaged(24)));
    }
}
