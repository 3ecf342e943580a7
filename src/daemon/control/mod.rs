//! The control socket: who may ask, and no client may delay the daemon or another client.
//!
//! What is said over it is in [`crate::control`].

mod client;
mod follower;
pub mod request;
mod turn;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use mio::event::Event;
use mio::net::UnixListener;
use mio::{Interest, Registry, Token};

use crate::cluster::Instant;
use crate::config::ApiAuth;
use crate::control::{Answer, Places, Request};
use crate::daemon::events::EventLog;
use crate::os::credentials::PeerCredentials;
use crate::os::process::{group_id, user_id};
use client::Client;
use request::Rights;
use turn::{Progress, Turn};

/// Clients at a time. A further one takes the place of the one that has been here the longest.
pub const MAX_CLIENTS: usize = 16;
/// How many tokens the server needs: the listener's and one a client.
pub const TOKENS: usize = MAX_CLIENTS + 1;
/// Accepted in one turn.
const MAX_ACCEPTS: usize = 16;

/// So many may stay for what happens; the other places are for those who ask and go.
const MAX_FOLLOWERS: usize = MAX_CLIENTS / 2;

/// Who may ask.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// They may move resources; all others may only ask.
    administrators: BTreeSet<u32>,
    users: BTreeSet<u32>,
    groups: BTreeSet<u32>,
}

impl Access {
    /// The user we run as, root and hacluster may do everything; whom `apiauth anon` names may ask. May ask the
    /// network for names.
    pub fn new(apiauth: &[ApiAuth]) -> Self {
        let mut access = Self {
            administrators: BTreeSet::from([0, nix::unistd::geteuid().as_raw()]),
            ..Self::default()
        };
        access.administrators.extend(user_id("hacluster"));
        for line in apiauth.iter().filter(|line| line.client == "anon") {
            access
                .users
                .extend(line.users.iter().filter_map(|name| user_id(name)));
            access
                .groups
                .extend(line.groups.iter().filter_map(|name| group_id(name)));
        }
        access
    }

    /// Whether whoever this is may see anything.
    pub fn may_ask(&self, peer: &PeerCredentials) -> bool {
        self.rights(peer) >= Rights::Ask
    }

    fn rights(&self, peer: &PeerCredentials) -> Rights {
        let is_in_a_group = || peer.groups.iter().any(|group| self.groups.contains(group));
        if self.administrators.contains(&peer.user) {
            Rights::Move
        } else if self.users.contains(&peer.user) || is_in_a_group() {
            Rights::Ask
        } else {
            Rights::Nothing
        }
    }
}

/// Why there is no control socket.
#[derive(Debug)]
pub struct Error {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot open the control socket {}: {}",
            self.path.display(),
            self.error
        )
    }
}

impl Error {
    /// Whether more rights would have helped.
    pub fn is_permission(&self) -> bool {
        self.error.kind() == io::ErrorKind::PermissionDenied
    }
}

/// The listening socket and its clients.
#[derive(Debug)]
pub struct ControlServer {
    path: PathBuf,
    listener: UnixListener,
    /// Device and inode of the socket file.
    file: (u64, u64),
    /// It is gone and cannot be made again; this was told.
    complained: bool,
    access: Access,
    tokens: Range<usize>,
    clients: [Option<Client>; MAX_CLIENTS],
    /// More connections may wait: readiness is reported only once.
    accepting: bool,
}

impl ControlServer {
    /// Makes the directory and the socket. A socket left behind is replaced: whoever calls this holds the
    /// pid file.
    ///
    /// # Errors
    /// When the socket can't be made.
    pub fn open(
        places: &Places,
        access: Access,
        registry: &Registry,
        tokens: Range<usize>,
    ) -> Result<Self, Error> {
        let path = places.control_socket();
        match listen(&path, registry, Token(tokens.start)) {
            Ok((listener, file)) => {
                let clients = [const { None }; MAX_CLIENTS];
                Ok(Self {
                    path,
                    listener,
                    file,
                    complained: false,
                    access,
                    tokens,
                    clients,
                    accepting: true,
                })
            }
            Err(error) => Err(Error { path, error }),
        }
    }

