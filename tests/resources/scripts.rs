//! Resource groups of real scripts: the odd ones of the how-to documents, and those that misbehave.

use std::time::Duration;

use crate::bench::{Bench, Directory, logged, now, write_script};
use crate::namespace::{in_namespace, put_over, skip};
use heartbeat::cluster::{GroupId, GroupOutcome};
use heartbeat::daemon::resources::Limits;

/// A script that keeps its state in a file and its calls in the journal.
const WELL_BEHAVED: &str = r"
state=$journal.$(basename $0)
for action; do :; done
note $(basename $0) $action
case $action in
    start) touch $state;;
    stop) rm -f $state;;
    status) if [ -e $state ]; then echo running; else echo not running; fi;;
esac";

#[test]
fn a_group_starts_left_to_right_and_stops_right_to_left() {
    let directory = Directory::new()
        .script("first", WELL_BEHAVED)
        .script("second", WELL_BEHAVED)
        .group("first::a::b second");
    let mut bench = Bench::new(&directory);
    assert_eq!(bench.probe(0), GroupOutcome::FoundStopped);
    assert_eq!(directory.journal(), "first status, second status");
    assert_eq!(bench.start(0), GroupOutcome::Started);
    assert_eq!(bench.probe(0), GroupOutcome::FoundRunning);
    assert_eq!(bench.start(0), GroupOutcome::Started);
    assert_eq!(bench.stop(0), GroupOutcome::Stopped);
    assert_eq!(
        directory.journal(),
        "first status, second status, \
         first status, first start, second status, second start, \
         first status, \
         first status, second status, \
         second stop, first stop"
    );
}

#[test]
fn the_log_has_the_lines_that_people_know() {
    let directory = Directory::new()
        .script("known1", WELL_BEHAVED)
        .script("known2", WELL_BEHAVED)
        .group("known1::172.16.1.200/24/eth0 known2");
    let mut bench = Bench::new(&directory);
    bench.start(0);
    bench.stop(0);
    let scripts = directory.path("resource.d");
    let lines: Vec<String> = logged("known")
        .into_iter()
        .filter(|line| line.starts_with("Res"))
        .collect();
    assert_eq!(
        lines.join("\n").replace(
            scripts.to_str().expect("plain text"),
            "/etc/ha.d/resource.d"
        ),
        "ResourceManager(default) INFO Acquiring resource group: ba known1::172.16.1.200/24/eth0 known2\n\
         ResourceManager(default) INFO Running /etc/ha.d/resource.d/known1 172.16.1.200/24/eth0 start\n\
         ResourceManager(default) INFO Running /etc/ha.d/resource.d/known2  start\n\
         ResourceManager(default) INFO Releasing resource group: ba known1::172.16.1.200/24/eth0 known2\n\
         ResourceManager(default) INFO Running /etc/ha.d/resource.d/known2  stop\n\
         ResourceManager(default) INFO Running /etc/ha.d/resource.d/known1 172.16.1.200/24/eth0 stop"
    );
}

#[test]
fn scripts_that_say_nothing_in_status_are_started_and_stopped() {
    // The first is the test script of one how-to document, the second the floating address of another.
    let echo = r#"note $1; case "$1" in start) echo "start!!!";; stop) echo "stop!!!";; status) echo "status!!!";; esac"#;
    let quiet = r#"note $1; case "$1" in start) :;; *) exit 0;; esac"#;
    for (name, body) in [("test1", echo), ("floatip", quiet)] {
        let directory = Directory::new().script(name, body).group(name);
        let mut bench = Bench::new(&directory);
        assert_eq!(bench.probe(0), GroupOutcome::FoundStopped, "{name}");
        assert_eq!(bench.start(0), GroupOutcome::Started, "{name}");
        assert_eq!(bench.stop(0), GroupOutcome::Stopped, "{name}");
        assert_eq!(directory.journal(), "status, status, start, stop", "{name}");
    }
}

