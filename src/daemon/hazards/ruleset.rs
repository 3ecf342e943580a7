//! The packet filter of the kernel as nft(8) tells it, and what becomes of a packet in it. Whatever is not understood
//! counts as if it might let the packet in: what is told to be dropped is dropped.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::resource::PATH;

/// No chain of jumps is deeper in the kernel.
const DEEPEST: usize = 16;

/// A packet that comes in.
#[derive(Debug, Clone)]
pub struct Packet<'a> {
    /// The interface.
    pub interface: &'a str,
    /// IPv6 instead of IPv4.
    pub v6: bool,
    /// The UDP port that it goes to.
    pub port: u16,
    /// As nft calls it: `host`, `broadcast` or `multicast`.
    pub kind: &'static str,
    /// Who sends it, where that is known.
    pub source: Option<String>,
}

/// All tables.
#[derive(Debug)]
pub struct Ruleset {
    chains: Vec<Value>,
    /// By family, table and chain.
    rules: BTreeMap<[String; 3], Vec<Value>>,
}

/// What a rule or a chain does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It goes on behind it.
    Continue,
    /// The chain ends, and the one it was jumped from goes on.
    Return,
    /// It may get in.
    Open,
    Accept,
    Drop,
}

/// Whether something holds for a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    Unknown,
}

impl Ruleset {
    /// Asks nft(8); nothing where there is none, or where we may not.
    pub fn read() -> Option<Self> {
        let output = Command::new("nft")
            .args(["-j", "list", "ruleset"])
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| Self::parse(&output.stdout))?
    }

    /// What `nft -j list ruleset` prints.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(text).ok()?;
        let mut found = Self {
            chains: Vec::new(),
            rules: BTreeMap::new(),
        };
        for item in value.get("nftables")?.as_array()? {
            if let Some(rule) = item.get("rule") {
                let place = ["family", "table", "chain"].map(|name| text_of(rule, name).to_owned());
                found.rules.entry(place).or_default().push(rule.clone());
            }
            found.chains.extend(item.get("chain").cloned());
        }
        Some(found)
    }

    /// The chain in which the packet is dropped for sure, if there is one: family, table and name, as in `inet filter input`.
    pub fn drops(&self, packet: &Packet<'_>) -> Option<String> {
        let mut inputs = self
            .chains
            .iter()
            .filter(|chain| is(chain, "hook", "input"));
        inputs.find_map(|chain| {
            let family = text_of(chain, "family");
            let concerns = match family {
                "inet" => true,
                "ip" => !packet.v6,
                "ip6" => packet.v6,
                _ => false,
            };
            let (table, name) = (text_of(chain, "table"), text_of(chain, "name"));
            if !concerns {
                return None;
            }
            let is_dropped = match self.chain((family, table), name, packet, 0) {
                Verdict::Drop => true,
                Verdict::Continue | Verdict::Return => is(chain, "policy", "drop"),
                Verdict::Open | Verdict::Accept => false,
            };
            is_dropped.then(|| format!("{family} {table} {name}"))
        })
    }

    fn chain(&self, place: (&str, &str), name: &str, packet: &Packet<'_>, depth: usize) -> Verdict {
        if depth > DEEPEST {
            return Verdict::Open;
        }
        let rules = self.rules.get(&[place.0, place.1, name].map(str::to_owned));
        for rule in rules.into_iter().flatten() {
            match self.rule(place, rule, packet, depth) {
                Verdict::Continue => {}
                verdict => return verdict,
            }
        }
        Verdict::Continue
    }

    fn rule(
        &self,
        place: (&str, &str),
        rule: &Value,
        packet: &Packet<'_>,
        depth: usize,
    ) -> Verdict {
        let mut fits = Match::Yes;
        let parts = rule.get("expr").and_then(Value::as_array);
        for part in parts.into_iter().flatten() {
            let Some((word, value)) = part.as_object().and_then(|part| part.iter().next()) else {
                return Verdict::Open;
            };
            match word.as_str() {
                "match" => match matches(value, packet) {
                    Match::No => return Verdict::Continue,
                    Match::Unknown => fits = Match::Unknown,
                    Match::Yes => {}
                },
                "counter" | "log" | "comment" | "notrack" => {}
                // What is behind it might let the packet in.
                "jump" | "goto" if fits == Match::Unknown => return Verdict::Open,
                "accept" | "drop" | "reject" | "return" | "jump" | "goto" => {
                    let verdict = self.verdict(place, word, value, packet, depth);
                    return doubtful(verdict, fits);
                }
                "vmap" => {
                    let verdict = self.vmap(place, value, packet, depth);
                    return doubtful(verdict, fits);
                }
                // A limit, a match of iptables that nft can't read, and whatever comes later.
                _ => fits = Match::Unknown,
            }
        }
        Verdict::Continue
    }

    fn verdict(
        &self,
        place: (&str, &str),
        word: &str,
        value: &Value,
        packet: &Packet<'_>,
        depth: usize,
    ) -> Verdict {
        let target = || text_of(value, "target");
        let deeper = depth.saturating_add(1);
        match word {
            "accept" => Verdict::Accept,
            "drop" | "reject" => Verdict::Drop,
            "return" => Verdict::Return,
            "jump" => match self.chain(place, target(), packet, deeper) {
                Verdict::Return => Verdict::Continue,
                verdict => verdict,
            },
            "goto" => match self.chain(place, target(), packet, deeper) {
                // What follows is the end of the chain that it was reached from.
                Verdict::Continue => Verdict::Return,
                verdict => verdict,
            },
            _ => Verdict::Open,
        }
    }

    /// `ct state vmap { established : accept, ... }`
    fn vmap(
        &self,
        place: (&str, &str),
        value: &Value,
        packet: &Packet<'_>,
        depth: usize,
    ) -> Verdict {
        let key = value.get("key").unwrap_or(&Value::Null);
        let elements = value.get("data").and_then(|data| data.get("set"));
        let Some(elements) = elements.and_then(Value::as_array) else {
            return Verdict::Open;
        };
        for element in elements {
            let pair = element.as_array().map(Vec::as_slice);
            let Some([wanted, verdict]) = pair else {
                return Verdict::Open;
            };
            match holds(key, wanted, packet) {
                Match::No => {}
                Match::Unknown => return Verdict::Open,
                Match::Yes => {
                    let verdict = verdict.as_object().and_then(|words| words.iter().next());
                    return match verdict {
                        Some((word, value)) => self.verdict(place, word, value, packet, depth),
                        None => Verdict::Open,
                    };
                }
            }
        }
        Verdict::Continue
    }
}

