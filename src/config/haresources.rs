//! Reads `haresources`: a line a group, the preferred node first, then its resources.
//!
//! One grammar and exact words, where heartbeat 3.0.6 has two readers and takes keys for regular
//! expressions: what those two read alike means the same here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use super::address::parse_address;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::hazards;
use super::look::{self, Look, Subject};
use super::settings::Settings;
use super::source::{File, Line, Place, Source, Word, is_blank};
use super::spelling::{first_lookalike, nearest};
use super::{Group, MediumKind, ResourceWord};

/// The resource scripts that heartbeat users know; others may well exist.
const KNOWN_SCRIPTS: [&str; 20] = [
    "IPaddr",
    "IPaddr2",
    "IPv6addr",
    "IPsrcaddr",
    "Filesystem",
    "LVM",
    "LinuxSCSI",
    "MailTo",
    "Raid1",
    "SendArp",
    "ServeRAID",
    "WAS",
    "WinPopup",
    "Xinetd",
    "AudibleAlarm",
    "Delay",
    "OCF",
    "ICP",
    "portblock",
    "apache",
];

/// A group with the places of its words.
struct Draft {
    group: Group,
    places: Vec<Place>,
}

/// The groups of the file; whether they can be used is said by `out`.
pub(super) fn parse(
    path: &Path,
    source: &Source,
    settings: &Settings,
    look: Look<'_>,
    out: &mut Diagnostics,
) -> Vec<Group> {
    let file = File::new(path, &source.text);
    let mut drafts = Vec::new();
    for words in logical_lines(&file, out) {
        if let Some(error) = first_lookalike(&words) {
            out.push(error);
            continue;
        }
        drafts.extend(draft(&words, settings, out));
    }
    check_words(&drafts, look, out);
    check_keys(&drafts, out);
    check_addresses(&drafts, settings, out);
    drafts.into_iter().map(|draft| draft.group).collect()
}

/// The words of each logical line: comments removed, continued lines joined.
fn logical_lines(file: &File, out: &mut Diagnostics) -> Vec<Vec<Word>> {
    let mut lines = Vec::new();
    let mut current: Vec<Word> = Vec::new();
    let mut glue = false;
    for line in &file.lines {
        let (body, continued) = body(line, out);
        let mut words = line.words(0..body.len(), is_blank);
        if let Some(at) = words.iter().position(|word| word.text.starts_with("//")) {
            if let Some(word) = words.get(at) {
                let error = Diagnostic::error(&word.place, "`//` does not begin a comment");
                out.push(error.label("comments begin with `#`"));
            }
            words.truncate(at);
        }
        let mut words = words.into_iter().peekable();
        if let (true, Some(first)) = (glue && !body.starts_with(is_blank), words.peek())
            && let Some(last) = current.last_mut()
        {
            let warning = Diagnostic::warning(&first.place, "continued without a blank");
            out.push(warning.label(format!("read as one word: `{}{}`", last.text, first.text)));
            last.text += &first.text;
            words.next();
        }
        current.extend(words);
        glue = continued && !body.ends_with(is_blank) && !body.is_empty();
        if !continued && !current.is_empty() {
            lines.push(std::mem::take(&mut current));
        }
    }
    if !current.is_empty() {
        lines.push(current);
    }
    lines
}

/// What a line says, without comment and continuation mark, and whether it goes on.
fn body<'a>(line: &'a Line, out: &mut Diagnostics) -> (&'a str, bool) {
    if let Some((body, _)) = line.text.split_once('#') {
        return (body, false);
    }
    if let Some(body) = line.text.strip_suffix('\\') {
        return (body, true);
    }
    let trimmed = line.text.trim_end_matches(is_blank);
    if let Some(body) = trimmed.strip_suffix('\\') {
        let place = line.place(trimmed.len()..line.text.len());
        let error = Diagnostic::error(&place, "blanks after `\\`");
        out.push(error.label("a line goes on only if `\\` is its very last character"));
        return (body, true);
    }
    (&line.text, false)
}

