//! `heartbeat probe …`: the daemon's own child, which asks a service whether it works and may wait for the answer.
//! Ends with 0 when it does, else says in a line why not. Whoever called it ends it when it takes too long.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;

use super::media::{port_users, serial_open};
use super::{holders, unready};
use crate::os::proc;

/// No page is read further than this.
const LONGEST_ANSWER: u64 = 1024 * 1024;
/// The kernel keeps so much of a process's name.
const COMM: usize = 15;

/// What to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Does somebody take a connection?
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Is there a page, and does it say what it should?
    Http {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// Path and query.
        path: String,
        /// The expected status.
        expect: u16,
        /// What has to be in the answer.
        body: Option<String>,
    },
    /// Does a process of this name run?
    Process(String),
    /// Could this machine run these groups? What keeps it from that is printed, see [`unready`].
    Ready {
        /// The configuration directory.
        directory: PathBuf,
        /// The words of all groups.
        words: Vec<String>,
    },
    /// Who keeps the file systems of these words busy? It is printed, see [`holders`].
    Holders(Vec<String>),
    /// Does anything keep this serial port from being used? It is printed, see [`port_users`].
    Port(PathBuf),
}

/// Asks. The error is a sentence without its end.
///
/// # Errors
/// When the service does not work.
pub fn ask(question: &Question) -> Result<(), String> {
    match question {
        Question::Tcp { host, port } => connect(host, *port).map(drop),
        Question::Http {
            host,
            port,
            path,
            expect,
            body,
        } => {
            let answer = get(host, *port, path)?;
            judge(&answer, *expect, body.as_deref())
        }
        Question::Ready { directory, words } => print(&unready::report(directory, words)),
        Question::Holders(words) => print(&holders::report(words)),
        Question::Port(device) => {
            let real = serial_open::find(device).map_err(|error| error.to_string())?;
            let obstacle = port_users::obstacle(&real);
            obstacle.map_or(Ok(()), |found| print(&format!("{found}\n")))
        }
        Question::Process(name) => {
            let all = proc::all().map_err(|error| format!("cannot read /proc: {error}"))?;
            let runs = all.into_iter().any(|pid| is_called(pid, name));
            runs.then_some(())
                .ok_or_else(|| format!("no process is called {name}"))
        }
    }
}

fn print(lines: &str) -> Result<(), String> {
    let written = std::io::stdout().write_all(lines.as_bytes());
    written.map_err(|error| error.to_string())
}

/// Each address of a name is tried, as every client does.
fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|error| format!("{host}: {error}"))?;
    let mut failure = format!("{host} has no address");
    for address in addresses {
        match TcpStream::connect(address) {
            // The kernel may choose the wanted port for our own end, and then nobody but we answers.
            Ok(stream) if stream.local_addr().is_ok_and(|own| own == address) => {
                failure = format!("{address}: nobody listens");
            }
            Ok(stream) => return Ok(stream),
            Err(error) => failure = format!("{address}: {error}"),
        }
    }
    Err(failure)
}

/// In HTTP/1.0, so that the answer ends with the connection and comes in one piece.
fn get(host: &str, port: u16, path: &str) -> Result<Vec<u8>, String> {
    let mut stream = connect(host, port)?;
    let bracketed = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let request = format!(
        "GET {path} HTTP/1.0\r\nHost: {bracketed}:{port}\r\nUser-Agent: heartbeat/{}\r\nConnection: close\r\n\r\n",
        crate::VERSION
    );
    stream
        .write_all(request.as_bytes())
        .map_err(|error| format!("cannot ask: {error}"))?;
    let mut answer = Vec::new();
    match stream.take(LONGEST_ANSWER).read_to_end(&mut answer) {
        // A server that resets the connection after its answer has answered.
        Err(error) if answer.is_empty() => Err(format!("no answer: {error}")),
        _ => Ok(answer),
    }
}

