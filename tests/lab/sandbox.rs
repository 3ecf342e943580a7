//! The sandbox: this program again, in namespaces of its own, under the first process of a process
//! namespace. When it ends, however it ends, the kernel ends everything in it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::namespace::{run, run_script};
use super::standstill;

const MARK: &str = "HB_LAB_INSIDE";

/// The longest that a test may take before it is ended and its logs shown.
const TEST_LIMIT: Duration = Duration::from_secs(240);

/// The same for tests that were asked to take longer than usual.
const LONG_TEST_LIMIT: Duration = Duration::from_secs(900);

/// Asks for that.
pub const LONG: &str = "HB_DROP_IN_LONG";

/// Asks for tests of endurance that take so many seconds.
const SOAK: &str = "HB_DROP_IN_SOAK";

/// Asks for so many seconds of faults in the chaos.
const CHAOS: &str = "HB_CHAOS_SECONDS";

/// Asks for stalls of up to so many seconds.
const STALLS: &str = "HB_STALLS";

/// Asks for so many changes of links that fail in one direction.
const CUTS: &str = "HB_CUTS";

/// How many changes of links there are to be, if anybody says so.
pub fn cuts() -> Option<u32> {
    env::var(CUTS).ok()?.parse().ok()
}

/// How long tests of endurance are to take, if anybody says so.
pub fn soak_time() -> Option<Duration> {
    seconds(SOAK)
}

/// How long the faults of the chaos are to go on, if anybody says so.
pub fn chaos_time() -> Option<Duration> {
    seconds(CHAOS)
}

/// How long the longest stall is to be, if anybody says so.
pub fn longest_stall() -> Option<Duration> {
    seconds(STALLS)
}

fn seconds(variable: &str) -> Option<Duration> {
    let seconds = env::var(variable).ok()?.parse();
    Some(Duration::from_secs(seconds.unwrap_or_else(|_| {
        panic!("{variable} is a number of seconds")
    })))
}

/// Whether this process is the one in the sandbox.
pub fn is_inside() -> bool {
    env::var_os(MARK).is_some()
}

/// Whether sandboxes can be made here, and if not, why.
pub fn possible() -> Result<(), String> {
    unshare_options().map(|_| ())
}

/// The first process of a sandbox: a shell, which collects what others leave behind, around the program.
const FIRST: [&str; 3] = ["sh", "-c", "\"$0\" \"$@\"; exit $?"];

/// Says once why tests are skipped.
pub fn tell_skipped(reason: &str) {
    static TOLD: OnceLock<()> = OnceLock::new();
    if TOLD.set(()).is_ok() {
        say(&format!("these tests are skipped: {reason}"));
    }
}

/// Tells whoever runs the tests, past the harness, which hides what passing tests print.
fn say(what: &str) {
    let _ = writeln!(io::stderr(), "\n{what}");
}

/// The options for unshare(1) that work here: as root plainly, else with a user namespace.
fn unshare_options() -> Result<&'static [&'static str], String> {
    const AS_ROOT: &[&str] = &["-nmpf", "--kill-child", "--mount-proc"];
    const AS_USER: &[&str] = &["-Urnmpf", "--kill-child", "--mount-proc"];
    static FOUND: OnceLock<Result<&'static [&'static str], String>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            for tool in ["ip", "bridge", "mount"] {
                if Command::new(tool).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
                    return Err(format!("the program `{tool}` is not installed (Debian: iproute2, mount)"));
                }
            }
            let try_out = "ip link add probe0 type veth peer name probe1 && ip link add probe2 type bridge";
            let mut reason = String::new();
            for options in [AS_ROOT, AS_USER] {
                match Command::new("unshare").args(options).args(["sh", "-c", try_out]).output() {
                    Ok(output) if output.status.success() => return Ok(options),
                    Ok(output) => String::from_utf8_lossy(&output.stderr).trim().clone_into(&mut reason),
                    Err(error) => reason = format!("cannot run unshare: {error}"),
                }
            }
            Err(format!(
                "network namespaces cannot be made here ({reason}); run as root, or allow user namespaces \
                 (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, \
                 kernel.apparmor_restrict_unprivileged_userns)"
            ))
        })
        .clone()
}

/// Replaces this process by one inside a sandbox, with the same arguments. Returns only on failure.
pub fn enter() -> String {
    match command() {
        Ok(mut command) => format!("cannot run unshare: {}", command.exec()),
        Err(reason) => reason,
    }
}

/// What runs this program inside a sandbox, with the same arguments; or why it can't.
pub fn command() -> Result<Command, String> {
    let options = unshare_options()?;
    let program = env::current_exe();
    let program = program.map_err(|error| format!("cannot find my own program file: {error}"))?;
    let mut command = Command::new("unshare");
    command
        .args(options)
        .args(FIRST)
        .arg(program)
        .args(env::args_os().skip(1))
        .env(MARK, "yes");
    Ok(command)
}

/// How often a test is played at most that fails each time for a reason that is not ours.
const PLAYS: usize = 4;

