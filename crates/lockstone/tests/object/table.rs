//! The volume table: changed under cuts on every geometry, what is in use stays, and no older one comes back unnoticed.

use std::cell::RefCell;

use lockstone::VolumeKind::{self, Keys, Objects, Slot as Code, Spare};
use lockstone::seal::Suite;
use lockstone::trust::{Anchor, NoCounter, Protection};
use lockstone::{
    Ascon, ChangeError, Error, Memory, OpenError, Part, Plain, Put, Reader, Slot, Store, TableError, VOLUMES_MAX,
    VolumeEntry, VolumeTable, Volumes,
};
use lockstone_sim::geometry::{Geometry, Scenario, for_each_geometry};
use lockstone_sim::{SimCounter, SimError, SimFlash, Tear};
use lockstone_torture::{Fixed, Trusted, root};
use sha2::Sha256;

use super::{Bench, content};

/// Keys of so many bytes, and as many slots as a table takes, each on a part of its own.
fn full(keys: usize, salt: u32) -> VolumeTable {
    let mut table = VolumeTable::of(&[VolumeEntry::new(Keys, 0, 0, keys as u32)]).unwrap();
    for number in 1..VOLUMES_MAX as u8 {
        table = table.with(VolumeEntry::new(Code, number, salt, 4096 + salt).with_number(number)).unwrap();
    }
    table
}

fn table_of<const R: usize, const W: usize, const E: usize, S: Suite>(
    flash: &mut SimFlash<R, W, E>,
    part: Part,
) -> Result<Option<VolumeTable>, Error<SimError>> {
    let mut memory = Memory::<16, 2048>::new();
    Store::<_, S>::mount(flash, part, &root(), &mut memory).map_err(|_| Error::Damaged)?.volume_table()
}

/// What a boot loader sees.
fn read_by_reader<const R: usize, const W: usize, const E: usize, S: Suite>(
    flash: &mut SimFlash<R, W, E>,
    part: Part,
) -> Option<VolumeTable> {
    let mut memory = Memory::<16, 2048>::new();
    let anchor = Anchor { root: &root(), counter: Reader(NoCounter) };
    Store::<_, S, _>::mount_protected(flash, part, anchor, &mut memory).unwrap().volume_table().unwrap()
}

struct Cut {
    played: u32,
}

impl Cut {
    fn play<const R: usize, const W: usize, const E: usize, S: Suite>(&mut self, geometry: &Geometry) {
        let part = if geometry.erased == 0 { Part::ZERO_ERASED } else { Part::NOR };
        let mut flash = geometry.flash::<R, W, E>();
        let [none, one, two, three] = [0, 1, 2, 3].map(|salt| full(geometry.capacity, salt));
        let mut memory = Memory::<16, 2048>::new();
        let mut store = Store::<_, S>::format(&mut flash, part, &root(), &mut Fixed(1), &mut memory).unwrap();
        assert_eq!(store.volume_table(), Ok(None));
        store.change_volume_table(&none, &one, false).unwrap();
        // The log goes round, with the table in it.
        for number in 0..geometry.capacity / 50 {
            store.put("other", &(number as u64).to_le_bytes()).unwrap();
        }
        assert_eq!(store.volume_table(), Ok(Some(one)));
        drop(store);
        let change = |flash: &mut SimFlash<R, W, E>, from: &VolumeTable, to: &VolumeTable| {
            let mut memory = Memory::<16, 2048>::new();
            Store::<_, S>::mount(flash, part, &root(), &mut memory)
                .map_err(|_| ())
                .and_then(|mut store| store.change_volume_table(from, to, false).map_err(|_| ()))
        };
        let mut whole = flash.clone();
        whole.cut_at(u64::MAX, Tear::Whole);
        let before = whole.operations();
        change(&mut whole, &one, &two).unwrap();
        let operations = whole.operations() - before;
        for (number, tear) in Tear::ALL.iter().enumerate() {
            for at in (number as u64 % 3..operations).step_by(3) {
                let id = format!("{}/{}/{at}/{tear}", geometry.name, S::NAME);
                let mut torn = flash.clone();
                torn.set_seed(at * 16 + number as u64);
                torn.cut_at(at, *tear);
                assert!(change(&mut torn, &one, &two).is_err(), "{id}");
                torn.cancel_cut();
                torn.power_on();
                for _ in 0..3 {
                    let seen = read_by_reader::<R, W, E, S>(&mut torn, part);
                    assert!(seen == Some(one) || seen == Some(two), "{id}: who can't make sure sees one of both");
                }
                let found = table_of::<R, W, E, S>(&mut torn, part).unwrap().expect(&id);
                assert!(found == one || found == two, "{id}");
                for _ in 0..3 {
                    assert_eq!(table_of::<R, W, E, S>(&mut torn, part), Ok(Some(found)), "{id}: read once, it stays");
                    assert_eq!(read_by_reader::<R, W, E, S>(&mut torn, part), Some(found), "{id}");
                }
                change(&mut torn, &found, &three).unwrap();
                assert_eq!(table_of::<R, W, E, S>(&mut torn, part), Ok(Some(three)), "{id}");
                self.played += 1;
            }
        }
    }
}

