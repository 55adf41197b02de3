//! Trusted state: what a store needs from the hardware and an attacker can't write.
//!
//! A root key from which keys are derived, a monotonic counter, a small trusted slot, and randomness for formatting.
//! All are small traits, so that a fuse bank, a TPM, a TEE or a page of on-chip flash fits.
//!
//! | the hardware has | the store takes |
//! |---|---|
//! | fuses, OTP words | [`OtpCounter`] over [`OtpBits`]; [`Redundant`] where a bit may not take |
//! | two erase blocks of on-chip flash | [`NorCounter`] |
//! | RPMB, TPM NV, a secure element | [`SlotCounter`] over [`TrustedSlot`], or [`MonotonicCounter`] itself |
//!
//! The counter tells the newest image of the flash from older ones: docs/spec/format.md, "Counter", has the protocol. A
//! protected commit takes one step, and each power session that makes any takes one more. So 32 fuses last for a few
//! firmware updates, 2^16 steps for a few protected writes a day in ten years, and a counter in flash for more than the
//! store's own flash does.

pub(crate) mod epoch;
mod nor;
mod otp;
mod slot;

pub use nor::{NorCounter, NorCounterError};
pub use otp::{OtpBits, OtpCounter, OtpCounterError, Redundant};
pub use slot::{SlotCounter, SlotCounterError};

/// The root key could not be used (locked, absent, hardware fault). Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootKeyError;

impl core::fmt::Display for RootKeyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the root key could not be used")
    }
}

impl core::error::Error for RootKeyError {}

/// A device-unique secret that never has to leave its hardware: it only derives other keys.
pub trait RootKey {
    /// Derives 32 bytes for a label. Equal labels give equal keys; keys of different labels say nothing of each other.
    ///
    /// # Errors
    /// [`RootKeyError`] when the hardware refuses; `key` is then unspecified.
    fn derive(&self, label: &[u8], key: &mut [u8; 32]) -> Result<(), RootKeyError>;
}

impl<K: RootKey + ?Sized> RootKey for &K {
    fn derive(&self, label: &[u8], key: &mut [u8; 32]) -> Result<(), RootKeyError> {
        (**self).derive(label, key)
    }
}

/// No key at all: for the suite `plain`, which keeps nothing secret.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKey;

impl RootKey for NoKey {
    fn derive(&self, _label: &[u8], _key: &mut [u8; 32]) -> Result<(), RootKeyError> {
        Err(RootKeyError)
    }
}

/// A counter that only goes up, in hardware that the attacker can't write.
pub trait MonotonicCounter {
    /// What the hardware says when it fails.
    type Error;

    /// There is a counter: true of all but [`NoCounter`].
    const PRESENT: bool = true;
    /// The store does without what needs more code: true of [`Small`] only.
    #[doc(hidden)]
    const SMALL: bool = false;
    /// Nothing is ever written: true of [`Reader`] only.
    #[doc(hidden)]
    const READER: bool = false;
    /// There is a counter, as far as only the running program knows: a type that stands for hardware which may lack one says
    /// no here. A format then makes a store without, and one that is bound to a counter is refused with `NoCounter`.
    #[doc(hidden)]
    fn is_present(&self) -> bool {
        Self::PRESENT
    }

    /// The present value.
    ///
    /// # Errors
    /// The hardware's own; the value is unchanged.
    fn read(&mut self) -> Result<u64, Self::Error>;

    /// Adds one and returns the new value. When it fails the value is the old or the new one: read it again.
    ///
    /// Hardware may have no better to offer than this: a step that was cut may count only in a later power session, after
    /// the old value has been read; and where a value can't be stored it is passed over, so that more than one is added.
    ///
    /// # Errors
    /// The hardware's own, or exhaustion.
    fn increment(&mut self) -> Result<u64, Self::Error>;

    /// The largest value it can reach: 32 or 64 for fuses, 2^16 for flash-backed ones, 2^32 for RPMB.
    fn limit(&self) -> u64;
}

/// What a store with roll-back protection stands on.
#[derive(Clone, Copy, Debug)]
pub struct Anchor<'k, K, C> {
    /// Derives the keys.
    pub root: &'k K,
    /// Counts the protected commits of this store, and of nothing else.
    pub counter: C,
}

/// Which commits of a store are bound to its counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Those that ask for it, and the changes of entries that are [protected](crate::Attributes::PROTECTED).
    #[default]
    Chosen,
    /// Every put, delete and transaction.
    EveryCommit,
}

/// No counter: nothing can be protected from an older image, and asking for it is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoCounter;

impl MonotonicCounter for NoCounter {
    type Error = core::convert::Infallible;

    const PRESENT: bool = false;

