//! What callers see.

use lockstone::trust::{Anchor, NoCounter};
use lockstone::{
    Ascon, Attributes, Error, Key, ObjectError, Objects, OpenError, Plain, Put, Reader, Store, Unfinished,
};
use lockstone_torture::{Fixed, Random};
use sha2::Sha256;

use super::{Bench, content, missing, read_all, sha};

#[path = "../../examples/firmware.rs"]
mod firmware;
#[path = "../../examples/install.rs"]
mod install;

type Nor = Bench<4, 4, 4096>;

fn bench() -> Nor {
    Nor::new::<Ascon>(16 * 4096, 64 * 4096, 0xff)
}

#[test]
fn an_object_in_order_is_read_back() {
    let (mut bench, wanted) = (bench(), content(1, 100_000));
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(100_000), &mut Fixed(7), &mut ram).unwrap();
        for (index, piece) in wanted.chunks(1000).enumerate() {
            objects.write(store, &mut upload, index as u32 * 1000, piece).unwrap();
        }
        assert_eq!((upload.next_missing(0), upload.present()), (None, 100_000));
        assert_eq!(objects.manifest(store, "fw"), Ok(None), "nothing is seen before it's finished");
        let manifest =
            objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&wanted)), Put::USUAL).unwrap();
        assert_eq!((manifest.length, manifest.digest), (100_000, sha(&wanted)));
    });
    bench.with::<Ascon, _>(|store, objects| {
        assert_eq!(read_all(objects, store, "fw"), Ok(Some(wanted.clone())));
        let mut random = Random(1);
        for _ in 0..200 {
            let (from, length) = (random.below(101_000), random.below(3000));
            let mut bytes = vec![0; length];
            let read = objects.read(store, "fw", from as u32, &mut bytes).unwrap().unwrap();
            let end = (from + length).min(wanted.len());
            assert_eq!(&bytes[..read], wanted.get(from..end).unwrap_or_default());
        }
        assert_eq!(objects.read(store, "none", 0, &mut [0; 4]), Ok(None));
    });
    assert_eq!((bench.flash.violations(), bench.keys.violations()), (0, 0));
}

#[test]
fn pieces_of_any_size_in_any_order_with_duplicates() {
    let wanted = content(2, 50_001);
    for (seed, size) in [(1, 1024), (2, 512), (3, 4096), (4, 700), (5, 131)] {
        let mut bench = bench();
        let mut random = Random(seed);
        bench.with::<Ascon, _>(|store, objects| {
            let mut ram = [0; 800];
            let mut upload = objects.create(store, "fw", Some(50_001), &mut Fixed(7), &mut ram).unwrap();
            let mut rounds = 0;
            while let Some(range) = upload.next_missing(0) {
                // The first is always tried from its start on, so that small pieces make whole chunks some day.
                let mut from = range.start as usize;
                for _ in 0..8 {
                    let end = (from + size).min(wanted.len());
                    objects.write(store, &mut upload, from as u32, &wanted[from..end]).unwrap();
                    from = if end < wanted.len() { end } else { range.start as usize };
                }
                let from = random.below(wanted.len() / size) * size;
                let end = (from + size).min(wanted.len());
                objects.write(store, &mut upload, from as u32, &wanted[from..end]).unwrap();
                rounds += 1;
                assert!(rounds < 1000);
            }
            assert_eq!(missing(&upload), []);
            objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).unwrap();
            assert_eq!(read_all(objects, store, "fw"), Ok(Some(wanted.clone())), "pieces of {size}");
        });
        assert_eq!(bench.flash.violations(), 0);
    }
}

#[test]
fn the_length_may_be_found_out_at_the_end() {
    for length in [0, 1, 511, 512, 513, 5000] {
        let (mut bench, wanted) = (bench(), content(3, length));
        bench.with::<Ascon, _>(|store, objects| {
            let mut ram = [0; 600];
            let mut upload = objects.create(store, "log", None, &mut Fixed(7), &mut ram).unwrap();
            for (index, piece) in wanted.chunks(100).enumerate() {
                objects.write(store, &mut upload, index as u32 * 100, piece).unwrap();
            }
            objects.finish::<Sha256, _, _>(store, &mut upload, "log", Some(&sha(&wanted)), Put::USUAL).unwrap();
            assert_eq!(read_all(objects, store, "log"), Ok(Some(wanted.clone())));
        });
    }
}

