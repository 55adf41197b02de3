//! Attributes: what may be done to an entry, and what protects it.
//!
//! They are part of the entry, sealed with it; changing them is a commit like any other. What an attacker could undo by
//! putting an older image back is worth nothing, so [`WRITE_ONCE`](Attributes::WRITE_ONCE),
//! [`READ_ONLY`](Attributes::READ_ONLY) and [`NON_DELETABLE`](Attributes::NON_DELETABLE) bring
//! [`PROTECTED`](Attributes::PROTECTED) with them, and are refused where there is no counter, unless the caller says
//! [`DANGER_REPLAYABLE`](Attributes::DANGER_REPLAYABLE).

/// A set of attributes. Put together with [`and`](Self::and).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(u32);

/// How a value is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// The attributes that the entry has from now on; `None`: those that it has, none for a new one.
    pub attributes: Option<Attributes>,
    /// This write is bound to the counter, whatever the entry's attributes say.
    pub protect: bool,
}

impl Put {
    /// As [`Store::put`](crate::Store::put) does it.
    pub const USUAL: Self = Self { attributes: None, protect: false };
    /// Bound to the counter: no older image undoes this write.
    pub const PROTECTED: Self = Self { attributes: None, protect: true };

    /// With these attributes.
    #[must_use]
    pub const fn with(attributes: Attributes) -> Self {
        Self { attributes: Some(attributes), protect: false }
    }
}

/// Why a set of attributes makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributesError {
    /// A value that is written once has no other factory copy.
    OnceAndFactory,
    /// A factory reset can't keep a value and bring back another one.
    RetainedAndFactory,
    /// What is written once can't be written again: read-only is what can be lifted.
    OnceAndReadOnly,
    /// Protected from replay, and replayable.
    ProtectedAndReplayable,
    /// Nothing here needs protection from replay.
    NothingReplayable,
    /// A factory copy is made of a value that is written, not of one that is there; and what stands in the clear, or does
    /// not, is written anew for it.
    WithoutValue,
}

impl AttributesError {
    /// One sentence for people.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::OnceAndFactory => "what is written once has no other factory copy",
            Self::RetainedAndFactory => "a factory reset can't keep a value and bring back another one",
            Self::OnceAndReadOnly => "write-once says it all: read-only is what can be lifted again",
            Self::ProtectedAndReplayable => "an entry is protected from replay or replayable, not both",
            Self::WithoutValue => "factory copy and confidentiality are chosen when a value is written",
            Self::NothingReplayable => "only write-once, read-only and non-deletable entries are made replayable",
        }
    }
}

impl Attributes {
    /// None: an entry that its owner may change, delete, and share.
    pub const NONE: Self = Self(0);
    /// The value is never changed again, nor the entry deleted, nor these attributes changed. A factory reset keeps it.
    pub const WRITE_ONCE: Self = Self(1 << 0);
    /// The value can't be changed until this is taken away again.
    pub const READ_ONLY: Self = Self(1 << 1);
    /// The entry can't be deleted until this is taken away again. Its value can be changed. A factory reset keeps it.
    pub const NON_DELETABLE: Self = Self(1 << 2);
    /// Each change of the entry is bound to the counter: no older image brings the old state back.
    pub const PROTECTED: Self = Self(1 << 3);
    /// A factory reset keeps the entry as it is.
    pub const RETAINED: Self = Self(1 << 4);
    /// A factory reset brings back the value that was written together with this attribute. The entry can't be deleted.
    pub const FACTORY: Self = Self(1 << 5);
    /// The entry may be booted from or executed in place. Nothing here executes; boot code asks.
    pub const EXECUTABLE: Self = Self(1 << 6);
    /// Without a counter: an attacker may put the state before back, and that is accepted.
    pub const DANGER_REPLAYABLE: Self = Self(1 << 7);
    /// Others have rights to it. Set by sharing alone.
    pub(crate) const SHARED: Self = Self(1 << 8);
    /// A factory copy, no entry that anybody sees.
    pub(crate) const COPY: Self = Self(1 << 10);
    /// Name and value stand on flash in the clear, authenticated: for readers without the key.
    pub const NO_CONFIDENTIALITY: Self = Self(1 << 9);

