//! One record: a sealed message of the log.
//!
//! ```text
//!  0      1        2 ................. 4       8 (sealed suites only)
//! | kind | name   | inline 10 | ptrs 5 | link  | pointers ... | (signpost) | tag | text ............... | pad |
//! | flags| length | CLEAR 1   | bits   |       | 4 + check    |            |     | fields, name, inline |     |
//!  <------------- associated data ---------------------------->                    <--- encrypted ------>
//! ```
//!
//! - `kind`: entry, chunk, tombstone or mark; `flags`: FIRST and MORE frame a run (an atomic group of records), RESUME
//!   says that the record closes a hole, LONG that the value goes on in chunks.
//! - `link`: first bytes of the tag before this record in the log, so that a segment can't be spliced.
//! - `fields`, 4 bytes each, there only with their flags and in their order: hole start (RESUME), client (CLIENT),
//!   attributes (ATTRIBUTES), whole length of the value (LONG).
//! - name: of an entry its name; of a chunk its owner's hash (8) and index (4); of a tombstone the hash (8) of what is
//!   gone; of a mark one byte, [`MARK_OPEN`] and the others.
//! - the tag is the commit mark: there is no second write.
//! - a record of a standard store with three to nine pointers has a *signpost* before its tag: 4 bytes of a keyed hash over what
//!   comes before it and how the tag begins. Who only goes by reads no further.
//!
//! Invariant: a [`Shape`] that parsed says its own length, and that length is what the writer wrote.

use super::pointer::pointer_length;
use crate::layout::POINTERS_MAX;
use crate::seal::Suite;
use crate::trust::MonotonicCounter;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name and its value, or the first part of it.
    Entry,
    /// A further part of a value.
    Chunk,
    /// Says that an entry or chunk is gone.
    Tombstone,
    /// Not in the index: opens, closes, commits.
    Mark,
}

/// Written first after a mount when there is no record to write again.
pub(crate) const MARK_OPEN: u8 = 1;
/// Written last before power goes in an orderly way; carries a checkpoint.
pub(crate) const MARK_CLOSE: u8 = 2;
/// Ends the run of a transaction.
pub(crate) const MARK_COMMIT: u8 = 3;
/// Opens an epoch of counted commits; carries the counter's value.
pub(crate) const MARK_INTENT: u8 = 4;
/// Ends the run of a counted commit; carries the value that the counter has when it is acknowledged.
pub(crate) const MARK_COUNTED: u8 = 5;
/// Lists old heads.
pub(crate) const MARK_LIST: u8 = 6;
/// First in a segment of the reserve: nothing in it counts before a mark frees a segment from the stated one on.
pub(crate) const MARK_RESERVE: u8 = 7;

/// A flag of the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flag(u32);

/// Begins a run.
pub(crate) const FIRST: Flag = Flag(1 << 2);
/// The run goes on.
pub(crate) const MORE: Flag = Flag(1 << 3);
/// Closes a hole; has the field "hole start".
pub(crate) const RESUME: Flag = Flag(1 << 4);
/// Has the field "client".
pub(crate) const CLIENT: Flag = Flag(1 << 5);
/// Has the field "attributes".
pub(crate) const ATTRIBUTES: Flag = Flag(1 << 6);
/// The value goes on in chunks; has the field "whole length".
pub(crate) const LONG: Flag = Flag(1 << 7);
/// The text stands in the clear, authenticated.
pub(crate) const CLEAR: Flag = Flag(1 << 26);

const NAME: u32 = 0xff << 8;
const INLINE: u32 = 0x3ff << 16;
const POINTERS: u32 = 0x1f << 27;
/// Fewest pointers of a record that has a signpost: with less there is little to pass by.
const POINTERS_MIN: usize = 3;
/// What the number of pointers is raised by where there is a signpost, so that it's more than there can be without.
const SIGNPOSTED: usize = POINTERS_MAX + 1 - POINTERS_MIN;

