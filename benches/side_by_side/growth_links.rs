//! What a resting pair costs with one link and with sixteen.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use super::lab::machine::Machine;
use super::lab::network::Switch;
use super::lab::{Networks, Pair, Program, Setup};
use super::resting::{Bytes, Cost, number};
use super::scenario;
use super::series::Series;
use super::sheet::Sheet;
use super::system::System;

/// How many there are.
const LINKS: [usize; 5] = [1, 2, 4, 8, 16];
/// Between two heartbeats.
const KEEPALIVE: Duration = Duration::from_millis(100);
/// What begins with a pair is over by then.
const SETTLING: Duration = Duration::from_secs(10);
/// A run, of which there are three.
const RUN: Duration = Duration::from_secs(10);
/// The names of the segments.
const SEGMENTS: [&str; 16] = [
    "links0", "links1", "links2", "links3", "links4", "links5", "links6", "links7", "links8",
    "links9", "links10", "links11", "links12", "links13", "links14", "links15",
];

/// Measures all of it.
pub fn measure(sheet: &mut Sheet) {
    let period = RUN * u32::try_from(scenario::runs(3)).unwrap_or(1);
    let switches = SEGMENTS.map(Switch::new);
    for links in LINKS {
        for system in sheet.systems() {
            if system != System::Keepalived {
                one(sheet, &switches, system, links, period);
            }
        }
    }
    sheet.remark("All links are networks, unicast. keepalived has one link and was not measured.");
}

/// The address of a node on one of the segments.
fn address(segment: usize, node: usize) -> Ipv4Addr {
    let segment = u8::try_from(segment).unwrap_or(u8::MAX);
    let node = u8::try_from(node).unwrap_or(u8::MAX);
    Ipv4Addr::new(10, 78, segment, node.saturating_add(1))
}

fn one(sheet: &mut Sheet, switches: &[Switch; 16], system: System, links: usize, period: Duration) {
    let [first, second, rest @ ..] = switches;
    let networks = Networks {
        service: first.clone(),
        private: second.clone(),
    };
    let media = (0..links).map(|link| {
        let [one, other] = [0, 1].map(|node| address(link, node));
        format!("ucast eth{link} {one}\nucast eth{link} {other}\n")
    });
    let mut pair = Pair::new(
        &networks,
        Setup {
            twin: String::leak(format!("-{system}-{links}")),
            service: [10, 78, 0],
            private: [10, 78, 1],
            keepalive: u32::try_from(KEEPALIVE.as_millis()).unwrap_or(u32::MAX),
            groups: vec!["alpha IPaddr::10.78.0.100/24/eth0".to_owned()],
            media: Some(String::leak(media.collect())),
            programs: (system == System::Original).then_some([Program::Old306; 2]),
            more: "debug 0\n",
            ..Setup::default()
        },
    );
    for (switch, number) in rest.iter().zip(2..links) {
        for (node, machine) in [&mut pair.a, &mut pair.b].into_iter().enumerate() {
            machine.attach(switch, &format!("eth{number}"), address(number, node));
        }
    }
    pair.serve_on_a();
    pair.watch.rest();
    thread::sleep(SETTLING);
    let daemons = [&pair.a, &pair.b].map(processes);
    let costs = Cost::of(&daemons, period);
    let of_both = |value: fn(&Cost) -> f64| Series::new(costs.iter().map(value));
    let word = if links == 1 { "link" } else { "links" };
    let mut add = |what: &str, unit, series| {
        sheet.add(
            &format!("{what}, {links:>2} {word}"),
            system,
            unit,
            series,
            &[],
        );
    };
    add(
        "processor time a minute",
        "s",
        of_both(|cost| cost.processor),
    );
    add("times woken a minute", "", of_both(|cost| cost.wakeups));
    add(
        "proportional memory",
        "KiB",
        of_both(|cost| cost.proportional),
    );
    add("processes", "", of_both(|cost| cost.processes));
    let taps = SEGMENTS.iter().take(links).enumerate();
    let taps: Vec<_> = taps
        .map(|(link, switch)| Bytes::new(switch, address(link, 0)))
        .collect();
    thread::sleep(KEEPALIVE * 30);
    let (mut all, mut of_one) = (0, 0);
    for tap in taps {
        let (heartbeats, bytes) = tap.and_then(|tap| tap.take()).expect("a tap on a segment");
        all += bytes;
        of_one = heartbeats;
    }
    add(
        "bytes a heartbeat on all links",
        "B",
        Series::new((of_one > 0).then(|| number(all) / number(of_one))),
    );
    for node in [0, 1] {
        pair.power_off(node);
    }
}

fn processes(machine: &Machine) -> Vec<i32> {
    let all = machine.namespace.processes();
    machine.program.daemon_processes(machine.pid(), &all)
}
