//! Machines on which sound files will not do: `heartbeat check` finds what is in the way, and names the cure.

use std::net::UdpSocket;
use std::time::Duration;

use crate::lab::machine::Machine;
use crate::lab::namespace::{run_input, run_script};
use crate::lab::network::can_lose;
use crate::lab::{PATIENCE, Pair, Setup, claim, claim_with, eventually, files, sandbox};

/// Longer than a packet takes between two machines here.
const A_MOMENT: Duration = Duration::from_millis(300);

const SOUND: &str = "node alpha beta\nkeepalive 1\ndeadtime 10\ninitdead 60\nauto_failback off\nlogfacility daemon\n";
const LINKS: &str = "serial /dev/ttyS0\nucast eth1 192.168.9.1\nucast eth1 192.168.9.2\n";
const GROUP: &str = "alpha IPaddr::10.77.1.100/24/eth0\n";

/// A machine that does not run heartbeat, with nothing of the host's in its way.
struct Bench(Pair);

impl Bench {
    fn new() -> Self {
        let pair = Pair::alone(Setup {
            key: "1 sha256 a-secret-of-the-laboratory",
            ..Setup::default()
        });
        pair.a.namespace.within(|| {
            run_script("mount -t tmpfs tmpfs /run; mount -t sysfs sysfs /sys");
        });
        Self(pair)
    }

    fn machine(&self) -> &Machine {
        &self.0.a
    }

    fn write(&self, links: &str, resources: &str) {
        let file = |name: &str| self.machine().file(name);
        files::write(&file("ha.d/ha.cf"), &format!("{SOUND}{links}"), 0o644);
        files::write(&file("ha.d/haresources"), resources, 0o644);
    }

    fn run(&self, script: &str) {
        self.machine().namespace.within(|| run_script(script));
    }

    /// What is found.
    fn findings(&self) -> Vec<String> {
        let (text, status) = self.machine().complaint("heartbeat", &["check"]);
        assert_eq!(status, Some(0), "{text}");
        let mut pictures: Vec<String> = text.split("\n\n").map(str::to_owned).collect();
        pictures.pop();
        pictures
    }

    /// The one finding says this.
    #[track_caller]
    fn expect(&self, parts: &[&str]) {
        let found = self.findings();
        let says = |finding: &String| parts.iter().all(|part| finding.contains(part));
        assert!(
            found.len() == 1 && found.iter().all(says),
            "{parts:?}: {}",
            found.join("\n\n")
        );
    }

    /// Whether the kernel lets in what the other machine sends to the port, within this time.
    fn arrives(&self, limit: Duration) -> bool {
        let here = &self.machine().namespace;
        let socket = here.within(|| UdpSocket::bind("0.0.0.0:694").expect("free"));
        socket.set_read_timeout(Some(limit)).expect("set");
        self.0.b.namespace.within(|| {
            let sender = UdpSocket::bind("192.168.9.2:0").expect("its own address");
            sender.send_to(b"x", "192.168.9.1:694").expect("sent");
        });
        socket.recv(&mut [0; 8]).is_ok()
    }

    #[track_caller]
    fn expect_nothing(&self) {
        assert_eq!(self.findings(), [""; 0]);
    }
}

