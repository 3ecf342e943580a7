//! What `heartbeat doctor` says of a pair, on either node.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::lab::machine::Machine;
use crate::lab::network::Failure;
use crate::lab::{Link, Pair, Setup, claim, eventually};

/// The exit status, and what was found by item.
fn doctor(machine: &Machine) -> (Option<i32>, Value) {
    let (text, exit) = machine.command("heartbeat", &["doctor", "--json"]);
    let said: Value = serde_json::from_str(&text).unwrap_or_default();
    (exit, said)
}

/// Verdict and words of an item.
fn found(said: &Value, item: &str) -> (String, String) {
    let all = said["findings"].as_array().cloned().unwrap_or_default();
    let one = all.iter().find(|finding| finding["item"] == item);
    let text = |name: &str| {
        one.map_or("", |one| one[name].as_str().unwrap_or_default())
            .to_owned()
    };
    (text("verdict"), text("words"))
}

fn is(verdict: &str, words: &str) -> (String, String) {
    (verdict.to_owned(), words.to_owned())
}

/// The daemon runs and serves: its log and its status name the arguments of its scripts.
fn assert_no_secret_in_a_bundle(machine: &Machine) {
    let path = machine.file("bundle.tar.gz");
    let shown = path.display().to_string();
    let (text, exit) = machine.command("heartbeat", &["doctor", "--bundle", &shown]);
    assert_eq!(exit, Some(0), "{text}");
    let mode = path.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let output = Command::new("tar").arg("-xzOf").arg(&path).output();
    let output = output.expect("tar runs");
    let all = String::from_utf8_lossy(&output.stdout);
    for told in [
        "deadtime 1500ms",
        "disk::*****",
        "\"holdings\": \"local\"",
        "Comm_now_up(): updating status to active",
        "heartbeat-rs ",
        "inet 10.77.1.100/24",
    ] {
        assert!(all.contains(told), "{told}: {all}");
    }
    for secret in [
        "of-the-script",
        "of-the-environment",
        "a-secret-of-the-laboratory",
    ] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
    let (_, exit) = machine.command("heartbeat", &["doctor", "--bundle", &shown]);
    assert_eq!(exit, Some(3), "it is there already");
}

#[test]
fn a_sound_pair_is_found_sound_on_both_nodes_and_a_cut_link_and_a_dead_node_are_named() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            groups: vec!["alpha IPaddr::10.77.1.100/24/eth0 disk::of-the-script".to_owned()],
            more: "env COMMUNITY=of-the-environment\n",
            ..Setup::default()
        });
        let address = format!("address {}", pair.address());
        let (exit, said) = doctor(&pair.a);
        assert_eq!(exit, Some(2), "{said:#}");
        assert_eq!(found(&said, "daemon").0, "problem");
        assert_eq!(
            found(&said, &address),
            is("warning", "nobody answers for it")
        );

        pair.serve_on_a();
        for machine in [&pair.a, &pair.b] {
            eventually("everything was looked at", || {
                let (exit, said) = doctor(machine);
                exit == Some(0)
                    && found(&said, "takeover")
                        == is("ok", "the other node of each group could run it now")
            });
        }
        let (_, said) = doctor(&pair.a);
        assert_eq!(
            found(&said, &address),
            is("ok", "here, on eth0; nobody else answers for it")
        );
        let (_, said) = doctor(&pair.b);
        let (verdict, words) = found(&said, &address);
        assert_eq!(verdict, "ok");
        assert!(
            words.starts_with("alpha (") && words.ends_with(") answers for it"),
            "{words}"
        );
        let (text, exit) = pair.b.command("heartbeat", &["doctor"]);
        assert_eq!(exit, Some(0), "{text}");
        assert!(
            text.contains("ok       link eth1: works in both directions\n"),
            "{text}"
        );

        assert_no_secret_in_a_bundle(&pair.a);

        pair.cut(Link::Eth1, Failure::Silent);
        for machine in [&pair.a, &pair.b] {
            eventually("the cut is seen", || {
                let (exit, said) = doctor(machine);
                let dead = is("problem", "dead: nothing gets through in either direction");
                exit == Some(2)
                    && found(&said, "link eth1") == dead
                    && found(&said, "link eth0").0 == "ok"
            });
        }
        pair.restore(Link::Eth1);
        eventually("the cable is back", || doctor(&pair.a).0 == Some(0));

        pair.power_off(1);
        eventually("the dead node is named", || {
            let (exit, said) = doctor(&pair.a);
            let (verdict, words) = found(&said, "node beta");
            exit == Some(2) && verdict == "problem" && words.starts_with("dead; it was heard ")
        });
        pair.assert_never_two_owners();
    });
}
