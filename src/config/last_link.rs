//! `last_link`: what the silence of the other node is taken for once all links are gone.

use std::time::Duration;

use super::Group;
use super::address::parse_address;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::directive::{Argument, Directive, Statement};
use super::settings::Settings;
use super::silence::{LastLink, Written};
use super::source::Place;
use super::time_word;
use super::value::{self, Fault};

/// A word, or one that may have a time behind it.
pub(super) const VALUES: Argument = Argument::WordOrLine {
    word: last_link,
    openings: &["wait", "witness"],
    line: timed_last_link,
};
/// What a node that is cut off keeps of its time in reserve, beside two keepalives: see `cluster::last_link`.
const MARGIN: Duration = Duration::from_millis(500);
/// All that may stand first.
const WORDS: [&str; 4] = ["takeover", "witness", "manual", "wait"];

/// One word alone.
fn last_link(settings: &mut Settings, text: &str) -> Result<(), Fault> {
    settings.last_link = match text.to_ascii_lowercase().as_str() {
        "takeover" => Written::Takeover,
        "manual" => Written::Manual,
        _ => return value::choice(text, &WORDS, true).map(|_| ()),
    };
    Ok(())
}

/// `wait TIME` and `witness [TIME]`. Whether it was taken.
fn timed_last_link(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) -> bool {
    let Some((first, rest)) = statement.words.split_first() else {
        return false;
    };
    let waits = first.text.eq_ignore_ascii_case("wait");
    let written = match rest {
        [] if waits => {
            let error = Diagnostic::error(&first.place, "`wait` lacks its time");
            out.push(error.label("the line is `last_link wait TIME`, for example `30`"));
            return false;
        }
        [] => Written::Witness(None),
        [time] => match time_word::read(directive, time, out) {
            Some(time) if waits => Written::Wait(time),
            Some(time) => Written::Witness(Some(time)),
            None => return false,
        },
        [_, second, ..] => {
            let message = format!("`{}` takes one time", first.text);
            let error = Diagnostic::error(&second.place, message);
            out.push(error.label(format!("the line is `last_link {}`", directive.syntax)));
            return false;
        }
    };
    settings.last_link = written;
    true
}

/// What the directive needs, and what makes it idle.
pub(super) fn check(settings: &Settings, groups: &[Group], is_fenced: bool, out: &mut Diagnostics) {
    let Some(place) = settings.place("last_link") else {
        return;
    };
    if is_fenced && settings.last_link != Written::Takeover {
        let warning = Diagnostic::warning(place, "`last_link` beside a fencing device");
        out.push(warning.label(
            "without effect: the device resets the other node before anything of it is taken",
        ));
        return;
    }
    let LastLink::Witness(time) = settings.last_link.complete(settings.deadtime) else {
        return;
    };
    check_witness(settings, place, out);
    let least = settings.keepalive.saturating_mul(2) + MARGIN;
    if time <= least && settings.is_sound("keepalive") {
        let message = format!("`last_link witness` leaves no time to stop anything in {time:?}");
        let error = Diagnostic::error(place, message);
        out.push(error.label(format!(
            "must be longer than {least:?}, which are two keepalives and half a second, and than everything needs \
             to stop"
        )));
    }
    for group in groups.iter().filter(|group| !has_address(group)) {
        let message = format!("group `{}` has no floating address", group.key());
        let warning = Diagnostic::warning(place, message);
        out.push(warning.label(
            "with `witness`, nobody can see from outside whether the other node runs it; add one to its line",
        ));
    }
}

fn check_witness(settings: &Settings, place: &Place, out: &mut Diagnostics) {
    let pings = ["ping", "ping6", "ping_group"];
    let has_none = settings.ping_nodes.is_empty();
    let is_none = |name: &&str| settings.is_absent(name);
    let message = if has_none && pings.iter().all(is_none) {
        "no ping node is named"
    } else if !has_none && settings.ping_nodes.iter().all(|(node, _)| !node.counts) {
        "no ping node counts that the file names"
    } else {
        return;
    };
    let error = Diagnostic::error(place, "`last_link witness` without a witness");
    out.push(error.label(message).help(
        "name a host that is neither node, best the router that clients come through: `ping 192.168.0.254`",
    ));
}

fn has_address(group: &Group) -> bool {
    let mut words = group.resources.iter();
    words.any(|word| matches!(parse_address(word), Some(Ok(_))))
}
