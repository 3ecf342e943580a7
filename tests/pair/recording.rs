//! What a daemon recorded is replayed, and decides to the letter what the daemon decided.
//!
//! `HB_KEEP_RECORDINGS=DIR` keeps the recordings for `tests/recordings`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use heartbeat::cluster::{Action, Event};
use heartbeat::message::{Key, Keys, Message, Method, is_short, open};
use heartbeat::recording::Replay;
use nix::sys::signal::Signal;

use crate::lab::journal::Mark;
use crate::lab::machine::{Machine, here};
use crate::lab::{Pair, Setup, claim, files};

const KEYS: [&str; 2] = ["a-secret-of-the-laboratory", "another-one"];

/// A generation and a number in it.
type Number = (String, Option<String>);

/// What one run of a daemon decided, according to its recording.
struct Run {
    /// As they stand in the log.
    reports: Vec<String>,
    /// Everything that it sent, in both forms.
    sent: BTreeMap<Number, Vec<Vec<u8>>>,
    /// Every authentic message that it was given, with its sender.
    received: Vec<(String, Number, Vec<u8>)>,
    /// Words for the events, ticks and messages aside.
    others: Vec<String>,
}

fn keys() -> Keys {
    let mut entries = [const { None }; 16];
    for (entry, text) in entries.iter_mut().skip(1).zip(KEYS) {
        *entry = Some(Key {
            method: Method::Sha1,
            text: text.into(),
        });
    }
    Keys {
        entries,
        signing: 1,
    }
}

/// Sender, generation and number.
fn opened(bytes: &[u8]) -> Option<(String, Number)> {
    let mut message = Message::new();
    open(bytes, &keys(), &mut message).ok()?;
    let field = |name| message.text(name).map(str::to_owned);
    Some((field("src")?, (field("hg")?, field("seq"))))
}

impl Run {
    fn replay(path: &Path) -> Self {
        let file = File::open(path).expect("a recording");
        let mut replay = Replay::new(BufReader::new(file), None).expect("a header");
        let mut run = Self {
            reports: Vec::new(),
            sent: BTreeMap::new(),
            received: Vec::new(),
            others: Vec::new(),
        };
        while let Some(step) = replay.step().expect("a sound recording") {
            match step.event {
                Event::Tick
                | Event::WallClock { .. }
                | Event::PingAnswered { .. }
                | Event::Readiness { .. }
                | Event::Carrier { .. }
                | Event::LinkCarrier { .. }
                | Event::WatchdogArmed { .. }
                | Event::Hardware(_)
                | Event::Terms(_)
                | Event::Maintenance(_)
                | Event::Say(_) => {}
                Event::Received { bytes, .. } => {
                    if let Some((source, number)) = opened(bytes) {
                        run.received.push((source, number, bytes.to_vec()));
                    }
                }
                Event::Group { .. } => run.others.push("group".into()),
                Event::FailbackAnswered { .. } => run.others.push("failback".into()),
                Event::StopRequested => run.others.push("stop".into()),
                Event::MoveRequested(_) => run.others.push("move".into()),
                Event::Fenced { .. } | Event::PeerConfirmedDead | Event::NetworkAnswered { .. } => {
                    run.others.push("fencing".into());
                }
                Event::KeysChanged(_) => run.others.push("keys".into()),
                Event::Reloaded(_) => run.others.push("reload".into()),
            }
            for action in step.actions {
                match action {
                    Action::Report(report) => run.reports.push(report.to_string()),
                    Action::Send(packet) => {
                        let forms = [&packet.datagram, &packet.text];
                        // What a short heartbeat stands for is in a full one.
                        let is_full = |form: &&Vec<u8>| !form.is_empty() && !is_short(form);
                        for bytes in forms.into_iter().filter(is_full) {
                            let (_, number) = opened(bytes).expect("our own message");
                            run.sent.entry(number).or_default().push(bytes.clone());
                        }
                    }
                    _ => {}
                }
            }
        }
        run
    }

    /// Every line of the core stands in the log, in the same order, and the log has no other line of a core.
    fn assert_logged(&self, log: &[String]) {
        let mut reports = self.reports.iter().peekable();
        let mut others = Vec::new();
        for line in log {
            if reports
                .next_if(|report| line.ends_with(&format!(": {report}")))
                .is_none()
            {
                others.push(line);
            }
        }
        let missing: Vec<_> = reports.collect();
        assert!(missing.is_empty(), "not in the log: {missing:#?}\n{log:#?}");
        for line in others {
            let text = line.splitn(5, ": ").last().unwrap_or_default();
            let is_of_core = OF_THE_CORE.iter().any(|begin| text.starts_with(begin));
            assert!(!is_of_core, "not in the replay: {line}");
        }
    }
}

