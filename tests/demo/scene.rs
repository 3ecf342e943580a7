//! The story: the stage, the files, the cables, the crash, the return.

use std::time::{Duration, Instant};
use std::{env, fs};

use crate::lab::machine::{Machine, here};
use crate::lab::network::Failure;
use crate::lab::stranger::Stranger;
use crate::lab::web::Client;
use crate::lab::{Link, Networks, Pair, Setup, eventually, files};
use crate::teller::Teller;

const STAGE: &str = "\
Two machines, alpha and beta, mind each other. They exist only inside this program's own sandbox
(namespaces of the kernel); the daemons that run on them are the real ones.

                 client
                   |
        -----------+----------- the office network
            |             |
          eth0          eth0
        +-------+     +-------+
        | alpha |     | beta  |      People use a web server at 10.77.1.100. That address belongs
        +-------+     +-------+      to no machine: it floats. The daemons see to it that exactly
          |  eth1 ----- eth1 |       one machine has it, with the web server, at any time.
          |   (a crossed     |
          |     cable)       |
        ttyS0 --------- ttyS0
            (a serial cable)";

const HA_CF: &str = "\
keepalive 200ms          # say \"I am alive\" five times a second, on every cable
deadtime 1               # a peer that nobody heard for a second, on any cable, is dead
initdead 10              # but give it ten at the start
baud 115200              # the speed of the serial cable
serial /dev/ttyS0        # three ways between the two: the serial cable,
bcast eth0               # the office network
bcast eth1               # and the crossed cable
node alpha beta          # the two machines
auto_failback on         # a machine that returns gets its service back
";

const AUTHKEYS: &str = "\
auth 1
1 sha1 only-these-two-know
";

const HARESOURCES: &str = "\
alpha IPaddr::10.77.1.100/24/eth0 web    # preferred machine, floating address, script
";

/// Plays the story once.
pub fn play() {
    let teller = Teller::new();
    teller.explain(STAGE);
    teller.chapter("The three files in /etc/ha.d, the same on both machines");
    for (name, text) in [
        ("ha.cf", HA_CF),
        ("authkeys", AUTHKEYS),
        ("haresources", HARESOURCES),
    ] {
        teller.explain(&format!("-- {name}\n{text}"));
    }
    let networks = Networks::new();
    let mut pair = Pair::new(
        &networks,
        Setup {
            deadtime: 1000,
            groups: vec![HARESOURCES.to_owned()],
            ..Setup::default()
        },
    );
    for machine in [&pair.a, &pair.b] {
        furnish(machine);
    }
    let client = Stranger::new(&networks.service, [10, 77, 1, 50].into(), 694);
    let client = Client::new(
        &client.namespace,
        (pair.address(), 80).into(),
        Duration::from_millis(200),
    );

    start(&teller, &mut pair, &client);
    let steady = Instant::now();
    pull_one_cable_after_the_other(&teller, &pair);
    pull_all_but_serial(&teller, &pair);
    let losses = client.losses_since(steady);
    teller.event(&format!(
        "while cables were pulled the client missed {losses} answers"
    ));
    crash(&teller, &mut pair, &client);
    come_back(&teller, &mut pair, &client);
    finish(&teller, &pair, &client, steady);
}

/// Puts the files of the story on a machine, and the script for the web server.
fn furnish(machine: &Machine) {
    let own_words = format!("logfile {}/ha-log\n", here().display());
    files::write(&machine.file("ha.d/ha.cf"), &(own_words + HA_CF), 0o644);
    files::write(&machine.file("ha.d/authkeys"), AUTHKEYS, 0o600);
    files::write(&machine.file("ha.d/haresources"), HARESOURCES, 0o644);
    let program = env::current_exe().expect("a running program has a file");
    let script = format!(
        r#"#!/bin/sh
pid_file={here}/web.pid
runs() {{ [ -s "$pid_file" ] && kill -0 "$(cat "$pid_file")" 2>/dev/null; }}
case "$1" in
start)
    runs && exit 0
    rm -f "$pid_file"
    '{program}' serve "$pid_file" 'Hello, this is {name}.' </dev/null >/dev/null 2>&1 &
    for attempt in $(seq 250); do runs && exit 0; sleep 0.02; done
    exit 1 ;;
stop)
    runs && kill "$(cat "$pid_file")"
    rm -f "$pid_file" ;;
status)
    if runs; then echo running; else echo stopped; exit 3; fi ;;
esac
"#,
        here = here().display(),
        program = program.display(),
        name = machine.name,
    );
    files::write(&machine.file("ha.d/resource.d/web"), &script, 0o755);
}

fn start(teller: &Teller, pair: &mut Pair, client: &Client) {
    teller.chapter("Both daemons start");
    let began = Instant::now();
    pair.a.start();
    pair.b.start();
    teller.event("heartbeat started on alpha and on beta; the client asks five times a second");
    let served = pair.watch.expect_owner(0, pair.address());
    teller.event(&format!(
        "alpha has 10.77.1.100, {} after the start",
        spoken(served - began)
    ));
    eventually("the client is answered", || answered_by(client, "alpha"));
    teller.follow(client);
    pair.expect_settled();
    for link in Link::ALL {
        eventually("all links are up", || {
            pair.a.cl_status(&["hblinkstatus", "beta", link.name()]) == "up"
        });
    }
    teller.quote(
        "alpha",
        &pair.a.log(),
        crate::lab::journal::Mark::START,
        &["Link beta:", "Acquiring"],
    );
    Teller::pause();
}

