//! One machine in a directory: three configuration files, a serial port, and the programs to test.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use heartbeat::daemon::clock;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Generous: a busy machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(30);

/// The key of every test.
pub const AUTHKEYS: &str = "auth 1\n1 sha1 a-key-that-only-tests-use-0123456789\n";

/// A node whose peer is never heard. What it started ends with it.
pub struct Machine {
    directory: TempDir,
    /// The other end of the serial line.
    line: fs::File,
    /// Kept open, so that the line never looks hung up.
    _port: OwnedFd,
    daemon: Option<Child>,
}

impl Machine {
    /// With these lines in `ha.cf` beside those that every node needs.
    pub fn new(lines: &str) -> Self {
        let OpenptyResult { master, slave } = openpty(None, None).expect("a pty");
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("set");
        let directory = tempfile::tempdir().expect("a directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("set");
        let port = nix::unistd::ttyname(&slave).expect("a name");
        let machine = Self {
            directory,
            line: master.into(),
            _port: slave,
            daemon: None,
        };
        let ha_cf = format!(
            "keepalive 200ms\ndeadtime 3\ninitdead 3\nserial {}\nauto_failback on\nnode here there\n\
             realtime off\nlogfile {}\n{lines}",
            port.display(),
            machine.path("ha-log").display()
        );
        machine.write("ha.cf", &ha_cf);
        machine.write("haresources", "");
        machine.write("nodeinfo", "here\n");
        machine.write_authkeys(AUTHKEYS);
        machine
    }

    /// A file or directory of this machine.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    pub fn write_authkeys(&self, text: &str) {
        self.write("authkeys", text);
        fs::set_permissions(self.path("authkeys"), fs::Permissions::from_mode(0o600)).expect("set");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// `heartbeat -C DIR` to which more can be added.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heartbeat"));
        command
            .arg("-C")
            .arg(self.directory.path())
            .args(arguments)
            .stdin(Stdio::null());
        command
            .env("HEARTBEAT_SYSLOG", self.path("syslog"))
            .env("HEARTBEAT_DEVICES", self.path("devices"))
            .env_remove("NOTIFY_SOCKET");
        command
    }

    pub fn heartbeat(&self, arguments: &[&str]) -> Finished {
        finish(self.command(arguments))
    }

    pub fn cl_status(&self, arguments: &[&str]) -> Finished {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cl_status"));
        command
            .args(arguments)
            .arg("-C")
            .arg(self.directory.path())
            .stdin(Stdio::null());
        finish(command)
    }

    /// Starts the daemon in the foreground, and waits until it answers.
    pub fn start(&mut self) {
        let command = self.command(&["-f"]);
        self.start_with(command);
    }

    pub fn start_with(&mut self, mut command: Command) {
        command.stdout(Stdio::null());
        self.daemon = Some(command.stderr(Stdio::piped()).spawn().expect("started"));
        self.wait_until_up();
    }

    pub fn wait_until_up(&mut self) {
        let since = clock::now();
        while !self.answers() {
            if let Some(Ok(Some(status))) = self.daemon.as_mut().map(Child::try_wait) {
                let mut text = String::new();
                let stderr = self.daemon.as_mut().and_then(|daemon| daemon.stderr.take());
                stderr.map(|mut stderr| stderr.read_to_string(&mut text));
                panic!("heartbeat ended with {status}: {text}");
            }
            assert!(
                clock::now().since(since) < PATIENCE,
                "no answer; log: {}",
                self.read("ha-log")
            );
            pause();
        }
    }

    pub fn answers(&self) -> bool {
        self.cl_status(&["listnodes"]).exit == 0
    }

    /// The number in the pid file.
    pub fn pid(&self) -> i32 {
        self.read("run/heartbeat.pid")
            .trim()
            .parse()
            .expect("a pid file")
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("signalled");
    }

    /// Kills the daemon as a crash would, and waits for its end.
    pub fn crash(&mut self) {
        let mut daemon = self.daemon.take().expect("runs in the foreground");
        daemon.kill().expect("killed");
        daemon.wait().expect("ended");
    }

    /// The exit status of a daemon in the foreground that ends by itself.
    pub fn wait_for_end(&mut self) -> i32 {
        let mut daemon = self.daemon.take().expect("runs in the foreground");
        wait_for("the daemon's end", || {
            daemon
                .try_wait()
                .expect("a child")
                .and_then(|status| status.code())
        })
    }

    pub fn wait_for_log(&self, text: &str) {
        let found = || self.read("ha-log").contains(text).then_some(());
        wait_for_or(found, || {
            format!("no {text:?} in the log:\n{}", self.read("ha-log"))
        });
    }

    /// Gives back over the serial line what comes over it, until something is the case.
    pub fn echo_until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let mut line = &self.line;
        let mut buffer = [0; 4096];
        wait_for(what, || {
            if let Ok(length) = line.read(&mut buffer) {
                let _ = line.write_all(buffer.get(..length).unwrap_or_default());
            }
            look()
        })
    }

    /// Waits for new bytes on the serial line: the daemon's loop turns.
    pub fn wait_for_heartbeat(&self) {
        let mut line = &self.line;
        let mut buffer = [0; 4096];
        // What was sent before now proves nothing.
        while line.read(&mut buffer).is_ok() {}
        wait_for("a heartbeat", || {
            line.read(&mut buffer).ok().filter(|&length| length > 0)
        });
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        } else if matches!(
            heartbeat::daemon::pid_file::presence(&self.path("run/heartbeat.pid")),
            Ok(heartbeat::daemon::pid_file::Presence::Running(_))
        ) {
            let _ = kill(Pid::from_raw(self.pid()), Signal::SIGKILL);
        }
    }
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

pub fn finish(mut command: Command) -> Finished {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("started");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Finished {
        exit: status.code().unwrap_or(-1),
        out: text(stdout),
        err: text(stderr),
    }
}

/// Between two looks at something that takes its time.
pub fn pause() {
    heartbeat::os::process::pause(Duration::from_millis(10));
}

pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_for_or(look, || format!("waited in vain for {what}"))
}

fn wait_for_or<T>(mut look: impl FnMut() -> Option<T>, complaint: impl Fn() -> String) -> T {
    let since = clock::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock::now().since(since) < PATIENCE, "{}", complaint());
        pause();
    }
}

/// For what this machine may not be able to do. Skips a test, unless everything must be tested.
pub fn skip(why: &str) {
    assert!(
        std::env::var_os("HB_TEST_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "cannot test: {why}"
    );
    eprintln!("skipped: {why}");
}

/// Whether tests may do what only root may.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A copy of a program where any user can run it. Another process makes it: were the file open for writing in
/// this one, a child that another test starts just then could hold it open, and nobody could run it.
pub fn copy_program(program: &str, directory: &Path) -> io::Result<PathBuf> {
    let copy = directory.join("program");
    let mut install = Command::new("install");
    let status = install.args(["-m", "755", program]).arg(&copy).status()?;
    if status.success() {
        Ok(copy)
    } else {
        Err(io::Error::other(format!("install: {status}")))
    }
}
