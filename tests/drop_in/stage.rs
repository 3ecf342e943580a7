//! Where a case is played: the pair, what was expected of it, and the verdict.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::net::Ipv4Addr;
use std::num::NonZero;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use crate::differences;
use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::{PATIENCE, Pair, Program, Setup, files, sandbox};
use crate::log_check;
use crate::pairing::{Media, Pairing};
use crate::recorded;

/// One case: how its pair differs from the usual one, and what is done with it.
pub struct Case {
    /// Changes the usual configuration.
    pub setup: fn(&mut Setup),
    /// Does things and states what is expected.
    pub run: fn(&mut Stage) -> Outcome,
}

/// Whether a case came to its end.
pub type Outcome = Result<(), Over>;

/// An expectation did not come true without which it makes no sense to go on.
pub struct Over;

/// The time without a heartbeat after which a node is dead.
pub const DEADTIME: Duration = Duration::from_millis(2500);

/// In milliseconds: no shorter time without a heartbeat is worth a line. A busy computer holds up 3.0.6 for a second now and
/// then, and half of `DEADTIME` is hardly more.
const WARNTIME: u32 = 2000;

/// What the machines of a pair may take for starting an address each, in scripts, while the computer is busy.
pub const SCRIPTS: Duration = Duration::from_secs(8);

/// How long something is waited for that is not expected to come.
const HOPELESS: Duration = Duration::from_secs(8);

/// How often it is looked whether something has come true: mostly with several programs, which take time from the daemons.
const LOOK: Duration = Duration::from_millis(50);

/// The pair of one case.
pub struct Stage {
    /// The machines.
    pub pair: Pair,
    /// What joins them.
    pub media: Media,
    /// What runs on them.
    pub pairing: Pairing,
    /// The case's name.
    pub case: &'static str,
    verdicts: BTreeMap<&'static str, Option<String>>,
    excused: Vec<(Instant, Instant)>,
}

/// How many times as long everything may take because others use this computer: these tests make four tasks for each
/// processor, at most.
fn overload() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let tasks: f64 = text
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(0.0);
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let usual = f64::from(u32::try_from(processors).unwrap_or(1)) * 4.0;
    (tasks / usual).max(1.0)
}

/// What may take so long on a computer that has nothing else to do than these tests, may take so long on this one now.
pub fn stretched(time: Duration) -> Duration {
    time.mul_f64(overload())
}

/// Plays a case and judges it.
pub fn play(case: &'static str, pairing: Pairing, media: Media, script: &Case) {
    let kept = recorded::directory();
    let (media, keepalive) = match kept {
        Some(_) => (Media::Quiet, 500),
        None => (media, 200),
    };
    let mut setup = Setup {
        keepalive,
        deadtime: u32::try_from(DEADTIME.as_millis()).expect("a few seconds"),
        initdead: 8000,
        groups: vec![
            "alpha IPaddr::10.77.1.100/24/eth0 disk::left".to_owned(),
            "beta IPaddr::10.77.1.101/24/eth0 disk::right".to_owned(),
        ],
        media: media.lines(),
        programs: Some(pairing.0),
        ..Setup::default()
    };
    (script.setup)(&mut setup);
    setup.warntime = Some((setup.deadtime / 2).max(WARNTIME));
    let mut stage = Stage {
        pair: Pair::alone(setup),
        media,
        pairing,
        case,
        verdicts: BTreeMap::new(),
        excused: Vec::new(),
    };
    if kept.is_some() {
        recorded::record(&mut stage.pair.a);
        recorded::record(&mut stage.pair.b);
    }
    let began = Instant::now();
    let complete = (script.run)(&mut stage).is_ok();
    println!("played for {:.1?}", began.elapsed());
    if let Some(directory) = kept {
        recorded::keep(&stage, &directory);
    }
    stage.check_owners();
    for (expectation, failure) in log_check::verdicts(&stage) {
        stage.check(expectation, failure.is_empty(), failure);
    }
    if (0..2).any(|node| stage.loses_messages(node)) {
        sandbox::excuse("a node of 3.0.6 lost a message of its own");
    }
    differences::judge(case, pairing, complete, &stage.verdicts);
}

/// What 3.0.6 says when a message that it sends to itself has arrived empty: what somebody asked for, or that it has
/// taken over. It never does the first, and says `transition` for ever without the second.
pub const LOST: &str = "msg2string: Message with zero fields";

impl Stage {
    /// Waits until something is true; the case is over when that does not happen.
    pub fn must(&mut self, expectation: &'static str, holds: impl FnMut(&Pair) -> bool) -> Outcome {
        self.must_within(PATIENCE, expectation, holds)
    }

