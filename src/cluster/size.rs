//! How long heartbeats are: found out by letting two cores talk, so that no number has to be kept in step with them.

use std::time::Duration;

use super::{Action, Cluster, Event, GroupId, GroupOutcome, Instant, LinkId, PingId, Settings};

/// So many heartbeats have everything in them that a pair in good order says.
const BEATS: u32 = 12;
/// Sequence numbers grow by so many digits in the years that a daemon may run.
const GROWTH: usize = 7;
/// Late enough for as many digits as there will be.
const WALL_CLOCK: u64 = 0x7fff_ffff;

/// How many numbers a short heartbeat has that grow so.
const NUMBERS: usize = 3;

/// The most bytes that a heartbeat of a node takes on a serial line, in a pair that is in good order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeartbeatBytes {
    /// One that tells a state: each one beside heartbeat 3.0.6, one for each change between two of ours.
    pub full: usize,
    /// One that tells of none; 0 where there is no serial line.
    pub short: usize,
}

impl HeartbeatBytes {
    fn max(self, other: Self) -> Self {
        Self {
            full: self.full.max(other.full),
            short: self.short.max(other.short),
        }
    }
}

/// How long heartbeats of this node are.
pub fn heartbeat_bytes(settings: &Settings) -> HeartbeatBytes {
    let mut other = settings.clone();
    std::mem::swap(&mut other.local_node, &mut other.peer_node);
    other.uuid = settings.uuid.map(|byte| !byte);
    for group in &mut other.groups {
        group.prefers_local = !group.prefers_local;
    }
    let mut now = Instant::from_micros(1_000_000);
    let mut pair = [settings.clone(), other].map(|settings| Cluster::new(now, settings));
    let groups = 0..u32::try_from(settings.groups.len()).unwrap_or(u32::MAX);
    for node in &mut pair {
        let seconds = WALL_CLOCK;
        node.handle(now, Event::WallClock { seconds });
        for group in groups.clone().map(GroupId) {
            let (ready, here) = (Some(true), Some(true));
            node.handle(now, Event::Readiness { group, ready });
            node.handle(now, Event::Carrier { group, here });
        }
    }
    let mut most = HeartbeatBytes::default();
    for _ in 0..BEATS {
        // Twice, so that what one says is answered by the other.
        for index in [0, 1, 0, 1] {
            let sent = turn(&mut pair, index, now);
            most = if index == 0 { most.max(sent) } else { most };
        }
        now = now + settings.keepalive.max(Duration::from_millis(1));
    }
    let grown = |bytes: usize, numbers: usize| {
        let growth = if bytes == 0 { 0 } else { numbers * GROWTH };
        bytes.saturating_add(growth)
    };
    HeartbeatBytes {
        full: grown(most.full, 1),
        short: grown(most.short, NUMBERS),
    }
}

/// One turn of one node; gives the lengths of its longest heartbeats.
fn turn(pair: &mut [Cluster; 2], index: usize, now: Instant) -> HeartbeatBytes {
    let [first, second] = pair;
    let (node, peer) = if index == 0 {
        (first, second)
    } else {
        (second, first)
    };
    node.handle(now, Event::Tick);
    let mut most = HeartbeatBytes::default();
    while let Some(action) = node.next_action() {
        let (group, outcome) = match action {
            Action::Send(packet) => {
                let length = packet.text.len();
                if packet.is_short {
                    most.short = most.short.max(length);
                } else if packet.is_heartbeat {
                    most.full = most.full.max(length);
                }
                // A copy for one link has the form that this link carries, and no other.
                let link = packet.link.unwrap_or(LinkId(0));
                let bytes = if packet.text.is_empty() {
                    packet.datagram.as_slice()
                } else {
                    packet.text.as_slice()
                };
                peer.handle(now, Event::Received { link, bytes });
                continue;
            }
            Action::Ping => {
                let nodes = node.settings.ping.nodes.len();
                for id in 0..u8::try_from(nodes).unwrap_or(u8::MAX) {
                    let node_answers = Event::PingAnswered { node: PingId(id) };
                    node.handle(now, node_answers);
                }
                continue;
            }
            Action::ProbeGroup(group) => (group, GroupOutcome::FoundStopped),
            Action::StartGroup(group) => (group, GroupOutcome::Started),
            Action::StopGroup(group) => (group, GroupOutcome::Stopped),
            _ => continue,
        };
        node.handle(now, Event::Group { group, outcome });
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{FailbackCondition, FencingSettings, GroupSettings, PingSettings};
    use crate::config::{AutoFailback, StopFailure};
    use crate::message::{Key, Keys, Method};

    fn settings(name: &str, groups: u32, method: Method) -> Settings {
        let mut entries = [const { None }; 16];
        let text = b"a secret".to_vec();
        entries[1] = Some(Key { method, text });
        let group = |number: u32| GroupSettings {
            key: format!("group{number}"),
            line: format!("{name} group{number}"),
            prefers_local: number.is_multiple_of(2),
        };
        Settings {
            local_node: name.into(),
            peer_node: "peer".into(),
            nodes: vec![name.into(), "peer".into()],
            uuid: [7; 16],
            generation: 0x7fff_ff00,
            last_generation: 0x7fff_ff00,
            remembered_peer: None,
            maintenance: None,
            seed: 1,
            keepalive: Duration::from_secs(1),
            deadtime: Duration::from_secs(10),
            warntime: Duration::from_secs(5),
            initdead: Duration::from_secs(30),
            max_rexmit_delay: Duration::from_millis(250),
            auto_failback: AutoFailback::On,
            failback: FailbackCondition::Nothing,
            carrier_loss: None,
            ttl: 3,
            inner_auth: true,
            log_badpack: true,
            links: vec!["/dev/ttyS0".into()],
            groups: (0..groups).map(group).collect(),
            ping: PingSettings::default(),
            fencing: FencingSettings::default(),
            last_link: crate::config::LastLink::Takeover,
            stop_failure: StopFailure::Hold,
            keys: Keys {
                entries,
                signing: 1,
            },
        }
    }

    #[test]
    fn a_heartbeat_is_as_long_as_names_keys_and_groups_make_it() {
        let of = |name: &str, groups, method| heartbeat_bytes(&settings(name, groups, method)).full;
        let usual = of("node-a", 1, Method::Sha1);
        assert!((200..350).contains(&usual), "{usual}");
        assert_eq!(
            of("node-alpha", 1, Method::Sha1),
            usual + 4,
            "a longer name"
        );
        assert!(of("node-a", 1, Method::Crc) < usual, "a shorter signature");
        assert!(of("node-a", 1, Method::Sha256) > usual, "a longer one");
        assert!(
            of("node-a", 9, Method::Sha1) > usual,
            "groups of two owners by turns"
        );
        assert_eq!(of("node-a", 1, Method::Sha1), usual, "always the same");
    }

    #[test]
    fn a_short_heartbeat_is_as_long_whatever_a_full_one_says() {
        let of =
            |name: &str, groups, method| heartbeat_bytes(&settings(name, groups, method)).short;
        let usual = of("node-a", 1, Method::Sha1);
        assert!((45..=52).contains(&usual), "{usual}");
        for (name, groups) in [("node-alpha", 1), ("node-a", 200)] {
            for method in [Method::Md5, Method::Sha1, Method::Sha256] {
                assert_eq!(of(name, groups, method), usual);
            }
        }
        let mut on_networks = settings("node-a", 1, Method::Sha1);
        on_networks.links = vec!["eth0".into()];
        assert_eq!(heartbeat_bytes(&on_networks).short, 0);
    }
}
