//! The situations: a pair that is well, and what is otherwise in each.

use crate::control::{
    Agreement, Decision, Difference, Direction, Failback, Fencing, FencingDevice, Group,
    HeldGroups, Incident, Jeopardy, LastLink, Line, Link, LinkQuality, Maintenance, Monitor,
    MoveProgress, Movement, Node, Outcome, Parameter, Peer, Reasons, Retry, Rival, Selection,
    SerialLine, Status, Tenure, Timer, Watchdog,
};

/// 2026-11-20 18:18:20 UTC.
pub(super) const NOW: u64 = 1_795_198_700;

/// A pair, and what it looks like there.
pub(super) struct Situation {
    pub name: &'static str,
    pub status: Status,
    pub incidents: Vec<Incident>,
}

fn link(name: &str, kind: &str) -> Link {
    Link {
        name: name.into(),
        kind: kind.into(),
        up: true,
        way: Some("both".into()),
        cause: None,
        serial: None,
        quality: Some(LinkQuality {
            heard_ago: Some(340),
            received: 4711,
            expected: 124,
            missed: 0,
            jitter: Some(412),
        }),
    }
}

fn node(name: &str, kind: &str, status: &str, links: Vec<Link>) -> Node {
    Node {
        name: name.into(),
        kind: kind.into(),
        status: status.into(),
        links,
        since: (kind == "normal").then_some(NOW - 3600),
    }
}

pub(super) fn group(key: &str, preferred: &str, is_here: bool) -> Group {
    let (local, peer) = if is_here {
        ("running", "stopped")
    } else {
        ("stopped", "running")
    };
    let words = if is_here {
        ["running", "free"]
    } else {
        ["free", "running"]
    };
    Group {
        key: key.into(),
        preferred: preferred.into(),
        resources: vec![key.into(), "nginx".into()],
        local: local.into(),
        peer: Some(peer.into()),
        monitors: Vec::new(),
        failback: None,
        retry: None,
        readiness: (!is_here).then(|| "ready".into()),
        peer_ready: is_here.then_some(true),
        carrier: Some("up".into()),
        peer_carrier: Some("up".into()),
        rivals: Vec::new(),
        reasons: Reasons {
            since: is_here.then_some(NOW - 3590),
            peer_since: Some(NOW - 3595),
            claim: Some(words[0].into()),
            peer_claim: Some(words[1].into()),
            is_taken: false,
            is_unfit: false,
            decision: is_here
                .then(|| decision("start", "this is its preferred node and nobody holds it")),
            outcome: is_here.then(|| outcome("running here.")),
        },
    }
}

fn decision(step: &str, reason: &str) -> Decision {
    Decision {
        at: (NOW - 3590) * 1000 + 123,
        step: step.into(),
        reason: reason.into(),
        evidence: vec![
            "beta is heard and hears this node".into(),
            "beta claims: free".into(),
            "its preferred node is alpha".into(),
        ],
    }
}

fn outcome(text: &str) -> Outcome {
    Outcome {
        at: (NOW - 3589) * 1000 + 4,
        text: text.into(),
    }
}

/// All is well: one group here, one there.
pub(super) fn well() -> Status {
    Status {
        version: "0.1.0".into(),
        heartbeat_as_of: NOW,
        since: NOW - 3600,
        node: "alpha".into(),
        uuid: "958e11be-8686-759f-1b99-204c17812f2c".into(),
        generation: 12,
        communicating: true,
        holdings: "local".into(),
        nodes: vec![
            node("alpha", "normal", "active", vec![]),
            node(
                "beta",
                "normal",
                "active",
                vec![
                    link("/dev/ttyS0", "serial"),
                    link("eth0", "ucast"),
                    link("eth1", "bcast"),
                ],
            ),
        ],
        groups: vec![
            group("IPaddr::10.0.0.1/24/eth0", "alpha", true),
            group("IPaddr::10.0.0.2/24/eth0", "beta", false),
        ],
        movement: None,
        peer_ethernet: vec!["02:00:00:00:00:02".into()],
        maintenance: None,
        agreement: Some(Agreement {
            state: "equal".into(),
            differences: vec![],
            more: 0,
        }),
        fencing: None,
        jeopardy: None,
        last_link: Some(LastLink {
            answer: "takeover".into(),
            milliseconds: None,
            peer: Some("takeover".into()),
            peer_watchdog: None,
            state: "none".into(),
            since: None,
            cut_off: false,
        }),
        watchdog: None,
        peer: Some(Peer {
            program: "heartbeat-rs".into(),
            heard_ago: Some(340),
            deadtime: 10_000,
            relation: "talking".into(),
            is_leaving: false,
            files_agree: Some(true),
        }),
        timers: Vec::new(),
        parameters: vec![
            Parameter {
                name: "auto_failback".into(),
                value: "on".into(),
            },
            Parameter {
                name: "deadtime".into(),
                value: "10".into(),
            },
        ],
    }
}

