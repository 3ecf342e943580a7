//! Words that several directives have in common: why a change waits for a restart, why one has no effect, and what
//! syslog calls its facilities.

pub(super) const NO_PACEMAKER: &str =
    "it belonged to Pacemaker mode, which does not exist here; remove the line";
pub(super) const OTHER_NODES: &str = "this daemon is one of the nodes that it began with";
pub(super) const LINKS: &str = "links are opened when heartbeat starts";
pub(super) const PINGS: &str = "ping nodes are set up when heartbeat starts";
pub(super) const PROGRAMS: &str = "programs are set up when heartbeat starts";
pub(super) const USERS: &str = "users and groups are looked up when heartbeat starts";
pub(super) const WATCHDOG: &str = "the watchdog is opened when heartbeat starts";
pub(super) const METRICS: &str = "sockets and files for metrics are opened when heartbeat starts";
pub(super) const PROCESS: &str = "the process has it from its start";
pub(super) const MESSAGES: &str = "messages keep their form as long as heartbeat runs";
pub(super) const SYSLOG: &str = "there is no logging daemon; messages go to syslog";

/// What `logfacility` may be.
pub(super) const FACILITIES: &[&str] = &[
    "auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "security",
    "syslog", "user", "uucp", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7", "none",
];
