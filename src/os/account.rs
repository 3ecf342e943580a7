//! Users of this machine, and becoming one of them.

use std::ffi::CString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use nix::unistd::{Gid, Uid, User};

/// A user as the system knows him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// All groups that he is in, the one above among them.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: PathBuf,
}

impl Account {
    /// The user of this name; `None` when there is none. May ask the network: not for the event loop.
    ///
    /// # Errors
    /// When the system's list of users can't be asked.
    pub fn find(name: &str) -> io::Result<Option<Self>> {
        let Some(user) = User::from_name(name)? else {
            return Ok(None);
        };
        let groups = nix::unistd::getgrouplist(&CString::new(name)?, user.gid)?;
        Ok(Some(Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
            home: user.dir,
        }))
    }
}

/// Who runs this program: a name, or a number where there is none. May ask the network: not for the event loop.
pub fn user_name() -> String {
    let uid = Uid::current();
    let user = User::from_uid(uid).ok().flatten();
    user.map_or_else(|| format!("user {uid}"), |user| user.name)
}

/// Has the program that `command` starts run as this user, with his groups, and end with us: when our main thread
/// ends, however that happens, the program gets SIGTERM.
///
/// Call it before anything else is added that takes place between fork and exec.
pub fn run_as(command: &mut Command, account: &Account) {
    let groups: Vec<Gid> = account.groups.iter().copied().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    let parent = nix::unistd::getpid();
    let become_it = move || {
        let is_same = nix::unistd::geteuid() == uid;
        let become_it = || {
            nix::unistd::setgroups(&groups)?;
            nix::unistd::setgid(gid)?;
            nix::unistd::setuid(uid)
        };
        match become_it() {
            // Who stays who he is needs no right to change it.
            Err(_) if is_same => {}
            other => other?,
        }
        // After the change of user, which would undo it.
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM)?;
        if nix::unistd::getppid() == parent {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::BrokenPipe)) // the signal would never come
        }
    };
    // SAFETY: runs between fork and exec, where memory must not be allocated and no lock be taken: it reads memory
    // that it owns and makes system calls. Not even an error is allocated.
    unsafe { command.pre_exec(become_it) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_and_nobody_of_a_made_up_name() {
        let root = Account::find("root").expect("asked").expect("there");
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0), "{root:?}");
        assert_eq!(Account::find("no-such-user").expect("asked"), None);
        assert_eq!(Account::find("with a \0 byte").expect("asked"), None);
    }
}
