//! One node after the other gets the other heartbeat, and the clients notice nothing but two planned moves.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::stranger::Stranger;
use crate::lab::web::{Client, serve_on};
use crate::lab::{Networks, Pair, Program, Setup, claim_with, eventually};
use crate::pairing::DEMANDS;
use crate::stage::SCRIPTS;

/// What a planned move may cost beside what its scripts take.
const MOVE: Duration = Duration::from_secs(1);

/// How often the client asks. It waits nearly as long for an answer, and the server is a thread of this busy program. The
/// watch over the address sees what falls between two questions.
const ASKING: Duration = Duration::from_millis(500);

#[test]
fn the_original_is_replaced_by_ours() {
    claim_with(&DEMANDS, || replace(Program::Old306, Program::Ours, "off"));
}

#[test]
fn ours_is_replaced_by_the_original() {
    claim_with(&DEMANDS, || replace(Program::Ours, Program::Old306, "off"));
}

#[test]
fn the_original_is_replaced_by_ours_where_groups_return_by_themselves() {
    claim_with(&DEMANDS, || replace(Program::Old306, Program::Ours, "on"));
}

#[test]
fn ours_is_replaced_by_the_original_where_groups_return_by_themselves() {
    claim_with(&DEMANDS, || replace(Program::Ours, Program::Old306, "on"));
}

/// The pair and who uses it.
struct Scene {
    pair: Pair,
    address: Ipv4Addr,
    client: Client,
    /// Only so that it stays there.
    _host: Stranger,
}

fn replace(old: Program, new: Program, auto_failback: &'static str) {
    let networks = Networks::new();
    let pair = Pair::new(
        &networks,
        Setup {
            deadtime: 2500,
            initdead: 8000,
            auto_failback: Some(auto_failback),
            groups: vec!["alpha IPaddr::10.77.1.100/24/eth0 disk::data".to_owned()],
            programs: Some([old, old]),
            ..Setup::default()
        },
    );
    serve_on(&pair.a.namespace, "alpha");
    serve_on(&pair.b.namespace, "beta");
    let host = Stranger::new(&networks.service, [10, 77, 1, 50].into(), 694);
    let address = pair.address();
    let client = Client::new(&host.namespace, SocketAddr::from((address, 80)), ASKING);
    let mut scene = Scene {
        pair,
        address,
        client,
        _host: host,
    };
    scene.play(new);
}

impl Scene {
    fn play(&mut self, new: Program) {
        self.pair.a.start();
        self.pair.b.start();
        self.expect_served(0);
        let began = Instant::now();

        self.change(1, new);
        self.expect_served(0);
        assert_eq!(
            self.losses(began),
            0,
            "replacing an idle node costs nothing"
        );
        let first = self.move_from(0);

        let second = if self.pair.setup.auto_failback == Some("on") {
            let asked = Instant::now();
            self.change(0, new);
            self.moved_from(1, asked)
        } else {
            let between = Instant::now();
            self.change(0, new);
            self.expect_served(1);
            assert_eq!(
                self.losses(between),
                0,
                "replacing an idle node costs nothing"
            );
            self.move_from(1)
        };

        self.pair.assert_never_two_owners();
        let gaps = self.pair.watch.gaps(self.address);
        assert_eq!(gaps.len(), 2, "the address was away for other reasons");
        for (gap, name) in gaps.iter().zip(["first", "second"]) {
            println!(
                "{name} move: nobody had the address for {:.0?}",
                gap.1 - gap.0
            );
        }
        println!("nobody answered for {first:.1?} and {second:.1?}");
        assert!(first < MOVE + SCRIPTS, "{first:?}");
        assert!(second < MOVE + SCRIPTS, "{second:?}");
    }

    /// Waits until the pair is settled with the address on this node, and the client has noticed.
    fn expect_served(&self, node: usize) {
        self.pair.watch.expect_owner(node, self.address);
        let words = if node == 0 { HOLDER_A } else { HOLDER_B };
        eventually("both nodes say what they hold", || {
            let held =
                [&self.pair.a, &self.pair.b].map(|machine| machine.cl_status(&["rscstatus"]));
            words.contains(&[&*held[0], &*held[1]])
        });
        self.pair.expect_settled();
        let name = self.pair.setup.names[node];
        eventually("the client is answered", || {
            self.client
                .answers()
                .last()
                .is_some_and(|answer| answer.page.as_deref() == Some(name))
        });
    }

    /// Gives everything to the other node; how long the client got no answer.
    fn move_from(&self, node: usize) -> Duration {
        let asked = Instant::now();
        let giver = if node == 0 {
            &self.pair.a
        } else {
            &self.pair.b
        };
        let (_, status) = giver.command("hb_standby", &["all"]);
        assert_eq!(status, Some(0), "hb_standby is accepted");
        self.moved_from(node, asked)
    }

    /// Waits until the address has gone to the other node since a moment; how long the client got no answer.
    fn moved_from(&self, node: usize, asked: Instant) -> Duration {
        self.expect_served(1 - node);
        thread::sleep(ASKING * 2);
        let answers = self.client.answers();
        let name = Some(self.pair.setup.names[1 - node]);
        let before = answers
            .iter()
            .filter(|answer| answer.page.is_some() && answer.page.as_deref() != name)
            .map(|answer| answer.at)
            .max();
        let after = answers
            .iter()
            .filter(|answer| answer.at >= asked && answer.page.as_deref() == name)
            .map(|answer| answer.at)
            .min();
        let (before, after) = (before.expect("served"), after.expect("served"));
        assert!(before < after, "two nodes answered in turn");
        after - before
    }

    /// Stops the heartbeat of a machine and starts another one on the same files.
    fn change(&mut self, node: usize, new: Program) {
        let machine = if node == 0 {
            &mut self.pair.a
        } else {
            &mut self.pair.b
        };
        machine.stop();
        self.pair.watch.set_blinks(node, new == Program::Old306);
        machine.program = new;
        machine.start();
    }

    fn losses(&self, since: Instant) -> usize {
        self.client.losses_since(since)
    }
}

/// What both nodes say when the only group, which prefers the first, is there, or on the second. A node without groups of
/// its own may hold that half as well, or nobody.
const HOLDER_A: &[[&str; 2]] = &[["all", "none"], ["local", "none"], ["local", "local"]];
const HOLDER_B: &[[&str; 2]] = &[["none", "all"], ["none", "foreign"]];
