//! Ours beside a node that says what a node of heartbeat 3.0.6 says, in the right order and in any other.

use std::time::Duration;

use super::*;

/// A heartbeat as heartbeat 3.0.6 sends it: without our field.
pub(super) fn old_heartbeat(generation: u64, number: u64, status: &str) -> Vec<u8> {
    let fields = [
        ("t", "status"),
        ("st", status),
        ("dt", "3e8"),
        ("protocol", "1"),
    ];
    old_message(generation, number, &fields)
}

/// Any message of it.
pub(super) fn old_message(generation: u64, number: u64, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut message = message::Message::new();
    let (generation, number) = (format!("{generation:x}"), format!("{number:x}"));
    let header = [
        ("src", "a"),
        ("seq", &number),
        ("hg", &generation),
        ("ts", "6b008f1e"),
    ];
    for (name, value) in fields.iter().chain(&header) {
        message.push_text(name, value);
    }
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    message::seal(&message, &keys(), 1, true, &mut datagram, &mut text).unwrap();
    datagram
}

#[test]
fn an_old_node_that_restarts_before_we_agreed_makes_nobody_spin() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(1);
    pair.turn(1, Some((LinkId(1), old_heartbeat(7, 1, "up"))));
    pair.turn(1, Some((LinkId(1), old_heartbeat(8, 1, "init"))));
    for _ in 0..20 {
        pair.now = pair.now + Duration::from_millis(100);
        pair.turn(1, None);
        let node = pair.nodes[1].as_ref().expect("it runs");
        assert!(node.next_deadline() > pair.now);
    }
}

#[test]
fn an_old_node_is_asked_what_it_holds_also_when_it_said_so_before() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(1);
    let cluster = pair.nodes[1].as_mut().expect("it runs");
    let holds = [
        ("t", "resource"),
        ("rsc_hold", "all"),
        ("rtype", "full"),
        ("isstable", "1"),
    ];
    let nodes = [("t", "repnodes"), ("nodelist", "a b ")];
    for bytes in [
        old_heartbeat(7, 1, "active"),
        old_message(7, 2, &holds),
        old_message(7, 3, &nodes),
    ] {
        let link = LinkId(1);
        let bytes = &bytes;
        cluster.handle(pair.now, Event::Received { link, bytes });
    }
    for (group, outcome) in [0, 1].map(|id| (GroupId(id), GroupOutcome::FoundStopped)) {
        cluster.handle(pair.now, Event::Group { group, outcome });
    }
    cluster.handle(pair.now, Event::Tick);
    let mut kinds = Vec::new();
    while let Some(action) = cluster.next_action() {
        if let Action::Send(packet) = action {
            let mut message = message::Message::new();
            message::open(&packet.datagram, &keys(), &mut message).expect("our own");
            kinds.push(message.text("t").unwrap_or_default().to_owned());
        }
    }
    assert!(kinds.iter().any(|kind| kind == "starting"), "{kinds:?}");
}

#[test]
fn an_acknowledgement_that_overtakes_the_first_heartbeat_of_a_run_is_no_replay() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(0);
    let mut message = message::Message::new();
    for (name, value) in [
        ("t", "NS_ackmsg"),
        ("dest", "a"),
        ("ackseq", "1"),
        ("src", "b"),
        ("hg", "77"),
        ("ts", "1"),
    ] {
        message.push_text(name, value);
    }
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    message::seal(&message, &keys(), 1, true, &mut datagram, &mut text).unwrap();
    pair.turn(0, Some((LinkId(1), datagram)));
    assert_eq!(pair.said(0, "refused"), 0, "{:#?}", pair.log);
}

pub(super) const BOTH: [bool; 2] = [true; 2];

/// Ours is `b`, which prefers group two; `a` is nothing but its words.
pub(super) struct Old {
    pub(super) pair: Pair,
    pub(super) generation: u64,
    pub(super) number: u64,
}

impl Old {
    /// Both active; `a` holds what is its own and wants nothing more.
    pub(super) fn settled(failback: AutoFailback) -> Self {
        Self::settled_in(Pair::new(failback))
    }

