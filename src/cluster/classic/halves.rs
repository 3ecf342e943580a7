//! What a peer of heartbeat 3.0.6 has told: it speaks of groups by halves, *local* and *foreign*, and hands them over
//! in a dialogue.

use crate::cluster::claims::{Claim, Phase};
use crate::cluster::movement::Selection;
use crate::cluster::policy::Reason;
use crate::cluster::time::Instant;

/// Where the dialogue is. Selections are in our own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::cluster) enum Dialogue {
    /// There is none.
    #[default]
    None,
    /// We offered these groups.
    Asked {
        /// What is offered.
        ours: Selection,
        /// Why.
        reason: Reason,
        /// When we take the offer back.
        until: Instant,
    },
    /// The peer takes them; we stop them.
    Giving {
        /// What is given.
        ours: Selection,
        /// Number of the message that agreed.
        since: u64,
    },
    /// We said that they are stopped; the peer starts them.
    Given {
        /// What was given.
        ours: Selection,
        /// Number of the message that agreed.
        since: u64,
        /// When we stop waiting for its word.
        until: Instant,
    },
    /// The peer offers these groups and stops them.
    Accepted {
        /// What it gives.
        ours: Selection,
        /// Number of its offer.
        since: u64,
        /// It has begun to stop them. Until it says so, its `done` belongs to something else, such as a dialogue with
        /// an earlier run of ours.
        has_begun: bool,
        /// The number of its `done`, which may overtake the word that it has begun.
        done: Option<u64>,
        /// When we stop waiting for its word.
        until: Instant,
    },
    /// It said that they are stopped; we start them.
    Taking {
        /// What we take.
        ours: Selection,
    },
}

impl Dialogue {
    /// When something has to be done about it even if nothing is heard.
    pub(in crate::cluster) const fn until(self) -> Option<Instant> {
        match self {
            Self::Asked { until, .. }
            | Self::Given { until, .. }
            | Self::Accepted { until, .. } => Some(until),
            Self::None | Self::Giving { .. } | Self::Taking { .. } => None,
        }
    }
}

/// An offer of the peer.
#[derive(Debug, Clone, Copy)]
pub(in crate::cluster) struct Offer {
    /// What, in our terms.
    pub(in crate::cluster) ours: Selection,
    /// Number of the message.
    pub(in crate::cluster) number: u64,
    /// Until when it waits for an answer.
    pub(in crate::cluster) until: Instant,
}

/// A claim that contradicts what the peer has said.
#[derive(Debug, Clone, Copy)]
pub(in crate::cluster) struct Dispute {
    /// From then on it is believed.
    pub(in crate::cluster) until: Instant,
    /// The peer was asked to give once more what it claims.
    pub(in crate::cluster) is_asked: bool,
}

/// Two halves of the groups, as this node calls them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::cluster) struct Halves {
    local: bool,
    foreign: bool,
}

impl Halves {
    /// From the word of the other node, for which local is foreign and foreign local.
    pub(in crate::cluster) fn from_the_other(word: &str) -> Option<Self> {
        let (foreign, local) = match word {
            "none" => (false, false),
            "local" => (true, false),
            "foreign" => (false, true),
            "all" => (true, true),
            _ => return None,
        };
        Some(Self { local, foreign })
    }

    /// Whether all of these are among them.
    pub(in crate::cluster) fn has(self, selection: Selection) -> bool {
        Self::from(selection).without(self) == Self::default()
    }

    pub(in crate::cluster) const fn joined(self, other: Self) -> Self {
        Self {
            local: self.local || other.local,
            foreign: self.foreign || other.foreign,
        }
    }

    pub(in crate::cluster) const fn without(self, other: Self) -> Self {
        Self {
            local: self.local && !other.local,
            foreign: self.foreign && !other.foreign,
        }
    }

    const fn selection(self) -> Option<Selection> {
        match (self.local, self.foreign) {
            (true, true) => Some(Selection::All),
            (true, false) => Some(Selection::Local),
            (false, true) => Some(Selection::Foreign),
            (false, false) => None,
        }
    }

