//! Several pairs on the same segments: every network link of a pair is heard by the machines of all the others that have
//! a network of the same number. Each pair is a world of its own with its own plan, faults, judge and witness, and all
//! go by one clock. What comes from another pair must change nothing, whatever it is called and whoever has signed it
//! (S4): the judge of each world sees to that for every packet.
//!
//! Pairs that share a segment have other names, or other keys, or both. Their groups have the same addresses and their
//! machines the same uuids, so that whoever believed a neighbour would do something about it.

use heartbeat::message::Keys;

use super::faults::Fault;
use super::invariants::Violation;
use super::node::MakeNode;
use super::plan::Plan;
use super::rng::Rng;
use super::virtual_link::{Cargo, Origin};
use super::world::{Figures, Happening, STRANGER, World};

/// What the nodes of each pair are called, where they don't share names; the first comes first in the alphabet, as judges
/// take it to. None is a name of [`Stranger`](super::plan::Stranger)s.
const NAMES: [[&str; 2]; 4] = [
    ["alpha", "beta"],
    ["alpha2", "beta2"],
    ["alph", "epsilon"],
    ["beta-node", "zeta"],
];

/// All pairs of a run.
pub struct Neighbourhood {
    worlds: Vec<World>,
}

impl Plan {
    /// The run that belongs to a seed with two to four pairs.
    pub fn with_neighbours(seed: u64) -> Self {
        let rng = &mut Rng::new(seed, 15);
        let count = rng.pick(&[2, 2, 3, 4]);
        let has_own_names = rng.chance(700);
        let mut plans: Vec<Self> = (0..count)
            .map(|pair| {
                let mut plan = Self::with_operator(seed ^ (pair << 48));
                if has_own_names {
                    plan.names = NAMES[usize::try_from(pair).unwrap_or(0)];
                }
                plan
            })
            .collect();
        if has_own_names && rng.chance(600) {
            let keys = plans[0].keys.clone();
            for plan in &mut plans {
                plan.keys = keys.clone();
                // Where nothing is secret, no other key can be let sign: a node with a key believes no one without.
                let can_change = !plan.signs_with_crc();
                plan.faults
                    .retain(|(_, fault)| can_change || !matches!(fault, Fault::Rekey(_)));
            }
        } else {
            for (pair, plan) in plans.iter_mut().enumerate() {
                sign_alone(&mut plan.keys, pair);
            }
        }
        let mut first = plans.remove(0);
        first.neighbours = plans;
        first
    }
}

/// Keys that no other pair has. Without any, only the names are left.
fn sign_alone(keys: &mut Keys, pair: usize) {
    for key in keys.entries.iter_mut().flatten() {
        key.method = heartbeat::message::Method::Sha1;
        key.text = format!("of pair {pair}, {:?}", key.text).into_bytes();
    }
}

impl Neighbourhood {
    /// Of a plan and its neighbours.
    pub fn new(mut plan: Plan, make: MakeNode, with_lines: bool) -> Self {
        let others = std::mem::take(&mut plan.neighbours);
        let plans = std::iter::once(plan).chain(others);
        let worlds = plans.map(|plan| World::new(plan, make, with_lines));
        let mut worlds: Vec<World> = worlds.collect();
        let is_alone = worlds.len() == 1;
        for world in &mut worlds {
            world.has_neighbours = !is_alone;
        }
        Self { worlds }
    }

    /// Lets it happen until all pairs have settled, or a rule is broken in one of them.
    pub fn run(&mut self) -> Result<Figures, Violation> {
        let mut goes_on = vec![true; self.worlds.len()];
        loop {
            let pairs = (0..self.worlds.len()).filter(|&pair| goes_on[pair]);
            let next = pairs.filter_map(|pair| Some((self.worlds[pair].next_at()?, pair)));
            let Some((_, pair)) = next.min() else {
                break;
            };
            let step = self.worlds[pair].step();
            goes_on[pair] = step.map_err(|violation| Violation {
                text: format!("pair {pair}: {}", violation.text),
                ..violation
            })?;
            self.spread(pair);
        }
        let all = self.worlds.iter_mut().map(World::figures_at_end);
        Ok(all.fold(Figures::default(), Figures::and))
    }

    /// What a pair has sent on its networks is heard by the others.
    fn spread(&mut self, pair: usize) {
        if self.worlds[pair].said.is_empty() {
            return;
        }
        let now = self.worlds[pair].now;
        let said = std::mem::take(&mut self.worlds[pair].said);
        let others = self.worlds.iter_mut().enumerate();
        for (_, world) in others.filter(|(number, _)| *number != pair) {
            for (link, cargo) in &said {
                world.overhears(*link, cargo, now);
            }
        }
    }

    /// The stories of all pairs in one, in order of time.
    pub fn into_lines(self) -> Vec<String> {
        let is_alone = self.worlds.len() == 1;
        let mut lines: Vec<String> = Vec::new();
        for (pair, world) in self.worlds.into_iter().enumerate() {
            let told = world.trace.into_lines().into_iter();
            if is_alone {
                return told.collect();
            }
            lines.extend(told.map(|line| {
                let (at, text) = line.split_at(line.len().min(TIME));
                format!("{at}pair {pair}: {text}")
            }));
        }
        lines.sort_by(|one, other| one.get(..TIME).cmp(&other.get(..TIME)));
        lines
    }
}

/// A line of a story begins with its time, so many characters.
const TIME: usize = 12;

impl World {
    /// A packet of another pair passes on a segment.
    fn overhears(&mut self, link: usize, cargo: &Cargo, now: u64) {
        let has_segment = self.links.get(link).is_some_and(|link| !link.is_serial());
        if !has_segment {
            return;
        }
        let cargo = Cargo {
            from: STRANGER,
            origin: Origin::Foreign,
            ..cargo.clone()
        };
        for to in 0..2 {
            for (delay, arriving) in self.links[link].travel(&mut self.dice, &cargo) {
                let cargo = arriving;
                self.at(now + delay, Happening::Arrival { link, to, cargo });
            }
        }
    }
}

#[test]
fn no_seed_with_several_pairs_breaks_a_rule() {
    super::try_seeds("HB_SIM_PAIRS", 120, 5, Plan::with_neighbours);
}

#[test]
fn pairs_on_one_segment_hear_each_other() {
    let mut plan = Plan::quiet(1);
    plan.neighbours = vec![Plan {
        names: NAMES[1],
        ..Plan::quiet(2)
    }];
    let mut pairs = Neighbourhood::new(plan, super::node::honest, true);
    let figures = pairs.run().expect("no rule is broken");
    let heard = pairs
        .into_lines()
        .iter()
        .filter(|line| line.contains("(Foreign)"))
        .count();
    assert!(
        figures.starts > 0 && heard > 100,
        "{heard} packets of neighbours"
    );
}
