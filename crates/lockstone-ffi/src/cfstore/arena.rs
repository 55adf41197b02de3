//! Arena: the keys that are open or not flushed, one behind the other in RAM that the caller hands in.
//!
//! ```text
//! | head (23) | name | store's head (12), value |  next record ...        the last part only of a record that is LOADED
//! ```
//!
//! Records move when one before them grows or goes, so others know them by number, never by place. One record is *in hand*: its
//! head was read, and stands beside the bytes until it's saved. So none is ever passed on or given back, which costs a copy.
#![forbid(unsafe_code)]

use core::ops::Range;

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
/// Deleted, and who deleted it was told that this is stored: it is, as soon as its last handle is closed.
pub(crate) const TOLD: u8 = 1 << 5;

/// In `by`: how far above who wrote a key stands who deleted it.
pub(crate) const DELETERS: u32 = 4;
/// In `by`: who wrote it.
const WRITERS: u8 = (1 << DELETERS) - 1;

/// Bytes of what the store keeps in front of a value.
pub(crate) const STORED_HEAD: usize = 12;
/// Bytes of a record's head.
const HEAD: usize = 23;

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
    /// The contexts that wrote what is not flushed, a bit each, and [`DELETERS`] above them those that deleted it.
    pub(crate) by: u8,
}

impl Record {
    const NONE: Self = Self {
        at: 0,
        id: 0,
        serial: 0,
        owner: 0,
        length: 0,
        acl: 0,
        security: 0,
        mode: 0,
        state: 0,
        handles: 0,
        name: 0,
        by: 0,
    };

    pub(crate) const fn is(&self, state: u8) -> bool {
        self.state & state != 0
    }

    /// To be deleted in the store, whoever calls.
    pub(crate) const fn is_promised(&self) -> bool {
        self.state & (GONE | TOLD) == GONE | TOLD
    }

    /// The contexts that wrote it, a bit each.
    pub(crate) const fn writers(&self) -> u8 {
        self.by & WRITERS
    }

    /// The contexts that deleted it.
    pub(crate) const fn deleters(&self) -> u8 {
        self.by >> DELETERS
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

    fn bytes(&self) -> [u8; HEAD] {
        let [i0, i1, i2, i3] = self.id.to_le_bytes();
        let [s0, s1, s2, s3] = self.serial.to_le_bytes();
        let [o0, o1, o2, o3] = self.owner.to_le_bytes();
        let [l0, l1, l2, l3] = self.length.to_le_bytes();
        let Self { acl, security, mode, state, handles, name, by, .. } = *self;
        [i0, i1, i2, i3, s0, s1, s2, s3, o0, o1, o2, o3, l0, l1, l2, l3, acl, security, mode, state, handles, name, by]
    }

    fn of_bytes(at: usize, bytes: &[u8; HEAD]) -> Self {
        let word = |from: usize| u32::from_le_bytes([bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]]);
        let [.., acl, security, mode, state, handles, name, by] = *bytes;
        let (id, serial, owner, length) = (word(0), word(4), word(8).cast_signed(), word(12));
        Self { at, id, serial, owner, length, acl, security, mode, state, handles, name, by }
    }
}

/// All records.
pub(crate) struct Arena {
    bytes: &'static mut [u8],
    used: usize,
    /// The number of the next record.
    next: u32,
    /// The record in hand.
    pub(crate) now: Record,
}

impl Arena {
    pub(crate) const fn new(bytes: &'static mut [u8]) -> Self {
        Self { bytes, used: 0, next: 1, now: Record::NONE }
    }

    /// Forgets and wipes everything.
    pub(crate) fn clear(&mut self) {
        self.bytes[..self.used].zeroize();
        self.used = 0;
    }

    /// Takes the record at this place in hand, if there is one.
    #[inline(never)]
    fn take(&mut self, at: usize) -> bool {
        let head = self.bytes.get(at..self.used).and_then(|bytes| bytes.first_chunk());
        let Some(head) = head else { return false };
        self.now = Record::of_bytes(at, head);
        true
    }