    const fn shared(self, other: Self) -> Self {
        Self {
            local: self.local && other.local,
            foreign: self.foreign && other.foreign,
        }
    }
}

impl From<Selection> for Halves {
    fn from(selection: Selection) -> Self {
        Self {
            local: selection.includes(true),
            foreign: selection.includes(false),
        }
    }
}

/// What such a peer has told since the conversation began. Void with every new epoch.
#[derive(Debug, Clone, Default)]
pub(in crate::cluster) struct ClassicPeer {
    /// The halves that it holds, once it said so.
    pub(in crate::cluster) holds: Option<Halves>,
    /// It wants nothing more.
    pub(in crate::cluster) is_stable: bool,
    /// It does not claim these any more, but has not said that they are stopped.
    releasing: Halves,
    /// These came to us because somebody wanted it so, and don't go back of themselves.
    pub(in crate::cluster) waived: Halves,
    /// The end of a takeover made it claim these while it was giving them.
    claimed_in_passing: Halves,
    /// It gave us these and claims them all the same, because of such an end, and has not been heard since without
    /// claiming them: either nothing runs there, or the takeover started it while it was being given.
    disowned: Halves,
    /// It has settled and goes on to claim those.
    pub(in crate::cluster) dispute: Option<Dispute>,
    /// Number of the newest message that said something of this.
    pub(in crate::cluster) number: u64,
    /// The standby dialogue.
    pub(in crate::cluster) dialogue: Dialogue,
    /// What it offered and we have not answered yet.
    pub(in crate::cluster) offered: Option<Offer>,
    /// When to ask for what it holds.
    pub(in crate::cluster) ask_at: Option<Instant>,
    /// When to say again that we are settled.
    pub(in crate::cluster) confirm_at: Option<Instant>,
    /// When that was said because old words were sent again.
    pub(in crate::cluster) said_again_at: Option<Instant>,
    /// When groups may be offered again, after the peer did not take them.
    pub(in crate::cluster) offer_at: Option<Instant>,
    /// How often they were offered.
    pub(in crate::cluster) offers: u32,
}

impl ClassicPeer {
    /// What it counts for: of the groups that prefer this node (`true`), or of the others.
    pub(in crate::cluster) fn claim_of(&self, local: bool) -> Option<Claim> {
        let held = Claim::held(Phase::Running);
        let half = if local {
            Selection::Local
        } else {
            Selection::Foreign
        };
        let claims = self.holds?.joined(self.releasing).has(half);
        Some(match self.dialogue {
            Dialogue::Taking { ours } if ours.includes(local) => Claim::Ceded,
            Dialogue::Given { ours, .. } if ours.includes(local) => held,
            _ if claims => held,
            _ if self.waived.has(half) => Claim::Waived,
            _ => Claim::Free,
        })
    }

    /// It is about to stop these; what it holds of them counts as held until it says that it is done.
    pub(in crate::cluster) fn expect_release(&mut self, selection: Selection) {
        let released = self.holds.unwrap_or_default().shared(selection.into());
        self.releasing = self.releasing.joined(released);
    }

    /// It said that it has taken what we gave; what it said before it did tells nothing of that.
    pub(in crate::cluster) fn has_taken(&mut self, selection: Selection, number: u64) {
        self.number = self.number.max(number);
        let taken = selection.into();
        self.holds = self.holds.map(|halves| halves.joined(taken));
        self.disowned = self.disowned.without(taken);
    }

    /// It said that it has stopped these, for us.
    pub(in crate::cluster) fn has_given(&mut self, selection: Selection, number: u64) {
        self.number = self.number.max(number);
        let given = selection.into();
        self.holds = self.holds.map(|halves| halves.without(given));
        self.releasing = self.releasing.without(given);
        self.waived = self.waived.joined(given);
        let in_passing = std::mem::take(&mut self.claimed_in_passing);
        self.disowned = self.disowned.joined(in_passing.shared(given));
    }

    /// It takes over, for whatever reason: what it claims from here on, it runs.
    pub(in crate::cluster) fn takes_over(&mut self) {
        self.disowned = Halves::default();
    }

