//! `ResourceManager`: what people and old scripts ask of it. It shows keys and asks resources by itself; what moves a
//! group goes through the daemon, because nobody else knows what the other node has.

mod ask;
mod plan;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;

use super::{Error, moves};
use crate::config::{self, Config, Group, ResourceWord, Source};
use crate::control::{Direction, Places};
use crate::os::process::host_name;
use crate::resource::Standing;
use ask::Machine;
use plan::{Plan, plan};

/// It is so, or it is done.
pub const DONE: u8 = 0;
/// Wrong words, or a configuration that can't be read.
pub const USAGE: u8 = 1;
/// `status`: the resource does not run here.
pub const STOPPED: u8 = 3;
/// `status`: nobody can tell.
pub const UNKNOWN: u8 = 4;

/// No configuration file is longer.
const MAX_FILE: u64 = 4 * 1024 * 1024;
/// `verifyallidle` counts no further: higher exit statuses mean something else to a shell.
const MOST_ACTIVE: usize = 100;

const HELP: &str = "\
usage: ResourceManager [-C DIR] COMMAND
  listkeys NODE       the first resource of each group that prefers NODE; .* for both nodes
  allkeys             the same for both nodes
  ourkeys, otherkeys  the groups that prefer this node, or the other one, with all their resources
  status RESOURCE     whether it runs here: exit status 0, or 3 if it does not
  statgroup KEY       whether ALL, SOME or NONE of a group runs here
  verifyallidle       exit status: how many groups have a first resource that runs here
  takegroup KEY       have the other node give a group to this one
  givegroup KEY       give a group to the other node
takegroup and givegroup are planned moves like those of hb_takeover and hb_standby, and need a running heartbeat.
";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verb {
    Help,
    Keys(Keys),
    Status(String),
    Group(String),
    VerifyAllIdle,
    Move(Direction, String),
}

/// Which groups to name, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Keys {
    /// The keys of one node.
    Of(String),
    All,
    /// Everything of this node.
    Ours,
    /// Everything of the other node.
    Others,
}

/// Runs the command with the words that follow its name; gives back the exit status.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    match parse(words) {
        Ok((Verb::Help, _)) => {
            say(HELP);
            DONE
        }
        Ok((verb, directory)) => {
            let places = Places::new(directory.as_deref());
            carry_out(&verb, &places)
        }
        Err(error) => {
            warn(&format!("{error}\n{HELP}"));
            USAGE
        }
    }
}

fn parse(words: impl IntoIterator<Item = OsString>) -> Result<(Verb, Option<PathBuf>), String> {
    let text = |error: lexopt::Error| error.to_string();
    let mut parser = lexopt::Parser::from_args(words);
    let mut directory = None;
    let mut values = Vec::new();
    while let Some(argument) = parser.next().map_err(text)? {
        match argument {
            Short('h') | Long("help") => return Ok((Verb::Help, None)),
            Short('C') => directory = Some(parser.value().map_err(text)?.into()),
            Value(value) => values.push(value.to_string_lossy().into_owned()),
            other => return Err(text(other.unexpected())),
        }
    }
    let mut values = values.into_iter();
    let verb = values.next().ok_or("a command is missing")?;
    let argument = values.next();
    if values.next().is_some() {
        return Err(format!("too many words after {verb}"));
    }
    let needed = || {
        let argument = argument.clone().filter(|argument| !argument.is_empty());
        argument.ok_or_else(|| format!("a word is missing after {verb}"))
    };
    let verb = match verb.as_str() {
        "help" => Verb::Help,
        "listkeys" => Verb::Keys(Keys::Of(needed()?)),
        "allkeys" => Verb::Keys(Keys::All),
        "ourkeys" => Verb::Keys(Keys::Ours),
        "otherkeys" => Verb::Keys(Keys::Others),
        "status" => Verb::Status(needed()?),
        "statgroup" => Verb::Group(needed()?),
        "verifyallidle" => Verb::VerifyAllIdle,
        "takegroup" => Verb::Move(Direction::Takeover, needed()?),
        "givegroup" => Verb::Move(Direction::Standby, needed()?),
        other => return Err(format!("unknown command {other}")),
    };
    Ok((verb, directory))
}

fn carry_out(verb: &Verb, places: &Places) -> u8 {
    if let Verb::Move(direction, key) = verb {
        return move_group(*direction, key, places);
    }
    let config = match load(&places.configuration) {
        Ok(config) => config,
        Err(error) => {
            warn(&format!("ResourceManager: {error}\n"));
            return USAGE;
        }
    };
    match verb {
        Verb::Keys(keys) => {
            say(&shown(&config, keys));
            DONE
        }
        Verb::Status(resource) => {
            let word = ResourceWord::new(resource);
            match Machine::new(&config).standing(&word) {
                Ok(Standing::Running) => DONE,
                Ok(Standing::Stopped | Standing::Silent) => STOPPED,
                Ok(Standing::Unknown) => {
                    warn(&format!(
                        "ResourceManager: nobody can tell whether {resource} runs\n"
                    ));
                    UNKNOWN
                }
                Err(error) => {
                    warn(&format!("ResourceManager: {error}\n"));
                    STOPPED
                }
            }
        }
        Verb::Group(key) => state_of_group(&config, key),
        Verb::VerifyAllIdle => active_groups(&config),
        Verb::Help | Verb::Move(..) => DONE, // both are done
    }
}

