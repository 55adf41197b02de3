//! Trusted state in files: a counter and a slot, where the device has no hardware for them.
//!
//! ```text
//! DEV/trusted/counter     decimal digits and a newline
//! DEV/trusted/slot        32 bytes
//! DEV/trusted/.X.new      the next content of X, until it is renamed; what a killed process left is written anew
//! ```
//!
//! A new content is written beside the old one, flushed, and renamed over it: whenever the process is killed or the
//! machine stops, the old or the new content is there, whole. A rename that is seen may not have reached the disk yet, so
//! the directory is flushed before anything is said for the first time, and after a write that failed.
//!
//! Who uses these has locked the device: one process writes at a time. A file that is gone is never made again, and one
//! that makes no sense is never replaced.
//!
//! Tested below: nonsense, limits, leftovers of every length, kills.

use std::cell::Cell;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use lockstone::trust::{MonotonicCounter, TrustedSlot};

use crate::exit::{Exit, Failure, is_denied};
use crate::files::{Access, LINKS_MAX, flush_directory, write_like};

/// What can go wrong with trusted state in a file. Each says which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrustedError {
    /// The file system said no. The content is the old or the new one.
    Io(&'static str, io::ErrorKind),
    /// There is no such file.
    Gone(&'static str),
    /// The content is not what belongs there.
    Malformed(&'static str, &'static str),
    /// The counter stands higher than this device can count.
    BeyondLimit(u64),
    /// The counter stands at its limit.
    Exhausted(u64),
}

const COUNTER: &str = "trusted/counter";
const SLOT: &str = "trusted/slot";

impl fmt::Display for TrustedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(file, kind) => write!(f, "can't read or write {file}: {kind}"),
            Self::Gone(file) => write!(f, "{file} is gone"),
            Self::Malformed(file, what) => write!(f, "{file} is not {what}"),
            Self::BeyondLimit(limit) => write!(f, "{COUNTER} stands beyond its limit of {limit}"),
            Self::Exhausted(limit) => write!(f, "{COUNTER} has reached its limit of {limit}"),
        }
    }
}

impl From<TrustedError> for Failure {
    fn from(error: TrustedError) -> Self {
        let (exit, hint) = match error {
            TrustedError::Io(_, kind) if is_denied(kind) => (Exit::NotPermitted, None),
            TrustedError::Io(..) => (Exit::Io, Some("the next command finds out by itself what was counted")),
            TrustedError::Exhausted(_) => (Exit::Full, Some("everything stored can still be read")),
            TrustedError::Gone(_) => (Exit::Damaged, Some("nothing is made again in its place: put it back as it was")),
            TrustedError::BeyondLimit(_) => {
                (Exit::Damaged, Some("was it edited, or `counter_limit` in device.toml? Nothing was changed"))
            }
            TrustedError::Malformed(..) => (Exit::Damaged, Some("who may write there? Nothing was changed")),
        };
        hint.into_iter().fold(Self::new(exit, error.to_string()), Self::hint)
    }
}

/// A small file that is replaced as a whole.
#[derive(Debug)]
struct Whole {
    path: PathBuf,
    name: &'static str,
    /// What is there has reached the disk.
    durable: bool,
}

impl Whole {
    const fn new(path: PathBuf, name: &'static str) -> Self {
        Self { path, name, durable: false }
    }

    /// The content, or the beginning of it that is one byte too long.
    fn read(&mut self, longest: usize) -> Result<Vec<u8>, TrustedError> {
        self.try_read(longest).map_err(|error| self.failed(&error))
    }

    fn try_read(&mut self, longest: usize) -> io::Result<Vec<u8>> {
        if !fs::metadata(&self.path)?.is_file() {
            // Nothing that belongs there is empty.
            return Ok(Vec::new());
        }
        if !self.durable {
            flush_directory(parent(&place(&self.path)?))?;
            self.durable = true;
        }
        let mut content = Vec::with_capacity(longest + 1);
        File::open(&self.path)?.take(longest as u64 + 1).read_to_end(&mut content)?;
        Ok(content)
    }

    fn replace(&mut self, content: &[u8]) -> Result<(), TrustedError> {
        self.durable = false;
        self.try_replace(content).map_err(|error| self.failed(&error))?;
        self.durable = true;
        Ok(())
    }

    fn try_replace(&self, content: &[u8]) -> io::Result<()> {
        let place = place(&self.path)?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(place.file_name().ok_or(io::ErrorKind::IsADirectory)?);
        hidden.push(".new");
        let hidden = place.with_file_name(hidden);
        match fs::remove_file(&hidden) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => write_like(&hidden, content, &place, Access::Private)?,
        }
        fs::rename(&hidden, &place)?;
        flush_directory(parent(&place))
    }

    fn failed(&self, error: &io::Error) -> TrustedError {
        match error.kind() {
            // Something else may be missing, such as the directory that this process works in.
            io::ErrorKind::NotFound if is_gone(&self.path) => TrustedError::Gone(self.name),
            kind => TrustedError::Io(self.name, kind),
        }
    }
}

