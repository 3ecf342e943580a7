//! What is made of what a daemon tells.

use serde_json::{Value, json};

use super::*;

/// Two links, a group here and one there, all sound.
fn sound() -> Value {
    let link =
        |name: &str, kind: &str| json!({"name": name, "kind": kind, "up": true, "way": "both"});
    let mut serial = link("/dev/ttyS0", "serial");
    serial["serial"] =
        json!({"flow-control": true, "noise": 0, "errors": null, "stranger": null, "remedy": null});
    let group = |key: &str| {
        json!({
            "key": key, "preferred": "alpha", "resources": [key], "local": "running", "peer": "stopped",
            "monitors": [], "failback": null, "retry": null, "readiness": null, "peer-ready": true, "rivals": []
        })
    };
    let mut there = group("web");
    there["local"] = "stopped".into();
    there["peer"] = "running".into();
    there["readiness"] = "ready".into();
    there["peer-ready"] = Value::Null;
    json!({
        "version": "0.1.0", "heartbeat-as-of": 1_800_000_000, "since": 1_799_999_000, "node": "alpha", "uuid": "",
        "generation": 1, "communicating": true, "holdings": "local",
        "nodes": [
            {"name": "alpha", "kind": "normal", "status": "active", "links": []},
            {"name": "beta", "kind": "normal", "status": "active", "links": [serial, link("eth1", "bcast")]},
            {"name": "router", "kind": "ping", "status": "ping", "links": []},
        ],
        "groups": [group("10.0.0.1"), there],
        "movement": null,
        "maintenance": null,
        "fencing": {"state": "none", "failures": 0, "devices": [{"kind": "external/ipmi", "works": true}]},
        "last-link": {
            "answer": "takeover", "milliseconds": null, "peer": null, "peer-watchdog": null, "state": "none",
            "since": null, "cut-off": false
        },
        "watchdog": {
            "device": "/dev/watchdog", "name": null, "identity": null, "armed": true, "timeout": 10, "nowayout": null,
            "policy": "required", "last-fed": 1_799_999_999, "problem": null
        },
        "agreement": {"state": "equal", "differences": [], "more": 0},
        "peer": {
            "program": "heartbeat-rs", "heard-ago": 240, "deadtime": 10000, "relation": "talking",
            "is-leaving": false, "files-agree": true
        },
        "parameters": []
    })
}

/// What is found where one member of the sound state is another.
fn found(path: &str, value: Value) -> Vec<Finding> {
    let mut status = sound();
    *status.pointer_mut(path).expect("a member") = value;
    let status: Status = serde_json::from_value(status).expect("a status");
    let mut findings = judge::judge(&status);
    findings.extend(groups::judge(&status, peer_of(&status)));
    findings
}

/// What is not as it should be.
fn wrong(path: &str, value: Value) -> Vec<(Verdict, String)> {
    let all = found(path, value).into_iter();
    let wrong = all.filter(|finding| finding.verdict != Verdict::Ok);
    let line = |finding: Finding| {
        (
            finding.verdict,
            format!("{}: {}", finding.item, finding.words),
        )
    };
    wrong.map(line).collect()
}

#[test]
fn a_sound_pair_is_called_sound_in_so_many_words() {
    let diagnosis = Diagnosis::of(found("/generation", json!(2)));
    assert_eq!(diagnosis.exit_status(), SOUND);
    let expected = "\
ok       daemon: heartbeat-rs 0.1.0 runs, as alpha
ok       node beta: active; it was heard 0.2 s ago
ok       link /dev/ttyS0: works in both directions
ok       serial /dev/ttyS0: RTS/CTS flow control; errors counted: 0, bytes that belonged to nothing: 0
ok       link eth1: works in both directions
ok       ping router: answers
ok       files: beta goes by the same
ok       watchdog: /dev/watchdog was fed 1 s ago and resets after 10 s
ok       fencing external/ipmi: the device answers
ok       groups: 1 run here, 1 on beta
ok       takeover: the other node of each group could run it now
Everything that was looked at is sound.
";
    assert_eq!(diagnosis.text(), expected);
}

