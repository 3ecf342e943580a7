//! What an OCF agent says of itself: how long its actions may take, and what its parameters are called.

use std::time::Duration;

use super::Action;

/// Parameters beyond this number are not remembered.
const MOST_PARAMETERS: usize = 500;

/// What was found in the meta-data of an agent. Empty where there was nothing to be understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaData {
    start: Option<Duration>,
    stop: Option<Duration>,
    monitor: Option<Duration>,
    /// Every parameter, in its order.
    pub parameters: Vec<Parameter>,
}

/// A parameter of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// As in `OCF_RESKEY_<name>`.
    pub name: String,
    /// Nothing works without it.
    pub is_required: bool,
}

impl MetaData {
    /// Reads what `meta-data` printed: the elements `action` and `parameter` of an XML document. Where a monitor is
    /// advised for several depths or roles, the longest counts.
    pub fn read(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut found = Self::default();
        for element in Elements::of(&text) {
            let attribute = |name| attribute(element.attributes, name);
            match element.name {
                "action" => {
                    let time = attribute("timeout").and_then(|text| duration(&text));
                    let slot = match attribute("name").as_deref() {
                        Some("start") => &mut found.start,
                        Some("stop") => &mut found.stop,
                        Some("monitor") => &mut found.monitor,
                        _ => continue,
                    };
                    *slot = time.max(*slot);
                }
                "parameter" if found.parameters.len() < MOST_PARAMETERS => {
                    let is_required =
                        attribute("required").is_some_and(|text| text == "1" || text == "true");
                    found
                        .parameters
                        .extend(attribute("name").map(|name| Parameter { name, is_required }));
                }
                _ => {}
            }
        }
        found
    }

    /// The time that the agent's author thinks is the least for an action.
    pub fn least_time(&self, action: Action) -> Option<Duration> {
        match action {
            Action::Start => self.start,
            Action::Stop => self.stop,
            Action::Status => self.monitor,
        }
    }

    /// What does not fit between these parameters and those that the agent has. One that names none may have any.
    pub fn complaints(&self, given: &[(String, String)]) -> Vec<String> {
        if self.parameters.is_empty() {
            return Vec::new();
        }
        let is_given = |name: &str| given.iter().any(|(given, _)| given == name);
        let is_known = |name: &str| self.parameters.iter().any(|known| known.name == name);
        let unknown = given
            .iter()
            .filter(|(name, _)| !is_known(name))
            .map(|(name, _)| format!("the agent has no parameter `{name}`"));
        let missing = self
            .parameters
            .iter()
            .filter(|known| known.is_required && !is_given(&known.name))
            .map(|known| {
                format!(
                    "the agent says that it needs the parameter `{}`",
                    known.name
                )
            });
        unknown.chain(missing).collect()
    }
}

/// The opening tags of a document, comments left out.
struct Elements<'a>(&'a str);

struct Element<'a> {
    name: &'a str,
    attributes: &'a str,
}

impl<'a> Elements<'a> {
    fn of(text: &'a str) -> Self {
        Self(text)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let (_, rest) = self.0.split_once('<')?;
            if let Some(comment) = rest.strip_prefix("!--") {
                (_, self.0) = comment.split_once("-->")?;
                continue;
            }
            let (tag, rest) = rest.split_at_checked(end_of_tag(rest)?)?;
            self.0 = rest;
            let tag = tag.trim_end_matches('/');
            let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
            return Some(Element { name, attributes });
        }
    }
}

/// Where the `>` is that ends a tag: one in quotes does not.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    None
}

/// The value of an attribute. References such as `&amp;` occur in no name and no time, and are left as they are.
fn attribute(mut text: &str, wanted: &str) -> Option<String> {
    loop {
        let (name, rest) = text.split_once('=')?;
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, after) = rest.get(1..)?.split_once(quote)?;
        if name.trim() == wanted {
            return Some(value.to_owned());
        }
        text = after;
    }
}