#[test]
fn an_unfinished_object_can_be_read_and_goes_on_later() {
    let (mut bench, wanted) = (bench(), content(4, 20_000));
    let order = [7, 3, 0, 12, 1, 8, 19];
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(20_000), &mut Fixed(7), &mut ram).unwrap();
        for block in order {
            let from = block * 1024;
            let end = (from + 1024).min(wanted.len());
            objects.write(store, &mut upload, from as u32, &wanted[from..end]).unwrap();
        }
        let (mut cursor, mut name) = (lockstone::Cursor::new(), [0; 255]);
        assert_eq!(
            objects.next_upload(store, &mut cursor, &mut name),
            Ok(Some(Unfinished { client: 0, name: 2, length: Some(20_000) }))
        );
        assert_eq!(&name[..2], b"fw");
        assert_eq!(objects.next_upload(store, &mut cursor, &mut name), Ok(None));
    });
    let programmed = bench.flash.counts().bytes_programmed;
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.resume(store, "fw", &mut ram).unwrap().unwrap();
        assert_eq!(missing(&upload), [2048..3072, 4096..7168, 9216..12288, 13312..19456]);
        for block in order {
            let mut bytes = vec![0; 1024.min(wanted.len() - block * 1024)];
            objects.read_upload(store, &mut upload, block as u32 * 1024, &mut bytes).unwrap();
            assert_eq!(bytes, wanted[block * 1024..][..bytes.len()]);
        }
        assert_eq!(objects.read_upload(store, &mut upload, 2048, &mut [0; 8]), Err(ObjectError::Incomplete));
        assert_eq!(
            objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL),
            Err(ObjectError::Incomplete)
        );
        assert!(objects.resume(store, "other", &mut [0; 800]).unwrap().is_none());
    });
    assert_eq!(bench.flash.counts().bytes_programmed, programmed, "to look writes nothing");
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.resume(store, "fw", &mut ram).unwrap().unwrap();
        for range in missing(&upload) {
            let bytes = &wanted[range.start as usize..range.end as usize];
            objects.write(store, &mut upload, range.start, bytes).unwrap();
        }
        let wrong = Some(&[0; 32]);
        assert_eq!(
            objects.finish::<Sha256, _, _>(store, &mut upload, "fw", wrong, Put::USUAL),
            Err(ObjectError::WrongDigest)
        );
        assert_eq!(objects.manifest(store, "fw"), Ok(None));
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", Some(&sha(&wanted)), Put::USUAL).unwrap();
        assert_eq!(read_all(objects, store, "fw"), Ok(Some(wanted.clone())));
        assert!(objects.resume(store, "fw", &mut [0; 800]).unwrap().is_none());
    });
}

#[test]
fn an_object_is_replaced_deleted_and_reclaimed() {
    let mut bench = Nor::new::<Plain>(16 * 4096, 12 * 4096, 0xff);
    bench.with::<Plain, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut last = Vec::new();
        for round in 0..30 {
            let wanted = content(round, 14_000 + round as usize);
            let length = Some(wanted.len() as u32);
            let mut upload = objects.create(store, "fw", length, &mut Fixed(round), &mut ram).unwrap();
            objects.write(store, &mut upload, 0, &wanted).unwrap();
            if round > 0 {
                assert_eq!(read_all(objects, store, "fw"), Ok(Some(last)), "the old one is there until then");
            }
            objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).unwrap();
            assert_eq!(read_all(objects, store, "fw"), Ok(Some(wanted.clone())));
            last = wanted;
        }
        assert_eq!(store.delete("fw"), Ok(true));
        assert_eq!(objects.read(store, "fw", 0, &mut [0; 8]), Ok(None));
        assert!(objects.reclaim(store).unwrap() > 0);
        assert_eq!(objects.reclaim(store), Ok(0));
        assert!(objects.flash().data().iter().all(|byte| *byte == 0xff), "nothing is left");
    });
    let (least, most) = bench.flash.erase_spread();
    assert!(most - least <= 1, "{least} to {most} erases");
    assert_eq!(bench.flash.violations(), 0);
}

