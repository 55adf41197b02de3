//! Storage Volume Manager: one driver of CMSIS-Driver Storage divided into volumes, each a driver itself.
//!
//! ```text
//! client ─> DRIVERS[n] ─> initialised? within the volume? ─> ACTIVE: nobody -> n ─> the storage, n's start added
//! client <─ n's callback <──── ended: ACTIVE -> nobody <────────────────────────── the storage's callback
//! ```
//!
//! Invariants:
//! 1. A volume begins and ends with an erase unit, so even a driver that rounds a range to whole units stays within it.
//! 2. No two volumes share a byte.
//! 3. A volume's place is written once, before `COUNT` says that it's there.
//! 4. Who has put its number into `ACTIVE` calls the storage alone, until the operation is over: when the call returns anything but 0,
//!    else when the storage calls back, or, if it never does, when it's not busy.
//!
//! Nothing here goes through the library's lock: a store may lie on a volume, and calls it while it holds that.
#![expect(unsafe_code, reason = "the edge to C")]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use crate::allegation::{Out, read};
use crate::common_c::{Bits, Version};
use crate::storage::{Block, Information, in_a_row};
use crate::storage_c::{PATIENCE, StorageCallback, StorageDriver, information, next_block};

/// `STORAGE_VOLUME_MANAGER_MAX_VOLUMES`.
const VOLUMES: usize = 8;

const FAILED: i32 = -1;
const BUSY: i32 = -2;
const UNSUPPORTED: i32 = -4;
const PARAMETER: i32 = -5;
const EXHAUSTED: i32 = -7;
const NOT_INITIALIZED: i32 = -11;
const NOT_ALLOCATED: i32 = -12;

/// Who is at work: a volume's number, and this added when its operation goes on behind the call; the manager itself; or nobody.
const GOES_ON: usize = 1 << 8;
const NOBODY: usize = usize::MAX;
const MANAGER: usize = usize::MAX - 1;

/// The functions of a storage, all there.
#[derive(Clone, Copy)]
struct Storage {
    get_version: unsafe extern "C" fn() -> Version,
    get_capabilities: unsafe extern "C" fn() -> Bits,
    initialize: unsafe extern "C" fn(Option<StorageCallback>) -> i32,
    power_control: unsafe extern "C" fn(i32) -> i32,
    read_data: unsafe extern "C" fn(u64, *mut c_void, u32) -> i32,
    program_data: unsafe extern "C" fn(u64, *const c_void, u32) -> i32,
    erase: unsafe extern "C" fn(u64, u32) -> i32,
    erase_all: unsafe extern "C" fn() -> i32,
    get_status: unsafe extern "C" fn() -> Bits,
    get_info: unsafe extern "C" fn(*mut Information) -> i32,
    resolve_address: unsafe extern "C" fn(u64) -> u32,
    get_next_block: unsafe extern "C" fn(*const Block, *mut Block) -> i32,
}

/// `InitializeCallback_t`; never called.
pub type InitializeCallback = unsafe extern "C" fn(i32);

/// Where a volume is.
#[derive(Clone, Copy)]
struct Volume {
    start: u64,
    size: u64,
}

struct Manager {
    storage: UnsafeCell<Option<Storage>>,
    volumes: [UnsafeCell<Volume>; VOLUMES],
}

// SAFETY: `storage` is written by initialize and `volumes` by addVolume, beside which `storage_volume_manager.h` allows no call; a
// volume is read only when `COUNT`, stored behind it with `Release`, says that it's there.
unsafe impl Sync for Manager {}

static MANAGED: Manager = Manager {
    storage: UnsafeCell::new(None),
    volumes: [const { UnsafeCell::new(Volume { start: 0, size: 0 }) }; VOLUMES],
};
/// How many volumes there are.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static ACTIVE: AtomicUsize = AtomicUsize::new(NOBODY);
/// The storage has not called back when it was initialised and powered.
static SILENT: AtomicBool = AtomicBool::new(false);
/// Which volumes are between their Initialize and their Uninitialize.
static INITIALIZED: [AtomicBool; VOLUMES] = [const { AtomicBool::new(false) }; VOLUMES];
/// Each volume's callback, as an address; null: none.
static CALLBACKS: [AtomicPtr<c_void>; VOLUMES] = [const { AtomicPtr::new(null_mut()) }; VOLUMES];
/// What the manager's own operation ended with; 1: it has not.
static ENDED: AtomicU32 = AtomicU32::new(0);