#[test]
fn a_failed_start_stops_the_whole_group_and_says_why() {
    let failing = r#"note failing $1; case $1 in start) echo "no licence" >&2; exit 5;; esac"#;
    let directory = Directory::new()
        .script("before", WELL_BEHAVED)
        .script("failing", failing)
        .script("after", WELL_BEHAVED)
        .group("before failing after");
    let mut bench = Bench::new(&directory);
    assert_eq!(bench.start(0), GroupOutcome::StartFailed);
    assert_eq!(
        directory.journal(),
        "before status, before start, failing status, failing start, after stop, failing stop, before stop"
    );
    assert_eq!(
        logged("CRIT:ResourceManager(default) ERROR Giving up resources due to failure of failing")
            .len(),
        1
    );
    assert_eq!(logged("failing INFO no licence").len(), 1);
    let told = format!(
        "Return code 5 from {}",
        directory.path("resource.d/failing").display()
    );
    assert_eq!(logged(&told).len(), 1);
}

#[test]
fn a_stop_that_fails_is_repeated_and_then_judged() {
    let body =
        |says: &str| format!("note $1; case $1 in stop) exit 1;; status) echo {says};; esac");
    for (says, outcome) in [
        ("not running", GroupOutcome::Stopped),
        ("running", GroupOutcome::StopFailed),
    ] {
        let directory = Directory::new()
            .setting("env STOPRETRYMAX=1")
            .script("stubborn", &body(says))
            .group("stubborn");
        let mut bench = Bench::new(&directory);
        let begin = now();
        assert_eq!(bench.stop(0), outcome, "{says}");
        assert!(now().since(begin) >= Duration::from_secs(1));
        assert_eq!(directory.journal(), "stop, stop, status");
    }
    assert_eq!(logged("Retrying failed stop operation [stubborn]").len(), 2);
    assert_eq!(
        logged("ERROR Resource script for stubborn probably not LSB-compliant.").len(),
        1
    );
    // The first of these two lines does not say of whom it speaks.
    let critical = "CRIT:ResourceManager(default) ERROR";
    assert!(
        !logged(&format!(
            "{critical} Resource STOP failure. Reboot required!"
        ))
        .is_empty()
    );
    assert_eq!(
        logged(&format!("{critical} stubborn does not stop.")).len(),
        1
    );
}

#[test]
fn a_standard_script_of_init_d_is_judged_by_its_exit_code() {
    in_namespace(
        "scripts::a_standard_script_of_init_d_is_judged_by_its_exit_code",
        || {
            if !std::path::Path::new("/etc/init.d").exists() {
                return skip("there is no /etc/init.d to put ours over");
            }
            let standard = r"### BEGIN INIT INFO
# Provides: standard
### END INIT INFO
note $1
case $1 in
    start) touch $journal.runs;;
    stop) rm -f $journal.runs;;
    status) [ -e $journal.runs ] || exit 3;;
esac";
            // As the one of a how-to document: without the comment, whatever its status ends with says nothing.
            let quiet = "note quiet $1; exit 0";
            let ignorant =
                "### BEGIN INIT INFO\nnote ignorant $1; echo 'Usage: x start|stop' >&2; exit 0";
            let directory = Directory::new()
                .script("standard", standard)
                .script("floatip", quiet)
                .script("ignorant", ignorant)
                .group("standard floatip ignorant");
            put_over(&directory.path("resource.d"), "/etc/init.d");
            // They lie in /etc/init.d alone.
            std::fs::create_dir(directory.path("none")).expect("a directory");
            let hidden = directory.path("resource.d");
            put_over(
                &directory.path("none"),
                hidden.to_str().expect("plain text"),
            );
            let mut bench = Bench::new(&directory);
            assert_eq!(bench.probe(0), GroupOutcome::FoundStopped);
            for _ in 0..2 {
                assert_eq!(bench.start(0), GroupOutcome::Started);
            }
            assert_eq!(bench.stop(0), GroupOutcome::Stopped);
            assert_eq!(
                directory.journal(),
                "status, quiet status, ignorant status, \
                 status, start, quiet status, quiet start, ignorant status, ignorant start, \
                 status, quiet status, quiet start, ignorant status, ignorant start, \
                 ignorant stop, quiet stop, stop"
            );
        },
    );
}

#[test]
fn of_a_failure_the_log_has_everything_in_one_piece() {
    let body = r#"
case $2 in
    start) for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "talkative $n"; done; exit 5;;
    stop) kill -9 $$;;
    status) echo not running;;
