//! What a failback waits for, and how far that is.

use std::time::Duration;

use super::time::Instant;

/// What must be so before a group that this node holds returns to its preferred node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FailbackCondition {
    /// That node is back.
    #[default]
    Nothing,
    /// It has been steady for so long.
    Steady(Duration),
    /// A command says yes.
    Agreed,
}

impl FailbackCondition {
    /// As what is waited for. `node` is the preferred one.
    pub fn to_come(self, node: &str) -> String {
        match self {
            Self::Nothing => format!("{node} is back"),
            Self::Steady(time) => format!("{node} has been steady for {}", in_words(time)),
            Self::Agreed => "the command of ha.cf says yes".to_owned(),
        }
    }

    /// As what has come.
    pub fn come(self, node: &str) -> String {
        match self {
            Self::Nothing | Self::Steady(_) => self.to_come(node),
            Self::Agreed => "the command of ha.cf said yes".to_owned(),
        }
    }
}

/// Seconds, or milliseconds where they are no whole ones.
fn in_words(time: Duration) -> String {
    let millis = time.as_millis();
    if millis.is_multiple_of(1000) {
        format!("{} s", time.as_secs())
    } else {
        format!("{millis} ms")
    }
}

/// Pause before the command is asked again, from one answer to the next question.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What is known of the conditions.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Failback {
    /// Since when the peer is a member without a break: no restart, no link that went dead, no failed start.
    pub(super) steady_since: Option<Instant>,
    /// Something would return but for the condition, since.
    pub(super) waits_since: Option<Instant>,
    /// That this waits was told.
    pub(super) is_told: bool,
    pub(super) question: Question,
    /// The condition is met now.
    pub(super) is_met: bool,
}

/// To the command.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Question {
    /// None is under way.
    #[default]
    None,
    /// Not to be asked before.
    Rests(Instant),
    /// It was asked.
    Asked {
        /// What it was asked for waits still.
        counts: bool,
    },
    /// It said yes, which is good for one decision.
    Agreed,
}

impl Failback {
    /// Another condition: what was found out about the last one does not count for it.
    pub(super) fn begin_anew(&mut self) {
        self.is_met = false;
        self.is_told = false;
        self.question = match self.question {
            Question::Asked { .. } => Question::Asked { counts: false },
            Question::None | Question::Rests(_) | Question::Agreed => Question::None,
        };
    }

    /// The peer did not hold still.
    pub(super) fn break_off(&mut self) {
        self.steady_since = None;
    }

    /// The command has answered.
    pub(super) fn answered(&mut self, agrees: bool, now: Instant) {
        self.question = match self.question {
            Question::Asked { counts: true } if agrees => Question::Agreed,
            Question::Asked { .. } => Question::Rests(now + ASK_AGAIN),
            other => other,
        };
    }

    /// When something is due.
    pub(super) fn next(&self, condition: FailbackCondition) -> Option<Instant> {
        self.waits_since?;
        match (condition, self.question) {
            (FailbackCondition::Steady(time), _) => Some(self.steady_since? + time),
            (FailbackCondition::Agreed, Question::Rests(at)) => Some(at),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn an_answer_counts_for_what_it_was_asked_for_and_no_other() {
        for (question, agrees, expected) in [
            (Question::Asked { counts: true }, true, "Agreed"),
            (Question::Asked { counts: true }, false, "Rests"),
            (Question::Asked { counts: false }, true, "Rests"),
            (Question::None, true, "None"),
            (Question::Rests(at(3)), true, "Rests"),
        ] {
            let mut failback = Failback {
                question,
                ..Failback::default()
            };
            failback.answered(agrees, at(1));
            let found = format!("{:?}", failback.question);
            assert!(
                found.starts_with(expected),
                "{question:?} {agrees}: {found}"
            );
        }
    }

    #[test]
    fn it_is_looked_at_again_when_the_peer_has_been_steady_or_the_command_may_be_asked() {
        let steady = FailbackCondition::Steady(Duration::from_secs(20));
        let failback = |question, waits_since| Failback {
            steady_since: Some(at(10)),
            waits_since,
            question,
            ..Failback::default()
        };
        let rests = Question::Rests(at(40));
        for (condition, question, waits_since, expected) in [
            (steady, Question::None, Some(at(12)), Some(at(30))),
            (steady, Question::None, None, None),
            (FailbackCondition::Agreed, rests, Some(at(12)), Some(at(40))),
            (
                FailbackCondition::Agreed,
                Question::None,
                Some(at(12)),
                None,
            ),
            (FailbackCondition::Nothing, rests, Some(at(12)), None),
        ] {
            let next = failback(question, waits_since).next(condition);
            assert_eq!(next, expected, "{condition:?} {question:?} {waits_since:?}");
        }
        let mut unsteady = failback(Question::None, Some(at(12)));
        unsteady.break_off();
        assert_eq!(unsteady.next(steady), None);
    }

    #[test]
    fn for_another_condition_nothing_counts_that_was_found_out_before() {
        for (question, expected) in [
            (Question::Asked { counts: true }, "Asked { counts: false }"),
            (Question::Agreed, "None"),
            (Question::Rests(at(9)), "None"),
        ] {
            let mut failback = Failback {
                question,
                is_met: true,
                is_told: true,
                ..Failback::default()
            };
            failback.begin_anew();
            assert!(!failback.is_met && !failback.is_told);
            assert_eq!(format!("{:?}", failback.question), expected);
        }
    }
}
