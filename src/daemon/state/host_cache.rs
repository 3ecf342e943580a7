//! The text of the file that remembers the peer, and a second copy of our own generation.
//!
//! ```text
//! heartbeat-rs hostcache 1
//! generation 1795198608
//! peer bb 958e11be8686759f1b99204c17812f2c 1795198640 4711
//! checksum 12345678
//! ```

use std::fmt::{self, Write as _};

use crc::{CRC_32_CKSUM, Crc};

use crate::cluster::PeerMemory;

/// Its name in the state directory.
pub const FILE: &str = "hostcache";

const HEAD: &str = "heartbeat-rs hostcache 1\n";
/// Ends the line of a peer of which it was never found out whether it was down.
const IN_DOUBT: &str = "in-doubt";
const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_CKSUM);

/// What is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCache {
    /// Our own.
    pub generation: u64,
    /// The peer's name, and what was seen of it.
    pub peer: Option<(String, PeerMemory)>,
}

impl HostCache {
    /// `None` for anything that `Display` didn't write.
    pub fn parse(text: &str) -> Option<Self> {
        let (body, checksum) = text.rsplit_once("checksum ")?;
        if u32::from_str_radix(checksum.trim_end(), 16).ok()? != CHECKSUM.checksum(body.as_bytes())
        {
            return None;
        }
        let mut lines = body.strip_prefix(HEAD)?.lines();
        let generation = lines.next()?.strip_prefix("generation ")?.parse().ok()?;
        let peer = match lines.next() {
            Some(line) => Some(parse_peer(line)?),
            None => None,
        };
        Some(Self { generation, peer })
    }
}

fn parse_peer(line: &str) -> Option<(String, PeerMemory)> {
    let mut words = line.strip_prefix("peer ")?.split(' ');
    let name = words.next()?.to_owned();
    let uuid = match words.next()? {
        "-" => None,
        hex => Some(uuid::Uuid::try_parse(hex).ok()?.into_bytes()),
    };
    let generation = words.next()?.parse().ok()?;
    let sequence = words.next()?.parse().ok()?;
    let in_doubt = words.next() == Some(IN_DOUBT);
    Some((
        name,
        PeerMemory {
            uuid,
            generation,
            sequence,
            in_doubt,
        },
    ))
}

impl fmt::Display for HostCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut body = format!("{HEAD}generation {}\n", self.generation);
        if let Some((
            name,
            PeerMemory {
                uuid,
                generation,
                sequence,
                in_doubt,
            },
        )) = &self.peer
        {
            let uuid = uuid.map_or_else(
                || "-".into(),
                |uuid| uuid::Uuid::from_bytes(uuid).simple().to_string(),
            );
            let doubt = if *in_doubt {
                [" ", IN_DOUBT].concat()
            } else {
                String::new()
            };
            writeln!(body, "peer {name} {uuid} {generation} {sequence}{doubt}")?;
        }
        writeln!(
            f,
            "{body}checksum {:08x}",
            CHECKSUM.checksum(body.as_bytes())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> HostCache {
        let peer = PeerMemory {
            uuid: Some([0xab; 16]),
            generation: 12,
            sequence: 3456,
            in_doubt: false,
        };
        HostCache {
            generation: 99,
            peer: Some(("bb".into(), peer)),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let without_uuid = PeerMemory {
            uuid: None,
            generation: 1,
            sequence: 0,
            in_doubt: false,
        };
        let cases = [
            example(),
            HostCache {
                generation: 1,
                peer: None,
            },
            HostCache {
                generation: u64::MAX,
                peer: Some(("bb".into(), without_uuid)),
            },
        ];
        for cache in cases {
            assert_eq!(HostCache::parse(&cache.to_string()), Some(cache));
        }
    }

    #[test]
    fn no_changed_bit_goes_unnoticed() {
        let text = example().to_string();
        for position in 0..text.len() - 1 {
            for bit in 0..7 {
                let mut bytes = text.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                let read = String::from_utf8(bytes)
                    .ok()
                    .and_then(|text| HostCache::parse(&text));
                assert!(
                    read.is_none_or(|cache| cache == example()),
                    "byte {position}, bit {bit}"
                );
            }
        }
    }

    #[test]
    fn a_truncated_file_is_no_file() {
        let text = example().to_string();
        for length in 0..text.len() - 1 {
            assert_eq!(HostCache::parse(&text[..length]), None, "{length} bytes");
        }
    }
}
