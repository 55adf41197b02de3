//! RAM: one piece of memory from C, cut into what store and faces need.
//!
//! ```text
//! | state | heads, 8 bytes each | record buffer, and a byte a segment | assets (PSA) | handles, names, values (CFSTORE) |
//! ```
#![expect(unsafe_code, reason = "makes references of a pointer")]

use core::ffi::c_void;
use core::mem::{align_of, size_of};
use core::ptr::slice_from_raw_parts_mut;

use lockstone::{Head, State};

#[cfg(feature = "cfstore")]
use crate::cfstore::Handle;
use crate::failure::{Failure, Result};

/// Bytes of the longest record of any part, with a program unit of 512 bytes.
const RECORD: usize = 1536;

/// `lockstone_memory`: the RAM that the caller hands in, and how to divide it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Where it begins.
    pub start: *mut c_void,
    /// How many bytes.
    pub size: usize,
    /// Bucket heads: part of what a store is formatted with.
    pub heads: u32,
    /// Bytes for the largest PSA asset that is made with a capacity or extended; 0: that is not supported.
    pub asset_bytes: u32,
    /// Bytes for names and values that CFSTORE has not flushed, and its handles.
    pub cfstore_bytes: u32,
}

/// The pieces.
pub(crate) struct Pieces {
    pub(crate) heads: &'static mut [Head],
    pub(crate) buffer: &'static mut [u8],
    pub(crate) state: &'static mut State,
    #[cfg(feature = "psa")]
    pub(crate) asset: &'static mut [u8],
    #[cfg(feature = "cfstore")]
    pub(crate) handles: &'static mut [Handle],
    #[cfg(feature = "cfstore")]
    pub(crate) values: &'static mut [u8],
}

/// What is left of the memory, from the front on.
struct Rest {
    next: *mut u8,
    left: usize,
}

impl Rest {
    /// The next `count` values, each written before there is a reference to it.
    ///
    /// # Safety
    /// `next` is writable for `left` bytes, and nothing else uses them for `'static` as seen by [`cut`].
    unsafe fn take<T>(&mut self, count: usize, value: impl Fn() -> T) -> Result<&'static mut [T]> {
        let skip = self.next.align_offset(align_of::<T>());
        let bytes = count.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(skip));
        let bytes = bytes.filter(|bytes| *bytes <= self.left).ok_or(Failure::Layout)?;
        // SAFETY: `skip` is part of `bytes`, and those are within what is left.
        let place = unsafe { self.next.add(skip) }.cast::<T>();
        for index in 0..count {
            // SAFETY: aligned by `skip`, and all `count` places are within what is left.
            unsafe { place.add(index).write(value()) };
        }
        // SAFETY: as above: still within, or one behind the end.
        self.next = unsafe { self.next.add(bytes) };
        self.left -= bytes;
        // SAFETY: `count` aligned values were written there, and no other reference to these bytes is made: `next` went past.
        Ok(unsafe { &mut *slice_from_raw_parts_mut(place, count) })
    }
}

/// Cuts the memory; [`Failure::Layout`] when it is too small.
///
/// # Safety
/// The memory is readable and writable for its whole size, and nothing else reads or writes it until everything that was
/// made of the pieces is dropped. They say `'static`, and live as long as the open store: see `Library`.
pub(crate) unsafe fn cut(memory: &Memory, segments: usize) -> Result<Pieces> {
    if memory.start.is_null() || memory.size > isize::MAX as usize {
        return Err(Failure::Argument);
    }
    let mut rest = Rest { next: memory.start.cast(), left: memory.size };
    // SAFETY: what the caller promised of the memory is what `take` asks of the rest.
    let (state, heads) = unsafe { (rest.take(1, State::new)?, rest.take(memory.heads as usize, || Head::EMPTY)?) };
    // SAFETY: as above.
    let buffer = unsafe { rest.take(RECORD.saturating_add(segments), || 0_u8)? };
    // SAFETY: as above.
    let _asset = unsafe { rest.take(memory.asset_bytes as usize, || 0_u8)? };
    // SAFETY: as above.
    #[cfg(feature = "cfstore")]
    let handles = unsafe { rest.take(memory.cfstore_bytes as usize / 8 / size_of::<Handle>(), || Handle::FREE)? };
    let _value_bytes = memory.cfstore_bytes as usize - memory.cfstore_bytes as usize / 8;
    // SAFETY: as above.
    #[cfg(feature = "cfstore")]
    let values = unsafe { rest.take(_value_bytes, || 0_u8)? };
    let [state] = state else { return Err(Failure::Internal) };
    Ok(Pieces {
        heads,
        buffer,
        state,
        #[cfg(feature = "psa")]
        asset: _asset,
        #[cfg(feature = "cfstore")]
        handles,
        #[cfg(feature = "cfstore")]
        values,
    })
}

/// What objects need.
#[cfg(feature = "objects")]
pub(crate) struct ObjectPieces {
    /// A slot.
    pub(crate) buffer: &'static mut [u8],
    /// All else: for the object that is being written.
    pub(crate) upload: &'static mut [u8],
}

