//! What a pair costs that has nothing to do but to say that it lives.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::bare_loop::{self, BARE_LOOP};
use super::keepalived::{Keepalived, Wanted};
use super::lab::machine::Machine;
use super::lab::network::Switch;
use super::lab::{Networks, PATIENCE, Pair, Program, Setup};
use super::resting::{Bytes, Cost, number};
use super::scenario;
use super::series::Series;
use super::sheet::{Bar, Sheet};
use super::system::System;

/// Between two heartbeats; at most so many seconds of processor time a minute.
const KEEPALIVES: [(Duration, f64); 2] = [
    (Duration::from_secs(1), 0.01),
    (Duration::from_millis(100), 0.08),
];
const PROCESSOR: &str = "processor time a minute";
/// One holds the address, the other would take it.
const NODES: [&str; 2] = ["serving", "waiting"];
/// KiB.
const MOST_MEMORY: f64 = 3.0 * 1024.0;
/// What begins with a pair is over by then: probes, first words, the lists of nodes.
const SETTLING: Duration = Duration::from_secs(10);
/// A run, of which there are six.
const RUN: Duration = Duration::from_secs(10);
/// What keepalived speaks.
const VRRP: i32 = 112;

/// Measures all of it.
pub fn measure(sheet: &mut Sheet) {
    let period = RUN * u32::try_from(scenario::runs(6)).unwrap_or(1);
    let networks = Networks {
        service: Switch::new("upkeep0"),
        private: Switch::new("upkeep1"),
    };
    for (keepalive, most) in KEEPALIVES {
        for system in sheet.systems() {
            match system {
                System::Ours | System::Original => {
                    heartbeat(sheet, &networks, system, keepalive, most, period);
                }
                System::Keepalived => keepalived(sheet, &networks, keepalive, period),
            }
        }
        bare(sheet, &networks, keepalive, period);
    }
    sheet.remark("heartbeat, both: serial 115200 and two networks; keepalived: one network, unsigned. Each holds one address.");
    sheet.remark(
        "The processor time has in it the way of what is sent through the emulated networks to the other node.",
    );
}

fn heartbeat(
    sheet: &mut Sheet,
    networks: &Networks,
    system: System,
    keepalive: Duration,
    most: f64,
    period: Duration,
) {
    let is_fast = keepalive < Duration::from_secs(1);
    let mut pair = Pair::new(
        networks,
        Setup {
            twin: match (system, is_fast) {
                (System::Original, false) => "-old",
                (System::Original, true) => "-old-fast",
                (_, false) => "-ours",
                (_, true) => "-ours-fast",
            },
            keepalive: u32::try_from(keepalive.as_millis()).unwrap_or(u32::MAX),
            deadtime: if is_fast { 1500 } else { 10_000 },
            initdead: if is_fast { 10_000 } else { 20_000 },
            groups: vec!["alpha IPaddr::10.77.1.100/24/eth0".to_owned()],
            programs: (system == System::Original).then_some([Program::Old306; 2]),
            more: "debug 0\n",
            ..Setup::default()
        },
    );
    pair.serve_on_a();
    pair.watch.rest();
    thread::sleep(SETTLING);
    let daemons = [&pair.a, &pair.b].map(processes);
    let costs = Cost::of(&daemons, period);
    add(sheet, system, keepalive, &costs, most);
    // Only now: what taps see costs whoever sends it.
    let taps = [("upkeep0", true), ("upkeep1", false)].map(|(switch, is_service)| {
        let sender = if is_service {
            pair.setup.service_address(0)
        } else {
            pair.setup.private_address(0)
        };
        Bytes::new(switch, sender)
    });
    let before = pair.modem.carried(0);
    thread::sleep(keepalive * 30);
    let serial = pair.modem.carried(0) - before;
    let mut sent = 0;
    for (link, tap) in ["broadcast", "unicast"].into_iter().zip(taps) {
        match tap.and_then(|tap| tap.take()) {
            Ok((heartbeats, bytes)) => {
                sent = heartbeats;
                add_bytes(sheet, system, keepalive, link, bytes, heartbeats);
            }
            Err(reason) => sheet.remark(format!("{system}, {link}: {reason}")),
        }
    }
    add_bytes(sheet, system, keepalive, "serial", serial, sent);
    for node in [0, 1] {
        pair.power_off(node);
    }
}

