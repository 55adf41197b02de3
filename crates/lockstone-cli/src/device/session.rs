//! A mounted store of any suite.

use embedded_storage::nor_flash::ReadNorFlash;
use lockstone::inspect::{RecordKind, SegmentView, Sight};
use lockstone::seal::Suite as Sealing;
use lockstone::trust::{Anchor, Protection};
use lockstone::{
    Aes, Ascon, Attributes, ChangeError, Clients, CounterState, Cursor, Error, Key, Objects, OpenError, Part, Plain,
    Put, Ram, Report, ResealError, Rights, SoftRootKey, Stats, Store, VolumeKind, VolumeTable,
};
use lockstone_sim::SimError;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use zeroize::Zeroizing;

use super::rekey::Ahead;
use super::trusted::FileCounter;
use super::{AnyRam, Chip, Config, Suite};
use crate::exit::Failure;
use crate::file_flash::{FileFlash, FileVolume, FlashError};
use crate::standing::Standing;

type Result<T> = core::result::Result<T, Error<FlashError>>;
type Kept<'m, S> = Store<'m, FileVolume, S, FileCounter>;

/// A store, and the volume for objects beside it; `None`: the device has none, or nobody asked yet. One that can't be opened is in
/// nobody's way who asks for no object.
#[derive(Debug)]
pub(super) struct Both<'m, S> {
    pub(super) store: Kept<'m, S>,
    pub(super) objects: Option<core::result::Result<Objects<'m, FileVolume, S>, NotOpen>>,
    /// RAM for objects, until somebody asks for them.
    slot: Option<&'m mut [u8]>,
}

impl<S: Sealing> Both<'_, S> {
    /// Opens the volume for objects, if there is one.
    fn open(&mut self, place: &Place) {
        let Some(slot) = self.slot.take() else { return };
        self.objects = match place.volume(VolumeKind::Objects, 0) {
            Ok(volume) => {
                volume.map(|volume| Objects::open(volume, place.part, &mut self.store, slot).map_err(NotOpen::Volume))
            }
            Err(error) => Some(Err(NotOpen::Table(error))),
        };
    }
}

/// Why the volume for objects can't be used.
#[derive(Clone, Copy, Debug)]
pub(super) enum NotOpen {
    Volume(OpenError<FlashError>),
    /// Where it is can't be told: the volume table can't be read.
    Table(Error<FlashError>),
}

/// The flash of a device, and which volume is where.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) flash: Rc<RefCell<FileFlash>>,
    pub(super) part: Part,
    /// In force if the store keeps no table.
    own: VolumeTable,
    /// The one in force, once somebody asked.
    pub(super) table: Option<core::result::Result<VolumeTable, Error<FlashError>>>,
}

