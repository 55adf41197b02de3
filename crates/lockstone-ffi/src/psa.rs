//! PSA Secure Storage 1.0: Internal Trusted Storage and Protected Storage, without pointers.
//!
//! ```text
//! client of the store   ITS, PS                                  one each, so neither can meet the other's names
//! name                  caller (4) | uid (8)                     an asset that was set: the value is its data
//!                       caller (4) | uid (8) | 'c'               one with a capacity: data, zeros up to it, size (4)
//!                       'w', 'r'                                 PS: how much is reserved; the reserve
//! ```
//!
//! **Capacity is reserved.** An asset with a capacity is stored as long as it may become. To change it atomically the log must
//! take a second copy before the first is free, so a *reserve* as long as the largest such asset stands beside them. On a
//! full store a change first gives the reserve away and takes it back behind it; a cut between is mended before anything
//! else is let in ([`Open::before_writing`]).
//!
//! **Flags.** What is reported is what was asked for and what is done: [`NO_REPLAY_PROTECTION`] leaves the counter alone,
//! [`NO_CONFIDENTIALITY`] stores in the clear, [`WRITE_ONCE`] is read-only and non-deletable for the engine. Without a
//! counter only assets that ask for no protection from replay are taken, unless the platform says that nobody can write its
//! flash.
#![forbid(unsafe_code)]

use lockstone::{Attributes, Cursor, Key};

use crate::allegation::{Source, Target};
use crate::calls::{self, Change};
use crate::failure::{Failure, Result};
use crate::library::{ITS, Open, PS, Store};

/// `PSA_STORAGE_FLAG_WRITE_ONCE`.
pub(crate) const WRITE_ONCE: u32 = 1 << 0;
/// `PSA_STORAGE_FLAG_NO_CONFIDENTIALITY`.
pub(crate) const NO_CONFIDENTIALITY: u32 = 1 << 1;
/// `PSA_STORAGE_FLAG_NO_REPLAY_PROTECTION`.
pub(crate) const NO_REPLAY_PROTECTION: u32 = 1 << 2;
/// `PSA_STORAGE_SUPPORT_SET_EXTENDED`.
const SET_EXTENDED: u32 = 1 << 0;

/// A function of the interface, by what it may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    ItsSet,
    ItsGet,
    ItsRemove,
    PsSet,
    PsGet,
    PsRemove,
    PsCreate,
    PsSetExtended,
}

impl Call {
    /// The errors that the specification lists (Secure Storage 1.0.4, sections 5.2 and 5.3); all answer
    /// `STORAGE_FAILURE` and `INVALID_ARGUMENT`.
    const fn listed(self) -> u32 {
        use Failure::{Argument, Damaged, Exists, Full, Internal, NoCounter, NotFound, NotPermitted, RolledBack};
        const fn set(failures: &[Failure]) -> u32 {
            Failure::psa_set(failures) | Failure::psa_set(&[Argument])
        }
        match self {
            Self::ItsSet => const { set(&[NotPermitted, NoCounter, Full]) },
            Self::ItsGet => const { set(&[NotFound]) },
            Self::ItsRemove => const { set(&[NotFound, NotPermitted]) },
            Self::PsSet => const { set(&[NotPermitted, NoCounter, Full, Internal]) },
            Self::PsGet => const { set(&[NotFound, Internal, Damaged, RolledBack]) },
            Self::PsRemove => const { set(&[NotFound, NotPermitted, Internal]) },
            Self::PsCreate => const { set(&[Full, NoCounter, Internal, Exists]) },
            Self::PsSetExtended => const { set(&[NotFound, NoCounter, Internal, Damaged, RolledBack, NotPermitted]) },
        }
    }

    /// The status of a result: one that the function does not list is a storage failure.
    pub(crate) fn status(self, result: Result<()>) -> i32 {
        let said = |failure: Failure| failure.psa_within(self.listed()).unwrap_or(Failure::Flash.psa());
        result.map_or_else(said, |()| 0)
    }

    /// The client of the store that holds the assets.
    const fn space(self) -> u32 {
        match self {
            Self::ItsSet | Self::ItsGet | Self::ItsRemove => ITS,
            _ => PS,
        }
    }
}

/// `psa_storage_info_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Bytes that the asset may have.
    pub capacity: usize,
    /// Bytes that it has.
    pub size: usize,
    /// Its flags.
    pub flags: u32,
}

/// Bytes of the name of an asset with a capacity.
const NAME: usize = 13;
/// Bytes behind the data of an asset with a capacity.
const TAIL: usize = 4;

