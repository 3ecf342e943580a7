//! Messages of three thousand bytes, both ways, plain and compressed.

use std::fmt::Write as _;
use std::io::Write as _;
use std::thread;
use std::time::Duration;

use heartbeat::message::Message;

use super::{both_serve, settled};
use crate::lab::PATIENCE;
use crate::minimal_peer::MinimalPeer;
use crate::recorded::{self, form_of};
use crate::stage::{Case, Outcome, Stage};

/// Ours takes what a program gives to the original.
const PLAIN: Case = Case {
    setup: |_| (),
    run: to_ours,
};

const ZLIB: Case = Case {
    setup: |setup| setup.more = "compression zlib\ntraditional_compression on\n",
    run: to_ours,
};

const BZ2: Case = Case {
    setup: |setup| setup.more = "compression bz2\ntraditional_compression on\n",
    run: to_ours,
};

/// The original takes what the library makes.
const FROM_THE_LIBRARY: Case = Case {
    // The minimal peer has no realtime priority: where the computer is busy it is late by more than a daemon is.
    setup: |setup| setup.deadtime = 6000,
    run: from_the_library,
};

plays! {
    plain_on_serial_to_ours "big" OURS_AND_OLD Serial PLAIN;
    plain_on_bcast_to_ours "big" OURS_AND_OLD Broadcast PLAIN;
    plain_on_ucast_to_ours "big" OURS_AND_OLD Unicast PLAIN;
    zlib_on_everything_to_ours "big_zlib" OURS_AND_OLD All ZLIB;
    bz2_on_everything_to_ours "big_bz2" OURS_AND_OLD All BZ2;
    on_serial_to_the_original "big_back" OURS_AND_OLD Serial FROM_THE_LIBRARY;
    on_bcast_to_the_original "big_back" OURS_AND_OLD Broadcast FROM_THE_LIBRARY;
    on_ucast_to_the_original "big_back" OURS_AND_OLD Unicast FROM_THE_LIBRARY;
}

/// The type of these messages; neither program knows it.
const KIND: &str = "big";

/// What a serial line of 115200 bits per second takes for one, and for a heartbeat between two.
const LINE_TIME: Duration = Duration::from_millis(500);

/// How many of them.
const COUNT: usize = 5;

/// The FIFO of the original refuses lines of a thousand bytes (what comes over a wire may have more), so what is
/// given to it has several.
const LINES: usize = 12;

/// So many letters, in which little repeats itself.
fn letters(count: usize) -> String {
    let mut text = String::new();
    let mut number = 1_u64;
    while text.len() < count {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let _ = write!(text, "{number:016x}");
    }
    text.truncate(count);
    text
}

fn to_ours(stage: &mut Stage) -> Outcome {
    recorded::record(&mut stage.pair.a);
    both_serve(stage)?;
    let mark = stage.machine(0).log().mark();
    for number in 0..COUNT {
        let mut text = format!(">>>\nt={KIND}\nnumber={number}\n");
        for line in 0..LINES {
            let _ = writeln!(text, "line{line}={}", letters(3000 / LINES));
        }
        text += "<<<\n";
        let fifo = std::fs::OpenOptions::new()
            .write(true)
            .open(stage.machine(1).file("lib/fifo"));
        let written = fifo.and_then(|mut fifo| fifo.write_all(text.as_bytes()));
        stage.check(
            "the original takes messages from its FIFO",
            written.is_ok(),
            format!("{written:?}"),
        );
        thread::sleep(LINE_TIME);
    }
    // To be moved shows that everything before has arrived, or was given up.
    stage.machine(1).command("hb_standby", &["local"]);
    let right = stage.address_of(1);
    stage.must("the pair goes on", |pair| pair.watch.owners(right) == [0])?;
    settled(stage, [0, 0])?;
    for &link in stage.media.links() {
        let state = stage.says(0, &["hblinkstatus", "beta", link.name()]);
        stage.check(
            "every link stays up",
            state == "up",
            format!("{link:?} {state}"),
        );
    }
    let dead = stage.machine(0).log().lines_with(mark, " dead.");
    stage.check("every link stays up", dead.is_empty(), dead.join("\n"));
    let refused = stage.machine(0).log().lines_with(mark, "refused");
    stage.check("nothing is refused", refused.is_empty(), refused.join("\n"));
    stage.pair.a.request_stop();
    let ended = stage.pair.a.ended_within(PATIENCE);
    stage.check("ours can be stopped", ended.is_some(), "it does not end");

    let talk = recorded::read(stage.machine(0));
    let big: Vec<_> = talk.heard.iter().filter(|seen| seen.is(KIND)).collect();
    let expected = letters(3000 / LINES);
    for &link in stage.media.links() {
        let here = big.iter().filter(|seen| {
            let is_compressed =
                stage.pair.setup.more.contains("compression") && !link.name().starts_with('/');
            seen.link == link.name()
                && (0..LINES)
                    .all(|line| seen.message.text(&format!("line{line}")) == Some(&expected))
                && seen.opened.form == form_of(link.name())
                && seen.opened.compressed == is_compressed
        });
        let count = here.count();
        stage.check(
            "every message arrives on every link, whole and in the form that was asked for",
            count == COUNT,
            format!("{count} on {link:?}, of {}", big.len()),
        );
    }
    let asked_again: Vec<_> = talk
        .sent
        .iter()
        .filter(|seen| seen.is("NS_rexmit"))
        .collect();
    let number = |seen: &recorded::Seen, field| {
        let text = seen.message.text(field).unwrap_or_default();
        text.parse::<u64>().unwrap_or_default()
    };
    let missed = big.iter().map(|seen| seen.hex("seq")).find(|seq| {
        asked_again
            .iter()
            .any(|seen| (number(seen, "firstseq")..=number(seen, "lastseq")).contains(seq))
    });
    stage.check(
        "none of them had to be asked for again",
        missed.is_none(),
        format!("{missed:?}"),
    );
    Ok(())
}

fn from_the_library(stage: &mut Stage) -> Outcome {
    stage.pair.b.start();
    let peer = MinimalPeer::start(stage.machine(0), stage.media.links()[0]);
    stage.must("the original calls a minimal peer active", |pair| {
        pair.b.cl_status(&["nodestatus", "alpha"]) == "active"
    })?;
    let mark = stage.machine(1).debug_log().mark();
    let mut message = Message::new();
    message.push_text("t", KIND);
    message.push_text("letters", &letters(3000));
    let mut last = 0;
    for _ in 0..COUNT {
        last = peer.send(&message);
        thread::sleep(LINE_TIME);
    }
    stage.must("the original acknowledges what came after them", |_| {
        peer.acknowledged() > last + 10
    })?;
    let asked_again = peer.asked_again();
    stage.check(
        "it asks for none of them again",
        asked_again == 0,
        format!("{asked_again} times"),
    );
    let said = stage.machine(1).debug_log().lines_with(mark, KIND);
    let of_fields = stage.machine(1).debug_log().lines_with(mark, "MSG:");
    stage.check(
        "it says nothing of them",
        of_fields.is_empty(),
        format!("{said:?} {of_fields:?}"),
    );
    let link = stage.media.links()[0];
    stage.must_within(
        Duration::from_secs(5),
        "the link is up and the node active",
        |pair| {
            pair.b.cl_status(&["nodestatus", "alpha"]) == "active"
                && pair.b.cl_status(&["hblinkstatus", "alpha", link.name()]) == "up"
        },
    )
}
