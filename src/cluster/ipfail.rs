//! `ipfail`: resources leave a node that sees fewer ping nodes than the other one. They go by a planned move like
//! any other, so nothing is ever started before it was stopped; and nowhere while the other node is not there.
//!
//! Two nodes of ours tell each other in every heartbeat how many ping nodes answer, in one field that heartbeat 3.0.6
//! ignores: `hp=<answering> <fresh> <all>`, decimal. *Answering* are those that were not silent for deadping, *fresh*
//! those of them that have answered for four keepalives at least, and last within two. Who sees fewer answering than are
//! fresh at the other node gives up what it holds, if that is still so after two more keepalives. So a ping node that
//! falls silent for both moves nothing, whoever notices first: long before it is dead for one it is no longer fresh for
//! the other. Nor does one that answers for a moment.

use std::time::Duration;

use super::claims::Leaving;
use super::classic::Dialogue;
use super::giveup::{Giveup, OldIpfail, Word};
use super::movement::{MoveProgress, MoveRefusal, MoveRequest, Selection};
use super::moves::Asker;
use super::ping::PingCounts;
use super::ping_report::PingReport;
use super::report::Report;
use super::{Cluster, FailbackCondition, Instant, NodeStatus, Relation};
use crate::config::AutoFailback;
use crate::message::Message;

/// Name of the field.
pub(super) const FIELD: &str = "hp";

/// Pause after a move that came to nothing; it doubles each time.
const TRY_AGAIN: Duration = Duration::from_secs(60);
/// The longest such pause.
const TRY_SELDOM: Duration = Duration::from_secs(3600);
/// Resources wait longer each time before they come back to a node that lost its network within this time.
const UNSTEADY: Duration = Duration::from_secs(3600);
/// The longest that they wait.
const LONGEST_CALM: Duration = Duration::from_secs(600);

/// How the two nodes compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Balance {
    /// Fewer answer here.
    Fewer,
    /// As many or more.
    Even,
    /// It can't be told yet which.
    Open,
    /// There is nothing to compare with.
    Unknown,
}

impl Cluster {
    /// Whether anything follows from ping nodes.
    pub(super) fn has_ipfail(&self) -> bool {
        self.settings.ping.ipfail
            && !self.pings.is_empty()
            && self.settings.auto_failback != AutoFailback::Legacy
    }

    /// What our heartbeats say of them: nothing to a node that does not understand it.
    pub(super) fn stated_pings(&self, now: Instant) -> Option<PingCounts> {
        let listens = self.peer.heard_in_this_run && !self.peer.is_classic;
        (listens && self.has_ipfail()).then(|| self.ping_counts(now))
    }

    /// What a heartbeat of the peer says of them.
    pub(super) fn pings_heard(&mut self, message: &Message, now: Instant) {
        let counts = message.text(FIELD).and_then(PingCounts::parse);
        self.ipfail.theirs = counts.map(|counts| (counts, now));
    }

    /// Whether the peer is known to see fewer ping nodes than this node: nothing goes back to it by itself.
    pub(super) fn peer_sees_less(&self) -> bool {
        self.has_ipfail()
            && self.ipfail.theirs.is_some_and(|(theirs, _)| {
                let mine = self.ping_counts(self.now);
                theirs.all == mine.all && theirs.answering < mine.answering
            })
    }

    /// Does what follows from how many ping nodes answer here and there.
    pub(super) fn pursue_ipfail(&mut self, now: Instant) {
        if !self.has_ipfail() {
            return;
        }
        self.note_move_of_ipfail(now);
        if self.holds_still() {
            self.abort_giveup();
            return;
        }
        if self.peer.is_classic && self.peer.status != NodeStatus::Dead {
            self.pursue_old_ipfail(now);
            return;
        }
        let balance = self.balance(now);
        self.tell_answer(now);
        self.note_overruling(balance == Balance::Fewer);
        match balance {
            Balance::Fewer => {
                self.ipfail.even_since = None;
                if self.may_give_up(now) {
                    self.report(Report::Ping(PingReport::Fewer));
                    self.delay_giveup(Selection::All, Word::Sure, now);
                }
                self.give_up_in_time(now);
            }
            Balance::Even => {
                self.ipfail.overruled = false;
                self.abort_giveup();
                let since = *self.ipfail.even_since.get_or_insert(now);
                self.take_back(since, now);
            }
            Balance::Open => self.ipfail.even_since = None,
            Balance::Unknown => {
                self.ipfail.even_since = None;
                self.abort_giveup();
            }
        }
    }

