//! Both directions of the numbered stream: sending, receiving, acknowledging, asking again and answering.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use heartbeat::cluster::{Action, Instant, LinkId, NodeStatus, Packet};
use heartbeat::message::{Keys, Message, open, seal};

use super::words::{Heard, Wish, Words};
use super::{OldPeer, Rng};

/// Sent messages that are kept.
const HISTORY: usize = 500;
/// Acknowledged messages are kept so long.
const KEPT: Duration = Duration::from_millis(2500);
/// A larger gap is not followed.
const LARGEST_GAP: u64 = 250;
/// Answers to one request.
const BATCH: u64 = 50;
/// Every so many numbers are acknowledged.
const RHYTHM: u64 = 10;

struct Sent {
    number: u64,
    at: Instant,
    packet: Rc<Packet>,
    resent: Option<Instant>,
}

/// What was sent in this run.
pub struct Delivery {
    last: u64,
    history: VecDeque<Sent>,
    /// The newest number that is not kept any more.
    dropped: u64,
    /// The highest acknowledgement of the peer.
    acknowledged: u64,
    /// It acknowledges its own words, too.
    own_trigger: u64,
    own_acknowledged: u64,
}

impl Delivery {
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            last: 0,
            history: VecDeque::new(),
            dropped: 0,
            acknowledged: 0,
            own_trigger: rng.below(RHYTHM),
            own_acknowledged: 0,
        }
    }

    /// The peer runs anew and has acknowledged nothing.
    pub fn forget_acknowledgement(&mut self) {
        self.acknowledged = 0;
    }

    fn keep(&mut self, number: u64, at: Instant, packet: Rc<Packet>) {
        if self.history.len() == HISTORY
            && let Some(oldest) = self.history.pop_front()
        {
            self.dropped = self.dropped.max(oldest.number);
        }
        self.history.push_back(Sent {
            number,
            at,
            packet,
            resent: None,
        });
    }

    fn prune(&mut self, through: u64, now: Instant) {
        let is_done = |sent: &Sent| sent.number <= through && now.since(sent.at) > KEPT;
        while self.history.front().is_some_and(is_done) {
            let oldest = self.history.pop_front().map_or(0, |sent| sent.number);
            self.dropped = self.dropped.max(oldest);
        }
    }
}

/// The peer's numbered stream.
pub struct Stream {
    last: Option<u64>,
    /// When each missing number is asked for next.
    missing: BTreeMap<u64, Instant>,
    trigger: u64,
    acknowledged: u64,
}

enum Arrival {
    Accepted { acknowledge: Option<u64> },
    Duplicate,
    Dropped,
}

impl Stream {
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            last: None,
            missing: BTreeMap::new(),
            trigger: rng.below(RHYTHM),
            acknowledged: 0,
        }
    }

    /// What was heard does not count any more.
    pub fn forget(&mut self) {
        self.last = None;
        self.missing.clear();
        self.acknowledged = 0;
    }

    fn arrive(&mut self, number: u64, now: Instant, longest: Duration, rng: &mut Rng) -> Arrival {
        let longest = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        let least = if longest < 100_000 { 0 } else { 50_000 };
        let last = *self.last.get_or_insert(number.saturating_sub(1));
        if number == last && number > 0 {
            return Arrival::Duplicate;
        }
        if number < last {
            if self.missing.remove(&number).is_none() {
                return Arrival::Dropped;
            }
            let lowest = self.missing.keys().next().copied();
            let is_lowest = lowest.is_none_or(|lowest| lowest > number);
            let complete = lowest.map_or(last, |lowest| lowest - 1);
            let acknowledge = is_lowest.then(|| self.eligible(complete)).flatten();
            return Arrival::Accepted { acknowledge };
        }
        if number - last - 1 > LARGEST_GAP {
            self.missing.clear();
        } else {
            for lost in last + 1..number {
                let wait = Duration::from_micros(rng.between(least, longest));
                self.missing.insert(lost, now + wait);
            }
        }
        self.last = Some(number);
        let in_order = number == last + 1 && self.missing.is_empty();
        let is_due = in_order && number % RHYTHM == self.trigger;
        let acknowledge = is_due.then(|| self.eligible(number)).flatten();
        Arrival::Accepted { acknowledge }
    }

    /// The highest number up to this that the rhythm wants acknowledged, if it was not yet.
    fn eligible(&mut self, complete: u64) -> Option<u64> {
        let back = complete.checked_sub(self.trigger)? % RHYTHM;
        let number = complete - back;
        if number == 0 || number <= self.acknowledged {
            return None;
        }
        self.acknowledged = number;
        Some(number)
    }
}

