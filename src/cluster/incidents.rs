//! Keeps the record of an incident from the loss of the other node until nothing is held by both any more, and tells the
//! other node what this one held, in a message that 3.0.6 is not sent:
//! `hb_held=<generation>.<epoch> <digest> <cause> <lost> <runs> <tenures>`, where the first word is the conversation of
//! the receiver that it belongs to, *lost* and *runs* say how many milliseconds ago the sender lost the receiver and began to
//! run, in hex, and *tenures* are those of [`tenure`](super::tenure).

use std::time::Duration;

use super::claims::hex;
use super::incident::{Cause, Incident, IncidentRecord, KIND, PeerWord};
use super::tenure::{self, Placed, Told};
use super::{Action, Cluster, GroupId, Instant, Relation};
use crate::message::Message;

const FIELD: &str = "hb_held";
/// How long the other node's word is waited for once both talk: a message that was lost comes within seconds.
const PATIENCE: Duration = Duration::from_secs(60);

impl Cluster {
    /// The nodes have lost each other; one that goes on goes on.
    pub(super) fn begin_incident(&mut self, cause: Cause, lost: Instant) {
        if let Some(incident) = &mut self.incidents.open {
            incident.met = None;
            return;
        }
        let mut incident = Incident::new(cause, lost);
        let ended = self.ownership.tenures_since(lost);
        for placed in ended.filter(|(_, tenure)| tenure.until.is_some()) {
            incident.has_ended(placed);
        }
        self.incidents.open = Some(incident);
    }

    /// A group is held from now on, or not any more.
    pub(super) fn note_tenure(&mut self, group: GroupId, now: Instant) {
        let ended = self.ownership.note_tenure(group, now);
        if let (Some(placed), Some(incident)) = (ended, &mut self.incidents.open) {
            incident.has_ended(placed);
            if self.is_agreed {
                self.send_incident(now);
            }
        }
    }

    /// Each has heard the other.
    pub(super) fn meet_again(&mut self, now: Instant) {
        if let Some(incident) = &mut self.incidents.open {
            incident.met = Some(now);
            self.send_incident(now);
        }
    }

    fn send_incident(&mut self, now: Instant) {
        let (Some(incident), Some((generation, epoch))) = (&self.incidents.open, self.answering)
        else {
            return;
        };
        let current = self.ownership.tenures_since(incident.lost);
        let current = current.filter(|(_, tenure)| tenure.until.is_none());
        let all: Vec<Placed> = incident.ended.iter().copied().chain(current).collect();
        let mut tenures = self.ownership.in_wire_order(&all);
        tenures.sort_by_key(|(place, tenure)| (*place, tenure.since));
        let cause = match incident.cause {
            Cause::Silence => 's',
            Cause::Stall => 'p',
            Cause::Told => 't',
        };
        let since = |moment| now.since(moment).as_millis();
        let (lost, runs) = (since(incident.lost), since(self.incidents.began));
        let digest = self.ownership.digest();
        let tenures = Told {
            tenures: &tenures,
            now,
        };
        let word =
            format!("{generation:x}.{epoch:x} {digest:x} {cause} {lost:x} {runs:x} {tenures}");
        self.begin_to_peer(KIND).push_text(FIELD, &word);
        self.finish(false);
    }

    /// False when it can't be read.
    pub(super) fn incident_heard(&mut self, message: &Message, number: u64, now: Instant) -> bool {
        let groups = self.ownership.order.len();
        let Some(word) = message
            .text(FIELD)
            .and_then(|text| parse(text, groups, now))
        else {
            return false;
        };
        let at = (self.peer.generation, number);
        let is_current = word.answering == (self.settings.generation, self.epoch);
        if !is_current || at <= self.incidents.heard || word.lost <= self.incidents.settled {
            return true;
        }
        self.incidents.heard = at;
        let is_first = self.incidents.open.is_none();
        if is_first {
            self.begin_incident(Cause::Told, word.lost);
        }
        let is_same = word.digest == self.ownership.digest();
        let theirs = self.ownership.by_wire_order(&word.tenures);
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
        }
        if is_first && self.is_agreed {
            self.meet_again(now);
        }
        true
    }

    /// The end of a turn: perhaps it is over.
    pub(super) fn pursue_incident(&mut self, now: Instant) {
        let relation = self.standing().relation;
        let Some(incident) = &mut self.incidents.open else {
            return;
        };
        match relation {
            Relation::Talking => {}
            Relation::Halves { settled: true } => {
                incident.peer = PeerWord::Classic;
                incident.met.get_or_insert(now);
            }
            _ => return,
        }
        let before = incident.clashed.len();
        incident.clashed.extend(self.ownership.held_by_both());
        let clashes = self.ownership.held_by_both().next().is_some();
        let waits = match incident.peer {
            PeerWord::Nothing => true,
            // It says more once it has given up what it has.
            PeerWord::Told { .. } => self.ownership.contradicts(&incident.theirs),
            PeerWord::OtherFiles | PeerWord::Classic => false,
        };
        let is_late = incident.met.is_some_and(|met| now.since(met) >= PATIENCE);
        if !clashes && before == incident.clashed.len() && (!waits || is_late) {
            self.close_incident(now);
        }
    }

    /// It is over, or this node stops.
    pub(super) fn close_incident(&mut self, now: Instant) {
        let Some(incident) = self.incidents.open.take() else {
            return;
        };
        self.incidents.settled = now;
        let held = self.ownership.tenures_since(incident.lost);
        let held: Vec<Placed> = held.filter(|(_, tenure)| tenure.until.is_none()).collect();
        let keys = self.settings.groups.iter().map(|group| group.key.clone());
        let record = IncidentRecord {
            node: self.peer_name(),
            cause: incident.cause,
            lost: incident.lost,
            met: incident.met,
            settled: now,
            peer: incident.peer,
            groups: incident.groups(keys, &held, now),
        };
        self.actions.push_back(Action::Incident(Box::new(record)));
    }

    /// When the other node's word is not waited for any longer.
    pub(super) fn next_incident(&self) -> Option<Instant> {
        let incident = self.incidents.open.as_ref()?;
        incident
            .met
            .map(|met| met + PATIENCE)
            .filter(|at| *at > self.now)
    }
}

struct Word {
    answering: (u64, u64),
    digest: u32,
    cause: Cause,
    lost: Instant,
    runs_since: Instant,
    tenures: Vec<Placed>,
    has_more: bool,
}

/// Words that follow are for a later version.
fn parse(text: &str, groups: usize, now: Instant) -> Option<Word> {
    let mut words = text.split(' ');
    let (generation, epoch) = words.next()?.split_once('.')?;
    let answering = (hex(generation)?, hex(epoch)?);
    let digest = u32::try_from(hex(words.next()?)?).ok()?;
    let cause = match words.next()? {
        "s" => Cause::Silence,
        "p" => Cause::Stall,
        "t" => Cause::Told,
        _ => return None,
    };
    let lost = tenure::ago(words.next()?, now)?;
    let runs_since = tenure::ago(words.next()?, now)?;
    // The places of other files than ours mean nothing here, and need not be ours.
    let (tenures, has_more) = tenure::parse(words.next()?, groups, now).unwrap_or_default();
    Some(Word {
        answering,
        digest,
        cause,
        lost,
        runs_since,
        tenures,
        has_more,
    })
}
