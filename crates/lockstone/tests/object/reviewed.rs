//! What a hostile reviewer tried: each of these failed once.
#![allow(
    clippy::cast_lossless,
    clippy::too_many_lines,
    clippy::items_after_statements,
    clippy::drop_non_drop,
    clippy::single_range_in_vec_init
)]

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockstone::{Ascon, Attributes, Cursor, ObjectError, Objects, Plain, Put, Store};
use lockstone_sim::{BlockFault, SimError, SimFlash, Tear};
use lockstone_torture::{Fixed, root};
use sha2::Sha256;

use super::{Bench, Keys, content, missing, read_all, sha};

type Nor = Bench<4, 4, 4096>;

fn bench() -> Nor {
    Nor::new::<Ascon>(16 * 4096, 32 * 4096, 0xff)
}

/// An object of open length whose chunks came out of order, finished but refused; power; finished again.
#[test]
fn tables_are_no_content() {
    let mut bench = bench();
    let wanted = content(1, 1024);
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "log", None, &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 512, &wanted[512..]).unwrap();
        objects.write(store, &mut upload, 0, &wanted[..512]).unwrap();
        // As a cut before the commit: tables are there, the manifest is not.
        let refused = objects.finish::<Sha256, _, _>(store, &mut upload, "log", Some(&[0; 32]), Put::USUAL);
        assert_eq!(refused, Err(ObjectError::WrongDigest));
    });
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.resume(store, "log", &mut ram).unwrap().unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "log", None, Put::USUAL).unwrap();
        let seen = read_all(objects, store, "log").unwrap().unwrap();
        assert_eq!(seen.len(), wanted.len(), "a table became content");
        assert_eq!(seen, wanted);
    });
}

/// A chunk from the line that was wrong, replaced by the right one; the attacker puts the wrong one back.
#[test]
fn a_chunk_that_was_replaced_does_not_come_back() {
    let mut bench = bench();
    let (good, evil) = (content(1, 1024), vec![0xee; 512]);
    let sealed = bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(1024), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &evil).unwrap();
        objects.write(store, &mut upload, 512, &good[512..]).unwrap();
        let wrong = objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&good)), Put::USUAL);
        assert_eq!(wrong, Err(ObjectError::WrongDigest));
        // The attacker at the flash keeps the slot and spoils it.
        let at = 48;
        let sealed = objects.flash().data()[at..at + 532].to_vec();
        objects.flash().data_mut()[at + 100] ^= 1;
        let lost = objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&good)), Put::USUAL);
        assert_eq!(lost, Err(ObjectError::Incomplete));
        objects.write(store, &mut upload, 0, &good[..512]).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&good)), Put::USUAL).unwrap();
        assert_eq!(read_all(objects, store, "fw"), Ok(Some(good.clone())));
        sealed
    });
    // Anywhere.
    for slot in 0..7 {
        let mut changed = bench.clone();
        let at = 48 + slot * 532;
        changed.flash.data_mut()[at..at + 532].copy_from_slice(&sealed);
        changed.with::<Ascon, _>(|store, objects| {
            let mut bytes = [0; 1024];
            match objects.read(store, "fw", 0, &mut bytes) {
                Ok(Some(_)) => assert!(bytes[..] == good[..], "slot {slot}: a chunk that never was part of the object"),
                Err(ObjectError::Damaged) => {}
                other => panic!("{other:?}"),
            }
        });
    }
}

/// One block whose programs fail; the others are fine.
#[test]
fn a_block_that_takes_no_program_is_passed_by() {
    for bad in 0..4 {
        let mut bench = bench();
        bench.flash.fail_block(bad, BlockFault::ProgramFails);
        let wanted = content(1, 14_000);
        bench.with::<Ascon, _>(|store, objects| {
            let mut ram = [0; 800];
            let mut upload = objects.create(store, "fw", Some(14_000), &mut Fixed(7), &mut ram).unwrap();
            let mut tries = 0;
            while let Some(gap) = upload.next_missing(0) {
                let end = (gap.start + 512).min(14_000);
                let _ = objects.write(store, &mut upload, gap.start, &wanted[gap.start as usize..end as usize]);
                tries += 1;
                assert!(tries < 200, "block {bad}: no progress, {gap:?} is missing for ever");
            }
            objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).unwrap();
        });
    }
}

/// A block with a header and no slot can't be erased any more.
#[test]
fn a_stale_block_that_fails_takes_nothing_along() {
    let mut bench = bench();
    let wanted = content(1, 14_000);
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(14_000), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &wanted[..3584]).unwrap();
        // Erase, header, and the slot is cut.
        objects.flash().cut_at(2, Tear::Absent);
        assert!(objects.write(store, &mut upload, 3584, &wanted[3584..4096]).is_err());
        objects.flash().power_on();
    });
    bench.flash.fail_block(1, BlockFault::EraseFails);
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.resume(store, "fw", &mut ram).unwrap().unwrap();
        objects.write(store, &mut upload, 3584, &wanted[3584..5120]).unwrap();
        assert_eq!(missing(&upload), [5120..14_000]);
    });
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let upload = objects.resume(store, "fw", &mut ram).unwrap().unwrap();
        assert_eq!(missing(&upload), [5120..14_000], "what was acknowledged is there");
    });
}

