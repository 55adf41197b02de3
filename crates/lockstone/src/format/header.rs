//! The header of a segment: proves that the segment was erased for this life, and states what came before it.
//!
//! ```text
//!  0 magic "LKS" | 3 version | 4 suite | 5 log2(unit) and erased value (bit 7) | 6 heads (u16)
//!  8 store id (8 bytes)
//! 16 sequence | 20 previous sequence | 24 oldest live sequence | 28 erase count | 32 segment length
//! 36 live bytes | 40 entries (keys and chunks) | 44 keys | 48 tombstones | 52 retired blocks
//! 56 end of the previous segment, bit 31: written in the middle of a run, the counts are those before the run
//! 60 digest of all heads (8 bytes; zero: none, in the middle of a run or of settling)
//! 68 how the tag of the last record of the previous segment begins (4 bytes)
//! 72 tag of this header
//! ```
//!
//! All numbers little-endian. Nothing here is secret; everything is covered by the tag. The magic, version, suite and
//! store id stand in the clear at fixed places for ever, so that any release can say what it looks at.

use super::{FORMAT_VERSION, Reader, Writer};
use crate::layout::{Layout, Position};
use crate::seal::{Domain, StoreId, Suite};

/// How every header begins.
pub(crate) const MAGIC: [u8; 3] = *b"LKS";
const FIXED: usize = 72;
/// The digest of a header that was written when the heads were not those that a replay finds.
pub(crate) const NO_DIGEST: u64 = 0;
const IN_RUN: u32 = 1 << 31;

/// What is counted about the index, as of the last whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Bytes of all records in the index, without their pointers.
    pub(crate) live: u32,
    /// Entries and chunks.
    pub(crate) entries: u32,
    /// Entries alone.
    pub(crate) keys: u32,
    /// Tombstones that the index still holds.
    pub(crate) tombstones: u32,
    /// Segments retired as bad.
    pub(crate) bad: u32,
}

/// What anybody can read of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preamble {
    pub(crate) version: u8,
    pub(crate) suite: u8,
    pub(crate) id: StoreId,
}

impl Preamble {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.array()? != MAGIC {
            return None;
        }
        let [version, suite, _, _, _] = reader.array()?;
        Some(Self { version, suite, id: reader.array()? })
    }
}

/// A header, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: StoreId,
    pub(crate) heads: u16,
    pub(crate) sequence: u32,
    pub(crate) previous: u32,
    pub(crate) oldest: u32,
    pub(crate) erases: u32,
    pub(crate) counts: Counts,
    pub(crate) previous_end: u32,
    pub(crate) in_run: bool,
    pub(crate) digest: u64,
    /// How the tag of the last record of the previous segment begins.
    pub(crate) previous_link: u32,
}

/// Bytes of a header on flash, padded.
pub(crate) const fn header_length<S: Suite>(layout: &Layout) -> u32 {
    #[expect(clippy::cast_possible_truncation)]
    layout.padded((FIXED + S::TAG) as u32)
}

impl Header {
    /// Writes and seals the header; `erased` fills the padding. Returns how its tag begins, or `None` when it did not fit.
    pub(crate) fn write<S: Suite>(&self, suite: &S, layout: &Layout, erased: u8, buffer: &mut [u8]) -> Option<u32> {
        buffer.fill(erased);
        let mut writer = Writer::new(buffer);
        let unit = u8::try_from(layout.unit.ilog2()).ok()?;
        writer.put(&MAGIC);
        writer.put(&[FORMAT_VERSION, S::ID, unit | erased & 0x80]);
        writer.put(&self.heads.to_le_bytes());
        writer.put(&self.id);
        let run = if self.in_run { IN_RUN } else { 0 };
        for word in [
            self.sequence,
            self.previous,
            self.oldest,
            self.erases,
            layout.segment,
            self.counts.live,
            self.counts.entries,
            self.counts.keys,
            self.counts.tombstones,
            self.counts.bad,
            self.previous_end | run,
        ] {
            writer.put(&word.to_le_bytes());
        }
        writer.put(&self.digest.to_le_bytes());
        writer.put(&self.previous_link.to_le_bytes());
        let (fields, rest) = buffer.split_at_mut_checked(FIXED)?;
        let tag = suite.seal(Domain::Header, Position::new(self.sequence, 0), fields, &mut []);
        rest.get_mut(..S::TAG)?.copy_from_slice(tag.get(..S::TAG)?);
        Some(link_of(&tag))
    }

    /// Unpacks a header and checks that this layout, this erased value and this suite wrote it.
    pub(crate) fn parse<S: Suite>(layout: &Layout, erased: u8, bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let preamble = Preamble::parse(bytes)?;
        let _ = reader.take(5)?;
        let unit = reader.array::<1>()?;
        let known = preamble.version == FORMAT_VERSION
            && preamble.suite == S::ID
            && u32::from(unit[0]) == layout.unit.ilog2() | u32::from(erased & 0x80);
        let heads = reader.u16()?;
        let id = reader.array()?;
        let mut words = [0; 11];
        for word in &mut words {
            *word = reader.u32()?;
        }
        let [sequence, previous, oldest, erases, segment, live, entries, keys, tombstones, bad, end] = words;
        let digest = reader.u64()?;
        let previous_link = reader.u32()?;
        let header = Self {
            id,
            heads,
            sequence,
            previous,
            oldest,
            erases,
            counts: Counts { live, entries, keys, tombstones, bad },
            previous_end: end & !IN_RUN,
            in_run: end & IN_RUN != 0,
            digest,
            previous_link,
        };
        (known && segment == layout.segment && header.is_possible(layout)).then_some(header)
    }

    /// Whether a store can have counted so: what is computed from these numbers does not overflow.
    fn is_possible(&self, layout: &Layout) -> bool {
        let Counts { live: _, entries, keys, tombstones, bad } = self.counts;
        let counts = [entries, keys, tombstones, bad, self.previous_end / layout.unit];
        let order = [self.oldest, self.previous].iter().all(|sequence| *sequence <= self.sequence);
        let end = u32::MAX / 2 - layout.segments;
        order && self.sequence <= end && self.erases <= end && counts.iter().all(|count| *count <= layout.places())
    }

    /// Whether the tag in `bytes` (what [`Header::parse`] was given) fits, and how it begins.
    pub(crate) fn verify<S: Suite>(&self, suite: &S, bytes: &[u8]) -> Option<u32> {
        let fields = bytes.get(..FIXED)?;
        let tag = bytes.get(FIXED..FIXED + S::TAG)?;
        let at = Position::new(self.sequence, 0);
        suite.unseal(Domain::Header, at, fields, &mut [], tag).then(|| link_of(tag))
    }
}

/// How a tag begins: enough to tie records together.
pub(crate) fn link_of(tag: &[u8]) -> u32 {
    tag.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
