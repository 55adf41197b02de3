//! Objects, slots and volumes, for the client that is calling.
//!
//! There is no handle: who writes says the name. What is being written stays in RAM between two calls, one object at a time; a call
//! for another one finds that on the flash, as after a power cut.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering};

use lockstone::{
    Ascon, Attributes, Installed, Key, Manifest, Objects, Put, Slot, Suspended, Upload, VolumeEntry, VolumeKind,
    VolumeTable,
};
use sha2::Sha256;

use crate::allegation::{Source, Target};
use crate::failure::{Failure, Result};
use crate::library::{Library, Open, Store};
use crate::platform::{Dice, Flash};
use crate::ram::{Lent, ObjectPieces};

/// `lockstone_volume`: see `lockstone_objects.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeRow {
    /// Keys, objects, slot, spare: 0 to 3.
    pub kind: u8,
    /// Which one of that kind.
    pub number: u8,
    /// The part that it lies on: 0.
    pub part: u8,
    /// 0.
    pub reserved: u8,
    /// Its first byte.
    pub start: u32,
    /// Its bytes.
    pub length: u32,
}

/// `lockstone_object_info`, and the same of what belongs into a slot.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Bytes.
    pub length: u32,
    /// Not 0: of a slot, it's requested and not confirmed.
    pub pending: u32,
    /// SHA-256.
    pub digest: [u8; 32],
}

/// An open volume of objects. What lies in the memory is dropped first.
pub(crate) struct OpenObjects {
    objects: Objects<'static, Flash, Ascon>,
    upload: &'static mut [u8],
    current: Option<Current>,
    _lent: Lent,
}

/// Whose object, and its name.
#[derive(Clone, Copy)]
pub(crate) struct Named<'n> {
    pub(crate) client: u32,
    pub(crate) name: &'n [u8],
}

impl<'n> Named<'n> {
    pub(crate) const fn key(&self) -> Key<'n> {
        Key::new(self.name).of_client(self.client)
    }
}

/// Objects that were begun or found again, since the program started: no two have the same number until it has no more bits.
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// The object that was written last.
struct Current {
    /// Its number.
    number: u32,
    client: u32,
    name: [u8; 255],
    length: usize,
    upload: Suspended,
}

impl Current {
    fn is(&self, named: Named<'_>) -> bool {
        self.client == named.client && self.name.get(..self.length) == Some(named.name)
    }
}

/// More volumes than any table has.
pub(crate) const VOLUMES: usize = lockstone::VOLUMES_MAX;
/// `LOCKSTONE_OBJECT_OPEN`: the length is found out at the end.
const OPEN: u32 = u32::MAX;

/// A table of keys in front, and objects in what is left of `size` bytes.
pub(crate) fn keys_and_objects(keys: u32, size: u32) -> Result<VolumeTable> {
    let front = VolumeEntry::new(VolumeKind::Keys, 0, 0, keys);
    let behind = VolumeEntry::new(VolumeKind::Objects, 0, keys, size.saturating_sub(keys));
    let table = if size > keys { VolumeTable::of(&[front, behind]) } else { VolumeTable::of(&[front]) };
    table.map_err(|_| Failure::Layout)
}

/// Where a table has its keys on a medium of this size, with erase blocks of this length.
pub(crate) fn keys_of(table: &VolumeTable, size: u32, erase: u32) -> Result<(u32, u32)> {
    let good =
        erase > 0 && table.check(0, size, erase).is_ok() && table.volumes().iter().all(|volume| volume.part == 0);
    let keys = table.find(VolumeKind::Keys, 0).filter(|_| good).ok_or(Failure::Layout)?;
    Ok((keys.start, keys.length))
}

fn row_of(volume: &VolumeEntry) -> VolumeRow {
    let VolumeEntry { kind, number, part, start, length } = *volume;
    VolumeRow { kind: kind as u8, number, part, reserved: 0, start, length }
}

fn kind_of(kind: u8) -> Result<VolumeKind> {
    match kind {
        0 => Ok(VolumeKind::Keys),
        1 => Ok(VolumeKind::Objects),
        2 => Ok(VolumeKind::Slot),
        3 => Ok(VolumeKind::Spare),
        _ => Err(Failure::Argument),
    }
}

