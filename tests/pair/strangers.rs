//! Others on the same segment: noise, wrong keys, other pairs.

use std::time::{Duration, Instant};

use crate::lab::journal::Mark;
use crate::lab::stranger::Stranger;
use crate::lab::usage::Usage;
use crate::lab::{Link, Networks, Pair, Setup, claim, eventually};

/// Lines that a noisy neighbour may cause in one log during these tests.
const FEW_LINES: usize = 6;

fn stranger(networks: &Networks) -> Stranger {
    Stranger::new(&networks.service, [10, 77, 1, 66].into(), 694)
}

/// On a busy machine a heartbeat may be late by so much that a shorter dead time makes it worth a line.
fn patient() -> Setup {
    Setup {
        deadtime: 4000,
        ..Setup::default()
    }
}

/// Starts both and waits until all that comes of it is in the logs: the marks behind it.
fn serve_and_tell(pair: &mut Pair) -> [Mark; 2] {
    pair.serve_on_a();
    pair.a.log().expect(Mark::START, ": running here.");
    for link in Link::ALL {
        for (machine, peer) in [(&pair.a, "beta"), (&pair.b, "alpha")] {
            let up = format!("Link {peer}:{} up.", link.name());
            machine.log().expect(Mark::START, &up);
        }
    }
    pair.marks()
}

/// Numbers without any order, the same in every run.
fn noise(state: &mut u64) -> u8 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.to_be_bytes()[3]
}

#[test]
fn garbage_changes_nothing_and_costs_few_log_lines() {
    claim(|| {
        let networks = Networks::new();
        let stranger = stranger(&networks);
        let mut pair = Pair::new(&networks, patient());
        let marks = serve_and_tell(&mut pair);
        let real = stranger.heard_from("alpha");
        assert!(
            real.len() > 3,
            "the pair's own words are heard on the segment"
        );
        let mut state = 0x1234_5678_9abc_def1;
        let end = Instant::now() + Duration::from_secs(5);
        let mut said = 0_u64;
        let before = Usage::of(&pair.a);
        while Instant::now() < end {
            for datagram in malformed(&real, &mut state) {
                stranger.say(&datagram);
                said += 1;
            }
            std::thread::sleep(Duration::from_millis(5)); // leave the processor to those who judge it
        }
        let ticks = Usage::of(&pair.a).ticks - before.ticks;
        println!(
            "{said} malformed datagrams in 5 s took {} ms of processor on each node",
            ticks * 10
        );
        expect_untouched(&pair, marks, FEW_LINES);
    });
}

/// Damaged copies of real messages, the shapes that ended the original, and plain noise.
fn malformed(real: &[Vec<u8>], state: &mut u64) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        &b""[..],
        b"###\n",
        b">>>\n",
        b">>>\nt=status\n<<<\n",
        b"###\n8:t=status,%%%\n",
        b"###\n11:(9)t=status,%%%\n",
        b"###\n0:,%%%\n",
        b"###\n4294967295:(0)t=status,%%%\n",
        b"###\n99999999999999999999999:(0)t=status,%%%\n",
        b"###\n11:(0)t=status,%%%\n4000000000:1 ",
        b"###\n18:(3)list=99999:abc,,%%%\n",
        b"###\n11:(0)t=status,10:(0)st=dead,9:(0)src=alpha,%%%\n42:1 0000000000000000000000000000000000000000,",
    ]
    .into_iter()
    .map(<[u8]>::to_vec)
    .collect();
    all.push(
        [
            b"###\n11:(0)t=status,%%%\n6002:1 ".to_vec(),
            vec![b'a'; 6000],
            b",".to_vec(),
        ]
        .concat(),
    );
    for message in real.iter().take(5) {
        let mut flipped = message.clone();
        let place = usize::from(noise(state)) % flipped.len();
        flipped[place] ^= 1 << (noise(state) % 8);
        all.push(flipped);
        all.push(message[..usize::from(noise(state)) % message.len()].to_vec());
    }
    let length = usize::from(noise(state)) * 4;
    all.push((0..length).map(|_| noise(state)).collect());
    all
}

