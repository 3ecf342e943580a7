//! The three configuration files, and the words of `haresources` that name OCF agents.

use std::io;
use std::path::Path;

use heartbeat::config::{Source, check, load};
use heartbeat::resource::ocf::Agent;

/// Any bytes as `ha.cf`.
pub fn ha_cf(text: &[u8]) {
    check_with("ha.cf", text);
}

/// Any bytes as `authkeys`.
pub fn authkeys(text: &[u8]) {
    check_with("authkeys", text);
}

/// Any bytes as `haresources`.
pub fn haresources(text: &[u8]) {
    check_with("haresources", text);
}

/// Checks a configuration of which `name` is `text` and the rest is good.
fn check_with(name: &str, text: &[u8]) {
    let reader = |path: &Path| -> io::Result<Source> {
        let file = path.file_name().and_then(|file| file.to_str());
        let good: &[u8] = match file {
            Some("ha.cf") => b"serial /dev/ttyS0\nbcast eth0\nauto_failback on\nnode alpha beta\n",
            Some("authkeys") => b"auth 1\n1 sha1 secret\n",
            Some("haresources") => b"alpha 10.0.0.10 apache\n",
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        let text = if file == Some(name) { text } else { good };
        Ok(Source {
            text: text.to_vec(),
            mode: 0o100_600,
        })
    };
    let directory = Path::new("/etc/ha.d");
    let coloured = text.len().is_multiple_of(2);
    let checked = check(directory, "alpha", &reader, &|_| None, coloured);
    let loaded = load(directory, "alpha", &reader);
    assert_eq!(checked.exit_status == 0, loaded.is_ok());
    assert!(!checked.text.is_empty());
    // What is in a file must not give orders to a terminal.
    let is_shown = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
    assert!(
        coloured || checked.text.chars().all(is_shown),
        "{:?}",
        checked.text
    );
}

/// Any word that begins with `ocf:`: what is understood means the same when it is written in the usual way, and its
/// instance can be part of a file name.
pub fn resource_word(input: &[u8]) {
    let root = Path::new("/usr/lib/ocf");
    let Ok(agent) = Agent::read(root, &String::from_utf8_lossy(input)) else {
        return;
    };
    let mut word = format!("ocf:{}:{}", agent.provider, agent.name);
    for (name, value) in &agent.parameters {
        word.extend(["::", name, "=", value]);
    }
    assert_eq!(Agent::read(root, &word).as_ref(), Ok(&agent), "{word}");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    assert!(agent.instance.len() <= 200 && agent.instance.chars().all(is_plain));
    let path = agent.path();
    assert_eq!(path.components().count(), 7, "{}", path.display());
}
