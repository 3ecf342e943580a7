//! What a child of the daemon is given to send an alert: its words and what it reads.

use std::path::PathBuf;

use serde::Serialize;

use super::alert::Alert;
use crate::config::AlertWay;
use crate::resource::Invocation;

/// How much of a text is sent, in bytes: whatever is escaped in it, all fits into one page of memory.
const LONGEST_TEXT: usize = 560;
const LONGEST_SUBJECT: usize = 80;
/// After so many seconds curl gives up by itself, and says why.
const CURL_LIMIT: &str = "20";

/// An alert as it is sent.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Letter {
    /// Of this form.
    version: u8,
    kind: &'static str,
    /// In lower case: `info`, `warn`, `error`, `crit`, …
    severity: String,
    node: String,
    peer: String,
    subject: Option<String>,
    text: String,
    /// Seconds since 1970.
    time: u64,
}

/// A child to be run.
#[derive(Debug)]
pub struct Errand {
    /// What it is.
    pub invocation: Invocation,
    /// What it reads.
    pub input: Vec<u8>,
}

impl Letter {
    /// An alert of this node at a time.
    pub fn new(alert: &Alert, node: &str, peer: &str, time: u64) -> Self {
        let subject = alert.subject.as_deref();
        Self {
            version: 1,
            kind: alert.kind.word(),
            severity: alert.severity.word().to_lowercase(),
            node: plain(node, LONGEST_SUBJECT),
            peer: plain(peer, LONGEST_SUBJECT),
            subject: subject.map(|text| plain(text, LONGEST_SUBJECT)),
            text: plain(&alert.text, LONGEST_TEXT),
            time,
        }
    }

    /// The child that sends it on its way.
    pub fn errand(&self, way: &AlertWay) -> Errand {
        let program = way.program().to_owned();
        let json = serde_json::to_string(self).unwrap_or_default();
        match way {
            AlertWay::Mail { address } => Errand {
                // -i: a line with nothing but a dot does not end it. No address begins with a dash.
                invocation: Invocation::new(program, vec!["-i".to_owned(), address.clone()]),
                input: self.mail(address).into_bytes(),
            },
            AlertWay::Webhook { url } => Errand {
                // All on its input: a command line is there for everybody to read, and such URLs hold secrets.
                invocation: Invocation::new(program, vec!["--config".to_owned(), "-".to_owned()]),
                input: curl_configuration(url, &json).into_bytes(),
            },
            AlertWay::Command { program, line } => {
                // A shell begins it, as with `respawn`: arguments may hold quotes and variables.
                let arguments = vec!["-c".to_owned(), format!("exec {line}")];
                let invocation = Invocation::new(PathBuf::from("/bin/sh"), arguments)
                    .with(self.variables())
                    .told_as(program, std::iter::empty());
                let input = (json + "\n").into_bytes();
                Errand { invocation, input }
            }
        }
    }

    fn variables(&self) -> Vec<(String, String)> {
        let subject = self.subject.clone().unwrap_or_default();
        [
            ("KIND", self.kind.to_owned()),
            ("SEVERITY", self.severity.clone()),
            ("NODE", self.node.clone()),
            ("PEER", self.peer.clone()),
            ("SUBJECT", subject),
            ("TEXT", self.text.clone()),
            ("TIME", self.time.to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (format!("HA_ALERT_{name}"), value))
        .collect()
    }

    fn mail(&self, address: &str) -> String {
        let Self {
            kind,
            severity,
            node,
            peer,
            text,
            time,
            ..
        } = self;
        let about = match &self.subject {
            Some(subject) => format!(" {subject}"),
            None => String::new(),
        };
        // The head has ASCII only.
        let title: String = format!("[heartbeat] {node}: {kind}{about}")
            .chars()
            .map(|character| if character.is_ascii() { character } else { '?' })
            .collect();
        format!(
            "To: {address}\nSubject: {title}\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\
             {text}\n\nseverity: {severity}\nnode: {node}\nother node: {peer}\nkind: {kind}\n\
             seconds since 1970: {time}\n"
        )
    }
}

/// Without control characters, and no longer than this many bytes.
fn plain(text: &str, longest: usize) -> String {
    let mut plain = String::new();
    for character in text.chars() {
        let character = if character.is_control() {
            ' '
        } else {
            character
        };
        if plain.len() + character.len_utf8() > longest {
            plain.push('…');
            break;
        }
        plain.push(character);
    }
    plain
}

/// A redirection is not followed: it would carry the alert to where nobody has sent it.
fn curl_configuration(url: &str, json: &str) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "silent\nshow-error\nfail\nproto = \"=http,https\"\nmax-time = {CURL_LIMIT}\noutput = \"/dev/null\"\n\
         globoff\nurl = \"{}\"\nheader = \"Content-Type: application/json\"\ndata-raw = \"{}\"\n",
        quoted(url),
        quoted(json)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Severity;
    use crate::daemon::alerts::alert::Kind;

