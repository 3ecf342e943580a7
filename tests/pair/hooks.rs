//! The scripts in `rc.d` of two nodes.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use crate::lab::machine::Machine;
use crate::lab::network::Failure;
use crate::lab::{Link, Pair, Setup, claim, eventually};

/// Notes its begin and, a little later, its end: together with what it was told.
fn add_hook(machine: &Machine, name: &str) {
    let seen = machine.file("seen");
    let script = format!(
        "#!/bin/sh\necho \"begin $1 $HA_st $HA_src$HA_node $HA_ifname\" >> {seen}\nsleep 0.3\necho end >> {seen}\n",
        seen = seen.display()
    );
    fs::create_dir_all(machine.file("ha.d/rc.d")).expect("our own file system");
    let path = machine.file("ha.d/rc.d").join(name);
    fs::write(&path, script).expect("our own file system");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("our own file system");
}

/// What was seen of one script, in order.
fn seen(machine: &Machine, script: &str) -> Vec<String> {
    let text = fs::read_to_string(machine.file("seen")).unwrap_or_default();
    let begin = format!("begin {script} ");
    let told = text.lines().filter_map(|line| line.strip_prefix(&begin));
    told.map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn they_are_told_of_every_change_of_the_other_node_and_its_links_one_after_the_other() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        add_hook(&pair.a, "status");
        add_hook(&pair.a, "ifstat");
        pair.serve_on_a();
        eventually("the link is up", || {
            seen(&pair.a, "ifstat").contains(&"up beta eth0".to_owned())
        });
        pair.cut(Link::Eth0, Failure::Silent);
        eventually("a dead link", || {
            seen(&pair.a, "ifstat").contains(&"dead beta eth0".to_owned())
        });
        pair.restore(Link::Eth0);
        eventually("the link is back", || {
            seen(&pair.a, "ifstat").last() == Some(&"up beta eth0".to_owned())
        });
        pair.b.kill_daemon();
        eventually("a dead node", || {
            seen(&pair.a, "status").last() == Some(&"dead beta".to_owned())
        });
        let status = seen(&pair.a, "status");
        assert!(
            status.ends_with(&["active beta".to_owned(), "dead beta".to_owned()]),
            "{status:?}"
        );
        let text = fs::read_to_string(pair.a.file("seen")).expect("written");
        let is_begin = |line: &str| line.starts_with("begin ");
        let mut expected = true;
        for line in text.lines() {
            assert_eq!(is_begin(line), expected, "one at a time: {text}");
            expected = !expected;
        }
        pair.assert_never_two_owners();
    });
}

#[test]
fn the_last_link_is_an_alarm_for_a_script_and_in_cl_status_until_a_second_one_is_back() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        for machine in [&pair.a, &pair.b] {
            add_hook(machine, "jeopardy");
        }
        pair.serve_on_a();
        let marks = pair.marks();
        pair.cut(Link::Eth0, Failure::Silent);
        pair.cut_from(0, Link::Serial);
        for (machine, peer, mark) in [(&pair.a, "beta", marks[0]), (&pair.b, "alpha", marks[1])] {
            let line = format!("CRIT: Only one link to {peer} is left, eth1:");
            machine.log().expect(mark, &line);
            eventually("its script is told", || {
                seen(machine, "jeopardy").contains(&format!("on {peer} eth1"))
            });
            eventually("cl_status tells of it", || {
                let (all, _) = machine.command("cl_status", &["hbstatus", "-v"]);
                all.contains("jeopardy\tonly eth1 is left")
            });
        }
        eventually("the one-way link is named", || {
            let (all, _) = pair.a.command("cl_status", &["listhblinks", "beta", "-v"]);
            all.contains("/dev/ttyS0\tup\tone-way: we hear beta, it does not hear us.")
        });
        pair.restore(Link::Serial);
        for (machine, peer) in [(&pair.a, "beta"), (&pair.b, "alpha")] {
            eventually("the end of it is told", || {
                seen(machine, "jeopardy").last() == Some(&format!("off {peer}"))
            });
            eventually("cl_status does not tell of it any more", || {
                let (all, _) = machine.command("cl_status", &["hbstatus", "-v"]);
                !all.contains("jeopardy")
            });
        }
        pair.assert_never_two_owners();
    });
}

/// Puts a message where scripts do.
fn send(machine: &Machine, message: &str) {
    let fifo = OpenOptions::new()
        .write(true)
        .open(machine.file("ha.d/state/fifo"));
    let mut fifo = fifo.expect("the daemon has made it");
    fifo.write_all(message.as_bytes()).expect("it reads");
}

#[test]
fn what_a_script_sends_is_told_to_the_scripts_of_both_nodes_and_a_flood_of_it_hurts_nobody() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        add_hook(&pair.a, "mine");
        add_hook(&pair.b, "mine");
        pair.serve_on_a();
        let marks = pair.marks();
        for number in 1..=3 {
            send(&pair.a, &format!(">>>\nt=mine\nst={number}\n<<<\n"));
        }
        let expected = ["1 alpha", "2 alpha", "3 alpha"];
        for machine in [&pair.a, &pair.b] {
            eventually("all are told, in order", || {
                seen(machine, "mine") == expected
            });
        }
        send(&pair.b, ">>>\nt=mine\nst=4\ndest=alpha\n<<<\n");
        eventually("the one that it is for is told", || {
            seen(&pair.a, "mine").last().map(String::as_str) == Some("4 beta")
        });
        assert_eq!(seen(&pair.b, "mine"), expected);
        // Much more than the serial line takes in this time; whoever writes it waits.
        let path = pair.a.file("ha.d/state/fifo");
        std::thread::spawn(move || {
            let message = format!(">>>\nt=noise\nwhat={}\n<<<\n>>>\n", "x".repeat(3000));
            let fifo = OpenOptions::new().write(true).open(path);
            let mut fifo = fifo.expect("the daemon has made it");
            while fifo.write_all(message.as_bytes()).is_ok() {}
        });
        pair.assert_stays(0, pair.long_enough());
        for (machine, mark) in [&pair.a, &pair.b].into_iter().zip(marks) {
            assert!(!machine.log().has(mark, "is dead"));
            assert!(!machine.log().has(mark, "/dev/ttyS0 dead"));
        }
        pair.assert_never_two_owners();
    });
}
