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
use crate::state::{NOWHERE, Path, Record, State};
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
    /// Walks to `hash`, by signposts where there are any. Afterwards `path` says what was found there, and the record is in the
    /// buffer; it holds the pointers for a new record if it is true.
    ///
    /// A tombstone counts as a record: it's the newest word on its key.
    pub(super) async fn walk(&mut self, hash: u64) -> Result<(), Stop<F::Error>> {
        self.walk_in(self.bucket_of(hash), hash, false).await
    }

    /// The same, and `path` is true also when there is no such record.
    #[inline(always)]
    pub(super) async fn walk_exactly(&mut self, hash: u64) -> Result<(), Stop<F::Error>> {
        if Self::GLANCES { self.walk_in(self.bucket_of(hash), hash, true).await } else { self.walk(hash).await }
    }

    /// The same in a given bucket: iteration walks to positions that are nobody's hash.
    pub(super) async fn walk_in(&mut self, bucket: usize, hash: u64, exactly: bool) -> Result<(), Stop<F::Error>> {
        let mut head = self.head(bucket);
        self.state.path.clear();
        self.check_doubt(head)?;
        let mut level = 0;
        // Each turn was where the hashes differ first, and not only where keys branch off.
        let mut exact = true;
        while !head.is_empty() {
            if Self::GLANCES {
                // What a head knows is how the tag begins, and no more.
                self.state.log.glanced = false;
                self.state.log.glance = !exactly && (level == 0 || !head.is_to_whole::<S>());
            }
            self.hop(head).await?;
            if !C::SMALL && level == 0 {
                self.put_root(bucket, head);
            }
            let mut differs = BITS;
            if Self::GLANCES && self.state.log.glanced {
                exact = false;
                differs = self.branch_to(hash, level);
                if differs == BITS && !self.complete(self.first_length(self.state.record.shape)).await {
                    return Err(Stop::Damaged);
                }
            }
            if differs == BITS {
                differs = differing_level(hash, self.state.record.hash);
            }
            if differs < level {
                if exact {
                    return Err(Stop::Damaged);
                }
                break;
            }
            head = self.turn(head, level, differs);
            level = differs + 1;
            if differs == BITS {
                let State { path, record, .. } = &mut *self.state;
                path.found = true;
                path.old = record.at;
                path.old_shape = record.shape;
                path.old_class = record.class;
                exact = true;
                break;
            }
            if Self::GLANCES && !exactly && head.passes_by::<S>(hash) {
                exact = false;
                break;
            }
        }
        if Self::GLANCES && !exact {
            // Nor is all of a record in the buffer, maybe.
            self.state.record.at = NOWHERE;
            return Ok(());
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
        let head = self.pointer_here(self.first_length(self.state.record.shape));
        let bucket = self.bucket_of(self.state.record.hash);
        self.state.path.is_true = false;
        if C::SMALL {
            self.put_head(bucket, head);
        } else {
            self.put_root(bucket, head);
        }
    }

    /// Points to the record in the buffer, so much of which is to be read at first.
    pub(super) fn pointer_here(&self, length: u32) -> Pointer {
        let Record { at, link, .. } = self.state.record;
        Pointer::new::<S>(&self.sizes(), self.address(at), length, link)
    }

    /// The level, not above this one, at which a walk leaves the record in the buffer if there is anything where it leads;
    /// [`BITS`] if that can only be this record.
    fn branch_to(&self, hash: u64, level: u32) -> u32 {
        let mut pointers = (0..self.state.record.shape.pointers::<C>()).map(|index| self.pointer(index));
        let turns = |pointer: &Pointer| {
            pointer.level() >= level && pointer.side::<S>() != bit(trie_bits(hash), pointer.level())
        };
        pointers.find(turns).map_or(BITS, Pointer::level)
    }

    /// The record in the buffer is what this head means. One without pointers is the only one of its bucket.
    #[inline(never)]
    fn put_root(&mut self, bucket: usize, head: Pointer) {
        let alone = self.state.record.shape.pointers::<C>() == 0;
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
        let mut behind = 0;
        for index in 0..self.state.record.shape.pointers::<C>() {
            let pointer = self.pointer(index);
            if pointer.level() == differs {
                next = pointer;
            } else if pointer.level() > differs {
                behind += 1;
            } else if pointer.level() >= level {
                self.state.path.push(pointer);
            }
        }
        // A tombstone with nothing behind the turn stands for nothing.
        if differs < BITS && behind == 0 && self.state.record.class == Class::Tombstone {
            self.state.path.omitted += 1;
        } else if differs < BITS {
            let back = self.pointer_back(head, differs, behind);
            self.state.path.push(back);
        }
        next
    }

    /// Points to the record in the buffer from one that comes after it, with what can be known of it: so many branches go on
    /// from there.
    fn pointer_back(&self, head: Pointer, differs: u32, behind: u32) -> Pointer {
        if C::SMALL {
            return head.at_level::<S>(differs);
        }
        let Record { shape, hash, .. } = self.state.record;
        let whole = behind < 2;
        let length = if whole { self.record_length() } else { self.first_length(shape) };
        let pointer = self.pointer_here(length).at_level::<S>(differs);
        let pointer = if whole { pointer.to_whole::<S>() } else { pointer };
        if behind == 0 && !self.state.log.glanced { pointer.to_only::<S>(hash) } else { pointer }
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
#[inline(never)]
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
