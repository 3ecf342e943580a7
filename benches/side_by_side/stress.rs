//! False deaths and late heartbeats while the machine is busy with other things.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::endurance::Pairing;
use super::scenario::{lasting, runs};
use super::series::{self, Series};
use super::sheet::{Bar, Sheet};
use super::system::System;

const SECONDS: u64 = 60;
/// How long the load takes to be there.
const RISE: Duration = Duration::from_secs(3);

/// Measures all systems, one after the other.
pub fn measure(sheet: &mut Sheet) {
    let time = lasting(SECONDS);
    for system in sheet.systems() {
        let (mut deaths, mut pauses) = (Vec::new(), Vec::new());
        for run in 0..runs(1) {
            let measured = Pairing::serving(system, &format!("p{}{run}", system.letter()), false)
                .and_then(|pairing| {
                    let mut load = Load::begin(RISE + time * 2)?;
                    thread::sleep(RISE);
                    let since = pairing.mark();
                    thread::sleep(time);
                    deaths.push(pairing.false_deaths(&since));
                    pauses.extend([0, 1].map(|node| pairing.longest_pause(&since, node)));
                    if load.goes_on() {
                        Ok(())
                    } else {
                        Err("stress-ng ended before its time".to_owned())
                    }
                });
            if let Err(reason) = measured {
                sheet.remark(reason);
            }
        }
        let bars: &[Bar] = match system {
            System::Ours => &[Bar::MedianAndMost(0.0, 0.0)],
            _ => &[],
        };
        let figure = format!("under stress for {} s: false deaths", time.as_secs());
        let deaths = Series::new(deaths.into_iter().map(series::number));
        sheet.add(&figure, system, "", deaths, bars);
        // A backup of keepalived says nothing.
        if system != System::Keepalived {
            let figure = "under stress: the longest pause between two heartbeats of a node";
            sheet.add(figure, system, "ms", Series::millis(pauses), &[]);
        }
    }
    sheet.remark("keepalive 100 ms, deadtime 500 ms, two links; stress-ng on all processors, in memory and on the disk");
}

/// Far too much work, for as long as this lives.
struct Load {
    stress: Child,
    directory: PathBuf,
}

impl Load {
    /// Begins. It ends by itself after `limit`, if nothing else ends it.
    fn begin(limit: Duration) -> Result<Self, String> {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/side_by_side");
        let directory = target.join(format!("stress-{}", std::process::id()));
        fs::create_dir_all(&directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let stress = Command::new("stress-ng")
            .args(["--quiet", "--timeout", &format!("{}s", limit.as_secs())])
            .args(["--cpu", &(4 * processors).to_string()])
            .args(["--vm", &(2 * processors).to_string(), "--vm-bytes", "512m"])
            .args(["--hdd", "2", "--hdd-bytes", "128m", "--hdd-opts", "fsync"])
            .args(["--switch", &(2 * processors).to_string()])
            .arg("--temp-path")
            .arg(&directory)
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        match stress {
            Ok(stress) => Ok(Self { stress, directory }),
            Err(error) => Err(format!("cannot run stress-ng (Debian: stress-ng): {error}")),
        }
    }

    /// Whether it does what it was told.
    fn goes_on(&mut self) -> bool {
        matches!(self.stress.try_wait(), Ok(None))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.stress.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM); // it ends its own children
        }
        let _ = self.stress.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
