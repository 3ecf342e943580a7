//! What a recording begins with: everything that the core was made from.

use std::time::Duration;

use super::error::{Problem, RecordingError};
use super::keys::{self, Secrecy};
use super::maintenance;
use super::text::{Blanks, Seconds, escape, parse_seconds, push, unescape_text};
use crate::cluster::{
    FailbackCondition, FencingSettings, GroupSettings, Instant, MaintenanceMemory, PeerMemory,
    PingNodeSettings, PingSettings, Settings,
};
use crate::config::{AutoFailback, LastLink, StopFailure};
use crate::message::Keys;

/// The form of recordings, to be raised whenever an older program would misread a newer one or the other way
/// round.
pub(super) const FORM: u32 = 1;
/// How every recording begins.
pub(super) const FIRST_WORD: &str = "heartbeat-recording";

pub(super) const FAILBACK: [(&str, AutoFailback); 3] = [
    ("on", AutoFailback::On),
    ("off", AutoFailback::Off),
    ("legacy", AutoFailback::Legacy),
];

/// Without such a line a group is held.
const STOP_FAILURE: [(&str, StopFailure); 2] = [
    ("fence", StopFailure::Fence),
    ("reboot", StopFailure::Reboot),
];

/// The beginning of a recording.
#[derive(Debug, Clone)]
pub struct Header {
    /// Version of the program that made it.
    pub program: String,
    /// When the core was made.
    pub started: Instant,
    /// What it was made from.
    pub settings: Settings,
}

/// The lines of a header, the empty one at its end included.
pub(super) fn write(program: &str, started: Instant, settings: &Settings, how: Secrecy) -> String {
    // Whoever adds a setting is told here that it has to be recorded.
    let Settings {
        local_node,
        peer_node,
        nodes,
        uuid,
        generation,
        last_generation,
        remembered_peer,
        maintenance: memory,
        seed,
        keepalive,
        deadtime,
        warntime,
        initdead,
        max_rexmit_delay,
        auto_failback,
        failback,
        carrier_loss,
        ttl,
        inner_auth,
        log_badpack,
        links,
        groups,
        ping,
        fencing,
        last_link,
        stop_failure,
        keys,
    } = settings;
    let mut lines = Lines(format!("{FIRST_WORD} {FORM}\n"));
    lines.text("program", program);
    lines.plain("started", &Seconds(started.since(Instant::default())));
    lines.text("local_node", local_node);
    lines.text("peer_node", peer_node);
    for node in nodes {
        lines.text("node", node);
    }
    lines.plain("uuid", &Hex(uuid));
    lines.plain("generation", generation);
    lines.plain("last_generation", last_generation);
    if let Some(PeerMemory {
        uuid,
        generation,
        sequence,
        in_doubt,
    }) = remembered_peer
    {
        let doubt = if *in_doubt { " in-doubt" } else { "" };
        let uuid = uuid.as_ref().map(|uuid| Hex(uuid).to_string());
        let uuid = uuid.as_deref().unwrap_or("unknown");
        lines.plain(
            "remembered_peer",
            &format_args!("{uuid} {generation} {sequence}{doubt}"),
        );
    }
    lines.0 += &maintenance::line(memory.as_ref());
    lines.plain("seed", seed);
    lines.plain("keepalive", &Seconds(*keepalive));
    lines.plain("deadtime", &Seconds(*deadtime));
    lines.plain("warntime", &Seconds(*warntime));
    lines.plain("initdead", &Seconds(*initdead));
    lines.plain("max_rexmit_delay", &Seconds(*max_rexmit_delay));
    let known = FAILBACK.iter().find(|(_, known)| known == auto_failback);
    lines.plain("auto_failback", &known.map_or("unknown", |(name, _)| name));
    write_failback(&mut lines, *failback);
    write_carrier_loss(&mut lines, *carrier_loss);
    lines.plain("ttl", ttl);
    lines.plain("inner_auth", inner_auth);
    lines.plain("log_badpack", log_badpack);
    for link in links {
        lines.text("link", link);
    }
    for group in groups {
        write_group(&mut lines, "group", group);
    }
    write_ping(&mut lines, ping);
    write_fencing(&mut lines, fencing);
    write_last_link(&mut lines, *last_link);
    if let Some((name, _)) = STOP_FAILURE.iter().find(|(_, known)| known == stop_failure) {
        lines.plain("stop_failure", name);
    }
    lines.0 += "keys ";
    keys::write(keys, how, &mut lines.0);
    lines.0 += "\n\n";
    lines.0
}

