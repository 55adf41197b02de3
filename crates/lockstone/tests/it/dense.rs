//! A log whose oldest part is live throughout, and denser than copies can be: compaction has to come through it, though it gains
//! nothing there. Nothing may be refused for want of room while all that is stored fits.

use lockstone::trust::Small;
use lockstone::{Ascon, Error, Memory, Part, Plain, Store, buffer_size, seal::Suite};
use lockstone_sim::SimFlash;
use lockstone_torture::{Fixed, Random, root};

type Chip = SimFlash<1, 4, 4096>;

const RAM: usize = buffer_size(1, 64, 4096) + 512;

/// A store that is filled, and lived with.
#[derive(Clone, Copy)]
struct Life {
    segments: usize,
    /// Of the values it is filled with.
    length: usize,
    /// How far, in % of its capacity.
    share: u32,
    /// One of those values is replaced now and then, besides the small one.
    mixed: bool,
    /// Mounted again after so many changes; 0: never.
    session: usize,
}

impl Life {
    fn new(segments: usize, length: usize, share: u32) -> Self {
        Self { segments, length, share, mixed: false, session: 0 }
    }

    /// Fills a part with values, then changes something small again and again, then one of those values each time.
    fn live<S: Suite, const UNIT: usize, const HEADS: usize>(self) -> Result<(), String> {
        let Self { segments, length, share, mixed, session } = self;
        let (mut flash, mut memory) =
            (SimFlash::<1, UNIT, 4096>::new(segments * 4096, 0xff), Memory::<HEADS, RAM>::new());
        let mut store = Store::<_, S>::format(&mut flash, Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap();
        let mut random = Random(5);
        store.put("small", &[1; 40]).unwrap();
        let value = vec![7; length];
        let mut keys = 0;
        let full = loop {
            match store.put(&*format!("{keys}"), &value) {
                Ok(()) => keys += 1,
                Err(Error::Full | Error::TooLarge) => break true,
                Err(error) => panic!("{error:?}"),
            }
            let stats = store.stats().unwrap();
            if u64::from(stats.used_bytes) * 100 > u64::from(stats.capacity_bytes) * u64::from(share) {
                break false;
            }
        };
        let what = format!(
            "{} units of {UNIT}, {HEADS} heads, {segments} segments, {keys} of {length} bytes, {share} %, {mixed}, {full}, \
             sessions of {session}",
            S::NAME
        );
        for turn in 0..segments * 60 {
            if session > 0 && turn % session == 0 {
                drop(store);
                store = Store::mount(&mut flash, Part::NOR, &root(), &mut memory).unwrap();
            }
            let long = mixed && turn % 7 == 0 && keys > 0;
            let name = if long { format!("{}", random.below(keys)) } else { "small".into() };
            let new = if long { &value[..] } else { &[8; 40][..random.below(40)] };
            match store.put(&*name, new) {
                Ok(()) => {}
                // The old and the new value don't fit beside each other.
                Err(Error::Full) if long && (full || length >= 5000) => {}
                Err(error) => return Err(format!("{what}: {error:?} in turn {turn}, {:?}", store.stats().unwrap())),
            }
        }
        match store.delete("small") {
            Ok(true) => Ok(()),
            other => Err(format!("{what}: {other:?} of a delete")),
        }
    }
}

#[test]
fn compaction_comes_through_what_is_live_throughout() {
    let mut failures = Vec::new();
    for segments in [16, 64] {
        for length in [60, 270, 760, 1500, 5000, 20_000] {
            for share in [40, 80, 100] {
                for mixed in [false, true] {
                    let life = Life { mixed, ..Life::new(segments, length, share) };
                    failures.extend(life.live::<Ascon, 4, 64>().err());
                    failures.extend(life.live::<Plain, 4, 300>().err());
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} lives:\n{}", failures.len(), failures.join("\n"));
}

/// The first records have no pointers and the last ones nine: copies take far more room than what they are copies of.
#[test]
fn few_heads_are_enough_for_many_keys() {
    let mut failures = Vec::new();
    for length in [60, 270] {
        for share in [80, 100] {
            failures.extend(Life::new(128, length, share).live::<Ascon, 4, 8>().err());
            failures.extend(Life::new(128, length, share).live::<Ascon, 64, 8>().err());
        }
    }
    assert!(failures.is_empty(), "{} lives:\n{}", failures.len(), failures.join("\n"));
}

/// Sessions as short as three changes on a full store: what a mount finds is as good a start as what it was.
#[test]
fn a_full_store_is_mounted_again_and_again() {
    let mut failures = Vec::new();
    for session in [3, 17, 50] {
        for length in [60, 270, 1500] {
            let life = Life { session, ..Life::new(64, length, 100) };
            failures.extend(life.live::<Ascon, 4, 300>().err());
            failures.extend(Life { mixed: true, ..life }.live::<Plain, 4, 64>().err());
        }
    }
    assert!(failures.is_empty(), "{} lives:\n{}", failures.len(), failures.join("\n"));
}

/// A small store counts nothing of what copies grow by, and may hold more than a standard one. That one takes it over, deletes
/// without fail, and takes changes again when it holds what it may, at no more than what they cost on such a store.
#[test]
fn a_full_small_store_is_taken_over() {
    for segments in [16, 64] {
        for length in [20, 60, 120] {
            let (mut flash, mut memory) = (Chip::new(segments * 4096, 0xff), Memory::<64, RAM>::new());
            let mut small =
                Store::<_, Plain, Small>::format_small(&mut flash, Part::NOR, &root(), &mut Fixed(3), &mut memory)
                    .unwrap();
            let mut keys = 0;
            while small.put(&*format!("{keys:06}"), &vec![7; length]) != Err(Error::Full) {
                keys += 1;
            }
            drop(small);
            let before = flash.counts().erases;
            let mut store = Store::<_, Plain>::mount(&mut flash, Part::NOR, &root(), &mut memory).unwrap();
            let what = format!("{segments} segments, {keys} of {length} bytes");
            while store.put("small", &[8; 40]) == Err(Error::Full) {
                keys -= 1;
                assert_eq!(store.delete(&*format!("{keys:06}")), Ok(true), "{what}");
            }
            let mut random = Random(5);
            for turn in 0..segments * 60 {
                let taken = store.put("small", &[8; 40][..random.below(40)]);
                assert_eq!(taken, Ok(()), "{what} in turn {turn}, {:?}", store.stats());
            }
            assert_eq!(store.get("000000", &mut [0; 200]), Ok(Some(length)), "{what}");
            let stats = store.stats().unwrap();
            assert!(stats.used_bytes >= stats.capacity_bytes / 20 * 17, "{what}: {stats:?}");
            drop(store);
            // Compaction that knew nothing of what stands there would pass all segments for each change.
            let erases = flash.counts().erases - before;
            assert!(erases < segments as u64 * 100, "{what}: {erases} erases");
        }
    }
}

/// A value, then small keys up to a share of the store, fewer until a new value has room beside the first, then new values in its
/// place: each is taken.
fn replaced<const HEADS: usize>(segments: usize, length: usize, share: u32) -> Result<(), String> {
    let (mut flash, mut memory) = (Chip::new(segments * 4096, 0xff), Memory::<HEADS, RAM>::new());
    let mut store = Store::<_, Ascon>::format(&mut flash, Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap();
    store.put("long", &vec![1; length]).unwrap();
    let mut keys = 0;
    while store.stats().unwrap().used_bytes < store.stats().unwrap().capacity_bytes / 100 * share {
        match store.put(&*format!("{keys:06}"), &[7; 36]) {
            Ok(()) => keys += 1,
            Err(Error::Full) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    while store.put("long", &vec![2; length]) == Err(Error::Full) {
        keys -= 1;
        assert!(store.delete(&*format!("{keys:06}")).unwrap());
    }
    for turn in 0..(segments * 4096 * 3 / length).min(3000) {
        store.put("long", &vec![turn as u8; length]).map_err(|error| {
            format!("{HEADS} heads, {segments} segments, {length} bytes at {share} %: {error:?} after {turn}")
        })?;
    }
    Ok(())
}

/// A value that a store could take once, it takes again and again: none uses up what compaction was begun early for.
#[test]
fn long_values_find_room_on_a_full_store() {
    let mut failures = Vec::new();
    for (segments, length, share) in [
        (64, 1000, 80),
        (64, 2000, 100),
        (64, 3800, 95),
        (64, 3800, 100),
        (96, 500, 100),
        (96, 1000, 100),
        (128, 270, 100),
        (128, 1000, 95),
        (128, 1000, 100),
        (128, 3800, 90),
        (256, 3800, 90),
        (256, 20_000, 85),
    ] {
        failures.extend(replaced::<300>(segments, length, share).err());
    }
    failures.extend(replaced::<8>(128, 1000, 100).err());
    assert!(failures.is_empty(), "{} lives:\n{}", failures.len(), failures.join("\n"));
}

/// Bytes that a change of one of `keys` values of 40 bytes reads on the average, and writes.
fn costs_of_a_change(keys: usize) -> (u64, u64) {
    let (mut flash, mut memory) = (Chip::new(64 * 4096, 0xff), Memory::<600, RAM>::new());
    let mut store = Store::<_, Ascon>::format(&mut flash, Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap();
    let mut random = Random(8);
    let mut change = |store: &mut Store<'_, &mut Chip, Ascon>, turns: usize| {
        let before = store.flash().counts();
        for turn in 0..turns {
            let key = if turn < keys { turn } else { random.below(keys) };
            store.put(&*format!("key {key}"), &[turn.to_le_bytes()[0]; 40]).unwrap();
        }
        let spent = store.flash().counts() - before;
        (spent.bytes_read / turns as u64, spent.bytes_programmed / turns as u64)
    };
    change(&mut store, keys.max(5000));
    change(&mut store, 5000)
}

#[test]
fn a_change_looks_for_what_is_there_once_when_compaction_was_done_in_advance() {
    let (read, written) = costs_of_a_change(100);
    println!("100 keys: a change reads {read} bytes and writes {written}");
    // What is there, of about as many bytes, and back what was written; a quarter more of them for compaction.
    assert!(read < written * 9 / 4, "{read} read, {written} written");
}

#[test]
fn compaction_reads_what_it_copies_no_more_often_than_it_must() {
    let (read, written) = costs_of_a_change(1500);
    println!("1,500 keys: a change reads {read} bytes and writes {written}");
    // Each copy is found in the log, looked up, and read back.
    assert!(read < written * 6, "{read} read, {written} written");
}
