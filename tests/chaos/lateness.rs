//! Heartbeats while all groups start at once.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::{Networks, Pair, Setup, claim, stranger, wait_for};
use crate::scripts;

/// Milliseconds from one heartbeat to the next.
const KEEPALIVE: u32 = 200;
/// Half of it is what is told as late: more than a busy computer takes to let a daemon run, and less than a turn took
/// that started all children in one go.
const DEADTIME: u32 = 2000;
/// Starting four hundred resources takes seconds on two busy processors.
const STARTING: Duration = Duration::from_secs(60);

type Times = Arc<Mutex<Vec<(Instant, Vec<u8>)>>>;

/// Hears every datagram on the service network, with its time.
fn listen(networks: &Networks) -> (Machine, Times) {
    let mut host = Machine::new("listener", "listener");
    host.attach(&networks.service, "eth0", Ipv4Addr::new(10, 77, 1, 9));
    let ear = host
        .namespace
        .within(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 694)).expect("the port is free here"));
    let heard = Times::default();
    let store = Arc::clone(&heard);
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok(length) = ear.recv(&mut buffer) {
            let datagram = (Instant::now(), buffer[..length].to_vec());
            store
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(datagram);
        }
    });
    (host, heard)
}

/// The longest time between two heartbeats of a node.
fn longest_pause(heard: &Times, node: &str) -> Duration {
    let source = format!("(0)src={node},");
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    let times: Vec<Instant> = heard
        .iter()
        .filter(|(_, bytes)| stranger::contains(bytes, source.as_bytes()))
        .map(|(time, _)| *time)
        .collect();
    assert!(times.len() > 10, "hardly anything was heard of {node}");
    let pauses = times.windows(2).map(|pair| pair[1] - pair[0]);
    pauses.max().expect("more than ten")
}

#[test]
fn two_hundred_groups_that_start_at_once_delay_no_heartbeat() {
    claim(|| {
        let networks = Networks::new();
        let (_host, heard) = listen(&networks);
        let mut pair = Pair::new(
            &networks,
            Setup {
                groups: scripts::groups(Setup::default().names),
                keepalive: KEEPALIVE,
                deadtime: DEADTIME,
                ..Setup::default()
            },
        );
        for machine in [&pair.a, &pair.b] {
            scripts::install(machine);
        }
        let begun = Instant::now();
        pair.a.start();
        pair.b.start();
        let all_run = || {
            (0..scripts::GROUPS).all(|group| {
                let home = if group % 2 == 0 { &pair.a } else { &pair.b };
                (0..scripts::length(group))
                    .all(|place| scripts::runs(home, &scripts::name(group, place)))
            })
        };
        let run = wait_for(STARTING, || all_run().then_some(()));
        assert!(run.is_some(), "not all groups run");
        let pauses = [&pair.a, &pair.b].map(|machine| longest_pause(&heard, machine.name));
        println!(
            "all run after {:.1?}; longest pauses between heartbeats: {pauses:.0?}",
            begun.elapsed()
        );
        for machine in [&pair.a, &pair.b] {
            let late = machine.log().lines_with(Mark::START, "Late heartbeat");
            assert!(late.is_empty(), "{late:?}");
        }
        pair.assert_never_two_owners();
    });
}
