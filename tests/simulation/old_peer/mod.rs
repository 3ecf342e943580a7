//! A model of the daemon that came before us, heartbeat 3.0.6: what a peer sees of it, bad habits included.
//! It is written from descriptions of its protocol and behaviour, not from its source.
//!
//! | file | what lives there |
//! |---|---|
//! | `words` | fields of messages, claims, reasons |
//! | `delivery` | numbers, acknowledgements, history, requests: both directions of the stream |
//! | `membership` | status messages, coming up, death, lateness, partitions |
//! | `resources` | phases, claims, the window of ten seconds, failback |
//! | `standby` | the dialogue by which groups are moved on request |
//! | `plans` | runs with it
//! | `scripts` | its children: what they do to groups one after the other, and what they say when they end |
//! | `surroundings` | the machine under it, and when a pair with it is settled |
//! | `leaving` | the clean stop, and the restart after a partition |
//!
//! **When it looks.** Nothing that arrives wakes it. It reads when one of its own timers is due (heartbeat, half a
//! second of housekeeping, a retransmission) or a child of it ends. So every step of a dialogue takes up to
//! half a second, and after a pause everything that came meanwhile is read before any silence is judged.
//!
//! Not modelled: clients, ping nodes, fencing devices, reloading, changes of names and uuids, two children that
//! start or stop the same group at once (the second waits; but a stop does not wait for a start).

mod delivery;
mod leaving;
mod membership;
mod plans;
mod resources;
mod scripts;
mod standby;
mod surroundings;
mod words;

use std::collections::VecDeque;
use std::time::Duration;

use heartbeat::cluster::{
    Action, Event, GroupId, GroupOutcome, GroupState, GroupView, Instant, LinkId, NodeStatus,
    Settings,
};
use heartbeat::config::AutoFailback;

use self::delivery::Delivery;
use self::leaving::Leaving;
use self::membership::Peer;
use self::resources::Resources;
use self::scripts::Scripts;
use self::standby::Dialogue;
pub use self::words::{Command, Ground, Hold, Wish, Words};
use super::node::Node;
use super::rng::Rng;

/// The pause between two looks of the housekeeping timer.
const HOUSEKEEPING: Duration = Duration::from_millis(500);
/// Silence is judged no more often than this.
const JUDGING: Duration = Duration::from_millis(250);

/// One run of the daemon.
pub struct OldPeer {
    settings: Settings,
    rng: Rng,
    now: Instant,
    wall: u64,
    status: NodeStatus,
    /// When it was started.
    started: Instant,
    /// When its children are ready and it says its first words.
    opens_at: Instant,
    heartbeat_at: Instant,
    housekeeping_at: Instant,
    judged_at: Instant,
    /// What the readers have put into its queue.
    inbox: VecDeque<(LinkId, Vec<u8>)>,
    /// What scripts have written for it to send.
    fifo: VecDeque<Words>,
    /// What scripts will write later.
    later: Vec<(Instant, Words)>,
    ended: VecDeque<(GroupId, GroupOutcome)>,
    actions: VecDeque<Action>,
    wishes: VecDeque<Wish>,
    delivery: Delivery,
    peer: Peer,
    resources: Resources,
    dialogue: Dialogue,
    scripts: Scripts,
    leaving: Leaving,
}

impl OldPeer {
    /// A daemon that was started just now.
    pub fn new(now: Instant, settings: Settings) -> Self {
        let mut rng = Rng::new(settings.seed, 9);
        let boot = Duration::from_millis(rng.between(400, 1000));
        let phase = Duration::from_millis(rng.below(500));
        Self {
            now,
            wall: 1,
            status: NodeStatus::Init,
            started: now,
            opens_at: now + boot,
            heartbeat_at: now + boot,
            housekeeping_at: now + boot + phase,
            judged_at: now,
            inbox: VecDeque::new(),
            fifo: VecDeque::new(),
            later: Vec::new(),
            ended: VecDeque::new(),
            actions: VecDeque::new(),
            wishes: VecDeque::new(),
            delivery: Delivery::new(&mut rng),
            peer: Peer::new(&settings, &mut rng),
            resources: Resources::default(),
            dialogue: Dialogue::default(),
            scripts: Scripts::new(settings.groups.len()),
            leaving: Leaving::default(),
            rng,
            settings,
        }
    }

    /// Whether it knows only the dialogue of the oldest releases.
    fn is_legacy(&self) -> bool {
        self.settings.auto_failback == AutoFailback::Legacy
    }

    fn say(&mut self, text: impl Into<String>) {
        self.wishes.push_back(Wish::Say(text.into()));
    }

    /// One turn of its main loop: something has woken it, so it looks at everything.
    fn turn(&mut self) {
        self.look();
        self.resources.note_claims(self.now);
    }

