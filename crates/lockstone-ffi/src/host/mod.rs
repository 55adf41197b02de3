//! Host: a device in a directory, as the command line makes and uses it.
//!
//! ```text
//! DEV/flash.bin          untrusted: the content of the flash
//! DEV/device.toml        sizes and suite; also carries the lock
//! DEV/trusted/root.key   32 random bytes, for the owner alone
//! DEV/trusted/counter    counts protected changes
//! ```
//!
//! One is made where nothing is, whole or not at all, for its owner alone. What is there is opened or refused, and never
//! formatted. The device is locked for as long as it's open, so no other process uses it meanwhile, the command line included.
//! Whoever can write to the directory can do anything: on a host the counter and the key are files.
#![forbid(unsafe_code)]

mod counter;
mod flash;
mod make;
mod toml;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use lockstone::{Part, SoftRootKey};
use zeroize::Zeroizing;

pub(crate) use counter::FileCounter;
pub(crate) use flash::FileFlash;
use toml::Config;

use crate::failure::{Failure, Result};

/// The environment variable that names the device.
const PLACE: &str = "LOCKSTONE_DEVICE";
/// Where it is if that is not set: in the present directory.
const USUAL: &str = "lockstone-device";

const FLASH: &str = "flash.bin";
const CONFIG: &str = "device.toml";
const TRUSTED: &str = "trusted";
const ROOT_KEY: &str = "trusted/root.key";
const COUNTER: &str = "trusted/counter";

/// A device that is locked, with all that a store is mounted from.
pub(crate) struct Device {
    pub(crate) flash: FileFlash,
    pub(crate) counter: FileCounter,
    pub(crate) part: Part,
    /// Bytes of an erase block.
    pub(crate) block: u32,
    pub(crate) root: SoftRootKey,
    pub(crate) heads: u32,
    pub(crate) lock: File,
    /// Bytes for keys, at the front; what is behind is for objects.
    pub(crate) keys: u32,
}

impl Device {
    /// The device that is used when nobody says which.
    pub(crate) fn usual_place() -> PathBuf {
        std::env::var_os(PLACE).filter(|place| !place.is_empty()).unwrap_or_else(|| OsString::from(USUAL)).into()
    }

    /// Opens the device, or makes one where nothing is.
    pub(crate) fn open_or_make(path: &Path) -> Result<Self> {
        if std::fs::symlink_metadata(path).is_err() {
            make::make(path)?;
        }
        Self::open(path)
    }

    /// Opens the device; where nothing is nothing is made.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut lock = File::open(path.join(CONFIG)).map_err(|_| Failure::Device)?;
        lock.try_lock().map_err(|_| Failure::Device)?;
        let mut text = String::new();
        lock.read_to_string(&mut text).map_err(|_| Failure::Device)?;
        let config = Config::parse(&text).ok_or(Failure::Device)?;
        let root = read_key(&path.join(ROOT_KEY)).ok_or(Failure::RootKey)?;
        let flash = FileFlash::open(&path.join(FLASH), config.flash).map_err(|_| Failure::Device)?;
        Ok(Self {
            flash,
            counter: FileCounter::new(path.join(COUNTER), config.counter_limit.into()),
            part: Part::NOR.with_units(config.write as usize, config.block as usize),
            block: config.block,
            root,
            heads: config.heads,
            lock,
            keys: config.store(),
        })
    }

    /// At most so many segments.
    pub(crate) const fn segments(&self) -> usize {
        self.keys as usize / 2048
    }
}

/// A key of 32 bytes in a file, and nothing else there.
fn read_key(path: &Path) -> Option<SoftRootKey> {
    let mut file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|metadata| metadata.len() == 32))?;
    let mut key = Zeroizing::new([0; 32]);
    file.read_exact(key.as_mut_slice()).ok()?;
    Some(SoftRootKey::new(*key))
}
