//! Objects on flash: write a chunk, find it again, commit, and know which blocks are free.
//!
//! Invariants:
//! 1. A slot is programmed once after its block was erased, and only in a block that says to be this object's. The store
//!    knows of a power session, and of its first slot, before the session programs one.
//! 2. What a cut may have left marginal does not count by itself: each session begins by writing it again. Every later look
//!    at the slots tells the same, however a torn one reads then.
//! 3. Two different contents of one chunk are never sealed alike: each session seals for itself.
//! 4. A chunk of a finished object is handed out only when it's the one that went into the digest: pieces of tables
//!    pin chunks and each other, the manifest pins their root.
//! 5. A block is erased only when the store says that its object doesn't exist, or when nothing is in it.

mod blocks;
mod census;
mod install;
mod reseal;
mod slots;
mod table;

use core::marker::PhantomData;

use digest::Digest;
use digest::consts::U32;
use subtle::ConstantTimeEq;

use super::{NorFlash, Store, one_source, sealing};
use crate::attributes::{Attributes, How, Put};
use crate::error::{Error, OpenError};
use crate::format::object::{BlockHeader, HEAD, MANIFEST, Manifest, NOTE, NOTE_MAX, Name, Note, OPEN, SLOTS_MAX};
use crate::format::put;
use crate::key::Key;
use crate::layout::{LayoutError, Part};
use crate::object::{ObjectError, ObjectLayout, PEEK, Unfinished, Upload};
use crate::report::Cursor;
use crate::seal::Suite;
use crate::trust::MonotonicCounter;
use blocks::note_of;
pub use install::Slot;
pub use reseal::Reseal;
use slots::Map;

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
    /// Where the chunks are of what was read last.
    map: Map,
    /// What was begun last, and in which session.
    writer: (Name, u32),
    /// The store is being made from another one: what it notes is not counted.
    filling: bool,
    suite: PhantomData<S>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    name: Name,
    ordinal: u32,
    block: u32,
}

/// What a block begins with.
enum Found {
    Good(BlockHeader),
    /// A header that does not verify: of another store, or torn.
    Other,
    Blank,
    Strange,
    Unreadable,
}

type Failure<F, D> = ObjectError<
    <F as embedded_storage::nor_flash::ErrorType>::Error,
    <D as embedded_storage::nor_flash::ErrorType>::Error,
>;

/// An error, and the chunk that could not be read, if it was one.
type InChunk<E> = (E, Option<u32>);

/// First letter of the store's own entries for objects that are being written.
const UPLOADS: u8 = b'u';
/// How often a chunk is written elsewhere because its slot did not take it.
const TRIES: u32 = 8;
/// More blocks than this that are not ours, and none that is, make a volume somebody else's.
const FEW: u32 = 3;
/// No block.
const NOWHERE: u32 = u32::MAX;

