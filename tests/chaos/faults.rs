//! The faults, one after the other, and the peace after them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::dice::{self, Dice};
use crate::lab::machine::Machine;
use crate::lab::{Pair, Setup, claim, sandbox, wait_for};
use crate::{events, scripts};
use scripts::Whim;

/// How long the faults go on unless somebody says otherwise.
const SHORT: Duration = Duration::from_secs(10);
/// The seed of `make test`.
const USUAL: u64 = 1;
/// How long a graceful stop may take before somebody loses his patience and pulls the plug.
const STOP_PATIENCE: Duration = Duration::from_secs(15);
/// How long it may take until everything runs again: a start that failed on both nodes is tried again after a minute, a
/// stop that failed after half of one, and each may take its whole time, with SIGTERM and SIGKILL at its end.
const HEALING: Duration = Duration::from_secs(120);

/// What a machine is at.
#[derive(Debug, Clone, Copy)]
enum Power {
    On,
    OffUntil(Instant),
    StoppingSince(Instant),
}

struct Chaos {
    pair: Pair,
    power: [Power; 2],
    dice: Dice,
    /// The longest pause between two faults, in milliseconds. After a long one there is more that can be hurt.
    pace: usize,
    /// Everything may go wrong; otherwise what would hold up the end by half a minute or more does not.
    is_long: bool,
    struck: Struck,
}

/// How often what happened.
#[derive(Debug, Default)]
struct Struck {
    whims: u32,
    children: u32,
    services: u32,
    stalls: u32,
    powers: u32,
    daemons: u32,
    stops: u32,
    moves: u32,
}

#[test]
fn after_any_faults_every_group_runs_once_and_nothing_was_out_of_order_or_on_both_nodes() {
    claim(|| {
        let seed = dice::seed(USUAL);
        let period = sandbox::chaos_time().unwrap_or(SHORT);
        let mut chaos = Chaos::new(seed, period > SHORT);
        chaos.settle("at the beginning");
        let end = Instant::now() + period;
        while Instant::now() < end {
            chaos.strike();
            let pause = chaos.dice.roll(chaos.pace);
            thread::sleep(Duration::from_millis(u64::try_from(pause).expect("few")));
        }
        let took = chaos.heal();
        let verdict = events::judge(&noted());
        println!(
            "seed {seed}, {period:?}: {:?}, {} actions, settled {took:.1?} later",
            chaos.struck, verdict.actions
        );
        if !verdict.faults.is_empty() {
            chaos.fail(&verdict.faults.join("\n"));
        }
        chaos.pair.assert_never_two_owners();
    });
}

impl Chaos {
    fn new(seed: u64, is_long: bool) -> Self {
        let mut dice = Dice::new(seed);
        let auto_failback = dice.pick(&["on", "off"]);
        let pace = dice.pick(&[150, 400, 1500]);
        println!("HB_CHAOS_SEED={seed}, auto_failback {auto_failback}, pauses up to {pace} ms");
        let limits = "timeout work start 3\ntimeout work stop 3\ntimeout work status 3\n";
        let more = format!("{limits}{}", scripts::monitors());
        let mut pair = Pair::alone(Setup {
            groups: scripts::groups(Setup::default().names),
            auto_failback: Some(auto_failback),
            keepalive: 300,
            deadtime: 3000,
            more: Box::leak(more.into_boxed_str()),
            ..Setup::default()
        });
        for machine in [&pair.a, &pair.b] {
            scripts::install(machine);
        }
        pair.a.start();
        pair.b.start();
        Self {
            pair,
            power: [Power::On; 2],
            dice,
            pace,
            is_long,
            struck: Struck::default(),
        }
    }

    fn machine(&mut self, node: usize) -> &mut Machine {
        if node == 0 {
            &mut self.pair.a
        } else {
            &mut self.pair.b
        }
    }

