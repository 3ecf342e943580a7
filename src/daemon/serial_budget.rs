//! Whether a serial line carries the heartbeats of a configuration, reckoned with as many bytes as they have there.

use std::time::Duration;

use super::settings;
use super::state::State;
use crate::cluster::heartbeat_bytes;
use crate::config::{Absence, Config, MediumKind, Subject};

/// Start, eight data bits and stop.
const BITS_PER_BYTE: u64 = 10;
/// The share of the time that heartbeats may take, in percent: the rest is for all other messages, and for what is sent
/// again.
const MOST_PERCENT: u64 = 50;
/// The usual rates.
const RATES: [u64; 9] = [
    1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400,
];
/// A keepalive is written in steps of this, in milliseconds.
const STEP: u64 = 100;

/// What one heartbeat needs of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Budget {
    bytes: u64,
    baud: u64,
    keepalive: Duration,
}

/// Says what is wrong with the serial lines of a configuration; looks for nothing on this machine.
pub fn look(subject: Subject<'_>) -> Option<Absence> {
    let Subject::SerialLines(config) = subject else {
        return None;
    };
    let baud = config.media.iter().find_map(|medium| match medium.kind {
        MediumKind::Serial { baud, .. } => Some(baud),
        _ => None,
    })?;
    let bytes = u64::try_from(bytes(config)).unwrap_or(u64::MAX);
    let budget = Budget {
        bytes,
        baud: u64::from(baud.max(1)),
        keepalive: config.keepalive,
    };
    budget.complaint()
}

/// As a daemon with these files would send them, after many starts.
fn bytes(config: &Config) -> usize {
    let state = State {
        uuid: [0x5a; 16],
        generation: 0x7fff_fff0,
        last_generation: 0x7fff_fff0,
        peer: None,
    };
    heartbeat_bytes(&settings::of_core(config, &state, 1, &[]))
}

impl Budget {
    fn needed(self) -> Duration {
        let bits = self.bytes.saturating_mul(BITS_PER_BYTE);
        Duration::from_micros(bits.saturating_mul(1_000_000) / self.baud)
    }

    fn percent(self) -> u64 {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let share = micros(self.needed()).saturating_mul(100);
        share.div_ceil(micros(self.keepalive).max(1))
    }

    fn complaint(self) -> Option<Absence> {
        let percent = self.percent();
        let problem = if percent > 100 {
            "can't carry a heartbeat in every keepalive"
        } else if percent > MOST_PERCENT {
            "is busy with heartbeats most of the time"
        } else {
            return None;
        };
        let Self { bytes, baud, .. } = self;
        Some(Absence {
            message: format!("the serial line {problem}"),
            label: format!(
                "{} ms for each of {bytes} bytes at {baud} baud: {percent} % of {} ms",
                self.needed().as_millis(),
                self.keepalive.as_millis()
            ),
            help: self.remedy(),
        })
    }

    fn remedy(self) -> String {
        let with = |baud: u64| Self { baud, ..self };
        let is_enough = |baud: &u64| with(*baud).percent() <= MOST_PERCENT;
        let keepalive = {
            let least = self.needed().as_millis().saturating_mul(100) / u128::from(MOST_PERCENT);
            least.div_euclid(u128::from(STEP)).saturating_add(1) * u128::from(STEP)
        };
        match RATES.into_iter().find(is_enough) {
            Some(baud) => format!(
                "write `baud {baud}` or more on both machines, or `keepalive {keepalive}ms` or more"
            ),
            None => format!("write `keepalive {keepalive}ms` or more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(bytes: u64, baud: u64, milliseconds: u64) -> Option<(String, String, String)> {
        let budget = Budget {
            bytes,
            baud,
            keepalive: Duration::from_millis(milliseconds),
        };
        let absence = budget.complaint()?;
        Some((absence.message, absence.label, absence.help))
    }

    #[test]
    fn a_line_that_is_fast_enough_is_not_mentioned() {
        for (bytes, baud, keepalive) in [(210, 19_200, 1000), (210, 9600, 1000), (210, 9600, 438)] {
            assert_eq!(
                complaint(bytes, baud, keepalive),
                None,
                "{baud} {keepalive}"
            );
        }
        assert!(complaint(210, 9600, 437).is_some());
    }

    #[test]
    fn a_line_that_is_too_slow_is_told_with_the_numbers_and_what_to_change() {
        let (message, label, help) = complaint(240, 9600, 200).expect("too slow");
        assert_eq!(
            message,
            "the serial line can't carry a heartbeat in every keepalive"
        );
        assert_eq!(
            label,
            "250 ms for each of 240 bytes at 9600 baud: 125 % of 200 ms"
        );
        assert_eq!(
            help,
            "write `baud 38400` or more on both machines, or `keepalive 600ms` or more"
        );
        let (message, ..) = complaint(240, 19_200, 200).expect("busy");
        assert_eq!(
            message,
            "the serial line is busy with heartbeats most of the time"
        );
        let (_, _, help) = complaint(20_000, 115_200, 100).expect("too slow");
        assert_eq!(help, "write `keepalive 3500ms` or more");
    }

    #[test]
    fn every_remedy_is_one() {
        for bytes in [180, 230, 400, 5000] {
            for baud in RATES {
                for keepalive in [50, 100, 200, 500, 1000] {
                    let budget = Budget {
                        bytes,
                        baud,
                        keepalive: Duration::from_millis(keepalive),
                    };
                    let Some(absence) = budget.complaint() else {
                        continue;
                    };
                    let number = |word: &str| -> Option<u64> {
                        let rest = absence.help.split(word).nth(1)?;
                        rest.split(['`', 'm']).next()?.parse().ok()
                    };
                    let keepalive = number("`keepalive ").map(Duration::from_millis);
                    let keepalive = keepalive.expect("a keepalive");
                    assert_eq!(
                        Budget {
                            keepalive,
                            ..budget
                        }
                        .complaint(),
                        None,
                        "{absence:?}"
                    );
                    if let Some(baud) = number("`baud ") {
                        assert_eq!(Budget { baud, ..budget }.complaint(), None, "{absence:?}");
                    }
                }
            }
        }
    }
}
