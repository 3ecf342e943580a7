//! Ping nodes that tell nothing, and an `ipfail` that can do nothing.

use std::net::IpAddr;
use std::path::Path;

use super::address::parse_address;
use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::settings::Settings;
use super::source::Place;
use super::{AutoFailback, Group, MediumKind};

/// Warns of them, and marks the ping nodes whose answers do not count. Those that the groups move were told when
/// `haresources` was read.
pub(super) fn check(
    settings: &mut Settings,
    groups: &[Group],
    directory: &Path,
    out: &mut Diagnostics,
) {
    let words = groups.iter().flat_map(|group| &group.resources);
    let floating: Vec<IpAddr> = words
        .filter_map(|word| Some(parse_address(word)?.ok()?.address))
        .collect();
    let is_floating = |host: &str| host.parse().is_ok_and(|host| floating.contains(&host));
    let mut nodes = std::mem::take(&mut settings.ping_nodes);
    for (node, place) in &mut nodes {
        if node.hosts.iter().any(|host| is_floating(host)) {
            node.counts = false;
        } else if let Some(known) = node.hosts.iter().find_map(|host| member(settings, host)) {
            node.counts = false;
            let message = format!("ping node `{}` is one of the two machines", node.name);
            let warning = Diagnostic::warning(place, message).label(
                "it tells nothing about the network and is not counted; name a router instead",
            );
            out.push(warning.related(known, "known from here"));
        }
    }
    settings.ping_nodes = nodes;
    check_ipfail(settings, directory, out);
}

/// Where a host is known from as a node of the pair, if it is one.
fn member<'a>(settings: &'a Settings, host: &str) -> Option<&'a Place> {
    let name = host.to_ascii_lowercase();
    if let Some(node) = settings.nodes.iter().find(|node| node.text == name) {
        return Some(&node.place);
    }
    let medium = settings
        .media
        .iter()
        .find(|(medium, _)| match &medium.kind {
            MediumKind::Ucast { host: other, .. } | MediumKind::Ucast6 { host: other, .. } => {
                *other == host
            }
            _ => false,
        });
    medium.map(|(_, place)| place)
}

fn check_ipfail(settings: &Settings, directory: &Path, out: &mut Diagnostics) {
    let mut programs = settings.respawn.iter();
    if !programs.any(|(program, _)| program.is_ipfail()) {
        return;
    }
    let sound = |name| settings.is_sound(name);
    let mode = settings.auto_failback.unwrap_or(AutoFailback::Legacy);
    let pings = ["ping", "ping6", "ping_group"];
    let (label, place) = if settings.ping_nodes.is_empty() && pings.iter().all(|name| sound(name)) {
        let label = "there is no ping node to count; add `ping` with the address of a router";
        (label, None)
    } else if mode == AutoFailback::Legacy && sound("auto_failback") && sound("nice_failback") {
        let label =
            "auto_failback set to incompatible legacy option; write `auto_failback on` or `off`";
        (label, settings.place("auto_failback"))
    } else {
        return;
    };
    let message = "`ipfail` can do nothing";
    let file = directory.join("ha.cf").display().to_string().into();
    out.push(match place {
        Some(place) => Diagnostic::warning(place, message).label(label),
        None => Diagnostic::about(Severity::Warning, &file, message).help(label),
    });
}
