//! Mount, get, put, delete with the suite `plain`, blocking, in a small store.
#![no_std]
#![no_main]

#[path = "../common.rs"]
mod common;

use lockstone::Plain;

/// Where the chip begins.
// SAFETY: nothing else is called `_start`; the linker takes this name as the entry.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    common::small::<Plain>()
}
