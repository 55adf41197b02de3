//! The fuzz target `capi`: calls of all interfaces, with arguments of any bytes, on a simulated chip that loses power.
//!
//! ```text
//! input  | how the driver works | what is ready | call | arguments | call | arguments | ...        bytes that are missing are 0
//! chip   | keys | objects | slot | spare |                  the spare part is the Storage Volume Manager's
//! ```
//!
//! Whatever is called: an answer comes back, nothing is written beyond what was offered, and after a start the store opens and
//! still has its witness. Pointers are null, or to memory that is there, as no C library can do better.
#![expect(unsafe_code, reason = "calls what C calls")]
#![expect(clippy::missing_panics_doc, reason = "that is how a fuzzer hears of a finding")]

use core::ffi::{c_char, c_void};
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicU32, Ordering};

use crate::cfstore_c::{
    Bits, Driver, KeyDescription, lockstone_cfstore_configure_context, lockstone_cfstore_context,
    lockstone_cfstore_poll,
};
use crate::journal_c::{FLASH_JOURNAL_STRATEGY_SEQUENTIAL as JOURNAL, Journal, flashJournalStrategySequential_format};
use crate::native_c::{
    lockstone_close, lockstone_delete, lockstone_find, lockstone_format, lockstone_get, lockstone_get_stats,
    lockstone_open, lockstone_put,
};
use crate::objects_c::{
    Content, VolumeRow, lockstone_find_volume, lockstone_get_volume, lockstone_object_abort, lockstone_object_begin,
    lockstone_object_finish, lockstone_object_get, lockstone_object_missing, lockstone_object_read,
    lockstone_object_write, lockstone_objects_close, lockstone_objects_format, lockstone_objects_open,
    lockstone_objects_reclaim, lockstone_slot_adopt, lockstone_slot_confirm, lockstone_slot_forget, lockstone_slot_get,
    lockstone_slot_install, lockstone_slot_request, lockstone_use_volumes,
};
use crate::platform::Platform;
use crate::psa_c::{
    psa_its_get, psa_its_remove, psa_its_set, psa_ps_create, psa_ps_get, psa_ps_remove, psa_ps_set, psa_ps_set_extended,
};
use crate::ram::Memory;
use crate::sim_c::{
    lockstone_sim_cut, lockstone_sim_platform, lockstone_sim_power, lockstone_sim_reset, lockstone_sim_set_client,
};
use crate::sim_storage_c::{lockstone_sim_storage, lockstone_sim_storage_configure, lockstone_sim_storage_state};
use crate::storage::{Block, Information};
use crate::storage_c::{StorageDriver, lockstone_storage_open};
use crate::volume_manager_c::{
    self, StorageVolumeManager_addVolume, StorageVolumeManager_initialize, StorageVolumeManager_lookupVolume,
};

const BLOCK: u32 = 4096;
const KEYS: u32 = 16 * BLOCK;
const OBJECTS: u32 = 8 * BLOCK;
const SLOT: u32 = 3 * BLOCK;
const SPARE: u32 = 2 * BLOCK;
const CHIP: u32 = KEYS + OBJECTS + SLOT + SPARE;
const TABLE: [VolumeRow; 4] = [
    VolumeRow { kind: 0, number: 0, part: 0, reserved: 0, start: 0, length: KEYS },
    VolumeRow { kind: 1, number: 0, part: 0, reserved: 0, start: KEYS, length: OBJECTS },
    VolumeRow { kind: 2, number: 0, part: 0, reserved: 0, start: KEYS + OBJECTS, length: SLOT },
    VolumeRow { kind: 3, number: 0, part: 0, reserved: 0, start: KEYS + OBJECTS + SLOT, length: SPARE },
];

/// Bytes that are offered for writing; as many behind them are watched.
const ROOM: usize = 512;
/// What those are.
const WATCHED: u8 = 0xa5;
/// What is offered for reading.
const READ: u8 = 7;
/// Calls of one input, at most.
const CALLS: usize = 60;
const WITNESS: &core::ffi::CStr = c"witness";

/// Calls of each kind that went well.
static REACHED: [AtomicU32; REACHES.len()] = [const { AtomicU32::new(0) }; REACHES.len()];
/// What those kinds are.
pub const REACHES: [&str; 6] = ["native", "psa", "cfstore", "objects", "journal", "volumes"];

/// How many calls of each kind went well so far.
pub fn reached() -> [u32; REACHES.len()] {
    core::array::from_fn(|kind| REACHED[kind].load(Ordering::Relaxed))
}