/// What is left to gain.
fn bare(sheet: &mut Sheet, networks: &Networks, keepalive: Duration, period: Duration) {
    let is_fast = keepalive < Duration::from_secs(1);
    let pair = Pair::new(
        networks,
        Setup {
            twin: if is_fast { "-bare-fast" } else { "-bare" },
            ..Setup::default()
        },
    );
    pair.watch.rest();
    let costs = bare_loop::processor(&pair, keepalive, period);
    for (node, cost) in NODES.into_iter().zip(costs) {
        let figure = figure(PROCESSOR, keepalive, node);
        sheet.add_reference(&figure, BARE_LOOP, "s", Series::new([cost]));
    }
}

fn processes(machine: &Machine) -> Vec<i32> {
    let all = machine.namespace.processes();
    machine.program.daemon_processes(machine.pid(), &all)
}

fn keepalived(sheet: &mut Sheet, networks: &Networks, keepalive: Duration, period: Duration) {
    let is_fast = keepalive < Duration::from_secs(1);
    let mut pair = Keepalived::new(
        networks,
        if is_fast {
            ["first-fast", "second-fast"]
        } else {
            ["first", "second"]
        },
        [11, 12],
        &Wanted {
            interval: keepalive,
            addresses: vec![Ipv4Addr::new(10, 77, 1, 110)],
            signed: false,
            failback: true,
        },
    );
    let since = pair.nodes[0].start();
    pair.nodes[1].start();
    let master = pair.nodes[0].line_after(since, "MASTER STATE", PATIENCE);
    assert!(master.is_some(), "keepalived did not become master");
    thread::sleep(SETTLING);
    let daemons = pair
        .nodes
        .each_ref()
        .map(super::keepalived::Node::processes);
    let costs = Cost::of(&daemons, period);
    add(sheet, System::Keepalived, keepalive, &costs, 0.0);
    match advertisements(&pair.nodes[1].machine, keepalive * 30) {
        Ok((count, bytes)) => add_bytes(
            sheet,
            System::Keepalived,
            keepalive,
            "multicast",
            bytes,
            count,
        ),
        Err(error) => sheet.remark(format!("keepalived: {error}")),
    }
    for node in &mut pair.nodes {
        node.power_off();
    }
}

/// How many advertisements come to a machine, and their bytes, from their IP headers on.
fn advertisements(machine: &Machine, period: Duration) -> std::io::Result<(u64, u64)> {
    let protocol = Some(Protocol::from(VRRP));
    let socket = machine
        .namespace
        .within(|| Socket::new(Domain::IPV4, Type::RAW, protocol))?;
    socket.set_nonblocking(true)?;
    thread::sleep(period);
    let (mut count, mut bytes) = (0, 0);
    let mut buffer = [std::mem::MaybeUninit::uninit(); 2048];
    while let Ok(length) = socket.recv(&mut buffer) {
        count += 1;
        bytes += length as u64;
    }
    Ok((count, bytes))
}

fn add(sheet: &mut Sheet, system: System, keepalive: Duration, costs: &[Cost], most: f64) {
    for (node, cost) in NODES.into_iter().zip(costs) {
        let mut add = |what: &str, unit, value, bars: &[Bar]| {
            let figure = figure(what, keepalive, node);
            let bars = if system == System::Ours { bars } else { &[] };
            sheet.add(&figure, system, unit, Series::new([value]), bars);
        };
        add(PROCESSOR, "s", cost.processor, &[Bar::Median(most)]);
        add("times woken a minute", "", cost.wakeups, &[]);
        add("context switches a minute", "", cost.switches, &[]);
        add(
            "proportional memory",
            "KiB",
            cost.proportional,
            &[Bar::Median(MOST_MEMORY)],
        );
        add("resident memory", "KiB", cost.resident, &[]);
        add("processes", "", cost.processes, &[Bar::Median(1.0)]);
        add("threads", "", cost.threads, &[]);
    }
}

fn figure(what: &str, keepalive: Duration, node: &str) -> String {
    format!("{what}, keepalive {keepalive:?}, {node}")
}

fn add_bytes(
    sheet: &mut Sheet,
    system: System,
    keepalive: Duration,
    link: &str,
    bytes: u64,
    count: u64,
) {
    let figure = format!("bytes a heartbeat, keepalive {keepalive:?}, {link}");
    let series = Series::new((count > 0).then(|| number(bytes) / number(count)));
    sheet.add(&figure, system, "B", series, &[]);
}