esac"#;
    let directory = Directory::new()
        .setting("env STOPRETRYMAX=1")
        .setting("timeout talkative::x start 100")
        .script("talkative", body)
        .group("talkative::x");
    let mut bench = Bench::new(&directory);
    assert_eq!(bench.start(0), GroupOutcome::StartFailed);
    let scripts = directory.path("resource.d");
    let mut lines = logged("talkative");
    lines.retain(|line| !line.contains("DEBUG"));
    let text = lines.join("\n");
    let text = text.replace(
        scripts.to_str().expect("plain text"),
        "/etc/ha.d/resource.d",
    );
    let begin = "ResourceManager(default) ERROR Return code 5 from /etc/ha.d/resource.d/talkative\n\
                 talkative INFO start of talkative::x: exit code 5 after 0.0 s; its last words:\n\
                 talkative INFO talkative 3\n";
    // It may take longer on a busy computer.
    let digits = regex_free_seconds(&text);
    assert!(digits.contains(begin), "{text}");
    assert!(
        digits.contains("talkative INFO talkative 12\nCRIT:"),
        "{text}"
    );
    let killed = "ResourceManager(default) ERROR /etc/ha.d/resource.d/talkative x stop was killed by signal 9\n\
                  talkative INFO stop of talkative::x: signal 9 after 0.0 s; it said nothing\n";
    assert!(digits.contains(killed), "{text}");
}

/// The text with every time as if it had been nothing.
fn regex_free_seconds(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let Some((before, rest)) = line.split_once(" after ") else {
            return line.to_owned();
        };
        let after = rest.split_once(" s; ").map_or(rest, |(_, after)| after);
        format!("{before} after 0.0 s; {after}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_script_without_an_interpreter_is_run_by_the_shell_as_ever() {
    let directory = Directory::new()
        .script("plain", WELL_BEHAVED)
        .group("plain");
    let path = directory.path("resource.d/plain");
    let text = std::fs::read_to_string(&path).expect("the script");
    write_script(&path, text.trim_start_matches("#!/bin/sh\n"));
    let mut bench = Bench::new(&directory);
    assert_eq!(bench.start(0), GroupOutcome::Started);
    assert_eq!(bench.probe(0), GroupOutcome::FoundRunning);
    assert_eq!(bench.stop(0), GroupOutcome::Stopped);
}

#[test]
fn a_script_that_cannot_be_run_is_named_and_others_are_not_affected() {
    let directory = Directory::new()
        .script("windows", WELL_BEHAVED)
        .script("sound", WELL_BEHAVED)
        .group("windows")
        .group("sound");
    let path = directory.path("resource.d/windows");
    let text = std::fs::read_to_string(&path).expect("the script");
    write_script(&path, &text.replace('\n', "\r\n"));
    let mut bench = Bench::new(&directory);
    let told = "windows has the line ends of Windows";
    assert_eq!(logged(told).len(), 1, "at the start");
    assert_eq!(bench.probe(0), GroupOutcome::FoundStopped);
    assert_eq!(bench.start(0), GroupOutcome::StartFailed);
    assert_eq!(bench.start(1), GroupOutcome::Started);
    assert!(
        logged(told)
            .iter()
            .any(|line| line.contains(" ERROR windows: "))
    );
    write_script(&path, &text);
    assert_eq!(
        bench.start(0),
        GroupOutcome::Started,
        "mended while the daemon runs"
    );
    // What was started is not taken for stopped because its script was damaged since.
    std::fs::write(&path, "#!/no/such/shell\n").expect("written");
    bench.resources.stop(GroupId(0));
    bench.until("a failed stop", |_| {
        logged("Cannot run")
            .into_iter()
            .find(|line| line.contains("/windows  stop"))
    });
}

#[test]
fn what_lies_on_a_disk_of_its_group_is_found_once_the_disk_is_there() {
    let disk = r"
case $1 in
    start) mkdir -p $journal.disk; cp $journal.kept $journal.disk/service; echo $1;;
    stop) rm -rf $journal.disk;;
    status) if [ -e $journal.disk ]; then echo running; else echo not running; fi;;