/// What follows when it is not sure that a rule is meant: what might be dropped might also go on.
fn doubtful(verdict: Verdict, fits: Match) -> Verdict {
    match (verdict, fits) {
        (verdict, Match::Yes) => verdict,
        (Verdict::Drop | Verdict::Continue, _) => Verdict::Continue,
        _ => Verdict::Open,
    }
}

fn matches(value: &Value, packet: &Packet<'_>) -> Match {
    let side = |name| value.get(name).unwrap_or(&Value::Null);
    let found = holds(side("left"), side("right"), packet);
    match (text_of(value, "op"), found) {
        ("==" | "in", found) => found,
        ("!=", Match::Yes) => Match::No,
        ("!=", Match::No) => Match::Yes,
        _ => Match::Unknown,
    }
}

/// Whether what `left` names is `right` in the packet.
fn holds(left: &Value, right: &Value, packet: &Packet<'_>) -> Match {
    if let Some(meta) = left.get("meta") {
        let family = if packet.v6 { "ipv6" } else { "ipv4" };
        return match text_of(meta, "key") {
            "iifname" | "iif" => is_name(packet.interface, right),
            "l4proto" => is_word("udp", right),
            "nfproto" => is_word(family, right),
            "protocol" => is_word(if packet.v6 { "ip6" } else { "ip" }, right),
            "pkttype" => is_word(packet.kind, right),
            _ => Match::Unknown,
        };
    }
    if let Some(ct) = left.get("ct") {
        return match text_of(ct, "key") {
            // What the nodes send comes from ever other ports: none is an answer to another.
            "state" => is_word("new", right),
            "status" => is_word("none", right),
            _ => Match::Unknown,
        };
    }
    let Some(payload) = left.get("payload") else {
        return Match::Unknown;
    };
    let source = packet.source.as_deref();
    match (text_of(payload, "protocol"), text_of(payload, "field")) {
        ("udp" | "th", "dport") => is_number(packet.port, right),
        ("tcp" | "icmp" | "icmpv6" | "sctp" | "dccp" | "esp" | "ah", _) => Match::No,
        ("ip6", _) if !packet.v6 => Match::No,
        ("ip", _) if packet.v6 => Match::No,
        ("ip", "protocol") | ("ip6", "nexthdr") => is_word("udp", right),
        ("ip" | "ip6", "saddr") => source.map_or(Match::Unknown, |source| is_host(source, right)),
        _ => Match::Unknown,
    }
}

