//! What the witness heard, and what in it must not be.
//!
//! A question goes to every machine on the service network at once, and each answer names its question. So no clock and
//! no delay is needed to tell a move from two owners:
//!
//! - One switch-over is `A A A B B B`, with or without questions in between that nobody answered. That is allowed at any time.
//! - A question that two machines answered is an overlap: both had the address when it reached them.
//! - `A B A` within [`SWING`] is an overlap, too: an address does not go and come back in so short a time, so both had it, and
//!   of each question one answer was lost.
//!
//! An overlap is excused by what was true at that moment, never by what a daemon says; see [`Excuse`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// The time since the witness began.
pub type Moment = Duration;

/// From one answer of a machine to its next one, with an answer of another in between.
pub const SWING: Duration = Duration::from_millis(60);
/// An address that nobody answers for so long counts as unserved.
pub const UNSERVED: Duration = Duration::from_millis(100);

/// One machine answered one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// When it was asked.
    pub asked: Moment,
    /// The number of the question. All addresses are asked for under one number.
    pub question: u64,
    /// Which of the addresses.
    pub address: usize,
    /// Who answered.
    pub by: Mac,
}

/// A time in which two owners are no fault of the daemons: all ways between the nodes were cut for about deadtime, or a
/// daemon without a watchdog stood still or was dead for so long.
#[derive(Debug, Clone, Copy)]
pub struct Excuse {
    /// Its first moment.
    pub from: Moment,
    /// Its last.
    pub until: Moment,
    /// The reason.
    pub why: &'static str,
}

/// Two machines had one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// When the question was asked that shows it.
    pub at: Moment,
    /// Which address.
    pub address: usize,
    /// Who answered.
    pub by: Vec<Mac>,
    /// Why it is no fault, if it is none.
    pub excuse: Option<&'static str>,
}

/// Nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Which address.
    pub address: usize,
    /// The last question before it that was answered.
    pub from: Moment,
    /// The first one after it.
    pub until: Moment,
}

/// What is known of one question for one address.
struct Owners {
    asked: Moment,
    by: BTreeSet<Mac>,
}

fn by_address(answers: &[Answer]) -> BTreeMap<usize, BTreeMap<u64, Owners>> {
    let mut all: BTreeMap<usize, BTreeMap<u64, Owners>> = BTreeMap::new();
    for answer in answers {
        let of_address = all.entry(answer.address).or_default();
        let owners = of_address.entry(answer.question).or_insert_with(|| Owners {
            asked: answer.asked,
            by: BTreeSet::new(),
        });
        owners.by.insert(answer.by);
    }
    all
}

/// Every overlap, in the order of addresses and times.
pub fn overlaps(answers: &[Answer], excuses: &[Excuse]) -> Vec<Overlap> {
    let excuse = |at: Moment| {
        let covers = |excuse: &&Excuse| (excuse.from..=excuse.until).contains(&at);
        excuses.iter().find(covers).map(|excuse| excuse.why)
    };
    let mut found = Vec::new();
    for (address, questions) in by_address(answers) {
        // By machine: when it was last asked with success.
        let mut last: BTreeMap<Mac, Moment> = BTreeMap::new();
        let mut before: Option<Mac> = None;
        for owners in questions.values() {
            let only = owners.by.first().copied().filter(|_| owners.by.len() == 1);
            let comes = only.filter(|mac| before.is_some_and(|before| before != *mac));
            let swings = comes.and_then(|mac| last.get(&mac));
            let swings = swings.is_some_and(|last| owners.asked.saturating_sub(*last) < SWING);
            if owners.by.len() > 1 || swings {
                let both = owners.by.iter().copied().chain(before);
                found.push(Overlap {
                    at: owners.asked,
                    address,
                    by: both.collect::<BTreeSet<Mac>>().into_iter().collect(),
                    excuse: excuse(owners.asked),
                });
            }
            for mac in &owners.by {
                last.insert(*mac, owners.asked);
            }
            before = only;
        }
    }
    found
}

/// The times when an address had no owner, from its first to its last answer.
pub fn gaps(answers: &[Answer]) -> Vec<Gap> {
    let all = by_address(answers);
    let mut found = Vec::new();
    for (address, questions) in all {
        let times: Vec<Moment> = questions.values().map(|owners| owners.asked).collect();
        let pairs = times.windows(2).filter_map(|pair| match *pair {
            [from, until] if until.saturating_sub(from) > UNSERVED => Some(Gap {
                address,
                from,
                until,
            }),
            _ => None,
        });
        found.extend(pairs);
    }
    found
}

/// How often an address was answered for by another machine than before.
pub fn switch_overs(answers: &[Answer]) -> usize {
    let of_one = |questions: BTreeMap<u64, Owners>| {
        let owners: Vec<Mac> = questions
            .values()
            .filter(|owners| owners.by.len() == 1)
            .filter_map(|owners| owners.by.first().copied())
            .collect();
        owners.windows(2).filter(|pair| pair[0] != pair[1]).count()
    };
    by_address(answers).into_values().map(of_one).sum()
}

