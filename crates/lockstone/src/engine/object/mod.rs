//! Objects on flash: write a chunk, find it again, commit, and know which blocks are free.
//!
//! Invariants:
//! 1. A slot is programmed once after its block was erased, and only when every slot before it in the object was, so that a
//!    cut can have touched the last one alone.
//! 2. Nothing that a cut may have left marginal is served or counted as there: the last slot of the session before is
//!    written again, the header of a block without slots too.
//! 3. Of several slots with one chunk the last one counts.
//! 4. A block is erased only when the store says that its object doesn't exist.

mod blocks;
mod slots;

use core::marker::PhantomData;

use digest::Digest;
use digest::consts::U32;
use subtle::ConstantTimeEq;

use super::{NorFlash, Store, one_source};
use crate::attributes::{Attributes, How, Put};
use crate::error::{Error, OpenError};
use crate::format::{put, put_word, word};
use crate::key::Key;
use crate::layout::{LayoutError, Part};
use crate::object::{
    FIELDS, HEAD, MAGIC, MANIFEST, Manifest, Name, OPEN, ObjectError, ObjectLayout, PEEK, SLOTS_MAX, Unfinished, Upload,
};
use crate::report::Cursor;
use crate::seal::Suite;
use crate::trust::MonotonicCounter;
use blocks::{NOBODY, note_of};

/// Objects on the flash `F`, which may be another part than the store's, or a [`Volume`](crate::Volume) of the same.
///
/// ```
/// use core::cell::RefCell;
/// use lockstone::{Ascon, Memory, Objects, Part, Put, SoftRootKey, Store, Volume, buffer_size};
/// # use lockstone_sim::SimFlash;
/// # use sha2::{Digest, Sha256};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (flash, root) = (SimFlash::<1, 4, 4096>::new(1 << 20, 0xff), SoftRootKey::new([0x42; 32]));
/// # let mut random = lockstone_torture::Fixed(1);
/// # let firmware = vec![7; 100_000];
/// let flash = RefCell::new(flash);
/// let [keys, objects] = Volume::split(&flash, [64 * 1024, 960 * 1024])?;
/// let mut memory = Memory::<16, { buffer_size(1, 4, 4096) }>::new();
/// let mut store = Store::<_, Ascon>::format(keys, Part::NOR, &root, &mut random, &mut memory)?;
/// let mut buffer = [0; 1100];
/// let mut objects = Objects::<_, Ascon>::format(objects, Part::NOR, &mut buffer)?;
///
/// let mut ram = [0; 800]; // `objects.layout().upload_size(length)` would do
/// let mut upload = objects.create(&mut store, "firmware", Some(100_000), &mut random, &mut ram)?;
/// objects.write(&mut store, &mut upload, 65_536, &firmware[65_536..])?;
/// // Power may go here: `resume` goes on.
/// assert_eq!(upload.next_missing(0), Some(0..65_536));
/// objects.write(&mut store, &mut upload, 0, &firmware[..65_536])?;
/// let digest = Sha256::digest(&firmware).into();
/// objects.finish::<Sha256, _, _>(&mut store, &mut upload, "firmware", Some(&digest), Put::USUAL)?;
///
/// let mut bytes = [0; 16];
/// assert_eq!(objects.read(&mut store, "firmware", 50_000, &mut bytes)?, Some(16));
/// # assert_eq!(bytes, [7; 16]);
/// # Ok(()) }
/// ```
pub struct Objects<'m, F, S> {
    flash: F,
    /// Room for a slot.
    buffer: &'m mut [u8],
    layout: ObjectLayout,
    erased: u8,
    /// The number of the next block, and where the search for a free one begins.
    sequence: u32,
    cursor: u32,
    /// How often the block was erased that was erased most.
    erases: u32,
    /// Where a block was found last.
    seen: Seen,
    suite: PhantomData<S>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    name: Name,
    ordinal: u32,
    block: u32,
}

