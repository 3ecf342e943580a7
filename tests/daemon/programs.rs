//! The programs of `respawn` and `failfast`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};

use crate::machine::{Machine, is_root, skip, wait_for};

/// Whoever runs the test.
fn myself() -> String {
    let user = User::from_uid(Uid::effective()).expect("asked");
    user.expect("a user of this machine").name
}

/// A program that finds itself in the directory of the machine.
fn write_program(machine: &Machine, name: &str, script: &str) {
    let directory = machine.path("");
    let text = format!("#!/bin/sh\ncd {}\n{script}\n", directory.display());
    machine.write(name, &text);
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(machine.path(name), mode).expect("set");
}

fn add(machine: &Machine, line: &str) {
    let ha_cf = machine.read("ha.cf");
    machine.write("ha.cf", &format!("{ha_cf}{line}\n"));
}

/// A node with one such program, called `program`.
fn machine(directive: &str, script: &str) -> Machine {
    let machine = Machine::new("");
    write_program(&machine, "program", script);
    let program = machine.path("program");
    add(
        &machine,
        &format!("{directive} {} {}", myself(), program.display()),
    );
    machine
}

fn numbers(machine: &Machine, file: &str) -> Vec<i32> {
    let text = machine.read(file);
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Whether a process runs still; one that ended and was not reaped does not.
fn runs(pid: i32) -> bool {
    heartbeat::os::proc::look(pid).is_some()
}

fn count(machine: &Machine, text: &str) -> usize {
    machine.read("ha-log").matches(text).count()
}

#[test]
fn they_start_in_order_when_the_node_is_active_and_end_the_other_way_round() {
    let mut machine = Machine::new("");
    let me = myself();
    for name in ["first", "second"] {
        let script = format!(
            "trap 'echo end {name} $1 >> seen; exit 0' TERM\ntouch up-{name}\nwhile :; do sleep 0.1; done"
        );
        write_program(&machine, name, &script);
        let program = machine.path(name);
        add(
            &machine,
            &format!("respawn {me} {} \"$LOGNAME\"", program.display()),
        );
    }
    machine.start();
    wait_for("both programs", || {
        let are_up = ["up-first", "up-second"].map(|name| machine.path(name).exists());
        (are_up == [true, true]).then_some(())
    });
    let second = format!(
        "Starting child client \"{}",
        machine.path("second").display()
    );
    machine.wait_for_log(&second); // may be written after it has begun
    let log = machine.read("ha-log");
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text}: {log}"));
    let (uid, gid) = (Uid::effective(), nix::unistd::getgid());
    let first = machine.path("first");
    let words = format!("\"{} \"$LOGNAME\"\"", first.display());
    let order = [
        at("Local status now set to: 'active'"),
        at(&format!(
            "info: Starting child client {words} ({uid},{gid})"
        )),
        at(&format!(
            "info: Starting {words} as uid {uid}  gid {gid} (pid "
        )),
        at(&second),
    ];
    assert!(order.is_sorted(), "{order:?}: {log}");

    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    assert_eq!(
        machine.read("seen"),
        format!("end second {me}\nend first {me}\n"),
        "a shell has read the arguments"
    );
    let log = machine.read("ha-log");
    let last_end = log.rfind("exited with return code 0.").expect("told");
    assert!(log.find("All HA resources relinquished").expect("told") < last_end);
    assert_eq!(count(&machine, "Respawning"), 0);
}

