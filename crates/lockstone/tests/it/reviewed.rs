//! What a hostile reading of the engine found. Each of these failed first.

use core::cell::Cell;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockstone::trust::{Anchor, Protection, Small};
use lockstone::{
    Ascon, Attributes, Clients, Cursor, Error, Memory, Part, Plain, Put, Quota, Rights, Store, buffer_size, seal::Suite,
};
use lockstone_sim::{SimCounter, SimError, SimFlash, Tear};
use lockstone_torture::{Fixed, Random, Trusted, root};

type Chip = SimFlash<1, 4, 4096>;

const RAM: usize = buffer_size(1, 4, 4096) + 512;

/// One bit of the header of a segment in the middle is wrong. What stands behind it is whole, and no compaction may forget it.
#[test]
fn what_stands_behind_a_header_that_cannot_be_read_is_kept() {
    for victims in [&[3][..], &[5], &[8], &[4, 5], &[3, 5, 6, 7]] {
        let (mut chip, mut memory) = (Chip::new(32 * 4096, 0xff), Memory::<4, RAM>::new());
        let mut store = Store::<_, Ascon>::format(&mut chip, Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap();
        for number in 0..300 {
            store.put(&*format!("{number:04}"), &[7; 100]).unwrap();
        }
        store.close().unwrap();
        let mut image = chip.data().to_vec();
        for victim in victims {
            image[victim * 4096 + 20] ^= 1;
        }
        let mut chip = Chip::with_content(0xff, image);
        let mut store = Store::<_, Ascon>::mount(&mut chip, Part::NOR, &root(), &mut memory).unwrap();
        let mut refused = 0;
        for turn in 0..1500_u32 {
            match store.put("hot", &turn.to_le_bytes()) {
                Ok(()) => {}
                // Several in a row: nobody knows what stood between.
                Err(Error::Damaged | Error::Full) if victims.len() > 1 => refused += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        let lost =
            (0..300).filter(|number| store.get(&*format!("{number:04}"), &mut [0; 200]) != Ok(Some(100))).count();
        assert_eq!(lost, 0, "{victims:?}, {refused} refused");
    }
}

/// Tombstones that had left with their segment were counted out at each mount once more.
#[test]
fn what_is_counted_does_not_drift_from_mount_to_mount() {
    let (mut flash, mut memory) = (Chip::new(6 * 4096, 0xff), Memory::<256, RAM>::new());
    let mut random = Random(5);
    drop(Store::<_, Ascon>::format(&mut flash, Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap());
    for session in 0..2500 {
        let mut store = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &root(), &mut memory).unwrap();
        for _ in 0..5 {
            let name = format!("{}", random.below(240));
            let done = if random.below(2) == 0 {
                store.delete(&*name).map(drop)
            } else {
                store.put(&*name, &[1; 60][..random.below(60)])
            };
            assert!(matches!(done, Ok(()) | Err(Error::Full)), "{done:?}");
        }
        let stats = store.stats().unwrap();
        // A head, a link, a tag, a name and half of the longest value each, and room for pointers.
        assert!(stats.used_bytes >= stats.keys * 40, "session {session}: {stats:?}");
    }
}

#[test]
fn a_store_in_ram_that_another_one_had_begins_anew() {
    let mut used = Memory::<64, RAM>::new();
    let mut flash = Chip::new(16 * 4096, 0xff);
    let live = |flash: &mut Chip, memory: &mut Memory<64, RAM>| {
        let mut store = Store::<_, Ascon>::format(&mut *flash, Part::NOR, &root(), &mut Fixed(3), memory).unwrap();
        for number in 0..2000 {
            store.put(&*format!("{}", number % 50), &[1; 60]).unwrap();
        }
        store.close().unwrap();
        let before = flash.counts().reads;
        drop(Store::<_, Ascon>::mount(&mut *flash, Part::NOR, &root(), memory).unwrap());
        flash.counts().reads - before
    };
    let first = live(&mut flash, &mut used);
    Store::<_, Ascon>::mount(&mut flash, Part::NOR, &root(), &mut used).unwrap().erase().unwrap();
    let again = live(&mut flash, &mut used);
    assert_eq!(first, again, "what a mount of the same content reads");
}

/// A segment that is opened early costs the rest of the one before.
#[test]
fn a_full_store_can_be_scrubbed() {
    fn scrub<S: Suite>(segments: usize, length: usize, churn: usize) {
        let (mut flash, mut memory) = (Chip::new(segments * 4096, 0xff), Memory::<64, RAM>::new());
        let mut store = Store::<_, S>::format(&mut flash, Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap();
        let mut keys = 0;
        while store.put(&*format!("{keys:06}"), &vec![2; length]).is_ok() {
            keys += 1;
        }
        let mut random = Random(5);
        for _ in 0..keys * churn {
            store.put(&*format!("{:06}", random.below(keys)), &vec![4; length]).unwrap();
        }
        let what = format!("{} {segments} segments, {keys} of {length} bytes, {churn}", S::NAME);
        let mut heard = Vec::new();
        assert_eq!(store.scrub(|done, all| heard.push((done, all))), Ok(()), "{what}");
        assert!(heard.is_sorted() && heard.last().is_some_and(|(done, all)| done == all), "{what}: {heard:?}");
        for key in 0..keys {
            assert_eq!(store.delete(&*format!("{key:06}")), Ok(true), "{what}");
        }
    }
    for segments in [8, 40] {
        for length in [20, 200, 900] {
            for churn in [0, 2] {
                scrub::<Ascon>(segments, length, churn);
                scrub::<Plain>(segments, length, churn);
            }
        }
    }
}

/// What a replay counts once more must not be counted before.
#[test]
fn a_small_store_that_was_not_closed_is_counted_as_it_is_when_it_is_taken_over() {
    for closed in [false, true] {
        let (mut flash, mut memory) = (Chip::new(8 * 4096, 0xff), Memory::<64, RAM>::new());
        let mut small =
            Store::<_, Ascon, Small>::format_small(&mut flash, Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap();
        for number in 0..30 {
            small.put(&*format!("{number:06}"), &[1; 40]).unwrap();
        }
        if closed {
            small.close().unwrap();
        } else {
            drop(small);
        }
        for session in 0..4 {
            let mut store = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &root(), &mut memory).unwrap();
            store.put("new", &[session; 10]).unwrap();
            let (mut cursor, mut name, mut listed) = (Cursor::new(), [0; 255], 0);
            while store.next_key(&mut cursor, 0, b"", &mut name).unwrap().is_some() {
                listed += 1;
            }
            assert_eq!((store.stats().unwrap().keys, listed), (31, 31), "closed {closed}, session {session}");
        }
    }
}

/// Fails two reads in a row, and no more.
struct Failing<'a> {
    chip: &'a mut Chip,
    left: &'a Cell<i32>,
}

impl ErrorType for Failing<'_> {
    type Error = SimError;
}

impl ReadNorFlash for Failing<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.left.set(self.left.get().saturating_sub(1));
        if matches!(self.left.get(), -1..=0) { Err(SimError::Ecc) } else { self.chip.read(offset, bytes) }
    }

    fn capacity(&self) -> usize {
        ReadNorFlash::capacity(&*self.chip)
    }
}

