//! Two real daemons and a witness outside of them: whatever goes wrong, no address has two owners, and after each heal every
//! address is served.
//!
//! The pair has a serial line and two networks; on one of these are its floating addresses, and the [`Witness`], which
//! believes no daemon: it asks for each address fifty times a second and writes down which machine answers. An
//! episode is a handful of faults by dice, their end, and the wait until all is well. Then is judged what was heard.
//!
//! What excuses two owners is in [`crate::truth`]. Machines with a watchdog (that is: a FIFO, and someone who takes their power when it
//! is not fed) are excused by nothing but the cut of all links. Seeds take turns: an even one has watchdogs, and two in four
//! have `auto_failback on`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use crate::answers::{Moment, Overlap, overlaps, served_once};
use crate::dice::{self, Dice};
use crate::floods::Flood;
use crate::inflict::set_clock;
use crate::lab::machine::{Machine, here};
use crate::lab::namespace::{Namespace, run_script};
use crate::lab::network::Cable;
use crate::lab::usage::Usage;
use crate::lab::{Link, Networks, Pair, Setup, claim, files, sandbox, wait_for};
use crate::plan::{self, Fault, Planned};
use crate::stand_in::{self, StandIn};
use crate::tally::{Tally, UNEXPLAINED};
use crate::truth::{DEADTIME, KEEPALIVE, Truth};
use crate::witness::Witness;

/// For so long new episodes begin unless somebody says otherwise: there is one.
const SHORT: Duration = Duration::from_secs(5);
/// The seed of `make test`: a paused daemon, whose machine the watchdog resets; an unplugged cable, then the service network of
/// that machine cut; a full disk, a reload, an operator; and the groups go home.
const USUAL: u64 = 4414;
/// Within so much of the last fault's end everything is served and settled. A node that comes back while it hears nobody
/// waits for initdead, 10 seconds; then come deadtime, a heartbeat and the move.
pub const BOUND: Duration = Duration::from_secs(20);
/// The memory of a daemon stays within so many KiB of what it was at first.
const FLAT: u64 = 2048;
/// And its descriptors within so many: a client may be connected.
const FEW: usize = 3;
/// For longer than that an address may not be without owner for no reason. All of a busy computer may stand still for less.
const LONG: Duration = Duration::from_secs(1);
/// How long the watchdogs wait: the longest that the daemon accepts from a device with these times.
pub const WATCHDOG: Duration = Duration::from_secs(2);

/// The disk of the daemon's state, and the wall clock it is shown, in the directory of a machine.
pub const STATE_DISK: &str = "ha.d/state";
pub const FAKED_CLOCK: &str = "clock";

/// What a node is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its daemon runs.
    On,
    /// Its daemon was killed then.
    Killed(Moment),
    /// Its daemon stands still since then.
    Paused(Moment),
    /// Its daemon was asked to stop then.
    Stopping(Instant),
    /// Its daemon has stopped.
    Stopped,
    /// It has no power until then.
    Off(Instant),
}

/// The pair, the witness, and what was done.
pub struct Outside {
    pub pair: Pair,
    pub witness: Witness,
    pub watchdogs: Option<[StandIn; 2]>,
    pub states: [State; 2],
    /// When a daemon went on or was started again.
    pub revived: [Instant; 2],
    pub truth: Truth,
    pub tally: Tally,
    /// The faults of links in force.
    pub links_cut: Vec<Fault>,
    pub floods: Vec<Flood>,
    /// A host on both networks.
    pub flooder: Namespace,
    /// Commands that may be under way.
    pub orders: Vec<Child>,
    /// As it is between faults.
    pub ha_cf: String,
    pub fakes_clocks: bool,
    dice: Dice,
    _cables: [Cable; 2],
}

const GROUPS: [&str; 5] = [
    "alpha IPaddr::10.77.1.100/24/eth0",
    "beta IPaddr2::10.77.1.101/24/eth0",
    "alpha 10.77.1.102/24/eth0 10.77.1.103/24/eth0",
    "beta IPv6addr::fd00:77::104/64/eth0",
    "alpha IPv6addr::fd00:77::105/64/eth0 10.77.1.106/24/eth0",
];

/// All that these have.
const ADDRESSES: [&str; 7] = [
    "10.77.1.100",
    "10.77.1.101",
    "10.77.1.102",
    "10.77.1.103",
    "fd00:77::104",
    "fd00:77::105",
    "10.77.1.106",
];

#[test]
fn a_witness_outside_sees_no_two_owners_and_every_address_served_after_each_heal() {
    claim(|| {
        let period = sandbox::chaos_time().unwrap_or(SHORT);
        let began = Instant::now();
        let mut outside = Outside::new(dice::seed(USUAL));
        outside.wait_for_peace("at the beginning");
        loop {
            outside.episode();
            if began.elapsed() >= period {
                break;
            }
        }
        outside.pair.a.stop();
        outside.pair.b.stop();
        outside.tally.questions = outside.witness.asked();
        println!("{}", outside.tally);
        println!("{}", outside.tally.json(began.elapsed()));
    });
}

