//! The standby dialogue with 3.0.6, word by word: what fits is followed, at its time, and nothing else.

use std::time::Duration;

use super::old_peer::Old;
use super::words::said;
use super::*;
use claims::Phase;
use classic::{Dialogue, Halves};
use movement::MoveProgress;
use refusals::RefusalKind;

const HOUR: Duration = Duration::from_secs(3600);

fn standby<'a>(what: &'a str, info: &'a str) -> [(&'a str, &'a str); 3] {
    [("t", "ask_resources"), ("rsc_hold", what), ("info", info)]
}

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

impl Old {
    /// What of the dialogue ours says at once to this.
    fn replies(&mut self, what: &str, info: &str) -> Vec<String> {
        let words = said(&self.answers(&standby(what, info)));
        let of_dialogue = |word: &String| word.starts_with("ask_resources");
        words.into_iter().filter(of_dialogue).collect()
    }

    fn misfits(&self) -> u64 {
        self.node().refused(RefusalKind::OutOfPlace)
    }

    fn in_dialogue(dialogue: Dialogue) -> Self {
        let mut old = Self::settled(AutoFailback::Off);
        old.node_mut().classic.dialogue = dialogue;
        old
    }

    fn dialogue(&self) -> Dialogue {
        self.node().classic.dialogue
    }

    fn wants(&mut self, request: MoveRequest) -> Vec<String> {
        let now = self.pair.now;
        self.node_mut().handle(now, Event::MoveRequested(request));
        said(&self.sends())
    }
}

fn asked(old: &Old) -> Dialogue {
    Dialogue::Asked {
        ours: Selection::Local,
        reason: policy::Reason::Standby,
        until: old.pair.now + Duration::from_secs(10),
    }
}

fn accepted(since: u64) -> Dialogue {
    Dialogue::Accepted {
        ours: Selection::Foreign,
        since,
        has_begun: false,
        done: None,
        until: Instant::from_micros(u64::MAX),
    }
}

fn given(since: u64) -> Dialogue {
    Dialogue::Given {
        ours: Selection::Local,
        since,
        until: Instant::from_micros(u64::MAX),
    }
}

#[test]
fn a_half_that_an_operator_wants_away_is_offered_and_taken_back_after_ten_seconds() {
    let mut old = Old::settled(AutoFailback::Off);
    let words = old.wants(MoveRequest::Standby(Selection::Local));
    assert_eq!(words, ["ask_resources rsc_hold=local info=me"]);
    assert_eq!(old.progress(), Some(MoveProgress::Asked));
    assert_eq!(
        old.node().movement().map(|movement| movement.number),
        Some(1)
    );
    old.sends_within(millis(9_900));
    assert_eq!(old.progress(), Some(MoveProgress::Asked));
    old.sends_within(millis(200));
    let failed = MoveProgress::Failed(MoveFailure::NoAnswer);
    assert_eq!(old.progress(), Some(failed));
    old.sends_within(Duration::from_secs(5));
    old.wants(MoveRequest::Standby(Selection::Local));
    assert_eq!(
        old.node().movement().map(|movement| movement.number),
        Some(2)
    );
}

#[test]
fn a_half_that_an_operator_wants_here_is_asked_for_and_not_for_ever() {
    let mut old = Old::settled(AutoFailback::Off);
    let words = old.wants(MoveRequest::Takeover(Selection::Foreign));
    assert_eq!(words, ["hb_takeover rsc_hold=foreign"]);
    old.sends_within(millis(14_900));
    assert_eq!(old.progress(), Some(MoveProgress::Asked));
    old.sends_within(millis(200));
    let failed = MoveProgress::Failed(MoveFailure::NoAnswer);
    assert_eq!(old.progress(), Some(failed));
    // One that has begun in time is waited for.
    let mut old = Old::settled(AutoFailback::Off);
    old.wants(MoveRequest::Takeover(Selection::Foreign));
    let words = old.replies("local", "me");
    assert_eq!(words, ["ask_resources rsc_hold=local info=other"]);
    old.holds("none", "0", Some("standby"));
    old.sends_within(Duration::from_secs(20));
    assert_eq!(old.progress(), Some(MoveProgress::Releasing));
}

