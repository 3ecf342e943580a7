//! Status messages: coming up, what the peer says of itself, its death, its return.

use std::collections::BTreeMap;
use std::time::Duration;

use heartbeat::cluster::{Instant, LinkId, NodeStatus, Settings};

use super::delivery::Stream;
use super::words::{Ground, Heard, Words};
use super::{OldPeer, Rng};

/// What a node adds to its dead time while it starts, and for how long.
const EXTRA: Duration = Duration::from_secs(2);
const EXTRA_FOR: Duration = Duration::from_secs(5);
/// What it adds while it goes down to begin again.
const EXTRA_AGAIN: Duration = Duration::from_secs(30);
/// The node list is asked for as often as this.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Between the return of a node that was dead and our own restart.
const HEAL_DELAY: Duration = Duration::from_secs(2);

/// What is known of the peer.
pub struct Peer {
    pub status: NodeStatus,
    pub uuid: Option<[u8; 16]>,
    /// The highest generation heard.
    pub generation: u64,
    pub stream: Stream,
    /// When the last status came that counted.
    last_status: Option<Instant>,
    /// The number of that.
    status_number: u64,
    /// After so much silence it is dead, as it said itself.
    dead_after: Duration,
    /// Heard since it was dead, or since our own start.
    is_heard: bool,
    pub ask_nodes_at: Option<Instant>,
    has_node_list: bool,
    links: BTreeMap<LinkId, Instant>,
}

impl Peer {
    pub fn new(settings: &Settings, rng: &mut Rng) -> Self {
        Self {
            status: NodeStatus::Init,
            uuid: None,
            generation: 0,
            stream: Stream::new(rng),
            last_status: None,
            status_number: 0,
            dead_after: settings.deadtime,
            is_heard: false,
            ask_nodes_at: None,
            has_node_list: false,
            links: BTreeMap::new(),
        }
    }

    /// An accepted message, or the copy of the newest one, came this way.
    pub fn link_heard(&mut self, link: LinkId, now: Instant) {
        self.links.insert(link, now);
    }

    pub fn link_is_up(&self, link: LinkId, now: Instant) -> bool {
        let heard = self.links.get(&link);
        heard.is_some_and(|&at| now.since(at) < self.dead_after)
    }
}

impl OldPeer {
    /// Its children are ready: the first words of a run.
    pub(super) fn open(&mut self) {
        self.send_status();
        self.set_status(NodeStatus::Up);
        self.send_status();
        self.heartbeat_at = self.now + self.settings.keepalive;
    }

    fn set_status(&mut self, status: NodeStatus) {
        self.status = status;
        self.say(format!("Local status now set to: '{status}'"));
        self.send_status();
    }

    /// A heartbeat.
    pub(super) fn send_status(&mut self) {
        let extra = if self.leaving.is_going_to_begin_again() {
            EXTRA_AGAIN
        } else if self.now.since(self.opens_at) < EXTRA_FOR {
            EXTRA
        } else {
            Duration::ZERO
        };
        let status = Words::new("status").and("st", self.status);
        let millis = (self.settings.deadtime + extra).as_millis();
        let status = status.and("dt", format_args!("{millis:x}"));
        self.send(&status.and("protocol", 1));
    }

    /// What a message does, ours or the peer's.
    pub(super) fn dispatch(&mut self, heard: &Heard<'_>, number: u64) {
        self.cancel_late_dialogue();
        match heard.text("t").unwrap_or_default() {
            "status" if !heard.is_own() => self.status_heard(heard, number),
            "reqnodes" if !heard.is_own() => {
                let list = Words::new("repnodes").and("dest", &self.settings.peer_node);
                let names = self.settings.nodes.join(" ") + " ";
                self.send(&list.and("nodelist", names).and("delnodelist", " "));
            }
            "repnodes" if !heard.is_own() => {
                self.peer.has_node_list = true;
                self.join();
            }
            _ => self.resource_message(heard),
        }
    }

    fn status_heard(&mut self, heard: &Heard<'_>, number: u64) {
        let Some(status) = heard.text("st") else {
            return;
        };
        let status = NodeStatus::from_word(status).unwrap_or(NodeStatus::Up);
        let now = self.now;
        if self.peer.status == NodeStatus::Dead && self.peer.last_status.is_some() {
            self.say("Cluster node returning after partition.");
            self.send_status();
            let at = now + HEAL_DELAY;
            self.leaving.begin_again_at(at);
        } else if let Some(last) = self.peer.last_status {
            let gap = now.since(last);
            if gap > self.settings.deadtime {
                self.say(format!("Late heartbeat: interval {gap:?} (> deadtime)"));
                self.peer_died(Ground::Late);
            }
        }
        self.peer.last_status = Some(now);
        self.peer.status_number = number;
        self.peer.is_heard = true;
        if let Some(millis) = heard.hex("dt").filter(|&millis| millis > 0) {
            self.peer.dead_after = Duration::from_millis(millis);
        }
        if self.peer.status != status {
            self.say(format!("Status update for the peer: status {status}"));
            self.peer.status = status;
        }
        self.join();
    }

    /// A word of a dead node that is no news.
    pub(super) fn is_stale(&self, number: u64) -> bool {
        let is_dead = self.peer.status == NodeStatus::Dead;
        is_dead && number <= self.peer.status_number
    }

    /// A higher generation in a status message.
    pub(super) fn peer_runs_anew(&mut self, generation: u64) {
        if self.peer.generation > 0 {
            self.say("Heartbeat restart on the peer");
        }
        self.peer.generation = generation;
        self.peer.stream.forget();
        self.peer.last_status = None;
        self.peer.status_number = 0;
        self.delivery.forget_acknowledgement();
    }

    /// Whether the peer has been silent for too long.
    pub(super) fn judge_silence(&mut self) {
        if self.peer.status == NodeStatus::Dead {
            return;
        }
        let since = self.peer.last_status.unwrap_or(self.started);
        let longest = if self.status == NodeStatus::Active && self.peer.is_heard {
            self.peer.dead_after
        } else {
            self.settings.initdead
        };
        if self.now.since(since) > longest {
            self.peer_died(Ground::Silence);
        }
    }

    fn peer_died(&mut self, ground: Ground) {
        self.say("node is dead");
        self.peer.status = NodeStatus::Dead;
        self.peer.stream.forget();
        let was_heard = std::mem::take(&mut self.peer.is_heard);
        self.peer_is_gone(was_heard, ground);
    }

    /// The node becomes a member once the peer was heard and gave a node list, or is dead.
    pub(super) fn join(&mut self) {
        if self.status != NodeStatus::Up {
            return;
        }
        let is_known = self.peer.is_heard && self.peer.has_node_list;
        if self.peer.status == NodeStatus::Dead || is_known {
            self.become_active();
        } else if self.peer.is_heard && self.peer.ask_nodes_at.is_none() {
            self.ask_nodes();
        }
    }

    fn ask_nodes(&mut self) {
        self.peer.ask_nodes_at = Some(self.now + ASK_AGAIN);
        self.send(&Words::new("reqnodes").and("dest", &self.settings.peer_node));
    }

    /// Once a second, until there is an answer.
    pub(super) fn ask_nodes_again(&mut self) {
        if self.peer.ask_nodes_at.is_some_and(|at| at <= self.now) {
            self.ask_nodes();
        }
    }

    fn become_active(&mut self) {
        self.peer.ask_nodes_at = None;
        self.set_status(NodeStatus::Active);
        self.communication_is_up();
    }
}
