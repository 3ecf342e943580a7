//! Somebody moves groups with `hb_standby` and `hb_takeover`, on either node.

use std::time::{Duration, Instant};

use super::{AT_HOME, Places, both_serve, served};
use crate::lab::{PATIENCE, wait_for};
use crate::stage::{Case, LOST, Outcome, SCRIPTS, Stage};

/// `hb_standby` with each of its words.
pub const STANDBY: Case = Case {
    setup: |_| (),
    run: |stage| {
        both_serve(stage)?;
        ask(stage, 0, "hb_standby", "all", [1, 1])?;
        ask(stage, 1, "hb_standby", "foreign", AT_HOME)?;
        ask(stage, 0, "hb_standby", "local", [1, 1])?;
        ask(stage, 1, "hb_standby", "failback", AT_HOME)?;
        stage.check_stays(1, 1);
        Ok(())
    },
};

/// `hb_takeover` with each of its words.
pub const TAKEOVER: Case = Case {
    setup: |_| (),
    run: |stage| {
        both_serve(stage)?;
        ask(stage, 1, "hb_takeover", "all", [1, 1])?;
        ask(stage, 0, "hb_takeover", "local", AT_HOME)?;
        ask(stage, 1, "hb_takeover", "foreign", [1, 1])?;
        ask(stage, 0, "hb_takeover", "failback", AT_HOME)?;
        stage.check_stays(1, 1);
        Ok(())
    },
};

/// Gives the command on a node and waits until the groups are in their places. The group of the first node is
/// the one that moves.
pub fn ask(
    stage: &mut Stage,
    node: usize,
    command: &'static str,
    word: &'static str,
    places: Places,
) -> Outcome {
    let mut asked = Instant::now();
    let mut answer = (String::new(), None);
    let moving = (0..2).map(|group| stage.address_of(group));
    let before: Vec<_> = moving
        .map(|address| (address, stage.pair.watch.owners(address)))
        .collect();
    // 3.0.6 may lose the message: then he has to ask again
    for _ in 0..3 {
        let mark = stage.machine(node).log().mark();
        // Ours refuses while the other is not done with what went before.
        wait_for(PATIENCE, || {
            asked = Instant::now();
            answer = stage.machine(node).command(command, &[word]);
            (answer.1 != Some(REFUSED)).then_some(())
        });
        let has_begun = || {
            let owners = |address| stage.pair.watch.owners(address);
            before.iter().any(|(address, old)| owners(*address) != *old)
        };
        let is_lost = || stage.machine(node).log().has(mark, LOST);
        wait_for(PATIENCE, || (has_begun() || is_lost()).then_some(()));
        if has_begun() {
            break;
        }
    }
    stage.check(
        "the command succeeds",
        answer.1 == Some(0),
        format!("{command} {word} on node {node}: {answer:?}"),
    );
    served(stage, goal(command, word), places, PATIENCE)?;
    let moved = (0..2).find(|&group| places[group] != group).unwrap_or(0);
    let address = stage.address_of(moved);
    let holds = stage.pair.watch.holds(places[moved], address);
    let begun = holds.last().map_or(asked, |hold| hold.from);
    let given = stage.pair.watch.holds(1 - places[moved], address);
    let given = given.last().map_or(begun, |hold| hold.until);
    println!("{command} {word} on node {node}");
    stage.check_time(
        "a move begins soon",
        given.saturating_duration_since(asked),
        Duration::ZERO..Duration::from_secs(2) + SCRIPTS,
    );
    stage.check_time(
        "the gap of a move is short",
        begun.saturating_duration_since(given),
        Duration::ZERO..Duration::from_secs(1) + SCRIPTS,
    );
    Ok(())
}

/// The exit status of ours for what can't be done now.
const REFUSED: i32 = 2;

fn goal(command: &str, word: &str) -> &'static str {
    match (command, word) {
        ("hb_standby", "all") => "hb_standby all gives everything away",
        ("hb_standby", "local") => "hb_standby local gives what prefers this node",
        ("hb_standby", "foreign") => "hb_standby foreign gives what prefers the other",
        ("hb_standby", _) => "hb_standby failback gives what prefers the other",
        (_, "all") => "hb_takeover all gets everything",
        (_, "local") => "hb_takeover local gets what prefers this node",
        (_, "foreign") => "hb_takeover foreign gets what prefers the other",
        (_, _) => "hb_takeover failback gets what prefers this node",
    }
}
