//! What the book suggests is wrong, in sentences. Each is worth a look and none is proof.

use std::collections::BTreeSet;
use std::time::Duration;

use super::book::Book;
use super::groups::{Claims, Groups};
use super::node::{Holding, Node};
use super::sequence::Stream;
use super::settings::Settings;
use super::words::{counted, seconds};

/// A node that sent so many numbered messages should have been acknowledged (each tenth is).
const ENOUGH_FOR_ACKNOWLEDGEMENTS: u64 = 40;
/// After so many heartbeats a node does not announce its start-up allowance any more.
const ENOUGH_FOR_DEADTIME: u64 = 10;

/// Everything, the most basic first.
pub fn hints(book: &Book, settings: &Settings, groups: &Groups) -> Vec<String> {
    let mut found = Vec::new();
    silent_nodes(book, settings, &mut found);
    links(book, settings, &mut found);
    for (name, node) in &book.nodes {
        of_node(name, node, book, settings, &mut found);
    }
    let mut nodes = book.nodes.iter().filter(|(name, _)| settings.knows(name));
    if let (Some(one), Some(other), None) = (nodes.next(), nodes.next(), nodes.next()) {
        for (one, other) in [(one, other), (other, one)] {
            deafness(one, other, &mut found);
        }
        of_pair(one, other, groups, &mut found);
    }
    found
}

fn silent_nodes(book: &Book, settings: &Settings, found: &mut Vec<String>) {
    if book.messages == 0 {
        found.push("nothing was sent to a port of heartbeat".to_owned());
        return;
    }
    for (name, refused) in &book.refused {
        let (messages, reason) = (counted(refused.count, "message"), refused.reason);
        let whose = if name.is_empty() {
            "without a readable sender".to_owned()
        } else {
            format!("in the name of {name}")
        };
        found.push(format!("{messages} {whose} would be refused: {reason}"));
    }
    if book.cut > 0 {
        let messages = counted(book.cut, "message");
        found.push(format!(
            "{messages} could not be checked, being cut short by the capture: record whole packets (tcpdump -s 0)"
        ));
    }
    if book.flawed > 0 {
        found.push(format!(
            "what every message has was missing in {}",
            counted(book.flawed, "message")
        ));
    }
    for name in settings
        .nodes
        .iter()
        .filter(|name| !book.nodes.contains_key(*name))
    {
        found.push(if book.refused.contains_key(name) {
            format!("nothing authentic was heard of {name}: authkeys differs, or another cluster uses this name")
        } else {
            format!("nothing was heard of {name}")
        });
    }
    for name in book.nodes.keys().filter(|name| !settings.knows(name)) {
        found.push(format!(
            "{name} is not in ha.cf: both nodes refuse its messages"
        ));
    }
}

fn links(book: &Book, settings: &Settings, found: &mut Vec<String>) {
    let known = settings.links.iter().chain(book.links.keys());
    let all: BTreeSet<&str> = known.map(String::as_str).collect();
    let nodes = || book.nodes.iter().filter(|(name, _)| settings.knows(name));
    for link in &all {
        let is_heard = nodes().any(|(_, node)| node.links.contains_key(*link));
        if !is_heard && !book.nodes.is_empty() {
            found.push(format!("no node was heard on {link}"));
        }
    }
    for (name, node) in nodes() {
        let heard: Vec<&str> = node.links.keys().map(String::as_str).collect();
        let missed = |link: &&&str| {
            !node.links.contains_key(**link)
                && nodes().any(|(_, other)| other.links.contains_key(**link))
        };
        let missed: Vec<&str> = all.iter().filter(missed).copied().collect();
        if !missed.is_empty() {
            found.push(format!(
                "{name} is heard on {} only, the other node also on {}",
                heard.join(", "),
                missed.join(", ")
            ));
        }
    }
}

fn of_node(name: &str, node: &Node, book: &Book, settings: &Settings, found: &mut Vec<String>) {
    if let Some(keys) = &settings.keys {
        let ours = keys.signing;
        for key in node.keys.iter().filter(|key| **key != ours) {
            found.push(format!(
                "{name} signs with key {key}, ours is {ours}: heartbeat 3.0.6 does not hear that over UDP unless both \
                 keys have the same text"
            ));
        }
    }
    silence(name, node, book, found);
    of_stream(name, &node.stream, found);
    if node.uuids.len() > 1 {
        found.push(format!(
            "{} uuids use the name {name}: two machines, or a new hb_uuid file",
            node.uuids.len()
        ));
    }
    let is_local = settings.local_node.as_deref() == Some(name);
    if is_local && node.came_in > 0 {
        found.push(format!(
            "{} in the name of this node, {name}, came in from outside",
            counted(node.came_in, "message")
        ));
    }
}

