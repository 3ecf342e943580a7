//! The run itself, inside of the sandbox.

use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use heartbeat::os::clock;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::sys::resource::{Resource, getrlimit};

use crate::figures::Figures;
use crate::ground::Ground;
use crate::host::{self, Guard, Loads};
use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::namespace::run_script;
use crate::lab::network::Switch;
use crate::lab::{Networks, Pair, Program, Setup, files, program, sandbox, wait_for};
use crate::pressure::{self, Pressure};
use crate::report::{self, Host, Phase, Side};
use crate::tap::Tap;

/// Milliseconds, the same for both.
pub const KEEPALIVE: u32 = 100;
const WARNTIME: u32 = 250;
pub const DEADTIME: u32 = 500;
/// How long the load lasts where nothing else is asked for.
const SECONDS: u64 = 600;
/// The time without load before it is no longer than that.
const QUIET: Duration = Duration::from_secs(60);
/// How often the groups are moved under load.
const MOVES: Duration = Duration::from_secs(30);
/// How long the load takes to be there, before anything counts.
const RISE: Duration = Duration::from_secs(5);
/// How long it may take until each pair has an owner and both its nodes are settled, before the load.
const START: Duration = Duration::from_secs(60);

/// One of the two pairs.
pub struct Contest {
    /// What runs on both nodes.
    pub program: Program,
    pub pair: Pair,
    networks: [&'static str; 2],
    taps: [Tap; 2],
}

/// What was counted at one moment.
struct Reading {
    time: Duration,
    instant: Instant,
    logs: [Mark; 2],
    figures: [Figures; 2],
    moves: usize,
}

/// Prepares both pairs, goes through both phases, and judges.
pub fn run() -> Result<ExitCode, String> {
    end_with_parent();
    let ground = Ground::given()?;
    let seconds = match std::env::var("HB_LOAD_SECONDS") {
        Ok(word) => word
            .parse()
            .map_err(|_| "HB_LOAD_SECONDS is a number of seconds")?,
        Err(_) => SECONDS,
    };
    let length = Duration::from_secs(seconds);
    furnish(&ground.directory);
    sandbox::show_evidence_of_failure();
    let mut all = [Contest::new(Program::Ours)?, Contest::new(Program::Old306)?];
    let sockets = all
        .iter()
        .flat_map(Contest::log_daemons)
        .collect::<Vec<_>>();
    forget_programs();
    for contest in &mut all {
        contest.start(&ground)?;
    }
    put_others_first();
    let guard = Guard::new();
    for contest in &all {
        contest.settle()?;
    }
    let limit = getrlimit(Resource::RLIMIT_MEMLOCK).map_or(0, |(soft, _)| soft);
    println!(
        "The limit on locked memory is {} KiB for all of them.",
        limit / 1024
    );
    println!(
        "Both pairs serve. Quiet for {:?}, then {length:?} of load:",
        (length / 4).min(QUIET)
    );
    let quiet = phase(&all, &guard, (length / 4).min(QUIET), None, || true)?;
    let mut pressure = Pressure::begin(&ground, &sockets, RISE + length * 2)?;
    thread::sleep(RISE);
    let loaded = phase(&all, &guard, length, Some(MOVES.min(length / 3)), || {
        pressure.goes_on()
    })?;
    drop(pressure);
    let report = report::Report {
        seconds,
        swaps: ground.swaps,
        quiet,
        loaded,
    };
    report.print(&ground.directory)?;
    let faults = report.faults();
    for fault in &faults {
        println!("FAILED: {fault}");
    }
    if std::env::var_os("HB_LOAD_LOGS").is_some() {
        for machine in all.iter().flat_map(Contest::machines) {
            println!("---- {}\n{}", machine.name, machine.log().text());
        }
    }
    Ok(if faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        for (node, machine) in [&all[0].pair.a, &all[0].pair.b].into_iter().enumerate() {
            println!("---- the log of our node {node}");
            println!("{}", machine.log().text());
        }
        ExitCode::FAILURE
    })
}

/// The outside holds the other end of our standard input.
fn end_with_parent() {
    thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(125);
    });
}

