//! The scripts in `rc.d`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::machine::{Machine, wait_for};

/// Writes `rc.d/status`, which finds itself in the directory of the machine.
fn write_hook(machine: &Machine, script: &str) {
    write_script(machine, "status", script);
}

fn write_script(machine: &Machine, name: &str, script: &str) {
    let directory = machine.path("");
    let text = format!("#!/bin/sh\ncd {}\n{script}\n", directory.display());
    let _ = fs::create_dir(machine.path("rc.d"));
    let path = format!("rc.d/{name}");
    machine.write(&path, &text);
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(machine.path(&path), mode).expect("set");
}

#[test]
fn a_script_is_told_which_node_is_dead() {
    let mut machine = Machine::new("env REGION=north\n");
    write_hook(
        &machine,
        "echo \"$@\" > words\nenv > env.new\nmv env.new env\necho it was here\nexit 3",
    );
    machine.start();
    let environment = wait_for("the script", || {
        Some(machine.read("env")).filter(|text| !text.is_empty())
    });
    for variable in [
        "HA_t=status",
        "HA_src=there",
        "HA_st=dead",
        "HA_OSTATUS=active",
        "HA_CURHOST=here",
        "HA_REGION=north",
        "HA_keepalive=200ms",
    ] {
        assert!(
            environment.lines().any(|line| line == variable),
            "{variable}: {environment}"
        );
    }
    assert_eq!(machine.read("words"), "status\n");
    let script = machine.path("rc.d/status");
    machine.wait_for_log(&format!("info: Running {} status", script.display()));
    machine.wait_for_log("The script status returned 3");
    machine.wait_for_log("it was here");
    let log = machine.read("ha-log");
    assert!(log.contains("harc(default)["), "{log}");
}

#[test]
fn the_script_of_3_0_6_is_not_run_and_that_is_said_once() {
    let mut machine = Machine::new("");
    write_hook(
        &machine,
        "touch has-run\ncase $HA_st in\n  dead) ./mach_down $HA_src;;\nesac",
    );
    machine.start();
    machine.wait_for_log("node there: is dead");
    machine.wait_for_log("Local status now set to: 'active'");
    machine.wait_for_heartbeat();
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    assert!(!machine.path("has-run").exists());
    let log = machine.read("ha-log");
    let said = "/rc.d/status calls mach_down, as the script of heartbeat 3.0.6 does: it is not run";
    assert_eq!(log.matches(said).count(), 1, "{log}");
}

#[test]
fn a_script_that_hangs_delays_neither_resources_nor_a_stop() {
    let mut machine = Machine::new("");
    write_hook(&machine, "echo $$ > pid\nexec sleep 300");
    machine.write("haresources", "here thing\n");
    fs::create_dir(machine.path("resource.d")).expect("made");
    let runs = machine.path("runs");
    let runs = runs.display();
    machine.write(
        "resource.d/thing",
        &format!(
            "#!/bin/sh\ncase $1 in\nstart) touch {runs};;\nstop) rm {runs};;\n\
             status) if [ -e {runs} ]; then echo running; else echo stopped; fi;;\nesac\n"
        ),
    );
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(machine.path("resource.d/thing"), mode).expect("set");
    machine.start();
    let pid = wait_for("the script", || {
        machine.read("pid").trim().parse::<i32>().ok()
    });
    machine.wait_for_log("thing: running here");
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    assert!(!machine.path("runs").exists());

    // The next daemon waits for it with scripts, and with nothing else.
    machine.start();
    let left =
        format!("status  status [pid {pid}], which the daemon before this one began, still runs.");
    let left = left.replace(
        "status  status",
        &format!("{}  status", machine.path("rc.d/status").display()),
    );
    machine.wait_for_log(&left);
    let starts = || {
        machine
            .read("ha-log")
            .matches("thing: running here")
            .count()
    };
    wait_for("the second start", || (starts() == 2).then_some(()));
    assert_eq!(machine.read("pid").trim(), pid.to_string());
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("runs still");
    let next = wait_for("the next script", || {
        machine
            .read("pid")
            .trim()
            .parse::<i32>()
            .ok()
            .filter(|&next| next != pid)
    });
    kill(Pid::from_raw(next), Signal::SIGKILL).expect("runs");
    machine.wait_for_log("The script status was killed by signal 9");
}

#[test]
fn a_script_that_comes_later_is_found_when_the_files_are_read_again() {
    // Until the peer is given up there is time.
    let mut machine = Machine::new("initdead 10\n");
    machine.start();
    write_hook(&machine, "touch has-run");
    assert_eq!(machine.heartbeat(&["-r"]).exit, 0);
    machine.wait_for_log("Configuration unchanged.");
    wait_for("the script", || {
        machine.path("has-run").exists().then_some(())
    });
}

#[test]
fn a_script_finds_the_functions_that_it_knows() {
    let mut machine = Machine::new("debug 1\nhopfudge 3 # hops\n");
    let functions = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/packaging/shellfuncs/shellfuncs"
    );
    machine.write("shellfuncs", &format!(". {functions}\n"));
    write_hook(
        &machine,
        "OCF_FUNCTIONS_DIR=/nowhere\n. $HA_FUNCS\n. $HA_FUNCS\nha_log \"info: told of $HA_src\"\n\
         { ha_parameter keepalive; ha_parameter hopfudge; ha_parameter deadping; echo $HA_RCDIR; echo $PATH; } > said\n\
         echo t=resource | ha_clustermsg\n\
         printf 't=mine\\nwhat=a b\\nhopfudge=9\\n' | ha_clustermsg || echo refused >> said\nmv said heard",
    );
    write_script(&machine, "mine", "env > mine.new\nmv mine.new mine");
    machine.start();
    machine.wait_for_log("status(default)[");
    machine.wait_for_log("\tinfo: told of there");
    let heard = wait_for("the script", || {
        Some(machine.read("heard")).filter(|heard| !heard.is_empty())
    });
    let expected = format!(
        "200ms\n3\n\n{directory}//rc.d\n/usr/libexec/heartbeat:/usr/sbin:/usr/share/heartbeat:",
        directory = machine.path("").display().to_string().trim_end_matches('/')
    );
    assert!(heard.starts_with(&expected), "{heard}");
    assert_eq!(
        heard.matches("/usr/share/heartbeat").count(),
        1,
        "once: {heard}"
    );
    assert!(!heard.contains("refused"), "{heard}");
    machine.wait_for_log("is not sent: messages of type resource are the daemons' own");
    let environment = wait_for("the other script", || {
        Some(machine.read("mine")).filter(|text| !text.is_empty())
    });
    for variable in [
        "HA_t=mine",
        "HA_src=here",
        "HA_what=a b",
        "HA_hopfudge=3", // as in ha.cf, whatever a script says
        "HA_CURHOST=here",
    ] {
        assert!(
            environment.lines().any(|line| line == variable),
            "{variable}: {environment}"
        );
    }
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    assert!(!machine.path("state/fifo").exists(), "nobody would read it");
}
