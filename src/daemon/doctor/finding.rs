//! One thing that was looked at, and what came of it.

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not as it should be; the service goes on.
    Warning,
    /// It could not be looked at.
    Unknown,
    /// Something does not work, or a takeover would not.
    Problem,
}

/// One line of a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: a word, and a name where there are several.
    pub item: String,
    /// How it is.
    pub verdict: Verdict,
    /// That in words.
    pub words: String,
    /// What to do; empty where nothing is.
    pub cure: String,
}

impl Finding {
    /// With a cure, which may be empty.
    pub fn new(
        item: &str,
        verdict: Verdict,
        words: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            item: item.to_owned(),
            verdict,
            words: words.into(),
            cure: cure.into(),
        }
    }

    /// As it should be.
    pub fn ok(item: &str, words: impl Into<String>) -> Self {
        Self::new(item, Verdict::Ok, words, "")
    }

    /// Not as it should be.
    pub fn warning(item: &str, words: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(item, Verdict::Warning, words, cure)
    }

    /// Something does not work.
    pub fn problem(item: &str, words: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(item, Verdict::Problem, words, cure)
    }

    /// It could not be looked at.
    pub fn unknown(item: &str, words: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(item, Verdict::Unknown, words, cure)
    }
}
