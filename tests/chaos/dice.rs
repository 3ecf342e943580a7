//! Numbers without any order, the same for the same seed.

/// The seed that somebody asked for, or the usual one.
pub fn seed(usual: u64) -> u64 {
    std::env::var("HB_CHAOS_SEED").map_or(usual, |text| {
        text.parse().expect("HB_CHAOS_SEED is a number")
    })
}

/// Where the next number comes from.
pub struct Dice(u64);

impl Dice {
    /// Any seed will do.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`, which is not 0.
    pub fn roll(&mut self, sides: usize) -> usize {
        // splitmix64: with a weaker one, what follows the choice of a node depends on it.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let sides = u64::try_from(sides).expect("few sides");
        usize::try_from(mixed % sides).expect("less than the sides")
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}
