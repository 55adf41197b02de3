//! The program that does nothing: what a program costs before it has a store.
#![no_std]
#![no_main]

#[panic_handler]
fn stop(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Where the chip begins.
// SAFETY: nothing else is called `_start`; the linker takes this name as the entry.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
