//! What may be taken once in a program.

use core::sync::atomic::{AtomicBool, Ordering};

/// A flag that says so the first time.
#[derive(Debug)]
pub struct Once(AtomicBool);

impl Once {
    /// Nobody has it yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// True the first time. Interrupts are masked, as a Cortex-M0 has no exchange of its own: no handler comes in between.
    pub fn take(&self) -> bool {
        cortex_m::interrupt::free(|_| {
            let is_free = !self.0.load(Ordering::Relaxed);
            self.0.store(true, Ordering::Relaxed);
            is_free
        })
    }
}

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}
