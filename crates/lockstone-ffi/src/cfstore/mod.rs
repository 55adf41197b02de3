//! CFSTORE: Arm's Configuration Store over the store, without pointers.
//!
//! ```text
//! Create, Write, Delete ─> arena (RAM) ── Flush: one transaction ──> store, client CFSTORE
//! Open, Read, Find      <─ arena, and behind it the store
//!
//! value in the store    serial (4) | owner (4) | acl | security | mode | 0 | value
//! handle, 24 bytes      "LKST" | index (4) | generation (4) | 0 (12)         nothing of it is believed
//! ```
//!
//! Nothing is durable before Flush, which is atomic; what was not flushed is lost at the last Uninitialize, as clients of the
//! original expect. `flush_on_close`, or the mode durable-at-close, writes a key when a handle to it is closed.
//!
//! Keys are found in the order in which they were made: each has a serial number. A key that is damaged is passed over, and
//! says so when it is opened itself.
//!
//! Tested by `c/test_cfstore.c`, for power cuts by `c/test_cuts.c`, with hostile arguments by `tests/it/hostile.rs`.
#![forbid(unsafe_code)]

pub(crate) mod arena;
pub(crate) mod codes;
mod find;
mod flush;
mod handles;
pub(crate) mod names;
mod note;

use lockstone::Key;

pub(crate) use handles::{Buffer, Handle};

use crate::cfstore_c::Notify;
use crate::failure::Failure;
use crate::library::{CFSTORE, Open, Store};
use arena::{Arena, DIRTY, DOOMED, GONE, LOADED, NEW, Record, STORED_HEAD};
use codes::{
    ACLS, ERROR, EXECUTE, HANDLE_COUNT_MAX, HANDLES_MAX, INTERNAL, INTERNAL_FLASH, INVALID_HANDLE,
    INVALID_KEY_DESCRIPTOR, INVALID_KEY_NAME, INVALID_SEEK, KEY_NOT_FOUND, KEY_READ_ONLY, KEY_UNREADABLE, MODE_EXECUTE,
    MODE_FLUSH_ON_CLOSE, MODES, NAME_MAX, NO_EXECUTE, NO_PERMISSIONS, NO_READ, NO_WRITE, NOT_SUPPORTED,
    OPERATION_PENDING, OTHER, OUT_OF_MEMORY, Opcode, PREEXISTING_KEY, PREEXISTING_KEY_DELETING, READ,
    ROLLBACK_PROTECTION, SECURITY, UNINITIALISED, VALUE_MAX, VALUE_SIZE_TOO_LARGE, WRITE,
};
use handles::{FLUSHES, FOUND, MADE, READS, WRITES};

/// What a call gives: the value that it has in the interface, or an error code.
pub(crate) type Answer = Result<i32, i32>;

/// How CFSTORE works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode(pub(crate) u32);

impl Mode {
    pub(crate) const NONE: Self = Self(0);
    /// `LOCKSTONE_CFSTORE_ASYNCHRONOUS`: Initialize and Flush are done by `lockstone_cfstore_poll`.
    pub(crate) const ASYNCHRONOUS: Self = Self(1 << 0);
    /// `LOCKSTONE_CFSTORE_DURABLE_AT_CLOSE`: Close writes.
    pub(crate) const DURABLE_AT_CLOSE: Self = Self(1 << 1);

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Clients that may use it at a time, counted once for each context.
const USERS: usize = 16;
/// Contexts: drivers of clients that know nothing of each other, each with a mode, a callback, handles and a pending operation
/// of its own. The keys are the same.
pub(crate) const CONTEXTS: usize = if cfg!(feature = "cfstore-mux") { 4 } else { 1 };

/// What one context has of its own.
#[derive(Clone, Copy)]
pub(crate) struct Context {
    /// The operation that `poll` is to do.
    pub(crate) pending: Option<Opcode>,
    pub(crate) notify: Option<Notify>,
    pub(crate) mode: Mode,
}

/// Who has initialised it.
#[derive(Clone, Copy)]
struct User {
    context: usize,
    client: i32,
    /// How many times more than taken that back; 0: a free place.
    count: u32,
}

/// What CFSTORE keeps in RAM.
pub(crate) struct Cfstore {
    handles: &'static mut [Handle],
    arena: Arena,
    users: [User; USERS],
    contexts: [Context; CONTEXTS],
    /// The context of the call that is being answered.
    at: usize,
    /// The context that `poll` did something for last.
    polled: usize,
    /// What the store has of the driver was read, by the first who initialised it.
    begun: bool,
    /// The last serial number.
    serial: u32,
    /// The one that the note has.
    noted: u32,
    /// The last generation of handles.
    generation: u32,
}

/// A key as it is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) acl: u32,
    pub(crate) retention: u8,
    pub(crate) security: u32,
    pub(crate) mode: u32,
}

