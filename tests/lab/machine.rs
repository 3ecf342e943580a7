//! One machine of a pair: its namespaces, its files, its cables and the daemon on it.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::journal::Journal;
use super::namespace::{Namespace, run, run_batch, run_script};
use super::network::{Cable, Failure, Switch};
use super::program::{Program, fresh_run, installation};
use super::{PATIENCE, base, files, usage, wait_for};

/// A machine. Dropping it leaves everything to the end of the sandbox.
pub struct Machine {
    /// The node name.
    pub name: &'static str,
    /// Network and mount namespace.
    pub namespace: Namespace,
    /// More words for the command line of our daemon.
    pub options: Vec<String>,
    /// More variables for the environment of our daemon.
    pub environment: Vec<(&'static str, PathBuf)>,
    /// Which heartbeat it runs. To change it, stop the one and start the other.
    pub program: Program,
    /// The cables by interface name, `eth0` first.
    pub cables: Vec<(String, Cable)>,
    fixed: Vec<IpAddr>,
    directory: PathBuf,
    installed: bool,
    daemon: Option<Child>,
}

impl Machine {
    /// Makes a machine of this name and directory, with a `/dev` of its own and an empty configuration directory. Inside, its files are
    /// under [`here`], so that both machines of a pair can have the same files.
    pub fn new(name: &'static str, directory: &str) -> Self {
        let directory = base().join(directory);
        fs::create_dir_all(directory.join("ha.d/resource.d")).expect("our own file system");
        fs::create_dir_all(here()).expect("our own file system");
        let namespace = Namespace::new(&format!(
            "mkdir -p {own}/dev/pts {own}/dev/shm\n\
             for device in null zero full random urandom tty ptmx; do\n\
                 : > {own}/dev/$device\n\
                 mount --bind /dev/$device {own}/dev/$device\n\
             done\n\
             mount --rbind /dev/pts {own}/dev/pts\n\
             mount --rbind {own} {here}\n\
             mount --rbind {own}/dev /dev\n",
            own = directory.display(),
            here = here().display(),
        ));
        let machine = Self {
            name,
            namespace,
            options: Vec::new(),
            environment: Vec::new(),
            program: Program::Ours,
            cables: Vec::new(),
            fixed: Vec::new(),
            directory,
            installed: false,
            daemon: None,
        };
        files::write(&machine.file("ha.d/nodeinfo"), &format!("{name}\n"), 0o644);
        files::install_disk_script(name, &machine.directory);
        machine
    }

    /// Makes it a machine on which heartbeat is installed, with all files where both programs look for them.
    pub fn install(&mut self, program: Program) {
        self.program = program;
        self.installed = true;
        let script = installation(self.name, &self.directory);
        self.namespace.within(|| run_script(&script));
    }

    /// Connects it to a segment.
    pub fn attach(&mut self, segment: &Switch, interface: &str, address: Ipv4Addr) {
        let cable = segment.attach(&self.namespace, interface, address);
        self.cables.push((interface.to_owned(), cable));
        self.fixed.push(address.into());
    }

    /// Gives an interface another address of this machine's own (prefix length 64), which it has after every boot.
    pub fn add_address(&mut self, interface: &str, address: Ipv6Addr) {
        let line = format!("address add {address}/64 dev {interface} nodad");
        self.namespace.within(|| run_batch("ip", &[line]));
        self.fixed.push(address.into());
    }

    /// Gives an interface another address of this machine's own (prefix length 16), which it has after every boot.
    pub fn add_wide_address(&mut self, interface: &str, address: Ipv4Addr) {
        let line = format!("address add {address}/16 broadcast + dev {interface}");
        self.namespace.within(|| run_batch("ip", &[line]));
        self.fixed.push(address.into());
    }

    /// A file of this machine as the outside sees it.
    pub fn file(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// Makes an action of a `disk` last until it is released; `stop-data` is the stop of `disk::data`.
    pub fn hold(&self, action: &str) {
        files::write(&self.held(action), "", 0o644);
    }

    /// Lets the action get on.
    pub fn release(&self, action: &str) {
        fs::remove_file(self.held(action)).expect("it was held");
    }

    fn held(&self, action: &str) -> PathBuf {
        self.file(&format!("held-{action}"))
    }

    /// The log that its ha.cf names.
    pub fn log(&self) -> Journal {
        Journal::new(&self.file("ha-log"))
    }

    /// The log with debug lines that its ha.cf names where heartbeat is installed.
    pub fn debug_log(&self) -> Journal {
        Journal::new(&self.file("ha-debug"))
    }

    /// Starts the daemon; it must not run yet.
    pub fn start(&mut self) -> Instant {
        assert!(self.daemon.is_none(), "{} has a daemon already", self.name);
        let errors = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.file("stderr"));
        let mut command = self.program.daemon(self.installed);
        if self.program == Program::Ours {
            command.args(&self.options);
            command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors.expect("our own file system"));
        let now = Instant::now();
        self.daemon = Some(self.namespace.spawn(&mut command));
        now
    }

    /// The daemon's process id.
    pub fn pid(&self) -> i32 {
        let daemon = self.daemon.as_ref();
        let daemon = daemon.unwrap_or_else(|| panic!("{} has no daemon", self.name));
        i32::try_from(daemon.id()).expect("the kernel counts no further")
    }