#[test]
fn links_and_addresses_that_do_not_fit_the_machine_are_found() {
    claim(|| {
        let bench = Bench::new();
        // An interface has its carrier a moment after its cable.
        bench.write(LINKS, GROUP);
        eventually("nothing is found", || bench.findings().is_empty());
        for (links, resources, parts) in [
            (
                "serial /dev/ttyS0\nbcast eth7\n",
                GROUP,
                &["ha.cf:8:7", "no interface `eth7`", "mended"][..],
            ),
            (
                "serial /dev/ttyS7\nbcast eth1\n",
                GROUP,
                &["ha.cf:7:8", "cannot open /dev/ttyS7"],
            ),
            (
                "serial /dev/ttyS0\nucast eth1 192.168.9.1\n",
                GROUP,
                &[
                    "ha.cf:8:7",
                    "eth1 leads to this machine alone",
                    "name the address of the other machine",
                ],
            ),
            (
                "serial /dev/ttyS0\nucast eth1 10.77.1.2\n",
                GROUP,
                &[
                    "ha.cf:8:7",
                    "10.77.1.2 belongs to the network of eth0, not to that of eth1",
                    "write `ucast eth0 10.77.1.2`",
                ],
            ),
            (
                "serial /dev/ttyS0\nucast eth1 10.99.1.2\n",
                GROUP,
                &[
                    "ha.cf:8:7",
                    "10.99.1.2 is in no network of eth1",
                    "write the address that the other machine has",
                ],
            ),
            (
                "serial /dev/ttyS0\nbcast eth1\nping 10.77.1.1\n",
                GROUP,
                &[
                    "ha.cf:9:6",
                    "is an address of this machine now",
                    "name a router instead",
                ],
            ),
            (
                "serial /dev/ttyS0\nbcast eth1\nwatchdog /dev/no-such\n",
                GROUP,
                &["ha.cf:9:10", "no watchdog `/dev/no-such`"],
            ),
            (
                LINKS,
                "alpha 10.77.1.100/24/eth7\n",
                &["haresources:1:7", "no interface `eth7`"],
            ),
            (
                LINKS,
                "alpha 10.77.1.100/24/eth1\n",
                &[
                    "haresources:1:7",
                    "belongs to the network of eth0, not to that of eth1",
                    "write 10.77.1.100/24/eth0",
                ],
            ),
            (
                LINKS,
                "alpha 10.78.1.100/24/eth0\n",
                &[
                    "haresources:1:7",
                    "10.78.1.100 is in no network of eth0",
                    "correct the address or the interface",
                ],
            ),
            (
                LINKS,
                "alpha 10.78.1.100\n",
                &[
                    "haresources:1:7",
                    "no interface has a network that contains 10.78.1.100",
                    "as in 10.78.1.100/24/eth0",
                ],
            ),
            (
                LINKS,
                "alpha 10.77.1.255/24/eth0\n",
                &[
                    "haresources:1:7",
                    "stands for all machines of the network",
                    "take one from 10.77.1.1 to",
                ],
            ),
        ] {
            bench.write(links, resources);
            bench.expect(parts);
        }
        // What changes on the machine.
        bench.write(LINKS, GROUP);
        bench.run("ip address add 10.77.1.100/24 dev eth0");
        bench.expect(&[
            "haresources:1:7",
            "10.77.1.100 is on eth0 already",
            "ip address del 10.77.1.100/24 dev eth0",
        ]);
        bench.run("ip address del 10.77.1.100/24 dev eth0");
        bench.run("ip address flush dev eth1");
        bench.write("serial /dev/ttyS0\nbcast eth1\n", GROUP);
        bench.expect(&[
            "ha.cf:8:7",
            "eth1 has no IPv4 address",
            "give it one that stays",
        ]);
        bench.run("ip address add 10.77.1.7/24 dev eth1; ip route del 10.77.1.0/24 dev eth1");
        bench.write("bcast eth0\nbcast eth1\n", GROUP);
        bench.expect(&[
            "ha.cf:7:7",
            "all links are in the network 10.77.1.0/24",
            "add an independent one",
        ]);
        bench.run("ip address flush dev eth1; ip address add 192.168.9.1/24 dev eth1");
        bench.run(
            "ip link add br1 type bridge forward_delay 0; ip link set eth1 master br1; ip link set br1 up\n\
             ip address add 192.168.5.1/24 broadcast + dev br1",
        );
        bench.write("bcast eth1\nbcast br1\n", GROUP);
        eventually("the bridge has its carrier", || bench.findings().len() == 1);
        bench.expect(&[
            "ha.cf:7:7",
            "all links go over eth1",
            "add an independent one",
        ]);
        bench.run("ip link del br1");
        bench.write(LINKS, GROUP);
        bench.run("ip link set eth1 down");
        let found = bench.findings();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("eth1 is down") && found[0].contains("ip link set eth1 up"));
        // Of the other machine's files nothing of this one is said.
        bench.run("ip link set eth1 up");
        eventually("nothing is found", || bench.findings().is_empty());
    });
}

