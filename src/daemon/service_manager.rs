//! The service manager's protocol: a datagram when ready, when stopping, and now and then as a sign of life.

use std::path::Path;
use std::time::Duration;

use super::datagram::Datagram;
use crate::cluster::Instant;

/// The other end of `NOTIFY_SOCKET`, when there is one.
#[derive(Debug)]
pub struct ServiceManager {
    socket: Option<Datagram>,
    /// Half the time after which we would be taken for hung.
    interval: Option<Duration>,
    next: Instant,
}

impl ServiceManager {
    /// From `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`; says nothing when they are not set.
    pub fn from_environment(now: Instant) -> Self {
        let number = |name: &str| {
            std::env::var(name)
                .ok()
                .and_then(|text| text.parse::<u64>().ok())
        };
        let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let interval = number("WATCHDOG_USEC").filter(|&micros| for_us && micros > 0);
        Self::new(
            std::env::var_os("NOTIFY_SOCKET")
                .filter(|path| !path.is_empty())
                .map(|path| Datagram::new(Path::new(&path))),
            interval.map(|micros| Duration::from_micros(micros / 2)),
            now,
        )
    }

    fn new(socket: Option<Datagram>, interval: Option<Duration>, now: Instant) -> Self {
        let interval = interval.filter(|_| socket.is_some());
        Self {
            socket,
            interval,
            next: now,
        }
    }

    /// Start-up is over.
    pub fn ready(&mut self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={status}\n"));
    }

    /// A clean stop has begun.
    pub fn stopping(&mut self) {
        self.say("STOPPING=1\nSTATUS=Giving up resources\n");
    }

    /// One line for `systemctl status`.
    pub fn status(&mut self, text: &str) {
        self.say(&format!("STATUS={text}\n"));
    }

    /// To be called at the end of a completed turn and nowhere else.
    pub fn turn(&mut self, now: Instant) {
        let Some(interval) = self.interval else {
            return;
        };
        if now >= self.next {
            self.next = now + interval;
            self.say("WATCHDOG=1\n");
        }
    }

    /// When the next sign of life is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.interval.map(|_| self.next)
    }

    /// Lost words need no complaint: a service manager that doesn't read has worse problems.
    fn say(&mut self, text: &str) {
        if let Some(socket) = &mut self.socket {
            let _ = socket.send(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn signs_of_life_come_at_half_the_time_allowed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let reader = UnixDatagram::bind(&path).expect("binds");
        reader.set_nonblocking(true).expect("non-blocking");
        let read = || {
            let mut buffer = [0; 64];
            reader
                .recv(&mut buffer)
                .ok()
                .map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        let start = Instant::from_micros(0);
        let interval = Duration::from_secs(5);
        let mut manager = ServiceManager::new(Some(Datagram::new(&path)), Some(interval), start);
        manager.ready("fine");
        assert_eq!(read().as_deref(), Some("READY=1\nSTATUS=fine\n"));
        manager.turn(start);
        assert_eq!(read().as_deref(), Some("WATCHDOG=1\n"));
        manager.turn(start + Duration::from_secs(4));
        assert_eq!(read(), None);
        assert_eq!(manager.next_deadline(), Some(start + interval));
        manager.turn(start + interval);
        assert_eq!(read().as_deref(), Some("WATCHDOG=1\n"));
    }

    #[test]
    fn without_a_service_manager_there_is_nothing_to_wait_for() {
        let manager =
            ServiceManager::new(None, Some(Duration::from_secs(1)), Instant::from_micros(0));
        assert_eq!(manager.next_deadline(), None);
    }
}
