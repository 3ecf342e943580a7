//! What ours says to a peer that is nothing but its words: to 3.0.6 in its own words, at the right moment and no other.

use std::time::Duration;

use super::old_peer::{Old, old_heartbeat, old_message};
use super::*;
use crate::message::Message;
use claims::Phase;
use classic::{Dialogue, Halves};

impl Old {
    /// What ours sends at once when it hears this.
    pub(super) fn hears(&mut self, bytes: &[u8]) -> Vec<Message> {
        let now = self.pair.now;
        let node = self.pair.nodes[1].as_mut().expect("it runs");
        node.handle(
            now,
            Event::Received {
                link: LinkId(1),
                bytes,
            },
        );
        self.sends()
    }

    /// The next message of the peer, and what ours sends at once.
    pub(super) fn answers(&mut self, fields: &[(&str, &str)]) -> Vec<Message> {
        self.number += 1;
        let bytes = old_message(self.generation, self.number, fields);
        self.hears(&bytes)
    }

    /// What ours sends at the end of this turn. What it starts or stops is done at once.
    pub(super) fn sends(&mut self) -> Vec<Message> {
        let mut sent = Vec::new();
        loop {
            let now = self.pair.now;
            let node = self.pair.nodes[1].as_mut().expect("it runs");
            node.handle(now, Event::Tick);
            let mut done = Vec::new();
            while let Some(action) = node.next_action() {
                match action {
                    Action::Send(packet) => {
                        let mut message = Message::new();
                        message::open(&packet.datagram, &keys(), &mut message).expect("our own");
                        sent.push(message);
                    }
                    Action::StartGroup(id) => done.push((id, GroupOutcome::Started)),
                    Action::StopGroup(id) => done.push((id, GroupOutcome::Stopped)),
                    Action::ProbeGroup(id) => done.push((id, GroupOutcome::FoundStopped)),
                    Action::Report(report) => self.pair.log.push((1, report.to_string())),
                    _ => {}
                }
            }
            for (group, outcome) in &done {
                let (group, outcome) = (*group, *outcome);
                self.pair.running[1][group.0 as usize] = outcome == GroupOutcome::Started;
                let node = self.pair.nodes[1].as_mut().expect("it runs");
                node.handle(now, Event::Group { group, outcome });
            }
            if done.is_empty() {
                return sent;
            }
        }
    }

    /// What ours sends while time passes and the peer goes on beating.
    pub(super) fn sends_within(&mut self, duration: Duration) -> Vec<Message> {
        let mut sent = Vec::new();
        let end = self.pair.now + duration;
        while self.pair.now < end {
            self.pair.now = self.pair.now + Duration::from_millis(50);
            sent.extend(self.sends());
            if self.pair.now.as_micros().is_multiple_of(200_000) {
                self.number += 1;
                let bytes = old_heartbeat(self.generation, self.number, "active");
                sent.extend(self.hears(&bytes));
            }
        }
        sent
    }

    pub(super) fn node_mut(&mut self) -> &mut Cluster {
        self.pair.nodes[1].as_mut().expect("it runs")
    }
}

/// The type of each but of the heartbeats, with what matters of it.
pub(super) fn said(sent: &[Message]) -> Vec<String> {
    let word = |message: &Message, name: &str| {
        let text = message.text(name);
        text.map_or(String::new(), |text| format!(" {name}={text}"))
    };
    let kinds = sent
        .iter()
        .filter(|message| message.text("t") != Some("status"));
    kinds
        .filter(|message| message.text("t") != Some("NS_ackmsg"))
        .map(|message| {
            let mut line = message.text("t").unwrap_or_default().to_owned();
            for name in ["rsc_hold", "isstable", "info", "cs", "result"] {
                line.push_str(&word(message, name));
            }
            line
        })
        .collect()
}

const SETTLED: &str = "resource rsc_hold=local isstable=1";

#[test]
fn an_old_peer_that_has_come_up_is_told_what_is_held_here() {
    let mut old = Old::settled(AutoFailback::On);
    assert_eq!(said(&old.answers(&[("t", "starting")])), [SETTLED]);
    assert!(!old.node().classic.is_stable, "it has yet to settle");
    // Once more in three seconds: what was said before may come later.
    assert!(said(&old.sends_within(Duration::from_millis(2900))).is_empty());
    assert_eq!(
        said(&old.sends_within(Duration::from_millis(200))),
        [SETTLED]
    );
    assert!(said(&old.sends_within(Duration::from_secs(20))).is_empty());
}

