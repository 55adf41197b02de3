//! What the probes share: a flash, a root key, and the calls that are measured.
//!
//! The flash and the key are volatile accesses to made-up addresses. That costs a few dozen bytes, is never run, and
//! keeps the compiler from leaving anything out.

use core::future::Future;
use core::pin::pin;
use core::ptr::{read_volatile, write_volatile};
use core::task::{Context, Waker};

use ascon_hash256::AsconHash256;
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use lockstone::seal::Suite;
use lockstone::trust::{Anchor, MonotonicCounter, NoCounter, Reader, RootKey, RootKeyError, Small};
use lockstone::{
    Attributes, Clients, Cursor, Memory, Objects, Part, Put, Quota, Rights, Slot, Store, asynchronous, buffer_size,
};
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};
use sha2::{Digest, Sha256};

/// Where a memory-mapped flash might begin.
const FLASH: usize = 0x6000_0000;
/// Where a key might lie.
const KEY: usize = 0x5000_0000;
/// A register that takes what must not be optimised away.
const REGISTER: usize = 0x4000_0000;

/// RAM of the store: 100 keys on 64 blocks.
type Ram = Memory<141, { buffer_size(1, 4, 4096) + 64 }>;

static mut MEMORY: Ram = Ram::new();

/// A flash of 64 blocks of 4 KiB with words of 4 bytes.
struct Flash;

/// The flash never says why.
#[derive(Clone, Copy, Debug)]
struct Failed;

