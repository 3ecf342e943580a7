//! What the end of one action says against its script.

use std::time::Duration;

use crate::daemon::children::{End, Ended, reason};
use crate::resource::catalogue::Resource;
use crate::resource::{Action, Standing, classic, ocf};

/// Nobody reads more of a script's output than this.
const MUCH: u64 = 1 << 20;

/// What an action should come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Whatever it says: this is only to see.
    Anything,
    /// Exit code 0; with what was done, in words.
    Success(&'static str),
    /// A status that says that it runs.
    Running,
    /// A status that says that it does not.
    Stopped,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub grade: Grade,
    pub text: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    /// A pair will have trouble with it.
    Fault,
    /// A pair copes, others may not.
    Note,
}

impl Finding {
    pub fn fault(text: String) -> Self {
        let grade = Grade::Fault;
        Self { grade, text }
    }

    fn note(text: String) -> Self {
        let grade = Grade::Note;
        Self { grade, text }
    }
}

/// Judges the end of one action.
pub(super) fn judge(
    resource: &Resource,
    action: Action,
    expected: Expected,
    ended: &Ended,
    limit: Duration,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let word = action.word();
    if ended.written > MUCH {
        let size = ended.written >> 20;
        findings.push(Finding::fault(if ended.end == End::TimedOut {
            format!("{word}: writes without end: {size} MiB until it was killed")
        } else {
            format!("{word}: wrote {size} MiB, which nobody reads and the log does not keep")
        }));
    }
    let code = match ended.end {
        End::Exited(code) => code,
        End::Killed(signal) => {
            findings.push(Finding::fault(format!(
                "{word}: was killed by signal {signal}"
            )));
            return findings;
        }
        End::NeverRan(number) => {
            findings.push(Finding::fault(format!(
                "{word}: cannot be run: {}",
                reason(number)
            )));
            return findings;
        }
        End::TimedOut => {
            let seconds = limit.as_secs_f64();
            findings.push(Finding::fault(format!(
                "{word}: did not end within {seconds} s and was killed; see `timeout` in ha.cf(5) if it needs more"
            )));
            return findings;
        }
    };
    match expected {
        Expected::Anything => {}
        Expected::Success(_) if code == 0 => {}
        Expected::Success(what) => {
            let meaning = match resource {
                Resource::Agent(_) => format!(" ({})", ocf::meaning(code)),
                _ => String::new(),
            };
            findings.push(Finding::fault(format!(
                "{word}: {what} must succeed with exit code 0, and this one ended with {code}{meaning}"
            )));
        }
        Expected::Running | Expected::Stopped => {
            let runs = expected == Expected::Running;
            findings.extend(judge_status(resource, runs, ended, code));
        }
    }
    findings
}

fn judge_status(resource: &Resource, runs: bool, ended: &Ended, code: i32) -> Option<Finding> {
    let found = resource.standing(&ended.stdout, &ended.last_lines, code);
    let truth = if runs {
        "while it runs"
    } else {
        "while it is stopped"
    };
    let is_right = found
        == if runs {
            Standing::Running
        } else {
            Standing::Stopped
        };
    let said = quoted(&ended.stdout);
    match resource {
        Resource::Agent(_) => (!is_right).then(|| {
            let (wanted, meaning) = (if runs { 0 } else { 7 }, ocf::meaning(code));
            Finding::fault(format!(
                "status: monitor {truth} must end with exit code {wanted}, and ended with {code} ({meaning})"
            ))
        }),
        Resource::Unit(_) => (!is_right)
            .then(|| Finding::fault(format!("status: systemctl is-active {truth} says {said}"))),
        _ if is_right => wrong_code(resource, runs, truth, code),
        _ if found == Standing::Silent && !runs => Some(Finding::note(format!(
            "status: {truth} it says {said}, without `not running`: should a stop fail one day, that is no proof that \
             it is stopped"
        ))),
        _ if found == Standing::Running => Some(Finding::fault(format!(
            "status: {truth} it says {said}, which means that it runs: it will never be started"
        ))),
        _ if found == Standing::Unknown => Some(Finding::fault(format!(
            "status: {truth} it says {said} with exit code {code}, which means nothing"
        ))),
        _ if found == Standing::Stopped && classic::denies(&ended.stdout) => Some(Finding::fault(format!(
            "status: {truth} it says {said}: it counts as stopped, and is started again each time"
        ))),
        _ if !ended.stdout.trim_ascii().is_empty() => Some(Finding::fault(format!(
            "status: {truth} it says {said}, without `running` or `OK`: it counts as stopped, and is started again \
             each time"
        ))),
        _ if !ended.last_lines.is_empty() => Some(Finding::fault(format!(
            "status: {truth} it says nothing on standard output, and standard error is not looked at: it counts as \
             stopped, and is started again each time"
        ))),
        _ => Some(Finding::fault(format!(
            "status: {truth} it says nothing: it counts as stopped, and is started again each time; print `running`"
        ))),
    }
}

/// The right words with the wrong code: heartbeat reads the words, others the code.
fn wrong_code(resource: &Resource, runs: bool, truth: &str, code: i32) -> Option<Finding> {
    let is_usual = if runs {
        code == 0
    } else {
        matches!(code, 1..=3)
    };
    let wanted = if runs { 0 } else { 3 };
    let text = format!(
        "status: {truth} the exit code should be {wanted} and is {code}; heartbeat reads the words, systemd and others \
         the code"
    );
    match resource {
        _ if is_usual => None,
        Resource::Script { is_lsb: true, .. } => Some(Finding::fault(text)),
        _ => Some(Finding::note(text)),
    }
}

