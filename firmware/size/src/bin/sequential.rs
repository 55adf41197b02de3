//! Fetch, store and remove with the peer sequential-storage, without caches.
#![no_std]
#![no_main]

#[path = "../common.rs"]
mod common;

/// Where the chip begins.
// SAFETY: nothing else is called `_start`; the linker takes this name as the entry.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    common::sequential()
}
