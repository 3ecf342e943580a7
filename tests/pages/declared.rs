//! What the programs can say when something is wrong, found in the source: log lines of WARN and above, reports of the core
//! and the media, the sentences of errors, and diagnostics about the three files.

use std::collections::{BTreeMap, BTreeSet};

use crate::exceptions::{ANSWERS, BARE, NO_MESSAGES, NOT_ALONE, SILENT, SPEAKERS};
use crate::source::{Source, Token, arguments, end_of, files, texts};

/// How it comes to the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Voice {
    /// A log line of this level.
    Warn,
    Error,
    Crit,
    /// A diagnostic of `heartbeat check`, of a start or of a reload.
    Diagnostic,
    /// A part of one of these, or the answer to a command.
    Reason,
}

impl Voice {
    /// The word in the catalogue.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Crit => "CRIT",
            Self::Diagnostic => "check",
            Self::Reason => "reason",
        }
    }
}

/// Where a message comes from, for whoever writes its entry.
#[derive(Debug, Default)]
pub struct Origin {
    pub voices: BTreeSet<Voice>,
    pub files: BTreeSet<String>,
}

/// Every message, with a star for what differs from time to time.
pub type Messages = BTreeMap<String, Origin>;

/// What `heartbeat check` looks for on the machine.
const HAZARDS: &str = "src/daemon/hazards";

/// All of them.
pub fn messages() -> Messages {
    let mut found = Messages::new();
    for source in files() {
        log_lines(&source, &mut found);
        spoken(&source, &mut found);
        displays(&source, &mut found);
        if source.path.starts_with("src/config")
            || source.path.starts_with("src/daemon/look")
            || source.path.starts_with(HAZARDS)
            || source.path == "src/daemon/serial_budget.rs"
        {
            diagnostics(&source, &mut found);
        }
    }
    for half in NOT_ALONE {
        assert!(
            found.remove(*half).is_some(),
            "nothing says `{half}` any more"
        );
    }
    found
}

fn add(found: &mut Messages, source: &Source, text: &str, voice: Voice) {
    if text.starts_with("usage:") {
        return;
    }
    let message = pattern(text);
    // What is said of a place in a file may be short.
    let is_short = voice == Voice::Diagnostic && message.len() > 3;
    if is_sentence(&message) || is_short {
        let origin = found.entry(message).or_default();
        origin.voices.insert(voice);
        origin.files.insert(source.path.clone());
    }
}

/// The text of a format with a star for each value, and none at its ends.
pub fn pattern(text: &str) -> String {
    let mut pattern = String::new();
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '{' | '}' if signs.peek() == Some(&sign) => {
                signs.next();
                pattern.push(sign);
            }
            '{' => {
                for inner in signs.by_ref() {
                    if inner == '}' {
                        break;
                    }
                }
                pattern.push('*');
            }
            '\n' => pattern.push(' '),
            other => pattern.push(other),
        }
    }
    while pattern.contains("**") {
        pattern = pattern.replace("**", "*");
    }
    let ends = [' ', '*', ':', ';', ','];
    let trimmed = pattern.trim().trim_matches(|sign| ends.contains(&sign));
    trimmed.to_owned()
}

/// Whether somebody would look for it: two words, or the one before all records of incidents.
fn is_sentence(message: &str) -> bool {
    if message == "Incident" {
        return true;
    }
    let is_word = |word: &&str| word.chars().filter(|sign| sign.is_alphabetic()).count() > 1;
    message.split(' ').filter(is_word).count() > 1
}

/// `log::warn!` and `log::error!`.
fn log_lines(source: &Source, found: &mut Messages) {
    for (level, voice) in [("warn", Voice::Warn), ("error", Voice::Error)] {
        for at in source.find(&["log", ":", ":", level, "!", "("]) {
            let all = arguments(source.inside(at + 5));
            let is_target = |part: &&&[Token]| part.first().is_some_and(|word| word.is("target"));
            let is_crit = all.iter().filter(is_target).any(|part| {
                let words = part.iter().any(|token| token.is("TAG_CRIT"));
                words || texts(part).any(|text| text.starts_with("CRIT:"))
            });
            let format = all.iter().find(|part| !is_target(part));
            let format = format
                .and_then(|part| texts(part).next())
                .unwrap_or_default();
            let voice = if is_crit { Voice::Crit } else { voice };
            if !is_sentence(&pattern(format)) {
                let is_known = BARE.contains(&(source.path.as_str(), format));
                assert!(is_known, "{}: what is said by `{format}`?", source.path);
            }
            add(found, source, format, voice);
        }
    }
}