    pub(super) fn settled_in(pair: Pair) -> Self {
        let mut old = Self {
            pair,
            generation: 7,
            number: 0,
        };
        old.pair.start(1);
        old.beats("up");
        old.says(&[("t", "repnodes"), ("nodelist", "a b ")]);
        old.beats("active");
        old.says(&[("t", "starting")]);
        old.holds("local", "1", None);
        old.lives(Duration::from_secs(4));
        assert_eq!(old.running(), [false, true], "{:#?}", old.pair.log);
        old
    }

    pub(super) fn says(&mut self, fields: &[(&str, &str)]) {
        self.number += 1;
        let bytes = old_message(self.generation, self.number, fields);
        self.pair.turn(1, Some((LinkId(1), bytes)));
    }

    pub(super) fn beats(&mut self, status: &str) {
        self.says(&[
            ("t", "status"),
            ("st", status),
            ("dt", "3e8"),
            ("protocol", "1"),
        ]);
    }

    pub(super) fn holds(&mut self, what: &str, stable: &str, info: Option<&str>) {
        let mut fields = vec![
            ("t", "resource"),
            ("rsc_hold", what),
            ("rtype", "full"),
            ("isstable", stable),
        ];
        fields.extend(info.map(|info| ("info", info)));
        self.says(&fields);
    }

    pub(super) fn standby(&mut self, what: &str, info: &str) {
        self.says(&[("t", "ask_resources"), ("rsc_hold", what), ("info", info)]);
    }

    /// Time passes, and it goes on beating.
    pub(super) fn lives(&mut self, duration: Duration) {
        let end = self.pair.now + duration;
        while self.pair.now < end {
            self.pair.run(Duration::from_millis(100));
            self.beats("active");
        }
    }

    pub(super) fn asks(&mut self, request: MoveRequest) {
        let now = self.pair.now;
        let node = self.pair.nodes[1].as_mut().expect("it runs");
        assert_eq!(node.refuses(request), None);
        node.handle(now, Event::MoveRequested(request));
        self.pair.turn(1, None);
    }

    pub(super) fn node(&self) -> &Cluster {
        self.pair.nodes[1].as_ref().expect("it runs")
    }

    pub(super) fn progress(&self) -> Option<MoveProgress> {
        self.node().movement().map(|movement| movement.progress)
    }

    pub(super) fn running(&self) -> [bool; 2] {
        [0, 1].map(|group| self.pair.running[1][group])
    }
}

#[test]
fn a_half_is_given_only_to_a_peer_that_takes_it_and_only_once_it_is_stopped() {
    let mut old = Old::settled(AutoFailback::On);
    old.asks(MoveRequest::Standby(Selection::Local));
    assert_eq!(old.running(), [false, true], "nobody has agreed yet");
    old.standby("local", "other");
    assert_eq!(old.running(), [false, false]);
    assert_eq!(old.progress(), Some(MoveProgress::Acquiring));
    old.holds("local", "1", None); // said before it took the rest
    old.lives(Duration::from_secs(20));
    assert_eq!(
        old.running(),
        [false, false],
        "it is the peer's since we said so"
    );
    old.standby("local", "done");
    old.holds("all", "1", None);
    assert_eq!(old.progress(), Some(MoveProgress::Done));
    old.lives(Duration::from_secs(60));
    assert_eq!(old.running(), [false, false], "what was asked for stays");
}

#[test]
fn a_peer_that_does_not_agree_costs_nothing() {
    let mut old = Old::settled(AutoFailback::On);
    old.asks(MoveRequest::Standby(Selection::All));
    old.lives(Duration::from_secs(12));
    let failed = MoveProgress::Failed(MoveFailure::NoAnswer);
    assert_eq!(old.progress(), Some(failed));
    assert_eq!(old.running(), [false, true]);
}

