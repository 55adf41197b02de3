//! Put, get, delete: what callers ask for, in terms of entries and chunks.
//!
//! A value that fits with its name into one record is an entry. A longer one goes on in chunks, entries of the index
//! themselves, named by the hash of their owner and a number; they are written before the entry, in one run with it,
//! so that the entry makes all of them visible at once. A range read touches its own chunks only.

use super::load::length_u32;
use super::{CHUNK_SPACE, NorFlash, Store, one_source};
use crate::attributes::{Attributes, How, Put};
use crate::error::{Error, Stop};
use crate::format::header::{CHECKPOINT, Class};
use crate::format::record::{ATTRIBUTES, CLEAR, CLIENT, Kind, LONG, MARK_CLOSE, MORE, Shape};
use crate::format::{put, same};
use crate::key::{COPIES, Key, SYSTEM};
use crate::layout::POINTERS_MAX;
use crate::seal::Suite;
use crate::state::{NOWHERE, Run};
use crate::trust::MonotonicCounter;

/// Bytes before a chunk's data: owner's hash and number.
const CHUNK_NAME: usize = 12;

/// How a value is cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) whole: u32,
    /// Bytes in the entry.
    pub(super) inline: u32,
    pub(super) attributes: Attributes,
}

/// What a value takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) bytes: u32,
    pub(super) records: u32,
    /// Those of them that are long.
    pub(super) long: u32,
}

