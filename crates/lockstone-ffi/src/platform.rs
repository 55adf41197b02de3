//! Platform: flash, root key, counter and randomness behind C function pointers.
//!
//! Everything that a hook says is an allegation: a length is never taken from it, a buffer that it did not fill is wiped
//! before it's used, and any status but 0 is a failure.
#![expect(unsafe_code, reason = "calls C")]

use core::ffi::c_void;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use lockstone::Part;
use lockstone::trust::{MonotonicCounter, RootKey, RootKeyError};

use crate::failure::{Failure, Result};
#[cfg(feature = "std")]
use crate::host::{FileCounter, FileFlash};
#[cfg(feature = "storage")]
use crate::storage_c::Drive;

/// `LOCKSTONE_PLATFORM_VERSION`.
pub const VERSION: u32 = 1;
/// `LOCKSTONE_FLASH_IS_TRUSTED`: no attacker can write the flash, so no counter is needed against replay.
pub const FLASH_IS_TRUSTED: u32 = 1;

/// `lockstone_platform`: what the system gives the library. See `lockstone.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Platform {
    /// [`VERSION`].
    pub version: u32,
    /// [`FLASH_IS_TRUSTED`], or 0.
    pub flags: u32,
    /// Handed to every hook.
    pub context: *mut c_void,
    /// Bytes of flash.
    pub flash_size: u32,
    /// Bytes of a program unit.
    pub program_unit: u32,
    /// Bytes of an erase block.
    pub erase_block: u32,
    /// What an erased byte reads: 0xff or 0x00.
    pub erased_value: u32,
    /// Reads any range.
    pub read: Option<unsafe extern "C" fn(*mut c_void, u32, *mut c_void, usize) -> i32>,
    /// Programs whole units.
    pub program: Option<unsafe extern "C" fn(*mut c_void, u32, *const c_void, usize) -> i32>,
    /// Erases whole blocks.
    pub erase: Option<unsafe extern "C" fn(*mut c_void, u32, usize) -> i32>,
    /// Derives 32 bytes for a label from the root key.
    pub derive_key: Option<unsafe extern "C" fn(*mut c_void, *const u8, usize, *mut u8) -> i32>,
    /// Fills with random bytes; only a format needs it.
    pub random: Option<unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> i32>,
    /// Reads the counter.
    pub counter_read: Option<unsafe extern "C" fn(*mut c_void, *mut u64) -> i32>,
    /// Adds one to the counter and says its new value.
    pub counter_increment: Option<unsafe extern "C" fn(*mut c_void, *mut u64) -> i32>,
    /// The largest value of the counter.
    pub counter_limit: u64,
    /// Enters and leaves the one critical section of the library; not used with `std`.
    pub lock: Option<unsafe extern "C" fn(*mut c_void)>,
    /// See `lock`.
    pub unlock: Option<unsafe extern "C" fn(*mut c_void)>,
    /// Who is calling: the number of the client.
    pub client: Option<unsafe extern "C" fn(*mut c_void) -> i32>,
    /// Not 0 while the device is being provisioned: write-once assets of PSA may be changed.
    pub provisioning: Option<unsafe extern "C" fn(*mut c_void) -> i32>,
}

// SAFETY: `context` is only ever handed back to the hooks, and `lockstone.h` asks of whoever gives a platform that its
// hooks may be called from any thread that calls the library; the library calls them one at a time.
unsafe impl Send for Platform {}

impl Platform {
    /// Whether all is there that must be, and the counter is whole or absent.
    pub(crate) fn check(&self) -> Result<()> {
        let has_flash = self.read.is_some() && self.program.is_some() && self.erase.is_some();
        let erased = matches!(self.erased_value, 0 | 0xff);
        if has_flash && erased { self.check_beside_flash() } else { Err(Failure::Argument) }
    }

    /// The same but for the flash, which is not the platform's.
    pub(crate) fn check_beside_flash(&self) -> Result<()> {
        let whole_counter = self.counter_read.is_some() == self.counter_increment.is_some();
        let whole_lock = self.lock.is_some() == self.unlock.is_some();
        let known = self.version == VERSION && self.flags & !FLASH_IS_TRUSTED == 0;
        let good = known && whole_counter && whole_lock && self.derive_key.is_some();
        if good { Ok(()) } else { Err(Failure::Argument) }
    }

    /// How the part is cut.
    pub(crate) const fn part(&self) -> Part {
        part_of(self.erased_value, self.program_unit, self.erase_block)
    }

    /// Who is calling.
    pub(crate) fn caller(&self) -> i32 {
        // SAFETY: a hook of a checked platform, called as `lockstone.h` says.
        self.client.map_or(0, |client| unsafe { client(self.context) })
    }

