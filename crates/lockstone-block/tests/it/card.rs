//! A model of a card: a medium behind a write cache, and a power supply.
//!
//! ```text
//! write ──> cache (some sectors) ── full: any of them ──> medium
//! flush ──────────────────────────  all of them, in any order ──> medium
//! cut   ──  any of them, in any order, one of them torn ──> medium; the rest is lost
//! ```

use lockstone_block::{BlockDevice, SECTOR};
use lockstone_torture::Random;

/// The power is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PowerIsOff;

/// A card.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    medium: Vec<[u8; SECTOR]>,
    cache: Vec<(usize, [u8; SECTOR])>,
    /// Sectors that the cache holds.
    room: usize,
    random: Random,
    /// Operations that write so far, and at which the power goes.
    operations: u64,
    cut_at: Option<u64>,
    off: bool,
    /// Says that all was written when it was not: no card may do that, and tests must notice it.
    lies: bool,
    /// Sectors that are written at once: a cut harms the neighbours too. No card may do that either.
    page: usize,
}

impl Card {
    /// A card of zeros.
    pub(crate) fn new(sectors: usize, room: usize) -> Self {
        Self {
            medium: vec![[0; SECTOR]; sectors],
            cache: Vec::new(),
            room,
            random: Random(1),
            operations: 0,
            cut_at: None,
            off: false,
            lies: false,
            page: 1,
        }
    }

    /// The same, but it lies about flushes.
    pub(crate) fn that_lies(self) -> Self {
        Self { lies: true, ..self }
    }

    /// The same, but it writes pages of so many sectors, aligned, and tears all of one.
    pub(crate) fn with_pages_of(self, page: usize) -> Self {
        Self { page, ..self }
    }

    /// All that was written is there to stay.
    pub(crate) fn is_settled(&self) -> bool {
        self.cache.is_empty()
    }

    /// Power goes in the middle of the operation with this number from now on; `seed` says what becomes of the cache.
    pub(crate) fn cut_in(&mut self, operations: u64, seed: u64) {
        self.cut_at = Some(self.operations + operations);
        self.random = Random(seed << 1 | 1);
    }

    pub(crate) fn is_off(&self) -> bool {
        self.off
    }

    /// Power comes back, and stays.
    pub(crate) fn power_on(&mut self) {
        (self.off, self.cut_at) = (false, None);
    }

    pub(crate) fn operations(&self) -> u64 {
        self.operations
    }

    /// Counts an operation; true when the power goes in its midst.
    fn begin(&mut self) -> Result<bool, PowerIsOff> {
        if self.off {
            return Err(PowerIsOff);
        }
        self.operations += 1;
        Ok(self.cut_at.is_some_and(|at| self.operations > at))
    }

    fn put(&mut self, sector: usize, data: &[u8; SECTOR]) {
        match self.cache.iter_mut().find(|(cached, _)| *cached == sector) {
            Some((_, old)) => *old = *data,
            None => self.cache.push((sector, *data)),
        }
    }

    /// Writes any sector of the cache to the medium.
    fn evict(&mut self) {
        let (sector, data) = self.cache.swap_remove(self.random.below(self.cache.len()));
        self.medium[sector] = data;
    }

    /// The power goes: some of the cache was written, one sector in part, the rest is lost.
    fn cut(&mut self) -> PowerIsOff {
        self.off = true;
        while self.cache.len() > 1 && self.random.below(3) > 0 {
            self.evict();
        }
        if !self.cache.is_empty() {
            let (sector, data) = self.cache.swap_remove(self.random.below(self.cache.len()));
            self.tear(sector, &data);
            let page = sector / self.page * self.page;
            for neighbour in (page..page + self.page).filter(|neighbour| *neighbour != sector) {
                self.tear(neighbour, &[0xa5; SECTOR]);
            }
        }
        self.cache.clear();
        PowerIsOff
    }

    /// Old, new, a beginning, an end, single bytes, or nonsense.
    fn tear(&mut self, sector: usize, data: &[u8; SECTOR]) {
        let (kind, edge) = (self.random.below(6), self.random.below(SECTOR));
        for (index, byte) in data.iter().enumerate() {
            let new = match kind {
                0 => false,
                1 => true,
                2 => index < edge,
                3 => index >= edge,
                4 => self.random.below(2) == 0,
                _ => {
                    self.medium[sector][index] = self.random.below(256) as u8;
                    false
                }
            };
            if new {
                self.medium[sector][index] = *byte;
            }
        }
    }
}

impl BlockDevice for Card {
    type Error = PowerIsOff;

    fn sectors(&self) -> u32 {
        self.medium.len() as u32
    }

    fn read(&mut self, sector: u32, data: &mut [u8; SECTOR]) -> Result<(), PowerIsOff> {
        if self.off {
            return Err(PowerIsOff);
        }
        let sector = sector as usize;
        let cached = self.cache.iter().find(|(cached, _)| *cached == sector);
        *data = cached.map_or(self.medium[sector], |(_, data)| *data);
        Ok(())
    }

    fn write(&mut self, sector: u32, data: &[u8; SECTOR]) -> Result<(), PowerIsOff> {
        let cut = self.begin()?;
        self.put(sector as usize, data);
        if cut {
            return Err(self.cut());
        }
        while self.cache.len() > self.room {
            self.evict();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PowerIsOff> {
        if self.begin()? {
            return Err(self.cut());
        }
        while !self.lies && !self.cache.is_empty() {
            self.evict();
        }
        Ok(())
    }
}

#[test]
fn a_cut_loses_some_of_what_was_not_flushed_and_nothing_else() {
    let (mut kept, mut lost, mut torn) = (0, 0, 0);
    for seed in 0..200 {
        let mut card = Card::new(16, 8);
        (0..8).for_each(|sector| card.write(sector, &[1; SECTOR]).unwrap());
        card.flush().unwrap();
        card.cut_in(4, seed);
        assert_eq!((0..5).try_for_each(|sector| card.write(sector, &[2; SECTOR])), Err(PowerIsOff));
        assert_eq!(card.read(0, &mut [0; SECTOR]), Err(PowerIsOff));
        card.power_on();
        for sector in 0..8 {
            let mut data = [0; SECTOR];
            card.read(sector, &mut data).unwrap();
            match (data.iter().all(|byte| *byte == 1), data.iter().all(|byte| *byte == 2)) {
                (true, _) => lost += u32::from(sector < 5),
                (_, true) => kept += 1,
                _ => torn += 1,
            }
            assert!(sector < 5 || data == [1; SECTOR], "what was flushed and not written again has changed");
        }
    }
    assert!(kept > 100 && lost > 100 && torn > 50, "{kept} sectors written, {lost} lost, {torn} torn");
}
