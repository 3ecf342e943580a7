//! Cables: a node lives while one of them works, and each is reported on its own.

use std::time::Duration;

use crate::lab::journal::Mark;
use crate::lab::network::Failure;
use crate::lab::null_modem::Line;
use crate::lab::{Link, Pair, Setup, claim, eventually, throughout};

/// Waits until both nodes say that this link is up or dead, in their logs and through `cl_status`.
fn expect_link(pair: &Pair, marks: [Mark; 2], link: Link, state: &str) {
    let name = link.name();
    for (machine, peer, mark) in [(&pair.a, "beta", marks[0]), (&pair.b, "alpha", marks[1])] {
        machine
            .log()
            .expect(mark, &format!("Link {peer}:{name} {state}."));
        eventually("cl_status knows", || {
            machine.cl_status(&["hblinkstatus", peer, name]) == state
        });
    }
}

/// Cuts these links, checks that they are reported and nothing moves, mends them, checks again.
fn cut_and_mend(pair: &Pair, links: &[Link], failure: Failure) {
    println!("cutting {links:?}, {failure:?}");
    let marks = pair.marks();
    for &link in links {
        pair.cut(link, failure);
    }
    for &link in links {
        expect_link(pair, marks, link, "dead");
    }
    let quiet = Duration::from_millis(u64::from(pair.setup.deadtime));
    pair.assert_stays(0, quiet);
    for link in Link::ALL {
        let expected = if links.contains(&link) { "dead" } else { "up" };
        assert_eq!(
            pair.a.cl_status(&["hblinkstatus", "beta", link.name()]),
            expected,
            "{link:?}"
        );
    }
    let marks = pair.marks();
    for &link in links {
        pair.restore(link);
    }
    for &link in links {
        expect_link(pair, marks, link, "up");
    }
    for machine in [&pair.a, &pair.b] {
        assert!(
            !machine.log().has(Mark::START, "is dead"),
            "nobody was declared dead"
        );
    }
    assert_eq!(pair.watch.moves(pair.address()), 1);
}

fn serving_pair() -> Pair {
    serving(Setup::default())
}

fn serving(setup: Setup) -> Pair {
    let mut pair = Pair::alone(setup);
    pair.serve_on_a();
    for link in Link::ALL {
        expect_link(&pair, [Mark::START; 2], link, "up");
    }
    pair
}

#[test]
fn any_one_link_may_fail_without_a_move() {
    claim(|| {
        let pair = serving_pair();
        for link in Link::ALL {
            cut_and_mend(&pair, &[link], Failure::Silent);
        }
        pair.assert_never_two_owners();
    });
}

#[test]
fn any_two_links_may_fail_without_a_move() {
    claim(|| {
        let pair = serving_pair();
        for left in Link::ALL {
            let others: Vec<Link> = Link::ALL.into_iter().filter(|link| *link != left).collect();
            cut_and_mend(&pair, &others, Failure::Silent);
        }
        pair.assert_never_two_owners();
    });
}

#[test]
fn unplugged_cables_move_nothing_while_one_is_left() {
    claim(|| {
        let pair = serving_pair();
        for link in Link::ALL {
            cut_and_mend(&pair, &[link], Failure::Unplugged);
        }
        cut_and_mend(&pair, &[Link::Eth0, Link::Eth1], Failure::Unplugged);
        pair.assert_never_two_owners();
    });
}

#[test]
fn the_node_that_hears_nothing_on_a_link_reports_it_and_nothing_moves() {
    claim(|| {
        let pair = serving_pair();
        for link in Link::ALL {
            let marks = pair.marks();
            pair.cut_from(0, link);
            pair.b
                .log()
                .expect(marks[1], &format!("Link alpha:{} dead.", link.name()));
            let quiet = Duration::from_millis(u64::from(pair.setup.deadtime));
            pair.assert_stays(0, quiet);
            pair.restore(link);
            pair.b
                .log()
                .expect(marks[1], &format!("Link alpha:{} up.", link.name()));
        }
        assert_eq!(pair.watch.moves(pair.address()), 1);
        pair.assert_never_two_owners();
    });
}

