//! The track that the peer's messages left. A message of a higher generation, or one far ahead of the last, is followed
//! at once: a restart and a long loss look like that. So does a node gone wrong, or another machine in its name. Where
//! the track that was left goes on and the new one does not, the new one was none: the peer lives (S2).

use super::Cluster;
use super::incoming::{Incoming, LARGEST_GAP};
use super::refusals::RefusalKind;
use super::report::Report;
use super::time::Instant;

/// After so many heartbeats that go on with it, and silence on the new one, the former track is the true one.
const CONVINCING: u32 = 2;

/// The run, or the part of it, that was heard before.
#[derive(Debug, Clone)]
pub struct FormerRun {
    generation: u64,
    incoming: Incoming,
    /// The message by which it was left.
    left_by: (u64, u64),
    /// The highest number heard of it, and when. A recording of it would have to begin at once and to go on without a
    /// pause.
    heard: u64,
    heard_at: Instant,
    /// How many heartbeats of it were heard since the last message of the new track.
    heartbeats: u32,
}

impl Cluster {
    /// This message leaves the track; what it leaves stays in sight. A track that is itself in doubt is not worth that.
    pub(super) fn leave_track(&mut self, generation: u64, number: u64, now: Instant) {
        self.forget_former_run(now);
        let is_in_doubt = |run: &FormerRun| run.heard > run.incoming.highest();
        if self.peer.former.as_ref().is_some_and(is_in_doubt) {
            return;
        }
        self.peer.former = Some(FormerRun {
            generation: self.peer.generation,
            incoming: self.peer.incoming.clone(),
            left_by: (generation, number),
            heard: self.peer.incoming.highest(),
            heard_at: now,
            heartbeats: 0,
        });
    }

    /// The present track goes on.
    pub(super) fn track_goes_on(&mut self, now: Instant) {
        self.forget_former_run(now);
        if let Some(run) = &mut self.peer.former {
            run.heartbeats = 0;
        }
    }

    /// What has ended is not taken up again.
    fn forget_former_run(&mut self, now: Instant) {
        let deadtime = self.peer.deadtime;
        self.peer.former = self
            .peer
            .former
            .take()
            .filter(|run| now.since(run.heard_at) < deadtime);
    }

    /// A message that the present track takes for an old one. Where it goes on with the former track, and nothing is
    /// heard of the present one, the former becomes the present one again; then the answer is true.
    pub(super) fn returns_to_former(
        &mut self,
        generation: u64,
        number: u64,
        is_heartbeat: bool,
        now: Instant,
    ) -> bool {
        self.forget_former_run(now);
        let is_silent = now.since(self.peer.last_heard) >= self.peer.deadtime / 2;
        let Some(run) = &mut self.peer.former else {
            return false;
        };
        let goes_on = run.heard < number && number <= run.heard.saturating_add(LARGEST_GAP);
        if run.generation != generation || !goes_on || !is_heartbeat {
            return false;
        }
        (run.heard, run.heard_at) = (number, now);
        run.heartbeats += 1;
        if run.heartbeats < CONVINCING || !is_silent {
            return false;
        }
        if let Some(run) = self.peer.former.take() {
            self.refusals.count(RefusalKind::OutOfPlace, now);
            self.report(Report::Stray {
                node: self.peer_name(),
                generation: run.left_by.0,
                number: run.left_by.1,
            });
            self.peer.generation = run.generation;
            self.peer.highest_generation = run.generation;
            self.peer.incoming = run.incoming;
            self.peer_runs_anew();
        }
        true
    }

    /// Whether a message of this generation is what the run before sent last: it may come after the first words of the
    /// next.
    pub(super) fn is_leftover(&self, generation: u64, now: Instant) -> bool {
        self.peer.former.as_ref().is_some_and(|run| {
            run.generation == generation && now.since(run.heard_at) < self.peer.deadtime
        })
    }
}