#[test]
fn they_have_their_user_his_groups_a_clean_environment_and_nothing_open() {
    if !is_root() {
        return skip("needs root, to become another user");
    }
    let mut machine = Machine::new("env REGION=north\n");
    let open = fs::Permissions::from_mode(0o777);
    fs::create_dir(machine.path("out")).expect("made");
    fs::set_permissions(machine.path("out"), open).expect("set");
    write_program(
        &machine,
        "program",
        "{ id -u; id -g; id -G; } > out/id\nenv > out/env\n\
         cat /proc/$$/stat > out/stat\nexec sleep 300",
    );
    let program = machine.path("program");
    add(&machine, &format!("respawn nobody {}", program.display()));
    let mut command = machine.command(&["-f"]);
    command.env("STRAY", "1");
    machine.start_with(command);
    let stat = wait_for("the program", || {
        Some(machine.read("out/stat")).filter(|stat| stat.ends_with('\n'))
    });
    let nobody = User::from_name("nobody").expect("asked").expect("there");
    let (uid, gid) = (nobody.uid, nobody.gid);
    assert_eq!(machine.read("out/id"), format!("{uid}\n{gid}\n{gid}\n"));
    let words: Vec<&str> = stat.split_whitespace().collect();
    assert_eq!(words[0], words[4], "leads a process group: {stat}");
    let proc = PathBuf::from(format!("/proc/{}", words[0]));
    wait_for("the last program", || {
        let name = fs::read_to_string(proc.join("comm")).expect("runs");
        (name == "sleep\n").then_some(())
    });
    // It opens its libraries first.
    wait_for("standard streams and no more", || {
        let open = fs::read_dir(proc.join("fd")).expect("ours").flatten();
        let open: Vec<_> = open
            .map(|entry| fs::read_link(entry.path()).unwrap_or_default())
            .collect();
        (open == [Path::new("/dev/null"); 3]).then_some(())
    });
    let environment = machine.read("out/env");
    let has = |variable: &str| environment.lines().any(|line| line == variable);
    for variable in [
        "HA_CURHOST=here",
        "HA_keepalive=200ms",
        "HA_REGION=north",
        "USER=nobody",
        "LOGNAME=nobody",
    ] {
        assert!(has(variable), "{variable}: {environment}");
    }
    assert!(
        has(&format!("HOME={}", nobody.dir.display())),
        "{environment}"
    );
    assert!(!environment.contains("STRAY"), "{environment}");
}

#[test]
fn one_that_ends_is_started_again_until_it_ends_with_100() {
    let mut machine = machine(
        "respawn",
        "echo $$ >> pids\n\
         case $(wc -l < pids) in 1) exit 3;; 2) kill -9 $$;; *) exit 100;; esac",
    );
    machine.start();
    machine.wait_for_log("wants not to be started again");
    let pids = numbers(&machine, "pids");
    let program = machine.path("program");
    let program = program.display();
    for line in [
        format!(
            "WARN: Managed {program} process {} exited with return code 3.",
            pids[0]
        ),
        format!(
            "WARN: Managed {program} process {} killed by signal 9 [SIGKILL].",
            pids[1]
        ),
        format!(
            "WARN: Managed {program} process {} exited with return code 100.",
            pids[2]
        ),
    ] {
        machine.wait_for_log(&line);
    }
    let respawning = format!("ERROR: Respawning client \"{program}\":");
    assert_eq!(count(&machine, &respawning), 2);
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    assert_eq!(pids.len(), 3);
}

#[test]
fn one_that_ends_at_once_again_and_again_gets_a_rest_and_the_node_goes_on() {
    let mut machine = machine("respawn", "echo $$ >> pids; exit 0");
    machine.start();
    machine.wait_for_log("\"respawning too fast\": from now on it is started every 10 minutes");
    assert_eq!(numbers(&machine, "pids").len(), 11);
    machine.wait_for_heartbeat();
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    assert_eq!(numbers(&machine, "pids").len(), 11);
}

#[test]
fn what_one_leaves_behind_is_ended_before_it_is_started_again() {
    let mut machine = machine(
        "respawn",
        "for child in $(cat children); do\n\
         case $(cut -d ' ' -f 3 /proc/$child/stat) in ''|Z|X) ;; *) echo $child >> overlap;; esac\ndone\n\
         sleep 300 &\necho $! >> children\nexit 1",
    );
    machine.start();
    let children = wait_for("three starts", || {
        Some(numbers(&machine, "children")).filter(|children| children.len() >= 3)
    });
    assert_eq!(machine.read("overlap"), "");
    assert!(!runs(children[0]) && !runs(children[1]));
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    assert!(
        numbers(&machine, "children")
            .into_iter()
            .all(|pid| !runs(pid))
    );
}

#[test]
fn one_that_ignores_the_stop_is_killed_with_all_that_it_started() {
    let mut machine = machine(
        "respawn",
        "trap '' TERM\nsleep 300 &\necho $! >> pids\necho $$ >> pids\nwait",
    );
    machine.start();
    let pids = wait_for("the program", || {
        Some(numbers(&machine, "pids")).filter(|pids| pids.len() == 2)
    });
    assert!(pids.iter().all(|&pid| runs(pid)));
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    assert!(pids.iter().all(|&pid| !runs(pid)), "{pids:?}");
    assert_eq!(count(&machine, "process group"), 1);
    assert_eq!(count(&machine, "killed by signal 9 [SIGKILL]."), 1);
}

