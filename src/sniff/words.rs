//! What a message says, in plain words.

use std::fmt::Write as _;
use std::time::Duration;

use super::decode::{Header, text};
use super::escape::{hexadecimal, printable};
use super::groups::Groups;
use crate::cluster::claims::{FIELD, hex};
use crate::cluster::ping::PingCounts;
use crate::message::{Field, FieldKind, Message, list_items, parse_nested};

/// The longest value that stands in a line.
const LONGEST_VALUE: usize = 60;
/// The longest line of words.
const LONGEST: usize = 300;
/// The longest value in the list of all fields.
const LONGEST_FIELD: usize = 4096;
/// The most fields of one message, or items of one field, that are shown: two kilobytes can inflate to half a million.
pub const MOST_SHOWN: usize = 200;
/// What every message carries and no line needs to repeat.
const HEADER: [&[u8]; 12] = [
    b"t",
    b"src",
    b"srcuuid",
    b"dest",
    b"destuuid",
    b"seq",
    b"hg",
    b"ts",
    b"ld",
    b"ttl",
    b"auth",
    b"client_gen",
];

/// The fields of a message that matter for its type.
pub fn describe(
    message: &Message,
    header: &Header,
    groups: &Groups,
    other_is_ours: bool,
) -> String {
    let say = Speech { message, header };
    let mut words = match header.kind.as_str() {
        "status" => say.status(groups, other_is_ours),
        "NS_st" => format!("ping node is {}", say.value("st")),
        "NS_ackmsg" => format!(
            "acknowledges {}{}",
            say.hexadecimal("ackseq"),
            say.of_whom()
        ),
        "NS_rexmit" => {
            let (first, last) = (say.value("firstseq"), say.value("lastseq"));
            format!(
                "asks {} for {first}..{last} again",
                say.to_whom("everybody")
            )
        }
        "NS_nak_rexmit" => {
            format!(
                "will not send {} again: {}",
                say.hexadecimal("firstseq"),
                say.value("info")
            )
        }
        "reqnodes" => format!("asks {} for the list of nodes", say.to_whom("everybody")),
        "repnodes" => say.node_list(),
        "addnode" => format!("adds nodes: {}", say.value("nodelist")),
        "delnode" => format!("removes nodes: {}", say.value("nodelist")),
        "setweight" => format!("{} has weight {}", say.value("node"), say.value("weight")),
        "setsite" => format!("{} is at site {}", say.value("node"), say.value("site")),
        "stonith" => say.fencing(),
        "starting" => "is up; asks what the other node holds".to_owned(),
        "resource" => say.resource(),
        "ask_resources" => say.standby(),
        "hb_takeover" => format!("asks to be given {}", say.value("rsc_hold")),
        "shutdone" => "holds nothing any more and leaves".to_owned(),
        "ip-request" => format!("asks for {} to be released", say.value("ipaddr")),
        "ip-request-resp" => format!(
            "tells {}: {} was{} running here, {}",
            say.to_whom("everybody"),
            say.value("ipaddr"),
            if say.is("weown", "yes") { "" } else { " not" },
            say.value("ok")
        ),
        "hbapi-clstat" => format!(
            "client {}: {} ({})",
            say.value("from_id"),
            say.value("st"),
            say.value("info")
        ),
        "query-cstatus" => format!(
            "asks {} for client {}",
            say.to_whom("everybody"),
            say.value("cn")
        ),
        "respond-cstatus" => format!("client {} is {}", say.value("cn"), say.value("cs")),
        "num_ping_nodes" => format!("ipfail: sees {} ping nodes", say.value("num_ping")),
        "hb_hardware" => format!("its Ethernet addresses: {}", say.value("hb_ethernet")),
        "hb_terms" => format!("compares files: {}", say.value("hb_terms")),
        "abort_giveup" => "ipfail: sees as many ping nodes, nothing need move".to_owned(),
        "you_are_dead" => "ipfail: sees more ping nodes and wants everything".to_owned(),
        _ => say.everything_else(),
    };
    if words.len() > LONGEST {
        words = printable(words.as_bytes(), LONGEST);
    }
    words
}