fn is_gone(path: &Path) -> bool {
    fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Where a link leads to, if it is one; fails if it leads nowhere. Nothing asks for the directory that this process works in:
/// it may have been removed, and the device still be there.
fn place(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        if !fs::symlink_metadata(&path)?.is_symlink() {
            return Ok(path);
        }
        path = parent(&path).join(fs::read_link(&path)?);
    }
    Err(io::ErrorKind::NotFound.into())
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

thread_local! {
    /// Why the counter failed when it was used last.
    static CAUSE: Cell<Option<TrustedError>> = const { Cell::new(None) };
}

/// Why the counter failed when it was used last, if it did: the engine says that it failed, and no more.
pub(crate) fn why_the_counter_failed() -> Option<TrustedError> {
    CAUSE.get()
}

/// A counter in a file.
#[derive(Debug)]
pub(crate) struct FileCounter {
    file: Whole,
    limit: u64,
}

impl FileCounter {
    /// The counter in this file, which can go up to `limit`. Nothing is read yet.
    pub(crate) const fn new(path: PathBuf, limit: u64) -> Self {
        Self { file: Whole::new(path, COUNTER), limit }
    }

    /// The only way to write this number: no sign, no space, no zero in front.
    fn parse(content: &[u8]) -> Option<u64> {
        let digits = content.strip_suffix(b"\n").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
        let value = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (content == Self::text(value).as_bytes()).then_some(value)
    }

    fn text(value: u64) -> String {
        format!("{value}\n")
    }

    fn try_read(&mut self) -> Result<u64, TrustedError> {
        let content = self.file.read(Self::text(u64::MAX).len())?;
        match Self::parse(&content) {
            None => Err(TrustedError::Malformed(COUNTER, "a number on a line")),
            Some(value) if value > self.limit => Err(TrustedError::BeyondLimit(self.limit)),
            Some(value) => Ok(value),
        }
    }

    fn try_increment(&mut self) -> Result<u64, TrustedError> {
        let value = self.try_read()?;
        if value == self.limit {
            return Err(TrustedError::Exhausted(self.limit));
        }
        self.file.replace(Self::text(value + 1).as_bytes())?;
        Ok(value + 1)
    }

    /// Keeps the reason, if it failed.
    fn noted(done: Result<u64, TrustedError>) -> Result<u64, TrustedError> {
        CAUSE.set(done.err());
        done
    }
}

impl MonotonicCounter for FileCounter {
    type Error = TrustedError;

    fn read(&mut self) -> Result<u64, TrustedError> {
        let read = self.try_read();
        Self::noted(read)
    }

    fn increment(&mut self) -> Result<u64, TrustedError> {
        let counted = self.try_increment();
        Self::noted(counted)
    }

    fn limit(&self) -> u64 {
        self.limit
    }
}

/// 32 bytes in a file.
#[derive(Debug)]
pub(crate) struct FileSlot(Whole);

#[cfg_attr(not(test), expect(dead_code, reason = "no command needs a slot yet"))]
impl FileSlot {
    /// The slot in this file. Nothing is read yet.
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self(Whole::new(path, SLOT))
    }
}

impl TrustedSlot for FileSlot {
    type Error = TrustedError;

    fn read(&mut self) -> Result<[u8; 32], TrustedError> {
        let content = self.0.read(32)?;
        content.try_into().map_err(|_| TrustedError::Malformed(SLOT, "a slot of 32 bytes"))
    }

    fn write(&mut self, content: &[u8; 32]) -> Result<(), TrustedError> {
        self.read()?;
        self.0.replace(content)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use lockstone::trust::{SlotCounter, SlotCounterError};

    use super::*;

    struct Place(tempfile::TempDir);

    impl Place {
        fn with(content: &[u8]) -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            fs::write(place.path(), content).unwrap();
            place
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("counter")
        }

        fn hidden(&self) -> PathBuf {
            self.0.path().join(".counter.new")
        }

        fn counter(&self, limit: u64) -> FileCounter {
            FileCounter::new(self.path(), limit)
        }

        fn slot(&self) -> FileSlot {
            FileSlot::new(self.path())
        }

        fn content(&self) -> Vec<u8> {
            fs::read(self.path()).unwrap()
        }

        fn names(&self) -> usize {
            fs::read_dir(self.0.path()).unwrap().count()
        }
    }