    fn letter(text: &str) -> Letter {
        let alert = Alert {
            kind: Kind::LinkDead,
            severity: Severity::Warn,
            subject: Some("eth\u{e9}\n0".to_owned()),
            text: text.to_owned(),
        };
        Letter::new(&alert, "alpha", "beta", 1_800_000_000)
    }

    fn input(way: &AlertWay, text: &str) -> String {
        String::from_utf8(letter(text).errand(way).input).expect("text")
    }

    fn webhook() -> AlertWay {
        AlertWay::Webhook {
            url: "https://h.example/s?a=\"b\\".to_owned(),
        }
    }

    #[test]
    fn a_command_reads_what_is_documented() {
        let way = AlertWay::Command {
            program: "/bin/tell".into(),
            line: "/bin/tell 'two words' $HA_ALERT_KIND".to_owned(),
        };
        let errand = letter("Link \"a\" dead.").errand(&way);
        assert_eq!(
            String::from_utf8_lossy(&errand.input),
            "{\"version\":1,\"kind\":\"link-dead\",\"severity\":\"warn\",\"node\":\"alpha\",\"peer\":\"beta\",\
             \"subject\":\"eth\u{e9} 0\",\"text\":\"Link \\\"a\\\" dead.\",\"time\":1800000000}\n"
        );
        let kind = ("HA_ALERT_KIND".to_owned(), "link-dead".to_owned());
        assert!(errand.invocation.environment.contains(&kind));
        assert_eq!(errand.invocation.program, PathBuf::from("/bin/sh"));
    }

    #[test]
    fn a_letter_has_a_head_that_nothing_can_break() {
        let way = AlertWay::Mail {
            address: "ops@example.org".to_owned(),
        };
        let text = input(&way, "one\ntwo\u{7f}");
        let (head, body) = text.split_once("\n\n").expect("a head");
        assert!(head.is_ascii(), "{head}");
        assert!(
            head.contains("\nSubject: [heartbeat] alpha: link-dead eth? 0\n"),
            "{head}"
        );
        assert!(body.starts_with("one two \n"), "{body}");
    }

    #[test]
    fn the_secret_of_a_webhook_is_on_no_command_line() {
        let errand = letter("x").errand(&webhook());
        assert_eq!(errand.invocation.arguments, ["--config", "-"]);
        let text = String::from_utf8_lossy(&errand.input).into_owned();
        assert!(
            text.contains("url = \"https://h.example/s?a=\\\"b\\\\\"\n"),
            "{text}"
        );
        assert!(text.contains("data-raw = \"{\\\"version\\\":1,"), "{text}");
    }

    #[test]
    fn however_long_and_odd_a_text_is_it_fits_into_a_page() {
        let url = format!("http://{}", "\"".repeat(500));
        let ways = [
            AlertWay::Webhook { url },
            AlertWay::Mail {
                address: "a".repeat(512),
            },
        ];
        for text in [
            "\\".repeat(9999),
            "\"".repeat(9999),
            "\u{1f600}".repeat(9999),
            "\u{1}".repeat(9999),
        ] {
            for way in &ways {
                let mut alert = letter("").clone();
                alert.text = plain(&text, LONGEST_TEXT);
                alert.subject = Some(plain(&text, LONGEST_SUBJECT));
                let length = alert.errand(way).input.len();
                assert!(length <= 4096, "{length}");
            }
        }
    }
}
