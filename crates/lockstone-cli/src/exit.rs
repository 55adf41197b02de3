//! Exit codes: one table from everything that can go wrong to a number, a sentence and, where there is one, a hint.
//!
//! ```text
//! 0 done   1 no such key   2 usage   3 damaged or forged   4 rolled back
//! 5 full or worn out       6 not permitted                 7 device busy or I/O
//! ```
//!
//! Sentences may name keys and files, never values. Tested by the suite `commands`.

use std::fmt;
use std::io;
use std::path::Path;

use lockstone::{ChangeError, Error, InstallError, ObjectError, OpenError, TableError};
use lockstone_sim::SimError;

use crate::device::why_the_counter_failed;
use crate::file_flash::FlashError;

/// Why the process ends. The numbers never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    NoSuchKey = 1,
    Usage = 2,
    Damaged = 3,
    RolledBack = 4,
    Full = 5,
    NotPermitted = 6,
    Io = 7,
}

/// What a command that did not succeed says.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    sentence: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        Self { exit, sentence: sentence.into(), hint: None }
    }

    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self::new(Exit::Usage, sentence)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure, in other words.
    pub(crate) fn reworded(mut self, sentence: impl Into<String>) -> Self {
        self.sentence = sentence.into();
        self
    }

    /// A file could not be read, written or made. `doing` completes "can't ...".
    pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        let exit = if is_denied(error.kind()) { Exit::NotPermitted } else { Exit::Io };
        Self::new(exit, format!("can't {doing} {}: {error}", path.display()))
    }

    /// A file that was named on the command line could not be read.
    pub(crate) fn input(path: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::usage(format!("there is no file {}", path.display())),
            io::ErrorKind::IsADirectory => Self::usage(format!("{} is a directory", path.display())),
            _ => Self::file("read", path, error),
        }
    }

    /// Whether a slot does not hold what the store says, and nothing else is wrong.
    pub(crate) fn is_of_the_slot(&self) -> bool {
        self.hint.as_deref() == Some(AFTER_INSTALL)
    }

    pub(crate) fn sentence(&self) -> &str {
        &self.sentence
    }
}

/// Whether the system forbids it: to this user, or to everybody, as the file system can only be read.
pub(crate) const fn is_denied(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// `lockstone: sentence`, and the hint on a line of its own.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Sentences quote names and files, which may be anybody's.
        write!(f, "lockstone: {}", crate::terminal::on_one_line(&self.sentence))?;
        self.hint
            .as_ref()
            .map_or(Ok(()), |hint| write!(f, "\n  hint: {}", crate::terminal::escaped_text(hint.as_bytes())))
    }
}

const AFTER_DAMAGE: &str = "`lockstone check DEV` says what is damaged and what can still be read";
const AFTER_RESET: &str =
    "if a factory reset was cut: it goes on with the next command that may write; `lockstone scrub DEV` is one";
const WHAT_FORBIDS: &str = "`lockstone attributes DEV KEY` shows what forbids it";
const AFTER_EXHAUSTION: &str =
    "what needs no counter still works; protected keys can be read, and have to move to a new device to change";
const AFTER_COUNTER: &str = "the next command that may write finds out by itself what was counted";
const ITS_DEVICE: &str = "only its device can tell whether it is the newest: open it there";
const WHAT_IS_MISSING: &str =
    "`lockstone object resume DEV KEY` says which; with --file it writes them, and what can't be read any more";
const WHAT_TAKES_ROOM: &str =
    "`lockstone object ls DEV` shows what takes the room, unfinished objects too; remove some";
const AFTER_INSTALL: &str = "don't run it; `lockstone slot install DEV` brings the slot to hold what was requested";
const WHICH_DEVICE: &str = "was flash.bin or trusted/root.key replaced? Nothing was changed by looking";

impl From<FlashError> for Failure {
    fn from(error: FlashError) -> Self {
        match error {
            FlashError::Io(kind) if is_denied(kind) => Self::new(Exit::NotPermitted, error.to_string()),
            _ => Self::new(Exit::Io, error.to_string()).hint("the next command finds out by itself what was stored"),
        }
    }
}

impl From<SimError> for Failure {
    fn from(error: SimError) -> Self {
        Self::new(Exit::Io, format!("the flash in memory failed: {error}"))
    }
}

/// The counter failed, and why.
fn counter_failed(sentence: String) -> Failure {
    let failure = match why_the_counter_failed() {
        Some(cause) => Failure::new(Failure::from(cause).exit, format!("{sentence}: {cause}")),
        None => Failure::new(Exit::Io, sentence),
    };
    failure.hint(AFTER_COUNTER)
}