/// The store of a device, bound to its counter.
#[derive(Debug)]
pub(crate) struct Session<'m> {
    pub(super) store: AnyStore<'m>,
    /// Where the counter stood when it was mounted.
    counter_before: u32,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) enum AnyStore<'m> {
    Ascon(Both<'m, Ascon>),
    Aes(Both<'m, Aes>),
    Plain(Both<'m, Plain>),
}

/// The same call on the store of any suite.
macro_rules! on_store {
    ($session:expr, $store:ident => $call:expr) => {
        match $session {
            AnyStore::Ascon(Both { store: $store, .. }) => $call,
            AnyStore::Aes(Both { store: $store, .. }) => $call,
            AnyStore::Plain(Both { store: $store, .. }) => $call,
        }
    };
}

/// The same call as one client of the store of any suite; gives the session back too.
macro_rules! as_client {
    ($session:expr, $id:expr, $client:ident => $call:expr) => {{
        let Session { store, counter_before, place } = $session;
        as_client!(store, counter_before, place, $id, $client => $call, Ascon, Aes, Plain)
    }};
    ($store:ident, $before:ident, $place:ident, $id:expr, $client:ident => $call:expr, $($suite:ident),*) => {
        match $store {
            $(AnyStore::$suite(Both { store, objects, slot }) => {
                let mut clients = Clients::new(store, &mut []);
                let mut $client = clients.client($id);
                let done = $call;
                let store = AnyStore::$suite(Both { store: clients.into_store(), objects, slot });
                (Session { store, counter_before: $before, place: $place }, done)
            })*
        }
    };
}

/// The flash of a device, and RAM for what is on it.
struct Parts<'m> {
    flash: Rc<RefCell<FileFlash>>,
    ram: Ram<'m>,
    slot: &'m mut [u8],
}

fn mount<'m, S: Sealing>(
    parts: Parts<'m>,
    config: &Config,
    anchor: Anchor<'_, SoftRootKey, FileCounter>,
    even_rolled_back: bool,
) -> core::result::Result<(Both<'m, S>, Place), OpenError<FlashError>> {
    let Parts { flash, ram, slot } = parts;
    let part = config.geometry.part();
    let keys = FileVolume::on(&flash, 0, config.geometry.store());
    let store = if even_rolled_back {
        Store::danger_mount_rolled_back(keys, part, anchor, ram)?
    } else {
        Store::mount_protected(keys, part, anchor, ram)?
    };
    let place = Place { flash, part, own: config.geometry.table(), table: None };
    Ok((Both { store, objects: None, slot: Some(slot) }, place))
}

impl Place {
    /// Bytes of the volume for keys, which is never another one.
    pub(super) fn keys(&self) -> u32 {
        self.own.find(VolumeKind::Keys, 0).map_or(0, |keys| keys.length)
    }

    pub(super) fn table(&self) -> Result<VolumeTable> {
        self.table.unwrap_or(Ok(self.own))
    }

    /// A volume of the device; `None`: the table has no such one, or it lies outside of the flash.
    pub(super) fn volume(&self, kind: VolumeKind, number: u8) -> Result<Option<FileVolume>> {
        let table = self.table()?;
        let capacity = self.flash.borrow().capacity();
        let found = table.find(kind, number).filter(|volume| volume.part == 0 && volume.end() as usize <= capacity);
        Ok(found.map(|volume| FileVolume::on(&self.flash, volume.start, volume.length)))
    }
}

impl<'m> Session<'m> {
    pub(super) fn mount(
        flash: FileFlash,
        counter: FileCounter,
        config: &Config,
        root: &SoftRootKey,
        even_rolled_back: bool,
        memory: &'m mut AnyRam,
    ) -> core::result::Result<Self, Failure> {
        let (ram, slot) = memory.with_slot(config.heads);
        let parts = Parts { flash: Rc::new(RefCell::new(flash)), ram, slot };
        let anchor = Anchor { root, counter };
        let misfit = |error| config.misfit(error);
        let (store, place) = match config.suite {
            Suite::Ascon => {
                let (both, place) = mount(parts, config, anchor, even_rolled_back).map_err(misfit)?;
                (AnyStore::Ascon(both), place)
            }
            Suite::Aes => {
                let (both, place) = mount(parts, config, anchor, even_rolled_back).map_err(misfit)?;
                (AnyStore::Aes(both), place)
            }
            Suite::Plain => {
                let (both, place) = mount(parts, config, anchor, even_rolled_back).map_err(misfit)?;
                (AnyStore::Plain(both), place)
            }
        };
        let mut session = Self { store, counter_before: 0, place };
        session.counter_before = session.counter().value;
        Ok(session)
    }

    /// Finds out where the volumes are, and opens the one for objects: once, when somebody asks. It may take a write, as any read
    /// of an entry that a cut left in question.
    pub(super) fn look_for_volumes(&mut self) {
        if self.place.table.is_some() {
            return;
        }
        let (kept, own) = (on_store!(&mut self.store, store => store.volume_table()), self.place.own);
        let keys = |table: &VolumeTable| table.find(VolumeKind::Keys, 0);
        self.place.table = Some(match kept {
            Ok(None) => Ok(own),
            Ok(Some(kept)) if keys(&kept) == keys(&own) => Ok(kept),
            // The store says that it lies elsewhere: that is another device's table.
            Ok(Some(_)) => Err(Error::Damaged),
            Err(error) => Err(error),
        });
        match &mut self.store {
            AnyStore::Ascon(both) => both.open(&self.place),
            AnyStore::Aes(both) => both.open(&self.place),
            AnyStore::Plain(both) => both.open(&self.place),
        }
    }

