//! Create: a device directory appears whole or not at all (see [`files`](crate::files)).

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::{fs, io};

use getrandom::SysRng;
use lockstone::seal::Suite as Sealing;
use lockstone::trust::{Anchor, MonotonicCounter, Protection};
use lockstone::{Aes, Ascon, Objects, Plain, Slot, SoftRootKey, Store, VolumeKind, VolumeTable};
use zeroize::Zeroizing;

use super::volumes::{no_objects_fit, no_slot_fits};
use super::{AnyRam, CONFIG, COUNTER, Config, FLASH, FileCounter, ROOT_KEY, SLOT, Suite, TRUSTED};
use crate::exit::{Exit, Failure};
use crate::file_flash::{FileFlash, FileVolume};
use crate::files::{Access, flush_directory, make_directory, make_folder, write_new};

/// Makes a device with an empty store, which keeps the volume table if there is one. Unless every commit is protected, the counter stays at 0: the key is new, so there
/// is no older image.
pub(crate) fn create(
    path: &Path,
    config: &Config,
    protection: Protection,
    volumes: Option<&VolumeTable>,
) -> Result<(), Failure> {
    config.geometry.check().map_err(|reason| Failure::usage(format!("no store fits such a flash: {reason}")))?;
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(|error| Failure::new(Exit::Io, format!("no randomness: {error}")))?;
    build(path, config, Some(&key), |device| format(device, config, &key, protection, volumes))
}

/// Makes a device with this key and this content of its flash.
pub(crate) fn create_from(path: &Path, config: &Config, key: &[u8; 32], image: &[u8]) -> Result<(), Failure> {
    create_image(path, config, Some(key), image)
}

/// The same, without the trusted part when there is no key: that goes to the device another way.
pub(crate) fn create_image(path: &Path, config: &Config, key: Option<&[u8; 32]>, image: &[u8]) -> Result<(), Failure> {
    build(path, config, key, |device| {
        let place = device.join(FLASH);
        write_new(&place, image, Access::Private).map_err(|error| Failure::file("write", &place, &error))
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
        fill(inside)
    })
}

/// Formats a new flash in a file.
fn format(
    device: &Path,
    config: &Config,
    key: &[u8; 32],
    protection: Protection,
    volumes: Option<&VolumeTable>,
) -> Result<(), Failure> {
    let place = device.join(FLASH);
    let failed = |error: io::Error| Failure::file("make", &place, &error);
    let flash = FileFlash::create(&place, config.geometry.flash as usize).map_err(failed)?;
    // The other volumes are erased, and that is all they need.
    let flash = Rc::new(RefCell::new(flash));
    volumes.map_or(Ok(()), |table| fit(&flash, config, table))?;
    let mut keys = FileVolume::on(&flash, 0, config.geometry.store());
    let counter = FileCounter::new(device.join(COUNTER), config.counter_limit().into());
    let anchor = Anchor { root: &SoftRootKey::new(*key), counter };
    match config.suite {
        Suite::Ascon => format_as::<Ascon>(&mut keys, config, anchor, protection, volumes)?,
        Suite::Aes => format_as::<Aes>(&mut keys, config, anchor, protection, volumes)?,
        Suite::Plain => format_as::<Plain>(&mut keys, config, anchor, protection, volumes)?,
    }
    keys.finish().map_err(failed)
}

fn format_as<S: Sealing>(
    flash: &mut FileVolume,
    config: &Config,
    anchor: Anchor<'_, SoftRootKey, FileCounter>,
    protection: Protection,
    volumes: Option<&VolumeTable>,
) -> Result<(), Failure> {
    let (mut memory, part, random) = (AnyRam::new(), config.geometry.part(), &mut SysRng);
    let ram = memory.with_heads(config.heads);
    match protection {
        Protection::EveryCommit => {
            let store = Store::<_, S, _>::format_protected(flash, part, anchor, protection, random, ram)?;
            keep(store, config, volumes)
        }
        Protection::Chosen => keep(Store::<_, S>::format_in(flash, part, anchor.root, random, ram)?, config, volumes),
    }
}

/// Whether each volume is large enough for what it is for.
fn fit(flash: &Rc<RefCell<FileFlash>>, config: &Config, table: &VolumeTable) -> Result<(), Failure> {
    let part = config.geometry.part();
    for volume in table.volumes() {
        let place = FileVolume::on(flash, volume.start, volume.length);
        match volume.kind {
            VolumeKind::Slot => drop(Slot::new(place, part, volume.number).map_err(no_slot_fits)?),
            VolumeKind::Objects => {
                drop(Objects::<_, Ascon>::format(place, part, &mut [0; SLOT]).map_err(no_objects_fit)?);
            }
            VolumeKind::Keys | VolumeKind::Spare => {}
        }
    }
    Ok(())
}

/// The store keeps the table, if there is one.
fn keep<S: Sealing, C: MonotonicCounter>(
    mut store: Store<'_, &mut FileVolume, S, C>,
    config: &Config,
    volumes: Option<&VolumeTable>,
) -> Result<(), Failure> {
    let Some(table) = volumes else { return Ok(()) };
    store.change_volume_table(&config.geometry.table(), table, false)?;
    Ok(store.close().map(drop)?)
}
