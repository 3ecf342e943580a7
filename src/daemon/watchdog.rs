//! The watchdog: resets this machine when the event loop hangs, before the peer takes over.
//!
//! Which device that is, what is known of it before it is opened, and who else has it, is found in `facts.rs` and `user.rs`;
//! the open device is in `armed.rs`, and when it is fed is decided in `feeding.rs`. Here is what becomes of a device that
//! can't be used: without it the daemon does not start, or it starts and tries again now and then (`watchdog_policy`).

mod armed;
mod error;
mod facts;
pub mod feeding;
mod user;

use std::time::Duration;

pub use armed::Fed;
use armed::{Armed, suits};
pub use error::Error;
use facts::{Facts, NotFound};
pub use facts::{Found, Places, ROOT};
use user::User;

use crate::cluster::Instant;
use crate::config::{self, Absence, WatchdogPolicy};

/// The pauses between attempts to have a device that is missing: the first, and the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const NEVER: Instant = Instant::from_micros(u64::MAX);

/// The watchdog of `ha.cf`, armed or not there yet.
#[derive(Debug)]
pub struct Watchdog {
    wanted: config::Watchdog,
    places: Places,
    keepalive: Duration,
    deadtime: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    Armed(Armed),
    Missing(Missing),
}

/// It can't be used, and that is how it is wanted (`watchdog_policy wanted`).
#[derive(Debug)]
struct Missing {
    why: Error,
    pause: Duration,
    next: Instant,
}

impl Missing {
    /// A device that is unfit is not opened again, for that arms it: not before the times are others.
    fn new(why: Error, pause: Duration, now: Instant) -> Self {
        let next = if why.is_absence() { now + pause } else { NEVER };
        Self { why, pause, next }
    }
}

/// What is shown of a watchdog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// As it is named in `ha.cf`.
    pub device: String,
    /// As the kernel names it.
    pub name: Option<String>,
    /// What it calls itself.
    pub identity: Option<String>,
    /// From a feed to the reset; none while it is not armed.
    pub timeout: Option<Duration>,
    /// Whether it can't be disarmed; none where that is not known.
    pub nowayout: Option<bool>,
    /// What follows where it can't be used.
    pub policy: WatchdogPolicy,
    /// When it was fed last; none before the first feed.
    pub last_fed: Option<Instant>,
    /// Why it can't be used now.
    pub problem: Option<String>,
}

impl Watchdog {
    /// Finds the device, opens it and sets its time. Where that can't be done and the policy is `wanted`, tells so once and
    /// tries again later, in [`Watchdog::turn`]. Looks through `/proc` for whoever has the device: not for the event loop.
    ///
    /// # Errors
    /// When it can't be done and the policy is `required`. The machine is then not reset.
    pub fn start(
        wanted: &config::Watchdog,
        places: Places,
        keepalive: Duration,
        deadtime: Duration,
        now: Instant,
    ) -> Result<Self, Error> {
        let attempt = open(&places, wanted, keepalive, deadtime, now);
        let state = match attempt {
            Ok(armed) => State::Armed(armed),
            Err(why) => {
                let why = with_user(&places, why);
                if wanted.policy == WatchdogPolicy::Required {
                    return Err(why);
                }
                log::warn!(
                    "No watchdog: {why}. A hang of this machine resets nothing until there is one; it is tried again \
                     (watchdog_policy wanted)"
                );
                State::Missing(Missing::new(why, PAUSE, now))
            }
        };
        Ok(Self {
            wanted: wanted.clone(),
            places,
            keepalive,
            deadtime,
            state,
        })
    }

    /// `deadtime` or `keepalive` is another one. Where the peer takes over sooner than before, so does the reset come; it
    /// never comes later than it was set to at the start.
    ///
    /// # Errors
    /// When the device can't be as quick as that. It is then set as it was.
    pub fn follow(&mut self, keepalive: Duration, deadtime: Duration) -> Result<(), Error> {
        match &mut self.state {
            State::Armed(armed) => armed.follow(keepalive, deadtime)?,
            State::Missing(missing) => {
                (missing.pause, missing.next) = (PAUSE, Instant::default());
            }
        }
        (self.keepalive, self.deadtime) = (keepalive, deadtime);
        Ok(())
    }

