//! What is made around the sandbox and taken away after it, however the run ends: a directory on a real disk, a control group
//! with little memory, and a swap file.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FallocateFlags, Flock, FlockArg, fallocate};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::lab::{program, sandbox, wait_for};

/// Memory of the control group, in bytes.
pub const MEMORY: u64 = 768 << 20;
/// Size of the swap file, in bytes.
const SWAP: i64 = 2 << 30;
/// How long the kernel may take to give back what processes had that have just ended.
const SETTLING: Duration = Duration::from_secs(60);

/// How the inside learns of the directory, of the control group, and of the swap.
const DIRECTORY: &str = "HB_LOAD_DIRECTORY";
const GROUP: &str = "HB_LOAD_GROUP";
const SWAPS: &str = "HB_LOAD_SWAPS";

/// What the inside was given.
pub struct Ground {
    /// A directory on the disk that is loaded.
    pub directory: PathBuf,
    /// The control group.
    pub group: Group,
    /// Whether there is a swap file.
    pub swaps: bool,
}

impl Ground {
    /// As the environment tells it.
    pub fn given() -> Result<Self, String> {
        let path = |name: &str| {
            let value = std::env::var_os(name);
            value
                .map(PathBuf::from)
                .ok_or_else(|| format!("{name} is not set: start this with `make load`"))
        };
        Ok(Self {
            directory: path(DIRECTORY)?,
            group: Group(path(GROUP)?),
            swaps: std::env::var_os(SWAPS).is_some(),
        })
    }
}

/// Prepares everything, runs this program again in a sandbox, and takes everything away.
pub fn run_inside() -> Result<ExitCode, String> {
    sandbox::possible()?;
    program::can_run_old()?;
    if Command::new("stress-ng")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        return Err("the program `stress-ng` is not installed (Debian: stress-ng)".to_owned());
    }
    let root = root()?;
    fs::create_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
    let lock = File::create(root.join("lock")).map_err(|error| error.to_string())?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock)
        .map_err(|_| "another run is under way".to_owned())?;
    let is_interrupted = Arc::new(AtomicBool::new(false));
    let signals = block_signals();
    let made = Made::new(&root)?;
    let mut command = sandbox::command()?;
    command
        .env(DIRECTORY, &made.directory)
        .env(GROUP, &made.group.0)
        .stdin(Stdio::piped());
    match &made.swap {
        Ok(_) => {
            command.env(SWAPS, "yes");
        }
        Err(reason) => println!(
            "No swap file can be made here ({reason}): memory is reclaimed, but not swapped."
        ),
    }
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot run unshare: {error}"))?;
    end_with_signals(signals, &child, Arc::clone(&is_interrupted));
    let held = child.stdin.take(); // the inside ends when this does
    let status = child.wait();
    drop(held);
    drop(made);
    if is_interrupted.load(Ordering::SeqCst) {
        println!("\nStopped. Nothing is left behind.");
        return Ok(ExitCode::from(130));
    }
    match status {
        Ok(status) if status.success() => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::FAILURE),
        Err(error) => Err(error.to_string()),
    }
}

/// Beside this program, which cargo has put into `target`.
fn root() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = program.ancestors().nth(3);
    let target = target.ok_or("this program is not where cargo puts it")?;
    Ok(target.join("tmp/load"))
}

fn block_signals() -> SigSet {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
        .into_iter()
        .collect();
    signals
        .thread_block()
        .expect("any process may block signals");
    signals
}

/// With the first process of the sandbox the kernel ends the others.
fn end_with_signals(signals: SigSet, child: &Child, is_interrupted: Arc<AtomicBool>) {
    let pid = i32::try_from(child.id()).expect("the kernel counts no further");
    thread::spawn(move || {
        let _ = signals.wait();
        is_interrupted.store(true, Ordering::SeqCst);
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    });
}

/// What has to be taken away again.
struct Made {
    directory: PathBuf,
    group: Group,
    swap: Result<Swap, String>,
}

impl Made {
    /// What a run left that was killed goes first.
    fn new(root: &Path) -> Result<Self, String> {
        let directory = root.join("disk");
        let file = root.join("swap");
        Swap(file.clone()).remove();
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        let group = Group::new()?;
        Ok(Self {
            directory,
            group,
            swap: Swap::new(file),
        })
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if !self.group.remove() {
            eprintln!("{} cannot be removed", self.group.0.display());
        }
        if let Ok(swap) = &self.swap {
            swap.remove();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A control group with little memory.
pub struct Group(PathBuf);

impl Group {
    fn new() -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mut reason = "no file system of control groups is mounted".to_owned();
        for line in mounts.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, place, kind, options, ..] = words[..] else {
                continue;
            };
            let limit = match kind {
                "cgroup2" => {
                    // Refused where it is on already, or where version 1 has it.
                    let _ = fs::write(Path::new(place).join("cgroup.subtree_control"), "+memory");
                    "memory.max"
                }
                "cgroup" if options.split(',').any(|word| word == "memory") => {
                    "memory.limit_in_bytes"
                }
                _ => continue,
            };
            let this = Self(Path::new(place).join("heartbeat-load"));
            this.remove();
            let made = fs::create_dir(&this.0)
                .and_then(|()| set(&this.0.join(limit), &MEMORY.to_string()));
            match made {
                Ok(()) => return Ok(this),
                Err(error) => reason = format!("{}: {error}", this.0.display()),
            }
            this.remove();
        }
        Err(format!("memory cannot be limited here: {reason}"))
    }

    /// What `work` starts is in the group from its beginning.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        set(&self.0.join("cgroup.procs"), "0")?;
        let result = work();
        let home = self.0.parent().unwrap_or(&self.0);
        set(&home.join("cgroup.procs"), "0")?;
        Ok(result)
    }

    /// Whether it is gone.
    fn remove(&self) -> bool {
        let gone = || match fs::remove_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => None,
            _ => Some(()),
        };
        wait_for(SETTLING, gone).is_some()
    }
}

/// Control groups want to be told in one write, and no file to be made.
fn set(path: &Path, value: &str) -> io::Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(value.as_bytes())
}

/// A swap file in use.
struct Swap(PathBuf);

impl Swap {
    fn new(path: PathBuf) -> Result<Self, String> {
        let file = File::create(&path).map_err(|error| error.to_string())?;
        let this = Self(path);
        let result = this.fill(&file).and_then(|()| {
            command("mkswap", &this.0)?;
            command("swapon", &this.0)
        });
        match result {
            Ok(()) => Ok(this),
            Err(reason) => {
                this.remove();
                Err(reason)
            }
        }
    }

    fn fill(&self, file: &File) -> Result<(), String> {
        fs::set_permissions(&self.0, fs::Permissions::from_mode(0o600))
            .map_err(|error| error.to_string())?;
        fallocate(file, FallocateFlags::empty(), 0, SWAP).map_err(|error| error.to_string())
    }

    fn remove(&self) {
        let path = self.0.to_string_lossy().into_owned();
        let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
        if swaps.lines().any(|line| line.starts_with(&path))
            && let Err(reason) = command("swapoff", &self.0)
        {
            eprintln!(
                "the swap file is in use still: {reason}; run `swapoff {path}` and remove it"
            );
            return;
        }
        let _ = fs::remove_file(&self.0);
    }
}

fn command(name: &str, path: &Path) -> Result<(), String> {
    let output = Command::new(name).arg(path).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(format!("{name}: {said}"))
    }
}
