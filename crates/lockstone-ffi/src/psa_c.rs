//! The functions of `psa/internal_trusted_storage.h` and `psa/protected_storage.h`.
#![expect(unsafe_code, reason = "the edge to C")]

use core::ffi::c_void;

use crate::allegation::{Out, Source, Target};
use crate::failure::{Failure, Result};
use crate::library::Open;
use crate::psa::{Call, Info, Names};
use crate::shared::enter;

/// Calls with the open store, and says what the function may say. One piece of code for all functions.
fn answer(call: Call, uid: u64, act: &mut dyn FnMut(&mut Open, &Names) -> Result<()>) -> i32 {
    call.status(enter(|library| {
        let open = library.opened()?;
        let names = Names::of(call, open.caller(), uid)?;
        act(open, &names)
    }))
}

/// # Safety
/// As [`psa_its_set`].
unsafe fn set(call: Call, uid: u64, length: usize, data: *const c_void, flags: u32) -> i32 {
    // SAFETY: the caller's promise.
    let data = unsafe { Source::new(data, length) };
    answer(call, uid, &mut move |open, names| open.set(names, &data, flags))
}

/// # Safety
/// As [`psa_its_get`].
unsafe fn get(call: Call, uid: u64, offset: usize, size: usize, buffer: *mut c_void, length: *mut usize) -> i32 {
    // SAFETY: the caller's promise.
    let (mut target, mut length) = unsafe { (Target::new(buffer, size), Out::new(length)) };
    if length.is_missing() {
        return call.status(Err(Failure::Argument));
    }
    answer(call, uid, &mut move |open, names| {
        let read = open.read_asset(names, offset, &mut target)?;
        length.set(read);
        Ok(())
    })
}

/// # Safety
/// As [`psa_its_get_info`].
unsafe fn get_info(call: Call, uid: u64, info: *mut Info) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(info) };
    if out.is_missing() {
        return call.status(Err(Failure::Argument));
    }
    answer(call, uid, &mut move |open, names| open.info(names).map(|info| out.set(info)))
}

fn remove(call: Call, uid: u64) -> i32 {
    answer(call, uid, &mut move |open, names| open.remove(names))
}

/// Sets an asset of ITS.
///
/// # Safety
/// The data is null or readable for its length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psa_its_set(uid: u64, data_length: usize, p_data: *const c_void, create_flags: u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { set(Call::ItsSet, uid, data_length, p_data, create_flags) }
}

/// Reads from an asset of ITS.
///
/// # Safety
/// The buffer is null or writable for its size, the length null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psa_its_get(
    uid: u64,
    data_offset: usize,
    data_size: usize,
    p_data: *mut c_void,
    p_data_length: *mut usize,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { get(Call::ItsGet, uid, data_offset, data_size, p_data, p_data_length) }
}

/// What is known of an asset of ITS.
///
/// # Safety
/// The pointer is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psa_its_get_info(uid: u64, p_info: *mut Info) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { get_info(Call::ItsGet, uid, p_info) }
}

/// Removes an asset of ITS.
#[unsafe(no_mangle)]
pub extern "C" fn psa_its_remove(uid: u64) -> i32 {
    remove(Call::ItsRemove, uid)
}

/// Sets an asset of PS.
///
/// # Safety
/// As [`psa_its_set`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psa_ps_set(uid: u64, data_length: usize, p_data: *const c_void, create_flags: u32) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { set(Call::PsSet, uid, data_length, p_data, create_flags) }
}

/// Reads from an asset of PS.
///
/// # Safety
/// As [`psa_its_get`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psa_ps_get(
    uid: u64,
    data_offset: usize,
    data_size: usize,
    p_data: *mut c_void,
    p_data_length: *mut usize,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { get(Call::PsGet, uid, data_offset, data_size, p_data, p_data_length) }
}

/// What is known of an asset of PS.
///
/// # Safety
/// As [`psa_its_get_info`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psa_ps_get_info(uid: u64, p_info: *mut Info) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { get_info(Call::PsGet, uid, p_info) }
}

/// Removes an asset of PS.
#[unsafe(no_mangle)]
pub extern "C" fn psa_ps_remove(uid: u64) -> i32 {
    remove(Call::PsRemove, uid)
}

/// Makes an empty asset with a capacity.
#[unsafe(no_mangle)]
pub extern "C" fn psa_ps_create(uid: u64, capacity: usize, create_flags: u32) -> i32 {
    answer(Call::PsCreate, uid, &mut move |open, names| open.create(names, capacity, create_flags))
}

/// Writes into an asset.
///
/// # Safety
/// As [`psa_its_set`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psa_ps_set_extended(
    uid: u64,
    data_offset: usize,
    data_length: usize,
    p_data: *const c_void,
) -> i32 {
    // SAFETY: the caller's promise.
    let data = unsafe { Source::new(p_data, data_length) };
    answer(Call::PsSetExtended, uid, &mut move |open, names| open.set_extended(names, data_offset, &data))
}

/// Which optional functions there are; 0 when no store can be opened.
#[unsafe(no_mangle)]
pub extern "C" fn psa_ps_get_support() -> u32 {
    enter(|library| Ok(library.opened()?.support())).unwrap_or(0)
}
