//! The volume table: which parts of a device's flash are for what. As a constant of the program, or kept by the store.
//!
//! ```text
//! part 0 | keys 0          | slot 0              | spare 0 |         on-chip, say
//! part 1 | objects 0                   |   free  | slot 1  |         a SPI NOR
//! ```
//!
//! A table that exists makes sense: no two volumes overlap, and there is one for keys ([`TableError`] says what else). That it fits
//! the flash is seen when a part is opened ([`Volumes`]). The bytes are in docs/spec/format.md, "Volume table".

use core::cell::RefCell;

use embedded_storage::nor_flash::NorFlash;

use crate::error::Error;
use crate::format::{put, put_word, word};
use crate::volume::Volume;

/// Most volumes of a table.
pub const VOLUMES_MAX: usize = 16;

/// Bytes before the volumes, and of each: see docs/spec/format.md.
const HEAD: usize = 2;
const ENTRY: usize = 12;
const VERSION: u8 = 1;
/// Bytes of the longest table.
pub(crate) const TABLE_MAX: usize = HEAD + ENTRY * VOLUMES_MAX;

/// What a volume is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum VolumeKind {
    /// The store itself: keys and values. There is one, it keeps the table, and so it is never moved.
    Keys = 0,
    /// Objects of that store. At most one, on the same part or another.
    Objects = 1,
    /// A slot for code, with the number that the store knows it by.
    Slot = 2,
    /// Something else's, which nothing here touches: a boot loader, calibration values.
    Spare = 3,
}

/// One volume: whole erase blocks of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeEntry {
    /// What it is for.
    pub kind: VolumeKind,
    /// Which one of that kind.
    pub number: u8,
    /// The flash part that it lies on. What the numbers mean is the program's to say.
    pub part: u8,
    /// Its first byte on the part.
    pub start: u32,
    /// Its bytes.
    pub length: u32,
}

/// Volumes that don't overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeTable {
    volumes: [VolumeEntry; VOLUMES_MAX],
    count: u8,
}

/// Why a table makes no sense, does not fit, or is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableError {
    /// More than [`VOLUMES_MAX`] volumes.
    TooMany,
    /// A volume has no bytes, or ends at 4 GiB or behind.
    Length,
    /// Two volumes share bytes of a part.
    Overlap,
    /// Two volumes have the same kind and number.
    Twice,
    /// There must be one volume for keys and at most one for objects, both with number 0.
    Keys,
    /// A volume is no whole number of erase blocks of its part, or begins inside of one.
    EraseBlock,
    /// A volume ends behind its part.
    OutOfBounds,
    /// The volume is not in the table, or was taken before.
    Missing,
    /// A volume that holds something would be moved, cut or removed: keys, objects, or code that the store knows of.
    InUse,
    /// Another table is in force than the caller believes.
    Stale,
    /// The flash is in use by a volume, from an interrupt say: it can't tell its size.
    Busy,
}

/// Why a table was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeError<E> {
    /// What the store says; as after a put.
    Store(Error<E>),
    /// Nothing was changed.
    Table(TableError),
}

impl VolumeEntry {
    /// The volume number 0 of a kind.
    #[must_use]
    pub const fn new(kind: VolumeKind, part: u8, start: u32, length: u32) -> Self {
        Self { kind, number: 0, part, start, length }
    }

    /// The same with another number.
    #[must_use]
    pub const fn with_number(self, number: u8) -> Self {
        Self { number, ..self }
    }

    /// The byte behind its last one.
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.start + self.length
    }

    const fn overlaps(&self, other: &Self) -> bool {
        self.part == other.part && self.start < other.end() && other.start < self.end()
    }

    const fn is(&self, kind: VolumeKind, number: u8) -> bool {
        self.kind as u8 == kind as u8 && self.number == number
    }
}

