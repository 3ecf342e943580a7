//! What a person is shown of a replay: every decision, and on demand every event.

use std::io::{BufRead, Write};
use std::time::Duration;

use super::error::RecordingError;
use super::event::Names;
use super::header::Header;
use super::replay::{Replay, Step};
use super::text::{Blanks, Seconds, escape, push};
use crate::cluster::refusals::KINDS;
use crate::cluster::{
    Action, Cluster, Event, GroupId, GroupView, Holdings, Movement, NodeStatus, Packet,
    write_ethernet,
};
use crate::message::{FieldKind, Keys, Message, SignedShort, open};

/// How much is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Every event and every heartbeat too.
    pub everything: bool,
    /// Nothing that came later.
    pub until: Option<Duration>,
}

/// Writes what the core of a replay decides, a line each.
pub fn tell<R: BufRead>(
    mut replay: Replay<R>,
    extent: Extent,
    out: &mut dyn Write,
) -> Result<(), RecordingError> {
    let mut story = Story::new(replay.header(), extent.everything);
    let (mut events, mut last) = (0_u64, Duration::ZERO);
    while let Some(step) = replay.step()? {
        if extent.until.is_some_and(|until| step.at > until) {
            break;
        }
        (events, last) = (events.saturating_add(1), step.at);
        story.lines.clear();
        story.step(&step);
        out.write_all(story.lines.as_bytes())?;
    }
    let torn = if replay.is_truncated() {
        "; the last line is not complete and was left out"
    } else {
        ""
    };
    writeln!(out, "{events} events in {} s{torn}", Seconds(last))?;
    Ok(())
}

/// What of the core can be seen from outside.
#[derive(Debug, PartialEq, Eq)]
struct Face {
    local: NodeStatus,
    peer: NodeStatus,
    holdings: Holdings,
}

struct Story {
    local_node: String,
    peer_node: String,
    names: Names,
    keys: Keys,
    everything: bool,
    face: Option<Face>,
    groups: Vec<Option<GroupView>>,
    movement: Option<Movement>,
    refused: [u64; KINDS.len()],
    message: Message,
    at: Duration,
    lines: String,
}

impl Story {
    fn new(header: &Header, everything: bool) -> Self {
        let settings = &header.settings;
        Self {
            local_node: settings.local_node.clone(),
            peer_node: settings.peer_node.clone(),
            names: Names::new(settings),
            keys: settings.keys.clone(),
            everything,
            face: None,
            groups: vec![None; settings.groups.len()],
            movement: None,
            refused: [0; KINDS.len()],
            message: Message::new(),
            at: Duration::ZERO,
            lines: String::new(),
        }
    }

    fn step(&mut self, step: &Step<'_>) {
        self.at = step.at;
        self.event(&step.event);
        self.refusals(step);
        self.beliefs(step.cluster);
        for action in &step.actions {
            self.action(action);
        }
    }

