//! Everything that can go wrong, and how a seed makes a timetable of it.

use super::disk::Room;
use super::old_peer::Command;
use super::plan::{Plan, Time};
use super::reloads::Edition;
use super::rng::Rng;

/// One thing that happens to the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// One direction of one link changes.
    Wire {
        link: usize,
        from: usize,
        weather: Weather,
    },
    /// All links in both directions are cut.
    Partition,
    /// All links work as at the beginning.
    HealLinks,
    /// The machine loses power: daemon and resources are gone.
    MachineCrash(usize),
    /// The daemon is killed; what it started runs on.
    DaemonCrash(usize),
    /// Power on when it is off, and start the daemon when it does not run.
    Start(usize),
    /// The operator stops the daemon.
    StopRequest(usize),
    /// The daemon does not run for a while; what arrives meanwhile waits.
    Stall(usize, Time),
    /// The next turn of the daemon takes so long behind its timers, and what comes after it so long again.
    HeldUp {
        node: usize,
        turn: Time,
        again: Time,
    },
    /// Both machines stand still, as guests of one host do.
    StallBoth(Time),
    /// The wall clock of a machine jumps by so many seconds.
    WallJump(usize, i64),
    /// The administrator lets the other key of `authkeys` sign.
    Rekey(usize),
    /// Random bytes arrive at a machine.
    Garbage { to: usize, count: u32 },
    /// Nothing that runs on the machine works any more, as its monitors find.
    Break(usize),
    /// A ping node begins or ceases to answer a machine.
    PingNode {
        machine: usize,
        ping: usize,
        answers: bool,
    },
    /// The network of all floating addresses is plugged in at a machine, or unplugged.
    Plug { machine: usize, is_in: bool },
    /// Somebody changes the files of a machine, or tries once more, and has its daemon read them.
    Reload(usize, Option<Edition>),
    /// The disk of a machine fills up, can't be written any more, or is well again.
    Disk(usize, Room),
    /// The operator moves groups, where the node runs 3.0.6.
    Command(usize, Command),
    /// The operator says that the other machine is down, if he sees that it has no power.
    ConfirmDead(usize),
    /// The operator switches maintenance on, for so long where that is said, or off.
    Maintenance {
        node: usize,
        is_on: bool,
        lasts: Option<Time>,
    },
    /// Datagrams recorded earlier arrive again, from all of the run so far.
    Replay { to: usize, count: u32 },
}

/// What a direction of a link does to what travels along it; in a thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weather {
    /// Nothing arrives.
    pub cut: bool,
    /// Lost.
    pub loss: u64,
    /// Arriving twice.
    pub duplication: u64,
    /// Arriving with a bit turned or the end missing.
    pub corruption: u64,
    /// More delay for everything.
    pub extra_delay: Time,
    /// More jitter for everything: reorders.
    pub extra_jitter: Time,
}

impl Weather {
    /// Nothing gets through.
    pub const CUT: Self = Self {
        cut: true,
        loss: 0,
        duplication: 0,
        corruption: 0,
        extra_delay: 0,
        extra_jitter: 0,
    };

    fn random(rng: &mut Rng, plan: &Plan) -> Self {
        if rng.chance(450) {
            return Self::CUT;
        }
        Self {
            cut: false,
            loss: rng.pick(&[0, 20, 200, 500]),
            duplication: rng.pick(&[0, 0, 200]),
            corruption: rng.pick(&[0, 0, 100, 1000]),
            extra_delay: rng.pick(&[0, 0, plan.keepalive / 2, plan.deadtime]),
            extra_jitter: rng.pick(&[0, 0, plan.keepalive, plan.deadtime / 2]),
        }
    }
}

/// Fills in the faults of a plan: some disasters at random times, most of them undone after a while.
pub fn schedule(plan: &mut Plan, rng: &mut Rng) {
    let begin = plan.starts[0].min(plan.starts[1]);
    // Half of the runs begin quietly, the others are hit while the nodes get to know each other.
    let calm = if rng.chance(500) {
        plan.deadtime * 2
    } else {
        0
    };
    plan.faults = disasters(plan, rng, begin + calm);
    plan.faults_end = plan.faults.last().map_or(begin, |&(at, _)| at) + plan.keepalive;
}

/// Some more of them from this time on.
pub fn go_on(plan: &mut Plan, rng: &mut Rng, begin: Time) {
    let more = disasters(plan, rng, begin);
    plan.faults.extend(more);
    plan.faults.sort_by_key(|&(at, _)| at);
    let last = plan.faults.last().map_or(begin, |&(at, _)| at);
    plan.faults_end = last + plan.keepalive;
}

/// Up to six, in order.
fn disasters(plan: &Plan, rng: &mut Rng, begin: Time) -> Vec<(Time, Fault)> {
    let span = plan.deadtime * rng.between(4, 12);
    let mut faults = Vec::new();
    for _ in 0..rng.between(1, 6) {
        let at = begin + rng.below(span);
        // Around deadtime everything is interesting: much shorter, a little to both sides, much longer.
        let long = match rng.below(4) {
            // More numbers are lost than can be asked for, or are kept.
            0 if rng.chance(30) => plan.keepalive * rng.between(250, 700),
            0 => rng.below(plan.keepalive * 2),
            1 => plan.deadtime * rng.between(80, 120) / 100,
            _ => rng.between(plan.deadtime, plan.deadtime * 4),
        };
        disaster(plan, rng, at, long, &mut faults);
    }
    faults.sort_by_key(|&(at, _)| at);
    faults
}

