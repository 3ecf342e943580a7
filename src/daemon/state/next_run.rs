//! Which run of this node comes next, by what its two files say, and what is written into them: rules alone, so that
//! the simulator goes by the same.

use super::host_cache::HostCache;
use crate::cluster::PeerMemory;

/// How many generations a run may use: a node that its peer holds for dead has to come back as another run,
/// and there must be no waiting for a disk before it does. Not more than that: where the state directory is lost,
/// the time in seconds has to be above all that earlier runs used.
pub const GENERATIONS_OF_A_RUN: u64 = 100;

/// Fifteen digits is what the file has room for.
const MAX_GENERATION: u64 = 999_999_999_999_999;

/// What is in the state directory; `None` where there is no such file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Left<'a> {
    /// `hb_generation`
    pub generation: Option<&'a [u8]>,
    /// `hostcache`
    pub host_cache: Option<&'a [u8]>,
}

/// How a file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// As it was written.
    Whole,
    /// It is not there, or empty.
    Missing,
    /// Something else is in it.
    Damaged,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextRun {
    /// This run.
    pub generation: u64,
    /// The name of a peer, and what an earlier run saw of it.
    pub peer: Option<(String, PeerMemory)>,
    /// How `hb_generation` was found.
    pub generation_file: Condition,
    /// How `hostcache` was found.
    pub host_cache: Condition,
}

/// The generation is too high for the file to have room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooHigh;

impl NextRun {
    /// One more than the highest that is known; the time when nothing is known. `prefers_time`: `hbgenmethod time`.
    ///
    /// # Errors
    /// When the file has no room for the numbers of this run.
    pub fn after(left: Left<'_>, prefers_time: bool, wall_seconds: u64) -> Result<Self, TooHigh> {
        let cache = left.host_cache.and_then(parse_cache);
        let stored = left.generation.and_then(parse_generation);
        let copy = cache.as_ref().map(|cache| cache.generation);
        let known = match (stored, copy) {
            (Some(stored), copy) => Some(stored.max(copy.unwrap_or(0))),
            // The copy is older than the file by nothing but a crash between the two writes.
            (None, Some(copy)) => Some(copy.saturating_add(1)),
            (None, None) => None,
        };
        let from_time = wall_seconds.min(MAX_GENERATION).saturating_add(1);
        let generation = match known {
            // Deleting the file is how an operator gets above whatever the peer remembers.
            Some(known) if prefers_time || stored.is_none() => {
                known.saturating_add(1).max(from_time)
            }
            Some(known) => known.saturating_add(1),
            None => from_time,
        };
        if generation > MAX_GENERATION - GENERATIONS_OF_A_RUN {
            return Err(TooHigh);
        }
        Ok(Self {
            generation,
            generation_file: condition(left.generation, stored.is_some()),
            host_cache: condition(left.host_cache, cache.is_some()),
            peer: cache.and_then(|cache| cache.peer),
        })
    }

    /// This run may go on under later numbers, up to this one, which is what is stored.
    pub fn last_generation(&self) -> u64 {
        self.generation + (GENERATIONS_OF_A_RUN - 1)
    }

    /// What is stored in `hb_generation` before the first message of this run.
    pub fn generation_text(&self) -> String {
        format!("{:15}\n", self.last_generation())
    }
}

/// What is stored in `hostcache`: a second copy of the last generation of a run, and what that knows of the peer.
pub fn host_cache_text(last_generation: u64, peer: Option<(String, PeerMemory)>) -> String {
    let cache = HostCache {
        generation: last_generation,
        peer,
    };
    cache.to_string()
}

fn condition(bytes: Option<&[u8]>, is_whole: bool) -> Condition {
    match bytes {
        _ if is_whole => Condition::Whole,
        None | Some([]) => Condition::Missing,
        Some(_) => Condition::Damaged,
    }
}

fn parse_cache(bytes: &[u8]) -> Option<HostCache> {
    std::str::from_utf8(bytes).ok().and_then(HostCache::parse)
}

/// The number that `hb_generation` holds; none when it is damaged.
pub fn parse_generation(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?.trim_matches([' ', '\n']);
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|&generation| is_number && generation > 0 && generation < MAX_GENERATION)
}
