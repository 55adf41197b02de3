//! What an attacker with a clip on the chip can do.
#![allow(clippy::unwrap_used)]

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use lockstone_sim::{SimError, SimFlash, Tear};

type Flash = SimFlash<1, 4, 256>;

fn written() -> Flash {
    let mut flash = Flash::new(1024, 0xff);
    flash.write(0, &[1; 8]).unwrap();
    flash.write(256, &[2; 16]).unwrap();
    flash
}

#[test]
fn a_flipped_bit_is_one_bit() {
    let mut flash = written();
    flash.flip_bit(8 * 256 + 3);
    assert_eq!(flash.data()[256..258], [2 ^ 8, 2]);
    assert_eq!(flash.operations(), 2);
}

#[test]
fn swapped_blocks_take_their_bookkeeping_along() {
    let mut flash = written();
    flash.inject_ecc(0);
    flash.swap_blocks(0, 1);
    flash.read(0, &mut [0; 1024]).unwrap();
    assert_eq!(
        (flash.data()[..16].to_vec(), flash.data()[256..265].to_vec()),
        (vec![2; 16], [&[1; 8][..], &[0xff]].concat())
    );
    assert_eq!(flash.write(12, &[0; 4]), Err(SimError::ProgrammedTwice));
    flash.write(264, &[0; 4]).unwrap();
}

#[test]
fn a_copied_block_comes_from_the_image() {
    let image = written().data().to_vec();
    let mut flash = Flash::new(1024, 0xff);
    flash.copy_block(&image, 1);
    assert_eq!((&flash.data()[..256], &flash.data()[256..]), (&[0xff; 256][..], &image[256..]));
    assert_eq!(flash.write(256, &[0; 4]), Err(SimError::ProgrammedTwice));
}

#[test]
fn a_restored_chip_is_the_image_and_nothing_else() {
    let image = written().data().to_vec();
    let mut flash = Flash::new(1024, 0xff);
    flash.cut_at(0, Tear::MetastableWhole);
    assert_eq!(flash.write(128, &[0; 512]), Err(SimError::PowerCut));
    flash.power_on();
    flash.restore(&image);
    let mut seen = vec![0; 1024];
    (0..20).for_each(|_| {
        flash.read(0, &mut seen).unwrap();
        assert_eq!(seen, image);
    });
    flash.write(128, &[3; 128]).unwrap();
    assert_eq!(flash.write(0, &[1; 8]), Err(SimError::ProgrammedTwice));
}

#[test]
fn images_are_plain_files() {
    let path = std::env::temp_dir().join(format!("lockstone-sim-{}.bin", std::process::id()));
    written().save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), written().data());
    let mut flash = Flash::load(&path, 0xff).unwrap();
    assert_eq!(flash.write(4, &[0; 4]), Err(SimError::ProgrammedTwice));
    flash.write(8, &[0; 4]).unwrap();
    let error = SimFlash::<1, 4, 4096>::load(&path, 0xff).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(Flash::load(&path, 0xff).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}
