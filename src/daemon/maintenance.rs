//! Maintenance between the control socket, the core and a file in the state directory: there, and for people, its times are of
//! the wall clock; the core gets durations.
//!
//! ```text
//! heartbeat-rs maintenance 1
//! statement 7 alpha on
//! other-node may-hold-still
//! since 1795198608
//! until 1795202208
//! by root
//! reason disk change
//! checksum 12345678
//! ```

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::clock;
use super::core::Core;
use super::state::{NewestFile, read};
use crate::cluster::{
    Cluster, Event, Instant, LONGEST_MAINTENANCE, MOST_BY, MOST_REASON, MaintenanceMemory,
    MaintenanceOrder, Moment,
};
use crate::config::Config;
use crate::control::{Answer, Maintenance};
use crate::message::checksum;

/// Its name in the state directory.
const FILE: &str = "maintenance";
const HEAD: &str = "heartbeat-rs maintenance 1\n";
/// No such file is longer.
const LIMIT: u64 = 4096;
/// What counts where the file can't be used. The log tells more.
const UNREADABLE: &str = "its file in the state directory is damaged or can't be read";

/// The file.
#[derive(Debug)]
pub struct MaintenanceFile {
    file: NewestFile,
    /// This node and the other one.
    nodes: [String; 2],
}

impl MaintenanceFile {
    /// The file in this directory, and what an earlier run left there. Where that can't be known, it is safer that nothing
    /// moves.
    pub fn open(
        directory: &Path,
        config: &Config,
        wall_seconds: u64,
    ) -> (Self, Option<MaintenanceMemory>) {
        let path = directory.join(FILE);
        let nodes = [config.local_node.clone(), config.peer_node.clone()];
        let memory = match read(&path, LIMIT) {
            Ok(None) => None,
            Ok(Some(bytes)) => {
                let text = std::str::from_utf8(&bytes).ok();
                let memory = text.and_then(|text| parse(text, &nodes, wall_seconds));
                Some(memory.unwrap_or_else(|| unreadable(&path, "it is damaged")))
            }
            Err(error) => Some(unreadable(&path, &error.to_string())),
        };
        let file = NewestFile::new(path, FILE);
        (Self { file, nodes }, memory)
    }

    /// Keeps this.
    pub fn store(&mut self, memory: &MaintenanceMemory) {
        let text = text(memory, &self.nodes, clock::wall_seconds());
        self.file.store(text.into_bytes());
    }

    /// This run ends. Waits a moment for the disk.
    pub fn stop(self) {
        self.file.stop();
    }
}

fn unreadable(path: &Path, why: &str) -> MaintenanceMemory {
    ::log::error!(
        target: "CRIT:heartbeat",
        "Cannot use {}: {why}. Whether maintenance is on is not known, so it counts as on and nothing moves, unless the other \
         node knows better. If none is meant: cl_status maintenance off",
        path.display()
    );
    MaintenanceMemory {
        counter: 0,
        said_here: true,
        is_on: true,
        age: Duration::ZERO,
        left: None,
        by: String::new(),
        reason: UNREADABLE.into(),
        peer_holds_still: true,
    }
}

/// What the file is to hold.
fn text(memory: &MaintenanceMemory, [here, there]: &[String; 2], now: u64) -> String {
    let node = if memory.said_here { here } else { there };
    let word = if memory.is_on { "on" } else { "off" };
    let peer = if memory.peer_holds_still {
        "may-hold-still"
    } else {
        "goes-on"
    };
    let since = now.saturating_sub(memory.age.as_secs());
    let until = memory.left.map_or_else(
        || "-".to_owned(),
        |left| {
            let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            now.saturating_add(seconds).to_string()
        },
    );
    let mut body = String::from(HEAD);
    let _ = writeln!(body, "statement {} {node} {word}", memory.counter);
    let _ = writeln!(body, "other-node {peer}");
    let _ = writeln!(body, "since {since}\nuntil {until}");
    let _ = writeln!(body, "by {}\nreason {}", memory.by, memory.reason);
    let sum = checksum(std::iter::once(body.as_bytes()));
    body + &format!("checksum {sum:08x}\n")
}

/// `None` for anything that [`text`] didn't write.
fn parse(text: &str, nodes: &[String; 2], now: u64) -> Option<MaintenanceMemory> {
    let (body, sum) = text.rsplit_once("checksum ")?;
    let sum = u32::from_str_radix(sum.strip_suffix('\n')?, 16).ok()?;
    if sum != checksum(std::iter::once(body.as_bytes())) {
        return None;
    }
    let mut lines = body.strip_prefix(HEAD)?.lines();
    let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
    let statement = value("statement")?;
    let mut words = statement.split(' ');
    let counter = words.next()?.parse().ok()?;
    let said_here = words.next()? == nodes.first()?;
    let is_on = match words.next()? {
        "on" => true,
        "off" => false,
        _ => return None,
    };
    let peer_holds_still = value("other-node")? == "may-hold-still";
    let since: u64 = value("since")?.parse().ok()?;
    let left = match value("until")? {
        "-" => None,
        until => {
            let until: u64 = until.parse().ok()?;
            Some(Duration::from_secs(until.saturating_sub(now)).min(LONGEST_MAINTENANCE))
        }
    };
    let by = value("by")?;
    let reason = value("reason")?;
    (by.len() <= MOST_BY && reason.len() <= MOST_REASON).then(|| MaintenanceMemory {
        counter,
        said_here,
        is_on,
        age: Duration::from_secs(now.saturating_sub(since)),
        left,
        by: by.into(),
        reason: reason.into(),
        peer_holds_still,
    })
}