/// Bytes of a signpost.
pub(crate) const SIGNPOST: usize = 4;

/// Bytes of the head, before the link.
pub(crate) const HEAD: usize = 4;

/// The head of a record: 2 bits of kind, 6 flags, 8 bits of name length, 10 of inline length, the flag CLEAR,
/// 5 of pointer count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape(u32);

impl Shape {
    pub(crate) const TOMBSTONE: Self = Self::single(Kind::Tombstone, 8, 0);

    /// A record that is a run of its own. `name` below 256, `inline` below 1,024.
    pub(crate) const fn single(kind: Kind, name: usize, inline: usize) -> Self {
        debug_assert!(name < 256 && inline < 1024, "no record is as long as that");
        #[expect(clippy::cast_possible_truncation, reason = "masked")]
        let lengths = (name as u32) << 8 & NAME | (inline as u32) << 16 & INLINE;
        Self(kind as u32 | FIRST.0 | lengths)
    }

    /// The same with a flag set or cleared.
    pub(crate) const fn with(self, flag: Flag, set: bool) -> Self {
        Self(if set { self.0 | flag.0 } else { self.0 & !flag.0 })
    }

    /// The same with so many pointers, and a signpost if that pays; small stores write none.
    pub(crate) const fn with_pointers<C: MonotonicCounter>(self, pointers: usize) -> Self {
        let has = !C::SMALL && pointers >= POINTERS_MIN && pointers + SIGNPOSTED < 32;
        let raised = if has { pointers + SIGNPOSTED } else { pointers };
        #[expect(clippy::cast_possible_truncation, reason = "at most 31")]
        let count = (raised as u32) << 27;
        Self(self.0 & !POINTERS | count)
    }

    /// Whether its pointers can be believed without the rest of it.
    pub(crate) const fn has_signpost<C: MonotonicCounter>(self) -> bool {
        !C::SMALL && (self.0 >> 27) as usize > POINTERS_MAX
    }

    pub(crate) const fn has(self, flag: Flag) -> bool {
        self.0 & flag.0 != 0
    }

    pub(crate) const fn kind(self) -> Kind {
        match self.0 & 3 {
            0 => Kind::Entry,
            1 => Kind::Chunk,
            2 => Kind::Tombstone,
            _ => Kind::Mark,
        }
    }

    /// Bytes of the name.
    pub(crate) const fn name(self) -> usize {
        (self.0 >> 8 & 0xff) as usize
    }

    /// Bytes of the value that are in the record.
    pub(crate) const fn inline(self) -> usize {
        (self.0 >> 16 & 0x3ff) as usize
    }

    /// Number of pointers.
    pub(crate) const fn pointers<C: MonotonicCounter>(self) -> usize {
        let raised = (self.0 >> 27) as usize;
        if self.has_signpost::<C>() { raised - SIGNPOSTED } else { raised }
    }

    /// Whatever stands at the beginning of a record: not to be believed before it [is sound](Self::is_sound).
    pub(crate) const fn of_head(head: u32) -> Self {
        Self(head)
    }

    /// Each kind has names of its own length, and only entries have fields of their own.
    pub(crate) const fn is_sound(self) -> bool {
        const OWN: u32 = CLIENT.0 | ATTRIBUTES.0 | LONG.0 | NAME;
        match self.kind() {
            Kind::Entry => self.name() > 0,
            Kind::Chunk => self.0 & OWN == 12 << 8,
            Kind::Tombstone => self.0 & (OWN | INLINE | CLEAR.0) == 8 << 8,
            Kind::Mark => self.0 & (OWN | POINTERS) == 1 << 8,
        }
    }

    /// Whether a record with text in the clear can begin so. Strict: a head that was cut, and reads differently each time,
    /// must not seem one now and none another time.
    pub(crate) const fn is_clear(self) -> bool {
        let kind = matches!(self.kind(), Kind::Chunk) || matches!(self.kind(), Kind::Entry) && self.has(ATTRIBUTES);
        kind && self.has(CLEAR) && self.is_sound()
    }

