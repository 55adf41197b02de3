//! The part that every store runs on: one simulated chip behind a handle that can be shared.
//!
//! ```text
//! runner ── Chip ─┐                        counts, wear, blanking
//!                 ├─ Rc<RefCell<SimFlash>>
//! store ─ Port<W> ┘                        the traits of embedded-storage, with the program unit in the type
//! ```
//!
//! [`SimFlash`] refuses to program a unit twice. Some peers are built on it, so a [`Chip`] lets it pass, as parts without
//! error correction do, and counts the calls ([`Chip::rewrites`]): what a peer demands of a part is shown beside it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use embedded_storage::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use lockstone_sim::{Counts, SimError, SimFlash};

/// Bytes of an erase block, of every part here.
pub const BLOCK: usize = 4096;

/// A simulated part. Clones are handles to the same one.
#[derive(Clone)]
pub struct Chip {
    unit: usize,
    inner: Rc<RefCell<Inner>>,
}

struct Inner {
    flash: Box<dyn Raw>,
    again: Counts,
    numbers: HashMap<String, usize>,
}

/// A chip whose program unit is not in its type.
trait Raw {
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError>;
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError>;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError>;
    fn cells(&mut self) -> &mut [u8];
    fn counts(&self) -> Counts;
    fn wear(&self) -> &[u32];
}

impl<const W: usize> Raw for SimFlash<1, W, BLOCK> {
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        ReadNorFlash::read(self, offset, bytes)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        NorFlash::write(self, offset, bytes)
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        NorFlash::erase(self, from, to)
    }

    fn cells(&mut self) -> &mut [u8] {
        self.data_mut()
    }

    fn counts(&self) -> Counts {
        self.counts()
    }

    fn wear(&self) -> &[u32] {
        self.erase_counts()
    }
}

impl Chip {
    /// A blank part of so many blocks. The program unit is 1, 4, 8, 32 or 256; others are taken as 4.
    #[must_use]
    pub fn new(unit: usize, blocks: usize) -> Self {
        let size = blocks * BLOCK;
        let (unit, flash): (usize, Box<dyn Raw>) = match unit {
            1 => (1, Box::new(SimFlash::<1, 1, BLOCK>::new(size, 0xff))),
            8 => (8, Box::new(SimFlash::<1, 8, BLOCK>::new(size, 0xff))),
            32 => (32, Box::new(SimFlash::<1, 32, BLOCK>::new(size, 0xff))),
            256 => (256, Box::new(SimFlash::<1, 256, BLOCK>::new(size, 0xff))),
            _ => (4, Box::new(SimFlash::<1, 4, BLOCK>::new(size, 0xff))),
        };
        let inner = Inner { flash, again: Counts::default(), numbers: HashMap::new() };
        Self { unit, inner: Rc::new(RefCell::new(inner)) }
    }

    /// Program unit in bytes.
    #[must_use]
    pub fn unit(&self) -> usize {
        self.unit
    }

    /// Number of erase blocks.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.inner.borrow().flash.wear().len()
    }

    /// Size in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.blocks() * BLOCK
    }

    /// What was asked of it since it was made.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let inner = self.inner.borrow();
        let (counts, again) = (inner.flash.counts(), inner.again);
        Counts {
            programs: counts.programs + again.programs,
            bytes_programmed: counts.bytes_programmed + again.bytes_programmed,
            ..counts
        }
    }

    /// Calls that programmed units again that had been programmed since their last erase.
    #[must_use]
    pub fn rewrites(&self) -> u64 {
        self.inner.borrow().again.programs
    }

    /// Erases of each block since it was made.
    #[must_use]
    pub fn wear(&self) -> Vec<u32> {
        self.inner.borrow().flash.wear().to_vec()
    }

    /// The number that an application would use for this name, for stores whose keys are numbers; given at the first use.
    pub(crate) fn number(&self, name: &str) -> usize {
        let numbers = &mut self.inner.borrow_mut().numbers;
        let next = numbers.len();
        *numbers.entry(name.to_owned()).or_insert(next)
    }

    /// The same, if it was given.
    pub(crate) fn known_number(&self, name: &str) -> Option<usize> {
        self.inner.borrow().numbers.get(name).copied()
    }

    pub(crate) fn read(&self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.inner.borrow_mut().flash.read(offset, bytes)
    }

    pub(crate) fn write(&self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        let mut inner = self.inner.borrow_mut();
        match inner.flash.write(offset, bytes) {
            Err(SimError::ProgrammedTwice) => {
                inner.again.programs += 1;
                inner.again.bytes_programmed += bytes.len() as u64;
                let cells = inner.flash.cells().iter_mut().skip(offset as usize);
                cells.zip(bytes).for_each(|(cell, byte)| *cell &= byte);
                Ok(())
            }
            other => other,
        }
    }

    pub(crate) fn erase(&self, from: u32, to: u32) -> Result<(), SimError> {
        self.inner.borrow_mut().flash.erase(from, to)
    }
}

/// The driver that a store is given: a handle with the program unit in its type.
pub(crate) struct Port<const W: usize>(pub(crate) Chip);

impl<const W: usize> ErrorType for Port<W> {
    type Error = SimError;
}

impl<const W: usize> ReadNorFlash for Port<W> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.bytes()
    }
}

impl<const W: usize> NorFlash for Port<W> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = BLOCK;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.0.erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.0.write(offset, bytes)
    }
}

impl<const W: usize> MultiwriteNorFlash for Port<W> {}

impl<const W: usize> embedded_storage_async::nor_flash::ReadNorFlash for Port<W> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.bytes()
    }
}

impl<const W: usize> embedded_storage_async::nor_flash::NorFlash for Port<W> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = BLOCK;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.0.erase(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.0.write(offset, bytes)
    }
}

impl<const W: usize> embedded_storage_async::nor_flash::MultiwriteNorFlash for Port<W> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_program_passes_and_is_counted() {
        let chip = Chip::new(4, 2);
        chip.write(8, &[0xf0; 8]).unwrap();
        chip.write(8, &[0x3c; 4]).unwrap();
        let mut bytes = [0; 8];
        chip.read(8, &mut bytes).unwrap();
        assert_eq!(bytes, [0x30, 0x30, 0x30, 0x30, 0xf0, 0xf0, 0xf0, 0xf0]);
        let counts = chip.counts();
        assert_eq!((counts.programs, counts.bytes_programmed, chip.rewrites()), (2, 12, 1));
    }

    #[test]
    fn units_are_checked() {
        let chip = Chip::new(32, 1);
        assert_eq!(chip.write(0, &[0; 16]), Err(SimError::NotAligned));
        assert_eq!((chip.unit(), chip.blocks(), chip.bytes()), (32, 1, 4096));
    }
}
