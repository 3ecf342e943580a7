//! Scripts of `resource.d` and `/etc/init.d`: arguments first, the action last, and a status that is read
//! by its words, or by its exit code where the script keeps to the standard of those in `/etc/init.d`.

use std::path::Path;

use super::{Action, Invocation, Standing};

/// How a script is called.
pub fn invocation(script: &Path, arguments: &[String], action: Action) -> Invocation {
    let mut arguments = arguments.to_vec();
    arguments.push(action.word().to_owned());
    Invocation::new(script.to_path_buf(), arguments)
}

/// What a script's `status` said on its standard output.
///
/// The words decide, in this order: `not` in any case, a blank, later `running` or `Running`: stopped;
/// `running`, `Running` or `OK`: running; anything else: not running. There the exit code only tells a script that
/// denies (non-zero) from one that says nothing; but with a script of `/etc/init.d` that keeps to the standard
/// (`is_lsb`) it is the answer. 1 and 2 are said of a program that died.
pub fn standing(output: &[u8], exit_code: i32, is_lsb: bool) -> Standing {
    if denies(output) {
        Standing::Stopped
    } else if says_running(output) || contains(output, b"OK") {
        Standing::Running
    } else if is_lsb {
        match exit_code {
            0 => Standing::Running,
            1..=3 => Standing::Stopped,
            _ => Standing::Unknown,
        }
    } else if exit_code == 0 {
        Standing::Silent
    } else {
        Standing::Stopped
    }
}

/// Whether a script told how it is called: it does not know `status`, and its exit code says nothing of the
/// resource. Many such scripts end with 0.
pub fn is_usage(lines: &[String]) -> bool {
    let says = |line: &String| line.to_ascii_lowercase().contains("usage");
    lines.iter().any(says)
}

/// Whether these words say that it does not run.
pub fn denies(output: &[u8]) -> bool {
    let after_not = output
        .windows(4)
        .position(|word| word.eq_ignore_ascii_case(b"not "));
    after_not
        .and_then(|at| output.get(at.saturating_add(4)..))
        .is_some_and(says_running)
}

fn says_running(output: &[u8]) -> bool {
    contains(output, b"running") || contains(output, b"Running")
}

fn contains(output: &[u8], word: &[u8]) -> bool {
    output.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_decided_by_words_and_not_by_the_exit_code() {
        for (output, exit_code, expected) in [
            ("nginx is running.\n", 3, Standing::Running),
            ("INFO:  Running OK\n", 0, Standing::Running),
            ("OK", 1, Standing::Running),
            ("ok", 0, Standing::Silent),
            ("RUNNING", 0, Standing::Silent),
            ("nginx is not running\n", 0, Standing::Stopped),
            ("NOT running", 0, Standing::Stopped),
            ("Not currently Running", 0, Standing::Stopped),
            ("not yet\nbut running soon", 0, Standing::Stopped),
            ("notrunning", 0, Standing::Running),
            ("running, not stopped", 0, Standing::Running),
            ("INFO:  Resource is stopped\n", 3, Standing::Stopped),
            ("status!!!\n", 0, Standing::Silent),
            ("", 0, Standing::Silent),
            ("", 3, Standing::Stopped),
        ] {
            assert_eq!(
                standing(output.as_bytes(), exit_code, false),
                expected,
                "{output:?} {exit_code}"
            );
        }
    }

    #[test]
    fn where_words_say_nothing_the_exit_code_of_a_standard_script_decides() {
        for (output, exit_code, expected) in [
            ("nginx is running.\n", 3, Standing::Running),
            ("nginx is not running\n", 0, Standing::Stopped),
            ("", 0, Standing::Running),
            ("started\n", 0, Standing::Running),
            ("", 1, Standing::Stopped),
            ("", 2, Standing::Stopped),
            ("stopped\n", 3, Standing::Stopped),
            ("", 4, Standing::Unknown),
            ("", 127, Standing::Unknown),
        ] {
            assert_eq!(
                standing(output.as_bytes(), exit_code, true),
                expected,
                "{output:?} {exit_code}"
            );
        }
    }

    #[test]
    fn a_script_that_tells_its_usage_tells_nothing_else() {
        let said = |text: &str| is_usage(&text.lines().map(str::to_owned).collect::<Vec<_>>());
        assert!(said("Usage: /etc/init.d/x {start|stop}"));
        assert!(said("unknown action\nusage: x start"));
        assert!(!said("") && !said("x is up"));
    }

    #[test]
    fn a_script_without_arguments_is_told_of_with_two_blanks() {
        let bare = invocation(Path::new("/etc/ha.d/resource.d/nginx"), &[], Action::Start);
        assert_eq!(bare.to_string(), "/etc/ha.d/resource.d/nginx  start");
        let arguments = ["/dev/sdb1".to_owned(), "/srv".to_owned()];
        let called = invocation(
            Path::new("/etc/ha.d/resource.d/Filesystem"),
            &arguments,
            Action::Stop,
        );
        assert_eq!(
            called.to_string(),
            "/etc/ha.d/resource.d/Filesystem /dev/sdb1 /srv stop"
        );
    }
}
