//! Archives: a folder or a tar file, a file a key.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use tar::{Archive, Builder, EntryType, Header};
use zeroize::Zeroizing;

use super::Item;
use super::names::name_of;
use crate::device::new_private_file;
use crate::exit::Failure;

/// No value is longer than a flash.
const LONGEST: u64 = 1 << 30;

/// Reads all plain files below a folder, sorted.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<Item>, Failure> {
    let mut items = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        let place = folder.join(&below);
        let failed = |error: io::Error| Failure::file("read", &place, &error);
        for entry in fs::read_dir(&place).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = below.join(entry.file_name());
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let file = folder.join(&path);
                let value = fs::read(&file).map_err(|error| Failure::file("read", &file, &error))?;
                items.push(item(&path.to_string_lossy(), value)?);
            } else {
                return Err(Failure::usage(format!("{} is no plain file", folder.join(&path).display())));
            }
        }
    }
    items.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(items)
}

/// Reads all plain files of a tar file, in their order.
pub(crate) fn read_tar(path: &Path) -> Result<Vec<Item>, Failure> {
    let file = File::open(path).map_err(|error| Failure::input(path, &error))?;
    let damaged = |_| Failure::usage(format!("{} is no whole tar file", path.display()));
    let mut items = Vec::new();
    let mut archive = Archive::new(BufReader::new(file));
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = entry.path().map_err(damaged)?.to_string_lossy().trim_start_matches("./").to_owned();
        match entry.header().entry_type() {
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            EntryType::Regular => {}
            _ => return Err(Failure::usage(format!("{name} in {} is no plain file", path.display()))),
        }
        if entry.size() > LONGEST {
            return Err(Failure::usage(format!("{name} in {} is longer than any flash", path.display())));
        }
        let mut value = Vec::new();
        entry.read_to_end(&mut value).map_err(damaged)?;
        items.push(item(&name, value)?);
    }
    Ok(items)
}

fn item(path: &str, value: Vec<u8>) -> Result<Item, Failure> {
    let name = name_of(path).ok_or_else(|| Failure::usage(format!("{path} is no name of 1 to 255 bytes")))?;
    Ok(Item { name, value: Zeroizing::new(value) })
}

/// Writes values to files in a new folder that only its owner can read.
pub(crate) fn write_folder(folder: &Path, items: &[(String, Zeroizing<Vec<u8>>)]) -> Result<(), Failure> {
    fs::create_dir(folder).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format!("{} is there already", folder.display())),
        _ => Failure::file("make", folder, &error),
    })?;
    for (path, value) in items {
        let file = folder.join(path);
        let parent = file.parent().unwrap_or(folder);
        let written = fs::create_dir_all(parent)
            .and_then(|()| new_private_file(&file))
            .and_then(|mut file| file.write_all(value).and_then(|()| file.sync_all()));
        written.map_err(|error| Failure::file("write", &file, &error))?;
    }
    Ok(())
}

/// Writes values to a new tar file that only its owner can read. The same content gives the same bytes.
pub(crate) fn write_tar(path: &Path, items: &[(String, Zeroizing<Vec<u8>>)]) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file("write", path, &error);
    let mut builder = Builder::new(new_file(path)?);
    for (name, value) in items {
        let mut header = Header::new_gnu();
        header.set_size(value.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(0);
        builder.append_data(&mut header, name, value.as_slice()).map_err(failed)?;
    }
    builder.into_inner().and_then(|file| file.sync_all()).map_err(failed)
}

/// Writes an image to a new file that only its owner can read.
pub(crate) fn write_image(path: &Path, image: &[u8]) -> Result<(), Failure> {
    let mut file = new_file(path)?;
    file.write_all(image).and_then(|()| file.sync_all()).map_err(|error| Failure::file("write", path, &error))
}

fn new_file(path: &Path) -> Result<File, Failure> {
    new_private_file(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format!("{} is there already", path.display()))
            .hint("nothing is ever overwritten; remove it yourself if you mean it"),
        _ => Failure::file("make", path, &error),
    })
}
