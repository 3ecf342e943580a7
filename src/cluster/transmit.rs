//! Messages that this node sends.

use std::time::Duration;

use super::claims::{self, Field, Heading};
use super::outgoing::{Answer, Brief, Signing};
use super::report::Report;
use super::{Action, Cluster, Holdings, Instant, NodeStatus, PeerMemory};

/// A heartbeat never says that more numbers than this are superseded; nobody would ask for older ones.
const MOST_SUPERSEDED: u64 = 250;
/// The shortest time between two lines about lost messages.
const TELL_LOSS_AGAIN: Duration = Duration::from_secs(60);
/// How many numbers pass between two times that the highest one is remembered.
const REMEMBER_EVERY: u64 = 256;

impl Cluster {
    /// A heartbeat: our status and everything the peer needs to know of our groups.
    pub(super) fn send_heartbeat(&mut self, now: Instant) {
        let heading = Heading {
            epoch: self.epoch,
            answering: self.answering,
            digest: self.ownership.is_known().then(|| self.ownership.digest()),
            superseded: self.outgoing.heartbeats_in_a_row().min(MOST_SUPERSEDED),
            leaving: self.leaving,
        };
        let pings = self.stated_pings(now);
        let plea = self.stated_plea();
        let message = self.outgoing.begin("status");
        message.push_text("st", self.status.word());
        message.push_fmt(
            "dt",
            format_args!("{:x}", self.settings.deadtime.as_millis()),
        );
        message.push_text("protocol", "1");
        {
            let field = Field {
                heading: &heading,
                states: self.ownership.stated(),
            };
            message.push_fmt(claims::FIELD, format_args!("{field}"));
        }
        if let Some(counts) = pings {
            message.push_fmt(super::ipfail::FIELD, format_args!("{counts}"));
        }
        if let Some((name, letters)) = plea {
            message.push_text(name, letters);
        }
        self.push_readiness();
        self.push_carriers();
        self.push_links();
        self.push_policy();
        self.push_maintenance();
        self.push_known_state();
        self.finish(true);
        self.last_heartbeat = now;
        self.heartbeat_is_due = false;
    }

    /// Asks the peer for its node list: what makes a node of heartbeat 3.0.6 agree that it is a member.
    pub(super) fn send_node_list_request(&mut self) {
        self.begin_to_peer("reqnodes");
        self.finish(false);
    }

    /// Answers a request for the node list.
    pub(super) fn send_node_list(&mut self) {
        self.begin_to_peer("repnodes");
        let mut list = String::new();
        for node in &self.settings.nodes {
            list.push_str(node);
            list.push(' ');
        }
        let message = self.outgoing.message();
        message.push_text("nodelist", &list);
        message.push_text("delnodelist", " ");
        self.finish(false);
    }

    /// "I am up; what do you hold?"
    pub(super) fn send_starting(&mut self) {
        self.outgoing.begin("starting");
        self.finish(false);
    }

    /// What we hold, in the old words.
    pub(super) fn send_holdings(
        &mut self,
        holdings: Holdings,
        is_stable: impl Into<Option<bool>>,
        info: Option<&str>,
    ) {
        let message = self.outgoing.begin("resource");
        message.push_fmt("rsc_hold", format_args!("{holdings}"));
        message.push_text("rtype", "full");
        if let Some(is_stable) = is_stable.into() {
            message.push_text("isstable", if is_stable { "1" } else { "0" });
        }
        if let Some(info) = info {
            message.push_text("info", info);
        }
        self.finish(false);
    }

    /// "I hold nothing any more and am about to exit."
    pub(super) fn send_goodbye(&mut self) {
        self.outgoing
            .begin("shutdone")
            .push_text("st", NodeStatus::Dead.word());
        self.finish(false);
    }

    /// "Everything up to this has arrived." A serial line is spared it where the peer is one of ours, whose heartbeats there
    /// are short: one acknowledgement takes as long as six of those, and holds up the next. Nothing depends on it: the peer
    /// keeps what it sent whether it is acknowledged or not.
    pub(super) fn send_acknowledgement(&mut self, number: u64) {
        let is_spared = self.spares_serial();
        if !is_spared || self.links.has_network() {
            self.begin_to_peer("NS_ackmsg")
                .push_fmt("ackseq", format_args!("{number:x}"));
            let signing = Signing {
                keys: &self.settings.keys,
                key: self.signing_key(),
            };
            let seconds = self.wall_clock;
            let packet = if is_spared {
                self.outgoing.finish_for_networks(signing, seconds)
            } else {
                self.outgoing.finish(signing, seconds, false)
            };
            self.actions.push_back(Action::Send(packet));
        }
        if number % REMEMBER_EVERY < 10 {
            self.remember_peer();
        }
    }

