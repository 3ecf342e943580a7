//! Two cores that hear each other, without a daemon around them.

use std::io;
use std::path::Path;
use std::time::Duration;

use heartbeat::cluster::{Action, Cluster, Event, GroupOutcome, Instant, LinkId, NodeStatus};
use heartbeat::config::{Config, Source, load};
use heartbeat::daemon::settings;
use heartbeat::daemon::state::State;

/// After so many quiet seconds the history of what was sent is full, and every buffer has its size.
pub const FULL: u32 = 240;

/// Three links, and times that heartbeats are counted by and not by chance.
pub const HA_CF: &str = "\
node alpha beta
serial /dev/ttyS0
bcast eth0
bcast eth1
keepalive 1
warntime 5
deadtime 10
initdead 20
auto_failback on
";

/// What a person has made.
pub const AUTHKEYS: &str = "\
auth 1
1 sha1 7c3f1f0a4b5d6e8f90112233445566778899aabb
";

/// The configuration of a node, from the text of its files.
pub fn config(node: &str, ha_cf: &str, authkeys: &str, haresources: &str) -> Config {
    let reader = |path: &Path| {
        let text = match path.file_name().and_then(|name| name.to_str()) {
            Some("ha.cf") => ha_cf,
            Some("authkeys") => authkeys,
            Some("haresources") => haresources,
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Source {
            text: text.into(),
            mode: 0o600,
        })
    };
    match load(Path::new("/etc/ha.d"), node, &reader) {
        Ok((config, _)) => config,
        Err(diagnostics) => panic!("{diagnostics:?}"),
    }
}

/// The run of both nodes.
pub const GENERATION: u64 = 7;

/// A core that has just started.
pub fn core(now: Instant, config: &Config, generation: u64) -> Cluster {
    let first = config.nodes.first() == Some(&config.local_node);
    let state = State {
        uuid: [if first { 1 } else { 2 }; 16],
        generation,
        last_generation: generation,
        peer: None,
    };
    let mut core = Cluster::new(now, settings::of_core(config, &state, None, 1, &[]));
    core.handle(
        now,
        Event::WallClock {
            seconds: 1_700_000_000,
        },
    );
    core.handle(now, Event::Terms(settings::terms(config)));
    core
}

/// Two cores, and their time.
pub struct Pair {
    /// The time that both were told last.
    pub now: Instant,
    /// The first one is `alpha`.
    pub nodes: [Cluster; 2],
    /// Which links are serial lines, in the order of the links.
    serial: Vec<bool>,
}

impl Pair {
    /// Both have started just now.
    pub fn new(ha_cf: &str, haresources: &str) -> Self {
        let now = Instant::from_micros(1_000_000_000);
        let configs = ["alpha", "beta"].map(|node| config(node, ha_cf, AUTHKEYS, haresources));
        let links = settings::links(&configs[0]);
        Self {
            now,
            nodes: configs
                .each_ref()
                .map(|config| core(now, config, GENERATION)),
            serial: links.iter().map(|name| name.starts_with('/')).collect(),
        }
    }

    /// So many seconds later, in which nothing happened.
    pub fn settled(ha_cf: &str, haresources: &str, seconds: u32) -> Self {
        let mut pair = Self::new(ha_cf, haresources);
        for _ in 0..seconds {
            pair.now = pair.now + Duration::from_secs(1);
            pair.exchange();
        }
        for node in &pair.nodes {
            assert_eq!(node.peer_status(), NodeStatus::Active, "they have met");
        }
        pair
    }

    /// Both tell each other what they have to say, until neither has more.
    fn exchange(&mut self) {
        let mut quiet = 0;
        let mut node = 0;
        while quiet < 2 {
            quiet += 1;
            let packets = say(&mut self.nodes[node], self.now);
            node = 1 - node;
            if packets.is_empty() {
                continue;
            }
            quiet = 0;
            for (only, datagram, text) in packets {
                for (link, is_serial) in (0..).map(LinkId).zip(&self.serial) {
                    let bytes = if *is_serial { &text } else { &datagram };
                    if only.is_none_or(|only| only == link) && !bytes.is_empty() {
                        self.nodes[node].handle(self.now, Event::Received { link, bytes });
                    }
                }
            }
        }
    }

    /// The datagrams with which a node tells that it lives, by the link that each is for, a keepalive later.
    pub fn next_heartbeat(&mut self, node: usize) -> Vec<(LinkId, Vec<u8>)> {
        self.now = self.now + Duration::from_secs(1);
        let packets = say(&mut self.nodes[node], self.now).into_iter();
        let networks = || {
            (0..)
                .map(LinkId)
                .zip(&self.serial)
                .filter(|(_, serial)| !**serial)
        };
        packets
            .flat_map(|(only, datagram, _)| {
                let links = networks().map(|(link, _)| link);
                let links = links.filter(move |link| only.is_none_or(|only| only == *link));
                links.map(move |link| (link, datagram.clone()))
            })
            .collect()
    }
}

/// The link that a packet is for, its datagram and its text.
type Said = (Option<LinkId>, Vec<u8>, Vec<u8>);

/// What a core sends now. Its groups start at once, on a machine that has none of them yet.
fn say(core: &mut Cluster, now: Instant) -> Vec<Said> {
    core.handle(now, Event::Tick);
    let mut packets = Vec::new();
    while let Some(action) = core.next_action() {
        let (group, outcome) = match action {
            Action::Send(packet) => {
                packets.push((packet.link, packet.datagram.clone(), packet.text.clone()));
                continue;
            }
            Action::ProbeGroup(group) => (group, GroupOutcome::FoundStopped),
            Action::StartGroup(group) => (group, GroupOutcome::Started),
            Action::StopGroup(group) => (group, GroupOutcome::Stopped),
            _ => continue,
        };
        core.handle(now, Event::Group { group, outcome });
    }
    packets
}
