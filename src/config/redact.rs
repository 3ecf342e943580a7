//! The three files for eyes that may see no password: as they are, line by line, but for whatever may be one.

use std::collections::BTreeSet;

use super::source::is_blank;
use super::table::ALL;
use super::terms::{is_open, monitor_text};
use super::{ResourceWord, secrets};

/// Directives whose words may be passwords, and how many of the words are none. What is hidden is not more than that.
const SECRETIVE: [(&str, usize); 6] = [
    ("stonith_host", 2),
    ("stonith", 2),
    ("env", 0),
    ("respawn", 2),
    ("failfast", 2),
    ("auto_failback", 1),
];

/// A file that may be shown to anybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redacted {
    /// Its lines, as many as there are in the file; what is left out stands as asterisks.
    pub text: String,
    /// The words that were left out: to be left out elsewhere, too.
    pub secrets: BTreeSet<String>,
}

/// What may be shown of one of the three files. Comments may be lines that once counted, and are not shown at all.
pub fn redacted(name: &str, text: &str) -> Redacted {
    let mut out = Redacted::default();
    let mut is_continued = false;
    for line in text.lines() {
        match name {
            "authkeys" => out.authkeys(line),
            "haresources" => {
                out.haresources(line, is_continued);
                is_continued = line.trim_end().ends_with('\\');
            }
            _ => out.ha_cf(line),
        }
        out.text.push('\n');
    }
    out
}

impl Redacted {
    fn hide(&mut self, word: &str) {
        self.text.push_str("*****");
        self.secrets.insert(word.to_owned());
    }

    fn authkeys(&mut self, line: &str) {
        if line.trim_start().starts_with('#') {
            self.text.push('#');
            return;
        }
        let shown = secrets::without_key(line);
        for (word, there) in line.split(is_blank).zip(shown.split(is_blank)) {
            if word != there {
                self.secrets.insert(word.to_owned());
            }
        }
        self.text.push_str(&shown);
    }

    fn ha_cf(&mut self, line: &str) {
        let line = without_comment(line);
        let words: Vec<&str> = line
            .split(is_blank)
            .filter(|word| !word.is_empty())
            .collect();
        let Some((name, rest)) = words.split_first() else {
            return;
        };
        let is_known = ALL.iter().any(|directive| directive.name == *name);
        let secretive = SECRETIVE.iter().find(|(secretive, _)| secretive == name);
        let open = match secretive {
            Some((_, open)) => *open,
            None if is_known => usize::MAX,
            None => 0, // perhaps a line whose first word is misspelt
        };
        self.text.push_str(name);
        if *name == "monitor" {
            let text = rest.join(" ");
            let shown = monitor_text(&text, false);
            let left_out = rest.iter().filter(|word| !shown.contains(**word));
            self.secrets.extend(left_out.flat_map(|word| parts(word)));
            self.text.push(' ');
            self.text.push_str(&shown);
            return;
        }
        for (word, place) in rest.iter().zip(0_usize..) {
            self.text.push(' ');
            if place < open {
                self.text.push_str(word);
            } else {
                self.hide(word);
                self.secrets.extend(parts(word));
            }
        }
    }

    fn haresources(&mut self, line: &str, is_continued: bool) {
        let line = without_comment(line);
        let words = line.split(is_blank).filter(|word| !word.is_empty());
        for (word, place) in words.zip(0_usize..) {
            if place > 0 {
                self.text.push(' ');
            }
            if word == "\\" || (place == 0 && !is_continued) {
                self.text.push_str(word);
                continue;
            }
            self.resource(word);
        }
    }

    fn resource(&mut self, word: &str) {
        let (word, end) = match word.strip_suffix('\\') {
            Some(word) => (word, "\\"),
            None => (word, ""),
        };
        let resource = ResourceWord::new(word);
        let hidden: Vec<&String> = resource
            .arguments
            .iter()
            .filter(|argument| !is_open(&resource, argument))
            .collect();
        if hidden.is_empty() {
            self.text.push_str(word);
        } else {
            self.text.push_str(&resource.name);
            for argument in &resource.arguments {
                self.text.push_str("::");
                if hidden.contains(&argument) {
                    self.hide(argument);
                    self.secrets.extend(parts(argument));
                } else {
                    self.text.push_str(argument);
                }
            }
        }
        self.text.push_str(end);
    }
}

