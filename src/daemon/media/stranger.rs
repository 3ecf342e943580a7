//! Who or what else talks on a serial line: a login, a modem, ourselves, rubbish, something unknown. By what comes between
//! the messages. A value: no descriptor, no clock of its own.
//!
//! What comes is taken in as it is read, and judged now and then for all that came meanwhile. While whole messages of another
//! node come, the line is as it should be, whatever noise is on it; who these messages are of is for the core.

use std::fmt;
use std::time::Duration;

use crate::cluster::Instant;
use crate::message::{MAX_WIRE, MOST_INSETS, is_short, short_at_end};

/// No line of interest is longer.
const LONGEST: usize = 256;
/// So much of what nobody understands is kept, to be shown.
const SHOWN: usize = 60;
/// What a login asks.
const PROMPTS: [&str; 3] = ["login:", "password:", "username:"];
/// What a modem says, at the beginning of a line.
const ANSWERS: [&str; 2] = ["OK", "ERROR"];
const EVENTS: [&str; 6] = [
    "RING",
    "NO CARRIER",
    "NO DIALTONE",
    "NO DIAL TONE",
    "BUSY",
    "CONNECT",
];
/// So many bytes, and so many of a hundred of them that are no text, come of another rate and not of a disturbance.
const RUBBISH: (u64, u64) = (32, 20);
/// Of one that stays, a line is told in this time; of one that changes, in the other.
const TOLD: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(60));
/// Nothing is known any more of one that has been silent for so long.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// Who or what it is. `Display` says so, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stranger {
    /// Something asks for a login.
    Login,
    /// Something talks as a modem does.
    Modem,
    /// Our own messages come back.
    Ourselves,
    /// Bytes that are no text.
    Rubbish,
    /// Text that nobody understands; the last line of it.
    Unknown(String),
}

impl Stranger {
    /// One word for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Modem => "modem",
            Self::Ourselves => "ourselves",
            Self::Rubbish => "rubbish",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login => f.write_str(
                "a login prompt comes from the other end: it is another machine's console, or logins are wanted on its \
                 port; there, `systemctl mask --now serial-getty@PORT.service` ends that",
            ),
            Self::Modem => f.write_str(
                "a modem talks at the other end, where a null-modem cable to the other node should be",
            ),
            Self::Ourselves => f.write_str(
                "what this node says comes back to it: the cable leads to another port of this machine, there is a \
                 loopback plug, or a modem that echoes",
            ),
            Self::Rubbish => f.write_str(
                "bytes come that make no sense: the baud rates of the two ends differ, or the cable is bad; see `baud` \
                 on both nodes, and try `heartbeat serial-test` at both ends",
            ),
            Self::Unknown(text) => write!(
                f,
                "something that is not heartbeat talks at the other end; it said: {text}"
            ),
        }
    }
}

/// Takes in what comes over a line.
#[derive(Debug)]
pub struct Listener {
    /// As messages name this node.
    own: Vec<u8>,
    line: Vec<u8>,
    /// The beginning of the line is gone.
    is_cut: bool,
    /// How far a message has come whose end is awaited.
    inside: Option<usize>,
    /// So many short heartbeats have come since the last other line of it.
    insets: u8,
    noise: u64,
    lately: Lately,
    found: Option<(Stranger, Instant)>,
    told: Option<(&'static str, Instant)>,
}

/// What came since it was judged last.
#[derive(Debug, Default)]
struct Lately {
    /// Bytes between messages, and those of them that are no text.
    bytes: u64,
    odd: u64,
    messages: u64,
    own: u64,
    /// Short heartbeats, which do not say whose they are.
    short: u64,
    login: bool,
    modem: bool,
    text: String,
}

impl Listener {
    /// For the node of this name.
    pub fn new(local_node: &str) -> Self {
        Self {
            own: format!("src={local_node}").into_bytes(),
            line: Vec::new(),
            is_cut: true, // the port is opened in the middle of whatever comes
            inside: None,
            insets: 0,
            noise: 0,
            lately: Lately::default(),
            found: None,
            told: None,
        }
    }

