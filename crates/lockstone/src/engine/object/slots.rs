//! Slots: a chunk is written into the next one, found again, and known to be there after a cut.

use core::ops::Range;

use subtle::ConstantTimeEq;

use super::super::load::length_u32;
use super::blocks::note_of;
use super::{Failure, NOWHERE, NorFlash, Objects, Seen, Store, TRIES, one_source};
use crate::format::object::{HEAD, Head, Manifest, NOTE_MAX, Name, Note, OPEN, SLOTS_MAX, Slot, Turn};
use crate::format::pins::{PIN, PINS, PINS_SIZE, Pin, pieces_for, pinned, pinned_by};
use crate::format::{put, word};
use crate::layout::Position;
use crate::object::{ObjectError, PEEK, PEEK_LENGTH, Upload};
use crate::seal::{Domain, Suite};
use crate::trust::MonotonicCounter;

/// The first bytes of a tag, which are pinned.
const CHECK: usize = 4;

/// What a chunk or a table is: what a chunk is sealed for, and a table begins with.
#[derive(Clone, Copy)]
pub(super) struct What {
    pub(super) name: Name,
    pub(super) index: u32,
    pub(super) session: u32,
    pub(super) is_table: bool,
}

/// A piece of a table, which was verified.
#[derive(Clone, Copy, Default)]
struct Piece {
    /// What is pinned of it.
    check: u32,
    /// What it pins.
    pins: [Pin; PINS],
}

/// Where the chunks of the finished object are that was read last. All of it was verified.
#[derive(Default)]
pub(super) struct Map {
    name: Name,
    chunks: u32,
    root: Pin,
    /// The block of the root, as the manifest says.
    hint: u32,
    /// The piece that pins the chunk that was read last, and the one that pins that.
    last: Kept,
    above: Kept,
}

#[derive(Clone, Copy, Default)]
struct Kept {
    /// The number of the piece, and one more; 0: none.
    number: u32,
    pins: [Pin; PINS],
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

    /// Pads and seals the chunk in the RAM of the upload.
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
        let tag = store.seal_other(Domain::Chunk, Position::new(what.index, what.session), &name, text).await;
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
            let place = what.index + if what.is_table { upload.chunks() } else { 0 };
            upload.in_order &= good && place == upload.next;
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

