//! A device directory: what an attacker may touch, kept apart from what he may not.
//!
//! ```text
//! DEV/flash.bin          untrusted: the content of the flash, keys in front and objects behind
//! DEV/device.toml        sizes, suite; also carries the lock. Trusted: it stands for what firmware is compiled with
//! DEV/trusted/root.key   32 random bytes, for the owner alone
//! DEV/trusted/counter    counts protected changes, so that an older flash.bin is known for one
//! ```
//!
//! While `lockstone rekey` works there are `flash.bin.next`, `trusted/root.key.next` and maybe `device.toml.next` too: see
//! [`rekey`](self::rekey).
//!
//! Commands that may write lock the device for themselves, those that only read share it; whoever waits longer than two
//! seconds is told that the device is busy. `device.toml` is opened for reading only, also by those that lock it for
//! themselves: no file of its own is made for the lock.
//!
//! A get reads, and writes what a cut left in question ([`Device::read`]). Where the files can only be read it shares the
//! device and writes nothing. Tested by the suites `commands`, `lock` and `killed`.

mod config;
mod create;
mod objects;
mod rekey;
mod session;
mod trusted;
mod volumes;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use embedded_storage::nor_flash::NorFlash;
use lockstone::trust::MonotonicCounter;
use lockstone::{Head, Memory, SoftRootKey, State};
use lockstone_sim::SimFlash;
use zeroize::Zeroizing;

pub(crate) use config::{Config, Geometry, Suite};
pub(crate) use create::{create, create_from, create_image};
pub(crate) use objects::Usage;
use rekey::Settled;
pub(crate) use session::Session;
use trusted::FileCounter;
pub(crate) use trusted::why_the_counter_failed;

use crate::exit::{Exit, Failure, is_denied};
use crate::file_flash::FileFlash;
use crate::files::{flush_directory, place_of, same_file};

/// Bucket heads of every device made here; part of what a store is formatted with.
pub(crate) const HEADS: usize = 1024;

/// Bytes of the longest record of any geometry.
const BUFFER: usize = 2048;
/// A byte a segment, up to 32 MiB of 4 KiB.
const SEGMENTS: usize = 8192;
/// Bytes of the longest slot of an object.
pub(crate) const SLOT: usize = 2048;

/// A flash in memory, whatever part it stands for: for images that are made.
pub(crate) type Chip = SimFlash<1, 1, 128>;

/// RAM of a store that is made here.
pub(crate) type Ram = Memory<HEADS, { BUFFER + SEGMENTS }>;

/// RAM of a store that is mounted, with as many heads as it was formatted with.
#[derive(Debug)]
pub(crate) struct AnyRam {
    heads: Vec<Head>,
    bytes: Zeroizing<Vec<u8>>,
    state: State,
    slot: Zeroizing<Vec<u8>>,
}

impl AnyRam {
    pub(crate) fn new() -> Self {
        let zeros = |length| Zeroizing::new(vec![0; length]);
        Self { heads: Vec::new(), bytes: zeros(BUFFER + SEGMENTS), state: State::new(), slot: zeros(SLOT) }
    }

    pub(crate) fn with_heads(&mut self, heads: usize) -> lockstone::Ram<'_> {
        self.with_slot(heads).0
    }

    /// The same, and the buffer of objects.
    fn with_slot(&mut self, heads: usize) -> (lockstone::Ram<'_>, &mut [u8]) {
        self.heads.resize(heads, Head::EMPTY);
        (lockstone::Ram::new(&mut self.heads, &mut self.bytes, &mut self.state), &mut self.slot)
    }
}

const FLASH: &str = "flash.bin";
const CONFIG: &str = "device.toml";
const TRUSTED: &str = "trusted";
const ROOT_KEY: &str = "trusted/root.key";
const COUNTER: &str = "trusted/counter";

/// As far as a store can count.
pub(crate) const COUNTER_MAX: u32 = (1 << 31) - 1;

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
    /// A rekey was cut after it counted: the key is still in its place for the next one.
    key: &'static str,
}

