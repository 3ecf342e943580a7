//! What a heartbeat of the peer states of its groups.

use super::claims::{self, Heading, Leaving};
use super::movement::MoveFailure;
use super::report::Report;
use super::{Cluster, Instant};

impl Cluster {
    /// What it states, where it is one of ours.
    pub(super) fn claims_heard(
        &mut self,
        heading: Heading,
        states: &[claims::Stated],
        number: u64,
        now: Instant,
    ) {
        self.peer.is_classic = false;
        self.told.classic = false;
        self.peer
            .incoming
            .supersede(number.saturating_sub(heading.superseded), number);
        let answering = Some((self.peer.generation, heading.epoch));
        if self.answering != answering {
            self.answering = answering;
            self.heartbeat_is_due = true;
        }
        self.peer.is_leaving = heading.leaving != Leaving::No;
        let is_agreed = heading.answering == Some((self.settings.generation, self.epoch));
        if is_agreed {
            self.resolve_doubt();
            self.unanswered_since = None;
            self.told.deaf = false;
            self.former_deadtime = None; // it has heard what we say since the last reload
        } else {
            self.unanswered_since.get_or_insert(now);
        }
        let was_agreed = std::mem::replace(&mut self.is_agreed, is_agreed);
        if is_agreed && !was_agreed {
            self.maintenance.forget_known();
            self.send_hardware();
            self.meet_again(now);
            self.begin_agreement(now);
        }
        let is_same = self.ownership.hear(heading.digest, states, is_agreed);
        if !is_same {
            self.fail_move(MoveFailure::FilesDiffer); // nothing is heard any more of what was to move
        }
        self.heartbeat_is_due |= self.ownership.take_news();
        if !std::mem::replace(&mut self.told.files_differ, !is_same) && !is_same {
            self.report(Report::FilesDiffer {
                node: self.peer_name(),
            });
        }
        self.tell_about_preferences(states, is_same);
        if heading.leaving == Leaving::Stopped
            && !states.iter().any(|stated| stated.claim.is_held())
        {
            self.peer_left();
        }
    }

    fn tell_about_preferences(&mut self, states: &[claims::Stated], is_same: bool) {
        let differ = is_same
            && self
                .ownership
                .stated()
                .zip(states)
                .any(|(mine, theirs)| mine.prefers_self == theirs.prefers_self);
        if !std::mem::replace(&mut self.told.preferences_differ, differ) && differ {
            self.report(Report::PreferencesDiffer {
                node: self.peer_name(),
            });
        }
    }

    /// It states nothing: it runs heartbeat 3.0.6.
    pub(super) fn no_claims_heard(&mut self) {
        self.is_agreed = false;
        self.resolve_doubt();
        self.no_links_heard();
        self.unanswered_since = None; // it never answers
        self.peer.is_classic = true;
        if !std::mem::replace(&mut self.told.classic, true) {
            self.report(Report::PeerIsClassic {
                node: self.peer_name(),
            });
        }
    }
}