    /// What it gave and goes on to claim now that it has settled.
    pub(in crate::cluster) fn claims_what_it_gave(&self) -> Option<Selection> {
        let is_repeated = self.is_settled();
        self.disowned.selection().filter(|_| is_repeated)
    }

    /// It did not give them again: its claims count.
    pub(in crate::cluster) fn believe_disowned(&mut self) {
        let disowned = std::mem::take(&mut self.disowned);
        self.holds = self.holds.map(|halves| halves.joined(disowned));
        self.dispute = None;
    }

    /// A `resource` message: `is_full` where it replaces what was known instead of adding to it.
    pub(in crate::cluster) fn told(
        &mut self,
        number: u64,
        said: Halves,
        is_full: bool,
        is_stable: Option<bool>,
    ) {
        self.number = number;
        let claimed = self.disowned.shared(said);
        if is_full {
            self.disowned = claimed;
        }
        let said = said.without(claimed);
        if !is_full && matches!(self.dialogue, Dialogue::Accepted { .. }) {
            self.claimed_in_passing = self.claimed_in_passing.joined(said);
        }
        let before = self.holds.unwrap_or_default();
        self.holds = match self.holds {
            _ if is_full => Some(said),
            // What scripts say adds to what is known; of what it does not speak, nothing is known by it.
            Some(before) if said != Halves::default() => Some(before.joined(said)),
            Some(_) => Some(said),
            None => None,
        };
        match is_stable {
            Some(true) => {
                self.is_stable = true;
                if !matches!(self.dialogue, Dialogue::Accepted { .. }) {
                    self.releasing = Halves::default();
                }
            }
            Some(false) => {
                self.is_stable = false;
                // The claim is dropped when the stopping begins; only a later message says that it is done.
                self.releasing = self.releasing.joined(before);
            }
            None => {}
        }
    }

