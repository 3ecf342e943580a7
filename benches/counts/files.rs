//! Reading the configuration.

use std::hint::black_box;

use super::meter::{Case, Meter};
use super::pair::{AUTHKEYS, config};

/// An `ha.cf` as people have it.
const HA_CF: &str = "\
# the pair in the cellar
logfacility daemon
logfile /var/log/ha-log
keepalive 500ms
warntime 3
deadtime 10
initdead 60
udpport 694
baud 19200
serial /dev/ttyS0
bcast eth1
ucast eth0 192.168.1.11
ucast eth0 192.168.1.12
auto_failback off
node alpha
node beta
ping 192.168.1.1
respawn hacluster /usr/lib/heartbeat/ipfail
";

/// All of these.
pub fn cases() -> Vec<Case> {
    [1, 100, 500]
        .map(|groups| Case::sized(&format!("read_files_{groups}_groups"), read, groups))
        .to_vec()
}

fn read(meter: &mut Meter, groups: usize) {
    let line = |group| {
        format!(
            "alpha IPaddr::10.1.{}.{}/16/eth0\n",
            group / 250,
            group % 250 + 1
        )
    };
    let haresources: String = (0..groups).map(line).collect();
    let run = || config("alpha", black_box(HA_CF), AUTHKEYS, black_box(&haresources));
    run();
    let config = meter.measure(run);
    assert_eq!(config.groups.len(), groups);
}