esac";
    let directory = Directory::new()
        .script("disk", disk)
        .script("kept", WELL_BEHAVED)
        .group("disk service");
    let kept = directory.path("resource.d/kept");
    std::fs::rename(kept, directory.path("journal.kept")).expect("renamed");
    std::os::unix::fs::symlink(
        directory.path("journal.disk/service"),
        directory.path("resource.d/service"),
    )
    .expect("a link");
    let mut bench = Bench::new(&directory);
    assert_eq!(bench.probe(0), GroupOutcome::FoundStopped);
    assert_eq!(bench.start(0), GroupOutcome::Started);
    assert_eq!(bench.stop(0), GroupOutcome::Stopped);
    assert_eq!(
        directory.journal(),
        "service status, service start, service stop"
    );
}

#[test]
fn a_script_that_hangs_is_ended_with_all_it_started() {
    let body = r"
case $1 in
    start) trap '' TERM; sleep 1000 & echo $! > $journal.pid; sleep 1000; sleep 1000;;
    stop) note stopped;;
esac";
    let directory = Directory::new().script("hanging", body).group("hanging");
    let limits = Limits {
        start: Duration::from_secs(3), // it notes a number first
        ..Limits::default()
    };
    let mut bench = Bench::with_limits(&directory, limits);
    assert_eq!(bench.start(0), GroupOutcome::StartFailed);
    assert_eq!(directory.journal(), "stopped");
    let pid = std::fs::read_to_string(directory.path("journal.pid")).expect("a pid");
    let process = format!("/proc/{}/stat", pid.trim());
    bench.until("the end of what it started", |_| {
        // Without anybody to reap it, it stays a zombie in a container.
        let state = std::fs::read_to_string(&process).ok();
        state
            .is_none_or(|state| state.contains(") Z "))
            .then_some(())
    });
}

#[test]
fn a_status_that_hangs_counts_as_running() {
    let directory = Directory::new()
        .script("dumb", "case $1 in status) exec sleep 1000;; esac")
        .group("dumb");
    let limits = Limits {
        status: Duration::from_millis(300),
        ..Limits::default()
    };
    assert_eq!(
        Bench::with_limits(&directory, limits).probe(0),
        GroupOutcome::FoundRunning
    );
}

#[test]
fn a_stop_that_hangs_is_not_repeated() {
    let directory = Directory::new().script(
        "stuck",
        "note $1; case $1 in stop) exec sleep 1000;; *) echo running;; esac",
    );
    let directory = directory.group("stuck");
    let limits = Limits {
        stop: Duration::from_secs(3), // it makes a note first
        ..Limits::default()
    };
    assert_eq!(
        Bench::with_limits(&directory, limits).stop(0),
        GroupOutcome::StopFailed
    );
    assert_eq!(directory.journal(), "stop, status");
}

#[test]
fn a_service_that_keeps_the_output_open_holds_up_nothing_and_lives_on() {
    let body = r"
case $1 in
    start) (trap 'note killed by SIGPIPE' PIPE
            while ! [ -e $journal.end ]; do
                head -c 50000 /dev/zero | tr '\0' 'x' || note broken
                note alive
                sleep 0.1
            done; note ended) &
           echo started;;
esac";
    let directory = Directory::new()
        .script("daemonizing", body)
        .group("daemonizing");
    let mut bench = Bench::new(&directory);
    assert_eq!(bench.start(0), GroupOutcome::Started);
    // More than the pipe holds: somebody still empties it.
    bench.until("a sign of life", |_| {
        (directory.journal().matches("alive").count() >= 5).then_some(())
    });
    std::fs::write(directory.path("journal.end"), "").expect("a file");
    bench.until("its end", |_| {
        directory.journal().ends_with("ended").then_some(())
    });
    assert!(!directory.journal().contains("broken") && !directory.journal().contains("SIGPIPE"));
}