#[test]
fn a_daemon_that_is_killed_takes_its_programs_along() {
    let mut machine = machine("respawn", "echo $$ > pid\nexec sleep 300");
    machine.start();
    let pid = wait_for("the program", || numbers(&machine, "pid").pop());
    machine.crash();
    wait_for("its end", || (!runs(pid)).then_some(()));
}

#[test]
fn one_that_outlives_its_daemon_is_ended_before_the_next_one_is_started() {
    let mut machine = machine(
        "respawn",
        "trap '' TERM\n\
         [ -e pid ] && case $(cut -d ' ' -f 3 /proc/$(cat pid)/stat) in ''|Z|X) ;; *) touch overlap;; esac\n\
         echo $$ > pid\nwhile :; do sleep 0.1; done",
    );
    machine.start();
    let old = wait_for("the program", || numbers(&machine, "pid").pop());
    machine.crash();
    machine.start();
    let program = machine.path("program");
    machine.wait_for_log(&format!(
        "{} [pid {old}], which the daemon before this one began, still runs. It is ended first",
        program.display()
    ));
    let new = wait_for("the next one", || {
        numbers(&machine, "pid").pop().filter(|&pid| pid != old)
    });
    assert!(!runs(old) && runs(new));
    assert!(!machine.path("overlap").exists());
    // Not to be waited for by whoever cleans up.
    kill(Pid::from_raw(new), Signal::SIGKILL).expect("ours");
}

#[test]
fn what_a_program_leaves_behind_that_ends_with_its_daemon_is_ended_before_the_next_one_is_started()
{
    let mut machine = machine("respawn", "sleep 300 &\necho $! >> children\nwait");
    machine.start();
    let old = wait_for("the program", || numbers(&machine, "children").pop());
    machine.crash();
    machine.start();
    machine.wait_for_log("which the daemon before this one began, still runs. It is ended first");
    let children = wait_for("the next one", || {
        Some(numbers(&machine, "children")).filter(|children| children.len() == 2)
    });
    assert!(!runs(old) && runs(children[1]));
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    assert!(!runs(children[1]));
}

/// Adds a resource whose stop ends with this exit code.
fn add_resource(machine: &Machine, stop: &str) {
    machine.write("haresources", "here thing\n");
    fs::create_dir(machine.path("resource.d")).expect("made");
    write_program(
        machine,
        "resource.d/thing",
        &format!(
            "case $1 in\nstart) touch runs;;\nstop) {stop};;\n\
             status) if [ -e runs ]; then echo running; else echo stopped; fi;;\nesac"
        ),
    );
}

#[test]
fn when_a_failfast_program_fails_the_node_gives_up_its_resources_and_stops() {
    let mut machine = machine("failfast", "while ! [ -e go ]; do sleep 0.05; done; exit 7");
    add_resource(&machine, "rm runs");
    machine.start();
    machine.wait_for_log("thing: running here");
    machine.write("go", "");
    assert_eq!(machine.wait_for_end(), 1);
    assert!(!machine.path("runs").exists());
    let log = machine.read("ha-log");
    let program = machine.path("program");
    let why = format!(
        "CRIT: failfast program \"{}\" exited with return code 7: this node gives up its resources and stops",
        program.display()
    );
    let [why, stopped] = [why.as_str(), "here Heartbeat shutdown complete."]
        .map(|text| log.find(text).unwrap_or_else(|| panic!("{text}: {log}")));
    assert!(why < stopped);
    assert_eq!(count(&machine, "Starting child client"), 1);
}

#[test]
fn a_failfast_program_that_is_content_is_started_again() {
    let mut machine = machine(
        "failfast",
        "echo $$ >> pids\n[ $(wc -l < pids) = 2 ] && exec sleep 300\nexit 0",
    );
    machine.start();
    wait_for("a second start", || {
        (numbers(&machine, "pids").len() == 2).then_some(())
    });
    machine.wait_for_heartbeat();
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
}

#[test]
fn in_maintenance_a_failfast_program_that_fails_is_started_again_and_nothing_is_given_up() {
    let mut machine = machine(
        "failfast",
        "echo $$ >> pids\nwhile ! [ -e go ]; do sleep 0.05; done\nrm go\nexit 7",
    );
    add_resource(&machine, "rm runs");
    machine.start();
    machine.wait_for_log("thing: running here");
    assert_eq!(
        machine.cl_status(&["maintenance", "on"]).out.get(..3),
        Some("on\n")
    );
    machine.write("go", "");
    wait_for("a second start", || {
        (numbers(&machine, "pids").len() == 2).then_some(())
    });
    assert!(machine.path("runs").exists());
    assert_eq!(count(&machine, "gives up its resources"), 0);
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
}

