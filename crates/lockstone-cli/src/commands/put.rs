//! `put`: a value comes from standard input or a file, never from an argument. A large one becomes an object.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use lockstone::{Attributes, Error, Key, Put as How, Upload};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{close_after, key, name, no_such_key};
use crate::args::Put;
use crate::attributes::of_flags;
use crate::device::{AnyRam, Device, Purpose, Session};
use crate::exit::{Exit, Failure};
use crate::file_flash::FlashError;
use crate::terminal::{LONG_WORK, bar, counted, say, spinner};

/// Values longer than this become objects, on a device with a volume for those.
pub(crate) const PLAIN_MAX: usize = 64 * 1024;
/// Objects are written and read in pieces of so many bytes, so that progress can be told.
pub(super) const PIECE: usize = 16 * 1024;

pub(super) fn put(args: &Put) -> Result<(), Failure> {
    let how = How { attributes: of_flags(&args.attributes), protect: args.protect };
    let device = Device::find(&args.named.place.device)?;
    let value = read_input(args.file.as_deref(), device.config.geometry.flash)?;
    let device = device.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    if let Some(owner) = args.owner {
        return put_shared(session, args, owner, &value);
    }
    let stored = store(&mut session, key(&args.named), &value, how);
    close_after(session, stored)
}

/// Replaces what another client shares.
fn put_shared(mut session: Session<'_>, args: &Put, owner: u32, value: &[u8]) -> Result<(), Failure> {
    if is_large(&mut session, value) {
        let sentence = "a value of more than 64 KiB becomes an object, which only the owner of its key can write; nothing was changed";
        return Err(Failure::usage(sentence).hint("leave --owner out, as that client; or share a shorter value"));
    }
    let was_object = session.is_object(Key::new(name(&args.named)).of_client(owner))?;
    let spinner = spinner(value.len() > LONG_WORK, "storing");
    let (mut session, stored) = session.put_shared(args.named.place.client, name(&args.named), owner, value);
    spinner.finish_and_clear();
    let stored =
        stored.map_err(|error| no_room(&mut session, Key::new(name(&args.named)).of_client(owner), value.len(), error));
    if was_object && matches!(stored, Ok(true)) {
        reclaim(&mut session);
    }
    if close_after(session, stored)? { Ok(()) } else { Err(no_such_key(&args.named.key)) }
}

/// Stores a value, as an object if it is large. The blocks of an object that a plain value replaces are erased.
pub(crate) fn store(session: &mut Session<'_>, key: Key<'_>, value: &[u8], how: How) -> Result<(), Failure> {
    if is_large(session, value) {
        return store_object(session, key, value, how);
    }
    let was_object = session.is_object(key)?;
    let spinner = spinner(value.len() > LONG_WORK, "storing");
    let stored = session.put_with(key, value, how);
    spinner.finish_and_clear();
    stored.map_err(|error| no_room(session, key, value.len(), error))?;
    if was_object {
        reclaim(session);
    }
    Ok(())
}

fn is_large(session: &mut Session<'_>, value: &[u8]) -> bool {
    value.len() > PLAIN_MAX && session.has_volume()
}

/// Stores a value as an object, whatever its size. One that was begun under the key is given up.
pub(super) fn store_object(session: &mut Session<'_>, key: Key<'_>, value: &[u8], how: How) -> Result<(), Failure> {
    refuse_object(session, key, how)?;
    let layout = session.object_layout()?;
    let length = u32::try_from(value.len()).ok().filter(|length| layout.blocks_for(*length) <= layout.blocks);
    let Some(length) = length else {
        let room = layout.blocks * layout.slots * layout.chunk;
        let sentence = format!("the value has {} bytes, the volume for objects holds {room} in all", value.len());
        return Err(Failure::usage(format!("{sentence}; nothing was changed")));
    };
    let mut ram = session.upload_ram()?;
    if let Ok(Some(old)) = session.resume(key, &mut ram) {
        say(format!(
            "an unfinished object of this name is given up: {} of it were there",
            counted(old.present(), "byte")
        ));
    }
    let mut upload =
        session.create(key, length, &mut ram).map_err(|failure| no_blocks(session, key, length, failure))?;
    let digest = Sha256::digest(value).into();
    let bar = bar(value.len() > LONG_WORK, length.into(), "storing");
    let written = write_piece(session, &mut upload, 0, value, |done| bar.inc(done));
    let stored = written.and_then(|()| session.finish(&mut upload, key, Some(&digest), how));
    bar.finish_and_clear();
    if stored.is_err() {
        // The content is at hand: whoever tries again begins anew.
        let _ = session.abort(key);
    }
    stored.map(drop)
}

