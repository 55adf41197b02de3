//! Objects of a session: values too large for the log, in the volume behind the keys.
//!
//! A value is read in one way, whether it is an object or not: see [`Session::length`] and [`Session::get_range`].

use getrandom::SysRng;
use lockstone::seal::Suite as Sealing;
use lockstone::{
    Attributes, BlockUse, Cursor, Error, Key, Manifest, ObjectLayout, Objects, OpenError, Put, Reseal, ResealError,
    ResealObjectsError, Store, Unfinished, Upload,
};
use serde_json::{Value, json};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::rekey::Ahead;
use super::session::{AnyStore, Both, NotOpen};
use super::{Chip, SLOT, Session};
use crate::exit::{Exit, Failure};
use crate::file_flash::FlashError;
use crate::terminal::counted;

type Result<T> = core::result::Result<T, Failure>;

/// The same call on the objects of any suite, if the device has some.
macro_rules! on_objects {
    ($session:expr, $objects:ident, $store:ident => $call:expr) => {{
        $session.look_for_volumes();
        on_objects!(&mut $session.store, $objects, $store => $call, Ascon, Aes, Plain)
    }};
    ($any:expr, $objects:ident, $store:ident => $call:expr, $($suite:ident),*) => {
        match $any {
            $(AnyStore::$suite(Both { store: $store, objects, .. }) => match objects {
                Some(Ok($objects)) => $call,
                Some(Err(error)) => Err(not_open(*error)),
                None => Err(no_volume()),
            },)*
        }
    };
}

pub(super) use on_objects;

pub(super) fn no_volume() -> Failure {
    Failure::usage("the device has no volume for objects")
        .hint("`lockstone new --objects SIZE` makes one that has, `lockstone volume add DEV objects` adds one where room is left")
}

pub(super) fn not_open(error: NotOpen) -> Failure {
    match error {
        NotOpen::Table(error) => error.into(),
        NotOpen::Volume(OpenError::Flash(error)) => error.into(),
        NotOpen::Volume(OpenError::Layout(error)) => Failure::new(Exit::Damaged, error.reason()),
        NotOpen::Volume(_) => Failure::new(Exit::Damaged, "the volume for objects holds what is not this device's")
            .hint("was a part of flash.bin replaced? The keys that are no objects are not concerned"),
    }
}

/// The volume for objects, block by block.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    pub(crate) layout: ObjectLayout,
    pub(crate) blocks: Vec<BlockUse>,
}

impl Usage {
    pub(crate) fn count(&self, which: &[BlockUse]) -> u64 {
        self.blocks.iter().filter(|block| which.contains(block)).count() as u64
    }

    /// Blocks that a new object may take.
    pub(crate) fn free(&self) -> u64 {
        self.count(&[BlockUse::Blank, BlockUse::Stale])
    }

    pub(crate) fn as_json(&self) -> Value {
        json!({
            "bytes": u64::from(self.layout.block) * u64::from(self.layout.blocks),
            "blocks": self.layout.blocks,
            "block_bytes": self.layout.block,
            "chunk_bytes": self.layout.chunk,
            "committed": self.count(&[BlockUse::Committed]),
            "unfinished": self.count(&[BlockUse::Unfinished]),
            "free": self.free(),
            "unreadable": self.count(&[BlockUse::Unreadable]),
        })
    }

    /// `16 blocks of 4096, chunks of 512: 7 used, 0 of unfinished objects, 9 free, 0 unreadable`.
    pub(crate) fn as_text(&self) -> String {
        let ObjectLayout { block, chunk, .. } = self.layout;
        format!(
            "{} of {block}, chunks of {chunk}: {} used, {} of unfinished objects, {} free, {} unreadable",
            counted(self.layout.blocks, "block"),
            self.count(&[BlockUse::Committed]),
            self.count(&[BlockUse::Unfinished]),
            self.free(),
            self.count(&[BlockUse::Unreadable])
        )
    }
}

/// An object that is there, or was begun.
pub(crate) struct Entry<T> {
    pub(crate) client: u32,
    pub(crate) name: Vec<u8>,
    pub(crate) what: T,
}

