//! Whether a resource runs on this machine, as the resource itself says. Starts and stops nothing.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::config::{Config, ResourceWord};
use crate::os::clock::since_boot;
use crate::os::process::pause;
use crate::resource::address::{AddressError, Addresses};
use crate::resource::catalogue::{CatalogueError, Places, Resource};
use crate::resource::{Action, Invocation, Standing, environment};

/// A status that takes longer says nothing any more.
const LIMIT: Duration = Duration::from_secs(20);
/// Between two looks at a script.
const PACE: Duration = Duration::from_millis(10);
/// No status needs more.
const MOST_OUTPUT: u64 = 64 * 1024;

/// Why a resource could not be asked.
#[derive(Debug)]
pub(super) enum AskError {
    Catalogue(CatalogueError),
    Address(AddressError),
    Netlink(io::Error),
    Run(Invocation, io::Error),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalogue(error) => error.fmt(f),
            Self::Address(error) => error.fmt(f),
            Self::Netlink(error) => write!(f, "cannot open a routing netlink socket: {error}"),
            Self::Run(invocation, error) => write!(f, "cannot run {invocation}: {error}"),
        }
    }
}

/// This machine, as the configuration sees it.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    config: &'a Config,
    places: Places,
}

impl<'a> Machine<'a> {
    pub fn new(config: &'a Config) -> Self {
        Self {
            config,
            places: Places::new(&config.directory),
        }
    }

    /// Whether a resource runs here.
    pub fn standing(&self, word: &ResourceWord) -> Result<Standing, AskError> {
        let resource = self.places.find(word).map_err(AskError::Catalogue)?;
        if let Resource::Address { spec, .. } = &resource {
            let mut addresses = Addresses::open().map_err(AskError::Netlink)?;
            let holders = addresses.holders(spec).map_err(AskError::Address)?;
            return Ok(if holders.is_empty() {
                Standing::Stopped
            } else {
                Standing::Running
            });
        }
        let invocation = resource.invocation(Action::Status, LIMIT);
        match self.run(&invocation) {
            Ok(None) => Ok(Standing::Unknown),
            Ok(Some(answer)) => Ok(resource.standing(&answer.stdout, &answer.lines(), answer.code)),
            Err(error) => Err(AskError::Run(invocation, error)),
        }
    }

    /// None when it did not end in time or by itself. What it writes goes into memory and not into a pipe, which
    /// something that the script left behind could hold open.
    fn run(&self, invocation: &Invocation) -> io::Result<Option<Answer>> {
        let memory = || memfd_create(c"status", MFdFlags::MFD_CLOEXEC).map(File::from);
        let (stdout, stderr) = (memory()?, memory()?);
        let mut child = Command::new(&invocation.program)
            .args(&invocation.arguments)
            .env_clear()
            .envs(environment::variables(self.config))
            .envs(
                invocation
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(environment::directory(self.config, "root"))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?)
            .spawn()?;
        let since = since_boot();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if since_boot().saturating_sub(since) >= LIMIT {
                if let Ok(group) = i32::try_from(child.id()) {
                    let _ = killpg(Pid::from_raw(group), Signal::SIGKILL); // fails only when nobody is left
                }
                return Ok(None);
            }
            pause(PACE);
        };
        let Some(code) = status.code() else {
            return Ok(None);
        };
        Ok(Some(Answer {
            code,
            stdout: written(stdout)?,
            stderr: written(stderr)?,
        }))
    }
}

/// What a script said.
struct Answer {
    code: i32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Answer {
    fn lines(&self) -> Vec<String> {
        let both = [&self.stdout, &self.stderr];
        let lines = both
            .into_iter()
            .flat_map(|text| text.split(|&byte| byte == b'\n'));
        lines
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }
}

fn written(mut file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.take(MOST_OUTPUT).read_to_end(&mut text)?;
    Ok(text)
}
