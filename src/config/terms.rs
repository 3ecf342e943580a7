//! What both nodes must have equal, as one of them has it: named, placed and fit to be told to the other node. That goes
//! over networks in the clear, so whatever may be a password is told as a number of 16 bits, by which it can be compared.

use super::address::parse_address;
use super::settings::Settings;
use super::{
    AutoFailback, FailbackCondition, Group, Medium, MediumKind, PingNode, Probe, ResourceWord,
};

/// One thing that both nodes must have equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What it is about, equal on both nodes: the directive, and which one where there are several; `group` and a key.
    pub topic: String,
    /// What this node has there. May be cut off where it comes from the other node.
    pub text: String,
    /// The file and line that say so, as in `ha.cf:12`; empty for what no line says.
    pub place: String,
    /// Of topic and uncut text. Two nodes are at one about what has equal digests on both.
    pub digest: u32,
}

impl Term {
    /// With its digest; what would not stand on one line stands as `?`.
    pub fn new(topic: &str, text: &str, place: &str) -> Self {
        let line = |text: &str| text.replace(|letter: char| letter.is_control(), "?");
        let (topic, text, place) = (line(topic), line(text), line(place));
        let digest = fold([topic.as_bytes(), &[0], text.as_bytes()]);
        Self {
            topic,
            text,
            place,
            digest,
        }
    }

    /// The directive of `ha.cf` that it follows from; `group` for a line of `haresources`.
    pub fn directive(&self) -> &str {
        self.topic
            .split_once(' ')
            .map_or(&*self.topic, |(first, _)| first)
    }

    fn rank(&self) -> usize {
        let directive = self.directive();
        match directive {
            "group" => usize::MAX,
            "monitor" => ORDER.len().saturating_add(2),
            "ping" | "ping6" | "ping_group" => ORDER.len().saturating_add(1),
            _ => {
                let found = ORDER.iter().position(|name| *name == directive);
                found.unwrap_or(ORDER.len())
            }
        }
    }
}

/// The order of directives; links of all kinds are in that of the file.
const ORDER: [&str; 9] = [
    "node",
    "keepalive",
    "deadtime",
    "warntime",
    "initdead",
    "auto_failback",
    "last_link",
    "stop_failure",
    "watchdog",
];

/// After a reload: of what waits for a restart what is in force, and all else as it was read, with the lines of the file that
/// was read.
pub(super) fn merged(used: &[Term], read: Vec<Term>, waits: impl Fn(&str) -> bool) -> Vec<Term> {
    let place_of = |term: &Term| {
        let same = read.iter().find(|other| other.digest == term.digest);
        same.unwrap_or(term).clone()
    };
    let kept = used.iter().filter(|term| waits(term.directive()));
    let mut terms: Vec<Term> = kept.map(place_of).collect();
    terms.extend(read.into_iter().filter(|term| !waits(term.directive())));
    terms.sort_by_key(Term::rank);
    terms
}

/// Scripts whose arguments are no secrets.
const PLAIN: [&str; 14] = [
    "IPaddr",
    "IPaddr2",
    "IPv6addr",
    "IPsrcaddr",
    "SendArp",
    "Filesystem",
    "LVM",
    "Raid1",
    "drbddisk",
    "drbdupper",
    "LinuxSCSI",
    "Delay",
    "MailTo",
    "ServeRAID",
];

