//! Words for the person at the terminal, before there is a log or instead of it.

use std::io::{IsTerminal, Write};

use crate::config::Diagnostics;

/// To the person who typed the command.
pub fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes()); // nobody else to tell
}

/// Shows diagnostics with lines and carets.
pub fn show(diagnostics: &Diagnostics) {
    say(&diagnostics.render(std::io::stderr().is_terminal()));
}
