//! The C interface: the store's own calls.
#![no_std]
#![no_main]

#[path = "../faces.rs"]
mod faces;

/// Where the chip begins.
// SAFETY: nothing else is called `_start`; the linker takes this name as the entry.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    faces::native();
    loop {
        core::hint::spin_loop();
    }
}
