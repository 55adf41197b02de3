//! Segment: opens the next one. Erase, header, read back; a segment that fails is skipped and retired.
//!
//! Segments follow each other round the part, so wear is even by construction: all live segments are erased equally
//! often, plus or minus one. A retired segment costs its number in each round.
//!
//! Invariant: the segment that is erased here lies before the one that the last *durable* header (one with a record
//! behind it) names as the oldest needed.

use super::{NorFlash, Store, one_source, space_of};
use crate::error::Error;
use crate::format::header::{Header, NO_DIGEST};
use crate::format::pointer::Head;
use crate::key::SYSTEM;
use crate::layout::Position;
use crate::seal::Suite;

/// So many segments in a row may fail before the driver's error is passed on.
const FAILURES_MAX: u32 = 4;

/// Name of the entry that retires a segment.
pub(super) fn retired_name(physical: u16) -> [u8; 5] {
    let [low, high] = physical.to_le_bytes();
    [b'b', b'a', b'd', low, high]
}

#[one_source]
impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    /// Closes the newest segment and opens the next. The buffer is used.
    pub(super) async fn open_segment(&mut self) -> Result<(), Error<F::Error>> {
        let mut sequence = self.log.end.sequence;
        let mut failure = if self.log.counts.bad > 0 { Error::WornOut } else { Error::Full };
        let mut failures = 0;
        while failures < FAILURES_MAX {
            sequence = sequence.checked_add(1).ok_or(Error::WornOut)?;
            if sequence >= self.log.declared + self.layout.segments {
                break;
            }
            if self.is_retired(sequence).await {
                continue;
            }
            match self.prepare_segment(sequence).await {
                Ok(true) => return Ok(()),
                Ok(false) => failure = Error::WornOut,
                Err(error) => failure = Error::Flash(error),
            }
            failures += 1;
            self.log.failed = u16::try_from(self.layout.physical(sequence)).ok();
        }
        Err(failure)
    }

    pub(super) async fn is_retired(&mut self, sequence: u32) -> bool {
        let Ok(physical) = u16::try_from(self.layout.physical(sequence)) else { return false };
        if self.log.counts.bad == 0 {
            return false;
        }
        let hash = self.suite.hash(space_of(SYSTEM), &retired_name(physical));
        matches!(self.walk(hash).await, Ok(Some(_)))
    }

    /// Erases a segment and writes its header; false when the header did not stick.
    pub(super) async fn prepare_segment(&mut self, sequence: u32) -> Result<bool, F::Error> {
        let erases = self.erases_of(sequence).await + 1;
        self.erase_segment(sequence).await?;
        let header = self.next_header(sequence, erases);
        let at = Position::new(sequence, 0);
        let length = self.header_length();
        let link = match self.buffer.get_mut(..length as usize) {
            Some(place) => header.write(&self.suite, &self.layout, self.erased, place),
            None => None,
        };
        let Some(link) = link else { return Ok(false) };
        if !self.program(at, length).await? {
            return Ok(false);
        }
        self.log.end = Position::new(sequence, length);
        self.log.closed = false;
        self.log.link = link;
        self.log.resume = None;
        self.log.declaring = header.oldest;
        if let Some(used) = self.used_of(sequence) {
            *used = 0;
        }
        Ok(true)
    }

    /// Erases of the segment that lies where `sequence` will; 0 when its header can't be read.
    async fn erases_of(&mut self, sequence: u32) -> u32 {
        match sequence.checked_sub(self.layout.segments) {
            Some(before) => self.header(before).await.map_or(0, |(header, _)| header.erases),
            None => 0,
        }
    }

    /// Header block first, so that a cut leaves no header before a half-erased body.
    pub(super) async fn erase_segment(&mut self, sequence: u32) -> Result<(), F::Error> {
        let from = self.layout.address(Position::new(sequence, 0));
        let mut block = from;
        while block < from + self.layout.segment {
            self.flash.erase(block, block + self.layout.erase).await?;
            block += self.layout.erase;
        }
        Ok(())
    }

    /// Programs `length` bytes of the buffer, cell by cell, and reads them back; false when they don't stick.
    pub(super) async fn program(&mut self, at: Position, length: u32) -> Result<bool, F::Error> {
        let address = self.layout.address(at);
        let mut done = 0;
        while done < length {
            let next = (at.offset + done + 1).next_multiple_of(self.layout.cell) - at.offset;
            let end = next.min(length);
            let Some(part) = self.buffer.get(done as usize..end as usize) else { return Ok(false) };
            self.flash.write(address + done, part).await?;
            done = end;
        }
        self.sticks(address, length).await
    }

    /// Whether flash holds what the buffer says.
    async fn sticks(&mut self, address: u32, length: u32) -> Result<bool, F::Error> {
        let mut done = 0;
        let mut readback = [0; 32];
        let Some(wanted) = self.buffer.get(..length as usize) else { return Ok(false) };
        for part in wanted.chunks(readback.len()) {
            let Some(read) = readback.get_mut(..part.len()) else { return Ok(false) };
            self.flash.read(address + done, read).await?;
            if *read != *part {
                return Ok(false);
            }
            done += super::load::length_u32(part.len());
        }
        Ok(true)
    }
}

impl<F, S: Suite> Store<'_, F, S> {
    fn next_header(&self, sequence: u32, erases: u32) -> Header {
        let (previous_end, previous_link, counts) = match self.log.resume {
            Some(resume) => (resume.start, resume.link, resume.counts),
            None => (self.log.end.offset, self.log.link, self.log.counts),
        };
        let run = self.log.run.filter(|run| run.begun);
        let as_replayed = run.is_none() && self.log.resume.is_none();
        Header {
            id: self.id,
            heads: u16::try_from(self.heads.len()).unwrap_or_default(),
            sequence,
            previous: self.log.end.sequence,
            oldest: self.log.tail.sequence,
            erases,
            counts: run.map_or(counts, |run| run.before),
            previous_end,
            in_run: run.is_some(),
            digest: if as_replayed { self.heads_digest(self.log.tail.sequence) } else { NO_DIGEST },
            previous_link,
        }
    }

    /// Digest of all heads that mean something in `oldest` or a later segment: says at a mount that none was lost.
    pub(super) fn heads_digest(&self, oldest: u32) -> u64 {
        let newest = self.log.end.sequence;
        let needed = |head: &Head| head.position(&self.layout, newest).is_some_and(|at| at.sequence >= oldest);
        self.suite.digest(self.heads.iter().map(|head| if needed(head) { *head } else { Head::EMPTY }.as_u64()))
    }
}
