//! A table of stalls: a daemon or a machine stands still for a while, shorter or longer than deadtime, and the [`Witness`] outside
//! writes down who answers for the address meanwhile and afterwards.
//!
//! `make test` tries one stall of each kind that is longer than deadtime; `make stalls` all lengths, up to `HB_STALLS`
//! seconds, and prints the table, each row also as JSON. What is claimed of a row is in [`Stall::judge`]. Whole machines with
//! clocks of their own are in `tests/vm`.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::answers::{Mac, Moment, served_once};
use crate::freezer::Freezer;
use crate::lab::machine::Machine;
use crate::lab::network::Failure;
use crate::lab::null_modem::Line;
use crate::lab::{Link, Networks, Pair, Setup, claim, files, sandbox, wait_for};
use crate::outside::{BOUND, WATCHDOG};
use crate::stand_in::{self, StandIn};
use crate::truth::{AFTER_PAUSE, DEADTIME, KEEPALIVE, SILENCE};
use crate::witness::{ROUND, Witness, hardware};

/// Of `make test`.
const FEW: [Duration; 1] = [Duration::from_secs(5)];
/// Of `make stalls`, in milliseconds, as far as they are not too long.
const MANY: [u64; 12] = [
    10, 100, 500, 1_000, 2_000, 2_900, 3_500, 5_000, 10_000, 30_000, 60_000, 600_000,
];
/// Asks for the freezer instead of a signal.
const BY_FREEZER: &str = "HB_STALLS_BY_FREEZER";
/// The longest for a node that holds nothing: there is less to see.
const LONGEST_OF_OTHER: Duration = Duration::from_secs(30);
/// By then a node whose peer is silent has taken over: deadtime, a heartbeat, the move, and a busy computer.
const TAKEN: Duration = Duration::from_millis((DEADTIME + KEEPALIVE + 1500) as u64);
/// So many questions decide who serves, and the answers to some of them are still on their way.
const ENOUGH: u64 = 40;
/// A machine that was reset is back after so long.
const REBOOT: Duration = Duration::from_secs(1);

/// What makes it stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The daemon is stopped; the kernel goes on and answers for what is on the machine.
    Signal,
    /// The same by the freezer of its control group, which the daemon does not see in any way.
    Freezer,
    /// All of the machine: its daemon stands still and nothing leaves it.
    Machine,
    /// The daemon is stopped, and its watchdog resets the machine.
    Watchdog,
}

impl By {
    const fn name(self) -> &'static str {
        match self {
            Self::Signal => "SIGSTOP",
            Self::Freezer => "cgroup freezer",
            Self::Machine => "whole machine",
            Self::Watchdog => "SIGSTOP, with a watchdog",
        }
    }

    /// While it lasts the machine answers for what it holds, whatever the other node does: no daemon can help that.
    const fn goes_on_answering(self) -> bool {
        matches!(self, Self::Signal | Self::Freezer)
    }
}

#[test]
fn a_daemon_that_stood_still_gives_up_before_it_says_anything() {
    claim(|| {
        table(match std::env::var_os(BY_FREEZER) {
            None => By::Signal,
            Some(_) => By::Freezer,
        });
    });
}

#[test]
fn a_machine_that_stood_still_gives_up_before_it_says_anything() {
    claim(|| table(By::Machine));
}

#[test]
fn a_machine_whose_daemon_stands_still_is_reset_before_the_other_answers() {
    claim(|| table(By::Watchdog));
}

/// Goes through all lengths, with the machine that owns the address and then with the other.
fn table(by: By) {
    let longest = sandbox::longest_stall();
    let lengths: Vec<Duration> = match longest {
        None => FEW.to_vec(),
        Some(longest) => {
            let all = MANY.into_iter().map(Duration::from_millis);
            all.filter(|length| *length <= longest).collect()
        }
    };
    let mut bench = Bench::new(by);
    println!(
        "| by | who, for | during / deadtime | answered meanwhile | answered after | both answered, ms: meanwhile | after | one owner after, ms | the sleeper said first |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for of_owner in [true, false] {
        for length in &lengths {
            // One of each is enough for those who wait for it.
            let is_tried = of_owner || (longest.is_some() && *length <= LONGEST_OF_OTHER);
            if is_tried {
                let stall = bench.stall(of_owner, *length);
                println!("{}\n{}", stall.row(), stall.json());
                stall.judge();
            }
        }
    }
    bench.finish();
}

/// A pair with one address, and the witness.
struct Bench {
    by: By,
    pair: Pair,
    witness: Witness,
    hardware: [Mac; 2],
    watchdogs: Option<[StandIn; 2]>,
    freezers: Option<[Freezer; 2]>,
}

/// One stall, and what was seen of it.
#[derive(Debug)]
struct Stall {
    by: By,
    of_owner: bool,
    length: Duration,
    was_reset: bool,
    /// Who answered while it lasted, and afterwards; the first is the one that owned the address.
    meanwhile: [bool; 2],
    after: [bool; 2],
    both_meanwhile: Duration,
    both_after: Duration,
    one_owner_after: Duration,
    /// The lines of the sleeper from its awakening on.
    said: Vec<String>,
}

