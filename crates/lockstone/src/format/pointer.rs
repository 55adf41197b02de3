//! Pointers of the index: which record stands for a subtree.
//!
//! ```text
//! bits 31..26  level: the bit of the hash at which the subtree's keys differ from the record's (0-63)
//! bits 25..0   reference: place in units, in as many bits as the part has places; above it, as far as bits remain,
//!              the record's length in steps, so that one read fetches it
//! then         check, 4 bytes sealed, 2 plain: how the tag of the record pointed to begins, but for the top five bits
//!              bit -1      side: the bit at this level of the record that has the pointer
//!              bit -2      whole: at most one branch goes on from there, so that all of that record is worth reading
//!              bits -5..-3 glimpse of the hash of the only record there; 0: none
//! ```
//!
//! Heads in RAM are the same, with all of the check; in place of the level, one knows five bits of the hash of its record if that
//! is alone in its bucket, so that others are told from it without reading. A reference names a physical place; the life of the segment that it means
//! follows from the newest sequence number, and the tag of the record is bound to both. At place 0 stands a header,
//! never a record, so a reference is never 0.

use super::{low_word, put_word, word};
use crate::layout::{Layout, Position, REFERENCE_BITS};
use crate::seal::Suite;

const REFERENCE_MASK: u32 = (1 << REFERENCE_BITS) - 1;
/// In the digest of all heads: this is a reference, not nothing.
const PRESENT: u32 = 1 << 31;

/// Bytes of one pointer on flash.
pub(crate) const fn pointer_length<S: Suite>() -> usize {
    4 + S::CHECK
}

/// A record as others see it: where it is, about how long, how its tag begins, and at which level it branches off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    word: u32,
    check: u32,
}

// What takes a layout is always inlined, as the small functions of the layout are.
impl Pointer {
    /// Points nowhere.
    pub const EMPTY: Self = Self { word: 0, check: 0 };

    /// In place of a head of which no list has said anything yet; no such place is on any part.
    pub(crate) const UNLISTED: Self = Self { word: u32::MAX, check: u32::MAX };
    /// In place of a head of which lists said only that it is older, or that there is none.
    pub(crate) const OLDER: Self = Self { word: u32::MAX, check: 0 };

    /// Points to the record at a place, of which nothing else is known.
    pub(crate) const fn of_place(place: u32) -> Self {
        Self { word: place & REFERENCE_MASK, check: 0 }
    }

    /// Whether more than a place is known. A tag that begins with zeros is known, and does not look so.
    pub(crate) const fn is_known(self) -> bool {
        self.check != 0
    }

    /// Points to a record of `length` bytes (padded) at this address, from a head.
    #[inline(always)]
    pub(crate) fn new<S: Suite>(layout: &Layout, address: u32, length: u32, link: u32) -> Self {
        let place = address / layout.unit;
        let hint = match layout.hint_step {
            0 => 0,
            step => (length / layout.unit).div_ceil(step) << layout.place_bits,
        };
        Self { word: (place | hint) & REFERENCE_MASK, check: link & check_mask::<S>() }
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.word == 0
    }

    pub(crate) const fn level(self) -> u32 {
        self.word >> REFERENCE_BITS
    }

    /// A head whose record, with this hash, is the only one of its bucket.
    pub(crate) const fn alone(self, hash: u64) -> Self {
        self.marked(glimpse(hash))
    }

    /// Whether a head says that the only record of its bucket is not this one.
    pub(crate) const fn excludes(self, hash: u64) -> bool {
        self.level() != 0 && self.level() != glimpse(hash)
    }

    const fn marked(self, level: u32) -> Self {
        Self { word: self.word & REFERENCE_MASK | level << REFERENCE_BITS, check: self.check }
    }

    /// The pointer that a head becomes at a level; of what it points to nothing more is known.
    pub(crate) const fn at_level<S: Suite>(self, level: u32) -> Self {
        Self { check: self.check & fit_mask::<S>(), ..self.marked(level) }
    }

    /// The same of one that leads to a record from which at most one branch goes on.
    pub(crate) const fn to_whole<S: Suite>(self) -> Self {
        Self { check: self.check | (side_bit::<S>() << 1), ..self }
    }

    /// The same of one that leads to nothing but a record with this hash.
    pub(crate) const fn to_only<S: Suite>(self, hash: u64) -> Self {
        Self { check: self.check | (side_bit::<S>() * 4 * slight_glimpse(hash)), ..self }
    }

    /// The same in a record with this bit at the level of the pointer.
    pub(crate) const fn on_side<S: Suite>(self, side: bool) -> Self {
        let bit = side_bit::<S>();
        Self { check: if side { self.check | bit } else { self.check & !bit }, ..self }
    }

    /// The bit at its level of the record that has the pointer.
    pub(crate) const fn side<S: Suite>(self) -> bool {
        self.check & side_bit::<S>() != 0
    }

    /// Whether at most one branch goes on from there.
    pub(crate) const fn is_to_whole<S: Suite>(self) -> bool {
        self.check & (side_bit::<S>() << 1) != 0
    }

    /// Whether the only record there is not this one.
    pub(crate) const fn passes_by<S: Suite>(self, hash: u64) -> bool {
        let known = (self.check / (side_bit::<S>() << 2)) & 7;
        known != 0 && known != slight_glimpse(hash)
    }

    /// Whether a record whose tag begins so is the one meant.
    pub(crate) const fn fits<S: Suite>(self, link: u32) -> bool {
        (self.check ^ link) & fit_mask::<S>() == 0
    }

