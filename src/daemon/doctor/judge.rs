//! What to make of what a daemon tells of itself and its pair.

use super::finding::{Finding, Verdict};
use crate::control::{Agreement, Incident, LastLink, Link, Node, SerialLine, Status, Watchdog};
use crate::os::local_time;

/// An incident counts for so many seconds.
const LATELY: u64 = 24 * 60 * 60;

/// Everything but groups and addresses.
pub fn judge(status: &Status) -> Vec<Finding> {
    let mut found = vec![Finding::ok(
        "daemon",
        format!("heartbeat-rs {} runs, as {}", status.version, status.node),
    )];
    if let Some(maintenance) = &status.maintenance {
        let words = match maintenance.reason.as_str() {
            "" => "is on, and nothing moves by itself".to_owned(),
            reason => format!("is on, and nothing moves by itself: {reason}"),
        };
        let cure = "end it when the work is done: cl_status maintenance off";
        found.push(Finding::warning("maintenance", words, cure));
    }
    let peer = status
        .nodes
        .iter()
        .find(|node| node.kind == "normal" && node.name != status.node);
    if let Some(peer) = peer {
        found.push(other_node(
            peer,
            status.peer.as_ref().and_then(|peer| peer.heard_ago),
        ));
        links(peer, &mut found);
    }
    let pings = status.nodes.iter().filter(|node| node.kind == "ping");
    found.extend(pings.map(ping));
    if let (Some(peer), Some(agreement)) = (peer, &status.agreement) {
        files(&peer.name, agreement, &mut found);
    }
    found.extend(status.last_link.iter().filter_map(silence));
    match (&status.watchdog, &status.fencing) {
        (None, None) => found.push(Finding::ok(
            "watchdog",
            "none, and no fencing device: a daemon that hangs keeps what it has",
        )),
        (watchdog, _) => {
            let now = status.heartbeat_as_of;
            found.extend(watchdog.iter().map(|watchdog| feeding(watchdog, now)));
        }
    }
    found.extend(status.fencing.iter().flat_map(|fencing| {
        fencing.devices.iter().map(|device| {
            let item = format!("fencing {}", device.kind);
            match device.works {
                Some(true) => Finding::ok(&item, "the device answers"),
                None => Finding::ok(&item, "the device was not asked yet"),
                Some(false) => Finding::problem(
                    &item,
                    "the device did not answer when it was asked last: nothing of a dead node is taken",
                    "the log has its words; see its line in ha.cf",
                ),
            }
        })
    }));
    found
}

fn seconds(millis: u64) -> String {
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}

fn other_node(peer: &Node, heard_ago: Option<u64>) -> Finding {
    let item = format!("node {}", peer.name);
    let heard = heard_ago.map_or_else(
        || "was not heard since this daemon started".to_owned(),
        |ago| format!("was heard {} ago", seconds(ago)),
    );
    match peer.status.as_str() {
        "active" => Finding::ok(&item, format!("active; it {heard}")),
        "up" => Finding::warning(
            &item,
            format!("not active yet; it {heard}"),
            "ask again in a minute",
        ),
        status => Finding::problem(
            &item,
            format!("{status}; it {heard}"),
            "see whether it runs, then its cables; `heartbeat doctor` there tells what it sees",
        ),
    }
}

/// Each link, as far as the other node is there at all.
fn links(peer: &Node, found: &mut Vec<Finding>) {
    let is_there = matches!(peer.status.as_str(), "active" | "up");
    let works = |link: &&Link| match link.way.as_deref() {
        Some("unknown") | None => link.up,
        way => way == Some("both"),
    };
    let working = peer.links.iter().filter(works).count();
    for link in peer.links.iter().filter(|_| is_there) {
        found.push(direction(&peer.name, link));
        found.extend(link.serial.as_ref().map(|line| serial(&link.name, line)));
    }
    if is_there && working == 1 {
        found.push(Finding::warning(
            "links",
            "only one works: its loss looks like the death of the other node",
            "mend the others, or add one that does not break together with it",
        ));
    }
}

fn direction(peer: &str, link: &Link) -> Finding {
    let item = format!("link {}", link.name);
    let cause = link.cause.clone().unwrap_or_default();
    match link.way.as_deref() {
        Some("both") => Finding::ok(&item, "works in both directions"),
        Some("in") => Finding::problem(
            &item,
            format!("one-way: {peer} is heard, and does not hear this node"),
            cause,
        ),
        Some("out") => Finding::problem(
            &item,
            format!("one-way: {peer} hears this node, and is not heard"),
            cause,
        ),
        Some("unknown") | None if link.up => Finding::ok(
            &item,
            format!("{peer} is heard; whether it hears this node it does not say"),
        ),
        _ => Finding::problem(
            &item,
            "dead: nothing gets through in either direction",
            cure(link),
        ),
    }
}

fn cure(link: &Link) -> &'static str {
    if link.kind.contains("serial") {
        "check the cable and the rate on both nodes; `heartbeat serial-test`, while heartbeat is stopped, says more"
    } else {
        "check cable, switch, firewall and the line in ha.cf on both nodes; `heartbeat sniff` shows what comes"
    }
}

