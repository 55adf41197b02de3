//! Inspect: what a store looks like from inside.
//!
//! ```text
//! with the key      Store::look      ─> SegmentView, and a Sight for each record: verified, live or dead
//! without the key   ClearHeader,     ─> what stands in the clear: nobody vouches for it, but it says a lot
//!                   ClearRecord
//! ```
//!
//! For tools and tests: nothing of it is needed to use a store, and the linker leaves it out of firmware that doesn't
//! ask. Parsers here take any bytes and never panic. Tested by `lockstone inspect` on thousands of mutated images.

use crate::format::header::{
    ERASES, FIXED, FLAGS, ID, Image, MAGIC, MAGIC_MASK, OLDEST, PREVIOUS, PREVIOUS_END, SEGMENT, SEQUENCE,
};
use crate::format::record::{
    ATTRIBUTES, CLIENT, FIRST, HEAD, Kind, LONG, MARK_CLOSE, MARK_COMMIT, MARK_COUNTED, MARK_INTENT, MARK_LIST,
    MARK_OPEN, MARK_RESERVE, MORE, RESUME, SIGNPOST, Shape,
};
use crate::format::word;
use crate::layout::Position;
use crate::trust::NoCounter;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordKind {
    /// A key and its value, or the first part of it.
    Entry,
    /// A further part of a value.
    Chunk,
    /// Says that a key or a part of a value is gone.
    Tombstone,
    /// An entry of the store's own: it retires a segment.
    Retirement,
    /// An entry of the store's own: how often a roll-back was accepted.
    Rollbacks,
    /// An entry of the store's own: a factory reset is under way.
    Resetting,
    /// An entry of the store's own: who shares a key.
    Grant,
    /// What a factory reset brings back.
    FactoryCopy,
    /// Written first in a power session.
    Opening,
    /// Written last in a power session that ended in order.
    Closing,
    /// Ends a transaction.
    Commit,
    /// Opens an epoch of counted commits.
    Intent,
    /// Ends a commit that is bound to the counter.
    Counted,
    /// Mark that says where old heads are.
    List,
    /// Mark that says that its segment is one of the reserve.
    Reserve,
    /// Some mark: which one is encrypted.
    Mark,
}

impl RecordKind {
    /// What an entry is that is no key of a client.
    pub(crate) const fn of_entry(name: &[u8], copy: bool) -> Self {
        match name {
            _ if copy => Self::FactoryCopy,
            [b'g', ..] => Self::Grant,
            b"resetting" => Self::Resetting,
            _ => Self::Rollbacks,
        }
    }

    /// One word for people and machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Chunk => "chunk",
            Self::Tombstone => "tombstone",
            Self::Retirement => "retirement",
            Self::Rollbacks => "rollbacks",
            Self::Resetting => "resetting",
            Self::Grant => "grant",
            Self::FactoryCopy => "factory copy",
            Self::Opening => "opening",
            Self::Closing => "closing",
            Self::Commit => "commit",
            Self::Intent => "intent",
            Self::Counted => "counted",
            Self::List => "list",
            Self::Reserve => "reserve",
            Self::Mark => "mark",
        }
    }

    pub(crate) fn of_mark(name: &[u8]) -> Self {
        match name {
            [MARK_OPEN] => Self::Opening,
            [MARK_CLOSE] => Self::Closing,
            [MARK_COMMIT] => Self::Commit,
            [MARK_INTENT] => Self::Intent,
            [MARK_COUNTED] => Self::Counted,
            [MARK_LIST] => Self::List,
            [MARK_RESERVE] => Self::Reserve,
            _ => Self::Mark,
        }
    }

    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Entry => Self::Entry,
            Kind::Chunk => Self::Chunk,
            Kind::Tombstone => Self::Tombstone,
            Kind::Mark => Self::Mark,
        }
    }
}

/// Whether the index still needs a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// The index leads to it.
    Live,
    /// A later record took its place, or the run that it belongs to never ended.
    Dead,
    /// It's a mark: it counts where it stands and is in no index.
    Mark,
    /// The way to it is damaged or in doubt.
    Unknown,
}

/// A verified record, as [`Store::look`](crate::Store::look) shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// Where it is.
    pub at: Position,
    /// Bytes on flash, padding included.
    pub length: u32,
    /// What it is.
    pub kind: RecordKind,
    /// Whether the index needs it.
    pub liveness: Liveness,
    /// Of an entry the name of the key; of others, bytes of the format.
    pub name: &'a [u8],
    /// Whose key.
    pub client: u32,
    /// Bytes of the whole value (entry) or of this part (chunk).
    pub value_bytes: u32,
    /// The counter's value that an intent or a counted commit states.
    pub counter: Option<u32>,
    /// Pointers that it carries.
    pub pointers: u32,
    /// It begins a run.
    pub first: bool,
    /// Its run goes on behind it.
    pub more: bool,
    /// It closes a hole that begins at this offset.
    pub hole: Option<u32>,
    /// So many records before it (one or two) lie in that hole and don't count.
    pub undone: u32,
}