/// The header of a block is torn so that it reads well now and then: here at the mount, not at the resume, and later again.
#[test]
fn a_marginal_header_takes_nothing_along() {
    let wanted = content(1, 14_000);
    let mut bench = bench();
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(14_000), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &wanted[..3584]).unwrap();
        objects.flash().cut_at(1, Tear::Whole);
        assert!(objects.write(store, &mut upload, 3584, &wanted[3584..4096]).is_err());
        objects.flash().power_on();
    });
    let marginal = (4096 + 20) * 8;
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        objects.flash().flip_bit(marginal);
        let mut upload = objects.resume(store, "fw", &mut ram).unwrap().unwrap();
        objects.write(store, &mut upload, 3584, &wanted[3584..5120]).unwrap();
        if objects.flash().data()[4096..4100] == *b"LKOB" {
            objects.flash().flip_bit(marginal);
        }
    });
    bench.with::<Ascon, _>(|store, objects| {
        let gaps = missing(&objects.resume(store, "fw", &mut [0; 800]).unwrap().unwrap());
        assert_eq!(gaps, [5120..14_000], "what was acknowledged is there");
    });
}

/// Two handles of one upload.
#[test]
fn two_handles_do_not_program_twice() {
    let mut bench = bench();
    bench.with::<Ascon, _>(|store, objects| {
        let (mut one, mut two) = ([0; 800], [0; 800]);
        let mut first = objects.create(store, "fw", Some(5000), &mut Fixed(7), &mut one).unwrap();
        objects.write(store, &mut first, 2048, &[4; 512]).unwrap();
        let mut second = objects.resume(store, "fw", &mut two).unwrap().unwrap();
        objects.write(store, &mut first, 0, &[1; 512]).unwrap();
        let _ = objects.write(store, &mut second, 512, &[2; 512]);
        let _ = objects.write(store, &mut first, 1024, &[3; 512]);
    });
    assert_eq!(bench.flash.violations(), 0, "{:?}", bench.flash.first_violation());
}

/// An object of open length is resumed with less RAM than it was written with.
#[test]
fn too_little_ram_is_said() {
    let mut bench = bench();
    let wanted = content(1, 20 * 512);
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "log", None, &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &wanted).unwrap();
    });
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 533];
        let Ok(Some(mut upload)) = objects.resume(store, "log", &mut ram) else { return };
        let done = objects.finish::<Sha256, _, _>(store, &mut upload, "log", None, Put::USUAL);
        assert!(done.is_err(), "an object of {} bytes was made of {}", done.unwrap().length, wanted.len());
    });
}

/// The end of an object of open length is not where it was written last.
#[test]
fn an_end_that_was_written_is_not_dropped() {
    let mut bench = bench();
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "log", None, &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &[1; 600]).unwrap();
        // A driver error, or a cut of the flash alone: the caller tries again.
        objects.flash().cut_at(0, Tear::Absent);
        assert!(objects.write(store, &mut upload, 600, &[2; 500]).is_err());
        objects.flash().power_on();
        objects.write(store, &mut upload, 600, &[2; 500]).unwrap();
        let done = objects.finish::<Sha256, _, _>(store, &mut upload, "log", None, Put::USUAL);
        assert!(done.is_err(), "1,100 bytes were written, {} are committed", done.unwrap().length);
    });
}

/// A refused end changes nothing.
#[test]
fn a_refused_finish_of_open_length_can_go_on() {
    let mut bench = bench();
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "log", None, &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 512, &[1; 600]).unwrap();
        let refused = objects.finish::<Sha256, _, _>(store, &mut upload, "log", None, Put::USUAL);
        assert_eq!(refused, Err(ObjectError::Incomplete));
        assert_eq!(objects.write(store, &mut upload, 0, &[1; 512]), Ok(()));
        assert_eq!(objects.write(store, &mut upload, 1024, &[1; 600]), Ok(()), "nothing was changed");
    });
}

/// Cut between the commit and the end of the note; then the object is deleted.
#[test]
fn what_was_deleted_does_not_come_back() {
    let wanted = content(1, 2000);
    let mut tried = 0;
    for at in 0..12 {
        let mut cut = Nor::new::<Ascon>(16 * 4096, 32 * 4096, 0xff);
        let power = cut.plug_in();
        let done = cut.with::<Ascon, _>(|store, objects| {
            let mut ram = [0; 800];
            let mut upload = objects.create(store, "fw", Some(2000), &mut Fixed(7), &mut ram).unwrap();
            objects.write(store, &mut upload, 0, &wanted).unwrap();
            power.cut_at(at, Tear::Absent);
            objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).is_ok()
        });
        power.cancel_cut();
        power.on();
        cut.with::<Ascon, _>(|store, objects| {
            if done || objects.manifest(store, "fw").unwrap().is_none() {
                return;
            }
            tried += 1;
            let (mut cursor, mut name) = (Cursor::new(), [0; 255]);
            let listed = objects.next_upload(store, &mut cursor, &mut name).unwrap();
            assert_eq!(store.delete("fw"), Ok(true));
            let back = objects.resume(store, "fw", &mut [0; 800]).unwrap().map(|upload| upload.present());
            assert_eq!(back, None, "cut {at}: deleted, and its content is there; listed as unfinished: {listed:?}");
        });
    }
}

