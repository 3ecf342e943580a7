//! Takes messages as they come, from whatever link or file, and judges each.

use std::net::SocketAddr;
use std::time::Duration;

use super::book::{Arrival, Book};
use super::decode::{Authenticity, Decoded, Header, decode, header};
use super::escape::printable;
use super::groups::Groups;
use super::hints::hints;
use super::order::Order;
use super::packet::Direction;
use super::settings::Settings;
use super::short;
use super::sighting::{ShownField, Sighting, direction_name, form_name};
use super::summary::{Losses, Summary};
use super::words::{MOST_SHOWN, counted, describe, kind_name, value};
use crate::cluster::claims::hex;
use crate::message::{Form, Message};

/// The longest name of a link that is shown.
const LONGEST_LINK: usize = 32;
/// The longest name of a field that is shown.
const LONGEST_FIELD_NAME: usize = 200;

/// A message as it came.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// When, since 1970.
    pub time: Option<Duration>,
    /// On which link.
    pub link: &'a str,
    /// In which direction.
    pub direction: Option<Direction>,
    /// Who sent the datagram.
    pub source: Option<SocketAddr>,
    /// Whom it was for; none on a serial line.
    pub destination: Option<SocketAddr>,
    /// In how many IP packets it came.
    pub pieces: u16,
    /// The capture has less of it than went over the wire.
    pub is_cut: bool,
    /// The message.
    pub bytes: &'a [u8],
}

/// Listens to a pair.
#[derive(Debug)]
pub struct Sniffer {
    settings: Settings,
    groups: Groups,
    book: Book,
    message: Message,
}

impl Sniffer {
    /// Nothing heard yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            groups: Groups::new(&settings.groups),
            settings,
            book: Book::default(),
            message: Message::new(),
        }
    }

    /// Judges one message.
    pub fn hear(&mut self, heard: &Heard<'_>) -> Sighting {
        let mut message = std::mem::take(&mut self.message);
        let is_serial = heard.destination.is_none();
        let short = is_serial
            .then(|| short::find(heard.bytes, &self.settings, &self.book, &mut message))
            .flatten();
        let decoded = short.as_ref().map_or_else(
            || decode(heard.bytes, self.settings.keys.as_ref(), &mut message),
            |short| short.decoded,
        );
        let mut header = header(&message);
        if short.is_some() {
            header.flaw = None; // it says no more
        }
        let link = printable(heard.link.as_bytes(), LONGEST_LINK);
        let arrival = Arrival {
            time: heard.time,
            link: &link,
            direction: heard.direction,
            destination: heard.destination,
        };
        self.book.note(&arrival, decoded.authenticity);
        let mut sighting = show(heard, decoded, &header, &message);
        if let Some(short) = &short {
            sighting.form = Some("short");
            sighting.words.clone_from(&short.words);
        } else if !message.is_empty() {
            sighting.words = describe(
                &message,
                &header,
                &self.groups,
                self.book.has_ours_beside(&header.source),
            );
        }
        self.remark(heard, decoded, &header, &message, &mut sighting);
        let order = match decoded.authenticity {
            // Whatever is wrong with it may be nothing but what the capture left out.
            Authenticity::NotAuthentic { .. } if heard.is_cut => {
                self.book.cut = self.book.cut.saturating_add(1);
                None
            }
            Authenticity::NotAuthentic { reason, .. } => {
                self.book.refuse(&header.source, reason);
                None
            }
            _ if short.is_some() && header.source.is_empty() => None,
            authenticity if header.flaw.is_none() => {
                self.book.hear(&arrival, &header, authenticity, &message)
            }
            _ => {
                self.book.flawed = self.book.flawed.saturating_add(1);
                None
            }
        };
        sighting.order = order.map(Order::name);
        sighting.order_words = order.map(|order| self.order_words(order, &arrival));
        sighting.link = link;
        self.message = message;
        sighting
    }

    /// What was heard so far, by node and by link.
    pub fn summary(&self, losses: Losses) -> Summary {
        let mut hints = hints(&self.book, &self.settings, &self.groups);
        if losses.incomplete > 0 {
            let datagrams = counted(losses.incomplete, "datagram");
            hints.push(format!(
                "{datagrams} came in pieces of which some are missing"
            ));
        }
        if losses.dropped > 0 {
            let packets = counted(losses.dropped, "packet");
            hints.push(format!(
                "the kernel dropped {packets} before they could be looked at: what seems missing may have been among them"
            ));
        }
        Summary::new(&self.book, losses, hints)
    }

    fn remark(
        &self,
        heard: &Heard<'_>,
        decoded: Decoded,
        header: &Header,
        message: &Message,
        sighting: &mut Sighting,
    ) {
        let is_serial = heard.destination.is_none();
        let remarks = &mut sighting.remarks;
        if decoded.form == Some(Form::Classic) && !is_serial {
            remarks.push("classic form".to_owned());
        }
        if decoded.is_compressed {
            remarks.push("came compressed".to_owned());
        }
        if heard.pieces > 1 {
            remarks.push(format!("in {} fragments", heard.pieces));
        }
        let more = message.fields().count().saturating_sub(MOST_SHOWN);
        if more > 0 {
            remarks.push(format!("{more} more fields not shown"));
        }
        if heard.is_cut {
            remarks.push("cut short by the capture".to_owned());
        }
        if decoded.form.is_none() || sighting.fields.is_empty() {
            return;
        }
        if let Some(flaw) = header.flaw {
            remarks.push(format!("REFUSED: {flaw}"));
        }
        if !header.source.is_empty() && !self.settings.knows(&header.source) {
            remarks.push("unknown node".to_owned());
        }
    }

    /// The order in words, with the place where a copy came first.
    fn order_words(&self, order: Order, arrival: &Arrival<'_>) -> String {
        let Order::Copy(first) = order else {
            return order.to_string();
        };
        match self.book.elsewhere(first) {
            Some(first) if first.link != arrival.link => {
                format!("copy (also came on {})", first.link)
            }
            Some(first) => match first.destination {
                Some(destination) => format!("copy (also sent to {})", destination.ip()),
                None => order.to_string(),
            },
            None => order.to_string(),
        }
    }
}

fn show(heard: &Heard<'_>, decoded: Decoded, header: &Header, message: &Message) -> Sighting {
    let fields = message.fields().take(MOST_SHOWN).map(|field| ShownField {
        name: printable(field.name, LONGEST_FIELD_NAME),
        kind: kind_name(field.kind),
        value: value(field),
    });
    let mut sighting = Sighting {
        time: heard.time.map(|time| time.as_secs_f64()),
        link: String::new(),
        sent: sent(message),
        direction: heard.direction.map(direction_name),
        from: heard.source.map(|address| address.to_string()),
        to: heard.destination.map(|address| address.to_string()),
        bytes: heard.bytes.len(),
        fragments: heard.pieces,
        cut: heard.is_cut,
        form: decoded.form.map(form_name),
        compressed: decoded.is_compressed,
        source: header.source.clone(),
        generation: header
            .generation
            .map(|generation| format!("{generation:x}")),
        number: header.number,
        kind: header.kind.clone(),
        words: String::new(),
        authentic: None,
        key: None,
        method: None,
        authenticity: String::new(),
        order: None,
        order_words: None,
        remarks: Vec::new(),
        fields: fields.collect(),
    };
    sighting.set_authenticity(decoded.authenticity);
    sighting
}

/// The sender's clock.
fn sent(message: &Message) -> Option<u64> {
    message.text("ts").and_then(hex)
}
