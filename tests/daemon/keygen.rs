//! Keys that are made, and files that are left alone.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use crate::machine::{AUTHKEYS, Machine};

/// The words of the last key in a file.
fn last_key(text: &str) -> Vec<String> {
    let line = text.lines().last().unwrap_or_default();
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn a_key_has_256_random_bits_and_nobody_else_may_read_it() {
    let machine = Machine::new("");
    let path = machine.path("authkeys");
    fs::remove_file(&path).expect("removed");
    let made = machine.heartbeat(&["keygen"]);
    assert_eq!(made.exit, 0, "{made:?}");
    assert!(made.out.contains("root@there:"), "{made:?}");
    let text = machine.read("authkeys");
    assert!(text.starts_with("auth 1\n1 sha256 "), "{text}");
    let key = last_key(&text).remove(2);
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    assert!(key.len() == 64 && key.chars().all(is_hex), "{key}");
    assert!(!made.out.contains(&key), "it is shown to nobody");
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert!(!machine.path("authkeys.new").exists());
    let check = machine.heartbeat(&["check"]);
    assert_eq!(check.exit, 0, "{check:?}");
    assert!(!check.err.contains("authkeys"), "{check:?}");

    let again = machine.heartbeat(&["keygen"]);
    assert_eq!(again.exit, 1, "{again:?}");
    assert!(again.err.contains("left alone"), "{again:?}");
    assert!(again.err.contains("--rotate"), "{again:?}");
    assert_eq!(machine.read("authkeys"), text);
    assert!(!machine.path("authkeys.new").exists());

    let shown = machine.heartbeat(&["keygen", "--stdout", "--method", "sha1"]);
    assert_eq!(shown.exit, 0, "{shown:?}");
    assert!(shown.out.starts_with("auth 1\n1 sha1 "), "{shown:?}");
    assert_ne!(last_key(&shown.out).remove(2), key);
    assert_eq!(machine.read("authkeys"), text);
}

#[test]
fn a_rotation_adds_a_key_and_changes_nothing_else() {
    let machine = Machine::new("");
    fs::rename(machine.path("authkeys"), machine.path("kept")).expect("moved");
    symlink("kept", machine.path("authkeys")).expect("a link");
    let owner = fs::metadata(machine.path("kept")).expect("there").uid();
    let added = machine.heartbeat(&["keygen", "--rotate"]);
    assert_eq!(added.exit, 0, "{added:?}");
    let text = machine.read("kept");
    let rest = text
        .strip_prefix(AUTHKEYS)
        .expect("what was there is there");
    let [number, method, key] = &last_key(rest)[..] else {
        panic!("{rest}")
    };
    assert_eq!(
        (number.as_str(), method.as_str(), key.len()),
        ("2", "sha1", 64)
    );
    assert!(!added.out.contains(key.as_str()), "it is shown to nobody");
    let kept = fs::metadata(machine.path("kept")).expect("there");
    assert_eq!((kept.mode() & 0o7777, kept.uid()), (0o600, owner));
    let link = fs::symlink_metadata(machine.path("authkeys")).expect("there");
    assert!(link.is_symlink(), "a link stays one");
    let reload = format!("heartbeat -C {} reload", machine.path("").display());
    let reload = reload.replace("/ reload", " reload");
    assert!(added.out.contains(&reload), "{reload}: {}", added.out);
}

#[test]
fn what_can_not_be_done_is_refused_and_nothing_is_touched() {
    let machine = Machine::new("");
    for (text, exit, expected) in [
        (
            "auth 1\nauth 1\n1 sha1 a-key-that-is-long-enough\n",
            1,
            "in the lines 1, 2",
        ),
        (
            "auth 2\n1 sha1 a-key-that-is-long-enough\n",
            6,
            "there is no key 2",
        ),
    ] {
        machine.write_authkeys(text);
        let refused = machine.heartbeat(&["keygen", "--rotate"]);
        assert_eq!(refused.exit, exit, "{refused:?}");
        assert!(refused.err.contains(expected), "{refused:?}");
        assert_eq!(machine.read("authkeys"), text);
    }
    machine.write("authkeys.new", "of another one");
    for arguments in [&["keygen"][..], &["keygen", "--rotate"]] {
        machine.write_authkeys(AUTHKEYS);
        let refused = machine.heartbeat(arguments);
        assert_eq!(refused.exit, 1, "{refused:?}");
        assert!(refused.err.contains("authkeys.new"), "{refused:?}");
        assert_eq!(machine.read("authkeys.new"), "of another one");
        assert_eq!(machine.read("authkeys"), AUTHKEYS);
    }
    fs::remove_file(machine.path("authkeys")).expect("removed");
    let refused = machine.heartbeat(&["keygen", "--rotate"]);
    assert!(
        refused.exit == 1 && refused.err.contains("makes one"),
        "{refused:?}"
    );
    let refused = machine.heartbeat(&["keygen", "--method", "md5"]);
    assert!(
        refused.exit == 2 && refused.err.contains("out of date"),
        "{refused:?}"
    );
    let nowhere = machine.path("nowhere");
    let nowhere = nowhere.to_str().expect("plain text");
    let refused = machine.heartbeat(&["keygen", "-C", nowhere]);
    assert!(
        refused.exit == 1 && refused.err.contains("cannot make"),
        "{refused:?}"
    );
}