fn peer(status: &mut Status) -> &mut Peer {
    status.peer.as_mut().expect("each has one")
}

fn timer(status: &mut Status, what: &str, subject: Option<&str>, seconds: u64) {
    status.timers.push(Timer {
        what: what.into(),
        subject: subject.map(str::to_owned),
        at: NOW + seconds,
    });
}

/// The other node is not there, and this one has everything.
fn alone(status: &mut Status, relation: &str, word: &str, reason: &str) {
    status.holdings = "all".into();
    status.nodes[1].status = word.into();
    status.nodes[1].since = Some(NOW - 60);
    for link in &mut status.nodes[1].links {
        (link.up, link.way) = (false, Some("none".into()));
        if let Some(quality) = &mut link.quality {
            quality.heard_ago = Some(70_200);
        }
    }
    peer(status).relation = relation.into();
    peer(status).heard_ago = Some(70_200);
    peer(status).files_agree = None;
    for group in &mut status.groups {
        (group.peer, group.reasons.peer_claim) = (None, None);
        (group.peer_ready, group.peer_carrier) = (None, None);
        group.local = "running".into();
        group.readiness = None;
        group.reasons.claim = Some("running".into());
        if group.preferred == "beta" {
            group.reasons.since = Some(NOW - 59);
            group.reasons.is_taken = true;
            group.reasons.decision = Some(Decision {
                at: (NOW - 60) * 1000 + 202,
                step: "start".into(),
                reason: reason.into(),
                evidence: vec![
                    "beta was last heard 10.012 s before; its deadtime is 10.000 s".into(),
                ],
            });
            group.reasons.outcome = Some(Outcome {
                at: (NOW - 59) * 1000,
                text: "running here.".into(),
            });
        }
    }
}

fn in_doubt(status: &mut Status, answer: &str, state: &str) {
    alone(status, "in-doubt", "dead", "");
    status.holdings = "transition".into();
    status.groups[1] = group("IPaddr::10.0.0.2/24/eth0", "beta", false);
    status.groups[1].peer = None;
    status.groups[1].reasons.peer_claim = None;
    status.last_link = Some(LastLink {
        answer: answer.into(),
        milliseconds: (answer != "manual").then_some(30_000),
        peer: Some(answer.into()),
        peer_watchdog: None,
        state: state.into(),
        since: Some(NOW - 60),
        cut_off: false,
    });
}

fn fenced(state: &str, failures: u32, works: Option<bool>) -> Fencing {
    Fencing {
        state: state.into(),
        failures,
        devices: vec![FencingDevice {
            kind: "external/ipmi".into(),
            works,
        }],
    }
}

fn movement(progress: MoveProgress) -> Movement {
    Movement {
        generation: 12,
        number: 1,
        request: Direction::Standby,
        selection: Selection::All,
        progress,
        reason: None,
        warnings: Vec::new(),
    }
}

