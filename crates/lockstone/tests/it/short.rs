//! The short mount: lists of old heads, and what happens when one of them can't be read or lies.

use std::collections::BTreeMap;

use lockstone::{Ascon, Error, Memory, Part, Plain, SoftRootKey, Store, buffer_size, seal::Suite};
use lockstone_sim::{BlockFault, SimFlash, Tear};
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
        // Of a log that goes round the whole part.
        assert!(thorough > 40 * 4096, "{thorough}");
        assert!(short < 24_000, "{short}");
    }
    measure::<Ascon>();
    measure::<Plain>();
}

/// Bytes read for names that are not there.
fn misses<S: Suite>(store: &mut Store<'_, &mut Chip, S>, from: u32) -> u64 {
    let before = store.flash().counts();
    for name in (from..from + 500).map(|index| format!("absent {index}")) {
        assert_eq!(store.get(&name[..], &mut [0; 8]).unwrap(), None);
    }
    (store.flash().counts() - before).bytes_read
}

#[test]
fn what_is_alone_in_its_bucket_is_told_from_others_without_reading() {
    let key = SoftRootKey::new([9; 32]);
    let mut flash = Chip::new(64 * 4096, 0xff);
    let mut memory: Memory<300, 700> = Memory::new();
    let mut store = Store::<_, Ascon>::format(&mut flash, Part::NOR, &key, &mut Fixed(3), &mut memory).unwrap();
    for index in 0..60_u8 {
        store.put(&[b'k', index][..], &[index; 40]).unwrap();
        assert!(!store.delete(&[b'n', index][..]).unwrap());
    }
    // Tombstones too are alone.
    for index in 0..20_u8 {
        assert!(store.delete(&[b'k', index][..]).unwrap());
    }
    let written = misses(&mut store, 0);
    // One bucket of five has a record of some 80 bytes, or more than one; few names differ from the only one in no bit.
    assert!(written < 500 * 6, "{written}");
    for index in 0..60_u8 {
        let found = store.get(&[b'k', index][..], &mut [0; 40]).unwrap();
        assert_eq!(found, if index < 20 { None } else { Some(40) });
    }
    // Heads that come from lists are read once.
    let (mut flash, values) = used::<Ascon>(&key);
    let mut memory = Ram::new();
    let mut store = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &key, &mut memory).unwrap();
    let (first, second) = (misses(&mut store, 0), misses(&mut store, 0));
    assert!(second < first, "{first} {second}");
    for (index, value) in values.iter().enumerate() {
        assert_eq!(store.get(&*format!("key {index}"), &mut [0; 64]).unwrap(), Some(value.len()));
    }
}

