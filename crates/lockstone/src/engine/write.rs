//! Write: one record, composed in the buffer, sealed for its place, programmed and read back. The only writer.
//!
//! ```text
//! walk to the hash ─> pointers ─> place (else open the next segment, and again) ─> compose ─> seal ─> program
//!                                    ^                                                                  │ does not
//!                                    └───── close the segment, remember it as failed <─────────────────┘ stick
//! heads, counts and the end of the log follow only when the record was read back
//! ```

use super::index::{bit, trie_bits};
use super::load::{class_of, domain_of, length_u32};
use super::{NorFlash, Store, one_source, sealing};
use crate::attributes::Attributes;
use crate::error::Stop;
use crate::format::header::{CHECKPOINT, Class, OLDEST};
use crate::format::pointer::pointer_length;
use crate::format::record::{ATTRIBUTES, CLIENT, FIRST, Flag, HEAD, Kind, LONG, RESUME, Shape};
use crate::format::{put, put_word, word};
use crate::key::SYSTEM;
use crate::layout::{Position, READ_MAX};
use crate::seal::Suite;
use crate::state::{Draft, NOWHERE, Record, Run, State};
use crate::trust::MonotonicCounter;

/// Segments that may fail under one record before the driver's error is passed on.
const TRIES: u32 = 4;

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Appends a mark.
    pub(super) async fn append_mark(&mut self, mark: u8, inline: &[u8]) -> Result<(), Stop<F::Error>> {
        self.append_new(Kind::Mark, 0, &[mark], inline).await
    }

    /// Appends a record without fields of its own.
    pub(super) async fn append_new(
        &mut self,
        kind: Kind,
        hash: u64,
        name: &[u8],
        inline: &[u8],
    ) -> Result<(), Stop<F::Error>> {
        self.draft(Shape::single(kind, name.len(), inline.len()), hash);
        self.append(name, inline).await
    }

    /// Appends an entry of the store's own, a run of its own.
    pub(super) async fn append_own(&mut self, hash: u64, name: &[u8], inline: &[u8]) -> Result<(), Stop<F::Error>> {
        let shape = Shape::single(Kind::Entry, name.len(), inline.len()).with(CLIENT, true);
        self.draft(shape, hash).client = SYSTEM;
        self.append(name, inline).await
    }

    /// Writes the record in the buffer again, with other flags.
    pub(super) async fn append_copy(&mut self, shape: Shape) -> Result<(), Stop<F::Error>> {
        let Record { at, hash, .. } = self.state.record;
        let attributes = self.attributes();
        let draft = self.draft(shape, hash);
        draft.copy = at;
        draft.attributes = attributes;
        self.append(&[], &[]).await
    }

    /// Appends the record that was drafted; it is in the buffer then, sealed.
    pub(super) async fn append(&mut self, name: &[u8], inline: &[u8]) -> Result<(), Stop<F::Error>> {
        let mut tries = 0;
        let mut failure = Stop::WornOut;
        while tries < if C::SMALL { 1 } else { TRIES } {
            self.find_path().await?;
            let shape = self.shape_here(self.state.draft.shape);
            if !self.fits(shape) {
                self.state.log.settled = false;
                // What closes a hole comes first in the segment, even in one that has none any more.
                let lists = !C::SMALL && !self.has_hole();
                if !C::SMALL {
                    self.choose_reserve();
                }
                self.open_segment().await?;
                let begun = if !C::SMALL && self.state.log.reclaimed {
                    self.write_reserve().await?
                } else {
                    !lists || self.write_list().await?
                };
                if !begun {
                    self.state.log.failed = Some(self.physical_u16(self.state.log.end.sequence));
                    self.state.log.closed = true;
                }
                continue;
            }
            if !self.is_intact().await {
                self.state.log.settled = false;
                return Err(Stop::Damaged);
            }
            self.compose(shape, name, inline).await?;
            self.state.log.settled = false;
            self.seal().await;
            match self.program(self.record_length()).await {
                Ok(true) => {
                    self.appended();
                    return Ok(());
                }
                Ok(false) => {}
                Err(error) => failure = Stop::Flash(error),
            }
            if !C::SMALL {
                self.state.log.failed = Some(self.physical_u16(self.state.log.end.sequence));
            }
            self.state.log.closed = true;
            tries += 1;
        }
        Err(failure)
    }

    /// Whether the last thing written is still there: nobody has exchanged the flash under this session. What is written
    /// to another history would be lost without a word.
    // Not inlined: the stack of its caller is deep. The buffer keeps what is in it, a record that is to be written again.
    #[inline(never)]
    async fn is_intact(&mut self) -> bool {
        if S::LINK == 0 || self.has_hole() {
            return true;
        }
        let (tag_at, link) = (self.state.log.tag_at, self.state.log.link);
        let mut bytes = [0; READ_MAX];
        // Not less than the flash reads at once, which divides a unit.
        let length = self.sizes().unit.min(length_u32(READ_MAX));
        let from = tag_at - tag_at % length;
        let address = self.address(Position::new(self.state.log.end.sequence, from));
        let read = bytes.get_mut(..length as usize).unwrap_or_default();
        self.flash.read(address, read).await.is_ok() && word(read, (tag_at - from) as usize) == link
    }

    /// Sets the path to the place of the draft, unless the last walk led there.
    async fn find_path(&mut self) -> Result<(), Stop<F::Error>> {
        let Draft { shape, hash, .. } = self.state.draft;
        if shape.kind() == Kind::Mark {
            self.state.path.clear();
        } else if !self.state.path.is_true || self.state.path.target != hash {
            self.walk_exactly(hash).await?;
        }
        Ok(())
    }

    /// Puts the text of the record together in the buffer. Not inlined: the stack of its caller is deeper elsewhere.
    #[inline(never)]
    async fn compose(&mut self, shape: Shape, name: &[u8], inline: &[u8]) -> Result<(), Stop<F::Error>> {
        let Draft { hash, mut client, mut whole, attributes, copy, .. } = self.state.draft;
        let text = shape.name_at::<S, C>();
        if copy == NOWHERE {
            put(self.buffer, text, name);
            put(self.buffer, text + name.len(), inline);
            if shape.kind() == Kind::Mark && shape.inline() >= CHECKPOINT {
                self.put_checkpoint(text + name.len(), shape.inline() > CHECKPOINT).await;
            }
        } else {
            // It's mostly what was looked at last.
            if self.state.record.at != copy && !self.load(copy, 0).await {
                return Err(Stop::Damaged);
            }
            (client, whole) = (self.field(CLIENT), self.field(LONG));
            let old = self.state.record.shape;
            shift(self.buffer, old.name_at::<S, C>()..old.length::<S, C>(), text);
            // Nothing, or another name of the same length.
            put(self.buffer, text, name);
        }
        let class = class_of::<C>(shape, client, attributes);
        self.state.record = Record { at: self.state.log.end, shape, link: 0, hash, class };
        self.put_field(RESUME, self.state.log.counted);
        self.put_field(CLIENT, client);
        if !C::SMALL {
            self.put_field(ATTRIBUTES, attributes.bits());
            self.put_field(LONG, whole);
        }
        Ok(())
    }

    /// Writes the checkpoint of a mark; the digest of all heads is part of a closing one.
    async fn put_checkpoint(&mut self, at: usize, closing: bool) {
        let tail = self.state.log.tail;
        let digest = if closing { self.heads_digest(tail).await } else { 0 };
        let State { header, counts, .. } = &mut *self.state;
        header.set_checkpoint(tail, counts, digest);
        header.write(OLDEST, self.buffer.get_mut(at..).unwrap_or_default());
    }

    /// Writes head, link, pointers and padding, and seals the text.
    pub(super) async fn seal(&mut self) {
        let shape = self.state.record.shape;
        put_word(self.buffer, 0, shape.head());
        if S::LINK > 0 {
            put_word(self.buffer, HEAD, self.state.log.link);
        }
        let mut place = HEAD + S::LINK;
        let position = trie_bits(self.state.record.hash);
        for pointer in self.state.path.pointers() {
            let pointer = if C::SMALL { *pointer } else { pointer.on_side::<S>(bit(position, pointer.level())) };
            pointer.write(self.buffer, place);
            place += pointer_length::<S>();
        }
        let (length, padded) = (shape.length::<S, C>(), self.record_length() as usize);
        if let Some(padding) = self.buffer.get_mut(length..padded) {
            padding.fill(self.state.erased);
        }
        self.close_up(domain_of::<C>(shape), place, length).await;
        if shape.has_signpost::<C>() {
            sealing::pause().await;
            let signpost = self.signpost();
            put_word(self.buffer, place, signpost);
            sealing::pause().await;
        }
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Drafts a record.
    pub(super) fn draft(&mut self, shape: Shape, hash: u64) -> &mut Draft {
        self.state.draft = Draft { shape, client: 0, whole: 0, attributes: Attributes::NONE, hash, copy: NOWHERE };
        &mut self.state.draft
    }

    /// How the record looks where it goes now.
    fn shape_here(&self, shape: Shape) -> Shape {
        let in_run = !C::SMALL && self.state.log.run != Run::No;
        let first = if in_run { self.state.log.run == Run::Ready } else { shape.has(FIRST) };
        shape.with(FIRST, first).with_pointers::<C>(self.state.path.length).with(RESUME, self.has_hole())
    }

    /// Decides whether the segment that is opened next is one of the reserve: for a copy, or a mark that says where the log
    /// begins, when few segments are left.
    fn choose_reserve(&mut self) {
        let Draft { shape, copy, .. } = self.state.draft;
        let opening = shape.kind() == Kind::Mark && shape.inline() == CHECKPOINT;
        let low = self.free_segments(self.state.log.tail) < 3;
        let log = &mut self.state.log;
        log.reclaimed = log.run == Run::No && (opening || copy != NOWHERE) && (low || log.reserved);
        if log.reclaimed && !log.reserved {
            log.reserved = true;
            log.base = log.declared;
        }
    }

    /// Whether the newest segment has room for the record.
    fn fits(&self, shape: Shape) -> bool {
        // Marks are not copied, and what closes a hole is little.
        let whole = shape.kind() == Kind::Mark || shape.has(RESUME);
        let end = if whole { self.sizes().segment } else { self.fill_to() };
        !self.state.log.closed && self.state.log.end.offset.saturating_add(self.padded_length(shape)) <= end
    }

    /// How far the newest segment is filled. One with a short list, or none, is not filled further than with the longest: copies of it
    /// may come beside such a one, and must not need more room than they make.
    pub(super) fn fill_to(&self) -> u32 {
        self.sizes().segment - if C::SMALL { 0 } else { self.state.log.unlisted }
    }

    fn put_field(&mut self, flag: Flag, value: u32) {
        let shape = self.state.record.shape;
        if shape.has(flag) {
            put_word(self.buffer, shape.field_at::<S, C>(flag), value);
        }
    }

    /// The record in the buffer was programmed and read back: it counts, and the log ends behind it now.
    fn appended(&mut self) {
        self.end_behind_record();
        if !C::SMALL && self.state.log.run == Run::Ready {
            self.state.log.run = Run::Begun;
        }
        if self.state.record.class != Class::Mark {
            self.count_new();
            self.set_head();
        }
    }

    /// The log ends behind the record in the buffer.
    pub(super) fn end_behind_record(&mut self) {
        self.state.log.end = self.after();
        self.state.log.counted = self.state.log.end.offset;
        self.state.log.link = self.state.record.link;
        if S::LINK > 0 {
            let before = length_u32(self.state.record.shape.tag_at::<S, C>());
            self.state.log.tag_at = self.state.record.at.offset + before;
        }
        self.state.log.declared = self.state.log.declaring;
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
