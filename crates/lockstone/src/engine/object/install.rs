//! Install: the content of an object goes into a slot, in the clear, for code that is executed where it lies.
//!
//! ```text
//! request_install   the application   one commit: the slot is to hold this object, which is kept from now on
//! install           the boot loader   copies what is not copied yet, marks how far it came, compares the digest
//! confirm_install   the application   one commit: the slot holds it, and the object may go
//! ```
//!
//! Invariants:
//! 1. Before the first commit the slot is as it was; from then on it's brought to hold the new content, however often power
//!    is cut: all that is needed for that stays until the last commit. A boot loader that only reads the store can't make sure
//!    of a commit that a cut may have left marginal: as long as the slot holds what was confirmed before, it leaves that there.
//! 2. A mark follows what it speaks of, so one that reads well is true. A step without one is done again, from its erase on.
//! 3. Whether a slot is good is decided by its bytes and the digest in the store, never by its trailer.
//! 4. No program unit is programmed twice between erases: a session skips one behind the last mark that can be seen.

use digest::Digest;
use digest::consts::U32;
use subtle::ConstantTimeEq;

use super::blocks::{OwnName, own_name};
use super::slots::{Map, reads_as};
use super::{COMMIT, NorFlash, Objects, Seen, Store, one_source};
use crate::attributes::How;
use crate::error::Error;
use crate::format::object::{Manifest, Name};
use crate::format::slot::{MARK, RECORD, SlotRecord, mark, of_mark, trailer};
use crate::format::{put, word};
use crate::key::Key;
use crate::layout::{LayoutError, Part};
use crate::object::{ObjectError, PEEK, PEEK_LENGTH};
use crate::seal::Suite;
use crate::slot::{InstallError, Installed, SlotLayout};
use crate::trust::MonotonicCounter;

type Failure<F, D, X> = InstallError<
    <F as embedded_storage::nor_flash::ErrorType>::Error,
    <D as embedded_storage::nor_flash::ErrorType>::Error,
    <X as embedded_storage::nor_flash::ErrorType>::Error,
>;

/// First letters of the store's own entries for slots, and for objects that are being installed.
const SLOTS: u8 = b's';
const HOLDS: u8 = b'i';
/// Bytes that hold an object: its identity, and the slot that it's for.
const HOLD: usize = 9;
/// Longest program unit.
const UNIT_MAX: usize = 512;

/// A flash, or a [`Volume`](crate::Volume) of one, that holds code in the clear from its first byte on. Its last block (at
/// least 4 KiB) says how far an install has come.
#[derive(Debug)]
pub struct Slot<X> {
    flash: X,
    number: u8,
    erased: u8,
    layout: SlotLayout,
}

/// How far a copy has come.
struct Journal {
    /// Strides that are done.
    done: u32,
    /// Where the next mark goes.
    next: u32,
}

#[one_source]
impl<X: NorFlash> Slot<X> {
    /// Slot `number` of the store lies on this flash. Nothing is read.
    ///
    /// # Errors
    /// [`LayoutError`]: no slot fits there.
    pub fn new(flash: X, part: Part, number: u8) -> Result<Self, LayoutError> {
        let sizes = part.shape(X::READ_SIZE, X::WRITE_SIZE, X::ERASE_SIZE)?;
        let layout = SlotLayout::of(&sizes, X::READ_SIZE, flash.capacity())?;
        Ok(Self { flash, number, erased: part.erased, layout })
    }

    /// What of a request is done already. Begins its trailer when nothing is.
    async fn resume(&mut self, token: u64) -> Result<Journal, X::Error> {
        let (start, end) = self.layout.marks();
        // A torn trailer is followed by no mark: the session that wrote it whole wrote the first one.
        let begun = self.padded(&trailer(token));
        let begun = begun.get(..(start - self.layout.capacity()) as usize).unwrap_or_default();
        let known = reads_as(&mut self.flash, self.layout.capacity(), begun).await;
        let (mut done, mut used) = (0, start);
        let mut at = start;
        while known && at < end {
            let mut bytes = [0; PEEK];
            let length = (end - at).min(PEEK_LENGTH);
            let piece = bytes.get_mut(..length as usize).unwrap_or_default();
            if self.flash.read(at, piece).await.is_err() {
                used = at + length;
            }
            for (place, mark) in (at..).step_by(MARK).zip(piece.as_chunks::<MARK>().0) {
                if mark.iter().any(|byte| *byte != self.erased) {
                    used = place + 1;
                }
                if (place - start).is_multiple_of(self.layout.unit) {
                    done = of_mark(*mark).unwrap_or(0).max(done);
                }
            }
            at += length;
        }
        if done == 0 {
            return self.begin(token).await;
        }
        let next = used.next_multiple_of(self.layout.unit) + self.layout.unit;
        Ok(Journal { done: done.min(self.layout.strides()), next })
    }

