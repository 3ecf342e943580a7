//! The address forms of `haresources`: `10.0.0.9/24/eth0:0/10.0.0.255`, bare or behind `IPaddr::`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::{AddressSpec, ResourceWord};

/// The longest interface name or label that the kernel knows.
const LONGEST_NAME: usize = 15;

/// What is wrong with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    /// The bytes of [`ResourceWord::text`] that are meant.
    pub span: Range<usize>,
    /// The reason.
    pub reason: String,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl ResourceWord {
    /// Takes a word of `haresources` apart. A word of four parts with dots is an address, valid or not.
    pub fn new(text: &str) -> Self {
        let (name, rest) = match text.split_once("::") {
            _ if is_dotted_quad(text) => ("IPaddr", text),
            Some((name, rest)) => (name, rest),
            None => (text, ""),
        };
        let arguments = if name == "IPv6addr" {
            // The address itself has `::` in it.
            vec![rest.to_owned()]
        } else {
            rest.split("::").map(str::to_owned).collect()
        };
        let arguments = arguments
            .into_iter()
            .filter(|argument| !argument.is_empty())
            .collect();
        Self {
            text: text.to_owned(),
            name: name.to_owned(),
            arguments,
        }
    }
}

/// The shape that heartbeat 3.0.6 takes for an IPv4 address: four parts that begin with a digit.
fn is_dotted_quad(text: &str) -> bool {
    let digit_at = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let dots = text
        .bytes()
        .enumerate()
        .filter(|&(at, byte)| byte == b'.' && digit_at(at + 1));
    digit_at(0) && dots.count() >= 3
}

/// The address of a word, when the word stands for one.
pub fn parse_address(word: &ResourceWord) -> Option<Result<AddressSpec, AddressError>> {
    let v6 = match word.name.as_str() {
        "IPaddr" | "IPaddr2" => false,
        "IPv6addr" => true,
        _ => return None,
    };
    let whole = 0..word.text.len();
    let error = |span, reason: &str| {
        Some(Err(AddressError {
            span,
            reason: reason.to_owned(),
        }))
    };
    let argument = match word.arguments.as_slice() {
        [] => return error(whole, "the address is missing"),
        [argument] => argument,
        [_, extra, ..] => {
            let at = word.text.rfind(extra.as_str()).unwrap_or(0);
            return error(at..at + extra.len(), "an address takes one argument");
        }
    };
    // The argument is the rest of the word, but for `::` without anything behind it.
    let start = word.text.find(argument.as_str()).unwrap_or(0);
    let mut parts = Vec::new();
    let mut at = start;
    for part in argument.split('/') {
        parts.push(Part {
            text: part,
            span: at..at + part.len(),
        });
        at += part.len() + 1;
    }
    Some(if v6 { ipv6(&parts) } else { ipv4(&parts) })
}

/// One of the parts between slashes.
struct Part<'a> {
    text: &'a str,
    span: Range<usize>,
}

impl Part<'_> {
    fn error<T>(&self, reason: impl Into<String>) -> Result<T, AddressError> {
        Err(AddressError {
            span: self.span.clone(),
            reason: reason.into(),
        })
    }
}

fn ipv4(parts: &[Part<'_>]) -> Result<AddressSpec, AddressError> {
    let (first, rest) = split(parts)?;
    let Ok(address) = first.text.parse::<Ipv4Addr>() else {
        return first.error(if first.text.contains(':') {
            "an IPv6 address; write it behind `IPv6addr::`"
        } else {
            "not an IPv4 address"
        });
    };
    if address.is_unspecified() || address.is_multicast() || address.is_broadcast() {
        return first.error("no machine can have this address");
    }
    let mut spec = AddressSpec::bare(IpAddr::V4(address));
    let Some((mask, rest)) = rest.split_first() else {
        return Ok(spec);
    };
    spec.prefix = Some(ipv4_prefix(mask)?);
    match rest {
        [] => {}
        [one] if one.text.starts_with(|c: char| c.is_ascii_digit()) => {
            spec.broadcast = Some(broadcast(one)?);
        }
        [interface] => set_interface(&mut spec, interface)?,
        [interface, last] => {
            set_interface(&mut spec, interface)?;
            spec.broadcast = Some(broadcast(last)?);
        }
        [_, _, extra, ..] => return extra.error("nothing is expected here"),
    }
    Ok(spec)
}

fn ipv6(parts: &[Part<'_>]) -> Result<AddressSpec, AddressError> {
    let (first, rest) = split(parts)?;
    let Ok(address) = first.text.parse::<Ipv6Addr>() else {
        return first.error(if first.text.parse::<Ipv4Addr>().is_ok() {
            "an IPv4 address; write it behind `IPaddr::`"
        } else {
            "not an IPv6 address"
        });
    };
    if address.is_unspecified() || address.is_multicast() {
        return first.error("no machine can have this address");
    }
    let mut spec = AddressSpec::bare(IpAddr::V6(address));
    let Some((mask, rest)) = rest.split_first() else {
        return Ok(spec);
    };
    match mask.text.parse() {
        Ok(prefix @ 1..=128) => spec.prefix = Some(prefix),
        _ => return mask.error("a prefix length from 1 to 128 is expected"),
    }
    match rest {
        [] => {}
        [interface] => {
            set_interface(&mut spec, interface)?;
            if spec.label.is_some() {
                return interface.error("IPv6 addresses have no labels; name the interface alone");
            }
        }
        [_, extra, ..] => return extra.error("nothing is expected here"),
    }
    Ok(spec)
}

fn split<'a, 'b>(parts: &'a [Part<'b>]) -> Result<(&'a Part<'b>, &'a [Part<'b>]), AddressError> {
    let missing = AddressError {
        span: 0..0,
        reason: "the address is missing".to_owned(),
    };
    parts.split_first().ok_or(missing)
}

