//! `heartbeat serial-test` on terminals whose other end is played: each verdict, its exit status, and who is refused.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use heartbeat::daemon::clock;
use heartbeat::os::process::pause;
use heartbeat::os::tty;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use serde_json::Value;

use crate::machine::Machine;

const MESSAGE: &[u8] = b"\n>>>\nt=status\nst=active\nsrc=beta\nseq=1\nauth=1 00\n<<<\n";
/// How often the other end acts.
const TURN: Duration = Duration::from_millis(5);

/// The far end of a line.
struct Far {
    end: File,
    _port: OwnedFd,
    path: PathBuf,
    turns: u32,
}

impl Far {
    fn new() -> Self {
        let pty = openpty(None, None).expect("a pty");
        // A line does not say everything back while nobody has it open.
        let mut modes = tcgetattr(&pty.slave).expect("a terminal");
        cfmakeraw(&mut modes);
        tcsetattr(&pty.slave, SetArg::TCSANOW, &modes).expect("a terminal");
        fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("set");
        Self {
            end: pty.master.into(),
            path: nix::unistd::ttyname(&pty.slave).expect("a name"),
            _port: pty.slave,
            turns: 0,
        }
    }

    fn read(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = self.end.read(&mut piece) {
            all.extend_from_slice(&piece[..count]);
        }
        all
    }

    /// What nobody fetches is lost, as on a line.
    fn say(&mut self, bytes: &[u8]) {
        let _ = self.end.write(bytes);
    }

    /// Says something every tenth of a second.
    fn repeat(&mut self, bytes: &[u8]) {
        self.turns += 1;
        if self.turns % 20 == 1 {
            self.say(bytes);
        }
    }

    fn rate(&self) -> u32 {
        tty::rate(self.end.as_fd()).expect("a terminal")
    }
}

fn start(port: &Path, seconds: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_heartbeat"))
        .args(["serial-test", "--json", "--seconds", seconds])
        .arg(port)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started")
}

/// The exit status and what was said.
fn outcome(child: Child) -> (i32, Value) {
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    let value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().expect("no signal"), value)
}

/// Tests a line whose other end is played.
fn tested(seconds: &str, mut play: impl FnMut(&mut Far)) -> (i32, Value) {
    let mut far = Far::new();
    let mut child = start(&far.path, seconds);
    while child.try_wait().expect("a child").is_none() {
        play(&mut far);
        pause(TURN);
    }
    outcome(child)
}

/// Tests a line from both ends; `wire` is what becomes of the bytes that each end sends.
fn tested_from_both_ends(mut wire: impl FnMut(usize, Vec<u8>) -> Vec<u8>) -> [(i32, Value); 2] {
    let mut ends = [Far::new(), Far::new()];
    let mut children = [start(&ends[0].path, "6"), start(&ends[1].path, "6")];
    while children
        .iter_mut()
        .any(|child| child.try_wait().expect("a child").is_none())
    {
        for sender in 0..2 {
            let bytes = ends[sender].read();
            let bytes = wire(sender, bytes);
            ends[1 - sender].say(&bytes);
        }
        pause(TURN);
    }
    children.map(outcome)
}

fn verdict((exit, report): &(i32, Value)) -> (i32, &str) {
    (*exit, report["verdict"].as_str().expect("a verdict"))
}

#[test]
fn where_nothing_is_heard_nothing_is_connected() {
    let found = tested("1", |far| drop(far.read()));
    assert_eq!(verdict(&found), (1, "nothing"), "{found:?}");
    assert_eq!(
        found.1["wires"],
        Value::Null,
        "a terminal has no such wires"
    );
}

#[test]
fn a_heartbeat_at_the_other_end_is_named_and_left_alone() {
    let mut sent = Vec::new();
    let found = tested("3", |far| {
        far.repeat(MESSAGE);
        sent.extend(far.read());
    });
    assert_eq!(verdict(&found), (1, "heartbeat"), "{found:?}");
    let words = found.1["words"].as_str().expect("words");
    assert!(words.contains("(node beta)"), "{words}");
    assert_eq!(String::from_utf8_lossy(&sent), "", "nobody is disturbed");
}

