//! Futures polled by hand, so that they can be dropped at any await.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Polls a future up to `times` times; `None`: it was dropped then.
pub fn poll<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..times {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
    }
    None
}

/// Polls a future to its end.
///
/// # Panics
/// If it never ends.
pub fn finish<T>(future: impl Future<Output = T>) -> T {
    poll(future, 10_000_000).expect("the future never ends")
}
