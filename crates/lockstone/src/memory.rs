//! The RAM of a store: handed in by the caller, nothing else is used.

use crate::format::pointer::Pointer;
use crate::state::State;

/// RAM for one store: `HEADS` bucket heads of 8 bytes, a record buffer of `BUFFER` bytes, one byte a segment for up
/// to `SEGMENTS` segments, and the [`State`] of about 800 bytes on a 32-bit processor.
///
/// More heads make reads cheaper: about half the number of keys is a good start. `BUFFER` comes from
/// [`buffer_size`](crate::buffer_size). `SEGMENTS` may be smaller than the part has, even 0: compaction then reads
/// more.
#[derive(Debug)]
pub struct Memory<const HEADS: usize, const BUFFER: usize, const SEGMENTS: usize> {
    pub(crate) heads: [Pointer; HEADS],
    pub(crate) buffer: [u8; BUFFER],
    pub(crate) used: [u8; SEGMENTS],
    pub(crate) state: State,
}

impl<const HEADS: usize, const BUFFER: usize, const SEGMENTS: usize> Memory<HEADS, BUFFER, SEGMENTS> {
    /// Fresh memory; can live in a `static`.
    #[must_use]
    pub const fn new() -> Self {
        Self { heads: [Pointer::EMPTY; HEADS], buffer: [0; BUFFER], used: [0; SEGMENTS], state: State::new() }
    }

    /// The same, its sizes forgotten.
    pub(crate) fn as_ram(&mut self) -> Ram<'_> {
        let Self { heads, buffer, used, state } = self;
        Ram { heads, buffer, used, state }
    }
}

/// The same RAM in pieces, for tools that learn only at run time how many heads a store was formatted with: see
/// [`Store::mount_in`](crate::Store::mount_in).
#[derive(Debug)]
pub struct Ram<'m> {
    pub(crate) heads: &'m mut [Pointer],
    pub(crate) buffer: &'m mut [u8],
    pub(crate) used: &'m mut [u8],
    pub(crate) state: &'m mut State,
}

impl<'m> Ram<'m> {
    /// From 1 to 65,535 heads, a record buffer, a byte a segment or fewer, and the state.
    pub const fn new(heads: &'m mut [Pointer], buffer: &'m mut [u8], used: &'m mut [u8], state: &'m mut State) -> Self {
        Self { heads, buffer, used, state }
    }
}

impl<'m, const H: usize, const B: usize, const G: usize> From<&'m mut Memory<H, B, G>> for Ram<'m> {
    fn from(memory: &'m mut Memory<H, B, G>) -> Self {
        memory.as_ram()
    }
}

impl<const HEADS: usize, const BUFFER: usize, const SEGMENTS: usize> Default for Memory<HEADS, BUFFER, SEGMENTS> {
    fn default() -> Self {
        Self::new()
    }
}

/// More records of a segment are in the index than a byte can count, or nobody counted.
pub(crate) const UNKNOWN: u8 = u8::MAX;
