//! Flush: everything that is not in the store yet goes there, in one transaction.
//!
//! A full store may have no room for all the tombstones of a Flush that only deletes. What is to go is noted then, in one write
//! that is the commit, and deleted one by one; a cut between is mended when the driver is initialised next ([`super::note`]).
#![forbid(unsafe_code)]

use lockstone::{Attributes, Put};

use super::arena::{DIRTY, DOOMED, GONE, LOADED, NEW, Record, STORED_HEAD};
use super::codes::{Opcode, ROLLBACK_PROTECTION};
use super::{Answer, Cfstore, Mode, WAS_PROTECTED, code, key, note};
use crate::library::Open;

/// Bytes of a record of the log beside name and value: with many pointers, with some, and with few.
const RECORD: [usize; 3] = [112, 56, 40];

/// What is due.
#[derive(Clone, Copy, Default)]
struct Due {
    keys: usize,
    deleted: usize,
    /// Bytes of names and values.
    bytes: usize,
    /// Records of the log, tombstones too.
    records: usize,
    protected: bool,
}

/// Whether a key is not as the store has it.
const fn is_due(record: &Record) -> bool {
    record.is(GONE) || record.is(DIRTY) && !record.is(DOOMED)
}

impl Cfstore {
    /// Whether a Flush of the context that calls writes a key.
    fn flushes(&self, record: &Record) -> bool {
        is_due(record) && !self.is_written_elsewhere(record.id)
    }
}

impl Open {
    /// How a key is put.
    fn cf_put(&self, record: &Record) -> Put {
        let fresh = u32::from(record.security) & ROLLBACK_PROTECTION != 0 && self.counts;
        Put::with(if fresh { Attributes::PROTECTED } else { Attributes::NONE })
    }

    /// Writes in front of a value what the store keeps of the key.
    fn cf_head(&mut self, record: &Record) {
        let stored = self.cfstore.arena.stored(record);
        if let Some(head) = stored.first_chunk_mut::<STORED_HEAD>() {
            head[..4].copy_from_slice(&record.serial.to_le_bytes());
            head[4..8].copy_from_slice(&record.owner.to_le_bytes());
            head[8..].copy_from_slice(&[record.acl, record.security & !WAS_PROTECTED, record.mode, 0]);
        }
    }

    /// `Flush`, or a note that `poll` is to do it.
    pub(crate) fn cf_flush_or_defer(&mut self) -> Answer {
        let context = self.cfstore.context();
        if !context.mode.has(Mode::ASYNCHRONOUS) {
            return self.cf_flush();
        }
        context.pending = Some(Opcode::Flush);
        Ok(0)
    }

    /// `Flush`, now.
    pub(crate) fn cf_flush(&mut self) -> Answer {
        let due = self.cf_due().map_err(code)?;
        if due.keys == 0 {
            return Ok(0);
        }
        self.before_writing().map_err(code)?;
        let mut done = Err(lockstone::Error::Full);
        for each in RECORD {
            // Maybe there is room if pointers are few.
            if matches!(done, Err(lockstone::Error::Full)) {
                done = self.cf_commit(due.bytes + due.records * each, due.protected);
            }
        }
        match done {
            Err(lockstone::Error::Full) if due.deleted == due.keys => self.cf_delete_by_note(due.protected)?,
            done => done.map_err(code)?,
        }
        self.cf_settle();
        Ok(0)
    }

    /// What is due; what the store keeps of each key that is put is written in front of its value.
    fn cf_due(&mut self) -> crate::failure::Result<Due> {
        let mut due = Due { records: 4, ..Due::default() };
        let per_record = self.store.layout().body_max as usize - 12;
        let mut next = self.cfstore.arena.first();
        while let Some(record) = next.take() {
            next = self.cfstore.arena.after(&record);
            if !self.cfstore.flushes(&record) {
                continue;
            }
            let rollback = u32::from(record.security) & ROLLBACK_PROTECTION != 0;
            due.protected |= self.counts && (rollback || record.security & WAS_PROTECTED != 0);
            let name = self.cfstore.arena.name(&record);
            let old = if record.is(NEW) { None } else { self.store.length(key(name))? };
            let old = old.map_or(0, |length| 1 + (name.len() + length as usize) / per_record);
            due.keys += 1;
            if record.is(GONE) {
                due.deleted += 1;
                due.records += 1 + old;
            } else {
                let whole = record.length as usize + name.len() + STORED_HEAD;
                due.bytes = due.bytes.saturating_add(whole);
                due.records += old.max(2 + whole / per_record);
                self.cf_head(&record);
            }
        }
        Ok(due)
    }

