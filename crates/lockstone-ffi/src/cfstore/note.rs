//! The note: what the driver keeps of itself in the store, in an entry whose name no key can have.
//!
//! ```text
//! serial (4) | from (4) | to (4) | from | to | ...       all keys from one serial number to another are to go; 0: none
//! ```
//!
//! No key has a serial number above the note's: when one that was damaged can't be asked for its own, no number comes twice.
#![forbid(unsafe_code)]

use lockstone::{Attributes, Cursor, Key, Put};

use super::arena::{GONE, Record};
use super::codes::NAME_MAX;
use super::{code, key, look_up};
use crate::calls;
use crate::failure::{Failure, Result};
use crate::library::{CFSTORE, Open};

/// The entry's name.
const NAME: &[u8] = b".";
/// The entry.
pub(super) static NOTE: &Key<'_> = &Key::new(NAME).of_client(CFSTORE);
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
    pub(super) fn bytes(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        let (serial, ranges) = bytes.split_at_mut(4);
        serial.copy_from_slice(&self.serial.to_le_bytes());
        for (place, (from, to)) in ranges.chunks_exact_mut(8).zip(&self.ranges) {
            let range = u64::from(*from) | u64::from(*to) << 32;
            place.copy_from_slice(&range.to_le_bytes());
        }
        bytes
    }

    fn of_bytes(bytes: &[u8; BYTES]) -> Self {
        let word = |bytes: Option<&[u8; 4]>| bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let mut note = Self { serial: word(bytes.first_chunk()), ..Self::default() };
        for (range, bytes) in note.ranges.iter_mut().zip(bytes[4..].chunks_exact(8)) {
            *range = (word(bytes.first_chunk()), word(bytes.last_chunk()));
        }
        note
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

    /// Writes the note.
    pub(super) fn cf_put_note(&mut self, note: &Note) -> Result<()> {
        calls::put(&mut self.store, NOTE, &note.bytes(), Attributes::NONE)
    }

    /// Finds out the last serial number, and ends what was cut.
    pub(super) fn cf_recall(&mut self) -> Result<()> {
        let mut bytes = [0; BYTES];
        let mut read = calls::length(&mut self.store, NOTE).map(Option::unwrap_or_default);
        if read == Ok(BYTES) {
            read = calls::read(&mut self.store, NOTE, 0, &mut bytes);
        }
        let mut broken = read == Err(Failure::Damaged);
        let note = match read {
            Ok(BYTES) => Note::of_bytes(&bytes),
            Ok(_) | Err(Failure::Damaged) => Note::default(),
            // Of one that can't be read now nothing is known: what it says must not be forgotten.
            Err(error) => return Err(error),
        };
        self.cfstore.serial = 0;
        let (mut cursor, mut name) = (Cursor::new(), [0; 255]);
        let mut ends = false;
        while let Some(length) = self.cf_next_name(&mut cursor, &mut name, &mut broken)? {
            let (name, mut found) = (name.get(..length).unwrap_or_default(), Record::default());
            match look_up(&mut self.store, name, &mut found) {
                Err(Failure::Damaged) => broken = true,
                there => {
                    there?;
                    self.cfstore.serial = self.cfstore.serial.max(found.serial);
                    if note.names(found.serial) {
                        calls::delete(&mut self.store, &key(name))?;
                        ends = true;
                    }
                }
            }
        }
        self.cfstore.noted = note.serial;
        if broken {
            self.cfstore.serial = self.cfstore.serial.max(note.serial);
        }
        let cut = ends || note.ranges[0].0 > 0;
        if cut && broken {
            // What can't be read now may be one of those: the note stays until a start that reads all.
            self.cfstore.noted = u32::MAX;
        } else if cut {
            self.cf_put_note(&Note { serial: note.serial, ..Note::default() })?;
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
            let found = self.store.next_key(cursor, CFSTORE, &[], name).map_err(Failure::from);
            if found == Err(Failure::Damaged) && cursor.as_words() != before {
                *broken = true;
                continue;
            }
            let found = found?;
            if found.is_none_or(|length| length <= NAME_MAX && name.get(..length) != Some(NAME)) {
                return Ok(found);
            }
        }
    }

    /// Deletes what is due, for which there is no room in one transaction: it is noted, and then deleted one by one.
    pub(super) fn cf_delete_by_note(&mut self, protect: bool) -> core::result::Result<(), i32> {
        let note = self.cf_note_of_deleted().map_err(code)?;
        let how = Put { attributes: None, protect };
        self.store.put_with(*NOTE, &note.bytes(), how).map_err(|error| code(error.into()))?;
        // Until all is deleted, whatever comes between, the note stays.
        self.cfstore.noted = u32::MAX;
        let mut there = self.cfstore.arena.first();
        while there {
            if self.cfstore.now().is(GONE) && self.cfstore.flushes() {
                calls::delete(&mut self.store, &key(self.cfstore.arena.name())).map_err(code)?;
            }
            there = self.cfstore.arena.advance();
        }
        self.cf_put_note(&Note { serial: note.serial, ..Note::default() }).map_err(code)?;
        self.cfstore.noted = note.serial;
        Ok(())
    }

    /// A note that names all that is to go, and nothing else; [`Failure::Full`] if it would be too long.
    fn cf_note_of_deleted(&mut self) -> Result<Note> {
        let mut there = self.cfstore.arena.first();
        while there {
            let (arena, mut found) = (&self.cfstore.arena, Record::default());
            // One that was made again in between has another number in the store.
            if arena.now.is(GONE) && self.cfstore.flushes() && look_up(&mut self.store, arena.name(), &mut found)? {
                self.cfstore.arena.now.serial = found.serial;
                self.cfstore.arena.save();
            }
            there = self.cfstore.arena.advance();
        }
        // What was noted before may be less, and is unknown when another note stays.
        let mut note = Note { serial: self.cfstore.serial.saturating_add(STEP), ..Note::default() };
        let mut after = 0;
        for range in &mut note.ranges {
            let (from, _) = self.cf_gone(after, u32::MAX);
            if from == u32::MAX {
                return Ok(note);
            }
            let limit = self.cf_first_live(from)?;
            (_, after) = self.cf_gone(after, limit);
            *range = (from, after);
        }
        if self.cf_gone(after, u32::MAX).0 == u32::MAX { Ok(note) } else { Err(Failure::Full) }
    }

    /// The least and the greatest serial number of what is to go, of those above `after` and below `limit`.
    fn cf_gone(&mut self, after: u32, limit: u32) -> (u32, u32) {
        let (mut least, mut greatest) = (u32::MAX, 0);
        let mut there = self.cfstore.arena.first();
        while there {
            let record = self.cfstore.now();
            if record.is(GONE) && self.cfstore.flushes() && (after + 1..limit).contains(&record.serial) {
                least = least.min(record.serial);
                greatest = greatest.max(record.serial);
            }
            there = self.cfstore.arena.advance();
        }
        (least, greatest)
    }

    /// The least serial number above `after` of a key that stays, or that another context may yet store.
    fn cf_first_live(&mut self, after: u32) -> Result<u32> {
        let (mut cursor, mut name, mut first) = (Cursor::new(), [0; 255], u32::MAX);
        let mut there = self.cfstore.arena.first();
        while there {
            let record = self.cfstore.now();
            if !record.is(GONE) && record.serial > after {
                first = first.min(record.serial);
            }
            there = self.cfstore.arena.advance();
        }
        while let Some(length) = self.cf_next_name(&mut cursor, &mut name, &mut false)? {
            let (name, mut found) = (name.get(..length).unwrap_or_default(), Record::default());
            if self.cfstore.arena.by_name(name) && self.cfstore.now().is(GONE) && self.cfstore.flushes() {
                continue;
            }
            look_up(&mut self.store, name, &mut found)?;
            if found.serial > after {
                first = first.min(found.serial);
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
        assert_eq!(Note::of_bytes(&note.bytes()), note);
        assert!([3, 5, 9, u32::MAX].into_iter().all(|serial| note.names(serial)));
        assert!([0, 2, 10].into_iter().all(|serial| !note.names(serial)));
        assert!(!Note::default().names(0), "none");
    }
}