    /// Where the record is, given the newest sequence number. For a place that was never written the answer is a
    /// place where nothing verifies.
    #[inline(always)]
    pub(crate) fn position(self, layout: &Layout, newest: u32) -> Position {
        let place = self.word & ((1 << layout.place_bits) - 1);
        let per_segment = layout.segment / layout.unit;
        let (physical, offset) = (place / per_segment, place % per_segment * layout.unit);
        let back = (layout.physical(newest) + layout.segments).wrapping_sub(physical) % layout.segments;
        Position::new(newest.wrapping_sub(back), offset)
    }

    /// Bytes to read for the whole record: enough, or 0 when the pointer does not say.
    #[inline(always)]
    pub(crate) fn length_hint(self, layout: &Layout) -> u32 {
        ((self.word & REFERENCE_MASK) >> layout.place_bits) * layout.hint_step * layout.unit
    }

    /// Writes the pointer. Behind a short check lie two bytes more, which what comes next overwrites.
    pub(crate) fn write(self, bytes: &mut [u8], at: usize) {
        put_word(bytes, at, self.word);
        put_word(bytes, at + 4, self.check);
    }

    pub(crate) fn read<S: Suite>(bytes: &[u8], at: usize) -> Self {
        Self { word: word(bytes, at), check: word(bytes, at + 4) & check_mask::<S>() }
    }

    /// For the digest of all heads.
    pub(crate) fn as_u64(self) -> u64 {
        let word = self.word & REFERENCE_MASK | PRESENT;
        if self.is_empty() { 0 } else { u64::from(word) << 32 | u64::from(self.check) }
    }
}

/// The five bits of a hash that a head knows. Never 0, which knows nothing.
const fn glimpse(hash: u64) -> u32 {
    low_word(hash) & 0x3f | 1
}

/// The three bits of a hash that a pointer knows. Never 0, which knows nothing.
const fn slight_glimpse(hash: u64) -> u32 {
    match low_word(hash) & 7 {
        0 => 1,
        bits => bits,
    }
}

/// The part of a link that heads keep.
const fn check_mask<S: Suite>() -> u32 {
    if S::CHECK == 2 { 0xffff } else { u32::MAX }
}

/// The part that pointers keep: five bits say other things.
const fn fit_mask<S: Suite>() -> u32 {
    check_mask::<S>() >> 5
}

/// The lowest of these: on which side a record is. Then one whether the other is read whole, and three of a glimpse.
const fn side_bit<S: Suite>() -> u32 {
    fit_mask::<S>() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_finds_its_record_again() {
        for (program, erase, capacity) in [(4, 4096, 64 * 4096), (1, 1024, 16 * 1024), (8, 262_144, 1 << 26)] {
            let layout = Layout::of(1, program, erase, capacity).unwrap();
            let newest = 3 * layout.segments + 5;
            for sequence in newest + 1 - layout.segments..=newest {
                let at = Position::new(sequence, layout.segment - 2 * layout.unit);
                let head =
                    Pointer::new::<crate::seal::Plain>(&layout, layout.address(at), layout.record_max, 0x0707_0707);
                assert_eq!(head.position(&layout, newest), at);
                let hint = head.length_hint(&layout);
                assert!(hint == 0 || hint >= layout.record_max);
                let mut bytes = [0; 8];
                head.at_level::<crate::seal::Plain>(63).write(&mut bytes, 0);
                let read = Pointer::read::<crate::seal::Plain>(&bytes, 0);
                assert_eq!((read.level(), read.at_level::<crate::seal::Plain>(0)), (63, head));
                // What a head knows of its only record changes nothing else about it.
                let alone = head.alone(0x0123_4567_89ab_cdef);
                assert_eq!((alone.position(&layout, newest), alone.length_hint(&layout)), (at, hint));
                assert_eq!((alone.as_u64(), alone.marked(0)), (head.as_u64(), head));
            }
        }
    }

    #[test]
    fn what_a_pointer_knows_beside_its_place_leaves_the_rest_alone() {
        fn knows<S: Suite>() {
            let link = 0xfedc_ba98 & check_mask::<S>();
            let bare = Pointer { word: 7, check: link }.at_level::<S>(9);
            assert!(bare.fits::<S>(link) && !bare.is_to_whole::<S>() && !bare.side::<S>());
            for hash in 0..16 {
                let told = bare.to_whole::<S>().to_only::<S>(hash).on_side::<S>(true);
                assert!(told.fits::<S>(link) && !told.fits::<S>(link ^ 1));
                assert!(told.is_to_whole::<S>() && told.side::<S>() && !told.on_side::<S>(false).side::<S>());
                assert!(!told.passes_by::<S>(hash) && !bare.passes_by::<S>(hash));
                let passed = (0..8).filter(|other| told.passes_by::<S>(*other)).count();
                assert!(passed == 6 || passed == 7, "{hash}");
                assert_eq!(told.at_level::<S>(9), bare);
            }
        }
        knows::<crate::seal::Plain>();
        #[cfg(feature = "ascon")]
        knows::<crate::seal::Ascon>();
    }

    #[test]
    fn a_head_excludes_others_only() {
        let head = Pointer::of_place(7);
        for hash in (0..200).map(|bits| bits << 60 | bits) {
            let alone = head.alone(hash);
            assert!(!head.excludes(hash) && !alone.excludes(hash));
            let excluded = (0..64).filter(|other| alone.excludes(*other)).count();
            assert_eq!(excluded, 62, "{hash:x}");
        }
    }
}
