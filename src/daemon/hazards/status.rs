//! Scripts that were never meant to be asked how they are.

use std::fs;
use std::path::Path;

use super::found;
use crate::config::Absence;

/// A script is short; what is longer is something else.
const LONGEST: u64 = 256 * 1024;

/// What hands its arguments on, or is somebody else's business to answer.
const HANDS_ON: [&str; 11] = [
    "$@",
    "$*",
    "exec ",
    "source ",
    "\n. ",
    "sys.argv",
    "import ",
    "require",
    "systemctl",
    "service ",
    "init.d/",
];

/// Whether a script that heartbeat asks `status` knows the word. Nothing is run.
pub fn look(path: &Path) -> Option<Absence> {
    if fs::metadata(path).ok()?.len() > LONGEST {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    knows_not(&text).then(|| {
        found(
            format!("{} does not know `status`", path.display()),
            "heartbeat asks for it before each start and after each stop",
            format!(
                "have it print `running` or `stopped`; `heartbeat lint-script {}` tries it and tells the rest",
                path.display()
            ),
        )
    })?
}

/// Of what is no script, or leaves the answer to another one, nothing is known.
fn knows_not(text: &str) -> bool {
    text.starts_with("#!")
        && !text.contains("status")
        && !text.contains("monitor")
        && !HANDS_ON.iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_script_that_answers_by_itself_and_lacks_the_word_is_told() {
        for (text, told) in [
            (
                "#!/bin/sh\ncase $1 in\nstart) a ;;\nstop) b ;;\nesac\n",
                true,
            ),
            (
                "#!/bin/sh\ncase $1 in\nstart) a ;;\nstatus) b ;;\nesac\n",
                false,
            ),
            ("#!/bin/sh\nexec /etc/init.d/other \"$1\"\n", false),
            ("#!/bin/sh\n/etc/init.d/other \"$@\"\n", false),
            ("#!/bin/sh\n. /etc/ha.d/shellfuncs\n", false),
            ("\u{7f}ELF", false),
        ] {
            assert_eq!(knows_not(text), told, "{text}");
        }
    }
}
