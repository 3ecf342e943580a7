//! One connection to the control socket. Nothing of it lasts longer than the patience that it was opened with: a daemon
//! that stands still takes neither connections nor requests.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::Error;
use crate::control::Request;
use crate::os::clock;

/// No answer is longer.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    /// Time since boot at which the patience ends.
    until: Duration,
}

impl Connection {
    pub fn open(socket: &Path, patience: Duration) -> Result<Self, Error> {
        let until = clock::since_boot().saturating_add(patience);
        let stream = connect(socket, patience).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::Stopped(error),
            _ if is_timeout(&error) => Error::Silent,
            _ => Error::Unreachable(error),
        })?;
        Ok(Self { stream, until })
    }

    pub fn send(&mut self, request: &Request) -> Result<(), Error> {
        let mut line =
            serde_json::to_vec(request).map_err(|error| Error::Nonsense(error.to_string()))?;
        line.push(b'\n');
        let sent = self
            .left()
            .and_then(|left| self.stream.set_write_timeout(Some(left)))
            .and_then(|()| self.stream.write_all(&line));
        // One that refuses an answer may close before it has read everything: what it says is read all the same.
        match sent {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failure(&error)),
            _ => Ok(()),
        }
    }

    /// Everything until the daemon closes the connection.
    pub fn read_to_end(mut self) -> Result<Vec<u8>, Error> {
        let mut answer = Vec::new();
        let mut buffer = [0; 16 * 1024];
        while answer.len() < MAX_ANSWER {
            let read = self
                .left()
                .and_then(|left| self.stream.set_read_timeout(Some(left)))
                .and_then(|()| self.stream.read(&mut buffer));
            match read {
                Ok(0) => break,
                Ok(length) => answer.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure(&error)),
            }
        }
        Ok(answer)
    }

    /// The stream alone, which waits for as long as it takes.
    pub fn into_stream(self) -> io::Result<UnixStream> {
        self.stream.set_read_timeout(None)?;
        Ok(self.stream)
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_sub(clock::since_boot());
        // Less than a millisecond may be rounded to none, which would mean for ever.
        if left < Duration::from_millis(1) {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            Ok(left)
        }
    }
}

/// A daemon that stands still has a queue of connections that it does not take, and that gets full.
fn connect(socket: &Path, patience: Duration) -> io::Result<UnixStream> {
    let address = SockAddr::unix(socket)?;
    let stream = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    stream.set_write_timeout(Some(patience))?;
    stream.connect(&address)?;
    Ok(stream.into())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn failure(error: &io::Error) -> Error {
    if is_timeout(error) {
        Error::Silent
    } else {
        Error::Nonsense(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    const SHORT: Duration = Duration::from_millis(100);

    fn ask(path: &Path) -> Result<Vec<u8>, Error> {
        let mut connection = Connection::open(path, SHORT)?;
        connection.send(&Request::Status)?;
        connection.read_to_end()
    }

    #[test]
    fn a_daemon_that_takes_no_connection_is_silent_however_many_wait() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("control");
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        listener
            .bind(&SockAddr::unix(&path).expect("an address"))
            .expect("bound");
        listener.listen(1).expect("listens");
        for _ in 0..4 {
            assert!(matches!(ask(&path), Err(Error::Silent)));
        }
    }

    #[test]
    fn a_daemon_that_speaks_for_ever_is_silent_too() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("control");
        let listener = UnixListener::bind(&path).expect("bound");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("asked");
            while stream.write_all(b" ").is_ok() {
                crate::os::process::pause(Duration::from_millis(5));
            }
        });
        assert!(matches!(ask(&path), Err(Error::Silent)));
        server.join().expect("it ended");
    }

    #[test]
    fn a_socket_that_nobody_listens_at_is_that_of_a_stopped_daemon() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("control");
        assert!(matches!(ask(&path), Err(Error::Stopped(_))));
        drop(UnixListener::bind(&path).expect("bound"));
        assert!(matches!(ask(&path), Err(Error::Stopped(_))));
    }
}
