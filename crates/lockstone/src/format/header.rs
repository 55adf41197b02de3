//! The header of a segment: proves that the segment was erased for this life, and states what came before it.
//!
//! ```text
//!  0 magic "LKS" | 3 version | 4 suite | 5 log2(unit), sort (bits 5 and 6), erased value (bit 7) | 6 heads (u16)
//!  8 store id (8 bytes)
//! 16 sequence | 20 previous sequence | 24 erase count | 28 segment length
//! 32 end of the previous segment, bit 31: written in the middle of a run, the counts are those before the run,
//!    bit 30: every commit of the store is counted
//! 36 how the tag of the last record of the previous segment begins
//! 40 oldest live sequence
//! 44 live bytes | 48 keys | 52 chunks | 56 tombstones | 60 retired blocks (u16) | 62 long records (u16; 0x7fff: or more)
//! 64 bytes of all entries and chunks, as they stand
//! 68 epoch: twice the counter's value that the log is bound to, one more for an intent
//! 72 digest of all heads (8 bytes; zero: none, in the middle of a run or of settling)
//! 80 tag of this header
//! ```
//!
//! What stands from 40 on is the *checkpoint*: opening and closing marks carry it too.
//!
//! All numbers little-endian. Nothing here is secret; everything is covered by the tag. The magic, version, suite and
//! store id stand in the clear at fixed places for ever, so that any release can say what it looks at.
//!
//! A header is never unpacked further than into words, which have the offsets below.

use super::{FORMAT_VERSION, low_word};
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
pub(crate) const ERASES: usize = 24;
pub(crate) const SEGMENT: usize = 28;
pub(crate) const PREVIOUS_END: usize = 32;
pub(crate) const PREVIOUS_LINK: usize = 36;
pub(crate) const OLDEST: usize = 40;
const COUNTS: usize = 44;
const EPOCH: usize = 68;
pub(crate) const DIGEST: usize = 72;
/// Bytes of a checkpoint without the digest, as an opening mark carries it.
pub(crate) const CHECKPOINT: usize = DIGEST - OLDEST;
/// Bytes before the tag.
pub(crate) const FIXED: usize = 80;

/// In the word [`KIND`], where the sort of the store stands.
pub(crate) const SORT: u32 = 3 << 13;
/// It's a standard store. A torn header can have both bits or neither, but not those of the other sort.
pub(crate) const STANDARD: u32 = 1 << 13;
/// It's a small store.
pub(crate) const SMALL: u32 = 2 << 13;
/// The digest of a header that was written when the heads were not those that a replay finds.
pub(crate) const NO_DIGEST: u64 = 0;
/// In the word [`PREVIOUS_END`]: written in the middle of a run.
pub(crate) const IN_RUN: u32 = 1 << 31;
/// In the word [`PREVIOUS_END`]: every commit is counted.
pub(crate) const EVERY: u32 = 1 << 30;
/// In [`PREVIOUS_END`]: a segment of the reserve; nothing in it counts before a mark frees a segment from `oldest` on.
pub(crate) const RESERVE: u32 = 1 << 29;
/// All that [`PREVIOUS_END`] says beside the place.
pub(crate) const FLAGS: u32 = IN_RUN | EVERY | RESERVE;

/// A header as words, as it was read last or will be written. It has RAM of its own: a number at a constant place needs
/// no check of any end, and the stack of the calls that write one is deep.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) words: [u32; FIXED / 4],
}

impl Image {
    pub(crate) const EMPTY: Self = Self { words: [0; FIXED / 4] };

    /// Takes the words from place `from` on from where they were read to.
    #[inline(always)]
    pub(crate) fn read(&mut self, from: usize, bytes: &[u8]) {
        let words = self.words.get_mut(from / 4..).unwrap_or_default();
        for (place, word) in words.iter_mut().zip(bytes.as_chunks().0) {
            *place = u32::from_le_bytes(*word);
        }
    }

    /// Writes the words from place `from` on.
    #[inline(always)]
    pub(crate) fn write(&self, from: usize, bytes: &mut [u8]) {
        let words = self.words.get(from / 4..).unwrap_or_default();
        for (word, place) in words.iter().zip(bytes.as_chunks_mut().0) {
            *place = word.to_le_bytes();
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
        let mut counts = Counts::ZERO;
        self.counts_to(&mut counts);
        counts
    }

    pub(crate) fn counts_to(&self, counts: &mut Counts) {
        if let Some(words) = self.words.get(COUNTS / 4..).and_then(|words| words.first_chunk()) {
            copy(&mut counts.0, words);
        }
    }

    /// Whether a store can have counted so: what is computed from these numbers does not overflow, and the log ends at
    /// its newest segment.
    pub(crate) fn is_possible(&self) -> bool {
        let counted = (OLDEST..EPOCH).step_by(4).all(|at| self.get(at) < IN_RUN);
        let sequence = self.get(SEQUENCE);
        counted && sequence < IN_RUN && self.get(PREVIOUS) <= sequence && self.get(OLDEST) <= sequence
    }

    /// Sets a number at one of the places above.
    pub(crate) fn set(&mut self, at: usize, word: u32) {
        if let Some(place) = self.words.get_mut(at / 4) {
            *place = word;
        }
    }

    /// Sets the checkpoint.
    #[inline(always)]
    pub(crate) fn set_checkpoint(&mut self, oldest: u32, counts: &Counts, digest: u64) {
        self.set(OLDEST, oldest);
        if let Some(words) = self.words.get_mut(COUNTS / 4..).and_then(|words| words.first_chunk_mut()) {
            copy(words, &counts.0);
        }
        self.set(DIGEST, low_word(digest));
        self.set(DIGEST + 4, low_word(digest >> 32));
    }
}

/// What is counted about the index, as of the last whole run: bytes of all records in it, without their pointers; records
/// by [`Class`], and how many are long, in the upper half of the last of these words; bytes of those that are no tombstones, with
/// the pointers that they have; and what the log is bound to. As words, as headers and marks carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts(pub(crate) [u32; COUNTED]);

/// Words of [`Counts`].
pub(crate) const COUNTED: usize = 7;

/// Where long records are counted, and how far. More than that is not counted any more, in or out: no log has as many
/// segments as would matter.
const LONG: u32 = 1 << 16;
const LONG_MAX: u32 = 0x7fff;

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
    pub(crate) const ZERO: Self = Self([0; COUNTED]);