/// Names that don't fit into one record.
#[test]
fn long_names_of_uploads_are_whole() {
    let mut bench = bench();
    let name = "n".repeat(255);
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        objects.create(store, name.as_str(), Some(2000), &mut Fixed(7), &mut ram).unwrap();
        let (mut cursor, mut bytes) = (Cursor::new(), [0; 255]);
        let seen = objects.next_upload(store, &mut cursor, &mut bytes).unwrap().unwrap();
        assert_eq!(seen.name, 255);
    });
}

/// Nothing behind the end is served.
#[test]
fn read_upload_ends_at_the_end() {
    let mut bench = bench();
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(600), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &[1; 600]).unwrap();
        let past = objects.read_upload(store, &mut upload, 0, &mut [9; 1024]);
        assert!(past.is_err(), "424 bytes that nobody wrote");
    });
}

/// A block that can't be erased does not keep the others from being reclaimed.
#[test]
fn reclaim_goes_on_behind_a_bad_block() {
    let mut bench = bench();
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(14_000), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &content(1, 14_000)).unwrap();
        objects.flash().fail_block(0, BlockFault::EraseFails);
        let _ = objects.abort(store, "fw");
        for _ in 0..3 {
            let _ = objects.reclaim(store);
        }
        assert!(objects.flash().data()[4096..].iter().all(|byte| *byte == 0xff), "the rest is erased");
    });
}

/// A bad block and a torn header: still our volume.
#[test]
fn a_bad_block_and_a_torn_header_are_no_foreign_volume() {
    let mut bench = bench();
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(14_000), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &content(1, 14_000)).unwrap();
        objects.flash().fail_block(0, BlockFault::EraseLeavesBits);
        objects.flash().fail_block(1, BlockFault::EraseLeavesBits);
        let _ = objects.abort(store, "fw");
    });
    let mut memory = Keys::new();
    let mut store = Store::<_, Ascon>::mount(&mut bench.keys, bench.part, &root(), &mut memory).unwrap();
    let opened = Objects::<_, Ascon>::open(&mut bench.flash, bench.part, &mut store, &mut [0; 1100]).map(drop);
    assert_eq!(opened, Ok(()), "two bad blocks, nothing else");
}

/// Flash whose reads at one place fail, so many times.
struct Busy<'f> {
    flash: &'f mut SimFlash<4, 4, 4096>,
    at: u32,
    fails: u32,
}

impl ErrorType for Busy<'_> {
    type Error = SimError;
}

impl ReadNorFlash for Busy<'_> {
    const READ_SIZE: usize = 4;
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        if self.at == offset && self.fails > 0 {
            self.fails -= 1;
            return Err(SimError::Ecc);
        }
        self.flash.read(offset, bytes)
    }
    fn capacity(&self) -> usize {
        SimFlash::capacity(self.flash)
    }
}

impl NorFlash for Busy<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.flash.erase(from, to)
    }
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.flash.write(offset, bytes)
    }
}

/// One read that fails once costs no live object.
#[test]
fn one_failed_read_erases_no_live_block() {
    let mut bench = bench();
    let wanted = content(1, 14_000);
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(14_000), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &wanted).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).unwrap();
    });
    {
        let mut memory = Keys::new();
        let mut buffer = [0; 2048];
        let mut store = Store::<_, Ascon>::mount(&mut bench.keys, bench.part, &root(), &mut memory).unwrap();
        let flash = Busy { flash: &mut bench.flash, at: 4096, fails: 0 };
        let mut objects = Objects::<_, Ascon>::open(flash, bench.part, &mut store, &mut buffer).unwrap();
        objects.flash().fails = 1;
        let _ = objects.reclaim(&mut store);
    }
    assert_eq!(bench.with::<Ascon, _>(|store, objects| read_all(objects, store, "fw")), Ok(Some(wanted)));
}

/// A stuck generator and an attacker: the identity of the live object is not given to another.
#[test]
fn a_stuck_generator_gives_no_identity_twice() {
    let mut bench = bench();
    let (old, new) = (vec![1; 1024], vec![2; 1024]);
    let write = |bench: &mut Nor, text: &[u8]| {
        bench.with::<Ascon, _>(|store, objects| {
            let mut ram = [0; 800];
            let mut upload = objects.create(store, "fw", Some(1024), &mut Fixed(7), &mut ram).unwrap();
            objects.write(store, &mut upload, 0, text).unwrap();
            objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).unwrap();
        });
    };
    write(&mut bench, &old);
    let kept = bench.flash.data()[..4096].to_vec();
    // The attacker takes the block away for a moment.
    bench.flash.data_mut()[..4096].fill(0xff);
    write(&mut bench, &new);
    // And puts one slot of the old one into the new one.
    for block in 0..32 {
        if bench.flash.data()[block * 4096..][..4] == *b"LKOB" {
            let at = block * 4096 + 48;
            bench.flash.data_mut()[at..at + 532].copy_from_slice(&kept[48..48 + 532]);
        }
    }
    bench.with::<Ascon, _>(|store, objects| {
        let mut bytes = [0; 1024];
        match objects.read(store, "fw", 0, &mut bytes) {
            Ok(_) => assert_eq!(bytes[..], new[..], "a mixture"),
            Err(error) => assert_eq!(error, ObjectError::Damaged),
        }
    });
}

