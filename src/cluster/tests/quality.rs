//! What is counted of links between two nodes.

use super::*;

fn missed(pair: &Pair, node: usize) -> Vec<(u32, u32)> {
    let cluster = pair.nodes[node].as_ref().expect("it runs");
    let links = (0..LINKS).map(|link| LinkId(u8::try_from(link).expect("few")));
    let counted = links.map(|link| cluster.link_quality(link));
    counted
        .map(|quality| (quality.missed, quality.expected))
        .collect()
}

#[test]
fn a_link_that_is_cut_one_way_loses_what_the_other_node_sends_there() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.run(Duration::from_secs(30));
    assert_eq!(missed(&pair, 0), [(0, 124); 3]);
    pair.wires[1][1] = false; // from b
    pair.run(Duration::from_secs(10));
    let lost = missed(&pair, 0)[1].0;
    assert!((40..60).contains(&lost), "{lost} of some 50");
    assert_eq!(missed(&pair, 0)[2], (0, 124));
    assert_eq!(missed(&pair, 1), [(0, 124); 3]);
    let cluster = pair.nodes[0].as_ref().expect("it runs");
    let heard = |link| {
        let heard = cluster.link_quality(LinkId(link)).heard;
        pair.now.since(heard.expect("it was heard"))
    };
    assert!(heard(0) <= Duration::from_millis(200));
    assert!(heard(1) >= Duration::from_secs(9));
    pair.wires[1][1] = true;
    pair.run(Duration::from_secs(60));
    assert_eq!(missed(&pair, 0), [(0, 124); 3]);
}

#[test]
fn short_heartbeats_on_a_serial_line_count_as_full_ones_do() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.link_names[0] = "/dev/ttyS0";
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(60));
    assert!(pair.texts.len() > 100);
    assert_eq!(missed(&pair, 0), [(0, 124); 3]);
    let cluster = pair.nodes[0].as_ref().expect("it runs");
    let jitter = cluster.link_quality(LinkId(0)).jitter;
    assert_eq!(jitter, Some(Duration::ZERO));
}

#[test]
fn with_a_new_run_of_the_other_node_the_count_begins_anew() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.wires[2][1] = false;
    pair.run(Duration::from_secs(30));
    assert_eq!(missed(&pair, 0)[2], (124, 124));
    pair.kill(1);
    pair.wires[2][1] = true;
    pair.start(1);
    pair.run(Duration::from_secs(5));
    let found = missed(&pair, 0);
    assert!(
        found
            .iter()
            .all(|(missed, expected)| *missed == 0 && (10..60).contains(expected)),
        "{found:?}"
    );
    let cluster = pair.nodes[0].as_ref().expect("it runs");
    assert!(cluster.link_quality(LinkId(0)).received > 150);
}