impl NorFlashError for Failed {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Flash {
    type Error = Failed;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    #[inline(never)]
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Failed> {
        for (index, byte) in bytes.iter_mut().enumerate() {
            let address = FLASH + offset as usize + index;
            // SAFETY: the store reads inside `capacity` only, and the chip of this probe maps that range; a byte has
            // no alignment and every bit pattern is one.
            *byte = unsafe { read_volatile(address as *const u8) };
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        64 * 4096
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    #[inline(never)]
    fn erase(&mut self, from: u32, _to: u32) -> Result<(), Failed> {
        // SAFETY: a register of the chip of this probe, aligned, and no Rust object lies there.
        unsafe { write_volatile(REGISTER as *mut u32, from) };
        Ok(())
    }

    #[inline(never)]
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Failed> {
        for (index, byte) in bytes.iter().enumerate() {
            let address = FLASH + offset as usize + index;
            // SAFETY: as for `read`; no Rust object lies in the mapped range.
            unsafe { write_volatile(address as *mut u8, *byte) };
        }
        Ok(())
    }
}

/// A key in a register bank.
struct Key;

impl RootKey for Key {
    fn derive(&self, _label: &[u8], key: &mut [u8; 32]) -> Result<(), RootKeyError> {
        for (index, byte) in key.iter_mut().enumerate() {
            // SAFETY: 32 registers of the chip of this probe; a byte has no alignment.
            *byte = unsafe { read_volatile((KEY + index) as *const u8) };
        }
        Ok(())
    }
}

/// Keeps the compiler from leaving the result out.
fn keep(value: u8) {
    // SAFETY: a register of the chip of this probe; a byte has no alignment.
    unsafe { write_volatile(REGISTER as *mut u8, value) };
}

fn rest() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

fn memory() -> &'static mut Ram {
    let memory = &raw mut MEMORY;
    // SAFETY: `_start` runs once, on one core, and calls this once: there is no other reference to `MEMORY`.
    unsafe { &mut *memory }
}

/// Mount, get, put, delete.
#[allow(dead_code, reason = "each probe calls one")]
pub fn kv<S: Suite>() -> ! {
    if let Ok(mut store) = Store::<_, S>::mount(Flash, Part::NOR, &Key, memory()) {
        let mut value = [0; 64];
        if let Ok(Some(length)) = store.get("boot", &mut value) {
            let _ = store.put("boot", &value[..length]);
        }
        let _ = store.delete("x");
        keep(value[0]);
    }
    rest()
}

/// Mount, get, put, delete, and of objects: resume, create, write, finish, read.
#[allow(dead_code, reason = "each probe calls one")]
pub fn objects<S: Suite>() -> ! {
    let mut buffer = [0; 600];
    if let Ok(mut store) = Store::<_, S>::mount(Flash, Part::NOR, &Key, memory())
        && let Ok(mut objects) = Objects::<_, S>::open(Flash, Part::NOR, &mut store, &mut buffer)
    {
        let mut value = [0; 64];
        let mut ram = [0; 700];
        if let Ok(Some(length)) = store.get("boot", &mut value) {
            let _ = store.put("boot", &value[..length]);
        }
        let _ = store.delete("x");
        let upload = match objects.resume(&mut store, "fw", &mut ram) {
            Ok(None) => objects.create(&mut store, "fw", Some(100_000), &mut Dice, &mut ram).map(Some),
            there => there,
        };
        if let Ok(Some(mut upload)) = upload {
            let _ = objects.write(&mut store, &mut upload, 0, &value);
            let _ = objects.finish::<Sha256, _, _>(&mut store, &mut upload, "fw", None, Put::USUAL);
        }
        let _ = objects.read(&mut store, "fw", 0, &mut value);
        keep(value[0]);
    }
    rest()
}

/// What a boot loader needs: mounts, and reads an object through with its digest.
#[allow(dead_code, reason = "each probe calls one")]
pub fn boot<S: Suite>() -> ! {
    let mut buffer = [0; 600];
    let anchor = Anchor { root: &Key, counter: Reader(NoCounter) };
    if let Ok(mut store) = Store::<_, S, _>::mount_protected(Flash, Part::NOR, anchor, memory())
        && let Ok(mut objects) = Objects::<_, S>::open(Flash, Part::NOR, &mut store, &mut buffer)
        && let Ok(Some(manifest)) = objects.manifest(&mut store, "fw")
    {
        let mut bytes = [0; 256];
        let mut hash = AsconHash256::new();
        let mut offset = 0;
        while let Ok(Some(length @ 1..)) = objects.read(&mut store, "fw", offset, &mut bytes) {
            hash.update(&bytes[..length]);
            offset += length as u32;
        }
        keep(u8::from(hash.finalize()[..] == manifest.digest));
    }
    rest()
}

/// Brings a slot to hold what was requested for it, and verifies it.
#[allow(dead_code, reason = "each probe calls one")]
pub fn install<S: Suite>() -> ! {
    let mut buffer = [0; 600];
    let anchor = Anchor { root: &Key, counter: Reader(NoCounter) };
    if let Ok(mut store) = Store::<_, S, _>::mount_protected(Flash, Part::NOR, anchor, memory())
        && let Ok(mut objects) = Objects::<_, S>::open(Flash, Part::NOR, &mut store, &mut buffer)
        && let Ok(mut slot) = Slot::new(Flash, Part::NOR, 0)
        && let Ok(installed) = objects.install::<Sha256, _, _, _>(&mut store, &mut slot, |_, _| {})
    {
        keep(installed.digest[0]);
    }
    rest()
}

/// Mount, get, put and delete of a small store.
#[allow(dead_code, reason = "each probe calls one")]
pub fn small<S: Suite>() -> ! {
    if let Ok(mut store) = Store::<_, S, Small>::mount_small(Flash, Part::NOR, &Key, memory()) {
        let mut value = [0; 64];
        if let Ok(Some(length)) = store.get("boot", &mut value) {
            let _ = store.put("boot", &value[..length]);
        }
        let _ = store.delete("x");
        keep(value[0]);
    }
    rest()
}

/// The same, asynchronous; the flash is always ready, so that nothing but the store is measured.
#[allow(dead_code, reason = "each probe calls one")]
pub fn kv_async<S: Suite>() -> ! {
    let future = async {
        if let Ok(mut store) = asynchronous::Store::<_, S>::mount(Flash, Part::NOR, &Key, memory()).await {
            let mut value = [0; 64];
            if let Ok(Some(length)) = store.get("boot", &mut value).await {
                let _ = store.put("boot", &value[..length]).await;
            }
            let _ = store.delete("x").await;
            keep(value[0]);
        }
    };
    let mut future = pin!(future);
    while future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {}
    rest()
}

/// A peer: fetch, store and remove. Names are numbers.
#[allow(dead_code, reason = "each probe calls one")]
pub fn sequential() -> ! {
    if let Ok(config) = MapConfig::try_new(0..64 * 4096) {
        let mut map = MapStorage::<u8, _, _>::new(Flash, config, Cache::new_uncached());
        let mut buffer = [0; 128];
        let future = async {
            let mut value = [0; 64];
            if let Ok(Some(found)) = map.fetch_item::<&[u8]>(&mut buffer, &1).await {
                value[..found.len().min(64)].copy_from_slice(&found[..found.len().min(64)]);
            }
            let _ = map.store_item(&mut buffer, &1, &&value[..]).await;
            let _ = map.remove_item(&mut buffer, &2).await;
            keep(value[0]);
        };
        let mut future = pin!(future);
        while future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {}
    }
    rest()
}

impl embedded_storage_async::nor_flash::MultiwriteNorFlash for Flash {}

/// Everything else too: format, ranges, transactions, iteration, statistics, close.
#[allow(dead_code, reason = "each probe calls one")]
pub fn full<S: Suite>() -> ! {
    if let Ok(mut store) = Store::<_, S>::format(Flash, Part::NOR, &Key, &mut Dice, memory()) {
        let mut value = [0; 64];
        let _ = store.get("boot", &mut value);
        let _ = store.put("boot", &value);
        let _ = store.delete("x");
        let _ = store.get_range("boot", 3, &mut value);
        keep(u8::from(store.contains("y").unwrap_or(false)));
        if let Ok(mut transaction) = store.transaction(200) {
            let _ = transaction.put("one", &value);
            let _ = transaction.delete("two");
            let _ = transaction.commit();
        }
        let (mut cursor, mut name) = (Cursor::new(), [0; 255]);
        while let Ok(Some(length)) = store.next_key(&mut cursor, 0, b"w", &mut name) {
            keep(name[length - 1]);
        }
        if let Ok(stats) = store.stats() {
            keep(stats.keys.to_le_bytes()[0]);
        }
        keep(u8::from(store.report().is_sound()));
        let _ = store.close();
        keep(value[0]);
    }
    rest()
}

/// A counter in a register.
struct Counter;

impl MonotonicCounter for Counter {
    type Error = Failed;