    /// A recording may come from anybody: what a terminal would obey in the names that it brings is escaped.
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        let time = Seconds(self.at).to_string();
        push(&mut self.lines, format_args!("{time:>14} "));
        for c in text.to_string().chars() {
            if c.is_control() {
                self.lines.extend(c.escape_default());
            } else {
                self.lines.push(c);
            }
        }
        self.lines.push('\n');
    }

    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Tick if self.everything => self.line(format_args!("< tick")),
            Event::WallClock { seconds } if self.everything => {
                self.line(format_args!("< wall clock {seconds}"));
            }
            Event::Received { link, bytes } if self.everything => {
                let gist = self.gist(bytes, true);
                let link = self.names.link(*link).to_owned();
                self.line(format_args!("< received on {link}: {gist}"));
            }
            Event::PingAnswered { node } if self.everything => {
                let name = self.names.ping(*node).to_owned();
                self.line(format_args!("< ping node {name} answered"));
            }
            Event::Tick
            | Event::WallClock { .. }
            | Event::Received { .. }
            | Event::PingAnswered { .. } => {}
            Event::Group { group, outcome } => {
                let key = self.key(*group);
                self.line(format_args!("< group {key}: {outcome:?}"));
            }
            Event::Readiness { group, ready } => {
                let key = self.key(*group);
                let word = match ready {
                    Some(true) => "ready",
                    Some(false) => "not ready",
                    None => "not known",
                };
                self.line(format_args!("< readiness for group {key}: {word}"));
            }
            Event::Carrier { group, here } => {
                let key = self.key(*group);
                let word = match here {
                    Some(true) => "up",
                    Some(false) => "lost",
                    None => "not known",
                };
                self.line(format_args!("< carrier for group {key}: {word}"));
            }
            Event::FailbackAnswered { agrees } => {
                let word = if *agrees { "yes" } else { "no" };
                self.line(format_args!("< whether groups may return: {word}"));
            }
            Event::Fenced { request, is_reset } => {
                let how = if *is_reset { "reset" } else { "not reset" };
                self.line(format_args!("< fencing {request}: {how}"));
            }
            Event::NetworkAnswered { request, answer } => {
                let who = answer.served.map(|group| self.key(group));
                let who = who.map_or("nobody answers".to_owned(), |key| {
                    format!("somebody answers for {key}")
                });
                let asked = answer.asked;
                self.line(format_args!(
                    "< question {request} to the network, for {asked} addresses: {who}"
                ));
            }
            Event::WatchdogArmed { timeout } => {
                self.line(format_args!("< the watchdog of this machine: {timeout:?}"));
            }
            Event::LinkCarrier { link, has } => {
                let link = self.names.link(*link).to_owned();
                let word = match has {
                    Some(true) => "up",
                    Some(false) => "lost",
                    None => "not known",
                };
                self.line(format_args!("< carrier of {link}: {word}"));
            }
            Event::PeerConfirmedDead => self.line(format_args!("< peer confirmed dead")),
            Event::Maintenance(order) => {
                let word = if order.is_on() { "on" } else { "off" };
                let (by, reason) = (order.by(), order.reason());
                self.line(format_args!("< maintenance {word} by {by}: {reason}"));
            }
            Event::StopRequested => self.line(format_args!("< stop requested")),
            Event::Say(message) => {
                let kind = message.kind().to_owned();
                self.line(format_args!("< a script sends {kind}"));
            }
            Event::Terms(terms) => {
                let count = terms.len();
                self.line(format_args!("< files in force: {count} things to agree on"));
            }
            Event::Hardware(own) => {
                let own = write_ethernet(own);
                self.line(format_args!("< this node has {own}"));
            }
            Event::MoveRequested(request) => {
                self.line(format_args!("< move requested: {request:?}"));
            }
            Event::Reloaded(reload) => {
                self.names.heed(event);
                self.groups.resize(reload.groups.len(), None);
                let of = |is_removed: bool| {
                    let groups = reload.groups.iter();
                    groups.filter(move |place| place.is_removed == is_removed)
                };
                let removed: Vec<&str> = of(true).map(|place| place.group.key.as_str()).collect();
                let (listed, removed) = (of(false).count(), removed.join(" "));
                let text = if removed.is_empty() {
                    format!("{listed} groups")
                } else {
                    format!("{listed} groups; not in the file any more: {removed}")
                };
                self.line(format_args!("< files read again: {text}"));
            }
            Event::KeysChanged(keys) => {
                self.keys.clone_from(keys);
                let signing = keys.signing;
                self.line(format_args!("< keys changed: key {signing} signs"));
            }
        }
    }

    fn refusals(&mut self, step: &Step<'_>) {
        let refused = KINDS.map(|kind| step.cluster.refused(kind));
        let before = std::mem::replace(&mut self.refused, refused);
        for ((kind, before), after) in KINDS.into_iter().zip(before).zip(refused) {
            if let Event::Received { link, bytes } = &step.event
                && before != after
            {
                let gist = self.gist(bytes, true);
                let link = self.names.link(*link).to_owned();
                self.line(format_args!("refused ({kind:?}) from {link}: {gist}"));
            }
        }
    }

    fn beliefs(&mut self, cluster: &Cluster) {
        let face = Face {
            local: cluster.local_status(),
            peer: cluster.peer_status(),
            holdings: cluster.holdings(),
        };
        if self.face.as_ref() != Some(&face) {
            let text = format!(
                "{} is {}, {} is {}; holding: {}",
                self.local_node, face.local, self.peer_node, face.peer, face.holdings
            );
            self.line(format_args!("{text}"));
            self.face = Some(face);
        }
        for index in 0..self.groups.len() {
            let group = GroupId(u32::try_from(index).unwrap_or(u32::MAX));
            let view = cluster.group(group);
            let Some(known) = self.groups.get_mut(index) else {
                continue;
            };
            if known.replace(view) != Some(view) {
                let key = self.key(group);
                let there = view.peer.map(|state| state.to_string());
                let there = there.as_deref().unwrap_or("not known");
                self.line(format_args!(
                    "group {key}: {} here, {there} there",
                    view.local
                ));
            }
        }
        let movement = cluster.movement();
        if self.movement != movement {
            self.movement = movement;
            if let Some(movement) = movement {
                self.line(format_args!(
                    "move {}, {:?}: {:?}",
                    movement.number, movement.request, movement.progress
                ));
            }
        }
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Send(packet) => self.sent(packet),
            Action::StartGroup(group) => {
                let key = self.key(*group);
                self.line(format_args!("start {key}"));
            }
            Action::StopGroup(group) => {
                let key = self.key(*group);
                self.line(format_args!("stop {key}"));
            }
            Action::ProbeGroup(group) => {
                let key = self.key(*group);
                self.line(format_args!("probe {key}"));
            }
            Action::AnnounceGroup(group) => {
                let key = self.key(*group);
                self.line(format_args!("announce {key}"));
            }
            Action::Report(report) => {
                let word = report.severity().word();
                self.line(format_args!("{word}: {report}"));
            }
            Action::RememberPeer(peer) => {
                let (generation, sequence) = (peer.generation, peer.sequence);
                self.line(format_args!(
                    "remember the peer: generation {generation}, number {sequence}"
                ));
            }
            Action::RememberMaintenance(memory) => {
                let word = if memory.is_on { "on" } else { "off" };
                let counter = memory.counter;
                self.line(format_args!("remember maintenance {counter}: {word}"));
            }
            Action::AskFailback => self.line(format_args!("ask whether groups may return")),
            Action::Deliver { source, message } => {
                let kind = message.kind();
                self.line(format_args!("tell scripts of {kind} from {source}"));
            }
            Action::PeerHardware(all) => {
                let all = write_ethernet(all);
                self.line(format_args!("the peer has {all}"));
            }
            Action::Incident(record) => {
                let (node, groups) = (&record.node, record.groups.iter());
                let both: Vec<&str> = groups
                    .filter(|groups| !groups.both.is_zero())
                    .flat_map(|groups| groups.keys.iter().map(String::as_str))
                    .collect();
                let both = if both.is_empty() {
                    String::new()
                } else {
                    format!("; both held: {}", both.join(", "))
                };
                self.line(format_args!("record the incident with {node}{both}"));
            }
            Action::Fence { request } => self.line(format_args!("fence the peer, {request}")),
            Action::AskNetwork { request, groups } => {
                let keys: Vec<String> = groups.iter().map(|group| self.key(*group)).collect();
                let keys = keys.join(", ");
                self.line(format_args!("ask the network for {keys}, {request}"));
            }
            Action::ResetMachine => self.line(format_args!("reset this machine")),
            Action::StopFencing => self.line(format_args!("stop fencing")),
            Action::Ping if self.everything => self.line(format_args!("ping")),
            Action::Ping => {}
            Action::Exit => self.line(format_args!("exit")),
        }
    }

    fn sent(&mut self, packet: &Packet) {
        if !packet.is_heartbeat || self.everything {
            let bytes = if packet.datagram.is_empty() {
                &packet.text
            } else {
                &packet.datagram
            };
            let gist = self.gist(bytes, false);
            self.line(format_args!("send {gist}"));
        }
    }

    /// Type and fields of a message, without those that say nothing about its meaning.
    fn gist(&mut self, bytes: &[u8], is_foreign: bool) -> String {
        const EVERYWHERE: [&[u8]; 7] =
            [b"t", b"auth", b"srcuuid", b"destuuid", b"ts", b"ld", b"ttl"];
        if let Ok(SignedShort { short, .. }) = SignedShort::parse(bytes) {
            return format!("short heartbeat: {short}");
        }
        if let Err(rejection) = open(bytes, &self.keys, &mut self.message) {
            return format!("{} bytes, {rejection}", bytes.len());
        }
        let mut gist = String::new();
        let kind = self.message.text("t").unwrap_or("(no type)");
        escape(kind.as_bytes(), Blanks::Kept, &mut gist);
        for field in self.message.fields() {
            let is_known = !is_foreign && [b"src".as_slice(), b"hg"].contains(&field.name);
            if is_known || EVERYWHERE.contains(&field.name) {
                continue;
            }
            gist.push(' ');
            escape(field.name, Blanks::Escaped, &mut gist);
            gist.push('=');
            match field.kind {
                FieldKind::Text => escape(field.value, Blanks::Kept, &mut gist),
                _ => push(&mut gist, format_args!("({} bytes)", field.value.len())),
            }
        }
        gist
    }

    fn key(&self, group: GroupId) -> String {
        self.names.group(group).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::tests::settings;
    use super::super::{Encoder, Secrecy};
    use super::*;
    use crate::cluster::{Instant, Settings};

    #[test]
    fn no_name_in_a_recording_gives_orders_to_a_terminal() {
        let hostile = "alpha\u{1b}[2J\u{b}\u{9b}1m".to_owned();
        let settings = Settings {
            local_node: hostile.clone(),
            peer_node: hostile,
            ..settings()
        };
        let started = Instant::default();
        let (mut encoder, mut text) = Encoder::new("1", started, &settings, Secrecy::Recorded);
        encoder.line(started, &Event::Tick, &mut text);
        let replay = Replay::new(text.as_bytes(), None).expect("readable");
        let mut told = Vec::new();
        tell(replay, Extent::default(), &mut told).expect("memory takes everything");
        let told = String::from_utf8(told).expect("text");
        assert!(
            !told.contains(|c: char| c != '\n' && c.is_control()),
            "{told:?}"
        );
        assert!(told.contains("alpha\\u{1b}[2J"), "{told}");
    }
}
