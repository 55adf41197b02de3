//! The attacker's hand: content read and rewritten behind the engine's back, and images in files.
//!
//! Nothing here counts as an operation, needs power, or wears a block.
//!
//! Tested by the suite `hand`.

use std::io;
use std::path::Path;

use crate::flash::SimFlash;

impl<const READ: usize, const WRITE: usize, const ERASE: usize> SimFlash<READ, WRITE, ERASE> {
    /// The content as it is nominally: unstable bits have one value here, and units with errors can be looked at.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The content, to be changed at will. Which units count as programmed stays as it is.
    #[must_use]
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// Flips one bit; bit 0 is the lowest bit of byte 0. Which units count as programmed stays as it is.
    ///
    /// # Panics
    ///
    /// If the bit is outside of the chip.
    pub fn flip_bit(&mut self, bit_index: usize) {
        self.data[bit_index / 8] ^= 1 << (bit_index % 8);
    }

    /// Rewrites two blocks with each other's content.
    ///
    /// # Panics
    ///
    /// If there is no such block.
    pub fn swap_blocks(&mut self, a: usize, b: usize) {
        for (left, right) in Self::block_range(a).zip(Self::block_range(b)) {
            self.data.swap(left, right);
        }
        self.settle(a);
        self.settle(b);
    }

    /// Rewrites one block with what an image of the whole chip holds there.
    ///
    /// # Panics
    ///
    /// If there is no such block, in the chip or in the image.
    pub fn copy_block(&mut self, from_image: &[u8], block: usize) {
        let range = Self::block_range(block);
        self.data[range.clone()].copy_from_slice(&from_image[range]);
        self.settle(block);
    }

    /// Rewrites the chip with an image of it. Afterwards no bit is unstable, no unit has errors, no erase is weak, and the
    /// units that differ from blank count as programmed.
    ///
    /// # Panics
    ///
    /// If the image has another length than the chip.
    pub fn restore(&mut self, image: &[u8]) {
        self.data.copy_from_slice(image);
        (0..self.blocks()).for_each(|block| self.settle(block));
    }

    /// Writes the content to a plain file.
    ///
    /// # Errors
    ///
    /// Whatever the file system returns.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        std::fs::write(path, &self.data)
    }

    /// A chip with the content of a plain file, as by [`SimFlash::with_content`].
    ///
    /// # Errors
    ///
    /// Whatever the file system returns; `InvalidData` if the length of the file is no multiple of the erase size or
    /// is 4 GiB or more.
    ///
    /// # Panics
    ///
    /// If the erased value is neither 0xff nor 0x00.
    pub fn load(path: impl AsRef<Path>, erased: u8) -> io::Result<Self> {
        let content = std::fs::read(path)?;
        if !content.len().is_multiple_of(ERASE) || u32::try_from(content.len()).is_err() {
            let message = format!("{} bytes are no whole number of blocks of {ERASE} bytes", content.len());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(Self::with_content(erased, content))
    }

    /// Derives the bookkeeping of a block from its content.
    pub(crate) fn settle(&mut self, block: usize) {
        let range = Self::block_range(block);
        let units = Self::unit_range(&range);
        self.scars[block] = None;
        self.programmed.remove_all(units.clone());
        for (unit, bytes) in units.zip(self.data[range].chunks(WRITE)) {
            if bytes.iter().any(|&byte| byte != self.state.erased) {
                self.programmed.insert(unit);
            }
        }
    }
}
