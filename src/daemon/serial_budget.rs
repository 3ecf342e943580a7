//! Whether a serial line carries the heartbeats of a configuration, reckoned with as many bytes as they have there.

use std::time::Duration;

use super::settings;
use super::state::State;
use crate::cluster::{HeartbeatBytes, heartbeat_bytes};
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

/// What the heartbeats need of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Budget {
    bytes: HeartbeatBytes,
    baud: u64,
    keepalive: Duration,
    deadtime: Duration,
}

/// Says what is wrong with the serial lines of a configuration; looks for nothing on this machine.
pub fn look(subject: Subject<'_>) -> Option<Absence> {
    let (config, is_old) = match subject {
        Subject::SerialLines(config) => (config, false),
        Subject::SerialLinesOfOld(config) => (config, true),
        _ => return None,
    };
    let baud = config.media.iter().find_map(|medium| match medium.kind {
        MediumKind::Serial { baud, .. } => Some(baud),
        _ => None,
    })?;
    let budget = Budget {
        bytes: bytes(config),
        baud: u64::from(baud.max(1)),
        keepalive: config.keepalive,
        deadtime: config.deadtime,
    };
    if is_old {
        budget.word_on_old()
    } else {
        budget.complaint()
    }
}

/// As a daemon with these files would send them, after many starts.
fn bytes(config: &Config) -> HeartbeatBytes {
    let state = State {
        uuid: [0x5a; 16],
        generation: 0x7fff_fff0,
        last_generation: 0x7fff_fff0,
        peer: None,
    };
    heartbeat_bytes(&settings::of_core(config, &state, None, 1, &[]))
}

impl Budget {
    /// How long the line is busy with so many bytes.
    fn time(self, bytes: usize) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let bits = bytes.saturating_mul(BITS_PER_BYTE);
        Duration::from_micros(bits.saturating_mul(1_000_000) / self.baud)
    }

    /// Which share of the time the line is busy with one message of so many bytes in each keepalive.
    fn percent(self, bytes: usize) -> u64 {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let share = micros(self.time(bytes)).saturating_mul(100);
        share.div_ceil(micros(self.keepalive).max(1))
    }

    fn problem(self, bytes: usize) -> Option<&'static str> {
        match self.percent(bytes) {
            101.. => Some("can't carry a heartbeat in every keepalive"),
            percent if percent > MOST_PERCENT => Some("is busy with heartbeats most of the time"),
            _ => None,
        }
    }

    /// A node that starts sends full heartbeats until the other one says that it has heard of it, and is heard as often as the
    /// line carries one. Later a short one need not wait for the end of a full one.
    fn is_full_too_long(self) -> bool {
        self.time(self.bytes.full) > self.deadtime / 2
    }

    /// Two of ours: short heartbeats, and a full one now and then.
    fn complaint(self) -> Option<Absence> {
        let HeartbeatBytes { full, short } = self.bytes;
        if let Some(problem) = self.problem(short) {
            return Some(Absence {
                message: format!("the serial line {problem}"),
                label: self.share(short),
                help: self.remedy(short),
            });
        }
        self.is_full_too_long().then(|| Absence {
            message: "a full heartbeat keeps the serial line busy for more than half of deadtime"
                .to_owned(),
            label: format!(
                "{} ms for one of {full} bytes at {} baud, of {} ms; a node that starts sends nothing else",
                self.time(full).as_millis(),
                self.baud,
                self.deadtime.as_millis()
            ),
            help: self.remedy_for_full(),
        })
    }

    /// With one of 3.0.6: a full heartbeat in every keepalive.
    fn word_on_old(self) -> Option<Absence> {
        let HeartbeatBytes { full, short } = self.bytes;
        let problem = self.problem(full)?;
        Some(Absence {
            message: format!("beside heartbeat 3.0.6 the serial line {problem}"),
            label: format!(
                "{}; between two of ours {} % with {short} bytes",
                self.share(full),
                self.percent(short)
            ),
            help: format!("where the peer runs heartbeat 3.0.6, {}", self.remedy(full)),
        })
    }

    fn share(self, bytes: usize) -> String {
        format!(
            "{} ms for each of {bytes} bytes at {} baud: {} % of {} ms",
            self.time(bytes).as_millis(),
            self.baud,
            self.percent(bytes),
            self.keepalive.as_millis()
        )
    }

    fn remedy(self, bytes: usize) -> String {
        let is_enough = |baud: &u64| {
            Self {
                baud: *baud,
                ..self
            }
            .percent(bytes)
                <= MOST_PERCENT
        };
        let keepalive = {
            let least = self.time(bytes).as_millis().saturating_mul(100) / u128::from(MOST_PERCENT);
            next_step(least)
        };
        match RATES.into_iter().find(is_enough) {
            Some(baud) => format!(
                "write `baud {baud}` or more on both machines, or `keepalive {keepalive}ms` or more"
            ),
            None => format!("write `keepalive {keepalive}ms` or more"),
        }
    }

    fn remedy_for_full(self) -> String {
        let is_enough = |baud: &u64| {
            !Self {
                baud: *baud,
                ..self
            }
            .is_full_too_long()
        };
        let deadtime = next_step(self.time(self.bytes.full).as_millis().saturating_mul(2));
        match RATES.into_iter().find(is_enough) {
            Some(baud) => format!(
                "write `baud {baud}` or more on both machines, or `deadtime {deadtime}ms` or more"
            ),
            None => format!("write `deadtime {deadtime}ms` or more"),
        }
    }
}

