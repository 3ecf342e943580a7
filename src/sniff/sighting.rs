//! One message as it is shown: a line for a person, all fields below it, or an object of JSON.

use std::fmt::Write as _;

use serde::Serialize;

use super::decode::Authenticity;
use super::packet::Direction;
use crate::message::Form;

/// How wide the words of a message are before its verdicts.
const WORDS: usize = 46;

/// A field as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownField {
    /// Its name.
    pub name: String,
    /// `text`, `binary`, `struct`, `list`, `compressed`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its value.
    pub value: String,
}

/// One message, judged. Nothing in it but ASCII that can be printed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sighting {
    /// Seconds since 1970.
    pub time: Option<f64>,
    /// What the sender's clock said, in seconds since 1970.
    pub sent: Option<u64>,
    /// On which link it came.
    pub link: String,
    /// `in` or `out`, where that is known.
    pub direction: Option<&'static str>,
    /// Address and port of the sender.
    pub from: Option<String>,
    /// Address and port that it was sent to.
    pub to: Option<String>,
    /// Length of the datagram, or of the text of a serial line.
    pub bytes: usize,
    /// In how many IP packets it came.
    pub fragments: u16,
    /// The capture has less of it than went over the wire.
    pub cut: bool,
    /// `netstring`, `classic` or `short`.
    pub form: Option<&'static str>,
    /// It came compressed.
    pub compressed: bool,
    /// Name of the sender.
    pub source: String,
    /// The sender's run, hexadecimal as on the wire.
    pub generation: Option<String>,
    /// Number in the stream.
    pub number: Option<u64>,
    /// Type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it says, in words.
    pub words: String,
    /// `null` when there are no keys to check it with.
    pub authentic: Option<bool>,
    /// Index of the key that it names.
    pub key: Option<u8>,
    /// The method of that key, once the signature is found right.
    pub method: Option<&'static str>,
    /// The same in words, with the reason.
    pub authenticity: String,
    /// Where it stands in the stream, one word: `first`, `new`, `gap`, `late`, `copy`, `again`, `old`, `restart`,
    /// `replay`, `leftover`, `unnumbered`; `null` where that can't be told.
    pub order: Option<&'static str>,
    /// The same in words.
    pub order_words: Option<String>,
    /// What else is odd about it.
    pub remarks: Vec<String>,
    /// All fields in their order.
    pub fields: Vec<ShownField>,
}

impl Sighting {
    /// One line, without its end; `time` is how the time is written, `width` how wide the longest link name is.
    pub fn line(&self, time: &str, width: usize) -> String {
        let who = match (&self.generation, self.number) {
            _ if self.source.is_empty() => "?".to_owned(),
            (Some(generation), Some(number)) => {
                format!("{} {}/{number}", self.source, short(generation))
            }
            (Some(generation), None) => format!("{} {}/-", self.source, short(generation)),
            (None, Some(number)) => format!("{} ?/{number}", self.source),
            (None, None) => self.source.clone(),
        };
        let direction = self.direction.unwrap_or("");
        let mut line = format!(
            "{time:<12}  {link:<width$} {direction:<3}  {who:<18} {kind:<14} {words:<WORDS$}  {authenticity}",
            link = self.link,
            kind = self.kind,
            words = self.words,
            authenticity = self.authenticity,
        );
        // Writing into a string can't fail.
        if let Some(order) = &self.order_words {
            let _ = write!(line, "; {order}");
        }
        for remark in &self.remarks {
            let _ = write!(line, "; {remark}");
        }
        line
    }

    /// All fields, one a line.
    pub fn details(&self) -> String {
        let mut text = String::new();
        if let (Some(from), Some(to)) = (&self.from, &self.to) {
            let _ = writeln!(text, "        {from} -> {to}, {} bytes", self.bytes);
        }
        for field in &self.fields {
            let mark = if field.kind == "text" {
                String::new()
            } else {
                format!(" ({})", field.kind)
            };
            let _ = writeln!(text, "        {}{mark} = {}", field.name, field.value);
        }
        text
    }

    /// The parts that come from the judgement of the signature.
    pub(super) fn set_authenticity(&mut self, authenticity: Authenticity) {
        self.authenticity = authenticity.to_string();
        self.key = authenticity.key();
        (self.authentic, self.method) = match authenticity {
            Authenticity::Authentic { method, .. } => (Some(true), Some(method.name())),
            Authenticity::NotChecked { .. } => (None, None),
            Authenticity::NotAuthentic { .. } => (Some(false), None),
        };
    }
}

/// The end of a generation: enough to see that it changed.
fn short(generation: &str) -> &str {
    let start = generation.len().saturating_sub(4);
    generation.get(start..).unwrap_or(generation)
}

/// A direction in a word.
pub(super) fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
    }
}

/// A form in a word.
pub(super) fn form_name(form: Form) -> &'static str {
    match form {
        Form::Classic => "classic",
        Form::Netstring => "netstring",
    }
}
