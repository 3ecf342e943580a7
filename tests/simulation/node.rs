//! What the world sees of a node: the core itself, or a wrapper that makes a mistake on purpose.

use heartbeat::cluster::{
    Action, Cluster, Event, GroupId, GroupOutcome, GroupView, Holdings, Instant, LinkId,
    NodeStatus, Reload, Settings, Way,
};
use heartbeat::config::Term;
use std::time::Duration;

use super::old_peer::{Command, Ground, Wish};

/// The interface of the core.
pub trait Node {
    /// Something happened.
    fn handle(&mut self, now: Instant, event: Event<'_>);
    /// What to do about it.
    fn next_action(&mut self) -> Option<Action>;
    /// When the next tick is due.
    fn next_deadline(&self) -> Instant;
    /// This node's own status.
    fn local_status(&self) -> NodeStatus;
    /// What it thinks of the peer.
    fn peer_status(&self) -> NodeStatus;
    /// What it thinks of a link.
    fn link_is_up(&self, link: LinkId) -> bool;
    /// In which directions it thinks that a link works, where it says so at all.
    fn way(&self, _link: LinkId) -> Option<Way> {
        None
    }
    /// Whether it says that no second link is left, where it says so at all.
    fn in_jeopardy(&self) -> Option<bool> {
        None
    }
    /// Whether the other node is known to know of maintenance, while that is on.
    fn maintenance(&self) -> Option<bool> {
        None
    }
    /// What it thinks of a group.
    fn group(&self, id: GroupId) -> GroupView;
    /// The operator wants groups moved.
    fn command(&mut self, now: Instant, command: Command);
    /// Its files say this now; whether it goes by it.
    fn reload(&mut self, _now: Instant, _settings: Settings) -> bool {
        true
    }
    /// What else it wants of its machine.
    fn next_wish(&mut self) -> Option<Wish> {
        None
    }
    /// Whether nothing is in transition.
    fn is_stable(&self) -> bool {
        true
    }
    /// Whether it said last that a group is stopped, where it says so at all.
    fn disowns(&self, _group: GroupId) -> bool {
        false
    }
    /// Whether it claims a group that a script of its own has stopped meanwhile.
    fn has_lost(&self, _group: GroupId) -> bool {
        false
    }
    /// Since when it is in a standby dialogue, where it says so at all.
    fn waits_since(&self) -> Option<Instant> {
        None
    }
    /// Since when it says that it holds a group, where it says so at all.
    fn claims_since(&self, _group: GroupId) -> Option<Instant> {
        None
    }
    /// Why it started a group, and when it decided that, if it tells.
    fn ground(&self, _group: GroupId) -> Option<(Ground, Instant)> {
        None
    }
}

impl Node for Cluster {
    fn handle(&mut self, now: Instant, event: Event<'_>) {
        Cluster::handle(self, now, event);
    }
    fn next_action(&mut self) -> Option<Action> {
        Cluster::next_action(self)
    }
    fn next_deadline(&self) -> Instant {
        Cluster::next_deadline(self)
    }
    fn local_status(&self) -> NodeStatus {
        Cluster::local_status(self)
    }
    fn peer_status(&self) -> NodeStatus {
        Cluster::peer_status(self)
    }
    fn link_is_up(&self, link: LinkId) -> bool {
        Cluster::link_is_up(self, link)
    }
    fn way(&self, link: LinkId) -> Option<Way> {
        Some(Cluster::way(self, link))
    }
    fn in_jeopardy(&self) -> Option<bool> {
        Some(self.jeopardy().is_some())
    }
    fn maintenance(&self) -> Option<bool> {
        Cluster::maintenance(self).map(|view| view.is_shared)
    }
    fn group(&self, id: GroupId) -> GroupView {
        Cluster::group(self, id)
    }
    fn command(&mut self, now: Instant, command: Command) {
        if let Some(request) = command.request() {
            Cluster::handle(self, now, Event::MoveRequested(request));
        }
    }
    fn reload(&mut self, now: Instant, settings: Settings) -> bool {
        let reload = Reload {
            keepalive: settings.keepalive,
            deadtime: settings.deadtime,
            warntime: settings.warntime,
            initdead: settings.initdead,
            deadping: settings.ping.deadping,
            max_rexmit_delay: settings.max_rexmit_delay,
            auto_failback: settings.auto_failback,
            failback: settings.failback,
            carrier_loss: settings.carrier_loss,
            log_badpack: settings.log_badpack,
            groups: self.places_for(settings.groups),
        };
        let before = self.reloads();
        let times = format!("{:?} {:?}", reload.keepalive, reload.deadtime);
        Cluster::handle(self, now, Event::Reloaded(Box::new(reload)));
        let is_taken = self.reloads() > before;
        if is_taken {
            // From then on the nodes tell each other where their files differ, over whatever is lost.
            let places = self.places().into_iter();
            let groups = places.filter(|place| !place.is_removed).map(|place| {
                let topic = format!("group {}", place.group.key);
                Term::new(&topic, &place.group.line, "haresources")
            });
            let all = groups.chain([Term::new("times", &times, "ha.cf")]);
            Cluster::handle(self, now, Event::Terms(all.collect()));
        }
        is_taken
    }
    fn is_stable(&self) -> bool {
        self.holdings() != Holdings::Transition
    }
}

/// Makes the node of a daemon run.
pub type MakeNode = fn(Instant, Settings) -> Box<dyn Node>;

/// The real thing.
pub fn honest(now: Instant, settings: Settings) -> Box<dyn Node> {
    Box::new(Cluster::new(now, settings))
}

/// Planted: once one link is silent, the node hears nothing on the others either.
pub fn one_silent_link_deafens(now: Instant, settings: Settings) -> Box<dyn Node> {
    let heard = vec![now; settings.links.len()];
    let deadtime = settings.deadtime;
    Box::new(Wrapped {
        core: Cluster::new(now, settings),
        mistake: Mistake::Deaf { heard, deadtime },
    })
}

/// Planted: a stop that failed is taken for a stop.
pub fn failed_stop_counts_as_stop(now: Instant, settings: Settings) -> Box<dyn Node> {
    Box::new(Wrapped {
        core: Cluster::new(now, settings),
        mistake: Mistake::Optimist,
    })
}

/// Planted: a probe finds nothing, whatever runs.
pub fn probe_is_blind(now: Instant, settings: Settings) -> Box<dyn Node> {
    Box::new(Wrapped {
        core: Cluster::new(now, settings),
        mistake: Mistake::Blind,
    })
}

/// Planted: a reload is a new beginning, in which nothing is known to run.
pub fn forgets_at_reload(now: Instant, settings: Settings) -> Box<dyn Node> {
    Box::new(Wrapped {
        core: Cluster::new(now, settings),
        mistake: Mistake::Forgetful {
            has_reloaded: false,
        },
    })
}

/// Planted: the clock stands still while the node does.
pub fn clock_misses_stalls(now: Instant, settings: Settings) -> Box<dyn Node> {
    let longest = settings.keepalive;
    let mistake = Mistake::Sleeper {
        longest,
        last: now,
        missed: Duration::ZERO,
    };
    Box::new(Wrapped {
        core: Cluster::new(now, settings),
        mistake,
    })
}

/// Planted: what was asked of a device is taken for done.
pub fn believes_in_devices(now: Instant, settings: Settings) -> Box<dyn Node> {
    Box::new(Wrapped {
        core: Cluster::new(now, settings),
        mistake: Mistake::Believer { now },
    })
}

struct Wrapped {
    core: Cluster,
    mistake: Mistake,
}

enum Mistake {
    Deaf {
        heard: Vec<Instant>,
        deadtime: Duration,
    },
    Optimist,
    Blind,
    Believer {
        now: Instant,
    },
    Forgetful {
        has_reloaded: bool,
    },
    Sleeper {
        longest: Duration,
        last: Instant,
        missed: Duration,
    },
}

impl Mistake {
    /// What the clock shows.
    fn clock(&mut self, now: Instant) -> Instant {
        let Self::Sleeper {
            longest,
            last,
            missed,
        } = self
        else {
            return now;
        };
        let pause = now.since(std::mem::replace(last, now));
        if pause > *longest * 2 {
            *missed += pause;
        }
        now - *missed
    }

