//! Which faults come when, by dice alone: the same seed is the same plan.

use std::time::Duration;

use crate::dice::Dice;
use crate::lab::Link;
use crate::lab::network::Failure;
use crate::lab::null_modem::Line;

/// Something that goes wrong for a while. Nodes are 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The cable of a node.
    Cable {
        node: usize,
        link: Link,
        failure: Failure,
    },
    /// The serial line, of what one node sends or of both.
    Wire { sender: Option<usize>, line: Line },
    /// Of a hundred bytes on the serial line so many arrive as others, twice, or not at all.
    Noise { percent: u8 },
    /// The daemon alone is killed, and started again at the end.
    Kill { node: usize },
    /// The daemon is stopped in good order, and started again at the end.
    Stop { node: usize },
    /// The daemon stands still.
    Pause { node: usize },
    /// The machine has no power.
    Power { node: usize },
    /// The file system of the state is full.
    StateDisk { node: usize },
    /// That of the log is.
    LogDisk { node: usize },
    /// Thousands of datagrams a second to the heartbeats' port.
    FloodNetwork { link: Link },
    /// As much as the FIFO for messages takes.
    FloodFifo { node: usize },
    /// Connections to the control socket without end, and nonsense on them.
    FloodControl { node: usize },
    /// The wall clock of a daemon goes so many seconds ahead, or back, and at the end right again.
    Clock { node: usize, seconds: i64 },
    /// Other times in ha.cf are read while everything runs, and at the end those from before.
    Reload { node: usize },
    /// An operator moves groups.
    Move {
        node: usize,
        command: &'static str,
        what: &'static str,
    },
}

impl Fault {
    /// Whether it is a fault of a link.
    pub fn is_of_link(self) -> bool {
        matches!(
            self,
            Self::Cable { .. } | Self::Wire { .. } | Self::Noise { .. }
        )
    }

    /// What it counts as in the report.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Cable { link, failure, .. } => match (link, failure) {
                (Link::Eth0, Failure::Deaf) => "one direction of the service network cut",
                (Link::Eth0, Failure::Unplugged) => "service network unplugged",
                (Link::Eth0, Failure::Silent) => "service network cut",
                (_, Failure::Deaf) => "one direction of the private network cut",
                (_, Failure::Unplugged) => "private network unplugged",
                (_, Failure::Silent) => "private network cut",
            },
            Self::Wire {
                sender: Some(_), ..
            } => "one direction of the serial line cut",
            Self::Wire { .. } => "serial line cut",
            Self::Noise { .. } => "noise on the serial line",
            Self::Kill { .. } => "daemon killed",
            Self::Stop { .. } => "daemon stopped",
            Self::Pause { .. } => "daemon paused",
            Self::Power { .. } => "power lost",
            Self::StateDisk { .. } => "state disk full",
            Self::LogDisk { .. } => "log disk full",
            Self::FloodNetwork { .. } => "flood of datagrams",
            Self::FloodFifo { .. } => "flood of the FIFO",
            Self::FloodControl { .. } => "flood of the control socket",
            Self::Clock { .. } => "clock stepped",
            Self::Reload { .. } => "reload",
            Self::Move { .. } => "operator",
        }
    }
}

/// A fault and its times, counted from the beginning of an episode.
#[derive(Debug, Clone, Copy)]
pub struct Planned {
    /// What.
    pub fault: Fault,
    /// When it comes.
    pub begin: Duration,
    /// When it goes.
    pub end: Duration,
}

/// How long faults last, in milliseconds: about deadtime (3 seconds), shorter, and much longer.
const LENGTHS: [u64; 7] = [200, 1000, 1900, 2600, 3400, 5000, 8000];
/// Within so many milliseconds all faults of an episode begin.
const WITHIN: usize = 2500;

