//! Slots: a chunk is written into the next one, found again, and known to be there after a cut.

use core::ops::Range;

use super::blocks::note_of;
use super::{Failure, NOWHERE, NorFlash, Objects, Seen, Store, TRIES, one_source};
use crate::format::object::{HEAD, Head, NOTE_MAX, Name, Note, OPEN, SLOTS_MAX, Slot, Turn};
use crate::format::{put, put_word};
use crate::layout::Position;
use crate::object::{ObjectError, PEEK, PEEK_LENGTH, Upload};
use crate::seal::{Domain, Suite};
use crate::trust::MonotonicCounter;

/// Bytes of an entry of a table: slot and session.
const ENTRY: u32 = 4;
/// Entries of a table that are kept while an object is read through.
const KEPT: u32 = 16;

/// What a chunk or a table is: what it's sealed for.
#[derive(Clone, Copy)]
pub(super) struct What {
    pub(super) name: Name,
    pub(super) index: u32,
    pub(super) session: u32,
    pub(super) is_table: bool,
}

impl What {
    const fn domain(&self) -> Domain {
        if self.is_table { Domain::Table } else { Domain::Chunk }
    }

    const fn at(&self) -> Position {
        Position::new(self.index, self.session)
    }
}

/// Where the chunks of a finished object are.
pub(super) struct Map {
    name: Name,
    session: u32,
    /// The slot of the first table; `OPEN`: chunk n is in slot n.
    tables: u32,
    /// Slot and session of a few chunks, as the tables say, and the number of the first of them.
    kept: [(u32, u32); KEPT as usize],
    from: u32,
}

impl Map {
    pub(super) const fn new(name: Name, session: u32, tables: u32) -> Self {
        Self { name, session, tables, kept: [(0, 0); KEPT as usize], from: NOWHERE }
    }
}

