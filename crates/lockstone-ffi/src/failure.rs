//! Failure: one list of everything that can go wrong, and one table of what each face says then.
//!
//! The engine's errors become a [`Failure`] here and nowhere else, and a `Failure` becomes the status of a face here and
//! nowhere else. Tested below: every row, and that no two native codes are one.
#![forbid(unsafe_code)]

use lockstone::{Error, OpenError};

/// Why a call failed. Its number, negated, is the native status code and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Failure {
    /// There is no such key. Nothing was changed.
    NotFound = 1,
    /// A pointer, length or flag makes no sense. Nothing was changed.
    Argument = 2,
    /// The library was entered again from a hook. Nothing was changed.
    Busy = 3,
    /// No store is open.
    NotOpen = 4,
    /// A mistake in the library itself: everything is refused until the store is opened again.
    Internal = 5,
    /// The buffer is shorter than the value.
    BufferTooSmall = 6,
    /// The flash driver failed.
    Flash = 7,
    /// No room.
    Full = 8,
    /// Too many blocks are bad.
    WornOut = 9,
    /// Damaged or forged.
    Damaged = 10,
    /// Older than the counter says.
    RolledBack = 11,
    /// Longer than the store could ever hold.
    TooLarge = 12,
    /// Attributes forbid it, or it is another client's.
    NotPermitted = 13,
    /// This needs a counter and there is none.
    NoCounter = 14,
    /// No step is left.
    CounterExhausted = 15,
    /// The counter failed.
    Counter = 16,
    /// Nothing was ever stored there.
    Blank = 17,
    /// There is content, but no store.
    Unknown = 18,
    /// No store that fits the key.
    NotAuthentic = 19,
    /// A store of another version, suite, geometry or number of heads.
    Incompatible = 20,
    /// The part, or the memory handed in, can't hold a store.
    Layout = 21,
    /// The root key refused.
    RootKey = 22,
    /// No randomness.
    Random = 23,
    /// The name can't be stored: its hash is taken.
    Collision = 24,
    /// The device directory can't be made, read or locked.
    Device = 25,
    /// Too little of the memory that was handed in is left.
    OutOfMemory = 26,
    /// Parts of the object are missing.
    Incomplete = 27,
    /// The content has another digest.
    WrongDigest = 28,
    /// The key holds a plain value, no object.
    NotAnObject = 29,
    /// A range behind the end.
    OutOfRange = 30,
    /// There is one already. No native call says so.
    Exists = 31,
}

/// What a call of a face gives.
pub(crate) type Result<T> = core::result::Result<T, Failure>;

impl<E> From<Error<E>> for Failure {
    fn from(error: Error<E>) -> Self {
        match error {
            Error::Flash(_) | Error::Aborted => Self::Flash,
            Error::Full => Self::Full,
            Error::WornOut | Error::ReadOnly => Self::WornOut,
            Error::Damaged => Self::Damaged,
            Error::TooLarge => Self::TooLarge,
            Error::Collision => Self::Collision,
            Error::NotPermitted => Self::NotPermitted,
            Error::NoCounter => Self::NoCounter,
            Error::CounterExhausted => Self::CounterExhausted,
            Error::Counter => Self::Counter,
            Error::RolledBack => Self::RolledBack,
            Error::BufferTooSmall { .. } => Self::BufferTooSmall,
            Error::InvalidName | Error::Attributes(_) => Self::Argument,
            _ => Self::Internal,
        }
    }
}

impl<E> From<OpenError<E>> for Failure {
    fn from(error: OpenError<E>) -> Self {
        match error {
            OpenError::Flash(_) => Self::Flash,
            OpenError::Layout(_) => Self::Layout,
            OpenError::Blank | OpenError::HalfFormatted => Self::Blank,
            OpenError::Unknown => Self::Unknown,
            OpenError::NotAuthentic => Self::NotAuthentic,
            OpenError::Incompatible { .. } | OpenError::NotSmall | OpenError::Heads { .. } => Self::Incompatible,
            OpenError::RootKey => Self::RootKey,
            OpenError::Random => Self::Random,
            OpenError::WornOut => Self::WornOut,
            OpenError::Damaged => Self::Damaged,
            OpenError::RolledBack => Self::RolledBack,
            OpenError::NoCounter => Self::NoCounter,
            OpenError::Counter => Self::Counter,
            _ => Self::Internal,
        }
    }
}

#[cfg(feature = "objects")]
impl<E, D> From<lockstone::ObjectError<E, D>> for Failure {
    fn from(error: lockstone::ObjectError<E, D>) -> Self {
        use lockstone::ObjectError;
        match error {
            ObjectError::Flash(_) => Self::Flash,
            ObjectError::Store(error) => error.into(),
            ObjectError::Full => Self::Full,
            ObjectError::TooLarge => Self::TooLarge,
            ObjectError::OutOfRange => Self::OutOfRange,
            ObjectError::Incomplete => Self::Incomplete,
            ObjectError::WrongDigest => Self::WrongDigest,
            ObjectError::Damaged => Self::Damaged,
            ObjectError::NotAnObject => Self::NotAnObject,
            ObjectError::Factory => Self::Argument,
            ObjectError::WornOut => Self::WornOut,
            ObjectError::GivenUp => Self::NotFound,
            ObjectError::Random => Self::Random,
            _ => Self::Internal,
        }
    }
}

