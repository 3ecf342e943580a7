//! Serial media on ptys.

use std::os::unix::fs::symlink;
use std::time::Duration;

use heartbeat::config::{MediumKind, SerialFlow};
use heartbeat::daemon::media::report::MediaError;
use heartbeat::message::TextFrames;
use nix::sys::termios::{
    ControlFlags, InputFlags, LocalFlags, OutputFlags, SpecialCharacterIndices, tcgetattr,
};

use crate::bench::{Node, Wire, now, number, packet, relay, serial, text, until};

#[test]
fn a_null_modem_carries_texts_both_ways_at_any_rate() {
    for baud in [9600, 19_200, 31_250, 460_800] {
        let (mut left, mut right) = (Wire::new(), Wire::new());
        let mut a = Node::open(vec![serial(left.path(), baud)]).expect("open");
        let mut b = Node::open(vec![serial(right.path(), baud)]).expect("open");
        for number in 0..3 {
            a.send(&packet(number, false));
            b.send(&packet(number, false));
        }
        until("three messages each way", |time| {
            relay(&mut left, &mut right);
            a.turn(time);
            b.turn(time);
            a.received.len() == 3 && b.received.len() == 3
        });
        let expected: Vec<(u8, Vec<u8>)> = (0..3).map(|number| (0, text(number))).collect();
        assert_eq!((&a.received, &b.received), (&expected, &expected));
        let line = format!(
            "Starting serial heartbeat on tty {} ({baud} baud)",
            left.path().display()
        );
        assert_eq!(a.lines(), [line]);
    }
}

#[test]
fn the_line_is_set_up_as_heartbeat_lines_are() {
    let wire = Wire::new();
    let _node = Node::open(vec![serial(wire.path(), 19_200)]).expect("open");
    let modes = tcgetattr(wire.as_fd()).expect("modes");
    let input = InputFlags::INPCK | InputFlags::ISTRIP | InputFlags::IGNCR | InputFlags::BRKINT;
    let no_input = InputFlags::IGNBRK
        | InputFlags::IXANY
        | InputFlags::IXOFF
        | InputFlags::IXON
        | InputFlags::ICRNL
        | InputFlags::PARMRK;
    assert!(
        modes.input_flags.contains(input) && !modes.input_flags.intersects(no_input),
        "{:?}",
        modes.input_flags
    );
    assert!(!modes.output_flags.contains(OutputFlags::OPOST));
    let control =
        ControlFlags::CS8 | ControlFlags::CREAD | ControlFlags::CLOCAL | ControlFlags::CRTSCTS;
    assert!(
        modes.control_flags.contains(control)
            && !modes.control_flags.contains(ControlFlags::PARENB)
    );
    assert!(
        !modes
            .local_flags
            .intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    );
    assert_eq!(
        modes.control_chars[SpecialCharacterIndices::VMIN as usize],
        1
    );
    assert_eq!(
        modes.control_chars[SpecialCharacterIndices::VTIME as usize],
        1
    );
}

#[test]
fn flow_control_is_left_out_where_the_directive_says_so() {
    let wire = Wire::new();
    let mut medium = serial(wire.path(), 19_200);
    if let MediumKind::Serial { flow, .. } = &mut medium.kind {
        *flow = SerialFlow::None;
    }
    let _node = Node::open(vec![medium]).expect("open");
    let modes = tcgetattr(wire.as_fd()).expect("modes");
    assert!(!modes.control_flags.contains(ControlFlags::CRTSCTS));
}

#[test]
fn a_port_has_one_user_at_a_time() {
    let wire = Wire::new();
    let first = Node::open(vec![serial(wire.path(), 19_200)]).expect("open");
    let refused = Node::open(vec![serial(wire.path(), 19_200)])
        .err()
        .expect("taken")
        .to_string();
    assert!(
        refused.contains(&format!("cannot open {}", wire.path().display())),
        "{refused}"
    );
    drop(first);
    assert!(Node::open(vec![serial(wire.path(), 19_200)]).is_ok());
}

