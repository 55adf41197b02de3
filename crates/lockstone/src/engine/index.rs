//! Index: a hash trie threaded through the log.
//!
//! A head in RAM names the newest record of its bucket. A record carries, for each bit of its hash at which keys of
//! its bucket branched off when it was written, a pointer to the newest record of the other side. So every record is
//! the root of its bucket as of its writing, nothing is ever updated in place, and everything reachable is pinned from
//! RAM by tags: absence is as authentic as presence.
//!
//! ```text
//! head ──> C  hash 0110..   pointers: bit 1 ──> B, bit 3 ──> A        walk(0111..): C differs at bit 3 ──> A
//!          B  hash 00....   A  hash 0111..
//! ```
//!
//! A walk follows the first bit at which its hash differs from the record's and meets, on the way, exactly the
//! pointers that a new record with this hash must carry. A tombstone that stands for an empty subtree is left out, and
//! so leaves the index. Levels strictly rise, so a walk ends after at most 64 records whatever flash holds.
//!
//! Tested against a map as a model (`tests/model/trie.rs`) before the engine was written.

use super::load::Loaded;
use super::{Class, Facts, NorFlash, Path, Store, one_source};
use crate::error::Error;
use crate::format::Reader;
use crate::format::header::Counts;
use crate::format::pointer::Head;
use crate::format::record::{Kind, Shape};
use crate::layout::Position;
use crate::seal::Suite;

/// Bits of a hash.
const BITS: u8 = 64;

/// Level 0 tests the top bit of the low word, level 32 the top bit of the high word; buckets come from the high word.
pub(super) fn trie_bits(hash: u64) -> u64 {
    hash.rotate_left(32)
}

/// First level from `from` on at which two hashes differ; [`BITS`] when they don't.
fn differing_level(a: u64, b: u64, from: u8) -> u8 {
    let difference = trie_bits(a ^ b);
    let masked = difference.checked_shl(u32::from(from)).map_or(0, |shifted| shifted >> from);
    u8::try_from(masked.leading_zeros()).unwrap_or(BITS)
}

/// Which bucket a hash belongs to.
pub(super) fn bucket_of(hash: u64, buckets: usize) -> usize {
    let scaled = (hash >> 32) * u64::try_from(buckets).unwrap_or_default();
    usize::try_from(scaled >> 32).unwrap_or_default()
}

#[one_source]
impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    /// Walks to `hash`. Afterwards `path` holds the pointers for a new record, and the buffer the record found.
    ///
    /// A tombstone found is returned too: it's the newest word on its key.
    pub(super) async fn walk(&mut self, hash: u64) -> Result<Option<Loaded>, Error<F::Error>> {
        self.walk_from(self.head_of(hash), hash).await
    }

    /// The same from a given head: iteration walks to positions that are nobody's hash.
    pub(super) async fn walk_from(&mut self, mut head: Head, hash: u64) -> Result<Option<Loaded>, Error<F::Error>> {
        self.path.clear();
        let mut level = 0;
        self.check_doubt(head)?;
        while !head.is_empty() {
            let record = self.hop(head).await.ok_or(Error::Damaged)?;
            let facts = self.facts(record.shape);
            let differs = differing_level(hash, facts.hash, level);
            let next = self.collect(record.shape, level, differs)?;
            if differs == BITS {
                return Ok(Some(record));
            }
            let empty = record.shape.kind() == Kind::Tombstone && !self.has_pointer_beyond(record.shape, differs);
            if empty {
                self.path.omitted += 1;
            } else if !self.path.push(differs, head) {
                return Err(Error::Collision);
            }
            head = next;
            level = differs + 1;
        }
        Ok(None)
    }

    /// Loads the record that a pointer means, and nothing else.
    pub(super) async fn hop(&mut self, head: Head) -> Option<Loaded> {
        let at = head.position(&self.layout, self.log.end.sequence)?;
        let record = self.load(at, head.length_hint(&self.layout)).await?;
        (head.fits::<S>(record.link) && record.shape.kind() != Kind::Mark).then_some(record)
    }
}

