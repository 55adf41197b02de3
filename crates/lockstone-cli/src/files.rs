//! Files and folders that appear whole or not at all.
//!
//! Everything is written in a hidden directory beside the place, flushed, and then linked or renamed; a new file is copied
//! where the file system has no links. Whatever goes wrong, the hidden directory is removed, and what stood at the place
//! before still does.
//!
//! ```text
//! .NAME.new-0123456789abcdef/    random digits; what is to become NAME. Its process has it locked
//! ```
//!
//! Of a process that was killed the hidden directory stays, with as much of the content as was written, for the owner alone
//! where the content is. Whoever writes the same NAME next removes it: what can be locked belongs to nobody who lives. Where
//! directories can't be locked it is left alone. Tested by the suite `input_output`, and below.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

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
    let hidden = Hidden::beside(path, Access::Private).map_err(|error| no_place("make", path, &error))?;
    let inside = hidden.path.join("file");
    let written = new_private_file(&inside).and_then(|mut file| {
        fill(&mut file)?;
        file.sync_all()
    });
    written.map_err(|error| Failure::file("write", path, &error))?;
    // A link, as a rename would replace what came in the meantime.
    let made = fs::hard_link(&inside, path).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Err(error),
        _ => copy_new(&inside, path),
    });
    made.and_then(|()| flush_parent(path)).map_err(|error| match error.kind() {
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
    let hidden = Hidden::beside(path, access).map_err(|error| no_place("make", path, &error))?;
    fill(&hidden.path)?;
    hidden.show_as(path).map_err(|error| Failure::file("make", path, &error))
}

/// Brings a file to its place where the file system has no links (FAT): nothing is overwritten, but a process that is killed may
/// leave half of it there.
fn copy_new(from: &Path, path: &Path) -> io::Result<()> {
    let mut file = new_private_file(path)?;
    let copied = File::open(from).and_then(|mut from| io::copy(&mut from, &mut file)).and_then(|_| file.sync_all());
    if copied.is_err() {
        let _ = fs::remove_file(path);
    }
    copied
}

/// Replaces a file; the new one is for its owner alone. What is no plain file (a pipe, a device) is written to, as is what a
/// process has open: others may write there before and after.
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    match open_file(path) {
        Some(Open::Output) => {
            let mut output = io::stdout().lock();
            return output.write_all(content).and_then(|()| output.flush());
        }
        Some(Open::Errors) => return io::stderr().write_all(content),
        Some(Open::Other) => return OpenOptions::new().append(true).open(path)?.write_all(content),
        None => {}
    }
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return OpenOptions::new().write(true).open(path)?.write_all(content);
    }
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let hidden = Hidden::beside(&path, Access::Private)?;
    let inside = hidden.path.join("file");
    write_new(&inside, content, Access::Private)?;
    fs::rename(&inside, &path)?;
    flush_parent(&path)
}

/// A plain file that a process has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// Standard output of this process. Opened once more it would be written from its beginning.
    Output,
    /// Its standard error.
    Errors,
    Other,
}

/// Links that are followed before a path is taken for one that leads nowhere, as systems do.
pub(crate) const LINKS_MAX: usize = 40;

/// Whether a path leads to a plain file by way of `/proc`, as `/dev/stdout` does: a link would be followed to the file itself.
fn open_file(path: &Path) -> Option<Open> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let (folder, name) = (fs::canonicalize(parent(&path)).ok()?, path.file_name()?.to_owned());
        if folder.starts_with("/proc") || folder == Path::new("/dev/fd") || folder == Path::new("/dev") {
            let own = fs::canonicalize("/proc/self/fd").is_ok_and(|own| own == folder) || !folder.starts_with("/proc");
            return Some(match name.to_str() {
                Some("1" | "stdout") if own => Open::Output,
                Some("2" | "stderr") if own => Open::Errors,
                _ => Open::Other,
            });
        }
        path = folder.join(fs::read_link(folder.join(&name)).ok()?);
    }
    None
}

