//! What is wrong with a configuration, and how it is shown to a person.
//!
//! The only file that knows the crate that draws the lines and carets.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::source::Place;

/// The most diagnostics that are drawn; a file that is no configuration at all would fill the screen for hours.
const MOST_SHOWN: usize = 100;

/// How far out on a line, in bytes, a place is still shown with its line.
const FARTHEST_SHOWN: usize = 8192;

/// The characters after a place that are handed to the drawing, which shows fewer.
const SHOWN_AFTER: usize = 512;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration can't be used.
    Error,
    /// It can be used, but is hardly meant so.
    Warning,
    /// Good to know.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// One thing to tell about a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence without its whereabouts.
    pub message: String,
    /// The file it is about.
    pub file: Arc<str>,
    /// Where; `None` when the file as a whole is meant.
    pub place: Option<Place>,
    /// The reason or the right word, written beside the caret; may be empty.
    pub label: String,
    /// Other places that belong to it.
    pub related: Vec<(Place, String)>,
    /// What to do.
    pub help: Vec<String>,
    /// The system refused access to the file.
    pub permission_denied: bool,
}

impl Diagnostic {
    /// Something about the words at `place`.
    pub(super) fn at(severity: Severity, place: &Place, message: impl Into<String>) -> Self {
        let file = Arc::clone(&place.file);
        Self {
            place: Some(place.clone()),
            ..Self::about(severity, &file, message)
        }
    }

    /// Something about a whole file.
    pub(super) fn about(severity: Severity, file: &Arc<str>, message: impl Into<String>) -> Self {
        Self {
            severity,
            message: message.into(),
            file: Arc::clone(file),
            place: None,
            label: String::new(),
            related: Vec::new(),
            help: Vec::new(),
            permission_denied: false,
        }
    }

    pub(super) fn error(place: &Place, message: impl Into<String>) -> Self {
        Self::at(Severity::Error, place, message)
    }

    pub(super) fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self::at(Severity::Warning, place, message)
    }

    pub(super) fn info(place: &Place, message: impl Into<String>) -> Self {
        Self::at(Severity::Info, place, message)
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    pub(super) fn related(mut self, place: &Place, label: impl Into<String>) -> Self {
        self.related.push((place.clone(), label.into()));
        self
    }

    /// Everything on one line, for a log: `/etc/ha.d/ha.cf:3:1: error: unknown directive …`.
    pub fn one_line(&self) -> String {
        let whereabouts = match &self.place {
            Some(place) => format!("{}:{}:{}", self.file, place.line, place.column()),
            None => self.file.to_string(),
        };
        let reason = if self.label.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.label)
        };
        let message = format!("{whereabouts}: {}: {}{reason}", self.severity, self.message);
        let mut parts = vec![message];
        parts.extend(self.help.iter().cloned());
        let line = parts.join("; ");
        line.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect()
    }

    /// The picture: message, whereabouts, line, caret, reason, remedy.
    fn draw(&self, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Info => Level::INFO,
        };
        let label = harmless(&self.label);
        let related = self.related.iter();
        let related: Vec<_> = related
            .map(|(place, label)| (place, harmless(label)))
            .collect();
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        group = match &self.place {
            Some(place) => show(group, place, AnnotationKind::Primary, &label),
            None => group.element(Origin::path(&*self.file)),
        };
        for (place, label) in &related {
            group = show(group, place, AnnotationKind::Context, label);
        }
        let help: Vec<_> = self.help.iter().map(|help| harmless(help)).collect();
        for help in &help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        // The drawing lets these through, which some terminals obey like those with ESC before them.
        renderer
            .render(&[group])
            .replace(|c| matches!(c, '\u{80}'..='\u{9f}'), "\u{fffd}")
    }
}

/// Words of a file may stand in what is written beside a caret or below, which the drawing takes as it is; what a terminal
/// would obey in them is replaced as the drawing does it elsewhere.
fn harmless(text: &str) -> String {
    let picture = |c: char| match c {
        '\n' => c,
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => c,
    };
    text.chars().map(picture).collect()
}

/// The line with its caret; of a place far out on an endless line only where that is.
fn show<'a>(group: Group<'a>, place: &'a Place, kind: AnnotationKind, label: &'a str) -> Group<'a> {
    if place.span.end <= FARTHEST_SHOWN {
        return group.element(snippet(place, kind, label));
    }
    let origin = Origin::path(&*place.file)
        .line(place.line)
        .char_column(place.column());
    let group = group.element(origin);
    if label.is_empty() {
        group
    } else {
        group.element(Level::NOTE.message(label))
    }
}