#[test]
fn a_flood_of_output_costs_little_and_delays_nobody() {
    let body = "case $1 in start) head -c 104857600 /dev/zero | tr '\\0' 'y'; yes flood | head -c 20000000; echo; echo last words;; esac; exit 1";
    let directory = Directory::new()
        .setting("env STOPRETRYMAX=1")
        .script("flooding", body)
        .script("quiet", WELL_BEHAVED)
        .group("flooding")
        .group("quiet");
    let mut bench = Bench::new(&directory);
    let before = resident();
    bench.resources.start(GroupId(0));
    bench.resources.start(GroupId(1));
    assert_eq!(bench.outcome(1), GroupOutcome::Started);
    assert_eq!(bench.outcome(0), GroupOutcome::StartFailed);
    assert!(
        resident().saturating_sub(before) < 8 * 1024,
        "grew by {} KiB",
        resident() - before
    );
    assert_eq!(logged("flooding INFO last words").len(), 1);
    let logged: usize = logged("flooding DEBUG").iter().map(String::len).sum();
    assert!(logged < 1_000_000, "{logged} bytes logged");
}

/// Resident memory in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .expect("its line");
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

#[test]
fn children_have_a_clean_environment_and_no_descriptor_of_ours() {
    // Run again as a child, because only there the environment can be chosen.
    if std::env::var_os("LANGUAGE").is_none_or(|language| language != "de") {
        let name = "scripts::children_have_a_clean_environment_and_no_descriptor_of_ours";
        let run = std::process::Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", name, "--nocapture"])
            .envs([
                ("LANG", "de_DE.UTF-8"),
                ("LC_ALL", "de_DE.UTF-8"),
                ("LANGUAGE", "de"),
                ("SECRET", "x"),
            ])
            .output()
            .expect("runs");
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
        return;
    }
    let body = r#"
case $1 in
    start) env | sort > $journal.env; ls -l /proc/self/fd > $journal.fd; pwd > $journal.pwd;;
    status) case "$LANG$LANGUAGE$LC_ALL" in C) echo running;; *) echo läuft;; esac;;
esac"#;
    let directory = Directory::new()
        .setting("logfile /var/log/ha-log")
        .setting("env GREETING=hello")
        .script("curious", body)
        .script("asking", &body.replace("C)", "nothing)"))
        .group("curious")
        .group("asking");
    let mut bench = Bench::new(&directory);
    assert_eq!(
        bench.probe(0),
        GroupOutcome::FoundRunning,
        "the locale is not neutral"
    );
    assert_eq!(bench.start(1), GroupOutcome::Started);
    let read = |name: &str| std::fs::read_to_string(directory.path(name)).expect("a file");
    let environment = read("journal.env");
    for line in [
        "HA_CURHOST=ba",
        "HA_GREETING=hello",
        "HA_LOGFILE=/var/log/ha-log",
        "HA_DEBUGLOG=",
        "HA_keepalive=1",
        "HA_deadtime=10",
        "LC_ALL=C",
        "OCF_ROOT=/usr/lib/ocf",
        &format!(
            "HA_DIR={}/",
            directory
                .path("")
                .display()
                .to_string()
                .trim_end_matches('/')
        ),
    ] {
        assert!(
            environment.lines().any(|found| found == line),
            "no {line} in:\n{environment}"
        );
    }
    assert!(
        !environment.contains("SECRET")
            && !environment.contains("LANG")
            && !environment.contains("CARGO")
    );
    let open: Vec<String> = read("journal.fd")
        .lines()
        .filter(|line| line.contains("->"))
        .map(str::to_owned)
        .collect();
    // Its input, its two outputs, what ls itself opened, and what whoever started this test left open.
    assert_eq!(
        open.len(),
        4 + inherited().len(),
        "{open:#?} {:?}",
        inherited()
    );
    assert!(open[0].ends_with("0 -> /dev/null"), "{open:#?}");
}

/// Descriptors of this process, beyond the first three, that any child inherits.
fn inherited() -> Vec<String> {
    let descriptors = std::fs::read_dir("/proc/self/fdinfo")
        .expect("proc")
        .map_while(Result::ok);
    let is_inherited = |name: &String| {
        let flags =
            std::fs::read_to_string(format!("/proc/self/fdinfo/{name}")).unwrap_or_default();
        let flags = flags.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        name.len() > 1 && flags.is_some_and(|flags| flags & 0o2_000_000 == 0)
    };
    descriptors
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(is_inherited)
        .collect()
}

