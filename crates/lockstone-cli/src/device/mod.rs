//! A device directory: what an attacker may touch, kept apart from what he may not.
//!
//! ```text
//! DEV/flash.bin          untrusted: the content of the flash
//! DEV/device.toml        sizes, suite; also carries the lock. Trusted: it stands for what firmware is compiled with
//! DEV/trusted/root.key   32 random bytes, for the owner alone
//! DEV/trusted/counter    reserved: roll-back protection is not part of this release, nothing claims it
//! ```
//!
//! Commands that may write lock the device for themselves, those that only read share it; whoever waits longer than two
//! seconds is told that the device is busy. Tested by the suites `commands`, `lock` and `killed`.

mod config;
mod create;
mod session;
// Not wired to the commands yet.
#[cfg(test)]
mod trusted;

use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lockstone::{Head, Memory, SoftRootKey, State};
use lockstone_sim::SimFlash;
use zeroize::Zeroizing;

pub(crate) use config::{Config, Geometry, Suite};
pub(crate) use create::{create, create_from, create_image};
pub(crate) use session::Session;

use crate::exit::{Exit, Failure};
use crate::file_flash::FileFlash;

/// Bucket heads of every device made here; part of what a store is formatted with.
pub(crate) const HEADS: usize = 1024;

/// Bytes of the longest record of any geometry.
const BUFFER: usize = 2048;
/// A byte a segment, up to 32 MiB of 4 KiB.
const SEGMENTS: usize = 8192;

/// A flash in memory, whatever part it stands for: for images that are made.
pub(crate) type Chip = SimFlash<1, 1, 128>;

/// RAM of a store that is made here.
pub(crate) type Ram = Memory<HEADS, BUFFER, SEGMENTS>;

/// RAM of a store that is mounted, with as many heads as it was formatted with.
#[derive(Debug)]
pub(crate) struct AnyRam {
    heads: Vec<Head>,
    buffer: Zeroizing<Vec<u8>>,
    used: Vec<u8>,
    state: State,
}

impl AnyRam {
    pub(crate) fn new() -> Self {
        let buffer = Zeroizing::new(vec![0; BUFFER]);
        Self { heads: Vec::new(), buffer, used: vec![0; SEGMENTS], state: State::new() }
    }

    pub(crate) fn with_heads(&mut self, heads: usize) -> lockstone::Ram<'_> {
        self.heads.resize(heads, Head::EMPTY);
        lockstone::Ram::new(&mut self.heads, &mut self.buffer, &mut self.used, &mut self.state)
    }
}

const FLASH: &str = "flash.bin";
const CONFIG: &str = "device.toml";
const TRUSTED: &str = "trusted";
const ROOT_KEY: &str = "trusted/root.key";
const COUNTER: &str = "trusted/counter";

const PATIENCE: Duration = Duration::from_secs(2);

/// What a command will do with a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Look only: others may look at the same time.
    Look,
    /// Maybe write.
    Use,
}

/// A device directory whose `device.toml` made sense.
#[derive(Debug)]
pub(crate) struct Device {
    path: PathBuf,
    pub(crate) config: Config,
    file: File,
}

/// A device that is held for a purpose until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    device: Device,
    purpose: Purpose,
}

impl Device {
    /// Finds the device at `path`.
    pub(crate) fn find(path: &Path) -> Result<Self, Failure> {
        let config = path.join(CONFIG);
        let mut file = File::open(&config).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                Failure::usage(format!("there is no device at {}", path.display()))
                    .hint(format!("make one with `lockstone new {}`", path.display()))
            }
            _ => Failure::file("read", &config, &error),
        })?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| Failure::file("read", &config, &error))?;
        let config = Config::parse(&text)?;
        Ok(Self { path: path.to_owned(), config, file })
    }

    /// Locks the device.
    pub(crate) fn hold(self, purpose: Purpose) -> Result<Held, Failure> {
        let start = Instant::now();
        loop {
            let locked = match purpose {
                Purpose::Look => self.file.try_lock_shared(),
                Purpose::Use => self.file.try_lock(),
            };
            match locked {
                Ok(()) => return Ok(Held { device: self, purpose }),
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    let failure = Failure::new(Exit::Io, "device is in use by another process");
                    return Err(failure.hint("try again when it is done; nothing was changed"));
                }
                Err(TryLockError::Error(error)) => return Err(Failure::file("lock", &self.path, &error)),
            }
        }
    }
}

impl Held {
    /// Mounts the store of the device.
    pub(crate) fn mount<'m>(&self, memory: &'m mut AnyRam) -> Result<Session<'m>, Failure> {
        let (key, flash) = (self.root_key()?, self.flash()?);
        Session::mount(flash, &self.device.config, &key, self.purpose, memory)
    }

    pub(crate) fn root_key(&self) -> Result<SoftRootKey, Failure> {
        let path = self.device.path.join(ROOT_KEY);
        match read_key_bytes(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Failure::new(Exit::Damaged, "the root key of the device, trusted/root.key, is gone"))
            }
            Err(error) => Err(Failure::file("read", &path, &error)),
            Ok(None) => Err(Failure::new(Exit::Damaged, "trusted/root.key is not a key of 32 bytes")),
            Ok(Some(key)) => Ok(SoftRootKey::new(*key)),
        }
    }

    pub(crate) fn flash_path(&self) -> PathBuf {
        self.device.path.join(FLASH)
    }

    fn flash(&self) -> Result<FileFlash, Failure> {
        let path = self.device.path.join(FLASH);
        let size = self.device.config.geometry.flash;
        let found = std::fs::metadata(&path).map(|metadata| metadata.len());
        match found {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Failure::new(Exit::Damaged, "the flash of the device, flash.bin, is gone"))
            }
            Err(error) => Err(Failure::file("read", &path, &error)),
            Ok(found) if found != u64::from(size) => {
                let sentence = format!("flash.bin has {found} bytes, but device.toml says {size}");
                Err(Failure::new(Exit::Damaged, sentence).hint("part of the flash was cut off or added"))
            }
            Ok(_) => FileFlash::open(&path, size as usize, self.purpose == Purpose::Use)
                .map_err(|error| Failure::file("open", &path, &error)),
        }
    }
}

/// Reads a root key that was named on the command line.
pub(crate) fn read_root_key(path: &Path) -> Result<SoftRootKey, Failure> {
    read_key(path).map(|key| SoftRootKey::new(*key))
}

/// The same, its bytes.
pub(crate) fn read_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, Failure> {
    match read_key_bytes(path) {
        Err(error) => Err(Failure::input(path, &error)),
        Ok(None) => Err(Failure::usage(format!("{} is not a key of 32 bytes", path.display()))),
        Ok(Some(key)) => Ok(key),
    }
}

/// `None`: it's no key.
fn read_key_bytes(path: &Path) -> std::io::Result<Option<Zeroizing<[u8; 32]>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64));
    File::open(path)?.take(64).read_to_end(&mut bytes)?;
    Ok(<[u8; 32]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new))
}