#[cfg(feature = "objects")]
impl<E, D, X> From<lockstone::InstallError<E, D, X>> for Failure {
    fn from(error: lockstone::InstallError<E, D, X>) -> Self {
        use lockstone::InstallError;
        match error {
            InstallError::Object(error) => error.into(),
            InstallError::Slot(_) => Self::Flash,
            InstallError::NoObject | InstallError::NothingRequested => Self::NotFound,
            InstallError::TooLarge => Self::TooLarge,
            InstallError::Busy => Self::Busy,
            InstallError::WrongDigest => Self::WrongDigest,
            _ => Self::Internal,
        }
    }
}

/// What the other faces say of a failure, as steps below [`PSA`] and [`CFSTORE`].
struct Row(u8, u8);

const PSA: i32 = -132;
const CFSTORE: i32 = -1000;

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held against the codes by the compiler")]
const fn row(failure: Failure, psa: i32, cfstore: i32) -> (Failure, Row) {
    let row = Row((PSA - psa) as u8, (CFSTORE - cfstore) as u8);
    assert!(PSA - row.0 as i32 == psa && CFSTORE - row.1 as i32 == cfstore, "not a step");
    (failure, row)
}

/// The one table. PSA: the most telling code; `psa::Call` replaces what a function may not answer. CFSTORE: see
/// `configuration_store.h`.
const ROWS: [(Failure, Row); 31] = [
    row(Failure::NotFound, -140, -1002),
    row(Failure::Argument, -135, -1027),
    row(Failure::Busy, -146, -1024),
    row(Failure::NotOpen, -146, -1031),
    row(Failure::Internal, -132, -1007),
    row(Failure::BufferTooSmall, -132, -1007),
    row(Failure::Flash, -146, -1030),
    row(Failure::Full, -142, -1028),
    row(Failure::WornOut, -146, -1030),
    row(Failure::Damaged, -152, -1023),
    row(Failure::RolledBack, -149, -1023),
    row(Failure::TooLarge, -142, -1009),
    row(Failure::NotPermitted, -133, -1021),
    row(Failure::NoCounter, -134, -1015),
    row(Failure::CounterExhausted, -146, -1030),
    row(Failure::Counter, -146, -1030),
    row(Failure::Blank, -146, -1031),
    row(Failure::Unknown, -146, -1023),
    row(Failure::NotAuthentic, -149, -1023),
    row(Failure::Incompatible, -146, -1023),
    row(Failure::Layout, -146, -1007),
    row(Failure::RootKey, -146, -1030),
    row(Failure::Random, -146, -1030),
    row(Failure::Collision, -132, -1008),
    row(Failure::Device, -146, -1030),
    row(Failure::OutOfMemory, -142, -1004),
    row(Failure::Incomplete, -132, -1007),
    row(Failure::WrongDigest, -149, -1023),
    row(Failure::NotAnObject, -133, -1021),
    row(Failure::OutOfRange, -135, -1027),
    row(Failure::Exists, -139, -1001),
];

/// Without the failures: each stands at its number.
static TABLE: [Row; ROWS.len()] = {
    let mut table = [const { Row(0, 0) }; ROWS.len()];
    let mut index = 0;
    while index < ROWS.len() {
        assert!(ROWS[index].0 as usize == index + 1, "a row stands at the number of its failure");
        table[index] = Row(ROWS[index].1.0, ROWS[index].1.1);
        index += 1;
    }
    table
};

impl Failure {
    /// The native status code.
    pub(crate) const fn code(self) -> i32 {
        -(self as i32)
    }

    fn row(self) -> &'static Row {
        TABLE.get(self as usize - 1).unwrap_or(&TABLE[4])
    }

    /// The most telling PSA status.
    #[cfg(feature = "psa")]
    pub(crate) fn psa(self) -> i32 {
        PSA - i32::from(self.row().0)
    }

    /// The same if it's one of these, as [`psa_set`](Self::psa_set) has them.
    #[cfg(feature = "psa")]
    pub(crate) fn psa_within(self, listed: u32) -> Option<i32> {
        let step = u32::from(self.row().0);
        (listed >> step & 1 != 0).then(|| PSA - step.cast_signed())
    }

    /// A set of PSA statuses: a bit for each.
    #[cfg(feature = "psa")]
    pub(crate) const fn psa_set(failures: &[Self]) -> u32 {
        let (mut set, mut rest) = (0, failures);
        while let [first, others @ ..] = rest {
            set |= 1 << ROWS[*first as usize - 1].1.0;
            rest = others;
        }
        set
    }

    /// The CFSTORE status.
    #[cfg(feature = "cfstore")]
    pub(crate) fn cfstore(self) -> i32 {
        CFSTORE - i32::from(self.row().1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_its_row_and_all_codes_are_errors() {
        for (index, (failure, row)) in ROWS.iter().enumerate() {
            assert_eq!(failure.code(), -i32::try_from(index + 1).unwrap(), "{failure:?} stands at its number");
            assert_eq!((failure.row().0, failure.row().1), (row.0, row.1));
            assert!(
                (-152..=-132).contains(&failure.psa()) && (-1035..=-1000).contains(&failure.cfstore()),
                "{failure:?}"
            );
        }
    }
}
