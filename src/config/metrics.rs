//! `metrics`: how monitoring gets to see the state of this node.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::directive::{Directive, Statement};
use super::settings::Settings;
use super::source::{Place, Word};
use super::spelling::nearest;
use super::{look, value};

/// The ways there are.
const WAYS: [&str; 3] = ["socket", "textfile", "http"];
/// An address to copy.
const EXAMPLE: &str = "127.0.0.1:9694";
/// How files end that `node_exporter` reads.
const ENDING: &str = "prom";

/// Reads one line.
pub(super) fn metrics(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    let shape = || format!("the line is `metrics {}`", directive.syntax);
    let Some((way, words)) = statement.words.split_first() else {
        return;
    };
    let Some(known) = WAYS.into_iter().find(|known| *known == way.text) else {
        let error = Diagnostic::error(&way.place, format!("no metrics by `{}`", way.text));
        out.push(match nearest(&way.text, WAYS) {
            Some(close) => error.label(format!("did you mean `{close}`?")),
            None => error.label(format!("expected {}", value::alternatives(&WAYS))),
        });
        return;
    };
    let expected = usize::from(known != "socket");
    if words.len() != expected {
        let place = &words.get(expected).unwrap_or(way).place;
        let problem = if words.len() < expected {
            "is incomplete"
        } else {
            "has too many words"
        };
        let error = Diagnostic::error(place, format!("`metrics {known}` {problem}"));
        out.push(error.label(shape()));
        return;
    }
    if let Some((_, first)) = settings
        .metrics_places
        .iter()
        .find(|(way, _)| *way == known)
    {
        let error = Diagnostic::error(&way.place, format!("a second `metrics {known}`"));
        out.push(
            error
                .label("there can be one only")
                .related(first, "the first one"),
        );
        return;
    }
    let place = words.first().map_or(&way.place, |word| &word.place);
    settings.metrics_places.push((known, place.clone()));
    match words.first() {
        None => settings.metrics.socket = true,
        Some(word) if known == "http" => match address(&word.text) {
            Ok(address) => settings.metrics.http = Some(address),
            Err((reason, help)) => out.push(refusal(word, reason, &help)),
        },
        Some(word) => textfile(settings, word, out),
    }
}

fn refusal(word: &Word, reason: &str, help: &str) -> Diagnostic {
    let message = format!("bad value `{}` for `metrics`", word.text);
    Diagnostic::error(&word.place, message)
        .label(reason)
        .help(help)
}

fn textfile(settings: &mut Settings, word: &Word, out: &mut Diagnostics) {
    let path = PathBuf::from(&word.text);
    if !path.is_absolute() || path.file_name().is_none() {
        let help = "for example /var/lib/prometheus/node-exporter/heartbeat.prom";
        out.push(refusal(word, "the full path of a file is expected", help));
        return;
    }
    if path.extension().is_none_or(|ending| ending != ENDING) {
        let warning = Diagnostic::warning(
            &word.place,
            format!("`{}` does not end in `.{ENDING}`", word.text),
        );
        out.push(warning.label("node_exporter reads no other files"));
    }
    settings.metrics.textfile = Some(path);
}

/// An address of the loopback interface with a port. The error is the reason and what to do.
fn address(text: &str) -> Result<SocketAddr, (&'static str, String)> {
    let write = |text: &str| format!("write `metrics http {text}`");
    let Ok(address) = text.parse::<SocketAddr>() else {
        let port = text.rsplit(':').next().unwrap_or_default();
        let is_port = port.parse::<u16>().is_ok_and(|port| port != 0);
        let example = if is_port {
            format!("127.0.0.1:{port}")
        } else {
            EXAMPLE.to_owned()
        };
        return Err(("an address and a port are expected", write(&example)));
    };
    if address.port() == 0 {
        return Err(("the port must not be 0", write(EXAMPLE)));
    }
    if !address.ip().is_loopback() {
        let help = format!(
            "write `metrics http 127.0.0.1:{}`, and have an agent on this machine or a proxy with a password hand it on",
            address.port()
        );
        return Err((
            "only the loopback interface is served: nobody is asked who he is",
            help,
        ));
    }
    Ok(address)
}

/// Tells where the directory of the file is missing.
pub(super) fn check(settings: &Settings, look: look::Look<'_>, out: &mut Diagnostics) {
    let place = |(way, place): &(&str, Place)| (*way == "textfile").then(|| place.clone());
    if let (Some(path), Some(place)) = (
        &settings.metrics.textfile,
        settings.metrics_places.iter().find_map(place),
    ) {
        let subject = look::Subject::Textfile(path);
        out.extend(look::warning(look, subject, &place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_served() {
        for good in ["127.0.0.1:9694", "127.3.2.1:1", "[::1]:9694"] {
            assert_eq!(
                address(good).map(|address| address.to_string()),
                Ok(good.to_owned())
            );
        }
        for (bad, reason, remedy) in [
            (
                "0.0.0.0:9694",
                "only the loopback",
                "`metrics http 127.0.0.1:9694`",
            ),
            (
                "10.0.0.1:80",
                "only the loopback",
                "`metrics http 127.0.0.1:80`",
            ),
            (
                "[::]:9694",
                "only the loopback",
                "`metrics http 127.0.0.1:9694`",
            ),
            // would reach what listens on IPv4, but is not what the kernel calls loopback
            (
                "[::ffff:127.0.0.1]:9694",
                "only the loopback",
                "127.0.0.1:9694",
            ),
            (
                "localhost:9700",
                "an address and a port",
                "`metrics http 127.0.0.1:9700`",
            ),
            (
                ":9700",
                "an address and a port",
                "`metrics http 127.0.0.1:9700`",
            ),
            (
                "9700",
                "an address and a port",
                "`metrics http 127.0.0.1:9700`",
            ),
            ("127.0.0.1", "an address and a port", "127.0.0.1:9694"),
            ("127.0.0.1:0", "must not be 0", "127.0.0.1:9694"),
        ] {
            let (said, help) = address(bad).expect_err(bad);
            assert!(
                said.contains(reason) && help.contains(remedy),
                "{bad}: {said}; {help}"
            );
        }
    }
}
