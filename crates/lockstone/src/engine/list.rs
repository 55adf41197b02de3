//! List: marks that say where old heads are, so that a mount needn't read the whole log.
//!
//! ```text
//! oldest                                        newest
//! | L . . . | L . . . | L . . . | L . . . | ... | L . . .      a list stands first in its segment
//!             │ └────────────┐    └──────────┐
//!             └ heads that lie in the segment before, as they were when it was written
//! ```
//!
//! Most records were overtaken before their segment ended, so the list of those that were not is short, and so is a mount: it
//! reads the lists from the newest to the oldest, of each bucket the first word counts, and then the newest segment. A list
//! that does not hold all goes on in the next segment, round and round over the buckets, and of each it names a head that came
//! since the last list that spoke of it. A bucket that no list names is empty.
//!
//! A list is trusted for places alone. Which record lies there is settled by the digest of all heads in a header, as after
//! a replay of the whole log: the tags that it covers are read from the records. Whenever anything does not fit, or is
//! missing, the whole log is read.

use super::load::length_u32;
use super::{NorFlash, Store, one_source};
use crate::error::Stop;
use crate::format::header::{Class, DIGEST, NO_DIGEST, OLDEST, PREVIOUS};
use crate::format::pointer::Pointer;
use crate::format::record::{Kind, MARK_LIST, MARK_RESERVE, MORE, Shape};
use crate::format::{put, put_word};
use crate::layout::{Layout, Position, REFERENCE_BITS};
use crate::seal::Suite;
use crate::state::{Draft, NOWHERE, Record, Run};
use crate::trust::MonotonicCounter;

/// A log of so many segments is read as fast without lists.
const SHORT: u32 = 2;
/// First bucket, number of buckets, and segments before this one that heads are named of.
const FIXED: usize = 7;
/// In the last of these: all but the last one.
const BUT_LAST: u32 = 1 << 23;
/// In the same: those segments are the whole log, and nothing in them that is a head of these buckets is left out.
const ALL: u32 = 1 << 22;
/// Most bytes of a list: a record says how long it is in 10 bits.
const LONGEST: usize = 1000;
/// Bits of an entry that at least say how many buckets are skipped.
const SKIP_BITS: u32 = 4;
/// So many segments after lists that named all heads it's time for such lists again, on a part of few segments and on others.
const OFTEN: u32 = 24;
/// See [`OFTEN`].
const RARELY: u32 = 64;
/// Segments of a part of few.
const FEW: u32 = 128;
/// So many segments back a writer looks for the list that spoke of a bucket last.
const LOOK_BACK: u32 = 64;

/// What lists have not said yet.
#[derive(Clone, Copy, Debug)]
struct Left {
    /// Buckets that none spoke of.
    unlisted: usize,
    /// Buckets whose head is not known: those, and the ones of which only older lists can say it.
    unknown: usize,
}

/// What a list is about: heads of some buckets in the segments from `base` to the one before `end`, and how an entry is packed:
/// places count units from the beginning of the first.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    base: u32,
    end: u32,
    /// Bits of a place; those above it say how many buckets are skipped.
    place_bits: u32,
    /// Bytes of an entry.
    width: usize,
    /// So many buckets are skipped without naming the next.
    skip_max: u32,
}

impl Stretch {
    fn new(layout: &Layout, base: u32, end: u32) -> Self {
        // No part has more, whatever a list says.
        let places = end.saturating_sub(base).saturating_mul(layout.segment / layout.unit).min(1 << REFERENCE_BITS);
        let place_bits = u32::BITS - places.saturating_sub(1).leading_zeros();
        let width = (place_bits + SKIP_BITS).div_ceil(8);
        let skip_max = u32::MAX >> (32 - (8 * width - place_bits));
        Self { base, end, place_bits, width: width as usize, skip_max }
    }
}

/// Which buckets a list speaks of, and of heads before which segment.
#[derive(Clone, Copy, Debug)]
struct Spoken {
    from: usize,
    count: usize,
    end: u32,
    all: bool,
}

