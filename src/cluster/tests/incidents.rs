//! What each held while the nodes had lost each other, as both record it.

use super::*;
use crate::message::Message;

/// Which groups, how often they were held here and there, and for how many seconds by both.
type Entry = (String, usize, usize, u64);

fn entries(record: &IncidentRecord) -> Vec<Entry> {
    let groups = record.groups.iter();
    groups
        .map(|groups| {
            let keys = groups.keys.join(" ");
            let (mine, theirs) = (groups.mine.len(), groups.theirs.len());
            (keys, mine, theirs, groups.both.as_secs())
        })
        .collect()
}

fn cut(pair: &mut Pair) {
    pair.wires = [[false; 2]; LINKS];
}

fn heal(pair: &mut Pair) {
    pair.wires = [[true; 2]; LINKS];
}

#[test]
fn after_a_split_both_nodes_record_who_held_what_and_for_how_long_both_did() {
    let mut pair = Pair::together(AutoFailback::On);
    cut(&mut pair);
    pair.run(Duration::from_secs(31));
    assert_eq!(pair.owners(), [[true, true], [true, true]]);
    heal(&mut pair);
    pair.run(Duration::from_secs(3));
    for node in 0..2 {
        let [record] = pair.incidents[node].as_slice() else {
            panic!("{:#?}", pair.incidents[node]);
        };
        assert_eq!(record.cause, Cause::Silence);
        let both = |key: &str| (key.to_owned(), 1, 1, 30);
        assert_eq!(entries(record), [both("one"), both("two")], "{record:#?}");
        let told = matches!(
            record.peer,
            PeerWord::Told {
                cause: Cause::Silence,
                has_more: false,
                ..
            }
        );
        assert!(told, "{record:#?}");
        // Who yields gives up what it took; the other goes on.
        for (groups, mine) in record.groups.iter().zip([node == 0, node == 1]) {
            assert_eq!(groups.mine[0].until.is_none(), mine, "{record:#?}");
            assert_eq!(groups.theirs[0].until.is_none(), !mine, "{record:#?}");
        }
        let away = Moment::from(record.met.expect("they met")).since(record.lost);
        assert_eq!(away.as_secs(), 31);
    }
    pair.run(Duration::from_secs(120));
    assert_eq!(pair.incidents.each_ref().map(Vec::len), [1, 1], "told once");
}

#[test]
fn after_a_death_the_record_tells_since_when_the_survivor_has_what_and_that_the_other_runs_anew() {
    let mut pair = Pair::together(AutoFailback::Off);
    pair.kill(0);
    pair.run(Duration::from_secs(20));
    assert!(pair.incidents[1].is_empty(), "it is not over");
    pair.start(0);
    pair.run(Duration::from_secs(3));
    let record = |node: usize| pair.incidents[node].first().expect("a record");
    assert_eq!(
        entries(record(1)),
        [("one".to_owned(), 1, 0, 0), ("two".to_owned(), 1, 0, 0)]
    );
    let PeerWord::Told {
        cause, runs_since, ..
    } = record(1).peer
    else {
        panic!("{:#?}", record(1));
    };
    assert_eq!(cause, Cause::Told);
    assert!(
        runs_since > record(1).lost,
        "an earlier run held what it held"
    );
    assert_eq!(record(0).cause, Cause::Told);
    assert_eq!(
        entries(record(0)),
        [("one".to_owned(), 0, 1, 0), ("two".to_owned(), 0, 1, 0)]
    );
}

#[test]
fn a_node_that_stood_still_and_the_one_that_took_over_record_the_overlap() {
    let mut pair = Pair::together(AutoFailback::Off);
    let stands_still = pair.nodes[0].take();
    pair.run(Duration::from_secs(10));
    pair.nodes[0] = stands_still;
    pair.running[1] = vec![false; 2]; // the harness would see two owners, which is what this is about
    pair.turn(0, None);
    pair.run(Duration::from_secs(3));
    let both = |node: usize| {
        let record = pair.incidents[node].first().expect("a record");
        let entry = record.groups.iter().find(|groups| groups.keys[0] == "one");
        entry.expect("it was held").both
    };
    assert!(both(0) >= Duration::from_secs(8), "{:?}", both(0));
    assert!(both(1) >= Duration::from_secs(8), "{:?}", both(1));
    assert_eq!(pair.incidents[0][0].cause, Cause::Stall);
}

#[test]
fn a_node_that_was_not_heard_records_what_the_other_tells() {
    let mut pair = Pair::together(AutoFailback::Off);
    for wire in &mut pair.wires {
        wire[0] = false; // the second hears nothing of the first
    }
    pair.run(Duration::from_secs(10));
    heal(&mut pair);
    pair.run(Duration::from_secs(3));
    for node in 0..2 {
        let record = pair.incidents[node].first().expect("a record");
        let one = entries(record).into_iter().find(|(key, ..)| key == "one");
        assert!(one.is_some(), "{record:#?}");
    }
    assert_eq!(pair.incidents[0][0].cause, Cause::Unheard);
    assert_eq!(pair.incidents[1][0].cause, Cause::Silence);
    assert_eq!(pair.incidents.each_ref().map(Vec::len), [1, 1]);
}

