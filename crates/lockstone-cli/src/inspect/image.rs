//! An image in memory: what was read out of a flash, whole or not. Nothing writes to it.

use std::collections::HashMap;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use lockstone::inspect::ClearHeader;
use lockstone::trust::MonotonicCounter;

use crate::exit::{Exit, Failure};

/// A flash that can only be read. What lies behind the end of the image can't be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageFlash<'i> {
    bytes: &'i [u8],
    capacity: usize,
}

/// The image ends before that place, or somebody tried to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotThere;

impl From<NotThere> for Failure {
    fn from(_: NotThere) -> Self {
        Self::new(Exit::Damaged, "the image ends too early")
    }
}

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

/// A counter as it was read, or none: then the flash is shown all the same, and nobody vouches for its age.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadCounter(pub(crate) Option<u32>);

impl MonotonicCounter for ReadCounter {
    type Error = NotThere;

    fn read(&mut self) -> Result<u64, NotThere> {
        Ok(self.0.unwrap_or(0).into())
    }

    fn increment(&mut self) -> Result<u64, NotThere> {
        Err(NotThere)
    }

    fn limit(&self) -> u64 {
        self.0.unwrap_or(0).into()
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

/// No store has more.
const SEGMENTS_MAX: usize = 0xffff;
/// More kinds of headers than this are noise.
const KINDS: usize = 64;

/// What most headers in the image agree on, and the newest of those. Headers lie at multiples of their segment length.
///
/// A header says its number, and a number its place: so the headers tell how many segments the flash has, even if the
/// image has more or fewer.
pub(crate) fn guess(bytes: &[u8]) -> Option<(Sizes, ClearHeader)> {
    const STEP: usize = 128;
    let mut kinds: HashMap<(u32, u32, u8), Vec<(usize, ClearHeader)>> = HashMap::new();
    for at in (0..bytes.len()).step_by(STEP) {
        let Some(header) = bytes.get(at..).and_then(ClearHeader::parse) else { continue };
        let kind = (header.unit, header.segment, header.erased);
        let known = kinds.contains_key(&kind) || kinds.len() < KINDS;
        if known && at.is_multiple_of(header.segment as usize) {
            kinds.entry(kind).or_default().push((at / header.segment as usize, header));
        }
    }
    let ((unit, segment, erased), headers) = kinds.into_iter().max_by_key(|(kind, headers)| (headers.len(), *kind))?;
    let segments = segments(&headers, bytes.len() / segment as usize);
    let sizes = Sizes { unit, segment, erased, capacity: segments * segment as usize };
    let newest = headers.into_iter().map(|(_, header)| header).max_by_key(|header| header.sequence)?;
    Some((sizes, newest))
}

/// How many segments fit all headers: as many as the image has, or what divides every difference of number and place.
fn segments(headers: &[(usize, ClearHeader)], in_image: usize) -> usize {
    let differences = headers.iter().map(|(place, header)| (header.sequence as usize).abs_diff(*place));
    let common = differences.fold(0, gcd);
    let last = headers.iter().map(|(place, _)| place + 1).max().unwrap_or(0);
    let is_possible = common >= last && common <= SEGMENTS_MAX && common % in_image.max(1) != 0;
    if is_possible { common } else { in_image }
}

fn gcd(one: usize, other: usize) -> usize {
    if other == 0 { one } else { gcd(other, one % other) }
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

    #[test]
    fn the_headers_say_how_many_segments_there_are() {
        let header = ClearHeader::parse(&{
            let mut bytes = [0; 80];
            bytes[..8].copy_from_slice(b"LKS\x01\x01\x82\x00\x04");
            bytes[28..32].copy_from_slice(&4096_u32.to_le_bytes());
            bytes
        });
        let at = |place: usize, sequence| (place, ClearHeader { sequence, ..header.unwrap() });
        let round = [at(0, 32), at(1, 17), at(5, 21), at(15, 31)];
        assert_eq!([16, 32, 20].map(|in_image| segments(&round, in_image)), [16; 3]);
        let far = [at(0, 0), at(1, 1 << 30)];
        assert_eq!(segments(&far, 16), 16, "no store has so many");
        let first_round = [at(0, 0), at(1, 1)];
        assert_eq!([16, 32].map(|in_image| segments(&first_round, in_image)), [16, 32]);
    }
}
