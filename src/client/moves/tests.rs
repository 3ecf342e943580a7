//! The commands on a made-up daemon.

use std::collections::VecDeque;
use std::io;

use super::*;
use crate::control::{Group, MoveProgress, Node, Reasons};

/// What the daemon says, one after the other; the last for ever.
struct Scripted {
    begin: Option<Result<Movement, Error>>,
    answers: VecDeque<Box<dyn Fn() -> Result<Status, Error>>>,
    now: Duration,
}

impl Daemon for Scripted {
    fn begin(&mut self, _: Direction, _: Selection) -> Result<Movement, Error> {
        self.begin.take().expect("asked once")
    }

    fn status(&mut self) -> Result<Status, Error> {
        if self.answers.len() > 1 {
            self.answers.pop_front().expect("more than one")()
        } else {
            self.answers.front().expect("asked to wait")()
        }
    }

    fn now(&mut self) -> Duration {
        self.now
    }

    fn pause(&mut self, time: Duration) {
        self.now += time;
    }
}

fn movement(direction: Direction, progress: MoveProgress) -> Movement {
    Movement {
        generation: 7,
        number: 3,
        request: direction,
        selection: Selection::All,
        progress,
        reason: (progress == MoveProgress::Failed).then(|| "because".to_owned()),
        warnings: Vec::new(),
    }
}

fn status(movement: Movement, groups: &[(&str, &str, Option<&str>)]) -> Status {
    let node = |name: &str, kind: &str| Node {
        name: name.into(),
        kind: kind.into(),
        status: "active".into(),
        links: Vec::new(),
        since: None,
    };
    let group = |&(key, local, peer): &(&str, &str, Option<&str>)| Group {
        key: key.into(),
        preferred: "ba".into(),
        resources: Vec::new(),
        local: local.into(),
        peer: peer.map(str::to_owned),
        monitors: Vec::new(),
        failback: None,
        retry: None,
        readiness: None,
        peer_ready: None,
        carrier: None,
        peer_carrier: None,
        rivals: Vec::new(),
        reasons: Reasons::default(),
    };
    Status {
        version: String::new(),
        heartbeat_as_of: 0,
        since: 0,
        node: "ba".into(),
        uuid: String::new(),
        generation: 7,
        communicating: true,
        holdings: "transition".into(),
        nodes: vec![
            node("10.0.0.254", "ping"),
            node("ba", "normal"),
            node("bb", "normal"),
        ],
        groups: groups.iter().map(group).collect(),
        movement: Some(movement),
        fencing: None,
        jeopardy: None,
        last_link: None,
        agreement: None,
        peer_ethernet: Vec::new(),
        maintenance: None,
        watchdog: None,
        peer: None,
        timers: Vec::new(),
        parameters: Vec::new(),
    }
}

type Answer = Box<dyn Fn() -> Result<Status, Error>>;

fn at(direction: Direction, progress: MoveProgress) -> Answer {
    Box::new(move || {
        let groups = [
            ("10.0.0.1", "stopped", Some("running")),
            ("10.0.0.2", "running", Some("stopped")),
            ("web", "failed", None),
        ];
        Ok(status(movement(direction, progress), &groups))
    })
}

fn error(make: fn() -> Error) -> Answer {
    Box::new(move || Err(make()))
}

fn silent() -> Error {
    Error::Silent
}

fn stopped() -> Error {
    Error::Stopped(io::ErrorKind::ConnectionRefused.into())
}

fn hung_up() -> Error {
    Error::Nonsense("EOF while parsing".into())
}

/// What the terminal shows, what standard error says, and the exit status.
fn play(words: &str, answers: Vec<Answer>) -> (String, String, u8) {
    let direction = Direction::Standby;
    play_with(
        direction,
        words,
        Ok(movement(direction, MoveProgress::Asked)),
        answers,
    )
}