impl Cfstore {
    pub(crate) const fn new(handles: &'static mut [Handle], bytes: &'static mut [u8]) -> Self {
        let arena = Arena::new(bytes);
        let users = [User { context: 0, client: 0, count: 0 }; USERS];
        let contexts = [Context { pending: None, notify: None, mode: Mode::NONE }; CONTEXTS];
        Self {
            handles,
            arena,
            users,
            contexts,
            at: 0,
            polled: CONTEXTS - 1,
            begun: false,
            serial: 0,
            noted: 0,
            generation: 0,
        }
    }

    /// From here on it's this context that calls.
    pub(crate) const fn turn_to(&mut self, context: usize) {
        self.at = if context < CONTEXTS { context } else { 0 };
    }

    /// The context that calls.
    pub(crate) const fn context(&mut self) -> &mut Context {
        &mut self.contexts[self.at]
    }

    /// Takes an operation that is pending, in the next context that has one, which is the one that calls from here on.
    pub(crate) fn take_pending(&mut self) -> Option<Opcode> {
        let mut behind = (1..=CONTEXTS).map(|step| (self.polled + step) % CONTEXTS);
        let at = behind.find(|at| self.contexts[*at].pending.is_some())?;
        self.polled = at;
        self.turn_to(at);
        self.context().pending.take()
    }

    /// Whether somebody initialised it, in the context that calls.
    pub(crate) fn is_used(&self) -> bool {
        self.users.iter().any(|user| user.count > 0 && user.context == self.at)
    }

    /// Whether somebody initialised it, in any context.
    fn is_used_at_all(&self) -> bool {
        self.users.iter().any(|user| user.count > 0)
    }

    /// The place of a client in the context that calls.
    fn user(&self, client: i32) -> Option<usize> {
        self.users.iter().position(|user| user.count > 0 && user.client == client && user.context == self.at)
    }

    /// A client initialises it.
    fn enlist(&mut self, client: i32) -> Result<(), i32> {
        let free = || self.users.iter().position(|user| user.count == 0);
        let index = self.user(client).or_else(free).ok_or(OUT_OF_MEMORY)?;
        let count = self.users[index].count.checked_add(1).ok_or(OUT_OF_MEMORY)?;
        self.users[index] = User { context: self.at, client, count };
        Ok(())
    }

    /// Initialised, and nothing pending.
    pub(crate) fn check(&self) -> Result<(), i32> {
        if !self.is_used() {
            Err(UNINITIALISED)
        } else if self.contexts[self.at].pending.is_some() {
            Err(OPERATION_PENDING)
        } else {
            Ok(())
        }
    }

    fn drop_all(&mut self) {
        self.arena.clear();
        self.handles.fill(Handle::FREE);
    }
}

fn code(failure: impl Into<Failure>) -> i32 {
    failure.into().cfstore()
}

fn key(name: &[u8]) -> Key<'_> {
    Key::new(name).of_client(CFSTORE)
}