fn snippet<'a>(
    place: &'a Place,
    kind: AnnotationKind,
    label: &'a str,
) -> Snippet<'a, Annotation<'a>> {
    let annotation = kind.span(place.span.clone());
    let annotation = if label.is_empty() {
        annotation
    } else {
        annotation.label(label)
    };
    // Drawing takes time by the length of the line, though only what surrounds the place is shown.
    let excerpt = &*place.excerpt;
    let after = excerpt.get(place.span.end..).unwrap_or_default();
    let kept = after.char_indices().nth(SHOWN_AFTER);
    let end = kept.map_or(excerpt.len(), |(at, _)| place.span.end.saturating_add(at));
    Snippet::source(excerpt.get(..end).unwrap_or(excerpt))
        .path(&*place.file)
        .line_start(place.line)
        .annotation(annotation)
}

/// A list of diagnostics in the order of files and lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    pub(super) fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        self.0.extend(diagnostics);
    }

    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Sorts by file, in the order of `files`, then by line; what has no line comes last.
    pub(super) fn sort(&mut self, files: &[Arc<str>]) {
        self.0.sort_by_key(|diagnostic| {
            let file = files.iter().position(|file| *file == diagnostic.file);
            let place = diagnostic.place.as_ref();
            (
                file,
                place.map_or((usize::MAX, 0), |place| (place.line, place.span.start)),
            )
        });
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// Those that a person should see: of very many, errors before the rest; and how many are left out.
    pub fn shown(&self) -> (impl Iterator<Item = &Diagnostic>, usize) {
        let left_out = self.0.len().saturating_sub(MOST_SHOWN);
        let is_first = move |one: &&Diagnostic| left_out == 0 || one.severity == Severity::Error;
        let first = self.0.iter().filter(is_first);
        let rest = self.0.iter().filter(move |one| !is_first(one));
        (first.chain(rest).take(MOST_SHOWN), left_out)
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.0
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    }

    /// Whether the configuration can't be used.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// The exit status that belongs to these diagnostics: 4 when the system refused access to a file,
    /// 6 for any other error, else 0.
    pub fn exit_status(&self) -> u8 {
        if self.0.iter().any(|diagnostic| diagnostic.permission_denied) {
            4
        } else if self.has_errors() {
            6
        } else {
            0
        }
    }

    /// All of them as text with lines and carets, parted by empty lines; in colour for a terminal.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let (shown, left_out) = self.shown();
        let mut parts: Vec<String> = shown.map(|one| one.draw(&renderer)).collect();
        if left_out > 0 {
            parts.push(format!("... and {left_out} more"));
        }
        parts.push(String::new());
        parts.join("\n\n")
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::source::File;
    use super::*;

    #[test]
    fn an_error_shows_line_caret_and_the_right_word() {
        let file = File::new(Path::new("/etc/ha.d/ha.cf"), b"\n\nserail /dev/ttyS0\n");
        let mut diagnostics = Diagnostics::default();
        let place = file.lines[2].place(0..6);
        diagnostics.push(
            Diagnostic::error(&place, "unknown directive `serail`").label("did you mean `serial`?"),
        );
        let expected = "\
error: unknown directive `serail`
 --> /etc/ha.d/ha.cf:3:1
  |
3 | serail /dev/ttyS0
  | ^^^^^^ did you mean `serial`?

";
        assert_eq!(diagnostics.to_string(), expected);
        assert_eq!(
            diagnostics.0[0].one_line(),
            "/etc/ha.d/ha.cf:3:1: error: unknown directive `serail` (did you mean `serial`?)"
        );
    }

    #[test]
    fn no_word_of_a_file_gives_orders_to_a_terminal() {
        let text = "auto_failback\u{1b}[2J\u{202e}\u{9b} on\n";
        let file = File::new(Path::new("/etc/ha.d/ha.cf"), text.as_bytes());
        let place = file.lines[0].place(0..5);
        let word = text.trim_end();
        let mut diagnostics = Diagnostics::default();
        let said = Diagnostic::error(&place, format!("unknown `{word}`")).label(word);
        diagnostics.push(said.related(&place, word).help(word));
        let drawn = diagnostics.to_string();
        let is_order = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!drawn.contains(is_order), "{drawn:?}");
        assert!(drawn.contains("auto_failback␛[2J"), "{drawn}");
    }

    #[test]
    fn a_refused_file_outranks_other_errors_in_the_exit_status() {
        let file: Arc<str> = "x".into();
        let mut diagnostics = Diagnostics::default();
        assert_eq!(diagnostics.exit_status(), 0);
        diagnostics.push(Diagnostic::about(Severity::Warning, &file, "w"));
        assert_eq!(diagnostics.exit_status(), 0);
        diagnostics.push(Diagnostic::about(Severity::Error, &file, "e"));
        assert_eq!(diagnostics.exit_status(), 6);
        let refused = Diagnostic::about(Severity::Error, &file, "p");
        diagnostics.push(Diagnostic {
            permission_denied: true,
            ..refused
        });
        assert_eq!(diagnostics.exit_status(), 4);
    }
}
