//! The old output and exit codes, on a made-up daemon.

use std::io;

use super::*;
use crate::control::{
    Direction, FencingDevice, Group, HeldGroups, Link, MoveProgress, Movement, Parameter, Reasons,
    Selection, Tenure,
};

fn example() -> Status {
    let link = |name: &str, up| Link {
        name: name.into(),
        kind: "ucast".into(),
        up,
        way: Some(if up { "both" } else { "none" }.into()),
        cause: None,
        serial: None,
        quality: None,
    };
    let node = |name: &str, kind: &str, status: &str, links| Node {
        name: name.into(),
        kind: kind.into(),
        status: status.into(),
        links,
        since: None,
    };
    Status {
        version: "0.1.0".into(),
        heartbeat_as_of: 1_795_198_700,
        since: 1_795_198_608,
        node: "ba".into(),
        uuid: "958e11be-8686-759f-1b99-204c17812f2c".into(),
        generation: 12,
        communicating: true,
        holdings: "local".into(),
        nodes: vec![
            node("ba", "normal", "active", vec![]),
            node(
                "bb",
                "normal",
                "active",
                vec![link("eth0", true), link("/dev/ttyS0", false)],
            ),
            node("10.0.0.254", "ping", "init", vec![]),
        ],
        groups: vec![Group {
            key: "10.0.0.1".into(),
            preferred: "ba".into(),
            resources: vec!["10.0.0.1".into(), "web".into()],
            local: "running".into(),
            peer: Some("stopped".into()),
            monitors: Vec::new(),
            failback: None,
            retry: None,
            readiness: None,
            peer_ready: None,
            carrier: None,
            peer_carrier: None,
            rivals: Vec::new(),
            reasons: Reasons::default(),
        }],
        movement: Some(Movement {
            generation: 12,
            number: 1,
            request: Direction::Takeover,
            selection: Selection::Local,
            progress: MoveProgress::Done,
            reason: None,
            warnings: Vec::new(),
        }),
        fencing: None,
        jeopardy: None,
        last_link: None,
        agreement: None,
        peer_ethernet: Vec::new(),
        maintenance: None,
        watchdog: None,
        peer: None,
        timers: Vec::new(),
        parameters: vec![Parameter {
            name: "keepalive".into(),
            value: "500ms".into(),
        }],
    }
}

fn ask_of(status: Result<Status, Error>, words: &str) -> Reply {
    let arguments = arguments::parse(words.split_whitespace().map(OsString::from));
    reply(
        &arguments.expect("valid").expect("not help"),
        status,
        Path::new("/etc/ha.d"),
    )
}

fn ask(words: &str) -> Reply {
    ask_of(Ok(example()), words)
}

fn stopped() -> Error {
    Error::Stopped(io::ErrorKind::NotFound.into())
}

#[test]
fn every_sub_command_prints_what_scripts_expect() {
    let cases = [
        ("hbstatus", "Heartbeat is running on this machine.\n", 0),
        ("listnodes", "10.0.0.254\nbb\nba\n", 0),
        ("listnodes -n", "bb\nba\n", 0),
        ("listnodes -p", "10.0.0.254\n", 0),
        ("listnodes -n -m", "The nodes are as follow:\nbb\nba\n", 0),
        (
            "listnodes -v -n",
            "\nbb\tactive\t(nodetype: normal)\n\t/dev/ttyS0\tdead\n\teth0\tup\n\nba\tactive\t(nodetype: normal)\n",
            0,
        ),
        ("nodestatus bb", "active\n", 0),
        ("nodestatus BB -m", "The cluster node BB is active\n", 0),
        ("nodestatus 10.0.0.254", "init\n", 1),
        ("nodetype bb", "normal\n", 0),
        ("nodetype 10.0.0.254", "ping\n", 0),
        ("nodetype -m bb", "The node bb's type: normal\n", 0),
        ("nodeweight bb", "100\n", 0),
        ("nodesite bb", "\n", 0),
        ("listhblinks bb", "\t/dev/ttyS0\n\teth0\n", 0),
        ("listhblinks bb -v", "\t/dev/ttyS0\tdead\n\teth0\tup\n", 0),
        ("hblinkstatus bb eth0", "up\n", 0),
        ("hblinkstatus bb /dev/ttyS0", "dead\n", 1),
        ("rscstatus", "local\n", 0),
        ("rscstatus -m", "This node is holding local resources.\n", 0),
        ("hbparameter -p keepalive", "500ms\n", 0),
    ];
    for (words, out, exit) in cases {
        assert_eq!(ask(words), Reply::new(out, exit), "{words}");
    }
}