/// One message that is put into words.
struct Speech<'a> {
    message: &'a Message,
    header: &'a Header,
}

impl Speech<'_> {
    /// A field as it stands there.
    fn value(&self, name: &str) -> String {
        text(self.message, name).map_or_else(
            || format!("(no {name})"),
            |value| printable(value.trim_ascii(), LONGEST_VALUE),
        )
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.message.text(name) == Some(value)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.message.text(name).and_then(hex)
    }

    /// A hexadecimal number as people count.
    fn hexadecimal(&self, name: &str) -> String {
        self.number(name)
            .map_or_else(|| self.value(name), |number| number.to_string())
    }

    fn to_whom(&self, nobody: &str) -> String {
        self.header
            .destination
            .clone()
            .unwrap_or_else(|| nobody.to_owned())
    }

    fn of_whom(&self) -> String {
        match &self.header.destination {
            Some(name) if *name == self.header.source => " of its own".to_owned(),
            Some(name) => format!(" of {name}"),
            None => String::new(),
        }
    }

    fn status(&self, groups: &Groups, other_is_ours: bool) -> String {
        let mut words = self.value("st");
        if let Some(milliseconds) = self.number("dt") {
            let _ = write!(
                words,
                ", dead after {}",
                seconds(Duration::from_millis(milliseconds))
            );
        }
        if text(self.message, "protocol").is_none() {
            words.push_str(", without flow control");
        } else if !self.is("protocol", "1") {
            let _ = write!(words, ", protocol {}", self.value("protocol"));
        }
        let counts = text(self.message, "hp").and_then(|text| std::str::from_utf8(text).ok());
        if let Some(counts) = counts.and_then(PingCounts::parse) {
            let PingCounts { answering, all, .. } = counts;
            let _ = write!(words, ", sees {answering} of {all} ping nodes");
        }
        if let Some(claims) = text(self.message, FIELD) {
            let claims = std::str::from_utf8(claims).unwrap_or_default();
            let _ = write!(words, ", {}", groups.describe(claims, other_is_ours));
        }
        words
    }

    fn resource(&self) -> String {
        let holds = if self.is("rtype", "full") {
            "holds"
        } else {
            "now also holds"
        };
        let what = match self.message.text("rsc_hold") {
            Some("none") => "nothing".to_owned(),
            _ => self.value("rsc_hold"),
        };
        let stability = match self.message.text("isstable") {
            Some("1") => ", stable",
            Some("0") => ", in transition",
            _ => "",
        };
        let why = match text(self.message, "info") {
            Some(_) => format!(" ({})", self.value("info")),
            None => String::new(),
        };
        format!("{holds} {what}{stability}{why}")
    }

    fn standby(&self) -> String {
        let what = match text(self.message, "rsc_hold") {
            Some(_) => self.value("rsc_hold"),
            None => "all".to_owned(),
        };
        match self.message.text("info") {
            Some("me") => format!("standby: wants to hand over {what}"),
            Some("other") => format!("standby: agrees to take {what}"),
            Some("done") => format!("standby: done with {what}"),
            _ => format!("standby: {} {what}", self.value("info")),
        }
    }

    fn node_list(&self) -> String {
        let mut words = format!(
            "list of nodes for {}: {}",
            self.to_whom("everybody"),
            self.value("nodelist")
        );
        let deleted = text(self.message, "delnodelist").map(<[u8]>::trim_ascii);
        if deleted.is_some_and(|deleted| !deleted.is_empty()) {
            let _ = write!(words, ", deleted: {}", self.value("delnodelist"));
        }
        words
    }

    fn fencing(&self) -> String {
        let node = self.value("node");
        match self.message.text("result") {
            Some("OK") => format!("{node} was fenced"),
            Some("bad") => format!("{node} could not be fenced"),
            Some("badhost") => format!("no device fences {node}"),
            Some("n_stnth") => format!("{node} is not fenced: nothing is configured"),
            Some("unneeded") => format!("{node} need not be fenced"),
            _ => format!("fencing of {node}: {}", self.value("result")),
        }
    }

    /// A type that we don't know: all that is not in every message.
    fn everything_else(&self) -> String {
        let mut words = String::new();
        for field in self
            .message
            .fields()
            .filter(|field| !HEADER.contains(&field.name))
        {
            if words.len() > LONGEST {
                break;
            }
            let name = printable(field.name, LONGEST_VALUE);
            let value = printable(&plain(field), LONGEST_VALUE);
            let _ = write!(
                words,
                "{}{name}={value}",
                if words.is_empty() { "" } else { " " }
            );
        }
        words
    }
}

