//! Who holds what: phases, claims, the window of ten seconds, takeover and failback. A claim is made before the
//! first script runs, and nobody checks it.

use std::time::Duration;

use heartbeat::cluster::{GroupId, Instant, NodeStatus};
use heartbeat::config::AutoFailback;

use super::OldPeer;
use super::words::{Ground, Heard, Hold, Words};

/// How long a node waits for the other to become stable before it takes its own groups.
const WINDOW: Duration = Duration::from_secs(10);
/// A failback that can't be begun now is tried again after this.
const FAILBACK_AGAIN: Duration = Duration::from_secs(1);

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    #[default]
    Init,
    Starting,
    BothStarting,
    Received,
    Stable,
    Shutdown,
}

/// What it claims, and what it believes of the peer.
#[derive(Default)]
pub struct Resources {
    pub phase: Phase,
    pub mine: Hold,
    pub theirs: Hold,
    pub peer_stable: bool,
    /// The script that takes the dead node's groups runs.
    pub takeover: bool,
    window_end: Option<Instant>,
    failback_wanted: bool,
    pub failback_at: Option<Instant>,
    /// Since when it claims the local half and the foreign one.
    claimed: [Option<Instant>; 2],
}

impl Resources {
    /// Keeps the books of its claims.
    pub fn note_claims(&mut self, now: Instant) {
        let claims = [self.mine.local, self.mine.foreign];
        for (place, claims) in self.claimed.iter_mut().zip(claims) {
            *place = claims.then(|| place.unwrap_or(now));
        }
    }

    /// What it says of itself, also while it releases everything to stop.
    fn is_stable(&self) -> bool {
        matches!(self.phase, Phase::Stable | Phase::Shutdown)
    }

    /// Since when it claims its own groups, or the others.
    pub fn claimed_at(&self, local: bool) -> Option<Instant> {
        self.claimed[usize::from(!local)]
    }
}

impl OldPeer {
    /// What `cl_status rscstatus` would not call a transition.
    pub(super) fn is_settled(&self) -> bool {
        let rsc = &self.resources;
        (rsc.peer_stable || self.is_legacy())
            && !rsc.takeover
            && self.dialogue.is_idle()
            && self.scripts.is_idle()
            && matches!(rsc.phase, Phase::Init | Phase::Stable | Phase::Shutdown)
    }

    /// Whether it says that it holds this group.
    pub(super) fn claims(&self, group: GroupId) -> bool {
        let mine = self.resources.mine;
        if self.prefers(group) {
            mine.local
        } else {
            mine.foreign
        }
    }

    pub(super) fn prefers(&self, group: GroupId) -> bool {
        let index = usize::try_from(group.0).unwrap_or(usize::MAX);
        let settings = self.settings.groups.get(index);
        settings.is_some_and(|group| group.prefers_local)
    }

    /// This node has just become active.
    pub(super) fn communication_is_up(&mut self) {
        if self.is_legacy() {
            let ground = match self.peer.status {
                NodeStatus::Dead => Ground::Silence,
                NodeStatus::Active => Ground::Answer,
                _ => Ground::Unasked,
            };
            self.acquire_own(ground);
            return;
        }
        self.resources.phase = Phase::Starting;
        self.send(&Words::new("starting"));
    }

    /// Tells what it holds.
    pub(super) fn send_holdings(&mut self, is_stable: bool, info: Option<&str>) {
        let words = Words::new("resource").and("rsc_hold", self.resources.mine);
        let words = words
            .and("rtype", "full")
            .and("isstable", u8::from(is_stable));
        let words = match info {
            Some(info) => words.and("info", info),
            None => words,
        };
        self.send(&words);
    }

    /// Everything about resources, from the peer or from itself.
    pub(super) fn resource_message(&mut self, heard: &Heard<'_>) {
        let kind = heard.text("t").unwrap_or_default();
        match (kind, heard.is_own()) {
            ("ip-request", false) => self.run_ip_request(heard.text("ipaddr")),
            ("ip-request-resp", _) => {
                let is_ours = heard.text("dest") == Some(&self.settings.local_node);
                if is_ours && heard.text("ok") == Some("OK") {
                    let is_own = heard.is_own();
                    self.run_take_group(heard.text("ipaddr"), is_own);
                }
            }
            ("shutdone", false) => self.peer_has_stopped(),
            _ if self.is_legacy() => return,
            ("starting", false) => self.peer_is_starting(),
            ("resource", false) => self.peer_holds(heard),
            ("resource", true) => self.own_holdings(heard),
            ("ask_resources", _) => self.dialogue_message(heard),
            ("hb_takeover", false) => {
                self.run_takeover_request(Hold::from_word(heard.text("rsc_hold")));
            }
            _ => return,
        }
        let rsc = &mut self.resources;
        if rsc.phase == Phase::Received && rsc.window_end.is_none() {
            rsc.window_end = Some(self.now + WINDOW);
        }
    }

    fn peer_is_starting(&mut self) {
        match self.resources.phase {
            Phase::Init => return,
            Phase::Starting => self.resources.phase = Phase::BothStarting,
            _ => {}
        }
        self.resources.peer_stable = false;
        self.send_holdings(self.resources.is_stable(), None);
    }