#[test]
fn one_that_is_about_to_stop_says_that_and_what_it_cannot_let_go() {
    let mut old = Old::settled(AutoFailback::On);
    old.node_mut().leaving = Leaving::Stopping;
    let words = ["resource rsc_hold=local isstable=0 info=shutdown"];
    assert_eq!(said(&old.answers(&[("t", "starting")]))[..1], words);
    let mut old = Old::settled(AutoFailback::On);
    for group in [GroupId(0), GroupId(1)] {
        let node = old.node_mut();
        node.ownership.groups[group.0 as usize].mine = Some(Claim::held(Phase::Running));
    }
    old.node_mut().leaving = Leaving::Stopping;
    let words = ["resource rsc_hold=all isstable=0 info=shutdown"];
    assert_eq!(said(&old.answers(&[("t", "starting")]))[..1], words);
}

#[test]
fn with_auto_failback_legacy_halves_are_not_spoken_of() {
    let mut old = Old::settled(AutoFailback::On);
    old.node_mut().settings.auto_failback = AutoFailback::Legacy;
    let words = said(&old.answers(&[("t", "starting")]));
    assert!(
        !words.iter().any(|word| word.starts_with("resource")),
        "{words:?}"
    );
    let words = said(&old.answers(&[
        ("t", "ask_resources"),
        ("rsc_hold", "local"),
        ("info", "me"),
    ]));
    assert!(
        !words.iter().any(|word| word.starts_with("ask_resources")),
        "{words:?}"
    );
    assert!(old.node().classic.offered.is_none());
}

#[test]
fn what_was_sent_again_is_followed_by_what_is_true_now_but_not_each_time() {
    let mut old = Old::settled(AutoFailback::On);
    let now = old.pair.now;
    old.node_mut().say_again(now);
    assert_eq!(said(&old.sends()), [SETTLED]);
    for _ in 0..5 {
        old.node_mut().say_again(now);
    }
    assert!(said(&old.sends_within(Duration::from_millis(900))).is_empty());
    let words = said(&old.sends_within(Duration::from_millis(1200)));
    assert_eq!(words, [SETTLED], "once for all of them");
    let now = old.pair.now;
    old.node_mut().settings.auto_failback = AutoFailback::Legacy;
    old.node_mut().say_again(now);
    assert_ne!(old.node().classic.said_again_at, Some(now));
}

#[test]
fn a_program_that_asks_for_another_is_told_whether_it_is_there() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.ping.nodes = vec![PingNodeSettings {
        name: "router".into(),
        counts: true,
    }];
    let mut old = Old::settled_in(pair);
    let mut ask = |client, ipfail| {
        old.node_mut().settings.ping.ipfail = ipfail;
        let asks = [
            ("t", "query-cstatus"),
            ("dest", "b"),
            ("cn", client),
            ("from_id", "me"),
        ];
        let mut words = said(&old.answers(&asks));
        words.retain(|word| word.starts_with("respond"));
        words
    };
    let offline = ["respond-cstatus cs=offline result=OK"];
    assert_eq!(ask("ipfail", false), offline);
    assert_eq!(ask("other", true), offline);
    assert_eq!(ask("ipfail", true), ["respond-cstatus cs=online result=OK"]);
    let half = [("t", "query-cstatus"), ("cn", "ipfail")];
    let words = said(&old.answers(&half));
    assert!(!words.iter().any(|word| word.starts_with("respond")));
}

