//! Two cores on perfect wires. Everything that needs loss, delay and chance is in `tests/simulation`.

mod agreement;
mod carriers;
mod degradation;
mod dialogue;
mod directions;
mod failback;
mod fencing;
mod hardware;
mod incidents;
mod ipfail;
mod last_link;
mod legacy;
mod maintenance;
mod membership;
mod mistakes;
mod old_ipfail;
mod old_peer;
mod old_peer_legacy;
mod quality;
mod readiness;
mod receiving;
mod reload;
mod resetting;
mod retry;
mod script_messages;
mod short;
mod shown;
mod stop_failure;
mod strays;
mod words;

use std::time::Duration;

use super::*;
use crate::config::{AutoFailback, LastLink, StopFailure};
use crate::message::{self, Key, Keys, Method};

const LINKS: usize = 3;

struct Pair {
    now: Instant,
    nodes: Vec<Option<Cluster>>,
    /// Per link and direction (from a, from b): whether it carries.
    wires: [[bool; 2]; LINKS],
    /// The last two links lead to one network, on which each is heard on both.
    one_segment: bool,
    /// What the links are called; one that begins with a slash is a serial line.
    link_names: [&'static str; LINKS],
    /// Which texts serial lines carry.
    carries_text: fn(&[u8]) -> bool,
    /// What was sent on serial lines, whether it was carried or not: by whom, by which link, and when.
    texts: Vec<(usize, LinkId, Instant, Vec<u8>)>,
    running: [Vec<bool>; 2],
    fails_to_start: [bool; 2],
    fails_to_stop: [bool; 2],
    /// Every message about files that was sent: by whom, when, and its text or datagram.
    sent: Vec<(usize, Instant, Vec<u8>)>,
    /// Messages of this type are lost, and what is sent again of them too.
    lost_kind: Option<&'static str>,
    log: Vec<(usize, String)>,
    exited: [bool; 2],
    /// What each was told of the other's.
    told_hardware: [Vec<Ethernet>; 2],
    /// What the scripts of each were told.
    delivered: [Vec<(String, ScriptMessage)>; 2],
    failback: AutoFailback,
    /// By node.
    conditions: [FailbackCondition; 2],
    /// What the command of each says, at once or not at all, and how often it was asked.
    agrees: [Option<bool>; 2],
    asked: [usize; 2],
    generation: u64,
    /// How many times longer all times of `ha.cf` are: hours that are few heartbeats.
    slowness: u32,
    /// What each calls itself.
    names: [&'static str; 2],
    /// What each file says of the first group.
    contents: [&'static str; 2],
    ping: PingSettings,
    /// By node and ping node: whether it answers that node.
    answers: [Vec<bool>; 2],
    fencing: FencingSettings,
    stop_failure: StopFailure,
    /// By node.
    last_link: [LastLink; 2],
    watchdog: Option<Duration>,
    /// What was remembered by the last run of each node.
    memory: [Option<PeerMemory>; 2],
    /// By node: whether somebody answers for an address of the first group, and whether the groups have addresses.
    served: [bool; 2],
    has_addresses: bool,
    carrier_loss: Option<Duration>,
    /// By node: how often it wanted to reset itself.
    resets: [usize; 2],
    /// By node: what its device answers; nothing yet with `None`.
    device: [Option<bool>; 2],
    /// By node: the requests that its device has got.
    fenced: [Vec<u64>; 2],
    /// By node: how often it was told to let it be.
    halted: [usize; 2],
    /// What was said of maintenance in the last run of each node.
    maintenance: [Option<MaintenanceMemory>; 2],
    /// By node: the records of incidents.
    incidents: [Vec<IncidentRecord>; 2],
}

fn keys() -> Keys {
    let mut entries = [const { None }; 16];
    entries[1] = Some(Key {
        method: Method::Sha1,
        text: b"a secret".to_vec(),
    });
    Keys {
        entries,
        signing: 1,
    }
}

impl Pair {
    fn new(failback: AutoFailback) -> Self {
        Self {
            now: Instant::from_micros(1_000_000_000),
            nodes: vec![None, None],
            wires: [[true; 2]; LINKS],
            one_segment: false,
            link_names: ["link0", "link1", "link2"],
            carries_text: |_| true,
            texts: Vec::new(),
            running: [vec![false; 2], vec![false; 2]],
            fails_to_start: [false; 2],
            fails_to_stop: [false; 2],
            sent: Vec::new(),
            lost_kind: None,
            log: Vec::new(),
            exited: [false; 2],
            told_hardware: [Vec::new(), Vec::new()],
            delivered: [Vec::new(), Vec::new()],
            failback,
            conditions: [FailbackCondition::Nothing; 2],
            agrees: [Some(true); 2],
            asked: [0; 2],
            generation: 100,
            slowness: 1,
            names: ["a", "b"],
            contents: ["one"; 2],
            ping: PingSettings::default(),
            answers: [Vec::new(), Vec::new()],
            fencing: FencingSettings::default(),
            stop_failure: StopFailure::Hold,
            last_link: [LastLink::Takeover; 2],
            watchdog: None,
            memory: [None; 2],
            served: [false; 2],
            has_addresses: true,
            carrier_loss: None,
            resets: [0; 2],
            device: [None; 2],
            fenced: [Vec::new(), Vec::new()],
            halted: [0; 2],
            maintenance: [None, None],
            incidents: [Vec::new(), Vec::new()],
        }
    }

    fn start(&mut self, node: usize) {
        let name = self.names[node];
        self.generation += 1000;
        let group = |key: &str, resources: &str, prefers_local| GroupSettings {
            key: key.into(),
            line: format!("a {resources}"),
            prefers_local,
        };
        let settings = Settings {
            local_node: name.into(),
            peer_node: if name == "a" { "b" } else { "a" }.into(),
            nodes: vec!["a".into(), "b".into()],
            uuid: [u8::try_from(node).unwrap() + 1; 16],
            generation: self.generation,
            last_generation: self.generation + 999,
            remembered_peer: self.memory[node].filter(|memory| memory.in_doubt),
            maintenance: self.maintenance[node].clone(),
            seed: self.generation,
            keepalive: Duration::from_millis(200) * self.slowness,
            deadtime: Duration::from_secs(1) * self.slowness,
            warntime: Duration::from_millis(500) * self.slowness,
            initdead: Duration::from_secs(10) * self.slowness,
            max_rexmit_delay: Duration::from_millis(250),
            auto_failback: self.failback,
            failback: self.conditions[node],
            carrier_loss: self.carrier_loss,
            ttl: 3,
            inner_auth: true,
            log_badpack: true,
            links: self.link_names.map(String::from).to_vec(),
            groups: vec![
                group("one", self.contents[node], node == 0),
                group("two", "two", node == 1),
            ],
            ping: self.ping.clone(),
            fencing: self.fencing.clone(),
            last_link: self.last_link[node],
            stop_failure: self.stop_failure,
            keys: keys(),
        };
        self.running[node] = vec![false; 2];
        self.exited[node] = false;
        let mut cluster = Cluster::new(self.now, settings);
        let timeout = self.watchdog;
        cluster.handle(self.now, Event::WatchdogArmed { timeout });
        self.nodes[node] = Some(cluster);
        self.turn(node, None);
    }

    fn kill(&mut self, node: usize) {
        self.nodes[node] = None;
        self.running[node] = vec![false; 2];
    }

    /// One turn of a node's loop, and of the other's for everything it sent.
    fn turn(&mut self, node: usize, received: Option<(LinkId, Vec<u8>)>) {
        let mut waiting = vec![(node, received)];
        while let Some((node, received)) = waiting.pop() {
            let Some(mut cluster) = self.nodes[node].take() else {
                continue;
            };
            if let Some((link, bytes)) = &received {
                cluster.handle(self.now, Event::Received { link: *link, bytes });
            }
            cluster.handle(self.now, Event::Tick);
            let mut done = Vec::new();
            let mut pinged = false;
            let mut asks = false;
            let mut answered = None;
            let mut network = None;
            while let Some(action) = cluster.next_action() {
                match action {
                    Action::Send(packet) => {
                        let form = if packet.text.is_empty() {
                            &packet.datagram
                        } else {
                            &packet.text
                        };
                        let says = |kind: &str| {
                            let text = String::from_utf8_lossy(form);
                            text.contains(&format!("t={kind}\n"))
                        };
                        if !packet.is_heartbeat && says("hb_terms") {
                            self.sent.push((node, self.now, form.clone()));
                        }
                        if self.lost_kind.is_some_and(says) {
                            continue;
                        }
                        let wires = self.wires;
                        let only = packet.link.map(|link| usize::from(link.0));
                        if let (false, Some(link)) = (packet.text.is_empty(), packet.link) {
                            let sent = (node, link, self.now, packet.text.clone());
                            self.texts.push(sent);
                        }
                        let carries = |link: &usize| wires[*link][node];
                        let one_segment = self.one_segment;
                        let is_for = |link: &usize| {
                            let is_there = |only| one_segment && only > 0 && *link > 0;
                            only.is_none_or(|only| only == *link || is_there(only))
                        };
                        for link in (0..LINKS).filter(carries).filter(is_for) {
                            let has_text = !packet.text.is_empty();
                            if !has_text && self.link_names[link].starts_with('/') {
                                continue; // a line carries nothing else
                            }
                            let is_line = link == 0 || packet.datagram.is_empty();
                            if has_text && is_line && !(self.carries_text)(&packet.text) {
                                continue;
                            }
                            let bytes = if has_text && is_line {
                                packet.text.clone()
                            } else {
                                packet.datagram.clone()
                            };
                            waiting.insert(
                                0,
                                (1 - node, Some((LinkId(u8::try_from(link).unwrap()), bytes))),
                            );
                        }
                    }
                    Action::StartGroup(id) => done.push((id, self.start_group(node, id))),
                    Action::StopGroup(id) => done.push((id, self.stop_group(node, id))),
                    Action::ProbeGroup(id) => done.push((id, GroupOutcome::FoundStopped)),
                    Action::Report(report) => self.log.push((node, report.to_string())),
                    Action::Ping => pinged = true,
                    Action::AskFailback => asks = true,
                    Action::Deliver { source, message } => {
                        self.delivered[node].push((source, *message));
                    }
                    Action::PeerHardware(all) => self.told_hardware[node] = all,
                    Action::Fence { request } => answered = self.fence(node, request),
                    Action::ResetMachine => self.resets[node] += 1,
                    Action::StopFencing => self.halted[node] += 1,
                    Action::RememberPeer(memory) => self.memory[node] = Some(memory),
                    Action::AnnounceGroup(_) => {}
                    Action::RememberMaintenance(memory) => {
                        self.maintenance[node] = Some(*memory);
                    }
                    Action::AskNetwork { request, groups } => {
                        let served = self.served[node].then(|| groups.first().copied());
                        let asked = if self.has_addresses { groups.len() } else { 0 };
                        network = Some((
                            request,
                            NetworkAnswer {
                                asked: u32::try_from(asked).unwrap(),
                                served: served.flatten(),
                            },
                        ));
                    }
                    Action::Incident(record) => self.incidents[node].push(*record),
                    Action::Exit => self.exited[node] = true,
                }
            }
            let answers = self.answers[node].iter().zip(0..);
            for (_, id) in answers.filter(|(answers, _)| pinged && **answers) {
                let node = PingId(id);
                cluster.handle(self.now, Event::PingAnswered { node });
            }
            if let Some((request, answer)) = network {
                let event = Event::NetworkAnswered { request, answer };
                cluster.handle(self.now, event);
                waiting.push((node, None));
            }
            self.asked[node] += usize::from(asks);
            if let Some(agrees) = self.agrees[node].filter(|_| asks) {
                cluster.handle(self.now, Event::FailbackAnswered { agrees });
                waiting.push((node, None));
            }
            if let Some(event) = answered {
                cluster.handle(self.now, event);
                waiting.push((node, None));
            }
            for (group, outcome) in &done {
                cluster.handle(
                    self.now,
                    Event::Group {
                        group: *group,
                        outcome: *outcome,
                    },
                );
            }
            if !done.is_empty() {
                waiting.push((node, None));
            }
            self.nodes[node] = Some(cluster);
        }
    }

    /// The answer of a node's device, which does what it says.
    fn fence(&mut self, node: usize, request: u64) -> Option<Event<'static>> {
        self.fenced[node].push(request);
        let is_reset = self.device[node]?;
        if is_reset {
            self.kill(1 - node);
        }
        Some(Event::Fenced { request, is_reset })
    }

    fn start_group(&mut self, node: usize, id: GroupId) -> GroupOutcome {
        if self.fails_to_start[node] {
            return GroupOutcome::StartFailed;
        }
        let group = id.0 as usize;
        let is_cut_off =
            self.nodes[1 - node].is_none() || self.wires.iter().all(|wire| !wire[0] || !wire[1]);
        assert!(!self.running[1 - node][group] || is_cut_off, "two owners");
        self.running[node][group] = true;
        GroupOutcome::Started
    }

    fn stop_group(&mut self, node: usize, id: GroupId) -> GroupOutcome {
        if self.fails_to_stop[node] {
            return GroupOutcome::StopFailed;
        }
        self.running[node][id.0 as usize] = false;
        GroupOutcome::Stopped
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let due =
                |index: usize, pair: &Self| pair.nodes[index].as_ref().map(Cluster::next_deadline);
            let next = (0..2)
                .filter_map(|index| due(index, self).map(|at| (at, index)))
                .min();
            match next {
                Some((at, index)) if at <= end => {
                    self.now = self.now.max(at);
                    self.turn(index, None);
                    assert!(
                        due(index, self).is_none_or(|at| at > self.now),
                        "a loop that spins"
                    );
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// When a node sent messages about its files, and how long they were.
    fn sent_terms(&self, node: usize) -> Vec<(Instant, usize)> {
        let own = self.sent.iter().filter(|(who, ..)| *who == node);
        own.map(|(_, at, bytes)| (*at, bytes.len())).collect()
    }

    fn said(&self, node: usize, text: &str) -> usize {
        self.log
            .iter()
            .filter(|(who, line)| *who == node && line.contains(text))
            .count()
    }

    fn owners(&self) -> [Vec<bool>; 2] {
        self.running.clone()
    }

    fn together(failback: AutoFailback) -> Self {
        let mut pair = Self::new(failback);
        pair.start(0);
        pair.start(1);
        pair.run(Duration::from_secs(1));
        assert_eq!(
            pair.owners(),
            [[true, false], [false, true]],
            "{:#?}",
            pair.log
        );
        pair
    }
}

#[test]
fn both_start_together_and_each_takes_its_own_at_once() {
    let pair = Pair::together(AutoFailback::On);
    for line in [
        "Link b:link0 up.",
        "Status update for node b: status up",
        "Comm_now_up(): updating status to active",
    ] {
        assert_eq!(pair.said(0, line), 1, "{line}: {:#?}", pair.log);
    }
    assert_eq!(pair.said(0, "remote resource transition completed."), 1);
    assert_eq!(
        pair.said(0, "Initial resource acquisition complete (T_RESOURCES(us))"),
        1
    );
}

#[test]
fn a_node_alone_waits_for_initdead_and_then_takes_everything() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(0);
    pair.run(Duration::from_secs(9));
    assert_eq!(pair.owners()[0], [false, false]);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.owners()[0], [true, true]);
    pair.start(1);
    pair.run(Duration::from_secs(1));
    assert_eq!(
        pair.owners(),
        [[true, false], [false, true]],
        "it hands back what is the other's"
    );
}

#[test]
fn one_live_link_keeps_the_peer_alive_and_each_link_is_told_on_its_own() {
    for survivor in 0..LINKS {
        let mut pair = Pair::together(AutoFailback::On);
        for link in (0..LINKS).filter(|link| *link != survivor) {
            pair.wires[link] = [false; 2];
        }
        pair.run(Duration::from_secs(20));
        assert_eq!(pair.owners(), [[true, false], [false, true]]);
        assert_eq!(pair.said(0, "is dead"), 0);
        assert_eq!(pair.said(0, " dead."), 2);
        pair.wires = [[true; 2]; LINKS];
        pair.run(Duration::from_secs(2));
        assert_eq!(pair.said(0, " up."), LINKS + 2, "{:#?}", pair.log);
    }
}

#[test]
fn a_link_that_never_comes_up_is_told_once_initdead_has_passed() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.wires[0] = [false; 2];
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(9));
    assert_eq!(pair.said(0, "has not come up"), 0);
    pair.run(Duration::from_secs(60));
    for node in 0..2 {
        assert_eq!(pair.said(node, "link0 has not come up"), 1);
        assert_eq!(pair.said(node, "has not come up"), 1);
    }
}

#[test]
fn a_link_to_a_node_that_has_just_come_is_given_time() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(0);
    pair.run(Duration::from_secs(20));
    pair.wires[0] = [false; 2];
    pair.start(1);
    pair.run(Duration::from_secs(9));
    assert_eq!(pair.said(0, "has not come up"), 0, "{:#?}", pair.log);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.said(0, "link0 has not come up"), 1);
}

