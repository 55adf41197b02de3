//! Files and folders that appear whole or not at all.
//!
//! Everything is written in a hidden directory beside the place, flushed, and then linked or renamed. Whatever goes
//! wrong, the hidden directory is removed, and what stood at the place before still does.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// Whom something is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Its owner alone.
    Private,
    /// Whom the system says.
    Usual,
}

/// Makes a new file that only its owner can read, never in place of another.
pub(crate) fn make_file(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Failure> {
    refuse_if_there(path)?;
    let hidden = Hidden::beside(path, Access::Private).map_err(|error| no_place(path, &error))?;
    let inside = hidden.0.join("file");
    let written = new_private_file(&inside).and_then(|mut file| {
        fill(&mut file)?;
        file.sync_all()
    });
    written.map_err(|error| Failure::file("write", path, &error))?;
    // A link, as a rename would replace what came in the meantime.
    fs::hard_link(&inside, path).and_then(|()| flush_parent(path)).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => there_already(path),
        _ => Failure::file("make", path, &error),
    })
}

/// Makes a new folder, never in place of another.
pub(crate) fn make_folder(
    path: &Path,
    access: Access,
    fill: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    refuse_if_there(path)?;
    let hidden = Hidden::beside(path, access).map_err(|error| no_place(path, &error))?;
    fill(&hidden.0)?;
    hidden.show_as(path).map_err(|error| Failure::file("make", path, &error))
}

/// Replaces a file; the new one is for its owner alone. What is no plain file (a pipe, a device) is written to.
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return OpenOptions::new().write(true).open(path)?.write_all(content);
    }
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let hidden = Hidden::beside(&path, Access::Private)?;
    let inside = hidden.0.join("file");
    write_new(&inside, content, Access::Private)?;
    fs::rename(&inside, &path)?;
    flush_parent(&path)
}

fn refuse_if_there(path: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok() { Err(there_already(path)) } else { Ok(()) }
}

fn there_already(path: &Path) -> Failure {
    Failure::usage(format!("{} is there already", path.display()))
        .hint("nothing is ever overwritten; remove it yourself if you mean it")
}

fn no_place(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => Failure::usage(format!("there is no directory to make {} in", path.display())),
        _ => Failure::file("make", path, error),
    }
}

/// A directory that is removed unless it is shown.
struct Hidden(PathBuf);

impl Hidden {
    fn beside(path: &Path, access: Access) -> io::Result<Self> {
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(path.file_name().ok_or(io::ErrorKind::IsADirectory)?);
        hidden.push(format!(".new-{}", std::process::id()));
        let hidden = path.with_file_name(hidden);
        make_directory(&hidden, access)?;
        Ok(Self(hidden))
    }

    fn show_as(self, path: &Path) -> io::Result<()> {
        flush_directory(&self.0)?;
        fs::rename(&self.0, path)?;
        flush_parent(path)
    }
}

impl Drop for Hidden {
    /// After it was shown there is nothing of this name.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes a new file.
pub(crate) fn write_new(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let mut file = if access == Access::Private { new_private_file(path)? } else { File::create_new(path)? };
    file.write_all(content)?;
    file.sync_all()
}

fn new_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a new directory.
pub(crate) fn make_directory(path: &Path, access: Access) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    if access == Access::Private {
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    }
    builder.create(path)
}

/// Makes the names in a directory durable, where the system has a way to.
pub(crate) fn flush_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn flush_parent(path: &Path) -> io::Result<()> {
    flush_directory(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}