    /// To be called at the end of a completed turn and nowhere else, with the moment of the last heartbeat sent. Feeds the
    /// device where it is due, or looks whether there is one by now.
    pub fn turn(&mut self, now: Instant, last_heartbeat: Instant) -> Fed {
        match &mut self.state {
            State::Armed(armed) => armed.feed(now, last_heartbeat),
            State::Missing(missing) if missing.next <= now => {
                self.try_again(now);
                Fed::NotYet
            }
            State::Missing(_) => Fed::NotYet,
        }
    }

    fn try_again(&mut self, now: Instant) {
        let State::Missing(before) = &self.state else {
            return;
        };
        let pause = before.pause.saturating_mul(2).min(LONGEST_PAUSE);
        let attempt = open_again(
            &self.places,
            &self.wanted,
            self.keepalive,
            self.deadtime,
            now,
        );
        match attempt {
            Ok(armed) => self.state = State::Armed(armed),
            Err(why) => {
                let next = Missing::new(why, pause, now);
                if let State::Missing(missing) = &mut self.state {
                    if next.why.is_like(&missing.why) {
                        // What is told already is told with more than is known now.
                        (missing.pause, missing.next) = (next.pause, next.next);
                    } else {
                        log::warn!("Still no watchdog: {}", next.why);
                        *missing = next;
                    }
                }
            }
        }
    }

    /// When the next feed or the next attempt is due.
    pub fn next_deadline(&self) -> Instant {
        match &self.state {
            State::Armed(armed) => armed.next_deadline(),
            State::Missing(missing) => missing.next,
        }
    }

    /// The time from a feed to the reset; none while no device is armed.
    pub fn timeout(&self) -> Option<Duration> {
        match &self.state {
            State::Armed(armed) => Some(armed.timeout()),
            State::Missing(_) => None,
        }
    }

    /// Whether the device says that it reset this machine before it booted; none where it does not tell, or is not armed.
    pub fn has_fired(&self) -> Option<bool> {
        match &self.state {
            State::Armed(armed) => armed.has_fired(),
            State::Missing(_) => None,
        }
    }

    /// What is shown of it.
    pub fn view(&self) -> View {
        let (facts, timeout, last_fed, problem) = match &self.state {
            State::Armed(armed) => (
                armed.facts().clone(),
                Some(armed.timeout()),
                armed.last_fed(),
                None,
            ),
            State::Missing(missing) => {
                let why = missing.why.to_string();
                (Facts::default(), None, None, Some(why))
            }
        };
        View {
            device: self.wanted.device.to_string(),
            name: Some(facts.name).filter(|name| !name.is_empty()),
            identity: facts.identity,
            timeout,
            nowayout: facts.nowayout,
            policy: self.wanted.policy,
            last_fed,
            problem,
        }
    }

    /// Disarms the device, unless its driver was told never to be disarmed.
    pub fn close(self) {
        if let State::Armed(armed) = self.state {
            armed.close();
        }
    }
}

fn find(places: &Places, wanted: &config::Watchdog) -> Result<Found, Error> {
    let found = places.find(&wanted.device);
    found.map_err(|why| Error::NotFound(wanted.device.to_string(), why))
}

fn open(
    places: &Places,
    wanted: &config::Watchdog,
    keepalive: Duration,
    deadtime: Duration,
    now: Instant,
) -> Result<Armed, Error> {
    Armed::open(find(places, wanted)?, keepalive, deadtime, now)
}

/// The same in the event loop: a device without a driver is not opened, for the kernel would look for a module and
/// have us wait.
fn open_again(
    places: &Places,
    wanted: &config::Watchdog,
    keepalive: Duration,
    deadtime: Duration,
    now: Instant,
) -> Result<Armed, Error> {
    let found = find(places, wanted)?;
    if let Err(error) = places.look_for_driver(&found.path) {
        return Err(Error::Open(found.path, error, Vec::new()));
    }
    Armed::open(found, keepalive, deadtime, now)
}

/// Adds what is found out about a device that can't be had: what else there is, or who has it.
fn with_user(places: &Places, error: Error) -> Error {
    match error {
        Error::Open(path, error, _) => {
            let others = places.all().iter().map(ToString::to_string).collect();
            Error::Open(path, error, others)
        }
        Error::Busy(path, _) => {
            let user = user_of(places, &path);
            Error::Busy(path, user)
        }
        other => other,
    }
}