    fn look(&mut self) {
        if self.leaving.is_gone() {
            self.inbox.clear();
            return;
        }
        while let Some((group, outcome)) = self.ended.pop_front() {
            self.script_step_ended(group, outcome);
        }
        while let Some((link, bytes)) = self.inbox.pop_front() {
            self.receive(link, &bytes);
        }
        while let Some(words) = self.fifo.pop_front() {
            self.send(&words);
        }
        self.run_timers();
        if self.now >= self.judged_at + JUDGING {
            self.judged_at = self.now;
            self.judge_silence();
            self.join();
            self.end_window();
        }
        self.run_scripts();
        self.go_on_leaving();
    }

    fn run_timers(&mut self) {
        let now = self.now;
        if self.heartbeat_at <= now {
            while self.heartbeat_at <= now {
                self.heartbeat_at = self.heartbeat_at + self.settings.keepalive;
            }
            self.send_status();
        }
        while self.housekeeping_at <= now {
            self.housekeeping_at = self.housekeeping_at + HOUSEKEEPING;
        }
        let (due, later) = self.later.drain(..).partition(|(at, _)| *at <= now);
        self.later = later;
        let due: Vec<(Instant, Words)> = due;
        self.fifo.extend(due.into_iter().map(|(_, words)| words));
        self.ask_nodes_again();
        self.ask_for_missing();
        self.try_failback_again();
    }

    /// When one of its own timers is due next.
    fn next_timer(&self) -> Instant {
        let others = [
            self.later.iter().map(|(at, _)| *at).min(),
            self.next_request_at(),
            self.resources.failback_at,
            self.peer.ask_nodes_at,
            self.scripts.next_ready_at(),
            self.leaving.next_at(),
        ];
        let first = self.heartbeat_at.min(self.housekeeping_at);
        others.into_iter().flatten().fold(first, Instant::min)
    }
}

impl Node for OldPeer {
    fn handle(&mut self, now: Instant, event: Event<'_>) {
        self.now = now;
        match event {
            Event::Received { link, bytes } => self.inbox.push_back((link, bytes.to_vec())),
            Event::WallClock { seconds } => self.wall = seconds.max(1),
            Event::Group { group, outcome } => self.ended.push_back((group, outcome)),
            Event::StopRequested => self.leaving.request_stop(),
            // It pings, asks and fences nobody, and its operators write to its FIFO, see `command`.
            Event::PingAnswered { .. }
            | Event::FailbackAnswered { .. }
            | Event::Readiness { .. }
            | Event::Carrier { .. }
            | Event::Hardware(_)
            | Event::Terms(_)
            | Event::Maintenance(_)
            | Event::Fenced { .. }
            | Event::PeerConfirmedDead
            | Event::NetworkAnswered { .. }
            | Event::LinkCarrier { .. }
            | Event::WatchdogArmed { .. }
            | Event::Reloaded(_)
            | Event::Say(_)
            | Event::MoveRequested(_) => {}
            Event::KeysChanged(keys) => self.settings.keys = *keys,
            Event::Tick if now < self.opens_at => {}
            Event::Tick => {
                if self.status == NodeStatus::Init {
                    self.open();
                }
                if !self.ended.is_empty() || self.next_timer() <= now {
                    self.turn();
                }
            }
        }
    }

    fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn next_deadline(&self) -> Instant {
        let soon = self.now + Duration::from_micros(1);
        self.next_timer().max(self.opens_at).max(soon)
    }

    fn local_status(&self) -> NodeStatus {
        self.status
    }

    fn peer_status(&self) -> NodeStatus {
        self.peer.status
    }

    fn link_is_up(&self, link: LinkId) -> bool {
        self.peer.link_is_up(link, self.now)
    }

    fn group(&self, id: GroupId) -> GroupView {
        let claimed = self.claims(id);
        let local = if claimed {
            GroupState::Running
        } else {
            GroupState::Stopped
        };
        GroupView { local, peer: None }
    }

    fn command(&mut self, _now: Instant, command: Command) {
        let (kind, what) = match command {
            Command::Standby(what) => ("ask_resources", what),
            Command::Takeover(what) => ("hb_takeover", what),
        };
        let mut words = Words::new(kind).and("rsc_hold", what);
        if let Command::Standby(_) = command {
            words = words.and("info", "me");
        }
        self.fifo.push_back(words);
    }

    fn next_wish(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }

    fn is_stable(&self) -> bool {
        self.is_settled() && self.leaving.is_not_wanted()
    }

    fn disowns(&self, group: GroupId) -> bool {
        self.resources.has_disowned(self.prefers(group))
    }

    fn has_lost(&self, group: GroupId) -> bool {
        self.claims(group) && self.scripts.has_released(group)
    }

    fn waits_since(&self) -> Option<Instant> {
        self.dialogue.since()
    }

    fn claims_since(&self, group: GroupId) -> Option<Instant> {
        if self.scripts.is_releasing(group) {
            return Some(self.now); // given away, but not before the last script has ended
        }
        self.resources.claimed_at(self.prefers(group))
    }

    fn ground(&self, group: GroupId) -> Option<(Ground, Instant)> {
        self.scripts.ground(group)
    }
}
