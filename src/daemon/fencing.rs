//! The devices that reset the other node. Each is a program that is told on its standard input, or by a file, what it
//! has to know: no password is in a list of processes or in the log. One of them runs at a time.

mod device;

use std::collections::VecDeque;
use std::time::Duration;

use mio::{Registry, Token};

use super::children::{
    ChildId, Children, End, Ended, Kind, Leftovers, Order, Owner, Surroundings, reason,
};
use super::clock;
use super::core::Core;
use crate::cluster::{ConfirmationRefusal, Event, FencingStage, Instant, Report};
use crate::config::{Config, FenceDevice};
use crate::control::{self, Answer};
use device::Purpose;

/// From one look at the devices to the next, as in 3.0.6.
const CHECK_EVERY: Duration = Duration::from_secs(3600);
/// Long past, so: at once.
const AT_ONCE: Instant = Instant::from_micros(0);

/// The devices, and what they are asked for.
#[derive(Debug)]
pub struct Fencer {
    peer: String,
    devices: Vec<Device>,
    children: Children,
    /// An order to reset the other node that an earlier daemon gave: it is ended first.
    leftovers: Leftovers,
    running: Option<Job>,
    /// The request of the core, and the device whose turn it is.
    wanted: Option<(u64, usize)>,
    /// The devices that are to be looked at now.
    unchecked: VecDeque<usize>,
    check_at: Option<Instant>,
    answers: VecDeque<(u64, bool)>,
}

#[derive(Debug)]
struct Device {
    is: FenceDevice,
    /// What it said when it was asked last.
    works: Option<bool>,
}

#[derive(Debug, Clone, Copy)]
struct Job {
    child: ChildId,
    device: usize,
    /// The request that it is for; none for a look.
    request: Option<u64>,
    /// It was told to end.
    is_killed: bool,
}

impl Fencer {
    /// Asks nothing yet. Child output is signalled under `token`. Looks at all processes: to be called while the
    /// daemon starts.
    pub fn new(
        now: Instant,
        config: &Config,
        owner: Owner,
        registry: Registry,
        token: Token,
    ) -> Self {
        let devices: Vec<Device> = config
            .fencing
            .devices
            .iter()
            .map(|device| Device {
                is: device.clone(),
                works: None,
            })
            .collect();
        let leftovers = if devices.is_empty() {
            Leftovers::default()
        } else {
            Leftovers::find(Kind::Fence, &owner, now)
        };
        let surroundings = Surroundings::new(config, owner, Kind::Fence);
        Self {
            peer: config.peer_node.clone(),
            devices,
            children: Children::new(registry, token, surroundings),
            leftovers,
            running: None,
            wanted: None,
            unchecked: VecDeque::new(),
            check_at: None,
            answers: VecDeque::new(),
        }
    }

    /// What the devices find around them, from the next order on.
    pub fn surround(&mut self, config: &Config) {
        self.children.surround(config);
    }

    /// Asks the devices, one after the other until one succeeds. Answered with this number.
    pub fn reset(&mut self, request: u64) {
        self.wanted = Some((request, 0));
    }

    /// What was asked for is not wanted any more: what does it now is killed.
    pub fn stop(&mut self, now: Instant) {
        self.wanted = None;
        if self.running.is_some_and(|job| job.request.is_some()) {
            self.kill(now);
        }
    }

    /// Once: whatever hangs in the kernel is given up after a while.
    fn kill(&mut self, now: Instant) {
        if let Some(job) = self.running.as_mut().filter(|job| !job.is_killed) {
            job.is_killed = true;
            self.children.kill(now, job.child);
        }
    }

    /// Takes note of what the core tells: the devices are looked at once the nodes are a pair.
    pub fn heed(&mut self, report: &Report) {
        if matches!(report, Report::CommunicationUp) && !self.devices.is_empty() {
            self.check_at = Some(AT_ONCE);
        }
    }

    /// Takes the answer to a request: its number, and whether the other node was reset.
    pub fn next_answer(&mut self) -> Option<(u64, bool)> {
        self.answers.pop_front()
    }

