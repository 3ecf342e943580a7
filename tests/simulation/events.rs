//! Runs that are made of bytes: a fuzzer chooses the pair, its links, and every fault and its moment, and learns which
//! choices lead the core somewhere new. The judge is that of the seeds.
//!
//! An input is a pair in ten bytes and then a fault in every four: what, how, how long after the last one, and a little
//! more of that.

use std::time::Duration;

use heartbeat::cluster::FailbackCondition;
use heartbeat::config::{AutoFailback, StopFailure};
use heartbeat::message::Method;

use super::faults::{Fault, Weather};
use super::node;
use super::old_peer::{Command, Hold};
use super::plan::{FencePlan, LinkPlan, MS, Plan, Quarrel, SECOND, Stranger, Time};
use super::reloads::Edition;

/// Faults beyond this number are not looked at: what more of them say, fewer do as well.
const MOST_FAULTS: usize = 16;

/// Lives through the run that these bytes stand for.
///
/// # Panics
/// When a rule breaks; with the last of the story.
pub fn events(bytes: &[u8]) {
    let plan = plan_of(bytes);
    if let Err(violation) = super::run(plan.clone(), node::honest) {
        let (_, lines) = super::story(plan, node::honest);
        let skipped = lines.len().saturating_sub(super::LAST_LINES);
        println!("{}\n…\n{}", lines[0], lines[skipped..].join("\n"));
        panic!("{violation}");
    }
}

/// What a run is about besides links and machines, as with the seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Theme {
    Plain,
    Pings,
    Conditions,
    Fencing,
    Reloads,
}

const THEMES: [Theme; 8] = [
    Theme::Plain,
    Theme::Plain,
    Theme::Plain,
    Theme::Plain,
    Theme::Pings,
    Theme::Conditions,
    Theme::Fencing,
    Theme::Reloads,
];

fn pick<T: Copy>(choices: &[T], byte: u8) -> T {
    choices[usize::from(byte) % choices.len()]
}

fn plan_of(bytes: &[u8]) -> Plan {
    let at = |place: usize| bytes.get(place).copied().unwrap_or(0);
    let theme = pick(&THEMES, at(0));
    let mut plan = pair(theme, &std::array::from_fn(at));
    let rest = bytes.get(PAIR..).unwrap_or_default();
    let mut now = if at(0) & 8 == 0 { plan.deadtime * 2 } else { 0 };
    for fault in rest.chunks_exact(4).take(MOST_FAULTS) {
        let [kind, how, after, more] = [fault[0], fault[1], fault[2], fault[3]];
        now += plan.keepalive * Time::from(after) / 8 + Time::from(more) * 700;
        if let Some(fault) = fault_of(kind, how, theme, &plan) {
            plan.faults.push((now, fault));
        }
    }
    plan.faults_end = now + plan.keepalive;
    plan
}

/// Bytes that a pair is made of.
const PAIR: usize = 10;

