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

use super::load::Loaded;
use super::{NorFlash, Store, one_source};
use crate::format::record::RESUME;
use crate::layout::Position;
use crate::seal::Suite;

/// Where a scan stands in its segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    pub(super) at: Position,
    /// Where the segment's records end, as the next header says; the newest segment has none.
    pub(super) end: Option<u32>,
    /// How the tag of the last record begins, as the next header says; compared once, at the end.
    end_link: Option<u32>,
    /// Tag before `at`, if it could be read.
    pub(super) link: Option<u32>,
    /// The starts of the last two records, the last one first, and the tags before them.
    pub(super) history: [Option<(u32, Option<u32>)>; 2],
}

impl Scan {
    /// At the first record of a segment. `tag`: of its header.
    pub(super) fn new(at: Position, end: Option<u32>, link: Option<u32>) -> Self {
        Self { at, end, end_link: None, link, history: [None; 2] }
    }

    fn pass(&mut self, record: &Loaded) {
        self.history = [Some((self.at.offset, self.link)), self.history[0]];
        self.step_over(record);
    }

    fn step_over(&mut self, record: &Loaded) {
        self.at.offset = record.after();
        self.link = Some(record.link);
    }

    /// The boundary at `start`, and how many records lie behind it.
    fn boundary(&self, start: u32) -> Option<(usize, Option<u32>)> {
        if start == self.at.offset {
            return Some((0, self.link));
        }
        let past = |index: usize| self.history.get(index).copied().flatten().filter(|(at, _)| *at == start);
        past(0).map(|(_, link)| (1, link)).or_else(|| past(1).map(|(_, link)| (2, link)))
    }

    /// Takes the `undone` last records back and passes the record that replaces them.
    fn resume(&mut self, record: &Loaded, start: u32, link: Option<u32>, undone: usize) {
        let kept = match undone {
            0 => self.history[0],
            1 => self.history[1],
            _ => None,
        };
        self.history = [Some((start, link)), kept];
        self.step_over(record);
    }
}

/// One step of a scan.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A record that counts, unsealed in the buffer; `undone` records before it don't any more.
    Record { record: Loaded, undone: usize },
    /// Something unreadable here, though it was written and counted.
    Damaged(Position),
    /// No more records.
    End,
}

