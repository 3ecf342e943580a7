//! The directive `monitor`: which resource is asked how it does while it runs, by what means, and what follows.

use std::fmt;
use std::time::Duration;

use super::address::parse_address;
use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::directive::{Directive, Statement};
use super::settings::Settings;
use super::source::{Place, Word};
use super::spelling::nearest;
use super::value::{self, Fault, Reading};
use super::{Group, HttpProbe, Monitor, Probe};

/// What counts where a line says nothing.
const EVERY: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
const FALL: u32 = 2;
const RESTARTS: u32 = 1;

/// More often than this a probe would cost more than the service it looks after.
const SHORTEST: Duration = Duration::from_millis(100);

/// Every word that may stand before `=`, probes last.
const OPTIONS: [&str; 11] = [
    "every", "after", "timeout", "fall", "restarts", "expect", "body", "tcp", "http", "process",
    "exec",
];

/// `monitor RESOURCE [every=TIME] [after=TIME] [timeout=TIME] [fall=N] [restarts=N] [PROBE]`.
pub(super) fn monitor(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    let Some((resource, options)) = statement.words.split_first() else {
        return;
    };
    if let Some((name, _)) = resource.text.split_once('=')
        && OPTIONS.contains(&name)
    {
        let error = Diagnostic::error(&resource.place, "`monitor` lacks its resource");
        out.push(error.label(format!("the line is `monitor {}`", directive.syntax)));
        return;
    }
    let mut draft = Draft::new(&resource.text);
    let mut sound = true;
    for word in options {
        let Some((name, value)) = word.text.split_once('=') else {
            let error = Diagnostic::error(&word.place, format!("unexpected `{}`", word.text));
            out.push(error.label(format!("the line is `monitor {}`", directive.syntax)));
            return;
        };
        let ends_the_line = name == "exec";
        let value = if ends_the_line {
            statement
                .rest
                .split_once("exec=")
                .map_or(value, |(_, rest)| rest.trim_end())
        } else {
            value
        };
        match draft.take(name, value) {
            Ok(remark) => {
                // That 3.0.6 knows less is no news where it knows nothing.
                if let Some((severity, fault)) = remark.filter(|(how, _)| *how != Severity::Info) {
                    let message = format!("odd value `{value}` for `{name}`");
                    out.push(Diagnostic::at(severity, &word.place, message).label(fault.reason));
                }
            }
            Err(reason) => {
                let what = if OPTIONS.contains(&name) {
                    "bad value for"
                } else {
                    "there is no"
                };
                let error = Diagnostic::error(&word.place, format!("{what} `{name}`"));
                out.push(error.label(reason));
                sound = false;
            }
        }
        if ends_the_line {
            break;
        }
    }
    match draft.finish() {
        Ok(monitor) if sound => settings.monitors.push((monitor, resource.clone())),
        Ok(_) => {}
        Err(reason) => {
            out.push(Diagnostic::error(&resource.place, "this monitor can't be").label(reason));
        }
    }
}

/// A line that is being read.
struct Draft {
    monitor: Monitor,
    probes: u32,
    expect: Option<u16>,
    body: Option<String>,
}

/// Something to tell although the value is taken.
type Remark = Option<(Severity, Fault)>;

impl Draft {
    fn new(resource: &str) -> Self {
        let monitor = Monitor {
            resource: resource.to_owned(),
            every: EVERY,
            after: None,
            timeout: TIMEOUT,
            fall: FALL,
            restarts: RESTARTS,
            probe: Probe::Status,
        };
        Self {
            monitor,
            probes: 0,
            expect: None,
            body: None,
        }
    }

    /// Takes one `NAME=VALUE`. The error is the reason.
    fn take(&mut self, name: &str, value: &str) -> Result<Remark, String> {
        let reason = |fault: Fault| fault.reason;
        if value.is_empty() {
            return Err("a value is missing after `=`".into());
        }
        match name {
            "every" | "after" | "timeout" => {
                let Reading { value, remark } = value::time(value, false).map_err(reason)?;
                if value < SHORTEST {
                    return Err("must be at least 100 ms".into());
                }
                match name {
                    "every" => self.monitor.every = value,
                    "after" => self.monitor.after = Some(value),
                    _ => self.monitor.timeout = value,
                }
                return Ok(remark);
            }
            "fall" | "restarts" => {
                let least = u32::from(name == "fall");
                let Reading { value, remark } =
                    value::integer(value, least..=100).map_err(reason)?;
                let slot = if name == "fall" {
                    &mut self.monitor.fall
                } else {
                    &mut self.monitor.restarts
                };
                *slot = value;
                return Ok(remark);
            }
            "expect" => {
                let code = value.parse().ok().filter(|code| (100..=599).contains(code));
                self.expect = Some(code.ok_or("a status between 100 and 599 is expected")?);
            }
            "body" => self.body = Some(value.to_owned()),
            "tcp" => {
                let (host, port) = host_and_port(value, None)?;
                self.probe(Probe::Tcp { host, port });
            }
            "http" => self.probe(Probe::Http(url(value)?)),
            "process" if value.contains('/') => {
                return Err("the name of a program is expected, without its path".into());
            }
            "process" => self.probe(Probe::Process(value.to_owned())),
            "exec" => self.probe(Probe::Exec(value.to_owned())),
            unknown => {
                return Err(match nearest(unknown, OPTIONS) {
                    Some(near) => format!("did you mean `{near}=`?"),
                    None => format!("{} is expected", value::alternatives(&OPTIONS)),
                });
            }
        }
        Ok(None)
    }