impl OldPeer {
    /// Numbers a message, processes it as its own, and only then lets it go: what that makes it say leaves first.
    pub(super) fn send(&mut self, words: &Words) {
        let is_numbered = !words.0[0].1.starts_with("NS_");
        if is_numbered {
            self.delivery.last += 1;
        }
        let number = self.delivery.last;
        let Some(packet) = self.sealed(words, is_numbered.then_some(number)) else {
            return;
        };
        let packet = Rc::new(packet);
        if is_numbered {
            self.delivery.keep(number, self.now, Rc::clone(&packet));
            if number % RHYTHM == self.delivery.own_trigger {
                self.delivery.own_acknowledged = number;
                self.prune();
                let own = self.settings.local_node.clone();
                let ack = Words::new("NS_ackmsg").and("dest", own);
                self.send(&ack.and("ackseq", format_args!("{number:x}")));
            }
            self.dispatch(&Heard::Own(words), number);
        }
        self.actions.push_back(Action::Send(packet));
    }

    fn sealed(&self, words: &Words, number: Option<u64>) -> Option<Packet> {
        let mut message = Message::new();
        for (name, value) in &words.0 {
            message.push_text(name, value);
            if *name == "dest" {
                let is_own = *value == self.settings.local_node;
                let uuid = if is_own {
                    self.settings.uuid
                } else {
                    self.peer.uuid.unwrap_or_default()
                };
                message.push_binary("destuuid", &uuid);
            }
        }
        message.push_text("src", &self.settings.local_node);
        message.push_binary("srcuuid", &self.settings.uuid);
        if let Some(number) = number {
            message.push_fmt("seq", format_args!("{number:x}"));
        }
        message.push_fmt("hg", format_args!("{:x}", self.settings.generation));
        message.push_fmt("ts", format_args!("{:x}", self.wall));
        if number.is_some() {
            message.push_text("ld", "0.03 0.12 0.09 4/135 273");
        }
        message.push_fmt("ttl", format_args!("{}", self.settings.ttl));
        let keys = &self.settings.keys;
        let mut packet = Packet {
            is_heartbeat: words.0[0].1 == "status",
            ..Packet::default()
        };
        let Packet { datagram, text, .. } = &mut packet;
        let inner = self.settings.inner_auth;
        seal(&message, keys, keys.signing, inner, datagram, text).ok()?;
        Some(packet)
    }

    /// One message out of its queue, through the whole pipeline.
    pub(super) fn receive(&mut self, link: LinkId, bytes: &[u8]) {
        if is_deadly(bytes) {
            self.wishes.push_back(Wish::Die);
            return;
        }
        let mut message = Message::new();
        let is_text = bytes.starts_with(b">>>\n");
        let opened = if is_text {
            open(bytes, &self.settings.keys, &mut message)
        } else {
            open(
                bytes,
                &keys_for_netstrings(&self.settings.keys),
                &mut message,
            )
        };
        if opened.is_err() || !self.is_from_peer(&message) {
            return;
        }
        let heard = Heard::Peers(&message);
        let Some(kind) = message.text("t") else {
            return;
        };
        let for_us = self.is_for_us(&message);
        if kind.starts_with("NS_") {
            if for_us || kind == "NS_nak_rexmit" {
                self.peer.link_heard(link, self.now);
                self.unnumbered(kind, &heard);
            }
            return;
        }
        let (Some(number), Some(generation)) = (heard.hex("seq"), heard.hex("hg")) else {
            return;
        };
        if number == 0 || generation < self.peer.generation {
            return;
        }
        if generation > self.peer.generation {
            if kind != "status" {
                return; // measured against the numbers of the old run, and nearly always dropped
            }
            self.peer_runs_anew(generation);
        } else if kind == "status" && self.is_stale(number) {
            return;
        }
        let longest = self.settings.max_rexmit_delay;
        match self
            .peer
            .stream
            .arrive(number, self.now, longest, &mut self.rng)
        {
            Arrival::Accepted { acknowledge } => {
                if let Some(number) = acknowledge {
                    let ack = Words::new("NS_ackmsg").and("dest", &self.settings.peer_node);
                    self.send(&ack.and("ackseq", format_args!("{number:x}")));
                }
            }
            Arrival::Duplicate => {
                self.peer.link_heard(link, self.now);
                return;
            }
            Arrival::Dropped => return,
        }
        if for_us {
            self.peer.link_heard(link, self.now);
            self.dispatch(&heard, number);
        }
    }

    /// The uuid counts before the name; strangers and its own echo are dropped.
    fn is_from_peer(&mut self, message: &Message) -> bool {
        let (Some(name), Some(_)) = (message.text("src"), message.text("t")) else {
            return false;
        };
        let has_time = u64::from_str_radix(message.text("ts").unwrap_or("0"), 16);
        if has_time.is_err() || has_time == Ok(0) {
            return false;
        }
        let uuid = message
            .binary("srcuuid")
            .and_then(|uuid| <[u8; 16]>::try_from(uuid).ok());
        if uuid == Some(self.settings.uuid) || name == self.settings.local_node {
            return false;
        }
        let known = uuid.is_some() && uuid == self.peer.uuid;
        if !known && name != self.settings.peer_node {
            return false;
        }
        self.peer.uuid = uuid.or(self.peer.uuid);
        true
    }

