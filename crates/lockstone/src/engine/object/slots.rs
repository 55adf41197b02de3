//! Slots: a chunk is written into the next one, found again, and known to be there after a cut.

use core::ops::Range;

use super::blocks::note_of;
use super::{Failure, KEPT, NOTE, NOWHERE, NorFlash, Objects, Seen, Store, TRIES, one_source, place_of};
use crate::attributes::How;
use crate::format::{put, put_word};
use crate::layout::Position;
use crate::object::{FIRST, HEAD, MARK, Name, OPEN, ObjectError, PEEK, PEEK_LENGTH, SLOTS_MAX, Upload};
use crate::seal::{Domain, Suite};
use crate::trust::MonotonicCounter;

#[one_source]
impl<F: NorFlash, S: Suite> Objects<'_, F, S> {
    /// Writes the chunk whose text is in the RAM of the upload into the next slot.
    pub(super) async fn append<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        index: u32,
    ) -> Result<(), Failure<F, D>> {
        let used = upload.part.end - upload.part.start;
        upload.part = 0..0;
        self.seal(store, upload, index, used);
        self.program(store, upload, index).await?;
        upload.set(index, true);
        Ok(())
    }

    /// Pads and seals the text in the RAM of the upload.
    pub(super) fn seal<D, C>(&self, store: &Store<'_, D, S, C>, upload: &mut Upload<'_>, index: u32, used: u32) {
        let place = place_of(upload.name);
        let bytes = upload.bytes.get_mut(..self.layout.slot as usize).unwrap_or_default();
        let Some((head, text)) = bytes.split_at_mut_checked(HEAD + S::TAG) else { return };
        text.get_mut(used as usize..).unwrap_or_default().fill(0);
        let text = text.get_mut(..self.layout.chunk as usize).unwrap_or_default();
        let tag = S::seal(store.keys.0, Domain::Chunk, Position::new(index, 0), &place, text);
        let [a, b, c, _] = index.to_le_bytes();
        put(head, 0, &[a, b, c, MARK]);
        put(head, HEAD, tag.get(..S::TAG).unwrap_or_default());
    }

    /// Programs what was sealed into the next slot, and reads it back; into another if it does not stick.
    pub(super) async fn program<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        index: u32,
    ) -> Result<(), Failure<F, D>> {
        let slots = self.layout.slots;
        for _ in 0..TRIES {
            if upload.next >= SLOTS_MAX {
                return Err(ObjectError::TooLarge);
            }
            upload.settled = false;
            if upload.next.is_multiple_of(slots) {
                let stale = upload.stale.take();
                upload.block = self.open_block(store, upload.name, upload.next / slots, stale).await?;
                if upload.next == 0 {
                    upload.first = upload.block;
                }
            }
            let at = self.layout.address(upload.block, upload.next % slots);
            let bytes = upload.bytes.get_mut(..self.layout.slot as usize).unwrap_or_default();
            put(bytes, HEAD - 1, &[if upload.fresh { MARK | FIRST } else { MARK }]);
            self.flash.write(at, bytes).await.map_err(ObjectError::Flash)?;
            let good = reads_as(&mut self.flash, at, bytes).await.map_err(ObjectError::Flash)?;
            upload.in_order &= good && index == upload.next;
            upload.next += 1;
            upload.fresh = !good;
            upload.settled = true;
            if good {
                return Ok(());
            }
        }
        Err(ObjectError::Full)
    }

    /// What a cut may have left marginal is written again.
    pub(super) async fn write_again<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
    ) -> Result<(), Failure<F, D>> {
        for _ in 0..TRIES {
            let Some(slot) = upload.again else { return Ok(()) };
            let head = self.head(store, upload.name, slot).await?;
            if let Some((index, _)) = head
                && self.load(store, upload.name, slot, index).await?
            {
                put(upload.bytes, HEAD + S::TAG, self.text(0));
                self.seal(store, upload, index, self.layout.chunk);
                self.program(store, upload, index).await?;
                upload.in_order = false;
                upload.again = None;
            } else {
                // It read well a moment ago: what counts as there is found out anew.
                upload.settled = false;
                self.settle(store, upload).await?;
            }
        }
        Err(ObjectError::Damaged)
    }

    /// How long the object is, now that it ends: writes the last chunk, if it was not known to be the last.
    pub(super) async fn end_of<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
    ) -> Result<u32, Failure<F, D>> {
        if upload.length != OPEN {
            return Ok(upload.length);
        }
        let reach = upload.reach();
        let Range { start, end } = upload.part;
        if start == end || start != reach * self.layout.chunk {
            return Ok(reach * self.layout.chunk);
        }
        // The length is durable before a chunk is that is whole only because the object ends in it.
        let mut note = [0; NOTE + 255];
        let key = note_of(upload.name.hash);
        let Some(length) = store.get_system(key.key(), &mut note).await? else { return Err(ObjectError::Incomplete) };
        put_word(&mut note, 8, end);
        store.commit(key.key(), note.get(..length).unwrap_or_default(), How::USUAL).await?;
        upload.length = end;
        self.append(store, upload, reach).await?;
        Ok(end)
    }

    /// Writes tables of which chunk is in which slot, in slots of their own, and returns the first.
    pub(super) async fn write_tables<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        chunks: u32,
    ) -> Result<u32, Failure<F, D>> {
        let words = self.layout.chunk / 2;
        let tables = chunks.div_ceil(words);
        for _ in 0..TRIES {
            let mut first = NOWHERE;
            let mut whole = true;
            for table in 0..tables {
                upload.part = 0..0;
                upload.bytes.get_mut(..self.layout.slot as usize).unwrap_or_default().fill(0xff);
                for slot in 0..upload.next {
                    let Some((index, _)) = self.head(store, upload.name, slot).await? else { continue };
                    let at = HEAD + S::TAG + 2 * (index % words) as usize;
                    if index / words != table || index >= chunks {
                        continue;
                    }
                    // A torn slot may say to have any chunk, so the second that says it is looked at.
                    let first = upload.bytes.get(at..).and_then(<[u8]>::first_chunk) == Some(&[0xff; 2]);
                    if first || self.load(store, upload.name, slot, index).await? {
                        let [low, high, ..] = slot.to_le_bytes();
                        put(upload.bytes, at, &[low, high]);
                    }
                }
                self.seal(store, upload, chunks + table, self.layout.chunk);
                self.program(store, upload, chunks + table).await?;
                let place = upload.next - 1;
                if table == 0 {
                    first = place;
                }
                whole &= place == first + table;
            }
            if whole {
                return Ok(first);
            }
        }
        Err(ObjectError::Full)
    }

    /// The slot of a chunk, from the tables; and those of the chunks after it, as many as are kept.
    pub(super) async fn looked_up<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        tables: u32,
        chunks: u32,
        index: u32,
        kept: &mut [u16; KEPT as usize],
    ) -> Result<Option<u32>, Failure<F, D>> {
        let at = index % KEPT;
        if at == 0 {
            let words = self.layout.chunk / 2;
            let table = index / words;
            if !self.load(store, name, tables + table, chunks + table).await? {
                *kept = [u16::MAX; KEPT as usize];
                return Ok(None);
            }
            let bytes = self.text(2 * (index % words) as usize);
            for (place, pair) in kept.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *place = u16::from_le_bytes(*pair);
            }
        }
        Ok(kept.get(at as usize).copied().map(u32::from))
    }

    /// Reads a chunk of an unfinished object and verifies it; its text is in the buffer then.
    pub(super) async fn load_newest<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &Upload<'_>,
        index: u32,
    ) -> Result<bool, Failure<F, D>> {
        if upload.in_order {
            return self.load(store, upload.name, index, index).await;
        }
        for slot in (0..upload.next).rev() {
            // A torn slot may say to have any chunk.
            let says = self.head(store, upload.name, slot).await?.is_some_and(|(chunk, _)| chunk == index);
            if says && self.load(store, upload.name, slot, index).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Finds out from flash what is there.
    pub(super) async fn settle<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
    ) -> Result<(), Failure<F, D>> {
        if upload.settled {
            return Ok(());
        }
        let (name, slots) = (upload.name, self.layout.slots);
        upload.forget();
        (upload.next, upload.stale, upload.again, upload.in_order, upload.fresh) = (0, None, None, true, true);
        self.seen = Seen::default();
        // The last two slots with a chunk: they count when it's known that no cut ended their session, or when they read well.
        let mut last = [None; 2];
        let mut end = 0;
        let mut ordinal = 0;
        while let Some(block) = self.block_of(store, name, ordinal).await? {
            let mut used = false;
            for slot in ordinal * slots..(ordinal + 1) * slots {
                let at = self.layout.address(block, slot % slots);
                if self.is_erased(at).await.map_err(ObjectError::Flash)? {
                    continue;
                }
                (used, end) = (true, slot + 1);
                let head = self.head(store, name, slot).await?;
                if let Some((_, true)) = head {
                    self.take_if_good(store, upload, &mut last).await?;
                }
                if let [Some(before), _] = last {
                    take(upload, before);
                }
                last = [last[1], head.map(|(index, _)| (slot, index))];
            }
            if ordinal == 0 {
                upload.first = block;
            }
            upload.block = block;
            upload.stale = (!used).then_some(block);
            ordinal += 1;
            if !used {
                break;
            }
        }
        let newest = last[1].map(|(slot, _)| slot);
        let good = self.take_if_good(store, upload, &mut last).await?;
        upload.next = end;
        if end > 0 && good && newest == Some(end - 1) {
            upload.again = newest;
            // What was to come behind it may have been begun and not be seen.
            upload.next += u32::from(!end.is_multiple_of(slots));
        }
        if upload.stale.is_some() {
            upload.next = (ordinal - 1) * slots;
        }
        upload.settled = true;
        Ok(())
    }

    /// Of the last two slots those count that read well; true: the last one does.
    pub(super) async fn take_if_good<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        upload: &mut Upload<'_>,
        last: &mut [Option<(u32, u32)>; 2],
    ) -> Result<bool, Failure<F, D>> {
        let mut good = false;
        for (slot, index) in core::mem::take(last).into_iter().flatten() {
            good = self.load(store, upload.name, slot, index).await?;
            if good {
                take(upload, (slot, index));
            } else {
                upload.in_order = false;
            }
        }
        Ok(good)
    }

    /// Reads a chunk and verifies it; its text is in the buffer then.
    pub(super) async fn load<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        slot: u32,
        index: u32,
    ) -> Result<bool, Failure<F, D>> {
        let Some(block) = self.block_of(store, name, slot / self.layout.slots).await? else { return Ok(false) };
        let at = self.layout.address(block, slot % self.layout.slots);
        let bytes = self.buffer.get_mut(..self.layout.slot as usize).unwrap_or_default();
        if self.flash.read(at, bytes).await.is_err() {
            // An ECC error: as unreadable as a wrong tag.
            return Ok(false);
        }
        let Some((head, text)) = bytes.split_at_mut_checked(HEAD + S::TAG) else { return Ok(false) };
        let text = text.get_mut(..self.layout.chunk as usize).unwrap_or_default();
        let tag = head.get(HEAD..).unwrap_or_default();
        Ok(S::unseal(store.keys.0, Domain::Chunk, Position::new(index, 0), &place_of(name), text, tag))
    }

    /// The number of the chunk that a slot says to have, and whether it says to be the first of its session.
    pub(super) async fn head<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
        slot: u32,
    ) -> Result<Option<(u32, bool)>, Failure<F, D>> {
        let Some(block) = self.block_of(store, name, slot / self.layout.slots).await? else { return Ok(None) };
        let mut head = [0; PEEK];
        let length = HEAD.next_multiple_of(F::READ_SIZE);
        let at = self.layout.address(block, slot % self.layout.slots);
        if self.flash.read(at, head.get_mut(..length).unwrap_or_default()).await.is_err() {
            return Ok(None);
        }
        let [a, b, c, mark, ..] = head;
        Ok((mark & !FIRST == MARK).then(|| (u32::from_le_bytes([a, b, c, 0]), mark & FIRST != 0)))
    }
}

/// A chunk that is there.
fn take(upload: &mut Upload<'_>, (slot, index): (u32, u32)) {
    upload.in_order &= slot == index;
    if index < upload.chunks() {
        upload.set(index, true);
    }
}

/// Whether flash reads as what was written to it.
#[one_source]
pub(super) async fn reads_as<F: NorFlash>(flash: &mut F, from: u32, written: &[u8]) -> Result<bool, F::Error> {
    let mut bytes = [0; PEEK];
    let mut at = from;
    for piece in written.chunks(PEEK) {
        let read = bytes.get_mut(..piece.len()).unwrap_or_default();
        if flash.read(at, read).await.is_err() || read != piece {
            return Ok(false);
        }
        at += PEEK_LENGTH;
    }
    Ok(true)
}
