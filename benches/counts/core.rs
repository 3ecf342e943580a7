//! One step of the core: what a heartbeat costs beside its signature.

use std::time::Duration;

use heartbeat::cluster::{Action, Cluster, Event, Instant};

use super::meter::{Case, Meter};
use super::pair::{FULL, HA_CF, Pair};

/// All of these.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("core_heartbeat_received", received),
        Case::new("core_copy_received", copy_received),
        Case::new("core_heartbeat_sent", sent),
        Case::new("core_nothing_due", nothing_due),
    ]
}

fn quiet_pair() -> Pair {
    Pair::settled(HA_CF, "alpha 10.0.0.1\nbeta 10.0.0.2\n", FULL)
}

/// A turn in which something may have come, up to the last action. Gives back how many packets are to be sent.
fn step(core: &mut Cluster, now: Instant, events: &[Event<'_>]) -> usize {
    for event in events {
        core.handle(now, event.clone());
    }
    core.handle(now, Event::Tick);
    let mut packets = 0;
    while let Some(action) = core.next_action() {
        packets += usize::from(matches!(action, Action::Send(_)));
    }
    packets
}

/// The first copy of a heartbeat, in a turn of its own.
fn received(meter: &mut Meter, _: usize) {
    let mut pair = quiet_pair();
    let copies = pair.next_heartbeat(1);
    let (link, bytes) = &copies[0];
    let event = [Event::Received { link: *link, bytes }];
    let now = pair.now;
    let [core, _] = &mut pair.nodes;
    step(core, now, &[]); // its own heartbeat
    let answers = meter.measure(|| step(core, now, &event));
    assert_eq!(
        answers, 0,
        "a heartbeat that says nothing new asks for nothing"
    );
}

/// The same heartbeat by another link.
fn copy_received(meter: &mut Meter, _: usize) {
    let mut pair = quiet_pair();
    let copies = pair.next_heartbeat(1);
    let events = [0, 1].map(|copy: usize| {
        let (link, bytes) = &copies[copy];
        Event::Received { link: *link, bytes }
    });
    let now = pair.now;
    let [core, _] = &mut pair.nodes;
    step(core, now, &events[..1]);
    let answers = meter.measure(|| step(core, now, &events[1..]));
    assert_eq!(answers, 0);
}

/// A heartbeat to three links, signed.
fn sent(meter: &mut Meter, _: usize) {
    let mut pair = quiet_pair();
    let now = pair.now + Duration::from_secs(1);
    let [core, _] = &mut pair.nodes;
    let packets = meter.measure(|| step(core, now, &[]));
    assert!(packets > 0, "a heartbeat is due");
}

fn nothing_due(meter: &mut Meter, _: usize) {
    let mut pair = quiet_pair();
    let now = pair.now + Duration::from_millis(1);
    let [core, _] = &mut pair.nodes;
    let packets = meter.measure(|| step(core, now, &[]));
    assert_eq!(packets, 0);
}
