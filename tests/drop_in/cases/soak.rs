//! A pair at work for long: groups move now and then, and nothing else happens.
//!
//! `HB_DROP_IN_SOAK=SECONDS` plays it for so long: `HB_DROP_IN_SOAK=7200 cargo test --test drop_in -- --nocapture
//! soak::ours_and_old` shows the figures of each round while it runs. Two 3.0.6 are there to compare with.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::planned::ask;
use super::{AT_HOME, Places, both_serve};
use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::{Link, Program, sandbox};
use crate::stage::{Case, Outcome, Stage};

/// Ten heartbeats a second.
pub const SOAK: Case = Case {
    setup: |setup| {
        setup.keepalive = KEEPALIVE;
        // A busy computer holds up 3.0.6 for a second now and then. Half of this is a late heartbeat.
        setup.deadtime = 5000;
    },
    run: soak,
};

/// Milliseconds.
const KEEPALIVE: u32 = 100;

/// How long it takes unless somebody says otherwise.
const SHORT: Duration = Duration::from_secs(24);

/// The time from one move to the next where there is enough of it.
const ROUND: Duration = Duration::from_secs(60);

/// What moves, again and again: who is told what, and where the groups are then.
const MOVES: [(usize, &str, &str, Places); 6] = [
    (0, "hb_standby", "all", [1, 1]),
    (1, "hb_standby", "foreign", AT_HOME),
    (1, "hb_takeover", "all", [1, 1]),
    (0, "hb_takeover", "local", AT_HOME),
    (0, "hb_standby", "local", [1, 1]),
    (1, "hb_standby", "failback", AT_HOME),
];

/// How much more memory ours may have at the end than in the first third, in KiB. That a message out of ten leaves
/// ten bytes behind is more than this in two hours.
const GROWTH: u64 = 128;

/// A node of ours keeps so many messages to send them again, and starts with none.
const KEPT: u64 = 500;

/// KiB of one of them, in both forms, with what it takes to keep it.
const KEPT_SIZE: u64 = 2;

fn soak(stage: &mut Stage) -> Outcome {
    let period = sandbox::soak_time().unwrap_or(SHORT);
    let rounds = MOVES
        .len()
        .max(usize::try_from(period.as_secs() / ROUND.as_secs()).unwrap_or(0));
    let round_time = period / u32::try_from(rounds).expect("some thousands");
    both_serve(stage)?;
    let began = Instant::now();
    let mut memory = Vec::new();
    for (number, &(node, command, word, places)) in (1_u32..).zip(MOVES.iter().cycle().take(rounds))
    {
        let (since, before) = (Instant::now(), [0, 1].map(|node| Traffic::of(stage, node)));
        ask(stage, node, command, word, places)?;
        thread::sleep((round_time * number).saturating_sub(began.elapsed()));
        let elapsed = since.elapsed();
        for (node, before) in before.into_iter().enumerate() {
            check_traffic(stage, Traffic::of(stage, node).since(&before), elapsed);
        }
        let both = [0, 1].map(|node| memory_of(stage.machine(node)));
        println!(
            "round {number} of {rounds}: KiB {both:?}, late heartbeats {}, lost packets told {}",
            lines_with(stage, "Late heartbeat"),
            lines_with(stage, "lost packet(s) for"),
        );
        memory.push(both);
    }
    for node in 0..2 {
        if !stage.is_old(node) {
            let rounds: Vec<u64> = memory.iter().map(|both| both[node]).collect();
            check_memory(stage, &rounds, round_time);
        }
    }
    let late = lines_with(stage, "Late heartbeat");
    let is_good = late == 0 || stage.is_old_alone();
    stage.check("no heartbeat is late", is_good, format!("{late} are"));
    Ok(())
}

/// What a node has sent.
#[derive(Clone, Copy)]
struct Traffic {
    /// Packets on each network.
    packets: [u64; 2],
    /// Bytes on the serial line.
    bytes: u64,
}

impl Traffic {
    fn of(stage: &Stage, node: usize) -> Self {
        let packets = stage.machine(node).namespace.within(|| {
            let table = fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
            [Link::Eth0, Link::Eth1].map(|link| sent_packets(&table, link.name()))
        });
        Self {
            packets,
            bytes: stage.pair.modem.carried(node),
        }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            packets: [0, 1].map(|network| self.packets[network] - before.packets[network]),
            bytes: self.bytes - before.bytes,
        }
    }
}

/// The tenth number behind an interface's name.
fn sent_packets(table: &str, interface: &str) -> u64 {
    let line = table
        .lines()
        .find_map(|line| line.trim().strip_prefix(interface)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().nth(9));
    number
        .and_then(|number| number.parse().ok())
        .expect("an interface of the machine")
}

/// What the messages of one move and the announcements of two addresses may be.
const MOVE: u64 = 80;

/// The largest of the messages that are sent all the time, as text.
const MESSAGE: u64 = 260;

/// A node says on each link that it lives, once each keepalive, and acknowledges every tenth message of each node: 12
/// messages for 10 heartbeats, and a few for a move. Where messages are sent again and again there is at least one
/// more for each.
fn check_traffic(stage: &mut Stage, traffic: Traffic, elapsed: Duration) {
    let beats = beats_in(elapsed);
    let (least, most) = (beats * 8 / 10, beats * 3 / 2 + MOVE);
    println!(
        "{beats} heartbeats: sent {:?} packets and {} bytes",
        traffic.packets, traffic.bytes
    );
    stage.check(
        "a node sends its heartbeats on every network and little else",
        traffic
            .packets
            .iter()
            .all(|packets| (least..=most).contains(packets)),
        format!("{:?} packets, not {least} to {most}", traffic.packets),
    );
    stage.check(
        "a node sends its heartbeats on the serial line and little else",
        traffic.bytes <= most * MESSAGE,
        format!("{} bytes, not {}", traffic.bytes, most * MESSAGE),
    );
}

/// KiB that are the daemon's own, of all its processes: what it shares depends on what else runs on this computer.
fn memory_of(machine: &Machine) -> u64 {
    let all = match machine.program {
        Program::Ours => Vec::new(),
        Program::Old306 => machine.namespace.processes(),
    };
    let own = |pid: &i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or(0)
    };
    let processes = machine.program.daemon_processes(machine.pid(), &all);
    processes.iter().map(own).sum()
}

fn check_memory(stage: &mut Stage, rounds: &[u64], round_time: Duration) {
    let (first, rest) = rounds.split_at(rounds.len() / 3);
    let (before, after) = (first.iter().max().copied(), rest.iter().max().copied());
    let (before, after) = (before.unwrap_or(0), after.unwrap_or(0));
    let sent = beats_in(round_time) * u64::try_from(first.len()).expect("few");
    let most = before + GROWTH + KEPT.saturating_sub(sent) * KEPT_SIZE;
    println!("{before} KiB at the beginning, {after} later, at most {most}");
    stage.check(
        "our daemon's memory does not grow",
        before > 0 && after <= most,
        format!("{before} KiB at the beginning, {after} later"),
    );
}

/// How many heartbeats a node sends in this time.
fn beats_in(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("hours") / u64::from(KEEPALIVE)
}

fn lines_with(stage: &Stage, text: &str) -> usize {
    let machines = [0, 1].map(|node| stage.machine(node));
    let lines = machines.map(|machine| machine.debug_log().lines_with(Mark::START, text).len());
    lines.iter().sum()
}
