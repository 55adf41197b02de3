//! Where the payloads of SUIT manifests (RFC 9019, draft-ietf-suit-manifest) are kept: one interface, and back-ends behind it.
//!
//! The names of the calls are those of RIOT OS's `suit_storage`, so that its documentation can be read along. A handler goes
//!
//! ```text
//! init, at boot
//! seq_no                       is the manifest newer?
//! has_location, set_active_location
//! start ─> write ... ─> finish
//! read, or read_ptr            is the digest right?
//! install, or erase
//! set_seq_no
//! ```
//!
//! | back-end | a payload is kept | and installed |
//! |---|---|---|
//! | [`RamStorage`] | in memory | when asked, in place |
//! | [`StoreStorage`] | sealed, as an [object](lockstone::Objects) | under the key of its path, in one step; what was there until then is replaced |
//! | [`SlotStorage`] | the same | into a [code slot](lockstone::Slot), by the boot loader: until then what runs there is untouched |
//!
//! Nothing is valid, bootable or visible before `install`, and the digest that the manifest gives is compared once more then.
//! `erase` leaves no trace. Sequence numbers lie in the store, protected from roll-back if it has a counter; they never
//! go back. All calls in every order have one result, the same on every back-end: `docs/suit.md` has the table.
//!
//! Not thread-safe, as the interface it follows: one handler, one location at a time in each back-end.
#![no_std]
#![forbid(unsafe_code)]

mod manifest;
mod order;
mod ram;
mod registry;
mod sequence;
mod slot;
mod staged;
mod store;

pub use manifest::{Component, Digest, Manifest, SHA_256};
pub use ram::{Ram, RamStorage};
pub use registry::Registry;
pub use slot::SlotStorage;
pub use staged::Shared;
pub use store::StoreStorage;

/// Why a call failed. Unless said otherwise nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SuitError {
    /// No back-end, or not this one, serves the location; or the manifest has no such component.
    Unavailable,
    /// The payload does not fit.
    Exceeded,
    /// This back-end has no such thing, or it does not know the digest's algorithm.
    NotSupported,
    /// The content has another digest than the manifest says, or the manifest's has an impossible length. It can be
    /// erased.
    DigestMismatch,
    /// The sequence number is lower than the one that is kept.
    SequenceNumber,
    /// Bytes are missing, or would be left out.
    Incomplete,
    /// A range behind the end.
    OutOfRange,
    /// The call does not come now.
    Order,
    /// The flash, the store or the random generator failed. What was begun may be there or not; `start` begins anew.
    Failed,
    /// What is kept is damaged or forged, or the store was rolled back.
    Damaged,
}

impl core::fmt::Display for SuitError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "the location is not served",
            Self::Exceeded => "the payload does not fit",
            Self::NotSupported => "not supported",
            Self::DigestMismatch => "the content has another digest",
            Self::SequenceNumber => "the sequence number is lower than the one that is kept",
            Self::Incomplete => "bytes are missing",
            Self::OutOfRange => "the range ends behind the payload",
            Self::Order => "the call does not come now",
            Self::Failed => "the flash or the store failed",
            Self::Damaged => "what is kept is damaged or forged",
        })
    }
}

impl core::error::Error for SuitError {}

/// A place for payloads.
pub trait SuitStorage {
    /// Its name among others, unlike any other.
    fn id(&self) -> &str;

    /// Once at boot.
    ///
    /// # Errors
    /// [`SuitError::Failed`], [`SuitError::Damaged`].
    fn init(&mut self) -> Result<(), SuitError>;

    /// Begins a payload of `length` bytes. One that was begun before, and not installed, is erased.
    ///
    /// # Errors
    /// [`SuitError::Exceeded`], [`SuitError::Order`] without an active location.
    fn start(&mut self, manifest: &Manifest<'_>, length: u32) -> Result<(), SuitError>;

    /// Takes bytes at an offset. Some back-ends insist on rising offsets without gaps.
    ///
    /// # Errors
    /// [`SuitError::OutOfRange`], [`SuitError::Incomplete`] for a gap.
    fn write(&mut self, manifest: &Manifest<'_>, bytes: &[u8], offset: u32) -> Result<(), SuitError>;

    /// All bytes were given.
    ///
    /// # Errors
    /// [`SuitError::Incomplete`]: they were not; more can be written.
    fn finish(&mut self, manifest: &Manifest<'_>) -> Result<(), SuitError>;

    /// Reads back what was finished: all of `target` is filled.
    ///
    /// # Errors
    /// [`SuitError::OutOfRange`], [`SuitError::Damaged`].
    fn read(&mut self, target: &mut [u8], offset: u32) -> Result<(), SuitError>;

    /// The same without a copy, where the payload lies in memory.
    ///
    /// # Errors
    /// [`SuitError::NotSupported`].
    fn read_ptr(&mut self) -> Result<&[u8], SuitError> {
        Err(SuitError::NotSupported)
    }

    /// Only now the payload becomes valid. A digest in the manifest is compared with the content.
    ///
    /// # Errors
    /// [`SuitError::DigestMismatch`]: what was installed before still is.
    fn install(&mut self, manifest: &Manifest<'_>) -> Result<(), SuitError>;

    /// Wipes a payload that was not installed.
    ///
    /// # Errors
    /// [`SuitError::Order`] when there is none.
    fn erase(&mut self) -> Result<(), SuitError>;

    /// Whether the location is one of this back-end.
    fn has_location(&self, name: &[u8]) -> bool;

    /// Selects the location for what follows. The one that is selected already is no error.
    ///
    /// # Errors
    /// [`SuitError::Unavailable`]; [`SuitError::Order`] while another one is being written.
    fn set_active_location(&mut self, name: &[u8]) -> Result<(), SuitError>;

    /// Whether the active location begins at this offset of its memory (condition component-offset).
    ///
    /// # Errors
    /// [`SuitError::NotSupported`].
    fn match_offset(&self, _offset: u32) -> Result<bool, SuitError> {
        Err(SuitError::NotSupported)
    }

    /// The sequence number of the last manifest; 0 before the first.
    ///
    /// # Errors
    /// [`SuitError::NotSupported`], [`SuitError::Damaged`].
    fn seq_no(&mut self) -> Result<u32, SuitError> {
        Err(SuitError::NotSupported)
    }

    /// Keeps the sequence number of a manifest, for good.
    ///
    /// # Errors
    /// [`SuitError::SequenceNumber`] when it's lower than the one that is kept, [`SuitError::NotSupported`].
    fn set_seq_no(&mut self, _seq_no: u32) -> Result<(), SuitError> {
        Err(SuitError::NotSupported)
    }

    /// What stands between the parts of a component identifier; `None`: nothing.
    fn separator(&self) -> Option<u8> {
        None
    }

    /// Whether there is [`read_ptr`](Self::read_ptr).
    fn has_readptr(&self) -> bool {
        false
    }

    /// Whether there is [`match_offset`](Self::match_offset).
    fn has_offset(&self) -> bool {
        false
    }
}
