//! `FLASH_JOURNAL_STRATEGY_SEQUENTIAL`: the table of `flash_journal.h`, and `format`.
#![expect(unsafe_code, reason = "the edge to C")]

use core::ffi::c_void;
use core::mem::offset_of;

use crate::allegation::{Out, Source, Target, read};
use crate::journal::{Answer, code};
pub use crate::journal::{JournalInfo, State};
use crate::library::Open;
use crate::shared::enter;

/// `JOURNAL_STATUS_PARAMETER`.
const PARAMETER: i32 = -5;

/// `FlashJournal_Callback_t`; never called.
pub type JournalCallback = unsafe extern "C" fn(i32, i32);

/// `ARM_DRIVER_STORAGE`, which is not looked at.
pub type Mtd = c_void;

/// `FlashJournal_Ops_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each is described in flash_journal.h")]
pub struct JournalDriver {
    pub initialize:
        unsafe extern "C" fn(*mut Journal, *const Mtd, *const JournalDriver, Option<JournalCallback>) -> i32,
    pub get_info: unsafe extern "C" fn(*mut Journal, *mut JournalInfo) -> i32,
    pub read: unsafe extern "C" fn(*mut Journal, *mut c_void, usize) -> i32,
    pub read_from: unsafe extern "C" fn(*mut Journal, usize, *mut c_void, usize) -> i32,
    pub log: unsafe extern "C" fn(*mut Journal, *const c_void, usize) -> i32,
    pub commit: unsafe extern "C" fn(*mut Journal) -> i32,
    pub reset: unsafe extern "C" fn(*mut Journal) -> i32,
}

/// `FlashJournal_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Journal {
    /// The functions, for the caller.
    pub ops: JournalDriver,
    /// What is believed as little as all that comes from C.
    pub state: State,
}

/// The strategy.
#[unsafe(no_mangle)]
pub static FLASH_JOURNAL_STRATEGY_SEQUENTIAL: JournalDriver =
    JournalDriver { initialize, get_info, read: read_on, read_from, log, commit, reset };

/// Does something on the open store.
fn on_open(act: impl FnOnce(&mut Open) -> Answer) -> i32 {
    let answer = enter(|library| Ok(act(library.opened()?)));
    answer.map_or_else(code, |answer| answer.unwrap_or_else(|error| error))
}

/// Does something with a handle's state, which is written back.
///
/// # Safety
/// The journal is null, or readable and writable.
unsafe fn with_state(journal: *mut Journal, act: impl FnOnce(&mut Open, &mut State) -> Answer) -> i32 {
    if journal.is_null() {
        return PARAMETER;
    }
    // SAFETY: within the journal, which is not null.
    let place = unsafe { journal.cast::<u8>().add(offset_of!(Journal, state)) }.cast::<State>();
    // SAFETY: within the journal, which is readable and writable; any bits are a state.
    let (state, mut out) = unsafe { (read(place), Out::new(place)) };
    let Some(mut state) = state else { return PARAMETER };
    on_open(|open| {
        let answer = act(open, &mut state);
        out.set(state);
        answer
    })
}

unsafe extern "C" fn initialize(
    journal: *mut Journal,
    _mtd: *const Mtd,
    ops: *const JournalDriver,
    _callback: Option<JournalCallback>,
) -> i32 {
    // SAFETY: the journal is null or writable, as `flash_journal.h` says.
    let mut out = unsafe { Out::new(journal) };
    if out.is_missing() || ops.is_null() {
        return PARAMETER;
    }
    on_open(|open| {
        let state = open.fj_initialize()?;
        out.set(Journal { ops: FLASH_JOURNAL_STRATEGY_SEQUENTIAL, state });
        Ok(1)
    })
}

unsafe extern "C" fn get_info(journal: *mut Journal, info: *mut JournalInfo) -> i32 {
    // SAFETY: the information is null or writable.
    let mut out = unsafe { Out::new(info) };
    if out.is_missing() {
        return PARAMETER;
    }
    // SAFETY: the journal is null, or readable and writable.
    unsafe {
        with_state(journal, |open, state| {
            out.set(open.fj_info(state)?);
            Ok(0)
        })
    }
}

unsafe extern "C" fn read_on(journal: *mut Journal, buffer: *mut c_void, size: usize) -> i32 {
    // SAFETY: the buffer is null or writable for its size.
    let mut target = unsafe { Target::new(buffer, size) };
    // SAFETY: the journal is null, or readable and writable.
    unsafe { with_state(journal, |open, state| open.fj_read(state, None, &mut target)) }
}

unsafe extern "C" fn read_from(journal: *mut Journal, offset: usize, buffer: *mut c_void, size: usize) -> i32 {
    // SAFETY: the buffer is null or writable for its size.
    let mut target = unsafe { Target::new(buffer, size) };
    // SAFETY: the journal is null, or readable and writable.
    unsafe { with_state(journal, |open, state| open.fj_read(state, Some(offset as u64), &mut target)) }
}

unsafe extern "C" fn log(journal: *mut Journal, blob: *const c_void, size: usize) -> i32 {
    // SAFETY: the blob is null or readable for its size.
    let source = unsafe { Source::new(blob, size) };
    // SAFETY: the journal is null, or readable and writable.
    unsafe { with_state(journal, |open, state| open.fj_log(state, source)) }
}

unsafe extern "C" fn commit(journal: *mut Journal) -> i32 {
    // SAFETY: the journal is null, or readable and writable.
    unsafe { with_state(journal, Open::fj_commit) }
}

unsafe extern "C" fn reset(journal: *mut Journal) -> i32 {
    // SAFETY: the journal is null, or readable and writable.
    unsafe { with_state(journal, Open::fj_reset) }
}

/// Makes the caller's journal, empty.
#[unsafe(no_mangle)]
pub extern "C" fn flashJournalStrategySequential_format(
    _mtd: *const Mtd,
    slots: u32,
    _callback: Option<JournalCallback>,
) -> i32 {
    on_open(|open| open.fj_format(slots))
}