    /// Writes tables, of pieces that pin all chunks, in slots of their own, and returns the pin of the last piece, which pins the others.
    ///
    /// What is pinned here of chunks was not verified yet: who computes the digest then reads by way of the pins.
    pub(super) async fn write_tables<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
    ) -> Result<Pin, Failure<F, D>> {
        let (pieces, most) = (pieces_for(upload.chunks()), self.layout.pieces);
        let mut root = Pin::default();
        for table in 0..pieces.div_ceil(most) {
            let within = table * most..((table + 1) * most).min(pieces);
            self.collect_pins(store, upload, within.clone()).await?;
            let check = self.seal_pieces(store, upload, within).await;
            let what = What { is_table: true, ..what_of(upload, table) };
            self.program(store, upload, what).await?;
            // This session's contents are read from here on, and are refused maybe: whoever goes on begins another, which
            // seals for itself.
            upload.settled = false;
            root = Pin::of(upload.next - 1, upload.session, check);
        }
        Ok(root)
    }

    /// Finds what the pieces of a table pin that is written already, and puts the pins into the RAM of the upload.
    async fn collect_pins<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        pieces: Range<u32>,
    ) -> Result<(), Failure<F, D>> {
        let chunks = upload.chunks();
        let items = pinned(chunks, pieces.clone());
        upload.part = 0..0;
        upload.bytes.get_mut(..self.layout.slot as usize).unwrap_or_default().fill(0xff);
        let slots = if upload.in_order {
            let last = items.end.saturating_sub(1);
            self.layout.slot_of(chunks, items.start)..(self.layout.slot_of(chunks, last) + 1).min(upload.next)
        } else {
            0..upload.next
        };
        for slot in slots {
            let Some((head, check)) = self.head(store, upload.name, slot).await? else { continue };
            if head.is_table {
                self.collect_pieces(store, upload, head.in_slot(slot), &items).await?;
                continue;
            }
            // Chunks behind the end may lie about.
            if head.index >= chunks || !items.contains(&head.index) {
                continue;
            }
            // A slot that does not count may say to have any chunk, so the second that says it is looked at; and a low
            // byte is not a session when there were many.
            let at = self.place_of_pin(chunks, head.index);
            let free = upload.bytes.get(at..).and_then(<[u8]>::first_chunk) == Some(&[0xff; PIN]);
            let found = if free && upload.session < 256 {
                Some((u32::from(head.low), check))
            } else {
                self.session_of(store, upload, head.in_slot(slot)).await?
            };
            if let Some((session, check)) = found {
                put(upload.bytes, at, &Pin::of(slot, session, check).to_bytes());
            }
        }
        Ok(())
    }

    /// The same of a slot that says to have a table: of its pieces that were sealed in this session. Those of others may lie about.
    async fn collect_pieces<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        table: Slot,
        items: &Range<u32>,
    ) -> Result<(), Failure<F, D>> {
        let (chunks, pieces) = (upload.chunks(), self.layout.pieces);
        for piece in table.index * pieces..(table.index + 1) * pieces {
            if !items.contains(&(chunks + piece)) {
                continue;
            }
            if let Some(found) = self.load_piece(store, upload.name, piece, upload.session, table.slot).await? {
                let pin = Pin::of(table.slot, upload.session, found.check);
                put(upload.bytes, self.place_of_pin(chunks, chunks + piece), &pin.to_bytes());
            }
        }
        Ok(())
    }

    /// Seals the pieces of a table in the RAM of the upload, each after those of the same table that it pins. Returns what is to be
    /// pinned of the last.
    async fn seal_pieces<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        pieces: Range<u32>,
    ) -> u32 {
        let chunks = upload.chunks();
        let name = upload.name.to_bytes();
        let mut check = 0;
        for piece in pieces.clone() {
            let Range { start, end } = pinned(chunks, piece..piece + 1);
            for item in start.max(chunks + pieces.start)..end {
                let check = word(upload.bytes, self.place_of(item - chunks));
                let at = self.place_of_pin(chunks, item);
                put(upload.bytes, at, &Pin::here(upload.session, check).to_bytes());
            }
            let at = self.place_of(piece);
            let text = upload.bytes.get_mut(at + S::TAG..at + S::TAG + PINS_SIZE).unwrap_or_default();
            let tag = store.seal_other(Domain::Table, Position::new(piece, upload.session), &name, text).await;
            put(upload.bytes, at, tag.get(..S::TAG).unwrap_or_default());
            check = word(upload.bytes, at);
        }
        check
    }

    /// From here on [`load_mapped`](Self::load_mapped) reads this object.
    pub(super) fn map(&mut self, name: Name, manifest: &Manifest) {
        let chunks = manifest.length.div_ceil(self.layout.chunk);
        if (self.map.name, self.map.chunks, self.map.root) != (name, chunks, manifest.root) {
            self.map = Map { name, chunks, root: manifest.root, hint: manifest.last, ..Map::default() };
        }
        // What was not found may only have been unreadable for a moment: each call looks for it anew.
        if self.seen.name != name || self.seen.block == NOWHERE {
            self.see_root();
        }
    }

    /// Reads chunk `index` of the finished object that is mapped, and verifies that it's the one that is pinned; its text is in the
    /// buffer then.
    pub(super) async fn load_mapped<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        index: u32,
    ) -> Result<bool, Failure<F, D>> {
        let (piece, at) = pinned_by(self.map.chunks, index);
        if !self.map.last.is(piece) && !self.look_up(store, index).await? {
            return Ok(false);
        }
        let pin = self.map.last.pin(at);
        let what = What { name: self.map.name, index, session: pin.session(), is_table: false };
        Ok(self.load(store, what, pin.slot()).await? && is_pinned(self.check(), pin))
    }

    /// Reads the pieces on the way to a chunk: from the root down, or the last of them alone, if the one above it is kept.
    async fn look_up<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        index: u32,
    ) -> Result<bool, Failure<F, D>> {
        let Map { name, chunks, root, .. } = self.map;
        let (last, _) = pinned_by(chunks, index);
        let (above, at) = pinned_by(chunks, chunks + last);
        let (mut piece, mut pin) = (pieces_for(chunks).saturating_sub(1), root);
        if self.map.above.is(above) {
            (piece, pin) = (last, self.map.above.pin(at));
        } else {
            self.see_root();
        }
        loop {
            let found = self.load_piece(store, name, piece, pin.session(), pin.slot()).await?;
            let Some(Piece { pins, .. }) = found.filter(|found| is_pinned(found.check, pin)) else { return Ok(false) };
            let kept = Kept { number: piece + 1, pins };
            if piece == last {
                self.map.last = kept;
                return Ok(true);
            }
            if piece == above {
                self.map.above = kept;
            }
            // The one on the way that this one pins.
            let mut child = last;
            let mut by = pinned_by(chunks, chunks + child);
            while by.0 < piece {
                (child, by) = (by.0, pinned_by(chunks, chunks + by.0));
            }
            (piece, pin) = (child, kept.pin(by.1));
        }
    }

    /// Reads a piece of a table and verifies that it's one that was sealed for this place.
    async fn load_piece<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        piece: u32,
        session: u32,
        slot: u32,
    ) -> Result<Option<Piece>, Failure<F, D>> {
        let Some(block) = self.block_of(store, name, slot / self.layout.slots).await? else { return Ok(None) };
        let place = self.place_of(piece);
        // Whole read units.
        let before = place % F::READ_SIZE;
        let length = (before + S::TAG + PINS_SIZE).next_multiple_of(F::READ_SIZE);
        let at = self.layout.address(block, slot % self.layout.slots) + length_u32(place - before);
        let bytes = self.buffer.get_mut(..length).unwrap_or_default();
        if self.flash.read(at, bytes).await.is_err() {
            return Ok(None);
        }
        let Some((tag, text)) = bytes.get_mut(before..).and_then(|bytes| bytes.split_at_mut_checked(S::TAG)) else {
            return Ok(None);
        };
        let text = text.get_mut(..PINS_SIZE).unwrap_or_default();
        let good = store.unseal_other(Domain::Table, Position::new(piece, session), &name.to_bytes(), text, tag).await;
        let pins = core::array::from_fn(|at| Pin::of_bytes(text, PIN * at).seen_in(slot));
        Ok(good.then(|| Piece { check: word(tag, 0), pins }))
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
            if let Some((head, _)) = head
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
        (upload.stale, upload.again, upload.in_order) = (None, None, false);
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
        let mut head = self.head(store, upload.name, slot).await?.map(|(head, _)| head);
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
    #[inline(always)]
    async fn load_slot<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &Upload<'_>,
        slot: Slot,
    ) -> Result<bool, Failure<F, D>> {
        Ok(self.session_of(store, upload, slot).await?.is_some())
    }

    /// The session that wrote a slot of an unfinished object, and what is pinned of it. Of a table the first piece is verified: so the session
    /// that is said to begin there did.
    async fn session_of<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &Upload<'_>,
        slot: Slot,
    ) -> Result<Option<(u32, u32)>, Failure<F, D>> {
        let [newest, ..] = upload.session.to_le_bytes();
        let mut session = upload.session.checked_sub(u32::from(newest.wrapping_sub(slot.low)));
        while let Some(now) = session {
            let Slot { index, slot, is_table, .. } = slot;
            if is_table {
                let first = index * self.layout.pieces;
                if let Some(piece) = self.load_piece(store, upload.name, first, now, slot).await? {
                    return Ok(Some((now, piece.check)));
                }
            } else if self.load(store, What { name: upload.name, index, session: now, is_table }, slot).await? {
                return Ok(Some((now, self.check())));
            }
            session = now.checked_sub(256);
        }
        Ok(None)
    }

    /// Reads a chunk and verifies it; its text is in the buffer then.
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
        let (at, name) = (Position::new(what.index, what.session), what.name.to_bytes());
        Ok(store.unseal_other(Domain::Chunk, at, &name, text, tag).await)
    }

    /// What a slot says of itself, and what would be pinned of a chunk; nothing of it is verified.
    async fn head<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        slot: u32,
    ) -> Result<Option<(Head, u32)>, Failure<F, D>> {
        let Some(block) = self.block_of(store, name, slot / self.layout.slots).await? else { return Ok(None) };
        let mut head = [0; PEEK];
        let length = (HEAD + CHECK).next_multiple_of(F::READ_SIZE);
        let at = self.layout.address(block, slot % self.layout.slots);
        let read = self.flash.read(at, head.get_mut(..length).unwrap_or_default()).await;
        let [a, b, c, d, ..] = head;
        Ok(read.ok().and_then(|()| Head::of_bytes([a, b, c, d])).map(|found| (found, word(&head, HEAD))))
    }
}