impl Scenario for Cut {
    type Output = ();

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) {
        self.play::<R, W, E, Ascon>(geometry);
        self.play::<R, W, E, Plain>(geometry);
    }
}

#[test]
fn a_table_is_old_or_new_whatever_is_cut() {
    let mut cut = Cut { played: 0 };
    for_each_geometry(&mut cut);
    println!("volume tables: {} cuts", cut.played);
    assert!(cut.played > 300, "{}", cut.played);
}

const BLOCK: u32 = 4096;
const KEYS: VolumeEntry = VolumeEntry::new(Keys, 0, 0, 8 * BLOCK);
const OBJECTS: VolumeEntry = VolumeEntry::new(Objects, 1, 0, 40 * BLOCK);
const CODE: VolumeEntry = VolumeEntry::new(Code, 2, 0, 5 * BLOCK).with_number(3);

fn table(volumes: &[VolumeEntry]) -> VolumeTable {
    VolumeTable::of(volumes).unwrap()
}

/// What is said when each volume is moved or removed, or another one added.
fn tried<F, S, C>(store: &mut Store<'_, F, S, C>, now: &VolumeTable) -> [bool; 4]
where
    F: embedded_storage::nor_flash::NorFlash,
    S: Suite,
    C: lockstone::trust::MonotonicCounter,
{
    let mut may = |to: VolumeTable| match store.change_volume_table(now, &to, false) {
        Ok(()) => {
            store.change_volume_table(&to, now, false).unwrap();
            true
        }
        Err(ChangeError::Table(TableError::InUse)) => false,
        Err(other) => panic!("{other}"),
    };
    let moved = |kind: VolumeKind, number| {
        let volume = now.find(kind, number).unwrap();
        let volumes = now.volumes().iter().map(|other| if *other == volume { shifted(volume) } else { *other });
        table(&volumes.collect::<Vec<_>>())
    };
    let objects = may(moved(Objects, 0));
    assert_eq!(may(now.without(Objects, 0).unwrap()), objects);
    let code = may(moved(Code, 3));
    assert_eq!(may(now.without(Code, 3).unwrap()), code);
    [may(moved(Keys, 0)), objects, code, may(now.with(VolumeEntry::new(Spare, 9, 0, 1)).unwrap())]
}

fn shifted(volume: VolumeEntry) -> VolumeEntry {
    VolumeEntry { start: volume.start + BLOCK, ..volume }
}

#[test]
fn a_volume_that_holds_something_stays() {
    let mut bench = Bench::<4, 4, 4096>::new::<Ascon>(8 * 4096, 40 * 4096, 0xff);
    let mut place = SimFlash::<4, 4, 4096>::new(5 * 4096, 0xff);
    let now = table(&[KEYS, OBJECTS, CODE]);
    bench.with::<Ascon, _>(|store, objects| {
        let (mut ram, code) = ([0; 700], content(1, 9000));
        let mut slot = Slot::new(&mut place, Part::NOR, 3).unwrap();
        assert_eq!(tried(store, &now), [false, true, true, true], "nothing is there");
        objects.create(store, "fw", Some(9000), &mut Fixed(2), &mut ram).unwrap();
        assert_eq!(tried(store, &now), [false, false, true, true], "an object was begun");
        assert_eq!(objects.abort(store, "fw"), Ok(true));
        assert_eq!(tried(store, &now), [false, true, true, true], "it was given up");
        let mut upload = objects.create(store, "fw", Some(9000), &mut Fixed(3), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &code).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).unwrap();
        assert_eq!(tried(store, &now), [false, false, true, true], "an object is there");
        objects.request_install::<Sha256, _, _, _>(store, "fw", &mut slot, false).unwrap();
        assert_eq!(tried(store, &now), [false, false, false, true], "it's being installed");
        store.delete("fw").unwrap();
        assert_eq!(tried(store, &now), [false, false, false, true], "and kept for that");
        objects.install::<Sha256, _, _, _>(store, &mut slot, |_, _| {}).unwrap();
        objects.confirm_install::<Sha256, _, _, _>(store, &mut slot, false).unwrap();
        assert_eq!(
            tried(store, &now),
            [false, false, false, true],
            "the slot holds it, and is asked for by way of objects"
        );
        let less = table(&[KEYS, OBJECTS]);
        let stale = Err(ChangeError::Table(TableError::Stale));
        assert_eq!(store.change_volume_table(&now, &less, false), Err(ChangeError::Table(TableError::InUse)));
        assert_eq!(store.check_volume_table(&now, &now), Ok(()));
        assert_eq!(store.check_volume_table(&less, &less), stale);
        assert_eq!(objects.forget_slot(store, &slot, false), Ok(true));
        assert_eq!(objects.forget_slot(store, &slot, false), Ok(false));
        assert_eq!(objects.slot_state(store, &slot), Ok(None));
        assert_eq!(tried(store, &now), [false, true, true, true], "it's forgotten");
        upload = objects.create(store, "fw", Some(9000), &mut Fixed(4), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &code).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).unwrap();
        objects.request_install::<Sha256, _, _, _>(store, "fw", &mut slot, false).unwrap();
        store.delete("fw").unwrap();
        assert_eq!(objects.forget_slot(store, &slot, false), Ok(true));
        assert_eq!(tried(store, &now), [false, true, true, true], "and its object is free");
        assert_eq!(store.volume_table(), Ok(Some(now)));
    });
}

