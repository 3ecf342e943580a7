//! Everything the core can ask of the shell.

use std::rc::Rc;

use super::ethernet::Ethernet;
use super::incident::IncidentRecord;
use super::maintenance::MaintenanceMemory;
use super::report::Report;
use super::script_message::ScriptMessage;
use super::{GroupId, LinkId};

/// What the core asks for. Actions are to be carried out in the order given.
#[derive(Debug, Clone)]
pub enum Action {
    /// Hand this message to every link, or to the one that it is for.
    Send(Rc<Packet>),
    /// Start a group. Answered by `GroupOutcome::Started`, `StartFailed` or `StopFailed`.
    StartGroup(GroupId),
    /// Stop a group. Overtakes a start of the same group that still runs. Answered by
    /// `GroupOutcome::Stopped` or `StopFailed`.
    StopGroup(GroupId),
    /// See whether anything of a group runs here. Answered by `FoundStopped` or `FoundRunning`.
    ProbeGroup(GroupId),
    /// Tell the neighbours once more where the addresses of a group are: the other node had them too, and gave them up.
    AnnounceGroup(GroupId),
    /// Send an echo request to every host of every ping node. Answered by `PingAnswered`, or by nothing.
    Ping,
    /// Ask the command of `auto_failback when` whether groups may return to the other node. Answered by
    /// `FailbackAnswered`, exactly once.
    AskFailback,
    /// Have the devices reset the peer, one after the other until one has. Answered by `Fenced` with this number.
    Fence {
        /// To be named in the answer.
        request: u64,
    },
    /// The last `Fence` is not wanted any more. Nobody waits for its answer.
    StopFencing,
    /// Ask the network whether anybody answers for the addresses of these groups, none of which runs here. Answered by
    /// `NetworkAnswered` with this number, exactly once.
    AskNetwork {
        /// To be named in the answer.
        request: u64,
        /// Which groups.
        groups: Vec<GroupId>,
    },
    /// Reset this machine at once: a group does not stop.
    ResetMachine,
    /// Tell the people.
    Report(Report),
    /// The nodes had lost each other, and this is what each held meanwhile: tell the people, and keep it.
    Incident(Box<IncidentRecord>),
    /// These are the peer's Ethernet addresses, all of them, until it tells others or another run of it does. It may be
    /// dead: its machine has them still.
    PeerHardware(Vec<Ethernet>),
    /// Tell the scripts of this node what a script of this or the other one sent.
    Deliver {
        /// The node that it comes from.
        source: String,
        /// What it says.
        message: Box<ScriptMessage>,
    },
    /// Keep what was seen of the peer over our own restart.
    RememberPeer(PeerMemory),
    /// Keep what was said of maintenance over our own restart.
    RememberMaintenance(Box<MaintenanceMemory>),
    /// The local node stopped cleanly: leave the event loop once what was sent has left.
    Exit,
}

/// A signed message in both forms, ready for any link.
#[derive(Debug, Clone, Default)]
pub struct Packet {
    /// For UDP: one datagram.
    pub datagram: Vec<u8>,
    /// For a serial line: classic text with its own signature, or the short form of a heartbeat. Empty when the message
    /// has no such form.
    pub text: Vec<u8>,
    /// The generation that it speaks for. Once a later one is to be sent, nothing of an earlier one may be.
    pub generation: u64,
    /// A heartbeat. On a slow link a newer one replaces one that still waits.
    pub is_heartbeat: bool,
    /// A heartbeat in its short form, which says nothing but that the state told before is still the same: it does not
    /// replace one that tells a state.
    pub is_short: bool,
    /// The only link that it is for, which it names; `None` for every link.
    pub link: Option<LinkId>,
}

/// What is known of the peer beyond its death and ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeerMemory {
    /// Its uuid.
    pub uuid: Option<[u8; 16]>,
    /// The highest generation heard.
    pub generation: u64,
    /// The highest sequence number heard in that generation.
    pub sequence: u64,
    /// It fell silent, and it was never found out whether it was down (`last_link`).
    pub in_doubt: bool,
}