/// The group of a line, when its node is known and it has resources.
fn draft(words: &[Word], settings: &Settings, out: &mut Diagnostics) -> Option<Draft> {
    let (first, resources) = words.split_first()?;
    let preferred = first.text.to_ascii_lowercase();
    let nodes_known = !settings.nodes.is_empty() && !settings.is_misread("node");
    if nodes_known && !settings.nodes.iter().any(|node| node.text == preferred) {
        out.push(unknown_node(first, &preferred, settings));
    } else if resources.is_empty() {
        let warning = Diagnostic::warning(&first.place, format!("no resources for `{preferred}`"));
        out.push(warning.label("this line does nothing"));
    }
    if resources.is_empty() {
        return None;
    }
    Some(Draft {
        group: Group {
            preferred,
            resources: resources
                .iter()
                .map(|word| ResourceWord::new(&word.text))
                .collect(),
            line: first.place.line,
        },
        places: resources.iter().map(|word| word.place.clone()).collect(),
    })
}

fn unknown_node(word: &Word, name: &str, settings: &Settings) -> Diagnostic {
    let nodes = || settings.nodes.iter().map(|node| node.text.as_str());
    let resource = ResourceWord::new(&word.text);
    let short = |name: &str| name.split('.').next().map(str::to_owned);
    let glued = nodes().find(|node| name.starts_with(*node) && name.len() > node.len() + 4);
    // As near to one node as to the other is near to none.
    let near = nearest(name, nodes()).filter(|near| nearest(name, nodes().rev()) == Some(*near));
    let label = if let Some(node) = near {
        format!("did you mean `{node}`?")
    } else if let Some(node) = nodes().find(|node| short(node) == short(name)) {
        format!("did you mean `{node}`? Names must be the same in both files")
    } else if let Some(node) = glued {
        let rest = word.text.get(node.len()..).unwrap_or_default();
        format!("did you mean `{node} {rest}`?")
    } else if !resource.arguments.is_empty() || KNOWN_SCRIPTS.contains(&resource.name.as_str()) {
        "a resource; the line must begin with the name of a node".to_owned()
    } else if settings
        .ping_nodes
        .iter()
        .any(|(node, _)| node.name == word.text)
    {
        "a ping node can't own resources".to_owned()
    } else if settings.nodes.len() != 2 {
        "not among the nodes".to_owned()
    } else {
        let names: Vec<&str> = nodes().collect();
        format!(
            "neither {}",
            super::value::alternatives(&names).replace(" or ", " nor ")
        )
    };
    let mut error =
        Diagnostic::error(&word.place, format!("unknown node `{}`", word.text)).label(label);
    for node in settings.nodes.iter().take(2) {
        error = error.related(&node.place, "a node");
    }
    error
}

/// Looks at each word on its own. What is odd about a name already explains that it is not found.
fn check_words(drafts: &[Draft], look: Look<'_>, out: &mut Diagnostics) {
    for draft in drafts {
        for (word, place) in draft.group.resources.iter().zip(&draft.places) {
            let search = || look::warning(look, Subject::Resource(word), place);
            if let Some(result) = parse_address(word) {
                if let Err(error) = result {
                    let message = format!("bad address `{}`", word.text);
                    out.push(
                        Diagnostic::error(&place.part(&error.span), message).label(error.reason),
                    );
                } else if word.name == "IPv6addr" && word.arguments.iter().any(|a| a.contains("::"))
                {
                    let warning =
                        Diagnostic::warning(place, "heartbeat 3.0.6 can't read `::` in an address");
                    out.push(warning.label("write all eight groups for it"));
                    out.extend(search());
                } else {
                    out.extend(search());
                }
            } else {
                out.extend(check_script(word, place).or_else(search));
            }
            hazards::of_word(word, place, look, out);
        }
    }
}

