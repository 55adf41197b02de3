//! Compact: frees the oldest segment by writing what is live in it again.
//!
//! Paced: every change does its share, so that the work is spread and no call meets it all at once. The share is the
//! log's length over the room to spare: when that much was written, the whole log has been passed once.
//!
//! ```text
//!  oldest                          newest        free
//! [ r . . r | . . . . | . r . . | . . r r ] . . . . . . .
//!   ^ each record: live (a walk to its hash ends at it)? write it again at the end. Dead? nothing.
//! ```
//!
//! What remains in the heads of the freed segment are tombstones that stand for nothing: what a tombstone points to is
//! older, so it was written again before, and that cut the tombstone off. They leave with the segment.
//!
//! Invariant: runs only between runs. A segment whose count of indexed records is zero is freed without being read.

use super::load::Loaded;
use super::scan::Step;
use super::write::Source;
use super::{Class, NorFlash, Store, Tail, kept_free, one_source};
use crate::error::Error;
use crate::format::header::Counts;
use crate::format::pointer::{Head, pointer_length};
use crate::format::record::{FIRST, Kind, MORE};
use crate::report::Cursor;
use crate::seal::Suite;

#[one_source]
impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    /// Makes sure that a run of `bytes` fits without compaction and leaves `kept` segments free.
    pub(super) async fn make_room(&mut self, bytes: u32, kept: u32) -> Result<(), Error<F::Error>> {
        let mut passes = 2 * self.layout.segments;
        while !self.has_room(bytes, kept) {
            passes = passes.checked_sub(1).ok_or(Error::Full)?;
            let tail = self.log.tail.sequence;
            while self.log.tail.sequence == tail {
                if self.compact_step().await?.is_none() {
                    return Err(Error::Full);
                }
            }
        }
        Ok(())
    }

    /// Does the share of compaction that a write of `bytes` owes.
    pub(super) async fn pace(&mut self, bytes: u32) -> Result<(), Error<F::Error>> {
        self.log.debt = self.log.debt.saturating_add_unsigned(self.share(bytes));
        while self.log.debt > 0 {
            match self.compact_step().await? {
                // A step may pass more than was owed: that counts for the next write.
                Some(passed) => self.log.debt = self.log.debt.saturating_sub_unsigned(passed),
                None => self.log.debt = 0,
            }
        }
        Ok(())
    }

    /// Passes one record of the oldest segment; returns the bytes passed, `None` when only the newest segment is left.
    pub(super) async fn compact_step(&mut self) -> Result<Option<u32>, Error<F::Error>> {
        let sequence = self.log.tail.sequence;
        if sequence == self.log.end.sequence {
            return Ok(None);
        }
        if self.used_of(sequence).is_some_and(|used| *used == 0) {
            self.free_tail().await?;
            return Ok(Some(self.layout.segment));
        }
        let mut scan = match self.log.tail.scan {
            Some(scan) => scan,
            None => self.enter(sequence, self.log.end.sequence).await,
        };
        let before = scan.at.offset;
        match self.step(&mut scan, None).await {
            Step::Record { record, .. } => self.keep_if_live(&record).await?,
            // Harmless only if nothing that the index reaches lies there.
            Step::Damaged(_) => self.check_reachable().await?,
            Step::End => {
                self.free_tail().await?;
                return Ok(Some(self.layout.segment - before.min(self.layout.segment)));
            }
        }
        self.log.tail.scan = Some(scan);
        Ok(Some(scan.at.offset.saturating_sub(before)))
    }

    /// Writes the record in the buffer again if the index still has it.
    async fn keep_if_live(&mut self, record: &Loaded) -> Result<(), Error<F::Error>> {
        let facts = self.facts(record.shape);
        if facts.class == Class::Mark {
            return Ok(());
        }
        let found = self.walk(facts.hash).await?;
        let lone = facts.class == Class::Tombstone && self.path.length == 0;
        if lone || found.is_none_or(|found| found.at != record.at) {
            return Ok(());
        }
        let shape = record.shape.with(FIRST, true).with(MORE, false);
        self.append(shape, Source::Copy(record.at), Some(facts.hash)).await?;
        self.log.settled = true;
        Ok(())
    }

    /// What the heads still name before `oldest` must be tombstones. Anything else is a record that should have been
    /// written again but could not be read: it must not be forgotten.
    async fn check_lone(&mut self, oldest: u32) -> Result<(), Error<F::Error>> {
        for bucket in 0..self.heads.len() {
            let head = self.heads.get(bucket).copied().unwrap_or(Head::EMPTY);
            let at = head.position(&self.layout, self.log.end.sequence);
            if head.is_empty() || at.is_some_and(|at| at.sequence >= oldest) {
                continue;
            }
            let record = self.hop(head).await.ok_or(Error::Damaged)?;
            if record.shape.kind() != Kind::Tombstone {
                return Err(Error::Damaged);
            }
        }
        Ok(())
    }

    /// Whether everything that the index reaches can be read.
    async fn check_reachable(&mut self) -> Result<(), Error<F::Error>> {
        let mut cursor = Cursor::new();
        while !cursor.done {
            match self.at_or_after(&cursor).await? {
                Some(record) => self.pass(&mut cursor, self.facts(record.shape).hash),
                None => self.next_bucket(&mut cursor),
            }
        }
        Ok(())
    }

    /// Everything live was written again: the oldest segment is free. When few were declared so, a mark declares it:
    /// the next header would come too late for a session that begins with a full segment.
    async fn free_tail(&mut self) -> Result<(), Error<F::Error>> {
        let freed = self.log.tail.sequence;
        let newest = self.log.end.sequence;
        let next = self.next_segment(freed, newest).await.unwrap_or(newest);
        self.check_lone(next).await?;
        self.clear_heads_before(next);
        self.log.tail = Tail { sequence: next, scan: None };
        if self.free_segments(self.log.declaring) < 2 {
            self.write_opening().await?;
            self.log.settled = true;
        }
        Ok(())
    }
}

