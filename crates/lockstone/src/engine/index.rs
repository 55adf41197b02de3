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

use super::{NorFlash, Store, one_source};
use crate::error::Stop;
use crate::format::header::Class;
use crate::format::low_word;
use crate::format::pointer::Pointer;
use crate::format::record::{RESUME, Shape};
use crate::layout::POINTERS_MAX;
use crate::memory::UNKNOWN;
use crate::seal::Suite;
use crate::state::{Path, Record, State};
use crate::trust::MonotonicCounter;

/// Bits of a hash.
const BITS: u32 = 64;

/// Level 0 tests the top bit of the low word, level 32 the top bit of the high word; buckets come from the high word.
pub(super) fn trie_bits(hash: u64) -> u64 {
    hash.rotate_left(32)
}

/// First level at which two hashes differ; [`BITS`] when they don't.
#[inline(never)]
fn differing_level(a: u64, b: u64) -> u32 {
    trie_bits(a ^ b).leading_zeros()
}

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Walks to `hash`. Afterwards `path` says what was found there, and holds the pointers for a new record; the record
    /// found is in the buffer.
    ///
    /// A tombstone counts as a record: it's the newest word on its key.
    pub(super) async fn walk(&mut self, hash: u64) -> Result<(), Stop<F::Error>> {
        self.walk_in(self.bucket_of(hash), hash).await
    }

    /// The same in a given bucket: iteration walks to positions that are nobody's hash.
    pub(super) async fn walk_in(&mut self, bucket: usize, hash: u64) -> Result<(), Stop<F::Error>> {
        let mut head = self.head(bucket);
        self.state.path.clear();
        self.check_doubt(head)?;
        let mut level = 0;
        while !head.is_empty() {
            self.hop(head).await?;
            if !C::SMALL && level == 0 {
                self.put_root(bucket, head);
            }
            let differs = differing_level(hash, self.state.record.hash);
            if differs < level {
                return Err(Stop::Damaged);
            }
            head = self.turn(head, level, differs);
            level = differs + 1;
            if differs == BITS {
                let State { path, record, .. } = &mut *self.state;
                path.found = true;
                path.old = record.at;
                path.old_shape = record.shape;
                path.old_class = record.class;
                break;
            }
        }
        if self.state.path.length > POINTERS_MAX {
            return Err(Stop::Collision);
        }
        (self.state.path.target, self.state.path.is_true) = (hash, true);
        Ok(())
    }

    /// Loads the record that a pointer means, and nothing else.
    pub(super) async fn hop(&mut self, pointer: Pointer) -> Result<(), Stop<F::Error>> {
        let hint = pointer.length_hint(&self.sizes());
        let good = self.load(self.position(pointer), hint).await
            && pointer.fits::<S>(self.state.record.link)
            && self.state.record.class != Class::Mark;
        if good { Ok(()) } else { Err(Stop::Damaged) }
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Which bucket a hash belongs to.
    pub(super) fn bucket_of(&self, hash: u64) -> usize {
        let scaled = (hash >> 32) * self.heads.len() as u64;
        (scaled >> 32) as usize
    }

    /// The record in the buffer is the newest of its bucket.
    pub(super) fn set_head(&mut self) {
        let head = Pointer::new::<S>(
            &self.sizes(),
            self.address(self.state.record.at),
            self.record_length(),
            self.state.record.link,
        );
        let bucket = self.bucket_of(self.state.record.hash);
        self.state.path.is_true = false;
        if C::SMALL {
            self.put_head(bucket, head);
        } else {
            self.put_root(bucket, head);
        }
    }

    /// The record in the buffer is what this head means. One without pointers is the only one of its bucket.
    #[inline(never)]
    fn put_root(&mut self, bucket: usize, head: Pointer) {
        let alone = self.state.record.shape.pointers() == 0;
        self.put_head(bucket, if alone { head.alone(self.state.record.hash) } else { head });
    }

    pub(super) fn head(&self, bucket: usize) -> Pointer {
        self.heads.get(bucket).copied().unwrap_or(Pointer::EMPTY)
    }

    pub(super) fn put_head(&mut self, bucket: usize, head: Pointer) {
        if let Some(place) = self.heads.get_mut(bucket) {
            *place = head;
        }
    }

    /// A bucket whose newest known record is older than the doubt may have had a newer one. While a mount is at work
    /// there is no doubt yet.
    pub(super) fn check_doubt<E>(&self, head: Pointer) -> Result<(), Stop<E>> {
        match self.state.report.doubt {
            Some(doubt) if self.state.log.settled && (head.is_empty() || self.position(head) <= doubt) => {
                Err(Stop::Damaged)
            }
            _ => Ok(()),
        }
    }

    /// The walk came by `head` to the record in the buffer, at `level`, and leaves it at the level where the hashes
    /// differ. Adds the pointers between to the path, and the one back; returns the one to follow.
    #[inline(never)]
    fn turn(&mut self, head: Pointer, level: u32, differs: u32) -> Pointer {
        let mut next = Pointer::EMPTY;
        // A tombstone with nothing behind the turn stands for nothing.
        let mut lone = self.state.record.class == Class::Tombstone;
        for index in 0..self.state.record.shape.pointers() {
            let pointer = self.pointer(index);
            if pointer.level() == differs {
                next = pointer;
            } else if pointer.level() > differs {
                lone = false;
            } else if pointer.level() >= level {
                self.state.path.push(pointer);
            }
        }
        if differs < BITS && lone {
            self.state.path.omitted += 1;
        } else if differs < BITS {
            self.state.path.push(head.at_level(differs));
        }
        next
    }

    /// Counts a record of a segment in (1) or out (-1).
    pub(super) fn count(&mut self, sequence: u32, shape: Shape, class: Class, by: i8) {
        self.state.counts.add(class, self.cost(shape), by.into());
        self.count_stand(shape, class, by);
        if !C::SMALL
            && let Some(used) = self.used_of(sequence)
            && *used != UNKNOWN
        {
            *used = used.saturating_add_signed(by);
        }
    }

    /// Counts what a record takes up in (1) or out (-1).
    pub(super) fn count_stand(&mut self, shape: Shape, class: Class, by: i8) {
        if !C::SMALL && class != Class::Tombstone && class != Class::Mark {
            let stands = self.padded_length(shape.with(RESUME, false));
            self.state.counts.stand(stands, self.is_long(shape), by.into());
        }
    }

    /// Counts the record in the buffer instead of what the walk to its hash found.
    pub(super) fn count_new(&mut self) {
        if self.state.path.found {
            let Path { old, old_shape, old_class, .. } = self.state.path;
            self.count(old.sequence, old_shape, old_class, -1);
        }
        self.discount_tombstones(self.state.path.omitted.into());
        let Record { at, shape, class, .. } = self.state.record;
        self.count(at.sequence, shape, class, 1);
    }

    /// What a tombstone counts as.
    #[inline(always)]
    pub(super) fn tombstone_cost(&self) -> u32 {
        self.cost(Shape::TOMBSTONE)
    }

    /// Some tombstones left the index.
    pub(super) fn discount_tombstones(&mut self, number: u32) {
        let cost = self.tombstone_cost();
        for _ in 0..number {
            self.state.counts.add(Class::Tombstone, cost, -1);
        }
    }
}

/// The bit of a position (in trie order) that a level tests.
pub(super) fn bit(position: u64, level: u32) -> bool {
    // Two words: a shift of 64 bits by a number is a call on small processors.
    let word = if level < 32 { low_word(position >> 32) } else { low_word(position) };
    word << (level % 32) >> 31 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_count_from_the_low_word() {
        assert_eq!(differing_level(0, 0), 64);
        assert_eq!(differing_level(0, 0x8000_0000), 0);
        assert_eq!(differing_level(0, 1), 31);
        assert_eq!(differing_level(0, 1 << 63), 32);
        assert_eq!(differing_level(0, 1 << 32), 63);
        assert!(bit(1 << 63, 0) && bit(1, 63) && !bit(1, 62));
    }
}