#[test]
fn the_end_of_a_takeover_of_the_peer_is_answered_by_what_is_held_here_and_unsettled() {
    let over = [
        ("t", "resource"),
        ("rsc_hold", "local"),
        ("info", "mach_down"),
    ];
    let mut old = Old::settled(AutoFailback::On);
    let words = said(&old.answers(&over));
    assert!(
        !words.iter().any(|word| word.contains("isstable=0")),
        "no takeover was heard of"
    );
    for (prepare, expected) in [
        ((|_: &mut Cluster| {}) as fn(&mut Cluster), true),
        (|node| node.leaving = Leaving::Stopping, false),
        (
            |node| node.settings.auto_failback = AutoFailback::Legacy,
            false,
        ),
        (
            |node| {
                node.classic.dialogue = Dialogue::Taking {
                    ours: Selection::Foreign,
                };
            },
            false,
        ),
    ] {
        let mut old = Old::settled(AutoFailback::On);
        let until = old.pair.now + Duration::from_secs(50);
        old.node_mut().peer.takes_over_until = Some(until);
        prepare(old.node_mut());
        let words = said(&old.answers(&over));
        let first = words.first().map(String::as_str);
        let unsettled = Some("resource rsc_hold=local isstable=0");
        assert_eq!(first == unsettled, expected, "{words:?}");
        assert_eq!(old.node().peer.takes_over_until, None);
        assert_eq!(old.node().peer.takeover_ended, old.number);
    }
}

#[test]
fn one_that_holds_us_for_dead_is_busy_until_it_says_that_its_takeover_has_ended() {
    let obituary = |result| [("t", "stonith"), ("node", "b"), ("result", result)];
    for (result, expected) in [("ok", true), ("unneeded", false), ("bad", false)] {
        let mut old = Old::settled(AutoFailback::On);
        assert!(old.node().is_settled());
        old.answers(&obituary(result));
        let until = old.node().peer.takes_over_until;
        let in_two_minutes = Some(old.pair.now + Duration::from_secs(120));
        assert_eq!(until, in_two_minutes.filter(|_| expected), "{result}");
    }
    // Its takeover has ended already: that word overtook this one.
    let mut old = Old::settled(AutoFailback::On);
    old.node_mut().peer.takeover_ended = old.number + 1;
    old.answers(&obituary("ok"));
    assert_eq!(old.node().peer.takes_over_until, None);
    let mut old = Old::settled(AutoFailback::On);
    old.answers(&[("t", "stonith"), ("node", "c"), ("result", "ok")]);
    assert_eq!(old.node().peer.takes_over_until, None, "somebody else");
    old.node_mut().peer.is_classic = false;
    let number = old.number + 1;
    let text = Message::new();
    old.node_mut().obituary_heard(&text, number);
    assert_eq!(old.node().peer.takes_over_until, None, "no name at all");
}

#[test]
fn a_node_is_settled_when_it_has_what_it_wants_and_nothing_is_on_the_move() {
    for (unsettle, what) in [
        (
            (|node: &mut Cluster| node.has_settled = false) as fn(&mut Cluster),
            "never",
        ),
        (
            |node| node.ownership.groups[0].mine = Some(Claim::held(Phase::Starting)),
            "one is being started",
        ),
        (
            |node| node.ownership.groups[0].mine = None,
            "one is not known",
        ),
        (
            |node| {
                node.classic.dialogue = Dialogue::Taking {
                    ours: Selection::Foreign,
                };
            },
            "a dialogue",
        ),
        (
            |node| node.peer.takes_over_until = Some(node.now + Duration::from_micros(1)),
            "a takeover",
        ),
    ] {
        let mut old = Old::settled(AutoFailback::On);
        assert!(old.node().is_settled());
        unsettle(old.node_mut());
        assert!(!old.node().is_settled(), "{what}");
    }
    let mut old = Old::settled(AutoFailback::On);
    old.node_mut().peer.takes_over_until = Some(old.node().now);
    assert!(old.node().is_settled(), "that has taken long enough");
}

