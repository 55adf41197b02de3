//! Two histories of one session: whoever can write the flash takes an image, lets a session write, puts the image back, and lets the
//! next one, of the same number, write something else. Each chunk and each piece of a table of both was sealed by this device for
//! its place.

use core::ops::Range;

use lockstone::seal::Suite;
use lockstone::{Ascon, ObjectError, Part, Plain, Put, Reseal, ResealObjectsError, SoftRootKey, Store};
use lockstone_sim::{BlockFault, SimFlash, Tear};
use lockstone_torture::Fixed;
use sha2::Sha256;

use super::{Bench, Keys, content, read_all, sha};

type Nor = Bench<4, 4, 4096>;

const SLOT: usize = 532;
/// In blocks of 4 KiB.
const SLOTS: usize = 7;
/// In a piece, of 88 bytes. Six pieces fill a slot.
const PINS: usize = 9;
const PIECE: usize = 16 + 8 * PINS;
const PIECES: usize = 6;

/// Bytes that are sealed by themselves, with the number of what they hold: a chunk, or a piece behind all chunks.
type Place = (usize, Range<usize>);

/// Both histories of an object, written chunk by chunk in an order, and how many chunks it has.
struct Histories {
    one: Nor,
    other: Nor,
    chunks: usize,
}

impl Histories {
    /// `anew`: the image is from before the object was begun, and the random generator is stuck. So its first session writes all.
    fn of(chunks: usize, order: &[usize], anew: bool) -> Self {
        let length = chunks * 512 - 100;
        let mut one = Nor::new::<Ascon>(16 * 4096, 32 * 4096, 0xff);
        if !anew {
            one.with::<Ascon, _>(|store, objects| {
                objects.create(store, "fw", Some(length as u32), &mut Fixed(7), &mut [0; 800]).map(drop).unwrap();
            });
        }
        let mut other = one.clone();
        for (bench, seed) in [(&mut one, 1), (&mut other, 2)] {
            let wanted = content(seed, length);
            bench.with::<Ascon, _>(|store, objects| {
                let mut ram = [0; 800];
                let mut upload = match objects.resume(store, "fw", &mut ram).unwrap() {
                    Some(upload) => upload,
                    None => objects.create(store, "fw", Some(length as u32), &mut Fixed(7), &mut ram).unwrap(),
                };
                for chunk in order {
                    let (from, end) = (chunk * 512, (chunk * 512 + 512).min(length));
                    objects.write(store, &mut upload, from as u32, &wanted[from..end]).unwrap();
                }
                objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&wanted)), Put::USUAL).unwrap();
                assert_eq!(read_all(objects, store, "fw"), Ok(Some(wanted)));
            });
        }
        Self { one, other, chunks }
    }

    /// What holds something else in the other history: chunks by their numbers, and pieces behind them.
    fn places(&self) -> Vec<Place> {
        let (one, other) = (self.one.flash.data(), self.other.flash.data());
        let mut places = Vec::new();
        for at in (0..32 * SLOTS).map(|slot| slot / SLOTS * 4096 + 48 + slot % SLOTS * SLOT) {
            if one[at..at + SLOT] == other[at..at + SLOT] {
                continue;
            }
            assert_eq!(one[at..at + 4], other[at..at + 4], "sealed for the same");
            let number = usize::from(one[at]) + 256 * usize::from(one[at + 1]);
            if !matches!(one[at + 3], 0x69 | 0x96 | 0x99) {
                places.push((number, at..at + SLOT));
                continue;
            }
            for piece in 0..PIECES {
                let bytes = at + 4 + piece * PIECE..at + 4 + (piece + 1) * PIECE;
                if one[bytes.clone()] != other[bytes.clone()] {
                    places.push((self.chunks + number * PIECES + piece, bytes));
                }
            }
        }
        places.sort_unstable_by_key(|place| place.0);
        assert_eq!(places.len(), self.root() + 1, "each chunk and each piece");
        assert!(places.iter().enumerate().all(|(item, place)| item == place.0), "once");
        places
    }

    /// How many chunks there are, and pieces of each rank above.
    fn ranks(&self) -> Vec<usize> {
        let mut ranks = vec![self.chunks];
        while ranks.len() == 1 || ranks.last() != Some(&1) {
            ranks.push(ranks[ranks.len() - 1].div_ceil(PINS));
        }
        ranks
    }

    /// The last piece.
    fn root(&self) -> usize {
        self.ranks().into_iter().sum::<usize>() - 1
    }

    /// What a piece pins.
    fn pinned(&self, piece: usize) -> Range<usize> {
        let mut below = 0;
        for rank in self.ranks() {
            let (above, next) = (below + rank, below + rank + rank.div_ceil(PINS));
            if (above..next).contains(&piece) {
                let first = below + (piece - above) * PINS;
                return first..(first + PINS).min(above);
            }
            below = above;
        }
        unreachable!("a piece of this object")
    }

    /// A piece and all that it pins, and what that pins.
    fn below(&self, item: usize) -> Vec<usize> {
        let pinned = if item < self.chunks { 0..0 } else { self.pinned(item) };
        pinned.flat_map(|item| self.below(item)).chain([item]).collect()
    }

    /// The first, with some slots from the other.
    fn spliced(&self, taken: &[Place]) -> Nor {
        let mut spliced = self.one.clone();
        for (_, bytes) in taken {
            spliced.flash.data_mut()[bytes.clone()].copy_from_slice(&self.other.flash.data()[bytes.clone()]);
        }
        spliced
    }

    /// What is read has its digest, or is refused.
    fn check_refused(&self, taken: &[Place]) {
        let seen = self.spliced(taken).with::<Ascon, _>(|store, objects| read_all(objects, store, "fw"));
        assert_eq!(seen.map(|_| "taken"), Err(ObjectError::Damaged), "{taken:?}");
    }
}