/// Cuts memory for objects; [`Failure::Layout`] when it is too small.
///
/// # Safety
/// As [`cut`].
#[cfg(feature = "objects")]
pub(crate) unsafe fn cut_objects(memory: &Memory) -> Result<ObjectPieces> {
    if memory.start.is_null() || memory.size > isize::MAX as usize {
        return Err(Failure::Argument);
    }
    let mut rest = Rest { next: memory.start.cast(), left: memory.size };
    // SAFETY: what the caller promised of the memory is what `take` asks of the rest.
    let buffer = unsafe { rest.take(RECORD, || 0_u8)? };
    // SAFETY: as above.
    let upload = unsafe { rest.take(rest.left, || 0_u8)? };
    Ok(ObjectPieces { buffer, upload })
}

/// The caller's memory, which is wiped before it's the caller's again.
pub(crate) struct Lent(Memory);

// SAFETY: the memory is the library's alone while this is there, on whichever thread.
unsafe impl Send for Lent {}

impl Lent {
    /// # Safety
    /// As [`cut`]; and everything that is made of the pieces is dropped before this is.
    pub(crate) const unsafe fn new(memory: Memory) -> Self {
        Self(memory)
    }

    /// Whether it has a byte of other memory.
    #[cfg(feature = "objects")]
    pub(crate) fn shares(&self, other: &Memory) -> bool {
        let (start, other_start) = (self.0.start.addr(), other.start.addr());
        start < other_start.saturating_add(other.size) && other_start < start.saturating_add(self.0.size)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: writable for its whole size, and nothing else has a reference to it any more, as `new` was told.
        let all = unsafe { &mut *slice_from_raw_parts_mut(self.0.start.cast::<u8>(), self.0.size) };
        zeroize::Zeroize::zeroize(all);
    }
}

/// RAM from the heap, as large as asked for. Wiped when it goes, which must be after everything that was made of its pieces.
#[cfg(feature = "std")]
pub(crate) struct Heap(Vec<u64>);

#[cfg(feature = "std")]
impl Heap {
    /// RAM for a store with so many heads and segments, and for the faces; and its pieces.
    ///
    /// # Safety
    /// The pieces, and everything that is made of them, are dropped before the heap is.
    pub(crate) unsafe fn new(
        heads: u32,
        segments: usize,
        asset_bytes: u32,
        cfstore_bytes: u32,
    ) -> Result<(Self, Pieces)> {
        let faces = asset_bytes as usize + cfstore_bytes as usize;
        let bytes = 8192 + heads as usize * size_of::<Head>() + segments + faces;
        let mut heap = vec![0_u64; bytes.div_ceil(8)];
        let (start, size) = (heap.as_mut_ptr().cast(), heap.len() * 8);
        // SAFETY: the vector is never touched again before it's dropped, and then the caller has dropped the pieces.
        let pieces = unsafe { cut(&Memory { start, size, heads, asset_bytes, cfstore_bytes }, segments) }?;
        Ok((Self(heap), pieces))
    }
}

#[cfg(feature = "std")]
impl Drop for Heap {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(self.0.as_mut_slice());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every size up to what suffices, at every alignment: too small is refused, and no byte behind the end is touched.
    #[test]
    fn a_short_memory_is_refused_and_never_overrun() {
        let mut bytes = vec![0xa5_u8; 16 * 1024];
        let (mut good, mut refused) = (0, 0);
        for (shift, size) in (0..8).flat_map(|shift| (0..8192).step_by(7).map(move |size| (shift, size))) {
            bytes.fill(0xa5);
            let start: *mut c_void = bytes[shift..].as_mut_ptr().cast();
            let memory = Memory { start, size, heads: 16, asset_bytes: 300, cfstore_bytes: 1024 };
            // SAFETY: the vector is longer, and nothing uses it while the pieces are there.
            let cut = unsafe { cut(&memory, 64) }.map(drop);
            *(if cut.is_ok() { &mut good } else { &mut refused }) += 1;
            assert!(bytes[shift + size..].iter().all(|byte| *byte == 0xa5), "{size} bytes at {shift}");
        }
        assert!(good > 1000 && refused > 1000, "{good} {refused}");
    }

    #[test]
    fn nonsense_is_refused() {
        let mut bytes = [0_u64; 8];
        let good = Memory { start: bytes.as_mut_ptr().cast(), size: 64, heads: 1, asset_bytes: 0, cfstore_bytes: 0 };
        for (memory, failure) in [
            (Memory { start: core::ptr::null_mut(), ..good }, Failure::Argument),
            (Memory { size: usize::MAX, ..good }, Failure::Argument),
            (good, Failure::Layout),
            (Memory { heads: u32::MAX, asset_bytes: u32::MAX, ..good }, Failure::Layout),
        ] {
            // SAFETY: refused before a byte is touched, or within the array.
            assert_eq!(unsafe { cut(&memory, usize::MAX) }.map(|_| ()), Err(failure));
        }
    }
}
