//! Objects on flash and in the store: headers of blocks, heads of slots, notes, manifests.
//!
//! What is a word or a long number stands in little-endian order, as everywhere.

use super::pins::Pin;
use super::{long, put, put_word, word};

/// Begins the header of each block: `LKOB`.
const MAGIC: u32 = u32::from_le_bytes(*b"LKOB");
/// Fields of a header: magic, hash of the name, identity, sequence number, erases, ordinal.
pub(crate) const FIELDS: usize = FIELDS_LENGTH as usize;
pub(crate) const FIELDS_LENGTH: u32 = 32;
/// The number of a chunk, the low byte of its session, and a mark.
pub(crate) const HEAD: usize = HEAD_LENGTH as usize;
pub(crate) const HEAD_LENGTH: u32 = 4;
/// Most chunks and slots of an object.
pub(crate) const SLOTS_MAX: u32 = 0xffff;
/// Length of an object of which nobody said how long it will be.
pub(crate) const OPEN: u32 = u32::MAX;
/// Which object.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Name {
    /// Of client and name.
    pub(crate) hash: u64,
    pub(crate) id: u64,
}

impl Name {
    /// What a chunk is bound to beside its number and session.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        put(&mut bytes, 0, &self.hash.to_le_bytes());
        put(&mut bytes, 8, &self.id.to_le_bytes());
        bytes
    }
}

/// What the header of a block says, behind the magic number.
#[derive(Clone, Copy)]
pub(crate) struct BlockHeader {
    pub(crate) name: Name,
    pub(crate) sequence: u32,
    pub(crate) erases: u32,
    pub(crate) ordinal: u32,
}

impl BlockHeader {
    /// Writes the fields; what follows them stays.
    pub(crate) fn put_to(self, bytes: &mut [u8]) {
        put_word(bytes, 0, MAGIC);
        put(bytes, 4, &self.name.to_bytes());
        put_words(bytes, 20, [self.sequence, self.erases, self.ordinal]);
    }

    /// `None`: it's no header.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let [sequence, erases, ordinal] = words(bytes, 20);
        let name = Name { hash: long(bytes, 4), id: long(bytes, 12) };
        (word(bytes, 0) == MAGIC).then_some(Self { name, sequence, erases, ordinal })
    }
}

/// How a slot stands to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Of the same session: the one before it is whole.
    Next,
    /// The first of its session; no slot before it was to be written again.
    New,
    /// The first of its session; the last slot before it that could be read, again.
    Copy,
    /// Of the same session, and the one before it did not stick.
    Void,
}

/// Marks of chunks and of tables. Four bits of each are set, so that a mark that is torn is none.
const MARKS: [(u8, bool, Turn); 7] = [
    (0x5a, false, Turn::Next),
    (0x55, false, Turn::New),
    (0x33, false, Turn::Copy),
    (0x66, false, Turn::Void),
    (0x69, true, Turn::Next),
    (0x96, true, Turn::New),
    (0x99, true, Turn::Void),
];

/// What a slot says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Number of the chunk, or of the table.
    pub(crate) index: u32,
    /// Low byte of the session that wrote it.
    pub(crate) low: u8,
    pub(crate) is_table: bool,
    pub(crate) turn: Turn,
}

/// A slot with what it says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) slot: u32,
    pub(crate) index: u32,
    pub(crate) low: u8,
    pub(crate) is_table: bool,
}

impl Head {
    pub(crate) const fn of(index: u32, session: u32, is_table: bool, turn: Turn) -> Self {
        let [low, ..] = session.to_le_bytes();
        Self { index, low, is_table, turn }
    }

    pub(crate) fn to_bytes(self) -> [u8; HEAD] {
        let mark = MARKS.iter().find(|mark| (mark.1, mark.2) == (self.is_table, self.turn)).map_or(0, |mark| mark.0);
        let [a, b, ..] = self.index.to_le_bytes();
        [a, b, self.low, mark]
    }

    pub(crate) fn of_bytes([a, b, low, mark]: [u8; HEAD]) -> Option<Self> {
        let (_, is_table, turn) = *MARKS.iter().find(|known| known.0 == mark)?;
        Some(Self { index: u32::from_le_bytes([a, b, 0, 0]), low, is_table, turn })
    }

    pub(crate) const fn in_slot(self, slot: u32) -> Slot {
        Slot { slot, index: self.index, low: self.low, is_table: self.is_table }
    }
}

