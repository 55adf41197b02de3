//! Look: shows segments and records to tools. Reads only, and changes no state that counts.

use super::load::length_u32;
use super::scan::Step;
use super::{NorFlash, Store, one_source};
use crate::attributes::Attributes;
use crate::error::Error;
use crate::format::header::{Class, ERASES, SEQUENCE};
use crate::format::record::{CLIENT, FIRST, Kind, MORE, RESUME};
use crate::inspect::{Binding, Liveness, PendingResume, RecordKind, RecordView, SegmentState, SegmentView, Sight};
use crate::layout::Position;
use crate::seal::{StoreId, Suite};
use crate::state::NOWHERE;
use crate::trust::epoch::Epoch;
use crate::trust::{MonotonicCounter, Protection};

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
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
        let (newest, segments) = (self.state.log.end.sequence, self.sizes().segments);
        let back = (self.physical(newest) + segments - physical.min(segments - 1)) % segments;
        let sequence = newest.checked_sub(back);
        let (state, erases) = match sequence {
            Some(sequence) => self.state_of(sequence).await,
            None => (self.state_of_unused(physical).await, None),
        };
        let header_bytes = self.header_length();
        let mut view =
            SegmentView { physical, state, sequence, erases, header_bytes, end: header_bytes, signposts_broken: 0 };
        if let (Some(sequence), SegmentState::Log | SegmentState::HeaderLost) = (sequence, state) {
            self.show_records(&mut view, sequence, show).await;
            // Compaction begins its segment again: what it has copied is dead there.
            self.state.scan.leave();
        }
        Ok(view)
    }

    async fn state_of(&mut self, sequence: u32) -> (SegmentState, Option<u32>) {
        let needed = sequence >= self.state.log.tail;
        if self.header(sequence).await {
            let state = if needed { SegmentState::Log } else { SegmentState::Freed };
            return (state, Some(self.state.header.get(ERASES)));
        }
        let state = if self.is_retired(sequence).await {
            SegmentState::Retired
        } else if needed {
            SegmentState::HeaderLost
        } else {
            self.state_of_unused(self.physical(sequence)).await
        };
        (state, None)
    }

    async fn state_of_unused(&mut self, physical: u32) -> SegmentState {
        if self.written_in(Position::new(physical, 0), self.header_length()).await == 0 {
            return SegmentState::Blank;
        }
        if !self.header_in(physical).await {
            return SegmentState::Unknown;
        }
        let sequence = self.state.header.get(SEQUENCE);
        if self.physical(sequence) != physical {
            SegmentState::Misplaced
        } else if sequence > self.state.log.end.sequence {
            SegmentState::Begun
        } else {
            SegmentState::Freed
        }
    }

    /// Shows the records of a segment, and notes where they end.
    async fn show_records(&mut self, view: &mut SegmentView, sequence: u32, show: &mut dyn FnMut(Sight<'_>)) {
        self.enter(sequence).await;
        loop {
            let at = self.state.scan.at();
            match self.step().await {
                Step::Record => {
                    // One that a cut may have left marginal is written again anyway.
                    let settled = self.state.record.at != self.state.log.copy;
                    view.signposts_broken += u32::from(settled && self.has_broken_signpost());
                    self.show_record(show).await;
                }
                Step::Damaged => show(Sight::Damaged(at)),
                Step::End => break,
            }
        }
        view.end = self.state.scan.at().offset;
    }

    async fn show_record(&mut self, show: &mut dyn FnMut(Sight<'_>)) {
        let record = self.state.record;
        let (length, client, value_bytes) = (self.record_length(), self.field(CLIENT), self.value_length());
        let hole = record.shape.has(RESUME).then(|| self.field(RESUME));
        let (mut bytes, named) = ([0; 255], self.name().len());
        let name = bytes.get_mut(..named).unwrap_or_default();
        name.copy_from_slice(self.name());
        let copy = self.attributes().any(Attributes::COPY);
        let counter = self.bound_epoch().map(Epoch::value);
        let kind = match record.class {
            Class::Key => RecordKind::Entry,
            Class::System => RecordKind::Retirement,
            Class::Chunk if record.shape.kind() == Kind::Entry => RecordKind::of_entry(name, copy),
            Class::Chunk => RecordKind::Chunk,
            Class::Tombstone => RecordKind::Tombstone,
            Class::Mark => RecordKind::of_mark(name),
        };
        let liveness = match record.class {
            Class::Mark => Liveness::Mark,
            _ => self.liveness(record.hash, record.at).await,
        };
        show(Sight::Record(RecordView {
            at: record.at,
            length,
            kind,
            liveness,
            name,
            client,
            value_bytes,
            counter,
            pointers: length_u32(record.shape.pointers::<C>()),
            first: record.shape.has(FIRST),
            more: record.shape.has(MORE),
            hole,
            undone: self.state.scan.undone.into(),
        }));
    }

    async fn liveness(&mut self, hash: u64, at: Position) -> Liveness {
        let walked = self.walk(hash).await;
        let (found, leads_to) = (self.state.path.found, self.state.path.old);
        self.state.path.clear();
        match walked {
            Ok(()) if found && leads_to == at => Liveness::Live,
            Ok(()) => Liveness::Dead,
            Err(_) => Liveness::Unknown,
        }
    }
}

impl<F, S, C> Store<'_, F, S, C> {
    /// Where the first write of this session will go; `None` when it was done.
    pub fn pending_resume(&self) -> Option<PendingResume> {
        let end = self.state.log.end;
        (self.state.log.counted != end.offset).then(|| PendingResume {
            hole_start: Position::new(end.sequence, self.state.log.counted),
            place: end,
            copies_last: self.state.log.copy != NOWHERE,
            before_reads: self.state.log.for_all,
        })
    }

    /// What binds the store to its counter; `None`: nothing was ever bound.
    pub fn binding(&self) -> Option<Binding> {
        let epoch = self.state.counts.epoch();
        (epoch != Epoch::NONE).then(|| Binding { value: epoch.value(), is_intent: epoch.is_intent() })
    }

    /// Which commits are bound to the counter, as the store was formatted.
    pub const fn protection(&self) -> Protection {
        if self.state.every { Protection::EveryCommit } else { Protection::Chosen }
    }

    /// Identity of the store, drawn when it was formatted.
    pub const fn identity(&self) -> &StoreId {
        &self.state.id
    }

    /// Bucket heads that it was formatted with.
    pub const fn head_count(&self) -> usize {
        self.heads.len()
    }

    /// Where the log ends.
    pub const fn end(&self) -> Position {
        self.state.log.end
    }
}
