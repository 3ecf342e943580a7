//! Once its buffers have their size, a quiet pair takes no memory from the system.
#![expect(unsafe_code, reason = "counting allocations means being the allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use heartbeat::cluster::{
    Action, Cluster, Event, FailbackCondition, FencingSettings, GroupId, GroupOutcome,
    GroupSettings, Instant, LinkId, Packet, PingSettings, Settings,
};
use heartbeat::config::{AutoFailback, StopFailure};
use heartbeat::message::{Key, Keys, Message, Method, TextFrames, open, seal};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count(taken: usize, given_back: usize) {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
    settle(taken, given_back);
}

/// What another thread has taken may be given back here.
fn settle(taken: usize, given_back: usize) {
    BYTES.with(|bytes| bytes.set(bytes.get().wrapping_add(taken).wrapping_sub(given_back)));
}

// SAFETY: every call goes to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        settle(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_warm_heartbeat_allocates_nothing() {
    let mut keys = Keys {
        entries: Default::default(),
        signing: 0,
    };
    for (entry, method) in
        keys.entries
            .iter_mut()
            .zip([Method::Crc, Method::Md5, Method::Sha1, Method::Sha256])
    {
        *entry = Some(Key {
            method,
            text: b"a key that is longer than one block of its digest, as some are".to_vec(),
        });
    }
    let (mut out, mut heard) = (Message::new(), Message::new());
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    let mut frames = TextFrames::new();
    let mut round = |seq: u64| {
        out.clear();
        out.push_text("t", "status");
        out.push_text("st", "active");
        out.push_fmt("dt", format_args!("{:x}", 6000));
        out.push_text("protocol", "1");
        out.push_text("src", "alpha");
        out.push_binary("srcuuid", &[7; 16]);
        out.push_fmt("seq", format_args!("{seq:x}"));
        out.push_text("hg", "6b008f1f");
        out.push_text("ts", "6b008f23");
        out.push_text("ld", "0.03 0.12 0.09 4/135 273");
        out.push_text("ttl", "3");
        for key in 0..4 {
            keys.signing = key;
            seal(&out, &keys, key, true, &mut datagram, &mut text).unwrap();
            open(&datagram, &keys, &mut heard).unwrap();
            frames.push(&text);
            let frame = frames.next_frame().unwrap();
            open(frame, &keys, &mut heard).unwrap();
            assert_eq!(
                heard.text("seq").map(|seq| u64::from_str_radix(seq, 16)),
                Some(Ok(seq))
            );
        }
    };
    round(u64::MAX);
    let before = ALLOCATIONS.get();
    (0..1000).for_each(&mut round);
    assert_eq!(ALLOCATIONS.get(), before);
}

fn settings(node: usize) -> Settings {
    let names = ["alpha", "beta"].map(String::from);
    let mut entries = [const { None }; 16];
    entries[2] = Some(Key {
        method: Method::Sha1,
        text: b"a secret".to_vec(),
    });
    Settings {
        local_node: names[node].clone(),
        peer_node: names[1 - node].clone(),
        nodes: names.to_vec(),
        uuid: [u8::from(node == 1) + 1; 16],
        generation: 7,
        last_generation: 7,
        remembered_peer: None,
        maintenance: None,
        seed: 1,
        keepalive: Duration::from_secs(1),
        deadtime: Duration::from_secs(10),
        warntime: Duration::from_secs(5),
        initdead: Duration::from_secs(20),
        max_rexmit_delay: Duration::from_millis(250),
        auto_failback: AutoFailback::On,
        failback: FailbackCondition::Nothing,
        carrier_loss: None,
        ttl: 3,
        inner_auth: true,
        log_badpack: true,
        links: ["/dev/ttyS0", "eth0", "eth1"].map(String::from).to_vec(),
        groups: vec![GroupSettings {
            key: "10.0.0.1".into(),
            line: String::new(),
            prefers_local: node == 0,
        }],
        ping: PingSettings::default(),
        fencing: FencingSettings::default(),
        last_link: heartbeat::config::LastLink::Takeover,
        stop_failure: StopFailure::Hold,
        keys: Keys {
            entries,
            signing: 2,
        },
    }
}