fn pair(theme: Theme, bytes: &[u8; PAIR]) -> Plan {
    let [
        first,
        times,
        groups,
        links,
        trouble,
        starts,
        wire,
        quarrel,
        extra,
        seed,
    ] = *bytes;
    let keepalive = pick(&[200 * MS, 500 * MS, SECOND], times);
    let deadtime = keepalive * Time::from(4 + times / 3 % 5);
    let initdead = deadtime * Time::from(2 + times / 15 % 3);
    let returns = pick(
        &[AutoFailback::On, AutoFailback::Off, AutoFailback::Legacy],
        groups,
    );
    let mut plan = Plan {
        keepalive,
        deadtime,
        initdead,
        failback: returns,
        preferred: (0..=groups / 3 % 4)
            .map(|bit| usize::from(groups >> (4 + bit) & 1))
            .collect(),
        links: links_of(links, keepalive),
        starts: [0, keepalive * Time::from(starts) / 4],
        action_time: (MS, pick(&[20 * MS, keepalive, deadtime], trouble)),
        start_failures: pick(&[0, 0, 0, 150], trouble / 3),
        stop_failures: pick(&[0, 0, 0, 300], trouble / 12),
        inner_auth: wire & 1 == 0,
        turn_time: pick(&[0, 0, MS, 20 * MS], wire >> 1),
        stranger: pick(
            &[
                None,
                None,
                None,
                Some(Stranger::SameNamesOtherKeys),
                Some(Stranger::OtherNamesSameKeys),
            ],
            wire >> 3,
        ),
        quarrel: pick(
            &[
                None,
                None,
                None,
                Some(Quarrel::Deadtime(deadtime * 3 / 4)),
                Some(Quarrel::Failback(AutoFailback::On)),
                Some(Quarrel::Failback(AutoFailback::Off)),
                Some(Quarrel::Groups),
                Some(Quarrel::BothPrefer),
                Some(Quarrel::NeitherPrefers),
            ],
            quarrel,
        ),
        deadping: deadtime,
        ..Plan::quiet(u64::from(seed))
    };
    if first & 16 != 0
        && let Some(key) = plan.keys.entries.get_mut(1).and_then(Option::as_mut)
    {
        (key.method, key.text) = (Method::Crc, Vec::new());
    }
    dress(&mut plan, theme, extra);
    plan
}

/// What a theme adds.
fn dress(plan: &mut Plan, theme: Theme, extra: u8) {
    let deadtime = plan.deadtime;
    match theme {
        Theme::Plain | Theme::Reloads => {}
        Theme::Pings => {
            plan.pings = usize::from(1 + extra % 3);
            plan.deadping = plan.keepalive * Time::from(3 + extra / 3 % 6);
            plan.ping_loss = pick(&[0, 0, 50, 200], extra / 18);
        }
        Theme::Conditions => {
            plan.failback = AutoFailback::On;
            plan.agrees = pick(&[0, 100, 500, 1000], extra);
            let steady = Duration::from_micros(1 + deadtime * Time::from(extra >> 4) / 4);
            let conditions = [
                FailbackCondition::Steady(steady),
                FailbackCondition::Agreed,
                FailbackCondition::Nothing,
            ];
            plan.conditions = [pick(&conditions, extra >> 2), pick(&conditions, extra >> 3)];
        }
        Theme::Fencing => {
            plan.fencing = Some(FencePlan {
                failures: pick(&[0, 0, 300, 700], extra),
                time: (
                    MS,
                    pick(&[50 * MS, SECOND, deadtime, plan.initdead], extra >> 2),
                ),
                boot: pick(&[2 * SECOND, deadtime * 2, plan.initdead * 2], extra >> 4),
                delay: pick(&[0, deadtime / 2, deadtime * 2], extra >> 3),
                takeover_unfenced: pick(&[None, None, Some(deadtime * 3)], extra >> 5),
            });
            let failure = [StopFailure::Hold, StopFailure::Fence, StopFailure::Reboot];
            plan.stop_failure = pick(&failure, extra >> 1);
        }
    }
}

/// One to three links, of which a serial one is alone only if it is fast.
fn links_of(byte: u8, keepalive: Time) -> Vec<LinkPlan> {
    let network = LinkPlan {
        rate: None,
        echo: byte & 1 != 0,
        delay: pick(&[50, 500, 5 * MS, keepalive / 4], byte >> 1),
        jitter: pick(&[0, 200, 5 * MS, keepalive / 2], byte >> 3),
    };
    let serial = |rate| LinkPlan {
        rate: Some(rate),
        echo: false,
        delay: 100,
        jitter: 0,
    };
    match byte >> 5 {
        0 => vec![network],
        1 => vec![serial(11_520)],
        2 => vec![network, serial(11_520)],
        3 => vec![network, network, serial(960)],
        4 => vec![network, network, serial(3840)],
        5 => vec![network, network, network],
        _ => vec![network, network],
    }
}