/// What the header of a block says.
#[derive(Clone, Copy, Default)]
struct Header {
    name: Name,
    sequence: u32,
    erases: u32,
    ordinal: u32,
}

type Failure<F, D> = ObjectError<
    <F as embedded_storage::nor_flash::ErrorType>::Error,
    <D as embedded_storage::nor_flash::ErrorType>::Error,
>;

/// First letter of the store's own entries for objects that are being written.
const UPLOADS: u8 = b'u';
/// Identity, length, client; then the name.
const NOTE: usize = 16;
/// How often a chunk is written elsewhere because its slot did not take it.
const TRIES: u32 = 8;
/// Words of a table that are kept while an object is read through.
const KEPT: u32 = 16;
/// No block.
const NOWHERE: u32 = u32::MAX;

#[one_source]
impl<'m, F: NorFlash, S: Suite> Objects<'m, F, S> {
    /// Erases the volume: **all objects on it are lost**. `buffer` takes a slot: 1,100 bytes are always enough.
    ///
    /// # Errors
    /// [`OpenError::Layout`] before anything is erased; [`OpenError::Flash`] for a block that can't be erased.
    pub async fn format(flash: F, part: Part, buffer: &'m mut [u8]) -> Result<Self, OpenError<F::Error>> {
        let mut objects = Self::assemble(flash, part, buffer)?;
        for block in 0..objects.layout.blocks {
            objects.erase(block).await.map_err(OpenError::Flash)?;
        }
        Ok(objects)
    }

    /// Opens the volume that belongs to this store. Nothing is written.
    ///
    /// # Errors
    /// [`OpenError::NotAuthentic`] when it belongs to another store, [`OpenError::Unknown`] when it holds something else.
    pub async fn open<D: NorFlash, C: MonotonicCounter>(
        flash: F,
        part: Part,
        store: &mut Store<'_, D, S, C>,
        buffer: &'m mut [u8],
    ) -> Result<Self, OpenError<F::Error>> {
        let mut objects = Self::assemble(flash, part, buffer)?;
        let (mut ours, mut others, mut strange) = (0_u32, 0_u32, 0_u32);
        for block in 0..objects.layout.blocks {
            match objects.header(store, block).await.map_err(OpenError::Flash)? {
                Some(header) => {
                    ours += 1;
                    objects.erases = objects.erases.max(header.erases);
                    if header.sequence >= objects.sequence {
                        objects.sequence = header.sequence + 1;
                        objects.cursor = (block + 1) % objects.layout.blocks;
                    }
                }
                None if word(objects.buffer, 0) == MAGIC => others += 1,
                None => {
                    let length = FIELDS + S::TAG;
                    let header = objects.buffer.get(..length).unwrap_or_default();
                    strange += u32::from(header.iter().any(|byte| *byte != objects.erased));
                }
            }
        }
        // A cut leaves one torn header.
        match (ours, others, strange) {
            (1.., ..) => Ok(objects),
            (0, others, strange) if others + strange <= 1 => Ok(objects),
            (0, 0, _) => Err(OpenError::Unknown),
            _ => Err(OpenError::NotAuthentic),
        }
    }

    fn assemble(flash: F, part: Part, buffer: &'m mut [u8]) -> Result<Self, LayoutError> {
        let sizes = part.layout(F::READ_SIZE, F::WRITE_SIZE, F::ERASE_SIZE, flash.capacity())?;
        if F::READ_SIZE > PEEK {
            return Err(LayoutError::ReadUnit);
        }
        let capacity = u32::try_from(flash.capacity()).unwrap_or(u32::MAX);
        let layout = ObjectLayout::of(&sizes, capacity, super::load::length_u32(S::TAG))?;
        if buffer.len() < layout.slot.max(layout.header) as usize {
            return Err(LayoutError::Buffer);
        }
        let (erased, seen) = (part.erased, Seen::default());
        Ok(Self { flash, buffer, layout, erased, sequence: 1, cursor: 0, erases: 0, seen, suite: PhantomData })
    }

