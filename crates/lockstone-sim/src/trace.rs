//! A record of every access, for a human to read.
//!
//! Off unless asked for: an untraced chip pays one comparison per access.
//!
//! Tested by the suite `cells`.

use std::fmt;

/// What kind of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceKind {
    /// A call of `read`.
    Read,
    /// A call of `write`.
    Program,
    /// One block of a call of `erase`.
    Erase,
}

impl TraceKind {
    /// The name in print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Program => "program",
            Self::Erase => "erase",
        }
    }
}

/// One access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceEntry {
    /// Number of modifying operations before this access: for a program or an erase its own number, counted from 0.
    pub op: u64,
    /// Kind of the access.
    pub kind: TraceKind,
    /// Where it starts, in bytes.
    pub address: u32,
    /// How far it goes, in bytes.
    pub len: usize,
}

impl fmt::Display for TraceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} {:<7} {:#08x} +{}", self.op, self.kind.name(), self.address, self.len)
    }
}