impl Library {
    /// Which part of the flash is for what that is opened next; none: all of it is for keys.
    pub(crate) fn use_volumes(&mut self, rows: &[VolumeRow]) -> Result<()> {
        self.check_closed()?;
        let mut volumes = [VolumeEntry::new(VolumeKind::Spare, 0, 0, 0); VOLUMES];
        let places = volumes.get_mut(..rows.len()).ok_or(Failure::Layout)?;
        for (place, row) in places.iter_mut().zip(rows) {
            if row.reserved != 0 || row.part != 0 {
                return Err(Failure::Argument);
            }
            *place = VolumeEntry::new(kind_of(row.kind)?, 0, row.start, row.length).with_number(row.number);
        }
        let table = if rows.is_empty() { None } else { Some(VolumeTable::of(places).map_err(|_| Failure::Layout)?) };
        self.volumes = table;
        Ok(())
    }
}

impl Open {
    /// The table in force: the store's own goes before that of the program. Both must say the same of the keys, which are where the
    /// program said: of any other table a volume might lie on them.
    fn volume_table(&mut self) -> Result<VolumeTable> {
        let table = self.store.volume_table()?.unwrap_or(self.ground.table);
        let keys = keys_of(&table, self.ground.medium.size(), self.ground.erase)?;
        if keys == self.ground.keys { Ok(table) } else { Err(Failure::Layout) }
    }

    /// Keeps the program's table in the store.
    #[cfg(feature = "sim")]
    pub(crate) fn keep_volumes(&mut self) -> Result<()> {
        let table = self.ground.table;
        self.store.change_volume_table(&table, &table, false).map_err(|_| Failure::Layout)
    }

    pub(crate) fn volume(&mut self, index: usize) -> Result<VolumeRow> {
        self.volume_table()?.volumes().get(index).map(row_of).ok_or(Failure::NotFound)
    }

    pub(crate) fn find_volume(&mut self, kind: u8, number: u8) -> Result<VolumeRow> {
        let kind = kind_of(kind)?;
        self.volume_table()?.find(kind, number).as_ref().map(row_of).ok_or(Failure::NotFound)
    }

    /// The flash of a volume of the table.
    fn volume_flash(&mut self, kind: VolumeKind, number: u8) -> Result<Flash> {
        let volume = self.volume_table()?.find(kind, number).filter(|volume| volume.part == 0);
        let volume = volume.ok_or(Failure::NotFound)?;
        Flash::of(&self.ground.medium, volume.start, volume.length).ok_or(Failure::Layout)
    }

    /// Opens the volume of objects, or erases it first.
    pub(crate) fn ob_open(&mut self, pieces: ObjectPieces, lent: Lent, format: bool) -> Result<()> {
        if self.objects.is_some() {
            return Err(Failure::Busy);
        }
        let (flash, part) = (self.volume_flash(VolumeKind::Objects, 0)?, self.ground.part);
        let ObjectPieces { buffer, upload } = pieces;
        let objects = if format {
            Objects::format(flash, part, buffer)?
        } else {
            Objects::open(flash, part, &mut self.store, buffer)?
        };
        self.objects = Some(OpenObjects { objects, upload, current: None, _lent: lent });
        Ok(())
    }

    pub(crate) fn ob_close(&mut self) -> Result<()> {
        self.objects.take().map(drop).ok_or(Failure::NotOpen)
    }

    /// What this write is to be like; as of a put.
    fn how(&self, flags: u32) -> Result<Put> {
        use crate::native::{PROTECT, WRITE_ONCE};
        let (protect, once) = (flags & PROTECT != 0, flags & WRITE_ONCE != 0);
        if flags & !(PROTECT | WRITE_ONCE) != 0 {
            return Err(Failure::Argument);
        }
        if !self.counts && (protect || once && !self.flash_is_trusted()) {
            return Err(Failure::NoCounter);
        }
        let lasting = if self.counts { Attributes::NONE } else { Attributes::DANGER_REPLAYABLE };
        Ok(Put { attributes: once.then(|| Attributes::WRITE_ONCE.and(lasting)), protect })
    }