/// What a look at a segment meets, in the order of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight<'a> {
    /// A good record.
    Record(RecordView<'a>),
    /// Something unreadable that had been written and counted.
    Damaged(Position),
}

/// What a segment is to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// Erased, as far as its header shows.
    Blank,
    /// Holds a part of the log that is not needed any more.
    Freed,
    /// Was being opened when power went: a header with nothing behind it, which does not count.
    Begun,
    /// Holds log.
    Log,
    /// Holds log, and its header can't be read.
    HeaderLost,
    /// Retired: it failed once and is not used any more.
    Retired,
    /// A good header that belongs elsewhere: somebody moved it.
    Misplaced,
    /// Something else.
    Unknown,
}

impl SegmentState {
    /// One word for people and machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Freed => "freed",
            Self::Begun => "begun",
            Self::Log => "log",
            Self::HeaderLost => "header-lost",
            Self::Retired => "retired",
            Self::Misplaced => "misplaced",
            Self::Unknown => "unknown",
        }
    }
}

/// A segment as the store sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentView {
    /// Which one on the part.
    pub physical: u32,
    /// What it is.
    pub state: SegmentState,
    /// Sequence number that its place has, or had last.
    pub sequence: Option<u32>,
    /// Erases, if its header can be read.
    pub erases: Option<u32>,
    /// Bytes of its header.
    pub header_bytes: u32,
    /// Where what was looked at ends, in bytes from its start.
    pub end: u32,
    /// Records whose signpost does not fit: each costs reads, and hides nothing.
    pub signposts_broken: u32,
}

/// Where the first write after a mount will go, and why there. See docs/spec/format.md, "Recovery".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingResume {
    /// What counts ends here.
    pub hole_start: Position,
    /// The resume record goes here: beyond all that a cut can have touched.
    pub place: Position,
    /// The last record is written again, as it may be marginal; else an opening mark is.
    pub copies_last: bool,
    /// Even a read waits for it.
    pub before_reads: bool,
}

/// What binds a store to its counter: the newest record of it that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The counter's value that it states.
    pub value: u32,
    /// It is an intent: the counter stood at this value when it was written. Else it is a counted commit: the counter
    /// stands at this value once it is acknowledged.
    pub is_intent: bool,
}

/// A segment header as it stands in the clear. Nobody vouches for a word of it: that takes the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClearHeader {
    /// Format version. Fields below `store_id` are those of version 1.
    pub version: u8,
    /// Suite number: 0 plain, 1 ascon, 2 aes.
    pub suite: u8,
    /// Identity of the store.
    pub store_id: [u8; 8],
    /// Program unit in bytes.
    pub unit: u32,
    /// What erased bytes read.
    pub erased: u8,
    /// Bucket heads.
    pub heads: u16,
    /// Number of this life of the segment.
    pub sequence: u32,
    /// Sequence number of the segment before it.
    pub previous: u32,
    /// The oldest segment that the log needs.
    pub oldest: u32,
    /// Erases of this segment.
    pub erases: u32,
    /// Bytes of a segment.
    pub segment: u32,
    /// Keys stored when it was written.
    pub keys: u32,
    /// Segments retired as bad.
    pub retired: u32,
    /// Where what counts in the previous segment ends.
    pub previous_end: u32,
}

/// Bytes of the fields of a header, before its tag.
pub const HEADER_FIELDS: usize = FIXED;

impl ClearHeader {
    /// Reads what looks like a header; `None` when it doesn't begin like one or its sizes make no sense.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_FIELDS] = bytes.first_chunk()?;
        let [_, _, _, version, suite, sizes, low, high] = *bytes.first_chunk()?;
        let mut image = Image::EMPTY;
        image.read(0, bytes);
        let counts = image.counts();
        let keys = counts.keys();
        let header = Self {
            version,
            suite,
            store_id: *bytes.get(ID..)?.first_chunk()?,
            unit: 1_u32.checked_shl(u32::from(sizes & 0x1f))?,
            erased: if sizes & 0x80 == 0 { 0 } else { 0xff },
            heads: u16::from_le_bytes([low, high]),
            sequence: word(bytes, SEQUENCE),
            previous: word(bytes, PREVIOUS),
            oldest: word(bytes, OLDEST),
            erases: word(bytes, ERASES),
            segment: word(bytes, SEGMENT),
            keys,
            retired: counts.bad(),
            previous_end: word(bytes, PREVIOUS_END) & !FLAGS,
        };
        let sizes_fit = (4..=512).contains(&header.unit)
            && (2048..=1 << 24).contains(&header.segment)
            && header.segment.is_multiple_of(header.unit);
        (word(bytes, 0) & MAGIC_MASK == MAGIC & MAGIC_MASK && sizes_fit).then_some(header)
    }

    /// Bytes of the whole header on flash.
    #[must_use]
    pub fn length(&self) -> Option<u32> {
        let fields = u32::try_from(HEADER_FIELDS).ok()?;
        Some((fields + suite_sizes(self.suite)?.tag).next_multiple_of(self.unit))
    }
}