/// Adds ping nodes, and times when they are not seen from one machine, or from both.
pub fn silence_pings(plan: &mut Plan, rng: &mut Rng) {
    plan.pings = rng.pick(&[1, 1, 2, 3]);
    plan.deadping = plan.keepalive * rng.between(3, 8);
    plan.ping_loss = rng.pick(&[0, 0, 50, 200]);
    let begin = plan.starts[0].min(plan.starts[1]);
    let end = plan.faults_end.max(begin + plan.deadtime * 6);
    for _ in 0..rng.between(1, 5) {
        let at = rng.between(begin, end);
        let until = at + rng.below(plan.deadping * 5);
        let ping = rng.index(plan.pings);
        let one = rng.index(2);
        let machines = rng.pick(&[&[0, 1][..], &[0][..], &[1][..]]);
        for &machine in machines {
            // Both, but not always in the same moment.
            let late = if machine == one {
                0
            } else {
                rng.below(plan.keepalive)
            };
            for (at, answers) in [(at + late, false), (until + late, true)] {
                let fault = Fault::PingNode {
                    machine,
                    ping,
                    answers,
                };
                plan.faults.push((at, fault));
            }
        }
    }
    plan.faults.sort_by_key(|&(at, _)| at);
    let last = plan.faults.last().map_or(0, |&(at, _)| at);
    plan.faults_end = plan.faults_end.max(last + plan.keepalive);
}

/// Adds an operator who looks after a node whose peer lies dark.
pub fn confirm_deaths(plan: &mut Plan, rng: &mut Rng) {
    for (at, fault) in plan.faults.clone() {
        if let (Fault::MachineCrash(node), true) = (fault, rng.chance(300)) {
            let at = at + rng.below(plan.deadtime * 3);
            plan.faults.push((at, Fault::ConfirmDead(1 - node)));
            plan.faults_end = plan.faults_end.max(at + plan.keepalive);
        }
    }
    plan.faults.sort_by_key(|&(at, _)| at);
}

/// One disaster and its end.
fn disaster(plan: &Plan, rng: &mut Rng, at: Time, long: Time, faults: &mut Vec<(Time, Fault)>) {
    let node = rng.index(2);
    let link = rng.index(plan.links.len());
    let (hit, relief) = match rng.below(100) {
        0..=9 => {
            // A cable is out for a long time; the others must do.
            for from in 0..2 {
                let weather = Weather::CUT;
                faults.push((
                    at,
                    Fault::Wire {
                        link,
                        from,
                        weather,
                    },
                ));
            }
            let until = at + plan.deadtime * rng.between(2, 5);
            faults.push((until, Fault::HealLinks));
            (Fault::WallJump(node, 0), None)
        }
        10..=19 => {
            let weather = Weather::random(rng, plan);
            faults.push((
                at,
                Fault::Wire {
                    link,
                    from: 1 - node,
                    weather,
                },
            ));
            (
                Fault::Wire {
                    link,
                    from: node,
                    weather,
                },
                Some(Fault::HealLinks),
            )
        }
        20..=27 => {
            // One way only.
            let weather = Weather::random(rng, plan);
            (
                Fault::Wire {
                    link,
                    from: node,
                    weather,
                },
                Some(Fault::HealLinks),
            )
        }
        28..=33 => {
            for link in 0..plan.links.len() {
                let weather = Weather {
                    loss: rng.pick(&[200, 400, 600]),
                    ..Weather::default()
                };
                faults.push((
                    at,
                    Fault::Wire {
                        link,
                        from: node,
                        weather,
                    },
                ));
                faults.push((
                    at,
                    Fault::Wire {
                        link,
                        from: 1 - node,
                        weather,
                    },
                ));
            }
            (Fault::WallJump(node, 0), Some(Fault::HealLinks))
        }
        34..=37 => {
            // Every link fails in the same direction.
            for link in 0..plan.links.len() {
                faults.push((
                    at,
                    Fault::Wire {
                        link,
                        from: node,
                        weather: Weather::CUT,
                    },
                ));
            }
            (Fault::WallJump(node, 0), Some(Fault::HealLinks))
        }
        38..=47 => (Fault::Partition, Some(Fault::HealLinks)),
        48..=54 => (Fault::MachineCrash(node), Some(Fault::Start(node))),
        55..=63 => (Fault::DaemonCrash(node), Some(Fault::Start(node))),
        64..=70 => (Fault::StopRequest(node), Some(Fault::Start(node))),
        71..=80 => (Fault::Stall(node, long), None),
        81..=83 => (Fault::StallBoth(long), None),
        84 if !plan.signs_with_crc() => {
            faults.push((at + long, Fault::Rekey(1 - node)));
            (Fault::Rekey(node), None)
        }
        84..=86 => {
            let seconds = rng.pick(&[-86_400, -3600, -1, 1, 3600, 86_400 * 365]);
            (Fault::WallJump(node, seconds), None)
        }
        87..=88 => (Fault::Break(node), None),
        89..=91 => {
            let count = u32::try_from(rng.pick(&[1, 10, 100])).unwrap_or(1);
            (Fault::Garbage { to: node, count }, None)
        }
        92..=96 => {
            let count = u32::try_from(rng.pick(&[1, 10, 100])).unwrap_or(1);
            (Fault::Replay { to: node, count }, None)
        }
        _ => {
            // A machine dies, and what it once said is heard again.
            let replay = Fault::Replay {
                to: 1 - node,
                count: 30,
            };
            faults.push((at + long / 2, replay));
            faults.push((at + long.saturating_sub(plan.keepalive), replay));
            (Fault::MachineCrash(node), Some(Fault::Start(node)))
        }
    };
    faults.push((at, hit));
    if let Some(relief) = relief {
        faults.push((at + long, relief));
    }
}
