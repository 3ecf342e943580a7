//! What two tests say to each other: lines of text with a checksum. Nothing in them begins or ends a message of
//! heartbeat, so that a daemon at the other end passes over them.

use std::io::Write as _;

use crate::message::checksum;
use crate::os::tty::ModemLines;

/// Every line begins so.
const MAGIC: &str = "hb-serial-test";
/// What fills lines up: every printable character takes its turn, so that each bit is sent both ways.
const FILL: std::ops::RangeInclusive<u8> = b'!'..=b'~';

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Asks for an answer.
    Probe,
    /// Answers a probe.
    Reply,
    /// One of many, by which the speed is measured.
    Bulk,
    /// The last one: the test at that end is over.
    Bye,
}

/// What an end does with its own outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outputs {
    /// Request to send: the other end's CTS.
    pub rts: bool,
    /// Data terminal ready: the other end's DSR and DCD.
    pub dtr: bool,
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// What it is for.
    pub kind: Kind,
    /// Which test says it: a random number.
    pub from: u32,
    /// Which test it answers, in a reply; else zero.
    pub to: u32,
    /// Counts the lines of that test, from 1; in a reply, the number of the probe.
    pub number: u32,
    /// The sender's outputs; none where its port has no such wires.
    pub outputs: Option<Outputs>,
    /// What the sender sees.
    pub inputs: Option<ModemLines>,
}

impl Line {
    /// Adds the line to what is to be sent, filled up by so many characters.
    pub fn write(&self, fill: usize, out: &mut Vec<u8>) {
        let start = out.len();
        let kind = match self.kind {
            Kind::Probe => 'p',
            Kind::Reply => 'r',
            Kind::Bulk => 'b',
            Kind::Bye => 'q',
        };
        let outputs = self.outputs.map_or_else(
            || "??".to_owned(),
            |on| flags(&[('r', on.rts), ('d', on.dtr)]),
        );
        let inputs = self.inputs.map_or_else(
            || "???".to_owned(),
            |on| flags(&[('c', on.cts), ('s', on.dsr), ('k', on.dcd)]),
        );
        let Self {
            from, to, number, ..
        } = self;
        // Writing into memory can't fail.
        let _ = write!(
            out,
            "{MAGIC} {kind} {from:08x} {to:08x} {number} {outputs} {inputs} "
        );
        out.extend(
            FILL.cycle()
                .skip(usize::from(number.to_le_bytes()[0]))
                .take(fill),
        );
        let sum = checksum(out.get(start..).into_iter());
        let _ = writeln!(out, " {sum:08x}");
    }

    /// Reads a line, without its end. None where it is another one, or damaged.
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        // What came before on the same line was something else, or is lost.
        let text = text.get(text.rfind(MAGIC)?..)?;
        let (body, sum) = text.rsplit_once(' ')?;
        if u32::from_str_radix(sum, 16).ok()? != checksum(std::iter::once(body.as_bytes())) {
            return None;
        }
        let mut words = body.split(' ').skip(1);
        let kind = match words.next()? {
            "p" => Kind::Probe,
            "r" => Kind::Reply,
            "b" => Kind::Bulk,
            "q" => Kind::Bye,
            _ => return None,
        };
        let from = u32::from_str_radix(words.next()?, 16).ok()?;
        let to = u32::from_str_radix(words.next()?, 16).ok()?;
        let number = words.next()?.parse().ok()?;
        let (outputs, inputs) = (words.next()?, words.next()?);
        Some(Self {
            kind,
            from,
            to,
            number,
            outputs: (outputs != "??").then(|| Outputs {
                rts: outputs.contains('r'),
                dtr: outputs.contains('d'),
            }),
            inputs: (inputs != "???").then(|| ModemLines {
                cts: inputs.contains('c'),
                dsr: inputs.contains('s'),
                dcd: inputs.contains('k'),
            }),
        })
    }

    /// Whether this may be what is left of such a line.
    pub fn is_damaged(text: &[u8]) -> bool {
        let has = |part: &str| {
            text.windows(part.len())
                .any(|window| window == part.as_bytes())
        };
        has("hb-ser") || has("al-test")
    }
}

fn flags(all: &[(char, bool)]) -> String {
    all.iter()
        .map(|&(letter, is_on)| if is_on { letter } else { '-' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line {
            kind: Kind::Probe,
            from: 0x3f2a_91c0,
            to: 0,
            number: 12,
            outputs: Some(Outputs {
                rts: true,
                dtr: false,
            }),
            inputs: Some(ModemLines {
                cts: true,
                dsr: false,
                dcd: true,
            }),
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written_also_behind_rubbish() {
        for kind in [Kind::Probe, Kind::Reply, Kind::Bulk, Kind::Bye] {
            for (outputs, inputs) in [(line().outputs, line().inputs), (None, None)] {
                let line = Line {
                    kind,
                    outputs,
                    inputs,
                    ..line()
                };
                let mut text = Vec::new();
                line.write(200, &mut text);
                assert_eq!(text.pop(), Some(b'\n'));
                assert!(text.is_ascii() && !text.contains(&b'\n'));
                assert!(
                    !text
                        .windows(3)
                        .any(|three| three == b">>>" || three == b"<<<")
                );
                assert_eq!(Line::read(&text), Some(line));
                for before in [b"login: ".as_slice(), b"hb-serial-test p 3f2a"] {
                    let behind = [before, text.as_slice()].concat();
                    assert_eq!(Line::read(&behind), Some(line));
                }
            }
        }
    }

    #[test]
    fn a_damaged_line_is_none_but_known_as_one() {
        let mut text = Vec::new();
        line().write(40, &mut text);
        text.pop();
        for place in 0..text.len() {
            let mut damaged = text.clone();
            damaged[place] ^= 1;
            assert_eq!(Line::read(&damaged), None, "byte {place}");
            assert!(Line::is_damaged(&damaged), "byte {place}");
            damaged.remove(place);
            assert_eq!(Line::read(&damaged), None, "without byte {place}");
        }
        assert!(!Line::is_damaged(b"beta login: "));
    }
}
