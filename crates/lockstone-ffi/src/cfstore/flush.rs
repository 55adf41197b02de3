//! Flush: everything that is not in the store yet goes there, in one transaction.
//!
//! A full store may have no room for all the tombstones of a Flush that only deletes. What is to go is noted then, in one write
//! that is the commit, and deleted one by one; a cut between is mended when the driver is initialised next ([`super::note`]).
#![forbid(unsafe_code)]

use lockstone::Attributes;

use super::arena::{Arena, DIRTY, DOOMED, GONE, LOADED, NEW, Record, STORED_HEAD};
use super::codes::{Opcode, ROLLBACK_PROTECTION};
use super::{Answer, CONTEXTS, Cfstore, Mode, WAS_PROTECTED, code, key, note};
use crate::calls::{self, Change};
use crate::failure::Failure;
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

/// How a key is put.
const fn attributes_of(record: &Record, counts: bool) -> Attributes {
    let fresh = record.security as u32 & ROLLBACK_PROTECTION != 0 && counts;
    if fresh { Attributes::PROTECTED } else { Attributes::NONE }
}

/// Whether a key is not as the store has it.
const fn is_due(record: &Record) -> bool {
    record.is(GONE) || record.is(DIRTY) && !record.is(DOOMED)
}

impl Arena {
    /// Writes in front of the value in hand what the store keeps of the key.
    fn write_head(&mut self) {
        let Record { serial, owner, acl, security, mode, .. } = self.now;
        let [s0, s1, s2, s3] = serial.to_le_bytes();
        let [o0, o1, o2, o3] = owner.to_le_bytes();
        if let Some(head) = self.name_and_stored().1.first_chunk_mut::<STORED_HEAD>() {
            *head = [s0, s1, s2, s3, o0, o1, o2, o3, acl, security & !WAS_PROTECTED, mode, 0];
        }
    }

    /// The value in hand is in the store now.
    fn settle(&mut self) {
        let record = &mut self.now;
        let protected = if record.security as u32 & ROLLBACK_PROTECTION != 0 { WAS_PROTECTED } else { 0 };
        record.security = record.security & !WAS_PROTECTED | protected;
        record.by = 0;
        let (length, state) = (record.length, record.state & !(LOADED | DIRTY | NEW));
        // It takes less room than before, so it fits.
        let _ = self.reshape(length, state);
    }
}

impl Cfstore {
    /// Whether a Flush of the context that calls writes the key in hand: one that it wrote itself, and that no other who wrote it
    /// too has open to write, and may not be done with.
    pub(super) fn flushes(&self) -> bool {
        let record = self.now();
        if CONTEXTS == 1 || !is_due(record) || record.is_promised() {
            return is_due(record);
        }
        let (mine, others) = (self.bit(), record.writers() & !self.bit());
        // Who deleted a key that another made again can't have that stored alone.
        let wrote = if record.is(GONE) { record.deleters() } else { record.deleters() | record.writers() };
        wrote & mine != 0 && self.holders(record.id, true) & others == 0
    }

    /// While a note of deletes stays that may name the key in hand, what is stored anew of it has another serial number.
    fn renumber(&mut self) {
        if self.noted == u32::MAX {
            self.serial = self.serial.saturating_add(1);
            self.arena.now.serial = self.serial;
            self.arena.save();
        }
    }
}

