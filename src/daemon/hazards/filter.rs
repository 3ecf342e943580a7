//! Packet filters that do not let the peer in.

use super::found;
use super::live::Live;
use super::ruleset::Packet;
use crate::config::{Absence, Medium, MediumKind};

/// Whether what the peer sends on this path is dropped for sure.
pub fn look(live: &Live, medium: &Medium) -> Option<Absence> {
    let port = medium.udp_port()?;
    live.named(&medium.link)?;
    let (kind, source) = match &medium.kind {
        MediumKind::Bcast { .. } => ("broadcast", None),
        MediumKind::Mcast { .. } | MediumKind::Mcast6 { .. } => ("multicast", None),
        MediumKind::Ucast { host, .. } | MediumKind::Ucast6 { host, .. } => {
            let is_own = live
                .addresses
                .iter()
                .any(|entry| host.parse() == Ok(entry.address));
            if is_own {
                return None; // the line is for the other machine
            }
            let is_address = host.parse::<std::net::IpAddr>().is_ok();
            ("host", is_address.then(|| host.clone()))
        }
        MediumKind::Serial { .. } => return None,
    };
    let v6 = matches!(
        medium.kind,
        MediumKind::Ucast6 { .. } | MediumKind::Mcast6 { .. }
    );
    let interface = &medium.link;
    let packet = Packet {
        interface,
        v6,
        port,
        kind,
        source,
    };
    let chain = live.rules()?.drops(&packet)?;
    let help = if chain.contains(" firewalld ") {
        let what = match port {
            694 => "--add-service=heartbeat".to_owned(),
            port => format!("--add-port={port}/udp"),
        };
        format!("firewall-cmd --permanent {what}; firewall-cmd --reload")
    } else {
        format!(
            "nft insert rule {chain} iifname {interface} udp dport {port} accept, and the same where the rules are kept, \
             such as /etc/nftables.conf"
        )
    };
    found(
        format!("the packet filter drops what comes to UDP port {port} on {interface}"),
        format!("in the chain {chain}: the other machine is not heard on this link"),
        help,
    )
}