    /// What the peer said before counts no more: it, or we, begin anew.
    pub(super) fn forget_peer_s_pings(&mut self) {
        self.ipfail.theirs = None;
        self.ipfail.asked = None;
        self.ipfail.even_since = None;
        self.ipfail.old = OldIpfail::default();
        self.abort_giveup();
    }

    /// The operator moves something: that is not ours to undo.
    pub(super) fn operator_moves(&mut self, request: MoveRequest) {
        self.ipfail.gave_with = None;
        self.ipfail.old.gave = false;
        if matches!(request, MoveRequest::Takeover(_)) && self.sees_less() {
            self.ipfail.overruled = true;
            self.abort_giveup();
        }
    }

    /// The other node is to tell how many it sees: one of ours does so in its next heartbeats.
    pub(super) fn ask_for_count(&mut self, now: Instant) {
        self.report(Report::Ping(PingReport::Asking));
        if self.peer.is_classic {
            self.send_count(now);
        } else {
            self.ipfail.asked = Some(now);
        }
    }

    /// Tells what came of a question, once the other node has had the time to see the same.
    fn tell_answer(&mut self, now: Instant) {
        let (Some(asked), Some((theirs, heard))) = (self.ipfail.asked, self.ipfail.theirs) else {
            return;
        };
        if heard < asked + self.settings.keepalive * 2 {
            return;
        }
        self.ipfail.asked = None;
        let mine = self.ping_counts(now);
        if mine.answering > theirs.answering {
            self.report(Report::Ping(PingReport::More));
        } else if mine.answering == theirs.answering {
            if self.ipfail.giveup.is_none() {
                self.report(Report::Ping(PingReport::NothingToAbort));
            }
            self.report(Report::Ping(PingReport::Balanced));
        }
    }

    fn balance(&mut self, now: Instant) -> Balance {
        let is_ready = self.status == NodeStatus::Active
            && self.leaving == Leaving::No
            && self.standing().relation == Relation::Talking;
        let Some((theirs, heard)) = self.ipfail.theirs.filter(|_| is_ready) else {
            return Balance::Unknown;
        };
        let mine = self.ping_counts(now);
        let differ = mine.all != theirs.all;
        if !std::mem::replace(&mut self.ipfail.differ_told, differ) && differ {
            self.report(Report::Ping(PingReport::Differ {
                node: self.peer_name(),
                ours: mine.all,
                theirs: theirs.all,
            }));
        }
        let is_news = now.since(heard) < self.settings.keepalive * 2;
        if differ {
            Balance::Unknown
        } else if mine.answering >= theirs.answering {
            Balance::Even
        } else if mine.answering < theirs.fresh && is_news {
            Balance::Fewer
        } else {
            Balance::Open
        }
    }

    /// Whether the peer is known to see more.
    pub(super) fn sees_less(&self) -> bool {
        let mine = self.ping_counts(self.now);
        self.ipfail
            .theirs
            .is_some_and(|(theirs, _)| mine.answering < theirs.answering)
    }

    /// What the peer hands over although fewer answer here, it does so because somebody wants it.
    pub(super) fn note_overruling(&mut self, sees_less: bool) {
        let is_given = matches!(self.classic.dialogue, Dialogue::Taking { .. })
            || self.ownership.is_handed_over();
        if sees_less && is_given {
            self.ipfail.overruled = true;
            self.abort_giveup();
        }
    }

    /// Whether a give-up may begin.
    pub(super) fn may_give_up(&self, now: Instant) -> bool {
        self.ipfail.giveup.is_none()
            && self.ipfail.move_number.is_none()
            && !self.ipfail.overruled
            && self.ipfail.again_at <= now
            && self.ownership.holds_of(Selection::All)
    }

    /// As many answer here again as there.
    pub(super) fn even_again(&mut self) {
        self.ipfail.overruled = false;
    }

    /// Resources go in two keepalives, unless things change.
    pub(super) fn delay_giveup(&mut self, what: Selection, word: Word, now: Instant) {
        let delay = self.settings.keepalive * 2;
        self.report(Report::Ping(PingReport::Delayed {
            seconds: delay.as_secs(),
        }));
        self.ipfail.giveups += 1;
        self.ipfail.giveup = Some(Giveup {
            at: now + delay,
            what,
            word,
            refused: None,
        });
    }

