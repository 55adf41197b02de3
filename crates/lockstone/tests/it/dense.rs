//! A log whose oldest part is live throughout, and denser than copies can be: compaction has to come through it, though it gains
//! nothing there. Nothing may be refused for want of room while all that is stored fits.
//!
//! With `LOCKSTONE_THOROUGH=1` it also shows where that does not hold, with hundreds of keys to a head.

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
            Err(Error::Full) if long && full => {}
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

/// What is known not to hold (ARCHITECTURE.md (i)).
#[test]
fn with_few_heads_the_margin_may_be_too_small() {
    if super::cuts::is_thorough() {
        let lives = [60, 270].map(|length| live::<Ascon, 8>(128, length, 80, false));
        lives.iter().for_each(|life| println!("{life:?}"));
    }
}

/// A value, then small keys up to a share of the store, then new values in place of the first: how many are taken.
fn replaced(segments: usize, length: usize, share: u32) -> String {
    const RAM: usize = buffer_size(1, 4, 4096) + 512;
    let (mut flash, mut memory) = (Chip::new(segments * 4096, 0xff), Memory::<300, RAM>::new());
    let mut store = Store::<_, Ascon>::format(&mut flash, Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap();
    store.put("long", &vec![1; length]).unwrap();
    for key in 0.. {
        let stats = store.stats().unwrap();
        if stats.used_bytes >= stats.capacity_bytes / 100 * share {
            break;
        }
        store.put(&*format!("{key:06}"), &[7; 36]).unwrap();
    }
    let turns = segments * 4096 * 3 / length;
    match (0..turns).find_map(|turn| store.put("long", &vec![2; length]).err().map(|error| (turn, error))) {
        Some((turn, error)) => format!("{segments} segments, {length} bytes at {share} %: {error:?} after {turn}"),
        None => format!("{segments} segments, {length} bytes at {share} %: all of {turns} taken"),
    }
}

/// What is known not to hold (ARCHITECTURE.md (i)).
#[test]
fn long_values_on_a_full_store_may_find_no_room() {
    if super::cuts::is_thorough() {
        for (segments, length, share) in [(64, 1000, 80), (64, 3800, 95), (128, 3800, 90), (256, 20_000, 85)] {
            println!("{}", replaced(segments, length, share));
        }
    }
}