#[test]
fn nothing_is_offered_before_the_peer_knows_that_we_are_settled() {
    type Change = fn(&mut Cluster);
    for (change, expected) in [
        ((|_| {}) as Change, true),
        (|node| node.announced = None, false),
        (|node| node.announced = Some((Holdings::None, true)), false),
        (
            |node| node.announced = Some((Holdings::Local, false)),
            false,
        ),
        (|node| node.classic.is_stable = false, false),
        (|node| node.ownership.groups[0].mine = None, false),
    ] {
        let mut old = Old::settled(AutoFailback::On);
        change(old.node_mut());
        assert_eq!(old.node().can_offer(), expected);
        let now = old.pair.now;
        assert_eq!(old.node().can_offer_failback(now), expected);
        let request = MoveRequest::Standby(Selection::Local);
        assert_eq!(old.node().refuses(request).is_none(), expected);
    }
    let mut old = Old::settled(AutoFailback::On);
    let now = old.pair.now;
    old.node_mut().classic.offer_at = Some(now);
    assert!(old.node().can_offer_failback(now));
    old.node_mut().classic.offer_at = Some(now + millis(1));
    assert!(!old.node().can_offer_failback(now), "it was offered lately");
}

/// Our own half could not be started.
fn with_a_failure() -> Old {
    let mut old = Old::settled(AutoFailback::Off);
    let now = old.pair.now;
    let group = &mut old.node_mut().ownership.groups[1];
    group.mine = Some(Claim::Failed);
    group.failures.add(now + HOUR);
    group.retry_at = now + HOUR;
    old.sends();
    old.holds("local", "1", None);
    old
}

#[test]
fn what_could_not_be_started_here_is_offered_to_the_peer_ever_more_seldom() {
    let mut old = with_a_failure();
    let mut offers = Vec::new();
    let begun = old.pair.now;
    for tenth in 0..1500 {
        old.pair.now = begun + millis(100 * tenth);
        old.beats("active");
        old.sends();
        if old.node().classic.dialogue != Dialogue::None {
            offers.push(tenth / 10);
            old.node_mut().classic.dialogue = Dialogue::None;
        }
    }
    let pauses: Vec<u64> = offers.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses.first().copied().unwrap_or(0) / 10, 2, "{offers:?}");
    assert!(
        pauses.windows(2).all(|pair| pair[1] >= 2 * pair[0] - 1),
        "{offers:?}"
    );
    assert!(offers.len() >= 3, "{offers:?}");
    let mut old = with_a_failure();
    old.node_mut().classic.dialogue = Dialogue::None;
    old.node_mut().classic.offer_at = None;
    old.node_mut().classic.holds = Halves::from_the_other("all");
    let now = old.pair.now;
    old.node_mut().offer_what_failed(now);
    assert_eq!(old.dialogue(), Dialogue::None, "the peer has it");
}

#[test]
fn an_offer_waits_until_both_are_settled_and_no_longer_than_the_peer_waits() {
    type Change = fn(&mut Cluster);
    let flux = "in flux";
    for (change, ours) in [
        (
            (|node: &mut Cluster| {
                node.ownership.groups[0].mine = Some(Claim::held(Phase::Stopping));
            }) as Change,
            true,
        ),
        (|node| node.classic.is_stable = false, false),
        (|node| node.peer.status = NodeStatus::Up, false),
    ] {
        let mut old = Old::settled(AutoFailback::Off);
        change(old.node_mut());
        let heard = old.pair.now;
        assert!(old.replies("local", "me").is_empty());
        let until = old.node().classic.offered.map(|offer| offer.until);
        assert_eq!(until, Some(heard + Duration::from_secs(8)));
        let node = old.node_mut();
        node.accept_offer(heard + millis(7_999));
        assert!(node.classic.offered.is_some());
        node.accept_offer(heard + millis(8_000));
        assert!(node.classic.offered.is_none());
        old.sends();
        assert_eq!(old.pair.said(1, flux), 1);
        let whose = if ours {
            "local resources in flux"
        } else {
            "Other side is in flux"
        };
        assert_eq!(old.pair.said(1, whose), 1, "{:#?}", old.pair.log);
    }
    let mut old = Old::settled(AutoFailback::Off);
    old.node_mut().leaving = Leaving::Stopping;
    assert!(old.replies("local", "me").is_empty());
    assert!(
        old.node().classic.offered.is_none(),
        "one that leaves takes nothing"
    );
}

#[test]
fn of_two_offers_that_cross_the_peer_s_counts_once_it_can_not_have_agreed_to_ours() {
    let mut old = Old::settled(AutoFailback::Off);
    old.wants(MoveRequest::Standby(Selection::Local));
    assert!(old.replies("local", "me").is_empty());
    old.sends_within(millis(1_900));
    assert_eq!(old.progress(), Some(MoveProgress::Asked));
    let words = said(&old.sends_within(millis(200)));
    assert!(
        words.contains(&"ask_resources rsc_hold=local info=other".to_owned()),
        "{words:?}"
    );
    let failed = MoveProgress::Failed(MoveFailure::Refused);
    assert_eq!(old.progress(), Some(failed));
    assert!(matches!(old.dialogue(), Dialogue::Accepted { .. }));
}

