//! Beside a running daemon: everything is seen and nothing is disturbed.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::lab::machine::{Machine, here};
use super::lab::program::{built, can_run_old};
use super::lab::stranger::Stranger;
use super::lab::{
    Demands, Networks, Pair, Program, Setup, claim, claim_with, eventually, sandbox, throughout,
};

/// `heartbeat sniff` on a machine, and what it has printed so far.
struct Sniffing {
    child: Child,
    reader: JoinHandle<()>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Sniffing {
    fn start(machine: &Machine, arguments: &[&str]) -> Self {
        let mut command = Command::new(built("heartbeat"));
        command
            .arg("-C")
            .arg(here().join("ha.d"))
            .arg("sniff")
            .args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = machine.namespace.spawn(&mut command);
        let out = child.stdout.take().expect("a pipe");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let store = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                store
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
        });
        Self {
            child,
            reader,
            lines,
        }
    }

    fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn has_line_with(&self, parts: &[&str]) -> bool {
        self.lines()
            .iter()
            .any(|line| parts.iter().all(|part| line.contains(part)))
    }

    /// Ctrl-C; gives the summary and what it said on standard error.
    fn interrupt(mut self) -> (String, String) {
        let pid = i32::try_from(self.child.id()).expect("the kernel counts no further");
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("our own child");
        eventually("the sniffer ends", || {
            self.child.try_wait().expect("our own child").is_some()
        });
        assert!(self.child.wait().expect("our own child").success());
        let mut errors = String::new();
        let stream = self.child.stderr.take();
        stream.map(|mut stream| stream.read_to_string(&mut errors));
        self.reader.join().expect("it reads to the end");
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            lines.iter().any(|line| line.contains("link eth1: ")),
            "there is a summary"
        );
        let summary = lines.iter().skip_while(|line| !line.starts_with("--- "));
        (summary.cloned().collect::<Vec<_>>().join("\n"), errors)
    }
}

#[test]
fn both_nodes_are_seen_on_all_links_while_the_daemon_runs_undisturbed() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            deadtime: 6000,
            ..Setup::default()
        });
        pair.serve_on_a();
        let before = pair.marks();
        let sniffing = Sniffing::start(&pair.a, &[]);
        for parts in [
            [
                "eth0",
                " out ",
                "alpha ",
                "status",
                "authentic (key 1 sha1)",
            ],
            [
                "eth1",
                " out ",
                "alpha ",
                "status",
                "authentic (key 1 sha1)",
            ],
            ["eth0", " in ", "beta ", "status", "authentic (key 1 sha1)"],
            ["eth1", " in ", "beta ", "status", "authentic (key 1 sha1)"],
            [
                "alpha ",
                "status",
                "active, dead after 6.0 s",
                "IPaddr::10.77.1.100/24/eth0 running",
                "; new",
            ],
            [
                "beta ",
                "status",
                "active, dead after 6.0 s",
                "IPaddr::10.77.1.100/24/eth0 free",
                "; new",
            ],
            ["beta ", "status", "copy (also came on eth", "", ""],
            [
                "beta ",
                "NS_ackmsg",
                "acknowledges",
                "of alpha",
                "unnumbered",
            ],
        ] {
            eventually(&format!("a line has {parts:?}"), || {
                sniffing.has_line_with(&parts)
            });
        }
        // Had the tap taken anything from the daemon, a link would be down after deadtime.
        throughout(
            Duration::from_millis(7500),
            "every link of both nodes is up",
            || {
                ["eth0", "eth1", "/dev/ttyS0"].iter().all(|link| {
                    pair.a.cl_status(&["hblinkstatus", "beta", link]) == "up"
                        && pair.b.cl_status(&["hblinkstatus", "alpha", link]) == "up"
                })
            },
        );
        let (summary, errors) = sniffing.interrupt();
        for part in [
            "node alpha: generation ",
            "node beta: generation ",
            "nothing looks wrong",
            "link eth0: ",
        ] {
            assert!(summary.contains(part), "{part:?} is missing in:\n{summary}");
        }
        assert!(
            errors.contains("listening on eth0, eth1, UDP port 694"),
            "{errors}"
        );
        assert!(errors.contains("/dev/ttyS0 is not listened to"), "{errors}");
        for (machine, before) in [&pair.a, &pair.b].into_iter().zip(before) {
            let told = machine.log().since(before);
            let is_bad = |line: &String| {
                ["refused", "lost", "dead"]
                    .iter()
                    .any(|word| line.contains(word))
            };
            assert!(!told.iter().any(is_bad), "{}: {told:#?}", machine.name);
        }
    });
}