fn play_with(
    direction: Direction,
    words: &str,
    begin: Result<Movement, Error>,
    answers: Vec<Answer>,
) -> (String, String, u8) {
    let mut daemon = Scripted {
        begin: Some(begin),
        answers: answers.into(),
        now: Duration::from_secs(5000),
    };
    let words = words.split_whitespace().map(OsString::from);
    let Ok(Line::Move(arguments)) = arguments::parse(direction, words) else {
        panic!("wrong words");
    };
    let mut out = String::new();
    let outcome = carry_out(direction, &arguments, &mut daemon, &mut |text| {
        out.push_str(text);
    });
    let (text, exit) = verdict(&outcome, &Places::new(None));
    (out, text.unwrap_or_default(), exit)
}

#[test]
fn every_state_is_told_once_and_then_where_the_groups_are() {
    use MoveProgress::{Acquiring, Asked, Done, Releasing};
    let states = |direction| {
        let states = [Asked, Asked, Releasing, Releasing, Acquiring, Done];
        states.map(|progress| at(direction, progress)).into()
    };
    let (out, err, exit) = play("", states(Direction::Standby));
    assert_eq!((err.as_str(), exit), ("", DONE));
    assert_eq!(
        out,
        "Going standby [all].\n    0.0 s  bb is asked to take them\n    0.2 s  ba stops them\n    0.4 s  bb starts them\n    \
         0.5 s  done\nNow ba runs 10.0.0.2; bb runs 10.0.0.1; web is failed on ba and unknown on bb.\n"
    );
    let begin = Ok(movement(Direction::Takeover, Asked));
    let (out, _, _) = play_with(
        Direction::Takeover,
        "failback",
        begin,
        states(Direction::Takeover),
    );
    assert!(
        out.starts_with(
            "Taking over [local].\n    0.0 s  bb is asked to give them\n    0.2 s  bb stops them\n    0.4 s  ba starts them\n"
        ),
        "{out}"
    );
}

#[test]
fn no_wait_asks_once_and_looks_no_further() {
    assert_eq!(
        play("--no-wait", Vec::new()),
        ("Going standby [all].\n".into(), String::new(), DONE)
    );
}

#[test]
fn a_move_that_fails_says_why_and_where_the_groups_are() {
    let (out, err, exit) = play("", vec![at(Direction::Standby, MoveProgress::Failed)]);
    assert_eq!((err.as_str(), exit), ("failed: because", FAILED));
    assert!(
        out.ends_with("unknown on bb.\n") && out.contains("  failed\n"),
        "{out}"
    );
}

#[test]
fn a_time_limit_ends_the_watching_and_says_how_far_it_was() {
    let answers = vec![at(Direction::Standby, MoveProgress::Releasing)];
    let (_, err, exit) = play("--timeout 2", answers);
    assert_eq!(
        (err.as_str(), exit),
        ("timed out (ba stops them); the move goes on", TIMEOUT)
    );
    let (_, err, exit) = play("--timeout 1", vec![error(hung_up)]);
    assert_eq!(exit, TIMEOUT, "{err}");
}

#[test]
fn a_daemon_that_goes_away_meanwhile_is_told_apart_from_a_new_one_and_a_silent_one() {
    let begun = || at(Direction::Standby, MoveProgress::Releasing);
    let changed = |change: fn(&mut Status)| -> Answer {
        let begun = begun();
        Box::new(move || {
            let mut status = begun()?;
            change(&mut status);
            Ok(status)
        })
    };
    let another = changed(|status| {
        if let Some(movement) = &mut status.movement {
            movement.generation = 8;
        }
    });
    let later = changed(|status| {
        if let Some(movement) = &mut status.movement {
            movement.number = 4;
        }
    });
    let none = changed(|status| status.movement = None);
    let cases = [
        (error(stopped), "was stopped on this node", FAILED),
        (another, "was started anew", FAILED),
        (later, "another planned move began", FAILED),
        (none, "was started anew", FAILED),
        (error(silent), "does not answer", TIMEOUT),
        (error(hung_up), "can't be understood", FAILED),
    ];
    for (answer, words, exit) in cases {
        let said = play("", vec![begun(), answer]);
        assert!(said.1.contains(words) && said.2 == exit, "{said:?}");
    }
}

