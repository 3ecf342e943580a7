//! A null-modem cable between two pseudo terminals: what one machine writes the other reads, at the speed
//! of the line, until the cable is pulled.

use std::fs::{self, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{gettid, read, write};

/// One direction of a cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Line {
    /// Bytes arrive.
    Joined = 0,
    /// Bytes vanish: a broken wire, or a cable without flow control pulled out.
    Broken = 1,
    /// The sender is held up by its flow control, and what waits arrives later: a cable pulled out
    /// that has the control wires, as RTS/CTS wants it.
    Stalled = 2,
}

/// The cable. The ends are 0 and 1; a direction is named by the end that sends.
pub struct NullModem {
    lines: Arc<[AtomicU8; 2]>,
    losses: Arc<AtomicU8>,
    noise: Arc<AtomicU8>,
    carried: Arc<[AtomicU64; 2]>,
}

impl NullModem {
    /// Joins two new terminals and makes them appear as `devices`. `baud` limits the speed.
    pub fn new(devices: [&Path; 2], baud: Option<u32>) -> Self {
        let ends = devices.map(open_end);
        let lines = Arc::new([AtomicU8::new(0), AtomicU8::new(0)]);
        let carried = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let losses = Arc::new(AtomicU8::new(0));
        let noise = Arc::new(AtomicU8::new(0));
        let (state, count) = (Arc::clone(&lines), Arc::clone(&carried));
        let damage = [Arc::clone(&losses), Arc::clone(&noise)];
        thread::spawn(move || {
            let bytes_per_second = baud.map(|rate| f64::from(rate) / 10.0);
            relay(&ends, &state, &damage, &count, bytes_per_second);
        });
        Self {
            lines,
            losses,
            noise,
            carried,
        }
    }

    /// Sets what happens to the bytes that `sender` writes.
    pub fn set(&self, sender: usize, line: Line) {
        self.lines[sender].store(line as u8, Ordering::SeqCst);
    }

    /// Sets both directions.
    pub fn set_both(&self, line: Line) {
        self.set(0, line);
        self.set(1, line);
    }

    /// Loses this share of the messages, in both directions.
    pub fn lose(&self, percent: u8) {
        self.losses.store(percent, Ordering::SeqCst);
    }

    /// From now on so many of a hundred bytes arrive as others, twice, or not at all, in both directions.
    pub fn spoil(&self, percent: u8) {
        self.noise.store(percent, Ordering::SeqCst);
    }

    /// How many bytes of `sender` have arrived at the other end.
    pub fn carried(&self, sender: usize) -> u64 {
        self.carried[sender].load(Ordering::SeqCst)
    }
}

/// Opens a terminal pair, raw from the beginning, and names its far side `device`.
fn open_end(device: &Path) -> PtyMaster {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).expect("a pseudo terminal is free");
    grantpt(&master).expect("our own terminal");
    unlockpt(&master).expect("our own terminal");
    let name = ptsname_r(&master).expect("our own terminal");
    // Opened and closed once: from then on the kernel tells us while nobody has it open.
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits())
        .open(&name)
        .expect("our own terminal");
    let mut settings = tcgetattr(&slave).expect("it is a terminal");
    cfmakeraw(&mut settings);
    tcsetattr(&slave, SetArg::TCSANOW, &settings).expect("it is a terminal");
    let _ = fs::remove_file(device);
    symlink(&name, device).expect("the directory is ours");
    master
}

/// Bytes on their way from one end to the other.
#[derive(Default)]
struct InFlight {
    bytes: Vec<u8>,
    credit: f64,
    sieve: Sieve,
    noise: Noise,
}

/// Spoils single bytes.
#[derive(Default)]
struct Noise(u64);

impl Noise {
    /// Spoils this share of the bytes from a place on.
    fn spoil(&mut self, bytes: &mut Vec<u8>, from: usize, percent: u8) {
        for byte in bytes.split_off(from) {
            let dice = random(&mut self.0);
            if dice % 100 >= u64::from(percent) {
                bytes.push(byte);
                continue;
            }
            match dice / 100 % 3 {
                0 => {}
                1 => bytes.extend([byte, byte]),
                _ => bytes.push(byte ^ 1 << (dice / 300 % 8)),
            }
        }
    }
}

