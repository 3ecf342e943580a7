//! What the kernel says about network interfaces and their addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::SockaddrIn;

/// One address of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// Interface name.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// The IPv4 broadcast address, where the interface has one.
    pub broadcast: Option<Ipv4Addr>,
}

/// Every address of every interface, in the order of the kernel.
pub fn addresses() -> io::Result<Vec<InterfaceAddress>> {
    let mut found = Vec::new();
    for entry in getifaddrs()? {
        let Some(storage) = entry.address else {
            continue;
        };
        let address = match (storage.as_sockaddr_in(), storage.as_sockaddr_in6()) {
            (Some(v4), _) => IpAddr::V4(v4.ip()),
            (_, Some(v6)) => IpAddr::V6(v6.ip()),
            _ => continue,
        };
        // Where none was configured the C library hands out the address itself.
        let broadcast = entry
            .broadcast
            .and_then(|storage| storage.as_sockaddr_in().map(SockaddrIn::ip))
            .filter(|broadcast| IpAddr::V4(*broadcast) != address && !broadcast.is_unspecified());
        found.push(InterfaceAddress {
            interface: entry.interface_name,
            address,
            broadcast,
        });
    }
    Ok(found)
}

/// The index of an interface; an error of kind `NotFound` or `ENODEV` when there is none of that name.
pub fn index(name: &str) -> io::Result<u32> {
    Ok(if_nametoindex(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_found_by_name() {
        assert!(index("lo").is_ok());
        assert!(index("no-such-if").is_err());
    }
}