fn incident(both: u64) -> Incident {
    let lost = (NOW - 90_000) * 1000;
    let tenure = |since| Tenure {
        since: lost + since,
        until: None,
        is_older: false,
    };
    Incident {
        node: "alpha".into(),
        peer: "beta".into(),
        cause: "silence".into(),
        lost,
        met: Some(lost + 61_500),
        settled: lost + 62_000,
        peer_word: "told".into(),
        peer_runs_since: None,
        is_cut: false,
        groups: vec![HeldGroups {
            keys: vec!["IPaddr::10.0.0.2/24/eth0".into()],
            mine: vec![tenure(10_000)],
            theirs: vec![tenure(0)],
            both,
        }],
    }
}

/// A pair that is well but for what `change` does to it.
fn but(name: &'static str, change: impl FnOnce(&mut Status)) -> Situation {
    let mut status = well();
    change(&mut status);
    Situation {
        name,
        status,
        incidents: Vec::new(),
    }
}

pub(super) fn situations() -> Vec<Situation> {
    let mut all = vec![but("all-is-well", |_| ())];
    all.extend(of_membership());
    all.extend(of_links());
    all.extend(of_silence());
    all.extend(of_groups());
    all.extend(of_moves());
    let mut with_incident = but("after-two-owners", |_| ());
    with_incident.incidents = vec![incident(0), incident(50_900)];
    all.push(with_incident);
    all
}

fn of_membership() -> Vec<Situation> {
    vec![
        but("starting", |status| {
            status.communicating = false;
            status.nodes[0].status = "up".into();
            status.nodes[1].status = "init".into();
            status.nodes[1].links = vec![link("eth0", "ucast")];
            status.nodes[1].links[0].up = false;
            status.nodes[1].links[0].way = Some("none".into());
            status.nodes[1].links[0].quality = Some(LinkQuality {
                heard_ago: None,
                received: 0,
                expected: 0,
                missed: 0,
                jitter: None,
            });
            let peer = peer(status);
            peer.program = "unknown".into();
            peer.relation = "unheard".into();
            (peer.heard_ago, peer.files_agree) = (None, None);
            timer(status, "initdead", None, 42);
            for group in &mut status.groups {
                group.local = "stopped".into();
                group.peer = None;
                group.reasons = Reasons {
                    claim: Some("free".into()),
                    ..Reasons::default()
                };
            }
        }),
        but("peer-is-dead", |status| {
            alone(status, "dead", "dead", "the other node is dead");
        }),
        but("peer-has-left", |status| {
            alone(status, "left", "up", "the other node has left");
        }),
        but("peer-is-leaving", |status| peer(status).is_leaving = true),
        but("peer-is-deaf", |status| {
            peer(status).relation = "deaf".into();
            for link in &mut status.nodes[1].links {
                link.way = Some("in".into());
                link.cause = Some("Look for a firewall there.".into());
            }
        }),
        but("peer-runs-3.0.6", |status| {
            peer(status).program = "heartbeat-3.0.6".into();
            peer(status).relation = "halves".into();
            peer(status).files_agree = None;
            for link in &mut status.nodes[1].links {
                link.way = Some("unknown".into());
            }
            for group in &mut status.groups {
                (group.peer_ready, group.peer_carrier) = (None, None);
            }
        }),
        but("files-differ", |status| {
            peer(status).files_agree = Some(false);
            let line = |text: &str, place: &str| {
                Some(Line {
                    text: text.into(),
                    place: place.into(),
                })
            };
            status.agreement = Some(Agreement {
                state: "differs".into(),
                differences: vec![Difference {
                    topic: "group 10.0.0.2".into(),
                    here: line("beta IPaddr::10.0.0.2/24/eth0", "haresources:3"),
                    there: None,
                    words: "group 10.0.0.2: only here, `beta IPaddr::10.0.0.2/24/eth0` (haresources:3); beta does not have it."
                        .into(),
                }],
                more: 0,
            });
        }),
        but("maintenance", |status| {
            status.maintenance = Some(Maintenance {
                since: NOW - 900,
                until: Some(NOW + 2700),
                by: "root".into(),
                node: "beta".into(),
                reason: "new disks".into(),
                known_to_peer: true,
                rests: false,
                peer_lost: false,
            });
        }),
        but("peer-has-not-told", |status| {
            peer(status).relation = "unheard".into();
            peer(status).files_agree = None;
            for group in &mut status.groups {
                (group.peer, group.reasons.peer_claim) = (None, None);
            }
        }),
    ]
}