/// A change of the key says of an object that it can't come along, or it comes along.
#[test]
fn resealing_does_not_silently_lose_objects() {
    let mut bench = bench();
    let mut other = Nor::new::<Plain>(16 * 4096, 32 * 4096, 0xff);
    let mut memory = Keys::new();
    let lost = bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(1024), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &[1; 1024]).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).unwrap();
        let mut target =
            Store::<_, Ascon>::format(&mut other.keys, other.part, &root(), &mut Fixed(5), &mut memory).unwrap();
        let done = store.reseal_into(&mut target, &mut [0; 500], |_, _| {});
        done.is_ok() && target.attributes_of("fw").unwrap().is_some_and(Attributes::is_object)
    });
    assert!(!lost, "the manifest was copied, what it stands for can't be read with the new key");
}

/// A written-once object whose finish is told an error after the commit.
#[test]
fn a_finish_that_was_told_an_error_can_be_called_again() {
    for at in 0..10 {
        let mut bench = bench();
        let power = bench.plug_in();
        bench.with::<Ascon, _>(|store, objects| {
            let mut ram = [0; 800];
            let mut upload = objects.create(store, "fw", Some(1024), &mut Fixed(7), &mut ram).unwrap();
            objects.write(store, &mut upload, 0, &[1; 1024]).unwrap();
            let how = Put::with(Attributes::WRITE_ONCE.and(Attributes::DANGER_REPLAYABLE));
            power.cut_at(at, Tear::Absent);
            let first = objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, how);
            power.cancel_cut();
            power.on();
            if first.is_err() {
                let again = objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, how);
                assert!(again.is_ok(), "error at {at}, then {again:?}");
            }
        });
    }
}

/// The note may be written though the store said that it failed: then more is written, and power goes.
#[test]
fn a_length_that_failed_to_be_noted_does_not_cut_the_end_off() {
    let wanted = content(1, 2048);
    for at in 0..4 {
        for tear in [Tear::Whole, Tear::Absent] {
            let mut bench = bench();
            let power = bench.plug_in();
            bench.with::<Ascon, _>(|store, objects| {
                let mut ram = [0; 800];
                let mut upload = objects.create(store, "log", None, &mut Fixed(7), &mut ram).unwrap();
                objects.write(store, &mut upload, 0, &wanted[..600]).unwrap();
                power.cut_at(at, tear);
                let first = objects.finish::<Sha256, _, _>(store, &mut upload, "log", None, Put::USUAL);
                power.cancel_cut();
                power.on();
                if first.is_ok() {
                    return;
                }
                if objects.write(store, &mut upload, 600, &wanted[600..]).is_err() {
                    return;
                }
                drop(upload);
                let mut ram = [0; 800];
                let Some(mut upload) = objects.resume(store, "log", &mut ram).unwrap() else { return };
                if upload.present() >= 600 && upload.next_missing(0).is_none() {
                    let done = objects.finish::<Sha256, _, _>(store, &mut upload, "log", None, Put::USUAL);
                    if let Ok(done) = done {
                        assert_eq!(done.length % 512, 0, "cut {at} {tear}: {} bytes of 2048", done.length);
                        assert!(done.length >= 2048, "cut {at} {tear}: {} bytes of 2048", done.length);
                    }
                }
            });
        }
    }
}

/// The handle of an object that was given up, by whatever way, while its blocks went to another.
#[test]
fn a_handle_of_what_was_given_up_touches_nothing() {
    for (aborted, key, before) in [(true, "b", 11_264), (true, "b", 512), (false, "a", 11_264)] {
        let mut bench = Nor::new::<Ascon>(16 * 4096, 4 * 4096, 0xff);
        let (old, new) = (content(1, 12_000), content(2, 12_000));
        bench.with::<Ascon, _>(|store, objects| {
            let (mut one, mut other) = ([0; 800], [0; 800]);
            let mut stale = objects.create(store, "a", Some(12_000), &mut Fixed(7), &mut one).unwrap();
            objects.write(store, &mut stale, 0, &old[..1536]).unwrap();
            if aborted {
                assert_eq!(objects.abort(store, "a"), Ok(true));
            }
            let mut upload = objects.create(store, key, Some(12_000), &mut Fixed(8), &mut other).unwrap();
            objects.write(store, &mut upload, 0, &new[..before]).unwrap();
            assert_eq!(objects.write(store, &mut stale, 8192, &old[8192..9216]), Err(ObjectError::GivenUp));
            objects.write(store, &mut upload, 0, &new).unwrap();
            objects.finish::<Sha256, _, _>(store, &mut upload, key, Some(&sha(&new)), Put::USUAL).unwrap();
            assert_eq!(read_all(objects, store, key), Ok(Some(new.clone())));
        });
        assert_eq!(bench.flash.violations(), 0, "{aborted} {before}: {:?}", bench.flash.first_violation());
    }
}

