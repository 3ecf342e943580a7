//! A serial line alone, as slow as they come.

use std::time::{Duration, Instant};

use crate::lab::journal::Mark;
use crate::lab::{Pair, Setup, claim, eventually};

/// Bytes a second.
const RATE: u64 = 960;
/// How long the line is looked at.
const WHILE: Duration = Duration::from_secs(6);

/// Short heartbeats have no more while their numbers are as small as here.
const SHORT: u64 = 48;

#[test]
fn a_line_alone_carries_short_heartbeats_and_nothing_else_while_nothing_changes() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            keepalive: 100,
            deadtime: 3000, // other tests run beside this one
            baud: 19_200,
            media: Some("serial /dev/ttyS0\n"),
            ..Setup::default()
        });
        pair.serve_on_a();
        let carried = |pair: &Pair| [0, 1].map(|sender| pair.modem.carried(sender));
        // In the first seconds there is much that is new to both.
        eventually("there is no room for anything else", || {
            let (before, begin) = (carried(&pair), Instant::now());
            pair.assert_stays(0, WHILE);
            let beats = begin.elapsed().as_millis() / 100 + 2;
            let most = SHORT * u64::try_from(beats).unwrap_or(0);
            let pieces = before.into_iter().zip(carried(&pair));
            let used: Vec<u64> = pieces.map(|(before, after)| after - before).collect();
            println!("{used:?} bytes in {WHILE:?}, of {most}");
            used.iter().all(|used| (500..most).contains(used))
        });
        for machine in [&pair.a, &pair.b] {
            assert!(!machine.log().has(Mark::START, "is dead"));
        }
    });
}

/// Thirty full heartbeats alone would take the line longer than it is looked at.
#[test]
fn a_line_of_9600_baud_alone_carries_five_heartbeats_a_second_with_room_to_spare() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            keepalive: 200,
            deadtime: 3000, // other tests run beside this one
            baud: 9600,
            media: Some("serial /dev/ttyS0\n"),
            ..Setup::default()
        });
        pair.serve_on_a();
        let carried = |pair: &Pair| [0, 1].map(|sender| pair.modem.carried(sender));
        // In the first seconds there is much that is new to both.
        eventually("more than half of the line is free", || {
            let before = carried(&pair);
            pair.assert_stays(0, WHILE);
            let pieces = before.into_iter().zip(carried(&pair));
            let used: Vec<u64> = pieces.map(|(before, after)| after - before).collect();
            println!("{used:?} bytes in {WHILE:?}");
            let most = RATE * WHILE.as_secs() / 2;
            used.iter().all(|used| (500..most).contains(used))
        });
        // What changes gets through as ever, and a death is noticed as ever.
        let (_, status) = pair.a.command("hb_standby", &["all"]);
        assert_eq!(status, Some(0));
        pair.watch.expect_owner(1, pair.address());
        pair.expect_settled();
        for machine in [&pair.a, &pair.b] {
            assert!(!machine.log().has(Mark::START, "is dead"));
        }
        pair.power_off(1);
        pair.watch.expect_owner(0, pair.address());
        pair.assert_never_two_owners();
    });
}
