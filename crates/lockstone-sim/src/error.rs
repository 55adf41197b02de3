//! What the chip answers instead of doing it.
//!
//! Tested by the suites `cells`, `faults` and `power`.

use std::fmt;

use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};

/// Why an operation did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SimError {
    /// The power went off during this operation or before it.
    PowerCut,
    /// Address or length is not a multiple of the read, program or erase size. A violation.
    NotAligned,
    /// The range leaves the chip, or its end comes before its start. A violation.
    OutOfBounds,
    /// A unit of the range has been programmed since its last erase. A violation; nothing was programmed.
    ProgrammedTwice,
    /// A unit of the range has more wrong bits than its error correction can correct.
    Ecc,
    /// The chip reports that the program did not succeed.
    ProgramFailed,
    /// The chip reports that the erase did not succeed.
    EraseFailed,
    /// The counter is broken, or its answer was lost.
    CounterFailed,
    /// The counter stands at its limit.
    Exhausted,
}

impl NorFlashError for SimError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}

impl From<NorFlashErrorKind> for SimError {
    fn from(kind: NorFlashErrorKind) -> Self {
        match kind {
            NorFlashErrorKind::NotAligned => Self::NotAligned,
            _ => Self::OutOfBounds,
        }
    }
}

impl fmt::Display for SimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PowerCut => "the power is off",
            Self::NotAligned => "address or length is not aligned",
            Self::OutOfBounds => "the range leaves the chip",
            Self::ProgrammedTwice => "a unit was programmed twice without an erase",
            Self::Ecc => "a unit has an uncorrectable error",
            Self::ProgramFailed => "the program failed",
            Self::EraseFailed => "the erase failed",
            Self::CounterFailed => "the counter failed",
            Self::Exhausted => "the counter is at its limit",
        })
    }
}

impl std::error::Error for SimError {}

/// A call that no chip must be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Number of modifying operations before the call.
    pub op: u64,
    /// Address in bytes: of the unit programmed twice, else the start of the range.
    pub address: u32,
    /// What the call was answered.
    pub error: SimError,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "op {} at {:#x}: {}", self.op, self.address, self.error)
    }
}
