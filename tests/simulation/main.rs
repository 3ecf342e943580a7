//! Two cores on virtual links, in virtual time, with every fault that a seed brings, and a judge that knows
//! what really happened. No sockets, no threads of the daemon, no clock: a run is a function of its seed.
//!
//! `HB_SIM_SEED=n` runs that seed alone and prints its whole story; `HB_SIM_RUNS=n` changes how many of the
//! fixed seeds are run. A seed that fails is shown with as few faults as still break the rule.

mod agenda;
mod carriers;
mod carry_out;
mod directions;
mod disk;
mod doubts;
pub mod events;
mod exhaustive;
mod fault_words;
mod faults;
mod fencing;
mod found;
mod hardware;
mod invariants;
mod long;
mod machine;
mod maintenance;
mod mixed;
mod neighbours;
mod node;
mod old_pair;
mod old_peer;
mod pings;
mod plan;
mod reading;
mod records;
mod reloads;
mod rng;
mod scenarios;
mod settling;
mod shrink;
mod story;
mod strike;
mod trace;
mod turn;
mod virtual_link;
mod watchdog;
mod witness;
mod workers;
mod world;

use std::hash::{BuildHasher, RandomState};

use invariants::Violation;
use neighbours::Neighbourhood;
use node::MakeNode;
use plan::Plan;
use world::{Figures, World};

/// Lines of a story that are printed when it ends badly.
const LAST_LINES: usize = 120;

/// Makes the plan of a seed.
type MakePlan = fn(u64) -> Plan;

/// One run without its story.
fn run(plan: Plan, make: MakeNode) -> Result<Figures, Violation> {
    if plan.neighbours.is_empty() {
        return World::new(plan, make, false).run();
    }
    Neighbourhood::new(plan, make, false).run()
}

/// The same run again, with its story.
fn story(plan: Plan, make: MakeNode) -> (Result<Figures, Violation>, Vec<String>) {
    let head = format!("{plan:#?}");
    let mut pairs = Neighbourhood::new(plan, make, true);
    let result = pairs.run();
    let mut lines = vec![head];
    lines.extend(pairs.into_lines());
    (result, lines)
}

/// Tells how a seed failed: with as few faults as break the same rule, and the last of that story.
fn explain(seed: u64, violation: &Violation, plan: Plan, variable: &str) -> String {
    let all = plan.faults.len();
    let (least, still) = shrink::shrink(plan, node::honest, violation);
    let schedule: Vec<String> = least
        .faults
        .iter()
        .map(|(at, fault)| format!("{:12.6}  {fault}", trace::micros_as_seconds(*at)))
        .collect();
    let count = schedule.len();
    let (_, lines) = story(least, node::honest);
    let skipped = lines.len().saturating_sub(LAST_LINES).max(1);
    format!(
        "seed {seed} breaks {violation}\n({variable}={seed} prints its whole story)\n\n\
         With {count} of its {all} faults, and without whatever else is not needed, it breaks {still}\n\n{}\n\n{}\n...\n{}\n\
         seed {seed} breaks {violation}",
        schedule.join("\n"),
        lines.first().map_or("", String::as_str),
        lines.get(skipped..).unwrap_or_default().join("\n"),
    )
}

fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one seed with its whole story when the environment names it as `PREFIX_SEED`, else as many as
/// `PREFIX_RUNS` says, from `PREFIX_FIRST` on, and `fresh` that nobody has tried.
fn try_seeds(prefix: &str, usual: u64, fresh: u64, plan_of: MakePlan) {
    let variable = format!("{prefix}_SEED");
    if let Some(seed) = number_from_environment(&variable) {
        let (result, lines) = story(plan_of(seed), node::honest);
        println!("{}", lines.join("\n"));
        println!("seed {seed}: {result:?}");
        assert!(result.is_ok());
        return;
    }
    let count = number_from_environment(&format!("{prefix}_RUNS")).unwrap_or(usual);
    let chance = RandomState::new();
    let fresh: Vec<u64> = (0..fresh)
        .map(|number| chance.hash_one(number) % 1_000_000_000_000)
        .collect();
    println!("fresh seeds: {fresh:?}");
    let first = number_from_environment(&format!("{prefix}_FIRST")).unwrap_or(0);
    let seeds: Vec<u64> = (first..first + count).chain(fresh).collect();
    let results = workers::each(&seeds, |&seed| run(plan_of(seed), node::honest));
    // Of the fixed seeds alone: the digest tells whether two builds do the same.
    let fixed = results
        .iter()
        .take(usize::try_from(count).unwrap_or(usize::MAX));
    let total = fixed
        .filter_map(|result| result.as_ref().ok())
        .fold(Figures::default(), |total, one| total.and(*one));
    let minutes = total.simulated / plan::SECOND / 60;
    println!("{count} runs, {minutes} simulated minutes: {total:?}");
    let failures: Vec<(u64, &Violation)> = seeds
        .iter()
        .zip(&results)
        .filter_map(|(seed, result)| Some((*seed, result.as_ref().err()?)))
        .collect();
    for (seed, violation) in failures.iter().take(40) {
        println!("seed {seed}: {violation}");
    }
    if let Some((seed, violation)) = failures.first() {
        panic!(
            "{} of {} seeds fail. {}",
            failures.len(),
            seeds.len(),
            explain(*seed, violation, plan_of(*seed), &variable)
        );
    }
}

#[test]
fn no_seed_breaks_a_rule() {
    try_seeds("HB_SIM", 7_000, 20, Plan::with_operator);
}

#[test]
fn no_seed_with_ping_nodes_breaks_a_rule() {
    try_seeds("HB_SIM_PING", 2000, 20, Plan::with_pings);
}

#[test]
fn no_seed_with_conditions_for_a_failback_breaks_a_rule() {
    try_seeds("HB_SIM_FAILBACK", 1000, 10, Plan::with_conditions);
}

#[test]
fn no_seed_with_fencing_breaks_a_rule() {
    try_seeds("HB_SIM_FENCE", 2000, 20, Plan::with_fencing);
}

#[test]
fn no_seed_with_failing_hardware_breaks_a_rule() {
    try_seeds("HB_SIM_HARDWARE", 600, 10, Plan::with_hardware);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..50 {
        let once = run(Plan::with_operator(seed), node::honest);
        let again = run(Plan::with_operator(seed), node::honest);
        assert_eq!(once, again, "seed {seed}");
        let (told, lines) = story(Plan::with_operator(seed), node::honest);
        assert_eq!(once, told, "seed {seed} told as a story");
        assert!(lines.len() > 10);
    }
}

/// The rules that a hundred seeds show to be broken by a node with this mistake.
fn caught(make: MakeNode) -> Vec<&'static str> {
    caught_in(Plan::with_operator, make)
}

fn caught_in(plan_of: MakePlan, make: MakeNode) -> Vec<&'static str> {
    (0..100)
        .filter_map(|seed| run(plan_of(seed), make).err())
        .map(|violation| violation.rule)
        .collect()
}

#[test]
fn a_link_s_silence_taken_for_the_node_s_is_caught() {
    let rules = caught(node::one_silent_link_deafens);
    assert!(rules.contains(&"S1"), "{rules:?}");
}

#[test]
fn a_failed_stop_taken_for_a_stop_is_caught() {
    let rules = caught(node::failed_stop_counts_as_stop);
    assert!(rules.contains(&"S2"), "{rules:?}");
}

#[test]
fn a_blind_probe_is_caught() {
    let rules = caught(node::probe_is_blind);
    assert!(rules.contains(&"S2") || rules.contains(&"S7"), "{rules:?}");
}

#[test]
fn a_clock_that_misses_stalls_is_caught() {
    let rules = caught(node::clock_misses_stalls);
    assert!(rules.contains(&"S3"), "{rules:?}");
}

#[test]
fn a_reset_that_was_only_asked_for_and_taken_for_done_is_caught() {
    let rules = caught_in(Plan::with_fencing, node::believes_in_devices);
    assert!(rules.contains(&"fencing"), "{rules:?}");
}
