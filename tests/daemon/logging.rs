//! A log that cannot be written never stops the daemon.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::machine::{Machine, wait_for};

/// The machine's log daemon.
fn syslog(machine: &Machine) -> UnixDatagram {
    let _ = std::fs::remove_file(machine.path("syslog"));
    let socket = UnixDatagram::bind(machine.path("syslog")).expect("binds");
    socket.set_nonblocking(true).expect("non-blocking");
    socket
}

fn next_line(socket: &UnixDatagram) -> Option<String> {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

fn wait_for_line(socket: &UnixDatagram, text: &str) -> String {
    wait_for(text, || {
        next_line(socket).filter(|line| line.contains(text))
    })
}

#[test]
fn a_stalled_log_daemon_costs_lines_and_nothing_else() {
    // Nothing else is told meanwhile.
    let mut machine = Machine::new("logfacility local0\ninitdead 600\n");
    let socket = syslog(&machine);
    let stuffing = UnixDatagram::unbound().expect("a socket");
    stuffing.set_nonblocking(true).expect("non-blocking");
    while stuffing
        .send_to(b"stuffing", machine.path("syslog"))
        .is_ok()
    {}
    machine.start();
    machine.signal(Signal::SIGHUP);
    machine.wait_for_log("Configuration unchanged.");
    machine.wait_for_heartbeat();
    assert!(machine.answers());

    while next_line(&socket).is_some() {}
    machine.signal(Signal::SIGHUP);
    // Told behind the first line that arrives.
    wait_for_line(&socket, "were lost: the log daemon did not take them");
    let line = wait_for_line(&socket, "Configuration unchanged.");
    assert!(line.starts_with("<134>"), "local0.info: {line}");
    assert!(
        line.contains(&format!(" heartbeat: [{}]: info: ", machine.pid())),
        "{line}"
    );
}

#[test]
fn a_restarted_log_daemon_gets_the_next_line() {
    let mut machine = Machine::new("logfacility daemon\n");
    let socket = syslog(&machine);
    machine.start();
    wait_for_line(&socket, "Configuration validated.");
    drop(socket);
    machine.signal(Signal::SIGHUP);
    machine.wait_for_log("Configuration unchanged.");
    let socket = syslog(&machine);
    machine.signal(Signal::SIGHUP);
    wait_for_line(&socket, "Configuration unchanged.");
}

const COMPLAINT: &str = "Cannot write to /dev/full";

#[test]
fn a_log_file_on_a_full_disk_is_told_to_syslog_once() {
    let mut machine = Machine::new("logfacility daemon\ndebugfile /dev/full\n");
    let socket = syslog(&machine);
    socket.set_nonblocking(false).expect("blocking");
    // The complaint comes from the thread that writes the file, at any time, and the queue holds few lines.
    let (sender, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        while let Some(line) = next_line(&socket) {
            let _ = sender.send(line); // the test may be over
        }
    });
    machine.start();
    machine.signal(Signal::SIGHUP);
    let mut lines: Vec<String> = Vec::new();
    wait_for("both lines", || {
        lines.extend(heard.try_iter());
        let texts = ["Configuration unchanged.", COMPLAINT];
        let has = |text: &&str| lines.iter().any(|line| line.contains(*text));
        texts.iter().all(has).then_some(())
    });
    let complaints = lines.iter().filter(|line| line.contains(COMPLAINT)).count();
    assert_eq!(complaints, 1, "{lines:?}");
    machine.wait_for_heartbeat();
}

#[test]
fn nobody_reading_standard_error_delays_nothing() {
    let mut machine = Machine::new("");
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    // Full before the daemon starts.
    let flags = nix::fcntl::OFlag::O_NONBLOCK;
    nix::fcntl::fcntl(writer.as_fd(), nix::fcntl::FcntlArg::F_SETFL(flags)).expect("set");
    let mut end = &writer;
    while end.write(&[b'.'; 4096]).is_ok() {}
    nix::fcntl::fcntl(
        writer.as_fd(),
        nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty()),
    )
    .expect("set");
    let mut command: Command = machine.command(&["-f"]);
    let mut child = command
        .stderr(writer)
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    drop(command);
    machine.wait_until_up();
    machine.wait_for_heartbeat();
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    assert!(child.wait().expect("a child").success());
    let mut text = Vec::new();
    reader.read_to_end(&mut text).expect("readable");
    assert!(text.iter().all(|&byte| byte == b'.'), "nothing fitted in");
}

#[test]
fn a_refused_configuration_is_told_to_syslog_too() {
    let machine = Machine::new("serail x\n");
    let socket = syslog(&machine);
    assert_eq!(machine.heartbeat(&[]).exit, 6);
    let line = wait_for_line(&socket, "serail");
    assert!(line.starts_with("<27>"), "daemon.err: {line}");
}

#[test]
fn the_older_form_of_lines_is_still_there() {
    let mut machine = Machine::new("syslogmsgfmt false\n");
    machine.start();
    let log = machine.read("ha-log");
    let pid = machine.pid();
    assert!(
        log.lines()
            .all(|line| line.starts_with(&format!("heartbeat[{pid}]: 20"))),
        "{log}"
    );
}

#[test]
fn the_journal_is_told_the_level_and_no_line_twice() {
    use std::os::unix::fs::MetadataExt;

    for (lines, is_doubled) in [("", false), ("logfacility daemon\n", true)] {
        let mut machine = Machine::new(lines);
        let journal = std::fs::File::create(machine.path("journal")).expect("made");
        let place = journal.metadata().expect("readable");
        let mut command = machine.command(&["-f"]);
        command.env("JOURNAL_STREAM", format!("{}:{}", place.dev(), place.ino()));
        let mut child = command.stderr(journal).spawn().expect("started");
        machine.wait_until_up();
        machine.signal(Signal::SIGHUP);
        machine.wait_for_log("Configuration unchanged.");
        let text = machine.read("journal");
        assert!(text.contains("Configuration validated."), "{text}");
        assert!(text.lines().all(|line| line.starts_with('<')), "{text}");
        // Once the daemon runs, syslog leads to the same journal.
        assert_eq!(
            text.contains("Configuration unchanged."),
            !is_doubled,
            "{text}"
        );
        assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
        child.wait().expect("a child");
    }
}
