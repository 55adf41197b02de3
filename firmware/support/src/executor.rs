//! A small executor: one future, polled when something woke it; the processor waits for interrupts meanwhile.
//!
//! Several tasks are one future that joins them. Where more is needed, `embassy-executor` takes the same futures.

use core::cell::Cell;
use core::pin::Pin;
use core::ptr::null;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// Somebody asked for a poll.
static WOKEN: AtomicBool = AtomicBool::new(false);

static VTABLE: RawWakerVTable = RawWakerVTable::new(|_| RawWaker::new(null(), &VTABLE), |_| wake(), |_| wake(), |_| {});

/// Has the future polled again; interrupts may call it.
pub(crate) fn wake() {
    WOKEN.store(true, Ordering::Release);
}

/// Runs a future to its end. Pinned by the caller, so that it is not moved on the way, which would take its size twice.
pub fn block_on<T>(future: Pin<&mut impl Future<Output = T>>) -> T {
    block_on_timed(future, &Cell::new(0))
}

/// The same; `longest` is the most clock ticks that a poll took, if [time](crate::time) was started.
pub fn block_on_timed<T>(mut future: Pin<&mut impl Future<Output = T>>, longest: &Cell<u32>) -> T {
    // SAFETY: the functions of the table don't look at the pointer, and may be called from anywhere at any time.
    let waker = unsafe { Waker::new(null(), &VTABLE) };
    let mut context = Context::from_waker(&waker);
    loop {
        WOKEN.store(false, Ordering::Release);
        let begun = crate::time::clock();
        let polled = future.as_mut().poll(&mut context);
        longest.set(longest.get().max(crate::time::clock().wrapping_sub(begun)));
        if let Poll::Ready(output) = polled {
            return output;
        }
        while !WOKEN.load(Ordering::Acquire) {
            // Masked, so that no interrupt is served between the look and the wait; a pending one ends the wait all the same.
            cortex_m::interrupt::free(|_| {
                if !WOKEN.load(Ordering::Acquire) {
                    cortex_m::asm::wfi();
                }
            });
        }
    }
}
