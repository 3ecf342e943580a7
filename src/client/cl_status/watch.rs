//! `watch`: the screen of `status`, drawn anew each second. However it ends, the terminal is as it was.

use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::signal::{Signal, raise};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook_mio::v1_0::Signals;

use super::look::Look;
use crate::os::{clock, screen};

/// From one screen to the next.
const PAUSE: Duration = Duration::from_secs(1);
/// What a terminal has that does not tell.
const USUAL: (usize, usize) = (80, 24);
const SIGNALS: Token = Token(0);
const KEYS: Token = Token(1);

/// Shows what `text` gives until a key or a signal ends it.
///
/// # Errors
/// In words, when there is no terminal.
pub(super) fn run(text: impl Fn(Look) -> String) -> Result<(), String> {
    if !io::stdout().is_terminal() {
        return Err(
            "ERROR: watch needs a terminal. `cl_status status` prints one screen, `cl_status events` a line for \
             each event.\n"
                .into(),
        );
    }
    let fails = |error: io::Error| format!("ERROR: cannot watch: {error}\n");
    let mut watching = Watching::begin().map_err(fails)?;
    let ended = watching.run(text);
    drop(watching); // the terminal is as it was before anything is said
    match ended {
        // The terminal is gone, and nobody is there to be told.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(fails(error)),
        _ => Ok(()),
    }
}

/// The terminal in the state in which it is drawn on.
struct Screen {
    /// None where standard input is something else.
    _keys: Option<screen::Keys<'static>>,
}

impl Screen {
    fn enter() -> io::Result<Self> {
        let keys = standard_input().and_then(|input| screen::Keys::begin(input).ok());
        // Another page, so that what was on the screen is there afterwards; no cursor.
        io::stdout().write_all(b"\x1b[?1049h\x1b[?25l")?;
        io::stdout().flush()?;
        Ok(Self { _keys: keys })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = io::stdout();
        let _ = out
            .write_all(b"\x1b[0m\x1b[?25h\x1b[?1049l")
            .and_then(|()| out.flush()); // the terminal may be gone
    }
}

/// Standard input, where that is a terminal.
fn standard_input() -> Option<std::os::fd::BorrowedFd<'static>> {
    // Standard input is open for as long as the process lives.
    static INPUT: std::sync::LazyLock<io::Stdin> = std::sync::LazyLock::new(io::stdin);
    INPUT.is_terminal().then(|| INPUT.as_fd())
}

struct Watching {
    poll: Poll,
    signals: Signals,
    /// None while suspended.
    screen: Option<Screen>,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Draw,
    Suspend,
    End,
}

impl Watching {
    fn begin() -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH])?;
        poll.registry()
            .register(&mut signals, SIGNALS, Interest::READABLE)?;
        if let Some(input) = standard_input() {
            let fd = input.as_raw_fd();
            poll.registry()
                .register(&mut SourceFd(&fd), KEYS, Interest::READABLE)?;
        }
        let screen = Some(Screen::enter()?);
        Ok(Self {
            poll,
            signals,
            screen,
        })
    }

    fn run(&mut self, text: impl Fn(Look) -> String) -> io::Result<()> {
        let no_color = std::env::var_os("NO_COLOR");
        loop {
            let due = clock::since_boot().saturating_add(PAUSE);
            let (columns, rows) = screen::size(io::stdout()).unwrap_or(USUAL);
            let look = Look::terminal(columns, no_color.as_deref());
            let page = page(&text(look), columns, rows);
            let mut out = io::stdout();
            out.write_all(page.as_bytes())?;
            out.flush()?;
            match self.wait(due)? {
                Next::Draw => {}
                Next::End => return Ok(()),
                Next::Suspend => {
                    self.screen = None;
                    raise(Signal::SIGSTOP)?;
                    self.screen = Some(Screen::enter()?);
                }
            }
        }
    }

    /// Until it is time to draw, or somebody wants something.
    fn wait(&mut self, due: Duration) -> io::Result<Next> {
        let mut events = Events::with_capacity(8);
        loop {
            let left = due.saturating_sub(clock::since_boot());
            match self.poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                if event.token() == KEYS && wants_end(event.is_read_closed()) {
                    return Ok(Next::End);
                }
            }
            let mut next = None;
            for signal in self.signals.pending() {
                next = Some(match signal {
                    SIGWINCH => next.unwrap_or(Next::Draw),
                    SIGTSTP => Next::Suspend,
                    _ => return Ok(Next::End),
                });
            }
            if let Some(next) = next {
                return Ok(next);
            }
            if due <= clock::since_boot() {
                return Ok(Next::Draw);
            }
        }
    }
}

/// Whether a key says so, or the terminal is gone.
fn wants_end(is_closed: bool) -> bool {
    let mut keys = [0; 64];
    let length = io::stdin().lock().read(&mut keys).unwrap_or(0);
    let keys = keys.get(..length).unwrap_or_default();
    (is_closed && keys.is_empty()) || keys.iter().any(|key| matches!(key, b'q' | b'Q' | 3 | 4))
}

/// The text as what a terminal of this size is sent: no line is longer than the screen is wide, and what has no room below
/// is counted.
fn page(text: &str, columns: usize, rows: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let room = rows.saturating_sub(1).max(1);
    let (shown, hidden) = if lines.len() <= room {
        (lines.len(), 0)
    } else {
        let shown = room.saturating_sub(1);
        (shown, lines.len().saturating_sub(shown))
    };
    let mut page = String::from("\x1b[H");
    for line in lines.iter().take(shown) {
        page.push_str(&clipped(line, columns));
        page.push_str("\x1b[0m\x1b[K\r\n");
    }
    if hidden > 0 {
        let more = format!("({hidden} lines more; q ends)");
        page.push_str(&clipped(&more, columns));
        page.push_str("\x1b[K\r\n");
    }
    page.push_str("\x1b[J");
    page
}

/// So much of a line as has room, its colours included.
fn clipped(line: &str, columns: usize) -> String {
    let mut clipped = String::new();
    let mut used = 0_usize;
    let mut is_code = false;
    for sign in line.chars() {
        if is_code {
            is_code = !sign.is_ascii_alphabetic();
        } else if sign == '\x1b' {
            is_code = true;
        } else if used < columns {
            used = used.saturating_add(1);
        } else {
            continue;
        }
        clipped.push(sign);
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_never_scrolls_and_never_wraps_however_small_the_screen() {
        let text = "one\n\x1b[31;1m! two two\x1b[0m\nthree\nfour\n";
        for rows in 0..8 {
            for columns in 0..12 {
                let page = page(text, columns, rows);
                let breaks = page.matches("\r\n").count();
                assert!(breaks < rows.max(2), "{rows} rows: {page:?}");
                for line in page.split("\r\n") {
                    let mut seen = 0;
                    let mut is_code = false;
                    for sign in line.chars() {
                        match sign {
                            '\x1b' => is_code = true,
                            sign if is_code => is_code = !sign.is_ascii_alphabetic(),
                            _ => seen += 1,
                        }
                    }
                    assert!(seen <= columns, "{columns} columns: {line:?}");
                }
            }
        }
        assert!(
            page(text, 80, 4).contains("(2 lines more"),
            "{}",
            page(text, 80, 4)
        );
        assert!(page(text, 80, 5).contains("four"));
    }
}
