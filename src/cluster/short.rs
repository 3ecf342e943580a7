//! Short heartbeats on serial lines, between two nodes of ours: "I am still in the state that you know".
//!
//! In each heartbeat to a node of ours, a node with a serial line says in the field `hs=<number>`, hex, which heartbeat of the
//! other one is the newest whose state it knows, or `-` while it knows none. Heartbeat 3.0.6 ignores the field and never says
//! it, so it gets full heartbeats only.
//!
//! **Sending.** A *state* is all that a heartbeat says but its number, what it hears and what it knows. It begins with the
//! first heartbeat that says it, and anew after every other numbered message, so that all numbers from there on are
//! heartbeats that say the same. Once the peer knows a number of it, serial lines get the short form. Where it knows
//! another state of this run, a full one goes out, and again after a while; those between are short, so that a slow line
//! which is busy with a full one still brings a sign of life behind it. Where it knows none, all are full: nothing else
//! makes a new run known. What the peer knows is forgotten with its run, and when it is not heard.
//!
//! **Receiving.** A short heartbeat whose state is known is turned into the full one that it stands for, and goes the way of
//! that: number, gaps, links, claims. One whose state is not known proves that its sender lives and that the link
//! works, if its number is higher than all that were heard before; nothing else is taken from it, and its number is not
//! taken for heard. Of a run that is not known, or not any more, it proves nothing.

use super::claims::hex;
use super::ear::Copy as Heard;
use super::known::{FIELD, push_number};
use super::quality::Heard as Delivered;
use super::refusals::RefusalKind;
use super::{Cluster, Instant, LinkId, NodeStatus};
use crate::message::{Keys, Message, Rejection, Short, SignedShort, Track};

impl Cluster {
    /// Adds the field to the heartbeat begun last, where it may be of use.
    pub(super) fn push_known_state(&mut self) {
        if self.says_links() && self.links.has_serial() {
            push_number(self.outgoing.message(), FIELD, self.shorts.heard_number);
        }
    }

    /// The short form of the heartbeat begun last, where serial lines are to get that.
    pub(super) fn shorten(&mut self) -> Option<Short> {
        if !self.spares_serial() {
            self.shorts.said_in = None; // this heartbeat may say another state than the last one noted
            return None;
        }
        if self.now.since(self.peer.last_heard) >= self.patience() {
            self.shorts.peer_knows = None; // it may run anew by now, and know nothing
        }
        let next = self.outgoing.last().saturating_add(1);
        let (generation, row) = (
            self.outgoing.identity().generation,
            self.outgoing.heartbeats_in_a_row(),
        );
        self.shorts
            .say(self.outgoing.message(), generation, next, row);
        self.shorts.is_enough(next, self.now).then_some(Short {
            number: next,
            since: self.shorts.since,
            via: 0,
            hears: self.directions.stated,
            has: self.shorts.heard_number,
        })
    }

    /// Whether serial lines carry no more than they must: the peer has shown that it is one of ours, with such a line itself.
    pub(super) fn spares_serial(&self) -> bool {
        self.shorts.peer_says && self.links.has_serial()
    }

    /// What a heartbeat of the peer says that it knows of the run `answering` of ours.
    pub(super) fn known_state_heard(&mut self, message: &Message, answering: Option<u64>) {
        let text = message.text(FIELD);
        let is_ours = answering == Some(self.settings.generation);
        self.shorts.peer_says = text.is_some();
        self.shorts.peer_knows = text.and_then(hex).filter(|_| is_ours);
    }

    /// A full heartbeat was taken in.
    pub(super) fn state_heard(&mut self, message: &Message, number: u64) {
        if self.links.has_serial() && !self.peer.is_classic && self.claims_number == number {
            self.shorts.hear(message, number);
        }
    }

