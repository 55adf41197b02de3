//! `get`: a value goes to standard output or replaces a file, whole, and only after all of it was verified.

use std::io::{self, IsTerminal};
use std::path::Path;

use lockstone::Key;

use super::{key, name, no_such_key, read_value};
use crate::args::Get;
use crate::device::{AnyRam, Device, Session};
use crate::exit::Failure;
use crate::files::{no_place, replace_file};
use crate::terminal::{LONG_WORK, bar, escaped_text, print};

type Value = zeroize::Zeroizing<Vec<u8>>;

pub(super) fn get(args: &Get) -> Result<(), Failure> {
    let target = Target::of(args.output.as_deref(), args.show, &args.named.place.device)?;
    // The device is free again when the value is written: whoever reads it may take long.
    let value = Device::read(&args.named.place.device, |held| {
        let mut memory = AnyRam::new();
        let session = held.mount(&mut memory)?;
        match args.owner {
            Some(owner) => shared_value(session, args, owner),
            None => own_value(session, key(&args.named)),
        }
    })?;
    let Some(value) = value else { return Err(no_such_key(&args.named.key)) };
    target.write(&value)
}

/// Where a value goes.
pub(super) enum Target<'a> {
    File(&'a Path),
    Output,
    /// Somebody asked to see it.
    Terminal,
}

impl<'a> Target<'a> {
    /// A terminal only if that is asked for; never what the device is made of.
    pub(super) fn of(output: Option<&'a Path>, show: bool, device: &Path) -> Result<Self, Failure> {
        match output {
            Some(path) if Device::is_made_of(device, path) => {
                Err(Failure::usage(format!("{} belongs to the device itself", path.display()))
                    .hint("nothing was changed; choose another place with -o"))
            }
            Some(path) => Ok(Self::File(path)),
            None if !io::stdout().is_terminal() => Ok(Self::Output),
            None if show => Ok(Self::Terminal),
            None => {
                let failure = Failure::usage("standard output is a terminal, and values may be secrets");
                Err(failure.hint("pipe it on, write it to a file with -o F, or ask to see it with --show"))
            }
        }
    }

    pub(super) fn write(&self, value: &[u8]) -> Result<(), Failure> {
        match self {
            Self::File(path) => replace_file(path, value).map_err(|error| no_place("write", path, &error)),
            Self::Output => print(value),
            Self::Terminal => print(escaped_text(value).as_bytes()),
        }
    }
}

/// What another client shares. Without the right to it there is no such key.
fn shared_value(session: Session<'_>, args: &Get, owner: u32) -> Result<Option<Value>, Failure> {
    let (mut session, value) = session.get_shared(args.named.place.client, name(&args.named), owner);
    let key = Key::new(name(&args.named)).of_client(owner);
    if matches!(value, Ok(Some(_))) && session.is_object(key)? {
        // It may be read, and that was its manifest.
        return own_value(session, key);
    }
    let _ = session.close();
    Ok(value?)
}

fn own_value(mut session: Session<'_>, key: Key<'_>) -> Result<Option<Value>, Failure> {
    let length = session.length(key)?.unwrap_or(0);
    let bar = bar(length as usize > LONG_WORK, length.into(), "reading");
    let value = read_value(&mut session, key, |done, _| bar.set_position(done))?;
    bar.finish_and_clear();
    // A get may have had to write a record of a killed process again. The value is good whether or not it can close.
    let _ = session.close();
    Ok(value)
}