#[test]
fn the_last_link_is_told_of_and_not_at_every_death() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.kill(0);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.said(1, "node a: is dead"), 1);
    assert_eq!(pair.said(1, "Only one link"), 0);
    let mut pair = Pair::together(AutoFailback::On);
    pair.wires[0] = [false; 2];
    pair.run(Duration::from_millis(300));
    pair.wires[1] = [false; 2];
    pair.run(Duration::from_secs(3));
    assert_eq!(
        pair.said(1, "Only one link to a is left"),
        1,
        "{:#?}",
        pair.log
    );
}

#[test]
fn a_crash_moves_the_groups_within_deadtime_and_a_keepalive() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.kill(0);
    pair.run(Duration::from_millis(1001));
    assert_eq!(pair.owners()[1], [true, true], "{:#?}", pair.log);
    assert_eq!(pair.said(1, "node a: is dead"), 1);
    pair.start(0);
    pair.run(Duration::from_secs(2));
    assert_eq!(
        pair.owners(),
        [[true, false], [false, true]],
        "{:#?}",
        pair.log
    );
}

#[test]
fn with_auto_failback_off_nothing_returns() {
    let mut pair = Pair::together(AutoFailback::Off);
    pair.kill(0);
    pair.run(Duration::from_secs(2));
    pair.start(0);
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.owners(), [[false, false], [true, true]]);
    assert_eq!(
        pair.said(
            0,
            "Initial resource acquisition complete (T_RESOURCES(them))"
        ),
        1
    );
}