    /// A line came in that looks like a short heartbeat.
    pub(super) fn receive_short(&mut self, link: LinkId, line: &[u8], now: Instant) {
        let signed = match SignedShort::parse(line) {
            Ok(signed) => signed,
            Err(rejection) => {
                return self.refuse_short(RefusalKind::Malformed, link, rejection, now);
            }
        };
        let is_dead = self.peer.status == NodeStatus::Dead;
        if is_dead || !self.peer.heard_in_this_run || self.peer.is_classic {
            return; // it speaks to a former run of ours, or is a recording: a full one has to come first
        }
        let short = signed.short;
        let key = match signed.verify(self.track_of_peer(self.peer.generation), self.keys()) {
            Ok(key) => key,
            Err(_) if self.is_known_stray(&signed, now) => return,
            Err(rejection) => {
                return self.refuse_short(RefusalKind::NotAuthentic, link, rejection, now);
            }
        };
        let mut message = std::mem::take(&mut self.inbox);
        if self.shorts.expand(&short, &mut message) {
            if let Err(kind) = self.admit(link, key, &message, Some(&short), now) {
                let number = short.number;
                self.refuse(kind, link, format_args!("short heartbeat {number}"), now);
            }
        } else {
            self.sign_of_life(link, &short, now);
        }
        self.inbox = message;
    }

    /// The newest number of the peer's run that was heard, be it of a sign of life.
    pub(super) fn newest_heard(&self) -> u64 {
        let highest = self.peer.incoming.highest();
        match self.shorts.counted {
            (run, number) if run == self.peer.generation => highest.max(number),
            _ => highest,
        }
    }

    /// The peer is not there any more: what it had said before its last sign of life, and what got lost, is no news when
    /// it comes.
    pub(super) fn forget_missing(&mut self) {
        let newest = self.newest_heard();
        self.peer.incoming.forget_missing(newest);
    }

    /// Life, and a link that works; nothing else is known.
    fn sign_of_life(&mut self, link: LinkId, short: &Short, now: Instant) {
        let number = short.number;
        let said = (self.peer.generation, number);
        if number <= self.peer.incoming.highest() || said <= self.shorts.counted {
            return;
        }
        self.shorts.counted = said;
        self.tell_late(self.shorts.lived.max(self.peer.last_heartbeat), now);
        self.shorts.lived = Some(now);
        self.note_life(now);
        if let Some(run) = &mut self.peer.former {
            run.doubt();
        }
        self.note_link(link, now);
        let heard = Delivered {
            number,
            is_heartbeat: true,
            is_copy: false,
            was_asked: false,
        };
        self.qualities.hear(link, heard, now);
        let (keepalive, longest) = (self.settings.keepalive, self.peer.deadtime / 2);
        let copy = Heard {
            number,
            first: now,
            now,
            is_short: true,
        };
        let directions = &mut self.directions;
        for (ears, place) in [
            (&mut directions.ours, link.0),
            (&mut directions.theirs, short.via),
        ] {
            ears.hear(usize::from(place), copy, keepalive, longest);
        }
    }

    /// Our own words, which come back where two wires touch, and what the peer's former run said last.
    fn is_known_stray(&self, signed: &SignedShort<'_>, now: Instant) -> bool {
        let own = Track {
            from: &self.settings.local_node,
            to: &self.settings.peer_node,
            generation: self.settings.generation,
        };
        let is_ours = || signed.verify(own, self.keys()).is_ok();
        let is_leftover = |generation| {
            let track = self.track_of_peer(generation);
            self.is_leftover(generation, now) && signed.verify(track, self.keys()).is_ok()
        };
        let former = self.peer.former.as_ref().map(|run| run.generation);
        former.is_some_and(is_leftover) || is_ours()
    }

    fn track_of_peer(&self, generation: u64) -> Track<'_> {
        Track {
            from: &self.settings.peer_node,
            to: &self.settings.local_node,
            generation,
        }
    }

    fn keys(&self) -> &Keys {
        &self.settings.keys
    }

    fn refuse_short(&mut self, kind: RefusalKind, link: LinkId, why: Rejection, now: Instant) {
        self.refuse(kind, link, format_args!("{why}"), now);
    }
}