impl Session<'_> {
    /// Whether the device has a volume for objects, in order or not.
    pub(crate) fn has_volume(&mut self) -> bool {
        self.look_for_volumes();
        match &self.store {
            AnyStore::Ascon(both) => both.objects.is_some(),
            AnyStore::Aes(both) => both.objects.is_some(),
            AnyStore::Plain(both) => both.objects.is_some(),
        }
    }

    pub(crate) fn object_layout(&mut self) -> Result<ObjectLayout> {
        on_objects!(self, objects, _store => Ok(*objects.layout()))
    }

    pub(crate) fn is_object(&mut self, key: Key<'_>) -> core::result::Result<bool, Error<FlashError>> {
        Ok(self.attributes_of(key)?.is_some_and(Attributes::is_object))
    }

    /// What is known of an object; `None`: there is no such key.
    pub(crate) fn manifest(&mut self, key: Key<'_>) -> Result<Option<Manifest>> {
        on_objects!(self, objects, store => Ok(objects.manifest(store, key)?))
    }

    /// Bytes of a value, or of an object.
    pub(crate) fn length(&mut self, key: Key<'_>) -> Result<Option<u32>> {
        if self.is_object(key)? {
            return Ok(self.manifest(key)?.map(|manifest| manifest.length));
        }
        Ok(self.length_of_entry(key)?)
    }

    /// Copies part of a value, or of an object.
    pub(crate) fn get_range(&mut self, key: Key<'_>, offset: u32, buffer: &mut [u8]) -> Result<Option<usize>> {
        if self.is_object(key)? {
            return on_objects!(self, objects, store => Ok(objects.read(store, key, offset, buffer)?));
        }
        Ok(self.range_of_entry(key, offset, buffer)?)
    }

    /// RAM for any object of the device that is being written.
    pub(crate) fn upload_ram(&mut self) -> Result<Vec<u8>> {
        let layout = self.object_layout()?;
        Ok(vec![0; layout.upload_size(layout.block * layout.blocks)])
    }

    /// Begins an object; an unfinished one of the same key is given up.
    pub(crate) fn create<'w>(&mut self, key: Key<'_>, length: u32, ram: &'w mut [u8]) -> Result<Upload<'w>> {
        on_objects!(self, objects, store => Ok(objects.create(store, key, Some(length), &mut SysRng, ram)?))
    }

    /// Goes on with an unfinished object, if there is one.
    pub(crate) fn resume<'w>(&mut self, key: Key<'_>, ram: &'w mut [u8]) -> Result<Option<Upload<'w>>> {
        on_objects!(self, objects, store => Ok(objects.resume(store, key, ram)?))
    }

    pub(crate) fn write(&mut self, upload: &mut Upload<'_>, offset: u32, bytes: &[u8]) -> Result<()> {
        on_objects!(self, objects, store => Ok(objects.write(store, upload, offset, bytes)?))
    }

    pub(crate) fn read_upload(&mut self, upload: &mut Upload<'_>, offset: u32, target: &mut [u8]) -> Result<()> {
        on_objects!(self, objects, store => Ok(objects.read_upload(store, upload, offset, target)?))
    }

    /// Puts an object under its key in one step.
    pub(crate) fn finish(
        &mut self,
        upload: &mut Upload<'_>,
        key: Key<'_>,
        digest: Option<&[u8; 32]>,
        how: Put,
    ) -> Result<Manifest> {
        on_objects!(self, objects, store => Ok(objects.finish::<Sha256, _, _>(store, upload, key, digest, how)?))
    }

    /// Gives up an unfinished object. False: there is none.
    pub(crate) fn abort(&mut self, key: Key<'_>) -> Result<bool> {
        on_objects!(self, objects, store => Ok(objects.abort(store, key)?))
    }

    /// Erases the blocks of objects that are no more; how many. A device without a volume has none.
    pub(crate) fn reclaim(&mut self) -> Result<u32> {
        if !self.has_volume() {
            return Ok(0);
        }
        on_objects!(self, objects, store => Ok(objects.reclaim(store)?))
    }

    /// How the blocks of the volume are used; `None`: the device has none.
    pub(crate) fn usage(&mut self) -> Result<Option<Usage>> {
        if !self.has_volume() {
            return Ok(None);
        }
        let layout = self.object_layout()?;
        let mut blocks = Vec::new();
        on_objects!(self, objects, store => Ok(objects.census(store, |_, found| blocks.push(found))?))?;
        Ok(Some(Usage { layout, blocks }))
    }

    /// Every object of every client that was begun and not finished.
    pub(crate) fn unfinished(&mut self) -> Result<Vec<Entry<Unfinished>>> {
        if !self.has_volume() {
            return Ok(Vec::new());
        }
        let (mut found, mut cursor, mut name) = (Vec::new(), Cursor::new(), [0; 255]);
        while let Some(what) = self.next_unfinished(&mut cursor, &mut name)? {
            found.push(Entry { client: what.client, name: name[..what.name].to_vec(), what });
        }
        found.sort_by(|one, other| (one.client, &one.name).cmp(&(other.client, &other.name)));
        Ok(found)
    }

    fn next_unfinished(&mut self, cursor: &mut Cursor, name: &mut [u8; 255]) -> Result<Option<Unfinished>> {
        on_objects!(self, objects, store => Ok(objects.next_upload(store, cursor, name)?))
    }

    /// Copies the whole store into another one, where there are no objects.
    pub(super) fn reseal_keys<T: Sealing>(
        &mut self,
        target: &mut Store<'_, Chip, T, Ahead>,
        progress: impl FnMut(u32, u32),
    ) -> Result<()> {
        let mut buffer = self.buffer();
        self.reseal_into(target, &mut buffer, progress).map_err(|error| match error {
            ResealError::Source(error) => Failure::from(error),
            ResealError::Target(error) => Failure::from(error),
        })
    }

    /// Copies the whole store into another one, and its objects onto another flash.
    pub(super) fn reseal_all<T: Sealing>(
        &mut self,
        target: &mut Store<'_, Chip, T, Ahead>,
        behind: &mut Chip,
        progress: impl FnMut(u32, u32),
    ) -> Result<()> {
        let (mut buffer, mut ram, mut slot) = (self.buffer(), self.upload_ram()?, [0; SLOT]);
        let part = self.place.part;
        let mut there = Objects::<_, T>::format(behind, part, &mut slot)?;
        let to = Reseal { store: target, objects: &mut there, random: &mut SysRng, buffer: &mut buffer, ram: &mut ram };
        on_objects!(self, objects, store => {
            objects.reseal_into::<Sha256, _, _, _, _, _, _, _>(store, to, progress).map_err(|error| match error {
                ResealObjectsError::Source(error) => Failure::from(error),
                ResealObjectsError::Target(error) => Failure::from(error),
            })
        })
    }

    /// Room for any value of the store.
    fn buffer(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(vec![0; self.place.keys() as usize])
    }
}
