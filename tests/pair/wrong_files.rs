//! Set-ups that are wrong, one thing in each, in the files of a machine that does not run: `heartbeat check --root` finds
//! exactly that, and names the cure. The set-up that they are made from is the README's, in which nothing is found.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::lab::program::built;
use crate::lab::{base, claim};

/// The indented lines of the README behind the one that begins with these words.
fn of_readme(words: &str) -> String {
    let text = include_str!("../../README.md");
    let lines = text.lines().skip_while(|line| !line.starts_with(words));
    let lines = lines.skip_while(|line| !line.starts_with("    "));
    let block = lines.take_while(|line| line.starts_with("    "));
    block
        .map(|line| line.trim_start().to_owned() + "\n")
        .collect()
}

/// An example with its commented lines put into force, all or the first.
fn example(text: &str, count: usize) -> String {
    let mut left = count;
    let mut lines = Vec::new();
    for line in text.lines() {
        let bare = line
            .strip_prefix('#')
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/'));
        match bare {
            Some(_) if left == 0 => {}
            Some(bare) => {
                left -= 1;
                lines.push(bare);
            }
            None => lines.push(line),
        }
    }
    lines.join("\n") + "\n"
}

/// The files of a machine.
struct Tree(PathBuf);

impl Tree {
    /// The README's `node-a`, with nothing wrong.
    fn new(name: &str) -> Self {
        let tree = Self(base().join(name));
        tree.write("etc/hostname", "node-a\n", 0o644);
        tree.write("etc/ha.d/ha.cf", &of_readme("`ha.cf`:"), 0o644);
        tree.write("etc/ha.d/haresources", &of_readme("`haresources`:"), 0o644);
        tree.write("usr/lib/systemd/system/nginx.service", "[Service]\n", 0o644);
        let made = Command::new(built("heartbeat"))
            .args(["keygen", "--stdout"])
            .output()
            .expect("it runs");
        let key = String::from_utf8(made.stdout).expect("text");
        tree.write("etc/ha.d/authkeys", &key, 0o600);
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        let folder = path.parent().expect("a folder");
        fs::create_dir_all(folder).expect("our own file system");
        for part in folder
            .ancestors()
            .take_while(|part| part.starts_with(&self.0))
        {
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(part, mode).expect("our own file system");
        }
        fs::write(&path, text).expect("our own file system");
        self.mode(name, mode);
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("set");
    }

    fn link(&self, name: &str, target: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("our own file system");
        symlink(target, path).expect("our own file system");
    }

    fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("it is there");
        assert!(text.contains(from), "{name} has no {from:?}");
        fs::write(self.path(name), text.replacen(from, to, 1)).expect("our own file system");
    }

    fn ha_cf(&self, from: &str, to: &str) {
        self.replace("etc/ha.d/ha.cf", from, to);
    }

    fn resources(&self, words: &str) {
        self.write("etc/ha.d/haresources", &format!("node-a {words}\n"), 0o644);
    }

    fn key(&self, text: &str) {
        self.write("etc/ha.d/authkeys", text, 0o600);
    }

    fn check(&self, more: &[&str]) -> Output {
        let mut command = Command::new(built("heartbeat"));
        command.arg("check").arg("--root").arg(&self.0).args(more);
        command.stdin(Stdio::null()).output().expect("it runs")
    }
}

/// What is wrong: its name, how it is made from what is right, the place that is named, and what is said, the kind and the
/// message first and the cure last.
type Wrong = (
    &'static str,
    fn(&Tree),
    &'static str,
    &'static [&'static str],
);

