//! `cl_status`: what the sub-commands print and which exit status they end with. Both are those of heartbeat
//! 3.0.6, because scripts depend on them.

mod agreement;
mod arguments;
mod events;
mod explain;
mod glance;
mod groups;
mod look;
mod maintenance;
mod place;
mod reboot;
mod screen;
mod serial;
mod silence;
mod troubles;
mod until;
mod watch;
mod watchdog;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use super::Error;
use crate::control::{Fencing, Incident, Jeopardy, Link, Node, Places, Status};
use crate::os::local_time;
use arguments::{Arguments, Query};
use place::peer_name;
use silence::last_link;

/// The question was answered, and the answer is good news.
pub const GOOD: u8 = 0;
/// Bad news, or no answer.
pub const BAD: u8 = 1;
/// The daemon runs but did not answer in time.
pub const TIMEOUT: u8 = 12;
/// Wrong arguments, or a node that nobody declared.
pub const USAGE: u8 = 11;
/// A link, or a node of a link, that nobody declared.
pub const UNKNOWN: u8 = 13;

/// What heartbeat 3.0.6 tells of every node without a Pacemaker that counts votes.
const WEIGHT: &str = "100";

/// What to print, and how to end.
#[derive(Debug, PartialEq, Eq)]
struct Reply {
    out: String,
    err: String,
    exit: u8,
}

impl Reply {
    fn new(out: impl Into<String>, exit: u8) -> Self {
        Self {
            out: out.into(),
            err: String::new(),
            exit,
        }
    }

    fn failed(err: impl Into<String>, exit: u8) -> Self {
        Self {
            out: String::new(),
            err: err.into(),
            exit,
        }
    }
}

/// Runs the command with the words that follow its name; gives back the exit status.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let reply = match arguments::parse(words) {
        Ok(None) => Reply::new(arguments::HELP, GOOD),
        Ok(Some(arguments)) => {
            let places = Places::new(arguments.directory.as_deref());
            let (socket, configuration) = (places.control_socket(), &places.configuration);
            match &arguments.query {
                Query::Maintenance(order) => {
                    maintenance::run(&arguments, order, &socket, configuration)
                }
                Query::Incidents => incidents(&arguments, super::incidents(&socket), configuration),
                Query::Events(wanted) => events::run(&places, wanted, &mut std::io::stdout()),
                Query::Overview | Query::Watch | Query::Explain(_) | Query::RebootSafe => {
                    glance::reply(&arguments, &places)
                }
                _ => reply(&arguments, super::status(&socket), configuration),
            }
        }
        Err(error) => Reply::failed(format!("{error}\n"), USAGE),
    };
    // A reader that went away needs no answer.
    let _ = std::io::stderr().write_all(reply.err.as_bytes());
    let _ = std::io::stdout().write_all(reply.out.as_bytes());
    reply.exit
}

fn reply(arguments: &Arguments, status: Result<Status, Error>, configuration: &Path) -> Reply {
    match (&arguments.query, status) {
        (Query::Running, Ok(status)) => running(arguments, &status),
        (Query::Running, Err(error)) => not_running(arguments, &error),
        (query, Ok(status)) => answer(arguments, query, &status),
        (_, Err(error)) => no_answer(&error, configuration),
    }
}

fn no_answer(error: &Error, configuration: &Path) -> Reply {
    let exit = if matches!(error, Error::Silent) {
        TIMEOUT
    } else {
        BAD
    };
    let hint = match error {
        Error::Stopped(_) => format!(" (configuration directory {})", configuration.display()),
        _ => String::new(),
    };
    let text = format!("ERROR: Cannot signon with heartbeat\nERROR: REASON: {error}{hint}\n");
    Reply::failed(text, exit)
}

/// `incidents`: each in words, the newest last.
fn incidents(
    arguments: &Arguments,
    incidents: Result<Vec<Incident>, Error>,
    configuration: &Path,
) -> Reply {
    let incidents = match incidents {
        Ok(incidents) => incidents,
        Err(error) => return no_answer(&error, configuration),
    };
    if arguments.json {
        return json(&incidents, GOOD);
    }
    if incidents.is_empty() {
        return Reply::new("No incident is on record here.\n", GOOD);
    }
    let told = incidents.iter().map(|incident| {
        let sentences = incident.sentences(local_time::moment);
        let lines = sentences.iter().zip(0_usize..).map(|(sentence, line)| {
            let indent = if line == 0 { "" } else { "\t" };
            format!("{indent}{}\n", sentence.text)
        });
        lines.collect::<String>()
    });
    Reply::new(told.collect::<Vec<_>>().join("\n"), GOOD)
}

