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

use crate::calls;
use crate::cfstore_c::Notify;
use crate::failure::Failure;
use crate::library::{CFSTORE, Open, Store};
use arena::{Arena, DELETERS, DIRTY, DOOMED, GONE, LOADED, NEW, Record, STORED_HEAD, TOLD};
use codes::{
    ACLS, ERROR, EXECUTE, HANDLE_COUNT_MAX, HANDLES_MAX, INTERNAL, INTERNAL_FLASH, INVALID_HANDLE,
    INVALID_KEY_DESCRIPTOR, INVALID_KEY_NAME, INVALID_SEEK, KEY_NOT_FOUND, KEY_READ_ONLY, KEY_UNREADABLE, MODE_EXECUTE,
    MODE_FLUSH_ON_CLOSE, MODES, NO_EXECUTE, NO_PERMISSIONS, NO_READ, NO_WRITE, NOT_SUPPORTED, OPERATION_PENDING, OTHER,
    OUT_OF_MEMORY, Opcode, PREEXISTING_KEY, PREEXISTING_KEY_DELETING, READ, ROLLBACK_PROTECTION, SECURITY,
    UNINITIALISED, VALUE_MAX, VALUE_SIZE_TOO_LARGE, WRITE,
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
const _: () = assert!(CONTEXTS <= DELETERS as usize, "a record has a bit for each");

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

    /// The number of the context that calls.
    const fn here(&self) -> usize {
        if CONTEXTS == 1 { 0 } else { self.at }
    }

    /// From here on it's this context that calls.
    pub(crate) const fn turn_to(&mut self, context: usize) {
        self.at = if context < CONTEXTS { context } else { 0 };
    }

    /// The context that calls.
    pub(crate) const fn context(&mut self) -> &mut Context {
        &mut self.contexts[self.here()]
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
        self.users.iter().any(|user| user.count > 0 && user.context == self.here())
    }

    /// Whether somebody initialised it, in any context.
    fn is_used_at_all(&self) -> bool {
        self.users.iter().any(|user| user.count > 0)
    }

    /// The place of a client in the context that calls.
    fn user(&self, client: i32) -> Option<usize> {
        self.users.iter().position(|user| user.count > 0 && user.client == client && user.context == self.here())
    }

    /// A client initialises it.
    fn enlist(&mut self, client: i32) -> Result<(), i32> {
        let free = || self.users.iter().position(|user| user.count == 0);
        let index = self.user(client).or_else(free).ok_or(OUT_OF_MEMORY)?;
        let count = self.users[index].count.checked_add(1).ok_or(OUT_OF_MEMORY)?;
        self.users[index] = User { context: self.here(), client, count };
        Ok(())
    }

    /// Initialised, and nothing pending.
    pub(crate) fn check(&self) -> Result<(), i32> {
        if !self.is_used() {
            Err(UNINITIALISED)
        } else if self.contexts[self.here()].pending.is_some() {
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

fn code(failure: Failure) -> i32 {
    failure.cfstore()
}

fn key(name: &[u8]) -> Key<'_> {
    Key::new(name).of_client(CFSTORE)
}

/// Reads what the store has of a key, if it has it.
#[inline(never)]
fn look_up(store: &mut Store, name: &[u8], found: &mut Record) -> crate::failure::Result<bool> {
    let key = &key(name);
    let Some(stored) = calls::length(store, key)? else { return Ok(false) };
    let mut head = [0; STORED_HEAD];
    if calls::read(store, key, 0, &mut head)? != STORED_HEAD {
        return Err(Failure::Damaged);
    }
    let length = u32::try_from(stored - STORED_HEAD).map_err(|_| Failure::Damaged)?;
    let [s0, s1, s2, s3, o0, o1, o2, o3, acl, security, mode, _] = head;
    let (serial, owner) = (u32::from_le_bytes([s0, s1, s2, s3]), i32::from_le_bytes([o0, o1, o2, o3]));
    let stored = if u32::from(security) & ROLLBACK_PROTECTION != 0 { WAS_PROTECTED } else { 0 };
    *found = Record { serial, owner, length, acl, security: security | stored, mode, ..Record::default() };
    Ok(true)
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
            let at = self.cfstore.here();
            self.cfstore.users.iter_mut().filter(|user| user.context == at).for_each(|user| user.count = 0);
        }
        recalled.map(|()| 0).map_err(code)
    }

    /// `Uninitialize`: the last one of a context closes its handles, and drops what it has not flushed.
    pub(crate) fn cf_uninitialize(&mut self) -> Answer {
        self.cfstore.check()?;
        let client = self.caller();
        let index = self.cfstore.user(client).ok_or(UNINITIALISED)?;
        self.cfstore.users[index].count -= 1;
        let mut stored = Ok(());
        if CONTEXTS > 1 && !self.cfstore.is_used() {
            self.cfstore.spare();
            stored = self.cf_abandon();
            self.cfstore.take_back();
        }
        if !self.cfstore.is_used_at_all() {
            self.cfstore.drop_all();
            self.cfstore.begun = false;
        }
        stored.map(|()| 0)
    }

    /// Closes what a context left open, and stores nothing but what another was told is stored.
    fn cf_abandon(&mut self) -> Result<(), i32> {
        let mut stored = Ok(());
        for index in 0..self.cfstore.handles.len() {
            if self.cfstore.is_here(index) && self.cf_hold(index).is_ok() {
                let there = self.cfstore.let_go(index).is_ok_and(|flags| flags.is_some());
                if there && self.cfstore.now().is_promised() {
                    stored = stored.and(self.cf_write_back_and_release());
                } else if there {
                    self.cfstore.release();
                }
            }
        }
        stored
    }

    /// `PowerControl`: remembered by nobody, as it stops nothing.
    pub(crate) fn cf_power(&self, state: i32) -> Answer {
        self.cfstore.check()?;
        if (0..=2).contains(&state) { Ok(state) } else { Err(ERROR) }
    }
}

