//! `--bundle`: what somebody needs who is to help, in one archive, and no password in it.
//!
//! What may be a password is left out of the files, and every word that was left out there is left out everywhere else.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::clock;
use super::archive;
use crate::client;
use crate::config::{Config, redacted};
use crate::control::{Places, Status};
use crate::os::process::host_name;

/// No more of the end of a log than this many bytes.
const MOST_LOG: u64 = 2 * 1024 * 1024;
/// No file of the configuration is longer.
const MOST_FILE: u64 = 4 * 1024 * 1024;
/// A program that takes longer is ended.
const PATIENCE: &str = "20";
/// A shorter secret is left out only where it stands alone, so that no other words are torn.
const LONG: usize = 6;

/// What was found out already.
pub struct Diagnosed<'a> {
    /// In words.
    pub text: String,
    /// As JSON.
    pub json: String,
    /// What the daemon told.
    pub status: Option<&'a Status>,
    /// What the files say, where they are sound.
    pub config: Option<&'a Config>,
}

/// Writes the archive.
///
/// # Errors
/// When that can't be done.
pub fn write(path: &Path, places: &Places, diagnosed: &Diagnosed<'_>) -> io::Result<()> {
    let (mut files, mut secrets) = configuration(places);
    secrets.extend(diagnosed.status.into_iter().flat_map(in_force));
    let secrets = words_to_leave_out(secrets, diagnosed.config);
    let mut add = |name: &str, content: String| files.push((name.to_owned(), content));
    add("doctor.txt", diagnosed.text.clone());
    add("doctor.json", diagnosed.json.clone());
    if let Some(status) = diagnosed.status {
        add("status.json", serde_json::to_string_pretty(status)?);
    }
    match client::incidents(&places.control_socket()) {
        Ok(incidents) => add("incidents.json", serde_json::to_string_pretty(&incidents)?),
        Err(error) => add("incidents.txt", format!("{error}\n")),
    }
    add("versions.txt", versions());
    for (name, program, words) in [
        ("addresses.txt", "ip", &["address", "show"][..]),
        ("links.txt", "ip", &["-s", "link", "show"]),
        ("routes.txt", "ip", &["route", "show", "table", "all"]),
    ] {
        add(name, output(program, words));
    }
    add(
        "journal.txt",
        output(
            "journalctl",
            &[
                "-t",
                "heartbeat",
                "-n",
                "5000",
                "--no-pager",
                "-o",
                "short-iso",
            ],
        ),
    );
    let config = diagnosed.config;
    for (name, log) in [
        (
            "logfile.txt",
            config.and_then(|config| config.logfile.as_deref()),
        ),
        (
            "debugfile.txt",
            config.and_then(|config| config.debugfile.as_deref()),
        ),
    ] {
        if let Some(log) = log {
            add(name, end_of(log));
        }
    }
    let directory = format!(
        "heartbeat-{}",
        host_name().chars().take(40).collect::<String>()
    );
    let clean = files.into_iter().map(|(name, content)| {
        let content = without(&secrets, content);
        (format!("{directory}/{name}"), content.into_bytes())
    });
    archive::write(path, &clean.collect::<Vec<_>>(), clock::wall_seconds())
}

/// The three files, and what was left out of them.
fn configuration(places: &Places) -> (Vec<(String, String)>, BTreeSet<String>) {
    let mut secrets = BTreeSet::new();
    let mut files = Vec::new();
    for name in ["ha.cf", "haresources", "authkeys"] {
        let path = places.configuration.join(name);
        let text = match read(&path) {
            Ok(text) => {
                let redacted = redacted(name, &text);
                secrets.extend(redacted.secrets);
                redacted.text
            }
            Err(error) => format!("{}: {error}\n", path.display()),
        };
        files.push((name.to_owned(), text));
    }
    (files, secrets)
}

/// What the daemon runs with, whatever the files have become since.
fn in_force(status: &Status) -> BTreeSet<String> {
    let groups = status.groups.iter().map(|group| {
        let line = format!("{} {}", group.preferred, group.resources.join(" "));
        redacted("haresources", &line)
    });
    let monitors = status.groups.iter().flat_map(|group| &group.monitors);
    let monitors =
        monitors.map(|monitor| format!("monitor {} {}", monitor.resource, monitor.probe));
    let parameters = status.parameters.iter();
    let parameters = parameters.map(|parameter| format!("{} {}", parameter.name, parameter.value));
    let known = crate::config::DIRECTIVES;
    let lines = monitors.chain(parameters).filter(|line| {
        let name = line.split(' ').next();
        known.iter().any(|directive| Some(directive.name) == name)
    });
    let lines = lines.map(|line| redacted("ha.cf", &line));
    groups
        .chain(lines)
        .flat_map(|shown| shown.secrets)
        .collect()
}

/// The longest first, as they are and as JSON has them; names, addresses and small numbers are no secrets.
fn words_to_leave_out(secrets: BTreeSet<String>, config: Option<&Config>) -> Vec<String> {
    let nodes = config.map_or(&[][..], |config| &config.nodes);
    let is_secret = |word: &String| {
        let is_number = word.len() <= 5 && word.bytes().all(|byte| byte.is_ascii_digit());
        let is_address = word.parse::<std::net::IpAddr>().is_ok();
        !is_number
            && !is_address
            && word.chars().any(char::is_alphanumeric)
            && !nodes.contains(word)
    };
    let quoted = |word: String| {
        let json = serde_json::Value::from(word.as_str()).to_string();
        let json = json.trim_matches('"').to_owned();
        [word, json]
    };
    let all: BTreeSet<String> = secrets
        .into_iter()
        .filter(is_secret)
        .flat_map(quoted)
        .collect();
    let mut all: Vec<String> = all.into_iter().collect();
    all.sort_by_key(|word| std::cmp::Reverse(word.len()));
    all
}