/// Whoever has this device open, under whichever of its names.
fn user_of(places: &Places, path: &std::path::Path) -> Option<User> {
    let mut nodes = vec![path.to_owned()];
    nodes.extend(
        places
            .name_of(path)
            .map(|name| places.nodes(&name))
            .unwrap_or_default(),
    );
    User::of(&nodes)
}

/// What is wrong with the watchdog of a configuration, looked for without opening it.
pub fn absence(
    places: &Places,
    wanted: &config::Watchdog,
    keepalive: Duration,
    deadtime: Duration,
) -> Option<Absence> {
    let label = match wanted.policy {
        WatchdogPolicy::Required => "heartbeat does not start without it",
        WatchdogPolicy::Wanted => "heartbeat starts without it and tries again",
    };
    let absence = |message: String, help: String| Absence {
        message,
        label: label.into(),
        help,
    };
    let all = || -> Vec<String> {
        let all = places.all();
        all.iter().map(ToString::to_string).collect()
    };
    let found = match places.find(&wanted.device) {
        Ok(found) => found,
        Err(NotFound::Several(several)) => {
            let message = format!("several watchdogs are `{}`", wanted.device);
            let help = format!("name one of {} by its path", several.join(", "));
            return Some(absence(message, help));
        }
        Err(NotFound::None(others)) => {
            let message = format!("no watchdog `{}`", wanted.device);
            return Some(absence(message, error::rest(&others)));
        }
    };
    if let Err(error) = std::fs::metadata(&found.path) {
        let message = format!("no watchdog `{}`: {error}", found.path.display());
        return Some(absence(message, error::rest(&all())));
    }
    if let Err(error) = suits(&found, keepalive, deadtime) {
        return Some(absence(error.to_string(), String::new()));
    }
    // Where heartbeat has it, this is the configuration of a daemon that runs.
    if let Some(user) = user_of(places, &found.path).filter(|user| !user.is_heartbeat()) {
        let message = format!("watchdog `{}` is not free: {}", wanted.device, user.who());
        return Some(absence(message, user.remedy()));
    }
    let nowayout = found
        .facts
        .is_some_and(|facts| facts.nowayout == Some(true));
    nowayout.then(|| Absence {
        message: format!("watchdog `{}` can't be disarmed (nowayout)", wanted.device),
        label: "a clean stop of heartbeat resets this machine".into(),
        help: "load its driver with nowayout=0, or start heartbeat again within its timeout".into(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::PathBuf;

    use super::facts::tests::machine;
    use super::*;
    use crate::config::WatchdogDevice;

    const KEEPALIVE: Duration = Duration::from_millis(500);
    const DEADTIME: Duration = Duration::from_secs(3);

    /// A pipe that stands in for a device, and whoever reads what is written to it.
    pub fn pipe() -> (tempfile::TempDir, PathBuf, File) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("watchdog");
        let reader = pipe_at(&path);
        (directory, path, reader)
    }

    fn pipe_at(path: &std::path::Path) -> File {
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("made");
        File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .expect("opens")
    }

    fn line(device: WatchdogDevice, policy: WatchdogPolicy) -> config::Watchdog {
        config::Watchdog { device, policy }
    }

    fn start(places: &Places, wanted: &config::Watchdog) -> Result<Watchdog, Error> {
        let now = Instant::from_micros(5_000_000);
        Watchdog::start(wanted, places.clone(), KEEPALIVE, DEADTIME, now)
    }

    #[test]
    fn one_that_is_wanted_is_tried_again_ever_more_rarely_and_taken_once_it_is_there() {
        let (_root, places) = machine(&[]);
        let path = places.device("watchdog0");
        let device = WatchdogDevice::Path(path.clone());
        let required = line(device.clone(), WatchdogPolicy::Required);
        start(&places, &required).expect_err("it is missing");
        let wanted = line(device, WatchdogPolicy::Wanted);
        let mut watchdog = start(&places, &wanted).expect("goes on without");
        let begin = Instant::from_micros(5_000_000);
        let mut pauses = Vec::new();
        let mut now = begin;
        for _ in 0..8 {
            let next = watchdog.next_deadline();
            pauses.push(next.since(now).as_secs());
            now = next;
            assert_eq!(watchdog.turn(now, now), Fed::NotYet);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(watchdog.timeout(), None);
        let problem = watchdog.view().problem.expect("told");
        assert!(problem.contains("No such file"), "{problem}");

        let mut reader = pipe_at(&path);
        now = watchdog.next_deadline();
        assert_eq!(watchdog.turn(now, now), Fed::NotYet, "opened");
        assert_eq!(watchdog.turn(now, now), Fed::Yes);
        assert_eq!(watchdog.timeout(), Some(Duration::from_secs(2)));
        let view = watchdog.view();
        assert_eq!((view.last_fed, view.problem), (Some(now), None));
        watchdog.close();
        let mut written = Vec::new();
        reader.read_to_end(&mut written).expect("readable");
        assert_eq!(written, b"\0V");
    }

    #[test]
    fn a_shorter_deadtime_is_followed_by_one_that_comes_later() {
        let (_root, places) = machine(&[]);
        let path = places.device("watchdog0");
        let wanted = line(WatchdogDevice::Path(path.clone()), WatchdogPolicy::Wanted);
        let mut watchdog = start(&places, &wanted).expect("goes on without");
        let followed = watchdog.follow(KEEPALIVE, Duration::from_secs(10));
        followed.expect("nothing to refuse");
        let _reader = pipe_at(&path);
        watchdog.turn(watchdog.next_deadline(), Instant::default());
        assert_eq!(watchdog.timeout(), Some(Duration::from_secs(8)));
    }

    #[test]
    fn one_that_is_too_slow_is_not_armed_again_before_the_times_are_others() {
        let (_root, places) = machine(&[("watchdog0", &[("min_timeout", "5")])]);
        let path = places.device("watchdog0");
        std::fs::remove_file(&path).expect("ours");
        let _reader = pipe_at(&path);
        let wanted = line(WatchdogDevice::Path(path), WatchdogPolicy::Wanted);
        let mut watchdog = start(&places, &wanted).expect("goes on without");
        assert_eq!(watchdog.next_deadline(), NEVER);
        let followed = watchdog.follow(KEEPALIVE, Duration::from_secs(10));
        followed.expect("nothing to refuse");
        let now = Instant::from_micros(9_000_000);
        assert!(watchdog.next_deadline() <= now);
        watchdog.turn(now, now);
        assert_eq!(watchdog.timeout(), Some(Duration::from_secs(8)));
    }

    fn checked(
        attributes: &[(&str, &str)],
        device: &str,
        policy: WatchdogPolicy,
    ) -> Option<String> {
        let (root, places) = machine(&[("watchdog0", attributes)]);
        let device = WatchdogDevice::Identity(device.into());
        let absence = absence(&places, &line(device, policy), KEEPALIVE, DEADTIME)?;
        let text = format!("{} | {} | {}", absence.message, absence.label, absence.help);
        Some(text.replace(root.path().to_str().expect("plain text"), ""))
    }

    #[test]
    fn a_check_says_what_a_start_would_stumble_over_and_opens_nothing() {
        let board = |more: &[(&'static str, &'static str)]| {
            let mut all = vec![("identity", "Board")];
            all.extend(more);
            all
        };
        let required = WatchdogPolicy::Required;
        assert_eq!(checked(&board(&[]), "board", required), None);
        assert_eq!(
            checked(&board(&[]), "other", WatchdogPolicy::Wanted).as_deref(),
            Some(
                "no watchdog `identity:other` | heartbeat starts without it and tries again | this machine has \
                 watchdog0 (Board); name one of them, or load the driver that is meant with modprobe(8)"
            )
        );
        assert_eq!(
            checked(&board(&[("min_timeout", "10")]), "board", required).as_deref(),
            Some(
                "watchdog /dev/watchdog0 resets a hung node only after 10 s, when its peer may have taken over: set \
                 deadtime to 11s or more, or set a shorter timeout in the driver | heartbeat does not start without it | "
            )
        );
        assert_eq!(
            checked(&board(&[("nowayout", "1")]), "board", required).as_deref(),
            Some(
                "watchdog `identity:board` can't be disarmed (nowayout) | a clean stop of heartbeat resets this machine | \
                 load its driver with nowayout=0, or start heartbeat again within its timeout"
            )
        );
    }
}
