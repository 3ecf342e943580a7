//! The core: what this node believes and decides. A value: no clock, no descriptors, no randomness.
//!
//! The shell gives [`Cluster::handle`] the time and what happened, takes [`Action`]s until there is none,
//! and comes back at [`Cluster::next_deadline`]. Same inputs, same outputs, always.

pub mod action;
pub mod claims;
mod conversation;
mod dialogue;
pub mod event;
mod groups;
mod halves;
pub mod holdings;
pub mod incoming;
mod legacy;
pub mod links;
mod membership;
pub mod movement;
mod moves;
pub mod node;
pub mod outgoing;
pub mod ownership;
pub mod policy;
mod questions;
pub mod random;
mod receive;
pub mod refusals;
pub mod report;
mod selected;
pub mod time;
mod transmit;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

pub use action::{Action, Packet, PeerMemory};
pub use event::{Event, GroupOutcome};
pub use movement::{MoveFailure, MoveProgress, MoveRefusal, MoveRequest, Movement, Selection};
pub use report::{Report, Severity};
pub use time::Instant;

use claims::{Claim, Leaving, Phase, Stated};
use halves::ClassicPeer;
pub use holdings::Holdings;
use incoming::Incoming;
use links::Links;
pub use node::NodeStatus;
use node::Peer;
use outgoing::{Identity, Outgoing};
use ownership::Ownership;
use policy::{Relation, Standing};
use questions::Questions;
use random::Jitter;
use refusals::{RefusalKind, Refusals};

use crate::config::AutoFailback;
use crate::message::{Keys, Message};

/// How long a node that has released everything stays to answer requests for lost messages (as 3.0.6).
const LINGER: Duration = Duration::from_secs(2);
/// Pause between two requests for the node list (as 3.0.6).
const ASK_NODES_AGAIN: Duration = Duration::from_secs(1);

/// A link: one path to the peer. The index into [`Settings::links`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u8);

/// A resource group. The index into [`Settings::groups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId(pub u32);

/// What the core needs to know to begin with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This node's name.
    pub local_node: String,
    /// The other node's name.
    pub peer_node: String,
    /// Both names in the order of their `node` lines, for `repnodes`.
    pub nodes: Vec<String>,
    /// This node's uuid.
    pub uuid: [u8; 16],
    /// The generation of this run.
    pub generation: u64,
    /// The run may go on as later generations, up to this one: no later run uses them.
    pub last_generation: u64,
    /// What an earlier run saw of the peer.
    pub remembered_peer: Option<PeerMemory>,
    /// Source of all jitter; anything random.
    pub seed: u64,
    /// See `ha.cf`.
    pub keepalive: Duration,
    /// See `ha.cf`.
    pub deadtime: Duration,
    /// See `ha.cf`.
    pub warntime: Duration,
    /// See `ha.cf`.
    pub initdead: Duration,
    /// See `ha.cf`.
    pub max_rexmit_delay: Duration,
    /// See `ha.cf`.
    pub auto_failback: AutoFailback,
    /// The value of the `ttl` field: hopfudge plus the number of configured nodes.
    pub ttl: u32,
    /// `msgfmt classic`: netstrings carry the inner signature too.
    pub inner_auth: bool,
    /// Whether refused packets are reported.
    pub log_badpack: bool,
    /// Link names by [`LinkId`]; at most 64.
    pub links: Vec<String>,
    /// Groups by [`GroupId`].
    pub groups: Vec<GroupSettings>,
    /// The keys.
    pub keys: Keys,
}

/// A resource group as far as the core is concerned.
#[derive(Debug, Clone)]
pub struct GroupSettings {
    /// Unique in the cluster.
    pub key: String,
    /// The `haresources` line without comment, single blanks: for the log.
    pub line: String,
    /// Whether this node is the preferred one.
    pub prefers_local: bool,
}

impl GroupSettings {
    /// What the group consists of: the line without its first word, the preferred node.
    pub(crate) fn resources(&self) -> &str {
        self.line
            .split_once(' ')
            .map_or("", |(_, resources)| resources)
    }
}

/// What is happening to a group on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupState {
    /// Not held.
    Stopped,
    /// Being started.
    Starting,
    /// Running.
    Running,
    /// Being stopped.
    Stopping,
    /// Could not be started; not running.
    Failed,
    /// Not known yet, or could not be stopped: counts as running.
    Unknown,
}

impl std::fmt::Display for GroupState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        })
    }
}

