//! Which scripts there are in `rc.d`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::occasion::KINDS;
use crate::cluster::script_message::{is_reserved, is_script_name};

/// What the scripts that 3.0.6 put there call to move resources. There the daemon left that to scripts; here a script
/// that does it acts behind the daemon's back.
const MOVERS: [&str; 3] = ["mach_down", "ResourceManager", "hb_standby"];
/// What 3.0.6 put there besides, or would call, and what nobody misses: here the daemon does it.
const REPLACED: [&str; 5] = [
    "ask_resources",
    "hb_takeover",
    "ip-request",
    "ip-request-resp",
    "local_giveip",
];
/// Enough of a script to see that.
const HEAD: u64 = 64 * 1024;

/// The names of those that may be run: of those that are told of changes, and of those that have a name of their own
/// and are told of messages of that type. Says why others are not. Reads the disk.
pub(super) fn find(directory: &Path) -> BTreeSet<String> {
    let own = of_their_own(directory);
    let names = KINDS.into_iter().map(str::to_owned).chain(own);
    names
        .filter(|name| is_fine(&directory.join(name), KINDS.contains(&name.as_str())))
        .collect()
}

/// Whether a script may be run. One that is told of changes must not move resources by itself.
fn is_fine(path: &Path, is_told_of_changes: bool) -> bool {
    match judge(path) {
        Ok(Judgement::Fine) => true,
        Ok(Judgement::Absent) => false,
        Ok(Judgement::NotExecutable) => {
            log::warn!("{} is not executable: it is not run", path.display());
            false
        }
        Ok(Judgement::Moves(_)) if !is_told_of_changes => true,
        Ok(Judgement::Moves(mover)) => {
            log::info!(
                "{} calls {mover}, as the script of heartbeat 3.0.6 does: it is not run, because heartbeat itself \
                 moves resources. If there is more in it, take that call out",
                path.display()
            );
            false
        }
        Err(error) => {
            log::warn!("Cannot look at {}: {error}. It is not run", path.display());
            false
        }
    }
}

/// Those that somebody wrote for a type of message of his own. A name with a full stop or a tilde is a copy of another
/// one. Of a type that is the daemons' own none is told; that is said of those that 3.0.6 did not put there.
fn of_their_own(directory: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let is_own = |name: &String| {
        let known = KINDS.iter().chain(&REPLACED);
        is_script_name(name) && !known.into_iter().any(|one| one == name)
    };
    let (reserved, own) = names.filter(is_own).partition(|name| is_reserved(name));
    for name in BTreeSet::<String>::from_iter::<Vec<String>>(reserved) {
        log::info!(
            "{} is never run: messages of that type are the daemons' own",
            directory.join(name).display()
        );
    }
    BTreeSet::from_iter::<Vec<String>>(own)
}

#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Fine,
    Absent,
    NotExecutable,
    Moves(&'static str),
}

fn judge(path: &Path) -> io::Result<Judgement> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Judgement::Absent),
        found => found?,
    };
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Ok(Judgement::NotExecutable);
    }
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    let mover = MOVERS.into_iter().find(|mover| calls(&head, mover));
    Ok(mover.map_or(Judgement::Fine, Judgement::Moves))
}

/// Whether a line that is no comment has this word in it.
fn calls(script: &[u8], word: &str) -> bool {
    let mut lines = script.split(|&byte| byte == b'\n');
    lines.any(|line| {
        !line.trim_ascii_start().starts_with(b"#")
            && line
                .windows(word.len())
                .any(|window| window == word.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_other_names_are_for_messages_of_their_own_type() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in [
            "status",
            "ip-request",
            "status.dpkg-old",
            "mine",
            "mine~",
            ".hidden",
            "resource",
            "not-executable",
        ] {
            let path = directory.path().join(name);
            // To move resources by the commands of the daemon is fine.
            fs::write(&path, "#!/bin/sh\nhb_standby\n").expect("written");
            let mode = if name == "not-executable" {
                0o644
            } else {
                0o755
            };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
        }
        let found = find(directory.path());
        assert_eq!(found, BTreeSet::from(["mine".to_owned()]));
        assert_eq!(find(&directory.path().join("none")), BTreeSet::new());
    }

    #[test]
    fn what_3_0_6_put_there_is_told_from_what_others_wrote() {
        let directory = tempfile::tempdir().expect("a directory");
        for (text, mode, expected) in [
            ("#!/bin/sh\necho $HA_st\n", 0o755, Judgement::Fine),
            ("#!/bin/sh\n# no mach_down here\n", 0o755, Judgement::Fine),
            (
                "#!/bin/sh\n. $F\ncase $HA_st in\n  dead) $B/mach_down $HA_src;;\nesac\n",
                0o755,
                Judgement::Moves("mach_down"),
            ),
            (
                "R=/usr/share/heartbeat/ResourceManager\n",
                0o700,
                Judgement::Moves("ResourceManager"),
            ),
            ("#!/bin/sh\n", 0o644, Judgement::NotExecutable),
            ("", 0o755, Judgement::Fine),
        ] {
            let path = directory.path().join("status");
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            assert_eq!(judge(&path).expect("readable"), expected, "{text}");
        }
        assert_eq!(
            judge(&directory.path().join("ifstat")).expect("looked"),
            Judgement::Absent
        );
        assert_eq!(
            judge(directory.path()).expect("looked"),
            Judgement::NotExecutable
        );
    }
}
