//! A flag for each program unit.
//!
//! Sixty-four units to the word, ranges handled by whole words: asking whether any unit of a long write has been
//! programmed already costs next to nothing.
//!
//! Tested below against one flag at a time.

use std::ops::Range;

/// A fixed number of flags.
#[derive(Debug)]
pub(crate) struct BitSet(Vec<u64>);

impl Clone for BitSet {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }

    fn clone_from(&mut self, source: &Self) {
        self.0.clone_from(&source.0);
    }
}

impl BitSet {
    pub(crate) fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    pub(crate) fn get(&self, index: usize) -> bool {
        self.0[index / 64] >> (index % 64) & 1 == 1
    }

    pub(crate) fn insert(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    pub(crate) fn remove(&mut self, index: usize) {
        self.0[index / 64] &= !(1 << (index % 64));
    }

    pub(crate) fn any(&self, range: Range<usize>) -> bool {
        words(range).any(|(word, mask)| self.0[word] & mask != 0)
    }

    pub(crate) fn insert_all(&mut self, range: Range<usize>) {
        words(range).for_each(|(word, mask)| self.0[word] |= mask);
    }

    pub(crate) fn remove_all(&mut self, range: Range<usize>) {
        words(range).for_each(|(word, mask)| self.0[word] &= !mask);
    }
}

/// The words that a range of flags lies in, each with the mask of the flags inside.
fn words(range: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
    let Range { start, end } = range;
    (start / 64..end.div_ceil(64)).map(move |word| {
        let low = start.saturating_sub(word * 64);
        let high = (end - word * 64).min(64);
        (word, if low >= high { 0 } else { (!0 >> (64 - (high - low))) << low })
    })
}

#[cfg(test)]
mod tests {
    use super::BitSet;

    #[test]
    fn ranges_agree_with_single_flags() {
        for start in 0..140 {
            for end in start..140 {
                let mut set = BitSet::new(140);
                set.insert_all(start..end);
                assert!((0..140).all(|index| set.get(index) == (start..end).contains(&index)), "{start}..{end}");
                assert_eq!(set.any(0..140), start != end);
                assert!(!set.any(0..start) && !set.any(end..140) && !set.any(start..start));
                set.remove_all(start..end);
                assert!(!set.any(0..140));
            }
        }
    }

    #[test]
    fn single_flags_come_and_go() {
        let mut set = BitSet::new(70);
        set.insert(69);
        assert!(set.get(69) && set.any(64..70));
        set.remove(69);
        assert!(!set.any(0..70));
    }
}