#[test]
fn what_nobody_declared_has_the_old_exit_codes() {
    let cases = [
        ("nodestatus bc", 11),
        ("nodetype bc", 11),
        ("nodeweight bc", 11),
        ("nodesite bc", 11),
        ("listhblinks bc", 13),
        ("hblinkstatus bc eth0", 13),
        ("hblinkstatus bb eth7", 13),
        ("hbparameter -p nothing", 1),
    ];
    for (words, exit) in cases {
        let reply = ask(words);
        assert_eq!((reply.exit, reply.out.as_str()), (exit, ""), "{words}");
        assert!(!reply.err.is_empty(), "{words}");
    }
}

#[test]
fn a_stopped_daemon_is_told_in_the_old_words() {
    let reply = ask_of(Err(stopped()), "hbstatus");
    assert_eq!(
        reply,
        Reply::new("Heartbeat is stopped on this machine.\n", 1)
    );
    let reply = ask_of(Err(stopped()), "hbstatus -v");
    assert!(
        reply
            .out
            .contains("(hb_api_signon: Can't initiate connection to heartbeat)")
    );
    let reply = ask_of(Err(stopped()), "rscstatus");
    assert_eq!((reply.exit, reply.out.as_str()), (1, ""));
    assert!(
        reply
            .err
            .starts_with("ERROR: Cannot signon with heartbeat\nERROR: REASON: ")
    );
    assert_eq!(ask_of(Err(Error::Silent), "rscstatus").exit, 12);
}

#[test]
fn a_starting_daemon_counts_as_stopped_and_says_whom_it_waits_for() {
    let mut status = example();
    status.communicating = false;
    if let Some(node) = status.nodes.get_mut(1) {
        node.status = "init".into();
    }
    status.nodes.truncate(2);
    let reply = ask_of(Ok(status), "hbstatus");
    assert_eq!(
        (reply.out.as_str(), reply.exit),
        ("Heartbeat is stopped on this machine.\n", 1)
    );
    assert_eq!(reply.err, "heartbeat is starting: not yet heard from bb\n");
}

#[test]
fn a_user_who_may_not_ask_is_not_told_that_nothing_runs() {
    let error = Error::Unreachable(io::ErrorKind::PermissionDenied.into());
    let reply = ask_of(Err(error), "hbstatus");
    assert_eq!(reply.exit, 1);
    assert!(reply.err.contains("haclient"), "{}", reply.err);
}

#[test]
fn every_sub_command_has_json() {
    let commands = "hbstatus|listnodes|nodestatus bb|nodetype bb|nodeweight bb|nodesite bb|listhblinks bb|hblinkstatus bb eth0|rscstatus|hbparameter -p keepalive";
    for words in commands.split('|') {
        let reply = ask(&format!("{words} --json"));
        assert_eq!(reply.exit, 0, "{words}");
        serde_json::from_str::<serde_json::Value>(&reply.out)
            .unwrap_or_else(|error| panic!("{words}: {error}"));
    }
    let whole: Status = serde_json::from_str(&ask("hbstatus --json").out).expect("a status");
    assert_eq!(whole, example());
    let stopped = ask_of(Err(stopped()), "hbstatus --json");
    assert_eq!(stopped.exit, 1);
    assert!(stopped.out.contains("\"running\":false"), "{}", stopped.out);
}

