//! Maintenance: nothing moves by itself, on either node, whatever happens; and all is as before when it ends.

use super::old_peer::old_heartbeat;
use super::*;
use crate::cluster::{MaintenanceMemory, MaintenanceOrder, MaintenanceRefusal};

const HOME: [[bool; 2]; 2] = [[true, false], [false, true]];
const HOUR: u64 = 3600;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Pair {
    /// Both run, with times of which an hour is few heartbeats: deadtime is 100 s.
    fn slow() -> Self {
        let mut pair = Self::new(AutoFailback::On);
        pair.slowness = 100;
        pair.start(0);
        pair.start(1);
        pair.run(seconds(100));
        assert_eq!(pair.owners(), HOME, "{:#?}", pair.log);
        pair
    }

    fn order(&mut self, node: usize, order: MaintenanceOrder) -> Option<MaintenanceRefusal> {
        let cluster = self.nodes[node].as_mut().expect("it runs");
        let refusal = cluster.refuses_maintenance(&order);
        cluster.handle(self.now, Event::Maintenance(Box::new(order)));
        self.turn(node, None);
        refusal
    }

    fn on(&mut self, node: usize) {
        self.on_for(node, None);
    }

    fn on_for(&mut self, node: usize, lasts: Option<Duration>) {
        let order = MaintenanceOrder::on("alice", "disk change", lasts).expect("a good one");
        assert_eq!(self.order(node, order), None);
        self.run(seconds(1));
    }

    fn off(&mut self, node: usize) {
        let order = MaintenanceOrder::off("bob").expect("a good one");
        assert_eq!(self.order(node, order), None);
    }

    fn is_on(&self, node: usize) -> bool {
        let node = self.nodes[node].as_ref().expect("it runs");
        node.maintenance().is_some()
    }

    fn is_shared(&self, node: usize) -> bool {
        let view = self.nodes[node].as_ref().and_then(Cluster::maintenance);
        view.is_some_and(|view| view.is_shared)
    }

    fn links(&mut self, work: bool) {
        self.wires = [[work; 2]; LINKS];
    }

    fn tell(&mut self, node: usize, event: Event<'_>) {
        let cluster = self.nodes[node].as_mut().expect("it runs");
        cluster.handle(self.now, event);
        self.turn(node, None);
    }

    /// Types of all messages that this node sends in that time, and whether a heartbeat speaks of maintenance.
    fn count_words(&mut self, node: usize, time: Duration) -> (usize, usize) {
        let mut counts = (0, 0);
        let end = self.now + time;
        while self.now < end {
            let mut cluster = self.nodes[node].take().expect("it runs");
            self.now = self.now + Duration::from_millis(200);
            cluster.handle(self.now, Event::Tick);
            while let Some(action) = cluster.next_action() {
                if let Action::Send(packet) = action {
                    let mut message = message::Message::new();
                    message::open(&packet.datagram, &keys(), &mut message).expect("our own");
                    counts.0 += usize::from(message.text("t") == Some("hb_maintenance"));
                    counts.1 += usize::from(message.text("hm").is_some());
                }
            }
            self.nodes[node] = Some(cluster);
        }
        counts
    }
}

#[test]
fn a_dead_owner_s_groups_stay_down_until_maintenance_is_off() {
    for set_on in [0, 1] {
        let mut pair = Pair::slow();
        pair.on(set_on);
        assert!(pair.is_shared(0) && pair.is_shared(1));
        for node in 0..2 {
            let line = format!(
                "Maintenance is on, said by alice on {}: disk change.",
                ["a", "b"][set_on]
            );
            assert_eq!(pair.said(node, &line), 1, "{:#?}", pair.log);
        }
        pair.kill(0);
        pair.run(seconds(HOUR * 5));
        assert_eq!(pair.owners(), [[false, false], [false, true]]);
        assert_eq!(
            pair.said(1, "nothing of a is taken, and it is not reset"),
            1
        );
        let held = pair.said(
            1,
            "Without it: a is silent, and what it held would be taken; start one here",
        );
        assert!((5..=6).contains(&held), "{held}: {:#?}", pair.log);
        pair.off(1);
        pair.run(seconds(1));
        assert_eq!(pair.owners()[1], [true, true], "{:#?}", pair.log);
        assert_eq!(pair.said(1, "Maintenance is off, said by bob on b."), 1);
    }
}