/// Whether it failed because something is damaged.
const fn damaged<T, E>(result: &Result<T, lockstone::Error<E>>) -> bool {
    matches!(result, Err(lockstone::Error::Damaged))
}

/// What the store has of a key, if it has it.
fn look_up(store: &mut Store, name: &[u8]) -> crate::failure::Result<Option<Record>> {
    let Some(stored) = store.length(key(name))? else { return Ok(None) };
    let mut head = [0; STORED_HEAD];
    let read = store.get_range(key(name), 0, &mut head)?;
    let length = stored.checked_sub(12).filter(|_| read == Some(STORED_HEAD)).ok_or(Failure::Damaged)?;
    let [s0, s1, s2, s3, o0, o1, o2, o3, acl, security, mode, _] = head;
    let (serial, owner) = (u32::from_le_bytes([s0, s1, s2, s3]), i32::from_le_bytes([o0, o1, o2, o3]));
    let stored = if u32::from(security) & ROLLBACK_PROTECTION != 0 { WAS_PROTECTED } else { 0 };
    Ok(Some(Record { serial, owner, length, acl, security: security | stored, mode, ..Record::default() }))
}

/// In `security`: what the store has of the key is protected from roll-back.
const WAS_PROTECTED: u8 = 1 << 7;

/// Whether a client has a right to a key. The owner is only held to its own list if the key says so, but for writing.
fn may(record: &Record, client: i32, right: u8) -> bool {
    let strict = u32::from(record.security) & ACLS != 0;
    if client == record.owner {
        record.acl & right != 0 || !strict && right == READ
    } else {
        record.acl & right << OTHER != 0
    }
}

/// Whether a client may know of a key.
fn may_know(record: &Record, client: i32) -> bool {
    client == record.owner || record.acl >> OTHER != 0
}

/// Life.
impl Open {
    /// `Initialize`; the first one says whom to call back.
    pub(crate) fn cf_initialize(&mut self, notify: Option<Notify>, mode: Mode) -> Answer {
        if self.cfstore.context().pending.is_some() {
            return Err(OPERATION_PENDING);
        }
        let (client, first) = (self.caller(), !self.cfstore.is_used());
        self.cfstore.enlist(client)?;
        if !first {
            return Ok(i32::from(self.cfstore.context().mode.has(Mode::ASYNCHRONOUS)));
        }
        *self.cfstore.context() = Context { pending: None, notify, mode };
        if mode.has(Mode::ASYNCHRONOUS) {
            self.cfstore.context().pending = Some(Opcode::Initialize);
            return Ok(0);
        }
        self.cf_begin()
    }

    /// Reads what the store has of the driver itself, unless another context did.
    pub(crate) fn cf_begin(&mut self) -> Answer {
        if self.cfstore.begun {
            return Ok(0);
        }
        self.cfstore.drop_all();
        let recalled = self.cf_recall();
        self.cfstore.begun = recalled.is_ok();
        if recalled.is_err() {
            let at = self.cfstore.at;
            self.cfstore.users.iter_mut().filter(|user| user.context == at).for_each(|user| user.count = 0);
        }
        recalled.map(|()| 0).map_err(code)
    }

    /// `Uninitialize`: the last one drops what was not flushed, the last one of a context its handles.
    pub(crate) fn cf_uninitialize(&mut self) -> Answer {
        self.cfstore.check()?;
        let client = self.caller();
        let index = self.cfstore.user(client).ok_or(UNINITIALISED)?;
        self.cfstore.users[index].count -= 1;
        if !self.cfstore.is_used_at_all() {
            self.cfstore.drop_all();
            self.cfstore.begun = false;
        } else if !self.cfstore.is_used() {
            self.cf_abandon();
        }
        Ok(0)
    }

