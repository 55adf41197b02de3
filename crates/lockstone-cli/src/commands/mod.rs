//! Commands: one function each, from arguments to an answer.

mod check;
mod get;
mod list;
mod put;
mod replay;
mod stats;

#[cfg(test)]
pub(crate) use check::check_device;

use std::ffi::OsStr;

use lockstone::{Cursor, Error, Key};
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
        Command::Rm(args) => rm(args),
        Command::Check(args) => check::check(args),
        Command::Stats(args) => stats::stats(args),
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
    let geometry = Geometry { flash: args.flash, block: args.block, write: args.write };
    device::create(&args.device, &Config::with_heads(args.suite, geometry, args.heads.into()))
}

fn rm(args: &Named) -> Result<(), Failure> {
    let device = Device::find(&args.place.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let deleted = session.delete(key(args));
    match close_after(session, deleted)? {
        true => Ok(()),
        false => Err(no_such_key(&args.key)),
    }
}

fn key(named: &Named) -> Key<'_> {
    Key::new(named.key.as_encoded_bytes()).of_client(named.place.client)
}

fn no_such_key(name: &OsStr) -> Failure {
    Failure::new(Exit::NoSuchKey, format!("no such key: {}", escaped(name.as_encoded_bytes())))
}

/// Closes the store in order, so that later damage is told from a power cut. The first error is what counts.
fn close_after<T>(session: Session<'_>, result: Result<T, Error<FlashError>>) -> Result<T, Failure> {
    let closed = session.close();
    let value = result?;
    closed?;
    Ok(value)
}

/// Whole value of a key, in pieces so that progress can be told.
pub(crate) fn read_value(
    session: &mut Session<'_>,
    key: Key<'_>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Option<Zeroizing<Vec<u8>>>, Error<FlashError>> {
    const PIECE: usize = 16 * 1024;
    let Some(length) = session.length(key)? else { return Ok(None) };
    let mut value = Zeroizing::new(vec![0; length as usize]);
    let mut offset = 0;
    for piece in value.chunks_mut(PIECE) {
        let read = session.get_range(key, offset, piece)?;
        if read != Some(piece.len()) {
            return Err(Error::Damaged);
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
