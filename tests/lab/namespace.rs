//! Network, mount and host name namespaces, kept by descriptors: they end with the process that holds them.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::{self, Child, Command, Output, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

/// A machine's own view of network and file system, and its host name.
pub struct Namespace {
    network: File,
    mounts: File,
    name: File,
}

impl Namespace {
    /// Makes the namespaces and runs a shell script in them.
    pub fn new(prepare: &str) -> Self {
        in_thread(|| {
            let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS;
            unshare(CloneFlags::CLONE_FS | own).expect("a sandbox may make namespaces");
            let open = |kind: &str| {
                File::open(format!("/proc/thread-self/ns/{kind}")).expect("a thread has namespaces")
            };
            let made = Self {
                network: open("net"),
                mounts: open("mnt"),
                name: open("uts"),
            };
            run("ip", &["link", "set", "lo", "up"]);
            run_script(prepare);
            made
        })
    }

    /// Does `work` as if on this machine. Sockets made there keep belonging to it.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        in_thread(|| {
            self.enter();
            work()
        })
    }

    /// Moves the calling thread into this machine, for good.
    pub fn enter(&self) {
        unshare(CloneFlags::CLONE_FS).expect("a thread may have its own root directory");
        setns(&self.mounts, CloneFlags::CLONE_NEWNS).expect("made by us");
        setns(&self.network, CloneFlags::CLONE_NEWNET).expect("made by us");
        setns(&self.name, CloneFlags::CLONE_NEWUTS).expect("made by us");
    }

    /// Another handle on the same namespaces.
    pub fn share(&self) -> Self {
        let again = |file: &File| file.try_clone().expect("descriptors are left");
        Self {
            network: again(&self.network),
            mounts: again(&self.mounts),
            name: again(&self.name),
        }
    }

    /// Starts a program on this machine.
    pub fn spawn(&self, command: &mut Command) -> Child {
        self.within(|| {
            command
                .spawn()
                .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
        })
    }

    /// A path under which `ip link … netns` finds the network namespace.
    pub fn network_path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.network.as_raw_fd())
    }

    /// The processes of this machine: those that see its file systems.
    pub fn processes(&self) -> Vec<i32> {
        let own = std::fs::read_link(format!("/proc/self/fd/{}", self.mounts.as_raw_fd()))
            .unwrap_or_default();
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| {
                std::fs::read_link(format!("/proc/{pid}/ns/mnt")).is_ok_and(|seen| seen == own)
            })
            .collect()
    }
}

fn in_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(answer) => answer,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Runs a program to its end, which must be a good one.
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Runs a shell script that must succeed in every line.
#[track_caller]
pub fn run_script(script: &str) {
    run("sh", &["-euc", script]);
}

/// Runs `ip` or `bridge` once for many lines.
#[track_caller]
pub fn run_batch(program: &str, lines: &[String]) {
    run_input(program, &["-batch", "-"], &lines.join("\n"));
}

/// Runs a program to its end, which must be a good one, and gives it something to read.
#[track_caller]
pub fn run_input(program: &str, arguments: &[&str], input: &str) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
    if let Some(mut pipe) = child.stdin.take() {
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().expect("our own child");
    assert!(
        output.status.success(),
        "{program} {arguments:?} with {input:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
