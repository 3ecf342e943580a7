//! Our own numbered stream: headers, signatures, and the history from which lost messages are sent again.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::LinkId;
use super::action::Packet;
use super::time::Instant;
use crate::message::{self, Copies, Form, Keys, Message, Short, Track};

/// How many numbered messages are kept (500 in 3.0.6).
const HISTORY: usize = 500;
/// How many answers one request gets (50 in 3.0.6).
const LARGEST_ANSWER: u64 = 50;
/// A peer of heartbeat 3.0.6 asks for up to 250 lost numbers, each by itself, and again four times a second. So no more
/// than these are sent within [`ANSWERS_PERIOD`]; for the others it asks again.
const MOST_ANSWERS: u32 = 30;
/// Of those, as many may be old heartbeats or refusals, on which nothing depends.
const MOST_IDLE_ANSWERS: u32 = 25;
/// The period of both.
const ANSWERS_PERIOD: Duration = Duration::from_millis(250);
/// How many unnumbered packets are kept for their buffers.
const SPARE: usize = 16;
/// How many copies of heartbeats are kept for each link: one may wait for a slow line while another is under way.
const KEPT_COPIES: usize = 4;
/// The field of a copy that says by which link of the sender it goes.
pub(super) const VIA: &str = "via";
/// A number asked for again this much sooner than the pause between requests is not sent again (3.0.6).
const EARLY: Duration = Duration::from_millis(10);

/// Pause between two answers to a request for a number that was acknowledged. The acknowledgement may have been for
/// an earlier run of ours, so it is answered; but most likely the request is a recording.
const SELDOM: Duration = Duration::from_secs(2);

/// What every message of this node says in its header.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Node name.
    pub name: String,
    /// Node uuid.
    pub uuid: [u8; 16],
    /// Generation of this run.
    pub generation: u64,
    /// Decimal value of the `ttl` field.
    pub ttl: u32,
    /// Netstrings carry the inner signature too (`msgfmt classic`).
    pub inner_auth: bool,
}

/// How a message is signed.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'a> {
    /// The keys.
    pub keys: &'a Keys,
    /// The entry that signs.
    pub key: u8,
}

/// The short form of a heartbeat, for links that carry text.
#[derive(Debug, Clone, Copy)]
pub struct Brief<'a> {
    /// What it says; number and link are filled in.
    pub short: Short,
    /// Name of the node that it is for.
    pub to: &'a str,
}

#[derive(Debug)]
struct Sent {
    number: u64,
    /// As it was sent; without either form where each link got a copy of its own.
    packet: Rc<Packet>,
    /// What it says then, written but not signed, should somebody ask; else empty. There are hundreds of these.
    body: Vec<u8>,
    resent_at: Option<Instant>,
}

/// What to answer to a request for one number.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Send this heartbeat again.
    Heartbeat(Rc<Packet>),
    /// Send this again.
    Message(Rc<Packet>),
    /// It is not kept any more.
    TooOld(u64),
}

/// The stream and its history.
#[derive(Debug)]
pub struct Outgoing {
    identity: Identity,
    message: Message,
    last: u64,
    heartbeats_in_a_row: u64,
    history: VecDeque<Sent>,
    unnumbered: VecDeque<Rc<Packet>>,
    /// Copies of heartbeats that name their link, kept for their buffers.
    copies: VecDeque<Rc<Packet>>,
    /// The field that a copy has for itself; its memory is used again for each.
    via: Message,
    answers: Answers,
}

/// How much was answered lately.
#[derive(Debug, Default)]
struct Answers {
    since: Instant,
    count: u32,
}

impl Answers {
    /// Whether one more may be sent now.
    fn allow(&mut self, is_idle: bool, now: Instant) -> bool {
        if now.since(self.since) >= ANSWERS_PERIOD {
            (self.since, self.count) = (now, 0);
        }
        let most = if is_idle {
            MOST_IDLE_ANSWERS
        } else {
            MOST_ANSWERS
        };
        let is_allowed = self.count < most;
        self.count += u32::from(is_allowed);
        is_allowed
    }
}

