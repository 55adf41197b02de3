//! What was asked of the chip.
//!
//! Tested by the suite `cells`.

use std::ops::Sub;

/// How often the chip was asked to do something, and for how many bytes. Calls refused for their arguments, and calls
/// made while the power is off, are not counted; operations that are cut or that fail are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of `read`.
    pub reads: u64,
    /// Bytes asked for by these calls.
    pub bytes_read: u64,
    /// Calls of `write`, calls without any bytes excepted.
    pub programs: u64,
    /// Bytes given to these calls.
    pub bytes_programmed: u64,
    /// Blocks erased: one call over three blocks counts three.
    pub erases: u64,
}

impl Sub for Counts {
    type Output = Self;

    /// What happened since the earlier counts; 0 where the earlier ones are larger.
    fn sub(self, earlier: Self) -> Self {
        Self {
            reads: self.reads.saturating_sub(earlier.reads),
            bytes_read: self.bytes_read.saturating_sub(earlier.bytes_read),
            programs: self.programs.saturating_sub(earlier.programs),
            bytes_programmed: self.bytes_programmed.saturating_sub(earlier.bytes_programmed),
            erases: self.erases.saturating_sub(earlier.erases),
        }
    }
}
