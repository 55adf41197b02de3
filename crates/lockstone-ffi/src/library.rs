//! Library: the one open store, and what the faces keep in RAM beside it.
//!
//! ```text
//! C ─> edge (native_c, psa_c, cfstore_c) ─> shared::enter, the boundary ─> Library ─> native, psa, cfstore ─> Store
//! ```
//!
//! The faces have clients of their own in the store, so no name of one can be a name of another, nor of the application.
#![cfg_attr(feature = "std", expect(unsafe_code, reason = "memory of the heap is handed in"))]
#![cfg_attr(not(feature = "std"), forbid(unsafe_code))]

use lockstone::trust::{Anchor, Protection, RootKey};
use lockstone::{Ascon, Key, Part, Ram};

#[cfg(feature = "cfstore")]
use crate::cfstore::{CONTEXTS, Cfstore, Mode};
use crate::failure::{Failure, Result};
#[cfg(feature = "std")]
use crate::host::Device;
#[cfg(feature = "storage")]
use crate::platform::part_of;
use crate::platform::{Counter, Dice, FLASH_IS_TRUSTED, Flash, HookKey, Medium, Platform};
#[cfg(feature = "std")]
use crate::ram::Heap;
use crate::ram::{Lent, Pieces};
#[cfg(feature = "storage")]
use crate::storage::Geometry;
#[cfg(feature = "storage")]
use crate::storage_c::{Drive, Powered};

/// On a host: bytes of the largest asset with a capacity, and for what CFSTORE has not flushed.
#[cfg(feature = "std")]
const ASSET: u32 = 64 << 10;
#[cfg(feature = "std")]
const UNFLUSHED: u32 = 1 << 20;

/// The store behind all faces.
pub(crate) type Store = lockstone::Store<'static, Flash, Ascon, Counter>;

/// Clients of the store from here on, 256 of them, are the faces'. As numbers of PSA or of the platform they are the lowest
/// negative ones; an application that has such a number is refused by the native interface.
const FACES: u32 = 1 << 31;
/// Assets of PSA Internal Trusted Storage.
#[cfg(feature = "psa")]
pub(crate) const ITS: u32 = FACES + 1;
/// Assets of PSA Protected Storage, and what is reserved for them.
#[cfg(feature = "psa")]
pub(crate) const PS: u32 = FACES + 2;
/// Keys of CFSTORE.
#[cfg(feature = "cfstore")]
pub(crate) const CFSTORE: u32 = FACES + 3;

/// Blobs of the Flash Journal.
#[cfg(feature = "journal")]
pub(crate) const JOURNAL: u32 = FACES + 4;

/// What is there before anything is open, too.
pub(crate) struct Library {
    open: Slot,
    /// A call ended in a panic: what is in RAM is not to be trusted.
    broken: bool,
    /// A device that the parent of this process has open, or had.
    #[cfg(feature = "std")]
    parents: Option<std::path::PathBuf>,
    /// Which part of the flash is for what that a platform gives next; `None`: all of it is for keys.
    #[cfg(feature = "objects")]
    pub(crate) volumes: Option<lockstone::VolumeTable>,
    /// How each context of CFSTORE works when it's initialised next.
    #[cfg(feature = "cfstore")]
    pub(crate) modes: [Mode; CONTEXTS],
}

/// Where the open store is. An `Option`, but that nothing open is all zeros: the library lies in memory that starts as such, and
/// takes none of the program's image.
#[repr(u8)]
#[expect(clippy::large_enum_variant, reason = "there is one, and no heap")]
enum Slot {
    Closed = 0,
    Open(Open) = 1,
}

impl Slot {
    const fn as_mut(&mut self) -> Option<&mut Open> {
        match self {
            Self::Closed => None,
            Self::Open(open) => Some(open),
        }
    }

    const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }

    fn take(&mut self) -> Option<Open> {
        match core::mem::replace(self, Self::Closed) {
            Self::Closed => None,
            Self::Open(open) => Some(open),
        }
    }
}

