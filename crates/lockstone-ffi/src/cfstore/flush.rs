//! Flush: everything that is not in the store yet goes there, in one transaction.
#![forbid(unsafe_code)]

use lockstone::{Attributes, Put};

use super::arena::{DIRTY, DOOMED, GONE, LOADED, NEW, Record, STORED_HEAD};
use super::codes::{Opcode, ROLLBACK_PROTECTION};
use super::{Answer, Mode, WAS_PROTECTED, code, key};
use crate::library::Open;

/// Bytes of a record of the log beside name and value: with many pointers, and with few.
const RECORD: [usize; 2] = [112, 56];

/// Whether a key is to be written.
const fn is_due(record: &Record) -> bool {
    record.is(GONE) || record.is(DIRTY) && !record.is(DOOMED)
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
        if !self.cfstore.mode.has(Mode::ASYNCHRONOUS) {
            return self.cf_flush();
        }
        self.cfstore.pending = Some(Opcode::Flush);
        Ok(0)
    }

    /// `Flush`, now.
    pub(crate) fn cf_flush(&mut self) -> Answer {
        let (mut bytes, mut due, mut protected) = ([0_usize; 2], false, false);
        let per_record = self.store.layout().body_max as usize - 12;
        let mut next = self.cfstore.arena.first();
        while let Some(record) = next.take() {
            next = self.cfstore.arena.after(&record);
            if !is_due(&record) {
                continue;
            }
            due = true;
            let rollback = u32::from(record.security) & ROLLBACK_PROTECTION != 0;
            protected |= self.counts && (rollback || record.security & WAS_PROTECTED != 0);
            let length = if record.is(GONE) { 0 } else { record.length as usize };
            let whole = length + self.cfstore.arena.name(&record).len() + STORED_HEAD;
            let records = 2 + whole / per_record;
            for (sum, each) in bytes.iter_mut().zip(RECORD) {
                *sum = sum.saturating_add(whole + records * each);
            }
            if !record.is(GONE) {
                self.cf_head(&record);
            }
        }
        if !due {
            return Ok(0);
        }
        self.before_writing().map_err(code)?;
        match self.cf_commit(bytes[0], protected) {
            // Maybe there is room if pointers are few.
            Err(lockstone::Error::Full) => self.cf_commit(bytes[1], protected).map_err(code)?,
            done => done.map_err(code)?,
        }
        self.cf_settle();
        Ok(0)
    }

    /// Writes all that is due, or nothing.
    fn cf_commit(
        &mut self,
        bytes: usize,
        protected: bool,
    ) -> Result<(), lockstone::Error<crate::platform::HookFailed>> {
        let bytes = u32::try_from(bytes).map_err(|_| lockstone::Error::Full)?;
        let fresh = Put::with(if self.counts { Attributes::PROTECTED } else { Attributes::NONE });
        let mut change =
            if protected { self.store.protected_transaction(bytes)? } else { self.store.transaction(bytes)? };
        // What is deleted makes room for what is put.
        for record in self.cfstore.arena.records().filter(|record| record.is(GONE)) {
            change.delete(key(self.cfstore.arena.name(&record)))?;
        }
        for record in self.cfstore.arena.records().filter(|record| is_due(record) && !record.is(GONE)) {
            let (name, stored) = self.cfstore.arena.name_and_stored(&record);
            if u32::from(record.security) & ROLLBACK_PROTECTION != 0 {
                change.put_with(key(name), stored, fresh)?;
            } else {
                change.put_with(key(name), stored, Put::with(Attributes::NONE))?;
            }
        }
        change.commit()
    }

    /// After a commit: what is left in RAM is what is open.
    fn cf_settle(&mut self) {
        let mut next = self.cfstore.arena.first();
        while let Some(record) = next.take() {
            let stays = record.handles > 0;
            if is_due(&record) && stays {
                // It takes less room than before, so it fits.
                let _ = self.cfstore.arena.reshape(&as_stored(record));
            } else if is_due(&record) {
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
