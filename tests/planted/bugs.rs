//! Mistakes that a core like this one is likely to have, each as a change of one place of the source. The simulator has
//! to find every one of them: a search that finds none of a hundred faults may be blind.

/// Where the simulator looks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Two nodes of ours.
    Pair,
    /// Two nodes of ours with ping nodes and `ipfail`.
    Pings,
    /// Two nodes of ours that watch the carriers of their interfaces.
    Carriers,
    /// One of ours and one of 3.0.6.
    Mixed,
    /// Two nodes of ours with watchdogs, inexact clocks and failing disks.
    Hardware,
    /// Several pairs of ours on the same segments.
    Pairs,
    /// Two nodes of ours that do not take silence for death (`last_link`).
    Doubts,
    /// Two nodes of ours, and somebody who works on them (`cl_status maintenance`).
    Maintenance,
    /// Two nodes of ours, and a judge who looks away from two owners: the witness has to see them.
    Witness,
}

/// One mistake.
#[derive(Debug, Clone, Copy)]
pub struct Bug {
    /// How to call it.
    pub name: &'static str,
    /// What the daemon then does wrong, in words.
    pub mistake: &'static str,
    /// The file below `src`.
    pub file: &'static str,
    /// What stands there, exactly once.
    pub from: &'static str,
    /// What is put in its place.
    pub to: &'static str,
    /// Which search must find it.
    pub search: Search,
}

impl Bug {
    /// The source with the mistake in it; `None` where its place is not there, or more than once.
    pub fn plant(&self, source: &str) -> Option<String> {
        let is_unique = source.matches(self.from).count() == 1;
        is_unique.then(|| source.replacen(self.from, self.to, 1))
    }
}