#[test]
fn a_node_that_is_back_within_deadtime_takes_up_its_groups_again() {
    let mut pair = Pair::together(AutoFailback::Off);
    pair.kill(0);
    pair.run(Duration::from_millis(300));
    pair.start(0);
    pair.run(Duration::from_secs(3));
    assert_eq!(
        pair.owners(),
        [[true, false], [false, true]],
        "{:#?}",
        pair.log
    );
    assert_eq!(pair.said(1, "Heartbeat restart on node a"), 1);
}

#[test]
fn a_restarted_node_is_not_taken_for_dead_because_its_first_word_is_init() {
    let mut pair = Pair::together(AutoFailback::Off);
    pair.run(Duration::from_secs(60));
    pair.kill(0);
    pair.run(Duration::from_millis(300));
    pair.start(0);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.said(1, "is dead"), 0, "{:#?}", pair.log);
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
}

#[test]
fn a_node_whose_generation_went_back_is_heard_once_it_answers_us() {
    let mut pair = Pair::together(AutoFailback::Off);
    pair.kill(0);
    pair.run(Duration::from_millis(300));
    pair.generation = 20; // a restored backup of its hb_generation
    pair.start(0);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.said(1, "node a: is dead"), 0, "{:#?}", pair.log);
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair.kill(1);
    pair.generation = 200;
    pair.run(Duration::from_millis(300));
    pair.start(1);
    pair.run(Duration::from_secs(3));
    assert_eq!(
        pair.owners(),
        [[true, false], [false, true]],
        "{:#?}",
        pair.log
    );
}

