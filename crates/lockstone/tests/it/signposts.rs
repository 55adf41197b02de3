//! Records that are passed by after a glance at their pointers: what it saves, and what an attacker gains by it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockstone::inspect::Sight;
use lockstone::seal::Suite;
use lockstone::trust::{Anchor, NoCounter, Reader};
use lockstone::{Ascon, Error, Memory, Part, Plain, Store, buffer_size};
use lockstone_torture::{Fixed, Random, root};

const BLOCK: usize = 4096;
const BLOCKS: usize = 64;
const BUFFER: usize = buffer_size(1, 4, BLOCK) + BLOCKS;
/// Few, so that many keys share one.
const HEADS: usize = 16;

/// Memory that counts what is read of it, and that somebody can reach while a store is mounted on it.
#[derive(Clone)]
struct Chip {
    content: Rc<RefCell<Vec<u8>>>,
    read: Rc<RefCell<usize>>,
}

impl Chip {
    fn of(content: Vec<u8>) -> Self {
        Self { content: Rc::new(RefCell::new(content)), read: Rc::default() }
    }

    fn blank() -> Self {
        Self::of(vec![0xff; BLOCKS * BLOCK])
    }

    fn image(&self) -> Vec<u8> {
        self.content.borrow().clone()
    }

    /// What a call reads.
    fn counted<T>(&self, call: impl FnOnce() -> T) -> (usize, T) {
        let before = *self.read.borrow();
        let result = call();
        (*self.read.borrow() - before, result)
    }
}

impl ErrorType for Chip {
    type Error = Infallible;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        *self.read.borrow_mut() += bytes.len();
        bytes.copy_from_slice(&self.content.borrow()[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        BLOCKS * BLOCK
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = BLOCK;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        self.content.borrow_mut()[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        let mut content = self.content.borrow_mut();
        content[offset as usize..].iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= *byte);
        Ok(())
    }
}

type Content = BTreeMap<String, Vec<u8>>;

fn mount<'m, S: Suite>(chip: &Chip, memory: &'m mut Memory<HEADS, BUFFER>) -> Store<'m, Chip, S> {
    Store::mount(chip.clone(), Part::NOR, &root(), memory).unwrap()
}

/// A store of so many keys of 32 bytes, each written in turn and then many of them again.
fn filled<S: Suite>(keys: usize, seed: u64) -> (Chip, Content) {
    let (chip, mut memory, mut content) = (Chip::blank(), Memory::<HEADS, BUFFER>::new(), Content::new());
    let mut store = Store::<_, S>::format(chip.clone(), Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap();
    let mut random = Random(seed);
    for change in 0..3 * keys {
        let number = if change < keys { change } else { random.below(keys) };
        put(&mut store, &mut content, &format!("key{number:06}"), change);
    }
    store.close().unwrap();
    (chip, content)
}

fn put<S: Suite>(store: &mut Store<'_, Chip, S>, content: &mut Content, name: &str, change: usize) {
    let value = [change.to_le_bytes(), [change as u8; 8], [7; 8], [9; 8]].concat();
    store.put(name, &value).unwrap();
    content.insert(name.into(), value);
}

/// Where records with signposts begin, and where their signposts are.
fn signposts<S: Suite>(chip: &Chip) -> Vec<(usize, usize)> {
    let mut memory = Memory::<HEADS, BUFFER>::new();
    let mut store = mount::<S>(chip, &mut memory);
    let mut found = Vec::new();
    for physical in 0..BLOCKS as u32 {
        let mut show = |sight: Sight<'_>| {
            if let Sight::Record(record) = sight
                && (3..=9).contains(&record.pointers)
            {
                let address = record.at.sequence as usize % BLOCKS * BLOCK + record.at.offset as usize;
                found.push((address, address + 4 + S::LINK + record.pointers as usize * (4 + S::CHECK)));
            }
        };
        store.look(physical, &mut show).unwrap();
    }
    found
}