#[one_source]
impl<F: NorFlash, S: Suite> Objects<'_, F, S> {
    /// Before anything is written in a power session: the store notes that there is one, and from which slot on it writes. What
    /// the session before may have left marginal is written again.
    pub(super) async fn begin<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
    ) -> Result<(), Failure<F, D>> {
        for _ in 0..TRIES {
            self.settle(store, upload).await?;
            if !upload.begun {
                if upload.session >= SLOTS_MAX {
                    return Err(ObjectError::TooLarge);
                }
                let (session, next) = (upload.session + 1, upload.next);
                self.change_note(store, upload, |note| (note.session, note.start) = (session, next)).await?;
                upload.session = session;
                upload.begun = true;
                self.writer = (upload.name, session);
                if let Some(block) = upload.stale.take() {
                    // One that can't be erased is in nobody's way: its ordinal is not used again.
                    let _ = self.erase(block).await;
                }
            }
            let Some(slot) = upload.again else { return Ok(()) };
            if self.load_slot(store, upload, slot).await? {
                upload.turn = Turn::Copy;
                put(upload.bytes, HEAD + S::TAG, self.text(0));
                let what = what_of(upload, slot.index);
                self.seal(store, upload, what, self.layout.chunk).await;
                self.program(store, upload, what).await?;
                upload.again = None;
                return Ok(());
            }
            // It read well a moment ago: what counts as there is found out anew.
            upload.settled = false;
        }
        Err(ObjectError::Damaged)
    }

    /// Changes the note about an unfinished object.
    async fn change_note<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        change: impl FnOnce(&mut Note),
    ) -> Result<(), Failure<F, D>> {
        let mut bytes = [0; NOTE_MAX];
        let key = note_of(upload.name.hash);
        let Some(length) = store.get_system(key.key(), &mut bytes).await? else { return Err(ObjectError::GivenUp) };
        let mut note = Note::of_bytes(&bytes);
        change(&mut note);
        note.put_to(&mut bytes);
        // Until it's known to be there, RAM says less than flash may.
        upload.settled = false;
        store.commit(key.key(), bytes.get(..length).unwrap_or_default(), self.noting()).await?;
        upload.settled = true;
        Ok(())
    }

    /// Writes the chunk whose text is in the RAM of the upload into the next slot.
    pub(super) async fn append<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        index: u32,
    ) -> Result<(), Failure<F, D>> {
        let used = upload.part.end - upload.part.start;
        upload.part = 0..0;
        let what = what_of(upload, index);
        // A call that is dropped while it seals leaves nothing to go on with.
        upload.settled = false;
        self.seal(store, upload, what, used).await;
        self.program(store, upload, what).await?;
        upload.set(index, true);
        Ok(())
    }

    /// Pads and seals the text in the RAM of the upload.
    async fn seal<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        what: What,
        used: u32,
    ) {
        let bytes = upload.bytes.get_mut(..self.layout.slot as usize).unwrap_or_default();
        let Some((head, text)) = bytes.split_at_mut_checked(HEAD + S::TAG) else { return };
        text.get_mut(used as usize..).unwrap_or_default().fill(0);
        let text = text.get_mut(..self.layout.chunk as usize).unwrap_or_default();
        let name = what.name.to_bytes();
        let tag = store.seal_other(what.domain(), what.at(), &name, text).await;
        put(head, HEAD, tag.get(..S::TAG).unwrap_or_default());
    }

    /// Programs what was sealed into the next slot, and reads it back; into another if it does not stick.
    async fn program<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        what: What,
    ) -> Result<(), Failure<F, D>> {
        let slots = self.layout.slots;
        let mut failure = ObjectError::WornOut;
        for failed in 1..=TRIES {
            if upload.next >= SLOTS_MAX {
                return Err(ObjectError::TooLarge);
            }
            upload.settled = false;
            if upload.next.is_multiple_of(slots) {
                let (block, ordinal) = self.open_block(store, upload.name, upload.next / slots).await?;
                (upload.block, upload.next) = (block, ordinal * slots);
                upload.first = upload.first.or(Some(upload.block));
            } else if self.is_lost(store, upload.block, upload.name).await {
                // Nobody programs a block that is another's by now; what is true is found out at the next call.
                return Err(ObjectError::GivenUp);
            }
            let at = self.layout.address(upload.block, upload.next % slots);
            let bytes = upload.bytes.get_mut(..self.layout.slot as usize).unwrap_or_default();
            put(bytes, 0, &Head::of(what.index, what.session, what.is_table, upload.turn).to_bytes());
            let good = match self.flash.write(at, bytes).await {
                Ok(()) => reads_as(&mut self.flash, at, bytes).await,
                Err(error) => {
                    failure = ObjectError::Flash(error);
                    false
                }
            };
            upload.in_order &= good && !what.is_table && what.index == upload.next;
            upload.next += 1;
            if good {
                upload.turn = Turn::Next;
                upload.settled = true;
                return Ok(());
            }
            if upload.turn == Turn::Next {
                upload.turn = Turn::Void;
            }
            if failed % 2 == 0 {
                upload.next = upload.next.next_multiple_of(slots);
            }
        }
        Err(failure)
    }

    /// How long the object is, now that it ends: notes it, if it was not known, and writes the last chunk.
    pub(super) async fn end<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
    ) -> Result<(), Failure<F, D>> {
        if upload.length != OPEN {
            return Ok(());
        }
        let reach = upload.reach();
        let Range { start, end } = upload.part;
        let rest = start != end;
        let end = if rest { end } else { reach * self.layout.chunk };
        if end < upload.accepted {
            // A chunk that was there is not any more.
            return Err(ObjectError::Incomplete);
        }
        // The length is durable before a chunk is that is whole only because the object ends in it.
        self.change_note(store, upload, |note| note.length = end).await?;
        upload.length = end;
        if rest { self.append(store, upload, reach).await } else { Ok(()) }
    }

    /// Writes tables of which chunk is in which slot, in slots of their own, and returns the first.
    pub(super) async fn write_tables<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        chunks: u32,
    ) -> Result<u32, Failure<F, D>> {
        let words = self.layout.chunk / ENTRY;
        let mut first = None;
        for table in 0..chunks.div_ceil(words) {
            upload.part = 0..0;
            upload.bytes.get_mut(..self.layout.slot as usize).unwrap_or_default().fill(0xff);
            for slot in 0..upload.next {
                let Some(head) = self.head(store, upload.name, slot).await? else { continue };
                let at = HEAD + S::TAG + (ENTRY * (head.index % words)) as usize;
                if head.is_table || head.index / words != table || head.index >= chunks {
                    continue;
                }
                // A slot that does not count may say to have any chunk, so the second that says it is looked at; and a low
                // byte is not a session when there were many.
                let free = upload.bytes.get(at..).and_then(<[u8]>::first_chunk) == Some(&[0xff; 2]);
                let session = if free && upload.session < 256 {
                    Some(u32::from(head.low))
                } else {
                    self.session_of(store, upload, head.in_slot(slot)).await?
                };
                if let Some(session) = session {
                    put_word(upload.bytes, at, slot | session << 16);
                }
            }
            let what = What { is_table: true, ..what_of(upload, table) };
            self.seal(store, upload, what, self.layout.chunk).await;
            self.program(store, upload, what).await?;
            // This session's contents are read from here on, and are refused maybe: whoever goes on begins another, which
            // seals for itself.
            upload.settled = false;
            let place = upload.next - 1;
            if place != *first.get_or_insert(place) + table {
                // One did not stick where it should: the next session writes them anew.
                return Err(ObjectError::WornOut);
            }
        }
        Ok(first.unwrap_or(OPEN))
    }

    /// Reads chunk `index` of a finished object and verifies it; its text is in the buffer then.
    pub(super) async fn load_mapped<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        map: &mut Map,
        index: u32,
    ) -> Result<bool, Failure<F, D>> {
        let (from, at) = (index - index % KEPT, (index % KEPT) as usize);
        if map.tables != OPEN && map.from != from && !self.look_up(store, map, from).await? {
            return Ok(false);
        }
        let (slot, session) =
            if map.tables == OPEN { (index, map.session) } else { map.kept.get(at).copied().unwrap_or_default() };
        self.load(store, What { name: map.name, index, session, is_table: false }, slot).await
    }

    /// Reads from the tables where the chunks from one on are.
    async fn look_up<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        map: &mut Map,
        from: u32,
    ) -> Result<bool, Failure<F, D>> {
        let words = self.layout.chunk / ENTRY;
        let what = What { name: map.name, index: from / words, session: map.session, is_table: true };
        if !self.load(store, what, map.tables.wrapping_add(from / words)).await? {
            return Ok(false);
        }
        let bytes = self.text((ENTRY * (from % words)) as usize);
        for (place, entry) in map.kept.iter_mut().zip(bytes.as_chunks::<{ ENTRY as usize }>().0) {
            let entry = u32::from_le_bytes(*entry);
            *place = (entry & SLOTS_MAX, entry >> 16);
        }
        map.from = from;
        Ok(true)
    }

    /// Reads a chunk of an unfinished object and verifies it; its text is in the buffer then.
    pub(super) async fn load_newest<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &Upload<'_>,
        index: u32,
    ) -> Result<bool, Failure<F, D>> {
        let slots = if upload.in_order { index..index + 1 } else { 0..upload.next };
        for slot in slots.rev() {
            let head = self.head(store, upload.name, slot).await?;
            // A slot that does not count may say to have any chunk.
            if let Some(head) = head
                && head.index == index
                && !head.is_table
                && self.load_slot(store, upload, head.in_slot(slot)).await?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Finds out from flash what is there.
    ///
    /// The last slot of a session may be marginal, so each session begins by writing it again; it counts by itself only as
    /// long as no copy of it is known to be whole. Any other slot is known to be whole by the one behind it.
    pub(super) async fn settle<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
    ) -> Result<(), Failure<F, D>> {
        if self.seen.block == NOWHERE {
            // It may have been unreadable for a moment only.
            self.seen = Seen::default();
        }
        // Another handle may have gone on with it.
        if upload.settled && (self.writer.0 != upload.name || self.writer.1 <= upload.session) {
            return Ok(());
        }
        let (name, slots) = (upload.name, self.layout.slots);
        let note = self.note(store, name.hash).await?.filter(|note| note.id == name.id);
        let note = note.ok_or(ObjectError::GivenUp)?;
        upload.length = note.length;
        if upload.bytes.len() < self.upload_room(note.length) {
            return Err(ObjectError::TooLarge);
        }
        upload.forget();
        (upload.session, upload.begun, upload.turn) = (note.session, false, Turn::New);
        (upload.stale, upload.again, upload.first, upload.in_order) = (None, None, None, false);
        self.seen = Seen::default();
        let mut end = 0;
        let mut tail = Tail::default();
        let mut ordinal = None;
        while let Some((next, block)) = self.block_after(store, name, ordinal).await? {
            let mut used = false;
            for slot in next * slots..(next + 1) * slots {
                if !self.is_erased(self.layout.address(block, slot % slots)).await {
                    (used, end) = (true, slot + 1);
                    self.pass(store, upload, &mut tail, slot).await?;
                }
            }
            upload.first = upload.first.or(Some(block));
            upload.block = block;
            upload.stale = (!used).then_some(block);
            if !used {
                // It's erased, or fails to be: its ordinal is not used again.
                end = (next + 1) * slots;
            }
            ordinal = Some(next);
        }
        for last in tail.newest_first().into_iter().flatten() {
            if !last.is_table && self.load_slot(store, upload, last).await? {
                tail.count(upload, last);
                upload.again = Some(last);
                break;
            }
        }
        if tail.is_too_much {
            return Err(ObjectError::TooLarge);
        }
        // What came behind the last slot that is seen may have been begun and not be seen: it's left out, and so is a
        // block that may have been.
        let touched = end.max(note.start).min(SLOTS_MAX);
        let skipped = if touched.is_multiple_of(slots) { slots } else { 1 };
        upload.next = touched + skipped;
        upload.settled = true;
        Ok(())
    }

    /// Takes in what the next written slot says of those before it.
    async fn pass<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        tail: &mut Tail,
        slot: u32,
    ) -> Result<(), Failure<F, D>> {
        let mut head = self.head(store, upload.name, slot).await?;
        if let Some(first @ Head { turn: Turn::New | Turn::Copy, .. }) = head
            && !self.load_slot(store, upload, first.in_slot(slot)).await?
        {
            // What it says of the slots before it would be believed.
            head = None;
        }
        let Some(head) = head else {
            tail.maybe = tail.open.take().or(tail.maybe);
            return Ok(());
        };
        let here = head.in_slot(slot);
        match head.turn {
            Turn::Next => {
                tail.before = tail.open;
                if let Some(open) = tail.open {
                    tail.count(upload, open);
                    tail.pending = None;
                }
            }
            Turn::Void => {
                // The slot before it did not stick; in the same session that can't have been a cut.
                for last in [tail.open, tail.maybe].into_iter().flatten() {
                    if self.load_slot(store, upload, last).await? {
                        tail.count(upload, last);
                    }
                }
                (tail.pending, tail.before, tail.maybe) = (None, None, None);
            }
            Turn::Copy => {
                // It copies the last slot that could be read. If that is the torn one, the one before it does count.
                tail.pending = tail.newest_first().into_iter().rev().flatten().find(|last| last.same(here));
                if let Some(maybe) = tail.maybe
                    && tail.pending.is_none()
                    && self.load_slot(store, upload, maybe).await?
                {
                    tail.count(upload, maybe);
                }
                (tail.maybe, tail.before) = (None, None);
            }
            // Nothing could be read then that is not known to be whole.
            Turn::New => (tail.pending, tail.before, tail.maybe) = (None, None, None),
        }
        tail.open = Some(here);
        Ok(())
    }

    /// Reads a slot of an unfinished object and verifies it; its text is in the buffer then.
    async fn load_slot<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &Upload<'_>,
        slot: Slot,
    ) -> Result<bool, Failure<F, D>> {
        Ok(self.session_of(store, upload, slot).await?.is_some())
    }

    /// The same, and the session that wrote it.
    async fn session_of<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &Upload<'_>,
        slot: Slot,
    ) -> Result<Option<u32>, Failure<F, D>> {
        let [newest, ..] = upload.session.to_le_bytes();
        let mut session = upload.session.checked_sub(u32::from(newest.wrapping_sub(slot.low)));
        while let Some(now) = session {
            let what = What { name: upload.name, index: slot.index, session: now, is_table: slot.is_table };
            if self.load(store, what, slot.slot).await? {
                return Ok(Some(now));
            }
            session = now.checked_sub(256);
        }
        Ok(None)
    }

    /// Reads a slot and verifies it; its text is in the buffer then.
    pub(super) async fn load<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        what: What,
        slot: u32,
    ) -> Result<bool, Failure<F, D>> {
        let Some(block) = self.block_of(store, what.name, slot / self.layout.slots).await? else { return Ok(false) };
        let at = self.layout.address(block, slot % self.layout.slots);
        let bytes = self.buffer.get_mut(..self.layout.slot as usize).unwrap_or_default();
        if self.flash.read(at, bytes).await.is_err() {
            // An ECC error: as unreadable as a wrong tag.
            return Ok(false);
        }
        let Some((head, text)) = bytes.split_at_mut_checked(HEAD + S::TAG) else { return Ok(false) };
        let text = text.get_mut(..self.layout.chunk as usize).unwrap_or_default();
        let tag = head.get(HEAD..).unwrap_or_default();
        let name = what.name.to_bytes();
        Ok(store.unseal_other(what.domain(), what.at(), &name, text, tag).await)
    }

    /// What a slot says of itself; nothing of it is verified.
    async fn head<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        slot: u32,
    ) -> Result<Option<Head>, Failure<F, D>> {
        let Some(block) = self.block_of(store, name, slot / self.layout.slots).await? else { return Ok(None) };
        let mut head = [0; PEEK];
        let length = HEAD.next_multiple_of(F::READ_SIZE);
        let at = self.layout.address(block, slot % self.layout.slots);
        let read = self.flash.read(at, head.get_mut(..length).unwrap_or_default()).await;
        let [a, b, c, d, ..] = head;
        Ok(read.ok().and_then(|()| Head::of_bytes([a, b, c, d])))
    }
}

