//! `trusted/counter`: decimal digits and a newline, replaced whole.
//!
//! A new value is written beside the old one, flushed, and renamed over it, and the directory flushed before anything is said.
//! A file that is gone is never made again, and one that makes no sense is never replaced.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use super::make::{flush_directory, write_private_like};

/// A counter in a file.
#[derive(Debug)]
pub(crate) struct FileCounter {
    path: PathBuf,
    limit: u64,
    /// What is there has reached the disk.
    durable: bool,
}

impl FileCounter {
    pub(super) const fn new(path: PathBuf, limit: u64) -> Self {
        Self { path, limit, durable: false }
    }

    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn read(&mut self) -> io::Result<u64> {
        if !self.durable {
            flush_directory(self.path.parent())?;
            self.durable = true;
        }
        let mut content = String::new();
        File::open(&self.path)?.take(32).read_to_string(&mut content)?;
        let value: Option<u64> = content.strip_suffix('\n').and_then(|digits| digits.parse().ok());
        let good = value.filter(|value| text(*value) == content && *value <= self.limit);
        good.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    pub(crate) fn increment(&mut self) -> io::Result<u64> {
        let next = self.read()? + 1;
        if next > self.limit {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.durable = false;
        let place = fs::canonicalize(&self.path)?;
        let hidden = place.with_file_name(".counter.new");
        match fs::remove_file(&hidden) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => write_private_like(&hidden, text(next).as_bytes(), &place)?,
        }
        fs::rename(&hidden, &place)?;
        flush_directory(place.parent())?;
        self.durable = true;
        Ok(next)
    }
}

fn text(value: u64) -> String {
    format!("{value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_to_its_limit_and_replaces_no_nonsense() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counter");
        fs::write(&path, "0\n").unwrap();
        let counter = || FileCounter::new(path.clone(), 3);
        fs::write(folder.path().join(".counter.new"), "left by a kill").unwrap();
        for value in 1..=3 {
            assert_eq!(counter().increment().unwrap(), value);
        }
        assert!(counter().increment().is_err());
        assert_eq!(counter().read().unwrap(), 3);
        for nonsense in ["", "1", "01\n", "-1\n", "+1\n", " 1\n", "1\n\n", "4\n", "99999999999999999999\n"] {
            fs::write(&path, nonsense).unwrap();
            assert!(counter().read().is_err() && counter().increment().is_err(), "{nonsense:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), nonsense);
        }
        fs::remove_file(&path).unwrap();
        assert!(counter().increment().is_err() && !path.exists(), "what is gone is not made again");
    }

    /// Root may serve the device of somebody else, who may use it afterwards.
    #[cfg(unix)]
    #[test]
    fn it_stays_with_its_owner() {
        use std::os::unix::fs::{MetadataExt, chown};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counter");
        fs::write(&path, "0\n").unwrap();
        if let Err(error) = chown(&path, Some(54321), Some(54321)) {
            return println!("only root can try this: {error}");
        }
        assert_eq!(FileCounter::new(path.clone(), 3).increment().unwrap(), 1);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (54321, 54321));
    }
}
