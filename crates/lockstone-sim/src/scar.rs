//! What cut operations leave behind in a block.
//!
//! A block has a scar only if something happened to it: bits that read differently each time, units with uncorrectable
//! errors, an erase that looks finished and is not, and the bytes that cut programs were asked to write. A whole erase
//! removes the scar. Addresses are those of the chip.
//!
//! Tested by the suites `tears` and `faults`.

use std::ops::Range;

use crate::random::Random;

/// Masks over a stretch of the chip; outside the stretch every mask is 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    start: usize,
    masks: Vec<u8>,
}

impl Window {
    fn end(&self) -> usize {
        self.start + self.masks.len()
    }

    /// The masks of `range`, after growing the stretch to hold it.
    pub(crate) fn cover(&mut self, range: Range<usize>) -> &mut [u8] {
        if self.masks.is_empty() {
            self.start = range.start;
        }
        if range.start < self.start {
            let missing = self.start - range.start;
            self.masks.splice(0..0, std::iter::repeat_n(0, missing));
            self.start = range.start;
        }
        if range.end > self.end() {
            self.masks.resize(range.end - self.start, 0);
        }
        &mut self.masks[range.start - self.start..range.end - self.start]
    }

    pub(crate) fn overlap(&self, range: &Range<usize>) -> Range<usize> {
        let start = range.start.max(self.start);
        start..range.end.min(self.end()).max(start)
    }

    pub(crate) fn masks(&self, range: Range<usize>) -> &[u8] {
        if range.is_empty() { &[] } else { &self.masks[range.start - self.start..range.end - self.start] }
    }

    fn masks_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        if range.is_empty() { &mut [] } else { &mut self.masks[range.start - self.start..range.end - self.start] }
    }
}

/// The bytes that a cut program was asked to write, whole units only.
#[derive(Clone, Debug)]
struct Wanted {
    address: usize,
    bytes: Vec<u8>,
}

impl Wanted {
    fn at(&self, range: &Range<usize>) -> Option<&[u8]> {
        let start = range.start.checked_sub(self.address)?;
        self.bytes.get(start..start + range.len())
    }
}

/// All that is wrong with a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scar {
    /// Bits that read as a coin falls.
    pub(crate) unstable: Window,
    /// All bits of units with uncorrectable errors.
    pub(crate) ecc: Window,
    /// The block reads blank and is not fit to be programmed.
    pub(crate) weak: bool,
    wanted: Vec<Wanted>,
}

impl Scar {
    pub(crate) fn has_ecc(&self, range: &Range<usize>) -> bool {
        self.ecc.masks(self.ecc.overlap(range)).iter().any(|&mask| mask != 0)
    }

    /// Tosses every unstable bit of `range` in `bytes`, which are the bytes from `range.start` on.
    pub(crate) fn toss(&self, range: &Range<usize>, bytes: &mut [u8], random: &mut Random) {
        let overlap = self.unstable.overlap(range);
        let first = overlap.start - range.start;
        for (byte, &mask) in bytes.iter_mut().skip(first).zip(self.unstable.masks(overlap)) {
            if mask != 0 {
                *byte ^= random.byte() & mask;
            }
        }
    }

    /// Remembers what a cut program wanted one unit to be.
    pub(crate) fn want(&mut self, address: usize, bytes: &[u8]) {
        if self.wanted(&(address..address + bytes.len())).is_some() {
            return;
        }
        match self.wanted.last_mut() {
            Some(last) if last.address + last.bytes.len() == address => last.bytes.extend_from_slice(bytes),
            _ => self.wanted.push(Wanted { address, bytes: bytes.to_vec() }),
        }
    }

    /// What a cut program wanted the unit at `range` to be.
    pub(crate) fn wanted(&self, range: &Range<usize>) -> Option<&[u8]> {
        self.wanted.iter().find_map(|wanted| wanted.at(range))
    }

    pub(crate) fn forget_wanted(&mut self) {
        self.wanted.clear();
    }

    /// Steadies the cells of `range` that a completed program has driven; `driven` holds their masks.
    pub(crate) fn heal(&mut self, range: &Range<usize>, driven: &[u8]) {
        let overlap = self.unstable.overlap(range);
        let first = overlap.start - range.start;
        let masks = self.unstable.masks_mut(overlap).iter_mut();
        masks.zip(&driven[first.min(driven.len())..]).for_each(|(mask, driven)| *mask &= !driven);
        let overlap = self.ecc.overlap(range);
        self.ecc.masks_mut(overlap).fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::{Scar, Window};

    #[test]
    fn a_window_grows_both_ways_and_keeps_its_masks() {
        let mut window = Window::default();
        window.cover(100..102).fill(1);
        window.cover(98..99).fill(2);
        window.cover(104..105).fill(3);
        assert_eq!(window.start, 98);
        assert_eq!(window.masks, [2, 0, 1, 1, 0, 0, 3]);
    }

    #[test]
    fn a_read_beside_the_window_sees_nothing() {
        let mut window = Window::default();
        window.cover(100..104).fill(1);
        for range in [0..100, 104..200, 90..95, 101..101] {
            assert!(window.masks(window.overlap(&range)).is_empty(), "{range:?}");
        }
        assert_eq!(window.masks(window.overlap(&(102..300))), [1, 1]);
    }

    #[test]
    fn wanted_units_join_and_the_first_word_stays() {
        let mut scar = Scar::default();
        scar.want(8, &[1, 2]);
        scar.want(10, &[3, 4]);
        scar.want(8, &[9, 9]);
        assert_eq!(scar.wanted.len(), 1);
        assert_eq!(scar.wanted(&(8..10)), Some(&[1, 2][..]));
        assert_eq!(scar.wanted(&(10..12)), Some(&[3, 4][..]));
        assert_eq!(scar.wanted(&(12..14)), None);
        assert_eq!(scar.wanted(&(6..8)), None);
    }
}