    fn is_for_us(&self, message: &Message) -> bool {
        match (message.binary("destuuid"), message.text("dest")) {
            (Some(uuid), _) if uuid != [0; 16] => uuid == self.settings.uuid,
            (_, Some(name)) => name == self.settings.local_node,
            _ => true,
        }
    }

    fn unnumbered(&mut self, kind: &str, heard: &Heard<'_>) {
        match kind {
            "NS_ackmsg" => {
                let number = heard.hex("ackseq").unwrap_or(0);
                if number > self.delivery.acknowledged && number <= self.delivery.last {
                    self.delivery.acknowledged = number;
                    self.prune();
                }
            }
            "NS_rexmit" => {
                let range = (heard.decimal("firstseq"), heard.decimal("lastseq"));
                if let (Some(first), Some(last)) = range
                    && 0 < first
                    && first <= last
                {
                    self.answer(first, last);
                }
            }
            "NS_nak_rexmit" => {
                if let Some(number) = heard.hex("firstseq") {
                    self.peer.stream.missing.remove(&number);
                }
            }
            _ => {}
        }
    }

    fn prune(&mut self) {
        let own = self.delivery.own_acknowledged;
        let is_live = self.peer.status != NodeStatus::Dead;
        let through = if is_live {
            own.min(self.delivery.acknowledged)
        } else {
            own
        };
        self.delivery.prune(through, self.now);
    }

    fn answer(&mut self, first: u64, last: u64) {
        let pause = self
            .settings
            .max_rexmit_delay
            .saturating_sub(Duration::from_millis(10));
        let mut resent = 0;
        let newest = last.min(self.delivery.last);
        for number in first.max(self.delivery.acknowledged + 1)..=newest {
            if number <= self.delivery.dropped {
                self.refuse(number, "seqno too low");
                continue;
            }
            let sent = self.delivery.history.iter_mut();
            let Some(sent) = sent.rev().find(|sent| sent.number == number) else {
                self.refuse(number, "seqno not found");
                continue;
            };
            if sent.resent.is_some_and(|at| self.now.since(at) < pause) {
                continue;
            }
            if resent == BATCH {
                break;
            }
            resent += 1;
            sent.resent = Some(self.now);
            self.actions
                .push_back(Action::Send(Rc::clone(&sent.packet)));
        }
    }

    fn refuse(&mut self, number: u64, reason: &str) {
        let nak = Words::new("NS_nak_rexmit").and("firstseq", format_args!("{number:x}"));
        let nak = nak
            .and("dest", &self.settings.peer_node)
            .and("info", reason);
        self.send(&nak);
    }

    /// Asks for every missing number by itself, for ever.
    pub(super) fn ask_for_missing(&mut self) {
        if self.next_request_at().is_none() {
            return;
        }
        let now = self.now;
        let again = now + self.settings.max_rexmit_delay.max(super::JUDGING / 25);
        let missing = self.peer.stream.missing.iter_mut();
        let due: Vec<u64> = missing
            .filter(|(_, at)| **at <= now)
            .map(|(&number, at)| {
                *at = again;
                number
            })
            .collect();
        for number in due {
            let request = Words::new("NS_rexmit").and("dest", &self.settings.peer_node);
            self.send(&request.and("firstseq", number).and("lastseq", number));
        }
    }

    pub(super) fn next_request_at(&self) -> Option<Instant> {
        let asks = matches!(self.peer.status, NodeStatus::Up | NodeStatus::Active);
        let first = self.peer.stream.missing.values().min().copied();
        if asks { first } else { None }
    }
}

/// Datagrams are checked with the method that they name, but with the key text that signs here.
fn keys_for_netstrings(keys: &Keys) -> Keys {
    let mut confused = keys.clone();
    let own = keys
        .entries
        .get(usize::from(keys.signing))
        .and_then(Option::as_ref);
    if let Some(text) = own.map(|key| &key.text) {
        for key in confused.entries.iter_mut().flatten() {
            key.text.clone_from(text);
        }
    }
    confused
}

/// A field without type, with an unknown type or without content: it dies of it, whoever sent it.
fn is_deadly(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(b"###\n") else {
        return false;
    };
    while !rest.starts_with(b"%%%\n") {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length = std::str::from_utf8(&rest[..digits])
            .ok()
            .and_then(|text| text.parse::<usize>().ok());
        let (Some(length), Some(b':')) = (length, rest.get(digits)) else {
            return false;
        };
        let field = &rest[digits + 1..];
        if length == 0 || field.first().is_some_and(|&first| first != b'(') {
            return true;
        }
        if field
            .get(1)
            .is_some_and(|digit| (b'6'..=b'9').contains(digit))
        {
            return true;
        }
        match field.get(length) {
            Some(b',') => rest = &field[length + 1..],
            _ => return false,
        }
    }
    false
}
