//! A block device, such as an SD card, eMMC or a disk, as flash for Lockstone.
//!
//! ```text
//! store ──> BlockFlash (NorFlash: units of 512 bytes, erase blocks as large as you say) ──> BlockDevice (yours)
//!            program  = write the sectors, flush
//!            erase    = write sectors of the erased value, flush
//!            read     = read the sectors, copy what was asked for
//! ```
//!
//! A block device is no flash: its sectors may be overwritten, and what it was told to write it may keep in a cache, write in
//! another order, and lose or tear when power goes. The store assumes less than that of its flash, but it does assume that
//! a program or erase that returned is there to stay (see the documentation of `lockstone`, "What the flash must do"). So
//! nothing returns here before the device says that its cache is empty, and nothing is read or written before it has said so
//! once: it may hold what an earlier session wrote, or a call that failed. Then a cut has touched no sectors but those of the
//! call that it hit, whatever it made of them, if the device keeps what [`BlockDevice`] asks for.
//!
//! The erased value is yours to choose: 0x00 makes a card that was never written, or a sparse file, a blank part.
//! What is read is always read from the device, so that the store's own check of what it wrote is one.
//!
//! ```
//! use lockstone_block::{BlockDevice, BlockFlash, SECTOR};
//! use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
//!
//! /// 1 MiB of RAM, in place of a card.
//! struct RamDisk(Vec<[u8; SECTOR]>);
//!
//! impl BlockDevice for RamDisk {
//!     type Error = core::convert::Infallible;
//!
//!     fn sectors(&self) -> u32 {
//!         2048
//!     }
//!
//!     fn read(&mut self, sector: u32, data: &mut [u8; SECTOR]) -> Result<(), Self::Error> {
//!         Ok(*data = self.0[sector as usize])
//!     }
//!
//!     fn write(&mut self, sector: u32, data: &[u8; SECTOR]) -> Result<(), Self::Error> {
//!         Ok(self.0[sector as usize] = *data)
//!     }
//!
//!     fn flush(&mut self) -> Result<(), Self::Error> {
//!         Ok(()) // RAM has no cache
//!     }
//! }
//!
//! // The second half of the disk, in blocks of 16 KiB; a disk of zeros is blank.
//! let disk = RamDisk(vec![[0; SECTOR]; 2048]);
//! let mut flash = BlockFlash::<_, 16_384>::new(disk, 1024, 1024, 0x00).expect("the disk is large enough");
//! flash.write(512, &[7; 512])?;
//! assert_eq!(flash.capacity(), 512 * 1024);
//! # Ok::<(), lockstone_block::BlockError<core::convert::Infallible>>(())
//! ```
//!
//! Tested by `tests/it`: scripts of the store's own tests on a model of a card that caches, reorders, loses and tears, cut
//! at up to 120 of its operations a script, evenly spread.
#![no_std]
#![forbid(unsafe_code)]

use core::fmt::{self, Debug};

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};

/// Bytes of a sector.
pub const SECTOR: usize = 512;

/// Something that reads and writes sectors.
///
/// **A cut may harm the sectors that are being written, and no others**: those written since the last flush that returned.
/// Not every device keeps that. A disk with sectors of 4 KiB that shows them as 512 bytes (512e) and a card whose pages are
/// larger write the neighbours too, and may tear them; what the store has promised to keep can be among them. Ask the vendor,
/// and cut its power in a test.
pub trait BlockDevice {
    /// What the device says when it fails.
    type Error: Debug;

    /// How many sectors there are.
    fn sectors(&self) -> u32;

    /// Reads a sector.
    ///
    /// # Errors
    /// The device's own.
    fn read(&mut self, sector: u32, data: &mut [u8; SECTOR]) -> Result<(), Self::Error>;

    /// Writes a sector, which may stay in a cache. When power goes before the next flush has returned, anything may be in it.
    ///
    /// # Errors
    /// The device's own; anything may be in the sector.
    fn write(&mut self, sector: u32, data: &[u8; SECTOR]) -> Result<(), Self::Error>;

    /// Returns when all that was written is there to stay. **A device that says so too early loses what the store has
    /// promised to keep**; an SD card in SPI mode is done when it is not busy any more.
    ///
    /// # Errors
    /// The device's own; anything may be in the sectors written since the last flush.
    fn flush(&mut self) -> Result<(), Self::Error>;
}

impl<D: BlockDevice + ?Sized> BlockDevice for &mut D {
    type Error = D::Error;

    fn sectors(&self) -> u32 {
        (**self).sectors()
    }

    fn read(&mut self, sector: u32, data: &mut [u8; SECTOR]) -> Result<(), Self::Error> {
        (**self).read(sector, data)
    }

    fn write(&mut self, sector: u32, data: &[u8; SECTOR]) -> Result<(), Self::Error> {
        (**self).write(sector, data)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        (**self).flush()
    }
}

