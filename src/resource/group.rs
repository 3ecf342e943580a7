//! The order of actions on one resource group: left to right to start, right to left to stop.
//!
//! A [`Sequence`] is a value. It says what to do next and is told how that ended; it knows neither what a
//! resource is nor what time it is.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Action, Standing};

/// Time between two attempts to stop a resource.
pub const STOP_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Tell the people; no answer is awaited.
    Tell(Note),
    /// Carry out an action on a resource, counted from 0 at the left.
    Run(usize, Action),
    /// Let this time pass.
    Wait(Duration),
    /// The end.
    Finished(Outcome),
}

/// How the step at hand ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// To [`Action::Status`].
    Found(Standing),
    /// A start or stop succeeded.
    Succeeded,
    /// A start or stop failed.
    Failed,
    /// A start was refused before it did anything. Unless it may have run before, there is nothing to stop.
    NeverBegan,
    /// A start or stop was ended at its time limit.
    TimedOut,
    /// The time of [`Step::Wait`] has passed.
    Waited,
}

/// How a sequence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every resource runs.
    Started,
    /// A resource did not start; all of the group is stopped again.
    StartFailed,
    /// Every resource is stopped.
    Stopped,
    /// A resource must be taken as still running.
    StopFailed,
    /// Nothing of the group runs.
    FoundStopped,
    /// Something of the group runs, or may run.
    FoundRunning,
}

impl Outcome {
    /// The same while a process of an earlier action hangs in the kernel: it can still finish what it asked for, a mount
    /// for example, so nothing of the group counts as stopped.
    #[must_use]
    pub fn while_something_hangs(self) -> Self {
        match self {
            Self::Started | Self::StopFailed | Self::FoundRunning => self,
            Self::Stopped | Self::StartFailed => Self::StopFailed,
            Self::FoundStopped => Self::FoundRunning,
        }
    }
}

/// Something to tell the people, with the resource it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// The group is about to be started.
    Acquiring,
    /// The group is about to be stopped.
    Releasing,
    /// This resource did not start, so the whole group is given up.
    GivingUp(usize),
    /// This resource, which does not work, is about to be started again, with those after it.
    Restarting(usize),
    /// The group has other resources from this one on.
    Changing(usize),
    /// This resource is to be stopped once more.
    RetryingStop(usize),
    /// This resource's stop failed to the end, yet its status says that it is stopped.
    NotCompliant(usize),
    /// This resource could not be stopped.
    StopFailed(usize),
}

/// What a sequence is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// To start the group.
    Start,
    /// To stop the group.
    Stop,
    /// To see whether anything of the group runs.
    Probe,
}

/// What stays, what is stopped, and what is started after that.
#[derive(Debug, Clone, Copy)]
struct Restart {
    /// What is left of this one is not stopped.
    spared: usize,
    /// What is left of this one runs.
    from: usize,
    /// What is right of this is not there any more then.
    length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Probing(usize),
    Checking(usize),
    Starting(usize),
    Stopping { resource: usize, retries: u32 },
    Pausing { resource: usize, retries: u32 },
    Judging(usize),
    Finished(Outcome),
}

/// One start, stop or probe of a group under way.
#[derive(Debug, Clone)]
pub struct Sequence {
    length: usize,
    /// `None`: without end.
    stop_retries: Option<u32>,
    /// Once all that is not left of `spared` is stopped, it is gone on with a start.
    restart: Option<Restart>,
    position: Position,
    /// What it means when all is stopped in the end.
    when_stopped: Outcome,
    /// A stop was asked for while something else was under way.
    overtaken: bool,
    /// Its status was unknown before it was started.
    doubtful: Option<usize>,
    /// A resource ran before this sequence started anything.
    ran_before: bool,
    /// Is left out when the group is stopped.
    never_began: Option<usize>,
    /// The step of `position` was handed out and is not answered yet.
    awaiting: bool,
    notes: VecDeque<Note>,
}

