//! What is about to happen, in the order in which it will: by time, and what was planned first where that is the same.
//!
//! Each machine has one timer for its daemon, which every turn sets anew. The former times are forgotten, not waited for:
//! there are as many as there are turns.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::plan::Time;
use super::world::Happening;

/// When something happens, and which number it has among all that was planned.
type Moment = (Time, u64);

/// Everything that is about to happen in a world.
#[derive(Default)]
pub struct Agenda {
    /// With the places among `happenings`, which are too large to be moved about.
    order: BinaryHeap<Reverse<(Moment, usize)>>,
    happenings: Vec<Option<Happening>>,
    free: Vec<usize>,
    /// By machine: when its daemon wakes up, and which run of it.
    timers: Vec<Option<(Moment, u64)>>,
    planned: u64,
}

impl Agenda {
    /// Adds something.
    pub fn add(&mut self, at: Time, happening: Happening) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.happenings.push(None);
            self.happenings.len() - 1
        });
        self.happenings[place] = Some(happening);
        let moment = self.moment(at);
        self.order.push(Reverse((moment, place)));
    }

    /// Sets the timer of a machine for this run of its daemon.
    pub fn set_timer(&mut self, machine: usize, run: u64, at: Time) {
        let moment = self.moment(at);
        if self.timers.len() <= machine {
            self.timers.resize(machine + 1, None);
        }
        self.timers[machine] = Some((moment, run));
    }

    fn moment(&mut self, at: Time) -> Moment {
        self.planned += 1;
        (at, self.planned)
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Option<Time> {
        let timer = self.first_timer().map(|((at, _), _)| at);
        let other = self.order.peek().map(|Reverse(((at, _), _))| *at);
        timer.into_iter().chain(other).min()
    }

    fn first_timer(&self) -> Option<(Moment, usize)> {
        let timers = self.timers.iter().enumerate();
        let set = timers.filter_map(|(machine, timer)| Some((timer.as_ref()?.0, machine)));
        set.min()
    }

    /// Takes the next thing out.
    pub fn next(&mut self) -> Option<(Time, Happening)> {
        let other = self.order.peek().map(|Reverse((moment, _))| *moment);
        if let Some((moment, machine)) = self.first_timer()
            && other.is_none_or(|other| moment < other)
        {
            let (_, run) = self.timers[machine].take()?;
            return Some((moment.0, Happening::Wake { machine, run }));
        }
        let Reverse(((at, _), place)) = self.order.pop()?;
        self.free.push(place);
        Some((at, self.happenings[place].take()?))
    }
}

#[test]
fn what_was_planned_first_happens_first_and_only_the_newest_time_of_a_timer_counts() {
    let mut agenda = Agenda::default();
    let free = |link| Happening::LineFree { link, from: 0 };
    agenda.set_timer(1, 7, 20);
    agenda.add(30, free(0));
    agenda.add(20, free(1));
    agenda.set_timer(0, 8, 20);
    agenda.add(20, free(2));
    agenda.set_timer(1, 9, 30);
    let mut order = Vec::new();
    while let Some(next_at) = agenda.next_at() {
        let (at, happening) = agenda.next().expect("there is something");
        assert_eq!(at, next_at);
        order.push(match happening {
            Happening::LineFree { link, .. } => (at, format!("line {link}")),
            Happening::Wake { machine, run } => (at, format!("{machine} in run {run}")),
            _ => (at, "something else".to_owned()),
        });
    }
    let expected = [
        (20, "line 1"),
        (20, "0 in run 8"),
        (20, "line 2"),
        (30, "line 0"),
        (30, "1 in run 9"),
    ];
    assert_eq!(order, expected.map(|(at, what)| (at, what.to_owned())));
}
