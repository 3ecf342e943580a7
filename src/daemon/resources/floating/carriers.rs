//! Whether the interfaces of floating addresses have a carrier, be the addresses here or not.
//!
//! What the kernel calls a carrier counts: of a bond, a bridge or a VLAN its own, which follows what is below it. An
//! interface that is switched off or gone has none. A dummy, and what else knows of no cable, has one while it is switched
//! on: so says the kernel. The loopback interface tells nothing about who can reach an address.

use std::time::Duration;

use super::FloatingAddresses;
use crate::cluster::Instant;
use crate::config::AddressSpec;
use crate::os::netlink::Interface;
use crate::resource::address::AddressError;

/// Routes come and go without news: where an address without a given interface belongs is found out anew after this time.
const FIND_AGAIN: Duration = Duration::from_secs(60);

impl FloatingAddresses {
    /// Whether all of these groups of addresses have a carrier, in their order, when it is time to look. `None` for a group
    /// of which nothing can be said. Where there are links to look at as well, it is looked all the time.
    pub fn look_for_carriers<'a, G>(
        &mut self,
        now: Instant,
        has_links: bool,
        groups: impl Iterator<Item = G>,
    ) -> Option<Vec<Option<bool>>>
    where
        G: Iterator<Item = &'a AddressSpec>,
    {
        if !self.carriers.is_due(now) {
            return None;
        }
        if now.since(self.carriers.found) >= FIND_AGAIN {
            self.carriers.found = now;
            self.find_places_again();
        }
        let mut groups = groups.map(Iterator::peekable).collect::<Vec<_>>();
        if !has_links && groups.iter_mut().all(|specs| specs.peek().is_none()) {
            self.carriers.rest();
        }
        let groups = groups.into_iter();
        let states = groups.map(|specs| self.carrier_of_all(specs)).collect();
        match states {
            Ok(states) => Some(states),
            Err(error) => {
                log::debug!("Nothing is known of carriers: {error}");
                None
            }
        }
    }

    /// Whether the interface of a link has a carrier: one that is switched off or gone has none. `None` where the kernel
    /// does not say.
    pub fn carrier_of_interface(&mut self, name: &str) -> Option<bool> {
        let interface = self.addresses.interface_named(name).ok()?;
        interface.as_ref().map_or(Some(false), carrier)
    }

    /// Looks at the next opportunity.
    pub fn look_for_carriers_again(&mut self) {
        self.carriers.look_now();
    }

    fn carrier_of_all<'a>(
        &mut self,
        specs: impl Iterator<Item = &'a AddressSpec>,
    ) -> Result<Option<bool>, AddressError> {
        let mut all = None;
        for spec in specs {
            let one = self.carrier(spec)?;
            all = match (all, one) {
                (Some(all), Some(one)) => Some(all && one),
                (all, one) => all.or(one),
            };
        }
        Ok(all)
    }

    fn carrier(&mut self, spec: &AddressSpec) -> Result<Option<bool>, AddressError> {
        let held = self.held.get(&spec.address).map(|held| held.index);
        let interface = match (held, &spec.interface) {
            (Some(index), _) => self.addresses.interface(index)?,
            (None, Some(name)) => self.addresses.interface_named(name)?,
            (None, None) => match self.place_of(spec)? {
                Some(index) => self.addresses.interface(index)?,
                None => None,
            },
        };
        Ok(interface.as_ref().map_or(Some(false), carrier))
    }

    fn place_of(&mut self, spec: &AddressSpec) -> Result<Option<u32>, AddressError> {
        if let Some(index) = self.carriers.places.get(&spec.address) {
            return Ok(Some(*index));
        }
        match self.addresses.place(spec) {
            Ok(place) => {
                let index = place.interface.index;
                self.carriers.places.insert(spec.address, index);
                Ok(Some(index))
            }
            Err(AddressError::Placement(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn find_places_again(&mut self) {
        for (address, index) in &mut self.carriers.places {
            match self.addresses.place(&AddressSpec::bare(*address)) {
                Ok(place) => *index = place.interface.index,
                Err(AddressError::Placement(_)) => {}
                // A kernel that does not answer would be asked again for each of them.
                Err(_) => return,
            }
        }
    }
}

fn carrier(interface: &Interface) -> Option<bool> {
    (!interface.loopback).then_some(interface.up && interface.running)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_switched_off_or_unplugged_has_none_and_the_loopback_tells_nothing() {
        let interface = |up, running, loopback| Interface {
            index: 2,
            name: "eth0".into(),
            up,
            running,
            loopback,
            ethernet: None,
        };
        for (up, running, loopback, expected) in [
            (true, true, false, Some(true)),
            (true, false, false, Some(false)),
            (false, false, false, Some(false)),
            (true, true, true, None),
        ] {
            assert_eq!(carrier(&interface(up, running, loopback)), expected);
        }
    }
}