impl Sequence {
    /// A group of `length` resources. A stop that fails is tried again `stop_retries` times.
    pub fn new(aim: Aim, length: usize, stop_retries: Option<u32>) -> Self {
        let mut sequence = Self {
            length,
            stop_retries,
            restart: None,
            position: Position::Probing(0),
            when_stopped: Outcome::Stopped,
            overtaken: false,
            doubtful: None,
            ran_before: false,
            never_began: None,
            awaiting: false,
            notes: VecDeque::new(),
        };
        match aim {
            Aim::Probe => sequence.probe(0),
            Aim::Start => {
                sequence.notes.push_back(Note::Acquiring);
                sequence.check(0);
            }
            Aim::Stop => sequence.stop_all(Outcome::Stopped),
        }
        sequence
    }

    /// A resource of a running group is started again; those after it rely on it, and so are they.
    pub fn restart(resource: usize, length: usize, stop_retries: Option<u32>) -> Self {
        let mut sequence = Self::new(Aim::Stop, length, stop_retries);
        sequence.restart = Some(Restart {
            spared: resource,
            from: resource,
            length,
        });
        sequence.notes = VecDeque::from([Note::Restarting(resource)]);
        sequence
    }

    /// A running group gets other resources: of its new `length`, the first `stay` run already; the others are started
    /// when the `departing` ones, which stand behind them, are stopped.
    pub fn change(stay: usize, length: usize, departing: usize, stop_retries: Option<u32>) -> Self {
        let all = length.saturating_add(departing);
        let mut sequence = Self::new(Aim::Probe, all, stop_retries);
        sequence.restart = Some(Restart {
            spared: length,
            from: stay,
            length,
        });
        sequence.notes = VecDeque::from([Note::Changing(stay)]);
        sequence.stop_below(all);
        sequence
    }

    /// The next step, or `None` while the last one is not answered.
    pub fn next_step(&mut self) -> Option<Step> {
        if let Some(note) = self.notes.pop_front() {
            return Some(Step::Tell(note));
        }
        if self.awaiting {
            return None;
        }
        self.awaiting = true;
        Some(match self.position {
            Position::Probing(resource)
            | Position::Checking(resource)
            | Position::Judging(resource) => Step::Run(resource, Action::Status),
            Position::Starting(resource) => Step::Run(resource, Action::Start),
            Position::Stopping { resource, .. } => Step::Run(resource, Action::Stop),
            Position::Pausing { .. } => Step::Wait(STOP_RETRY_PAUSE),
            Position::Finished(outcome) => Step::Finished(outcome),
        })
    }

    /// How the step at hand ended.
    pub fn answer(&mut self, answer: Answer) {
        if !self.awaiting {
            return;
        }
        self.awaiting = false;
        match (self.position, answer) {
            (Position::Checking(resource), Answer::Found(Standing::Unknown)) => {
                self.doubtful = Some(resource);
            }
            // The group may have been running all along, and a program that was removed runs on.
            (Position::Checking(_), Answer::Found(Standing::Running)) => self.ran_before = true,
            // What may have run before may run still.
            (Position::Starting(resource), Answer::NeverBegan)
                if self.doubtful != Some(resource) && !self.ran_before =>
            {
                self.never_began = Some(resource);
            }
            _ => {}
        }
        if self.overtaken {
            self.overtaken = false;
            self.stop_all(Outcome::Stopped);
            return;
        }
        match (self.position, answer) {
            (Position::Probing(_), Answer::Found(Standing::Running | Standing::Unknown)) => {
                self.position = Position::Finished(Outcome::FoundRunning);
            }
            (Position::Probing(resource), _) => self.probe(resource.saturating_add(1)),
            (Position::Checking(resource), Answer::Found(Standing::Running))
            | (Position::Starting(resource), Answer::Succeeded) => {
                self.check(resource.saturating_add(1));
            }
            (Position::Checking(resource), _) => self.position = Position::Starting(resource),
            (Position::Starting(resource), _) => {
                self.notes.push_back(Note::GivingUp(resource));
                self.stop_all(Outcome::StartFailed);
            }
            (Position::Stopping { resource, .. }, Answer::Succeeded) => self.stop_below(resource),
            // A stop that hangs would hang again; whoever waits for the group gets to know now.
            (Position::Stopping { resource, .. }, Answer::TimedOut) => {
                self.position = Position::Judging(resource);
            }
            (Position::Stopping { resource, retries }, _) => self.retry_stop(resource, retries),
            (Position::Pausing { resource, retries }, _) => {
                self.notes.push_back(Note::RetryingStop(resource));
                self.position = Position::Stopping {
                    resource,
                    retries: retries.saturating_add(1),
                };
            }
            (Position::Judging(resource), Answer::Found(Standing::Stopped)) => {
                self.notes.push_back(Note::NotCompliant(resource));
                self.stop_below(resource);
            }
            (Position::Judging(resource), _) => {
                self.notes.push_back(Note::StopFailed(resource));
                self.position = Position::Finished(Outcome::StopFailed);
            }
            (Position::Finished(_), _) => {}
        }
    }