/// What answers and what other functions hand on.
fn spoken(source: &Source, found: &mut Messages) {
    for (file, name, voice) in SPEAKERS {
        if *file != source.path {
            continue;
        }
        let body = source.body(name);
        for text in texts(body.unwrap_or_else(|| panic!("{file}: there is no {name}"))) {
            add(found, source, text, *voice);
        }
    }
    if SILENT.iter().any(|path| source.path.starts_with(path)) {
        return;
    }
    for (call, voice) in ANSWERS {
        for at in source.find(call) {
            for text in texts(source.inside(at + call.len() - 1)) {
                add(found, source, text, *voice);
            }
        }
    }
    if source.path.starts_with("src/client") {
        for at in source.find(&["warn", "(", "&", "format", "!"]) {
            for text in texts(source.inside(at + 1)) {
                add(found, source, text, Voice::Reason);
            }
        }
    }
}

/// What follows `impl … Display for`: the sentences of a report that is a warning or worse, and of every error.
fn displays(source: &Source, found: &mut Messages) {
    for at in source.find(&["Display", "for"]) {
        let Some(Token::Word(name)) = source.tokens.get(at + 2) else {
            continue;
        };
        let open = (at..source.tokens.len()).find(|&at| source.tokens[at].is("{"));
        let body = source.inside(open.expect("an implementation has a body"));
        if name.ends_with("Report") {
            report(source, body, found);
        } else if !NO_MESSAGES.contains(&name.as_str()) {
            for text in texts(body) {
                add(found, source, text, Voice::Reason);
            }
        }
    }
}

fn report(source: &Source, body: &[Token], found: &mut Messages) {
    let severities = severities(source);
    for (pattern, arm) in arms(body) {
        for variant in variants(pattern) {
            for voice in severities.get(variant).into_iter().flatten() {
                for text in texts(arm) {
                    add(found, source, text, *voice);
                }
            }
        }
    }
}

/// What a pattern speaks of: each `Self::NAME`.
fn variants(pattern: &[Token]) -> impl Iterator<Item = &str> {
    pattern.windows(4).filter_map(|tokens| match tokens {
        [own, Token::Sign(':'), Token::Sign(':'), Token::Word(name)] if own.is("Self") => {
            Some(name.as_str())
        }
        _ => None,
    })
}

/// The arms of every `match` in a body: the pattern before the arrow, and what comes after it.
fn arms(body: &[Token]) -> Vec<(&[Token], &[Token])> {
    let mut found = Vec::new();
    for at in 0..body.len() {
        if !body[at].is("match") {
            continue;
        }
        let Some(open) = (at..body.len()).find(|&at| body[at].is("{")) else {
            continue;
        };
        let inside = &body[open + 1..end_of(body, open)];
        let mut from = 0;
        while let Some(arrow) = arrow_after(inside, from) {
            let begin = arrow + 2;
            let mut end = begin;
            if inside.get(begin).is_some_and(|token| token.is("{")) {
                end = end_of(inside, begin) + 1;
            } else {
                while end < inside.len() && !inside[end].is(",") {
                    if matches!(inside[end], Token::Sign('(' | '[' | '{')) {
                        end = end_of(inside, end);
                    }
                    end += 1;
                }
            }
            found.push((&inside[from..arrow], &inside[begin..end.min(inside.len())]));
            from = end;
        }
    }
    found
}

