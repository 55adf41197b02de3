//! `put`: a value comes from standard input or a file, never from an argument.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use lockstone::{Error, Put as How};
use zeroize::Zeroizing;

use super::{close_after, key, name, no_such_key};
use crate::args::Put;
use crate::attributes::of_flags;
use crate::device::{AnyRam, Device, Purpose, Session};
use crate::exit::{Exit, Failure};
use crate::terminal::{LONG_WORK, say, spinner};

pub(super) fn put(args: &Put) -> Result<(), Failure> {
    let how = How { attributes: of_flags(&args.attributes), protect: args.protect };
    let device = Device::find(&args.named.place.device)?;
    let value = read_input(args.file.as_deref(), device.config.geometry.flash)?;
    let device = device.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let spinner = spinner(value.len() > LONG_WORK, "storing");
    if let Some(owner) = args.owner {
        let (session, stored) = session.put_shared(args.named.place.client, name(&args.named), owner, &value);
        let stored = close_after(session, stored);
        spinner.finish_and_clear();
        return if stored? { Ok(()) } else { Err(no_such_key(&args.named.key)) };
    }
    let stored = session.put_with(key(&args.named), &value, how);
    let too_large = matches!(stored, Err(Error::TooLarge)).then(|| too_large(&mut session, value.len()));
    let closed = close_after(session, stored);
    spinner.finish_and_clear();
    too_large.map_or(closed, Err)
}

/// Reads the value, at most one byte more than the flash has.
fn read_input(file: Option<&Path>, flash: u32) -> Result<Zeroizing<Vec<u8>>, Failure> {
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

fn too_large(session: &mut Session<'_>, length: usize) -> Failure {
    let capacity = session.stats().map_or(0, |stats| stats.capacity_bytes);
    Failure::usage(format!("the value has {length} bytes, this store holds {capacity} in all; nothing was changed"))
}