    /// As it stands at the beginning of the record.
    pub(crate) const fn head(self) -> u32 {
        self.0
    }

    /// Bytes from the start to the end of the pointers: what is authenticated in the clear.
    pub(crate) fn associated<S: Suite, C: MonotonicCounter>(self) -> usize {
        HEAD + S::LINK + self.pointers::<C>() * pointer_length::<S>()
    }

    /// Bytes from the start to the tag.
    pub(crate) fn tag_at<S: Suite, C: MonotonicCounter>(self) -> usize {
        self.associated::<S, C>() + if self.has_signpost::<C>() { SIGNPOST } else { 0 }
    }

    /// Bytes from the start to the end of what a signpost covers: how the tag begins.
    pub(crate) fn signposted<S: Suite, C: MonotonicCounter>(self) -> usize {
        self.tag_at::<S, C>() + 4
    }

    /// Where the field of a flag is, if there is one: behind those of the lower flags.
    pub(crate) fn field_at<S: Suite, C: MonotonicCounter>(self, flag: Flag) -> usize {
        let before = Self(self.0 & (flag.0 - 1));
        let bit = |flag: Flag| usize::from(before.has(flag));
        let fields = bit(RESUME) + bit(CLIENT) + bit(ATTRIBUTES) + bit(LONG);
        self.tag_at::<S, C>() + S::TAG + 4 * fields
    }

    /// Bytes from the start to the first byte of the name.
    #[inline(always)]
    pub(crate) fn name_at<S: Suite, C: MonotonicCounter>(self) -> usize {
        self.field_at::<S, C>(Flag(1 << 8))
    }

    /// All bytes but the padding.
    pub(crate) fn length<S: Suite, C: MonotonicCounter>(self) -> usize {
        self.name_at::<S, C>() + self.name() + self.inline()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::{NoCounter, Small};

    #[test]
    fn blank_flash_is_no_record() {
        assert!(!Shape::of_head(0).is_sound());
        assert!(!Shape::of_head(u32::MAX).is_sound());
    }

    #[test]
    fn three_to_nine_pointers_have_a_signpost_but_in_a_small_store() {
        use crate::seal::Plain;
        fn check<C: MonotonicCounter>(pointers: usize, has: bool) {
            let shape = Shape::single(Kind::Entry, 3, 5).with_pointers::<C>(pointers);
            assert_eq!((shape.pointers::<C>(), shape.has_signpost::<C>()), (pointers, has));
            let between = shape.tag_at::<Plain, C>() - shape.associated::<Plain, C>();
            assert_eq!(between, if has { SIGNPOST } else { 0 });
            assert_eq!(shape.with_pointers::<C>(0), Shape::single(Kind::Entry, 3, 5));
        }
        for pointers in 0..=POINTERS_MAX {
            check::<NoCounter>(pointers, (3..=9).contains(&pointers));
            check::<Small>(pointers, false);
        }
    }

    #[test]
    fn fields_stand_one_behind_the_other() {
        let shape = Shape::single(Kind::Entry, 3, 5).with(RESUME, true).with(LONG, true).with(ATTRIBUTES, true);
        let from = shape.associated::<crate::seal::Plain, NoCounter>() + crate::seal::Plain::TAG;
        assert_eq!(shape.field_at::<crate::seal::Plain, NoCounter>(RESUME), from);
        assert_eq!(shape.field_at::<crate::seal::Plain, NoCounter>(ATTRIBUTES), from + 4);
        assert_eq!(shape.field_at::<crate::seal::Plain, NoCounter>(LONG), from + 8);
        assert_eq!(shape.name_at::<crate::seal::Plain, NoCounter>(), from + 12);
        assert_eq!(shape.length::<crate::seal::Plain, NoCounter>(), from + 20);
    }
}
