//! The log lines that people know from heartbeat 3.0.6, in the order that they know.

use crate::lab::journal::Mark;
use crate::lab::{Link, Pair, Setup, claim};

#[test]
fn a_first_start_logs_the_lines_of_the_well_known_guide_in_their_order() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            names: ["vm3", "vm4"],
            hosts: [203, 204],
            service: [172, 16, 1],
            key: "1 sha1 HI!",
            auto_failback: Some("off"),
            groups: vec!["vm3 IPaddr::172.16.1.200/24/eth0 nginx".to_owned()],
            ..Setup::default()
        });
        for machine in [&pair.a, &pair.b] {
            std::fs::write(machine.file("ha.d/resource.d/nginx"), NGINX)
                .expect("our own file system");
            crate::lab::namespace::run(
                "chmod",
                &[
                    "755",
                    &machine.file("ha.d/resource.d/nginx").to_string_lossy(),
                ],
            );
        }
        pair.a.start();
        pair.a
            .log()
            .expect(Mark::START, "Local status now set to: 'up'");
        pair.b.start();
        pair.watch.expect_owner(0, pair.address());
        pair.a.log().expect(Mark::START, "nginx  start");
        pair.a.log().assert_order(
            Mark::START,
            &[
                "info: Configuration validated. Starting heartbeat",
                "info: Heartbeat generation: ",
                "info: Local status now set to: 'up'",
                "info: Status update for node vm4: status up",
                "info: Comm_now_up(): updating status to active",
                "info: Local status now set to: 'active'",
                "info: remote resource transition completed.",
                "info: Initial resource acquisition complete (T_RESOURCES(us))",
                "info: Acquiring resource group: vm3 IPaddr::172.16.1.200/24/eth0 nginx",
                "/resource.d/IPaddr 172.16.1.200/24/eth0 start",
                "Adding inet address 172.16.1.200/24 with broadcast address 172.16.1.255 to device eth0",
                "/nginx  start",
            ],
        );
        // Which of the two is the first to be active is up to them: each may have heard the other first.
        for order in [
            [
                "info: Status update for node vm4: status up",
                "info: Status update for node vm4: status active",
                "info: remote resource transition completed.",
            ],
            [
                "info: Link vm4:eth0 up.",
                "info: Status update for node vm4: status up",
                "info: Local status now set to: 'active'",
            ],
        ] {
            pair.a.log().assert_order(Mark::START, &order);
        }
        pair.assert_never_two_owners();
    });
}

const NGINX: &str = "#!/bin/sh
state=$(dirname \"$0\")/../nginx-runs
case \"$1\" in
start) : > \"$state\" ;;
stop) rm -f \"$state\" ;;
status) if [ -e \"$state\" ]; then echo running; else echo stopped; exit 3; fi ;;
esac
";

#[test]
fn a_settled_pair_logs_nothing() {
    claim(|| {
        // On a busy machine a heartbeat may be late by so much that a shorter dead time makes it worth a line.
        let mut pair = Pair::alone(Setup {
            deadtime: 6000,
            ..Setup::default()
        });
        pair.serve_on_a();
        for link in Link::ALL {
            for (machine, peer) in [(&pair.a, "beta"), (&pair.b, "alpha")] {
                machine
                    .log()
                    .expect(Mark::START, &format!("Link {peer}:{} up.", link.name()));
            }
        }
        // cl_status may tell of these before the log does.
        pair.a.log().expect(Mark::START, ": running here.");
        for machine in [&pair.a, &pair.b] {
            machine
                .log()
                .expect(Mark::START, "remote resource transition completed.");
        }
        let marks = pair.marks();
        let quiet = std::time::Duration::from_secs(8);
        let empty =
            || pair.a.log().since(marks[0]).is_empty() && pair.b.log().since(marks[1]).is_empty();
        crate::lab::throughout(quiet, "the logs stay silent", empty);
    });
}