fn of_stream(name: &str, stream: &Stream, found: &mut Vec<String>) {
    let mut tell = |count, sentence: &dyn Fn(String) -> String| {
        if count > 0 {
            found.push(sentence(counted(count, "message")));
        }
    };
    let counts = stream.counts();
    tell(stream.missing(), &|messages| {
        format!("{messages} of {name} never came")
    });
    tell(counts.again, &|messages| {
        format!(
            "{name} sent {messages} again because the other node had asked: what it sends is lost on its way at times"
        )
    });
    tell(stream.unanswered(), &|messages| {
        format!("{name} was asked again and again for {messages} and did not send it")
    });
    tell(counts.replays, &|messages| {
        format!(
            "{messages} of {name} from an older generation: attempted replay attack, or a node whose hb_generation \
             file went back"
        )
    });
    tell(counts.unasked, &|messages| {
        format!("{messages} of {name} came twice on one link although nobody had asked")
    });
}

fn silence(name: &str, node: &Node, book: &Book, found: &mut Vec<String>) {
    let Some(deadtime) = node.deadtime else {
        return;
    };
    if let Some((gap, _)) = node.rhythm.largest {
        if gap > deadtime {
            found.push(format!(
                "{name} was silent for {}, longer than the {} after which it wants to be taken for dead",
                seconds(gap),
                seconds(deadtime)
            ));
        } else if gap * 2 > deadtime {
            found.push(format!(
                "a heartbeat of {name} came {} after the one before; after {} it counts as dead",
                seconds(gap),
                seconds(deadtime)
            ));
        }
    }
    if let (Some(last), Some((_, end))) = (node.rhythm.last, book.period) {
        let since = end.saturating_sub(last);
        if since > deadtime && !node.has_left {
            found.push(format!(
                "{name} was not heard any more for the last {}",
                seconds(since)
            ));
        }
    }
}

/// Whether `one` seems not to hear `other`.
fn deafness(one: (&String, &Node), other: (&String, &Node), found: &mut Vec<String>) {
    let ((one, heard), (other, speaker)) = (one, other);
    let sent = speaker.stream.counts().new;
    let is_quiet = heard.acknowledgements == 0 && heard.rhythm.heartbeats >= ENOUGH_FOR_DEADTIME;
    let claims_deaf = heard
        .claims
        .as_ref()
        .is_some_and(|claims| claims.heading.answering.is_none() && speaker.is_ours());
    if is_quiet && sent >= ENOUGH_FOR_ACKNOWLEDGEMENTS {
        found.push(format!(
            "{one} acknowledged none of {sent} messages of {other}: it may not hear it"
        ));
    } else if claims_deaf && !heard.has_left && !speaker.has_left {
        found.push(format!("{one} says that it does not hear {other}"));
    }
}

fn of_pair(
    one: (&String, &Node),
    other: (&String, &Node),
    groups: &Groups,
    found: &mut Vec<String>,
) {
    let ((name, node), (other_name, other)) = (one, other);
    let settled = [node, other].map(|node| node.rhythm.heartbeats >= ENOUGH_FOR_DEADTIME);
    if let (Some(a), Some(b), [true, true]) = (node.deadtime, other.deadtime, settled)
        && a != b
        && a.abs_diff(b) < Duration::from_secs(30)
    {
        let (a, b) = (seconds(a), seconds(b));
        found.push(format!(
            "{name} counts as dead after {a}, {other_name} after {b}: deadtime differs"
        ));
    }
    if let (Some(mine), Some(theirs)) = (&node.claims, &other.claims) {
        claims_clash((name, mine), (other_name, theirs), groups, found);
    } else if let (Some(mine), Some(theirs)) = (&node.holding, &other.holding) {
        holdings_clash((name, mine), (other_name, theirs), found);
    }
}

/// Two nodes of ours tell of each group.
fn claims_clash(
    one: (&String, &Claims),
    other: (&String, &Claims),
    groups: &Groups,
    found: &mut Vec<String>,
) {
    let ((name, mine), (other_name, theirs)) = (one, other);
    if let (Some(a), Some(b)) = (mine.heading.digest, theirs.heading.digest)
        && a != b
    {
        found.push(format!(
            "haresources differs between the nodes: {name} and {other_name} have other resource groups"
        ));
        return;
    }
    for (place, (a, b)) in mine.states.iter().zip(&theirs.states).enumerate() {
        if a.claim.is_held() && b.claim.is_held() {
            let group = groups.name(mine.heading.digest, place);
            found.push(format!(
                "both {name} and {other_name} say that they hold {group}"
            ));
        }
    }
}

/// Where one of them is of 3.0.6, there is a word for all groups together.
fn holdings_clash(one: (&String, &Holding), other: (&String, &Holding), found: &mut Vec<String>) {
    let ((name, mine), (other_name, theirs)) = (one, other);
    let holds = |what: &str, part: &str| what == "all" || what == part;
    let (a, b) = (mine.what.as_str(), theirs.what.as_str());
    let overlap =
        holds(a, "local") && holds(b, "foreign") || holds(a, "foreign") && holds(b, "local");
    if overlap && mine.is_stable && theirs.is_stable {
        found.push(format!(
            "both {name} (holds {a}) and {other_name} (holds {b}) say that they hold the same groups"
        ));
    }
}