impl Outgoing {
    /// A stream that begins at number 1.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            message: Message::new(),
            last: 0,
            heartbeats_in_a_row: 0,
            history: VecDeque::with_capacity(HISTORY),
            unnumbered: VecDeque::with_capacity(SPARE),
            copies: VecDeque::new(),
            via: Message::new(),
            answers: Answers::default(),
        }
    }

    /// Who we are.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The highest number sent.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// How many heartbeats were sent directly one after the other, up to now.
    pub fn heartbeats_in_a_row(&self) -> u64 {
        self.heartbeats_in_a_row
    }

    /// Begins the stream of a later generation: nothing of the earlier one is sent again.
    pub fn renew(&mut self, generation: u64) {
        self.identity.generation = generation;
        self.last = 0;
        self.heartbeats_in_a_row = 0;
        self.history.clear();
    }

    /// Begins a message of type `kind`; fields are then pushed to what is returned.
    pub fn begin(&mut self, kind: &str) -> &mut Message {
        self.message.clear();
        self.message.push_text("t", kind);
        &mut self.message
    }

    /// The message begun last.
    pub fn message(&mut self) -> &mut Message {
        &mut self.message
    }

    /// Numbers, completes and signs the message begun last.
    pub fn finish(&mut self, signing: Signing<'_>, seconds: u64, is_heartbeat: bool) -> Rc<Packet> {
        let is_numbered = self.number(is_heartbeat);
        self.complete(is_numbered, seconds);
        let (mut packet, body) = self.take_buffer(is_numbered);
        if let Some(buffers) = Rc::get_mut(&mut packet) {
            self.head(buffers, is_heartbeat, None);
            self.sign(&self.message, signing, buffers);
        }
        if is_numbered {
            self.keep(Rc::clone(&packet), body);
        } else {
            self.unnumbered.push_back(Rc::clone(&packet));
        }
        packet
    }

    /// The same without the form that serial lines carry, for what has no number.
    pub fn finish_for_networks(&mut self, signing: Signing<'_>, seconds: u64) -> Rc<Packet> {
        self.complete(false, seconds);
        let (mut packet, _) = self.take_buffer(false);
        if let Some(buffers) = Rc::get_mut(&mut packet) {
            self.head(buffers, false, None);
            self.sign(&self.message, signing, buffers);
            buffers.text.clear();
        }
        self.unnumbered.push_back(Rc::clone(&packet));
        packet
    }

    /// As [`finish`](Self::finish), for a heartbeat of which each link gets a copy of its own, in the form that it carries, with the field `via`
    /// that says by which link it goes; on a serial line the short form where that is given. Each copy is signed by itself;
    /// who asks for that number later gets one that names no link.
    pub fn finish_for(
        &mut self,
        signing: Signing<'_>,
        seconds: u64,
        brief: Option<Brief<'_>>,
        links: impl ExactSizeIterator<Item = (LinkId, Form)> + Clone,
        mut give: impl FnMut(Rc<Packet>),
    ) {
        let is_numbered = self.number(true);
        self.complete(is_numbered, seconds);
        let (mut packet, mut body) = self.take_buffer(is_numbered);
        if let Some(buffers) = Rc::get_mut(&mut packet) {
            self.head(buffers, true, None);
        }
        self.message.write_nested(&mut body);
        let kept = links.len() * KEPT_COPIES;
        let is_long = |form: Form| brief.is_none() || form == Form::Netstring;
        let has_long = links.clone().any(|(_, form)| is_long(form));
        let mut via = std::mem::take(&mut self.via);
        let (keys, key, inner) = (signing.keys, signing.key, self.identity.inner_auth);
        let common = has_long
            .then(|| Copies::of(&self.message, keys, key, inner, &body).ok())
            .flatten();
        for (link, form) in links {
            let oldest = (self.copies.len() >= kept)
                .then(|| self.copies.pop_front())
                .flatten();
            let mut copy = unshared(oldest);
            if let Some(buffers) = Rc::get_mut(&mut copy) {
                self.head(buffers, true, Some(link));
                match brief.filter(|_| !is_long(form)) {
                    Some(brief) => self.sign_short(signing, link, brief, buffers),
                    None => sign_copy(common.as_ref(), (link, form), &mut via, buffers),
                }
            }
            self.copies.push_back(Rc::clone(&copy));
            give(copy);
        }
        self.via = via;
        self.keep(packet, body);
    }

    /// Writes the short form of a heartbeat for one link. As in [`sign`](Self::sign): where that fails the form is empty.
    fn sign_short(
        &self,
        signing: Signing<'_>,
        link: LinkId,
        Brief { short, to }: Brief<'_>,
        packet: &mut Packet,
    ) {
        let short = Short {
            number: self.last,
            via: link.0,
            ..short
        };
        let track = Track {
            from: &self.identity.name,
            to,
            generation: self.identity.generation,
        };
        packet.is_short = true;
        let _ = message::seal_short(&short, track, signing.keys, signing.key, &mut packet.text);
    }

    /// Gives the message begun last its number where it is of a kind that has one.
    fn number(&mut self, is_heartbeat: bool) -> bool {
        let kind = self.message.text("t").unwrap_or_default();
        let is_numbered = !kind.starts_with("NS_");
        if is_numbered {
            self.last += 1;
            self.heartbeats_in_a_row = if is_heartbeat {
                self.heartbeats_in_a_row + 1
            } else {
                0
            };
        }
        is_numbered
    }

    /// Everything about a packet but what it says.
    fn head(&self, packet: &mut Packet, is_heartbeat: bool, link: Option<LinkId>) {
        packet.datagram.clear();
        packet.text.clear();
        packet.is_heartbeat = is_heartbeat;
        packet.is_short = false;
        packet.generation = self.identity.generation;
        packet.link = link;
    }

    /// Writes both forms.
    fn sign(&self, message: &Message, signing: Signing<'_>, packet: &mut Packet) {
        let Packet { datagram, text, .. } = packet;
        // Fails only where `authkeys` lacks the entry it names or a message outgrows the wire; then both
        // forms are empty and no link carries them.
        let _ = message::seal(
            message,
            signing.keys,
            signing.key,
            self.identity.inner_auth,
            datagram,
            text,
        );
    }

    fn keep(&mut self, packet: Rc<Packet>, body: Vec<u8>) {
        self.history.push_back(Sent {
            number: self.last,
            packet,
            body,
            resent_at: None,
        });
    }

    /// Answers a request for the numbers `first` to `last`, of which everything up to `acknowledged` is said to
    /// have arrived. Costs at most fifty answers whatever the range, and few each second whatever is asked for.
    pub fn answer(
        &mut self,
        signing: Signing<'_>,
        (first, last): (u64, u64),
        acknowledged: u64,
        pause: Duration,
        now: Instant,
        mut give: impl FnMut(Answer),
    ) {
        let oldest = self.history.front().map_or(u64::MAX, |sent| sent.number);
        let last = last.min(self.last);
        for number in (first..=last).take(usize::try_from(LARGEST_ANSWER).unwrap_or(0)) {
            if number < oldest {
                if self.answers.allow(true, now) {
                    give(Answer::TooOld(number));
                }
                continue;
            }
            let Some(sent) = usize::try_from(number - oldest)
                .ok()
                .and_then(|index| self.history.get_mut(index))
            else {
                continue;
            };
            let pause = if number <= acknowledged {
                SELDOM
            } else {
                pause
            };
            if sent
                .resent_at
                .is_some_and(|at| now.since(at) + EARLY < pause)
            {
                continue;
            }
            if !self.answers.allow(sent.packet.is_heartbeat, now) {
                continue;
            }
            sent.resent_at = Some(now);
            if sent.packet.is_heartbeat {
                let place = usize::try_from(number - oldest).unwrap_or(usize::MAX);
                give(Answer::Heartbeat(self.as_old_news(place, signing)));
            } else {
                give(Answer::Message(Rc::clone(&sent.packet)));
            }
        }
    }

    fn complete(&mut self, is_numbered: bool, seconds: u64) {
        let message = &mut self.message;
        message.push_text("src", &self.identity.name);
        message.push_binary("srcuuid", &self.identity.uuid);
        if is_numbered {
            message.push_fmt("seq", format_args!("{:x}", self.last));
        }
        message.push_fmt("hg", format_args!("{:x}", self.identity.generation));
        message.push_fmt("ts", format_args!("{seconds:x}"));
        if is_numbered {
            message.push_text("ld", "n/a"); // nobody decides anything by our load
        }
        message.push_fmt("ttl", format_args!("{}", self.identity.ttl));
    }

    /// A packet and the memory for a message whose buffers can be written: the oldest of the history once that is full and has been sent
    /// by every link, so that a heartbeat allocates nothing in the long run.
    fn take_buffer(&mut self, is_numbered: bool) -> (Rc<Packet>, Vec<u8>) {
        if is_numbered {
            let is_full = self.history.len() >= HISTORY;
            let oldest = is_full.then(|| self.history.pop_front()).flatten();
            let (packet, body) = oldest.map(|sent| (sent.packet, sent.body)).unzip();
            let mut body: Vec<u8> = body.unwrap_or_default();
            body.clear();
            (unshared(packet), body)
        } else {
            let is_full = self.unnumbered.len() >= SPARE;
            let oldest = is_full.then(|| self.unnumbered.pop_front()).flatten();
            (unshared(oldest), Vec::new())
        }
    }

    /// What is sent again is not news: on a slow line an old heartbeat must not take the place of a new one.
    fn as_old_news(&self, place: usize, signing: Signing<'_>) -> Rc<Packet> {
        let mut packet = Packet::default();
        if let Some(sent) = self.history.get(place) {
            packet = Packet::clone(&sent.packet);
            let mut message = Message::new();
            if !sent.body.is_empty() && message::parse_nested(&sent.body, &mut message).is_ok() {
                self.sign(&message, signing, &mut packet);
            }
        }
        packet.is_heartbeat = false;
        Rc::new(packet)
    }
}