/// On both machines of a pair of which one runs the original.
#[test]
fn a_mixed_pair_is_seen_alike_from_both_sides() {
    let demands = Demands {
        possible: || sandbox::possible().and_then(|()| can_run_old()),
        at_once: 2,
    };
    claim_with(&demands, || {
        let mut pair = Pair::alone(Setup {
            deadtime: 4000,
            programs: Some([Program::Ours, Program::Old306]),
            ..Setup::default()
        });
        let sniffing = [&pair.a, &pair.b].map(|machine| Sniffing::start(machine, &[]));
        pair.a.start();
        pair.b.start();
        for (side, [alpha, beta]) in sniffing.iter().zip([["out", "in"], ["in", "out"]]) {
            for parts in [
                ["eth0", alpha, "alpha ", "status", "active", "groups: "],
                [
                    "eth1",
                    alpha,
                    "alpha ",
                    "status",
                    "copy (also came on eth",
                    "",
                ],
                [
                    "eth0",
                    beta,
                    "beta ",
                    "status",
                    "active, dead after 4.0 s",
                    "authentic (key 1 sha1)",
                ],
                [
                    "eth1",
                    beta,
                    "beta ",
                    "status",
                    "copy (also came on eth",
                    "authentic (key 1 sha1)",
                ],
                [
                    "beta ",
                    "NS_ackmsg",
                    "acknowledges",
                    " of alpha",
                    "authentic",
                    "",
                ],
                [
                    "alpha ",
                    "NS_ackmsg",
                    "acknowledges",
                    " of beta",
                    "authentic",
                    "",
                ],
                ["alpha ", "resource", "holds ", "stable", "", ""],
                [
                    "beta ",
                    "starting",
                    "asks what the other node holds",
                    "",
                    "",
                    "",
                ],
            ] {
                eventually(&format!("a line has {parts:?}"), || {
                    side.has_line_with(&parts)
                });
            }
            let refused =
                |line: &String| line.contains("NOT AUTHENTIC") || line.contains("REFUSED");
            assert!(!side.lines().iter().any(refused), "{:#?}", side.lines());
        }
        for sniffing in sniffing {
            let (summary, _) = sniffing.interrupt();
            let old = "; says nothing of groups, as heartbeat 3.0.6";
            let says = |node: &str| {
                summary
                    .lines()
                    .any(|line| line.starts_with(node) && line.ends_with(old))
            };
            assert!(says("node beta: ") && !says("node alpha: "), "{summary}");
        }
    });
}

#[test]
fn strangers_fragments_and_ipv6_are_seen_for_what_they_are() {
    claim(|| {
        let networks = Networks::new();
        let mut pair = Pair::new(&networks, Setup::default());
        let stranger = Stranger::new(&networks.service, Ipv4Addr::new(10, 77, 1, 66), 694);
        pair.serve_on_a();
        let sniffing = Sniffing::start(&pair.a, &[]);
        eventually("it listens", || sniffing.has_line_with(&["beta "]));
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let long =
            std::fs::read(root.join("tests/wire/udp/053-large-fragmented.bin")).expect("recorded");
        stranger.say(&long);
        stranger.say(b"hello");
        let multicast = long.clone();
        let (v6, everybody) = stranger.namespace.within(|| {
            let index = heartbeat::os::interface::index("eth0").expect("it has one");
            let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).expect("a port is free here");
            let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x694);
            (socket, SocketAddrV6::new(group, 694, 0, index))
        });
        eventually("fragments are joined", || {
            sniffing.has_line_with(&["eth0", " in ", "NOT AUTHENTIC", "in 2 fragments"])
        });
        eventually("noise is named", || {
            sniffing.has_line_with(&["eth0", " in ", "REFUSED: not a heartbeat message"])
        });
        // An address of the link is not usable until it is known to be the only one.
        eventually("IPv6 is seen, in pieces too", || {
            let _ = v6.send_to(&multicast, everybody);
            let lines = sniffing.lines();
            lines
                .iter()
                .filter(|line| line.contains("in 2 fragments"))
                .count()
                > 1
        });
        let (summary, _) = sniffing.interrupt();
        assert!(
            summary.contains("would be refused: not a heartbeat message"),
            "{summary}"
        );
    });
}

#[test]
fn after_so_many_messages_it_ends_by_itself_and_wrong_interfaces_are_named() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.serve_on_a();
        let (text, exit) = pair.a.command(
            "heartbeat",
            &["sniff", "--json", "--count", "5", "--interface", "eth1"],
        );
        assert_eq!(exit, Some(0));
        let objects: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(objects.len(), 6, "{text}");
        for object in &objects[..5] {
            assert_eq!(object["link"], "eth1");
            assert_eq!(object["authentic"], true);
            assert!(
                object["time"].as_f64().is_some_and(|time| time > 1e9),
                "{object}"
            );
        }
        assert_eq!(objects[5]["summary"]["messages"], 5);
        let (_, exit) = pair
            .a
            .command("heartbeat", &["sniff", "--interface", "eth9"]);
        assert_eq!(exit, Some(1));
        pair.expect_settled();
    });
}