#[test]
fn a_node_that_starts_meanwhile_starts_nothing_whether_it_remembers_or_not() {
    for remembers in [true, false] {
        let mut pair = Pair::together(AutoFailback::On);
        pair.on(0);
        pair.kill(1);
        pair.run(seconds(3));
        if !remembers {
            pair.maintenance[1] = None;
        }
        pair.start(1);
        pair.run(seconds(60));
        assert_eq!(
            pair.owners(),
            [[true, false], [false, false]],
            "{:#?}",
            pair.log
        );
        assert!(pair.is_shared(0) && pair.is_shared(1));
        pair.off(0);
        pair.run(seconds(1));
        assert_eq!(pair.owners(), HOME);
        assert!(!pair.is_on(1));
    }
}

#[test]
fn a_node_that_starts_alone_does_nothing_after_initdead_either() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.on(0);
    pair.kill(0);
    pair.kill(1);
    pair.start(0);
    pair.run(seconds(100));
    assert_eq!(pair.owners()[0], [false, false]);
    pair.off(0);
    pair.run(seconds(1));
    assert_eq!(pair.owners()[0], [true, true]);
}

#[test]
fn its_end_comes_by_itself_on_both_and_what_is_due_is_done_then() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.on_for(0, Some(seconds(100)));
    pair.kill(0);
    pair.run(seconds(90));
    assert_eq!(pair.owners()[1], [false, true]);
    assert!(pair.is_on(1));
    pair.run(seconds(11));
    assert_eq!(pair.owners()[1], [true, true], "{:#?}", pair.log);
    assert_eq!(pair.said(1, "Maintenance is over: its time has passed."), 1);
    pair.start(0);
    pair.maintenance[0] = None;
    pair.run(seconds(3));
    assert!(!pair.is_on(0) && !pair.is_on(1));
    assert_eq!(pair.owners(), HOME);
}

#[test]
fn who_was_off_and_reckons_wrongly_when_it_ends_believes_the_other() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.on_for(0, Some(seconds(1000)));
    pair.kill(1);
    pair.run(seconds(3));
    let memory = pair.maintenance[1].as_mut().expect("kept");
    memory.left = Some(Duration::ZERO);
    pair.start(1);
    pair.run(seconds(30));
    assert_eq!(
        pair.owners(),
        [[true, false], [false, false]],
        "{:#?}",
        pair.log
    );
    let view = |pair: &Pair, node: usize| {
        let node = pair.nodes[node].as_ref().and_then(Cluster::maintenance);
        node.and_then(|view| view.until).expect("an end")
    };
    let apart = view(&pair, 0).since(view(&pair, 1)) + view(&pair, 1).since(view(&pair, 0));
    assert!(apart < seconds(1), "{apart:?}");
}

#[test]
fn a_leaving_node_says_that_nobody_takes_its_groups_and_nobody_does() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.on(1);
    pair.tell(0, Event::StopRequested);
    pair.run(seconds(3));
    assert!(pair.exited[0]);
    pair.kill(0);
    assert_eq!(
        pair.said(
            0,
            "b does not take the resource groups that are stopped here now"
        ),
        1
    );
    pair.run(seconds(100));
    assert_eq!(pair.owners(), [[false, false], [false, true]]);
    assert_eq!(
        pair.said(1, "Without it: start one here (the other node has left)"),
        1
    );
    pair.off(1);
    pair.run(seconds(1));
    assert_eq!(pair.owners()[1], [true, true]);
}

#[test]
fn what_a_person_asks_for_is_done() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.on(1);
    let standby = Event::MoveRequested(MoveRequest::Standby(Selection::All));
    pair.tell(0, standby);
    pair.run(seconds(2));
    assert_eq!(
        pair.owners(),
        [[false, false], [true, true]],
        "{:#?}",
        pair.log
    );
    let back = Event::MoveRequested(MoveRequest::Takeover(Selection::All));
    pair.tell(0, back);
    pair.run(seconds(2));
    assert_eq!(pair.owners(), [[true, true], [false, false]]);
    pair.run(seconds(30));
    assert_eq!(pair.owners(), [[true, true], [false, false]], "no failback");
}