/// Chunks came out of order, so `finish` writes tables. The session ends there all the same: a chunk that is written again, and was
/// refused before, is not sealed as it was then.
#[test]
fn refused_content_does_not_come_back_after_tables() {
    let mut bench = bench();
    let (good, evil) = (content(1, 1536), vec![0xee; 512]);
    let sealed = bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(1536), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 512, &good[512..1024]).unwrap();
        objects.write(store, &mut upload, 0, &evil).unwrap();
        objects.write(store, &mut upload, 1024, &good[1024..]).unwrap();
        let wrong = objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&good)), Put::USUAL);
        assert_eq!(wrong, Err(ObjectError::WrongDigest));
        // The attacker at the flash keeps the slot and spoils it.
        let at = 48 + 532;
        let sealed = objects.flash().data()[at..at + 532].to_vec();
        objects.flash().data_mut()[at + 100] ^= 1;
        let lost = objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&good)), Put::USUAL);
        assert_eq!(lost, Err(ObjectError::Incomplete));
        objects.write(store, &mut upload, 0, &good[..512]).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&good)), Put::USUAL).unwrap();
        assert_eq!(read_all(objects, store, "fw"), Ok(Some(good.clone())));
        sealed
    });
    // Anywhere.
    for slot in 0..14 {
        let mut changed = bench.clone();
        let to = slot / 7 * 4096 + 48 + slot % 7 * 532;
        changed.flash.data_mut()[to..to + 532].copy_from_slice(&sealed);
        changed.with::<Ascon, _>(|store, objects| {
            let mut bytes = [0; 1536];
            match objects.read(store, "fw", 0, &mut bytes) {
                Ok(Some(_)) => assert!(bytes[..] == good[..], "slot {slot}: a chunk that never was part of the object"),
                Err(ObjectError::Damaged) => {}
                other => panic!("{other:?}"),
            }
        });
    }
}

/// The same with two tables: the older one, put back, would lead to a refused chunk of an earlier session.
#[test]
fn a_table_of_a_refused_finish_does_not_come_back() {
    let mut bench = bench();
    let (good, evil) = (content(1, 1536), vec![0xee; 512]);
    let (sealed, kept) = bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(1536), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 512, &good[512..1024]).unwrap();
        objects.write(store, &mut upload, 0, &evil).unwrap();
        drop(upload);
        let at = 48 + 532;
        let sealed = objects.flash().data()[at..at + 532].to_vec();
        objects.flash().data_mut()[at + 100] ^= 1;
        let mut upload = objects.resume(store, "fw", &mut ram).unwrap().unwrap();
        assert_eq!(missing(&upload), [0..512, 1024..1536]);
        objects.write(store, &mut upload, 0, &good[..512]).unwrap();
        objects.write(store, &mut upload, 1024, &good[1024..]).unwrap();
        // Spoilt for a moment: the slot of the good chunk says nothing, and the table names the evil one.
        objects.flash().data_mut()[at + 100] ^= 1;
        let data = objects.flash().data().to_vec();
        let place = (0..7).rev().find(|slot| data[48 + slot * 532] == 0 && data[48 + slot * 532 + 1] == 0).unwrap();
        objects.flash().data_mut()[48 + place * 532 + 100] ^= 1;
        let wrong = objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&good)), Put::USUAL);
        assert_eq!(wrong, Err(ObjectError::WrongDigest));
        let kept = objects.flash().data().to_vec();
        objects.flash().data_mut()[48 + place * 532 + 100] ^= 1;
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&good)), Put::USUAL).unwrap();
        assert_eq!(read_all(objects, store, "fw"), Ok(Some(good.clone())));
        (sealed, kept)
    });
    let place = |slot: usize| slot / 7 * 4096 + 48 + slot % 7 * 532;
    for slot in 0..14 {
        for from in 0..14 {
            let mut changed = bench.clone();
            changed.flash.data_mut()[place(1)..place(1) + 532].copy_from_slice(&sealed);
            changed.flash.data_mut()[place(slot)..place(slot) + 532]
                .copy_from_slice(&kept[place(from)..place(from) + 532]);
            changed.with::<Ascon, _>(|store, objects| {
                let mut bytes = [0; 1536];
                match objects.read(store, "fw", 0, &mut bytes) {
                    Ok(Some(_)) => assert!(bytes[..] == good[..], "slot {slot} <- {from}: refused content is served"),
                    Err(ObjectError::Damaged) => {}
                    other => panic!("{other:?}"),
                }
            });
        }
    }
}