/// A chunk that is written now.
const fn what_of(upload: &Upload<'_>, index: u32) -> What {
    What { name: upload.name, index, session: upload.session, is_table: false }
}

/// The last slots of an unfinished object that are read, of which a cut may have left one marginal.
#[derive(Default)]
struct Tail {
    /// The last of its session.
    open: Option<Slot>,
    /// The one before it in the session, known to be whole by it.
    before: Option<Slot>,
    /// The last before a torn slot, which may be of the same session or not.
    maybe: Option<Slot>,
    /// What a session was to write again, as long as its copy is not known to be whole.
    pending: Option<Slot>,
    /// There is a chunk of which the RAM has no bit.
    is_too_much: bool,
}

impl Tail {
    const fn newest_first(&self) -> [Option<Slot>; 4] {
        [self.open, self.maybe, self.before, self.pending]
    }

    /// The chunk of this slot is there.
    fn count(&mut self, upload: &mut Upload<'_>, slot: Slot) {
        if slot.is_table {
            return;
        }
        if slot.index < upload.chunks() {
            upload.set(slot.index, true);
        } else {
            // What stands behind the end of an object of known length is nothing.
            self.is_too_much |= upload.length == OPEN;
        }
    }
}

/// Whether flash reads as what was written to it.
#[one_source]
pub(super) async fn reads_as<F: NorFlash>(flash: &mut F, from: u32, written: &[u8]) -> bool {
    let mut bytes = [0; PEEK];
    let mut at = from;
    for piece in written.chunks(PEEK) {
        let read = bytes.get_mut(..piece.len()).unwrap_or_default();
        if flash.read(at, read).await.is_err() || read != piece {
            return false;
        }
        at += PEEK_LENGTH;
    }
    true
}