/// Bytes that say the most about a value in little room.
fn plain(field: Field<'_>) -> Vec<u8> {
    match field.kind {
        FieldKind::Text => field.value.to_vec(),
        _ => format!("({} bytes)", field.value.len()).into_bytes(),
    }
}

/// A time span as a person reads it.
pub fn seconds(span: Duration) -> String {
    if span < Duration::from_secs(60) {
        return format!("{:.1} s", span.as_secs_f64());
    }
    let whole = span.as_secs();
    let (hours, minutes) = (whole / 3600, whole / 60 % 60);
    if hours > 0 {
        format!("{hours} h {minutes} min")
    } else {
        format!("{minutes} min {} s", whole % 60)
    }
}

/// A number of things.
pub fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// The name of a field's type.
pub fn kind_name(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "text",
        FieldKind::Binary => "binary",
        FieldKind::Struct => "struct",
        FieldKind::List => "list",
        FieldKind::Compressed => "compressed",
    }
}

/// A value as a person reads it: a uuid as such, other binary values as hexadecimal digits, what is nested in braces.
pub fn value(field: Field<'_>) -> String {
    match (field.kind, field.value) {
        (FieldKind::Text, text) => printable(text, LONGEST_FIELD),
        (FieldKind::Binary, bytes) => {
            uuid(field.name, bytes).unwrap_or_else(|| hexadecimal(bytes, LONGEST_FIELD))
        }
        (FieldKind::Compressed, bytes) => hexadecimal(bytes, LONGEST_FIELD),
        (FieldKind::List, packed) => {
            let items = list_items(packed).map(|item| printable(item, LONGEST_FIELD));
            format!("[{}]", joined(items))
        }
        (FieldKind::Struct, nested) => {
            let mut message = Message::new();
            if parse_nested(nested, &mut message).is_err() {
                return hexadecimal(nested, LONGEST_FIELD);
            }
            let fields = message
                .fields()
                .map(|field| format!("{}={}", printable(field.name, LONGEST_VALUE), value(field)));
            format!("{{{}}}", joined(fields))
        }
    }
}

fn joined(mut parts: impl Iterator<Item = String>) -> String {
    let mut shown: Vec<_> = parts.by_ref().take(MOST_SHOWN).collect();
    if parts.next().is_some() {
        shown.push("and more".to_owned());
    }
    shown.join(", ")
}

fn uuid(name: &[u8], bytes: &[u8]) -> Option<String> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    name.ends_with(b"uuid").then(|| uuid_text(&bytes))
}

