//! One event as the rest of a line behind its time, and back.

use super::error::Problem;
use super::header::seconds;
use super::keys::{self, Secrecy};
use super::maintenance;
use super::reload;
use super::text::{Blanks, Seconds, escape, push, unescape, unescape_text};
use crate::cluster::{
    Event, GroupId, GroupOutcome, LinkId, MoveRequest, NetworkAnswer, PingId, ScriptMessage,
    Selection, Settings, read_ethernet, write_ethernet,
};
use crate::config::Term;
use crate::message::Keys;

const OUTCOMES: [(&str, GroupOutcome); 7] = [
    ("started", GroupOutcome::Started),
    ("start-failed", GroupOutcome::StartFailed),
    ("stopped", GroupOutcome::Stopped),
    ("stop-failed", GroupOutcome::StopFailed),
    ("found-stopped", GroupOutcome::FoundStopped),
    ("found-running", GroupOutcome::FoundRunning),
    ("broken", GroupOutcome::Broken),
];

/// How links and groups are called: a number for the program and a name for people.
#[derive(Debug, Clone)]
pub(super) struct Names {
    links: Vec<String>,
    groups: Vec<String>,
    pings: Vec<String>,
}

impl Names {
    /// As the settings call them.
    pub fn new(settings: &Settings) -> Self {
        Self {
            links: settings.links.clone(),
            groups: settings
                .groups
                .iter()
                .map(|group| group.key.clone())
                .collect(),
            pings: settings
                .ping
                .nodes
                .iter()
                .map(|node| node.name.clone())
                .collect(),
        }
    }

    /// After this event.
    pub fn heed(&mut self, event: &Event<'_>) {
        if let Event::Reloaded(reload) = event {
            let keys = reload.groups.iter().map(|place| place.group.key.clone());
            self.groups = keys.collect();
        }
    }

    /// The name of a link; empty when there is no such link.
    pub fn link(&self, id: LinkId) -> &str {
        let name = self.links.get(usize::from(id.0));
        name.map_or("", String::as_str)
    }

    /// The name of a ping node; empty when there is no such node.
    pub fn ping(&self, id: PingId) -> &str {
        let name = self.pings.get(usize::from(id.0));
        name.map_or("", String::as_str)
    }

    /// The key of a group; empty when there is no such group.
    pub fn group(&self, id: GroupId) -> &str {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        self.groups.get(index).map_or("", String::as_str)
    }
}

