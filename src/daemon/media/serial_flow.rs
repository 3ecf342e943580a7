//! Whether a serial line has RTS/CTS flow control: by what CTS does and what is heard. A value: no descriptor, no clock.
//!
//! CTS is up while the other end has its port open and the cable has the wire. Without flow control nothing is lost while
//! CTS has never been up, and a cable of three wires works. When it falls, the other end has too much to read, for moments;
//! or its port is closed, the cable is pulled, or it was changed for one of three wires. Then both ends would be held up for
//! ever, and so neither may wait to hear the other before it goes on.

use std::time::Duration;

use crate::cluster::Instant;
use crate::config::SerialFlow;

/// How often CTS is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the line is held up by CTS, without a break.
const PATIENCE: Duration = Duration::from_secs(3);
/// In so many looks something is heard while CTS is down before the wires are said to be missing.
const HEARD: u32 = 2;
/// One line is told in this time.
const TOLD: Duration = Duration::from_secs(60);

/// What is known of the handshake wires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// CTS is up: the cable has the wire.
    Works,
    /// The other end is heard although CTS stays down.
    Missing,
}

/// Whether flow control is used, and why.
#[derive(Debug)]
pub struct Flow {
    follows: bool,
    is_used: bool,
    look_at: Instant,
    low: Option<Low>,
    found: Option<Handshake>,
    told: Option<(Handshake, Instant)>,
}

/// CTS is down.
#[derive(Debug)]
struct Low {
    since: Instant,
    heard: u32,
}

impl Flow {
    /// For a port whose CTS is as given; none for one that has no modem lines, where nobody can tell.
    pub fn new(wish: SerialFlow, cts: Option<bool>) -> Self {
        let is_used = match wish {
            SerialFlow::Auto => cts != Some(false),
            SerialFlow::RtsCts => true,
            SerialFlow::None => false,
        };
        Self {
            follows: wish == SerialFlow::Auto && cts.is_some(),
            is_used,
            look_at: Instant::default(),
            low: None,
            found: None,
            told: None,
        }
    }

    /// Whether flow control is to be on.
    pub fn is_used(&self) -> bool {
        self.is_used
    }

    /// When to look at CTS again; none where it decides nothing.
    pub fn next_look(&self) -> Option<Instant> {
        self.follows.then_some(self.look_at)
    }

    /// Takes note of CTS (none where it could not be read) and of whether messages came since the last look. Gives
    /// whether flow control is to be on, when that changes.
    pub fn look(&mut self, now: Instant, cts: Option<bool>, heard: bool) -> Option<bool> {
        self.look_at = now + INTERVAL;
        let before = self.is_used;
        match (cts, &mut self.low) {
            (None, _) => {}
            (Some(true), _) => {
                self.low = None;
                self.is_used = true;
                self.found = Some(Handshake::Works);
            }
            // What came before the first look at it may have come while it was up.
            (Some(false), None) => {
                self.low = Some(Low {
                    since: now,
                    heard: 0,
                });
            }
            (Some(false), Some(low)) => {
                low.heard = low.heard.saturating_add(u32::from(heard));
                if now.since(low.since) >= PATIENCE {
                    self.is_used = false;
                    if low.heard >= HEARD {
                        self.found = Some(Handshake::Missing);
                    }
                }
            }
        }
        (self.is_used != before).then_some(self.is_used)
    }

