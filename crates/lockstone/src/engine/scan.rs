//! Scan: reads a segment's records in order, over holes, and tells a tear from damage.
//!
//! ```text
//! header | r1 | r2 | r3 | ~~~~ hole ~~~~ | r3' RESUME | r4 | (never written)
//!                    ^ a cut came while something was written here; the next boot wrote r3 again, a cell further on,
//!                      in a record that says "what counts ended before r3": only that hole is legal
//! ```
//!
//! An unreadable place is a hole if a resume record names it, a torn end if nothing readable follows, and damage
//! otherwise. Up to two records before the unreadable place may belong to the hole: the one that was written again, and
//! one that could not be read when the hole was declared and can be read now (marginal cells). Of several resume
//! records that fit, the last counts: those before were cut themselves.
//!
//! Invariant: a scan moves forward with every step and ends after at most one step for each unit of the segment.

use super::{NorFlash, Store, one_source};
use crate::format::header::{FLAGS, PREVIOUS, PREVIOUS_END, PREVIOUS_LINK};
use crate::format::record::RESUME;
use crate::layout::Position;
use crate::seal::Suite;
use crate::state::{NOWHERE, Scan};
use crate::trust::MonotonicCounter;

/// What a step of a scan found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A record that counts, unsealed in the buffer; [`Scan::undone`] records before it don't any more.
    Record,
    /// Something unreadable where the scan stood, though it was written and counted.
    Damaged,
    /// No more records.
    End,
}

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Begins a scan at the first record of a segment; false when the segment's header can't be read.
    pub(super) async fn enter(&mut self, sequence: u32) -> bool {
        let log_end = self.state.log.end;
        let end = if sequence == log_end.sequence { log_end.offset } else { self.sizes().segment };
        self.state.scan = Scan { sequence, end, ..Scan::NOWHERE };
        if self.next_segment(sequence).await.is_some() && self.state.header.get(PREVIOUS) == sequence {
            self.state.scan.end = self.state.scan.end.min(self.state.header.get(PREVIOUS_END) & !FLAGS);
            self.state.scan.end_link = self.state.header.get(PREVIOUS_LINK);
        }
        let good = self.header(sequence).await;
        self.state.scan.begin(self.header_length(), if good { self.state.record.link } else { 0 });
        good
    }

    /// The next segment whose header can be read; it is in the buffer.
    pub(super) async fn next_segment(&mut self, sequence: u32) -> Option<u32> {
        let mut next = sequence;
        while next < self.state.log.end.sequence {
            next += 1;
            if self.header(next).await {
                return Some(next);
            }
        }
        None
    }

    /// The next step.
    pub(super) async fn step(&mut self) -> Step {
        let at = self.state.scan.at();
        if at.offset >= self.state.scan.end {
            // The segment must end with the record that the next header names: else it's of another history.
            let (link, named) = (self.state.scan.trail[0].link, self.state.scan.end_link);
            if S::LINK == 0 || link == 0 || named == 0 || link == named {
                return Step::End;
            }
            self.state.scan.trail[0].link = 0;
            return Step::Damaged;
        }
        if !self.load(at, 0).await {
            return self.cross().await;
        }
        if self.pass_record() {
            return Step::Record;
        }
        // A genuine record that does not belong behind the one before it: spliced from another history.
        self.state.scan.begin(self.after().offset, self.state.record.link);
        Step::Damaged
    }

    /// Crosses an unreadable place.
    async fn cross(&mut self) -> Step {
        let from = self.state.scan.at();
        let open = self.is_open_ended();
        if open && self.state.scan.end == self.sizes().segment {
            self.state.scan.end = self.written_end(from).await;
        }
        let limit = self.state.scan.end;
        if self.find_resume(limit).await {
            return Step::Record;
        }
        let mut at = from;
        loop {
            at.offset += self.sizes().unit;
            if at.offset >= limit {
                break;
            }
            if !self.load(at, 0).await {
                continue;
            }
            // A marginal resume record may read well only the second time.
            if self.state.record.shape.has(RESUME) && self.pass_record() {
                return Step::Record;
            }
            self.state.scan.begin(at.offset, 0);
            return Step::Damaged;
        }
        if open {
            return Step::End;
        }
        self.state.scan.trail[0].offset = limit;
        Step::Damaged
    }

    /// Passes the last resume record before `limit` whose hole begins at a boundary we know; one with a record behind
    /// it is the last. False: there is none.
    async fn find_resume(&mut self, limit: u32) -> bool {
        let mut at = self.state.scan.at();
        let mut found = NOWHERE;
        loop {
            at.offset = (at.offset + 1).next_multiple_of(self.sizes().cell);
            if at.offset >= limit {
                break;
            }
            if !self.load(at, 0).await || !self.state.record.shape.has(RESUME) || self.fit().is_none() {
                continue;
            }
            found = at;
            let link = self.state.record.link;
            if self.load(self.after(), 0).await && self.is_linked(link) {
                break;
            }
        }
        found != NOWHERE && self.load(found, 0).await && self.pass_record()
    }

    /// Where the last written unit behind `from` ends. Looks on to the end of the segment: a power cut leaves no long
    /// blank stretch before a record, but whoever blanks one would bring back what lies behind it when the log has
    /// grown there.
    pub(super) async fn written_end(&mut self, from: Position) -> u32 {
        let layout = self.sizes();
        let mut at = from;
        let mut end = from.offset;
        while at.offset < layout.segment {
            let next = (at.offset + 1).next_multiple_of(layout.cell).min(layout.segment);
            let written = self.written_in(at, next - at.offset).await;
            if written > 0 {
                end = layout.padded(at.offset + written);
            }
            at.offset = next;
        }
        end
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Whether the log ends in the scan's segment, so that no header says where.
    pub(super) fn is_open_ended(&self) -> bool {
        self.state.scan.sequence >= self.state.log.end.sequence
    }

    /// How many records the record in the buffer undoes, if it belongs here: it begins where the scan stands, or
    /// closes a hole that begins at one of the last boundaries, and is linked to what comes before that.
    fn fit(&self) -> Option<usize> {
        let resumes = self.state.record.shape.has(RESUME);
        let start = if resumes { self.field(RESUME) } else { self.state.record.at.offset };
        self.state.scan.trail.iter().position(|boundary| boundary.offset == start && self.is_linked(boundary.link))
    }

    /// Passes the record in the buffer, if it belongs here.
    fn pass_record(&mut self) -> bool {
        let Some(undone) = self.fit() else { return false };
        self.state.scan.pass(undone, self.after().offset, self.state.record.link);
        true
    }
}