#[test]
fn a_clean_stop_hands_over_at_once_and_waits_for_nobody() {
    let mut pair = Pair::together(AutoFailback::On);
    if let Some(cluster) = &mut pair.nodes[0] {
        cluster.handle(pair.now, Event::StopRequested);
    }
    pair.turn(0, None);
    assert_eq!(
        pair.owners(),
        [[false, false], [true, true]],
        "{:#?}",
        pair.log
    );
    assert_eq!(pair.said(1, "Received shutdown notice from 'a'."), 1);
    assert!(!pair.exited[0], "it stays to answer questions");
    pair.run(Duration::from_secs(3));
    assert!(pair.exited[0]);
    pair.kill(0);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.said(1, "Dead node a gave up resources."), 1);
    assert_eq!(pair.said(1, "Resources being acquired"), 0);
}

#[test]
fn after_a_partition_each_keeps_what_it_had_all_along() {
    let mut pair = Pair::together(AutoFailback::Off);
    pair.wires = [[false; 2]; LINKS];
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.owners(), [[true, true], [true, true]]);
    pair.wires = [[true; 2]; LINKS];
    pair.run(Duration::from_secs(1));
    assert_eq!(
        pair.owners(),
        [[true, false], [false, true]],
        "{:#?}",
        pair.log
    );
    for node in 0..2 {
        assert_eq!(pair.said(node, "returning after partition"), 1);
        assert_eq!(
            pair.said(node, "Both machines own resource group"),
            2,
            "{:#?}",
            pair.log
        );
    }
}