impl<F, S: Suite> Store<'_, F, S> {
    pub(super) fn head_of(&self, hash: u64) -> Head {
        self.heads.get(bucket_of(hash, self.heads.len())).copied().unwrap_or(Head::EMPTY)
    }

    pub(super) fn set_head(&mut self, hash: u64, head: Head) {
        let bucket = bucket_of(hash, self.heads.len());
        if let Some(place) = self.heads.get_mut(bucket) {
            *place = head;
        }
    }

    /// A bucket whose newest known record is older than the doubt may have had a newer one.
    pub(super) fn check_doubt<E>(&self, head: Head) -> Result<(), Error<E>> {
        let Some(doubt) = self.log.doubt else { return Ok(()) };
        match head.position(&self.layout, self.log.end.sequence) {
            Some(at) if !head.is_empty() && at > doubt => Ok(()),
            _ => Err(Error::Damaged),
        }
    }

    /// Adds the pointers of the record in the buffer at levels `from..to` to the path; returns the one at `to`.
    fn collect<E>(&mut self, shape: Shape, from: u8, to: u8) -> Result<Head, Error<E>> {
        let mut next = Head::EMPTY;
        let start = crate::format::record::HEAD + S::LINK;
        let end = start + self.pointers(shape).len();
        let mut reader = Reader(self.buffer.get(start..end).unwrap_or_default());
        while let Some((level, head)) = Head::read::<S>(&mut reader) {
            if level == to {
                next = head;
            } else if (from..to).contains(&level) && !self.path.push(level, head) {
                return Err(Error::Collision);
            }
        }
        Ok(next)
    }

    fn has_pointer_beyond(&self, shape: Shape, level: u8) -> bool {
        let mut reader = Reader(self.pointers(shape));
        core::iter::from_fn(|| Head::read::<S>(&mut reader)).any(|(at, _)| at > level)
    }

    /// Counts a new record of this hash, given what the walk to it found.
    pub(super) fn count(&mut self, facts: &Facts, previous: Option<Facts>) {
        let cost = self.tombstone_cost();
        let counts = &mut self.log.counts;
        if let Some(previous) = previous {
            discount(counts, &previous);
        }
        for _ in 0..self.path.omitted {
            discount(counts, &Facts { hash: 0, cost, class: Class::Tombstone });
        }
        add(counts, facts);
    }

    pub(super) fn tombstone_cost(&self) -> u32 {
        self.cost(Shape::single(Kind::Tombstone, 8, 0))
    }

    /// One record more or less of a segment is in the index.
    pub(super) fn tally(&mut self, at: Position, more: bool) {
        if let Some(used) = self.used_of(at.sequence)
            && *used != crate::memory::UNKNOWN
        {
            *used = if more { used.saturating_add(1) } else { used.saturating_sub(1) };
        }
    }
}

fn add(counts: &mut Counts, facts: &Facts) {
    counts.live = counts.live.saturating_add(facts.cost);
    counts.entries += u32::from(facts.class.is_live());
    counts.keys += u32::from(facts.class == Class::Key);
    counts.tombstones += u32::from(facts.class == Class::Tombstone);
    counts.bad += u32::from(facts.class == Class::System);
}

/// Takes a record off the counts. Saturating: on a damaged store the counts may be off, and are then only shown, as writes are refused.
pub(super) fn discount(counts: &mut Counts, facts: &Facts) {
    counts.live = counts.live.saturating_sub(facts.cost);
    counts.entries = counts.entries.saturating_sub(u32::from(facts.class.is_live()));
    counts.keys = counts.keys.saturating_sub(u32::from(facts.class == Class::Key));
    counts.tombstones = counts.tombstones.saturating_sub(u32::from(facts.class == Class::Tombstone));
    counts.bad = counts.bad.saturating_sub(u32::from(facts.class == Class::System));
}

impl Path {
    /// The pointer to what comes next after `position` (in trie order): the deepest one at which `position` has a zero.
    pub(super) fn branch_after(&self, position: u64) -> Option<(u8, Head)> {
        self.pointers().filter(|(level, _)| bit(position, *level) == 0).max_by_key(|(level, _)| *level)
    }
}

/// The bit of a position (in trie order) that a level tests.
pub(super) fn bit(position: u64, level: u8) -> u64 {
    position >> (63 - level.min(63)) & 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_count_from_the_low_word() {
        assert_eq!(differing_level(0, 0, 0), 64);
        assert_eq!(differing_level(0, 0x8000_0000, 0), 0);
        assert_eq!(differing_level(0, 1, 0), 31);
        assert_eq!(differing_level(0, 1 << 63, 0), 32);
        assert_eq!(differing_level(0, 1 << 63 | 1, 32), 32);
        assert_eq!(differing_level(0, 1 << 32, 0), 63);
        assert_eq!(differing_level(0, 1, 64), 64);
    }
}
