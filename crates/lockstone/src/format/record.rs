//! One record: a sealed message of the log.
//!
//! ```text
//!  0      1        2 ................. 4       8 (sealed suites only)
//! | kind | name   | inline 11 | ptrs 5 | link  | pointers ... | tag | text ................. | pad |
//! | flags| length | bits      | bits   |       | 4 + check    |     | fields, name, inline   |     |
//!  <------------- associated data -----------------------------------> <---- encrypted ------->
//! ```
//!
//! - `kind`: entry, chunk, tombstone or mark; `flags`: FIRST and MORE frame a run (an atomic group of records), RESUME
//!   says that the record closes a hole, LONG that the value goes on in chunks.
//! - `link`: first bytes of the tag before this record in the log, so that a segment can't be spliced.
//! - `fields`, each there only with its flag and in this order: hole start (RESUME, 4 bytes), client (CLIENT, 4),
//!   attributes (ATTRIBUTES, 1, reserved), whole length of the value (LONG, 4).
//! - name: of an entry its name; of a chunk its owner's hash (8) and index (4); of a tombstone the hash (8) of what is
//!   gone; of a mark one byte, [`MARK_OPEN`], [`MARK_CLOSE`] or [`MARK_COMMIT`].
//! - the tag is the commit mark: there is no second write.
//!
//! Invariant: a [`Shape`] that parsed says its own length, and that length is what the writer wrote.

use super::pointer::pointer_length;
use crate::seal::Suite;

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

const FIRST: u8 = 1 << 2;
const MORE: u8 = 1 << 3;
const RESUME: u8 = 1 << 4;
const CLIENT: u8 = 1 << 5;
const ATTRIBUTES: u8 = 1 << 6;
const LONG: u8 = 1 << 7;

/// Bytes of the head, before the link.
pub(crate) const HEAD: usize = 4;
/// Most inline bytes that the head can say.
const INLINE_MAX: u16 = (1 << 11) - 1;

/// The head of a record, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    /// Begins a run.
    pub(crate) first: bool,
    /// The run goes on.
    pub(crate) more: bool,
    /// Closes a hole; has the field "hole start".
    pub(crate) resume: bool,
    /// Has the field "client".
    pub(crate) client: bool,
    /// Has the field "attributes".
    pub(crate) attributes: bool,
    /// The value goes on in chunks; has the field "whole length".
    pub(crate) long: bool,
    pub(crate) name: u8,
    pub(crate) inline: u16,
    pub(crate) pointers: u8,
}

impl Shape {
    /// A record that is a run of its own.
    pub(crate) const fn single(kind: Kind, name: u8, inline: u16) -> Self {
        Self {
            kind,
            first: true,
            more: false,
            resume: false,
            client: false,
            attributes: false,
            long: false,
            name,
            inline,
            pointers: 0,
        }
    }

    pub(crate) fn parse(head: [u8; HEAD]) -> Option<Self> {
        let [flags, name, low, high] = head;
        let kind = match flags & 3 {
            0 => Kind::Entry,
            1 => Kind::Chunk,
            2 => Kind::Tombstone,
            _ => Kind::Mark,
        };
        let shape = Self {
            kind,
            first: flags & FIRST != 0,
            more: flags & MORE != 0,
            resume: flags & RESUME != 0,
            client: flags & CLIENT != 0,
            attributes: flags & ATTRIBUTES != 0,
            long: flags & LONG != 0,
            name,
            inline: u16::from_le_bytes([low, high & 7]),
            pointers: high >> 3,
        };
        shape.is_sound().then_some(shape)
    }

    /// Each kind has names of its own length, and only entries have fields of their own.
    fn is_sound(&self) -> bool {
        let plain = !self.client && !self.attributes && !self.long;
        match self.kind {
            Kind::Entry => self.name > 0,
            Kind::Chunk => self.name == 12 && plain,
            Kind::Tombstone => self.name == 8 && plain && self.inline == 0,
            Kind::Mark => self.name == 1 && plain && self.pointers == 0,
        }
    }

    pub(crate) fn head(&self) -> [u8; HEAD] {
        let kind = match self.kind {
            Kind::Entry => 0,
            Kind::Chunk => 1,
            Kind::Tombstone => 2,
            Kind::Mark => 3,
        };
        let flags = [
            (self.first, FIRST),
            (self.more, MORE),
            (self.resume, RESUME),
            (self.client, CLIENT),
            (self.attributes, ATTRIBUTES),
            (self.long, LONG),
        ];
        let flags = flags.into_iter().filter(|(set, _)| *set).fold(kind, |sum, (_, bit)| sum | bit);
        let [low, high] = self.inline.min(INLINE_MAX).to_le_bytes();
        [flags, self.name, low, high | self.pointers << 3]
    }

    /// Bytes from the start to the tag.
    pub(crate) fn associated<S: Suite>(&self) -> usize {
        HEAD + S::LINK + usize::from(self.pointers) * pointer_length::<S>()
    }

    /// Bytes of the optional fields.
    pub(crate) fn fields(&self) -> usize {
        4 * usize::from(self.resume)
            + 4 * usize::from(self.client)
            + usize::from(self.attributes)
            + 4 * usize::from(self.long)
    }

    /// Bytes from the start to the first byte of the name.
    pub(crate) fn name_at<S: Suite>(&self) -> usize {
        self.associated::<S>() + S::TAG + self.fields()
    }

    /// All bytes but the padding.
    pub(crate) fn length<S: Suite>(&self) -> usize {
        self.name_at::<S>() + usize::from(self.name) + usize::from(self.inline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_head_that_parses_writes_itself() {
        for flags in 0..=255 {
            for (name, low, high) in [(0, 0, 0), (1, 1, 0), (8, 0, 0xf8), (12, 255, 7), (255, 17, 0x91)] {
                let head = [flags, name, low, high];
                if let Some(shape) = Shape::parse(head) {
                    assert_eq!(shape.head(), head);
                }
            }
        }
    }

    #[test]
    fn blank_flash_is_no_record() {
        assert_eq!(Shape::parse([0; 4]), None);
        assert_eq!(Shape::parse([0xff; 4]), None);
    }
}