/// How lines of a core begin that no other part of the daemon writes.
const OF_THE_CORE: [&str; 20] = [
    "Link ",
    "Only one link",
    "No link to",
    "More than one link",
    "Status update for node",
    "Local status now",
    "Comm_now_up",
    "node ",
    "Dead node",
    "Late heartbeat",
    "Heartbeat restart on node",
    "Cluster node",
    "Resources being acquired",
    "No STONITH",
    "Received shutdown notice",
    "remote resource transition",
    "Initial resource acquisition",
    "Resource group ",
    "Giving up all HA resources",
    "All HA resources relinquished",
];

/// What `from` sent and `to` was given is byte for byte what the replays of `from` send.
fn assert_same_words(from: &[Run], killed: &[&str], to: &[Run], name: &str) -> usize {
    let mut compared = 0;
    for (source, number, bytes) in to.iter().flat_map(|run| &run.received) {
        if source != name {
            continue;
        }
        let mut sent = from.iter().filter_map(|run| run.sent.get(number)).flatten();
        let is_same = sent.any(|sent| sent == bytes);
        // The last word of one that was killed may have been faster than its recording.
        if is_same || !killed.contains(&number.0.as_str()) {
            let text = String::from_utf8_lossy(bytes);
            assert!(is_same, "{name} said, but its replay does not: {text}");
            compared += 1;
        }
    }
    compared
}

/// The log of each run of a daemon.
fn runs_in_log(machine: &Machine) -> Vec<Vec<String>> {
    let mut runs: Vec<Vec<String>> = Vec::new();
    for line in machine.log().since(Mark::START) {
        if line.contains("Configuration validated.") {
            runs.push(Vec::new());
        }
        if let Some(run) = runs.last_mut() {
            run.push(line);
        }
    }
    runs
}

#[test]
fn a_replay_decides_to_the_letter_what_the_daemon_decided() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            keepalive: 500,
            deadtime: 2500,
            groups: vec![
                "alpha IPaddr::10.77.1.100/24/eth0 disk::data".to_owned(),
                "beta disk::more".to_owned(),
            ],
            ..Setup::default()
        });
        for machine in [&mut pair.a, &mut pair.b] {
            let file = here().join("recording").display().to_string();
            machine.options = vec!["--record".into(), file, "--record-keys".into()];
        }
        pair.serve_on_a();
        pair.power_off(0);
        pair.watch.expect_owner(1, pair.address());
        pair.power_on(0);
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        let marks = pair.marks();
        let authkeys = format!("auth 2\n1 sha1 {}\n2 sha1 {}\n", KEYS[0], KEYS[1]);
        for (machine, mark) in [(&pair.a, marks[0]), (&pair.b, marks[1])] {
            files::write(&machine.file("ha.d/authkeys"), &authkeys, 0o600);
            machine.signal(Signal::SIGHUP);
            machine.log().expect(mark, "Rereading authentication file.");
        }
        pair.expect_settled();
        pair.a.stop();
        pair.watch.expect_owner(1, pair.address());
        pair.b.stop();
        pair.assert_never_two_owners();

        keep(&pair);
        let files = |machine: &Machine, names: &[&str]| -> Vec<Run> {
            let paths = names.iter().map(|name| machine.file(name));
            paths.map(|path| Run::replay(&path)).collect()
        };
        let a = files(&pair.a, &["recording.old", "recording"]);
        let b = files(&pair.b, &["recording"]);
        for (runs, machine) in [(&a, &pair.a), (&b, &pair.b)] {
            let logs = runs_in_log(machine);
            assert_eq!(logs.len(), runs.len());
            for (run, log) in runs.iter().zip(logs) {
                run.assert_logged(&log);
            }
        }
        for run in [&a[1], &b[0]] {
            assert!(run.others.contains(&"keys".to_owned()));
            assert_eq!(
                run.others.iter().filter(|other| *other == "stop").count(),
                1
            );
            assert!(
                run.reports
                    .contains(&"All HA resources relinquished.".into())
            );
        }
        assert!(b[0].reports.contains(&"node alpha: is dead".into()));
        let killed = a[0].sent.keys().map(|(generation, _)| generation.as_str());
        let killed: Vec<_> = killed.collect();
        let compared = [
            assert_same_words(&a, &killed, &b, "alpha"),
            assert_same_words(&b, &[], &a, "beta"),
        ];
        println!("{compared:?} messages are the same to the byte");
        assert!(compared.iter().all(|count| *count > 20), "{compared:?}");
    });
}

fn keep(pair: &Pair) {
    let Some(directory) = std::env::var_os("HB_KEEP_RECORDINGS") else {
        return;
    };
    for (machine, run, file) in [
        (&pair.a, "killed", "recording.old"),
        (&pair.a, "returned", "recording"),
        (&pair.b, "whole", "recording"),
    ] {
        let name = format!("{}-{run}.recording", machine.name);
        fs::copy(machine.file(file), Path::new(&directory).join(name)).expect("kept");
    }
}
