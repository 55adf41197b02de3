//! What a boot loader needs to install an object into a slot and verify it at each boot, with the suite `ascon`, blocking.
#![no_std]
#![no_main]

#[path = "../common.rs"]
mod common;

use lockstone::Ascon;

/// Where the chip begins.
// SAFETY: nothing else is called `_start`; the linker takes this name as the entry.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    common::install::<Ascon>()
}
