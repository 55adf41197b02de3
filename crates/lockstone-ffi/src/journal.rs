//! Flash Journal: a blob of which the newest committed one is there, as an object of a client that is the journal's own.
//!
//! ```text
//! "f" and the caller's number   a value: version, number of slots; it's formatted
//! "j" and the caller's number   the object: the blob
//! ```
//!
//! What a handle says of its state is an allegation: an offset that is wrong only reads elsewhere in the caller's own blob, or leaves
//! a gap that the commit sees.
#![forbid(unsafe_code)]

use lockstone::Key;

use crate::allegation::{Source, Target};
use crate::failure::Failure;
use crate::library::{JOURNAL, Open};
use crate::objects::Named;

/// What a function answers: a count, or an error.
pub(crate) type Answer = Result<i32, i32>;

const ERROR: i32 = -1;
const BUSY: i32 = -2;
const PARAMETER: i32 = -5;
const BOUNDED_CAPACITY: i32 = -6;
const STORAGE_API_ERROR: i32 = -7;
const STORAGE_IO_ERROR: i32 = -8;
const NOT_INITIALIZED: i32 = -9;
const EMPTY: i32 = -10;
const NOT_FORMATTED: i32 = -12;
const METADATA_ERROR: i32 = -13;
const INTEGRITY_FAILURE: i32 = -14;

/// Says that a handle was initialised.
const INITIALIZED: u32 = 0x4c6a_726e;
/// What a handle says of a blob that is being logged.
const NOTHING: u32 = 0;
const LOGGING: u32 = 1;
const SPOILED: u32 = 2;
/// First byte of what says that it's formatted.
const VERSION: u8 = 1;
/// `LOCKSTONE_OBJECT_OPEN`.
const OPEN: u32 = u32::MAX;

/// What a handle holds.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    initialized: u32,
    /// Whether a blob is being logged: [`NOTHING`], [`LOGGING`], or anything else: one was, and can't be committed any more.
    logging: u32,
    /// Where the next read begins.
    read: u64,
    /// Bytes that were logged.
    logged: u64,
    /// The number of the object that they went into.
    number: u32,
    rest: [u32; 33],
}

/// `FlashJournal_Info_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalInfo {
    /// Bytes of the longest blob.
    pub capacity: u64,
    /// Bytes of the committed one.
    pub sizeof_journaled_blob: u64,
    /// 1.
    pub program_unit: u32,
}

/// The names of a caller's entries.
struct Names {
    formatted: [u8; 5],
    blob: [u8; 5],
}

impl Names {
    fn of(caller: i32) -> Self {
        let [a, b, c, d] = caller.to_le_bytes();
        Self { formatted: [b'f', a, b, c, d], blob: [b'j', a, b, c, d] }
    }

    const fn formatted(&self) -> Key<'_> {
        Key::new(&self.formatted).of_client(JOURNAL)
    }

    const fn blob(&self) -> Named<'_> {
        Named { client: JOURNAL, name: &self.blob }
    }
}

/// What the journal says of a failure.
pub(crate) const fn code(failure: Failure) -> i32 {
    match failure {
        Failure::Argument | Failure::OutOfRange => PARAMETER,
        Failure::Busy => BUSY,
        Failure::NotOpen | Failure::Device => NOT_INITIALIZED,
        Failure::Full | Failure::TooLarge => BOUNDED_CAPACITY,
        Failure::Flash | Failure::WornOut | Failure::Counter | Failure::CounterExhausted | Failure::Random => {
            STORAGE_IO_ERROR
        }
        Failure::Damaged
        | Failure::WrongDigest
        | Failure::Incomplete
        | Failure::NotFound
        | Failure::RolledBack
        | Failure::NotAuthentic => INTEGRITY_FAILURE,
        Failure::Blank | Failure::Unknown | Failure::Incompatible | Failure::Layout => STORAGE_API_ERROR,
        _ => ERROR,
    }
}

impl State {
    const FRESH: Self =
        Self { initialized: INITIALIZED, logging: NOTHING, read: 0, logged: 0, number: 0, rest: [0; 33] };

    fn check(&self) -> Result<(), i32> {
        if self.initialized == INITIALIZED { Ok(()) } else { Err(NOT_INITIALIZED) }
    }

    /// Forgets what was logged: `to` is what comes behind.
    const fn end(&mut self, to: u32) {
        (self.logging, self.logged, self.number) = (to, 0, 0);
    }
}

impl Open {
    /// Slots of the caller's journal, as it was formatted.
    fn fj_slots(&mut self, names: &Names) -> Result<u32, i32> {
        let mut value = [0; 5];
        let length = self.store.get(names.formatted(), &mut value).map_err(|error| match Failure::from(error) {
            Failure::BufferTooSmall => METADATA_ERROR,
            failure => code(failure),
        })?;
        let [version, slots @ ..] = value;
        match (length, u32::from_le_bytes(slots)) {
            (None, _) => Err(NOT_FORMATTED),
            (Some(5), slots @ 2..) if version == VERSION => Ok(slots),
            _ => Err(METADATA_ERROR),
        }
    }

    /// The caller's, who must be one that may have any; and there must be objects.
    fn fj_names(&self) -> Result<Names, i32> {
        self.key(b"any").map_err(code)?;
        if self.objects.is_some() { Ok(Names::of(self.caller())) } else { Err(NOT_INITIALIZED) }
    }

    pub(crate) fn fj_format(&mut self, slots: u32) -> Answer {
        let names = self.fj_names()?;
        if slots < 2 {
            return Err(PARAMETER);
        }
        if self.ob_capacity(slots).map_err(code)? == 0 {
            return Err(BOUNDED_CAPACITY);
        }
        self.fj_delete(&names)?;
        let [a, b, c, d] = slots.to_le_bytes();
        self.store.put(names.formatted(), &[VERSION, a, b, c, d]).map_err(|error| code(error.into()))?;
        Ok(1)
    }