/// Nothing where it is as in heartbeat 3.0.6: recordings of old have no such lines.
fn write_last_link(lines: &mut Lines, answer: LastLink) {
    match answer {
        LastLink::Takeover => {}
        LastLink::Manual => lines.plain("last_link", &"manual"),
        LastLink::Wait(time) => {
            lines.plain("last_link", &format_args!("wait {}", Seconds(time)));
        }
        LastLink::Witness(time) => {
            lines.plain("last_link", &format_args!("witness {}", Seconds(time)));
        }
    }
}

fn last_link(text: &str) -> Result<LastLink, Problem> {
    Ok(match text.split_once(' ') {
        None if text == "manual" => LastLink::Manual,
        Some(("wait", time)) => LastLink::Wait(seconds(time)?),
        Some(("witness", time)) => LastLink::Witness(seconds(time)?),
        _ => return Err(Problem::Value),
    })
}

/// Nothing where nothing is waited for: recordings of old have no such line.
pub(super) fn write_failback(lines: &mut Lines, failback: FailbackCondition) {
    match failback {
        FailbackCondition::Nothing => {}
        FailbackCondition::Steady(time) => {
            lines.plain("failback", &format_args!("steady {}", Seconds(time)));
        }
        FailbackCondition::Agreed => lines.plain("failback", &"agreed"),
    }
}

/// Nothing where carriers don't matter, as in recordings of old.
pub(super) fn write_carrier_loss(lines: &mut Lines, loss: Option<Duration>) {
    if let Some(time) = loss {
        lines.plain("carrier_loss", &Seconds(time));
    }
}

/// A line of this name.
pub(super) fn write_group(lines: &mut Lines, name: &str, group: &GroupSettings) {
    let GroupSettings {
        key,
        line,
        prefers_local,
    } = group;
    lines.0 += name;
    lines.0 += if *prefers_local {
        " local "
    } else {
        " foreign "
    };
    escape(key.as_bytes(), Blanks::Escaped, &mut lines.0);
    lines.text("", line);
}

/// Nothing where nothing is pinged: recordings of old have no such lines.
fn write_ping(lines: &mut Lines, ping: &PingSettings) {
    let PingSettings {
        nodes,
        deadping,
        ipfail,
    } = ping;
    if nodes.is_empty() {
        return;
    }
    lines.plain("deadping", &Seconds(*deadping));
    lines.plain("ipfail", ipfail);
    for PingNodeSettings { name, counts } in nodes {
        lines.0 += if *counts {
            "ping_node counted"
        } else {
            "ping_node ignored"
        };
        lines.text("", name);
    }
}

/// Nothing where there is no device.
fn write_fencing(lines: &mut Lines, fencing: &FencingSettings) {
    let FencingSettings {
        has_device,
        delay,
        takeover_unfenced,
    } = fencing;
    if !has_device {
        return;
    }
    lines.plain("fence_delay", &Seconds(*delay));
    if let Some(limit) = takeover_unfenced {
        lines.plain("takeover_unfenced", &Seconds(*limit));
    }
}

#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    pub(super) fn text_of_all(&self) -> &str {
        &self.0
    }

    pub(super) fn plain(&mut self, name: &str, value: &dyn std::fmt::Display) {
        push(&mut self.0, format_args!("{name} {value}\n"));
    }

    fn text(&mut self, name: &str, value: &str) {
        self.0 += name;
        if !value.is_empty() {
            self.0.push(' ');
            escape(value.as_bytes(), Blanks::Kept, &mut self.0);
        }
        self.0.push('\n');
    }
}

