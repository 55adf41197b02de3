//! Sealing: how bytes become private and authentic before they reach flash.
//!
//! A [`Suite`] seals one message at one place. Sealing is deterministic (SIV, Rogaway and Shrimpton 2006): the tag is
//! a PRF of place, associated data and plaintext, and it is also what the encryption starts from. There is no nonce
//! that could repeat: a torn write, a rolled back flash or a broken random generator costs at worst the knowledge that
//! the same bytes stood at the same place.
//!
//! Invariants: nothing unsealed leaves this module unless its tag was compared, in constant time, and was right; a
//! buffer that failed is wiped. Tested with known answers, with every bit of a message flipped, and by the store's own
//! suite.

#[cfg(feature = "aes")]
mod aes;
#[cfg(feature = "ascon")]
mod ascon;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod audit;
#[cfg(feature = "async")]
#[doc(hidden)]
pub mod paced;
#[cfg(feature = "plain")]
mod plain;
pub(crate) mod whole;

#[cfg(feature = "aes")]
pub use self::aes::{Aes, AesSiv, Block16};
#[cfg(feature = "ascon")]
pub use ascon::{Ascon, SoftRootKey};
#[cfg(feature = "plain")]
pub use plain::Plain;

use zeroize::Zeroize;

use crate::layout::Position;
use crate::trust::{RootKey, RootKeyError};

/// Identity of a store, drawn at random when it is formatted. Part of every key.
pub type StoreId = [u8; 8];

/// A tag. A suite uses the first [`Suite::TAG`] bytes; the rest is zero.
pub type Tag = [u8; 16];

/// What a message is, so that a message of one kind never passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// A record of the log.
    Record,
    /// The header of a segment.
    Header,
    /// A record of the log whose text stays in the clear: it's authenticated only.
    ClearRecord,
    /// A chunk of an object.
    Chunk,
    /// The header of a block of an object.
    Block,
    /// A table of where the chunks of an object are.
    Table,
}

/// What is sealed or unsealed, in place.
pub(crate) struct Message<'a> {
    pub(crate) domain: Domain,
    pub(crate) at: Position,
    pub(crate) associated: &'a [u8],
    pub(crate) text: &'a mut [u8],
}

/// A way to seal. Sealed: suites are part of the format.
pub trait Suite: Sized + private::Sealed {
    /// Number of the suite in segment headers.
    const ID: u8;
    /// Name of the suite for people.
    const NAME: &'static str;
    /// Bytes of a tag on flash, at most 16.
    const TAG: usize;
    /// Bytes of the link that ties a record to the one before it (0 or 4).
    const LINK: usize;
    /// Sealed text looks random, so that no part of it looks like blank flash.
    const OPAQUE: bool;
    /// Bytes of a pointer's check on flash (at most 4).
    const CHECK: usize;

    /// Derives the keys of a store.
    ///
    /// # Errors
    /// [`RootKeyError`] when the root key refuses; the keys are then no store's.
    fn unlock<K: RootKey>(keys: &mut Keys, root: &K, id: &StoreId) -> Result<(), RootKeyError>;

    /// Seals `text` in place and returns its tag.
    fn seal(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &mut [u8]) -> Tag;

    /// Unseals `text` in place. On `false` the text was wiped.
    #[must_use]
    fn unseal(keys: &Keys, domain: Domain, at: Position, associated: &[u8], text: &mut [u8], tag: &[u8]) -> bool;

    /// Keyed hash of a name, the key of the index. `space` keeps kinds of names and clients apart.
    fn hash(keys: &Keys, space: u64, name: &[u8]) -> u64;

    /// Keyed digest of a sequence of words: pins the bucket heads.
    fn digest(keys: &Keys, words: impl Iterator<Item = u64>) -> u64;

    /// Does a bit of the work; false: it's done. A suite that does not say how does it all at once.
    #[cfg(feature = "async")]
    #[doc(hidden)]
    fn step(work: &mut paced::Work<'_>) -> bool {
        work.at_once::<Self>()
    }

    /// Whether a digest can be taken word by word, as follows.
    #[cfg(feature = "async")]
    #[doc(hidden)]
    const DIGEST_IN_STEPS: bool = false;

    /// Begins a digest.
    #[cfg(feature = "async")]
    #[doc(hidden)]
    fn digest_begin(_sponge: &mut Sponge, _keys: &Keys) {}

    /// Takes in a word of it.
    #[cfg(feature = "async")]
    #[doc(hidden)]
    fn digest_word(_sponge: &mut Sponge, _word: u64) {}

    /// Ends it.
    #[cfg(feature = "async")]
    #[doc(hidden)]
    fn digest_end(_sponge: &mut Sponge) -> u64 {
        0
    }
}

/// The keys of one store, as its suite keeps them. They lie in the RAM that the caller hands in, so that a store is cheap to
/// move; who unlocks them locks them again.
pub struct Keys([u64; 8]);

impl Keys {
    /// Of no store: nothing is sealed with them.
    #[must_use]
    pub const fn none() -> Self {
        Self([0; 8])
    }

    #[inline(never)]
    pub(crate) fn wipe(&mut self) {
        self.0.zeroize();
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::none()
    }
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keys")
    }
}

/// The state of a sponge between two steps. Wiped when it has served, and when dropped.
#[cfg(any(feature = "ascon", feature = "async"))]
#[doc(hidden)]
pub struct Sponge {
    state: [u64; 5],
    /// Bytes absorbed into the present block.
    #[cfg_attr(
        not(any(feature = "ascon", feature = "plain")),
        expect(dead_code, reason = "a suite that is not built has it")
    )]
    filled: u32,
}

#[cfg(any(feature = "ascon", feature = "async"))]
impl Sponge {
    /// Before it begins.
    const IDLE: Self = Self { state: [0; 5], filled: 0 };
}

#[cfg(any(feature = "ascon", feature = "async"))]
impl Drop for Sponge {
    fn drop(&mut self) {
        self.state.zeroize();
    }
}

mod private {
    pub trait Sealed {}
    #[cfg(feature = "aes")]
    impl<C> Sealed for super::AesSiv<C> {}
    #[cfg(feature = "ascon")]
    impl Sealed for super::Ascon {}
    #[cfg(feature = "plain")]
    impl Sealed for super::Plain {}
    #[cfg(feature = "fuzzing")]
    impl<S> Sealed for super::audit::Audited<S> {}
}
