//! What one group wants done: the rules by which groups change hands, without any state of their own.

use std::time::Duration;

use super::carrier::Carrier;
use super::claims::{Claim, Phase, Stated};
use super::failures::Failures;
use super::ready::Readiness;
use super::tenure::Tenure;
use super::time::Instant;

/// How we stand with the peer; decides what its claims are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Nothing valid was heard of it in this run, and it is not known to be dead.
    Unheard,
    /// We hear it, it does not hear us.
    Deaf {
        /// For so long that it may have taken what we hold.
        for_deadtime: bool,
    },
    /// Each has heard the other's newest epoch: claims are valid.
    Talking,
    /// It runs heartbeat 3.0.6 and has told which halves of the groups it holds. What it claims it keeps, and
    /// what it lets go it says so in the standby dialogue.
    Halves {
        /// It wants nothing more and no dialogue is under way: what neither node holds now, nobody will start.
        settled: bool,
    },
    /// It fell silent, and nothing tells yet that it is down: it may be alive and serve.
    InDoubt,
    /// It is dead, or has left holding nothing.
    Gone {
        /// It fell silent, as opposed to leaving.
        died: bool,
    },
}

/// Everything outside the groups that decisions depend on.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// How we stand with the peer.
    pub relation: Relation,
    /// This node is a full member.
    pub is_active: bool,
    /// This node is about to stop.
    pub is_leaving: bool,
    /// The peer can be given groups.
    pub peer_takes: bool,
    /// Groups return to their preferred node.
    pub fails_back: bool,
    /// Maintenance.
    pub stillness: Stillness,
}

/// How far maintenance keeps groups where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stillness {
    /// There is none.
    None,
    /// What a person asks for is done, what has begun is ended, and nothing else.
    Full,
    /// The same, but a person has said that the other node is down: what it held is taken.
    ButForTheDead,
}

impl Stillness {
    /// Whether a group may be started for this reason. What the other node has stopped for us, or could not start, is on its
    /// way, whoever sent it.
    fn lets_start(self, reason: Reason, group: &Group) -> bool {
        match reason {
            _ if self == Self::None => true,
            Reason::Ceded | Reason::FailedThere => true,
            Reason::Retry => group.planned,
            Reason::PeerDied | Reason::FoundRunning => self == Self::ButForTheDead,
            _ => false,
        }
    }
}

/// What to do with a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
}

/// Why; for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// This node is the preferred one and nobody holds it.
    Preferred,
    /// The other node gave it up.
    Ceded,
    /// The other node could not start it.
    FailedThere,
    /// The other node is dead.
    PeerDied,
    /// The other node left.
    PeerLeft,
    /// Neither node holds it and the other one never will of itself.
    Orphaned,
    /// It was found running here at start.
    FoundRunning,
    /// It returns to its preferred node.
    Failback,
    /// An operator wants it on the other node.
    Standby,
    /// The other node asks for it: it is the preferred one (`auto_failback legacy`).
    AskedFor,
    /// This node stops.
    Leaving,
    /// Both nodes hold it, and this one yields (S7).
    Conflict,
    /// This node did not run for so long that the other may have taken it (S3).
    Stale,
    /// This node is cut off, and the other may take it.
    CutOff,
    /// An earlier attempt failed.
    Retry,
    /// It runs here and does not work.
    Broken,
    /// It is not in the file any more.
    Removed,
    /// Its interface has no carrier here, and the other node's has one.
    NoCarrier,
}

/// A group as both nodes are known to see it, with what the policy must remember of it.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// `None` until the first probe has answered.
    pub(super) mine: Option<Claim>,
    pub(super) theirs: Option<Stated>,
    pub(super) prefers_local: bool,
    /// It is not in the file any more: it is never started, and the peer hears nothing of it.
    pub(super) is_removed: bool,
    /// It came by a reload, so that others are known although it may not be.
    pub(super) is_late: bool,
    /// Found running at start and not yet adopted.
    pub(super) found: bool,
    /// It is to be stopped, whatever the policy says otherwise, and why.
    pub(super) ending: Option<Reason>,
    /// Part of the planned move that is under way.
    pub(super) planned: bool,
    /// And was given already: should it come back, it is not given once more.
    pub(super) given: bool,
    /// The other node holds it too and has to yield; this was told.
    pub(super) conflict_told: bool,
    /// It does not work here and stays all the same; this was told.
    pub(super) broken_told: bool,
    /// When it was found not to work here.
    pub(super) breakdowns: Breakdowns,
    /// It did not work here, and that is not forgotten yet.
    pub(super) is_unfit: bool,
    /// A failed stop is due again; after a failed start, nobody is to ask for it before.
    pub(super) retry_at: Instant,
    /// Since when this node holds it.
    pub(super) tenure: Option<Tenure>,
    /// Its failed starts here.
    pub(super) failures: Failures,
    /// Whether the nodes could run it.
    pub(super) readiness: Readiness,
    /// Whether its interfaces have a carrier.
    pub(super) carrier: Carrier,
}

/// How often a group was left to the other node because it did not work here. What works on neither node would go to
/// and fro for ever; so the node that it failed on counts as unfit for it, and longer each time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Breakdowns {
    lately: u32,
    unfit_until: Instant,
}