impl VolumeTable {
    /// A table of these volumes, in this order. As a constant it is checked by the compiler:
    ///
    /// ```
    /// use lockstone::{VolumeEntry, VolumeKind::{Keys, Objects, Slot}, VolumeTable};
    ///
    /// const TABLE: VolumeTable = VolumeTable::constant(&[
    ///     VolumeEntry::new(Keys, 0, 0, 64 << 10),
    ///     VolumeEntry::new(Objects, 0, 64 << 10, 448 << 10),
    ///     VolumeEntry::new(Slot, 1, 0, 256 << 10),
    /// ]);
    /// assert_eq!(TABLE.find(Objects, 0).map(|volume| volume.end()), Some(512 << 10));
    /// ```
    ///
    /// ```compile_fail
    /// # use lockstone::{VolumeEntry, VolumeKind::{Keys, Objects}, VolumeTable};
    /// const OVERLAP: VolumeTable = VolumeTable::constant(&[
    ///     VolumeEntry::new(Keys, 0, 0, 64 << 10),
    ///     VolumeEntry::new(Objects, 0, 60 << 10, 448 << 10),
    /// ]);
    /// # assert!(OVERLAP.find(Keys, 0).is_some());
    /// ```
    ///
    /// # Panics
    /// When [`of`](Self::of) refuses them.
    #[must_use]
    pub const fn constant(volumes: &[VolumeEntry]) -> Self {
        match Self::of(volumes) {
            Ok(table) => table,
            Err(error) => panic!("{}", error.reason()),
        }
    }

    /// A table of these volumes, in this order.
    ///
    /// # Errors
    /// The first rule that they break.
    #[expect(clippy::indexing_slicing, reason = "both are below the count, which was checked; a const fn has no `get`")]
    pub const fn of(volumes: &[VolumeEntry]) -> Result<Self, TableError> {
        if volumes.len() > VOLUMES_MAX {
            return Err(TableError::TooMany);
        }
        let mut table = Self { volumes: [VolumeEntry::new(VolumeKind::Spare, 0, 0, 0); VOLUMES_MAX], count: 0 };
        let (mut index, mut keys) = (0, 0);
        while index < volumes.len() {
            let volume = volumes[index];
            if volume.length == 0 || volume.start.checked_add(volume.length).is_none() {
                return Err(TableError::Length);
            }
            if matches!(volume.kind, VolumeKind::Keys | VolumeKind::Objects) && volume.number != 0 {
                return Err(TableError::Keys);
            }
            keys += matches!(volume.kind, VolumeKind::Keys) as u8;
            let mut before = 0;
            while before < index {
                if volumes[before].is(volume.kind, volume.number) {
                    return Err(TableError::Twice);
                }
                if volumes[before].overlaps(&volume) {
                    return Err(TableError::Overlap);
                }
                before += 1;
            }
            table.volumes[index] = volume;
            table.count += 1;
            index += 1;
        }
        if keys == 1 { Ok(table) } else { Err(TableError::Keys) }
    }

    /// The volumes.
    #[must_use]
    pub fn volumes(&self) -> &[VolumeEntry] {
        self.volumes.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// The volume of a kind and number.
    #[must_use]
    pub fn find(&self, kind: VolumeKind, number: u8) -> Option<VolumeEntry> {
        self.volumes().iter().copied().find(|volume| volume.is(kind, number))
    }

    /// The same with one volume more, behind the others.
    ///
    /// # Errors
    /// The first rule that is broken then.
    pub fn with(&self, volume: VolumeEntry) -> Result<Self, TableError> {
        let mut volumes = [volume; VOLUMES_MAX];
        let count = usize::from(self.count);
        volumes.get_mut(..count).unwrap_or_default().copy_from_slice(self.volumes());
        let place = volumes.get(..=count).ok_or(TableError::TooMany)?;
        Self::of(place)
    }

    /// The same without a volume.
    ///
    /// # Errors
    /// [`TableError::Missing`], [`TableError::Keys`].
    pub fn without(&self, kind: VolumeKind, number: u8) -> Result<Self, TableError> {
        let mut table = *self;
        table.count = 0;
        for volume in self.volumes().iter().filter(|volume| !volume.is(kind, number)) {
            if let Some(place) = table.volumes.get_mut(usize::from(table.count)) {
                *place = *volume;
            }
            table.count += 1;
        }
        if table.count == self.count { Err(TableError::Missing) } else { Self::of(table.volumes()) }
    }

    /// Whether the volumes of a part fit on one of this size in whole erase blocks of this length.
    ///
    /// # Errors
    /// [`TableError::EraseBlock`], [`TableError::OutOfBounds`].
    pub fn check(&self, part: u8, capacity: u32, erase: u32) -> Result<(), TableError> {
        self.volumes().iter().filter(|volume| volume.part == part).try_for_each(|volume| {
            if !volume.start.is_multiple_of(erase) || !volume.length.is_multiple_of(erase) {
                Err(TableError::EraseBlock)
            } else if volume.end() > capacity {
                Err(TableError::OutOfBounds)
            } else {
                Ok(())
            }
        })
    }

    /// The first place on a part where so many bytes are free, in whole erase blocks.
    #[must_use]
    pub fn room(&self, part: u8, capacity: u32, erase: u32, length: u32) -> Option<u32> {
        let mut start = 0_u32;
        // Each step passes a volume, so there are at most as many.
        for _ in 0..=VOLUMES_MAX {
            let wanted = VolumeEntry::new(VolumeKind::Spare, part, start, length);
            if start.checked_add(length)? > capacity {
                return None;
            }
            match self.volumes().iter().find(|volume| volume.overlaps(&wanted)) {
                None => return Some(start),
                Some(volume) => start = volume.end().checked_next_multiple_of(erase)?,
            }
        }
        None
    }

    /// As it is kept; how many bytes.
    pub(crate) fn put_to(&self, bytes: &mut [u8; TABLE_MAX]) -> usize {
        put(bytes, 0, &[VERSION, self.count]);
        let mut at = HEAD;
        for volume in self.volumes() {
            put(bytes, at, &[volume.kind as u8, volume.number, volume.part, 0]);
            put_word(bytes, at + 4, volume.start);
            put_word(bytes, at + 8, volume.length);
            at += ENTRY;
        }
        at
    }

    /// `None`: that's no table, or one that makes no sense.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[version, count], entries) = bytes.split_first_chunk()?;
        if version != VERSION || entries.len() != usize::from(count) * ENTRY {
            return None;
        }
        let mut volumes = [VolumeEntry::new(VolumeKind::Spare, 0, 0, 0); VOLUMES_MAX];
        let volumes = volumes.get_mut(..usize::from(count))?;
        for (place, entry) in volumes.iter_mut().zip(entries.chunks_exact(ENTRY)) {
            let &[kind, number, part, 0] = entry.first_chunk()? else { return None };
            *place = VolumeEntry {
                kind: VolumeKind::of(kind)?,
                number,
                part,
                start: word(entry, 4),
                length: word(entry, 8),
            };
        }
        Self::of(volumes).ok()
    }