/// An open store. It is dropped first, the memory that it lies in last.
pub(crate) struct Open {
    pub(crate) store: Store,
    /// Objects, once their volume was opened.
    #[cfg(feature = "objects")]
    pub(crate) objects: Option<crate::objects::OpenObjects>,
    #[cfg(feature = "objects")]
    pub(crate) ground: Ground,
    /// Who calls, and in which state the device is; `None` on a host: client 0 of a device in use.
    pub(crate) platform: Option<Platform>,
    /// There is a counter.
    pub(crate) counts: bool,
    /// Room for the largest asset that is made with a capacity.
    #[cfg(feature = "psa")]
    pub(crate) asset: &'static mut [u8],
    /// What is reserved for assets with a capacity has been given away, and must come back before anything else is written.
    #[cfg(feature = "psa")]
    pub(crate) reserve_is_out: bool,
    #[cfg(feature = "cfstore")]
    pub(crate) cfstore: Cfstore,
    #[cfg(feature = "std")]
    host: Option<Held>,
    #[cfg(feature = "storage")]
    powered: Option<Powered>,
    lent: Option<Lent>,
}

/// What a store lies on that a platform is given for.
pub(crate) enum Place {
    /// The platform's own flash.
    Hooks,
    /// A range of a driver's storage.
    #[cfg(feature = "storage")]
    Driver(Drive, Powered),
}

/// A medium, how it's cut, and which part of it is for what.
pub(crate) struct Ground {
    pub(crate) medium: Medium,
    pub(crate) part: Part,
    /// Bytes of an erase block.
    #[cfg(feature = "objects")]
    pub(crate) erase: u32,
    /// As the program says; the store may keep another table.
    #[cfg(feature = "objects")]
    pub(crate) table: lockstone::VolumeTable,
    /// The volume of keys: where it begins, and its length.
    pub(crate) keys: (u32, u32),
}

impl Ground {
    /// All of it is for keys.
    fn whole(medium: Medium, part: Part, erase: u32) -> Result<Self> {
        let keys = medium.size();
        Self::with_keys(medium, part, erase, keys)
    }

    /// Keys in front, and objects behind if there is anything.
    #[cfg_attr(not(feature = "objects"), expect(clippy::unnecessary_wraps, reason = "a table may make no sense"))]
    fn with_keys(medium: Medium, part: Part, _erase: u32, keys: u32) -> Result<Self> {
        #[cfg(feature = "objects")]
        let table = crate::objects::keys_and_objects(keys, medium.size())?;
        Ok(Self {
            medium,
            part,
            #[cfg(feature = "objects")]
            erase: _erase,
            #[cfg(feature = "objects")]
            table,
            keys: (0, keys),
        })
    }

    /// As a table says, if it is one for this medium.
    #[cfg(feature = "objects")]
    fn under(medium: Medium, part: Part, erase: u32, table: lockstone::VolumeTable) -> Result<Self> {
        let keys = crate::objects::keys_of(&table, medium.size(), erase)?;
        Ok(Self { medium, part, erase, table, keys })
    }

    /// The flash of the keys.
    fn flash(&self) -> Result<Flash> {
        Flash::of(&self.medium, self.keys.0, self.keys.1).ok_or(Failure::Layout)
    }
}

/// What is held while a device in a directory is open.
#[cfg(feature = "std")]
struct Held {
    _heap: Heap,
    _lock: std::fs::File,
    /// Who opened it.
    process: u32,
    path: std::path::PathBuf,
}

impl Library {
    /// Nothing is open.
    pub(crate) const fn new() -> Self {
        Self {
            open: Slot::Closed,
            broken: false,
            #[cfg(feature = "std")]
            parents: None,
            #[cfg(feature = "objects")]
            volumes: None,
            #[cfg(feature = "cfstore")]
            modes: [Mode::NONE; CONTEXTS],
        }
    }

    /// The open store. On a host the usual device is opened if none is.
    pub(crate) fn opened(&mut self) -> Result<&mut Open> {
        if self.broken {
            return Err(Failure::Internal);
        }
        #[cfg(feature = "std")]
        if self.open.is_closed() {
            match self.parents.clone() {
                None => self.open_device(&Device::usual_place(), true)?,
                Some(path) => self.open_device(&path, false)?,
            }
        }
        self.open.as_mut().ok_or(Failure::NotOpen)
    }

    /// Only what is open already.
    #[cfg(feature = "cfstore")]
    pub(crate) const fn if_open(&mut self) -> Option<&mut Open> {
        if self.broken { None } else { self.open.as_mut() }
    }

