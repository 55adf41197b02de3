//! Look: shows segments and records to tools. Reads only, and changes no state that counts.

use super::load::length_u32;
use super::scan::Step;
use super::{Class, NorFlash, Store, one_source};
use crate::error::Error;
use crate::format::record::{FIRST, MORE, RESUME};
use crate::inspect::{Liveness, PendingResume, RecordKind, RecordView, SegmentState, SegmentView, Sight};
use crate::layout::Position;
use crate::seal::Suite;

#[one_source]
impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    /// Looks at the segment in place `physical`, and shows all that it has of the log, in order.
    ///
    /// # Errors
    /// As [`get`](Self::get), when a call before it did not end and the flash must be looked at again. Damage is shown,
    /// not returned.
    pub async fn look(
        &mut self,
        physical: u32,
        show: &mut dyn FnMut(Sight<'_>),
    ) -> Result<SegmentView, Error<F::Error>> {
        self.ready().await?;
        let newest = self.log.end.sequence;
        let back = (self.layout.physical(newest) + self.layout.segments - physical.min(self.layout.segments - 1))
            % self.layout.segments;
        let sequence = newest.checked_sub(back);
        let (state, erases) = match sequence {
            Some(sequence) => self.state_of(sequence).await,
            None => (self.state_of_unused(physical).await, None),
        };
        let header_bytes = self.header_length();
        let mut view = SegmentView { physical, state, sequence, erases, header_bytes, end: header_bytes };
        if let (Some(sequence), SegmentState::Log | SegmentState::HeaderLost) = (sequence, state) {
            view.end = self.show_records(sequence, show).await;
        }
        Ok(view)
    }

    async fn state_of(&mut self, sequence: u32) -> (SegmentState, Option<u32>) {
        let needed = sequence >= self.log.tail.sequence;
        let header = self.header(sequence).await;
        let state = match header {
            Some(_) if needed => SegmentState::Log,
            Some(_) => SegmentState::Freed,
            None if self.is_retired(sequence).await => SegmentState::Retired,
            None if needed => SegmentState::HeaderLost,
            None => self.state_of_unused(self.layout.physical(sequence)).await,
        };
        (state, header.map(|(header, _)| header.erases))
    }

    async fn state_of_unused(&mut self, physical: u32) -> SegmentState {
        let at = Position::new(physical, 0);
        if self.written_in(at, self.header_length()).await.is_none() {
            return SegmentState::Blank;
        }
        match self.header_in_buffer().map(|(header, _)| header.sequence) {
            Some(sequence) if self.layout.physical(sequence) != physical => SegmentState::Misplaced,
            Some(sequence) if sequence > self.log.end.sequence => SegmentState::Begun,
            Some(_) => SegmentState::Freed,
            None => SegmentState::Unknown,
        }
    }

    async fn show_records(&mut self, sequence: u32, show: &mut dyn FnMut(Sight<'_>)) -> u32 {
        let mut scan = self.enter(sequence, self.log.end.sequence).await;
        loop {
            match self.step(&mut scan, None).await {
                Step::Record { record, undone } => {
                    let mut name = [0; 255];
                    let length = self.name(record.shape).len();
                    let named = name.get_mut(..length).unwrap_or_default();
                    named.copy_from_slice(self.name(record.shape));
                    let (shape, fields) = (record.shape, self.fields(record.shape));
                    let (facts, value_bytes) = (self.facts(shape), self.value_length(shape));
                    let kind = match facts.class {
                        Class::Key => RecordKind::Entry,
                        Class::System => RecordKind::Retirement,
                        Class::Chunk => RecordKind::Chunk,
                        Class::Tombstone => RecordKind::Tombstone,
                        Class::Mark => RecordKind::of_mark(named),
                    };
                    let liveness = match facts.class {
                        Class::Mark => Liveness::Mark,
                        _ => self.liveness(facts.hash, record.at).await,
                    };
                    show(Sight::Record(RecordView {
                        at: record.at,
                        length: record.length,
                        kind,
                        liveness,
                        name: named,
                        client: fields.client,
                        value_bytes,
                        pointers: length_u32(shape.pointers()),
                        first: shape.has(FIRST),
                        more: shape.has(MORE),
                        hole: shape.has(RESUME).then_some(fields.hole_start),
                        undone: length_u32(undone),
                    }));
                }
                Step::Damaged(at) => show(Sight::Damaged(at)),
                Step::End => return scan.at.offset,
            }
        }
    }

    async fn liveness(&mut self, hash: u64, at: Position) -> Liveness {
        match self.walk(hash).await {
            Ok(Some(found)) if found.at == at => Liveness::Live,
            Ok(_) => Liveness::Dead,
            Err(_) => Liveness::Unknown,
        }
    }
}

impl<F, S> Store<'_, F, S> {
    /// Where the first write of this session will go; `None` when it was done.
    pub fn pending_resume(&self) -> Option<PendingResume> {
        let resume = self.log.resume?;
        let sequence = self.log.end.sequence;
        Some(PendingResume {
            hole_start: Position::new(sequence, resume.start),
            place: Position::new(sequence, resume.place),
            copies_last: resume.copy.is_some(),
            before_reads: resume.for_all,
        })
    }

    /// Where the log ends.
    pub const fn end(&self) -> Position {
        self.log.end
    }
}
