//! What the daemon tells about itself over the control socket.

use std::collections::BTreeMap;
use std::time::Duration;

use super::agreement;
use super::clock;
use super::core::Core;
use super::fencing::Fencer;
use super::maintenance;
use super::media::Media;
use super::media::device::SerialLine;
use super::moves::movement;
use super::readiness::Readiness;
use super::resources::{MonitorView, Resources, RivalView};
use super::settings::{kinds_of_link, links};
use super::state::State;
use super::watchdog::Watchdog;
use crate::cluster::link_report::cause;
use crate::cluster::{
    Cluster, DoubtStage, FailbackView, GroupId, GroupPlace, GroupState, Instant, LinkId, PingId,
    PingStatus, RetryView, Way,
};
use crate::config::{self, Config, PingNode};
use crate::control::{
    self, Failback, Group, Jeopardy, LastLink, Link, Monitor, Node, Parameter, Reasons, Retry,
    Rival, Status,
};

/// Everything but the watchdog and the reasons, as it is now. `since` is the wall clock at the start.
pub fn status(
    config: &Config,
    cluster: &Core,
    resources: &Resources,
    readiness: &Readiness,
    fencer: &Fencer,
    state: &State,
    since: u64,
) -> Status {
    Status {
        version: crate::VERSION.into(),
        heartbeat_as_of: clock::wall_seconds(),
        since,
        node: config.local_node.clone(),
        uuid: uuid::Uuid::from_bytes(state.uuid).hyphenated().to_string(),
        generation: cluster.generation(),
        communicating: cluster.is_communicating(),
        holdings: cluster.holdings().to_string(),
        nodes: nodes(config, cluster),
        groups: groups(config, cluster, resources, readiness),
        movement: movement(cluster, state.generation),
        fencing: fencer.view(cluster),
        jeopardy: jeopardy(config, cluster),
        last_link: Some(last_link(config, cluster)),
        peer_ethernet: resources.peer_ethernet(),
        agreement: Some(agreement::view(config, cluster)),
        maintenance: maintenance::view(cluster, config),
        watchdog: None,
        peer: None,
        timers: Vec::new(),
        parameters: parameters(config),
    }
}

fn nodes(config: &Config, cluster: &Cluster) -> Vec<Node> {
    let normal = config.nodes.iter().map(|name| {
        let is_local = *name == config.local_node;
        let status = if is_local {
            cluster.local_status()
        } else {
            cluster.peer_status()
        };
        Node {
            name: name.clone(),
            kind: "normal".into(),
            status: status.to_string(),
            links: if is_local {
                Vec::new()
            } else {
                links_to_peer(config, cluster)
            },
            since: None,
        }
    });
    let ping = config.ping_nodes.iter().zip(0..=u8::MAX);
    let ping = ping.map(|(node, id)| {
        let status = cluster.ping_status(PingId(id));
        Node {
            name: node.name.clone(),
            kind: "ping".into(),
            status: status.to_string(),
            links: vec![Link {
                name: node.name.clone(),
                kind: directive(node).into(),
                up: status == PingStatus::Ping,
                way: None,
                cause: None,
                serial: None,
                quality: None,
            }],
            since: None,
        }
    });
    normal.chain(ping).collect()
}

/// The directive of a ping node.
fn directive(node: &PingNode) -> &'static str {
    match node {
        _ if node.is_group => "ping_group",
        _ if node.v6 => "ping6",
        _ => "ping",
    }
}

fn links_to_peer(config: &Config, cluster: &Cluster) -> Vec<Link> {
    let link = |(name, id): (String, u8)| {
        let way = cluster.way(LinkId(id));
        let is_one_way = matches!(way, Way::OnlyIn | Way::OnlyOut);
        Link {
            kind: kinds_of_link(config, &name),
            up: cluster.link_is_up(LinkId(id)),
            way: Some(way.to_string()),
            cause: is_one_way.then(|| cause(&name, way == Way::OnlyIn).to_owned()),
            serial: None,
            quality: Some(quality(cluster, LinkId(id))),
            name,
        }
    };
    links(config)
        .into_iter()
        .zip(0..=u8::MAX)
        .map(link)
        .collect()
}

