//! Errors: small, `Copy`, each saying the state left behind and whether trying again helps.

use crate::attributes::AttributesError;
use crate::layout::LayoutError;

/// Why a call on a mounted store failed. Whatever the error, what was stored before the call is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum Error<E> {
    /// The flash driver failed. A write may or may not have happened; the store finds out at the next call by itself.
    Flash(E) = 1,
    /// No room: nothing was changed. Delete something and try again; deletes always succeed.
    Full,
    /// So many blocks went bad that the log can't go on: read-only from now on.
    WornOut,
    /// Content that was written is damaged or forged, and the answer depends on it. Nothing was changed. Other keys may
    /// still be readable; writes are refused so that nothing false becomes permanent. See
    /// [`Report`](crate::Report).
    Damaged,
    /// The name is empty or longer than 255 bytes. Nothing was changed.
    InvalidName,
    /// The value is longer than the store could ever hold. Nothing was changed.
    TooLarge,
    /// The store was mounted read-only. Nothing was changed.
    ReadOnly,
    /// Two names have the same 64-bit hash (about one chance in 2^44 for a thousand keys), or a bucket is deeper than
    /// a record can tell. The name can't be stored; nothing was changed.
    Collision,
    /// The entry's attributes forbid it. Nothing was changed.
    NotPermitted,
    /// This asks for protection from replay, and the store was mounted without a counter; or for a transaction that was
    /// not begun as a protected one. Nothing was changed.
    NoCounter,
    /// The counter has no step left for this. Nothing was changed; what needs no counter still works.
    CounterExhausted,
    /// The counter failed, or did not move by one. A write may or may not have happened; the store finds out at the next
    /// call by itself.
    Counter,
    /// The flash holds an older state than the counter says: it was rolled back under the mounted store. Nothing was
    /// changed, and nothing is served.
    RolledBack,
    /// These attributes make no sense together. Nothing was changed.
    Attributes(AttributesError),
    /// The buffer is shorter than the value; `needed` bytes would do. Nothing was written to the buffer.
    BufferTooSmall {
        /// Length of the value in bytes.
        needed: u32,
    },
    /// An earlier call of this transaction failed: nothing of the transaction is stored.
    Aborted,
}

/// Why a call inside the engine ends: what [`Error`] says, but for the one case with a number, which only `get` has. So
/// it's one byte, and comes back in one register, where the driver's error says nothing. In the order of [`Error`]: then one
/// is turned into the other without a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stop<E> {
    Flash(E) = 1,
    Full,
    WornOut,
    Damaged,
    InvalidName,
    TooLarge,
    ReadOnly,
    Collision,
    NotPermitted,
    NoCounter,
    CounterExhausted,
    Counter,
    RolledBack,
    /// The one of [`AttributesError`] that only the entry itself tells.
    WithoutValue,
}

impl<E> From<Stop<E>> for Error<E> {
    fn from(stop: Stop<E>) -> Self {
        match stop {
            Stop::Flash(error) => Self::Flash(error),
            Stop::Full => Self::Full,
            Stop::WornOut => Self::WornOut,
            Stop::Damaged => Self::Damaged,
            Stop::InvalidName => Self::InvalidName,
            Stop::TooLarge => Self::TooLarge,
            Stop::ReadOnly => Self::ReadOnly,
            Stop::Collision => Self::Collision,
            Stop::NotPermitted => Self::NotPermitted,
            Stop::WithoutValue => Self::Attributes(AttributesError::WithoutValue),
            Stop::NoCounter => Self::NoCounter,
            Stop::CounterExhausted => Self::CounterExhausted,
            Stop::Counter => Self::Counter,
            Stop::RolledBack => Self::RolledBack,
        }
    }
}

impl<E> From<AttributesError> for Error<E> {
    fn from(error: AttributesError) -> Self {
        Self::Attributes(error)
    }
}

/// Why a store could not be sealed anew into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResealError<E, T> {
    /// The store that is read.
    Source(Error<E>),
    /// The store that is written: it holds a part.
    Target(Error<T>),
}

impl<E: core::fmt::Debug, T: core::fmt::Debug> core::fmt::Display for ResealError<E, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Source(error) => write!(f, "what is sealed anew can't be read: {error}"),
            Self::Target(error) => write!(f, "what it's sealed into can't be written: {error}"),
        }
    }
}

impl<E: core::fmt::Debug, T: core::fmt::Debug> core::error::Error for ResealError<E, T> {}

