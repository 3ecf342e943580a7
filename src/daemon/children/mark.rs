//! What every child bears in its environment, so that the daemon after this one knows it.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::cluster::Instant;
use crate::os::proc::Process;

/// What a child is to the daemon after this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An action on a resource. Before it has ended nobody knows what runs.
    Action,
    /// A program of `respawn` or `failfast`. It is ended before it is started again.
    Program,
    /// A script of `rc.d`. The next one waits for its end.
    Hook,
    /// A probe of a monitor. Nothing waits for it.
    Probe,
    /// A fencing device that is asked. It is ended, because the other node may be well by then.
    Fence,
}

impl Kind {
    /// The environment variable that holds the mark.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Action => "HEARTBEAT_ACTION",
            Self::Program => "HEARTBEAT_PROGRAM",
            Self::Hook => "HEARTBEAT_HOOK",
            Self::Probe => "HEARTBEAT_PROBE",
            Self::Fence => "HEARTBEAT_FENCE",
        }
    }
}

/// A process number comes back one day. What began this long after the mark was written is somebody else's.
const LONGEST_FORK: Duration = Duration::from_secs(60);

/// Whose children they are: the state directory that makes a daemon this node. By its inode, because one path can
/// mean two directories to two daemons that see each other's processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    /// The one that has this state directory.
    ///
    /// # Errors
    /// When the directory can't be looked at.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let found = std::fs::metadata(directory)?;
        Ok(Self(format!("{}:{}", found.dev(), found.ino())))
    }
}

/// `<pid> <microseconds since boot> <owner> <limit in milliseconds> <words>`, for example
/// `0000004711 83928392 25:131 120000 /etc/ha.d/resource.d/disk data start`.
///
/// A program has no limit: there a zero stands.
///
/// A service that an action leaves behind inherits the mark and may live for years. It is told from the action by
/// the process number, which the action alone bears: it keeps it whatever program it becomes (a script that ends
/// in `exec` is common) and whatever it calls itself, and nothing that it starts has the same. So neither words nor
/// session are compared: a service with a process group of its own (`set -m`) would pass for an action by these,
/// and an action that became another program would not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pid: i32,
    written: Instant,
    owner: Owner,
    /// What its action may take; zero for a program, which has no limit.
    pub limit: Duration,
    /// What was called.
    pub words: String,
}

/// All but the process number, which only the process itself knows in time.
pub fn rest(written: Instant, owner: &Owner, limit: Duration, words: impl fmt::Display) -> String {
    let (micros, limit) = (written.as_micros(), limit.as_millis());
    format!("{micros} {} {limit} {words}", owner.0)
}

impl Mark {
    /// The mark of this kind in the environment of a process.
    pub fn read(kind: Kind, environment: &[u8]) -> Option<Self> {
        let value = environment.split(|&byte| byte == 0).find_map(|variable| {
            variable
                .strip_prefix(kind.variable().as_bytes())?
                .strip_prefix(b"=")
        })?;
        let text = String::from_utf8_lossy(value);
        let mut words = text.splitn(5, ' ');
        Some(Self {
            pid: words.next()?.parse().ok()?,
            written: Instant::from_micros(words.next()?.parse().ok()?),
            owner: Owner(words.next()?.to_owned()),
            limit: Duration::from_millis(words.next()?.parse().ok()?),
            words: words.next()?.to_owned(),
        })
    }

    /// Whether this process is itself the child, and not something that the child left behind.
    pub fn is_of(&self, process: &Process, owner: &Owner) -> bool {
        let written = Duration::from_micros(self.written.as_micros());
        self.owner == *owner
            && self.pid == process.pid
            && process.group == process.pid
            && process.started.abs_diff(written) <= LONGEST_FORK
    }

    /// Whether this process is the child or something in the process group that it leads or led: as long as a group
    /// has members, its number is given to nobody else.
    pub fn is_of_group(&self, process: &Process, owner: &Owner) -> bool {
        self.owner == *owner && self.pid == process.group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "/etc/ha.d/resource.d/disk  start";

    fn owner(name: &str) -> Owner {
        Owner(name.to_owned())
    }

    /// As the environment of process 4711 has it.
    fn environment() -> Vec<u8> {
        let limit = Duration::from_secs(120);
        let rest = rest(
            Instant::from_micros(500_000_000),
            &owner("25:131"),
            limit,
            WORDS,
        );
        let variable = Kind::Action.variable();
        format!("PATH=/bin\0{variable}S=no\0{variable}=0000004711 {rest}\0HOME=/root\0")
            .into_bytes()
    }

    fn process(pid: i32, group: i32, started: u64) -> Process {
        let started = Duration::from_secs(started);
        Process {
            pid,
            group,
            started,
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let mark = Mark::read(Kind::Action, &environment()).expect("a mark");
        assert_eq!((mark.words.as_str(), mark.limit.as_secs()), (WORDS, 120));
        for other in [Kind::Program, Kind::Hook] {
            assert_eq!(Mark::read(other, &environment()), None, "{other:?}");
        }
        for none in [
            "",
            "\0\0",
            "HEARTBEAT_ACTION",
            "HEARTBEAT_ACTION=",
            "HEARTBEAT_ACTION=1 2 3 4",
            "HEARTBEAT_ACTION=x 2 a 4 words",
            "HEARTBEAT_ACTION=1 -2 a 4 words",
            "HEARTBEAT_ACTION=1 2 a 99999999999999999999 words",
            "MY_HEARTBEAT_ACTION=1 2 a 4 words",
        ] {
            assert_eq!(Mark::read(Kind::Action, none.as_bytes()), None, "{none:?}");
        }
    }

    #[test]
    fn only_the_process_that_the_daemon_made_is_the_action() {
        let mark = Mark::read(Kind::Action, &environment()).expect("a mark");
        for (process, is_action, why) in [
            (process(4711, 4711, 500), true, "the script"),
            (
                process(4711, 4711, 503),
                true,
                "the script, forked on a busy machine",
            ),
            (
                process(4712, 4711, 500),
                false,
                "a service left with `program &`",
            ),
            (
                process(4713, 4713, 500),
                false,
                "a service that called setsid or setpgid",
            ),
            (
                process(4711, 4711, 9000),
                false,
                "a worker of a service that got the number by chance",
            ),
            (process(4711, 4700, 500), false, "not the leader of a group"),
        ] {
            assert_eq!(mark.is_of(&process, &owner("25:131")), is_action, "{why}");
            let is_in_group = process.group == 4711;
            assert_eq!(mark.is_of_group(&process, &owner("25:131")), is_in_group);
            assert!(!mark.is_of_group(&process, &owner("25:132")));
            assert!(
                !mark.is_of(&process, &owner("25:132")),
                "{why}, of another node"
            );
        }
    }
}