#[test]
fn what_the_peer_gives_is_taken_only_after_it_said_that_it_began_and_that_it_is_done() {
    let mut old = Old::settled(AutoFailback::On);
    old.standby("local", "me");
    old.holds("none", "0", Some("standby"));
    old.lives(Duration::from_secs(30));
    assert_eq!(old.running(), [false, true], "it still stops");
    // The end of an earlier takeover makes it claim what it stops.
    let end_of_takeover = [
        ("t", "resource"),
        ("rsc_hold", "local"),
        ("info", "mach_down"),
    ];
    old.says(&end_of_takeover);
    old.standby("local", "done");
    assert_eq!(old.running(), BOTH);
    old.holds("local", "1", None);
    old.lives(Duration::from_secs(5));
    assert_eq!(old.running(), BOTH);
    // One that ends later is no mistake.
    old.says(&end_of_takeover);
    old.holds("local", "1", None);
    assert_eq!(old.running(), [false, true]);
}

/// The peer gives its own half, and a takeover of its own that ends meanwhile makes it claim the half for good.
fn gives_and_claims() -> Old {
    let mut old = Old::settled(AutoFailback::On);
    old.standby("local", "me");
    old.holds("none", "0", Some("standby"));
    old.says(&[
        ("t", "resource"),
        ("rsc_hold", "local"),
        ("info", "mach_down"),
    ]);
    old.standby("local", "done");
    assert_eq!(old.running(), BOTH);
    assert_eq!(old.pair.said(1, "claims them all the same"), 0);
    old.holds("local", "1", None);
    old.lives(Duration::from_secs(2));
    assert_eq!(old.pair.said(1, "claims them all the same"), 1);
    assert_eq!(old.running(), BOTH, "perhaps nothing runs there");
    old
}

#[test]
fn what_the_peer_gave_and_claims_it_is_asked_to_give_again() {
    let mut old = gives_and_claims();
    old.standby("local", "me");
    old.holds("none", "0", Some("standby"));
    old.lives(Duration::from_secs(30)); // it takes its time to stop what may run there
    assert_eq!(old.running(), BOTH);
    old.standby("local", "done");
    old.holds("none", "1", None);
    old.lives(Duration::from_secs(30));
    assert_eq!(old.running(), BOTH);
    assert_eq!(old.pair.said(1, "claims them all the same"), 1);
}

#[test]
fn what_the_peer_gave_and_claims_and_does_not_give_again_it_has() {
    let mut old = gives_and_claims();
    old.lives(Duration::from_secs(12));
    assert_eq!(old.running(), [false, true]);
}

#[test]
fn the_end_of_another_dialogue_is_not_taken_for_a_gift() {
    let mut old = Old::settled(AutoFailback::On);
    old.standby("local", "me");
    old.standby("local", "done"); // it took something from an earlier run of ours
    old.lives(Duration::from_secs(5));
    assert_eq!(old.running(), [false, true]);
    old.lives(Duration::from_secs(20));
    let request = MoveRequest::Standby(Selection::Local);
    assert_eq!(
        old.node().refuses(request),
        None,
        "it was not meant seriously"
    );
}

#[test]
fn a_peer_that_returns_from_what_we_took_for_death_gets_back_what_we_took_and_looks_at_a_new_run() {
    let mut old = Old::settled(AutoFailback::On);
    let generation = old.node().generation();
    old.pair.run(Duration::from_secs(3));
    assert_eq!(old.running(), BOTH, "{:#?}", old.pair.log);
    assert_eq!(old.node().generation(), generation + 1);
    old.beats("active");
    assert_eq!(old.running(), [false, true]);
    old.holds("all", "1", None); // it held us for dead too
    assert_eq!(old.running(), [false, false]);
}

#[test]
fn a_peer_back_within_deadtime_leaves_no_half_without_owner() {
    let mut old = Old::settled(AutoFailback::Off);
    old.asks(MoveRequest::Standby(Selection::Local));
    old.standby("local", "other");
    old.standby("local", "done");
    old.holds("all", "1", None);
    (old.generation, old.number) = (8, 0);
    old.beats("init");
    old.beats("active");
    old.says(&[("t", "starting")]);
    assert_eq!(
        old.running(),
        [false, false],
        "it has not said anything yet"
    );
    old.holds("local", "1", None);
    assert_eq!(old.running(), [false, true]);
}

