//! What goes wrong with pairs, made of recorded and sealed messages, and what is said of it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use heartbeat::message::{Key, Keys, Message, Method, seal};

use super::capture::{Layer, Packet, Style, datagram, packets, pcap};
use super::command::Directory;

fn recording(name: &str) -> Vec<Packet> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/wire/pcap")
        .join(name);
    packets(&fs::read(path).expect("recorded"))
}

/// With the numbers of interfaces.
fn told(packets: &[Packet]) -> String {
    let style = Style {
        layer: Layer::Cooked2,
        ..Style::PLAIN
    };
    let finished = Directory::new().sniff_bytes(&[], &pcap(packets, style));
    assert_eq!(finished.exit, 0, "{finished:?}");
    finished.out
}

/// A message of a node, signed with this key.
fn message(node: &str, generation: u64, number: u64, key: u8, more: &[(&str, &str)]) -> Vec<u8> {
    let mut keys = Keys {
        entries: Default::default(),
        signing: key,
    };
    keys.entries[2] = Some(Key {
        method: Method::Sha1,
        text: b"vector-key-sha1".to_vec(),
    });
    keys.entries[3] = Some(Key {
        method: Method::Md5,
        text: b"vector-key-md5".to_vec(),
    });
    let mut message = Message::new();
    for (name, value) in more {
        message.push_text(name, value);
    }
    message.push_text("src", node);
    message.push_fmt("seq", format_args!("{number:x}"));
    message.push_fmt("hg", format_args!("{generation:x}"));
    message.push_text("ts", "6b008f1f");
    let mut datagram = Vec::new();
    seal(&message, &keys, key, true, &mut datagram, &mut Vec::new()).expect("sealed");
    datagram
}

fn heartbeat(node: &str, generation: u64, number: u64, key: u8, claims: &str) -> Vec<u8> {
    let fields = [
        ("t", "status"),
        ("st", "active"),
        ("dt", "1770"),
        ("protocol", "1"),
        ("hr", claims),
    ];
    message(node, generation, number, key, &fields)
}

fn at(seconds: u64, interface: u32, payload: &[u8]) -> Vec<Packet> {
    datagram(
        Duration::from_secs(1_795_198_600 + seconds),
        interface,
        payload,
    )
}

#[track_caller]
fn assert_says(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "{part:?} is missing in:\n{told}");
    }
}

#[test]
fn copies_on_a_second_link_are_named_and_so_is_a_node_that_lacks_one() {
    let mut both = Vec::new();
    for packet in recording("startup.pcap") {
        let is_beta = packet.ip[15] == 2;
        both.push(packet.clone());
        if !is_beta {
            both.push(Packet {
                interface: 3,
                ..packet
            });
        }
    }
    let told = told(&both);
    assert_says(
        &told,
        &[
            "copy (also came on if2)",
            "beta is heard on if2 only, the other node also on if3",
        ],
    );
    assert!(!told.contains("alpha is heard on"), "{told}");
}

#[test]
fn two_addresses_on_one_link_are_no_repetition() {
    let packets = recording("startup.pcap").into_iter().flat_map(|packet| {
        let mut unicast = packet.clone();
        unicast.ip[19] = 1;
        [packet, unicast]
    });
    let told = told(&packets.collect::<Vec<_>>());
    assert_says(
        &told,
        &["copy (also sent to 10.88.0.255)", "nothing looks wrong"],
    );
}

#[test]
fn a_gap_names_its_numbers_and_a_request_makes_a_retransmission() {
    let with_loss: Vec<Packet> = {
        let mut numbered = 0;
        let keep = |packet: &Packet| {
            let text = String::from_utf8_lossy(&packet.ip);
            numbered += u32::from(text.contains("(0)src=alpha") && text.contains("(0)seq=20,"));
            // The first time it goes out it gets lost, as on the way to the other node.
            !(text.contains("(0)src=alpha") && text.contains("(0)seq=20,") && numbered == 1)
        };
        recording("retransmission.pcap")
            .into_iter()
            .filter(keep)
            .collect()
    };
    let told = told(&with_loss);
    assert_says(
        &told,
        &[
            "gap (1 missing: 32)",
            "asks alpha for 34..34 again",
            "again (retransmission)",
            "alpha sent 4 messages again",
        ],
    );
}

#[test]
fn a_restart_and_a_replay_are_told_apart() {
    let mut packets = Vec::new();
    for (second, generation, number) in [
        (0, 5, 1),
        (1, 5, 2),
        (2, 6, 1),
        (3, 5, 3),
        (4, 6, 2),
        (9, 5, 4),
    ] {
        packets.extend(at(
            second,
            2,
            &heartbeat("beta", generation, number, 2, "1 - - - 0 0"),
        ));
    }
    assert_says(
        &told(&packets),
        &[
            "restart (generation 5->6)",
            "leftover of the run before",
            "replay of an older generation (5, now 6)",
            "attempted replay attack, or a node whose hb_generation file went back",
            "1 restarts",
        ],
    );
}

#[test]
fn another_key_than_ours_is_named_and_a_stranger_too() {
    let packets = [
        at(0, 2, &heartbeat("beta", 5, 1, 3, "1 - - - 0 0")),
        at(1, 2, &heartbeat("gamma", 5, 1, 2, "1 - - - 0 0")),
    ];
    assert_says(
        &told(&packets.concat()),
        &[
            "authentic (key 3 md5; ours signs with 2)",
            "beta signs with key 3, ours is 2",
            "unknown node",
            "gamma is not in ha.cf",
            "nothing was heard of alpha",
        ],
    );
}

