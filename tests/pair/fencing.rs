//! A dead node is reset by a device before anything of it is taken. The devices here are scripts that ask the test to
//! take the power of a machine away, and answer once it has.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lab::journal::Mark;
use crate::lab::machine::{Machine, here};
use crate::lab::namespace::run_script;
use crate::lab::{Link, Pair, Setup, claim, eventually, files, throughout};

/// In no log and no list of processes.
const SECRET: &str = "s3cr3t-of-the-device";

/// A file by which a device and the test speak to each other.
fn word(name: &str) -> PathBuf {
    files::shared().join(name)
}

/// Lines of a script that asks the test for a reset and ends as it says. While `fails` is there it fails at once.
fn reset() -> String {
    format!(
        "[ -e {fails} ] && {{ echo 'the device does not answer' >&2; exit 1; }}\n\
         echo $$ >{pid}\n\
         : >{asked}\n\
         while [ ! -e {done} ]; do sleep 0.05; done\n\
         exit 0\n",
        fails = word("fails").display(),
        pid = word("pid").display(),
        asked = word("asked").display(),
        done = word("done").display(),
    )
}

/// A fence agent of this machine. What it reads on its standard input is kept.
fn install_agent(machine: &Machine) {
    let agent = format!(
        "#!/bin/sh\n\
         input=$(cat)\n\
         case $input in *action=monitor*) exit 0 ;; esac\n\
         printf '%s\\n' \"$input\" >{input}\n\
         {reset}",
        input = word("input").display(),
        reset = reset(),
    );
    files::write(&machine.file("ha.d/fence_lab"), &agent, 0o755);
}

/// A pair whose nodes both have the agent, and more lines in `ha.cf`.
fn with_agents(more: &str) -> Pair {
    let more = format!(
        "{more}stonith_host * {}/ha.d/fence_lab ip=192.0.2.1 password={SECRET}\n",
        here().display()
    );
    let pair = Pair::alone(Setup {
        more: more.leak(),
        ..Setup::default()
    });
    for machine in [&pair.a, &pair.b] {
        install_agent(machine);
    }
    pair
}

/// Does what the device was asked for.
#[track_caller]
fn obey_device(pair: &mut Pair, node: usize) {
    eventually("a device is asked", || word("asked").exists());
    pair.power_off(node);
    fs::write(word("done"), "").expect("our own file system");
}

fn exists(process: &str) -> bool {
    Path::new("/proc").join(process.trim()).exists()
}