/// The head of a record as it stands in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClearRecord {
    /// What it is; which mark is encrypted.
    pub kind: RecordKind,
    /// Bytes on flash, padding included.
    pub length: u32,
    /// Bytes of the name.
    pub name_bytes: u32,
    /// Bytes of the value in this record.
    pub value_bytes: u32,
    /// It begins a run.
    pub first: bool,
    /// Its run goes on behind it.
    pub more: bool,
    /// It closes a hole.
    pub resumes: bool,
    /// It has a client other than 0.
    pub has_client: bool,
    /// Its value goes on in chunks.
    pub is_long: bool,
}

impl ClearRecord {
    /// Reads what looks like the head of a record of this suite on a part with this unit.
    #[must_use]
    pub fn parse(bytes: &[u8], suite: u8, unit: u32) -> Option<Self> {
        let shape = sound(*bytes.first_chunk::<HEAD>()?)?;
        let sizes = suite_sizes(suite)?;
        let number = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        let fields = [RESUME, CLIENT, ATTRIBUTES, LONG].iter().filter(|flag| shape.has(**flag)).count();
        let length = 4
            + sizes.link
            + number(shape.pointers::<NoCounter>()) * (4 + sizes.check)
            + if shape.has_signpost::<NoCounter>() { number(SIGNPOST) } else { 0 }
            + sizes.tag
            + 4 * number(fields)
            + number(shape.name() + shape.inline());
        Some(Self {
            kind: RecordKind::of(shape.kind()),
            length: length.checked_next_multiple_of(unit)?,
            name_bytes: number(shape.name()),
            value_bytes: number(shape.inline()),
            first: shape.has(FIRST),
            more: shape.has(MORE),
            resumes: shape.has(RESUME),
            has_client: shape.has(CLIENT),
            is_long: shape.has(LONG),
        })
    }
}

/// The head of a record, if it is a sound one.
fn sound(head: [u8; HEAD]) -> Option<Shape> {
    let shape = Shape::of_head(u32::from_le_bytes(head));
    shape.is_sound().then_some(shape)
}

/// Sizes of a suite's parts in bytes.
struct SuiteSizes {
    tag: u32,
    link: u32,
    check: u32,
}

const fn suite_sizes(suite: u8) -> Option<SuiteSizes> {
    match suite {
        0 => Some(SuiteSizes { tag: 4, link: 0, check: 2 }),
        1 | 2 => Some(SuiteSizes { tag: 16, link: 4, check: 4 }),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "sizes of a few bytes")]
mod tests {
    use super::*;

    #[cfg(all(feature = "aes", feature = "ascon", feature = "plain"))]
    #[test]
    fn suites_have_the_sizes_that_they_say() {
        fn check<S: crate::seal::Suite>() {
            let sizes = suite_sizes(S::ID).unwrap();
            assert_eq!((sizes.tag, sizes.link, sizes.check), (S::TAG as u32, S::LINK as u32, S::CHECK as u32));
            for head in [
                [0x04, 3, 60, 0x18],
                [0x04, 3, 60, 0xd8],
                [0xb4, 255, 255, 0xff],
                [0x44, 1, 0, 0],
                [0xf4, 9, 9, 0],
                [0x05, 12, 1, 0],
            ] {
                let shape = sound(head).unwrap();
                let clear = ClearRecord::parse(&head, S::ID, 4).unwrap();
                assert_eq!(clear.length, (shape.length::<S, NoCounter>() as u32).next_multiple_of(4));
            }
        }
        check::<crate::Plain>();
        check::<crate::Ascon>();
        check::<crate::Aes>();
    }

    #[test]
    fn whatever_the_bytes_a_parser_ends() {
        let mut bytes = [0; HEADER_FIELDS];
        for seed in 0..=u8::MAX {
            bytes.iter_mut().enumerate().for_each(|(index, byte)| *byte = (index as u8).wrapping_mul(seed) ^ seed);
            bytes[..3].copy_from_slice(b"LKS");
            if let Some(header) = ClearHeader::parse(&bytes) {
                assert!(header.segment >= 2048 && header.unit >= 4);
            }
            let _ = ClearRecord::parse(&bytes[3..], seed % 3, 4);
        }
        assert_eq!(ClearHeader::parse(&[0xff; 72]), None);
        assert_eq!(ClearHeader::parse(b"LKS"), None);
    }
}
