//! Who a node is: its name, however it is written, and its uuid, which may be lost.

use std::fs;

use super::planned::ask;
use super::{AT_HOME, both_serve, served};
use crate::lab::machine::Machine;
use crate::lab::namespace::run_script;
use crate::lab::{PATIENCE, files};
use crate::stage::{Case, Outcome, Stage};

/// The first machine comes back with an empty disk: under the same name with another uuid.
pub const FRESH: Case = Case {
    setup: |_| (),
    run: |stage| {
        both_serve(stage)?;
        lose_power(stage)?;
        let before = uuid(stage.machine(0));
        empty_state(stage.machine(0));
        stage.pair.power_on(0);
        served(
            stage,
            "the group returns to a node that has lost its uuid",
            AT_HOME,
            PATIENCE,
        )?;
        let after = uuid(stage.machine(0));
        stage.check(
            "it has made a new one",
            before.len() == 16 && after.len() == 16 && before != after,
            format!("{before:?} {after:?}"),
        );
        ask(stage, 0, "hb_standby", "all", [1, 1])?;
        ask(stage, 0, "hb_takeover", "local", AT_HOME)
    },
};

/// Names are written in large letters, in each file differently.
pub const LARGE: Case = Case {
    setup: |_| (),
    run: |stage| {
        for (node, names) in [["Alpha", "BETA"], ["ALPHA", "Beta"]]
            .into_iter()
            .enumerate()
        {
            write_names(stage, node, names);
        }
        both_serve(stage)?;
        lose_power(stage)?;
        stage.pair.power_on(0);
        served(stage, "the group returns to its node", AT_HOME, PATIENCE)?;
        ask(stage, 1, "hb_standby", "local", [0, 0])?;
        ask(stage, 1, "hb_takeover", "local", AT_HOME)?;
        for node in 0..2 {
            let said = stage.machine(node).command("cl_status", &["listnodes"]).0;
            let mut names: Vec<&str> = said.lines().collect();
            names.sort_unstable();
            stage.check(
                "cl_status writes the names in small letters",
                names == ["alpha", "beta"],
                format!("{names:?}"),
            );
        }
        Ok(())
    },
};

/// The first node is gone, and the other has taken over.
fn lose_power(stage: &mut Stage) -> Outcome {
    stage.pair.power_off(0);
    stage.must("the survivor says that it holds all", |pair| {
        pair.b.cl_status(&["rscstatus"]) == "all"
    })
}

/// Where both programs keep what they must not forget.
const STATE: &str = "lib";

fn uuid(machine: &Machine) -> Vec<u8> {
    fs::read(machine.file(STATE).join("hb_uuid")).unwrap_or_default()
}

fn empty_state(machine: &Machine) {
    let entries = fs::read_dir(machine.file(STATE)).expect("made with the machine");
    for entry in entries.flatten() {
        if !entry.path().is_dir() {
            fs::remove_file(entry.path()).expect("our own file system");
        }
    }
}

/// Has one machine write the names so: in its files and in its host name.
fn write_names(stage: &Stage, node: usize, names: [&'static str; 2]) {
    let machine = stage.machine(node);
    let usual = stage.pair.setup.names;
    for file in ["ha.d/ha.cf", "ha.d/haresources"] {
        let mut text = fs::read_to_string(machine.file(file)).expect("written before");
        for (usual, name) in usual.iter().zip(names) {
            text = text.replace(usual, name);
        }
        files::write(&machine.file(file), &text, 0o644);
    }
    fs::remove_file(machine.file("ha.d/nodeinfo")).expect("written before");
    let script = format!("echo {} > /proc/sys/kernel/hostname", names[node]);
    machine.namespace.within(|| run_script(&script));
}