/// Why a store could not be formatted or mounted. Nothing was changed on flash by a failed mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError<E> {
    /// The flash driver failed.
    Flash(E),
    /// This part can't hold a store.
    Layout(LayoutError),
    /// Every header place is blank: never formatted, or erased.
    Blank,
    /// There is content but no header of any store: foreign data, or headers destroyed.
    Unknown,
    /// There are headers of a store, but none fits the root key: the wrong key, or forged, or damaged.
    NotAuthentic,
    /// There are headers of a store of another format version, suite or geometry.
    Incompatible {
        /// Format version found.
        version: u8,
        /// Suite number found (0 plain, 1 ascon, 2 aes).
        suite: u8,
    },
    /// The store is no [small](crate::trust::Small) one, and was to be mounted as one.
    NotSmall,
    /// The store was formatted with another number of bucket heads.
    Heads {
        /// The number it was formatted with.
        formatted: u16,
    },
    /// The root key refused to derive.
    RootKey,
    /// The random generator failed while formatting.
    Random,
    /// So many blocks are bad that a log doesn't fit.
    WornOut,
    /// Formatting was cut: there is a header but nothing was ever stored. Format again.
    HalfFormatted,
    /// Damage in what the mount itself depends on.
    Damaged,
    /// The flash holds an older state than the counter says (or the counter is another one). Nothing is ever formatted or
    /// accepted because of it: see `Store::danger_mount_rolled_back`.
    RolledBack,
    /// The store is bound to a counter, and was mounted without one.
    NoCounter,
    /// The counter could not be read or moved, or has no step left for formatting.
    Counter,
}

impl<E> From<Stop<E>> for OpenError<E> {
    fn from(stop: Stop<E>) -> Self {
        match stop {
            Stop::Flash(error) => Self::Flash(error),
            Stop::WornOut | Stop::Full => Self::WornOut,
            Stop::Counter | Stop::CounterExhausted => Self::Counter,
            Stop::RolledBack => Self::RolledBack,
            Stop::NoCounter => Self::NoCounter,
            _ => Self::Damaged,
        }
    }
}

impl<E> From<LayoutError> for OpenError<E> {
    fn from(error: LayoutError) -> Self {
        Self::Layout(error)
    }
}

impl<E: core::fmt::Debug> core::fmt::Display for Error<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the flash driver failed: {error:?}"),
            Self::Full => f.write_str("the store is full; nothing was changed"),
            Self::WornOut => f.write_str("too many blocks went bad; the store is read-only now"),
            Self::Damaged => f.write_str("stored content is damaged or forged; nothing was changed"),
            Self::InvalidName => f.write_str("a name has 1 to 255 bytes"),
            Self::TooLarge => f.write_str("the value is longer than this store can hold"),
            Self::BufferTooSmall { needed } => write!(f, "the value has {needed} bytes, the buffer fewer"),
            Self::ReadOnly => f.write_str("the store was mounted read-only"),
            Self::Aborted => f.write_str("an earlier step of this transaction failed; nothing of it is stored"),
            Self::Collision => f.write_str("this name can't be stored: its hash is taken"),
            Self::NotPermitted => f.write_str("the entry's attributes forbid it; nothing was changed"),
            Self::Attributes(error) => f.write_str(error.reason()),
            Self::NoCounter => f.write_str("this needs a counter, and there is none; nothing was changed"),
            Self::CounterExhausted => f.write_str("the counter has no step left; nothing was changed"),
            Self::Counter => f.write_str("the counter failed"),
            Self::RolledBack => f.write_str("the flash was rolled back to an older state"),
        }
    }
}

impl<E: core::fmt::Debug> core::error::Error for Error<E> {}

impl<E: core::fmt::Debug> core::fmt::Display for OpenError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the flash driver failed: {error:?}"),
            Self::Layout(error) => f.write_str(error.reason()),
            Self::Blank => f.write_str("the flash is blank: it was never formatted, or it was erased"),
            Self::Unknown => f.write_str("the flash holds something, but no store"),
            Self::NotAuthentic => {
                f.write_str("there is a store, but nothing of it fits the key: wrong key, forged or damaged")
            }
            Self::Incompatible { version, suite } => {
                write!(f, "there is a store of format {version}, suite {suite}, or of another geometry")
            }
            Self::NotSmall => f.write_str("the store uses more than a small store has: mount it as a standard one"),
            Self::HalfFormatted => f.write_str("formatting was cut short; nothing was stored yet: format again"),
            Self::Heads { formatted } => write!(f, "the store was formatted with {formatted} bucket heads"),
            Self::RootKey => f.write_str("the root key refused"),
            Self::Random => f.write_str("the random generator failed"),
            Self::WornOut => f.write_str("too many blocks are bad"),
            Self::Damaged => f.write_str("the store is damaged where the mount depends on it"),
            Self::RolledBack => f.write_str("the flash holds an older state than the counter says: it was rolled back"),
            Self::NoCounter => f.write_str("the store is bound to a counter, and there is none"),
            Self::Counter => f.write_str("the counter could not be used"),
        }
    }
}

impl<E: core::fmt::Debug> core::error::Error for OpenError<E> {}