#[test]
fn wrong_words_are_refused_as_ever() {
    let parse = |words: &str| arguments::parse(words.split_whitespace().map(OsString::from));
    assert_eq!(parse("fly"), Err("ERROR: fly: invalid sub-command.".into()));
    assert_eq!(parse("nodestatus"), Err("Not enough parameters.".into()));
    assert_eq!(
        parse("hblinkstatus bb"),
        Err("Not enough parameters.".into())
    );
    assert_eq!(parse("hbparameter"), Err("Not enough parameters.".into()));
    assert_eq!(parse(""), Ok(None));
    assert_eq!(parse("-h"), Ok(None));
}

#[test]
fn how_fencing_is_follows_the_nodes() {
    let mut status = example();
    let verbose = |status: &Status| ask_of(Ok(status.clone()), "hbstatus -v").out;
    assert!(!verbose(&status).contains("fencing"));
    let device = |kind: &str, works| FencingDevice {
        kind: kind.into(),
        works,
    };
    status.fencing = Some(Fencing {
        state: "waiting".into(),
        failures: 2,
        devices: vec![
            device("external/ipmi", Some(false)),
            device("fence_apc", Some(true)),
            device("meatware", None),
        ],
    });
    let expected = "\nfencing\twaiting\t(2 failed)\n\texternal/ipmi\tfails\n\tfence_apc\tworks\n\tmeatware\tnot asked yet\n";
    assert!(verbose(&status).ends_with(expected), "{}", verbose(&status));
}

#[test]
fn a_one_way_link_and_the_last_one_are_shown_and_the_old_words_are_kept() {
    let mut status = example();
    let links = &mut status.nodes[1].links;
    links[0].way = Some("in".into());
    links[0].cause = Some("Check the firewall there.".into());
    links[1].way = Some("out".into());
    status.jeopardy = Some(crate::control::Jeopardy {
        since: 1,
        link: Some("eth1".into()),
    });
    let ask = |words: &str| ask_of(Ok(status.clone()), words);
    let lines = "\t/dev/ttyS0\tdead\tone-way: bb hears us, we do not hear it. \n\
                 \teth0\tup\tone-way: we hear bb, it does not hear us. Check the firewall there.\n";
    assert_eq!(ask("listhblinks bb -v"), Reply::new(lines, 0));
    assert_eq!(ask("hblinkstatus bb eth0"), Reply::new("up\n", 0));
    assert_eq!(ask("hblinkstatus bb /dev/ttyS0"), Reply::new("dead\n", 1));
    assert_eq!(
        ask("listhblinks bb"),
        Reply::new("\t/dev/ttyS0\n\teth0\n", 0)
    );
    let all = ask("hbstatus -v").out;
    assert!(all.contains("\njeopardy\tonly eth1 is left\n"), "{all}");
    let json = ask("hbstatus --json").out;
    let told: Result<Status, _> = serde_json::from_str(&json);
    assert_eq!(told.expect("JSON"), status);
}

#[test]
fn the_watchdog_is_shown_armed_or_missing() {
    let mut status = example();
    let mut watchdog = crate::control::Watchdog {
        device: "driver:softdog".into(),
        name: Some("watchdog0".into()),
        identity: Some("Software Watchdog".into()),
        armed: true,
        timeout: Some(8),
        nowayout: Some(true),
        policy: "required".into(),
        last_fed: Some(status.heartbeat_as_of - 1),
        problem: None,
    };
    status.watchdog = Some(watchdog.clone());
    let verbose = |status: &Status| ask_of(Ok(status.clone()), "hbstatus -v").out;
    let expected = "\nwatchdog\tdriver:softdog\tarmed\n\tdevice\twatchdog0, Software Watchdog\n\ttimeout\t8 s\n\
                    \tfed\t1 s ago\n\tnowayout\ta stop of heartbeat resets this machine\n\tpolicy\trequired\n";
    assert!(verbose(&status).ends_with(expected), "{}", verbose(&status));
    watchdog = crate::control::Watchdog {
        name: None,
        identity: None,
        armed: false,
        timeout: None,
        nowayout: None,
        policy: "wanted".into(),
        last_fed: None,
        problem: Some("it is not there".into()),
        ..watchdog
    };
    status.watchdog = Some(watchdog);
    let expected =
        "\nwatchdog\tdriver:softdog\tmissing\n\tpolicy\twanted\n\tproblem\tit is not there\n";
    assert!(verbose(&status).ends_with(expected), "{}", verbose(&status));
}

