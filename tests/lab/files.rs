//! What stands in the files of a pair, and the scripts that its resources run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::base;

/// Writes a file with exactly this mode.
pub fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text)
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
}

/// The resource script `disk`: stands for anything that two machines must never use at once.
///
/// `disk::NAME` takes a lock that both machines see. Finding it taken is what all of this is about, and is
/// written to `shared/violations`. The files `fail-start-NAME`, `fail-stop-NAME`, `slow-start-NAME`, `slow-stop-NAME`,
/// `held-start-NAME` and `held-stop-NAME` in the machine's directory make an action fail, or last as many seconds as
/// stand in the file, or for as long as the file is there.
pub fn install_disk_script(machine: &str, directory: &Path) {
    let (own, shared) = (directory.display(), shared());
    let shared = shared.display();
    let text = format!(
        r#"#!/bin/sh
name="$1" action="$2" me={machine} own={own} shared={shared}
lock="$shared/lock-$name"
last() {{
    [ -e "$own/slow-$action-$name" ] && sleep "$(cat "$own/slow-$action-$name")"
    while [ -e "$own/held-$action-$name" ]; do sleep 0.05; done
}}
note() {{ echo "$(date +%s.%N) $me $name $*" >> "$shared/journal"; }}
case "$action" in
start)
    [ -e "$own/fail-start-$name" ] && {{ note "start fails"; exit 1; }}
    last
    [ -e "$own/runs-$name" ] && exit 0
    if ! mkdir "$lock" 2>/dev/null; then
        note "starts while $(cat "$lock/owner") runs it" && tail -n 1 "$shared/journal" >> "$shared/violations"
    fi
    echo "$me" > "$lock/owner"
    : > "$own/runs-$name"
    note started ;;
stop)
    [ -e "$own/fail-stop-$name" ] && {{ note "stop fails"; exit 1; }}
    [ -e "$own/runs-$name" ] || exit 0
    last
    rm -f "$own/runs-$name"
    [ "$(cat "$lock/owner")" = "$me" ] && rm -r "$lock"
    note stopped ;;
status)
    if [ -e "$own/runs-$name" ]; then echo running; else echo stopped; exit 3; fi ;;
*)
    echo "usage: disk NAME start|stop|status" >&2; exit 1 ;;
esac
exit 0
"#
    );
    fs::create_dir_all(self::shared()).expect("our own file system");
    write(&directory.join("ha.d/resource.d/disk"), &text, 0o755);
}

/// The directory that stands for what both machines can reach.
pub fn shared() -> PathBuf {
    base().join("shared")
}

/// What the `disk` scripts complained about; must stay empty while a link works.
pub fn violations() -> String {
    fs::read_to_string(shared().join("violations")).unwrap_or_default()
}

/// What the `disk` scripts did, a line each: time, machine, name, what.
pub fn journal() -> String {
    fs::read_to_string(shared().join("journal")).unwrap_or_default()
}

/// Forgets that `machine` ran anything: its power is gone.
pub fn forget_disks(machine: &str, directory: &Path) {
    let Ok(entries) = fs::read_dir(shared()) else {
        return;
    };
    for lock in entries.flatten().map(|entry| entry.path()) {
        if fs::read_to_string(lock.join("owner")).is_ok_and(|owner| owner.trim() == machine) {
            let _ = fs::remove_dir_all(lock);
        }
    }
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for file in entries.flatten() {
        if file.file_name().to_string_lossy().starts_with("runs-") {
            let _ = fs::remove_file(file.path());
        }
    }
}