/// An open length, a finish that failed, and more of them: what was accepted is there, or said to be missing, and can be written
/// again.
#[test]
fn a_finish_that_is_called_again_cuts_nothing_off() {
    let mut missed = 0;
    for at in 0..8 {
        for tear in Tear::ALL {
            let mut bench = bench();
            let power = bench.plug_in();
            bench.with::<Ascon, _>(|store, objects| {
                let mut ram = [0; 800];
                let mut upload = objects.create(store, "log", None, &mut Fixed(7), &mut ram).unwrap();
                objects.write(store, &mut upload, 0, &[1; 600]).unwrap();
                power.cut_at(at, tear);
                let first = objects.finish::<Sha256, _, _>(store, &mut upload, "log", None, Put::USUAL);
                power.cancel_cut();
                power.on();
                if first.is_ok() {
                    return;
                }
                for _ in 0..3 {
                    match objects.finish::<Sha256, _, _>(store, &mut upload, "log", None, Put::USUAL) {
                        Ok(manifest) => return assert_eq!(manifest.length, 600, "{tear} {at}"),
                        Err(error) => {
                            assert_eq!((error, missing(&upload)), (ObjectError::Incomplete, vec![512..600]));
                            missed += 1;
                        }
                    }
                }
                objects.write(store, &mut upload, 512, &[1; 88]).unwrap();
                let last = objects.finish::<Sha256, _, _>(store, &mut upload, "log", None, Put::USUAL);
                assert_eq!(last.map(|manifest| manifest.length), Ok(600), "{tear} {at}");
                assert_eq!(read_all(objects, store, "log"), Ok(Some(vec![1; 600])));
            });
        }
    }
    assert!(missed > 20, "{missed}");
}

/// The end of an open length is forgotten by bytes elsewhere, as `write` says: so it's missing.
#[test]
fn a_forgotten_end_of_open_length_is_missing() {
    let mut bench = bench();
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "log", None, &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 512, &[1; 88]).unwrap();
        assert_eq!(missing(&upload), [0..600]);
        objects.write(store, &mut upload, 0, &[1; 512]).unwrap();
        let refused = objects.finish::<Sha256, _, _>(store, &mut upload, "log", None, Put::USUAL);
        assert_eq!((refused, missing(&upload)), (Err(ObjectError::Incomplete), vec![512..600]));
        objects.write(store, &mut upload, 512, &[1; 88]).unwrap();
        assert_eq!(missing(&upload), []);
        let done = objects.finish::<Sha256, _, _>(store, &mut upload, "log", None, Put::USUAL);
        assert_eq!(done.map(|manifest| manifest.length), Ok(600));
    });
}

/// The same with two handles and no fault at all.
#[test]
fn another_handle_cuts_nothing_off() {
    let mut bench = bench();
    bench.with::<Ascon, _>(|store, objects| {
        let (mut one, mut two) = ([0; 800], [0; 800]);
        let mut first = objects.create(store, "log", None, &mut Fixed(7), &mut one).unwrap();
        objects.write(store, &mut first, 0, &[1; 600]).unwrap();
        let mut second = objects.resume(store, "log", &mut two).unwrap().unwrap();
        objects.write(store, &mut second, 512, &[1; 10]).unwrap();
        let done = objects.finish::<Sha256, _, _>(store, &mut first, "log", None, Put::USUAL);
        assert_eq!((done, missing(&first)), (Err(ObjectError::Incomplete), vec![512..600]));
        objects.write(store, &mut first, 512, &[1; 88]).unwrap();
        let done = objects.finish::<Sha256, _, _>(store, &mut first, "log", None, Put::USUAL);
        assert_eq!(done.map(|manifest| manifest.length), Ok(600));
    });
}

/// Begun anew, as `create` says: the first is given up.
#[test]
fn what_was_given_up_is_not_committed() {
    let mut bench = bench();
    let (old, new) = (content(1, 1024), content(2, 1024));
    bench.with::<Ascon, _>(|store, objects| {
        let (mut one, mut two) = ([0; 800], [0; 800]);
        let mut first = objects.create(store, "fw", Some(1024), &mut Fixed(7), &mut one).unwrap();
        objects.write(store, &mut first, 0, &old).unwrap();
        // Begun anew: the first is given up, says `create`.
        let mut second = objects.create(store, "fw", Some(1024), &mut Fixed(8), &mut two).unwrap();
        objects.write(store, &mut second, 0, &new[..512]).unwrap();
        let done = objects.finish::<Sha256, _, _>(store, &mut first, "fw", None, Put::USUAL);
        let left = objects.resume(store, "fw", &mut [0; 800]).unwrap().map(|upload| upload.present());
        assert_eq!(done.map(|manifest| manifest.length), Err(ObjectError::GivenUp), "unfinished then: {left:?}");
    });
}

/// A handle that was finished once, and its object replaced.
#[test]
fn a_newer_object_is_not_replaced_by_an_older_one() {
    let mut bench = bench();
    let (old, new) = (content(1, 1024), content(2, 1024));
    bench.with::<Ascon, _>(|store, objects| {
        let (mut one, mut two) = ([0; 800], [0; 800]);
        let mut first = objects.create(store, "fw", Some(1024), &mut Fixed(7), &mut one).unwrap();
        objects.write(store, &mut first, 512, &old[512..]).unwrap();
        objects.write(store, &mut first, 0, &old[..512]).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut first, "fw", None, Put::USUAL).unwrap();
        let mut second = objects.create(store, "fw", Some(1024), &mut Fixed(8), &mut two).unwrap();
        objects.write(store, &mut second, 0, &new).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut second, "fw", None, Put::USUAL).unwrap();
        let again = objects.finish::<Sha256, _, _>(store, &mut first, "fw", None, Put::USUAL);
        assert!(
            read_all(objects, store, "fw") == Ok(Some(new)),
            "{:?}: the older one is back",
            again.map(|m| m.length)
        );
    });
}