    /// Whether a volume that holds something stays the same.
    pub(crate) fn keeps(&self, to: &Self, kind: VolumeKind, number: u8) -> Result<(), TableError> {
        match self.find(kind, number) {
            None => Err(TableError::Stale),
            found if found == to.find(kind, number) => Ok(()),
            Some(_) => Err(TableError::InUse),
        }
    }
}

impl VolumeKind {
    const fn of(kind: u8) -> Option<Self> {
        match kind {
            0 => Some(Self::Keys),
            1 => Some(Self::Objects),
            2 => Some(Self::Slot),
            3 => Some(Self::Spare),
            _ => None,
        }
    }
}

/// One part of flash under a table: gives each of its volumes away, once. Whoever makes two of these of one part has to see to it that
/// they don't give the same one away.
///
/// ```
/// # use core::cell::RefCell;
/// use lockstone::{Ascon, Memory, Objects, Part, SoftRootKey, Store, Volumes, buffer_size};
/// use lockstone::{VolumeEntry, VolumeKind::{Keys, Objects as ObjectVolume}, VolumeTable};
/// # use lockstone_sim::SimFlash;
/// # use lockstone_torture::Fixed;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let root = SoftRootKey::new([0x42; 32]);
/// # let mut memory = Memory::<64, { buffer_size(1, 4, 4096) }>::new();
/// const TABLE: VolumeTable = VolumeTable::constant(&[
///     VolumeEntry::new(Keys, 0, 0, 64 << 10),
///     VolumeEntry::new(ObjectVolume, 0, 64 << 10, 192 << 10),
/// ]);
/// # let flash = RefCell::new(SimFlash::<1, 4, 4096>::new(256 << 10, 0xff));
/// let mut volumes = Volumes::open(&flash, 0, TABLE)?;
/// # let keys = volumes.take(Keys, 0)?;
/// # drop(Store::<_, Ascon>::format(keys, Part::NOR, &root, &mut Fixed(1), &mut memory)?);
/// # let mut volumes = Volumes::open(&flash, 0, TABLE)?;
/// let mut store = Store::<_, Ascon>::mount(volumes.take(Keys, 0)?, Part::NOR, &root, &mut memory)?;
/// // The table that the store keeps goes before the one that the program came with.
/// volumes.follow(store.volume_table()?.unwrap_or(TABLE))?;
/// let mut buffer = [0; 600];
/// let objects = Objects::<_, Ascon>::open(volumes.take(ObjectVolume, 0)?, Part::NOR, &mut store, &mut buffer)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Volumes<'f, F> {
    flash: &'f RefCell<F>,
    part: u8,
    table: VolumeTable,
    /// A bit for each volume of the table that was taken.
    taken: u16,
}

