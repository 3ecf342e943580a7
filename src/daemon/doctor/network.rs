//! Who has the floating addresses, seen from outside: the network is asked as before a take-over, without a claim.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::super::clock;
use crate::config::AddressSpec;
use crate::os::claim_tap::ClaimTap;
use crate::os::packet::{PacketSocket, written};
use crate::os::process::pause;
use crate::resource::address::Addresses;
use crate::resource::inquiry::question;

/// A question may be lost, and so may its answer.
const QUESTIONS: u32 = 3;
/// From one to the next; the answers to the last are waited for as long.
const BETWEEN: Duration = Duration::from_millis(200);
/// How often it is looked for answers.
const LOOK: Duration = Duration::from_millis(20);

/// What was seen of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The address.
    pub address: IpAddr,
    /// The interface of this machine that has it.
    pub here: Option<String>,
    /// The Ethernet addresses of other machines that say they have it.
    pub answers: Vec<String>,
    /// Why the network could not be asked.
    pub unasked: Option<String>,
}

/// Where to ask for one.
struct Question {
    address: IpAddr,
    interface: u32,
    ethernet: [u8; 6],
}

/// Looks for all of them at once. Takes a second at the most.
pub fn look(specs: &[AddressSpec]) -> Vec<Seen> {
    let mut seen: BTreeMap<IpAddr, Seen> = BTreeMap::new();
    for spec in specs {
        let address = spec.address;
        let nothing = Seen {
            address,
            here: None,
            answers: Vec::new(),
            unasked: None,
        };
        seen.insert(address, nothing);
    }
    if let Err(error) = find(specs, &mut seen) {
        for one in seen.values_mut() {
            one.unasked.get_or_insert_with(|| error.clone());
        }
    }
    seen.into_values().collect()
}

fn find(specs: &[AddressSpec], seen: &mut BTreeMap<IpAddr, Seen>) -> Result<(), String> {
    let mut addresses = Addresses::open().map_err(|error| error.to_string())?;
    let own = addresses.hardware().map_err(|error| error.to_string())?;
    let mut questions = Vec::new();
    for spec in specs {
        let holders = addresses.holders(spec).map_err(|error| error.to_string())?;
        let place = addresses.place(spec).map(|placement| placement.interface);
        let Some(one) = seen.get_mut(&spec.address) else {
            continue;
        };
        one.here = holders.first().map(|interface| interface.name.clone());
        let interface = match (holders.into_iter().next(), place) {
            (Some(interface), _) | (None, Ok(interface)) => interface,
            (None, Err(error)) => {
                one.unasked = Some(error.to_string());
                continue;
            }
        };
        match interface.ethernet {
            Some(ethernet) => questions.push(Question {
                address: spec.address,
                interface: interface.index,
                ethernet,
            }),
            None => one.unasked = Some(format!("{} is no Ethernet interface", interface.name)),
        }
    }
    let answers = ask(&questions).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => "only root may ask the network".to_owned(),
        _ => format!("cannot ask the network: {error}"),
    })?;
    for (address, ethernet) in answers {
        if let Some(one) = seen.get_mut(&address).filter(|_| !own.contains(&ethernet)) {
            one.answers.push(written(ethernet));
        }
    }
    Ok(())
}

/// Every answer once.
fn ask(questions: &[Question]) -> io::Result<BTreeSet<(IpAddr, [u8; 6])>> {
    let mut answers = BTreeSet::new();
    if questions.is_empty() {
        return Ok(answers);
    }
    let socket = PacketSocket::open()?;
    let taps = [ClaimTap::open(true)?, ClaimTap::open(false)?];
    for tap in &taps {
        tap.only(questions.iter().map(|question| question.address))?;
    }
    for _ in 0..QUESTIONS {
        for one in questions {
            // An interface that is down has nobody to ask; who does not answer is told of anyway.
            let _ = socket.send(one.interface, &question(one.address, one.ethernet));
        }
        let until = clock::now() + BETWEEN;
        while clock::now() < until {
            pause(LOOK);
            for tap in &taps {
                hear(tap, &mut answers)?;
            }
        }
    }
    Ok(answers)
}

fn hear(tap: &ClaimTap, answers: &mut BTreeSet<(IpAddr, [u8; 6])>) -> io::Result<()> {
    loop {
        match tap.receive() {
            Ok(Some(claim)) => {
                answers.insert((claim.address, claim.ethernet));
            }
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