#[one_source]
impl<'m, F: NorFlash, S: Suite> Objects<'m, F, S> {
    /// Erases the volume: **all objects on it are lost**. `buffer` takes a slot: 1,536 bytes are always enough.
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
            match objects.header(store, block).await {
                Found::Good(header) => {
                    ours += 1;
                    objects.erases = objects.erases.max(header.erases);
                    if header.sequence >= objects.sequence {
                        objects.sequence = header.sequence.saturating_add(1);
                        objects.cursor = (block + 1) % objects.layout.blocks;
                    }
                }
                Found::Other => others += 1,
                Found::Strange | Found::Unreadable => strange += 1,
                Found::Blank => {}
            }
        }
        // Cuts leave torn headers, a few at most before there is a whole one.
        match (ours, others > FEW, strange > FEW) {
            (0, true, _) => Err(OpenError::NotAuthentic),
            (0, _, true) => Err(OpenError::Unknown),
            _ => Ok(objects),
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
        let (erased, seen, writer) = (part.erased, Seen::default(), (Name::default(), 0));
        let (map, filling, suite) = (Map::default(), false, PhantomData);
        Ok(Self { flash, buffer, layout, erased, sequence: 1, cursor: 0, erases: 0, seen, map, writer, filling, suite })
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
        if length == Some(OPEN) {
            return Err(ObjectError::TooLarge);
        }
        let length = length.unwrap_or(OPEN);
        let mut id = [0; 8];
        random.try_fill_bytes(&mut id).map_err(|_| ObjectError::Random)?;
        let hash = store.hash_of(key);
        let mut name = Name { hash, id: u64::from_le_bytes(id) ^ store.unlike_before() };
        let mut upload = Upload::new(name, length, &self.layout, bytes);
        let blocks = if length == OPEN { 1 } else { self.layout.blocks_for(length) };
        let slots = u64::from(blocks) * u64::from(self.layout.slots);
        if upload.bytes.len() < self.upload_room(length) || blocks > self.layout.blocks || slots > u64::from(SLOTS_MAX)
        {
            return Err(ObjectError::TooLarge);
        }
        let known = [store.object_of(hash).await?, self.note(store, hash).await?.map(|note| note.id)];
        // A number that was there before is no use: it may be that of an object whose blocks are still lying about.
        let mut free = 0;
        let mut block = 0;
        while block < self.layout.blocks {
            let header = self.header(store, block).await;
            if known.contains(&Some(name.id)) || matches!(header, Found::Good(header) if header.name == name) {
                name.id = name.id.wrapping_add(1);
                (free, block) = (0, 0);
                continue;
            }
            let in_use = match header {
                Found::Good(header) => self.is_live(store, header.name, Some(hash)).await?,
                _ => false,
            };
            free += u32::from(!in_use);
            block += 1;
        }
        if free < blocks {
            return Err(ObjectError::Full);
        }
        upload.name = name;
        let mut note = [0; NOTE_MAX];
        Note { id: name.id, length, client: key.client, session: upload.session, start: 0 }.put_to(&mut note);
        put(&mut note, NOTE, key.name);
        let note = note.get(..NOTE + key.name.len()).unwrap_or_default();
        store.commit(note_of(name.hash).key(), note, self.noting()).await?;
        upload.forget();
        upload.settled = true;
        self.writer = (name, upload.session);
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
        let Some(Note { id, length, .. }) = self.note(store, hash).await? else { return Ok(None) };
        let name = Name { hash, id };
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
        self.begin(store, upload).await?;
        let chunk = self.layout.chunk;
        let most = upload.length.min(upload.chunks() * chunk);
        let end = u32::try_from(data.len()).ok().and_then(|length| offset.checked_add(length));
        let Some(end) = end.filter(|end| *end <= most) else { return Err(ObjectError::OutOfRange) };
        let (mut at, mut data) = (offset, data);
        while at < end {
            let index = at / chunk;
            let last = ((index + 1) * chunk).min(upload.length);
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
        upload.accepted = upload.accepted.max(end);
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
        let end = u32::try_from(target.len()).ok().and_then(|length| offset.checked_add(length));
        if end.is_none_or(|end| end > upload.length) {
            return Err(ObjectError::OutOfRange);
        }
        let (mut at, mut rest) = (offset, target);
        while !rest.is_empty() {
            let index = at / chunk;
            if index >= upload.chunks() || !upload.has(index) {
                return Err(ObjectError::Incomplete);
            }
            if !self.load_newest(store, upload, index).await? {
                return Err(ObjectError::Damaged);
            }
            rest = self.hand_out(&mut at, rest);
        }
        Ok(())
    }

    /// Ends an object: reads all of it back, computes its digest, compares it with the `expected` one, and puts it under its key in
    /// one step, whatever was there. `key` is the one it was begun under.
    ///
    /// # Errors
    /// [`ObjectError::Incomplete`], [`ObjectError::WrongDigest`], or what the store says of the key: nothing was committed, and
    /// the upload can go on or be [given up](Self::abort). An open length is settled by the first call that finds no gap. A call
    /// that failed or was dropped may have lost the part of a chunk that was in RAM: the next one finds it missing.
    /// [`ObjectError::GivenUp`]: there is another under this key by now, or none.
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
        if store.object_of(upload.name.hash).await? == Some(upload.name.id) {
            // It was committed, though the last call could not say so.
            let manifest = self.manifest(store, key).await?.ok_or(ObjectError::GivenUp)?;
            let wrong = expected.is_some_and(|expected| !bool::from(expected.ct_eq(&manifest.digest)));
            return if wrong { Err(ObjectError::WrongDigest) } else { Ok(manifest) };
        }
        if self.note(store, upload.name.hash).await?.is_none_or(|note| note.id != upload.name.id) {
            return Err(ObjectError::GivenUp);
        }
        let had = store.attributes_of(key).await?.unwrap_or(Attributes::NONE);
        let wanted = how.attributes.unwrap_or(had.without(Attributes::FACTORY));
        wanted.check().map_err(Error::Attributes)?;
        self.settle(store, upload).await?;
        // Another handle may have ended it before what this one took in.
        if upload.accepted > upload.length || upload.next_missing(0).is_some() {
            return Err(ObjectError::Incomplete);
        }
        self.begin(store, upload).await?;
        self.end(store, upload).await?;
        // What is sealed from here on must not be sealed again with other content in the same session.
        upload.settled = false;
        let manifest = match self.read_back::<H, D, C>(store, upload, expected).await {
            Ok(manifest) => manifest,
            Err((failure, bad)) => {
                if let Some(bad) = bad {
                    self.settle(store, upload).await?;
                    upload.set(bad, false);
                }
                return Err(failure);
            }
        };
        let attributes = wanted.and(Attributes::OBJECT);
        let protect = how.protect || had.and(wanted.complete()).any(Attributes::PROTECTED);
        let mut change = store.begin_transaction(store.commit_room(), protect).await?;
        change.put_as(key, &manifest.to_bytes(), How::with(attributes)).await?;
        change.change_own(note_of(upload.name.hash).key(), &[], How::DELETE).await?;
        change.commit().await?;
        Ok(manifest)
    }

    /// Writes the tables of an unfinished object, reads all of it back by way of them, and computes its digest: what is pinned is what
    /// went into that. An error comes with the chunk that could not be read.
    async fn read_back<H, D, C>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        expected: Option<&[u8; 32]>,
    ) -> Result<Manifest, InChunk<Failure<F, D>>>
    where
        H: Digest<OutputSize = U32>,
        D: NorFlash,
        C: MonotonicCounter,
    {
        let root = self.write_tables(store, upload).await.map_err(whole)?;
        let Upload { length, name, block: last, .. } = *upload;
        let mut manifest = Manifest { length, digest: [0; 32], id: name.id, last, root };
        manifest.digest = self.digest_mapped::<H, D, C>(store, name, &manifest).await?;
        if expected.is_some_and(|expected| !bool::from(expected.ct_eq(&manifest.digest))) {
            return Err(whole(ObjectError::WrongDigest));
        }
        Ok(manifest)
    }

    /// Reads all chunks of a finished object, and computes its digest. An error comes with the chunk that could not be read.
    async fn digest_mapped<H, D, C>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        manifest: &Manifest,
    ) -> Result<[u8; 32], InChunk<Failure<F, D>>>
    where
        H: Digest<OutputSize = U32>,
        D: NorFlash,
        C: MonotonicCounter,
    {
        self.map(name, manifest);
        let (mut hash, length) = (H::new(), manifest.length);
        for index in 0..length.div_ceil(self.layout.chunk) {
            if !self.load_mapped(store, index).await.map_err(whole)? {
                return Err((ObjectError::Incomplete, Some(index)));
            }
            let used = (length - index * self.layout.chunk).min(self.layout.chunk);
            for piece in self.text(0).get(..used as usize).unwrap_or_default().chunks(sealing::PIECE) {
                sealing::pause().await;
                hash.update(piece);
            }
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(&hash.finalize());
        Ok(digest)
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
        let mut failure = None;
        for block in 0..self.layout.blocks {
            let free = match self.header(store, block).await {
                Found::Good(header) => !self.is_live(store, header.name, None).await?,
                // What can't be read now may be read later.
                Found::Unreadable => false,
                _ => !self.is_blank(block).await,
            };
            if free {
                match self.erase(block).await {
                    Ok(()) => erased += 1,
                    Err(error) => failure = Some(ObjectError::Flash(error)),
                }
            }
        }
        failure.map_or(Ok(erased), Err)
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
        let wanted = (manifest.length.saturating_sub(offset) as usize).min(target.len());
        self.map(Name { hash: store.hash_of(key), id: manifest.id }, &manifest);
        let (mut at, mut rest) = (offset, target.get_mut(..wanted).unwrap_or_default());
        while !rest.is_empty() {
            if !self.load_mapped(store, at / self.layout.chunk).await? {
                rest.fill(0);
                return Err(ObjectError::Damaged);
            }
            rest = self.hand_out(&mut at, rest);
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
            if !store.is_note() {
                continue;
            }
            let mut note = [0; NOTE_MAX];
            let length = store.copy_note(&mut note).await?;
            let of = note.get(NOTE..length).unwrap_or_default();
            put(name, 0, of);
            let Note { client, length, .. } = Note::of_bytes(&note);
            return Ok(Some(Unfinished {
                client,
                name: of.len(),
                length: Some(length).filter(|length| *length != OPEN),
            }));
        }
        Ok(None)
    }
}