/// Where a file is, or would be made: links are followed.
pub(crate) fn place_of(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).or_else(|_| {
        let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        Ok(fs::canonicalize(parent(path))?.join(name))
    })
}

/// Reads a file that was named. If it has more than `longest` bytes it is refused, and `why` says what sets the limit.
pub(crate) fn read_named(path: &Path, longest: u64, why: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error| Failure::input(path, &error);
    let too_long = || Failure::usage(format!("{} is too long: {why}", path.display()));
    let file = File::open(path).map_err(failed)?;
    // A pipe or a device has no length: there it is found out.
    let length = file.metadata().map_err(failed)?.len();
    if length > longest {
        return Err(too_long());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0)));
    file.take(longest + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > longest { Err(too_long()) } else { Ok(bytes) }
}

fn refuse_if_there(path: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok() { Err(there_already(path)) } else { Ok(()) }
}

fn there_already(path: &Path) -> Failure {
    Failure::usage(format!("{} is there already", path.display()))
        .hint("nothing is ever overwritten; remove it yourself if you mean it")
}

/// An output that was named on the command line could not be made or replaced.
pub(crate) fn no_place(doing: &str, path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Failure::usage(format!("there is no directory to make {} in", path.display()))
        }
        io::ErrorKind::IsADirectory => Failure::usage(format!("{} is a directory", path.display())),
        _ => Failure::file(doing, path, error),
    }
}

/// Names that are tried before a hidden directory is given up.
const TRIES: u32 = 16;
/// Random digits of its name.
const DIGITS: usize = 16;
/// Bytes of a name that are taken over into it. Systems take 255 in all.
const NAME_MAX: usize = 200;

/// A directory that is removed unless it is shown.
struct Hidden {
    path: PathBuf,
    /// Says that its process lives. `None`: directories can't be locked here.
    _lock: Option<File>,
}

