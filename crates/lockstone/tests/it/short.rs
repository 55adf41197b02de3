//! The short mount: lists of old heads, and what happens when one of them can't be read or lies.

use lockstone::{Ascon, Memory, Part, Plain, SoftRootKey, Store, buffer_size, seal::Suite};
use lockstone_sim::SimFlash;
use lockstone_torture::{Fixed, Random, root};

type Chip = SimFlash<1, 4, 4096>;
type Ram = Memory<141, { buffer_size(1, 4, 4096) + 64 }>;

const KEYS: usize = 100;

/// A part of 64 blocks with a hundred keys, each changed many times; what they are, and the part as power went.
fn used<S: Suite>(key: &SoftRootKey) -> (Chip, Vec<Vec<u8>>) {
    let (mut flash, mut memory) = (Chip::new(64 * 4096, 0xff), Ram::new());
    let mut values = vec![Vec::new(); KEYS];
    let mut store = Store::<_, S>::format(&mut flash, Part::NOR, key, &mut Fixed(3), &mut memory).unwrap();
    let mut random = Random(8);
    for turn in 0..6000 {
        // A few keys are never changed again.
        let index = if turn < KEYS { turn } else { 9 + random.below(KEYS - 9) };
        let value: Vec<u8> = (0..16 + random.below(48)).map(|_| random.word() as u8).collect();
        store.put(&*format!("key {index}"), &value).unwrap();
        values[index] = value;
    }
    drop(store);
    (flash, values)
}

/// Mounts, and reads everything: bytes that the mount read.
fn look<S: Suite>(flash: &mut Chip, part: Part, key: &SoftRootKey, values: &[Vec<u8>]) -> u64 {
    let mut memory = Ram::new();
    flash.reset_counts();
    let mut store = Store::<_, S>::mount(flash, part, key, &mut memory).unwrap();
    let read = store.flash().counts().bytes_read;
    assert!(store.report().is_sound());
    let mut buffer = [0; 64];
    for (index, value) in values.iter().enumerate() {
        let length = store.get(&*format!("key {index}"), &mut buffer).unwrap().unwrap();
        assert_eq!(&buffer[..length], &value[..], "key {index}");
    }
    assert_eq!(store.get("key 100", &mut buffer), Ok(None));
    read
}

#[test]
fn a_mount_reads_the_end_of_the_log() {
    fn measure<S: Suite>() {
        let key = root();
        let (mut flash, values) = used::<S>(&key);
        let thorough = look::<S>(&mut flash, Part::NOR.thoroughly(), &key, &values);
        let short = look::<S>(&mut flash, Part::NOR, &key, &values);
        println!("{}: a mount reads {short} bytes, a thorough one {thorough}", S::NAME);
        assert!(thorough > 200_000, "{thorough}");
        assert!(short < 36_000, "{short}");
    }
    measure::<Ascon>();
    measure::<Plain>();
}

#[test]
fn whatever_a_list_says_the_answers_are_right() {
    // Suite plain: whoever writes to the flash can make a list that verifies but for its checksum, and bits flip.
    let key = root();
    let (flash, values) = used::<Plain>(&key);
    let image = flash.data().to_vec();
    let newest =
        (0..64).max_by_key(|block| u32::from_le_bytes(image[block * 4096 + 16..][..4].try_into().unwrap())).unwrap();
    let mut full = 0;
    for block in [newest, (newest + 63) % 64] {
        for byte in (80..80 + 120).step_by(3) {
            let mut damaged = image.clone();
            damaged[block * 4096 + byte] ^= 1 << (byte % 8);
            let mut flash = Chip::with_content(0xff, damaged);
            let mut memory = Ram::new();
            flash.reset_counts();
            let mut store = Store::<_, Plain>::mount(&mut flash, Part::NOR, &key, &mut memory).unwrap();
            full += u32::from(store.flash().counts().bytes_read > 200_000);
            let mut buffer = [0; 64];
            for (index, value) in values.iter().enumerate() {
                match store.get(&*format!("key {index}"), &mut buffer) {
                    Ok(Some(length)) => assert_eq!(&buffer[..length], &value[..], "{block}/{byte}: key {index}"),
                    Ok(None) => panic!("{block}/{byte}: key {index} is gone"),
                    Err(_) => {}
                }
            }
        }
    }
    assert!(full > 20, "{full} mounts read the whole log");
}

#[test]
fn a_mount_counts_what_the_session_before_it_counted() {
    // Deletes and sessions that are cut or closed, on a part so small that segments with tombstones are freed all the time.
    let (key, mut flash, mut random) = (root(), Chip::new(8 * 4096, 0xff), Random(5));
    Store::<_, Plain>::format(&mut flash, Part::NOR, &key, &mut Fixed(3), &mut Ram::new()).map(drop).unwrap();
    let mut before = None;
    for session in 0..300 {
        let part = if session % 2 == 0 { Part::NOR } else { Part::NOR.thoroughly() };
        let mut memory = Ram::new();
        let mut store = Store::<_, Plain>::mount(&mut flash, part, &key, &mut memory).unwrap();
        let stats = store.stats().unwrap();
        if let Some((keys, used)) = before {
            // A segment that was freed and not yet declared so is in the log again, with its tombstones.
            assert!(stats.keys == keys && stats.used_bytes >= used, "session {session}: {stats:?}, {before:?}");
        }
        for _ in 0..random.below(60) {
            let name = format!("key {}", random.below(60));
            if random.below(3) == 0 {
                store.delete(&*name).unwrap();
            } else {
                store.put(&*name, &[7; 90][..random.below(90)]).unwrap();
            }
        }
        let stats = store.stats().unwrap();
        before = Some((stats.keys, stats.used_bytes));
        if session % 3 == 0 {
            // That may compact.
            store.close().unwrap();
            before = None;
        }
    }
}
