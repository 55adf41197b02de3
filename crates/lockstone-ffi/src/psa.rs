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

use lockstone::{Attributes, Cursor, Key, Put};

use crate::allegation::{Source, Target};
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

const GENERIC_ERROR: i32 = -132;
const NOT_PERMITTED: i32 = -133;
const NOT_SUPPORTED: i32 = -134;
const INVALID_ARGUMENT: i32 = -135;
const ALREADY_EXISTS: i32 = -139;
const DOES_NOT_EXIST: i32 = -140;
const INSUFFICIENT_STORAGE: i32 = -142;
const STORAGE_FAILURE: i32 = -146;
const INVALID_SIGNATURE: i32 = -149;
const DATA_CORRUPT: i32 = -152;

/// Why a call failed: for the store's reason, or with a status of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Store(Failure),
    Status(i32),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Store(failure)
    }
}

impl<E> From<lockstone::Error<E>> for Refusal {
    fn from(error: lockstone::Error<E>) -> Self {
        Self::Store(error.into())
    }
}

type Answer<T> = core::result::Result<T, Refusal>;

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
    const fn listed(self) -> &'static [i32] {
        match self {
            Self::ItsSet => &[NOT_PERMITTED, NOT_SUPPORTED, INSUFFICIENT_STORAGE],
            Self::ItsGet => &[DOES_NOT_EXIST],
            Self::ItsRemove => &[DOES_NOT_EXIST, NOT_PERMITTED],
            Self::PsSet => &[NOT_PERMITTED, NOT_SUPPORTED, INSUFFICIENT_STORAGE, GENERIC_ERROR],
            Self::PsGet => &[DOES_NOT_EXIST, GENERIC_ERROR, DATA_CORRUPT, INVALID_SIGNATURE],
            Self::PsRemove => &[DOES_NOT_EXIST, NOT_PERMITTED, GENERIC_ERROR],
            Self::PsCreate => &[INSUFFICIENT_STORAGE, NOT_SUPPORTED, GENERIC_ERROR, ALREADY_EXISTS],
            Self::PsSetExtended => {
                &[DOES_NOT_EXIST, NOT_SUPPORTED, GENERIC_ERROR, DATA_CORRUPT, INVALID_SIGNATURE, NOT_PERMITTED]
            }
        }
    }

    /// The status of a result: one that the function does not list is a storage failure.
    pub(crate) fn status<T>(self, result: &Answer<T>) -> i32 {
        let status = match result {
            Ok(_) => return 0,
            Err(Refusal::Status(status)) => *status,
            Err(Refusal::Store(failure)) => failure.psa(),
        };
        let known = status == INVALID_ARGUMENT || self.listed().contains(&status);
        if known { status } else { STORAGE_FAILURE }
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
struct Names {
    space: u32,
    name: [u8; NAME],
}

impl Names {
    fn of(call: Call, client: i32, uid: u64) -> Answer<Self> {
        if uid == 0 {
            return Err(Refusal::Status(INVALID_ARGUMENT));
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

/// An asset that is there.
#[derive(Clone, Copy)]
struct Asset {
    has_capacity: bool,
    /// Bytes of the entry.
    stored: usize,
    info: Info,
    attributes: Attributes,
}

impl Asset {
    fn key<'n>(&self, names: &'n Names) -> Key<'n> {
        if self.has_capacity { names.with_capacity() } else { names.plain() }
    }

    const fn is_locked(&self) -> bool {
        self.attributes.any(Attributes::READ_ONLY)
    }
}

impl Open {
    /// `psa_its_set`, `psa_ps_set`.
    pub(crate) fn set(&mut self, call: Call, uid: u64, data: &Source, flags: u32) -> Answer<()> {
        let names = Names::of(call, self.caller(), uid)?;
        if data.is_missing() {
            return Err(Refusal::Status(INVALID_ARGUMENT));
        }
        let attributes = self.attributes_for(flags)?;
        let data = data.at_most(self.most())?;
        let old = self.asset(&names)?;
        self.check_lock(old)?;
        self.before_writing()?;
        let new = (names.plain(), data, attributes);
        match old.filter(|old| old.has_capacity || old.is_locked()) {
            None => Ok(self.store.put_with(names.plain(), data, Put::with(attributes))?),
            Some(old) if old.has_capacity => self.set_over(old.key(&names), &old, new),
            Some(old) => Ok(swap(&mut self.store, (old.key(&names), &old), Some(new))?),
        }
    }

    /// Sets an asset in place of one with a capacity: in one step, as there is never an asset twice, nor none meanwhile. Where
    /// there is no room on the store, what is reserved is used.
    fn set_over(&mut self, key: Key<'_>, old: &Asset, new: (Key<'_>, &[u8], Attributes)) -> Answer<()> {
        let mut done = swap(&mut self.store, (key, old), Some(new));
        if matches!(done, Err(lockstone::Error::Full)) && self.give_reserve_away()? {
            done = swap(&mut self.store, (key, old), Some(new));
        }
        if done.is_ok() {
            self.shrink_reserve()?;
        }
        self.before_writing()?;
        Ok(done?)
    }

    /// `psa_its_get`, `psa_ps_get`: how many bytes were copied.
    pub(crate) fn read_asset(&mut self, call: Call, uid: u64, offset: usize, target: &mut Target) -> Answer<usize> {
        let names = Names::of(call, self.caller(), uid)?;
        // No caller can own more.
        if target.is_missing() || target.length() > isize::MAX as usize {
            return Err(Refusal::Status(INVALID_ARGUMENT));
        }
        let asset = self.asset(&names)?.ok_or(Refusal::Status(DOES_NOT_EXIST))?;
        let left = asset.info.size.checked_sub(offset).ok_or(Refusal::Status(INVALID_ARGUMENT))?;
        let length = left.min(target.length());
        let offset = u32::try_from(offset).map_err(|_| Failure::Internal)?;
        let read = self.store.get_range(asset.key(&names), offset, target.first(length)?)?;
        if read == Some(length) { Ok(length) } else { Err(Failure::Damaged.into()) }
    }

    /// `psa_its_get_info`, `psa_ps_get_info`.
    pub(crate) fn info(&mut self, call: Call, uid: u64) -> Answer<Info> {
        let names = Names::of(call, self.caller(), uid)?;
        Ok(self.asset(&names)?.ok_or(Refusal::Status(DOES_NOT_EXIST))?.info)
    }

    /// `psa_its_remove`, `psa_ps_remove`.
    pub(crate) fn remove(&mut self, call: Call, uid: u64) -> Answer<()> {
        let names = Names::of(call, self.caller(), uid)?;
        let asset = self.asset(&names)?.ok_or(Refusal::Status(DOES_NOT_EXIST))?;
        self.check_lock(Some(asset))?;
        if asset.is_locked() {
            return Ok(swap(&mut self.store, (asset.key(&names), &asset), None)?);
        }
        self.store.delete(asset.key(&names))?;
        if asset.has_capacity { Ok(self.shrink_reserve()?) } else { Ok(()) }
    }

    /// `psa_ps_create`.
    pub(crate) fn create(&mut self, uid: u64, capacity: usize, flags: u32) -> Answer<()> {
        let names = Names::of(Call::PsCreate, self.caller(), uid)?;
        let attributes = self.attributes_for(flags)?;
        if flags & WRITE_ONCE != 0 || self.asset.len() < TAIL {
            return Err(Refusal::Status(NOT_SUPPORTED));
        }
        let stored = capacity.checked_add(TAIL).filter(|stored| *stored <= self.asset.len());
        let stored = stored.ok_or(Refusal::Status(INSUFFICIENT_STORAGE))?;
        if self.asset(&names)?.is_some() {
            return Err(Refusal::Status(ALREADY_EXISTS));
        }
        self.before_writing()?;
        Ok(self.write_reserved(&names, stored, attributes)?)
    }

    /// `psa_ps_set_extended`.
    pub(crate) fn set_extended(&mut self, uid: u64, offset: usize, data: &Source) -> Answer<()> {
        let names = Names::of(Call::PsSetExtended, self.caller(), uid)?;
        if data.is_missing() {
            return Err(Refusal::Status(INVALID_ARGUMENT));
        }
        if self.asset.len() < TAIL {
            return Err(Refusal::Status(NOT_SUPPORTED));
        }
        let mut asset = self.asset(&names)?.ok_or(Refusal::Status(DOES_NOT_EXIST))?;
        let end =
            offset.checked_add(data.length()).filter(|end| offset <= asset.info.size && *end <= asset.info.capacity);
        let end = end.ok_or(Refusal::Status(INVALID_ARGUMENT))?;
        self.check_lock(Some(asset))?;
        let data = data.at_most(self.most())?;
        if data.is_empty() {
            return Ok(());
        }
        if asset.stored > self.asset.len() {
            return Err(Refusal::Status(NOT_SUPPORTED));
        }
        self.before_writing()?;
        let (room, key) = (&mut self.asset[..asset.stored], asset.key(&names));
        let read = self.store.get(key, room);
        if !matches!(read, Ok(Some(length)) if length == asset.stored) {
            zeroize::Zeroize::zeroize(room);
            return Err(read.map_or_else(Refusal::from, |_| Failure::Damaged.into()));
        }
        room[offset..end].copy_from_slice(data);
        asset.info.size = asset.info.size.max(end);
        if asset.has_capacity {
            put_size(room, asset.info.size);
        }
        let done = self.replace(key, &asset);
        zeroize::Zeroize::zeroize(&mut self.asset[..asset.stored]);
        match done {
            // The function has no such answer; an asset that was set, not created, has nothing reserved.
            Err(Failure::Full) => Err(Refusal::Status(GENERIC_ERROR)),
            done => Ok(done?),
        }
    }

    /// `psa_ps_get_support`.
    pub(crate) fn support(&self) -> u32 {
        if self.asset.len() < TAIL { 0 } else { SET_EXTENDED }
    }

    /// The attributes of an asset with these flags.
    fn attributes_for(&self, flags: u32) -> Answer<Attributes> {
        let replayable = flags & NO_REPLAY_PROTECTION != 0;
        let known = flags & !(WRITE_ONCE | NO_CONFIDENTIALITY | NO_REPLAY_PROTECTION) == 0;
        if !known || !replayable && !self.counts && !self.flash_is_trusted() {
            return Err(Refusal::Status(NOT_SUPPORTED));
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

    /// Finds an asset.
    fn asset(&mut self, names: &Names) -> Result<Option<Asset>> {
        for has_capacity in [false, true] {
            if has_capacity && names.space == ITS {
                break;
            }
            let key = if has_capacity { names.with_capacity() } else { names.plain() };
            let Some(attributes) = self.store.attributes_of(key)? else { continue };
            let stored = self.store.length(key)?.ok_or(Failure::Damaged)? as usize;
            let capacity = if has_capacity { stored.checked_sub(TAIL).ok_or(Failure::Damaged)? } else { stored };
            let size = if has_capacity { self.size_of(key, capacity)? } else { stored };
            let info = Info { capacity, size, flags: self.flags_of(attributes) };
            return Ok(Some(Asset { has_capacity, stored, info, attributes }));
        }
        Ok(None)
    }

    /// How much of the capacity is used.
    fn size_of(&mut self, key: Key<'_>, capacity: usize) -> Result<usize> {
        let mut size = [0; TAIL];
        let at = u32::try_from(capacity).map_err(|_| Failure::Damaged)?;
        self.store.get_range(key, at, &mut size)?;
        Ok(u32::from_le_bytes(size) as usize)
            .and_then(|size| if size > capacity { Err(Failure::Damaged) } else { Ok(size) })
    }

    /// Before an asset is changed: one that is write-once is only while the device is being provisioned.
    fn check_lock(&self, asset: Option<Asset>) -> Answer<()> {
        let locked = asset.is_some_and(|asset| asset.is_locked());
        if locked && !self.is_provisioning() { Err(Refusal::Status(NOT_PERMITTED)) } else { Ok(()) }
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
fn room(layout: &lockstone::Layout, length: usize) -> u32 {
    u32::try_from(length + records(layout, length) * RECORD[0]).unwrap_or(u32::MAX)
}

/// Bytes of a record beside name and value: with many pointers, and with few.
const RECORD: [usize; 2] = [112, 56];

/// Records of a value of this length, and a few.
const fn records(layout: &lockstone::Layout, length: usize) -> usize {
    length / (layout.body_max as usize - 12) + 4
}

/// Puts an asset in the place of another, or removes that one, whatever forbids it, in one step: a cut or a failure leaves the
/// old one as it was.
fn swap(store: &mut Store, old: (Key<'_>, &Asset), new: Option<(Key<'_>, &[u8], Attributes)>) -> Swapped {
    match swap_in(store, old, new, RECORD[0]) {
        // Maybe there is room if pointers are few.
        Err(lockstone::Error::Full) => swap_in(store, old, new, RECORD[1]),
        done => done,
    }
}

type Swapped = core::result::Result<(), lockstone::Error<crate::platform::HookFailed>>;

/// The same, with so many bytes for each record beside name and value.
fn swap_in(
    store: &mut Store,
    (key, old): (Key<'_>, &Asset),
    new: Option<(Key<'_>, &[u8], Attributes)>,
    each: usize,
) -> Swapped {
    let (layout, length) = (store.layout(), new.map_or(0, |(_, data, _)| data.len()));
    let unlocked = if old.is_locked() { old.stored.min(layout.body_max as usize) } else { 0 };
    let bytes = length + unlocked + (records(layout, length) + records(layout, old.stored)) * each;
    let bytes = u32::try_from(bytes).map_err(|_| lockstone::Error::Full)?;
    let protected = new.is_some_and(|(_, _, attributes)| attributes.any(LASTING));
    let mut change = if protected || old.attributes.any(LASTING) {
        store.protected_transaction(bytes)?
    } else {
        store.transaction(bytes)?
    };
    if old.is_locked() {
        let open = old.attributes.without(LOCKED).without(Attributes::DANGER_REPLAYABLE);
        change.set_attributes(key, open)?;
    }
    if old.has_capacity || new.is_none() {
        change.delete(key)?;
    }
    if let Some((key, data, attributes)) = new {
        change.put_with(key, data, Put::with(attributes))?;
    }
    change.commit()
}

/// How much is reserved, in four bytes.
const WANTED: &[u8] = b"w";
/// The reserve itself.
const RESERVE: &[u8] = b"r";

/// The reserve.
impl Open {
    const fn reserve_key(name: &[u8]) -> Key<'_> {
        Key::new(name).of_client(PS)
    }

    /// How many bytes are to be reserved.
    fn wanted(&mut self) -> Result<usize> {
        let mut wanted = [0; 4];
        self.store.get(Self::reserve_key(WANTED), &mut wanted)?;
        Ok(u32::from_le_bytes(wanted) as usize)
    }

    /// After a mount: was the store cut while its reserve was given away? What can't be read is looked at again when it is
    /// needed.
    pub(crate) fn find_reserve(&mut self) {
        let wanted = self.wanted();
        let there = self.store.length(Self::reserve_key(RESERVE));
        self.reserve_is_out = match (wanted, there) {
            (Ok(wanted), Ok(there)) => there.unwrap_or(0) as usize != wanted,
            _ => true,
        };
    }

    /// Gives the reserve away, if there is one and it can come back.
    fn give_reserve_away(&mut self) -> Result<bool> {
        if self.wanted()? > self.asset.len() || !self.store.delete(Self::reserve_key(RESERVE))? {
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
            self.store.put(Self::reserve_key(RESERVE), room)?;
        } else {
            self.store.delete(Self::reserve_key(RESERVE))?;
        }
        self.reserve_is_out = false;
        Ok(())
    }

    /// Writes a new, empty asset with a capacity; the reserve grows with it, all in one step.
    fn write_reserved(&mut self, names: &Names, stored: usize, attributes: Attributes) -> Result<()> {
        let wanted = self.wanted()?;
        let small = stored + NAME <= self.store.layout().body_max as usize;
        let grown = if small { wanted } else { wanted.max(stored) };
        self.asset[..stored].fill(0);
        let mut bytes = room(self.store.layout(), stored);
        if grown > wanted {
            bytes = bytes.saturating_add(room(self.store.layout(), grown)).saturating_add(128);
        }
        let mut change = if attributes.any(Attributes::PROTECTED) {
            self.store.protected_transaction(bytes)?
        } else {
            self.store.transaction(bytes)?
        };
        if grown > wanted {
            let size = u32::try_from(grown).map_err(|_| Failure::TooLarge)?.to_le_bytes();
            change.put(Self::reserve_key(WANTED), &size)?;
            change.put(Self::reserve_key(RESERVE), &self.asset[..stored])?;
        }
        change.put_with(names.with_capacity(), &self.asset[..stored], Put::with(attributes))?;
        Ok(change.commit()?)
    }

    /// Replaces an asset with the content of the room for it. Where there is no room on the store, what is reserved is used.
    fn replace(&mut self, key: Key<'_>, asset: &Asset) -> Result<()> {
        let how = Put::with(asset.attributes);
        if asset.is_locked() {
            let new = (key, &self.asset[..asset.stored], asset.attributes);
            return Ok(swap(&mut self.store, (key, asset), Some(new))?);
        }
        match self.store.put_with(key, &self.asset[..asset.stored], how) {
            Err(lockstone::Error::Full) if self.give_reserve_away()? => {}
            done => return Ok(done?),
        }
        let done = self.store.put_with(key, &self.asset[..asset.stored], how);
        self.bring_reserve_back()?;
        Ok(done?)
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
            self.store.delete(Self::reserve_key(WANTED))?;
        } else {
            let size = u32::try_from(left).map_err(|_| Failure::Internal)?.to_le_bytes();
            self.store.put(Self::reserve_key(WANTED), &size)?;
        }
        self.store.delete(Self::reserve_key(RESERVE))?;
        self.reserve_is_out = true;
        self.bring_reserve_back()
    }

    /// Bytes of the largest asset with a capacity that needs a reserve.
    fn largest(&mut self) -> Result<usize> {
        let (mut cursor, mut name, mut largest) = (Cursor::new(), [0; 255], 0);
        let small = self.store.layout().body_max as usize;
        while let Some(length) = self.store.next_key(&mut cursor, PS, &[], &mut name)? {
            if length == NAME {
                let stored = self.store.length(Key::new(&name[..length]).of_client(PS))?.unwrap_or(0) as usize;
                if stored + NAME > small {
                    largest = largest.max(stored);
                }
            }
        }
        Ok(largest)
    }
}