    /// Writes a trailer without marks.
    async fn begin(&mut self, token: u64) -> Result<Journal, X::Error> {
        self.erase(self.layout.blocks).await?;
        self.program(self.layout.capacity(), &trailer(token)).await?;
        Ok(Journal { done: 0, next: self.layout.marks().0 })
    }

    /// One more stride is done.
    async fn mark(&mut self, journal: &mut Journal) -> Result<(), X::Error> {
        journal.done += 1;
        let at = journal.next;
        // When there is no more room, a cut only costs more work.
        if let Ok(done) = u16::try_from(journal.done)
            && at + self.layout.unit <= self.layout.marks().1
        {
            journal.next += self.layout.unit;
            self.program(at, &mark(done)).await?;
        }
        Ok(())
    }

    /// Programs a few bytes in whole units.
    async fn program(&mut self, at: u32, bytes: &[u8]) -> Result<(), X::Error> {
        let length = bytes.len().next_multiple_of(self.layout.unit as usize);
        self.flash.write(at, self.padded(bytes).get(..length).unwrap_or_default()).await
    }

    async fn erase(&mut self, block: u32) -> Result<(), X::Error> {
        let start = block * self.layout.block;
        for part in 0..self.layout.block / self.layout.erase {
            let from = start + part * self.layout.erase;
            self.flash.erase(from, from + self.layout.erase).await?;
        }
        Ok(())
    }
}