/// Writes bytes of an object from an offset on. `progress` is told how many were written each time.
pub(super) fn write_piece(
    session: &mut Session<'_>,
    upload: &mut Upload<'_>,
    mut at: u32,
    bytes: &[u8],
    progress: impl Fn(u64),
) -> Result<(), Failure> {
    for piece in bytes.chunks(PIECE) {
        session.write(upload, at, piece)?;
        at = at.saturating_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
        progress(piece.len() as u64);
    }
    Ok(())
}

/// Says no to what a commit would refuse, before a large value is written for nothing.
pub(super) fn refuse_object(session: &mut Session<'_>, key: Key<'_>, how: How) -> Result<(), Failure> {
    let had = session.attributes_of(key)?.unwrap_or_default();
    let wanted = how.attributes.unwrap_or(had);
    if had.any(Attributes::READ_ONLY.and(Attributes::WRITE_ONCE)) {
        return Err(Error::<FlashError>::NotPermitted.into());
    }
    wanted.check().map_err(Error::<FlashError>::Attributes)?;
    let sentence = if wanted.any(Attributes::FACTORY) {
        "an object has no factory copy; nothing was changed"
    } else if wanted.any(Attributes::NO_CONFIDENTIALITY) {
        "an object is never in the clear on flash; nothing was changed"
    } else {
        return Ok(());
    };
    let plain = "a device that was made with `lockstone new --objects 0` keeps large values as plain ones";
    Err(Failure::usage(sentence).hint(plain))
}

/// Erases the blocks of objects that are no more. What was asked for is done: a failure here is a note.
pub(super) fn reclaim(session: &mut Session<'_>) {
    if let Err(failure) = session.reclaim() {
        say(format!("lockstone: note: not all blocks of the object are erased yet: {}", failure.sentence()));
    }
}

/// Reads the value, at most one byte more than the flash has.
pub(super) fn read_input(file: Option<&Path>, flash: u32) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let limit = u64::from(flash) + 1;
    let mut value = Zeroizing::new(Vec::with_capacity(flash as usize + 64));
    match file {
        Some(path) => {
            let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut value));
            read.map_err(|error| Failure::input(path, &error))?;
        }
        None => {
            let input = io::stdin();
            if input.is_terminal() {
                say("lockstone: reading the value from the terminal; end it with Ctrl-D on a line of its own");
            }
            let read = input.lock().take(limit).read_to_end(&mut value);
            read.map_err(|error| Failure::new(Exit::Io, format!("can't read standard input: {error}")))?;
        }
    }
    if value.len() as u64 >= limit {
        let sentence = format!("the value is longer than the whole flash, {flash} bytes; nothing was changed");
        return Err(Failure::usage(sentence));
    }
    Ok(value)
}

/// A value could not be stored. If that is for want of room: how much there is, and that the value in whose place it would have
/// come keeps its own until then.
fn no_room(session: &mut Session<'_>, key: Key<'_>, length: usize, error: Error<FlashError>) -> Failure {
    let failure = Failure::from(error);
    let is_too_large = matches!(error, Error::TooLarge);
    let (true, Ok(stats)) = (is_too_large || matches!(error, Error::Full), session.stats()) else { return failure };
    let (used, capacity) = (stats.used_bytes, stats.capacity_bytes);
    if is_too_large {
        return failure.reworded(format!(
            "the value has {length} bytes, this store holds {capacity} in all, and while one value takes the place of \
             another it needs room for both; nothing was changed"
        ));
    }
    let sentence = format!("the store is full: the value has {length} bytes, and {used} of {capacity} are in use");
    // What an object has in the log is no more than its manifest.
    match session.is_object(key).and_then(|is_object| if is_object { Ok(None) } else { session.length_of_entry(key) }) {
        Ok(Some(old)) => {
            let sentence = format!("{sentence}, {old} of them by the old value until the new one is in its place");
            failure.reworded(format!("{sentence}; nothing was changed")).hint(
                "`lockstone rm` always works: of other keys, or of this one first, if it may be gone for a moment",
            )
        }
        _ => failure.reworded(format!("{sentence}; nothing was changed")),
    }
}

/// The same for an object that could not be begun.
fn no_blocks(session: &mut Session<'_>, key: Key<'_>, length: u32, failure: Failure) -> Failure {
    let Ok(Some(usage)) = session.usage() else { return failure };
    let (layout, free) = (usage.layout, usage.free());
    let needed = u64::from(layout.blocks_for(length));
    if failure.exit != Exit::Full || needed <= free {
        return failure;
    }
    let old = match session.is_object(key) {
        Ok(true) => session.length(key).ok().flatten().map_or(0, |old| layout.blocks_for(old)),
        _ => 0,
    };
    let keeps = match old {
        0 => String::new(),
        old => format!(", and the old value keeps its {old} until the new one is in its place"),
    };
    let needs = format!("the value needs {} of {} bytes", counted(needed, "block"), layout.block);
    failure.reworded(format!("the volume for objects is full: {needs}, {free} are free{keeps}; nothing was stored"))
}
