//! The clean stop, and the restart after a partition, which is a clean stop with a pause behind it.

use std::time::Duration;

use heartbeat::cluster::{Action, Instant, NodeStatus};

use super::OldPeer;
use super::resources::Phase;
use super::words::{Hold, Wish, Words};

/// Between the last word and the exit: clients and core processes are ended one after the other.
const LINGER: Duration = Duration::from_secs(2);
/// The same before it begins again.
const LINGER_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Serving,
    /// Asked to stop; waits for everything to be stable.
    Wanted,
    /// Its groups are being released.
    Releasing,
    /// It has said its last word.
    Lingering(Instant),
    Gone,
}

/// How far the stop has come.
#[derive(Default)]
pub struct Leaving {
    stage: Stage,
    /// The stop is a restart.
    again: bool,
    again_at: Option<Instant>,
    told: bool,
}

impl Leaving {
    /// The operator wants it to stop.
    pub fn request_stop(&mut self) {
        self.again = false;
        self.again_at = None;
        self.want();
    }

    /// The peer is back from the dead.
    pub fn begin_again_at(&mut self, at: Instant) {
        if self.stage == Stage::Serving && self.again_at.is_none() {
            self.again_at = Some(at);
        }
    }

    fn want(&mut self) {
        if self.stage == Stage::Serving {
            self.stage = Stage::Wanted;
        }
    }

    /// It is to go on.
    pub fn is_not_wanted(&self) -> bool {
        self.stage == Stage::Serving && self.again_at.is_none()
    }

    /// It has exited.
    pub fn is_gone(&self) -> bool {
        self.stage == Stage::Gone
    }

    /// It has said its last word and will begin again.
    pub fn is_going_to_begin_again(&self) -> bool {
        self.again && matches!(self.stage, Stage::Lingering(_))
    }

    /// What it waits for.
    pub fn next_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Lingering(at) => Some(at),
            _ => self.again_at,
        }
    }
}

impl OldPeer {
    /// The next step, if it can be done.
    pub(super) fn go_on_leaving(&mut self) {
        let now = self.now;
        if self.leaving.again_at.is_some_and(|at| at <= now) {
            self.leaving.again_at = None;
            self.leaving.again = true;
            self.say("Heartbeat restart triggered.");
            self.leaving.want();
        }
        match self.leaving.stage {
            Stage::Wanted if self.status == NodeStatus::Active && self.is_settled() => {
                self.say("Heartbeat shutdown in progress.");
                self.leaving.stage = Stage::Releasing;
                self.resources.phase = Phase::Shutdown;
                self.resources.mine = Hold::NONE;
                self.send_status();
                if !self.is_legacy() {
                    self.send_holdings(false, Some("shutdown"));
                }
                self.run_shutdown();
            }
            Stage::Lingering(at) if at <= now => {
                self.leaving.stage = Stage::Gone;
                self.actions.push_back(Action::Exit);
                if self.leaving.again {
                    let pause = self.settings.deadtime.as_micros().div_ceil(1_000_000) + 1;
                    let micros = u64::try_from(pause * 1_000_000).unwrap_or(u64::MAX);
                    self.wishes.push_back(Wish::BeginAgain(micros));
                }
            }
            Stage::Wanted if !std::mem::replace(&mut self.leaving.told, true) => {
                self.say("Shutdown delayed.");
            }
            _ => {}
        }
    }

    /// Every group is released.
    pub(super) fn say_goodbye(&mut self) {
        let linger = if self.leaving.again {
            LINGER_AGAIN
        } else {
            LINGER
        };
        self.send(&Words::new("shutdone").and("st", NodeStatus::Dead));
        self.resources.mine = Hold::NONE; // whatever it said meanwhile, it has said that all is stopped
        self.leaving.stage = Stage::Lingering(self.now + linger);
        if self.leaving.again {
            self.send_status();
        }
    }
}