    fn peer_holds(&mut self, heard: &Heard<'_>) {
        let before = self.resources.phase;
        if before == Phase::Init {
            return;
        }
        if matches!(before, Phase::Starting | Phase::BothStarting) {
            self.resources.phase = Phase::Received;
        }
        self.resources.theirs = stated(self.resources.theirs, heard);
        match heard.text("isstable") {
            Some("1") if !self.resources.peer_stable => {
                self.say("remote resource transition completed.");
                self.resources.peer_stable = true;
                self.send_holdings(self.resources.is_stable(), None);
                self.try_failback();
            }
            Some("0") => self.resources.peer_stable = false,
            _ => {}
        }
        if !matches!(before, Phase::Stable | Phase::Shutdown) && self.resources.peer_stable {
            self.acquire_what_is_free(Ground::Stability);
            self.resources.phase = Phase::Stable;
            self.send_holdings(true, None);
            self.try_failback();
        }
    }

    fn own_holdings(&mut self, heard: &Heard<'_>) {
        // A delayed stop goes on in here, and what it claims then is overwritten at once.
        self.go_on_leaving();
        let rsc = &mut self.resources;
        rsc.mine = stated(rsc.mine, heard);
        if matches!(rsc.phase, Phase::Starting | Phase::BothStarting) {
            rsc.phase = Phase::Received;
        }
        if heard.text("info") == Some("mach_down") {
            rsc.takeover = false;
            rsc.mine.foreign = true;
            rsc.failback_wanted = true;
            rsc.peer_stable = true;
        }
    }

    /// At every look: ten seconds without a stable peer are enough.
    pub(super) fn end_window(&mut self) {
        let rsc = &self.resources;
        let is_over = rsc.window_end.is_some_and(|end| self.now > end);
        if rsc.phase == Phase::Received && is_over {
            self.resources.phase = Phase::Stable;
            self.acquire_what_is_free(Ground::Window);
            self.say("local resource transition completed.");
            self.send_holdings(true, None);
        }
    }

    /// Its own groups, unless the peer says that it has them.
    fn acquire_what_is_free(&mut self, ground: Ground) {
        let rsc = &self.resources;
        if (rsc.theirs.foreign || rsc.mine.local) && self.dialogue.is_idle() {
            self.say("Local Resource acquisition completed. (none)");
            return;
        }
        self.acquire_own(ground);
    }

    fn acquire_own(&mut self, ground: Ground) {
        if !self.is_legacy() {
            self.resources.mine.local = true;
        }
        self.run_acquisition(ground);
    }

    /// The peer is silent, or late.
    pub(super) fn peer_is_gone(&mut self, was_heard: bool, ground: Ground) {
        self.cancel_dialogue();
        if self.resources.phase == Phase::Shutdown {
            return;
        }
        self.resources.failback_wanted = true;
        let gave_up = was_heard && self.resources.theirs == Hold::NONE && !self.is_legacy();
        let result = if gave_up { "unneeded" } else { "n_stnth" };
        let node = self.settings.peer_node.clone();
        self.send(
            &Words::new("stonith")
                .and("node", node)
                .and("result", result),
        );
        if gave_up && self.resources.mine == Hold::ALL {
            self.resources.peer_stable = true;
            return;
        }
        self.take_over(ground);
    }

    /// The other node's groups by one script, its own by another.
    pub(super) fn take_over(&mut self, ground: Ground) {
        self.say("Resources being acquired from the peer.");
        self.run_mach_down(ground);
        if !self.is_legacy() {
            let rsc = &mut self.resources;
            rsc.mine.foreign = true;
            rsc.theirs = Hold::NONE;
            rsc.peer_stable = true;
            rsc.takeover = true;
        }
        self.acquire_own(ground);
    }

    /// Notice that the peer has released everything and leaves.
    fn peer_has_stopped(&mut self) {
        self.say("Received shutdown notice from the peer.");
        if self.resources.phase == Phase::Shutdown {
            self.say("Resource takeover cancelled - shutdown in progress.");
            return;
        }
        let lacking = Hold::ALL.without(self.resources.mine);
        self.take_over(Ground::Goodbye);
        if !self.is_legacy() && lacking != Hold::NONE {
            // A slip: it goes for the half that it has, and ends with a stray word of the dialogue.
            self.acquire_after_goodbye(lacking);
        }
    }

    /// The groups that the peer prefers go home, once, when it has become stable.
    fn try_failback(&mut self) {
        let rsc = &self.resources;
        let is_wanted = rsc.failback_wanted && rsc.mine.foreign && rsc.phase != Phase::Shutdown;
        if self.settings.auto_failback != AutoFailback::On || !is_wanted {
            return;
        }
        // Scripts of a takeover may still be under way: nobody waits for them.
        let is_ready = self.dialogue.is_idle() && rsc.peer_stable && rsc.phase == Phase::Stable;
        if !is_ready || self.peer.status == NodeStatus::Dead {
            self.resources.failback_at = Some(self.now + FAILBACK_AGAIN);
            return;
        }
        self.resources.failback_wanted = false;
        self.send(
            &Words::new("ask_resources")
                .and("rsc_hold", Hold::FOREIGN)
                .and("info", "me"),
        );
    }

    pub(super) fn try_failback_again(&mut self) {
        if self.resources.failback_at.is_some_and(|at| at <= self.now) {
            self.resources.failback_at = None;
            self.try_failback();
        }
    }
}

/// What a node is known to hold after this message of it.
fn stated(before: Hold, heard: &Heard<'_>) -> Hold {
    let said = Hold::from_word(heard.text("rsc_hold"));
    let is_full = heard.text("rtype") == Some("full");
    if is_full || said == Hold::NONE {
        said
    } else {
        before.with(said)
    }
}