/// Appends what happened; nothing for a tick, which happens in every turn.
pub(super) fn write(event: &Event<'_>, names: &Names, secrecy: Secrecy, out: &mut String) {
    // No arm for "everything else": whoever adds an event is told here that it has to be recorded.
    match event {
        Event::Tick => {}
        Event::Received { link, bytes } => {
            push(out, format_args!(" received {}:", link.0));
            escape(names.link(*link).as_bytes(), Blanks::Escaped, out);
            if !bytes.is_empty() {
                out.push(' ');
                escape(bytes, Blanks::Kept, out);
            }
        }
        Event::WallClock { seconds } => push(out, format_args!(" wall-clock {seconds}")),
        Event::Group { group, outcome } => {
            push(out, format_args!(" group {}:", group.0));
            escape(names.group(*group).as_bytes(), Blanks::Escaped, out);
            let known = OUTCOMES.iter().find(|(_, known)| known == outcome);
            push(
                out,
                format_args!(" {}", known.map_or("unknown", |(name, _)| name)),
            );
        }
        Event::StopRequested => out.push_str(" stop-requested"),
        Event::MoveRequested(MoveRequest::Standby(selection)) => {
            push(out, format_args!(" move-requested standby {selection}"));
        }
        Event::MoveRequested(MoveRequest::Takeover(selection)) => {
            push(out, format_args!(" move-requested takeover {selection}"));
        }
        Event::PingAnswered { node } => {
            push(out, format_args!(" ping-answered {}:", node.0));
            escape(names.ping(*node).as_bytes(), Blanks::Escaped, out);
        }
        Event::Readiness { group, ready } => {
            push(out, format_args!(" readiness {}:", group.0));
            escape(names.group(*group).as_bytes(), Blanks::Escaped, out);
            out.push_str(match ready {
                Some(true) => " ready",
                Some(false) => " not-ready",
                None => " unknown",
            });
        }
        Event::Carrier { group, here } => {
            push(out, format_args!(" carrier {}:", group.0));
            escape(names.group(*group).as_bytes(), Blanks::Escaped, out);
            out.push_str(match here {
                Some(true) => " up",
                Some(false) => " lost",
                None => " unknown",
            });
        }
        Event::FailbackAnswered { agrees } => {
            out.push_str(" failback-answered ");
            out.push_str(if *agrees { "yes" } else { "no" });
        }
        Event::Fenced { request, is_reset } => {
            let how = if *is_reset { "reset" } else { "failed" };
            push(out, format_args!(" fenced {request} {how}"));
        }
        Event::PeerConfirmedDead => out.push_str(" peer-confirmed-dead"),
        Event::NetworkAnswered { request, answer } => {
            push(
                out,
                format_args!(" network-answered {request} {} ", answer.asked),
            );
            match answer.served {
                Some(group) => {
                    push(out, format_args!("{}:", group.0));
                    escape(names.group(group).as_bytes(), Blanks::Escaped, out);
                }
                None => out.push_str("nobody"),
            }
        }
        Event::WatchdogArmed { timeout } => match timeout {
            Some(timeout) => push(out, format_args!(" watchdog-armed {}", Seconds(*timeout))),
            None => out.push_str(" watchdog-armed not"),
        },
        Event::LinkCarrier { link, has } => {
            push(out, format_args!(" link-carrier {}:", link.0));
            escape(names.link(*link).as_bytes(), Blanks::Escaped, out);
            out.push_str(match has {
                Some(true) => " up",
                Some(false) => " lost",
                None => " unknown",
            });
        }
        Event::KeysChanged(keys) => {
            out.push_str(" keys-changed ");
            keys::write(keys, secrecy, out);
        }
        Event::Hardware(own) => push(out, format_args!(" hardware {}", write_ethernet(own))),
        Event::Terms(terms) => {
            out.push_str(" terms");
            for word in terms
                .iter()
                .flat_map(|term| [&term.topic, &term.text, &term.place])
            {
                out.push_str(" ="); // for those that are empty
                escape(word.as_bytes(), Blanks::Escaped, out);
            }
        }
        Event::Reloaded(reload) => {
            out.push_str(" reloaded ");
            reload::write(reload, out);
        }
        Event::Maintenance(order) => {
            out.push_str(" maintenance ");
            maintenance::write_order(order, out);
        }
        Event::Say(message) => {
            push(out, format_args!(" say {}", message.kind()));
            for (name, value) in message.fields() {
                push(out, format_args!(" {name}="));
                escape(value.as_bytes(), Blanks::Escaped, out);
            }
        }
    }
}

