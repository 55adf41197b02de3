//! An attacker at the flash of the objects.

use lockstone::{Ascon, ObjectError, Put};
use lockstone_torture::{Fixed, Random};
use sha2::Sha256;

use super::{Bench, content, read_all};

type Nor = Bench<4, 4, 4096>;

/// An object in disorder, and its content.
fn filled(bench: &mut Nor, seed: u64, key: &str) -> Vec<u8> {
    let wanted = content(seed, 13_000);
    bench.with::<Ascon, _>(|store, objects| {
        let mut ram = [0; 800];
        let mut upload = objects.create(store, key, Some(13_000), &mut Fixed(seed), &mut ram).unwrap();
        for index in (0..13).rev() {
            let end = (index * 1000 + 1000).min(wanted.len());
            let from = index * 1000 / 512 * 512;
            objects
                .write(store, &mut upload, from as u32, &wanted[from..end.next_multiple_of(512).min(13_000)])
                .unwrap();
        }
        objects.finish::<Sha256, _, _>(store, &mut upload, key, None, Put::USUAL).unwrap();
    });
    wanted
}

/// Right, or said to be damaged.
fn looked_at(bench: &mut Nor, key: &str, wanted: &[u8]) -> bool {
    bench.with::<Ascon, _>(|store, objects| match read_all(objects, store, key) {
        Ok(Some(seen)) => {
            assert_eq!(seen, wanted);
            true
        }
        Err(ObjectError::Damaged) => false,
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_flipped_bit_is_never_a_wrong_answer() {
    let mut bench = Nor::new::<Ascon>(16 * 4096, 12 * 4096, 0xff);
    let wanted = filled(&mut bench, 1, "fw");
    let mut random = Random(3);
    let mut noticed = 0;
    for _ in 0..400 {
        let mut changed = bench.clone();
        changed.flash.flip_bit(random.below(6 * 4096 * 8));
        noticed += u32::from(!looked_at(&mut changed, "fw", &wanted));
    }
    assert!(noticed > 150, "{noticed}");
}

#[test]
fn blocks_moved_swapped_or_from_another_time_are_no_content() {
    let mut bench = Nor::new::<Ascon>(16 * 4096, 16 * 4096, 0xff);
    let one = filled(&mut bench, 1, "one");
    let old = bench.flash.data().to_vec();
    let two = filled(&mut bench, 2, "two");
    let three = filled(&mut bench, 3, "one");
    assert_ne!(one, three);
    for (a, b) in (0..16).flat_map(|a| (0..a).map(move |b| (a, b))) {
        let mut changed = bench.clone();
        changed.flash.swap_blocks(a, b);
        looked_at(&mut changed, "one", &three);
        looked_at(&mut changed, "two", &two);
    }
    for block in 0..16 {
        let mut changed = bench.clone();
        changed.flash.copy_block(&old, block);
        looked_at(&mut changed, "one", &three);
        looked_at(&mut changed, "two", &two);
        for other in 0..16 {
            let mut changed = bench.clone();
            let from = bench.flash.data()[block * 4096..][..4096].to_vec();
            changed.flash.data_mut()[other * 4096..][..4096].copy_from_slice(&from);
            looked_at(&mut changed, "one", &three);
            looked_at(&mut changed, "two", &two);
        }
    }
    let mut changed = bench.clone();
    changed.flash.restore(&old);
    assert!(!looked_at(&mut changed, "one", &three));
}

#[test]
fn any_bytes_are_survived() {
    let mut bench = Nor::new::<Ascon>(16 * 4096, 12 * 4096, 0xff);
    let wanted = filled(&mut bench, 1, "fw");
    let mut random = Random(8);
    for seed in 0..150 {
        let mut changed = bench.clone();
        for _ in 0..=random.below(4) {
            let (from, length) = (random.below(12 * 4096), random.below(6000));
            let noise = content(seed, length);
            let end = (from + length).min(12 * 4096);
            changed.flash.data_mut()[from..end].copy_from_slice(&noise[..end - from]);
        }
        let mut memory = super::Keys::new();
        let mut store = lockstone::Store::<_, Ascon>::mount(
            &mut changed.keys,
            changed.part,
            &lockstone_torture::root(),
            &mut memory,
        )
        .unwrap();
        let mut buffer = [0; 1100];
        let opened = lockstone::Objects::<_, Ascon>::open(&mut changed.flash, changed.part, &mut store, &mut buffer);
        let Ok(mut objects) = opened else { continue };
        match read_all(&mut objects, &mut store, "fw") {
            Ok(Some(seen)) => assert_eq!(seen, wanted),
            Err(ObjectError::Damaged) => {}
            other => panic!("{other:?}"),
        }
        // It can be written over.
        let mut ram = [0; 800];
        let mut upload = objects.create(&mut store, "fw", Some(5000), &mut Fixed(seed + 10), &mut ram).unwrap();
        objects.write(&mut store, &mut upload, 0, &wanted[..5000]).unwrap();
        objects.finish::<Sha256, _, _>(&mut store, &mut upload, "fw", None, Put::USUAL).unwrap();
        assert_eq!(read_all(&mut objects, &mut store, "fw"), Ok(Some(wanted[..5000].to_vec())));
    }
}