#[test]
fn a_node_that_nobody_hears_yields_to_the_one_that_took_over() {
    let mut pair = Pair::together(AutoFailback::On);
    for wire in &mut pair.wires {
        wire[0] = false; // b hears nothing of a
    }
    pair.run(Duration::from_secs(4));
    assert_eq!(
        pair.owners(),
        [[false, false], [true, true]],
        "{:#?}",
        pair.log
    );
    assert_eq!(pair.said(0, "b is heard but does not hear us"), 1);
    pair.wires = [[true; 2]; LINKS];
    pair.run(Duration::from_secs(2));
    assert_eq!(
        pair.owners(),
        [[true, false], [false, true]],
        "{:#?}",
        pair.log
    );
}

#[test]
fn a_stalled_owner_gives_up_first_and_the_healthy_node_keeps_what_it_took() {
    let mut pair = Pair::together(AutoFailback::Off);
    let stalled = pair.nodes[0].take();
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.owners()[1], [true, true]);
    pair.nodes[0] = stalled;
    pair.turn(0, None);
    assert_eq!(
        pair.owners(),
        [[false, false], [true, true]],
        "{:#?}",
        pair.log
    );
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.owners(), [[false, false], [true, true]]);
    assert_eq!(pair.said(0, "This node did not run for"), 1);
    assert_eq!(pair.said(0, "Late heartbeat"), 0, "its own pause");
    assert_eq!(pair.said(0, " dead."), 0, "{:#?}", pair.log);
}