/// The files of the machines are on the disk that is loaded, not in memory.
fn furnish(directory: &Path) {
    run_script(&format!(
        "ip link set lo up && mkdir {directory}/machines && mount --bind {directory}/machines {base}",
        directory = directory.display(),
        base = sandbox::base().display()
    ));
}

/// The group has to read both programs from the disk itself, so that what it forgets of them it has to read again.
fn forget_programs() {
    let old = fs::read_dir("/usr/lib/heartbeat/plugins/HBcomm")
        .into_iter()
        .flatten();
    let plugins = old.flatten().map(|entry| entry.path());
    let daemons = [
        program::built("heartbeat"),
        "/usr/libexec/heartbeat/heartbeat".into(),
    ];
    for path in daemons.into_iter().chain(plugins) {
        if let Ok(file) = fs::File::open(&path) {
            let _ = posix_fadvise(file.as_fd(), 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        }
    }
}

/// Wires and whoever looks at addresses do not wait for a processor: all threads here but this one.
fn put_others_first() {
    let own = nix::unistd::gettid().to_string();
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    for task in tasks.flatten() {
        let name = task.file_name().to_string_lossy().into_owned();
        if name != own {
            let _ = Command::new("chrt")
                .args(["--fifo", "--pid", "2", &name])
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// Lets both pairs go on for so long, and counts what happens.
fn phase(
    all: &[Contest; 2],
    guard: &Guard,
    length: Duration,
    moves: Option<Duration>,
    mut goes_on: impl FnMut() -> bool,
) -> Result<Phase, String> {
    let before = all.each_ref().map(Contest::read);
    let (stolen, swapped) = (host::stolen(), swapped());
    guard.latest();
    let mut loads = Loads::default();
    let begun = Instant::now();
    let mut next_move = moves;
    let mut asked = [0; 2];
    let mut halfway = None;
    while begun.elapsed() < length {
        thread::sleep(Duration::from_secs(1).min(length.saturating_sub(begun.elapsed())));
        loads.look();
        if halfway.is_none() && begun.elapsed() >= length / 2 {
            halfway = Some(all.each_ref().map(Contest::resident));
        }
        if !goes_on() {
            return Err("the load ended before its time: see what stress-ng said".to_owned());
        }
        if let Some(at) = next_move
            && begun.elapsed() >= at
        {
            next_move = moves.map(|pause| at + pause);
            for (contest, asked) in all.iter().zip(&mut asked) {
                *asked += usize::from(contest.move_group());
            }
        }
    }
    let host = Host {
        load: loads.highest(),
        standstill: guard.latest(),
        stolen: Duration::from_millis((host::stolen() - stolen) * 10),
        pages_swapped: swapped_since(swapped),
    };
    let halfway = halfway.unwrap_or_default();
    let side = |of: usize| all[of].side(&before[of], asked[of], halfway[of]);
    Ok(Phase {
        host,
        sides: [side(0), side(1)],
    })
}

/// Pages that went in and out of the swap since the computer began.
fn swapped() -> [u64; 2] {
    ["pswpin ", "pswpout "].map(|name| host::number("/proc/vmstat", name))
}

fn swapped_since(before: [u64; 2]) -> [u64; 2] {
    let [read, written] = swapped();
    [read - before[0], written - before[1]]
}

impl Contest {
    fn new(program: Program) -> Result<Self, String> {
        let (names, networks, group) = match program {
            Program::Ours => (
                ["alpha", "beta"],
                ["service", "private"],
                "alpha IPaddr::10.77.1.100/24/eth0 disk::ours",
            ),
            Program::Old306 => (
                ["gamma", "delta"],
                ["service-old", "private-old"],
                "gamma IPaddr::10.77.1.100/24/eth0 disk::old",
            ),
        };
        let [service, private] = networks.map(Switch::new);
        let pair = Pair::new(
            &Networks { service, private },
            Setup {
                names,
                keepalive: KEEPALIVE,
                deadtime: DEADTIME,
                warntime: Some(WARNTIME),
                auto_failback: Some("off"),
                groups: vec![group.to_owned()],
                programs: Some([program; 2]),
                more: "logfacility daemon\n",
                ..Setup::default()
            },
        );
        for machine in [&pair.a, &pair.b] {
            // As on a machine in use.
            let text = pair.setup.ha_cf();
            let lines = text.lines().filter(|line| !line.starts_with("debug"));
            let text: String = lines.flat_map(|line| [line, "\n"]).collect();
            files::write(&machine.file("ha.d/ha.cf"), &text, 0o644);
        }
        let [service, private] = networks.map(Tap::new);
        Ok(Self {
            program,
            pair,
            networks,
            taps: [service?, private?],
        })
    }

    fn machines(&self) -> [&Machine; 2] {
        [&self.pair.a, &self.pair.b]
    }

    /// Gives each machine a log daemon; where that listens.
    fn log_daemons(&self) -> Vec<std::path::PathBuf> {
        let each = self.machines().map(|machine| {
            let socket = machine.file("dev/log");
            pressure::log_daemon(&socket, &machine.file("syslog"));
            socket
        });
        each.into()
    }

    fn start(&mut self, ground: &Ground) -> Result<(), String> {
        let pair = &mut self.pair;
        let started = ground.group.within(|| {
            pair.a.start();
            pair.b.start();
        });
        started.map_err(|error| format!("the control group takes nobody: {error}"))
    }

    /// Waits until one node serves and both know where everything is.
    fn settle(&self) -> Result<(), String> {
        let served = wait_for(START, || {
            (self.pair.watch.owners(self.pair.address()).len() == 1).then_some(())
        });
        if served.is_none() {
            return Err(format!("{:?} does not serve", self.program));
        }
        self.pair.expect_settled();
        Ok(())
    }

    /// KiB in memory, by node.
    fn resident(&self) -> [u64; 2] {
        self.machines().map(|machine| Figures::of(machine).resident)
    }

    /// The owner of the group is asked to give it to the other node. Nobody is where both or none have it.
    fn move_group(&self) -> bool {
        let owners = self.pair.watch.owners(self.pair.address());
        if let [owner] = owners[..] {
            let mut command = self.program.command("hb_standby", true);
            command
                .arg("all")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let mut child = self.machines()[owner].namespace.spawn(&mut command);
            thread::spawn(move || child.wait());
        }
        owners.len() == 1
    }

    fn read(&self) -> Reading {
        Reading {
            time: clock::wall(),
            instant: Instant::now(),
            logs: self.pair.marks(),
            figures: self.machines().map(Figures::of),
            moves: self.pair.watch.moves(self.pair.address()),
        }
    }

    /// What happened since.
    fn side(&self, before: &Reading, moves_asked: usize, halfway: [u64; 2]) -> Side {
        let after = self.read();
        let lines = |node: usize, text: &str| {
            let log = self.machines()[node].log();
            log.lines_with(before.logs[node], text).len()
        };
        let counts = |text: &str| [lines(0, text), lines(1, text)];
        let address = |node| {
            [
                self.pair.setup.service_address(node),
                self.pair.setup.private_address(node),
            ]
        };
        let span = [before.time, after.time];
        let pauses = |node: usize| {
            let [service, private]: [Ipv4Addr; 2] = address(node);
            [
                self.taps[0].pauses(service, span),
                self.taps[1].pauses(private, span),
            ]
        };
        let double = self.pair.watch.double_ownership(self.pair.address());
        let double = double
            .into_iter()
            .filter(|(from, _)| *from >= before.instant);
        let disk = if self.program == Program::Ours {
            "ours"
        } else {
            "old"
        };
        let violations = files::violations();
        Side {
            program: self.program,
            length: after.time.saturating_sub(before.time),
            false_deaths: counts(": is dead"),
            late: counts("Late heartbeat"),
            dead_networks: [counts(":eth0 dead."), counts(":eth1 dead.")]
                .into_iter()
                .fold([0; 2], |sum, more| [sum[0] + more[0], sum[1] + more[1]]),
            dead_lines: counts(":/dev/ttyS0 dead."),
            moves_asked,
            halfway,
            moves: after.moves - before.moves,
            double: double.map(|(from, until)| until - from).collect(),
            violations: violations
                .lines()
                .filter(|line| line.contains(&format!(" {disk} ")))
                .count(),
            pauses: [pauses(0), pauses(1)],
            dropped: self.taps.iter().map(Tap::dropped).sum(),
            before: before.figures.clone(),
            after: after.figures,
            networks: self.networks,
        }
    }
}