/// Counts a call that went well.
fn reach(kind: usize, status: i32) {
    if status >= 0 {
        REACHED[kind].fetch_add(1, Ordering::Relaxed);
    }
}

/// The bytes of an input, from the front on.
struct Input<'i>(&'i [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// Mostly small, sometimes absurd.
    fn number(&mut self) -> u32 {
        match self.byte() {
            0xff => u32::MAX,
            0xfe => self.word(),
            0xfd => u32::from(self.byte()) << 8,
            small => small.into(),
        }
    }

    /// The same, as a length that may be longer than anything.
    fn length(&mut self) -> usize {
        match self.byte() {
            0xff => usize::MAX,
            0xfe => usize::MAX / 2,
            0xfd => usize::MAX / 2 + 1,
            small => usize::from(small),
        }
    }

    fn wide(&mut self) -> u64 {
        match self.byte() {
            0xff => u64::MAX,
            0xfe => u64::from(self.word()) << 32 | u64::from(self.word()),
            small => small.into(),
        }
    }

    /// An address of the spare part, or near it, or anywhere.
    fn address(&mut self) -> u64 {
        match self.byte() {
            0xff => u64::MAX - u64::from(self.byte()),
            0xfe => self.wide(),
            small => u64::from(small / 16) * u64::from(BLOCK) + u64::from(small % 16),
        }
    }
}

/// Memory that calls are given.
struct Arena {
    target: [u8; 2 * ROOM],
    source: [u8; ROOM],
    name: [u8; 300],
    handles: [[u8; 24]; 3],
    journals: [[u64; size_of::<Journal>() / 8]; 2],
    objects: Box<[u8; 8192]>,
    volume: *const StorageDriver,
}

impl Arena {
    fn target(&mut self, input: &mut Input<'_>) -> *mut c_void {
        if input.byte() == 0xff { null_mut() } else { self.target.as_mut_ptr().cast() }
    }

    fn source(&self, input: &mut Input<'_>) -> *const c_void {
        if input.byte() == 0xff { null() } else { self.source.as_ptr().cast() }
    }

    /// A name of few letters, or of nonsense, or none; never that of the witness.
    fn name(&mut self, input: &mut Input<'_>) -> *const c_char {
        let kind = input.byte();
        self.name.fill(0);
        match kind {
            0xff => return null(),
            0xfe => self.name[..299].fill(b'x'),
            0xf0..0xfe => {
                for place in &mut self.name[..usize::from(kind % 7)] {
                    *place = input.byte().max(1);
                }
            }
            _ => self.name[..usize::from(kind % 3) + 1].fill(b"ab*{}.fw"[usize::from(kind / 3 % 8)]),
        }
        self.name.as_ptr().cast()
    }

    fn handle(&mut self, input: &mut Input<'_>) -> *mut c_void {
        let kind = usize::from(input.byte());
        let Some(handle) = self.handles.get_mut(kind % 4) else { return null_mut() };
        if kind > 0xf0 {
            handle[usize::from(input.byte()) % 24] ^= input.byte();
        }
        handle.as_mut_ptr().cast()
    }

    fn check(&self) {
        assert!(self.target[ROOM..].iter().all(|byte| *byte == WATCHED), "written beyond what was offered");
        assert!(self.source.iter().all(|byte| *byte == READ), "what was to be read was written");
    }

    fn psa(&mut self, input: &mut Input<'_>) {
        let (uid, flags, offset) = (input.wide(), input.number(), input.length());
        let (target, source, within, mut said) = (self.target(input), self.source(input), ROOM.min(input.length()), 0);
        let length = input.length();
        let taken = if length > ROOM { length } else { within };
        // SAFETY: lengths of what is read are within it, or absurd, which is refused before a byte is touched; there is room for
        // what is written, which is never more than was asked for.
        let status = unsafe {
            match input.byte() % 8 {
                0 => psa_its_set(uid, taken, source, flags),
                1 => psa_its_get(uid, offset, within, target, &raw mut said),
                2 => psa_its_remove(uid),
                3 => psa_ps_set(uid, taken, source, flags),
                4 => psa_ps_get(uid, offset, within, target, &raw mut said),
                5 => psa_ps_remove(uid),
                6 => psa_ps_create(uid, length, flags),
                _ => psa_ps_set_extended(uid, offset, taken, source),
            }
        };
        reach(1, status);
    }