    pub(crate) fn fj_initialize(&mut self) -> Result<State, i32> {
        let names = self.fj_names()?;
        self.fj_slots(&names)?;
        Ok(State::FRESH)
    }

    /// Bytes of the committed blob; `None`: there is none.
    fn fj_length(&mut self, names: &Names) -> Result<Option<u32>, i32> {
        match self.ob_info(names.blob()) {
            Ok(content) => Ok(Some(content.length)),
            Err(Failure::NotFound) => Ok(None),
            Err(failure) => Err(code(failure)),
        }
    }

    pub(crate) fn fj_info(&mut self, state: &State) -> Result<JournalInfo, i32> {
        state.check()?;
        let names = self.fj_names()?;
        let slots = self.fj_slots(&names)?;
        let capacity = self.ob_capacity(slots).map_err(code)?;
        let length = self.fj_length(&names)?.unwrap_or(0);
        Ok(JournalInfo { capacity: capacity.into(), sizeof_journaled_blob: length.into(), program_unit: 1 })
    }

    /// Reads on, or from an offset on.
    pub(crate) fn fj_read(&mut self, state: &mut State, from: Option<u64>, target: &mut Target) -> Answer {
        state.check()?;
        let names = self.fj_names()?;
        if target.length() == 0 || target.is_missing() {
            return Err(PARAMETER);
        }
        let length = self.fj_length(&names)?.ok_or(EMPTY)?;
        let at = u32::try_from(from.unwrap_or(state.read)).ok().filter(|at| *at < length);
        let Some(at) = at else {
            state.read = 0;
            return Err(EMPTY);
        };
        let read = self.ob_read(names.blob(), at, target).map_err(code)?;
        state.read = u64::from(at) + read as u64;
        i32::try_from(read).map_err(|_| PARAMETER)
    }

    /// Begins a blob, unless one is being logged and is still there.
    fn fj_begin(&mut self, state: &mut State, names: &Names) -> Result<(), i32> {
        let number = self.ob_number(names.blob());
        if state.logging != LOGGING {
            self.ob_begin(names.blob(), OPEN).map_err(code)?;
            let number = self.ob_number(names.blob()).ok_or(ERROR)?;
            (state.logging, state.logged, state.number) = (LOGGING, 0, number);
            Ok(())
        } else if number == Some(state.number) {
            Ok(())
        } else {
            // Another object came between, or another handle of the same journal.
            Err(INTEGRITY_FAILURE)
        }
    }

    /// Goes on with a blob. After an error that is not of the arguments it can't go on: some of it may be there.
    pub(crate) fn fj_log(&mut self, state: &mut State, blob: Source) -> Answer {
        state.check()?;
        let count = i32::try_from(blob.length()).ok().filter(|count| *count > 0 && !blob.is_missing());
        let count = count.ok_or(PARAMETER)?;
        let range = match self.fj_range(state, count.unsigned_abs()) {
            Ok(None) => return Err(BOUNDED_CAPACITY),
            Ok(Some(range)) => Ok(range),
            Err(error) => Err(error),
        };
        let logged = range.and_then(|(names, at, end)| {
            self.fj_begin(state, &names)?;
            self.ob_write(names.blob(), at, blob).map_err(code)?;
            Ok(end)
        });
        match logged {
            Ok(end) => {
                state.logged = end;
                Ok(count)
            }
            Err(error) => {
                state.end(SPOILED);
                Err(error)
            }
        }
    }

    /// Whose blob so many bytes go into, where, and where they end; `None`: that's more than its capacity.
    fn fj_range(&mut self, state: &State, count: u32) -> Result<Option<(Names, u32, u64)>, i32> {
        let names = self.fj_names()?;
        let slots = self.fj_slots(&names)?;
        let capacity = self.ob_capacity(slots).map_err(code)?;
        let at = if state.logging == LOGGING { state.logged } else { 0 };
        let end = at.checked_add(count.into()).filter(|end| *end <= capacity.into());
        Ok(u32::try_from(at).ok().zip(end).map(|(at, end)| (names, at, end)))
    }

    /// Puts what was logged in the place of the blob before. Whatever this answers, nothing is being logged any more.
    pub(crate) fn fj_commit(&mut self, state: &mut State) -> Answer {
        state.check()?;
        let finished = self.fj_finish(state);
        state.end(if finished.is_ok() { NOTHING } else { SPOILED });
        state.read = 0;
        finished
    }

    fn fj_finish(&mut self, state: &mut State) -> Answer {
        if !matches!(state.logging, NOTHING | LOGGING) {
            return Err(INTEGRITY_FAILURE);
        }
        let names = self.fj_names()?;
        self.fj_slots(&names)?;
        self.fj_begin(state, &names)?;
        self.ob_finish(names.blob(), None, 0).map_err(code)?;
        Ok(1)
    }

    /// Deletes the blob, and what was logged.
    fn fj_delete(&mut self, names: &Names) -> Result<(), i32> {
        match self.ob_abort(names.blob()) {
            Ok(()) | Err(Failure::NotFound) => {}
            Err(failure) => return Err(code(failure)),
        }
        self.store.delete(names.blob().key()).map_err(|error| code(error.into()))?;
        Ok(())
    }

    pub(crate) fn fj_reset(&mut self, state: &mut State) -> Answer {
        state.check()?;
        *state = State::FRESH;
        let names = self.fj_names()?;
        self.fj_slots(&names)?;
        self.fj_delete(&names)?;
        Ok(1)
    }
}
