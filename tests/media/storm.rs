//! Garbage in floods, on a serial line and a network at once.

use std::net::UdpSocket;

use heartbeat::config::Medium;

use crate::bench::{
    Node, PORT, Wire, bcast, in_namespace, mcast, now, packet, serial, ucast6, until,
};

const FLOOD: usize = 20 * 1024 * 1024;

#[test]
fn garbage_on_line_and_network_costs_bounded_memory_and_delays_nobody() {
    in_namespace(
        "storm::garbage_on_line_and_network_costs_bounded_memory_and_delays_nobody",
        |world| {
            world.cable("hb0", 0);
            world.cable("hb1", 1);
            let mut wire = Wire::new();
            let mut a = Node::open(vec![
                serial(wire.path(), 115_200),
                bcast("hb0"),
                mcast("hb1"),
            ])
            .expect("open");
            let mut b = world.on_b(|| Node::open(vec![mcast("hb1")])).expect("open");
            let gun = world
                .on_b(|| UdpSocket::bind("0.0.0.0:0"))
                .expect("a socket");
            let mut noise = Noise(1);
            let line_garbage = noise.lines(64 * 1024);
            let datagrams = [
                noise.bytes(60_000),
                noise.bytes(1),
                b"###\n999999999:".repeat(100),
            ];

            let (mut on_line, mut on_net, mut beats) = (0, 0, 0_u32);
            let mut memory = None;
            until("the flood is over", |time| {
                on_line += wire.write(&line_garbage[on_line % line_garbage.len()..]);
                for datagram in &datagrams {
                    on_net += gun.send_to(datagram, ("10.88.0.1", PORT)).unwrap_or(0);
                }
                let beat = packet(beats, true);
                beats += 1;
                b.media.send(&beat, time);
                let turns = (1..=10).find(|_| {
                    let delivered = a.turn(time);
                    assert!(
                        delivered <= 3 * 32,
                        "more than each device's share in one turn: {delivered}"
                    );
                    a.has_received(2, &beat.datagram)
                });
                assert!(turns.is_some(), "a heartbeat waits behind garbage");
                a.received.clear();
                memory.get_or_insert_with(resident);
                on_line >= FLOOD && on_net >= FLOOD
            });
            let grown = resident().saturating_sub(memory.expect("measured"));
            assert!(grown < 4096, "{grown} KiB more after the flood");
            assert!(
                a.reports.len() <= 3,
                "nothing but start lines: {:?}",
                a.lines()
            );

            until("a good message gets through again", |time| {
                wire.write(b"\n<<<\n\n");
                wire.write(&packet(7, true).text);
                a.turn(time);
                a.has_received(0, &packet(7, true).text)
            });
            until("then nothing is left", |time| {
                a.turn(time);
                !a.media.has_more()
            });
        },
    );
}

#[test]
fn a_device_with_more_than_its_share_is_remembered() {
    in_namespace(
        "storm::a_device_with_more_than_its_share_is_remembered",
        |world| {
            world.cable("hb0", 0);
            let mut a = Node::open(vec![bcast("hb0")]).expect("open");
            let mut b = world.on_b(|| Node::open(vec![bcast("hb0")])).expect("open");
            (0..100).for_each(|number| b.send(&packet(number, false)));
            let mut full_turns = 0;
            until("all have come", |time| {
                let delivered = a.turn(time);
                assert!(delivered <= 32, "{delivered} in one turn");
                // The event loop reports an edge once: nobody else would remember what is left.
                assert!(delivered < 32 || a.media.has_more());
                full_turns += u32::from(delivered == 32);
                a.received.len() == 100
            });
            assert!(full_turns >= 1, "nothing was ever left for the next turn");
            let numbers: Vec<_> = a.received.iter().map(|(_, bytes)| bytes.clone()).collect();
            let sent: Vec<_> = (0..100)
                .map(|number| packet(number, false).datagram.clone())
                .collect();
            assert_eq!(numbers, sent);
        },
    );
}

