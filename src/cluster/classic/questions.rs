//! What two nodes with `auto_failback legacy` have asked each other, group by group.

use crate::cluster::time::Instant;

/// What is asked and owed, for each group. Void with every new epoch.
#[derive(Debug, Clone, Default)]
pub(in crate::cluster) struct Questions {
    /// The conversation began because the peer came back from what we took for its death: it may just be starting
    /// what it held us for dead with.
    pub(in crate::cluster) is_return: bool,
    /// Number of the newest message when it began: what was said before counts no more.
    pub(in crate::cluster) since: u64,
    pub(in crate::cluster) groups: Vec<Asking>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(in crate::cluster) struct Asking {
    /// When to ask for it, again.
    pub(in crate::cluster) ask_at: Option<Instant>,
    /// It was answered; at most one more question is open, and nothing depends on its answer.
    pub(in crate::cluster) is_sure: bool,
    /// How often it was asked for.
    pub(in crate::cluster) asked: u32,
    /// The peer asked for it and has no answer yet; `true`: it was running here.
    pub(in crate::cluster) owed: Option<bool>,
}

impl Questions {
    /// Whether this conversation has begun.
    pub(in crate::cluster) fn is_open(&self) -> bool {
        !self.groups.is_empty()
    }

    /// The first question without an answer.
    pub(in crate::cluster) fn first_open(&self) -> Option<usize> {
        self.groups
            .iter()
            .position(|asking| asking.ask_at.is_some() && !asking.is_sure)
    }

    /// The peer answers: what it did not answer before is asked again now.
    pub(in crate::cluster) fn hurry(&mut self, now: Instant) {
        for asking in &mut self.groups {
            if !asking.is_sure && asking.asked > 1 && asking.ask_at.is_some() {
                (asking.ask_at, asking.asked) = (Some(now), 1);
            }
        }
    }

    /// When a question is due.
    pub(in crate::cluster) fn next_question(&self) -> Option<Instant> {
        self.groups.iter().filter_map(|asking| asking.ask_at).min()
    }
}