#[test]
fn a_planned_move_that_can_not_be_ended_goes_back() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.on(1);
    pair.fails_to_start[1] = true;
    pair.tell(
        0,
        Event::MoveRequested(MoveRequest::Standby(Selection::All)),
    );
    pair.run(seconds(2));
    assert_eq!(pair.owners(), HOME, "{:#?}", pair.log);
}

#[test]
fn a_person_who_says_that_the_other_is_down_has_its_groups_here() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.on(1);
    pair.kill(0);
    pair.run(seconds(10));
    let cluster = pair.nodes[1].as_ref().expect("it runs");
    assert_eq!(cluster.refuses_confirmation(), None);
    pair.tell(1, Event::PeerConfirmedDead);
    pair.run(seconds(1));
    assert_eq!(pair.owners()[1], [true, true], "{:#?}", pair.log);
    assert!(pair.is_on(1));
    pair.start(0);
    pair.run(seconds(60));
    assert_eq!(
        pair.owners(),
        [[false, false], [true, true]],
        "nothing fails back"
    );
    pair.kill(1);
    pair.run(seconds(60));
    assert_eq!(
        pair.owners()[0],
        [false, false],
        "that word was about another death"
    );
}

#[test]
fn no_device_is_asked_and_one_that_is_being_asked_is_stopped() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.fencing = FencingSettings {
        has_device: true,
        delay: seconds(5),
        takeover_unfenced: Some(seconds(20)),
    };
    pair.start(0);
    pair.start(1);
    pair.run(seconds(1));
    pair.on(1);
    pair.kill(0);
    pair.run(seconds(100));
    assert_eq!(
        (pair.fenced[1].len(), pair.owners()[1].clone()),
        (0, vec![false, true])
    );
    pair.off(1);
    pair.run(seconds(6));
    assert_eq!(
        (pair.fenced[1].len(), pair.owners()[1].clone()),
        (1, vec![false, true])
    );
    pair.on(1);
    assert_eq!(pair.halted[1], 1);
    pair.run(seconds(100));
    assert_eq!(
        (pair.fenced[1].len(), pair.owners()[1].clone()),
        (1, vec![false, true])
    );
    pair.device[1] = Some(true);
    pair.off(1);
    pair.run(seconds(20));
    assert_eq!(pair.owners()[1], [true, true], "{:#?}", pair.log);
}

#[test]
fn neither_a_broken_service_nor_a_failback_nor_ping_nodes_move_anything() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.ping = PingSettings {
        nodes: vec![PingNodeSettings {
            name: "router".into(),
            counts: true,
        }],
        deadping: seconds(1),
        ipfail: true,
    };
    pair.answers = [vec![true], vec![true]];
    pair.start(1);
    pair.run(seconds(20));
    pair.on(1);
    pair.start(0);
    pair.run(seconds(20));
    assert_eq!(pair.owners(), [[false, false], [true, true]], "no failback");
    pair.answers[1] = vec![false];
    pair.run(seconds(60));
    let outcome = GroupOutcome::Broken;
    let group = GroupId(0);
    pair.tell(1, Event::Group { group, outcome });
    pair.run(seconds(60));
    assert_eq!(
        pair.owners(),
        [[false, false], [true, true]],
        "{:#?}",
        pair.log
    );
    assert!(pair.said(1, "Maintenance is on. Without it:") > 0);
    pair.off(0);
    pair.run(seconds(60));
    assert_eq!(
        pair.owners(),
        [[true, true], [false, false]],
        "{:#?}",
        pair.log
    );
}