    /// Makes a stop of whatever this is. What runs at the moment is left to end first.
    pub fn overtake_by_stop(&mut self) {
        match self.position {
            Position::Stopping { .. } | Position::Pausing { .. } | Position::Judging(_) => {
                self.when_stopped = Outcome::Stopped;
                self.restart = None;
            }
            Position::Finished(Outcome::Stopped | Outcome::StopFailed) => {}
            Position::Finished(_) => self.stop_all(Outcome::Stopped),
            _ if self.awaiting => self.overtaken = true,
            _ => self.stop_all(Outcome::Stopped),
        }
    }

    /// Whether what is at hand is to run from now on, so that one that runs already is taken as started.
    pub fn is_starting(&self) -> bool {
        let starts = matches!(self.position, Position::Checking(_) | Position::Starting(_));
        starts && !self.overtaken
    }

    /// What it goes on with if all goes well, in this order: an action, and the resources that it is carried out on one
    /// after the other, that at hand among them. Whoever carries out several at once gives the answers one by one all the
    /// same. Of resources that are to be started, the status is asked first.
    pub fn ahead(&self) -> Option<(Action, impl Iterator<Item = usize> + use<'_>)> {
        let (action, first, number) = match self.position {
            _ if self.overtaken => return None,
            Position::Checking(resource) | Position::Starting(resource) => (
                Action::Start,
                resource,
                self.length.saturating_sub(resource),
            ),
            Position::Stopping { resource, .. } => {
                let number = resource.saturating_add(1).saturating_sub(self.lowest());
                (Action::Stop, resource, number)
            }
            _ => return None,
        };
        let resources = (0..number).map(move |step| match action {
            Action::Stop => first.saturating_sub(step),
            _ => first.saturating_add(step),
        });
        let is_left_out =
            move |resource: &usize| action == Action::Stop && self.never_began == Some(*resource);
        Some((
            action,
            resources.filter(move |resource| !is_left_out(resource)),
        ))
    }

    /// What this is for by now.
    pub fn aim(&self) -> Aim {
        match self.position {
            _ if self.overtaken => Aim::Stop,
            Position::Probing(_)
            | Position::Finished(Outcome::FoundStopped | Outcome::FoundRunning) => Aim::Probe,
            Position::Checking(_)
            | Position::Starting(_)
            | Position::Finished(Outcome::Started) => Aim::Start,
            _ if self.when_stopped == Outcome::StartFailed || self.restart.is_some() => Aim::Start,
            _ => Aim::Stop,
        }
    }

    fn probe(&mut self, resource: usize) {
        self.position = if resource < self.length {
            Position::Probing(resource)
        } else {
            Position::Finished(Outcome::FoundStopped)
        };
    }

    fn check(&mut self, resource: usize) {
        self.position = if resource < self.length {
            Position::Checking(resource)
        } else {
            Position::Finished(Outcome::Started)
        };
    }

    fn stop_all(&mut self, when_stopped: Outcome) {
        self.when_stopped = when_stopped;
        self.restart = None;
        self.awaiting = false;
        self.notes.push_back(Note::Releasing);
        self.stop_below(self.length);
    }