    /// What was about to go stays.
    pub(super) fn abort_giveup(&mut self) {
        if self.ipfail.giveup.take().is_some() {
            let number = self.ipfail.giveups;
            self.report(Report::Ping(PingReport::Aborted { number }));
        }
    }

    /// Gives up what is about to go, once it is time and can be done.
    pub(super) fn give_up_in_time(&mut self, now: Instant) {
        let Some(giveup) = self.ipfail.giveup.filter(|giveup| giveup.at <= now) else {
            return;
        };
        let request = MoveRequest::Standby(giveup.what);
        match self.refuses(request) {
            None => {
                self.ipfail.giveup = None;
                self.report(Report::Ping(PingReport::Called));
                if giveup.what == Selection::All {
                    self.note_loss(now);
                }
                self.begin_move_of_ipfail(request, now);
            }
            Some(MoveRefusal::NothingToMove) => self.abort_giveup(),
            Some(refusal) => {
                if giveup.refused != Some(refusal) {
                    self.report(Report::Ping(PingReport::Waits { refusal }));
                }
                self.ipfail.giveup = Some(Giveup {
                    refused: Some(refusal),
                    ..giveup
                });
            }
        }
    }

    fn note_loss(&mut self, now: Instant) {
        let is_unsteady = self.ipfail.losses > 0 && now.since(self.ipfail.lost_at) < UNSTEADY;
        let ipfail = &mut self.ipfail;
        ipfail.losses = if is_unsteady {
            ipfail.losses.saturating_add(1)
        } else {
            1
        };
        ipfail.lost_at = now;
        let answering = self.ping_counts(now).answering;
        self.ipfail.gave_with = Some(answering);
    }

    fn begin_move_of_ipfail(&mut self, request: MoveRequest, now: Instant) {
        self.start_move(request, Asker::Ipfail, now);
        self.ipfail.move_number = self.movement.map(|movement| movement.number);
    }

    /// What became of the move that `ipfail` began.
    fn note_move_of_ipfail(&mut self, now: Instant) {
        let Some(number) = self.ipfail.move_number else {
            return;
        };
        let movement = self.movement.filter(|movement| movement.number == number);
        match movement.map(|movement| movement.progress) {
            Some(MoveProgress::Failed(_)) => {
                let pause = TRY_AGAIN * 2_u32.saturating_pow(self.ipfail.failures.min(8));
                self.ipfail.again_at = now + pause.min(TRY_SELDOM);
                self.ipfail.failures = self.ipfail.failures.saturating_add(1);
                self.ipfail.move_number = None;
            }
            Some(MoveProgress::Done) => {
                self.ipfail.failures = 0;
                self.ipfail.move_number = None;
            }
            Some(_) => {}
            None => self.ipfail.move_number = None,
        }
    }

    /// With `auto_failback on` this node takes back what prefers it, once it sees more than when it gave that up, as
    /// many as the other, and has done so for a while.
    fn take_back(&mut self, even_since: Instant, now: Instant) {
        let Some(gave_with) = self.ipfail.gave_with else {
            return;
        };
        let is_back = self.ping_counts(now).answering > gave_with;
        let is_wanted = self.settings.auto_failback == AutoFailback::On;
        if !is_back || !is_wanted || now < even_since + self.calm() || now < self.ipfail.again_at {
            return;
        }
        let request = MoveRequest::Takeover(Selection::Local);
        match self.refuses(request) {
            None if self.settings.failback != FailbackCondition::Nothing => {
                self.report(Report::Ping(PingReport::TakingBack));
                self.ipfail.gave_with = None;
                self.want_back();
            }
            None => {
                self.report(Report::Ping(PingReport::TakingBack));
                self.begin_move_of_ipfail(request, now);
            }
            Some(MoveRefusal::NothingToMove) if self.ipfail.move_number.is_none() => {
                self.ipfail.gave_with = None;
            }
            Some(_) => {}
        }
    }

    /// How long all must be well before resources come back: longer each time that they had to go again.
    fn calm(&self) -> Duration {
        let times = self.ipfail.losses.saturating_sub(1).min(16);
        let deadping = self.settings.ping.deadping;
        let calm = deadping.saturating_mul(2_u32.saturating_pow(times));
        calm.min(LONGEST_CALM.max(deadping))
    }
}
