//! Fencing: the devices that reset the other node (`stonith`, `stonith_host`), and what happens while none does.

use std::path::{Path, PathBuf};

use super::device::{FenceDevice, FenceLine, FenceParameters, is_agent};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::directive::{Directive, Statement};
use super::look::{self, Look, Subject};
use super::settings::Settings;
use super::source::{Reader, Source, Word, is_blank};
use super::value::{self, Fault};

/// The longest parameters that a device is given: they wait in a pipe until its program reads them.
const LONGEST: usize = 3500;
/// Every node.
const EVERY: &str = "*";
/// Types of stonith(8) that are told by their parameters which nodes they reset.
const NAMING: [&str; 4] = ["ssh", "meatware", "null", "ipmilan"];

/// `stonith TYPE FILE`.
pub(super) fn stonith(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    let [kind, file, more @ ..] = statement.words.as_slice() else {
        return incomplete(directive, statement, out);
    };
    if let Some(word) = more.first() {
        let warning = Diagnostic::warning(&word.place, "`stonith` takes a type and a file");
        out.push(warning.label("ignored from here on"));
    }
    if !is_kind(kind, out) {
        return;
    }
    if !file.text.starts_with('/') {
        let message = format!("`{}` is not a full path", file.text);
        out.push(Diagnostic::error(&file.place, message).label("must begin with `/`"));
        return;
    }
    settings.fence_lines.push(FenceLine {
        host: None,
        kind: kind.clone(),
        file: Some(file.clone()),
        parameters: FenceParameters::File(PathBuf::from(&file.text)),
    });
}

/// `stonith_host HOST TYPE PARAMETERS`; what parameters there must be the device knows.
pub(super) fn stonith_host(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    let [host, kind, words @ ..] = statement.words.as_slice() else {
        return incomplete(directive, statement, out);
    };
    if !is_kind(kind, out) {
        return;
    }
    let after = |text: &str, word: &Word| {
        let rest = text.trim_start().strip_prefix(word.text.as_str());
        rest.unwrap_or_default().to_owned()
    };
    let line = after(&after(&statement.rest, host), kind).trim().to_owned();
    if let (true, Some(word)) = (line.len() > LONGEST, words.first()) {
        let error = Diagnostic::error(&word.place, "too many parameters");
        out.push(error.label(format!("more than {LONGEST} bytes")));
        return;
    }
    let parameters = if is_agent(&kind.text) {
        // The words bear marks in place of what may be a password.
        let texts = line.split(is_blank).filter(|text| !text.is_empty());
        match named(texts.zip(words), out) {
            Some(named) => FenceParameters::Named(named),
            None => return,
        }
    } else {
        FenceParameters::Line(line)
    };
    settings.fence_lines.push(FenceLine {
        host: Some(host.clone()),
        kind: kind.clone(),
        file: None,
        parameters,
    });
}

/// `takeover_unfenced never | TIME`.
pub(super) fn takeover_unfenced(settings: &mut Settings, text: &str) -> Result<(), Fault> {
    settings.takeover_unfenced = if text.eq_ignore_ascii_case("never") {
        None
    } else {
        let time = value::time(text, false).map_err(|fault| Fault {
            reason: "`never` is expected, or a time such as `10min`".into(),
            ..fault
        });
        Some(time?.value)
    };
    Ok(())
}

fn incomplete(directive: &Directive, statement: &Statement, out: &mut Diagnostics) {
    let last = statement.words.last().unwrap_or(&statement.name);
    let error = Diagnostic::error(&last.place, format!("`{}` is incomplete", directive.name));
    out.push(error.label(format!(
        "the line is `{} {}`",
        directive.name, directive.syntax
    )));
}

fn is_kind(word: &Word, out: &mut Diagnostics) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let is_plain = word.text.bytes().all(letters) && !word.text.starts_with('-');
    let is_path = word.text.starts_with('/');
    if is_plain && (!is_path || is_agent(&word.text)) {
        return true;
    }
    let message = format!("bad type of fencing device `{}`", word.text);
    out.push(Diagnostic::error(&word.place, message).label(
        "expected a type that `stonith -L` lists, or a fence agent: `fence_` and its name, or its path",
    ));
    false
}

/// `NAME=VALUE` for a fence agent.
fn named<'a>(
    words: impl Iterator<Item = (&'a str, &'a Word)>,
    out: &mut Diagnostics,
) -> Option<Vec<(String, String)>> {
    let mut named = Vec::new();
    let mut sound = true;
    for (text, word) in words {
        match pair(text) {
            Ok(pair) => named.push(pair),
            Err(label) => {
                let error = Diagnostic::error(&word.place, "bad parameter of a fence agent");
                out.push(error.label(label));
                sound = false;
            }
        }
    }
    sound.then_some(named)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err("`NAME=VALUE` is expected, as its manual page names them".into());
    };
    let (name, value) = (name.trim(), value.trim());
    match name {
        "action" if !matches!(value, "reboot" | "off") => {
            Err("only `reboot` and `off` end what runs on the other node".into())
        }
        "nodename" => Err("it is always the name of the other node; remove this".into()),
        _ => Ok((name.to_owned(), value.to_owned())),
    }
}

