//! Calls with hostile arguments, at random: whatever is passed, an answer comes back, nothing is written beyond what was
//! offered, and the library goes on.
//!
//! Pointers are null or to memory that is there, as no C library can do better; lengths, handles, cursors, names and flags are
//! anything.

use std::ffi::{c_char, c_void};
use std::ptr::{null, null_mut};

use lockstone_ffi::cfstore_c::{Bits, KeyDescription, cfstore_driver};
use lockstone_ffi::native_c::{
    SearchPlace, lockstone_delete, lockstone_find, lockstone_get, lockstone_get_stats, lockstone_put,
};
use lockstone_ffi::psa_c::{
    psa_its_get, psa_its_get_info, psa_its_remove, psa_its_set, psa_ps_create, psa_ps_get, psa_ps_get_info,
    psa_ps_remove, psa_ps_set, psa_ps_set_extended,
};

use crate::{Bench, get, put};

/// Bytes that are offered for writing; as many behind them are watched.
const ROOM: usize = 256;

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 24
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Mostly small, sometimes absurd.
    fn length(&mut self) -> usize {
        match self.below(8) {
            0 => usize::MAX - usize::try_from(self.below(3)).unwrap(),
            1 => usize::MAX / 2 + usize::try_from(self.below(3)).unwrap(),
            2 => 1 << 31,
            _ => usize::try_from(self.below(ROOM as u64 + 1)).unwrap(),
        }
    }

    /// Of a buffer that is read or written, so no longer than it is.
    fn within(&mut self) -> usize {
        usize::try_from(self.below(ROOM as u64 + 1)).unwrap()
    }

    fn word(&mut self) -> u32 {
        let bit = 1 << self.below(32);
        [0, 0, 1, 3, bit, u32::MAX][usize::try_from(self.below(6)).unwrap()]
    }
}

/// Memory that calls are given.
struct Arena {
    target: Vec<u8>,
    source: Vec<u8>,
    name: Vec<u8>,
    handles: [[u8; 24]; 3],
    dice: Dice,
}

impl Arena {
    fn new(seed: u64) -> Self {
        Self {
            target: vec![0xa5; 2 * ROOM],
            source: vec![7; ROOM],
            name: vec![0; 300],
            handles: [[0; 24]; 3],
            dice: Dice(seed),
        }
    }

    fn target(&mut self) -> *mut c_void {
        if self.dice.below(6) == 0 { null_mut() } else { self.target.as_mut_ptr().cast() }
    }

    fn source(&mut self) -> *const c_void {
        if self.dice.below(6) == 0 { null() } else { self.source.as_ptr().cast() }
    }

    /// A name of few letters, or of nonsense, or none.
    fn name(&mut self) -> *const c_char {
        let kind = self.dice.below(10);
        if kind == 0 {
            return null();
        }
        let length = if kind == 1 { 299 } else { usize::try_from(self.dice.below(4)).unwrap() };
        self.name.fill(0);
        for index in 0..length {
            let any = u8::try_from(self.dice.below(255)).unwrap() + 1;
            self.name[index] = if kind < 3 { any } else { b"ab*{}."[usize::try_from(self.dice.below(6)).unwrap()] };
        }
        self.name.as_ptr().cast()
    }

    fn handle(&mut self) -> *mut c_void {
        let index = usize::try_from(self.dice.below(4)).unwrap();
        let Some(handle) = self.handles.get_mut(index) else { return null_mut() };
        if self.dice.below(12) == 0 {
            handle[usize::try_from(self.dice.below(24)).unwrap()] ^= 1 << self.dice.below(8);
        }
        handle.as_mut_ptr().cast()
    }

    fn uid(&mut self) -> u64 {
        [0, 1, 2, 3, u64::MAX][usize::try_from(self.dice.below(5)).unwrap()]
    }