    /// Takes in bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' {
                self.take_line();
                self.line.clear();
                self.is_cut = false;
            } else {
                self.count(byte);
                if self.line.len() >= LONGEST {
                    self.line.drain(..LONGEST / 2); // a marker may be at its end
                    self.is_cut = true;
                }
                self.line.push(byte);
            }
        }
        // A prompt does not end its line.
        self.lately.login |= self.inside.is_none() && asks_for_login(&self.line);
    }

    /// A whole message was found among the bytes.
    pub fn heard(&mut self, text: &[u8]) {
        if is_short(text) {
            self.lately.short = self.lately.short.saturating_add(1);
            return;
        }
        let is_own = text
            .split(|&byte| byte == b'\n')
            .any(|line| line == self.own);
        let count = if is_own {
            &mut self.lately.own
        } else {
            &mut self.lately.messages
        };
        *count = count.saturating_add(1);
    }

    /// Bytes that belong to no message, since the port was opened.
    pub fn noise(&self) -> u64 {
        self.noise
    }

    /// Who was found at the other end, unless messages of another node have come since.
    pub fn found(&self) -> Option<&Stranger> {
        self.found.as_ref().map(|(stranger, _)| stranger)
    }

    /// Judges what came since the last time. Gives who was found, when that is to be told.
    pub fn judge(&mut self, now: Instant) -> Option<Stranger> {
        let lately = std::mem::take(&mut self.lately);
        // Between short heartbeats of ours other messages of ours come, too.
        if lately.messages > 0 || (lately.short > 0 && lately.own == 0) {
            self.found = None;
            return None;
        }
        let Some(stranger) = lately.stranger() else {
            self.found.take_if(|(_, at)| now.since(*at) >= FORGOTTEN);
            return None;
        };
        self.found = Some((stranger.clone(), now));
        let is_news = self.told.is_none_or(|(word, at)| {
            let (same, other) = TOLD;
            now.since(at) >= if word == stranger.word() { same } else { other }
        });
        if is_news {
            self.told = Some((stranger.word(), now));
        }
        is_news.then_some(stranger)
    }

    fn count(&mut self, byte: u8) {
        if let Some(length) = &mut self.inside {
            *length += 1;
            if *length <= MAX_WIRE {
                return;
            }
            self.inside = None; // as the reader of messages gives it up
        }
        let is_text = byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | 0x1b);
        self.noise = self.noise.saturating_add(1);
        self.lately.bytes = self.lately.bytes.saturating_add(1);
        self.lately.odd = self.lately.odd.saturating_add(u64::from(!is_text));
    }

    fn take_line(&mut self) {
        let line = self.line.as_slice();
        if line.ends_with(b">>>") {
            if self.inside.is_none() {
                // The marker itself is no noise.
                let marker = 3;
                self.noise = self.noise.saturating_sub(marker);
                self.lately.bytes = self.lately.bytes.saturating_sub(marker);
            }
            (self.inside, self.insets) = (Some(0), 0);
            return;
        }
        if let Some(length) = self.inside {
            if line.starts_with(b"<<<") && !self.is_cut {
                self.inside = None;
            } else if short_at_end(line) == Some(line) {
                // It stands between two lines of the message and is none of it, unless the message was cut off.
                let is_inset = self.insets < MOST_INSETS;
                self.inside = is_inset.then(|| length.saturating_sub(line.len()));
                self.insets = self.insets.saturating_add(1);
            } else if !line.is_empty() {
                self.insets = 0;
            }
            return;
        }
        if let Some(short) = short_at_end(line) {
            let length = u64::try_from(short.len()).unwrap_or(0);
            self.noise = self.noise.saturating_sub(length);
            self.lately.bytes = self.lately.bytes.saturating_sub(length);
            return;
        }
        self.lately.login |= asks_for_login(line);
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        self.lately.modem |= answers_as_modem(text) || tells_as_modem(text);
        if text.len() > 1 && !self.is_cut && is_foreign(text) {
            self.lately.text = shown(text);
        }
    }
}