/// Signposts that a look at the flash finds wrong.
fn broken<S: Suite>(chip: &Chip) -> u32 {
    let mut memory = Memory::<HEADS, BUFFER>::new();
    let mut store = mount::<S>(chip, &mut memory);
    (0..BLOCKS as u32).map(|physical| store.look(physical, &mut |_| {}).unwrap().signposts_broken).sum()
}

/// Each key is read right, or refused where that is allowed; returns how many were refused.
fn read_all<S: Suite>(store: &mut Store<'_, Chip, S>, content: &Content, case: &str) -> usize {
    let mut refused = 0;
    for (name, value) in content {
        let mut buffer = [0; 64];
        match store.get(name.as_str(), &mut buffer) {
            Ok(found) => {
                assert_eq!(found.map(|length| &buffer[..length]), Some(&value[..]), "{case}: {name}");
            }
            Err(error) => {
                assert!(matches!(error, Error::Damaged), "{case}: {name}: {error}");
                refused += 1;
            }
        }
    }
    refused
}

/// Bytes read by a get and by one of a key that is not there, on the average.
fn cost<S: Suite>(chip: &Chip, store: &mut Store<'_, Chip, S>, content: &Content) -> (usize, usize) {
    let (found, _) = chip.counted(|| assert_eq!(read_all(store, content, "whole"), 0));
    let (missed, ()) = chip.counted(|| {
        for name in content.keys() {
            assert_eq!(store.get(format!("no {name}").as_str(), &mut [0; 64]), Ok(None));
        }
    });
    (found / content.len(), missed / content.len())
}

/// 63 keys to a head.
#[test]
fn keys_that_share_a_head_are_found_with_less_reading() {
    fn check<S: Suite>() {
        let (chip, content) = filled::<S>(1000, 1);
        let mut memory = Memory::new();
        let mut store = mount::<S>(&chip, &mut memory);
        let (found, missed) = cost(&chip, &mut store, &content);
        drop(store);
        let mut image = chip.image();
        signposts::<S>(&chip).iter().for_each(|(_, signpost)| image[*signpost] ^= 1);
        let chip = Chip::of(image);
        let mut store = mount::<S>(&chip, &mut memory);
        let (found_without, missed_without) = cost(&chip, &mut store, &content);
        println!("{}: {found} bytes a get, {found_without} without; {missed} a miss, {missed_without}", S::NAME);
        assert!(found * 100 < found_without * 80 && missed * 100 < missed_without * 75);
    }
    check::<Ascon>();
    check::<Plain>();
}

/// A broken signpost costs reads, and nothing else: from then on records are read whole, so that who forges signposts has one
/// try in a session.
#[test]
fn after_a_signpost_that_does_not_fit_none_is_believed() {
    fn check<S: Suite>() {
        let (chip, content) = filled::<S>(400, 2);
        let whole = chip.image();
        assert_eq!(broken::<S>(&chip), 0);
        let (mut wary, mut memory) = (0, Memory::new());
        let mut fine = mount::<S>(&chip, &mut memory);
        let (usual, _) = cost(&chip, &mut fine, &content);
        drop(fine);
        for (_, signpost) in signposts::<S>(&chip) {
            let mut image = whole.clone();
            image[signpost + 1] ^= 0x10;
            let chip = Chip::of(image);
            assert_eq!(broken::<S>(&chip), 1, "a look at the flash tells");
            let mut store = mount::<S>(&chip, &mut memory);
            let case = format!("{} at {signpost:#x}", S::NAME);
            // Twice: once with it met, and then warned if it ever is.
            assert_eq!(read_all(&mut store, &content, &case), 0, "{case}");
            let (now, _) = cost(&chip, &mut store, &content);
            let met = store.report().signposts_broken;
            assert!(met || now <= usual, "{case}: {now}");
            wary += usize::from(met && now > usual * 5 / 4);
            store.put("another", b"value").unwrap();
            drop(store);
            assert_eq!(read_all(&mut mount::<S>(&chip, &mut memory), &content, &case), 0, "{case}");
        }
        println!("{}: {usual} bytes a get, {wary} sessions became wary", S::NAME);
        assert!(wary > 50, "{wary}");
    }
    check::<Ascon>();
    check::<Plain>();
}

