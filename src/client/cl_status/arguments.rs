//! The words after `cl_status`.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

use super::events::{Since, Wanted};
use super::until;
use crate::os::clock;

/// Printed for `-h` and for no argument at all.
pub(super) const HELP: &str = "\
usage: cl_status SUB-COMMAND [OPTIONS] [ARGUMENTS]
  hbstatus [-v]                 is heartbeat running here
  listnodes [-n] [-p] [-v]      names of the nodes; -n normal ones, -p ping nodes
  nodestatus NODE               status of a node
  nodetype NODE                 normal or ping
  nodeweight NODE               100
  nodesite NODE                 an empty line
  listhblinks NODE [-v]         links to a node
  hblinkstatus NODE LINK        up or dead
  rscstatus                     what this node holds: none, local, foreign, all, transition
  hbparameter -p NAME           a value of ha.cf
  maintenance                   whether nothing moves unless somebody asks for it, and why
  maintenance on [--reason TEXT] [--until TIME|+DURATION]
  maintenance off
  incidents                     who held what while the nodes had lost each other
  status                        everything on one screen, what is wrong first
  watch                         the same, drawn anew each second; q ends it
  explain GROUP                 why a group is where it is
  events [--since TIME] [--no-follow]  what has happened, and what happens; TIME is 90s, 10m, 2h, 1d ago or @SECONDS since 1970
  reboot-safe                   may this node be rebooted without loss of service
Options of all: -m sentences for people, --json for programs, -C DIR another configuration directory.
";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Query {
    Running,
    Nodes,
    NodeStatus(String),
    NodeKind(String),
    NodeWeight(String),
    NodeSite(String),
    Links(String),
    LinkStatus(String, String),
    Holdings,
    Parameter(String),
    Incidents,
    Overview,
    Watch,
    Explain(String),
    Events(Wanted),
    RebootSafe,
    Maintenance(Order),
}

/// What is wanted of maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// To know whether it is on.
    Show,
    /// That it is on from now on.
    On {
        /// Why; may be empty.
        reason: String,
        /// When it ends by itself, in seconds since 1970.
        until: Option<u64>,
    },
    /// That it is off.
    Off,
}

/// The whole command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arguments {
    pub query: Query,
    /// `-v`
    pub verbose: bool,
    /// `-m`
    pub human: bool,
    /// `-n` of `listnodes`
    pub only_normal: bool,
    /// `-p` of `listnodes`
    pub only_ping: bool,
    /// `--json`
    pub json: bool,
    /// `-C`
    pub directory: Option<PathBuf>,
}

/// `None` asks for help. The error is what to print.
pub(super) fn parse(
    words: impl IntoIterator<Item = OsString>,
) -> Result<Option<Arguments>, String> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut command: Option<String> = None;
    let mut operands = Vec::new();
    let mut parameter = None;
    let (mut since, mut follow) = (None, true);
    let (mut reason, mut until) = (None, None);
    let mut found = Arguments {
        query: Query::Running,
        verbose: false,
        human: false,
        only_normal: false,
        only_ping: false,
        json: false,
        directory: None,
    };
    let text = |error: lexopt::Error| format!("ERROR: {error}");
    while let Some(argument) = parser.next().map_err(text)? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Short('v') => found.verbose = true,
            Short('m') => found.human = true,
            Short('n') => found.only_normal = true,
            // The same letter takes a name in the one sub-command that is about names.
            Short('p') if command.as_deref() == Some("hbparameter") => {
                parameter = Some(parser.value().and_then(ValueExt::string).map_err(text)?);
            }
            Short('p') => found.only_ping = true,
            Long("since") if command.as_deref() == Some("events") => {
                let word = parser.value().and_then(ValueExt::string).map_err(text)?;
                let found = Since::parse(&word).ok_or_else(|| {
                    format!(
                        "ERROR: --since {word}: no time. Write 90s, 10m, 2h or 1d for so long ago, or @SECONDS since 1970."
                    )
                })?;
                since = Some(found);
            }
            Long("no-follow") if command.as_deref() == Some("events") => follow = false,
            Long("reason") if command.as_deref() == Some("maintenance") => {
                reason = Some(parser.value().and_then(ValueExt::string).map_err(text)?);
            }
            Long("until") if command.as_deref() == Some("maintenance") => {
                until = Some(parser.value().and_then(ValueExt::string).map_err(text)?);
            }
            Long("json") => found.json = true,
            Short('C') => found.directory = Some(parser.value().map_err(text)?.into()),
            Value(word) if command.is_none() => command = Some(word.string().map_err(text)?),
            Value(word) => operands.push(word.string().map_err(text)?),
            other => return Err(text(other.unexpected())),
        }
    }
    let Some(command) = command else {
        return Ok(None);
    };
    found.query = if command == "maintenance" {
        Query::Maintenance(order(&operands, reason, until.as_deref())?)
    } else if command == "events" {
        let json = found.json;
        Query::Events(Wanted {
            since,
            follow,
            json,
        })
    } else {
        query(&command, operands, parameter)?
    };
    Ok(Some(found))
}

fn order(words: &[String], reason: Option<String>, until: Option<&str>) -> Result<Order, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_plain = reason.is_none() && until.is_none();
    match words.as_slice() {
        ["on"] => Ok(Order::On {
            reason: reason.unwrap_or_default(),
            until: until.map(end).transpose()?,
        }),
        [] if is_plain => Ok(Order::Show),
        ["off"] if is_plain => Ok(Order::Off),
        [] | ["off"] => Err("ERROR: --reason and --until are for maintenance on.".to_owned()),
        [word, ..] => Err(format!(
            "ERROR: maintenance {word}: write maintenance on, maintenance off, or maintenance alone to see it; a reason of \
             several words belongs in quotes behind --reason."
        )),
    }
}

fn end(text: &str) -> Result<u64, String> {
    let now = clock::wall().as_secs();
    until::end(text, now).ok_or_else(|| {
        format!(
            "ERROR: --until {text}: not a time in the future. Write a duration as in +90m, +2h or +1d12h, or a time as in 18:30 \
             or \"2026-12-01 06:00\", in the time zone of this machine."
        )
    })
}

fn query(command: &str, operands: Vec<String>, parameter: Option<String>) -> Result<Query, String> {
    let mut operands = operands.into_iter();
    let mut operand = || {
        operands
            .next()
            .ok_or_else(|| "Not enough parameters.".to_owned())
    };
    Ok(match command {
        "hbstatus" => Query::Running,
        "listnodes" => Query::Nodes,
        "nodestatus" => Query::NodeStatus(operand()?),
        "nodetype" => Query::NodeKind(operand()?),
        "nodeweight" => Query::NodeWeight(operand()?),
        "nodesite" => Query::NodeSite(operand()?),
        "listhblinks" => Query::Links(operand()?),
        "hblinkstatus" => Query::LinkStatus(operand()?, operand()?),
        "rscstatus" => Query::Holdings,
        "hbparameter" => Query::Parameter(parameter.ok_or("Not enough parameters.")?),
        "incidents" => Query::Incidents,
        "status" => Query::Overview,
        "watch" => Query::Watch,
        "explain" => Query::Explain(operand()?),
        "reboot-safe" => Query::RebootSafe,
        other => return Err(format!("ERROR: {other}: invalid sub-command.")),
    })
}
