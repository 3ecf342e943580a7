//! Links in both directions. Each node tells the other which of its links it hears, in two fields that heartbeat 3.0.6
//! ignores:
//!
//! - `via=<number>`, hex, in each copy of a heartbeat: the link by which the sender sends that copy, counted from 0 in
//!   the order of its own `ha.cf`;
//! - `hl=<bits>`, hex, in a heartbeat: a bit for each of those numbers that the sender of this heartbeat hears of the other
//!   node lately, or `-` while it has heard no copy that bears one.
//!
//! The sender alone says what its links are called, and gets its own numbers back. So the two files may name their links
//! as they like, in any order, and a cable between two ports of different names is one link for both. The numbers hold
//! for one run of the sender: with its next one they are forgotten.
//!
//! `hl` goes to every node of ours, and copies bear a number once the other node was seen to say `hl`.
//!
//! Nothing of this keeps a node alive or lets it die: that is for deadtime, and one link in one direction (S1).

use std::time::Duration;

use super::claims::hex;
use super::ear::Copy as Heard;
use super::link_report::LinkReport;
use super::outgoing::VIA;
use super::report::Report;
use super::way::{Directions, FIELD, Lasting, Left, Way};
use super::{Cluster, Instant, LinkId, NodeStatus, Relation};
use crate::message::Message;

impl Cluster {
    /// In which directions `link` works, as far as is known now.
    pub fn way(&self, link: LinkId) -> Way {
        let is_there = matches!(self.peer.status, NodeStatus::Up | NodeStatus::Active);
        if !is_there || self.peer.has_left {
            return Way::Neither;
        }
        let ours = &self.directions.ours;
        let is_heard = self.links.is_up(link) && ours.is_open(usize::from(link.0));
        // What it said last says nothing of now once it is not heard any more.
        let answered = self.directions.answered.filter(|_| ours.any_is_open());
        let bit = 1_u64.checked_shl(u32::from(link.0)).unwrap_or(0);
        match (is_heard, answered.map(|bits| bits & bit != 0)) {
            (true, Some(true)) => Way::Both,
            (true, Some(false)) => Way::OnlyIn,
            (true, None) => Way::Heard,
            (false, Some(true)) => Way::OnlyOut,
            (false, _) => Way::Neither,
        }
    }

    /// Since when, and by which link alone, the nodes hear each other; `None` while more than one works in both
    /// directions, and where there is only one in the file. The link is `None` where they do by different ones there and
    /// back.
    pub fn jeopardy(&self) -> Option<(Instant, Option<LinkId>)> {
        let since = self.directions.jeopardy?;
        let link = match self.directions.left.told {
            Left::One(link) => Some(link),
            Left::Enough | Left::None => None,
        };
        Some((since, link))
    }

    /// Whether the peer is heard and does not say that it hears us on no link: else nothing can be settled with it. Where
    /// messages are merely lost now and then, what is to be settled takes longer.
    pub(super) fn can_be_answered(&self) -> bool {
        !self.directions.is_unanswered
    }

    /// When nothing has got through there and back for too long.
    fn judge_answers(&mut self, now: Instant) -> Option<Instant> {
        let wait = self.patience();
        let directions = &mut self.directions;
        let gets_through = directions.ours.any_is_open() && directions.answered != Some(0);
        if gets_through || self.peer.is_classic {
            (directions.unanswered_since, directions.is_unanswered) = (None, false);
            return None;
        }
        let at = *directions.unanswered_since.get_or_insert(now) + wait;
        directions.is_unanswered = at <= now;
        (at > now).then_some(at)
    }

    /// A copy of a heartbeat of the peer came in, on `link` where it is the first one there. Two copies come on one link where
    /// two links of the peer lead to it, as to a switch. True where it tells of a link what no copy did before, which is to be
    /// judged.
    pub(super) fn copy_heard(
        &mut self,
        link: Option<LinkId>,
        message: &Message,
        (number, is_short): (u64, bool),
        now: Instant,
    ) -> bool {
        let incoming = &mut self.peer.incoming;
        let (keepalive, deadtime) = (self.settings.keepalive, self.peer.deadtime);
        let (directions, longest) = (&mut self.directions, deadtime / 2);
        if let Some(link) = link {
            let first = incoming.first_heard(number).unwrap_or(now);
            let copy = Heard {
                number,
                first,
                now,
                is_short,
            };
            let place = usize::from(link.0);
            directions.ours.hear(place, copy, keepalive, longest);
        }
        let mut tells = link.is_some();
        let via = message.text(VIA).and_then(hex);
        if let Some(via) = via.and_then(|via| u8::try_from(via).ok())
            && let Some(first) = incoming.came_by(number, via, deadtime, now)
        {
            let copy = Heard {
                number,
                first,
                now,
                is_short,
            };
            let place = usize::from(via);
            directions.theirs.hear(place, copy, keepalive, longest);
            tells = true;
        }
        tells
    }

    /// What a heartbeat of a peer of ours says that it hears; `answering` is the run of ours that it has heard.
    pub(super) fn links_heard(&mut self, message: &Message, answering: Option<u64>) {
        let bits = message.text(FIELD);
        self.directions.peer_wants_names = bits.is_some();
        self.directions.answered = match answering {
            None => Some(0), // whoever has heard nothing of us does so on no link
            Some(run) if run == self.settings.generation => bits.and_then(hex),
            Some(_) => None,
        };
    }

    /// A peer of heartbeat 3.0.6 does not say what it hears.
    pub(super) fn no_links_heard(&mut self) {
        self.directions.peer_wants_names = false;
        self.directions.answered = None;
        self.shorts.forget();
    }

