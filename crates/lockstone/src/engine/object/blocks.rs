//! Blocks: which object one belongs to, which are free, and what the store says of that.

use super::slots::reads_as;
use super::{Failure, Header, NOTE, NOWHERE, NorFlash, Objects, Seen, Store, UPLOADS, one_source};
use crate::error::Error;
use crate::format::header::Class;
use crate::format::record::CLIENT;
use crate::format::{put, put_word, word};
use crate::key::{Key, SYSTEM};
use crate::layout::Position;
use crate::object::{FIELDS, MAGIC, Name, ObjectError, PEEK, PEEK_LENGTH, long};
use crate::seal::{Domain, Suite};
use crate::trust::MonotonicCounter;

#[one_source]
impl<F: NorFlash, S: Suite> Objects<'_, F, S> {
    /// Where the block of an object with this ordinal is.
    pub(super) async fn block_of<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        ordinal: u32,
    ) -> Result<Option<u32>, Failure<F, D>> {
        if self.seen.name == name && self.seen.ordinal == ordinal && name != Name::default() {
            // Whatever is there now: chunks answer for themselves.
            return Ok(Some(self.seen.block).filter(|block| *block != NOWHERE));
        }
        let blocks = self.layout.blocks;
        let start = if self.seen.name == name && self.seen.block < blocks {
            // Blocks were taken in turn, but for those that were in use.
            (self.seen.block + blocks + ordinal - self.seen.ordinal % blocks) % blocks
        } else {
            0
        };
        for block in (start..blocks).chain(0..start) {
            if let Some(header) = self.header(store, block).await.map_err(ObjectError::Flash)?
                && header.name == name
                && header.ordinal == ordinal
            {
                self.seen = Seen { name, ordinal, block };
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    /// Reads the header of a block; `None`: it has none, or not one of this store.
    pub(super) async fn header<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        block: u32,
    ) -> Result<Option<Header>, F::Error> {
        let length = (FIELDS + S::TAG).next_multiple_of(F::READ_SIZE);
        let bytes = self.buffer.get_mut(..length).unwrap_or_default();
        bytes.fill(self.erased);
        if self.flash.read(block * self.layout.block, bytes).await.is_err() {
            // Unreadable, so there is nothing to be kept: it's torn, or worn.
            bytes.fill(!self.erased);
            return Ok(None);
        }
        let (fields, tag) = bytes.split_at(FIELDS);
        let tag = tag.get(..S::TAG).unwrap_or_default();
        let at = Position::new(block, 0);
        let good = word(fields, 0) == MAGIC && S::unseal(store.keys.0, Domain::Block, at, fields, &mut [], tag);
        Ok(good.then(|| Header {
            name: Name { hash: long(fields, 4), id: long(fields, 12) },
            sequence: word(fields, 20),
            erases: word(fields, 24),
            ordinal: word(fields, 28),
        }))
    }

    /// Opens a free block, or the `stale` one anew, for an object.
    pub(super) async fn open_block<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        ordinal: u32,
        stale: Option<u32>,
    ) -> Result<u32, Failure<F, D>> {
        let blocks = self.layout.blocks;
        let start = stale.unwrap_or(self.cursor);
        let mut failure = ObjectError::Full;
        for step in 0..blocks {
            let block = (start + step) % blocks;
            let header = self.header(store, block).await.map_err(ObjectError::Flash)?;
            if let Some(header) = header
                && stale != Some(block)
                && self.is_live(store, header.name, NOBODY).await?
            {
                continue;
            }
            // One that lost its count has at most been erased as often as the others.
            let erases = header.map_or(self.erases, |header| header.erases + 1);
            if let Err(error) = self.erase(block).await {
                failure = ObjectError::Flash(error);
                continue;
            }
            let length = self.layout.header as usize;
            let bytes = self.buffer.get_mut(..length).unwrap_or_default();
            bytes.fill(self.erased);
            put_word(bytes, 0, MAGIC);
            put(bytes, 4, &name.hash.to_le_bytes());
            put(bytes, 12, &name.id.to_le_bytes());
            put_word(bytes, 20, self.sequence);
            put_word(bytes, 24, erases);
            put_word(bytes, 28, ordinal);
            let fields = bytes.get(..FIELDS).unwrap_or_default();
            let tag = S::seal(store.keys.0, Domain::Block, Position::new(block, 0), fields, &mut []);
            put(bytes, FIELDS, tag.get(..S::TAG).unwrap_or_default());
            let at = block * self.layout.block;
            self.flash.write(at, bytes).await.map_err(ObjectError::Flash)?;
            if reads_as(&mut self.flash, at, bytes).await.map_err(ObjectError::Flash)? {
                self.sequence += 1;
                self.cursor = (block + 1) % blocks;
                self.erases = self.erases.max(erases);
                self.seen = Seen { name, ordinal, block };
                return Ok(block);
            }
            // What did not stick must not stick later.
            let _ = self.erase(block).await;
        }
        Err(failure)
    }

    /// Erases a block, its header first.
    pub(super) async fn erase(&mut self, block: u32) -> Result<(), F::Error> {
        if self.seen.block == block {
            self.seen = Seen::default();
        }
        let start = block * self.layout.block;
        for part in 0..self.layout.block / self.layout.erase {
            let from = start + part * self.layout.erase;
            self.flash.erase(from, from + self.layout.erase).await?;
        }
        Ok(())
    }

    pub(super) async fn is_blank(&mut self, block: u32) -> Result<bool, F::Error> {
        let from = block * self.layout.block;
        blank(&mut self.flash, self.erased, from, self.layout.block).await
    }

    /// Whether a slot looks as if nothing had been written to it.
    pub(super) async fn is_erased(&mut self, at: u32) -> Result<bool, F::Error> {
        blank(&mut self.flash, self.erased, at, self.layout.slot).await
    }

    /// Whether the store knows this object. One that is being written under `but` does not count: it's given up.
    pub(super) async fn is_live<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        but: Key<'_>,
    ) -> Result<bool, Failure<F, D>> {
        if self.committed(store, name.hash).await? == Some(name.id) {
            return Ok(true);
        }
        let given_up = !but.name.is_empty() && store.hash_of(but) == name.hash;
        Ok(!given_up && self.note(store, name.hash).await?.is_some_and(|(id, _)| id == name.id))
    }

    /// The identity of the object that is committed under a name.
    pub(super) async fn committed<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        hash: u64,
    ) -> Result<Option<u64>, Failure<F, D>> {
        Ok(store.object_of(hash).await?)
    }

    /// Identity and length of the object that is being written under a name.
    pub(super) async fn note<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        hash: u64,
    ) -> Result<Option<(u64, u32)>, Failure<F, D>> {
        let mut note = [0; NOTE + 255];
        let found = store.get_system(note_of(hash).key(), &mut note).await?;
        Ok(found.map(|_| (long(&note, 0), word(&note, 8))))
    }
}