impl Lately {
    fn stranger(&self) -> Option<Stranger> {
        let (least, percent) = RUBBISH;
        let odd = self.odd.saturating_mul(100).checked_div(self.bytes);
        if self.login {
            Some(Stranger::Login)
        } else if self.modem {
            Some(Stranger::Modem)
        } else if self.own > 0 {
            Some(Stranger::Ourselves)
        } else if self.bytes >= least && odd.is_some_and(|odd| odd >= percent) {
            Some(Stranger::Rubbish)
        } else if self.text.is_empty() {
            None
        } else {
            Some(Stranger::Unknown(self.text.clone()))
        }
    }
}

/// Whether a login asks for a name or a password in this line.
pub fn asks_for_login(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line).to_lowercase();
    PROMPTS.iter().any(|prompt| text.contains(prompt))
}

/// Whether this line is what a modem answers to a command.
pub fn answers_as_modem(line: &str) -> bool {
    ANSWERS.contains(&line)
}

/// As much of foreign text as is shown, with nothing that a terminal would obey.
pub fn shown(text: &str) -> String {
    text.replace(char::is_control, "?")
        .chars()
        .take(SHOWN)
        .collect()
}

/// What a modem tells without being asked.
fn tells_as_modem(line: &str) -> bool {
    EVENTS.iter().any(|event| {
        let rest = line.strip_prefix(event);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    })
}

