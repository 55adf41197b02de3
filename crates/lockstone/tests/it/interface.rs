//! What callers see: names, values, ranges, listings, clients, closing, read-only, refusals.

use std::collections::{BTreeMap, BTreeSet};

use lockstone::seal::Suite;
use lockstone::{Ascon, Cursor, Error, Key, Layout, LayoutError, Plain, Store};
use lockstone_sim::SimFlash;
use lockstone_sim::geometry::{Geometry, Scenario, for_each_geometry};

use lockstone_torture::{Ram, Random, World, root, value};

type Sim<'w, const R: usize, const W: usize, const E: usize, S> = Store<'w, &'w mut SimFlash<R, W, E>, S>;

/// Runs `f` with a fresh store on a part of usual sizes and 512 KiB.
fn on_a_store<S: Suite>(f: impl FnOnce(&mut Sim<'_, 4, 4, 4096, S>)) {
    let mut world = World::<4, 4, 4096>::new(SimFlash::new(512 * 1024, 0xff));
    world.format::<S>().unwrap();
    let mut memory = Ram::new();
    let mut store = World::<4, 4, 4096>::mount::<S>(&mut world.flash, world.part, &mut memory).unwrap();
    f(&mut store);
    drop(store);
    world.check_rules();
}

#[test]
fn names_of_every_length() {
    on_a_store::<Ascon>(|store| {
        let name = |length: usize| vec![length as u8; length];
        for length in 1..=255 {
            store.put(&name(length)[..], &[length as u8]).unwrap();
        }
        for length in 1..=255 {
            let mut byte = [0];
            assert_eq!(store.get(&name(length)[..], &mut byte), Ok(Some(1)));
            assert_eq!(byte, [length as u8]);
        }
        for length in [0, 256, 300, 1000] {
            let name = name(length);
            assert_eq!(store.put(&name[..], b""), Err(Error::InvalidName));
            assert_eq!(store.get(&name[..], &mut []), Err(Error::InvalidName));
            assert_eq!(store.delete(&name[..]), Err(Error::InvalidName));
            assert_eq!(store.contains(&name[..]), Err(Error::InvalidName));
        }
        assert_eq!(store.put(Key::new(b"a").of_client(u32::MAX), b""), Err(Error::InvalidName));
        assert_eq!(store.stats().unwrap().keys, 255);
    });
}

fn values<S: Suite>() {
    on_a_store::<S>(|store| {
        let body = store.layout().body_max as usize;
        let edges = (1..6).flat_map(|chunks| (chunks * (body - 12)).saturating_sub(20)..chunks * (body - 12) + 30);
        let lengths: BTreeSet<usize> = (0..40).chain(edges).chain([4096, 10_000, 65_535, 65_536]).collect();
        let mut buffer = vec![0; 65_536];
        for length in lengths {
            let wanted = value(1, 1, length);
            store.put("value", &wanted).unwrap();
            assert_eq!(store.get("value", &mut buffer), Ok(Some(length)));
            assert_eq!(buffer[..length], wanted);
            assert_eq!(store.length("value"), Ok(Some(length as u32)));
            assert_eq!(store.contains("value"), Ok(true));
            if let Some(short) = length.checked_sub(1) {
                assert_eq!(
                    store.get("value", &mut buffer[..short]),
                    Err(Error::BufferTooSmall { needed: length as u32 })
                );
            }
        }
        assert_eq!(store.length("nothing"), Ok(None));
        assert_eq!(store.contains("nothing"), Ok(false));
        assert_eq!(store.get_range("nothing", 0, &mut buffer), Ok(None));
        assert_eq!(store.delete("nothing"), Ok(false));
        assert_eq!(store.put("huge", &vec![0; 600 * 1024]), Err(Error::TooLarge));
        assert_eq!(store.delete("value"), Ok(true));
        assert_eq!(store.contains("value"), Ok(false));
    });
}

#[test]
fn values_of_every_kind_of_length() {
    values::<Ascon>();
    values::<Plain>();
}

#[test]
fn ranges_over_every_boundary() {
    on_a_store::<Ascon>(|store| {
        let body = store.layout().body_max as usize;
        for length in [0, 1, body - 6, body + 1, 3 * body + 17] {
            let wanted = value(2, 1, length);
            store.put("ranges", &wanted).unwrap();
            for window in [0, 1, 2, 13, body, body + 40, length + 3] {
                for offset in 0..length + 3 {
                    if window > 13 && offset % 7 != 0 {
                        continue;
                    }
                    let mut buffer = vec![0xaa; window];
                    let expected = &wanted[offset.min(length)..(offset + window).min(length)];
                    assert_eq!(store.get_range("ranges", offset as u32, &mut buffer), Ok(Some(expected.len())));
                    assert_eq!(&buffer[..expected.len()], expected, "{length} bytes, {window} from {offset}");
                    assert!(
                        buffer[expected.len()..].iter().all(|byte| *byte == 0xaa),
                        "more was written than returned"
                    );
                }
            }
        }
        assert_eq!(store.get_range("ranges", u32::MAX, &mut [0; 9]), Ok(Some(0)));
    });
}

#[test]
fn iteration_while_keys_come_and_go() {
    on_a_store::<Ascon>(|store| {
        let stable = |index: usize| format!("stable/{index}").into_bytes();
        let moving = |index: usize| format!("moving/{index}").into_bytes();
        (0..60).for_each(|index| store.put(&stable(index)[..], &[1; 30]).unwrap());
        (0..40).for_each(|index| store.put(&moving(index)[..], &[2; 30]).unwrap());
        let mut random = Random(11);
        for prefix in [&b""[..], b"stable/", b"stable/1", b"nothing"] {
            let mut seen = BTreeMap::<Vec<u8>, usize>::new();
            let (mut cursor, mut name) = (Cursor::new(), [0; 255]);
            while let Some(length) = store.next_key(&mut cursor, 0, prefix, &mut name).unwrap() {
                assert!(name[..length].starts_with(prefix));
                *seen.entry(name[..length].to_vec()).or_default() += 1;
                for _ in 0..5 {
                    let index = random.below(40);
                    if random.below(2) == 0 {
                        store.put(&moving(index)[..], &vec![3; random.below(500)]).unwrap();
                    } else {
                        store.delete(&moving(index)[..]).unwrap();
                    }
                    store.put(&stable(random.below(60))[..], &vec![4; random.below(90)]).unwrap();
                }
            }
            for index in 0..60 {
                let wanted = usize::from(stable(index).starts_with(prefix));
                assert_eq!(seen.get(&stable(index)).copied().unwrap_or(0), wanted, "prefix {prefix:?}, key {index}");
            }
            assert!(seen.values().all(|times| *times == 1), "a key was found twice");
        }
    });
}

#[test]
fn clients_are_apart() {
    on_a_store::<Ascon>(|store| {
        let clients = [0, 1, 2, 77, u32::MAX - 1];
        for client in clients {
            let key = Key::new(b"same").of_client(client);
            store.put(key, &client.to_le_bytes()).unwrap();
            store.put(Key::from(&format!("own/{client}")[..]).of_client(client), b"x").unwrap();
        }
        assert_eq!(store.delete(Key::new(b"same").of_client(2)), Ok(true));
        for client in clients {
            let mut bytes = [0; 4];
            let found = store.get(Key::new(b"same").of_client(client), &mut bytes).unwrap();
            assert_eq!(found, (client != 2).then_some(4));
            assert_eq!(u32::from_le_bytes(bytes), if client == 2 { 0 } else { client });
            let (mut cursor, mut name) = (Cursor::new(), [0; 255]);
            let mut listed = BTreeSet::new();
            while let Some(length) = store.next_key(&mut cursor, client, b"", &mut name).unwrap() {
                assert!(listed.insert(String::from_utf8_lossy(&name[..length]).into_owned()));
            }
            let own = BTreeSet::from([format!("own/{client}"), "same".to_owned()]);
            assert_eq!(listed, own.into_iter().filter(|name| client != 2 || name != "same").collect());
        }
        assert_eq!(store.contains(Key::new(b"same").of_client(5)), Ok(false));
    });
}

struct Mounts;

impl Scenario for Mounts {
    type Output = ();

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) {
        mounts_write_nothing::<R, W, E, Ascon>(geometry);
        mounts_write_nothing::<R, W, E, Plain>(geometry);
    }
}