    fn cfstore(&mut self, input: &mut Input<'_>) {
        let context = lockstone_cfstore_context(u32::from(input.byte() % 5));
        if context.is_null() {
            lockstone_cfstore_configure_context(input.number(), input.number());
            lockstone_cfstore_poll();
            return;
        }
        // SAFETY: not null, and a table that stays.
        let d: &Driver = unsafe { &*context };
        let how = KeyDescription {
            acl: Bits { bits: input.number() },
            drl: input.byte() % 6,
            security: Bits { bits: input.number() },
            flags: Bits { bits: input.number() },
        };
        let how = if input.byte() == 0xff { null() } else { &raw const how };
        let (handle, other, name) = (self.handle(input), self.handle(input), self.name(input));
        let (target, source, any) = (self.target(input), self.source(input), input.length());
        let (mut length, mut small) = (ROOM.min(input.length()), input.byte());
        let length = if input.byte() == 0xff { null_mut() } else { &raw mut length };
        let mode = Bits { bits: input.number() };
        // SAFETY: what is read and written is within the arena, names end with a NUL.
        let status = unsafe {
            match input.byte() % 14 {
                0 => (d.close)(handle),
                1 => (d.create)(name, any, how, handle),
                2 => (d.delete)(handle),
                3 => (d.find)(name, handle, other),
                4 => (d.flush)(),
                5 => (d.get_key_name)(handle, target.cast(), &raw mut small),
                6 => (d.get_value_len)(handle, length),
                7 => (d.read)(handle, target, length),
                8 => (d.open)(name, mode, handle),
                9 => (d.rseek)(handle, any),
                10 => (d.write)(handle, source.cast(), length),
                11 => (d.power_control)(i32::from(input.byte()) - 1),
                12 => (d.uninitialize)(),
                _ => (d.initialize)(None, null_mut()),
            }
        };
        reach(2, status);
    }

    fn native(&mut self, input: &mut Input<'_>) {
        let (name, target, source) = (self.name(input), self.target(input), self.source(input));
        let (length, within, flags, mut said) = (input.length(), ROOM.min(input.length()), input.number(), 0);
        let mut place = [input.wide(), input.wide()];
        let taken = if length > ROOM { length } else { within };
        // SAFETY: as in `psa`; any bits make a place, and for a name that is found there are 256 bytes.
        let status = unsafe {
            match input.byte() % 5 {
                0 => lockstone_put(name, source, taken, flags),
                1 => lockstone_get(name, target, within, &raw mut said),
                2 => lockstone_delete(name),
                3 => lockstone_find(place.as_mut_ptr().cast(), name, target.cast()),
                _ => lockstone_get_stats(if flags == 0 { null_mut() } else { target.cast() }),
            }
        };
        reach(0, status);
    }

    fn objects(&mut self, input: &mut Input<'_>) {
        let (name, target, source) = (self.name(input), self.target(input), self.source(input));
        let (offset, length, within) = (input.number(), input.length(), ROOM.min(input.length()));
        let (start, mut said, number) = (self.objects.as_mut_ptr().cast(), 0, input.byte() % 3);
        let (info, size) = (target.cast::<Content>(), 8192.min(input.number() as usize * 64));
        let taken = if length > ROOM { length } else { within };
        // SAFETY: as in `psa`; a digest has 32 bytes; the memory for objects stays until the store is closed.
        let status = unsafe {
            match input.byte() % 18 {
                0 => lockstone_objects_open(start, size),
                1 => lockstone_objects_format(start, size),
                2 => lockstone_objects_close(),
                3 => lockstone_object_begin(name, offset),
                4 => lockstone_object_write(name, offset, source, taken),
                5 => lockstone_object_missing(name, offset, target.cast(), &raw mut said),
                6 => lockstone_object_finish(name, if length == 0 { null() } else { source.cast() }, offset, info),
                7 => lockstone_object_abort(name),
                8 => lockstone_object_get(name, info),
                9 => lockstone_object_read(name, offset, target, within, null_mut()),
                10 => lockstone_objects_reclaim(target.cast()),
                11 => lockstone_slot_request(number, name, offset),
                12 => lockstone_slot_install(number, info),
                13 => lockstone_slot_confirm(number, offset),
                14 => lockstone_slot_adopt(number, offset, 0, info),
                15 => lockstone_slot_forget(number, offset),
                16 => lockstone_slot_get(number, info),
                _ => lockstone_get_volume(length, target.cast()) + lockstone_find_volume(number, number, target.cast()),
            }
        };
        reach(3, status);
    }

