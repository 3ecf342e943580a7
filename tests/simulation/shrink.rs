//! A run that breaks a rule, with as little in it as still breaks the rule: what a reader of the failure wants to see.

use super::invariants::Violation;
use super::node::MakeNode;
use super::plan::{Plan, SECOND, Time};
use super::run;

/// So much may be tried, in simulated time; a story that is not the shortest is better than none.
const MOST_TIME: Time = 100 * 3600 * SECOND;

/// What may be left out beside faults, the most confusing first.
const SIMPLER: [fn(&mut Plan); 8] = [
    |plan| plan.stranger = None,
    |plan| plan.quarrel = None,
    |plan| plan.start_failures = 0,
    |plan| plan.stop_failures = 0,
    |plan| plan.turn_time = 0,
    |plan| plan.ping_loss = 0,
    |plan| plan.starts = [0; 2],
    |plan| plan.action_time = (plan.action_time.0, plan.action_time.0),
];

/// Leaves out whatever the breach of this rule does not need, and tells how that ends.
pub fn shrink(plan: Plan, make: MakeNode, violation: &Violation) -> (Plan, Violation) {
    let mut search = Search {
        plan,
        violation: violation.clone(),
        make,
        left: MOST_TIME,
    };
    search.drop_faults();
    for simpler in SIMPLER {
        let mut plan = search.plan.clone();
        simpler(&mut plan);
        search.take(plan);
    }
    search.drop_faults();
    (search.plan, search.violation)
}

struct Search {
    plan: Plan,
    violation: Violation,
    make: MakeNode,
    left: Time,
}

impl Search {
    /// Goes on with this plan if it breaks the same rule.
    fn take(&mut self, plan: Plan) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left = self.left.saturating_sub(plan.faults_end + SECOND);
        match run(plan.clone(), self.make) {
            Err(violation) if violation.rule == self.violation.rule => {
                self.plan = plan;
                self.violation = violation;
                true
            }
            _ => false,
        }
    }

    /// Halves first, then smaller pieces, until no single fault can be left out.
    fn drop_faults(&mut self) {
        let mut piece = self.plan.faults.len().div_ceil(2);
        while piece > 0 && self.left > 0 {
            let mut at = 0;
            let mut dropped = false;
            while at < self.plan.faults.len() {
                let mut plan = self.plan.clone();
                let end = (at + piece).min(plan.faults.len());
                plan.faults.drain(at..end);
                if self.take(plan) {
                    dropped = true;
                } else {
                    at = end;
                }
            }
            piece = match piece {
                1 if dropped => 1,
                1 => 0,
                _ => piece.div_ceil(2),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::faults::Fault;
    use super::super::node;
    use super::*;

    #[test]
    fn what_the_breach_does_not_need_is_left_out() {
        // One that takes a link's silence for the node's needs nothing but the silence of a link.
        let seed = (0..100).find(|&seed| {
            let plan = Plan::with_operator(seed);
            plan.faults.len() > 6
                && run(plan, node::one_silent_link_deafens).is_err_and(|found| found.rule == "S1")
        });
        let plan = Plan::with_operator(seed.expect("one of a hundred"));
        let found = run(plan.clone(), node::one_silent_link_deafens).expect_err("seen above");
        let (shrunk, still) = shrink(plan.clone(), node::one_silent_link_deafens, &found);
        assert_eq!(still.rule, "S1");
        assert!(shrunk.faults.len() <= 2, "{:?}", shrunk.faults);
        let again = run(shrunk, node::one_silent_link_deafens).expect_err("the same plan");
        assert_eq!(again, still);
    }

    #[test]
    fn a_plan_that_needs_all_its_faults_keeps_them() {
        let mut plan = Plan::quiet(1);
        plan.faults = vec![(6 * SECOND, Fault::Partition)];
        plan.faults_end = 12 * SECOND;
        let found = Violation {
            rule: "none",
            at: 0,
            text: String::new(),
        };
        let (shrunk, _) = shrink(plan, node::honest, &found);
        assert_eq!(shrunk.faults, [(6 * SECOND, Fault::Partition)]);
    }
}
