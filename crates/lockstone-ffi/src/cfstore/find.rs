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
    #[inline(never)]
    fn consider(&mut self, serial: u32, after: u32, name: &[u8]) {
        if serial > after
            && serial < self.serial
            && let Some(place) = self.name.get_mut(..name.len())
        {
            place.copy_from_slice(name);
            (self.serial, self.length) = (serial, name.len());
        }
    }
}

impl Open {
    /// `Find`. The previous handle, if there is one, is closed in any case but an error of the arguments.
    pub(crate) fn cf_find(&mut self, query: &[u8], previous: Option<&Buffer>) -> Result<usize, i32> {
        let previous = previous.filter(|buffer| **buffer != [0; 24]);
        let (mut after, mut closes) = (0, None);
        if let Some(buffer) = previous {
            closes = Some(self.cf_find_handle(buffer).map_err(|_| INVALID_HANDLE_BUF)?);
            after = self.cfstore.now().serial;
        }
        if !names::is_query(query) {
            return Err(INVALID_KEY_NAME);
        }
        let mut best = Best { serial: u32::MAX, name: [0; NAME_MAX], length: 0 };
        let found = self.cf_next(query, after, &mut best);
        if let Some(index) = closes {
            self.cf_hold(index)?;
            self.cf_close(index)?;
        }
        found.map_err(code)?;
        let name = best.name.get(..best.length).unwrap_or_default();
        if name.is_empty() {
            return Err(KEY_NOT_FOUND);
        }
        self.cf_attach(name)?;
        self.cf_grant_or_release(FOUND)
    }

    /// The key with the least serial number behind `after`.
    fn cf_next(&mut self, query: &[u8], after: u32, best: &mut Best) -> crate::failure::Result<()> {
        let client = self.caller();
        let mut there = self.cfstore.arena.first();
        while there {
            let (record, name) = (self.cfstore.now(), self.cfstore.arena.name());
            if !record.is(DOOMED | GONE) && may_know(record, client) && names::matches(query, name) {
                best.consider(record.serial, after, name);
            }
            there = self.cfstore.arena.advance();
        }
        let (mut cursor, mut name) = (Cursor::new(), [0; 255]);
        while let Some(length) = self.cf_next_name(&mut cursor, &mut name, &mut false)? {
            let (name, mut found) = (name.get(..length).unwrap_or_default(), Record::default());
            if !names::is_name(name) || !names::matches(query, name) || self.cfstore.arena.by_name(name) {
                continue;
            }
            let there = look_up(&mut self.store, name, &mut found);
            if there != Err(Failure::Damaged) && there? && may_know(&found, client) {
                best.consider(found.serial, after, name);
            }
        }
        Ok(())
    }
}