/// The key in hand.
impl Cfstore {
    /// The record in hand.
    pub(crate) const fn now(&self) -> &Record {
        &self.arena.now
    }

    /// The bit of the context that calls, where a record says who wrote it.
    fn bit(&self) -> u8 {
        1 << self.here()
    }

    /// The context that calls writes the key.
    fn mark_dirty(&mut self) {
        self.arena.now.state |= DIRTY;
        self.arena.now.by |= self.bit();
    }

    /// If the context that calls deleted the key in hand, and another has it open: to be told that what was deleted is stored, it
    /// need not wait for that one. It's stored when that one closes it.
    fn tell(&mut self) {
        let (bit, record) = (self.bit(), self.now());
        if CONTEXTS > 1
            && record.is(DOOMED)
            && record.deleters() & bit != 0
            && self.holders(record.id, false) & !bit != 0
        {
            self.arena.now.state |= TOLD;
            self.arena.save();
        }
    }

    /// Of all keys that are open: what the context that calls deleted is so no more, unless another deleted it too. Before its
    /// handles are closed, which would end what it deleted.
    fn spare(&mut self) {
        let (deleted, mut there) = (self.bit() << DELETERS, self.arena.first());
        while there {
            let record = &mut self.arena.now;
            if record.is(DOOMED) && !record.is(TOLD) {
                record.by &= !deleted;
                if record.deleters() == 0 {
                    record.state &= !DOOMED;
                }
                self.arena.save();
            }
            there = self.arena.advance();
        }
    }

    /// Of all keys: what the context that calls wrote is as it was. What another has open is that one's from here on.
    fn take_back(&mut self) {
        let (bit, mut there) = (self.bit(), self.arena.first());
        while there {
            let holders = self.holders(self.now().id, false);
            let record = &mut self.arena.now;
            if record.is(TOLD) {
                there = self.arena.advance();
                continue;
            }
            let before = record.by;
            record.by &= !(bit | bit << DELETERS);
            let deleted = record.deleters();
            let wrote = if record.is(GONE) { deleted } else { record.writers() };
            if wrote == 0 && record.is(DIRTY) {
                record.by |= holders;
            }
            let left = wrote == 0 && holders == 0 && before != 0;
            if left && deleted == 0 {
                there = self.arena.remove();
                continue;
            }
            self.arena.save();
            if left {
                // Made again, and that taken back: it's deleted as before. It takes less room, so it fits.
                let length = self.now().length;
                let _ = self.arena.reshape(length, GONE);
            }
            there = self.arena.advance();
        }
    }

    /// `GetKeyName`.
    pub(crate) fn name(&self) -> &[u8] {
        self.arena.name()
    }

    /// How many bytes `Write` would take, at most `most`.
    pub(crate) fn writable(&self, index: usize, most: usize) -> Result<usize, i32> {
        let handle = self.handles.get(index).filter(|handle| handle.flags & WRITES != 0);
        let at = handle.ok_or(KEY_READ_ONLY)?.write_at;
        Ok((self.now().length.saturating_sub(at) as usize).min(most))
    }