#[test]
fn who_knows_an_older_table_changes_nothing() {
    let mut bench = Bench::<4, 4, 4096>::new::<Ascon>(8 * 4096, 40 * 4096, 0xff);
    let (first, second) = (table(&[KEYS, OBJECTS]), table(&[KEYS, OBJECTS, CODE]));
    bench.with::<Ascon, _>(|store, _| {
        store.change_volume_table(&first, &second, false).unwrap();
        let none = Err(ChangeError::Store(Error::NoCounter));
        assert_eq!(store.change_volume_table(&second, &second, true), none);
        let stale = Err(ChangeError::Table(TableError::Stale));
        assert_eq!(store.change_volume_table(&first, &first, false), stale);
        assert_eq!(store.change_volume_table(&first, &second, false), stale);
        assert_eq!(store.change_volume_table(&second, &second, false), Ok(()));
        let small = table(&[VolumeEntry { length: 7 * BLOCK, ..KEYS }]);
        let own = Err(ChangeError::Table(TableError::InUse));
        assert_eq!(store.change_volume_table(&second, &small, false), own);
        store.make_read_only();
        let only = Err(ChangeError::Store(Error::ReadOnly));
        assert_eq!(store.change_volume_table(&second, &first, false), only);
        assert_eq!(store.volume_table(), Ok(Some(second)));
    });
}

