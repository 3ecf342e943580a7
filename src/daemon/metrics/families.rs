//! Every family of metrics, declared once. `heartbeat-metrics(7)` has a paragraph about each.

use super::exposition::{Family, Kind};

/// Declares families, and lists them in [`ALL`].
macro_rules! families {
    ($($item:ident: $kind:ident $name:literal $unit:literal $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $item: Family = Family {
                name: $name,
                kind: Kind::$kind,
                unit: $unit,
                help: $help,
            };
        )*
        /// All of them.
        pub static ALL: &[&Family] = &[$(&$item),*];
    };
}

families! {
    BUILD: Info "heartbeat_build" "" "Version of heartbeat-rs, and name of the node.";
    START_TIME: Gauge "heartbeat_start_time_seconds" "seconds" "When the daemon was started, since 1970.";
    TIMESTAMP: Gauge "heartbeat_timestamp_seconds" "seconds" "When this text was made, since 1970.";
    GENERATION: Gauge "heartbeat_generation" "" "Generation of this run.";
    COMMUNICATING: Gauge "heartbeat_communicating" "" "Whether the nodes have agreed or the other is given up since the start.";
    NODE_STATUS: Gauge "heartbeat_node_status" "" "Status of a node as this one sees it; 1 for the one that it has.";
    LINK_UP: Gauge "heartbeat_link_up" "" "Whether the node is heard on the link.";
    LINK_WAY: Gauge "heartbeat_link_way" "" "In which directions a link works; 1 for what is so.";
    LINK_AGE: Gauge "heartbeat_link_heard_age_seconds" "seconds" "How long ago the other node was last heard on the link.";
    LINK_RECEIVED: Counter "heartbeat_link_messages_received" "" "Messages of the other node that came by the link, each counted once.";
    LINK_LOSS: Gauge "heartbeat_link_loss_ratio" "ratio" "Part of the latest messages, 124 at most, that did not come by the link.";
    LINK_JITTER: Gauge "heartbeat_link_jitter_seconds" "seconds" "By how much the pause between two heartbeats differs from the one before.";
    LINK_DEGRADED: Gauge "heartbeat_link_degraded" "" "Whether the link loses so much, or heartbeats come so unevenly, that it was told.";
    SERIAL_NOISE: Counter "heartbeat_serial_noise_bytes" "bytes" "Bytes on a serial line that belonged to no message.";
    SERIAL_ERRORS: Counter "heartbeat_serial_errors" "" "What the driver of a serial port counted since the port was opened.";
    SERIAL_STRANGER: Gauge "heartbeat_serial_stranger" "" "Whether somebody else talks on a serial line.";
    JEOPARDY: Gauge "heartbeat_jeopardy" "" "Whether no second link works in both directions.";
    GROUP_STATE: Gauge "heartbeat_group_state" "" "State of a resource group on a node; 1 for the one that it has, others are left out.";
    GROUP_HELD: Gauge "heartbeat_group_held" "" "Whether a resource group counts as held by this node.";
    GROUP_FAILURES: Gauge "heartbeat_group_start_failures" "" "How often in a row a resource group could not be started here.";
    GROUP_FROZEN: Gauge "heartbeat_group_frozen" "" "Whether a resource group is not tried any more.";
    GROUP_READY: Gauge "heartbeat_group_ready" "" "Whether this node could run a resource group that it does not hold.";
    GROUP_CARRIER: Gauge "heartbeat_group_carrier" "" "Whether the interfaces of the addresses of a resource group have a carrier here.";
    GROUP_RIVALS: Gauge "heartbeat_group_rivals" "" "Other machines that claim an address of a resource group held here.";
    MONITOR_UP: Gauge "heartbeat_monitor_up" "" "Whether a resource with a monitor works, while it runs here.";
    MONITOR_FAILURES: Gauge "heartbeat_monitor_failures" "" "How often in a row a monitor found that its resource does not work.";
    MONITOR_RESTARTS: Gauge "heartbeat_monitor_restarts" "" "How often a resource was started again lately.";
    STARTS: Counter "heartbeat_group_starts" "" "Resource groups that were to be started here.";
    STOPS: Counter "heartbeat_group_stops" "" "Resource groups that were to be stopped here.";
    FAILURES: Counter "heartbeat_group_failed_actions" "" "What failed with resource groups here.";
    PEER_DEATHS: Counter "heartbeat_peer_deaths" "" "How often the other node was found dead.";
    STALLS: Counter "heartbeat_node_stalls" "" "How often this node stood still for so long that it gave up what it held.";
    FENCING: Counter "heartbeat_fencing_attempts" "" "Attempts to reset the other node.";
    DOUBT: Gauge "heartbeat_last_link_doubt" "" "Whether it is not known if the silent other node is dead.";
    CUT_OFF: Gauge "heartbeat_cut_off" "" "Whether this node saw no ping node either, and gave up what it held.";
    INCIDENTS: Counter "heartbeat_incidents" "" "Incidents that were recorded: the nodes had lost each other and met again.";
    TWO_OWNERS: Counter "heartbeat_two_owners_seconds" "seconds" "How long both nodes held a resource group, the longest of each incident.";
    CONFLICTS: Counter "heartbeat_two_owners_conflicts" "" "How often both nodes were seen to hold a resource group.";
    WATCHDOG_ARMED: Gauge "heartbeat_watchdog_armed" "" "Whether a watchdog would reset this machine.";
    WATCHDOG_TIMEOUT: Gauge "heartbeat_watchdog_timeout_seconds" "seconds" "From the last feed of the watchdog to the reset.";
    WATCHDOG_AGE: Gauge "heartbeat_watchdog_fed_age_seconds" "seconds" "How long ago the watchdog was fed.";
    SENT: Counter "heartbeat_messages_sent" "" "Messages handed to the links.";
    REFUSED: Counter "heartbeat_messages_refused" "" "Packets that were refused.";
    LATE: Counter "heartbeat_late_heartbeats" "" "Heartbeats that came later than warntime.";
    LATENESS: Histogram "heartbeat_loop_lateness_seconds" "seconds" "How much later than it was to the event loop woke.";
    TURNS: Histogram "heartbeat_loop_turn_seconds" "seconds" "How long a turn of the event loop took.";
    ALERTS: Counter "heartbeat_alerts" "" "Alerts by what became of them.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_openmetrics() {
        for (index, family) in ALL.iter().enumerate() {
            let name = family.name;
            assert!(name.starts_with("heartbeat_"), "{name}");
            assert!(
                family.unit.is_empty() || name.ends_with(&format!("_{}", family.unit)),
                "{name} ends with its unit"
            );
            for ending in ["_total", "_info", "_count", "_sum", "_bucket", "_created"] {
                assert!(!name.ends_with(ending), "{name}");
            }
            assert!(family.help.ends_with('.'), "{name}");
            let again = ALL.iter().skip(index + 1).any(|other| other.name == name);
            assert!(!again, "{name} twice");
        }
    }
}
