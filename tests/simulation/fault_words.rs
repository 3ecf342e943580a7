//! Faults in words, for those who read how a run went wrong.

use std::fmt;

use super::disk::Room;
use super::faults::{Fault, Weather};
use super::old_peer::Command;
use super::plan::{MS, Time};

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Wire {
                link,
                from,
                weather,
            } => write!(
                f,
                "link {link} from machine {from} to {}: {weather}",
                1 - from
            ),
            Self::Partition => f.write_str("all links are cut"),
            Self::HealLinks => f.write_str("all links work"),
            Self::MachineCrash(node) => write!(f, "machine {node} loses its power"),
            Self::DaemonCrash(node) => write!(f, "the daemon of machine {node} is killed"),
            Self::Start(node) => write!(f, "machine {node} and its daemon are started"),
            Self::StopRequest(node) => write!(f, "the daemon of machine {node} is told to stop"),
            Self::Stall(node, time) => {
                write!(f, "machine {node} stands still for {} ms", millis(time))
            }
            Self::HeldUp { node, turn, again } => {
                let (turn, again) = (millis(turn), millis(again));
                write!(
                    f,
                    "machine {node} is held up in a turn for {turn} ms, and behind it for {again} ms"
                )
            }
            Self::StallBoth(time) => {
                write!(f, "both machines stand still for {} ms", millis(time))
            }
            // As a fault that is nothing in itself it stands beside others.
            Self::WallJump(_, 0) => f.write_str("(nothing)"),
            Self::WallJump(node, seconds) => {
                write!(f, "the wall clock of machine {node} jumps by {seconds} s")
            }
            Self::Rekey(node) => write!(f, "the other key signs on machine {node}"),
            Self::Garbage { to, count } => write!(f, "{count} times random bytes at machine {to}"),
            Self::Break(node) => write!(f, "nothing works on machine {node} any more"),
            Self::PingNode {
                machine,
                ping,
                answers,
            } => {
                let does = if answers {
                    "answers"
                } else {
                    "does not answer"
                };
                write!(f, "ping node {ping} {does} machine {machine}")
            }
            Self::Plug { machine, is_in } => {
                let way = if is_in { "in again" } else { "out" };
                write!(f, "the network of machine {machine} is plugged {way}")
            }
            Self::Reload(node, None) => write!(f, "machine {node} reads its files again"),
            Self::Reload(node, Some(edition)) => {
                write!(f, "machine {node} gets other files: {edition:?}")
            }
            Self::Disk(node, room) => match room {
                Room::Enough => write!(f, "the disk of machine {node} has room"),
                Room::Full => write!(f, "the disk of machine {node} is full"),
                Room::ReadOnly => write!(f, "the disk of machine {node} can't be written"),
            },
            Self::Command(node, command) => {
                let (word, what) = match command {
                    Command::Standby(what) => ("hb_standby", what),
                    Command::Takeover(what) => ("hb_takeover", what),
                };
                let what = match (what.local, what.foreign) {
                    (true, true) => "all",
                    (true, false) => "local",
                    (false, true) => "foreign",
                    (false, false) => "none",
                };
                write!(f, "{word} {what} on machine {node}")
            }
            Self::ConfirmDead(node) => {
                write!(
                    f,
                    "a person tells machine {node} that the other is off, if it is"
                )
            }
            Self::Maintenance { node, is_on, lasts } => {
                let word = if is_on { "on" } else { "off" };
                write!(f, "maintenance is switched {word} at machine {node}")?;
                match lasts {
                    Some(time) => write!(f, " for {} ms", millis(time)),
                    None => Ok(()),
                }
            }
            Self::Replay { to, count } => {
                write!(f, "{count} recorded packets arrive again at machine {to}")
            }
        }
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cut {
            return f.write_str("cut");
        }
        if *self == Self::default() {
            return f.write_str("works");
        }
        let mut comma = "";
        for (name, value) in [
            ("lost", self.loss),
            ("doubled", self.duplication),
            ("damaged", self.corruption),
        ] {
            if value > 0 {
                write!(f, "{comma}{value} of 1000 {name}")?;
                comma = ", ";
            }
        }
        if self.extra_delay + self.extra_jitter > 0 {
            let most = self.extra_delay + self.extra_jitter;
            write!(
                f,
                "{comma}{} to {} ms late",
                millis(self.extra_delay),
                millis(most)
            )?;
        }
        Ok(())
    }
}

fn millis(time: Time) -> Time {
    time.div_ceil(MS)
}