/// A uuid in its usual form.
pub fn uuid_text(uuid: &[u8; 16]) -> String {
    let digits = hexadecimal(uuid, 16);
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::decode::header;
    use super::*;

    fn words(fields: &[(&str, &str)]) -> String {
        let mut message = Message::new();
        message.push_text("src", "beta");
        for (name, value) in fields {
            message.push_text(name, value);
        }
        describe(&message, &header(&message), &Groups::new(&[]), true)
    }

    #[test]
    fn every_type_of_the_protocol_is_told_in_words() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (
                &[
                    ("t", "status"),
                    ("st", "active"),
                    ("dt", "1770"),
                    ("protocol", "1"),
                ],
                "active, dead after 6.0 s",
            ),
            (&[("t", "status"), ("st", "up")], "up, without flow control"),
            (
                &[
                    ("t", "status"),
                    ("st", "active"),
                    ("protocol", "1"),
                    ("hp", "1 0 2"),
                ],
                "active, sees 1 of 2 ping nodes",
            ),
            (
                &[("t", "hb_hardware"), ("hb_ethernet", "020000000001")],
                "its Ethernet addresses: 020000000001",
            ),
            (
                &[("t", "hb_terms"), ("hb_terms", "total 1 - 0")],
                "compares files: total 1 - 0",
            ),
            (
                &[("t", "num_ping_nodes"), ("num_ping", "2")],
                "ipfail: sees 2 ping nodes",
            ),
            (
                &[("t", "NS_ackmsg"), ("dest", "alpha"), ("ackseq", "1f")],
                "acknowledges 31 of alpha",
            ),
            (
                &[("t", "NS_ackmsg"), ("dest", "beta"), ("ackseq", "a")],
                "acknowledges 10 of its own",
            ),
            (
                &[
                    ("t", "NS_rexmit"),
                    ("dest", "alpha"),
                    ("firstseq", "34"),
                    ("lastseq", "36"),
                ],
                "asks alpha for 34..36 again",
            ),
            (
                &[
                    ("t", "NS_nak_rexmit"),
                    ("firstseq", "1f"),
                    ("info", "seqno too low"),
                ],
                "will not send 31 again: seqno too low",
            ),
            (
                &[
                    ("t", "resource"),
                    ("rtype", "full"),
                    ("rsc_hold", "local"),
                    ("isstable", "1"),
                ],
                "holds local, stable",
            ),
            (
                &[
                    ("t", "resource"),
                    ("rsc_hold", "foreign"),
                    ("info", "mach_down"),
                ],
                "now also holds foreign (mach_down)",
            ),
            (
                &[("t", "ask_resources"), ("info", "me"), ("rsc_hold", "all")],
                "standby: wants to hand over all",
            ),
            (
                &[("t", "hb_takeover"), ("rsc_hold", "local")],
                "asks to be given local",
            ),
            (&[("t", "hb_takeover")], "asks to be given (no rsc_hold)"),
            (
                &[("t", "unheard-of"), ("a", "1"), ("b", "x\ny")],
                "a=1 b=x\\x0ay",
            ),
        ];
        for (fields, expected) in cases {
            assert_eq!(words(fields), *expected);
        }
    }

    #[test]
    fn a_line_stays_a_line_whatever_a_sender_writes() {
        let long = "x".repeat(100_000);
        let said = words(&[("t", "repnodes"), ("nodelist", &long), ("dest", "\x1b[31m")]);
        assert!(said.len() < 400 && !said.contains('\x1b'), "{said}");
        let many: Vec<(&str, &str)> = std::iter::repeat_n(("name", long.as_str()), 500).collect();
        assert!(words(&many).len() < 400);
    }

    #[test]
    fn values_of_every_type_are_readable() {
        let mut inner = Message::new();
        inner.push_text("a", "1\n2");
        let mut message = Message::new();
        message.push_binary("srcuuid", &[0xab; 16]);
        message.push_binary("key", &[1, 2]);
        message.push_struct("inner", &inner).expect("a struct");
        message.push_list("list", ["x", "y"]).expect("a list");
        let shown: Vec<_> = message.fields().map(value).collect();
        let expected = [
            "abababab-abab-abab-abab-abababababab",
            "0102",
            "{a=1\\x0a2}",
            "[x, y]",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn time_spans_have_the_precision_that_matters() {
        assert_eq!(seconds(Duration::from_millis(3040)), "3.0 s");
        assert_eq!(seconds(Duration::from_secs(207)), "3 min 27 s");
        assert_eq!(seconds(Duration::from_secs(7260)), "2 h 1 min");
    }
}
