//! Objects: values too large for the log, in whole erase blocks of a volume of their own. What needs no flash.
//!
//! ```text
//! volume  | block | block | ...                         an erase block of at least 4 KiB, or several small ones
//! block   | header | slot | slot | ...                  of one object
//! slot    | head | tag | chunk |                        one chunk, programmed once, in the order of arrival
//! ```
//!
//! Which object a block belongs to is said by its header, whether that object exists by the store: a committed object is
//! an entry whose value is a [`Manifest`](crate::Manifest), one that is being written has an entry of the store's own, its
//! note. A block of any other is free. So a commit, an abort and a replacement are each one change in the store. The bytes of
//! all that are in `format/object.rs`.

use core::ops::Range;

use crate::format::object::{FIELDS_LENGTH, HEAD_LENGTH, Name, OPEN, SLOTS_MAX, Slot, Turn};
use crate::format::pins::{PINS_LENGTH, pieces_for};
use crate::layout::{Layout, LayoutError};

/// Bytes of a block.
const BLOCK_MIN: u32 = 4096;
/// Blocks from this size on have chunks of 1,024 bytes.
const LARGE: u32 = 32 * 1024;
/// Most bytes of a read unit.
pub(crate) const PEEK: usize = PEEK_LENGTH as usize;
pub(crate) const PEEK_LENGTH: u32 = 64;

/// The sizes of a volume, in bytes unless named otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectLayout {
    /// One block: whole erase blocks.
    pub block: u32,
    /// How many there are.
    pub blocks: u32,
    /// What is sealed, and read, at a time.
    pub chunk: u32,
    /// Chunks in a block.
    pub slots: u32,
    /// A chunk on flash.
    pub slot: u32,
    pub(crate) erase: u32,
    pub(crate) header: u32,
    /// Pieces in a table.
    pub(crate) pieces: u32,
}

impl ObjectLayout {
    pub(crate) const fn of(part: &Layout, capacity: u32, tag: u32) -> Result<Self, LayoutError> {
        let block = part.erase * BLOCK_MIN.div_ceil(part.erase);
        let chunk = if block < LARGE { 512 } else { 1024 };
        let header = (FIELDS_LENGTH + tag).next_multiple_of(part.unit);
        let slot = (HEAD_LENGTH + tag + chunk).next_multiple_of(part.unit);
        let (blocks, pieces) = (capacity / block, (tag + chunk) / (tag + PINS_LENGTH));
        if blocks < 2 {
            return Err(LayoutError::TooSmall);
        }
        Ok(Self { block, blocks, chunk, slots: (block - header) / slot, slot, erase: part.erase, header, pieces })
    }

    pub(crate) const fn address(&self, block: u32, slot: u32) -> u32 {
        block * self.block + self.header + slot * self.slot
    }

    /// Blocks that an object of this length takes, written in any order, if nothing is torn on the way. Each power session more
    /// takes two slots, and at most a block.
    #[must_use]
    pub const fn blocks_for(&self, length: u32) -> u32 {
        let chunks = length.div_ceil(self.chunk);
        (chunks + self.tables_for(chunks)).div_ceil(self.slots)
    }

    /// Bytes of the longest object that takes so many blocks, as in [`blocks_for`](Self::blocks_for).
    #[must_use]
    pub const fn length_in(&self, blocks: u32) -> u32 {
        let slots = blocks.saturating_mul(self.slots);
        let slots = if slots < SLOTS_MAX { slots } else { SLOTS_MAX };
        let mut chunks = slots;
        while chunks > 0 && chunks + self.tables_for(chunks) > slots {
            chunks -= 1;
        }
        chunks * self.chunk
    }

    /// How many tables hold the pieces that pin so many chunks.
    pub(crate) const fn tables_for(&self, chunks: u32) -> u32 {
        pieces_for(chunks).div_ceil(self.pieces)
    }

    /// The slot of an item, a chunk or a piece behind them, in an object in order.
    pub(crate) const fn slot_of(&self, chunks: u32, item: u32) -> u32 {
        if item < chunks { item } else { chunks + (item - chunks) / self.pieces }
    }

