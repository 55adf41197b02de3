//! Find: the next key that fits a pattern, in the order in which keys were made.
//!
//! Each step looks at all keys and takes the one with the least serial number behind the last: nothing is remembered, so keys
//! may come and go between two steps.
#![forbid(unsafe_code)]

use lockstone::Cursor;

use super::arena::{DOOMED, GONE, Record};
use super::codes::{INVALID_HANDLE_BUF, INVALID_KEY_NAME, KEY_NOT_FOUND, NAME_MAX};
use super::handles::{Buffer, FOUND};
use super::{code, look_up, may_know, names};
use crate::failure::Failure;
use crate::library::Open;

/// The best key so far.
struct Best {
    serial: u32,
    name: [u8; NAME_MAX],
    length: usize,
}

impl Best {
    /// Takes a key if it comes before the best so far.
    fn consider(&mut self, record: &Record, after: u32, name: &[u8]) {
        if record.serial > after && record.serial < self.serial {
            self.serial = record.serial;
            self.length = name.len();
            self.name[..name.len()].copy_from_slice(name);
        }
    }
}

impl Open {
    /// `Find`. The previous handle, if there is one, is closed in any case but an error of the arguments.
    pub(crate) fn cf_find(&mut self, query: &[u8], previous: Option<&Buffer>) -> Result<Buffer, i32> {
        let previous = previous.filter(|buffer| **buffer != [0; 24]);
        let mut after = 0;
        if let Some(buffer) = previous {
            after = self.cf_find_handle(buffer).map_err(|_| INVALID_HANDLE_BUF)?.1.serial;
        }
        if !names::is_query(query) {
            return Err(INVALID_KEY_NAME);
        }
        let found = self.cf_next(query, after);
        if let Some(buffer) = previous {
            self.cf_close(buffer)?;
        }
        let found = found?.ok_or(KEY_NOT_FOUND)?;
        let record = self.cf_attach(&found.name[..found.length])?.ok_or(KEY_NOT_FOUND)?;
        self.cf_grant_or_release(record, FOUND)
    }

    /// The key with the least serial number behind `after`.
    fn cf_next(&mut self, query: &[u8], after: u32) -> Result<Option<Best>, i32> {
        let mut best = Best { serial: u32::MAX, name: [0; NAME_MAX], length: 0 };
        let client = self.caller();
        for record in self.cfstore.arena.records() {
            let name = self.cfstore.arena.name(&record);
            if !record.is(DOOMED | GONE) && may_know(&record, client) && names::matches(query, name) {
                best.consider(&record, after, name);
            }
        }
        let (mut cursor, mut name) = (Cursor::new(), [0; 255]);
        while let Some(length) = self.cf_next_name(&mut cursor, &mut name, &mut false).map_err(code)? {
            let name = &name[..length];
            if !names::is_name(name) || !names::matches(query, name) || self.cfstore.arena.by_name(name).is_some() {
                continue;
            }
            let found = look_up(&mut self.store, name);
            if found == Err(Failure::Damaged) {
                continue;
            }
            if let Some(record) = found.map_err(code)?
                && may_know(&record, client)
            {
                best.consider(&record, after, name);
            }
        }
        Ok((best.length > 0).then_some(best))
    }
}