#[test]
fn a_failed_start_is_not_tried_again_and_a_failed_stop_neither() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.slowness = 100;
    pair.fails_to_start[0] = true;
    pair.start(0);
    pair.run(seconds(1020));
    pair.on(0);
    pair.fails_to_start[0] = false;
    pair.run(seconds(HOUR));
    assert_eq!(pair.owners()[0], [false, false]);
    pair.off(0);
    pair.run(seconds(1));
    assert_eq!(pair.owners()[0], [true, true]);
    pair.start(1);
    pair.run(seconds(200));
    pair.on(0);
    pair.fails_to_stop[0] = true;
    pair.tell(
        0,
        Event::MoveRequested(MoveRequest::Standby(Selection::All)),
    );
    pair.run(seconds(2));
    pair.fails_to_stop[0] = false;
    pair.run(seconds(HOUR));
    assert_eq!(pair.owners(), HOME);
    assert_eq!(
        pair.said(0, "Without it: stop one here (an earlier attempt failed)"),
        1,
        "{:#?}",
        pair.log
    );
}

#[test]
fn set_apart_it_is_joined_when_the_nodes_meet_and_of_two_alike_the_last_node_s_counts() {
    let mut pair = Pair::together(AutoFailback::Off);
    pair.links(false);
    pair.run(seconds(3));
    assert_eq!(pair.owners(), [[true, true], [true, true]]);
    pair.on(0);
    assert!(pair.is_on(0) && !pair.is_on(1) && !pair.is_shared(0));
    pair.links(true);
    pair.run(seconds(3));
    assert!(pair.is_shared(0) && pair.is_shared(1));
    assert_eq!(pair.owners(), HOME, "S7 goes on: {:#?}", pair.log);
    // Both say something: the same number, made apart.
    pair.links(false);
    pair.run(seconds(3));
    pair.on(0);
    pair.off(1);
    pair.links(true);
    pair.run(seconds(5));
    assert!(!pair.is_on(0) && !pair.is_on(1), "{:#?}", pair.log);
    pair.links(false);
    pair.run(seconds(3));
    pair.on(0);
    pair.on(0);
    pair.on(1);
    pair.off(1);
    pair.on(0);
    pair.links(true);
    pair.run(seconds(5));
    assert!(
        pair.is_shared(0) && pair.is_shared(1),
        "three are more than two"
    );
}

#[test]
fn who_has_lost_its_file_learns_the_number_from_the_other() {
    let mut pair = Pair::together(AutoFailback::On);
    for _ in 0..3 {
        pair.on(0);
        pair.off(0);
        pair.run(seconds(1));
    }
    pair.kill(1);
    pair.maintenance[1] = None;
    pair.run(seconds(3));
    pair.start(1);
    pair.run(seconds(3));
    pair.on(1);
    pair.run(seconds(3));
    assert!(pair.is_shared(0) && pair.is_shared(1), "{:#?}", pair.log);
}

#[test]
fn a_file_that_can_not_be_read_holds_until_somebody_knows_better() {
    let damaged = MaintenanceMemory {
        counter: 0,
        said_here: true,
        is_on: true,
        age: Duration::ZERO,
        left: None,
        by: String::new(),
        reason: "damaged".into(),
        peer_holds_still: true,
    };
    let mut pair = Pair::new(AutoFailback::On);
    pair.maintenance[0] = Some(damaged.clone());
    pair.start(0);
    pair.start(1);
    pair.run(seconds(60));
    assert_eq!(pair.owners(), [[false; 2]; 2]);
    assert!(pair.is_shared(0) && pair.is_shared(1));
    pair.off(1);
    pair.run(seconds(2));
    assert_eq!(pair.owners(), HOME);
    // The other node has known of an end.
    pair.kill(0);
    pair.run(seconds(3));
    pair.maintenance[0] = Some(damaged);
    pair.start(0);
    pair.run(seconds(3));
    assert_eq!(pair.owners(), HOME);
    assert!(!pair.is_on(0) && !pair.is_on(1));
}

#[test]
fn a_node_of_3_0_6_beside_it_is_a_reason_to_refuse_and_to_rest() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(1);
    pair.turn(1, Some((LinkId(1), old_heartbeat(7, 1, "active"))));
    let order = || MaintenanceOrder::on("alice", "", None).expect("a good one");
    assert_eq!(pair.order(1, order()), Some(MaintenanceRefusal::Classic));
    assert!(!pair.is_on(1));
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(1);
    pair.on(1);
    pair.turn(1, Some((LinkId(1), old_heartbeat(7, 1, "active"))));
    let cluster = pair.nodes[1].as_ref().expect("it runs");
    assert!(cluster.maintenance().is_some_and(|view| view.rests) && !cluster.holds_still());
    assert_eq!(
        pair.said(1, "a runs heartbeat 3.0.6, which knows no maintenance"),
        1
    );
    pair.run(seconds(60)); // it dies again
    assert_eq!(pair.owners()[1], [false, false], "{:#?}", pair.log);
}