#[test]
fn serial_lines_are_shown_with_noise_errors_and_strangers() {
    let mut status = example();
    let verbose = |status: &Status| ask_of(Ok(status.clone()), "hbstatus -v").out;
    assert!(!verbose(&status).contains("serial"));
    let line = crate::control::SerialLine {
        flow_control: Some(true),
        noise: 12,
        errors: Some(crate::control::LineErrors {
            framing: 3,
            parity: 0,
            overruns: 1,
            breaks: 2,
        }),
        stranger: Some("modem".into()),
        remedy: Some("a modem talks there".into()),
    };
    status.nodes[1].links[1].serial = Some(line.clone());
    let expected = "\nserial lines\n\t/dev/ttyS0\tRTS/CTS\tnoise: 12 bytes, framing: 3, parity: 0, overruns: 1, \
                    breaks: 2\n\t\ta modem talks there\n";
    assert!(verbose(&status).ends_with(expected), "{}", verbose(&status));
    status.nodes[1].links[1].serial = Some(crate::control::SerialLine {
        flow_control: None,
        errors: None,
        stranger: None,
        remedy: None,
        ..line
    });
    let expected = "\nserial lines\n\t/dev/ttyS0\tclosed\tnoise: 12 bytes\n";
    assert!(verbose(&status).ends_with(expected), "{}", verbose(&status));
    let json = ask_of(Ok(status), "listhblinks bb --json").out;
    assert!(json.contains("\"noise\": 12"), "{json}");
}

#[test]
fn incidents_are_told_the_newest_last_or_that_there_is_none() {
    let arguments = |words: &str| {
        arguments::parse(words.split_whitespace().map(OsString::from))
            .expect("understood")
            .expect("a question")
    };
    let tell = |words: &str, known| incidents(&arguments(words), known, Path::new("/etc/ha.d"));
    let none = tell("incidents", Ok(Vec::new()));
    assert_eq!(none, Reply::new("No incident is on record here.\n", GOOD));
    let record = |lost| Incident {
        node: "ba".into(),
        peer: "bb".into(),
        cause: "silence".into(),
        lost,
        met: Some(lost + 1500),
        settled: lost + 1600,
        peer_word: "told".into(),
        peer_runs_since: Some(0),
        is_cut: false,
        groups: vec![HeldGroups {
            keys: vec!["10.0.0.1".into()],
            mine: vec![Tenure {
                since: lost,
                until: None,
                is_older: false,
            }],
            theirs: Vec::new(),
            both: 0,
        }],
    };
    let both = || Ok(vec![record(1_795_198_608_000), record(1_795_298_608_000)]);
    let told = tell("incidents", both()).out;
    let lines: Vec<&str> = told.lines().collect();
    assert!(
        lines[0].starts_with("ba heard nothing of bb since 2026-11-"),
        "{told}"
    );
    assert!(lines[0].contains("(1.500 s later)"), "{told}");
    assert!(
        lines[1].starts_with("\t10.0.0.1: ba held it since 2026-11-"),
        "{told}"
    );
    assert_eq!((lines[2], lines.len()), ("", 5), "{told}");
    let json = tell("incidents --json", both()).out;
    let read: Vec<Incident> = serde_json::from_str(&json).expect("JSON");
    assert_eq!(read, both().expect("two"));
    let stopped = Error::Stopped(io::Error::from_raw_os_error(2));
    let reply = tell("incidents", Err(stopped));
    assert_eq!(reply.exit, BAD);
    assert!(
        reply.err.contains("no heartbeat runs here"),
        "{}",
        reply.err
    );
}
