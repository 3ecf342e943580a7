//! The machines of a page: a pair and a client, with names, addresses and directories as the page has them, and the
//! stand-ins for what a test can't have, which are the package and a way to copy files from one machine to the other.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::lab::machine::Machine;
use crate::lab::namespace::run_script;
use crate::lab::program::built;
use crate::lab::{Demands, Networks, Pair, Setup, base, eventually, files, sandbox};
use crate::page::{Block, Page};

/// What these tests need: the group `haclient` is nobody's in a user namespace.
pub const DEMANDS: Demands = Demands {
    possible: || {
        sandbox::possible()?;
        if !nix::unistd::geteuid().is_root() {
            return Err("only root can install a package".to_owned());
        }
        let needed = ["/usr/sbin/service", "/usr/bin/ping"];
        match needed.iter().find(|program| !Path::new(program).exists()) {
            Some(program) => Err(format!("there is no {program}")),
            None => Ok(()),
        }
    },
    at_once: 4,
};

/// What the tests with a web server need.
pub const WITH_NGINX: Demands = Demands {
    possible: || {
        (DEMANDS.possible)()?;
        let needed = ["/usr/sbin/nginx", "/etc/init.d/nginx", "/usr/bin/curl"];
        match needed.iter().find(|file| !Path::new(file).exists()) {
            Some(file) => Err(format!("there is no {file} (Debian: nginx-light, curl)")),
            None => Ok(()),
        }
    },
    at_once: 4,
};

/// The machines; nothing is installed yet and no daemon runs.
pub struct Machines {
    pub pair: Pair,
    pub client: Machine,
    /// For hosts beside these.
    pub networks: Networks,
}

/// The floating address of most pages.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 100);

const COMMANDS: [&str; 4] = ["heartbeat", "cl_status", "hb_standby", "hb_takeover"];

impl Machines {
    /// `node-a` and `node-b` with two networks and a null-modem cable, and a client; `groups` are watched.
    pub fn new(groups: &[&str]) -> Self {
        let networks = Networks::new();
        let mut client = Machine::new("client", "client");
        client.attach(&networks.service, "eth0", Ipv4Addr::new(192, 168, 1, 9));
        let setup = Setup {
            names: ["node-a", "node-b"],
            service: [192, 168, 1],
            private: [10, 0, 0],
            groups: groups.iter().map(|&line| line.to_owned()).collect(),
            ..Setup::default()
        };
        let pair = Pair::new(&networks, setup);
        for machine in [&pair.a, &pair.b] {
            prepare(machine);
        }
        Self {
            pair,
            client,
            networks,
        }
    }

    /// The machines that a block is for.
    pub fn named(&self, name: &str) -> Vec<&Machine> {
        let (a, b) = (&self.pair.a, &self.pair.b);
        match name {
            "node-a" => vec![a],
            "node-b" => vec![b],
            "both" => vec![a, b],
            "client" => vec![&self.client],
            _ => panic!("nobody is called {name}"),
        }
    }

    /// Runs commands of a page where they belong; what they printed, for each machine.
    pub fn run(&self, name: &str, commands: &str) -> Vec<String> {
        let run = |machine: &&Machine| shell(machine, commands);
        self.named(name).iter().map(run).collect()
    }

    /// Another host in the network of the clients, which does nothing but answer.
    pub fn host(&mut self, name: &'static str, address: Ipv4Addr) -> Machine {
        let mut host = Machine::new(name, name);
        host.attach(&self.networks.service, "eth0", address);
        host
    }

    /// Waits until the nodes whose daemons run call each other active and have nothing under way.
    #[track_caller]
    pub fn settle(&self) {
        let nodes = [&self.pair.a, &self.pair.b];
        let runs =
            |machine: &Machine| shell(machine, "heartbeat -s || true").contains("is running");
        eventually("the pair is settled", || {
            let running: Vec<_> = nodes.into_iter().filter(|machine| runs(machine)).collect();
            let ask = running
                .iter()
                .map(|other| format!("cl_status nodestatus {};", other.name));
            let ask = format!("{} cl_status rscstatus || true", ask.collect::<String>());
            running.iter().all(|machine| {
                let said = shell(machine, &ask);
                let mut lines: Vec<_> = said.lines().collect();
                let is_settled = lines.pop().is_some_and(|held| held != "transition");
                is_settled && lines.iter().all(|status| *status == "active")
            })
        });
    }

