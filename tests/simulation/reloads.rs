//! Operators change the files of running nodes, one after the other, at any moment, and sometimes of one only.
//!
//! `HB_SIM_RELOAD_SEED=n` runs that seed alone and prints its whole story; `HB_SIM_RELOAD_RUNS=n` changes how many are run.

use heartbeat::cluster::Settings;
use heartbeat::config::AutoFailback;

use super::faults::Fault;
use super::invariants::{Judge, Violation};
use super::machine::{Daemon, Inbound};
use super::plan::{MS, Plan, SECOND, Time};
use super::rng::Rng;
use super::story::Story;
use super::world::{Happening, World};
use super::{node, run};

/// What somebody has made of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Edition {
    /// The last group, of several, is not in it.
    pub lacks_last: bool,
    /// The first group has other resources.
    pub has_other_resources: bool,
    /// The first group prefers the other node.
    pub prefers_other: bool,
    /// Heartbeats come faster, and the node dies sooner.
    pub is_quick: bool,
}

impl Edition {
    fn random(rng: &mut Rng) -> Self {
        Self {
            lacks_last: rng.chance(400),
            has_other_resources: rng.chance(300),
            prefers_other: rng.chance(250),
            is_quick: rng.chance(250),
        }
    }

    /// Whether it names the same groups.
    pub fn has_groups_of(self, other: Self) -> bool {
        let groups = |edition: Self| (edition.lacks_last, edition.has_other_resources);
        groups(self) == groups(other)
    }

    /// Whether the group is in it.
    pub fn has(self, group: usize, plan: &Plan) -> bool {
        let count = plan.preferred.len();
        !self.lacks_last || count == 1 || group + 1 < count
    }

    /// What a node reads that has such files.
    pub fn apply(self, settings: &mut Settings, plan: &Plan) {
        if self.lacks_last && settings.groups.len() > 1 {
            settings.groups.pop();
        }
        if let Some(first) = settings.groups.first_mut() {
            if self.has_other_resources {
                first.line += " more";
            }
            first.prefers_local ^= self.prefers_other;
        }
        if self.is_quick {
            let quick = |time: Time| std::time::Duration::from_micros(time * 3 / 4);
            settings.keepalive = settings.keepalive.min(quick(plan.keepalive));
            settings.deadtime = settings.deadtime.min(quick(plan.deadtime));
            settings.warntime = settings.deadtime / 2;
        }
    }
}

impl Plan {
    /// The run that belongs to a seed with files that change.
    pub fn with_reloads(seed: u64) -> Self {
        let mut plan = Self::with_operator(seed);
        let rng = &mut Rng::new(seed, 9);
        for (_, fault) in &mut plan.faults {
            // What a killed daemon leaves behind is nobody's where the next one reads a file without it.
            if let Fault::DaemonCrash(node) = *fault {
                *fault = Fault::MachineCrash(node);
            }
        }
        let begin = plan.starts[0].min(plan.starts[1]);
        let end = plan.faults_end.max(begin + plan.deadtime * 6);
        for _ in 0..rng.between(1, 6) {
            let at = rng.between(begin, end);
            let edition = Some(Edition::random(rng));
            let first = rng.index(2);
            plan.faults.push((at, Fault::Reload(first, edition)));
            if rng.chance(850) {
                let longest = rng.pick(&[1, plan.keepalive, plan.deadtime * 3]);
                let later = at + rng.below(longest);
                plan.faults.push((later, Fault::Reload(1 - first, edition)));
            }
        }
        plan.faults.sort_by_key(|&(at, _)| at);
        let last = plan.faults.last().map_or(0, |&(at, _)| at);
        plan.faults_end = plan.faults_end.max(last + plan.keepalive);
        plan
    }

    /// Whether files change in this run.
    pub fn has_reloads(&self) -> bool {
        let mut faults = self.faults.iter();
        faults.any(|(_, fault)| matches!(fault, Fault::Reload(..)))
    }
}