/// The names of an asset.
#[derive(Clone, Copy)]
pub(crate) struct Names {
    space: u32,
    name: [u8; NAME],
}

impl Names {
    pub(crate) fn of(call: Call, client: i32, uid: u64) -> Result<Self> {
        if uid == 0 {
            return Err(Failure::Argument);
        }
        let mut name = [b'c'; NAME];
        name[..4].copy_from_slice(&client.to_le_bytes());
        name[4..12].copy_from_slice(&uid.to_le_bytes());
        Ok(Self { space: call.space(), name })
    }

    /// The key of an asset that was set.
    fn plain(&self) -> Key<'_> {
        Key::new(&self.name[..12]).of_client(self.space)
    }

    /// The key of an asset with a capacity.
    fn with_capacity(&self) -> Key<'_> {
        Key::new(&self.name).of_client(self.space)
    }
}

/// An asset.
#[derive(Clone, Copy, Default)]
struct Asset {
    is_there: bool,
    has_capacity: bool,
    /// Bytes of the entry.
    stored: usize,
    info: Info,
    attributes: Attributes,
}

impl Asset {
    #[inline(never)]
    fn key<'n>(&self, names: &'n Names) -> Key<'n> {
        if self.has_capacity { names.with_capacity() } else { names.plain() }
    }

    const fn is_locked(&self) -> bool {
        self.attributes.any(Attributes::READ_ONLY)
    }
}

impl Open {
    /// `psa_its_set`, `psa_ps_set`.
    pub(crate) fn set(&mut self, names: &Names, data: &Source, flags: u32) -> Result<()> {
        if data.is_missing() {
            return Err(Failure::Argument);
        }
        let attributes = self.attributes_for(flags)?;
        let data = data.at_most(self.most())?;
        let old = self.find_asset(names)?;
        self.check_lock(&old)?;
        self.before_writing()?;
        let new = Some((data, attributes));
        if old.has_capacity {
            self.set_over(names, &old, new)
        } else if old.is_locked() {
            swap(&mut self.store, names, &old, new)
        } else {
            calls::put(&mut self.store, &names.plain(), data, attributes)
        }
    }

    /// Sets an asset in place of one with a capacity: in one step, as there is never an asset twice, nor none meanwhile. Where
    /// there is no room on the store, what is reserved is used.
    fn set_over(&mut self, names: &Names, old: &Asset, new: New<'_>) -> Result<()> {
        let mut done = swap(&mut self.store, names, old, new);
        if done == Err(Failure::Full) && self.give_reserve_away()? {
            done = swap(&mut self.store, names, old, new);
        }
        if done.is_ok() {
            self.shrink_reserve()?;
        }
        self.before_writing()?;
        done
    }

    /// `psa_its_get`, `psa_ps_get`: how many bytes were copied.
    pub(crate) fn read_asset(&mut self, names: &Names, offset: usize, target: &mut Target) -> Result<usize> {
        // No caller can own more.
        if target.is_missing() || target.length() > isize::MAX as usize {
            return Err(Failure::Argument);
        }
        let asset = self.asset(names)?;
        let left = asset.info.size.checked_sub(offset).ok_or(Failure::Argument)?;
        let length = left.min(target.length());
        let offset = u32::try_from(offset).map_err(|_| Failure::Internal)?;
        let read = calls::read(&mut self.store, &asset.key(names), offset, target.first(length)?)?;
        if read == length { Ok(length) } else { Err(Failure::Damaged) }
    }

    /// `psa_its_get_info`, `psa_ps_get_info`.
    pub(crate) fn info(&mut self, names: &Names) -> Result<Info> {
        Ok(self.asset(names)?.info)
    }

    /// `psa_its_remove`, `psa_ps_remove`.
    pub(crate) fn remove(&mut self, names: &Names) -> Result<()> {
        let asset = self.asset(names)?;
        self.check_lock(&asset)?;
        if asset.is_locked() {
            return swap(&mut self.store, names, &asset, None);
        }
        calls::delete(&mut self.store, &asset.key(names))?;
        if asset.has_capacity { self.shrink_reserve() } else { Ok(()) }
    }

    /// `psa_ps_create`.
    pub(crate) fn create(&mut self, names: &Names, capacity: usize, flags: u32) -> Result<()> {
        let attributes = self.attributes_for(flags)?;
        if flags & WRITE_ONCE != 0 || self.asset.len() < TAIL {
            return Err(Failure::NoCounter);
        }
        let stored = capacity.checked_add(TAIL).filter(|stored| *stored <= self.asset.len());
        let stored = stored.ok_or(Failure::Full)?;
        if self.find_asset(names)?.is_there {
            return Err(Failure::Exists);
        }
        self.before_writing()?;
        self.write_reserved(names, stored, attributes)
    }

