//! Somebody outside, who asks the network which machine answers for a group's address, and watches the wires. It is told
//! nothing by the cores, and nothing of what they decide or say that they hold.
//!
//! **Who answers.** A script that starts a group gives the kernel the address at some moment while it runs, one that
//! stops it takes the address away at some moment while it runs, and a script that is killed before its moment has done
//! nothing. A start that fails takes the address away again before it ends; a stop that fails leaves it. A kernel without
//! power answers for nothing. Each address is asked for by its name, not by the number of a group: nodes whose files
//! differ have different ones. The moments come from dice of the witness's own.
//!
//! **When two may answer.** They begin to only if one of the two daemons could hear nothing of the other: no genuine
//! heartbeat arrived at its machine for deadtime (by the fastest clock there may be; since its start, before the first
//! one). That silence goes on, or ended so lately that the scripts which it set off are still at work, or that the
//! word of it is still on its way (S2).
//!
//! **For how long.** Where both daemons run, hang for no time, and heartbeats have arrived at both without such a
//! silence for [`Witness::heal_time`], only one answers (S7); unless a script has failed, and what does not stop goes on.
//!
//! What the judge goes by is what was *read*, what scripts have *begun*, and what cores report; it excuses a node by
//! what that node could know. The witness shares none of these books: it sees arrivals and addresses. So each of the two
//! can find a mistake of the other; [`Plan::judge_is_blind`] shows that the witness finds them alone.

use std::collections::{BTreeMap, BTreeSet};

use heartbeat::cluster::GroupOutcome;

use super::invariants::Violation;
use super::plan::{Plan, Time};
use super::rng::Rng;
use super::virtual_link::{Cargo, Origin};
use super::world::{Happening, STRANGER, World};

/// What it has seen of one machine.
#[derive(Debug, Default)]
struct Sight {
    /// The addresses that its kernel answers for.
    answers: BTreeMap<String, bool>,
    /// Those of which the last script has failed to get rid.
    stuck: BTreeSet<String>,
    /// When its daemon began, while it runs.
    began: Option<Time>,
    /// When a heartbeat of the other arrived last, not counting copies and what is older than that.
    heard: Option<Time>,
    /// Its run and number.
    newest: (u64, u64),
    /// Since when they have arrived without a silence.
    contact: Time,
    /// When the last silence ended.
    silent_until: Option<Time>,
    /// Until when its daemon hangs or hung.
    hangs_until: Time,
}

/// What it remembers.
pub struct Witness {
    sights: [Sight; 2],
    /// By address: since when both answer, and whether a script has failed meanwhile.
    rivals: BTreeMap<String, Rivalry>,
    silence: Time,
    afterwards: Time,
    heal_time: Time,
    dice: Rng,
    is_away: bool,
}

#[derive(Debug, Clone, Copy)]
struct Rivalry {
    since: Time,
    has_failed: bool,
}

impl Witness {
    /// For a run that has not begun. Where 3.0.6 takes part, or files change, it has nothing to say.
    pub fn new(plan: &Plan) -> Self {
        let deadtime = plan.deadtime_of(0).min(plan.deadtime_of(1));
        let scripts = plan.action_time.1 * 2;
        let heal_time = plan.deadtime + plan.news_time() * 2 + scripts * 2;
        Self {
            sights: Default::default(),
            rivals: BTreeMap::new(),
            silence: deadtime * 100 / 101,
            afterwards: plan.news_time() + scripts,
            heal_time: heal_time + plan.hardware.slack(heal_time),
            dice: Rng::new(plan.seed, 13),
            is_away: plan.has_old() || plan.has_reloads(),
        }
    }

    /// A moment while a script runs that takes so long.
    fn moment(&mut self, time: Time) -> Time {
        self.dice.below(time + 1)
    }

    /// A daemon begins, or is gone. What it has begun in a silence its scripts go on with.
    pub fn sees_daemon(&mut self, node: usize, now: Time, runs: bool) {
        if self.is_silent(&self.sights[node], now) {
            self.sights[node].silent_until = Some(now);
        }
        let sight = &mut self.sights[node];
        sight.began = runs.then_some(now);
        sight.heard = None;
        sight.contact = now;
    }

    /// A daemon hangs until then.
    pub fn sees_hang(&mut self, node: usize, until: Time) {
        let sight = &mut self.sights[node];
        sight.hangs_until = sight.hangs_until.max(until);
    }

    /// Something arrives at a machine.
    pub fn sees_arrival(&mut self, to: usize, cargo: &Cargo, now: Time) {
        let is_news = cargo.origin == Origin::Genuine && cargo.packet.is_heartbeat;
        if to >= STRANGER || cargo.from != 1 - to || !is_news {
            return;
        }
        let silence = self.silence;
        let sight = &mut self.sights[to];
        let is_copy = (cargo.run, cargo.number) <= sight.newest;
        let Some(began) = sight.began.filter(|_| !is_copy) else {
            return;
        };
        sight.newest = (cargo.run, cargo.number);
        if now - sight.heard.unwrap_or(began) >= silence {
            sight.silent_until = Some(now);
            sight.contact = now;
        }
        sight.heard = Some(now);
    }

    /// A kernel begins or ceases to answer for an address.
    fn sees_address(&mut self, node: usize, key: &str, answers: bool, now: Time) -> Option<String> {
        let before = self.sights[node].answers.insert(key.to_owned(), answers);
        if before == Some(answers) {
            return None;
        }
        if !answers {
            self.rivals.remove(key);
            return None;
        }
        if self.sights[1 - node].answers.get(key) != Some(&true) {
            return None;
        }
        let rivalry = Rivalry {
            since: now,
            has_failed: false,
        };
        self.rivals.insert(key.to_owned(), rivalry);
        let is_excused = self.sights.iter().any(|sight| self.excuses(sight, now));
        (!is_excused).then(|| format!("both machines answer for {key}, and both hear each other"))
    }