impl<F, S: Suite> Objects<'_, F, S> {
    /// The sizes of the volume.
    pub const fn layout(&self) -> &ObjectLayout {
        &self.layout
    }

    /// How notes are written.
    const fn noting(&self) -> How {
        if self.filling { How::UNCOUNTED } else { How::USUAL }
    }

    /// Bytes of RAM for an upload.
    fn upload_room(&self, length: u32) -> usize {
        if length == OPEN { self.layout.slot as usize + 1 } else { self.layout.upload_size(length) }
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

    /// The same to write in.
    fn text_mut(&mut self, from: u32) -> &mut [u8] {
        let start = HEAD + S::TAG;
        self.buffer.get_mut(start + from as usize..start + self.layout.chunk as usize).unwrap_or_default()
    }

    /// Copies what the chunk in the buffer has from the offset `at` of its object on, and returns what of `target` is left.
    fn hand_out<'t>(&self, at: &mut u32, target: &'t mut [u8]) -> &'t mut [u8] {
        let text = self.text((*at % self.layout.chunk) as usize);
        let (now, rest) = target.split_at_mut(text.len().min(target.len()));
        put(now, 0, text);
        *at += super::load::length_u32(now.len());
        rest
    }
}

impl<F, S> core::fmt::Debug for Objects<'_, F, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Objects").field("layout", &self.layout).finish_non_exhaustive()
    }
}

/// An error of no chunk.
const fn whole<E>(error: E) -> InChunk<E> {
    (error, None)
}
