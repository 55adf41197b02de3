//! The header of a segment: proves that the segment was erased for this life, and states what came before it.
//!
//! ```text
//!  0 magic "LKS" | 3 version | 4 suite | 5 log2(unit) and erased value (bit 7) | 6 heads (u16)
//!  8 store id (8 bytes)
//! 16 sequence | 20 previous sequence | 24 oldest live sequence | 28 erase count | 32 segment length
//! 36 live bytes | 40 keys | 44 chunks | 48 tombstones | 52 retired blocks
//! 56 epoch: twice the counter's value that the log is bound to, one more for an intent
//! 60 end of the previous segment, bit 31: written in the middle of a run, the counts are those before the run,
//!    bit 30: every commit of the store is counted
//! 64 digest of all heads (8 bytes; zero: none, in the middle of a run or of settling)
//! 72 how the tag of the last record of the previous segment begins (4 bytes)
//! 76 tag of this header
//! ```
//!
//! All numbers little-endian. Nothing here is secret; everything is covered by the tag. The magic, version, suite and
//! store id stand in the clear at fixed places for ever, so that any release can say what it looks at.
//!
//! A header is never unpacked further than into words, which have the offsets below.

use super::FORMAT_VERSION;
use crate::layout::Layout;
use crate::seal::Suite;
use crate::trust::epoch::Epoch;

/// The first word: magic and version.
pub(crate) const MAGIC: u32 = u32::from_le_bytes([b'L', b'K', b'S', FORMAT_VERSION]);
/// The bits of the first word that are the same in all versions.
pub(crate) const MAGIC_MASK: u32 = 0x00ff_ffff;
/// Suite, unit and erased value, heads.
pub(crate) const KIND: usize = 4;
pub(crate) const ID: usize = 8;
pub(crate) const SEQUENCE: usize = 16;
pub(crate) const PREVIOUS: usize = 20;
pub(crate) const OLDEST: usize = 24;
pub(crate) const ERASES: usize = 28;
pub(crate) const SEGMENT: usize = 32;
const COUNTS: usize = 36;
const EPOCH: usize = 56;
pub(crate) const PREVIOUS_END: usize = 60;
pub(crate) const DIGEST: usize = 64;
pub(crate) const PREVIOUS_LINK: usize = 72;
/// Bytes before the tag.
pub(crate) const FIXED: usize = 76;

/// The digest of a header that was written when the heads were not those that a replay finds.
pub(crate) const NO_DIGEST: u64 = 0;
/// In the word [`PREVIOUS_END`]: written in the middle of a run.
pub(crate) const IN_RUN: u32 = 1 << 31;
/// In the word [`PREVIOUS_END`]: every commit is counted.
pub(crate) const EVERY: u32 = 1 << 30;

/// A header as words, as it was read last or will be written. It has RAM of its own: a number at a constant place needs
/// no check of any end, and the stack of the calls that write one is deep.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) words: [u32; FIXED / 4],
}

impl Image {
    pub(crate) const EMPTY: Self = Self { words: [0; FIXED / 4] };

    /// Takes the words of a header from where it was read to.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        for (place, word) in self.words.iter_mut().zip(bytes.as_chunks().0) {
            *place = u32::from_le_bytes(*word);
        }
    }

    /// The number at one of the places above.
    pub(crate) fn get(&self, at: usize) -> u32 {
        self.words.get(at / 4).copied().unwrap_or_default()
    }

    /// Two of them.
    pub(crate) fn long(&self, at: usize) -> u64 {
        u64::from(self.get(at)) | u64::from(self.get(at + 4)) << 32
    }

    pub(crate) fn counts(&self) -> Counts {
        let of = core::array::from_fn(|index| self.get(COUNTS + 4 + 4 * index));
        Counts { live: self.get(COUNTS), of, epoch: Epoch::of_word(self.get(EPOCH)) }
    }

    /// Whether a store can have counted so: what is computed from these numbers does not overflow, and the log ends at
    /// its newest segment.
    pub(crate) fn is_possible(&self) -> bool {
        let counted = (SEQUENCE..EPOCH).step_by(4).all(|at| self.get(at) < IN_RUN);
        let sequence = self.get(SEQUENCE);
        counted && self.get(PREVIOUS) <= sequence && self.get(OLDEST) <= sequence
    }

    /// Sets a number at one of the places above.
    pub(crate) fn set(&mut self, at: usize, word: u32) {
        if let Some(place) = self.words.get_mut(at / 4) {
            *place = word;
        }
    }

    pub(crate) fn set_counts(&mut self, counts: &Counts) {
        self.set(COUNTS, counts.live);
        (COUNTS + 4..).step_by(4).zip(counts.of).for_each(|(at, count)| self.set(at, count));
        self.set(EPOCH, counts.epoch.as_word());
    }
}

/// What is counted about the index, as of the last whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Bytes of all records in the index, without their pointers.
    pub(crate) live: u32,
    /// Records in the index by [`Class`].
    pub(crate) of: [u32; 4],
    /// What the log is bound to.
    pub(crate) epoch: Epoch,
}

/// What a record counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Class {
    Key,
    Chunk,
    Tombstone,
    /// An entry of the store's own: a retired segment.
    System,
    /// Not in the index.
    Mark,
}

impl Counts {
    pub(crate) const ZERO: Self = Self { live: 0, of: [0; 4], epoch: Epoch::NONE };

    /// All records.
    pub(crate) fn records(&self) -> u32 {
        self.of.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// Entries of clients.
    pub(crate) const fn keys(&self) -> u32 {
        let [keys, ..] = self.of;
        keys
    }

    /// Tombstones that the index still holds.
    pub(crate) const fn tombstones(&self) -> u32 {
        let [_, _, tombstones, _] = self.of;
        tombstones
    }

    /// Segments retired as bad.
    pub(crate) const fn bad(&self) -> u32 {
        let [.., bad] = self.of;
        bad
    }

    /// Segments are known to be bad whose entries were not found.
    pub(crate) const fn add_bad(&mut self, more: u32) {
        let [.., bad] = &mut self.of;
        *bad = bad.saturating_add(more);
    }

    /// Counts a record in (1) or out (-1). On a damaged store the counts may be off; they are only shown then, as
    /// writes are refused, and stop at zero.
    pub(crate) fn add(&mut self, class: Class, cost: u32, by: i32) {
        if let Some(count) = self.of.get_mut(class as usize) {
            *count = count.saturating_add_signed(by);
            self.live = self.live.saturating_add_signed(cost.cast_signed().wrapping_mul(by));
        }
    }
}

/// Bytes of a header on flash, padded.
pub(crate) const fn header_length<S: Suite>(layout: &Layout) -> u32 {
    #[expect(clippy::cast_possible_truncation)]
    layout.padded((FIXED + S::TAG) as u32)
}

/// The word [`KIND`], without heads.
pub(crate) const fn kind<S: Suite>(layout: &Layout, erased: u8) -> u32 {
    (S::ID as u32) | (layout.unit.ilog2() | (erased & 0x80) as u32) << 8
}
