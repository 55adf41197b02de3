//! Tests with images that somebody or something changed: `inspect` and `check` must end, and say what it was.
//!
//! Images come from stores that lived on the simulator: closed, killed, cut with every tear, with blocks that failed.

use std::collections::BTreeSet;
use std::path::Path;

use lockstone::inspect::Sight;
use lockstone::seal::Suite as Sealing;
use lockstone::{
    Ascon, Head, Part, Plain, SoftRootKey, State, Store, VolumeEntry, VolumeKind, VolumeTable, buffer_size,
};
use lockstone_sim::{BlockFault, SimFlash, Tear};

use crate::commands::check_device;
use crate::demo::Dice;
use crate::device::{Config, Geometry, Ram, Suite, create_from};
use crate::inspect::{Known, Picture, Sizes, Whole, drawn, examine};

const SEGMENT: usize = 2048;
const SEGMENTS: usize = 16;
const KEY: [u8; 32] = [0x42; 32];

const WHOLE: u32 = 16 * 2048;
const HALVES: VolumeTable = VolumeTable::constant(&[
    VolumeEntry::new(VolumeKind::Objects, 0, 0, WHOLE / 2),
    VolumeEntry::new(VolumeKind::Keys, 0, WHOLE / 2, WHOLE / 2),
]);

type Chip = SimFlash<1, 4, SEGMENT>;
type Sim<'c, 'm, S> = Store<'m, &'c mut Chip, S>;

fn known(root: &SoftRootKey) -> Known<'_> {
    let sizes = Sizes { unit: 4, segment: 2048, erased: 0xff, capacity: SEGMENTS * SEGMENT };
    Known {
        sizes: Some(sizes),
        block: Some(2048),
        suite: Some(1),
        expects_sealed: false,
        root: Some(root),
        counter: None,
        whole: None,
    }
}

fn look(image: &[u8]) -> Picture {
    examine("test", image, &known(&SoftRootKey::new(KEY)))
}

/// Damage classes, without the notes that tell of power cuts.
fn classes(picture: &Picture) -> Vec<&'static str> {
    let classes: BTreeSet<_> = picture.findings.iter().map(|finding| finding.class).collect();
    classes.into_iter().map(crate::findings::Class::name).collect()
}

/// Mounts the chip, does something, and leaves it as a process does that is killed.
fn live<S: Sealing>(chip: &mut Chip, act: impl FnOnce(&mut Sim<'_, '_, S>)) {
    let mut memory = Box::new(Ram::new());
    let mut store = Sim::<S>::mount(chip, Part::NOR, &SoftRootKey::new(KEY), &mut memory).unwrap();
    act(&mut store);
}

fn formatted<S: Sealing>() -> Chip {
    let mut chip = Chip::new(SEGMENTS * SEGMENT, 0xff);
    let mut memory = Box::new(Ram::new());
    let root = SoftRootKey::new(KEY);
    Sim::<S>::format(&mut chip, Part::NOR, &root, &mut Dice::new(9), &mut memory).unwrap();
    chip
}

/// Long enough to go round the ring, then closed in order.
fn used<S: Sealing>() -> Chip {
    let mut chip = formatted::<S>();
    live::<S>(&mut chip, |store| {
        for turn in 0..400_usize {
            let value = vec![turn.to_le_bytes()[0]; turn * 7 % 90];
            // Some were written last a while ago.
            let key = if turn < 370 { turn % 12 } else { turn % 4 };
            store.put(format!("key{key}").as_str(), &value).unwrap();
        }
        store.put("long", &[0x77; 700]).unwrap();
        store.delete("key3").unwrap();
    });
    close::<S>(&mut chip);
    chip
}

/// The same, with a volume table that the store keeps.
fn with_volumes<S: Sealing>() -> Chip {
    const KEYS: VolumeEntry = VolumeEntry::new(VolumeKind::Keys, 0, 0, WHOLE);
    let own = VolumeTable::constant(&[KEYS]);
    let objects = VolumeEntry::new(VolumeKind::Objects, 0, WHOLE, WHOLE);
    let slot = VolumeEntry::new(VolumeKind::Slot, 0, 2 * WHOLE, WHOLE).with_number(7);
    let table = VolumeTable::of(&[KEYS, objects, slot]).unwrap();
    let mut chip = used::<S>();
    live::<S>(&mut chip, |store| store.change_volume_table(&own, &table, false).unwrap());
    close::<S>(&mut chip);
    chip
}