    /// A call of PSA.
    fn psa(&mut self) {
        let (uid, flags, offset) = (self.uid(), self.dice.word() & !1, self.dice.length());
        let (target, source, within, length) = (self.target(), self.source(), self.dice.within(), self.dice.length());
        let mut said = 0;
        // SAFETY: lengths of what is read are within it or absurd, which is refused before; there is room for what is written,
        // which is never more than an asset has.
        unsafe {
            match self.dice.below(10) {
                0 => psa_its_set(uid, within, source, flags),
                1 => psa_its_get(uid, offset, within, target, &raw mut said),
                2 => psa_its_get_info(uid, null_mut()),
                3 => psa_its_remove(uid),
                4 => psa_ps_set(uid, if length > ROOM { length } else { within }, source, flags),
                5 => psa_ps_get(uid, offset, within, target, if flags == 0 { null_mut() } else { &raw mut said }),
                6 => psa_ps_get_info(uid, null_mut()),
                7 => psa_ps_remove(uid),
                8 => psa_ps_create(uid, length, flags),
                _ => psa_ps_set_extended(uid, offset, if length > 1 << 20 { length } else { within }, source),
            }
        };
    }

    /// A call of CFSTORE.
    fn cfstore(&mut self) {
        let d = &cfstore_driver;
        let how = KeyDescription {
            acl: Bits { bits: self.dice.word() & 0x3f },
            drl: u8::try_from(self.dice.below(6)).unwrap(),
            security: Bits { bits: self.dice.word() & !2 },
            flags: Bits { bits: self.dice.word() },
        };
        let how = if self.dice.below(4) == 0 { null() } else { &raw const how };
        let (handle, other, name) = (self.handle(), self.handle(), self.name());
        let (target, source, mut length, mut small) = (self.target(), self.source(), self.dice.within(), 200_u8);
        let (any, mode) = (self.dice.length(), Bits { bits: self.dice.word() & 0x7f });
        let lost = self.dice.below(9) == 0;
        let length = if lost { null_mut() } else { &raw mut length };
        let small = if lost { null_mut() } else { &raw mut small };
        // SAFETY: what is read and written is within the arena, names end with a NUL.
        unsafe {
            match self.dice.below(14) {
                0 => (d.close)(handle),
                1 => (d.create)(name, if any > ROOM { any } else { any % 64 }, how, handle),
                2 => (d.delete)(handle),
                3 => (d.find)(name, handle, other),
                4 => (d.flush)(),
                5 => (d.get_key_name)(handle, target.cast(), small),
                6 => (d.get_value_len)(handle, length),
                7 => (d.read)(handle, target, length),
                8 => (d.open)(name, mode, handle),
                9 => (d.rseek)(handle, any),
                10 => (d.write)(handle, source.cast(), length),
                11 => (d.power_control)(i32::try_from(any % 5).unwrap() - 1),
                12 => (d.initialize)(None, null_mut()),
                _ if any % 8 == 0 => (d.uninitialize)(),
                _ => (d.find)(c"*".as_ptr(), handle, other),
            }
        };
    }

    /// A call of the native interface.
    fn native(&mut self) {
        let (name, target, source, within) = (self.name(), self.target(), self.source(), self.dice.within());
        let (length, flags, mut said) = (self.dice.length(), self.dice.word() & !2, 0);
        // SAFETY: any bits make a place.
        let mut place: SearchPlace = unsafe { std::mem::transmute([self.dice.next(), self.dice.next()]) };
        // SAFETY: as in `psa`; for a name that is found there are 256 bytes.
        unsafe {
            match self.dice.below(5) {
                0 => lockstone_put(name, source, if length > 1 << 20 { length } else { within }, flags),
                1 => lockstone_get(name, target, within, &raw mut said),
                2 => lockstone_delete(name),
                3 => lockstone_find(&raw mut place, name, target.cast()),
                _ => lockstone_get_stats(null_mut()),
            }
        };
    }
}

#[test]
fn whatever_is_passed_the_library_answers_and_goes_on() {
    let _bench = Bench::new();
    assert_eq!(put(c"witness", b"still here"), 0);
    for seed in 0..4 {
        let mut arena = Arena::new(seed);
        for _ in 0..1500 {
            match arena.dice.below(3) {
                0 => arena.psa(),
                1 => arena.cfstore(),
                _ => arena.native(),
            }
            assert!(arena.target[ROOM..].iter().all(|byte| *byte == 0xa5), "written beyond what was offered");
            assert!(arena.source.iter().all(|byte| *byte == 7), "what was to be read was written");
        }
        assert_eq!(get(c"witness"), Ok(b"still here".to_vec()));
    }
}
