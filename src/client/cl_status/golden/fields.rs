//! Each field that is printed as JSON is in the table of `docs/json.md`, and no other is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::situations::{NOW, group, situations, well};
use super::{Explanation, Overview, Verdict};
use crate::control::{
    Agreement, Difference, Event, Failback, Fencing, FencingDevice, Incident, Jeopardy, Line,
    LineErrors, Monitor, Retry, Rival, SerialLine, Status, Timer, Watchdog,
};

/// The paths of all fields, as `nodes[].links[].way`. What is null or an empty list hides what may be in it.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                paths(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(values) => {
            assert!(
                !values.is_empty(),
                "{path} is empty, which hides what it may hold"
            );
            for value in values {
                paths(value, &format!("{path}[]"), found);
            }
        }
        Value::Null => panic!("{path} is null, which hides what it may hold"),
        _ => {}
    }
}

fn printed(value: &impl Serialize) -> BTreeSet<String> {
    let value = serde_json::to_value(value).expect("serializes");
    let mut found = BTreeSet::new();
    paths(&value, "", &mut found);
    found
}

/// The first column of the table below a headline.
fn documented(page: &str, headline: &str) -> BTreeSet<String> {
    let mut lines = page.lines().skip_while(|line| *line != headline);
    assert!(lines.next().is_some(), "no part {headline}");
    let table = lines.take_while(|line| !line.starts_with("## "));
    let cells = table.filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let mut found = BTreeSet::new();
    for (name, _) in cells {
        assert!(
            found.insert(name.to_owned()),
            "{headline}: {name} is there twice"
        );
    }
    found
}

/// A pair in which everything is there at once.
fn everything() -> (Status, Incident) {
    let mut status = well();
    let all = situations();
    let find = |name: &str| {
        all.iter()
            .find(|one| one.name == name)
            .expect("a situation")
    };
    status.movement = find("given-by-an-operator").status.movement.clone();
    let movement = status.movement.as_mut().expect("it is there");
    movement.reason = Some("why".into());
    movement.warnings = vec!["what".into()];
    status.fencing = Some(Fencing {
        state: "none".into(),
        failures: 0,
        devices: vec![FencingDevice {
            kind: "kind".into(),
            works: Some(true),
        }],
    });
    let line = Some(Line {
        text: "deadtime 10".into(),
        place: "ha.cf:7".into(),
    });
    status.agreement = Some(Agreement {
        state: "differs".into(),
        differences: vec![Difference {
            topic: "deadtime".into(),
            here: line.clone(),
            there: line,
            words: "a sentence".into(),
        }],
        more: 1,
    });
    status.maintenance = find("maintenance").status.maintenance.clone();
    status.jeopardy = Some(Jeopardy {
        since: NOW,
        link: Some("eth0".into()),
    });
    let silence = status.last_link.as_mut().expect("it is there");
    (silence.milliseconds, silence.peer_watchdog, silence.since) = (Some(1), Some(1), Some(1));
    status.watchdog = Some(Watchdog {
        device: "/dev/watchdog".into(),
        name: Some("watchdog0".into()),
        identity: Some("iTCO_wdt".into()),
        armed: true,
        timeout: Some(8),
        nowayout: Some(true),
        policy: "wanted".into(),
        last_fed: Some(NOW),
        problem: Some("why".into()),
    });
    status.timers.push(Timer {
        what: "link".into(),
        subject: Some("eth0".into()),
        at: NOW,
    });
    let mut peer = status.nodes.remove(1);
    peer.links.truncate(1);
    peer.links[0].cause = Some("why".into());
    peer.links[0].serial = Some(SerialLine {
        flow_control: Some(true),
        noise: 0,
        errors: Some(LineErrors {
            framing: 0,
            parity: 0,
            overruns: 0,
            breaks: 0,
        }),
        stranger: Some("login".into()),
        remedy: Some("how".into()),
    });
    status.nodes = vec![peer];
    let mut full = group("IPaddr::10.0.0.1/24/eth0", "alpha", true);
    full.readiness = Some("ready".into());
    full.retry = Some(Retry {
        failures: 1,
        next: Some(NOW),
        frozen: false,
    });
    full.failback = Some(Failback {
        since: NOW,
        awaits: "what".into(),
        until: Some(NOW),
    });
    full.monitors = vec![Monitor {
        resource: "nginx".into(),
        probe: "status".into(),
        works: Some(true),
        failures: 0,
        restarts: 0,
    }];
    full.rivals = vec![Rival {
        address: "10.0.0.1".into(),
        hardware: "52:54:00:12:34:56".into(),
        is_other_node: Some(false),
        claims: 1,
        seconds_ago: 1,
    }];
    status.groups = vec![full];
    let mut incident = find("after-two-owners").incidents[0].clone();
    incident.peer_runs_since = Some(1);
    incident.groups[0].mine[0].until = Some(1);
    incident.groups[0].theirs[0].until = Some(1);
    (status, incident)
}

#[test]
fn every_field_that_is_printed_is_documented_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
    let page = fs::read_to_string(path).expect("the page");
    let (status, incident) = everything();
    let explanation = Explanation::of(&status, &status.groups[0]);
    let mut bad = status.clone();
    bad.communicating = false;
    let verdict = printed(&Verdict::of(&bad));
    let event = Event {
        number: 1,
        at: NOW,
        severity: "info".into(),
        group: Some("web".into()),
        text: "what".into(),
    };
    // What a group, the other node and an incident have is told once, in a part of its own.
    let inner = |all: BTreeSet<String>, prefix: &str| -> BTreeSet<String> {
        let kept = all.into_iter();
        kept.filter(|name| !name.starts_with(prefix)).collect()
    };
    let overview = printed(&Overview::new(status.clone(), vec![incident.clone()]));
    let overview = inner(overview, "groups[].");
    let overview = inner(inner(overview, "incidents[]."), "peer.");
    let explanation = inner(inner(printed(&explanation), "group."), "peer.");
    for (headline, printed) in [
        ("## status", overview),
        ("## A resource group", printed(&status.groups[0])),
        ("## The other node", printed(&status.peer)),
        ("## An incident", printed(&incident)),
        ("## explain", explanation),
        ("## reboot-safe", verdict),
        ("## events", printed(&event)),
    ] {
        let documented = documented(&page, headline);
        let missing: Vec<_> = printed.difference(&documented).collect();
        let surplus: Vec<_> = documented.difference(&printed).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{headline}: not documented {missing:#?}, documented and never printed {surplus:#?}"
        );
    }
}
