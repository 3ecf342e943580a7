//! A peer that runs heartbeat 3.0.6. It knows groups only by halves, *local* and *foreign*, and tells of them in
//! `starting` and `resource` messages. What it tells becomes claims like any other; what it is told is a
//! projection of ours.
//!
//! It starts its own half when we say that we are settled and don't hold it, everything when we die or leave, and
//! else only what the standby dialogue gives it. It never yields: whatever both hold, we give up.

use std::time::Duration;

use super::claims::{Claim, Leaving, Phase};
use super::dialogue::Dialogue;
use super::movement::Selection;
use super::report::Report;
use super::{Cluster, Holdings, Instant, NodeStatus, Relation};
use crate::config::AutoFailback;
use crate::message::Message;

/// Pause between two questions for what the peer holds.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Two halves of the groups, as this node calls them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Halves {
    local: bool,
    foreign: bool,
}

impl Halves {
    /// From the word of the other node, for which local is foreign and foreign local.
    fn from_the_other(word: &str) -> Option<Self> {
        let (foreign, local) = match word {
            "none" => (false, false),
            "local" => (true, false),
            "foreign" => (false, true),
            "all" => (true, true),
            _ => return None,
        };
        Some(Self { local, foreign })
    }

    pub(super) const fn has(self, local: bool) -> bool {
        if local { self.local } else { self.foreign }
    }

    pub(super) const fn and(self, selection: Selection) -> Self {
        Self {
            local: self.local || selection.includes(true),
            foreign: self.foreign || selection.includes(false),
        }
    }

    pub(super) const fn without(self, selection: Selection) -> Self {
        Self {
            local: self.local && !selection.includes(true),
            foreign: self.foreign && !selection.includes(false),
        }
    }

    const fn joined(self, other: Self) -> Self {
        Self {
            local: self.local || other.local,
            foreign: self.foreign || other.foreign,
        }
    }
}

/// What such a peer has told since the conversation began. Void with every new epoch.
#[derive(Debug, Clone, Default)]
pub(super) struct ClassicPeer {
    /// The halves that it holds, once it said so.
    pub(super) holds: Option<Halves>,
    /// It wants nothing more.
    pub(super) is_stable: bool,
    /// It does not claim these any more, but has not said that they are stopped.
    releasing: Halves,
    /// These came to us because somebody wanted it so, and don't go back of themselves.
    pub(super) waived: Halves,
    /// Number of the newest message that said something of this.
    pub(super) number: u64,
    /// The standby dialogue.
    pub(super) dialogue: Dialogue,
    /// When to ask for what it holds.
    pub(super) ask_at: Option<Instant>,
    /// When groups may be offered again, after the peer did not take them.
    pub(super) offer_at: Option<Instant>,
}

impl ClassicPeer {
    /// What it counts for: of the groups that prefer this node (`true`), or of the others.
    fn claim_of(&self, local: bool) -> Option<Claim> {
        let held = Claim::Held {
            phase: Phase::Running,
            taken: false,
        };
        let claims = self.holds?.joined(self.releasing).has(local);
        Some(match self.dialogue {
            Dialogue::Taking { ours } if ours.includes(local) => Claim::Ceded,
            Dialogue::Given { ours, .. } if ours.includes(local) => held,
            _ if claims => held,
            _ if self.waived.has(local) => Claim::Waived,
            _ => Claim::Free,
        })
    }

    /// It is about to stop these; what it holds of them counts as held until it says that it is done.
    pub(super) fn expect_release(&mut self, selection: Selection) {
        let holds = self.holds.unwrap_or_default();
        let kept = holds.without(selection);
        self.releasing = self.releasing.joined(Halves {
            local: holds.local && !kept.local,
            foreign: holds.foreign && !kept.foreign,
        });
    }

    /// These were said to be stopped.
    pub(super) fn forget_release(&mut self, selection: Selection) {
        self.releasing = self.releasing.without(selection);
    }

    /// Nothing of it will be started or stopped unless somebody asks for it.
    pub(super) fn is_settled(&self) -> bool {
        self.is_stable && self.dialogue == Dialogue::None
    }
}

impl Cluster {
    /// Whether halves are talked about with this peer.
    pub(super) fn speaks_of_halves(&self) -> bool {
        self.peer.is_classic && self.settings.auto_failback != AutoFailback::Legacy
    }

    /// The relation with a living peer of this kind.
    pub(super) fn classic_relation(&self) -> Relation {
        let is_known = self.classic.holds.is_some() || self.legacy.is_open();
        if self.peer.status != NodeStatus::Active || !is_known {
            return Relation::Unheard;
        }
        Relation::Halves {
            settled: self.classic.is_settled() && !self.peer.is_leaving,
        }
    }

    /// Keeps the conversation going.
    pub(super) fn converse(&mut self, now: Instant) {
        let both = self.status == NodeStatus::Active && self.peer.status == NodeStatus::Active;
        if !self.peer.is_classic || !both || self.peer.has_left || self.leaving != Leaving::No {
            return;
        }
        if !self.speaks_of_halves() {
            self.ask_for_groups(now);
            return;
        }
        if self.classic.holds.is_none() && self.classic.ask_at.is_none_or(|at| at <= now) {
            self.classic.ask_at = Some(now + ASK_AGAIN);
            self.send_starting();
            self.announced = None; // to be asked unsettles the peer until it hears of us again
        }
        self.judge_dialogue(now);
        self.offer_failback(now);
    }

