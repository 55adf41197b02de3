//! Semihosting: the debugger, here the emulator, does for the program what an operating system would.
//!
//! Each call is a breakpoint with a number and the address of its arguments in registers. No interrupt is masked by it.
//! On RISC-V two instructions that do nothing stand around the breakpoint, by which it is known.

use core::arch::asm;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};

const OPEN: usize = 0x01;
const WRITE: usize = 0x05;
const READ: usize = 0x06;
const SEEK: usize = 0x0a;
const FILE_LENGTH: usize = 0x0c;
const EXIT_EXTENDED: usize = 0x20;

/// Modes of `OPEN`, as of `fopen`: "r+b", "w", "w+b".
const UPDATE: usize = 3;
const OUTPUT: usize = 4;
const CREATE: usize = 7;

/// The reason that goes with an exit code: the program ended by itself.
const APPLICATION_EXIT: usize = 0x2_0026;

/// Asks the debugger for something.
///
/// # Safety
/// `arguments` must be what the call with this number takes, and what it says of memory must be true.
unsafe fn call(number: usize, arguments: &[usize]) -> usize {
    let result;
    #[cfg(target_arch = "riscv32")]
    // SAFETY: as below, with the answer in a0. The three instructions are not compressed, and in one page.
    unsafe {
        asm!(
            ".balign 16",
            ".option push",
            ".option norvc",
            "slli x0, x0, 0x1f",
            "ebreak",
            "srai x0, x0, 7",
            ".option pop",
            inlateout("a0") number => result,
            in("a1") arguments.as_ptr(),
            options(nostack, preserves_flags)
        );
    }
    #[cfg(target_arch = "arm")]
    // SAFETY: a debugger that knows semihosting answers in r0 and continues behind the breakpoint; it touches no other
    // register, and only memory that the arguments name, which the caller vouches for.
    unsafe {
        asm!("bkpt #0xab", inlateout("r0") number => result, in("r1") arguments.as_ptr(), options(nostack, preserves_flags));
    }
    result
}

/// Opens a file; `name` ends with a zero. `None`: there is no such file.
fn open(name: &'static str, mode: usize) -> Option<usize> {
    assert!(name.ends_with('\0'), "names end with a zero");
    // SAFETY: `name` is readable for as long as it says, and ends with a zero.
    let handle = unsafe { call(OPEN, &[name.as_ptr() as usize, mode, name.len() - 1]) };
    (handle != usize::MAX).then_some(handle)
}

/// Writes all bytes, or says that it can't.
fn write(handle: usize, bytes: &[u8]) -> Result<(), FileError> {
    // SAFETY: `bytes` is readable for as long as it says.
    let missing = unsafe { call(WRITE, &[handle, bytes.as_ptr() as usize, bytes.len()]) };
    if missing == 0 { Ok(()) } else { Err(FileError::Io) }
}

fn read(handle: usize, bytes: &mut [u8]) -> Result<(), FileError> {
    // SAFETY: `bytes` is writable for as long as it says, and any content is a valid one.
    let missing = unsafe { call(READ, &[handle, bytes.as_mut_ptr() as usize, bytes.len()]) };
    if missing == 0 { Ok(()) } else { Err(FileError::Io) }
}

fn seek(handle: usize, offset: u32) -> Result<(), FileError> {
    // SAFETY: takes two numbers.
    let failed = unsafe { call(SEEK, &[handle, offset as usize]) };
    if failed == 0 { Ok(()) } else { Err(FileError::Io) }
}

/// Ends the emulator.
pub fn exit(code: u32) -> ! {
    // SAFETY: takes two numbers.
    unsafe { call(EXIT_EXTENDED, &[APPLICATION_EXIT, code as usize]) };
    loop {
        core::hint::spin_loop();
    }
}

/// The debugger's terminal.
#[derive(Clone, Copy, Debug)]
pub struct Console;

