//! What a pair says of links that carry in one direction, and of the last one.

use super::super::Way;
use super::*;

const KEEPALIVE: Duration = Duration::from_millis(200);
const DEADTIME: Duration = Duration::from_secs(1);

fn ways(pair: &Pair, node: usize) -> [Way; LINKS] {
    let cluster = pair.nodes[node].as_ref().expect("it runs");
    [0, 1, 2].map(|link| cluster.way(LinkId(link)))
}

/// What a node that knows everything would say of its links.
fn truth(wires: [[bool; 2]; LINKS], node: usize) -> [Way; LINKS] {
    let hears = wires.iter().any(|wire| wire[1 - node]);
    wires.map(|wire| match (wire[1 - node], wire[node]) {
        _ if !hears => Way::Neither,
        (true, true) => Way::Both,
        (true, false) => Way::OnlyIn,
        (false, true) => Way::OnlyOut,
        (false, false) => Way::Neither,
    })
}

#[test]
fn all_sixty_four_states_of_three_links_are_seen_on_both_sides_within_two_keepalives() {
    for state in 0..64_u32 {
        let mut pair = Pair::together(AutoFailback::On);
        for (place, wire) in pair.wires.iter_mut().enumerate() {
            *wire = [0, 1].map(|direction| state >> (2 * place + direction) & 1 == 1);
        }
        let wires = pair.wires;
        pair.run(KEEPALIVE * 2 + KEEPALIVE / 4);
        // One that hears nothing any more cannot say so before the other one would have it dead.
        for node in 0..2 {
            assert_eq!(
                ways(&pair, node),
                truth(wires, node),
                "{wires:?}, node {node}"
            );
        }
        let works = wires.iter().any(|wire| wire[0] && wire[1]);
        pair.run(Duration::from_secs(5));
        if works {
            assert_eq!(
                pair.said(0, "is dead") + pair.said(1, "is dead"),
                0,
                "{wires:?}"
            );
            for node in 0..2 {
                assert_eq!(
                    ways(&pair, node),
                    truth(wires, node),
                    "{wires:?}, node {node}"
                );
            }
        }
        pair.wires = [[true; 2]; LINKS];
        pair.run(Duration::from_secs(2));
        for node in 0..2 {
            assert_eq!(ways(&pair, node), [Way::Both; LINKS], "{wires:?} mended");
        }
    }
}

#[test]
fn a_one_way_link_is_told_once_on_each_side_with_its_cause_and_nothing_moves() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.wires[1][0] = false;
    pair.run(Duration::from_secs(30));
    let heard = "Link b:link1 is one-way: we hear b, it does not hear us. Check the firewall there";
    let unheard = "Link a:link1 is one-way: a hears us, we do not hear it. Check the firewall here";
    assert_eq!(pair.said(0, heard), 1, "{:#?}", pair.log);
    assert_eq!(pair.said(1, unheard), 1, "{:#?}", pair.log);
    assert_eq!(pair.said(0, "one-way") + pair.said(1, "one-way"), 2);
    // As ever: the side that hears it calls it up, the other one dead after deadtime.
    assert_eq!(
        [pair.said(0, "link1 dead."), pair.said(1, "link1 dead.")],
        [0, 1]
    );
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair.wires[1][0] = true;
    pair.run(Duration::from_secs(2));
    for node in 0..2 {
        assert_eq!(pair.said(node, "link1 works in both directions again."), 1);
    }
}

#[test]
fn a_lost_copy_and_a_moment_of_silence_are_not_told() {
    let mut pair = Pair::together(AutoFailback::On);
    for _ in 0..20 {
        pair.wires[1] = [false; 2];
        pair.run(KEEPALIVE);
        pair.wires[1] = [true; 2];
        pair.run(KEEPALIVE * 3);
    }
    assert_eq!(
        pair.said(0, "one-way") + pair.said(1, "one-way"),
        0,
        "{:#?}",
        pair.log
    );
    assert_eq!(pair.said(0, "Only one") + pair.said(1, "Only one"), 0);
}

#[test]
fn a_start_is_not_told_as_links_that_carry_in_one_direction() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(0);
    pair.run(Duration::from_secs(3));
    pair.start(1);
    pair.run(Duration::from_secs(5));
    pair.kill(1);
    pair.run(Duration::from_secs(5));
    pair.start(1);
    pair.run(Duration::from_secs(5));
    for node in 0..2 {
        assert_eq!(pair.said(node, "one-way"), 0, "{:#?}", pair.log);
        assert_eq!(pair.said(node, "Only one"), 0, "{:#?}", pair.log);
        assert_eq!(ways(&pair, node), [Way::Both; LINKS]);
    }
}

