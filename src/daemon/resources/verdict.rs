//! What the end of an action means for its resource.

use super::{Errand, TAG};
use crate::config::ResourceWord;
use crate::daemon::children::{End, Ended};
use crate::resource::catalogue::{CatalogueError, Resource};
use crate::resource::group::Answer;
use crate::resource::{Action, Standing, classic, systemd};

/// What is nowhere to be found was not started here, so there is nothing to stop either.
pub(super) fn missing(word: &ResourceWord, error: &CatalogueError, action: Action) -> Answer {
    match action {
        Action::Status => Answer::Found(Standing::Stopped),
        Action::Start => {
            log::error!(target: TAG, "{}: {error}", word.text);
            Answer::Failed
        }
        Action::Stop => {
            log::warn!(target: TAG, "{}: nothing to stop: {error}", word.text);
            Answer::Succeeded
        }
    }
}

/// What an action means that could not even be tried.
pub(super) fn failed(action: Action) -> Answer {
    if action == Action::Status {
        Answer::Found(Standing::Unknown)
    } else {
        Answer::Failed
    }
}

/// What a resource's own status says.
pub(super) fn standing(resource: &Resource, ended: &Ended, code: i32) -> Standing {
    match resource {
        Resource::Unit(_) => systemd::standing(&ended.stdout),
        _ => classic::standing(&ended.stdout, code),
    }
}

/// What the end of a child means for its resource.
pub(super) fn read_answer(
    errand: &Errand,
    word: &ResourceWord,
    resource: &Resource,
    ended: &Ended,
) -> Answer {
    let Errand {
        action,
        ref invocation,
        limit,
        ..
    } = *errand;
    if let (Action::Status, End::Exited(code)) = (action, ended.end) {
        return Answer::Found(standing(resource, ended, code));
    }
    let program = invocation.program.display();
    let answer = match ended.end {
        End::Exited(0) => return Answer::Succeeded,
        End::Exited(code) => {
            log::error!(target: TAG, "Return code {code} from {program}");
            Answer::Failed
        }
        End::Killed(signal) => {
            log::error!(target: TAG, "{invocation} was killed by signal {signal}");
            Answer::Failed
        }
        End::TimedOut => {
            log::error!(target: TAG, "{invocation} did not end within {} s and was killed", limit.as_secs());
            Answer::TimedOut
        }
    };
    for line in &ended.last_lines {
        log::info!(target: &word.name, "{line}");
    }
    if action == Action::Status {
        failed(action)
    } else {
        answer
    }
}