    /// Makes the socket again if somebody removed it: nobody would find us any more.
    pub fn restore(&mut self, registry: &Registry) {
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            return;
        }
        let path = self.path.display();
        match listen(&self.path, registry, Token(self.tokens.start)) {
            Ok((listener, file)) => {
                log::warn!("Somebody removed the control socket {path}; it is made again");
                let _ = registry.deregister(&mut self.listener); // closing it does the same
                (self.listener, self.file) = (listener, file);
                self.accepting = true;
                self.complained = false;
            }
            Err(error) if !self.complained => {
                log::error!(
                    "Somebody removed the control socket {path}. It cannot be made again: {error}"
                );
                self.complained = true;
            }
            Err(_) => {}
        }
    }

    /// Takes note of an event if it is for one of our tokens.
    pub fn ready(&mut self, event: &Event) {
        let Some(index) = event.token().0.checked_sub(self.tokens.start) else {
            return;
        };
        match index.checked_sub(1) {
            None => self.accepting = true,
            Some(index) => {
                if let Some(Some(client)) = self.clients.get_mut(index) {
                    client.ready();
                }
            }
        }
    }

    /// Goes on with every client that can go on; asks `answer` at most once for each. Those who follow are told what is
    /// new in `log`.
    pub fn turn(
        &mut self,
        now: Instant,
        registry: &Registry,
        log: &EventLog,
        mut answer: impl FnMut(Request) -> Answer,
    ) {
        let following = self
            .clients
            .iter()
            .flatten()
            .filter(|one| one.is_following());
        let mut room = MAX_FOLLOWERS.saturating_sub(following.count());
        for slot in &mut self.clients {
            let Some(client) = slot else { continue };
            let was_following = client.is_following();
            let turn = Turn {
                now,
                log,
                has_room: room > 0,
            };
            let is_late = client.deadline().is_some_and(|at| at <= now);
            if is_late || client.advance(turn, &mut answer) == Progress::Done {
                client.leave(registry);
                *slot = None;
            } else if !was_following && client.is_following() {
                room = room.saturating_sub(1);
            }
        }
        for _ in 0..MAX_ACCEPTS {
            if !self.accepting {
                break;
            }
            self.accept(now, registry);
        }
    }

    /// Whether another turn has work without waiting for anything.
    pub fn has_more(&self, log: &EventLog) -> bool {
        let mut clients = self.clients.iter().flatten();
        self.accepting || clients.any(|client| client.can_advance(log))
    }

    /// When the patience with a client ends.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.clients
            .iter()
            .flatten()
            .filter_map(Client::deadline)
            .min()
    }

    fn accept(&mut self, now: Instant, registry: &Registry) {
        let (stream, _) = match self.listener.accept() {
            Ok(accepted) => accepted,
            // Of descriptors or memory there may be too few just now: the next connection wakes us again.
            Err(error) => {
                self.accepting = error.kind() == io::ErrorKind::Interrupted;
                return;
            }
        };
        let Ok(peer) = crate::os::credentials::peer_credentials(&stream) else {
            return;
        };
        let rights = self.access.rights(&peer);
        let Some(index) = self.free_slot(registry) else {
            return;
        };
        let token = Token(self.tokens.start.saturating_add(1).saturating_add(index));
        if let (Ok(client), Some(slot)) = (
            Client::new(stream, rights, now, registry, token),
            self.clients.get_mut(index),
        ) {
            *slot = Some(client);
        }
    }

    /// A place for one more; the oldest client that does not follow makes room if need be.
    fn free_slot(&mut self, registry: &Registry) -> Option<usize> {
        let age = |slot: &Option<Client>| {
            let client = slot.as_ref();
            client.map(|client| (client.is_following(), client.since()))
        };
        let (index, slot) = self
            .clients
            .iter_mut()
            .enumerate()
            .min_by_key(|(_, slot)| age(slot))?;
        if let Some(mut oldest) = slot.take() {
            oldest.leave(registry);
        }
        Some(index)
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A socket at this path for the cluster's administrators, with device and inode of its file. What is there is replaced,
/// and its directory made.
pub(super) fn listen(
    path: &Path,
    registry: &Registry,
    token: Token,
) -> io::Result<(UnixListener, (u64, u64))> {
    if let Some(directory) = path.parent() {
        prepare_directory(directory)?;
    }
    let mut listener = bind(path)?;
    registry.register(&mut listener, token, Interest::READABLE)?;
    Ok((listener, identity(path)?))
}

/// Device and inode of a file.
pub(super) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = std::fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// For the cluster's administrators only, where such a group exists.
fn prepare_directory(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o750))?;
    give_to_administrators(directory)
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    give_to_administrators(path)?;
    Ok(listener)
}

fn give_to_administrators(path: &Path) -> io::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let owner = user_id("hacluster").filter(|_| path.is_dir());
    match chown(path, owner, group_id("haclient")) {
        // In a user namespace there may be no such numbers.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(user: u32, groups: &[u32]) -> PeerCredentials {
        PeerCredentials {
            pid: 1,
            user,
            groups: groups.to_vec(),
        }
    }

    fn line(client: &str, user: &str, group: &str) -> ApiAuth {
        ApiAuth {
            client: client.into(),
            users: vec![user.into()],
            groups: vec![group.into()],
        }
    }

    #[test]
    fn only_those_whom_apiauth_anon_names_may_ask() {
        let access = Access::new(&[line("anon", "4711", "4712"), line("ipfail", "4713", "4714")]);
        assert_eq!(access.rights(&peer(4711, &[1])), Rights::Ask);
        assert_eq!(access.rights(&peer(1, &[1, 4712])), Rights::Ask);
        assert_eq!(access.rights(&peer(4713, &[4714])), Rights::Nothing);
    }

    #[test]
    fn only_root_and_the_user_we_run_as_may_move_whatever_apiauth_says() {
        let access = Access::new(&[line("anon", "4711", "0")]);
        let own = nix::unistd::geteuid().as_raw();
        assert_eq!(access.rights(&peer(0, &[])), Rights::Move);
        assert_eq!(access.rights(&peer(own, &[])), Rights::Move);
        assert_eq!(access.rights(&peer(4711, &[0])), Rights::Ask);
    }
}