#[test]
fn while_it_stops_what_we_never_heard_of_nothing_is_started() {
    let mut old = Old {
        pair: Pair::new(AutoFailback::On),
        generation: 7,
        number: 40,
    };
    old.pair.start(1);
    old.beats("active");
    old.says(&[("t", "repnodes"), ("nodelist", "a b ")]);
    old.holds("none", "0", Some("shutdown"));
    old.lives(Duration::from_secs(5));
    assert_eq!(old.running(), [false, false], "{:#?}", old.pair.log);
    old.says(&[("t", "shutdone"), ("st", "dead")]);
    assert_eq!(old.running(), BOTH);
}

#[test]
fn words_that_make_no_sense_move_nothing_and_cost_a_line_a_minute() {
    let mut old = Old::settled(AutoFailback::On);
    let lines = old.pair.log.len();
    let nonsense: [&[(&str, &str)]; 14] = [
        &[
            ("t", "status"),
            ("st", "active"),
            ("dt", "3e8"),
            ("protocol", "9"),
        ],
        &[
            ("t", "status"),
            ("st", "active"),
            ("st", "dead"),
            ("dt", "3e8"),
            ("dt", "0"),
        ],
        &[
            ("t", "status"),
            ("st", "active"),
            ("dt", "ffffffffffffffff"),
        ],
        &[("t", "status"), ("st", "retired"), ("dt", "-1")],
        &[("t", "resource")],
        &[
            ("t", "resource"),
            ("rsc_hold", "everything"),
            ("isstable", "1"),
        ],
        &[
            ("t", "ask_resources"),
            ("rsc_hold", "all"),
            ("info", "other"),
        ],
        &[
            ("t", "ask_resources"),
            ("rsc_hold", "all"),
            ("info", "done"),
        ],
        &[("t", "ask_resources"), ("rsc_hold", "some"), ("info", "me")],
        &[("t", "hb_takeover"), ("rsc_hold", "everything")],
        &[("t", "ip-request"), ("ipaddr", "three")],
        &[("t", "ip-request-resp"), ("ipaddr", "two"), ("ok", "OK")],
        &[("t", "stonith"), ("node", "c"), ("result", "OK")],
        &[("t", "query-cstatus")],
    ];
    for _ in 0..50 {
        for words in nonsense {
            old.says(words);
            assert_eq!(old.running(), [false, true], "{words:?}");
        }
        old.beats("active");
    }
    assert!(old.node().refused(refusals::RefusalKind::OutOfPlace) > 100);
    let told = &old.pair.log[lines..];
    assert!(told.len() < 12, "{told:#?}");
    old.holds("local", "1", None);
    old.lives(Duration::from_secs(10));
    assert_eq!(old.running(), [false, true]);
}

#[test]
fn numbers_out_of_any_range_change_no_owner() {
    let mut old = Old::settled(AutoFailback::On);
    let claim = [
        ("t", "resource"),
        ("rsc_hold", "none"),
        ("rtype", "full"),
        ("isstable", "1"),
    ];
    for (generation, number) in [
        (0, 1),
        (6, 99),
        (7, 0),
        (7, 1),
        (7, old.number),
        (u64::MAX, 1),
        (u64::MAX, u64::MAX),
    ] {
        let bytes = old_message(generation, number, &claim);
        old.pair.turn(1, Some((LinkId(0), bytes)));
        old.beats("active");
        assert_eq!(old.running(), [false, true], "{generation} {number}");
    }
    // A jump over more than can be asked for is followed.
    old.number += 100_000;
    old.lives(Duration::from_secs(5));
    assert_eq!(old.running(), [false, true]);
    assert_eq!(old.pair.said(1, "lost a lot of packets"), 1);
}