#[test]
fn nothing_is_said_of_it_while_there_is_nothing_to_say() {
    let mut pair = Pair::together(AutoFailback::On);
    assert_eq!(pair.count_words(0, seconds(3)), (0, 0));
    let mut pair = Pair::together(AutoFailback::On);
    pair.on(0);
    pair.run(seconds(1));
    let (words, fields) = pair.count_words(0, seconds(3));
    assert!(words == 0 && fields > 0, "both know: {words} {fields}");
    let mut pair = Pair::together(AutoFailback::On);
    pair.on(0);
    pair.off(0);
    pair.run(seconds(1));
    assert_eq!(pair.count_words(0, seconds(3)), (0, 0));
}

#[test]
fn a_word_that_makes_no_sense_is_none() {
    let mut pair = Pair::together(AutoFailback::On);
    let cluster = pair.nodes[0].as_mut().expect("it runs");
    for word in [
        "",
        "1",
        "1 s 1 q l 0",
        "1 x 1 q l 0 -",
        "1 s 2 q l 0 -",
        "1 s 1 z l 0 -",
        "1 s 1 q y 0 -",
        "g s 1 q l 0 -",
        "1 s 1 q l -1 -",
        "1 s 1 q l 0 x",
    ] {
        let mut message = message::Message::new();
        message.push_text("hb_maintenance", word);
        assert!(!cluster.maintenance_heard(&message, pair.now), "{word:?}");
    }
    let mut message = message::Message::new();
    message.push_text("hb_maintenance", "1 s 1 a l 0 -");
    message.push_text("hb_reason", "\u{1b}[2J");
    assert!(!cluster.maintenance_heard(&message, pair.now));
    assert!(cluster.maintenance().is_none());
}

/// Each runs its group, with `last_link witness`.
fn with_witness() -> Pair {
    let mut pair = Pair::new(AutoFailback::Off);
    pair.last_link = [LastLink::Witness(seconds(5)); 2];
    pair.ping = PingSettings {
        nodes: vec![PingNodeSettings {
            name: "router".into(),
            counts: true,
        }],
        deadping: seconds(1),
        ipfail: false,
    };
    pair.answers = [vec![true], vec![true]];
    pair.start(0);
    pair.start(1);
    pair.run(seconds(3));
    pair
}

#[test]
fn who_is_cut_off_keeps_what_it_has_where_the_other_knows_and_only_there() {
    for is_shared in [true, false] {
        let mut pair = with_witness();
        if is_shared {
            pair.on(0);
        }
        pair.links(false);
        pair.answers[0] = vec![false];
        if !is_shared {
            pair.on(0);
        }
        pair.run(seconds(60));
        assert_eq!(pair.owners()[0], [is_shared, false], "{:#?}", pair.log);
        assert_eq!(pair.owners()[1], [!is_shared, true], "{:#?}", pair.log);
    }
}

#[test]
fn a_node_that_may_be_in_maintenance_is_not_judged_by_ping_nodes() {
    for restarts in [false, true] {
        let mut pair = with_witness();
        pair.on(0);
        pair.links(false);
        pair.answers[0] = vec![false];
        pair.run(seconds(10));
        pair.off(1);
        pair.run(seconds(10));
        if restarts {
            pair.kill(1);
            pair.start(1);
        }
        pair.run(seconds(100));
        assert_eq!(
            pair.owners()[0],
            [true, false],
            "it does not know of the end"
        );
        assert!(!pair.owners()[1][0], "{:#?}", pair.log);
        assert!(pair.said(1, "It may be in maintenance and keep what it has") > 0);
        pair.links(true);
        pair.run(seconds(5));
        assert_eq!(pair.owners(), HOME, "{:#?}", pair.log);
        pair.kill(0);
        pair.run(seconds(60));
        assert_eq!(pair.owners()[1], [true, true], "as always: {:#?}", pair.log);
    }
}
