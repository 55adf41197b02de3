//! The C interface with PSA Secure Storage.
#![no_std]
#![no_main]

#[path = "../faces.rs"]
mod faces;

/// Where the chip begins.
// SAFETY: nothing else is called `_start`; the linker takes this name as the entry.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    faces::native();
    faces::psa();
    loop {
        core::hint::spin_loop();
    }
}