/// How long a node counts as unfit after the first time; twice that after the second, and so on.
const UNFIT: Duration = Duration::from_secs(600);
/// But not longer. A node that was fit for so long has forgotten what was before.
const UNFIT_AT_MOST: Duration = Duration::from_secs(24 * 60 * 60);

impl Breakdowns {
    /// Once more.
    pub(super) fn add(&mut self, now: Instant) {
        if now.since(self.unfit_until) >= UNFIT_AT_MOST {
            self.lately = 0;
        }
        let factor = 1_u32.checked_shl(self.lately).unwrap_or(u32::MAX);
        self.unfit_until = now + UNFIT.saturating_mul(factor).min(UNFIT_AT_MOST);
        self.lately = self.lately.saturating_add(1);
    }

    /// Whether the node counts as fit for the group.
    pub(super) fn are_over(&self, now: Instant) -> bool {
        self.unfit_until <= now
    }
}

impl Group {
    /// Not probed yet, and nothing heard of it.
    pub(super) fn new(prefers_local: bool) -> Self {
        Self {
            mine: None,
            theirs: None,
            prefers_local,
            is_removed: false,
            is_late: false,
            found: false,
            ending: None,
            planned: false,
            given: false,
            conflict_told: false,
            broken_told: false,
            breakdowns: Breakdowns::default(),
            is_unfit: false,
            retry_at: Instant::default(),
            tenure: None,
            failures: Failures::default(),
            readiness: Readiness::default(),
            carrier: Carrier::default(),
        }
    }

    /// What this node does with it; `None` while it is not known to hold it.
    pub(super) fn phase(&self) -> Option<Phase> {
        self.mine.and_then(Claim::phase)
    }

    /// Whether it may be running here: what was not probed may.
    pub(super) fn may_run(&self) -> bool {
        self.mine.is_none_or(Claim::is_held)
    }

    /// Whether this node took it because the peer was thought dead, and the peer has not heard of that.
    pub(super) fn is_taken(&self) -> bool {
        self.mine.is_some_and(Claim::is_taken)
    }

    /// Whether it is being started or runs here, and is to stay.
    pub(super) fn is_wanted_here(&self) -> bool {
        matches!(self.phase(), Some(Phase::Starting | Phase::Running)) && self.ending.is_none()
    }

    /// What the peer says of it.
    pub(super) fn their_claim(&self) -> Option<Claim> {
        self.theirs.map(|stated| stated.claim)
    }

    /// Whether the peer says that it holds it.
    pub(super) fn peer_holds(&self) -> bool {
        self.their_claim().is_some_and(Claim::is_held)
    }

    /// Whether the peer can be left a group that does not work here. It can't after it has failed with it itself, so
    /// no group goes to and fro; nor one of 3.0.6, which takes only all groups of a node together. Where its interface has
    /// no carrier the group would work for nobody.
    pub(super) fn may_be_left(&self, standing: Standing) -> bool {
        standing.relation == Relation::Talking
            && standing.peer_takes
            && standing.stillness == Stillness::None
            && self.peer_is_free()
            && self.carrier.there != Some(false)
    }

    /// It did not work here, or not when the other node left it to us.
    pub(super) fn note_breakdown(&mut self, now: Instant) {
        self.breakdowns.add(now);
        self.is_unfit = true;
    }

    /// What is said of it when it is neither held nor left to the other node: where it did not work it is not to fail back.
    pub(super) fn unheld(&self) -> Claim {
        if self.is_unfit {
            Claim::Waived
        } else {
            Claim::Free
        }
    }

    /// A claim of ours once the other node holds the group.
    pub(super) fn once_taken(&self, claim: Claim) -> Claim {
        match claim {
            Claim::Ceded if self.is_unfit => Claim::Failed,
            claim => claim.once_taken(),
        }
    }

    /// Whether the peer says that it neither holds it nor leaves it to this node.
    pub(super) fn peer_is_free(&self) -> bool {
        self.their_claim().is_some_and(Claim::is_free)
    }
}

/// Whether this node is the preferred one, where the files of both nodes are taken into account.
pub(super) fn prefers_me(group: &Group, wins_ties: bool) -> bool {
    match group.theirs {
        Some(stated) if stated.prefers_self == group.prefers_local => wins_ties,
        _ => group.prefers_local,
    }
}

/// The whole policy: what one group wants done, and why.
pub(super) fn wanted(
    group: &Group,
    standing: Standing,
    prefers_me: bool,
    now: Instant,
) -> Option<(Step, Reason)> {
    let Claim::Held { phase, .. } = group.mine? else {
        return wanted_free(group, standing, prefers_me, now);
    };
    let ending = if group.ending.is_some() {
        group.ending
    } else if standing.is_leaving {
        Some(Reason::Leaving)
    } else if yields(group, standing, prefers_me) {
        Some(Reason::Conflict)
    } else {
        None
    };
    match (phase, ending) {
        (Phase::Stopping, _) => None,
        (Phase::Unknown, ending) if group.found => match ending {
            Some(reason) => Some((Step::Stop, reason)),
            None if may_adopt(group, standing)
                && standing.stillness.lets_start(Reason::FoundRunning, group) =>
            {
                Some((Step::Start, Reason::FoundRunning))
            }
            None => None,
        },
        (Phase::Unknown, None) if standing.stillness != Stillness::None => None,
        (Phase::Unknown, _) => (group.retry_at <= now).then_some((Step::Stop, Reason::Retry)),
        (_, Some(reason)) => Some((Step::Stop, reason)),
        (Phase::Running, None) if fails_back(group, standing, prefers_me) => {
            Some((Step::Stop, Reason::Failback))
        }
        (Phase::Starting | Phase::Running, None) => None,
    }
}