/// No key.
pub(super) const NOBODY: Key<'static> = Key::new(&[]);

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// The identity of the object that is committed under a name with this hash.
    async fn object_of(&mut self, hash: u64) -> Result<Option<u64>, Error<F::Error>> {
        self.ready().await?;
        self.confirm(hash).await?;
        self.walk(hash).await?;
        let object = self.state.path.found && self.state.record.class == Class::Key && self.attributes().is_object();
        let mut id = [0; 8];
        if object {
            let cut = self.cut_found();
            self.copy_value(cut, 0, &mut id).await?;
        }
        Ok(object.then(|| u64::from_le_bytes(id)))
    }

    /// An entry of the store's own.
    pub(super) async fn get_system(
        &mut self,
        key: Key<'_>,
        target: &mut [u8],
    ) -> Result<Option<usize>, Error<F::Error>> {
        if !self.seek(key).await? {
            return Ok(None);
        }
        let cut = self.cut_found();
        let Some(place) = target.get_mut(..cut.whole as usize) else { return Err(Error::Damaged) };
        self.copy_value(cut, 0, place).await?;
        Ok(Some(place.len()))
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// The note about an unfinished object, if the record in the buffer is one.
    pub(super) fn upload_note(&self) -> Option<&[u8]> {
        let note = self.state.record.class == Class::Chunk
            && self.field(CLIENT) == SYSTEM
            && self.name().len() == NOTE_NAME
            && self.name().first() == Some(&UPLOADS);
        Some(self.inline()).filter(|_| note)
    }
}

const NOTE_NAME: usize = 9;

/// Name of the note about an unfinished object.
pub(super) struct NoteName([u8; NOTE_NAME]);

impl NoteName {
    pub(super) const fn key(&self) -> Key<'_> {
        Key::new(&self.0).of_client(SYSTEM)
    }
}

pub(super) fn note_of(hash: u64) -> NoteName {
    let mut name = [UPLOADS; NOTE_NAME];
    put(&mut name, 1, &hash.to_le_bytes());
    NoteName(name)
}

#[one_source]
pub(super) async fn blank<F: NorFlash>(flash: &mut F, erased: u8, from: u32, length: u32) -> Result<bool, F::Error> {
    let mut bytes = [0; PEEK];
    let mut at = from;
    while at < from + length {
        let now = (from + length - at).min(PEEK_LENGTH);
        let piece = bytes.get_mut(..now as usize).unwrap_or_default();
        if flash.read(at, piece).await.is_err() || piece.iter().any(|byte| *byte != erased) {
            return Ok(false);
        }
        at += now;
    }
    Ok(true)
}
