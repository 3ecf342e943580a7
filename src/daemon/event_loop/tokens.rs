//! Which tokens belong to whom.

use std::ops::Range;

use crate::daemon::{control, metrics};

/// The signals.
pub const SIGNALS: usize = 0;
/// The control socket and its clients.
pub const CONTROL: Range<usize> = 1..1 + control::TOKENS;
/// The sockets of metrics and their clients.
pub const METRICS: Range<usize> = 100..100 + metrics::TOKENS;
/// The media.
pub const MEDIA: Range<usize> = 1000..2000;
/// The output of resource scripts, and changes of addresses.
pub const RESOURCES: usize = 2000;
/// The output of the scripts in `rc.d`.
pub const HOOKS: usize = 2001;
/// The output of the command of `auto_failback`.
pub const FAILBACK: usize = 2002;
/// The output of whoever looks whether this node is ready.
pub const READINESS: usize = 2003;
/// The output of fencing devices.
pub const FENCING: usize = 2004;
/// Messages of scripts.
pub const FIFO: usize = 2005;
/// The next moment at which something is due.
pub const ALARM: usize = 2006;
/// The output of what sends alerts.
pub const ALERTS: usize = 2007;
/// The hosts that are pinged.
pub const PINGS: Range<usize> = 3000..4000;