#[test]
fn groups_are_told_in_words_and_two_owners_are_seen() {
    let mut packets = Vec::new();
    for number in 1..=3 {
        packets.extend(at(
            number,
            2,
            &heartbeat("alpha", 5, number, 2, "2 6.1 abcd Ro 3 0"),
        ));
        packets.extend(at(
            number,
            2,
            &heartbeat("beta", 6, number, 2, "1 5.2 abcd nR 3 0"),
        ));
    }
    assert_says(
        &told(&packets),
        &[
            "active, dead after 6.0 s, groups: group 1 running, group 2 running (taken over)",
            "groups: group 1 free, group 2 running",
            "both alpha and beta say that they hold group 2",
        ],
    );
}

#[test]
fn a_silence_and_deafness_are_told() {
    let mut packets = Vec::new();
    for number in 1..=60 {
        let late = if number > 30 { 9 } else { 0 };
        packets.extend(at(
            number,
            2,
            &heartbeat("alpha", 5, number, 2, "2 - - - 3 0"),
        ));
        if number < 50 {
            packets.extend(at(
                number + late,
                2,
                &heartbeat("beta", 6, number, 2, "1 5.2 - - 3 0"),
            ));
        }
    }
    packets.sort_by_key(|packet| packet.time);
    assert_says(
        &told(&packets),
        &[
            "beta was silent for 10.0 s, longer than the 6.0 s after which it wants to be taken for dead",
            "alpha acknowledged none of 49 messages of beta: it may not hear it",
        ],
    );
}

#[test]
fn a_missing_fragment_and_a_short_capture_are_named() {
    let long = message(
        "alpha",
        5,
        1,
        2,
        &[("t", "long"), ("filling", &"x".repeat(3000))],
    );
    let packets = at(0, 2, &long);
    assert_eq!(packets.len(), 3);
    assert_says(&told(&packets), &["in 3 fragments", "authentic"]);
    assert_says(
        &told(&packets[1..]),
        &["1 datagram came in pieces of which some are missing"],
    );
    let mut cut = at(0, 2, &heartbeat("alpha", 5, 1, 2, "1 - - - 0 0"));
    cut[0].ip.truncate(100);
    let cut = told(&cut);
    assert_says(
        &cut,
        &["REFUSED: malformed", "1 message could not be checked"],
    );
    assert!(!cut.contains("would be refused"), "{cut}");
}

#[test]
fn a_message_of_countless_fields_is_shown_in_part() {
    let fields = vec![("a", "b"); 3000];
    let packets = at(0, 2, &message("alpha", 5, 1, 2, &fields));
    let style = Style {
        layer: Layer::Cooked2,
        ..Style::PLAIN
    };
    for option in ["-v", "--json"] {
        let told = Directory::new().sniff_bytes(&[option], &pcap(&packets, style));
        assert_eq!(told.exit, 0, "{told:?}");
        assert_says(&told.out, &["fields not shown"]);
        assert!(told.out.len() < 20_000, "{} bytes", told.out.len());
    }
}

#[test]
fn a_hostile_name_reaches_no_terminal() {
    let name = "beta\x1b[2J\x1b]0;owned\x07\u{9b}31m\u{202e}";
    let packets = at(0, 2, &heartbeat(name, 5, 1, 2, "1 - - - 0 0"));
    let told = told(&packets);
    assert!(
        told.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')),
        "{told:?}"
    );
    assert_says(&told, &["beta\\x1b[2J"]);
}

#[test]
fn what_is_no_capture_is_refused_with_a_reason() {
    let directory = Directory::new();
    let unknown = [
        &0xa1b2_c3d4_u32.to_le_bytes()[..],
        &[2, 0, 4, 0],
        &[0; 12],
        &147_u32.to_le_bytes(),
    ]
    .concat();
    for (bytes, reason) in [
        (&b""[..], "is empty"),
        (
            b"hello",
            "is neither a capture (pcap, pcapng) nor holds it messages of a serial line",
        ),
        (&unknown, "frames of link type 147 can't be read"),
    ] {
        let finished = directory.sniff_bytes(&[], bytes);
        assert_eq!(finished.exit, 1, "{finished:?}");
        assert!(finished.err.contains(reason), "{finished:?}");
    }
    let whole = pcap(&recording("startup.pcap"), Style::PLAIN);
    let finished = directory.sniff_bytes(&[], &whole[..whole.len() - 5]);
    assert_eq!(finished.exit, 1);
    assert!(
        finished.err.contains("the capture is cut off"),
        "{}",
        finished.err
    );
    assert_says(&finished.out, &["--- 95 messages"]);
    let finished = directory.sniff(&[], "/nonexistent/file".as_ref());
    assert_eq!(finished.exit, 1);
    assert!(
        finished.err.contains("cannot open /nonexistent/file"),
        "{}",
        finished.err
    );
}

#[test]
fn standard_input_is_read_and_whoever_looks_on_may_leave() {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::process::Stdio;

    let directory = Directory::new();
    let mut child = directory
        .command(&["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut input = child.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let capture = pcap(&recording("startup.pcap"), Style::PLAIN);
    input.write_all(&capture[..2000]).expect("it reads");
    let first = lines
        .next()
        .expect("a line before the input ends")
        .expect("text");
    assert_says(&first, &["beta 8f1f/1", "init", "first heard"]);
    drop(lines);
    let _ = input.write_all(&capture[2000..]); // nobody may be left to read it
    drop(input);
    let status = child.wait().expect("our own child");
    let mut errors = String::new();
    let stream = child.stderr.take();
    stream.map(|mut stream| stream.read_to_string(&mut errors));
    assert!(status.success() && errors.is_empty(), "{status} {errors}");
}