impl Bench {
    fn new(by: By) -> Self {
        let networks = Networks::new();
        let mut pair = Pair::new(
            &networks,
            Setup {
                keepalive: KEEPALIVE,
                deadtime: DEADTIME,
                auto_failback: Some("off"),
                groups: vec!["alpha IPaddr::10.77.1.100/24/eth0".to_owned()],
                ..Setup::default()
            },
        );
        let watchdogs = (by == By::Watchdog).then(|| {
            let text = format!("{}watchdog /dev/{}\n", pair.setup.ha_cf(), stand_in::DEVICE);
            [&pair.a, &pair.b].map(|machine| {
                files::write(&machine.file("ha.d/ha.cf"), &text, 0o644);
                StandIn::new(machine, WATCHDOG)
            })
        });
        let witness = Witness::new(&networks.service, vec![pair.address().into()]);
        pair.serve_on_a();
        let hardware = [&pair.a, &pair.b].map(|machine| hardware(&machine.namespace));
        let freezers = (by == By::Freezer).then(|| [&pair.a, &pair.b].map(Freezer::new));
        let bench = Self {
            by,
            pair,
            witness,
            hardware,
            watchdogs,
            freezers,
        };
        bench.owner_at_peace();
        bench
    }

    fn machine(&self, node: usize) -> &Machine {
        [&self.pair.a, &self.pair.b][node]
    }

    /// Waits until one machine alone answers and both daemons are settled; which one.
    fn owner_at_peace(&self) -> usize {
        let served = wait_for(BOUND, || {
            let look = |answers: &[_], latest| served_once(answers, latest, 1);
            self.witness.look(look).ok()
        });
        assert!(
            served.is_some(),
            "no single machine answers for the address"
        );
        self.pair.expect_settled();
        let last = self
            .witness
            .look(|answers, _| answers.last().map(|answer| answer.by));
        let owner = self.hardware.iter().position(|mac| Some(*mac) == last);
        owner.expect("one of the two answered last")
    }

    /// Waits until so much was asked that nothing of before now counts for peace.
    fn wait_for_questions(&self) {
        let enough = self.witness.asked() + ENOUGH;
        let asked = || (self.witness.asked() >= enough).then_some(());
        assert!(wait_for(BOUND, asked).is_some(), "the witness does not ask");
    }

    /// One stall of so long, and everything until there is peace again.
    fn stall(&mut self, of_owner: bool, length: Duration) -> Stall {
        let owner = self.owner_at_peace();
        let node = if of_owner { owner } else { 1 - owner };
        let count = self.witness.look(|answers, _| answers.len());
        self.witness.forget(count);
        let begin = self.witness.now();
        let (began, mark) = (Instant::now(), self.machine(node).log().mark());
        self.hold(node);
        let mut was_reset = false;
        while began.elapsed() < length && !was_reset {
            thread::sleep(Duration::from_millis(2).min(length.saturating_sub(began.elapsed())));
            was_reset = self
                .watchdogs
                .as_ref()
                .is_some_and(|both| both[node].fired());
        }
        if was_reset {
            self.pair.power_off(node);
            thread::sleep(length.saturating_sub(began.elapsed()).max(REBOOT));
            if let Some(both) = &self.watchdogs {
                both[node].reset();
            }
        }
        let (awake, mark) = if was_reset {
            let awake = self.witness.now();
            self.pair.power_on(node);
            (awake, mark)
        } else {
            let mark = self.machine(node).log().mark();
            (self.go(node), mark)
        };
        self.wait_for_questions();
        self.owner_at_peace();
        let said = self.machine(node).log().since(mark);
        let answers = Answers::new(self, owner, begin, awake);
        Stall {
            by: self.by,
            of_owner,
            length: awake.saturating_sub(begin),
            was_reset,
            meanwhile: answers.who(begin, awake),
            after: answers.who(awake, Moment::MAX),
            both_meanwhile: answers.both(begin, awake),
            both_after: answers.both(awake, Moment::MAX),
            one_owner_after: answers.one_owner_after(awake),
            said,
        }
    }

    fn hold(&self, node: usize) {
        match (&self.freezers, self.by) {
            (Some(freezers), _) => freezers[node].set(true),
            (None, By::Machine) => {
                self.machine(node).cut_all(Failure::Silent);
                self.pair.modem.set(node, Line::Broken);
                self.pair.modem.set(1 - node, Line::Stalled); // it does not say that it is clear to send
                self.machine(node).signal_all(Signal::SIGSTOP);
            }
            (None, _) => self.machine(node).signal_all(Signal::SIGSTOP),
        }
    }

    /// Lets it go on; from when on.
    fn go(&self, node: usize) -> Moment {
        if self.by == By::Machine {
            // What takes the longest first: from the last cable on the machine answers.
            self.pair.restore(Link::Serial);
            self.pair.restore(Link::Eth1);
        }
        let awake = self.witness.now();
        if self.by == By::Machine {
            self.pair.restore(Link::Eth0);
        }
        if let Some(freezers) = &self.freezers {
            freezers[node].set(false);
        } else {
            self.machine(node).signal_all(Signal::SIGCONT);
        }
        awake
    }

