//! Threads on one store: each has its own, what one shares the other sees, and a panic in the midst of a call is told to all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockstone::{Ascon, Clients, Memory, Part, Quota, Rights, SoftRootKey, Store, buffer_size};
use lockstone_shared::threads::{Handle, Shared, SharedError};
use lockstone_sim::{SimError, SimFlash};
use lockstone_torture::Random;

type Chip = SimFlash<1, 4, 4096>;
type Ram = Memory<16, { buffer_size(1, 4, 4096) + 16 }>;

const THREADS: u32 = 6;
const ROUNDS: u32 = 200;

fn root() -> SoftRootKey {
    SoftRootKey::new([0x42; 32])
}

#[test]
fn each_thread_finds_what_it_wrote_and_nothing_else() {
    let (mut flash, mut memory) = (Chip::new(16 * 4096, 0xff), Ram::new());
    let store = Store::<_, Ascon>::format(&mut flash, Part::NOR, &root(), &mut Random(1), &mut memory).unwrap();
    let shared = Arc::new(Shared::new(Clients::new(store, &mut [])));
    std::thread::scope(|scope| {
        for number in 1..=THREADS {
            let mine = Handle::of(Arc::clone(&shared), number);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let value = (number * ROUNDS + round).to_le_bytes();
                    mine.put(b"state", &value).unwrap();
                    let mut found = [0; 4];
                    assert_eq!(mine.get(b"state", &mut found), Ok(Some(4)));
                    assert_eq!(found, value, "another thread wrote under this name");
                }
            });
        }
    });
    drop(Arc::into_inner(shared).and_then(Shared::into_inner).expect("no handle is left, and no thread panicked"));

    // And so it is on flash.
    let store = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &root(), &mut memory).unwrap();
    let shared = Shared::new(Clients::new(store, &mut []));
    for number in 1..=THREADS {
        let mut found = [0; 4];
        assert_eq!(Handle::of(&shared, number).get(b"state", &mut found), Ok(Some(4)));
        assert_eq!(u32::from_le_bytes(found), number * ROUNDS + ROUNDS - 1);
    }
    assert_eq!(Handle::of(&shared, THREADS + 1).length(b"state"), Ok(None));
}

#[test]
fn what_is_shared_is_seen_and_a_quota_holds() {
    let mut quotas = [Quota::new(2, 300)];
    let mut memory = Ram::new();
    let chip = Chip::new(16 * 4096, 0xff);
    let store = Store::<_, Ascon>::format(chip, Part::NOR, &root(), &mut Random(1), &mut memory).unwrap();
    let shared = Shared::new(Clients::new(store, &mut quotas));
    let (one, two) = (Handle::of(&shared, 1), Handle::of(&shared, 2));
    let mut value = [0; 8];

    one.put(b"address", b"fd00::17").unwrap();
    assert_eq!(two.get_shared(1, b"address", &mut value), Ok(None));
    assert_eq!(one.share(b"address", 2, Rights::READ), Ok(true));
    assert_eq!(two.get_shared(1, b"address", &mut value), Ok(Some(8)));
    assert_eq!(&value, b"fd00::17");
    assert_eq!(two.put_shared(1, b"address", b"mine"), Ok(false), "it may read, not write");

    let stored = (0..20).take_while(|number| two.put(&[*number], &[0; 32]).is_ok()).count();
    assert!((1..20).contains(&stored), "{stored}");
    assert_eq!(two.put(b"more", &[0; 32]), Err(SharedError::Store(lockstone::Error::Full)));
    assert_eq!(two.delete(&[0]), Ok(true));
    assert_eq!(two.delete(&[0]), Ok(false));
    one.put(b"more", &[0; 32]).unwrap();
}

/// A driver with a bug: it panics when it is told to.
struct Buggy<'b> {
    flash: Chip,
    panics: &'b AtomicBool,
}

impl ErrorType for Buggy<'_> {
    type Error = SimError;
}

impl ReadNorFlash for Buggy<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.flash.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl NorFlash for Buggy<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.flash.erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        assert!(!self.panics.load(Ordering::Relaxed), "the driver has a bug");
        self.flash.write(offset, bytes)
    }
}

#[test]
fn a_panic_in_the_midst_of_a_call_is_told_to_all_and_loses_nothing() {
    let (panics, mut memory) = (AtomicBool::new(false), Ram::new());
    let mut flash = Buggy { flash: Chip::new(16 * 4096, 0xff), panics: &panics };
    let store = Store::<_, Ascon>::format(&mut flash, Part::NOR, &root(), &mut Random(1), &mut memory).unwrap();
    let shared = Shared::new(Clients::new(store, &mut []));
    let (one, two) = (Handle::of(&shared, 1), Handle::of(&shared, 2));
    one.put(b"state", &[1]).unwrap();
    panics.store(true, Ordering::Relaxed);
    assert!(catch_unwind(AssertUnwindSafe(|| one.put(b"state", &[2]))).is_err());
    panics.store(false, Ordering::Relaxed);
    assert_eq!(two.put(b"state", &[3]), Err(SharedError::Poisoned));
    assert!(shared.lock().is_none() && shared.into_inner().is_none());

    let store = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &root(), &mut memory).unwrap();
    let shared = Shared::new(Clients::new(store, &mut []));
    let mut value = [0; 1];
    assert_eq!(Handle::of(&shared, 1).get(b"state", &mut value), Ok(Some(1)));
    assert_eq!(value, [1]);
    assert_eq!(Handle::of(&shared, 2).get(b"state", &mut value), Ok(None));
}
