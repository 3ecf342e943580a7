//! Recordings of real daemons, replayed: what the core decides on them today is what stands in the expected file
//! beside each. How to make one and what to do when one fails, is told in README.md.
//!
//! `HB_UPDATE_EXPECTED=1 cargo test --test recordings` writes the expected files anew; look at the difference.

use std::fs;
use std::path::{Path, PathBuf};

use heartbeat::recording::{Extent, RecordingError, Replay, tell};
use proptest::prelude::*;

fn files(extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let entries = fs::read_dir(folder).expect("the folder of this test");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    found
}

fn replay(recording: &[u8], everything: bool) -> Result<String, RecordingError> {
    let mut story = Vec::new();
    let extent = Extent {
        everything,
        until: None,
    };
    tell(Replay::new(recording, None)?, extent, &mut story)?;
    Ok(String::from_utf8(story).expect("text"))
}

#[test]
fn every_recording_leads_to_the_expected_decisions() {
    let recordings = files("recording");
    assert!(!recordings.is_empty());
    let mut failures = Vec::new();
    for path in recordings {
        let name = path.display();
        let recording = fs::read(&path).expect("readable");
        let story = replay(&recording, false).unwrap_or_else(|error| panic!("{name}: {error}"));
        let beside = path.with_extension("expected");
        if std::env::var_os("HB_UPDATE_EXPECTED").is_some() {
            fs::write(&beside, &story).expect("written");
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if let Some(difference) = first_difference(&expected, &story) {
            failures.push(format!("{name}: {difference}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// The first line that differs, with the lines before it.
fn first_difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let pairs = expected.iter().zip(&found);
    let same = pairs
        .take_while(|(expected, found)| expected == found)
        .count();
    let before = found[same.saturating_sub(5)..same].join("\n");
    let line = |lines: &[&str]| {
        lines
            .get(same)
            .map_or("(the end)".to_owned(), ToString::to_string)
    };
    Some(format!(
        "line {}:\n{before}\n- {}\n+ {}",
        same + 1,
        line(&expected),
        line(&found)
    ))
}

#[test]
fn every_expected_file_has_its_recording() {
    for path in files("expected") {
        let recording = path.with_extension("recording");
        assert!(recording.is_file(), "{} is missing", recording.display());
    }
}

#[test]
fn a_replay_in_full_has_the_same_decisions_and_more() {
    for path in files("recording") {
        let recording = fs::read(&path).expect("readable");
        let [short, full] = [false, true].map(|all| replay(&recording, all).expect("sound"));
        let mut full = full.lines();
        for line in short.lines() {
            assert!(full.any(|found| found == line), "{line} is missing");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_recording_is_refused_or_replayed_but_never_a_panic(
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..20),
    ) {
        let path = files("recording").into_iter().next().expect("there is one");
        let mut recording = fs::read(path).expect("readable");
        recording.truncate(12_000);
        for (place, byte, kind) in damages {
            let place = place.index(recording.len());
            match kind {
                0 => recording[place] = byte,
                1 => recording[place] = b"0123456789 .:\n\\"[usize::from(byte) % 15],
                _ => drop(recording.remove(place)),
            }
        }
        let _ = replay(&recording, true);
    }
}