    /// The peer is dead or runs anew: of its links nothing is known.
    pub(super) fn forget_directions(&mut self) {
        self.directions = Directions::default();
        self.shorts.forget();
    }

    /// Adds the field to the heartbeat begun last, where somebody understands it.
    pub(super) fn push_links(&mut self) {
        if !self.says_links() {
            return;
        }
        let bits = self.directions.theirs.bits();
        self.directions.stated = bits;
        let message = self.outgoing.message();
        match bits {
            Some(bits) => message.push_fmt(FIELD, format_args!("{bits:x}")),
            None => message.push_text(FIELD, "-"),
        }
    }

    /// Whether the peer has shown that it is one of ours.
    pub(super) fn says_links(&self) -> bool {
        self.peer.last_heartbeat.is_some() && !self.peer.is_classic
    }

    /// Judges what is silent, and tells people and the peer what has changed.
    pub(super) fn judge_directions(&mut self, now: Instant) {
        let keepalive = self.settings.keepalive;
        let directions = &mut self.directions;
        directions.ours.judge(keepalive, now);
        directions.theirs.judge(keepalive, now);
        let lost = self.judge_answers(now);
        let directions = &self.directions;
        let silence = [&directions.ours, &directions.theirs].map(|ears| ears.next(keepalive));
        let mut next = silence.into_iter().flatten().min();
        if self.says_links() && self.directions.theirs.bits() != self.directions.stated {
            // A link that comes and goes must not make a storm.
            let at = self.last_heartbeat + keepalive / 8;
            self.heartbeat_is_due |= at <= now;
            next = next.into_iter().chain((at > now).then_some(at)).min();
        }
        let told = self.tell_ways(now);
        let left = self.judge_left(now);
        let next = next.into_iter().chain(told).chain(left).chain(lost).min();
        // Beside heartbeat 3.0.6 nothing depends on it, and our own heartbeats are soon enough.
        self.directions.next = next.filter(|_| self.says_links());
    }

    /// When there is something to judge.
    pub(super) fn next_direction(&self) -> Option<Instant> {
        self.directions.next
    }

    /// How long a change must last before it is told: one for the worse, and any other, which may be part of coming up.
    fn before_telling(&self) -> (Duration, Duration) {
        (self.patience(), self.peer.deadtime)
    }

    /// Whatever is worse and lasts so long is no chance: more than a few messages were lost, or links that are cut or
    /// plugged in one after the other.
    pub(super) fn patience(&self) -> Duration {
        (self.settings.keepalive * 2).max(self.peer.deadtime / 2)
    }

    /// Tells of links that became one-way or are not any more. When there may be more to tell.
    fn tell_ways(&mut self, now: Instant) -> Option<Instant> {
        if !self.directions.ours.any_is_open() {
            return None; // what is silent altogether is not a matter of one link
        }
        let wait = self.before_telling();
        let mut next: Option<Instant> = None;
        for number in 0..self.links.count() {
            let link = LinkId(number);
            let way = self.way(link);
            let place = usize::from(number);
            if self.directions.told.len() <= place {
                self.directions.told.push(Lasting::default());
            }
            let Some(lasting) = self.directions.told.get_mut(place) else {
                continue;
            };
            lasting.see(now, way, way == Way::Both);
            match lasting.due(wait) {
                Some(at) if at <= now => {
                    let before = lasting.tell();
                    self.tell_way(link, before, way);
                }
                due => next = next.into_iter().chain(due).min(),
            }
        }
        next
    }

    fn tell_way(&mut self, link: LinkId, before: Way, way: Way) {
        let (node, link) = (self.peer_name(), self.links.name(link).to_owned());
        let was_one_way = matches!(before, Way::OnlyIn | Way::OnlyOut);
        self.report(Report::Link(match way {
            Way::OnlyIn | Way::OnlyOut => LinkReport::OneWay {
                node,
                link,
                is_heard: way == Way::OnlyIn,
            },
            Way::Both if was_one_way => LinkReport::BothWays { node, link },
            Way::Neither if was_one_way => LinkReport::NoWay { node, link },
            Way::Both | Way::Heard | Way::Neither => return,
        }));
    }

    /// Raises the alarm when no second link is left, and ends it. When there may be more to tell.
    fn judge_left(&mut self, now: Instant) -> Option<Instant> {
        let relation = self.standing().relation;
        let is_talking = matches!(relation, Relation::Talking | Relation::Halves { .. });
        if !is_talking || self.peer.is_leaving || !self.directions.ours.any_is_open() {
            return None;
        }
        let is_known = self.peer.is_classic || self.directions.answered.is_some();
        if self.links.count() < 2 || !is_known {
            return None; // that the file has only one is told at the start
        }
        let left = self.left();
        let wait = self.before_telling();
        let lasting = &mut self.directions.left;
        lasting.see(now, left, left == Left::Enough);
        let due = lasting.due(wait)?;
        if due > now {
            return Some(due);
        }
        lasting.tell();
        let node = self.peer_name();
        let link = match left {
            Left::Enough => {
                self.directions.jeopardy = None;
                self.report(Report::Link(LinkReport::JeopardyOver { node }));
                return None;
            }
            Left::One(link) => Some(self.links.name(link).to_owned()),
            Left::None => None,
        };
        self.directions.jeopardy.get_or_insert(now);
        self.report(Report::Link(LinkReport::Jeopardy { node, link }));
        None
    }

    fn left(&self) -> Left {
        let all = (0..self.links.count()).map(LinkId);
        let mut works = all.filter(|link| matches!(self.way(*link), Way::Both | Way::Heard));
        match (works.next(), works.next()) {
            (Some(_), Some(_)) => Left::Enough,
            (Some(link), None) => Left::One(link),
            (None, _) => Left::None,
        }
    }
}
