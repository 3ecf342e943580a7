//! Short heartbeats on serial lines, between two nodes of ours: "I am still in the state that you know".
//!
//! In each heartbeat to a node of ours, a node with a serial line says in the field `hs=<number>`, hex, which heartbeat of the
//! other one is the newest whose state it knows, or `-` while it knows none. Heartbeat 3.0.6 ignores the field and never says
//! it, so it gets full heartbeats only.
//!
//! **Sending.** A *state* is all that a heartbeat says but its number, what it hears and what it knows. It begins with the
//! first heartbeat that says it, and anew after every other numbered message, so that all numbers from there on are
//! heartbeats that say the same. Once the peer knows a number of it, serial lines get the short form. Where it does
//! not, a full one goes out, and again after [`AGAIN`]; those between are short, so that a slow line which is busy with
//! a full one still brings a sign of life behind it. What the peer knows is forgotten with its run, and when it is not
//! heard.
//!
//! **Receiving.** A short heartbeat whose state is known is turned into the full one that it stands for, and goes the way of
//! that: number, gaps, links, claims. One whose state is not known proves that its sender lives and that the link
//! works, if its number is higher than all that were heard before; nothing else is taken from it, and its number is not
//! taken for heard. Of a run that is not known, or not any more, it proves nothing.

use std::time::Duration;

use super::claims::{self, hex};
use super::directions;
use super::ear::Copy as Heard;
use super::outgoing::VIA;
use super::refusals::RefusalKind;
use super::{Cluster, Instant, LinkId, NodeStatus};
use crate::message::{Field, Message, Rejection, Short, SignedShort, Track};

/// Name of the field.
pub(super) const FIELD: &str = "hs";
/// After so long a full heartbeat is sent again that the peer does not seem to know: about what one and the answer to it
/// take at 9600 baud.
const AGAIN: Duration = Duration::from_millis(600);
/// What differs between heartbeats that say the same.
const OF_ITS_OWN: [&str; 5] = [directions::FIELD, FIELD, VIA, "seq", "auth"];
/// The word of the claims that does: how many heartbeats came directly before.
const SUPERSEDED: usize = 4;

/// What is known of states, ours and the peer's.
#[derive(Debug, Default)]
pub(super) struct Shorts {
    /// The state that we said last, and in which run.
    said: Message,
    said_in: Option<u64>,
    /// With which number it began.
    since: u64,
    /// The last full heartbeat that serial lines got, and when.
    full: Option<(u64, Instant)>,
    /// The peer says what it knows.
    peer_says: bool,
    /// The newest heartbeat of ours whose state the peer knows.
    peer_knows: Option<u64>,
    /// The newest heartbeat of the peer whose state we know, as it was said, and its number.
    heard: Message,
    heard_number: Option<u64>,
    /// Generation and number of the newest that proved nothing but life.
    counted: (u64, u64),
}

impl Shorts {
    /// The peer is dead or runs anew, or what it said is not to be relied on any more.
    pub(super) fn forget(&mut self) {
        (self.peer_says, self.peer_knows) = (false, None);
        (self.full, self.heard_number) = (None, None);
    }

    /// Its state has to be told anew.
    pub(super) fn forget_state(&mut self) {
        self.heard_number = None;
    }

    /// Takes note of what a heartbeat says that is about to get the number `next`, of which so many in a row before it were
    /// heartbeats.
    fn say(&mut self, message: &Message, generation: u64, next: u64, row: u64) {
        if self.said_in.is_some_and(|before| before != generation) {
            (self.peer_knows, self.full) = (None, None); // that was of another stream
        }
        if self.said_in != Some(generation) || !says_the_same(&self.said, message) {
            self.said.copy_from(message);
            (self.said_in, self.since) = (Some(generation), next);
        }
        self.since = self.since.max(next.saturating_sub(row));
    }

    /// Whether the short form of heartbeat `next` is enough.
    fn is_enough(&mut self, next: u64, now: Instant) -> bool {
        if self.peer_knows.is_some_and(|known| known >= self.since) {
            return true;
        }
        let is_under_way = self
            .full
            .is_some_and(|(number, at)| number >= self.since && now.since(at) < AGAIN);
        if !is_under_way {
            self.full = Some((next, now));
        }
        is_under_way
    }

    /// Keeps the state that a full heartbeat says.
    fn hear(&mut self, message: &Message, number: u64) {
        self.heard.clear();
        for field in message.fields().filter(|field| !is_its_own(field)) {
            let _ = self.heard.push(field); // it was in a message
        }
        self.heard_number = Some(number);
    }

    /// Writes the full heartbeat that a short one stands for into `message`; false where its state is not known.
    fn expand(&self, short: &Short, message: &mut Message) -> bool {
        if self.heard_number.is_none_or(|known| known < short.since) {
            return false;
        }
        message.copy_from(&self.heard);
        message.push_fmt("seq", format_args!("{:x}", short.number));
        message.push_fmt(VIA, format_args!("{:x}", short.via));
        push_number(message, directions::FIELD, short.hears);
        push_number(message, FIELD, short.has);
        true
    }
}

impl Cluster {
    /// Adds the field to the heartbeat begun last, where it may be of use.
    pub(super) fn push_known_state(&mut self) {
        if self.says_links() && self.links.has_serial() {
            push_number(self.outgoing.message(), FIELD, self.shorts.heard_number);
        }
    }

    /// The short form of the heartbeat begun last, where serial lines are to get that.
    pub(super) fn shorten(&mut self) -> Option<Short> {
        if !self.shorts.peer_says || !self.links.has_serial() {
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
        let is_there = matches!(self.peer.status, NodeStatus::Up | NodeStatus::Active);
        if !is_there || !self.peer.heard_in_this_run || self.peer.is_classic {
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

    /// Life, and a link that works; nothing else is known.
    fn sign_of_life(&mut self, link: LinkId, short: &Short, now: Instant) {
        let number = short.number;
        let said = (self.peer.generation, number);
        if number <= self.peer.incoming.highest() || said <= self.shorts.counted {
            return;
        }
        self.shorts.counted = said;
        self.note_life(now);
        if let Some(run) = &mut self.peer.former {
            run.doubt();
        }
        self.note_link(link, now);
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

    fn keys(&self) -> &crate::message::Keys {
        &self.settings.keys
    }

    fn refuse_short(&mut self, kind: RefusalKind, link: LinkId, why: Rejection, now: Instant) {
        self.refuse(kind, link, format_args!("{why}"), now);
    }
}

/// Whether two heartbeats say the same state.
fn says_the_same(one: &Message, other: &Message) -> bool {
    let states = [one, other].map(|message| message.fields().filter(|field| !is_its_own(field)));
    let [mut one, mut other] = states;
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if is_same(&one, &other) => {}
            _ => return false,
        }
    }
}

fn is_same(one: &Field<'_>, other: &Field<'_>) -> bool {
    if (one.kind, one.name) != (other.kind, other.name) || one.name != claims::FIELD.as_bytes() {
        return one == other;
    }
    let lasting = |value| {
        let words = <[u8]>::split(value, |&byte| byte == b' ').enumerate();
        words.filter(|(place, _)| *place != SUPERSEDED)
    };
    lasting(one.value).eq(lasting(other.value))
}

fn is_its_own(field: &Field<'_>) -> bool {
    OF_ITS_OWN.iter().any(|name| name.as_bytes() == field.name)
}

fn push_number(message: &mut Message, name: &str, number: Option<u64>) {
    match number {
        Some(number) => message.push_fmt(name, format_args!("{number:x}")),
        None => message.push_text(name, "-"),
    }
}
