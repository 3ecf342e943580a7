//! What is left to do once a key is made, in words and in commands that can be copied.

use std::path::Path;

use crate::config::Rotation;
use crate::message::Method;

/// Where 3.0.6 would have to read what was made.
const NOT_FOR_OLD: &str = "Heartbeat 3.0.6 does not know sha256 and ends when it reads it: where one of the nodes runs it, use --method sha1.\n";

/// For a new file. `names`: this node, the other one.
pub fn after_making(path: &Path, method: Method, names: &[String; 2]) -> String {
    let path = quoted(path);
    let [_, other] = names;
    let old = if method == Method::Sha256 {
        NOT_FOR_OLD
    } else {
        ""
    };
    format!(
        "Made {path}: a key of 256 random bits, method {method}, mode 600.\n\
         Both nodes need the same one. Copy it, by a way that keeps it secret:\n  \
         scp -p {path} root@{host}:{path}\n\
         Then `heartbeat check` on both.\n{old}",
        method = method.name(),
        host = host(other),
    )
}

/// For a file with a key more. `directory`: that of `-C`, where it was given.
pub fn after_adding(
    path: &Path,
    rotation: &Rotation,
    names: &[String; 2],
    directory: Option<&Path>,
) -> String {
    let Rotation {
        old,
        new,
        method,
        auth_line,
        old_lines,
        ..
    } = rotation;
    let path = quoted(path);
    let [own, other] = names;
    let reload = match directory {
        Some(directory) => format!("heartbeat -C {} reload", quoted(directory)),
        None => "heartbeat reload".to_owned(),
    };
    let removals: Vec<String> = old_lines.iter().map(|line| format!("{line}d")).collect();
    let switch = format!("sed -i '{auth_line}s/.*/auth {new}/' {path}");
    let remove = format!("sed -i '{}' {path}", removals.join(";"));
    let also = match old_lines.len() {
        0 | 1 => "",
        _ => " and all others that were there",
    };
    let mut text = format!(
        "Added key {new} ({method}) to {path}. Key {old} still signs: nothing has changed on the wire.\n\
         Go on in this order, and begin no step before the one above is done on both machines:\n\n\
         1. Have both machines know the new key.\n     \
         {own}:  scp -p {path} root@{host}:{path}\n     \
         {other}:  {reload}\n     \
         {own}:  {reload}\n\n\
         2. Sign with it, first on one machine, then on the other.\n     \
         {other}:  {switch} && {reload}\n     \
         {own}:  {switch} && {reload}\n\n\
         3. Forget key {old}{also}.\n     \
         {other}:  {remove} && {reload}\n     \
         {own}:  {remove} && {reload}\n\n\
         Each reload has to say `Done.`; where one does not, mend that first. Until step 3 both keys are good, so the order\n\
         costs no heartbeat, and a pause between the steps may last as long as you like.\n",
        method = method.name(),
        host = host(other),
    );
    text += if *method == Method::Sha256 {
        NOT_FOR_OLD
    } else {
        "Where one of the nodes runs heartbeat 3.0.6, that one comes first in step 2, and it may miss a heartbeat there.\n"
    };
    text
}

/// A path as one word for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What stands behind `root@`.
fn host(name: &str) -> &str {
    if name.contains(' ') { "HOST" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(method: Method, old_lines: Vec<usize>) -> Rotation {
        Rotation {
            text: Vec::new(),
            old: 1,
            new: 2,
            method,
            auth_line: 3,
            old_lines,
        }
    }

    #[test]
    fn the_steps_name_machines_lines_and_keys() {
        let names = ["vm3".to_owned(), "vm4".to_owned()];
        let path = Path::new("/etc/ha.d/authkeys");
        let text = after_adding(path, &rotation(Method::Sha1, vec![4]), &names, None);
        let commands: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("     "))
            .collect();
        assert_eq!(
            commands,
            [
                "vm3:  scp -p /etc/ha.d/authkeys root@vm4:/etc/ha.d/authkeys",
                "vm4:  heartbeat reload",
                "vm3:  heartbeat reload",
                "vm4:  sed -i '3s/.*/auth 2/' /etc/ha.d/authkeys && heartbeat reload",
                "vm3:  sed -i '3s/.*/auth 2/' /etc/ha.d/authkeys && heartbeat reload",
                "vm4:  sed -i '4d' /etc/ha.d/authkeys && heartbeat reload",
                "vm3:  sed -i '4d' /etc/ha.d/authkeys && heartbeat reload",
            ]
        );
        assert!(text.contains("comes first in step 2"), "{text}");
    }

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        for (path, word) in [
            ("/etc/ha.d/authkeys", "/etc/ha.d/authkeys"),
            ("/srv/my pair", "'/srv/my pair'"),
            ("/srv/it's", "'/srv/it'\\''s'"),
        ] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }

    #[test]
    fn several_old_keys_go_together_and_sha256_is_told_to_be_ours() {
        let names = ["this machine".to_owned(), "the other machine".to_owned()];
        let directory = Path::new("/srv/pair");
        let rotation = rotation(Method::Sha256, vec![4, 6]);
        let text = after_adding(
            Path::new("/srv/pair/authkeys"),
            &rotation,
            &names,
            Some(directory),
        );
        for part in [
            "root@HOST:/srv/pair/authkeys",
            "sed -i '4d;6d' /srv/pair/authkeys && heartbeat -C /srv/pair reload",
            "Forget key 1 and all others that were there.",
            "does not know sha256",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