#[test]
fn what_is_given_up_leaves_nothing() {
    let mut bench = bench();
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(30_000), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &content(1, 20_000)).unwrap();
        assert_eq!(objects.abort(store, "fw"), Ok(true));
        assert_eq!(objects.abort(store, "fw"), Ok(false));
        assert!(objects.resume(store, "fw", &mut [0; 800]).unwrap().is_none());
        assert!(objects.flash().data().iter().all(|byte| *byte == 0xff));
    });
}

#[test]
fn plain_values_and_objects_are_told_apart() {
    let mut bench = bench();
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        store.put("k", b"plain").unwrap();
        assert_eq!(objects.read(store, "k", 0, &mut [0; 8]), Err(ObjectError::NotAnObject));
        let mut upload = objects.create(store, "k", Some(600), &mut Fixed(1), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &content(1, 600)).unwrap();
        objects.finish::<Sha256, _, _>(store, &mut upload, "k", None, Put::with(Attributes::RETAINED)).unwrap();
        let attributes = store.attributes_of("k").unwrap().unwrap();
        assert!(attributes.is_object() && attributes.any(Attributes::RETAINED));
        // Nobody makes an object by hand, not even with the manifest of another.
        let mut manifest = [0; 56];
        store.get("k", &mut manifest).unwrap();
        store.put_with("forged", &manifest, Put::with(attributes)).unwrap();
        assert_eq!(objects.read(store, "forged", 0, &mut [0; 8]), Err(ObjectError::NotAnObject));
        // What other attributes it gets, it stays an object.
        store.set_attributes("k", Attributes::EXECUTABLE).unwrap();
        assert_eq!(read_all(objects, store, "k"), Ok(Some(content(1, 600))));
        store.put_with("k", &manifest, Put::with(attributes)).unwrap();
        assert_eq!(objects.read(store, "k", 0, &mut [0; 8]), Err(ObjectError::NotAnObject));
        store.put("k", b"plain again").unwrap();
        assert_eq!(objects.read(store, "k", 0, &mut [0; 8]), Err(ObjectError::NotAnObject));
    });
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut bench = Nor::new::<Ascon>(16 * 4096, 8 * 4096, 0xff);
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 700];
        let create = |objects: &mut _, store: &mut _, length| {
            let objects: &mut super::SimObjects<'_, 4, 4, 4096, Ascon> = objects;
            objects.create(store, "k", length, &mut Fixed(1), &mut [0; 700]).map(drop)
        };
        assert_eq!(create(objects, store, Some(8 * 4096)), Err(ObjectError::TooLarge));
        assert_eq!(create(objects, store, Some(u32::MAX - 1)), Err(ObjectError::TooLarge));
        assert_eq!(
            objects.create(store, Key::new(b"").of_client(1), None, &mut Fixed(1), &mut ram).map(drop),
            Err(ObjectError::Store(Error::InvalidName))
        );
        let mut upload = objects.create(store, "k", Some(5 * 3584), &mut Fixed(1), &mut ram).unwrap();
        assert_eq!(objects.write(store, &mut upload, 5 * 3584, &[1]), Err(ObjectError::OutOfRange));
        assert_eq!(objects.write(store, &mut upload, u32::MAX, &[1]), Err(ObjectError::OutOfRange));
        objects.write(store, &mut upload, 0, &content(1, 5 * 3584)).unwrap();
        let how = Put::with(Attributes::FACTORY);
        assert_eq!(objects.finish::<Sha256, _, _>(store, &mut upload, "k", None, how), Err(ObjectError::Factory));
        assert_eq!(
            objects.finish::<Sha256, _, _>(store, &mut upload, "l", None, Put::USUAL),
            Err(ObjectError::NotAnObject)
        );
        let how = Put::with(Attributes::PROTECTED);
        assert_eq!(
            objects.finish::<Sha256, _, _>(store, &mut upload, "k", None, how),
            Err(ObjectError::Store(Error::NoCounter))
        );
        objects.finish::<Sha256, _, _>(store, &mut upload, "k", None, Put::USUAL).unwrap();
        let full = objects.create(store, "other", Some(4 * 3584), &mut Fixed(1), &mut ram).map(drop);
        assert_eq!(full, Err(ObjectError::Full));
        // The same random number again is no other object's.
        let mut upload = objects.create(store, "k", Some(1000), &mut Fixed(1), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &[7; 1000]).unwrap();
        assert_eq!(read_all(objects, store, "k"), Ok(Some(content(1, 5 * 3584))));
        objects.finish::<Sha256, _, _>(store, &mut upload, "k", None, Put::USUAL).unwrap();
        assert_eq!(read_all(objects, store, "k"), Ok(Some(vec![7; 1000])));
    });
}