    /// Closes what a context left open, and stores nothing.
    fn cf_abandon(&mut self) {
        for index in 0..self.cfstore.handles.len() {
            if self.cfstore.is_here(index)
                && let Ok(Some((record, _))) = self.cf_let_go(index)
            {
                self.cf_release(record.id);
            }
        }
    }

    /// `PowerControl`: remembered by nobody, as it stops nothing.
    pub(crate) fn cf_power(&self, state: i32) -> Answer {
        self.cfstore.check()?;
        if (0..=2).contains(&state) { Ok(state) } else { Err(ERROR) }
    }
}

/// Keys.
impl Open {
    /// The key of this name in the arena, from the store if need be; one that is deleted is there too.
    fn cf_attach(&mut self, name: &[u8]) -> Result<Option<Record>, i32> {
        if let Some(record) = self.cfstore.arena.by_name(name) {
            return Ok(Some(record));
        }
        let Some(found) = look_up(&mut self.store, name).map_err(code)? else { return Ok(None) };
        self.cfstore.arena.insert(found, name).map(Some)
    }

    /// Forgets a key that nobody has open and that is as the store has it.
    fn cf_release(&mut self, id: u32) {
        let record = self.cfstore.arena.by_id(id);
        if let Some(record) = record.filter(|record| record.handles == 0 && !record.is(DIRTY | GONE)) {
            self.cfstore.arena.remove(&record);
        }
    }

    /// Opens a handle to a key.
    fn cf_grant(&mut self, mut record: Record, flags: u8) -> Result<Buffer, i32> {
        if record.handles == HANDLES_MAX {
            return Err(HANDLE_COUNT_MAX);
        }
        let client = self.caller();
        let buffer = self.cfstore.take_handle(record.id, client, flags)?;
        record.handles += 1;
        self.cfstore.arena.save(&record);
        Ok(buffer)
    }

    /// The same, and lets go of the key if there is no handle left.
    fn cf_grant_or_release(&mut self, record: Record, flags: u8) -> Result<Buffer, i32> {
        let granted = self.cf_grant(record, flags);
        if granted.is_err() {
            self.cf_release(record.id);
        }
        granted
    }

    /// `Create`.
    pub(crate) fn cf_create(&mut self, name: &[u8], length: usize, how: Option<Description>) -> Result<Buffer, i32> {
        if !names::is_name(name) {
            return Err(INVALID_KEY_NAME);
        }
        let length = u32::try_from(length).ok().filter(|length| *length as usize <= VALUE_MAX);
        let length = length.ok_or(VALUE_SIZE_TOO_LARGE)?;
        let how = how.map(|how| self.cf_check(how)).transpose()?;
        match (self.cf_attach(name)?, how) {
            (Some(record), _) if record.is(DOOMED) => Err(PREEXISTING_KEY_DELETING),
            (Some(record), how) if !record.is(GONE) => {
                let resized = self.cf_resize(record, length, how.is_none());
                if resized.is_err() {
                    self.cf_release(record.id);
                }
                resized
            }
            (_, None) => Err(INVALID_KEY_DESCRIPTOR),
            (gone, Some(how)) => self.cf_make(name, length, how, gone),
        }
    }

    /// `Create` of a key that is there: it grows or shrinks.
    fn cf_resize(&mut self, record: Record, length: u32, asked: bool) -> Result<Buffer, i32> {
        let client = self.caller();
        if !may_know(&record, client) {
            return Err(NO_PERMISSIONS);
        }
        if !asked {
            return Err(PREEXISTING_KEY);
        }
        if !may(&record, client, WRITE) {
            return Err(NO_WRITE);
        }
        let buffer = self.cf_grant(record, READS | WRITES)?;
        let resized = self.cf_reshape(record.id, length);
        if resized.is_err() {
            self.cf_take_back(&buffer)?;
        }
        resized.map(|()| buffer)
    }