/// What stands before a `#`.
fn without_comment(line: &str) -> &str {
    line.split_once('#').map_or(line, |(before, _)| before)
}

/// What stands behind `=`, and between the signs of an address: the words that a log may name alone.
fn parts(word: &str) -> Vec<String> {
    let values = word
        .split([',', ';', '&', '?', '"', '\''])
        .filter_map(|part| {
            let (_, value) = part.split_once('=')?;
            Some(value)
        });
    let user = word.split_once("://").and_then(|(_, rest)| {
        let (user, _) = rest.split_once('@')?;
        user.split_once(':').map(|(_, password)| password)
    });
    let all = values.chain(user).chain([word]);
    let all = all.filter(|part| !part.is_empty());
    all.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_places_and_what_may_be_a_password_is_gone() {
        let ha_cf = "# stonith_host * x vm4 old-secret\nnode vm3 vm4\n\nkeepalive 1 # not-this\n\
            stonith_host * external/ipmi vm4 10.0.0.1 admin s3cret lan\nstonith_hots * external/ipmi typed-wrong\n\
            env PASSWORD=of-the-environment\nrespawn root /usr/bin/watch --token abcdef\nserial /dev/ttyS0\n\
            monitor pg every=5s exec=/usr/bin/psql --password of-the-monitor\n\
            auto_failback when /usr/bin/may --key of-the-command\n";
        let shown = redacted("ha.cf", ha_cf);
        let expected = "\nnode vm3 vm4\n\nkeepalive 1\n\
            stonith_host * external/ipmi ***** ***** ***** ***** *****\nstonith_hots ***** ***** *****\n\
            env *****\nrespawn root /usr/bin/watch ***** *****\nserial /dev/ttyS0\n";
        assert!(shown.text.starts_with(expected), "{}", shown.text);
        assert_eq!(shown.text.lines().count(), ha_cf.lines().count());
        for secret in [
            "old-secret",
            "not-this",
            "s3cret",
            "typed-wrong",
            "of-the-environment",
            "abcdef",
            "of-the-monitor",
            "of-the-command",
        ] {
            assert!(!shown.text.contains(secret), "{secret}: {}", shown.text);
        }
        for secret in [
            "s3cret",
            "of-the-environment",
            "abcdef",
            "of-the-monitor",
            "of-the-command",
        ] {
            assert!(
                shown.secrets.contains(secret),
                "{secret}: {:?}",
                shown.secrets
            );
        }
    }

    #[test]
    fn keys_and_arguments_are_gone_and_resources_are_still_told_apart() {
        let shown = redacted(
            "authkeys",
            "auth 1\n# 2 sha1 former-key\n1 sha1 the-key of-the-pair\n",
        );
        assert_eq!(shown.text.lines().next(), Some("auth 1"));
        assert_eq!(shown.text.lines().nth(1), Some("#"));
        for secret in ["former-key", "the-key", "of-the-pair"] {
            assert!(!shown.text.contains(secret), "{}", shown.text);
        }
        assert!(shown.secrets.contains("the-key"));
        let shown = redacted(
            "haresources",
            "vm3 10.0.0.1/24/eth0 pg::main-password \\\n  web::p4ss Filesystem:://nas/x::/srv::cifs::user=a,password=pw # x\n",
        );
        assert_eq!(
            shown.text,
            "vm3 10.0.0.1/24/eth0 pg::***** \\\nweb::***** Filesystem:://nas/x::/srv::cifs::*****\n"
        );
        for secret in ["main-password", "p4ss", "pw"] {
            assert!(
                shown.secrets.contains(secret),
                "{secret}: {:?}",
                shown.secrets
            );
        }
    }
}