    /// RAM for an upload of this length: a bit for each chunk, and a chunk.
    #[must_use]
    pub const fn upload_size(&self, length: u32) -> usize {
        (self.slot + length.div_ceil(self.chunk).div_ceil(8)) as usize
    }
}

/// An object that is being written, in RAM that the caller hands in
/// ([`upload_size`](ObjectLayout::upload_size)).
pub struct Upload<'w> {
    /// A slot, and a bit for each chunk.
    pub(crate) bytes: &'w mut [u8],
    pub(crate) name: Name,
    pub(crate) length: u32,
    pub(crate) chunk: u32,
    pub(crate) slot: u32,
    /// The slot that is written next, counted over all blocks.
    pub(crate) next: u32,
    /// The block of that slot.
    pub(crate) block: u32,
    /// A block with a header and no slot.
    pub(crate) stale: Option<u32>,
    /// The slot that a cut may have left marginal: it's written again first.
    pub(crate) again: Option<Slot>,
    /// The power session, and whether the store knows of it.
    pub(crate) session: u32,
    pub(crate) begun: bool,
    /// What the next slot is.
    pub(crate) turn: Turn,
    /// Chunk n is in slot n, the tables follow, and all are of this session.
    pub(crate) in_order: bool,
    /// RAM and flash say the same.
    pub(crate) settled: bool,
    /// The part of a chunk that is in RAM only.
    pub(crate) part: Range<u32>,
    /// Where what was taken in ends, whatever has become of it: an object of open length does not end before.
    pub(crate) accepted: u32,
}

/// An [`Upload`] without its RAM: for those who keep both and can't keep the one borrowing the other.
pub struct Suspended(Upload<'static>);

impl Suspended {
    /// Goes on in the RAM that it was [suspended](Upload::suspend) from, unchanged.
    pub fn go_on(self, bytes: &mut [u8]) -> Upload<'_> {
        self.0.with(bytes)
    }
}

impl core::fmt::Debug for Suspended {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Suspended").finish_non_exhaustive()
    }
}

/// An object that was begun and not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Whose it is.
    pub client: crate::ClientId,
    /// Bytes of its name.
    pub name: usize,
    /// Its length, if that was said.
    pub length: Option<u32>,
}

/// What a block is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockUse {
    /// Of an object that is there.
    Committed,
    /// Of one that was begun and not finished, or that is kept for a slot though its key is gone.
    Unfinished,
    /// Free; it holds what is left of one that is no more, or of a cut.
    Stale,
    /// Free, and nothing is written where a header would be.
    Blank,
    /// It can't be read.
    Unreadable,
}

impl<'w> Upload<'w> {
    pub(crate) const fn new(name: Name, length: u32, layout: &ObjectLayout, bytes: &'w mut [u8]) -> Self {
        Self {
            bytes,
            name,
            length,
            chunk: layout.chunk,
            slot: layout.slot,
            next: 0,
            block: 0,
            stale: None,
            again: None,
            session: 1,
            begun: true,
            turn: Turn::New,
            in_order: true,
            settled: false,
            part: 0..0,
            accepted: 0,
        }
    }

    /// Lets go of the RAM, which must stay as it is until [`Suspended::go_on`].
    #[must_use]
    pub fn suspend(self) -> Suspended {
        Suspended(self.with(&mut []))
    }

