//! What the kernel knows of the process at the other end of a unix socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCredentials {
    /// Process id.
    pub pid: i32,
    /// Effective user id.
    pub user: u32,
    /// Effective group id, followed by the supplementary ones.
    pub groups: Vec<u32>,
}

/// Asks the kernel who connected.
///
/// # Errors
/// When the socket is none, or not connected.
pub fn peer_credentials(socket: &impl AsFd) -> io::Result<PeerCredentials> {
    let peer = nix::sys::socket::getsockopt(socket, nix::sys::socket::sockopt::PeerCredentials)?;
    let mut groups = vec![peer.gid()];
    groups.extend(supplementary_groups(socket));
    Ok(PeerCredentials {
        pid: peer.pid(),
        user: peer.uid(),
        groups,
    })
}

/// None where the kernel is older than 4.13, or when there are more than 256.
fn supplementary_groups(socket: &impl AsFd) -> Vec<u32> {
    let mut groups = [0u32; 256];
    let mut bytes = libc::socklen_t::try_from(size_of_val(&groups)).unwrap_or(0);
    // SAFETY: `groups` has room for the number of bytes given, and the kernel writes no more than that.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    let count = usize::try_from(bytes).unwrap_or(0) / size_of::<u32>();
    if result == 0 {
        groups.get(..count).unwrap_or(&[]).to_vec()
    } else {
        Vec::new()
    }
}