    /// Opens the device in a directory, or makes one where nothing is.
    #[cfg(feature = "std")]
    pub(crate) fn open_device(&mut self, path: &std::path::Path, or_make: bool) -> Result<()> {
        self.check_closed()?;
        let device = if or_make { Device::open_or_make(path) } else { Device::open(path) }?;
        // SAFETY: the heap goes into the same `Open` as what is made of the pieces, whose last field it is: it's dropped last.
        let (heap, pieces) = unsafe { Heap::new(device.heads, device.segments(), ASSET, UNFLUSHED) }?;
        let Device { flash, counter, part, block, root, lock, keys, .. } = device;
        let ground = Ground::with_keys(Medium::File(flash), part, block, keys)?;
        let mut open = Open::mount(ground, Counter::File(counter), &root, pieces, None)?;
        open.host = Some(Held { _heap: heap, _lock: lock, process: std::process::id(), path: path.to_owned() });
        self.set(open)
    }

    /// What is at this place.
    #[cfg_attr(not(feature = "objects"), expect(clippy::unused_self, reason = "knows of volumes"))]
    pub(crate) fn ground(&self, place: &Place, platform: &Platform) -> Result<Ground> {
        let (medium, part, erase) = place.medium(platform);
        #[cfg(feature = "objects")]
        if let Some(table) = self.volumes {
            return Ground::under(medium, part, erase, table);
        }
        Ground::whole(medium, part, erase)
    }

    /// Bytes for keys of `flash_size`.
    #[cfg_attr(not(feature = "objects"), expect(clippy::unused_self, reason = "knows of volumes"))]
    pub(crate) fn key_bytes(&self, flash_size: u32) -> usize {
        #[cfg(feature = "objects")]
        if let Some(keys) = self.volumes.and_then(|table| table.find(lockstone::VolumeKind::Keys, 0)) {
            return keys.length as usize;
        }
        flash_size as usize
    }

    /// Mounts what is on the platform's flash or a driver's, or makes an empty store there first.
    pub(crate) fn open_platform(
        &mut self,
        platform: Platform,
        place: Place,
        lent: Lent,
        mut pieces: Pieces,
        format: bool,
    ) -> Result<()> {
        let (root, ground) = (HookKey(&platform), self.ground(&place, &platform)?);
        if format {
            make_empty(&platform, &ground, &root, &mut pieces)?;
        }
        let mut open = Open::mount(ground, Counter::Hooks(platform), &root, pieces, Some(platform))?;
        #[cfg(feature = "storage")]
        if let Place::Driver(_, powered) = place {
            open.powered = Some(powered);
        }
        open.lent = Some(lent);
        self.set(open)
    }

    /// [`Failure::Busy`] when a store is open.
    pub(crate) const fn check_closed(&self) -> Result<()> {
        if self.open.is_closed() { Ok(()) } else { Err(Failure::Busy) }
    }

    #[cfg_attr(not(feature = "psa"), expect(clippy::unnecessary_wraps, reason = "a reserve may be damaged"))]
    fn set(&mut self, open: Open) -> Result<()> {
        self.broken = false;
        #[cfg(feature = "std")]
        self.parents.take();
        self.open = Slot::Open(open);
        #[cfg(feature = "psa")]
        if let Some(open) = self.open.as_mut() {
            open.find_reserve();
        }
        Ok(())
    }

    /// Closes the store in order, and lets go of its memory whether or not that went well.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.broken = false;
        #[cfg(feature = "std")]
        self.parents.take();
        let Some(open) = self.open.take() else { return Err(Failure::NotOpen) };
        open.close()
    }

    /// In a child of the process that opened the device: lock and state are the parent's, who goes on with them, so nothing of
    /// it is used or written here. The next call opens the device anew, which fails for as long as the parent has it.
    #[cfg(feature = "std")]
    pub(crate) fn leave_if_forked(&mut self) {
        let held = self.open.as_mut().and_then(|open| open.host.as_ref());
        if let Some(held) = held.filter(|held| held.process != std::process::id()) {
            self.parents = Some(held.path.clone());
            self.open = Slot::Closed;
        }
    }

    /// After a panic: nothing in RAM is used again. What is on flash is as after a power cut.
    #[cfg(feature = "std")]
    pub(crate) fn abandon(&mut self) {
        self.broken = true;
        self.open = Slot::Closed;
    }
}