    fn read(&mut self) -> Result<u64, Failed> {
        // SAFETY: a register of the chip of this probe, aligned, and no Rust object lies there.
        Ok(unsafe { read_volatile(REGISTER as *const u32) }.into())
    }

    fn increment(&mut self) -> Result<u64, Failed> {
        keep(1);
        self.read()
    }

    fn limit(&self) -> u64 {
        0xffff
    }
}

fn anchor() -> Anchor<'static, Key, Counter> {
    Anchor { root: &Key, counter: Counter }
}

/// Mount, get, put, delete, with roll-back protection and attributes.
#[allow(dead_code, reason = "each probe calls one")]
pub fn protected<S: Suite>() -> ! {
    if let Ok(mut store) = Store::<_, S, _>::mount_protected(Flash, Part::NOR, anchor(), memory()) {
        let mut value = [0; 64];
        if let Ok(Some(length)) = store.get("boot", &mut value) {
            let _ = store.put_with("boot", &value[..length], Put::PROTECTED);
            let _ = store.put_with("once", &value[..length], Put::with(Attributes::WRITE_ONCE));
        }
        let _ = store.delete("x");
        keep(u8::from(store.counter_state().is_some_and(|state| state.low)));
        keep(value[0]);
    }
    rest()
}

/// That, and clients, shares, quotas, factory reset, scrubbing, the end, and the way back after a roll-back.
#[allow(dead_code, reason = "each probe calls one")]
pub fn clients<S: Suite>() -> ! {
    if let Ok(mut store) = Store::<_, S, _>::danger_mount_rolled_back(Flash, Part::NOR, anchor(), memory()) {
        let _ = store.danger_accept_rollback();
    }
    if let Ok(store) = Store::<_, S, _>::mount_protected(Flash, Part::NOR, anchor(), memory()) {
        let mut quotas = [Quota::new(1, 4000)];
        let mut all = Clients::new(store, &mut quotas);
        let mut value = [0; 64];
        let mut client = all.client_with_reset(1);
        if let Ok(Some(length)) = client.get(b"boot", &mut value) {
            let _ = client.put_with(b"boot", &value[..length], Put::PROTECTED);
            let _ = client.put_with(b"once", &value[..length], Put::with(Attributes::WRITE_ONCE));
        }
        let _ = client.delete(b"x");
        let _ = client.set_attributes(b"boot", Attributes::READ_ONLY);
        let _ = client.share(b"boot", 2, Rights::READ);
        let _ = client.get_shared(2, b"theirs", &mut value);
        let _ = client.put_shared(2, b"theirs", &value);
        let _ = client.factory_reset();
        let _ = all.store().scrub(|_, _| {});
        keep(u8::from(all.store().counter_state().is_some_and(|state| state.low)));
        let _ = all.into_store().erase();
        keep(value[0]);
    }
    rest()
}

/// Not random at all: it only has to be there.
#[allow(dead_code, reason = "one probe formats")]
struct Dice;

impl rand_core::TryRng for Dice {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(4)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(4)
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Self::Error> {
        target.fill(4);
        Ok(())
    }
}

impl embedded_storage_async::nor_flash::ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Failed> {
        ReadNorFlash::read(self, offset, bytes)
    }

    fn capacity(&self) -> usize {
        ReadNorFlash::capacity(self)
    }
}

impl embedded_storage_async::nor_flash::NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Failed> {
        NorFlash::erase(self, from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Failed> {
        NorFlash::write(self, offset, bytes)
    }
}

#[panic_handler]
fn stop(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