/// Goes through sets and lists; `one` judges each element.
fn any(right: &Value, one: &dyn Fn(&Value) -> Match) -> Match {
    let elements = right.get("set").unwrap_or(right);
    let Some(elements) = elements.as_array() else {
        return one(elements
            .get("elem")
            .and_then(|elem| elem.get("val"))
            .unwrap_or(elements));
    };
    let mut found = Match::No;
    for element in elements {
        match any(element, one) {
            Match::Yes => return Match::Yes,
            Match::Unknown => found = Match::Unknown,
            Match::No => {}
        }
    }
    found
}

fn sure(holds: bool) -> Match {
    if holds { Match::Yes } else { Match::No }
}

/// A word, or its number among the protocols.
fn is_word(word: &str, right: &Value) -> Match {
    any(right, &|value| match value {
        Value::String(other) if other.starts_with('@') => Match::Unknown,
        Value::String(other) => sure(other == word),
        Value::Number(number) => sure(word == "udp" && number.as_u64() == Some(17)),
        _ => Match::Unknown,
    })
}

/// The name of an interface, or how it begins.
fn is_name(name: &str, right: &Value) -> Match {
    any(right, &|value| match value.as_str() {
        Some(other) if other.starts_with('@') => Match::Unknown,
        Some(other) => sure(match other.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == other,
        }),
        None => Match::Unknown,
    })
}

/// A number, or a range of them.
fn is_number(number: u16, right: &Value) -> Match {
    any(right, &|value| {
        let range = value.get("range").and_then(Value::as_array);
        let bounds = match range.map(Vec::as_slice) {
            Some([low, high]) => (low.as_u64(), high.as_u64()),
            _ => (value.as_u64(), value.as_u64()),
        };
        match bounds {
            (Some(low), Some(high)) => sure((low..=high).contains(&u64::from(number))),
            _ => Match::Unknown,
        }
    })
}

/// An address as it is written; of networks nothing is known.
fn is_host(host: &str, right: &Value) -> Match {
    any(right, &|value| match value.as_str() {
        Some(other) if !other.starts_with('@') => sure(other == host),
        _ => Match::Unknown,
    })
}