#[one_source]
impl<F: NorFlash, S: Suite> Objects<'_, F, S> {
    /// Decides, in one commit, that the slot is to hold this object. It's read through first, and kept until
    /// [`confirm_install`](Self::confirm_install), even if its key is deleted or replaced. What was requested for the slot before is
    /// given up. `protect`: no older image of the store undoes this.
    ///
    /// The slot is written by [`install`](Self::install): mostly after a restart, by the boot loader.
    ///
    /// # Errors
    /// [`InstallError::NoObject`], [`InstallError::TooLarge`], [`InstallError::Busy`], [`InstallError::WrongDigest`] when the
    /// object was committed with another digest algorithm, or what the store says: nothing was changed.
    pub async fn request_install<'k, H, D, C, X>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        key: impl Into<Key<'k>>,
        slot: &Slot<X>,
        protect: bool,
    ) -> Result<(), Failure<F, D, X>>
    where
        H: Digest<OutputSize = U32>,
        D: NorFlash,
        C: MonotonicCounter,
        X: NorFlash,
    {
        let key = key.into();
        super::super::ops::check(&key).map_err(Error::from)?;
        let manifest = self.manifest(store, key).await?.ok_or(InstallError::NoObject)?;
        if manifest.length > slot.layout.capacity() {
            return Err(InstallError::TooLarge);
        }
        store.is_firm().await?;
        let hash = store.hash_of(key);
        if self.hold(store, hash).await?.is_some_and(|(number, _)| number != slot.number) {
            return Err(InstallError::Busy);
        }
        if !self.is_whole::<H, D, C>(store, hash, &manifest).await? {
            return Err(InstallError::WrongDigest);
        }
        let last = self.slot_record(store, slot.number).await?;
        let confirmed =
            last.and_then(SlotRecord::confirmed).map_or((0, [0; 32]), |before| (before.length, before.digest));
        let record = SlotRecord { token: store.unlike_before(), hash, pending: true, before: confirmed, manifest };
        let mut hold = [slot.number; HOLD];
        put(&mut hold, 1, &manifest.id.to_le_bytes());
        let mut change = store.begin_transaction(COMMIT, protect).await?;
        change.change_own(slot_name(slot.number).key(), &record.to_bytes(), How::USUAL).await?;
        if let Some(before) = last
            && before.pending
            && before.hash != hash
        {
            change.change_own(hold_of(before.hash).key(), &[], How::DELETE).await?;
        }
        change.change_own(hold_of(hash).key(), &hold, How::USUAL).await?;
        change.commit().await?;
        // The last record of the log may be marginal, for all that a reader can tell.
        Ok(store.end_with_mark().await?)
    }

    /// What the store says of a slot; `None`: nothing was ever requested for it.
    ///
    /// # Errors
    /// What the store says.
    pub async fn slot_state<D: NorFlash, C: MonotonicCounter, X: NorFlash>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        slot: &Slot<X>,
    ) -> Result<Option<Installed>, Failure<F, D, X>> {
        Ok(self.slot_record(store, slot.number).await?.map(SlotRecord::state))
    }

    /// Brings the slot to hold what was requested for it, going on where it was cut, and verifies all of it: for each boot, before
    /// anything of the slot is executed. A slot whose install was confirmed is only verified. Nothing need be written to the store,
    /// so one that is only [read](crate::Reader) will do: then a request that a power cut may have left marginal waits until
    /// somebody has opened the store who may write, and what was confirmed before is verified.
    ///
    /// `progress` is called with the bytes that are done, and all.
    ///
    /// # Errors
    /// [`InstallError`]. Whatever it is, the content of the slot is not to be executed; the next call goes on.
    pub async fn install<H, D, C, X>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        slot: &mut Slot<X>,
        mut progress: impl FnMut(u32, u32),
    ) -> Result<Installed, Failure<F, D, X>>
    where
        H: Digest<OutputSize = U32>,
        D: NorFlash,
        C: MonotonicCounter,
        X: NorFlash,
    {
        let firm = store.is_firm().await?;
        let record = self.slot_record(store, slot.number).await?.ok_or(InstallError::NothingRequested)?;
        if !firm
            && record.pending
            && let Some(before) = record.confirmed()
            && self.holds::<H, X>(slot, before).await.map_err(InstallError::Slot)?
        {
            return Ok(before);
        }
        // What was copied, and is not what it was any more, is copied once more as a whole.
        for again in [false, true] {
            if record.pending {
                let resumed = if again { slot.begin(record.token).await } else { slot.resume(record.token).await };
                self.copy(store, slot, &record, resumed.map_err(InstallError::Slot)?, &mut progress).await?;
            }
            if self.holds::<H, X>(slot, record.state()).await.map_err(InstallError::Slot)? {
                return Ok(record.state());
            }
            if !record.pending {
                break;
            }
        }
        Err(InstallError::WrongDigest)
    }

    /// Verifies the slot once more, and ends its install in one commit: from now on the object is not needed for it. Nothing
    /// happens when it was ended before.
    ///
    /// # Errors
    /// [`InstallError::WrongDigest`] when the slot was not written to its end, or what the store says: nothing was changed.
    pub async fn confirm_install<H, D, C, X>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        slot: &mut Slot<X>,
        protect: bool,
    ) -> Result<Installed, Failure<F, D, X>>
    where
        H: Digest<OutputSize = U32>,
        D: NorFlash,
        C: MonotonicCounter,
        X: NorFlash,
    {
        store.is_firm().await?;
        let mut record = self.slot_record(store, slot.number).await?.ok_or(InstallError::NothingRequested)?;
        if !self.holds::<H, X>(slot, record.state()).await.map_err(InstallError::Slot)? {
            return Err(InstallError::WrongDigest);
        }
        if record.pending {
            record.pending = false;
            let mut change = store.begin_transaction(COMMIT, protect).await?;
            change.change_own(slot_name(slot.number).key(), &record.to_bytes(), How::USUAL).await?;
            change.change_own(hold_of(record.hash).key(), &[], How::DELETE).await?;
            change.commit().await?;
        }
        Ok(record.state())
    }

    /// Copies what is not marked as done.
    async fn copy<D: NorFlash, C: MonotonicCounter, X: NorFlash>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        slot: &mut Slot<X>,
        record: &SlotRecord,
        mut journal: Journal,
        progress: &mut impl FnMut(u32, u32),
    ) -> Result<(), Failure<F, D, X>> {
        let SlotLayout { block, blocks, .. } = slot.layout;
        let Manifest { length, .. } = record.manifest;
        let mut map = self.map_of(record.hash, &record.manifest);
        while journal.done < slot.layout.strides() {
            let from = journal.done * slot.layout.stride();
            for block in from..(from + slot.layout.stride()).min(blocks) {
                self.copy_block(store, slot, &mut map, block, length).await?;
            }
            slot.mark(&mut journal).await.map_err(InstallError::Slot)?;
            if from * block < length {
                progress(((from + slot.layout.stride()) * block).min(length), length);
            }
        }
        Ok(())
    }

    /// Erases a block of the slot, and writes what of the object belongs there.
    async fn copy_block<D: NorFlash, C: MonotonicCounter, X: NorFlash>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        slot: &mut Slot<X>,
        map: &mut Map,
        block: u32,
        length: u32,
    ) -> Result<(), Failure<F, D, X>> {
        slot.erase(block).await.map_err(InstallError::Slot)?;
        let chunk = self.layout.chunk;
        let mut at = block * slot.layout.block;
        let end = (at + slot.layout.block).min(length);
        while at < end {
            if !self.load_mapped(store, map, at / chunk).await? {
                return Err(ObjectError::Damaged.into());
            }
            let from = at % chunk;
            let now = (chunk - from).min(end - at);
            let padded = now.next_multiple_of(slot.layout.unit);
            let piece = self.text_mut(from).get_mut(..padded as usize).unwrap_or_default();
            piece.get_mut(now as usize..).unwrap_or_default().fill(slot.erased);
            slot.flash.write(at, piece).await.map_err(InstallError::Slot)?;
            if !reads_as(&mut slot.flash, at, piece).await {
                return Err(ObjectError::WornOut.into());
            }
            at += now;
        }
        Ok(())
    }

    /// Whether all of an object can be read, and has its digest.
    async fn is_whole<H: Digest<OutputSize = U32>, D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        hash: u64,
        manifest: &Manifest,
    ) -> Result<bool, super::Failure<F, D>> {
        let mut map = self.map_of(hash, manifest);
        let mut digest = H::new();
        let mut at = 0;
        while at < manifest.length {
            if !self.load_mapped(store, &mut map, at / self.layout.chunk).await? {
                return Err(ObjectError::Damaged);
            }
            let now = (manifest.length - at).min(self.layout.chunk);
            digest.update(self.text(0).get(..now as usize).unwrap_or_default());
            at += now;
        }
        Ok(digest.finalize().as_slice().ct_eq(&manifest.digest).into())
    }

    /// Whether the slot holds this.
    async fn holds<H: Digest<OutputSize = U32>, X: NorFlash>(
        &mut self,
        slot: &mut Slot<X>,
        Installed { length, digest: wanted, .. }: Installed,
    ) -> Result<bool, X::Error> {
        if length > slot.layout.capacity() {
            return Ok(false);
        }
        let mut digest = H::new();
        let mut at = 0;
        while at < length {
            let now = (length - at).min(self.layout.chunk);
            let whole = now.next_multiple_of(slot.layout.unit) as usize;
            let bytes = self.text_mut(0).get_mut(..whole).unwrap_or_default();
            slot.flash.read(at, bytes).await?;
            digest.update(bytes.get(..now as usize).unwrap_or_default());
            at += now;
        }
        Ok(digest.finalize().as_slice().ct_eq(&wanted).into())
    }

    async fn slot_record<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        number: u8,
    ) -> Result<Option<SlotRecord>, Error<D::Error>> {
        let mut record = [0; RECORD];
        let found = store.get_system(slot_name(number).key(), &mut record).await?;
        Ok(found.map(|_| SlotRecord::of_bytes(&record)))
    }

    /// The slot for which the object with this hash is kept, and the identity of the object.
    async fn hold<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        hash: u64,
    ) -> Result<Option<(u8, u64)>, Error<D::Error>> {
        let mut hold = [0; HOLD];
        let found = store.get_system(hold_of(hash).key(), &mut hold).await?;
        let [number, ..] = hold;
        let id = u64::from(word(&hold, 5)) << 32 | u64::from(word(&hold, 1));
        Ok(found.map(|_| (number, id)))
    }

    /// Whether an object is kept because it's being installed.
    pub(super) async fn is_held<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        name: Name,
    ) -> Result<bool, Error<D::Error>> {
        Ok(self.hold(store, name.hash).await?.is_some_and(|(_, id)| id == name.id))
    }
}

impl<X> Slot<X> {
    fn padded(&self, bytes: &[u8]) -> [u8; UNIT_MAX] {
        let mut padded = [self.erased; UNIT_MAX];
        put(&mut padded, 0, bytes);
        padded
    }

    /// Bytes of code that it takes.
    pub const fn capacity(&self) -> u32 {
        self.layout.capacity()
    }

    /// Its number in the store.
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// The flash, for its driver.
    pub fn flash(&mut self) -> &mut X {
        &mut self.flash
    }
}

impl<F, S: Suite> Objects<'_, F, S> {
    /// Where the chunks of a committed object are.
    pub(super) fn map_of(&mut self, hash: u64, manifest: &Manifest) -> Map {
        let name = Name { hash, id: manifest.id };
        if self.seen.name != name {
            self.seen = Seen { name, ordinal: 0, block: manifest.first };
        }
        Map::new(name, manifest.session, manifest.tables)
    }
}

/// Name of what the store says of a slot.
fn slot_name(number: u8) -> OwnName<2> {
    own_name(SLOTS, &[number])
}

/// Name of what keeps an object.
fn hold_of(hash: u64) -> OwnName<9> {
    own_name(HOLDS, &hash.to_le_bytes())
}