/// What is odd about the name of a script.
fn check_script(word: &ResourceWord, place: &Place) -> Option<Diagnostic> {
    let name_place = place.part(&(0..word.name.len().max(1)));
    let text = word.text.as_str();
    if word.name == "ocf" || word.name.starts_with("ocf:") {
        return None; // an OCF agent: nobody's slip for the script `OCF` of 3.0.6
    }
    let without_prefix = text.split('/').next().unwrap_or_default();
    if without_prefix.parse::<std::net::Ipv6Addr>().is_ok() {
        let error = Diagnostic::error(place, format!("bad resource `{text}`"));
        return Some(error.label(format!("did you mean `IPv6addr::{text}`?")));
    }
    let known = |name: &str| {
        KNOWN_SCRIPTS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(name))
    };
    if let Some(rest) = text
        .strip_prefix("OCF:")
        .filter(|rest| !rest.starts_with(':'))
    {
        let error = Diagnostic::error(place, format!("bad resource `{text}`"));
        return Some(error.label(format!("did you mean `ocf:{rest}`?")));
    }
    if let Some((name, argument)) = word.name.split_once(':')
        && let Some(known) = known(name)
    {
        let error = Diagnostic::error(place, format!("bad resource `{text}`"));
        return Some(error.label(format!("did you mean `{known}::{argument}`?")));
    }
    if word.name.is_empty() || word.name.contains('/') {
        let error = Diagnostic::error(&name_place, format!("bad resource `{text}`"));
        let name = word.name.rsplit('/').find(|part| !part.is_empty());
        return Some(match name {
            Some(name) if word.name.starts_with('/') => error.label(format!(
                "the name of a script is expected, not its path: `{name}`"
            )),
            _ => error.label("the name of a script is expected"),
        });
    }
    let intended = known(&word.name)
        .filter(|known| **known != word.name)
        .copied();
    let slip = || nearest(&word.name, ["IPaddr", "IPaddr2", "IPv6addr", "Filesystem"]);
    let intended = intended.or_else(|| {
        let unknown = !word.arguments.is_empty() && known(&word.name).is_none();
        unknown.then(slip).flatten()
    });
    if let Some(intended) = intended {
        let warning = Diagnostic::warning(
            &name_place,
            format!("no common resource is called `{}`", word.name),
        );
        return Some(warning.label(format!("did you mean `{intended}`?")));
    }
    let expands = word
        .arguments
        .iter()
        .any(|argument| argument.contains(['*', '?', '[']));
    expands.then(|| {
        Diagnostic::warning(place, "file names are not expanded")
            .label("passed to the script as it stands")
    })
}

/// A key names its group, so no two groups may have the same.
fn check_keys(drafts: &[Draft], out: &mut Diagnostics) {
    let mut keys: BTreeMap<&str, &Place> = BTreeMap::new();
    for draft in drafts {
        let Some(place) = draft.places.first() else {
            continue;
        };
        let key = draft.group.key();
        if let Some(first) = keys.get(key) {
            let error = Diagnostic::error(place, format!("two groups begin with `{key}`"));
            out.push(
                error
                    .label("the first resource names the group, so it must be unique")
                    .related(first, "first here"),
            );
        } else {
            keys.insert(key, place);
        }
    }
    let mut words: BTreeMap<&str, (usize, &Place)> = BTreeMap::new();
    for (number, draft) in drafts.iter().enumerate() {
        for (word, place) in draft.group.resources.iter().zip(&draft.places).skip(1) {
            let text = word.text.as_str();
            let elsewhere = words
                .get(text)
                .filter(|(other, _)| *other != number)
                .map(|(_, place)| *place);
            let key = keys
                .get(text)
                .copied()
                .filter(|key| key.line != draft.group.line);
            if let (Some(first), None) = (elsewhere.or(key), parse_address(word)) {
                let warning = Diagnostic::warning(place, format!("`{text}` is in two groups"));
                out.push(
                    warning
                        .label("both groups start and stop it")
                        .related(first, "also here"),
                );
            }
            words.entry(text).or_insert((number, place));
        }
    }
}

