//! A meter before the flash: a call that asks it too often never ends.

use std::cell::Cell;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockstone_sim::{SimError, SimFlash};

/// A chip that may be asked so often.
pub(super) struct Metered<'a, const R: usize, const W: usize, const E: usize> {
    pub(super) flash: &'a mut SimFlash<R, W, E>,
    pub(super) meter: &'a Meter,
}

/// How often a chip may be asked before the next [`refill`](Self::refill).
#[derive(Debug)]
pub(super) struct Meter {
    full: u64,
    left: Cell<u64>,
    /// Most that was used at once.
    pub(super) most: Cell<u64>,
}

impl Meter {
    pub(super) const fn new(full: u64) -> Self {
        Self { full, left: Cell::new(full), most: Cell::new(0) }
    }

    /// A new call begins.
    pub(super) fn refill(&self) {
        self.most.set(self.most.get().max(self.full - self.left.get()));
        self.left.set(self.full);
    }

    fn count(&self) {
        let left = self.left.get();
        assert!(left > 0, "one call asked the flash {} times: it may never end", self.full);
        self.left.set(left - 1);
    }
}

impl<const R: usize, const W: usize, const E: usize> ErrorType for Metered<'_, R, W, E> {
    type Error = SimError;
}

impl<const R: usize, const W: usize, const E: usize> ReadNorFlash for Metered<'_, R, W, E> {
    const READ_SIZE: usize = R;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.meter.count();
        self.flash.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<const R: usize, const W: usize, const E: usize> NorFlash for Metered<'_, R, W, E> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = E;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.meter.count();
        self.flash.erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.meter.count();
        self.flash.write(offset, bytes)
    }
}
