//! The dialogue by which one node gives groups to the other: `me`, `other`, `done`, `done`. Nobody remembers what
//! it is about: every step does what the word in its own message says.

use std::time::Duration;

use heartbeat::cluster::Instant;

use super::OldPeer;
use super::resources::Phase;
use super::words::{Ground, Heard, Hold, Words};

/// Until the other node must have answered.
const ANSWER: Duration = Duration::from_secs(10);
/// Until every later step must be done.
const STEP: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Not,
    /// This node gives.
    Me,
    /// The other node gives.
    Other,
    /// One side has done its part.
    Done,
}

/// Where the dialogue stands.
#[derive(Default)]
pub struct Dialogue {
    state: State,
    deadline: Option<Instant>,
}

impl Dialogue {
    /// Whether there is none.
    pub fn is_idle(&self) -> bool {
        self.state == State::Not && self.deadline.is_none()
    }
}

impl OldPeer {
    /// One `ask_resources`.
    pub(super) fn dialogue_message(&mut self, heard: &Heard<'_>) {
        let info = heard.text("info").unwrap_or_default();
        let what = Hold::from_word(heard.text("rsc_hold"));
        if self.resources.phase == Phase::Shutdown {
            return;
        }
        if info == "me" && self.dialogue.deadline.is_some() {
            self.say("Standby in progress- new request ignored");
            return;
        }
        if self.dialogue.state == State::Not
            && (!self.resources.peer_stable || self.resources.phase != Phase::Stable)
        {
            self.say(format!("standby message [{info}] ignored. In flux."));
            return;
        }
        match (self.dialogue.state, info, heard.is_own()) {
            (State::Not, "me", is_own) => {
                let who = if is_own { "this node" } else { "the peer" };
                self.say(format!("{who} wants to go standby [{what}]"));
                self.resources.peer_stable = false;
                if is_own {
                    self.expect(State::Me, ANSWER);
                } else {
                    self.expect(State::Other, STEP);
                    self.send_dialogue(what, "other");
                }
            }
            (State::Me, "other", false) => {
                self.say(format!("standby: the peer can take our {what} resources"));
                self.resources.mine = self.resources.mine.without(what);
                self.send_holdings(false, Some("standby"));
                self.run_release(what);
                self.expect(State::Me, STEP);
            }
            (State::Me, "done", true) => self.expect(State::Done, STEP),
            (State::Other, "other", true) => {}
            (State::Other, "done", false) => {
                self.say(format!("standby: acquire [{what}] resources from the peer"));
                self.run_standby_acquisition(what, Ground::Handover);
                self.expect(State::Done, STEP);
            }
            (State::Done, "done", true) => {
                self.resources.mine = self.resources.mine.with(what.swapped());
                self.end_dialogue();
                self.send_holdings(true, None);
            }
            (State::Done, "done", false) => {
                self.say("Other node completed standby takeover.");
                self.end_dialogue();
                self.send_holdings(true, None);
            }
            (state, ..) => self.say(format!(
                "Ignored standby message '{info}' in state {state:?}"
            )),
        }
    }

    /// After the peer's last word: as if the other half were being taken over in a dialogue.
    pub(super) fn acquire_after_goodbye(&mut self, lacking: Hold) {
        self.expect(State::Done, STEP);
        self.run_standby_acquisition(lacking, Ground::Goodbye);
    }

    /// A step of it, with the set as the giver named it.
    pub(super) fn send_dialogue(&mut self, what: Hold, info: &str) {
        self.send(
            &Words::new("ask_resources")
                .and("rsc_hold", what)
                .and("info", info),
        );
    }

    fn expect(&mut self, state: State, within: Duration) {
        self.dialogue.state = state;
        self.dialogue.deadline = Some(self.now + within);
    }

    fn end_dialogue(&mut self) {
        self.dialogue.state = State::Not;
        self.dialogue.deadline = None;
    }

    /// A deadline is noticed with the next message of any kind.
    pub(super) fn cancel_late_dialogue(&mut self) {
        if self.dialogue.deadline.is_some_and(|end| end < self.now) {
            self.say("No reply to standby request.  Standby request cancelled.");
            self.end_dialogue();
            self.resources.peer_stable = true;
        }
    }

    /// The peer is dead.
    pub(super) fn cancel_dialogue(&mut self) {
        if !self.dialogue.is_idle() {
            self.say("Cancelling pending standby operation");
            self.end_dialogue();
        }
    }
}
