//! Keeps the record of an incident from the loss of the other node until nothing is held by both any more, and tells the
//! other node what this one held, in a message that 3.0.6 is not sent:
//! `hb_held=<generation>.<epoch> <digest> <cause> <lost> <begun> <runs> <tenures>`, where the first word is the conversation
//! of the receiver that it belongs to, the next ones say how many milliseconds ago the sender had last heard the receiver, found
//! that it had lost it, and began to run, in hex; the letter of the cause is a capital in an answer to a question about what
//! is over; and *tenures* are those of [`tenure`](super::tenure).

use std::time::Duration;

use super::claims::hex;
use super::incident::{Cause, Incident, IncidentRecord, KIND, PeerWord, Story};
use super::tenure::{self, Placed, Told};
use super::time::Moment;
use super::{Action, Cluster, GroupId, Instant, Relation};
use crate::message::Message;

const FIELD: &str = "hb_held";
/// The shortest time between two words about an incident: they are longer than heartbeats, and a serial line is slow.
const BETWEEN_WORDS: Duration = Duration::from_secs(2);
/// How long the other node's last word is waited for, beside some heartbeats: a message that was lost comes within seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// So often one that says nothing is told: a line on which most is lost may need it.
const MOST_WORDS: u32 = 20;

impl Cluster {
    /// The nodes have lost each other. One that goes on goes on, unless they had met in between and spoken of it: what the other
    /// told is old then.
    pub(super) fn begin_incident(&mut self, cause: Cause, lost: impl Into<Moment>) {
        let lost = lost.into();
        match &mut self.incidents.open {
            Some(incident) if incident.peer == PeerWord::Nothing => {
                (incident.met, incident.words) = (None, 0);
                incident.begun = self.now; // the other may take what was before for over
                return;
            }
            Some(incident) if incident.met.is_none() => return,
            Some(_) => self.close_incident(self.now),
            None => {}
        }
        self.incidents.open = Some(Incident::new(cause, lost, self.now));
    }

    /// A group is held from now on, or not any more.
    pub(super) fn note_tenure(&mut self, group: GroupId, now: Instant) {
        let has_ended = self.ownership.note_tenure(group, now);
        if let Some(incident) = &mut self.incidents.open {
            incident.has_news |= has_ended;
        }
    }

    /// Each has heard the other.
    pub(super) fn meet_again(&mut self, now: Instant) {
        if let Some(incident) = &mut self.incidents.open {
            incident.met = Some(now);
            incident.has_news = true;
        }
    }

    /// Tells a peer that answers what there is to tell, all of it at once and not often.
    fn tell_incident(&mut self, now: Instant) {
        let is_due = self.next_word_of_incident().is_some_and(|at| at <= now);
        if is_due && let Some(incident) = &mut self.incidents.open {
            (incident.has_news, incident.told) = (false, Some(now));
            incident.words += 1;
            let story = incident.story();
            self.send_incident(story, false, now);
        }
    }

    fn next_word_of_incident(&self) -> Option<Instant> {
        let incident = self.incidents.open.as_ref()?;
        let is_due = incident.has_news && self.is_agreed && self.ownership.is_known();
        let told = incident.told.map(|at| at + BETWEEN_WORDS);
        is_due.then_some(told.unwrap_or(self.now))
    }

    fn send_incident(&mut self, story: Story, is_answer: bool, now: Instant) {
        let Some((generation, epoch)) = self.answering else {
            return;
        };
        let mut tenures = self.ownership.in_wire_order(story.lost);
        tenures.sort_by_key(|(place, tenure)| (*place, tenure.since));
        let mut cause = story.cause.letter();
        if is_answer {
            cause = cause.to_ascii_uppercase();
        }
        let since = |moment| Moment::from(now).since(moment).as_millis();
        let (lost, begun) = (since(story.lost), since(story.begun));
        let runs = since(self.incidents.began.into());
        let digest = self.ownership.digest();
        let tenures = Told {
            tenures: &tenures,
            now,
        };
        let word = format!(
            "{generation:x}.{epoch:x} {digest:x} {cause} {lost:x} {begun:x} {runs:x} {tenures}"
        );
        self.begin_to_peer(KIND).push_text(FIELD, &word);
        self.finish(false);
    }

