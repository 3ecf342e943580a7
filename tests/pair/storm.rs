//! Many faults in a row, in an order that nobody thought of.

use std::time::Duration;

use crate::lab::network::Failure;
use crate::lab::{Link, Pair, Setup, claim, eventually, files};

/// Numbers without any order, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % sides
    }
}

/// Faults, one after the other (`HB_STORM_SEED=n` for others than the usual ones), that leave one link working at any time: power, stops, cables, all at once.
fn storm(seed: u64, auto_failback: &'static str) {
    let other = std::env::var("HB_STORM_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let mut dice = Dice(other.unwrap_or(seed));
    let mut pair = Pair::alone(Setup {
        auto_failback: Some(auto_failback),
        groups: vec![
            "alpha IPaddr::10.77.1.100/24/eth0 disk::left".to_owned(),
            "beta IPaddr::10.77.1.101/24/eth0 disk::right".to_owned(),
        ],
        ..Setup::default()
    });
    for machine in [&pair.a, &pair.b] {
        for what in [
            "slow-start-left",
            "slow-stop-left",
            "slow-start-right",
            "slow-stop-right",
        ] {
            let tenths = dice.roll(8);
            files::write(&machine.file(what), &format!("0.{tenths}"), 0o644);
        }
    }
    pair.serve_on_a();
    for turn in 0..8 {
        let spared = Link::ALL[usize::try_from(dice.roll(3)).unwrap_or(0)];
        let cut: Vec<Link> = Link::ALL
            .into_iter()
            .filter(|link| *link != spared && dice.roll(2) == 0)
            .collect();
        for &link in &cut {
            pair.cut(link, Failure::Silent);
        }
        std::thread::sleep(Duration::from_millis(dice.roll(700))); // the faults meet the pair in any state
        let node = usize::try_from(dice.roll(2)).unwrap_or(0);
        let kind = dice.roll(3);
        println!("turn {turn}: cut {cut:?}, machine {node}, kind {kind}");
        match kind {
            0 => {
                pair.power_off(node);
                std::thread::sleep(Duration::from_millis(dice.roll(3000)));
                pair.power_on(node);
                for &link in &cut {
                    pair.cut(link, Failure::Silent); // power came back to a machine whose cables are cut
                }
            }
            1 => {
                let machine = if node == 0 { &mut pair.a } else { &mut pair.b };
                machine.stop();
                std::thread::sleep(Duration::from_millis(dice.roll(1000)));
                machine.start();
            }
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(dice.roll(700)));
        for link in Link::ALL {
            pair.restore(link);
        }
    }
    pair.expect_settled();
    for address in pair.setup.floating() {
        eventually("the group has one owner", || {
            pair.watch.owners(address).len() == 1
        });
    }
    pair.assert_never_two_owners();
}

#[test]
fn a_storm_of_faults_that_spares_one_link_never_makes_two_owners() {
    claim(|| storm(0x5eed_0001, "on"));
}

#[test]
fn a_storm_of_faults_makes_no_two_owners_without_failback_either() {
    claim(|| storm(0x5eed_0002, "off"));
}
