//! The adapter alone: what it reads and writes, and what it refuses.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use lockstone_block::{BlockDevice, BlockError, BlockFlash, SECTOR};

use crate::card::Card;

type Flash = BlockFlash<Card, 16_384>;

fn flash() -> Flash {
    Flash::new(Card::new(256, 4), 64, 128, 0x00).unwrap()
}

#[test]
fn what_is_written_is_read_at_any_offset() {
    let mut flash = flash();
    let data: Vec<u8> = (0..2048).map(|index| (index / 3) as u8).collect();
    flash.write(1024, &data).unwrap();
    for (offset, length) in [(0, 512), (1, 511), (511, 2), (500, 1400), (2047, 1), (0, 2048), (700, 0)] {
        let mut read = vec![0; length];
        flash.read(1024 + offset as u32, &mut read).unwrap();
        assert_eq!(read, data[offset..offset + length], "{length} bytes at {offset}");
    }
}

#[test]
fn an_erase_leaves_blank_sectors_and_no_others() {
    for erased in [0x00, 0xff] {
        let mut flash = Flash::new(Card::new(256, 4), 64, 128, erased).unwrap();
        (0..128).for_each(|sector| flash.write(sector * 512, &[7; 512]).unwrap());
        flash.erase(16_384, 32_768).unwrap();
        let mut all = vec![0; 65_536];
        flash.read(0, &mut all).unwrap();
        assert!(all[16_384..32_768].iter().all(|byte| *byte == erased));
        assert!(all[..16_384].iter().chain(&all[32_768..]).all(|byte| *byte == 7));
        let mut card = flash.into_device();
        for sector in [0, 63, 192, 255] {
            let mut data = [1; SECTOR];
            card.read(sector, &mut data).unwrap();
            assert_eq!(data, [0; SECTOR], "sector {sector} is not in the part");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    assert!(Flash::new(Card::new(256, 4), 129, 128, 0).is_none(), "behind the end of the card");
    assert!(Flash::new(Card::new(256, 4), 0, 33, 0).is_none(), "no whole erase block");
    assert!(Flash::new(Card::new(256, 4), u32::MAX, 32, 0).is_none());
    let mut flash = flash();
    assert_eq!(flash.capacity(), 65_536);
    assert_eq!(flash.read(65_535, &mut [0; 2]), Err(BlockError::OutOfBounds));
    assert_eq!(flash.write(65_536, &[0; 512]), Err(BlockError::OutOfBounds));
    assert_eq!(flash.write(256, &[0; 512]), Err(BlockError::NotAligned));
    assert_eq!(flash.write(512, &[0; 100]), Err(BlockError::NotAligned));
    assert_eq!(flash.erase(0, 512), Err(BlockError::NotAligned));
    assert_eq!(flash.erase(16_384, 0), Err(BlockError::OutOfBounds));
    assert_eq!(flash.into_device().operations(), 0, "nothing was written");
}

#[test]
fn nothing_returns_before_the_cache_is_written() {
    let mut flash = flash();
    flash.write(512, &[7; 512]).unwrap();
    flash.erase(16_384, 32_768).unwrap();
    let mut card = flash.into_device();
    card.cut_in(0, 3);
    assert!(card.flush().is_err());
    card.power_on();
    let mut data = [0; SECTOR];
    card.read(65, &mut data).unwrap();
    assert_eq!(data, [7; SECTOR]);
}