    /// When [`turn`](Self::turn) has something to do without being woken. A time in the past means at once.
    pub fn next_deadline(&self) -> Option<Instant> {
        if let Some(look) = self.leftovers.next_deadline() {
            return Some(look);
        }
        let has_work = self.wanted.is_some() || !self.unchecked.is_empty();
        let at_once = (self.running.is_none() && has_work) || !self.answers.is_empty();
        let at_once = at_once.then_some(AT_ONCE);
        [at_once, self.check_at, self.children.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Goes on as far as possible. Call it in every turn of the event loop.
    pub fn turn(&mut self, now: Instant) {
        if self.leftovers.remain(now) {
            return;
        }
        self.children.turn(now);
        while let Some(ended) = self.children.next_ended() {
            if let Some(job) = self.running.take_if(|job| job.child == ended.child) {
                self.job_ended(job, &ended);
            }
        }
        if self.check_at.is_some_and(|at| at <= now) {
            self.check_at = Some(now + CHECK_EVERY);
            self.unchecked = (0..self.devices.len()).collect();
        }
        match (self.running, self.wanted) {
            // Many devices talk to one at a time.
            (Some(job), Some(_)) if job.request.is_none() => self.kill(now),
            (Some(_), _) => {}
            (None, Some((request, device))) => self.begin_reset(now, request, device),
            (None, None) => {
                if let Some(device) = self.unchecked.pop_front() {
                    self.begin(now, device, Purpose::Look, None);
                }
            }
        }
    }

    fn begin_reset(&mut self, now: Instant, request: u64, device: usize) {
        let Some(found) = self.devices.get(device) else {
            self.wanted = None;
            self.answers.push_back((request, false));
            return;
        };
        log::info!("Resetting node {} with [{}]", self.peer, found.is.kind);
        if !self.begin(now, device, Purpose::Reset, Some(request)) {
            self.wanted = Some((request, device.saturating_add(1)));
        }
    }

    /// False when it can't be started.
    fn begin(
        &mut self,
        now: Instant,
        device: usize,
        purpose: Purpose,
        request: Option<u64>,
    ) -> bool {
        let Some(found) = self.devices.get_mut(device) else {
            return false;
        };
        let kind = &found.is.kind;
        if purpose == Purpose::Look {
            log::info!("Checking status of STONITH device [{kind}]");
        }
        let (invocation, input) = device::call(&found.is, &self.peer, purpose);
        let order = Order {
            invocation: &invocation,
            tag: "stonith".to_owned(),
            limit: purpose.limit(),
        };
        match self.children.spawn_with_input(now, order, &input) {
            Ok(child) => {
                self.running = Some(Job {
                    child,
                    device,
                    request,
                    is_killed: false,
                });
                true
            }
            Err(error) => {
                found.works = Some(false);
                log::error!("Cannot run {invocation}: {error}");
                false
            }
        }
    }

    fn job_ended(&mut self, job: Job, ended: &Ended) {
        let Some(device) = self.devices.get_mut(job.device) else {
            return;
        };
        let succeeded = ended.end == End::Exited(0);
        let is_wanted = |(request, _): (u64, usize)| job.request == Some(request);
        match job.request {
            None if job.is_killed => {} // it had to make room
            None => {
                device.works = Some(succeeded);
                if !succeeded {
                    log::error!("STONITH status operation failed.");
                    tell(&device.is.kind, ended);
                }
            }
            // Killed, or of no interest any more: what it says counts for nothing.
            Some(_) if !self.wanted.is_some_and(is_wanted) => {
                log::info!(
                    "[{}] was told to leave node {} alone",
                    device.is.kind,
                    self.peer
                );
            }
            Some(request) if succeeded => {
                device.works = Some(true);
                self.wanted = None;
                self.answers.push_back((request, true));
            }
            Some(request) => {
                device.works = Some(false);
                log::error!("Host {} not reset!", self.peer);
                tell(&device.is.kind, ended);
                self.wanted = Some((request, job.device.saturating_add(1)));
            }
        }
    }

    /// For those who ask how this node is; nothing where there is no device.
    pub fn view(&self, core: &Core) -> Option<control::Fencing> {
        let devices = self.devices.iter().map(|device| control::FencingDevice {
            kind: device.is.kind.clone(),
            works: device.works,
        });
        let state = match core.fencing_stage() {
            FencingStage::None => "none",
            FencingStage::Waiting(_) => "waiting",
            FencingStage::Trying => "resetting",
            FencingStage::Abandoned => "abandoned",
            FencingStage::Done => "done",
        };
        (!self.devices.is_empty()).then(|| control::Fencing {
            state: state.into(),
            failures: core.fencing_failures(),
            devices: devices.collect(),
        })
    }
}

/// How a device failed, after how long, and the last that it said.
fn tell(kind: &str, ended: &Ended) {
    let how = match ended.end {
        End::Exited(code) => format!("exit code {code}"),
        End::Killed(signal) => format!("signal {signal}"),
        End::TimedOut => "killed at its time limit".to_owned(),
        End::NeverRan(number) => format!("it cannot be run: {}", reason(number)),
    };
    let said = if ended.last_lines.is_empty() {
        "it said nothing"
    } else {
        "its last words:"
    };
    let took = ended.took.as_secs_f64();
    log::info!(target: "stonith", "[{kind}]: {how} after {took:.1} s; {said}");
    for line in &ended.last_lines {
        log::info!(target: "stonith", "{line}");
    }
}

/// An operator says over the control socket that this node is down.
pub fn confirm(core: &mut Core, peer: &str, node: &str) -> Answer {
    if !node.eq_ignore_ascii_case(peer) {
        return Answer::Error(format!(
            "the other node is {peer}, not {node}; nothing was done"
        ));
    }
    if let Some(refusal) = core.refuses_confirmation() {
        log::info!("confirm-dead {peer} refused: {refusal}");
        return Answer::Error(format!("{peer}: {refusal}"));
    }
    core.handle(clock::now(), Event::PeerConfirmedDead);
    if core.refuses_confirmation() == Some(ConfirmationRefusal::NothingWaits) {
        Answer::Confirmed(peer.to_owned())
    } else {
        // Between question and event the core found that time had passed, as after a suspend.
        Answer::Error("things changed just now; try again in a moment".into())
    }
}