impl Open {
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
            self.cf_settle();
            return Ok(0);
        }
        self.before_writing().map_err(code)?;
        let mut done = Err(Failure::Full);
        for each in RECORD {
            // Maybe there is room if pointers are few.
            if done == Err(Failure::Full) {
                done = self.cf_commit(due.bytes + due.records * each, due.protected);
            }
        }
        match done {
            Err(Failure::Full) if due.deleted == due.keys => self.cf_delete_by_note(due.protected)?,
            done => done.map_err(code)?,
        }
        self.cf_settle();
        Ok(0)
    }

    /// What is due; what the store keeps of each key that is put is written in front of its value.
    fn cf_due(&mut self) -> crate::failure::Result<Due> {
        let mut due = Due { records: 4, ..Due::default() };
        let per_record = self.store.layout().body_max as usize - 12;
        let mut there = self.cfstore.arena.first();
        while there {
            if self.cfstore.flushes() {
                let (record, name) = (*self.cfstore.now(), self.cfstore.arena.name());
                let rollback = u32::from(record.security) & ROLLBACK_PROTECTION != 0;
                due.protected |= self.counts && (rollback || record.security & WAS_PROTECTED != 0);
                let old = if record.is(NEW) { None } else { calls::length(&mut self.store, &key(name))? };
                let old = old.map_or(0, |length| 1 + (name.len() + length) / per_record);
                due.keys += 1;
                if record.is(GONE) {
                    due.deleted += 1;
                    due.records += 1 + old;
                } else {
                    let whole = record.length as usize + name.len() + STORED_HEAD;
                    due.bytes = due.bytes.saturating_add(whole);
                    due.records += old.max(2 + whole / per_record);
                    self.cfstore.renumber();
                    self.cfstore.arena.write_head();
                }
            }
            there = self.cfstore.arena.advance();
        }
        Ok(due)
    }

    /// Writes all that is due, or nothing.
    fn cf_commit(&mut self, bytes: usize, protected: bool) -> crate::failure::Result<()> {
        let (note, counts) = (self.cf_new_note(), self.counts);
        let mut change = Change::begin(&mut self.store, bytes, protected)?;
        // What is deleted makes room for what is put.
        for deletes in [true, false] {
            let mut there = self.cfstore.arena.first();
            while there {
                if self.cfstore.flushes() && self.cfstore.now().is(GONE) == deletes {
                    let attributes = attributes_of(self.cfstore.now(), counts);
                    let (name, stored) = self.cfstore.arena.name_and_stored();
                    let key = &key(name);
                    if deletes { change.delete(key)? } else { change.put(key, stored, attributes)? }
                }
                there = self.cfstore.arena.advance();
            }
        }
        if let Some(note) = note {
            match change.put(note::NOTE, &note.bytes(), Attributes::NONE) {
                // It is not worth refusing anything.
                Ok(()) | Err(Failure::Full) => {}
                Err(error) => return Err(error),
            }
        }
        change.commit()?;
        self.cfstore.noted = note.map_or(self.cfstore.noted, |note| note.serial);
        Ok(())
    }

    /// After a commit: what is left in RAM is what is open.
    fn cf_settle(&mut self) {
        let mut there = self.cfstore.arena.first();
        while there {
            self.cfstore.tell();
            let (stays, written) = (self.cfstore.now().handles > 0, self.cfstore.flushes());
            let arena = &mut self.cfstore.arena;
            if written && stays {
                arena.settle();
            }
            there = if written && !stays { arena.remove() } else { arena.advance() };
        }
    }

    /// Writes the key in hand, if a Flush would, and lets go of it.
    pub(super) fn cf_write_back_and_release(&mut self) -> Result<(), i32> {
        let written = if self.cfstore.flushes() { self.cf_write_back() } else { Ok(()) };
        self.cfstore.release();
        written.map_err(code)
    }

    /// Writes the key in hand.
    fn cf_write_back(&mut self) -> crate::failure::Result<()> {
        self.before_writing()?;
        let arena = &mut self.cfstore.arena;
        if arena.now.is(GONE) {
            calls::delete(&mut self.store, &key(arena.name()))?;
            // As the store has it: there's no such key.
            arena.now.state = 0;
            return Ok(());
        }
        self.cfstore.renumber();
        self.cfstore.arena.write_head();
        if let Some(note) = self.cf_new_note()
            && self.cf_put_note(&note).is_ok()
        {
            self.cfstore.noted = note.serial;
        }
        let arena = &mut self.cfstore.arena;
        let attributes = attributes_of(&arena.now, self.counts);
        let (name, stored) = arena.name_and_stored();
        calls::put(&mut self.store, &key(name), stored, attributes)?;
        arena.settle();
        Ok(())
    }
}