    /// `psa_ps_set_extended`.
    pub(crate) fn set_extended(&mut self, names: &Names, offset: usize, data: &Source) -> Result<()> {
        if data.is_missing() {
            return Err(Failure::Argument);
        }
        if self.asset.len() < TAIL {
            return Err(Failure::NoCounter);
        }
        let mut asset = self.asset(names)?;
        let end =
            offset.checked_add(data.length()).filter(|end| offset <= asset.info.size && *end <= asset.info.capacity);
        let end = end.ok_or(Failure::Argument)?;
        self.check_lock(&asset)?;
        let data = data.at_most(self.most())?;
        if data.is_empty() {
            return Ok(());
        }
        if asset.stored > self.asset.len() {
            return Err(Failure::NoCounter);
        }
        self.before_writing()?;
        let Some(room) = self.asset.get_mut(..asset.stored) else { return Err(Failure::NoCounter) };
        let read = calls::read(&mut self.store, &asset.key(names), 0, room);
        if read != Ok(asset.stored) {
            zeroize::Zeroize::zeroize(room);
            return read.and(Err(Failure::Damaged));
        }
        room[offset..end].copy_from_slice(data);
        asset.info.size = asset.info.size.max(end);
        if asset.has_capacity {
            put_size(room, asset.info.size);
        }
        let done = self.replace(names, &asset);
        zeroize::Zeroize::zeroize(&mut self.asset[..asset.stored]);
        match done {
            // The function has no such answer; an asset that was set, not created, has nothing reserved.
            Err(Failure::Full) => Err(Failure::Internal),
            done => done,
        }
    }

    /// `psa_ps_get_support`.
    pub(crate) fn support(&self) -> u32 {
        if self.asset.len() < TAIL { 0 } else { SET_EXTENDED }
    }

    /// The attributes of an asset with these flags.
    fn attributes_for(&self, flags: u32) -> Result<Attributes> {
        let replayable = flags & NO_REPLAY_PROTECTION != 0;
        let known = flags & !(WRITE_ONCE | NO_CONFIDENTIALITY | NO_REPLAY_PROTECTION) == 0;
        if !known || !replayable && !self.counts && !self.flash_is_trusted() {
            return Err(Failure::NoCounter);
        }
        let mut attributes = Attributes::NONE;
        if flags & NO_CONFIDENTIALITY != 0 {
            attributes = attributes.and(Attributes::NO_CONFIDENTIALITY);
        }
        let uncounted = replayable || !self.counts;
        if flags & WRITE_ONCE != 0 {
            attributes = attributes.and(LOCKED);
            if uncounted {
                attributes = attributes.and(Attributes::DANGER_REPLAYABLE);
            }
        }
        Ok(if uncounted { attributes } else { attributes.and(Attributes::PROTECTED) })
    }

    /// The flags of an asset with these attributes: what it was set with.
    fn flags_of(&self, attributes: Attributes) -> u32 {
        let mut flags = 0;
        if attributes.any(Attributes::READ_ONLY) {
            flags |= WRITE_ONCE;
        }
        if attributes.any(Attributes::NO_CONFIDENTIALITY) {
            flags |= NO_CONFIDENTIALITY;
        }
        if !attributes.any(Attributes::PROTECTED) && (self.counts || !self.flash_is_trusted()) {
            flags |= NO_REPLAY_PROTECTION;
        }
        flags
    }

    /// An asset that must be there.
    fn asset(&mut self, names: &Names) -> Result<Asset> {
        let asset = self.find_asset(names)?;
        if asset.is_there { Ok(asset) } else { Err(Failure::NotFound) }
    }

    /// Finds an asset.
    #[inline(never)]
    fn find_asset(&mut self, names: &Names) -> Result<Asset> {
        let mut asset = Asset::default();
        let Some(attributes) = self.attributes_of_asset(names, &mut asset)? else { return Ok(Asset::default()) };
        let key = &asset.key(names);
        let stored = calls::length(&mut self.store, key)?.ok_or(Failure::Damaged)?;
        let (mut capacity, mut size) = (stored, stored);
        if asset.has_capacity {
            capacity = stored.checked_sub(TAIL).ok_or(Failure::Damaged)?;
            size = self.size_of(key, capacity)?;
        }
        let info = Info { capacity, size, flags: self.flags_of(attributes) };
        Ok(Asset { is_there: true, stored, info, attributes, ..asset })
    }