/// The beginning of what was said.
fn quoted(output: &[u8]) -> String {
    const LONGEST: usize = 60;
    let text = String::from_utf8_lossy(output);
    let line = text.trim().lines().next().unwrap_or_default();
    let shown: String = line.chars().take(LONGEST).collect();
    let is_all = shown.len() == text.trim().len();
    let shown = shown.replace(char::is_control, "?");
    match (text.trim().is_empty(), is_all) {
        (true, _) => "nothing".to_owned(),
        (false, true) => format!("`{shown}`"),
        (false, false) => format!("`{shown}...`"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::daemon::children::ChildId;
    use crate::resource::ocf::Agent;

    fn ended(end: End, stdout: &str, written: u64) -> Ended {
        Ended {
            child: ChildId::default(),
            end,
            stdout: stdout.as_bytes().to_vec(),
            last_lines: stdout.lines().map(str::to_owned).collect(),
            written,
            took: Duration::ZERO,
        }
    }

    fn told(resource: &Resource, action: Action, expected: Expected, ended: &Ended) -> String {
        let findings = judge(resource, action, expected, ended, Duration::from_secs(20));
        let lines = findings.iter().map(|finding| {
            let grade = match finding.grade {
                Grade::Fault => "fault",
                Grade::Note => "note",
            };
            format!("{grade}: {}", finding.text)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn script(is_lsb: bool) -> Resource {
        Resource::Script {
            path: PathBuf::from("/etc/init.d/x"),
            arguments: Vec::new(),
            is_lsb,
        }
    }

    #[test]
    fn a_status_is_judged_as_the_daemon_reads_it() {
        let agent = || Resource::Agent(Agent::new(Path::new("/usr/lib/ocf"), "own", "x"));
        let unit = || Resource::Unit("x.service".to_owned());
        let (runs, stopped) = (Expected::Running, Expected::Stopped);
        for (resource, expected, stdout, code, text) in [
            (script(false), runs, "running", 0, ""),
            (script(false), stopped, "not running", 3, ""),
            (script(false), stopped, "is not running", 1, ""),
            (
                script(false),
                runs,
                "running",
                1,
                "note: status: while it runs the exit code should be 0 and is 1; heartbeat reads the words, systemd \
                 and others the code",
            ),
            (
                script(true),
                stopped,
                "not running",
                0,
                "fault: status: while it is stopped the exit code should be 3 and is 0; heartbeat reads the words, \
                 systemd and others the code",
            ),
            (script(true), runs, "", 0, ""),
            (script(true), stopped, "", 3, ""),
            (
                script(true),
                runs,
                "",
                4,
                "fault: status: while it runs it says nothing with exit code 4, which means nothing",
            ),
            (
                script(true),
                stopped,
                "up",
                0,
                "fault: status: while it is stopped it says `up`, which means that it runs: it will never be started",
            ),
            (
                script(false),
                runs,
                "not running",
                3,
                "fault: status: while it runs it says `not running`: it counts as stopped, and is started again each time",
            ),
            (agent(), runs, "", 0, ""),
            (agent(), stopped, "", 7, ""),
            (
                agent(),
                stopped,
                "",
                1,
                "fault: status: monitor while it is stopped must end with exit code 7, and ended with 1 (generic error)",
            ),
            (
                agent(),
                runs,
                "running",
                7,
                "fault: status: monitor while it runs must end with exit code 0, and ended with 7 (not running)",
            ),
            (unit(), runs, "active\n", 0, ""),
            (unit(), stopped, "failed\n", 3, ""),
            (
                unit(),
                runs,
                "activating\n",
                3,
                "fault: status: systemctl is-active while it runs says `activating`",
            ),
        ] {
            let ended = ended(End::Exited(code), stdout, 10);
            let said = told(&resource, Action::Status, expected, &ended);
            assert_eq!(said, text, "{resource:?} {expected:?} {stdout:?} {code}");
        }
    }

    #[test]
    fn how_an_action_ends_is_judged() {
        let start = Expected::Success("a start");
        for (end, written, text) in [
            (End::Exited(0), 10, ""),
            (
                End::Exited(5),
                10,
                "fault: start: a start must succeed with exit code 0, and this one ended with 5",
            ),
            (End::Killed(11), 10, "fault: start: was killed by signal 11"),
            (
                End::TimedOut,
                10,
                "fault: start: did not end within 20 s and was killed; see `timeout` in ha.cf(5) if it needs more",
            ),
            (
                End::TimedOut,
                5 << 20,
                "fault: start: writes without end: 5 MiB until it was killed\n\
                 fault: start: did not end within 20 s and was killed; see `timeout` in ha.cf(5) if it needs more",
            ),
            (
                End::Exited(0),
                5 << 20,
                "fault: start: wrote 5 MiB, which nobody reads and the log does not keep",
            ),
        ] {
            let ended = ended(end, "", written);
            assert_eq!(told(&script(false), Action::Start, start, &ended), text);
        }
    }

    #[test]
    fn what_was_said_is_quoted_in_bounds() {
        for (output, expected) in [
            ("", "nothing"),
            (" \n", "nothing"),
            ("up\n", "`up`"),
            ("up\nand more\n", "`up...`"),
        ] {
            assert_eq!(quoted(output.as_bytes()), expected);
        }
        assert!(quoted("x".repeat(5000).as_bytes()).len() < 100);
    }
}
