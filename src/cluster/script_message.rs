//! Messages that scripts of one node send to scripts of both: what they may be like.

use std::fmt;

use super::{ethernet, incident, terms};
use crate::message::{FieldKind, Message};

/// More fields than this no such message has.
const MOST_FIELDS: usize = 64;
/// More bytes than this the names and values of one have not, together. On a slow serial line a message of this size
/// takes seconds.
const MOST_BYTES: usize = 4096;
/// The most bytes of a type or name.
const LONGEST_NAME: usize = 64;

/// What the daemons say to each other, heartbeat 3.0.6 included, or to scripts; and everything that begins with `NS_` or `hbapi-`.
const RESERVED_TYPES: [&str; 22] = [
    "status",
    "ifstat",
    "jeopardy",
    "reqnodes",
    "repnodes",
    "starting",
    "resource",
    "ask_resources",
    "hb_takeover",
    "ip-request",
    "ip-request-resp",
    "stonith",
    "shutdone",
    "num_ping_nodes",
    "you_are_dead",
    "abort_giveup",
    "query-cstatus",
    "respond-cstatus",
    "addnode",
    "delnode",
    "setweight",
    "setsite",
];

/// What each message says of itself; the daemon fills it in.
const HEADER: [&str; 9] = [
    "t", "src", "srcuuid", "destuuid", "seq", "hg", "ts", "ld", "ttl",
];
/// So are signatures.
const AUTH: &str = "auth";
/// The node that alone is to hear it, by name.
const DESTINATION: &str = "dest";

/// A message of scripts: a type that is none of the daemons' own, and named texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptMessage {
    kind: String,
    fields: Vec<(String, String)>,
}

/// Why scripts can't send a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsendable {
    /// It has no type.
    NoType,
    /// The type can't be the name of a script.
    Type(String),
    /// The type is one of the daemons' own.
    ReservedType(String),
    /// The name can't be part of that of a variable.
    Name(String),
    /// The value of this field is not plain text.
    Value(String),
    /// It has too many fields or bytes.
    TooLarge,
}

impl ScriptMessage {
    /// A message of this type. Fields of the header are left out, whatever they say.
    pub fn new(kind: &str, fields: Vec<(String, String)>) -> Result<Self, Unsendable> {
        if kind.is_empty() {
            return Err(Unsendable::NoType);
        }
        if !is_script_name(kind) {
            return Err(Unsendable::Type(shortened(kind)));
        }
        if is_reserved(kind) {
            return Err(Unsendable::ReservedType(kind.to_owned()));
        }
        let is_header = |name: &str| HEADER.contains(&name) || name == AUTH;
        let fields = fields.into_iter().filter(|(name, _)| !is_header(name));
        let fields: Vec<_> = fields.collect();
        let bytes = fields.iter().map(|(name, value)| name.len() + value.len());
        if fields.len() > MOST_FIELDS || bytes.sum::<usize>() > MOST_BYTES {
            return Err(Unsendable::TooLarge);
        }
        for (name, value) in &fields {
            if !is_field_name(name) {
                return Err(Unsendable::Name(shortened(name)));
            }
            if value.chars().any(char::is_control) {
                return Err(Unsendable::Value(name.clone()));
            }
        }
        let kind = kind.to_owned();
        Ok(Self { kind, fields })
    }

    /// Its type: the name of the scripts that hear it.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Names and values, in their order.
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// What the other node said; none when no script may see it. Fields that none may see are left out.
    pub(super) fn read(kind: &str, message: &Message) -> Option<Self> {
        let text = |bytes| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let fields = message
            .fields()
            .filter(|field| field.kind == FieldKind::Text);
        let fields = fields.filter_map(|field| Some((text(field.name)?, text(field.value)?)));
        let is_fine = |(name, value): &(String, String)| {
            is_field_name(name) && !value.chars().any(char::is_control)
        };
        Self::new(kind, fields.filter(is_fine).collect()).ok()
    }

    /// The node that alone is to hear it.
    pub(super) fn destination(&self) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(name, _)| name == DESTINATION);
        found.map(|(_, value)| value.as_str())
    }
}

/// Whether a script of `rc.d` can have this name and be told of messages of that type.
pub fn is_script_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_word) && !name.starts_with('-')
}

/// Whether messages of this type are the daemons' own.
pub fn is_reserved(kind: &str) -> bool {
    RESERVED_TYPES.contains(&kind)
        || kind == ethernet::KIND
        || kind == incident::KIND
        || kind == terms::KIND
        || kind.starts_with("NS_")
        || kind.starts_with("hbapi-")
}

/// Variables of ours that decide something, such as `HA_FUNCS`, have no small letters.
fn is_field_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(is_word)
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

fn shortened(word: &str) -> String {
    word.chars().take(LONGEST_NAME).collect()
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoType => f.write_str("it has no line t=TYPE, which names the script in rc.d"),
            Self::Type(kind) => write!(
                f,
                "{kind:?} is no type: it names a script in rc.d, and so is made of letters, digits, - and _, at most \
                 {LONGEST_NAME} of them"
            ),
            Self::ReservedType(kind) => write!(
                f,
                "messages of type {kind} are the daemons' own; hb_standby and hb_takeover move resources, and other \
                 scripts want a type of their own"
            ),
            Self::Name(name) => write!(
                f,
                "{name:?} is no name of a field: it becomes the variable HA_NAME, and so is made of letters, digits \
                 and _, with a small letter among them, at most {LONGEST_NAME} of them"
            ),
            Self::Value(name) => write!(f, "the value of {name} has control characters in it"),
            Self::TooLarge => write!(
                f,
                "it has more than {MOST_FIELDS} fields or {MOST_BYTES} bytes; send the name of a file instead"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(kind: &str, fields: &[(&str, &str)]) -> Result<ScriptMessage, Unsendable> {
        let fields = fields.iter();
        let owned = fields.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ScriptMessage::new(kind, owned.collect())
    }

    #[test]
    fn what_scripts_send_is_named_like_a_script_and_like_variables() {
        let fields = [("t", "x"), ("what", "ä b=c"), ("seq", "7"), ("aB_1", "")];
        let message = made("my-type_1", &fields).expect("a good one");
        let kept = [("what", "ä b=c"), ("aB_1", "")];
        let kept = kept.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(message.fields(), kept, "the header is ours");
        for kind in ["a/b", ".a", "-a", "a b", "a.sh", &"a".repeat(65)] {
            assert!(
                matches!(made(kind, &[]), Err(Unsendable::Type(_))),
                "{kind}"
            );
        }
        for kind in [
            "status",
            "resource",
            "NS_ackmsg",
            "hbapi-req",
            "hb_hardware",
            "hb_terms",
        ] {
            let refused = Unsendable::ReservedType(kind.to_owned());
            assert_eq!(made(kind, &[]), Err(refused));
        }
        assert_eq!(made("", &[]), Err(Unsendable::NoType));
        for name in ["FUNCS", "", "1a", "a-b", "a b", "a\nb", "ä", "_"] {
            let refused = made("mine", &[(name, "x")]);
            assert!(matches!(refused, Err(Unsendable::Name(_))), "{name}");
        }
        let refused = made("mine", &[("a", "x\u{1b}[2J")]);
        assert_eq!(refused, Err(Unsendable::Value("a".to_owned())));
        let long = "x".repeat(MOST_BYTES);
        assert_eq!(made("mine", &[("a", &long)]), Err(Unsendable::TooLarge));
    }
}