#[test]
fn who_leaves_is_no_incident_and_one_that_stops_alone_records_what_it_knows() {
    let mut pair = Pair::together(AutoFailback::Off);
    let now = pair.now;
    pair.nodes[0]
        .as_mut()
        .expect("runs")
        .handle(now, Event::StopRequested);
    pair.run(Duration::from_secs(10));
    assert!(pair.exited[0]);
    assert_eq!(pair.incidents, [Vec::new(), Vec::new()]);

    let mut pair = Pair::together(AutoFailback::Off);
    pair.kill(0);
    pair.run(Duration::from_secs(5));
    let now = pair.now;
    pair.nodes[1]
        .as_mut()
        .expect("runs")
        .handle(now, Event::StopRequested);
    pair.run(Duration::from_secs(10));
    let record = pair.incidents[1].first().expect("a record");
    assert_eq!((record.met, record.peer), (None, PeerWord::Nothing));
}

#[test]
fn nodes_with_other_groups_say_so_instead_of_naming_the_wrong_ones() {
    let mut pair = Pair::new(AutoFailback::Off);
    pair.contents = ["one", "other"];
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(2));
    cut(&mut pair);
    pair.run(Duration::from_secs(10));
    heal(&mut pair);
    pair.run(Duration::from_secs(3));
    for node in 0..2 {
        let record = pair.incidents[node].first().expect("a record");
        assert_eq!(record.peer, PeerWord::OtherFiles);
        assert!(record.groups.iter().all(|groups| groups.theirs.is_empty()));
    }
}

#[test]
fn a_peer_that_says_nothing_is_waited_for_a_while() {
    let mut pair = Pair::together(AutoFailback::Off);
    cut(&mut pair);
    pair.run(Duration::from_secs(5));
    heal(&mut pair);
    pair.run(Duration::from_secs(3));
    let settled = pair.incidents[0][0].settled;
    // What the peer says of it later is no news.
    let incidents = &pair.nodes[0].as_ref().expect("runs").incidents;
    assert!(incidents.open.is_none() && incidents.settled == Some(settled.into()));
    // It takes it for long over, and does not answer either.
    let later = settled + Duration::from_secs(3600);
    let silent = &mut pair.nodes[1].as_mut().expect("runs").incidents;
    (silent.settled, silent.answered) = (Some(later.into()), Some(later));
    let cluster = pair.nodes[0].as_mut().expect("runs");
    cluster.begin_incident(Cause::Silence, settled);
    cluster.meet_again(settled);
    let wait = settled + Duration::from_secs(5);
    pair.run(wait.since(pair.now));
    assert_eq!(pair.incidents[0].len(), 1, "perhaps its word was lost");
    pair.run(Duration::from_secs(90));
    assert_eq!(pair.incidents[0].len(), 1, "it was asked again");
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.incidents[0].len(), 2);
}

#[test]
fn a_question_about_what_is_over_is_answered() {
    let mut pair = Pair::together(AutoFailback::Off);
    cut(&mut pair);
    pair.run(Duration::from_secs(5));
    heal(&mut pair);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.incidents.each_ref().map(Vec::len), [1, 1]);
    // As if all words of the other had been lost.
    let first = pair.incidents[0][0].clone();
    let cluster = pair.nodes[0].as_mut().expect("runs");
    cluster.begin_incident(Cause::Silence, first.lost);
    cluster.meet_again(first.settled);
    let begun = first.met.expect("they met").into();
    let incidents = &mut pair.nodes[1].as_mut().expect("runs").incidents;
    incidents.settled = incidents
        .settled
        .max(Some(begun))
        .map(|at| at.max(Moment::from(pair.now)));
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.incidents.each_ref().map(Vec::len), [2, 1]);
    let again = &pair.incidents[0][1];
    assert!(matches!(
        again.peer,
        PeerWord::Told {
            cause: Cause::Silence,
            ..
        }
    ));
    assert_eq!(entries(again), entries(&first));
}

#[test]
fn who_is_lost_again_before_it_has_answered_is_told_of_both_times() {
    let mut pair = Pair::together(AutoFailback::Off);
    cut(&mut pair);
    pair.run(Duration::from_secs(30));
    let cluster = pair.nodes[0].as_mut().expect("runs");
    let lost = cluster.incidents.open.as_ref().expect("goes on").lost;
    let now = pair.now;
    cluster.meet_again(now); // its word is lost, and so is it
    cluster.begin_incident(Cause::Silence, now);
    pair.run(Duration::from_secs(10));
    heal(&mut pair);
    pair.run(Duration::from_secs(5));
    let [record] = pair.incidents[0].as_slice() else {
        panic!("{:#?}", pair.incidents[0]);
    };
    assert_eq!(record.lost, lost);
    assert!(record.met > Some(now));
}

#[test]
fn a_machine_that_was_started_meanwhile_records_what_was_before_its_boot() {
    let mut pair = Pair::new(AutoFailback::Off);
    pair.now = Instant::from_micros(2_000_000); // its clock begins with its boot
    pair.start(0);
    let mut young = pair.nodes[0].take().expect("it runs");
    let (generation, epoch) = (young.settings.generation, young.epoch);
    let digest = young.ownership.digest();
    let mut told = Message::new();
    told.push_text(
        "hb_held",
        &format!("{generation:x}.{epoch:x} {digest:x} s 186a0 186a0 186a0 0:17ae4"),
    );
    assert!(young.incident_heard(&told, 9, pair.now));
    let incident = young.incidents.open.as_ref().expect("it is told of one");
    assert_eq!(incident.lost.as_micros(), -98_000_000);
    let (group, tenure) = incident.theirs[0];
    assert_eq!((group, tenure.since.as_micros()), (0, -94_996_000));
}
