//! Reset: factory copies, and the way back to them.
//!
//! ```text
//! put with FACTORY     one run: the copy (an entry in a hash space of its own, counted with the store's own), the entry
//! factory_reset        1 would everything fit?   2 entry `resetting`, a counted commit: from here on it is done
//!                      3 each entry: kept or deleted, a run each   4 each copy: its value brought back, a run each
//!                      5 `resetting` deleted
//! ```
//!
//! Steps 3 and 4 may be cut anywhere, and compaction may work between their runs. An entry that has a copy is deleted first,
//! like those that have none: so there never is more than what is there at the end, which was asked for at the beginning. A
//! mount that finds `resetting` serves nothing until the rest was done: whoever looks sees the store from before the reset, or
//! the one after it.
//!
//! The commit is counted: an older image does not bring back what a reset removed. So a store without a counter has no
//! factory reset; its caller can delete, or format.

use super::ops::{Cost, chunk_name};
use super::{CHUNK_SPACE, NorFlash, Store, one_source};
use crate::attributes::{Attributes, How};
use crate::error::{Error, Stop};
use crate::format::header::Class;
use crate::format::put;
use crate::format::record::CLIENT;
use crate::key::{Key, SYSTEM};
use crate::report::Cursor;
use crate::seal::Suite;
use crate::trust::MonotonicCounter;

/// The store's own entry that stands while a reset is under way.
const RESETTING: Key<'_> = Key::new(b"resetting").of_client(SYSTEM);
/// Longest name.
pub(super) const NAME_MAX: usize = 255;

/// How a reset changes entries, once it has begun: its beginning was counted, and no attribute stands against it.
const RESET: How = How::EXACT.and(How::UNCOUNTED);
const REMOVE: How = RESET.and(How::DELETE);
/// That everything fits was asked at the beginning.
const BRING_BACK: How = RESET.and(How::RESTORE).and(How::ADMITTED);

/// What is done with all entries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Would fit what is left?
    Ask,
    Remove,
    BringBack,
}

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Brings entries with a factory copy back to it, keeps those that are write-once, non-deletable, protected or
    /// retained, and removes all others, of all clients. Atomic, and a counted commit.
    ///
    /// Who may ask for it is the caller's to decide: a [`Client`](crate::Client) has it only by right.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Full`] when what is kept and what is brought back would not fit together, and
    /// [`Error::NoCounter`]: nothing was changed. After [`Error::Flash`] it is done, to the end, by the next call or
    /// mount that may write, or nothing of it.
    pub async fn factory_reset(&mut self) -> Result<(), Error<F::Error>> {
        Ok(self.reset().await?)
    }

    pub(super) async fn reset(&mut self) -> Result<(), Stop<F::Error>> {
        self.writable().await?;
        if !self.counter.is_present() {
            return Err(Stop::NoCounter);
        }
        self.reset_entries(Pass::Ask).await?;
        self.change(RESETTING, &[], How::EXACT.and(How::ADMITTED).and(How::PROTECT)).await?;
        self.state.log.resetting = true;
        self.ready().await
    }

    /// The end of a mount: was a reset begun? Nothing is settled before that is known, and then doubt counts again.
    pub(super) async fn look_for_reset(&mut self) {
        if !C::PRESENT {
            self.state.log.settled = true;
            return;
        }
        let hash = self.hash_of(RESETTING);
        let begun = matches!(self.find(RESETTING, hash, false).await, Ok(true));
        self.state.log.settled = true;
        self.state.log.resetting = begun && self.check_doubt::<()>(self.head(self.bucket_of(hash))).is_ok();
    }

    /// Does what is left of a reset.
    pub(super) async fn finish_reset(&mut self) -> Result<(), Stop<F::Error>> {
        self.reset_entries(Pass::Remove).await?;
        self.reset_entries(Pass::BringBack).await?;
        self.change(RESETTING, &[], REMOVE).await?;
        self.state.log.resetting = false;
        Ok(())
    }

    /// Deletes what a reset removes, or brings back what it brings back; or finds out whether all that is left then will fit.
    async fn reset_entries(&mut self, pass: Pass) -> Result<(), Stop<F::Error>> {
        let mut left = Cost::NONE;
        let mut cursor = Cursor::new();
        while self.next_record(&mut cursor).await? {
            let attributes = self.attributes();
            let copy = attributes.any(Attributes::COPY);
            #[cfg(feature = "objects")]
            let unfinished = self.is_note();
            #[cfg(not(feature = "objects"))]
            let unfinished = false;
            if !copy && !unfinished && self.state.record.class != Class::Key {
                continue;
            }
            // Of an entry with a copy, the copy decides.
            let removed = !copy && (attributes.any(Attributes::FACTORY) || !attributes.outlives_reset());
            if pass == Pass::Ask {
                // A copy, and what it brings back.
                for _ in 0..if copy { 2 } else { u32::from(!removed) } {
                    left = left.plus(self.cost_found());
                }
                continue;
            }
            let mut name = [0; NAME_MAX];
            let key = self.copy_key(&mut name);
            if pass == Pass::Remove && removed {
                if attributes.any(Attributes::SHARED) {
                    self.forget_grant(key).await?;
                }
                self.change(key, &[], REMOVE).await?;
            } else if pass == Pass::BringBack && copy {
                let back = BRING_BACK.and(How::with(attributes.without(Attributes::COPY)));
                self.change(key, &[], back).await?;
            }
        }
        if self.need(left) > self.capacity() { Err(Stop::Full) } else { Ok(()) }
    }

    /// Nothing is shared of an entry that goes: what says so would stay for ever.
    async fn forget_grant(&mut self, key: Key<'_>) -> Result<(), Stop<F::Error>> {
        let grant = self.grant_of(key);
        self.change(Key::new(&grant).of_client(SYSTEM), &[], REMOVE).await.map(drop)
    }

    /// Finds a chunk of a factory copy. Not inlined: the stack of its caller is deeper elsewhere.
    #[inline(never)]
    pub(super) async fn find_chunk(&mut self, owner: u64, index: u32) -> Result<(), Stop<F::Error>> {
        self.walk(self.hash(CHUNK_SPACE, &chunk_name(owner, index))).await?;
        let good = self.state.path.found && self.state.record.class == Class::Chunk;
        if good { Ok(()) } else { Err(Stop::Damaged) }
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// The key of the entry in the buffer, which may be a factory copy: for when the buffer is used for others.
    pub(super) fn copy_key<'n>(&self, name: &'n mut [u8; NAME_MAX]) -> Key<'n> {
        let length = self.name().len();
        put(name, 0, self.name());
        Key::new(name.get(..length).unwrap_or_default()).of_client(self.field(CLIENT))
    }
}