fn of_links() -> Vec<Situation> {
    vec![
        but("one-link-is-dead", |status| {
            let dead = &mut status.nodes[1].links[2];
            (dead.up, dead.way) = (false, Some("none".into()));
            dead.quality = Some(LinkQuality {
                heard_ago: Some(725_000),
                received: 12,
                expected: 124,
                missed: 124,
                jitter: Some(2900),
            });
        }),
        but("one-link-is-silent", |status| {
            let silent = &mut status.nodes[1].links[1];
            silent.way = Some("none".into());
            silent.quality.as_mut().expect("it is counted").heard_ago = Some(4_200);
            timer(status, "link", Some("eth0"), 6);
        }),
        but("one-link-is-one-way", |status| {
            let half = &mut status.nodes[1].links[1];
            half.way = Some("out".into());
            half.cause = Some("Look for a firewall here that drops what comes in on eth0.".into());
        }),
        but("one-link-is-left", |status| {
            for link in &mut status.nodes[1].links[1..] {
                (link.up, link.way) = (false, Some("none".into()));
            }
            status.jeopardy = Some(Jeopardy {
                since: NOW - 30,
                link: Some("/dev/ttyS0".into()),
            });
        }),
        but("login-on-the-serial-line", |status| {
            status.nodes[1].links[0].serial = Some(SerialLine {
                flow_control: Some(true),
                noise: 1200,
                errors: None,
                stranger: Some("login".into()),
                remedy: Some("A login talks on /dev/ttyS0 at the other node: systemctl mask --now serial-getty@ttyS0 there.".into()),
            });
        }),
        but("ping-node-does-not-answer", |status| {
            let router = link("10.0.0.254", "ping");
            status
                .nodes
                .push(node("10.0.0.254", "ping", "dead", vec![router]));
        }),
    ]
}

fn of_silence() -> Vec<Situation> {
    vec![
        but("peer-is-silent-just-now", |status| {
            peer(status).heard_ago = Some(6_100);
            timer(status, "deadtime", None, 4);
        }),
        but("in-doubt-manual", |status| {
            in_doubt(status, "manual", "manual");
        }),
        but("in-doubt-wait", |status| {
            in_doubt(status, "wait", "waiting");
            timer(status, "doubt", None, 25);
        }),
        but("cut-off", |status| {
            in_doubt(status, "witness", "watching");
            status.last_link.as_mut().expect("it is there").cut_off = true;
            status.groups[0].local = "stopped".into();
            status.groups[0].reasons.claim = Some("free".into());
            status.groups[0].reasons.since = None;
            let why = "this node is cut off, and the other may take it (last_link witness)";
            status.groups[0].reasons.decision = Some(decision("stop", why));
        }),
        but("fencing-fails", |status| {
            in_doubt(status, "takeover", "none");
            status.last_link = None;
            status.fencing = Some(fenced("waiting", 3, Some(false)));
            timer(status, "fencing", None, 12);
        }),
        but("fenced", |status| {
            alone(status, "dead", "dead", "the other node is dead");
            status.fencing = Some(fenced("done", 0, Some(true)));
        }),
        but("watchdog-is-missing", |status| {
            status.watchdog = Some(Watchdog {
                device: "/dev/watchdog".into(),
                name: None,
                identity: None,
                armed: false,
                timeout: None,
                nowayout: None,
                policy: "wanted".into(),
                last_fed: None,
                problem: Some("systemd (1) has it".into()),
            });
        }),
        but("watchdog-is-armed", |status| {
            status.watchdog = Some(Watchdog {
                device: "/dev/watchdog".into(),
                name: Some("watchdog0".into()),
                identity: Some("iTCO_wdt".into()),
                armed: true,
                timeout: Some(8),
                nowayout: Some(true),
                policy: "required".into(),
                last_fed: Some(NOW - 1),
                problem: None,
            });
        }),
    ]
}