    fn journal(&mut self, input: &mut Input<'_>) {
        let kind = usize::from(input.byte());
        let mut lost = null_mut();
        if let Some(journal) = self.journals.get_mut(kind % 3) {
            if kind > 0xe0 {
                let place = usize::from(input.byte()) % journal.len();
                journal[place] ^= input.wide();
            }
            lost = journal.as_mut_ptr().cast::<Journal>();
        }
        let (target, source) = (self.target(input), self.source(input));
        let (offset, within) = (input.length(), ROOM.min(input.length()));
        let log = if offset > ROOM { offset } else { within };
        // SAFETY: as in `psa`; a handle is as long as one, whatever is in it; the strategy's own table is called, not the handle's.
        let status = unsafe {
            match input.byte() % 8 {
                0 => flashJournalStrategySequential_format(null(), input.number(), None),
                1 => (JOURNAL.initialize)(lost, null(), &raw const JOURNAL, None),
                2 => (JOURNAL.get_info)(lost, target.cast()),
                3 => (JOURNAL.read)(lost, target, within),
                4 => (JOURNAL.read_from)(lost, offset, target, within),
                5 => (JOURNAL.log)(lost, source, log),
                6 => (JOURNAL.commit)(lost),
                _ => (JOURNAL.reset)(lost),
            }
        };
        reach(4, status);
    }

    /// The driver below, and volumes of its spare part.
    fn volumes(&mut self, input: &mut Input<'_>) {
        let spare = u64::from(CHIP - SPARE);
        let (addr, size, within) = (input.address(), input.address(), u32::from(input.byte()) * 2);
        let (target, source, mut block) = (self.target(input), self.source(input), Block::NONE);
        let mut info = Information::default();
        let out = &raw mut self.volume;
        // SAFETY: tables stay; what is read and written is within the arena.
        let status = unsafe {
            match input.byte() % 10 {
                // A driver that somebody has calls him back, and nobody else: who takes it away makes him wait for ever.
                0 if lockstone_sim_storage_state() & 1 == 1 => -1,
                0 => StorageVolumeManager_initialize(&raw const lockstone_sim_storage, None),
                1 => StorageVolumeManager_addVolume(spare.saturating_add(addr), size, out),
                2 => StorageVolumeManager_lookupVolume(spare.saturating_add(addr), out),
                _ if self.volume.is_null() => -1,
                kind => {
                    let d = *self.volume;
                    let done = match kind {
                        3 => d.read_data.map(|call| call(addr, target, within)),
                        4 => d.program_data.map(|call| call(addr, source, within)),
                        5 => d.erase.map(|call| call(addr, u32::try_from(size).unwrap_or(u32::MAX))),
                        6 => d.get_block.map(|call| call(addr, &raw mut block)),
                        7 => d.initialize.map(|call| call(None)),
                        8 => d.uninitialize.map(|call| call()),
                        _ => d.get_info.map(|call| call(&raw mut info)),
                    };
                    done.unwrap_or(-1)
                }
            }
        };
        reach(5, status);
    }

    /// What a program does first, so that not every input has to find out how.
    fn prepare(&mut self, what: u8) {
        let (start, journal) = (self.objects.as_mut_ptr().cast(), self.journals[0].as_mut_ptr().cast());
        let spare = u64::from(CHIP - SPARE);
        // SAFETY: as where inputs call these.
        unsafe {
            if what & 1 != 0 {
                lockstone_objects_format(start, 8192);
            }
            if what & 2 != 0 {
                flashJournalStrategySequential_format(null(), 2, None);
                (JOURNAL.initialize)(journal, null(), &raw const JOURNAL, None);
            }
            if what & 4 != 0 {
                for context in 0..4 {
                    if let Some(driver) = lockstone_cfstore_context(context).as_ref() {
                        (driver.initialize)(None, null_mut());
                    }
                }
            }
            if what & 8 != 0 {
                StorageVolumeManager_initialize(&raw const lockstone_sim_storage, None);
                StorageVolumeManager_addVolume(spare, u64::from(BLOCK), &raw mut self.volume);
                if let Some(initialize) = self.volume.as_ref().and_then(|driver| driver.initialize) {
                    initialize(None);
                }
            }
        }
    }
}

/// A platform and memory for a store.
struct Bench {
    platform: Platform,
    memory: Memory,
    _ram: Vec<u64>,
}