/// The next of some numbers without order.
fn random(state: &mut u64) -> u64 {
    // an ordinary linear congruence: its high bits are random enough
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Lets whole messages through or none of them.
#[derive(Default)]
struct Sieve {
    /// The last bytes seen, and how many of this message.
    tail: [u8; END.len()],
    count: usize,
    /// It is a short heartbeat, which is one line.
    is_line: bool,
    drops: bool,
    random: u64,
}

/// How a message ends on a serial line.
const END: [u8; 4] = *b"<<<\n";

impl Sieve {
    fn pass(&mut self, bytes: &[u8], percent: u8, out: &mut Vec<u8>) {
        for &byte in bytes {
            if self.count == 0 && byte == b'\n' {
                out.push(byte); // no message begins so
                continue;
            }
            if self.count == 0 {
                self.drops = random(&mut self.random) % 100 < u64::from(percent);
                self.is_line = byte == b'!';
            }
            if !self.drops {
                out.push(byte);
            }
            self.count += 1;
            self.tail.rotate_left(1);
            self.tail[END.len() - 1] = byte;
            if self.tail == END || (self.is_line && byte == b'\n') {
                self.count = 0;
            }
        }
    }
}

const CHUNK: usize = 256;

fn relay(
    ends: &[PtyMaster; 2],
    lines: &[AtomicU8; 2],
    damage: &[Arc<AtomicU8>; 2],
    carried: &[AtomicU64; 2],
    bytes_per_second: Option<f64>,
) {
    run_before_others();
    let mut flight = [InFlight::default(), InFlight::default()];
    flight[1].sieve.random = 1; // the two directions lose different messages
    flight[1].noise.0 = 1;
    let mut last_turn = Instant::now();
    loop {
        let elapsed = last_turn.elapsed().as_secs_f64();
        last_turn = Instant::now();
        let damage = damage.each_ref().map(|part| part.load(Ordering::SeqCst));
        let open = [is_open(ends[0].as_fd()), is_open(ends[1].as_fd())];
        for sender in 0..2 {
            let way = &mut flight[sender];
            way.credit = match bytes_per_second {
                Some(rate) => (way.credit + rate * elapsed).min(rate / 20.0),
                None => f64::from(u32::MAX),
            };
            match lines[sender].load(Ordering::SeqCst) {
                state if state == Line::Stalled as u8 => continue,
                state if state == Line::Broken as u8 => {
                    take(&ends[sender], damage, way);
                    way.bytes.clear();
                    continue;
                }
                _ => take(&ends[sender], damage, way),
            }
            if !open[1 - sender] {
                way.bytes.clear(); // nobody has the port open: nothing keeps what arrives
                continue;
            }
            let given = give(&ends[1 - sender], way);
            carried[sender].fetch_add(given as u64, Ordering::SeqCst);
        }
        wait(ends, lines, &flight, open);
    }
}

/// A wire does not wait for a busy processor: asks for realtime scheduling, where that is allowed.
pub fn run_before_others() {
    let thread = gettid().to_string();
    let _ = Command::new("chrt")
        .args(["--fifo", "--pid", "2", &thread])
        .stderr(Stdio::null())
        .status();
}

/// Reads what the sender wrote, unless enough of it is waiting already.
fn take(end: &PtyMaster, [losses, noise]: [u8; 2], way: &mut InFlight) {
    let mut buffer = [0; CHUNK];
    while way.bytes.len() < CHUNK {
        match read(end, &mut buffer) {
            Ok(count) if count > 0 => {
                let before = way.bytes.len();
                way.sieve.pass(&buffer[..count], losses, &mut way.bytes);
                if noise > 0 {
                    way.noise.spoil(&mut way.bytes, before, noise);
                }
            }
            _ => return, // nothing there, or nobody
        }
    }
}

/// Writes as much as the line's speed allows.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small and positive"
)]
fn give(end: &PtyMaster, way: &mut InFlight) -> usize {
    let allowed = way.bytes.len().min(way.credit as usize);
    match write(end, &way.bytes[..allowed]) {
        Ok(count) => {
            way.bytes.drain(..count);
            way.credit -= count as f64;
            count
        }
        Err(_) => 0,
    }
}

/// Whether the far side of a terminal is open: a master without one reports a hang-up at once.
fn is_open(end: BorrowedFd<'_>) -> bool {
    let mut look = [PollFd::new(end, PollFlags::empty())];
    let looked = poll(&mut look, PollTimeout::ZERO).is_ok();
    let seen = look[0].revents().unwrap_or(PollFlags::empty());
    !(looked && seen.contains(PollFlags::POLLHUP))
}

/// Sleeps until bytes come, or a moment when something waits for time or for another state.
fn wait(ends: &[PtyMaster; 2], lines: &[AtomicU8; 2], flight: &[InFlight; 2], open: [bool; 2]) {
    let mut look = Vec::new();
    let mut moment = 50_u16;
    for sender in 0..2 {
        let stalled = lines[sender].load(Ordering::SeqCst) == Line::Stalled as u8;
        if !flight[sender].bytes.is_empty() || !open[sender] || stalled {
            moment = 5;
        }
        if open[sender] && !stalled && flight[sender].bytes.len() < CHUNK {
            look.push(PollFd::new(ends[sender].as_fd(), PollFlags::POLLIN));
        }
    }
    if look.is_empty() {
        thread::sleep(Duration::from_millis(u64::from(moment)));
        return;
    }
    match poll(&mut look, PollTimeout::from(moment)) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => panic!("cannot wait for terminal {}: {error}", ends[0].as_raw_fd()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_loses_whole_messages() {
        let mut sieve = Sieve::default();
        let mut out = Vec::new();
        for number in 0..1000 {
            let message = format!(">>>\nseq={number}\n<<<\n");
            for piece in message.as_bytes().chunks(5) {
                sieve.pass(piece, 30, &mut out);
            }
        }
        let text = String::from_utf8(out).expect("what went in");
        let arrived: Vec<_> = text.split_inclusive("<<<\n").collect();
        assert!((600..800).contains(&arrived.len()), "{}", arrived.len());
        assert!(
            arrived
                .iter()
                .all(|message| message.starts_with(">>>\nseq=") && message.ends_with("\n<<<\n"))
        );
    }

    #[test]
    fn noise_changes_doubles_and_loses_bytes() {
        let sent = vec![b'x'; 10_000];
        let mut arrived = sent.clone();
        Noise::default().spoil(&mut arrived, 5000, 10);
        assert_eq!(arrived[..5000], sent[..5000], "what was there before");
        let others = arrived.iter().filter(|byte| **byte != b'x').count();
        assert!((100..250).contains(&others), "{others} are others");
        let length = arrived.len().abs_diff(sent.len());
        assert!(length < 100, "as many came twice as did not come");
        let mut whole = sent.clone();
        Noise::default().spoil(&mut whole, 0, 0);
        assert_eq!(whole, sent);
    }
}
