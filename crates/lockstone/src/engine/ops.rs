//! Put, get, delete: what callers ask for, in terms of entries and chunks.
//!
//! A value that fits with its name into one record is an entry. A longer one goes on in chunks, entries of the index
//! themselves, named by the hash of their owner and a number; they are written before the entry, in one run with it,
//! so that the entry makes all of them visible at once. A range read touches its own chunks only.

use super::load::length_u32;
use super::write::Draft;
use super::{CHUNK_SPACE, NorFlash, Store, one_source, space_of};
use crate::error::Error;
use crate::format::header::Class;
use crate::format::record::{CLIENT, Kind, LONG, MARK_CLOSE, MORE, Shape};
use crate::format::{put, put_word};
use crate::key::{Key, SYSTEM};
use crate::layout::POINTERS_MAX;
use crate::seal::Suite;
use crate::state::{NOWHERE, Run};

/// Bytes before a chunk's data: owner's hash and number.
const CHUNK_NAME: usize = 12;

/// How a value is cut.
#[derive(Clone, Copy, Debug)]
struct Cut {
    whole: u32,
    /// Bytes in the entry.
    inline: u32,
}

#[one_source]
impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    /// Stores a value under a key, replacing the old one. When it returns, the new value survives any power cut; until
    /// then the old one is there, whole. An empty value is a value.
    ///
    /// # Errors
    /// [`Error`]; the old value is still there (after [`Error::Flash`], the old or the new one, whole).
    pub async fn put<'k>(&mut self, key: impl Into<Key<'k>>, value: &[u8]) -> Result<(), Error<F::Error>> {
        let key = checked(key.into())?;
        let hash = self.hash_of(key);
        self.writable().await?;
        let old = self.find(key, hash, true).await?;
        let cut = self.cut(key, value.len())?;
        let bytes = self.admit(key, cut, old).await?;
        self.begin_run(bytes, self.kept_free()).await?;
        self.put_chunks(hash, cut, value).await?;
        self.remove_chunks(hash, self.chunks(cut), old.map_or(0, |old| self.chunks(old))).await?;
        let inline = value.get(..cut.inline as usize).unwrap_or(value);
        let draft = Draft::new(Kind::Entry, Class::Key, hash, key.name, inline);
        let shape = self.entry_shape(key, cut).with(MORE, self.in_transaction());
        self.append(&Draft { shape, client: key.client, whole: cut.whole, ..draft }).await?;
        self.end_run();
        Ok(())
    }

    /// Copies the value of a key to the start of `buffer` and returns its length; `None`: there is no such key, and
    /// that is as authentic as a value.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] when the value is longer than the buffer, or what [`Error`] says of damage.
    pub async fn get<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, Error<F::Error>> {
        let key = checked(key.into())?;
        self.ready().await?;
        let Some(cut) = self.find(key, self.hash_of(key), false).await? else { return Ok(None) };
        let Some(place) = buffer.get_mut(..cut.whole as usize) else {
            return Err(Error::BufferTooSmall { needed: cut.whole });
        };
        self.copy_value(cut, 0, place).await?;
        Ok(Some(place.len()))
    }

    /// Copies bytes of a value from `offset` on, as many as there are and fit, and returns how many; `None`: there is
    /// no such key. Only the chunks concerned are read.
    ///
    /// # Errors
    /// What [`Error`] says of damage.
    pub async fn get_range<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        offset: u32,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, Error<F::Error>> {
        let key = checked(key.into())?;
        self.ready().await?;
        let Some(cut) = self.find(key, self.hash_of(key), false).await? else { return Ok(None) };
        let length = (cut.whole.saturating_sub(offset) as usize).min(buffer.len());
        self.copy_value(cut, offset, buffer.get_mut(..length).unwrap_or_default()).await?;
        Ok(Some(length))
    }

    /// Length of the value of a key in bytes; `None`: there is no such key.
    ///
    /// # Errors
    /// What [`Error`] says of damage.
    pub async fn length<'k>(&mut self, key: impl Into<Key<'k>>) -> Result<Option<u32>, Error<F::Error>> {
        let key = checked(key.into())?;
        self.ready().await?;
        Ok(self.find(key, self.hash_of(key), false).await?.map(|cut| cut.whole))
    }

    /// Whether there is such a key.
    ///
    /// # Errors
    /// What [`Error`] says of damage.
    pub async fn contains<'k>(&mut self, key: impl Into<Key<'k>>) -> Result<bool, Error<F::Error>> {
        Ok(self.length(key).await?.is_some())
    }

    /// Deletes a key; false when there was none. Succeeds on a full store too.
    ///
    /// # Errors
    /// [`Error`]; the key is still there (after [`Error::Flash`], there whole or gone).
    pub async fn delete<'k>(&mut self, key: impl Into<Key<'k>>) -> Result<bool, Error<F::Error>> {
        let key = checked(key.into())?;
        self.writable().await?;
        let Some(old) = self.find(key, self.hash_of(key), false).await? else { return Ok(false) };
        let hash = self.state.record.hash;
        let chunks = self.chunks(old);
        let bytes = (chunks + 1) * self.expected_length(Kind::Tombstone, 8, 0);
        // A delete may use a segment that puts leave alone: it must succeed on a full store.
        self.begin_run(bytes, self.kept_free() - 1).await?;
        self.remove_chunks(hash, 0, chunks).await?;
        self.put_tombstone(hash, self.in_transaction()).await?;
        self.end_run();
        Ok(true)
    }

    /// Writes a closing mark, so that the next mount can tell any damage at the end of the log from a power cut, and
    /// gives the flash back. Not closing is always safe.
    ///
    /// # Errors
    /// [`Error`]; everything stored is still there.
    pub async fn close(mut self) -> Result<F, Error<F::Error>> {
        if !self.state.log.settled || !self.has_hole() || !self.state.report.clean {
            self.writable().await?;
            self.make_room(self.sizes().unit.max(64), 1).await?;
            self.write_closing().await?;
        }
        Ok(self.flash)
    }

    pub(super) async fn write_closing(&mut self) -> Result<(), Error<F::Error>> {
        let oldest = self.state.log.tail;
        let mut checkpoint = [0; 12];
        put_word(&mut checkpoint, 0, oldest);
        put(&mut checkpoint, 4, &self.heads_digest(oldest).to_le_bytes());
        self.append_mark(MARK_CLOSE, &checkpoint).await
    }

    /// Finds an entry; its record is in the buffer. `to_replace`: a name of the same hash is an error then.
    async fn find(&mut self, key: Key<'_>, hash: u64, to_replace: bool) -> Result<Option<Cut>, Error<F::Error>> {
        self.confirm(hash).await?;
        self.walk(hash).await?;
        if !self.state.path.found || self.state.record.class == Class::Tombstone {
            return Ok(None);
        }
        let same = self.state.record.class == Class::Key && self.name() == key.name && self.field(CLIENT) == key.client;
        if !same {
            return if to_replace { Err(Error::Collision) } else { Ok(None) };
        }
        let cut = Cut { whole: self.value_length(), inline: length_u32(self.state.record.shape.inline()) };
        if cut.whole < cut.inline {
            return Err(Error::Damaged);
        }
        Ok(Some(cut))
    }

    /// A record that may be marginal is written again before it is served.
    async fn confirm(&mut self, hash: u64) -> Result<(), Error<F::Error>> {
        let newest = self.position(self.head(self.bucket_of(hash)));
        if self.state.log.for_all || newest == self.state.log.copy {
            self.confirm_last().await?;
        }
        Ok(())
    }

    /// Whatever is asked for: the last record is written again if it may be marginal.
    pub(super) async fn confirm_last(&mut self) -> Result<(), Error<F::Error>> {
        let marginal = self.has_hole() && (self.state.log.for_all || self.state.log.copy != NOWHERE);
        if !marginal || self.state.read_only || self.state.report.doubt.is_some() || self.state.log.stuck {
            return Ok(());
        }
        let written = match self.settle().await {
            // Sessions that only read use up room too, and a delete must find some.
            Ok(()) => self.make_room(0, self.kept_free()).await,
            Err(Error::Damaged) => return Err(Error::Damaged),
            failed => failed,
        };
        // Nothing can be written any more: serve what can be read, as a read-only mount does.
        self.state.log.stuck = written.is_err();
        self.ready().await
    }

    /// Copies part of a value; the entry is in the buffer.
    async fn copy_value(&mut self, cut: Cut, offset: u32, target: &mut [u8]) -> Result<(), Error<F::Error>> {
        let owner = self.state.record.hash;
        copy_overlap(0, self.inline(), offset, target);
        let end = offset.saturating_add(length_u32(target.len()));
        let mut index = offset.saturating_sub(cut.inline) / self.chunk_length();
        while index < self.chunks(cut) && self.chunk_start(cut, index) < end {
            let name = chunk_name(owner, index);
            let hash = self.suite.hash(CHUNK_SPACE, &name);
            self.confirm(hash).await?;
            self.walk(hash).await?;
            let from = self.chunk_start(cut, index);
            let length = self.chunk_length().min(cut.whole - from);
            let good = self.state.path.found
                && self.state.record.class == Class::Chunk
                && self.state.record.shape.inline() == length as usize
                && self.name() == name;
            if !good {
                target.fill(0);
                return Err(Error::Damaged);
            }
            copy_overlap(from, self.inline(), offset, target);
            index += 1;
        }
        Ok(())
    }

    async fn put_chunks(&mut self, owner: u64, cut: Cut, value: &[u8]) -> Result<(), Error<F::Error>> {
        let (_, rest) = value.split_at_checked(cut.inline as usize).unwrap_or_default();
        for (index, inline) in (0..).zip(rest.chunks(self.chunk_length() as usize)) {
            let name = chunk_name(owner, index);
            let hash = self.suite.hash(CHUNK_SPACE, &name);
            let draft = Draft::new(Kind::Chunk, Class::Chunk, hash, &name, inline);
            self.append(&Draft { shape: draft.shape.with(MORE, true), ..draft }).await?;
        }
        Ok(())
    }

    async fn remove_chunks(&mut self, owner: u64, from: u32, to: u32) -> Result<(), Error<F::Error>> {
        for index in from..to {
            let hash = self.suite.hash(CHUNK_SPACE, &chunk_name(owner, index));
            self.put_tombstone(hash, true).await?;
        }
        Ok(())
    }

    async fn put_tombstone(&mut self, hash: u64, more: bool) -> Result<(), Error<F::Error>> {
        let name = hash.to_le_bytes();
        let draft = Draft::new(Kind::Tombstone, Class::Tombstone, hash, &name, &[]);
        self.append(&Draft { shape: draft.shape.with(MORE, more), ..draft }).await
    }

    /// Makes room for a run of `bytes`, does the compaction that it owes, and begins it.
    pub(super) async fn begin_run(&mut self, bytes: u32, kept: u32) -> Result<(), Error<F::Error>> {
        if self.state.log.run != Run::No {
            return if self.has_room(bytes, kept) { Ok(()) } else { Err(Error::Full) };
        }
        self.pace(bytes).await?;
        self.make_room(bytes, kept).await?;
        self.state.log.run = Run::Ready;
        self.state.log.open_ended = false;
        self.state.log.before = self.state.log.counts;
        Ok(())
    }

    /// Whether the new value may be stored; returns the bytes that its run takes.
    async fn admit(&mut self, key: Key<'_>, cut: Cut, old: Option<Cut>) -> Result<u32, Error<F::Error>> {
        let (cost, records) = self.cost_of(key, cut);
        let (old_cost, old_records) = old.map_or((0, 0), |old| self.cost_of(key, old));
        let mut passes = 2 * self.sizes().segments;
        loop {
            let counts = self.state.log.counts;
            let live = counts.live.saturating_sub(old_cost).saturating_add(cost);
            if self.need(live, counts.records().saturating_sub(old_records) + records) <= self.capacity() {
                break;
            }
            if cost > self.capacity() {
                return Err(Error::TooLarge);
            }
            passes = passes.saturating_sub(1);
            // Only tombstones can still make room, and compaction sheds them.
            let hopeless = self.state.log.run != Run::No || counts.tombstones() == 0 || passes == 0;
            if hopeless || self.compact_step().await? == 0 {
                return Err(Error::Full);
            }
        }
        let removed = old.map_or(0, |old| self.chunks(old)).saturating_sub(self.chunks(cut));
        let tombstones = removed * self.expected_length(Kind::Tombstone, 8, 0);
        Ok(cost.saturating_add(records * self.pointer_allowance()).saturating_add(tombstones))
    }
}

impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    fn hash_of(&self, key: Key<'_>) -> u64 {
        self.suite.hash(space_of(key.client), key.name)
    }

    pub(super) fn end_run(&mut self) {
        if !self.in_transaction() {
            self.state.log.run = Run::No;
            self.state.log.settled = true;
        }
    }

    pub(super) fn in_transaction(&self) -> bool {
        self.state.log.run != Run::No && self.state.log.open_ended
    }

    /// Bytes of value in each chunk, the last one aside.
    fn chunk_length(&self) -> u32 {
        self.sizes().body_max - length_u32(CHUNK_NAME)
    }

    fn chunks(&self, cut: Cut) -> u32 {
        (cut.whole - cut.inline).div_ceil(self.chunk_length())
    }

    /// Where in the value a chunk begins.
    fn chunk_start(&self, cut: Cut, index: u32) -> u32 {
        cut.inline + index * self.chunk_length()
    }

    fn cut<E>(&self, key: Key<'_>, length: usize) -> Result<Cut, Error<E>> {
        let whole = u32::try_from(length).map_err(|_| Error::TooLarge)?;
        let inline = whole.min(self.sizes().body_max - length_u32(key.name.len()));
        Ok(Cut { whole, inline })
    }

    fn entry_shape(&self, key: Key<'_>, cut: Cut) -> Shape {
        Shape::single(Kind::Entry, key.name.len(), cut.inline as usize)
            .with(CLIENT, key.client != 0)
            .with(LONG, cut.whole > cut.inline)
    }

    /// What a value counts as: bytes and records.
    fn cost_of(&self, key: Key<'_>, cut: Cut) -> (u32, u32) {
        let chunk = |bytes: u32| self.cost(Shape::single(Kind::Chunk, CHUNK_NAME, bytes as usize));
        let mut cost = self.cost(self.entry_shape(key, cut));
        let chunks = self.chunks(cut);
        if let Some(full) = chunks.checked_sub(1) {
            let last = cut.whole - self.chunk_start(cut, full);
            cost = cost.saturating_add(chunk(self.chunk_length()).saturating_mul(full)).saturating_add(chunk(last));
        }
        (cost, chunks + 1)
    }
}

fn checked<E>(key: Key<'_>) -> Result<Key<'_>, Error<E>> {
    let good = !key.name.is_empty() && key.name.len() <= 255 && key.client != SYSTEM;
    if good { Ok(key) } else { Err(Error::InvalidName) }
}

fn chunk_name(owner: u64, index: u32) -> [u8; 12] {
    let mut name = [0; 12];
    put(&mut name, 0, &owner.to_le_bytes());
    put_word(&mut name, 8, index);
    name
}

/// Copies what `data`, the bytes of a value from `start` on, has of those from `offset` on that `target` wants.
fn copy_overlap(start: u32, data: &[u8], offset: u32, target: &mut [u8]) {
    let source = data.get(offset.saturating_sub(start) as usize..).unwrap_or_default();
    let place = target.get_mut(start.saturating_sub(offset) as usize..).unwrap_or_default();
    let length = source.len().min(place.len());
    if let (Some(source), Some(place)) = (source.get(..length), place.get_mut(..length)) {
        place.copy_from_slice(source);
    }
}

const _: () = assert!(POINTERS_MAX < 32, "five bits say the number of pointers");
