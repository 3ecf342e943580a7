//! The files that outlive a restart.

use heartbeat::daemon::state::HostCache;
use heartbeat::daemon::state::next_run::{
    Left, NextRun, TooHigh, host_cache_text, parse_generation,
};

use super::steered;

/// Any bytes as the generation and as what is remembered of the peer: what is read is written as it was, and whatever
/// is damaged the next generation is above all that is known.
pub fn state(input: &[u8]) {
    let (numbers, file) = steered::<16>(input);
    let numbers = u128::from_le_bytes(numbers).to_le_bytes();
    let (copy, clock) = numbers.split_at(8);
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |all, &byte| all << 8 | u64::from(byte))
    };
    // Most numbers that occur are small.
    let (copy, clock) = (number(copy) >> (number(clock) % 64), number(clock));
    let stored = parse_generation(file);
    for prefers_time in [false, true] {
        for copy in [None, Some(copy)] {
            let cache = copy.map(|copy| host_cache_text(copy, None));
            let host_cache = cache.as_deref().map(str::as_bytes);
            let after = |generation: Option<&[u8]>| {
                let left = Left {
                    generation,
                    host_cache,
                };
                NextRun::after(left, prefers_time, clock)
            };
            let copy = cache.as_deref().and_then(HostCache::parse);
            let copy = copy.map(|cache| cache.generation);
            let next = after(Some(file));
            if let Ok(next) = &next {
                assert!(stored.is_none_or(|stored| next.generation > stored));
                assert!(copy.is_none_or(|copy| next.generation > copy));
                let text = next.generation_text();
                let last = Some(next.last_generation());
                assert_eq!(parse_generation(text.as_bytes()), last, "{text:?}");
            } else {
                let highest = stored.max(copy).max(Some(clock));
                assert!(highest > Some(999_999_999_999_000), "{highest:?}");
            }
            let generation = |next: Result<NextRun, TooHigh>| next.map(|next| next.generation);
            assert!(
                stored.is_some() || generation(after(None)) == generation(next),
                "damaged is as good as lost"
            );
        }
    }
    let Ok(text) = std::str::from_utf8(file) else {
        return;
    };
    remembered(text);
    // With the right checksum, so that it is looked at.
    let digest = crc::Crc::<u32>::new(&crc::CRC_32_CKSUM).checksum(file);
    remembered(&format!("{text}checksum {digest:08x}\n"));
}

fn remembered(text: &str) {
    if let Some(cache) = HostCache::parse(text) {
        let written = cache.to_string();
        assert!(written.len() <= text.len() + 100);
        assert_eq!(HostCache::parse(&written), Some(cache), "{written}");
    }
}
