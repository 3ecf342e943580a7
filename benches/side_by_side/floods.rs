//! A stranger on both segments who throws packets at one node of a pair.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use super::ammunition::{self, Kind, Route};
use super::endurance::{HOSTS, KEEPALIVE, Pairing};
use super::gun::Gun;
use super::lab::namespace::{Namespace, run};
use super::lab::network;
use super::scenario::lasting;
use super::series::{Series, number};
use super::sheet::{Bar, Sheet};
use super::system::System;

const SECONDS: u64 = 60;
/// Packets a second on each segment; as many as one thread can send.
const RATES: [(&str, Option<u32>); 2] = [("2,000/s", Some(2000)), ("one core", None)];
/// The node that is thrown at: the one that waits for the other's death.
const VICTIM: usize = 1;
/// How late a heartbeat may leave, in milliseconds, where a processor is free for the daemon.
const LATE: f64 = 10.0;
/// KiB that memory may have grown by: buffers reach their size in the first packets.
const GROWTH: f64 = 256.0;
/// The stranger's last byte.
const STRANGER: u8 = 66;
/// How much of what the pair says is recorded. Some of it is lost, so that requests for it are among it.
const RECORDED: Duration = Duration::from_secs(10);
const LOSS: u8 = 20;
/// The first packets grow buffers to their size before anything counts.
const WARM: Duration = Duration::from_secs(2);
/// How long a pair may take until it serves again.
const RECOVERY: Duration = Duration::from_secs(30);

/// Measures all systems.
pub fn measure(sheet: &mut Sheet) {
    for system in sheet.systems() {
        let mut pairs = 0;
        let mut target = None;
        for kind in Kind::ALL {
            for (rate, each) in RATES {
                // One that does not recover is replaced.
                target = target.filter(|target: &Target| target.pairing.serves_within(RECOVERY));
                if target.is_none() {
                    pairs += 1;
                    match Target::new(system, pairs) {
                        Ok(new) => target = Some(new),
                        Err(reason) => sheet.remark(reason),
                    }
                }
                if let Some(target) = &target {
                    target.flood(sheet, kind, (rate, each));
                }
            }
        }
    }
    sheet.remark("keepalive 100 ms, deadtime 500 ms, two links, both flooded; keepalived has one, and signs (AH) with an interval of 1 s");
}

/// A pair, and a stranger who has listened to it.
struct Target {
    pairing: Pairing,
    stranger: Namespace,
    _cables: [network::Cable; 2],
    recording: Vec<Vec<u8>>,
}

impl Target {
    fn new(system: System, number: usize) -> Result<Self, String> {
        let stranger = Namespace::new(":");
        let pairing = Pairing::serving(system, &format!("f{}{number}", system.letter()), true)?;
        let cables = [
            pairing
                .networks
                .service
                .attach(&stranger, "eth0", address(0, STRANGER)),
            pairing
                .networks
                .private
                .attach(&stranger, "eth1", address(1, STRANGER)),
        ];
        if system != System::Keepalived && network::can_lose().is_ok() {
            pairing.lose(LOSS);
        }
        let recording = ammunition::record(&stranger, RECORDED);
        if system != System::Keepalived && network::can_lose().is_ok() {
            pairing.lose(0);
        }
        if recording.is_empty() {
            return Err(format!("nothing is heard of {system}"));
        }
        Ok(Self {
            pairing,
            stranger,
            _cables: cables,
            recording,
        })
    }

    fn flood(&self, sheet: &mut Sheet, kind: Kind, (rate, each): (&str, Option<u32>)) {
        let pairing = &self.pairing;
        let system = pairing.system;
        let gun = Gun::fire(&self.stranger, self.magazines(kind), each);
        thread::sleep(WARM);
        let (since, sent) = (pairing.mark(), gun.sent());
        let time = lasting(SECONDS);
        thread::sleep(time);
        let sent = gun.sent() - sent;
        let deaths = pairing.false_deaths(&since);
        let pause = pairing.longest_pause(&since, VICTIM);
        let used = pairing.used_since(&since, VICTIM);
        let lines = pairing.lines(&since, VICTIM);
        let most = pairing.most_lines_in_a_second(&since, VICTIM);
        drop(gun);

        eprintln!("{system}: {}, {rate}: {deaths} false deaths", kind.name());
        let seconds = time.as_secs_f64();
        let latest = KEEPALIVE.as_secs_f64() * 1e3 + LATE;
        let mut add = |what: &str, unit, value: f64, bar: Option<f64>| {
            let bar = bar.filter(|_| system == System::Ours);
            let bars: Vec<Bar> = bar.map(Bar::Median).into_iter().collect();
            let figure = format!("{}, {rate}: {what}", kind.name());
            sheet.add(&figure, system, unit, Series::new([value]), &bars);
        };
        add("false deaths", "", number(deaths), Some(0.0));
        if system != System::Keepalived {
            // A backup of keepalived says nothing.
            let pause = pause.as_secs_f64() * 1e3;
            add(
                "longest pause between two heartbeats",
                "ms",
                pause,
                Some(latest),
            );
        }
        let resident = number(usize::try_from(used.resident).unwrap_or(usize::MAX));
        add("memory grown by", "KiB", resident, Some(GROWTH));
        add("most log lines in a second", "", number(most), Some(1.0));
        add("log lines in all", "", number(lines), None);
        add("packets sent a second", "", count(sent) / seconds, None);
        let processor = used.processor.as_secs_f64();
        add("of a processor", "%", processor / seconds * 100.0, None);
        if system != System::Keepalived {
            add(
                "packets read a second",
                "",
                count(used.datagrams) / seconds,
                None,
            );
            let each = processor * 1e9 / count(used.datagrams.max(1));
            add("processor time for each packet read", "ns", each, None);
        }
    }

    /// What is thrown on each interface.
    fn magazines(&self, kind: Kind) -> Vec<(&'static str, Vec<Vec<u8>>)> {
        let recording = &self.recording;
        match self.pairing.system {
            System::Ours | System::Original => {
                let segments = [(0, "eth0"), (1, "eth1")];
                let frames = segments.map(|(segment, interface)| {
                    let route = self.route(segment, interface);
                    (interface, ammunition::for_heartbeat(kind, recording, route))
                });
                frames.into()
            }
            System::Keepalived => {
                let route = self.route(0, "eth0");
                vec![("eth0", ammunition::for_keepalived(kind, recording, route))]
            }
        }
    }

    fn route(&self, segment: u8, interface: &str) -> Route {
        let victim = &self.pairing.machine(VICTIM).namespace;
        let shown = victim.within(|| run("ip", &["-o", "link", "show", "dev", interface]).stdout);
        let text = String::from_utf8_lossy(&shown).into_owned();
        let word = text
            .split_whitespace()
            .skip_while(|word| *word != "link/ether")
            .nth(1);
        let bytes = word.unwrap_or_default().split(':');
        let bytes = bytes.map(|word| u8::from_str_radix(word, 16));
        let bytes: Vec<u8> = bytes.map_while(Result::ok).collect();
        Route {
            ethernet: bytes.try_into().expect("an interface has an address"),
            to: address(segment, HOSTS[VICTIM]),
            from: address(segment, HOSTS[1 - VICTIM]),
        }
    }
}

fn address(segment: u8, host: u8) -> Ipv4Addr {
    match segment {
        0 => Ipv4Addr::new(10, 77, 1, host),
        _ => Ipv4Addr::new(192, 168, 9, host),
    }
}

fn count(packets: u64) -> f64 {
    number(usize::try_from(packets).unwrap_or(usize::MAX))
}
