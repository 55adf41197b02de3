//! Allegations: what C says of memory, until it is checked.
//!
//! A [`Source`] or [`Target`] is a pointer and a length that nobody believes yet. It becomes a slice once the length was held
//! against what makes sense, so an absurd length is answered before a byte is touched, and null is an error unless nothing
//! is asked of it.
#![expect(unsafe_code, reason = "makes references of pointers")]

use core::ffi::{c_char, c_void};
use core::slice;

use crate::failure::{Failure, Result};

/// Bytes that C gives.
#[derive(Clone, Copy)]
pub(crate) struct Source(*const u8, usize);

/// Room that C gives.
pub(crate) struct Target(*mut u8, usize);

impl Source {
    /// # Safety
    /// If not null, the pointer is readable for `length` bytes, and nobody writes there, until the call from C returns;
    /// unless `length` is more than any object has, when it may be anything.
    pub(crate) const unsafe fn new(start: *const c_void, length: usize) -> Self {
        Self(start.cast(), length)
    }

    /// How many bytes, it says.
    pub(crate) const fn length(&self) -> usize {
        self.1
    }

    /// There is something to read, and no pointer to it.
    pub(crate) const fn is_missing(&self) -> bool {
        self.1 > 0 && self.0.is_null()
    }

    /// The bytes, if there are at most so many.
    pub(crate) fn at_most(&self, most: usize) -> Result<&[u8]> {
        if self.is_missing() {
            return Err(Failure::Argument);
        }
        if self.1 > most || self.1 > isize::MAX as usize {
            return Err(Failure::TooLarge);
        }
        if self.1 == 0 {
            return Ok(&[]);
        }
        // SAFETY: not null and readable for its length, as `new` was told; the length fits.
        Ok(unsafe { slice::from_raw_parts(self.0, self.1) })
    }
}

impl Target {
    /// # Safety
    /// If not null, the pointer is writable for `length` bytes, and nobody else uses them, until the call from C returns;
    /// unless `length` is more than any object has, when it is writable for as many as there is anything to say.
    pub(crate) const unsafe fn new(start: *mut c_void, length: usize) -> Self {
        Self(start.cast(), length)
    }

    /// How many bytes, it says.
    pub(crate) const fn length(&self) -> usize {
        self.1
    }

    /// There is no pointer.
    #[cfg(feature = "cfstore")]
    pub(crate) const fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// There is room, and no pointer to it.
    pub(crate) const fn is_missing(&self) -> bool {
        self.1 > 0 && self.0.is_null()
    }

    /// The first so many bytes of it.
    pub(crate) fn first(&mut self, length: usize) -> Result<&mut [u8]> {
        if length == 0 {
            return Ok(&mut []);
        }
        if self.0.is_null() || length > self.1 || length > isize::MAX as usize {
            return Err(Failure::Argument);
        }
        // SAFETY: not null and writable for at least `length` bytes, as `new` was told; the length fits.
        Ok(unsafe { slice::from_raw_parts_mut(self.0, length) })
    }
}

/// A value that C wants written.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// # Safety
    /// If not null, the pointer is writable for a `T`, aligned or not, until the call from C returns.
    pub(crate) const unsafe fn new(place: *mut T) -> Self {
        Self(place)
    }

    /// There is no place to write to.
    pub(crate) const fn is_missing(&self) -> bool {
        self.0.is_null()
    }

    /// Writes it, if there is a place.
    pub(crate) fn set(&mut self, value: T) {
        if !self.0.is_null() {
            // SAFETY: writable, as `new` was told; alignment is not asked for.
            unsafe { self.0.write_unaligned(value) };
        }
    }
}

/// Reads a value that C gives; `None` for null.
///
/// # Safety
/// If not null, the pointer is readable for a `T`, aligned or not, and any bits make a `T`.
pub(crate) const unsafe fn read<T: Copy>(place: *const T) -> Option<T> {
    // SAFETY: not null and readable, as the caller promises.
    if place.is_null() { None } else { Some(unsafe { place.read_unaligned() }) }
}

/// The bytes of a name before its NUL, copied into `room`, if there is room for the NUL too.
///
/// # Safety
/// If not null, the pointer is readable up to a NUL, or for as many bytes as there is room.
#[inline(never)]
pub(crate) unsafe fn name(start: *const c_char, room: &mut [u8]) -> Result<&[u8]> {
    if start.is_null() {
        return Err(Failure::Argument);
    }
    for index in 0..room.len() {
        // SAFETY: none of the bytes before this one was a NUL, so this one is readable.
        let byte = unsafe { start.cast::<u8>().add(index).read() };
        if byte == 0 {
            return room.get(..index).ok_or(Failure::Internal);
        }
        *room.get_mut(index).ok_or(Failure::Internal)? = byte;
    }
    Err(Failure::Argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked_before_pointers_are_used() {
        let dangling: *const c_void = core::ptr::without_provenance(1);
        // SAFETY: every slice that is made below is of memory that is there.
        unsafe {
            assert_eq!(Source::new(dangling, usize::MAX).at_most(100), Err(Failure::TooLarge));
            assert_eq!(Source::new(dangling, usize::MAX).at_most(usize::MAX), Err(Failure::TooLarge));
            assert_eq!(Source::new(dangling, 101).at_most(100), Err(Failure::TooLarge));
            assert_eq!(Source::new(core::ptr::null(), 1).at_most(100), Err(Failure::Argument));
            assert_eq!(Source::new(core::ptr::null(), 0).at_most(0), Ok(&[][..]));
            assert_eq!(Source::new(dangling, 0).at_most(0), Ok(&[][..]));
            assert_eq!(Target::new(dangling.cast_mut(), usize::MAX).first(0).map(|room| room.len()), Ok(0));
            assert_eq!(Target::new(core::ptr::null_mut(), 9).first(1), Err(Failure::Argument));
            assert_eq!(Target::new(dangling.cast_mut(), 9).first(10), Err(Failure::Argument));
            assert_eq!(read::<u32>(core::ptr::null()), None);
            Out::<u64>::new(core::ptr::null_mut()).set(1);
        }
    }

    #[test]
    fn what_is_there_is_read_and_written_also_unaligned() {
        let mut bytes = [1_u8, 2, 3, 4, 5, 6, 7, 8, 9];
        // SAFETY: all within the array.
        unsafe {
            Out::<u32>::new(bytes.as_mut_ptr().add(1).cast()).set(u32::MAX);
            assert_eq!(read::<u16>(bytes.as_ptr().add(3).cast()), Some(0xffff));
            Target::new(bytes.as_mut_ptr().cast(), 9).first(2).unwrap().fill(7);
            assert_eq!(Source::new(bytes.as_ptr().cast(), 9).at_most(9).unwrap(), [7, 7, 255, 255, 255, 6, 7, 8, 9]);
        }
    }

    #[test]
    fn a_name_ends_within_its_room_or_is_refused() {
        // SAFETY: all end with a NUL, or have as many bytes as there is room.
        unsafe {
            let mut room = [b'x'; 5];
            assert_eq!(name(c"abc".as_ptr(), &mut room[..4]), Ok(&b"abc"[..]));
            assert_eq!(name(c"".as_ptr(), &mut room[..4]), Ok(&[][..]));
            assert_eq!(name(c"abcd".as_ptr(), &mut room[..4]), Err(Failure::Argument));
            assert_eq!(name(core::ptr::null(), &mut room[..4]), Err(Failure::Argument));
            assert_eq!(name(c"".as_ptr(), &mut []), Err(Failure::Argument), "nor is anything read without room");
            assert_eq!(room[4], b'x');
        }
    }
}