#[test]
fn what_is_called_held_is_what_may_run_and_where_there_is_nothing_what_nobody_else_claims() {
    type Change = fn(&mut Cluster);
    for (change, expected, what) in [
        ((|_| {}) as Change, Holdings::Local, "its own"),
        (
            |node| node.ownership.groups[0].mine = Some(Claim::held(Phase::Unknown)),
            Holdings::All,
            "and what could not be stopped",
        ),
        (
            |node| node.ownership.groups[1].is_removed = true,
            Holdings::Local,
            "there are none of its own",
        ),
        (
            |node| {
                node.ownership.groups[1].is_removed = true;
                node.classic.holds = Halves::from_the_other("all");
            },
            Holdings::None,
            "there are none, and the peer claims them",
        ),
        (
            |node| node.ownership.groups[0].is_removed = true,
            Holdings::Local,
            "the peer has none and is there",
        ),
        (
            |node| {
                node.ownership.groups[0].is_removed = true;
                node.peer.status = NodeStatus::Dead;
            },
            Holdings::All,
            "the peer has none and is dead",
        ),
        (
            |node| {
                node.ownership.groups[0].is_removed = true;
                node.peer.has_left = true;
            },
            Holdings::All,
            "the peer has none and has left",
        ),
        (
            |node| {
                node.ownership.groups[0].is_removed = true;
                node.classic.waived = Halves::from(Selection::Foreign);
            },
            Holdings::Local,
            "the peer gave them and claims them",
        ),
        (
            |node| {
                node.ownership.groups[0].is_removed = true;
                node.classic.waived = Halves::from(Selection::Foreign);
                node.classic.holds = Halves::from_the_other("none");
            },
            Holdings::All,
            "the peer gave them",
        ),
        (
            |node| {
                node.ownership.groups[0].is_removed = true;
                node.classic.holds = Halves::from_the_other("none");
            },
            Holdings::Local,
            "the peer claims nothing and gave nothing",
        ),
    ] {
        let mut old = Old::settled(AutoFailback::On);
        change(old.node_mut());
        assert_eq!(old.node().settled_holdings(), expected, "{what}");
    }
}

#[test]
fn the_relation_with_an_old_peer_is_known_once_it_has_said_what_it_holds() {
    type Change = fn(&mut Cluster);
    let settled = |settled| Relation::Halves { settled };
    for (change, expected) in [
        ((|_| {}) as Change, settled(true)),
        (|node| node.classic.is_stable = false, settled(false)),
        (|node| node.peer.is_leaving = true, settled(false)),
        (|node| node.classic.holds = None, Relation::Unheard),
        (|node| node.peer.status = NodeStatus::Up, Relation::Unheard),
    ] {
        let mut old = Old::settled(AutoFailback::On);
        change(old.node_mut());
        assert_eq!(old.node().classic_relation(), expected);
    }
}

#[test]
fn it_is_asked_every_two_seconds_until_it_says_what_it_holds() {
    let mut old = Old::settled(AutoFailback::On);
    old.node_mut().classic = ClassicPeer::default();
    let words = said(&old.sends_within(Duration::from_secs(5)));
    let asked = words.iter().filter(|word| *word == "starting").count();
    assert_eq!(asked, 3, "{words:?}");
    old.holds("local", "1", None);
    let words = said(&old.sends_within(Duration::from_secs(5)));
    assert!(!words.contains(&"starting".to_owned()), "{words:?}");
    assert!(words.contains(&SETTLED.to_owned()), "{words:?}");
}

#[test]
fn a_peer_that_says_that_it_stops_is_given_nothing_more_and_one_that_settles_is_told_once() {
    let mut old = Old::settled(AutoFailback::On);
    assert!(!old.node().peer.is_leaving);
    let lines = old.pair.said(1, "remote resource transition completed");
    old.holds("local", "1", None);
    let transition = "remote resource transition completed";
    assert_eq!(old.pair.said(1, transition), lines, "it was settled before");
    old.holds("local", "0", None);
    old.holds("local", "1", None);
    assert_eq!(old.pair.said(1, transition), lines + 1);
    old.holds("none", "0", Some("shutdown"));
    assert!(old.node().peer.is_leaving);
    // Before it said anything else, too.
    for (info, expected) in [("shutdown", true), ("standby", false)] {
        let mut old = Old::settled(AutoFailback::On);
        old.node_mut().classic.holds = None;
        old.holds("local", "0", Some(info));
        assert_eq!(old.node().peer.is_leaving, expected, "{info}");
        assert_eq!(old.node().classic.holds, None);
    }
}

#[test]
fn a_run_takes_no_generation_that_may_be_of_a_later_one() {
    let mut old = Old::settled(AutoFailback::On);
    let node = old.node_mut();
    let first = node.settings.generation;
    node.settings.last_generation = first + 1;
    assert!(node.renew_generation());
    assert_eq!(node.settings.generation, first + 1);
    assert!(!node.renew_generation());
    assert!(!node.renew_generation());
    assert_eq!(node.settings.generation, first + 1);
    old.sends();
    assert_eq!(old.pair.said(1, "No generation is left"), 1);
}
