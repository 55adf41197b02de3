//! Reset: factory copies, and the way back to them.
//!
//! ```text
//! put with FACTORY     one run: the copy (an entry in a hash space of its own, counted with the store's own), the entry
//! factory_reset        1 would everything fit?   2 entry `resetting`, a counted commit: from here on it is done
//!                      3 each entry: kept, deleted, or brought back from its copy, a run each    4 `resetting` deleted
//! ```
//!
//! Step 3 may be cut anywhere, and compaction may work between its runs, so a reset needs no more room than its largest
//! entry. A mount that finds `resetting` serves nothing until the rest of step 3 was done: whoever looks sees the store
//! from before the reset, or the one after it.
//!
//! The commit is counted: an older image does not bring back what a reset removed. So a store without a counter has no
//! factory reset; its caller can delete, or format.

use super::ops::{Cost, chunk_name};
use super::{CHUNK_SPACE, NorFlash, Store, one_source, space_of};
use crate::attributes::Attributes;
use crate::error::{Error, Stop};
use crate::format::header::Class;
use crate::format::put;
use crate::format::record::{ATTRIBUTES, CLIENT, FIRST, Kind, MORE, RESUME, Shape};
use crate::key::{Key, SYSTEM};
use crate::report::Cursor;
use crate::seal::Suite;
use crate::state::Record;
use crate::trust::MonotonicCounter;

/// Name of the store's own entry that stands while a reset is under way.
const RESETTING: &[u8] = b"resetting";
/// Longest name.
const NAME_MAX: usize = 255;

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
        self.writable().await?;
        if !C::PRESENT {
            return Err(Error::NoCounter);
        }
        self.check_reset().await?;
        let hash = self.suite.hash(space_of(SYSTEM), RESETTING);
        self.start_run(self.record_usual(), self.kept_free(), true).await?;
        self.append_own(hash, RESETTING, &[]).await?;
        self.finish_run().await?;
        self.state.log.resetting = true;
        Ok(self.finish_reset().await?)
    }

    /// Would everything that is kept and brought back fit?
    async fn check_reset(&mut self) -> Result<(), Stop<F::Error>> {
        let (mut live, mut records) = (0_u32, 0);
        let mut cursor = Cursor::new();
        while self.next_entry(&mut cursor).await? {
            let attributes = self.attributes();
            let copy = attributes.any(Attributes::COPY);
            if copy || attributes.outlives_reset() && !attributes.any(Attributes::FACTORY) {
                let times = if copy { 2 } else { 1 };
                let key = Key::new(self.name()).of_client(self.field(CLIENT));
                let Cost { bytes, records: number } = self.cost_of(key, self.cut_found());
                live = live.saturating_add(bytes.saturating_mul(times));
                records += number * times;
            }
        }
        if self.need(live, records) <= self.capacity() { Ok(()) } else { Err(Stop::Full) }
    }

    /// After a mount: was a reset begun?
    pub(super) async fn look_for_reset(&mut self) {
        if C::PRESENT {
            let hash = self.suite.hash(space_of(SYSTEM), RESETTING);
            let found = self.walk(hash).await.is_ok() && self.state.path.found;
            self.state.log.resetting = found && self.state.record.class == Class::Chunk;
        }
    }

    /// Does what is left of a reset.
    pub(super) async fn finish_reset(&mut self) -> Result<(), Stop<F::Error>> {
        let mut cursor = Cursor::new();
        while self.next_entry(&mut cursor).await? {
            let attributes = self.attributes();
            let mut name = [0; NAME_MAX];
            let client = self.field(CLIENT);
            let length = self.name().len();
            put(&mut name, 0, self.name());
            let key = Key::new(name.get(..length).unwrap_or_default()).of_client(client);
            if attributes.any(Attributes::COPY) {
                self.bring_back(key).await?;
            } else if !attributes.any(Attributes::FACTORY) && !attributes.outlives_reset() {
                self.change(key, None).await?;
            }
        }
        let hash = self.suite.hash(space_of(SYSTEM), RESETTING);
        self.start_run(self.record_usual(), self.kept_free() - 1, false).await?;
        self.append_tombstone(hash).await?;
        self.finish_run().await?;
        self.state.log.resetting = false;
        Ok(())
    }

    /// The next entry or factory copy of any client, in the buffer; false at the end.
    pub(super) async fn next_entry(&mut self, cursor: &mut Cursor) -> Result<bool, Stop<F::Error>> {
        while !cursor.done {
            if !self.at_or_after(cursor).await? {
                self.next_bucket(cursor);
                continue;
            }
            self.pass(cursor);
            if self.state.record.shape.kind() == Kind::Entry && self.field(CLIENT) != SYSTEM {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next entry of any client: whose, and what it counts for it.
    pub(super) async fn next_weight(&mut self, cursor: &mut Cursor) -> Result<Option<(u32, u32)>, Stop<F::Error>> {
        self.ready().await?;
        while self.next_entry(cursor).await? {
            if self.state.record.class == Class::Key {
                let client = self.field(CLIENT);
                let key = Key::new(self.name()).of_client(client);
                return Ok(Some((client, self.weigh(key, self.cut_found()))));
            }
        }
        Ok(None)
    }

    /// Writes the records of a factory copy under the hashes of its entry.
    async fn bring_back(&mut self, key: Key<'_>) -> Result<(), Stop<F::Error>> {
        let (hash, copy_hash) = (self.hash_of(key), self.hash_of(key.of_copy()));
        let old = if self.find(key, hash, true).await? { self.cost_of(key, self.cut_found()) } else { Cost::NONE };
        if !self.find(key.of_copy(), copy_hash, true).await? {
            return Ok(());
        }
        let new = self.cost_of(key, self.cut_found());
        self.start_run(self.run_length(new, old), self.kept_free() - 1, false).await?;
        for index in 0..(new.records - 1).max(old.records.saturating_sub(1)) {
            let name = chunk_name(hash, index);
            let target = self.suite.hash(CHUNK_SPACE, &name);
            if index + 1 < new.records {
                self.walk(self.suite.hash(CHUNK_SPACE, &chunk_name(copy_hash, index))).await?;
                self.append_as(target, self.state.record.shape.with(MORE, true), Attributes::NONE, &name).await?;
            } else {
                self.draft(Shape::TOMBSTONE.with(MORE, true), target);
                self.append(&target.to_le_bytes(), &[]).await?;
            }
        }
        self.walk(copy_hash).await?;
        let attributes = self.attributes().without(Attributes::COPY);
        let shape = self.state.record.shape.with(MORE, self.goes_on()).with(ATTRIBUTES, true);
        self.append_as(hash, shape, attributes, &[]).await?;
        self.finish_run().await
    }

    /// Writes the record in the buffer again, as another one.
    async fn append_as(
        &mut self,
        hash: u64,
        shape: Shape,
        attributes: Attributes,
        name: &[u8],
    ) -> Result<(), Stop<F::Error>> {
        let Record { at, .. } = self.state.record;
        let draft = self.draft(shape.with(FIRST, true).with(RESUME, false), hash);
        draft.copy = at;
        draft.attributes = attributes;
        self.append(name, &[]).await
    }
}
