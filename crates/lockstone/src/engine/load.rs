//! Load: one record from flash into the buffer, verified and unsealed. The only reader of records.
//!
//! What lies in the buffer is described by [`Store::record`], and both change together. Nobody else keeps a copy of a
//! record's text.
//!
//! Invariant: what [`Store::load`] accepts was sealed by this store for this very place. Reads never go past the
//! record's own units unless a length hint said so, and then an unreadable neighbour is tolerated, because a torn unit
//! behind a good record may not be readable at all (ECC).

use super::sealing::Turn;
use super::segment::RETIRED_NAME;
use super::{CHUNK_SPACE, NorFlash, Store, copy_space_of, one_source, sealing, space_of};
use crate::attributes::Attributes;
use crate::format::header::{Class, FIXED, KIND, MAGIC, SEGMENT, SEQUENCE, SMALL, SORT, kind};
use crate::format::pointer::{Pointer, pointer_length};
use crate::format::record::{ATTRIBUTES, CLEAR, CLIENT, Flag, HEAD, Kind, LONG, RESUME, SIGNPOST, Shape};
use crate::format::{low_word, put, put_word, word};
use crate::key::{ClientId, SYSTEM};
use crate::layout::{Layout, POINTERS_MAX, Position};
use crate::seal::{Domain, Message, Suite};
use crate::state::Record;
use crate::trust::MonotonicCounter;

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Reads, verifies and unseals the record at `at`; `hint` is a guess of its length, or 0. False: no good record
    /// there, or one that does not count. After a walk [asked for a glance](crate::state::Log::glance) it's no more than head
    /// and pointers, if the signpost vouches for them.
    pub(super) async fn load(&mut self, at: Position, hint: u32) -> bool {
        let glance = Self::GLANCES && core::mem::take(&mut self.state.log.glance);
        if at == self.state.log.void {
            return false;
        }
        let unit = self.sizes().unit;
        let mut first = hint.max(unit);
        loop {
            if self.load_from(at, first, glance).await {
                return true;
            }
            if first == unit {
                return false;
            }
            first = unit;
        }
    }

    /// Reads `first` bytes, and what the head says that there is more, or what a glance takes.
    async fn load_from(&mut self, at: Position, first: u32, glance: bool) -> bool {
        self.peek(at, first).await && (glance && self.reads_signpost(first).await || self.complete(first).await)
    }

    /// Reads what is missing to the signpost of the record, of which the first bytes were read; whether that is enough.
    // Not inlined: the stack of its caller is deeper where it unseals.
    #[inline(never)]
    async fn reads_signpost(&mut self, first: u32) -> bool {
        let shape = self.state.record.shape;
        self.state.log.glanced = shape.has_signpost::<C>()
            && self.fetch(first, self.first_length(shape)).await
            && self.is_signposted().await;
        self.state.log.glanced
    }

    /// Reads the rest of a record, and verifies and unseals all of it.
    #[inline(always)]
    pub(super) async fn complete(&mut self, from: u32) -> bool {
        self.fetch(from, self.record_length()).await && self.unseal().await
    }

    /// Whether the signpost in the buffer fits to what it covers. If one does not, no other is believed in this session: who
    /// tries to forge one has one try for each.
    async fn is_signposted(&mut self) -> bool {
        let shape = self.state.record.shape;
        if self.state.report.signposts_broken {
            return false;
        }
        let claimed = self.word(shape.associated::<S, C>());
        sealing::pause().await;
        let fits = self.signpost() == claimed;
        sealing::pause().await;
        self.state.record.link = self.word(shape.tag_at::<S, C>());
        self.state.record.class = if shape.kind() == Kind::Tombstone { Class::Tombstone } else { Class::Key };
        self.state.report.signposts_broken = !fits;
        fits
    }

    /// Reads the head of whatever lies at `at`, unverified, with the bytes up to `first`.
    pub(super) async fn peek(&mut self, at: Position, first: u32) -> bool {
        self.state.record.at = at;
        let room = self.sizes().segment.saturating_sub(at.offset);
        if !self.fetch(0, first.min(room)).await {
            return false;
        }
        self.state.record.shape = Shape::of_head(self.word(0));
        self.state.record.shape.is_sound() && self.record_length() <= room
    }

    /// Reads bytes `from..to` of what lies at the record's place to the same place in the buffer.
    pub(super) async fn fetch(&mut self, from: u32, to: u32) -> bool {
        let address = self.address(self.state.record.at) + from;
        let place = if to > self.sizes().record_max { None } else { self.buffer.get_mut(from as usize..to as usize) };
        match place {
            Some([]) | None => from >= to,
            Some(place) => self.flash.read(address, place).await.is_ok(),
        }
    }

    /// Reads the header of a segment into the buffer; false: no good header of this store with this number.
    pub(super) async fn header(&mut self, sequence: u32) -> bool {
        self.header_in(sequence).await && self.state.header.get(SEQUENCE) == sequence
    }

    /// Reads the header that lies where that of segment `sequence` belongs.
    pub(super) async fn header_in(&mut self, sequence: u32) -> bool {
        self.state.record.at = Position::new(sequence, 0);
        self.fetch_header().await && self.is_header().await
    }

    /// Reads a header, whatever it is, to the buffer and as words.
    pub(super) async fn fetch_header(&mut self) -> bool {
        let read = self.fetch(0, self.header_length()).await;
        self.state.header.read(0, self.buffer);
        read
    }

    /// How much of the flash from `at` on, `length` bytes at most a cell, is not blank. An unreadable place is not.
    pub(super) async fn written_in(&mut self, at: Position, length: u32) -> u32 {
        self.state.record.at = at;
        if self.fetch(0, length).await { self.written(length) } else { length }
    }

    /// Whether the buffer holds a good header of this store.
    pub(super) async fn is_header(&mut self) -> bool {
        self.seems_header() && self.open(Domain::Header, FIXED, FIXED + S::TAG).await
    }

    /// Verifies and unseals the record in the buffer.
    async fn unseal(&mut self) -> bool {
        let shape = self.state.record.shape;
        let good = self.open(domain_of::<C>(shape), shape.associated::<S, C>(), shape.length::<S, C>()).await;
        if good {
            self.classify();
        }
        good
    }

    /// Verifies and unseals what lies in the buffer: associated data, behind a gap the tag, text, `length` bytes in all.
    // Taken apart anew after each pause: what is borrowed across one is kept by every future that waits for this one.
    async fn open(&mut self, domain: Domain, associated: usize, length: usize) -> bool {
        let (mut turn, gap) = (Turn::First, self.gap(domain));
        loop {
            let Some((associated, tag, text)) = split::<S>(self.buffer, associated, gap, length) else { return false };
            let at = self.state.record.at;
            self.state.record.link = word(tag, 0);
            match self.scratch.unseal(&mut turn, self.keys.0, Message { domain, at, associated, text }, tag) {
                Some(good) => return good,
                None => sealing::pause().await,
            }
        }
    }

    /// Seals it. Keeps how the tag begins.
    pub(super) async fn close_up(&mut self, domain: Domain, associated: usize, length: usize) {
        let (mut turn, gap) = (Turn::First, self.gap(domain));
        loop {
            let Some((associated, place, text)) = split::<S>(self.buffer, associated, gap, length) else { return };
            let at = self.state.record.at;
            if let Some(tag) = self.scratch.seal(&mut turn, self.keys.0, Message { domain, at, associated, text }) {
                put(place, 0, &tag);
                self.state.record.link = word(place, 0);
                return;
            }
            sealing::pause().await;
        }
    }
}

impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Records are passed by by their signposts. Small stores write none; what only reads may go the longer way with less code.
    pub(super) const GLANCES: bool = !C::SMALL && !C::READER;

    /// Keyed hash of a name: its place in the index.
    pub(super) fn hash(&self, space: u64, name: &[u8]) -> u64 {
        S::hash(self.keys.0, space, name)
    }

    /// Whether the buffer holds what seems to be a header of this store; only then it's worth verifying.
    fn seems_header(&mut self) -> bool {
        let layout = self.sizes();
        let header = &self.state.header;
        // A standard store takes either sort.
        let (mask, sort) = if C::SMALL { (0xffff, SMALL) } else { (0xffff & !SORT, 0) };
        self.state.record.at.sequence = header.get(SEQUENCE);
        header.get(0) == MAGIC
            && header.get(KIND) & mask == kind::<S>(&layout, self.state.erased) | sort
            && header.get(SEGMENT) == layout.segment
            && header.is_possible()
    }

    /// How many of the first bytes in the buffer are not blank, up to the last that isn't.
    pub(super) fn written(&self, length: u32) -> u32 {
        let bytes = self.buffer.get(..length as usize).unwrap_or_default();
        bytes.iter().rposition(|byte| *byte != self.state.erased).map_or(0, |last| length_u32(last + 1))
    }

    /// A number in the buffer.
    pub(super) fn word(&self, at: usize) -> u32 {
        word(self.buffer, at)
    }

    /// Two of them.
    pub(super) fn long(&self, at: usize) -> u64 {
        u64::from(self.word(at)) | u64::from(self.word(at + 4)) << 32
    }

    /// Bytes of the record on flash.
    #[inline(always)]
    pub(super) fn record_length(&self) -> u32 {
        self.padded_length(self.state.record.shape)
    }

    /// Where the record ends.
    pub(super) fn after(&self) -> Position {
        Position::new(self.state.record.at.sequence, self.state.record.at.offset + self.record_length())
    }

    /// Bytes between associated data and tag of what lies in the buffer.
    #[inline(always)]
    fn gap(&self, domain: Domain) -> usize {
        let is_record = matches!(domain, Domain::Record | Domain::ClearRecord);
        if is_record && self.state.record.shape.has_signpost::<C>() { SIGNPOST } else { 0 }
    }

    /// Whether the signpost of the record in the buffer is not what it should be.
    pub(super) fn has_broken_signpost(&mut self) -> bool {
        let shape = self.state.record.shape;
        let claimed = self.word(shape.associated::<S, C>());
        shape.has_signpost::<C>() && self.signpost() != claimed
    }

    /// The signpost of the record in the buffer. In its place is left what it covers last: how the tag begins.
    // Not inlined: what writes and what reads call it.
    #[inline(never)]
    pub(super) fn signpost(&mut self) -> u32 {
        let Record { at, shape, .. } = self.state.record;
        let tag = self.word(shape.tag_at::<S, C>());
        put_word(self.buffer, shape.associated::<S, C>(), tag);
        let space = u64::from(at.sequence | 1 << 31) << 32 | u64::from(at.offset);
        low_word(self.hash(space, self.part(0, shape.associated::<S, C>() + SIGNPOST)))
    }

    /// How much of a record is worth reading when it is not yet known whether it's the one that is looked for. Heads say so, and
    /// the digest covers that: it's the same for those who read more.
    pub(super) fn first_length(&self, shape: Shape) -> u32 {
        if shape.has_signpost::<C>() {
            self.sizes().padded(length_u32(shape.signposted::<S, C>()))
        } else {
            self.padded_length(shape)
        }
    }

    /// Bytes of such a record on flash.
    pub(super) fn padded_length(&self, shape: Shape) -> u32 {
        self.sizes().padded(length_u32(shape.length::<S, C>()))
    }

    /// What the record in the buffer is to the index.
    // Not inlined: the stack of its caller is deeper where it unseals.
    #[inline(never)]
    fn classify(&mut self) {
        let client = self.field(CLIENT);
        let (shape, attributes) = (self.state.record.shape, self.attributes());
        let class = class_of::<C>(shape, client, attributes);
        let space = match shape.kind() {
            _ if C::SMALL => space_of(client),
            Kind::Chunk => CHUNK_SPACE,
            _ if attributes.any(Attributes::COPY) => copy_space_of(client),
            _ => space_of(client),
        };
        self.state.record.class = class;
        self.state.record.hash = match class {
            Class::Tombstone => self.long(self.state.record.shape.name_at::<S, C>()),
            Class::Mark => 0,
            _ => self.hash(space, self.name()),
        };
    }

    /// Whether the record in the buffer follows the one with this tag; 0: that could not be read. One tag in 2^32
    /// begins so by chance, as often as a wrong one would begin right.
    pub(super) fn is_linked(&self, link: u32) -> bool {
        S::LINK == 0 || link == 0 || link == self.word(HEAD)
    }

    /// A field of the record, 0 when it has none.
    pub(super) fn field(&self, flag: Flag) -> u32 {
        let shape = self.state.record.shape;
        if shape.has(flag) { self.word(shape.field_at::<S, C>(flag)) } else { 0 }
    }

    /// The attributes of the record, none when it has no such field.
    pub(super) fn attributes(&self) -> Attributes {
        if C::SMALL { Attributes::NONE } else { Attributes::of_bits(self.field(ATTRIBUTES)) }
    }

    pub(super) fn name(&self) -> &[u8] {
        let shape = self.state.record.shape;
        self.part(shape.name_at::<S, C>(), shape.name())
    }

    pub(super) fn inline(&self) -> &[u8] {
        let shape = self.state.record.shape;
        self.part(self.inline_at(), shape.inline())
    }

    pub(super) fn inline_at(&self) -> usize {
        self.state.record.shape.name_at::<S, C>() + self.state.record.shape.name()
    }

    fn part(&self, from: usize, length: usize) -> &[u8] {
        self.buffer.get(from..).and_then(|rest| rest.get(..length)).unwrap_or_default()
    }

    /// A pointer of the record.
    pub(super) fn pointer(&self, index: usize) -> Pointer {
        Pointer::read::<S>(self.buffer, HEAD + S::LINK + index * pointer_length::<S>())
    }

    /// Whole length of the value of an entry.
    pub(super) fn value_length(&self) -> u32 {
        let shape = self.state.record.shape;
        if !C::SMALL && shape.has(LONG) { self.field(LONG) } else { length_u32(shape.inline()) }
    }

    /// Pointers that a record is counted with. On parts with long units one more can cost a whole unit, so they are
    /// counted with the record; elsewhere the average of all is added, see `allowance`.
    pub(super) fn assumed_pointers(&self) -> usize {
        let Layout { unit, segment, segments, .. } = self.sizes();
        if unit < 32 {
            return 0;
        }
        // At least: with few heads, of as many keys as fit.
        let keys = segments.saturating_mul(segment / 128) / length_u32(self.heads.len()).max(1);
        (keys.checked_ilog2().unwrap_or(0) as usize + 2).clamp(6, POINTERS_MAX)
    }

    /// What a record counts in [`Counts::live`](crate::format::header::Counts::live): its length without what changes
    /// when it is written again.
    pub(super) fn cost(&self, shape: Shape) -> u32 {
        self.padded_length(shape.with_pointers::<C>(self.assumed_pointers()).with(RESUME, false))
    }

    /// Whether a record may leave more of a segment's end unused than [the short ones](Self::waste) do, when it's the next
    /// and does not fit there. Each of them does so once at most, so they are counted.
    pub(super) fn is_long(&self, shape: Shape) -> bool {
        !C::SMALL && length_u32(shape.name() + shape.inline()) > self.sizes().body_max / 4
    }
}