    /// `Rseek`.
    pub(crate) fn rseek(&mut self, index: usize, offset: usize) -> Answer {
        let length = self.now().length;
        let handle = self.handles.get_mut(index).filter(|handle| handle.flags & READS != 0);
        let handle = handle.ok_or(KEY_UNREADABLE)?;
        let offset = u32::try_from(offset).ok().filter(|offset| *offset <= length).ok_or(INVALID_SEEK)?;
        handle.read_at = offset;
        Ok(offset.cast_signed())
    }

    /// Forgets the key if nobody has it open and it is as the store has it.
    #[inline(never)]
    fn release(&mut self) {
        if self.now().handles == 0 && !self.now().is(DIRTY | GONE) {
            self.arena.remove();
        }
    }

    /// Gives a handle of the key back; its flags, or `None`: the key went with it. One that is deleted is gone with its last
    /// handle.
    #[inline(never)]
    fn let_go(&mut self, index: usize) -> Result<Option<u8>, i32> {
        let flags = self.give_back(index);
        let record = &mut self.arena.now;
        record.handles = record.handles.saturating_sub(1);
        if !record.is(DOOMED) || record.handles > 0 {
            self.arena.save();
        } else if record.is(NEW) {
            self.arena.remove();
            return Ok(None);
        } else {
            let (length, told) = (record.length, record.state & TOLD);
            self.arena.reshape(length, GONE | told)?;
        }
        Ok(Some(flags))
    }
}

/// Keys.
impl Open {
    /// Takes the key of this name in hand, from the store if need be, or says that there is none; one that is deleted is there
    /// too.
    #[inline(never)]
    fn cf_attach(&mut self, name: &[u8]) -> Result<(), i32> {
        let arena = &mut self.cfstore.arena;
        if arena.by_name(name) {
            return Ok(());
        }
        if !look_up(&mut self.store, name, &mut arena.now).map_err(code)? {
            return Err(KEY_NOT_FOUND);
        }
        arena.insert(name)
    }

    /// Opens a handle to the key in hand; its place.
    #[inline(never)]
    fn cf_grant(&mut self, flags: u8) -> Result<usize, i32> {
        let client = self.caller();
        if self.cfstore.now().handles == HANDLES_MAX {
            return Err(HANDLE_COUNT_MAX);
        }
        let index = self.cfstore.take_handle(self.cfstore.now().id, client, flags)?;
        self.cfstore.arena.now.handles += 1;
        self.cfstore.arena.save();
        Ok(index)
    }

    /// The same, and lets go of the key if there is no handle left.
    fn cf_grant_or_release(&mut self, flags: u8) -> Result<usize, i32> {
        let granted = self.cf_grant(flags);
        if granted.is_err() {
            self.cfstore.release();
        }
        granted
    }

    /// `Create`.
    pub(crate) fn cf_create(&mut self, name: &[u8], length: usize, how: Option<&Description>) -> Result<usize, i32> {
        if !names::is_name(name) {
            return Err(INVALID_KEY_NAME);
        }
        let length = u32::try_from(length).ok().filter(|length| *length as usize <= VALUE_MAX);
        let length = length.ok_or(VALUE_SIZE_TOO_LARGE)?;
        let acl = how.map_or(Ok(0), |how| self.cf_check(how))?;
        let there = match self.cf_attach(name) {
            Err(KEY_NOT_FOUND) => false,
            attached => attached.map(|()| true)?,
        };
        if there && self.cfstore.now().is(DOOMED) {
            return Err(PREEXISTING_KEY_DELETING);
        }
        if there && !self.cfstore.now().is(GONE) {
            let resized = self.cf_resize(length, how.is_none());
            if resized.is_err() {
                self.cfstore.release();
            }
            return resized;
        }
        let how = how.ok_or(INVALID_KEY_DESCRIPTOR)?;
        self.cf_make(name, length, &Description { acl, ..*how }, there)
    }

    /// `Create` of the key in hand, which is there: it grows or shrinks.
    fn cf_resize(&mut self, length: u32, asked: bool) -> Result<usize, i32> {
        let client = self.caller();
        if !may_know(self.cfstore.now(), client) {
            return Err(NO_PERMISSIONS);
        }
        if !asked {
            return Err(PREEXISTING_KEY);
        }
        if !may(self.cfstore.now(), client, WRITE) {
            return Err(NO_WRITE);
        }
        let index = self.cf_grant(READS | WRITES)?;
        let resized = self.cf_reshape(length);
        if resized.is_err() {
            // A handle that nobody has seen.
            self.cfstore.give_back(index);
            self.cfstore.arena.now.handles -= 1;
            self.cfstore.arena.save();
        }
        resized.map(|()| index)
    }