#[test]
fn a_quiet_link_is_read_in_the_first_turn_however_much_waits_on_another() {
    in_namespace(
        "storm::a_quiet_link_is_read_in_the_first_turn_however_much_waits_on_another",
        |world| {
            world.cable("hb0", 0);
            world.cable("hb1", 1);
            for (flooded, quiet) in [(0, 1), (1, 0)] {
                let media = || vec![bcast("hb0"), bcast("hb1")];
                let mut a = Node::open(media()).expect("open");
                let mut b = world.on_b(|| Node::open(media())).expect("open");
                let gun = world
                    .on_b(|| UdpSocket::bind("0.0.0.0:0"))
                    .expect("a socket");
                let garbage = Noise(1).bytes(100);
                for _ in 0..90 {
                    let target = format!("10.88.{flooded}.1:{PORT}");
                    gun.send_to(&garbage, target).expect("sent");
                }
                let beat = packet(1, true);
                b.send(&beat);
                // What was sent over a cable of the laboratory is there already.
                a.turn(now());
                let first: Vec<u8> = a.received.iter().take(2).map(|(link, _)| *link).collect();
                assert!(first.contains(&quiet), "by turns: {first:?}");
                assert!(a.has_received(quiet, &beat.datagram));
                assert!(a.media.has_more(), "the flood goes on in the next turn");
            }
        },
    );
}

#[test]
fn more_waits_for_a_loop_that_stands_still_than_a_plain_socket_holds() {
    in_namespace(
        "storm::more_waits_for_a_loop_that_stands_still_than_a_plain_socket_holds",
        |world| {
            world.cable("hb0", 0);
            let gun = world
                .on_b(|| UdpSocket::bind("0.0.0.0:0"))
                .expect("a socket");
            let garbage = Noise(1).bytes(1400);
            let plain = UdpSocket::bind("10.88.0.1:7000").expect("a socket");
            plain.set_nonblocking(true).expect("set");
            for _ in 0..5000 {
                let _ = gun.send_to(&garbage, "10.88.0.1:7000");
            }
            let mut buffer = [0; 1500];
            let holds = (0..5000)
                .take_while(|_| plain.recv(&mut buffer).is_ok())
                .count();
            assert!((1..5000).contains(&holds), "it was filled: {holds}");

            let kinds: [(Medium, &str); 2] = [
                (bcast("hb0"), "10.88.0.1"),
                (ucast6("hb0", "fd88:0::2"), "fd88:0::1"),
            ];
            for (medium, to) in kinds {
                let gun = world.on_b(|| {
                    let any = if to.contains(':') {
                        "[::]:0"
                    } else {
                        "0.0.0.0:0"
                    };
                    UdpSocket::bind(any)
                });
                let gun = gun.expect("a socket");
                let mut a = Node::open(vec![medium]).expect("open");
                // No turn meanwhile.
                for _ in 0..holds * 3 / 2 {
                    let _ = gun.send_to(&garbage, (to, PORT));
                }
                let beat = packet(1, true);
                gun.send_to(&beat.datagram, (to, PORT)).expect("sent");
                until("the heartbeat behind the garbage is read", |time| {
                    a.turn(time);
                    a.has_received(0, &beat.datagram)
                });
            }
        },
    );
}

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("a figure");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

/// The same noise every time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// Noise with markers and line ends strewn in, so that the reader of texts has work, too.
    fn lines(&mut self, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < count {
            let length = usize::try_from(self.next() % 700).expect("small");
            all.extend(self.bytes(length));
            let marks: [&[u8]; 5] = [
                b"\n",
                b"\n>>>\n",
                b"\n<<<\n",
                b"\n>>>x\nt=1\n<<<\n",
                b">>>\n>>>\n",
            ];
            all.extend_from_slice(marks[usize::try_from(self.next() % 5).expect("small")]);
        }
        all
    }
}