/// All of one node, those of `haresources` last.
pub(super) fn of(settings: &Settings, groups: &[Group]) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut say = |topic: &str, text: &str, line: Option<usize>| {
        let place = line.map_or_else(String::new, |line| format!("ha.cf:{line}"));
        terms.push(Term::new(topic, text, &place));
    };
    let line = |name| settings.place(name).map(|place| place.line);
    let mut nodes: Vec<&str> = settings.nodes.iter().map(|node| &*node.text).collect();
    nodes.sort_unstable();
    let first = settings.nodes.first().map(|node| node.place.line);
    say("node", &nodes.join(" "), first);
    for (name, value) in [
        ("keepalive", settings.keepalive),
        ("deadtime", settings.deadtime),
        ("warntime", settings.warntime),
        ("initdead", settings.initdead),
    ] {
        say(name, &format!("{value:?}"), line(name));
    }
    say("auto_failback", &failback(settings), line("auto_failback"));
    let silence = settings.last_link.complete(settings.deadtime);
    say("last_link", &silence.to_string(), line("last_link"));
    say("stop_failure", settings.stop_failure, line("stop_failure"));
    match settings.watchdog() {
        Some(watchdog) => say("watchdog", &watchdog.policy.to_string(), line("watchdog")),
        None => say("watchdog", "none", None),
    }
    let mut links: Vec<String> = Vec::new();
    for (medium, place) in &settings.media {
        let (directive, text) = link(medium);
        let topic = numbered(&mut links, format!("{directive} {text}"));
        say(&topic, &text, Some(place.line));
    }
    let mut pings: Vec<String> = Vec::new();
    for (node, place) in &settings.ping_nodes {
        let (directive, hosts) = (ping_directive(node), node.hosts.join(" "));
        let topic = numbered(&mut pings, format!("{directive} {}", node.name));
        say(&topic, &hosts, Some(place.line));
    }
    let mut monitors: Vec<String> = Vec::new();
    let written = settings.lines.get("monitor").map_or(&[][..], Vec::as_slice);
    for ((monitor, word), text) in settings.monitors.iter().zip(written) {
        let resource = shown_text(&monitor.resource);
        let topic = numbered(&mut monitors, format!("monitor {resource}"));
        let has_no_secret = matches!(monitor.probe, Probe::Status | Probe::Tcp { .. });
        say(
            &topic,
            &monitor_text(text, has_no_secret),
            Some(word.place.line),
        );
    }
    terms.extend(groups.iter().map(group));
    terms
}

/// A second and third of the same name have a number.
fn numbered(before: &mut Vec<String>, topic: String) -> String {
    let count = before.iter().filter(|earlier| **earlier == topic).count();
    before.push(topic.clone());
    match count {
        0 => topic,
        _ => format!("{topic} ({})", count.saturating_add(1)),
    }
}

fn failback(settings: &Settings) -> String {
    match &settings.failback {
        FailbackCondition::Delayed(time) => return format!("delayed {time:?}"),
        FailbackCondition::When(command) => {
            let program = command.program.display();
            return format!("when {program} {}", sealed(&command.line));
        }
        FailbackCondition::Nothing => {}
    }
    let word = match settings.auto_failback {
        Some(AutoFailback::On) => "on",
        Some(AutoFailback::Off) => "off",
        Some(AutoFailback::Legacy) | None => "legacy",
    };
    word.to_owned()
}

/// Kind and port of a link. Devices, interfaces and hosts have other names on the other node.
fn link(medium: &Medium) -> (&'static str, String) {
    match &medium.kind {
        MediumKind::Serial { baud, .. } => ("serial", format!("{baud} baud")),
        MediumKind::Bcast { port } => ("bcast", format!("port {port}")),
        MediumKind::Ucast { port, .. } => ("ucast", format!("port {port}")),
        MediumKind::Mcast { group, port, .. } => ("mcast", format!("{group} port {port}")),
        MediumKind::Ucast6 { port, .. } => ("ucast6", format!("port {port}")),
        MediumKind::Mcast6 { group, port, .. } => ("mcast6", format!("{group} port {port}")),
    }
}

fn ping_directive(node: &PingNode) -> &'static str {
    match node {
        _ if node.is_group => "ping_group",
        _ if node.v6 => "ping6",
        _ => "ping",
    }
}

fn group(group: &Group) -> Term {
    let words = group.resources.iter().map(shown);
    let words: Vec<String> = std::iter::once(group.preferred.clone())
        .chain(words)
        .collect();
    let key = words.get(1).map_or("", String::as_str);
    let place = format!("haresources:{}", group.line);
    Term::new(&format!("group {key}"), &words.join(" "), &place)
}

