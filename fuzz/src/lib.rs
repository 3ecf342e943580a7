//! What the targets for the three configuration files share.

use std::io;
use std::path::Path;

use heartbeat::config::{Source, check, load};

/// Checks a configuration of which `name` is `text` and the rest is good.
pub fn check_with(name: &str, text: &[u8]) {
    let reader = |path: &Path| -> io::Result<Source> {
        let file = path
            .file_name()
            .and_then(|file| file.to_str())
            .unwrap_or_default();
        let good: &[u8] = match file {
            "ha.cf" => b"serial /dev/ttyS0\nbcast eth0\nauto_failback on\nnode alpha beta\n",
            "authkeys" => b"auth 1\n1 sha1 secret\n",
            "haresources" => b"alpha 10.0.0.10 apache\n",
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        let text = if file == name { text } else { good };
        Ok(Source {
            text: text.to_vec(),
            mode: 0o100_600,
        })
    };
    let directory = Path::new("/etc/ha.d");
    let checked = check(directory, "alpha", &reader, &|_| None, text.len() % 2 == 0);
    let loaded = load(directory, "alpha", &reader);
    assert_eq!(checked.exit_status == 0, loaded.is_ok());
    assert!(!checked.text.is_empty());
}