fn serial(name: &str, line: &SerialLine) -> Finding {
    let item = format!("serial {name}");
    if let Some(stranger) = &line.stranger {
        let remedy = line.remedy.clone().unwrap_or_default();
        return Finding::problem(
            &item,
            format!("somebody else talks there: {stranger}"),
            remedy,
        );
    }
    let flow = match line.flow_control {
        Some(true) => "RTS/CTS flow control",
        Some(false) => "no flow control",
        None => "the port is closed",
    };
    let errors = line.errors.map_or(0, |errors| {
        let all = [
            errors.framing,
            errors.parity,
            errors.overruns,
            errors.breaks,
        ];
        all.into_iter().fold(0, i32::saturating_add)
    });
    let words = format!(
        "{flow}; errors counted: {errors}, bytes that belonged to nothing: {}",
        line.noise
    );
    if errors > 0 {
        return Finding::warning(
            &item,
            words,
            "a few come with plugging; where they grow: cable, rate, grounding",
        );
    }
    Finding::ok(&item, words)
}

fn ping(node: &Node) -> Finding {
    let item = format!("ping {}", node.name);
    match node.status.as_str() {
        "ping" => Finding::ok(&item, "answers"),
        _ => Finding::warning(
            &item,
            "does not answer",
            "see whether it lives and the network to it",
        ),
    }
}

fn files(peer: &str, agreement: &Agreement, found: &mut Vec<Finding>) {
    let item = "files";
    match agreement.state.as_str() {
        "equal" => found.push(Finding::ok(item, format!("{peer} goes by the same"))),
        "3.0.6" => found.push(Finding::ok(
            item,
            format!("{peer} runs heartbeat 3.0.6 and does not tell what it goes by"),
        )),
        "silent" => found.push(Finding::ok(
            item,
            format!("the version of {peer} does not tell what it goes by"),
        )),
        "differs" => {
            found.extend(agreement.differences.iter().map(|difference| {
                let is_group = difference.topic.starts_with("group ");
                let (verdict, cure) = if is_group {
                    (Verdict::Problem, "make haresources equal, then `heartbeat reload` on both: nothing moves before")
                } else {
                    (Verdict::Warning, "make both equal, then `heartbeat reload`, which says what wants a restart")
                };
                Finding::new(item, verdict, difference.words.clone(), cure)
            }));
            if agreement.more > 0 {
                let words = format!(
                    "{} more line(s) differ from those of {peer}",
                    agreement.more
                );
                found.push(Finding::warning(item, words, "compare the files"));
            }
        }
        _ => {} // the other node is not there, or has not told yet
    }
}

/// What the silence of the other node is taken for, while it is.
fn silence(silence: &LastLink) -> Option<Finding> {
    let item = "last link";
    if silence.cut_off {
        let words = "this node saw no ping node either, and gave up what it had";
        return Some(Finding::problem(
            item,
            words,
            "mend the network of this node",
        ));
    }
    let words = match silence.state.as_str() {
        "waiting" | "watching" => {
            "the other node is silent, and not known to be dead: its groups are not taken yet"
        }
        "manual" => "the other node is silent, and a person has to say that it is down",
        "alone" => "the other node counts as dead for as long as a ping node answers here",
        _ => return None,
    };
    let cure = "once you have made sure that it is down: `heartbeat confirm-dead`";
    Some(Finding::problem(item, words, cure))
}

fn feeding(watchdog: &Watchdog, now: u64) -> Finding {
    let item = "watchdog";
    let device = &watchdog.device;
    let (Some(timeout), true) = (watchdog.timeout, watchdog.armed) else {
        let why = watchdog
            .problem
            .clone()
            .unwrap_or_else(|| "not armed yet".into());
        let verdict = if watchdog.policy == "required" {
            Verdict::Problem
        } else {
            Verdict::Warning
        };
        let cure = "see `watchdog` in ha.cf(5)";
        return Finding::new(item, verdict, format!("{device} is not armed: {why}"), cure);
    };
    match watchdog.last_fed.map(|fed| now.saturating_sub(fed)) {
        Some(ago) if ago < timeout => {
            let words = format!("{device} was fed {ago} s ago and resets after {timeout} s");
            Finding::ok(item, words)
        }
        _ => Finding::problem(
            item,
            format!("{device} is not fed and resets this machine within {timeout} s"),
            "the log says why",
        ),
    }
}

/// What is on record.
pub fn incidents(all: &[Incident], now: u64) -> Finding {
    let item = "incidents";
    let since = now.saturating_sub(LATELY).saturating_mul(1000);
    let lately: Vec<&Incident> = all.iter().filter(|one| one.lost >= since).collect();
    let Some(last) = lately.last() else {
        let words = format!("none in the last day; {} on record", all.len());
        return Finding::ok(item, words);
    };
    let both = lately.iter().any(|incident| incident.had_two_owners());
    let both = if both {
        ", and both nodes held the same at a time"
    } else {
        ""
    };
    let words = format!(
        "{} in the last day{both}; the last began at {}",
        lately.len(),
        local_time::moment(last.lost)
    );
    Finding::warning(item, words, "`cl_status incidents` tells who held what")
}
