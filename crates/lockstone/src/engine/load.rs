//! Load: one record from flash into the buffer, verified and unsealed. The only reader of records.
//!
//! Invariant: what [`Store::load`] returns was sealed by this store for this very place. Reads never go past the
//! record's own units unless a length hint said so, and then an unreadable neighbour is tolerated, because a torn unit
//! behind a good record may not be readable at all (ECC).

use super::{CHUNK_SPACE, Class, Facts, NorFlash, Store, one_source, space_of};
use crate::format::Reader;
use crate::format::header::{Header, header_length, link_of};
use crate::format::pointer::pointer_length;
use crate::format::record::{ATTRIBUTES, CLIENT, HEAD, Kind, LONG, RESUME, Shape};
use crate::key::SYSTEM;
use crate::layout::Position;
use crate::seal::{Domain, Suite};

/// A good record; its text lies unsealed in the buffer until the buffer is used again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded {
    pub(super) at: Position,
    pub(super) shape: Shape,
    /// Bytes on flash, padding included.
    pub(super) length: u32,
    /// How its tag begins.
    pub(super) link: u32,
}

impl Loaded {
    pub(super) fn after(&self) -> u32 {
        self.at.offset + self.length
    }
}

/// The optional fields of a record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields {
    pub(super) hole_start: u32,
    pub(super) client: u32,
    pub(super) whole: u32,
}

#[one_source]
impl<F: NorFlash, S: Suite> Store<'_, F, S> {
    /// Reads, verifies and unseals the record at `at`; `hint` is a guess of its length. `None`: no good record there.
    pub(super) async fn load(&mut self, at: Position, hint: Option<u32>) -> Option<Loaded> {
        let room = self.layout.segment.checked_sub(at.offset)?;
        if let Some(hint) = hint
            && hint > self.layout.unit
            && self.fetch(at, 0, hint.min(room)).await.is_some()
            && let Some(loaded) = self.unseal(at, hint.min(room))
        {
            return Some(loaded);
        }
        let length = self.peek(at).await.map(|shape| self.padded_length(shape))?;
        self.fetch(at, self.layout.unit, length).await?;
        self.unseal(at, length)
    }

    /// The head of whatever lies at `at`, unverified.
    pub(super) async fn peek(&mut self, at: Position) -> Option<Shape> {
        let room = self.layout.segment.checked_sub(at.offset)?;
        self.fetch(at, 0, self.layout.unit.min(room)).await?;
        self.shape_in_buffer().filter(|shape| self.padded_length(*shape) <= room)
    }

    /// The head of the record at `at` and how its tag begins, unverified, if it is linked to what comes before it.
    pub(super) async fn peek_linked(&mut self, at: Position, before: Option<u32>) -> Option<(Shape, u32)> {
        let shape = self.peek(at).await?;
        let tag_at = shape.associated::<S>();
        let read = self.layout.padded(length_u32(tag_at + 4)).min(self.padded_length(shape));
        self.fetch(at, self.layout.unit, read.max(self.layout.unit)).await?;
        let link = link_of(self.buffer.get(tag_at..)?);
        (before.map(u32::to_le_bytes).as_ref().map(|bytes| &bytes[..]) == Some(self.link())).then_some((shape, link))
    }

    /// Reads bytes `from..to` of what lies at `at` to the same place in the buffer.
    async fn fetch(&mut self, at: Position, from: u32, to: u32) -> Option<()> {
        let range = from as usize..to as usize;
        if range.is_empty() {
            return Some(());
        }
        let address = self.layout.address(at) + from;
        self.flash.read(address, self.buffer.get_mut(range)?).await.ok()
    }

    /// Reads the header of a segment into the buffer; `None`: no good header of this store with this number.
    pub(super) async fn header(&mut self, sequence: u32) -> Option<(Header, u32)> {
        let at = Position::new(sequence, 0);
        self.fetch(at, 0, header_length::<S>(&self.layout)).await?;
        self.header_in_buffer().filter(|(header, _)| header.sequence == sequence)
    }

    /// Whether the flash from `at` on, `length` bytes at most a cell, is blank. An unreadable place is not.
    pub(super) async fn written_in(&mut self, at: Position, length: u32) -> Option<u32> {
        if self.fetch(at, 0, length).await.is_none() {
            return Some(length);
        }
        let erased = self.erased;
        let cell = self.buffer.get(..length as usize)?;
        let last = cell.iter().rposition(|byte| *byte != erased)?;
        u32::try_from(last + 1).ok()
    }
}