/// The faults of one episode: of links, of daemons and machines, and others beside them. No two of them concern the same
/// link, or the daemon of the same node.
pub fn episode(dice: &mut Dice) -> Vec<Planned> {
    let mut faults = links(dice);
    // A daemon that is dead or paused excuses much: at times there is none.
    let spares_daemons = dice.roll(3) == 0;
    for node in [0, 1] {
        if !spares_daemons && dice.roll(2) == 0 {
            faults.push(daemon(dice, node));
        }
    }
    let others = dice.roll(4) + usize::from(faults.is_empty());
    for _ in 0..others {
        let fault = beside(dice);
        let is_new =
            |other: &Fault| std::mem::discriminant(other) != std::mem::discriminant(&fault);
        if faults.iter().all(is_new) {
            faults.push(fault);
        }
    }
    // From one moment on and for as long: always where no link is left, or that would hardly ever come to pass.
    let cuts_all = faults.iter().filter(|fault| fault.is_of_link()).count() == Link::ALL.len();
    let together = dice.roll(3) == 0 || cuts_all;
    let (mut begin, mut lasts) = times(dice);
    let mut plan = Vec::new();
    for fault in faults {
        if !together {
            (begin, lasts) = times(dice);
        }
        plan.push(Planned {
            fault,
            begin,
            end: begin + lasts,
        });
    }
    plan
}

fn times(dice: &mut Dice) -> (Duration, Duration) {
    let begin = u64::try_from(dice.roll(WITHIN)).expect("few");
    let lasts = dice.pick(&LENGTHS) + u64::try_from(dice.roll(200)).expect("few");
    (Duration::from_millis(begin), Duration::from_millis(lasts))
}

fn links(dice: &mut Dice) -> Vec<Fault> {
    let which: &[Link] = match dice.roll(8) {
        0 => &[],
        1 => &[Link::Serial],
        2 => &[Link::Eth0],
        3 => &[Link::Eth1],
        4 => &[Link::Eth0, Link::Eth1],
        5 => &[Link::Serial, dice.pick(&[Link::Eth0, Link::Eth1])],
        _ => &Link::ALL,
    };
    which.iter().map(|link| cut(dice, *link)).collect()
}

fn cut(dice: &mut Dice, link: Link) -> Fault {
    if link == Link::Serial {
        return match dice.roll(5) {
            0 => Fault::Noise {
                percent: dice.pick(&[1, 5, 30]),
            },
            1 => Fault::Wire {
                sender: Some(dice.roll(2)),
                line: Line::Broken,
            },
            2 => Fault::Wire {
                sender: None,
                line: Line::Stalled,
            },
            _ => Fault::Wire {
                sender: None,
                line: Line::Broken,
            },
        };
    }
    Fault::Cable {
        node: dice.roll(2),
        link,
        failure: dice.pick(&[
            Failure::Silent,
            Failure::Silent,
            Failure::Unplugged,
            Failure::Deaf,
        ]),
    }
}

fn daemon(dice: &mut Dice, node: usize) -> Fault {
    match dice.roll(7) {
        0 | 1 => Fault::Kill { node },
        2 => Fault::Stop { node },
        3 | 4 => Fault::Pause { node },
        _ => Fault::Power { node },
    }
}

fn beside(dice: &mut Dice) -> Fault {
    let node = dice.roll(2);
    match dice.roll(9) {
        0 => Fault::StateDisk { node },
        1 => Fault::LogDisk { node },
        2 => Fault::FloodNetwork {
            link: dice.pick(&[Link::Eth0, Link::Eth1]),
        },
        3 => Fault::FloodFifo { node },
        4 => Fault::FloodControl { node },
        5 => Fault::Clock {
            node,
            seconds: dice.pick(&[3600, -3600, 100_000_000, -20]),
        },
        6 => Fault::Reload { node },
        _ => Fault::Move {
            node,
            command: dice.pick(&["hb_standby", "hb_takeover"]),
            what: dice.pick(&["all", "local", "foreign"]),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_is_a_plan_and_many_seeds_are_all_faults() {
        let mut kinds = BTreeSet::new();
        for seed in 0..300 {
            let plan = episode(&mut Dice::new(seed));
            assert!(!plan.is_empty());
            let again = episode(&mut Dice::new(seed));
            for (one, other) in plan.iter().zip(&again) {
                assert_eq!((one.fault, one.begin), (other.fault, other.begin));
            }
            kinds.extend(plan.iter().map(|planned| planned.fault.kind()));
            let links = plan.iter().filter_map(|planned| match planned.fault {
                Fault::Cable { link, .. } => Some(link.name()),
                Fault::Wire { .. } | Fault::Noise { .. } => Some(Link::Serial.name()),
                _ => None,
            });
            let links: Vec<_> = links.collect();
            let once: BTreeSet<_> = links.iter().collect();
            assert_eq!(once.len(), links.len(), "a link fails once at a time");
        }
        assert_eq!(kinds.len(), 21, "{kinds:?}");
    }
}