    /// The next fault, and what those before it have left to do.
    fn strike(&mut self) {
        for node in [0, 1] {
            self.go_on(node);
        }
        let node = self.dice.roll(2);
        match self.dice.roll(100) {
            0..48 => self.give_whims(node),
            48..70 => self.kill_children(node),
            70..76 => self.end_service(node),
            76..80 => self.stall_daemon(node),
            80..87 => self.kill_daemon(node),
            87..93 => self.take_power(node),
            93..96 => self.stop(node),
            _ => self.ask_for_a_move(node),
        }
    }

    /// Gives a machine its power back when it is time, starts a daemon that has stopped, and sees to it that no other ends.
    fn go_on(&mut self, node: usize) {
        match self.power[node] {
            Power::On => {
                let ended = self.machine(node).ended_within(Duration::ZERO);
                if let Some(status) = ended {
                    self.fail(&format!("the daemon of node {node} ended with {status}"));
                }
            }
            Power::OffUntil(until) if until <= Instant::now() => self.return_power(node),
            Power::OffUntil(_) => {}
            Power::StoppingSince(since) => {
                if self.machine(node).ended_within(Duration::ZERO).is_some() {
                    self.machine(node).start();
                    self.power[node] = Power::On;
                } else if since.elapsed() > STOP_PATIENCE {
                    self.take_power(node);
                }
            }
        }
    }

    fn return_power(&mut self, node: usize) {
        self.pair.power_on(node);
        self.power[node] = Power::On;
    }

    fn give_whims(&mut self, node: usize) {
        for _ in 0..6 {
            let group = self.dice.roll(scripts::GROUPS);
            let place = self.dice.roll(scripts::length(group));
            let action = self.dice.pick(&scripts::ACTIONS);
            let whim = self.dice.pick(&Whim::ALL);
            let is_benign = matches!(whim, Whim::Fork | Whim::Garbage | Whim::Slow);
            let holds_up = match action {
                "stop" => matches!(whim, Whim::Hang | Whim::Deaf),
                "start" => !is_benign && group / 2 % 2 != node, // else it could fail on both nodes
                _ => false,
            };
            if holds_up && !self.is_long {
                continue;
            }
            let name = scripts::name(group, place);
            scripts::give(self.machine(node), &name, action, whim);
            self.struck.whims += 1;
        }
    }

    fn kill_children(&mut self, node: usize) {
        if matches!(self.power[node], Power::OffUntil(_)) {
            return;
        }
        let machine = self.machine(node);
        let daemon = machine.pid();
        let mut children = machine.namespace.processes();
        children.retain(|pid| *pid != daemon);
        for _ in 0..3.min(children.len()) {
            let child = self.dice.pick(&children);
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
            self.struck.children += 1;
        }
    }

    /// A service that is watched ends while nobody wants it to.
    fn end_service(&mut self, node: usize) {
        let service = scripts::name(self.dice.roll(scripts::WATCHED), 0);
        let machine = self.machine(node);
        if scripts::runs(machine, &service) {
            scripts::end(machine, &service);
            self.struck.services += 1;
        }
    }

    /// Halts the daemon for a while, but not for so long that the other node takes over.
    fn stall_daemon(&mut self, node: usize) {
        if !matches!(self.power[node], Power::OffUntil(_)) {
            let pause = u64::try_from(self.dice.roll(1000)).expect("few");
            let machine = self.machine(node);
            machine.signal(Signal::SIGSTOP);
            thread::sleep(Duration::from_millis(pause));
            machine.signal(Signal::SIGCONT);
            self.struck.stalls += 1;
        }
    }

    /// Kills the daemon alone; it is started again at once.
    fn kill_daemon(&mut self, node: usize) {
        if matches!(self.power[node], Power::On) {
            let machine = self.machine(node);
            machine.kill_daemon();
            machine.start();
            self.struck.daemons += 1;
        }
    }