/// Its handle and one; 0: not open yet.
static TERMINAL: AtomicUsize = AtomicUsize::new(0);

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if TERMINAL.load(Ordering::Relaxed) == 0 {
            TERMINAL.store(open(":tt\0", OUTPUT).ok_or(fmt::Error)? + 1, Ordering::Relaxed);
        }
        write(TERMINAL.load(Ordering::Relaxed) - 1, text.as_bytes()).map_err(|_| fmt::Error)
    }
}

/// Prints a line on the debugger's terminal.
#[macro_export]
macro_rules! println {
    ($($part:tt)*) => {{
        // A console that fails can't say so.
        let _ = core::fmt::Write::write_fmt(&mut $crate::semihosting::Console, format_args!("{}\n", format_args!($($part)*)));
    }};
}

/// Why a call on a [`FileFlash`] failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileError {
    /// Not within the flash, or not whole units.
    Range,
    /// A bit can't become 1 without an erase.
    NotErased,
    /// The debugger can't read or write the file.
    Io,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Range => "not within the flash, or not whole units",
            Self::NotErased => "programmed without an erase",
            Self::Io => "the file of the flash can't be read or written",
        })
    }
}

impl core::error::Error for FileError {}

impl NorFlashError for FileError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Range => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}

/// A flash with words of 4 bytes and blocks of 4 KiB in the file `flash.bin` on the debugger's machine.
///
/// It behaves as NOR flash does: a program that would turn a 0 into a 1 is refused, with nothing written.
#[derive(Debug)]
pub struct FileFlash {
    handle: usize,
    capacity: usize,
}

/// Bytes that one call to the debugger moves.
const STEP: usize = 128;

impl FileFlash {
    const BLOCK: usize = 4096;

    /// Opens the file; makes it, erased, if there is none.
    ///
    /// # Errors
    /// The file can't be made, or has another length.
    pub fn open(capacity: usize) -> Result<Self, FileError> {
        const NAME: &str = "flash.bin\0";
        if let Some(handle) = open(NAME, UPDATE) {
            // SAFETY: takes one number.
            let length = unsafe { call(FILE_LENGTH, &[handle]) };
            return if length == capacity { Ok(Self { handle, capacity }) } else { Err(FileError::Range) };
        }
        let mut flash = Self { handle: open(NAME, CREATE).ok_or(FileError::Io)?, capacity };
        flash.fill(0, capacity as u32)?;
        Ok(flash)
    }

    fn fill(&mut self, from: u32, to: u32) -> Result<(), FileError> {
        seek(self.handle, from)?;
        (from..to).step_by(STEP).try_for_each(|_| write(self.handle, &[0xff; STEP]))
    }

    fn check(&self, offset: u32, length: usize, unit: usize) -> Result<(), FileError> {
        let offset = offset as usize;
        let within = offset <= self.capacity && length <= self.capacity - offset;
        if within && offset.is_multiple_of(unit) && length.is_multiple_of(unit) {
            Ok(())
        } else {
            Err(FileError::Range)
        }
    }
}

impl ErrorType for FileFlash {
    type Error = FileError;
}

impl ReadNorFlash for FileFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FileError> {
        self.check(offset, bytes.len(), Self::READ_SIZE)?;
        seek(self.handle, offset)?;
        read(self.handle, bytes)
    }

    fn capacity(&self) -> usize {
        self.capacity
    }
}

impl NorFlash for FileFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = Self::BLOCK;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FileError> {
        self.check(from, to.checked_sub(from).ok_or(FileError::Range)? as usize, Self::ERASE_SIZE)?;
        self.fill(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileError> {
        self.check(offset, bytes.len(), Self::WRITE_SIZE)?;
        // All is looked at before anything is written.
        for (at, bytes) in (offset..).step_by(STEP).zip(bytes.chunks(STEP)) {
            let mut old = [0; STEP];
            let old = &mut old[..bytes.len()];
            self.read(at, old)?;
            if old.iter().zip(bytes).any(|(old, new)| new & !old != 0) {
                return Err(FileError::NotErased);
            }
        }
        seek(self.handle, offset)?;
        bytes.chunks(STEP).try_for_each(|bytes| write(self.handle, bytes))
    }
}