/// What is met is remembered while the session lasts, also when the store has to look at the flash again.
#[test]
fn a_forger_has_one_try_in_a_session() {
    fn check<S: Suite>() {
        let (chip, content) = filled::<S>(400, 7);
        let signposts = signposts::<S>(&chip);
        let mut memory = Memory::new();
        let mut store = mount::<S>(&chip, &mut memory);
        for (_, signpost) in &signposts {
            chip.content.borrow_mut()[*signpost] ^= 1;
        }
        assert_eq!(read_all(&mut store, &content, "broken"), 0);
        for _ in 0..5 {
            assert!(store.report().signposts_broken && !store.report().is_sound());
            let mut given_up = store.transaction(500).unwrap();
            given_up.put("key000001", &[1; 32]).unwrap();
            drop(given_up);
            // Looks at the flash again, and at no signpost.
            store.stats().unwrap();
            assert!(store.report().signposts_broken);
            assert_eq!(read_all(&mut store, &content, "looked at again"), 0);
        }
        assert!(store.report().signposts_broken && store.report().doubt.is_none());
        drop(store);
        let store = mount::<S>(&chip, &mut memory);
        assert!(!store.report().signposts_broken, "a new session");
    }
    check::<Ascon>();
    check::<Plain>();
}

/// What only boots reads no signposts, and agrees about all else.
#[test]
fn a_reader_finds_a_crowded_store_sound() {
    fn check<S: Suite>(close: bool) {
        let (chip, mut content) = filled::<S>(300, 8);
        let mut memory = Memory::<HEADS, BUFFER>::new();
        if !close {
            let mut store = mount::<S>(&chip, &mut memory);
            for change in 0..100 {
                put(&mut store, &mut content, &format!("key{:06}", change * 3), change);
            }
        }
        let anchor = Anchor { root: &root(), counter: Reader(NoCounter) };
        let mut reader =
            Store::<_, S, Reader<NoCounter>>::mount_protected(chip, Part::NOR, anchor, &mut memory).unwrap();
        assert!(reader.report().is_sound(), "{:?}", reader.report());
        for (name, value) in &content {
            let mut buffer = [0; 64];
            let found = reader.get(name.as_str(), &mut buffer).unwrap();
            assert_eq!(found.map(|length| &buffer[..length]), Some(&value[..]), "{name}");
            assert_eq!(reader.get(format!("no {name}").as_str(), &mut buffer), Ok(None));
        }
    }
    for close in [false, true] {
        check::<Ascon>(close);
        check::<Plain>(close);
    }
}

/// A key whose record would need more pointers than a record has is refused before anything is written.
#[test]
fn a_path_too_long_is_told_before_anything_is_written() {
    // Of suite `plain`; they branch off from "target" at the levels 0 to 24, one at each.
    const NAMES: [&str; 25] = [
        "0", "c", "2", "7", "60", "3", "192", "240", "89", "663", "9d", "1aaf", "187b", "701a", "89b5", "1b9b1",
        "20aa5", "133b3", "20648", "32618", "66ea4", "1116d8a", "146480c", "1592a22", "33dc64e",
    ];
    let (chip, mut memory) = (Chip::blank(), Memory::<1, BUFFER>::new());
    let mut store = Store::<_, Plain>::format(chip, Part::NOR, &root(), &mut Fixed(3), &mut memory).unwrap();
    for name in NAMES.iter().rev() {
        store.put(*name, b"x").unwrap();
    }
    for value in [&[1; 20][..], &[1; 2000]] {
        let end = store.end();
        assert!(matches!(store.put("target", value), Err(Error::Collision)));
        assert_eq!(store.end(), end, "nothing was written");
        let mut transaction = store.transaction(4000).unwrap();
        transaction.put("another", b"1").unwrap();
        assert!(matches!(transaction.put("target", value), Err(Error::Collision)));
        drop(transaction);
        let mut transaction = store.transaction(4000).unwrap();
        assert!(matches!(transaction.put("target", value), Err(Error::Collision)));
        transaction.put("another", b"1").unwrap();
        transaction.commit().unwrap();
        assert_eq!(store.get("another", &mut [0; 4]), Ok(Some(1)));
        assert_eq!(store.delete("another"), Ok(true));
    }
}