    /// Makes the value of the key in hand longer or shorter.
    fn cf_reshape(&mut self, length: u32) -> Result<(), i32> {
        if self.cfstore.now().length == length {
            return Ok(());
        }
        self.cf_load()?;
        let state = self.cfstore.now().state;
        self.cfstore.arena.reshape(length, state)?;
        self.cfstore.mark_dirty();
        self.cfstore.arena.save();
        Ok(())
    }

    /// `Create` of a new key, or of the one in hand that was deleted and is not flushed yet.
    fn cf_make(&mut self, name: &[u8], length: u32, how: &Description, revived: bool) -> Result<usize, i32> {
        let serial = self.cfstore.serial.checked_add(1).ok_or(INTERNAL)?;
        let (owner, bit) = (self.caller(), self.cfstore.bit());
        let arena = &mut self.cfstore.arena;
        let gone = arena.now;
        // All of these were checked, and are small.
        let small = |bits: u32| bits.to_le_bytes()[0];
        if revived {
            arena.reshape(length, LOADED | DIRTY)?;
        } else {
            arena.now = Record { length, state: LOADED | DIRTY | NEW, ..Record::default() };
        }
        let record = &mut arena.now;
        (record.serial, record.owner, record.acl) = (serial, owner, small(how.acl));
        record.security = small(how.security) | record.security & WAS_PROTECTED;
        record.mode = small(how.mode & MODE_FLUSH_ON_CLOSE);
        // Who deleted it has as much to store as who makes it, and what it deleted is gone if the one who makes it takes that back.
        record.by = record.deleters() << DELETERS | bit;
        if !revived {
            arena.insert(name)?;
        }
        let granted = self.cf_grant(handles::flags_of(how.mode, READS | WRITES) | MADE);
        let arena = &mut self.cfstore.arena;
        if granted.is_ok() {
            self.cfstore.serial = serial;
        } else if revived {
            arena.reshape(gone.length, GONE)?;
            arena.now = gone;
            arena.save();
        } else {
            arena.remove();
        }
        granted
    }

    /// The rights of a key that can be made like this, those that are left open filled in.
    fn cf_check(&self, how: &Description) -> Result<u32, i32> {
        let Description { acl, retention, security, mode } = *how;
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
        Ok(if acl == 0 { (READ | WRITE).into() } else { acl })
    }

    /// `Open`.
    pub(crate) fn cf_open(&mut self, name: &[u8], mode: u32) -> Result<usize, i32> {
        if !names::is_name(name) {
            return Err(INVALID_KEY_NAME);
        }
        if mode & !MODES != 0 {
            return Err(NOT_SUPPORTED);
        }
        self.cf_attach(name)?;
        if self.cfstore.now().is(DOOMED | GONE) {
            return Err(KEY_NOT_FOUND);
        }
        let (flags, client) = (handles::flags_of(mode, READS), self.caller());
        let record = self.cfstore.now();
        let refused = if !may_know(record, client) {
            KEY_NOT_FOUND
        } else if flags & READS != 0 && !may(record, client, READ) {
            NO_READ
        } else if flags & WRITES != 0 && !may(record, client, WRITE) {
            NO_WRITE
        } else if mode & MODE_EXECUTE != 0 && !may(record, client, EXECUTE) {
            NO_EXECUTE
        } else {
            0
        };
        if refused != 0 {
            self.cfstore.release();
            return Err(refused);
        }
        self.cf_grant_or_release(flags)
    }

    /// `Delete`: the key is gone when its last handle is closed.
    pub(crate) fn cf_delete(&mut self) -> Answer {
        if !may(self.cfstore.now(), self.caller(), WRITE) {
            return Err(NO_WRITE);
        }
        self.cfstore.arena.now.state |= DOOMED;
        self.cfstore.arena.now.by |= self.cfstore.bit() << DELETERS;
        self.cfstore.arena.save();
        Ok(0)
    }