#[test]
fn the_last_link_is_an_alarm_on_both_sides_that_ends_with_a_second_one() {
    let mut pair = Pair::together(AutoFailback::On);
    let alarm = |pair: &Pair, node: usize| {
        let cluster = pair.nodes[node].as_ref().expect("it runs");
        cluster.jeopardy().map(|(_, link)| link)
    };
    pair.wires[0] = [false; 2];
    pair.run(Duration::from_secs(2));
    assert_eq!(alarm(&pair, 0), None);
    // The second one is lost in one direction only: it is no link that a question and its answer can take.
    pair.wires[1][0] = false;
    pair.run(Duration::from_secs(10));
    for (node, peer) in [(0, "b"), (1, "a")] {
        assert_eq!(alarm(&pair, node), Some(Some(LinkId(2))), "{:#?}", pair.log);
        let line = format!("Only one link to {peer} is left, link2:");
        assert_eq!(pair.said(node, &line), 1, "{:#?}", pair.log);
    }
    // Another one is left: that is told, too.
    pair.wires[1][0] = true;
    pair.wires[2] = [false; 2];
    pair.run(Duration::from_secs(2));
    for (node, peer) in [(0, "b"), (1, "a")] {
        assert_eq!(
            pair.said(node, &format!("Only one link to {peer} is left, link1:")),
            1
        );
        assert_eq!(alarm(&pair, node), Some(Some(LinkId(1))));
    }
    // There by one and back by another one.
    pair.wires = [[true, false], [false, true], [false, false]];
    pair.run(Duration::from_secs(10));
    for node in 0..2 {
        assert_eq!(pair.said(node, "No link to"), 1, "{:#?}", pair.log);
        assert_eq!(alarm(&pair, node), Some(None));
        assert_eq!(pair.said(node, "is dead"), 0);
    }
    pair.wires = [[true; 2]; LINKS];
    pair.run(Duration::from_secs(2));
    for node in 0..2 {
        assert_eq!(
            pair.said(node, "More than one link to"),
            1,
            "{:#?}",
            pair.log
        );
        assert_eq!(alarm(&pair, node), None);
    }
}

#[test]
fn nothing_is_moved_on_request_while_the_other_node_hears_nothing() {
    let mut pair = Pair::together(AutoFailback::On);
    for wire in &mut pair.wires {
        wire[0] = false;
    }
    let request = MoveRequest::Standby(Selection::All);
    pair.run(KEEPALIVE * 2);
    let cluster = pair.nodes[0].as_ref().expect("it runs");
    assert_eq!(cluster.refuses(request), None, "two may be lost by chance");
    pair.run(DEADTIME / 2);
    for node in 0..2 {
        let cluster = pair.nodes[node].as_ref().expect("it runs");
        assert_eq!(
            cluster.refuses(request),
            Some(MoveRefusal::Unanswered),
            "node {node}"
        );
    }
    pair.wires = [[true; 2]; LINKS];
    pair.run(KEEPALIVE * 2);
    let cluster = pair.nodes[0].as_ref().expect("it runs");
    assert_eq!(cluster.refuses(request), None);
}

#[test]
fn copies_bear_their_link_and_the_answer_is_a_bit_for_each() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.wires[2][1] = false;
    pair.run(Duration::from_secs(2));
    let cluster = pair.nodes[0].as_mut().expect("it runs");
    cluster.handle(pair.now + KEEPALIVE, Event::Tick);
    let mut fields = Vec::new();
    while let Some(action) = cluster.next_action() {
        if let Action::Send(packet) = action {
            let mut message = message::Message::new();
            // Named `link0` and so on: networks, as far as a name tells.
            assert!(packet.text.is_empty(), "one form is enough");
            message::open(&packet.datagram, &keys(), &mut message).expect("our own");
            let text = |name| message.text(name).map(str::to_owned);
            fields.push((packet.link, text("via"), text("hl")));
        }
    }
    let expected = |link: u8| (Some(LinkId(link)), Some(link.to_string()), Some("3".into()));
    let expected = [0, 1, 2].map(expected);
    assert_eq!(fields, expected);
}

#[test]
fn two_links_to_one_network_are_both_heard() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.one_segment = true;
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(5));
    for node in 0..2 {
        assert_eq!(ways(&pair, node), [Way::Both; LINKS], "{:#?}", pair.log);
        assert_eq!(pair.said(node, "one-way"), 0);
    }
}

/// Where the first of those copies was heeded and the second one not, the link would stay closed until something else is due.
#[test]
fn a_copy_that_tells_of_another_link_of_the_peer_needs_a_tick_and_a_recording_does_not() {
    let mut pair = Pair::together(AutoFailback::On);
    (pair.wires[1], pair.wires[2]) = ([false; 2], [false; 2]);
    pair.run(Duration::from_secs(2));
    let now = pair.now + KEEPALIVE;
    let mut copies = Vec::new();
    let cluster = pair.nodes[1].as_mut().expect("it runs");
    cluster.handle(now, Event::Tick);
    while let Some(action) = cluster.next_action() {
        if let Action::Send(packet) = action
            && packet.is_heartbeat
        {
            copies.push(packet.datagram.clone());
        }
    }
    assert_eq!(copies.len(), LINKS);
    let cluster = pair.nodes[0].as_mut().expect("it runs");
    let mut hear = |copy: usize| {
        let before = cluster.unheeded();
        let (link, bytes) = (LinkId(0), &copies[copy][..]);
        cluster.handle(now, Event::Received { link, bytes });
        let unheeded = cluster.unheeded() - before;
        (unheeded, cluster.directions.theirs.bits())
    };
    assert_eq!(hear(0), (0, Some(0b001)));
    assert_eq!(
        hear(1),
        (0, Some(0b011)),
        "by its second link, on our first"
    );
    for _ in 0..100 {
        assert_eq!([hear(0), hear(1)], [(1, Some(0b011)); 2]);
    }
}
