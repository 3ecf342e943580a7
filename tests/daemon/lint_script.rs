//! `heartbeat lint-script` with scripts that are as they should be, and with every kind that is not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::machine::{Finished, Machine, skip};

/// Keeps its state in the file `$state`.
const GOOD: &str = r"#!/bin/sh
case $1 in
    start) touch $state;;
    stop) rm -f $state;;
    status) if [ -e $state ]; then echo running; else echo not running; exit 3; fi;;
esac";

fn write(machine: &Machine, path: &str, mode: u32, text: &str) {
    let path = machine.path(path);
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    let state = machine.path("state-of-the-resource");
    let text = text.replace("$state", state.to_str().expect("plain text"));
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
}

fn lint(machine: &Machine, arguments: &[&str]) -> Finished {
    machine.heartbeat(&[&["lint-script"], arguments].concat())
}

/// What is said of a script beside what it printed.
fn findings(finished: &Finished) -> String {
    let told = |line: &&str| {
        ["fault: ", "note: "]
            .iter()
            .any(|word| line.starts_with(word))
    };
    finished
        .out
        .lines()
        .filter(told)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_good_script_has_no_faults_however_it_is_named() {
    let machine = Machine::new("");
    write(&machine, "resource.d/good", 0o755, GOOD);
    let path = machine.path("resource.d/good");
    for name in ["good", path.to_str().expect("plain text")] {
        let done = lint(&machine, &[name]);
        assert_eq!((done.exit, findings(&done).as_str()), (0, ""), "{done:?}");
        assert!(done.out.ends_with("no faults\n"), "{done:?}");
        let calls: Vec<&str> = done
            .out
            .lines()
            .filter(|line| line.contains(" s  "))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(
            calls,
            [
                "status", "start", "start", "status", "stop", "stop", "status"
            ]
        );
    }
}

#[test]
fn every_fault_is_told_in_words() {
    for (text, expected) in [
        (
            "#!/bin/sh\ncase $1 in start) [ -e $state ] && exit 1; touch $state;; stop) rm $state;; \
             status) [ -e $state ] && echo running || echo not running;; esac",
            "fault: start: a start of what runs must succeed with exit code 0, and this one ended with 1\n\
             fault: stop: a stop of what is stopped must succeed with exit code 0, and this one ended with 1\n\
             note: status: while it is stopped the exit code should be 3 and is 0; heartbeat reads the words, systemd \
             and others the code",
        ),
        (
            "#!/bin/sh\necho $1'!!!'",
            "fault: status: while it runs it says `status!!!`, without `running` or `OK`: it counts as stopped, and is \
             started again each time\n\
             note: status: while it is stopped it says `status!!!`, without `not running`: should a stop fail one day, \
             that is no proof that it is stopped",
        ),
        (
            "#!/bin/sh\nexit 0",
            "fault: status: while it runs it says nothing: it counts as stopped, and is started again each time; print \
             `running`\n\
             note: status: while it is stopped it says nothing, without `not running`: should a stop fail one day, \
             that is no proof that it is stopped",
        ),
        (
            "#!/bin/sh\n[ $1 = status ] && echo running >&2; exit 0",
            "fault: status: while it runs it says nothing on standard output, and standard error is not looked at: it \
             counts as stopped, and is started again each time\n\
             note: status: while it is stopped it says nothing, without `not running`: should a stop fail one day, \
             that is no proof that it is stopped",
        ),
        (
            "#!/bin/sh\ncase $1 in start) touch $state;; stop) :;; \
             status) [ -e $state ] && echo running || { echo not running; exit 3; };; esac",
            "fault: status: while it is stopped it says `running`, which means that it runs: it will never be started",
        ),
        (
            "#!/bin/sh\ncase $1 in start) kill -9 $$;; status) echo not running; exit 3;; esac",
            "fault: start: was killed by signal 9",
        ),
        (
            "case $1 in start) touch $state;; stop) rm -f $state;; \
             status) [ -e $state ] && echo running || { echo not running; exit 3; };; esac",
            "fault: the script does not begin with `#!`: `/bin/sh` runs it, whatever it was written for",
        ),
    ] {
        let machine = Machine::new("");
        write(&machine, "resource.d/odd", 0o755, text);
        let done = lint(&machine, &["odd"]);
        assert_eq!(findings(&done), expected, "{text}: {done:?}");
        assert_eq!(done.exit, 1, "{text}");
    }
}

#[test]
fn what_cannot_be_run_is_a_fault_with_its_remedy() {
    for (mode, text, expected) in [
        (0o644, "#!/bin/sh\n", "is not executable: chmod 755 "),
        (0o755, "#!/bin/sh\r\n", "has the line ends of Windows"),
        (
            0o755,
            "#!/no/such/shell\n",
            "names the interpreter `/no/such/shell`",
        ),
        (0o755, "", "is empty"),
    ] {
        let machine = Machine::new("");
        write(&machine, "resource.d/bad", mode, text);
        let path = machine.path("resource.d/bad");
        let done = lint(&machine, &[path.to_str().expect("plain text")]);
        assert_eq!(done.exit, 1, "{done:?}");
        assert!(findings(&done).contains(expected), "{expected}: {done:?}");
    }
    let machine = Machine::new("");
    let done = lint(&machine, &["no-such-script"]);
    assert_eq!(done.exit, 1, "{done:?}");
    assert!(findings(&done).contains("looked at "), "{done:?}");
}

#[test]
fn what_hangs_or_never_stops_writing_is_ended_and_told() {
    let machine = Machine::new("");
    let hanging =
        "#!/bin/sh\n[ $1 = start ] && exec sleep 1000; [ $1 = status ] && echo not running; exit 3";
    write(&machine, "resource.d/hanging", 0o755, hanging);
    let done = lint(&machine, &["hanging", "--timeout", "3"]);
    assert_eq!(done.exit, 1, "{done:?}");
    assert!(
        findings(&done)
            .starts_with("fault: start: did not end within 3 s and was killed; see `timeout`"),
        "{done:?}"
    );
    assert!(
        done.out
            .contains("did not start, so the rest was not tried"),
        "{done:?}"
    );
    let endless =
        "#!/bin/sh\n[ $1 = start ] && exec yes; [ $1 = status ] && echo not running; exit 0";
    write(&machine, "resource.d/endless", 0o755, endless);
    let done = lint(&machine, &["endless", "--timeout", "3"]);
    assert!(
        findings(&done).starts_with("fault: start: writes without end: "),
        "{done:?}"
    );
}

#[test]
fn a_process_that_keeps_the_output_is_told_once() {
    let machine = Machine::new("");
    let text = GOOD.replace(
        "touch $state;;",
        "[ -e $state ] || { sleep 1000 & echo $! > $state.pid; }; touch $state;;",
    );
    let text = text.replace(
        "rm -f $state;;",
        "kill $(cat $state.pid); rm -f $state $state.pid; true;;",
    );
    write(&machine, "resource.d/holding", 0o755, &text);
    let done = lint(&machine, &["holding"]);
    assert_eq!(
        findings(&done),
        "fault: start: a process that runs on has the script's output: start services with \
         `</dev/null >/dev/null 2>&1`",
        "{done:?}"
    );
}

#[test]
fn what_runs_or_belongs_to_a_group_is_left_alone_unless_forced() {
    let machine = Machine::new("");
    write(&machine, "resource.d/good", 0o755, GOOD);
    let state = machine.path("state-of-the-resource");
    fs::write(&state, "").expect("written");
    let refused = lint(&machine, &["good"]);
    assert_eq!(refused.exit, 2, "{refused:?}");
    assert!(refused.err.contains("good runs already"), "{refused:?}");
    assert!(state.exists(), "nothing was stopped");
    let forced = lint(&machine, &["--force", "good"]);
    assert_eq!((forced.exit, state.exists()), (0, false), "{forced:?}");

    machine.write("haresources", "here 10.0.0.9 good::x\n");
    let path = machine.path("resource.d/good");
    for name in ["good", path.to_str().expect("plain text")] {
        let refused = lint(&machine, &[name]);
        assert_eq!(refused.exit, 2, "{refused:?}");
        assert!(refused.err.contains("is in line 1 of "), "{refused:?}");
        assert!(
            !refused.out.contains("status"),
            "nothing was called: {refused:?}"
        );
    }
    assert_eq!(lint(&machine, &["good", "--force"]).exit, 0);
}

#[test]
fn words_that_make_no_sense_are_usage_errors() {
    let machine = Machine::new("");
    for arguments in [
        &[][..],
        &["--force"],
        &["10.0.0.9"],
        &["x", "--timeout", "0"],
    ] {
        let refused = lint(&machine, arguments);
        assert_eq!(refused.exit, 2, "{arguments:?}: {refused:?}");
    }
}

#[test]
fn a_machine_without_a_valid_configuration_can_try_scripts_all_the_same() {
    let machine = Machine::new("serail /dev/ttyS0\n");
    write(&machine, "resource.d/good", 0o755, GOOD);
    let done = lint(&machine, &["good"]);
    assert_eq!(done.exit, 0, "{done:?}");
    machine.write("haresources", "here 10.0.0.9 \\\n good # and no more\n");
    let refused = lint(&machine, &["good"]);
    assert_eq!(refused.exit, 2, "{refused:?}");
    assert!(refused.err.contains("is in line 2 of "), "{refused:?}");
}

#[test]
fn an_agent_of_the_package_has_no_faults() {
    if !Path::new("/usr/lib/ocf/resource.d/heartbeat/Dummy").exists() {
        return skip("the package resource-agents is not installed");
    }
    let machine = Machine::new("");
    let state = format!("state={}", machine.path("dummy").display());
    for name in [
        "ocf:heartbeat:Dummy",
        "/usr/lib/ocf/resource.d/heartbeat/Dummy",
    ] {
        let done = lint(&machine, &[name, &state]);
        assert_eq!((done.exit, findings(&done).as_str()), (0, ""), "{done:?}");
    }
    let odd = lint(&machine, &["ocf:heartbeat:Dummy", &state, "stat=x"]);
    assert_eq!(
        findings(&odd),
        "fault: the agent has no parameter `stat`",
        "{odd:?}"
    );
}
