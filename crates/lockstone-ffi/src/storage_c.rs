//! `ARM_DRIVER_STORAGE`: a driver of CMSIS-Driver Storage in C, called as flash; and the functions of `lockstone_storage.h`.
//!
//! ```text
//! Flash::Driver ─> Drive ─> ReadData, ProgramData, Erase ─ more than 0: over
//!                                 │ 0: begun                -2: nothing was begun, once more when it's not busy
//!                                 └─> await the callback    else negative: failed
//! ```
//!
//! An operation that was begun owns its buffer until it is over, and that is what the callback says: a driver that does not call
//! makes the call hang, which is for a watchdog. Only one whose Initialize went on, ended and never called, when no buffer was lent,
//! is taken for one that never calls: of it `lockstone_storage.h` asks that GetStatus is busy for as long as it has a buffer. A
//! callback has no context, so what it says lies in two statics.
#![expect(unsafe_code, reason = "calls C, and is called by it")]

use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering, fence};

use crate::allegation::read;
use crate::common_c::{Bits, Version};
use crate::failure::{Failure, Result};
use crate::library::Place;
use crate::platform::Platform;
use crate::ram::Memory;
use crate::shared::{enter, status};
use crate::storage::{Block, Ended, Geometry, Information, in_steps};

/// `ARM_Storage_Callback_t`.
pub type StorageCallback = unsafe extern "C" fn(i32, i32);

/// `ARM_DRIVER_STORAGE`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each is described in Driver_Storage.h")]
pub struct StorageDriver {
    pub get_version: Option<unsafe extern "C" fn() -> Version>,
    pub get_capabilities: Option<unsafe extern "C" fn() -> Bits>,
    pub initialize: Option<unsafe extern "C" fn(Option<StorageCallback>) -> i32>,
    pub uninitialize: Option<unsafe extern "C" fn() -> i32>,
    pub power_control: Option<unsafe extern "C" fn(i32) -> i32>,
    pub read_data: Option<unsafe extern "C" fn(u64, *mut c_void, u32) -> i32>,
    pub program_data: Option<unsafe extern "C" fn(u64, *const c_void, u32) -> i32>,
    pub erase: Option<unsafe extern "C" fn(u64, u32) -> i32>,
    pub erase_all: Option<unsafe extern "C" fn() -> i32>,
    pub get_status: Option<unsafe extern "C" fn() -> Bits>,
    pub get_info: Option<unsafe extern "C" fn(*mut Information) -> i32>,
    pub resolve_address: Option<unsafe extern "C" fn(u64) -> u32>,
    pub get_next_block: Option<unsafe extern "C" fn(*const Block, *mut Block) -> i32>,
    pub get_block: Option<unsafe extern "C" fn(u64, *mut Block) -> i32>,
}

/// `ARM_STORAGE_OPERATION`, as far as operations are awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Initialize = 2,
    Uninitialize = 3,
    PowerControl = 4,
    Read = 5,
    Program = 6,
    Erase = 7,
}

impl Operation {
    /// It has a count of bytes.
    const fn moves(self) -> bool {
        matches!(self, Self::Read | Self::Program | Self::Erase)
    }
}

/// `ARM_POWER_OFF`, `ARM_POWER_FULL`.
const OFF: i32 = 0;
const FULL: i32 = 2;
/// `ARM_DRIVER_ERROR_BUSY`: nothing was begun.
const REFUSED: i32 = -2;
/// `ARM_DRIVER_ERROR_UNSUPPORTED`: some drivers have no power to control.
const UNSUPPORTED: i32 = -4;
/// Bits of `ARM_STORAGE_STATUS`.
const BUSY: u32 = 1 << 0;
const ERROR: u32 = 1 << 1;
/// So often in a row a driver is asked, and is idle, before it's taken for one that does not call back, or refuses for ever.
pub(crate) const PATIENCE: u32 = 1000;
/// No operation.
const NONE: i32 = -1;

/// What the callback said last, and of which operation.
static STATUS: AtomicI32 = AtomicI32::new(0);
static OPERATION: AtomicI32 = AtomicI32::new(NONE);
/// The driver's Initialize ended, and it has not called back.
static SILENT: AtomicBool = AtomicBool::new(false);

