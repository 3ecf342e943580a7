//! The directives that name a path to the peer or a host to ping.
//!
//! Ports and speeds are filled in once the whole file was read, so that their lines may stand anywhere.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::directive::{Directive, Statement};
use super::settings::Settings;
use super::source::{self, Word};
use super::value::{self, Fault};
use super::{Medium, MediumKind, PingNode, SerialFlow};

/// The longest interface name that the kernel knows.
const LONGEST_INTERFACE: usize = 15;

/// One interface after `bcast` or `udp`.
pub(super) fn bcast(
    settings: &mut Settings,
    _directive: &'static Directive,
    word: &Word,
    out: &mut Diagnostics,
) {
    if is_interface(word, out) {
        add(settings, word, word, MediumKind::Bcast { port: 0 }, out);
    }
}

/// One device after `serial`.
pub(super) fn serial(
    settings: &mut Settings,
    _directive: &'static Directive,
    word: &Word,
    out: &mut Diagnostics,
) {
    if !word.text.starts_with('/') {
        let error = Diagnostic::error(&word.place, "serial port without its full path");
        out.push(if word.text.starts_with("tty") {
            error.label(format!("did you mean `/dev/{}`?", word.text))
        } else {
            error.label("must begin with `/`, such as `/dev/ttyS0`")
        });
        return;
    }
    let device = PathBuf::from(&word.text);
    add(
        settings,
        word,
        word,
        MediumKind::Serial {
            device,
            baud: 0,
            flow: SerialFlow::Auto,
        },
        out,
    );
}

/// `ucast INTERFACE HOST`.
pub(super) fn ucast(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    let Some([interface, host]) = exactly(directive, statement, out) else {
        return;
    };
    let sound = is_interface(interface, out);
    let sound = numeric_host_is_sound(host, out) && sound;
    if host.text.parse::<Ipv6Addr>().is_ok() {
        let error = Diagnostic::error(&host.place, "an IPv6 address after `ucast`");
        out.push(error.label(format!("write `ucast6 {} {}`", interface.text, host.text)));
    } else if sound {
        add(
            settings,
            interface,
            host,
            MediumKind::Ucast {
                host: host.text.clone(),
                port: 0,
            },
            out,
        );
    }
}

/// Whether a host of digits and dots can be an address. Resolvers take forms that hardly anybody means.
fn numeric_host_is_sound(host: &Word, out: &mut Diagnostics) -> bool {
    let looks_numeric = host.text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if !looks_numeric || host.text.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let parts: Vec<Option<u8>> = host.text.split('.').map(|part| part.parse().ok()).collect();
    if parts.len() > 4 || parts.iter().any(Option::is_none) {
        let error = Diagnostic::error(&host.place, format!("bad address `{}`", host.text));
        out.push(error.label("not an IPv4 address"));
        return false;
    }
    let warning = Diagnostic::warning(&host.place, format!("odd address `{}`", host.text));
    out.push(
        warning.label("write four numbers without leading zeros, so that everybody reads it alike"),
    );
    true
}

/// `ucast6 INTERFACE HOST`.
pub(super) fn ucast6(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    let Some([interface, host]) = exactly(directive, statement, out) else {
        return;
    };
    let sound = is_interface(interface, out);
    if host.text.contains(':') && host.text.parse::<Ipv6Addr>().is_err() {
        let error = Diagnostic::error(&host.place, format!("bad address `{}`", host.text));
        out.push(error.label("not an IPv6 address"));
    } else if host.text.parse::<Ipv4Addr>().is_ok() {
        let error = Diagnostic::error(&host.place, "an IPv4 address after `ucast6`");
        out.push(error.label(format!("write `ucast {} {}`", interface.text, host.text)));
    } else if sound {
        add(
            settings,
            interface,
            host,
            MediumKind::Ucast6 {
                host: host.text.clone(),
                port: 0,
            },
            out,
        );
    }
}