/// Part of a block device as flash, with erase blocks of `ERASE` bytes. A store takes several together where they are smaller
/// than one of its segments.
#[derive(Debug)]
pub struct BlockFlash<D, const ERASE: usize> {
    device: D,
    /// First sector of the part, and how many there are.
    start: u32,
    sectors: u32,
    erased: u8,
    /// The device may hold in its cache what was written before, by an earlier session too.
    is_unsettled: bool,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockError<E> {
    /// The device failed.
    Device(E),
    /// The range is not within the part. Nothing was done.
    OutOfBounds,
    /// The range is not in whole sectors, or not in whole erase blocks. Nothing was done.
    NotAligned,
}

impl<E: Debug> fmt::Display for BlockError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(error) => write!(f, "the block device failed: {error:?}"),
            Self::OutOfBounds => f.write_str("the range is not within the part; nothing was done"),
            Self::NotAligned => f.write_str("the range is not in whole sectors or erase blocks; nothing was done"),
        }
    }
}

impl<E: Debug> core::error::Error for BlockError<E> {}

impl<E: Debug> NorFlashError for BlockError<E> {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Device(_) => NorFlashErrorKind::Other,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::NotAligned => NorFlashErrorKind::NotAligned,
        }
    }
}

impl<D: BlockDevice, const ERASE: usize> BlockFlash<D, ERASE> {
    /// `sectors` sectors from `start` on, of which those of `erased` bytes alone count as blank. `None`: they are not there,
    /// are no whole number of erase blocks, or are 4 GiB or more.
    pub fn new(device: D, start: u32, sectors: u32, erased: u8) -> Option<Self> {
        const { assert!(ERASE > 0 && ERASE.is_multiple_of(SECTOR), "an erase block is one sector or more") };
        let within = start.checked_add(sectors)? <= device.sectors();
        let length = (sectors as usize).checked_mul(SECTOR)?;
        let addressable = u32::try_from(length).is_ok();
        (within && addressable && length.is_multiple_of(ERASE)).then_some(Self {
            device,
            start,
            sectors,
            erased,
            is_unsettled: true,
        })
    }

    /// Empties the cache of the device: whatever is read or written then rests on what is there to stay.
    fn settle(&mut self) -> Result<(), BlockError<D::Error>> {
        if self.is_unsettled {
            self.device.flush().map_err(BlockError::Device)?;
            self.is_unsettled = false;
        }
        Ok(())
    }

    /// Gives the device back.
    pub fn into_device(self) -> D {
        self.device
    }

    fn check(&self, offset: u32, length: usize, unit: usize) -> Result<(), BlockError<D::Error>> {
        let (offset, capacity) = (offset as usize, self.capacity());
        if offset > capacity || length > capacity - offset {
            return Err(BlockError::OutOfBounds);
        }
        if offset.is_multiple_of(unit) && length.is_multiple_of(unit) { Ok(()) } else { Err(BlockError::NotAligned) }
    }

    /// The sector of the device at an offset of the part.
    const fn sector(&self, offset: u32) -> u32 {
        self.start + offset / SECTOR_BYTES
    }
}

const SECTOR_BYTES: u32 = 512;

impl<D: BlockDevice, const ERASE: usize> ErrorType for BlockFlash<D, ERASE> {
    type Error = BlockError<D::Error>;
}

impl<D: BlockDevice, const ERASE: usize> ReadNorFlash for BlockFlash<D, ERASE> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.check(offset, bytes.len(), Self::READ_SIZE)?;
        self.settle()?;
        let (mut sector, mut skipped) = (self.sector(offset), offset as usize % SECTOR);
        let mut rest = bytes;
        while !rest.is_empty() {
            let mut data = [0; SECTOR];
            self.device.read(sector, &mut data).map_err(BlockError::Device)?;
            let (piece, behind) = rest.split_at_mut(rest.len().min(SECTOR - skipped));
            piece.copy_from_slice(&data[skipped..skipped + piece.len()]);
            (rest, sector, skipped) = (behind, sector + 1, 0);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.sectors as usize * SECTOR
    }
}

impl<D: BlockDevice, const ERASE: usize> NorFlash for BlockFlash<D, ERASE> {
    const WRITE_SIZE: usize = SECTOR;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let length = to.checked_sub(from).ok_or(BlockError::OutOfBounds)?;
        self.check(from, length as usize, ERASE)?;
        self.settle()?;
        self.is_unsettled = true;
        let blank = [self.erased; SECTOR];
        for sector in self.sector(from)..self.sector(to) {
            self.device.write(sector, &blank).map_err(BlockError::Device)?;
        }
        self.settle()
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.check(offset, bytes.len(), SECTOR)?;
        self.settle()?;
        self.is_unsettled = true;
        let (sectors, _) = bytes.as_chunks::<SECTOR>();
        for (sector, data) in (self.sector(offset)..).zip(sectors) {
            self.device.write(sector, data).map_err(BlockError::Device)?;
        }
        self.settle()
    }
}