struct Hex<'a>(&'a [u8; 16]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What was read of a header so far.
#[derive(Debug, Default)]
pub(super) struct Reading {
    program: Option<String>,
    started: Option<Instant>,
    local_node: Option<String>,
    peer_node: Option<String>,
    nodes: Vec<String>,
    uuid: Option<[u8; 16]>,
    generation: Option<u64>,
    last_generation: Option<u64>,
    remembered_peer: Option<PeerMemory>,
    maintenance: Option<MaintenanceMemory>,
    seed: Option<u64>,
    keepalive: Option<Duration>,
    deadtime: Option<Duration>,
    warntime: Option<Duration>,
    initdead: Option<Duration>,
    max_rexmit_delay: Option<Duration>,
    auto_failback: Option<AutoFailback>,
    failback: Option<FailbackCondition>,
    carrier_loss: Option<Duration>,
    ttl: Option<u32>,
    inner_auth: Option<bool>,
    log_badpack: Option<bool>,
    links: Vec<String>,
    groups: Vec<GroupSettings>,
    ping_nodes: Vec<PingNodeSettings>,
    deadping: Option<Duration>,
    ipfail: Option<bool>,
    fence_delay: Option<Duration>,
    takeover_unfenced: Option<Duration>,
    last_link: Option<LastLink>,
    stop_failure: Option<StopFailure>,
    keys: Option<Keys>,
}

impl Reading {
    /// Takes one line between the first and the empty one.
    pub fn take(&mut self, line: &str, known: Option<&Keys>) -> Result<(), Problem> {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        match name {
            "program" => once(&mut self.program, name, unescape_text(value)?),
            "started" => once(
                &mut self.started,
                name,
                Instant::default() + seconds(value)?,
            ),
            "local_node" => once(&mut self.local_node, name, unescape_text(value)?),
            "peer_node" => once(&mut self.peer_node, name, unescape_text(value)?),
            "node" => {
                self.nodes.push(unescape_text(value)?);
                Ok(())
            }
            "uuid" => once(&mut self.uuid, name, uuid(value)?),
            "generation" => once(&mut self.generation, name, generation(value)?),
            "last_generation" => once(&mut self.last_generation, name, generation(value)?),
            "remembered_peer" => once(&mut self.remembered_peer, name, remembered(value)?),
            "maintenance" => once(&mut self.maintenance, name, maintenance::read(value)?),
            "seed" => once(&mut self.seed, name, parse(value)?),
            "keepalive" => once(&mut self.keepalive, name, seconds(value)?),
            "deadtime" => once(&mut self.deadtime, name, seconds(value)?),
            "warntime" => once(&mut self.warntime, name, seconds(value)?),
            "initdead" => once(&mut self.initdead, name, seconds(value)?),
            "max_rexmit_delay" => once(&mut self.max_rexmit_delay, name, seconds(value)?),
            "auto_failback" => {
                let known = FAILBACK.iter().find(|(known, _)| *known == value);
                let &(_, meant) = known.ok_or(Problem::Value)?;
                once(&mut self.auto_failback, name, meant)
            }
            "failback" => once(&mut self.failback, name, failback(value)?),
            "carrier_loss" => once(&mut self.carrier_loss, name, seconds(value)?),
            "ttl" => once(&mut self.ttl, name, parse(value)?),
            "inner_auth" => once(&mut self.inner_auth, name, parse(value)?),
            "log_badpack" => once(&mut self.log_badpack, name, parse(value)?),
            "link" => {
                self.links.push(unescape_text(value)?);
                Ok(())
            }
            "group" => {
                self.groups.push(group(value)?);
                Ok(())
            }
            "ping_node" => {
                self.ping_nodes.push(ping_node(value)?);
                Ok(())
            }
            "deadping" => once(&mut self.deadping, name, seconds(value)?),
            "ipfail" => once(&mut self.ipfail, name, parse(value)?),
            "fence_delay" => once(&mut self.fence_delay, name, seconds(value)?),
            "takeover_unfenced" => once(&mut self.takeover_unfenced, name, seconds(value)?),
            "last_link" => once(&mut self.last_link, name, last_link(value)?),
            "stop_failure" => {
                let known = STOP_FAILURE.iter().find(|(known, _)| *known == value);
                let &(_, meant) = known.ok_or(Problem::Value)?;
                once(&mut self.stop_failure, name, meant)
            }
            "keys" => once(&mut self.keys, name, keys::read(value, known)?),
            unknown => Err(Problem::Setting(unknown.to_owned())),
        }
    }