impl From<Claim> for GroupState {
    fn from(claim: Claim) -> Self {
        match claim {
            Claim::Free | Claim::Ceded | Claim::HandedOver | Claim::Waived => Self::Stopped,
            Claim::Failed => Self::Failed,
            Claim::Held {
                phase: Phase::Starting,
                ..
            } => Self::Starting,
            Claim::Held {
                phase: Phase::Running,
                ..
            } => Self::Running,
            Claim::Held {
                phase: Phase::Stopping,
                ..
            } => Self::Stopping,
            Claim::Held {
                phase: Phase::Unknown,
                ..
            } => Self::Unknown,
        }
    }
}

/// A group as both nodes see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupView {
    /// Here.
    pub local: GroupState,
    /// At the peer, if it said so in the current conversation.
    pub peer: Option<GroupState>,
}

/// This node's view of the cluster, and its decisions.
#[derive(Debug)]
pub struct Cluster {
    settings: Settings,
    actions: VecDeque<Action>,
    outgoing: Outgoing,
    /// Reused for every message received.
    inbox: Message,
    /// Reused for the claims in it.
    heard_states: Vec<Stated>,
    jitter: Jitter,
    links: Links,
    peer: Peer,
    ownership: Ownership,
    refusals: Refusals,
    status: NodeStatus,
    leaving: Leaving,
    now: Instant,
    /// Since when a peer that was never heard is waited for.
    started: Instant,
    wall_clock: u64,
    next_heartbeat: Instant,
    last_heartbeat: Instant,
    /// Something that heartbeats say has changed: send one at the end of this turn.
    heartbeat_is_due: bool,
    ask_nodes_at: Option<Instant>,
    has_node_list: bool,
    /// How often this run met the peer anew.
    epoch: u64,
    epoch_began: Instant,
    /// The peer's generation and epoch as last heard; goes into our heartbeats.
    answering: Option<(u64, u64)>,
    /// The peer answers our current epoch.
    is_agreed: bool,
    /// Since when the peer is heard without answering our current epoch.
    unanswered_since: Option<Instant>,
    /// Number of the newest heartbeat whose claims were taken in.
    claims_number: u64,
    told: Told,
    announced: Option<(Holdings, bool)>,
    /// When another machine last said something new in our name.
    namesake_heard: Option<Instant>,
    /// Generation and number of that.
    namesake_said: (u64, u64),
    exit_at: Option<Instant>,
    /// We stood still, and have not read everything that came meanwhile.
    is_catching_up: bool,
    /// What a peer of heartbeat 3.0.6 has told.
    classic: ClassicPeer,
    /// The same with `auto_failback legacy`.
    questions: Questions,
    /// This run came once to the point where it wanted nothing more.
    has_settled: bool,
    movement: Option<Movement>,
    /// Until when the peer must have begun what it was asked for.
    move_until: Option<Instant>,
}

/// What was told once and need not be told again until it changes.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    deaf: bool,
    files_differ: bool,
    preferences_differ: bool,
    classic: bool,
    modes_differ: bool,
    generations_used_up: bool,
    settled: bool,
    initial: bool,
    missing: bool,
    lost_at: Option<Instant>,
}

impl Cluster {
    /// A node that has just started and knows nothing of the peer but what an earlier run remembered.
    pub fn new(now: Instant, settings: Settings) -> Self {
        let mut jitter = Jitter::new(settings.seed);
        let remembered = settings.remembered_peer.unwrap_or_default();
        let peer = Peer {
            name: settings.peer_node.clone(),
            uuid: remembered.uuid,
            status: NodeStatus::Init,
            generation: remembered.generation,
            former_generation: 0,
            came_as_member: false,
            runs_since: now,
            highest_generation: remembered.generation,
            heard_in_this_run: false,
            incoming: Incoming::new(remembered.sequence, &mut jitter),
            last_heard: now,
            last_heartbeat: None,
            deadtime: settings.deadtime,
            has_left: false,
            is_leaving: false,
            acknowledged: 0,
            key: None,
            takes_over_until: None,
            takeover_ended: 0,
            is_classic: false,
        };
        let identity = Identity {
            name: settings.local_node.clone(),
            uuid: settings.uuid,
            generation: settings.generation,
            ttl: settings.ttl,
            inner_auth: settings.inner_auth,
        };
        let mut cluster = Self {
            actions: VecDeque::new(),
            outgoing: Outgoing::new(identity),
            inbox: Message::new(),
            heard_states: Vec::new(),
            jitter,
            links: Links::new(&settings.links),
            peer,
            ownership: Ownership::new(&settings.groups, settings.local_node < settings.peer_node),
            refusals: Refusals::default(),
            status: NodeStatus::Init,
            leaving: Leaving::No,
            now,
            started: now,
            wall_clock: 1,
            next_heartbeat: now,
            last_heartbeat: now,
            heartbeat_is_due: false,
            ask_nodes_at: None,
            has_node_list: false,
            epoch: 1,
            epoch_began: now,
            answering: None,
            is_agreed: false,
            unanswered_since: None,
            claims_number: 0,
            told: Told::default(),
            announced: None,
            namesake_heard: None,
            namesake_said: (0, 0),
            exit_at: None,
            is_catching_up: false,
            classic: ClassicPeer::default(),
            questions: Questions::default(),
            has_settled: false,
            movement: None,
            move_until: None,
            settings,
        };
        for index in 0..cluster.settings.groups.len() {
            let group = GroupId(u32::try_from(index).unwrap_or(u32::MAX));
            cluster.actions.push_back(Action::ProbeGroup(group));
        }
        cluster
    }