const HA_CF: &[Wrong] = &[
    (
        "one link",
        |t| t.ha_cf("serial /dev/ttyS0\n", ""),
        "ha.cf:4:7",
        &[
            "warning: `eth1` is the only link",
            "add a second, independent one",
        ],
    ),
    (
        "networks alone",
        |t| t.ha_cf("serial /dev/ttyS0", "bcast eth0"),
        "ha.cf:4:7",
        &[
            "info: all links are networks",
            "add a null-modem cable: `serial /dev/ttyS0`",
        ],
    ),
    (
        "serial lines alone",
        |t| t.ha_cf("bcast eth1", "serial /dev/ttyS1"),
        "ha.cf:4:8",
        &[
            "info: all links are serial lines",
            "add a network, such as `bcast eth1`",
        ],
    ),
    (
        "a ping node that moves",
        |t| t.ha_cf("deadtime", "ping 192.168.1.100\ndeadtime"),
        "ha.cf:7:6",
        &[
            "warning: ping node `192.168.1.100` is a cluster address",
            "name a router instead",
        ],
    ),
    (
        "a ping node of the pair",
        |t| t.ha_cf("deadtime", "ping node-b\ndeadtime"),
        "ha.cf:7:6",
        &[
            "warning: ping node `node-b` is one of the two machines",
            "name a router instead",
        ],
    ),
    (
        "a peer that moves",
        |t| t.ha_cf("bcast eth1", "ucast eth0 192.168.1.100"),
        "ha.cf:5:7",
        &[
            "warning: `192.168.1.100` moves between the nodes",
            "heartbeats need an address that stays on the peer",
        ],
    ),
    (
        "deadtime too small",
        |t| t.ha_cf("deadtime 10", "deadtime 2"),
        "ha.cf:7:10",
        &[
            "error: deadtime of 2 s is too small for keepalive of 1 s",
            "must be above 2 s",
        ],
    ),
    (
        "warntime too long",
        |t| t.ha_cf("initdead", "warntime 20\ninitdead"),
        "ha.cf:8:10",
        &[
            "warning: warntime of 20 s has no effect",
            "the peer is dead after 10 s already",
        ],
    ),
    (
        "warntime too short",
        |t| t.ha_cf("initdead", "warntime 1\ninitdead"),
        "ha.cf:8:10",
        &[
            "warning: every heartbeat is late",
            "should be well above 1 s",
        ],
    ),
    (
        "initdead too short",
        |t| t.ha_cf("initdead 60", "initdead 5"),
        "ha.cf:8:10",
        &[
            "error: initdead of 5 s is smaller than deadtime",
            "must not be below 10 s",
        ],
    ),
    (
        "initdead hardly enough",
        |t| t.ha_cf("initdead 60", "initdead 12"),
        "ha.cf:8:10",
        &[
            "warning: initdead of 12 s is hardly enough",
            "should be 20 s at least",
        ],
    ),
    (
        "a slow line",
        |t| {
            t.ha_cf("baud 19200", "baud 9600");
            t.ha_cf("keepalive 1", "keepalive 100ms");
        },
        "ha.cf:3:6",
        &[
            "warning: the serial line is busy with heartbeats most of the time",
            "write `baud 19200` or more on both machines",
        ],
    ),
    (
        "nothing about failback",
        |t| t.ha_cf("auto_failback off\n", ""),
        "ha.cf",
        &[
            "warning: no `auto_failback`",
            "write `auto_failback on`, or `off`",
        ],
    ),
    (
        "a command that is not there",
        |t| {
            t.ha_cf(
                "auto_failback off",
                "auto_failback when /usr/local/sbin/in-sync",
            );
        },
        "ha.cf:9:20",
        &[
            "warning: /usr/local/sbin/in-sync does not exist",
            "put it at /usr/local/sbin/in-sync",
        ],
    ),
    (
        "a program that is not there",
        |t| t.ha_cf("deadtime", "respawn root /usr/local/bin/watcher\ndeadtime"),
        "ha.cf:7:14",
        &[
            "error: no program `/usr/local/bin/watcher`",
            "install it, correct its path, or remove the line",
        ],
    ),
    (
        "a fencing device that is not there",
        |t| {
            t.ha_cf(
                "deadtime",
                "stonith_host * fence_ipmilan ipaddr=10.0.0.3\ndeadtime",
            );
        },
        "ha.cf:7:16",
        &[
            "error: no fence agent `fence_ipmilan`",
            "install the package of your fence agents",
        ],
    ),
    (
        "another host name",
        |t| t.write("etc/hostname", "node-a.example.org\n", 0o644),
        "ha.cf:1:6",
        &[
            "error: this machine, `node-a.example.org`, is not among the nodes",
            "write `node-a.example.org` for `node-a`",
        ],
    ),
    (
        "a file that everybody writes",
        |t| t.mode("etc/ha.d/ha.cf", 0o666),
        "ha.cf",
        &[
            "warning: /etc/ha.d/ha.cf can be written by everybody",
            "chmod go-w /etc/ha.d/ha.cf",
        ],
    ),
    (
        "a directory that everybody writes",
        |t| t.mode("etc/ha.d", 0o777),
        "/etc/ha.d",
        &[
            "warning: /etc/ha.d can be written by everybody",
            "chmod go-w /etc/ha.d",
        ],
    ),
];