    /// Sends the daemon a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("our own child");
    }

    /// Asks the daemon to stop.
    pub fn request_stop(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Waits for the end of the daemon, which was asked for before.
    #[track_caller]
    pub fn wait_stopped(&mut self) -> ExitStatus {
        let ended = self.ended_within(PATIENCE);
        ended.unwrap_or_else(|| {
            panic!(
                "the daemon of {} did not end within {PATIENCE:?}: {}",
                self.name,
                usage::whereabouts(self.pid())
            )
        })
    }

    /// The daemon's exit status, if it ended or does so within this time.
    pub fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let daemon = self.daemon.as_mut().expect("a daemon was started");
        let status = wait_for(limit, || daemon.try_wait().expect("our own child"))?;
        self.daemon = None;
        Some(status)
    }

    /// Stops the daemon gracefully and waits for its end.
    #[track_caller]
    pub fn stop(&mut self) {
        self.request_stop();
        let status = self.wait_stopped();
        assert!(
            status.success(),
            "the daemon of {} ended with {status}",
            self.name
        );
    }

    /// Sends a signal to every process of the daemon, but not to what it started.
    pub fn signal_all(&self, signal: Signal) {
        let all = self.namespace.processes();
        for pid in self.program.daemon_processes(self.pid(), &all) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Kills the daemon alone; what it started stays, and so do the addresses.
    pub fn kill_daemon(&mut self) -> Instant {
        let now = Instant::now();
        if self.daemon.is_some() {
            self.signal_all(Signal::SIGSTOP); // no process of it gets to see the death of another
            self.signal_all(Signal::SIGKILL);
        }
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.wait();
        }
        now
    }

    /// Takes the power away: cables first, so that not even the kernel says a last word, then every process,
    /// and what a machine without power doesn't keep. `off` is told in between: from then on, what is left in
    /// the namespaces for a moment is no longer a machine. The null modem is up to the caller.
    pub fn power_off(&mut self, off: impl FnOnce()) -> Instant {
        self.cut_all(Failure::Silent);
        off();
        files::forget_disks(self.name, &self.directory);
        let now = self.kill_daemon();
        // Again and again: one look may miss what was started a moment ago.
        let gone = wait_for(PATIENCE, || {
            let left = self.namespace.processes();
            for pid in &left {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            left.is_empty().then_some(())
        });
        assert!(gone.is_some(), "{} does not lose its power", self.name);
        self.forget();
        now
    }

    /// What the loss of power does to memory: floating addresses and locks are gone.
    fn forget(&self) {
        files::forget_disks(self.name, &self.directory);
        if self.installed {
            run_script(&fresh_run(&self.directory));
        }
        self.namespace.within(|| {
            let text = run("ip", &["-o", "address", "show", "scope", "global"]).stdout;
            let text = String::from_utf8_lossy(&text).into_owned();
            let mut lines = Vec::new();
            for line in text.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                if let [_, interface, _, address, ..] = words[..] {
                    let host = address.split('/').next().and_then(|host| host.parse().ok());
                    if !host.is_some_and(|host| self.fixed.contains(&host)) {
                        lines.push(format!("address del {address} dev {interface}"));
                    }
                }
            }
            run_batch("ip", &lines);
        });
    }

    /// Cuts every network cable.
    pub fn cut_all(&self, failure: Failure) {
        for (_, cable) in &self.cables {
            cable.cut(failure);
        }
    }

    /// Mends every network cable.
    pub fn restore_all(&self) {
        for (_, cable) in &self.cables {
            cable.restore();
        }
    }

    /// The cable of an interface.
    pub fn cable(&self, interface: &str) -> &Cable {
        let found = self.cables.iter().find(|(name, _)| name == interface);
        &found
            .unwrap_or_else(|| panic!("{} has no {interface}", self.name))
            .1
    }

    /// Whether an address is on this machine now.
    pub fn holds(&self, address: Ipv4Addr) -> bool {
        self.namespace
            .within(|| super::watch::Probe::new().is_local(address))
    }

    /// Runs a command of its heartbeat there: what it printed and its exit status.
    pub fn command(&self, name: &str, arguments: &[&str]) -> (String, Option<i32>) {
        let mut command = self.program.command(name, self.installed);
        command.args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = self.namespace.spawn(&mut command);
        let mut text = String::new();
        if let Some(mut output) = child.stdout.take() {
            let _ = output.read_to_string(&mut text);
        }
        (text, child.wait().ok().and_then(|status| status.code()))
    }

    /// Runs a command of its heartbeat there: what it said on standard error, and its exit status.
    pub fn complaint(&self, name: &str, arguments: &[&str]) -> (String, Option<i32>) {
        let mut command = self.program.command(name, self.installed);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = self.namespace.spawn(&mut command);
        let mut text = String::new();
        if let Some(mut error) = child.stderr.take() {
            let _ = error.read_to_string(&mut text);
        }
        (text, child.wait().ok().and_then(|status| status.code()))
    }

    /// `cl_status` with these arguments: the first line that it prints.
    pub fn cl_status(&self, arguments: &[&str]) -> String {
        let (text, _status) = self.command("cl_status", arguments);
        text.lines().next().unwrap_or_default().trim().to_owned()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill_daemon();
    }
}

/// Where each machine finds its own files.
pub fn here() -> PathBuf {
    base().join("here")
}