#[test]
fn a_port_that_is_pulled_and_plugged_is_used_again_under_its_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let name = directory.path().join("ttyHB");
    let mut wire = Wire::new();
    symlink(wire.path(), &name).expect("a name");
    let mut a = Node::open(vec![serial(&name, 19_200)]).expect("open");
    wire.let_go();
    a.turn(now());
    let farewell = text(1);
    assert_eq!(wire.write(&farewell), farewell.len());
    until("it is read", |time| {
        a.turn(time);
        a.has_received(0, &farewell)
    });
    drop(wire);
    std::fs::remove_file(&name).expect("the name goes");
    until("the loss is noticed", |time| {
        a.turn(time);
        a.has_told("failed: ")
    });
    assert!(!a.media.has_more(), "a port that is gone keeps nobody busy");

    let mut wire = Wire::new();
    symlink(wire.path(), &name).expect("the name is back");
    until("the port works again", |time| {
        wire.write(&text(2));
        a.turn(time);
        a.has_received(0, &text(2))
    });
    a.send(&packet(3, true));
    let mut sent = Vec::new();
    until("it carries our words again", |time| {
        a.turn(time);
        sent.extend(wire.read());
        sent.ends_with(&text(3))
    });
}

#[test]
fn a_port_that_fails_again_and_again_is_told_a_few_times_and_tried_seldom() {
    let mut wire = Wire::new();
    let mut good = Wire::new();
    let directory = tempfile::tempdir().expect("a directory");
    let name = directory.path().join("ttyHB");
    symlink(wire.path(), &name).expect("a name");
    let media = vec![serial(good.path(), 19_200), serial(&name, 19_200)];
    let mut b = Node::open(media).expect("open");
    let mut time = now();
    let mut attempts = 0;
    for _ in 0..40 {
        // The line is cut as soon as it is open, every time.
        wire.let_go();
        drop(wire);
        b.turn(time);
        wire = Wire::new();
        std::fs::remove_file(&name).expect("the name goes");
        symlink(wire.path(), &name).expect("a name");
        let next = b.media.next_deadline().expect("a retry");
        assert!(
            next.since(time) <= Duration::from_secs(10),
            "{:?}",
            next.since(time)
        );
        attempts += u32::from(next.since(time) > Duration::ZERO);
        time = time.max(next);
        b.turn(time);
        good.read();
    }
    assert!(attempts >= 30, "{attempts}");
    let told = b
        .lines()
        .iter()
        .filter(|line| line.contains("ttyHB"))
        .count();
    assert!((5..=12).contains(&told), "{told}: {:#?}", b.lines());
}

#[test]
fn a_line_that_nobody_reads_delays_nothing_and_carries_nothing_old_afterwards() {
    let mut stalled = Wire::new();
    let (mut left, mut right) = (Wire::new(), Wire::new());
    let mut a = Node::open(vec![
        serial(stalled.path(), 19_200),
        serial(left.path(), 115_200),
    ])
    .expect("open");
    let mut b = Node::open(vec![serial(right.path(), 115_200)]).expect("open");
    let start = now();
    let mut time = start;
    let mut turn = |a: &mut Node, b: &mut Node, time| {
        a.turn(time);
        relay(&mut left, &mut right);
        b.turn(time);
    };
    // Ten minutes of heartbeats: the clock is ours, the ports are real.
    for number in 0..600 {
        a.media.send(&packet(number, true), time);
        let next = time + Duration::from_secs(1);
        while let Some(deadline) = a.media.next_deadline().filter(|deadline| *deadline < next) {
            time = time.max(deadline);
            turn(&mut a, &mut b, time);
        }
        time = next;
        until("the other line goes on", |_| {
            turn(&mut a, &mut b, time);
            b.has_received(0, &text(number))
        });
    }
    assert!(
        now().since(start) < Duration::from_secs(120),
        "a stalled line holds up the loop"
    );

    let read = |wire: &mut Wire, frames: &mut TextFrames| {
        frames.push(&wire.read());
        let mut numbers = Vec::new();
        while let Some(frame) = frames.next_frame() {
            numbers.push(number(frame));
        }
        numbers
    };
    let mut frames = TextFrames::new();
    let mut seen = Vec::new();
    for number in 600..605 {
        a.media.send(&packet(number, true), time);
        let next = time + Duration::from_secs(1);
        while let Some(deadline) = a.media.next_deadline().filter(|deadline| *deadline < next) {
            time = time.max(deadline);
            turn(&mut a, &mut b, time);
        }
        time = next;
        until("the new one arrives", |_| {
            seen.extend(read(&mut stalled, &mut frames));
            seen.contains(&number)
        });
    }
    // The receiving half of a pty keeps its first 4 KiB for its reader and nobody can take that back.
    let kept = 4096 / text(0).len() + 1;
    let old = seen.iter().filter(|&&number| number < 598).count();
    assert!(
        old <= kept && seen.iter().all(|&number| number <= 20 || number >= 598),
        "{seen:?}"
    );
    assert!(seen.ends_with(&[600, 601, 602, 603, 604]), "{seen:?}");
}

