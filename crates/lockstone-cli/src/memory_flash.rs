//! A flash part in memory, under the same rules as the one in a file: for making images.

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash, check_erase, check_read, check_write};

use crate::file_flash::FlashError;

/// A NOR flash part in memory. An erased byte is 0xff.
#[derive(Debug)]
pub(crate) struct MemoryFlash {
    cells: Vec<u8>,
}

impl MemoryFlash {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { cells: vec![0xff; capacity] }
    }

    pub(crate) const fn with_content(cells: Vec<u8>) -> Self {
        Self { cells }
    }

    pub(crate) fn into_content(self) -> Vec<u8> {
        self.cells
    }
}

impl ErrorType for MemoryFlash {
    type Error = FlashError;
}

impl ReadNorFlash for MemoryFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(&self.cells[offset as usize..offset as usize + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.cells.len()
    }
}

impl NorFlash for MemoryFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 128;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to)?;
        self.cells[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len())?;
        let cells = &mut self.cells[offset as usize..offset as usize + bytes.len()];
        if cells.iter().zip(bytes).any(|(cell, byte)| cell & byte != *byte) {
            return Err(FlashError::NotErased);
        }
        cells.copy_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_rules_of_the_one_in_a_file() {
        let mut flash = MemoryFlash::new(256);
        assert_eq!(flash.write(0, &[0xf0, 1]), Ok(()));
        assert_eq!(flash.write(0, &[0x0f]), Err(FlashError::NotErased));
        assert_eq!(flash.erase(0, 100), Err(FlashError::NotAligned));
        assert_eq!(flash.write(255, &[0, 0]), Err(FlashError::OutOfBounds));
        assert_eq!(flash.erase(0, 128), Ok(()));
        assert!(flash.into_content().iter().all(|cell| *cell == 0xff));
    }
}
