//! The functions of `lockstone.h`.
#![expect(unsafe_code, reason = "the edge to C")]

use core::ffi::{c_char, c_void};

use lockstone::Cursor;

use crate::allegation::{Out, Source, Target, name, read};
use crate::failure::{Failure, Result};
use crate::library::{Open, Place};
use crate::native::Stats;
use crate::platform::Platform;
use crate::ram::Memory;
use crate::shared::{enter, status};

/// A name and its NUL, or a byte too many.
const NAME: usize = 256;

/// `lockstone_cursor`: where a search stands. All zero: at the beginning.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchPlace {
    next: u64,
    pub(crate) bucket: u32,
    reserved: u32,
}

/// Does something with the key of this name on the open store.
///
/// # Safety
/// As [`lockstone_delete`].
unsafe fn named(key: *const c_char, act: &mut dyn FnMut(&mut Open, &[u8]) -> Result<()>) -> i32 {
    let mut room = [0; NAME];
    // SAFETY: the caller's promise.
    let key = unsafe { name(key, &mut room) };
    status(key.and_then(|key| enter(|library| act(library.opened()?, key))))
}

/// Opens the store on a platform's flash, or makes an empty one there first.
///
/// # Safety
/// As [`lockstone_open`].
unsafe fn open(platform: *const Platform, memory: *const Memory, format: bool) -> Result<()> {
    // SAFETY: the caller's promise; any bits are numbers, and function pointers as C gives them.
    let (platform, memory) = unsafe { (read(platform), read(memory)) };
    let (Some(platform), Some(memory)) = (platform, memory) else { return Err(Failure::Argument) };
    platform.check()?;
    enter(|library| {
        library.check_closed()?;
        let segments = library.key_bytes(platform.flash_size) / 2048;
        // SAFETY: `lockstone.h` asks for memory that nobody else uses while the store is open, and nothing is open now.
        let pieces = unsafe { crate::ram::cut(&memory, segments) }?;
        // SAFETY: as above; it goes into the same `Open` as what is made of the pieces, as its last field.
        let lent = unsafe { crate::ram::Lent::new(memory) };
        library.open_platform(platform, Place::Hooks, lent, pieces, format)?;
        #[cfg(not(feature = "std"))]
        crate::shared::set_lock(Some(platform));
        Ok(())
    })
}

/// Opens the store on this platform's flash. Nothing is written.
///
/// # Safety
/// Pointers are null or as `lockstone.h` says; the hooks obey it; the memory is the library's until `lockstone_close`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_open(platform: *const Platform, memory: *const Memory) -> i32 {
    // SAFETY: the caller's promise.
    status(unsafe { open(platform, memory, false) })
}

/// Erases the flash, makes an empty store, and opens it.
///
/// # Safety
/// As [`lockstone_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_format(platform: *const Platform, memory: *const Memory) -> i32 {
    // SAFETY: the caller's promise.
    status(unsafe { open(platform, memory, true) })
}

/// # Safety
/// As [`lockstone_open_device`].
#[cfg(feature = "std")]
unsafe fn open_device(directory: *const c_char, or_make: bool) -> i32 {
    const PATH: usize = 4096;
    let mut room = [0; PATH];
    // SAFETY: the caller's promise.
    status(unsafe { name(directory, &mut room) }.and_then(|path| {
        let path = core::str::from_utf8(path).map_err(|_| Failure::Argument)?;
        if path.is_empty() {
            Err(Failure::Argument)
        } else {
            enter(|library| library.open_device(path.as_ref(), or_make))
        }
    }))
}

/// Opens the device in this directory; makes one where nothing is.
///
/// # Safety
/// The path is null or ends with a NUL.
#[cfg(feature = "std")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_open_device(directory: *const c_char) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { open_device(directory, true) }
}

/// Opens the device in this directory; where nothing is nothing is made.
///
/// # Safety
/// As [`lockstone_open_device`].
#[cfg(feature = "std")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_open_existing_device(directory: *const c_char) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { open_device(directory, false) }
}

/// Closes the store in order; its memory is the caller's again, whatever this returns.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_close() -> i32 {
    status(enter(|library| {
        let closed = library.close();
        #[cfg(not(feature = "std"))]
        crate::shared::set_lock(None);
        closed
    }))
}

/// Stores a value under a name.
///
/// # Safety
/// The name is null or ends with a NUL within 256 bytes; the value is null or readable for its length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_put(key: *const c_char, value: *const c_void, length: usize, flags: u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        let value = Source::new(value, length);
        named(key, &mut move |open, key| open.put(key, &value, flags))
    }
}

/// Copies a value; `length` is its length, also when the buffer is too small.
///
/// # Safety
/// As [`lockstone_put`]; the buffer is null or writable for `size`, `length` null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_get(
    key: *const c_char,
    buffer: *mut c_void,
    size: usize,
    length: *mut usize,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        let (mut target, mut length) = (Target::new(buffer, size), Out::new(length));
        named(key, &mut move |open, key| open.get(key, &mut target, &mut length))
    }
}

/// Deletes a key.
///
/// # Safety
/// As [`lockstone_put`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_delete(key: *const c_char) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { named(key, &mut move |open, key| open.delete(key)) }
}

/// The next name that begins with `prefix`, with its NUL.
///
/// # Safety
/// As [`lockstone_put`]; the cursor is null, or readable and writable, and `found` null or writable for 256 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_find(cursor: *mut SearchPlace, prefix: *const c_char, found: *mut c_char) -> i32 {
    let mut room = [0; NAME];
    // SAFETY: the caller's promise; any bits are a place.
    let (place, prefix) = unsafe { (read(cursor), name(prefix, &mut room)) };
    // SAFETY: the caller's promise.
    let (mut cursor, mut found) = unsafe { (Out::new(cursor), Target::new(found.cast(), NAME)) };
    let (Some(place), Ok(prefix)) = (place, prefix) else { return Failure::Argument.code() };
    if found.is_missing() {
        return Failure::Argument.code();
    }
    status(enter(|library| {
        let (mut name, mut at) = ([0; 255], Cursor::of_words(place.bucket, place.next));
        let result = library.opened()?.find(&mut at, prefix, &mut name);
        let (bucket, next) = at.as_words();
        cursor.set(SearchPlace { next, bucket, reserved: 0 });
        let length = result?;
        let (text, nul) = found.first(length + 1)?.split_at_mut(length);
        text.copy_from_slice(&name[..length]);
        nul.fill(0);
        Ok(())
    }))
}

/// Fill, wear and what the counter has left.
///
/// # Safety
/// The pointer is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_get_stats(stats: *mut Stats) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(stats) };
    if out.is_missing() {
        return Failure::Argument.code();
    }
    status(enter(|library| library.opened()?.stats().map(|stats| out.set(stats))))
}