impl Device {
    /// Finds the device at `path`.
    pub(crate) fn find(path: &Path) -> Result<Self, Failure> {
        let config = path.join(CONFIG);
        if is_no_file(&config) {
            return Err(Config::damaged("is not a file"));
        }
        let mut file = File::open(&config).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                let failure = Failure::usage(format!("there is no device at {}", path.display()));
                if path.symlink_metadata().is_ok() {
                    return failure.hint("a device is a folder with a device.toml in it: what is there has none");
                }
                failure.hint(format!("make one with `lockstone new {}`", path.display()))
            }
            _ => Failure::file("read", &config, &error),
        })?;
        let mut text = String::new();
        let read = file.read_to_string(&mut text).map_err(|error| match error.kind() {
            ErrorKind::InvalidData => Config::damaged("is not text"),
            _ => Failure::file("read", &config, &error),
        });
        let config = read.and_then(|_| Config::parse(&text))?;
        Ok(Self { path: path.to_owned(), config, file })
    }

    /// Whether `target` is, or would become, a file that the device at `path` is made of.
    pub(crate) fn is_made_of(path: &Path, target: &Path) -> bool {
        let Ok(target) = place_of(target) else { return false };
        let is_trusted = place_of(&path.join(TRUSTED)).is_ok_and(|trusted| target.starts_with(trusted));
        let files = [FLASH, CONFIG, ROOT_KEY, COUNTER].into_iter().chain(rekey::NEXT);
        is_trusted || files.into_iter().any(|name| place_of(&path.join(name)).is_ok_and(|place| place == target))
    }

    /// Reads from the device at `path`, held alone, as a read may have to write what a cut left in question. Where the system
    /// forbids that it shares the device, and goes without.
    pub(crate) fn read<T>(path: &Path, read: impl Fn(&Held) -> Result<T, Failure>) -> Result<T, Failure> {
        let device = Self::find(path)?;
        if device.may_be_written() {
            let done = device.hold(Purpose::Use).and_then(|held| read(&held));
            match done {
                // Some of it can be written, and some can't.
                Err(failure) if failure.exit == Exit::NotPermitted => {}
                done => return done,
            }
        }
        read(&Self::find(path)?.hold(Purpose::Look)?)
    }

    /// Whether the system lets this user write to the flash. If something else is wrong with it, that is found elsewhere.
    fn may_be_written(&self) -> bool {
        let flash = self.path.join(FLASH);
        if is_no_file(&flash) {
            return false;
        }
        let opened = OpenOptions::new().write(true).open(flash);
        !opened.is_err_and(|error| is_denied(error.kind()))
    }

    /// Locks the device, and sees to what a rekey left that was cut.
    pub(crate) fn hold(mut self, purpose: Purpose) -> Result<Held, Failure> {
        loop {
            self.lock(purpose)?;
            let current = Self::find(&self.path)?;
            if !same_file(&self.file, &current.file) {
                // It was replaced while this one waited: the lock is worth nothing.
                self = current;
                continue;
            }
            let held = Held { device: self, purpose, key: ROOT_KEY };
            match held.settle()? {
                Settled::Yes(held) => return Ok(held),
                Settled::Replaced(path) => self = Self::find(&path)?,
            }
        }
    }

    fn lock(&self, purpose: Purpose) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            let locked = match purpose {
                Purpose::Look => self.file.try_lock_shared(),
                Purpose::Use => self.file.try_lock(),
            };
            match locked {
                Ok(()) => return Ok(()),
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
    /// Mounts the store of the device. One that was rolled back is refused, and nothing was changed.
    pub(crate) fn mount<'m>(&self, memory: &'m mut AnyRam) -> Result<Session<'m>, Failure> {
        self.open(false, memory).map_err(|failure| match failure.exit {
            Exit::RolledBack => self.how_rolled_back().unwrap_or(failure),
            _ => failure,
        })
    }

    /// The same, but one that was rolled back is shown: the session's standing says so, and it changes nothing.
    pub(crate) fn mount_even_rolled_back<'m>(&self, memory: &'m mut AnyRam) -> Result<Session<'m>, Failure> {
        self.open(true, memory)
    }

    fn open<'m>(&self, even_rolled_back: bool, memory: &'m mut AnyRam) -> Result<Session<'m>, Failure> {
        let (key, counter, flash) = (self.root_key()?, self.counter()?, self.flash()?);
        let session = Session::mount(flash, counter, &self.device.config, &key, even_rolled_back, memory)?;
        Ok(if self.purpose == Purpose::Look { session.read_only() } else { session })
    }

    /// Looks once more to say how far back it is.
    fn how_rolled_back(&self) -> Option<Failure> {
        let mut memory = AnyRam::new();
        let standing = self.open(true, &mut memory).ok()?.standing();
        standing.rolled_back.then(|| standing.failure())
    }

    /// What the counter says.
    pub(crate) fn counter_value(&self) -> Result<u32, Failure> {
        let value = self.file_counter().read()?;
        Ok(u32::try_from(value).unwrap_or(COUNTER_MAX))
    }

    /// The counter, known to be there and to make sense.
    fn counter(&self) -> Result<FileCounter, Failure> {
        let mut counter = self.file_counter();
        counter.read()?;
        Ok(counter)
    }

    fn file_counter(&self) -> FileCounter {
        FileCounter::new(self.device.path.join(COUNTER), self.device.config.counter_limit().into())
    }

    pub(crate) fn root_key(&self) -> Result<SoftRootKey, Failure> {
        let path = self.device.path.join(self.key);
        if is_no_file(&path) {
            return Err(Failure::new(Exit::Damaged, format!("{} is not a file", self.key)));
        }
        match read_key_bytes(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let failure = Failure::new(Exit::Damaged, "the root key of the device, trusted/root.key, is gone");
                Err(failure.hint("put it there if you have it; after `lockstone erase` nobody has"))
            }
            Err(error) => Err(Failure::file("read", &path, &error)),
            Ok(None) => Err(Failure::new(Exit::Damaged, "trusted/root.key is not a key of 32 bytes")),
            Ok(Some(key)) => Ok(SoftRootKey::new(*key)),
        }
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.device.config
    }

    /// Erases the flash as it is, without a look at what it holds.
    pub(crate) fn erase_unseen(&self) -> Result<(), Failure> {
        let size = self.device.config.geometry.flash;
        Ok(self.flash()?.erase(0, size)?)
    }

    /// Overwrites the root key and removes it; one that a rekey left too.
    pub(crate) fn destroy_key(&self) -> Result<(), Failure> {
        for name in [ROOT_KEY, rekey::NEXT_KEY] {
            let path = self.device.path.join(name);
            destroy(&path).map_err(|error| Failure::file("destroy", &path, &error))?;
        }
        Ok(())
    }

    pub(crate) fn flash_path(&self) -> PathBuf {
        self.device.path.join(FLASH)
    }

    fn flash(&self) -> Result<FileFlash, Failure> {
        let path = self.device.path.join(FLASH);
        let size = self.device.config.geometry.flash;
        if is_no_file(&path) {
            return Err(Failure::new(Exit::Damaged, "flash.bin is not a file"));
        }
        let found = std::fs::metadata(&path).map(|metadata| metadata.len());
        match found {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(Failure::new(Exit::Damaged, "the flash of the device, flash.bin, is gone"))
            }
            Err(error) => Err(Failure::file("read", &path, &error)),
            Ok(found) if found != u64::from(size) => {
                let sentence = format!("flash.bin has {found} bytes, but device.toml says {size}");
                let hint = "part of the flash was cut off or added, or `flash` in device.toml was edited";
                Err(Failure::new(Exit::Damaged, sentence).hint(hint))
            }
            Ok(_) => FileFlash::open(&path, size as usize, self.purpose == Purpose::Use)
                .map_err(|error| Failure::file("open", &path, &error)),
        }
    }
}

/// Whether there is something that is no file, such as a pipe, which would be waited for.
fn is_no_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

/// Overwrites a file and removes it, if it is there.
fn destroy(path: &Path) -> std::io::Result<()> {
    let opened = OpenOptions::new().write(true).open(path);
    let mut file = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    file.write_all(&[0; 32])?;
    file.sync_all()?;
    std::fs::remove_file(path)?;
    flush_directory(path.parent().unwrap_or(path))
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
pub(crate) fn read_key_bytes(path: &Path) -> std::io::Result<Option<Zeroizing<[u8; 32]>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64));
    File::open(path)?.take(64).read_to_end(&mut bytes)?;
    Ok(<[u8; 32]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new))
}