#[test]
fn the_watchdog_starves_when_a_failfast_program_fails_and_a_resource_does_not_stop() {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;

    let mut machine = machine(
        "failfast",
        "while ! [ -e go ]; do sleep 0.05; done; kill -6 $$",
    );
    add_resource(&machine, "exit 1");
    nix::unistd::mkfifo(&machine.path("watchdog"), nix::sys::stat::Mode::S_IRWXU).expect("made");
    let mut device = fs::File::options()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(machine.path("watchdog"))
        .expect("opens");
    add(
        &machine,
        &format!("watchdog {}", machine.path("watchdog").display()),
    );
    add(&machine, "env STOPRETRYMAX=1");
    fs::create_dir_all(machine.path("devices/dev")).expect("a directory");
    machine.write("devices/dev/kmsg", "");
    machine.start();
    machine.wait_for_log("thing: running here");
    machine.write("go", "");
    machine.wait_for_log("CRIT: A failfast program has failed and not everything can be stopped");
    machine.wait_for_heartbeat();
    let mut fed = Vec::new();
    let _ = device.read_to_end(&mut fed);
    fed.clear();
    // More than twice as long as a feed takes to come.
    for _ in 0..5 {
        machine.wait_for_heartbeat();
    }
    let _ = device.read_to_end(&mut fed);
    assert!(fed.is_empty(), "fed no more, and not disarmed: {fed:?}");
    let reason = "A failfast program has failed and not everything can be stopped";
    wait_for("the last breath", || {
        machine
            .read("state/last_breath")
            .contains(reason)
            .then_some(())
    });
    let kernel_log = machine.read("devices/dev/kmsg");
    assert_eq!(kernel_log, format!("<2>heartbeat: {reason}\n"));
    assert!(
        machine
            .read("ha-log")
            .contains("killed by signal 6 [SIGABRT]: this node")
    );
    machine.crash();
    machine.write("go", "");
    machine.start();
    machine.wait_for_log(&format!(
        "WARN: The last run of heartbeat ended with: {reason} ("
    ));
}

#[test]
fn users_and_programs_that_are_not_there_are_errors_with_line_and_remedy() {
    let machine = Machine::new("");
    let me = myself();
    let plain = machine.path("plain");
    machine.write("plain", "");
    add(&machine, "respawn no-such-user /bin/true");
    add(&machine, &format!("failfast {me} /no/such/program"));
    add(&machine, &format!("respawn {me} {}", plain.display()));
    add(&machine, &format!("respawn {me} /tmp"));
    for arguments in [&["check"][..], &["-f"], &["-r"]] {
        let refused = machine.heartbeat(arguments);
        assert_eq!(refused.exit, 6, "{arguments:?}: {refused:?}");
        for (line, message, help) in [
            (
                9,
                "no user `no-such-user` on this machine",
                "make it with `useradd",
            ),
            (
                10,
                "no program `/no/such/program`: No such file",
                "install it, correct its path",
            ),
            (11, "/plain` is not executable", "chmod"),
            (12, "`/tmp` is no program", "remove the line"),
        ] {
            let place = format!("{}:{line}:", machine.path("ha.cf").display());
            let mut pictures = refused.err.split("\n\n");
            let found = pictures.any(|picture| {
                [place.as_str(), message, help, "error: "]
                    .iter()
                    .all(|text| picture.contains(text))
            });
            assert!(found, "{arguments:?}, {message}: {}", refused.err);
        }
    }
}

#[test]
fn ipfail_is_built_in_and_never_started() {
    let mut machine = Machine::new("");
    add(&machine, "respawn no-such-user /usr/lib64/heartbeat/ipfail");
    machine.start();
    machine.wait_for_log("Local status now set to: 'active'");
    machine.wait_for_heartbeat();
    assert_eq!(count(&machine, "Starting child client"), 0);
    assert!(!Path::new("/usr/lib64/heartbeat/ipfail").exists());
    assert_eq!(
        kill(Pid::from_raw(machine.pid()), None),
        Ok::<(), Errno>(())
    );
}