    /// Whether a daemon could hear nothing, now or so lately that it tells.
    fn excuses(&self, sight: &Sight, now: Time) -> bool {
        let lately = |until: Time| now - until <= self.afterwards;
        self.is_silent(sight, now) || sight.silent_until.is_some_and(lately)
    }

    /// Whether a daemon runs and hears nothing.
    fn is_silent(&self, sight: &Sight, now: Time) -> bool {
        let silent_since = sight.heard.or(sight.began);
        sight.began.is_some() && silent_since.is_some_and(|since| now - since >= self.silence)
    }

    /// What both answer for though they have heard each other for long.
    fn endless(&self, now: Time) -> Option<&str> {
        let mut contact = 0;
        for sight in &self.sights {
            sight.heard?;
            if self.is_silent(sight, now) || sight.hangs_until >= now {
                return None;
            }
            contact = contact.max(sight.contact).max(sight.hangs_until);
        }
        let is_endless = |(key, rivalry): &(&String, &Rivalry)| {
            let is_stuck = self.sights.iter().any(|sight| sight.stuck.contains(*key));
            let long = now - rivalry.since.max(contact) > self.heal_time;
            long && !rivalry.has_failed && !is_stuck
        };
        self.rivals
            .iter()
            .find(is_endless)
            .map(|(key, _)| key.as_str())
    }
}

impl World {
    /// A script begins: at some moment it gives the kernel the address, or takes it away.
    pub fn watch_script(
        &mut self,
        node: usize,
        group: usize,
        outcome: GroupOutcome,
        (starts, time): (bool, Time),
    ) {
        let fails_to_stop = !starts && outcome == GroupOutcome::StopFailed;
        if node >= STRANGER || self.witness.is_away || fails_to_stop {
            return;
        }
        let at = self.now + self.witness.moment(time);
        let action = self.machines[node].resources[group].action;
        let kernel = Happening::Kernel {
            machine: node,
            group,
            action,
            answers: starts,
        };
        self.at(at, kernel);
    }

    /// The moment has come, if the script still runs and does not fail to stop what it should.
    pub fn kernel_changes(
        &mut self,
        node: usize,
        group: usize,
        action: u64,
        answers: bool,
    ) -> Result<(), Violation> {
        if self.machines[node].resources[group].action != action {
            return Ok(());
        }
        self.address_changes(node, group, answers)
    }

    /// A script has ended, which one was to start the group, or to stop it.
    pub fn watch_end(
        &mut self,
        node: usize,
        group: usize,
        outcome: GroupOutcome,
        starts: bool,
    ) -> Result<(), Violation> {
        if node >= STRANGER || self.witness.is_away {
            return Ok(());
        }
        let key = self.plan.key_of(node, group);
        let has_failed = matches!(
            outcome,
            GroupOutcome::StopFailed | GroupOutcome::StartFailed
        );
        if let Some(rivalry) = self.witness.rivals.get_mut(&key) {
            rivalry.has_failed |= has_failed;
        }
        let stuck = &mut self.witness.sights[node].stuck;
        if outcome == GroupOutcome::StopFailed {
            stuck.insert(key);
        } else {
            stuck.remove(&key);
        }
        if outcome == GroupOutcome::StopFailed && !starts {
            return Ok(());
        }
        let answers = matches!(outcome, GroupOutcome::Started | GroupOutcome::StopFailed);
        self.address_changes(node, group, answers)
    }

    /// A kernel is without power.
    pub fn watch_power_cut(&mut self, node: usize) {
        if node < STRANGER {
            let sight = &mut self.witness.sights[node];
            sight.answers.clear();
            sight.stuck.clear();
            self.witness.rivals.clear();
        }
    }

    fn address_changes(
        &mut self,
        node: usize,
        group: usize,
        answers: bool,
    ) -> Result<(), Violation> {
        let key = self.plan.key_of(node, group);
        match self.witness.sees_address(node, &key, answers, self.now) {
            Some(text) => Err(self.violation("witness", text)),
            None => Ok(()),
        }
    }

    /// What the witness sees when it looks around.
    pub fn witness_looks(&self) -> Result<(), Violation> {
        match self.witness.endless(self.now) {
            Some(key) => {
                let text =
                    format!("both machines go on answering for {key} though they hear each other");
                Err(self.violation("witness", text))
            }
            None => Ok(()),
        }
    }
}

impl Plan {
    /// The run that belongs to a seed, in which only the witness says something of two owners.
    pub fn without_judge(seed: u64) -> Self {
        Self {
            judge_is_blind: true,
            ..Self::with_operator(seed)
        }
    }
}

/// Whether the witness ends one of these runs, in which a core makes this mistake.
#[cfg(test)]
fn is_seen(make: super::node::MakeNode, seeds: std::ops::Range<u64>) -> bool {
    let mut runs = seeds.filter_map(|seed| {
        World::new(Plan::without_judge(seed), make, false)
            .run()
            .err()
    });
    runs.any(|violation| violation.rule == "witness")
}

#[test]
fn the_witness_needs_no_judge_to_see_two_owners() {
    use super::node;
    assert!(is_seen(node::failed_stop_counts_as_stop, 0..200));
    assert!(is_seen(node::probe_is_blind, 0..200));
}

#[test]
fn no_seed_shows_two_owners_to_the_witness_alone() {
    super::try_seeds("HB_SIM_WITNESS", 30, 2, Plan::without_judge);
}