#[test]
fn a_table_that_can_not_be_read_is_not_none() {
    let mut bench = Bench::<4, 4, 4096>::new::<Ascon>(8 * 4096, 40 * 4096, 0xff);
    let (first, second) = (table(&[KEYS]), table(&[KEYS, OBJECTS, CODE]));
    let mut memory = Memory::<16, 2048>::new();
    let mut store = Store::<_, Ascon>::mount(&mut bench.keys, Part::NOR, &root(), &mut memory).unwrap();
    store.change_volume_table(&first, &second, false).unwrap();
    for number in 0..20_u32 {
        store.put("other", &number.to_le_bytes()).unwrap();
    }
    store.close().unwrap();
    let (mut refused, mut memory) = (0, Memory::<16, 2048>::new());
    for bit in 0..4096 * 8 {
        let mut flash = bench.keys.clone();
        flash.data_mut()[bit / 8] ^= 1 << (bit % 8);
        let Ok(mut store) = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &root(), &mut memory) else { continue };
        match store.volume_table() {
            Ok(found) => assert_eq!(found, Some(second), "bit {bit}"),
            Err(error) => {
                assert_eq!(error, Error::Damaged);
                refused += 1;
            }
        }
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn an_older_table_does_not_come_back() {
    let mut flash = SimFlash::<4, 4, 4096>::new(8 * 4096, 0xff);
    let mut counter = Trusted(SimCounter::new(1000));
    let mut memory = Memory::<16, 2048>::new();
    let (first, second) = (table(&[KEYS]), table(&[KEYS, OBJECTS, CODE]));
    let anchor = Anchor { root: &root(), counter: &mut counter };
    let (part, chosen) = (Part::NOR, Protection::Chosen);
    let mut store =
        Store::<_, Ascon, _>::format_protected(&mut flash, part, anchor, chosen, &mut Fixed(1), &mut memory).unwrap();
    store.change_volume_table(&first, &first, false).unwrap();
    drop(store);
    let old = flash.clone();
    let anchor = Anchor { root: &root(), counter: &mut counter };
    let mut store = Store::<_, Ascon, _>::mount_protected(&mut flash, part, anchor, &mut memory).unwrap();
    let before = store.counter_state().unwrap().value;
    store.change_volume_table(&first, &first, true).unwrap();
    assert!(store.counter_state().unwrap().value > before, "the same table, bound from now on");
    drop(store);
    let mut older = old.clone();
    let anchor = Anchor { root: &root(), counter: &mut counter };
    let found = Store::<_, Ascon, _>::mount_protected(&mut older, part, anchor, &mut memory).map(drop);
    assert!(matches!(found, Err(OpenError::RolledBack)), "{found:?}");
    let old = flash.clone();
    let anchor = Anchor { root: &root(), counter: &mut counter };
    let mut store = Store::<_, Ascon, _>::mount_protected(&mut flash, part, anchor, &mut memory).unwrap();
    store.change_volume_table(&first, &second, true).unwrap();
    store.put_with("kept", b"1", Put::with(lockstone::Attributes::RETAINED)).unwrap();
    store.factory_reset().unwrap();
    assert_eq!(store.volume_table(), Ok(Some(second)), "a factory reset is not about volumes");
    drop(store);
    let (mut old, mut counter) = (old, counter);
    let anchor = Anchor { root: &root(), counter: &mut counter };
    let found = Store::<_, Ascon, _>::mount_protected(&mut old, part, anchor, &mut memory).map(drop);
    assert!(matches!(found, Err(OpenError::RolledBack)), "{found:?}");
}

#[test]
fn each_volume_is_given_away_once() {
    let flash = RefCell::new(SimFlash::<4, 4, 4096>::new(64 * 4096, 0xff));
    let on_one = |kind, start, length| VolumeEntry::new(kind, 0, start * BLOCK, length * BLOCK);
    let (keys, spare) = (on_one(Keys, 0, 8), on_one(Spare, 60, 4));
    let first = table(&[keys, CODE, spare]);
    let mut volumes = Volumes::open(&flash, 0, first).unwrap();
    assert!(volumes.take(Keys, 0).is_ok());
    for (kind, number) in [(Keys, 0), (Code, 3), (Objects, 0)] {
        assert_eq!(volumes.take(kind, number).map(drop), Err(TableError::Missing), "taken, elsewhere, not there");
    }
    let second = table(&[spare, on_one(Objects, 8, 40), keys]);
    volumes.follow(second).unwrap();
    assert!(volumes.take(Objects, 0).is_ok() && volumes.take(Spare, 0).is_ok());
    assert_eq!(volumes.take(Keys, 0).map(drop), Err(TableError::Missing), "it was taken under the first table");
    assert_eq!(volumes.follow(table(&[keys])), Err(TableError::InUse));
    assert_eq!(volumes.follow(table(&[keys, spare, on_one(Objects, 8, 41)])), Err(TableError::InUse));
    assert_eq!(*volumes.table(), second);
    let fits = |volume| Volumes::open(&flash, 0, table(&[keys, volume])).map(drop);
    assert_eq!(fits(on_one(Spare, 63, 2)), Err(TableError::OutOfBounds));
    assert_eq!(fits(VolumeEntry::new(Spare, 0, 9 * BLOCK + 4, BLOCK)), Err(TableError::EraseBlock));
    assert_eq!(fits(VolumeEntry::new(Spare, 1, 9 * BLOCK + 4, BLOCK)), Ok(()), "of another part");
}