/// An address belongs to one group, and to nobody else.
fn check_addresses(drafts: &[Draft], settings: &Settings, out: &mut Diagnostics) {
    let mut seen: BTreeMap<IpAddr, (usize, &Place, &str)> = BTreeMap::new();
    for (number, draft) in drafts.iter().enumerate() {
        for (word, place) in draft.group.resources.iter().zip(&draft.places) {
            let Some(Ok(spec)) = parse_address(word) else {
                continue;
            };
            if let Some(&(group, first, text)) = seen.get(&spec.address) {
                // Two equal keys were told already.
                if group == number {
                    let warning =
                        Diagnostic::warning(place, format!("{} twice in one group", spec.address));
                    out.push(warning.related(first, "first here"));
                } else if text != word.text || word.text != draft.group.key() {
                    let message = format!("{} is in two groups", spec.address);
                    out.push(
                        Diagnostic::error(place, message)
                            .label("both nodes might have it at the same time")
                            .related(first, "first here"),
                    );
                }
                continue;
            }
            seen.insert(spec.address, (number, place, word.text.as_str()));
        }
    }
    let is_floating = |host: &str| {
        host.parse()
            .ok()
            .and_then(|address: IpAddr| seen.get(&address))
    };
    for (node, place) in &settings.ping_nodes {
        if let Some((_, floating, _)) = node.hosts.iter().find_map(|host| is_floating(host)) {
            let message = format!("ping node `{}` is a cluster address", node.name);
            out.push(
                Diagnostic::warning(place, message)
                    .label(
                        "it answers wherever it is held and is not counted; name a router instead",
                    )
                    .related(floating, "the address"),
            );
        }
    }
    for (medium, place) in &settings.media {
        let (MediumKind::Ucast { host, .. } | MediumKind::Ucast6 { host, .. }) = &medium.kind
        else {
            continue;
        };
        if let Some((_, floating, _)) = is_floating(host) {
            out.push(
                Diagnostic::warning(place, format!("`{host}` moves between the nodes"))
                    .label("heartbeats need an address that stays on the peer")
                    .related(floating, "moved by this"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::assign::defaults;
    use super::*;

    fn groups(text: &str) -> Vec<String> {
        let mut settings = defaults();
        let nodes = File::new(Path::new("ha.cf"), b"a b");
        settings.nodes = nodes.lines[0].words(0..3, is_blank);
        let mut out = Diagnostics::default();
        let source = Source {
            text: text.as_bytes().to_vec(),
            mode: 0,
        };
        let groups = parse(
            Path::new("haresources"),
            &source,
            &settings,
            &|_| None,
            &mut out,
        );
        assert!(!out.has_errors(), "{out}");
        let shown = groups.iter().map(|group| {
            let words: Vec<&str> = group
                .resources
                .iter()
                .map(|word| word.text.as_str())
                .collect();
            format!("{}:{} {}", group.line, group.preferred, words.join(" "))
        });
        shown.collect()
    }

    #[test]
    fn lines_are_joined_without_anything_between_them() {
        assert_eq!(groups("a x \\\n y\\\nz\nb w"), ["1:a x yz", "4:b w"]);
        assert_eq!(groups("a x \\"), ["1:a x"]);
        assert_eq!(groups("a x \\\n\nb y"), ["1:a x", "3:b y"]);
    }

    #[test]
    fn comments_end_every_physical_line() {
        assert_eq!(
            groups("# all\n  A x # first \\\nb y \\\n z # second\n"),
            ["2:a x", "3:b y z"]
        );
    }

    #[test]
    fn words_keep_their_case_and_nodes_lose_it() {
        assert_eq!(
            groups("\tB\tIPaddr::10.0.0.1/24/eth0:0  Web\r\n"),
            ["1:b IPaddr::10.0.0.1/24/eth0:0 Web"]
        );
    }
}
