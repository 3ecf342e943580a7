//! What the rules of `declared` do not find by themselves, and what they find and should not. Every line is checked: one that
//! fits nothing any more fails a test.

use crate::declared::Voice;
use crate::source::{files, texts};

/// Implementations of `Display` that say nothing of something wrong, by the name of their type.
pub const NO_MESSAGES: &[&str] = &[
    // words of a state, a name or a setting
    "Words",
    "Probe",
    "Placement",
    "Use",
    "Short",
    "Facts",
    "User",
    "Side",
    "Who",
    "AlertWay",
    // lines of `heartbeat sniff`, which heartbeat(8) explains
    "Order",
    "Authenticity",
    "CaptureError",
    // the sentences of `heartbeat serial-test`, each with its remedy; heartbeat(8) explains the verdicts
    "Verdict",
    // the end of the line about a failed start, in plain words
    "AfterFailure",
    // why a group is started or stopped, and what a reload does with it: nothing is wrong
    "Reason",
    "GroupChange",
    // of `heartbeat replay`, which names the line of the recording
    "RecordingError",
    "Problem",
];

/// What is found and is no message by itself: the other half of a sentence, or what the same report says when all is well.
pub const NOT_ALONE: &[&str] = &[
    "(successor of heartbeat *)",
    "Configuration unchanged.",
    "and * more",
    "chmod g-w",
    "chmod go-w",
    "chown root",
    "GET * HTTP/1.0r Host: *:*r User-Agent: heartbeat/*r Connection: closer r",
    "INFO: Heartbeat already stopped.",
    "fault: * 1 fault",
    "heartbeat alert-test",
    "heartbeat check",
    "heartbeat keygen",
    "heartbeat serial-test",
    "heartbeat: recorded by version *, replayed by *: this is what the latter would decide",
    "info: Signalling heartbeat pid * to reread config files",
    "(* since the last such line)",
    "Other side is",
    "is done.",
    "is for whoever helps you. Passwords were left out as far as they can be told; look into it before you give it away",
    "is ready to run resource group *.",
    "local resources",
    "read",
    "the version of the program",
    "this node",
    "written",
];

/// Functions whose sentences are handed on before they are logged or answered.
pub const SPEAKERS: &[(&str, &str, Voice)] = &[
    ("src/config/key_strength.rs", "message", Voice::Diagnostic),
    ("src/daemon/alerts/limit.rs", "summary", Voice::Warn),
    ("src/daemon/hazards/trust.rs", "mistrust", Voice::Diagnostic),
    ("src/daemon/keygen/mod.rs", "write", Voice::Reason),
    ("src/daemon/keygen/options.rs", "method", Voice::Reason),
    ("src/daemon/last_breath.rs", "sentence", Voice::Warn),
    ("src/daemon/holders.rs", "holders_of", Voice::Crit),
    ("src/daemon/start.rs", "open_state", Voice::Error),
    ("src/cluster/link_report.rs", "cause", Voice::Warn),
    ("src/cluster/refusals.rs", "on_link", Voice::Reason),
    ("src/daemon/log/file.rs", "write", Voice::Warn),
    ("src/daemon/log/mod.rs", "start_writer", Voice::Warn),
    ("src/daemon/log/system.rs", "write", Voice::Warn),
    ("src/daemon/log/writer.rs", "write", Voice::Warn),
    ("src/daemon/log/writer.rs", "work", Voice::Warn),
    ("src/daemon/look.rs", "no_interface", Voice::Diagnostic),
    ("src/daemon/serial_budget.rs", "problem", Voice::Diagnostic),
    ("src/daemon/reload.rs", "weigh", Voice::Reason),
    ("src/daemon/probe.rs", "ask", Voice::Reason),
    ("src/daemon/probe.rs", "connect", Voice::Reason),
    ("src/daemon/probe.rs", "get", Voice::Reason),
    ("src/daemon/probe.rs", "judge", Voice::Reason),
    ("src/daemon/lint_script/mod.rs", "run", Voice::Reason),
    ("src/daemon/lint_script/mod.rs", "act", Voice::Reason),
    ("src/daemon/serial_test/mod.rs", "test", Voice::Reason),
    ("src/daemon/serial_test/mod.rs", "in_use", Voice::Reason),
    ("src/daemon/unready.rs", "reasons", Voice::Reason),
    ("src/daemon/unready.rs", "address_reason", Voice::Reason),
    ("src/daemon/unready.rs", "unit_reasons", Voice::Reason),
    ("src/daemon/unready.rs", "device_reason", Voice::Reason),
    ("src/resource/address.rs", "remove_all", Voice::Warn),
];

/// Calls that answer somebody with a sentence. The findings of `heartbeat doctor` are none of them: each says what to do, on a
/// line of its own.
pub const ANSWERS: &[(&[&str], Voice)] = &[
    (&["Refusal", ":", ":", "new", "("], Voice::Error),
    (&["Answer", ":", ":", "Error", "("], Voice::Reason),
    (&["Finding", ":", ":", "fault", "("], Voice::Reason),
    // words for the terminal of whoever typed a command, and for the next start
    (&["say", "("], Voice::Reason),
];

/// Where such calls speak to a program, or of what `heartbeat sniff` shows.
pub const SILENT: &[&str] = &["src/daemon/service_manager.rs", "src/daemon/sniff"];

/// Log lines that hand on what is found elsewhere, and have no words of their own.
pub const BARE: &[(&str, &str)] = &[
    ("src/daemon/alerts/mod.rs", "{text}"),
    ("src/daemon/last_breath.rs", "{sentence}"),
    ("src/daemon/log/mod.rs", "{text}"),
    ("src/daemon/reload.rs", "Reload: {line}"),
    ("src/daemon/reload.rs", "{mistake}"),
    ("src/daemon/reload.rs", "{}"),
    ("src/daemon/resources/agents.rs", "{}: {complaint}"),
    ("src/daemon/resources/floating.rs", "{error}"),
    ("src/daemon/resources/floating.rs", "{warning}"),
    ("src/daemon/resources/floating/claims.rs", "{error}"),
    ("src/daemon/resources/holders.rs", "{line}"),
    ("src/daemon/resources/verdict.rs", "{}: {error}"),
    ("src/daemon/start.rs", "{}"),
];

#[test]
fn no_exception_has_outlived_its_reason() {
    let files = files();
    let of = |path: &str| files.iter().find(|source| source.path == path);
    for name in NO_MESSAGES {
        let shown = ["Display", "for", name];
        let is_there = files.iter().any(|source| !source.find(&shown).is_empty());
        assert!(is_there, "{name} is not shown any more");
    }
    for (path, format) in BARE {
        let source = of(path).unwrap_or_else(|| panic!("there is no {path}"));
        let is_there = texts(&source.tokens).any(|text| text == *format);
        assert!(is_there, "{path} has no `{format}` any more");
    }
    for (path, name, _) in SPEAKERS {
        let body = of(path).and_then(|source| source.body(name));
        assert!(body.is_some(), "{path} has no {name} any more");
    }
    for path in SILENT {
        let is_there = files.iter().any(|source| source.path.starts_with(path));
        assert!(is_there, "there is no {path} any more");
    }
}
