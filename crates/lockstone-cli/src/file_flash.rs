//! A flash part in a file: `flash.bin`, under the rules of NOR flash.
//!
//! A program clears bits only; one that would have to set a bit is refused and nothing is written. An erase fills whole
//! blocks with 0xff. Both are durable when they return, so a process that is killed, or a machine that loses power,
//! leaves what a device would leave. The units here are the finest; the part's own come from `device.toml`.
//!
//! Nothing is cached: every read sees the file as it is now, as an attacker may have changed it.
//!
//! Keys, objects and slots share the file, each through a [`FileVolume`] that reaches no byte of the others.

use std::cell::RefCell;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::rc::Rc;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// Set to 1, it leaves out the flush after each program and erase: for tests, which kill processes but not the machine.
const NO_SYNC: &str = "LOCKSTONE_NO_SYNC";

/// What can go wrong with a flash in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlashError {
    /// The file system said no.
    Io(io::ErrorKind),
    NotAligned,
    OutOfBounds,
    /// A program would have to set a bit: the place was not erased.
    NotErased,
}

impl fmt::Display for FlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => write!(f, "can't read or write flash.bin: {kind}"),
            Self::NotAligned => f.write_str("flash.bin was addressed out of alignment"),
            Self::OutOfBounds => f.write_str("flash.bin was addressed out of bounds"),
            Self::NotErased => f.write_str("a place in flash.bin that should be erased is not"),
        }
    }
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::Io(_) | Self::NotErased => NorFlashErrorKind::Other,
        }
    }
}

impl From<NorFlashErrorKind> for FlashError {
    fn from(kind: NorFlashErrorKind) -> Self {
        if kind == NorFlashErrorKind::NotAligned { Self::NotAligned } else { Self::OutOfBounds }
    }
}

impl From<io::Error> for FlashError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// A NOR flash part that lives in a file. An erased byte is 0xff.
#[derive(Debug)]
pub(crate) struct FileFlash {
    file: File,
    capacity: usize,
    durable: bool,
}

impl FileFlash {
    /// Opens the file, for reading only or for both.
    pub(crate) fn open(path: &Path, capacity: usize, writable: bool) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(writable).open(path)?;
        let durable = std::env::var_os(NO_SYNC).is_none_or(|value| value != "1");
        Ok(Self { file, capacity, durable })
    }

    /// Makes an erased part. Nothing is durable before [`finish`](Self::finish) or outside of it.
    pub(crate) fn create(path: &Path, capacity: usize) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        let blank = [0xff; 4096];
        let mut left = capacity;
        while left > 0 {
            let length = left.min(blank.len());
            file.write_all(&blank[..length])?;
            left -= length;
        }
        Ok(Self { file, capacity, durable: false })
    }

    /// Makes all that was written durable.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn read_at(&mut self, offset: u32, bytes: &mut [u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset.into()))?;
        self.file.read_exact(bytes)
    }

    fn write_at(&mut self, offset: u32, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset.into()))?;
        self.file.write_all(bytes)?;
        if self.durable { self.file.sync_data() } else { Ok(()) }
    }
}

impl ErrorType for FileFlash {
    type Error = FlashError;
}

impl ReadNorFlash for FileFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len())?;
        Ok(self.read_at(offset, bytes)?)
    }

    fn capacity(&self) -> usize {
        self.capacity
    }
}

impl NorFlash for FileFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 128;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to)?;
        let mut cells = vec![0; (to - from) as usize];
        self.read_at(from, &mut cells)?;
        if cells.iter().all(|cell| *cell == 0xff) {
            return Ok(());
        }
        cells.fill(0xff);
        Ok(self.write_at(from, &cells)?)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len())?;
        let mut cells = vec![0; bytes.len()];
        self.read_at(offset, &mut cells)?;
        if cells.iter().zip(bytes).any(|(cell, byte)| cell & byte != *byte) {
            return Err(FlashError::NotErased);
        }
        Ok(self.write_at(offset, bytes)?)
    }
}

/// A part of a flash in a file, which is a flash itself.
#[derive(Debug)]
pub(crate) struct FileVolume {
    flash: Rc<RefCell<FileFlash>>,
    start: u32,
    length: u32,
}

impl FileVolume {
    /// A range of a flash, which a volume table vouches for.
    pub(crate) fn on(flash: &Rc<RefCell<FileFlash>>, start: u32, length: u32) -> Self {
        Self { flash: Rc::clone(flash), start, length }
    }

    /// Makes all that was written durable.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.flash.borrow().finish()
    }
}

impl ErrorType for FileVolume {
    type Error = FlashError;
}

impl ReadNorFlash for FileVolume {
    const READ_SIZE: usize = FileFlash::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len())?;
        self.flash.borrow_mut().read(self.start + offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.length as usize
    }
}

impl NorFlash for FileVolume {
    const WRITE_SIZE: usize = FileFlash::WRITE_SIZE;
    const ERASE_SIZE: usize = FileFlash::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to)?;
        self.flash.borrow_mut().erase(self.start + from, self.start + to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len())?;
        self.flash.borrow_mut().write(self.start + offset, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> (tempfile::TempDir, FileFlash) {
        let directory = tempfile::tempdir().unwrap();
        let flash = FileFlash::create(&directory.path().join("flash.bin"), 1024).unwrap();
        (directory, flash)
    }

    fn at(flash: &mut FileFlash, offset: u32) -> [u8; 4] {
        let mut bytes = [0; 4];
        flash.read(offset, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_program_clears_bits_and_never_sets_one() {
        let (_directory, mut flash) = part();
        assert_eq!(flash.write(8, &[0xf0; 4]), Ok(()));
        assert_eq!(flash.write(8, &[0x30; 4]), Ok(()));
        assert_eq!(flash.write(6, &[0x31; 4]), Err(FlashError::NotErased));
        assert_eq!((at(&mut flash, 4), at(&mut flash, 8)), ([0xff; 4], [0x30; 4]));
    }

    #[test]
    fn an_erase_takes_whole_blocks_within_bounds() {
        let (_directory, mut flash) = part();
        flash.write(128, &[0; 128]).unwrap();
        assert_eq!(flash.erase(0, 100), Err(FlashError::NotAligned));
        assert_eq!(flash.erase(896, 1152), Err(FlashError::OutOfBounds));
        assert_eq!(at(&mut flash, 128), [0; 4]);
        assert_eq!(flash.erase(128, 256), Ok(()));
        assert_eq!(at(&mut flash, 128), [0xff; 4]);
        assert_eq!(flash.write(1022, &[0; 4]), Err(FlashError::OutOfBounds));
    }

    #[test]
    fn a_volume_reaches_no_byte_of_the_other() {
        let (_directory, flash) = part();
        let flash = Rc::new(RefCell::new(flash));
        let (mut front, mut behind) = (FileVolume::on(&flash, 0, 256), FileVolume::on(&flash, 256, 768));
        assert_eq!((front.capacity(), behind.capacity()), (256, 768));
        behind.write(0, &[7; 4]).unwrap();
        let mut bytes = [0; 4];
        assert_eq!(front.read(256, &mut bytes), Err(FlashError::OutOfBounds));
        assert_eq!(front.write(254, &[0; 4]), Err(FlashError::OutOfBounds));
        assert_eq!(front.erase(0, 384), Err(FlashError::OutOfBounds));
        assert_eq!((front.erase(0, 256), behind.read(0, &mut bytes), bytes), (Ok(()), Ok(()), [7; 4]));
        assert_eq!(behind.erase(0, 896), Err(FlashError::OutOfBounds));
    }
}