/// Programs fail in a block, the next one is opened, and power goes: what is written then is found where it is.
#[test]
fn a_block_that_was_opened_before_a_cut_takes_nothing_along() {
    let wanted = content(1, 14_000);
    let mut bad = Vec::new();
    for (erase_fails, mended) in [(false, false), (false, true), (true, false), (true, true)] {
        for at in 2..8 {
            let mut bench = bench();
            bench.with::<Ascon, _>(|store, objects| {
                let mut ram = [0; 800];
                let mut upload = objects.create(store, "fw", Some(14_000), &mut Fixed(7), &mut ram).unwrap();
                objects.write(store, &mut upload, 0, &wanted[..1024]).unwrap();
                objects.flash().fail_block(0, BlockFault::ProgramFails);
                objects.flash().cut_at(at, Tear::Absent);
                let _ = objects.write(store, &mut upload, 1024, &wanted[1024..1536]);
                objects.flash().cancel_cut();
                objects.flash().power_on();
            });
            if mended {
                bench.flash.clear_faults();
            }
            if erase_fails {
                bench.flash.fail_block(1, BlockFault::EraseFails);
            }
            let mut said = None;
            bench.with::<Ascon, _>(|store, objects| {
                let mut ram = [0; 800];
                let mut upload = objects.resume(store, "fw", &mut ram).unwrap().unwrap();
                let from = upload.next_missing(0).unwrap().start as usize;
                let result = objects.write(store, &mut upload, from as u32, &wanted[from..from + 1024]);
                if result.is_err() {
                    bad.push((erase_fails, mended, at, format!("{result:?}")));
                } else {
                    said = Some(from + 1024);
                    let mut read = vec![0; 1024];
                    let back = objects.read_upload(store, &mut upload, from as u32, &mut read);
                    if back.is_err() {
                        bad.push((erase_fails, mended, at, format!("acknowledged, and read back: {back:?}")));
                    }
                }
            });
            if let Some(end) = said {
                bench.with::<Ascon, _>(|store, objects| {
                    let upload = objects.resume(store, "fw", &mut [0; 800]).map(|u| missing(&u.unwrap()));
                    let gap = upload.unwrap().first().cloned();
                    if gap != Some(end as u32..14_000) {
                        bad.push((erase_fails, mended, at, format!("acknowledged to {end}, missing {gap:?}")));
                    }
                });
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

/// A flash of which one block fails: it says that the program failed (though the bits are there), and that the erase failed.
struct Dying<'f> {
    flash: &'f mut SimFlash<4, 4, 4096>,
    block: u32,
    erases: u32,
    marginal: bool,
}

impl ErrorType for Dying<'_> {
    type Error = SimError;
}

impl ReadNorFlash for Dying<'_> {
    const READ_SIZE: usize = 4;
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.flash.read(offset, bytes)?;
        // A marginal bit of its header.
        if offset == self.block * 4096 && bytes[..4] == *b"LKOB" && self.marginal {
            bytes[20] ^= 1;
        }
        Ok(())
    }
    fn capacity(&self) -> usize {
        SimFlash::capacity(self.flash)
    }
}

impl NorFlash for Dying<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        if from / 4096 == self.block {
            if self.erases == 0 {
                return Err(SimError::EraseFailed);
            }
            self.erases -= 1;
        }
        self.flash.erase(from, to)
    }
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.flash.write(offset, bytes)?;
        if offset / 4096 == self.block { Err(SimError::ProgramFailed) } else { Ok(()) }
    }
}

/// A block that says that it failed, and reads as the object's later, hides no other.
#[test]
fn a_dying_block_takes_no_committed_object_along() {
    let mut bench = bench();
    let wanted = content(1, 7000);
    {
        let mut memory = Keys::new();
        let mut buffer = [0; 2048];
        let mut store = Store::<_, Ascon>::mount(&mut bench.keys, bench.part, &root(), &mut memory).unwrap();
        let flash = Dying { flash: &mut bench.flash, block: 1, erases: 1, marginal: true };
        let mut objects = Objects::<_, Ascon>::open(flash, bench.part, &mut store, &mut buffer).unwrap();
        let mut ram = [0; 800];
        let mut upload = objects.create(&mut store, "fw", Some(7000), &mut Fixed(7), &mut ram).unwrap();
        objects.write(&mut store, &mut upload, 0, &wanted).unwrap();
        objects.finish::<Sha256, _, _>(&mut store, &mut upload, "fw", Some(&sha(&wanted)), Put::USUAL).unwrap();
    }
    let read = bench.with::<Ascon, _>(|store, objects| read_all(objects, store, "fw"));
    assert!(read == Ok(Some(wanted)), "committed with its digest verified: {:?}", read.map(|_| ()));
}