/// The event of such a text. `buffer` takes the bytes of a message.
pub(super) fn read<'a>(
    text: &str,
    names: &Names,
    known: Option<&Keys>,
    buffer: &'a mut Vec<u8>,
) -> Result<Event<'a>, Problem> {
    if text.is_empty() {
        return Ok(Event::Tick);
    }
    let text = text.strip_prefix(' ').ok_or(Problem::Time)?;
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    Ok(match name {
        "received" => {
            let (link, bytes) = rest.split_once(' ').unwrap_or((rest, ""));
            let (id, name) = numbered(link)?;
            let link = LinkId(id);
            known_as(names.links.get(usize::from(id)), &name)?;
            buffer.clear();
            unescape(bytes, buffer)?;
            Event::Received {
                link,
                bytes: buffer,
            }
        }
        "link-carrier" => {
            let (link, word) = rest.split_once(' ').ok_or(Problem::Value)?;
            let (id, name) = numbered(link)?;
            let link = LinkId(id);
            known_as(names.links.get(usize::from(id)), &name)?;
            let has = match word {
                "up" => Some(true),
                "lost" => Some(false),
                "unknown" => None,
                _ => return Err(Problem::Value),
            };
            Event::LinkCarrier { link, has }
        }
        "watchdog-armed" => Event::WatchdogArmed {
            timeout: match rest {
                "not" => None,
                time => Some(seconds(time)?),
            },
        },
        "network-answered" => {
            let mut words = rest.splitn(3, ' ');
            let mut next = || words.next().ok_or(Problem::Value);
            let request = next()?.parse().map_err(|_| Problem::Value)?;
            let asked = next()?.parse().map_err(|_| Problem::Value)?;
            let served = match next()? {
                "nobody" => None,
                group => Some(known_group(names, group)?),
            };
            let answer = NetworkAnswer { asked, served };
            Event::NetworkAnswered { request, answer }
        }
        "wall-clock" => Event::WallClock {
            seconds: rest.parse().map_err(|_| Problem::Value)?,
        },
        "group" => {
            let (group, outcome) = rest.split_once(' ').ok_or(Problem::Value)?;
            let group = known_group(names, group)?;
            let outcome = OUTCOMES.iter().find(|(known, _)| *known == outcome);
            let &(_, outcome) = outcome.ok_or(Problem::Value)?;
            Event::Group { group, outcome }
        }
        "stop-requested" if rest.is_empty() => Event::StopRequested,
        "move-requested" => {
            let (way, selection) = rest.split_once(' ').ok_or(Problem::Value)?;
            let selection = Selection::from_word(selection).ok_or(Problem::Value)?;
            Event::MoveRequested(match way {
                "standby" => MoveRequest::Standby(selection),
                "takeover" => MoveRequest::Takeover(selection),
                _ => return Err(Problem::Value),
            })
        }
        "ping-answered" => {
            let (id, name) = numbered(rest)?;
            known_as(names.pings.get(usize::from(id)), &name)?;
            Event::PingAnswered { node: PingId(id) }
        }
        "readiness" => {
            let (group, ready) = found_of_group(names, rest, ["ready", "not-ready"])?;
            Event::Readiness { group, ready }
        }
        "carrier" => {
            let (group, here) = found_of_group(names, rest, ["up", "lost"])?;
            Event::Carrier { group, here }
        }
        "failback-answered" => Event::FailbackAnswered {
            agrees: match rest {
                "yes" => true,
                "no" => false,
                _ => return Err(Problem::Value),
            },
        },
        "terms" => Event::Terms(terms(rest)?),
        "hardware" => Event::Hardware(read_ethernet(rest).ok_or(Problem::Value)?),
        "fenced" => {
            let (request, how) = rest.split_once(' ').ok_or(Problem::Value)?;
            let is_reset = match how {
                "reset" => true,
                "failed" => false,
                _ => return Err(Problem::Value),
            };
            let request = request.parse().map_err(|_| Problem::Value)?;
            Event::Fenced { request, is_reset }
        }
        "peer-confirmed-dead" if rest.is_empty() => Event::PeerConfirmedDead,
        "reloaded" => Event::Reloaded(Box::new(reload::read(rest)?)),
        "maintenance" => Event::Maintenance(Box::new(maintenance::read_order(rest)?)),
        "say" => Event::Say(Box::new(script_message(rest)?)),
        "keys-changed" => Event::KeysChanged(Box::new(keys::read(rest, known)?)),
        unknown => return Err(Problem::Event(unknown.to_owned())),
    })
}

/// `=topic =text =place` and so on.
fn terms(text: &str) -> Result<Vec<Term>, Problem> {
    let words = text.split(' ').filter(|_| !text.is_empty());
    let words = words.map(|word| unescape_text(word.strip_prefix('=').ok_or(Problem::Value)?));
    let words = words.collect::<Result<Vec<String>, Problem>>()?;
    let terms = words.chunks(3).map(|term| match term {
        [topic, text, place] => Ok(Term::new(topic, text, place)),
        _ => Err(Problem::Value),
    });
    terms.collect()
}

/// `mine what=x\x20y`
fn script_message(text: &str) -> Result<ScriptMessage, Problem> {
    let mut words = text.split(' ');
    let kind = words.next().unwrap_or_default();
    let fields = words.map(|word| {
        let (name, value) = word.split_once('=').ok_or(Problem::Value)?;
        Ok((name.to_owned(), unescape_text(value)?))
    });
    let fields = fields.collect::<Result<_, Problem>>()?;
    ScriptMessage::new(kind, fields).map_err(|_| Problem::Value)
}

/// `1:eth0`
fn numbered<T: std::str::FromStr>(word: &str) -> Result<(T, String), Problem> {
    let (number, name) = word.split_once(':').ok_or(Problem::Value)?;
    let number = number.parse().map_err(|_| Problem::Value)?;
    Ok((number, unescape_text(name)?))
}

/// A group, and whether what was looked for was found, by the words for yes and no.
fn found_of_group(
    names: &Names,
    rest: &str,
    [yes, no]: [&str; 2],
) -> Result<(GroupId, Option<bool>), Problem> {
    let (group, word) = rest.split_once(' ').ok_or(Problem::Value)?;
    let found = match word {
        "unknown" => None,
        word if word == yes => Some(true),
        word if word == no => Some(false),
        _ => return Err(Problem::Value),
    };
    Ok((known_group(names, group)?, found))
}

