//! All links are gone: the side that sees no ping node yields, what somebody answers for is left alone, and a person can
//! decide.

use std::net::Ipv4Addr;

use crate::lab::machine::Machine;
use crate::lab::network::Failure;
use crate::lab::{Link, Networks, Pair, Setup, claim, eventually};

/// Heartbeats go by the cable and the private network; clients and the router are on the other one.
const MEDIA: &str = "serial /dev/ttyS0\nbcast eth1\n";

struct Site {
    pair: Pair,
    _router: Machine,
    _networks: Networks,
}

fn site(more: &'static str) -> Site {
    let networks = Networks::new();
    let mut router = Machine::new("router", "router");
    router.attach(&networks.service, "eth0", Ipv4Addr::new(10, 77, 1, 254));
    let setup = Setup {
        media: Some(MEDIA),
        auto_failback: Some("off"),
        more,
        ..Setup::default()
    };
    let mut pair = Pair::new(&networks, setup);
    pair.serve_on_a();
    for machine in [&pair.a, &pair.b] {
        eventually("the router answers", || {
            machine.cl_status(&["nodestatus", "10.77.1.254"]) == "ping"
        });
    }
    Site {
        pair,
        _router: router,
        _networks: networks,
    }
}

fn cut_heartbeats(pair: &Pair) {
    pair.cut(Link::Serial, Failure::Silent);
    pair.cut(Link::Eth1, Failure::Silent);
}

fn state(machine: &Machine) -> String {
    let (text, _) = machine.command("cl_status", &["--json", "hbstatus"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    json["last-link"]["state"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn the_node_that_sees_no_router_gives_up_before_the_other_takes_over() {
    claim(|| {
        let site = site("ping 10.77.1.254\nlast_link witness 4\ncarrier_loss off\n");
        let pair = &site.pair;
        let [a, b] = pair.marks();
        pair.a.cut_all(Failure::Silent);
        pair.cut(Link::Serial, Failure::Silent);
        pair.a
            .log()
            .expect(a, "this node is cut off. It gives up 1 resource group(s)");
        pair.b
            .log()
            .expect(b, "it counts as dead while that is so (last_link witness)");
        eventually("the other node serves", || {
            pair.watch.owners(pair.address()) == [1]
        });
        assert_eq!(state(&pair.b), "alone");
        pair.assert_never_two_owners();

        pair.a.restore_all();
        pair.restore(Link::Serial);
        pair.expect_settled();
        eventually("nobody is in doubt", || {
            state(&pair.a) == "none" && state(&pair.b) == "none"
        });
        assert_eq!(pair.watch.owners(pair.address()), [1], "it stays there");
        pair.assert_never_two_owners();
    });
}

#[test]
fn an_address_that_is_answered_for_is_left_alone_until_its_machine_is_gone() {
    claim(|| {
        let mut site = site("ping 10.77.1.254\nlast_link witness 2\n");
        let pair = &mut site.pair;
        let [_, b] = pair.marks();
        cut_heartbeats(pair);
        pair.b.log().expect(b, "alpha is silent, not dead");
        assert_eq!(state(&pair.b), "watching");
        assert!(
            pair.b
                .command("cl_status", &["hbstatus", "-v"])
                .0
                .contains("\nlast link\twitness 2000ms"),
            "it is shown"
        );
        // Longer than it would wait if nobody answered.
        pair.assert_stays(0, pair.long_enough() * 2);
        pair.power_off(0);
        eventually("the other node serves", || {
            pair.watch.owners(pair.address()) == [1]
        });
        pair.assert_never_two_owners();
    });
}

#[test]
fn with_manual_the_last_link_is_a_matter_for_a_person() {
    claim(|| {
        let mut site = site("ping 10.77.1.254\nlast_link manual\n");
        let pair = &mut site.pair;
        let [_, b] = pair.marks();
        pair.cut(Link::Eth1, Failure::Silent);
        pair.b.log().expect(b, "Only one link to alpha is left");
        pair.power_off(0);
        pair.b
            .log()
            .expect(b, "Nothing of it is taken (last_link manual)");
        assert_eq!(pair.b.cl_status(&["rscstatus"]), "transition");
        let (said, exit) = pair.b.complaint("heartbeat", &["confirm-dead", "alpha"]);
        assert_eq!((said.as_str(), exit), ("", Some(0)));
        eventually("it serves", || pair.watch.owners(pair.address()) == [1]);
        pair.assert_never_two_owners();
    });
}
