//! Archives: a folder or a tar file, a file a key, and one for their attributes.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tar::{Archive, Builder, EntryType, Header};
use zeroize::Zeroizing;

use super::names::name_of;
use super::table::{self, TABLE};
use super::{Item, LONGEST};
use crate::exit::Failure;
use crate::files::{Access, make_file, make_folder, read_named, write_new};

/// Reads all plain files below a folder, sorted.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<Item>, Failure> {
    let (mut items, mut table) = (Vec::new(), None);
    let (mut folders, mut left) = (vec![PathBuf::new()], LONGEST);
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
                let value = read_named(&file, left, "no flash holds more than 1 GiB, all values together")?;
                left -= value.len() as u64;
                sort_in(path.as_os_str().as_encoded_bytes(), value, &mut items, &mut table)?;
            } else {
                return Err(Failure::usage(format!("{} is no plain file", folder.join(&path).display())));
            }
        }
    }
    items.sort_by(|one, other| one.name.cmp(&other.name));
    with_attributes(items, table)
}

/// Reads all plain files of a tar file, in their order.
pub(crate) fn read_tar(path: &Path) -> Result<Vec<Item>, Failure> {
    let bytes = read_named(path, LONGEST, "no flash holds more than 1 GiB, all values together")?;
    let broken = || Failure::usage(format!("{} is no whole tar file", path.display()));
    // Two blocks of zeros end an archive: without them it was cut, maybe between two files.
    if bytes.len() < 1024 || bytes[bytes.len() - 1024..].iter().any(|byte| *byte != 0) {
        return Err(broken());
    }
    let (mut items, mut table) = (Vec::new(), None);
    let mut archive = Archive::new(bytes.as_slice());
    for entry in archive.entries().map_err(|_| broken())? {
        let mut entry = entry.map_err(|_| broken())?;
        let name = entry.path_bytes().into_owned();
        match entry.header().entry_type() {
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            EntryType::Regular => {}
            _ => {
                let name = String::from_utf8_lossy(&name);
                return Err(Failure::usage(format!("{name} in {} is no plain file", path.display())));
            }
        }
        let size = usize::try_from(entry.size()).ok().filter(|size| *size <= bytes.len()).ok_or_else(broken)?;
        let mut value = Zeroizing::new(Vec::with_capacity(size));
        entry.read_to_end(&mut value).map_err(|_| broken())?;
        sort_in(name.strip_prefix(b"./").unwrap_or(&name), value, &mut items, &mut table)?;
    }
    with_attributes(items, table)
}

/// A file is a key, or the table of attributes.
fn sort_in(
    path: &[u8],
    content: Zeroizing<Vec<u8>>,
    items: &mut Vec<Item>,
    table: &mut Option<Zeroizing<Vec<u8>>>,
) -> Result<(), Failure> {
    if path == TABLE.as_bytes() {
        *table = Some(content);
        return Ok(());
    }
    let name = name_of(path)
        .ok_or_else(|| Failure::usage(format!("{} is no name of 1 to 255 bytes", String::from_utf8_lossy(path))))?;
    items.push(Item::new(name, content));
    Ok(())
}

fn with_attributes(mut items: Vec<Item>, table: Option<Zeroizing<Vec<u8>>>) -> Result<Vec<Item>, Failure> {
    if let Some(text) = table {
        table::read(&text, &mut items)?;
    }
    Ok(items)
}

/// Writes values to files in a new folder that only its owner can read.
pub(crate) fn write_folder(folder: &Path, items: &[(String, Zeroizing<Vec<u8>>)]) -> Result<(), Failure> {
    make_folder(folder, Access::Private, |inside| {
        for (path, value) in items {
            let file = inside.join(path);
            let written = fs::create_dir_all(file.parent().unwrap_or(inside))
                .and_then(|()| write_new(&file, value, Access::Private));
            written.map_err(|error| Failure::file("write", &folder.join(path), &error))?;
        }
        Ok(())
    })
}

/// Writes values to a new tar file that only its owner can read. The same content gives the same bytes.
pub(crate) fn write_tar(path: &Path, items: &[(String, Zeroizing<Vec<u8>>)]) -> Result<(), Failure> {
    make_file(path, |file| {
        let mut builder = Builder::new(file);
        for (name, value) in items {
            let mut header = Header::new_gnu();
            header.set_size(value.len() as u64);
            header.set_mode(0o600);
            header.set_mtime(0);
            builder.append_data(&mut header, name, value.as_slice())?;
        }
        builder.finish()
    })
}
