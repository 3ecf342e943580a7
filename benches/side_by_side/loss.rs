//! False deaths while messages are lost.

use std::thread;

use super::endurance::Pairing;
use super::lab::network;
use super::scenario::{lasting, runs};
use super::series::Series;
use super::sheet::{Bar, Sheet};
use super::system::System;

/// Percent of what each node sends, on each link by itself, and how many false deaths ours may have.
const LOSSES: [(u8, f64); 2] = [(30, 0.0), (50, 3.0)];
const SECONDS: u64 = 60;

/// Measures all systems.
pub fn measure(sheet: &mut Sheet) {
    if let Err(reason) = network::can_lose() {
        return sheet.remark(format!("nothing was measured: {reason}"));
    }
    let time = lasting(SECONDS);
    for system in sheet.systems() {
        for (percent, bar) in LOSSES {
            let mut deaths = Vec::new();
            for run in 0..runs(1) {
                match Pairing::serving(
                    system,
                    &format!("l{}{percent}{run}", system.letter()),
                    false,
                ) {
                    Ok(pairing) => {
                        pairing.lose(percent);
                        let since = pairing.mark();
                        thread::sleep(time);
                        deaths.push(pairing.false_deaths(&since));
                    }
                    Err(reason) => sheet.remark(reason),
                }
            }
            let bars: &[Bar] = match system {
                System::Ours => &[Bar::MedianAndMost(bar, bar)],
                _ => &[],
            };
            let series = Series::new(deaths.into_iter().map(super::series::number));
            let figure = format!("{percent} % loss for {} s: false deaths", time.as_secs());
            sheet.add(&figure, system, "", series, bars);
        }
    }
    sheet.remark("keepalive 100 ms, deadtime 500 ms, two links; keepalived has one, and with an interval of 100 ms its own deadtime");
}