#[test]
fn programs_that_get_in_the_way_are_found() {
    claim(|| {
        let bench = Bench::new();
        bench.write(LINKS, GROUP);
        eventually("nothing is found", || bench.findings().is_empty());
        let namespace = &bench.machine().namespace;
        let socket = namespace.within(|| UdpSocket::bind("0.0.0.0:694").expect("free"));
        bench.expect(&[
            "ha.cf:8:7",
            "UDP port 694 is taken by",
            "another `udpport` on both machines",
        ]);
        drop(socket);
        bench.expect_nothing();
        let index = namespace.within(|| std::fs::read_to_string("/sys/class/net/eth0/ifindex"));
        let index = index.expect("an interface").trim().to_owned();
        bench.run(&format!(
            "mkdir -p /run/systemd/netif/links /run/systemd/network\n\
             printf 'ADMIN_STATE=configured\\nNETWORK_FILE=/run/systemd/network/e.network\\n' > /run/systemd/netif/links/{index}\n\
             printf '[Network]\\nDHCP=no\\n' > /run/systemd/network/e.network"
        ));
        bench.expect(&[
            "info: systemd-networkd looks after eth0",
            "haresources:1:7",
            "write `KeepConfiguration=static`",
        ]);
        bench.run("printf 'KeepConfiguration=static\\n' >> /run/systemd/network/e.network");
        bench.expect_nothing();
        bench.run(&format!(
            "rm -r /run/systemd; mkdir -p /run/NetworkManager/devices\n\
             printf '[device]\\nmanaged=managed\\n' > /run/NetworkManager/devices/{index}"
        ));
        bench.expect(&[
            "info: NetworkManager looks after eth0",
            "unmanaged-devices=interface-name:eth0",
        ]);
        bench.run("rm -r /run/NetworkManager; touch /run/dhclient.eth0.pid");
        bench.expect(&[
            "info: eth0 has its own address by DHCP, from dhclient",
            "give eth0 an address that stays",
        ]);
    });
}

/// The sandbox has its own packet filter, which only root may see.
fn filtered() -> Result<(), String> {
    sandbox::possible().and_then(|()| can_lose())
}

#[test]
fn a_packet_filter_that_shuts_the_peer_out_is_found_and_one_that_lets_it_in_is_not() {
    let demands = crate::lab::Demands {
        possible: filtered,
        at_once: 4,
    };
    claim_with(&demands, || {
        let bench = Bench::new();
        bench.write(LINKS, GROUP);
        eventually("nothing is found", || bench.findings().is_empty());
        let rules = |rules: &str| {
            let table = format!(
                "flush ruleset\ntable inet filter {{ chain input {{ type filter hook input priority 0; policy drop;\n\
                 ct state vmap {{ established : accept, related : accept, invalid : drop }}\n\
                 iifname \"lo\" accept\nip protocol icmp accept\ntcp dport {{ 22, 80 }} accept\n{rules}\n}}\n}}\n"
            );
            let namespace = &bench.machine().namespace;
            namespace.within(|| run_input("nft", &["-f", "-"], &table));
        };
        rules("");
        bench.expect(&[
            "ha.cf:9:7",
            "the packet filter drops what comes to UDP port 694 on eth1",
            "nft insert rule inet filter input iifname eth1 udp dport 694 accept",
        ]);
        for let_in in [
            "udp dport 694 accept",
            "udp dport { 53, 690-700 } accept",
            "iifname \"eth1\" accept",
            "ip saddr 192.168.9.2 accept",
            "ip saddr 192.168.9.0/24 accept",
            "meta l4proto udp limit rate 10/second accept",
        ] {
            rules(let_in);
            bench.expect_nothing();
            assert!(bench.arrives(PATIENCE), "{let_in}");
        }
        rules("udp dport 693 accept\nip saddr 192.168.9.3 accept\nudp dport 694 log reject");
        assert_eq!(bench.findings().len(), 1);
        assert!(!bench.arrives(A_MOMENT), "what is told to be dropped is");
        // The remedy as it is printed is one.
        rules("");
        bench.run("nft insert rule inet filter input iifname eth1 udp dport 694 accept");
        bench.expect_nothing();
    });
}
