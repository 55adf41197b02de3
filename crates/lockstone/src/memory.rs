//! The RAM of a store: handed in by the caller, nothing else is used.

use crate::format::pointer::Pointer;
use crate::state::Handed;

/// RAM for one store: `HEADS` bucket heads of 8 bytes, `BYTES` for the record buffer and more, and the
/// [`State`](crate::State) of about 900 bytes on a 32-bit processor.
///
/// More heads make reads cheaper: about half the number of keys is a good start. `BYTES` is
/// [`buffer_size`](crate::buffer_size) and one byte more for each segment; with fewer, even none, compaction reads more.
#[derive(Debug)]
pub struct Memory<const HEADS: usize, const BYTES: usize> {
    pub(crate) heads: [Pointer; HEADS],
    pub(crate) bytes: [u8; BYTES],
    pub(crate) handed: Handed,
}

impl<const HEADS: usize, const BYTES: usize> Memory<HEADS, BYTES> {
    /// Fresh memory; can live in a `static`.
    #[must_use]
    pub const fn new() -> Self {
        Self { heads: [Pointer::EMPTY; HEADS], bytes: [0; BYTES], handed: Handed::new() }
    }

    /// The same, its sizes forgotten.
    pub(crate) fn as_ram(&mut self) -> Ram<'_> {
        let Self { heads, bytes, handed } = self;
        Ram { heads, bytes, handed }
    }
}

/// The same RAM in pieces, for tools that learn only at run time how many heads a store was formatted with: see
/// [`Store::mount_in`](crate::Store::mount_in).
#[derive(Debug)]
pub struct Ram<'m> {
    pub(crate) heads: &'m mut [Pointer],
    pub(crate) bytes: &'m mut [u8],
    pub(crate) handed: &'m mut Handed,
}

impl<'m> Ram<'m> {
    /// From 1 to 65,535 heads, a record buffer with a byte a segment or fewer behind it, and the state.
    pub const fn new(heads: &'m mut [Pointer], bytes: &'m mut [u8], handed: &'m mut Handed) -> Self {
        Self { heads, bytes, handed }
    }
}

impl<'m, const H: usize, const B: usize> From<&'m mut Memory<H, B>> for Ram<'m> {
    fn from(memory: &'m mut Memory<H, B>) -> Self {
        memory.as_ram()
    }
}

impl<const HEADS: usize, const BYTES: usize> Default for Memory<HEADS, BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

/// More records of a segment are in the index than a byte can count, or nobody counted.
pub(crate) const UNKNOWN: u8 = u8::MAX;
