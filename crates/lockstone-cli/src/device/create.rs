//! Create: a device directory appears whole or not at all (see [`files`](crate::files)).

use std::path::Path;
use std::{fs, io};

use getrandom::SysRng;
use lockstone::{Aes, Ascon, Plain, SoftRootKey, Store};
use zeroize::Zeroizing;

use super::{AnyRam, CONFIG, COUNTER, Config, FLASH, ROOT_KEY, Suite, TRUSTED};
use crate::exit::{Exit, Failure};
use crate::file_flash::FileFlash;
use crate::files::{Access, flush_directory, make_directory, make_folder, write_new};

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
        write_new(place, image, Access::Private).map_err(|error| Failure::file("write", place, &error))
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
    make_folder(path, Access::Usual, |inside| {
        let text = config.to_text()?;
        let trusted = key.map_or(Ok(()), |key| {
            make_directory(&inside.join(TRUSTED), Access::Private)
                .and_then(|()| write_new(&inside.join(ROOT_KEY), key, Access::Private))
                .and_then(|()| write_new(&inside.join(COUNTER), b"0\n", Access::Private))
                .and_then(|()| flush_directory(&inside.join(TRUSTED)))
        });
        trusted
            .and_then(|()| write_new(&inside.join(CONFIG), text.as_bytes(), Access::Usual))
            .map_err(|error| Failure::file("make", path, &error))?;
        fill(&inside.join(FLASH))
    })
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
