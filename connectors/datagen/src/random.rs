//! Random numbers that depend on nothing but a seed and an index.

/// The step of splitmix64: 2^64 divided by the golden ratio, odd.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A random number generator for one record: splitmix64.
///
/// Its state starts from a mix of the source's seed and the record's index, so that each record has numbers of its own,
/// whichever reader makes it and however often. The numbers of a seed stay the same in all versions. Not for secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random {
    state: u64,
}

/// The output function of splitmix64, a bijection.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Random {
    /// The generator of record `index` in a source with `seed`.
    pub fn new(seed: u64, index: u64) -> Self {
        // Mixed twice: states one `STEP` apart would give the same numbers one place further.
        Random { state: mix(mix(seed.wrapping_add(STEP)).wrapping_add(index)) }
    }

    /// A number, all of which are equally likely.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// A number from 0 to below `n`, all of which are equally likely; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // The upper half of a product is below `n`. The lowest of its lower halves would be hit once too often.
        let excess = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            if product as u64 >= excess {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number from 0 to below 1, a multiple of 2^-53.
    pub fn f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `true` with probability `p`: never if `p` is 0 or less, always if it is 1 or more.
    pub fn bool(&mut self, p: f64) -> bool {
        self.f64() < p
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // Published outputs for the state 1234567.
        let mut random = Random { state: 1_234_567 };
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
        assert_eq!(random.next_u64(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn seed_and_index_decide_and_neighbours_share_no_numbers() {
        let numbers = |seed, index| {
            let mut random = Random::new(seed, index);
            [random.next_u64(), random.next_u64(), random.next_u64()]
        };
        assert_eq!(numbers(3, 9), numbers(3, 9));
        let all: BTreeSet<u64> = (0..100).flat_map(|seed| (0..100).flat_map(move |index| numbers(seed, index))).collect();
        assert_eq!(all.len(), 100 * 100 * 3);
    }

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        let mut random = Random::new(42, 7);
        let found = [random.next_u64(), random.next_u64()];
        assert_eq!(found, [16_169_483_200_916_908_442, 8_489_882_995_763_731_415]);
    }

    #[test]
    fn numbers_below_a_bound_are_spread_evenly() {
        let mut counts = [0u32; 6];
        for index in 0..60_000 {
            counts[Random::new(1, index).below(6) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        let mut random = Random::new(1, 1);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.below(1), 0);
        assert!((0..1_000).all(|_| random.below(u64::MAX) < u64::MAX));
    }

    #[test]
    fn probabilities_at_and_beyond_the_ends_are_certain() {
        let mut random = Random::new(5, 5);
        assert!((0..1_000).all(|_| random.bool(1.0) && !random.bool(0.0) && !random.bool(-1.0) && random.bool(2.0)));
        let hits = (0..10_000).filter(|_| random.bool(0.25)).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
        assert!((0..1_000).map(|_| random.f64()).all(|unit| (0.0..1.0).contains(&unit)));
    }
}