impl Outside {
    fn new(seed: u64) -> Self {
        let has_watchdogs = seed.is_multiple_of(2);
        let auto_failback = if (seed / 2).is_multiple_of(2) {
            "off"
        } else {
            "on"
        };
        println!("HB_CHAOS_SEED={seed}, watchdogs: {has_watchdogs}, auto_failback {auto_failback}");
        let networks = Networks::new();
        let mut pair = Pair::new(
            &networks,
            Setup {
                groups: GROUPS.map(str::to_owned).to_vec(),
                auto_failback: Some(auto_failback),
                keepalive: KEEPALIVE,
                deadtime: DEADTIME,
                ..Setup::default()
            },
        );
        let mut ha_cf = pair.setup.ha_cf();
        ha_cf = ha_cf.replace("here/ha-log", "here/logs/ha-log");
        if has_watchdogs {
            ha_cf.extend(["watchdog /dev/", stand_in::DEVICE, "\n"]);
        }
        let library = faketime();
        for machine in [&mut pair.a, &mut pair.b] {
            furnish(machine, &ha_cf, library.as_deref());
        }
        let stand_in = |machine| StandIn::new(machine, WATCHDOG);
        let watchdogs = has_watchdogs.then(|| [&pair.a, &pair.b].map(stand_in));
        let witness = Witness::new(
            &networks.service,
            ADDRESSES
                .map(|text| text.parse().expect("an address"))
                .to_vec(),
        );
        let flooder = Namespace::new(":");
        let cables = [
            networks
                .service
                .attach(&flooder, "eth0", [10, 77, 1, 60].into()),
            networks
                .private
                .attach(&flooder, "eth1", [192, 168, 9, 60].into()),
        ];
        pair.a.start();
        pair.b.start();
        Self {
            pair,
            witness,
            watchdogs,
            states: [State::On; 2],
            revived: [Instant::now(); 2],
            truth: Truth::default(),
            tally: Tally {
                seed,
                has_watchdogs,
                auto_failback,
                ..Tally::default()
            },
            links_cut: Vec::new(),
            floods: Vec::new(),
            flooder,
            orders: Vec::new(),
            ha_cf,
            fakes_clocks: library.is_some(),
            dice: Dice::new(seed),
            _cables: cables,
        }
    }

    /// The machine of a node.
    pub fn machine(&mut self, node: usize) -> &mut Machine {
        if node == 0 {
            &mut self.pair.a
        } else {
            &mut self.pair.b
        }
    }

    /// Some faults, their end, and the peace after them.
    fn episode(&mut self) {
        let began = Instant::now();
        let mut coming = plan::episode(&mut self.dice);
        let mut there: Vec<Planned> = Vec::new();
        let is_off = |state: &State| matches!(state, State::Off(_));
        while !coming.is_empty() || !there.is_empty() || self.states.iter().any(is_off) {
            let time = began.elapsed();
            let begins = coming.extract_if(.., |planned| planned.begin <= time);
            for planned in begins {
                if self.begin(planned.fault, began + planned.end) {
                    there.push(planned);
                }
            }
            there.retain(|planned| planned.end > time || !self.end(planned.fault));
            self.watch_nodes();
            thread::sleep(Duration::from_millis(5));
        }
        self.wait_for_peace("after the faults");
        self.tally.episodes += 1;
        self.judge();
    }

    fn begin(&mut self, fault: Fault, end: Instant) -> bool {
        let now = self.witness.now();
        let is_made = self.inflict(fault, end);
        if is_made {
            *self.tally.faults.entry(fault.kind()).or_default() += 1;
            self.tally.begin(fault.kind(), now);
            if fault.is_of_link() {
                self.links_cut.push(fault);
            }
        }
        is_made
    }

    fn end(&mut self, fault: Fault) -> bool {
        self.links_cut.retain(|other| *other != fault);
        let is_over = self.mend(fault);
        if is_over {
            let now = self.witness.now();
            self.tally.end(fault.kind(), now);
        }
        is_over
    }

    /// Waits until everything is served and settled.
    fn wait_for_peace(&mut self, when: &str) {
        let began = Instant::now();
        let peace = wait_for(BOUND, || {
            self.watch_nodes();
            (self.is_served().is_ok() && self.is_settled()).then_some(())
        });
        if peace.is_none() {
            let served = self.is_served();
            self.fail(&format!(
                "{when} not all is well within {BOUND:?}: {served:?}"
            ));
        }
        self.tally.slowest_heal = self.tally.slowest_heal.max(began.elapsed());
        self.expect_orders_done();
        for node in [0, 1] {
            self.expect_little_used(node);
        }
    }

    /// A daemon has no more descriptors than at first, once it has seen that the clients of a flood are gone, and about as
    /// much memory.
    fn expect_little_used(&mut self, node: usize) {
        let most = match self.tally.used[node].descriptors {
            [0, ..] => usize::MAX, // it is the first look
            [first, ..] => usize::try_from(first).unwrap_or(usize::MAX) + FEW,
        };
        let usage = wait_for(BOUND, || {
            let usage = Usage::of(self.machine(node));
            (usage.descriptors <= most).then_some(usage)
        });
        if let Some(usage) = &usage {
            self.tally.used[node].add(usage);
        }
        let [first, now, _] = self.tally.used[node].resident;
        if usage.is_none() || now > first + FLAT {
            let used = self.tally.used[node];
            self.fail(&format!("node {node} uses more and more: {used:?}"));
        }
    }

