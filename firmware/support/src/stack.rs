//! Stack: how deep it became. The start-up code, that of `cortex-m-rt` or `riscv.rs`, paints all of it; what is not painted any more was used.
//!
//! ```text
//! RAM   | .data .bss .uninit | painted ............ | used <── grows down |
//!                            ^ _stack_end           ^ peak                ^ _stack_start
//! ```

use core::ptr::read_volatile;
#[cfg(target_arch = "arm")]
use core::ptr::write_volatile;
use core::sync::atomic::{AtomicUsize, Ordering};

/// What `cortex-m-rt` paints with.
const PAINT: u32 = 0xcccc_cccc;
/// Left as it is below the stack pointer while it is painted anew.
#[cfg(target_arch = "arm")]
const MARGIN: usize = 64;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
    static __sdata: u32;
    static __edata: u32;
    static __sbss: u32;
    static __ebss: u32;
}

fn start() -> usize {
    &raw const _stack_start as usize
}

fn end() -> usize {
    (&raw const _stack_end as usize).next_multiple_of(4)
}

/// The lowest address that is not painted.
fn lowest() -> usize {
    // SAFETY: words from the end of the statics to the top of the stack are RAM that is always readable, and reading
    // them as numbers, whatever they hold, changes nothing.
    let is_painted = |address: &usize| unsafe { read_volatile(*address as *const u32) } == PAINT;
    (end()..start()).step_by(4).find(|address| !is_painted(address)).unwrap_or(start())
}

/// The peak before the stack was last painted anew.
static BEFORE: AtomicUsize = AtomicUsize::new(0);

/// Bytes of stack that were in use at once, at most, since the start.
#[must_use]
pub fn peak() -> usize {
    BEFORE.load(Ordering::Relaxed).max(start() - lowest())
}

/// Bytes of `static` data.
#[must_use]
pub fn statics() -> usize {
    let length = |from: *const u32, to: *const u32| to as usize - from as usize;
    length(&raw const __sdata, &raw const __edata) + length(&raw const __sbss, &raw const __ebss)
}

/// Bytes of stack that a call takes below the caller's frame, its callees included.
#[cfg(target_arch = "arm")]
#[inline(never)]
pub fn of<T>(call: impl FnOnce() -> T) -> (T, usize) {
    BEFORE.store(peak(), Ordering::Relaxed);
    // Behind the prologue of this function, so what it takes itself is not counted, and all below it is.
    let here = cortex_m::register::msp::read() as usize;
    for address in (end()..here - MARGIN).step_by(4) {
        // SAFETY: below the stack pointer nothing is in use; an interrupt that comes meanwhile is over before the next word
        // is painted, and what it left there is dead.
        unsafe { write_volatile(address as *mut u32, PAINT) };
    }
    let result = below(call);
    (result, here - lowest())
}

/// A frame of its own for what is measured: inlined into [`of`], it would lie above the stack pointer that is read there.
#[cfg(target_arch = "arm")]
#[inline(never)]
fn below<T>(call: impl FnOnce() -> T) -> T {
    call()
}

/// Says how much RAM the program took.
pub(crate) fn report() {
    crate::println!("# stack {} B", peak());
    crate::println!("# statics {} B", statics());
}