    /// Becomes the other.
    pub(crate) fn set(&mut self, other: &Self) {
        copy(&mut self.0, &other.0);
    }

    /// Bytes of all records in the index.
    pub(crate) const fn live(&self) -> u32 {
        let [live, ..] = self.0;
        live
    }

    /// All records.
    pub(crate) fn records(&self) -> u32 {
        let [_, of @ .., bad, _, _] = &self.0;
        of.iter().fold(*bad % LONG, |sum, count| sum.wrapping_add(*count))
    }

    /// Those of them that are long.
    pub(crate) const fn long(&self) -> u32 {
        let [.., bad, _, _] = self.0;
        bad / LONG
    }

    /// Entries of clients.
    pub(crate) const fn keys(&self) -> u32 {
        let [_, keys, ..] = self.0;
        keys
    }

    /// Tombstones that the index still holds.
    pub(crate) const fn tombstones(&self) -> u32 {
        let [_, _, _, tombstones, ..] = self.0;
        tombstones
    }

    /// Segments retired as bad.
    pub(crate) const fn bad(&self) -> u32 {
        let [.., bad, _, _] = self.0;
        bad % LONG
    }

    /// Bytes of all records in the index but tombstones, as they stand.
    pub(crate) const fn standing(&self) -> u32 {
        let [.., standing, _] = self.0;
        standing
    }

    /// What the log is bound to.
    pub(crate) const fn epoch(&self) -> Epoch {
        let [.., epoch] = self.0;
        Epoch::of_word(epoch)
    }

    pub(crate) const fn bind(&mut self, to: Epoch) {
        let [.., epoch] = &mut self.0;
        *epoch = to.as_word();
    }

    /// Counts a record in (1) or out (-1). On a damaged store the counts may be off; they are only shown then, as
    /// writes are refused, and stop at zero.
    pub(crate) fn add(&mut self, class: Class, cost: u32, by: i32) {
        let [live, of @ .., _, _] = &mut self.0;
        if let Some(count) = of.get_mut(class as usize) {
            *count = count.saturating_add_signed(by);
            *live = live.saturating_add_signed(cost.cast_signed().wrapping_mul(by));
        }
    }

    /// Forgets what records take up.
    pub(crate) fn stand_anew(&mut self) {
        let [.., bad, standing, _] = &mut self.0;
        (*bad, *standing) = (*bad % LONG, 0);
    }

    /// Takes what records take up from others.
    pub(crate) fn stand_as(&mut self, other: &Self) {
        self.stand_anew();
        let [.., bad, standing, _] = &mut self.0;
        (*bad, *standing) = (*bad | (other.long() * LONG), other.standing());
    }

    /// The same of one that takes up so many bytes, and may be long.
    pub(crate) fn stand(&mut self, bytes: u32, long: bool, by: i32) {
        // None are counted out that were not counted in: that would take from the number below.
        let known = if by > 0 { self.long() < LONG_MAX } else { (1..LONG_MAX).contains(&self.long()) };
        let [.., bad, standing, _] = &mut self.0;
        *standing = standing.saturating_add_signed(bytes.cast_signed().wrapping_mul(by));
        if long && known {
            *bad = bad.wrapping_add_signed(by << 16);
        }
    }
}

/// Copies counts, the last word apart: a copy of seven is a library call.
#[inline(never)]
fn copy(to: &mut [u32; COUNTED], from: &[u32; COUNTED]) {
    let ([first @ .., last], [first_from @ .., last_from]) = (to, from);
    *first = *first_from;
    *last = *last_from;
}

/// Bytes of a header on flash, padded.
pub(crate) const fn header_length<S: Suite>(layout: &Layout) -> u32 {
    #[expect(clippy::cast_possible_truncation)]
    layout.padded((FIXED + S::TAG) as u32)
}

/// The word [`KIND`], without heads and sort.
pub(crate) const fn kind<S: Suite>(layout: &Layout, erased: u8) -> u32 {
    (S::ID as u32) | (layout.unit.ilog2() | (erased & 0x80) as u32) << 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_records_are_counted_beside_retired_segments() {
        let mut counts = Counts::ZERO;
        counts.add(Class::System, 8, 1);
        counts.stand(8, true, -1);
        assert_eq!((counts.bad(), counts.long(), counts.standing()), (1, 0, 0));
        counts.stand(300, true, 1);
        counts.stand(40, false, 1);
        assert_eq!((counts.bad(), counts.long(), counts.standing(), counts.records()), (1, 1, 340, 1));
        (0..0x8000).for_each(|_| counts.stand(1, true, 1));
        counts.stand(1, true, -1);
        assert_eq!((counts.bad(), counts.long(), counts.records()), (1, LONG_MAX, 1));
    }
}