impl Slot {
    /// Whether both have the same chunk.
    pub(crate) const fn same(self, other: Self) -> bool {
        self.index == other.index && !self.is_table && !other.is_table
    }
}

/// What the store notes about an unfinished object, before its name.
#[derive(Clone, Copy)]
pub(crate) struct Note {
    pub(crate) id: u64,
    pub(crate) length: u32,
    pub(crate) client: u32,
    /// The newest power session that wrote, and from which slot on.
    pub(crate) session: u32,
    pub(crate) start: u32,
}

/// Bytes of a note, and with the longest name.
pub(crate) const NOTE: usize = 24;
pub(crate) const NOTE_MAX: usize = NOTE + 255;

impl Note {
    pub(crate) fn put_to(self, bytes: &mut [u8]) {
        put(bytes, 0, &self.id.to_le_bytes());
        put_words(bytes, 8, [self.length, self.client, self.session, self.start]);
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let [length, client, session, start] = words(bytes, 8);
        Self { id: long(bytes, 0), length, client, session, start }
    }
}

/// What the store knows of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Bytes of the content.
    pub length: u32,
    /// Its digest, as it was computed when the object was committed.
    pub digest: [u8; 32],
    pub(crate) id: u64,
    /// The block of the last table: a hint.
    pub(crate) last: u32,
    /// The root of the pieces that pin all chunks; it's in the last table.
    pub(crate) root: Pin,
}

/// Bytes of a manifest.
pub(crate) const MANIFEST: usize = 56;

impl Manifest {
    pub(crate) fn to_bytes(self) -> [u8; MANIFEST] {
        let mut bytes = [0; MANIFEST];
        put(&mut bytes, 0, &self.id.to_le_bytes());
        put_words(&mut bytes, 8, [self.length, self.last]);
        put(&mut bytes, 16, &self.root.to_bytes());
        put(&mut bytes, 24, &self.digest);
        bytes
    }

    pub(crate) fn of_bytes(bytes: &[u8; MANIFEST]) -> Self {
        let mut digest = [0; 32];
        put(&mut digest, 0, bytes.get(24..).unwrap_or_default());
        let [length, last] = words(bytes, 8);
        Self { length, digest, id: long(bytes, 0), last, root: Pin::of_bytes(bytes, 16) }
    }
}

fn words<const N: usize>(bytes: &[u8], at: usize) -> [u32; N] {
    core::array::from_fn(|index| word(bytes, at + 4 * index))
}

fn put_words<const N: usize>(bytes: &mut [u8], at: usize, words: [u32; N]) {
    for (index, word) in words.into_iter().enumerate() {
        put_word(bytes, at + 4 * index, word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_read_as_it_was_written() {
        let name = Name { hash: 0x1234, id: 0x0123_4567_89ab_cdef };
        let root = Pin::of(300, 40_000, 0x89ab_cdef);
        let manifest = Manifest { length: 7, digest: [9; 32], id: name.id, last: 5, root };
        assert_eq!(Manifest::of_bytes(&manifest.to_bytes()), manifest);
        let mut bytes = [0; FIELDS];
        BlockHeader { name, sequence: 1, erases: 2, ordinal: 3 }.put_to(&mut bytes);
        let read =
            BlockHeader::of_bytes(&bytes).map(|read| (read.name == name, read.sequence, read.erases, read.ordinal));
        assert_eq!((read, BlockHeader::of_bytes(&[0; FIELDS]).is_none()), (Some((true, 1, 2, 3)), true));
        Note { id: name.id, length: 1, client: 2, session: 3, start: 4 }.put_to(&mut bytes);
        let Note { id, length, client, session, start } = Note::of_bytes(&bytes);
        assert_eq!((id, length, client, session, start), (name.id, 1, 2, 3, 4));
    }

    #[test]
    fn no_part_of_a_mark_is_another() {
        for (mark, is_table, turn) in MARKS {
            let head = Head::of(500, 300, is_table, turn);
            assert_eq!(Head::of_bytes(head.to_bytes()), Some(head));
            assert_eq!((mark.count_ones(), head.low), (4, 44));
        }
        assert_eq!(Head::of_bytes([0xff; HEAD]), None);
        assert_eq!(Head::of_bytes([0; HEAD]), None);
    }
}