    /// Asks for lost messages, as far as that is due.
    pub(super) fn send_retransmission_requests(&mut self, now: Instant) {
        if !matches!(self.peer.status, NodeStatus::Up | NodeStatus::Active) {
            return;
        }
        let delay = self.settings.max_rexmit_delay;
        while let Some((first, last)) = self.peer.incoming.next_request(delay, now) {
            if self
                .told
                .lost_at
                .is_none_or(|at| now.since(at) >= TELL_LOSS_AGAIN)
            {
                (self.told.lost_at, self.told.missing) = (Some(now), true);
                self.report(Report::LostPackets {
                    node: self.peer_name(),
                    first,
                    last,
                });
            }
            let message = self.begin_to_peer("NS_rexmit");
            message.push_fmt("firstseq", format_args!("{first}")); // these two are decimal on the wire
            message.push_fmt("lastseq", format_args!("{last}"));
            self.finish(false);
        }
    }

    /// Sends again what the peer has lost, or says that it is gone.
    pub(super) fn answer_retransmission(&mut self, range: (u64, u64), now: Instant) {
        let mut too_old = None;
        let mut says_again = false;
        let signing = Signing {
            keys: &self.settings.keys,
            key: self.signing_key(),
        };
        let actions = &mut self.actions;
        self.outgoing.answer(
            signing,
            range,
            self.peer.acknowledged,
            self.settings.max_rexmit_delay,
            now,
            |answer| match answer {
                Answer::Heartbeat(packet) => actions.push_back(Action::Send(packet)),
                Answer::Message(packet) => {
                    says_again = true;
                    actions.push_back(Action::Send(packet));
                }
                Answer::TooOld(number) => too_old = Some(number),
            },
        );
        if says_again {
            self.say_again(now);
        }
        let Some(newest) = too_old else { return };
        for number in range.0.max(newest.saturating_sub(49))..=newest {
            let message = self.begin_to_peer("NS_nak_rexmit");
            message.push_fmt("firstseq", format_args!("{number:x}")); // and this one is hexadecimal
            message.push_text("info", "seqno too low");
            self.finish(false);
        }
    }

    pub(super) fn next_request_at(&self) -> Option<Instant> {
        let answers = matches!(self.peer.status, NodeStatus::Up | NodeStatus::Active);
        if answers {
            self.peer.incoming.next_request_at()
        } else {
            None
        }
    }

    pub(super) fn remember_peer(&mut self) {
        let memory: PeerMemory = self.peer_memory();
        self.actions.push_back(Action::RememberPeer(memory));
    }

    pub(super) fn begin_to_peer(&mut self, kind: &str) -> &mut crate::message::Message {
        let message = self.outgoing.begin(kind);
        message.push_text("dest", &self.peer.name);
        if let Some(uuid) = &self.peer.uuid {
            message.push_binary("destuuid", uuid);
        }
        message
    }

    pub(super) fn finish(&mut self, is_heartbeat: bool) {
        let short = is_heartbeat.then(|| self.shorten()).flatten();
        let keys = &self.settings.keys;
        let signing = Signing {
            keys,
            key: self.signing_key(),
        };
        let seconds = self.wall_clock;
        if is_heartbeat && self.directions.peer_wants_names {
            let actions = &mut self.actions;
            let send = |packet| actions.push_back(Action::Send(packet));
            let links = self.links.forms();
            let to = self.peer.name.as_str();
            let brief = short.map(|short| Brief { short, to });
            self.outgoing
                .finish_for(signing, seconds, brief, links, send);
        } else {
            let packet = self.outgoing.finish(signing, seconds, is_heartbeat);
            self.actions.push_back(Action::Send(packet));
        }
    }

    /// Our `auth` entry; with a peer that runs heartbeat 3.0.6 the entry that its own messages name, because
    /// that program checks netstrings with the key text of its own `auth` entry.
    fn signing_key(&self) -> u8 {
        let own = self.settings.keys.signing;
        match self.peer.key {
            Some(key) if self.peer.is_classic && self.settings.keys.entry(key).is_some() => key,
            _ => own,
        }
    }
}