impl Spoken {
    const NOTHING: Self = Self { from: 0, count: 0, end: 0, all: false };

    /// Whether it speaks of this one of so many buckets.
    const fn of(&self, bucket: usize, heads: usize) -> bool {
        (if bucket < self.from { bucket + heads } else { bucket }) - self.from < self.count
    }
}

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
    // Not inlined, as reading lists and tags below: the stack of their callers is deeper elsewhere.
    #[inline(never)]
    pub(super) async fn write_list(&mut self) -> Result<bool, Stop<F::Error>> {
        let (sequence, tail) = (self.state.log.end.sequence, self.state.log.tail);
        // Inside a run heads are not what a replay finds.
        if self.state.log.run == Run::Begun || sequence - tail <= SHORT {
            return Ok(true);
        }
        let heads = self.heads.len();
        if sequence.saturating_sub(self.state.list_full) >= self.full_after() && self.has_room_for_all() {
            let stretch = Stretch::new(&self.sizes(), tail, sequence);
            let mut from = 0;
            while from < heads {
                let (length, count) = self.compose_list(&stretch, None, from, heads - from);
                if !self.write_first(length).await? {
                    return Ok(false);
                }
                from += count;
            }
            self.pass_list(sequence, Spoken { from: 0, count: heads, end: sequence, all: true });
            return Ok(true);
        }
        let from = usize::from(self.state.list_from);
        let (base, newest) = self.spoken_of(from).await;
        let stretch = Stretch::new(&self.sizes(), base.max(tail), self.last_listed(sequence));
        let (length, count) = self.compose_list(&stretch, Some(newest), from, heads);
        if self.state.list_whole && length <= self.list_max() / 2 && stretch.end - stretch.base <= 1 {
            // So few of one segment: the next list names them with those of the next, or rather what is left of them.
            return Ok(true);
        }
        let good = self.write_first(length).await?;
        if good {
            self.pass_list(sequence, Spoken { from, count, end: stretch.end, all: false });
        }
        Ok(good)
    }

    /// Up to which segment lists speak of heads of a bucket, 0: none of use does; and what the newest list speaks of.
    async fn spoken_of(&mut self, bucket: usize) -> (u32, Spoken) {
        let since = self.state.list_since;
        let mut newest = Spoken::NOTHING;
        if self.state.list_whole {
            return (since, newest);
        }
        let oldest = self.state.log.tail.max(since);
        let mut sequence = self.state.log.end.sequence;
        // A round of more lists than that ends before its beginning is found again.
        let long = self.heads.len() > LOOK_BACK as usize * self.list_max() / 2;
        for _ in 0..if long { 0 } else { LOOK_BACK } {
            if sequence <= oldest {
                break;
            }
            sequence -= 1;
            let mut at = Position::new(sequence, self.header_length());
            loop {
                let spoken = self.load_list(at).await.unwrap_or(Spoken::NOTHING);
                if spoken.of(bucket, self.heads.len()) {
                    return (spoken.end, if newest.count == 0 { spoken } else { newest });
                }
                if newest.count == 0 {
                    newest = spoken;
                }
                if !spoken.all {
                    break;
                }
                at = self.after();
            }
        }
        (0, newest)
    }

    /// Reads the list at a place: another record speaks of nothing. `None`: there is no good record.
    async fn load_list(&mut self, at: Position) -> Option<Spoken> {
        let good = self.load(at, 0).await;
        good.then(|| if self.mark() == MARK_LIST { self.spoken() } else { Spoken::NOTHING })
    }

    /// Writes the mark whose text is in the buffer as the first record of a segment; false when it did not stick. The draft
    /// and its path stay: they are of the record that comes next.
    async fn write_first(&mut self, inline: usize) -> Result<bool, Stop<F::Error>> {
        let shape = Shape::single(Kind::Mark, 1, inline);
        self.state.record = Record { at: self.state.log.end, shape, link: 0, hash: 0, class: Class::Mark };
        let pointers = core::mem::take(&mut self.state.path.length);
        self.seal().await;
        self.state.path.length = pointers;
        let good = self.program(self.record_length()).await.map_err(Stop::Flash)?;
        if good {
            self.pass_first();
            self.end_behind_record();
        }
        Ok(good)
    }

    /// Says in the first record too that the segment is one of the reserve: should its header be lost.
    pub(super) async fn write_reserve(&mut self) -> Result<bool, Stop<F::Error>> {
        let name = Shape::single(Kind::Mark, 1, 0).name_at::<S, C>();
        put(self.buffer, name, &[MARK_RESERVE]);
        put_word(self.buffer, name + 1, self.state.log.base);
        self.write_first(4).await
    }

    /// Puts the heads together from lists, and says from where on the log must be read. `None`: the lists don't say all, or to
    /// read it all is no more.
    #[inline(never)]
    pub(super) async fn read_lists(&mut self, newest: u32) -> Option<Start> {
        self.heads.fill(Pointer::UNLISTED);
        let mut left = Left { unlisted: self.heads.len(), unknown: self.heads.len() };
        let mut start = self.find_check(newest).await?;
        // What was freed since then must still be there: the digest is of heads in it too.
        let oldest = start.oldest;
        let mut sequence = start.base;
        // Numbers of retired segments, which nothing speaks of.
        let mut bad = self.state.before.bad();
        while sequence > oldest && left.unknown > 0 {
            let mut at = Position::new(sequence, self.header_length());
            let mut found = false;
            while let Some(spoken) = self.load_list(at).await {
                found = true;
                if spoken.count == 0 {
                    break;
                }
                if left.unlisted > 0 {
                    start.base = start.base.min(spoken.end);
                }
                self.take_list(spoken, oldest, &mut left)?;
                if !spoken.all {
                    break;
                }
                self.state.list_full = self.state.list_full.max(sequence);
                at = self.after();
            }
            if !found && self.header(sequence).await && self.state.header.get(PREVIOUS) < sequence {
                sequence = self.state.header.get(PREVIOUS);
                continue;
            }
            if !found {
                bad = bad.checked_sub(1)?;
            }
            sequence -= 1;
        }
        for _ in 0..=self.state.before.bad() {
            if start.base <= oldest || self.header(start.base).await {
                break;
            }
            start.base -= 1;
        }
        for head in self.heads.iter_mut().filter(|head| **head == Pointer::OLDER) {
            *head = Pointer::EMPTY;
        }
        Some(start).filter(|start| left.unlisted == 0 && start.base > oldest)
    }

    /// The newest segment whose header has a digest: from there on all is read.
    async fn find_check(&mut self, newest: u32) -> Option<Start> {
        let mut sequence = newest;
        for _ in 0..self.sizes().segments {
            if !self.header(sequence).await {
                return None;
            }
            let digest = self.state.header.long(DIGEST);
            if digest != NO_DIGEST {
                let oldest = self.state.header.get(OLDEST);
                return Some(Start { base: sequence, check: sequence, digest, oldest });
            }
            sequence = self.state.header.get(PREVIOUS);
        }
        None
    }

    /// Reads the tags of the heads that came from lists. What can't be read stays unknown, and no digest fits it.
    #[inline(never)]
    pub(super) async fn learn_tags(&mut self) {
        for bucket in 0..self.heads.len() {
            let head = self.head(bucket);
            let unit = self.sizes().unit;
            if head.is_empty() || head.is_known() || !self.peek(self.position(head), unit).await {
                continue;
            }
            let tag = length_u32(self.state.record.shape.tag_at::<S, C>());
            let (from, end) = (unit.max(tag - tag % unit), self.sizes().padded(tag + 4));
            if self.fetch(from, end).await {
                self.state.record.link = self.word(tag as usize);
                let known = self.pointer_here(self.first_length(self.state.record.shape));
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
        let longest = self.list_max().min(FIXED + 4 * (self.heads.len() + 1));
        if C::SMALL { 0 } else { self.padded_length(Shape::single(Kind::Mark, 1, longest)) }
    }

    /// After so many segments lists name all heads again.
    fn full_after(&self) -> u32 {
        if self.sizes().segments <= FEW { OFTEN } else { RARELY }
    }

    /// Most bytes behind the name of one of several lists that name all heads.
    fn full_max(&self) -> usize {
        (self.sizes().body_max as usize).min(LONGEST)
    }

    /// Whether lists that name all heads leave room enough: in the segment for the record that comes next, which nothing else
    /// belongs to, and in the store for all that is in it and such lists beside it. Not while compaction makes room.
    fn has_room_for_all(&self) -> bool {
        let layout = self.sizes();
        let Stretch { width, .. } = Stretch::new(&layout, 0, layout.segments);
        let entries = length_u32(self.heads.len() * width);
        let marks = entries / length_u32(self.full_max() - FIXED - width) + 1;
        let bytes = entries + marks * (self.padded_length(Shape::single(Kind::Mark, 1, FIXED)) + layout.unit);
        let spare = (layout.segments / self.full_after() + 1) * bytes + 2 * layout.segment;
        let Draft { shape, copy, .. } = self.state.draft;
        copy == NOWHERE
            && !shape.has(MORE)
            && bytes + self.header_length() + layout.record_max <= layout.segment
            && self.free_segments(self.state.log.tail) >= self.kept_free()
            && self.needed().saturating_add(spare) <= self.capacity()
    }

    /// The list in a segment speaks of heads up to the one before this: before its own, or one less if many there will be
    /// overtaken before long, or are too many for it.
    fn last_listed(&self, sequence: u32) -> u32 {
        let (mut all, mut last) = (0, 0);
        for head in self.heads.iter().filter(|head| !head.is_empty()) {
            all += 1;
            last += usize::from(self.position(*head).sequence == sequence - 1);
        }
        let Stretch { width, .. } = Stretch::new(&self.sizes(), 0, 1);
        if 4 * last < all && FIXED + last * width <= self.list_max() { sequence } else { sequence - 1 }
    }

    /// Puts the list of heads that lie there together in the buffer, from a bucket on, of at most `buckets`, without those that
    /// the newest list named; none given: one of several that name all. Returns its length behind the name, and of how many
    /// buckets it speaks.
    fn compose_list(
        &mut self,
        stretch: &Stretch,
        newest: Option<Spoken>,
        from: usize,
        buckets: usize,
    ) -> (usize, usize) {
        let Stretch { base, end, place_bits, width, skip_max } = *stretch;
        let (layout, sequence) = (self.sizes(), self.state.log.end.sequence);
        let (most, all) = if newest.is_some() { (self.list_max(), 0) } else { (self.full_max(), ALL) };
        let newest = newest.unwrap_or(Spoken::NOTHING);
        let name = Shape::single(Kind::Mark, 1, 0).name_at::<S, C>();
        let text = name + 1;
        let but_last = if end == sequence { 0 } else { BUT_LAST };
        put(self.buffer, name, &[MARK_LIST]);
        put_word(self.buffer, text + 4, (sequence - base) | but_last | all);
        let mut length = FIXED;
        let (mut count, mut skipped) = (0, 0);
        while count < buckets && length + width <= most {
            let bucket = self.wrapped(from + count);
            let head = self.head(bucket);
            let at = self.position(head);
            let named = newest.of(bucket, self.heads.len()) && at.sequence < newest.end;
            let full = skipped == skip_max;
            let place = match at.sequence.checked_sub(base) {
                _ if full => Some(0),
                Some(segments) if at.sequence < end && !named && !head.is_empty() => {
                    Some((segments * layout.segment + at.offset) / layout.unit)
                }
                _ => None,
            };
            if let Some(place) = place {
                put_word(self.buffer, text + length, place | skipped << place_bits);
                length += width;
                skipped = 0;
            } else {
                skipped += 1;
            }
            count += usize::from(!full);
        }
        put_word(self.buffer, text, length_u32(from) | length_u32(count) << 16);
        (length, count)
    }

    /// A bucket counted on beyond the last one.
    fn wrapped(&self, bucket: usize) -> usize {
        if bucket < self.heads.len() { bucket } else { bucket - self.heads.len() }
    }

    /// What the list in the buffer speaks of; nothing, if no store writes such lists.
    fn spoken(&self) -> Spoken {
        let text = self.inline_at();
        let (stretch, back) = (self.word(text), self.word(text + 4));
        let (from, count) = ((stretch & 0xffff) as usize, (stretch >> 16) as usize);
        let heads = self.heads.len();
        if self.state.record.shape.inline() < FIXED || from >= heads || count > heads {
            return Spoken::NOTHING;
        }
        let end = self.state.record.at.sequence.saturating_sub((back & BUT_LAST) / BUT_LAST);
        Spoken { from, count, end, all: back & ALL != 0 }
    }

    /// The last list is this one, in that segment.
    fn pass_list(&mut self, sequence: u32, spoken: Spoken) {
        let Spoken { from, count, end, all } = spoken;
        self.state.list_whole = count == self.heads.len();
        if self.state.list_whole {
            self.state.list_since = end;
        }
        if all {
            self.state.list_full = sequence;
        }
        self.state.list_from = u16::try_from(self.wrapped(from + count)).unwrap_or_default();
    }

    /// The record in the buffer stands where a list can.
    pub(super) fn pass_first(&mut self) {
        self.state.log.unlisted = self.state.log.unlisted.saturating_sub(self.record_length());
    }

    /// The list in the buffer is the newest so far.
    pub(super) fn note_list(&mut self) {
        let spoken = self.spoken();
        if spoken.count > 0 {
            self.pass_list(self.state.record.at.sequence, spoken);
        }
    }

    /// Takes what the list in the buffer says of buckets that no newer one named a head of. `None`: it makes no sense.
    fn take_list(&mut self, spoken: Spoken, oldest: u32, left: &mut Left) -> Option<()> {
        let layout = self.sizes();
        let text = self.inline_at();
        let Spoken { from, count, end, all } = spoken;
        let base = self.state.record.at.sequence.checked_sub(self.word(text + 4) & (ALL - 1))?;
        let Stretch { place_bits, width, skip_max, .. } = Stretch::new(&layout, base, end);
        let behind = text + self.state.record.shape.inline();
        let per_segment = layout.segment / layout.unit;
        let older = if all && base <= oldest { Pointer::EMPTY } else { Pointer::OLDER };
        let (mut at, mut done) = (text + FIXED, 0);
        loop {
            let entry = self.word(at) & u32::MAX >> (32 - 8 * length_u32(width));
            let (place, skip) = (entry & ((1 << place_bits) - 1), entry >> place_bits);
            let last = at >= behind;
            let next = if last { count } else { done + skip as usize };
            if next > count {
                return None;
            }
            while done < next {
                self.list(from + done, older, left);
                done += 1;
            }
            if last {
                return Some(()).filter(|()| at == behind);
            }
            at += width;
            if skip < skip_max {
                let lies = base + place / per_segment;
                if done == count || lies >= end {
                    return None;
                }
                // What had been freed by then was no head any more.
                let head = if lies < oldest {
                    Pointer::EMPTY
                } else {
                    Pointer::of_place(layout.physical(lies) * per_segment + place % per_segment)
                };
                self.list(from + done, head, left);
                done += 1;
            }
        }
    }

    /// A list says this of a bucket; a newer one has the better word.
    fn list(&mut self, bucket: usize, head: Pointer, left: &mut Left) {
        let bucket = self.wrapped(bucket);
        let known = self.head(bucket);
        let unlisted = known == Pointer::UNLISTED;
        if !unlisted && known != Pointer::OLDER {
            return;
        }
        left.unlisted -= usize::from(unlisted);
        left.unknown -= usize::from(head != Pointer::OLDER);
        self.put_head(bucket, head);
    }
}
