//! The records of incidents: told in the log, kept in a file over restarts, and shown by `cl_status incidents`.
//!
//! The file has one record a line, as JSON, the newest last.

use std::path::Path;

use super::clock;
use super::state::{NewestFile, read};
use crate::cluster::{self, Cause, IncidentRecord, Moment, PeerWord};
use crate::control::{HeldGroups, Incident, Tenure};
use crate::os::local_time;

/// Its name in the state directory.
const FILE: &str = "incidents";
/// So many are kept.
const MOST: usize = 100;
/// And no more than so many bytes of them: a pair may have thousands of groups.
const MOST_BYTES: usize = 256 * 1024;
/// So many sentences of one incident go into the log.
const MOST_LINES: usize = 12;

/// All that are kept.
#[derive(Debug, Default)]
pub struct Incidents {
    node: String,
    lines: Vec<String>,
    file: Option<NewestFile>,
}

impl Incidents {
    /// Goes on with the file in this directory. What is not a record in it is left out, and told.
    pub fn begin(directory: &Path, node: &str) -> Self {
        let path = directory.join(FILE);
        let limit = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
        let lines = match read(&path, limit) {
            Ok(bytes) => sound_lines(&bytes.unwrap_or_default(), &path),
            Err(error) => {
                log::warn!(
                    "Cannot read {}: {error}. Earlier incidents are not shown",
                    path.display()
                );
                Vec::new()
            }
        };
        Self {
            node: node.into(),
            lines,
            file: Some(NewestFile::new(path, "incidents")),
        }
    }

    /// Tells of one, and keeps it.
    pub fn record(&mut self, record: &IncidentRecord) -> Incident {
        let incident = translate(record, &self.node);
        tell(&incident);
        match serde_json::to_string(&incident) {
            Ok(line) => self.lines.push(line),
            Err(error) => log::warn!("An incident can't be kept: {error}"),
        }
        trim(&mut self.lines);
        self.send();
        incident
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> Vec<Incident> {
        let all = self.lines.iter();
        all.filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// This run ends. Waits a moment for the disk.
    pub fn stop(self) {
        if let Some(file) = self.file {
            file.stop();
        }
    }

    fn send(&mut self) {
        let mut bytes = self.lines.join("\n").into_bytes();
        bytes.push(b'\n');
        if let Some(file) = &mut self.file {
            file.store(bytes);
        }
    }
}

/// The newest that there is room for.
fn trim(lines: &mut Vec<String>) {
    let mut bytes = 0;
    let kept = lines.iter().rev().take(MOST).take_while(|line| {
        bytes += line.len() + 1;
        bytes <= MOST_BYTES
    });
    let surplus = lines.len() - kept.count();
    lines.drain(..surplus);
}

fn sound_lines(bytes: &[u8], path: &Path) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let is_sound = |line: &&str| serde_json::from_str::<Incident>(line).is_ok();
    let all = text.lines().filter(|line| !line.is_empty());
    let mut sound: Vec<String> = all.clone().filter(is_sound).map(str::to_owned).collect();
    let lost = all.count() - sound.len();
    if lost > 0 {
        log::warn!(
            "{lost} lines of {} are no records of incidents and are left out",
            path.display()
        );
    }
    trim(&mut sound);
    sound
}

/// Into the log: what both held is critical, and worth a warning altogether; another record is there to be read.
fn tell(incident: &Incident) {
    let level = if incident.had_two_owners() {
        log::Level::Warn
    } else {
        log::Level::Info
    };
    let sentences = incident.sentences(local_time::moment);
    for sentence in sentences.iter().take(MOST_LINES) {
        if sentence.is_alarm {
            log::error!(target: "CRIT:heartbeat", "Incident: {}", sentence.text);
        } else {
            log::log!(level, "Incident: {}", sentence.text);
        }
    }
    let others = sentences.len().saturating_sub(MOST_LINES);
    if others > 0 {
        log::log!(level, "Incident: {others} lines more: cl_status incidents");
    }
}

fn translate(record: &IncidentRecord, node: &str) -> Incident {
    let (now, wall) = (Moment::from(clock::now()), clock::wall());
    let millis = |moment: Moment| {
        let at = (wall + moment.since(now)).saturating_sub(now.since(moment));
        u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
    };
    let tenures = |all: &[cluster::Tenure]| {
        let translated = all.iter().map(|tenure| Tenure {
            since: millis(tenure.since),
            until: tenure.until.map(millis),
            is_older: tenure.is_older,
        });
        translated.collect::<Vec<_>>()
    };
    let (peer_word, peer_runs_since, is_cut) = match record.peer {
        PeerWord::Told {
            runs_since,
            has_more,
            ..
        } => ("told", Some(millis(runs_since)), has_more),
        PeerWord::OtherFiles => ("other-files", None, false),
        PeerWord::Classic => ("heartbeat-3.0.6", None, false),
        PeerWord::Nothing => ("nothing", None, false),
    };
    let cause = match record.cause {
        Cause::Silence => "silence",
        Cause::Stall => "stall",
        Cause::Unheard => "unheard",
        Cause::Told => "told",
    };
    let groups = record.groups.iter().map(|groups| HeldGroups {
        keys: groups.keys.clone(),
        mine: tenures(&groups.mine),
        theirs: tenures(&groups.theirs),
        both: u64::try_from(groups.both.as_millis()).unwrap_or(u64::MAX),
    });
    Incident {
        node: node.into(),
        peer: record.node.clone(),
        cause: cause.into(),
        lost: millis(record.lost),
        met: record.met.map(|met| millis(met.into())),
        settled: millis(record.settled.into()),
        peer_word: peer_word.into(),
        peer_runs_since,
        is_cut,
        groups: groups.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> IncidentRecord {
        let now = clock::now();
        IncidentRecord {
            node: "beta".into(),
            cause: Cause::Silence,
            lost: now.into(),
            met: Some(now),
            settled: now,
            peer: PeerWord::Classic,
            groups: Vec::new(),
        }
    }

    #[test]
    fn records_outlive_a_restart_and_the_oldest_give_way() {
        let directory = tempfile::tempdir().expect("a directory");
        for _ in 0..2 {
            let mut incidents = Incidents::begin(directory.path(), "alpha");
            for _ in 0..60 {
                incidents.record(&record());
            }
            incidents.stop();
        }
        let incidents = Incidents::begin(directory.path(), "alpha");
        assert_eq!(incidents.all().len(), MOST);
        assert_eq!(incidents.all()[0].peer_word, "heartbeat-3.0.6");
    }

    #[test]
    fn a_line_that_is_no_record_is_left_out_and_the_others_stay() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut incidents = Incidents::begin(directory.path(), "alpha");
        incidents.record(&record());
        incidents.stop();
        let path = directory.path().join(FILE);
        let mut bytes = std::fs::read(&path).expect("it was kept");
        bytes.extend(b"{\"half\": \n\xff\n");
        std::fs::write(&path, bytes).expect("it can be written");
        let incidents = Incidents::begin(directory.path(), "alpha");
        assert_eq!(incidents.all().len(), 1);
    }

    #[test]
    fn no_more_bytes_are_kept_than_there_is_room_for() {
        let mut lines = vec!["x".repeat(MOST_BYTES / 3); 5];
        trim(&mut lines);
        assert_eq!(lines.len(), 2);
        trim(&mut lines);
        assert_eq!(lines.len(), 2);
    }
}
