//! Named runs of the model of 3.0.6 against itself: the sequences, times and mishaps that were observed on pairs
//! of the real one. What the model does wrong here, 3.0.6 does wrong.

mod mishaps;
mod sequences;

use heartbeat::cluster::GroupState;

use super::carry_out::group_id;
use super::plan::{Plan, SECOND, Time};
use super::story::Story;

/// A pair of 3.0.6 with the times of the recordings, on links that keep the order.
fn pair(seed: u64) -> Plan {
    let mut plan = Plan {
        keepalive: SECOND,
        deadtime: 6 * SECOND,
        faults_end: 600 * SECOND,
        old: [true, true],
        ..Plan::quiet(seed)
    };
    plan.links.iter_mut().for_each(|link| link.jitter = 0);
    plan
}

/// Both groups at home, and nothing more to be said.
fn serving(plan: Plan) -> Story {
    let mut story = Story::new(plan);
    story.until(20 * SECOND);
    story.owners(&[Some(0), Some(1)]);
    story
}

/// What a node has sent since then, heartbeats and delivery left out.
fn words(story: &Story, node: usize, since: Time) -> Vec<String> {
    let mark = format!(" {node} sends ");
    let lines = story.world.trace.lines().iter();
    lines
        .filter_map(|line| {
            let (time, gist) = line.split_once(&mark)?;
            let time: f64 = time.trim().parse().ok()?;
            let is_late = time >= std::time::Duration::from_micros(since).as_secs_f64();
            let gist = gist.split_once(" t=")?.1;
            let is_routine = gist.starts_with("status") || gist.starts_with("NS_");
            (is_late && !is_routine).then(|| {
                let wanted = gist
                    .split(' ')
                    .filter(|field| !["seq=", "hg="].iter().any(|name| field.starts_with(name)));
                wanted.collect::<Vec<_>>().join(" ")
            })
        })
        .collect()
}

/// Whether the story has a line that ends so.
fn told(story: &Story, node: usize, text: &str) -> bool {
    let mark = format!(" {node} says: ");
    let mut lines = story.world.trace.lines().iter();
    lines.any(|line| line.contains(&mark) && line.contains(text))
}

fn claims(story: &Story, node: usize, group: usize) -> bool {
    let daemon = story.world.machines[node].daemon.as_ref();
    daemon.is_some_and(|daemon| daemon.core.group(group_id(group)).local == GroupState::Running)
}
