//! A web server so small that it fits here, and a client that keeps asking it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::namespace::Namespace;

/// Answers every request with one line, for ever.
pub fn serve(listener: &TcpListener, page: &str) {
    for stream in listener.incoming().flatten() {
        let _ = answer(stream, page);
    }
}

fn answer(stream: TcpStream, page: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut request = BufReader::new(stream);
    let mut line = String::new();
    while request.read_line(&mut line)? > 2 {
        line.clear();
    }
    let length = page.len();
    write!(
        request.get_mut(),
        "HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{page}"
    )
}

/// Runs a server on a machine that answers on all of its addresses with the machine's name.
pub fn serve_on(machine: &Namespace, page: &'static str) {
    let listener = machine
        .within(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).expect("the port is free here"));
    thread::spawn(move || serve(&listener, page));
}

/// Asks once; `None` when no answer comes within the limit.
pub fn ask(address: SocketAddr, limit: Duration) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.split_once("\r\n\r\n")
        .map(|(_, page)| page.trim().to_owned())
}

/// One question and what came of it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// When it was asked.
    pub at: Instant,
    /// What was answered; `None` when nothing was.
    pub page: Option<String>,
}

/// Somebody who asks again and again.
#[derive(Clone)]
pub struct Client {
    answers: Arc<Mutex<Vec<Answer>>>,
}

impl Client {
    /// Asks from this machine every `interval`, each time over a new connection.
    pub fn new(machine: &Namespace, address: SocketAddr, interval: Duration) -> Self {
        let answers = Arc::new(Mutex::new(Vec::new()));
        let (machine, store) = (machine.share(), Arc::clone(&answers));
        thread::spawn(move || {
            machine.enter();
            let mut at = Instant::now();
            loop {
                let page = ask(address, interval * 9 / 10);
                store
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(Answer { at, page });
                at += interval;
                thread::sleep(at.saturating_duration_since(Instant::now()));
            }
        });
        Self { answers }
    }

    /// All answers so far.
    pub fn answers(&self) -> Vec<Answer> {
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many questions asked since a moment went without an answer.
    pub fn losses_since(&self, moment: Instant) -> usize {
        self.answers()
            .iter()
            .filter(|answer| answer.at >= moment && answer.page.is_none())
            .count()
    }
}
