//! An image in memory: what was read out of a flash, whole or not. Nothing writes to it.

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use lockstone::inspect::ClearHeader;

/// A flash that can only be read. What lies behind the end of the image can't be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageFlash<'i> {
    bytes: &'i [u8],
    capacity: usize,
}

/// The image ends before that place, or somebody tried to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotThere;

impl NorFlashError for NotThere {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::OutOfBounds
    }
}

impl<'i> ImageFlash<'i> {
    pub(crate) const fn new(bytes: &'i [u8], capacity: usize) -> Self {
        Self { bytes, capacity }
    }
}

impl ErrorType for ImageFlash<'_> {
    type Error = NotThere;
}

impl ReadNorFlash for ImageFlash<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, target: &mut [u8]) -> Result<(), NotThere> {
        let from = offset as usize;
        let source = self.bytes.get(from..from.saturating_add(target.len())).ok_or(NotThere)?;
        target.copy_from_slice(source);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.capacity
    }
}

impl NorFlash for ImageFlash<'_> {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 128;

    fn erase(&mut self, _from: u32, _to: u32) -> Result<(), NotThere> {
        Err(NotThere)
    }

    fn write(&mut self, _offset: u32, _bytes: &[u8]) -> Result<(), NotThere> {
        Err(NotThere)
    }
}

/// Sizes of a part, as far as they matter to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) unit: u32,
    pub(crate) segment: u32,
    pub(crate) erased: u8,
    pub(crate) capacity: usize,
}

/// What most headers in the image agree on. Headers lie at multiples of their own segment length.
pub(crate) fn guess(bytes: &[u8]) -> Option<(Sizes, ClearHeader)> {
    const STEP: usize = 128;
    let mut votes: Vec<(Sizes, ClearHeader, usize)> = Vec::new();
    for at in (0..bytes.len()).step_by(STEP) {
        let Some(header) = bytes.get(at..).and_then(ClearHeader::parse) else { continue };
        if !at.is_multiple_of(header.segment as usize) {
            continue;
        }
        let sizes = Sizes { unit: header.unit, segment: header.segment, erased: header.erased, capacity: bytes.len() };
        match votes.iter_mut().find(|(other, _, _)| *other == sizes) {
            Some((_, newest, count)) => {
                *count += 1;
                if header.sequence > newest.sequence {
                    *newest = header;
                }
            }
            None => votes.push((sizes, header, 1)),
        }
    }
    votes.into_iter().max_by_key(|(_, _, count)| *count).map(|(sizes, header, _)| (sizes, header))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_reads_as_far_as_it_goes() {
        let mut flash = ImageFlash::new(&[1, 2, 3, 4], 8);
        let mut bytes = [0; 2];
        assert_eq!(flash.read(2, &mut bytes), Ok(()));
        assert_eq!(bytes, [3, 4]);
        assert_eq!(flash.read(3, &mut bytes), Err(NotThere));
        assert_eq!(flash.read(u32::MAX, &mut bytes), Err(NotThere));
        assert_eq!((flash.write(0, &[0]), flash.erase(0, 128), flash.capacity()), (Err(NotThere), Err(NotThere), 8));
    }

    #[test]
    fn nothing_is_guessed_from_noise() {
        assert_eq!(guess(&[]), None);
        assert_eq!(guess(&[0xff; 8192]), None);
    }
}