    /// Makes a value longer or shorter.
    fn cf_reshape(&mut self, id: u32, length: u32) -> Result<(), i32> {
        let record = self.cfstore.arena.by_id(id).ok_or(INTERNAL)?;
        if record.length == length {
            return Ok(());
        }
        let record = self.cf_load(record)?;
        self.cfstore.arena.reshape(&Record { length, state: record.state | DIRTY, ..record })
    }

    /// Closes a handle that nobody has seen.
    fn cf_take_back(&mut self, buffer: &Buffer) -> Result<(), i32> {
        let (index, mut record) = self.cf_find_handle(buffer)?;
        self.cfstore.give_back(index);
        record.handles = record.handles.saturating_sub(1);
        self.cfstore.arena.save(&record);
        Ok(())
    }

    /// `Create` of a new key, maybe of one that was deleted and is not flushed yet.
    fn cf_make(&mut self, name: &[u8], length: u32, how: Description, gone: Option<Record>) -> Result<Buffer, i32> {
        let serial = self.cfstore.serial.checked_add(1).ok_or(INTERNAL)?;
        // All of these were checked, and are small.
        let small = |bits: u32| bits.to_le_bytes()[0];
        let new = Record {
            serial,
            owner: self.caller(),
            length,
            acl: small(how.acl),
            security: small(how.security),
            mode: small(how.mode & MODE_FLUSH_ON_CLOSE),
            state: LOADED | DIRTY | NEW,
            ..Record::default()
        };
        let record = if let Some(gone) = gone {
            let security = new.security | gone.security & WAS_PROTECTED;
            let revived = Record { at: gone.at, id: gone.id, security, state: LOADED | DIRTY, ..gone.with(new) };
            self.cfstore.arena.reshape(&revived)?;
            revived
        } else {
            self.cfstore.arena.insert(new, name)?
        };
        let flags = handles::flags_of(how.mode, READS | WRITES) | MADE;
        let granted = self.cf_grant(record, flags);
        match (granted, gone) {
            (Ok(_), _) => self.cfstore.serial = serial,
            (Err(_), None) => self.cfstore.arena.remove(&record),
            (Err(_), Some(gone)) => self.cfstore.arena.reshape(&gone)?,
        }
        granted
    }

    /// Whether a key can be made like this; what is left open is filled in.
    fn cf_check(&self, how: Description) -> Result<Description, i32> {
        let Description { acl, retention, security, mode } = how;
        if acl > 0x3f {
            return Err(INVALID_KEY_DESCRIPTOR);
        }
        let executes = acl & 0b10_0100 != 0 || mode & MODE_EXECUTE != 0;
        let fresh = security & ROLLBACK_PROTECTION == 0 || self.counts || self.flash_is_trusted();
        let inside = security & INTERNAL_FLASH == 0 || self.flash_is_trusted();
        let known = security & !SECURITY == 0 && mode & !MODES == 0 && retention <= 4;
        if !known || !fresh || !inside || executes && security & ACLS == 0 {
            return Err(NOT_SUPPORTED);
        }
        Ok(Description { acl: if acl == 0 { (READ | WRITE).into() } else { acl }, ..how })
    }

    /// `Open`.
    pub(crate) fn cf_open(&mut self, name: &[u8], mode: u32) -> Result<Buffer, i32> {
        if !names::is_name(name) {
            return Err(INVALID_KEY_NAME);
        }
        if mode & !MODES != 0 {
            return Err(NOT_SUPPORTED);
        }
        let (record, client) = (self.cf_attach(name)?.ok_or(KEY_NOT_FOUND)?, self.caller());
        if record.is(DOOMED | GONE) {
            return Err(KEY_NOT_FOUND);
        }
        let flags = handles::flags_of(mode, READS);
        let refused = if !may_know(&record, client) {
            Some(KEY_NOT_FOUND)
        } else if flags & READS != 0 && !may(&record, client, READ) {
            Some(NO_READ)
        } else if flags & WRITES != 0 && !may(&record, client, WRITE) {
            Some(NO_WRITE)
        } else if mode & MODE_EXECUTE != 0 && !may(&record, client, EXECUTE) {
            Some(NO_EXECUTE)
        } else {
            None
        };
        if let Some(refused) = refused {
            self.cf_release(record.id);
            return Err(refused);
        }
        self.cf_grant_or_release(record, flags)
    }

