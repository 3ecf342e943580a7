//! The complaints in logs that are all right, each with its reason.

use crate::lab::Program;

/// A line that may stand in a log.
pub struct Remark {
    /// Pieces of the line, a star between them for whatever stands there.
    pub says: &'static str,
    /// The cases in which it may; none: all.
    pub cases: &'static [&'static str],
    /// Between how many links.
    pub on: Links,
    /// Why it is all right.
    #[expect(dead_code, reason = "for whoever reads this list")]
    pub reason: &'static str,
}

/// How many links a pair has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// One or several.
    Any,
    /// One.
    One,
    /// Several.
    Several,
}

/// The cases in which a node dies for the other, or is stopped and silent.
const DEATHS: &[&str] = &[
    "crash",
    "fresh",
    "large_letters",
    "pause",
    "return_legacy",
    "return_off",
    "return_on",
    "stop",
];

/// What two nodes of 3.0.6 show each other. Either program may show it in any pairing.
pub const BETWEEN_OLD: &[Remark] = &[
    always(
        "WARN: Core dumps could be lost",
        "a setting of this computer",
    ),
    always("WARN: Consider setting*core", "a setting of this computer"),
    always(
        "WARN: Initial dead time [* ms] may be too small!",
        "tests are in a hurry",
    ),
    always(
        "WARN: Logging daemon is disabled",
        "files are easier to read",
    ),
    always(
        "WARN: No Previous generation - starting at",
        "each machine is new",
    ),
    always(
        "ERROR: Cannot lock ourselves into memory",
        "a limit of this computer",
    ),
    always("debug: *uthentication method", "reading of authkeys"),
    always("debug: *uthentication parsing", "reading of authkeys"),
    always("debug: apiauth * gid=<null>", "reading of ha.cf"),
    always(
        "create_seq_snapshot_table: no missing packets",
        "all is well",
    ),
    always(
        "ERROR: msg2string: Message with zero fields",
        "3.0.6 loses a message of its own now and then",
    ),
    always(
        "WARN: * lost packet(s) for [",
        "it sends what it says in answer to itself first",
    ),
    always(
        "WARN: Gmain_timeout_dispatch: Dispatch function for * was delayed",
        "this computer is busy",
    ),
    always(
        "WARN: Gmain_timeout_dispatch: Dispatch function for * took too long",
        "this computer is busy",
    ),
    always("info: No pkts missing from ", "and what was late has come"),
    only(
        &["restart", "restart_all", "stop"],
        "debug: standby message ignored during shutdown",
        "the survivor takes the half that it has as well, and says so",
    ),
    only(DEATHS, "WARN: node alpha: is dead", "it is"),
    only(&["late"], "WARN: node beta: is dead", "it has not started"),
    only(
        &["late", "many"],
        "WARN: No STONITH device configured.",
        "there is none",
    ),
    only(
        &["late", "many"],
        "WARN: Shared disks are not protected.",
        "they are not",
    ),
    only(
        DEATHS,
        "WARN: No STONITH device configured.",
        "there is none",
    ),
    only(
        DEATHS,
        "WARN: Shared disks are not protected.",
        "they are not",
    ),
    always("WARN: *: Dispatch function for ", "this computer is busy"),
    only(
        &["loss"],
        "ERROR: Both machines own ",
        "it takes what it was told to take although the word before, that it is free, is still missing",
    ),
    only(
        &["loss"],
        "ERROR: No one owns ",
        "the same the other way round",
    ),
    only(
        &["loss"],
        "ERROR: Ignored standby message '*' from * in state ",
        "it was lost and comes when the move is over",
    ),
    only(
        &["loss"],
        "WARN: standby message [*] from * ignored.  Other side is in flux.",
        "the same",
    ),
    on(
        Links::One,
        &["loss"],
        "WARN: Late heartbeat: Node *",
        "six in a row were lost",
    ),
    only(
        &["ipfail"],
        "WARN: node 10.77.1.254: is dead",
        "it does not answer",
    ),
    only(
        &["ipfail"],
        "Late heartbeat: Node 10.77.1.254: interval ",
        "it answers again",
    ),
    only(
        COMPRESSED,
        "WARN: Traditional compression selected.",
        "it is",
    ),
    only(&["many"], "WARN: node alpha: is dead", "it is"),
    on(
        Links::Several,
        &["many"],
        "WARN: glib: TTY write timeout on [",
        "on a slow computer alpha is dead for so long that what waits at its end of the line is all that a line takes",
    ),
    only(PARTITIONS, "WARN: node * is dead", "it can't be heard"),
    only(
        PARTITIONS,
        "WARN: No STONITH device configured.",
        "there is none",
    ),
    only(
        PARTITIONS,
        "WARN: Shared disks are not protected.",
        "they are not",
    ),
    only(
        PARTITIONS,
        "CRIT: Cluster node * returning after partition.",
        "it does",
    ),
    only(
        PARTITIONS,
        "WARN: Deadtime value may be too small.",
        "what it says of every partition",
    ),
    only(
        PARTITIONS,
        "CRIT: Late heartbeat: Node *: interval * ms (> deadtime)",
        "the first one after the heal",
    ),
    only(
        PARTITIONS,
        "WARN: Shutdown delayed until current resource activity finishes.",
        "it stops itself after the heal",
    ),
    only(
        &["pause"],
        "CRIT: Late heartbeat: Node * (> deadtime)",
        "the one that was stopped notices it so, and the other its return",
    ),
    only(
        &["pause"],
        "WARN: node beta: is dead",
        "so thinks the one that was stopped",
    ),
    only(
        &["pause"],
        "CRIT: Cluster node * returning after partition.",
        "and the other comes back to it, or it to the other",
    ),
    only(
        &["pause"],
        "WARN: Deadtime value may be too small.",
        "more of the same",
    ),
    only(
        &["pause"],
        "ERROR: Both machines own * resources!",
        "they do, until one has yielded",
    ),
    only(
        &["pause"],
        "WARN: Shutdown delayed until current resource activity finishes.",
        "one that starts anew still starts what it lacked",
    ),
    only(
        &["return_legacy"],
        "WARN: Deprecated 'legacy' auto_failback option selected.",
        "it is; the case is about it",
    ),
    only(
        &["return_legacy"],
        "WARN: Please convert to 'auto_failback on'.",
        "more of the same",
    ),
    only(
        &["return_legacy"],
        "WARN: See documentation for conversion details.",
        "more of the same",
    ),
];

