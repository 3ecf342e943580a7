//! A pair with the files of a tutorial, and somebody in the same network who uses it.

use std::net::Ipv4Addr;
use std::process::Stdio;

use crate::lab::machine::Machine;
use crate::lab::namespace::{run, run_script};
use crate::lab::{Networks, Pair, Setup, files};

/// The three files as a tutorial prints them; `ha.cf` for each node.
pub struct Files {
    pub ha_cf: [String; 2],
    pub authkeys: &'static str,
    pub haresources: &'static str,
}

/// The pair and what is around it.
pub struct Stage {
    pub pair: Pair,
    pub client: Machine,
    /// The networks, for hosts beside these.
    pub networks: Networks,
}

impl Stage {
    /// Sets everything up; starts nothing. The daemons find `/var/log` and their machine's name as on a machine of
    /// their own, and the files in a directory that `-C` names. The client has the address that ends with 9.
    pub fn new(setup: &Setup, texts: &Files) -> Self {
        let networks = Networks::new();
        let mut client = Machine::new("client", "client");
        let [a, b, c] = setup.service;
        client.attach(&networks.service, "eth0", Ipv4Addr::new(a, b, c, 9));
        let groups = texts.haresources.lines().map(str::to_owned).collect();
        let pair = Pair::new(
            &networks,
            Setup {
                groups,
                ..setup.clone()
            },
        );
        for (machine, ha_cf) in [&pair.a, &pair.b].into_iter().zip(&texts.ha_cf) {
            for (name, text, mode) in [
                ("ha.d/ha.cf", ha_cf.as_str(), 0o644),
                ("ha.d/authkeys", texts.authkeys, 0o600),
                ("ha.d/haresources", texts.haresources, 0o644),
            ] {
                files::write(&machine.file(name), text, mode);
            }
            let own = machine.file("");
            let logs = format!("mount --bind {} /var/log", own.display());
            machine.namespace.within(|| run_script(&logs));
        }
        Self {
            pair,
            client,
            networks,
        }
    }

    /// A host that does nothing but answer.
    pub fn host(&self, name: &'static str, address: Ipv4Addr, is_private: bool) -> Machine {
        let mut host = Machine::new(name, name);
        let networks = &self.networks;
        let segment = if is_private {
            &networks.private
        } else {
            &networks.service
        };
        host.attach(segment, "eth0", address);
        host
    }

    /// Whether an address answers the client's ping.
    pub fn is_pinged(&self, address: Ipv4Addr) -> bool {
        let ping = format!("ping -c 1 -W 1 {address} >/dev/null && echo answers || true");
        let said = self
            .client
            .namespace
            .within(|| run("sh", &["-c", &ping]).stdout);
        !said.is_empty()
    }
}

/// What `heartbeat check` says of a machine's files, and its exit status.
pub fn check(machine: &Machine) -> (String, Option<i32>) {
    let mut command = machine.program.command("heartbeat", false);
    command.arg("check");
    let output = machine
        .namespace
        .within(|| command.stdin(Stdio::null()).output().expect("it is built"));
    let said = [output.stdout, output.stderr].concat();
    (
        String::from_utf8_lossy(&said).into_owned(),
        output.status.code(),
    )
}

/// What `ip address show eth0` prints on a machine.
pub fn ip_address_show(machine: &Machine) -> String {
    let said = machine
        .namespace
        .within(|| run("ip", &["address", "show", "eth0"]).stdout);
    String::from_utf8_lossy(&said).into_owned()
}

/// A `ha.cf` for each node: the same but for one word.
pub fn with_words(text: &str, placeholder: &str, words: [&str; 2]) -> [String; 2] {
    words.map(|word| text.replace(placeholder, word))
}
