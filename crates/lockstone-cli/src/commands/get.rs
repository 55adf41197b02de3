//! `get`: a value goes to standard output or replaces a file, whole, and only after all of it was verified.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::{key, no_such_key, read_value};
use crate::args::Get;
use crate::device::{AnyRam, Device, Purpose, flush_directory, new_private_file};
use crate::exit::Failure;
use crate::terminal::{LONG_WORK, bar, escaped_text, print};

pub(super) fn get(args: &Get) -> Result<(), Failure> {
    let to_terminal = args.output.is_none() && io::stdout().is_terminal();
    if to_terminal && !args.show {
        let failure = Failure::usage("standard output is a terminal, and values may be secrets");
        return Err(failure.hint("pipe it on, write it to a file with -o F, or ask to see it with --show"));
    }
    let device = Device::find(&args.named.place.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let key = key(&args.named);
    let length = session.length(key)?.unwrap_or(0);
    let bar = bar(length as usize > LONG_WORK, length.into(), "reading");
    let value = read_value(&mut session, key, |done, _| bar.set_position(done))?;
    bar.finish_and_clear();
    // A get may have had to write a record of a killed process again. The value is good whether or not it can close.
    let _ = session.close();
    let Some(value) = value else { return Err(no_such_key(&args.named.key)) };
    match &args.output {
        Some(path) => write_file(path, &value).map_err(|error| Failure::file("write", path, &error)),
        None if to_terminal => print(escaped_text(&value).as_bytes()),
        None => print(&value),
    }
}

/// Replaces a file as a whole. What is no plain file (a pipe, a device) is written to.
fn write_file(path: &Path, value: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(value);
    }
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let hidden = beside(&path)?;
    let written = new_private_file(&hidden).and_then(|mut file| {
        file.write_all(value)?;
        file.sync_all()?;
        fs::rename(&hidden, &path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&hidden);
    }
    written?;
    flush_directory(hidden.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".lockstone-{}", std::process::id()));
    Ok(path.with_file_name(hidden))
}