fn mounts_write_nothing<const R: usize, const W: usize, const E: usize, S: Suite>(geometry: &Geometry) {
    let mut world = World::<R, W, E>::new(geometry.flash());
    world.format::<S>().unwrap();
    let mut memory = Ram::new();
    for closed in [true, false] {
        let mut store = World::<R, W, E>::mount::<S>(&mut world.flash, world.part, &mut memory).unwrap();
        store.put("key", b"value").unwrap();
        store.put("other", &[9; 400]).unwrap();
        if closed {
            store.close().unwrap();
        } else {
            drop(store);
        }
        let before = world.flash.operations();
        let store = World::<R, W, E>::mount::<S>(&mut world.flash, world.part, &mut memory).unwrap();
        assert_eq!(store.report().clean, closed, "{}", geometry.name);
        assert!(store.report().is_sound());
        drop(store);
        let mut store = Sim::<R, W, E, S>::mount_read_only(&mut world.flash, world.part, &root(), &mut memory).unwrap();
        let mut buffer = [0; 400];
        assert_eq!(store.get("key", &mut buffer), Ok(Some(5)));
        assert_eq!(store.get("other", &mut buffer), Ok(Some(400)));
        assert_eq!(store.put("key", b"new"), Err(Error::ReadOnly));
        assert_eq!(store.delete("key"), Err(Error::ReadOnly));
        assert_eq!(store.delete("nothing"), Err(Error::ReadOnly));
        assert!(matches!(store.transaction(10), Err(Error::ReadOnly)));
        assert_eq!(store.stats().unwrap().keys, 2);
        drop(store);
        assert_eq!(world.flash.operations(), before, "{}: a mount wrote something", geometry.name);
    }
}