/// Handed to the driver: from wherever it calls, an interrupt or a thread, this only takes a note.
extern "C" fn completed(status: i32, operation: i32) {
    if operation == Operation::Initialize as i32 || operation == Operation::PowerControl as i32 {
        // It does call, late.
        SILENT.store(false, Ordering::Relaxed);
    }
    STATUS.store(status, Ordering::Relaxed);
    OPERATION.store(operation, Ordering::Release);
}

/// What a driver says of its storage.
pub(crate) fn information(get_info: unsafe extern "C" fn(*mut Information) -> i32) -> Option<Information> {
    let mut info = Information::default();
    // SAFETY: a function of a driver, called as `Driver_Storage.h` says; the information is writable during the call.
    (unsafe { get_info(&raw mut info) } == 0).then_some(info)
}

/// The block of a driver behind a block.
pub(crate) fn next_block(
    get_next_block: unsafe extern "C" fn(*const Block, *mut Block) -> i32,
    before: Option<&Block>,
) -> Option<Block> {
    let (mut block, before) = (Block::NONE, before.map_or(core::ptr::null(), core::ptr::from_ref));
    // SAFETY: a function of a driver, called as `Driver_Storage.h` says; the block before is null or readable, the next one
    // writable, during the call.
    (unsafe { get_next_block(before, &raw mut block) } == 0).then_some(block)
}

/// The functions of a driver that a store needs, copied from its table.
#[derive(Clone, Copy, Debug)]
struct Calls {
    /// Operations may be over later.
    asynchronous: bool,
    uninitialize: unsafe extern "C" fn() -> i32,
    power_control: unsafe extern "C" fn(i32) -> i32,
    read_data: unsafe extern "C" fn(u64, *mut c_void, u32) -> i32,
    program_data: unsafe extern "C" fn(u64, *const c_void, u32) -> i32,
    erase: unsafe extern "C" fn(u64, u32) -> i32,
    get_status: unsafe extern "C" fn() -> Bits,
}

/// A range of a driver's storage, used as flash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drive {
    calls: Calls,
    start: u64,
    pub(crate) size: u32,
    pub(crate) geometry: Geometry,
}

/// A driver that was initialised; when this goes it's switched off.
pub(crate) struct Powered(Calls);

impl Drop for Powered {
    fn drop(&mut self) {
        let Calls { power_control, uninitialize, .. } = self.0;
        // SAFETY: functions of a driver, called as `Driver_Storage.h` says; no memory is handed over.
        let _ = self.0.run(Operation::PowerControl, || unsafe { power_control(OFF) });
        // SAFETY: as above.
        let _ = self.0.run(Operation::Uninitialize, || unsafe { uninitialize() });
    }
}

impl Calls {
    /// Begins an operation, when the driver lets it, and waits until it is over.
    fn run(&self, operation: Operation, begin: impl Fn() -> i32) -> Ended {
        let mut refused = 0;
        loop {
            OPERATION.store(NONE, Ordering::Relaxed);
            match begin() {
                0 if self.asynchronous || !operation.moves() => return self.wait(operation),
                REFUSED if refused < PATIENCE => refused = if self.wait_idle() { 0 } else { refused + 1 },
                status => return Ended::Saying(status),
            }
            core::hint::spin_loop();
        }
    }

    fn status(&self) -> u32 {
        // SAFETY: a function of a driver, called as `Driver_Storage.h` says.
        unsafe { (self.get_status)() }.bits
    }

    /// Waits as long as the driver is busy with something else; whether it was.
    fn wait_idle(&self) -> bool {
        let mut was = false;
        while self.status() & BUSY != 0 {
            was = true;
            core::hint::spin_loop();
        }
        was
    }