fn close<S: Sealing>(chip: &mut Chip) {
    let mut memory = Box::new(Ram::new());
    let store = Sim::<S>::mount(chip, Part::NOR, &SoftRootKey::new(KEY), &mut memory).unwrap();
    store.close().unwrap();
}

fn content(chip: &Chip) -> Vec<u8> {
    chip.data().to_vec()
}

/// A used store whose power is cut `operations` after now, in a put or a transaction.
fn cut<S: Sealing>(operations: u64, tear: Tear, transaction: bool) -> Vec<u8> {
    let mut chip = used::<S>();
    chip.cut_at(operations, tear);
    live::<S>(&mut chip, |store| {
        let _ = store.put("before", &[1; 20]);
        if transaction {
            let Ok(mut transaction) = store.transaction(400) else { return };
            let _ = transaction.put("one", &[1; 60]).and_then(|()| transaction.put("two", &[2; 60]));
            let _ = transaction.commit();
        } else {
            let _ = store.put("after", &[2; 90]);
        }
    });
    chip.power_on();
    content(&chip)
}

#[test]
fn what_power_cuts_leave_is_no_damage() {
    let mut seen = BTreeSet::new();
    for tear in Tear::ALL {
        for operations in 0..10 {
            for transaction in [false, true] {
                let picture = look(&cut::<Ascon>(operations, tear, transaction));
                assert!(picture.is_sound(), "{tear:?} at {operations}: {:?}", picture.findings);
                seen.extend(classes(&picture));
            }
        }
    }
    assert_eq!(Vec::from_iter(seen), ["leftover", "not-closed", "torn-tail", "unfinished-run"]);
}

#[test]
fn a_block_that_failed_is_told() {
    let mut chip = formatted::<Ascon>();
    chip.fail_block(2, BlockFault::ProgramFails);
    live::<Ascon>(&mut chip, |store| {
        for turn in 0..60_u8 {
            store.put("key", &[turn; 80]).unwrap();
        }
    });
    close::<Ascon>(&mut chip);
    let picture = look(&content(&chip));
    assert!(picture.is_sound(), "{:?}", picture.findings);
    assert_eq!(classes(&picture), ["retired-segment"]);
}

/// It costs reads and hides nothing, but somebody or something changed a bit.
#[test]
fn a_signpost_that_does_not_fit_is_told() {
    let (mut chip, root) = (Chip::new(SEGMENTS * SEGMENT, 0xff), SoftRootKey::new(KEY));
    // So few heads that records have many pointers.
    let (mut heads, mut state) = ([Head::EMPTY; 2], State::new());
    let mut buffer = [0; buffer_size(1, 4, SEGMENT) + SEGMENTS];
    let ram = lockstone::Ram::new(&mut heads, &mut buffer, &mut state);
    let mut store = Sim::<Ascon>::format_in(&mut chip, Part::NOR, &root, &mut Dice::new(9), ram).unwrap();
    for turn in 0..100_u8 {
        store.put(&[turn % 40][..], &[turn; 20]).unwrap();
    }
    let mut signposts = Vec::new();
    for (physical, start) in (0..).zip((0..SEGMENTS * SEGMENT).step_by(SEGMENT)) {
        let mut show = |sight: Sight<'_>| {
            if let Sight::Record(record) = sight
                && (3..=9).contains(&record.pointers)
            {
                // Behind head, link and pointers.
                let offset = record.at.offset + 8 + 8 * record.pointers;
                signposts.push(start + offset as usize);
            }
        };
        store.look(physical, &mut show).unwrap();
    }
    store.close().unwrap();
    let good = content(&chip);
    assert!(look(&good).is_sound() && signposts.len() > 30, "{}", signposts.len());
    for signpost in signposts {
        let mut image = good.clone();
        image[signpost] ^= 1;
        let picture = look(&image);
        assert_eq!((classes(&picture), picture.is_sound()), (vec!["damaged-record"], false));
        let segment = signpost / SEGMENT;
        assert!(picture.findings[0].sentence.starts_with(&format!("segment {segment} has records whose signposts")));
        assert_eq!(picture.keys, Some(40));
    }
}