impl Storage {
    fn of(driver: &StorageDriver) -> Option<Self> {
        Some(Self {
            get_version: driver.get_version?,
            get_capabilities: driver.get_capabilities?,
            initialize: driver.initialize?,
            power_control: driver.power_control?,
            read_data: driver.read_data?,
            program_data: driver.program_data?,
            erase: driver.erase?,
            erase_all: driver.erase_all?,
            get_status: driver.get_status?,
            get_info: driver.get_info?,
            resolve_address: driver.resolve_address?,
            get_next_block: driver.get_next_block?,
        })
    }

    /// The one that is managed.
    fn managed() -> Option<Self> {
        // SAFETY: written only by initialize, beside which nothing is called.
        unsafe { *MANAGED.storage.get() }
    }

    fn status(&self) -> u32 {
        // SAFETY: a function of a driver, called as `Driver_Storage.h` says.
        unsafe { (self.get_status)() }.bits
    }

    fn is_busy(&self) -> bool {
        self.status() & 1 == 1
    }

    fn info(&self) -> Option<Information> {
        information(self.get_info)
    }

    /// The block behind a block.
    fn next(&self, before: Option<&Block>) -> Option<Block> {
        next_block(self.get_next_block, before)
    }

    /// An operation of the manager's own, awaited: 1, or an error.
    fn control(&self, begin: impl FnOnce() -> i32) -> i32 {
        ENDED.store(1, Ordering::Relaxed);
        ACTIVE.store(MANAGER, Ordering::Relaxed);
        let mut status = begin();
        let mut idle = 0;
        while status == 0 {
            match ENDED.load(Ordering::Acquire).cast_signed() {
                1 if idle < PATIENCE => idle = if self.is_busy() { 0 } else { idle + 1 },
                1 => {
                    SILENT.store(true, Ordering::Relaxed);
                    status = if self.status() & 2 == 0 { 1 } else { FAILED };
                }
                0 => break,
                error => status = error,
            }
        }
        ACTIVE.store(NOBODY, Ordering::Relaxed);
        if status < 0 { status } else { 1 }
    }
}

/// Handed to the storage. May come from anywhere.
extern "C" fn ended(status: i32, operation: i32) {
    let active = ACTIVE.load(Ordering::Acquire);
    // Initialize, Uninitialize and PowerControl are the manager's alone. That they ended may be said late.
    if active == MANAGER || matches!(operation, 2..=4) {
        SILENT.store(false, Ordering::Relaxed);
        if active == MANAGER {
            ENDED.store(status.min(0).cast_unsigned(), Ordering::Release);
        }
        return;
    }
    let number = active & !GOES_ON;
    if number >= VOLUMES || !switch(active, NOBODY) {
        return;
    }
    let callback = CALLBACKS.get(number).map_or(null_mut(), |place| place.load(Ordering::Acquire));
    if !callback.is_null() {
        // SAFETY: what is not null was made of such a function by `initialize`, and as wide as a pointer it is.
        let callback = unsafe { core::mem::transmute::<*mut c_void, StorageCallback>(callback) };
        // SAFETY: the client gave it for this.
        unsafe { callback(status, operation) };
    }
}

/// A volume, if there is one of that number, and its storage.
fn volume(number: usize) -> Result<(Storage, Volume), i32> {
    let storage = Storage::managed().ok_or(NOT_INITIALIZED)?;
    let there = number < COUNT.load(Ordering::Acquire);
    let place = MANAGED.volumes.get(number).filter(|_| there).ok_or(NOT_ALLOCATED)?;
    // SAFETY: below the count, so it was written before, and is not written again.
    Ok((storage, unsafe { *place.get() }))
}

impl Volume {
    /// The address on the storage of a range, if it's within.
    fn at(&self, addr: u64, size: u32) -> Result<u64, i32> {
        let end = addr.checked_add(size.into()).ok_or(PARAMETER)?;
        if size == 0 || end > self.size { Err(PARAMETER) } else { Ok(self.start + addr) }
    }