    /// `starting`: the peer has become active and asks what we hold.
    pub(super) fn starting_heard(&mut self) {
        if !self.speaks_of_halves() || self.leaving != Leaving::No {
            return;
        }
        self.classic.is_stable = false;
        if self.status == NodeStatus::Active {
            self.announced = None;
            self.announce_now();
        }
    }

    /// `resource`: what the peer holds.
    pub(super) fn holdings_heard(&mut self, message: &Message, number: u64) -> bool {
        let Some(said) = message.text("rsc_hold").and_then(Halves::from_the_other) else {
            return false;
        };
        if !self.speaks_of_halves() || number <= self.classic.number {
            return true; // overtaken by a newer one
        }
        let classic = &mut self.classic;
        classic.number = number;
        let before = classic.holds.unwrap_or_default();
        let adds = message.text("rtype") != Some("full") && said != Halves::default();
        let holds = if adds { before.joined(said) } else { said };
        classic.holds = Some(holds);
        let was_stable = classic.is_stable;
        match message.text("isstable") {
            Some("1") => {
                classic.is_stable = true;
                if !matches!(classic.dialogue, Dialogue::Accepted { .. }) {
                    classic.releasing = Halves::default();
                }
            }
            Some(_) => {
                classic.is_stable = false;
                // The claim is dropped when the stopping begins; only a later message says that it is done.
                classic.releasing = classic.releasing.joined(before);
            }
            None => {}
        }
        let settles = classic.is_stable && !was_stable;
        if message.text("info") == Some("shutdown") {
            self.peer.is_leaving = true;
        }
        self.apply_claims();
        if settles {
            self.report(Report::PeerSettled);
            self.announced = None;
        }
        true
    }

    /// What the peer told becomes its claims on the groups.
    pub(super) fn apply_claims(&mut self) {
        let classic = &self.classic;
        self.ownership.hear_halves(|local| classic.claim_of(local));
    }

    /// Tells the peer what we hold, when that has changed.
    pub(super) fn announce(&mut self) {
        let is_of_use = self.speaks_of_halves()
            && self.status == NodeStatus::Active
            && self.leaving == Leaving::No
            && self.classic.dialogue == Dialogue::None
            && self.classic.holds.is_some()
            && !matches!(self.standing().relation, Relation::Gone { .. });
        if is_of_use {
            self.announce_now();
        }
    }

    fn announce_now(&mut self) {
        let now = (self.settled_holdings(), self.is_settled());
        if self.announced != Some(now) {
            self.announced = Some(now);
            self.send_holdings(now.0, now.1, None);
        }
    }

    /// Whether this node has what it wants and nothing is on the move.
    fn is_settled(&self) -> bool {
        self.has_settled
            && !self.ownership.is_moving()
            && self.ownership.is_known()
            && self.classic.dialogue == Dialogue::None
    }

    /// What we hold when nothing is on the move. A half without groups is held by nobody; it is claimed where
    /// the peer would otherwise complain that nobody has it.
    pub(super) fn settled_holdings(&self) -> Holdings {
        let alone = self.peer.has_left || self.peer.status == NodeStatus::Dead;
        let theirs = self.classic.holds.unwrap_or_default();
        let local = match self.ownership.has_any(true) {
            true => self.ownership.holds_any_of(true),
            false => !theirs.has(true),
        };
        let foreign = match self.ownership.has_any(false) {
            true => self.ownership.holds_any_of(false),
            false => alone || (self.classic.waived.has(false) && !theirs.has(false)),
        };
        Holdings::new(local, foreign)
    }

    /// The peer has declared us dead, although we hear it: it does not hear us, and takes everything.
    pub(super) fn obituary_heard(&mut self, message: &Message, number: u64) {
        let is_ours = message
            .text("node")
            .is_some_and(|node| node.eq_ignore_ascii_case(&self.settings.local_node));
        // Only news: what comes late tells of a death that was over before we talked, and nobody is held for dead
        // sooner than after deadtime.
        let is_news = number == self.peer.incoming.highest()
            && matches!(self.standing().relation, Relation::Halves { .. })
            && self.now.since(self.epoch_began) >= self.settings.deadtime;
        if is_ours && is_news && self.leaving == Leaving::No {
            self.report(Report::PeerHoldsUsForDead {
                node: self.peer_name(),
            });
            self.begin_new_run();
        }
    }

    /// `query-cstatus`: whether a program is connected to this node. None ever is.
    pub(super) fn answer_client_query(&mut self, message: &Message) {
        let (Some(client), Some(asking)) = (message.text("cn"), message.text("from_id")) else {
            return;
        };
        let answer = self.begin_to_peer("respond-cstatus");
        answer.push_text("result", "OK");
        answer.push_text("cn", client);
        answer.push_text("to_id", asking);
        answer.push_text("cs", "offline");
        self.finish(false);
    }
}
