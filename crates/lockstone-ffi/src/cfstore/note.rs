//! The note: what the driver keeps of itself in the store, in an entry whose name no key can have.
//!
//! ```text
//! serial (4) | from (4) | to (4) | from | to | ...       all keys from one serial number to another are to go; 0: none
//! ```
//!
//! No key has a serial number above the note's: when one that was damaged can't be asked for its own, no number comes twice.
#![forbid(unsafe_code)]

use lockstone::{Cursor, Put};

use super::arena::GONE;
use super::codes::NAME_MAX;
use super::{code, damaged, key, look_up};
use crate::failure::{Failure, Result};
use crate::library::{CFSTORE, Open};

/// The entry's name.
pub(super) const NAME: &[u8] = b".";
/// Ranges of serial numbers in a note.
const RANGES: usize = 6;
const BYTES: usize = 4 + 8 * RANGES;
/// The note is written again once for so many new keys.
const STEP: u32 = 64;

/// The note.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) serial: u32,
    ranges: [(u32, u32); RANGES],
}

impl Note {
    pub(super) fn to_bytes(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        let words = core::iter::once(self.serial).chain(self.ranges.into_iter().flat_map(|(from, to)| [from, to]));
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn of_bytes(bytes: &[u8; BYTES]) -> Self {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self { serial: word(0), ranges: core::array::from_fn(|index| (word(4 + 8 * index), word(8 + 8 * index))) }
    }

    fn names(&self, serial: u32) -> bool {
        self.ranges.iter().any(|(from, to)| *from > 0 && (*from..=*to).contains(&serial))
    }
}

impl Open {
    /// What the note is to be if keys are stored that it has no serial number for.
    pub(super) fn cf_new_note(&self) -> Option<Note> {
        let serial = self.cfstore.serial;
        (serial > self.cfstore.noted).then(|| Note { serial: serial.saturating_add(STEP), ..Note::default() })
    }

    /// Finds out the last serial number, and ends what was cut.
    pub(super) fn cf_recall(&mut self) -> Result<()> {
        let mut bytes = [0; BYTES];
        let read = self.store.get(key(NAME), &mut bytes);
        let mut broken = damaged(&read);
        let note = if read.unwrap_or(None) == Some(BYTES) { Note::of_bytes(&bytes) } else { Note::default() };
        self.cfstore.serial = 0;
        let (mut cursor, mut name) = (Cursor::new(), [0; 255]);
        let mut ends = false;
        while let Some(length) = self.cf_next_name(&mut cursor, &mut name, &mut broken)? {
            match look_up(&mut self.store, &name[..length]) {
                Err(Failure::Damaged) => broken = true,
                found => {
                    let serial = found?.map_or(0, |found| found.serial);
                    self.cfstore.serial = self.cfstore.serial.max(serial);
                    if note.names(serial) {
                        self.store.delete(key(&name[..length]))?;
                        ends = true;
                    }
                }
            }
        }
        self.cfstore.noted = note.serial;
        if broken {
            self.cfstore.serial = self.cfstore.serial.max(note.serial);
        }
        if ends || note.ranges[0].0 > 0 {
            self.store.put(key(NAME), &Note { serial: note.serial, ..Note::default() }.to_bytes())?;
        }
        Ok(())
    }

    /// The next name of a key. What is damaged is passed, and said in `broken`.
    pub(super) fn cf_next_name(
        &mut self,
        cursor: &mut Cursor,
        name: &mut [u8; 255],
        broken: &mut bool,
    ) -> Result<Option<usize>> {
        loop {
            let before = cursor.as_words();
            let found = self.store.next_key(cursor, CFSTORE, &[], name);
            if damaged(&found) && cursor.as_words() != before {
                *broken = true;
                continue;
            }
            let found = found?;
            if found.is_none_or(|length| length <= NAME_MAX && name[..length] != *NAME) {
                return Ok(found);
            }
        }
    }

    /// Deletes what is due, for which there is no room in one transaction: it is noted, and then deleted one by one.
    pub(super) fn cf_delete_by_note(&mut self, protect: bool) -> core::result::Result<(), i32> {
        let note = self.cf_note_of_deleted().map_err(code)?;
        let how = Put { attributes: None, protect };
        self.store.put_with(key(NAME), &note.to_bytes(), how).map_err(code)?;
        // Until all is deleted, whatever comes between, the note stays.
        self.cfstore.noted = u32::MAX;
        for record in self.cfstore.arena.records().filter(|record| record.is(GONE)) {
            self.store.delete(key(self.cfstore.arena.name(&record))).map_err(code)?;
        }
        let after = Note { serial: note.serial, ..Note::default() };
        self.store.put(key(NAME), &after.to_bytes()).map_err(code)?;
        self.cfstore.noted = note.serial;
        Ok(())
    }

    /// A note that names all that is to go, and nothing else; [`Failure::Full`] if it would be too long.
    fn cf_note_of_deleted(&mut self) -> Result<Note> {
        let mut note = Note { serial: self.cfstore.noted, ..Note::default() };
        let (mut after, mut used) = (0, 0);
        while let Some(from) = self.cf_gone(after).min() {
            let limit = self.cf_first_live(from)?;
            let to = self.cf_gone(after).filter(|serial| *serial < limit).max().unwrap_or(from);
            *note.ranges.get_mut(used).ok_or(Failure::Full)? = (from, to);
            (after, used) = (to, used + 1);
        }
        Ok(note)
    }

    /// The serial numbers above `after` of what is to go.
    fn cf_gone(&self, after: u32) -> impl Iterator<Item = u32> {
        let gone = self.cfstore.arena.records().filter(|record| record.is(GONE));
        gone.map(|record| record.serial).filter(move |serial| *serial > after)
    }

    /// The least serial number above `after` of a key that stays.
    fn cf_first_live(&mut self, after: u32) -> Result<u32> {
        let (mut cursor, mut name, mut first) = (Cursor::new(), [0; 255], u32::MAX);
        while let Some(length) = self.cf_next_name(&mut cursor, &mut name, &mut false)? {
            let name = &name[..length];
            if self.cfstore.arena.by_name(name).is_some_and(|record| record.is(GONE)) {
                continue;
            }
            let serial = look_up(&mut self.store, name)?.map_or(0, |found| found.serial);
            if serial > after {
                first = first.min(serial);
            }
        }
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let mut note = Note { serial: 70, ..Note::default() };
        note.ranges[0] = (3, 9);
        note.ranges[5] = (0x0102_0304, u32::MAX);
        assert_eq!(Note::of_bytes(&note.to_bytes()), note);
        assert!([3, 5, 9, u32::MAX].into_iter().all(|serial| note.names(serial)));
        assert!([0, 2, 10].into_iter().all(|serial| !note.names(serial)));
        assert!(!Note::default().names(0), "none");
    }
}