/// A group that is not held here.
fn wanted_free(
    group: &Group,
    standing: Standing,
    prefers_me: bool,
    now: Instant,
) -> Option<(Step, Reason)> {
    if !standing.is_active || standing.is_leaving || group.is_removed {
        return None;
    }
    let mine = group.mine?;
    // On request it is tried again before it would be of itself.
    let rests_for_others = mine == Claim::Failed && group.retry_at > now;
    let rests = mine == Claim::Failed && group.failures.rest(now);
    let reason = match (standing.relation, group.their_claim()) {
        (Relation::Gone { .. }, _) if rests => return None,
        (Relation::Gone { .. }, _) if mine == Claim::Failed => Reason::Retry,
        (Relation::Gone { died: true }, _) => Reason::PeerDied,
        (Relation::Gone { died: false }, _) => Reason::PeerLeft,
        // What was ceded can be taken once: after a failed start it is the other's turn, whatever it said before.
        (Relation::Talking, Some(Claim::Ceded)) if mine != Claim::Failed => Reason::Ceded,
        // On request it is tried again here, but not over and over.
        (Relation::Talking, Some(Claim::HandedOver))
        | (Relation::Halves { .. }, Some(Claim::Ceded))
            if !rests_for_others =>
        {
            Reason::Ceded
        }
        (Relation::Talking, Some(Claim::Failed)) if mine != Claim::Failed => Reason::FailedThere,
        (Relation::Talking, Some(Claim::Failed)) if prefers_me && !rests => Reason::Retry,
        (Relation::Talking | Relation::Halves { .. }, Some(theirs))
            if theirs.is_free() && mine.is_free() && prefers_me =>
        {
            Reason::Preferred
        }
        (Relation::Halves { .. }, Some(theirs))
            if theirs.is_free() && mine == Claim::Failed && prefers_me && !rests =>
        {
            Reason::Retry
        }
        (Relation::Halves { settled: true }, Some(theirs)) if theirs.is_free() => match mine {
            Claim::Failed if rests => return None,
            Claim::Failed => Reason::Retry,
            _ => Reason::Orphaned,
        },
        _ => return None,
    };
    let may_start = standing.stillness.lets_start(reason, group);
    may_start.then_some((Step::Start, reason))
}

/// A group found running may be kept when nobody else can hold it.
fn may_adopt(group: &Group, standing: Standing) -> bool {
    match standing.relation {
        Relation::Gone { .. } => standing.is_active,
        Relation::Talking | Relation::Halves { .. } => {
            standing.is_active && group.theirs.is_some() && !group.peer_holds()
        }
        Relation::Unheard | Relation::InDoubt | Relation::Deaf { .. } => false,
    }
}

/// S7: both hold the group. Whoever is stopping it already goes on with that (it may have to, S3), so the
/// other keeps it. What is merely known to run yields to what is managed; whoever took it because the other
/// was thought dead yields to the one that had it all along; else the preferred node keeps it. Both nodes
/// come to opposite answers from the same facts.
pub(super) fn yields(group: &Group, standing: Standing, prefers_me: bool) -> bool {
    let (Some(Claim::Held { phase, taken }), Some(stated)) = (group.mine, group.theirs) else {
        return false;
    };
    let Claim::Held {
        phase: their_phase,
        taken: theirs_taken,
    } = stated.claim
    else {
        return false;
    };
    match standing.relation {
        Relation::Deaf { for_deadtime } => for_deadtime, // the other does not know of us and can't yield
        // Heartbeat 3.0.6 never gives up what it has claimed, unless it is about to stop.
        Relation::Halves { .. } => standing.peer_takes,
        Relation::Talking => {
            let only = |wanted| (phase == wanted) != (their_phase == wanted);
            if only(Phase::Stopping) {
                phase == Phase::Stopping
            } else if only(Phase::Unknown) {
                phase == Phase::Unknown
            } else if taken != theirs_taken {
                taken
            } else {
                !prefers_me
            }
        }
        Relation::Unheard | Relation::InDoubt | Relation::Gone { .. } => false,
    }
}

/// Whether it returns to its preferred node while it runs here.
pub(super) fn fails_back(group: &Group, standing: Standing, prefers_me: bool) -> bool {
    standing.fails_back
        && standing.peer_takes
        && standing.stillness == Stillness::None
        && standing.relation == Relation::Talking
        && !prefers_me
        && group.their_claim() == Some(Claim::Free)
        && group.carrier.there != Some(false)
}
