//! Put, get, delete: what callers ask for, in terms of entries and chunks.
//!
//! A value that fits with its name into one record is an entry. A longer one goes on in chunks, entries of the index
//! themselves, named by the hash of their owner and a number; they are written before the entry, in one run with it,
//! so that the entry makes all of them visible at once. A range read touches its own chunks only.

use super::load::length_u32;
use super::write::Source;
use super::{CHUNK_SPACE, NorFlash, Run, Store, Target, kept_free, one_source, space_of};
use crate::error::Error;
use crate::format::record::{CLIENT, Kind, LONG, MARK_CLOSE, MORE, Shape};
use crate::key::{Key, SYSTEM};
use crate::layout::POINTERS_MAX;
use crate::seal::Suite;

/// Bytes before a chunk's data: owner's hash and number.
const CHUNK_NAME: usize = 12;

/// How a value is cut.
#[derive(Clone, Copy, Debug)]
struct Cut {
    whole: u32,
    /// Bytes in the entry.
    inline: u32,
    /// Bytes in each chunk, the last one aside.
    chunk: u32,
}

impl Cut {
    fn chunks(&self) -> u32 {
        (self.whole - self.inline).div_ceil(self.chunk)
    }

    /// Bytes `from..to` of the value that chunk `index` holds.
    fn range(&self, index: u32) -> (u32, u32) {
        let from = self.inline + index * self.chunk;
        (from, (from + self.chunk).min(self.whole))
    }
}