#[test]
fn whatever_is_wrong_is_named() {
    let warning = |text: &str| (Verdict::Warning, text.to_owned());
    let problem = |text: &str| (Verdict::Problem, text.to_owned());
    let link = "/nodes/1/links/1/way";
    let alone = warning("links: only one works: its loss looks like the death of the other node");
    for (path, value, expected) in [
        (
            link,
            json!("none"),
            vec![
                problem("link eth1: dead: nothing gets through in either direction"),
                alone.clone(),
            ],
        ),
        (
            link,
            json!("in"),
            vec![
                problem("link eth1: one-way: beta is heard, and does not hear this node"),
                alone.clone(),
            ],
        ),
        (
            link,
            json!("out"),
            vec![
                problem("link eth1: one-way: beta hears this node, and is not heard"),
                alone,
            ],
        ),
        (
            "/nodes/1/links/0/serial/stranger",
            json!("login"),
            vec![problem(
                "serial /dev/ttyS0: somebody else talks there: login",
            )],
        ),
        (
            "/nodes/1/links/0/serial/errors",
            json!({"framing": 2, "parity": 0, "overruns": 1, "breaks": 0}),
            vec![warning(
                "serial /dev/ttyS0: RTS/CTS flow control; errors counted: 3, bytes that belonged to nothing: 0",
            )],
        ),
        (
            "/nodes/1/status",
            json!("dead"),
            vec![problem("node beta: dead; it was heard 0.2 s ago")],
        ),
        (
            "/nodes/2/status",
            json!("dead"),
            vec![warning("ping router: does not answer")],
        ),
        (
            "/fencing/devices/0/works",
            json!(false),
            vec![problem(
                "fencing external/ipmi: the device did not answer when it was asked last: nothing of a dead node is taken",
            )],
        ),
        (
            "/watchdog/last-fed",
            json!(1_799_999_900),
            vec![problem(
                "watchdog: /dev/watchdog is not fed and resets this machine within 10 s",
            )],
        ),
        (
            "/watchdog/armed",
            json!(false),
            vec![problem(
                "watchdog: /dev/watchdog is not armed: not armed yet",
            )],
        ),
        (
            "/last-link/state",
            json!("manual"),
            vec![problem(
                "last link: the other node is silent, and a person has to say that it is down",
            )],
        ),
        (
            "/groups/0/peer-ready",
            json!(false),
            vec![warning("takeover: beta could not run 10.0.0.1 now")],
        ),
        (
            "/groups/1/readiness",
            json!("no disk"),
            vec![warning(
                "takeover: this node could not run web now: no disk",
            )],
        ),
        (
            "/groups/1/peer",
            json!("stopped"),
            vec![problem("group web: runs on neither node")],
        ),
        (
            "/groups/0/peer",
            json!("running"),
            vec![problem("group 10.0.0.1: both nodes run it")],
        ),
        (
            "/groups/0/local",
            json!("stopping"),
            vec![warning("group 10.0.0.1: stopping here, stopped on beta")],
        ),
        (
            "/groups/0/local",
            json!("unknown"),
            vec![problem(
                "group 10.0.0.1: not known whether it runs (here): it could not be stopped, or nobody has looked yet",
            )],
        ),
        (
            "/groups/0/rivals",
            json!([{"address": "10.0.0.1", "hardware": "02:00", "is-other-node": false, "claims": 3, "seconds-ago": 1}]),
            vec![problem(
                "address 10.0.0.1: a stranger (02:00) has claimed it 3 time(s), the last 1 s ago",
            )],
        ),
        (
            "/maintenance",
            json!({
                "since": 1_799_999_000, "until": null, "by": "root", "node": "beta", "reason": "new disks",
                "known-to-peer": true, "rests": false, "peer-lost": false
            }),
            vec![warning(
                "maintenance: is on, and nothing moves by itself: new disks",
            )],
        ),
        (
            "/agreement",
            json!({"state": "differs", "more": 2, "differences": [
                {"topic": "deadtime", "here": null, "there": null, "words": "deadtime differs"},
                {"topic": "group a", "here": null, "there": null, "words": "group a differs"},
            ]}),
            vec![
                warning("files: deadtime differs"),
                problem("files: group a differs"),
                warning("files: 2 more line(s) differ from those of beta"),
            ],
        ),
    ] {
        assert_eq!(wrong(path, value.clone()), expected, "{path}: {value}");
    }
}

#[test]
fn the_exit_status_is_that_of_the_worst() {
    use Verdict::{Ok, Problem, Unknown, Warning};
    let of = |verdicts: &[Verdict]| {
        let finding = |verdict: &Verdict| Finding::new("x", *verdict, "", "");
        Diagnosis::of(verdicts.iter().map(finding).collect()).exit_status()
    };
    assert_eq!(of(&[Ok, Ok]), SOUND);
    assert_eq!(of(&[Ok, Warning]), WARNINGS);
    assert_eq!(of(&[Warning, Unknown]), UNKNOWN);
    assert_eq!(of(&[Unknown, Problem, Ok]), PROBLEMS);
    assert_eq!(of(&[]), UNKNOWN);
}

#[test]
fn an_incident_is_news_for_a_day() {
    let incident = |lost: u64, both: u64| {
        let incident = json!({
            "node": "alpha", "peer": "beta", "cause": "silence", "lost": lost * 1000, "met": null, "settled": 0,
            "peer-word": "told", "peer-runs-since": null, "is-cut": false,
            "groups": [{"keys": ["a"], "mine": [], "theirs": [], "both": both}]
        });
        serde_json::from_value(incident).expect("an incident")
    };
    let now = 1_800_000_000;
    let judge = |all: &[crate::control::Incident]| judge::incidents(all, now);
    assert_eq!(judge(&[]).words, "none in the last day; 0 on record");
    let old = incident(now - 25 * 3600, 7);
    assert_eq!(judge(&[old]).verdict, Verdict::Ok);
    let found = judge(&[incident(now - 60, 0), incident(now - 30, 7)]);
    assert_eq!(found.verdict, Verdict::Warning);
    let begin = "2 in the last day, and both nodes held the same at a time; the last began at ";
    assert!(found.words.starts_with(begin), "{}", found.words);
}
