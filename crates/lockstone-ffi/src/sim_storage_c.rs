//! The simulated chip as an `ARM_DRIVER_STORAGE`: `lockstone_sim_storage`, for C programs and tests that want a driver to call.
//!
//! It obeys `Driver_Storage.h` to the letter, and is as awkward as that allows: asynchronous operations move their data when
//! they end, not when they begin; they end while somebody asks for the status; and it does less at once than it was asked to.
#![expect(unsafe_code, reason = "the edge to C")]

use core::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use crate::allegation::{Out, Source, Target, read};
use crate::common_c::{Bits, Version};
use crate::sim_c::sim;
use crate::storage::{Attributes, Block, CAN_ERASE, CAN_PROGRAM, Information};
use crate::storage_c::{Operation, StorageCallback, StorageDriver};

/// `LOCKSTONE_SIM_STORAGE_ASYNCHRONOUS`: operations begin, and end later.
const ASYNCHRONOUS: u32 = 1;
/// `LOCKSTONE_SIM_STORAGE_SILENT`: nobody is called back, only the status says that they ended.
const SILENT: u32 = 2;
/// `LOCKSTONE_SIM_STORAGE_SHORT`: at most 64 bytes, or one block, at once.
const SHORT: u32 = 4;
/// So often the status says busy.
const POLLS: u32 = 3;

const UNIT: u32 = 4;
const ERASE: u32 = 4096;

const FAILED: i32 = -1;
const BUSY: i32 = -2;
const UNSUPPORTED: i32 = -4;
const PARAMETER: i32 = -5;

struct Storage {
    mode: u32,
    base: u64,
    callback: Option<StorageCallback>,
    initialised: bool,
    powered: bool,
    pending: Option<(Work, u32)>,
    error: bool,
}

/// What an operation does when it ends.
enum Work {
    Control(Operation),
    Read(u32, Target),
    Program(u32, Source),
    Erase(u32, u32),
    EraseAll,
}

// SAFETY: the buffer of an operation is the driver's until it ended, on whichever thread: `Driver_Storage.h` says so.
unsafe impl Send for Storage {}

static STORAGE: Mutex<Storage> = Mutex::new(Storage::new());

fn storage() -> MutexGuard<'static, Storage> {
    STORAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As after a start.
pub(crate) fn reset() {
    *storage() = Storage::new();
}

/// Bytes of the chip; 0 when none is simulated.
fn capacity() -> u32 {
    sim().as_mut().map_or(0, |sim| u32::try_from(sim.flash().capacity()).unwrap_or(0))
}

impl Storage {
    const fn new() -> Self {
        Self { mode: 0, base: 0, callback: None, initialised: false, powered: false, pending: None, error: false }
    }

    /// Where a range lies on the chip.
    fn place(&self, addr: u64, size: u32, unit: u32) -> Result<u32, i32> {
        let at = addr.checked_sub(self.base).and_then(|at| u32::try_from(at).ok()).ok_or(PARAMETER)?;
        let end = at.checked_add(size).ok_or(PARAMETER)?;
        if size == 0 || end > capacity() || !at.is_multiple_of(unit) || !size.is_multiple_of(unit) {
            return Err(PARAMETER);
        }
        Ok(at)
    }

    /// As many bytes as are moved at once. Where nobody is told, they are all, but of an erase.
    fn at_once(&self, size: u32, most: u32) -> u32 {
        let told = self.mode & (ASYNCHRONOUS | SILENT) != ASYNCHRONOUS | SILENT;
        if self.mode & SHORT != 0 && (told || most == ERASE) { size.min(most) } else { size }
    }

    /// Begins an operation, or does it.
    fn begin(&mut self, work: Work) -> i32 {
        if self.pending.is_some() {
            return BUSY;
        }
        if self.mode & ASYNCHRONOUS != 0 {
            self.error = false;
            self.pending = Some((work, POLLS));
            return 0;
        }
        self.end(work)
    }

    /// Does it; the bytes, 1, or an error.
    fn end(&mut self, work: Work) -> i32 {
        let status = self.act(work).unwrap_or(FAILED);
        self.error = status < 0;
        status
    }

