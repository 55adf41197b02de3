//! List: marks that say where old heads are, so that a mount needn't read the whole log.
//!
//! ```text
//! oldest                                   base        newest
//! | . . . | . . . | . . . | . . . | . . . | . . . | L . . . | . . .
//!     ^ a head here is listed in L ─────────┘        ^ a list stands first in its segment
//!                                            from base on the log is read, and says itself which heads it has
//! ```
//!
//! A list names, for a stretch of buckets, the heads that are older than its *base*, two segments before its own. Of every
//! other bucket the head is newer, and a replay from the base on finds it, or there is none. Several lists, each for its
//! stretch, cover all buckets; they take about a thirty-second of the log.
//!
//! A list is trusted for places alone. Which record lies there is settled by the digest of all heads in a header, as after
//! a replay of the whole log: the tags that it covers are read from the records. Whenever anything does not fit, or is
//! missing, the whole log is read.

use super::load::length_u32;
use super::{NorFlash, Store, one_source};
use crate::error::Stop;
use crate::format::header::{Class, DIGEST, NO_DIGEST, OLDEST, PREVIOUS};
use crate::format::pointer::Pointer;
use crate::format::record::{Kind, MARK_LIST, MARK_RESERVE, Shape};
use crate::format::{put, put_word};
use crate::layout::Position;
use crate::seal::Suite;
use crate::state::{Record, Run};
use crate::trust::MonotonicCounter;

/// A list leaves out what the log says from so many segments before it on.
const NEWER: u32 = 2;
/// A round of lists begins in each segment whose number this divides.
const ROUND: u32 = 2;
/// So many segments back a mount looks for lists.
const LOOK_BACK: u32 = 96;
/// First bucket, one behind the last, and base.
const FIXED: usize = 8;
/// So many buckets are skipped without naming the next.
const SKIP: usize = 255;
/// Bytes read of a record to see its tag.
const PEEK: u32 = 32;