    /// What an asset of either kind may be, and which kind it is.
    fn attributes_of_asset(&mut self, names: &Names, asset: &mut Asset) -> Result<Option<Attributes>> {
        let mut found = self.store.attributes_of(asset.key(names))?;
        if found.is_none() && names.space == PS {
            asset.has_capacity = true;
            found = self.store.attributes_of(asset.key(names))?;
        }
        Ok(found)
    }

    /// How much of the capacity is used.
    fn size_of(&mut self, key: &Key<'_>, capacity: usize) -> Result<usize> {
        let mut size = [0; TAIL];
        let at = u32::try_from(capacity).map_err(|_| Failure::Damaged)?;
        calls::read(&mut self.store, key, at, &mut size)?;
        let size = u32::from_le_bytes(size) as usize;
        if size > capacity { Err(Failure::Damaged) } else { Ok(size) }
    }

    /// Before an asset is changed: one that is write-once is only while the device is being provisioned.
    fn check_lock(&self, asset: &Asset) -> Result<()> {
        if asset.is_locked() && !self.is_provisioning() { Err(Failure::NotPermitted) } else { Ok(()) }
    }
}

/// What write-once is for the engine: it can be lifted while the device is being provisioned.
const LOCKED: Attributes = Attributes::READ_ONLY.and(Attributes::NON_DELETABLE);
/// Counted, by itself or because of what it brings along.
const LASTING: Attributes = Attributes::PROTECTED;

/// Says behind the data how much of it there is.
fn put_size(room: &mut [u8], size: usize) {
    let size = u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    if let Some((_, tail)) = room.split_last_chunk_mut::<TAIL>() {
        *tail = size;
    }
}

/// Bytes of records that a transaction with one value of this length takes, and its marks.
fn room(layout: &lockstone::Layout, length: usize) -> usize {
    length.saturating_add(records(layout, length) * RECORD[0])
}

/// Bytes of a record beside name and value: with many pointers, and with few.
const RECORD: [usize; 2] = [112, 56];

/// Records of a value of this length, and a few.
const fn records(layout: &lockstone::Layout, length: usize) -> usize {
    length / (layout.body_max as usize - 12) + 4
}

/// What is to be in the place of an asset: data and attributes; `None`: nothing.
type New<'d> = Option<(&'d [u8], Attributes)>;

/// Sets an asset in the place of another, or removes that one, whatever forbids it, in one step: a cut or a failure leaves the
/// old one as it was.
fn swap(store: &mut Store, names: &Names, old: &Asset, new: New<'_>) -> Result<()> {
    match swap_in(store, names, old, new, RECORD[0]) {
        // Maybe there is room if pointers are few.
        Err(Failure::Full) => swap_in(store, names, old, new, RECORD[1]),
        done => done,
    }
}

/// The same, with so many bytes for each record beside name and value.
#[inline(never)]
fn swap_in(store: &mut Store, names: &Names, old: &Asset, new: New<'_>, each: usize) -> Result<()> {
    let (data, attributes) = new.unwrap_or_default();
    let (layout, key) = (store.layout(), &old.key(names));
    let unlocked = if old.is_locked() { old.stored.min(layout.body_max as usize) } else { 0 };
    let bytes = data.len() + unlocked + (records(layout, data.len()) + records(layout, old.stored)) * each;
    let mut change = Change::begin(store, bytes, attributes.and(old.attributes).any(LASTING))?;
    if old.is_locked() {
        let open = old.attributes.without(LOCKED).without(Attributes::DANGER_REPLAYABLE);
        change.set_attributes(key, open)?;
    }
    if old.has_capacity || new.is_none() {
        change.delete(key)?;
    }
    if new.is_some() {
        change.put(&names.plain(), data, attributes)?;
    }
    change.commit()
}

/// How much is reserved, in four bytes.
static WANTED: &Key<'_> = &Key::new(b"w").of_client(PS);
/// The reserve itself.
static RESERVE: &Key<'_> = &Key::new(b"r").of_client(PS);

/// The reserve.
impl Open {
    /// How many bytes are to be reserved.
    fn wanted(&mut self) -> Result<usize> {
        let mut wanted = [0; 4];
        calls::read(&mut self.store, WANTED, 0, &mut wanted)?;
        Ok(u32::from_le_bytes(wanted) as usize)
    }