    /// What is over here the other node still asks about: our word was lost.
    fn answer_late(&mut self, word: &Word, now: Instant) {
        let is_soon = |at: &Instant| now.since(*at) < BETWEEN_WORDS;
        if word.is_answer || self.incidents.answered.as_ref().is_some_and(is_soon) {
            return;
        }
        self.incidents.answered = Some(now);
        let mut story = self.incidents.last.unwrap_or(Story {
            cause: Cause::Told,
            lost: word.lost,
            begun: word.begun,
        });
        story.lost = story.lost.min(word.lost);
        self.send_incident(story, true, now);
    }

    /// False when it can't be read.
    pub(super) fn incident_heard(&mut self, message: &Message, number: u64, now: Instant) -> bool {
        let groups = self.ownership.order.len();
        let sent = self.incidents.sent_before(number).unwrap_or(now);
        let Some(word) = message
            .text(FIELD)
            .and_then(|text| parse(text, groups, sent))
        else {
            return false;
        };
        let at = (self.peer.generation, number);
        let is_current = word.answering == (self.settings.generation, self.epoch);
        let is_first = self.incidents.open.is_none();
        let is_over = word.cause == Cause::Told || self.incidents.settled >= Some(word.begun);
        if !is_current || at <= self.incidents.heard {
            return true;
        }
        self.incidents.heard = at;
        if is_first && is_over {
            self.answer_late(&word, now);
            return true;
        }
        match &mut self.incidents.open {
            None => self.begin_incident(Cause::Told, word.lost),
            // What it asks about began before it was noticed here.
            Some(incident) if word.lost < incident.lost => {
                (incident.lost, incident.has_news) = (word.lost, true);
            }
            Some(_) => {}
        }
        let is_same = word.digest == self.ownership.digest();
        let mut theirs = self.ownership.by_wire_order(&word.tenures);
        let is_talking = self.standing().relation == Relation::Talking;
        let mut has_guessed = false;
        for placed in &mut theirs {
            if is_talking && self.ownership.contradicts(placed) && !self.has_clashed(placed.0) {
                placed.1.until = Some(sent.into()); // later it is not known to have held it
                has_guessed = true;
            }
        }
        if let Some(incident) = &mut self.incidents.open {
            incident.peer = if is_same {
                PeerWord::Told {
                    cause: word.cause,
                    lost: word.lost,
                    runs_since: word.runs_since,
                    has_more: word.has_more,
                }
            } else {
                PeerWord::OtherFiles
            };
            incident.theirs = if is_same { theirs } else { Vec::new() };
            incident.theirs_until = sent;
            incident.has_guessed = has_guessed;
        }
        if is_first && self.is_agreed {
            self.meet_again(now);
        }
        true
    }

    /// Whether both were seen to hold a group since they have met.
    fn has_clashed(&self, group: usize) -> bool {
        let incident = self.incidents.open.as_ref();
        incident.is_some_and(|incident| incident.clashed.contains_key(&group))
    }