    /// Takes the first record in hand, if there is one.
    pub(crate) fn first(&mut self) -> bool {
        self.take(0)
    }

    /// Takes the record behind the one in hand, if there is one.
    pub(crate) fn advance(&mut self) -> bool {
        self.take(self.now.end())
    }

    /// Takes the first record in hand that is such a one.
    #[inline(never)]
    fn find(&mut self, is_it: &dyn Fn(&Self) -> bool) -> bool {
        let mut there = self.first();
        while there && !is_it(self) {
            there = self.advance();
        }
        there
    }

    pub(crate) fn by_id(&mut self, id: u32) -> bool {
        self.find(&|arena| arena.now.id == id)
    }

    pub(crate) fn by_name(&mut self, name: &[u8]) -> bool {
        self.find(&|arena| arena.name() == name)
    }

    /// The name of the record in hand.
    pub(crate) fn name(&self) -> &[u8] {
        self.bytes.get(self.now.at + HEAD..self.now.value_at()).unwrap_or_default()
    }

    /// The name, and what goes into the store: its head, and the value. Nothing of a record that isn't loaded.
    #[inline(never)]
    pub(crate) fn name_and_stored(&mut self) -> (&[u8], &mut [u8]) {
        let name = usize::from(self.now.name);
        let record = self.bytes.get_mut(self.now.at + HEAD..self.now.end()).unwrap_or_default();
        let (name, stored) = record.split_at_mut_checked(name).unwrap_or_default();
        (name, stored)
    }

    /// Bytes of the value from one on, so many; `None`: it has them not.
    #[inline(never)]
    pub(crate) fn value(&mut self, from: u32, length: usize) -> Option<&mut [u8]> {
        let from = (from as usize).checked_add(STORED_HEAD)?;
        self.name_and_stored().1.get_mut(from..from.checked_add(length)?)
    }

    /// Adds the record in hand under this name; it gets a number and, if it is to be loaded, a value of zeros.
    pub(crate) fn insert(&mut self, name: &[u8]) -> Result<(), i32> {
        let length = u8::try_from(name.len()).map_err(|_| OUT_OF_MEMORY)?;
        self.now = Record { at: self.used, id: self.next, name: length, ..self.now };
        let room = self.bytes.get_mut(self.used..self.now.end()).ok_or(OUT_OF_MEMORY)?;
        room.fill(0);
        self.used = self.now.end();
        self.next = self.next.wrapping_add(1);
        self.save();
        let place = self.bytes.get_mut(self.now.at + HEAD..self.now.value_at());
        place.unwrap_or_default().copy_from_slice(name);
        Ok(())
    }

    /// Writes the head of the record in hand again; its value has the same room as before.
    #[inline(never)]
    pub(crate) fn save(&mut self) {
        if let Some(head) = self.bytes.get_mut(self.now.at..).and_then(|bytes| bytes.first_chunk_mut()) {
            *head = self.now.bytes();
        }
    }

    /// The same with another state, and a value of another length: what is new of it is zero. If there is no room the record in
    /// hand is as it was.
    #[inline(never)]
    pub(crate) fn reshape(&mut self, length: u32, state: u8) -> Result<(), i32> {
        let (from, old) = (self.now.end(), self.used);
        let new = Record { length, state, ..self.now };
        let (to, used) = (new.end(), old - from + new.end());
        if used > self.bytes.len() {
            return Err(OUT_OF_MEMORY);
        }
        shift(self.bytes, from..old, to);
        self.used = used;
        if to > from {
            self.bytes[from..to].fill(0);
        } else {
            self.bytes[used..old].zeroize();
        }
        self.now = new;
        self.save();
        Ok(())
    }

    /// Removes the record in hand, and takes the one in hand that stands there now, if there is one.
    #[inline(never)]
    pub(crate) fn remove(&mut self) -> bool {
        let (at, from, end) = (self.now.at, self.now.end(), self.used);
        shift(self.bytes, from..end, at);
        self.used -= from - at;
        self.bytes[self.used..end].zeroize();
        self.take(at)
    }
}