/// All of them.
pub const BUGS: &[Bug] = &[
    Bug {
        name: "a-link-is-the-node",
        mistake: "one link's silence counts as the node's (S1)",
        file: "cluster/membership.rs",
        from: "self.report(Report::LinkDown { node, link });",
        to: "self.report(Report::LinkDown { node, link });\n            self.peer.last_heard = Instant::default();",
        search: Search::Pair,
    },
    Bug {
        name: "initdead-forgotten",
        mistake: "a peer that was never heard counts as dead after deadtime instead of initdead (S1)",
        file: "cluster/membership.rs",
        from: "silent_at.max(self.waited_for_until())",
        to: "silent_at",
        search: Search::Pair,
    },
    Bug {
        name: "judged-before-read",
        mistake: "after a delay the peer is judged before what it sent meanwhile is read (S1)",
        file: "cluster/mod.rs",
        from: "Event::Received { link, bytes } => self.receive(link, bytes, now),",
        to: "Event::Received { link, bytes } => {\n                self.tick(now);\n                self.receive(link, bytes, now);\n            }",
        search: Search::Pair,
    },
    Bug {
        name: "no-wait-for-release",
        mistake: "the preferred node starts a group before the other one has said that it stopped it (S2)",
        file: "cluster/policy.rs",
        from: "if theirs.is_free() && mine.is_free() && prefers_me =>",
        to: "if (theirs.is_free() || true) && mine.is_free() && prefers_me =>",
        search: Search::Pair,
    },
    Bug {
        name: "probe-is-blind",
        mistake: "what an earlier run of the daemon left running is not noticed (S2)",
        file: "cluster/ownership.rs",
        from: "group.found = outcome != GroupOutcome::FoundStopped;",
        to: "group.found = outcome == GroupOutcome::Started;",
        search: Search::Pair,
    },
    Bug {
        name: "unanswered-claims-count",
        mistake: "claims of the peer count although it has not heard of our new run (S2)",
        file: "cluster/membership.rs",
        from: "NodeStatus::Active if self.is_agreed => Relation::Talking,",
        to: "NodeStatus::Active => Relation::Talking,",
        search: Search::Pair,
    },
    Bug {
        name: "leaving-is-left",
        mistake: "a peer that says it is about to stop counts as one that holds nothing any more (S2)",
        file: "cluster/stated.rs",
        from: "if heading.leaving == Leaving::Stopped\n            && !states.iter().any(|stated| stated.claim.is_held())",
        to: "if heading.leaving != Leaving::No",
        search: Search::Pair,
    },
    Bug {
        name: "restart-goes-unnoticed",
        mistake: "what the peer's former run claimed still counts in its next one (S2)",
        file: "cluster/membership.rs",
        from: "self.ask_nodes_at = None;\n        self.next_epoch();\n        self.remember_peer();",
        to: "self.ask_nodes_at = None;\n        self.remember_peer();",
        search: Search::Pair,
    },
    Bug {
        name: "stall-is-no-matter",
        mistake: "a node that stood still for longer than deadtime goes on with what it held (S3)",
        file: "cluster/membership.rs",
        from: "let groups = self.ownership.mark_stale();",
        to: "let groups = 0;",
        search: Search::Pair,
    },
    Bug {
        name: "old-generation-is-new",
        mistake: "a recording of an earlier run of the peer begins a new one (S4)",
        file: "cluster/receive.rs",
        from: "let is_higher = generation > self.peer.highest_generation;",
        to: "let is_higher = generation != self.peer.highest_generation;",
        search: Search::Pair,
    },
    Bug {
        name: "replay-is-life",
        mistake: "a message that was read before keeps the peer alive (S4)",
        file: "cluster/receive.rs",
        from: "Arrival::Copy | Arrival::Old => return Ok(()),",
        to: "Arrival::Copy | Arrival::Old => {\n                self.note_life(now);\n                return Ok(());\n            }",
        search: Search::Pair,
    },
    Bug {
        name: "forgets-the-peer",
        mistake: "after a restart a recording of the peer counts, because what was read before is forgotten (S4)",
        file: "cluster/mod.rs",
        from: "let remembered = settings.remembered_peer.unwrap_or_default();",
        to: "let remembered = PeerMemory::default();",
        search: Search::Pair,
    },
    Bug {
        name: "any-node-is-the-peer",
        mistake: "a node of another cluster with the same keys counts as the peer (S4)",
        file: "cluster/receive.rs",
        from: "if !header.source.eq_ignore_ascii_case(&self.settings.peer_node) {",
        to: "if header.source.is_empty() {",
        search: Search::Pair,
    },
    Bug {
        name: "failed-stop-is-a-stop",
        mistake: "a group whose stop failed is left to the peer (S6)",
        file: "cluster/ownership.rs",
        from: "group.mine = Some(Claim::Held {\n                    phase: Phase::Unknown,\n                    taken,\n                });\n                group.retry_at = now + STOP_AGAIN;",
        to: "group.mine = Some(if taken { Claim::Free } else { Claim::Ceded });\n                group.retry_at = now + STOP_AGAIN;",
        search: Search::Pair,
    },
    Bug {
        name: "overtaken-answer-counts",
        mistake: "the failure of a start that a stop has overtaken counts as the end of the stop (S6)",
        file: "cluster/ownership.rs",
        from: "phase: Phase::Starting | Phase::Running,\n                    ..\n                },\n                GroupOutcome::StartFailed,",
        to: "phase: Phase::Starting | Phase::Running | Phase::Stopping,\n                    ..\n                },\n                GroupOutcome::StartFailed,",
        search: Search::Pair,
    },
    Bug {
        name: "both-yield",
        mistake: "when two owners meet both give up (S7)",
        file: "cluster/policy.rs",
        from: "} else {\n                !prefers_me\n            }",
        to: "} else {\n                true\n            }",
        search: Search::Pair,
    },
    Bug {
        name: "neither-yields",
        mistake: "when two owners meet neither gives up (S7)",
        file: "cluster/policy.rs",
        from: "} else {\n                !prefers_me\n            }",
        to: "} else {\n                false\n            }",
        search: Search::Pair,
    },
    Bug {
        name: "found-running-is-ours",
        mistake: "what was found running at start is kept before the peer was heard (S7)",
        file: "cluster/policy.rs",
        from: "Relation::Unheard | Relation::InDoubt | Relation::Deaf { .. } => false,\n    }\n}\n\n/// S7",
        to: "Relation::Unheard | Relation::InDoubt | Relation::Deaf { .. } => true,\n    }\n}\n\n/// S7",
        search: Search::Pair,
    },
    Bug {
        name: "failback-though-off",
        mistake: "groups go home although auto_failback is off",
        file: "cluster/policy.rs",
        from: "    standing.fails_back\n        && standing.peer_takes",
        to: "    standing.peer_takes",
        search: Search::Pair,
    },
    Bug {
        name: "death-is-for-ever",
        mistake: "a peer that was thought dead and comes back is not taken in again",
        file: "cluster/membership.rs",
        from: "if number <= self.claims_number {",
        to: "if number <= self.claims_number || self.peer.status == NodeStatus::Dead {",
        search: Search::Pair,
    },
    Bug {
        name: "failed-start-is-final",
        mistake: "a group that could be started on neither node is not tried again",
        file: "cluster/ownership.rs",
        from: "group.mine = Some(Claim::Failed);\n                group.ending = None;\n                group.retry_at = now + START_AGAIN;",
        to: "group.mine = Some(Claim::Failed);\n                group.ending = None;\n                group.retry_at = now + START_AGAIN * 1000;",
        search: Search::Pair,
    },
    Bug {
        name: "standby-forgotten",
        mistake: "what an operator has moved goes home at once",
        file: "cluster/ownership.rs",
        from: "(Relation::Talking, Some(Reason::Standby)) if peer_is_free => Claim::HandedOver,",
        to: "(Relation::Talking, Some(Reason::Standby)) if peer_is_free => Claim::Free,",
        search: Search::Pair,
    },
    Bug {
        name: "heard-is-hearing",
        mistake: "a link on which the peer is heard and does not hear us counts as one that works in both directions",
        file: "cluster/directions.rs",
        from: "(true, Some(false)) => Way::OnlyIn,",
        to: "(true, Some(false)) => Way::Both,",
        search: Search::Pair,
    },
    Bug {
        name: "silence-noticed-late",
        mistake: "a silent link is noticed when its node would nearly be dead, not within two keepalives",
        file: "cluster/ear.rs",
        from: "keepalive * 3 / 4",
        to: "keepalive * 3",
        search: Search::Pair,
    },
    Bug {
        name: "never-asks-again",
        mistake: "messages that were lost are not asked for",
        file: "cluster/transmit.rs",
        from: "if !matches!(self.peer.status, NodeStatus::Up | NodeStatus::Active) {\n            return;\n        }\n        let delay",
        to: "if self.peer.status != NodeStatus::Init {\n            return;\n        }\n        let delay",
        search: Search::Mixed,
    },
    Bug {
        name: "first-to-notice-moves",
        mistake: "a ping node that falls silent for both nodes moves the groups of the one that notices first",
        file: "cluster/ipfail.rs",
        from: "mine.answering < theirs.fresh && is_news",
        to: "mine.answering < theirs.answering && is_news",
        search: Search::Pings,
    },
    Bug {
        name: "back-into-the-dark",
        mistake: "groups go home to a node that sees fewer ping nodes, and leave it again",
        file: "cluster/failback.rs",
        from: "AutoFailback::Off && !self.peer_sees_less()",
        to: "AutoFailback::Off",
        search: Search::Pings,
    },
    Bug {
        name: "from-dark-to-dark",
        mistake: "whatever the other node says of its carrier is taken for one, so groups move to where there is none",
        file: "cluster/carriers.rs",
        from: "group.carrier.hear(state, now);",
        to: "group.carrier.hear(Option::and(state, Some(true)), now);",
        search: Search::Carriers,
    },
    Bug {
        name: "loss-said-late",
        mistake: "a node says that it has a carrier until its loss has lasted, so what both lose moves groups",
        file: "cluster/carrier.rs",
        from: "self.here.map(|here| here && self.since.is_none_or(lasts))",
        to: "self.here.map(|here| here || !self.since.is_none_or(lasts))",
        search: Search::Carriers,
    },
    Bug {
        name: "flap-moves",
        mistake: "a carrier that is gone for a moment moves the group",
        file: "cluster/carriers.rs",
        from: "let since = group.carrier.lost_since()? + measure.loss;",
        to: "let since = group.carrier.lost_since()?;",
        search: Search::Carriers,
    },
    Bug {
        name: "stays-in-the-dark",
        mistake: "a group stays where there is no carrier, although the other node has one",
        file: "cluster/carriers.rs",
        from: "&& group.carrier.is_there(since, measure.lately, measure.now)",
        to: "&& group.carrier.is_there(since + measure.loss * 10_000, measure.lately, measure.now)",
        search: Search::Carriers,
    },
    Bug {
        name: "clocks-are-alike",
        mistake: "a node whose clock is slow goes on with what the other took by a faster one (S3)",
        file: "cluster/time.rs",
        from: "time.saturating_sub(time / CLOCKS_DIFFER)",
        to: "time.saturating_sub(time / CLOCKS_DIFFER / 1000)",
        search: Search::Hardware,
    },
    Bug {
        name: "no-second-copy",
        mistake: "where the generation is damaged, its second copy is not looked at",
        file: "daemon/state/next_run.rs",
        from: "(None, Some(copy)) => Some(copy.saturating_add(1)),",
        to: "(None, Some(_)) => None,",
        search: Search::Hardware,
    },
    Bug {
        name: "fed-in-any-turn",
        mistake: "the watchdog is fed at the end of a turn that was held up behind its heartbeat (S5)",
        file: "daemon/watchdog/feeding.rs",
        from: "self.next <= now && now.since(last_heartbeat) <= most",
        to: "self.next <= now && now.since(last_heartbeat).max(most) >= most",
        search: Search::Hardware,
    },
    Bug {
        name: "fed-too-rarely",
        mistake: "the watchdog is fed only after it has fired: a machine that lives is reset",
        file: "daemon/watchdog/feeding.rs",
        from: "self.next = now + self.timeout / FEEDS_PER_TIMEOUT;",
        to: "self.next = now + self.timeout * FEEDS_PER_TIMEOUT;",
        search: Search::Hardware,
    },
    Bug {
        name: "name-begins-like-ours",
        mistake: "a node whose name begins like the peer's counts as the peer (S4)",
        file: "cluster/receive.rs",
        from: "if !header.source.eq_ignore_ascii_case(&self.settings.peer_node) {",
        to: "if !header.source.starts_with(&self.settings.peer_node) {",
        search: Search::Pairs,
    },
    Bug {
        name: "any-signature",
        mistake: "a datagram counts as authentic when it is signed, by whoever (S4)",
        file: "message/opening.rs",
        from: "signer.put(covered);\n    if signer.accepts(token) {",
        to: "signer.put(covered);\n    if signer.accepts(token) || !token.is_empty() {",
        search: Search::Pairs,
    },
    Bug {
        name: "no-wait-seen-outside",
        mistake: "the same as no-wait-for-release, which the witness has to find without the judge (S2)",
        file: "cluster/policy.rs",
        from: "if theirs.is_free() && mine.is_free() && prefers_me =>",
        to: "if (theirs.is_free() || true) && mine.is_free() && prefers_me =>",
        search: Search::Witness,
    },
    Bug {
        name: "one-link-seen-outside",
        mistake: "the same as a-link-is-the-node, which the witness has to find without the judge (S1)",
        file: "cluster/membership.rs",
        from: "self.report(Report::LinkDown { node, link });",
        to: "self.report(Report::LinkDown { node, link });\n            self.peer.last_heard = Instant::default();",
        search: Search::Witness,
    },
    Bug {
        name: "cut-off-keeps",
        mistake: "a node that is cut off keeps what it has (last_link witness)",
        file: "cluster/ownership.rs",
        from: "held.map(|group| group.ending = Some(Reason::CutOff))\n            .count()",
        to: "held.count()",
        search: Search::Doubts,
    },
    Bug {
        name: "seen-once-is-enough",
        mistake: "one look at the network has to do, however lately the other node was cut off (last_link witness)",
        file: "cluster/last_link.rs",
        from: "if unseen < needed {",
        to: "if unseen > needed {",
        search: Search::Doubts,
    },
    Bug {
        name: "served-is-free",
        mistake: "that somebody answers for an address keeps nobody from taking it (last_link witness)",
        file: "cluster/last_link.rs",
        from: "if let Some(group) = answer.served {",
        to: "if let Some(group) = answer.served.filter(|_| self.doubt.gave_up) {",
        search: Search::Doubts,
    },
    Bug {
        name: "witness-once",
        mistake: "once the other node counts as dead it is not looked for ping nodes any more (last_link witness)",
        file: "cluster/last_link.rs",
        from: "DoubtStage::Watching(_) | DoubtStage::Asking | DoubtStage::Witnessed\n",
        to: "DoubtStage::Watching(_) | DoubtStage::Asking\n",
        search: Search::Doubts,
    },
    Bug {
        name: "wait-forgotten",
        mistake: "what waits is settled at once (last_link wait, manual)",
        file: "cluster/last_link.rs",
        from: "DoubtStage::Manual, Begun::Manual)",
        to: "DoubtStage::Waiting(now), Begun::Manual)",
        search: Search::Doubts,
    },
    Bug {
        name: "maintenance-ends-at-a-restart",
        mistake: "a node that was started again does not know of maintenance (cl_status maintenance)",
        file: "cluster/maintenance.rs",
        from: "            statement,\n            peer_holds_still: memory",
        to: "            statement: statement.filter(|_| false),\n            peer_holds_still: memory",
        search: Search::Maintenance,
    },
    Bug {
        name: "a-death-is-stronger",
        mistake: "what a dead node held is taken although maintenance is on (cl_status maintenance)",
        file: "cluster/membership.rs",
        from: "self.put_off_silence(patience, was_last);",
        to: "self.judge_silence(patience, was_last, now);\n                self.maintenance.is_confirmed = true;",
        search: Search::Maintenance,
    },
];
