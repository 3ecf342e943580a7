//! What a pair tells monitoring and people when something fails.

use std::fs;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::machine::{Machine, here};
use crate::lab::network::Failure;
use crate::lab::stranger::Stranger;
use crate::lab::{Link, Networks, Pair, Setup, claim, eventually, files};
use crate::openmetrics::{Form, Metrics, fetch, read};

const REQUEST: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn scrape(machine: &Machine) -> Metrics {
    let stream = UnixStream::connect(machine.file("ha.d/run/metrics")).expect("a socket");
    let limit = Some(Duration::from_secs(30));
    stream.set_read_timeout(limit).expect("set");
    let (_, text) = fetch(stream, REQUEST);
    read(&text, Form::Open).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

/// Whether a sample has this value, once it is there.
fn is(machine: &Machine, sample: &str, value: f64) -> bool {
    let found = scrape(machine).samples.get(sample).copied();
    found.is_some_and(|found| (found - value).abs() < f64::EPSILON)
}

/// The kinds and subjects that the command was told, in order.
fn told(machine: &Machine) -> Vec<String> {
    let text = fs::read_to_string(machine.file("told")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn pair() -> Pair {
    pair_on(&Networks::new())
}

fn pair_on(networks: &Networks) -> Pair {
    let pair = Pair::new(networks, Setup::default());
    let own = here();
    let own = own.display();
    let tell = format!(
        "#!/bin/sh\necho \"$HA_ALERT_KIND $HA_ALERT_SUBJECT\" >> {own}/told\n\
         while [ -e {own}/hold ]; do sleep 0.05; done\n"
    );
    for machine in [&pair.a, &pair.b] {
        files::write(&machine.file("tell"), &tell, 0o755);
        let ha_cf = fs::read_to_string(machine.file("ha.d/ha.cf")).expect("our own file system");
        let ha_cf = format!("{ha_cf}metrics socket\nalert command {own}/tell\n");
        files::write(&machine.file("ha.d/ha.cf"), &ha_cf, 0o644);
    }
    pair
}

#[test]
fn a_link_that_is_cut_is_told_and_so_is_its_return_and_a_quiet_pair_tells_nothing() {
    claim(|| {
        let mut pair = pair();
        pair.serve_on_a();
        let up = "heartbeat_link_up{node=\"beta\",link=\"eth0\",kind=\"bcast\"}";
        let both = "heartbeat_link_way{node=\"beta\",link=\"eth0\",way=\"both\"}";
        for sample in [up, both] {
            eventually(sample, || is(&pair.a, sample, 1.0));
        }
        let metrics = scrape(&pair.a);
        let group = "IPaddr::10.77.1.100/24/eth0";
        let held = format!("heartbeat_group_held{{group=\"{group}\",role=\"preferred\"}}");
        assert!(metrics.value(&held) > 0.0);
        assert!(metrics.value("heartbeat_group_starts_total{reason=\"preferred\"}") > 0.0);
        assert!(metrics.value("heartbeat_serial_noise_bytes_total{link=\"/dev/ttyS0\"}") >= 0.0);
        assert!(
            metrics.value("heartbeat_link_heard_age_seconds{node=\"beta\",link=\"eth1\"}") < 9.0
        );
        assert_eq!(told(&pair.a), [""; 0]);

        pair.cut(Link::Eth0, Failure::Silent);
        eventually("the alert", || told(&pair.a) == ["link-dead eth0"]);
        eventually("the metric", || is(&pair.a, up, 0.0));
        pair.restore(Link::Eth0);
        eventually("the end of it", || {
            told(&pair.a) == ["link-dead eth0", "link-back eth0"]
        });
        eventually("the metric", || is(&pair.a, up, 1.0));
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_stuck_alert_delays_no_takeover_and_the_next_ones_wait_for_it() {
    claim(|| {
        let mut pair = pair();
        pair.serve_on_a();
        files::write(&pair.b.file("hold"), "", 0o644);
        pair.cut(Link::Serial, Failure::Silent);
        eventually("an alert that hangs", || told(&pair.b).len() == 1);
        pair.power_off(0);
        pair.watch.expect_owner(1, pair.address());
        let deaths = "heartbeat_peer_deaths_total";
        eventually("the death is counted", || is(&pair.b, deaths, 1.0));
        let taken = "heartbeat_group_starts_total{reason=\"peer-died\"}";
        assert!(is(&pair.b, taken, 1.0));
        assert_eq!(told(&pair.b).len(), 1, "one at a time");
        fs::remove_file(pair.b.file("hold")).expect("it was held");
        eventually("the others", || {
            let told = told(&pair.b);
            ["peer-dead ", "takeover "]
                .iter()
                .all(|kind| told.iter().any(|told| told == kind))
        });
        pair.b.signal(Signal::SIGTERM);
        pair.b.wait_stopped();
        assert!(!pair.b.file("ha.d/run/metrics").exists());
        pair.assert_never_two_owners();
    });
}

/// Else who floods a link takes as much of a processor as he likes.
#[test]
fn packets_that_nobody_heeds_take_no_whole_turns_of_the_loop() {
    claim(|| {
        const PACKETS: f64 = 10_000.0;
        let networks = Networks::new();
        let stranger = Stranger::new(&networks.service, [10, 77, 1, 66].into(), 694);
        let mut pair = pair_on(&networks);
        pair.serve_on_a();
        let recorded = stranger.heard_from("beta");
        assert!(!recorded.is_empty(), "the pair is heard");
        let mut forged = recorded[0].clone();
        let last = forged.len() - 5;
        forged[last] ^= 1;
        let counts = || {
            let metrics = scrape(&pair.a);
            let all = metrics.samples.iter();
            let refused =
                all.filter(|(name, _)| name.starts_with("heartbeat_messages_refused_total"));
            let refused: f64 = refused.map(|(_, count)| count).sum();
            (refused, metrics.value("heartbeat_loop_turn_seconds_count"))
        };
        let before = counts();
        let mut after = before;
        eventually("the flood is refused", || {
            for _ in 0..500 {
                stranger.say(&forged);
                stranger.say(b"noise");
            }
            after = counts();
            after.0 - before.0 >= PACKETS
        });
        let (refused, turns) = (after.0 - before.0, after.1 - before.1);
        assert!(turns < refused / 10.0, "{refused} packets in {turns} turns");
        assert!(turns > 0.0, "and what is due is done");
        pair.assert_never_two_owners();
    });
}
