//! What a run was like, in words and as a line of JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::json;

use crate::answers::{Answer, Gap, Moment, Overlap, gaps, switch_overs};
use crate::lab::usage::Usage;

/// What a daemon used whenever all was well.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// KiB in memory, the first time and the last, and the most.
    pub resident: [u64; 3],
    /// Descriptors, likewise.
    pub descriptors: [u64; 3],
}

impl Used {
    /// Takes another look into account.
    pub fn add(&mut self, usage: &Usage) {
        let descriptors = u64::try_from(usage.descriptors).unwrap_or(u64::MAX);
        for (known, now) in [
            (&mut self.resident, usage.resident),
            (&mut self.descriptors, descriptors),
        ] {
            let [first, last, most] = known;
            if *first == 0 {
                *first = now;
            }
            (*last, *most) = (now, now.max(*most));
        }
    }
}

/// Something that went wrong, from when to when.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Its kind.
    pub kind: &'static str,
    /// Since when.
    pub from: Moment,
    /// Until when, if it is over.
    pub until: Option<Moment>,
}

/// What leaves an address without an owner, or moves it; what explains more stands in front.
const EXPLAINS: [&str; 9] = [
    "service network cut",
    "service network unplugged",
    "one direction of the service network cut",
    "power lost",
    RESET,
    "daemon stopped",
    "daemon killed",
    "daemon paused",
    "operator",
];
/// A machine without power for a while, by its watchdog.
pub const RESET: &str = "reset by the watchdog";
/// What none of them explains.
pub const UNEXPLAINED: &str = "nothing";
/// For so long after its end a fault explains that addresses move, as to where they belong.
const AFTERMATH: Duration = Duration::from_secs(15);

/// The figures of a run.
#[derive(Debug, Default)]
pub struct Tally {
    /// The seed.
    pub seed: u64,
    /// Both machines had a watchdog.
    pub has_watchdogs: bool,
    /// The directive's value.
    pub auto_failback: &'static str,
    /// By kind, how often.
    pub faults: BTreeMap<&'static str, u32>,
    /// Faults in the order in which they began.
    pub spans: Vec<Span>,
    /// Times of faults with peace behind them.
    pub episodes: u32,
    /// Machines that their watchdog reset.
    pub resets: u32,
    /// How often each address was asked for.
    pub questions: u64,
    /// Answers, by ARP or neighbour discovery and by echo.
    pub answers: usize,
    /// How often an address came to another machine.
    pub switch_overs: usize,
    /// Questions that two machines answered without excuse.
    pub overlaps: usize,
    /// Those with one, by its reason.
    pub excused: BTreeMap<&'static str, u32>,
    /// By what was wrong: the longest time in which an address had no owner.
    pub unserved: BTreeMap<&'static str, Duration>,
    /// The longest time from the end of all faults until everything was served and settled.
    pub slowest_heal: Duration,
    /// By node.
    pub used: [Used; 2],
}

impl Tally {
    /// Notes that something is wrong.
    pub fn begin(&mut self, kind: &'static str, from: Moment) {
        self.spans.push(Span {
            kind,
            from,
            until: None,
        });
    }

    /// Notes that it is over; of several of a kind the one that began first.
    pub fn end(&mut self, kind: &'static str, until: Moment) {
        let mut spans = self.spans.iter_mut();
        if let Some(span) = spans.find(|span| span.kind == kind && span.until.is_none()) {
            span.until = Some(until);
        }
    }

    /// Takes the answers of an episode into account.
    pub fn add(&mut self, answers: &[Answer], overlaps: &[Overlap]) {
        self.answers += answers.len();
        self.switch_overs += switch_overs(answers);
        for gap in gaps(answers) {
            let longest = self.unserved.entry(self.cause_of(&gap)).or_default();
            *longest = (*longest).max(gap.until.saturating_sub(gap.from));
        }
        for overlap in overlaps {
            match overlap.excuse {
                Some(why) => *self.excused.entry(why).or_default() += 1,
                None => self.overlaps += 1,
            }
        }
    }