fn fault_of(kind: u8, how: u8, theme: Theme, plan: &Plan) -> Option<Fault> {
    let node = usize::from(how & 1);
    let link = usize::from(how >> 1) % plan.links.len();
    let time = plan.keepalive * Time::from(how) / 6;
    let count = pick(&[1, 10, 100], how >> 1);
    let hold = pick(&[Hold::ALL, Hold::LOCAL, Hold::FOREIGN], how >> 1);
    Some(match kind % 24 {
        0..=2 => Fault::Wire {
            link,
            from: node,
            weather: Weather::CUT,
        },
        3 => Fault::Wire {
            link,
            from: node,
            weather: Weather::default(),
        },
        4 | 5 => Fault::Wire {
            link,
            from: node,
            weather: weather_of(kind / 24 * 16 + (how >> 4), plan),
        },
        6 => Fault::Partition,
        7 | 8 => Fault::HealLinks,
        9 => Fault::MachineCrash(node),
        // What a killed daemon leaves behind is nobody's where the next one reads a file without it.
        10 if theme == Theme::Reloads => Fault::MachineCrash(node),
        10 => Fault::DaemonCrash(node),
        11 | 12 => Fault::Start(node),
        13 => Fault::StopRequest(node),
        14 => Fault::Stall(node, time),
        15 => Fault::StallBoth(time),
        16 => Fault::WallJump(
            node,
            pick(&[-86_400, -3600, -1, 1, 3600, 86_400 * 365], how >> 1),
        ),
        17 if plan.signs_with_crc() => return None,
        17 => Fault::Rekey(node),
        18 => Fault::Garbage { to: node, count },
        19 => Fault::Break(node),
        20 => Fault::Replay { to: node, count },
        21 => Fault::Command(node, Command::Standby(hold)),
        22 => Fault::Command(node, Command::Takeover(hold)),
        _ => return special(how, theme, plan),
    })
}

/// What happens in runs of one theme only.
fn special(how: u8, theme: Theme, plan: &Plan) -> Option<Fault> {
    let node = usize::from(how & 1);
    match theme {
        Theme::Pings => Some(Fault::PingNode {
            machine: node,
            ping: usize::from(how >> 2) % plan.pings,
            answers: how & 2 != 0,
        }),
        Theme::Fencing => Some(Fault::ConfirmDead(node)),
        Theme::Reloads => {
            let edition = Edition {
                lacks_last: how & 2 != 0,
                has_other_resources: how & 4 != 0,
                prefers_other: how & 8 != 0,
                is_quick: how & 16 != 0,
            };
            Some(Fault::Reload(node, Some(edition)))
        }
        Theme::Plain | Theme::Conditions => None,
    }
}

fn weather_of(byte: u8, plan: &Plan) -> Weather {
    Weather {
        cut: false,
        loss: pick(&[0, 20, 200, 500], byte),
        duplication: pick(&[0, 200], byte >> 2),
        corruption: pick(&[0, 100, 1000], byte >> 3),
        extra_delay: pick(&[0, plan.keepalive / 2, plan.deadtime], byte >> 4),
        extra_jitter: pick(&[0, plan.keepalive, plan.deadtime / 2], byte >> 5),
    }
}

#[cfg(test)]
#[path = "../fuzz_corpora/mutation.rs"]
mod mutation;

/// `HB_FUZZ_ROUNDS=n` says how many changes of the kept inputs are run.
#[test]
fn no_run_that_was_kept_by_the_fuzzer_breaks_a_rule() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/events");
    let entries = std::fs::read_dir(&folder).expect("there are kept inputs");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    let kept: Vec<Vec<u8>> = files
        .iter()
        .map(|file| std::fs::read(file).expect("readable"))
        .collect();
    for (file, input) in files.iter().zip(&kept) {
        println!("{}", file.display());
        events(input);
    }
    let rounds = super::number_from_environment("HB_FUZZ_ROUNDS").unwrap_or(100);
    for round in 0..rounds {
        let input = mutation::mutated(&kept, round);
        println!("round {round}: {}", input.escape_ascii());
        events(&input);
    }
}