    /// The same upload in other RAM.
    fn with(self, bytes: &mut [u8]) -> Upload<'_> {
        let Self { name, length, chunk, slot, next, block, stale, again, .. } = self;
        let Self { session, begun, turn, in_order, settled, part, accepted, .. } = self;
        Upload {
            bytes,
            name,
            length,
            chunk,
            slot,
            next,
            block,
            stale,
            again,
            session,
            begun,
            turn,
            in_order,
            settled,
            part,
            accepted,
        }
    }

    /// How many chunks there can be.
    pub(crate) fn chunks(&self) -> u32 {
        let bits = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX).saturating_sub(self.slot).saturating_mul(8);
        if self.length == OPEN { bits.min(SLOTS_MAX) } else { self.length.div_ceil(self.chunk) }
    }

    fn bit(&self, chunk: u32) -> (usize, u8) {
        ((self.slot + chunk / 8) as usize, 1 << (chunk % 8))
    }

    pub(crate) fn has(&self, chunk: u32) -> bool {
        let (at, bit) = self.bit(chunk);
        self.bytes.get(at).is_some_and(|byte| byte & bit != 0)
    }

    pub(crate) fn set(&mut self, chunk: u32, there: bool) {
        let (at, bit) = self.bit(chunk);
        if let Some(byte) = self.bytes.get_mut(at) {
            *byte = *byte & !bit | if there { bit } else { 0 };
        }
    }

    pub(crate) fn forget(&mut self) {
        self.bytes.get_mut(self.slot as usize..).unwrap_or_default().fill(0);
        self.part = 0..0;
    }

    /// One behind the last chunk that is there.
    pub(crate) fn reach(&self) -> u32 {
        (0..self.chunks()).rev().find(|chunk| self.has(*chunk)).map_or(0, |chunk| chunk + 1)
    }

    /// The first range of bytes at or behind `from` that is not there yet; `None`: there is none. Of an object of open length:
    /// before the end of what was written. What fills no chunk yet is in RAM only, and missing, but for the end of an object of
    /// open length: that is missing when it was forgotten.
    #[must_use]
    pub fn next_missing(&self, from: u32) -> Option<Range<u32>> {
        let mut end = self.length;
        if end == OPEN {
            end = self.reach() * self.chunk;
            if self.part.start != end || self.part.end < self.accepted {
                end = end.max(self.accepted);
            }
        }
        let chunks = end.div_ceil(self.chunk);
        let first = (from / self.chunk..chunks).find(|chunk| !self.has(*chunk))?;
        let last = (first..chunks).find(|chunk| self.has(*chunk)).unwrap_or(chunks);
        Some((first * self.chunk).max(from)..(last * self.chunk).min(end)).filter(|range| !range.is_empty())
    }

    /// Bytes that the object will have, if that is known.
    #[must_use]
    pub const fn length(&self) -> Option<u32> {
        if self.length == OPEN { None } else { Some(self.length) }
    }

    /// Bytes that are there, for a progress bar.
    #[must_use]
    pub fn present(&self) -> u32 {
        let chunks = u32::try_from((0..self.chunks()).filter(|chunk| self.has(*chunk)).count()).unwrap_or(0);
        (chunks * self.chunk).min(self.length)
    }
}

impl core::fmt::Debug for Upload<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Upload").field("length", &self.length).field("present", &self.present()).finish_non_exhaustive()
    }
}

/// Why a call on objects failed; `E` is the error of their flash, `D` that of the store's. Whatever it is, committed objects
/// are what they were. One case is left: when no other block is free, one is taken that can't be read, again and again in the same
/// call; if a driver failed for so long, and it was that of an object, the object is [damaged](Self::Damaged).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObjectError<E, D> {
    /// The flash of the objects failed. What was being written may be there or not; the next call finds out.
    Flash(E),
    /// The store said no, or failed.
    Store(crate::Error<D>),
    /// There are too few free blocks.
    Full,
    /// Longer than the volume, or than the RAM that was handed in allows.
    TooLarge,
    /// A range behind the end.
    OutOfRange,
    /// Parts are missing: [`Upload::next_missing`] says which. Also when a part that was written can't be read any more.
    Incomplete,
    /// The content has another digest. Nothing was committed.
    WrongDigest,
    /// A chunk is damaged or forged. Nothing of it was handed out.
    Damaged,
    /// The entry is a plain value, no object.
    NotAnObject,
    /// An object has no factory copy.
    Factory,
    /// Slots and blocks do not take what is programmed.
    WornOut,
    /// The unfinished object was given up, or begun anew, meanwhile.
    GivenUp,
    /// The random generator failed.
    Random,
}

/// Why a store and its objects could not be sealed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResealObjectsError<S, T> {
    /// What is read.
    Source(S),
    /// What is written: it holds a part.
    Target(T),
}

impl<S: core::fmt::Debug, T: core::fmt::Debug> core::fmt::Display for ResealObjectsError<S, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Source(error) => write!(f, "what is sealed anew can't be read: {error:?}"),
            Self::Target(error) => write!(f, "what it's sealed into can't be written: {error:?}"),
        }
    }
}