/// Where a replay begins, and what it's checked against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// The first segment to read.
    pub(super) base: u32,
    /// The segment whose header has the digest.
    pub(super) check: u32,
    pub(super) digest: u64,
    /// The oldest segment that was needed then.
    pub(super) oldest: u32,
}

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Writes the list that is due as the first record of the segment that was just opened; false when it did not stick.
    pub(super) async fn write_list(&mut self) -> Result<bool, Stop<F::Error>> {
        let sequence = self.state.log.end.sequence;
        let due = self.state.list_from > 0 || sequence.is_multiple_of(ROUND);
        // Inside a run heads are not what a replay finds.
        if !due || self.state.log.run == Run::Begun || sequence - self.state.log.tail <= NEWER + ROUND {
            return Ok(true);
        }
        let length = self.compose_list(sequence - NEWER);
        self.write_first(length).await
    }

    /// Writes the mark whose text is in the buffer as the first record of a segment; false when it did not stick. The draft
    /// and its path stay: they are of the record that comes next.
    async fn write_first(&mut self, inline: usize) -> Result<bool, Stop<F::Error>> {
        let shape = Shape::single(Kind::Mark, 1, inline);
        self.state.record = Record { at: self.state.log.end, shape, link: 0, hash: 0, class: Class::Mark };
        let pointers = core::mem::take(&mut self.state.path.length);
        self.seal();
        self.state.path.length = pointers;
        let good = self.program(self.record_length()).await.map_err(Stop::Flash)?;
        if good {
            self.end_behind_record();
        }
        Ok(good)
    }

    /// Says in the first record too that the segment is one of the reserve: should its header be lost.
    pub(super) async fn write_reserve(&mut self) -> Result<bool, Stop<F::Error>> {
        let name = Shape::single(Kind::Mark, 1, 0).name_at::<S>();
        put(self.buffer, name, &[MARK_RESERVE]);
        put_word(self.buffer, name + 1, self.state.log.base);
        self.write_first(4).await
    }

    /// Puts the heads together from lists, and says from where on the log must be read. `None`: the lists don't cover all
    /// buckets, or to read it all is no more.
    pub(super) async fn read_lists(&mut self, newest: u32) -> Option<Start> {
        self.heads.fill(Pointer::UNLISTED);
        let mut left = self.heads.len();
        let mut start: Option<Start> = None;
        let mut sequence = newest;
        for _ in 0..LOOK_BACK {
            if !self.header(sequence).await {
                return None;
            }
            let previous = self.state.header.get(PREVIOUS);
            let digest = self.state.header.long(DIGEST);
            if start.is_none() && digest != NO_DIGEST {
                let oldest = self.state.header.get(OLDEST);
                start = Some(Start { base: sequence, check: sequence, digest, oldest });
            }
            let first = Position::new(sequence, self.header_length());
            if let Some(start) = &mut start
                && self.load(first, 0).await
                && self.mark() == MARK_LIST
            {
                start.base = start.base.min(self.take_list(&mut left)?);
                if left == 0 {
                    return Some(*start).filter(|start| start.base > self.state.replay.oldest);
                }
            }
            if previous >= sequence {
                return None;
            }
            sequence = previous;
        }
        None
    }

    /// Reads the tags of the heads that came from lists. What can't be read stays unknown, and no digest fits it.
    pub(super) async fn learn_tags(&mut self) {
        for bucket in 0..self.heads.len() {
            let head = self.head(bucket);
            if head.is_empty() || head.is_known() || !self.peek(self.position(head), self.sizes().padded(PEEK)).await {
                continue;
            }
            let tag = length_u32(self.state.record.shape.associated::<S>());
            let end = self.sizes().padded(tag + 4);
            if self.fetch(self.sizes().padded(PEEK), end).await {
                let Record { at, .. } = self.state.record;
                let known =
                    Pointer::new::<S>(&self.sizes(), self.address(at), self.record_length(), self.word(tag as usize));
                self.put_head(bucket, known);
            }
        }
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Most bytes of a list behind its name.
    fn list_max(&self) -> usize {
        (self.sizes().segment as usize / 32).clamp(64, 512)
    }

    /// Bytes that a list takes in its segment, at most.
    pub(super) fn list_room(&self) -> u32 {
        if C::SMALL { 0 } else { self.padded_length(Shape::single(Kind::Mark, 1, self.list_max())) }
    }

    /// Bytes that say a place.
    fn place_bytes(&self) -> usize {
        self.sizes().place_bits.div_ceil(8) as usize
    }

    /// Puts the list of heads older than `base` together in the buffer, from the bucket on at which the last one ended.
    /// Returns its length behind the name.
    fn compose_list(&mut self, base: u32) -> usize {
        let name = Shape::single(Kind::Mark, 1, 0).name_at::<S>();
        let (text, width, tail) = (name + 1, self.place_bytes(), self.state.log.tail);
        let (from, most) = (usize::from(self.state.list_from), self.list_max());
        let mut length = FIXED;
        // The bucket from which the next entry counts.
        let mut last = from;
        let mut bucket = from;
        while bucket < self.heads.len() && length + 1 + width < most {
            if bucket - last == SKIP {
                put(self.buffer, text + length, &[u8::MAX]);
                length += 1;
                last = bucket;
            }
            let head = self.head(bucket);
            let lies = self.position(head).sequence;
            if !head.is_empty() && lies < base && lies >= tail {
                let [skipped, ..] = (bucket - last).to_le_bytes();
                put(self.buffer, text + length, &[skipped]);
                put_word(self.buffer, text + length + 1, head.place(&self.sizes()));
                length += 1 + width;
                last = bucket + 1;
            }
            bucket += 1;
        }
        put(self.buffer, name, &[MARK_LIST]);
        put_word(self.buffer, text, length_u32(from) | length_u32(bucket) << 16);
        put_word(self.buffer, text + 4, base);
        self.state.list_from = if bucket < self.heads.len() { u16::try_from(bucket).unwrap_or_default() } else { 0 };
        length
    }

    /// Takes what the list in the buffer says of buckets that no newer one spoke of, `left` of them so far. Returns its
    /// base; `None`: it makes no sense.
    fn take_list(&mut self, left: &mut usize) -> Option<u32> {
        let (text, width) = (self.inline_at(), self.place_bytes());
        let stretch = self.word(text);
        let (mut bucket, to) = ((stretch & 0xffff) as usize, (stretch >> 16) as usize);
        let end = text + self.state.record.shape.inline();
        let mask = u32::MAX >> (32 - 8 * length_u32(width));
        let mut at = text + FIXED;
        while at < end {
            let skipped = usize::from(*self.buffer.get(at)?);
            self.list_empty(bucket..bucket + skipped, left);
            bucket += skipped;
            at += 1;
            if skipped < SKIP {
                let place = self.word(at) & mask;
                self.list(bucket, Pointer::of_place(place), left);
                bucket += 1;
                at += width;
            }
        }
        self.list_empty(bucket..to, left);
        Some(self.word(text + 4)).filter(|_| bucket <= to && to <= self.heads.len() && at == end)
    }

    fn list_empty(&mut self, buckets: core::ops::Range<usize>, left: &mut usize) {
        for bucket in buckets {
            self.list(bucket, Pointer::EMPTY, left);
        }
    }

    /// A list says this of a bucket; a newer one has the better word.
    fn list(&mut self, bucket: usize, head: Pointer, left: &mut usize) {
        if self.head(bucket) == Pointer::UNLISTED {
            self.put_head(bucket, head);
            *left -= 1;
        }
    }
}