    /// Takes in what happened at `now`, which never goes back.
    pub fn handle(&mut self, now: Instant, event: Event<'_>) {
        let pause = now.since(std::mem::replace(&mut self.now, now));
        self.notice_stall(pause, now);
        match event {
            Event::Received { link, bytes } => self.receive(link, bytes, now),
            Event::WallClock { seconds } => self.wall_clock = seconds.max(1),
            Event::Group { group, outcome } => self.group_ended(group, outcome, now),
            Event::StopRequested => self.leave(),
            Event::MoveRequested(request) => self.begin_move(request, now),
            Event::KeysChanged(keys) => self.settings.keys = *keys,
            Event::Tick => self.tick(now),
        }
    }

    /// The next thing to do. To be asked until there is nothing.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When the next `Tick` is needed even if nothing happens.
    pub fn next_deadline(&self) -> Instant {
        let others = [
            self.peer_silent_at(),
            self.links.next_silence(self.peer.deadtime),
            self.ask_nodes_at,
            self.next_request_at(),
            self.next_word(),
            self.move_until,
            self.ownership.next_retry(self.now),
            self.exit_at,
        ];
        others
            .into_iter()
            .flatten()
            .fold(self.next_heartbeat, Instant::min)
    }

    /// This node's own status.
    pub fn local_status(&self) -> NodeStatus {
        self.status
    }

    /// The peer's status as this node sees it.
    pub fn peer_status(&self) -> NodeStatus {
        self.peer.status
    }

    /// Whether the peer is heard on `link`.
    pub fn link_is_up(&self, link: LinkId) -> bool {
        self.links.is_up(link)
    }

    /// Whether the nodes have agreed, or nobody is there to agree with.
    pub fn is_communicating(&self) -> bool {
        self.status == NodeStatus::Active
    }

    /// What happens to a group on both nodes.
    pub fn group(&self, id: GroupId) -> GroupView {
        let is_valid = matches!(
            self.standing().relation,
            Relation::Talking | Relation::Halves { .. }
        );
        let peer = self.ownership.theirs(id).filter(|_| is_valid);
        GroupView {
            local: self
                .ownership
                .mine(id)
                .map_or(GroupState::Unknown, GroupState::from),
            peer: peer.map(|stated| stated.claim.into()),
        }
    }

    /// What this node holds, in the old words.
    pub fn holdings(&self) -> Holdings {
        if self.status != NodeStatus::Active || self.ownership.is_moving() {
            return Holdings::Transition;
        }
        self.settled_holdings()
    }

    /// The generation that this node's messages carry now.
    pub fn generation(&self) -> u64 {
        self.settings.generation
    }

    /// How many packets of a kind were refused in this run.
    pub fn refused(&self, kind: RefusalKind) -> u64 {
        self.refusals.total(kind)
    }

    /// What is to be remembered of the peer over our own restart.
    pub fn peer_memory(&self) -> PeerMemory {
        let is_highest = self.peer.generation == self.peer.highest_generation;
        let sequence = if is_highest {
            self.peer.incoming.highest()
        } else {
            u64::MAX // all of that run has been heard that ever will be
        };
        PeerMemory {
            uuid: self.peer.uuid,
            generation: self.peer.highest_generation,
            sequence,
        }
    }

    fn report(&mut self, report: Report) {
        self.actions.push_back(Action::Report(report));
    }

    fn peer_name(&self) -> String {
        self.peer.name.clone()
    }
}
