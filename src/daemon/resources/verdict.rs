//! What the end of an action means for its resource.

use super::{Errand, TAG};
use crate::cluster::GroupOutcome;
use crate::config::ResourceWord;
use crate::daemon::children::{End, Ended, reason};
use crate::resource::catalogue::{CatalogueError, Resource};
use crate::resource::group::{Answer, Outcome};
use crate::resource::{Action, Standing, ocf};

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

/// What the end of a child means for its resource. Of a failure everything is told in one piece: what was done, how
/// it ended and when, and the last that was said.
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
    let is_agent = matches!(resource, Resource::Agent(_));
    let answer = match (action, ended.end) {
        (Action::Status, End::Exited(code)) => {
            let standing = resource.standing(&ended.stdout, &ended.last_lines, code);
            if !(is_agent && standing == Standing::Unknown) {
                return Answer::Found(standing);
            }
            log::warn!(target: TAG, "{invocation} tells nothing of {}", word.text);
            Answer::Found(standing)
        }
        (_, End::Exited(0)) => return Answer::Succeeded,
        (_, End::Exited(code)) => {
            let program = invocation.program.display();
            log::error!(target: TAG, "Return code {code} from {program}");
            // On a machine without the programs of an agent, a stop fails too. The other machine may have them.
            if is_agent && action == Action::Start && code == ocf::NOT_INSTALLED {
                Answer::NeverBegan
            } else {
                Answer::Failed
            }
        }
        (_, End::Killed(signal)) => {
            log::error!(target: TAG, "{invocation} was killed by signal {signal}");
            failed(action)
        }
        (_, End::NeverRan(number)) => {
            log::error!(target: TAG, "Cannot run {invocation}: {}", reason(number));
            return failed(action);
        }
        (_, End::TimedOut) => {
            log::error!(target: TAG, "{invocation} did not end within {} s and was killed", limit.as_secs());
            if action == Action::Status {
                failed(action)
            } else {
                Answer::TimedOut
            }
        }
    };
    tell(action, word, is_agent, ended);
    answer
}

/// How an action failed, after how long, and the last that was said.
fn tell(action: Action, word: &ResourceWord, is_agent: bool, ended: &Ended) {
    let how = match ended.end {
        End::Exited(code) if is_agent => format!("exit code {code} ({})", ocf::meaning(code)),
        End::Exited(code) => format!("exit code {code}"),
        End::Killed(signal) => format!("signal {signal}"),
        End::TimedOut => "killed at its time limit".to_owned(),
        End::NeverRan(number) => format!("it cannot be run: {}", reason(number)),
    };
    let (action, took) = (action.word(), ended.took.as_secs_f64());
    let said = if ended.last_lines.is_empty() {
        "it said nothing"
    } else {
        "its last words:"
    };
    log::info!(target: &word.name, "{action} of {}: {how} after {took:.1} s; {said}", word.text);
    for line in &ended.last_lines {
        log::info!(target: &word.name, "{line}");
    }
}

/// What the core is told of the end of a sequence.
pub(super) fn told(outcome: Outcome) -> GroupOutcome {
    match outcome {
        Outcome::Started => GroupOutcome::Started,
        Outcome::StartFailed => GroupOutcome::StartFailed,
        Outcome::Stopped => GroupOutcome::Stopped,
        Outcome::StopFailed => GroupOutcome::StopFailed,
        Outcome::FoundStopped => GroupOutcome::FoundStopped,
        Outcome::FoundRunning => GroupOutcome::FoundRunning,
    }
}
