//! Every way in which a few cuts can fall into a move: three links of two directions each are six wires, and every
//! scenario has six moments at which a wire may be cut or mended, chosen so that each phase lies between two of them.
//! Every set of up to four such changes is run from a pair whose links all work, and every set of up to two from each
//! of the 64 states that six wires can be in. Afterwards all is mended, and must settle.
//!
//! `HB_SIM_EXHAUSTIVE=1` runs all of it; otherwise up to two changes from the state in which all works, and each other state as it is.

use super::faults::{Fault, Weather};
use super::invariants::Violation;
use super::old_peer::{Command, Hold};
use super::plan::{MS, Plan, SECOND, Time};
use super::{node, run, story, workers};

/// Links times directions.
const WIRES: usize = 6;
/// When a wire may change, in each scenario.
const MOMENTS: usize = 6;
/// When what the scenario is about begins; until then the pair has settled.
const BEGIN: Time = 6 * SECOND;
/// How long before that the wires come into their first state: longer than deadtime.
const BEFORE: Time = 1500 * MS;
/// How long a scenario takes.
const LENGTH: Time = 4 * SECOND;

/// What happens while wires change.
#[derive(Debug, Clone, Copy)]
enum Scenario {
    /// Nothing.
    Quiet,
    /// A machine dies, and comes back.
    Takeover,
    /// The preferred node comes back to one that holds everything.
    Failback,
    /// `hb_standby all`.
    Standby,
    /// `hb_takeover all`.
    Ask,
    /// A daemon is stopped, and started again.
    Leave,
}

const SCENARIOS: [Scenario; 6] = [
    Scenario::Quiet,
    Scenario::Takeover,
    Scenario::Failback,
    Scenario::Standby,
    Scenario::Ask,
    Scenario::Leave,
];

impl Scenario {
    /// Milliseconds after [`BEGIN`], earlier ones first. A start or a stop takes 100.
    fn moments(self) -> [i64; MOMENTS] {
        match self {
            Self::Quiet => [0, 300, 900, 1100, 2000, 3000],
            // noticed after a second; the machine is back after one and a half
            Self::Takeover => [-50, 500, 950, 1050, 1250, 1700],
            // heard at once, answered, stopped there, started here
            Self::Failback => [-50, 10, 50, 150, 250, 1000],
            Self::Standby | Self::Ask | Self::Leave => [-50, 20, 80, 120, 180, 1000],
        }
    }

    fn faults(self) -> Vec<(Time, Fault)> {
        match self {
            Self::Quiet | Self::Failback => Vec::new(),
            Self::Takeover => vec![
                (BEGIN, Fault::MachineCrash(0)),
                (BEGIN + 1500 * MS, Fault::Start(0)),
            ],
            Self::Standby => vec![(BEGIN, Fault::Command(0, Command::Standby(Hold::ALL)))],
            Self::Ask => vec![(BEGIN, Fault::Command(0, Command::Takeover(Hold::ALL)))],
            Self::Leave => vec![
                (BEGIN, Fault::StopRequest(0)),
                (BEGIN + 1500 * MS, Fault::Start(0)),
            ],
        }
    }
}

/// One run.
#[derive(Debug, Clone)]
struct Case {
    scenario: Scenario,
    /// A bit for each wire that is cut from the start.
    cut: usize,
    /// Wire and moment of each change.
    changes: Vec<(usize, usize)>,
}

impl Case {
    fn plan(&self) -> Plan {
        let mut plan = Plan {
            initdead: 3 * SECOND,
            action_time: (100 * MS, 100 * MS),
            faults_end: BEGIN + LENGTH,
            ..Plan::quiet(1)
        };
        if matches!(self.scenario, Scenario::Failback) {
            plan.starts = [BEGIN, 0];
        }
        let mut is_cut: [bool; WIRES] = std::array::from_fn(|wire| self.cut & (1 << wire) != 0);
        let mut faults = self.scenario.faults();
        faults.extend((0..WIRES).filter(|&wire| is_cut[wire]).map(|wire| {
            let fault = wire_fault(wire, true);
            (BEGIN - BEFORE, fault)
        }));
        let mut changes = self.changes.clone();
        changes.sort_by_key(|&(_, moment)| moment);
        for (wire, moment) in changes {
            is_cut[wire] = !is_cut[wire];
            let at = BEGIN.saturating_add_signed(self.scenario.moments()[moment] * 1000);
            faults.push((at, wire_fault(wire, is_cut[wire])));
        }
        faults.sort_by_key(|&(at, _)| at);
        plan.faults = faults;
        plan
    }
}

fn wire_fault(wire: usize, is_cut: bool) -> Fault {
    Fault::Wire {
        link: wire / 2,
        from: wire % 2,
        weather: if is_cut {
            Weather::CUT
        } else {
            Weather::default()
        },
    }
}

/// All sets of at most so many changes.
fn sets_of_changes(most: usize) -> Vec<Vec<(usize, usize)>> {
    let mut sets = vec![Vec::new()];
    let mut first_longest = 0;
    for _ in 0..most {
        let end = sets.len();
        for index in first_longest..end {
            let after = sets[index]
                .last()
                .map_or(0, |&(wire, moment)| wire * MOMENTS + moment + 1);
            for change in after..WIRES * MOMENTS {
                let mut longer = sets[index].clone();
                longer.push((change / MOMENTS, change % MOMENTS));
                sets.push(longer);
            }
        }
        first_longest = end;
    }
    sets
}

/// Every case: up to `from_whole` changes while all worked before, up to `from_any` from each other state.
fn cases(from_whole: usize, from_any: usize) -> Vec<Case> {
    let states = 1_usize << WIRES;
    let whole = sets_of_changes(from_whole).into_iter().map(|set| (0, set));
    let any = sets_of_changes(from_any);
    let any = (1..states).flat_map(|cut| any.iter().map(move |set| (cut, set.clone())));
    let situations: Vec<_> = whole.chain(any).collect();
    SCENARIOS
        .iter()
        .flat_map(|&scenario| {
            situations.iter().map(move |(cut, changes)| Case {
                scenario,
                cut: *cut,
                changes: changes.clone(),
            })
        })
        .collect()
}

fn failures(cases: &[Case]) -> Vec<(&Case, Violation)> {
    let results = workers::each(cases, |case| run(case.plan(), node::honest).err());
    let failed = cases.iter().zip(results);
    failed
        .filter_map(|(case, result)| Some((case, result?)))
        .collect()
}

#[test]
fn no_few_cuts_around_a_move_break_a_rule() {
    let is_complete = std::env::var_os("HB_SIM_EXHAUSTIVE").is_some();
    let (from_whole, from_any) = if is_complete { (4, 2) } else { (2, 0) };
    let cases = cases(from_whole, from_any);
    println!("{} runs", cases.len());
    let failures = failures(&cases);
    for (case, violation) in failures.iter().take(40) {
        println!("{case:?}: {violation}");
    }
    if let Some((case, violation)) = failures.first() {
        let (_, lines) = story(case.plan(), node::honest);
        panic!(
            "{} of {} fail. {case:?}: {violation}\n{}",
            failures.len(),
            cases.len(),
            lines.join("\n")
        );
    }
}

#[test]
fn every_set_of_changes_is_there_once() {
    let binomial = [1, 36, 36 * 35 / 2, 36 * 35 * 34 / 6];
    let sets = sets_of_changes(3);
    assert_eq!(sets.len(), binomial.iter().sum::<usize>());
    let distinct: std::collections::BTreeSet<_> = sets.iter().collect();
    assert_eq!(distinct.len(), sets.len());
}