    /// The header, once its last line was taken.
    pub fn finish(self) -> Result<Header, RecordingError> {
        Ok(Header {
            program: needed(self.program, "program")?,
            started: needed(self.started, "started")?,
            settings: Settings {
                local_node: needed(self.local_node, "local_node")?,
                peer_node: needed(self.peer_node, "peer_node")?,
                nodes: self.nodes,
                uuid: needed(self.uuid, "uuid")?,
                generation: needed(self.generation, "generation")?,
                last_generation: needed(self.last_generation, "last_generation")?,
                remembered_peer: self.remembered_peer,
                maintenance: self.maintenance,
                seed: needed(self.seed, "seed")?,
                keepalive: needed(self.keepalive, "keepalive")?,
                deadtime: needed(self.deadtime, "deadtime")?,
                warntime: needed(self.warntime, "warntime")?,
                initdead: needed(self.initdead, "initdead")?,
                max_rexmit_delay: needed(self.max_rexmit_delay, "max_rexmit_delay")?,
                auto_failback: needed(self.auto_failback, "auto_failback")?,
                failback: self.failback.unwrap_or_default(),
                carrier_loss: self.carrier_loss,
                ttl: needed(self.ttl, "ttl")?,
                inner_auth: needed(self.inner_auth, "inner_auth")?,
                log_badpack: needed(self.log_badpack, "log_badpack")?,
                links: self.links,
                groups: self.groups,
                ping: PingSettings {
                    nodes: self.ping_nodes,
                    deadping: self.deadping.unwrap_or_default(),
                    ipfail: self.ipfail.unwrap_or_default(),
                },
                fencing: FencingSettings {
                    has_device: self.fence_delay.is_some(),
                    delay: self.fence_delay.unwrap_or_default(),
                    takeover_unfenced: self.takeover_unfenced,
                },
                last_link: self.last_link.unwrap_or_default(),
                stop_failure: self.stop_failure.unwrap_or(StopFailure::Hold),
                keys: needed(self.keys, "keys")?,
            },
        })
    }
}

pub(super) fn failback(text: &str) -> Result<FailbackCondition, Problem> {
    match text.split_once(' ') {
        Some(("steady", time)) => Ok(FailbackCondition::Steady(seconds(time)?)),
        None if text == "agreed" => Ok(FailbackCondition::Agreed),
        _ => Err(Problem::Value),
    }
}

fn ping_node(text: &str) -> Result<PingNodeSettings, Problem> {
    let (way, name) = text.split_once(' ').ok_or(Problem::Value)?;
    let counts = match way {
        "counted" => true,
        "ignored" => false,
        _ => return Err(Problem::Value),
    };
    Ok(PingNodeSettings {
        name: unescape_text(name)?,
        counts,
    })
}

pub(super) fn once<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), Problem> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Problem::Setting(name.to_owned())),
    }
}

pub(super) fn needed<T>(value: Option<T>, name: &'static str) -> Result<T, RecordingError> {
    value.ok_or(RecordingError::Missing(name))
}

pub(super) fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::Value)
}

/// No daemon has the last number there is: the core counts on from its own.
fn generation(text: &str) -> Result<u64, Problem> {
    parse(text).and_then(|number| {
        let is_possible = number < u64::MAX;
        is_possible.then_some(number).ok_or(Problem::Value)
    })
}

pub(super) fn seconds(text: &str) -> Result<Duration, Problem> {
    parse_seconds(text).ok_or(Problem::Value)
}

