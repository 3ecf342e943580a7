//! The scripts in `rc.d` of two nodes.

use std::fs;
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
