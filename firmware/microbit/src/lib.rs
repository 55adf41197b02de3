//! BBC micro:bit: nRF51822, Cortex-M0, 16 kB of RAM. The flash is the upper quarter of the chip's own. In the emulator it lasts
//! no longer than the emulator does, so a program is started again by a reset.
#![no_std]

use cortex_m_rt as _;
use lockstone::{Memory, Part, buffer_size};
use support::Once;
pub use support::nvmc::Nvmc as Flash;
pub use support::toys::{InsecureRandom, insecure_root_key};
pub use support::{Failure, executor, open, println, program, time, timed};

/// What the driver's type does not say of the flash.
pub const PART: Part = Part::NOR;
/// Ticks of the processor's clock in a second.
pub const CLOCK: u32 = 16_000_000;
/// Bytes of the flash.
pub const CAPACITY: u32 = 64 * 1024;
/// RAM of a store: heads for 100 keys, a record, and a byte for each of 32 segments.
pub type Ram = Memory<50, { buffer_size(1, 4, 1024) + 32 }>;

/// The flash is taken.
static TAKEN: Once = Once::new();

/// The flash: 64 pages of 1 KiB.
///
/// # Errors
/// It is taken already.
pub fn flash() -> Result<Flash, Failure> {
    if !TAKEN.take() {
        return Err("the flash is taken already".into());
    }
    // SAFETY: once in a program: the lines above see to that.
    Ok(unsafe { Flash::take() })
}

/// How a program is started: three times.
pub fn start(program: fn() -> Result<(), Failure>) -> ! {
    support::run_again(program, 3)
}