/// Moves bytes to another place of the same room, piece by piece, as no piece may lie over its own new place. What would do it at
/// once, memmove, takes more code than this on a small processor, where nothing else needs it.
#[inline(never)]
fn shift(bytes: &mut [u8], range: Range<usize>, to: usize) {
    let (step, mut left) = (range.start.abs_diff(to), range.len());
    while left > 0 && step > 0 {
        let piece = left.min(step);
        left -= piece;
        let down = to < range.start;
        let low = if down { range.end - left - piece - step } else { range.start + left };
        let Some((front, back)) = bytes.split_at_mut_checked(low + step) else { return };
        let (Some(front), Some(back)) = (front.get_mut(low..low + piece), back.get_mut(..piece)) else { return };
        let (target, source) = if down { (front, back) } else { (back, front) };
        target.copy_from_slice(source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_move_as_with_copy_within() {
        for (start, end) in [(0, 20), (3, 9), (7, 7), (0, 1), (11, 20)] {
            for to in 0..=20 - (end - start) {
                let mut moved: Vec<u8> = (0..20).collect();
                let mut wanted = moved.clone();
                wanted.copy_within(start..end, to);
                shift(&mut moved, start..end, to);
                assert_eq!(moved, wanted, "{start}..{end} to {to}");
            }
        }
    }

    #[test]
    fn records_move_and_keep_what_is_theirs() {
        let mut arena = Arena::new(Vec::leak(vec![0xee; 160]));
        let loaded = Record { state: LOADED | DIRTY, length: 5, handles: 3, owner: -2, ..Record::default() };
        let add = |arena: &mut Arena, record, name: &[u8]| {
            arena.now = record;
            arena.insert(name).map(|()| arena.now.id)
        };
        let a = add(&mut arena, loaded, b"a").unwrap();
        let b = add(&mut arena, Record { length: 9, ..Record::default() }, b"bb").unwrap();
        let c = add(&mut arena, loaded, b"ccc").unwrap();
        arena.value(0, 5).unwrap().copy_from_slice(b"CCCCC");
        assert!(arena.by_id(a));
        arena.value(0, 5).unwrap().copy_from_slice(b"AAAAA");
        assert!(arena.value(1, 5).is_none() && arena.value(u32::MAX, usize::MAX).is_none(), "no other's bytes");
        assert_eq!(add(&mut arena, Record { length: 99, ..loaded }, b"d"), Err(OUT_OF_MEMORY));
        assert!(!arena.by_name(b"d") && arena.by_id(b));
        arena.reshape(9, LOADED).unwrap();
        assert_eq!(arena.value(0, 9).unwrap(), [0; 9]);
        assert_eq!(arena.reshape(200, LOADED), Err(OUT_OF_MEMORY));
        assert_eq!((arena.now.id, arena.now.length), (b, 9), "as it was");
        assert!(arena.by_name(b"ccc"));
        assert_eq!((arena.now.id, &*arena.value(0, 5).unwrap()), (c, &b"CCCCC"[..]));
        assert!(arena.by_id(a));
        arena.reshape(2, LOADED).unwrap();
        assert_eq!(arena.value(0, 2).unwrap(), b"AA");
        assert!(arena.by_id(b) && arena.remove());
        assert_eq!(arena.now.id, c, "what stood behind it is there now");
        assert_eq!((arena.now.owner, arena.now.handles), (-2, 3));
        assert_eq!(arena.value(0, 5).unwrap(), b"CCCCC");
        assert!(arena.first() && arena.advance() && !arena.advance());
        let end = arena.used;
        assert!(arena.bytes[end..].iter().all(|byte| [0, 0xee].contains(byte)), "what is left behind is wiped");
        assert!(!arena.remove() && arena.first() && !arena.advance(), "the last is gone");
        arena.clear();
        assert!(!arena.first());
    }
}
