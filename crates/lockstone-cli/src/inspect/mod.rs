//! `inspect`: what is on a flash, shown without changing a bit of it.
//!
//! ```text
//! device or image ─> examine ─> Picture ─┬─> text    a page for the terminal
//!                                        ├─> JSON    one object on one line
//!                                        └─> svg     a bar a segment, worth printing
//! ```
//!
//! Opens what `check` can't: damaged, foreign, truncated images, and sealed ones without their key.

mod constants;
mod examine;
mod image;
mod picture;
mod svg;
mod text;

use std::fs;
use std::path::Path;

use lockstone::Layout;

use crate::args::Inspect;
use crate::device::{Config, Device, Purpose, read_root_key};
use crate::exit::{Exit, Failure};
use crate::terminal::{print, print_json};

pub(crate) use examine::{Known, examine};
pub(crate) use image::{Sizes, guess};
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
        fs::write(file, svg::draw(&picture)).map_err(|error| Failure::file("write", file, &error))?;
    }
    if args.json {
        print_json(&picture.as_json())?;
    } else {
        print(text::page(&picture, args.long, args.records).as_bytes())?;
    }
    if picture.is_sound() { Ok(()) } else { Err(Failure::new(Exit::Damaged, "not all of it could be verified")) }
}

/// Whatever of the device is there; what is missing is not in the way.
fn of_device(path: &Path, args: &Inspect) -> Result<Picture, Failure> {
    let device = Device::find(path)?;
    let config = device.config;
    let held = device.hold(Purpose::Look)?;
    let bytes = read(&held.flash_path())?;
    let root = match &args.key {
        Some(key) => Some(read_root_key(key)?),
        None => held.root_key().ok(),
    };
    let known = Known {
        sizes: Some(sizes_of(&config)?),
        block: Some(config.geometry.block),
        suite: Some(config.suite.id()),
        root: root.as_ref(),
    };
    Ok(examine(&path.display().to_string(), &bytes, &known))
}

fn of_image(path: &Path, args: &Inspect) -> Result<Picture, Failure> {
    let bytes = read(path)?;
    let root = args.key.as_deref().map(read_root_key).transpose()?;
    let known = Known { sizes: None, block: None, suite: None, root: root.as_ref() };
    Ok(examine(&path.display().to_string(), &bytes, &known))
}

fn sizes_of(config: &Config) -> Result<Sizes, Failure> {
    let geometry = config.geometry;
    let layout = Layout::of(1, geometry.write as usize, geometry.block as usize, geometry.flash as usize)
        .map_err(|error| Failure::new(Exit::Damaged, error.reason()))?;
    Ok(Sizes { unit: layout.unit, segment: layout.segment, erased: 0xff, capacity: geometry.flash as usize })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let size = fs::metadata(path).map_err(|error| Failure::input(path, &error))?.len();
    if size > LARGEST {
        return Err(Failure::usage(format!("{} has {size} bytes: no image is larger than 1 GiB", path.display())));
    }
    fs::read(path).map_err(|error| Failure::input(path, &error))
}

/// The picture in every form: for tests.
#[cfg(test)]
pub(crate) fn drawn(picture: &Picture) -> String {
    format!("{}{}{}", picture.as_json(), text::page(picture, true, true), svg::draw(picture))
}