    /// The end of a turn: perhaps it is over.
    pub(super) fn pursue_incident(&mut self, now: Instant) {
        self.tell_incident(now);
        let relation = self.standing().relation;
        let Some(incident) = &mut self.incidents.open else {
            return;
        };
        if matches!(relation, Relation::Talking | Relation::Gone { died: false }) {
            for placed in &mut incident.theirs {
                if !incident.clashed.contains_key(&placed.0) && self.ownership.contradicts(placed) {
                    placed.1.until = Some(now.into()); // given up since it spoke of it
                    incident.has_guessed = true;
                }
            }
        }
        match relation {
            Relation::Talking => {}
            Relation::Halves { settled: true } => {
                incident.peer = PeerWord::Classic;
                incident.met.get_or_insert(now);
            }
            _ => return,
        }
        let clashed = incident.clashed.len();
        let clashes = self.ownership.held_by_both().next().is_some();
        for (group, is_sure) in self.ownership.held_by_both() {
            let seen = incident.clashed.entry(group).or_default();
            *seen = is_sure.then_some(now).or(*seen);
        }
        if clashes || clashed < incident.clashed.len() {
            incident.clashed_at = Some(now);
            return;
        }
        let certain = certain(self.settings.keepalive);
        let waits = match incident.peer {
            PeerWord::Nothing => true,
            // It says more once it has given up something, and once it knows since when this node asks.
            PeerWord::Told { lost, .. } => {
                let theirs = incident.theirs.iter();
                let mut clashed = theirs.filter(|(group, _)| incident.clashed.contains_key(group));
                incident.has_guessed
                    || lost.since(incident.lost) > certain
                    || clashed.any(|placed| self.ownership.contradicts(placed))
            }
            PeerWord::OtherFiles | PeerWord::Classic => false,
        };
        let patience = patience(self.settings.keepalive);
        let is_late = incident
            .waits_since()
            .is_some_and(|since| now.since(since) >= patience);
        if incident.has_news || (waits && !is_late) {
            return;
        }
        if incident.peer == PeerWord::Nothing && incident.words < MOST_WORDS {
            incident.has_news = true;
            self.tell_incident(now);
        } else {
            self.close_incident(now);
        }
    }

    /// It is over, or this node stops.
    pub(super) fn close_incident(&mut self, now: Instant) {
        let Some(incident) = self.incidents.open.take() else {
            return;
        };
        self.incidents.settled = Some(now.into());
        self.incidents.last = Some(incident.story());
        let mine: Vec<Placed> = self.ownership.tenures_since(incident.lost).collect();
        let keys = self.settings.groups.iter().map(|group| group.key.clone());
        let record = IncidentRecord {
            node: self.peer_name(),
            cause: incident.cause,
            lost: incident.lost,
            met: incident.met,
            settled: now,
            peer: incident.peer,
            groups: incident.groups(keys, &mine, certain(self.settings.keepalive), now),
        };
        self.actions.push_back(Action::Incident(Box::new(record)));
    }

    /// When there is more to tell, or the other node's word is not waited for any longer.
    pub(super) fn next_incident(&self) -> Option<Instant> {
        let incident = self.incidents.open.as_ref()?;
        let patience = patience(self.settings.keepalive);
        let late = incident.waits_since().map(|since| since + patience);
        let waits = late.filter(|at| *at > self.now);
        [self.next_word_of_incident(), waits]
            .into_iter()
            .flatten()
            .min()
    }
}

/// What the peer tells of its past reaches us late by what its message took, and one that was lost and sent again is known
/// to have been sent before the next heartbeat. An overlap that rests on that alone counts when it is longer.
fn certain(keepalive: Duration) -> Duration {
    Duration::from_secs(1) + keepalive * 2
}

fn patience(keepalive: Duration) -> Duration {
    PATIENCE + keepalive * 4
}

struct Word {
    answering: (u64, u64),
    digest: u32,
    cause: Cause,
    /// Is not to be answered.
    is_answer: bool,
    lost: Moment,
    begun: Moment,
    runs_since: Moment,
    tenures: Vec<Placed>,
    has_more: bool,
}

/// What was sent at that moment, at the latest. Words that follow are for a later version.
fn parse(text: &str, groups: usize, now: Instant) -> Option<Word> {
    let mut words = text.split(' ');
    let (generation, epoch) = words.next()?.split_once('.')?;
    let answering = (hex(generation)?, hex(epoch)?);
    let digest = u32::try_from(hex(words.next()?)?).ok()?;
    let letter = words.next()?;
    let cause = Cause::parse(letter)?;
    let lost = tenure::ago(words.next()?, now)?;
    let begun = tenure::ago(words.next()?, now)?;
    let runs_since = tenure::ago(words.next()?, now)?;
    // The places of other files than ours mean nothing here, and need not be ours.
    let (tenures, has_more) = tenure::parse(words.next()?, groups, now).unwrap_or_default();
    Some(Word {
        answering,
        digest,
        cause,
        is_answer: letter.starts_with(|letter: char| letter.is_ascii_uppercase()),
        lost,
        begun,
        runs_since,
        tenures,
        has_more,
    })
}
