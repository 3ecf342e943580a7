//! The key of a pair that serves is changed, by the steps that `heartbeat keygen --rotate` prints.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::program::built;
use crate::lab::{Pair, Setup, claim, files};

/// A few heartbeats on each link.
const SOME_HEARTBEATS: Duration = Duration::from_millis(500);

const REFUSED: &str = "don't authenticate";

/// Runs one of the commands that were printed: as it stands, but for the network between the two machines.
fn follow(pair: &Pair, machine: &Machine, command: &str) {
    if command.starts_with("scp -p ") {
        let text = fs::read_to_string(pair.a.file("ha.d/authkeys")).expect("it is there");
        files::write(&pair.b.file("ha.d/authkeys"), &text, 0o600);
        return;
    }
    let programs = built("heartbeat");
    let programs = programs.parent().expect("a directory").display();
    let output = machine.namespace.within(|| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("PATH={programs}:$PATH; {command}")]);
        shell.output().expect("a shell")
    });
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.ends_with("Done.\n"),
        "{}: {command}: {output:?}",
        machine.name
    );
}

fn authkeys(machine: &Machine) -> String {
    fs::read_to_string(machine.file("ha.d/authkeys")).expect("it is there")
}

#[test]
fn the_key_of_a_pair_that_serves_is_changed_and_no_heartbeat_is_refused_or_late() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            deadtime: 6000,
            initdead: 12_000,
            ..Setup::default()
        });
        pair.serve_on_a();
        let (said, status) = pair
            .a
            .command("heartbeat", &["keygen", "--rotate", "--method", "sha256"]);
        assert_eq!(status, Some(0), "{said}");
        let steps: Vec<(&str, &str)> = said
            .lines()
            .filter_map(|line| line.strip_prefix("     ")?.split_once(":  "))
            .collect();
        assert_eq!(steps.len(), 7, "{said}");
        for (number, (name, command)) in steps.into_iter().enumerate() {
            let machine = if name == "alpha" { &pair.a } else { &pair.b };
            follow(&pair, machine, command);
            if number == 3 {
                // One signs with the new key and the other with the old one: all that they say counts.
                let (_, status) = pair.a.command("hb_standby", &["all"]);
                assert_eq!(status, Some(0));
                pair.watch.expect_owner(1, pair.address());
            }
            let owner = usize::from(number >= 3);
            pair.assert_stays(owner, SOME_HEARTBEATS);
        }
        let (a, b) = (authkeys(&pair.a), authkeys(&pair.b));
        assert_eq!(a, b);
        assert!(a.starts_with("auth 2\n2 sha256 ") && a.lines().count() == 2);
        for machine in [&pair.a, &pair.b] {
            for text in [REFUSED, "Late heartbeat", "is dead", " dead."] {
                let lines = machine.log().lines_with(Mark::START, text);
                assert!(lines.is_empty(), "{}: {lines:?}", machine.name);
            }
        }
        pair.assert_never_two_owners();
        // What would have been seen: a key that the other node does not know.
        files::write(
            &pair.b.file("ha.d/authkeys"),
            "auth 1\n1 sha256 a-key-that-alpha-does-not-know\n",
            0o600,
        );
        let begin = pair.a.log().mark();
        let (said, status) = pair.b.command("heartbeat", &["reload"]);
        assert_eq!(status, Some(0), "{said}");
        pair.a.log().expect(begin, REFUSED);
    });
}
