//! `inspect`: what is on a flash, shown without changing a bit of it.
//!
//! ```text
//! device or image ─> examine ─> Picture ─┬─> text    a page for the terminal
//!                                        ├─> JSON    one object on one line
//!                                        └─> svg     a bar a segment, worth printing
//! ```
//!
//! Opens what `check` can't: damaged, foreign, truncated images, and sealed ones without their key. Of a device with a volume
//! for objects the front of the flash is the log; the use of the blocks behind it is shown too, if the log mounts.

mod constants;
mod examine;
mod image;
mod picture;
mod svg;
mod text;

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use lockstone::Layout;

use crate::args::Inspect;
use crate::device::{Config, Device, Purpose, read_root_key};
use crate::exit::{Exit, Failure};
use crate::files::{no_place, replace_file};
use crate::findings::{Class, Finding};
use crate::terminal::{print, print_json};

pub(crate) use examine::{Known, Whole, examine};
pub(crate) use image::{ImageFlash, ReadCounter, Sizes, guess};
pub(crate) use picture::Picture;

/// Larger files are no flash that a store could be on.
const LARGEST: u64 = 1 << 30;

pub(crate) fn inspect(args: &Inspect) -> Result<(), Failure> {
    if args.constants {
        return print(constants::page().as_bytes());
    }
    let Some(path) = &args.path else {
        return Err(Failure::usage("which device or image?").hint("lockstone inspect DEV, or lockstone inspect IMAGE"));
    };
    let picture = if path.is_dir() { of_device(path, args)? } else { of_image(path, args)? };
    if let Some(file) = &args.svg {
        write_svg(file, &svg::draw(&picture))?;
    }
    if args.json {
        print_json(&picture.as_json())?;
    } else {
        print(text::page(&picture, args.long, args.records).as_bytes())?;
    }
    match &picture.standing {
        Some(standing) if standing.rolled_back => Err(standing.failure_in_short()),
        _ if picture.is_sound() => Ok(()),
        _ => Err(Failure::new(Exit::Damaged, "not all of it could be verified")),
    }
}

/// Whatever of the device is there; what is missing is not in the way.
fn of_device(path: &Path, args: &Inspect) -> Result<Picture, Failure> {
    let held = Device::find(path)?.hold(Purpose::Look)?;
    let config = *held.config();
    let bytes = read(&held.flash_path(), 0)?;
    let has_more = config.geometry.objects > 0;
    let keys = if has_more { bytes.get(..config.geometry.store() as usize).unwrap_or(&bytes) } else { &bytes };
    let whole = Whole { bytes: &bytes, capacity: config.geometry.flash, table: Some(config.geometry.table()) };
    // Without its key a device still shows something, and why there is no key.
    let (root, no_key) = match (&args.key, held.root_key()) {
        (Some(key), _) => (Some(read_root_key(key)?), None),
        (None, Ok(key)) => (Some(key), None),
        (None, Err(failure)) => (None, Some(failure.sentence().to_owned())),
    };
    let known = Known {
        sizes: Some(sizes_of(&config)?),
        block: Some(config.geometry.block),
        suite: Some(config.suite.id()),
        expects_sealed: args.key.is_some(),
        root: root.as_ref(),
        counter: held.counter_value().ok(),
        whole: has_more.then_some(whole),
    };
    let mut picture = examine(&path.display().to_string(), keys, &known);
    picture.bytes = bytes.len();
    let missing = picture.findings.iter_mut().find(|finding| finding.class == Class::KeyMissing);
    if let (Some(finding), Some(reason)) = (missing, no_key) {
        finding.sentence = format!("{reason}: names and values stay sealed");
    }
    if let (Some(_), Err(failure)) = (picture.bound, held.counter_value()) {
        let sentence = format!("{}: whether this flash is the newest can't be told", failure.sentence());
        picture.findings.push(Finding::new(Class::CounterMissing, sentence));
    }
    Ok(picture)
}

fn of_image(path: &Path, args: &Inspect) -> Result<Picture, Failure> {
    let mut bytes = read(path, args.offset.unwrap_or(0))?;
    bytes.truncate(args.size.map_or(usize::MAX, |size| size as usize));
    let root = args.key.as_deref().map(read_root_key).transpose()?;
    let sized = |(sizes, _)| Sizes { capacity: args.size.map_or(0, |size| size as usize), ..sizes };
    let known = Known {
        sizes: guess(&bytes).map(sized).filter(|sizes| sizes.capacity > 0),
        block: None,
        suite: None,
        expects_sealed: root.is_some(),
        root: root.as_ref(),
        counter: None,
        whole: None,
    };
    Ok(examine(&path.display().to_string(), &bytes, &known))
}

fn sizes_of(config: &Config) -> Result<Sizes, Failure> {
    let geometry = config.geometry;
    let layout = Layout::of(1, geometry.write as usize, geometry.block as usize, geometry.store() as usize)
        .map_err(|error| Failure::new(Exit::Damaged, error.reason()))?;
    Ok(Sizes { unit: layout.unit, segment: layout.segment, erased: 0xff, capacity: geometry.store() as usize })
}

/// What lies behind the first `offset` bytes of a file.
fn read(path: &Path, offset: u32) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::input(path, &error);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Failure::usage(format!("{} is neither a device directory nor a file", path.display())));
    }
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(offset.into())).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Failure::usage(format!("{} is too long: no image is larger than 1 GiB", path.display())));
    }
    if bytes.is_empty() {
        return Err(Failure::usage(format!("{} is empty, or ends before --offset", path.display())));
    }
    Ok(bytes)
}

/// Replaces a drawing, and nothing else: not the flash, not a key. A pipe is written to.
fn write_svg(path: &Path, drawing: &str) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok() && !is_pipe(path) && !is_drawing(path) {
        return Err(Failure::usage(format!("{} is there already, and no drawing", path.display())));
    }
    replace_file(path, drawing.as_bytes()).map_err(|error| no_place("write", path, &error))
}

fn is_drawing(path: &Path) -> bool {
    const BEGIN: [u8; 5] = *b"<svg ";
    let mut begin = [0; BEGIN.len()];
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    // What is no file may never come to an end of reading, or to a beginning.
    is_file && File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok() && begin == BEGIN
}

#[cfg(unix)]
fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| std::os::unix::fs::FileTypeExt::is_fifo(&metadata.file_type()))
}

#[cfg(not(unix))]
fn is_pipe(_: &Path) -> bool {
    false
}

/// The picture in every form: for tests.
#[cfg(test)]
pub(crate) fn drawn(picture: &Picture) -> String {
    format!("{}{}{}", picture.as_json(), text::page(picture, true, true), svg::draw(picture))
}
