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

/// How the engine changes an entry: what [`Put`] says, and what only the store itself asks for. One word of flags, so that
/// it's passed in a register, and what no caller asks for is not compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct How(u32);

impl How {
    /// A value is put; the entry's attributes stay.
    pub(crate) const USUAL: Self = Self(0);
    /// The entry is deleted.
    pub(crate) const DELETE: Self = Self(1 << 0);
    /// Nothing is written: what the change would take is added to [`measured`](crate::state::Log::measured).
    pub(crate) const MEASURE: Self = Self(1 << 1);
    /// This change is bound to the counter, whatever the attributes say.
    pub(crate) const PROTECT: Self = Self(1 << 2);
    /// Nor is it, whatever they say.
    pub(crate) const UNCOUNTED: Self = Self(1 << 3);
    /// The attributes are not asked whether the change is allowed, and those given are taken as they are.
    pub(crate) const EXACT: Self = Self(1 << 4);
    /// Whether it fits was asked before, or must not matter.
    pub(crate) const ADMITTED: Self = Self(1 << 5);
    /// The value stays: the record is written again.
    pub(crate) const KEEP: Self = Self(1 << 6);
    /// The value is that of the factory copy.
    pub(crate) const RESTORE: Self = Self(1 << 7);
    /// The attributes in the bits above are asked for.
    const GIVEN: Self = Self(1 << 8);
    /// How many bits stand below the attributes.
    const FLAGS: u32 = 9;

    /// As a caller asks for it, if that makes sense.
    pub(crate) fn asked(put: Put) -> Result<Self, AttributesError> {
        let protect = if put.protect { Self::PROTECT } else { Self::USUAL };
        let Some(attributes) = put.attributes else { return Ok(protect) };
        attributes.check()?;
        Ok(protect.and(Self::with(attributes.without(Attributes::OBJECT))))
    }

    /// With these attributes.
    pub(crate) const fn with(attributes: Attributes) -> Self {
        Self(attributes.0 << Self::FLAGS).and(Self::GIVEN)
    }

    /// With exactly these, and the value that it has.
    pub(crate) const fn keep(attributes: Attributes) -> Self {
        Self::with(attributes).and(Self::EXACT).and(Self::ADMITTED).and(Self::KEEP)
    }

    /// For the factory copy of an entry, which is to have these attributes, when the entry is changed in this way: whether
    /// that is allowed, and counted, is for the entry to say. A copy has no value to keep: it goes.
    pub(crate) const fn of_copy(self, attributes: Attributes) -> Self {
        let gone = if self.any(Self::KEEP) { Self::DELETE } else { Self::USUAL };
        let same = Self(self.0 & Self::MEASURE.0);
        Self::with(attributes).and(Self::EXACT).and(Self::UNCOUNTED).and(same).and(gone)
    }

    /// In this way and in that.
    pub(crate) const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Whether any of those is asked for.
    pub(crate) const fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    /// The attributes that are asked for.
    pub(crate) const fn given(self) -> Attributes {
        Attributes(self.0 >> Self::FLAGS)
    }

    /// The attributes that an entry with `had` has afterwards.
    pub(crate) const fn attributes(self, had: Attributes) -> Attributes {
        if !self.any(Self::GIVEN) {
            // A value that is put is no manifest.
            had.without(Attributes::OBJECT)
        } else if self.any(Self::EXACT) {
            self.given()
        } else {
            had.replaced_by(self.given())
        }
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

impl core::fmt::Display for AttributesError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for AttributesError {}

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
    /// The value is the manifest of an object. Set by `Objects` alone.
    pub(crate) const OBJECT: Self = Self(1 << 11);
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

    /// Whether the entry is an object: its content is read with [`Objects`](crate::Objects), and its value says where that is.
    #[must_use]
    pub const fn is_object(self) -> bool {
        self.any(Self::OBJECT)
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
