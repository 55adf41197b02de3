//! Create: a device directory appears whole or not at all.
//!
//! Everything is made in a hidden directory beside the place, flushed, and renamed. Whatever goes wrong, the hidden
//! directory is removed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use getrandom::SysRng;
use lockstone::{Aes, Ascon, Plain, SoftRootKey, Store};
use zeroize::Zeroizing;

use super::{AnyRam, CONFIG, COUNTER, Config, FLASH, ROOT_KEY, Suite, TRUSTED};
use crate::exit::{Exit, Failure};
use crate::file_flash::FileFlash;

/// Makes a device with an empty store.
pub(crate) fn create(path: &Path, config: &Config) -> Result<(), Failure> {
    config.geometry.check().map_err(|reason| Failure::usage(format!("no store fits such a flash: {reason}")))?;
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(|error| Failure::new(Exit::Io, format!("no randomness: {error}")))?;
    build(path, config, Some(&key), |place| format(place, config, &key))
}

/// Makes a device with this key and this content of its flash.
pub(crate) fn create_from(path: &Path, config: &Config, key: &[u8; 32], image: &[u8]) -> Result<(), Failure> {
    create_image(path, config, Some(key), image)
}

/// The same, without the trusted part when there is no key: that goes to the device another way.
pub(crate) fn create_image(path: &Path, config: &Config, key: Option<&[u8; 32]>, image: &[u8]) -> Result<(), Failure> {
    build(path, config, key, |place| {
        write_new(place, image, true).map_err(|error| Failure::file("write", place, &error))
    })
}

fn build(
    path: &Path,
    config: &Config,
    key: Option<&[u8; 32]>,
    fill: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok() {
        let failure = Failure::usage(format!("{} is there already", path.display()));
        return Err(failure.hint("a device is never overwritten; remove it yourself if you mean it"));
    }
    let hidden = Hidden::beside(path)?;
    let text = config.to_text()?;
    let trusted = key.map_or(Ok(()), |key| {
        private_directory(&hidden.0.join(TRUSTED))
            .and_then(|()| write_new(&hidden.0.join(ROOT_KEY), key, true))
            .and_then(|()| write_new(&hidden.0.join(COUNTER), b"0\n", true))
            .and_then(|()| flush_directory(&hidden.0.join(TRUSTED)))
    });
    trusted
        .and_then(|()| write_new(&hidden.0.join(CONFIG), text.as_bytes(), false))
        .map_err(|error| Failure::file("make", path, &error))?;
    fill(&hidden.0.join(FLASH))?;
    hidden.show_as(path).map_err(|error| Failure::file("make", path, &error))
}

/// Formats a new flash in a file.
fn format(place: &Path, config: &Config, key: &[u8; 32]) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file("make", place, &error);
    let geometry = config.geometry;
    let mut flash = FileFlash::create(place, geometry.flash as usize).map_err(failed)?;
    let (root, mut memory) = (SoftRootKey::new(*key), AnyRam::new());
    let (part, ram, random) = (geometry.part(), memory.with_heads(config.heads), &mut SysRng);
    match config.suite {
        Suite::Ascon => Store::<_, Ascon>::format_in(&mut flash, part, &root, random, ram).map(|_| ())?,
        Suite::Aes => Store::<_, Aes>::format_in(&mut flash, part, &root, random, ram).map(|_| ())?,
        Suite::Plain => Store::<_, Plain>::format_in(&mut flash, part, &root, random, ram).map(|_| ())?,
    }
    flash.finish().map_err(failed)
}

/// Makes a new file that only its owner can read: it appears whole, and never in place of another.
pub(crate) fn write_whole(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Failure> {
    let there = || {
        Failure::usage(format!("{} is there already", path.display()))
            .hint("nothing is ever overwritten; remove it yourself if you mean it")
    };
    if fs::symlink_metadata(path).is_ok() {
        return Err(there());
    }
    let hidden = Hidden::beside(path)?;
    let inside = hidden.0.join("file");
    let written = new_private_file(&inside).and_then(|mut file| {
        fill(&mut file)?;
        file.sync_all()
    });
    written.map_err(|error| Failure::file("write", path, &error))?;
    // A link, as a rename would replace what came in the meantime.
    fs::hard_link(&inside, path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => there(),
        _ => Failure::file("make", path, &error),
    })
}

/// Makes a new folder that only its owner can read: it appears whole, and never in place of another.
pub(crate) fn make_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<(), Failure>) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(Failure::usage(format!("{} is there already", path.display())));
    }
    let hidden = Hidden::beside(path)?;
    let inside = hidden.0.join("folder");
    private_directory(&inside).map_err(|error| Failure::file("make", path, &error))?;
    fill(&inside)?;
    fs::rename(&inside, path).map_err(|error| Failure::file("make", path, &error))
}

/// A directory that is removed unless it is shown.
struct Hidden(PathBuf);

impl Hidden {
    fn beside(path: &Path) -> Result<Self, Failure> {
        let Some(name) = path.file_name() else {
            return Err(Failure::usage(format!("{} is no name for a directory", path.display())));
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".new-{}", std::process::id()));
        let hidden = path.with_file_name(hidden);
        fs::create_dir(&hidden).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::usage(format!("there is no directory to make {} in", path.display())),
            _ => Failure::file("make", path, &error),
        })?;
        Ok(Self(hidden))
    }

    fn show_as(self, path: &Path) -> io::Result<()> {
        flush_directory(&self.0)?;
        fs::rename(&self.0, path)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        flush_directory(parent.unwrap_or(Path::new(".")))
    }
}

impl Drop for Hidden {
    /// After it was shown there is nothing of this name.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write_new(path: &Path, content: &[u8], private: bool) -> io::Result<()> {
    let mut file = if private { new_private_file(path)? } else { File::create_new(path)? };
    file.write_all(content)?;
    file.sync_all()
}

/// A new file that only its owner can read.
pub(crate) fn new_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes the names in a directory durable, where the system has a way to.
pub(crate) fn flush_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
