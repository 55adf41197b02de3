//! Arm MPS3 with the image AN547: Corstone SSE-300, Cortex-M55. The flash is the file `flash.bin` of the debugger, so that its
//! content outlives the emulator, and the command line of the repository opens it.
#![no_std]

use cortex_m_rt as _;
use lockstone::{Memory, Part, buffer_size};
pub use support::semihosting::FileFlash as Flash;
pub use support::toys::{InsecureRandom, insecure_root_key};
pub use support::{Failure, end, executor, open, println, program, ram_flash, stack, time, timed};

/// What the driver's type does not say of the flash.
pub const PART: Part = Part::NOR;
/// Ticks of the processor's clock in a second.
pub const CLOCK: u32 = 32_000_000;
/// Bytes of the flash.
pub const CAPACITY: u32 = 64 * 4096;
/// RAM of a store: heads for 100 keys, a record, and a byte for each of 64 segments.
pub type Ram = Memory<50, { buffer_size(1, 4, 4096) + 64 }>;

/// The flash: 64 blocks of 4 KiB.
///
/// # Errors
/// The console says why.
pub fn flash() -> Result<Flash, Failure> {
    Ok(Flash::open(CAPACITY as usize)?)
}

/// How a program is started: once for each start of the emulator.
pub fn start(program: fn() -> Result<(), Failure>) -> ! {
    support::run(program)
}