/// `mcast INTERFACE GROUP PORT TTL LOOP`.
pub(super) fn mcast(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    let medium = |text: &str| {
        let group = text.parse().ok().filter(Ipv4Addr::is_multicast)?;
        Some(move |(port, ttl, loopback)| MediumKind::Mcast {
            group,
            port,
            ttl,
            loopback,
        })
    };
    let expected = "an address from 224.0.0.0 to 239.255.255.255 is expected";
    multicast(settings, directive, statement, out, expected, medium);
}

/// `mcast6 INTERFACE GROUP PORT HOPS LOOP`.
pub(super) fn mcast6(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    let scoped = |address: &Ipv6Addr| {
        let [_, scope, ..] = address.octets();
        address.is_multicast() && matches!(scope & 0x0f, 2 | 4 | 5 | 8)
    };
    let medium = |text: &str| {
        let group = text.parse().ok().filter(scoped)?;
        Some(move |(port, hops, loopback)| MediumKind::Mcast6 {
            group,
            port,
            hops,
            loopback,
        })
    };
    let expected = "a multicast address of scope 2, 4, 5 or 8 is expected, such as `ff02::694`";
    multicast(settings, directive, statement, out, expected, medium);
}

/// A multicast line: `medium` is what comes of the text of its group, if that is what is `expected`, together with
/// the words behind it.
fn multicast<M>(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
    expected: &str,
    medium: impl Fn(&str) -> Option<M>,
) where
    M: FnOnce((u16, u8, bool)) -> MediumKind,
{
    let Some(words) = exactly::<5>(directive, statement, out) else {
        return;
    };
    let [interface, group, ..] = words;
    let sound = is_interface(interface, out);
    let medium = medium(&group.text);
    if medium.is_none() {
        let message = format!("bad group `{}` for `{}`", group.text, directive.name);
        out.push(Diagnostic::error(&group.place, message).label(expected));
    }
    let rest = port_hops_loop(directive, words, out);
    if let (true, Some(medium), Some(rest)) = (sound, medium, rest) {
        add(settings, interface, group, medium(rest), out);
    }
}

/// The last three words of a multicast line.
fn port_hops_loop(
    directive: &Directive,
    words: [&Word; 5],
    out: &mut Diagnostics,
) -> Option<(u16, u8, bool)> {
    let [_, _, port, hops, looping] = words;
    let mut number = |word: &Word, what: &str, least: u32, most: u32| {
        // The service name of heartbeat is the only one that people write here.
        let text = if word.text == "ha-cluster" {
            "694"
        } else {
            word.text.as_str()
        };
        let tell = |severity: Severity, kind: &str, fault: &Fault| {
            let message = format!("{kind} {what} `{}` for `{}`", word.text, directive.name);
            Diagnostic::at(severity, &word.place.part(&fault.span), message)
                .label(fault.reason.as_str())
        };
        match value::integer(text, least..=most) {
            Ok(read) => {
                out.extend(
                    read.remark
                        .map(|(severity, fault)| tell(severity, "odd", &fault)),
                );
                Some(read.value)
            }
            Err(fault) => {
                out.push(tell(Severity::Error, "bad", &fault));
                None
            }
        }
    };
    let port = number(port, "port", 1, 65535);
    let hops = number(hops, "time to live", 0, 4);
    let looping = number(looping, "loop flag", 0, 1);
    Some((
        u16::try_from(port?).ok()?,
        u8::try_from(hops?).ok()?,
        looping? == 1,
    ))
}

/// One host after `ping` or `ping6`.
pub(super) fn ping(
    settings: &mut Settings,
    directive: &'static Directive,
    word: &Word,
    out: &mut Diagnostics,
) {
    let hosts = vec![word.text.clone()];
    let node = PingNode {
        name: word.text.clone(),
        hosts,
        v6: directive.name == "ping6",
        is_group: false,
        counts: true,
    };
    add_ping(settings, node, word, out);
}