/// Every bit of what a glance reads, flipped under a mounted store: no key is taken for absent, and none has another's value.
#[test]
fn no_flipped_bit_leads_elsewhere() {
    fn check<S: Suite>() {
        let (chip, content) = filled::<S>(150, 3);
        let whole = chip.image();
        let (mut memory, mut refused, mut flips) = (Memory::new(), 0, 0);
        for (address, signpost) in signposts::<S>(&chip).into_iter().step_by(5) {
            let mut store = mount::<S>(&chip, &mut memory);
            for bit in 0..(signpost + 8 - address) * 8 {
                chip.content.borrow_mut()[address + bit / 8] ^= 1 << (bit % 8);
                let case = format!("{}, bit {bit} at {address:#x}", S::NAME);
                refused += read_all(&mut store, &content, &case);
                chip.content.borrow_mut()[address + bit / 8] ^= 1 << (bit % 8);
                flips += 1;
                if bit % 8 == 7 {
                    // Not wary any more.
                    drop(store);
                    store = mount::<S>(&chip, &mut memory);
                }
            }
            drop(store);
            assert!(chip.image() == whole, "reading changes nothing");
        }
        println!("{}: {flips} flips, {refused} reads refused", S::NAME);
        assert!(flips > 2000 && refused > 0, "{flips}, {refused}");
    }
    check::<Ascon>();
    check::<Plain>();
}

/// Two histories fork, and parts of the records of one are put into the other, which is mounted: where records of both begin at
/// one place, the first part as far as the pointers, the signpost, how the tag begins, and all.
#[test]
fn the_first_part_of_a_record_of_another_history_leads_nowhere() {
    fn check<S: Suite>() {
        let (chip, content) = filled::<S>(300, 4);
        let start = chip.image();
        // The names are of one length and so are the values, so records often stand at the same places.
        let fork = |seed: u64| {
            let (chip, mut content, mut memory) = (Chip::of(start.clone()), content.clone(), Memory::new());
            let mut store = mount::<S>(&chip, &mut memory);
            let mut random = Random(seed);
            for change in 0..400 {
                put(&mut store, &mut content, &format!("key{:06}", random.below(300)), change);
            }
            drop(store);
            (chip, content)
        };
        let ((one, content), (other, _)) = (fork(5), fork(6));
        let (foreign, mut memory, mut refused, mut spliced) = (other.image(), Memory::new(), 0, 0);
        let theirs: BTreeMap<usize, usize> = signposts::<S>(&other).into_iter().collect();
        for (address, signpost) in signposts::<S>(&one) {
            let Some(end) = theirs.get(&address).filter(|_| foreign[address..] != one.image()[address..]) else {
                continue;
            };
            for end in [*end, end + 4, end + 8, end + 4 + S::TAG + 60] {
                let mut store = mount::<S>(&one, &mut memory);
                let range = address..end.max(signpost);
                let own = one.image()[range.clone()].to_vec();
                if own == foreign[range.clone()] {
                    continue;
                }
                one.content.borrow_mut()[range.clone()].copy_from_slice(&foreign[range.clone()]);
                refused += read_all(&mut store, &content, &format!("{}, {range:x?}", S::NAME));
                one.content.borrow_mut()[range].copy_from_slice(&own);
                spliced += 1;
            }
        }
        println!("{}: {spliced} spliced, {refused} reads refused", S::NAME);
        assert!(spliced > 30 && refused > 0, "{spliced}, {refused}");
    }
    check::<Ascon>();
    check::<Plain>();
}