    fn act(&mut self, work: Work) -> Option<i32> {
        let mut sim = sim();
        let flash = sim.as_mut()?.flash();
        match work {
            Work::Control(Operation::Uninitialize) => {
                (self.initialised, self.powered, self.callback) = (false, false, None);
                Some(1)
            }
            Work::Control(_) => Some(1),
            Work::Read(at, mut target) => {
                let length = target.length();
                flash.read(at, target.first(length).ok()?).ok()?;
                i32::try_from(length).ok()
            }
            Work::Program(at, source) => {
                flash.write(at, source.at_most(source.length()).ok()?).ok()?;
                i32::try_from(source.length()).ok()
            }
            Work::Erase(at, size) => {
                flash.erase(at, at + size).ok()?;
                i32::try_from(size).ok()
            }
            Work::EraseAll => {
                let end = u32::try_from(flash.capacity()).ok()?;
                flash.erase(0, end).ok()?;
                Some(1)
            }
        }
    }

    /// Whether something can be moved.
    fn ready(&self) -> Result<(), i32> {
        if self.initialised && self.powered { Ok(()) } else { Err(FAILED) }
    }

    /// The block that an offset on the chip is in: there are two, one behind the other.
    fn block(&self, at: u64) -> Option<Block> {
        let all = u64::from(capacity());
        let middle = (all / 2).next_multiple_of(ERASE.into());
        let (start, end) = if at < middle { (0, middle) } else { (middle, all) };
        let attributes = Attributes { bits: CAN_ERASE | CAN_PROGRAM, erase_unit: ERASE, protection_unit: 0 };
        (at < all).then_some(Block { addr: self.base + start, size: end - start, attributes })
    }
}

impl Work {
    const fn operation(&self) -> i32 {
        match self {
            Self::Control(operation) => *operation as i32,
            Self::Read(..) => Operation::Read as i32,
            Self::Program(..) => Operation::Program as i32,
            Self::Erase(..) => Operation::Erase as i32,
            Self::EraseAll => 8,
        }
    }
}

unsafe extern "C" fn get_version() -> Version {
    Version { api: 0x0100, drv: 0x0100 }
}

/// Bit 0: asynchronous operations. Bit 1: `EraseAll`.
unsafe extern "C" fn get_capabilities() -> Bits {
    Bits { bits: storage().mode & ASYNCHRONOUS | 2 }
}

unsafe extern "C" fn initialize(callback: Option<StorageCallback>) -> i32 {
    let mut storage = storage();
    if sim().is_none() {
        return FAILED;
    }
    storage.callback = callback;
    storage.initialised = true;
    storage.begin(Work::Control(Operation::Initialize))
}

unsafe extern "C" fn uninitialize() -> i32 {
    let mut storage = storage();
    storage.begin(Work::Control(Operation::Uninitialize))
}

unsafe extern "C" fn power_control(state: i32) -> i32 {
    let mut storage = storage();
    match state {
        _ if !storage.initialised => FAILED,
        0 | 2 => {
            let status = storage.begin(Work::Control(Operation::PowerControl));
            if status >= 0 {
                storage.powered = state == 2;
            }
            status
        }
        1 => UNSUPPORTED,
        _ => PARAMETER,
    }
}

unsafe extern "C" fn read_data(addr: u64, data: *mut c_void, size: u32) -> i32 {
    let mut storage = storage();
    let size = storage.at_once(size, 64);
    // SAFETY: `Driver_Storage.h` asks for room for the size, until the operation ended.
    let target = unsafe { Target::new(data, size as usize) };
    let begun = storage.ready().and_then(|()| {
        let at = storage.place(addr, size, 1)?;
        if target.is_missing() { Err(PARAMETER) } else { Ok(storage.begin(Work::Read(at, target))) }
    });
    begun.unwrap_or_else(|error| error)
}

unsafe extern "C" fn program_data(addr: u64, data: *const c_void, size: u32) -> i32 {
    let mut storage = storage();
    let whole = size.is_multiple_of(UNIT);
    let size = storage.at_once(size, 64);
    // SAFETY: `Driver_Storage.h` asks for bytes of that size, until the operation ended.
    let source = unsafe { Source::new(data, size as usize) };
    let begun = storage.ready().and_then(|()| {
        let at = storage.place(addr, size, UNIT)?;
        if source.is_missing() || !whole { Err(PARAMETER) } else { Ok(storage.begin(Work::Program(at, source))) }
    });
    begun.unwrap_or_else(|error| error)
}