/// `1:IPaddr::10.0.0.1`
fn known_group(names: &Names, word: &str) -> Result<GroupId, Problem> {
    let (id, name) = numbered(word)?;
    let index = usize::try_from(id).unwrap_or(usize::MAX);
    known_as(names.groups.get(index), &name)?;
    Ok(GroupId(id))
}

fn known_as(known: Option<&String>, name: &str) -> Result<(), Problem> {
    let fits = known.is_some_and(|known| known == name);
    fits.then_some(())
        .ok_or_else(|| Problem::Unknown(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::header::tests::settings;
    use super::*;
    use crate::cluster::MaintenanceOrder;

    /// Every kind of event has a number, so that the list below can be seen to be complete.
    fn kind(event: &Event<'_>) -> usize {
        match event {
            Event::Received { .. } => 0,
            Event::Tick => 1,
            Event::WallClock { .. } => 2,
            Event::Group { .. } => 3,
            Event::StopRequested => 4,
            Event::MoveRequested(MoveRequest::Standby(_)) => 5,
            Event::MoveRequested(MoveRequest::Takeover(_)) => 6,
            Event::KeysChanged(_) => 7,
            Event::PingAnswered { .. } => 8,
            Event::FailbackAnswered { .. } => 9,
            Event::Readiness { .. } => 10,
            Event::Hardware(_) => 11,
            Event::Fenced { .. } => 12,
            Event::PeerConfirmedDead => 13,
            Event::Reloaded(_) => 14,
            Event::Say(_) => 15,
            Event::Carrier { .. } => 16,
            Event::NetworkAnswered { .. } => 17,
            Event::LinkCarrier { .. } => 18,
            Event::WatchdogArmed { .. } => 19,
            Event::Terms(_) => 20,
            Event::Maintenance(_) => 21,
        }
    }
    const KINDS: usize = 22;

    fn said_by_script() -> ScriptMessage {
        let fields = [("what", "ä b=c\\"), ("none", "")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        ScriptMessage::new("mine", fields.into()).expect("a good one")
    }

    fn samples() -> Vec<Event<'static>> {
        let mut samples = vec![
            Event::Tick,
            Event::WallClock { seconds: u64::MAX },
            Event::StopRequested,
            Event::PeerConfirmedDead,
            Event::Fenced {
                request: 1,
                is_reset: true,
            },
            Event::Fenced {
                request: u64::MAX,
                is_reset: false,
            },
            Event::KeysChanged(Box::new(settings().keys)),
            Event::Hardware(vec![[2, 0, 0, 0, 0, 1], [0xfe; 6]]),
            Event::Reloaded(Box::new(super::super::reload::tests::sample())),
            Event::Terms(Vec::new()),
            Event::Terms(vec![Term::new("group a", "x a\\ é", ""); 2]),
            Event::Say(Box::new(said_by_script())),
        ];
        let order = MaintenanceOrder::on("root", "a \\ b", Some(Duration::from_millis(1)));
        for order in [
            order,
            MaintenanceOrder::on("", "", None),
            MaintenanceOrder::off("a b"),
        ] {
            samples.push(Event::Maintenance(Box::new(order.expect("a good one"))));
        }
        let everything: Vec<u8> = (0..=u8::MAX).collect();
        for bytes in [
            b"".as_slice(),
            b" ",
            b">>>\nt=status\n<<<\n",
            everything.leak(),
        ] {
            for link in [LinkId(0), LinkId(1)] {
                samples.push(Event::Received { link, bytes });
            }
        }
        samples.extend([Some(true), Some(false), None].map(|ready| {
            let group = GroupId(1);
            Event::Readiness { group, ready }
        }));
        samples.extend([Some(true), Some(false), None].map(|here| {
            let group = GroupId(1);
            Event::Carrier { group, here }
        }));
        samples.extend([Some(true), Some(false), None].map(|has| {
            let link = LinkId(1);
            Event::LinkCarrier { link, has }
        }));
        for timeout in [None, Some(Duration::from_millis(4500))] {
            samples.push(Event::WatchdogArmed { timeout });
        }
        samples.extend([Some(GroupId(1)), None].map(|served| {
            let answer = NetworkAnswer { asked: 2, served };
            let request = u64::MAX;
            Event::NetworkAnswered { request, answer }
        }));
        samples.extend([true, false].map(|agrees| Event::FailbackAnswered { agrees }));
        samples.extend([0, 1].map(|id| Event::PingAnswered { node: PingId(id) }));
        for (_, outcome) in OUTCOMES {
            let group = GroupId(1);
            samples.push(Event::Group { group, outcome });
        }
        for selection in [Selection::All, Selection::Local, Selection::Foreign] {
            samples.push(Event::MoveRequested(MoveRequest::Standby(selection)));
            samples.push(Event::MoveRequested(MoveRequest::Takeover(selection)));
        }
        samples
    }

    #[test]
    fn every_event_comes_back() {
        let names = Names::new(&settings());
        let mut seen = [false; KINDS];
        for event in samples() {
            seen[kind(&event)] = true;
            let (mut text, mut buffer) = (String::new(), b"left over".to_vec());
            write(&event, &names, Secrecy::Recorded, &mut text);
            assert!(!text.contains('\n') && !text.ends_with(' '), "{text:?}");
            let back = read(&text, &names, None, &mut buffer).expect("readable");
            // Events have no equality of their own; their debug form shows everything but the keys.
            assert_eq!(format!("{back:?}"), format!("{event:?}"), "{text}");
            if let (Event::KeysChanged(back), Event::KeysChanged(keys)) = (back, event) {
                assert_eq!(back, keys);
            }
        }
        assert_eq!(seen, [true; KINDS], "a kind of event has no sample");
    }

    #[test]
    fn events_can_be_read_by_a_person() {
        let names = Names::new(&settings());
        let said = |event: &Event<'_>| {
            let mut text = String::new();
            write(event, &names, Secrecy::Withheld, &mut text);
            text
        };
        let (link, bytes) = (LinkId(1), b">>>\nt=status\nst=up\n<<<\n".as_slice());
        assert_eq!(
            said(&Event::Received { link, bytes }),
            r" received 1:eth0 >>>\nt=status\nst=up\n<<<\n"
        );
        let (group, outcome) = (GroupId(0), GroupOutcome::StartFailed);
        assert_eq!(
            said(&Event::Group { group, outcome }),
            " group 0:IPaddr::10.0.0.1 start-failed"
        );
        assert_eq!(
            said(&Event::MoveRequested(MoveRequest::Standby(
                Selection::Foreign
            ))),
            " move-requested standby foreign"
        );
        assert_eq!(
            said(&Event::PingAnswered { node: PingId(1) }),
            r" ping-answered 1:the\x20gates"
        );
        assert_eq!(
            said(&Event::Hardware(vec![[2, 0, 0, 0, 0, 1], [0xfe; 6]])),
            " hardware 020000000001,fefefefefefe"
        );
        assert_eq!(
            said(&Event::Say(Box::new(said_by_script()))),
            r" say mine what=\xc3\xa4\x20b=c\\ none="
        );
        let changed = said(&Event::KeysChanged(Box::new(settings().keys)));
        assert!(
            changed.starts_with(" keys-changed auth=1 1=sha1:check:"),
            "{changed}"
        );
    }

    #[test]
    fn what_does_not_fit_the_header_or_no_event_at_all_is_refused() {
        let names = Names::new(&settings());
        for text in [
            "x",
            " ",
            " tock",
            " received",
            " received eth0 x",
            " received 1:eth1 x",
            " received 2:eth0 x",
            " received 256:eth0 x",
            " received 1:eth0 \\",
            " wall-clock",
            " wall-clock -1",
            " group 0:a\\x20b started",
            " group 1:a\\x20b finished",
            " group 9:a\\x20b started",
            " stop-requested now",
            " move-requested standby",
            " move-requested standby some",
            " move-requested away all",
            " readiness 1:a\\x20b",
            " readiness 1:a\\x20b perhaps",
            " readiness 2:a\\x20b ready",
            " failback-answered",
            " failback-answered maybe",
            " ping-answered",
            " ping-answered 2:router",
            " ping-answered 0:gate",
            " ping-answered 0:router again",
            " say",
            " say status",
            " say mine what",
            " say mine FUNCS=x",
            " hardware",
            " hardware 02:00:00:00:00:01",
            " terms a",
            " terms =a =b",
            " fenced",
            " fenced 1",
            " fenced one reset",
            " fenced 1 killed",
            " peer-confirmed-dead now",
            " keys-changed",
            " keys-changed auth=1",
            " reloaded",
            " reloaded keepalive 1",
        ] {
            let mut buffer = Vec::new();
            let read = read(text, &names, None, &mut buffer);
            assert!(read.is_err(), "{text:?}: {read:?}");
        }
    }
}