impl Hidden {
    fn beside(path: &Path, access: Access) -> io::Result<Self> {
        let stem = stem(path.file_name().ok_or(io::ErrorKind::IsADirectory)?);
        remove_left_over(parent(path), &stem);
        for _ in 0..TRIES {
            let mut name = stem.clone();
            name.push(format!("{:0DIGITS$x}", getrandom::u64().map_err(io::Error::other)?));
            let hidden = path.with_file_name(name);
            match make_directory(&hidden, access) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            match lock(&hidden) {
                Lock::Ours(lock) => return Ok(Self { path: hidden, _lock: Some(lock) }),
                Lock::Impossible => return Ok(Self { path: hidden, _lock: None }),
                // Somebody took it for left over, in the moment before it was locked.
                Lock::Others => {}
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn show_as(self, path: &Path) -> io::Result<()> {
        flush_directory(&self.path)?;
        fs::rename(&self.path, path)?;
        flush_parent(path)
    }
}

impl Drop for Hidden {
    /// After it was shown there is nothing of this name.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// How the names of the hidden directories begin. A long name is cut off, as theirs would be too long for the system.
fn stem(name: &OsStr) -> OsString {
    let mut stem = OsString::from(".");
    if name.len() > NAME_MAX {
        let text = name.to_string_lossy();
        stem.push(&text[..text.floor_char_boundary(NAME_MAX)]);
    } else {
        stem.push(name);
    }
    stem.push(".new-");
    stem
}

/// Removes the hidden directories of this stem whose processes are dead. What can't be removed is in nobody's way.
fn remove_left_over(folder: &Path, stem: &OsStr) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let digits = name.as_encoded_bytes().strip_prefix(stem.as_encoded_bytes());
        let is_ours = digits.is_some_and(|digits| {
            digits.len() == DIGITS && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        });
        if is_ours
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Lock::Ours(_lock) = lock(&entry.path())
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whose a directory is.
enum Lock {
    /// Until the file is closed.
    Ours(File),
    Others,
    /// The system has no locks on directories.
    Impossible,
}

fn lock(path: &Path) -> Lock {
    if !cfg!(unix) {
        return Lock::Impossible;
    }
    let Ok(file) = File::open(path) else { return Lock::Others };
    match file.try_lock() {
        Ok(()) if File::open(path).is_ok_and(|now| same_file(&file, &now)) => Lock::Ours(file),
        // It is gone, or there is another one now.
        Ok(()) | Err(TryLockError::WouldBlock) => Lock::Others,
        Err(TryLockError::Error(_)) => Lock::Impossible,
    }
}

/// Whether two open files are one.
#[cfg(unix)]
pub(crate) fn same_file(one: &File, other: &File) -> bool {
    let place = |file: &File| file.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    place(one) == place(other)
}

/// Whether two open files are one, which can't be told here: nobody should use a device while it gets another suite.
#[cfg(not(unix))]
pub(crate) fn same_file(_: &File, _: &File) -> bool {
    true
}

/// Writes a new file.
pub(crate) fn write_new(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let mut file = if access == Access::Private { new_private_file(path)? } else { File::create_new(path)? };
    file.write_all(content)?;
    file.sync_all()
}

/// Writes a new file that comes in the place of another one, and belongs to whom that does; its owner alone may use it, until it is
/// whole or at all.
pub(crate) fn write_like(path: &Path, content: &[u8], like: &Path, access: Access) -> io::Result<()> {
    let mut file = new_private_file(path)?;
    give_like(&file, like)?;
    file.write_all(content)?;
    if cfg!(unix) && access == Access::Usual {
        file.set_permissions(fs::metadata(like)?.permissions())?;
    }
    file.sync_all()
}

/// Gives a new file to whom another one belongs, where this user may: root, on the device of somebody else.
#[cfg(unix)]
fn give_like(file: &File, like: &Path) -> io::Result<()> {
    let owners = |metadata: fs::Metadata| (metadata.uid(), metadata.gid());
    let (user, group) = owners(fs::metadata(like)?);
    if owners(file.metadata()?) != (user, group) {
        // Where nothing can be given away, or that owner is not known (in a container), it stays this user's.
        let _ = std::os::unix::fs::fchown(file, Some(user), Some(group));
    }
    Ok(())
}

/// Files have no owners that could be told here.
#[cfg(not(unix))]
fn give_like(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
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

/// Makes the names in a directory durable, where the system has a way to. On what can only be read there is nothing to do.
pub(crate) fn flush_directory(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(path)?.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::ReadOnlyFilesystem) => Ok(()),
        flushed => flushed,
    }
}

fn flush_parent(path: &Path) -> io::Result<()> {
    flush_directory(parent(path))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of processes come again: what one left that had this number is in nobody's way.
    #[test]
    fn what_a_process_of_the_same_number_left_is_in_nobodys_way() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join(format!(".out.new-{}", std::process::id()))).unwrap();
        replace_file(&place.path().join("out"), b"new").unwrap();
        assert_eq!(fs::read(place.path().join("out")).unwrap(), b"new");
        make_folder(&place.path().join("folder"), Access::Private, |_| Ok(())).unwrap();
    }

    /// As on file systems without links.
    #[test]
    fn a_copy_overwrites_nobody_and_is_whole_or_gone() {
        let place = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| place.path().join(name));
        fs::write(&from, b"new").unwrap();
        copy_new(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"new");
        fs::write(&from, b"newer").unwrap();
        assert_eq!(copy_new(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"new");
        fs::remove_file(&to).unwrap();
        copy_new(place.path(), &to).unwrap_err();
        assert!(!to.exists(), "half a file stays");
    }

    #[test]
    fn many_that_write_one_file_never_take_each_other_for_dead() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("out");
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let path = &path;
                scope.spawn(move || (0..50).for_each(|_| replace_file(path, &[thread; 999]).unwrap()));
            }
        });
        assert_eq!(fs::read(&path).unwrap().len(), 999);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