    /// Whether the core gets to know, and what.
    fn distort<'a>(&mut self, now: Instant, event: Event<'a>) -> Option<Event<'a>> {
        match (self, event) {
            (Self::Deaf { heard, deadtime }, Event::Received { link, bytes }) => {
                if let Some(last) = heard.get_mut(usize::from(link.0)) {
                    *last = now;
                }
                let all_heard = heard.iter().all(|&last| now.since(last) < *deadtime);
                all_heard.then_some(Event::Received { link, bytes })
            }
            (
                Self::Optimist,
                Event::Group {
                    group,
                    outcome: GroupOutcome::StopFailed,
                },
            ) => Some(Event::Group {
                group,
                outcome: GroupOutcome::Stopped,
            }),
            (
                Self::Blind | Self::Forgetful { has_reloaded: true },
                Event::Group {
                    group,
                    outcome: GroupOutcome::FoundRunning,
                },
            ) => Some(Event::Group {
                group,
                outcome: GroupOutcome::FoundStopped,
            }),
            (_, event) => Some(event),
        }
    }
}

impl Node for Wrapped {
    fn handle(&mut self, now: Instant, event: Event<'_>) {
        let now = self.mistake.clock(now);
        if let Mistake::Believer { now: last } = &mut self.mistake {
            *last = now;
        }
        if let Some(event) = self.mistake.distort(now, event) {
            self.core.handle(now, event);
        }
    }
    fn next_action(&mut self) -> Option<Action> {
        let action = self.core.next_action()?;
        if let (Mistake::Believer { now }, Action::Fence { request }) = (&self.mistake, &action) {
            let done = Event::Fenced {
                request: *request,
                is_reset: true,
            };
            self.core.handle(*now, done);
        }
        Some(action)
    }
    fn next_deadline(&self) -> Instant {
        match self.mistake {
            Mistake::Sleeper { missed, .. } => self.core.next_deadline() + missed,
            _ => self.core.next_deadline(),
        }
    }
    fn local_status(&self) -> NodeStatus {
        self.core.local_status()
    }
    fn peer_status(&self) -> NodeStatus {
        self.core.peer_status()
    }
    fn link_is_up(&self, link: LinkId) -> bool {
        self.core.link_is_up(link)
    }
    fn group(&self, id: GroupId) -> GroupView {
        self.core.group(id)
    }
    fn command(&mut self, now: Instant, command: Command) {
        Node::command(&mut self.core, now, command);
    }
    fn reload(&mut self, now: Instant, settings: Settings) -> bool {
        let Mistake::Forgetful { has_reloaded } = &mut self.mistake else {
            return Node::reload(&mut self.core, now, settings);
        };
        *has_reloaded = true;
        let generation = self.core.generation() + 1;
        self.core = Cluster::new(
            now,
            Settings {
                generation,
                ..settings
            },
        );
        true
    }
}
