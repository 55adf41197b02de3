//! Time from SysTick: milliseconds for tasks, clock ticks for measurements, and how late an interrupt came.
//!
//! SysTick counts down from its reload value; at 0 it asks for its interrupt and begins again. So in the handler, what it has
//! counted since is how long the processor took to get there.

use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Poll;

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;

use crate::executor::wake;

/// Periods since the start.
static PERIODS: AtomicU32 = AtomicU32::new(0);
/// The latest that the handler ever began, in clock ticks.
static LATEST: AtomicU32 = AtomicU32::new(0);

/// Interrupts every `period` ticks of the processor's clock from now on: of a millisecond for [`after`] and [`now`].
pub fn start(period: u32) {
    // SAFETY: SysTick is used in this module alone, by one thread and its handler, which only reads it.
    let mut timer = unsafe { cortex_m::Peripherals::steal() }.SYST;
    timer.disable_interrupt();
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(period - 1);
    timer.clear_current();
    PERIODS.store(0, Ordering::Relaxed);
    LATEST.store(0, Ordering::Relaxed);
    timer.enable_counter();
    timer.enable_interrupt();
}

#[exception]
fn SysTick() {
    let late = SYST::get_reload().wrapping_sub(SYST::get_current());
    LATEST.store(LATEST.load(Ordering::Relaxed).max(late), Ordering::Relaxed);
    PERIODS.store(PERIODS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    wake();
}

/// Periods since the start.
pub fn now() -> u32 {
    PERIODS.load(Ordering::Relaxed)
}

/// The latest that an interrupt was served, in clock ticks from the moment it was due.
pub fn latest() -> u32 {
    LATEST.load(Ordering::Relaxed)
}

/// Clock ticks, modulo 2^32.
pub fn clock() -> u32 {
    loop {
        let (before, current) = (now(), SYST::get_current());
        if now() == before {
            let reload = SYST::get_reload();
            return before.wrapping_mul(reload + 1).wrapping_add(reload - current);
        }
    }
}

/// Waits for so many periods.
pub async fn after(periods: u32) {
    until(now() + periods).await;
}

/// Waits for a moment.
pub async fn until(moment: u32) {
    // Each interrupt polls all tasks, so there is no list of who waits.
    core::future::poll_fn(|_| if now() >= moment { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Runs 2,000 instructions that read and write no memory: what the clock says of them is the scale of all measurements.
pub fn two_thousand_instructions() {
    // SAFETY: counts a register of its own down to 0.
    unsafe { core::arch::asm!("2:", "subs {n}, #1", "bne 2b", n = inout(reg) 1_000 => _, options(nomem, nostack)) };
}

/// The same with interrupts masked: what a measurement of delays must notice.
pub fn two_thousand_instructions_masked() {
    cortex_m::interrupt::free(|_| two_thousand_instructions());
}