/// The line of a monitor without commands and pages, which may have passwords in them.
pub(super) fn monitor_text(text: &str, has_no_secret: bool) -> String {
    let mut shown: Vec<String> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        if !has_no_secret && word.contains('=') && !is_a_setting(word) {
            let name = word.split_once('=').map_or("", |(name, _)| name);
            shown.push(format!("{name}={}", sealed(rest)));
            break;
        }
        shown.push(shown_text(word));
        rest = after;
    }
    shown.join(" ")
}

/// Whether it is one of the settings of a monitor that are numbers.
fn is_a_setting(word: &str) -> bool {
    let value = word.split_once('=').map_or("", |(_, value)| value);
    value.len() <= 8 && value.starts_with(|first: char| first.is_ascii_digit())
}

/// A word that may name a resource with its arguments.
fn shown_text(word: &str) -> String {
    shown(&ResourceWord::new(word))
}

fn shown(word: &ResourceWord) -> String {
    let is_plain = |argument: &String| is_open(word, argument);
    if word.arguments.iter().all(is_plain) {
        return word.text.clone();
    }
    let arguments = word.arguments.iter().map(|argument| {
        if is_plain(argument) {
            argument.clone()
        } else {
            sealed(argument)
        }
    });
    let parts: Vec<String> = std::iter::once(word.name.clone())
        .chain(arguments)
        .collect();
    parts.join("::")
}

/// Whether an argument of a resource is no password for sure.
pub(super) fn is_open(word: &ResourceWord, argument: &str) -> bool {
    let is_address = matches!(parse_address(word), Some(Ok(_)));
    let is_known = is_address || PLAIN.contains(&&*word.name);
    !may_be_secret(argument) && (is_known || is_harmless(argument))
}

/// Whether an argument of a script of which nothing is known is a path, an address or a number of few digits.
fn is_harmless(argument: &str) -> bool {
    let is_number = |text: &str| text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let (host, _) = argument.split_once('/').unwrap_or((argument, ""));
    argument.starts_with('/') || is_number(argument) || host.parse::<std::net::IpAddr>().is_ok()
}

/// Whether it says of itself that there is a password in it, as mount options or the address of a page may.
fn may_be_secret(argument: &str) -> bool {
    let lower = argument.to_ascii_lowercase();
    let hints = ["pass", "pwd", "secret", "token", "key", "cred", "commun"];
    let has_name = lower.contains('=') && hints.iter().any(|hint| lower.contains(hint));
    let has_user = lower
        .split_once('@')
        .is_some_and(|(before, _)| before.contains(':'));
    has_name || has_user
}

/// Too short to guess what it was made of, long enough to tell two apart.
fn sealed(text: &str) -> String {
    let digest = fold([text.as_bytes(), &[1], &[]]);
    format!("#{:04x}", (digest >> 16) ^ (digest & 0xffff))
}

