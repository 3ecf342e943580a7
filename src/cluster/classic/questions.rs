//! What two nodes with `auto_failback legacy` have asked each other, group by group.

use crate::cluster::time::Instant;

/// What is asked and owed, for each group. Void with every new epoch.
#[derive(Debug, Clone, Default)]
pub(in crate::cluster) struct Questions {
    /// The conversation began because the peer came back from what we took for its death: it may just be starting
    /// what it held us for dead with.
    pub(in crate::cluster) is_return: bool,
    /// Number of the newest message when it began: what was said before counts no more.
    pub(in crate::cluster) since: u64,
    pub(in crate::cluster) groups: Vec<Asking>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(in crate::cluster) struct Asking {
    /// When to ask for it, again.
    pub(in crate::cluster) ask_at: Option<Instant>,
    /// It was answered; at most one more question is open, and nothing depends on its answer.
    pub(in crate::cluster) is_sure: bool,
    /// How often it was asked for.
    pub(in crate::cluster) asked: u32,
    /// The peer asked for it and has no answer yet; `true`: it was running here.
    pub(in crate::cluster) owed: Option<bool>,
}

impl Questions {
    /// Whether this conversation has begun.
    pub(in crate::cluster) fn is_open(&self) -> bool {
        !self.groups.is_empty()
    }

    /// The first question without an answer.
    pub(in crate::cluster) fn first_open(&self) -> Option<usize> {
        self.groups
            .iter()
            .position(|asking| asking.ask_at.is_some() && !asking.is_sure)
    }

    /// The peer answers: what it did not answer before is asked again now.
    pub(in crate::cluster) fn hurry(&mut self, now: Instant) {
        for asking in &mut self.groups {
            if !asking.is_sure && asking.asked > 1 && asking.ask_at.is_some() {
                (asking.ask_at, asking.asked) = (Some(now), 1);
            }
        }
    }

    /// When a question is due.
    pub(in crate::cluster) fn next_question(&self) -> Option<Instant> {
        self.groups.iter().filter_map(|asking| asking.ask_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_micros(5_000_000);
    const LATER: Instant = Instant::from_micros(6_000_000);

    fn asking(ask_at: Option<Instant>, is_sure: bool, asked: u32) -> Asking {
        Asking {
            ask_at,
            is_sure,
            asked,
            owed: None,
        }
    }

    fn questions(groups: Vec<Asking>) -> Questions {
        Questions {
            groups,
            ..Questions::default()
        }
    }

    #[test]
    fn a_question_is_open_until_it_is_answered() {
        let (open, sure, never) = (
            asking(Some(LATER), false, 1),
            asking(Some(LATER), true, 1),
            asking(None, false, 0),
        );
        assert_eq!(questions(vec![]).first_open(), None);
        assert_eq!(questions(vec![sure, never]).first_open(), None);
        assert_eq!(questions(vec![open, open]).first_open(), Some(0));
        assert_eq!(questions(vec![sure, open]).first_open(), Some(1));
        assert_eq!(questions(vec![sure, never, open]).first_open(), Some(2));
        assert!(!questions(vec![]).is_open() && questions(vec![never]).is_open());
    }

    #[test]
    fn a_peer_that_answers_is_asked_at_once_what_it_left_open() {
        for (before, after) in [
            (asking(Some(LATER), false, 2), (Some(NOW), 1)),
            (asking(Some(LATER), false, 1), (Some(LATER), 1)),
            (asking(Some(LATER), true, 2), (Some(LATER), 2)),
            (asking(None, false, 2), (None, 2)),
            (asking(None, true, 1), (None, 1)),
        ] {
            let mut all = questions(vec![before]);
            all.hurry(NOW);
            let found = all
                .groups
                .first()
                .map(|asking| (asking.ask_at, asking.asked));
            assert_eq!(found, Some(after), "{before:?}");
        }
    }

    #[test]
    fn the_earliest_question_is_the_next() {
        let all = questions(vec![
            asking(None, false, 0),
            asking(Some(LATER), false, 1),
            asking(Some(NOW), true, 1),
        ]);
        assert_eq!(all.next_question(), Some(NOW));
        assert_eq!(questions(vec![asking(None, true, 3)]).next_question(), None);
    }
}
