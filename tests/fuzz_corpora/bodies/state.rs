//! The files that outlive a restart.

use heartbeat::daemon::state::{HostCache, generation_after, generation_text, parse_generation};

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
    if let Some(stored) = stored {
        assert!((1..999_999_999_999_999).contains(&stored));
        assert_eq!(
            parse_generation(generation_text(stored).as_bytes()),
            Some(stored)
        );
    }
    for from_time in [false, true] {
        for copy in [None, Some(copy)] {
            let next = generation_after(Some(file), copy, from_time, clock);
            assert!(stored.is_none_or(|stored| next > stored));
            assert!(copy.is_none_or(|copy| next > copy || copy >= u64::MAX - 2));
            let lost = generation_after(None, copy, from_time, clock);
            assert!(
                stored.is_some() || lost == next,
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
