//! Small dice.
//!
//! The only source of randomness of the simulator: splitmix64, eight bytes of state, the same sequence for the same seed
//! on every machine.
//!
//! Tested below and by the determinism tests of the suites.

/// A seeded generator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[7]
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() >> 63 == 1
    }

    /// A number below `limit`, or 0 if the limit is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let wide = u128::from(self.next()) * limit as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// A random subset of the set bits of `whole`. How dense the subset is (from 1/16 to 15/16) is random too, so that
    /// nearly empty and nearly full subsets are as likely as even ones.
    pub(crate) fn subset(&mut self, whole: &[u8]) -> Vec<u8> {
        let density = self.below(5);
        let mut chosen = whole.to_vec();
        for chunk in chosen.chunks_mut(8) {
            let mask = self.mask(density).to_le_bytes();
            chunk.iter_mut().zip(mask).for_each(|(byte, mask)| *byte &= mask);
        }
        chosen
    }

    fn mask(&mut self, density: usize) -> u64 {
        match density {
            0 => self.next() & self.next() & self.next() & self.next(),
            1 => self.next() & self.next(),
            2 => self.next(),
            3 => self.next() | self.next(),
            _ => self.next() | self.next() | self.next() | self.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn below_stays_below_and_reaches_every_number() {
        let mut random = Random::new(1);
        let mut seen = [false; 7];
        (0..1000).for_each(|_| seen[random.below(7)] = true);
        assert_eq!(seen, [true; 7]);
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn a_subset_has_no_foreign_bits() {
        let mut random = Random::new(2);
        let whole: Vec<u8> = (0..100).collect();
        for _ in 0..100 {
            let chosen = random.subset(&whole);
            assert!(chosen.iter().zip(&whole).all(|(chosen, whole)| chosen & !whole == 0));
        }
    }
}