#[test]
fn a_word_about_another_half_than_the_one_that_is_spoken_of_changes_nothing() {
    let mut old = Old::settled(AutoFailback::Off);
    old.node_mut().classic.dialogue = asked(&old);
    let before = old.dialogue();
    old.replies("foreign", "other");
    assert_eq!((old.dialogue(), old.misfits()), (before, 1));
    old.replies("local", "other");
    assert!(!matches!(old.dialogue(), Dialogue::Asked { .. }));

    let mut old = Old::in_dialogue(accepted(1));
    old.replies("foreign", "done");
    assert_eq!((old.dialogue(), old.misfits()), (accepted(1), 1));
    old.replies("local", "done");
    let done = old.number;
    assert!(
        matches!(old.dialogue(), Dialogue::Accepted { done: Some(number), .. } if number == done)
    );

    let mut old = Old::in_dialogue(given(1));
    old.replies("foreign", "done");
    assert_eq!((old.dialogue(), old.misfits()), (given(1), 1));
    old.replies("local", "done");
    assert_eq!((old.dialogue(), old.misfits()), (Dialogue::None, 1));
    old.replies("local", "done");
    assert_eq!(old.misfits(), 1, "it says this to itself, too");
    old.replies("local", "other");
    assert_eq!(old.misfits(), 2);
}

#[test]
fn what_the_peer_tells_in_passing_counts_only_after_the_dialogue_has_begun() {
    for (what, info, is_late, expected) in [
        ("none", Some("standby"), false, true),
        ("none", Some("standby"), true, false),
        ("local", None, false, false),
    ] {
        let mut old = Old::settled(AutoFailback::Off);
        // Its offer has the number of this message, or one before it.
        let since = old.number + u64::from(is_late);
        old.node_mut().classic.dialogue = accepted(since);
        old.holds(what, "0", info);
        let has_begun = matches!(
            old.dialogue(),
            Dialogue::Accepted {
                has_begun: true,
                ..
            }
        );
        assert_eq!(has_begun, expected, "{what} {info:?} {is_late}");
    }
    for (what, stable, is_late, expected) in [
        ("all", "1", false, Dialogue::None),
        ("all", "1", true, given(0)),
        ("all", "0", false, given(0)),
        ("local", "1", false, given(0)),
    ] {
        let mut old = Old::settled(AutoFailback::Off);
        let since = old.number + u64::from(is_late);
        old.node_mut().classic.dialogue = given(since);
        old.node_mut().ownership.groups[1].mine = Some(Claim::Ceded);
        old.pair.running[1][1] = false;
        old.holds(what, stable, None);
        let is_over = old.dialogue() == Dialogue::None;
        assert_eq!(
            is_over,
            expected == Dialogue::None,
            "{what} {stable} {is_late}"
        );
    }
}

#[test]
fn a_half_is_done_when_none_of_it_runs_and_stays_when_one_of_it_does_not_stop() {
    let giving = Dialogue::Giving {
        ours: Selection::Local,
        since: 1,
    };
    let mut old = Old::in_dialogue(giving);
    old.node_mut().ownership.groups[1].mine = Some(Claim::held(Phase::Stopping));
    let words = said(&old.sends());
    assert!(words.is_empty(), "it still stops: {words:?}");
    assert_eq!(old.dialogue(), giving);
    old.node_mut().ownership.groups[1].mine = Some(Claim::Ceded);
    assert_eq!(
        said(&old.sends()),
        ["ask_resources rsc_hold=local info=done"]
    );

    let mut old = Old::in_dialogue(giving);
    let now = old.pair.now;
    let group = &mut old.node_mut().ownership.groups[1];
    (group.mine, group.retry_at) = (Some(Claim::held(Phase::Unknown)), now + HOUR);
    let words = said(&old.sends());
    assert!(!words.iter().any(|word| word.contains("done")), "{words:?}");
    assert_eq!(old.dialogue(), Dialogue::None);
    assert_eq!(old.pair.said(1, "Cancelling pending standby operation"), 1);
}

#[test]
fn a_dispute_is_forgotten_when_nothing_is_claimed_any_more_and_nobody_talks() {
    for (dialogue, is_kept) in [(Dialogue::None, false), (given(1), true)] {
        let mut old = Old::in_dialogue(dialogue);
        let now = old.pair.now;
        let node = old.node_mut();
        node.classic.dispute = Some(classic::Dispute {
            until: now + HOUR,
            is_asked: true,
        });
        node.settle_dispute(now);
        assert_eq!(node.classic.dispute.is_some(), is_kept);
    }
}
