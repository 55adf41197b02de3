//! What both probes share: a flash, a root key, and the four calls that are measured.
//!
//! The flash and the key are volatile accesses to made-up addresses. That costs a few dozen bytes, is never run, and
//! keeps the compiler from leaving anything out.

use core::ptr::{read_volatile, write_volatile};

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use lockstone::seal::Suite;
use lockstone::trust::{RootKey, RootKeyError};
use lockstone::{Memory, Part, Store};

/// Where a memory-mapped flash might begin.
const FLASH: usize = 0x6000_0000;
/// Where a key might lie.
const KEY: usize = 0x5000_0000;
/// A register that takes what must not be optimised away.
const REGISTER: usize = 0x4000_0000;

/// RAM of the store: 100 keys on 64 blocks.
type Ram = Memory<192, 512, 64>;

static mut MEMORY: Ram = Ram::new();

/// A flash of 64 blocks of 4 KiB with words of 4 bytes.
struct Flash;

/// The flash never says why.
#[derive(Clone, Copy, Debug)]
struct Failed;

impl NorFlashError for Failed {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Flash {
    type Error = Failed;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    #[inline(never)]
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Failed> {
        for (index, byte) in bytes.iter_mut().enumerate() {
            let address = FLASH + offset as usize + index;
            // SAFETY: the store reads inside `capacity` only, and the chip of this probe maps that range; a byte has
            // no alignment and every bit pattern is one.
            *byte = unsafe { read_volatile(address as *const u8) };
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        64 * 4096
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    #[inline(never)]
    fn erase(&mut self, from: u32, _to: u32) -> Result<(), Failed> {
        // SAFETY: a register of the chip of this probe, aligned, and no Rust object lies there.
        unsafe { write_volatile(REGISTER as *mut u32, from) };
        Ok(())
    }

    #[inline(never)]
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Failed> {
        for (index, byte) in bytes.iter().enumerate() {
            let address = FLASH + offset as usize + index;
            // SAFETY: as for `read`; no Rust object lies in the mapped range.
            unsafe { write_volatile(address as *mut u8, *byte) };
        }
        Ok(())
    }
}

/// A key in a register bank.
struct Key;

impl RootKey for Key {
    fn derive(&self, _label: &[u8], key: &mut [u8; 32]) -> Result<(), RootKeyError> {
        for (index, byte) in key.iter_mut().enumerate() {
            // SAFETY: 32 registers of the chip of this probe; a byte has no alignment.
            *byte = unsafe { read_volatile((KEY + index) as *const u8) };
        }
        Ok(())
    }
}

/// The four calls that are measured.
pub fn run<S: Suite>() -> ! {
    let memory = &raw mut MEMORY;
    // SAFETY: `_start` runs once, on one core, and calls this once: there is no other reference to `MEMORY`.
    let memory = unsafe { &mut *memory };
    if let Ok(mut store) = Store::<_, S>::mount(Flash, Part::NOR, &Key, memory) {
        let mut value = [0; 64];
        if let Ok(Some(length)) = store.get("boot", &mut value) {
            let _ = store.put("boot", &value[..length]);
        }
        let _ = store.delete("x");
        // SAFETY: as for `erase`; a byte has no alignment.
        unsafe { write_volatile(REGISTER as *mut u8, value[0]) };
    }
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn stop(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