fn expect_untouched(pair: &Pair, marks: [Mark; 2], lines: usize) {
    pair.assert_stays(0, pair.long_enough());
    for (machine, mark) in [(&pair.a, marks[0]), (&pair.b, marks[1])] {
        // A busy kernel may hold up pseudo terminals, not networks: the serial line is not judged here.
        let log = machine
            .log()
            .since(mark)
            .into_iter()
            .filter(|line| !line.contains("/dev/ttyS0"));
        let log: Vec<String> = log.collect();
        let count = log.len();
        assert!(
            count <= lines,
            "{count} lines in the log of {}:\n{}",
            machine.name,
            log.join("\n")
        );
        assert!(!log.iter().any(|line| line.contains("is dead")));
        for peer in pair
            .setup
            .names
            .iter()
            .filter(|name| **name != machine.name)
        {
            assert_eq!(machine.cl_status(&["nodestatus", peer]), "active");
            for link in Link::ALL {
                eventually("all links are up", || {
                    machine.cl_status(&["hblinkstatus", peer, link.name()]) == "up"
                });
            }
        }
    }
    assert_eq!(pair.watch.moves(pair.address()), 1);
    pair.assert_never_two_owners();
}

#[test]
fn a_pair_of_the_same_names_with_another_key_is_only_reported() {
    claim(|| {
        let networks = Networks::new();
        let stranger = stranger(&networks);
        let mut pair = Pair::new(&networks, patient());
        // The other pair's words: real ones, from daemons of the same names, signed with another key.
        let words = words_of_another_pair();
        let marks = serve_and_tell(&mut pair);
        let end = Instant::now() + Duration::from_secs(6);
        while Instant::now() < end {
            for word in &words {
                stranger.say(word);
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        expect_untouched(&pair, marks, FEW_LINES);
        let told = pair.a.log().since(marks[0]);
        assert!(!told.is_empty(), "a wrong key is worth a line");
    });
}

/// Records everything that a pair with another key says from its start to its stop, on segments of its own.
fn words_of_another_pair() -> Vec<Vec<u8>> {
    let networks = Networks {
        service: crate::lab::network::Switch::new("service2"),
        private: crate::lab::network::Switch::new("private2"),
    };
    let ear = Stranger::new(&networks.service, [10, 77, 1, 67].into(), 694);
    let mut other = Pair::new(
        &networks,
        Setup {
            twin: "-twin",
            key: "1 sha1 quite-another-secret",
            groups: vec![],
            ..Setup::default()
        },
    );
    other.a.start();
    other.b.start();
    other.expect_settled();
    other.a.stop();
    other.b.stop();
    ear.heard()
}

#[test]
fn three_pairs_with_different_keys_share_the_segments() {
    claim(|| {
        let networks = Networks::new();
        let keys = ["1 sha1 first", "1 md5 second", "1 sha1 third"];
        let names = [["alpha", "beta"], ["gamma", "delta"], ["epsilon", "zeta"]];
        let mut pairs: Vec<Pair> = (0_u8..3)
            .map(|index| {
                let which = usize::from(index);
                let group = format!(
                    "{} IPaddr::10.77.1.{}/24/eth0 disk::{}",
                    names[which][0],
                    100 + index,
                    names[which][0]
                );
                Pair::new(
                    &networks,
                    Setup {
                        names: names[which],
                        hosts: [10 * (index + 1) + 1, 10 * (index + 1) + 2],
                        key: keys[which],
                        groups: vec![group],
                        ..Setup::default()
                    },
                )
            })
            .collect();
        for pair in &mut pairs {
            pair.a.start();
            pair.b.start();
        }
        for pair in &pairs {
            pair.watch.expect_owner(0, pair.address());
            pair.expect_settled();
        }
        pairs[1].power_off(0);
        pairs[1].watch.expect_owner(1, pairs[1].address());
        for pair in [&pairs[0], &pairs[2]] {
            pair.assert_stays(0, pair.long_enough());
            pair.assert_never_two_owners();
            for machine in [&pair.a, &pair.b] {
                let lines = machine.log().since(Mark::START).len();
                assert!(lines < 80, "{lines} lines in the log of {}", machine.name);
            }
        }
    });
}
