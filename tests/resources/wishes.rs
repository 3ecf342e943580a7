//! Requests for many groups in any order, contrary ones among them, while their scripts take their time.

use std::collections::BTreeMap;

use crate::bench::{Bench, Directory};
use heartbeat::cluster::GroupId;

const GROUPS: u32 = 8;
const REQUESTS: u32 = 300;

/// Notes when it begins and ends, and takes up to 30 ms; one in eight starts fails.
const SCRIPT: &str = r#"
note "begin $1"
runs=$(dirname $journal)/runs-$1-$2
sleep 0.0$(($$ % 4))
end=0
case $3 in
    start) if [ $(($$ % 8)) = 0 ] && [ ! -e "$runs" ]; then end=1; else touch "$runs"; fi ;;
    stop) rm -f "$runs" ;;
    status) if [ -e "$runs" ]; then echo running; else echo stopped; fi ;;
esac
note "end $1"
exit $end
"#;

/// Numbers without any order, the same in every run.
fn next(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

#[test]
fn whatever_is_asked_for_nothing_overlaps_within_a_group_and_the_last_wish_counts() {
    let directory = (0..GROUPS).fold(Directory::new(), |directory, group| {
        directory.group(&format!("slow::{group}::a slow::{group}::b"))
    });
    let directory = directory.script("slow", SCRIPT);
    let mut bench = Bench::new(&directory);
    let mut state = 0x2545_f491;
    let mut wishes = BTreeMap::new();
    for _ in 0..REQUESTS {
        let group = next(&mut state) % GROUPS;
        match next(&mut state) % 5 {
            0 | 1 => {
                bench.resources.start(GroupId(group));
                wishes.insert(group, true);
            }
            2 | 3 => {
                bench.resources.stop(GroupId(group));
                wishes.insert(group, false);
            }
            _ => bench.resources.probe(GroupId(group)),
        }
        // Some requests come in the middle of what the last one began, some at its end.
        let turns = next(&mut state) % 4;
        let mut turned = 0;
        bench.until("some turns", |resources| {
            while resources.next_outcome().is_some() {}
            turned += 1;
            (turned > turns || resources.next_deadline().is_none()).then_some(())
        });
    }
    bench.until("rest", |resources| {
        while resources.next_outcome().is_some() {}
        resources.next_deadline().is_none().then_some(())
    });
    let mut under_way = BTreeMap::new();
    let mut actions = 0;
    for line in directory.journal().split(", ") {
        let (word, group) = line.split_once(' ').expect("two words");
        let is_begin = word == "begin";
        let was_begun = under_way
            .insert(group.to_owned(), is_begin)
            .unwrap_or(false);
        assert_ne!(was_begun, is_begin, "two at a time in group {group}");
        actions += u32::from(is_begin);
    }
    println!("{REQUESTS} requests, {actions} actions of scripts");
    for (group, is_wanted) in wishes {
        let runs = ["a", "b"].map(|part| directory.path(&format!("runs-{group}-{part}")).exists());
        // One that does not start is stopped again, as a whole.
        let is_right = runs == [is_wanted; 2] || (is_wanted && runs == [false; 2]);
        assert!(is_right, "group {group}: wanted {is_wanted}, runs {runs:?}");
    }
}
