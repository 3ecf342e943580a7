//! Links that are up and carry badly.

use super::*;

const BAD: &str = "is up and carries badly";
const WELL: &str = "carries well again";

/// For so many seconds, every fourth message of the second node is lost on the second link.
fn lose(pair: &mut Pair, seconds: u32) {
    for _ in 0..seconds * 5 / 4 {
        for is_joined in [false, true, true, true] {
            pair.wires[1][1] = is_joined;
            pair.run(Duration::from_millis(200));
        }
    }
}

#[test]
fn a_link_that_loses_much_is_told_once_and_so_is_the_end_of_it() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.run(Duration::from_secs(60));
    lose(&mut pair, 60);
    assert_eq!([pair.said(0, BAD), pair.said(1, BAD)], [1, 0]);
    let is_degraded = |pair: &Pair, link| {
        let cluster = pair.nodes[0].as_ref().expect("it runs");
        cluster.is_degraded(LinkId(link))
    };
    assert_eq!(
        [0, 1, 2].map(|link| is_degraded(&pair, link)),
        [false, true, false]
    );
    pair.run(Duration::from_secs(60));
    assert_eq!([pair.said(0, WELL), pair.said(1, WELL)], [1, 0]);
    assert!(!is_degraded(&pair, 1));
    assert_eq!(pair.said(0, "dead"), 0);
}

#[test]
fn a_link_that_was_dead_is_no_bad_one_when_it_is_back() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.run(Duration::from_secs(60));
    pair.wires[1] = [false; 2];
    pair.run(Duration::from_secs(60));
    pair.wires[1] = [true; 2];
    pair.run(Duration::from_secs(120));
    assert_eq!([pair.said(0, BAD), pair.said(1, BAD)], [0, 0]);
    assert_eq!([pair.said(0, WELL), pair.said(1, WELL)], [0, 0]);
}