#[test]
fn a_volume_of_somebody_else_is_left_alone() {
    let mut bench = bench();
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(20_000), &mut Fixed(7), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &content(1, 20_000)).unwrap();
    });
    let mut other = Nor::new::<Ascon>(16 * 4096, 64 * 4096, 0xff);
    let mut memory = super::Keys::new();
    let mut opened = |flash: &[u8], keys: &mut Nor| {
        keys.flash.restore(flash);
        let mut store =
            Store::<_, Ascon>::mount(&mut keys.keys, keys.part, &lockstone_torture::root(), &mut memory).unwrap();
        Objects::<_, Ascon>::open(&mut keys.flash, keys.part, &mut store, &mut [0; 1100]).map(drop)
    };
    let ours = bench.flash.data().to_vec();
    assert_eq!(opened(&ours, &mut bench.clone()), Ok(()));
    // The same root key, but another store.
    let mut dice = Fixed(99);
    Store::<_, Ascon>::format(
        &mut other.keys,
        other.part,
        &lockstone_torture::root(),
        &mut dice,
        &mut super::Keys::new(),
    )
    .unwrap();
    assert_eq!(opened(&ours, &mut other), Err(OpenError::NotAuthentic));
    assert_eq!(opened(&content(1, 64 * 4096), &mut other), Err(OpenError::Unknown));
    assert_eq!(opened(&vec![0xff; 64 * 4096], &mut other), Ok(()));
    let small = Objects::<_, Ascon>::format(&mut bench.flash, bench.part, &mut [0; 500]).map(drop);
    assert_eq!(small, Err(OpenError::Layout(lockstone::LayoutError::Buffer)));
    assert_eq!(bench.flash.data(), ours, "refused before anything is erased");
}

#[test]
fn a_boot_loader_reads_with_less_code() {
    let (mut bench, wanted) = (bench(), content(1, 30_000));
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, "fw", Some(30_000), &mut Fixed(7), &mut ram).unwrap();
        for (index, piece) in wanted.chunks(512).enumerate().rev() {
            objects.write(store, &mut upload, index as u32 * 512, piece).unwrap();
        }
        objects.finish::<Sha256, _, _>(store, &mut upload, "fw", None, Put::USUAL).unwrap();
    });
    let (keys, flash) = (bench.keys.data().to_vec(), bench.flash.data().to_vec());
    let (mut memory, mut buffer) = (super::Keys::new(), [0; 600]);
    let anchor = Anchor { root: &lockstone_torture::root(), counter: Reader(NoCounter) };
    let mut store = Store::<_, Ascon, _>::mount_protected(&mut bench.keys, bench.part, anchor, &mut memory).unwrap();
    let mut objects = Objects::<_, Ascon>::open(&mut bench.flash, bench.part, &mut store, &mut buffer).unwrap();
    let mut read = vec![0; 30_000];
    assert_eq!(objects.read(&mut store, "fw", 0, &mut read), Ok(Some(30_000)));
    assert_eq!(read, wanted);
    let refused = objects.create(&mut store, "new", Some(10), &mut Fixed(8), &mut [0; 800]).map(drop);
    assert_eq!(refused, Err(ObjectError::Store(Error::ReadOnly)));
    assert_eq!((bench.keys.data(), bench.flash.data()), (&keys[..], &flash[..]));
}

#[test]
fn the_firmware_of_the_readme_arrives() {
    let (readme, example) = (include_str!("../../../../README.md"), include_str!("../../examples/firmware.rs"));
    let shown = readme.split("```rust\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(example.contains(shown), "README.md shows another function than the example");
    firmware::main().unwrap();
}

#[test]
fn the_boot_loader_of_the_readme_boots() {
    let (readme, example) = (include_str!("../../../../README.md"), include_str!("../../examples/install.rs"));
    let shown = readme.split("```rust\n").nth(3).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(example.contains(shown), "README.md shows another function than the example");
    install::main().unwrap();
}
