//! Write: one record, composed in the buffer, sealed for its place, programmed and read back. The only writer.
//!
//! ```text
//! walk to the hash ─> pointers ─> place (else open the next segment, and again) ─> compose ─> seal ─> program
//!                                    ^                                                                  │ does not
//!                                    └───── close the segment, remember it as failed <─────────────────┘ stick
//! heads, counts and the end of the log follow only when the record was read back
//! ```

use super::{NorFlash, Store, one_source};
use crate::error::Error;
use crate::format::header::Class;
use crate::format::pointer::pointer_length;
use crate::format::record::{CLIENT, FIRST, Flag, HEAD, Kind, LONG, RESUME, Shape};
use crate::format::{put, put_word};
use crate::layout::Position;
use crate::seal::{Domain, Suite};
use crate::state::{NOWHERE, Record, Run};

/// Segments that may fail under one record before the driver's error is passed on.
const TRIES: u32 = 4;

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft<'a> {
    pub(super) shape: Shape,
    pub(super) class: Class,
    /// Its place in the index; a mark has none.
    pub(super) hash: u64,
    pub(super) client: u32,
    pub(super) whole: u32,
    pub(super) name: &'a [u8],
    pub(super) inline: &'a [u8],
    /// The text comes from this record instead.
    pub(super) copy: Position,
}

impl Draft<'_> {
    const EMPTY: Self = Self {
        shape: Shape::single(Kind::Mark, 1, 0),
        class: Class::Mark,
        hash: 0,
        client: 0,
        whole: 0,
        name: &[],
        inline: &[],
        copy: NOWHERE,
    };
}

impl<'a> Draft<'a> {
    pub(super) fn new(kind: Kind, class: Class, hash: u64, name: &'a [u8], inline: &'a [u8]) -> Self {
        let shape = Shape::single(kind, name.len(), inline.len());
        Self { shape, class, hash, name, inline, ..Draft::EMPTY }
    }
}

#[one_source]
impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    /// Appends a mark.
    pub(super) async fn append_mark(&mut self, mark: u8, inline: &[u8]) -> Result<(), Error<F::Error>> {
        self.append(&Draft::new(Kind::Mark, Class::Mark, 0, &[mark], inline)).await
    }

    /// Writes the record in the buffer again, with other flags.
    pub(super) async fn append_copy(&mut self, shape: Shape) -> Result<(), Error<F::Error>> {
        let Record { at, class, hash, .. } = self.state.record;
        self.append(&Draft { shape, class, hash, copy: at, ..Draft::EMPTY }).await
    }

    /// Appends a record; it is in the buffer then, sealed.
    pub(super) async fn append(&mut self, draft: &Draft<'_>) -> Result<(), Error<F::Error>> {
        let mut tries = 0;
        let mut failure = Error::WornOut;
        while tries < TRIES {
            self.find_path(draft).await?;
            let shape = self.shape_here(draft.shape);
            if !self.fits(shape) {
                self.state.log.settled = false;
                self.open_segment().await?;
                continue;
            }
            self.compose(draft, shape).await?;
            self.seal();
            self.state.log.settled = false;
            match self.program(self.record_length()).await {
                Ok(true) => {
                    self.appended();
                    return Ok(());
                }
                Ok(false) => {}
                Err(error) => failure = Error::Flash(error),
            }
            self.state.log.failed = u16::try_from(self.physical(self.state.log.end.sequence)).ok();
            self.state.log.closed = true;
            tries += 1;
        }
        Err(failure)
    }

    /// Sets the path to the place of the draft, unless the last walk led there.
    async fn find_path(&mut self, draft: &Draft<'_>) -> Result<(), Error<F::Error>> {
        if draft.class == Class::Mark {
            self.state.path.clear();
        } else if self.state.path.target != Some(draft.hash) {
            self.walk(draft.hash).await?;
        }
        Ok(())
    }

    /// Puts the text of the record together in the buffer.
    async fn compose(&mut self, draft: &Draft<'_>, shape: Shape) -> Result<(), Error<F::Error>> {
        let Draft { class, hash, mut client, mut whole, name, inline, copy, .. } = *draft;
        let text = shape.text_at::<S>();
        if copy == NOWHERE {
            put(self.buffer, text, name);
            put(self.buffer, text + name.len(), inline);
        } else {
            if !self.load(copy, 0).await {
                return Err(Error::Damaged);
            }
            (client, whole) = (self.field(CLIENT), self.field(LONG));
            let old = self.state.record.shape;
            shift(self.buffer, old.text_at::<S>()..old.length::<S>(), text);
        }
        self.state.record = Record { at: self.state.log.end, shape, link: 0, hash, class };
        self.put_field(RESUME, self.state.log.counted);
        self.put_field(CLIENT, client);
        self.put_field(LONG, whole);
        Ok(())
    }
}

impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    /// How the record looks where it goes now.
    fn shape_here(&self, shape: Shape) -> Shape {
        shape
            .with(
                FIRST,
                if self.state.log.run == Run::No { shape.has(FIRST) } else { self.state.log.run == Run::Ready },
            )
            .with_pointers(self.state.path.length)
            .with(RESUME, self.has_hole())
    }

    /// Whether the newest segment has room for the record.
    fn fits(&self, shape: Shape) -> bool {
        !self.state.log.closed
            && self.state.log.end.offset.saturating_add(self.padded_length(shape)) <= self.sizes().segment
    }

    fn put_field(&mut self, flag: Flag, value: u32) {
        let shape = self.state.record.shape;
        if shape.has(flag) {
            put_word(self.buffer, shape.field_at::<S>(flag), value);
        }
    }

    /// Writes head, link, pointers and padding, and seals the text.
    fn seal(&mut self) {
        let shape = self.state.record.shape;
        put_word(self.buffer, 0, shape.head());
        if S::LINK > 0 {
            put_word(self.buffer, HEAD, self.state.log.link);
        }
        let mut place = HEAD + S::LINK;
        for pointer in self.state.path.pointers() {
            pointer.write(self.buffer, place);
            place += pointer_length::<S>();
        }
        let (length, padded) = (shape.length::<S>(), self.record_length() as usize);
        if let Some(padding) = self.buffer.get_mut(length..padded) {
            padding.fill(self.state.erased);
        }
        self.close_up(Domain::Record, place, length);
    }

    /// The record in the buffer was programmed and read back: it counts, and the log ends behind it now.
    fn appended(&mut self) {
        self.state.log.end = self.after();
        self.state.log.counted = self.state.log.end.offset;
        self.state.log.link = self.state.record.link;
        self.state.log.declared = self.state.log.declaring;
        if self.state.log.run == Run::Ready {
            self.state.log.run = Run::Begun;
        }
        if self.state.record.class != Class::Mark {
            self.count_new();
            self.set_head();
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
