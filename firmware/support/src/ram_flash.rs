//! A flash in RAM, for measurements: nothing but copies, so that what is counted is the store.

use core::convert::Infallible;

use embedded_storage::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use embedded_storage_async::nor_flash as asynchronous;

use crate::Once;

/// Bytes of it: 8 blocks of 4 KiB.
pub const CAPACITY: usize = 8 * 4096;

/// The flash; whoever gives a range that is not within it is stopped.
#[derive(Debug)]
pub struct RamFlash<'r>(&'r mut [u8; CAPACITY]);

static mut CELLS: [u8; CAPACITY] = [0; CAPACITY];
static TAKEN: Once = Once::new();

impl RamFlash<'static> {
    /// Takes the flash, erased. `None`: it was taken before.
    pub fn take() -> Option<Self> {
        if !TAKEN.take() {
            return None;
        }
        let cells = &raw mut CELLS;
        // SAFETY: once in a program, which the lines above see to: no other reference exists.
        let mut flash = Self(unsafe { &mut *cells });
        flash.fill();
        Some(flash)
    }
}

impl RamFlash<'_> {
    /// The same flash for a while, erased.
    #[must_use]
    pub fn again(&mut self) -> RamFlash<'_> {
        self.fill();
        RamFlash(self.0)
    }

    /// The same flash for a while, as it is.
    #[must_use]
    pub fn kept(&mut self) -> RamFlash<'_> {
        RamFlash(self.0)
    }

    fn fill(&mut self) {
        self.0.fill(0xff);
    }
}

impl ErrorType for RamFlash<'_> {
    type Error = Infallible;
}

impl ReadNorFlash for RamFlash<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        CAPACITY
    }
}

impl NorFlash for RamFlash<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        self.0[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        self.0[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

impl MultiwriteNorFlash for RamFlash<'_> {}

impl asynchronous::ReadNorFlash for RamFlash<'_> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        ReadNorFlash::read(self, offset, bytes)
    }

    fn capacity(&self) -> usize {
        CAPACITY
    }
}

impl asynchronous::NorFlash for RamFlash<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        NorFlash::erase(self, from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        NorFlash::write(self, offset, bytes)
    }
}

impl asynchronous::MultiwriteNorFlash for RamFlash<'_> {}