    /// The application's object of this name, of the client that is calling.
    pub(crate) fn named<'n>(&self, name: &'n [u8]) -> Result<Named<'n>> {
        self.key(name)?;
        Ok(Named { client: u32::from_le_bytes(self.caller().to_le_bytes()), name })
    }

    pub(crate) fn ob_begin(&mut self, named: Named<'_>, length: u32) -> Result<()> {
        self.before_writing()?;
        let Self { store, objects, platform, .. } = self;
        let OpenObjects { objects, upload, current, .. } = objects.as_mut().ok_or(Failure::NotOpen)?;
        let length = Some(length).filter(|length| *length != OPEN);
        let begun = objects.create(store, named.key(), length, &mut Dice(platform.as_ref()), upload);
        match begun.map_err(Failure::from) {
            Ok(begun) => *current = Some(of(named, begun.suspend())),
            Err(failure) => {
                // The memory is as it was. But whether the one of this name was given up is known only where nothing was written.
                if !unchanged(failure) {
                    let _ = current.take_if(|current| current.is(named));
                }
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Does something with the object that is being written under this name.
    fn with_upload<T>(
        &mut self,
        named: Named<'_>,
        act: impl FnOnce(&mut Objects<'static, Flash, Ascon>, &mut Store, &mut Upload<'_>) -> Result<T>,
    ) -> Result<T> {
        let Self { store, objects, .. } = self;
        let OpenObjects { objects, upload, current, .. } = objects.as_mut().ok_or(Failure::NotOpen)?;
        let (mut resumed, number) = match current.take_if(|current| current.is(named)) {
            Some(current) => (current.upload.go_on(upload), Some(current.number)),
            None => {
                let found = objects.resume(store, named.key(), upload).map_err(Failure::from);
                // Unless there is none, the memory was taken from the one before.
                if !matches!(found, Ok(None) | Err(Failure::Argument)) {
                    *current = None;
                }
                (found?.ok_or(Failure::NotFound)?, None)
            }
        };
        let done = act(objects, store, &mut resumed);
        // One that was given up, or could not be looked at, is looked for on the flash by the next call.
        if !matches!(done, Err(Failure::NotFound | Failure::Flash)) {
            let resumed = of(named, resumed.suspend());
            *current = Some(Current { number: number.unwrap_or(resumed.number), ..resumed });
        }
        done
    }

    pub(crate) fn ob_write(&mut self, named: Named<'_>, offset: u32, data: Source) -> Result<()> {
        self.before_writing()?;
        let data = data.at_most(u32::MAX as usize)?;
        self.with_upload(named, |objects, store, upload| Ok(objects.write(store, upload, offset, data)?))
    }

    /// The first range behind `from` that is missing: where it begins, and its length; 0: there is none.
    pub(crate) fn ob_missing(&mut self, named: Named<'_>, from: u32) -> Result<(u32, u32)> {
        self.with_upload(named, |_, _, upload| {
            Ok(upload.next_missing(from).map_or((from, 0), |range| (range.start, range.end - range.start)))
        })
    }

    pub(crate) fn ob_finish(&mut self, named: Named<'_>, digest: Option<[u8; 32]>, flags: u32) -> Result<Content> {
        self.before_writing()?;
        let how = self.how(flags)?;
        let Manifest { length, digest, .. } = self.with_upload(named, |objects, store, upload| {
            Ok(objects.finish::<Sha256, _, _>(store, upload, named.key(), digest.as_ref(), how)?)
        })?;
        self.forget_upload();
        Ok(Content { length, pending: 0, digest })
    }

    fn forget_upload(&mut self) {
        if let Some(open) = &mut self.objects {
            open.current = None;
        }
    }

    pub(crate) fn ob_abort(&mut self, named: Named<'_>) -> Result<()> {
        self.before_writing()?;
        let Self { store, objects, .. } = self;
        let OpenObjects { objects, current, .. } = objects.as_mut().ok_or(Failure::NotOpen)?;
        let _ = current.take_if(|current| current.is(named));
        if objects.abort(store, named.key())? { Ok(()) } else { Err(Failure::NotFound) }
    }

    pub(crate) fn ob_reclaim(&mut self) -> Result<u32> {
        self.before_writing()?;
        let Self { store, objects, .. } = self;
        Ok(objects.as_mut().ok_or(Failure::NotOpen)?.objects.reclaim(store)?)
    }

    pub(crate) fn ob_info(&mut self, named: Named<'_>) -> Result<Content> {
        let Self { store, objects, .. } = self;
        let found = objects.as_mut().ok_or(Failure::NotOpen)?.objects.manifest(store, named.key())?;
        let Manifest { length, digest, .. } = found.ok_or(Failure::NotFound)?;
        Ok(Content { length, pending: 0, digest })
    }

    pub(crate) fn ob_read(&mut self, named: Named<'_>, offset: u32, target: &mut Target) -> Result<usize> {
        if target.is_missing() {
            return Err(Failure::Argument);
        }
        let all = self.ob_info(named)?.length;
        if offset > all {
            return Err(Failure::OutOfRange);
        }
        let wanted = target.length().min((all - offset) as usize);
        let Self { store, objects, .. } = self;
        let objects = &mut objects.as_mut().ok_or(Failure::NotOpen)?.objects;
        objects.read(store, named.key(), offset, target.first(wanted)?)?.ok_or(Failure::NotFound)
    }

    /// The number of the object of this name, if it is the one that was written last, with all that was written of it.
    #[cfg(feature = "journal")]
    pub(crate) fn ob_number(&self, named: Named<'_>) -> Option<u32> {
        let current = self.objects.as_ref()?.current.as_ref()?;
        current.is(named).then_some(current.number)
    }

    /// The most bytes of an object of open length in a share of the volume, and in the memory that there is for it.
    #[cfg(feature = "journal")]
    pub(crate) fn ob_capacity(&self, share: u32) -> Result<u32> {
        let open = self.objects.as_ref().ok_or(Failure::NotOpen)?;
        let layout = open.objects.layout();
        let blocks = layout.blocks.checked_div(share).unwrap_or(0);
        let bits = u32::try_from(open.upload.len()).unwrap_or(u32::MAX).saturating_sub(layout.slot).saturating_mul(8);
        Ok(layout.length_in(blocks).min(bits.saturating_mul(layout.chunk)))
    }

    /// Does something with objects and a slot.
    fn with_slot<T>(
        &mut self,
        number: u8,
        act: impl FnOnce(&mut Objects<'static, Flash, Ascon>, &mut Store, &mut Slot<Flash>) -> Result<T>,
    ) -> Result<T> {
        self.key(b"any")?;
        let flash = self.volume_flash(VolumeKind::Slot, number)?;
        let mut slot = Slot::new(flash, self.ground.part, number).map_err(|_| Failure::Layout)?;
        let Self { store, objects, .. } = self;
        act(&mut objects.as_mut().ok_or(Failure::NotOpen)?.objects, store, &mut slot)
    }

    /// Whether a change is to be bound to the counter.
    fn protect(&self, flags: u32) -> Result<bool> {
        if flags & crate::native::WRITE_ONCE != 0 { Err(Failure::Argument) } else { Ok(self.how(flags)?.protect) }
    }

    pub(crate) fn slot_request(&mut self, number: u8, name: &[u8], flags: u32) -> Result<()> {
        self.before_writing()?;
        let (protect, key) = (self.protect(flags)?, self.key(name)?);
        self.with_slot(number, |objects, store, slot| {
            Ok(objects.request_install::<Sha256, _, _, _>(store, key, slot, protect)?)
        })
    }

    pub(crate) fn slot_install(&mut self, number: u8) -> Result<Content> {
        self.with_slot(number, |objects, store, slot| {
            Ok(content(objects.install::<Sha256, _, _, _>(store, slot, |_, _| {})?))
        })
    }

    pub(crate) fn slot_confirm(&mut self, number: u8, flags: u32) -> Result<()> {
        self.before_writing()?;
        let protect = self.protect(flags)?;
        self.with_slot(number, |objects, store, slot| {
            objects.confirm_install::<Sha256, _, _, _>(store, slot, protect)?;
            Ok(())
        })
    }

    pub(crate) fn slot_adopt(&mut self, number: u8, length: u32, flags: u32) -> Result<Content> {
        self.before_writing()?;
        let protect = self.protect(flags)?;
        self.with_slot(number, |objects, store, slot| {
            Ok(content(objects.adopt_slot::<Sha256, _, _, _>(store, slot, length, protect)?))
        })
    }

    pub(crate) fn slot_forget(&mut self, number: u8, flags: u32) -> Result<()> {
        self.before_writing()?;
        let protect = self.protect(flags)?;
        let known = self.with_slot(number, |objects, store, slot| Ok(objects.forget_slot(store, slot, protect)?))?;
        if known { Ok(()) } else { Err(Failure::NotFound) }
    }

    pub(crate) fn slot_state(&mut self, number: u8) -> Result<Content> {
        let state = self.with_slot(number, |objects, store, slot| Ok(objects.slot_state(store, slot)?))?;
        state.map(content).ok_or(Failure::NotFound)
    }
}

fn of(named: Named<'_>, upload: Suspended) -> Current {
    let mut kept = [0; 255];
    let length = named.name.len().min(kept.len());
    for (place, byte) in kept.iter_mut().zip(named.name) {
        *place = *byte;
    }
    // Not one step, as some targets have none: whoever comes here has the library's lock.
    let number = BEGUN.load(Ordering::Relaxed).wrapping_add(1);
    BEGUN.store(number, Ordering::Relaxed);
    Current { number, client: named.client, name: kept, length, upload }
}

/// A begin that failed in this way has written nothing.
const fn unchanged(failure: Failure) -> bool {
    matches!(failure, Failure::Argument | Failure::TooLarge | Failure::Full | Failure::Random)
}

fn content(installed: Installed) -> Content {
    Content { length: installed.length, pending: installed.pending.into(), digest: installed.digest }
}