/// Whether an answer has this status and its page contains `body`. The error is a sentence without its end.
///
/// # Errors
/// When it has not, or is not HTTP.
pub fn judge(answer: &[u8], expect: u16, body: Option<&str>) -> Result<(), String> {
    let line = answer
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_ascii_whitespace();
    let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/"));
    let status = words.next().and_then(|word| word.parse::<u16>().ok());
    match status.filter(|_| is_http) {
        None => return Err("the answer is not HTTP".into()),
        Some(status) if status != expect => {
            return Err(format!("status {status}, not {expect}"));
        }
        Some(_) => {}
    }
    let Some(wanted) = body else {
        return Ok(());
    };
    let text = after_head(answer);
    let found = text
        .windows(wanted.len().max(1))
        .any(|window| window == wanted.as_bytes());
    found
        .then_some(())
        .ok_or_else(|| format!("the page does not contain {wanted}"))
}

/// What follows the empty line.
fn after_head(answer: &[u8]) -> &[u8] {
    let ends = [b"\r\n\r\n".as_slice(), b"\n\n"];
    let end = |end: &[u8]| {
        let at = answer.windows(end.len()).position(|window| window == end)?;
        Some(at.saturating_add(end.len()))
    };
    let start = ends.into_iter().filter_map(end).min();
    start
        .and_then(|start| answer.get(start..))
        .unwrap_or_default()
}

/// By the name that the kernel keeps, or by that of its program where it is longer. One that has ended and was not
/// taken notice of does not run.
fn is_called(pid: i32, name: &str) -> bool {
    if proc::look(pid).is_none() {
        return false;
    }
    let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    if name.len() <= COMM {
        return read("comm").trim_ascii_end() == name.as_bytes();
    }
    let command_line = read("cmdline");
    let program = command_line
        .split(|&byte| byte == 0)
        .next()
        .unwrap_or_default();
    program.rsplit(|&byte| byte == b'/').next() == Some(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};
    use std::thread;

    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn an_answer_is_judged_by_its_status_and_what_it_contains() {
        let page = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n<html>all is well</html>";
        for (answer, expect, body, expected) in [
            (page.as_slice(), 200, None, Ok(())),
            (page, 200, Some("all is well"), Ok(())),
            (page, 204, None, Err("status 200, not 204")),
            (
                page,
                200,
                Some("Server"),
                Err("the page does not contain Server"),
            ),
            (
                b"HTTP/1.0 500 No\n\nbad",
                200,
                None,
                Err("status 500, not 200"),
            ),
            (b"HTTP/1.0 500 No\n\nbad", 500, Some("bad"), Ok(())),
            (b"SSH-2.0-OpenSSH", 200, None, Err("the answer is not HTTP")),
            (b"", 200, None, Err("the answer is not HTTP")),
        ] {
            let judged = judge(answer, expect, body);
            assert_eq!(judged, expected.map_err(str::to_owned));
        }
    }

    #[test]
    fn a_page_is_fetched_over_a_real_connection() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 1024];
            let length = stream.read(&mut request).expect("a request");
            stream
                .write_all(b"HTTP/1.0 200 OK\r\n\r\nhealthy\n")
                .expect("an answer");
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let question = Question::Http {
            host: "127.0.0.1".into(),
            port,
            path: "/health?a=b".into(),
            expect: 200,
            body: Some("healthy".into()),
        };
        assert_eq!(ask(&question), Ok(()));
        let request = server.join().expect("it ends");
        assert!(request.starts_with("GET /health?a=b HTTP/1.0\r\nHost: 127.0.0.1:"));
        // A port that is taken, and on which nobody listens.
        let taken = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        taken.bind(&any.into()).expect("a port");
        let port = taken.local_addr().ok().and_then(|own| own.as_socket());
        let gone = Question::Tcp {
            host: "127.0.0.1".into(),
            port: port.expect("its address").port(),
        };
        let error = ask(&gone).expect_err("nobody listens");
        assert!(error.contains("refused"), "{error}");
    }

    #[test]
    fn a_process_is_known_by_its_name() {
        let name = std::fs::read_to_string("/proc/self/comm").expect("linux");
        assert_eq!(ask(&Question::Process(name.trim_end().into())), Ok(()));
        assert!(ask(&Question::Process("no-such-thing".into())).is_err());
    }
}