    /// Begins an object under this key, which is there when it was [finished](Self::finish): until then the key keeps what it
    /// has. An unfinished one of the same key is given up. `length`: its bytes, `None`: it's found out at the end.
    /// `bytes`: RAM for it, [`upload_size`](ObjectLayout::upload_size).
    ///
    /// # Errors
    /// [`ObjectError::TooLarge`], [`ObjectError::Full`]: nothing was changed.
    pub async fn create<'w, 'k, D, C, R>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        key: impl Into<Key<'k>>,
        length: Option<u32>,
        random: &mut R,
        bytes: &'w mut [u8],
    ) -> Result<Upload<'w>, Failure<F, D>>
    where
        D: NorFlash,
        C: MonotonicCounter,
        R: rand_core::TryRng,
    {
        let key = key.into();
        super::ops::check(&key)?;
        let length = length.unwrap_or(OPEN);
        let mut id = [0; 8];
        random.try_fill_bytes(&mut id).map_err(|_| ObjectError::Random)?;
        let mut name = Name { hash: store.hash_of(key), id: u64::from_le_bytes(id) };
        let mut upload = Upload::new(name, length, &self.layout, bytes);
        let room = upload.bytes.len() as u64;
        let wanted =
            if length == OPEN { u64::from(self.layout.slot) + 1 } else { self.layout.upload_size(length) as u64 };
        let chunks = if length == OPEN { 1 } else { length.div_ceil(self.layout.chunk) };
        if room < wanted || chunks + chunks / 128 > SLOTS_MAX {
            return Err(ObjectError::TooLarge);
        }
        let blocks = if length == OPEN { 1 } else { self.layout.blocks_for(length) };
        if blocks > self.layout.blocks {
            return Err(ObjectError::TooLarge);
        }
        // A random number that was there before is no use: it may be that of an object whose blocks are still lying about.
        let mut free = 0;
        let mut block = 0;
        while block < self.layout.blocks {
            match self.header(store, block).await.map_err(ObjectError::Flash)? {
                Some(header) if header.name == name => {
                    name.id = name.id.wrapping_add(1);
                    (free, block) = (0, 0);
                    continue;
                }
                Some(header) if self.is_live(store, header.name, key).await? => {}
                _ => free += 1,
            }
            block += 1;
        }
        if free < blocks {
            return Err(ObjectError::Full);
        }
        upload.name = name;
        let mut note = [0; NOTE + 255];
        put(&mut note, 0, &name.id.to_le_bytes());
        put_word(&mut note, 8, length);
        put_word(&mut note, 12, key.client);
        put(&mut note, NOTE, key.name);
        let note = note.get(..NOTE + key.name.len()).unwrap_or_default();
        store.commit(note_of(name.hash).key(), note, How::USUAL).await?;
        upload.forget();
        upload.settled = true;
        Ok(upload)
    }

    /// Goes on with the object that was begun under this key, however long ago; `None`: there is none. What was acknowledged is
    /// there. Nothing is written.
    ///
    /// # Errors
    /// [`ObjectError::TooLarge`] when there is too little RAM.
    pub async fn resume<'w, 'k, D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        key: impl Into<Key<'k>>,
        bytes: &'w mut [u8],
    ) -> Result<Option<Upload<'w>>, Failure<F, D>> {
        let key = key.into();
        super::ops::check(&key)?;
        let hash = store.hash_of(key);
        let Some((id, length)) = self.note(store, hash).await? else { return Ok(None) };
        let name = Name { hash, id };
        if self.committed(store, hash).await? == Some(id) {
            // It was finished, and power went before the note was taken away.
            store.commit(note_of(hash).key(), &[], How::DELETE).await?;
            return Ok(None);
        }
        let wanted = if length == OPEN { self.layout.slot as usize + 1 } else { self.layout.upload_size(length) };
        if bytes.len() < wanted {
            return Err(ObjectError::TooLarge);
        }
        let mut upload = Upload::new(name, length, &self.layout, bytes);
        self.settle(store, &mut upload).await?;
        Ok(Some(upload))
    }

    /// Takes bytes at an offset, in any order; those that are there already are ignored. What fills whole chunks (or the last one)
    /// survives any power cut when this returns. A part of a chunk stays in RAM, and is forgotten when the next bytes don't
    /// go on behind it: [`Upload::next_missing`] names it until the chunk is whole.
    ///
    /// # Errors
    /// [`ObjectError::OutOfRange`], [`ObjectError::Full`]; what was written before is there.
    pub async fn write<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        offset: u32,
        data: &[u8],
    ) -> Result<(), Failure<F, D>> {
        self.settle(store, upload).await?;
        self.write_again(store, upload).await?;
        let chunk = self.layout.chunk;
        let most = if upload.length == OPEN { upload.chunks() * chunk } else { upload.length };
        let end = u32::try_from(data.len()).ok().and_then(|length| offset.checked_add(length));
        let Some(end) = end.filter(|end| *end <= most) else { return Err(ObjectError::OutOfRange) };
        let (mut at, mut data) = (offset, data);
        while at < end {
            let index = at / chunk;
            let last =
                if upload.length == OPEN { (index + 1) * chunk } else { ((index + 1) * chunk).min(upload.length) };
            let Some((now, then)) = data.split_at_checked((last.min(end) - at) as usize) else { break };
            if !upload.has(index) {
                if at != upload.part.end || at / chunk != upload.part.start / chunk || upload.part.is_empty() {
                    upload.part = at..at;
                }
                let text = HEAD + S::TAG + (at % chunk) as usize;
                put(upload.bytes, text, now);
                upload.part.end = last.min(end);
                if upload.part == (index * chunk..last) {
                    self.append(store, upload, index).await?;
                }
            }
            (at, data) = (last.min(end), then);
        }
        Ok(())
    }

    /// Copies bytes of an unfinished object; all of the range must be there.
    ///
    /// # Errors
    /// [`ObjectError::Incomplete`], [`ObjectError::Damaged`].
    pub async fn read_upload<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        offset: u32,
        target: &mut [u8],
    ) -> Result<(), Failure<F, D>> {
        self.settle(store, upload).await?;
        let chunk = self.layout.chunk;
        let mut at = offset;
        let mut target = target;
        while !target.is_empty() {
            let index = at / chunk;
            if index >= upload.chunks() || !upload.has(index) {
                return Err(ObjectError::Incomplete);
            }
            if !self.load_newest(store, upload, index).await? {
                return Err(ObjectError::Damaged);
            }
            let length = ((chunk - at % chunk) as usize).min(target.len());
            let (now, then) = target.split_at_mut(length);
            put(now, 0, self.text((at % chunk) as usize));
            (at, target) = (at + super::load::length_u32(length), then);
        }
        Ok(())
    }

    /// Ends an object: reads all of it back, computes its digest, compares it with the `expected` one, and puts it under its key in
    /// one step, whatever was there. `key` is the one it was begun under.
    ///
    /// # Errors
    /// [`ObjectError::Incomplete`], [`ObjectError::WrongDigest`], or what the store says of the key: nothing was changed, and
    /// the upload can go on or be [given up](Self::abort).
    pub async fn finish<'k, H, D, C>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        key: impl Into<Key<'k>>,
        expected: Option<&[u8; 32]>,
        how: Put,
    ) -> Result<Manifest, Failure<F, D>>
    where
        H: Digest<OutputSize = U32>,
        D: NorFlash,
        C: MonotonicCounter,
    {
        let key = key.into();
        if how.attributes.is_some_and(|attributes| attributes.any(Attributes::FACTORY)) {
            return Err(ObjectError::Factory);
        }
        if store.hash_of(key) != upload.name.hash {
            return Err(ObjectError::NotAnObject);
        }
        self.settle(store, upload).await?;
        if upload.length != OPEN && upload.next_missing(0).is_some() {
            return Err(ObjectError::Incomplete);
        }
        self.write_again(store, upload).await?;
        let length = self.end_of(store, upload).await?;
        let chunks = length.div_ceil(self.layout.chunk);
        if (0..chunks).any(|chunk| !upload.has(chunk)) {
            return Err(ObjectError::Incomplete);
        }
        let tables = if upload.in_order { OPEN } else { self.write_tables(store, upload, chunks).await? };
        let mut hash = H::new();
        let mut kept = [0; KEPT as usize];
        for index in 0..chunks {
            let slot = match tables {
                OPEN => Some(index),
                tables => self.looked_up(store, upload.name, tables, chunks, index, &mut kept).await?,
            };
            let good = match slot {
                Some(slot) => self.load(store, upload.name, slot, index).await?,
                None => false,
            };
            if !good {
                upload.set(index, false);
                return Err(ObjectError::Incomplete);
            }
            let used = (length - index * self.layout.chunk).min(self.layout.chunk);
            hash.update(self.text(0).get(..used as usize).unwrap_or_default());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(&hash.finalize());
        if expected.is_some_and(|expected| !bool::from(expected.ct_eq(&digest))) {
            return Err(ObjectError::WrongDigest);
        }
        let manifest = Manifest { length, digest, id: upload.name.id, tables, first: upload.first };
        let had = store.attributes_of(key).await?.unwrap_or(Attributes::NONE);
        let mut wanted = how.attributes.unwrap_or(had);
        wanted.check().map_err(Error::Attributes)?;
        if wanted.any(Attributes::FACTORY) {
            wanted = wanted.without(Attributes::FACTORY);
        }
        let protect = if how.protect { How::PROTECT } else { How::USUAL };
        let change = How::with(wanted.and(Attributes::OBJECT)).and(protect);
        store.put_as(key, &manifest.to_bytes(), change).await?;
        store.commit(note_of(upload.name.hash).key(), &[], How::DELETE).await?;
        Ok(manifest)
    }

    /// Gives an unfinished object up, and erases what was written of it. False: there is none under this key.
    ///
    /// # Errors
    /// [`ObjectError::Flash`]: it's given up, but not everything is erased; [`reclaim`](Self::reclaim) goes on.
    pub async fn abort<'k, D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        key: impl Into<Key<'k>>,
    ) -> Result<bool, Failure<F, D>> {
        let key = key.into();
        super::ops::check(&key)?;
        let hash = store.hash_of(key);
        let there = store.commit(note_of(hash).key(), &[], How::DELETE).await?;
        self.reclaim(store).await?;
        Ok(there)
    }

    /// Erases every block of objects that were deleted, replaced or given up, and returns how many. Without it they are erased
    /// when their room is needed.
    ///
    /// # Errors
    /// [`ObjectError::Flash`]; calling it again goes on.
    pub async fn reclaim<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
    ) -> Result<u32, Failure<F, D>> {
        let mut erased = 0;
        for block in 0..self.layout.blocks {
            let header = self.header(store, block).await.map_err(ObjectError::Flash)?;
            let free = match header {
                Some(header) => !self.is_live(store, header.name, NOBODY).await?,
                None => !self.is_blank(block).await.map_err(ObjectError::Flash)?,
            };
            if free {
                self.erase(block).await.map_err(ObjectError::Flash)?;
                erased += 1;
            }
        }
        Ok(erased)
    }

    /// What the store knows of an object; `None`: there is no such key.
    ///
    /// # Errors
    /// [`ObjectError::NotAnObject`], or what the store says.
    pub async fn manifest<'k, D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        key: impl Into<Key<'k>>,
    ) -> Result<Option<Manifest>, Failure<F, D>> {
        let key = key.into();
        let Some(attributes) = store.attributes_of(key).await? else { return Ok(None) };
        let mut bytes = [0; MANIFEST];
        if !attributes.is_object() || store.get(key, &mut bytes).await? != Some(MANIFEST) {
            return Err(ObjectError::NotAnObject);
        }
        Ok(Some(Manifest::of_bytes(&bytes)))
    }

    /// Copies bytes of an object from `offset` on, as many as there are and fit, and returns how many; `None`: there is no such
    /// key. Only the chunks concerned are read, each verified before anything of it is handed out.
    ///
    /// # Errors
    /// [`ObjectError::Damaged`], [`ObjectError::NotAnObject`].
    pub async fn read<'k, D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        key: impl Into<Key<'k>>,
        offset: u32,
        target: &mut [u8],
    ) -> Result<Option<usize>, Failure<F, D>> {
        let key = key.into();
        let Some(manifest) = self.manifest(store, key).await? else { return Ok(None) };
        let name = Name { hash: store.hash_of(key), id: manifest.id };
        if self.seen.name != name {
            self.seen = Seen { name, ordinal: 0, block: manifest.first };
        }
        let (chunk, length) = (self.layout.chunk, manifest.length);
        let chunks = length.div_ceil(chunk);
        let wanted = (length.saturating_sub(offset) as usize).min(target.len());
        let mut rest = target.get_mut(..wanted).unwrap_or_default();
        let mut at = offset;
        // Of the tables nothing is kept between two chunks that are far apart.
        let mut kept = [0; KEPT as usize];
        let mut from = NOWHERE;
        while !rest.is_empty() {
            let index = at / chunk;
            let slot = match manifest.tables {
                OPEN => Some(index),
                tables => {
                    let block = index / KEPT * KEPT;
                    if from != block {
                        self.looked_up(store, name, tables, chunks, block, &mut kept).await?;
                        from = block;
                    }
                    kept.get((index % KEPT) as usize).copied().map(u32::from)
                }
            };
            let good = match slot {
                Some(slot) => self.load(store, name, slot, index).await?,
                None => false,
            };
            if !good {
                rest.fill(0);
                return Err(ObjectError::Damaged);
            }
            let now = ((chunk - at % chunk) as usize).min(rest.len());
            let (place, then) = rest.split_at_mut(now);
            put(place, 0, self.text((at % chunk) as usize));
            (at, rest) = (at + super::load::length_u32(now), then);
        }
        Ok(Some(wanted))
    }

    /// The next unfinished object of any client; its name is copied to `name`. `None` at the end.
    ///
    /// # Errors
    /// What the store says of damage.
    pub async fn next_upload<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        cursor: &mut Cursor,
        name: &mut [u8; 255],
    ) -> Result<Option<Unfinished>, Failure<F, D>> {
        store.ready().await?;
        store.confirm_last().await?;
        while store.next_record(cursor).await? {
            if let Some(note) = store.upload_note() {
                let of = note.get(NOTE..).unwrap_or_default();
                put(name, 0, of);
                let length = Some(word(note, 8)).filter(|length| *length != OPEN);
                return Ok(Some(Unfinished { client: word(note, 12), name: of.len(), length }));
            }
        }
        Ok(None)
    }
}

impl<F, S: Suite> Objects<'_, F, S> {
    /// The sizes of the volume.
    pub const fn layout(&self) -> &ObjectLayout {
        &self.layout
    }

    /// The flash, for its driver.
    pub fn flash(&mut self) -> &mut F {
        &mut self.flash
    }

    /// The text of the chunk in the buffer, from an offset on.
    fn text(&self, from: usize) -> &[u8] {
        let start = HEAD + S::TAG;
        self.buffer.get(start + from..start + self.layout.chunk as usize).unwrap_or_default()
    }
}

impl<F, S> core::fmt::Debug for Objects<'_, F, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Objects").field("layout", &self.layout).finish_non_exhaustive()
    }
}

/// What a chunk is bound to beside its number.
pub(super) fn place_of(name: Name) -> [u8; 16] {
    let mut place = [0; 16];
    put(&mut place, 0, &name.hash.to_le_bytes());
    put(&mut place, 8, &name.id.to_le_bytes());
    place
}