impl<'f, F: NorFlash> Volumes<'f, F> {
    /// The volumes that a table says are on this part. Nothing is read.
    ///
    /// # Errors
    /// [`TableError::EraseBlock`], [`TableError::OutOfBounds`]: the table is for another part.
    pub fn open(flash: &'f RefCell<F>, part: u8, table: VolumeTable) -> Result<Self, TableError> {
        let volumes = Self { flash, part, table, taken: 0 };
        volumes.check(&table)?;
        Ok(volumes)
    }

    /// Follows another table from now on: one that the store keeps.
    ///
    /// # Errors
    /// [`TableError::InUse`] when it says something else of a volume that was taken, or shares bytes with one; or it does not fit the
    /// part. The table is as it was.
    pub fn follow(&mut self, table: VolumeTable) -> Result<(), TableError> {
        self.check(&table)?;
        let mut taken = 0;
        for (index, volume) in self.table.volumes().iter().enumerate() {
            if self.taken >> index & 1 == 0 {
                continue;
            }
            let place = table.volumes().iter().position(|other| other == volume).ok_or(TableError::InUse)?;
            taken |= 1 << place;
        }
        (self.table, self.taken) = (table, taken);
        Ok(())
    }

    /// One volume, which is a flash itself. Nobody else gets it from here.
    ///
    /// # Errors
    /// [`TableError::Missing`]: there is none on this part, or it was taken.
    pub fn take(&mut self, kind: VolumeKind, number: u8) -> Result<Volume<'f, F>, TableError> {
        let found = self.table.volumes().iter().enumerate().find(|(_, volume)| volume.is(kind, number));
        let (index, volume) = found.filter(|(_, volume)| volume.part == self.part).ok_or(TableError::Missing)?;
        if self.taken >> index & 1 == 1 {
            return Err(TableError::Missing);
        }
        self.taken |= 1 << index;
        Ok(Volume::of(self.flash, volume.start, volume.length))
    }

    /// The table that is followed.
    pub const fn table(&self) -> &VolumeTable {
        &self.table
    }

    fn check(&self, table: &VolumeTable) -> Result<(), TableError> {
        let capacity = self.flash.try_borrow().map_err(|_| TableError::Busy)?.capacity();
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        table.check(self.part, size(capacity), size(F::ERASE_SIZE))
    }
}

impl TableError {
    /// One sentence for people.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooMany => "a volume table has at most 16 volumes",
            Self::Length => "a volume has no bytes, or ends at 4 GiB or behind",
            Self::Overlap => "two volumes overlap",
            Self::Twice => "two volumes have the same kind and number",
            Self::Keys => "there must be one volume for keys and at most one for objects, both with number 0",
            Self::EraseBlock => "a volume must be whole erase blocks of its part",
            Self::OutOfBounds => "a volume ends behind its part",
            Self::Missing => "there is no such volume, or it was taken before",
            Self::InUse => "a volume that is in use can't be moved, cut or removed",
            Self::Stale => "another volume table is in force",
            Self::Busy => "the flash is in use by another volume",
        }
    }
}

impl core::fmt::Display for TableError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for TableError {}

impl<E> From<Error<E>> for ChangeError<E> {
    fn from(error: Error<E>) -> Self {
        Self::Store(error)
    }
}

impl<E> From<TableError> for ChangeError<E> {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

impl<E: core::fmt::Debug> core::fmt::Display for ChangeError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Table(error) => error.fmt(f),
        }
    }
}

impl<E: core::fmt::Debug> core::error::Error for ChangeError<E> {}

#[cfg(test)]
mod tests {
    use super::VolumeKind::{Keys, Objects, Slot, Spare};
    use super::*;
    use std::vec;

    const KEYS: VolumeEntry = VolumeEntry::new(Keys, 0, 0, 100);
    const OBJECTS: VolumeEntry = VolumeEntry::new(Objects, 0, 100, 50);
    const SLOT: VolumeEntry = VolumeEntry::new(Slot, 1, 0, 70).with_number(7);