    /// Those of which each is worth nothing if an older image can bring back the time before.
    const LASTING: Self = Self(Self::WRITE_ONCE.0 | Self::READ_ONLY.0 | Self::NON_DELETABLE.0);
    /// What a factory reset leaves alone.
    const KEPT: Self = Self(Self::WRITE_ONCE.0 | Self::NON_DELETABLE.0 | Self::PROTECTED.0 | Self::RETAINED.0);

    /// An entry whose value can't be changed.
    pub(crate) const FIXED: Self = Self(Self::WRITE_ONCE.0 | Self::READ_ONLY.0);
    /// An entry that can't be deleted.
    pub(crate) const LOCKED: Self = Self(Self::WRITE_ONCE.0 | Self::NON_DELETABLE.0 | Self::FACTORY.0);

    /// These and those.
    #[must_use]
    pub const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, less: Self) -> Self {
        Self(self.0 & !less.0)
    }

    /// Whether any of those is among these.
    #[must_use]
    pub const fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    /// As they stand in a record.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    pub(crate) const fn of_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether the set makes sense.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub const fn check(self) -> Result<(), AttributesError> {
        let replayable = self.any(Self::DANGER_REPLAYABLE);
        if self.any(Self::WRITE_ONCE) && self.any(Self::FACTORY) {
            Err(AttributesError::OnceAndFactory)
        } else if self.any(Self::RETAINED) && self.any(Self::FACTORY) {
            Err(AttributesError::RetainedAndFactory)
        } else if self.any(Self::WRITE_ONCE) && self.any(Self::READ_ONLY) {
            Err(AttributesError::OnceAndReadOnly)
        } else if self.any(Self::PROTECTED) && replayable {
            Err(AttributesError::ProtectedAndReplayable)
        } else if replayable && !self.any(Self::LASTING) {
            Err(AttributesError::NothingReplayable)
        } else {
            Ok(())
        }
    }

    /// What is asked for, and what that brings with it.
    pub(crate) const fn complete(self) -> Self {
        let replayable = self.any(Self::DANGER_REPLAYABLE);
        if self.any(Self::LASTING) && !replayable { self.and(Self::PROTECTED) } else { self }
    }

    /// What an entry with these has after a change that asks for others, which make sense.
    pub(crate) const fn replaced_by(self, wanted: Self) -> Self {
        let wanted = wanted.without(Self::SHARED.and(Self::COPY));
        wanted.complete().and(Self(self.0 & Self::SHARED.0))
    }

    /// Whether a factory reset leaves the entry as it is.
    pub(crate) const fn outlives_reset(self) -> bool {
        self.any(Self::KEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Attributes; 9] = [
        Attributes::WRITE_ONCE,
        Attributes::READ_ONLY,
        Attributes::NON_DELETABLE,
        Attributes::PROTECTED,
        Attributes::RETAINED,
        Attributes::FACTORY,
        Attributes::EXECUTABLE,
        Attributes::DANGER_REPLAYABLE,
        Attributes::NO_CONFIDENTIALITY,
    ];

    #[test]
    fn every_set_makes_sense_or_says_why_not() {
        let mut refused = 0;
        for choice in 0..1 << ALL.len() {
            let chosen = (0..ALL.len()).filter(|index| choice >> index & 1 == 1);
            let set = chosen.fold(Attributes::NONE, |set, index| set.and(ALL[index]));
            refused += usize::from(set.check().is_err());
            let complete = set.complete();
            assert_eq!(complete.complete(), complete);
            if set.check().is_ok() {
                assert_eq!(complete.check(), Ok(()), "what is brought along fits");
                let lasting = set.any(Attributes::LASTING) && !set.any(Attributes::DANGER_REPLAYABLE);
                assert!(!lasting || complete.any(Attributes::PROTECTED));
            }
        }
        assert_eq!((refused, ALL.len()), (332, 9));
    }
}
