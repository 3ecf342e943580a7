//! Scripts of `resource.d` and `/etc/init.d`: arguments first, the action last, and a status that is read
//! by its words.

use std::path::Path;

use super::{Action, Invocation, Standing};

/// How a script is called.
pub fn invocation(script: &Path, arguments: &[String], action: Action) -> Invocation {
    let mut arguments = arguments.to_vec();
    arguments.push(action.word().to_owned());
    Invocation {
        program: script.to_path_buf(),
        arguments,
    }
}

/// What a script's `status` said on its standard output.
///
/// The words decide, in this order: `not` in any case, a blank, later `running` or `Running`: stopped;
/// `running`, `Running` or `OK`: running; anything else: not running. The exit code only tells a script that
/// denies (non-zero) from one that says nothing.
pub fn standing(output: &[u8], exit_code: i32) -> Standing {
    if says_not_running(output) {
        Standing::Stopped
    } else if says_running(output) || contains(output, b"OK") {
        Standing::Running
    } else if exit_code == 0 {
        Standing::Silent
    } else {
        Standing::Stopped
    }
}

fn says_not_running(output: &[u8]) -> bool {
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
                standing(output.as_bytes(), exit_code),
                expected,
                "{output:?} {exit_code}"
            );
        }
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