/// `20`, `20s`, `20sec`, `500ms`, `2m`, `2min`, `1h`: seconds where there is no unit. Not above a day.
fn duration(text: &str) -> Option<Duration> {
    const LONGEST: u64 = 24 * 60 * 60 * 1000;
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let scale = match unit.trim() {
        "ms" | "msec" => 1,
        "" | "s" | "sec" => 1000,
        "m" | "min" => 60_000,
        "h" | "hr" => 3_600_000,
        _ => return None,
    };
    let milliseconds = number.checked_mul(scale)?;
    (1..=LONGEST)
        .contains(&milliseconds)
        .then(|| Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="Small" version="1.0">
<!-- <action name="start" timeout="9h" /> -->
<longdesc lang="en">A > B, and <parameters> is not closed
</longdesc>
<parameters>
<parameter name="device" unique="0" required="1"><content type="string" default="a>b" /></parameter>
<parameter required='true' name='directory'/>
<parameter name="options">
</parameter>
</parameters>
<actions>
<action name="start"   timeout="60s" />
<action name="stop" timeout='90' />
<action name="monitor" depth="0"  timeout="20" interval="10"/>
<action name="monitor" depth="10" timeout="40s" interval="10" />
<action name="meta-data" timeout="5h" />
</actions>"#;

    #[test]
    fn times_and_parameters_are_found() {
        let found = MetaData::read(SMALL.as_bytes());
        let seconds = |action| found.least_time(action).map(|time| time.as_secs());
        assert_eq!(seconds(Action::Start), Some(60));
        assert_eq!(seconds(Action::Stop), Some(90));
        assert_eq!(seconds(Action::Status), Some(40));
        let parameters: Vec<(&str, bool)> = found
            .parameters
            .iter()
            .map(|parameter| (parameter.name.as_str(), parameter.is_required))
            .collect();
        assert_eq!(
            parameters,
            [("device", true), ("directory", true), ("options", false)]
        );
        let given = |names: &[&str]| -> Vec<(String, String)> {
            let pair = |name: &&str| ((*name).to_owned(), "x".to_owned());
            names.iter().map(pair).collect()
        };
        let complaints = |names| found.complaints(&given(names)).join(", ");
        assert_eq!(complaints(&["directory", "options", "device"]), "");
        assert_eq!(
            complaints(&["devise", "directory"]),
            "the agent has no parameter `devise`, the agent says that it needs the parameter `device`"
        );
        let silent = MetaData::default().complaints(&given(&["anything"]));
        assert!(silent.is_empty(), "{silent:?}");
    }

    #[test]
    fn what_cannot_be_understood_says_nothing() {
        for text in [
            "",
            "<",
            "<action",
            "<action name=\"start\"",
            "<action name=\"start\" timeout=\"60s />",
            "<action name=start timeout=60/>",
            "<action name=\"start\" timeout=\"soon\"/>",
            "<action name=\"start\" timeout=\"0\"/>",
            "<action name=\"start\" timeout=\"-5\"/>",
            "<action name=\"start\" timeout=\"99999999999999999999\"/>",
            "<action name=\"start\" timeout=\"2d\"/>",
            "<!-- <action name=\"start\" timeout=\"5\"/>",
            "usage: small start|stop",
            "\u{fffd}\0<\0>",
        ] {
            assert_eq!(
                MetaData::read(text.as_bytes()),
                MetaData::default(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn no_damage_to_a_document_does_harm() {
        for at in 0..SMALL.len() {
            MetaData::read(SMALL.as_bytes().get(..at).unwrap_or_default());
            for byte in [b'<', b'>', b'"', b'=', 0, 0xff] {
                let mut text = SMALL.as_bytes().to_vec();
                if let Some(place) = text.get_mut(at) {
                    *place = byte;
                }
                let found = MetaData::read(&text);
                assert!(found.parameters.len() <= 4, "{at} {byte}");
            }
        }
        let many = "<parameter name='x'/>".repeat(5000);
        let found = MetaData::read(many.as_bytes());
        assert_eq!(found.parameters.len(), MOST_PARAMETERS);
    }

    #[test]
    fn times_have_the_units_that_agents_use() {
        for (text, milliseconds) in [
            ("20", 20_000),
            ("20s", 20_000),
            ("20 s", 20_000),
            ("500ms", 500),
            ("2min", 120_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }
}
