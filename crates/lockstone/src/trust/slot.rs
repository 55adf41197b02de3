//! A monotonic counter in a trusted slot: RPMB, TPM NV, a secure element.
//!
//! ```text
//! slot    | value (8) | 0 (24) |        little-endian; all zero, as the slot was made: value 0
//! ```
//!
//! The slot is replaced atomically, so the value is the old or the new one whatever happens. Nothing is kept in RAM: every
//! call asks the slot. A slot whose rest is not zero is somebody else's, and is neither read as a counter nor written.
//!
//! Tested by `tests/it/trust.rs`: cut at every write, foreign content, exhaustion.

use super::{MonotonicCounter, TrustedSlot};

/// Why a counter could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotCounterError<E> {
    /// The slot could not be read or written. The value is the old or the new one.
    Slot(E),
    /// The slot does not hold a counter. Nothing was written.
    Foreign,
    /// It can't go up any more.
    Exhausted,
}

impl<E: core::fmt::Debug> core::fmt::Display for SlotCounterError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Slot(error) => write!(f, "the trusted slot failed: {error:?}"),
            Self::Foreign => f.write_str("the trusted slot does not hold a counter"),
            Self::Exhausted => f.write_str("the counter can't go up any more"),
        }
    }
}

impl<E: core::fmt::Debug> core::error::Error for SlotCounterError<E> {}

impl<E> From<E> for SlotCounterError<E> {
    fn from(error: E) -> Self {
        Self::Slot(error)
    }
}

/// A counter that has a trusted slot for itself.
#[derive(Clone, Debug)]
pub struct SlotCounter<T>(T);

impl<T: TrustedSlot> SlotCounter<T> {
    /// A counter in this slot. Nothing is read yet.
    pub const fn new(slot: T) -> Self {
        Self(slot)
    }

    /// Gives the slot back.
    pub fn into_slot(self) -> T {
        self.0
    }
}

impl<T: TrustedSlot> MonotonicCounter for SlotCounter<T> {
    type Error = SlotCounterError<T::Error>;

    fn read(&mut self) -> Result<u64, Self::Error> {
        match self.0.read()?.split_first_chunk() {
            Some((value, rest)) if rest.iter().all(|byte| *byte == 0) => Ok(u64::from_le_bytes(*value)),
            _ => Err(SlotCounterError::Foreign),
        }
    }

    fn increment(&mut self) -> Result<u64, Self::Error> {
        let value = self.read()?.checked_add(1).ok_or(SlotCounterError::Exhausted)?;
        let mut content = [0; 32];
        if let Some(place) = content.first_chunk_mut() {
            *place = value.to_le_bytes();
        }
        self.0.write(&content)?;
        Ok(value)
    }

    fn limit(&self) -> u64 {
        u64::MAX
    }
}