/// The same while it's unfinished.
#[test]
fn a_dying_block_takes_no_acknowledged_chunk_along() {
    let mut bench = bench();
    let wanted = content(1, 14_000);
    {
        let mut memory = Keys::new();
        let mut buffer = [0; 2048];
        let mut store = Store::<_, Ascon>::mount(&mut bench.keys, bench.part, &root(), &mut memory).unwrap();
        let flash = Dying { flash: &mut bench.flash, block: 1, erases: 1, marginal: false };
        let mut objects = Objects::<_, Ascon>::open(flash, bench.part, &mut store, &mut buffer).unwrap();
        let mut ram = [0; 800];
        let mut upload = objects.create(&mut store, "fw", Some(14_000), &mut Fixed(7), &mut ram).unwrap();
        objects.write(&mut store, &mut upload, 0, &wanted[..7168]).unwrap();
    }
    let gaps =
        bench.with::<Ascon, _>(|store, objects| missing(&objects.resume(store, "fw", &mut [0; 800]).unwrap().unwrap()));
    assert_eq!(gaps, [7168..14_000], "what was acknowledged is there");
}

/// A driver that failed for a moment: the object reads as damaged then, and no longer.
#[test]
fn an_object_is_damaged_no_longer_than_its_flash_fails() {
    let mut bench = bench();
    let wanted = content(1, 7000);
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(7000), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &wanted).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).unwrap();
    });
    let mut memory = Keys::new();
    let mut buffer = [0; 2048];
    let mut store = Store::<_, Ascon>::mount(&mut bench.keys, bench.part, &root(), &mut memory).unwrap();
    let flash = Busy { flash: &mut bench.flash, at: 4096, fails: 0 };
    let mut objects = Objects::<_, Ascon>::open(flash, bench.part, &mut store, &mut buffer).unwrap();
    let mut bytes = [0; 512];
    objects.flash().fails = 8;
    assert_eq!(objects.read(&mut store, "fw", 4096, &mut bytes), Err(ObjectError::Damaged));
    assert_eq!(objects.read(&mut store, "fw", 4096, &mut bytes), Ok(Some(512)));
    assert_eq!(bytes, wanted[4096..4608]);
}

/// CRC-32C of nothing but these bytes, as it's changed by flipped bits.
fn flipped_crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0x82f6_3b78 })
    })
}

/// Whoever can write to a store without secrets can make a manifest say anything, with a checksum that is right.
#[test]
fn a_manifest_of_any_numbers_is_survived() {
    let mut bench = Nor::new::<Plain>(16 * 4096, 32 * 4096, 0xff);
    let wanted = content(1, 7000);
    bench.with::<Plain, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(7000), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 512, &wanted[512..1024]).unwrap();
        objects.write(store, &mut upload, 0, &wanted).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).unwrap();
    });
    let digest = sha(&wanted);
    let data = bench.keys.data().to_vec();
    let manifest = data.windows(32).position(|bytes| bytes == digest).unwrap() - 24;
    let mut forged = 0;
    // Length, a block, slot and session, and check of the root.
    for (fields, bits) in [0b0001, 0b0010, 0b0100, 0b0110, 0b1110, 0b0111, 0b1111]
        .into_iter()
        .flat_map(|fields| [(fields, 0x7f), (fields, 0xff)])
    {
        let mut flips = [0; 56];
        for field in (0..4).filter(|field| fields & 1 << field != 0) {
            flips[8 + 4 * field + 1..12 + 4 * field].fill(bits);
        }
        let crc = flipped_crc(&flips).to_le_bytes();
        for tag in (manifest - 64..manifest).chain(manifest + 56..manifest + 64) {
            let mut changed = bench.clone();
            let bytes = changed.keys.data_mut();
            (0..56).for_each(|at| bytes[manifest + at] ^= flips[at]);
            (0..4).for_each(|at| bytes[tag + at] ^= crc[at]);
            let mut memory = Keys::new();
            let mut buffer = [0; 2048];
            let mount = Store::<_, Plain>::mount(&mut changed.keys, changed.part, &root(), &mut memory);
            let Ok(mut store) = mount else { continue };
            let mut objects =
                Objects::<_, Plain>::open(&mut changed.flash, changed.part, &mut store, &mut buffer).unwrap();
            let Ok(Some(seen)) = objects.manifest(&mut store, "fw") else { continue };
            if seen.digest == digest {
                forged += 1;
                let mut bytes = [0; 1000];
                for offset in [0, 5000, seen.length.saturating_sub(1000)] {
                    let _ = objects.read(&mut store, "fw", offset, &mut bytes);
                }
                let mut code = SimFlash::<4, 4, 4096>::new(4 * 4096, 0xff);
                let mut slot = lockstone::Slot::new(&mut code, changed.part, 1).unwrap();
                let _ = objects.request_install::<Sha256, _, _, _>(&mut store, "fw", &mut slot, false);
            }
        }
    }
    assert_eq!(forged, 14, "the checksum is where it was looked for");
}