fn pull_one_cable_after_the_other(teller: &Teller, pair: &Pair) {
    teller.chapter(
        "One cable after the other is pulled out of beta. Two are left each time: nothing moves",
    );
    for link in Link::ALL {
        pull(teller, pair, &[link]);
        Teller::pause();
        put_back(teller, pair, &[link]);
    }
    Teller::pause();
}

fn pull_all_but_serial(teller: &Teller, pair: &Pair) {
    teller.chapter("Both networks are gone for beta. The serial cable still says that alpha lives: nothing moves");
    let links = [Link::Eth0, Link::Eth1];
    pull(teller, pair, &links);
    pair.assert_stays(0, Duration::from_secs(2));
    teller.event("two seconds later alpha still has the address, and only alpha");
    put_back(teller, pair, &links);
    Teller::pause();
}

fn pull(teller: &Teller, pair: &Pair, links: &[Link]) {
    let mark = pair.b.log().mark();
    for &link in links {
        pair.cut(link, Failure::Unplugged);
        teller.event(&format!("pulled: {}", describe(link)));
    }
    for link in links {
        let _ = pair
            .b
            .log()
            .expect(mark, &format!("Link alpha:{} dead.", link.name()));
    }
    teller.quote("beta", &pair.b.log(), mark, &[" dead."]);
}

fn put_back(teller: &Teller, pair: &Pair, links: &[Link]) {
    let mark = pair.b.log().mark();
    for &link in links {
        pair.restore(link);
    }
    for link in links {
        let _ = pair
            .b
            .log()
            .expect(mark, &format!("Link alpha:{} up.", link.name()));
    }
    teller.event("put back");
    teller.quote("beta", &pair.b.log(), mark, &[" up."]);
}

fn crash(teller: &Teller, pair: &mut Pair, client: &Client) {
    teller.chapter("alpha loses its power. No word comes from it on any cable: beta takes over");
    let mark = pair.b.log().mark();
    let died = pair.power_off(0);
    teller.event("alpha is off");
    let moved = pair.watch.expect_owner(1, pair.address());
    eventually("the client is answered by beta", || {
        answered_by(client, "beta")
    });
    let first = client
        .answers()
        .into_iter()
        .find(|answer| answer.at > died && answer.page.is_some());
    teller.quote(
        "beta",
        &pair.b.log(),
        mark,
        &[
            "is dead",
            "Resources being acquired",
            "Acquiring",
            "Adding inet",
        ],
    );
    teller.event(&format!(
        "THE GAP: beta had the address {} after alpha died.",
        spoken(moved - died)
    ));
    teller.event(
        "Nearly all of it is the second of silence (deadtime) that makes sure that alpha is dead",
    );
    if let Some(first) = first {
        teller.event(&format!(
            "the first question answered by beta was asked {} after alpha died",
            spoken(first.at - died)
        ));
    }
    Teller::pause();
}

fn come_back(teller: &Teller, pair: &mut Pair, client: &Client) {
    teller.chapter("alpha has power again. It may have its service back (auto_failback on)");
    let began = pair.power_on(0);
    teller.event("alpha is on");
    let back = pair.watch.expect_owner(0, pair.address());
    eventually("the client is answered by alpha", || {
        answered_by(client, "alpha")
    });
    pair.expect_settled();
    let gone = pair
        .watch
        .holds(1, pair.address())
        .last()
        .map(|hold| hold.until);
    teller.event(&format!(
        "alpha has the address again, {} after its start",
        spoken(back - began)
    ));
    if let Some(gone) = gone {
        teller.event(&format!(
            "a planned move: stopped there first, started here then; nobody had the address for {}",
            spoken(back.saturating_duration_since(gone))
        ));
    }
    Teller::pause();
}

fn finish(teller: &Teller, pair: &Pair, client: &Client, steady: Instant) {
    teller.chapter("The end");
    for machine in [&pair.a, &pair.b] {
        machine.request_stop();
    }
    let answers = client.answers();
    let asked = answers.iter().filter(|answer| answer.at >= steady).count();
    let double = pair.watch.double_ownership(pair.address());
    assert!(
        double.is_empty(),
        "both machines had the address: {double:?}"
    );
    teller.explain(&format!(
        "Since the service was up the client asked {asked} times and missed {} answers.\n\
         Both machines had the address at the same time: never.\n\
         Everything that was set up is gone with this program.",
        client.losses_since(steady)
    ));
    let _ = fs::remove_dir_all(files::shared());
}

fn answered_by(client: &Client, name: &str) -> bool {
    let last = client.answers().pop().and_then(|answer| answer.page);
    last.is_some_and(|page| page.contains(name))
}

fn describe(link: Link) -> &'static str {
    match link {
        Link::Serial => "the serial cable (ttyS0)",
        Link::Eth0 => "the cable to the office network (eth0)",
        Link::Eth1 => "the crossed cable (eth1)",
    }
}

fn spoken(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}