#[test]
fn a_fence_agent_resets_a_node_whose_daemon_has_died_before_its_groups_are_taken() {
    claim(|| {
        let mut pair = with_agents("fence_delay 0\n");
        pair.serve_on_a();
        let mark = pair.b.log().mark();
        pair.a.kill_daemon(); // address and disk are there still, and nobody minds them
        eventually("the device is asked", || word("asked").exists());
        throughout(pair.long_enough(), "nothing is taken meanwhile", || {
            !pair.b.holds(pair.address()) && !pair.b.file("runs-data").exists()
        });
        assert_eq!(pair.b.cl_status(&["rscstatus"]), "transition");
        let (json, _) = pair.b.command("cl_status", &["hbstatus", "--json"]);
        assert!(json.contains(r#""state": "resetting""#), "{json}");
        obey_device(&mut pair, 0);
        pair.watch.expect_owner(1, pair.address());
        pair.b.log().assert_order(
            mark,
            &[
                "node alpha: is dead",
                "Resetting node alpha with [",
                "node alpha now reset.",
                "Resources being acquired from alpha.",
            ],
        );
        let input = fs::read_to_string(word("input")).expect("the agent read it");
        let expected =
            format!("ip=192.0.2.1\npassword={SECRET}\naction=reboot\nnodename=alpha\nport=alpha\n");
        assert_eq!(input, expected);
        assert!(!pair.b.log().text().contains(SECRET));
        pair.assert_never_two_owners();
    });
}

#[test]
fn of_two_nodes_that_lost_each_other_the_one_that_serves_survives() {
    claim(|| {
        let mut pair = with_agents("fence_delay 60\n");
        pair.serve_on_a();
        for link in Link::ALL {
            pair.cut(link, crate::lab::network::Failure::Silent);
        }
        obey_device(&mut pair, 1);
        let log = pair.a.log();
        log.expect(Mark::START, "node beta now reset.");
        pair.assert_stays(0, Duration::from_millis(500));
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_node_that_is_heard_again_is_not_reset() {
    claim(|| {
        let mut pair = with_agents("fence_delay 60\n");
        pair.serve_on_a();
        for link in Link::ALL {
            pair.cut(link, crate::lab::network::Failure::Silent);
        }
        eventually("the device is asked", || word("asked").exists());
        let agent = fs::read_to_string(word("pid")).expect("written before");
        assert!(exists(&agent));
        for link in Link::ALL {
            pair.restore(link);
        }
        pair.a.log().expect(
            Mark::START,
            "beta is heard again: it is not reset any more.",
        );
        eventually("its order is taken back", || !exists(&agent));
        pair.expect_settled();
        pair.assert_stays(0, Duration::from_millis(500));
        assert!(!pair.a.log().has(Mark::START, "now reset"));
        pair.assert_never_two_owners();
    });
}

#[test]
fn an_operator_ends_the_waiting_when_no_device_can() {
    claim(|| {
        let mut pair = with_agents("fence_delay 0\n");
        fs::write(word("fails"), "").expect("our own file system");
        pair.serve_on_a();
        let confirm = |pair: &Pair, node: &str| {
            let (_, status) = pair.b.command("heartbeat", &["confirm-dead", node]);
            status
        };
        assert_eq!(confirm(&pair, "alpha"), Some(1), "it is heard");
        let mark = pair.b.log().mark();
        pair.power_off(0);
        pair.b.log().expect(mark, "the device does not answer");
        let line = pair
            .b
            .log()
            .expect(mark, "STONITH of alpha failed.  Retrying... in 5 s");
        assert!(line.contains("heartbeat confirm-dead alpha"), "{line}");
        assert!(!pair.b.holds(pair.address()));
        assert_eq!(confirm(&pair, "gamma"), Some(1), "no such node");
        assert!(!pair.b.holds(pair.address()));
        assert_eq!(confirm(&pair, "alpha"), Some(0));
        pair.watch.expect_owner(1, pair.address());
        pair.assert_never_two_owners();
    });
}

/// A plugin of cluster-glue's stonith(8), which alone is seen on this machine.
fn install_plugin(machine: &Machine) {
    let plugin = format!(
        "#!/bin/sh\n\
         case $1 in\n\
         gethosts) echo \"$hostlist\" | tr ',' '\\n' ;;\n\
         getconfignames) echo hostlist; echo password ;;\n\
         status) ;;\n\
         getinfo-xml) echo '<parameters></parameters>' ;;\n\
         getinfo-*) echo lab ;;\n\
         reset)\n\
         tr '\\0' ' ' </proc/$PPID/cmdline >{input}\n\
         [ \"$password\" = {SECRET} ] || exit 1\n\
         {reset}\
         ;;\n\
         *) exit 1 ;;\n\
         esac\n",
        input = word("input").display(),
        reset = reset(),
    );
    let directory = machine.file("plugins");
    fs::create_dir_all(&directory).expect("our own file system");
    files::write(&directory.join("lab"), &plugin, 0o755);
    let script = format!(
        "mount --bind {} /usr/lib/stonith/plugins/external",
        directory.display()
    );
    machine.namespace.within(|| run_script(&script));
}

#[test]
fn a_plugin_of_stonith_is_tried_until_it_succeeds() {
    claim(|| {
        if !Path::new("/usr/lib/stonith/plugins/external").is_dir() {
            let must = std::env::var_os("HB_TEST_REQUIRE_ALL").is_some();
            assert!(!must, "the package cluster-glue is not installed");
            println!("SKIPPED: the package cluster-glue is not installed");
            return;
        }
        let more = format!("fence_delay 0\nstonith_host beta external/lab alpha {SECRET}\n");
        let mut pair = Pair::alone(Setup {
            more: more.leak(),
            ..Setup::default()
        });
        install_plugin(&pair.b);
        pair.serve_on_a();
        let log = pair.b.log();
        log.expect(
            Mark::START,
            "Checking status of STONITH device [external/lab]",
        );
        eventually("the device is known to work", || {
            let (text, _) = pair.b.command("cl_status", &["hbstatus", "-v"]);
            text.contains("fencing\tnone\n\texternal/lab\tworks\n")
        });
        fs::write(word("fails"), "").expect("our own file system");
        pair.a.kill_daemon();
        log.expect(Mark::START, "Host alpha not reset!");
        log.expect(Mark::START, "STONITH of alpha failed.  Retrying...");
        assert!(!pair.b.holds(pair.address()));
        fs::remove_file(word("fails")).expect("written before");
        obey_device(&mut pair, 0);
        pair.watch.expect_owner(1, pair.address());
        log.expect(Mark::START, "node alpha now reset.");
        let words = fs::read_to_string(word("input")).expect("it was called");
        assert!(words.contains("reset alpha"), "{words}");
        assert!(!words.contains(SECRET) && !log.text().contains(SECRET));
        pair.assert_never_two_owners();
    });
}

/// Both serve as usual, and the group of the first node does not stop when it is to go.
fn stuck(pair: &mut Pair) {
    pair.serve_on_a();
    files::write(&pair.a.file("fail-stop-data"), "", 0o644);
    let (_, status) = pair.a.command("hb_standby", &["--no-wait"]);
    assert_eq!(status, Some(0));
}

#[test]
fn a_node_that_does_not_get_rid_of_a_group_resets_itself_where_it_is_told_to() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            more: "env STOPRETRYMAX=1\nstop_failure reboot\n",
            ..Setup::default()
        });
        let instead = pair.a.file("reset");
        files::write(&instead, &format!("#!/bin/sh\n{}", reset()), 0o755);
        pair.a.environment = vec![("HEARTBEAT_RESET", instead)];
        stuck(&mut pair);
        eventually("it resets itself", || word("asked").exists());
        pair.a
            .log()
            .expect(Mark::START, "this node resets itself (stop_failure reboot)");
        throughout(
            pair.long_enough(),
            "the group is held until the node is silent",
            || !pair.b.file("runs-data").exists() && !pair.b.holds(pair.address()),
        );
        obey_device(&mut pair, 0);
        pair.watch.expect_owner(1, pair.address());
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_node_that_does_not_get_rid_of_a_group_is_reset_by_the_other_where_it_is_told_to() {
    claim(|| {
        let mut pair = with_agents("env STOPRETRYMAX=1\nstop_failure fence\n");
        stuck(&mut pair);
        eventually("the device is asked", || word("asked").exists());
        let input = fs::read_to_string(word("input")).expect("the agent read it");
        assert!(input.contains("nodename=alpha"), "{input}");
        pair.b
            .log()
            .expect(Mark::START, "alpha asks to be reset (stop_failure fence)");
        assert!(!pair.b.file("runs-data").exists() && !pair.b.holds(pair.address()));
        obey_device(&mut pair, 0);
        pair.watch.expect_owner(1, pair.address());
        pair.b.log().expect(Mark::START, "node alpha now reset.");
        pair.assert_never_two_owners();
    });
}
