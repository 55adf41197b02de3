//! Volumes: one flash in parts that can't reach each other, such as keys in front and objects behind. Which, says the program
//! itself, or a table (`table.rs`).

use core::cell::RefCell;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};

use crate::layout::LayoutError;

/// A part of a flash, which is a flash itself. Nothing outside of it can be reached through it.
///
/// Blocking only: an asynchronous driver is shared with a mutex, as `embassy-embedded-hal` has one for partitions.
#[derive(Debug)]
pub struct Volume<'f, F> {
    flash: &'f RefCell<F>,
    start: u32,
    length: u32,
}

/// Why a call on a volume failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VolumeError<E> {
    /// The flash driver failed.
    Flash(E),
    /// The range is not within the volume. Nothing was done.
    OutOfBounds,
    /// The flash is in use by another volume, from an interrupt say. Nothing was done.
    Busy,
}

impl<'f, F: NorFlash> Volume<'f, F> {
    /// Cuts the front of a flash into volumes of these lengths, one behind the other, so that no two overlap.
    ///
    /// # Errors
    /// [`LayoutError::Volumes`] when a length is no whole number of erase blocks, or they don't fit.
    pub fn split<const N: usize>(flash: &'f RefCell<F>, lengths: [u32; N]) -> Result<[Self; N], LayoutError> {
        let capacity = flash.try_borrow().map_or(0, |flash| flash.capacity());
        let mut end = 0_u32;
        let mut good = true;
        let volumes = lengths.map(|length| {
            let start = end;
            end = end.saturating_add(length);
            good &= (length as usize).is_multiple_of(F::ERASE_SIZE) && end as usize <= capacity && end < u32::MAX;
            Self { flash, start, length }
        });
        if good { Ok(volumes) } else { Err(LayoutError::Volumes) }
    }

    /// A range of the flash, which its table vouches for.
    #[cfg(feature = "objects")]
    pub(crate) const fn of(flash: &'f RefCell<F>, start: u32, length: u32) -> Self {
        Self { flash, start, length }
    }

    /// Calls the driver with the address on the flash of a range of the volume.
    fn at<T>(
        &self,
        from: u32,
        length: usize,
        call: impl FnOnce(&mut F, u32) -> Result<T, F::Error>,
    ) -> Result<T, VolumeError<F::Error>> {
        let end = u32::try_from(length).ok().and_then(|length| from.checked_add(length));
        if end.is_none_or(|end| end > self.length) {
            return Err(VolumeError::OutOfBounds);
        }
        let mut flash = self.flash.try_borrow_mut().map_err(|_| VolumeError::Busy)?;
        call(&mut flash, self.start + from).map_err(VolumeError::Flash)
    }
}

impl<E: NorFlashError> NorFlashError for VolumeError<E> {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Flash(error) => error.kind(),
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::Busy => NorFlashErrorKind::Other,
        }
    }
}

impl<E: core::fmt::Debug> core::fmt::Display for VolumeError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the flash driver failed: {error:?}"),
            Self::OutOfBounds => f.write_str("the range is not within the volume; nothing was done"),
            Self::Busy => f.write_str("the flash is in use by another volume; nothing was done"),
        }
    }
}

impl<E: core::fmt::Debug> core::error::Error for VolumeError<E> {}

impl<F: NorFlash> ErrorType for Volume<'_, F> {
    type Error = VolumeError<F::Error>;
}

impl<F: NorFlash> ReadNorFlash for Volume<'_, F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.at(offset, bytes.len(), |flash, at| flash.read(at, bytes))
    }

    fn capacity(&self) -> usize {
        self.length as usize
    }
}

impl<F: NorFlash> NorFlash for Volume<'_, F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let length = to.checked_sub(from).ok_or(VolumeError::OutOfBounds)?;
        self.at(from, length as usize, |flash, at| flash.erase(at, at + length))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.at(offset, bytes.len(), |flash, at| flash.write(at, bytes))
    }
}