/// Text that is no part of a message whose beginning was missed or damaged.
fn is_foreign(text: &str) -> bool {
    let is_field = text.split_once('=').is_some_and(|(name, _)| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.len() <= 20 && name.chars().all(is_name)
    });
    let is_text = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    is_text && !is_field && !text.contains("<<<") && !text.contains(">>>")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &[u8] = b"!1.0.0.-.-.2AAAA+/AAAAAAAAAA\n";

    const MESSAGE: &[u8] = b"\n>>>\nt=status\nsrc=beta\nseq=1\n<<<\n";

    fn second(number: u64) -> Instant {
        Instant::from_micros(number * 1_000_000)
    }

    fn found(pieces: &[&[u8]]) -> Option<Stranger> {
        let mut listener = Listener::new("alpha");
        for piece in pieces {
            listener.push(piece);
        }
        listener.judge(second(10))
    }

    #[test]
    fn everything_that_may_be_at_the_other_end_is_told_apart() {
        use Stranger::{Login, Modem, Rubbish};
        let unknown = |text: &str| Some(Stranger::Unknown(text.into()));
        let rubbish: Vec<u8> = (0..64)
            .map(|number| [0, 0x7f, b'x', 3][number % 4])
            .collect();
        for (bytes, stranger) in [
            (
                &b"\r\nDebian GNU/Linux 12 beta ttyS0\r\n\r\nbeta login: "[..],
                Some(Login),
            ),
            (b"Password: ", Some(Login)),
            (b">>>\r\nERROR\r\n", None),
            (b"\r\nERROR\r\n", Some(Modem)),
            (b"\r\nNO CARRIER\r\n", Some(Modem)),
            (b"\r\nCONNECT 9600\r\n", Some(Modem)),
            (b"\r\nRINGING ROUND\r\n", unknown("RINGING ROUND")),
            (
                b"07.038,N\r\n$GPGGA,123519,4807.038,N\r\n",
                unknown("$GPGGA,123519,4807.038,N"),
            ),
            (&rubbish, Some(Rubbish)),
            (b"\0\0\x03x\x7f", None),
            (b"", None),
            (b"\n\n\r\n", None),
            (b"s=12\nauth=1 abcdef\n<<<\n", None),
            (b"=1c\nttl=3\n<<<\n", None),
            (b"0 0 17\nttl=3\n<<<\n", None), // the end of a value
            (b"\n=1c\nttl=3\n<<<\n", None),  // its beginning was lost on the way
            (MESSAGE, None),
        ] {
            assert_eq!(found(&[bytes]), stranger, "{}", bytes.escape_ascii());
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(
                found(&single),
                stranger,
                "byte by byte: {}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn what_we_said_ourselves_is_known_by_our_name() {
        let mut listener = Listener::new("alpha");
        let own = b">>>\nt=status\nsrc=alpha\n<<<\n";
        listener.push(own);
        listener.heard(own);
        assert_eq!(listener.judge(second(10)), Some(Stranger::Ourselves));
        listener.heard(b">>>\nt=status\nsrc=alpha2\n<<<\n");
        assert_eq!(listener.judge(second(20)), None);
        assert_eq!(listener.found(), None);
    }

    #[test]
    fn while_messages_of_another_node_come_noise_is_only_counted() {
        let mut listener = Listener::new("alpha");
        listener.push(b"xxxxx\n");
        listener.push(MESSAGE);
        listener.heard(MESSAGE);
        listener.push(b"login: \n");
        assert_eq!(listener.judge(second(10)), None);
        assert_eq!(listener.noise(), 12);
        listener.push(MESSAGE);
        assert_eq!(listener.noise(), 12, "a message is no noise");
    }

    #[test]
    fn a_stranger_is_told_once_an_hour_and_another_one_after_a_minute() {
        let mut listener = Listener::new("alpha");
        let mut told = Vec::new();
        for time in (0..7300).step_by(10) {
            listener.push(if time < 7250 { b"login: \n" } else { b"RING\n" });
            let stranger = listener.judge(second(time));
            told.extend(stranger.map(|stranger| (time, stranger.word())));
        }
        let expected = [
            (0, "login"),
            (3600, "login"),
            (7200, "login"),
            (7260, "modem"),
        ];
        assert_eq!(told, expected);
        assert_eq!(listener.judge(second(7800)), None);
        assert_eq!(
            listener.found(),
            Some(&Stranger::Modem),
            "silent for a while"
        );
        listener.judge(second(7290 + 600));
        assert_eq!(listener.found(), None);
    }

    #[test]
    fn a_message_that_does_not_end_hides_a_stranger_only_for_so_long() {
        let mut listener = Listener::new("alpha");
        listener.push(b">>>\n");
        listener.push(&b"x".repeat(MAX_WIRE + 1));
        listener.push(b"\nlogin: ");
        assert_eq!(listener.judge(second(0)), Some(Stranger::Login));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_taken_in(pieces in proptest::collection::vec(proptest::collection::vec(0_u8.., 0..300), 0..8)) {
            let mut listener = Listener::new("alpha");
            for piece in &pieces {
                listener.push(piece);
            }
            let all: usize = pieces.iter().map(Vec::len).sum();
            assert!(listener.noise() <= u64::try_from(all).expect("few") && listener.line.len() <= LONGEST);
            if let Some(Stranger::Unknown(text)) = listener.judge(second(0)) {
                assert!(text.chars().count() <= SHOWN && !text.contains(char::is_control));
            }
        }
    }

    #[test]
    fn a_short_heartbeat_is_no_noise_and_shows_that_somebody_else_is_there() {
        let mut listener = Listener::new("alpha");
        for _ in 0..20 {
            listener.push(SHORT);
            listener.heard(SHORT);
        }
        assert_eq!(listener.noise(), 0);
        listener.push(b"\r\nbeta login: \n");
        listener.push(SHORT);
        listener.heard(SHORT);
        assert_eq!(listener.judge(second(10)), None, "the other node is there");
        assert_eq!(listener.noise(), 12);
    }

    #[test]
    fn a_message_whose_end_was_lost_hides_a_stranger_for_three_short_heartbeats() {
        let mut listener = Listener::new("alpha");
        listener.push(b">>>\nt=status\n");
        let lines = [SHORT, SHORT, b"src=beta\n", SHORT, SHORT, b"seq=1<<<\n"];
        for bytes in lines {
            listener.push(bytes);
        }
        assert!(listener.inside.is_some(), "as a sender does at most");
        for bytes in [SHORT, SHORT, b"\n", SHORT] {
            listener.push(bytes);
        }
        assert_eq!(listener.noise(), 0);
        listener.push(b"\r\nbeta login: ");
        assert_eq!(listener.judge(second(10)), Some(Stranger::Login));
        assert_eq!(listener.noise(), 12);
    }

    #[test]
    fn our_own_messages_come_back_between_short_ones() {
        let mut listener = Listener::new("alpha");
        let own = b">>>\nt=NS_ackmsg\nsrc=alpha\n<<<\n";
        for bytes in [SHORT, own, SHORT] {
            listener.push(bytes);
            listener.heard(bytes);
        }
        assert_eq!(listener.judge(second(10)), Some(Stranger::Ourselves));
        assert_eq!(listener.noise(), 0);
    }
}