    /// Neither the flash nor the counter is changed from now on.
    pub(super) fn read_only(mut self) -> Self {
        on_store!(&mut self.store, store => store.make_read_only());
        self
    }

    pub(crate) fn put_with(&mut self, key: Key<'_>, value: &[u8], how: Put) -> Result<()> {
        on_store!(&mut self.store, store => store.put_with(key, value, how))
    }

    pub(crate) fn attributes_of(&mut self, key: Key<'_>) -> Result<Option<Attributes>> {
        on_store!(&mut self.store, store => store.attributes_of(key))
    }

    /// False: there is no such key.
    pub(crate) fn set_attributes(&mut self, key: Key<'_>, attributes: Attributes) -> Result<bool> {
        on_store!(&mut self.store, store => store.set_attributes(key, attributes))
    }

    /// Where the counter stands.
    pub(crate) fn counter(&self) -> CounterState {
        let state = on_store!(&self.store, store => store.counter_state());
        state.unwrap_or_default()
    }

    /// Whether this session took steps of the counter.
    pub(crate) fn has_counted(&self) -> bool {
        self.counter().value != self.counter_before
    }

    /// What the flash is bound to, and what the counter says of it.
    pub(crate) fn standing(&self) -> Standing {
        let bound = on_store!(&self.store, store => store.binding());
        Standing { bound, counter: self.counter().value, rolled_back: self.report().rolled_back }
    }

    pub(crate) fn rollbacks_accepted(&mut self) -> Result<u32> {
        on_store!(&mut self.store, store => store.rollbacks_accepted())
    }

    pub(crate) fn accept_rollback(&mut self) -> Result<()> {
        on_store!(&mut self.store, store => store.danger_accept_rollback())
    }

    /// Of a plain value; what an object's entry has is its manifest.
    pub(super) fn range_of_entry(&mut self, key: Key<'_>, offset: u32, buffer: &mut [u8]) -> Result<Option<usize>> {
        on_store!(&mut self.store, store => store.get_range(key, offset, buffer))
    }

    pub(crate) fn length_of_entry(&mut self, key: Key<'_>) -> Result<Option<u32>> {
        on_store!(&mut self.store, store => store.length(key))
    }

    /// Deletes a key, and what was shared of it.
    pub(crate) fn delete(self, of: u32, name: &[u8]) -> (Self, Result<bool>) {
        as_client!(self, of, client => client.delete(name))
    }

    /// False: there is no such key.
    pub(crate) fn share(self, of: u32, name: &[u8], with: u32, rights: Rights) -> (Self, Result<bool>) {
        as_client!(self, of, client => client.share(name, with, rights))
    }

    /// Client `of` reads what `owner` shares under that name.
    pub(crate) fn get_shared(self, of: u32, name: &[u8], owner: u32) -> (Self, Result<Option<Zeroizing<Vec<u8>>>>) {
        as_client!(self, of, client => {
            let mut value = Zeroizing::new(Vec::new());
            let mut found = client.get_shared(owner, name, &mut value);
            if let Err(Error::BufferTooSmall { needed }) = found {
                value.resize(needed as usize, 0);
                found = client.get_shared(owner, name, &mut value);
            }
            found.map(|found| found.map(|_| value))
        })
    }

    /// Client `of` replaces what `owner` shares under that name; false: there is no such key.
    pub(crate) fn put_shared(self, of: u32, name: &[u8], owner: u32, value: &[u8]) -> (Self, Result<bool>) {
        as_client!(self, of, client => client.put_shared(owner, name, value))
    }