/// Reads the files that `stonith` lines name, looks for programs, and settles which devices are for `local`.
pub(super) fn check(
    settings: &mut Settings,
    local: &str,
    reader: &dyn Reader,
    look: Look<'_>,
    out: &mut Diagnostics,
) -> Vec<FenceDevice> {
    let lines = std::mem::take(&mut settings.fence_lines);
    let is_node = |name: &str| settings.nodes.iter().any(|node| node.text == name);
    let mut devices = Vec::new();
    for line in &lines {
        if let Some(host) = &line.host {
            let name = host.text.to_ascii_lowercase();
            if name != EVERY && !settings.nodes.is_empty() && !is_node(&name) {
                let message = format!("no node is called `{}`", host.text);
                let warning = Diagnostic::warning(&host.place, message);
                out.push(warning.label("the device is for nobody; name a node, or `*` for both"));
            }
            if name != EVERY && name != local {
                continue; // the other node's business
            }
        }
        out.extend(look::error(
            look,
            Subject::FenceDevice(&line.kind.text),
            &line.kind.place,
        ));
        let source = line.file.as_ref().map(|file| read(file, reader, out));
        let parameters = match &source {
            Some(None) => continue,
            Some(Some(source)) => of_file(line, source, out),
            None => Some(line.parameters.clone()),
        };
        let Some(parameters) = parameters else {
            continue;
        };
        warn_of_nameless(settings, local, line, source.flatten().as_ref(), out);
        devices.push(FenceDevice {
            kind: line.kind.text.clone(),
            parameters,
        });
    }
    if let (Some(line), true) = (lines.first(), devices.is_empty() && !out.has_errors()) {
        let warning = Diagnostic::warning(&line.kind.place, "no fencing device is for this node");
        out.push(warning.label(format!(
            "when the other node dies, `{local}` takes its resources without resetting it"
        )));
    }
    warn_of_policy(settings, &lines, out);
    devices
}

/// The file with the parameters; it can't be used without.
fn read(file: &Word, reader: &dyn Reader, out: &mut Diagnostics) -> Option<Source> {
    let source = match reader.read(Path::new(&file.text)) {
        Ok(source) => source,
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", file.text);
            let error = Diagnostic::error(&file.place, message);
            out.push(error.label("the device has its parameters from this file"));
            return None;
        }
    };
    if source.mode & 0o077 != 0 {
        let message = format!("others may read `{}`", file.text);
        let warning = Diagnostic::warning(&file.place, message);
        out.push(warning.label(format!(
            "passwords of fencing devices are nobody's business: `chmod 600 {}`",
            file.text
        )));
    }
    Some(source)
}

/// stonith(8) reads its file itself, each time; a fence agent is told what was in it at the start.
fn of_file(line: &FenceLine, source: &Source, out: &mut Diagnostics) -> Option<FenceParameters> {
    if !is_agent(&line.kind.text) {
        return Some(line.parameters.clone());
    }
    let file = line.file.as_ref()?;
    let mut refuse = |label: String| {
        let message = format!("`{}` can't be used", file.text);
        out.push(Diagnostic::error(&file.place, message).label(label));
    };
    if source.text.len() > LONGEST {
        refuse(format!("it has more than {LONGEST} bytes"));
        return None;
    }
    let mut named = Vec::new();
    let text = String::from_utf8_lossy(&source.text);
    for (number, text) in text.lines().map(str::trim).enumerate() {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match pair(text) {
            Ok(pair) => named.push(pair),
            Err(fault) => {
                refuse(format!("line {}: {fault}", number.saturating_add(1)));
                return None;
            }
        }
    }
    Some(FenceParameters::Named(named))
}

/// Where parameters name the nodes that a device resets, the other one must be among them.
fn warn_of_nameless(
    settings: &Settings,
    local: &str,
    line: &FenceLine,
    source: Option<&Source>,
    out: &mut Diagnostics,
) {
    let kind = line.kind.text.as_str();
    let names = NAMING.contains(&kind) || kind.starts_with("external/");
    let peer = settings.nodes.iter().find(|node| node.text != local);
    let (true, Some(peer)) = (names, peer) else {
        return;
    };
    let text = match (&line.parameters, source) {
        (FenceParameters::Line(text), _) => text.to_ascii_lowercase(),
        (_, Some(source)) => String::from_utf8_lossy(&source.text).to_ascii_lowercase(),
        _ => return,
    };
    let is_of_name = |sign: char| sign.is_alphanumeric() || sign == '-' || sign == '_';
    let mut words = text.split(|sign: char| !is_of_name(sign));
    if !words.any(|word| word == peer.text) {
        let message = format!("the parameters of `{kind}` don't name `{}`", peer.text);
        let warning = Diagnostic::warning(&line.kind.place, message);
        out.push(warning.label("such a device resets only the nodes that its parameters name"));
    }
}

/// Directives that mean nothing without a device.
fn warn_of_policy(settings: &Settings, lines: &[FenceLine], out: &mut Diagnostics) {
    let mut idle = vec!["takeover_unfenced", "fence_delay"];
    if settings.stop_failure == "fence" {
        idle.push("stop_failure");
    }
    for name in idle {
        if let (Some(place), true) = (settings.place(name), lines.is_empty()) {
            let message = format!("`{name}` without a fencing device");
            let warning = Diagnostic::warning(place, message);
            out.push(
                warning.label("without effect: no line names one; see `stonith_host` in ha.cf(5)"),
            );
        }
    }
}