impl<S: core::fmt::Debug, T: core::fmt::Debug> core::error::Error for ResealObjectsError<S, T> {}

impl<E, D> From<crate::Error<D>> for ObjectError<E, D> {
    fn from(error: crate::Error<D>) -> Self {
        Self::Store(error)
    }
}

impl<E, D> From<crate::error::Stop<D>> for ObjectError<E, D> {
    fn from(stop: crate::error::Stop<D>) -> Self {
        Self::Store(stop.into())
    }
}

impl<E: core::fmt::Debug, D: core::fmt::Debug> core::fmt::Display for ObjectError<E, D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the flash of the objects failed: {error:?}"),
            Self::Store(error) => error.fmt(f),
            Self::Full => f.write_str("the volume of the objects is full"),
            Self::TooLarge => f.write_str("the object is longer than its volume or the RAM for it allows"),
            Self::OutOfRange => f.write_str("the range ends behind the object"),
            Self::Incomplete => f.write_str("parts of the object are missing"),
            Self::WrongDigest => f.write_str("the content has another digest; nothing was committed"),
            Self::Damaged => f.write_str("the object is damaged or forged"),
            Self::NotAnObject => f.write_str("the key holds a plain value, no object"),
            Self::Factory => f.write_str("an object has no factory copy"),
            Self::WornOut => f.write_str("the flash does not take what is programmed"),
            Self::GivenUp => f.write_str("the unfinished object was given up or begun anew meanwhile"),
            Self::Random => f.write_str("the random generator failed"),
        }
    }
}

impl<E: core::fmt::Debug, D: core::fmt::Debug> core::error::Error for ObjectError<E, D> {}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: ObjectLayout = match Layout::of(1, 4, 4096, 1 << 20) {
        Ok(part) => match ObjectLayout::of(&part, 1 << 20, 16) {
            Ok(layout) => layout,
            Err(_) => panic!(),
        },
        Err(_) => panic!(),
    };

    #[test]
    fn a_block_of_4_kib_has_7_chunks() {
        assert_eq!((LAYOUT.blocks, LAYOUT.slots, LAYOUT.chunk, LAYOUT.slot, LAYOUT.header), (256, 7, 512, 532, 48));
        assert_eq!((LAYOUT.blocks_for(1 << 19), LAYOUT.upload_size(1 << 20)), (150, 532 + 256));
        assert_eq!((LAYOUT.pieces, HEAD_LENGTH + LAYOUT.pieces * (16 + PINS_LENGTH)), (6, LAYOUT.slot));
    }

    #[test]
    fn the_longest_object_of_some_blocks_has_its_tables_in_them() {
        assert_eq!([0, 1, 45, 46, 2048, 5860].map(|chunks| LAYOUT.tables_for(chunks)), [0, 1, 1, 2, 43, 123]);
        for blocks in 1..2000 {
            let length = LAYOUT.length_in(blocks);
            assert!(
                LAYOUT.blocks_for(length) <= blocks && LAYOUT.blocks_for(length + 1) > blocks,
                "{blocks}: {length}"
            );
        }
        assert_eq!([0, 1, 1 << 20].map(|blocks| LAYOUT.length_in(blocks)), [0, 6 * 512, 64_197 * 512]);
    }

    #[test]
    fn what_is_missing_is_said_in_ranges() {
        let mut bytes = [0; 532 + 4];
        let mut upload = Upload::new(Name::default(), 10_000, &LAYOUT, &mut bytes);
        assert_eq!((upload.chunks(), upload.next_missing(0), upload.present()), (20, Some(0..10_000), 0));
        for chunk in [0, 1, 5, 19] {
            upload.set(chunk, true);
        }
        assert_eq!(upload.next_missing(0), Some(1024..2560));
        assert_eq!(upload.next_missing(1500), Some(1500..2560));
        assert_eq!((upload.next_missing(2560), upload.next_missing(9728)), (Some(3072..9728), None));
        (0..20).for_each(|chunk| upload.set(chunk, true));
        assert_eq!((upload.next_missing(0), upload.present()), (None, 10_000));
        upload.length = OPEN;
        upload.set(3, false);
        assert_eq!((upload.next_missing(0), upload.next_missing(2048)), (Some(1536..2048), None));
    }
}
