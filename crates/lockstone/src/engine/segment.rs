//! Segment: opens the next one. Erase, header, read back; a segment that fails is skipped and retired.
//!
//! Segments follow each other round the part, so wear is even by construction: all live segments are erased equally
//! often, plus or minus one. A retired segment costs its number in each round.
//!
//! Invariant: the segment that is erased here lies before the one that the last *durable* header (one with a record
//! behind it) names as the oldest needed.

use super::{NorFlash, Store, one_source, space_of};
use crate::error::Stop;
use crate::format::header::{
    ERASES, EVERY, FIXED, ID, IN_RUN, KIND, MAGIC, NO_DIGEST, PREVIOUS, PREVIOUS_END, PREVIOUS_LINK, RESERVE, SEGMENT,
    SEQUENCE, SMALL, STANDARD, kind,
};
use crate::format::pointer::Pointer;
use crate::format::record::CLEAR;
use crate::format::{same, word};
use crate::key::SYSTEM;
use crate::layout::{Position, READ_MAX};
use crate::seal::{Domain, Suite};
use crate::state::{Run, State};
use crate::trust::MonotonicCounter;

/// So many segments in a row may fail before the driver's error is passed on.
const FAILURES_MAX: u32 = 4;

/// Bytes of the name of an entry that retires a segment; no other entry of the store's own has as many.
pub(super) const RETIRED_NAME: usize = 5;

