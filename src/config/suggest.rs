//! The directive that a wrong first word was meant to be.

use super::directive::Directive;
use super::source::Word;
use super::spelling::nearest;
use super::table;

/// What to say about a first word that is no directive.
#[derive(Debug)]
pub(super) struct Advice {
    pub(super) label: String,
    pub(super) help: Option<&'static str>,
    /// The directive that is meant, as far as one can tell.
    pub(super) meant: Option<&'static Directive>,
}

/// What may be meant by a first word that is no directive; `rest` is what follows it.
pub(super) fn unknown_directive(word: &Word, rest: &str) -> Advice {
    let text = word.text.as_str();
    let plain = |label: &str, help| Advice {
        label: label.to_owned(),
        help,
        meant: None,
    };
    let meant = |directive: &'static Directive, value: &str, help| {
        let line = [directive.name, value, rest]
            .into_iter()
            .filter(|part| !part.is_empty());
        let line = line.collect::<Vec<_>>().join(" ");
        Advice {
            label: format!("did you mean `{line}`?"),
            help,
            meant: Some(directive),
        }
    };
    if text.starts_with("//") || text.starts_with(';') || text.starts_with("/*") {
        return plain("not a comment", Some("comments begin with `#`"));
    }
    if let Some(directive) = table::find(&text.to_ascii_lowercase()) {
        let label = format!("did you mean `{}`?", directive.name);
        let help = Some("directives are written in lower case");
        return Advice {
            label,
            help,
            meant: Some(directive),
        };
    }
    let names = table::ALL.iter().map(|directive| directive.name);
    let near = nearest(text, names).and_then(table::find);
    let glued = glued(text);
    // Two words without a blank and one word with a slip: only a digit or a sign decides.
    let glued = glued.filter(|(_, value)| {
        near.is_none() || !value.starts_with(|c: char| c.is_ascii_alphabetic())
    });
    if let Some((directive, value)) = glued {
        let help = "a blank stands between a directive and its value, and nothing else";
        return meant(directive, value, Some(help));
    }
    if text.to_ascii_lowercase().starts_with("auth") && !text.contains('_') {
        return plain("lines about keys belong into `authkeys`", None);
    }
    match near {
        Some(directive) => {
            let label = format!("did you mean `{}`?", directive.name);
            Advice {
                label,
                help: None,
                meant: Some(directive),
            }
        }
        None => plain(
            "no directive of this name",
            Some("ha.cf(5) lists all directives"),
        ),
    }
}

/// A directive whose value lost the blank in front of it: `Debugfile/var/log/ha-debug`, `nodevm3`.
fn glued(text: &str) -> Option<(&'static Directive, &str)> {
    let found = table::ALL.iter().filter_map(|directive| {
        let (name, rest) = text.split_at_checked(directive.name.len())?;
        let value = rest.trim_start_matches([',', '=', ':']);
        // A letter or two may as well be a slip of the finger: `nodes` is no `node s`.
        let sure =
            rest.starts_with(|c: char| !c.is_ascii_alphabetic() && c != '_') || rest.len() > 2;
        let same = name.eq_ignore_ascii_case(directive.name);
        (same && sure).then_some((directive, value))
    });
    found.max_by_key(|(directive, _)| directive.name.len())
}

/// The directive that a word ends with when its line break was lost: `primaryucast`, `10.0.0.1node`.
pub(super) fn swallowed_directive(word: &str) -> Option<(&str, &'static str)> {
    let names = table::ALL
        .iter()
        .map(|directive| directive.name)
        .filter(|name| name.len() > 3);
    let found = names.filter_map(|name| Some((word.strip_suffix(name)?, name)));
    found
        .filter(|(rest, _)| !rest.is_empty())
        .max_by_key(|(_, name)| name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_blanks_and_line_breaks_are_recognised() {
        let seen = |text| glued(text).map(|(directive, value)| (directive.name, value));
        assert_eq!(
            seen("Debugfile/var/log/ha-debug"),
            Some(("debugfile", "/var/log/ha-debug"))
        );
        assert_eq!(seen("keepalive2"), Some(("keepalive", "2")));
        assert_eq!(seen("udpport694"), Some(("udpport", "694")));
        assert_eq!(seen("nodes"), None);
        assert_eq!(
            swallowed_directive("primaryucast"),
            Some(("primary", "ucast"))
        );
        assert_eq!(
            swallowed_directive("104.236.6.11node"),
            Some(("104.236.6.11", "node"))
        );
        assert_eq!(swallowed_directive("node"), None);
    }
}