#[test]
fn a_login_a_modem_and_anything_else_are_told_apart() {
    let found = tested("3", |far| {
        if far.read().contains(&b'\r') {
            far.say(b"\r\n\r\nDebian GNU/Linux 12 beta ttyS0\r\n\r\nbeta login: ");
        }
    });
    assert_eq!(verdict(&found), (1, "login"), "{found:?}");
    let mut heard = Vec::new();
    let found = tested("3", |far| {
        let bytes = far.read();
        far.say(&bytes);
        heard.extend(bytes);
        if heard.ends_with(b"AT\r") {
            heard.clear();
            far.say(b"\r\nOK\r\n");
        }
    });
    assert_eq!(verdict(&found), (1, "modem"), "{found:?}");
    let found = tested("1", |far| far.repeat(b"$GPGGA,123519,4807.038,N\r\n"));
    assert_eq!(verdict(&found), (1, "stranger"), "{found:?}");
}

#[test]
fn what_comes_back_is_a_loopback() {
    let found = tested("3", |far| {
        let bytes = far.read();
        far.say(&bytes);
    });
    assert_eq!(verdict(&found), (1, "loopback"), "{found:?}");
    assert!(found.1["echoes"].as_u64().is_some_and(|count| count >= 8));
}

#[test]
fn another_rate_at_the_other_end_is_found_out() {
    let found = tested("3", |far| {
        drop(far.read());
        match far.rate() {
            57_600 => far.repeat(MESSAGE),
            _ => far.repeat(&[0xf8, 0x80, 0, 0xfe, 0x1c, 0xe0, 0x80, 0xf0]),
        }
    });
    assert_eq!(verdict(&found), (1, "rates-differ"), "{found:?}");
    assert_eq!(found.1["other-rate"], 57_600, "{found:?}");
}

#[test]
fn a_good_line_is_fine_from_both_ends_and_measured() {
    for found in tested_from_both_ends(|_, bytes| bytes) {
        assert_eq!(verdict(&found), (0, "fine"), "{found:?}");
        let report = &found.1;
        assert_eq!(
            (&report["missing"], &report["damaged"]),
            (&0.into(), &0.into())
        );
        assert!(report["answered"].as_u64() > Some(3), "{found:?}");
        assert!(report["round-trip-ms"].is_u64(), "{found:?}");
        let speed = report["bytes-per-second"].as_u64();
        assert!(
            speed.is_some_and(|speed| (200..=2500).contains(&speed)),
            "{found:?}"
        );
    }
}

#[test]
fn a_line_that_damages_bytes_is_noisy() {
    let mut count = 0_usize;
    let found = tested_from_both_ends(|_, mut bytes| {
        for byte in &mut bytes {
            count += 1;
            *byte ^= u8::from(count.is_multiple_of(500));
        }
        bytes
    });
    for found in &found {
        assert_eq!(verdict(found), (1, "noisy"), "{found:?}");
        assert!(found.1["damaged"].as_u64() > Some(1), "{found:?}");
    }
}

#[test]
fn a_broken_wire_shows_at_the_end_that_hears() {
    let found = tested_from_both_ends(|sender, bytes| if sender == 0 { bytes } else { Vec::new() });
    assert_eq!(verdict(&found[0]), (1, "nothing"), "{found:?}");
    assert_eq!(verdict(&found[1]), (1, "one-way"), "{found:?}");
}

#[test]
fn a_port_in_use_or_missing_is_refused_and_nothing_tested() {
    let mut machine = Machine::new("");
    machine.start();
    let ha_cf = machine.read("ha.cf");
    let port = ha_cf
        .lines()
        .find_map(|line| line.strip_prefix("serial "))
        .expect("a port");
    let began = clock::now();
    let refused = machine.heartbeat(&["serial-test", port]);
    assert_eq!(refused.exit, 3, "{refused:?}");
    for part in [
        format!(
            "{port} is not free: heartbeat (process {}) uses it",
            machine.pid()
        ),
        "`heartbeat -k`".into(),
        "`cl_status hbstatus -v`".into(),
    ] {
        assert!(refused.err.contains(&part), "{part}: {refused:?}");
    }
    assert!(clock::now().since(began) < Duration::from_secs(10));
    let missing = machine.heartbeat(&["serial-test", "/dev/no-such-port"]);
    assert_eq!(missing.exit, 3, "{missing:?}");
    assert!(missing.err.contains("/dev/no-such-port"), "{missing:?}");
    let null = machine.heartbeat(&["serial-test", "/dev/null"]);
    assert_eq!(null.exit, 3, "{null:?}");
    for answer in [&refused, &missing, &null] {
        assert_eq!(answer.out, "", "it does not begin");
    }
    assert_eq!(machine.heartbeat(&["serial-test"]).exit, 2);
    // The daemon goes on.
    machine.wait_for_heartbeat();
}
