//! What each block is used for, as tools are told.

use lockstone::{Ascon, BlockUse, Put};
use lockstone_torture::Fixed;
use sha2::Sha256;

use super::{Bench, content};

#[test]
fn every_block_is_accounted_for() {
    let mut bench = Bench::<4, 4, 4096>::new::<Ascon>(16 * 4096, 64 * 4096, 0xff);
    bench.flash.inject_ecc(63 * 4096);
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let put = |objects: &mut super::SimObjects<'_, 4, 4, 4096, Ascon>,
                   store: &mut super::SimStore<'_, 4, 4, 4096, Ascon>,
                   key: &str,
                   length: u32,
                   ram: &mut [u8]| {
            let mut upload = objects.create(store, key, Some(length), &mut Fixed(7), ram).unwrap();
            objects.write(store, &mut upload, 0, &content(1, length as usize)).unwrap();
            objects.finish::<Sha256, _, _>(store, &mut upload, key, None, Put::USUAL).unwrap();
        };
        put(objects, store, "replaced", 6 * 512, &mut ram);
        put(objects, store, "fw", 20 * 512, &mut ram);
        store.put("replaced", b"plain").unwrap();
        let mut upload = objects.create(store, "begun", Some(20_000), &mut Fixed(8), &mut ram).unwrap();
        objects.write(store, &mut upload, 0, &content(1, 8 * 512)).unwrap();
        let mut seen = [0; 4];
        objects
            .census(store, |block, found| match found {
                BlockUse::Committed => seen[0] += 1,
                BlockUse::Unfinished => seen[1] += 1,
                BlockUse::Stale => seen[2] += 1,
                BlockUse::Blank => seen[3] += 1,
                found => assert_eq!((block, found), (63, BlockUse::Unreadable)),
            })
            .unwrap();
        assert_eq!(seen, [3, 2, 1, 57]);
    });
}