    #[test]
    fn what_makes_no_sense_is_no_table() {
        let refused = |volumes: &[VolumeEntry], why| assert_eq!(VolumeTable::of(volumes), Err(why), "{volumes:?}");
        refused(&[], TableError::Keys);
        refused(&[OBJECTS], TableError::Keys);
        refused(&[KEYS.with_number(1)], TableError::Keys);
        refused(&[KEYS, OBJECTS.with_number(1)], TableError::Keys);
        refused(&[KEYS, VolumeEntry { part: 1, ..KEYS }], TableError::Twice);
        refused(&[KEYS, SLOT, SLOT], TableError::Twice);
        refused(&[KEYS, VolumeEntry { start: 99, ..OBJECTS }], TableError::Overlap);
        refused(&[VolumeEntry { start: 149, ..KEYS }, OBJECTS], TableError::Overlap);
        refused(&[KEYS, VolumeEntry { start: 10, length: 5, ..OBJECTS }], TableError::Overlap);
        refused(&[KEYS, VolumeEntry { length: 0, ..OBJECTS }], TableError::Length);
        refused(&[KEYS, VolumeEntry { length: u32::MAX, ..OBJECTS }], TableError::Length);
        let many: vec::Vec<_> = (0..17).map(|number| SLOT.with_number(number)).collect();
        refused(&many, TableError::TooMany);
        assert!(VolumeTable::of(&[KEYS, OBJECTS, SLOT, VolumeEntry { start: 0, part: 2, ..OBJECTS }]).is_err());
        assert!(VolumeTable::of(&[KEYS, VolumeEntry { part: 1, start: 70, ..OBJECTS }, SLOT]).is_ok());
    }

    #[test]
    fn every_table_is_read_back_and_nothing_else_is() {
        let mut table = VolumeTable::of(&[KEYS, OBJECTS, SLOT]).unwrap();
        for number in 0..13_u8 {
            let mut bytes = [0; TABLE_MAX];
            let length = table.put_to(&mut bytes);
            assert_eq!(VolumeTable::of_bytes(&bytes[..length]), Some(table));
            for cut in 0..length {
                assert_eq!(VolumeTable::of_bytes(&bytes[..cut]), None);
            }
            for at in 0..length {
                for bit in 0..8 {
                    bytes[at] ^= 1 << bit;
                    // Any bytes may come: a table that is one, or none.
                    if let Some(other) = VolumeTable::of_bytes(&bytes[..length]) {
                        assert_eq!(VolumeTable::of(other.volumes()), Ok(other));
                    }
                    bytes[at] ^= 1 << bit;
                }
            }
            table = table.with(VolumeEntry::new(Spare, 2, u32::from(number) * 9, 9).with_number(number)).unwrap();
        }
        assert_eq!(table.with(SLOT.with_number(9)), Err(TableError::TooMany));
        assert_eq!(VolumeTable::of_bytes(&[VERSION, 200]), None);
    }

    #[test]
    fn volumes_come_and_go() {
        let table = VolumeTable::of(&[KEYS, SLOT]).unwrap();
        let more = table.with(OBJECTS).unwrap();
        assert_eq!((more.find(Objects, 0), more.find(Slot, 7), more.find(Slot, 0)), (Some(OBJECTS), Some(SLOT), None));
        assert_eq!(more.without(Objects, 0), Ok(table));
        assert_eq!(more.without(Slot, 8), Err(TableError::Missing));
        assert_eq!(more.without(Keys, 0), Err(TableError::Keys));
        assert_eq!(more.with(SLOT), Err(TableError::Twice));
    }

    #[test]
    fn room_is_the_first_gap_that_is_large_enough() {
        let table = VolumeTable::of(&[KEYS, VolumeEntry { start: 130, ..OBJECTS }, SLOT]).unwrap();
        assert_eq!(table.room(0, 400, 10, 30), Some(100));
        assert_eq!(table.room(0, 400, 10, 40), Some(180));
        assert_eq!(table.room(0, 400, 10, 230), None);
        assert_eq!(table.room(0, u32::MAX, 10, u32::MAX), None);
        assert_eq!((table.room(1, 400, 50, 50), table.room(2, 400, 10, 400)), (Some(100), Some(0)));
    }

    #[test]
    fn a_part_that_does_not_fit_is_found_out() {
        let table = VolumeTable::of(&[KEYS, OBJECTS, SLOT]).unwrap();
        assert_eq!(table.check(0, 150, 50), Ok(()));
        assert_eq!(table.check(0, 149, 50), Err(TableError::OutOfBounds));
        assert_eq!(table.check(0, 200, 100), Err(TableError::EraseBlock));
        assert_eq!((table.check(1, 70, 10), table.check(9, 0, 1)), (Ok(()), Ok(())));
    }
}