fn quality(cluster: &Cluster, link: LinkId) -> control::LinkQuality {
    let quality = cluster.link_quality(link);
    let now = clock::now();
    let whole = |time: u128| u64::try_from(time).unwrap_or(u64::MAX);
    control::LinkQuality {
        heard_ago: quality
            .heard
            .map(|heard| whole(now.since(heard).as_millis())),
        received: quality.received,
        expected: quality.expected,
        missed: quality.missed,
        jitter: quality.jitter.map(|jitter| whole(jitter.as_micros())),
    }
}

fn jeopardy(config: &Config, cluster: &Cluster) -> Option<Jeopardy> {
    let (since, link) = cluster.jeopardy()?;
    let link = link.and_then(|link| links(config).into_iter().nth(usize::from(link.0)));
    Some(Jeopardy {
        since: wall(since),
        link,
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn last_link(config: &Config, cluster: &Cluster) -> LastLink {
    let (answer, time) = match config.last_link {
        config::LastLink::Takeover => ("takeover", None),
        config::LastLink::Manual => ("manual", None),
        config::LastLink::Wait(time) => ("wait", Some(time)),
        config::LastLink::Witness(time) => ("witness", Some(time)),
    };
    let peer = cluster.peer_policy();
    let doubt = cluster.doubt();
    let state = match doubt {
        None => "none",
        Some((DoubtStage::Waiting(_), _)) => "waiting",
        Some((DoubtStage::Watching(_) | DoubtStage::Asking, _)) => "watching",
        Some((DoubtStage::Witnessed, _)) => "alone",
        Some((DoubtStage::Manual | DoubtStage::None, _)) => "manual",
    };
    LastLink {
        answer: answer.into(),
        milliseconds: time.map(millis),
        peer: peer.map(|peer| peer.answer.to_string()),
        peer_watchdog: peer.and_then(|peer| peer.watchdog).map(millis),
        state: state.into(),
        since: doubt.map(|(_, since)| wall(since)),
        cut_off: cluster.is_cut_off(),
    }
}

fn groups(
    config: &Config,
    cluster: &Cluster,
    resources: &Resources,
    readiness: &Readiness,
) -> Vec<Group> {
    let places = cluster.places();
    let ids: BTreeMap<&str, u32> = places
        .iter()
        .zip(0..)
        .map(|(place, id)| (place.group.key.as_str(), id))
        .collect();
    let group = |group: &crate::config::Group| {
        let id = *ids.get(group.key())?;
        let view = cluster.group(GroupId(id));
        let (carrier, peer_carrier) = cluster.carriers_of(GroupId(id));
        Some(Group {
            key: group.key().into(),
            preferred: group.preferred.clone(),
            resources: group
                .resources
                .iter()
                .map(|word| word.text.clone())
                .collect(),
            local: view.local.to_string(),
            peer: view.peer.map(|state| state.to_string()),
            monitors: resources
                .monitors_of(GroupId(id))
                .into_iter()
                .map(monitor)
                .collect(),
            readiness: readiness.of(GroupId(id)),
            peer_ready: cluster.peer_is_ready(GroupId(id)),
            carrier: carrier.map(|state| state.to_string()),
            peer_carrier: peer_carrier.map(|state| state.to_string()),
            retry: cluster.retry_of(GroupId(id)).map(retry),
            failback: cluster.failback_of(GroupId(id)).map(failback(config)),
            rivals: resources
                .rivals_of(clock::now(), GroupId(id))
                .into_iter()
                .map(rival)
                .collect(),
            reasons: Reasons::default(),
        })
    };
    let removed = places.iter().zip(0..).filter(|(place, _)| place.is_removed);
    let rest = removed.filter_map(|(place, id)| removed_group(config, cluster, place, GroupId(id)));
    config.groups.iter().filter_map(group).chain(rest).collect()
}

/// One that the file does not have any more, for as long as it is not stopped.
fn removed_group(
    config: &Config,
    cluster: &Cluster,
    place: &GroupPlace,
    id: GroupId,
) -> Option<Group> {
    let local = cluster.group(id).local;
    let preferred = if place.group.prefers_local {
        &config.local_node
    } else {
        &config.peer_node
    };
    (local != GroupState::Stopped).then(|| Group {
        key: place.group.key.clone(),
        preferred: preferred.clone(),
        resources: place
            .group
            .line
            .split(' ')
            .skip(1)
            .map(str::to_owned)
            .collect(),
        local: local.to_string(),
        peer: None,
        monitors: Vec::new(),
        failback: None,
        retry: None,
        readiness: None,
        peer_ready: None,
        carrier: None,
        peer_carrier: None,
        rivals: Vec::new(),
        reasons: Reasons::default(),
    })
}

/// Adds what is known of the serial lines.
pub fn add_serial_lines(nodes: &mut [Node], media: &Media) {
    for (link, line) in media.serial_lines() {
        let all = nodes.iter_mut().filter(|node| node.kind == "normal");
        let found = all
            .flat_map(|node| &mut node.links)
            .find(|found| found.name == link);
        if let Some(found) = found {
            found.serial = Some(serial_line(&line));
        }
    }
}

fn serial_line(line: &SerialLine) -> control::SerialLine {
    let stranger = line.stranger.as_ref();
    control::SerialLine {
        flow_control: line.has_flow_control,
        noise: line.noise,
        errors: line.errors.map(|errors| control::LineErrors {
            framing: errors.frame,
            parity: errors.parity,
            overruns: errors.overrun,
            breaks: errors.breaks,
        }),
        stranger: stranger.map(|stranger| stranger.word().to_owned()),
        remedy: stranger.map(ToString::to_string),
    }
}

/// The watchdog, as it is now.
pub fn watchdog(watchdog: &Watchdog) -> control::Watchdog {
    let view = watchdog.view();
    control::Watchdog {
        device: view.device,
        name: view.name,
        identity: view.identity,
        armed: view.timeout.is_some(),
        timeout: view.timeout.map(|timeout| timeout.as_secs()),
        nowayout: view.nowayout,
        policy: view.policy.to_string(),
        last_fed: view.last_fed.map(wall),
        problem: view.problem,
    }
}

fn failback(config: &Config) -> impl Fn(FailbackView) -> Failback {
    |view| Failback {
        since: wall(view.since),
        awaits: view.awaits.to_come(&config.peer_node),
        until: view.until.map(wall),
    }
}

fn retry(view: RetryView) -> Retry {
    Retry {
        failures: view.failures,
        next: view.next.map(wall),
        frozen: view.frozen,
    }
}

/// A moment of the monotonic clock in seconds since 1970.
pub(super) fn wall(at: Instant) -> u64 {
    let now = clock::now();
    let seconds = clock::wall_seconds();
    seconds
        .saturating_add(at.since(now).as_secs())
        .saturating_sub(now.since(at).as_secs())
}

fn monitor(view: MonitorView) -> Monitor {
    let MonitorView {
        resource,
        probe,
        works,
        failures,
        restarts,
    } = view;
    Monitor {
        resource,
        probe,
        works,
        failures,
        restarts,
    }
}

fn rival(view: RivalView) -> Rival {
    Rival {
        address: view.address.to_string(),
        hardware: view.hardware,
        is_other_node: view.is_peer,
        claims: view.claims,
        seconds_ago: view.ago.as_secs(),
    }
}

fn parameters(config: &Config) -> Vec<Parameter> {
    let version = ("hbversion".to_owned(), crate::VERSION.to_owned());
    let all = config.parameters.iter().cloned().chain([version]);
    all.map(|(name, value)| Parameter { name, value }).collect()
}
