//! Which call may come when: the same on every back-end.

use crate::SuitError;

/// How far a payload has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No location is active.
    Nowhere,
    /// A location is active.
    Located,
    /// A payload of this length is being written.
    Writing(u32),
    /// It is whole.
    Whole(u32),
    /// It was installed.
    Installed(u32),
}

impl Stage {
    /// A payload may begin.
    pub(crate) const fn check_start(self) -> Result<(), SuitError> {
        if matches!(self, Self::Nowhere) { Err(SuitError::Order) } else { Ok(()) }
    }

    /// A payload is there that was not installed.
    pub(crate) const fn is_pending(self) -> bool {
        matches!(self, Self::Writing(_) | Self::Whole(_))
    }

    /// Its length, while it's written.
    pub(crate) const fn writing(self) -> Result<u32, SuitError> {
        if let Self::Writing(length) = self { Ok(length) } else { Err(SuitError::Order) }
    }

    /// Its length, when it can be installed.
    pub(crate) const fn whole(self) -> Result<u32, SuitError> {
        if let Self::Whole(length) = self { Ok(length) } else { Err(SuitError::Order) }
    }

    /// Its length, when it can be read.
    pub(crate) const fn readable(self) -> Result<u32, SuitError> {
        if let Self::Whole(length) | Self::Installed(length) = self { Ok(length) } else { Err(SuitError::Order) }
    }

    /// What is read lies within it.
    pub(crate) fn check_read(self, target: &[u8], offset: u32) -> Result<(), SuitError> {
        within(target.len(), offset, self.readable()?).map(drop)
    }
}

/// The end of a range, which must lie within `length`.
pub(crate) fn within(bytes: usize, offset: u32, length: u32) -> Result<u32, SuitError> {
    let end = u32::try_from(bytes).ok().and_then(|bytes| offset.checked_add(bytes));
    end.filter(|end| *end <= length).ok_or(SuitError::OutOfRange)
}