/// `ping_group NAME HOST ...`.
pub(super) fn ping_group(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    // The hosts of a group are a list like any other.
    let mut words = statement.words.iter().flat_map(|word| {
        let parts = word
            .text
            .split(source::is_blank_or_comma)
            .filter(|part| !part.is_empty());
        parts
            .map(|part| Word {
                text: part.to_owned(),
                place: word.place.clone(),
            })
            .collect::<Vec<_>>()
    });
    let Some(name) = words.next() else { return };
    let hosts: Vec<String> = words.map(|word| word.text).collect();
    if hosts.is_empty() {
        let error = Diagnostic::error(
            &name.place,
            format!("ping group `{}` has no host", name.text),
        );
        out.push(error.label(format!("write `{} {}`", directive.name, directive.syntax)));
        return;
    }
    add_ping(
        settings,
        PingNode {
            name: name.text.clone(),
            hosts,
            v6: false,
            is_group: true,
            counts: true,
        },
        &name,
        out,
    );
}

fn add_ping(settings: &mut Settings, node: PingNode, word: &Word, out: &mut Diagnostics) {
    let twice = settings
        .ping_nodes
        .iter()
        .find(|(other, _)| other.name == node.name);
    match twice {
        Some((other, _)) if *other == node => {}
        Some((_, first)) => {
            let error = Diagnostic::error(&word.place, format!("two ping nodes `{}`", node.name));
            out.push(
                error
                    .label("a different one of the same name")
                    .related(first, "first here"),
            );
        }
        None if settings.ping_nodes.len() >= MOST => {
            let error = Diagnostic::error(&word.place, "more than 64 ping nodes");
            out.push(error.label("one too many"));
        }
        None => settings.ping_nodes.push((node, word.place.clone())),
    }
}

/// The most media, and the most ping nodes, as in heartbeat 3.0.6.
const MOST: usize = 64;

/// Adds a medium; the very same one twice is harmless.
fn add(settings: &mut Settings, link: &Word, last: &Word, kind: MediumKind, out: &mut Diagnostics) {
    if settings.media.len() >= MOST {
        out.push(Diagnostic::error(&link.place, "more than 64 links").label("one too many"));
        return;
    }
    let medium = Medium {
        link: link.text.clone(),
        kind,
    };
    if !settings.media.iter().any(|(other, _)| *other == medium) {
        settings.media.push((medium, link.place.to(&last.place)));
    }
}

fn is_interface(word: &Word, out: &mut Diagnostics) -> bool {
    let reason = if word.text.len() > LONGEST_INTERFACE {
        "longer than 15 characters"
    } else if word.text.contains(':') {
        "an alias label; name the interface itself"
    } else if word.text.parse::<Ipv4Addr>().is_ok() {
        "an address; the name of an interface such as `eth0` is expected here"
    } else if word.text.contains('/') {
        "not an interface name"
    } else {
        return true;
    };
    let error = Diagnostic::error(&word.place, format!("bad interface `{}`", word.text));
    out.push(error.label(reason));
    false
}

/// The words of a line that must have so many; more are ignored like in heartbeat 3.0.6, with a warning.
fn exactly<'a, const COUNT: usize>(
    directive: &Directive,
    statement: &'a Statement,
    out: &mut Diagnostics,
) -> Option<[&'a Word; COUNT]> {
    let words: Vec<&Word> = statement.words.iter().collect();
    let shape = format!("the line is `{} {}`", directive.name, directive.syntax);
    let (Some(wanted), extra) = (words.get(..COUNT), words.get(COUNT)) else {
        let names: Vec<&str> = directive.syntax.split(' ').collect();
        let missing = names.get(words.len()).copied().unwrap_or_default();
        let last = words.last().map_or(&statement.name, |word| *word);
        let end = last.place.span.end..last.place.span.end;
        let place = source::Place {
            span: end,
            ..last.place.clone()
        };
        let error = Diagnostic::error(&place, format!("`{}` lacks its {missing}", directive.name));
        out.push(
            error
                .label(format!("{missing} is missing here"))
                .help(shape),
        );
        return None;
    };
    if let Some(extra) = extra {
        let place = extra.place.to(&words.last().unwrap_or(extra).place);
        let warning =
            Diagnostic::warning(&place, format!("`{}` takes {COUNT} words", directive.name));
        out.push(warning.label("ignored").help(shape));
    }
    wanted.to_vec().try_into().ok()
}