    fn probe(&mut self, probe: Probe) {
        self.monitor.probe = probe;
        self.probes = self.probes.saturating_add(1);
    }

    /// The error is the reason.
    fn finish(mut self) -> Result<Monitor, String> {
        if self.probes > 1 {
            return Err("more than one probe; write a line for each".into());
        }
        match &mut self.monitor.probe {
            Probe::Http(http) => {
                http.expect = self.expect.unwrap_or(http.expect);
                http.body = self.body;
            }
            _ if self.expect.is_some() || self.body.is_some() => {
                return Err("`expect=` and `body=` belong to `http=`".into());
            }
            _ => {}
        }
        Ok(self.monitor)
    }
}

/// `host:port`, `[address]:port`; without a port where one is presumed.
fn host_and_port(text: &str, presumed: Option<u16>) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, after)) => (host, after.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return Err("an IPv6 address stands in brackets, as in `[::1]:80`".into());
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match (port, presumed) {
        (Some(port), _) => port.parse().ok().filter(|port| *port > 0),
        (None, presumed) => presumed,
    };
    match port {
        Some(port) if !host.is_empty() => Ok((host.to_owned(), port)),
        _ => Err("a host and a port are expected, as in `127.0.0.1:80`".into()),
    }
}

fn url(text: &str) -> Result<HttpProbe, String> {
    if text.starts_with("https:") {
        return Err("https is not spoken here; write `exec=curl -fsSk URL`".into());
    }
    let rest = text
        .strip_prefix("http://")
        .ok_or("a URL is expected, as in `http://127.0.0.1/health`")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = host_and_port(host, Some(80))?;
    Ok(HttpProbe {
        host,
        port,
        path: format!("/{path}"),
        expect: 200,
        body: None,
    })
}

/// As `ha.cf` writes it; what is left out there has its default here.
impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |host: &str, port: u16| {
            if host.contains(':') {
                format!("[{host}]:{port}")
            } else {
                format!("{host}:{port}")
            }
        };
        match self {
            Self::Status => f.write_str("status"),
            Self::Tcp { host, port } => write!(f, "tcp={}", place(host, *port)),
            Self::Http(page) => {
                let HttpProbe { path, expect, .. } = page;
                write!(
                    f,
                    "http=http://{}{path} expect={expect}",
                    place(&page.host, page.port)
                )?;
                page.body
                    .as_ref()
                    .map_or(Ok(()), |body| write!(f, " body={body}"))
            }
            Self::Exec(command) => write!(f, "exec={command}"),
            Self::Process(name) => write!(f, "process={name}"),
        }
    }
}

/// Says which monitors are about nothing that `haresources` has.
pub(super) fn check(settings: &Settings, groups: &[Group], out: &mut Diagnostics) {
    let words = || groups.iter().flat_map(|group| &group.resources);
    for (monitor, Word { text, place }) in &settings.monitors {
        let mut of_line = words().filter(|word| monitor.is_about(word));
        match of_line.next() {
            None => {
                let names = words().map(|word| word.name.as_str());
                out.push(unknown(text, place, nearest(text, names)));
            }
            Some(word) if parse_address(word).is_some() && monitor.probe == Probe::Status => {
                let warning = Diagnostic::warning(place, format!("`{text}` is an address"));
                out.push(warning.label("addresses are watched without a monitor"));
            }
            Some(_) => {}
        }
    }
}

fn unknown(text: &str, place: &Place, near: Option<&str>) -> Diagnostic {
    let error = Diagnostic::error(place, format!("no resource `{text}` in `haresources`"));
    match near {
        Some(near) => error.label(format!("did you mean `{near}`?")),
        None => error
            .label("a word of a line of `haresources` is expected, or what stands before its `::`"),
    }
}
