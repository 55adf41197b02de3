//! Arena: the keys that are open or not flushed, one behind the other in RAM that the caller hands in.
//!
//! ```text
//! | head (22) | name | store's head (12), value |  next record ...        the last part only of a record that is LOADED
//! ```
//!
//! Records move when one before them grows or goes, so others know them by number, never by place.
#![forbid(unsafe_code)]

use zeroize::Zeroize;

use super::codes::OUT_OF_MEMORY;

/// The value is in RAM.
pub(crate) const LOADED: u8 = 1 << 0;
/// It is not what the store has.
pub(crate) const DIRTY: u8 = 1 << 1;
/// The store has no such key.
pub(crate) const NEW: u8 = 1 << 2;
/// Deleted, and some handle is still open.
pub(crate) const DOOMED: u8 = 1 << 3;
/// Deleted; the store does not know yet.
pub(crate) const GONE: u8 = 1 << 4;

/// Bytes of what the store keeps in front of a value.
pub(crate) const STORED_HEAD: usize = 12;
/// Bytes of a record's head.
const HEAD: usize = 22;

/// A record's head, and where it stands at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) at: usize,
    pub(crate) id: u32,
    /// Keys are found in this order.
    pub(crate) serial: u32,
    pub(crate) owner: i32,
    /// Bytes of the value.
    pub(crate) length: u32,
    pub(crate) acl: u8,
    pub(crate) security: u8,
    pub(crate) mode: u8,
    pub(crate) state: u8,
    /// Handles that are open.
    pub(crate) handles: u8,
    /// Bytes of the name: the arena's business.
    pub(crate) name: u8,
}

impl Record {
    pub(crate) const fn is(&self, state: u8) -> bool {
        self.state & state != 0
    }

    /// The same name and handles, and otherwise what the other says.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self { name: self.name, handles: self.handles, ..other }
    }

    fn value_at(&self) -> usize {
        self.at + HEAD + usize::from(self.name)
    }

    /// Bytes of the value in RAM, with the store's head.
    const fn loaded(&self) -> usize {
        if self.is(LOADED) { STORED_HEAD + self.length as usize } else { 0 }
    }

    fn end(&self) -> usize {
        self.value_at() + self.loaded()
    }

    fn to_bytes(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let words = [self.id, self.serial, self.owner.cast_unsigned(), self.length];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes[16..].copy_from_slice(&[self.acl, self.security, self.mode, self.state, self.handles, self.name]);
        bytes
    }

    fn of_bytes(at: usize, bytes: &[u8; HEAD]) -> Self {
        let word = |from: usize| u32::from_le_bytes([bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]]);
        let [.., acl, security, mode, state, handles, name] = *bytes;
        let (id, serial, owner, length) = (word(0), word(4), word(8).cast_signed(), word(12));
        Self { at, id, serial, owner, length, acl, security, mode, state, handles, name }
    }
}

/// All records.
pub(crate) struct Arena {
    bytes: &'static mut [u8],
    used: usize,
    /// The number of the next record.
    next: u32,
}

impl Arena {
    pub(crate) const fn new(bytes: &'static mut [u8]) -> Self {
        Self { bytes, used: 0, next: 1 }
    }