    fn read(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn increment(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn limit(&self) -> u64 {
        0
    }
}

/// No counter, and the least code: a *small store*.
///
/// It mounts, gets, puts, deletes and iterates entries that fit into one record each (name and value together at most
/// [`Layout::body_max`](crate::Layout::body_max) bytes; a longer value is [`Error::TooLarge`](crate::Error::TooLarge)),
/// with every promise about power cuts, damage and forgery. It has no transactions, no attributes and no counter, and takes
/// no block that fails out of use: such a block ends in an error, with nothing lost. It compacts when it must, not a little
/// with each write, and its mount reads the whole log.
///
/// A program that asks for more does not compile:
///
/// ```
/// use lockstone::{Plain, Small, Store};
/// use lockstone_sim::SimFlash;
///
/// fn count(store: &mut Store<'_, &mut SimFlash<1, 4, 4096>, Plain, Small>) {
///     let _ = store.put("boots", &[1]);
/// }
/// # let _: fn(&mut _) = count;
/// ```
/// ```compile_fail
/// use lockstone::{Plain, Small, Store};
/// use lockstone_sim::SimFlash;
///
/// fn count(store: &mut Store<'_, &mut SimFlash<1, 4, 4096>, Plain, Small>) {
///     let _ = store.transaction(100).map(|transaction| transaction.commit());
/// }
/// # let _: fn(&mut _) = count;
/// ```
/// ```compile_fail
/// use lockstone::{Attributes, Plain, Put, Small, Store};
/// use lockstone_sim::SimFlash;
///
/// fn count(store: &mut Store<'_, &mut SimFlash<1, 4, 4096>, Plain, Small>) {
///     let _ = store.put_with("boots", &[1], Put::with(Attributes::RETAINED));
/// }
/// # let _: fn(&mut _) = count;
/// ```
///
/// Its headers say that it is small, so it opens no store that isn't
/// ([`OpenError::NotSmall`](crate::OpenError::NotSmall)). Any store opens a small one, and with its first write makes it
/// one that isn't.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Small;

impl MonotonicCounter for Small {
    type Error = core::convert::Infallible;

    const PRESENT: bool = false;
    const SMALL: bool = true;

    fn read(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn increment(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn limit(&self) -> u64 {
        0
    }
}

impl<C: MonotonicCounter> MonotonicCounter for &mut C {
    type Error = C::Error;

    const PRESENT: bool = C::PRESENT;
    const SMALL: bool = C::SMALL;
    const READER: bool = C::READER;

    fn is_present(&self) -> bool {
        (**self).is_present()
    }

    fn read(&mut self) -> Result<u64, C::Error> {
        (**self).read()
    }

    fn increment(&mut self) -> Result<u64, C::Error> {
        (**self).increment()
    }

    fn limit(&self) -> u64 {
        (**self).limit()
    }
}

/// Around a counter: the store is only read, with the code alone that this needs. For boot loaders.
///
/// Such a store is as one that was [made read-only](crate::Store::make_read_only): it serves the record that the last power cut
/// may have left marginal as it reads, every change is refused with [`Error::ReadOnly`](crate::Error::ReadOnly), and what
/// would make the change is not compiled. It takes no step of the counter either, so a protected commit that was cut before it
/// was counted is served, or not, by whoever may write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reader<C>(pub C);

impl<C: MonotonicCounter> MonotonicCounter for Reader<C> {
    type Error = C::Error;

    const PRESENT: bool = C::PRESENT;
    const SMALL: bool = C::SMALL;
    const READER: bool = true;

    fn is_present(&self) -> bool {
        self.0.is_present()
    }

    fn read(&mut self) -> Result<u64, C::Error> {
        self.0.read()
    }

    /// The present value.
    fn increment(&mut self) -> Result<u64, C::Error> {
        self.0.read()
    }

    fn limit(&self) -> u64 {
        self.0.limit()
    }
}

/// 32 bytes that are replaced atomically, in hardware that the attacker can't write (RPMB, TPM NV, an internal page).
pub trait TrustedSlot {
    /// What the hardware says when it fails.
    type Error;

    /// Reads the slot.
    ///
    /// # Errors
    /// The hardware's own.
    fn read(&mut self) -> Result<[u8; 32], Self::Error>;

    /// Replaces the slot. When it fails the old or the new content is there, whole.
    ///
    /// # Errors
    /// The hardware's own.
    fn write(&mut self, content: &[u8; 32]) -> Result<(), Self::Error>;
}

impl<S: TrustedSlot + ?Sized> TrustedSlot for &mut S {
    type Error = S::Error;

    fn read(&mut self) -> Result<[u8; 32], S::Error> {
        (**self).read()
    }

    fn write(&mut self, content: &[u8; 32]) -> Result<(), S::Error> {
        (**self).write(content)
    }
}