    /// Writes all that is due, or nothing.
    fn cf_commit(
        &mut self,
        bytes: usize,
        protected: bool,
    ) -> Result<(), lockstone::Error<crate::platform::HookFailed>> {
        let bytes = u32::try_from(bytes).map_err(|_| lockstone::Error::Full)?;
        let fresh = Put::with(if self.counts { Attributes::PROTECTED } else { Attributes::NONE });
        let note = self.cf_new_note();
        let mut change =
            if protected { self.store.protected_transaction(bytes)? } else { self.store.transaction(bytes)? };
        // What is deleted makes room for what is put.
        for record in self.cfstore.arena.records().filter(|record| record.is(GONE)) {
            change.delete(key(self.cfstore.arena.name(&record)))?;
        }
        for record in self.cfstore.arena.records().filter(|record| self.cfstore.flushes(record) && !record.is(GONE)) {
            let (name, stored) = self.cfstore.arena.name_and_stored(&record);
            if u32::from(record.security) & ROLLBACK_PROTECTION != 0 {
                change.put_with(key(name), stored, fresh)?;
            } else {
                change.put_with(key(name), stored, Put::with(Attributes::NONE))?;
            }
        }
        if let Some(note) = note {
            match change.put(key(note::NAME), &note.to_bytes()) {
                // It is not worth refusing anything.
                Ok(()) | Err(lockstone::Error::Full) => {}
                Err(error) => return Err(error),
            }
        }
        change.commit()?;
        self.cfstore.noted = note.map_or(self.cfstore.noted, |note| note.serial);
        Ok(())
    }

    /// After a commit: what is left in RAM is what is open.
    fn cf_settle(&mut self) {
        let mut next = self.cfstore.arena.first();
        while let Some(record) = next.take() {
            let (stays, written) = (record.handles > 0, self.cfstore.flushes(&record));
            if written && stays {
                // It takes less room than before, so it fits.
                let _ = self.cfstore.arena.reshape(&as_stored(record));
            } else if written {
                self.cfstore.arena.remove(&record);
                next = self.cfstore.arena.records().find(|other| other.at == record.at);
                continue;
            }
            let now = self.cfstore.arena.by_id(record.id).unwrap_or(record);
            next = self.cfstore.arena.after(&now);
        }
    }

    /// Writes one key, if that is due.
    pub(super) fn cf_write_back(&mut self, record: Record) -> Result<(), i32> {
        if !is_due(&record) {
            return Ok(());
        }
        self.before_writing().map_err(code)?;
        if record.is(GONE) {
            let name = self.cfstore.arena.name(&record);
            self.store.delete(key(name)).map_err(code)?;
            self.cfstore.arena.remove(&record);
            return Ok(());
        }
        self.cf_head(&record);
        if let Some(note) = self.cf_new_note()
            && self.store.put(key(note::NAME), &note.to_bytes()).is_ok()
        {
            self.cfstore.noted = note.serial;
        }
        let how = self.cf_put(&record);
        let (name, stored) = self.cfstore.arena.name_and_stored(&record);
        self.store.put_with(key(name), stored, how).map_err(code)?;
        self.cfstore.arena.reshape(&as_stored(record))
    }
}

/// A record whose value the store has.
const fn as_stored(record: Record) -> Record {
    let protected = if record.security as u32 & ROLLBACK_PROTECTION != 0 { WAS_PROTECTED } else { 0 };
    let security = record.security & !WAS_PROTECTED | protected;
    Record { state: record.state & !(LOADED | DIRTY | NEW), security, ..record }
}
