//! Recipes of the cookbook, cooked: their files on two machines with real daemons, and what they say to try.

use std::net::Ipv4Addr;
use std::process::Command;

use crate::lab::claim_with;
use crate::lab::namespace::run_script;
use crate::machines::{ADDRESS, DEMANDS, Machines, shell};
use crate::page::Page;

const SECOND: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 101);

/// The machines with a recipe's files, and everything installed; no daemon runs.
fn table(page: &Page) -> Machines {
    let haresources = &page.one(&["haresources"]).text;
    let groups: Vec<_> = haresources.lines().collect();
    let machines = Machines::new(&groups);
    machines.run("both", "apt-get install");
    machines.write("/etc/ha.d/haresources", haresources, 0o644);
    machines.write("/etc/ha.d/ha.cf", &page.one(&["ha.cf"]).text, 0o644);
    machines.write(
        "/etc/ha.d/authkeys",
        "auth 1\n1 sha1 a-secret-of-this-test\n",
        0o600,
    );
    machines
}

/// Types what the page says is to be typed, in its order, each when the pair has come to rest.
fn cook(page: &Page, machines: &Machines) {
    let blocks: Vec<_> = page.blocks.iter().filter(|block| block.is_run()).collect();
    assert!(blocks.len() > 2, "{}: what is there to try?", page.path);
    for block in blocks {
        machines.play(page, block);
        machines.settle();
    }
}

#[test]
fn a_floating_address_moves_as_the_recipe_says() {
    claim_with(&DEMANDS, || {
        let page = Page::read("docs/cookbook/floating-address.md");
        let mut machines = table(&page);
        let router = machines.host("router", Ipv4Addr::new(192, 168, 1, 254));
        cook(&page, &machines);
        machines.pair.watch.expect_owner(1, ADDRESS);
        machines.pair.assert_never_two_owners();
        drop(router);
    });
}

#[test]
fn each_machine_has_its_own_address_and_stands_in_for_the_other() {
    claim_with(&DEMANDS, || {
        let page = Page::read("docs/cookbook/active-active.md");
        let machines = table(&page);
        cook(&page, &machines);
        machines.pair.watch.expect_owner(0, ADDRESS);
        machines.pair.watch.expect_owner(1, SECOND);
        machines.pair.assert_never_two_owners();
    });
}

/// What the package of nginx brings, each machine with a page of its own.
const NGINX: &str = "
mkdir -p /var/log/nginx /var/lib/nginx OWN/www
echo \"$(uname -n)\" >OWN/www/index.html
mkdir -p /var/www/html
mount --bind OWN/www /var/www/html
";

#[test]
fn nginx_is_sound_for_heartbeat_and_moves_with_its_address() {
    claim_with(&crate::machines::WITH_NGINX, || {
        let page = Page::read("docs/cookbook/nginx.md");
        let machines = table(&page);
        for machine in [&machines.pair.a, &machines.pair.b] {
            let own = machine.file("").display().to_string();
            let script = NGINX.replace("OWN", own.trim_end_matches('/'));
            machine.namespace.within(|| run_script(&script));
        }
        cook(&page, &machines);
        machines.pair.watch.expect_owner(1, ADDRESS);
        let said = shell(
            &machines.client,
            "curl -sS --max-time 5 http://192.168.1.100/",
        );
        assert_eq!(said, "node-b\n");
        machines.pair.assert_never_two_owners();
    });
}

/// The interface of a provider that has one address, and forgets the first order.
const PROVIDER: &str = r#"#!/bin/sh
cd /run
for word in "$@"; do
    case $word in *assign*) id=${word##*droplet_id\":}; order=${id%\}} ;; esac
done
if [ -z "${order-}" ]; then
    printf '{\n "reserved_ip": {"ip": "203.0.113.7", "droplet": {"id": %s, "name": "x"}}}' "$(cat at)"
elif [ -e heard ]; then
    echo "$order" >at
else
    : >heard
fi
"#;

#[test]
fn the_script_for_a_cloud_address_is_sound_and_asks_again() {
    claim_with(&DEMANDS, || {
        let page = Page::read("docs/cookbook/cloud-address.md");
        let machines = table(&page);
        let path = "/etc/ha.d/resource.d/cloud-address";
        machines.write(path, &page.one(&["sh", path]).text, 0o755);
        let own = machines.pair.a.file("bin").display().to_string();
        let settings = format!("{}PATH={own}:$PATH\n", page.one(&["conf"]).text);
        machines.write("/etc/ha.d/cloud-address.conf", &settings, 0o600);
        machines.write("/bin/curl", PROVIDER, 0o755);
        machines.run("node-a", "echo 1 >/run/at");
        let lint = page.blocks.iter().find(|block| block.is_run());
        machines.play(&page, lint.expect("it is tried"));
        assert_eq!(machines.run("node-a", "cat /run/at")[0], "3164444\n");
        let status =
            format!("{path} 203.0.113.7 start; echo 5 >/run/at; {path} 203.0.113.7 status");
        assert_eq!(
            machines.run("node-a", &status)[0],
            "not running: 203.0.113.7 is at 5\n"
        );
    });
}

#[test]
fn nothing_returns_before_both_disks_are_whole() {
    let page = Page::read("docs/cookbook/nfs-on-drbd.md");
    let script = &page.one(&["sh", "/usr/local/sbin/drbd-is-in-sync"]).text;
    let says_yes = |state: &str| {
        let stand_in =
            format!("drbdadm() {{ [ \"$*\" = 'dstate nfs' ] && echo {state}; }}\n{script}");
        let mut shell = Command::new("sh");
        let status = shell
            .args(["-c", &stand_in, "drbd-is-in-sync", "nfs"])
            .status();
        status.expect("there is a shell").success()
    };
    assert!(says_yes("UpToDate/UpToDate"));
    for state in ["UpToDate/Inconsistent", "UpToDate/DUnknown", ""] {
        assert!(!says_yes(state), "{state}");
    }
}