#[test]
fn a_stop_overtakes_a_start_under_way() {
    let body = r"
note $1
case $1 in start) touch $journal.begun; while ! [ -e $journal.go ]; do sleep 0.05; done;; esac";
    let directory = Directory::new()
        .script("slow", body)
        .script("never", WELL_BEHAVED)
        .group("slow never");
    let mut bench = Bench::new(&directory);
    bench.resources.start(GroupId(0));
    bench.until("the start", |_| {
        directory.path("journal.begun").exists().then_some(())
    });
    bench.resources.stop(GroupId(0));
    bench.resources.turn(now());
    std::fs::write(directory.path("journal.go"), "").expect("a file");
    assert_eq!(bench.outcome(0), GroupOutcome::Stopped);
    assert_eq!(directory.journal(), "status, start, never stop, stop");
}

#[test]
fn what_is_asked_for_during_a_stop_comes_after_it() {
    let directory = Directory::new()
        .script("patient", WELL_BEHAVED)
        .group("patient");
    let mut bench = Bench::new(&directory);
    bench.resources.stop(GroupId(0));
    bench.resources.turn(now());
    bench.resources.start(GroupId(0));
    assert_eq!(bench.outcome(0), GroupOutcome::Stopped);
    assert_eq!(bench.outcome(0), GroupOutcome::Started);
    bench.resources.start(GroupId(0));
    bench.resources.stop(GroupId(0));
    assert_eq!(bench.outcome(0), GroupOutcome::Stopped);
}

#[test]
fn groups_run_side_by_side_and_more_of_them_than_children() {
    // Each of the first two goes on only when the other has begun.
    let body = r"
case $2 in start)
    touch $journal.$1
    while ! [ -e $journal.left -a -e $journal.right ]; do sleep 0.05; done;;
esac";
    let mut directory = Directory::new()
        .script("meeting", body)
        .script("short", "case $2 in start) exec sleep 0.1;; esac")
        .group("meeting::left")
        .group("meeting::right");
    for number in 0..98 {
        directory = directory.group(&format!("short::{number}"));
    }
    let mut bench = Bench::new(&directory);
    for number in 0..100 {
        bench.resources.start(GroupId(number));
    }
    // One that only waits for its turn is stopped without having been started.
    bench.resources.turn(now());
    bench.resources.stop(GroupId(99));
    let mut outcomes = Vec::new();
    while outcomes.len() < 100 {
        outcomes.push(bench.until(
            "an outcome",
            heartbeat::daemon::resources::Resources::next_outcome,
        ));
    }
    outcomes.sort_by_key(|(group, _)| *group);
    for (number, (group, outcome)) in (0..).zip(outcomes) {
        let expected = if number == 99 {
            GroupOutcome::Stopped
        } else {
            GroupOutcome::Started
        };
        assert_eq!((group, outcome), (GroupId(number), expected));
    }
}

#[test]
fn what_is_missing_fails_to_start_and_has_nothing_to_stop() {
    let directory = Directory::new()
        .script("present", WELL_BEHAVED)
        .group("present absent")
        .group("OCF::Dummy::x");
    let mut bench = Bench::new(&directory);
    assert_eq!(
        logged("absent: Cannot locate resource script absent: looked at").len(),
        1
    );
    assert_eq!(bench.probe(0), GroupOutcome::FoundStopped);
    assert_eq!(bench.start(0), GroupOutcome::StartFailed);
    assert_eq!(bench.start(1), GroupOutcome::StartFailed);
    assert_eq!(bench.stop(1), GroupOutcome::Stopped);
    // Somebody puts it there: no restart needed.
    let directory = directory.script("absent", WELL_BEHAVED);
    assert_eq!(bench.start(0), GroupOutcome::Started);
    // And takes it away while it runs: nobody knows what became of it.
    std::fs::remove_file(directory.path("resource.d/absent")).expect("removed");
    let limited = Directory::new()
        .setting("env STOPRETRYMAX=1")
        .script("gone", WELL_BEHAVED)
        .group("gone");
    let mut bench = Bench::new(&limited);
    assert_eq!(bench.start(0), GroupOutcome::Started);
    std::fs::remove_file(limited.path("resource.d/gone")).expect("removed");
    assert_eq!(bench.stop(0), GroupOutcome::StopFailed);
}