    /// Forgets and wipes everything.
    pub(crate) fn clear(&mut self) {
        self.bytes[..self.used].zeroize();
        self.used = 0;
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let record = self.record_at(at)?;
            at = record.end();
            Some(record)
        })
    }

    fn record_at(&self, at: usize) -> Option<Record> {
        self.bytes[..self.used].get(at..)?.first_chunk().map(|head| Record::of_bytes(at, head))
    }

    pub(crate) fn by_id(&self, id: u32) -> Option<Record> {
        self.records().find(|record| record.id == id)
    }

    /// The record that stands behind another.
    pub(crate) fn after(&self, record: &Record) -> Option<Record> {
        self.record_at(record.end())
    }

    pub(crate) fn first(&self) -> Option<Record> {
        self.record_at(0)
    }

    pub(crate) fn by_name(&self, name: &[u8]) -> Option<Record> {
        self.records().find(|record| self.name(record) == name)
    }

    pub(crate) fn name(&self, record: &Record) -> &[u8] {
        &self.bytes[record.at + HEAD..record.value_at()]
    }

    /// What goes into the store: its head, and the value. Only of a record that is loaded.
    pub(crate) fn stored(&mut self, record: &Record) -> &mut [u8] {
        &mut self.bytes[record.value_at()..record.end()]
    }

    pub(crate) fn name_and_stored(&self, record: &Record) -> (&[u8], &[u8]) {
        (self.name(record), &self.bytes[record.value_at()..record.end()])
    }

    pub(crate) fn value(&mut self, record: &Record) -> &mut [u8] {
        &mut self.stored(record)[STORED_HEAD..]
    }

    /// Adds a record of this name; it gets a number and, if it is to be loaded, a value of zeros.
    pub(crate) fn insert(&mut self, record: Record, name: &[u8]) -> Result<Record, i32> {
        let length = u8::try_from(name.len()).map_err(|_| OUT_OF_MEMORY)?;
        let record = Record { at: self.used, id: self.next, name: length, ..record };
        let end = record.end();
        if end > self.bytes.len() {
            return Err(OUT_OF_MEMORY);
        }
        self.bytes[self.used..end].fill(0);
        self.bytes[record.at + HEAD..record.value_at()].copy_from_slice(name);
        self.used = end;
        self.next = self.next.wrapping_add(1);
        self.save(&record);
        Ok(record)
    }

    /// Writes a record's head again; its value has the same room as before.
    pub(crate) fn save(&mut self, record: &Record) {
        self.bytes[record.at..record.at + HEAD].copy_from_slice(&record.to_bytes());
    }

    /// Writes a record's head again, with a value that may have other room: what is new of it is zero.
    pub(crate) fn reshape(&mut self, record: &Record) -> Result<(), i32> {
        let old = self.record_at(record.at).ok_or(OUT_OF_MEMORY)?;
        let (from, to) = (old.end(), record.end());
        let used = self.used - from + to;
        if used > self.bytes.len() {
            return Err(OUT_OF_MEMORY);
        }
        self.bytes.copy_within(from..self.used, to);
        if to > from {
            self.bytes[from..to].fill(0);
        } else {
            self.bytes[used..self.used].zeroize();
        }
        self.used = used;
        self.save(record);
        Ok(())
    }

    pub(crate) fn remove(&mut self, record: &Record) {
        let (from, end) = (record.end(), self.used);
        self.bytes.copy_within(from..end, record.at);
        self.used -= from - record.at;
        self.bytes[self.used..end].zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_move_and_keep_what_is_theirs() {
        let mut arena = Arena::new(Vec::leak(vec![0xee; 160]));
        let loaded = Record { state: LOADED | DIRTY, length: 5, handles: 3, owner: -2, ..Record::default() };
        let a = arena.insert(loaded, b"a").unwrap();
        let b = arena.insert(Record { length: 9, ..Record::default() }, b"bb").unwrap();
        let c = arena.insert(loaded, b"ccc").unwrap();
        arena.value(&a).copy_from_slice(b"AAAAA");
        arena.value(&c).copy_from_slice(b"CCCCC");
        assert_eq!(arena.insert(Record { length: 99, ..loaded }, b"d"), Err(OUT_OF_MEMORY));
        arena.reshape(&Record { state: LOADED, ..b }).unwrap();
        let (b, c) = (arena.by_id(b.id).unwrap(), arena.by_name(b"ccc").unwrap());
        assert_eq!((arena.value(&b).to_vec(), arena.value(&c).to_vec()), (vec![0; 9], b"CCCCC".to_vec()));
        assert_eq!(arena.reshape(&Record { length: 200, ..b }), Err(OUT_OF_MEMORY));
        arena.reshape(&Record { length: 2, ..arena.by_id(a.id).unwrap() }).unwrap();
        assert_eq!(arena.value(&arena.by_id(a.id).unwrap()), b"AA");
        arena.remove(&arena.by_id(b.id).unwrap());
        let c = arena.by_id(c.id).unwrap();
        assert_eq!((arena.value(&c).to_vec(), c.owner, c.handles), (b"CCCCC".to_vec(), -2, 3));
        assert_eq!(arena.records().count(), 2);
        let end = arena.used;
        assert!(arena.bytes[end..].iter().all(|byte| [0, 0xee].contains(byte)), "what is left behind is wiped");
        arena.clear();
        assert!(arena.first().is_none());
    }
}
