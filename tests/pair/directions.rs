//! Links that carry in one direction: every state of three links in two directions, entered and left in random order, is
//! named right on both sides, and nothing is taken over while one link works in both directions.

use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::lab::machine::Machine;
use crate::lab::network::Failure;
use crate::lab::null_modem::Line;
use crate::lab::sandbox::cuts;
use crate::lab::{Link, PATIENCE, Pair, Setup, claim, throughout, wait_for};

/// How often the state changes; `HB_CUTS` says otherwise.
const CHANGES: u32 = 20;
/// The states of three links with two directions.
const STATES: usize = 64;

/// By link and sender: whether it carries.
type Wires = [[bool; 2]; 3];

fn wires(state: usize) -> Wires {
    [0, 1, 2].map(|link| [0, 1].map(|sender| state >> (2 * link + sender) & 1 == 1))
}

/// Has the links carry so and not otherwise.
fn set(pair: &Pair, before: Wires, wires: Wires) {
    for (link, place) in Link::ALL.into_iter().zip(0..) {
        for sender in 0..2 {
            let carries = wires[place][sender];
            if before[place][sender] == carries {
                continue;
            }
            let line = if carries { Line::Joined } else { Line::Broken };
            let hears = if sender == 0 { &pair.b } else { &pair.a };
            match link {
                Link::Serial => pair.modem.set(sender, line),
                Link::Eth0 | Link::Eth1 if carries => hears.cable(link.name()).restore(),
                Link::Eth0 | Link::Eth1 => hears.cable(link.name()).cut(Failure::Deaf),
            }
        }
    }
}

/// What a node can know of its links: where nobody tells it anything, that it hears nothing.
fn truth(wires: Wires, node: usize) -> [&'static str; 3] {
    let is_told = wires.iter().any(|wire| wire[1 - node]);
    wires.map(|wire| match (wire[1 - node], wire[node]) {
        (true, true) => "both",
        (true, false) => "in",
        (false, true) if is_told => "out",
        (false, _) => "none",
    })
}

/// What it says of them.
fn ways(machine: &Machine, peer: &str) -> Option<[String; 3]> {
    let (text, _) = machine.command("cl_status", &["--json", "listhblinks", peer]);
    let links: Value = serde_json::from_str(&text).ok()?;
    let way = |name: &str| {
        let mut links = links.as_array()?.iter();
        let link = links.find(|link| link["name"] == name)?;
        Some(link["way"].as_str()?.to_owned())
    };
    let [serial, eth0, eth1] = Link::ALL.map(|link| way(link.name()));
    Some([serial?, eth0?, eth1?])
}

/// A number that follows from the last one.
fn dice(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    usize::try_from(*seed % 1_000_000).expect("it is small")
}

/// All states in random order, and again.
fn next_state(left: &mut Vec<usize>, seed: &mut u64) -> usize {
    if left.is_empty() {
        left.extend(0..STATES);
    }
    left.swap_remove(dice(seed) % left.len())
}

#[test]
fn every_state_of_three_links_is_named_right_on_both_sides_and_nothing_moves_while_one_works() {
    claim(|| {
        let changes = cuts().unwrap_or(CHANGES);
        let mut pair = Pair::alone(Setup {
            // Broadcasts: an address that is asked for on a link that carries in one direction is never found.
            media: Some("serial /dev/ttyS0\nbcast eth0\nbcast eth1\n"),
            ..Setup::default()
        });
        pair.serve_on_a();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let mut seed = now.map_or(1, |now| u64::from(now.subsec_nanos())) | 1;
        println!("seed {seed}");
        let (mut left, mut now) = (Vec::new(), wires(STATES - 1));
        let mut took = Vec::new();
        expect_named(&pair, now, 0);
        for change in 0..changes {
            let state = next_state(&mut left, &mut seed);
            let before = std::mem::replace(&mut now, wires(state));
            set(&pair, before, now);
            let since = Instant::now();
            expect_named(&pair, now, change);
            println!("{before:?} to {now:?}: {:?}", since.elapsed());
            took.push(since.elapsed());
            stay(&pair, now, change);
        }
        report(&mut took, &pair);
        set(&pair, now, wires(STATES - 1));
        pair.expect_settled();
        pair.watch.expect_owner(0, pair.address());
    });
}

/// Waits until both call each link what it is.
fn expect_named(pair: &Pair, wires: Wires, change: u32) {
    for (node, machine, peer) in [(0, &pair.a, "beta"), (1, &pair.b, "alpha")] {
        let right = truth(wires, node).map(str::to_owned);
        let is_right = || (ways(machine, peer).as_ref() == Some(&right)).then_some(());
        if wait_for(PATIENCE, is_right).is_none() {
            let said = ways(machine, peer);
            panic!(
                "change {change}, {wires:?}: {} says {said:?}, not {right:?}",
                machine.name
            );
        }
    }
}

/// For a moment, and now and then for longer than deadtime, the state lasts. Who has a link that works both ways holds
/// nobody for dead.
fn stay(pair: &Pair, wires: Wires, change: u32) {
    let deadtime = Duration::from_millis(u64::from(pair.setup.deadtime));
    let period = if change % 7 == 6 {
        deadtime * 11 / 10
    } else {
        deadtime / 20
    };
    let marks = pair.marks();
    let works = wires.iter().any(|wire| wire[0] && wire[1]);
    throughout(period, "nobody is held for dead", || {
        let is_dead = |machine: &Machine, mark| machine.log().has(mark, "is dead");
        !works || (!is_dead(&pair.a, marks[0]) && !is_dead(&pair.b, marks[1]))
    });
}

fn report(took: &mut [Duration], pair: &Pair) {
    took.sort();
    let keepalive = Duration::from_millis(u64::from(pair.setup.keepalive));
    let late = took.iter().filter(|time| **time > keepalive * 2).count();
    println!(
        "{} changes named by both sides: half within {:?}, nine of ten within {:?}, the last after {:?}; {late} took more \
         than two keepalives",
        took.len(),
        took.get(took.len() / 2).copied().unwrap_or_default(),
        took.get(took.len() * 9 / 10).copied().unwrap_or_default(),
        took.last().copied().unwrap_or_default(),
    );
}
