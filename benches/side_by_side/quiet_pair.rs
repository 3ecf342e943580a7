//! Two machines with heartbeat that nobody watches: what is measured has the processors for itself.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::lab::journal::Mark;
use super::lab::machine::Machine;
use super::lab::null_modem::NullModem;
use super::lab::{Networks, Program, Setup, files, wait_for};
use super::system::System;

/// How long a pair may take from the start of both to both active. The old program waits for ten seconds now and then.
const START: Duration = Duration::from_secs(60);
/// How often a pair that starts is asked whether it has settled.
const PACE: Duration = Duration::from_millis(500);

/// The machines, their networks and their cable.
pub struct QuietPair {
    machines: [Machine; 2],
    cable: Option<NullModem>,
    setup: Setup,
}

impl QuietPair {
    /// Two machines on both networks; starts nothing. `names` and `setup.hosts` are those of no other pair.
    pub fn new(networks: &Networks, system: System, setup: Setup) -> Self {
        let names = setup.names;
        let machines = [0, 1].map(|node| {
            let mut machine = Machine::new(names[node], names[node]);
            for (segment, interface, address) in [
                (&networks.service, "eth0", setup.service_address(node)),
                (&networks.private, "eth1", setup.private_address(node)),
            ] {
                machine.attach(segment, interface, address);
            }
            if system == System::Original {
                machine.install(Program::Old306);
            }
            machine
        });
        Self {
            machines,
            cable: None,
            setup,
        }
    }

    /// Starts both with these times in milliseconds, and the cable anew at this rate. True once both are active and nothing
    /// is under way.
    pub fn start(&mut self, keepalive: u32, deadtime: u32, baud: u32) -> bool {
        let setup = &mut self.setup;
        (setup.keepalive, setup.deadtime, setup.baud) = (keepalive, deadtime, baud);
        let ports = self.machines.each_ref().map(|m| m.file("dev/ttyS0"));
        self.cable = Some(NullModem::new(ports.each_ref().map(|p| &**p), Some(baud)));
        for machine in &mut self.machines {
            files::write(&machine.file("ha.d/ha.cf"), &setup.ha_cf(), 0o644);
            let keys = format!("auth 1\n{}\n", setup.key);
            files::write(&machine.file("ha.d/authkeys"), &keys, 0o600);
            let groups = setup.groups.join("\n") + "\n";
            files::write(&machine.file("ha.d/haresources"), &groups, 0o644);
            machine.start();
        }
        let mut waited = Duration::ZERO;
        while waited < START {
            std::thread::sleep(PACE);
            waited += PACE;
            if self.is_settled() {
                return true;
            }
        }
        false
    }

    /// Whether each calls both active and holds its final share.
    pub fn is_settled(&self) -> bool {
        self.machines.iter().all(|machine| {
            let names = self.setup.names;
            let held = machine.cl_status(&["rscstatus"]);
            ["none", "local", "foreign", "all"].contains(&held.as_str())
                && names
                    .iter()
                    .all(|node| machine.cl_status(&["nodestatus", node]) == "active")
        })
    }

    /// Where the logs of both end now.
    pub fn marks(&self) -> [Mark; 2] {
        self.machines.each_ref().map(|machine| machine.log().mark())
    }

    /// The first line of a log since then that says that a node or a link is dead, if one comes in this time.
    pub fn death_within(&self, since: [Mark; 2], time: Duration) -> Option<String> {
        wait_for(time, || {
            std::thread::sleep(PACE);
            let logs = self.machines.iter().zip(since);
            let mut lines = logs.flat_map(|(machine, mark)| machine.log().since(mark));
            lines.find(|line| {
                line.contains(": is dead") || (line.contains("Link ") && line.contains(" dead"))
            })
        })
    }

    /// How many bytes each has sent over the cable.
    pub fn carried(&self) -> [u64; 2] {
        let cable = self.cable.as_ref();
        [0, 1].map(|sender| cable.map_or(0, |cable| cable.carried(sender)))
    }

    /// Takes the power from both, without a last word, and gives it back; no daemon runs then.
    pub fn end(&mut self) {
        for machine in &mut self.machines {
            machine.power_off(|| ());
        }
        self.cable = None;
        for machine in &self.machines {
            machine.restore_all();
        }
    }
}

/// A setup of such a pair: names, addresses of their own, one group with one address.
pub fn setup(names: [&'static str; 2], hosts: [u8; 2], media: Option<&'static str>) -> Setup {
    let address = Ipv4Addr::new(10, 77, 1, hosts[0].saturating_add(100));
    Setup {
        names,
        hosts,
        groups: vec![format!("{} IPaddr::{address}/24/eth0", names[0])],
        media,
        ..Setup::default()
    }
}
