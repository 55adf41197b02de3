//! The adapter alone: what it reads and writes, and what it refuses.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use lockstone_block::{BlockDevice, BlockError, BlockFlash, SECTOR};

use crate::card::{Card, PowerIsOff};

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

/// What a call leaves on a card with a large cache, and what is left of it when power goes at once.
fn after_a_cut(seed: u64, act: impl FnOnce(&mut BlockFlash<&mut Card, 16_384>)) -> Vec<u8> {
    let mut card = Card::new(256, 64);
    (64..192).for_each(|sector| card.write(sector, &[5; SECTOR]).unwrap());
    card.flush().unwrap();
    act(&mut BlockFlash::new(&mut card, 64, 128, 0x00).unwrap());
    assert!(card.is_settled(), "it returned while the cache held something");
    card.cut_in(0, seed);
    assert!(card.flush().is_err());
    card.power_on();
    let mut all = vec![1; 65_536];
    BlockFlash::<_, 16_384>::new(card, 64, 128, 0x00).unwrap().read(0, &mut all).unwrap();
    all
}

#[test]
fn a_write_that_returned_survives_a_cut() {
    for seed in 0..100 {
        let sectors = 1 + seed as usize % 32;
        let all = after_a_cut(seed, |flash| flash.write(512, &vec![7; sectors * 512]).unwrap());
        assert!(all[512..][..sectors * 512].iter().all(|byte| *byte == 7), "seed {seed}");
        assert!(all[..512].iter().chain(&all[512 + sectors * 512..]).all(|byte| *byte == 5), "seed {seed}");
    }
}

#[test]
fn an_erase_that_returned_survives_a_cut() {
    for seed in 0..100 {
        let end = 16_384 * (2 + seed as usize % 2);
        let all = after_a_cut(seed, |flash| flash.erase(16_384, end as u32).unwrap());
        assert!(all[16_384..end].iter().all(|byte| *byte == 0), "seed {seed}");
        assert!(all[..16_384].iter().chain(&all[end..]).all(|byte| *byte == 5), "seed {seed}");
    }
}

#[test]
fn nothing_is_read_before_what_an_earlier_session_wrote_is_there_to_stay() {
    let mut card = Card::new(256, 64);
    card.write(64, &[7; SECTOR]).unwrap();
    let mut data = [0; SECTOR];
    BlockFlash::<_, 16_384>::new(&mut card, 64, 128, 0x00).unwrap().read(0, &mut data).unwrap();
    assert_eq!(data, [7; SECTOR]);
    assert!(card.is_settled());
}

/// A card of which one write fails.
struct Failing {
    card: Card,
    at: u32,
}

impl BlockDevice for Failing {
    type Error = Option<PowerIsOff>;

    fn sectors(&self) -> u32 {
        self.card.sectors()
    }

    fn read(&mut self, sector: u32, data: &mut [u8; SECTOR]) -> Result<(), Self::Error> {
        self.card.read(sector, data).map_err(Some)
    }

    fn write(&mut self, sector: u32, data: &[u8; SECTOR]) -> Result<(), Self::Error> {
        if sector == self.at { Err(None) } else { self.card.write(sector, data).map_err(Some) }
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.card.flush().map_err(Some)
    }
}

#[test]
fn what_a_call_that_failed_has_written_is_there_to_stay_before_it_is_read() {
    let calls: [fn(&mut BlockFlash<Failing, 16_384>) -> bool; 2] =
        [|flash| flash.write(0, &[7; 2048]).is_err(), |flash| flash.erase(0, 16_384).is_err()];
    for call in calls {
        let device = Failing { card: Card::new(256, 64), at: 67 };
        let mut flash = BlockFlash::<_, 16_384>::new(device, 64, 128, 0xff).unwrap();
        assert!(call(&mut flash), "the write of sector 67 fails");
        flash.read(0, &mut [0; SECTOR]).unwrap();
        assert!(flash.into_device().card.is_settled());
    }
}