    fn finish(&mut self) {
        self.pair.a.stop();
        self.pair.b.stop();
    }
}

/// By question: when it was asked and whether the first owner and the other answered it.
struct Answers(Vec<(Moment, [bool; 2])>);

impl Answers {
    fn new(bench: &Bench, owner: usize, begin: Moment, awake: Moment) -> Self {
        let mut all = BTreeMap::new();
        bench.witness.look(|answers, _| {
            for answer in answers.iter().filter(|answer| answer.asked >= begin) {
                let (_, by) = all
                    .entry(answer.question)
                    .or_insert((answer.asked, [false; 2]));
                by[usize::from(answer.by != bench.hardware[owner])] = true;
            }
        });
        assert!(
            all.values().any(|(asked, _)| *asked >= awake),
            "the witness heard nobody"
        );
        Self(all.into_values().collect())
    }

    fn within(&self, from: Moment, until: Moment) -> impl Iterator<Item = &(Moment, [bool; 2])> {
        let all = self.0.iter();
        all.filter(move |(asked, _)| (from..until).contains(asked))
    }

    fn who(&self, from: Moment, until: Moment) -> [bool; 2] {
        [0, 1].map(|each| self.within(from, until).any(|(_, by)| by[each]))
    }

    fn both(&self, from: Moment, until: Moment) -> Duration {
        let count = self.within(from, until).filter(|(_, by)| *by == [true; 2]);
        ROUND * u32::try_from(count.count()).unwrap_or(u32::MAX)
    }

    /// From then to the last answer of whoever does not have it in the end.
    fn one_owner_after(&self, awake: Moment) -> Duration {
        let owner = self.0.last().map(|(_, by)| usize::from(by[1]));
        let loser = 1 - owner.unwrap_or(0);
        let of_loser = self.within(awake, Moment::MAX).filter(|(_, by)| by[loser]);
        let last = of_loser.last().map(|(asked, _)| *asked + ROUND);
        last.map_or(Duration::ZERO, |last| last.saturating_sub(awake))
    }
}

impl Stall {
    /// What is claimed, and ends the test where it is not so.
    fn judge(&self) {
        let fault = |what: &str| panic!("{what}: {self:#?}");
        if self.said.iter().any(|line| line.contains(": is dead")) {
            fault("a node that slept takes the other for dead");
        }
        if self.both_after > AFTER_PAUSE {
            fault("two owners after it went on");
        }
        if !self.by.goes_on_answering() && !self.both_meanwhile.is_zero() {
            fault("two owners");
        }
        let moved = self.after[1] || self.meanwhile[1];
        if moved && (!self.of_owner || self.length < SILENCE) {
            fault("the address moved although its owner was never silent for deadtime");
        }
        if self.of_owner && self.length >= TAKEN && !moved {
            fault("nobody took over");
        }
        if self.by == By::Watchdog && self.length > WATCHDOG * 2 && !self.was_reset {
            fault("the watchdog did not reset the machine");
        }
    }

    fn who(by: [bool; 2]) -> &'static str {
        match by {
            [true, true] => "owner and other",
            [true, false] => "owner",
            [false, true] => "other",
            [false, false] => "nobody",
        }
    }

    /// Without date, node and process.
    fn first_words(&self) -> &str {
        let first = self.said.first().map_or("nothing", String::as_str);
        let words = first.split_once("]: ").map_or(first, |(_, rest)| rest);
        words.split_once("]: ").map_or(words, |(_, rest)| rest)
    }

    fn whose(&self) -> &'static str {
        if self.of_owner { "owner" } else { "other" }
    }

    fn row(&self) -> String {
        format!(
            "| {}{} | {}, {:.2} s | {:.2} | {} | {} | {} | {} | {} | {} |",
            self.by.name(),
            if self.was_reset { ": reset" } else { "" },
            self.whose(),
            self.length.as_secs_f64(),
            self.length.as_secs_f64() * 1000.0 / f64::from(DEADTIME),
            Self::who(self.meanwhile),
            Self::who(self.after),
            self.both_meanwhile.as_millis(),
            self.both_after.as_millis(),
            self.one_owner_after.as_millis(),
            self.first_words(),
        )
    }

    fn json(&self) -> String {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        serde_json::json!({
            "by": self.by.name(),
            "whose": self.whose(),
            "length_ms": millis(self.length),
            "deadtime_ms": DEADTIME,
            "reset": self.was_reset,
            "answered_meanwhile": Self::who(self.meanwhile),
            "answered_after": Self::who(self.after),
            "both_meanwhile_ms": millis(self.both_meanwhile),
            "both_after_ms": millis(self.both_after),
            "one_owner_after_ms": millis(self.one_owner_after),
            "said_first": self.first_words(),
        })
        .to_string()
    }
}