fn failed_on_both(group: &mut Group, frozen: bool) {
    (group.local, group.peer) = ("failed".into(), Some("failed".into()));
    group.reasons.since = None;
    group.reasons.claim = Some("failed".into());
    group.reasons.peer_claim = Some("failed".into());
    group.reasons.decision = Some(decision("start", "an earlier attempt failed"));
    group.reasons.outcome = Some(outcome(
        "could not be started here; it is tried again in 240 s.",
    ));
    group.peer_ready = None;
    group.retry = Some(Retry {
        failures: if frozen { 8 } else { 3 },
        next: (!frozen).then_some(NOW + 200),
        frozen,
    });
}

fn of_groups() -> Vec<Situation> {
    vec![
        but("failed-on-both", |status| {
            failed_on_both(&mut status.groups[0], false);
        }),
        but("frozen", |status| {
            failed_on_both(&mut status.groups[0], true);
        }),
        but("two-owners", |status| {
            status.groups[0].peer = Some("running".into());
            status.groups[0].reasons.peer_claim = Some("running".into());
        }),
        but("does-not-stop", |status| {
            status.groups[0].local = "unknown".into();
            status.groups[0].reasons.claim = Some("unknown".into());
            status.groups[0].reasons.decision =
                Some(decision("stop", "an operator wants it on the other node"));
            status.groups[0].reasons.outcome = Some(outcome(
                "could not be stopped. It counts as running here and the other node will not start it; stopping is \
                 tried again.",
            ));
        }),
        but("no-carrier", |status| {
            status.groups[0].carrier = Some("lost".into());
        }),
        but("monitor-fails", |status| {
            status.groups[0].monitors.push(Monitor {
                resource: "nginx".into(),
                probe: "http=http://10.0.0.1/".into(),
                works: Some(false),
                failures: 2,
                restarts: 1,
            });
        }),
        but("rival", |status| {
            status.groups[0].rivals.push(Rival {
                address: "10.0.0.1".into(),
                hardware: "52:54:00:12:34:56".into(),
                is_other_node: Some(false),
                claims: 7,
                seconds_ago: 12,
            });
        }),
        but("peer-is-not-ready", |status| {
            status.groups[0].peer_ready = Some(false);
        }),
        but("this-node-is-not-ready", |status| {
            status.groups[1].readiness = Some("/usr/sbin/nginx is not there".into());
        }),
        but("three-hundred-groups", |status| {
            for number in 0..300 {
                let key = format!("IPaddr::10.1.{}.{}/16/eth0", number / 100, number % 100);
                status.groups.push(group(&key, "alpha", true));
            }
            for group in &mut status.groups[40..42] {
                failed_on_both(group, false);
            }
        }),
    ]
}

fn of_moves() -> Vec<Situation> {
    vec![
        but("failback-waits", |status| {
            let waits = &mut status.groups[1];
            *waits = group("IPaddr::10.0.0.2/24/eth0", "beta", true);
            waits.reasons.decision = Some(decision("start", "the other node is dead"));
            waits.failback = Some(Failback {
                since: NOW - 30,
                awaits: "beta has been steady for 300 s".into(),
                until: Some(NOW + 270),
            });
        }),
        but("standby-under-way", |status| {
            status.movement = Some(movement(MoveProgress::Releasing));
            status.groups[0].local = "stopping".into();
            status.groups[0].reasons.claim = Some("stopping".into());
            status.groups[0].reasons.decision =
                Some(decision("stop", "an operator wants it on the other node"));
            timer(status, "move", None, 14);
        }),
        but("given-by-an-operator", |status| {
            status.movement = Some(movement(MoveProgress::Done));
            status.groups[0] = group("IPaddr::10.0.0.1/24/eth0", "alpha", false);
            status.groups[0].reasons.claim = Some("waived".into());
            status.groups[0].reasons.decision =
                Some(decision("stop", "an operator wants it on the other node"));
            status.groups[0].reasons.outcome = Some(outcome("stopped here."));
            status.parameters[0].value = "off".into();
        }),
    ]
}