    /// The callback ends it. That the driver is not busy, many times in a row, ends only what has no buffer; or all, of a driver that
    /// never calls.
    #[inline(never)]
    fn wait(&self, operation: Operation) -> Ended {
        let mut idle = 0;
        loop {
            let silent = SILENT.load(Ordering::Relaxed);
            // A silent driver's callback of an operation that moves is one of who knows when.
            if !(silent && operation.moves()) && OPERATION.load(Ordering::Acquire) == operation as i32 {
                return Ended::Saying(STATUS.load(Ordering::Relaxed));
            }
            let status = self.status();
            idle = if status & BUSY == 0 { u32::saturating_add(idle, 1) } else { 0 };
            if idle > PATIENCE && (silent || !operation.moves()) {
                if operation == Operation::Initialize {
                    SILENT.store(true, Ordering::Relaxed);
                }
                // What the driver wrote before it said that it's idle is seen behind this.
                fence(Ordering::Acquire);
                return if status & ERROR == 0 { Ended::Silently } else { Ended::Saying(-1) };
            }
            core::hint::spin_loop();
        }
    }

    /// An operation that has no count: whether it went well.
    fn control(&self, operation: Operation, begin: impl Fn() -> i32) -> Result<()> {
        match self.run(operation, begin) {
            Ended::Silently | Ended::Saying(0..) => Ok(()),
            Ended::Saying(UNSUPPORTED) if operation == Operation::PowerControl => Ok(()),
            Ended::Saying(_) => Err(Failure::Flash),
        }
    }
}

impl Drive {
    /// Initialises a driver, and looks whether a store can lie in a range of its storage.
    ///
    /// # Errors
    /// [`Failure::Argument`]: a function is missing, or it's of another interface. [`Failure::Flash`]: it can't be initialised.
    /// [`Failure::Layout`]: see [`Information::geometry`]. It's switched off again then.
    pub(crate) fn open(driver: &StorageDriver, start: u64, size: u32) -> Result<(Self, Powered)> {
        let (get_version, initialize) = (driver.get_version, driver.initialize);
        let (Some(get_version), Some(initialize)) = (get_version, initialize) else { return Err(Failure::Argument) };
        let (info, next) = (driver.get_info, driver.get_next_block);
        let (Some(get_info), Some(get_next_block)) = (info, next) else { return Err(Failure::Argument) };
        let calls = Calls::of(driver).ok_or(Failure::Argument)?;
        // SAFETY: a function of a driver, called as `Driver_Storage.h` says.
        if unsafe { get_version() }.api >> 8 != 1 {
            return Err(Failure::Argument);
        }
        SILENT.store(false, Ordering::Relaxed);
        // SAFETY: as above; the callback may come from anywhere, as long as the program runs.
        calls.control(Operation::Initialize, || unsafe { initialize(Some(completed)) })?;
        let powered = Powered(calls);
        // SAFETY: as above.
        calls.control(Operation::PowerControl, || unsafe { (calls.power_control)(FULL) })?;
        let info = information(get_info).ok_or(Failure::Flash)?;
        let geometry = info.geometry(start, size, |before| next_block(get_next_block, before))?;
        Ok((Self { calls, start, size, geometry }, powered))
    }

    /// Where a range lies on the driver, and its length; `None`: not within the store's.
    fn range(&self, offset: u32, length: usize) -> Option<(u64, u32)> {
        let length = u32::try_from(length).ok()?;
        offset.checked_add(length).filter(|end| *end <= self.size)?;
        Some((self.start + u64::from(offset), length))
    }

    pub(crate) fn read(&self, offset: u32, bytes: &mut [u8]) -> Option<()> {
        let (at, length) = self.range(offset, bytes.len())?;
        in_steps(length, 1, |done, left| {
            let rest = bytes.get_mut(done as usize..).unwrap_or_default().as_mut_ptr();
            // SAFETY: `left` bytes are writable from there on, and nobody uses them until the driver said that the operation is over, as
            // `lockstone_storage.h` asks it to, for which `run` waits.
            self.calls
                .run(Operation::Read, || unsafe { (self.calls.read_data)(at + u64::from(done), rest.cast(), left) })
        })
    }

