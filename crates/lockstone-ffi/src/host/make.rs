//! Make: a device directory appears whole or not at all, for its owner alone.
#![forbid(unsafe_code)]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use getrandom::SysRng;
use lockstone::{Ascon, Head, Part, Ram, SoftRootKey, State, Store};
use zeroize::Zeroizing;

use super::toml::Config;
use super::{CONFIG, COUNTER, FLASH, FileFlash, ROOT_KEY, TRUSTED};
use crate::failure::{Failure, Result};
use crate::platform::{Flash, Medium};

/// Makes a device with an empty store, beside its place, and moves it there. If another process was faster, its device stays.
pub(super) fn make(path: &Path) -> Result<()> {
    let hidden = Hidden::beside(path).map_err(|_| Failure::Device)?;
    fill(&hidden.0)?;
    let shown = fs::rename(&hidden.0, path).and_then(|()| flush_directory(path.parent()));
    match shown {
        Err(_) if !path.join(CONFIG).exists() => Err(Failure::Device),
        _ => Ok(()),
    }
}

/// A directory that is removed unless it was moved.
struct Hidden(PathBuf);

impl Hidden {
    fn beside(path: &Path) -> io::Result<Self> {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().ok_or(io::ErrorKind::IsADirectory)?);
        let mut suffix = [0; 8];
        getrandom::fill(&mut suffix).map_err(|_| io::ErrorKind::Other)?;
        name.push(format!(".new-{:016x}", u64::from_le_bytes(suffix)));
        let hidden = path.with_file_name(name);
        // What was there already is not ours to remove.
        make_directory(&hidden)?;
        Ok(Self(hidden))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn fill(folder: &Path) -> Result<()> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(|_| Failure::Random)?;
    let config = Config::USUAL;
    let written = make_directory(&folder.join(TRUSTED))
        .and_then(|()| write_private(&folder.join(ROOT_KEY), key.as_slice()))
        .and_then(|()| write_private(&folder.join(COUNTER), b"0\n"))
        .and_then(|()| flush_directory(Some(&folder.join(TRUSTED))))
        .and_then(|()| write_private(&folder.join(CONFIG), config.to_text().as_bytes()))
        .and_then(|()| write_private(&folder.join(FLASH), &vec![0xff; config.flash as usize]));
    written.map_err(|_| Failure::Device)?;
    format(&folder.join(FLASH), &config, &SoftRootKey::new(*key))?;
    flush_directory(Some(folder)).map_err(|_| Failure::Device)
}

/// Makes an empty store on the blank flash. The counter stays at 0: the key is new, so there is no older image.
fn format(path: &Path, config: &Config, root: &SoftRootKey) -> Result<()> {
    let flash = FileFlash::open(path, config.flash).map_err(|_| Failure::Device)?;
    let (mut heads, mut buffer) = (vec![Head::EMPTY; config.heads as usize], vec![0; 2048]);
    let (mut state, part) = (State::new(), Part::NOR.with_units(config.write as usize, config.block as usize));
    let ram = Ram::new(&mut heads, &mut buffer, &mut state);
    let flash = Flash::of(&Medium::File(flash), 0, config.store()).ok_or(Failure::Device)?;
    Store::<_, Ascon>::format_in(flash, part, root, &mut SysRng, ram)?;
    Ok(())
}

fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a new file that only its owner can read.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = new_private(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// The same, to come in the place of another one: it belongs to whom that does, where this user may give it away.
pub(super) fn write_private_like(path: &Path, content: &[u8], like: &Path) -> io::Result<()> {
    let mut file = new_private(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let (new, old) = (file.metadata()?, fs::metadata(like)?);
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            // Where nothing can be given away, or that owner is not known (in a container), it stays this user's.
            let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
        }
    }
    file.write_all(content)?;
    file.sync_all()
}

fn new_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the names in a directory durable, where the system has a way to; no path is the present directory.
pub(super) fn flush_directory(path: Option<&Path>) -> io::Result<()> {
    let path = path.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Device;

    #[test]
    fn a_device_is_made_once_for_its_owner_and_never_formatted_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dev");
        let device = Device::open_or_make(&path).unwrap_or_else(|_| panic!("it is made"));
        assert_eq!(Device::open_or_make(&path).err(), Some(Failure::Device), "it is locked");
        drop(device);
        let key = fs::read(path.join(ROOT_KEY)).unwrap();
        assert!(Device::open_or_make(&path).is_ok());
        assert_eq!(fs::read(path.join(ROOT_KEY)).unwrap(), key);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        #[cfg(unix)]
        for (name, mode) in [("", 0o700), (TRUSTED, 0o700), (ROOT_KEY, 0o600), (COUNTER, 0o600), (FLASH, 0o600)] {
            let found = std::os::unix::fs::MetadataExt::mode(&fs::metadata(path.join(name)).unwrap());
            assert_eq!(found & 0o777, mode, "{name:?}");
        }
    }

    #[test]
    fn what_is_there_and_no_device_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter"), "dear").unwrap();
        assert_eq!(Device::open_or_make(folder.path()).err(), Some(Failure::Device));
        assert_eq!(Device::open_or_make(&folder.path().join("letter")).err(), Some(Failure::Device));
        assert_eq!(fs::read(folder.path().join("letter")).unwrap(), b"dear");
        let path = folder.path().join("dev");
        drop(Device::open_or_make(&path));
        fs::remove_file(path.join(ROOT_KEY)).unwrap();
        assert_eq!(Device::open_or_make(&path).err(), Some(Failure::RootKey));
        assert!(!path.join(ROOT_KEY).exists(), "a key that is gone is not made again");
    }
}