    /// Nothing of it will be started or stopped unless somebody asks for it.
    pub(in crate::cluster) fn is_settled(&self) -> bool {
        self.is_stable && self.dialogue == Dialogue::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: Claim = Claim::held(Phase::Running);
    const LOCAL: Halves = Halves {
        local: true,
        foreign: false,
    };
    const FOREIGN: Halves = Halves {
        local: false,
        foreign: true,
    };

    /// It holds these; what it said has numbers up to 5.
    fn peer(holds: Halves) -> ClassicPeer {
        ClassicPeer {
            holds: Some(holds),
            number: 5,
            ..ClassicPeer::default()
        }
    }

    fn accepted(ours: Selection) -> Dialogue {
        Dialogue::Accepted {
            ours,
            since: 1,
            has_begun: false,
            done: None,
            until: Instant::default(),
        }
    }

    fn given(ours: Selection) -> Dialogue {
        Dialogue::Given {
            ours,
            since: 1,
            until: Instant::default(),
        }
    }

    /// Its claims on our half and on its own.
    fn claims(peer: &ClassicPeer) -> [Option<Claim>; 2] {
        [true, false].map(|local| peer.claim_of(local))
    }

    #[test]
    fn its_words_mean_the_other_half() {
        for (word, expected) in [
            ("none", Some(Halves::default())),
            ("local", Some(FOREIGN)),
            ("foreign", Some(LOCAL)),
            ("all", Some(LOCAL.joined(FOREIGN))),
            ("transition", None),
        ] {
            assert_eq!(Halves::from_the_other(word), expected, "{word}");
        }
    }

    #[test]
    fn it_holds_what_it_claims_and_what_was_given_to_it_and_leaves_what_it_gave() {
        let free = Some(Claim::Free);
        assert_eq!(claims(&ClassicPeer::default()), [None, None]);
        assert_eq!(claims(&peer(FOREIGN)), [free, Some(HELD)]);
        let mut waiving = peer(Halves::default());
        waiving.waived = LOCAL;
        assert_eq!(claims(&waiving), [Some(Claim::Waived), free]);
        let mut gives = peer(Halves::default());
        gives.dialogue = Dialogue::Taking {
            ours: Selection::Foreign,
        };
        assert_eq!(claims(&gives), [free, Some(Claim::Ceded)]);
        let mut takes = peer(FOREIGN);
        takes.dialogue = given(Selection::Local);
        assert_eq!(claims(&takes), [Some(HELD), Some(HELD)]);
        takes.holds = Some(Halves::default());
        assert_eq!(claims(&takes), [Some(HELD), free]);
    }

    #[test]
    fn what_it_is_about_to_stop_counts_as_held_until_it_says_that_it_is_stopped() {
        let mut peer = peer(FOREIGN);
        peer.dialogue = accepted(Selection::Foreign);
        peer.expect_release(Selection::Foreign);
        peer.told(6, Halves::default(), true, Some(true));
        assert_eq!(
            claims(&peer),
            [Some(Claim::Free), Some(HELD)],
            "in the dialogue"
        );
        peer.has_given(Selection::Foreign, 7);
        assert_eq!(claims(&peer), [Some(Claim::Free), Some(Claim::Waived)]);
        assert_eq!(peer.number, 7);
        let mut peer = self::peer(FOREIGN);
        peer.expect_release(Selection::Foreign);
        peer.told(6, Halves::default(), true, Some(true));
        assert_eq!(
            claims(&peer),
            [Some(Claim::Free); 2],
            "no dialogue is under way"
        );
    }

    #[test]
    fn what_it_took_it_holds_and_is_told_by_later_words_only() {
        let mut peer = peer(FOREIGN);
        peer.disowned = LOCAL;
        peer.has_taken(Selection::Local, 9);
        assert_eq!(claims(&peer), [Some(HELD), Some(HELD)]);
        assert_eq!((peer.number, peer.disowned), (9, Halves::default()));
    }

    #[test]
    fn what_scripts_say_adds_to_what_is_known_and_what_the_daemon_says_replaces_it() {
        for (before, said, is_full, after) in [
            (Some(FOREIGN), LOCAL, false, Some(LOCAL.joined(FOREIGN))),
            (
                Some(FOREIGN),
                Halves::default(),
                false,
                Some(Halves::default()),
            ),
            (Some(FOREIGN), LOCAL, true, Some(LOCAL)),
            (
                Some(FOREIGN),
                Halves::default(),
                true,
                Some(Halves::default()),
            ),
            (None, LOCAL, false, None),
            (None, LOCAL, true, Some(LOCAL)),
        ] {
            let mut peer = peer(FOREIGN);
            peer.holds = before;
            peer.told(6, said, is_full, None);
            assert_eq!(peer.holds, after, "{before:?} {said:?} {is_full}");
        }
    }

    #[test]
    fn what_it_claims_in_passing_while_it_gives_is_doubted_and_nothing_else() {
        for (is_full, dialogue, is_doubted) in [
            (false, accepted(Selection::Foreign), true),
            (true, accepted(Selection::Foreign), false),
            (false, Dialogue::None, false),
        ] {
            let mut peer = peer(FOREIGN);
            peer.dialogue = dialogue;
            peer.told(6, FOREIGN, is_full, None);
            peer.has_given(Selection::Foreign, 7);
            let expected = if is_doubted {
                FOREIGN
            } else {
                Halves::default()
            };
            assert_eq!(peer.disowned, expected, "{is_full} {dialogue:?}");
        }
    }

    #[test]
    fn it_has_settled_when_it_says_so_and_no_dialogue_is_under_way() {
        for (is_stable, dialogue, expected) in [
            (true, Dialogue::None, true),
            (false, Dialogue::None, false),
            (true, given(Selection::All), false),
        ] {
            let mut peer = peer(FOREIGN);
            (peer.is_stable, peer.dialogue, peer.disowned) = (is_stable, dialogue, FOREIGN);
            assert_eq!(peer.is_settled(), expected);
            let claimed = expected.then_some(Selection::Foreign);
            assert_eq!(peer.claims_what_it_gave(), claimed);
        }
    }
}