/// The cases in which messages are compressed.
const COMPRESSED: &[&str] = &["big_zlib", "big_bz2"];

/// The cases in which two nodes have the same address for a while: those of [`PARTITIONS`], and the one in which a node
/// stands still.
const TWO_OWNERS: &[&str] = &["partition_on", "partition_off", "pause"];

/// The cases in which a daemon is killed and started again.
const KILLED: &[&str] = &[
    "large_letters",
    "many",
    "restart",
    "restart_all",
    "return_legacy",
    "return_off",
    "return_on",
];

/// The cases in which no link works for a while.
const PARTITIONS: &[&str] = &["partition_on", "partition_off"];

/// What a program shows only in a pairing with ours.
pub const WITH_OURS: &[(Program, Remark)] = &[
    (
        Program::Ours,
        always(
            "warning: initdead of * is hardly enough",
            "what 3.0.6 says in other words",
        ),
    ),
    (
        Program::Ours,
        always(
            "warning: `*` is the only link to the peer",
            "it is; 3.0.6 does not look",
        ),
    ),
    (
        Program::Ours,
        only(
            KILLED,
            "WARN: The last run of heartbeat was killed or died, some time after",
            "it was; 3.0.6 does not keep how its runs end",
        ),
    ),
    (
        Program::Ours,
        only(
            &["loss", "many"],
            "WARN: Link *: is up and carries badly: ",
            "three messages in ten are lost, or heartbeats wait for what 64 groups have to say; 3.0.6 does not look",
        ),
    ),
    (
        Program::Ours,
        only(
            &["pause"],
            "alpha heartbeat: *CRIT: This node did not run for",
            "3.0.6 does not know, and takes more instead of giving up",
        ),
    ),
    (
        Program::Ours,
        only(
            &["pause"],
            "beta heartbeat: *CRIT: Both machines own resource group * this node gives it up.",
            "3.0.6 claims it and would never give it up",
        ),
    ),
    (
        Program::Ours,
        only(
            &["pause"],
            "beta heartbeat: *CRIT: Both machines own resource group * alpha gives it up.",
            "they do until alpha has stopped it, and alpha says so before it has",
        ),
    ),
    (
        Program::Old306,
        only(
            &["pause"],
            "WARN: T_STARTING received during takeover.",
            "ours is there, or goes on as another run, before the takeover has ended, and asks",
        ),
    ),
    (
        Program::Old306,
        only(
            &["pause"],
            "alpha heartbeat: *WARN: standby message [other] from beta ignored.  Other side is in flux.",
            "it asked for that before it heard of our new run",
        ),
    ),
    (
        Program::Old306,
        on(
            Links::Several,
            &["pause"],
            "alpha heartbeat: *ERROR: should_drop_message: attempted replay attack [beta]?",
            "while it was stopped ours held it for dead and went on as a new run: of that it reads on one link before it reads the rest of the old run on another",
        ),
    ),
    (
        Program::Ours,
        on(
            Links::Several,
            &["pause"],
            "CRIT: Only one link to alpha is left",
            "3.0.6 starts anew and is heard on one link first",
        ),
    ),
    (
        Program::Ours,
        only(
            &["loss"],
            "WARN: Link *:* is one-way: ",
            "as many in a row were lost as never are on a link that works",
        ),
    ),
    (
        Program::Ours,
        only(
            &["return_legacy"],
            "warning: `auto_failback legacy` is out of date",
            "what 3.0.6 says in other words",
        ),
    ),
    (
        Program::Ours,
        only(
            DEATHS,
            "WARN: Link alpha:* dead.",
            "3.0.6 finds that worth an info only",
        ),
    ),
    (
        Program::Ours,
        only(
            &["link", "many", "partition_on", "partition_off"],
            "WARN: Link *:* dead.",
            "3.0.6 finds that worth an info only",
        ),
    ),
    (
        Program::Ours,
        only(
            &["ipfail"],
            "WARN: Link 10.77.1.254:10.77.1.254 dead.",
            "3.0.6 finds that worth an info only",
        ),
    ),
    (
        Program::Ours,
        only(
            &["ipfail"],
            "WARN: We are dead. :<",
            "3.0.6 finds that worth an info only",
        ),
    ),
    (
        Program::Ours,
        only(
            &["loss"],
            "ERROR: * packet(s) refused: they make no sense in the present state",
            "what 3.0.6 says of standby messages in other words",
        ),
    ),
    (
        Program::Ours,
        only(
            COMPRESSED,
            "warning: this version does not act on `",
            "it takes what comes compressed, but compresses nothing",
        ),
    ),
    (
        Program::Ours,
        only(
            PARTITIONS,
            "CRIT: Both machines own resource group ",
            "it tells which group and who yields",
        ),
    ),
    (
        Program::Ours,
        only(
            TWO_OWNERS,
            ": Incident: ",
            "it keeps a record of who held what; 3.0.6 keeps none",
        ),
    ),
    (
        Program::Ours,
        only(
            TWO_OWNERS,
            "ERROR: * on eth0 claims 10.77.1.10*: the other node, or a stranger",
            "both have it, and both announce it",
        ),
    ),
    (
        Program::Ours,
        only(
            TWO_OWNERS,
            "ERROR: Both nodes have 10.77.1.10",
            "both have it, and both announce it",
        ),
    ),
    (
        Program::Old306,
        only(
            PARTITIONS,
            "ERROR: Both machines own * resources!",
            "with its like it would stop everything at once; with ours it keeps all, and ours tells it first that it has all too, or half of it, if ours hears it first",
        ),
    ),
];

const fn always(says: &'static str, reason: &'static str) -> Remark {
    only(&[], says, reason)
}

const fn only(cases: &'static [&'static str], says: &'static str, reason: &'static str) -> Remark {
    on(Links::Any, cases, says, reason)
}

const fn on(
    on: Links,
    cases: &'static [&'static str],
    says: &'static str,
    reason: &'static str,
) -> Remark {
    Remark {
        says,
        cases,
        on,
        reason,
    }
}
