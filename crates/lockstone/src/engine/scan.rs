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

use super::{NOWHERE, NorFlash, Store, one_source};
use crate::format::header::{IN_RUN, PREVIOUS, PREVIOUS_END, PREVIOUS_LINK};
use crate::format::record::RESUME;
use crate::layout::Position;
use crate::seal::Suite;

/// Where a scan stands in its segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    /// Sequence number of the segment.
    sequence: u32,
    /// Where the segment's records end, as the next header says.
    pub(super) end: u32,
    /// How the tag of the last record begins, as the next header says; 0: it does not.
    end_link: u32,
    /// Here, and the starts of the last two records, the last one first.
    pub(super) trail: [Boundary; 3],
    /// So many records before the present one don't count any more.
    pub(super) undone: usize,
}

/// Between two records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boundary {
    /// 0: there is none.
    pub(super) offset: u32,
    /// How the tag before it begins; 0: it could not be read.
    pub(super) link: u32,
}

impl Boundary {
    const NONE: Self = Self { offset: 0, link: 0 };
}

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

impl Scan {
    /// In no segment.
    pub(super) const NOWHERE: Self = Self { sequence: 0, end: 0, end_link: 0, trail: [Boundary::NONE; 3], undone: 0 };

    pub(super) fn is_nowhere(&self) -> bool {
        self.end == 0
    }

    pub(super) fn at(&self) -> Position {
        Position::new(self.sequence, self.trail[0].offset)
    }

    /// Goes on at `offset`; nothing before it can be taken back.
    fn begin(&mut self, offset: u32, link: u32) {
        self.trail = [Boundary { offset, link }, Boundary::NONE, Boundary::NONE];
    }

    /// Takes the last `undone` records back, and passes one that ends at `offset`.
    fn pass(&mut self, undone: usize, offset: u32, link: u32) {
        self.undone = undone;
        for _ in 0..undone {
            let [_, last, older] = self.trail;
            self.trail = [last, older, Boundary::NONE];
        }
        let [here, last, _] = self.trail;
        self.trail = [Boundary { offset, link }, here, last];
    }
}

#[one_source]
impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    /// Begins a scan at the first record of a segment; false when the segment's header can't be read.
    pub(super) async fn enter(&mut self, sequence: u32) -> bool {
        self.scan = Scan { sequence, end: self.sizes().segment, ..Scan::NOWHERE };
        if self.next_segment(sequence).await.is_some() && self.word(PREVIOUS) == sequence {
            self.scan.end = self.scan.end.min(self.word(PREVIOUS_END) & !IN_RUN);
            self.scan.end_link = self.word(PREVIOUS_LINK);
        }
        let good = self.header(sequence).await;
        self.scan.begin(self.header_length(), if good { self.record.link } else { 0 });
        good
    }

    /// The next segment whose header can be read; it is in the buffer.
    pub(super) async fn next_segment(&mut self, sequence: u32) -> Option<u32> {
        let mut next = sequence;
        while next < self.log.end.sequence {
            next += 1;
            if self.header(next).await {
                return Some(next);
            }
        }
        None
    }

    /// The next step.
    pub(super) async fn step(&mut self) -> Step {
        let at = self.scan.at();
        if at.offset >= self.scan.end {
            // The segment must end with the record that the next header names: else it's of another history.
            let (link, named) = (self.scan.trail[0].link, self.scan.end_link);
            if link == 0 || named == 0 || link == named {
                return Step::End;
            }
            self.scan.trail[0].link = 0;
            return Step::Damaged;
        }
        if !self.load(at, 0).await {
            return self.cross().await;
        }
        if self.pass_record() {
            return Step::Record;
        }
        // A genuine record that does not belong behind the one before it: spliced from another history.
        self.scan.begin(self.after().offset, self.record.link);
        Step::Damaged
    }

    /// Crosses an unreadable place.
    async fn cross(&mut self) -> Step {
        let from = self.scan.at();
        let open = self.is_open_ended();
        let limit = if open { self.written_end(from).await } else { self.scan.end };
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
            if self.record.shape.has(RESUME) && self.pass_record() {
                return Step::Record;
            }
            self.scan.begin(at.offset, 0);
            return Step::Damaged;
        }
        if open {
            return Step::End;
        }
        self.scan.trail[0].offset = limit;
        Step::Damaged
    }

    /// Passes the last resume record before `limit` whose hole begins at a boundary we know; one with a record behind
    /// it is the last. False: there is none.
    async fn find_resume(&mut self, limit: u32) -> bool {
        let mut at = self.scan.at();
        let mut found = NOWHERE;
        loop {
            at.offset = (at.offset + 1).next_multiple_of(self.sizes().cell);
            if at.offset >= limit {
                break;
            }
            if !self.load(at, 0).await || !self.record.shape.has(RESUME) || self.fit().is_none() {
                continue;
            }
            found = at;
            let link = self.record.link;
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

impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    /// Whether the log ends in the scan's segment, so that no header says where.
    pub(super) fn is_open_ended(&self) -> bool {
        self.scan.sequence >= self.log.end.sequence
    }

    /// How many records the record in the buffer undoes, if it belongs here: it begins where the scan stands, or
    /// closes a hole that begins at one of the last boundaries, and is linked to what comes before that.
    fn fit(&self) -> Option<usize> {
        let resumes = self.record.shape.has(RESUME);
        let start = if resumes { self.field(RESUME) } else { self.record.at.offset };
        self.scan.trail.iter().position(|boundary| boundary.offset == start && self.is_linked(boundary.link))
    }

    /// Passes the record in the buffer, if it belongs here.
    fn pass_record(&mut self) -> bool {
        let Some(undone) = self.fit() else { return false };
        self.scan.pass(undone, self.after().offset, self.record.link);
        true
    }
}