/// An entry that is there.
#[derive(Clone, Copy, Debug)]
struct Found {
    hash: u64,
    shape: Shape,
    cut: Cut,
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
        self.writable().await?;
        let old = self.find(key, true).await?;
        let cut = self.cut(key, value.len())?;
        let bytes = self.admit(key, &cut, old.as_ref()).await?;
        self.begin_run(bytes, kept_free(&self.layout)).await?;
        let hash = self.suite.hash(space_of(key.client), key.name);
        self.put_chunks(hash, &cut, value).await?;
        self.remove_chunks(hash, cut.chunks(), old.map_or(0, |old| old.cut.chunks())).await?;
        let more = self.in_transaction();
        let shape = self.entry_shape(key, &cut).with(MORE, more);
        let inline = value.get(..cut.inline as usize).unwrap_or(value);
        let source = Source::Draft { client: key.client, whole: cut.whole, name: key.name, inline };
        self.append(shape, source, Some(hash)).await?;
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
        let Some(found) = self.find(key, false).await? else { return Ok(None) };
        let Some(place) = buffer.get_mut(..found.cut.whole as usize) else {
            return Err(Error::BufferTooSmall { needed: found.cut.whole });
        };
        self.copy_value(&found, 0, place).await?;
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
        let Some(found) = self.find(key, false).await? else { return Ok(None) };
        let length = (found.cut.whole.saturating_sub(offset) as usize).min(buffer.len());
        self.copy_value(&found, offset, buffer.get_mut(..length).unwrap_or_default()).await?;
        Ok(Some(length))
    }

    /// Length of the value of a key in bytes; `None`: there is no such key.
    ///
    /// # Errors
    /// What [`Error`] says of damage.
    pub async fn length<'k>(&mut self, key: impl Into<Key<'k>>) -> Result<Option<u32>, Error<F::Error>> {
        let key = checked(key.into())?;
        self.ready().await?;
        Ok(self.find(key, false).await?.map(|found| found.cut.whole))
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
        let Some(old) = self.find(key, false).await? else { return Ok(false) };
        let bytes = (old.cut.chunks() + 1) * self.expected_length(Kind::Tombstone, 8, 0);
        // A delete may use a segment that puts leave alone: it must succeed on a full store.
        self.begin_run(bytes, kept_free(&self.layout) - 1).await?;
        self.remove_chunks(old.hash, 0, old.cut.chunks()).await?;
        let more = self.in_transaction();
        self.put_tombstone(old.hash, more).await?;
        self.end_run();
        Ok(true)
    }

    /// Writes a closing mark, so that the next mount can tell any damage at the end of the log from a power cut, and
    /// gives the flash back. Not closing is always safe.
    ///
    /// # Errors
    /// [`Error`]; everything stored is still there.
    pub async fn close(mut self) -> Result<F, Error<F::Error>> {
        if !self.log.settled || self.log.resume.is_none() || !self.report.clean {
            self.writable().await?;
            self.make_room(self.layout.unit.max(64), 1).await?;
            self.write_closing().await?;
        }
        Ok(self.flash)
    }

    pub(super) async fn write_closing(&mut self) -> Result<(), Error<F::Error>> {
        let oldest = self.log.tail.sequence;
        let mut checkpoint = [0; 12];
        let (left, right) = checkpoint.split_at_mut(4);
        left.copy_from_slice(&oldest.to_le_bytes());
        right.copy_from_slice(&self.heads_digest(oldest).to_le_bytes());
        let source = Source::Draft { client: 0, whole: 0, name: &[MARK_CLOSE], inline: &checkpoint };
        self.append(Shape::single(Kind::Mark, 1, 12), source, None).await
    }

    /// Finds an entry; its record is in the buffer. `to_replace`: a name of the same hash is an error then.
    async fn find(&mut self, key: Key<'_>, to_replace: bool) -> Result<Option<Found>, Error<F::Error>> {
        let hash = self.suite.hash(space_of(key.client), key.name);
        self.confirm(hash).await?;
        let record = self.walk(hash).await?;
        let found = record.map(|record| (record.at, self.facts(record.shape)));
        self.path.target = Some(Target { hash, found });
        let Some(record) = record.filter(|record| record.shape.kind() != Kind::Tombstone) else { return Ok(None) };
        let same = record.shape.kind() == Kind::Entry
            && self.name(record.shape) == key.name
            && self.fields(record.shape).client == key.client;
        if !same {
            return if to_replace { Err(Error::Collision) } else { Ok(None) };
        }
        let cut = Cut {
            whole: self.value_length(record.shape),
            inline: length_u32(record.shape.inline()),
            chunk: self.chunk_length(),
        };
        if cut.whole < cut.inline {
            return Err(Error::Damaged);
        }
        Ok(Some(Found { hash, shape: record.shape, cut }))
    }

    /// A record that may be marginal is written again before it is served.
    async fn confirm(&mut self, hash: u64) -> Result<(), Error<F::Error>> {
        let Some(resume) = self.log.resume else { return Ok(()) };
        let newest = self.head_of(hash).position(&self.layout, self.log.end.sequence);
        if resume.for_all || (resume.copy.is_some() && newest == resume.copy) {
            self.confirm_last().await?;
        }
        Ok(())
    }

    /// Whatever is asked for: the last record is written again if it may be marginal.
    pub(super) async fn confirm_last(&mut self) -> Result<(), Error<F::Error>> {
        let marginal = self.log.resume.is_some_and(|resume| resume.for_all || resume.copy.is_some());
        if !marginal || self.read_only || self.log.doubt.is_some() || self.log.stuck {
            return Ok(());
        }
        match self.settle().await {
            Ok(()) => Ok(()),
            Err(Error::Damaged) => Err(Error::Damaged),
            // Nothing can be written any more: serve what can be read, as a read-only mount does.
            Err(_) => {
                self.log.stuck = true;
                self.ready().await
            }
        }
    }

    /// Copies part of a value; the entry is in the buffer.
    async fn copy_value(&mut self, found: &Found, offset: u32, target: &mut [u8]) -> Result<(), Error<F::Error>> {
        let Found { cut, hash, .. } = *found;
        copy_overlap((0, cut.inline), self.inline(found.shape), offset, target);
        let end = offset.saturating_add(length_u32(target.len()));
        let mut index = offset.saturating_sub(cut.inline) / cut.chunk;
        while index < cut.chunks() && cut.range(index).0 < end {
            let (from, to) = cut.range(index);
            let name = chunk_name(hash, index);
            let chunk_hash = self.suite.hash(CHUNK_SPACE, &name);
            self.confirm(chunk_hash).await?;
            let record = self.walk(chunk_hash).await?.ok_or(Error::Damaged)?;
            let data = self.inline(record.shape);
            if record.shape.kind() != Kind::Chunk
                || data.len() != (to - from) as usize
                || self.name(record.shape) != name
            {
                target.fill(0);
                return Err(Error::Damaged);
            }
            copy_overlap((from, to), data, offset, target);
            index += 1;
        }
        Ok(())
    }

    async fn put_chunks(&mut self, owner: u64, cut: &Cut, value: &[u8]) -> Result<(), Error<F::Error>> {
        for index in 0..cut.chunks() {
            let (from, to) = cut.range(index);
            let name = chunk_name(owner, index);
            let inline = value.get(from as usize..to as usize).unwrap_or_default();
            let shape = Shape::single(Kind::Chunk, CHUNK_NAME, inline.len()).with(MORE, true);
            let hash = self.suite.hash(CHUNK_SPACE, &name);
            self.append(shape, Source::Draft { client: 0, whole: 0, name: &name, inline }, Some(hash)).await?;
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
        let shape = Shape::single(Kind::Tombstone, 8, 0).with(MORE, more);
        let name = hash.to_le_bytes();
        self.append(shape, Source::Draft { client: 0, whole: 0, name: &name, inline: &[] }, Some(hash)).await
    }

    /// Makes room for a run of `bytes`, does the compaction that it owes, and begins it.
    pub(super) async fn begin_run(&mut self, bytes: u32, kept: u32) -> Result<(), Error<F::Error>> {
        if self.log.run.is_some() {
            return if self.has_room(bytes, kept) { Ok(()) } else { Err(Error::Full) };
        }
        self.pace(bytes).await?;
        self.make_room(bytes, kept).await?;
        self.log.run = Some(Run { before: self.log.counts, begun: false, open_ended: false });
        Ok(())
    }

    /// Whether the new value may be stored; returns the bytes that its run takes.
    async fn admit(&mut self, key: Key<'_>, cut: &Cut, old: Option<&Found>) -> Result<u32, Error<F::Error>> {
        let (cost, records) = self.cost_of(key, cut);
        let (old_cost, old_records) = old.map_or((0, 0), |old| self.cost_of(key, &old.cut));
        let mut passes = 2 * self.layout.segments;
        loop {
            let mut counts = self.log.counts;
            counts.live = counts.live.saturating_sub(old_cost).saturating_add(cost);
            counts.entries = counts.entries.saturating_sub(old_records) + records;
            if self.need(&counts) <= self.capacity() {
                break;
            }
            if cost > self.capacity() {
                return Err(Error::TooLarge);
            }
            passes = passes.saturating_sub(1);
            // Only tombstones can still make room, and compaction sheds them.
            let hopeless = self.log.run.is_some() || self.log.counts.tombstones == 0 || passes == 0;
            if hopeless || self.compact_step().await?.is_none() {
                return Err(Error::Full);
            }
        }
        let removed = old.map_or(0, |old| old.cut.chunks()).saturating_sub(cut.chunks());
        let tombstones = removed * self.expected_length(Kind::Tombstone, 8, 0);
        Ok(cost.saturating_add(records * self.pointer_allowance()).saturating_add(tombstones))
    }
}