    /// The part of a block that is in the volume.
    fn clip(&self, block: Block) -> Option<Block> {
        let start = block.addr.max(self.start);
        let end = block.addr.checked_add(block.size)?.min(self.start + self.size);
        (start < end).then(|| Block { addr: start - self.start, size: end - start, ..block })
    }

    /// Whether every block of the storage is in the volume. One that lists nonsense, or without end, has others, too.
    fn is_all_of(&self, storage: &Storage) -> bool {
        let (mut within, mut came_to_an_end) = (true, false);
        in_a_row(
            |before| {
                let next = storage.next(before);
                came_to_an_end = next.is_none() && before.is_some();
                next
            },
            |block| {
                within &= self.clip(*block).is_some_and(|part| part.size == block.size);
                within
            },
        );
        within && came_to_an_end
    }

    /// The block that an address of the volume is in.
    fn block(&self, storage: &Storage, addr: u64) -> Option<Block> {
        let mut found = None;
        let at = self.start.checked_add(addr).filter(|_| addr < self.size)?;
        in_a_row(
            |before| storage.next(before),
            |block| {
                found = self.clip(*block).filter(|_| block.addr <= at && at - block.addr < block.size);
                found.is_none()
            },
        );
        found
    }
}

/// Puts another one to work; `false`: it was not this one that is.
#[cfg(target_has_atomic = "ptr")]
fn switch(from: usize, to: usize) -> bool {
    ACTIVE.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// The same in two steps: `storage_volume_manager.h` says that a lock is the caller's where there is nothing better.
#[cfg(not(target_has_atomic = "ptr"))]
fn switch(from: usize, to: usize) -> bool {
    let was = ACTIVE.load(Ordering::Acquire) == from;
    if was {
        ACTIVE.store(to, Ordering::Release);
    }
    was
}

/// Who is at work. Of a storage that never calls back, an operation that goes on is over when it's not busy.
fn at_work(storage: &Storage) -> usize {
    let active = ACTIVE.load(Ordering::Acquire);
    let goes_on = active < MANAGER && active & GOES_ON != 0;
    if goes_on && SILENT.load(Ordering::Relaxed) && !storage.is_busy() {
        let _ = switch(active, NOBODY);
    }
    ACTIVE.load(Ordering::Acquire)
}

/// A volume that was initialised, and its storage.
fn initialised(number: usize) -> Result<(Storage, Volume), i32> {
    let found = volume(number)?;
    let is = INITIALIZED.get(number).is_some_and(|place| place.load(Ordering::Acquire));
    if is { Ok(found) } else { Err(FAILED) }
}

/// Begins an operation as the only one there is, if what it is to do makes sense.
fn operate<T>(
    number: usize,
    check: impl FnOnce(&Storage, &Volume) -> Result<T, i32>,
    begin: impl FnOnce(&Storage, T) -> i32,
) -> i32 {
    let begun = initialised(number).and_then(|(storage, volume)| {
        let checked = check(&storage, &volume)?;
        if at_work(&storage) != NOBODY || !switch(NOBODY, number) {
            return Err(BUSY);
        }
        let status = begin(&storage, checked);
        // Of one that goes on the callback says when it ended; it may have come already.
        let _ = switch(number, if status == 0 { number | GOES_ON } else { NOBODY });
        Ok(status)
    });
    begun.unwrap_or_else(|error| error)
}

#[inline(never)]
unsafe fn on_get_version(number: usize) -> Version {
    // SAFETY: a function of a driver, called as `Driver_Storage.h` says.
    volume(number).map_or(Version { api: 0, drv: 0 }, |(storage, _)| unsafe { (storage.get_version)() })
}

#[inline(never)]
unsafe fn on_get_capabilities(number: usize) -> Bits {
    let bits = volume(number).map_or(0, |(storage, volume)| {
        // SAFETY: a function of a driver, called as `Driver_Storage.h` says.
        let bits = unsafe { (storage.get_capabilities)() }.bits;
        if volume.is_all_of(&storage) { bits } else { bits & !2 }
    });
    Bits { bits }
}

#[inline(never)]
unsafe fn on_initialize(number: usize, callback: Option<StorageCallback>) -> i32 {
    let status = set_initialised(number, true, callback);
    // Goes on, and does not call back either: so does its storage.
    if status == 1 && SILENT.load(Ordering::Relaxed) { 0 } else { status }
}

/// Initialises a volume, or takes that back; not while its operation is under way.
fn set_initialised(number: usize, initialised: bool, callback: Option<StorageCallback>) -> i32 {
    let (storage, _) = match volume(number) {
        Ok(found) => found,
        Err(error) => return error,
    };
    let (Some(place), Some(mark)) = (CALLBACKS.get(number), INITIALIZED.get(number)) else { return NOT_ALLOCATED };
    let active = at_work(&storage);
    if active == number || active == number | GOES_ON {
        return BUSY;
    }
    place.store(callback.map_or(null_mut(), |callback| callback as *mut c_void), Ordering::Release);
    mark.store(initialised, Ordering::Release);
    1
}

#[inline(never)]
unsafe fn on_uninitialize(number: usize) -> i32 {
    set_initialised(number, false, None)
}

#[inline(never)]
unsafe fn on_power_control(number: usize, state: i32) -> i32 {
    match (initialised(number), state) {
        (Err(error), _) => error,
        (Ok(_), 0 | 2) => 1,
        (Ok(_), 1) => UNSUPPORTED,
        _ => PARAMETER,
    }
}

#[inline(never)]
unsafe fn on_read_data(number: usize, addr: u64, data: *mut c_void, size: u32) -> i32 {
    operate(
        number,
        |_, volume| volume.at(addr, size).and_then(|at| if data.is_null() { Err(PARAMETER) } else { Ok(at) }),
        // SAFETY: the buffer is the storage's as it would be this driver's; null is refused above.
        |storage, at| unsafe { (storage.read_data)(at, data, size) },
    )
}

#[inline(never)]
unsafe fn on_program_data(number: usize, addr: u64, data: *const c_void, size: u32) -> i32 {
    operate(
        number,
        |_, volume| volume.at(addr, size).and_then(|at| if data.is_null() { Err(PARAMETER) } else { Ok(at) }),
        // SAFETY: as in `read_data`.
        |storage, at| unsafe { (storage.program_data)(at, data, size) },
    )
}

#[inline(never)]
unsafe fn on_erase(number: usize, addr: u64, size: u32) -> i32 {
    operate(
        number,
        |_, volume| volume.at(addr, size),
        // SAFETY: a function of a driver, called as `Driver_Storage.h` says.
        |storage, at| unsafe { (storage.erase)(at, size) },
    )
}

#[inline(never)]
unsafe fn on_erase_all(number: usize) -> i32 {
    operate(
        number,
        |storage, volume| if volume.is_all_of(storage) { Ok(()) } else { Err(UNSUPPORTED) },
        // SAFETY: a function of a driver, called as `Driver_Storage.h` says.
        |storage, ()| unsafe { (storage.erase_all)() },
    )
}

#[inline(never)]
unsafe fn on_get_status(number: usize) -> Bits {
    let bits = volume(number).map_or(2, |(storage, _)| {
        // Asked first, as an operation may end while it's asked. Another volume's call that has not returned makes this one busy, too.
        let status = storage.status();
        let active = ACTIVE.load(Ordering::Acquire);
        status | u32::from(active < VOLUMES)
    });
    Bits { bits }
}

#[inline(never)]
unsafe fn on_get_info(number: usize, info: *mut Information) -> i32 {
    // SAFETY: the information is null or writable.
    let mut out = unsafe { Out::new(info) };
    match volume(number) {
        Err(error) => error,
        Ok(_) if out.is_missing() => PARAMETER,
        Ok((storage, volume)) => match storage.info() {
            Some(info) => {
                out.set(Information { total_storage: volume.size, ..info });
                0
            }
            None => FAILED,
        },
    }
}

#[inline(never)]
unsafe fn on_resolve_address(number: usize, addr: u64) -> u32 {
    let at = volume(number).and_then(|(storage, volume)| Ok((storage, volume.at(addr, 1)?)));
    // SAFETY: a function of a driver, called as `Driver_Storage.h` says.
    at.map_or(u32::MAX, |(storage, at)| unsafe { (storage.resolve_address)(at) })
}

#[inline(never)]
unsafe fn on_get_next_block(number: usize, before: *const Block, next: *mut Block) -> i32 {
    // SAFETY: the block before is null or readable.
    match unsafe { read(before) } {
        // SAFETY: as here.
        None => unsafe { on_get_block(number, 0, next) },
        // SAFETY: as here. An address that is none is in no block.
        Some(before) => unsafe { on_get_block(number, before.addr.saturating_add(before.size), next) },
    }
}

#[inline(never)]
unsafe fn on_get_block(number: usize, addr: u64, block: *mut Block) -> i32 {
    // SAFETY: the block is null or writable.
    let mut out = unsafe { Out::new(block) };
    let found = volume(number).map(|(storage, volume)| volume.block(&storage, addr));
    out.set(found.ok().flatten().unwrap_or(Block::NONE));
    match found {
        Ok(Some(_)) => 0,
        Ok(None) => FAILED,
        Err(error) => error,
    }
}

/// The functions of a driver, which have no parameter for their volume, are made for each number; all else is there once.
macro_rules! functions_of_a_volume {
    ($($name:ident, $act:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {$(
        unsafe extern "C" fn $name<const N: usize>($($argument: $kind),*) -> $answer {
            // SAFETY: what the caller promises of the driver's function.
            unsafe { $act(N, $($argument),*) }
        }
    )*};
}

functions_of_a_volume! {
    get_version, on_get_version() -> Version;
    get_capabilities, on_get_capabilities() -> Bits;
    initialize, on_initialize(callback: Option<StorageCallback>) -> i32;
    uninitialize, on_uninitialize() -> i32;
    power_control, on_power_control(state: i32) -> i32;
    read_data, on_read_data(addr: u64, data: *mut c_void, size: u32) -> i32;
    program_data, on_program_data(addr: u64, data: *const c_void, size: u32) -> i32;
    erase, on_erase(addr: u64, size: u32) -> i32;
    erase_all, on_erase_all() -> i32;
    get_status, on_get_status() -> Bits;
    get_info, on_get_info(info: *mut Information) -> i32;
    resolve_address, on_resolve_address(addr: u64) -> u32;
    get_next_block, on_get_next_block(before: *const Block, next: *mut Block) -> i32;
    get_block, on_get_block(addr: u64, block: *mut Block) -> i32;
}

const fn driver<const N: usize>() -> StorageDriver {
    StorageDriver {
        get_version: Some(get_version::<N>),
        get_capabilities: Some(get_capabilities::<N>),
        initialize: Some(initialize::<N>),
        uninitialize: Some(uninitialize::<N>),
        power_control: Some(power_control::<N>),
        read_data: Some(read_data::<N>),
        program_data: Some(program_data::<N>),
        erase: Some(erase::<N>),
        erase_all: Some(erase_all::<N>),
        get_status: Some(get_status::<N>),
        get_info: Some(get_info::<N>),
        resolve_address: Some(resolve_address::<N>),
        get_next_block: Some(get_next_block::<N>),
        get_block: Some(get_block::<N>),
    }
}

static DRIVERS: [StorageDriver; VOLUMES] = [
    driver::<0>(),
    driver::<1>(),
    driver::<2>(),
    driver::<3>(),
    driver::<4>(),
    driver::<5>(),
    driver::<6>(),
    driver::<7>(),
];

/// As after a start, whatever was under way: for one that tries much in one program.
#[cfg(feature = "fuzzing")]
pub(crate) fn forget() {
    INITIALIZED.iter().for_each(|place| place.store(false, Ordering::Release));
    ACTIVE.store(NOBODY, Ordering::Release);
    COUNT.store(0, Ordering::Release);
}

/// Initialises a storage, and forgets all volumes.
///
/// # Safety
/// The driver is null, or a table as `Driver_Storage.h` says, whose functions stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn StorageVolumeManager_initialize(
    mtd: *const StorageDriver,
    _callback: Option<InitializeCallback>,
) -> i32 {
    // SAFETY: the caller's promise.
    let Some(storage) = unsafe { read(mtd) }.as_ref().and_then(Storage::of) else { return PARAMETER };
    // SAFETY: a function of a driver, called as `Driver_Storage.h` says.
    if unsafe { (storage.get_version)() }.api >> 8 != 1 {
        return PARAMETER;
    }
    if INITIALIZED.iter().any(|place| place.load(Ordering::Acquire)) {
        return BUSY;
    }
    COUNT.store(0, Ordering::Release);
    SILENT.store(false, Ordering::Relaxed);
    CALLBACKS.iter().for_each(|place| place.store(null_mut(), Ordering::Release));
    // SAFETY: beside this nothing of the manager is called.
    unsafe { *MANAGED.storage.get() = None };
    // SAFETY: a function of a driver, called as `Driver_Storage.h` says; the callback may come from anywhere.
    let status = storage.control(|| unsafe { (storage.initialize)(Some(ended)) });
    if status < 0 {
        return status;
    }
    // SAFETY: a function of a driver, called as `Driver_Storage.h` says.
    let status = storage.control(|| unsafe { (storage.power_control)(2) });
    if status < 0 && status != UNSUPPORTED {
        return status;
    }
    // SAFETY: beside this nothing of the manager is called.
    unsafe { *MANAGED.storage.get() = Some(storage) };
    1
}

/// Adds a volume; its number, or an error.
fn add(start: u64, size: u64) -> Result<usize, i32> {
    let storage = Storage::managed().ok_or(NOT_INITIALIZED)?;
    let end = start.checked_add(size).filter(|_| size > 0).ok_or(PARAMETER)?;
    let count = COUNT.load(Ordering::Acquire);
    for number in 0..count {
        let (_, other) = volume(number)?;
        if start < other.start + other.size && other.start < end {
            return Err(PARAMETER);
        }
    }
    if storage.info().is_none_or(|info| info.total_storage < size) {
        return Err(FAILED);
    }
    let (mut reached, mut whole) = (start, true);
    in_a_row(
        |before| storage.next(before),
        |block| {
            let block_end = block.addr + block.size;
            if block_end > reached && block.addr <= reached {
                let unit = u64::from(block.attributes.erase_unit.max(1));
                let stop = block_end.min(end);
                whole &= (reached - block.addr).is_multiple_of(unit) && (stop - block.addr).is_multiple_of(unit);
                reached = stop;
            }
            reached < end
        },
    );
    let place = MANAGED.volumes.get(count).ok_or(EXHAUSTED)?;
    match (reached == end, whole) {
        (false, _) => return Err(FAILED),
        (true, false) => return Err(PARAMETER),
        // SAFETY: beside this nothing of the manager is called, and the count does not name it yet.
        (true, true) => unsafe { *place.get() = Volume { start, size } },
    }
    COUNT.store(count + 1, Ordering::Release);
    Ok(count)
}

/// Hands out the driver of a volume.
fn hand_out(number: Result<usize, i32>, out: &mut Out<*const StorageDriver>) -> i32 {
    match number.and_then(|number| DRIVERS.get(number).ok_or(EXHAUSTED)) {
        Ok(driver) => {
            out.set(core::ptr::from_ref(driver));
            0
        }
        Err(error) => error,
    }
}

/// Adds a volume.
///
/// # Safety
/// The pointer is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn StorageVolumeManager_addVolume(
    addr: u64,
    size: u64,
    volume: *mut *const StorageDriver,
) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(volume) };
    if out.is_missing() { PARAMETER } else { hand_out(add(addr, size), &mut out) }
}

/// Adds a volume, and copies its driver's table.
///
/// # Safety
/// The table is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn StorageVolumeManager_addVolume_C(addr: u64, size: u64, volume: *mut StorageDriver) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(volume) };
    if out.is_missing() {
        return PARAMETER;
    }
    match add(addr, size).and_then(|number| DRIVERS.get(number).ok_or(EXHAUSTED)) {
        Ok(driver) => {
            out.set(*driver);
            0
        }
        Err(error) => error,
    }
}

/// The driver of the volume that an address of the storage is in.
///
/// # Safety
/// The pointer is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn StorageVolumeManager_lookupVolume(addr: u64, found: *mut *const StorageDriver) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(found) };
    if out.is_missing() {
        return PARAMETER;
    }
    if Storage::managed().is_none() {
        return NOT_INITIALIZED;
    }
    let holds = |number: &usize| {
        volume(*number).is_ok_and(|(_, volume)| addr.checked_sub(volume.start).is_some_and(|at| at < volume.size))
    };
    hand_out((0..COUNT.load(Ordering::Acquire)).find(holds).ok_or(NOT_ALLOCATED), &mut out)
}
