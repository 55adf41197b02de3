//! Keys and objects on one flash.

use std::cell::RefCell;

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use lockstone::{Ascon, LayoutError, Objects, Part, Put, Store, Volume, VolumeError};
use lockstone_sim::{SimError, SimFlash};
use lockstone_torture::{Fixed, root};
use sha2::Sha256;

use super::{Keys, content};

type Flash = SimFlash<4, 4, 4096>;

#[test]
fn one_flash_has_keys_and_objects() {
    let flash = RefCell::new(Flash::new(64 * 4096, 0xff));
    let wanted = content(1, 60_000);
    for round in 0..3 {
        let [keys, mut objects, rest] = Volume::split(&flash, [16 * 4096, 40 * 4096, 8 * 4096]).unwrap();
        assert_eq!((keys.capacity(), objects.capacity(), rest.capacity()), (16 * 4096, 40 * 4096, 8 * 4096));
        let (mut memory, mut buffer, mut ram) = (Keys::new(), [0; 600], [0; 700]);
        let mut store = if round == 0 {
            Objects::<_, Ascon>::format(&mut objects, Part::NOR, &mut buffer).unwrap();
            Store::<_, Ascon>::format(keys, Part::NOR, &root(), &mut Fixed(1), &mut memory).unwrap()
        } else {
            Store::<_, Ascon>::mount(keys, Part::NOR, &root(), &mut memory).unwrap()
        };
        let mut objects = Objects::<_, Ascon>::open(objects, Part::NOR, &mut store, &mut buffer).unwrap();
        if round > 0 {
            let mut read = vec![0; 60_000];
            assert_eq!(objects.read(&mut store, "fw", 0, &mut read), Ok(Some(60_000)));
            assert_eq!(read, wanted);
        }
        let mut upload = objects.create(&mut store, "fw", Some(60_000), &mut Fixed(round), &mut ram).unwrap();
        objects.write(&mut store, &mut upload, 0, &wanted).unwrap();
        objects.finish::<Sha256, _, _>(&mut store, &mut upload, "fw", None, Put::USUAL).unwrap();
        store.put("k", b"v").unwrap();
    }
    let flash = flash.into_inner();
    assert_eq!(flash.violations(), 0);
    assert!(flash.data()[56 * 4096..].iter().all(|byte| *byte == 0xff), "nothing outside of the volumes");
}

#[test]
fn nothing_outside_of_a_volume_is_reached() {
    let flash = RefCell::new(Flash::new(8 * 4096, 0xff));
    let [mut one, mut two] = Volume::split(&flash, [4096, 2 * 4096]).unwrap();
    one.write(4092, b"last").unwrap();
    two.write(0, b"next").unwrap();
    assert_eq!((&flash.borrow().data()[4092..4100], one.capacity()), (&b"lastnext"[..], 4096));
    let outside = Err(VolumeError::OutOfBounds);
    for (from, length) in [(4096, 4), (4092, 8), (u32::MAX - 3, 4), (u32::MAX, 8)] {
        let mut bytes = vec![0; length];
        assert_eq!(one.read(from, &mut bytes), outside);
        assert_eq!(one.write(from, &bytes), outside);
    }
    assert_eq!(one.erase(0, 2 * 4096), outside);
    assert_eq!(one.erase(4096, 0), outside);
    assert_eq!(one.write(0, b"odd"), Err(VolumeError::Flash(SimError::NotAligned)));
    let held = flash.borrow_mut();
    assert_eq!(two.read(0, &mut [0; 4]), Err(VolumeError::Busy));
    drop(held);
    for lengths in [[4096, 8 * 4096], [100, 4096], [u32::MAX, 4096], [u32::MAX - 4095, 4096]] {
        assert_eq!(Volume::split(&flash, lengths).map(drop), Err(LayoutError::Volumes), "{lengths:?}");
    }
}
