//! Another host on a segment: hears what the pair says, and says what it should not.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::namespace::Namespace;
use super::network::{Cable, Switch};

/// A host that listens to the heartbeat port of a segment from its beginning.
pub struct Stranger {
    /// Its namespaces.
    pub namespace: Namespace,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    mouth: UdpSocket,
    everybody: (Ipv4Addr, u16),
    _cable: Cable,
}

impl Stranger {
    /// Comes to a segment.
    pub fn new(segment: &Switch, address: Ipv4Addr, port: u16) -> Self {
        let namespace = Namespace::new(":");
        let cable = segment.attach(&namespace, "eth0", address);
        let (ear, mouth) = namespace.within(|| {
            let ear =
                UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("the port is free here");
            let mouth = UdpSocket::bind((address, 0)).expect("a port is free here");
            mouth.set_broadcast(true).expect("a plain socket");
            (ear, mouth)
        });
        let heard = Arc::new(Mutex::new(Vec::new()));
        let store = Arc::clone(&heard);
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok((count, from)) = ear.recv_from(&mut buffer) {
                if from.ip() != address {
                    store
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(buffer[..count].to_vec());
                }
            }
        });
        let [a, b, c, _] = address.octets();
        Self {
            namespace,
            heard,
            mouth,
            everybody: (Ipv4Addr::new(a, b, c, 255), port),
            _cable: cable,
        }
    }

    /// Everything heard so far that it did not say itself.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What it heard from this node.
    pub fn heard_from(&self, node: &str) -> Vec<Vec<u8>> {
        let source = format!("(0)src={node},");
        self.heard()
            .into_iter()
            .filter(|bytes| contains(bytes, source.as_bytes()))
            .collect()
    }

    /// Sends a datagram to everybody on the segment.
    pub fn say(&self, bytes: &[u8]) {
        self.mouth
            .send_to(bytes, self.everybody)
            .expect("the segment is there");
    }
}

/// Whether bytes contain others.
pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