/// `hbstatus`. A daemon that has not yet agreed with its peer counts as stopped, as ever; the reason is told
/// beside it.
fn running(arguments: &Arguments, status: &Status) -> Reply {
    let exit = if status.communicating { GOOD } else { BAD };
    if arguments.json {
        return json(status, exit);
    }
    let mut reply = Reply::new(sentence(status.communicating), exit);
    if !status.communicating {
        let waiting: Vec<_> = status
            .nodes
            .iter()
            .filter(|node| node.status == "init")
            .map(|node| node.name.as_str())
            .collect();
        reply.err = format!(
            "heartbeat is starting: not yet heard from {}\n",
            waiting.join(", ")
        );
    } else if arguments.verbose {
        let version = format!(
            "version:\t{}\nmanaged by:\t\"haresources\"\n",
            status.version
        );
        reply.out.push_str(&version);
        reply.out.push_str(&all_nodes(arguments, status));
        let maintenance = status.maintenance.iter().map(maintenance::lines);
        reply
            .out
            .extend(maintenance.map(|lines| format!("\nmaintenance\ton\n{lines}")));
        reply.out.extend(status.jeopardy.iter().map(jeopardy));
        let silence = status.last_link.as_ref();
        reply
            .out
            .extend(silence.and_then(|silence| last_link(status, silence)));
        let agreement = status.agreement.iter();
        reply.out.extend(agreement.map(agreement::lines));
        reply.out.extend(status.fencing.iter().map(fencing));
        let watchdog = status.watchdog.iter();
        let as_of = status.heartbeat_as_of;
        reply
            .out
            .extend(watchdog.map(|watchdog| watchdog::lines(watchdog, as_of)));
        reply.out.push_str(&carriers(status));
        reply.out.push_str(&serial::lines(&status.nodes));
    }
    reply
}

fn not_running(arguments: &Arguments, error: &Error) -> Reply {
    if arguments.json {
        let text = serde_json::json!({ "running": false, "reason": error.to_string() });
        return Reply::new(format!("{text}\n"), BAD);
    }
    let mut reply = Reply::new(sentence(false), BAD);
    if arguments.verbose {
        reply
            .out
            .push_str("(hb_api_signon: Can't initiate connection to heartbeat)\n");
    }
    if !matches!(error, Error::Stopped(_)) {
        reply.err = format!("{error}\n");
    }
    reply
}

fn sentence(is_running: bool) -> String {
    let word = if is_running { "running" } else { "stopped" };
    format!("Heartbeat is {word} on this machine.\n")
}

fn answer(arguments: &Arguments, query: &Query, status: &Status) -> Reply {
    match query {
        // Those beside the first one are answered elsewhere.
        Query::Running
        | Query::Incidents
        | Query::Maintenance(_)
        | Query::Overview
        | Query::Watch
        | Query::Explain(_)
        | Query::Events(_)
        | Query::RebootSafe => running(arguments, status),
        Query::Nodes if arguments.json => json(&nodes(arguments, status).collect::<Vec<_>>(), GOOD),
        Query::Nodes => Reply::new(all_nodes(arguments, status), GOOD),
        Query::NodeStatus(name) => with_node(status, name, |node| {
            let exit = if matches!(node.status.as_str(), "active" | "up" | "ping") {
                GOOD
            } else {
                BAD
            };
            let human = format!("The cluster node {name} is {}", node.status);
            tell(arguments, &node.status, &human, exit)
        }),
        Query::NodeKind(name) => with_node(status, name, |node| {
            tell(
                arguments,
                &node.kind,
                &format!("The node {name}'s type: {}", node.kind),
                GOOD,
            )
        }),
        Query::NodeWeight(name) => with_node(status, name, |_| {
            let human = format!("The node {name}'s weight: {WEIGHT}");
            tell(arguments, WEIGHT, &human, GOOD)
        }),
        Query::NodeSite(name) => with_node(status, name, |_| {
            tell(arguments, "", &format!("The node {name}'s site: "), GOOD)
        }),
        Query::Links(name) => links(arguments, status, name),
        Query::LinkStatus(name, link) => link_status(arguments, status, name, link),
        Query::Holdings => {
            let human = format!("This node is holding {} resources.", status.holdings);
            if arguments.json {
                let groups = &status.groups;
                json(
                    &serde_json::json!({ "holdings": status.holdings, "groups": groups }),
                    GOOD,
                )
            } else {
                tell(arguments, &status.holdings, &human, GOOD)
            }
        }
        Query::Parameter(name) => {
            match status
                .parameters
                .iter()
                .find(|parameter| parameter.name.eq_ignore_ascii_case(name))
            {
                Some(parameter) => tell(arguments, &parameter.value, &parameter.value, GOOD),
                None => Reply::failed(format!("ERROR: Cannot get parameter {name}'s value\n"), BAD),
            }
        }
    }
}

/// How the other node is reset, in the form of what is told of nodes and links.
fn fencing(fencing: &Fencing) -> String {
    let mut text = format!("\nfencing\t{}", fencing.state);
    if fencing.failures > 0 {
        text.extend(["\t(", &fencing.failures.to_string(), " failed)"]);
    }
    text.push('\n');
    for device in &fencing.devices {
        let state = match device.works {
            Some(true) => "works",
            Some(false) => "fails",
            None => "not asked yet",
        };
        text.extend(["\t", &device.kind, "\t", state, "\n"]);
    }
    text
}

