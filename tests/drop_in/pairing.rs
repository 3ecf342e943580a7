//! Who is paired with whom, and over what.

use crate::lab::network::can_lose;
use crate::lab::program::can_run_old;
use crate::lab::{Demands, Link, Program, sandbox};

/// What runs on the first node and on the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pairing(pub [Program; 2]);

pub const OLD_AND_OLD: Pairing = Pairing([Program::Old306, Program::Old306]);
pub const OURS_AND_OLD: Pairing = Pairing([Program::Ours, Program::Old306]);
pub const OLD_AND_OURS: Pairing = Pairing([Program::Old306, Program::Ours]);
pub const OURS_AND_OURS: Pairing = Pairing([Program::Ours, Program::Ours]);

/// What all tests here need. They mostly wait, with dead times that have room for four pairs on two processors.
pub const DEMANDS: Demands = Demands {
    possible: || {
        sandbox::possible()
            .and_then(|()| can_run_old())
            .and_then(|()| can_lose())
    },
    at_once: 8,
};

/// The media of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// The null modem alone.
    Serial,
    /// Broadcasts on one network.
    Broadcast,
    /// Datagrams to addresses on the other network.
    Unicast,
    /// All of these.
    All,
    /// The null modem and the datagrams: no broadcasts, which come back to their sender.
    Quiet,
}

impl Media {
    /// The one that a test's name tells.
    pub fn named(test: &str) -> Self {
        match test {
            "on_serial" => Self::Serial,
            "on_bcast" => Self::Broadcast,
            "on_ucast" => Self::Unicast,
            "together" => Self::All,
            _ => panic!("no media are called {test}"),
        }
    }

    /// The lines of ha.cf; `None` for those that a pair of the laboratory has anyway.
    pub fn lines(self) -> Option<&'static str> {
        match self {
            Self::Serial => Some("serial /dev/ttyS0\n"),
            Self::Broadcast => Some("bcast eth0\n"),
            Self::Unicast => Some("ucast eth1 192.168.9.1\nucast eth1 192.168.9.2\n"),
            Self::All => None,
            Self::Quiet => {
                Some("serial /dev/ttyS0\nucast eth1 192.168.9.1\nucast eth1 192.168.9.2\n")
            }
        }
    }

    /// The links that they make.
    pub fn links(self) -> &'static [Link] {
        match self {
            Self::Serial => &[Link::Serial],
            Self::Broadcast => &[Link::Eth0],
            Self::Unicast => &[Link::Eth1],
            Self::All => &Link::ALL,
            Self::Quiet => &[Link::Serial, Link::Eth1],
        }
    }
}
