//! Everything worth telling a person, with its wording and severity. Lines that people know from
//! heartbeat 3.0.6 keep their text.

use std::fmt;
use std::time::Duration;

use super::agreement_report::AgreementReport;
use super::failures::AfterFailure;
use super::fencing_report::FencingReport;
use super::group_report::GroupReport;
use super::last_link_report::LastLinkReport;
use super::link_report::LinkReport;
use super::maintenance_report::MaintenanceReport;
use super::movement::{MoveProgress, MoveRefusal, MoveRequest, Movement, Selection};
use super::node::NodeStatus;
use super::ping_report::PingReport;
use super::policy::Reason;
use super::refusals::RefusalKind;
pub use super::severity::Severity;

/// One thing to tell. `Display` is the text of the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are what the sentence of their variant speaks of"
)]
pub enum Report {
    /// The peer is heard on a link.
    LinkUp { node: String, link: String },
    /// The peer is not heard on a link any more.
    LinkDown { node: String, link: String },
    /// The peer is there, but was never heard on this link.
    LinkNeverUp { node: String, link: String },
    /// The peer announces a new status.
    StatusUpdate { node: String, status: NodeStatus },
    /// Our own status changed.
    LocalStatus(NodeStatus),
    /// The nodes have agreed, or nobody is there to agree with.
    CommunicationUp,
    /// Silent on every link for its dead time.
    NodeDead { node: String },
    /// The dead node had stopped cleanly before.
    DeadNodeHeldNothing { node: String },
    /// A heartbeat came late.
    LateHeartbeat { node: String, interval: Duration },
    /// The peer has a new generation.
    NodeRestarted { node: String },
    /// The peer was thought dead and was not.
    ReturnedAfterPartition { node: String, silence: Duration },
    /// The peer is silent on all links.
    LastLink(LastLinkReport),
    /// What the peer held is taken because it is dead.
    TakingOver { node: String },
    /// Nothing fences the peer.
    NoFencing,
    /// The peer stops cleanly.
    ShutdownNotice { node: String },
    /// The peer hears us again, or for the first time; its claims count.
    PeerSettled,
    /// We hear the peer, it does not hear us.
    PeerIsDeaf { node: String },
    /// What this node held or was denied at start is settled.
    InitialAcquisition { ours: bool },
    /// The peer does not state its groups in its heartbeats.
    PeerIsClassic { node: String },
    /// It holds us for dead although we hear it.
    PeerHoldsUsForDead { node: String },
    /// This node goes on with a higher generation.
    NewRun { node: String, generation: u64 },
    /// It can't any more.
    GenerationsUsedUp,
    /// The nodes don't have the same `auto_failback`.
    ModesDiffer { node: String },
    /// A node wants to give groups to the other.
    StandbyWanted { node: String, selection: Selection },
    /// The other node takes them.
    StandbyAgreed { node: String, selection: Selection },
    /// They are stopped here.
    StandbyReleased { selection: Selection },
    /// They run there.
    StandbyGiven { selection: Selection },
    /// They are stopped there.
    StandbyTaking { node: String, selection: Selection },
    /// They run here.
    StandbyTaken { selection: Selection },
    /// A node or the other was busy when groups were offered.
    StandbyIgnored { node: String, ours: bool },
    /// Nobody answered.
    StandbyUnanswered,
    /// The dialogue ended before its end.
    StandbyCancelled,
    /// A node of heartbeat 3.0.6 has given groups, named as it names them, and claims them all the same.
    ClaimsWhatItGave { node: String, selection: Selection },
    /// This node wants groups of the other.
    TakeoverWanted { selection: Selection },
    /// A planned move can't be done now.
    MoveRefused {
        request: MoveRequest,
        refusal: MoveRefusal,
    },
    /// A planned move has ended.
    MoveEnded(Movement),
    /// The files of the nodes name different groups.
    FilesDiffer { node: String },
    /// Something that both nodes must have equal.
    Agreement(AgreementReport),
    /// Both files, or neither, prefer the node that reads them.
    PreferencesDiffer { node: String },
    /// A group is about to be started here.
    GroupStarting { key: String, reason: Reason },
    /// A group runs here.
    GroupStarted { key: String },
    /// Something about a group that waits, or would be better off elsewhere.
    Group(GroupReport),
    /// A group could not be started here.
    GroupStartFailed { key: String, next: AfterFailure },
    /// A group runs here and does not work.
    GroupBroken { key: String, is_left: bool },
    /// A group is about to be stopped here.
    GroupStopping { key: String, reason: Reason },
    /// A group is stopped here.
    GroupStopped { key: String },
    /// A group could not be stopped here.
    GroupStopFailed { key: String },
    /// A group runs here although nobody started it in this run.
    GroupFoundRunning { key: String },
    /// Both nodes hold a group.
    TwoOwners {
        key: String,
        node: String,
        yields: bool,
    },
    /// This node did not run for a while (S3).
    Stalled { gap: Duration, groups: usize },
    /// This node starts to stop everything.
    GivingUpAll,
    /// This node has stopped everything.
    AllGivenUp,
    /// Messages are missing and asked for.
    LostPackets { node: String, first: u64, last: u64 },
    /// What was missing has come.
    NothingMissing { node: String },
    /// So many are missing that nobody asks for them.
    LostMany { node: String },
    /// The peer has not kept what was asked for.
    IrretrievablyLost {
        node: String,
        number: u64,
        /// How many since the last such line.
        count: u64,
    },
    /// A message began a new run of the peer, or was far ahead, and stands alone.
    Stray {
        node: String,
        generation: u64,
        number: u64,
    },
    /// Something about fencing.
    Fencing(FencingReport),
    /// Something about maintenance.
    Maintenance(MaintenanceReport),
    /// Something about ping nodes.
    Ping(PingReport),
    /// Something about the directions of links.
    Link(LinkReport),
    /// Packets were refused.
    Refused {
        kind: RefusalKind,
        count: u64,
        link: String,
        detail: String,
    },
}