const AUTHKEYS: &[Wrong] = &[
    (
        "a public key",
        |t| t.key("auth 1\n1 sha1 HI!\n"),
        "authkeys:2:8",
        &["warning: this key is public", "`heartbeat keygen --rotate`"],
    ),
    (
        "the key of a tutorial",
        |t| t.key("auth 3\n3 sha1 somerandomstring\n"),
        "authkeys:2:8",
        &["warning: this key is public", "`heartbeat keygen --rotate`"],
    ),
    (
        "a short key",
        |t| t.key("auth 1\n1 sha1 tr0ub4dor\n"),
        "authkeys:2:8",
        &["warning: this key is short", "`heartbeat keygen --rotate`"],
    ),
    (
        "a key without variety",
        |t| t.key("auth 1\n1 sha1 11111111111111111111\n"),
        "authkeys:2:8",
        &[
            "warning: this key is hardly random",
            "`heartbeat keygen --rotate`",
        ],
    ),
    (
        "an old method",
        |t| t.replace("etc/ha.d/authkeys", "sha256", "md5"),
        "authkeys:2:3",
        &[
            "warning: `md5` is out of date",
            "`heartbeat keygen --rotate`",
        ],
    ),
    (
        "no key at all",
        |t| t.key("auth 1\n1 crc\n"),
        "authkeys:2:3",
        &[
            "warning: `crc` is no authentication",
            "`heartbeat keygen --rotate`",
        ],
    ),
    (
        "a key that others read",
        |t| t.mode("etc/ha.d/authkeys", 0o644),
        "authkeys",
        &[
            "error: keys can be read by others",
            "run `chmod 600 /etc/ha.d/authkeys`",
        ],
    ),
];

