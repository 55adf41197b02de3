//! The flash of the nRF51 behind its controller, NVMC (nRF51 Series Reference Manual, chapter 6): pages of 1 KiB, words of 4
//! bytes, and the processor stands still while it is busy.

use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::{read_volatile, write_volatile};

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};

const READY: usize = 0x4001_e400;
const WRITE_ENABLE: u32 = 1;
const ERASE_ENABLE: u32 = 2;

/// Where the store begins: behind the 192 KiB that `memory.x` leaves to the program.
const START: usize = 0x3_0000;
const LENGTH: usize = 64 * 1024;

/// Not within the flash, or not whole words or pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBounds;

impl fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not within the flash, or not whole words or pages")
    }
}

impl core::error::Error for OutOfBounds {}

impl NorFlashError for OutOfBounds {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::OutOfBounds
    }
}

/// The upper 64 KiB of the flash.
#[derive(Debug)]
pub struct Nvmc(());

impl Nvmc {
    /// Takes the controller. The emulator's flash begins as zeros, which no part does: it is then erased, as the programmer
    /// of a factory does it.
    ///
    /// # Safety
    /// Once in a program: two of these would undo each other's settings.
    #[must_use]
    pub unsafe fn take() -> Self {
        let mut flash = Self(());
        if (0..LENGTH).step_by(4).all(|offset| flash.word(offset) == 0) {
            (0..LENGTH).step_by(Self::ERASE_SIZE).for_each(|page| flash.erase_page(page));
        }
        flash
    }

    fn word(&self, offset: usize) -> u32 {
        assert!(offset.is_multiple_of(4) && offset < LENGTH, "not a word of the flash");
        // SAFETY: an aligned word of flash, which is always readable; no Rust object lies behind the program's 192 KiB.
        unsafe { read_volatile((START + offset) as *const u32) }
    }

    fn erase_page(&mut self, offset: usize) {
        assert!(offset.is_multiple_of(Self::ERASE_SIZE) && offset < LENGTH, "not a page of the flash");
        configure(ERASE_ENABLE);
        set(Register::ErasePage, (START + offset) as u32);
        wait();
        configure(0);
    }
}

/// Registers that are written.
#[derive(Clone, Copy)]
enum Register {
    Config = 0x4001_e504,
    ErasePage = 0x4001_e508,
}

fn set(register: Register, value: u32) {
    // SAFETY: a register of the controller, aligned. Whoever erases gives a page behind the program: see `erase_page`.
    unsafe { write_volatile(register as usize as *mut u32, value) };
}

/// Programs a word of the flash behind the program.
fn program(offset: usize, word: u32) {
    assert!(offset.is_multiple_of(4) && offset < LENGTH, "not a word of the flash");
    // SAFETY: an aligned word of flash, and no Rust object lies behind the program's 192 KiB.
    unsafe { write_volatile((START + offset) as *mut u32, word) };
    wait();
}

fn wait() {
    // SAFETY: a register of the controller, aligned, readable at any time.
    while unsafe { read_volatile(READY as *const u32) } == 0 {}
}

fn configure(mode: u32) {
    set(Register::Config, mode);
    wait();
}

fn check(offset: u32, length: usize, unit: usize) -> Result<usize, OutOfBounds> {
    let offset = offset as usize;
    let within = offset <= LENGTH && length <= LENGTH - offset;
    if within && offset.is_multiple_of(unit) && length.is_multiple_of(unit) { Ok(offset) } else { Err(OutOfBounds) }
}

impl ErrorType for Nvmc {
    type Error = OutOfBounds;
}

impl ReadNorFlash for Nvmc {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), OutOfBounds> {
        let offset = check(offset, bytes.len(), Self::READ_SIZE)?;
        for (at, byte) in (offset..).zip(bytes) {
            *byte = self.word(at & !3).to_le_bytes()[at & 3];
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        LENGTH
    }
}

impl NorFlash for Nvmc {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 1024;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), OutOfBounds> {
        let first = check(from, to.checked_sub(from).ok_or(OutOfBounds)? as usize, Self::ERASE_SIZE)?;
        (first..to as usize).step_by(Self::ERASE_SIZE).for_each(|page| self.erase_page(page));
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let offset = check(offset, bytes.len(), Self::WRITE_SIZE)?;
        configure(WRITE_ENABLE);
        let (words, _) = bytes.as_chunks();
        for (at, word) in (offset..).step_by(4).zip(words) {
            program(at, u32::from_le_bytes(*word));
        }
        configure(0);
        Ok(())
    }
}

/// Two words that the start-up code leaves alone: a sign that they are set, and how often the chip was started.
// SAFETY: `.uninit` is RAM of the program that nothing else uses; `MaybeUninit` has no invalid content.
#[unsafe(link_section = ".uninit.starts")]
static mut STARTS: MaybeUninit<[u32; 2]> = MaybeUninit::uninit();

/// Number of this start, 1 after power on. A reset keeps RAM, and so does the emulator.
pub(crate) fn count_start() -> u32 {
    const SIGN: u32 = 0x5354_5254;
    let starts = (&raw mut STARTS).cast::<[u32; 2]>();
    // SAFETY: called by the one thread before the program; words of RAM hold some number, whatever was there before.
    let [sign, count] = unsafe { read_volatile(starts) };
    let count = if sign == SIGN { count + 1 } else { 1 };
    // SAFETY: as above.
    unsafe { write_volatile(starts, [SIGN, count]) };
    count
}
