//! `ResourceManager takegroup` and `givegroup` between two daemons.

use std::process::Stdio;

use crate::lab::machine::Machine;
use crate::lab::{Pair, Setup, claim, eventually};

const LEFT: &str = "IPaddr::10.77.1.100/24/eth0";
const RIGHT: &str = "IPaddr::10.77.1.101/24/eth0";
const EXTRA: &str = "IPaddr::10.77.1.102/24/eth0";

/// What it printed on standard error, and how it ended.
fn run(machine: &Machine, words: &[&str]) -> (String, i32) {
    let mut command = machine.program.command("ResourceManager", false);
    command.args(words);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = machine.namespace.spawn(&mut command).wait_with_output();
    let output = output.expect("our own child");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (text, output.status.code().unwrap_or(-1))
}

fn serving(extra: &[&str]) -> Pair {
    let mut groups = vec![
        format!("alpha {LEFT} disk::left"),
        format!("beta {RIGHT} disk::right"),
    ];
    groups.extend(extra.iter().map(|line| (*line).to_owned()));
    let mut pair = Pair::alone(Setup {
        groups,
        ..Setup::default()
    });
    pair.serve_on_a();
    eventually("both are at home", || {
        pair.a.file("runs-left").exists() && pair.b.file("runs-right").exists()
    });
    pair.expect_settled();
    pair
}

#[test]
fn a_group_that_is_alone_moves_and_never_has_two_owners() {
    claim(|| {
        let pair = serving(&[]);
        let done = (String::new(), 0);
        for (asked, verb, key, owners) in [
            (0, "takegroup", LEFT, [0, 1]),
            (0, "takegroup", RIGHT, [0, 0]),
            (1, "status", RIGHT, [0, 0]),
            (0, "status", RIGHT, [0, 0]),
            (0, "givegroup", LEFT, [1, 0]),
            (0, "givegroup", LEFT, [1, 0]),
            (1, "takegroup", RIGHT, [1, 1]),
            (0, "takegroup", LEFT, [0, 1]),
        ] {
            let result = run([&pair.a, &pair.b][asked], &[verb, key]);
            let expected = if verb == "status" && asked == 1 {
                (String::new(), 3)
            } else {
                done.clone()
            };
            assert_eq!(result, expected, "{verb} {key}");
            for (address, owner) in pair.setup.floating().into_iter().zip(owners) {
                pair.watch.expect_owner(owner, address);
            }
            pair.expect_settled();
        }
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_group_that_would_take_another_along_is_refused_with_the_command_for_both() {
    claim(|| {
        let pair = serving(&[&format!("alpha {EXTRA}")]);
        let (refusal, status) = run(&pair.a, &["givegroup", LEFT]);
        assert_eq!(status, 2, "{refusal}");
        assert!(
            refusal.contains(&format!("{EXTRA} would move with it"))
                && refusal.contains("hb_standby local"),
            "{refusal}"
        );
        let (refusal, status) = run(&pair.b, &["takegroup", LEFT]);
        assert_eq!(status, 2, "{refusal}");
        assert!(refusal.contains("hb_takeover foreign"), "{refusal}");
        pair.expect_settled();
        assert!(pair.a.file("runs-left").exists());
        pair.assert_never_two_owners();
    });
}
