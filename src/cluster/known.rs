//! What two nodes know of each other's states, and which form of a heartbeat follows from it. What follows is in `short`.

use std::time::Duration;

use super::claims;
use super::outgoing::VIA;
use super::time::Instant;
use super::way;
use crate::message::{Field, Message, Short};

/// Name of the field.
pub(super) const FIELD: &str = "hs";
/// After so long a full heartbeat is sent again that the peer does not seem to know: about what one and the answer to it
/// take at 9600 baud.
const AGAIN: Duration = Duration::from_millis(600);
/// What differs between heartbeats that say the same.
const OF_ITS_OWN: [&str; 5] = [way::FIELD, FIELD, VIA, "seq", "auth"];
/// The word of the claims that does: how many heartbeats came directly before.
const SUPERSEDED: usize = 4;

/// What is known of states, ours and the peer's.
#[derive(Debug, Default)]
pub(super) struct Shorts {
    /// The state that we said last, and in which run.
    said: Message,
    pub(super) said_in: Option<u64>,
    /// With which number it began.
    pub(super) since: u64,
    /// The last full heartbeat that serial lines got, and when.
    full: Option<(u64, Instant)>,
    /// The peer says what it knows.
    pub(super) peer_says: bool,
    /// The newest heartbeat of ours whose state the peer knows.
    pub(super) peer_knows: Option<u64>,
    /// The newest heartbeat of the peer whose state we know, as it was said, and its number.
    heard: Message,
    pub(super) heard_number: Option<u64>,
    /// Generation and number of the newest that proved nothing but life.
    pub(super) counted: (u64, u64),
    /// When that came: in the peer's rhythm it is a heartbeat like any other.
    pub(super) lived: Option<Instant>,
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
    pub(super) fn say(&mut self, message: &Message, generation: u64, next: u64, row: u64) {
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
    pub(super) fn is_enough(&mut self, next: u64, now: Instant) -> bool {
        let is_known = self.peer_knows.is_some_and(|known| known >= self.since);
        if is_known {
            return true;
        }
        // Whoever does not know our run can't tell who sends a short one.
        let is_under_way = self.peer_knows.is_some()
            && self
                .full
                .is_some_and(|(number, at)| number >= self.since && now.since(at) < AGAIN);
        if !is_under_way {
            self.full = Some((next, now));
        }
        is_under_way
    }

    /// Keeps the state that a full heartbeat says.
    pub(super) fn hear(&mut self, message: &Message, number: u64) {
        self.heard.clear();
        for field in message.fields().filter(|field| !is_its_own(field)) {
            let _ = self.heard.push(field); // it was in a message
        }
        self.heard_number = Some(number);
    }

    /// Writes the full heartbeat that a short one stands for into `message`; false where its state is not known.
    pub(super) fn expand(&self, short: &Short, message: &mut Message) -> bool {
        if self.heard_number.is_none_or(|known| known < short.since) {
            return false;
        }
        message.copy_from(&self.heard);
        message.push_fmt("seq", format_args!("{:x}", short.number));
        message.push_fmt(VIA, format_args!("{:x}", short.via));
        push_number(message, way::FIELD, short.hears);
        push_number(message, FIELD, short.has);
        true
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

/// Adds a field with this number, or with a dash.
pub(super) fn push_number(message: &mut Message, name: &str, number: Option<u64>) {
    match number {
        Some(number) => message.push_fmt(name, format_args!("{number:x}")),
        None => message.push_text(name, "-"),
    }
}
