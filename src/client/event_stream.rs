//! What happens, as the daemon tells it: a line each, until either side leaves.

use std::io::{self, BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::connection::Connection;
use super::{Error, PATIENCE};
use crate::control::{Event, EventLine, Request};

/// Events in their order.
#[derive(Debug)]
pub struct EventStream {
    lines: BufReader<UnixStream>,
}

impl EventStream {
    /// Asks the daemon behind `socket` for what it remembers, and with `follow` for what happens from then on.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn open(socket: &Path, follow: bool) -> Result<Self, Error> {
        let mut connection = Connection::open(socket, PATIENCE)?;
        connection.send(&Request::Events { follow })?;
        let stream = connection.into_stream();
        let stream = stream.map_err(|error| Error::Nonsense(error.to_string()))?;
        Ok(Self {
            lines: BufReader::new(stream),
        })
    }

    /// The next event; waits for it. `None` when the daemon has closed the connection: it has told all that was asked for,
    /// or it is gone.
    ///
    /// # Errors
    /// That the daemon refuses, or sends this client away.
    pub fn next_event(&mut self) -> Result<Option<Event>, Error> {
        let mut line = String::new();
        loop {
            match self.lines.read_line(&mut line) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(Error::Nonsense(error.to_string())),
            }
        }
        if !line.ends_with('\n') {
            return Ok(None); // the end, perhaps in the middle of a line
        }
        match serde_json::from_str(&line) {
            Ok(EventLine::Event(event)) => Ok(Some(event)),
            Ok(EventLine::End { end }) => Err(Error::Refused(end)),
            Ok(EventLine::Error { error }) => Err(Error::Refused(error)),
            Err(error) => Err(Error::Nonsense(error.to_string())),
        }
    }
}