/// Breaks every way in the manner of `fail` until both nodes own the address, heals all, and checks that
/// one of them yields for good.
fn both_own_until_healed(fail: impl Fn(&Pair)) {
    let pair = serving_pair();
    let started = pair.marks();
    fail(&pair);
    eventually("the other node serves too", || pair.b.holds(pair.address()));
    pair.b.log().expect(started[1], "send_arp"); // may be written after the address is seen
    // Else its links may be mended before it has missed any, and are never told to be up again.
    pair.a.log().expect(started[0], "node beta: is dead");
    let marks = pair.marks();
    for link in Link::ALL {
        pair.restore(link);
    }
    pair.a.log().expect(marks[0], " up.");
    pair.b.log().expect(marks[1], " up.");
    eventually("one of them yields", || {
        pair.watch.owners(pair.address()).len() == 1
    });
    pair.expect_settled();
    throughout(pair.long_enough(), "there is one owner", || {
        pair.watch.owners(pair.address()).len() == 1
    });
    for (machine, mark) in [&pair.a, &pair.b].into_iter().zip(marks) {
        let announces = machine.log().has(mark, "send_arp");
        let serves = machine.holds(pair.address());
        assert_eq!(
            announces, serves,
            "{} says where the address is",
            machine.name
        );
    }
    for (machine, peer, mark) in [(&pair.a, "beta", marks[0]), (&pair.b, "alpha", marks[1])] {
        let met_again = format!("Incident: {} heard nothing of {peer} since ", machine.name);
        machine.log().expect(mark, &met_again);
        machine.log().expect(mark, "BOTH nodes held it for ");
        let (json, _) = machine.command("cl_status", &["incidents", "--json"]);
        let records: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let record = &records[0];
        assert_eq!(record["peer-word"], "told", "{json}");
        let tenures = &record["groups"][0];
        assert!(tenures["both"].as_u64() > Some(0), "{json}");
        let ended = |whose: &str| tenures[whose][0]["until"].is_u64();
        let serves = machine.holds(pair.address());
        assert_eq!(
            [ended("mine"), ended("theirs")],
            [!serves, serves],
            "{json}"
        );
    }
    let runs = [&pair.a, &pair.b].map(|machine| machine.file("runs-data").exists());
    assert_eq!(
        runs,
        [&pair.a, &pair.b].map(|machine| machine.holds(pair.address()))
    );
}

#[test]
fn after_a_split_exactly_one_node_yields() {
    claim(|| {
        both_own_until_healed(|pair| {
            for link in Link::ALL {
                pair.cut(link, Failure::Silent);
            }
        });
    });
}

#[test]
fn after_an_outage_of_one_direction_one_owner_is_left() {
    claim(|| {
        let pair = serving_pair();
        let mark = pair.b.log().mark();
        for link in Link::ALL {
            pair.cut_from(0, link);
        }
        pair.b.log().expect(mark, "node alpha: is dead");
        throughout(pair.long_enough(), "somebody serves", || {
            !pair.watch.owners(pair.address()).is_empty()
        });
        for link in Link::ALL {
            pair.restore(link);
        }
        pair.expect_settled();
        // Back at its preferred node; on the way there is a moment without owner.
        eventually("one owner is left", || {
            pair.watch.owners(pair.address()) == [0]
        });
        throughout(pair.long_enough(), "there is one owner", || {
            pair.watch.owners(pair.address()) == [0]
        });
    });
}

#[test]
fn the_serial_line_alone_keeps_the_pair_together_at_9600_baud() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            baud: 9600,
            keepalive: 500,
            deadtime: 3000,
            ..Setup::default()
        });
        pair.serve_on_a();
        pair.cut(Link::Eth0, Failure::Silent);
        pair.cut(Link::Eth1, Failure::Silent);
        let marks = pair.marks();
        throughout(Duration::from_secs(12), "nobody is declared dead", || {
            !pair.a.log().has(marks[0], "is dead") && !pair.b.log().has(marks[1], "is dead")
        });
        pair.power_off(0);
        pair.watch.expect_owner(1, pair.address());
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_stalled_serial_line_delays_nothing_and_delivers_no_old_news() {
    claim(|| {
        // On a busy machine a heartbeat may be late by so much that a shorter dead time makes it worth a line.
        let mut pair = serving(Setup {
            deadtime: 4000,
            ..Setup::default()
        });
        let marks = pair.marks();
        pair.modem.set_both(Line::Stalled);
        expect_link(&pair, marks, Link::Serial, "dead");
        throughout(Duration::from_secs(4), "the networks carry on", || {
            !pair.a.log().has(marks[0], "is dead") && !pair.a.log().has(marks[0], "Late heartbeat")
        });
        // The owner dies while its last words wait in the stalled line. When they come out they are old.
        let watch = pair.watch.clone();
        pair.a.power_off(move || watch.set_power(0, false));
        pair.watch.expect_owner(1, pair.address());
        let mark = pair.b.log().mark();
        pair.modem.set(0, Line::Joined);
        throughout(
            pair.long_enough(),
            "a dead node's old words change nothing",
            || {
                pair.watch.owners(pair.address()) == [1]
                    && !pair.b.log().has(mark, "Status update for node alpha")
            },
        );
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_serial_port_that_is_missing_at_start_comes_up_when_it_appears() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        let port = pair.b.file("dev/ttyS0");
        let aside = pair.b.file("dev/not-yet");
        std::fs::rename(&port, &aside).expect("our own file system");
        pair.serve_on_a();
        pair.b.log().expect(Mark::START, "/dev/ttyS0");
        assert_eq!(
            pair.b.cl_status(&["hblinkstatus", "alpha", "/dev/ttyS0"]),
            "dead"
        );
        let marks = pair.marks();
        std::fs::rename(&aside, &port).expect("our own file system");
        expect_link(&pair, marks, Link::Serial, "up");
        pair.cut(Link::Eth0, Failure::Silent);
        pair.cut(Link::Eth1, Failure::Silent);
        pair.assert_stays(0, pair.long_enough());
        pair.assert_never_two_owners();
    });
}
