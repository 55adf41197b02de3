//! Typed values: a settings struct under a key, with a version that firmware updates can rely on.
//!
//! ```text
//! value = version (1 byte) | the struct in postcard's format (https://postcard.jamesmunns.com, wire format 1)
//! ```
//!
//! ```
//! use lockstone::typed::Typed;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Deserialize, Serialize)]
//! struct Settings<'a> {
//!     name: &'a str,
//!     interval_s: u32,
//!     night_mode: bool,
//! }
//!
//! /// What the first release wrote.
//! #[derive(Deserialize)]
//! struct SettingsV1<'a> {
//!     name: &'a str,
//!     interval_min: u16,
//! }
//!
//! impl<'a> Typed<'a> for Settings<'a> {
//!     const VERSION: u8 = 2;
//!
//!     fn upgrade(version: u8, bytes: &'a [u8]) -> Option<Self> {
//!         let old: SettingsV1<'a> = if version == 1 { postcard::from_bytes(bytes).ok()? } else { return None };
//!         Some(Self { name: old.name, interval_s: u32::from(old.interval_min) * 60, night_mode: false })
//!     }
//! }
//! # use lockstone::{Memory, Part, Plain, Store, buffer_size, trust::NoKey};
//! # struct Dice;
//! # impl rand_core::TryRng for Dice {
//! #     type Error = core::convert::Infallible;
//! #     fn try_next_u32(&mut self) -> Result<u32, Self::Error> { Ok(4) }
//! #     fn try_next_u64(&mut self) -> Result<u64, Self::Error> { Ok(4) }
//! #     fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Self::Error> { Ok(to.fill(4)) }
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut flash = lockstone_sim::SimFlash::<1, 4, 4096>::new(64 * 4096, 0xff);
//! # let mut memory = Memory::<64, { buffer_size(1, 4, 4096) + 64 }>::new();
//! # let mut store = Store::<_, Plain>::format(&mut flash, Part::NOR, &NoKey, &mut Dice, &mut memory)?;
//! let mut scratch = [0; 128];
//! let settings = Settings { name: "kitchen", interval_s: 90, night_mode: true };
//! store.put_typed("settings", &settings, &mut scratch)?;
//! assert_eq!(store.get_typed("settings", &mut scratch)?, Some(settings));
//! # store.put("settings", &[1, 3, b'o', b'l', b'd', 5])?;
//! # let old: Settings<'_> = store.get_typed("settings", &mut scratch)?.unwrap();
//! # assert_eq!(old, Settings { name: "old", interval_s: 300, night_mode: false });
//! # Ok(()) }
//! ```
//!
//! A struct that was read may borrow from the scratch buffer; wiping that is the caller's, once the struct is gone.
//! [`put_typed`](crate::Store::put_typed) wipes the scratch buffer; [`get_typed`](crate::Store::get_typed) leaves what was read in it.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A struct that can be stored. Change [`VERSION`](Self::VERSION) whenever its fields change.
pub trait Typed<'a>: Serialize + Deserialize<'a> {
    /// Version of the fields as they are now.
    const VERSION: u8;

    /// Reads what a release with another version wrote: `bytes` is its postcard. `None`: can't be understood, and the
    /// caller gets [`TypedError::Version`]; nothing is changed on flash.
    fn upgrade(version: u8, bytes: &'a [u8]) -> Option<Self> {
        let _ = (version, bytes);
        None
    }
}

/// Why a typed value could not be stored or read. Whatever the error, what was stored is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypedError<E> {
    /// The store said no.
    Store(Error<E>),
    /// The scratch buffer is too small for the value, or serde refused it. Nothing was stored.
    Encode,
    /// The value has the right version, but its bytes are no such struct: something else was stored under this key.
    Decode,
    /// The value has a version that [`Typed::upgrade`] does not understand.
    Version {
        /// The version found.
        found: u8,
    },
}

impl<E> From<Error<E>> for TypedError<E> {
    fn from(error: Error<E>) -> Self {
        Self::Store(error)
    }
}

impl<E: core::fmt::Debug> core::fmt::Display for TypedError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Encode => f.write_str("the value does not fit the scratch buffer, or can't be serialized"),
            Self::Decode => f.write_str("what is stored under this key is another type"),
            Self::Version { found } => write!(f, "what is stored under this key has the unknown version {found}"),
        }
    }
}

impl<E: core::fmt::Debug> core::error::Error for TypedError<E> {}

/// Writes version and value to the start of `scratch`; returns the length.
pub(crate) fn encode<'a, T: Typed<'a>>(value: &T, scratch: &mut [u8]) -> Option<usize> {
    let (version, rest) = scratch.split_first_mut()?;
    *version = T::VERSION;
    postcard::to_slice(value, rest).ok().map(|used| used.len() + 1)
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode<'a, T: Typed<'a>, E>(bytes: &'a [u8]) -> Result<T, TypedError<E>> {
    let (version, rest) = bytes.split_first().ok_or(TypedError::Decode)?;
    if *version != T::VERSION {
        return T::upgrade(*version, rest).ok_or(TypedError::Version { found: *version });
    }
    match postcard::take_from_bytes(rest) {
        Ok((value, [])) => Ok(value),
        _ => Err(TypedError::Decode),
    }
}
