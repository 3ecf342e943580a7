//! Packets that are not let in: what a flood of them costs each time.

use heartbeat::cluster::refusals::RefusalKind;
use heartbeat::cluster::{Cluster, Event, Instant, LinkId};

use super::meter::{Case, Meter};
use super::pair::{AUTHKEYS, FULL, GENERATION, HA_CF, Pair, config, core};

/// The link that they come on: a network.
const LINK: LinkId = LinkId(1);

/// One for each.
const GROUPS: &str = "alpha 10.0.0.1\nbeta 10.0.0.2\n";

/// All of these.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("reject_garbage", garbage),
        Case::new("reject_large_garbage", large_garbage),
        Case::new("reject_forged", forged),
        Case::new("reject_former_run", former_run),
        Case::new("reject_replayed", replayed),
    ]
}

fn hear(core: &mut Cluster, now: Instant, bytes: &[u8]) {
    core.handle(now, Event::Received { link: LINK, bytes });
    while core.next_action().is_some() {}
}

/// The first ones are told about.
fn refuse(meter: &mut Meter, pair: &mut Pair, bytes: &[u8], kind: RefusalKind) {
    let now = pair.now;
    let [core, _] = &mut pair.nodes;
    for _ in 0..10 {
        hear(core, now, bytes);
    }
    let before = core.refused(kind);
    meter.measure(|| hear(core, now, bytes));
    assert_eq!(core.refused(kind), before + 1, "it was refused as {kind:?}");
}

fn quiet_pair() -> Pair {
    Pair::settled(HA_CF, GROUPS, FULL)
}

/// As long as a heartbeat.
fn garbage(meter: &mut Meter, _: usize) {
    refuse(
        meter,
        &mut quiet_pair(),
        &noise(300),
        RefusalKind::Malformed,
    );
}

/// As much as one datagram of an ordinary network holds.
fn large_garbage(meter: &mut Meter, _: usize) {
    refuse(
        meter,
        &mut quiet_pair(),
        &noise(1472),
        RefusalKind::Malformed,
    );
}

/// Bytes of every value, always the same.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    bytes.take(length).collect()
}

/// Right but for the key that it was signed with.
fn forged(meter: &mut Meter, _: usize) {
    let mut pair = quiet_pair();
    let wrong = AUTHKEYS.replace("7c3f", "7c3e");
    assert_ne!(wrong, AUTHKEYS);
    let forger = config("beta", HA_CF, &wrong, GROUPS);
    pair.nodes[1] = core(pair.now, &forger, GENERATION);
    let copies = pair.next_heartbeat(1);
    let (_, bytes) = copies.last().expect("it tells that it lives");
    refuse(meter, &mut pair, bytes, RefusalKind::NotAuthentic);
}

/// A recording of an earlier run of the peer.
fn former_run(meter: &mut Meter, _: usize) {
    let mut pair = quiet_pair();
    let peer = config("beta", HA_CF, AUTHKEYS, GROUPS);
    pair.nodes[1] = core(pair.now, &peer, GENERATION - 1);
    let copies = pair.next_heartbeat(1);
    let (_, bytes) = copies.last().expect("it tells that it lives");
    refuse(meter, &mut pair, bytes, RefusalKind::Replay);
}

/// A recording of this one: for the core no more than another copy of what it knows.
fn replayed(meter: &mut Meter, _: usize) {
    let mut pair = quiet_pair();
    let old = pair.next_heartbeat(1);
    let (_, bytes) = &old[0];
    for _ in 0..100 {
        let copies = pair.next_heartbeat(1);
        let (link, bytes) = &copies[0];
        let event = Event::Received { link: *link, bytes };
        let now = pair.now;
        let [core, _] = &mut pair.nodes;
        core.handle(now, event);
        core.handle(now, Event::Tick);
        while core.next_action().is_some() {}
    }
    let now = pair.now;
    let [core, _] = &mut pair.nodes;
    let before = core.peer_memory();
    meter.measure(|| hear(core, now, bytes));
    assert_eq!(core.peer_memory(), before, "nothing of it is news");
}
