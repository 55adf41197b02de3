//! `flash.bin`: a flash part in a file, under the rules of NOR flash, durable after each program and erase.
#![forbid(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

/// Set to 1, it leaves out the flush after each program and erase: for tests, which kill processes but not the machine. Only
/// a library with the simulator heeds it.
const NO_SYNC: &str = "LOCKSTONE_NO_SYNC";

/// A flash in a file. An erased byte is 0xff.
#[derive(Clone, Debug)]
pub(crate) struct FileFlash {
    file: Arc<File>,
    size: u32,
    durable: bool,
}

impl FileFlash {
    /// Opens a flash of `size` bytes; one that was cut off or lengthened is refused.
    pub(super) fn open(path: &Path, size: u32) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if file.metadata()?.len() != u64::from(size) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let durable =
            cfg!(not(any(test, feature = "sim"))) || std::env::var_os(NO_SYNC).is_none_or(|value| value != "1");
        Ok(Self { file: Arc::new(file), size, durable })
    }

    pub(crate) const fn size(&self) -> u32 {
        self.size
    }

    /// Goes to a range, if it is within the part.
    fn seek(&mut self, offset: u32, length: usize) -> io::Result<()> {
        let end = u64::from(offset) + length as u64;
        if end > u64::from(self.size) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        (&*self.file).seek(SeekFrom::Start(offset.into())).map(drop)
    }

    pub(crate) fn read(&mut self, offset: u32, bytes: &mut [u8]) -> io::Result<()> {
        self.seek(offset, bytes.len())?;
        (&*self.file).read_exact(bytes)
    }

    /// Clears bits; where one would have to be set, nothing is written.
    pub(crate) fn write(&mut self, offset: u32, bytes: &[u8]) -> io::Result<()> {
        let mut cells = vec![0; bytes.len()];
        self.read(offset, &mut cells)?;
        if cells.iter().zip(bytes).any(|(cell, byte)| cell & byte != *byte) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.put(offset, bytes)
    }

    pub(crate) fn erase(&mut self, offset: u32, length: usize) -> io::Result<()> {
        self.seek(offset, length)?;
        self.put(offset, &vec![0xff; length])
    }

    fn put(&mut self, offset: u32, bytes: &[u8]) -> io::Result<()> {
        self.seek(offset, bytes.len())?;
        (&*self.file).write_all(bytes)?;
        if self.durable { self.file.sync_data() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_obeys_the_rules_of_flash_within_its_bounds() {
        let place = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(place.path(), [0xff; 512]).unwrap();
        assert!(FileFlash::open(place.path(), 513).is_err(), "cut off");
        let mut flash = FileFlash::open(place.path(), 512).unwrap();
        flash.write(8, &[0xf0; 4]).unwrap();
        flash.write(8, &[0x30; 4]).unwrap();
        assert!(flash.write(6, &[0x31; 4]).is_err(), "a bit would have to be set");
        let mut bytes = [0; 4];
        flash.read(8, &mut bytes).unwrap();
        assert_eq!(bytes, [0x30; 4]);
        assert!(flash.read(509, &mut bytes).is_err() && flash.write(509, &bytes).is_err());
        assert!(flash.erase(384, 256).is_err() && flash.read(u32::MAX, &mut bytes).is_err());
        flash.erase(0, 128).unwrap();
        flash.read(8, &mut bytes).unwrap();
        assert_eq!((bytes, flash.size()), ([0xff; 4], 512));
    }
}
