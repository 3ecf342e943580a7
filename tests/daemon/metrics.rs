//! Metrics: on the socket, on the loopback interface, and as a file.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use heartbeat::daemon::metrics::families;

use crate::machine::{Machine, wait_for};
use crate::openmetrics::{Form, Metrics, fetch, read};

const REQUEST: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A machine with all ways to its metrics, and its port.
fn machine(haresources: &str) -> (Machine, u16) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    let machine = Machine::new("");
    let file = machine.path("heartbeat.prom");
    let lines = format!(
        "metrics socket\nmetrics http 127.0.0.1:{port}\nmetrics textfile {}\n",
        file.display()
    );
    machine.write("ha.cf", &(machine.read("ha.cf") + &lines));
    machine.write("haresources", haresources);
    (machine, port)
}

fn socket(machine: &Machine) -> UnixStream {
    let stream = UnixStream::connect(machine.path("run/metrics")).expect("a socket");
    let limit = Some(Duration::from_secs(30));
    stream.set_read_timeout(limit).expect("set");
    stream
}

fn scrape(machine: &Machine) -> Metrics {
    let (_, text) = fetch(socket(machine), REQUEST);
    read(&text, Form::Open).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

#[test]
fn they_are_told_in_two_forms_in_three_places_and_nothing_is_left_after_a_stop() {
    let (mut machine, port) = machine("here 127.0.0.9/8/lo\n");
    machine.start();
    let (head, text) = fetch(socket(&machine), REQUEST);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let kind = "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(head.contains(kind), "{head}");
    let metrics = read(&text, Form::Open).expect("OpenMetrics");
    for name in metrics.families.keys() {
        let is_declared = families::ALL.iter().any(|family| family.name == name);
        assert!(is_declared, "{name}");
    }
    assert!((metrics.value("heartbeat_watchdog_armed")).abs() < f64::EPSILON);
    wait_for("the death of the other node", || {
        let metrics = scrape(&machine);
        let dead = "heartbeat_node_status{node=\"there\",role=\"peer\",status=\"dead\"}";
        (metrics.value(dead) > 0.0).then_some(())
    });
    let metrics = scrape(&machine);
    assert!(metrics.value("heartbeat_peer_deaths_total") > 0.0);
    assert!(metrics.value("heartbeat_loop_turn_seconds_count") > 0.0);
    assert!(metrics.value("heartbeat_messages_sent_total") > 0.0);

    let mode = fs::metadata(machine.path("run/metrics"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
    let http = || TcpStream::connect(("127.0.0.1", port)).expect("a port");
    let old = "GET /metrics HTTP/1.0\r\nAccept: text/plain;version=0.0.4\r\n\r\n";
    let (head, text) = fetch(http(), old);
    assert!(
        head.contains("Content-Type: text/plain; version=0.0.4"),
        "{head}"
    );
    let told = read(&text, Form::Old).expect("the older form");
    assert!(told.value("heartbeat_messages_sent_total") > 0.0);
    let (head, _) = fetch(http(), "GET /other HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");

    let file = wait_for("the file", || {
        Some(machine.read("heartbeat.prom")).filter(|text| !text.is_empty())
    });
    let told = read(&file, Form::Old).expect("the older form");
    assert!(told.value("heartbeat_timestamp_seconds") > 1e9);
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    for left in ["heartbeat.prom", "heartbeat.prom.new", "run/metrics"] {
        assert!(!machine.path(left).exists(), "{left} is left");
    }
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn scrapers_that_say_half_a_word_or_do_not_read_delay_nobody() {
    let groups: Vec<_> = (1..250)
        .map(|number| format!("here 127.1.0.{number}/8/lo\n"))
        .collect();
    let (mut machine, port) = machine(&groups.concat());
    machine.start();
    let mut idle = Vec::new();
    for number in 0..40 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a port");
        let words = if number % 2 == 0 { REQUEST } else { "GET /met" };
        // Of those that came before, some were sent away meanwhile.
        let _ = stream.write_all(words.as_bytes());
        idle.push(stream);
    }
    machine.wait_for_heartbeat();
    let metrics = scrape(&machine);
    let held = metrics.samples.keys();
    let held = held.filter(|name| name.starts_with("heartbeat_group_held{"));
    assert_eq!(held.count(), 249);
    assert!(machine.answers());
    // The oldest were sent away for the newest.
    let mut first = idle.remove(1);
    first
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("set");
    let mut buffer = [0; 16];
    let read = first.read(&mut buffer);
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}
