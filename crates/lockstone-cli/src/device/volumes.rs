//! Volumes and slots of a session: the table that the store keeps, and code in the clear behind it.

use embedded_storage::nor_flash::{NorFlash as _, ReadNorFlash as _};
use lockstone::{
    Ascon, Attributes, Installed, Key, LayoutError, ObjectError, Objects, OpenError, Slot, TableError, VolumeEntry,
    VolumeKind, VolumeTable,
};
use sha2::Sha256;

use super::Session;
use super::objects::{no_volume, not_open, on_objects};
use super::session::{AnyStore, Both};
use crate::exit::Failure;
use crate::file_flash::{FileVolume, FlashError};
use crate::volumes::stretches;

/// Bytes of the records of a volume table, and of what a slot holds; about.
const TABLE_ROOM: u32 = 300;
const SLOT_ROOM: u32 = 400;

type Result<T> = core::result::Result<T, Failure>;

impl Session<'_> {
    /// The volume table in force.
    pub(crate) fn volumes(&mut self) -> Result<VolumeTable> {
        self.look_for_volumes();
        Ok(self.place.table()?)
    }

    /// Where so many bytes are free, for a block of this size; without a length: the largest gap.
    pub(crate) fn room(&mut self, length: Option<u32>, block: u32) -> Result<Option<(u32, u32)>> {
        let (table, capacity) = (self.volumes()?, self.capacity());
        if let Some(length) = length {
            return Ok(table.room(0, capacity, block, length).map(|start| (start, length)));
        }
        let gaps = stretches(&table, capacity).into_iter().filter(|(volume, ..)| volume.is_none());
        let whole = gaps.map(|(_, start, length)| {
            let from = u64::from(start).next_multiple_of(block.into());
            let left = (u64::from(start) + u64::from(length)).saturating_sub(from);
            (u32::try_from(from).unwrap_or(u32::MAX), u32::try_from(left - left % u64::from(block)).unwrap_or(0))
        });
        Ok(whole.filter(|(_, left)| *left > 0).max_by_key(|(start, left)| (*left, u32::MAX - start)))
    }

    /// Bytes of the flash.
    pub(crate) fn capacity(&self) -> u32 {
        u32::try_from(self.place.flash.borrow().capacity()).unwrap_or(u32::MAX)
    }

    /// Adds a volume. The blocks of one for objects are erased before, so that nothing strange is in it.
    pub(crate) fn add_volume(&mut self, volume: VolumeEntry, block: u32, protect: bool) -> Result<()> {
        let table = self.volumes()?.with(volume)?;
        table.check(0, self.capacity(), block)?;
        let from = self.volumes()?;
        self.check_volume_table(&from, &table)?;
        self.ask_for_room(TABLE_ROOM, protect)?;
        let place = FileVolume::on(&self.place.flash, volume.start, volume.length);
        match volume.kind {
            VolumeKind::Objects => {
                let mut buffer = vec![0; super::SLOT];
                // Which suite does not matter to the sizes, nor to an erase.
                drop(Objects::<_, Ascon>::format(place, self.place.part, &mut buffer).map_err(no_objects_fit)?);
            }
            VolumeKind::Slot if !self.has_volume() => return Err(no_volume()),
            VolumeKind::Slot => drop(Slot::new(place, self.place.part, volume.number).map_err(no_slot_fits)?),
            _ => {}
        }
        self.follow(&table, protect)
    }

    pub(crate) fn remove_volume(&mut self, kind: VolumeKind, number: u8, protect: bool) -> Result<()> {
        let table = self.volumes()?.without(kind, number)?;
        self.follow(&table, protect)
    }

    fn follow(&mut self, table: &VolumeTable, protect: bool) -> Result<()> {
        let from = self.volumes()?;
        self.change_volume_table(&from, table, protect)?;
        self.place.table = Some(Ok(*table));
        Ok(())
    }

    fn slot(&mut self, number: u8) -> Result<Slot<FileVolume>> {
        self.look_for_volumes();
        let volume = self.place.volume(VolumeKind::Slot, number)?;
        let volume = volume.ok_or_else(|| {
            Failure::usage(format!("the device has no slot {number}"))
                .hint("`lockstone volume ls DEV` lists what it has; `lockstone volume add DEV slot` adds one where room is left")
        })?;
        Slot::new(volume, self.place.part, number).map_err(no_slot_fits)
    }

    /// Bytes of code that a slot takes.
    pub(crate) fn slot_capacity(&mut self, number: u8) -> Result<u32> {
        Ok(self.slot(number)?.capacity())
    }

    /// What the store says of a slot.
    pub(crate) fn slot_state(&mut self, number: u8) -> Result<Option<Installed>> {
        let slot = self.slot(number)?;
        on_objects!(self, objects, store => Ok(objects.slot_state(store, &slot)?))
    }

    /// A slot of which an install is not confirmed.
    pub(super) fn pending_slot(&mut self) -> Result<Option<u8>> {
        if !self.has_volume() {
            return Ok(None);
        }
        for volume in self.volumes()?.volumes().iter().filter(|volume| volume.kind == VolumeKind::Slot) {
            if self.slot_state(volume.number)?.is_some_and(|state| state.pending) {
                return Ok(Some(volume.number));
            }
        }
        Ok(None)
    }

    /// Decides that a slot is to hold an object.
    pub(crate) fn request_install(&mut self, number: u8, key: Key<'_>, protect: bool) -> Result<()> {
        let mut slot = self.slot(number)?;
        if self.attributes_of(key)?.is_some_and(|attributes| !Attributes::is_object(attributes)) {
            return Err(ObjectError::<FlashError, FlashError>::NotAnObject.into());
        }
        on_objects!(self, objects, store => {
            Ok(objects.request_install::<Sha256, _, _, _>(store, key, &mut slot, protect)?)
        })
    }

    /// What a boot loader does before it executes what is in a slot.
    pub(crate) fn install(&mut self, number: u8, progress: impl FnMut(u32, u32)) -> Result<Installed> {
        let mut slot = self.slot(number)?;
        on_objects!(self, objects, store => Ok(objects.install::<Sha256, _, _, _>(store, &mut slot, progress)?))
    }

    /// Ends an install: the object is not needed any more.
    pub(crate) fn confirm_install(&mut self, number: u8, protect: bool) -> Result<Installed> {
        let mut slot = self.slot(number)?;
        on_objects!(self, objects, store => {
            Ok(objects.confirm_install::<Sha256, _, _, _>(store, &mut slot, protect)?)
        })
    }

    /// Takes what lies in a slot for what belongs there.
    pub(crate) fn adopt_slot(&mut self, number: u8, length: u32, protect: bool) -> Result<Installed> {
        let mut slot = self.slot(number)?;
        on_objects!(self, objects, store => {
            Ok(objects.adopt_slot::<Sha256, _, _, _>(store, &mut slot, length, protect)?)
        })
    }

    /// False: the store knew nothing of it.
    pub(crate) fn forget_slot(&mut self, number: u8, protect: bool) -> Result<bool> {
        let slot = self.slot(number)?;
        on_objects!(self, objects, store => Ok(objects.forget_slot(store, &slot, protect)?))
    }

    /// Programs code into a slot that the store knows nothing of, as a factory does.
    pub(crate) fn program_slot(&mut self, number: u8, code: &[u8], protect: bool) -> Result<()> {
        self.ask_for_room(SLOT_ROOM, protect)?;
        let mut slot = self.slot(number)?;
        let flash = slot.flash();
        let whole = u32::try_from(flash.capacity()).unwrap_or(u32::MAX);
        flash.erase(0, whole)?;
        Ok(flash.write(0, code)?)
    }

    /// The first bytes of a slot, whatever they are.
    pub(crate) fn read_slot(&mut self, number: u8, length: u32) -> Result<Vec<u8>> {
        let mut slot = self.slot(number)?;
        let mut code = vec![0; length.min(slot.capacity()) as usize];
        slot.flash().read(0, &mut code)?;
        Ok(code)
    }

    /// Programs for a new image of this device: what is in its slots and in spare volumes, at their places. Objects are left out.
    pub(super) fn copy_code(&mut self, image: &mut [u8]) -> Result<()> {
        let code =
            |volume: &&VolumeEntry| volume.part == 0 && matches!(volume.kind, VolumeKind::Slot | VolumeKind::Spare);
        for volume in self.volumes()?.volumes().iter().filter(code) {
            let place = image.get_mut(volume.start as usize..volume.end() as usize);
            let place = place.ok_or(TableError::OutOfBounds)?;
            self.place.flash.borrow_mut().read(volume.start, place)?;
        }
        Ok(())
    }
}

pub(super) fn no_objects_fit(error: OpenError<FlashError>) -> Failure {
    match error {
        OpenError::Layout(_) => Failure::usage(
            "no volume for objects fits there: it has at least two blocks of at least 4 KiB, and as much as a store needs",
        ),
        error => error.into(),
    }
}

pub(super) fn no_slot_fits(error: LayoutError) -> Failure {
    Failure::usage(format!("no slot fits there: {error}"))
}