#[test]
fn whatever_a_list_says_the_answers_are_right() {
    // Suite plain: whoever writes to the flash can make a list that verifies but for its checksum, and bits flip.
    let key = root();
    let (flash, values) = used::<Plain>(&key);
    let image = flash.data().to_vec();
    let newest =
        (0..64).max_by_key(|block| u32::from_le_bytes(image[block * 4096 + 16..][..4].try_into().unwrap())).unwrap();
    let whole = look::<Plain>(&mut Chip::with_content(0xff, image.clone()), Part::NOR.thoroughly(), &key, &values);
    let mut full = 0;
    for block in [newest, (newest + 63) % 64] {
        for byte in (80..80 + 120).step_by(3) {
            let mut damaged = image.clone();
            damaged[block * 4096 + byte] ^= 1 << (byte % 8);
            let mut flash = Chip::with_content(0xff, damaged);
            let mut memory = Ram::new();
            flash.reset_counts();
            let mut store = Store::<_, Plain>::mount(&mut flash, Part::NOR, &key, &mut memory).unwrap();
            full += u32::from(store.flash().counts().bytes_read > whole);
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

/// What a life with many sessions is like.
struct Life {
    keys: usize,
    /// Longest value.
    value: usize,
    /// Most changes of a session.
    session: usize,
    sessions: usize,
    /// A block fails for good in the first session.
    failing: bool,
}

/// Mounts after each of many sessions, some cut and some closed, with transactions that cross segments and deletes: the answers
/// are right, the same as after reading the whole log. Returns what the short mounts and the thorough ones read, the latter
/// of the same log.
fn live<const W: usize, const E: usize, const H: usize, const B: usize, S: Suite>(
    blocks: usize,
    life: &Life,
) -> Vec<(u64, u64)> {
    let (key, mut random) = (root(), Random(9));
    let mut flash = SimFlash::<1, W, E>::new(blocks * E, 0xff);
    let mut model = BTreeMap::<String, Vec<u8>>::new();
    let mut memory = Memory::<H, B>::new();
    Store::<_, S>::format(&mut flash, Part::NOR, &key, &mut Fixed(3), &mut memory).map(drop).unwrap();
    if life.failing {
        flash.fail_block(blocks / 3, BlockFault::SilentProgram);
    }
    let mut reads = Vec::new();
    for session in 0..life.sessions {
        let mut read = [0; 2];
        for (part, read) in [Part::NOR.thoroughly(), Part::NOR].into_iter().zip(&mut read) {
            flash.reset_counts();
            let mut memory = Memory::<H, B>::new();
            let mut store = Store::<_, S>::mount(&mut flash, part, &key, &mut memory).unwrap();
            *read = store.flash().counts().bytes_read;
            assert!(store.report().is_sound(), "session {session}: {:?}", store.report());
            assert_eq!(store.stats().unwrap().keys as usize, model.len(), "session {session}");
            let mut buffer = [0; 1024];
            for index in (0..life.keys).step_by(1 + life.keys / 150) {
                let name = format!("key {index}");
                let value = store.get(&*name, &mut buffer).unwrap().map(|length| &buffer[..length]);
                assert_eq!(value, model.get(&name).map(Vec::as_slice), "session {session}: {name}");
            }
        }
        let [thorough, short] = read;
        reads.push((short, thorough));
        let mut memory = Memory::<H, B>::new();
        let mut store = Store::<_, S>::mount(&mut flash, Part::NOR, &key, &mut memory).unwrap();
        let change = |random: &mut Random| {
            let value: Vec<u8> = (0..random.below(life.value + 1)).map(|_| random.word() as u8).collect();
            (format!("key {}", random.below(life.keys)), value)
        };
        for _ in 0..random.below(life.session) {
            match random.below(60) {
                0 => {
                    let changes: Vec<_> = (0..1 + random.below(30)).map(|_| change(&mut random)).collect();
                    let mut transaction =
                        match store.transaction((changes.len() * (life.value + 60 + W).next_multiple_of(W)) as u32) {
                            Err(Error::Full) => continue,
                            other => other.unwrap(),
                        };
                    // A segment that fails in its midst takes room that it had; it's given up then, and one in three others.
                    let mut whole = true;
                    for (name, value) in &changes {
                        match transaction.put(&**name, value) {
                            Err(Error::Full) if life.failing => whole = false,
                            other => other.unwrap(),
                        }
                    }
                    if whole && random.below(3) > 0 {
                        transaction.commit().unwrap();
                        model.extend(changes);
                    }
                }
                1..4 => {
                    let (name, _) = change(&mut random);
                    assert_eq!(store.delete(&*name).unwrap(), model.remove(&name).is_some());
                }
                _ => {
                    let (name, value) = change(&mut random);
                    store.put(&*name, &value).unwrap();
                    model.insert(name, value);
                }
            }
        }
        if random.below(2) == 0 {
            store.close().map(drop).unwrap();
        }
    }
    reads
}

/// The mean of the short ones from the third mount on, and how many read as much as the whole log, if that is long.
fn judge(name: &str, reads: &[(u64, u64)]) -> (u64, usize) {
    let reads = &reads[2..];
    let sum: (u64, u64) = reads.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let whole = reads.iter().filter(|(short, thorough)| *thorough > 65_536 && short >= thorough).count();
    let count = reads.len() as u64;
    println!("{name}: {} bytes short, {} thorough, {whole} of {count} read it all", sum.0 / count, sum.1 / count);
    (sum.0 / count, whole)
}

#[test]
fn a_mount_is_short_whatever_was_stored() {
    const NOR: usize = buffer_size(1, 4, 4096) + 64;
    let few = Life { keys: 60, value: 40, session: 300, sessions: 24, failing: false };
    let many = Life { keys: 1200, value: 32, session: 600, sessions: 24, failing: false };
    let tiny = Life { keys: 900, value: 4, session: 900, sessions: 24, failing: false };
    let large = Life { keys: 150, value: 900, session: 200, sessions: 24, failing: false };
    let brief = Life { keys: 300, value: 32, session: 30, sessions: 200, failing: false };
    for (name, life, most) in [
        ("few", &few, 24_000),
        ("many", &many, 36_000),
        ("tiny", &tiny, 40_000),
        // Most segments begin inside a value of several records, and so without a list.
        ("large", &large, 130_000),
        ("brief", &brief, 34_000),
    ] {
        let (sealed, whole) = judge(name, &live::<4, 4096, 324, NOR, Ascon>(64, life));
        assert!(sealed < most && whole == 0, "{name}: {sealed}, {whole}");
        let (plain, whole) = judge(name, &live::<4, 4096, 324, NOR, Plain>(64, life));
        assert!(plain < most && whole == 0, "{name}: {plain}, {whole}");
    }
}

#[test]
fn a_mount_is_right_on_every_part() {
    let life = Life { keys: 120, value: 60, session: 200, sessions: 16, failing: false };
    // Units of 1, 8, 32 and 256 bytes; one head, and more than there are keys; few segments, and many small ones.
    judge("unit 1", &live::<1, 1024, 1, { buffer_size(1, 1, 1024) }, Ascon>(128, &life));
    judge("unit 8", &live::<8, 2048, 77, { buffer_size(1, 8, 2048) }, Plain>(40, &life));
    judge("unit 32", &live::<32, 8192, 2000, { buffer_size(1, 32, 8192) + 20 }, Ascon>(20, &life));
    let rare = Life { keys: 25, value: 60, session: 60, sessions: 16, failing: false };
    judge("unit 256", &live::<256, 4096, 100, { buffer_size(1, 256, 4096) + 9 }, Ascon>(40, &rare));
    judge("few blocks", &live::<4, 65536, 500, { buffer_size(1, 4, 65536) + 4 }, Plain>(4, &life));
    judge("many heads", &live::<4, 4096, 65_535, { buffer_size(1, 4, 4096) }, Plain>(40, &life));
    let failing = Life { failing: true, sessions: 30, ..life };
    let reads = live::<4, 4096, 141, { buffer_size(1, 4, 4096) + 40 }, Ascon>(40, &failing);
    let (read, whole) = judge("a retired block", &reads);
    assert!(read < 24_000 && whole == 0, "{read}, {whole}");
    // Lists as long as a record can be.
    let big = Life { keys: 1800, value: 20, session: 3000, sessions: 8, failing: false };
    let (read, _) = judge("unit 512", &live::<512, 16384, 600, { buffer_size(1, 512, 16384) + 128 }, Plain>(128, &big));
    assert!(read < 500_000, "{read}");
    // Lists of all heads at each 64th segment.
    let busy = Life { keys: 300, value: 60, session: 3000, sessions: 12, failing: false };
    let reads = live::<4, 2048, 400, { buffer_size(1, 4, 2048) + 300 }, Ascon>(300, &busy);
    let (read, whole) = judge("many blocks", &reads);
    assert!(read < 30_000 && whole == 0, "{read}, {whole}");
}

#[test]
fn a_cut_among_lists_of_all_heads_costs_nothing() {
    // The 24th segment begins with a row of them. A cut at every operation from before it to behind it.
    let key = root();
    let mut memory = Ram::new();
    let mut flash = Chip::new(64 * 4096, 0xff);
    let mut store = Store::<_, Ascon>::format(&mut flash, Part::NOR, &key, &mut Fixed(3), &mut memory).unwrap();
    let value = |turn: usize| [turn as u8; 32];
    let mut turns = 0;
    while store.stats().unwrap().log_segments < 24 {
        store.put(&*format!("key {}", turns % 400), &value(turns)).unwrap();
        turns += 1;
    }
    drop(store);
    let image = flash.data().to_vec();
    let mut cuts = 0;
    for operation in 0.. {
        let mut flash = Chip::with_content(0xff, image.clone());
        flash.set_seed(operation);
        flash.cut_at(operation, Tear::ALL[operation as usize % Tear::ALL.len()]);
        let mut acknowledged = turns;
        let mut memory = Ram::new();
        let mut store = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &key, &mut memory).unwrap();
        while store.put(&*format!("key {}", acknowledged % 400), &value(acknowledged)).is_ok() {
            acknowledged += 1;
            if acknowledged == turns + 70 {
                break;
            }
        }
        drop(store);
        if !flash.is_cut() {
            break;
        }
        cuts += 1;
        flash.power_on();
        for part in [Part::NOR, Part::NOR.thoroughly()] {
            let mut memory = Ram::new();
            let mut store = Store::<_, Ascon>::mount(&mut flash, part, &key, &mut memory).unwrap();
            assert!(store.report().is_sound(), "cut {operation}");
            let mut buffer = [0; 32];
            for turn in acknowledged - 400..acknowledged {
                let length = store.get(&*format!("key {}", turn % 400), &mut buffer).unwrap();
                let cut = turn % 400 == acknowledged % 400 && buffer == value(acknowledged);
                assert!(length == Some(32) && (buffer == value(turn) || cut), "cut {operation}: key {}", turn % 400);
            }
        }
    }
    assert!(cuts > 100, "{cuts}");
}