fn uuid(text: &str) -> Result<[u8; 16], Problem> {
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).map_err(|_| Problem::Value)?;
    is_hex.then_some(number.to_be_bytes()).ok_or(Problem::Value)
}

fn remembered(text: &str) -> Result<PeerMemory, Problem> {
    let words: Vec<&str> = text.split(' ').collect();
    let (words, in_doubt) = match words.as_slice() {
        [words @ .., "in-doubt"] => (words, true),
        words => (words, false),
    };
    let &[id, generation, sequence] = words else {
        return Err(Problem::Value);
    };
    Ok(PeerMemory {
        uuid: if id == "unknown" {
            None
        } else {
            Some(uuid(id)?)
        },
        generation: parse(generation)?,
        sequence: parse(sequence)?,
        in_doubt,
    })
}

pub(super) fn group(text: &str) -> Result<GroupSettings, Problem> {
    let mut words = text.splitn(3, ' ');
    let prefers_local = match words.next() {
        Some("local") => true,
        Some("foreign") => false,
        _ => return Err(Problem::Value),
    };
    Ok(GroupSettings {
        prefers_local,
        key: unescape_text(words.next().ok_or(Problem::Value)?)?,
        line: unescape_text(words.next().unwrap_or_default())?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::message::{Key, Method};

    /// Settings of which no two values are the same by accident.
    pub fn settings() -> Settings {
        let mut entries = [const { None }; 16];
        entries[1] = Some(Key {
            method: Method::Sha1,
            text: b"secret".to_vec(),
        });
        let group = |key: &str, line: &str, prefers_local| GroupSettings {
            key: key.into(),
            line: line.into(),
            prefers_local,
        };
        Settings {
            local_node: "alpha".into(),
            peer_node: "b\u{ea}ta ".into(),
            nodes: vec!["alpha".into(), "b\u{ea}ta ".into()],
            uuid: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
            generation: u64::MAX - 1,
            last_generation: u64::MAX - 1,
            remembered_peer: Some(PeerMemory {
                uuid: Some([0xff; 16]),
                generation: 7,
                sequence: u64::MAX,
                in_doubt: true,
            }),
            maintenance: Some(MaintenanceMemory {
                counter: 3,
                said_here: false,
                is_on: true,
                age: Duration::from_secs(9),
                left: Some(Duration::from_secs(8)),
                by: "root".into(),
                reason: "a b".into(),
                peer_holds_still: true,
            }),
            seed: 1 << 63,
            keepalive: Duration::from_millis(200),
            deadtime: Duration::from_secs(3),
            warntime: Duration::from_nanos(1_500_000_001),
            initdead: Duration::from_secs(60),
            max_rexmit_delay: Duration::from_millis(250),
            auto_failback: AutoFailback::Legacy,
            failback: FailbackCondition::Steady(Duration::from_millis(90_500)),
            carrier_loss: Some(Duration::from_millis(4500)),
            ttl: 6,
            inner_auth: true,
            log_badpack: false,
            links: vec!["/dev/ttyS0".into(), "eth0".into()],
            groups: vec![
                group("IPaddr::10.0.0.1", "alpha IPaddr::10.0.0.1 web", true),
                group("a b", "", false),
            ],
            ping: PingSettings {
                nodes: [("router", true), ("the gates", false)]
                    .map(|(name, counts)| PingNodeSettings {
                        name: name.into(),
                        counts,
                    })
                    .into(),
                deadping: Duration::from_secs(4),
                ipfail: true,
            },
            fencing: FencingSettings {
                has_device: true,
                delay: Duration::from_millis(1250),
                takeover_unfenced: Some(Duration::from_secs(600)),
            },
            last_link: LastLink::Witness(Duration::from_millis(12_500)),
            stop_failure: StopFailure::Reboot,
            keys: Keys {
                entries,
                signing: 1,
            },
        }
    }

    fn read(text: &str) -> Result<Header, RecordingError> {
        let mut reading = Reading::default();
        for (number, line) in text.lines().enumerate().skip(1) {
            if !line.is_empty() {
                reading
                    .take(line, None)
                    .map_err(|problem| RecordingError::Line { number, problem })?;
            }
        }
        reading.finish()
    }

    #[test]
    fn every_setting_comes_back() {
        for change in [
            |_: &mut Settings| (),
            |settings: &mut Settings| settings.remembered_peer = None,
            |settings: &mut Settings| {
                settings.remembered_peer = Some(PeerMemory::default());
                settings.auto_failback = AutoFailback::On;
                settings.failback = FailbackCondition::Agreed;
                settings.carrier_loss = None;
                settings.groups.clear();
                settings.ping = PingSettings::default();
                settings.fencing = FencingSettings::default();
                settings.stop_failure = StopFailure::Hold;
            },
        ] {
            let mut settings = settings();
            change(&mut settings);
            let started = Instant::from_micros(12_345_678_901);
            let text = write("1.2.3", started, &settings, Secrecy::Recorded);
            let header = read(&text).expect("complete");
            assert_eq!(header.program, "1.2.3");
            assert_eq!(header.started, started);
            // Settings have no equality of their own; their debug form shows everything but the keys.
            assert_eq!(format!("{:?}", header.settings), format!("{settings:?}"));
            assert_eq!(header.settings.keys, settings.keys);
        }
    }

    #[test]
    fn a_run_that_could_count_over_the_end_of_all_numbers_is_refused() {
        let text = write("1.2.3", Instant::default(), &settings(), Secrecy::Recorded);
        let last = u64::MAX.to_string();
        for name in ["generation", "last_generation"] {
            let line = format!("\n{name} {}\n", u64::MAX - 1);
            assert!(text.contains(&line), "{text}");
            let damaged = text.replace(&line, &format!("\n{name} {last}\n"));
            assert!(read(&damaged).is_err(), "{name}");
        }
    }

    #[test]
    fn a_header_can_be_read_by_a_person() {
        let text = write(
            "1.2.3",
            Instant::from_micros(1),
            &settings(),
            Secrecy::Withheld,
        );
        let lines: Vec<&str> = text.lines().collect();
        for line in [
            "heartbeat-recording 1",
            "program 1.2.3",
            "started 0.000001",
            "local_node alpha",
            "uuid 000102030405060708090a0b0c0d0e0f",
            "deadtime 3.000000",
            "auto_failback legacy",
            "failback steady 90.500000",
            "link /dev/ttyS0",
            "group local IPaddr::10.0.0.1 alpha IPaddr::10.0.0.1 web",
            "ping_node counted router",
            "ping_node ignored the gates",
        ] {
            assert!(lines.contains(&line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("secret"));
    }

    #[test]
    fn a_header_without_one_of_its_lines_or_with_a_strange_one_is_refused() {
        let text = write("1", Instant::default(), &settings(), Secrecy::Recorded);
        let optional = [
            "node ",
            "remembered_peer ",
            "failback ",
            "link ",
            "group ",
            "ping_node ",
            "deadping ",
            "ipfail ",
            "",
        ];
        for line in text.lines().skip(1) {
            let without = text.replacen(&format!("{line}\n"), "", 1);
            if !optional.iter().any(|name| line.starts_with(name)) {
                assert!(
                    matches!(read(&without), Err(RecordingError::Missing(_))),
                    "{line}"
                );
                let twice = text.replacen(line, &format!("{line}\n{line}"), 1);
                assert!(
                    matches!(read(&twice), Err(RecordingError::Line { .. })),
                    "{line}"
                );
            }
        }
        for line in [
            "colour blue",
            "ttl",
            "ttl -1",
            "uuid 0",
            "uuid +00102030405060708090a0b0c0d0e0f",
            "group mine a b",
            "group local",
            "auto_failback maybe",
            "failback steady",
            "failback steady soon",
            "failback agreed 3",
            "remembered_peer unknown 1",
            "ping_node router",
            "ping_node some router",
            "ipfail maybe",
        ] {
            assert!(Reading::default().take(line, None).is_err(), "{line}");
        }
    }
}