impl NorFlash for Failing<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.chip.erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.chip.write(offset, bytes)
    }
}

/// What stands behind a record that could not be read was not counted, and every change compacted far more than it owed.
#[test]
fn a_failed_read_does_not_end_the_count_of_what_is_taken_over() {
    let (mut chip, left) = (Chip::new(64 * 4096, 0xff), Cell::new(i32::MAX));
    let mut memory = Memory::<64, RAM>::new();
    let mut small =
        Store::<_, Ascon, Small>::format_small(&mut chip, Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap();
    for number in 0..1400 {
        small.put(&*format!("{number:06}"), &[1; 60]).unwrap();
    }
    drop(small);
    let before = chip.counts().erases;
    let flash = Failing { chip: &mut chip, left: &left };
    let mut store = Store::<_, Ascon>::mount(flash, Part::NOR, &root(), &mut memory).unwrap();
    left.set(20);
    for number in 0..1000 {
        let _ = store.put(&*format!("{:06}", number % 10), &[2; 60]);
    }
    drop(store);
    let erases = chip.counts().erases - before;
    assert!(erases < 1000, "{erases} erases for 1,000 changes");
}

#[test]
fn what_is_read_only_is_not_erased() {
    let (mut flash, mut memory) = (Chip::new(16 * 4096, 0xff), Memory::<64, RAM>::new());
    let mut store = Store::<_, Ascon>::format(&mut flash, Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap();
    store.put("a", b"1").unwrap();
    drop(store);
    let store = Store::<_, Ascon>::mount_read_only(&mut flash, Part::NOR, &root(), &mut memory).unwrap();
    assert_eq!(store.erase().map(drop), Err(Error::ReadOnly));
    let mut store = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &root(), &mut memory).unwrap();
    assert_eq!(store.get("a", &mut [0; 9]), Ok(Some(1)));
}

type Protected<'m, 'c> = Store<'m, &'c mut Chip, Ascon, &'c mut Trusted<SimCounter>>;

/// Formats with a counter, and lets that be used.
fn protected<T>(flash: &mut Chip, counter: &mut Trusted<SimCounter>, act: impl FnOnce(Protected<'_, '_>) -> T) -> T {
    let (key, mut memory) = (root(), Memory::<64, RAM>::new());
    let anchor = Anchor { root: &key, counter };
    act(Store::format_protected(flash, Part::NOR, anchor, Protection::Chosen, &mut Fixed(3), &mut memory).unwrap())
}

/// Long copies of short values, and everything else full of what a reset removes.
#[test]
fn a_reset_that_was_begun_can_be_ended() {
    for segments in [32, 64] {
        for copies in [1, 2, 4] {
            for fill in [40, 1000] {
                let (mut flash, mut counter) = (Chip::new(segments * 4096, 0xff), Trusted(SimCounter::new(1000)));
                let long = segments * 4096 / 4 / copies;
                let what = format!("{segments} segments, {copies} copies of {long}, filled with {fill}");
                protected(&mut flash, &mut counter, |mut store| {
                    for number in 0..copies {
                        let name = format!("factory{number}");
                        if store.put_with(&*name, &vec![1; long], Put::with(Attributes::FACTORY)) != Ok(()) {
                            return;
                        }
                        store.put(&*name, b"short").unwrap();
                    }
                    let mut keys = 0;
                    while store.put(&*format!("{keys}"), &vec![2; fill]).is_ok() {
                        keys += 1;
                    }
                    assert_eq!(store.factory_reset(), Ok(()), "{what}");
                    assert_eq!(store.stats().unwrap().keys as usize, copies, "{what}");
                    let mut value = vec![0; long];
                    assert_eq!(store.get("factory0", &mut value), Ok(Some(long)), "{what}");
                    assert!(value.iter().all(|byte| *byte == 1));
                    store.put("new", &vec![2; fill]).unwrap();
                });
            }
        }
    }
}

/// A copy counts with its own length, not with that of the value that is there.
#[test]
fn factory_copies_count_for_their_client() {
    let (mut flash, mut counter) = (Chip::new(32 * 4096, 0xff), Trusted(SimCounter::new(1000)));
    protected(&mut flash, &mut counter, |store| {
        let mut quotas = [Quota::new(1, 8000)];
        let mut clients = Clients::new(store, &mut quotas);
        let mut made = 0;
        while made < 10 {
            let name = format!("f{made}");
            if clients.client(1).put_with(name.as_bytes(), &[1; 3000], Put::with(Attributes::FACTORY)).is_err() {
                break;
            }
            clients.client(1).put(name.as_bytes(), b"").unwrap();
            made += 1;
        }
        assert_eq!(made, 1, "3,000 bytes and their copy fit into 8,000, 6,000 more do not");
        let used = clients.quotas()[0].used();
        assert!(used > 3300, "{used} counted");
        // What was counted on the way is what is counted anew.
        clients.client(1).delete(b"none").unwrap();
        clients.client(1).put(b"f0", b"").unwrap();
        assert_eq!(clients.quotas()[0].used(), used);
    });
}

#[test]
fn a_reset_forgets_what_was_shared_of_entries_that_are_gone() {
    let (mut flash, mut counter) = (Chip::new(8 * 4096, 0xff), Trusted(SimCounter::new(1000)));
    protected(&mut flash, &mut counter, |store| {
        let mut clients = Clients::new(store, &mut []);
        let mut used = Vec::new();
        for round in 0..20 {
            for number in 0..20 {
                let name = format!("{round}/{number}");
                clients.client(1).put(name.as_bytes(), b"").unwrap();
                assert!(clients.client(1).share(name.as_bytes(), 2, Rights::READ).unwrap());
            }
            clients.client_with_reset(9).factory_reset().unwrap();
            used.push(clients.store().stats().unwrap().used_bytes);
        }
        assert!(used.iter().all(|bytes| *bytes < 4000), "{used:?}");
    });
}

/// An image from the middle of a factory reset is accepted like any other; then the reset is brought to its end.
#[test]
fn an_older_image_from_the_middle_of_a_reset_can_be_accepted() {
    let (key, mut memory) = (root(), Memory::<64, RAM>::new());
    let (mut flash, mut counter) = (Chip::new(16 * 4096, 0xff), Trusted(SimCounter::new(1000)));
    protected(&mut flash, &mut counter, |mut store| {
        for number in 0..20 {
            store.put(&*format!("{number}"), &[1; 20]).unwrap();
        }
    });
    flash.cut_at(8, Tear::Whole);
    let anchor = Anchor { root: &key, counter: &mut counter };
    let mut store = Store::<_, Ascon, _>::mount_protected(&mut flash, Part::NOR, anchor, &mut memory).unwrap();
    assert!(store.factory_reset().is_err(), "power went");
    drop(store);
    flash.power_on();
    let image = flash.data().to_vec();
    let anchor = Anchor { root: &key, counter: &mut counter };
    let mut store = Store::<_, Ascon, _>::mount_protected(&mut flash, Part::NOR, anchor, &mut memory).unwrap();
    assert_eq!(store.get("19", &mut [0; 30]), Ok(None), "the reset was brought to its end");
    store.put_with("a", b"1", Put::PROTECTED).unwrap();
    drop(store);
    let mut flash = Chip::with_content(0xff, image);
    let anchor = Anchor { root: &key, counter: &mut counter };
    assert!(Store::<_, Ascon, _>::mount_protected(&mut flash, Part::NOR, anchor, &mut memory).is_err());
    let anchor = Anchor { root: &key, counter: &mut counter };
    let mut store = Store::<_, Ascon, _>::danger_mount_rolled_back(&mut flash, Part::NOR, anchor, &mut memory).unwrap();
    assert_eq!(store.danger_accept_rollback(), Ok(()));
    assert_eq!(store.get("19", &mut [0; 30]), Ok(None));
    assert_eq!(store.rollbacks_accepted(), Ok(1));
    store.put("b", b"1").unwrap();
}

/// Fills a store with keys and values of one length, and changes them for a while.
fn full_of<S: Suite, const W: usize, const E: usize, const H: usize, const B: usize>(
    blocks: usize,
    value: &[u8],
    scrub: bool,
) {
    let mut chip = SimFlash::<1, W, E>::new(blocks * E, 0xff);
    let (mut memory, mut random) = (Memory::<H, B>::new(), Random(value.len() as u64));
    let case = format!("{} unit {W}, {blocks} blocks of {E}, values of {}", S::NAME, value.len());
    let mut store = Store::<_, S>::format(&mut chip, Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap();
    let name = |number: usize| format!("k{number:05}");
    let mut keys = 0;
    while let Ok(()) = store.put(&*name(keys), value) {
        keys += 1;
    }
    for turn in 0..1000 {
        if scrub && turn % 400 == 200 {
            store.scrub(|_, _| {}).unwrap_or_else(|error| panic!("{case}, scrub: {error}"));
        }
        let changed = store.put(&*name(random.below(keys)), value);
        changed.unwrap_or_else(|error| panic!("{case}, change {turn}: {error}"));
    }
    drop(store);
    let mut store = Store::<_, S>::mount(&mut chip, Part::NOR, &root(), &mut memory).unwrap();
    for number in 0..keys {
        assert_eq!(store.delete(&*name(number)), Ok(true), "{case}, delete {number}");
    }
}

/// On units of 16 bytes a signpost may take a whole one, and of records that are all of one length each does.
#[test]
fn a_store_full_of_records_of_one_length_takes_changes_and_deletes() {
    const LONG: usize = buffer_size(1, 16, 4096) + 64;
    const SHORT: usize = buffer_size(1, 16, 2048) + 64;
    for length in [0, 15, 16, 18, 31] {
        full_of::<Ascon, 16, 4096, 24, LONG>(64, &[7; 32][..length], false);
        full_of::<Ascon, 16, 2048, 24, SHORT>(40, &[7; 32][..length], false);
    }
    full_of::<Ascon, 8, 2048, 24, { buffer_size(1, 8, 2048) + 64 }>(40, &[7; 15], false);
}

/// The second round of `scrub` used up the segments that copies of what is live can need more than originals.
#[test]
fn a_full_store_of_many_segments_is_scrubbed_and_goes_on() {
    full_of::<Ascon, 16, 2048, 32, { buffer_size(1, 16, 2048) + 64 }>(48, &[7; 32], true);
    full_of::<Ascon, 4, 2048, 64, { buffer_size(1, 4, 2048) + 64 }>(48, &[7; 15], true);
    full_of::<Plain, 4, 4096, 64, { buffer_size(1, 4, 4096) + 128 }>(100, &[7; 20], true);
}