/// Both nodes exchange every packet over three links until neither has more to say. Who listens hears what the second
/// one says.
fn exchange(nodes: &mut [Cluster; 2], now: Instant, mut overhear: impl FnMut(&Packet)) {
    let mut quiet = 0;
    let mut node = 0;
    while quiet < 2 {
        quiet += 1;
        let (first, second) = nodes.split_at_mut(1);
        let (from, to) = if node == 0 {
            (&mut first[0], &mut second[0])
        } else {
            (&mut second[0], &mut first[0])
        };
        from.handle(now, Event::Tick);
        while let Some(action) = from.next_action() {
            let done = |group: GroupId, outcome| Event::Group { group, outcome };
            match action {
                Action::Send(packet) => {
                    quiet = 0;
                    if node == 1 {
                        overhear(&packet);
                    }
                    let bytes = [&packet.text, &packet.datagram, &packet.datagram];
                    for (link, bytes) in (0..).map(LinkId).zip(bytes) {
                        let is_for = packet.link.is_none_or(|only| only == link);
                        if is_for && !bytes.is_empty() {
                            to.handle(now, Event::Received { link, bytes });
                        }
                    }
                }
                Action::ProbeGroup(group) => {
                    from.handle(now, done(group, GroupOutcome::FoundStopped));
                }
                Action::StartGroup(group) => from.handle(now, done(group, GroupOutcome::Started)),
                _ => {}
            }
        }
        node = 1 - node;
    }
}

/// What a node has after its history is full.
const MOST_BYTES: usize = 500 * 1024;

#[test]
fn a_quiet_pair_on_three_links_allocates_nothing_and_has_little() {
    let without = BYTES.get();
    let mut now = Instant::from_micros(1_000_000);
    let mut nodes = [0, 1].map(|node| Cluster::new(now, settings(node)));
    let mut pass = |seconds: u64| {
        for _ in 0..seconds {
            now = now + Duration::from_secs(1);
            exchange(&mut nodes, now, |_| ());
        }
    };
    pass(600); // the history of sent messages fills, and its buffers are used again from then on
    let before = ALLOCATIONS.get();
    pass(3600);
    assert_eq!(ALLOCATIONS.get() - before, 0);
    let each = BYTES.get().wrapping_sub(without) / nodes.len();
    assert!(each < MOST_BYTES, "{each} bytes a node");
}

/// The same message from somebody who has another key.
fn forged(datagram: &[u8], keys: &Keys) -> [Vec<u8>; 2] {
    let (mut original, mut changed) = (Message::new(), Message::new());
    open(datagram, keys, &mut original).unwrap();
    for field in original.fields().filter(|field| field.name != b"auth") {
        changed.push(field).unwrap();
    }
    let mut stranger = keys.clone();
    for key in stranger.entries.iter_mut().flatten() {
        key.text = b"another secret".to_vec();
    }
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    seal(&changed, &stranger, 2, true, &mut datagram, &mut text).unwrap();
    [datagram, text]
}

#[test]
fn a_datagram_that_is_no_message_or_not_authentic_is_refused_before_anything_is_allocated() {
    let now = Instant::from_micros(1_000_000);
    let keys = settings(0).keys;
    let mut nodes = [0, 1].map(|node| Cluster::new(now, settings(node)));
    let mut said = Vec::new();
    exchange(&mut nodes, now, |packet| said.push(packet.datagram.clone()));
    assert!(!said.is_empty());
    let [wrong, _] = forged(&said[0], &keys);
    let mut cut = said[0].clone();
    cut.truncate(cut.len() - 10);
    let mut longer = b"###\n999999999:".to_vec();
    longer.resize(1400, b'x');
    for bytes in [&wrong[..], &cut, &longer, &[7; 1400], b"", b"###\n"] {
        let mut message = Message::new(); // it has no memory yet
        let before = ALLOCATIONS.get();
        let refused = open(bytes, &keys, &mut message);
        assert_eq!(ALLOCATIONS.get(), before, "{}", bytes.escape_ascii());
        assert!(refused.is_err());
    }
}

#[test]
fn a_flood_of_garbage_forged_and_replayed_packets_allocates_nothing() {
    let mut now = Instant::from_micros(1_000_000);
    let keys = settings(0).keys;
    let mut nodes = [0, 1].map(|node| Cluster::new(now, settings(node)));
    let mut flood: Vec<Vec<u8>> = vec![
        vec![7; 1400],
        b"###\n99:".to_vec(),
        b">>>\nt=status\n".to_vec(),
    ];
    for _ in 0..600 {
        now = now + Duration::from_secs(1);
        exchange(&mut nodes, now, |packet| {
            // Some is for a serial line alone.
            if flood.len() < 300 && !packet.datagram.is_empty() {
                flood.extend(forged(&packet.datagram, &keys));
                flood.extend([packet.datagram.clone(), packet.text.clone()]);
            }
        });
    }
    let [victim, _] = &mut nodes;
    let mut pass = || {
        for (bytes, link) in flood.iter().zip((0..3).cycle().map(LinkId)) {
            victim.handle(now, Event::Received { link, bytes });
            while let Some(action) = victim.next_action() {
                assert!(matches!(action, Action::Report(_)), "answered: {action:?}");
            }
        }
    };
    pass(); // the first of a kind is told
    let before = ALLOCATIONS.get();
    (0..100).for_each(|_| pass());
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