#[one_source]
impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    /// A scan from the first record of a segment. `newest`: the segment at which the log ends.
    pub(super) async fn enter(&mut self, sequence: u32, newest: u32) -> Scan {
        let end = match self.next_segment(sequence, newest).await {
            Some(next) => self.header(next).await.filter(|(header, _)| header.previous == sequence),
            None => None,
        };
        let (end, end_link) = match end {
            Some((header, _)) => (Some(header.previous_end.min(self.layout.segment)), Some(header.previous_link)),
            None if sequence == newest => (None, None),
            None => (Some(self.layout.segment), None),
        };
        let link = self.header(sequence).await.map(|(_, link)| link);
        let start = Position::new(sequence, self.header_length());
        Scan { end_link, ..Scan::new(start, end, link) }
    }

    /// The next segment whose header can be read.
    pub(super) async fn next_segment(&mut self, sequence: u32, newest: u32) -> Option<u32> {
        let mut next = sequence + 1;
        while next <= newest {
            if self.header(next).await.is_some() {
                return Some(next);
            }
            next += 1;
        }
        None
    }

    /// The next step. `void`: a record that was found unreadable before and does not count even if it reads well now.
    pub(super) async fn step(&mut self, scan: &mut Scan, void: Option<Position>) -> Step {
        if scan.at.offset >= scan.end.unwrap_or(self.layout.segment) {
            // The segment must end with the record that the next header names: else it's of another history.
            let named = scan.end_link.take();
            let other = scan.link.zip(named).is_some_and(|(link, named)| link != named);
            return if other { Step::Damaged(scan.at) } else { Step::End };
        }
        let loaded = if void == Some(scan.at) { None } else { self.load(scan.at, None).await };
        match loaded {
            Some(record) if record.shape.has(RESUME) => match self.fit(scan, &record) {
                Some((undone, link, start)) => {
                    scan.resume(&record, start, link, undone);
                    Step::Record { record, undone }
                }
                None => self.stray(scan, &record),
            },
            Some(record) if self.is_linked(scan.link) => {
                scan.pass(&record);
                Step::Record { record, undone: 0 }
            }
            Some(record) => self.stray(scan, &record),
            None => self.cross(scan, void).await,
        }
    }

    /// Crosses an unreadable place.
    async fn cross(&mut self, scan: &mut Scan, void: Option<Position>) -> Step {
        let limit = match scan.end {
            Some(end) => end,
            None => self.written_end(scan.at).await,
        };
        if let Some((record, start, link, undone)) = self.find_resume(scan, limit).await {
            scan.resume(&record, start, link, undone);
            return Step::Record { record, undone };
        }
        let damaged = Step::Damaged(scan.at);
        let mut at = scan.at;
        at.offset += self.layout.unit;
        while at.offset < limit {
            let found = if void == Some(at) { None } else { self.load(at, None).await };
            if let Some(record) = found {
                // A marginal resume record may read well only the second time.
                if let Some((undone, link, start)) = self.fit(scan, &record).filter(|_| record.shape.has(RESUME)) {
                    scan.resume(&record, start, link, undone);
                    return Step::Record { record, undone };
                }
                scan.at = at;
                scan.link = None;
                scan.history = [None; 2];
                return damaged;
            }
            at.offset += self.layout.unit;
        }
        match scan.end {
            Some(end) => {
                scan.at.offset = end;
                damaged
            }
            None => Step::End,
        }
    }

    /// The last resume record before `limit` whose hole begins at a boundary we know; one with a record behind it is the
    /// last. Its text is in the buffer.
    async fn find_resume(&mut self, scan: &Scan, limit: u32) -> Option<(Loaded, u32, Option<u32>, usize)> {
        let cell = self.layout.cell;
        let mut at = scan.at;
        let mut found = None;
        loop {
            at.offset = (at.offset + 1).next_multiple_of(cell);
            if at.offset >= limit {
                break;
            }
            if !self.peek(at).await.is_some_and(|shape| shape.has(RESUME)) {
                continue;
            }
            let Some(record) = self.load(at, None).await else { continue };
            let Some((undone, link, start)) = self.fit(scan, &record).filter(|_| record.shape.has(RESUME)) else {
                continue;
            };
            found = Some((record, start, link, undone));
            let next = Position::new(at.sequence, record.after());
            if self.load(next, None).await.is_some() && self.is_linked(Some(record.link)) {
                break;
            }
        }
        let (record, ..) = found?;
        self.load(record.at, None).await.and(found)
    }

    /// Where the last written unit behind `from` ends. Looks on to the end of the segment: a power cut leaves no long blank
    /// stretch before a record, but whoever blanks one would bring back what lies behind it when the log has grown there.
    pub(super) async fn written_end(&mut self, from: Position) -> u32 {
        let cell = self.layout.cell;
        let mut at = from;
        let mut end = from.offset;
        while at.offset < self.layout.segment {
            let length = (cell - at.offset % cell).min(self.layout.segment - at.offset);
            if let Some(written) = self.written_in(at, length).await {
                end = (at.offset + written).next_multiple_of(self.layout.unit);
            }
            at.offset += length;
        }
        end
    }
}

impl<F, S: Suite> Store<'_, F, S> {
    /// Whether the record in the buffer follows the one with this tag.
    pub(super) fn is_linked(&self, link: Option<u32>) -> bool {
        S::LINK == 0 || link.is_none_or(|link| self.link() == link.to_le_bytes())
    }

    /// Whether the resume record in the buffer fits the scan: undone records, tag before its hole, start of its hole.
    fn fit(&self, scan: &Scan, record: &Loaded) -> Option<(usize, Option<u32>, u32)> {
        let start = self.fields(record.shape).hole_start;
        let (undone, link) = scan.boundary(start)?;
        self.is_linked(link).then_some((undone, link, start))
    }

    /// A genuine record that does not belong behind the one before it: spliced from another history.
    fn stray(&self, scan: &mut Scan, record: &Loaded) -> Step {
        let at = scan.at;
        scan.step_over(record);
        scan.history = [None; 2];
        Step::Damaged(at)
    }
}