impl World {
    /// Somebody writes files, or only tries once more to have them read.
    pub fn change_files(&mut self, node: usize, edition: Option<Edition>) -> Result<(), Violation> {
        let machine = &mut self.machines[node];
        machine.file = edition.unwrap_or(machine.file);
        let file = machine.file;
        match &machine.daemon {
            Some(daemon) if daemon.file != file => self.arrive(node, Inbound::Reload),
            _ => Ok(()),
        }
    }

    /// A daemon reads its files again. What it can't take over now it is asked again.
    pub fn read_files(&mut self, node: usize, daemon: &mut Daemon) {
        let file = self.machines[node].file;
        let settings = self.settings(node, daemon.run);
        let local = self.machines[node].local(self.now);
        let is_taken = daemon.core.reload(local, settings);
        self.trace
            .step(self.now, &[12, node as u64, u64::from(is_taken)], || {
                let what = if is_taken { "takes over" } else { "refuses" };
                format!("{node} {what} {file:?}")
            });
        if is_taken {
            daemon.file = file;
            daemon.file_since = self.now;
            self.judge.reads_files(node, file, self.now);
        } else if daemon.stop_requested.is_none() {
            let again = Happening::Fault(Fault::Reload(node, None));
            self.at(self.now + self.plan.keepalive, again);
        }
    }
}

impl Judge {
    /// A daemon goes by these files from now on.
    pub fn reads_files(&mut self, node: usize, edition: Edition, now: Time) {
        if self.files[node] != edition {
            self.files[node] = edition;
            self.files_since = now;
            self.disturb();
        }
    }
}

#[test]
fn no_seed_with_reloads_breaks_a_rule() {
    super::try_seeds("HB_SIM_RELOAD", 800, 20, Plan::with_reloads);
}

#[test]
fn a_reload_that_forgets_what_runs_is_caught() {
    let broken =
        (0..100).filter_map(|seed| run(Plan::with_reloads(seed), node::forgets_at_reload).err());
    let rules: Vec<_> = broken.map(|violation| violation.rule).collect();
    assert!(rules.contains(&"S2"), "{rules:?}");
}

const LACKING: Edition = Edition {
    lacks_last: true,
    has_other_resources: false,
    prefers_other: false,
    is_quick: false,
};

fn story(failback: AutoFailback) -> Story {
    Story::settled(Plan {
        failback,
        faults_end: 300 * SECOND,
        ..Plan::quiet(1)
    })
}

#[test]
fn a_group_that_comes_and_goes_disturbs_no_other() {
    for first in 0..2 {
        let mut story = story(AutoFailback::On);
        for edition in [LACKING, Edition::default()] {
            let before = story.moves();
            story.strike(Fault::Reload(first, Some(edition)));
            story.until(story.world.now + 5 * SECOND);
            story.strike(Fault::Reload(1 - first, Some(edition)));
            let owner = if edition.lacks_last { None } else { Some(1) };
            story.wait_for(&[Some(0), owner], SECOND);
            story.until(story.world.now + 5 * SECOND);
            story.owners(&[Some(0), owner]);
            assert_eq!(story.moves() - before, 1);
        }
    }
}

#[test]
fn a_takeover_between_the_two_reloads_goes_by_the_file_of_the_one_that_lives() {
    for (reloaded, owner) in [(0, Some(0)), (1, None)] {
        let mut story = story(AutoFailback::On);
        for node in 0..2 {
            story.strike(Fault::Reload(node, Some(LACKING)));
        }
        story.wait_for(&[Some(0), None], SECOND);
        story.strike(Fault::Reload(reloaded, Some(Edition::default())));
        story.until(story.world.now + 500 * MS);
        story.owners(&[Some(0), None]);
        story.strike(Fault::MachineCrash(1));
        story.until(story.world.now + 3 * SECOND);
        story.owners(&[Some(0), owner]);
    }
}
