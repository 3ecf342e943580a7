//! Who keeps a file system busy that does not unmount: looked for by a child of the daemon,
//! `heartbeat probe holders WORD …`, because `/proc` waits for processes that hang in the kernel.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use crate::config::ResourceWord;
use crate::os::proc;

/// So many processes, and mounts, are named for a file system; who has to end more than these looks for himself.
const MOST_NAMED: usize = 8;

/// A line for each process that holds something below a file system that these words name and that is still mounted,
/// and for each other thing that is known to keep it. Empty where none of them is mounted.
///
/// Paths are compared as this process sees them; nothing below them is touched, so that a dead server stops nobody.
pub fn report(words: &[String]) -> String {
    let mounted =
        fs::read("/proc/self/mountinfo").map_or_else(|_| Vec::new(), |table| mount_points(&table));
    let mut lines = Vec::new();
    for place in places(words, &mounted) {
        lines.extend(holders_of(&place, &mounted));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The mount points that the words name: by a path among the arguments, or by the name of a mount unit.
fn places(words: &[String], mounted: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut named = BTreeSet::new();
    for word in words {
        let word = ResourceWord::new(word);
        if let Some(unit) = word.name.strip_suffix(".mount") {
            named.insert(unit_path(unit));
        }
        for argument in &word.arguments {
            let value = argument
                .split_once('=')
                .map_or(argument.as_str(), |(_, value)| value);
            if value.starts_with('/') {
                named.insert(PathBuf::from(value));
            }
        }
    }
    let resolve = |path: &PathBuf| {
        let plain = without_dots(path);
        if mounted.contains(&plain) {
            return Some(plain);
        }
        // Only here is the path followed: what is mounted under its own name need not be.
        let followed = fs::canonicalize(path).ok()?;
        mounted.contains(&followed).then_some(followed)
    };
    let root = Path::new("/");
    named
        .iter()
        .filter_map(resolve)
        .filter(|path| path != root)
        .collect()
}

/// Without `.`, `//` and a slash at the end.
fn without_dots(path: &Path) -> PathBuf {
    let components = path.components();
    components
        .filter(|component| *component != Component::CurDir)
        .collect()
}

/// As systemd names units after paths: `-` for `/`, `\x2d` for `-`.
fn unit_path(unit: &str) -> PathBuf {
    let mut bytes = vec![b'/'];
    let mut rest = unit.as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        let escaped = others
            .strip_prefix(b"x")
            .filter(|_| first == b'\\')
            .and_then(|digits| digits.split_at_checked(2))
            .and_then(|(digits, after)| {
                let digits = std::str::from_utf8(digits).ok()?;
                Some((u8::from_str_radix(digits, 16).ok()?, after))
            });
        let (byte, after) = match escaped {
            Some(found) => found,
            None if first == b'-' => (b'/', others),
            None => (first, others),
        };
        bytes.push(byte);
        rest = after;
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// The fifth word of each line of mountinfo, where blanks and such are written `\040`: proc(5).
fn mount_points(table: &[u8]) -> Vec<PathBuf> {
    let lines = table.split(|&byte| byte == b'\n');
    let point = |line: &[u8]| {
        let word = line.split(|&byte| byte == b' ').nth(4)?;
        Some(PathBuf::from(std::ffi::OsString::from_vec(without_octal(
            word,
        ))))
    };
    lines.filter_map(point).collect()
}

fn without_octal(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, others)) = rest.split_first() {
        let escaped = others
            .split_at_checked(3)
            .filter(|_| first == b'\\')
            .and_then(|(digits, after)| {
                let digits = std::str::from_utf8(digits).ok()?;
                Some((u8::from_str_radix(digits, 8).ok()?, after))
            });
        let (byte, after) = escaped.unwrap_or((first, others));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

fn holders_of(place: &Path, mounted: &[PathBuf]) -> Vec<String> {
    let name = plain(&place.display().to_string());
    let below = mounted
        .iter()
        .filter(|point| *point != place && point.starts_with(place));
    let mut lines: Vec<String> = below
        .take(MOST_NAMED)
        .map(|point| {
            let point = plain(&point.display().to_string());
            format!("{name} is held by what is mounted below it: {point}")
        })
        .collect();
    let own = i32::try_from(std::process::id()).ok();
    let all = proc::all().unwrap_or_default();
    let holding: Vec<(i32, String)> = all
        .into_iter()
        .filter(|pid| Some(*pid) != own)
        .filter_map(|pid| Some((pid, proc::use_of(pid, place)?.to_string())))
        .collect();
    for (pid, what) in holding.iter().take(MOST_NAMED) {
        let program = plain(&proc::name(*pid).unwrap_or_default());
        lines.push(format!(
            "{name} is held by {program} (process {pid}): {}",
            plain(what)
        ));
    }
    let unnamed = holding.len().saturating_sub(MOST_NAMED);
    if unnamed > 0 {
        lines.push(format!(
            "{name} is held by {unnamed} more processes (fuser -vm {name} shows all)"
        ));
    }
    if lines.is_empty() {
        lines.push(format!(
            "{name} is still mounted, and no process has anything open there: look for what the kernel itself holds \
             (exportfs -v, losetup -a, swapon --show)"
        ));
    }
    lines
}

/// Nothing that could break a line of the log.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
        31 22 147:0 / /srv/data rw shared:9 - ext4 /dev/drbd0 rw\n\
        40 22 0:40 / /mnt/two\\040words\\134n rw - tmpfs none rw\n\
        cut short";

    #[test]
    fn mount_points_are_read_with_their_blanks() {
        let points: Vec<PathBuf> = ["/", "/srv/data", "/mnt/two words\\n"]
            .map(PathBuf::from)
            .into();
        assert_eq!(mount_points(TABLE), points);
    }

    #[test]
    fn a_word_names_a_mount_point_by_argument_parameter_or_unit() {
        let mounted = mount_points(TABLE);
        for (word, expected) in [
            ("Filesystem::/dev/drbd0::/srv/data::ext4", Some("/srv/data")),
            (
                "Filesystem::/dev/drbd0::/srv/./data/::ext4",
                Some("/srv/data"),
            ),
            (
                "ocf:heartbeat:Filesystem::device=/dev/drbd0::directory=/srv/data",
                Some("/srv/data"),
            ),
            ("srv-data.mount", Some("/srv/data")),
            ("mnt-two\\x20words\\x5cn.mount", Some("/mnt/two words\\n")),
            ("mymount::/srv", None),
            ("nginx", None),
            ("odd::/", None),
        ] {
            let found = places(&[word.to_owned()], &mounted);
            assert_eq!(
                found.first().map(PathBuf::as_path),
                expected.map(Path::new),
                "{word}"
            );
        }
    }

    #[test]
    fn a_unit_name_that_is_cut_within_an_escape_is_taken_as_it_stands() {
        assert_eq!(unit_path("a\\x2"), Path::new("/a\\x2"));
        assert_eq!(unit_path("a\\x2db-c"), Path::new("/a-b/c"));
    }

    #[test]
    fn where_nobody_holds_anything_the_kernel_is_suspected() {
        let nowhere = PathBuf::from("/no/such/place");
        let lines = holders_of(&nowhere, &[nowhere.clone(), "/no/such/place2".into()]);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("no process"), "{lines:?}");
        let below = holders_of(&nowhere, &[nowhere.clone(), "/no/such/place/below".into()]);
        assert_eq!(
            below,
            ["/no/such/place is held by what is mounted below it: /no/such/place/below"]
        );
    }
}