#[test]
fn an_owner_whose_clock_is_slow_gives_up_what_the_other_took_by_a_faster_one() {
    // Deadtime is a second.
    for (counted, keeps) in [(970, true), (981, false)] {
        let mut pair = Pair::together(AutoFailback::Off);
        let stalled = pair.nodes[0].take();
        pair.run(Duration::from_secs(2));
        assert_eq!(pair.owners()[1], [true, true], "{:#?}", pair.log);
        let said_last = stalled.as_ref().expect("it ran").last_heartbeat;
        pair.nodes[0] = stalled;
        pair.now = said_last + Duration::from_millis(counted);
        pair.turn(0, None);
        assert_eq!(pair.owners()[0][0], keeps, "{:#?}", pair.log);
    }
}

#[test]
fn a_group_that_fails_to_start_runs_on_the_other_node() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.fails_to_start[0] = true;
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(5));
    assert_eq!(
        pair.owners(),
        [[false, false], [true, true]],
        "{:#?}",
        pair.log
    );
}

#[test]
fn a_group_that_fails_to_stop_stays_where_it_is_and_the_node_does_not_leave() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.fails_to_stop[0] = true;
    if let Some(cluster) = &mut pair.nodes[0] {
        cluster.handle(pair.now, Event::StopRequested);
    }
    pair.turn(0, None);
    pair.run(Duration::from_secs(20));
    assert_eq!(
        pair.owners(),
        [[true, false], [false, true]],
        "{:#?}",
        pair.log
    );
    assert!(!pair.exited[0]);
    pair.fails_to_stop[0] = false;
    pair.run(Duration::from_secs(30));
    assert_eq!(
        pair.owners(),
        [[false, false], [true, true]],
        "{:#?}",
        pair.log
    );
    assert!(pair.exited[0]);
}

#[test]
fn a_quiet_pair_reports_nothing() {
    let mut pair = Pair::together(AutoFailback::On);
    let lines = pair.log.len();
    pair.run(Duration::from_secs(3600));
    assert_eq!(pair.log.len(), lines, "{:#?}", &pair.log[lines..]);
}
