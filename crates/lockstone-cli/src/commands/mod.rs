//! Commands: one function each, from arguments to an answer.

mod attributes;
mod check;
mod clients;
mod counter;
mod erase;
mod factory_reset;
mod get;
mod list;
mod object;
mod put;
mod recover;
mod rekey;
mod replay;
mod scrub;
mod share;
mod slot;
mod stats;
mod volume;

#[cfg(test)]
pub(crate) use check::check_device;
pub(crate) use counter::{how_low, warn_if_low};
pub(crate) use put::store;
use slot::lines as slots;

use std::ffi::OsStr;

use lockstone::trust::Protection;
use lockstone::{Cursor, Error, Key, VolumeEntry, VolumeKind, VolumeTable};
use zeroize::Zeroizing;

use crate::args::{Command, Image, Named, New};
use crate::demo;
use crate::device::{self, AnyRam, Config, Device, Geometry, Purpose, Session};
use crate::exit::{Exit, Failure};
use crate::file_flash::FlashError;
use crate::terminal::escaped;
use crate::{image, inspect, transfer};

/// Does what was asked for.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::New(args) => new(args),
        Command::Put(args) => put::put(args),
        Command::Get(args) => get::get(args),
        Command::Ls(args) => list::ls(args),
        Command::Attributes(args) => attributes::attributes(args),
        Command::Rm(args) => rm(args),
        Command::Check(args) => check::check(args),
        Command::Stats(args) => stats::stats(args),
        Command::Counter(args) => counter::counter(args),
        Command::Recover(args) => recover::recover(args),
        Command::FactoryReset(args) => factory_reset::factory_reset(args),
        Command::Object(command) => object::object(command),
        Command::Volume(command) => volume::volume(command),
        Command::Slot(command) => slot::slot(command),
        Command::Scrub(args) => scrub::scrub(args),
        Command::Share(args) => share::share(args),
        Command::Client(args) => clients::clients(args),
        Command::Rekey(args) => rekey::rekey(args),
        Command::Erase(args) => erase::erase(args),
        Command::Inspect(args) => inspect::inspect(args),
        Command::Image(Image::Build(args)) => image::build(args),
        Command::Image(Image::Verify(args)) => image::verify_images(args),
        Command::Image(Image::Key(args)) => image::write_key(args),
        Command::Import(args) => transfer::import(args),
        Command::Export(args) => transfer::export(args),
        Command::Demo(args) => demo::demo(args),
        Command::Replay(args) => replay::replay(args),
    }
}

fn new(args: &New) -> Result<(), Failure> {
    let geometry = Geometry { flash: args.flash, block: args.block, write: args.write, objects: 0 };
    let slots = args.slot.iter().fold(0_u32, |sum, slot| sum.saturating_add(*slot));
    let left = Geometry { flash: args.flash.saturating_sub(slots), ..geometry };
    let objects = args.objects.unwrap_or_else(|| left.with_usual_objects().objects);
    let geometry = Geometry { objects, ..geometry };
    let (geometry, volumes) = with_slots(geometry, &args.slot)?;
    let config = Config::with_heads(args.suite, geometry, args.heads.into()).with_counter_limit(args.counter_limit);
    let protection = if args.protect_all { Protection::EveryCommit } else { Protection::Chosen };
    device::create(&args.device, &config, protection, volumes.as_ref())
}

/// The same with slots behind the objects, and the table that says so, if there are any.
fn with_slots(geometry: Geometry, slots: &[u32]) -> Result<(Geometry, Option<VolumeTable>), Failure> {
    if slots.is_empty() {
        return Ok((geometry, None));
    }
    if geometry.objects == 0 {
        let failure = Failure::usage("slots are filled from objects, and the device would have no volume for them");
        return Err(failure.hint("`--objects SIZE` makes one"));
    }
    let behind = slots.iter().fold(geometry.objects, |sum, slot| sum.saturating_add(*slot));
    if behind >= geometry.flash {
        return Err(Failure::usage("objects and slots leave nothing of the flash for keys"));
    }
    let whole = Geometry { objects: behind, ..geometry };
    let mut table = VolumeTable::of(&[VolumeEntry::new(VolumeKind::Keys, 0, 0, whole.store())])?;
    table = table.with(VolumeEntry::new(VolumeKind::Objects, 0, whole.store(), geometry.objects))?;
    let mut start = whole.store() + geometry.objects;
    for (number, length) in (0..=u8::MAX).zip(slots) {
        table = table.with(VolumeEntry::new(VolumeKind::Slot, 0, start, *length).with_number(number))?;
        start += length;
    }
    table.check(0, geometry.flash, geometry.block)?;
    Ok((whole, Some(table)))
}

fn rm(args: &Named) -> Result<(), Failure> {
    let device = Device::find(&args.place.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    remove(device.mount(&mut memory)?, args)
}

/// Deletes a key; the blocks of an object are erased.
fn remove(mut session: Session<'_>, args: &Named) -> Result<(), Failure> {
    let was_object = session.is_object(key(args))?;
    let (mut session, deleted) = session.delete(args.place.client, name(args));
    if was_object && matches!(deleted, Ok(true)) {
        put::reclaim(&mut session);
    }
    match close_after(session, deleted)? {
        true => Ok(()),
        false => Err(no_such_key(&args.key)),
    }
}

fn key(named: &Named) -> Key<'_> {
    Key::new(name(named)).of_client(named.place.client)
}

fn name(named: &Named) -> &[u8] {
    named.key.as_encoded_bytes()
}

fn no_such_key(name: &OsStr) -> Failure {
    Failure::new(Exit::NoSuchKey, format!("no such key: {}", escaped(name.as_encoded_bytes())))
}

/// Closes the store in order, so that later damage is told from a power cut. The first error is what counts. Says when
/// the counter comes to its end.
fn close_after<T>(session: Session<'_>, result: Result<T, impl Into<Failure>>) -> Result<T, Failure> {
    warn_if_low(&session);
    let closed = session.close();
    let value = result.map_err(Into::into)?;
    closed?;
    Ok(value)
}

/// Whole value of a key, an object too, in pieces so that progress can be told.
pub(crate) fn read_value(
    session: &mut Session<'_>,
    key: Key<'_>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let Some(length) = session.length(key)? else { return Ok(None) };
    let mut value = Zeroizing::new(vec![0; length as usize]);
    let mut offset = 0;
    for piece in value.chunks_mut(put::PIECE) {
        let read = session.get_range(key, offset, piece)?;
        if read != Some(piece.len()) {
            return Err(Error::<FlashError>::Damaged.into());
        }
        offset = offset.saturating_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
        progress(offset.into(), length.into());
    }
    Ok(Some(value))
}

/// Names that could be listed, sorted, and how often the listing met damage.
pub(crate) fn names(session: &mut Session<'_>, client: u32, prefix: &[u8]) -> Result<(Vec<Vec<u8>>, u32), Failure> {
    let (mut names, mut damaged) = (Vec::new(), 0);
    let (mut cursor, mut name) = (Cursor::new(), [0; 255]);
    loop {
        match session.next_key(&mut cursor, client, prefix, &mut name) {
            Ok(Some(length)) => names.push(name[..length].to_vec()),
            Ok(None) => break,
            Err(Error::Damaged) => damaged += 1,
            Err(error) => return Err(error.into()),
        }
    }
    names.sort();
    Ok((names, damaged))
}