#[test]
fn the_late_end_of_one_dialogue_is_not_the_end_of_the_next() {
    let mut old = Old::settled(AutoFailback::On);
    old.asks(MoveRequest::Standby(Selection::Local));
    old.standby("local", "other");
    let lost = old.number + 1; // its `done`
    old.number += 1;
    old.holds("all", "1", None);
    assert_eq!(old.progress(), Some(MoveProgress::Done));
    old.lives(Duration::from_secs(1));
    old.standby("foreign", "me");
    old.holds("local", "0", Some("standby"));
    let done = [
        ("t", "ask_resources"),
        ("rsc_hold", "foreign"),
        ("info", "done"),
    ];
    let late = old_message(old.generation, lost, &done);
    old.pair.turn(1, Some((LinkId(1), late)));
    assert_eq!(old.running(), [false, false], "it still stops");
    old.standby("foreign", "done");
    assert_eq!(old.running(), [false, true]);
}

/// What ours tells of its holdings while it hears nothing for ten seconds: what, and whether that is stable.
fn told_in_silence(old: &mut Old) -> Vec<(Option<String>, Option<String>)> {
    let cluster = old.pair.nodes[1].as_mut().expect("it runs");
    for step in 1..100 {
        let now = old.pair.now + Duration::from_millis(100) * step;
        cluster.handle(now, Event::Tick);
    }
    let mut told = Vec::new();
    while let Some(action) = cluster.next_action() {
        if let Action::Send(packet) = action {
            let mut message = message::Message::new();
            message::open(&packet.datagram, &keys(), &mut message).expect("our own");
            let word = |name| message.text(name).map(str::to_owned);
            if message.text("t") == Some("resource") {
                told.push((word("rsc_hold"), word("isstable")));
            }
        }
    }
    told
}

#[test]
fn what_is_taken_from_a_peer_that_may_still_hear_us_is_told_to_it() {
    let mut old = Old::settled(AutoFailback::On);
    let all = (Some("all".into()), None);
    let told = told_in_silence(&mut old);
    assert_eq!(told, [all.clone(), all], "neither stable nor in transition");
}

#[test]
fn a_peer_that_was_not_reset_yet_is_told_what_is_held_too() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.fencing = FencingSettings {
        has_device: true,
        delay: Duration::from_secs(1),
        takeover_unfenced: None,
    };
    let mut old = Old::settled_in(pair);
    let own = (Some("local".into()), None);
    assert_eq!(told_in_silence(&mut old), [own.clone(), own]);
}

#[test]
fn what_it_said_while_we_held_it_for_dead_counts_no_more_when_it_comes_late() {
    let mut old = Old::settled(AutoFailback::On);
    old.pair.run(Duration::from_secs(3));
    assert_eq!(old.running(), BOTH, "{:#?}", old.pair.log);
    let lost = old.number + 1;
    old.number += 2;
    old.beats("active");
    assert_eq!(old.running(), [false, true]);
    let claim = [
        ("t", "resource"),
        ("rsc_hold", "none"),
        ("rtype", "full"),
        ("isstable", "1"),
    ];
    for number in [lost, lost + 1] {
        let late = old_message(old.generation, number, &claim);
        old.pair.turn(1, Some((LinkId(1), late)));
        assert_eq!(old.running(), [false, true], "{:#?}", old.pair.log);
    }
}

#[test]
fn what_waited_while_we_stood_still_was_said_before_it_took_over() {
    let mut old = Old::settled(AutoFailback::On);
    old.pair.now = old.pair.now + Duration::from_secs(3);
    let now = old.pair.now;
    let words = [
        ("t", "resource"),
        ("rsc_hold", "local"),
        ("rtype", "full"),
        ("isstable", "1"),
    ];
    old.number += 1;
    let bytes = old_message(old.generation, old.number, &words);
    let cluster = old.pair.nodes[1].as_mut().expect("it runs");
    let link = LinkId(1);
    cluster.handle(
        now,
        Event::Received {
            link,
            bytes: &bytes,
        },
    );
    old.pair.turn(1, None);
    assert_eq!(old.running(), [false; 2], "{:#?}", old.pair.log);
    old.holds("all", "1", None);
    old.lives(Duration::from_secs(2));
    assert_eq!(old.running(), [false; 2], "it has taken over");
    old.holds("local", "1", None);
    assert_eq!(old.running(), [false, true]);
}