/// Has the core hold still, unless it refuses. `until` is in seconds since 1970.
pub fn on(
    cluster: &mut Core,
    config: &Config,
    (by, reason): (&str, &str),
    until: Option<u64>,
) -> Answer {
    let lasts = until.map(|until| {
        let seconds = until.saturating_sub(clock::wall_seconds());
        Duration::from_secs(seconds)
    });
    match MaintenanceOrder::on(by, reason, lasts) {
        Ok(order) => give(cluster, config, order),
        Err(mistake) => Answer::Error(mistake.to_string()),
    }
}

/// Has the core go on.
pub fn off(cluster: &mut Core, config: &Config, by: &str) -> Answer {
    match MaintenanceOrder::off(by) {
        Ok(order) => give(cluster, config, order),
        Err(mistake) => Answer::Error(mistake.to_string()),
    }
}

fn give(cluster: &mut Core, config: &Config, order: MaintenanceOrder) -> Answer {
    if let Some(refusal) = cluster.refuses_maintenance(&order) {
        ::log::info!("maintenance refused: {refusal}");
        return Answer::Error(refusal.to_string());
    }
    let is_on = order.is_on();
    let was_on = cluster.maintenance().is_some();
    cluster.handle(clock::now(), Event::Maintenance(Box::new(order)));
    let peer = &config.peer_node;
    let mut warnings = Vec::new();
    if !cluster.peer_is_met() && (is_on || was_on) {
        warnings.push(format!(
            "{peer} can't be told now, and goes by what it knows until the nodes hear each other"
        ));
    }
    Answer::Maintenance {
        maintenance: view(cluster, config),
        warnings,
    }
}

/// Maintenance as it is now, while it is on.
pub fn view(cluster: &Cluster, config: &Config) -> Option<Maintenance> {
    let view = cluster.maintenance()?;
    let (now, wall) = (clock::now(), clock::wall_seconds());
    let node = if view.said_here {
        &config.local_node
    } else {
        &config.peer_node
    };
    Some(Maintenance {
        since: wall.saturating_sub(Moment::from(now).since(view.since).as_secs()),
        until: view.until.map(|until| wall_at(until, now, wall)),
        by: view.by,
        node: node.clone(),
        reason: view.reason,
        known_to_peer: view.is_shared,
        rests: view.rests,
        peer_lost: view.awaits_death,
    })
}

/// Rounded up, so that what a person asked for comes back.
fn wall_at(at: Instant, now: Instant, wall: u64) -> u64 {
    let left = at.since(now);
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    wall.saturating_add(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> [String; 2] {
        ["alpha".into(), "beta".into()]
    }

    fn memory() -> MaintenanceMemory {
        MaintenanceMemory {
            counter: 7,
            said_here: false,
            is_on: true,
            age: Duration::from_secs(100),
            left: Some(Duration::from_secs(3600)),
            by: "root".into(),
            reason: "换硬盘, checksum 12 of it".into(),
            peer_holds_still: true,
        }
    }

    #[test]
    fn what_is_written_is_read_and_time_has_passed() {
        let without_end = MaintenanceMemory {
            said_here: true,
            is_on: false,
            left: None,
            by: String::new(),
            reason: String::new(),
            peer_holds_still: false,
            ..memory()
        };
        for memory in [memory(), without_end] {
            let text = text(&memory, &nodes(), 10_000);
            assert_eq!(
                parse(&text, &nodes(), 10_000),
                Some(memory.clone()),
                "{text}"
            );
            let later = parse(&text, &nodes(), 10_600).expect("readable");
            assert_eq!(later.age, Duration::from_secs(700));
            let left = memory.left.map(|_| Duration::from_secs(3000));
            assert_eq!(later.left, left);
            let over = parse(&text, &nodes(), 20_000).expect("readable");
            assert_eq!(over.left, memory.left.map(|_| Duration::ZERO));
            let before = parse(&text, &nodes(), 0).expect("readable");
            assert_eq!(before.age, Duration::ZERO, "the clock went back");
        }
    }

    #[test]
    fn no_changed_bit_goes_unnoticed_and_no_part_is_taken_for_the_whole() {
        let text = text(&memory(), &nodes(), 10_000);
        for position in 0..text.len() {
            assert_eq!(
                parse(text.get(..position).unwrap_or("x"), &nodes(), 10_000),
                None
            );
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                let read = String::from_utf8(bytes).ok();
                let read = read.and_then(|text| parse(&text, &nodes(), 10_000));
                assert!(
                    read.is_none_or(|read| read == memory()),
                    "byte {position}, bit {bit}"
                );
            }
        }
    }

    #[test]
    fn a_file_that_is_of_no_use_counts_as_on_and_none_as_off() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(FILE);
        assert!(read(&path, LIMIT).expect("no error").is_none());
        for damage in [&b""[..], b"garbage", &[0xff; 20]] {
            let text = std::str::from_utf8(damage).ok();
            assert_eq!(text.and_then(|text| parse(text, &nodes(), 1)), None);
        }
        let memory = unreadable(&path, "it is damaged");
        assert!(memory.is_on && memory.left.is_none() && memory.counter == 0);
    }
}