    /// What explains a gap, of all that was in force when it began, or was over a while ago. It is seen from the last answer
    /// on: up to two rounds early.
    fn cause_of(&self, gap: &Gap) -> &'static str {
        let begun = gap.from + Duration::from_millis(40);
        let explains = |after: Duration| {
            let in_force = move |span: &&Span| {
                let until = span.until.map_or(Moment::MAX, |until| until + after);
                span.from <= begun && gap.from <= until
            };
            let spans = self.spans.iter().filter(in_force);
            let ranks =
                spans.filter_map(|span| EXPLAINS.iter().position(|kind| *kind == span.kind));
            ranks.min().map(|rank| EXPLAINS[rank])
        };
        explains(Duration::ZERO).unwrap_or_else(|| match explains(AFTERMATH) {
            Some(_) => "a fault was over",
            None => UNEXPLAINED,
        })
    }

    /// The line of JSON, all times in milliseconds.
    pub fn json(&self, period: Duration) -> String {
        let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let unserved = self.unserved.iter();
        let unserved: BTreeMap<&str, u64> =
            unserved.map(|(what, time)| (*what, millis(time))).collect();
        json!({
            "seed": self.seed,
            "ms": millis(&period),
            "watchdog": self.has_watchdogs,
            "auto_failback": self.auto_failback,
            "episodes": self.episodes,
            "faults": self.faults,
            "resets": self.resets,
            "questions": self.questions,
            "answers": self.answers,
            "switch_overs": self.switch_overs,
            "overlaps": self.overlaps,
            "excused": self.excused,
            "unserved_ms": unserved,
            "slowest_heal_ms": millis(&self.slowest_heal),
            "resident_kib": self.used.map(|used| used.resident),
            "descriptors": self.used.map(|used| used.descriptors),
        })
        .to_string()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: u32 = self.faults.values().sum();
        let watchdogs = if self.has_watchdogs {
            "with"
        } else {
            "without"
        };
        writeln!(
            f,
            "seed {}, {watchdogs} watchdogs, auto_failback {}: {all} faults in {} episodes",
            self.seed, self.auto_failback, self.episodes
        )?;
        for (kind, count) in &self.faults {
            writeln!(f, "    {count:4}  {kind}")?;
        }
        writeln!(
            f,
            "{} questions for each address, {} answers, {} switch-overs, {} resets by watchdogs",
            self.questions, self.answers, self.switch_overs, self.resets
        )?;
        writeln!(f, "{} overlaps without excuse; with one:", self.overlaps)?;
        for (why, count) in &self.excused {
            writeln!(f, "    {count:4}  {why}")?;
        }
        writeln!(
            f,
            "nobody answered for an address for at most, by what was wrong:"
        )?;
        for (what, time) in &self.unserved {
            writeln!(f, "    {:7.2} s  {what}", time.as_secs_f64())?;
        }
        writeln!(
            f,
            "settled at most {:.2} s after the last fault",
            self.slowest_heal.as_secs_f64()
        )?;
        for (node, used) in self.used.iter().enumerate() {
            let [[first, last, most], [few, now, many]] = [used.resident, used.descriptors];
            writeln!(
                f,
                "node {node}: {first} KiB at first, {last} at last, {most} at most; {few} descriptors at first, {now} at last, {many} at most"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_put_down_to_what_explains_it_most() {
        let millis = Duration::from_millis;
        let mut tally = Tally::default();
        tally.begin("power lost", millis(100));
        tally.begin("service network cut", millis(2100));
        tally.begin("log disk full", millis(2101));
        tally.end("power lost", millis(2150));
        tally.end("service network cut", millis(2600));
        let answer = |question: u64| Answer {
            asked: millis(question * 20),
            question,
            address: 0,
            by: [2; 6],
        };
        // The last answer came before the power was lost; the last gap but one is too short to count.
        let answers = [4, 104, 124, 125, 160, 165, 200, 2000, 3000].map(answer);
        tally.add(&answers, &[]);
        let expected = [
            ("a fault was over", 36_000),
            (UNEXPLAINED, 20_000),
            ("power lost", 2000),
            ("service network cut", 700),
        ];
        let found: Vec<_> = tally.unserved.into_iter().collect();
        assert_eq!(found, expected.map(|(what, time)| (what, millis(time))));
    }

    #[test]
    fn what_is_used_is_known_at_first_at_last_and_at_most() {
        let mut used = Used::default();
        for resident in [5, 9, 7] {
            used.add(&Usage {
                resident,
                threads: 1,
                wakeups: 1,
                ticks: 1,
                descriptors: 3,
            });
        }
        assert_eq!(used.resident, [5, 7, 9]);
        assert_eq!(used.descriptors, [3, 3, 3]);
    }
}