/// What a record is to the index.
pub(super) fn class_of<C: MonotonicCounter>(shape: Shape, client: ClientId, attributes: Attributes) -> Class {
    match shape.kind() {
        Kind::Entry if C::SMALL => Class::Key,
        Kind::Entry if client == SYSTEM && shape.name() == RETIRED_NAME => Class::System,
        // Entries of the store's own, and factory copies, are no keys.
        Kind::Entry if client == SYSTEM || attributes.any(Attributes::COPY) => Class::Chunk,
        Kind::Entry => Class::Key,
        Kind::Chunk => Class::Chunk,
        Kind::Tombstone => Class::Tombstone,
        Kind::Mark => Class::Mark,
    }
}

/// How a record of this shape is sealed.
pub(super) const fn domain_of<C: MonotonicCounter>(shape: Shape) -> Domain {
    if !C::SMALL && shape.has(CLEAR) { Domain::ClearRecord } else { Domain::Record }
}

/// Associated data, tag and text of a sealed message of `length` bytes; the gap is between the first two.
fn split<S: Suite>(
    buffer: &mut [u8],
    associated: usize,
    gap: usize,
    length: usize,
) -> Option<(&[u8], &mut [u8], &mut [u8])> {
    let (associated, rest) = buffer.get_mut(..length)?.split_at_mut_checked(associated)?;
    let (tag, text) = rest.get_mut(gap..)?.split_at_mut_checked(S::TAG)?;
    Some((associated, tag, text))
}

/// Lengths of records are below 4,096.
pub(super) fn length_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
