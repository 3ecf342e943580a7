//! The sockets that metrics are served on. No scraper can delay the daemon or another scraper, and none that is in the way
//! keeps the daemon from starting.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use mio::event::Event;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};

use super::client::{Client, Progress, Stream};
use super::exposition::Form;
use crate::cluster::Instant;
use crate::daemon::control::{self, Access};
use crate::os::credentials::peer_credentials;

/// Scrapers at a time. A further one takes the place of the one that has been here the longest.
const MOST: usize = 8;
/// How many tokens are needed: two for listeners and one a client.
pub const TOKENS: usize = MOST + 2;
/// Accepted in one turn.
const MOST_ACCEPTS: usize = 8;
/// After this a scraper that has not read its answer is dropped.
const PATIENCE: Duration = Duration::from_secs(5);
/// A text is made once in this time, however many ask.
const FRESH: Duration = Duration::from_millis(500);

/// Where to listen.
#[derive(Debug, Clone)]
enum Place {
    Socket(PathBuf),
    Http(SocketAddr),
}

#[derive(Debug)]
enum Listener {
    /// With device and inode of its file.
    Unix(UnixListener, (u64, u64)),
    Tcp(TcpListener),
}

/// A place, and what listens there.
#[derive(Debug)]
struct Door {
    place: Place,
    token: Token,
    /// None while that can't be had.
    listener: Option<Listener>,
    /// Why not, as told last.
    told: Option<String>,
    /// More connections may wait: readiness is reported only once.
    is_accepting: bool,
}

/// The listening sockets and their clients.
#[derive(Debug)]
pub(super) struct Server {
    doors: Vec<Door>,
    access: Access,
    /// Of the clients.
    tokens: Range<usize>,
    clients: [Option<Client>; MOST],
    /// The texts made last, with when.
    made: Vec<(Form, Instant, Rc<str>)>,
}

impl Server {
    /// Listens at a socket of this path and an address, where they are given. What can't be had is told and tried again with
    /// [`restore`](Self::restore).
    pub fn open(
        socket: Option<PathBuf>,
        http: Option<SocketAddr>,
        access: Access,
        registry: &Registry,
        tokens: Range<usize>,
    ) -> Self {
        let places = [socket.map(Place::Socket), http.map(Place::Http)];
        let doors = places.into_iter().zip(tokens.clone());
        let doors = doors.filter_map(|(place, token)| Some(Door::new(place?, Token(token))));
        let mut server = Self {
            doors: doors.collect(),
            access,
            tokens: tokens.start.saturating_add(2)..tokens.end,
            clients: [const { None }; MOST],
            made: Vec::new(),
        };
        server.restore(registry);
        server
    }

    /// Opens what could not be opened before, and makes a socket again that somebody removed.
    pub fn restore(&mut self, registry: &Registry) {
        for door in &mut self.doors {
            door.restore(registry);
        }
    }

    /// Takes note of an event if it is for one of our tokens.
    pub fn ready(&mut self, event: &Event) {
        let token = event.token();
        if let Some(door) = self.doors.iter_mut().find(|door| door.token == token) {
            door.is_accepting = true;
        } else if let Some(index) = token.0.checked_sub(self.tokens.start)
            && let Some(Some(client)) = self.clients.get_mut(index)
        {
            client.ready();
        }
    }

    /// Goes on with every client that can go on; asks for a text at most once.
    pub fn turn(&mut self, now: Instant, registry: &Registry, make: impl FnOnce(Form) -> String) {
        let mut make = Some(make);
        for slot in &mut self.clients {
            let Some(client) = slot else { continue };
            let progress = match client.advance() {
                Progress::Wants(form) => {
                    if let Some(text) = fresh(&mut self.made, now, form, &mut make) {
                        client.give(&text);
                        client.advance()
                    } else {
                        Progress::Going // another form was made in this turn: the next one is for this
                    }
                }
                progress => progress,
            };
            if progress == Progress::Done || now >= client.since() + PATIENCE {
                client.leave(registry);
                *slot = None;
            }
        }
        if self.clients.iter().all(Option::is_none) {
            self.made.clear();
        }
        self.accept(now, registry);
    }