    /// Whether the device is being provisioned.
    #[cfg(feature = "psa")]
    pub(crate) fn is_provisioning(&self) -> bool {
        // SAFETY: a hook of a checked platform, called as `lockstone.h` says.
        self.provisioning.is_some_and(|hook| unsafe { hook(self.context) } != 0)
    }

    /// Calls a hook that says its status.
    fn call<H>(hook: Option<H>, call: impl FnOnce(H) -> i32) -> core::result::Result<(), HookFailed> {
        match hook.map(call) {
            Some(0) => Ok(()),
            _ => Err(HookFailed),
        }
    }
}

/// A part with these units, in bytes.
pub(crate) const fn part_of(erased_value: u32, program_unit: u32, erase_block: u32) -> Part {
    let part = if erased_value == 0 { Part::ZERO_ERASED } else { Part::NOR };
    part.with_units(program_unit as usize, erase_block as usize)
}

/// A hook is missing, or said anything but 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HookFailed;

impl NorFlashError for HookFailed {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl core::fmt::Display for HookFailed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a hook of the platform failed")
    }
}

impl core::error::Error for HookFailed {}

/// What holds bytes: the platform's flash, a driver's, or a file.
#[derive(Clone, Debug)]
pub(crate) enum Medium {
    /// Hooks.
    Hooks(Platform),
    /// A range of a driver's storage.
    #[cfg(feature = "storage")]
    Driver(Drive),
    /// `flash.bin`.
    #[cfg(feature = "std")]
    File(FileFlash),
}

impl Medium {
    /// All of its bytes.
    pub(crate) const fn size(&self) -> u32 {
        match self {
            Self::Hooks(platform) => platform.flash_size,
            #[cfg(feature = "storage")]
            Self::Driver(drive) => drive.size,
            #[cfg(feature = "std")]
            Self::File(flash) => flash.size(),
        }
    }
}

/// A range of a medium, and nothing outside of it. Its type names the finest units; the part's own come from [`Part`].
#[derive(Debug)]
pub(crate) struct Flash {
    medium: Medium,
    start: u32,
    length: u32,
}

impl Flash {
    /// `length` bytes of a medium from `start` on; `None`: it has not so many.
    pub(crate) fn of(medium: &Medium, start: u32, length: u32) -> Option<Self> {
        start.checked_add(length).filter(|end| *end <= medium.size())?;
        Some(Self { medium: medium.clone(), start, length })
    }

    /// The address on the medium of a range, if it's within.
    fn at(&self, offset: u32, length: usize) -> core::result::Result<u32, HookFailed> {
        let end = u32::try_from(length).ok().and_then(|length| offset.checked_add(length));
        end.filter(|end| *end <= self.length).map(|_| self.start + offset).ok_or(HookFailed)
    }
}

impl ErrorType for Flash {
    type Error = HookFailed;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> core::result::Result<(), HookFailed> {
        let at = self.at(offset, bytes.len())?;
        match &mut self.medium {
            // SAFETY: the buffer is writable for its whole length during the call, and the hook keeps no pointer to it.
            Medium::Hooks(platform) => Platform::call(platform.read, |read| unsafe {
                read(platform.context, at, bytes.as_mut_ptr().cast(), bytes.len())
            }),
            #[cfg(feature = "storage")]
            Medium::Driver(drive) => drive.read(at, bytes).ok_or(HookFailed),
            #[cfg(feature = "std")]
            Medium::File(flash) => flash.read(at, bytes).map_err(|_| HookFailed),
        }
    }

    fn capacity(&self) -> usize {
        self.length as usize
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 128;

    fn erase(&mut self, from: u32, to: u32) -> core::result::Result<(), HookFailed> {
        let length = to.checked_sub(from).ok_or(HookFailed)? as usize;
        let at = self.at(from, length)?;
        match &mut self.medium {
            Medium::Hooks(platform) => Platform::call(platform.erase, |erase| {
                // SAFETY: a hook of a checked platform; no memory is handed over.
                unsafe { erase(platform.context, at, length) }
            }),
            #[cfg(feature = "storage")]
            Medium::Driver(drive) => drive.erase(at, length).ok_or(HookFailed),
            #[cfg(feature = "std")]
            Medium::File(flash) => flash.erase(at, length).map_err(|_| HookFailed),
        }
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> core::result::Result<(), HookFailed> {
        let at = self.at(offset, bytes.len())?;
        match &mut self.medium {
            // SAFETY: the bytes are readable for their whole length during the call, and the hook keeps no pointer to them.
            Medium::Hooks(platform) => Platform::call(platform.program, |program| unsafe {
                program(platform.context, at, bytes.as_ptr().cast(), bytes.len())
            }),
            #[cfg(feature = "storage")]
            Medium::Driver(drive) => drive.program(at, bytes).ok_or(HookFailed),
            #[cfg(feature = "std")]
            Medium::File(flash) => flash.write(at, bytes).map_err(|_| HookFailed),
        }
    }
}

/// The counter: of the platform, in a file, or none. One that is absent can't count at all.
#[derive(Debug)]
pub(crate) enum Counter {
    /// Hooks, which may be missing.
    Hooks(Platform),
    /// `trusted/counter`.
    #[cfg(feature = "std")]
    File(FileCounter),
}

impl Counter {
    /// Whether there is one.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::Hooks(platform) => platform.counter_read.is_some(),
            #[cfg(feature = "std")]
            Self::File(_) => true,
        }
    }