    /// After a mount: was the store cut while its reserve was given away? What can't be read is looked at again when it is
    /// needed.
    pub(crate) fn find_reserve(&mut self) {
        let wanted = self.wanted();
        let there = calls::length(&mut self.store, RESERVE);
        self.reserve_is_out = match (wanted, there) {
            (Ok(wanted), Ok(there)) => there.unwrap_or(0) != wanted,
            _ => true,
        };
    }

    /// Gives the reserve away, if there is one and it can come back.
    fn give_reserve_away(&mut self) -> Result<bool> {
        if self.wanted()? > self.asset.len() || !calls::delete(&mut self.store, RESERVE)? {
            return Ok(false);
        }
        self.reserve_is_out = true;
        Ok(true)
    }

    /// Takes the reserve back.
    pub(crate) fn bring_reserve_back(&mut self) -> Result<()> {
        let wanted = self.wanted()?;
        // Longer than the memory of this session: it comes back when the store is opened with more.
        let Some(room) = self.asset.get_mut(..wanted) else { return Ok(()) };
        room.fill(0);
        if wanted > 0 {
            calls::put(&mut self.store, RESERVE, room, Attributes::NONE)?;
        } else {
            calls::delete(&mut self.store, RESERVE)?;
        }
        self.reserve_is_out = false;
        Ok(())
    }

    /// Writes a new, empty asset with a capacity; the reserve grows with it, all in one step.
    fn write_reserved(&mut self, names: &Names, stored: usize, attributes: Attributes) -> Result<()> {
        let wanted = self.wanted()?;
        let small = stored + NAME <= self.store.layout().body_max as usize;
        let grown = if small { wanted } else { wanted.max(stored) };
        let Some(zeros) = self.asset.get_mut(..stored) else { return Err(Failure::Full) };
        zeros.fill(0);
        let mut bytes = room(self.store.layout(), stored);
        if grown > wanted {
            bytes = bytes.saturating_add(room(self.store.layout(), grown)).saturating_add(128);
        }
        let mut change = Change::begin(&mut self.store, bytes, attributes.any(LASTING))?;
        if grown > wanted {
            let size = u32::try_from(grown).map_err(|_| Failure::TooLarge)?.to_le_bytes();
            change.put(WANTED, &size, Attributes::NONE)?;
            change.put(RESERVE, zeros, Attributes::NONE)?;
        }
        change.put(&names.with_capacity(), zeros, attributes)?;
        change.commit()
    }

    /// Replaces an asset with the content of the room for it. Where there is no room on the store, what is reserved is used.
    fn replace(&mut self, names: &Names, asset: &Asset) -> Result<()> {
        let (key, attributes) = (&asset.key(names), asset.attributes);
        let data = self.asset.get(..asset.stored).unwrap_or_default();
        // One with a capacity is never write-once.
        if asset.is_locked() {
            return swap(&mut self.store, names, asset, Some((data, attributes)));
        }
        let mut done = calls::put(&mut self.store, key, data, attributes);
        if done == Err(Failure::Full) && self.give_reserve_away()? {
            let data = self.asset.get(..asset.stored).unwrap_or_default();
            done = calls::put(&mut self.store, key, data, attributes);
            self.bring_reserve_back()?;
        }
        done
    }

    /// An asset with a capacity is gone: the reserve is as long as the largest one that is left.
    fn shrink_reserve(&mut self) -> Result<()> {
        let wanted = self.wanted()?;
        let left = self.largest()?;
        // One that is longer than the memory of this session stays as it is.
        if wanted == 0 || left >= wanted || left > self.asset.len() {
            return Ok(());
        }
        if left == 0 {
            calls::delete(&mut self.store, WANTED)?;
        } else {
            let size = u32::try_from(left).map_err(|_| Failure::Internal)?.to_le_bytes();
            calls::put(&mut self.store, WANTED, &size, Attributes::NONE)?;
        }
        calls::delete(&mut self.store, RESERVE)?;
        self.reserve_is_out = true;
        self.bring_reserve_back()
    }

    /// Bytes of the largest asset with a capacity that needs a reserve.
    fn largest(&mut self) -> Result<usize> {
        let (mut cursor, mut name, mut largest) = (Cursor::new(), [0; 255], 0);
        let small = self.store.layout().body_max as usize;
        while let Some(length) = self.store.next_key(&mut cursor, PS, &[], &mut name)? {
            if length == NAME {
                let key = &Key::new(name.get(..length).unwrap_or_default()).of_client(PS);
                let stored = calls::length(&mut self.store, key)?.unwrap_or(0);
                if stored + NAME > small {
                    largest = largest.max(stored);
                }
            }
        }
        Ok(largest)
    }
}
