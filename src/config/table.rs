//! Every directive of `ha.cf`: name, syntax, kind of argument, default, fate, one line of doc.

use super::alert::alert;
use super::carrier::carrier_loss;
use super::clients::{apiauth, client, env};
use super::directive::Argument::{
    Boolean, Choice, Each, Ignored, Integer, Line, OddWord, Path, Text, Time, TimeOrZero, Word,
};
use super::directive::Directive;
use super::fencing::{stonith, stonith_host, takeover_unfenced};
use super::media::{bcast, mcast, mcast6, ping, ping_group, serial, ucast, ucast6};
use super::metrics::metrics;
use super::monitor::monitor;
use super::pair::{autojoin, node, pacemaker};
use super::timeouts::timeout;
use super::watchdog_line::watchdog;
use super::words::{
    FACILITIES, LINKS, MESSAGES, METRICS, NO_PACEMAKER, OTHER_NODES, PINGS, PROCESS, PROGRAMS,
    SYSLOG, USERS, WATCHDOG,
};
use super::{failback, last_link};

/// Every directive, in the order of the manual page.
pub static ALL: &[Directive] = &[
    // Nodes
    Directive::new("node", "NAME ...", Each(node))
        .doc("The machines of the pair, named as `uname -n` names them")
        .adds()
        .restart(OTHER_NODES)
        .example("node vm3 vm4"),
    Directive::new("cluster", "NAME", Text(|s| &mut s.cluster))
        .doc("A name for the pair; stored, never compared")
        .default("linux-ha")
        .live()
        .example("cluster web"),
    // Times
    Directive::new("keepalive", "TIME", Time(|s| &mut s.keepalive))
        .doc("Interval between two heartbeats")
        .default("1000ms")
        .live()
        .example("keepalive 500ms"),
    Directive::new("deadtime", "TIME", TimeOrZero(|s| &mut s.deadtime))
        .doc("Silence on all links after which the peer is dead")
        .default("30000ms")
        .live()
        .example("deadtime 10"),
    Directive::new("warntime", "TIME", Time(|s| &mut s.warntime))
        .doc("Silence after which a late heartbeat is logged")
        .derived("half of deadtime")
        .live()
        .example("warntime 5"),
    Directive::new("initdead", "TIME", TimeOrZero(|s| &mut s.initdead))
        .doc("Silence after start after which a peer never heard is dead")
        .derived("deadtime when above 10 seconds, else twice deadtime but at least 12 seconds")
        .live()
        .example("initdead 60"),
    Directive::new("deadping", "TIME", TimeOrZero(|s| &mut s.deadping))
        .doc("Silence after which a ping node is dead")
        .derived("deadtime")
        .live()
        .example("deadping 10"),
    // Resources
    Directive::new(
        "auto_failback",
        "on | off | legacy | delayed TIME | when COMMAND",
        failback::VALUES,
    )
    .doc("Whether resources return to their preferred node, and what they wait for before")
    .default("legacy")
    .live()
    .example("auto_failback on"),
    Directive::new(
        "nice_failback",
        "BOOLEAN",
        Boolean(|s| &mut s.nice_failback),
    )
    .doc("The opposite of auto_failback, from heartbeat 1")
    .superseded(
        "write `auto_failback off` for `nice_failback on`, and `auto_failback on` for `off`",
    )
    .unrecorded()
    .live()
        .example("nice_failback on"),
    Directive::new("announce_every", "TIME", TimeOrZero(|s| &mut s.announce_every))
        .doc("Interval of announcements of the floating addresses that are here; 0 for none after the first minute")
        .default("60")
        .unrecorded()
        .live()
        .example("announce_every 30"),
    Directive::new("check_address", "TIME", TimeOrZero(|s| &mut s.check_address))
        .doc("How long it is asked whether a stranger has a floating address before it is taken; 0 for not at all")
        .default("0")
        .unrecorded()
        .live()
        .example("check_address 500ms"),
    Directive::new("carrier_loss", "TIME | off", Word(carrier_loss))
        .doc("How long the interface of a floating address must be without a carrier before its group moves")
        .default("5")
        .unrecorded()
        .live()
        .example("carrier_loss 10"),
    Directive::new(
        "monitor",
        "RESOURCE [every=TIME] [after=TIME] [timeout=TIME] [fall=N] [restarts=N] [PROBE]",
        Line(monitor),
    )
    .doc("A resource that is asked how it does while it runs; it is started again, then its group moves")
    .adds()
    .live()
        .example("monitor nginx every=5s fall=2 http=http://127.0.0.1/"),
    Directive::new(
        "timeout",
        "RESOURCE|* start|stop|status TIME",
        Line(timeout),
    )
    .doc("How long an action on a resource may take before it is killed and has failed")
    .adds()
    .derived("120 seconds to start or stop, 20 for status, longer where an OCF agent advises it")
    .live()
        .example("timeout Filesystem start 300"),
    // Links
    Directive::new("serial", "DEVICE ...", Each(serial))
        .doc("Serial ports that lead to the peer through a null-modem cable")
        .adds()
        .restart(LINKS)
        .example("serial /dev/ttyS0"),
    Directive::new("baud", "RATE", Integer(|s| &mut s.baud, 50..=4_000_000))
        .doc("Speed of all serial ports in bits per second")
        .default("19200")
        .once()
        .restart(LINKS)
        .example("baud 115200"),
    Directive::new(
        "serial_flow",
        "auto | rtscts | none",
        Choice(|s| &mut s.serial_flow, &["auto", "rtscts", "none"]),
    )
        .doc("Whether serial ports use the handshake wires RTS and CTS")
        .default("auto")
        .unrecorded()
        .restart(LINKS)
        .example("serial_flow none"),
    Directive::new("bcast", "INTERFACE ...", Each(bcast))
        .doc("Interfaces to broadcast heartbeats on")
        .adds()
        .restart(LINKS)
        .example("bcast eth0 eth1"),
    Directive::new("ucast", "INTERFACE HOST", Line(ucast))
        .doc("Send heartbeats over an interface to one host")
        .adds()
        .restart(LINKS)
        .example("ucast eth0 172.16.1.204"),
    Directive::new("mcast", "INTERFACE GROUP PORT TTL LOOP", Line(mcast))
        .doc("Send heartbeats over an interface to a multicast group")
        .adds()
        .restart(LINKS)
        .example("mcast eth0 225.0.0.1 694 1 0"),
    Directive::new("ucast6", "INTERFACE HOST", Line(ucast6))
        .doc("Like ucast, over IPv6")
        .adds()
        .restart(LINKS)
        .example("ucast6 eth0 fe80::1"),
    Directive::new("mcast6", "INTERFACE GROUP PORT HOPS LOOP", Line(mcast6))
        .doc("Like mcast, over IPv6")
        .adds()
        .restart(LINKS)
        .example("mcast6 eth0 ff02::694 694 1 0"),
    Directive::new("udpport", "PORT", Integer(|s| &mut s.udpport, 1..=65535))
        .doc("UDP port of bcast, ucast and ucast6")
        .default("694")
        .restart(LINKS)
        .example("udpport 694"),
    Directive::new("udp", "INTERFACE ...", Each(bcast))
        .doc("The old name of bcast")
        .superseded("write `bcast`")
        .adds()
        .restart(LINKS)
        .example("udp eth0"),
    // Witnesses
    Directive::new("ping", "HOST ...", Each(ping))
        .doc("Hosts outside the pair whose answers tell whether this node has a network")
        .adds()
        .restart(PINGS)
        .example("ping 192.168.0.254"),
    Directive::new("ping6", "HOST ...", Each(ping))
        .doc("Like ping, over IPv6")
        .adds()
        .restart(PINGS)
        .example("ping6 fd00::1"),
    Directive::new("ping_group", "NAME HOST ...", Line(ping_group))
        .doc("A ping node that is alive while any of its hosts answers")
        .adds()
        .restart(PINGS)
        .example("ping_group routers 192.168.0.253 192.168.0.254"),
    Directive::new("hbaping", "CARD", Ignored)
        .doc("Fibre-channel cards as ping nodes")
        .obsolete("heartbeat 3.0.6 does not know it either; remove the line")
        .unrecorded()
        .example("hbaping qlogic-qla2200-0"),
    // Logging
    Directive::new("logfile", "PATH", Path(|s| &mut s.logfile))
        .doc("File for messages")
        .live()
        .example("logfile /var/log/ha-log"),
    Directive::new("debugfile", "PATH", Path(|s| &mut s.debugfile))
        .doc("File for messages, debugging and what resource scripts print")
        .live()
        .example("debugfile /var/log/ha-debug"),
    Directive::new(
        "logfacility",
        "FACILITY",
        Choice(|s| &mut s.logfacility, FACILITIES),
    )
    .doc("Facility for messages to syslog, or none")
    .live()
        .example("logfacility local0"),
    Directive::new("use_logd", "BOOLEAN", Boolean(|s| &mut s.use_logd))
        .doc("Log through the logging daemon of heartbeat 2 and 3")
        .superseded(SYSLOG)
        .derived("on when neither logfile, debugfile nor logfacility is given")
        .live()
        .example("use_logd yes"),
    Directive::new("conn_logd_time", "TIME", Time(|s| &mut s.conn_logd_time))
        .doc("Interval of attempts to reach the logging daemon")
        .superseded(SYSLOG)
        .default("60")
        .inert()
        .example("conn_logd_time 60"),
    Directive::new("debug", "LEVEL", Integer(|s| &mut s.debug, 0..=255))
        .doc("How much to tell for debugging; 0 is nothing")
        .default("0")
        .live()
        .example("debug 1"),
    Directive::new("syslogmsgfmt", "BOOLEAN", Boolean(|s| &mut s.syslogmsgfmt))
        .doc("Whether log files look like those of syslog")
        .default("true")
        .live()
        .example("syslogmsgfmt true"),
    Directive::new("log_badpack", "BOOLEAN", Boolean(|s| &mut s.log_badpack))
        .doc("Whether packets that can't be read are reported")
        .default("true")
        .live()
        .example("log_badpack false"),
    // Monitoring
    Directive::new(
        "metrics",
        "socket | textfile PATH | http ADDRESS:PORT",
        Line(metrics),
    )
    .doc("How monitoring gets the state of this node: from a socket, a file or the loopback interface")
    .adds()
    .restart(METRICS)
    .example("metrics http 127.0.0.1:9694"),
    Directive::new(
        "alert",
        "mail ADDRESS | webhook URL | command PROGRAM [ARGUMENTS]",
        Line(alert),
    )
    .doc("Who is told when a node, a link, a resource group or the watchdog is in trouble")
    .adds()
    .live()
    .example("alert mail root"),
    // Clients
    Directive::new("respawn", "USER COMMAND [ARGUMENTS]", Line(client))
        .doc("A program to start with heartbeat and to start again when it ends")
        .adds()
        .restart(PROGRAMS)
        .example("respawn hacluster /usr/libexec/heartbeat/ipfail"),
    Directive::new("failfast", "USER COMMAND [ARGUMENTS]", Line(client))
        .doc("Like respawn, but this node gives up its resources when the program fails")
        .adds()
        .restart(PROGRAMS)
        .example("failfast root /usr/local/sbin/guard"),
    Directive::new("apiauth", "CLIENT [uid=LIST] [gid=LIST]", Line(apiauth))
        .doc("Who may connect as this client")
        .adds()
        .restart(USERS)
        .example("apiauth ipfail gid=haclient uid=hacluster"),
    Directive::new("env", "NAME=VALUE ...", Each(env))
        .doc("Variables for child processes, passed as HA_NAME")
        .adds()
        .live()
        .example("env REGION=north"),
    // Fencing and watchdog
    Directive::new(
        "watchdog",
        "DEVICE | driver:NAME | identity:NAME",
        OddWord(watchdog),
    )
    .doc("Watchdog device that resets the node when heartbeat hangs")
    .once()
    .restart(WATCHDOG)
    .example("watchdog /dev/watchdog"),
    Directive::new(
        "watchdog_policy",
        "required | wanted",
        Choice(|s| &mut s.watchdog_policy, &["required", "wanted"]),
    )
    .doc("Whether heartbeat starts where the watchdog can't be used")
    .default("required")
    .unrecorded()
    .restart(WATCHDOG)
    .example("watchdog_policy wanted"),
    Directive::new("stonith", "TYPE FILE", Line(stonith))
        .doc("A fencing device for the pair")
        .adds()
        .example("stonith baytech /etc/ha.d/stonith.baytech"),
    Directive::new("stonith_host", "HOST TYPE PARAMETERS", Line(stonith_host))
        .doc("A fencing device that is reached from a host, or from all for *")
        .adds()
        .example("stonith_host * baytech 10.0.0.3 login password"),
    Directive::new("fence_delay", "TIME", TimeOrZero(|s| &mut s.fence_delay))
        .doc("How much later the node resets the other that holds less, so that not both are reset")
        .default("5")
        .unrecorded()
        .example("fence_delay 15"),
    Directive::new("takeover_unfenced", "never | TIME", Word(takeover_unfenced))
        .doc("When resources of a dead node are taken although no device has reset it")
        .default("never")
        .unrecorded()
        .example("takeover_unfenced 10min"),
    Directive::new(
        "last_link",
        "takeover | witness [TIME] | manual | wait TIME",
        last_link::VALUES,
    )
    .doc("What the silence of the other node is taken for when the last link is gone and no device resets it")
    .default("takeover")
    .unrecorded()
    .example("last_link wait 30"),
    Directive::new(
        "stop_failure",
        "hold | fence | reboot",
        Choice(|s| &mut s.stop_failure, &["hold", "fence", "reboot"]),
    )
    .doc("What becomes of a node on which a resource group does not stop")
    .default("hold")
    .unrecorded()
    .example("stop_failure reboot"),
    // Process
    Directive::new("realtime", "BOOLEAN", Boolean(|s| &mut s.realtime))
        .doc("Whether to run with realtime priority")
        .default("true")
        .restart(PROCESS)
        .example("realtime off"),
    Directive::new("rtprio", "PRIORITY", Integer(|s| &mut s.rtprio, 1..=99))
        .doc("Realtime priority")
        .derived("1")
        .restart(PROCESS)
        .example("rtprio 5"),
    Directive::new("coredumps", "BOOLEAN", Boolean(|s| &mut s.coredumps))
        .doc("Whether a crash leaves a core dump")
        .default("true")
        .restart(PROCESS)
        .example("coredumps false"),
    Directive::new("coreroot", "DIRECTORY", Path(|s| &mut s.coreroot))
        .doc("Where core dumps go")
        .derived("/var/lib/heartbeat/cores")
        .restart(PROCESS)
        .example("coreroot /var/lib/heartbeat/cores"),
    // Protocol
    Directive::new(
        "msgfmt",
        "classic | netstring",
        Choice(|s| &mut s.msgfmt, &["classic", "netstring"]),
    )
    .doc("Form of messages on UDP")
    .default("classic")
    .restart(MESSAGES)
        .example("msgfmt classic"),
    Directive::new(
        "compression",
        "zlib | bz2",
        Choice(|s| &mut s.compression, &["zlib", "bz2"]),
    )
    .doc("How large messages are compressed")
    .default("zlib")
    .not_yet()
    .example("compression bz2"),
    Directive::new(
        "compression_threshold",
        "KIB",
        Integer(|s| &mut s.compression_threshold, 1..=1_048_576),
    )
    .doc("Size in KiB above which messages are compressed")
    .default("2")
    .not_yet()
    .example("compression_threshold 4"),
    Directive::new(
        "traditional_compression",
        "BOOLEAN",
        Boolean(|s| &mut s.traditional_compression),
    )
    .doc("Compress whole messages rather than single fields")
    .default("no")
    .not_yet()
    .example("traditional_compression no"),
    Directive::new(
        "max_rexmit_delay",
        "MILLISECONDS",
        Integer(|s| &mut s.max_rexmit_delay, 1..=3_600_000),
    )
    .doc("Longest pause before a lost message is asked for again")
    .default("250")
    .live()
        .example("max_rexmit_delay 100"),
    Directive::new("hopfudge", "NUMBER", Integer(|s| &mut s.hopfudge, 0..=255))
        .doc("Hops a message may make beyond the number of nodes")
        .default("1")
        .restart(MESSAGES)
        .example("hopfudge 1"),
    Directive::new(
        "hbgenmethod",
        "file | time",
        Choice(|s| &mut s.hbgenmethod, &["file", "time"]),
    )
    .doc("Where the generation number comes from at each start")
    .default("file")
        .example("hbgenmethod file"),
    Directive::new(
        "uuidfrom",
        "file | nodename",
        Choice(|s| &mut s.uuidfrom, &["file", "nodename"]),
    )
    .doc("Where the identity of a node comes from")
    .default("file")
        .example("uuidfrom file"),
    // What heartbeat 3.0.6 could and this daemon does not
    Directive::new("autojoin", "none", Word(autojoin))
        .doc("Whether unknown nodes may join; only none is possible")
        .default("none")
        .inert()
        .example("autojoin none"),
    Directive::new("crm", "off", Word(pacemaker))
        .doc("Pacemaker mode; only off is possible")
        .once()
        .inert()
        .example("crm off"),
    Directive::new("pacemaker", "off", Word(pacemaker))
        .doc("The same as crm")
        .default("false")
        .once()
        .inert()
        .example("pacemaker off"),
    Directive::new("crm_daemon_dir", "DIRECTORY", Ignored)
        .doc("Where Pacemaker's daemons are")
        .obsolete(NO_PACEMAKER)
        .example("crm_daemon_dir /usr/lib/heartbeat"),
    Directive::new("crmd_spawns_pengine", "BOOLEAN", Ignored)
        .doc("Who starts Pacemaker's policy engine")
        .obsolete(NO_PACEMAKER)
        .example("crmd_spawns_pengine true"),
    Directive::new("record_config_changes", "BOOLEAN", Ignored)
        .doc("Whether Pacemaker records changes of its configuration")
        .obsolete(NO_PACEMAKER)
        .default("on")
        .example("record_config_changes on"),
    Directive::new("record_pengine_inputs", "BOOLEAN", Ignored)
        .doc("Whether Pacemaker records inputs of its policy engine")
        .obsolete(NO_PACEMAKER)
        .default("on")
        .example("record_pengine_inputs on"),
    Directive::new("enable_config_writes", "BOOLEAN", Ignored)
        .doc("Whether Pacemaker writes its configuration to disk")
        .obsolete(NO_PACEMAKER)
        .default("on")
        .example("enable_config_writes on"),
    Directive::new("quorum_server", "HOST", Ignored)
        .doc("A machine that decides which half of a cluster may run")
        .obsolete("the consensus membership client does not exist here; remove the line")
        .example("quorum_server qs1"),
    Directive::new("use_apphbd", "BOOLEAN", Ignored)
        .doc("Whether to register with the application heartbeat daemon")
        .obsolete("use `watchdog` instead")
        .unrecorded()
        .example("use_apphbd no"),
    Directive::new("memreserve", "KB", Ignored)
        .doc("Memory to reserve at start")
        .obsolete("all memory is locked after start; remove the line")
        .default("6500")
        .example("memreserve 6500"),
    Directive::new("normalpoll", "TIME", Ignored)
        .doc("Polling interval of heartbeat 1")
        .obsolete("heartbeat 3.0.6 does not know it either; remove the line")
        .unrecorded()
        .example("normalpoll 250ms"),
];

/// The directive of this exact name.
pub(super) fn find(name: &str) -> Option<&'static Directive> {
    ALL.iter().find(|directive| directive.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directive_is_declared_once_and_explained() {
        for (index, directive) in ALL.iter().enumerate() {
            let name = directive.name;
            let again = ALL.iter().skip(index + 1).any(|other| other.name == name);
            assert!(!again, "{name} twice");
            assert!(
                !directive.doc.is_empty() && !directive.doc.ends_with('.'),
                "{name}"
            );
            let first = directive.example.split(' ').next();
            assert_eq!(first, Some(name), "the example of {name} is of {name}");
        }
    }
}