    fn is_served(&self) -> Result<(), String> {
        let count = self.witness.addresses().len();
        self.witness
            .look(|answers, latest| served_once(answers, latest, count))
    }

    /// Both nodes call each other active and all links up, and neither has anything under way.
    fn is_settled(&self) -> bool {
        let names = self.pair.setup.names;
        let machines = [(&self.pair.a, names[1]), (&self.pair.b, names[0])];
        machines.into_iter().all(|(machine, peer)| {
            let held = machine.cl_status(&["rscstatus"]);
            let is_active = |node: &&str| machine.cl_status(&["nodestatus", node]) == "active";
            let is_up =
                |link: Link| machine.cl_status(&["hblinkstatus", peer, link.name()]) == "up";
            ["none", "local", "foreign", "all"].contains(&held.as_str())
                && names.iter().all(is_active)
                && Link::ALL.into_iter().all(is_up)
        })
    }

    /// Commands of operators end when their daemon answers or is gone.
    fn expect_orders_done(&mut self) {
        let orders = &mut self.orders;
        let done = wait_for(BOUND, || {
            orders.retain_mut(|child| child.try_wait().expect("our own child").is_none());
            orders.is_empty().then_some(())
        });
        if done.is_none() {
            self.fail("a command does not end");
        }
    }

    /// Judges what was heard since the last time.
    fn judge(&mut self) {
        let excuses = self.truth.take();
        let (witness, tally) = (&self.witness, &mut self.tally);
        let (found, count) = witness.look(|answers, _| {
            let found = overlaps(answers, &excuses);
            tally.add(answers, &found);
            (found, answers.len())
        });
        let faults: Vec<&Overlap> = found.iter().filter(|each| each.excuse.is_none()).collect();
        if let Some(first) = faults.first() {
            let names = self.witness.addresses();
            self.fail(&format!(
                "{} questions show two owners, the first at {:?} for {}: {first:x?}; {excuses:?}",
                faults.len(),
                first.at,
                names[first.address],
            ));
        }
        let unexplained = self.tally.unserved.get(UNEXPLAINED);
        if unexplained.is_some_and(|time| *time > LONG) {
            self.fail("an address had no owner for no reason");
        }
        self.witness.forget(count);
    }

    /// Ends the test, and leaves what is needed to understand why where it outlives the sandbox.
    pub fn fail(&self, why: &str) -> ! {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos-witness");
        let _ = fs::create_dir_all(&directory);
        let lines = self.witness.look(|answers, _| {
            let lines = answers.iter().map(|answer| format!("{answer:x?}\n"));
            lines.collect::<String>()
        });
        let _ = fs::write(directory.join("answers"), lines);
        for machine in [&self.pair.a, &self.pair.b] {
            let log = machine
                .namespace
                .within(|| fs::read(here().join("logs/ha-log")));
            let name = format!("{}-log", machine.name);
            let _ = fs::write(directory.join(name), log.unwrap_or_default());
        }
        let recent = self.tally.spans.iter().rev().take(30).rev();
        let recent: Vec<String> = recent.map(|span| format!("{span:?}")).collect();
        panic!(
            "{why}\nnow {:?}, {:?}\n{}\n{}see {}",
            self.witness.now(),
            self.states,
            recent.join("\n"),
            self.tally,
            directory.display()
        );
    }
}

/// Gives a machine small disks for its state and its log, and a daemon that is shown another clock.
fn furnish(machine: &mut Machine, ha_cf: &str, library: Option<&Path>) {
    files::write(&machine.file("ha.d/ha.cf"), ha_cf, 0o644);
    let disks = [(STATE_DISK, "256k"), ("logs", "16m")];
    for (disk, size) in disks {
        let path = here().join(disk);
        let path = path.display();
        let script = format!("mkdir -p {path} && mount -t tmpfs -o size={size} disk {path}");
        machine.namespace.within(|| run_script(&script));
    }
    if let Some(library) = library {
        set_clock(machine, 0);
        machine.environment = vec![
            ("LD_PRELOAD", library.to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", here().join(FAKED_CLOCK)),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
        ];
    }
}

/// The library that shows programs another wall clock, where it is installed.
fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let folders = folders
        .map(|folder| folder.path())
        .chain(["/usr/lib64".into()]);
    let found = folders
        .map(|folder| folder.join("faketime/libfaketime.so.1"))
        .find(|path| path.is_file());
    if found.is_none() {
        let missing = "no clock is stepped: libfaketime is not installed (Debian: libfaketime)";
        let required = std::env::var_os("HB_TEST_REQUIRE_ALL").is_some();
        assert!(!required, "HB_TEST_REQUIRE_ALL is set, but {missing}");
        println!("{missing}");
    }
    found
}
