//! Taking over the addresses of a dead peer: the core's decision, and everything that is said to the kernel.
//!
//! The kernel is real, in a network namespace of its own; what it does itself is not counted.

use std::path::Path;
use std::time::Duration;

use heartbeat::cluster::{Action, Cluster, Event, GroupOutcome, Instant, NodeStatus};
use heartbeat::daemon::children::Owner;
use heartbeat::daemon::resources::{Limits, Resources};
use mio::{Poll, Token};
use nix::sched::{CloneFlags, unshare};

use super::lab::namespace::run;
use super::meter::{Case, Meter};
use super::pair::{AUTHKEYS, HA_CF, Pair, config};

/// More than any takeover needs.
const TURNS: usize = 100;

/// All of these.
pub fn cases() -> Vec<Case> {
    let in_one = [1, 100, 1000]
        .map(|count| Case::sized(&format!("take_over_{count}_addresses"), addresses, count));
    let alone =
        [100, 500].map(|count| Case::sized(&format!("take_over_{count}_groups"), groups, count));
    in_one.into_iter().chain(alone).collect()
}

fn address(number: usize) -> String {
    format!("IPaddr::10.1.{}.{}/16/eth0", number / 250, number % 250 + 1)
}

/// All in one group.
fn addresses(meter: &mut Meter, count: usize) {
    let words: Vec<String> = (0..count).map(address).collect();
    take_over(meter, &format!("beta {}\n", words.join(" ")), count);
}

/// A group for each.
fn groups(meter: &mut Meter, count: usize) {
    let lines: Vec<String> = (0..count)
        .map(|number| format!("beta {}\n", address(number)))
        .collect();
    take_over(meter, &lines.concat(), count);
}

fn take_over(meter: &mut Meter, haresources: &str, addresses: usize) {
    unshare(CloneFlags::CLONE_NEWNET).expect("a sandbox may make namespaces");
    run("ip", &["link", "set", "lo", "up"]);
    run(
        "ip",
        &[
            "link", "add", "eth0", "type", "veth", "peer", "name", "switch",
        ],
    );
    run("ip", &["link", "set", "switch", "up"]);
    run("ip", &["address", "add", "10.1.255.254/16", "dev", "eth0"]);
    run("ip", &["link", "set", "eth0", "up"]);
    let now = moment_of_takeover(haresources);
    let mut pair = Pair::settled(HA_CF, haresources, 30);
    let [core, _] = &mut pair.nodes;
    pass(core, |due| due < now);
    assert_eq!(core.peer_status(), NodeStatus::Active);
    let own = config("alpha", HA_CF, AUTHKEYS, haresources);
    let poll = Poll::new().expect("a poll");
    let registry = poll.registry().try_clone().expect("descriptors are left");
    let owner = Owner::of(Path::new("/")).expect("a directory");
    let mut resources =
        Resources::new(now, &own, &owner, registry, Token(0), Limits::default()).expect("a socket");
    resources.turn(now); // looks at what is here
    let groups = own.groups.len();
    meter.measure(|| carry_out(core, &mut resources, now, groups));
    assert_eq!(present(), addresses + 1);
}

/// From the tick that finds the peer dead until so many groups have started and all is announced.
fn carry_out(core: &mut Cluster, resources: &mut Resources, now: Instant, groups: usize) {
    let mut started = 0;
    for _ in 0..TURNS {
        core.handle(now, Event::Tick);
        while let Some(action) = core.next_action() {
            match action {
                Action::StartGroup(group) => resources.start(group),
                Action::ProbeGroup(group) => resources.probe(group),
                Action::StopGroup(group) => resources.stop(group),
                _ => {}
            }
        }
        let is_last = started == groups;
        resources.turn(now); // begins what it was asked for, then announces what is here
        while let Some((group, outcome)) = resources.next_outcome() {
            started += usize::from(outcome == GroupOutcome::Started);
            core.handle(now, Event::Group { group, outcome });
        }
        if is_last {
            return;
        }
    }
    panic!("{started} of {groups} groups have started after {TURNS} turns");
}

/// When a settled node finds out that its peer has fallen silent: the same in every run.
fn moment_of_takeover(haresources: &str) -> Instant {
    let mut pair = Pair::settled(HA_CF, haresources, 30);
    let [core, _] = &mut pair.nodes;
    while core.peer_status() != NodeStatus::Dead {
        let due = core.next_deadline();
        pass(core, |next| next <= due);
        if core.peer_status() == NodeStatus::Dead {
            return due;
        }
    }
    unreachable!("it was active when it began")
}

/// The turns of the core at every deadline that `is_wanted`.
fn pass(core: &mut Cluster, is_wanted: impl Fn(Instant) -> bool) {
    let mut due = core.next_deadline();
    while is_wanted(due) {
        core.handle(due, Event::Tick);
        while core.next_action().is_some() {}
        let next = core.next_deadline();
        due = if next > due {
            next
        } else {
            due + Duration::from_micros(1)
        };
    }
}

/// How many addresses the interface has.
fn present() -> usize {
    let listed = run("ip", &["-o", "-4", "address", "show", "dev", "eth0"]).stdout;
    String::from_utf8_lossy(&listed).lines().count()
}
