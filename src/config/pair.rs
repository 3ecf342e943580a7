//! The directives about the pair itself: its nodes, and what a pair cannot be.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::directive::Directive;
use super::settings::Settings;
use super::source::Word;
use super::value::{self, Fault, Reading};

/// One name after `node`.
pub(super) fn node(
    settings: &mut Settings,
    _directive: &'static Directive,
    word: &Word,
    out: &mut Diagnostics,
) {
    let name = word.text.to_ascii_lowercase();
    if word.text.chars().count() > 99 {
        let error = Diagnostic::error(&word.place, "node name is too long");
        out.push(error.label("more than 99 characters"));
        return;
    }
    if let Some(first) = settings.nodes.iter().find(|node| node.text == name) {
        let warning = Diagnostic::warning(&word.place, format!("node `{name}` is named twice"));
        out.push(warning.label("ignored").related(&first.place, "first here"));
        return;
    }
    // Two are right and three are too many; a file that names thousands is none of ours.
    if settings.nodes.len() >= 100 {
        return;
    }
    settings.nodes.push(Word {
        text: name,
        place: word.place.clone(),
    });
}

/// `crm` and `pacemaker`: only "no" is possible.
pub(super) fn pacemaker(_settings: &mut Settings, text: &str) -> Result<(), Fault> {
    if matches!(value::boolean(text), Ok(Reading { value: false, .. })) {
        return Ok(());
    }
    let reason = "there is no Pacemaker mode; remove this line and keep the resources in `haresources`, \
                  or run corosync with pacemaker instead of heartbeat";
    Err(Fault {
        span: 0..text.len(),
        reason: reason.into(),
    })
}

/// `autojoin`: only "none" is possible.
pub(super) fn autojoin(_settings: &mut Settings, text: &str) -> Result<(), Fault> {
    if value::choice(text, &["none", "other", "any"], true)?.value == "none" {
        return Ok(());
    }
    let reason = "a pair has two fixed nodes; remove this line and name both with `node`";
    Err(Fault {
        span: 0..text.len(),
        reason: reason.into(),
    })
}
