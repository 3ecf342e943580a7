//! Every link loses messages while groups are moved.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use super::both_serve;
use crate::lab::{Pair, sandbox, wait_for};
use crate::stage::{Case, DEADTIME, Outcome, Stage, stretched};

/// Three messages in ten are lost on every link, in both directions.
pub const LOSS: Case = Case {
    setup: |_| (),
    run: loss,
};

const PERCENT: u8 = 30;

/// How long one move may take: any of its messages may be lost again and again.
const MOVE: Duration = Duration::from_secs(15);

/// Pause before a request that was refused is repeated.
const AGAIN: Duration = Duration::from_millis(500);

fn loss(stage: &mut Stage) -> Outcome {
    both_serve(stage)?;
    for &link in stage.media.links() {
        stage.pair.lose(link, PERCENT);
    }
    let period = match std::env::var_os(sandbox::LONG) {
        Some(_) => Duration::from_secs(120),
        None => Duration::from_secs(12),
    };
    let addresses = [0, 1].map(|node| stage.address_of(node));
    let began = Instant::now();
    let (mut asked, mut moved) = (0, 0);
    let is_enough = |moved: u32| moved * 7 >= u32::try_from(period.as_secs()).expect("minutes");
    while began.elapsed() < period || (!is_enough(moved) && began.elapsed() < stretched(period)) {
        asked += 1;
        moved += u32::from(move_all(&stage.pair, addresses));
    }
    let told = format!("{moved} times in {:.0?}", began.elapsed());
    println!("moved {told}, of {asked} asked for");
    stage.check("groups can be moved", is_enough(moved), told);
    for &link in stage.media.links() {
        stage.pair.lose(link, 0);
    }
    stage.must("afterwards one node holds everything and says so", |pair| {
        [0, 1].iter().any(|&node| has_all(pair, node, addresses))
    })?;
    thread::sleep(DEADTIME); // for somebody to do the wrong thing
    let has_one = [0, 1].map(|node| has_all(&stage.pair, node, addresses));
    stage.check(
        "and it stays so",
        has_one != [false, false],
        format!(
            "{:?}",
            addresses.map(|address| stage.pair.watch.owners(address))
        ),
    );
    Ok(())
}

/// Asks the node that has the first group to give everything away; whether it came to that.
fn move_all(pair: &Pair, addresses: [Ipv4Addr; 2]) -> bool {
    let from = usize::from(pair.watch.owners(addresses[0]) != [0]);
    let giver = if from == 0 { &pair.a } else { &pair.b };
    let (_, status) = giver.command("hb_standby", &["all"]);
    if status != Some(0) {
        thread::sleep(AGAIN);
        return false;
    }
    let moved = wait_for(MOVE, || {
        thread::sleep(Duration::from_millis(50));
        has_all(pair, 1 - from, addresses).then_some(())
    });
    moved.is_some()
}

/// Whether this node has both addresses, alone, and both nodes are done with it.
fn has_all(pair: &Pair, node: usize, addresses: [Ipv4Addr; 2]) -> bool {
    let is_there = |&address: &Ipv4Addr| pair.watch.owners(address) == [node];
    let words = if node == 0 {
        ["all", "none"]
    } else {
        ["none", "all"]
    };
    addresses.iter().all(is_there)
        && [&pair.a, &pair.b].map(|machine| machine.cl_status(&["rscstatus"])) == words
}
