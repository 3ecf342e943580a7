//! The nodes know each other's Ethernet addresses.

use super::old_peer::Old;
use super::*;

const OF_A: Ethernet = [2, 0, 0, 0, 0, 1];
const OF_B: Ethernet = [2, 0, 0, 0, 0, 2];

/// The shell tells its core what the machine has.
fn has(pair: &mut Pair, node: usize, own: Vec<Ethernet>) {
    let now = pair.now;
    let cluster = pair.nodes[node].as_mut().expect("it runs");
    cluster.handle(now, Event::Hardware(own));
    pair.turn(node, None);
}

fn settled() -> Pair {
    let mut pair = Pair::new(AutoFailback::On);
    for (node, own) in [(0, OF_A), (1, OF_B)] {
        pair.start(node);
        has(&mut pair, node, vec![own]);
    }
    pair.run(Duration::from_secs(10));
    pair
}

#[test]
fn each_node_is_told_once_the_other_hears_it_and_again_when_it_changes() {
    let mut pair = settled();
    assert_eq!(pair.told_hardware, [vec![OF_B], vec![OF_A]]);
    has(&mut pair, 1, vec![OF_B, [6; 6]]);
    assert_eq!(pair.told_hardware[0], [OF_B, [6; 6]]);
}

#[test]
fn it_is_known_over_the_peer_s_death_and_told_again_to_the_next_run() {
    let mut pair = settled();
    pair.kill(1);
    pair.run(Duration::from_secs(30));
    assert!(pair.said(0, "is dead") > 0);
    assert_eq!(pair.told_hardware[0], [OF_B], "its machine may be there");
    pair.told_hardware = [Vec::new(), Vec::new()];
    pair.start(1);
    has(&mut pair, 1, vec![[9; 6]]);
    pair.run(Duration::from_secs(10));
    assert_eq!(pair.told_hardware, [vec![[9; 6]], vec![OF_A]]);
}

#[test]
fn what_is_no_address_is_out_of_place_and_changes_nothing() {
    let mut old = Old::settled(AutoFailback::On);
    for text in ["", "x", "0200000000"] {
        old.says(&[("t", "hb_hardware"), ("hb_ethernet", text)]);
    }
    assert!(old.pair.told_hardware[1].is_empty());
}