impl<F, S: Suite> Store<'_, F, S> {
    pub(super) fn end_run(&mut self) {
        if !self.in_transaction() {
            self.log.run = None;
            self.log.settled = true;
        }
    }

    pub(super) fn in_transaction(&self) -> bool {
        self.log.run.is_some_and(|run| run.open_ended)
    }

    fn chunk_length(&self) -> u32 {
        self.layout.body_max - length_u32(CHUNK_NAME)
    }

    fn cut<E>(&self, key: Key<'_>, length: usize) -> Result<Cut, Error<E>> {
        let whole = u32::try_from(length).map_err(|_| Error::TooLarge)?;
        let inline = whole.min(self.layout.body_max - length_u32(key.name.len()));
        Ok(Cut { whole, inline, chunk: self.chunk_length() })
    }

    fn entry_shape(&self, key: Key<'_>, cut: &Cut) -> Shape {
        Shape::single(Kind::Entry, key.name.len(), cut.inline as usize)
            .with(CLIENT, key.client != 0)
            .with(LONG, cut.whole > cut.inline)
    }

    /// What a value counts as: bytes and records.
    fn cost_of(&self, key: Key<'_>, cut: &Cut) -> (u32, u32) {
        let chunk = |bytes: u32| self.cost(Shape::single(Kind::Chunk, CHUNK_NAME, bytes as usize));
        let entry = self.cost(self.entry_shape(key, cut));
        let Some(last) = cut.chunks().checked_sub(1) else { return (entry, 1) };
        let (from, to) = cut.range(last);
        let full = chunk(cut.chunk).saturating_mul(last);
        (entry.saturating_add(full).saturating_add(chunk(to - from)), last + 2)
    }
}

fn checked<E>(key: Key<'_>) -> Result<Key<'_>, Error<E>> {
    let good = !key.name.is_empty() && key.name.len() <= 255 && key.client != SYSTEM;
    if good { Ok(key) } else { Err(Error::InvalidName) }
}

fn chunk_name(owner: u64, index: u32) -> [u8; 12] {
    let mut name = [0; 12];
    let (left, right) = name.split_at_mut(8);
    left.copy_from_slice(&owner.to_le_bytes());
    right.copy_from_slice(&index.to_le_bytes());
    name
}

/// Copies what `data`, bytes `at.0..at.1` of a value, has of the bytes from `offset` on that `target` wants.
fn copy_overlap(at: (u32, u32), data: &[u8], offset: u32, target: &mut [u8]) {
    let from = at.0.max(offset);
    let to = at.1.min(offset.saturating_add(length_u32(target.len())));
    if from >= to {
        return;
    }
    let source = data.get((from - at.0) as usize..(to - at.0) as usize);
    let place = target.get_mut((from - offset) as usize..(to - offset) as usize);
    if let (Some(source), Some(place)) = (source, place) {
        place.copy_from_slice(source);
    }
}

const _: () = assert!(POINTERS_MAX < 32, "five bits say the number of pointers");