/// What `haresources` says, whatever is in `authkeys`, which not everybody may read.
fn load(directory: &Path) -> Result<Config, String> {
    let read = |path: &Path| {
        if path.file_name().is_some_and(|name| name == "authkeys") {
            return Ok(Source {
                text: b"auth 1\n1 crc\n".to_vec(),
                mode: 0o600,
            });
        }
        let file = fs::File::open(path)?;
        let mode = file.metadata()?.permissions().mode();
        let mut text = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut text)?;
        Ok::<_, io::Error>(Source { text, mode })
    };
    match config::load(directory, &host_name(), &read) {
        Ok((config, _)) => Ok(config),
        Err(diagnostics) => {
            let (shown, _) = diagnostics.shown();
            let errors = shown
                .filter(|diagnostic| diagnostic.severity == config::Severity::Error)
                .map(config::Diagnostic::one_line);
            Err(errors.collect::<Vec<_>>().join("\nResourceManager: "))
        }
    }
}

/// One line for each group.
fn shown(config: &Config, keys: &Keys) -> String {
    let is_meant = |group: &&Group| match keys {
        Keys::All => true,
        Keys::Of(node) => node == ".*" || node.to_lowercase() == group.preferred,
        Keys::Ours => group.preferred == config.local_node,
        Keys::Others => group.preferred != config.local_node,
    };
    let line = |group: &Group| match keys {
        Keys::All | Keys::Of(_) => format!("{}\n", group.key()),
        Keys::Ours | Keys::Others => {
            let words: Vec<_> = group
                .resources
                .iter()
                .map(|word| word.text.as_str())
                .collect();
            format!("{}\n", words.join(" "))
        }
    };
    config.groups.iter().filter(is_meant).map(line).collect()
}

fn state_of_group(config: &Config, key: &str) -> u8 {
    let Some(group) = config.groups.iter().find(|group| group.key() == key) else {
        warn(&format!("ResourceManager: {}\n", plan::no_group(key)));
        return USAGE;
    };
    let machine = Machine::new(config);
    let standings = group.resources.iter().map(|word| machine.standing(word));
    let active = standings.filter(|standing| matches!(standing, Ok(Standing::Running)));
    say(match active.count() {
        0 => "NONE\n",
        count if count == group.resources.len() => "ALL\n",
        _ => "SOME\n",
    });
    DONE
}

/// What can't be asked may run, and counts.
fn active_groups(config: &Config) -> u8 {
    let machine = Machine::new(config);
    let mut active: usize = 0;
    for word in config
        .groups
        .iter()
        .filter_map(|group| group.resources.first())
    {
        let text = &word.text;
        match machine.standing(word) {
            Ok(Standing::Running) => {
                warn(&format!(
                    "CRITICAL: Resource {text} is active, and should not be!\n"
                ));
            }
            Ok(Standing::Unknown) => {
                warn(&format!(
                    "CRITICAL: Nobody can tell whether resource {text} is active.\n"
                ));
            }
            Ok(Standing::Stopped | Standing::Silent) | Err(_) => continue,
        }
        active = active.saturating_add(1);
    }
    u8::try_from(active.min(MOST_ACTIVE)).unwrap_or(u8::MAX)
}

fn move_group(direction: Direction, key: &str, places: &Places) -> u8 {
    let status = match super::status(&places.control_socket()) {
        Ok(status) => status,
        Err(Error::Stopped(error)) => {
            warn(&format!(
                "ResourceManager: no heartbeat runs here ({error}), so nobody knows what the other node has: nothing \
                 is done. Start heartbeat; it starts what belongs here\n"
            ));
            return moves::STOPPED;
        }
        Err(error) => {
            warn(&format!("ResourceManager: {error}\n"));
            return moves::REFUSED;
        }
    };
    match plan(direction, key, &status) {
        Plan::Nothing => DONE,
        Plan::Refuse(reason) => {
            warn(&format!("ResourceManager: refused: {reason}\n"));
            moves::REFUSED
        }
        Plan::Move(selection) => {
            moves::move_and_wait("ResourceManager", direction, selection, places)
        }
    }
}

/// A reader that went away needs nothing more.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn warn(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<(Verb, Option<PathBuf>), String> {
        parse(words.iter().map(OsString::from))
    }

    #[test]
    fn the_words_of_3_0_6_are_understood() {
        let key = || "IPaddr::10.0.0.9/24/eth0".to_owned();
        for (words, verb) in [
            (&["listkeys", "vm3"][..], Verb::Keys(Keys::Of("vm3".into()))),
            (&["allkeys"], Verb::Keys(Keys::All)),
            (&["ourkeys"], Verb::Keys(Keys::Ours)),
            (&["otherkeys"], Verb::Keys(Keys::Others)),
            (&["status", "IPaddr::10.0.0.9/24/eth0"], Verb::Status(key())),
            (
                &["statgroup", "IPaddr::10.0.0.9/24/eth0"],
                Verb::Group(key()),
            ),
            (&["verifyallidle"], Verb::VerifyAllIdle),
            (
                &["takegroup", "IPaddr::10.0.0.9/24/eth0"],
                Verb::Move(Direction::Takeover, key()),
            ),
            (
                &["givegroup", "IPaddr::10.0.0.9/24/eth0"],
                Verb::Move(Direction::Standby, key()),
            ),
            (&["--help"], Verb::Help),
        ] {
            assert_eq!(parsed(words), Ok((verb, None)), "{words:?}");
        }
        let (_, directory) = parsed(&["-C", "/srv/pair", "allkeys"]).expect("understood");
        assert_eq!(directory, Some(PathBuf::from("/srv/pair")));
    }

    #[test]
    fn other_words_are_not() {
        for words in [
            &[][..],
            &["listkeys"],
            &["status", ""],
            &["takegroup"],
            &["givegroup", "a", "b"],
            &["start"],
            &["-x"],
            &["-C"],
        ] {
            assert!(parsed(words).is_err(), "{words:?}");
        }
    }
}
