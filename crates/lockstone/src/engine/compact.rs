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

use super::ops::Cost;
use super::scan::Step;
use super::{NorFlash, Store, one_source};
use crate::attributes::How;
use crate::error::Stop;
use crate::format::header::{Class, PREVIOUS};
use crate::format::pointer::{Pointer, pointer_length};
use crate::format::record::{FIRST, MORE};
use crate::layout::Layout;
use crate::report::Cursor;
use crate::seal::Suite;
use crate::state::{Record, Run};
use crate::trust::MonotonicCounter;

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Makes sure that a run of `bytes` fits without compaction and leaves `kept` segments free.
    pub(super) async fn make_room(&mut self, bytes: u32, kept: u32) -> Result<(), Stop<F::Error>> {
        let mut passes = 2 * self.sizes().segments;
        while !self.has_room(bytes, kept) {
            passes = passes.checked_sub(1).ok_or(Stop::Full)?;
            if !self.compact_segment().await? {
                return Err(Stop::Full);
            }
        }
        Ok(())
    }

    /// The same, and as far as one round of compaction makes it so, that what is live can outgrow what it is copied from.
    pub(super) async fn make_ample_room(&mut self, bytes: u32, kept: u32) -> Result<(), Stop<F::Error>> {
        let newest = self.state.log.end.sequence;
        while !C::SMALL && self.state.log.tail < newest && !self.has_ample_room(bytes, kept) {
            self.compact_segment().await?;
        }
        self.make_room(bytes, kept).await
    }

    /// Passes what is left of the oldest segment, and frees it; false when only the newest is left.
    pub(super) async fn compact_segment(&mut self) -> Result<bool, Stop<F::Error>> {
        let tail = self.state.log.tail;
        while self.state.log.tail == tail {
            if !self.compact_step().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Does the compaction that is owed.
    pub(super) async fn pay(&mut self) -> Result<(), Stop<F::Error>> {
        while self.state.log.debt > 0 {
            // A step may pass more than was owed: that counts for the next write.
            let owed = if self.compact_step().await? { self.state.log.debt } else { 0 };
            self.state.log.debt = owed.wrapping_sub_unsigned(self.state.log.passed);
        }
        Ok(())
    }

    /// Passes one record of the oldest segment; false when only the newest segment is left.
    pub(super) async fn compact_step(&mut self) -> Result<bool, Stop<F::Error>> {
        self.state.log.passed = 0;
        let tail = self.state.log.tail;
        if tail == self.state.log.end.sequence {
            return Ok(false);
        }
        // A record that was passed and not kept would be lost: a step that does not end is followed by a mount.
        self.state.log.settled = false;
        self.pass_one().await?;
        // When few segments were declared free, a mark declares the one that is: the next header would come too late
        // for a session that begins with a full segment.
        if self.state.log.tail != tail && self.free_segments(self.state.log.declaring) < 2 {
            self.write_opening().await?;
        }
        self.state.log.settled = true;
        Ok(true)
    }

    async fn pass_one(&mut self) -> Result<(), Stop<F::Error>> {
        let sequence = self.state.log.tail;
        if !C::SMALL && self.used_of(sequence).is_some_and(|used| *used == 0) {
            self.state.log.passed = self.sizes().segment;
            return self.free_tail().await;
        }
        if self.state.scan.is_nowhere() {
            self.enter(sequence).await;
        }
        let before = self.state.scan.at().offset;
        let step = self.step().await;
        let end = if step == Step::End { self.sizes().segment } else { self.state.scan.at().offset };
        if !C::SMALL {
            self.state.log.passed = end - before;
        }
        match step {
            Step::Record => self.keep_if_live().await,
            // Harmless only if nothing that the index reaches lies there: known when the rest was written again.
            Step::Damaged if C::SMALL => Err(Stop::Damaged),
            Step::Damaged => {
                self.state.scan.damaged = true;
                Ok(())
            }
            Step::End if !C::SMALL && self.state.scan.damaged => {
                self.check_index(sequence + 1).await?;
                self.free_tail().await
            }
            Step::End => self.free_tail().await,
        }
    }

    /// Writes the record in the buffer again if the index still has it.
    async fn keep_if_live(&mut self) -> Result<(), Stop<F::Error>> {
        let record = self.state.record;
        if record.class == Class::Mark {
            return Ok(());
        }
        self.walk(record.hash).await?;
        let lone = record.class == Class::Tombstone && self.state.path.length == 0;
        if lone || !self.state.path.found || self.state.record.at != record.at {
            return Ok(());
        }
        self.append_copy(record.shape.with(FIRST, true).with(MORE, false)).await
    }

    /// What the heads still name in segments before `oldest` are tombstones that stand for nothing: they leave the index.
    /// `check`: make sure. Anything else is a record that should have been written again but could not be read, and
    /// must not be forgotten.
    pub(super) async fn clear_heads_before(&mut self, oldest: u32, check: bool) -> Result<(), Stop<F::Error>> {
        self.state.path.clear();
        for bucket in 0..self.heads.len() {
            let head = self.head(bucket);
            if head.is_empty() || self.position(head).sequence >= oldest {
                continue;
            }
            if check {
                self.hop(head).await?;
                if self.state.record.class != Class::Tombstone {
                    return Err(Stop::Damaged);
                }
            }
            self.put_head(bucket, Pointer::EMPTY);
            // After a mount the counts come from a header or mark that was written when they had left.
            if check {
                self.discount_tombstones(1);
            }
        }
        Ok(())
    }

    /// Makes sure that the index reaches nothing that can't be read, and nothing in segments before `next` but tombstones that
    /// stand for nothing: a part of them could not be read when they were passed.
    async fn check_index(&mut self, next: u32) -> Result<(), Stop<F::Error>> {
        let mut cursor = Cursor::new();
        while self.next_record(&mut cursor).await? {
            let Record { at, class, .. } = self.state.record;
            if at.sequence < next && class != Class::Tombstone {
                return Err(Stop::Damaged);
            }
        }
        Ok(())
    }

    /// Everything live was written again: the oldest segment is free.
    async fn free_tail(&mut self) -> Result<(), Stop<F::Error>> {
        let tail = self.state.log.tail;
        let mut next = tail + 1;
        if !C::SMALL {
            // The numbers of retired segments are left out. One that is missing because its header can't be read still stands.
            next = self.next_segment(tail).await.ok_or(Stop::Damaged)?;
            let previous = self.state.header.get(PREVIOUS);
            if previous > tail && previous < next {
                next = previous;
                self.check_index(next).await?;
            }
        }
        self.clear_heads_before(next, true).await?;
        self.state.log.tail = next;
        self.state.scan.leave();
        Ok(())
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// A write of `bytes` owes its share of compaction.
    pub(super) fn owe(&mut self, bytes: u32) {
        self.state.log.debt = self.state.log.debt.wrapping_add_unsigned(self.share(bytes));
    }

    /// Whether a run of `bytes` fits and leaves `kept` segments free.
    pub(super) fn has_room(&self, bytes: u32, kept: u32) -> bool {
        if !C::SMALL && self.state.log.reserved {
            return false;
        }
        let more = bytes.saturating_sub(self.room()).div_ceil(self.segment_yield() - self.waste());
        self.free_segments(self.state.log.tail) >= more + kept
    }

    /// The same, and leaves what all that is live can grow by, unless it may use what others leave alone.
    pub(super) fn has_ample_room(&self, bytes: u32, kept: u32) -> bool {
        let growth = if C::SMALL || kept < self.kept_free() { 0 } else { self.growth() / self.sizes().segment };
        self.has_room(bytes, kept + growth)
    }

    /// Whether a change of `bytes` has room, and owes nothing for it, unless it has paid. If not, they are what is wanted.
    // Not inlined: the stack of its caller is deep.
    #[inline(never)]
    pub(super) fn has_paid_room(&mut self, bytes: u32, how: How) -> bool {
        self.turn_page(bytes);
        let kept = self.kept_by(how);
        let has = if C::SMALL || self.state.log.paid {
            self.has_room(bytes, kept)
        } else {
            self.owe(bytes);
            self.state.log.debt <= 0 && self.has_ample_room(bytes, kept)
        };
        if !has {
            self.state.log.wanted = bytes;
        }
        has
    }

    /// A run of `bytes` comes that does not fit into this segment any more. When little is lost, it begins in the next one: a segment
    /// that is opened inside a run has no list, and a mount reads all of it.
    // Not inlined: the stack of its caller is deep.
    #[inline(never)]
    pub(super) fn turn_page(&mut self, bytes: u32) {
        let (room, little) = (self.room(), self.sizes().segment / 8);
        let long = bytes > room.max(self.record_usual());
        if !C::SMALL && self.state.log.run == Run::No && long && room < little {
            self.state.log.closed = true;
        }
    }

    /// Bytes that the newest segment has room for.
    fn room(&self) -> u32 {
        if self.state.log.closed { 0 } else { self.fill_to().saturating_sub(self.state.log.end.offset) }
    }

    /// Bytes of records that a segment surely takes, if none of them [is long](Self::is_long).
    #[inline(always)]
    fn segment_yield(&self) -> u32 {
        self.densest() - self.record_usual() + self.waste()
    }

    /// Most bytes of records in a segment.
    fn densest(&self) -> u32 {
        self.sizes().segment - self.header_length() - self.list_room()
    }

    /// What long records may waste more of the end of a segment than short ones.
    fn waste(&self) -> u32 {
        if C::SMALL { 0 } else { self.sizes().body_max / 4 * 3 - 32 }
    }

    /// A long record as it usually is: the most that the end of a segment can waste.
    pub(super) fn record_usual(&self) -> u32 {
        self.sizes().body_max + 64
    }

    /// What [`need`](Self::need) may reach.
    #[inline(never)]
    pub(super) fn capacity(&self) -> u32 {
        self.usable().saturating_mul(self.segment_yield())
    }

    /// Segments that may be full: without those that are kept, the newest, and what may be written while compaction passes all.
    fn usable(&self) -> u32 {
        let segments = self.sizes().segments;
        segments.saturating_sub(self.state.counts.bad().saturating_add(1 + self.kept_free() + self.meanwhile()))
    }

    /// Segments for what is written while all of a full log is passed.
    fn meanwhile(&self) -> u32 {
        if C::SMALL { 0 } else { (self.sizes().segments + 24) / 32 }
    }

    /// Bytes that these records need when each is written once more.
    pub(super) fn need(&self, what: Cost) -> u32 {
        let Cost { bytes, records, long } = what;
        let wasted = if C::SMALL { 0 } else { long.min(self.usable()).saturating_mul(self.waste()) };
        let pointers = if C::SMALL {
            records.saturating_mul(self.allowance(records) / 16)
        } else {
            records.div_ceil(16).saturating_mul(self.allowance(records))
        };
        bytes.saturating_add(pointers).saturating_add(wasted)
    }

    /// What is counted.
    #[inline(always)]
    pub(super) fn counted(&self) -> Cost {
        let counts = &self.state.counts;
        Cost { bytes: counts.live(), records: counts.records(), long: counts.long() }
    }

    pub(super) fn needed(&self) -> u32 {
        self.need(self.counted())
    }

    /// Bytes of pointers of 16 records, as they are on the average of that many: a record carries one for each bit at which keys of its
    /// bucket branched off, log2(1 + n) where there are n others on the average, and less than a sixteenth more for each of these.
    #[inline(never)]
    fn allowance(&self, records: u32) -> u32 {
        let buckets = u32::try_from(self.heads.len()).unwrap_or(u32::MAX).max(1);
        if self.assumed_pointers() > 0 {
            return 0;
        }
        let sixteenths = if C::SMALL {
            16 * (records / buckets).checked_ilog2().map_or(1, |bits| bits + 2)
        } else {
            let keys = 16 + records.min(u32::MAX / 32) * 16 / buckets;
            // The logarithm of 16 times as many, in sixteenths: straight between powers of two, which is a little less.
            let whole = keys.ilog2();
            17 * (whole - 4) + (keys >> (whole - 4)) - 14
        };
        // So many of them have the three pointers or more that a signpost comes with, or fewer. Where keys and values are all of one
        // length, each may take up to a unit, or three quarters of a longer one.
        let units = match self.sizes().unit {
            4 => 1,
            8 => 2,
            _ => 3,
        };
        let signposts = if C::SMALL { 0 } else { units * (sixteenths.saturating_sub(20) * 3 / 2).min(64) };
        super::load::length_u32(pointer_length::<S>()) * sixteenths + signposts
    }

    #[inline(always)]
    pub(super) fn pointer_allowance(&self) -> u32 {
        self.allowance(self.state.counts.records()).div_ceil(16)
    }

    /// Bytes by which all that is live can grow while it's written again, before anything dead behind it has its turn.
    fn growth(&self) -> u32 {
        let (stands, most) = (self.state.counts.standing(), self.densest());
        let tombstones = self.state.counts.tombstones().saturating_mul(self.tombstone_cost());
        self.needed().saturating_sub(stands.saturating_add(tombstones))
            + stands / most * (most - self.segment_yield()) / 2
    }

    /// How much compaction a write of `bytes` owes. None while more is free than what is live can grow by, and than may be written until
    /// it was passed: the longer a record lies, the likelier it is dead when its turn comes. Then the more, the less is free; at most
    /// two segments, or twice what is written.
    fn share(&self, bytes: u32) -> u32 {
        let Layout { segment, segments, .. } = self.sizes();
        let length = self.state.log.end.sequence - self.state.log.tail;
        let spare = self.capacity().saturating_sub(self.needed());
        let (free, all) = (self.free_segments(self.state.log.tail), bytes.saturating_mul(length));
        let mut pace = (spare / segment).max(1);
        let early = if C::SMALL {
            free > self.kept_free() + (pace / 2).max(segments / 16)
        } else {
            let free = free.saturating_sub(self.kept_free()) * segment + self.room();
            let ahead = free.saturating_sub(self.growth());
            pace = pace.min((ahead / (segment / 16)).max(1));
            ahead > (all / 4).min(spare / 2 + self.meanwhile() * segment)
        };
        if early { 0 } else { (all / pace).min(2 * segment.max(bytes)) }
    }
}