    pub(crate) fn program(&self, offset: u32, bytes: &[u8]) -> Option<()> {
        let (at, length) = self.range(offset, bytes.len())?;
        in_steps(length, self.geometry.program_unit, |done, left| {
            let rest = bytes.get(done as usize..).unwrap_or_default().as_ptr();
            // SAFETY: `left` bytes are readable from there on, and nobody writes them until the driver said that the operation is over, as
            // `lockstone_storage.h` asks it to, for which `run` waits.
            self.calls.run(Operation::Program, || unsafe {
                (self.calls.program_data)(at + u64::from(done), rest.cast(), left)
            })
        })
    }

    pub(crate) fn erase(&self, offset: u32, length: usize) -> Option<()> {
        let (at, length) = self.range(offset, length)?;
        let unit = self.geometry.erase_unit;
        in_steps(length, unit, |done, left| {
            // A driver may erase less than it was asked to. One that does not say how much has erased one unit, at least.
            let left = if SILENT.load(Ordering::Relaxed) { left.min(unit) } else { left };
            // SAFETY: a function of a driver, called as `Driver_Storage.h` says; no memory is handed over.
            let ended = self.calls.run(Operation::Erase, || unsafe { (self.calls.erase)(at + u64::from(done), left) });
            if ended == Ended::Silently { i32::try_from(left.min(unit)).map_or(ended, Ended::Saying) } else { ended }
        })
    }
}

impl Calls {
    /// `None`: one is missing.
    fn of(driver: &StorageDriver) -> Option<Self> {
        // SAFETY: a function of a driver, called as `Driver_Storage.h` says.
        let asynchronous = unsafe { (driver.get_capabilities?)() }.bits & 1 == 1;
        Some(Self {
            asynchronous,
            uninitialize: driver.uninitialize?,
            power_control: driver.power_control?,
            read_data: driver.read_data?,
            program_data: driver.program_data?,
            erase: driver.erase?,
            get_status: driver.get_status?,
        })
    }
}

/// Opens the store on a range of a driver's storage, or makes an empty one there first.
///
/// # Safety
/// As [`lockstone_storage_open`].
unsafe fn open(
    driver: *const StorageDriver,
    start: u64,
    size: u32,
    platform: *const Platform,
    memory: *const Memory,
    format: bool,
) -> Result<()> {
    // SAFETY: the caller's promise; any bits are numbers, and function pointers as C gives them.
    let (driver, platform, memory) = unsafe { (read(driver), read(platform), read(memory)) };
    let (Some(driver), Some(platform), Some(memory)) = (driver, platform, memory) else {
        return Err(Failure::Argument);
    };
    platform.check_beside_flash()?;
    enter(|library| {
        library.check_closed()?;
        // SAFETY: `lockstone_storage.h` asks for memory that nobody else uses while the store is open, and nothing is open now.
        let pieces = unsafe { crate::ram::cut(&memory, library.key_bytes(size) / 2048) }?;
        // SAFETY: as above; it goes into the same `Open` as what is made of the pieces, as its last field.
        let lent = unsafe { crate::ram::Lent::new(memory) };
        let (drive, powered) = Drive::open(&driver, start, size)?;
        library.open_platform(platform, Place::Driver(drive, powered), lent, pieces, format)?;
        #[cfg(not(feature = "std"))]
        crate::shared::set_lock(Some(platform));
        Ok(())
    })
}

/// Opens the store on `size` bytes of a driver's storage from `start` on. Nothing is written.
///
/// # Safety
/// Pointers are null or as `lockstone_storage.h` says; driver and hooks obey their headers; the memory is the library's until
/// `lockstone_close`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_storage_open(
    driver: *const StorageDriver,
    start: u64,
    size: u32,
    platform: *const Platform,
    memory: *const Memory,
) -> i32 {
    // SAFETY: the caller's promise.
    status(unsafe { open(driver, start, size, platform, memory, false) })
}

/// Erases the range, makes an empty store there, and opens it.
///
/// # Safety
/// As [`lockstone_storage_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_storage_format(
    driver: *const StorageDriver,
    start: u64,
    size: u32,
    platform: *const Platform,
    memory: *const Memory,
) -> i32 {
    // SAFETY: the caller's promise.
    status(unsafe { open(driver, start, size, platform, memory, true) })
}