    /// Calls a hook that says a value.
    fn ask(
        hook: Option<unsafe extern "C" fn(*mut c_void, *mut u64) -> i32>,
        context: *mut c_void,
    ) -> core::result::Result<u64, HookFailed> {
        let mut value = u64::MAX;
        // SAFETY: the value is writable during the call, and the hook keeps no pointer to it.
        Platform::call(hook, |hook| unsafe { hook(context, &raw mut value) })?;
        Ok(value)
    }
}

impl MonotonicCounter for Counter {
    type Error = HookFailed;

    fn is_present(&self) -> bool {
        self.is_there()
    }

    fn read(&mut self) -> core::result::Result<u64, HookFailed> {
        match self {
            Self::Hooks(platform) if platform.counter_read.is_none() => Ok(0),
            Self::Hooks(platform) => Self::ask(platform.counter_read, platform.context),
            #[cfg(feature = "std")]
            Self::File(counter) => counter.read().map_err(|_| HookFailed),
        }
    }

    fn increment(&mut self) -> core::result::Result<u64, HookFailed> {
        match self {
            Self::Hooks(platform) => Self::ask(platform.counter_increment, platform.context),
            #[cfg(feature = "std")]
            Self::File(counter) => counter.increment().map_err(|_| HookFailed),
        }
    }

    fn limit(&self) -> u64 {
        match self {
            Self::Hooks(platform) if platform.counter_read.is_none() => 0,
            Self::Hooks(platform) => platform.counter_limit,
            #[cfg(feature = "std")]
            Self::File(counter) => counter.limit(),
        }
    }
}

/// The root key behind the hook.
pub(crate) struct HookKey<'p>(pub(crate) &'p Platform);

impl RootKey for HookKey<'_> {
    fn derive(&self, label: &[u8], key: &mut [u8; 32]) -> core::result::Result<(), RootKeyError> {
        key.fill(0);
        let Platform { derive_key, context, .. } = *self.0;
        // SAFETY: label and key are there for their whole length during the call, and the hook keeps no pointer to them.
        let done = Platform::call(derive_key, |derive| unsafe {
            derive(context, label.as_ptr(), label.len(), key.as_mut_ptr())
        });
        // One that nobody filled in is none.
        if done.is_ok() && key.iter().any(|byte| *byte != 0) {
            return Ok(());
        }
        zeroize::Zeroize::zeroize(key);
        Err(RootKeyError)
    }
}

/// The random generator: behind the hook of a platform, or, where there is none, the system's.
pub(crate) struct Dice<'p>(pub(crate) Option<&'p Platform>);

impl rand_core::TryRng for Dice<'_> {
    type Error = HookFailed;

    fn try_next_u32(&mut self) -> core::result::Result<u32, HookFailed> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> core::result::Result<u64, HookFailed> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> core::result::Result<(), HookFailed> {
        let Some(platform) = self.0 else { return of_the_system(bytes) };
        let Platform { random, context, .. } = *platform;
        bytes.fill(0);
        // SAFETY: the buffer is writable for its whole length during the call, and the hook keeps no pointer to it.
        Platform::call(random, |random| unsafe { random(context, bytes.as_mut_ptr(), bytes.len()) })?;
        // Eight zeros are less likely than a hook that fills in nothing.
        if bytes.len() >= 8 && bytes.iter().all(|byte| *byte == 0) { Err(HookFailed) } else { Ok(()) }
    }
}

#[cfg(feature = "std")]
fn of_the_system(bytes: &mut [u8]) -> core::result::Result<(), HookFailed> {
    getrandom::fill(bytes).map_err(|_| HookFailed)
}

/// There is none.
#[cfg(not(feature = "std"))]
const fn of_the_system(_: &mut [u8]) -> core::result::Result<(), HookFailed> {
    Err(HookFailed)
}
