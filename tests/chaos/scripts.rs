//! The groups, and the script behind each of their resources: it notes what it does, and has whims.

use std::fs;
use std::path::PathBuf;

use crate::lab::files::{self, shared};
use crate::lab::machine::{Machine, here};

/// How many groups there are; every other one prefers the second node.
pub const GROUPS: usize = 200;

/// The first resource of so many groups is watched by a monitor.
pub const WATCHED: usize = 20;

/// What a script does for once instead of its duty, or beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whim {
    /// Never ends by itself.
    Hang,
    /// Nor by SIGTERM.
    Deaf,
    /// Does nothing and fails.
    Fail,
    /// Does its duty and fails.
    FailLate,
    /// Does its duty and never ends.
    HangLate,
    /// Leaves a process behind that has its output open and ignores SIGTERM.
    Fork,
    /// Writes half a megabyte of no words at all.
    Garbage,
    /// Takes its time.
    Slow,
}

impl Whim {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Hang,
        Self::Deaf,
        Self::Fail,
        Self::FailLate,
        Self::HangLate,
        Self::Fork,
        Self::Garbage,
        Self::Slow,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Hang => "hang",
            Self::Deaf => "deaf",
            Self::Fail => "fail",
            Self::FailLate => "fail-late",
            Self::HangLate => "hang-late",
            Self::Fork => "fork",
            Self::Garbage => "garbage",
            Self::Slow => "slow",
        }
    }
}

/// The actions that have whims.
pub const ACTIONS: [&str; 3] = ["start", "stop", "status"];

/// How many resources of our script a group has: one to three.
pub fn length(group: usize) -> usize {
    1 + group % 3
}

/// The name of a resource, which is the argument of the script.
pub fn name(group: usize, resource: usize) -> String {
    format!("{group}.{resource}")
}

/// The lines of haresources. The first of each node's groups have an address in front.
pub fn groups(nodes: [&str; 2]) -> Vec<String> {
    let line = |group: usize| {
        let address = (group < 4).then(|| format!("IPaddr::10.77.1.{}/24/eth0", 100 + group));
        let resources = (0..length(group)).map(|place| format!("work::{}", name(group, place)));
        let words = [nodes[group % 2].to_owned()].into_iter().chain(address);
        words.chain(resources).collect::<Vec<_>>().join(" ")
    };
    (0..GROUPS).map(line).collect()
}

/// The lines of ha.cf for those that are watched. A monitor does not ask the script, whose answers are taken for what was
/// going on in its group. As many attempts as there can be: a service that ends is no fault of its node.
pub fn monitors() -> String {
    let line = |group| {
        let name = name(group, 0);
        let state = here().join(format!("runs-{name}"));
        format!(
            "monitor work::{name} every=1s fall=1 restarts=100 exec=test -s {}\n",
            state.display()
        )
    };
    (0..WATCHED).map(line).collect()
}

/// Ends a service.
pub fn end(machine: &Machine, resource: &str) {
    files::write(&machine.file(&format!("runs-{resource}")), "", 0o644);
}

/// Puts the script on a machine. Whatever it does without a whim it does without another process, so that two hundred
/// of them are no burden.
pub fn install(machine: &Machine) {
    let (own, shared, me) = (machine.file(""), shared(), machine.name);
    let text = format!(
        r#"#!/bin/sh
name="$1" action="$2" own={own} shared={shared}
note() {{ echo "$now {me} $name $action $1 $$" >>"$shared/events"; }}
read -r now _ </proc/uptime
whim=
if [ -s "$own/whim-$name-$action" ]; then
    read -r whim <"$own/whim-$name-$action"
    : >"$own/whim-$name-$action"
fi
[ "$action" = status ] || note begin
case "$whim" in
hang) exec sleep 1000 ;;
deaf) trap '' TERM; exec sleep 1000 ;;
fail) [ "$action" = status ] || {{ note failed; exit 1; }} ;;
fork) (trap '' TERM HUP; exec sleep 20) & ;;
garbage) cat "$shared/garbage"; cat "$shared/garbage" >&2 ;;
slow) sleep 0.3 ;;
esac
case "$action" in
start) echo up >"$own/runs-$name" ;;
stop) : >"$own/runs-$name" ;;
status)
    if [ -s "$own/runs-$name" ]; then note running; echo running; exit 0; fi
    note stopped; echo stopped; exit 3 ;;
esac
case "$whim" in
fail-late) note failed; exit 1 ;;
hang-late) exec sleep 1000 ;;
esac
note done
"#,
        own = own.display(),
        shared = shared.display(),
    );
    let garbage: Vec<u8> = (0..250_000_u32)
        .map(|at| u8::try_from(0x80 + at % 0x7f).expect("a byte"))
        .collect();
    fs::write(shared.join("garbage"), garbage).expect("our own file system");
    files::write(&machine.file("ha.d/resource.d/work"), &text, 0o755);
}

/// Gives the next such action of a resource a whim.
pub fn give(machine: &Machine, resource: &str, action: &str, whim: Whim) {
    let path = machine.file(&format!("whim-{resource}-{action}"));
    files::write(&path, &format!("{}\n", whim.word()), 0o644);
}

/// From now on every script does its duty.
pub fn reform(machine: &Machine) {
    for entry in fs::read_dir(machine.file(""))
        .expect("our own directory")
        .flatten()
    {
        if entry.file_name().to_string_lossy().starts_with("whim-") {
            fs::remove_file(entry.path()).expect("our own file");
        }
    }
}

/// Whether a resource runs on a machine.
pub fn runs(machine: &Machine, resource: &str) -> bool {
    let state = fs::metadata(machine.file(&format!("runs-{resource}")));
    state.is_ok_and(|state| state.len() > 0)
}

/// The file that all scripts write to.
pub fn events() -> PathBuf {
    shared().join("events")
}
