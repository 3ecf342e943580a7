//! Cables are cut and mended while both nodes serve.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use super::{AT_HOME, both_serve, settled};
use crate::lab::journal::Mark;
use crate::lab::network::Failure;
use crate::lab::{Link, PATIENCE, Pair};
use crate::stage::{Case, DEADTIME, Outcome, SCRIPTS, Stage};

/// Each link fails alone and comes back.
pub const EACH: Case = Case {
    setup: |_| (),
    run: each,
};

fn each(stage: &mut Stage) -> Outcome {
    both_serve(stage)?;
    let links = stage.media.links();
    stage.must("every link is up on both nodes", |pair| {
        links.iter().all(|&link| both_say(pair, link, "up"))
    })?;
    for &cut in links {
        stage.pair.cut(cut, Failure::Silent);
        stage.must("a cut link is dead on both nodes", |pair| {
            both_say(pair, cut, "dead")
        })?;
        thread::sleep(DEADTIME); // for somebody to do the wrong thing
        let mut others = links.iter().filter(|link| **link != cut);
        let are_up = others.all(|&link| both_say(&stage.pair, link, "up"));
        stage.check("the other links stay up", are_up, format!("{cut:?} is cut"));
        stage.pair.restore(cut);
        stage.must("a mended link is up on both nodes", |pair| {
            both_say(pair, cut, "up")
        })?;
    }
    settled(stage, AT_HOME)?;
    for node in 0..2 {
        let moves = stage.pair.watch.moves(stage.address_of(node));
        stage.check("nothing moves", moves == 1, format!("{moves} times"));
    }
    Ok(())
}

fn both_say(pair: &Pair, link: Link, state: &str) -> bool {
    let [a, b] = pair.setup.names;
    pair.a.cl_status(&["hblinkstatus", b, link.name()]) == state
        && pair.b.cl_status(&["hblinkstatus", a, link.name()]) == state
}

/// All links fail until both nodes serve everything, and come back; groups return to where they belong.
pub const ALL_ON: Case = Case {
    setup: |setup| setup.groups = addresses(),
    run: all,
};

/// The same where groups stay where they are.
pub const ALL_OFF: Case = Case {
    setup: |setup| {
        setup.groups = addresses();
        setup.auto_failback = Some("off");
    },
    run: all,
};

/// Without the disks: two owners are what a partition is.
fn addresses() -> Vec<String> {
    vec![
        "alpha IPaddr::10.77.1.100/24/eth0".to_owned(),
        "beta IPaddr::10.77.1.101/24/eth0".to_owned(),
    ]
}

/// How long there may be two owners after the heal.
const YIELD: Duration = Duration::from_millis(1500);

/// What ours says when it goes on as another run.
const RESTARTED: &str = "which may hold this node for dead, it will look restarted";

fn all(stage: &mut Stage) -> Outcome {
    both_serve(stage)?;
    let addresses = [0, 1].map(|node| stage.address_of(node));
    let cut = Instant::now();
    for &link in stage.media.links() {
        stage.pair.cut(link, Failure::Silent);
    }
    stage.must("both nodes serve everything", |pair| {
        let owned_by_both = |&address: &Ipv4Addr| pair.watch.owners(address) == [0, 1];
        addresses.iter().all(owned_by_both)
    })?;
    stage.must("both nodes say that they hold everything", |pair| {
        [&pair.a, &pair.b]
            .iter()
            .all(|machine| machine.cl_status(&["rscstatus"]) == "all")
    })?;
    let healed = Instant::now();
    for &link in stage.media.links() {
        stage.pair.restore(link);
    }
    // Two 3.0.6 give up everything instead, after two seconds.
    let allowance = if stage.is_old_alone() {
        YIELD + SCRIPTS
    } else {
        YIELD
    };
    stage.excuse(cut, healed + allowance * 2);
    stage.must_within(PATIENCE * 2, "each group has one owner again", |pair| {
        let words = [&pair.a, &pair.b].map(|machine| machine.cl_status(&["rscstatus"]));
        let is_settled = [["local", "local"], ["all", "none"], ["none", "all"]];
        let one_owner = |&address: &Ipv4Addr| pair.watch.owners(address).len() == 1;
        is_settled.contains(&[&*words[0], &*words[1]]) && addresses.iter().all(one_owner)
    })?;
    println!("one owner again after {:.1?}", healed.elapsed());
    let double = addresses.map(|address| stage.pair.watch.double_ownership(address));
    let last = double.iter().flatten().map(|(_, until)| *until).max();
    stage.check_time(
        "the one who yields has given up soon after the heal",
        last.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(healed)
        }),
        Duration::ZERO..YIELD,
    );
    // What has to return does so at once or not at all.
    thread::sleep(DEADTIME * 2);
    let served_on: Vec<(Ipv4Addr, usize)> = addresses
        .iter()
        .flat_map(|&address| [0, 1].map(|node| (address, node)))
        .filter(|&(address, node)| {
            let holds = stage.pair.watch.holds(node, address);
            holds.iter().any(|hold| hold.from <= healed && hold.lasts)
        })
        .collect();
    println!("not interrupted: {served_on:?}");
    stage.check(
        "the one who stays never stops serving its own group",
        !served_on.is_empty(),
        "every address was taken away once",
    );
    for node in 0..2 {
        if !stage.is_old(node) && stage.is_old(1 - node) {
            let is_told = stage.machine(node).log().has(Mark::START, RESTARTED);
            stage.check(
                "ours says that it will look restarted to the original",
                is_told,
                "it does not",
            );
        }
    }
    if stage.pair.setup.auto_failback != Some("off") {
        stage.must("with auto_failback on the groups return", |pair| {
            [&pair.a, &pair.b].map(|machine| machine.cl_status(&["rscstatus"])) == ["local"; 2]
        })?;
    }
    let owners = addresses.map(|address| stage.pair.watch.owners(address));
    let is_one = owners.iter().all(|owners| owners.len() == 1);
    stage.check(
        "each group keeps exactly one owner",
        is_one,
        format!("{owners:?}"),
    );
    Ok(())
}