impl Cost {
    pub(super) const NONE: Self = Self { bytes: 0, records: 0, long: 0 };

    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            records: self.records.wrapping_add(other.records),
            long: self.long.wrapping_add(other.long),
        }
    }

    /// Without what is a part of it.
    const fn minus(self, part: Self) -> Self {
        Self {
            bytes: self.bytes.wrapping_sub(part.bytes),
            records: self.records.wrapping_sub(part.records),
            long: self.long.saturating_sub(part.long),
        }
    }
}

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Stores a value under a key, replacing the old one. When it returns, the new value survives any power cut; until
    /// then the old one is there, whole. An empty value is a value.
    ///
    /// # Errors
    /// [`Error`]; the old value is still there (after [`Error::Flash`], the old or the new one, whole).
    pub async fn put<'k>(&mut self, key: impl Into<Key<'k>>, value: &[u8]) -> Result<(), Error<F::Error>> {
        let key = key.into();
        check(&key)?;
        self.commit(key, value, How::USUAL).await?;
        Ok(())
    }

    /// The same with attributes, or bound to the counter.
    ///
    /// # Errors
    /// As [`put`](Self::put); [`Error::NotPermitted`] when the entry may not be changed, [`Error::Attributes`],
    /// [`Error::NoCounter`], [`Error::CounterExhausted`].
    pub async fn put_with<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        value: &[u8],
        how: Put,
    ) -> Result<(), Error<F::Error>> {
        let how = How::asked(how)?;
        Ok(self.put_as(key.into(), value, how).await?)
    }

    /// The same, with attributes that make sense.
    pub(super) async fn put_as(&mut self, key: Key<'_>, value: &[u8], how: How) -> Result<(), Stop<F::Error>> {
        const { assert!(!C::SMALL, "a small store has no attributes") };
        check(&key)?;
        self.writable().await?;
        if how.given().any(Attributes::FACTORY) {
            return self.change_pair(key, value, how).await;
        }
        self.change(key, value, how).await.map(drop)
    }

    /// The attributes of an entry; `None`: there is no such key.
    ///
    /// # Errors
    /// What [`Error`] says of damage.
    pub async fn attributes_of<'k>(&mut self, key: impl Into<Key<'k>>) -> Result<Option<Attributes>, Error<F::Error>> {
        let found = self.look_up(key.into()).await?;
        Ok(found.then(|| self.attributes()))
    }

    /// Copies the value of a key to the start of `buffer` and returns its length; `None`: there is no such key, and
    /// that is as authentic as a value. Of an [object](crate::Attributes::is_object) that is what the store says of it, in the
    /// store's own format: its content is read by way of `Objects`.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] when the value is longer than the buffer, or what [`Error`] says of damage.
    pub async fn get<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, Error<F::Error>> {
        if !self.look_up(key.into()).await? {
            return Ok(None);
        }
        let cut = self.cut_found();
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
        if !self.look_up(key.into()).await? {
            return Ok(None);
        }
        let cut = self.cut_found();
        let length = (cut.whole.saturating_sub(offset) as usize).min(buffer.len());
        self.copy_value(cut, offset, buffer.get_mut(..length).unwrap_or_default()).await?;
        Ok(Some(length))
    }

    /// Length of the value of a key in bytes; `None`: there is no such key.
    ///
    /// # Errors
    /// What [`Error`] says of damage.
    pub async fn length<'k>(&mut self, key: impl Into<Key<'k>>) -> Result<Option<u32>, Error<F::Error>> {
        let found = self.look_up(key.into()).await?;
        Ok(found.then(|| self.cut_found().whole))
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
        let key = key.into();
        check(&key)?;
        Ok(self.commit(key, &[], How::DELETE).await?)
    }

    /// Changes one entry, in a run of its own or in that of the transaction.
    pub(super) async fn commit(&mut self, key: Key<'_>, value: &[u8], how: How) -> Result<bool, Stop<F::Error>> {
        self.writable().await?;
        self.change(key, value, how).await
    }

    /// Puts the value under the key, or deletes the key; false when there was none. Compacts as far as it must.
    ///
    /// The store is writable: callers see to it, because a mount needs the stack itself. Compaction does too, so it is
    /// here and not where the need for it shows; what was read before is read again then.
    pub(super) async fn change(&mut self, key: Key<'_>, value: &[u8], how: How) -> Result<bool, Stop<F::Error>> {
        self.state.log.paid = self.state.log.run != Run::No;
        let mut passes = 2 * self.sizes().segments;
        loop {
            let result = self.try_change(key, value, how).await;
            let refused = matches!(result, Err(Stop::Full)) && self.state.log.run == Run::No;
            if !refused || passes == 0 {
                return result;
            }
            passes -= 1;
            if C::PRESENT && self.state.log.wants_epoch {
                self.open_epoch(self.kept_by(how)).await?;
            } else if self.state.log.wanted > 0 {
                self.state.log.paid = true;
                if !C::SMALL {
                    self.pay().await?;
                }
                self.make_ample_room(self.state.log.wanted, self.kept_by(how)).await?;
            } else if self.state.counts.tombstones() == 0 || !self.compact_segment().await? {
                // Only tombstones could still make room, as compaction sheds them.
                return result;
            }
        }
    }

    /// The same, if nothing must be done before: `Full` before the run has begun says that there is no room, or, with the
    /// bytes [`wanted`](crate::state::Log::wanted), that there is none now or that compaction is owed, unless it was paid,
    /// or that an epoch must be opened.
    #[inline(never)]
    pub(super) async fn try_change(&mut self, key: Key<'_>, value: &[u8], how: How) -> Result<bool, Stop<F::Error>> {
        let hash = self.hash_of(key);
        let mut cut = Cut { whole: 0, inline: 0, attributes: Attributes::NONE };
        let (mut copy, mut source) = (NOWHERE, hash);
        if how.any(How::KEEP.and(How::RESTORE)) {
            let from = if how.any(How::RESTORE) { key.of_copy() } else { key };
            source = self.hash_of(from);
            if !self.find(from, source, true).await? {
                return Ok(false);
            }
            (cut, copy) = (self.cut_found(), self.state.record.at);
        }
        let found = self.find(key, hash, !how.any(How::DELETE)).await?;
        let old = if found { self.cost_found() } else { Cost::NONE };
        let had = if found { self.attributes() } else { Attributes::NONE };
        let forbidden = if how.any(How::DELETE) { Attributes::LOCKED } else { Attributes::FIXED };
        let attributes = how.attributes(had);
        // A copy is unmade first, or else it would stay.
        let unmade = had.without(attributes).any(Attributes::FACTORY);
        if !C::SMALL && (had.any(forbidden) || unmade) && !how.any(How::EXACT) {
            return Err(Stop::NotPermitted);
        }
        let mut new = Cost::NONE;
        self.state.log.wanted = 0;
        let protect = !C::SMALL && self.is_counted(how, had.and(attributes));
        self.check_epoch(protect)?;
        if !how.any(How::DELETE) {
            if !how.any(How::KEEP.and(How::RESTORE)) {
                cut = self.cut(key, value.len())?;
            }
            cut.attributes = attributes;
            new = self.cost_of(self.entry_shape(key, cut), cut);
            if !how.any(How::ADMITTED) {
                self.admit(new, old)?;
            }
        } else if !found {
            return Ok(false);
        }
        let bytes = self.run_length(new, old) + self.ending_length(protect);
        if how.any(How::MEASURE) {
            self.state.log.measured += bytes;
            return Ok(true);
        }
        if !self.has_paid_room(bytes, how) {
            return Err(Stop::Full);
        }
        self.begin_run(protect);
        let (inline, rest) = value.split_at_checked(cut.inline as usize).unwrap_or_default();
        if !C::SMALL && !how.any(How::KEEP) {
            let from = if how.any(How::RESTORE) { Some(source) } else { None };
            self.put_chunks(hash, cut, rest, from, old.records.saturating_sub(1)).await?;
        }
        let gone = hash.to_le_bytes();
        let (shape, name) =
            if new.records > 0 { (self.entry_shape(key, cut), key.name) } else { (Shape::TOMBSTONE, &gone[..]) };
        let draft = self.draft(shape.with(MORE, self.goes_on()), hash);
        draft.client = key.client;
        draft.whole = cut.whole;
        draft.attributes = attributes;
        draft.copy = copy;
        self.append(name, inline).await?;
        self.finish_run().await?;
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
            self.make_room(self.record_usual(), self.kept_free() - 1).await?;
            self.write_closing().await?;
        }
        Ok(self.flash)
    }

    pub(super) async fn write_closing(&mut self) -> Result<(), Stop<F::Error>> {
        self.draft(Shape::single(Kind::Mark, 1, CHECKPOINT + 8), 0);
        self.append(&[MARK_CLOSE], &[]).await
    }

    /// Makes everything ready for a run of `bytes` that leaves `kept` segments free, and begins it.
    pub(super) async fn start_run(&mut self, bytes: u32, kept: u32, protect: bool) -> Result<(), Stop<F::Error>> {
        let protect = protect || C::PRESENT && self.state.every;
        if protect {
            self.open_epoch(kept).await?;
        }
        if bytes > self.capacity() {
            return Err(Stop::Full);
        }
        self.owe(bytes);
        self.pay().await?;
        self.make_ample_room(bytes + self.ending_length(protect), kept).await?;
        self.begin_run(protect);
        Ok(())
    }

    /// Ends a run, unless it is a transaction's.
    pub(super) async fn finish_run(&mut self) -> Result<(), Stop<F::Error>> {
        if self.in_transaction() {
            return Ok(());
        }
        if C::PRESENT && self.state.log.protected {
            self.append_counted().await?;
        }
        self.state.log.run = Run::No;
        self.state.log.settled = true;
        Ok(())
    }

    /// Finds an entry; its record is in the buffer. `to_replace`: a name of the same hash is an error then.
    pub(super) async fn find(&mut self, key: Key<'_>, hash: u64, to_replace: bool) -> Result<bool, Stop<F::Error>> {
        self.walk(hash).await?;
        if Self::GLANCES && to_replace && !self.state.path.is_true {
            // What comes in its place needs its pointers, if there is room for so many.
            self.walk_exactly(hash).await?;
        }
        if !self.state.path.found || self.state.record.class == Class::Tombstone {
            return Ok(false);
        }
        let class = if !C::SMALL && (key.space == COPIES || key.client == SYSTEM) { Class::Chunk } else { Class::Key };
        let same = self.state.record.class == class && self.field(CLIENT) == key.client && same(self.name(), key.name);
        if !same {
            return if to_replace { Err(Stop::Collision) } else { Ok(false) };
        }
        let Cut { whole, inline, .. } = self.cut_found();
        if whole < inline { Err(Stop::Damaged) } else { Ok(true) }
    }

    /// The same for those who read only.
    pub(super) async fn look_up(&mut self, key: Key<'_>) -> Result<bool, Stop<F::Error>> {
        check(&key)?;
        self.seek(key).await
    }

    /// The same for entries of the store's own too.
    pub(super) async fn seek(&mut self, key: Key<'_>) -> Result<bool, Stop<F::Error>> {
        self.ready().await?;
        let hash = self.hash_of(key);
        self.confirm(hash).await?;
        let head = self.head(self.bucket_of(hash));
        if !C::SMALL && head.excludes(hash) {
            self.check_doubt(head)?;
            return Ok(false);
        }
        self.find(key, hash, false).await
    }

    /// A record that may be marginal is written again before it is served.
    pub(super) async fn confirm(&mut self, hash: u64) -> Result<(), Stop<F::Error>> {
        let newest = self.position(self.head(self.bucket_of(hash)));
        if self.state.log.for_all || C::PRESENT && self.state.log.uncounted || newest == self.state.log.copy {
            self.confirm_last().await?;
        }
        Ok(())
    }

    /// Whatever is asked for: the last record is written again if it may be marginal.
    pub(super) async fn confirm_last(&mut self) -> Result<(), Stop<F::Error>> {
        let marginal = C::PRESENT && self.state.log.uncounted
            || self.has_hole() && (self.state.log.for_all || self.state.log.copy != NOWHERE);
        if C::READER || !marginal || self.state.read_only || self.state.report.doubt.is_some() || self.state.log.stuck {
            return Ok(());
        }
        let written = match self.writable().await {
            // Sessions that only read use up room too, and a delete must find some.
            Ok(()) => self.make_room(0, self.kept_free()).await,
            Err(error @ (Stop::Damaged | Stop::Counter | Stop::RolledBack)) => return Err(error),
            failed => failed,
        };
        // Nothing can be written any more: serve what can be read, as a read-only mount does.
        self.state.log.stuck = written.is_err();
        self.ready().await
    }

    /// Copies part of a value; the entry is in the buffer.
    pub(super) async fn copy_value(&mut self, cut: Cut, offset: u32, target: &mut [u8]) -> Result<(), Stop<F::Error>> {
        let owner = self.state.record.hash;
        copy_overlap(0, self.inline(), offset, target);
        let end = offset.saturating_add(length_u32(target.len()));
        let mut index = offset.saturating_sub(cut.inline) / self.chunk_length();
        while index < self.chunks(cut) && self.chunk_start(cut, index) < end {
            let name = chunk_name(owner, index);
            let hash = self.hash(CHUNK_SPACE, &name);
            self.confirm(hash).await?;
            self.walk(hash).await?;
            let from = self.chunk_start(cut, index);
            let length = self.chunk_length().min(cut.whole - from);
            let good = self.state.path.found
                && self.state.record.class == Class::Chunk
                && self.state.record.shape.inline() == length as usize
                && same(self.name(), &name);
            if !good {
                target.fill(0);
                return Err(Stop::Damaged);
            }
            copy_overlap(from, self.inline(), offset, target);
            index += 1;
        }
        Ok(())
    }

    /// Writes the chunks of a value, the `rest` of it or those that it has `from` another entry, and tombstones for those of
    /// the `old` chunks that are left over.
    async fn put_chunks(
        &mut self,
        owner: u64,
        cut: Cut,
        rest: &[u8],
        from: Option<u64>,
        old: u32,
    ) -> Result<(), Stop<F::Error>> {
        let clear = cut.attributes.any(Attributes::NO_CONFIDENTIALITY);
        let new = self.chunks(cut);
        let mut chunks = rest.chunks(self.chunk_length() as usize);
        for index in 0..new.max(old) {
            let name = chunk_name(owner, index);
            let hash = self.hash(CHUNK_SPACE, &name);
            let gone = hash.to_le_bytes();
            let (mut shape, mut named, mut inline, mut copy) = (Shape::TOMBSTONE, &gone[..], &[][..], NOWHERE);
            if index < new {
                (named, inline) = (&name[..], chunks.next().unwrap_or_default());
                shape = Shape::single(Kind::Chunk, CHUNK_NAME, inline.len()).with(CLEAR, clear);
                if let Some(from) = from {
                    self.find_chunk(from, index).await?;
                    (shape, copy) = (self.state.record.shape, self.state.record.at);
                }
            }
            self.draft(shape.with(MORE, true), hash).copy = copy;
            self.append(named, inline).await?;
        }
        Ok(())
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    pub(super) fn hash_of(&self, key: Key<'_>) -> u64 {
        self.hash(u64::from(key.space) << 32 | u64::from(key.client), key.name)
    }

    /// Segments that a change leaves free. A delete may use one that puts leave alone: it must succeed on a full store.
    #[inline(never)]
    pub(super) fn kept_by(&self, how: How) -> u32 {
        self.kept_free() - u32::from(how.any(How::DELETE.and(How::RESTORE)))
    }

    /// Whether a new value may be stored in place of an old one.
    fn admit(&self, new: Cost, old: Cost) -> Result<(), Stop<F::Error>> {
        let capacity = self.capacity();
        if new.bytes > capacity {
            return Err(Stop::TooLarge);
        }
        if self.need(self.counted().minus(old).plus(new)) <= capacity { Ok(()) } else { Err(Stop::Full) }
    }

    /// Begins a run, unless one is open.
    pub(super) fn begin_run(&mut self, protect: bool) {
        // In a small store each record is a run.
        if !C::SMALL && self.state.log.run == Run::No {
            self.state.log.run = Run::Ready;
            self.state.log.open_ended = false;
            self.state.log.protected = protect;
            self.state.before.set(&self.state.counts);
        }
    }

    /// Whether the last record of a change is followed by what ends the run.
    pub(super) fn goes_on(&self) -> bool {
        C::PRESENT && self.state.log.protected || self.in_transaction()
    }

    pub(super) fn in_transaction(&self) -> bool {
        !C::SMALL && self.state.log.run != Run::No && self.state.log.open_ended
    }

    /// Bytes of value in each chunk, the last one aside.
    fn chunk_length(&self) -> u32 {
        self.sizes().body_max - length_u32(CHUNK_NAME)
    }

    pub(super) fn chunks(&self, cut: Cut) -> u32 {
        if C::SMALL { 0 } else { (cut.whole - cut.inline).div_ceil(self.chunk_length()) }
    }

    /// Where in the value a chunk begins.
    fn chunk_start(&self, cut: Cut, index: u32) -> u32 {
        cut.inline + index * self.chunk_length()
    }

    pub(super) fn cut<E>(&self, key: Key<'_>, length: usize) -> Result<Cut, Stop<E>> {
        let whole = u32::try_from(length).map_err(|_| Stop::TooLarge)?;
        let inline = whole.min(self.sizes().body_max - length_u32(key.name.len()));
        let cut = Cut { whole, inline, attributes: Attributes::NONE };
        if C::SMALL && inline < whole { Err(Stop::TooLarge) } else { Ok(cut) }
    }

    pub(super) fn entry_shape(&self, key: Key<'_>, cut: Cut) -> Shape {
        Shape::single(Kind::Entry, key.name.len(), cut.inline as usize)
            .with(CLIENT, key.client != 0)
            .with(LONG, !C::SMALL && cut.whole > cut.inline)
            .with(ATTRIBUTES, !C::SMALL && cut.attributes != Attributes::NONE)
            .with(CLEAR, !C::SMALL && cut.attributes.any(Attributes::NO_CONFIDENTIALITY))
    }

    /// Bytes that the run takes in which a new value replaces an old one.
    pub(super) fn run_length(&self, new: Cost, old: Cost) -> u32 {
        let gone = old.records.saturating_sub(new.records) * (self.tombstone_cost() + self.pointer_allowance());
        new.bytes.saturating_add(new.records * self.pointer_allowance()).saturating_add(gone)
    }

    /// How the value of the entry in the buffer is cut.
    pub(super) fn cut_found(&self) -> Cut {
        let inline = length_u32(self.state.record.shape.inline());
        Cut { whole: self.value_length(), inline, attributes: self.attributes() }
    }

    /// What the value of the entry in the buffer counts as.
    pub(super) fn cost_found(&self) -> Cost {
        self.cost_of(self.state.record.shape, self.cut_found())
    }

    /// What a value counts as, in an entry of this shape.
    pub(super) fn cost_of(&self, shape: Shape, cut: Cut) -> Cost {
        let chunk = |bytes: u32| self.cost_of_record(Shape::single(Kind::Chunk, CHUNK_NAME, bytes as usize));
        let mut cost = self.cost_of_record(shape);
        if let Some(full) = self.chunks(cut).checked_sub(1) {
            let last = cut.whole - self.chunk_start(cut, full);
            let Cost { bytes, .. } = chunk(self.chunk_length());
            cost = cost.plus(Cost { bytes: bytes.saturating_mul(full), records: full, long: full }).plus(chunk(last));
        }
        cost
    }

    fn cost_of_record(&self, shape: Shape) -> Cost {
        Cost { bytes: self.cost(shape), records: 1, long: self.is_long(shape).into() }
    }
}

/// Whether callers may have an entry of this name.
pub(super) fn check<E>(key: &Key<'_>) -> Result<(), Stop<E>> {
    let good = !key.name.is_empty() && key.name.len() <= 255 && key.client != SYSTEM;
    if good { Ok(()) } else { Err(Stop::InvalidName) }
}

#[inline(never)]
pub(super) fn chunk_name(owner: u64, index: u32) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = owner.to_le_bytes();
    let [i, j, k, l] = index.to_le_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

/// Copies what `data`, the bytes of a value from `start` on, has of those from `offset` on that `target` wants.
fn copy_overlap(start: u32, data: &[u8], offset: u32, target: &mut [u8]) {
    let source = data.get(offset.saturating_sub(start) as usize..).unwrap_or_default();
    put(target, start.saturating_sub(offset) as usize, source);
}

const _: () = assert!(POINTERS_MAX < 32, "five bits say the number of pointers");
