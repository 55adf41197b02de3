//! Write: one record, composed in the buffer, sealed for its place, programmed and read back. The only writer.
//!
//! ```text
//! walk to the hash ─> pointers ─> place (else open the next segment, and again) ─> compose ─> seal ─> program
//!                                    ^                                                                  │ does not
//!                                    └───── close the segment, remember it as failed <─────────────────┘ stick
//! heads, counts and the end of the log follow only when the record was read back
//! ```

use super::load::Loaded;
use super::{Facts, NorFlash, Store, Target, one_source};
use crate::error::Error;
use crate::format::Writer;
use crate::format::header::link_of;
use crate::format::pointer::Head;
use crate::format::record::{CLIENT, FIRST, Kind, LONG, RESUME, Shape};
use crate::layout::Position;
use crate::seal::{Domain, Suite};

/// Segments that may fail under one record before the driver's error is passed on.
const TRIES: u32 = 4;

/// Where the text of a new record comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// From the caller.
    Draft { client: u32, whole: u32, name: &'a [u8], inline: &'a [u8] },
    /// From a record in the log, to be written again.
    Copy(Position),
}

#[one_source]
impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    /// Appends a record. `hash`: its place in the index; a mark has none.
    pub(super) async fn append(
        &mut self,
        shape: Shape,
        source: Source<'_>,
        hash: Option<u64>,
    ) -> Result<(), Error<F::Error>> {
        let shape = shape.with(FIRST, self.log.run.map_or(shape.has(FIRST), |run| !run.begun));
        let mut tries = 0;
        let mut failure = Error::WornOut;
        while tries < TRIES {
            let previous = match hash {
                Some(hash) => self.previous(hash).await?,
                None => {
                    self.path.clear();
                    None
                }
            };
            let Some((at, shape)) = self.place(shape) else {
                self.log.settled = false;
                self.open_segment().await?;
                continue;
            };
            self.compose(shape, source).await?;
            let facts = self.facts(shape);
            let link = self.seal(at, shape);
            self.log.settled = false;
            match self.program(at, self.padded_length(shape)).await {
                Ok(true) => {
                    self.appended(at, shape, link);
                    if hash.is_some() {
                        self.count(&facts, previous.map(|(_, facts)| facts));
                        if let Some((at, _)) = previous {
                            self.tally(at, false);
                        }
                        self.tally(at, true);
                        let head = Head::new::<S>(&self.layout, at, self.padded_length(shape), link);
                        self.set_head(facts.hash, head);
                    }
                    return Ok(());
                }
                Ok(false) => {}
                Err(error) => failure = Error::Flash(error),
            }
            self.log.failed = u16::try_from(self.layout.physical(at.sequence)).ok();
            self.log.closed = true;
            tries += 1;
        }
        Err(failure)
    }

    /// The record that a new one with this hash replaces. The path is set.
    async fn previous(&mut self, hash: u64) -> Result<Option<(Position, Facts)>, Error<F::Error>> {
        if let Some(target) = self.path.target
            && target.hash == hash
        {
            return Ok(target.found);
        }
        let record = self.walk(hash).await?;
        let found = record.map(|record| (record.at, self.facts(record.shape)));
        self.path.target = Some(Target { hash, found });
        Ok(found)
    }

    /// Puts the record together in the buffer, unsealed.
    async fn compose(&mut self, shape: Shape, source: Source<'_>) -> Result<(), Error<F::Error>> {
        match source {
            Source::Draft { client, whole, name, inline } => {
                let start = self.layout_fields(shape, client, whole);
                let mut writer = Writer::new(self.buffer.get_mut(start..).unwrap_or_default());
                writer.put(name);
                writer.put(inline);
            }
            Source::Copy(at) => {
                let record = self.load(at, None).await.ok_or(Error::Damaged)?;
                self.move_text(&record, shape);
            }
        }
        let (length, padded) = (shape.length::<S>(), self.padded_length(shape) as usize);
        if let Some(padding) = self.buffer.get_mut(length..padded) {
            padding.fill(self.erased);
        }
        Ok(())
    }
}

