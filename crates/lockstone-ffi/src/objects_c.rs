//! The functions of `lockstone_objects.h`.
#![expect(unsafe_code, reason = "the edge to C")]

use core::ffi::{c_char, c_void};

use crate::allegation::{Out, Source, Target, name, read};
use crate::failure::{Failure, Result};
use crate::library::Open;
pub use crate::objects::{Content, VolumeRow};
use crate::objects::{Named, VOLUMES};
use crate::ram::{Lent, Memory, cut_objects};
use crate::shared::{enter, status};

/// A name and its NUL, or a byte too many.
const NAME: usize = 256;

/// Does something with an object on the open store.
///
/// # Safety
/// The name is null or ends with a NUL within 256 bytes.
unsafe fn named(key: *const c_char, act: impl FnOnce(&mut Open, Named<'_>) -> Result<()>) -> i32 {
    let mut room = [0; NAME];
    // SAFETY: the caller's promise.
    let key = unsafe { name(key, &mut room) };
    status(key.and_then(|key| {
        enter(|library| {
            let open = library.opened()?;
            let named = open.named(key)?;
            act(open, named)
        })
    }))
}

/// Says which part of the flash is for what that is opened next.
///
/// # Safety
/// The volumes are null or readable, so many of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_use_volumes(volumes: *const VolumeRow, count: usize) -> i32 {
    let mut rows = [VolumeRow::default(); VOLUMES];
    let Some(places) = rows.get_mut(..count) else { return Failure::Layout.code() };
    for (index, place) in places.iter_mut().enumerate() {
        // SAFETY: the caller's promise; null stays null.
        let row = unsafe { if volumes.is_null() { None } else { read(volumes.add(index)) } };
        let Some(row) = row else { return Failure::Argument.code() };
        *place = row;
    }
    status(enter(|library| library.use_volumes(places)))
}

/// A volume of the table that is in force.
///
/// # Safety
/// The volume is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_get_volume(index: usize, volume: *mut VolumeRow) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(volume) };
    status(enter(|library| library.opened()?.volume(index).map(|row| out.set(row))))
}

/// The volume of a kind and number.
///
/// # Safety
/// The volume is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_find_volume(kind: u8, number: u8, volume: *mut VolumeRow) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(volume) };
    status(enter(|library| library.opened()?.find_volume(kind, number).map(|row| out.set(row))))
}

/// # Safety
/// As [`lockstone_objects_open`].
unsafe fn open(start: *mut c_void, size: usize, format: bool) -> i32 {
    status(enter(|library| {
        let open = library.opened()?;
        if open.objects.is_some() {
            return Err(Failure::Busy);
        }
        let memory = Memory { start, size, heads: 0, asset_bytes: 0, cfstore_bytes: 0 };
        if open.has_of(&memory) {
            return Err(Failure::Argument);
        }
        // SAFETY: `lockstone_objects.h` asks for memory that nobody else uses while objects are open, and they are not open now; it's
        // not the store's either.
        let pieces = unsafe { cut_objects(&memory) }?;
        // SAFETY: as above; it goes into the same `OpenObjects` as what is made of the pieces, as its last field.
        let lent = unsafe { Lent::new(memory) };
        open.ob_open(pieces, lent, format)
    }))
}

/// Opens the volume of objects. Nothing is written.
///
/// # Safety
/// The memory is null, or writable for its size and the library's until it's closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_objects_open(memory: *mut c_void, size: usize) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { open(memory, size, false) }
}

/// Erases the volume of objects, and opens it.
///
/// # Safety
/// As [`lockstone_objects_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_objects_format(memory: *mut c_void, size: usize) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { open(memory, size, true) }
}

/// Gives the memory of objects back.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_objects_close() -> i32 {
    status(enter(|library| library.opened()?.ob_close()))
}

/// Begins an object.
///
/// # Safety
/// The name is null or ends with a NUL within 256 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_object_begin(key: *const c_char, length: u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { named(key, |open, key| open.ob_begin(key, length)) }
}

/// Takes bytes of an object that was begun.
///
/// # Safety
/// As [`lockstone_object_begin`]; the data is null or readable for its length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_object_write(
    key: *const c_char,
    offset: u32,
    data: *const c_void,
    length: usize,
) -> i32 {
    // SAFETY: the caller's promise.
    let source = unsafe { Source::new(data, length) };
    // SAFETY: as above.
    unsafe { named(key, |open, key| open.ob_write(key, offset, source)) }
}