const RESOURCES: &[Wrong] = &[
    (
        "a masked unit",
        |t| t.link("etc/systemd/system/nginx.service", "/dev/null"),
        "haresources:1:38",
        &[
            "warning: nginx.service is masked",
            "systemctl unmask nginx.service",
        ],
    ),
    (
        "a timer that starts it",
        |t| {
            t.link(
                "etc/systemd/system/timers.target.wants/nginx.timer",
                "/usr/lib/systemd/system/nginx.timer",
            );
        },
        "haresources:1:38",
        &[
            "warning: nginx.timer starts it from time to time",
            "systemctl disable --now nginx.timer",
        ],
    ),
    (
        "an address of dhcpcd",
        |t| {
            t.write(
                "etc/dhcpcd.conf",
                "interface eth0\nstatic ip_address=192.168.1.100/24\n",
                0o644,
            );
        },
        ADDRESS,
        &[
            "warning: this machine gets 192.168.1.100",
            "remove it from /etc/dhcpcd.conf",
        ],
    ),
    (
        "an unknown node",
        |t| t.replace("etc/ha.d/haresources", "node-a", "node-c"),
        "haresources:1:1",
        &[
            "error: unknown node `node-c`",
            "neither `node-a` nor `node-b`",
        ],
    ),
    (
        "no such service",
        |t| t.resources("IPaddr::192.168.1.100/24/eth0 ngnix"),
        "haresources:1:38",
        &[
            "warning: no script, OCF agent or unit called `ngnix`",
            "looked at ",
        ],
    ),
    (
        "an address of all machines",
        |t| t.resources("192.168.1.255/24/eth0"),
        "haresources:1:8",
        &[
            "warning: 192.168.1.255/24 stands for all machines",
            "take one from 192.168.1.1 to 192.168.1.254",
        ],
    ),
    (
        "a network as an address",
        |t| t.resources("192.168.1.0/24/eth0"),
        "haresources:1:8",
        &[
            "warning: 192.168.1.0/24 stands for the network itself",
            "take one from",
        ],
    ),
    (
        "a unit that starts at boot",
        |t| {
            t.link(
                "etc/systemd/system/multi-user.target.wants/nginx.service",
                "/usr/lib/systemd/system/nginx.service",
            );
        },
        "haresources:1:38",
        &[
            "warning: nginx.service is started at boot, too",
            "systemctl disable --now nginx.service",
        ],
    ),
    (
        "a socket that starts it",
        |t| {
            t.link(
                "etc/systemd/system/sockets.target.wants/nginx.socket",
                "/usr/lib/systemd/system/nginx.socket",
            );
        },
        "haresources:1:38",
        &[
            "warning: nginx.socket starts it",
            "systemctl disable --now nginx.socket",
        ],
    ),
    (
        "an init script that starts at boot",
        |t| {
            t.write(
                "etc/init.d/web",
                "#!/bin/sh\ncase $1 in status) echo running;; esac\n",
                0o755,
            );
            t.write("bin/sh", "", 0o755);
            t.link("etc/rc3.d/S20web", "../init.d/web");
            t.resources("web");
        },
        "haresources:1:8",
        &[
            "warning: web is started at boot, too",
            "update-rc.d web disable",
        ],
    ),
    (
        "a disk that is mounted at boot",
        |t| {
            t.write(
                "usr/lib/ocf/resource.d/heartbeat/Filesystem",
                "#!/bin/sh\n",
                0o755,
            );
            t.write("bin/sh", "", 0o755);
            t.write(
                "etc/fstab",
                "# disks\n/dev/sdb1 /srv ext4 defaults 0 2\n",
                0o644,
            );
            t.resources("Filesystem::/dev/sdb1::/srv::ext4");
        },
        "haresources:1:8",
        &[
            "warning: /dev/sdb1 is mounted at boot, too",
            "write `noauto` among the options of line 2 of /etc/fstab",
        ],
    ),
    (
        "a script that knows no status",
        |t| {
            script(
                t,
                "#!/bin/sh\ncase $1 in start) a;; stop) b;; esac\n",
                0o755,
            );
        },
        "haresources:1:8",
        &[
            "warning: /etc/ha.d/resource.d/own does not know `status`",
            "`heartbeat lint-script /etc/ha.d/resource.d/own`",
        ],
    ),
    (
        "a script that everybody writes",
        |t| script(t, SOUND, 0o777),
        "haresources:1:8",
        &[
            "warning: /etc/ha.d/resource.d/own can be written by everybody",
            "chmod go-w /etc/ha.d/resource.d/own",
        ],
    ),
    (
        "a script from Windows",
        |t| script(t, "#!/bin/sh\r\nstatus\r\n", 0o755),
        "haresources:1:8",
        &[
            "warning: /etc/ha.d/resource.d/own has the line ends of Windows",
            "sed -i",
        ],
    ),
    (
        "a script without its interpreter",
        |t| script(t, "#!/usr/bin/perl\n# status\n", 0o755),
        "haresources:1:8",
        &[
            "warning: /etc/ha.d/resource.d/own names the interpreter `/usr/bin/perl`",
            "install it, or change the first line",
        ],
    ),
    (
        "a script that is no program",
        |t| script(t, SOUND, 0o644),
        "haresources:1:8",
        &[
            "warning: no script, OCF agent or unit called `own`",
            "resource.d/own (is not executable)",
        ],
    ),
    (
        "an address in two groups",
        |t| {
            t.write(
                "etc/ha.d/haresources",
                "node-a 192.168.1.100/24/eth0\nnode-b IPaddr::192.168.1.100/24/eth0\n",
                0o644,
            );
        },
        "haresources:2:8",
        &[
            "error: 192.168.1.100 is in two groups",
            "both nodes might have it at the same time",
        ],
    ),
    (
        "an address of interfaces(5)",
        |t| {
            t.write(
                "etc/network/interfaces",
                "auto eth0\niface eth0 inet static\n  address 192.168.1.100\n",
                0o644,
            );
        },
        ADDRESS,
        &[
            "warning: this machine gets 192.168.1.100 at boot, too",
            "by line 3 of /etc/network/interfaces",
            "remove it from /etc/network/interfaces",
        ],
    ),
    (
        "an address of netplan",
        |t| {
            t.write(
                "etc/netplan/01.yaml",
                "network:\n  ethernets:\n    eth0:\n      addresses:\n        - 192.168.1.100/24\n",
                0o600,
            );
        },
        ADDRESS,
        &[
            "warning: this machine gets 192.168.1.100",
            "remove it from /etc/netplan/01.yaml",
        ],
    ),
    (
        "an address of networkd",
        |t| {
            t.write(
                "etc/systemd/network/10-eth0.network",
                "[Network]\nAddress=192.168.1.100/24\n",
                0o644,
            );
        },
        ADDRESS,
        &[
            "warning: this machine gets 192.168.1.100",
            "remove it from /etc/systemd/network/10-eth0.network",
        ],
    ),
    (
        "an address of NetworkManager",
        |t| {
            t.write(
                "etc/NetworkManager/system-connections/eth0.nmconnection",
                "[ipv4]\naddress1=192.168.1.5/24,192.168.1.1\naddress2=192.168.1.100/24\n",
                0o600,
            );
        },
        ADDRESS,
        &[
            "warning: this machine gets 192.168.1.100",
            "by line 3",
            "remove it from /etc/NetworkManager/system-connections/eth0.nmconnection",
        ],
    ),
    (
        "an address of ifcfg",
        |t| {
            t.write(
                "etc/sysconfig/network-scripts/ifcfg-eth0:0",
                "DEVICE=eth0:0\nIPADDR=192.168.1.100\n",
                0o644,
            );
        },
        ADDRESS,
        &[
            "warning: this machine gets 192.168.1.100",
            "remove it from /etc/sysconfig/network-scripts/ifcfg-eth0:0",
        ],
    ),
    (
        "an address of keepalived",
        |t| {
            t.write(
                "etc/keepalived/keepalived.conf",
                "vrrp_instance a {\n virtual_ipaddress {\n  192.168.1.100/24\n }\n}\n",
                0o644,
            );
        },
        ADDRESS,
        &[
            "warning: this machine gets 192.168.1.100",
            "remove it from /etc/keepalived/keepalived.conf",
        ],
    ),
    (
        "an address of rc.local",
        |t| {
            t.write(
                "etc/rc.local",
                "#!/bin/sh\nip addr add 192.168.1.100/24 dev eth0\n",
                0o755,
            );
        },
        ADDRESS,
        &[
            "warning: this machine gets 192.168.1.100",
            "remove it from /etc/rc.local",
        ],
    ),
];