/// Writes the copy of a heartbeat for one link. As in [`Outgoing::sign`]: where that fails the form is empty.
fn sign_copy(
    common: Option<&Copies<'_>>,
    (link, form): (LinkId, Form),
    via: &mut Message,
    packet: &mut Packet,
) {
    via.clear();
    via.push_fmt(VIA, format_args!("{:x}", link.0));
    let out = match form {
        Form::Netstring => &mut packet.datagram,
        Form::Classic => &mut packet.text,
    };
    let _ = common.map(|common| common.seal(form, via, out));
}

/// This packet, or a new one where others still hold it.
fn unshared(packet: Option<Rc<Packet>>) -> Rc<Packet> {
    packet
        .filter(|packet| Rc::strong_count(packet) == 1)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Key, Method};

    const SECOND: Duration = Duration::from_secs(1);

    fn stream(messages: usize) -> Outgoing {
        let mut outgoing = Outgoing::new(Identity {
            name: "a".into(),
            uuid: [1; 16],
            generation: 1,
            ttl: 3,
            inner_auth: true,
        });
        let keys = keys();
        for _ in 0..messages {
            outgoing.begin("resource");
            outgoing.finish(signing(&keys), 1, false);
        }
        outgoing
    }

    fn keys() -> Keys {
        let mut entries = [const { None }; 16];
        entries[1] = Some(Key {
            method: Method::Sha1,
            text: b"a secret".to_vec(),
        });
        Keys {
            entries,
            signing: 1,
        }
    }

    fn signing(keys: &Keys) -> Signing<'_> {
        Signing { keys, key: 1 }
    }

    #[test]
    fn each_link_gets_a_copy_and_who_asks_later_one_that_names_none() {
        let (keys, mut outgoing) = (keys(), stream(0));
        let links = [Form::Classic, Form::Netstring];
        let links = (0..).map(LinkId).zip(links).collect::<Vec<_>>();
        let mut copies = Vec::new();
        outgoing.begin("status").push_text("st", "active");
        outgoing.finish_for(signing(&keys), 1, None, links.into_iter(), |copy| {
            copies.push(copy);
        });
        let mut heard = Message::new();
        let mut via = |bytes: &[u8]| {
            message::open(bytes, &keys, &mut heard).expect("authentic");
            assert_eq!(heard.text("seq"), Some("1"));
            heard.text(VIA).map(str::to_owned)
        };
        let ([serial, network], 2) = (&copies[..], copies.len()) else {
            panic!("{copies:?}");
        };
        assert_eq!(
            (via(&serial.text), via(&network.datagram)),
            (Some("0".into()), Some("1".into()))
        );
        assert!(serial.datagram.is_empty() && network.text.is_empty());
        assert_eq!(
            (serial.link, network.link),
            (Some(LinkId(0)), Some(LinkId(1)))
        );
        let mut answers = Vec::new();
        let (pause, now) = (Duration::from_millis(250), Instant::from_micros(1_000_000));
        outgoing.answer(signing(&keys), (1, 1), 0, pause, now, |answer| {
            answers.push(answer);
        });
        let [Answer::Heartbeat(again)] = &answers[..] else {
            panic!("{answers:?}");
        };
        assert_eq!((via(&again.text), via(&again.datagram)), (None, None));
        assert!(again.link.is_none() && !again.is_heartbeat);
    }

    #[test]
    fn a_request_for_everything_gets_few_answers() {
        let mut outgoing = stream(600);
        for (first, kept, most) in [(1, false, 25), (600 - 200, true, 30)] {
            outgoing.answers = Answers::default();
            let mut answers = Vec::new();
            outgoing.answer(
                signing(&keys()),
                (first, u64::MAX),
                0,
                Duration::from_millis(250),
                Instant::from_micros(1_000_000),
                |answer| answers.push(matches!(answer, Answer::Message(_))),
            );
            assert_eq!(answers, vec![kept; most], "from {first}");
        }
    }

    #[test]
    fn what_is_asked_for_one_by_one_all_arrives_and_is_no_storm() {
        let mut outgoing = stream(500);
        let mut missing: Vec<u64> = (251..=500).collect();
        let mut sent_at = Vec::new();
        let begin = Instant::from_micros(1_000_000);
        let mut now = begin;
        while !missing.is_empty() {
            let mut answered = Vec::new();
            for number in missing.iter().copied() {
                let pause = Duration::from_millis(250);
                outgoing.answer(signing(&keys()), (number, number), 0, pause, now, |_| {
                    answered.push(number);
                });
            }
            sent_at.extend(answered.iter().map(|_| now));
            missing.retain(|number| !answered.contains(number));
            now = now + Duration::from_millis(10);
        }
        assert!(now.since(begin) < Duration::from_secs(3));
        for at in &sent_at {
            let within = |other: &&Instant| **other >= *at && other.since(*at) < SECOND;
            assert!(sent_at.iter().filter(within).count() <= 150);
        }
    }

    #[test]
    fn what_was_acknowledged_and_is_asked_for_all_the_same_is_sent_again_but_seldom() {
        let mut outgoing = stream(20);
        let mut answers = 0;
        for quarters in 0..40 {
            let now = Instant::from_micros(1_000_000 + quarters * 250_000);
            let pause = Duration::from_millis(250);
            outgoing.answer(signing(&keys()), (5, 5), 15, pause, now, |_| answers += 1);
        }
        assert_eq!(answers, 5, "in ten seconds");
    }

    #[test]
    fn what_is_sent_again_is_no_news_and_what_is_gone_is_refused() {
        let mut outgoing = stream(3);
        let keys = keys();
        let signing = signing(&keys);
        for expected in 1..=3 {
            outgoing.begin("status");
            let packet = outgoing.finish(signing, 1, true);
            assert!(packet.is_heartbeat);
            assert_eq!(outgoing.heartbeats_in_a_row(), expected);
        }
        let mut answers = Vec::new();
        let now = Instant::from_micros(9_000_000);
        outgoing.answer(signing, (3, 4), 0, SECOND, now, |answer| {
            answers.push(answer);
        });
        let [Answer::Message(message), Answer::Heartbeat(heartbeat)] = &answers[..] else {
            panic!("{answers:?}");
        };
        assert!(!message.is_heartbeat && !heartbeat.is_heartbeat);
        assert_eq!(heartbeat.generation, 1);
        outgoing.begin("resource");
        outgoing.finish(signing, 1, false);
        assert_eq!(outgoing.heartbeats_in_a_row(), 0);
        outgoing.begin("NS_ackmsg");
        outgoing.finish(signing, 1, false);
        assert_eq!(outgoing.last(), 7, "it carries no number");
        outgoing.renew(2);
        assert_eq!((outgoing.last(), outgoing.identity().generation), (0, 2));
        let mut answers = 0;
        outgoing.answer(signing, (1, 7), 0, SECOND, now + SECOND, |_| answers += 1);
        assert_eq!(answers, 0, "that was another run");
    }

    #[test]
    fn the_history_ends_where_it_says() {
        let mut outgoing = stream(HISTORY + 2);
        for (number, is_kept) in [(2, false), (3, true)] {
            let mut answers = Vec::new();
            let now = Instant::from_micros(9_000_000);
            outgoing.answer(
                signing(&keys()),
                (number, number),
                0,
                SECOND,
                now,
                |answer| {
                    answers.push(matches!(answer, Answer::Message(_)));
                },
            );
            assert_eq!(answers, [is_kept], "{number}");
        }
    }

    #[test]
    fn a_number_is_not_sent_twice_within_the_pause_but_for_ten_milliseconds() {
        for (millis, answers) in [(239, 1), (240, 2)] {
            let mut outgoing = stream(3);
            let mut count = 0;
            let pause = Duration::from_millis(250);
            let now = Instant::from_micros(9_000_000);
            outgoing.answer(signing(&keys()), (2, 2), 0, pause, now, |_| count += 1);
            let later = now + Duration::from_millis(millis);
            outgoing.answer(signing(&keys()), (2, 2), 0, pause, later, |_| count += 1);
            assert_eq!(count, answers, "after {millis} ms");
        }
    }

    #[test]
    fn a_packet_that_is_still_on_its_way_is_not_written_over() {
        let mut outgoing = stream(0);
        let keys = keys();
        let signing = signing(&keys);
        outgoing.begin("resource");
        let first = outgoing.finish(signing, 1, false);
        outgoing.begin("NS_ackmsg");
        let unnumbered = outgoing.finish(signing, 1, false);
        let addresses = [Rc::as_ptr(&first), Rc::as_ptr(&unnumbered)];
        for _ in 0..HISTORY + SPARE {
            outgoing.begin("resource");
            let packet = outgoing.finish(signing, 1, false);
            assert!(!addresses.contains(&Rc::as_ptr(&packet)));
            outgoing.begin("NS_ackmsg");
            let packet = outgoing.finish(signing, 1, false);
            assert!(!addresses.contains(&Rc::as_ptr(&packet)));
        }
        assert_eq!(outgoing.history.len(), HISTORY);
        assert_eq!(outgoing.unnumbered.len(), SPARE);
    }
}
