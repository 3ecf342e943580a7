//! The queue against a line that behaves like a real one.

use super::*;

/// A driver with its line: what it holds leaves at the rate of the line, unless the peer stops it.
struct Line {
    queue: SerialQueue,
    now: Instant,
    baud: u64,
    held: VecDeque<u8>,
    capacity: usize,
    counts: bool,
    moves: bool,
    /// Microseconds of line time not yet used up.
    credit: u64,
    sent: Vec<u8>,
    deepest: usize,
    flushes: usize,
}

impl Line {
    fn new(baud: u32) -> Self {
        Self {
            queue: SerialQueue::new(baud),
            now: Instant::from_micros(1_000_000),
            baud: u64::from(baud),
            held: VecDeque::new(),
            capacity: 4096,
            counts: true,
            moves: true,
            credit: 0,
            sent: Vec::new(),
            deepest: 0,
            flushes: 0,
        }
    }

    /// A pty: never counts, takes a lot.
    fn blind(baud: u32) -> Self {
        Self {
            counts: false,
            capacity: 20_000,
            ..Self::new(baud)
        }
    }

    fn push(&mut self, packet: &Rc<Packet>) {
        self.queue.push(self.now, packet);
        self.write();
    }

    fn write(&mut self) {
        loop {
            let held = if self.counts { self.held.len() } else { 0 };
            match self.queue.step(self.now, held) {
                Step::Wait => break,
                Step::Flush { stalled } => {
                    self.flushes += usize::from(stalled);
                    self.held.clear();
                }
                Step::Write(parts) => {
                    let bytes = parts.concat();
                    let count = bytes.len().min(self.capacity - self.held.len());
                    self.held.extend(bytes.iter().take(count));
                    self.queue.wrote(self.now, count);
                }
            }
        }
        self.deepest = self.deepest.max(self.held.len());
    }

    /// Lets time pass, waking the queue exactly when it asks to be.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            let wake = self
                .queue
                .next_deadline()
                .unwrap_or(end)
                .max(self.now + Duration::from_micros(1));
            let next = wake.min(end);
            let passed = u64::try_from(next.since(self.now).as_micros()).expect("short");
            self.now = next;
            self.drain(passed);
            self.write();
        }
    }

    fn drain(&mut self, micros: u64) {
        if !self.moves || self.held.is_empty() {
            self.credit = 0;
            return;
        }
        self.credit += micros;
        while self.credit >= 10_000_000 / self.baud && !self.held.is_empty() {
            self.credit -= 10_000_000 / self.baud;
            self.sent.extend(self.held.pop_front());
        }
    }

    /// The numbers of the complete messages that left, in order.
    fn received(&self) -> Vec<u32> {
        let mut frames = crate::message::TextFrames::new();
        frames.push(&self.sent);
        let mut numbers = Vec::new();
        while let Some(frame) = frames.next_frame() {
            let text = String::from_utf8_lossy(frame);
            let fields: Vec<&str> = text
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(_, v)| v)
                .collect();
            if let [number, .., "end"] = fields.as_slice() {
                numbers.push(number.parse().expect("a number"));
            }
        }
        numbers
    }
}

fn packet(number: u32, is_heartbeat: bool, length: usize) -> Rc<Packet> {
    let mut text = format!(">>>\nseq={number}\nfill=").into_bytes();
    text.resize(length.max(40) - 11, b'x');
    text.extend_from_slice(b"\nz=end\n<<<\n");
    Rc::new(Packet {
        generation: 1,
        datagram: Vec::new(),
        text,
        is_heartbeat,
        is_short: false,
        link: None,
    })
}

fn heartbeat(number: u32) -> Rc<Packet> {
    packet(number, true, 210)
}

fn message(number: u32) -> Rc<Packet> {
    packet(number, false, 210)
}

/// A heartbeat of 35 bytes.
fn short(number: u32) -> Rc<Packet> {
    let mut packet = Packet::clone(&packet(number, true, 0));
    packet.text = format!("!{number:033x}\n").into_bytes();
    packet.is_short = true;
    Rc::new(packet)
}