    /// Gives a path these rights; true if they are too few to open it, or to write there.
    #[cfg(unix)]
    fn forbid(path: &Path, mode: u32) -> bool {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(path, permissions).unwrap();
        if path.is_dir() { File::create(path.join("probe")).is_err() } else { File::open(path).is_err() }
    }

    #[test]
    fn it_counts_and_another_process_would_go_on() {
        let place = Place::with(b"0\n");
        for value in 1..=30 {
            let mut counter = place.counter(1 << 32);
            assert_eq!((counter.read(), counter.increment(), counter.read()), (Ok(value - 1), Ok(value), Ok(value)));
            assert_eq!(place.content(), format!("{value}\n").as_bytes());
        }
        assert_eq!((place.counter(7).limit(), place.names()), (7, 1));
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(place.path()).unwrap()) & 0o777, 0o600);
    }

    #[test]
    fn nonsense_is_refused_and_never_replaced() {
        let nonsense: [&[u8]; 20] = [
            b"",
            b"\n",
            b"1",
            b"-1\n",
            b"+1\n",
            b"-0\n",
            b"01\n",
            b"00\n",
            b" 1\n",
            b"1 \n",
            b"1\r\n",
            b"1\n\n",
            b"1\n2\n",
            b"0x1\n",
            b"1.0\n",
            b"1_000\n",
            b"18446744073709551616\n",
            b"\xd9\xa3\n",
            b"\xff\n",
            &[b'0'; 4096],
        ];
        let malformed = TrustedError::Malformed(COUNTER, "a number on a line");
        for content in nonsense {
            let place = Place::with(content);
            let mut counter = place.counter(u64::MAX);
            let shown = String::from_utf8_lossy(content);
            assert_eq!((counter.read(), counter.increment()), (Err(malformed), Err(malformed)), "{shown:?}");
            assert_eq!((place.content(), place.names()), (content.to_vec(), 1), "{shown:?}");
        }
        let place = Place::with(b"0\n");
        fs::remove_file(place.path()).unwrap();
        fs::create_dir(place.path()).unwrap();
        assert_eq!(place.counter(9).increment(), Err(malformed));
    }

    #[test]
    fn it_ends_at_its_limit() {
        for limit in [0, 3, u64::MAX] {
            let place = Place::with(format!("{}\n", limit.saturating_sub(1)).as_bytes());
            let mut counter = place.counter(limit);
            assert_eq!(counter.increment(), if limit > 0 { Ok(limit) } else { Err(TrustedError::Exhausted(0)) });
            assert_eq!((counter.increment(), counter.read()), (Err(TrustedError::Exhausted(limit)), Ok(limit)));
        }
        let place = Place::with(b"8\n");
        let mut counter = place.counter(7);
        assert_eq!(counter.read(), Err(TrustedError::BeyondLimit(7)));
        assert_eq!((counter.increment(), place.content()), (Err(TrustedError::BeyondLimit(7)), b"8\n".to_vec()));
    }

    #[test]
    fn what_is_gone_is_not_made_again() {
        let place = Place::with(b"5\n");
        let (mut counter, mut slot) = (place.counter(9), place.slot());
        fs::remove_file(place.path()).unwrap();
        assert_eq!(
            (counter.read(), counter.increment()),
            (Err(TrustedError::Gone(COUNTER)), Err(TrustedError::Gone(COUNTER)))
        );
        assert_eq!((slot.read(), slot.write(&[1; 32])), (Err(TrustedError::Gone(SLOT)), Err(TrustedError::Gone(SLOT))));
        assert_eq!(place.names(), 0);
    }

    #[test]
    fn what_a_killed_process_left_is_in_nobodys_way() {
        let next = b"6\n";
        for length in 0..=next.len() {
            let place = Place::with(b"5\n");
            fs::write(place.hidden(), &next[..length]).unwrap();
            assert_eq!(place.counter(9).read(), Ok(5));
            assert_eq!((place.counter(9).increment(), place.content(), place.names()), (Ok(6), next.to_vec(), 1));
        }
        let place = Place::with(b"5\n");
        fs::create_dir(place.hidden()).unwrap();
        let mut counter = place.counter(9);
        assert!(matches!(counter.increment(), Err(TrustedError::Io(COUNTER, _))));
        fs::remove_dir(place.hidden()).unwrap();
        assert_eq!((counter.read(), counter.increment()), (Ok(5), Ok(6)));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one() {
        let (place, elsewhere) = (Place::with(b""), Place::with(b"5\n"));
        fs::remove_file(place.path()).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), place.path()).unwrap();
        assert_eq!(place.counter(9).increment(), Ok(6));
        assert_eq!((elsewhere.content(), elsewhere.names(), place.names()), (b"6\n".to_vec(), 1, 1));
        assert!(place.path().is_symlink());
    }

    /// Root is never denied: then there is nothing to see.
    #[cfg(unix)]
    #[test]
    fn permission_denied_is_told_and_changes_nothing() {
        let denied = Err(TrustedError::Io(COUNTER, io::ErrorKind::PermissionDenied));
        let place = Place::with(b"5\n");
        let is_denied = forbid(&place.path(), 0);
        if is_denied {
            assert_eq!((place.counter(9).read(), place.counter(9).increment()), (denied, denied));
        }
        forbid(&place.path(), 0o600);
        if forbid(place.0.path(), 0o500) {
            assert_eq!((place.counter(9).increment(), place.counter(9).read()), (denied, Ok(5)));
        }
        forbid(place.0.path(), 0o700);
        println!("{}", if is_denied { "permissions were denied" } else { "nothing is denied to this user" });
    }

    #[test]
    fn a_slot_is_32_bytes_and_replaced_whole() {
        let place = Place::with(&[0; 32]);
        assert_eq!(place.slot().write(&[7; 32]), Ok(()));
        assert_eq!((place.slot().read(), place.content(), place.names()), (Ok([7; 32]), vec![7; 32], 1));
        for length in [0, 31, 33, 4096] {
            let place = Place::with(&vec![1; length]);
            let malformed = TrustedError::Malformed(SLOT, "a slot of 32 bytes");
            assert_eq!((place.slot().read(), place.slot().write(&[2; 32])), (Err(malformed), Err(malformed)));
            assert_eq!(place.content(), vec![1; length]);
        }
    }

    #[test]
    fn a_counter_fits_into_the_slot() {
        let place = Place::with(&[0; 32]);
        for value in 1..=5 {
            assert_eq!(SlotCounter::new(place.slot()).increment(), Ok(value));
        }
        fs::write(place.path(), [1; 32]).unwrap();
        assert_eq!(SlotCounter::new(place.slot()).read(), Err(SlotCounterError::Foreign));
    }

    #[test]
    fn failures_have_a_number_and_a_sentence() {
        let errors = [
            TrustedError::Io(COUNTER, io::ErrorKind::PermissionDenied),
            TrustedError::Io(SLOT, io::ErrorKind::StorageFull),
            TrustedError::Gone(COUNTER),
            TrustedError::Malformed(COUNTER, "a number on a line"),
            TrustedError::Malformed(SLOT, "a slot of 32 bytes"),
            TrustedError::BeyondLimit(7),
            TrustedError::Exhausted(7),
        ];
        let told = errors.map(|error| {
            let failure = Failure::from(error);
            format!("{} {}", failure.exit as u8, failure.sentence())
        });
        expect_test::expect![[r#"
            6 can't read or write trusted/counter: permission denied
            7 can't read or write trusted/slot: no storage space
            3 trusted/counter is gone
            3 trusted/counter is not a number on a line
            3 trusted/slot is not a slot of 32 bytes
            3 trusted/counter stands beyond its limit of 7
            5 trusted/counter has reached its limit of 7"#]]
        .assert_eq(&told.join("\n"));
    }

    const VICTIM: &str = "LOCKSTONE_TEST_COUNTER";

    /// Counts until it is killed, when it is told where; says every value.
    #[test]
    fn victim() {
        let Some(path) = std::env::var_os(VICTIM) else { return };
        let mut counter = FileCounter::new(path.into(), u64::MAX);
        loop {
            let value = counter.increment().unwrap();
            writeln!(io::stderr(), "{value}").unwrap();
        }
    }

    #[test]
    fn kills_leave_the_old_or_the_new_value() {
        let place = Place::with(b"0\n");
        let mut value = 0;
        for round in 0_u64..60 {
            let mut victim = Command::new(std::env::current_exe().unwrap());
            victim.args(["--exact", "device::trusted::tests::victim", "--nocapture"]).env(VICTIM, place.path());
            let mut victim = victim.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(victim.stderr.take().unwrap()).lines().map(Result::unwrap);
            assert_eq!(lines.next(), Some((value + 1).to_string()), "round {round}");
            std::thread::sleep(Duration::from_micros(round * 389 % 5000));
            victim.kill().unwrap();
            assert_eq!(victim.wait().unwrap().code(), None, "round {round}: it failed by itself");
            // Of a line that was cut off the beginning may be there: it is a smaller number.
            let said = lines.filter_map(|line| line.parse().ok()).fold(value + 1, u64::max);
            let found = place.counter(u64::MAX).read().unwrap();
            assert!(found == said || found == said + 1, "round {round}: {said} was said, {found} is there");
            value = found;
        }
        println!("60 kills of a process that counts; it came to {value}");
    }
}
