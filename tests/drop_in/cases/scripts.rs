//! A script of one node sends a message to the scripts of both, as scripts do for 3.0.6.

use std::fs::{self, OpenOptions};
use std::io::Write;

use super::both_serve;
use crate::lab::files;
use crate::lab::machine::Machine;
use crate::stage::{Case, Outcome, Stage};

const SCRIPTS: Case = Case {
    setup: |_| (),
    run: scripts,
};

plays! {
    on_serial_ours_comes_first "scripts" OURS_AND_OLD Serial SCRIPTS;
    on_bcast_the_original_comes_first "scripts" OLD_AND_OURS Broadcast SCRIPTS;
}

/// Notes what it is told, where both programs look for it.
const SCRIPT: &str =
    "#!/bin/sh\necho \"$1 $HA_t $HA_src $HA_what $HA_CURHOST\" >>/etc/ha.d/heard\n";

fn scripts(stage: &mut Stage) -> Outcome {
    for machine in [&stage.pair.a, &stage.pair.b] {
        files::write(&machine.file("ha.d/rc.d/mine"), SCRIPT, 0o755);
    }
    both_serve(stage)?;
    for machine in [&stage.pair.a, &stage.pair.b] {
        let message = format!(">>>\nt=mine\nwhat=of-{}\n<<<\n", machine.name);
        let fifo = OpenOptions::new()
            .write(true)
            .open(machine.file("lib/fifo"));
        let mut fifo = fifo.expect("both programs have it here");
        fifo.write_all(message.as_bytes()).expect("somebody reads");
    }
    stage.must("the scripts of both nodes hear those of both", |pair| {
        let names = pair.setup.names;
        [&pair.a, &pair.b].iter().all(|machine| {
            let told = |source: &&str| format!("mine mine {source} of-{source} {}", machine.name);
            let mut expected: Vec<String> = names.iter().map(told).collect();
            expected.sort();
            heard(machine) == expected
        })
    })
}

fn heard(machine: &Machine) -> Vec<String> {
    let text = fs::read_to_string(machine.file("ha.d/heard")).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}