/// A prefix length or a dotted mask.
fn ipv4_prefix(part: &Part<'_>) -> Result<u8, AddressError> {
    if let Ok(mask) = part.text.parse::<Ipv4Addr>() {
        let bits = u32::from(mask);
        let ones = bits.leading_ones();
        return match u8::try_from(ones) {
            Ok(prefix @ 1..) if bits.count_ones() == ones => Ok(prefix),
            _ => part.error("not a network mask"),
        };
    }
    match part.text.parse() {
        Ok(prefix @ 1..=32) => Ok(prefix),
        _ if part.text.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            part.error("a prefix length must stand before the interface, such as `/24/eth0`")
        }
        _ => part.error("a prefix length from 1 to 32 or a mask is expected"),
    }
}

fn broadcast(part: &Part<'_>) -> Result<Ipv4Addr, AddressError> {
    part.text
        .parse()
        .or_else(|_| part.error("a broadcast address is expected"))
}

/// `eth0`, or `eth0:0` for an alias label.
fn set_interface(spec: &mut AddressSpec, part: &Part<'_>) -> Result<(), AddressError> {
    let name = part.text.split(':').next().unwrap_or_default();
    if name.is_empty() {
        return part.error("the name of an interface is missing");
    }
    if part.text.len() > LONGEST_NAME {
        return part.error("longer than 15 characters");
    }
    spec.interface = Some(name.to_owned());
    spec.label = (name != part.text).then(|| part.text.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Result<AddressSpec, AddressError> {
        parse_address(&ResourceWord::new(text)).expect("an address")
    }

    fn shown(text: &str) -> String {
        match spec(text) {
            Ok(spec) => {
                let or = |option: Option<String>| option.unwrap_or_else(|| "-".into());
                format!(
                    "{} {} {} {} {}",
                    spec.address,
                    or(spec.prefix.map(|prefix| prefix.to_string())),
                    or(spec.interface),
                    or(spec.label),
                    or(spec.broadcast.map(|address| address.to_string())),
                )
            }
            Err(error) => format!("{:?}: {error}", text.get(error.span.clone()).unwrap_or("?")),
        }
    }

    #[test]
    fn every_form_of_an_address_is_read() {
        let cases = [
            ("10.0.0.9", "10.0.0.9 - - - -"),
            ("10.0.0.9/24", "10.0.0.9 24 - - -"),
            ("10.0.0.9/255.255.255.0", "10.0.0.9 24 - - -"),
            ("10.0.0.9/24/eth0", "10.0.0.9 24 eth0 - -"),
            ("10.0.0.9/24/eth0:0", "10.0.0.9 24 eth0 eth0:0 -"),
            ("10.0.0.9/24/10.0.0.255", "10.0.0.9 24 - - 10.0.0.255"),
            (
                "IPaddr::10.0.0.9/24/eth0/10.0.0.255",
                "10.0.0.9 24 eth0 - 10.0.0.255",
            ),
            (
                "IPaddr2::10.0.0.9/24/eth0:web/10.0.0.255",
                "10.0.0.9 24 eth0 eth0:web 10.0.0.255",
            ),
            ("IPv6addr::2001:db8::9", "2001:db8::9 - - - -"),
            ("IPv6addr::2001:db8::9/64", "2001:db8::9 64 - - -"),
            (
                "IPv6addr::2001:db8:0:0:0:0:0:9/64/eth0",
                "2001:db8::9 64 eth0 - -",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn a_bad_address_is_named_where_it_is_bad() {
        let cases = [
            ("999.1.1.1", "\"999.1.1.1\": not an IPv4 address"),
            (
                "10.0.0.9/33/eth0",
                "\"33\": a prefix length from 1 to 32 or a mask is expected",
            ),
            (
                "10.0.0.9/255.0.255.0",
                "\"255.0.255.0\": not a network mask",
            ),
            (
                "10.0.0.9/eth0",
                "\"eth0\": a prefix length must stand before the interface, such as `/24/eth0`",
            ),
            (
                "10.0.0.9/24/eth0/x",
                "\"x\": a broadcast address is expected",
            ),
            ("10.0.0.9/24/", "\"\": the name of an interface is missing"),
            ("IPaddr", "\"IPaddr\": the address is missing"),
            (
                "IPaddr::10.0.0.9::24",
                "\"24\": an address takes one argument",
            ),
            (
                "IPv6addr::2001:db8::9/129",
                "\"129\": a prefix length from 1 to 128 is expected",
            ),
            (
                "IPv6addr::10.0.0.9",
                "\"10.0.0.9\": an IPv4 address; write it behind `IPaddr::`",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn words_come_apart_like_in_the_original() {
        let word = |text| {
            let word = ResourceWord::new(text);
            format!("{} {:?}", word.name, word.arguments)
        };
        assert_eq!(word("nginx"), "nginx []");
        assert_eq!(
            word("Filesystem::/dev/sda1::/data::ext4"),
            "Filesystem [\"/dev/sda1\", \"/data\", \"ext4\"]"
        );
        assert_eq!(word("a::::b"), "a [\"b\"]");
        assert_eq!(word("10.0.0.9/24"), "IPaddr [\"10.0.0.9/24\"]");
        assert!(parse_address(&ResourceWord::new("nginx")).is_none());
    }
}
