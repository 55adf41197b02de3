//! What a hostile reviewer tried: each of these failed once.
#![allow(
    clippy::cast_lossless,
    clippy::too_many_lines,
    clippy::items_after_statements,
    clippy::drop_non_drop,
    clippy::single_range_in_vec_init
)]

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

/// Flash of which one read fails, once.
struct Glitch<'f> {
    flash: &'f mut SimFlash<4, 4, 4096>,
    at: Option<u32>,
}

impl embedded_storage::nor_flash::ErrorType for Glitch<'_> {
    type Error = SimError;
}

impl embedded_storage::nor_flash::ReadNorFlash for Glitch<'_> {
    const READ_SIZE: usize = 4;
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        if self.at == Some(offset) {
            self.at = None;
            return Err(SimError::Ecc);
        }
        self.flash.read(offset, bytes)
    }
    fn capacity(&self) -> usize {
        SimFlash::capacity(self.flash)
    }
}

impl embedded_storage::nor_flash::NorFlash for Glitch<'_> {
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
        let flash = Glitch { flash: &mut bench.flash, at: None };
        let mut objects = Objects::<_, Ascon>::open(flash, bench.part, &mut store, &mut buffer).unwrap();
        objects.flash().at = Some(4096);
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
