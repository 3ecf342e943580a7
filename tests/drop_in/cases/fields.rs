//! What ours says beyond the protocol of 3.0.6, and what 3.0.6 makes of it: nothing.

use std::thread;
use std::time::Duration;

use super::both_serve;
use crate::lab::PATIENCE;
use crate::recorded;
use crate::stage::{Case, Outcome, Stage};

const FIELDS: Case = Case {
    setup: |_| (),
    run: fields,
};

plays! {
    on_serial_nobody_minds "fields" OURS_AND_OLD Serial FIELDS;
    on_bcast_nobody_minds "fields" OURS_AND_OLD Broadcast FIELDS;
    on_ucast_nobody_minds "fields" OURS_AND_OLD Unicast FIELDS;
}

/// Our own field of every heartbeat.
const FIELD: &str = "hr";

/// How long they talk.
const TALK: Duration = Duration::from_secs(20);

fn fields(stage: &mut Stage) -> Outcome {
    recorded::record(&mut stage.pair.a);
    both_serve(stage)?;
    thread::sleep(TALK);
    stage.pair.a.request_stop();
    let ended = stage.pair.a.ended_within(PATIENCE);
    stage.check("ours can be stopped", ended.is_some(), "it does not end");

    let talk = recorded::read(stage.machine(0));
    let beats: Vec<_> = talk.sent.iter().filter(|seen| seen.is("status")).collect();
    let least = usize::try_from(TALK.as_millis() / 200).expect("few");
    stage.check(
        "every heartbeat of ours has the field",
        beats.len() >= least && beats.iter().all(|seen| seen.message.text(FIELD).is_some()),
        format!("{} heartbeats", beats.len()),
    );
    let announced = beats.iter().map(|seen| seen.hex("dt"));
    let deadtime = u64::from(stage.pair.setup.deadtime);
    stage.check(
        "it announces its dead time from the first one on",
        announced.clone().all(|announced| announced == deadtime),
        format!("{:?}", announced.collect::<Vec<_>>()),
    );
    let last = beats.iter().map(|seen| seen.hex("seq")).max().unwrap_or(0);
    let link = stage.media.links()[0].name();
    let acknowledged: Vec<u64> = talk
        .heard
        .iter()
        .filter(|seen| seen.is("NS_ackmsg") && seen.link == link)
        .filter(|seen| {
            seen.message.text("src") == Some("beta") && seen.message.text("dest") == Some("alpha")
        })
        .map(|seen| seen.hex("ackseq"))
        .collect();
    println!("{last} numbers, acknowledged {acknowledged:?}");
    let upto = acknowledged.iter().copied().max().unwrap_or(0);
    stage.check(
        "the original acknowledges what has it",
        acknowledged.len() >= 8 && upto + 20 >= last,
        format!("{last} numbers, acknowledged {acknowledged:?}"),
    );
    let said: Vec<String> = stage
        .machine(1)
        .debug_log()
        .since(crate::lab::journal::Mark::START)
        .into_iter()
        .filter(|line| line.contains(&format!("{FIELD}=")) || line.contains("MSG:"))
        .collect();
    stage.check(
        "the original never speaks of it",
        said.is_empty(),
        said.join("\n"),
    );
    Ok(())
}
