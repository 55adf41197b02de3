//! Blocks: which object one belongs to, which are free, and what the store says of that.

use super::super::sealing::{self, Turn};
use super::super::space_of;
use super::slots::reads_as;
use super::{Failure, Found, NOWHERE, NorFlash, Objects, Seen, Store, TRIES, UPLOADS, one_source};
use crate::error::Error;
use crate::format::header::Class;
use crate::format::object::{BlockHeader, FIELDS, NOTE_MAX, Name, Note, SLOTS_MAX};
use crate::format::record::CLIENT;
use crate::format::{put, put_word};
use crate::key::{Key, SYSTEM};
use crate::layout::Position;
use crate::object::{ObjectError, PEEK, PEEK_LENGTH};
use crate::seal::{Domain, Message, Suite, Tag};
use crate::state;
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
        if self.seen.name == name && self.seen.ordinal == ordinal {
            // Whatever is there now: chunks answer for themselves. A manifest without a seal may name any.
            return Ok(Some(self.seen.block).filter(|block| *block < self.layout.blocks));
        }
        let start = self.expected(name, ordinal);
        for block in (start..self.layout.blocks).chain(0..start) {
            if let Found::Good(header) = self.header(store, block).await
                && header.name == name
                && header.ordinal == ordinal
            {
                self.seen = Seen { name, ordinal, block };
                return Ok(Some(block));
            }
        }
        self.seen = Seen { name, ordinal, block: NOWHERE };
        Ok(None)
    }

    /// The block of an object with the next ordinal behind one.
    pub(super) async fn block_after<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        ordinal: Option<u32>,
    ) -> Result<Option<(u32, u32)>, Failure<F, D>> {
        let least = ordinal.map_or(0, |ordinal| ordinal + 1);
        let start = self.expected(name, least);
        let mut found: Option<(u32, u32)> = None;
        for block in (start..self.layout.blocks).chain(0..start) {
            if let Found::Good(header) = self.header(store, block).await
                && header.name == name
                && header.ordinal >= least
                && header.ordinal < SLOTS_MAX / self.layout.slots + 1
                && found.is_none_or(|(ordinal, _)| header.ordinal < ordinal)
            {
                found = Some((header.ordinal, block));
                if header.ordinal == least {
                    break;
                }
            }
        }
        if let Some((ordinal, block)) = found {
            self.seen = Seen { name, ordinal, block };
        }
        Ok(found)
    }

    /// Where a block should be: they are taken in turn, but for those that are in use.
    fn expected(&self, name: Name, ordinal: u32) -> u32 {
        let Seen { name: seen, ordinal: from, block } = self.seen;
        let blocks = self.layout.blocks;
        if seen == name && block < blocks { (block + blocks + ordinal % blocks - from % blocks) % blocks } else { 0 }
    }

    /// Reads the header of a block.
    pub(super) async fn header<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        block: u32,
    ) -> Found {
        let length = (FIELDS + S::TAG).next_multiple_of(F::READ_SIZE);
        let bytes = self.buffer.get_mut(..length).unwrap_or_default();
        let mut tries = 0;
        while self.flash.read(block * self.layout.block, bytes).await.is_err() {
            tries += 1;
            if tries == TRIES {
                return Found::Unreadable;
            }
        }
        let (fields, tag) = bytes.split_at(FIELDS);
        let tag = tag.get(..S::TAG).unwrap_or_default();
        match BlockHeader::of_bytes(fields) {
            Some(header) => {
                let at = Position::new(block, 0);
                let good = store.unseal_other(Domain::Block, at, fields, &mut [], tag).await;
                if good { Found::Good(header) } else { Found::Other }
            }
            None if fields.iter().chain(tag).all(|byte| *byte == self.erased) => Found::Blank,
            None => Found::Strange,
        }
    }

    /// Whether a block is not of this object, as far as that can be read.
    pub(super) async fn is_lost<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        block: u32,
        name: Name,
    ) -> bool {
        match self.header(store, block).await {
            Found::Good(header) => header.name != name,
            Found::Unreadable => false,
            Found::Other | Found::Blank | Found::Strange => true,
        }
    }

    /// Opens a free block for an object, with this ordinal or a later one.
    pub(super) async fn open_block<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        mut ordinal: u32,
    ) -> Result<(u32, u32), Failure<F, D>> {
        let blocks = self.layout.blocks;
        let start = self.cursor;
        let mut failure = ObjectError::Full;
        // One that can't be read may be in use: it's taken when there is no other. If none such were taken, each header that a
        // cut left unreadable would be a block less for good.
        for step in 0..2 * blocks {
            let block = (start + step) % blocks;
            let erases = match self.header(store, block).await {
                Found::Good(header) if self.is_live(store, header.name, None).await? => continue,
                Found::Good(header) => header.erases.saturating_add(1),
                Found::Unreadable if step < blocks => continue,
                // One that lost its count has at most been erased as often as the others.
                _ => self.erases,
            };
            self.cursor = (block + 1) % blocks;
            match self.put_header(store, BlockHeader { name, sequence: self.sequence, erases, ordinal }, block).await {
                Ok(true) => {
                    self.sequence = self.sequence.saturating_add(1);
                    self.erases = self.erases.max(erases);
                    self.seen = Seen { name, ordinal, block };
                    return Ok((block, ordinal));
                }
                Ok(false) => failure = ObjectError::WornOut,
                Err(error) => failure = ObjectError::Flash(error),
            }
            // What did not stick must not stick later.
            if self.erase(block).await.is_err() {
                // It may read as ours all the same, now or later: two blocks with one ordinal would hide each other.
                ordinal += 1;
                if ordinal * self.layout.slots >= SLOTS_MAX {
                    return Err(ObjectError::TooLarge);
                }
            }
        }
        Err(failure)
    }

    /// Erases a block and writes its header; false: it did not stick.
    async fn put_header<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        header: BlockHeader,
        block: u32,
    ) -> Result<bool, F::Error> {
        self.erase(block).await?;
        let bytes = self.buffer.get_mut(..self.layout.header as usize).unwrap_or_default();
        bytes.fill(self.erased);
        header.put_to(bytes);
        let fields = bytes.get(..FIELDS).unwrap_or_default();
        let tag = store.seal_other(Domain::Block, Position::new(block, 0), fields, &mut []).await;
        put(bytes, FIELDS, tag.get(..S::TAG).unwrap_or_default());
        let at = block * self.layout.block;
        self.flash.write(at, bytes).await?;
        Ok(reads_as(&mut self.flash, at, bytes).await)
    }

    /// Erases a block, its header first.
    pub(super) async fn erase(&mut self, block: u32) -> Result<(), F::Error> {
        if self.seen.block == block {
            self.seen = Seen::default();
        }
        erase_blocks(&mut self.flash, block * self.layout.block, self.layout.block, self.layout.erase).await
    }

    pub(super) async fn is_blank(&mut self, block: u32) -> bool {
        let from = block * self.layout.block;
        blank(&mut self.flash, self.erased, from, self.layout.block).await
    }

    /// Whether a slot looks as if nothing had been written to it.
    pub(super) async fn is_erased(&mut self, at: u32) -> bool {
        blank(&mut self.flash, self.erased, at, self.layout.slot).await
    }

    /// Whether the store knows this object. One that is being written under the hash `but` does not count: it's given up.
    pub(super) async fn is_live<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        but: Option<u64>,
    ) -> Result<bool, Failure<F, D>> {
        if store.object_of(name.hash).await? == Some(name.id) {
            return Ok(true);
        }
        let unfinished =
            but != Some(name.hash) && self.note(store, name.hash).await?.is_some_and(|note| note.id == name.id);
        Ok(unfinished || self.is_held(store, name).await?)
    }

    /// What the store notes about the object that is being written under a name.
    pub(super) async fn note<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        hash: u64,
    ) -> Result<Option<Note>, Failure<F, D>> {
        let mut note = [0; NOTE_MAX];
        let found = store.get_system(note_of(hash).key(), &mut note).await?;
        Ok(found.map(|_| Note::of_bytes(&note)))
    }
}

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// The identity of the object that is committed under a name with this hash.
    pub(super) async fn object_of(&mut self, hash: u64) -> Result<Option<u64>, Error<F::Error>> {
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

    /// The value of the record in the buffer, which is a note.
    pub(super) async fn copy_note(&mut self, target: &mut [u8]) -> Result<usize, Error<F::Error>> {
        let cut = self.cut_found();
        let Some(place) = target.get_mut(..cut.whole as usize) else { return Err(Error::Damaged) };
        self.copy_value(cut, 0, place).await?;
        Ok(place.len())
    }

    /// An entry of the store's own.
    pub(super) async fn get_system(
        &mut self,
        key: Key<'_>,
        target: &mut [u8],
    ) -> Result<Option<usize>, Error<F::Error>> {
        if !C::READER {
            self.ready().await?;
            self.confirm(self.hash_of(key)).await?;
            return self.read_system(key, target).await;
        }
        let mut tries = 0;
        loop {
            // A reset that was begun changes none of these, and who only reads can't bring it to its end.
            self.look_again().await?;
            let read = self.read_system(key, target).await;
            // The last record may have read well at the mount, and badly now; nobody here can write it again.
            let copy = self.state.log.copy;
            if !matches!(read, Err(Error::Damaged)) || copy == state::NOWHERE || tries == TRIES {
                return read;
            }
            self.state.log.void = copy;
            self.state.log.settled = false;
            tries += 1;
        }
    }

    async fn read_system(&mut self, key: Key<'_>, target: &mut [u8]) -> Result<Option<usize>, Error<F::Error>> {
        let hash = self.hash_of(key);
        if self.find(key, hash, false).await? { self.copy_note(target).await.map(Some) } else { Ok(None) }
    }

    /// Seals what is no record.
    pub(super) async fn seal_other(&mut self, domain: Domain, at: Position, associated: &[u8], text: &mut [u8]) -> Tag {
        let mut turn = Turn::First;
        loop {
            match self.scratch.seal(&mut turn, self.keys.0, Message { domain, at, associated, text: &mut *text }) {
                Some(tag) => return tag,
                None => sealing::pause().await,
            }
        }
    }

    /// Unseals it.
    pub(super) async fn unseal_other(
        &mut self,
        domain: Domain,
        at: Position,
        associated: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> bool {
        let mut turn = Turn::First;
        loop {
            match self.scratch.unseal(&mut turn, self.keys.0, Message { domain, at, associated, text: &mut *text }, tag)
            {
                Some(good) => return good,
                None => sealing::pause().await,
            }
        }
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Whether the record in the buffer is a note about an unfinished object.
    pub(in super::super) fn is_note(&self) -> bool {
        self.state.record.class == Class::Chunk
            && self.field(CLIENT) == SYSTEM
            && self.name().len() == NOTE_NAME
            && self.name().first() == Some(&UPLOADS)
    }

    /// Room for a commit: manifest, name, and the end of a note; or what a slot is to hold, and what keeps an object. Each of its
    /// records takes at least a unit.
    pub(super) fn commit_room(&self) -> u32 {
        COMMIT + RECORDS * self.sizes().unit
    }

    /// Whether the record in the buffer says what a slot is to hold.
    pub(in super::super) fn is_slot(&self) -> bool {
        self.state.record.class == Class::Chunk && self.field(CLIENT) == SYSTEM && matches!(self.name(), [SLOTS, _])
    }

    /// A number that no other time of this store has: where its log ends.
    pub(super) fn unlike_before(&self) -> u64 {
        let Position { sequence, offset } = self.state.log.end;
        let mut place = [UPLOADS; 9];
        put_word(&mut place, 1, sequence);
        put_word(&mut place, 5, offset);
        self.hash(space_of(SYSTEM), &place)
    }
}

/// Bytes of the records of a commit, and how many there are at most.
const COMMIT: u32 = 600;
const RECORDS: u32 = 4;
const NOTE_NAME: usize = 9;
pub(super) const HELD_NAME: usize = 9;
/// First letter of the store's own entries for slots.
const SLOTS: u8 = b's';

/// Name of an entry of the store's own.
pub(super) struct OwnName<const N: usize>([u8; N]);

impl<const N: usize> OwnName<N> {
    pub(super) const fn key(&self) -> Key<'_> {
        Key::new(&self.0).of_client(SYSTEM)
    }
}

/// A letter and what follows.
pub(super) fn own_name<const N: usize>(letter: u8, rest: &[u8]) -> OwnName<N> {
    let mut name = [letter; N];
    put(&mut name, 1, rest);
    OwnName(name)
}

/// Name of what the store says of a slot.
pub(super) fn slot_name(number: u8) -> OwnName<2> {
    own_name(SLOTS, &[number])
}

/// Name of the note about an unfinished object.
pub(super) fn note_of(hash: u64) -> OwnName<NOTE_NAME> {
    own_name(UPLOADS, &hash.to_le_bytes())
}

/// Erases `length` bytes, one erase block after the other.
#[one_source]
pub(super) async fn erase_blocks<F: NorFlash>(
    flash: &mut F,
    start: u32,
    length: u32,
    erase: u32,
) -> Result<(), F::Error> {
    for part in 0..length / erase {
        let from = start + part * erase;
        flash.erase(from, from + erase).await?;
    }
    Ok(())
}

#[one_source]
pub(super) async fn blank<F: NorFlash>(flash: &mut F, erased: u8, from: u32, length: u32) -> bool {
    let mut bytes = [0; PEEK];
    let mut at = from;
    while at < from + length {
        let now = (from + length - at).min(PEEK_LENGTH);
        let piece = bytes.get_mut(..now as usize).unwrap_or_default();
        if flash.read(at, piece).await.is_err() || piece.iter().any(|byte| *byte != erased) {
            return false;
        }
        at += now;
    }
    true
}