#[test]
fn mounts_and_read_only_stores_write_nothing() {
    for_each_geometry(&mut Mounts);
}

#[test]
fn parts_that_cannot_hold_a_store_are_refused_with_a_reason() {
    let mib = 1 << 20;
    let refused = [
        ((1, 0, 4096, mib), LayoutError::ProgramUnit),
        ((1, 3, 4098, mib), LayoutError::ProgramUnit),
        ((1, 1024, 4096, mib), LayoutError::ProgramUnit),
        ((1, 4, 64, mib), LayoutError::EraseBlock),
        ((1, 4, 512 * 1024, 8 * mib), LayoutError::EraseBlock),
        ((1, 256, 1000, mib), LayoutError::EraseBlock),
        ((0, 4, 4096, mib), LayoutError::ReadUnit),
        ((8, 4, 4096, mib), LayoutError::ReadUnit),
        ((64, 64, 4096, mib), LayoutError::ReadUnit),
        ((256, 256, 4096, mib), LayoutError::ReadUnit),
        ((1, 4, 4096, 3 * 4096), LayoutError::TooSmall),
        ((1, 4, 4096, 0), LayoutError::TooSmall),
        ((1, 4, 128, 3 * 2048), LayoutError::TooSmall),
        ((1, 4, 4096, 1 << 30), LayoutError::TooLarge),
        ((1, 4, 2048, 70_000 * 2048), LayoutError::TooLarge),
    ];
    for ((read, program, erase, capacity), reason) in refused {
        assert_eq!(Layout::of(read, program, erase, capacity), Err(reason), "{read} {program} {erase} {capacity}");
        assert!(reason.reason().len() > 20);
    }
    assert!(Layout::of(1, 4, 4096, 4 * 4096).is_ok());
    assert!(Layout::of(1, 512, 128 * 1024, mib).is_ok());
}
