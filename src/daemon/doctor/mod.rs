//! `heartbeat doctor`: whether a pair is sound, as far as one node can tell: from its files, from what its daemon tells, and
//! by asking the network. It changes nothing, and looks without a daemon at what can be seen without one.

mod addresses;
mod archive;
mod bundle;
mod finding;
mod groups;
mod judge;
mod network;
mod options;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::net::IpAddr;

use serde::Serialize;

use super::disk::{Disk, load_here};
use super::look;
use super::terminal::say;
use crate::client;
use crate::config::{self, AddressSpec, Config, ResourceWord, parse_address};
use crate::control::{Places, Status};
use crate::os::process::host_name;
use crate::resource::catalogue;
use addresses::{Owner, Peer};
use bundle::Diagnosed;
use finding::{Finding, Verdict};

pub use options::{Options, parse};

/// Everything is sound.
const SOUND: u8 = 0;
/// There are warnings.
const WARNINGS: u8 = 1;
/// There are problems.
const PROBLEMS: u8 = 2;
/// Something could not be looked at, and nothing else is a problem.
const UNKNOWN: u8 = 3;

/// Looks at everything; gives back the exit status.
pub fn run(options: &Options, places: &Places) -> u8 {
    let (diagnosis, status, config) = Diagnosis::make(places);
    let text = if options.json {
        diagnosis.json()
    } else {
        diagnosis.text()
    };
    let _ = std::io::stdout().write_all(text.as_bytes()); // whoever listened is gone
    let Some(path) = &options.bundle else {
        return diagnosis.exit_status();
    };
    let diagnosed = Diagnosed {
        text: diagnosis.text(),
        json: diagnosis.json(),
        status: status.as_ref(),
        config: config.as_ref(),
    };
    let shown = path.display();
    match bundle::write(path, places, &diagnosed) {
        Ok(()) => {
            say(&format!(
                "{shown} is for whoever helps you. Passwords were left out as far as they can be told; look into it before \
                 you give it away\n"
            ));
            diagnosis.exit_status()
        }
        Err(error) => {
            say(&format!(
                "heartbeat doctor: cannot write {shown}: {error}\n"
            ));
            UNKNOWN
        }
    }
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Diagnosis {
    verdict: Verdict,
    findings: Vec<Finding>,
}

impl Diagnosis {
    fn make(places: &Places) -> (Self, Option<Status>, Option<Config>) {
        let mut findings = Vec::new();
        let config = check(places, &mut findings);
        let socket = places.control_socket();
        let status = client::status(&socket);
        match &status {
            Ok(status) => {
                let peer = peer_of(status);
                findings.extend(judge::judge(status));
                findings.extend(groups::judge(status, peer));
                match client::incidents(&socket) {
                    Ok(all) => findings.push(judge::incidents(&all, status.heartbeat_as_of)),
                    Err(error) => {
                        findings.push(Finding::unknown("incidents", error.to_string(), ""));
                    }
                }
            }
            Err(error) => findings.insert(0, no_daemon(error)),
        }
        let status = status.ok();
        findings.extend(floating(status.as_ref(), config.as_ref()));
        (Self::of(findings), status, config)
    }

    fn of(findings: Vec<Finding>) -> Self {
        let verdicts = findings.iter().map(|finding| finding.verdict);
        Self {
            verdict: verdicts.max().unwrap_or(Verdict::Unknown),
            findings,
        }
    }

    fn exit_status(&self) -> u8 {
        match self.verdict {
            Verdict::Ok => SOUND,
            Verdict::Warning => WARNINGS,
            Verdict::Unknown => UNKNOWN,
            Verdict::Problem => PROBLEMS,
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let verdict = match finding.verdict {
                Verdict::Ok => "ok",
                Verdict::Warning => "WARNING",
                Verdict::Unknown => "unknown",
                Verdict::Problem => "PROBLEM",
            };
            // Writing into a string can't fail.
            let _ = writeln!(text, "{verdict:8} {}: {}", finding.item, finding.words);
            if !finding.cure.is_empty() {
                let _ = writeln!(text, "         -> {}", finding.cure);
            }
        }
        let _ = writeln!(text, "{}", self.summary());
        text
    }

    fn summary(&self) -> String {
        let count = |verdict| {
            let all = self.findings.iter();
            all.filter(|finding| finding.verdict == verdict).count()
        };
        let counts = [
            (count(Verdict::Problem), "problem(s)"),
            (count(Verdict::Warning), "warning(s)"),
            (
                count(Verdict::Unknown),
                "thing(s) that could not be looked at",
            ),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = counts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if words.is_empty() {
            "Everything that was looked at is sound.".into()
        } else {
            words.join(", ")
        }
    }

    fn json(&self) -> String {
        // Plain text and lists: nothing that JSON could not hold.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }
}

/// The files on the disk, as `heartbeat check` sees them.
fn check(places: &Places, findings: &mut Vec<Finding>) -> Option<Config> {
    let resources = catalogue::Places::new(&places.configuration);
    let look = |subject: config::Subject<'_>| look::look(&resources, subject);
    let checked = config::check(
        &places.configuration,
        &host_name(),
        &Disk::default(),
        &look,
        false,
    );
    let item = "configuration";
    let summary = checked.text.lines().last().unwrap_or_default().to_owned();
    let cure = "`heartbeat check` shows where, and what would be right";
    match checked.exit_status {
        0 if summary.contains("warning") => findings.push(Finding::warning(item, summary, cure)),
        0 => findings.push(Finding::ok(item, summary)),
        super::exit_status::PERMISSION => {
            findings.push(Finding::unknown(item, summary, "run this as root"));
        }
        _ => findings.push(Finding::problem(item, summary, cure)),
    }
    load_here(places, &Disk::default())
        .ok()
        .map(|(config, _)| config)
}

fn no_daemon(error: &client::Error) -> Finding {
    let item = "daemon";
    match error {
        client::Error::Stopped(_) => Finding::problem(
            item,
            error.to_string(),
            "`systemctl start heartbeat`, or `service heartbeat start`; what is said here without it is little",
        ),
        client::Error::Silent => {
            Finding::problem(item, error.to_string(), "its log says what it waits for")
        }
        _ => Finding::unknown(item, error.to_string(), "run this as root"),
    }
}

fn peer_of(status: &Status) -> &str {
    let mut normal = status.nodes.iter().filter(|node| node.kind == "normal");
    let peer = normal.find(|node| node.name != status.node);
    peer.map_or("the other node", |peer| &peer.name)
}

/// Who has the floating addresses: of what the daemon runs with, or without one, of the files.
fn floating(status: Option<&Status>, config: Option<&Config>) -> Vec<Finding> {
    let mut owners: BTreeMap<IpAddr, (AddressSpec, Owner)> = BTreeMap::new();
    let mut add = |word: &ResourceWord, owner| {
        if let Some(Ok(spec)) = parse_address(word) {
            owners.insert(spec.address, (spec, owner));
        }
    };
    if let Some(status) = status {
        for group in &status.groups {
            for word in &group.resources {
                add(&ResourceWord::new(word), groups::owner(group));
            }
        }
    } else {
        let groups = config.iter().flat_map(|config| &config.groups);
        for word in groups.flat_map(|group| &group.resources) {
            add(word, Owner::Unsettled);
        }
    }
    let peer = Peer {
        name: status.map_or("the other node", peer_of),
        ethernet: status.map_or(&[][..], |status| &status.peer_ethernet),
    };
    let specs: Vec<AddressSpec> = owners.values().map(|(spec, _)| spec.clone()).collect();
    let seen = network::look(&specs);
    let judged = seen.iter().filter_map(|one| {
        let (_, owner) = owners.get(&one.address)?;
        Some(addresses::judge(one, *owner, peer))
    });
    judged.collect()
}

#[cfg(test)]
mod tests;