impl<F, S: Suite> Store<'_, F, S> {
    /// The header in the buffer, if it is a good one of this store.
    pub(super) fn header_in_buffer(&self) -> Option<(Header, u32)> {
        let header = Header::parse::<S>(&self.layout, self.erased, self.buffer)?;
        let good = header.id == self.id && usize::from(header.heads) == self.heads.len();
        let link = header.verify(&self.suite, self.buffer).filter(|_| good)?;
        Some((header, link))
    }

    pub(super) fn shape_in_buffer(&self) -> Option<Shape> {
        Shape::parse(*self.buffer.first_chunk::<HEAD>()?)
    }

    /// Bytes of such a record on flash.
    pub(super) fn padded_length(&self, shape: Shape) -> u32 {
        self.layout.padded(length_u32(shape.length::<S>()))
    }

    /// Verifies and unseals what was read of a record, `available` bytes.
    fn unseal(&mut self, at: Position, available: u32) -> Option<Loaded> {
        let shape = self.shape_in_buffer()?;
        let length = self.padded_length(shape);
        if length > available {
            return None;
        }
        let (associated, rest) =
            self.buffer.get_mut(..shape.length::<S>())?.split_at_mut_checked(shape.associated::<S>())?;
        let (tag, text) = rest.split_at_mut_checked(S::TAG)?;
        let good = self.suite.unseal(Domain::Record, at, associated, text, tag);
        good.then(|| Loaded { at, shape, length, link: link_of(tag) })
    }

    /// The link in the record that lies in the buffer.
    pub(super) fn link(&self) -> &[u8] {
        self.buffer.get(HEAD..HEAD + S::LINK).unwrap_or_default()
    }

    pub(super) fn fields(&self, shape: Shape) -> Fields {
        let from = shape.associated::<S>() + S::TAG;
        let mut reader = Reader(self.buffer.get(from..).unwrap_or_default());
        let mut fields = Fields::default();
        if shape.has(RESUME) {
            fields.hole_start = reader.u32().unwrap_or_default();
        }
        if shape.has(CLIENT) {
            fields.client = reader.u32().unwrap_or_default();
        }
        if shape.has(ATTRIBUTES) {
            let _ = reader.take(1);
        }
        if shape.has(LONG) {
            fields.whole = reader.u32().unwrap_or_default();
        }
        fields
    }

    pub(super) fn name(&self, shape: Shape) -> &[u8] {
        let from = shape.name_at::<S>();
        self.buffer.get(from..from + shape.name()).unwrap_or_default()
    }

    pub(super) fn inline(&self, shape: Shape) -> &[u8] {
        let from = shape.name_at::<S>() + shape.name();
        self.buffer.get(from..from + shape.inline()).unwrap_or_default()
    }

    /// The bytes of all pointers.
    pub(super) fn pointers(&self, shape: Shape) -> &[u8] {
        let from = HEAD + S::LINK;
        let length = shape.pointers() * pointer_length::<S>();
        self.buffer.get(from..from + length).unwrap_or_default()
    }

    /// Whole length of the value of an entry.
    pub(super) fn value_length(&self, shape: Shape) -> u32 {
        if shape.has(LONG) { self.fields(shape).whole } else { length_u32(shape.inline()) }
    }

    /// What the record in the buffer is to the index.
    pub(super) fn facts(&self, shape: Shape) -> Facts {
        let name = self.name(shape);
        let client = self.fields(shape).client;
        let (hash, class) = match shape.kind() {
            Kind::Entry if client == SYSTEM => (self.suite.hash(space_of(client), name), Class::System),
            Kind::Entry => (self.suite.hash(space_of(client), name), Class::Key),
            Kind::Chunk => (self.suite.hash(CHUNK_SPACE, name), Class::Chunk),
            Kind::Tombstone => (Reader(name).u64().unwrap_or_default(), Class::Tombstone),
            Kind::Mark => (0, Class::Mark),
        };
        Facts { hash, cost: self.cost(shape), class }
    }

    /// Pointers that a record is counted with. On parts with long units one more can cost a whole unit, so they are
    /// counted with the record; elsewhere the average of all is added, see `allowance`.
    pub(super) fn assumed_pointers(&self) -> usize {
        if self.layout.unit >= 32 { 6 } else { 0 }
    }

    /// What a record counts in [`Counts::live`](crate::format::header::Counts::live): its length without what changes
    /// when it is written again.
    pub(super) fn cost(&self, shape: Shape) -> u32 {
        self.padded_length(shape.with_pointers(self.assumed_pointers()).with(RESUME, false))
    }
}

/// Lengths of records are below 4,096.
pub(super) fn length_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
