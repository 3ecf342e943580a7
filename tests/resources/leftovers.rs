//! Actions that outlive the daemon that began them, and services that look like them.

use std::time::Duration;

use crate::bench::{Bench, Directory, logged, now};
use heartbeat::cluster::{GroupId, GroupOutcome};
use heartbeat::daemon::resources::Limits;
use heartbeat::os::proc::look;
use heartbeat::os::process::pause;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Begins to start the group and goes away in the middle, as a daemon does that is killed. What the script
/// writes wakes the loop.
fn die_while_starting(directory: &Directory, limits: Limits) {
    let mut bench = Bench::with_limits(directory, limits);
    bench.resources.start(GroupId(0));
    bench.until("the script", |_| {
        directory.journal().contains("begun").then_some(())
    });
}

/// The lines about leftovers that name this program.
fn told(name: &str) -> Vec<String> {
    logged(name)
        .into_iter()
        .filter(|line| line.contains("which the daemon before this one began"))
        .collect()
}

/// The process numbers that the script wrote into its journal, a word before each.
fn left_behind(directory: &Directory) -> Vec<Pid> {
    let journal = directory.journal();
    let words: Vec<&str> = journal.split([' ', ',']).collect();
    words
        .iter()
        .filter_map(|word| word.parse().ok())
        .map(Pid::from_raw)
        .collect()
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begin = now();
    while !condition() {
        assert!(now().since(begin) < Duration::from_secs(30), "not: {what}");
        pause(Duration::from_millis(5));
    }
}

#[test]
fn nothing_is_asked_before_an_action_of_the_last_daemon_has_ended() {
    let body = r"
for action; do :; done
case $action in
    start) note begun; echo begun; while ! [ -e $journal.go ]; do sleep 0.05; done; touch $journal.runs; note started;;
    status) note asked; if [ -e $journal.runs ]; then echo running; else echo stopped; fi;;
esac";
    let directory = Directory::new()
        .script("leftover1", body)
        .group("leftover1::an::argument");
    die_while_starting(&directory, Limits::default());
    // A daemon of another node on the same machine has nothing to do with it.
    let other = Directory::new()
        .group("leftover2")
        .script("leftover2", "echo stopped");
    assert_eq!(Bench::new(&other).probe(0), GroupOutcome::FoundStopped);

    let mut bench = Bench::new(&directory);
    bench.resources.probe(GroupId(0));
    let begin = now();
    bench.until("several looks", |resources| {
        assert_eq!(resources.next_outcome(), None);
        (now().since(begin) > Duration::from_millis(350)).then_some(())
    });
    assert_eq!(
        directory.journal(),
        "asked, begun",
        "asked before the start, and not again"
    );
    std::fs::write(directory.path("journal.go"), "").expect("written");
    assert_eq!(bench.outcome(0), GroupOutcome::FoundRunning);
    assert_eq!(directory.journal(), "asked, begun, started, asked");
    let lines = told("leftover1");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("leftover1 an argument start [pid ") && lines[0].contains(" WARN "),
        "{lines:?}"
    );
    assert!(lines[1].ends_with("began, has ended"), "{lines:?}");
}

#[test]
fn an_action_of_the_last_daemon_that_exceeds_its_limit_is_killed_with_its_whole_group() {
    let body = r"
case $1 in
    start) trap '' TERM; (trap '' TERM; note helper; exec sleep 1000) & note begun $!; echo begun; wait;;
    status) echo stopped;;
esac";
    let directory = Directory::new()
        .script("leftover3", body)
        .group("leftover3");
    let limits = Limits {
        start: Duration::from_secs(2),
        ..Limits::default()
    };
    die_while_starting(&directory, limits);
    let begin = now();
    let mut bench = Bench::new(&directory);
    assert_eq!(bench.probe(0), GroupOutcome::FoundStopped);
    assert!(now().since(begin) >= limits.start);
    let lines = told("leftover3");
    assert!(
        lines.len() == 3 && lines[1].contains(" ERROR ") && lines[1].ends_with("is killed"),
        "{lines:?}"
    );
    for pid in left_behind(&directory) {
        assert_eq!(look(pid.as_raw()), None, "runs still");
    }
}

#[test]
fn an_action_is_known_again_after_it_became_another_program() {
    let body = r"
case $1 in
    start) mkfifo $journal.go; note begun $$; echo begun; exec cat $journal.go;;
    status) if [ -e $journal ]; then note asked; fi; echo stopped;;
esac";
    let directory = Directory::new()
        .script("leftover4", body)
        .group("leftover4");
    die_while_starting(&directory, Limits::default());
    let pid = left_behind(&directory)[0];
    eventually("it is another program", || {
        std::fs::read(format!("/proc/{pid}/comm")).is_ok_and(|name| name == b"cat\n")
    });
    let mut bench = Bench::new(&directory);
    std::fs::write(directory.path("journal.go"), "").expect("it reads");
    bench.probe(0);
    assert_eq!(told("leftover4").len(), 2, "{:?}", logged("leftover4"));
}

#[test]
fn services_that_an_action_left_behind_hold_nothing_up() {
    // One in the group of the script, one in a session of its own.
    let body = r"
case $1 in
    start)
        sleep 1000 & note one $!
        setsid sleep 1000 & note two $!;;
    status) echo stopped;;
esac";
    let directory = Directory::new()
        .script("leftover5", body)
        .group("leftover5");
    assert_eq!(Bench::new(&directory).start(0), GroupOutcome::Started);
    let services = left_behind(&directory);
    assert_eq!(services.len(), 2, "{}", directory.journal());
    eventually("it has a group of its own", || {
        look(services[1].as_raw()).expect("it runs").group == services[1].as_raw()
    });
    assert_ne!(
        look(services[0].as_raw()).expect("it runs").group,
        services[0].as_raw()
    );

    assert_eq!(Bench::new(&directory).probe(0), GroupOutcome::FoundStopped);
    for pid in services {
        assert!(kill(pid, Signal::SIGKILL).is_ok(), "{pid} was left alone");
    }
    assert_eq!(told("leftover5"), Vec::<String>::new());
}