fn orders(chunks: usize) -> [(Vec<usize>, bool); 3] {
    let backwards = (0..chunks).rev().collect();
    [((0..chunks).collect(), true), ((0..chunks).collect(), false), (backwards, false)]
}

#[test]
fn no_chunk_is_taken_for_that_of_another_history() {
    for chunks in [1, 20, 66] {
        for (order, anew) in orders(chunks) {
            let histories = Histories::of(chunks, &order, anew);
            for place in histories.places().into_iter().filter(|(item, _)| *item < chunks) {
                histories.check_refused(&[place]);
            }
        }
    }
}

/// Pieces of two histories, each alone, and each with all below it, which would fit; each table, and all of them.
#[test]
fn no_piece_of_a_table_is_taken_for_that_of_another_history() {
    for chunks in [1, 20, 66, 90] {
        for (order, anew) in orders(chunks) {
            let histories = Histories::of(chunks, &order, anew);
            let places = histories.places();
            for piece in chunks..=histories.root() {
                histories.check_refused(&places[piece..=piece]);
                let below = histories.below(piece);
                assert!(below.len() > 1 && (piece == histories.root()) == (below.len() == places.len()));
                let below: Vec<_> = below.into_iter().map(|item| places[item].clone()).collect();
                histories.check_refused(&below);
            }
            for table in places[chunks..].chunks(PIECES) {
                histories.check_refused(table);
            }
            histories.check_refused(&places[chunks..]);
            histories.check_refused(&places[..chunks]);
            histories.check_refused(&places);
        }
    }
}

/// What is sealed anew is what was finished.
#[test]
fn no_chunk_of_another_history_is_sealed_anew() {
    for (order, anew) in orders(20) {
        let histories = Histories::of(20, &order, anew);
        let places = histories.places();
        for taken in [&places[3..4], &places[20..], &places[..]] {
            let [mut keys, mut blocks] = [8, 20].map(|blocks| SimFlash::<4, 4, 4096>::new(blocks * 4096, 0xff));
            let (mut memory, mut slot, key) = (Keys::new(), [0; 2048], SoftRootKey::new([0x77; 32]));
            let mut there = Store::<_, Ascon>::format(&mut keys, Part::NOR, &key, &mut Fixed(5), &mut memory).unwrap();
            let mut objects = lockstone::Objects::<_, Ascon>::format(&mut blocks, Part::NOR, &mut slot).unwrap();
            histories.spliced(taken).with::<Ascon, _>(|store, from| {
                let to = Reseal {
                    store: &mut there,
                    objects: &mut objects,
                    random: &mut Fixed(6),
                    buffer: &mut [0; 500],
                    ram: &mut [0; 800],
                };
                let done = from.reseal_into::<Sha256, _, _, _, _, _, _, _>(store, to, |_, _| {});
                assert_eq!(done, Err(ResealObjectsError::Source(ObjectError::Damaged)), "{taken:?}");
            });
        }
    }
}