    pub(crate) fn factory_reset(&mut self) -> Result<()> {
        on_store!(&mut self.store, store => store.factory_reset())
    }

    /// See [`Store::change_volume_table`].
    pub(super) fn change_volume_table(
        &mut self,
        from: &VolumeTable,
        to: &VolumeTable,
        protect: bool,
    ) -> core::result::Result<(), ChangeError<FlashError>> {
        on_store!(&mut self.store, store => store.change_volume_table(from, to, protect))
    }

    /// See [`Store::check_volume_table`].
    pub(super) fn check_volume_table(
        &mut self,
        from: &VolumeTable,
        to: &VolumeTable,
    ) -> core::result::Result<(), ChangeError<FlashError>> {
        on_store!(&mut self.store, store => store.check_volume_table(from, to))
    }

    /// Whether a change of so many bytes could be committed: before something is done for its sake. A protected one takes the step
    /// that opens the epoch of this session.
    pub(super) fn ask_for_room(&mut self, bytes: u32, protect: bool) -> Result<()> {
        let protect = protect || self.protection() == Protection::EveryCommit;
        on_store!(&mut self.store, store => {
            if protect { store.protected_transaction(bytes).map(drop) } else { store.transaction(bytes).map(drop) }
        })
    }

    pub(crate) fn scrub(&mut self, progress: impl FnMut(u32, u32)) -> Result<()> {
        on_store!(&mut self.store, store => store.scrub(progress))
    }

    /// Erases the volume of the keys.
    pub(crate) fn erase(self) -> Result<()> {
        on_store!(self.store, store => store.erase().map(drop))
    }

    /// Numbers of all clients of which a record is there, maybe of a key that was deleted.
    pub(crate) fn clients(&mut self) -> Result<BTreeSet<u32>> {
        let mut clients = BTreeSet::new();
        let segments = self.stats()?.segments;
        on_store!(&mut self.store, store => for segment in 0..segments {
            store.look(segment, &mut |sight| match sight {
                Sight::Record(record) if record.kind == RecordKind::Entry => {
                    clients.insert(record.client);
                }
                _ => {}
            })?;
        });
        clients.remove(&u32::MAX);
        Ok(clients)
    }

    /// Which commits are bound to the counter.
    pub(super) fn protection(&self) -> Protection {
        on_store!(&self.store, store => store.protection())
    }

    /// See [`Store::open_succession`].
    pub(super) fn open_succession(&mut self) -> Result<u32> {
        on_store!(&mut self.store, store => store.open_succession())
    }

    /// Copies everything into another store.
    pub(super) fn reseal_into<T: Sealing>(
        &mut self,
        target: &mut Store<'_, Chip, T, Ahead>,
        buffer: &mut [u8],
        progress: impl FnMut(u32, u32),
    ) -> core::result::Result<(), ResealError<FlashError, SimError>> {
        on_store!(&mut self.store, store => store.reseal_into(target, buffer, progress))
    }

    pub(crate) fn next_key(
        &mut self,
        cursor: &mut Cursor,
        client: u32,
        prefix: &[u8],
        name: &mut [u8; 255],
    ) -> Result<Option<usize>> {
        on_store!(&mut self.store, store => store.next_key(cursor, client, prefix, name))
    }

    /// What a segment is; its records are passed over.
    pub(crate) fn look(&mut self, physical: u32) -> Result<SegmentView> {
        on_store!(&mut self.store, store => store.look(physical, &mut |_| {}))
    }

    pub(crate) fn stats(&mut self) -> Result<Stats> {
        on_store!(&mut self.store, store => store.stats())
    }

    pub(crate) const fn report(&self) -> &Report {
        on_store!(&self.store, store => store.report())
    }

    /// Writes the closing mark, if one is due.
    pub(crate) fn close(self) -> Result<()> {
        on_store!(self.store, store => store.close().map(drop))
    }
}