impl<F, S: Suite> Store<'_, F, S> {
    /// Where the record goes and how it looks there; `None` when the segment has no room for it.
    fn place(&self, shape: Shape) -> Option<(Position, Shape)> {
        let shape = shape.with_pointers(self.path.length).with(RESUME, self.log.resume.is_some());
        let offset = self.log.resume.map_or(self.log.end.offset, |resume| resume.place);
        let fits = offset.saturating_add(self.padded_length(shape)) <= self.layout.segment;
        (fits && !self.log.closed).then_some((Position::new(self.log.end.sequence, offset), shape))
    }

    /// Writes the optional fields; returns where the name goes.
    fn layout_fields(&mut self, shape: Shape, client: u32, whole: u32) -> usize {
        let from = shape.associated::<S>() + S::TAG;
        let mut writer = Writer::new(self.buffer.get_mut(from..).unwrap_or_default());
        if shape.has(RESUME) {
            writer.put(&self.log.resume.map_or(0, |resume| resume.start).to_le_bytes());
        }
        if shape.has(CLIENT) {
            writer.put(&client.to_le_bytes());
        }
        if shape.has(LONG) {
            writer.put(&whole.to_le_bytes());
        }
        shape.name_at::<S>()
    }

    /// Moves the text of a loaded record to where the new shape has it.
    fn move_text(&mut self, record: &Loaded, shape: Shape) {
        let hole = |shape: Shape| 4 * usize::from(shape.has(RESUME));
        let from = record.shape.associated::<S>() + S::TAG + hole(record.shape);
        let to = shape.associated::<S>() + S::TAG + hole(shape);
        let end = record.shape.length::<S>();
        shift(self.buffer, from..end, to);
        if shape.has(RESUME)
            && let Some(resume) = self.log.resume
            && let Some(place) = self.buffer.get_mut(to - 4..to)
        {
            place.copy_from_slice(&resume.start.to_le_bytes());
        }
    }

    /// Writes head, link and pointers, and seals the text. Returns how the tag begins.
    fn seal(&mut self, at: Position, shape: Shape) -> u32 {
        let before = self.log.resume.map_or(self.log.link, |resume| resume.link).to_le_bytes();
        let mut writer = Writer::new(self.buffer);
        writer.put(&shape.head());
        writer.put(before.get(..S::LINK).unwrap_or_default());
        for (level, head) in self.path.pointers() {
            head.write::<S>(level, &mut writer);
        }
        let Some(record) = self.buffer.get_mut(..shape.length::<S>()) else { return 0 };
        let Some((associated, rest)) = record.split_at_mut_checked(shape.associated::<S>()) else {
            return 0;
        };
        let Some((place, text)) = rest.split_at_mut_checked(S::TAG) else { return 0 };
        let tag = self.suite.seal(Domain::Record, at, associated, text);
        place.copy_from_slice(tag.get(..S::TAG).unwrap_or_default());
        link_of(&tag)
    }

    /// The log ends behind the new record now.
    fn appended(&mut self, at: Position, shape: Shape, link: u32) {
        self.log.end = Position::new(at.sequence, at.offset + self.padded_length(shape));
        self.log.link = link;
        self.log.resume = None;
        self.path.target = None;
        self.log.declared = self.log.declaring;
        if let Some(run) = &mut self.log.run {
            run.begun = true;
        }
    }

    /// Bytes that a record of this kind will take, pointers as they usually are.
    pub(super) fn expected_length(&self, kind: Kind, name: usize, inline: usize) -> u32 {
        let entry = kind == Kind::Entry;
        let shape = Shape::single(kind, name, inline).with(CLIENT, entry).with(LONG, entry);
        let shape = shape.with_pointers(self.assumed_pointers());
        self.padded_length(shape) + self.pointer_allowance()
    }
}

/// Moves bytes inside the buffer, byte by byte: a tenth of the code of a general `copy_within`.
fn shift(buffer: &mut [u8], from: core::ops::Range<usize>, to: usize) {
    let length = from.len();
    for step in 0..length {
        let index = if to < from.start { step } else { length - 1 - step };
        let byte = buffer.get(from.start + index).copied().unwrap_or_default();
        if let Some(place) = buffer.get_mut(to + index) {
            *place = byte;
        }
    }
}