impl Report {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Group(report) if report.is_alarm() => Severity::Crit,
            Self::LinkDown { .. }
            | Self::LinkNeverUp { .. }
            | Self::NodeDead { .. }
            | Self::LateHeartbeat { .. }
            | Self::NoFencing
            | Self::PeerIsDeaf { .. }
            | Self::LostPackets { .. }
            | Self::GroupFoundRunning { .. }
            | Self::StandbyIgnored { .. }
            | Self::StandbyUnanswered
            | Self::ClaimsWhatItGave { .. }
            | Self::GenerationsUsedUp
            | Self::MoveRefused { .. }
            | Self::Stray { .. }
            | Self::LostMany { .. } => Severity::Warn,
            Self::FilesDiffer { .. }
            | Self::ModesDiffer { .. }
            | Self::PreferencesDiffer { .. }
            | Self::GroupStartFailed { .. }
            | Self::GroupBroken { is_left: true, .. }
            | Self::IrretrievablyLost { .. }
            | Self::Refused { .. }
            | Self::MoveEnded(Movement {
                progress: MoveProgress::Failed(_),
                ..
            }) => Severity::Error,
            Self::ReturnedAfterPartition { .. }
            | Self::PeerHoldsUsForDead { .. }
            | Self::GroupStopFailed { .. }
            | Self::GroupBroken { .. }
            | Self::TwoOwners { .. }
            | Self::Stalled { .. } => Severity::Crit,
            Self::Fencing(report) => report.severity(),
            Self::LastLink(report) => report.severity(),
            Self::Maintenance(report) => report.severity(),
            Self::Link(report) => report.severity(),
            Self::Agreement(report) => report.severity(),
            Self::Ping(report) if report.is_warning() => Severity::Warn,
            Self::Group(report) if report.is_warning() => Severity::Warn,
            _ => Severity::Info,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LinkUp { node, link } => write!(f, "Link {node}:{link} up."),
            Self::LinkDown { node, link, .. } => write!(f, "Link {node}:{link} dead."),
            Self::LinkNeverUp { node, link } => write!(
                f,
                "Link {node}:{link} has not come up since this daemon started. Check its cable, its settings on \
                 both nodes (baud rate, port, address) and the firewall."
            ),
            Self::StatusUpdate { node, status } => {
                write!(f, "Status update for node {node}: status {status}")
            }
            Self::LocalStatus(status) => write!(f, "Local status now set to: '{status}'"),
            Self::CommunicationUp => f.write_str("Comm_now_up(): updating status to active"),
            Self::NodeDead { node } => write!(f, "node {node}: is dead"),
            Self::DeadNodeHeldNothing { node } => write!(f, "Dead node {node} gave up resources."),
            Self::LateHeartbeat { node, interval } => {
                write!(
                    f,
                    "Late heartbeat: Node {node}: interval {} ms",
                    interval.as_millis()
                )
            }
            Self::NodeRestarted { node } => write!(f, "Heartbeat restart on node {node}"),
            Self::ReturnedAfterPartition { node, silence } => write!(
                f,
                "Cluster node {node} returning after partition. It was silent for {} ms; whoever took a group in that \
                 time from a living owner gives it up again.",
                silence.as_millis()
            ),
            Self::TakingOver { node } => write!(f, "Resources being acquired from {node}."),
            Self::NoFencing => {
                f.write_str("No STONITH device configured. Shared disks are not protected.")
            }
            Self::ShutdownNotice { node } => write!(f, "Received shutdown notice from '{node}'."),
            Self::PeerSettled => f.write_str("remote resource transition completed."),
            Self::PeerIsDeaf { node } => write!(
                f,
                "{node} is heard but does not hear us: no group moves until it does. Check its receiving side \
                 (firewall, one broken wire)."
            ),
            Self::InitialAcquisition { ours } => {
                write!(
                    f,
                    "Initial resource acquisition complete (T_RESOURCES({}))",
                    if *ours { "us" } else { "them" }
                )
            }
            Self::PeerIsClassic { node } => write!(
                f,
                "{node} runs heartbeat 3.0.6: groups are shared with it half by half, by its rules."
            ),
            Self::PeerHoldsUsForDead { node } => write!(
                f,
                "{node} holds this node for dead although it is heard: it does not hear us. It takes what runs here, \
                 which is given up. Check its receiving side (firewall, one broken wire)."
            ),
            Self::NewRun { node, generation } => write!(
                f,
                "Heartbeat generation: {generation}. To {node}, which may hold this node for dead, it will look \
                 restarted."
            ),
            Self::GenerationsUsedUp => f.write_str(
                "No generation is left for this run: when the other node hears us again it will give up everything \
                 and restart. Restart heartbeat here at the next opportunity.",
            ),
            Self::ModesDiffer { node } => write!(
                f,
                "auto_failback differs between the nodes: {node} has legacy or no such line. Nothing can be agreed \
                 with it before both have the same."
            ),
            Self::StandbyWanted { node, selection } => {
                write!(f, "{node} wants to go standby [{selection}]")
            }
            Self::StandbyAgreed { node, selection } => {
                write!(f, "standby: {node} can take our {selection} resources")
            }
            Self::StandbyReleased { selection } => {
                write!(f, "Local standby process completed [{selection}].")
            }
            Self::StandbyGiven { selection } => write!(
                f,
                "Other node completed standby takeover of {selection} resources."
            ),
            Self::StandbyTaking { node, selection } => {
                write!(f, "standby: acquire [{selection}] resources from {node}")
            }
            Self::StandbyTaken { selection } => {
                write!(f, "Standby resource acquisition done [{selection}].")
            }
            Self::StandbyIgnored { node, ours } => write!(
                f,
                "standby message [me] from {node} ignored.  {} in flux.",
                if *ours { "local resources" } else { "Other side is" }
            ),
            Self::StandbyUnanswered => {
                f.write_str("No reply to standby request.  Standby request cancelled.")
            }
            Self::StandbyCancelled => f.write_str("Cancelling pending standby operation"),
            Self::ClaimsWhatItGave { node, selection } => write!(
                f,
                "{node} has given its {selection} resources and claims them all the same: it is asked to give them again."
            ),
            Self::TakeoverWanted { selection } => {
                write!(f, "The other node is asked for [{selection}] resources.")
            }
            Self::MoveRefused { request, refusal } => {
                write!(f, "{request} refused: {refusal}")
            }
            Self::MoveEnded(Movement {
                request,
                progress: MoveProgress::Failed(failure),
                ..
            }) => write!(f, "{request} failed: {failure}"),
            Self::MoveEnded(Movement { request, .. }) => write!(f, "{request} is done."),
            Self::FilesDiffer { node } => write!(
                f,
                "haresources differs between the nodes: {node} has other resource groups. Nothing moves between the \
                 nodes until both have the same file."
            ),
            Self::PreferencesDiffer { node } => write!(
                f,
                "haresources differs between the nodes: {node} names another preferred node for a group. The node \
                 whose name comes first counts as preferred until both have the same file."
            ),
            Self::GroupStarting { key, reason } => {
                write!(f, "Resource group {key}: starting here: {reason}.")
            }
            Self::GroupStarted { key } => write!(f, "Resource group {key}: running here."),
            Self::Group(report) => report.fmt(f),
            Self::GroupStartFailed { key, next } => {
                write!(f, "Resource group {key}: could not be started here; {next}.")
            }
            Self::GroupBroken { key, is_left } => {
                let next = if *is_left {
                    "it is left to the other node"
                } else {
                    "it stays: the other node can't take it now, or has failed with it too"
                };
                write!(f, "Resource group {key}: does not work here; {next}.")
            }
            Self::GroupStopping { key, reason } => {
                write!(f, "Resource group {key}: stopping here: {reason}.")
            }
            Self::GroupStopped { key } => write!(f, "Resource group {key}: stopped here."),
            Self::GroupStopFailed { key } => write!(
                f,
                "Resource group {key}: could not be stopped. It counts as running here and the other node will not \
                 start it; stopping is tried again."
            ),
            Self::GroupFoundRunning { key } => {
                write!(
                    f,
                    "Resource group {key}: runs here although this daemon did not start it."
                )
            }
            Self::TwoOwners { key, node, yields } => write!(
                f,
                "Both machines own resource group {key}: {} gives it up.",
                if *yields { "this node" } else { node.as_str() }
            ),
            Self::Stalled { gap, groups } => write!(
                f,
                "This node did not run for {} ms, long enough for the other to take over: {groups} resource group(s) \
                 held here are given up first.",
                gap.as_millis()
            ),
            Self::GivingUpAll => f.write_str("Giving up all HA resources."),
            Self::AllGivenUp => f.write_str("All HA resources relinquished."),
            Self::LostPackets { node, first, last } => {
                write!(
                    f,
                    "{} lost packet(s) for [{node}] [{first}:{last}]",
                    last - first + 1
                )
            }
            Self::NothingMissing { node } => write!(f, "No pkts missing from {node}!"),
            Self::LostMany { node } => {
                write!(f, "lost a lot of packets from {node}; going on from here")
            }
            Self::IrretrievablyLost {
                node,
                number,
                count,
            } => {
                write!(f, "Irretrievably lost packet from {node}: {number}")?;
                if *count > 1 {
                    write!(f, " ({count} since the last such line)")?;
                }
                Ok(())
            }
            Self::Stray {
                node,
                generation,
                number,
            } => {
                write!(
                    f,
                    "A message of {node} (generation {generation}, number {number}) is followed by none, while those \
                     before it go on: it is ignored. Does another machine use this node's name and key?"
                )
            }
            Self::Fencing(report) => report.fmt(f),
            Self::Ping(report) => report.fmt(f),
            Self::LastLink(report) => report.fmt(f),
            Self::Maintenance(report) => report.fmt(f),
            Self::Link(report) => report.fmt(f),
            Self::Agreement(report) => report.fmt(f),
            Self::Refused {
                kind,
                count,
                link,
                detail,
            } => {
                let kind = kind.on_link(link);
                write!(
                    f,
                    "{count} packet(s) refused: {kind} (the last one came on link {link}: {detail})"
                )
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preferred => "this is its preferred node and nobody holds it",
            Self::Ceded => "the other node released it",
            Self::FailedThere => "the other node could not start it",
            Self::PeerDied => "the other node is dead",
            Self::PeerLeft => "the other node has left",
            Self::Orphaned => "neither node holds it and the other one will not start it",
            Self::Standby => "an operator wants it on the other node",
            Self::AskedFor => "the other node is its preferred one and asks for it",
            Self::FoundRunning => "it was found running and nobody else holds it",
            Self::Failback => "its preferred node is back (auto_failback)",
            Self::Leaving => "this node is shutting down",
            Self::Conflict => "the other node holds it too",
            Self::Stale => "this node did not run for too long",
            Self::CutOff => "this node is cut off, and the other may take it (last_link witness)",
            Self::Retry => "an earlier attempt failed",
            Self::Broken => "it does not work here",
            Self::Removed => "haresources does not have it any more",
            Self::NoCarrier => {
                "its interface has no carrier here, and that of the other node has one"
            }
        })
    }
}