/// The groups whose interface has no carrier on one of the nodes.
fn carriers(status: &Status) -> String {
    let peer = peer_name(status);
    let mut text = String::new();
    for group in &status.groups {
        let (here, there) = (group.carrier.as_deref(), group.peer_carrier.as_deref());
        if here == Some("lost") || there == Some("lost") {
            let node = &status.node;
            let (here, there) = (here.unwrap_or("unknown"), there.unwrap_or("unknown"));
            text.extend([
                "\t", &group.key, "\t", node, " ", here, "\t", peer, " ", there, "\n",
            ]);
        }
    }
    if text.is_empty() {
        text
    } else {
        format!("\ncarriers\n{text}")
    }
}

/// One word, as a sentence with `-m`, as a string with `--json`.
fn tell(arguments: &Arguments, word: &str, human: &str, exit: u8) -> Reply {
    if arguments.json {
        json(word, exit)
    } else {
        Reply::new(
            format!("{}\n", if arguments.human { human } else { word }),
            exit,
        )
    }
}

fn json(value: &(impl serde::Serialize + ?Sized), exit: u8) -> Reply {
    match serde_json::to_string_pretty(value) {
        Ok(text) => Reply::new(format!("{text}\n"), exit),
        Err(error) => Reply::failed(format!("ERROR: {error}\n"), BAD),
    }
}

fn find<'a>(status: &'a Status, name: &str) -> Option<&'a Node> {
    status
        .nodes
        .iter()
        .find(|node| node.name.eq_ignore_ascii_case(name))
}

fn with_node(status: &Status, name: &str, answer: impl FnOnce(&Node) -> Reply) -> Reply {
    match find(status, name) {
        Some(node) => answer(node),
        None => Reply::failed("Error. May be due to incorrect node name\n", USAGE),
    }
}

/// The last declared comes first, as ever; `-n` and `-p` leave out the other kind.
fn nodes<'a>(arguments: &Arguments, status: &'a Status) -> impl Iterator<Item = &'a Node> {
    let (normal, ping) = (arguments.only_normal, arguments.only_ping);
    status
        .nodes
        .iter()
        .rev()
        .filter(move |node| match node.kind.as_str() {
            "ping" => ping || !normal,
            _ => normal || !ping,
        })
}

fn all_nodes(arguments: &Arguments, status: &Status) -> String {
    let mut text = String::new();
    if arguments.human {
        text.push_str("The nodes are as follow:\n");
    }
    for node in nodes(arguments, status) {
        if arguments.verbose {
            text.extend([
                "\n",
                &node.name,
                "\t",
                &node.status,
                "\t(nodetype: ",
                &node.kind,
                ")\n",
            ]);
            text.extend(link_lines(node, true));
        } else {
            text.push_str(&node.name);
            text.push('\n');
        }
    }
    text
}

fn link_lines(node: &Node, with_status: bool) -> impl Iterator<Item = String> {
    node.links.iter().rev().map(move |link| {
        if with_status {
            let direction = direction(&node.name, link);
            format!("\t{}\t{}{direction}\n", link.name, up_or_dead(link.up))
        } else {
            format!("\t{}\n", link.name)
        }
    })
}

/// What is the matter with a link that works in one direction only.
fn direction(node: &str, link: &Link) -> String {
    let words = match link.way.as_deref() {
        Some("in") => format!("we hear {node}, it does not hear us"),
        Some("out") => format!("{node} hears us, we do not hear it"),
        _ => return String::new(),
    };
    let cause = link.cause.as_deref().unwrap_or_default();
    format!("\tone-way: {words}. {cause}")
}

/// The alarm that no second link is left.
fn jeopardy(jeopardy: &Jeopardy) -> String {
    match &jeopardy.link {
        Some(link) => format!("\njeopardy\tonly {link} is left\n"),
        None => "\njeopardy\tno link works in both directions\n".to_owned(),
    }
}

fn up_or_dead(is_up: bool) -> &'static str {
    if is_up { "up" } else { "dead" }
}

fn links(arguments: &Arguments, status: &Status, name: &str) -> Reply {
    let Some(node) = find(status, name) else {
        return Reply::failed("Error. May be due to incorrect node name\n", UNKNOWN);
    };
    if arguments.json {
        return json(&node.links, GOOD);
    }
    let mut text = String::new();
    if arguments.human {
        text.extend(["Heartbeat links of node ", &node.name, ":\n"]);
    }
    text.extend(link_lines(node, arguments.verbose));
    Reply::new(text, GOOD)
}

fn link_status(arguments: &Arguments, status: &Status, name: &str, link: &str) -> Reply {
    let found =
        find(status, name).and_then(|node| node.links.iter().find(|there| there.name == link));
    let Some(found) = found else {
        return Reply::failed(
            "Error. May be due to incorrect node or link name\n",
            UNKNOWN,
        );
    };
    let word = up_or_dead(found.up);
    let exit = if found.up { GOOD } else { BAD };
    tell(
        arguments,
        word,
        &format!("The link status of {name}:{link}: {word}"),
        exit,
    )
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