/// So many chunks that there are pieces of five ranks.
#[test]
fn a_long_object_has_five_ranks_of_pieces() {
    let chunks = 9 * 9 * 9 * 9 + 70;
    let wanted = content(3, chunks * 512 - 9);
    let mut bench = Nor::new::<Plain>(16 * 4096, 1000 * 4096, 0xff);
    bench.with::<Plain, _>(|store, objects| {
        let mut ram = vec![0; objects.layout().upload_size(wanted.len() as u32)];
        let mut upload = objects.create(store, "fw", Some(wanted.len() as u32), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &wanted).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&wanted)), Put::USUAL).unwrap();
    });
    bench.with::<Plain, _>(|store, objects| {
        assert_eq!(read_all(objects, store, "fw"), Ok(Some(wanted.clone())));
        let mut bytes = [0; 700];
        for chunk in (0..chunks - 1).rev().step_by(61).chain([6560, 6561, 6562, 0]) {
            let from = chunk * 512 + 100;
            let length = (wanted.len() - from).min(700);
            assert_eq!(objects.read(store, "fw", from as u32, &mut bytes), Ok(Some(length)));
            assert!(bytes[..length] == wanted[from..from + length], "chunk {chunk}");
        }
    });
}

/// Pieces do not begin where units do.
fn check_units<const R: usize, const W: usize, const E: usize, S: Suite>(chunk: usize) {
    let wanted = content(5, 90 * chunk + 1);
    let mut bench = Bench::<R, W, E>::new::<S>(16 * E, 40 * E, 0xff);
    bench.with::<S, _>(|store, objects| {
        assert_eq!(objects.layout().chunk as usize, chunk);
        let mut ram = vec![0; objects.layout().upload_size(wanted.len() as u32)];
        let mut upload = objects.create(store, "fw", Some(wanted.len() as u32), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, chunk as u32, &wanted[chunk..]).unwrap();
        objects.write(store, &mut upload, 0, &wanted[..chunk]).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&wanted)), Put::USUAL).unwrap();
    });
    bench.with::<S, _>(|store, objects| assert!(read_all(objects, store, "fw") == Ok(Some(wanted.clone()))));
    assert_eq!((bench.flash.violations(), bench.keys.violations()), (0, 0));
}

#[test]
fn pieces_are_read_in_whole_units() {
    check_units::<1, 1, 4096, Ascon>(512);
    check_units::<16, 16, 4096, Ascon>(512);
    check_units::<32, 32, 8192, Plain>(512);
    check_units::<8, 8, 32768, Ascon>(1024);
    check_units::<32, 32, 32768, Plain>(1024);
}

/// Bytes that the first read after a mount takes for 16 of an object: at most those of two slots.
fn check_what_is_read<S: Suite>(slot: u64, middle: u64) {
    const LENGTH: u32 = 3_000_000;
    let mut bench = Nor::new::<S>(16 * 4096, 1000 * 4096, 0xff);
    bench.with::<S, _>(|store, objects| {
        let mut ram = vec![0; objects.layout().upload_size(LENGTH)];
        let mut upload = objects.create(store, "fw", Some(LENGTH), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &content(3, LENGTH as usize)).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).unwrap();
    });
    for offset in [LENGTH / 2].into_iter().chain((0..LENGTH).step_by(123_457)) {
        bench.with::<S, _>(|store, objects| {
            let before = objects.flash().counts().bytes_read;
            assert_eq!(objects.read(store, "fw", offset / 16 * 16, &mut [0; 16]), Ok(Some(16)));
            let read = objects.flash().counts().bytes_read - before;
            assert!(read <= 2 * slot, "{read} bytes at {offset}");
            assert!(offset != LENGTH / 2 || read == middle, "{read} bytes in the middle");
            // Somewhere else was read before, and the way from the root is another.
            for (from, to) in [(0, LENGTH - 16), (LENGTH - 16, 0)] {
                assert_eq!(objects.read(store, "fw", from, &mut [0; 16]), Ok(Some(16)));
                assert_eq!(objects.read(store, "fw", to, &mut [0; 16]), Ok(Some(16)));
                let before = objects.flash().counts().bytes_read;
                assert_eq!(objects.read(store, "fw", offset / 16 * 16, &mut [0; 16]), Ok(Some(16)));
                let read = objects.flash().counts().bytes_read - before;
                assert!(read <= 2 * slot, "{read} bytes at {offset} after {to}");
            }
        });
    }
}