/// Where the README's `haresources` has its address.
const ADDRESS: &str = "haresources:1:8";
const SOUND: &str = "#!/bin/sh\ncase $1 in start) a;; stop) b;; status) echo running;; esac\n";

fn script(tree: &Tree, text: &str, mode: u32) {
    tree.write("bin/sh", "", 0o755);
    tree.write("etc/ha.d/resource.d/own", text, mode);
    tree.resources("own");
}

/// What was said, without the line that sums up.
fn findings(said: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    let mut pictures: Vec<String> = text.split("\n\n").map(str::to_owned).collect();
    let sum = pictures.pop().unwrap_or_default();
    assert!(
        sum.starts_with("configuration is valid") || sum.contains("error"),
        "{text}"
    );
    pictures
}

#[test]
fn every_wrong_set_up_is_found_with_its_place_and_its_cure_and_nothing_else_is() {
    claim(|| {
        let all = [HA_CF, AUTHKEYS, RESOURCES].concat();
        assert!(all.len() >= 50, "{}", all.len());
        let mut wrong = Vec::new();
        for (name, make, place, says) in all {
            let tree = Tree::new(&format!("setup-{}", name.replace(' ', "-")));
            make(&tree);
            let said = tree.check(&[]);
            let found = findings(&said);
            let is_error = says[0].starts_with("error");
            let is_right = match found.as_slice() {
                [finding] => {
                    let at = format!("{place}\n");
                    let is_there = finding.contains(&at) || finding.contains(&format!("{place}:"));
                    finding.starts_with(says[0])
                        && is_there
                        && says.iter().all(|part| finding.contains(part))
                }
                _ => false,
            };
            if !is_right || said.status.code() != Some(if is_error { 6 } else { 0 }) {
                wrong.push(format!(
                    "== {name}: {place} {says:?}\n{}{}",
                    String::from_utf8_lossy(&said.stderr),
                    said.status
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn nothing_is_found_in_the_files_of_the_readme_and_in_the_examples() {
    claim(|| {
        let tree = Tree::new("sound");
        let assert_sound = || {
            let said = tree.check(&[]);
            assert_eq!(said.status.code(), Some(0), "{said:?}");
            assert_eq!(findings(&said), [""; 0], "{said:?}");
        };
        assert_sound();
        // With the classic method, too, as beside 3.0.6.
        tree.replace("etc/ha.d/authkeys", "sha256", "sha1");
        assert_sound();
        let ha_cf = example(include_str!("../../packaging/examples/ha.cf"), 100);
        let ha_cf = ha_cf.replace("logfile /", "#").replace("debugfile /", "#");
        tree.write("etc/ha.d/ha.cf", &ha_cf, 0o644);
        tree.write("usr/sbin/sendmail", "\u{7f}ELF", 0o755); // for `alert mail`
        let haresources = example(include_str!("../../packaging/examples/haresources"), 1);
        tree.write("etc/ha.d/haresources", &haresources, 0o644);
        assert_sound();
        // And the sample key is known to be one.
        tree.key(&example(
            include_str!("../../packaging/examples/authkeys"),
            2,
        ));
        let said = tree.check(&[]);
        assert!(
            findings(&said).concat().contains("this key is public"),
            "{said:?}"
        );
    });
}

#[test]
fn findings_can_be_read_by_programs_and_show_no_key() {
    claim(|| {
        let tree = Tree::new("json");
        tree.key("auth 1\n1 sha1 tr0ub4dor\n");
        tree.ha_cf("deadtime 10", "deadtime 2");
        let said = tree.check(&["--json"]);
        assert_eq!(said.status.code(), Some(6), "{said:?}");
        assert!(said.stderr.is_empty(), "{said:?}");
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(!text.contains("tr0ub4dor"), "{text}");
        let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let expected = serde_json::json!({
            "valid": false, "exit_status": 6, "errors": 1, "warnings": 1, "infos": 0,
            "findings": [
                {
                    "severity": "error", "file": "/etc/ha.d/ha.cf", "line": 7, "column": 10, "word": "2",
                    "message": "deadtime of 2 s is too small for keepalive of 1 s",
                    "reason": "must be above 2 s, twice keepalive", "remedy": [],
                    "related": [{"file": "/etc/ha.d/ha.cf", "line": 6, "column": 11, "text": "keepalive"}],
                },
                {
                    "severity": "warning", "file": "/etc/ha.d/authkeys", "line": 2, "column": 8, "word": "*********",
                    "message": "this key is short",
                    "reason": "9 characters; who records a message can find it by trying, 16 are the least",
                    "remedy": ["`heartbeat keygen --rotate` adds a random one, and says how both nodes change over to it"],
                    "related": [],
                },
            ],
        });
        assert_eq!(report, expected);
        let nowhere = Tree(Path::new("/no/such/root").to_owned()).check(&[]);
        assert_eq!(nowhere.status.code(), Some(1), "{nowhere:?}");
    });
}