/// A header and nothing behind it.
fn half_formatted() -> Vec<u8> {
    let mut image = vec![0xff; SEGMENTS * SEGMENT];
    image[..88].copy_from_slice(&content(&formatted::<Ascon>())[..88]);
    image
}

#[test]
fn every_kind_of_damage_has_its_name() {
    let good = content(&used::<Ascon>());
    let picture = look(&good);
    assert_eq!((classes(&picture).len(), picture.is_sound()), (0, true), "{:?}", picture.findings);
    let place = |kind: &str| {
        let (segment, part) = picture
            .segments
            .iter()
            .filter(|segment| Some(segment.physical) != picture.newest && segment.state.name() == "log")
            .flat_map(|segment| segment.parts.iter().map(move |part| (segment.physical, part)))
            .find(|(_, part)| part.kind.name() == kind)
            .unwrap();
        segment as usize * SEGMENT + part.offset as usize + 9
    };
    let spoiled = |spoil: &dyn Fn(&mut Vec<u8>)| {
        let mut image = good.clone();
        spoil(&mut image);
        classes(&look(&image)).join(" ")
    };
    let newest = picture.newest.unwrap() as usize * SEGMENT;
    let other_key = examine("test", &good, &known(&SoftRootKey::new([1; 32])));
    let no_key = examine("test", &good, &Known { root: None, ..known(&SoftRootKey::new(KEY)) });
    let rows = [
        ("live record", spoiled(&|image| image[place("entry")] ^= 1)),
        ("dead record", spoiled(&|image| image[place("dead")] ^= 1)),
        ("header", spoiled(&|image| image[place("header")] ^= 1)),
        ("newest header", spoiled(&|image| image[newest + 9] ^= 1)),
        ("newest segment erased", spoiled(&|image| image[newest..newest + SEGMENT].fill(0xff))),
        (
            "newest moved",
            spoiled(&|image| {
                let (from, to) = (newest, (newest + SEGMENT) % image.len());
                let moved = image[from..from + SEGMENT].to_vec();
                image[to..to + SEGMENT].copy_from_slice(&moved);
                image[from..from + SEGMENT].fill(0xff);
            }),
        ),
        ("cut short", spoiled(&|image| image.truncate(20_000))),
        ("too long", spoiled(&|image| image.extend([0; 100]))),
        ("erased", spoiled(&|image| image.fill(0xff))),
        ("noise", spoiled(&|image| Dice::new(4).fill(image))),
        ("other version", spoiled(&|image| (0..SEGMENTS).for_each(|at| image[at * SEGMENT + 3] = 9))),
        ("other key", classes(&other_key).join(" ")),
        ("no key", classes(&no_key).join(" ")),
        ("half formatted", classes(&look(&half_formatted())).join(" ")),
        ("other suite", classes(&look(&content(&used::<Plain>()))).join(" ")),
    ];
    let table: String = rows.iter().map(|(what, classes)| format!("{what:<22} {classes}\n")).collect();
    expect_test::expect![[r#"
        live record            damaged-record in-doubt
        dead record            damaged-record
        header                 damaged-header
        newest header          damaged-record damaged-header
        newest segment erased  not-closed
        newest moved           not-closed damaged-header misplaced-segment in-doubt
        cut short              damaged-record damaged-header in-doubt truncated
        too long               extended
        erased                 blank
        noise                  no-store
        other version          incompatible
        other key              not-authentic
        no key                 key-missing
        half formatted         not-authentic
        other suite            incompatible
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_part_of_many_segments_is_drawn_as_a_grid() {
    let sizes = Sizes { unit: 4, segment: 2048, erased: 0xff, capacity: 1000 * 2048 };
    let mut image = content(&used::<Plain>());
    image.resize(sizes.capacity, 0xff);
    let root = SoftRootKey::new(KEY);
    let known = Known { sizes: Some(sizes), suite: Some(0), ..known(&root) };
    let drawing = drawn(&examine("test", &image, &known));
    assert_eq!(drawing.matches("<title>segment").count(), 1000);
}

/// Changes an image in one of many ways.
fn mutate(image: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    for _ in 0..=dice.below(3) {
        let (at, length) = (dice.below(image.len().max(1)), 1 + dice.below(300));
        let end = (at + length).min(image.len());
        match dice.below(10) {
            0..=2 => image.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
            3 => dice.fill(image.get_mut(at..end).unwrap_or_default()),
            4 => image.get_mut(at..end).unwrap_or_default().fill(if dice.below(2) == 0 { 0 } else { 0xff }),
            5 => image.truncate(at),
            6 => image.extend(vec![0xff; length]),
            7 => {
                let (one, two) = (dice.below(SEGMENTS), dice.below(SEGMENTS));
                (0..SEGMENT).for_each(|byte| {
                    if (one.max(two) + 1) * SEGMENT <= image.len() {
                        image.swap(one * SEGMENT + byte, two * SEGMENT + byte);
                    }
                });
            }
            8 => {
                let from = dice.below(SEGMENTS) * SEGMENT;
                if let (Some(place), Some(source)) =
                    (image.get_mut(from..from + SEGMENT), other.get(from..from + SEGMENT))
                {
                    place.copy_from_slice(source);
                }
            }
            _ => {
                // Fields of a header: sizes and numbers that make no sense.
                let field = dice.below(SEGMENTS) * SEGMENT + 3 + dice.below(69);
                image.iter_mut().skip(field).take(4).for_each(|byte| *byte = dice.word().to_le_bytes()[0]);
            }
        }
    }
}

#[test]
fn ten_thousand_changed_images_are_looked_at() {
    let bases: Vec<(Suite, Vec<u8>)> = vec![
        (Suite::Ascon, content(&used::<Ascon>())),
        (Suite::Plain, content(&used::<Plain>())),
        (Suite::Ascon, cut::<Ascon>(3, Tear::Bits, true)),
        (Suite::Plain, cut::<Plain>(2, Tear::Prefix, false)),
        (Suite::Ascon, content(&formatted::<Ascon>())),
        (Suite::Ascon, content(&with_volumes::<Ascon>())),
        (Suite::Plain, content(&with_volumes::<Plain>())),
    ];
    let directory = tempfile::tempdir().unwrap();
    let geometry = Geometry { flash: 16 * 2048, block: 2048, write: 4, objects: 0 };
    for suite in [Suite::Ascon, Suite::Plain] {
        let path = directory.path().join(suite.name());
        create_from(&path, &Config::new(suite, geometry), &KEY, &[]).unwrap();
    }
    let root = SoftRootKey::new(KEY);
    let (mut sound, mut reported, mut refused) = (0_u32, 0_u32, 0_u32);
    for case in 0..10_000_usize {
        let mut dice = Dice::new(case as u64);
        let (suite, base) = &bases[case % bases.len()];
        let mut image = base.clone();
        mutate(&mut image, &bases[(case + 2) % bases.len()].1, &mut dice);
        let blind = case % 3 == 0;
        let known = Known {
            sizes: known(&root).sizes.filter(|_| !blind),
            block: Some(2048).filter(|_| !blind),
            suite: Some(u8::from(*suite == Suite::Ascon)).filter(|_| !blind),
            expects_sealed: false,
            root: Some(&root).filter(|_| case % 7 != 0),
            counter: Some(0).filter(|_| case % 2 == 0),
            // As if records were blocks of objects.
            whole: Some(Whole { bytes: &image, capacity: WHOLE, table: Some(HALVES) }).filter(|_| case % 3 == 0),
        };
        let picture = examine("changed", &image, &known);
        let drawn = drawn(&picture);
        assert!(drawn.ends_with("</svg>\n"), "case {case}");
        assert!(picture.is_sound() || !picture.findings.is_empty(), "case {case}: no word about what is wrong");
        match check_as_device(&directory.path().join(suite.name()), &image) {
            Some(true) => sound += 1,
            Some(false) => reported += 1,
            None => refused += 1,
        }
    }
    println!("10000 changed images: {sound} sound, {reported} reported, {refused} refused");
    assert!(sound > 500 && reported > 1000 && refused > 500);
}

/// Whether `check` finds a device with this flash sound; `None`: it says why there's nothing to check.
fn check_as_device(path: &Path, image: &[u8]) -> Option<bool> {
    std::fs::write(path.join("flash.bin"), image).unwrap();
    check_device(path).ok()
}
