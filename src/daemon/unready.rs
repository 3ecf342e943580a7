//! What keeps this machine from running a group that it does not hold: looked for by a child of the daemon,
//! `heartbeat probe ready DIRECTORY WORD … -- WORD …`, because disks, name services and systemd can be slow.

use std::path::Path;
use std::process::{Command, Stdio};

use super::look;
use crate::config::ResourceWord;
use crate::resource::PATH;
use crate::resource::address::Addresses;
use crate::resource::catalogue::{Places, Resource};
use crate::resource::ocf::Agent;

/// Parts two groups among the arguments of the child.
pub const NEXT_GROUP: &str = "--";

/// What was found, a line each: the number of the group among those asked about, a blank, the reason.
pub fn report(directory: &Path, words: &[String]) -> String {
    let places = Places::new(directory);
    let mut addresses = Addresses::open().ok();
    let mut lines = Vec::new();
    for (index, group) in words.split(|word| word == NEXT_GROUP).enumerate() {
        let words: Vec<ResourceWord> = group.iter().map(|word| ResourceWord::new(word)).collect();
        for reason in reasons(&places, addresses.as_mut(), &words) {
            lines.push(format!("{index} {}\n", reason.replace('\n', " ")));
        }
    }
    lines.concat()
}

/// What is wrong with one group; nothing where it could be started.
fn reasons(
    places: &Places,
    mut addresses: Option<&mut Addresses>,
    words: &[ResourceWord],
) -> Vec<String> {
    let mut found = Vec::new();
    // A volume group, a DRBD device, a script of one's own: what stands before may bring the device.
    let mut may_bring_device = false;
    for word in words {
        let resource = match places.find(word) {
            Ok(resource) => resource,
            Err(error) => {
                found.push(look::resource_absence(word, error).message);
                continue;
            }
        };
        match &resource {
            Resource::Address { spec, .. } => {
                let addresses = addresses.as_deref_mut();
                found.extend(addresses.and_then(|addresses| address_reason(addresses, spec)));
            }
            Resource::Unit(name) => found.extend(unit_reasons(name)),
            Resource::Agent(agent) if !may_bring_device => found.extend(device_reason(agent)),
            Resource::Agent(_) | Resource::Script { .. } => {}
        }
        may_bring_device |= !matches!(resource, Resource::Address { .. });
    }
    found
}

fn address_reason(addresses: &mut Addresses, spec: &crate::config::AddressSpec) -> Option<String> {
    match addresses.place(spec) {
        Err(error) => Some(error.to_string()),
        Ok(place) if !place.interface.up => Some(format!(
            "{} of {} is down",
            place.interface.name, spec.address
        )),
        Ok(place) if !place.interface.running => Some(format!(
            "{} of {} has no carrier",
            place.interface.name, spec.address
        )),
        Ok(_) => None,
    }
}

/// A service that runs on both machines, or that both start when they boot, is what heartbeat is there to prevent.
fn unit_reasons(name: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    match systemctl("is-enabled", name).as_str() {
        "enabled" | "enabled-runtime" => reasons.push(format!(
            "{name} is started at boot, too (systemctl disable {name})"
        )),
        "masked" | "masked-runtime" => {
            reasons.push(format!("{name} is masked (systemctl unmask {name})"));
        }
        _ => {}
    }
    let state = systemctl("is-active", name);
    if matches!(state.as_str(), "active" | "activating" | "reloading") {
        reasons.push(format!("{name} runs already (systemctl stop {name})"));
    }
    reasons
}

/// The first word of its answer; empty where there is none, as on a machine without systemd.
fn systemctl(verb: &str, unit: &str) -> String {
    let output = Command::new("systemctl")
        .args([verb, unit])
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let said = output.map(|output| output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    said.split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The device of a file system, where it is one that can be looked for.
fn device_reason(agent: &Agent) -> Option<String> {
    let is_filesystem = agent.name == "Filesystem";
    let mut parameters = agent.parameters.iter();
    let (_, device) = parameters.find(|(name, _)| is_filesystem && name == "device")?;
    let by = |kind: &str, name: &str| format!("/dev/disk/by-{kind}/{name}");
    let path = match device.split_once([' ', '=']) {
        Some(("UUID" | "-U", name)) => by("uuid", name.trim()),
        Some(("LABEL" | "-L", name)) => by("label", name.trim()),
        _ => device.clone(),
    };
    // Not a server's export, nor what is bound from elsewhere.
    let is_device = path.starts_with("/dev/");
    (is_device && !Path::new(&path).exists()).then(|| format!("there is no {device} here"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn places(root: &Path) -> Places {
        for directory in ["resource.d", "ocf/resource.d/heartbeat"] {
            fs::create_dir_all(root.join(directory)).expect("a directory");
        }
        for script in ["resource.d/disk", "ocf/resource.d/heartbeat/Filesystem"] {
            let path = root.join(script);
            fs::write(&path, "#!/bin/sh\n").expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        }
        Places {
            scripts: root.join("resource.d"),
            init_scripts: root.join("init.d"),
            units: vec![root.join("units")],
            agents: root.join("ocf"),
        }
    }

    #[test]
    fn what_is_missing_is_told_and_what_another_resource_may_bring_is_not() {
        let root = tempfile::tempdir().expect("a directory");
        let places = places(root.path());
        let mut addresses = Addresses::open().expect("a socket");
        let no_disk = "there is no /dev/no-such-disk here";
        for (words, expected) in [
            ("disk::r0 127.0.0.9/8/lo", None),
            ("Filesystem::/dev/null::/srv", None),
            ("Filesystem::/dev/no-such-disk::/srv", Some(no_disk)),
            (
                "127.0.0.9/8/lo Filesystem::/dev/no-such-disk::/srv",
                Some(no_disk),
            ),
            ("disk::r0 Filesystem::/dev/no-such-disk::/srv", None),
            ("Filesystem::server:/export::/srv::nfs", None),
            (
                "Filesystem::LABEL=no-such-label::/srv",
                Some("there is no LABEL=no-such-label here"),
            ),
            (
                "ocf:heartbeat:Filesystem::device=/dev/no-such-disk::directory=/srv",
                Some(no_disk),
            ),
            ("10.0.0.9/24/no-such-if:0", Some("no interface no-such-if")),
            (
                "httpd",
                Some("no script, OCF agent or unit called `httpd` on this machine"),
            ),
        ] {
            let words: Vec<_> = words.split(' ').map(ResourceWord::new).collect();
            let found = reasons(&places, Some(&mut addresses), &words);
            let fits = match expected {
                None => found.is_empty(),
                Some(text) => found.len() == 1 && found[0].contains(text),
            };
            assert!(fits, "{words:?}: {found:?}, not {expected:?}");
        }
    }

    #[test]
    fn groups_keep_their_numbers() {
        let root = tempfile::tempdir().expect("a directory");
        let words = [
            "nosuch1",
            NEXT_GROUP,
            "127.0.0.9/8/lo",
            NEXT_GROUP,
            "nosuch2",
            "nosuch3",
        ];
        let words = words.map(str::to_owned);
        let lines = report(root.path(), &words);
        let numbers: Vec<_> = lines
            .lines()
            .map(|line| line.split_once(' ').unwrap().0)
            .collect();
        assert_eq!(numbers, ["0", "2", "2"], "{lines}");
    }
}