/// How many questions in a row an address must be answered for by one machine alone, to count as served.
const STEADY: u64 = 25;
/// So many of them may go without an answer on a busy computer.
const SLOW: usize = 3;
/// Answers to the latest questions may be on their way.
const PENDING: u64 = 5;

/// Whether one machine and no other serves each of so many addresses; `latest` is the last question asked.
///
/// # Errors
/// What is amiss.
pub fn served_once(answers: &[Answer], latest: u64, addresses: usize) -> Result<(), String> {
    let end = latest.saturating_sub(PENDING);
    let begin = end.saturating_sub(STEADY);
    let recent = answers.iter().rev();
    let recent: Vec<Answer> = recent
        .take_while(|answer| answer.question >= begin)
        .filter(|answer| (begin..end).contains(&answer.question))
        .copied()
        .collect();
    let mut all = by_address(&recent);
    for address in 0..addresses {
        let questions = all.remove(&address).unwrap_or_default();
        let answered = questions.len();
        let owners: BTreeSet<Mac> = questions.into_values().flat_map(|each| each.by).collect();
        let most = usize::try_from(STEADY).unwrap_or(usize::MAX);
        if owners.len() != 1 || answered + SLOW < most {
            return Err(format!(
                "address {address} was answered for {answered} times of {STEADY} by {owners:x?}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = [2, 0, 0, 0, 0, 1];
    const B: Mac = [2, 0, 0, 0, 0, 2];

    /// A record of one address: a word for each question, 20 ms apart, with those who answered it.
    fn record(text: &str) -> Vec<Answer> {
        let of_word = |(question, word): (u64, &str)| {
            let answer = move |letter: char| {
                let by = match letter {
                    'A' => A,
                    'B' => B,
                    _ => return None,
                };
                Some(Answer {
                    asked: Duration::from_millis(question * 20),
                    question,
                    address: 0,
                    by,
                })
            };
            word.chars().filter_map(answer).collect::<Vec<_>>()
        };
        (0..).zip(text.split(' ')).flat_map(of_word).collect()
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn moves_are_no_overlaps_and_two_owners_are_never_missed() {
        for (text, expected) in [
            ("A A A B B B", 0),
            ("A A - - B B", 0),
            ("A A B - B B A A A", 0), // there and back, and the time for it
            ("AA AA B BB", 0),        // by ARP and by echo
            ("A A AB B B", 1),
            ("A AB AB AB B", 3),
            ("A B A A", 1), // of each question one answer was lost
            ("A B A B A B", 4),
            ("A - B A", 0), // 60 ms for there and back
            ("- - - -", 0),
        ] {
            assert_eq!(overlaps(&record(text), &[]).len(), expected, "{text}");
        }
    }

    #[test]
    fn an_answer_that_is_late_counts_where_it_was_asked() {
        let mut answers = record("A A A B B B");
        answers.swap(1, 4); // A's answer came after B had begun to answer
        assert_eq!(overlaps(&answers, &[]), []);
    }

    #[test]
    fn only_what_was_true_at_that_moment_excuses() {
        let answers = record("A AB AB AB B");
        let excuse = Excuse {
            from: at(30),
            until: at(50),
            why: "all links were cut",
        };
        let excused: Vec<_> = overlaps(&answers, &[excuse])
            .into_iter()
            .map(|overlap| (overlap.at, overlap.excuse))
            .collect();
        assert_eq!(
            excused,
            [
                (at(20), None),
                (at(40), Some("all links were cut")),
                (at(60), None)
            ]
        );
    }

    #[test]
    fn each_address_is_judged_by_itself() {
        let mut answers = record("A A A A");
        for answer in record("B B B B") {
            answers.push(Answer {
                address: 1,
                ..answer
            });
        }
        assert_eq!(overlaps(&answers, &[]), []);
        assert_eq!(switch_overs(&answers), 0);
    }

    #[test]
    fn gaps_and_switch_overs_are_counted() {
        let answers = record("A A - - - - - - B B B A");
        let expected = [Gap {
            address: 0,
            from: at(20),
            until: at(160),
        }];
        assert_eq!(gaps(&answers), expected);
        assert_eq!(switch_overs(&answers), 2);
    }

    #[test]
    fn served_is_what_one_machine_alone_answers_for_a_while() {
        let long = |word: &str| vec![word; 40].join(" ");
        let half = |from: &str, to: &str| format!("{} {}", long(from), vec![to; 25].join(" "));
        for (text, latest, expected) in [
            (long("A"), 39, true),
            (long("AB"), 39, false),
            (long("-"), 39, false),
            (half("A", "B"), 64, false), // 19 questions of B that count, 6 of A
            (half("AB", "A") + " A A A A A A", 70, true),
            (half("A", "-"), 64, false),
        ] {
            let served = served_once(&record(&text), latest, 1);
            assert_eq!(served.is_ok(), expected, "{text}: {served:?}");
        }
    }
}