impl Place {
    fn medium(&self, platform: &Platform) -> (Medium, Part, u32) {
        match self {
            Self::Hooks => (Medium::Hooks(*platform), platform.part(), platform.erase_block),
            #[cfg(feature = "storage")]
            Self::Driver(drive, _) => {
                let Geometry { erased_value, program_unit, erase_unit } = drive.geometry;
                (Medium::Driver(*drive), part_of(erased_value, program_unit, erase_unit), erase_unit)
            }
        }
    }
}

impl Open {
    fn mount<K: RootKey>(
        ground: Ground,
        counter: Counter,
        root: &K,
        pieces: Pieces,
        platform: Option<Platform>,
    ) -> Result<Self> {
        let counts = counter.is_there();
        let Pieces { heads, buffer, state, .. } = pieces;
        let ram = Ram::new(heads, buffer, state);
        Ok(Self {
            store: Store::mount_protected(ground.flash()?, ground.part, Anchor { root, counter }, ram)?,
            #[cfg(feature = "objects")]
            objects: None,
            #[cfg(feature = "objects")]
            ground,
            platform,
            counts,
            #[cfg(feature = "psa")]
            asset: pieces.asset,
            #[cfg(feature = "psa")]
            reserve_is_out: false,
            #[cfg(feature = "cfstore")]
            cfstore: Cfstore::new(pieces.handles, pieces.values),
            #[cfg(feature = "std")]
            host: None,
            #[cfg(feature = "storage")]
            powered: None,
            lent: None,
        })
    }

    /// Closes the store. Its memory goes last, whatever happens.
    fn close(mut self) -> Result<()> {
        #[cfg(feature = "std")]
        let _host = self.host.take();
        let _lent = self.lent.take();
        #[cfg(feature = "storage")]
        let _powered = self.powered.take();
        // Moved to here, it's dropped before those.
        let open = self;
        open.store.close()?;
        Ok(())
    }

    /// Whether the memory that the store lies in shares bytes with this.
    #[cfg(feature = "objects")]
    pub(crate) fn has_of(&self, memory: &crate::ram::Memory) -> bool {
        self.lent.as_ref().is_some_and(|lent| lent.shares(memory))
    }

    /// Who is calling.
    pub(crate) fn caller(&self) -> i32 {
        self.platform.as_ref().map_or(0, Platform::caller)
    }

    /// No attacker can write the flash.
    pub(crate) fn flash_is_trusted(&self) -> bool {
        self.platform.as_ref().is_some_and(|platform| platform.flags & FLASH_IS_TRUSTED != 0)
    }

    /// The device is being provisioned.
    #[cfg(feature = "psa")]
    pub(crate) fn is_provisioning(&self) -> bool {
        self.platform.as_ref().is_some_and(Platform::is_provisioning)
    }

    /// The application's key of this name, for the client that is calling.
    pub(crate) fn key<'n>(&self, name: &'n [u8]) -> Result<Key<'n>> {
        let client = u32::from_le_bytes(self.caller().to_le_bytes());
        // The last number is the store's own.
        if (FACES..FACES + 256).contains(&client) || client == u32::MAX {
            return Err(Failure::NotPermitted);
        }
        Ok(Key::new(name).of_client(client))
    }

    /// Before anything is written: what is reserved comes back first. A store that was cut while it was out has room for it,
    /// as nothing else was let in.
    pub(crate) fn before_writing(&mut self) -> Result<()> {
        #[cfg(feature = "psa")]
        if self.reserve_is_out {
            self.bring_reserve_back()?;
        }
        Ok(())
    }
}

/// Makes an empty store; everything on the flash is erased. Where there is a counter it moves on, so that no image from before
/// is accepted.
fn make_empty(platform: &Platform, ground: &Ground, root: &HookKey<'_>, pieces: &mut Pieces) -> Result<()> {
    let ram = Ram::new(&mut *pieces.heads, &mut *pieces.buffer, &mut *pieces.state);
    let anchor = Anchor { root, counter: Counter::Hooks(*platform) };
    let dice = &mut Dice(Some(platform));
    lockstone::Store::<_, Ascon, _>::format_protected(
        ground.flash()?,
        ground.part,
        anchor,
        Protection::Chosen,
        dice,
        ram,
    )?;
    Ok(())
}