    /// Whether another turn has work without waiting for anything.
    pub fn has_more(&self) -> bool {
        let is_open = |door: &Door| door.is_accepting && door.listener.is_some();
        self.doors.iter().any(is_open) || self.clients.iter().flatten().any(Client::can_advance)
    }

    /// When the patience with a client ends.
    pub fn next_deadline(&self) -> Option<Instant> {
        let clients = self.clients.iter().flatten();
        clients.map(|client| client.since() + PATIENCE).min()
    }

    fn accept(&mut self, now: Instant, registry: &Registry) {
        for _ in 0..MOST_ACCEPTS {
            let Some(stream) = self.doors.iter_mut().find_map(Door::accept) else {
                return;
            };
            let may_ask = match &stream {
                Stream::Unix(stream) => {
                    peer_credentials(stream).is_ok_and(|peer| self.access.may_ask(&peer))
                }
                Stream::Tcp(_) => true,
            };
            let Some((index, slot)) = oldest(&mut self.clients) else {
                return;
            };
            if let Some(mut oldest) = slot.take() {
                oldest.leave(registry);
            }
            let token = Token(self.tokens.start.saturating_add(index));
            *slot = Client::new(stream, may_ask, now, registry, token).ok();
        }
    }
}

/// The place for one more: a free one, or that of the client that has been here the longest.
fn oldest(clients: &mut [Option<Client>]) -> Option<(usize, &mut Option<Client>)> {
    let age = |slot: &Option<Client>| slot.as_ref().map(Client::since);
    let all = clients.iter_mut().enumerate();
    all.min_by_key(|(_, slot)| age(slot))
}

/// A text that is fresh enough, or a new one if one may be made still.
fn fresh(
    made: &mut Vec<(Form, Instant, Rc<str>)>,
    now: Instant,
    form: Form,
    make: &mut Option<impl FnOnce(Form) -> String>,
) -> Option<Rc<str>> {
    let is_fresh = |(of, at, _): &&(Form, Instant, Rc<str>)| *of == form && now.since(*at) < FRESH;
    if let Some((_, _, text)) = made.iter().find(is_fresh) {
        return Some(Rc::clone(text));
    }
    let text: Rc<str> = make.take()?(form).into();
    made.retain(|(of, _, _)| *of != form);
    made.push((form, now, Rc::clone(&text)));
    Some(text)
}

impl Door {
    fn new(place: Place, token: Token) -> Self {
        Self {
            place,
            token,
            listener: None,
            told: None,
            is_accepting: false,
        }
    }

    fn restore(&mut self, registry: &Registry) {
        let is_well = match (&self.listener, &self.place) {
            (Some(Listener::Tcp(_)), _) => true,
            (Some(Listener::Unix(_, file)), Place::Socket(path)) => {
                control::identity(path).is_ok_and(|found| found == *file)
            }
            _ => false,
        };
        if is_well {
            return;
        }
        let was_there = self.listener.is_some();
        match self.open(registry) {
            Ok(listener) => {
                if was_there {
                    log::warn!("Somebody removed the metrics socket; it is made again");
                } else if self.told.take().is_some() {
                    log::info!("Metrics are served at {} now", self.place());
                }
                self.listener = Some(listener); // closing the old one ends its registration
                self.is_accepting = true;
            }
            Err(error) => {
                let why = error.to_string();
                if self.told.as_ref() != Some(&why) {
                    log::warn!(
                        "Metrics can't be served at {}: {why}. It is tried again",
                        self.place()
                    );
                    self.told = Some(why);
                }
            }
        }
    }

    fn open(&self, registry: &Registry) -> io::Result<Listener> {
        match &self.place {
            Place::Socket(path) => {
                let (listener, file) = control::listen(path, registry, self.token)?;
                Ok(Listener::Unix(listener, file))
            }
            Place::Http(address) => {
                let mut listener = TcpListener::bind(*address)?;
                registry.register(&mut listener, self.token, Interest::READABLE)?;
                Ok(Listener::Tcp(listener))
            }
        }
    }

    fn place(&self) -> String {
        match &self.place {
            Place::Socket(path) => path.display().to_string(),
            Place::Http(address) => format!("http://{address}/metrics"),
        }
    }