/// Without waiting, should it be a pipe.
fn open(path: &Path) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("not a regular file"))
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    open(path)?.take(MOST_FILE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn end_of(path: &Path) -> String {
    let end = || -> io::Result<Vec<u8>> {
        let mut file = open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MOST_LOG)))?;
        let mut bytes = Vec::new();
        file.take(MOST_LOG).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match end() {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("{}: {error}\n", path.display()),
    }
}

/// What a program says; a word about it where it can't be run.
fn output(program: &str, words: &[&str]) -> String {
    let ran = Command::new("timeout")
        .args([PATIENCE, program])
        .args(words)
        .stdin(Stdio::null())
        .output();
    match ran {
        Ok(ran) => {
            let mut text = String::from_utf8_lossy(&ran.stdout).into_owned();
            text.push_str(&String::from_utf8_lossy(&ran.stderr));
            text
        }
        Err(error) => format!("{program}: {error}\n"),
    }
}

fn versions() -> String {
    let mut text = format!(
        "heartbeat-rs {}, successor of heartbeat {}\n",
        crate::VERSION,
        crate::SUCCEEDS
    );
    text.push_str(&output("uname", &["-a"]));
    text.push_str(&read(Path::new("/etc/os-release")).unwrap_or_default());
    text
}

/// The text without these words, of which the longest come first.
fn without(secrets: &[String], mut text: String) -> String {
    for secret in secrets {
        if secret.len() >= LONG {
            text = text.replace(secret, "*****");
        } else if text.contains(secret) {
            text = without_alone(secret, &text);
        }
    }
    text
}

/// Where it is no part of a longer word.
fn without_alone(secret: &str, text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(secret) {
        clean.push_str(before);
        let is_part =
            clean.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
        clean.push_str(if is_part { secret } else { "*****" });
        rest = after;
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_left_out_everywhere_and_a_short_one_where_it_stands_alone() {
        let secrets = ["top-secret".to_owned(), "lan".to_owned()];
        let text = "lan plan lan: /lan-top-secret-x \"lan\" lane top-secret".to_owned();
        assert_eq!(
            without(&secrets, text),
            "***** plan *****: /*****-*****-x \"*****\" lane *****"
        );
    }

    #[test]
    fn what_the_daemon_still_runs_with_is_left_out_though_the_file_has_it_no_more() {
        let group = serde_json::json!({
            "key": "pg::former", "preferred": "vm3", "resources": ["pg::former", "10.0.0.1"], "local": "running",
            "peer": null, "failback": null, "retry": null, "readiness": null, "peer-ready": null, "rivals": [],
            "monitors": [{"resource": "pg", "probe": "exec=psql --with of-old", "works": null, "failures": 0, "restarts": 0}]
        });
        let status = serde_json::json!({
            "version": "", "heartbeat-as-of": 0, "since": 0, "node": "vm3", "uuid": "", "generation": 1,
            "communicating": true, "holdings": "all", "nodes": [], "groups": [group], "movement": null,
            "parameters": [{"name": "keepalive", "value": "1000ms"}]
        });
        let status: Status = serde_json::from_value(status).expect("a status");
        let words = words_to_leave_out(in_force(&status), None);
        for secret in ["former", "of-old"] {
            assert!(
                words.iter().any(|word| word == secret),
                "{secret}: {words:?}"
            );
        }
        assert!(!words.iter().any(|word| word == "1000ms"), "{words:?}");
    }

    #[test]
    fn no_secret_of_a_machine_without_a_daemon_is_in_its_bundle() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = directory.path().join("log");
        let file = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).expect("a file");
        };
        let ha_cf = format!(
            "node vm3 vm4\nbcast eth0\nlogfile {}\nenv COMMUNITY=of-the-environment\n\
             stonith_host * external/ipmi vm4 10.9.9.9 admin of-the-device lan\n",
            log.display()
        );
        file("ha.cf", &ha_cf);
        file("authkeys", "auth 1\n1 sha1 of-the-keys\n");
        file("haresources", "vm3 pg::of-the-script\n");
        file(
            "log",
            "started pg::of-the-script with of-the-keys\nHA_COMMUNITY=of-the-environment of-the-device vm4\n",
        );
        let places = Places::new(Some(directory.path()));
        let path = directory.path().join("bundle.tar.gz");
        let config = crate::config::load(&places.configuration, "vm3", &|path: &Path| {
            let text = std::fs::read(path)?;
            Ok(crate::config::Source { text, mode: 0o600 })
        });
        let (config, _) = config.expect("a sound one");
        let diagnosed = Diagnosed {
            text: "group pg::of-the-script\n".into(),
            json: "{\"words\":\"pg::of-the-script\"}".into(),
            status: None,
            config: Some(&config),
        };
        write(&path, &places, &diagnosed).expect("written");
        let output = Command::new("tar")
            .arg("-xzOf")
            .arg(&path)
            .output()
            .expect("tar runs");
        let text = String::from_utf8_lossy(&output.stdout);
        for told in [
            "node vm3 vm4",
            "group pg::*****",
            "started pg::***** with *****",
            "***** vm4",
            "heartbeat-rs ",
        ] {
            assert!(text.contains(told), "{told}: {text}");
        }
        for secret in [
            "of-the-environment",
            "of-the-device",
            "of-the-keys",
            "of-the-script",
        ] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}
