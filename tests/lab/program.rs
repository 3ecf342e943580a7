//! The two heartbeats that a machine can run: ours, and 3.0.6 as Debian packages it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::machine::here;

/// Which heartbeat a machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The one of this tree.
    Ours,
    /// The original.
    Old306,
}

/// Where the package puts the daemon.
const OLD_DAEMON: &str = "/usr/libexec/heartbeat/heartbeat";

/// What the package and those that it needs bring into `/etc/ha.d`.
const OLD_FILES: [&str; 4] = ["harc", "shellfuncs", "rc.d", "resource.d"];

impl Program {
    /// A command of this program by the name that both use, without arguments.
    ///
    /// Ours are told where the files are, unless they are where they belong.
    pub fn command(self, name: &str, installed: bool) -> Command {
        match self {
            Self::Ours => {
                let mut command = Command::new(built(name));
                if !installed {
                    command.arg("-C").arg(here().join("ha.d"));
                }
                command
            }
            Self::Old306 => Command::new(match name {
                "heartbeat" => OLD_DAEMON.into(),
                "hb_standby" | "hb_takeover" => format!("/usr/share/heartbeat/{name}"),
                _ => format!("/usr/bin/{name}"),
            }),
        }
    }

    /// The daemon, to run in the foreground.
    pub fn daemon(self, installed: bool) -> Command {
        let mut command = self.command("heartbeat", installed);
        command.arg("-f");
        command
    }

    /// The processes of the daemon among all of a machine. The original is many, and a child of it is one of them
    /// until it has become a script.
    pub fn daemon_processes(self, first: i32, all: &[i32]) -> Vec<i32> {
        match self {
            Self::Ours => vec![first],
            Self::Old306 => all
                .iter()
                .copied()
                .filter(|&pid| is_heartbeat(pid))
                .collect(),
        }
    }
}

fn is_heartbeat(pid: i32) -> bool {
    name(pid) == "heartbeat"
}

/// What a process is called; nothing where there is none.
pub fn name(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim().to_owned()
}

/// Whether the original can run in a sandbox here, and if not, why.
pub fn can_run_old() -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("only root can run heartbeat 3.0.6".to_owned());
    }
    if !Path::new(OLD_DAEMON).is_file() {
        return Err(format!(
            "heartbeat 3.0.6 is not installed: there is no {OLD_DAEMON} (Debian: heartbeat)"
        ));
    }
    for (path, package) in [
        (
            "/usr/lib/ocf/resource.d/heartbeat/IPaddr",
            "resource-agents",
        ),
        ("/usr/sbin/ifconfig", "net-tools"),
    ] {
        if !Path::new(path).exists() && !Path::new(path.trim_start_matches("/usr")).exists() {
            return Err(format!(
                "the address script of heartbeat 3.0.6 needs {path} (Debian: {package})"
            ));
        }
    }
    Ok(())
}

/// Shell commands that see to it that the package is 3.0.6, and furnish a machine whose files are in `own` like one where the package is installed: what it
/// keeps in `/etc/ha.d`, `/var/lib/heartbeat` and `/run` is the machine's own.
pub fn installation(name: &str, own: &Path) -> String {
    let run = fresh_run(own);
    let own = own.display();
    format!(
        "{OLD_DAEMON} -V | grep -q '^3\\.0\\.6 '\n\
         for file in {files}; do cp -a /etc/ha.d/$file {own}/ha.d/; done\n\
         cores={own}/lib/cores\n\
         install -d -m 755 {own}/lib {own}/run $cores\n\
         install -d -m 700 -o root $cores/root\n\
         install -d -m 700 -o hacluster $cores/hacluster\n\
         install -d -m 700 -o nobody $cores/nobody\n\
         install -d -m 750 -o hacluster -g haclient {own}/lib/ccm {own}/lib/crm {own}/lib/pengine\n\
         {run}\
         mount --bind {own}/ha.d /etc/ha.d\n\
         mount --bind {own}/lib /var/lib/heartbeat\n\
         mount --bind {own}/run /run\n\
         echo {name} > /proc/sys/kernel/hostname\n",
        files = OLD_FILES.join(" "),
    )
}

/// Shell commands that make a machine's `/run` what it is after a boot.
pub fn fresh_run(own: &Path) -> String {
    let own = own.display();
    format!(
        "find {own}/run -mindepth 1 -delete\n\
         install -d -m 755 {own}/run/lock {own}/run/resource-agents\n\
         for directory in '' /ccm /crm /dopd; do\n\
             install -d -m 750 -o hacluster -g haclient {own}/run/heartbeat$directory\n\
         done\n"
    )
}

/// A program of ours: where cargo put it, two or one directories above tests, examples and benchmarks.
pub fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a file");
    let found = own
        .ancestors()
        .skip(1)
        .take(3)
        .map(|directory: &Path| directory.join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("`{name}` is not built; run `cargo build --bins` with the same profile")
    })
}