    fn accept(&mut self) -> Option<Stream> {
        if !self.is_accepting {
            return None;
        }
        let accepted = match self.listener.as_ref()? {
            Listener::Unix(listener, _) => {
                listener.accept().map(|(stream, _)| Stream::Unix(stream))
            }
            Listener::Tcp(listener) => listener.accept().map(|(stream, _)| Stream::Tcp(stream)),
        };
        // Of descriptors or memory there may be too few just now: the next connection wakes us again.
        if let Err(error) = &accepted {
            self.is_accepting = error.kind() == io::ErrorKind::Interrupted;
        }
        accepted.ok()
    }

    /// The file of the socket.
    fn file(&self) -> Option<&Path> {
        match (&self.place, &self.listener) {
            (Place::Socket(path), Some(_)) => Some(path),
            _ => None,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for path in self.doors.iter().filter_map(Door::file) {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net;

    use mio::{Events, Poll};

    use super::*;

    struct Bench {
        poll: Poll,
        server: Server,
        /// How many texts were made.
        made: u32,
    }

    impl Bench {
        fn new(http: SocketAddr) -> Self {
            let poll = Poll::new().expect("a poll");
            let access = Access::default();
            let server = Server::open(None, Some(http), access, poll.registry(), 0..TOKENS);
            Self {
                poll,
                server,
                made: 0,
            }
        }

        /// Turns until there is nothing to do.
        fn turn(&mut self, now: Instant) {
            let mut events = Events::with_capacity(64);
            for _ in 0..3 {
                let wait = Some(Duration::from_millis(20));
                self.poll.poll(&mut events, wait).expect("polled");
                for event in &events {
                    self.server.ready(event);
                }
                while self.server.has_more() {
                    let made = &mut self.made;
                    self.server.turn(now, self.poll.registry(), |_| {
                        *made += 1;
                        "text".to_owned()
                    });
                }
                self.server
                    .turn(now, self.poll.registry(), |_| unreachable!("nobody asks"));
            }
        }

        fn clients(&self) -> usize {
            self.server.clients.iter().flatten().count()
        }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn free() -> SocketAddr {
        let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address")
    }

    fn ask(address: SocketAddr) -> net::TcpStream {
        let mut stream = net::TcpStream::connect(address).expect("a server");
        let request = b"GET /metrics HTTP/1.1\r\n\r\n";
        stream.write_all(request).expect("taken");
        stream
    }

    #[test]
    fn however_many_ask_at_once_the_text_is_made_once() {
        let address = free();
        let mut bench = Bench::new(address);
        let clients: Vec<_> = (0..MOST).map(|_| ask(address)).collect();
        bench.turn(at(1000));
        for mut client in clients {
            let mut answer = String::new();
            client.read_to_string(&mut answer).expect("an answer");
            assert!(answer.ends_with("\r\n\r\ntext"), "{answer}");
        }
        assert_eq!((bench.made, bench.clients()), (1, 0));
        let mut last = ask(address);
        bench.turn(at(1600));
        let mut answer = String::new();
        last.read_to_string(&mut answer).expect("an answer");
        assert_eq!(bench.made, 2);
    }

    #[test]
    fn one_that_says_nothing_is_sent_away_when_patience_ends() {
        let address = free();
        let mut bench = Bench::new(address);
        let _silent = net::TcpStream::connect(address).expect("a server");
        bench.turn(at(1000));
        assert_eq!(bench.clients(), 1);
        assert_eq!(bench.server.next_deadline(), Some(at(6000)));
        bench.turn(at(5999));
        assert_eq!(bench.clients(), 1);
        bench.turn(at(6000));
        assert_eq!((bench.clients(), bench.server.next_deadline()), (0, None));
    }

    #[test]
    fn a_port_that_is_in_use_is_tried_again() {
        let holder = net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = holder.local_addr().expect("an address");
        let mut bench = Bench::new(address);
        assert!(bench.server.doors[0].listener.is_none());
        assert!(!bench.server.has_more());
        drop(holder);
        bench.server.restore(bench.poll.registry());
        let mut client = ask(address);
        bench.turn(at(1000));
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
}