/// Name of the entry that retires a segment.
pub(super) fn retired_name(physical: u16) -> [u8; RETIRED_NAME] {
    let [low, high] = physical.to_le_bytes();
    [b'b', b'a', b'd', low, high]
}

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Closes the newest segment and opens the next. The buffer is used.
    pub(super) async fn open_segment(&mut self) -> Result<(), Stop<F::Error>> {
        let mut sequence = self.state.log.end.sequence;
        let mut failure = if !C::SMALL && self.state.counts.bad() > 0 { Stop::WornOut } else { Stop::Full };
        let mut failures = 0;
        while failures < if C::SMALL { 1 } else { FAILURES_MAX } {
            sequence = Some(sequence + 1).filter(|next| *next < IN_RUN).ok_or(Stop::WornOut)?;
            if sequence >= self.state.log.declared + self.sizes().segments {
                break;
            }
            if self.is_retired(sequence).await {
                continue;
            }
            if !C::SMALL {
                self.erase_stale(sequence).await;
            }
            match self.prepare_segment(sequence).await {
                Ok(true) => return Ok(()),
                Ok(false) => failure = Stop::WornOut,
                Err(error) => failure = Stop::Flash(error),
            }
            failures += 1;
            if !C::SMALL {
                self.state.log.failed = Some(self.physical_u16(sequence));
            }
        }
        Err(failure)
    }

    /// Erases what was passed over behind `sequence`, the newest first: what stays refers to what is before it.
    async fn erase_stale(&mut self, sequence: u32) {
        let free = self.state.log.declared + self.sizes().segments - 1;
        self.state.log.stale = self.state.log.stale.min(free);
        while self.state.log.stale > sequence {
            let stale = self.state.log.stale;
            if !self.is_retired(stale).await && self.erase_segment(stale).await.is_err() {
                self.state.log.failed = Some(self.physical_u16(stale));
            }
            self.state.log.stale -= 1;
        }
    }

    pub(super) async fn is_retired(&mut self, sequence: u32) -> bool {
        if C::SMALL || self.state.counts.bad() == 0 {
            return false;
        }
        let physical = self.physical_u16(sequence);
        let hash = self.retirement(physical);
        self.walk(hash).await.is_ok() && self.state.path.found
    }

    /// Erases a segment and writes its header; false when the header did not stick.
    pub(super) async fn prepare_segment(&mut self, sequence: u32) -> Result<bool, F::Error> {
        let erases = self.erases_of(sequence).await + 1;
        self.erase_segment(sequence).await?;
        let length = self.header_length();
        self.compose_header(sequence, erases).await;
        if !self.program(length).await? {
            return Ok(false);
        }
        self.state.log.end = Position::new(sequence, length);
        self.state.log.counted = length;
        self.state.log.closed = false;
        self.state.log.unlisted = self.list_room();
        self.state.log.link = self.state.record.link;
        if S::LINK > 0 {
            self.state.log.tag_at = super::load::length_u32(FIXED);
        }
        // What the header of a reserve says is no news, and what it would say is not durable as long as it does not count.
        let log = &mut self.state.log;
        log.declaring = if !C::SMALL && log.reclaimed { log.declared } else { log.tail };
        if !C::SMALL
            && let Some(used) = self.used_of(sequence)
        {
            *used = 0;
        }
        Ok(true)
    }

    /// Erases of the segment that lies where `sequence` will; 0 when its header can't be read.
    async fn erases_of(&mut self, sequence: u32) -> u32 {
        if self.header_in(sequence).await { self.state.header.get(ERASES) } else { 0 }
    }

    /// Header block first, so that a cut leaves no header before a half-erased body.
    pub(super) async fn erase_segment(&mut self, sequence: u32) -> Result<(), F::Error> {
        let layout = self.sizes();
        let mut block = self.address(Position::new(sequence, 0));
        let end = block + layout.segment;
        while block < end {
            self.flash.erase(block, block + layout.erase).await?;
            block += layout.erase;
        }
        Ok(())
    }

    /// Programs `length` bytes of the buffer at the record's place, cell by cell, and reads them back; false when they
    /// don't stick.
    pub(super) async fn program(&mut self, length: u32) -> Result<bool, F::Error> {
        let layout = self.sizes();
        let at = self.state.record.at;
        let address = self.address(at);
        let mut done = 0;
        while done < length {
            // The head of a record in the clear comes alone: see `may_hide`.
            let alone = done == 0 && at.offset > 0 && !C::SMALL && self.state.record.shape.has(CLEAR);
            let step = if alone { layout.unit } else { layout.cell };
            let end = (at.offset + done + 1).next_multiple_of(step).min(at.offset + length) - at.offset;
            let Some(part) = self.buffer.get(done as usize..end as usize) else { return Ok(false) };
            self.flash.write(address + done, part).await?;
            done = end;
        }
        self.sticks(address, length).await
    }

    /// Whether flash holds what the buffer says.
    async fn sticks(&mut self, address: u32, length: u32) -> Result<bool, F::Error> {
        let mut done = 0;
        let mut readback = [0; READ_MAX];
        let Some(wanted) = self.buffer.get(..length as usize) else { return Ok(false) };
        for part in wanted.chunks(readback.len()) {
            let Some(read) = readback.get_mut(..part.len()) else { return Ok(false) };
            self.flash.read(address + done, read).await?;
            if !same(read, part) {
                return Ok(false);
            }
            done += super::load::length_u32(part.len());
        }
        Ok(true)
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Hash of the entry that retires a segment.
    #[inline(never)]
    pub(super) fn retirement(&self, physical: u16) -> u64 {
        self.hash(space_of(SYSTEM), &retired_name(physical))
    }
}

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Puts the header of the next segment together in the buffer, sealed. Not inlined: the stack of `append` is deeper
    /// elsewhere.
    #[inline(never)]
    async fn compose_header(&mut self, sequence: u32, erases: u32) {
        let layout = self.sizes();
        let in_run = self.state.log.run == Run::Begun;
        // A replay will find other heads here, and the counts are those before.
        let unsettled = in_run || self.has_hole();
        let reserve = !C::SMALL && self.state.log.reclaimed;
        let digest = if unsettled || reserve { NO_DIGEST } else { self.heads_digest(self.state.log.tail).await };
        let heads = super::load::length_u32(self.heads.len());
        let State { log, counts, before, header, id, erased, record, every, .. } = &mut *self.state;
        let counts = if unsettled { before } else { counts };
        header.set(0, MAGIC);
        let sort = if C::SMALL { SMALL } else { STANDARD };
        header.set(KIND, kind::<S>(&layout, *erased) | sort | heads << 16);
        header.set(ID, word(id, 0));
        header.set(ID + 4, word(id, 4));
        header.set(SEQUENCE, sequence);
        header.set(PREVIOUS, log.end.sequence);
        header.set(ERASES, erases);
        header.set(SEGMENT, layout.segment);
        header.set_checkpoint(if reserve { log.base } else { log.tail }, counts, digest);
        let flag = |set, flag| if set { flag } else { 0 };
        header.set(PREVIOUS_END, log.counted | flag(in_run, IN_RUN) | flag(*every, EVERY) | flag(reserve, RESERVE));
        header.set(PREVIOUS_LINK, log.link);
        record.at = Position::new(sequence, 0);
        if let Some(place) = self.buffer.get_mut(..self.header_length() as usize) {
            place.fill(self.state.erased);
            self.state.header.write(0, place);
        }
        self.close_up(Domain::Header, FIXED, FIXED + S::TAG).await;
    }

    /// Digest of all heads that mean something in `oldest` or a later segment: says at a mount that none was lost.
    pub(super) async fn heads_digest(&mut self, oldest: u32) -> u64 {
        let state = &*self.state;
        let needed = |head: &Pointer| Self::position_in(state, *head).sequence >= oldest;
        let words = self.heads.iter().map(|head| if needed(head) { head.as_u64() } else { 0 });
        self.scratch.digest(self.keys.0, words).await
    }
}
