//! A log whose oldest part is live throughout, and denser than copies can be: compaction has to come through it, though it gains
//! nothing there. Nothing may be refused for want of room while all that is stored fits.

use lockstone::{Ascon, Error, Memory, Part, Plain, Store, buffer_size, seal::Suite};
use lockstone_sim::SimFlash;
use lockstone_torture::{Fixed, Random, root};

type Chip = SimFlash<1, 4, 4096>;

/// Fills a part of so many segments with values of this length, then changes something small again and again, then one of those
/// values each time.
fn live<S: Suite, const HEADS: usize>(segments: usize, length: usize, share: usize, mixed: bool) -> Result<(), String> {
    const RAM: usize = buffer_size(1, 4, 4096) + 512;
    let (mut flash, mut memory) = (Chip::new(segments * 4096, 0xff), Memory::<HEADS, RAM>::new());
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
        if u64::from(stats.used_bytes) * 100 > u64::from(stats.capacity_bytes) * share as u64 {
            break false;
        }
    };
    let what =
        format!("{} {HEADS} heads, {segments} segments, {keys} of {length} bytes, {share} %, {mixed}, {full}", S::NAME);
    for turn in 0..segments * 60 {
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

#[test]
fn compaction_comes_through_what_is_live_throughout() {
    let mut failures = Vec::new();
    for segments in [16, 64] {
        for length in [60, 270, 760, 1500, 5000, 20_000] {
            for share in [40, 80, 100] {
                for mixed in [false, true] {
                    failures.extend(live::<Ascon, 64>(segments, length, share, mixed).err());
                    failures.extend(live::<Plain, 300>(segments, length, share, mixed).err());
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
            failures.extend(live::<Ascon, 8>(128, length, share, false).err());
        }
    }
    assert!(failures.is_empty(), "{} lives:\n{}", failures.len(), failures.join("\n"));
}

/// A value, then small keys up to a share of the store, fewer until a new value has room beside the first, then new values in its
/// place: each is taken.
fn replaced<const HEADS: usize>(segments: usize, length: usize, share: u32) -> Result<(), String> {
    const RAM: usize = buffer_size(1, 4, 4096) + 512;
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