/// The numbers of the short heartbeats that left.
fn shorts(line: &Line) -> Vec<u32> {
    let text = String::from_utf8_lossy(&line.sent);
    let numbers = text.lines().filter_map(|line| line.strip_prefix('!'));
    let numbers = numbers.map(|number| u32::from_str_radix(number, 16));
    numbers.collect::<Result<_, _>>().expect("numbers")
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn at_any_rate_everything_leaves_in_order_and_no_more_than_one_heartbeat_is_in_the_driver() {
    for baud in [2400, 9600, 19_200, 31_250, 115_200, 460_800] {
        for mut line in [Line::new(baud), Line::blind(baud)] {
            for number in 0..10 {
                line.push(&message(number));
            }
            line.run(10 * SECOND);
            assert_eq!(line.received(), (0..10).collect::<Vec<_>>(), "{baud}");
            assert!(
                line.deepest <= 512.min(32.max(usize::try_from(baud / 100).expect("small"))),
                "{baud}: {}",
                line.deepest
            );
            assert_eq!(line.flushes, 0, "{baud}");
            assert_eq!(
                line.queue.next_deadline(),
                None,
                "{baud}: nothing to wait for"
            );
        }
    }
}

#[test]
fn the_line_is_kept_busy_while_something_waits() {
    for baud in [9600, 115_200] {
        let mut line = Line::new(baud);
        (0..40).for_each(|number| line.push(&message(number)));
        let needed = Duration::from_micros(40 * 210 * 10_000_000 / line.baud);
        line.run(needed + needed / 50 + Duration::from_millis(5));
        assert_eq!(line.received().len(), 40, "{baud}");
    }
}

#[test]
fn a_newer_heartbeat_replaces_a_waiting_one_but_not_one_begun() {
    let mut line = Line::new(1200); // one heartbeat takes 1.75 s
    for number in 0..10 {
        line.push(&heartbeat(number));
        line.run(SECOND / 2);
    }
    line.run(10 * SECOND);
    assert_eq!(line.received(), [0, 3, 6, 9]);
    assert_eq!(
        line.queue.take_dropped(),
        0,
        "a replaced heartbeat is no loss"
    );
}

#[test]
fn a_short_heartbeat_waits_for_nothing_and_does_not_replace_what_has_more_to_tell() {
    let mut line = Line::new(9600);
    for number in 0..10 {
        line.push(&message(number)); // each takes 220 ms
        line.push(&short(number));
        line.run(SECOND / 5);
    }
    line.run(10 * SECOND);
    assert_eq!(line.received(), (0..10).collect::<Vec<_>>());
    assert_eq!(shorts(&line), (0..10).collect::<Vec<_>>());

    let mut line = Line::new(9600);
    line.push(&message(1));
    line.push(&message(2));
    line.push(&short(3));
    line.push(&heartbeat(4));
    line.push(&short(5)); // before the end of the first line of the first message
    line.run(2 * SECOND);
    assert_eq!((line.received(), shorts(&line)), (vec![1, 2, 4], vec![5]));
    line.push(&short(6));
    line.push(&short(7));
    line.run(SECOND);
    assert_eq!(shorts(&line), [5, 6, 7]);
    assert_eq!(line.queue.take_dropped(), 0);
}

/// A message of so many lines of 21 bytes, and some more.
fn of_lines(number: u32, lines: usize) -> Packet {
    let mut packet = Packet::clone(&packet(number, false, 0));
    let fill = "fill=xxxxxxxxxxxxxxx\n".repeat(lines);
    packet.text = format!(">>>\nseq={number}\n{fill}z=end\n<<<\n").into_bytes();
    packet
}

#[test]
fn whatever_a_line_is_busy_with_a_short_heartbeat_leaves_it_within_an_eighth_of_a_second() {
    for baud in [9600, 19_200, 115_200] {
        for mut line in [Line::new(baud), Line::blind(baud)] {
            for number in 0..20 {
                line.push(&Rc::new(of_lines(number, 20))); // 440 bytes
            }
            let full = Packet {
                is_heartbeat: true,
                ..of_lines(20, 10)
            };
            line.push(&Rc::new(full));
            let half = Duration::from_micros(10 * 440 * 10_000_000 / line.baud);
            let mut number = 0;
            for _ in 0..half.as_millis() / 125 {
                line.push(&short(number));
                line.run(SECOND / 8);
                assert_eq!(shorts(&line).last(), Some(&number), "{baud}");
                number += 1;
            }
            line.run(half * 3);
            let mut received = line.received();
            received.sort_unstable();
            assert_eq!(received, (0..21).collect::<Vec<_>>(), "{baud}");
            assert_eq!(shorts(&line), (0..number).collect::<Vec<_>>(), "{baud}");
        }
    }
}

#[test]
fn a_short_heartbeat_is_cut_like_everything_else_and_the_newest_one_tries_a_line_that_stands_still()
{
    let mut line = Line::new(9600);
    line.push(&Rc::new(of_lines(1, 20)));
    line.run(SECOND / 10);
    line.push(&short(1));
    line.moves = false;
    for number in 2..50 {
        line.push(&short(number));
        line.run(SECOND / 10);
    }
    line.push(&heartbeat(50)); // what has waited for five seconds says nothing new
    line.moves = true;
    line.run(2 * SECOND);
    assert_eq!(line.received(), [50]);
    assert!(
        shorts(&line).iter().all(|&number| number >= 40),
        "{:?}",
        shorts(&line)
    );
    line.push(&short(51));
    line.run(SECOND);
    assert_eq!(shorts(&line).last(), Some(&51));
}

/// Three in a row are for the receiver the end of a message that was cut off.
#[test]
fn short_heartbeats_that_come_faster_than_the_line_carries_them_let_a_message_through() {
    let mut line = Line::new(1200); // one takes 0.3 s
    line.push(&Rc::new(of_lines(1, 10)));
    for number in 0..150 {
        line.push(&short(number));
        line.run(SECOND / 10);
    }
    assert_eq!(line.received(), [1]);
    assert!(shorts(&line).len() > 30, "{:?}", shorts(&line));
}

#[test]
fn a_short_heartbeat_of_which_nothing_was_written_is_replaced_by_a_newer_one() {
    let mut line = Line::new(9600);
    line.capacity = 11; // up to the end of a line of the message
    line.moves = false;
    line.push(&message(1));
    (2..5).for_each(|number| line.push(&short(number)));
    (line.capacity, line.moves) = (4096, true);
    line.run(SECOND);
    assert_eq!((line.received(), shorts(&line)), (vec![1], vec![4]));

    // The driver takes nothing: then there is no line whose end it waits for.
    for (newer, expected) in [
        (short(2), (vec![], vec![2])),
        (heartbeat(2), (vec![2], vec![])),
    ] {
        let mut line = Line::new(9600);
        line.capacity = 0;
        line.push(&short(1));
        line.push(&newer);
        line.capacity = 4096;
        line.run(SECOND);
        assert_eq!((line.received(), shorts(&line)), expected);
    }
}

#[test]
fn a_heartbeat_keeps_its_place_unless_that_takes_too_long() {
    let mut line = Line::new(115_200);
    line.push(&message(1));
    line.push(&message(2));
    line.push(&heartbeat(3));
    line.push(&message(4));
    line.run(SECOND);
    assert_eq!(line.received(), [1, 2, 3, 4]);

    let mut line = Line::new(9600); // five messages a second
    (0..40).for_each(|number| line.push(&message(number)));
    line.push(&heartbeat(100));
    line.run(20 * SECOND);
    let received = line.received();
    assert_eq!(received.len(), 41);
    let place = received
        .iter()
        .position(|&number| number == 100)
        .expect("sent");
    assert!(place <= 4, "{place}");
}

#[test]
fn the_oldest_messages_make_room_and_the_loss_is_counted() {
    let mut line = Line::new(9600);
    (0..100).for_each(|number| line.queue.push(line.now, &message(number)));
    line.queue.push(line.now, &heartbeat(100));
    assert_eq!(line.queue.take_dropped(), 36);
    assert_eq!(line.queue.take_dropped(), 0);
    line.write();
    line.run(30 * SECOND);
    let mut received = line.received();
    received.sort_unstable();
    assert_eq!(received, (36..=100).collect::<Vec<_>>());

    (0..5).for_each(|number| line.queue.push(line.now, &packet(number, false, 20_000)));
    assert_eq!(line.queue.take_dropped(), 2, "three fit into 64 KiB");
    line.queue.push(line.now, &packet(9, false, MAX_BYTES + 1));
    assert_eq!(
        line.queue.take_dropped(),
        1,
        "what can never fit displaces nothing"
    );
}

#[test]
fn a_line_that_stood_still_carries_no_old_heartbeat_afterwards() {
    for baud in [2400, 19_200, 115_200] {
        let mut line = Line::new(baud);
        let mut number = 0;
        let beat = |line: &mut Line, number: &mut u32, seconds: u32| {
            for _ in 0..seconds {
                line.push(&heartbeat(*number));
                *number += 1;
                line.run(SECOND);
            }
        };
        beat(&mut line, &mut number, 5);
        line.run(SECOND / 20);
        line.moves = false;
        beat(&mut line, &mut number, 100);
        assert!(line.held.len() <= 512, "{baud}: {}", line.held.len());
        assert!(line.flushes > 30, "{baud}: {}", line.flushes);
        line.moves = true;
        let resumed = number;
        beat(&mut line, &mut number, 5);
        line.run(2 * SECOND);
        let received = line.received();
        let stale = received
            .iter()
            .filter(|&&seen| seen >= 6 && seen + 2 < resumed)
            .count();
        assert_eq!(stale, 0, "{baud}: {received:?}");
        assert!(
            received.ends_with(&[resumed + 1, resumed + 2, resumed + 3, resumed + 4]),
            "{baud}: {received:?}"
        );
    }
}

#[test]
fn a_cut_message_costs_the_receiver_only_that_one() {
    let mut line = Line::new(9600);
    line.push(&heartbeat(1));
    line.run(SECOND / 10); // half of it has left
    line.moves = false;
    line.run(2 * SECOND);
    line.moves = true;
    line.push(&heartbeat(2));
    line.push(&message(3));
    line.run(2 * SECOND);
    assert_eq!(line.received(), [2, 3]);
}

#[test]
fn a_line_that_was_emptied_begins_anew_with_what_waits() {
    let mut line = Line::new(9600);
    line.moves = false;
    line.push(&heartbeat(1));
    line.run(2 * SECOND);
    line.push(&message(2));
    line.push(&heartbeat(3));
    line.run(SECOND / 10);
    assert!(!line.queue.is_moving() && !line.held.is_empty());
    line.held.clear();
    line.queue.emptied(line.now);
    line.moves = true;
    line.push(&heartbeat(4));
    line.run(2 * SECOND);
    assert!(line.queue.is_moving());
    assert_eq!(line.received(), [2, 4], "nothing that was begun before");
}

#[test]
fn while_the_line_stands_still_messages_are_kept_and_heartbeats_try_it() {
    let mut line = Line::new(19_200);
    line.moves = false;
    line.push(&message(1));
    line.push(&message(2));
    for number in 10..20 {
        line.push(&heartbeat(number));
        line.run(SECOND);
    }
    line.moves = true;
    line.push(&heartbeat(20));
    line.run(2 * SECOND);
    assert_eq!(
        line.received(),
        [20, 2],
        "the first was begun when the line stopped"
    );
}

#[test]
fn a_port_that_cannot_count_is_emptied_before_a_new_message() {
    let mut line = Line::blind(19_200);
    line.moves = false;
    for number in 0..200 {
        line.push(&heartbeat(number));
        line.run(SECOND);
    }
    assert!(line.held.len() <= 220, "{}", line.held.len());
    line.moves = true;
    line.run(SECOND);
    assert_eq!(line.received(), [199]);
}

#[test]
fn a_port_that_cannot_count_keeps_what_it_holds_while_the_other_side_talks() {
    let mut line = Line::blind(19_200);
    // A busy kernel has not delivered anything yet. Thrown away would be what the receiver misses.
    line.moves = false;
    for number in 0..20 {
        line.push(&heartbeat(number));
        line.run(SECOND);
        line.queue.heard();
    }
    line.moves = true;
    line.run(20 * SECOND);
    assert_eq!(line.received(), (0..20).collect::<Vec<u32>>());
}

#[test]
fn a_full_driver_is_asked_again_by_the_clock_and_given_up_after_a_while() {
    let mut line = Line::blind(19_200);
    line.capacity = 100;
    line.moves = false;
    line.push(&heartbeat(1));
    assert!(line.queue.next_deadline().is_some());
    line.run(SECOND / 10);
    assert_eq!(line.flushes, 0);
    line.run(SECOND);
    assert_eq!(line.flushes, 1);
    line.moves = true;
    line.push(&heartbeat(2));
    line.run(SECOND);
    assert_eq!(line.received(), [2]);
}

#[test]
fn a_line_moves_again_once_bytes_leave_it() {
    let mut line = Line::new(19_200);
    line.moves = false;
    for number in 1..5 {
        line.push(&heartbeat(number));
        line.run(SECOND);
        assert_eq!(line.queue.is_moving(), line.flushes == 0);
    }
    assert!(line.flushes > 1);
    line.moves = true;
    line.push(&heartbeat(5));
    line.run(SECOND);
    assert!(line.queue.is_moving());
}

#[test]
fn a_message_without_a_classic_form_is_passed_over() {
    let mut line = Line::new(9600);
    line.push(&Rc::new(Packet::default()));
    line.run(SECOND);
    assert!(line.sent.is_empty());
}