unsafe extern "C" fn erase(addr: u64, size: u32) -> i32 {
    let mut storage = storage();
    let begun = storage.ready().and_then(|()| {
        let at = storage.place(addr, size, ERASE)?;
        let size = storage.at_once(size, ERASE);
        Ok(storage.begin(Work::Erase(at, size)))
    });
    begun.unwrap_or_else(|error| error)
}

unsafe extern "C" fn erase_all() -> i32 {
    let mut storage = storage();
    match storage.ready() {
        Ok(()) => storage.begin(Work::EraseAll),
        Err(error) => error,
    }
}

/// Bit 0: busy. Bit 1: the last operation failed. What is pending ends here, after a few calls.
unsafe extern "C" fn get_status() -> Bits {
    let mut storage = storage();
    let mut call = None;
    if let Some((work, polls)) = storage.pending.take() {
        if polls > 0 {
            storage.pending = Some((work, polls - 1));
            return Bits { bits: 1 };
        }
        let callback = storage.callback.filter(|_| storage.mode & SILENT == 0);
        let operation = work.operation();
        let status = storage.end(work);
        call = callback.map(|callback| (callback, status, operation));
    }
    let bits = u32::from(storage.error) << 1;
    drop(storage);
    if let Some((callback, status, operation)) = call {
        // SAFETY: the client gave it to Initialize, and may call the driver from it: it's unlocked.
        unsafe { callback(status, operation) };
    }
    Bits { bits }
}

unsafe extern "C" fn get_info(info: *mut Information) -> i32 {
    // SAFETY: the information is null or writable.
    let mut out = unsafe { Out::new(info) };
    if out.is_missing() || capacity() == 0 {
        return PARAMETER;
    }
    out.set(Information {
        total_storage: capacity().into(),
        program_unit: UNIT,
        optimal_program_unit: 256,
        program_cycles: 0,
        // Erased reads 1; not mapped; erasable; in non-volatile memory.
        bits: 1 | 3 << 2 | 4 << 6,
        security: 0,
    });
    0
}

/// Nothing of it is mapped.
unsafe extern "C" fn resolve_address(_: u64) -> u32 {
    u32::MAX
}

unsafe extern "C" fn get_next_block(before: *const Block, next: *mut Block) -> i32 {
    // SAFETY: the block before is null or readable, the next one null or writable.
    let (before, mut out) = unsafe { (read(before), Out::new(next)) };
    let storage = storage();
    let at = match before {
        None => Some(0),
        Some(before) => before.addr.checked_sub(storage.base).and_then(|at| at.checked_add(before.size)),
    };
    let found = at.and_then(|at| storage.block(at));
    out.set(found.unwrap_or(Block::NONE));
    if found.is_some() { 0 } else { FAILED }
}

unsafe extern "C" fn get_block(addr: u64, block: *mut Block) -> i32 {
    // SAFETY: the block is null or writable.
    let mut out = unsafe { Out::new(block) };
    let storage = storage();
    let found = addr.checked_sub(storage.base).and_then(|at| storage.block(at));
    out.set(found.unwrap_or(Block::NONE));
    if found.is_some() { 0 } else { FAILED }
}

/// The driver.
#[unsafe(no_mangle)]
pub static lockstone_sim_storage: StorageDriver = StorageDriver {
    get_version: Some(get_version),
    get_capabilities: Some(get_capabilities),
    initialize: Some(initialize),
    uninitialize: Some(uninitialize),
    power_control: Some(power_control),
    read_data: Some(read_data),
    program_data: Some(program_data),
    erase: Some(erase),
    erase_all: Some(erase_all),
    get_status: Some(get_status),
    get_info: Some(get_info),
    resolve_address: Some(resolve_address),
    get_next_block: Some(get_next_block),
    get_block: Some(get_block),
};

/// How the driver works, and at which address its storage begins, from now on.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_sim_storage_configure(mode: u32, base: u64) -> i32 {
    let mut storage = storage();
    if mode & !(ASYNCHRONOUS | SILENT | SHORT) != 0 || storage.initialised || base.checked_add(1 << 32).is_none() {
        return -1;
    }
    (storage.mode, storage.base) = (mode, base);
    0
}

/// Whether the driver is initialised, and whether it's powered: bits 0 and 1.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_sim_storage_state() -> u32 {
    let storage = storage();
    u32::from(storage.initialised) | u32::from(storage.powered) << 1
}
