//! How busy a serial line is, beside two networks: bytes a second in each direction, and the share of what it carries.

use std::thread;
use std::time::{Duration, Instant};

use super::lab::Networks;
use super::quiet_pair::{QuietPair, setup};
use super::scenario::runs;
use super::series::Series;
use super::sheet::Sheet;
use super::system::System;

/// Bits a second.
const RATES: [u32; 3] = [9600, 19_200, 115_200];
/// Milliseconds.
const KEEPALIVES: [u32; 2] = [1000, 200];
/// Milliseconds: so long that a line which carries less than it should is not in the way of the measurement.
const DEADTIME: u32 = 10_000;
/// Start bit, eight data bits, stop bit.
const BITS: f64 = 10.0;
/// For each of the runs, of which there are twenty.
const WHILE: Duration = Duration::from_millis(1500);
/// After both have settled: what comes with the start has left.
const BREATH: Duration = Duration::from_secs(10);

/// Measures all of it.
pub fn measure(sheet: &mut Sheet) {
    let networks = Networks::new();
    let time = WHILE * u32::try_from(runs(20)).unwrap_or(1);
    sheet.remark(format!(
        "Counted for {time:?} in a pair in good order, in each direction; the line is beside two networks."
    ));
    for system in sheet.systems() {
        let (names, hosts, media) = match system {
            System::Ours => (
                ["busya", "busyb"],
                [31, 32],
                "serial /dev/ttyS0\nbcast eth0\nucast eth1 192.168.9.31\nucast eth1 192.168.9.32\n",
            ),
            System::Original => (
                ["oldya", "oldyb"],
                [33, 34],
                "serial /dev/ttyS0\nbcast eth0\nucast eth1 192.168.9.33\nucast eth1 192.168.9.34\n",
            ),
            System::Keepalived => continue, // it knows no serial lines
        };
        let mut pair = QuietPair::new(&networks, system, setup(names, hosts, Some(media)));
        for baud in RATES {
            for keepalive in KEEPALIVES {
                if !pair.start(keepalive, DEADTIME, baud) {
                    sheet.remark(format!(
                        "{system} does not settle at {baud} baud and keepalive {keepalive} ms; it was counted all the same."
                    ));
                }
                thread::sleep(BREATH);
                let (before, begin) = (pair.carried(), Instant::now());
                thread::sleep(time);
                let (after, seconds) = (pair.carried(), begin.elapsed().as_secs_f64());
                pair.end();
                #[allow(clippy::cast_precision_loss, reason = "no more than some thousands")]
                let rates = [0, 1].map(|sender: usize| {
                    after[sender].saturating_sub(before[sender]) as f64 / seconds
                });
                let shares = rates.map(|rate| 100.0 * rate * BITS / f64::from(baud));
                let of = format!("at {baud} baud, keepalive {keepalive} ms");
                let figure = format!("bytes a second {of}");
                sheet.add(&figure, system, "B/s", Series::new(rates), &[]);
                let figure = format!("share of the line {of}");
                sheet.add(&figure, system, "%", Series::new(shares), &[]);
            }
        }
    }
}