    /// What was found out, where that is to be told now: each change, but once a minute at most.
    pub fn next_news(&mut self, now: Instant) -> Option<Handshake> {
        let found = self.found?;
        let is_news = self
            .told
            .is_none_or(|(told, at)| told != found && now.since(at) >= TOLD);
        if is_news {
            self.told = Some((found, now));
        }
        is_news.then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at each of these seconds (CTS, messages heard), and what comes of it: whether flow control is on, and
    /// what is told.
    fn run(flow: &mut Flow, from: u64, looks: &[(bool, bool)]) -> Vec<(bool, Option<Handshake>)> {
        let looks = looks.iter().zip(from..);
        looks
            .map(|(&(cts, heard), second)| {
                let now = Instant::from_micros(second * 1_000_000);
                let before = flow.is_used();
                let changed = flow.look(now, Some(cts), heard);
                assert_eq!(
                    changed,
                    (before != flow.is_used()).then_some(flow.is_used())
                );
                assert_eq!(flow.next_look(), Some(now + INTERVAL));
                (flow.is_used(), flow.next_news(now))
            })
            .collect()
    }

    const WORKS: Option<Handshake> = Some(Handshake::Works);
    const MISSING: Option<Handshake> = Some(Handshake::Missing);

    #[test]
    fn without_cts_it_is_left_out_and_told_once_the_other_end_is_heard() {
        let mut flow = Flow::new(SerialFlow::Auto, Some(false));
        assert!(!flow.is_used());
        let silent = run(&mut flow, 0, &[(false, false); 100]);
        assert!(silent.iter().all(|seen| *seen == (false, None)));
        let heard = run(&mut flow, 100, &[(false, true); 3]);
        assert_eq!(heard, [(false, None), (false, MISSING), (false, None)]);
    }

    #[test]
    fn once_cts_rises_it_is_used() {
        let mut flow = Flow::new(SerialFlow::Auto, Some(false));
        let seen = run(&mut flow, 0, &[(false, false), (true, false), (true, true)]);
        assert_eq!(seen, [(false, None), (true, WORKS), (true, None)]);
    }

    #[test]
    fn a_peer_that_is_busy_for_moments_holds_the_line_up() {
        let mut flow = Flow::new(SerialFlow::Auto, Some(true));
        for second in 0..100 {
            // down for two looks of three
            let seen = run(&mut flow, second, &[(second % 3 == 0, true)]);
            assert!(seen[0].0, "{second}");
        }
    }

    #[test]
    fn a_cable_that_was_pulled_does_not_hold_both_ends_up_for_ever() {
        let mut flow = Flow::new(SerialFlow::Auto, Some(true));
        run(&mut flow, 0, &[(true, true); 5]);
        let pulled = run(&mut flow, 5, &[(false, false); 50]);
        let used: Vec<bool> = pulled.iter().map(|seen| seen.0).collect();
        assert_eq!(used[..4], [true, true, true, false]);
        assert!(used[3..].iter().all(|is_used| !is_used));
        assert!(
            pulled.iter().all(|seen| seen.1.is_none()),
            "nothing to say of its wires"
        );
        assert_eq!(run(&mut flow, 55, &[(true, false)]), [(true, None)]);
    }

    #[test]
    fn a_full_cable_that_becomes_one_of_three_wires_is_followed_and_back() {
        let mut flow = Flow::new(SerialFlow::Auto, Some(true));
        run(&mut flow, 0, &[(true, true); 100]);
        let looks = [
            (false, true),
            (false, false),
            (false, false),
            (false, false),
            (false, true),
            (false, true),
            (true, true),
        ];
        let seen = run(&mut flow, 100, &looks);
        assert_eq!(
            seen,
            [
                (true, None),
                (true, None),
                (true, None),
                (false, None),
                (false, None),
                (false, MISSING),
                (true, None)
            ]
        );
        let seen = run(&mut flow, 165, &[(true, true), (true, true)]);
        assert_eq!(
            seen,
            [(true, WORKS), (true, None)],
            "once a minute, but told"
        );
    }

    #[test]
    fn a_directive_decides_and_a_port_that_can_not_tell_is_as_ever() {
        for (wish, cts, is_used) in [
            (SerialFlow::RtsCts, Some(false), true),
            (SerialFlow::RtsCts, Some(true), true),
            (SerialFlow::None, Some(true), false),
            (SerialFlow::None, None, false),
            (SerialFlow::Auto, None, true),
        ] {
            let mut flow = Flow::new(wish, cts);
            assert_eq!(flow.is_used(), is_used, "{wish:?} {cts:?}");
            assert_eq!(flow.next_look(), None);
            assert_eq!(flow.next_news(Instant::default()), None);
        }
    }

    #[test]
    fn a_port_that_stops_answering_changes_nothing() {
        let mut flow = Flow::new(SerialFlow::Auto, Some(true));
        for second in 0..10 {
            let now = Instant::from_micros(second * 1_000_000);
            assert_eq!(flow.look(now, None, true), None);
        }
    }
}
