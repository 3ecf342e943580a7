//! Runs of ten minutes: one disaster after the other, before everything has settled or long after, with about half of
//! the kinds of faults left out of each run (swarm), so that those which are left meet in every way. Each run is about
//! one more thing: ping nodes, conditions for a failback, fencing, doubts about a silent node, failing hardware or unplugged networks.

use super::faults::{self, Fault};
use super::plan::{Plan, SECOND, Time};
use super::rng::Rng;

/// For so long something may happen.
const LENGTH: Time = 600 * SECOND;

/// Kinds of faults that a run can do without.
const KINDS: usize = 14;

impl Plan {
    /// The long run that belongs to a seed.
    pub fn long(seed: u64) -> Self {
        let mut plan = Self::with_operator(seed);
        let rng = &mut Rng::new(seed, 20);
        let is_moved_about = plan.has_operator();
        while plan.faults_end < LENGTH {
            let begin = plan.faults_end + plan.deadtime * rng.below(10);
            faults::go_on(&mut plan, rng, begin);
            if is_moved_about {
                let end = plan.faults_end;
                plan.command_at_times(begin, end, rng);
            }
        }
        let left_out: [bool; KINDS] = std::array::from_fn(|_| rng.chance(500));
        let stays = |fault: &Fault| kind(fault).is_none_or(|kind| !left_out[kind]);
        plan.faults.retain(|(_, fault)| stays(fault));
        match seed % 6 {
            0 => plan,
            1 if seed % 12 == 7 => plan.and_pings(seed).and_doubts(seed),
            1 => plan.and_pings(seed),
            2 => plan.and_conditions(seed),
            3 => plan.and_fencing(seed),
            4 => plan.and_hardware(seed),
            _ => plan.and_carriers(seed),
        }
    }
}

/// Which of the [`KINDS`] it is of; `None` for what ends a fault, and for what a run is about.
fn kind(fault: &Fault) -> Option<usize> {
    Some(match fault {
        Fault::Wire { weather, .. } if weather.cut => 0,
        Fault::Wire { .. } => 1,
        Fault::Partition => 2,
        Fault::MachineCrash(_) => 3,
        Fault::DaemonCrash(_) => 4,
        Fault::StopRequest(_) => 5,
        Fault::Stall(..) | Fault::HeldUp { .. } => 6,
        Fault::StallBoth(_) => 7,
        Fault::WallJump(..) => 8,
        Fault::Rekey(_) => 9,
        Fault::Garbage { .. } => 10,
        Fault::Break(_) => 11,
        Fault::Replay { .. } => 12,
        Fault::Command(..) => 13,
        Fault::HealLinks
        | Fault::Start(_)
        | Fault::PingNode { .. }
        | Fault::Plug { .. }
        | Fault::Reload(..)
        | Fault::Disk(..)
        | Fault::ConfirmDead(_)
        | Fault::Maintenance { .. } => return None,
    })
}

#[test]
fn no_long_run_breaks_a_rule() {
    super::try_seeds("HB_SIM_LONG", 120, 4, Plan::long);
}

#[test]
fn a_long_run_is_ten_minutes_of_varied_faults() {
    let mut counts = [0; KINDS];
    for seed in 0..60 {
        let plan = Plan::long(seed);
        assert!(plan.faults_end >= LENGTH, "seed {seed}");
        let kinds = plan.faults.iter().filter_map(|(_, fault)| kind(fault));
        let mut is_there = [false; KINDS];
        kinds.for_each(|kind| is_there[kind] = true);
        assert!(is_there.contains(&false), "seed {seed} leaves nothing out");
        for (count, is_there) in counts.iter_mut().zip(is_there) {
            *count += usize::from(is_there);
        }
    }
    assert!(counts.iter().all(|&count| count > 3), "{counts:?}");
}