/// The next time in milliseconds that is written so.
fn next_step(milliseconds: u128) -> u128 {
    let step = u128::from(STEP);
    milliseconds
        .div_euclid(step)
        .saturating_add(1)
        .saturating_mul(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(short: usize, full: usize, baud: u64, milliseconds: u64) -> Budget {
        Budget {
            bytes: HeartbeatBytes { full, short },
            baud,
            keepalive: Duration::from_millis(milliseconds),
            deadtime: Duration::from_secs(30),
        }
    }

    fn words(absence: Option<Absence>) -> Option<(String, String, String)> {
        absence.map(|absence| (absence.message, absence.label, absence.help))
    }

    #[test]
    fn a_line_that_is_fast_enough_is_not_mentioned() {
        for (full, baud, keepalive) in [(210, 19_200, 1000), (210, 9600, 1000), (210, 9600, 438)] {
            let budget = budget(48, full, baud, keepalive);
            assert_eq!(budget.complaint(), None, "{baud} {keepalive}");
            assert_eq!(budget.word_on_old(), None, "{baud} {keepalive}");
        }
        assert!(budget(48, 210, 9600, 437).word_on_old().is_some());
        assert_eq!(budget(48, 210, 9600, 100).complaint(), None);
        assert!(budget(48, 210, 9600, 99).complaint().is_some());
    }

    #[test]
    fn a_line_that_is_too_slow_is_told_with_the_numbers_and_what_to_change() {
        let (message, label, help) = words(budget(48, 240, 1200, 200).complaint()).expect("slow");
        assert_eq!(
            message,
            "the serial line can't carry a heartbeat in every keepalive"
        );
        assert_eq!(
            label,
            "400 ms for each of 48 bytes at 1200 baud: 200 % of 200 ms"
        );
        assert_eq!(
            help,
            "write `baud 4800` or more on both machines, or `keepalive 900ms` or more"
        );
        let (message, ..) = words(budget(48, 240, 9600, 90).complaint()).expect("busy");
        assert_eq!(
            message,
            "the serial line is busy with heartbeats most of the time"
        );
    }

    #[test]
    fn what_heartbeat_3_0_6_would_need_is_told_beside_what_two_of_ours_do() {
        let told = words(budget(48, 240, 9600, 200).word_on_old());
        let (message, label, help) = told.expect("too slow");
        assert_eq!(
            message,
            "beside heartbeat 3.0.6 the serial line can't carry a heartbeat in every keepalive"
        );
        assert_eq!(
            label,
            "250 ms for each of 240 bytes at 9600 baud: 125 % of 200 ms; between two of ours 25 % with 48 bytes"
        );
        assert_eq!(
            help,
            "where the peer runs heartbeat 3.0.6, write `baud 38400` or more on both machines, or `keepalive 600ms` or more"
        );
        let (_, _, help) = words(budget(48, 20_000, 115_200, 100).word_on_old()).expect("slow");
        assert_eq!(
            help,
            "where the peer runs heartbeat 3.0.6, write `keepalive 3500ms` or more"
        );
    }

    #[test]
    fn a_full_heartbeat_that_takes_half_of_deadtime_is_told() {
        let of = |full, milliseconds| Budget {
            deadtime: Duration::from_millis(milliseconds),
            ..budget(48, full, 9600, 200)
        };
        assert_eq!(of(240, 500).complaint(), None);
        let (message, label, help) = words(of(240, 499).complaint()).expect("too long");
        assert_eq!(
            message,
            "a full heartbeat keeps the serial line busy for more than half of deadtime"
        );
        assert_eq!(
            label,
            "250 ms for one of 240 bytes at 9600 baud, of 499 ms; a node that starts sends nothing else"
        );
        assert_eq!(
            help,
            "write `baud 19200` or more on both machines, or `deadtime 600ms` or more"
        );
    }

    #[test]
    fn every_remedy_is_one() {
        for bytes in [48, 180, 230, 400, 5000] {
            for baud in RATES {
                for keepalive in [50, 100, 200, 500, 1000] {
                    let budget = budget(bytes, bytes, baud, keepalive);
                    let Some(absence) = budget.word_on_old() else {
                        continue;
                    };
                    let number = |word: &str| -> Option<u64> {
                        let rest = absence.help.split(word).nth(1)?;
                        rest.split(['`', 'm']).next()?.parse().ok()
                    };
                    let keepalive = number("`keepalive ").map(Duration::from_millis);
                    let keepalive = keepalive.expect("a keepalive");
                    let slower = Budget {
                        keepalive,
                        ..budget
                    };
                    assert_eq!(slower.word_on_old(), None, "{absence:?}");
                    if let Some(baud) = number("`baud ") {
                        let faster = Budget { baud, ..budget };
                        assert_eq!(faster.word_on_old(), None, "{absence:?}");
                    }
                }
            }
        }
    }
}
