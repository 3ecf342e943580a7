//! Everything that was recorded of heartbeat 3.0.6, with what is shown for it in `expected/`.
//!
//! `HB_UPDATE_EXPECTED=1 cargo test --test sniff recorded` writes the files anew; look at the difference.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::capture::{Layer, Style, datagram, packets, pcap, pcapng};
use super::command::{Directory, Finished};

fn tests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// The files of one folder under `tests/wire`, sorted.
fn recorded(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(tests().join("wire").join(folder)).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn name(path: &Path) -> String {
    path.file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

#[track_caller]
fn expect(name: &str, finished: &Finished) {
    let path = tests().join("sniff/expected").join(name);
    let said = format!("{}{}", finished.out, finished.err);
    assert!(
        said.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')),
        "{name} holds what a terminal might obey"
    );
    if std::env::var_os("HB_UPDATE_EXPECTED").is_some() {
        fs::write(&path, said).expect("written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(said.lines()).find(|(a, b)| a != b);
    assert!(
        expected == said,
        "{name} differs (expected {} lines, got {}), first here: {differs:#?}",
        expected.lines().count(),
        said.lines().count()
    );
}

#[test]
fn every_recorded_scenario_is_told_as_expected() {
    let directory = Directory::new();
    for path in recorded("pcap") {
        let finished = directory.sniff(&["--interface", "eth0"], &path);
        assert_eq!(finished.exit, 0, "{finished:?}");
        expect(&format!("{}.txt", name(&path)), &finished);
    }
}

#[test]
fn every_recorded_serial_line_is_told_as_expected() {
    let directory = Directory::new();
    for path in recorded("serial") {
        let finished = directory.sniff(&["--interface", "/dev/ttyS0"], &path);
        assert_eq!(finished.exit, 0, "{finished:?}");
        expect(&format!("serial-{}.txt", name(&path)), &finished);
    }
}

/// Each file is one datagram. They come from different runs, so the order says little; what each says matters.
#[test]
fn every_recorded_and_every_odd_datagram_is_told_as_expected() {
    for folder in ["udp", "synthetic", "malformed"] {
        let mut all = Vec::new();
        let mut names = String::new();
        for (second, path) in (0_u64..).zip(recorded(folder)) {
            let payload = fs::read(&path).expect("recorded");
            all.extend(datagram(Duration::from_secs(second), 2, &payload));
            writeln!(names, "{second:3} {}", name(&path)).expect("text");
        }
        let mut finished = Directory::new().sniff_bytes(&[], &pcap(&all, Style::PLAIN));
        assert_eq!(finished.exit, 0, "{finished:?}");
        finished.out = format!("{names}\n{}", finished.out);
        expect(&format!("{folder}.txt"), &finished);
    }
}

#[test]
fn all_fields_are_told_as_expected() {
    let directory = Directory::new();
    let path = tests().join("wire/serial/007-field-types-stream.bin");
    expect("all-fields.txt", &directory.sniff(&["-v"], &path));
    let path = tests().join("wire/pcap/retransmission.pcap");
    expect(
        "json.txt",
        &directory.sniff(&["--json", "--count", "3"], &path),
    );
}

#[test]
fn without_the_keys_everything_is_still_told() {
    let path = tests().join("wire/pcap/start-alone.pcap");
    let finished = Directory::empty().sniff(&[], &path);
    assert_eq!(finished.exit, 0);
    assert!(
        finished.err.contains("signatures are not checked"),
        "{}",
        finished.err
    );
    let lines: Vec<_> = finished
        .out
        .lines()
        .filter(|line| line.contains("status"))
        .collect();
    assert_eq!(lines.len(), 29);
    assert!(
        lines
            .iter()
            .all(|line| line.contains("not checked (key 2)")),
        "{lines:#?}"
    );
    let directory = Directory::with_keys("auth 2\n2 sha1 another-key-than-that-of-the-recording\n");
    let finished = directory.sniff(&[], &path);
    let lines: Vec<_> = finished
        .out
        .lines()
        .filter(|line| line.contains(" status "))
        .collect();
    assert_eq!(lines.len(), 29);
    assert!(
        lines
            .iter()
            .all(|line| line.contains("NOT AUTHENTIC: wrong signature (key 2)")),
        "{lines:#?}"
    );
    assert!(
        finished
            .out
            .contains("nothing authentic was heard of alpha"),
        "{}",
        finished.out
    );
}

/// Alone the name of the link and the direction differ.
#[test]
fn every_format_of_a_capture_tells_the_same() {
    let directory = Directory::new();
    let recording = fs::read(tests().join("wire/pcap/standby.pcap")).expect("recorded");
    let packets = packets(&recording);
    let told = |capture: &[u8]| {
        let finished = directory.sniff_bytes(&["--json"], capture);
        assert_eq!((finished.exit, finished.err.as_str()), (0, ""));
        let objects = finished.out.lines().map(|line| {
            let mut object: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let removed = ["link", "direction"].map(|key| object.as_object_mut()?.remove(key));
            (object, removed[0].clone())
        });
        let (mut objects, links): (Vec<_>, Vec<_>) = objects.unzip();
        objects.pop();
        (objects, links[0].clone().expect("a link"))
    };
    let (expected, _) = told(&recording);
    assert_eq!(expected.len(), 78);
    for layer in [
        Layer::Ethernet,
        Layer::Tagged,
        Layer::Cooked,
        Layer::Cooked2,
        Layer::Raw,
    ] {
        for (big_endian, nanoseconds) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let style = Style {
                big_endian,
                nanoseconds,
                layer,
            };
            let (objects, link) = told(&pcap(&packets, style));
            assert!(objects == expected, "{style:?}");
            assert_eq!(
                link,
                if layer == Layer::Cooked2 {
                    "if2"
                } else {
                    "net"
                }
            );
        }
    }
    let (objects, link) = told(&pcapng(&packets, "eth7"));
    assert!(objects == expected, "pcapng");
    assert_eq!(link, "eth7");
}