#[test]
fn last_words_are_known_to_be_on_their_way_until_they_are_out() {
    let mut wire = Wire::new();
    let mut a = Node::open(vec![serial(wire.path(), 9600)]).expect("open");
    let start = now();
    let mut time = start;
    assert!(!a.media.has_unsent(time));
    a.media.send(&packet(1, false), time);
    let mut sent = Vec::new();
    while a.media.has_unsent(time) {
        time = time + Duration::from_millis(10);
        a.turn(time);
        assert!(
            time.since(start) < Duration::from_secs(1),
            "210 bytes and a break take half of that"
        );
    }
    until("they arrive", |_| {
        sent.extend(wire.read());
        sent.ends_with(&text(1))
    });
}

#[test]
fn a_missing_port_is_an_error_alone_and_a_warning_beside_another() {
    let missing = || serial("/dev/no-such-port".as_ref(), 19_200);
    let refused = Node::open(vec![missing()]).err();
    assert!(
        matches!(refused, Some(MediaError::NoneOpened(_))),
        "{refused:?}"
    );
    let wire = Wire::new();
    let mut a = Node::open(vec![missing(), serial(wire.path(), 19_200)]).expect("one works");
    a.turn(now());
    assert!(
        a.has_told("serial /dev/no-such-port does not work: cannot open /dev/no-such-port: "),
        "{:?}",
        a.lines()
    );
}

#[test]
fn whoever_else_talks_on_a_line_is_named_once_and_forgotten_when_the_other_node_is_heard() {
    let mut wire = Wire::new();
    let mut a = Node::open(vec![serial(wire.path(), 19_200)]).expect("open");
    let mut time = now();
    let mut look = |a: &mut Node| {
        time = time + Duration::from_secs(11);
        a.turn(time);
    };
    look(&mut a);
    let own = b">>>\nt=status\nsrc=alpha\n<<<\n";
    for (bytes, words) in [
        (
            &b"\r\nbeta login: "[..],
            "a login prompt comes from the other end",
        ),
        (b"\r\nNO CARRIER\r\n", "a modem talks at the other end"),
        (own, "what this node says comes back to it"),
        (
            &[0x7f, 0, 3, b'x'].repeat(20),
            "bytes come that make no sense",
        ),
        (b"\n$GPGGA,123519\r\n", "it said: $GPGGA,123519"),
    ] {
        let told = |a: &Node| {
            let lines = a.lines();
            lines.iter().filter(|line| line.contains(words)).count()
        };
        // One line a minute is told, so it has to go on for a while.
        until(words, |_| {
            wire.write(bytes);
            look(&mut a);
            told(&a) == 1
        });
        look(&mut a);
        assert_eq!(told(&a), 1, "{words}");
    }
    let line = |a: &Node| {
        let mut lines = a.media.serial_lines();
        lines.next().map(|(_, line)| line).expect("a line")
    };
    assert!(line(&a).stranger.is_some() && line(&a).noise > 80);
    assert_eq!(line(&a).errors, None, "a pseudo terminal does not count");
    let message = text(1);
    assert_eq!(wire.write(&message), message.len());
    until("the message", |_| {
        look(&mut a);
        a.has_received(0, &message)
    });
    look(&mut a);
    assert_eq!(line(&a).stranger, None);
}
