//! The core: what this node believes and decides. A value: no clock, no descriptors, no randomness.
//!
//! The shell gives [`Cluster::handle`] the time and what happened, takes [`Action`]s until there is none,
//! and comes back at [`Cluster::next_deadline`]. Same inputs, same outputs, always.

pub mod action;
mod agreement;
mod agreement_report;
mod agreements;
mod carrier;
mod carriers;
pub mod claims;
mod classic;
mod condition;
mod degradation;
mod degrading;
mod departure;
mod directions;
mod doubt;
mod ear;
mod ethernet;
pub mod event;
mod failback;
mod failures;
mod fence_state;
mod fencing;
pub mod fencing_report;
mod files_differ;
mod former_run;
mod giveup;
mod group_report;
mod groups;
mod hardware;
mod held_back;
pub mod holdings;
mod ids;
mod incident;
mod incidents;
pub mod incoming;
mod ipfail;
mod known;
mod last_link;
pub mod last_link_report;
pub mod link_report;
pub mod links;
mod maintaining;
pub mod maintenance;
pub mod maintenance_report;
mod maintenance_words;
mod membership;
pub mod movement;
mod moves;
pub mod node;
pub mod outgoing;
pub mod ownership;
pub mod ping;
pub mod ping_report;
mod pinged;
pub mod policy;
mod quality;
mod quiet;
pub mod random;
mod readiness;
mod ready;
mod receive;
pub mod refusals;
pub mod reload;
mod reloading;
pub mod report;
mod retry;
mod saying;
pub mod script_message;
mod selected;
mod settings;
mod severity;
mod short;
mod shown;
mod size;
mod stated;
mod stop_failure;
mod tenure;
mod tenures;
mod terms;
pub mod time;
mod transmit;
mod view;
mod way;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

pub use action::{Action, Packet, PeerMemory};
pub use agreement::{AgreementState, AgreementView};
pub use agreement_report::{AgreementReport, Difference, differences};
pub use carriers::CarrierState;
pub use condition::FailbackCondition;
pub use doubt::{DoubtStage, NetworkAnswer, PeerPolicy};
pub use ethernet::{Ethernet, MOST_ETHERNET, read_ethernet, write_ethernet};
pub use event::{Event, GroupOutcome};
pub use failback::FailbackView;
pub use failures::{AfterFailure, Elsewhere};
pub use fence_state::{ConfirmationRefusal, FencingStage};
pub use fencing_report::FencingReport;
pub use group_report::GroupReport;
pub use holdings::Holdings;
pub use ids::{GroupId, LinkId, PingId};
pub use incident::{Cause, HeldGroups, IncidentRecord, PeerWord};
pub use last_link_report::LastLinkReport;
pub use link_report::LinkReport;
pub use maintenance::{
    LONGEST_MAINTENANCE, MOST_BY, MOST_REASON, MaintenanceMemory, MaintenanceMistake,
    MaintenanceOrder, MaintenanceRefusal, MaintenanceView,
};
pub use movement::{MoveFailure, MoveProgress, MoveRefusal, MoveRequest, Movement, Selection};
pub use node::NodeStatus;
pub use ping::PingStatus;
pub use ping_report::PingReport;
pub use quality::LinkQuality;
pub use reload::{GroupPlace, Reload, ReloadRefusal};
pub use report::{Report, Severity};
pub use retry::RetryView;
pub use script_message::{ScriptMessage, Unsendable};
pub use settings::{FencingSettings, GroupSettings, PingNodeSettings, PingSettings, Settings};
pub use shown::{GroupInputs, Wait};
pub use size::{HeartbeatBytes, heartbeat_bytes};
pub use tenure::Tenure;
pub use time::{Instant, Moment};
pub use view::{GroupState, GroupView};
pub use way::Way;

use agreement::Agreement;
use claims::{Claim, Leaving, Stated};
use classic::{ClassicPeer, Questions};
use condition::Failback;
use degradation::Degradations;
use doubt::Doubt;
use ethernet::Hardware;
use fence_state::Fencing;
use giveup::Ipfail;
use incident::Incidents;
use incoming::Incoming;
use known::Shorts;
use links::Links;
use maintenance::Maintenance;
use node::{Peer, Plea};
use outgoing::{Identity, Outgoing};
use ownership::Ownership;
use ping::PingNodes;
use policy::{Relation, Standing};
use quality::Qualities;
use quiet::Quiet;
use random::Jitter;
use refusals::Refusals;
use way::Directions;

use crate::message::Message;

