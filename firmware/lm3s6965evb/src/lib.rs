//! Stellaris LM3S6965 evaluation board: Cortex-M3, 64 kB of RAM. The flash is 1 MiB of an SD card, behind `lockstone-block`.
#![no_std]

use cortex_m_rt as _;
use lm3s6965 as _; // the interrupt vectors of the chip
use lockstone::{Memory, Part, buffer_size};
use lockstone_block::BlockFlash;
use support::sd::Card;
pub use support::toys::{InsecureRandom, insecure_root_key};
pub use support::{Failure, end, executor, open, println, program, ram_flash, stack, stop_on_panic, time, timed};

/// A card that was never written reads as zeros.
pub const PART: Part = Part::ZERO_ERASED;
/// Ticks of the processor's clock in a second.
pub const CLOCK: u32 = 12_500_000;
/// Bytes of the flash.
pub const CAPACITY: u32 = 64 * BLOCK as u32;
/// RAM of a store: heads for 100 keys, a record, and a byte for each of 64 segments.
pub type Ram = Memory<50, { buffer_size(1, 512, BLOCK) + 64 }>;
/// The flash: 64 blocks of 16 KiB.
pub type Flash = BlockFlash<Card, BLOCK>;

const BLOCK: usize = 16 * 1024;
/// Where the part begins: behind what a partition table usually leaves free.
const FIRST_SECTOR: u32 = 2048;

/// The flash.
///
/// # Errors
/// There is no card, or it is too small.
pub fn flash() -> Result<Flash, Failure> {
    let card = Card::take()?;
    Ok(Flash::new(card, FIRST_SECTOR, CAPACITY / 512, 0x00).ok_or("the card is too small")?)
}

/// How a program is started: once for each start of the emulator.
pub fn start(program: fn() -> Result<(), Failure>) -> ! {
    support::run(program)
}