impl<F, S: Suite> Objects<'_, F, S> {
    /// What is pinned of the chunk in the buffer: of its tag, which was verified.
    fn check(&self) -> u32 {
        word(self.buffer, HEAD)
    }

    /// The next block that is looked at is that of the root: no header has to be read for it, as pieces answer for themselves.
    const fn see_root(&mut self) {
        let Map { name, root, hint: block, .. } = self.map;
        self.seen = Seen { name, ordinal: root.slot() / self.layout.slots, block };
    }

    /// Where a piece begins in the slot of its table.
    const fn place_of(&self, piece: u32) -> usize {
        HEAD + (piece % self.layout.pieces) as usize * (S::TAG + PINS_SIZE)
    }

    /// Where the pin of an item is in the slot of its table.
    const fn place_of_pin(&self, chunks: u32, item: u32) -> usize {
        let (piece, at) = pinned_by(chunks, item);
        self.place_of(piece) + S::TAG + PIN * at as usize
    }
}

impl Kept {
    const fn is(&self, piece: u32) -> bool {
        self.number == piece + 1
    }

    fn pin(&self, at: u32) -> Pin {
        self.pins.get(at as usize).copied().unwrap_or_default()
    }
}

/// Whether what was verified is what is pinned.
#[inline(always)]
fn is_pinned(check: u32, pin: Pin) -> bool {
    check.ct_eq(&pin.check()).into()
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
