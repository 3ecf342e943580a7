//! What the machines of a run are made of besides their power: clocks, watchdogs and disks. Each kind is in some
//! seeds and not in others: what always happens hides what happens only without it.
//!
//! **Clocks.** The clock of a machine, by which its core measures every interval, goes up to a hundredth faster or slower
//! than the time of the world, at a rate of its own. A rule about a time that a node waits is judged by that node's own
//! clock: it can know no other. Where a rule is about what the *other* may have done meanwhile (S3), it is judged by the
//! other's clock. Where it is about how long something takes in the world, a fiftieth is added: [`Hardware::slack`].
//! The wall clock is another one: it jumps in all seeds, by [`Fault::WallJump`], and must not matter.

use super::disk::{self, DiskPlan};
use super::faults::Fault;
use super::plan::{MS, Plan, SECOND, Time};
use super::rng::Rng;
use super::watchdog;

/// Parts of a clock's rate.
const MILLION: u64 = 1_000_000;

/// Both machines.
#[derive(Debug, Clone, Copy)]
pub struct Hardware {
    /// How many microseconds each clock counts in a second.
    pub rates: [u64; 2],
    /// Which of them have a watchdog.
    pub watchdogs: [bool; 2],
    /// How many microseconds the clock of each watchdog counts in a second.
    pub watchdog_rates: [u64; 2],
    /// After this time a machine that was reset has booted and started its daemon.
    pub boot: Time,
    /// Disks that fail, where they do.
    pub disks: Option<DiskPlan>,
}

impl Default for Hardware {
    fn default() -> Self {
        Self {
            rates: [MILLION; 2],
            watchdogs: [false; 2],
            watchdog_rates: [MILLION; 2],
            boot: 2 * SECOND,
            disks: None,
        }
    }
}

impl Hardware {
    /// The rate of a machine's clock.
    pub fn rate(&self, node: usize) -> u64 {
        self.rates[node % 2]
    }

    /// What a machine's clock may count at most while so long passes in the world.
    pub fn most(&self, node: usize, span: Time) -> Time {
        let rate = self.rate(node);
        span / MILLION * rate + (span % MILLION * rate).div_ceil(MILLION)
    }

    /// What it counts at least.
    pub fn least(&self, node: usize, span: Time) -> Time {
        let rate = self.rate(node);
        span / MILLION * rate + span % MILLION * rate / MILLION
    }

    /// What a time of the world has to be longer by, where clocks are not exact.
    pub fn slack(&self, time: Time) -> Time {
        if self.rates == [MILLION; 2] {
            0
        } else {
            time / 50
        }
    }
}

/// A rate up to a hundredth off, and the extremes often.
fn random_rate(rng: &mut Rng) -> u64 {
    let most = MILLION / 100;
    let any = rng.between(MILLION - most, MILLION + most);
    rng.pick(&[MILLION - most, MILLION + most, MILLION, any])
}

impl Plan {
    /// The run that belongs to a seed with clocks that are not exact, with watchdogs, and with disks that fail.
    pub fn with_hardware(seed: u64) -> Self {
        Self::with_operator(seed).and_hardware(seed)
    }

    /// The same with failing hardware.
    pub fn and_hardware(self, seed: u64) -> Self {
        let mut plan = self;
        let rng = &mut Rng::new(seed, 12);
        plan.hardware.boot = rng.pick(&[SECOND, plan.deadtime * 2, plan.initdead * 2]);
        if rng.chance(600) {
            plan.hardware.rates = [random_rate(rng), random_rate(rng)];
            plan.hardware.watchdog_rates = [random_rate(rng), random_rate(rng)];
        }
        if rng.chance(650) {
            plan.hardware.watchdogs =
                rng.pick(&[[true; 2], [true; 2], [true, false], [false, true]]);
            watchdog::add_hangs(&mut plan, rng);
        }
        if rng.chance(500) {
            disk::add_failures(&mut plan, rng);
        }
        plan
    }

    /// Adds faults to those that are there already.
    pub fn add_faults(&mut self, more: Vec<(Time, Fault)>) {
        self.faults.extend(more);
        self.faults.sort_by_key(|&(at, _)| at);
        let last = self.faults.last().map_or(0, |&(at, _)| at);
        self.faults_end = self.faults_end.max(last + self.keepalive);
    }

    /// When things go wrong in this run.
    pub fn busy_time(&self) -> (Time, Time) {
        let begin = self.starts[0].min(self.starts[1]);
        (begin, self.faults_end.max(begin + self.deadtime * 6))
    }
}

#[test]
fn a_clock_never_shows_less_than_what_it_was_asked_to_wake_at() {
    use heartbeat::cluster::Instant;

    use super::machine::Machine;
    let keys = Plan::quiet(1).keys;
    for rate in [990_000, 999_999, MILLION, 1_000_001, 1_010_000] {
        let mut machine = Machine::new(1, 0, 7 * SECOND, keys.clone());
        machine.rate = rate;
        for now in (0..40 * SECOND).step_by(usize::try_from(317 * MS + 1).unwrap_or(1)) {
            let local = machine.local(now);
            for later in [0, 1, 7, 999, SECOND] {
                let wanted = Instant::from_micros(local.as_micros() + later);
                let at = machine.world(wanted);
                assert!(at >= now || later == 0 && at + 2 >= now);
                assert!(machine.local(at) >= wanted, "{rate} {now} {later}");
            }
        }
    }
}
