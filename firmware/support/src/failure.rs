//! Why a program ended early: said on the console where it happened, so that the error itself need not be kept.

use core::fmt::Display;

/// Something failed, and the console says what.
#[derive(Clone, Copy, Debug)]
pub struct Failure;

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        crate::println!("failed: {error}");
        Self
    }
}
