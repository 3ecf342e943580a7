//! More than anybody wants to hear, for as long as the flood is kept.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::OFlag;

use crate::lab::machine::here;
use crate::lab::namespace::Namespace;

/// A thread that sends until this is dropped. Nobody waits for its end: it may hang in a connection to a daemon that stands
/// still, and whoever waited could not let that daemon go on.
pub struct Flood(Arc<AtomicBool>);

/// From one wave to the next.
const PAUSE: Duration = Duration::from_millis(10);
/// Five thousand datagrams a second.
const DATAGRAMS: usize = 50;
const PORT: u16 = 694;

impl Flood {
    fn new(host: &Namespace, mut wave: impl FnMut() + Send + 'static) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (host, over) = (host.share(), Arc::clone(&ends));
        thread::spawn(move || {
            host.enter();
            while !over.load(Ordering::SeqCst) {
                wave();
                thread::sleep(PAUSE);
            }
        });
        Self(ends)
    }

    /// Datagrams to these addresses: nonsense, what looks like a heartbeat, and what is one, heard a moment ago.
    pub fn of_datagrams(host: &Namespace, to: Vec<String>) -> Self {
        let socket = host.within(|| {
            let socket = UdpSocket::bind(("0.0.0.0", PORT)).expect("the port is free here");
            socket.set_broadcast(true).expect("a plain socket");
            socket.set_nonblocking(true).expect("a plain socket");
            socket
        });
        let forged = ">>>\nt=status\nst=dead\nsrc=alpha\nseq=7fffffff\nhg=7fffffff\nts=1\n<<<\n";
        let mut packets = [vec![0xa5; 1400], forged.into(), forged.into()];
        let mut buffer = vec![0; 65_536];
        Self::new(host, move || {
            while let Ok(length) = socket.recv(&mut buffer) {
                if buffer[..length] != packets[0] && buffer[..length] != packets[1] {
                    packets[2] = buffer[..length].to_vec();
                }
            }
            for packet in packets.iter().cycle().take(DATAGRAMS) {
                for address in &to {
                    let _ = socket.send_to(packet, (address.as_str(), PORT)); // a full queue
                }
            }
        })
    }

    /// Messages for scripts, and half ones.
    pub fn of_messages(host: &Namespace) -> Self {
        let path = here().join("ha.d/state/fifo");
        let message = format!(">>>\nt=noise\nwhat={}\n<<<\n>>>\n", "x".repeat(3000));
        let mut end = None;
        Self::new(host, move || {
            if end.is_none() {
                let mut options = OpenOptions::new();
                options.write(true).custom_flags(OFlag::O_NONBLOCK.bits());
                end = options.open(&path).ok(); // there is none without a daemon
            }
            if let Some(fifo) = &mut end {
                match fifo.write(message.as_bytes()) {
                    Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => end = None,
                    _ => {}
                }
            }
        })
    }

    /// Connections that say nonsense, half a request, or nothing, many of them open at once.
    pub fn of_requests(host: &Namespace) -> Self {
        let path = here().join("ha.d/run/control");
        let mut open: Vec<UnixStream> = Vec::new();
        let words: [&[u8]; 4] = [
            b"",
            b"{\"request\":",
            b"{\"request\":\"status\"}\n{\"request\":\"status\"}\n",
            &[0xff; 5000],
        ];
        Self::new(host, move || {
            for said in words {
                let Ok(mut stream) = UnixStream::connect(&path) else {
                    continue; // no daemon
                };
                let _ = stream.set_nonblocking(true);
                let _ = stream.write(said);
                open.push(stream);
            }
            let most = 100;
            let surplus = open.len().saturating_sub(most);
            drop(open.drain(..surplus));
        })
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