    /// `Close`. The handle is closed whatever this returns.
    pub(crate) fn cf_close(&mut self, index: usize) -> Answer {
        let Some(flags) = self.cfstore.let_go(index)? else { return Ok(0) };
        let durable = self.cfstore.context().mode.has(Mode::DURABLE_AT_CLOSE);
        let mode = u32::from(self.cfstore.now().mode);
        let asked = durable || flags & FLUSHES != 0 || mode & MODE_FLUSH_ON_CLOSE != 0;
        if asked {
            self.cfstore.tell();
        }
        let record = self.cfstore.now();
        // One that only reads may meet a value that its writer is not done with.
        if record.is_promised() || asked && (record.is(GONE) || flags & (WRITES | MADE) != 0) {
            return self.cf_write_back_and_release().map(|()| 0);
        }
        self.cfstore.release();
        Ok(0)
    }

    /// Takes the key of a handle in hand.
    #[inline(never)]
    fn cf_hold(&mut self, index: usize) -> Result<(), i32> {
        let id = self.cfstore.handles.get(index).map_or(0, |handle| handle.key);
        if self.cfstore.arena.by_id(id) { Ok(()) } else { Err(INTERNAL) }
    }

    /// The place of the handle in a caller's buffer, and its key in hand.
    #[inline(never)]
    pub(crate) fn cf_find_handle(&mut self, buffer: &Buffer) -> Result<usize, i32> {
        let index = self.cfstore.index_of(buffer, self.caller()).ok_or(INVALID_HANDLE)?;
        self.cf_hold(index)?;
        Ok(index)
    }

    /// Sees to it that the value of the key in hand is in the arena.
    #[inline(never)]
    fn cf_load(&mut self) -> Result<(), i32> {
        let arena = &mut self.cfstore.arena;
        let Record { length, state, .. } = arena.now;
        if state & LOADED != 0 {
            return Ok(());
        }
        arena.reshape(length, state | LOADED)?;
        let (name, stored) = arena.name_and_stored();
        let whole = stored.len();
        match calls::read(&mut self.store, &key(name), 0, stored) {
            Ok(read) if read == whole => Ok(()),
            other => {
                arena.reshape(length, state)?;
                Err(other.map_or_else(code, |_| INTERNAL))
            }
        }
    }
}

/// Values.
impl Open {
    /// How many bytes `Read` would give, at most `most`.
    pub(crate) fn cf_readable(&self, index: usize, most: usize) -> Result<usize, i32> {
        if !may(self.cfstore.now(), self.caller(), READ) {
            return Err(NO_READ);
        }
        let at = self.cfstore.handles.get(index).map_or(0, |handle| handle.read_at);
        Ok((self.cfstore.now().length.saturating_sub(at) as usize).min(most))
    }

    /// `Read`: fills what was said to be readable.
    pub(crate) fn cf_read(&mut self, index: usize, target: &mut [u8]) -> Answer {
        if target.is_empty() {
            return Ok(0);
        }
        let Cfstore { arena, handles, .. } = &mut self.cfstore;
        let at = &mut handles.get_mut(index).ok_or(INTERNAL)?.read_at;
        if arena.now.is(LOADED) {
            target.copy_from_slice(arena.value(*at, target.len()).ok_or(INTERNAL)?);
        } else {
            let read = calls::read(&mut self.store, &key(arena.name()), 12 + *at, target).map_err(code)?;
            if read != target.len() {
                return Err(INTERNAL);
            }
        }
        let length = u32::try_from(target.len()).map_err(|_| INTERNAL)?;
        *at = at.saturating_add(length);
        Ok(length.cast_signed())
    }

    /// `Write`: what was said to be writable.
    pub(crate) fn cf_write(&mut self, index: usize, source: &[u8]) -> Answer {
        let length = u32::try_from(source.len()).map_err(|_| INTERNAL)?;
        if length == 0 {
            return Ok(0);
        }
        self.cf_load()?;
        let Cfstore { arena, handles, .. } = &mut self.cfstore;
        let at = &mut handles.get_mut(index).ok_or(INTERNAL)?.write_at;
        arena.value(*at, source.len()).ok_or(INTERNAL)?.copy_from_slice(source);
        *at = at.saturating_add(length);
        self.cfstore.mark_dirty();
        self.cfstore.arena.save();
        Ok(length.cast_signed())
    }

    /// Whether a handle is valid: for the edge, which answers some errors without a callback.
    pub(crate) fn cf_knows(&mut self, buffer: &Buffer) -> bool {
        self.cf_find_handle(buffer).is_ok()
    }
}

/// A found handle has neither flag, yet it can be read, named and deleted.
const _: () = assert!(FOUND & (READS | WRITES) == 0);