/// FNV-1a.
fn fold(parts: [&[u8]; 3]) -> u32 {
    let bytes = parts.into_iter().flatten();
    bytes.fold(0x811c_9dc5, |digest: u32, byte| {
        (digest ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::super::{Source, load};
    use super::*;

    const HA_CF: &str = "# the pair\nnode vm3 vm4\ndeadtime 10\nkeepalive 1\nbcast eth0\nserial /dev/ttyS0\n\
        bcast eth1\nping 10.0.0.254\nauto_failback off\nwatchdog /dev/watchdog\n\
        stonith_host * external/ipmi vm4 10.1.1.1 admin topsecret lan\n";

    fn terms(more: &str, haresources: &str) -> Vec<Term> {
        let read = |path: &Path| {
            let text = match path.file_name().and_then(|name| name.to_str()) {
                Some("ha.cf") => format!("{HA_CF}{more}"),
                Some("authkeys") => "auth 1\n1 sha1 a-secret-of-the-laboratory\n".to_owned(),
                Some("haresources") => haresources.to_owned(),
                _ => return Err(io::ErrorKind::NotFound.into()),
            };
            let (text, mode) = (text.into_bytes(), 0o600);
            Ok(Source { text, mode })
        };
        let (config, _) = load(Path::new("/etc/ha.d"), "vm3", &read).expect("a good one");
        config.terms
    }

    fn lines(terms: &[Term]) -> Vec<String> {
        let line = |term: &Term| format!("{} | {} | {}", term.topic, term.text, term.place);
        terms.iter().map(line).collect()
    }

    #[test]
    fn everything_that_must_be_equal_is_named_with_its_line() {
        let terms = terms(
            "monitor nginx every=10s tcp=127.0.0.1:80\n",
            "# one\nvm3 10.0.0.1/24/eth0 \\\n nginx\n\nVM4 Filesystem::/dev/sdb1::/srv::ext4\n",
        );
        assert_eq!(
            lines(&terms),
            [
                "node | vm3 vm4 | ha.cf:2",
                "keepalive | 1s | ha.cf:4",
                "deadtime | 10s | ha.cf:3",
                "warntime | 5s | ",
                "initdead | 20s | ",
                "auto_failback | off | ha.cf:9",
                "last_link | takeover | ",
                "stop_failure | hold | ",
                "watchdog | required | ha.cf:10",
                "bcast port 694 | port 694 | ha.cf:5",
                "serial 19200 baud | 19200 baud | ha.cf:6",
                "bcast port 694 (2) | port 694 | ha.cf:7",
                "ping 10.0.0.254 | 10.0.0.254 | ha.cf:8",
                "monitor nginx | nginx every=10s tcp=127.0.0.1:80 | ha.cf:12",
                "group 10.0.0.1/24/eth0 | vm3 10.0.0.1/24/eth0 nginx | haresources:2",
                "group Filesystem::/dev/sdb1::/srv::ext4 | vm4 Filesystem::/dev/sdb1::/srv::ext4 | haresources:5",
            ]
        );
    }

    #[test]
    fn nothing_that_may_be_a_password_is_in_the_clear_and_two_of_them_differ() {
        let with = |secret: &str| {
            let monitors = format!(
                "monitor pg every=10s exec=/usr/bin/psql --password {secret}\n\
                 monitor web every=10s http=http://127.0.0.1/status?{secret}\n\
                 auto_failback when /usr/local/sbin/may-return --with {secret}\n"
            );
            let groups = format!(
                "vm3 pg::main::{secret} Filesystem:://nas/x::/srv::cifs::username=a,password={secret} web\n\
                 vm4 mount::http://user:{secret}@10.0.0.9/x::/srv::10.0.0.7::17\n"
            );
            terms(&monitors, &groups)
        };
        let (one, other) = (with("hunter2"), with("swordfish"));
        let all = format!("{one:?}{other:?}");
        for secret in ["hunter2", "swordfish", "topsecret", "laboratory"] {
            assert!(!all.contains(secret), "{all}");
        }
        assert!(all.contains("::/srv::10.0.0.7::17"), "{all}");
        let differ = one.iter().zip(&other).filter(|(a, b)| a.digest != b.digest);
        let differ: Vec<&str> = differ.map(|(term, _)| term.directive()).collect();
        assert_eq!(
            differ,
            ["auto_failback", "monitor", "monitor", "group", "group"]
        );
    }

    #[test]
    fn the_order_of_resources_counts_and_that_of_lines_does_not() {
        let sorted = |haresources| {
            let mut digests: Vec<u32> = terms("", haresources)
                .iter()
                .map(|term| term.digest)
                .collect();
            digests.sort_unstable();
            digests
        };
        let one = sorted("vm3 10.0.0.1 a b\nvm4 10.0.0.2 c\n");
        assert_eq!(one, sorted("vm4  10.0.0.2 c # x\nvm3 10.0.0.1 a b\n"));
        assert_ne!(one, sorted("vm3 10.0.0.1 b a\nvm4 10.0.0.2 c\n"));
        assert_ne!(one, sorted("vm3 10.0.0.1 a b\nvm3 10.0.0.2 c\n"));
    }
}
