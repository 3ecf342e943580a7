//! A unix datagram socket that never blocks: what cannot be taken now is dropped and counted.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

/// A sender that connects again when the reader was restarted.
#[derive(Debug)]
pub struct Datagram {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    dropped: u64,
}

impl Datagram {
    /// To the socket at `path`; a leading `@` names an abstract one. Connects with the first word.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            socket: None,
            dropped: 0,
        }
    }

    /// Sends one datagram, connecting again at most once.
    ///
    /// # Errors
    /// When nobody takes it, or the reader is behind; the datagram is lost and counted.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let had_socket = self.socket.is_some();
        let mut result = self.try_send(bytes);
        if had_socket
            && result
                .as_ref()
                .is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
        {
            self.socket = None;
            result = self.try_send(bytes);
        }
        match result {
            Ok(_) => Ok(()),
            Err(error) => {
                if error.kind() != io::ErrorKind::WouldBlock {
                    self.socket = None;
                }
                self.dropped = self.dropped.saturating_add(1);
                Err(error)
            }
        }
    }

    /// How many datagrams were lost since this was last asked.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(socket) = &self.socket {
            return socket.send(bytes);
        }
        let socket = connect(&self.path)?;
        self.socket.insert(socket).send(bytes)
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let address = match path.as_os_str().as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stalled_reader_costs_lines_and_no_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        let _reader = UnixDatagram::bind(&path).expect("binds");
        let mut datagram = Datagram::new(&path);
        let lost = (0..5000)
            .filter(|_| datagram.send(b"line").is_err())
            .count();
        assert!(
            lost > 0,
            "the queue of a reader that never reads is limited"
        );
        assert_eq!(datagram.take_dropped(), u64::try_from(lost).expect("small"));
    }

    #[test]
    fn the_first_line_after_a_restart_arrives() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        let reader = UnixDatagram::bind(&path).expect("binds");
        let mut datagram = Datagram::new(&path);
        datagram.send(b"one").expect("arrives");
        drop(reader);
        datagram.send(b"lost").expect_err("nobody there");
        std::fs::remove_file(&path).expect("removed");
        let reader = UnixDatagram::bind(&path).expect("binds");
        datagram.send(b"two").expect("arrives");
        let mut buffer = [0; 16];
        let length = reader.recv(&mut buffer).expect("something to read");
        assert_eq!(buffer.get(..length), Some(&b"two"[..]));
    }

    #[test]
    fn an_abstract_name_begins_with_an_at() {
        let name = format!("heartbeat-datagram-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let reader = UnixDatagram::bind_addr(&address).expect("binds");
        Datagram::new(Path::new(&format!("@{name}")))
            .send(b"x")
            .expect("arrives");
        assert_eq!(reader.recv(&mut [0; 4]).expect("something to read"), 1);
    }
}