    /// `Delete`: the key is gone when its last handle is closed.
    pub(crate) fn cf_delete(&mut self, buffer: &Buffer) -> Answer {
        let (_, mut record) = self.cf_find_handle(buffer)?;
        if !may(&record, self.caller(), WRITE) {
            return Err(NO_WRITE);
        }
        record.state |= DOOMED;
        self.cfstore.arena.save(&record);
        Ok(0)
    }

    /// `Close`. The handle is closed whatever this returns.
    pub(crate) fn cf_close(&mut self, buffer: &Buffer) -> Answer {
        let (index, _) = self.cf_find_handle(buffer)?;
        let Some((record, flags)) = self.cf_let_go(index)? else { return Ok(0) };
        let durable = self.cfstore.context().mode.has(Mode::DURABLE_AT_CLOSE);
        let asked = durable || flags & FLUSHES != 0 || u32::from(record.mode) & MODE_FLUSH_ON_CLOSE != 0;
        // One that only reads may meet a value that its writer is not done with.
        let flushes = asked && (record.is(GONE) || flags & (WRITES | MADE) != 0);
        let written = if flushes { self.cf_write_back(record) } else { Ok(()) };
        self.cf_release(record.id);
        written.map(|()| 0)
    }

    /// Gives a handle back: its key, and its flags; `None`: the key went with it. One that is deleted is gone with its last handle.
    fn cf_let_go(&mut self, index: usize) -> Result<Option<(Record, u8)>, i32> {
        let mut record = self.cfstore.arena.by_id(self.cfstore.handles[index].key).ok_or(INTERNAL)?;
        let flags = self.cfstore.give_back(index);
        record.handles = record.handles.saturating_sub(1);
        if !record.is(DOOMED) || record.handles > 0 {
            self.cfstore.arena.save(&record);
            return Ok(Some((record, flags)));
        }
        if record.is(NEW) {
            self.cfstore.arena.remove(&record);
            return Ok(None);
        }
        record.state = GONE;
        self.cfstore.arena.reshape(&record)?;
        Ok(Some((record, flags)))
    }

    /// The handle in a caller's buffer, and its key.
    fn cf_find_handle(&self, buffer: &Buffer) -> Result<(usize, Record), i32> {
        let index = self.cfstore.index_of(buffer, self.caller()).ok_or(INVALID_HANDLE)?;
        let record = self.cfstore.arena.by_id(self.cfstore.handles[index].key).ok_or(INTERNAL)?;
        Ok((index, record))
    }

    /// Sees to it that a key's value is in the arena.
    fn cf_load(&mut self, record: Record) -> Result<Record, i32> {
        if record.is(LOADED) {
            return Ok(record);
        }
        let loaded = Record { state: record.state | LOADED, ..record };
        self.cfstore.arena.reshape(&loaded)?;
        let mut name = [0; NAME_MAX];
        let found = self.cfstore.arena.name(&loaded);
        let name = &mut name[..found.len()];
        name.copy_from_slice(found);
        let value = self.cfstore.arena.value(&loaded);
        let whole = value.len();
        match self.store.get_range(key(name), 12, value) {
            Ok(Some(length)) if length == whole => Ok(loaded),
            other => {
                self.cfstore.arena.reshape(&record)?;
                Err(other.map_or_else(code, |_| INTERNAL))
            }
        }
    }
}

/// Values.
impl Open {
    /// How many bytes `Read` would give, at most `most`.
    pub(crate) fn cf_readable(&self, buffer: &Buffer, most: usize) -> Result<usize, i32> {
        let (index, record) = self.cf_find_handle(buffer)?;
        if !may(&record, self.caller(), READ) {
            return Err(NO_READ);
        }
        Ok((record.length.saturating_sub(self.cfstore.handles[index].read_at) as usize).min(most))
    }