    /// The same with a limit of its own.
    pub fn must_within(
        &mut self,
        limit: Duration,
        expectation: &'static str,
        mut holds: impl FnMut(&Pair) -> bool,
    ) -> Outcome {
        let is_hopeless = differences::is_known(self.case, self.pairing, expectation);
        let limit = if is_hopeless { HOPELESS } else { limit };
        let limit = stretched(limit);
        let end = Instant::now() + limit;
        let mut held = holds(&self.pair);
        while !held && Instant::now() < end {
            thread::sleep(LOOK);
            held = holds(&self.pair);
        }
        if held {
            self.check(expectation, true, "");
            return Ok(());
        }
        let otherwise = format!("not within {limit:?}; {}", self.state());
        self.check(expectation, false, otherwise);
        Err(Over)
    }

    /// States what must be true at this moment.
    pub fn check(&mut self, expectation: &'static str, holds: bool, otherwise: impl Display) {
        let verdict = self.verdicts.entry(expectation).or_default();
        if !holds && verdict.is_none() {
            println!("NOT TRUE: {expectation}: {otherwise}");
            *verdict = Some(otherwise.to_string());
        }
    }

    /// States how long something may have taken, on a computer that has nothing else to do than these tests.
    pub fn check_time(
        &mut self,
        expectation: &'static str,
        taken: Duration,
        bounds: Range<Duration>,
    ) {
        println!("{expectation}: {taken:.2?}");
        let bounds = bounds.start..stretched(bounds.end);
        self.check(
            expectation,
            bounds.contains(&taken),
            format!("{taken:.2?}, not {bounds:.2?}"),
        );
    }

    /// The machine of the first node (0) or the second.
    pub fn machine(&self, node: usize) -> &Machine {
        if node == 0 {
            &self.pair.a
        } else {
            &self.pair.b
        }
    }

    /// What `cl_status` says on a node.
    pub fn says(&self, node: usize, question: &[&str]) -> String {
        self.machine(node).cl_status(question)
    }

    /// The floating address of the group that prefers this node.
    pub fn address_of(&self, node: usize) -> Ipv4Addr {
        self.pair.setup.floating()[node]
    }

    /// States that a group stayed where it was, or came to its places only so many times.
    pub fn check_stays(&mut self, group: usize, times: usize) {
        let moves = self.pair.watch.moves(self.address_of(group));
        self.check(
            "what has no reason to move stays",
            moves == times,
            format!("{moves} times"),
        );
    }

    /// From then until then two nodes may have one address.
    pub fn excuse(&mut self, from: Instant, until: Instant) {
        self.excused.push((from, until));
    }

    /// Whether this node runs the original.
    pub fn is_old(&self, node: usize) -> bool {
        self.pairing.0[node] == Program::Old306
    }

    /// Whether both nodes run the original.
    pub fn is_old_alone(&self) -> bool {
        self.pairing.0 == [Program::Old306; 2]
    }

    /// The longest time that nobody held this address after it was held first.
    pub fn longest_gap(&self, address: Ipv4Addr) -> Duration {
        let gaps = self.pair.watch.gaps(address);
        gaps.iter()
            .map(|(from, until)| *until - *from)
            .max()
            .unwrap_or_default()
    }

    /// Owners and words, for whoever reads why a case failed.
    fn state(&self) -> String {
        let owners: Vec<(Ipv4Addr, Vec<usize>)> = self
            .pair
            .setup
            .floating()
            .into_iter()
            .map(|address| (address, self.pair.watch.owners(address)))
            .take(4)
            .collect();
        let words = [0, 1].map(|node| {
            let names = self.pair.setup.names;
            [
                self.says(node, &["rscstatus"]),
                self.says(node, &["nodestatus", names[0]]),
                self.says(node, &["nodestatus", names[1]]),
            ]
        });
        format!("owners {owners:?}; cl_status {words:?}")
    }

    fn loses_messages(&self, node: usize) -> bool {
        self.is_old(node) && self.machine(node).debug_log().has(Mark::START, LOST)
    }

    fn check_owners(&mut self) {
        for address in self.pair.setup.floating() {
            let mut double = self.pair.watch.double_ownership(address);
            double.retain(|double| {
                let covers =
                    |excuse: &&(Instant, Instant)| excuse.0 <= double.0 && double.1 <= excuse.1;
                self.excused.iter().find(covers).is_none()
            });
            self.check(
                "no address is ever on both nodes",
                double.is_empty(),
                format!(
                    "{address}: {:?}",
                    double.iter().map(|(a, b)| *b - *a).collect::<Vec<_>>()
                ),
            );
        }
        let violations = files::violations();
        self.check(
            "no disk is ever used by both nodes",
            violations.is_empty(),
            violations,
        );
    }
}