fn text_of<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn is(value: &Value, name: &str, wanted: &str) -> bool {
    text_of(value, name) == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &str = r#"{"chain":{"family":"inet","table":"filter","name":"input","hook":"input","policy":"drop"}}"#;

    /// What becomes of a heartbeat by these rules of the chain `input`, behind which everything is dropped.
    fn is_dropped(rules: &[&str], more: &[&str]) -> bool {
        let rules = rules.iter().map(|expr| rule("input", expr));
        let more = more.iter().map(|expr| rule("other", expr));
        let items: Vec<String> = std::iter::once(CHAIN.to_owned())
            .chain(rules)
            .chain(more)
            .collect();
        let text = format!(
            r#"{{"nftables":[{{"metainfo":{{}}}},{}]}}"#,
            items.join(",")
        );
        let ruleset = Ruleset::parse(text.as_bytes()).expect("JSON");
        let packet = Packet {
            interface: "eth1",
            v6: false,
            port: 694,
            kind: "host",
            source: Some("192.168.9.2".into()),
        };
        ruleset.drops(&packet).is_some()
    }

    fn rule(chain: &str, expr: &str) -> String {
        format!(
            r#"{{"rule":{{"family":"inet","table":"filter","chain":"{chain}","expr":[{expr}]}}}}"#
        )
    }

    fn matching(left: &str, right: &str) -> String {
        format!(r#"{{"match":{{"op":"==","left":{{{left}}},"right":{right}}}}}"#)
    }

    const ACCEPT: &str = r#"{"counter":{"packets":1,"bytes":2}},{"accept":null}"#;
    const DPORT: &str = r#""payload":{"protocol":"udp","field":"dport"}"#;

    #[test]
    fn a_rule_that_lets_it_in_or_might_do_so_counts() {
        assert!(is_dropped(&[], &[]), "the policy");
        for (left, right, dropped) in [
            (DPORT, "694", false),
            (DPORT, r#"{"set":[53,694]}"#, false),
            (DPORT, r#"{"set":[53,{"range":[690,699]}]}"#, false),
            (DPORT, r#"{"range":[1,600]}"#, true),
            (DPORT, "\"@ports\"", false),
            (
                r#""payload":{"protocol":"tcp","field":"dport"}"#,
                "694",
                true,
            ),
            (r#""meta":{"key":"iifname"}"#, "\"eth1\"", false),
            (r#""meta":{"key":"iifname"}"#, "\"eth*\"", false),
            (r#""meta":{"key":"iifname"}"#, "\"lo\"", true),
            (
                r#""meta":{"key":"l4proto"}"#,
                r#"{"set":["icmp","udp"]}"#,
                false,
            ),
            (
                r#""ct":{"key":"state"}"#,
                r#"["established","related"]"#,
                true,
            ),
            (
                r#""payload":{"protocol":"ip","field":"saddr"}"#,
                "\"192.168.9.2\"",
                false,
            ),
            (
                r#""payload":{"protocol":"ip","field":"saddr"}"#,
                "\"192.168.9.3\"",
                true,
            ),
            (
                r#""payload":{"protocol":"ip","field":"saddr"}"#,
                r#"{"prefix":{"addr":"192.168.9.0","len":24}}"#,
                false,
            ),
            (r#""socket":{"key":"mark"}"#, "1", false),
        ] {
            let rule = format!("{},{ACCEPT}", matching(left, right));
            assert_eq!(is_dropped(&[&rule], &[]), dropped, "{left} {right}");
        }
        let limited = format!(r#"{{"limit":{{"rate":1}}}},{ACCEPT}"#);
        assert!(!is_dropped(&[&limited], &[]));
        assert!(!is_dropped(&[&format!(r#"{{"xt":null}},{ACCEPT}"#)], &[]));
        let unlike = matching(DPORT, "694").replace("==", "!=");
        assert!(is_dropped(&[&format!("{unlike},{ACCEPT}")], &[]));
    }

    #[test]
    fn jumps_and_maps_are_followed() {
        let jump = r#"{"jump":{"target":"other"}}"#;
        let goto = r#"{"goto":{"target":"other"}}"#;
        let accept = format!("{},{ACCEPT}", matching(DPORT, "694"));
        for (rules, more, dropped) in [
            (vec![jump], vec![accept.as_str()], false),
            (vec![jump], vec![], true),
            (vec![jump, ACCEPT], vec![], false),
            (vec![goto, ACCEPT], vec![], true),
            (vec![jump, ACCEPT], vec![r#"{"return":null}"#], false),
            (vec![jump, ACCEPT], vec![r#"{"reject":null}"#], true),
            (vec![jump], vec![r#"{"jump":{"target":"other"}}"#], false),
        ] {
            assert_eq!(is_dropped(&rules, &more), dropped, "{rules:?} {more:?}");
        }
        let map = |state: &str| {
            format!(
                r#"{{"vmap":{{"key":{{"ct":{{"key":"state"}}}},"data":{{"set":[["established",{{"accept":null}}],["{state}",{{"accept":null}}]]}}}}}}"#
            )
        };
        assert!(is_dropped(&[&map("related")], &[]));
        assert!(!is_dropped(&[&map("new")], &[]));
        // What might be dropped might also go on.
        let maybe = r#"{"xt":null},{"drop":null}"#;
        assert!(!is_dropped(&[maybe, &accept], &[]));
        assert!(is_dropped(
            &[&matching(DPORT, "694"), r#"{"drop":null}"#],
            &[]
        ));
    }
}