/// The first range that is missing.
///
/// # Safety
/// As [`lockstone_object_begin`]; start and length are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_object_missing(
    key: *const c_char,
    from: u32,
    start: *mut u32,
    length: *mut u32,
) -> i32 {
    // SAFETY: the caller's promise.
    let (mut start, mut length) = unsafe { (Out::new(start), Out::new(length)) };
    if length.is_missing() {
        return Failure::Argument.code();
    }
    // SAFETY: the caller's promise.
    unsafe {
        named(key, |open, key| {
            let (at, bytes) = open.ob_missing(key, from)?;
            start.set(at);
            length.set(bytes);
            Ok(())
        })
    }
}

/// Ends an object: it's there from now on.
///
/// # Safety
/// As [`lockstone_object_begin`]; the digest is null or readable for 32 bytes, the information null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_object_finish(
    key: *const c_char,
    digest: *const u8,
    flags: u32,
    info: *mut Content,
) -> i32 {
    // SAFETY: the caller's promise; any bytes are a digest.
    let (digest, mut out) = unsafe { (read(digest.cast::<[u8; 32]>()), Out::new(info)) };
    // SAFETY: the caller's promise.
    unsafe { named(key, |open, key| open.ob_finish(key, digest, flags).map(|info| out.set(info))) }
}

/// Gives an object up that was begun.
///
/// # Safety
/// As [`lockstone_object_begin`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_object_abort(key: *const c_char) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { named(key, Open::ob_abort) }
}

/// Erases what deleted objects left.
///
/// # Safety
/// The number of blocks is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_objects_reclaim(blocks: *mut u32) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(blocks) };
    status(enter(|library| library.opened()?.ob_reclaim().map(|blocks| out.set(blocks))))
}

/// Length and digest of an object.
///
/// # Safety
/// As [`lockstone_object_begin`]; the information is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_object_get(key: *const c_char, info: *mut Content) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(info) };
    // SAFETY: the caller's promise.
    unsafe { named(key, |open, key| open.ob_info(key).map(|info| out.set(info))) }
}

/// Copies bytes of an object.
///
/// # Safety
/// As [`lockstone_object_begin`]; the buffer is null or writable for its size, the length null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_object_read(
    key: *const c_char,
    offset: u32,
    buffer: *mut c_void,
    size: usize,
    length: *mut usize,
) -> i32 {
    // SAFETY: the caller's promise.
    let (mut target, mut length) = unsafe { (Target::new(buffer, size), Out::new(length)) };
    // SAFETY: the caller's promise.
    unsafe { named(key, |open, key| open.ob_read(key, offset, &mut target).map(|read| length.set(read))) }
}

/// Decides that a slot is to hold an object.
///
/// # Safety
/// As [`lockstone_object_begin`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_slot_request(number: u8, key: *const c_char, flags: u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { named(key, |open, key| open.slot_request(number, key.name, flags)) }
}

/// Brings a slot to hold what was requested, and verifies it.
///
/// # Safety
/// The information is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_slot_install(number: u8, info: *mut Content) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(info) };
    status(enter(|library| library.opened()?.slot_install(number).map(|info| out.set(info))))
}

/// Ends an install.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_slot_confirm(number: u8, flags: u32) -> i32 {
    status(enter(|library| library.opened()?.slot_confirm(number, flags)))
}

/// Takes what lies in a slot for what belongs there.
///
/// # Safety
/// The information is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_slot_adopt(number: u8, length: u32, flags: u32, info: *mut Content) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(info) };
    status(enter(|library| library.opened()?.slot_adopt(number, length, flags).map(|info| out.set(info))))
}

/// Forgets what belongs into a slot.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_slot_forget(number: u8, flags: u32) -> i32 {
    status(enter(|library| library.opened()?.slot_forget(number, flags)))
}

/// What belongs into a slot.
///
/// # Safety
/// The information is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_slot_get(number: u8, info: *mut Content) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(info) };
    status(enter(|library| library.opened()?.slot_state(number).map(|info| out.set(info))))
}