/// Pause between two requests for the node list (as 3.0.6).
const ASK_NODES_AGAIN: Duration = Duration::from_secs(1);

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
    qualities: Qualities,
    degradations: Degradations,
    directions: Directions,
    shorts: Shorts,
    peer: Peer,
    ownership: Ownership,
    pings: PingNodes,
    ipfail: Ipfail,
    failback: Failback,
    hardware: Hardware,
    refusals: Refusals,
    /// See [`Cluster::unheeded`].
    unheeded: u64,
    status: NodeStatus,
    leaving: Leaving,
    fencing: Fencing,
    doubt: Doubt,
    incidents: Incidents,
    agreement: Agreement,
    maintenance: Maintenance,
    /// The timeout of the watchdog that is armed here.
    watchdog: Option<Duration>,
    /// A group does not stop, and the peer is to reset this node for that.
    wants_reset: bool,
    now: Instant,
    /// Since when a peer that was never heard is waited for.
    started: Instant,
    /// Since when a link of this node may receive; `None` while none has a carrier.
    receives_since: Option<Instant>,
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
    /// How often the files were taken over again.
    reloads: u64,
    /// The shortest deadtime that the peer may still go by; `None` once it goes by ours.
    former_deadtime: Option<Duration>,
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
    lost_many: Quiet,
    irretrievable: Quiet,
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
            former: None,
            came_as_member: false,
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
            plea: Plea::default(),
            policy: None,
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
            qualities: Qualities::new(settings.links.len()),
            degradations: Degradations::new(settings.links.len()),
            directions: Directions::default(),
            shorts: Shorts::default(),
            peer,
            ownership: Ownership::new(&settings.groups, settings.local_node < settings.peer_node),
            pings: PingNodes::new(&settings.ping, settings.initdead, now),
            ipfail: Ipfail::default(),
            failback: Failback::default(),
            hardware: Hardware::default(),
            refusals: Refusals::default(),
            unheeded: 0,
            status: NodeStatus::Init,
            leaving: Leaving::No,
            fencing: Fencing::default(),
            doubt: Doubt {
                is_unresolved: remembered.in_doubt,
                ..Doubt::default()
            },
            incidents: Incidents::new(now),
            agreement: Agreement::default(),
            maintenance: Maintenance::remembered(
                settings.maintenance.as_ref(),
                settings.local_node > settings.peer_node,
                now,
            ),
            watchdog: None,
            wants_reset: false,
            now,
            started: now,
            receives_since: Some(now),
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
            reloads: 0,
            former_deadtime: None,
            settings,
        };
        for index in 0..cluster.settings.groups.len() {
            let group = GroupId(u32::try_from(index).unwrap_or(u32::MAX));
            cluster.actions.push_back(Action::ProbeGroup(group));
        }
        cluster.tell_statement(false);
        cluster
    }

    /// Takes in what happened at `now`, which never goes back.
    pub fn handle(&mut self, now: Instant, event: Event<'_>) {
        let pause = now.since(std::mem::replace(&mut self.now, now));
        if pause > self.settings.keepalive + self.settings.keepalive / 2 {
            self.pings.excuse_silence(pause);
            self.directions.excuse_silence(pause);
            self.qualities.excuse_silence();
        }
        self.notice_stall(pause, now);
        match event {
            Event::Received { link, bytes } => self.receive(link, bytes, now),
            Event::WallClock { seconds } => self.wall_clock = seconds.max(1),
            Event::Group { group, outcome } => self.group_ended(group, outcome, now),
            Event::StopRequested => self.leave(),
            Event::MoveRequested(request) => self.begin_move(request, now),
            Event::PingAnswered { node } => self.ping_answered(node, now),
            Event::Readiness { group, ready } => self.readiness_found(group, ready),
            Event::Carrier { group, here } => self.carrier_found(group, here, now),
            Event::FailbackAnswered { agrees } => self.failback.answered(agrees, now),
            Event::Fenced { request, is_reset } => self.fencing_answered(request, is_reset, now),
            Event::PeerConfirmedDead => self.death_confirmed(),
            Event::NetworkAnswered { request, answer } => {
                self.network_answered(request, answer, now);
            }
            Event::WatchdogArmed { timeout } => self.watchdog = timeout,
            Event::LinkCarrier { link, has } => self.link_carrier(link, has, now),
            Event::KeysChanged(keys) => {
                self.settings.keys = *keys;
                self.shorts.forget_state(); // what the former keys vouched for
            }
            Event::Terms(terms) => self.terms_changed(terms, now),
            Event::Hardware(own) => self.hardware_changed(own),
            Event::Reloaded(reload) => self.reload(*reload, now),
            Event::Maintenance(order) => self.maintenance_ordered(*order, now),
            Event::Say(message) => self.say(*message),
            Event::Tick => self.tick(now),
        }
    }

    /// The next thing to do. To be asked until there is nothing.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether there is something to do.
    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// When the next `Tick` is needed even if nothing happens.
    pub fn next_deadline(&self) -> Instant {
        let others = [
            self.peer_silent_at(),
            self.links.next_silence(self.peer.deadtime),
            self.next_direction(),
            self.ask_nodes_at,
            self.next_request_at(),
            self.next_word(),
            self.next_fencing(),
            self.next_doubt(),
            self.next_incident(),
            self.next_word_of_terms(),
            self.next_maintenance(),
            self.move_until,
            self.pings.next_silence(),
            self.next_failback(),
            self.ownership.next_retry(self.now),
            self.exit_at,
        ];
        others
            .into_iter()
            .flatten()
            .fold(self.next_heartbeat, Instant::min)
    }

    fn report(&mut self, report: Report) {
        let comment = self.comment(&report);
        self.actions.push_back(Action::Report(report));
        if let Some(comment) = comment {
            self.actions
                .push_back(Action::Report(Report::Ping(comment)));
        }
    }

    fn peer_name(&self) -> String {
        self.peer.name.clone()
    }
}