/// Runs the test whose closure has this type name in a sandbox and passes its verdict on.
/// At most `at_once` sandboxes run at a time.
///
/// A test that fails is played again when the computer itself stood still meanwhile (see [`standstill`]) or the test
/// found something else that was not our daemon's and spoils it (see [`excuse`]), and only then.
pub fn run_test_inside(closure: &str, at_once: usize) {
    let path = closure.trim_end_matches("::{{closure}}");
    let name = path.split_once("::").map_or(path, |(_crate, rest)| rest);
    let _permit = Permit::take(at_once);
    standstill::watch();
    for play in 1..=PLAYS {
        let began = Instant::now();
        let (status, output) = play_inside(name);
        if status.success() {
            return;
        }
        let stood = standstill::since(began)
            .map(|stood| format!("this computer stood still for {stood:.1?} meanwhile"));
        let told = output.lines().find_map(|line| line.strip_prefix(EXCUSE));
        match stood.or(told.map(str::to_owned)) {
            Some(reason) if play < PLAYS => say(&format!(
                "{name} failed, which says nothing, for {reason}: played again"
            )),
            Some(reason) => panic!("{name} failed {PLAYS} times; now {reason}; see above"),
            None => panic!("{name} failed inside its sandbox ({status}); see above"),
        }
    }
}

/// How a line begins that tells why a test may be played again.
const EXCUSE: &str = "no verdict if this fails: ";

/// Says inside of a sandbox that something happened that spoils the test and is not ours: it is played again should it fail.
pub fn excuse(reason: &str) {
    println!("{EXCUSE}{reason}");
}

/// Runs one test in a sandbox, and prints and returns what it prints.
fn play_inside(name: &str) -> (ExitStatus, String) {
    let options = unshare_options().expect("checked by the caller");
    let program: OsString = env::current_exe()
        .expect("a running program has a file")
        .into();
    let mut child = Command::new("unshare")
        .args(options)
        .args(FIRST)
        .arg(program)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, "yes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare was found before");
    let errors = child
        .stderr
        .take()
        .map(|stream| thread::spawn(move || read_all(stream)));
    let output = child.stdout.take().map(pass_on).unwrap_or_default();
    let errors = errors
        .and_then(|reader| reader.join().ok())
        .unwrap_or_default();
    let status = child.wait().expect("our own child");
    print!("{errors}");
    assert!(
        output.contains("running 1 test"),
        "no test is named {name:?}"
    );
    (status, output)
}

/// Prints what comes as it comes; all of it.
fn pass_on(stream: impl Read) -> String {
    let mut all = String::new();
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        all.extend([&*line, "\n"]);
    }
    all
}

fn read_all(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Prepares the inside: loopback, and a file system in memory at [`base`].
pub fn furnish() {
    run("ip", &["link", "set", "lo", "up"]);
    run_script(&format!(
        "mount -t tmpfs -o mode=755 laboratory {}",
        base().display()
    ));
}

/// Sees to it that a test ends: when it hangs, when its parent went away, and with the logs when it fails.
pub fn guard_test() {
    end_with_parent();
    thread::spawn(|| {
        let limit = match env::var_os(LONG) {
            Some(_) => LONG_TEST_LIMIT,
            None => TEST_LIMIT,
        };
        let limit = limit + soak_time().or(chaos_time()).unwrap_or_default();
        let limit = limit + Duration::from_secs(2) * cuts().unwrap_or_default();
        // There are several, for owner and other.
        let limit =
            limit + longest_stall().map_or(Duration::ZERO, |stall| stall * 3 + LONG_TEST_LIMIT);
        thread::sleep(limit);
        eprintln!("the test took longer than {limit:?}");
        show_evidence();
        std::process::exit(124);
    });
    show_evidence_of_failure();
}

/// From now on a panic is followed by the logs of all machines.
pub fn show_evidence_of_failure() {
    let ordinary = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        static SHOWN: OnceLock<()> = OnceLock::new();
        ordinary(panic);
        if SHOWN.set(()).is_ok() {
            show_evidence();
        }
    }));
}

/// Ends the sandbox when the process that started it is gone: it holds the other end of our standard input.
fn end_with_parent() {
    thread::spawn(|| {
        let mut nothing = [0; 64];
        while io::stdin().read(&mut nothing).is_ok_and(|count| count > 0) {}
        std::process::exit(125);
    });
}

/// The mount point of the sandbox's own file system: a directory that every system has and that does not
/// hide this program.
pub fn base() -> PathBuf {
    static BASE: OnceLock<PathBuf> = OnceLock::new();
    BASE.get_or_init(|| {
        let program = env::current_exe().unwrap_or_default();
        let free = ["/mnt", "/media", "/srv", "/opt"]
            .into_iter()
            .map(PathBuf::from);
        free.into_iter()
            .find(|path| path.is_dir() && !program.starts_with(path))
            .expect("one of /mnt, /media, /srv, /opt exists")
    })
    .clone()
}

/// Prints what the machines logged; called once, when a test fails.
fn show_evidence() {
    let Ok(entries) = fs::read_dir(base()) else {
        return;
    };
    let mut directories: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    directories.sort();
    for directory in directories {
        let mut shown = Vec::new();
        for file in [
            "ha.d/ha.cf",
            "ha-log",
            "ha-debug",
            "stderr",
            "journal",
            "violations",
        ] {
            let path = directory.join(file);
            let Ok(bytes) = fs::read(&path) else { continue };
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.retain(|line| !shown.contains(line)); // on standard error the daemon says what it logs
            let skipped = lines.len().saturating_sub(150);
            eprintln!("---- {} ({skipped} lines before these)", path.display());
            for line in lines.iter().skip(skipped) {
                eprintln!("{line}");
            }
            shown.append(&mut lines);
        }
    }
}

/// The right to run a sandbox.
struct Permit;

static RUNNING: Mutex<usize> = Mutex::new(0);
static ONE_ENDED: Condvar = Condvar::new();

impl Permit {
    fn take(at_once: usize) -> Self {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        while *running >= at_once {
            running = ONE_ENDED
                .wait(running)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *running += 1;
        Self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ONE_ENDED.notify_one();
    }
}