#[test]
fn a_daemon_that_hangs_up_a_few_times_is_asked_again() {
    let answers = vec![
        error(hung_up),
        error(hung_up),
        at(Direction::Standby, MoveProgress::Done),
    ];
    assert_eq!(play("", answers).2, DONE);
}

#[test]
fn what_does_not_begin_says_why() {
    let unreachable = || Error::Unreachable(io::ErrorKind::PermissionDenied.into());
    let cases = [
        (
            Error::Refused("not now".into()),
            "refused: not now",
            REFUSED,
        ),
        (
            unreachable(),
            "Only root, hacluster and the user that heartbeat runs as",
            REFUSED,
        ),
        (stopped(), "(configuration directory /etc/ha.d)", STOPPED),
        (Error::Silent, "its log tells", TIMEOUT),
        (hung_up(), "its log tells", FAILED),
    ];
    for (error, words, exit) in cases {
        let (out, err, is) = play_with(Direction::Standby, "", Err(error), Vec::new());
        assert!(
            out.is_empty() && err.contains(words) && is == exit,
            "{out}{err} {is}"
        );
    }
}

#[test]
fn many_groups_are_counted() {
    let keys: Vec<_> = (0..200).map(|number| format!("10.0.1.{number}")).collect();
    let groups: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(index, key)| {
            let local = if index < 100 { "stopped" } else { "starting" };
            let peer = if index < 100 { "running" } else { "stopped" };
            (key.as_str(), local, Some(peer))
        })
        .collect();
    let movement = movement(Direction::Standby, MoveProgress::Failed);
    let line = words::placement(&status(movement, &groups));
    assert!(
        line.contains("ba runs nothing; bb runs 10.0.1.0, "),
        "{line}"
    );
    assert!(line.contains(" and 92 more; "), "{line}");
    assert!(line.ends_with("; 92 more groups do not run.\n"), "{line}");
}

#[test]
fn words_are_those_of_the_original_and_a_few_new_ones() {
    use Direction::{Standby, Takeover};
    let parse = |direction, words: &str| {
        arguments::parse(direction, words.split_whitespace().map(OsString::from))
    };
    let selected = |direction, words| match parse(direction, words) {
        Ok(Line::Move(arguments)) => arguments.selection,
        other => panic!("{words}: {other:?}"),
    };
    for direction in [Standby, Takeover] {
        assert_eq!(selected(direction, ""), Selection::All);
        assert_eq!(selected(direction, "all"), Selection::All);
        assert_eq!(selected(direction, "local"), Selection::Local);
        assert_eq!(selected(direction, "foreign --no-wait"), Selection::Foreign);
        for word in ["-h", "--help", "all --help"] {
            assert_eq!(parse(direction, word), Ok(Line::Help));
        }
        assert_eq!(parse(direction, "--version"), Ok(Line::Version));
    }
    assert_eq!(selected(Standby, "failback"), Selection::Foreign);
    assert_eq!(selected(Takeover, "failback"), Selection::Local);
    let wrong = [
        ("x", "wrong resources(x)."),
        ("All", "wrong resources(All)."),
        ("all local", "too many arguments"),
        ("--timeout 0", "at least 1, not 0"),
        ("--timeout 1.5", "at least 1, not 1.5"),
        ("--timeout", "missing argument"),
        ("--no-wait --timeout 3", "exclude each other"),
        ("--fast", "--fast"),
    ];
    for (words, part) in wrong {
        let error = parse(Standby, words).expect_err(words);
        assert!(error.contains(part), "{words}: {error}");
    }
}