    /// Waits until the first machine sees no trouble: the last link works in both directions some heartbeats after the first one.
    #[track_caller]
    pub fn wait_until_all_is_well(&self) {
        eventually("all is well", || {
            shell(&self.pair.a, "cl_status status || true").starts_with("ALL IS WELL")
        });
    }

    /// Types a block of a page where it belongs, and looks for what the page shows below it; what was said on each machine.
    /// What a client does may come too early, and is done again.
    #[track_caller]
    pub fn play(&self, page: &Page, block: &Block) -> Vec<String> {
        let place = block.shell().expect("it is typed somewhere");
        if place == "client" {
            let script = format!("( {} ) || echo failed >&2", block.text);
            eventually(&block.text, || {
                !shell(&self.client, &script).contains("failed")
            });
        }
        let all = self.run(place, &block.text);
        for said in &all {
            assert_shows(said, &page.shown_below(block));
        }
        all
    }

    /// Writes a file on both machines.
    pub fn write(&self, path: &str, text: &str, mode: u32) {
        for machine in [&self.pair.a, &self.pair.b] {
            files::write(&machine.file(path.trim_start_matches('/')), text, mode);
        }
    }
}

/// Gives a machine an `/etc`, a `/var/lib` and a `/run` of its own, with no trace of heartbeat, and the stand-ins.
fn prepare(machine: &Machine) {
    let own = machine.file("");
    let script = format!(
        "cp -a /etc {own}/etc\n\
         rm -rf {own}/etc/ha.d {own}/etc/init.d/heartbeat\n\
         mkdir -p {own}/bin {own}/var/lib {own}/var/log {own}/run\n\
         mount --bind {own}/etc /etc\n\
         mount --bind {own}/var/lib /var/lib\n\
         mount --bind {own}/var/log /var/log\n\
         mount --bind {own}/run /run\n\
         echo {name} >/proc/sys/kernel/hostname\n",
        own = own.display(),
        name = machine.name,
    );
    machine.namespace.within(|| run_script(&script));
    let install = format!("#!/bin/sh -eu\n{}", install(&own));
    files::write(&machine.file("bin/apt-get"), &install, 0o755);
    let copy = format!(
        "#!/bin/sh -eu\n\
         while getopts p option; do :; done; shift $((OPTIND - 1))\n\
         for target in \"$@\"; do :; done\n\
         while [ $# -gt 1 ]; do cp -p \"$1\" \"{}/${{target%%:*}}${{target#*:}}\"; shift; done\n",
        base().display()
    );
    files::write(&machine.file("bin/scp"), &copy, 0o755);
}

/// What the package brings, as far as a machine without systemd uses it: commands, directories, a group and the script
/// in `/etc/init.d`.
fn install(own: &Path) -> String {
    let own = own.display();
    let commands =
        COMMANDS.map(|name| format!("ln -s {} {own}/bin/{name}\n", built(name).display()));
    format!(
        "{commands}\
         install -d /etc/ha.d/resource.d /etc/ha.d/rc.d /var/lib/heartbeat\n\
         grep -q ^haclient: /etc/group || echo haclient:x:64999: >>/etc/group\n\
         sed 's,=/usr/s*bin/,={own}/bin/,' {script} >/etc/init.d/heartbeat\n\
         chmod 755 /etc/init.d/heartbeat\n",
        commands = commands.concat(),
        script = crate::page::root()
            .join("packaging/init.d/heartbeat")
            .display(),
    )
}

/// Each of the lines is a part of one that was printed, in this order.
#[track_caller]
fn assert_shows(said: &str, shown: &[&str]) {
    let mut lines = said.lines();
    for wanted in shown {
        let is_there = lines.any(|line| line.contains(wanted));
        assert!(is_there, "no `{wanted}` here, or in another order:\n{said}");
    }
}

/// Runs commands on a machine as root would type them; they must succeed. What they say on both outputs.
#[track_caller]
pub fn shell(machine: &Machine, commands: &str) -> String {
    let path = format!(
        "{}:/usr/sbin:/usr/bin:/sbin:/bin",
        machine.file("bin").display()
    );
    let mut command = Command::new("bash");
    command
        .args(["-euc", &format!("exec 2>&1\n{commands}")])
        .env("PATH", path)
        .stdin(Stdio::null());
    let output = machine
        .namespace
        .within(|| command.output().expect("bash is everywhere"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let status = output.status;
    assert!(
        status.success(),
        "{status} on {}: {commands}\n{said}",
        machine.name
    );
    said
}