    /// `Read`: fills what was said to be readable.
    pub(crate) fn cf_read(&mut self, buffer: &Buffer, target: &mut [u8]) -> Answer {
        let (index, record) = self.cf_find_handle(buffer)?;
        let from = self.cfstore.handles[index].read_at;
        if target.is_empty() {
            return Ok(0);
        }
        if record.is(LOADED) {
            let value = self.cfstore.arena.value(&record);
            target
                .copy_from_slice(value.get(from as usize..).and_then(|rest| rest.get(..target.len())).ok_or(INTERNAL)?);
        } else {
            let name = self.cfstore.arena.name(&record);
            let read = self.store.get_range(key(name), 12 + from, target).map_err(code)?;
            if read != Some(target.len()) {
                return Err(INTERNAL);
            }
        }
        let length = u32::try_from(target.len()).map_err(|_| INTERNAL)?;
        self.cfstore.handles[index].read_at = from.saturating_add(length);
        Ok(length.cast_signed())
    }

    /// How many bytes `Write` would take, at most `most`.
    pub(crate) fn cf_writable(&self, buffer: &Buffer, most: usize) -> Result<usize, i32> {
        let (index, record) = self.cf_find_handle(buffer)?;
        let handle = &self.cfstore.handles[index];
        if handle.flags & WRITES == 0 {
            return Err(KEY_READ_ONLY);
        }
        Ok((record.length.saturating_sub(handle.write_at) as usize).min(most))
    }

    /// `Write`: what was said to be writable.
    pub(crate) fn cf_write(&mut self, buffer: &Buffer, source: &[u8]) -> Answer {
        let (index, record) = self.cf_find_handle(buffer)?;
        let length = u32::try_from(source.len()).map_err(|_| INTERNAL)?;
        if length == 0 {
            return Ok(0);
        }
        let from = self.cfstore.handles[index].write_at;
        let mut record = self.cf_load(record)?;
        let place = self.cfstore.arena.value(&record).get_mut(from as usize..);
        place.and_then(|rest| rest.get_mut(..source.len())).ok_or(INTERNAL)?.copy_from_slice(source);
        record.state |= DIRTY;
        self.cfstore.arena.save(&record);
        self.cfstore.handles[index].write_at = from.saturating_add(length);
        Ok(length.cast_signed())
    }

    /// `Rseek`.
    pub(crate) fn cf_rseek(&mut self, buffer: &Buffer, offset: usize) -> Answer {
        let (index, record) = self.cf_find_handle(buffer)?;
        let handle = &mut self.cfstore.handles[index];
        if handle.flags & READS == 0 {
            return Err(KEY_UNREADABLE);
        }
        let offset = u32::try_from(offset).ok().filter(|offset| *offset <= record.length).ok_or(INVALID_SEEK)?;
        handle.read_at = offset;
        Ok(offset.cast_signed())
    }

    /// `GetValueLen`.
    pub(crate) fn cf_length(&self, buffer: &Buffer) -> Result<u32, i32> {
        Ok(self.cf_find_handle(buffer)?.1.length)
    }

    /// `GetKeyName`.
    pub(crate) fn cf_name(&self, buffer: &Buffer) -> Result<&[u8], i32> {
        let (_, record) = self.cf_find_handle(buffer)?;
        Ok(self.cfstore.arena.name(&record))
    }

    /// Whether a handle is valid: for the edge, which answers some errors without a callback.
    pub(crate) fn cf_knows(&self, buffer: &Buffer) -> bool {
        self.cf_find_handle(buffer).is_ok()
    }
}

/// A found handle has neither flag, yet it can be read, named and deleted.
const _: () = assert!(FOUND & (READS | WRITES) == 0);