impl Bench {
    /// A fresh chip with an empty store, but for its witness.
    fn new(mode: u32) -> Self {
        let (mut ram, mut platform) = (vec![0_u64; 6000], core::mem::MaybeUninit::<Platform>::uninit());
        let (start, size) = (ram.as_mut_ptr().cast(), ram.len() * 8);
        let memory = Memory { start, size, heads: 8, asset_bytes: 2048, cfstore_bytes: 8192 };
        let _ = lockstone_close();
        volume_manager_c::forget();
        assert_eq!((lockstone_sim_reset(CHIP), lockstone_sim_storage_configure(mode, 0)), (0, 0));
        // SAFETY: the platform is writable, and written when this returns 0.
        assert_eq!(unsafe { lockstone_sim_platform(platform.as_mut_ptr()) }, 0);
        // SAFETY: as above.
        let bench = Self { platform: unsafe { platform.assume_init() }, memory, _ram: ram };
        bench.use_table();
        // SAFETY: all is there, and stays until the store is closed.
        unsafe {
            assert_eq!(lockstone_format(&raw const bench.platform, &raw const bench.memory), 0);
            assert_eq!(lockstone_put(WITNESS.as_ptr(), WITNESS.as_ptr().cast(), 7, 0), 0);
        }
        bench
    }

    fn use_table(&self) {
        // SAFETY: so many rows are there.
        assert_eq!(unsafe { lockstone_use_volumes(TABLE.as_ptr(), TABLE.len()) }, 0);
    }

    /// As after a start, by the hooks or by the driver.
    fn reopen(&self, by_driver: bool) -> i32 {
        let _ = lockstone_close();
        let (platform, memory) = (&raw const self.platform, &raw const self.memory);
        // SAFETY: all is there, and stays until the store is closed.
        unsafe {
            if by_driver {
                lockstone_storage_open(&raw const lockstone_sim_storage, 0, CHIP, platform, memory)
            } else {
                lockstone_open(platform, memory)
            }
        }
    }

    /// Power, time, and who is calling.
    fn world(&self, input: &mut Input<'_>) {
        match input.byte() % 8 {
            0 | 1 => lockstone_sim_cut(u64::from(input.byte()), u32::from(input.byte() % 10)),
            2 => lockstone_sim_power(1),
            3 => self.reopen(false),
            4 => self.reopen(true),
            5 => lockstone_close(),
            6 => {
                lockstone_sim_set_client(input.number().cast_signed());
                0
            }
            _ => {
                let row = VolumeRow { kind: input.byte(), start: input.number(), length: input.number(), ..TABLE[0] };
                // SAFETY: one row is there.
                let used = unsafe { lockstone_use_volumes(&raw const row, input.length().min(1)) };
                if used == 0 {
                    self.use_table();
                }
                used
            }
        };
    }
}

/// While nothing is open, calls look for the usual device, and would make one: here they find that none can be.
fn have_no_device() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    // SAFETY: whoever reads the environment here does so through `std`, which locks it.
    ONCE.call_once(|| unsafe { std::env::set_var("LOCKSTONE_DEVICE", "/dev/null/none") });
}

/// Tries one input. The library is one, so only one may be tried at a time.
pub fn check(input: &[u8]) {
    have_no_device();
    let mut input = Input(input);
    let bench = Bench::new(u32::from(input.byte() % 8));
    let mut arena = Arena {
        target: [WATCHED; 2 * ROOM],
        source: [READ; ROOM],
        name: [0; 300],
        handles: [[0; 24]; 3],
        journals: [[0; size_of::<Journal>() / 8]; 2],
        objects: Box::new([0; 8192]),
        volume: null(),
    };
    arena.prepare(input.byte());
    for _ in 0..CALLS {
        if input.0.is_empty() {
            break;
        }
        match input.byte() % 8 {
            0 => arena.native(&mut input),
            1 => arena.psa(&mut input),
            2 => arena.cfstore(&mut input),
            3 | 4 => arena.objects(&mut input),
            5 => arena.journal(&mut input),
            6 => arena.volumes(&mut input),
            _ => bench.world(&mut input),
        }
        arena.check();
    }
    let _ = lockstone_close();
    lockstone_sim_power(1);
    lockstone_sim_set_client(0);
    assert_eq!(bench.reopen(false), 0, "the store opens after a start");
    let (mut found, mut length) = ([0_u8; 8], 0);
    // SAFETY: the name ends with a NUL, and there is room for what is written.
    let status = unsafe { lockstone_get(WITNESS.as_ptr(), found.as_mut_ptr().cast(), 8, &raw mut length) };
    assert_eq!((status, found.get(..length)), (0, Some(WITNESS.to_bytes())), "the witness is there");
    let _ = lockstone_close();
    arena.check();
}
