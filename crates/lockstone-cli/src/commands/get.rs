//! `get`: a value goes to standard output or replaces a file, whole, and only after all of it was verified.

use std::io::{self, IsTerminal};

use super::{key, name, no_such_key, read_value};
use crate::args::Get;
use crate::device::{AnyRam, Device, Purpose, Session};
use crate::exit::Failure;
use crate::files::replace_file;
use crate::terminal::{LONG_WORK, bar, escaped_text, print};

type Value = zeroize::Zeroizing<Vec<u8>>;

pub(super) fn get(args: &Get) -> Result<(), Failure> {
    let to_terminal = args.output.is_none() && io::stdout().is_terminal();
    if to_terminal && !args.show {
        let failure = Failure::usage("standard output is a terminal, and values may be secrets");
        return Err(failure.hint("pipe it on, write it to a file with -o F, or ask to see it with --show"));
    }
    let device = Device::find(&args.named.place.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let session = device.mount(&mut memory)?;
    let value = match args.owner {
        Some(owner) => shared_value(session, args, owner)?,
        None => own_value(session, args)?,
    };
    let Some(value) = value else { return Err(no_such_key(&args.named.key)) };
    match &args.output {
        Some(path) => replace_file(path, &value).map_err(|error| Failure::file("write", path, &error)),
        None if to_terminal => print(escaped_text(&value).as_bytes()),
        None => print(&value),
    }
}

/// What another client shares. Without the right to it there is no such key.
fn shared_value(session: Session<'_>, args: &Get, owner: u32) -> Result<Option<Value>, Failure> {
    let (session, value) = session.get_shared(args.named.place.client, name(&args.named), owner);
    let _ = session.close();
    Ok(value?)
}

fn own_value(mut session: Session<'_>, args: &Get) -> Result<Option<Value>, Failure> {
    let key = key(&args.named);
    let length = session.length(key)?.unwrap_or(0);
    let bar = bar(length as usize > LONG_WORK, length.into(), "reading");
    let value = read_value(&mut session, key, |done, _| bar.set_position(done))?;
    bar.finish_and_clear();
    // A get may have had to write a record of a killed process again. The value is good whether or not it can close.
    let _ = session.close();
    Ok(value)
}