impl<F, S: Suite> Store<'_, F, S> {
    /// Whether a run of `bytes` fits and leaves `kept` segments free.
    pub(super) fn has_room(&self, bytes: u32, kept: u32) -> bool {
        let offset = self.log.resume.map_or(self.log.end.offset, |resume| resume.place);
        let room = if self.log.closed { 0 } else { self.layout.segment.saturating_sub(offset) };
        let more = bytes.saturating_sub(room).div_ceil(self.segment_yield());
        self.free_segments(self.log.tail.sequence) >= more + kept
    }

    /// Bytes of records that a segment surely takes.
    fn segment_yield(&self) -> u32 {
        self.layout.segment - self.header_length() - self.record_usual()
    }

    /// A long record as it usually is: the most that the end of a segment can waste.
    fn record_usual(&self) -> u32 {
        self.layout.body_max + 64
    }

    /// What [`need`](Self::need) may reach.
    pub(super) fn capacity(&self) -> u32 {
        let reserve = 1 + kept_free(&self.layout) + self.log.counts.bad;
        self.layout.segments.saturating_sub(reserve).saturating_mul(self.segment_yield())
    }

    /// Bytes that the counted records need when each is written once more.
    pub(super) fn need(&self, counts: &Counts) -> u32 {
        let records = counts.entries + counts.tombstones;
        counts.live.saturating_add(records.saturating_mul(self.allowance(records)))
    }

    /// Bytes of pointers of a record, as they are on the average of that many: log2 of those in a bucket, and 1.33.
    fn allowance(&self, records: u32) -> u32 {
        let buckets = u32::try_from(self.heads.len()).unwrap_or(u32::MAX).max(1);
        if self.assumed_pointers() > 0 {
            return 0;
        }
        let pointers = (records / buckets).checked_ilog2().map_or(1, |bits| bits + 2);
        super::load::length_u32(pointer_length::<S>()) * pointers
    }

    pub(super) fn pointer_allowance(&self) -> u32 {
        self.allowance(self.log.counts.entries + self.log.counts.tombstones)
    }

    /// `bytes` times the length of the log over the room to spare, both in segments. Nothing while more than half of
    /// that room is free: the longer a record lies, the likelier it is dead when its turn comes.
    fn share(&self, bytes: u32) -> u32 {
        let length = self.log.end.sequence - self.log.tail.sequence;
        let spare = self.capacity().saturating_sub(self.need(&self.log.counts)) / self.layout.segment;
        if self.free_segments(self.log.tail.sequence) > kept_free(&self.layout) + spare / 2 {
            return 0;
        }
        (bytes.saturating_mul(length) / spare.max(1)).min(2 * self.layout.segment)
    }
}