/// The next `=>` outside of brackets.
fn arrow_after(tokens: &[Token], from: usize) -> Option<usize> {
    let mut at = from;
    while at + 1 < tokens.len() {
        match tokens[at] {
            Token::Sign('(' | '[' | '{') => at = end_of(tokens, at),
            Token::Sign('=') if tokens[at + 1].is(">") => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// How bad the reports of a file can be, by their variants; what is not there is information.
fn severities(source: &Source) -> BTreeMap<&str, BTreeSet<Voice>> {
    let mut found: BTreeMap<&str, BTreeSet<Voice>> = BTreeMap::new();
    for (pattern, arm) in source.body("severity").map(arms).unwrap_or_default() {
        let voice = match arm {
            [.., Token::Word(word)] if word == "Warn" => Voice::Warn,
            [.., Token::Word(word)] if word == "Error" => Voice::Error,
            [.., Token::Word(word)] if word == "Crit" => Voice::Crit,
            _ => continue,
        };
        for variant in variants(pattern) {
            found.entry(variant).or_default().insert(voice);
        }
    }
    for (name, voice) in [("is_warning", Voice::Warn), ("is_alarm", Voice::Crit)] {
        for variant in source.body(name).into_iter().flat_map(variants) {
            found.entry(variant).or_default().insert(voice);
        }
    }
    found
}

/// The first words of each diagnostic: what is handed to its maker, and every `message` that is kept for it.
fn diagnostics(source: &Source, found: &mut Messages) {
    for maker in ["error", "warning", "at", "about"] {
        for at in source.find(&["Diagnostic", ":", ":", maker, "("]) {
            let all = arguments(source.inside(at + 4));
            for text in all.last().into_iter().flat_map(|part| texts(part)) {
                add(found, source, text, Voice::Diagnostic);
            }
        }
    }
    // What makes a diagnostic of the place, the message and the reason.
    for at in source.find(&["refuse", "("]) {
        for text in arguments(source.inside(at + 1))
            .get(1)
            .into_iter()
            .flat_map(|part| texts(part))
        {
            add(found, source, text, Voice::Diagnostic);
        }
    }
    // A field, and the first of two things that are made at once.
    let fields = if source.path.starts_with("src/daemon") {
        source.find(&["message", ":"])
    } else {
        Vec::new()
    };
    for at in fields {
        let field = arguments(&source.tokens[at..]);
        for text in field.first().into_iter().flat_map(|part| texts(part)) {
            add(found, source, text, Voice::Diagnostic);
        }
    }
    for at in source.find(&["let", "(", "message"]) {
        for text in source.statement(at).windows(5).filter_map(first_of_a_pair) {
            add(found, source, text, Voice::Diagnostic);
        }
    }
    if source.path.starts_with(HAZARDS) {
        hazards(source, found);
        return;
    }
    for name in ["message", "problem", "what"] {
        for at in source.find(&["let", name, "="]) {
            for text in texts(source.statement(at)) {
                add(found, source, text, Voice::Diagnostic);
            }
        }
    }
}

/// What is found on the machine: the first of message, reason and remedy, or a word of a table that stands in it.
fn hazards(source: &Source, found: &mut Messages) {
    for at in source.find(&["found", "("]) {
        let all = arguments(source.inside(at + 1));
        for text in all.first().into_iter().flat_map(|part| texts(part)) {
            add(found, source, text, Voice::Diagnostic);
        }
    }
    for at in source.find(&["what", ")", "in", "["]) {
        for pair in source.inside(at + 3).windows(4) {
            if let [Token::Text(_), comma, Token::Text(what), close] = pair
                && (comma.is(",") && close.is(")"))
            {
                add(found, source, what, Voice::Diagnostic);
            }
        }
    }
}

/// The literal with which a pair begins, plain or as a format.
fn first_of_a_pair(tokens: &[Token]) -> Option<&str> {
    match tokens {
        [before, open, Token::Text(text), comma, _]
            if !before.is("!") && open.is("(") && comma.is(",") =>
        {
            Some(text)
        }
        [open, format, mark, bracket, Token::Text(text)]
            if open.is("(") && format.is("format") && mark.is("!") && bracket.is("(") =>
        {
            Some(text)
        }
        _ => None,
    }
}

#[test]
fn formats_become_patterns_and_severities_are_read() {
    assert_eq!(pattern("{a}: b{{c}} {} {d:?}\n"), "b{c}");
    assert_eq!(pattern("Link {node}:{link} dead."), "Link *:* dead.");
    let source = Source::read(
        "src/x.rs".to_owned(),
        r#"impl R { fn severity(&self) -> S { match self { Self::A { .. } | Self::B => S::Warn, Self::C(x) if x => S::Crit,
            _ => S::Info } } }
        impl fmt::Display for AReport { fn fmt(&self) { match self { Self::A { x } => { write!(f, "first {x} word") }
            Self::B => f.write_str(match y { 1 => "second word", _ => "third word" }), Self::D => w("fine word"), } } }
        fn g() { let (message, label) = match x { 1 => ("seventh word", "no word"), _ => (format!("eighth {} word", "no word"),
            format!("no {} word", a)) }; }
        fn f() { log::error!(target: "CRIT:x", "fifth word: {e}"); log::warn!(target: T, "sixth {} word", "no word"); }"#,
    );
    let mut found = Messages::new();
    displays(&source, &mut found);
    log_lines(&source, &mut found);
    diagnostics(&source, &mut found);
    let hazard = Source::read(
        format!("{HAZARDS}/x.rs"),
        r#"fn f() { for (kind, what) in [("no word", "ninth word")] { found(format!("tenth {kind} word"), "no word", "no word") } }"#,
    );
    diagnostics(&hazard, &mut found);
    let found: Vec<_> = found
        .iter()
        .map(|(message, origin)| (message.as_str(), origin.voices.iter().copied().collect()))
        .collect();
    let expected: Vec<(&str, Vec<Voice>)> = vec![
        ("eighth * word", vec![Voice::Diagnostic]),
        ("fifth word", vec![Voice::Crit]),
        ("first * word", vec![Voice::Warn]),
        ("ninth word", vec![Voice::Diagnostic]),
        ("second word", vec![Voice::Warn]),
        ("seventh word", vec![Voice::Diagnostic]),
        ("sixth * word", vec![Voice::Warn]),
        ("tenth * word", vec![Voice::Diagnostic]),
        ("third word", vec![Voice::Warn]),
    ];
    assert_eq!(found, expected);
}