    fn take_power(&mut self, node: usize) {
        if matches!(self.power[node], Power::OffUntil(_)) {
            return;
        }
        self.pair.power_off(node);
        let line = format!("0 {} - crash - -\n", self.machine(node).name);
        note(&line);
        let pause = u64::try_from(self.dice.roll(6000)).expect("few");
        self.power[node] = Power::OffUntil(Instant::now() + Duration::from_millis(pause));
        self.struck.powers += 1;
    }

    fn stop(&mut self, node: usize) {
        if matches!(self.power[node], Power::On) {
            self.machine(node).request_stop();
            self.power[node] = Power::StoppingSince(Instant::now());
            self.struck.stops += 1;
        }
    }

    fn ask_for_a_move(&mut self, node: usize) {
        if matches!(self.power[node], Power::On) {
            let command = self.dice.pick(&["hb_standby", "hb_takeover"]);
            let what = self.dice.pick(&["all", "local", "foreign"]);
            self.machine(node).command(command, &["--no-wait", what]);
            self.struck.moves += 1;
        }
    }

    /// No more faults; how long it took until all was well.
    fn heal(&mut self) -> Duration {
        let began = Instant::now();
        for node in [0, 1] {
            scripts::reform(self.machine(node));
            if matches!(self.power[node], Power::OffUntil(_)) {
                self.return_power(node);
            }
        }
        let back = wait_for(HEALING, || {
            for node in [0, 1] {
                self.go_on(node);
            }
            let is_on = |power: &Power| matches!(power, Power::On);
            self.power.iter().all(is_on).then_some(())
        });
        if back.is_none() {
            self.fail("a node does not stop");
        }
        self.settle("after the faults");
        began.elapsed()
    }

    /// Waits until every group runs on one node.
    fn settle(&self, when: &str) {
        if wait_for(HEALING, || self.is_settled().then_some(())).is_none() {
            let amiss: Vec<String> = (0..scripts::GROUPS)
                .filter(|group| !self.runs_once(*group))
                .map(|group| group.to_string())
                .collect();
            self.fail(&format!(
                "{when} not all is well within {HEALING:?}; groups that do not run once: {}",
                amiss.join(" ")
            ));
        }
    }

    fn is_settled(&self) -> bool {
        (0..scripts::GROUPS).all(|group| self.runs_once(group))
            && [&self.pair.a, &self.pair.b].into_iter().all(|machine| {
                let held = machine.cl_status(&["rscstatus"]);
                let names = self.pair.setup.names;
                ["none", "local", "foreign", "all"].contains(&held.as_str())
                    && names
                        .iter()
                        .all(|node| machine.cl_status(&["nodestatus", node]) == "active")
            })
    }

    /// All of it on one node, nothing of it on the other.
    fn runs_once(&self, group: usize) -> bool {
        let length = scripts::length(group);
        let count = |machine: &Machine| {
            let names = (0..length).map(|place| scripts::name(group, place));
            names.filter(|name| scripts::runs(machine, name)).count()
        };
        let [here, there] = [&self.pair.a, &self.pair.b].map(count);
        (here, there) == (length, 0) || (here, there) == (0, length)
    }

    /// Ends the test, and leaves what is needed to understand why where it outlives the sandbox.
    fn fail(&self, why: &str) -> ! {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos");
        let _ = fs::create_dir_all(&directory);
        let _ = fs::copy(scripts::events(), directory.join("events"));
        for machine in [&self.pair.a, &self.pair.b] {
            let log = directory.join(format!("{}-log", machine.name));
            let _ = fs::copy(machine.file("ha-log"), log);
        }
        panic!("{why}\n{:?}; see {}", self.struck, directory.display());
    }
}

fn noted() -> String {
    fs::read_to_string(scripts::events()).expect("scripts have written to it")
}

fn note(line: &str) {
    let file = fs::OpenOptions::new().append(true).open(scripts::events());
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    written.expect("scripts have made it");
}