#[test]
fn reading_the_middle_of_3_mb_reads_two_chunks_at_most() {
    // A chunk, four pieces on the way to it, and three headers of blocks.
    check_what_is_read::<Ascon>(532, 532 + 4 * 88 + 3 * 48);
    check_what_is_read::<Plain>(520, 520 + 4 * 76 + 3 * 36);
}

/// Who reads in small pieces does not read the tables for each.
#[test]
fn what_tables_say_is_kept_between_reads() {
    let mut bench = Histories::of(90, &orders(90)[2].0, false).one;
    let wanted = content(1, 90 * 512 - 100);
    bench.with::<Ascon, _>(|store, objects| {
        let mut bytes = [0; 64];
        let mut read = Vec::new();
        for offset in [4700, 4764, 4828, 9300, 41_500] {
            let before = objects.flash().counts().bytes_read;
            assert_eq!(objects.read(store, "fw", offset as u32, &mut bytes), Ok(Some(64)));
            assert_eq!(bytes[..], wanted[offset..offset + 64]);
            read.push((objects.flash().counts().bytes_read - before) as usize - SLOT);
        }
        // The header of a block is read where the last one does not say where the next is, and none for the root: the manifest
        // says where that is.
        let (one, all, near) = (PIECE + 2 * 48, 3 * PIECE + 2 * 48, 3 * PIECE + 48);
        assert_eq!(
            read,
            [all, 0, 0, one, near],
            "what is read besides the chunk: the pieces that are not the last ones"
        );
    });
}

/// An object that came in order: its tables are cut, or its commit, or a slot does not take them.
#[test]
fn a_finish_in_order_is_cut_anywhere() {
    let wanted = content(4, 65 * 512 + 1);
    let length = Some(wanted.len() as u32);
    let bench = Nor::new::<Ascon>(16 * 4096, 32 * 4096, 0xff);
    for tear in Tear::ALL {
        for at in 0.. {
            let mut torn = bench.clone();
            let power = torn.plug_in();
            torn.flash.set_seed(at);
            let done = torn.with::<Ascon, _>(|store, objects| {
                let mut ram = [0; 800];
                let mut upload = objects.create(store, "fw", length, &mut Fixed(7), &mut ram).unwrap();
                objects.write(store, &mut upload, 0, &wanted).unwrap();
                power.cut_at(at, tear);
                objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&wanted)), Put::USUAL)
            });
            power.cancel_cut();
            power.on();
            torn.with::<Ascon, _>(|store, objects| {
                let mut ram = [0; 800];
                if let Some(mut upload) = objects.resume(store, "fw", &mut ram).unwrap() {
                    assert_eq!(upload.next_missing(0), None, "{at}/{tear}: what was acknowledged is there");
                    objects
                        .finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&wanted)), Put::USUAL)
                        .unwrap_or_else(|error| panic!("{at}/{tear}: {error}"));
                }
                assert!(read_all(objects, store, "fw") == Ok(Some(wanted.clone())), "{at}/{tear}");
            });
            assert_eq!((torn.flash.violations(), torn.keys.violations()), (0, 0), "{at}/{tear}");
            if done.is_ok() {
                assert!(at > 5, "{tear}: two tables and a commit");
                break;
            }
        }
    }
}

/// The block where the tables are to go takes nothing.
#[test]
fn tables_go_elsewhere_when_a_slot_does_not_take_them() {
    for (chunks, bad) in [(28, 4), (66, 9)] {
        for (order, _) in orders(chunks) {
            let mut bench = Nor::new::<Ascon>(16 * 4096, 32 * 4096, 0xff);
            let wanted = content(1, chunks * 512);
            bench.with::<Ascon, _>(|store, objects| {
                let mut ram = [0; 800];
                let length = Some(wanted.len() as u32);
                let mut upload = objects.create(store, "fw", length, &mut Fixed(7), &mut ram).unwrap();
                for chunk in order {
                    let piece = &wanted[chunk * 512..][..512];
                    objects.write(store, &mut upload, chunk as u32 * 512, piece).unwrap();
                }
                objects.flash().fail_block(bad, BlockFault::ProgramFails);
                objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&wanted)), Put::USUAL).unwrap();
                assert_eq!(read_all(objects, store, "fw"), Ok(Some(wanted.clone())));
            });
        }
    }
}