    /// Goes on with the resource left of `resource`.
    fn stop_below(&mut self, resource: usize) {
        let lowest = self.lowest();
        match resource.checked_sub(1).filter(|next| *next >= lowest) {
            Some(next) if self.never_began == Some(next) => self.stop_below(next),
            Some(resource) => {
                self.position = Position::Stopping {
                    resource,
                    retries: 0,
                };
            }
            None => match self.restart.take() {
                Some(restart) => {
                    self.length = restart.length;
                    self.check(restart.from);
                }
                None => self.position = Position::Finished(self.when_stopped),
            },
        }
    }

    /// What is left of this one is not stopped.
    fn lowest(&self) -> usize {
        self.restart.map_or(0, |restart| restart.spared)
    }

    fn retry_stop(&mut self, resource: usize, retries: u32) {
        self.position = if self.stop_retries.is_none_or(|most| retries < most) {
            Position::Pausing { resource, retries }
        } else {
            Position::Judging(resource)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a sequence of two resources `a` and `b` against scripted answers, `stop` asked for before the
    /// answer of that number. Gives what was done in one line.
    fn run(
        aim: Aim,
        retries: Option<u32>,
        answers: &[Answer],
        stop_before: Option<usize>,
    ) -> String {
        play(Sequence::new(aim, 2, retries), answers, stop_before)
    }

    fn play(mut sequence: Sequence, answers: &[Answer], stop_before: Option<usize>) -> String {
        let mut answers = answers.iter().enumerate();
        let mut done = Vec::new();
        while let Some(step) = sequence.next_step() {
            let name = |resource: usize| ['a', 'b', 'c'][resource.min(2)];
            match step {
                Step::Tell(note) => {
                    done.push(match note {
                        Note::Acquiring => "acquiring".to_owned(),
                        Note::Releasing => "releasing".to_owned(),
                        Note::GivingUp(resource) => format!("giving-up({})", name(resource)),
                        Note::Restarting(resource) => format!("restarting({})", name(resource)),
                        Note::Changing(resource) => format!("changing({})", name(resource)),
                        Note::RetryingStop(resource) => format!("retrying({})", name(resource)),
                        Note::NotCompliant(resource) => {
                            format!("not-compliant({})", name(resource))
                        }
                        Note::StopFailed(resource) => format!("did-not-stop({})", name(resource)),
                    });
                    continue;
                }
                Step::Run(resource, action) => {
                    done.push(format!("{}.{}", name(resource), action.word()));
                }
                Step::Wait(_) => done.push("wait".to_owned()),
                Step::Finished(outcome) => {
                    done.push(format!("{outcome:?}"));
                    break;
                }
            }
            let Some((number, &answer)) = answers.next() else {
                break;
            };
            if stop_before == Some(number) {
                sequence.overtake_by_stop();
                assert_eq!(sequence.next_step(), None, "what runs is left to end");
            }
            sequence.answer(answer);
        }
        done.join(" ")
    }

    const RUNS: Answer = Answer::Found(Standing::Running);
    const STOPPED: Answer = Answer::Found(Standing::Stopped);
    const SILENT: Answer = Answer::Found(Standing::Silent);
    const UNKNOWN: Answer = Answer::Found(Standing::Unknown);
    use Answer::{Failed, NeverBegan, Succeeded, TimedOut, Waited};

    #[test]
    fn a_group_starts_left_to_right() {
        for (answers, expected) in [
            (
                &[STOPPED, Succeeded, STOPPED, Succeeded][..],
                "acquiring a.status a.start b.status b.start Started",
            ),
            (
                &[SILENT, Succeeded, UNKNOWN, Succeeded],
                "acquiring a.status a.start b.status b.start Started",
            ),
            (
                &[RUNS, STOPPED, Succeeded],
                "acquiring a.status b.status b.start Started",
            ),
            (&[RUNS, RUNS], "acquiring a.status b.status Started"),
        ] {
            assert_eq!(run(Aim::Start, Some(10), answers, None), expected);
        }
    }

    #[test]
    fn a_failed_start_stops_the_whole_group() {
        for (answers, expected) in [
            (
                &[STOPPED, Succeeded, STOPPED, Failed, Succeeded, Succeeded][..],
                "acquiring a.status a.start b.status b.start giving-up(b) releasing b.stop a.stop StartFailed",
            ),
            (
                &[STOPPED, TimedOut, Succeeded, Succeeded],
                "acquiring a.status a.start giving-up(a) releasing b.stop a.stop StartFailed",
            ),
            (
                &[STOPPED, Failed, TimedOut, RUNS],
                "acquiring a.status a.start giving-up(a) releasing b.stop b.status did-not-stop(b) StopFailed",
            ),
        ] {
            assert_eq!(run(Aim::Start, Some(10), answers, None), expected);
        }
    }

    #[test]
    fn what_never_began_to_start_is_not_stopped() {
        for (answers, stop_before, expected) in [
            (
                &[SILENT, NeverBegan, Succeeded][..],
                None,
                "acquiring a.status a.start giving-up(a) releasing b.stop StartFailed",
            ),
            (
                &[STOPPED, Succeeded, SILENT, NeverBegan, Succeeded],
                None,
                "acquiring a.status a.start b.status b.start giving-up(b) releasing a.stop StartFailed",
            ),
            (
                &[UNKNOWN, NeverBegan, Succeeded, Failed],
                None,
                "acquiring a.status a.start giving-up(a) releasing b.stop a.stop wait",
            ),
            (
                &[RUNS, SILENT, NeverBegan, Succeeded, Succeeded],
                None,
                "acquiring a.status b.status b.start giving-up(b) releasing b.stop a.stop StartFailed",
            ),
            (
                &[STOPPED, Succeeded, SILENT, NeverBegan, Succeeded],
                Some(3),
                "acquiring a.status a.start b.status b.start releasing a.stop Stopped",
            ),
        ] {
            assert_eq!(run(Aim::Start, Some(10), answers, stop_before), expected);
        }
    }

    #[test]
    fn a_group_stops_right_to_left_without_asking() {
        assert_eq!(
            run(Aim::Stop, Some(10), &[Succeeded, Succeeded], None),
            "releasing b.stop a.stop Stopped"
        );
    }

    #[test]
    fn a_failed_stop_is_repeated_and_then_judged_by_status() {
        let twice = &[Failed, Waited, Failed, Waited, Failed];
        let tried = "releasing b.stop wait retrying(b) b.stop wait retrying(b) b.stop b.status";
        for (verdict, then) in [
            (STOPPED, "not-compliant(b) a.stop Stopped"),
            (RUNS, "did-not-stop(b) StopFailed"),
            (SILENT, "did-not-stop(b) StopFailed"),
            (UNKNOWN, "did-not-stop(b) StopFailed"),
        ] {
            let answers = [twice, &[verdict, Succeeded][..]].concat();
            assert_eq!(
                run(Aim::Stop, Some(2), &answers, None),
                format!("{tried} {then}")
            );
        }
        let recovers = [Failed, Waited, Succeeded, Succeeded];
        assert_eq!(
            run(Aim::Stop, Some(2), &recovers, None),
            "releasing b.stop wait retrying(b) b.stop a.stop Stopped"
        );
    }

    #[test]
    fn retries_without_limit_never_reach_a_verdict() {
        let answers: Vec<Answer> = [Failed, Waited].repeat(50);
        assert!(!run(Aim::Stop, None, &answers, None).contains("status"));
    }

    #[test]
    fn a_probe_finds_what_runs_or_may_run() {
        for (answers, expected) in [
            (&[STOPPED, STOPPED][..], "a.status b.status FoundStopped"),
            (&[SILENT, SILENT], "a.status b.status FoundStopped"),
            (&[STOPPED, RUNS], "a.status b.status FoundRunning"),
            (&[UNKNOWN], "a.status FoundRunning"),
        ] {
            assert_eq!(run(Aim::Probe, Some(10), answers, None), expected);
        }
    }

    #[test]
    fn while_something_hangs_nothing_counts_as_stopped() {
        for outcome in [
            Outcome::Started,
            Outcome::StartFailed,
            Outcome::Stopped,
            Outcome::StopFailed,
            Outcome::FoundStopped,
            Outcome::FoundRunning,
        ] {
            let told = outcome.while_something_hangs();
            let says_stopped = [
                Outcome::StartFailed,
                Outcome::Stopped,
                Outcome::FoundStopped,
            ];
            assert!(!says_stopped.contains(&told), "{outcome:?}: {told:?}");
        }
    }

    #[test]
    fn a_stop_overtakes_what_runs() {
        for (aim, answers, stop_before, expected) in [
            (
                Aim::Start,
                &[STOPPED, Succeeded, Succeeded, Succeeded][..],
                1,
                "acquiring a.status a.start releasing b.stop a.stop Stopped",
            ),
            (
                Aim::Start,
                &[STOPPED, Failed, Succeeded, Succeeded],
                1,
                "acquiring a.status a.start releasing b.stop a.stop Stopped",
            ),
            (
                Aim::Start,
                &[RUNS, Succeeded, Succeeded],
                0,
                "acquiring a.status releasing b.stop a.stop Stopped",
            ),
            (
                Aim::Probe,
                &[RUNS, Succeeded, Succeeded],
                0,
                "a.status releasing b.stop a.stop Stopped",
            ),
            (
                Aim::Start,
                &[STOPPED, Failed, Succeeded, Succeeded],
                2,
                "acquiring a.status a.start giving-up(a) releasing b.stop a.stop Stopped",
            ),
            (
                Aim::Stop,
                &[Succeeded, Succeeded],
                1,
                "releasing b.stop a.stop Stopped",
            ),
        ] {
            assert_eq!(run(aim, Some(10), answers, Some(stop_before)), expected);
        }
    }

    #[test]
    fn what_is_started_again_takes_those_after_it_along() {
        const DONE: Answer = Succeeded;
        for (resource, answers, stop_before, expected) in [
            (
                1,
                &[DONE, STOPPED, DONE][..],
                None,
                "restarting(b) b.stop b.status b.start Started",
            ),
            (
                0,
                &[DONE, DONE, STOPPED, DONE, STOPPED, DONE],
                None,
                "restarting(a) b.stop a.stop a.status a.start b.status b.start Started",
            ),
            (
                1,
                &[DONE, STOPPED, Failed, DONE, DONE],
                None,
                "restarting(b) b.stop b.status b.start giving-up(b) releasing b.stop a.stop StartFailed",
            ),
            (
                1,
                &[Failed, RUNS],
                None,
                "restarting(b) b.stop b.status did-not-stop(b) StopFailed",
            ),
            (
                1,
                &[DONE, DONE],
                Some(0),
                "restarting(b) b.stop a.stop Stopped",
            ),
            (
                1,
                &[DONE, STOPPED, DONE, DONE],
                Some(1),
                "restarting(b) b.stop b.status releasing b.stop a.stop Stopped",
            ),
        ] {
            let sequence = Sequence::restart(resource, 2, Some(0));
            assert_eq!(sequence.aim(), Aim::Start);
            assert_eq!(play(sequence, answers, stop_before), expected);
        }
    }

    #[test]
    fn a_group_that_changes_keeps_what_stands_before_the_change() {
        for (stay, length, departing, answers, stop_before, expected) in [
            // The last one goes.
            (
                1,
                1,
                1,
                &[Succeeded][..],
                None,
                "changing(b) b.stop Started",
            ),
            // One is added behind the others.
            (
                2,
                3,
                0,
                &[STOPPED, Succeeded],
                None,
                "changing(c) c.status c.start Started",
            ),
            // Another one takes the place of the last.
            (
                1,
                2,
                1,
                &[Succeeded, STOPPED, Succeeded],
                None,
                "changing(b) c.stop b.status b.start Started",
            ),
            // The new one does not start, and nothing is heard of the old one any more.
            (
                1,
                2,
                1,
                &[Succeeded, STOPPED, Failed, Succeeded, Succeeded],
                None,
                "changing(b) c.stop b.status b.start giving-up(b) releasing b.stop a.stop StartFailed",
            ),
            // The old one does not stop: whoever stops the group stops it, too.
            (
                1,
                2,
                1,
                &[TimedOut, RUNS],
                None,
                "changing(b) c.stop c.status did-not-stop(c) StopFailed",
            ),
            // A stop that is asked for meanwhile stops all of it.
            (
                1,
                2,
                1,
                &[Succeeded, Succeeded, Succeeded],
                Some(0),
                "changing(b) c.stop b.stop a.stop Stopped",
            ),
            (
                1,
                2,
                1,
                &[Succeeded, STOPPED, Succeeded, Succeeded],
                Some(1),
                "changing(b) c.stop b.status releasing b.stop a.stop Stopped",
            ),
        ] {
            let sequence = Sequence::change(stay, length, departing, Some(0));
            assert_eq!(sequence.aim(), Aim::Start);
            assert_eq!(play(sequence, answers, stop_before), expected);
        }
    }

    fn ahead(sequence: &Sequence) -> String {
        let Some((action, resources)) = sequence.ahead() else {
            return "nothing".to_owned();
        };
        let resources: Vec<String> = resources.map(|resource| resource.to_string()).collect();
        format!("{} {}", action.word(), resources.join(" "))
    }

    #[test]
    fn what_lies_ahead_is_what_comes_if_all_goes_well() {
        let next =
            |sequence: &mut Sequence| while let Some(Step::Tell(_)) = sequence.next_step() {};
        let mut sequence = Sequence::new(Aim::Start, 3, Some(0));
        assert_eq!(ahead(&sequence), "start 0 1 2");
        for (answer, expected) in [
            (STOPPED, "start 0 1 2"),
            (Succeeded, "start 1 2"),
            (RUNS, "start 2"),
            (STOPPED, "start 2"),
            // The group may have run all along, so it is stopped as well.
            (NeverBegan, "stop 2 1 0"),
            (Succeeded, "stop 1 0"),
        ] {
            next(&mut sequence);
            sequence.answer(answer);
            assert_eq!(ahead(&sequence), expected, "{answer:?}");
        }
        let mut sequence = Sequence::new(Aim::Start, 3, Some(0));
        next(&mut sequence);
        sequence.overtake_by_stop();
        assert_eq!(ahead(&sequence), "nothing", "before what runs has ended");
        assert_eq!(ahead(&Sequence::new(Aim::Stop, 3, None)), "stop 2 1 0");
        assert_eq!(ahead(&Sequence::new(Aim::Probe, 3, None)), "nothing");
        assert_eq!(ahead(&Sequence::restart(1, 3, None)), "stop 2 1");
        assert_eq!(ahead(&Sequence::change(1, 2, 2, None)), "stop 3 2");
    }

    #[test]
    fn what_never_began_is_not_ahead_of_a_stop() {
        let mut sequence = Sequence::new(Aim::Start, 2, Some(0));
        for answer in [STOPPED, Succeeded, STOPPED, NeverBegan] {
            while let Some(Step::Tell(_)) = sequence.next_step() {}
            sequence.answer(answer);
        }
        assert_eq!(ahead(&sequence), "stop 0");
    }

    #[test]
    fn a_stop_asked_for_before_anything_ran_only_stops() {
        let mut sequence = Sequence::new(Aim::Start, 1, Some(10));
        sequence.overtake_by_stop();
        assert_eq!(sequence.aim(), Aim::Stop);
        assert_eq!(sequence.next_step(), Some(Step::Tell(Note::Acquiring)));
        assert_eq!(sequence.next_step(), Some(Step::Tell(Note::Releasing)));
        assert_eq!(sequence.next_step(), Some(Step::Run(0, Action::Stop)));
    }
}