impl<E: Into<Self> + fmt::Debug> From<Error<E>> for Failure {
    fn from(error: Error<E>) -> Self {
        let (exit, hint) = match error {
            Error::Flash(error) => return error.into(),
            Error::Counter => return counter_failed(error.to_string()),
            Error::Full => (Exit::Full, Some("`lockstone rm` always works, also on a full device")),
            Error::WornOut => (Exit::Full, Some("everything stored can still be read: move it to a new device")),
            Error::Damaged => (Exit::Damaged, Some(AFTER_DAMAGE)),
            Error::InvalidName | Error::TooLarge => (Exit::Usage, None),
            Error::Collision => (Exit::Usage, Some("take another name")),
            Error::ReadOnly => (Exit::NotPermitted, Some(AFTER_RESET)),
            Error::NotPermitted => (Exit::NotPermitted, Some(WHAT_FORBIDS)),
            Error::Attributes(_) => (Exit::Usage, Some("nothing was changed")),
            Error::NoCounter => (Exit::NotPermitted, None),
            Error::CounterExhausted => (Exit::Full, Some(AFTER_EXHAUSTION)),
            Error::RolledBack => (Exit::RolledBack, Some("`lockstone check DEV` says more")),
            _ => (Exit::Io, None),
        };
        hint.into_iter().fold(Self::new(exit, error.to_string()), Self::hint)
    }
}

impl<E: Into<Self> + fmt::Debug, D: Into<Self> + fmt::Debug> From<ObjectError<E, D>> for Failure {
    fn from(error: ObjectError<E, D>) -> Self {
        let (exit, hint) = match error {
            ObjectError::Flash(error) => return error.into(),
            ObjectError::Store(error) => return error.into(),
            ObjectError::Full => (Exit::Full, Some(WHAT_TAKES_ROOM)),
            ObjectError::WornOut => (Exit::Full, Some("everything stored can still be read: move it to a new device")),
            ObjectError::Damaged => (Exit::Damaged, Some(AFTER_DAMAGE)),
            ObjectError::WrongDigest => (Exit::Damaged, None),
            ObjectError::Incomplete => (Exit::Usage, Some(WHAT_IS_MISSING)),
            ObjectError::NotAnObject => (Exit::Usage, Some("`lockstone get DEV KEY` reads it")),
            ObjectError::TooLarge | ObjectError::OutOfRange | ObjectError::Factory => (Exit::Usage, None),
            _ => (Exit::Io, None),
        };
        hint.into_iter().fold(Self::new(exit, error.to_string()), Self::hint)
    }
}

impl<E: Into<Self> + fmt::Debug> From<OpenError<E>> for Failure {
    fn from(error: OpenError<E>) -> Self {
        match error {
            OpenError::Flash(error) => error.into(),
            OpenError::WornOut => Self::new(Exit::Full, error.to_string()),
            OpenError::Random => Self::new(Exit::Io, error.to_string()),
            OpenError::RootKey => Self::new(Exit::NotPermitted, error.to_string()),
            OpenError::RolledBack => Self::new(Exit::RolledBack, error.to_string()),
            OpenError::Counter => counter_failed(error.to_string()),
            OpenError::NoCounter => Self::new(Exit::Damaged, error.to_string()).hint(ITS_DEVICE),
            OpenError::Layout(error) => Self::usage(error.reason()),
            OpenError::Damaged => Self::new(Exit::Damaged, error.to_string()).hint(AFTER_DAMAGE),
            error => Self::new(Exit::Damaged, error.to_string()).hint(WHICH_DEVICE),
        }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        use TableError::{InUse, Missing, Stale, Twice};
        let failure = match error {
            InUse => Self::new(Exit::NotPermitted, error.reason()),
            Stale => Self::new(Exit::Io, error.reason()),
            _ => Self::usage(error.reason()),
        };
        match error {
            InUse => failure.hint(
                "`lockstone object ls`, for all clients, and `lockstone slot ls` show by what; nothing was changed",
            ),
            Twice => failure.hint("`--number` says which one of that kind; nothing was changed"),
            Missing => failure.hint("`lockstone volume ls DEV` lists them"),
            _ => failure.hint("nothing was changed"),
        }
    }
}

impl<E: Into<Self> + fmt::Debug> From<ChangeError<E>> for Failure {
    fn from(error: ChangeError<E>) -> Self {
        match error {
            ChangeError::Store(error) => error.into(),
            ChangeError::Table(error) => error.into(),
        }
    }
}

impl<E, D, X> From<InstallError<E, D, X>> for Failure
where
    E: Into<Self> + fmt::Debug,
    D: Into<Self> + fmt::Debug,
    X: Into<Self> + fmt::Debug,
{
    fn from(error: InstallError<E, D, X>) -> Self {
        let (exit, hint) = match error {
            InstallError::Object(error) => return error.into(),
            InstallError::Slot(error) => return error.into(),
            InstallError::NoObject => (Exit::NoSuchKey, None),
            InstallError::TooLarge => (Exit::Usage, Some("nothing was changed")),
            InstallError::NothingRequested => {
                (Exit::Usage, Some("`lockstone slot request DEV KEY` says what belongs there"))
            }
            InstallError::Busy => (Exit::NotPermitted, Some("confirm that one first: `lockstone slot confirm`")),
            InstallError::WrongDigest => (Exit::Damaged, Some(AFTER_INSTALL)),
            _ => (Exit::Io, None),
        };
        hint.into_iter().fold(Self::new(exit, error.to_string()), Self::hint)
    }
}
