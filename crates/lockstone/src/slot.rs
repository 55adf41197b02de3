//! Slots: places for code that is executed where it lies. What needs no flash.
//!
//! ```text
//! slot     | code, in the clear, from the first byte on              | blank | trailer |
//! trailer  | magic, token | again | 1 | 2 | ...                        how far the copy has come: a program unit a mark
//! ```
//!
//! What belongs into a slot is said by the store, in an entry of its own; the trailer only spares work after a cut. So whoever
//! writes the flash can't make a slot good: that is decided by the digest in the store. The bytes are in `format/slot.rs`.

use crate::format::slot::TRAILER_LENGTH as TRAILER;
use crate::layout::{Layout, LayoutError};
use crate::object::{ObjectError, PEEK};

/// Bytes of a block of a slot, at least.
const BLOCK_MIN: u32 = 4096;
/// There is room for so many marks, at least, and what stands before them.
const MARKS: u32 = 64;
/// Marks behind the last one, should a cut have spoilt its unit.
pub(crate) const SPARE: u32 = 4;

/// The sizes of a slot, in bytes unless named otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotLayout {
    pub(crate) unit: u32,
    pub(crate) erase: u32,
    /// Whole erase blocks: what is copied at a time.
    pub(crate) block: u32,
    /// Blocks for code.
    pub(crate) blocks: u32,
    /// Blocks for the trailer.
    pub(crate) trailer: u32,
}

impl SlotLayout {
    pub(crate) fn of(sizes: &Layout, read: usize, capacity: usize) -> Result<Self, LayoutError> {
        if read > PEEK {
            return Err(LayoutError::ReadUnit);
        }
        let block = sizes.erase * BLOCK_MIN.div_ceil(sizes.erase);
        let all = u32::try_from(capacity).unwrap_or(u32::MAX) / block;
        let trailer = (MARKS * sizes.unit).div_ceil(block);
        let blocks = all.saturating_sub(trailer);
        if blocks == 0 {
            return Err(LayoutError::SmallSlot);
        }
        if blocks > u32::from(u16::MAX) {
            return Err(LayoutError::TooLarge);
        }
        Ok(Self { unit: sizes.unit, erase: sizes.erase, block, blocks, trailer })
    }

    /// Bytes of code that it takes: where the trailer begins.
    pub(crate) const fn capacity(&self) -> u32 {
        self.blocks * self.block
    }

    /// Where the trailer names the request, twice.
    pub(crate) const fn names(&self) -> [u32; 2] {
        [self.capacity(), self.capacity() + TRAILER.next_multiple_of(self.unit)]
    }

    /// Where the marks of the trailer begin.
    pub(crate) const fn marks(&self) -> u32 {
        self.capacity() + 2 * TRAILER.next_multiple_of(self.unit)
    }

    /// Blocks that are copied between two marks.
    pub(crate) const fn stride(&self) -> u32 {
        let room = (self.capacity() + self.trailer * self.block - self.marks()) / self.unit;
        self.blocks.div_ceil(room - SPARE)
    }

    /// So often a mark comes.
    pub(crate) const fn strides(&self) -> u32 {
        self.blocks.div_ceil(self.stride())
    }
}

/// What the store says of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Bytes of code.
    pub length: u32,
    /// Their digest, that of the object.
    pub digest: [u8; 32],
    /// It was requested, or begun to be, and not confirmed: the slot may hold none, a part or all of it.
    pub pending: bool,
}

/// Why a call on a slot failed; `E` is the error of the objects' flash, `D` that of the store's, `X` that of the slot's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstallError<E, D, X> {
    /// The object or the store. After a request: `slot_state` says whether it stands. After an install: the slot is as it was, or a
    /// part of it was written, and the next install goes on.
    Object(ObjectError<E, D>),
    /// The flash of the slot failed. A part of it was written, maybe: the next install goes on.
    Slot(X),
    /// There is no such key. Nothing was changed.
    NoObject,
    /// The object is longer than the slot takes. Nothing was changed.
    TooLarge,
    /// The store does not know what belongs into this slot. Nothing was changed.
    NothingRequested,
    /// The object is being installed into another slot, which comes first. Nothing was changed.
    Busy,
    /// The slot does not hold what the store says: **don't run it**. While an install is pending it was copied twice. Or the object
    /// has another digest, of another algorithm maybe: nothing was changed.
    WrongDigest,
}

impl<E, D, X> From<ObjectError<E, D>> for InstallError<E, D, X> {
    fn from(error: ObjectError<E, D>) -> Self {
        Self::Object(error)
    }
}

impl<E, D, X> From<crate::Error<D>> for InstallError<E, D, X> {
    fn from(error: crate::Error<D>) -> Self {
        Self::Object(error.into())
    }
}

impl<E: core::fmt::Debug, D: core::fmt::Debug, X: core::fmt::Debug> core::fmt::Display for InstallError<E, D, X> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Object(error) => error.fmt(f),
            Self::Slot(error) => write!(f, "the flash of the slot failed: {error:?}"),
            Self::NoObject => f.write_str("there is no such object"),
            Self::TooLarge => f.write_str("the object is longer than the slot"),
            Self::NothingRequested => f.write_str("the store does not know what belongs into this slot"),
            Self::Busy => f.write_str("the object is being installed into another slot"),
            Self::WrongDigest => f.write_str("the slot does not hold what the store says"),
        }
    }
}

impl<E: core::fmt::Debug, D: core::fmt::Debug, X: core::fmt::Debug> core::error::Error for InstallError<E, D, X> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(program: usize, erase: usize, capacity: usize) -> Result<SlotLayout, LayoutError> {
        Layout::shape(1, program, erase).and_then(|sizes| SlotLayout::of(&sizes, 1, capacity))
    }

    #[test]
    fn a_mark_for_each_block_where_there_is_room() {
        let fine = layout(4, 4096, 256 * 4096).unwrap();
        assert_eq!((fine.blocks, fine.stride(), fine.strides(), fine.marks()), (255, 1, 255, 0xf_f018));
        let coarse = layout(512, 4096, 256 * 4096).unwrap();
        assert_eq!((coarse.trailer, coarse.stride(), coarse.strides(), coarse.marks()), (8, 5, 50, 0xf_8400));
        let small = layout(4, 128, 3 * 4096).unwrap();
        assert_eq!((small.block, small.blocks, small.capacity()), (4096, 2, 8192));
        assert_eq!(layout(4, 4096, 4096), Err(LayoutError::SmallSlot));
    }
}
