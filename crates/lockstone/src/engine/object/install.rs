//! Install: the content of an object goes into a slot, in the clear, for code that is executed where it lies.
//!
//! ```text
//! request_install   the application   two commits: the object is kept for the slot; the slot is to hold it
//! install           the boot loader   copies what is not copied yet, marks how far it came, compares the digest
//! confirm_install   the application   one commit: the slot holds it, and the object may go
//! ```
//!
//! A boot loader only reads the store, so it can't make sure of the last commit, which a cut may have left marginal: it may
//! read well now, and not at the next boot. Therefore there are two. Before code is touched, the trailer names the request;
//! who finds it named goes on, whatever has become of the second commit. What going on takes is there since the first.
//!
//! Invariants:
//! 1. Code is erased only when a trailer that is firm names the request, and the object has been read through.
//! 2. A mark is begun when its stride is whole, so where a unit is not blank, it is. Others are copied again, from the erase on.
//! 3. Whether a slot is good is decided by its bytes and the digest in the store, never by its trailer.
//! 4. No program unit is programmed twice between erases, but with the very same bytes: each mark has its place.

use digest::Digest;
use digest::consts::U32;
use subtle::ConstantTimeEq;

use super::super::sealing;
use super::blocks::{HELD_NAME, OwnName, blank, erase_blocks, own_name, slot_name};
use super::slots::reads_as;
use super::{NorFlash, Objects, Store, one_source};
use crate::attributes::How;
use crate::error::Error;
use crate::format::object::{Manifest, Name};
use crate::format::pins::Pin;
use crate::format::slot::{Phase, RECORD, SlotRecord, mark, trailer};
use crate::format::{long, put};
use crate::key::Key;
use crate::layout::{LayoutError, Part};
use crate::object::ObjectError;
use crate::seal::Suite;
use crate::slot::{InstallError, Installed, SPARE, SlotLayout};
use crate::trust::MonotonicCounter;

type Failure<F, D, X> = InstallError<
    <F as embedded_storage::nor_flash::ErrorType>::Error,
    <D as embedded_storage::nor_flash::ErrorType>::Error,
    <X as embedded_storage::nor_flash::ErrorType>::Error,
>;

/// First letter of the store's own entries for objects that are being installed.
pub(super) const HOLDS: u8 = b'i';
/// Bytes that hold an object: its identity, and the slot that it's for.
const HOLD: usize = 9;
/// Longest program unit.
const UNIT_MAX: usize = 512;

/// A flash, or a [`Volume`](crate::Volume) of one, that holds code in the clear from its first byte on. Its last blocks (one of
/// at least 4 KiB, or as many as make 64 program units) say how far an install has come.
#[derive(Debug)]
pub struct Slot<X> {
    flash: X,
    number: u8,
    erased: u8,
    layout: SlotLayout,
}

/// How far a copy has come.
struct Journal {
    /// The trailer names the request.
    named: bool,
    /// Strides that are done.
    done: u32,
    /// The last mark reads well.
    whole: bool,
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

    /// What the trailer says of a request.
    async fn journal(&mut self, token: u64) -> Journal {
        let [first, second] = self.names(token).await;
        let named = first || second;
        let mut done = if named { self.layout.strides() } else { 0 };
        // A mark is begun when its stride is whole: so it is, however the unit reads now, unless that is blank.
        while done > 0 && self.is_blank(self.mark_at(done)).await {
            done -= 1;
        }
        let mut whole = false;
        for number in self.layout.strides()..=self.layout.strides() + SPARE {
            whole |= named && self.reads(self.mark_at(number), &mark(number)).await;
        }
        Journal { named, done, whole }
    }

    /// Whether each of both names is that of this request.
    async fn names(&mut self, token: u64) -> [bool; 2] {
        let name = trailer(token);
        let [first, second] = self.layout.names();
        [self.reads(first, &name).await, self.reads(second, &name).await]
    }

    /// Whether these bytes, in whole units, are there.
    async fn reads(&mut self, at: u32, bytes: &[u8]) -> bool {
        let wanted = self.padded(bytes);
        let length = bytes.len().next_multiple_of(self.layout.unit as usize);
        reads_as(&mut self.flash, at, wanted.get(..length).unwrap_or_default()).await
    }

    async fn is_blank(&mut self, at: u32) -> bool {
        blank(&mut self.flash, self.erased, at, self.layout.unit).await
    }

    /// Marks that so many strides are done. Of the last mark there are two, and room for more: a cut may have left one that reads
    /// differently each time, or spoilt a unit until it's erased.
    async fn mark(&mut self, done: u32) {
        let (spare, mut wanting) = if done == self.layout.strides() { (SPARE, 2) } else { (0, 1) };
        for number in done..=done + spare {
            let at = self.mark_at(number);
            if self.is_blank(at).await {
                // One that can't be written only costs work after a cut.
                let _ = self.program(at, &mark(number)).await;
            }
            wanting -= u32::from(self.reads(at, &mark(number)).await);
            if wanting == 0 {
                break;
            }
        }
    }

    /// Names a request, so that it stays named. It is named twice: the first is known to be firm when the second was begun.
    /// `anew`: with a trailer that marks nothing as done.
    async fn name(&mut self, token: u64, anew: bool) -> Result<(), X::Error> {
        let [first, second] = self.names(token).await;
        let [at, behind] = self.layout.names();
        let named = (first || second) && !anew;
        if !named {
            for block in 0..self.layout.trailer {
                self.erase(self.layout.blocks + block).await?;
            }
            self.program(at, &trailer(token)).await?;
        }
        if named && second || !blank(&mut self.flash, self.erased, behind, behind - at).await {
            return Ok(());
        }
        self.program(behind, &trailer(token)).await
    }

    /// Programs a few bytes in whole units.
    async fn program(&mut self, at: u32, bytes: &[u8]) -> Result<(), X::Error> {
        let length = bytes.len().next_multiple_of(self.layout.unit as usize);
        self.flash.write(at, self.padded(bytes).get(..length).unwrap_or_default()).await
    }

    async fn erase(&mut self, block: u32) -> Result<(), X::Error> {
        erase_blocks(&mut self.flash, block * self.layout.block, self.layout.block, self.layout.erase).await
    }
}

#[one_source]
impl<F: NorFlash, S: Suite> Objects<'_, F, S> {
    /// Decides that the slot is to hold this object. It's read through first, and kept until
    /// [`confirm_install`](Self::confirm_install), even if its key is deleted or replaced. What was requested for the slot before is
    /// given up; the same again changes nothing. `protect`: no older image of the store undoes this.
    ///
    /// The slot is written by [`install`](Self::install): mostly after a restart, by the boot loader.
    ///
    /// # Errors
    /// [`InstallError::NoObject`], [`InstallError::TooLarge`], [`InstallError::Busy`], [`InstallError::WrongDigest`] when the
    /// object was committed with another digest algorithm: nothing was changed. After what the store says,
    /// [`slot_state`](Self::slot_state) tells whether the request stands.
    pub async fn request_install<'k, H, D, C, X>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        key: impl Into<Key<'k>>,
        slot: &mut Slot<X>,
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
        store.confirm_last().await.map_err(Error::from)?;
        let hash = store.hash_of(key);
        if self.hold(store, hash).await?.is_some_and(|(number, _)| number != slot.number) {
            return Err(InstallError::Busy);
        }
        let last = self.slot_record(store, slot.number).await?;
        let pending = last.filter(|last| last.phase != Phase::Confirmed);
        let same = pending.filter(|last| last.hash == hash && last.manifest == manifest);
        if !self.is_whole::<H, D, C>(store, hash, &manifest).await? {
            return Err(InstallError::WrongDigest);
        }
        let mut record = match same {
            Some(same) if same.phase == Phase::Armed && same.protected == protect => return Ok(()),
            Some(same) => same,
            None => {
                let before = last.and_then(SlotRecord::confirmed).map(|before| (before.length, before.digest));
                // Was the slot touched for the one that is pending?
                let phase = match pending {
                    Some(SlotRecord { phase: Phase::Armed | Phase::Succeeds, .. }) => Phase::Succeeds,
                    Some(last) if slot.journal(last.token).await.named => Phase::Succeeds,
                    _ => Phase::Prepared,
                };
                let (token, protected) = (store.unlike_before(), protect);
                let record = SlotRecord { token, hash, phase, protected, before, manifest };
                let given_up = pending.map(|last| last.hash).filter(|old| *old != hash);
                self.change_record(store, slot.number, &record, given_up, protect).await?;
                record
            }
        };
        (record.phase, record.protected) = (Phase::Armed, protect);
        let how = if protect { How::PROTECT } else { How::USUAL };
        store.commit(slot_name(slot.number).key(), &record.to_bytes(), how).await.map_err(Error::from)?;
        Ok(())
    }

    /// Puts a record. As long as it is not confirmed its object is kept for the slot; the one of the hash `released` no more.
    async fn change_record<D: NorFlash, C: MonotonicCounter>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        number: u8,
        record: &SlotRecord,
        released: Option<u64>,
        protect: bool,
    ) -> Result<(), Error<D::Error>> {
        let mut change = store.begin_transaction(store.commit_room(), protect).await?;
        change.change_own(slot_name(number).key(), &record.to_bytes(), How::USUAL).await?;
        if let Some(released) = released {
            change.change_own(hold_of(released).key(), &[], How::DELETE).await?;
        }
        if record.phase != Phase::Confirmed {
            let mut hold = [number; HOLD];
            put(&mut hold, 1, &record.manifest.id.to_le_bytes());
            change.change_own(hold_of(record.hash).key(), &hold, How::USUAL).await?;
        }
        change.commit().await
    }

    /// Takes what lies in the slot now, the first `length` bytes, for what belongs there: for code that came with the device.
    /// A request that is pending is given up.
    ///
    /// # Errors
    /// [`InstallError::TooLarge`], [`InstallError::Slot`], or what the store says: nothing was changed.
    pub async fn adopt_slot<H, D, C, X>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        slot: &mut Slot<X>,
        length: u32,
        protect: bool,
    ) -> Result<Installed, Failure<F, D, X>>
    where
        H: Digest<OutputSize = U32>,
        D: NorFlash,
        C: MonotonicCounter,
        X: NorFlash,
    {
        if length > slot.layout.capacity() {
            return Err(InstallError::TooLarge);
        }
        let digest = self.digest_of::<H, X>(slot, length).await.map_err(InstallError::Slot)?;
        store.confirm_last().await.map_err(Error::from)?;
        let pending = self.slot_record(store, slot.number).await?.filter(|last| last.phase != Phase::Confirmed);
        let manifest = Manifest { length, digest, id: 0, last: 0, root: Pin::default() };
        let (token, before) = (store.unlike_before(), None);
        let record = SlotRecord { token, hash: 0, phase: Phase::Confirmed, protected: protect, before, manifest };
        self.change_record(store, slot.number, &record, pending.map(|last| last.hash), protect).await?;
        Ok(record.state())
    }

    /// What the store says of a slot; `None`: nothing.
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

    /// Forgets what belongs into a slot, in one commit: a boot loader refuses it then, and its volume is free. A request that is
    /// pending is given up. False: nothing was known.
    ///
    /// # Errors
    /// What the store says: nothing was changed.
    pub async fn forget_slot<D: NorFlash, C: MonotonicCounter, X: NorFlash>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        slot: &Slot<X>,
        protect: bool,
    ) -> Result<bool, Failure<F, D, X>> {
        store.ready().await.map_err(Error::from)?;
        store.confirm_last().await.map_err(Error::from)?;
        let Some(record) = self.slot_record(store, slot.number).await? else { return Ok(false) };
        let mut change = store.begin_transaction(store.commit_room(), protect).await?;
        change.change_own(slot_name(slot.number).key(), &[], How::DELETE).await?;
        if record.phase != Phase::Confirmed {
            change.change_own(hold_of(record.hash).key(), &[], How::DELETE).await?;
        }
        change.commit().await?;
        Ok(true)
    }

    /// Brings the slot to hold what was requested for it, going on where it was cut, and verifies all of it: for each boot, before
    /// anything of the slot is executed. A slot whose install was confirmed is only verified, as is one that was being requested when
    /// power went. Nothing is written to the store, so one that is only [read](crate::Reader) will do.
    ///
    /// Returns what the slot holds: also what was confirmed before, with `pending` set, when the object can't be read or the
    /// trailer can't be written, nothing was touched, and the request is not protected. `progress` is called with the bytes
    /// that are done, and all. Blocks behind the code are erased.
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
        let record = self.slot_record(store, slot.number).await?.ok_or(InstallError::NothingRequested)?;
        let Journal { named: was_named, done, .. } = slot.journal(record.token).await;
        let before = record.confirmed();
        match record.phase {
            Phase::Confirmed => {
                let state = record.state();
                return if self.holds::<H, X>(slot, state).await { Ok(state) } else { Err(InstallError::WrongDigest) };
            }
            // It may be gone at the next boot. Where nobody knows what is there, nothing is touched.
            Phase::Prepared if !was_named => match before {
                Some(before) if self.holds::<H, X>(slot, before).await => return Ok(before),
                Some(_) => {}
                None => return Err(InstallError::NothingRequested),
            },
            Phase::Prepared | Phase::Succeeds | Phase::Armed => {}
        }
        if done == 0 {
            let whole = self.is_whole::<H, D, C>(store, record.hash, &record.manifest).await;
            let named = if matches!(whole, Ok(true)) { slot.name(record.token, false).await } else { Ok(()) };
            if !matches!((&whole, &named), (Ok(true), Ok(()))) {
                let wrong = whole.err().map_or(InstallError::WrongDigest, Into::into);
                let error = named.err().map_or(wrong, InstallError::Slot);
                // Was nothing touched yet? Whoever can write to the flash can make it look so: not where older code must not run.
                let intact = before.filter(|_| !was_named && record.phase != Phase::Succeeds && !record.protected);
                return match intact {
                    Some(before) if self.holds::<H, X>(slot, before).await => Ok(Installed { pending: true, ..before }),
                    _ => Err(error),
                };
            }
        }
        // What was copied, and is not what it was any more, is copied once more as a whole: under marks that would say of each
        // block that it's done, though its erase was cut, that would be believed at the next boot. Without its name in the
        // trailer a request that was only prepared is nothing, if nothing was confirmed before: there the marks stay.
        let sure = record.phase != Phase::Prepared || before.is_some();
        for (again, done) in [(false, done), (true, 0)] {
            if again && sure {
                slot.name(record.token, true).await.map_err(InstallError::Slot)?;
            }
            self.copy(store, slot, &record, done, &mut progress).await?;
            if self.holds::<H, X>(slot, record.state()).await {
                return Ok(record.state());
            }
        }
        Err(InstallError::WrongDigest)
    }

    /// Verifies the slot once more, and ends its install in one commit: from now on the object is not needed for it. Nothing
    /// happens when it was ended before.
    ///
    /// # Errors
    /// [`InstallError::WrongDigest`] when the slot was not written to its end: the boot loader must be asked once more. Or what the
    /// store says. Nothing was changed.
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
        store.ready().await.map_err(Error::from)?;
        store.confirm_last().await.map_err(Error::from)?;
        let mut record = self.slot_record(store, slot.number).await?.ok_or(InstallError::NothingRequested)?;
        let pending = record.phase != Phase::Confirmed;
        // One look at the bytes can't tell what a cut left marginal; the last mark can.
        let whole = !pending || slot.journal(record.token).await.whole;
        if !whole || !self.holds::<H, X>(slot, record.state()).await {
            return Err(InstallError::WrongDigest);
        }
        if pending {
            record.phase = Phase::Confirmed;
            self.change_record(store, slot.number, &record, Some(record.hash), protect).await?;
        }
        Ok(record.state())
    }

    /// Copies what is not done.
    async fn copy<D: NorFlash, C: MonotonicCounter, X: NorFlash>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        slot: &mut Slot<X>,
        record: &SlotRecord,
        done: u32,
        progress: &mut impl FnMut(u32, u32),
    ) -> Result<(), Failure<F, D, X>> {
        let SlotLayout { block, blocks, .. } = slot.layout;
        let Manifest { length, id, .. } = record.manifest;
        self.map(Name { hash: record.hash, id }, &record.manifest);
        if done == slot.layout.strides() {
            slot.mark(done).await;
        }
        for number in done..slot.layout.strides() {
            let from = number * slot.layout.stride();
            for block in from..(from + slot.layout.stride()).min(blocks) {
                self.copy_block(store, slot, block, length).await?;
            }
            slot.mark(number + 1).await;
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
        block: u32,
        length: u32,
    ) -> Result<(), Failure<F, D, X>> {
        slot.erase(block).await.map_err(InstallError::Slot)?;
        let chunk = self.layout.chunk;
        let mut at = block * slot.layout.block;
        let end = (at + slot.layout.block).min(length);
        while at < end {
            if !self.load_mapped(store, at / chunk).await? {
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
        let name = Name { hash, id: manifest.id };
        match self.digest_mapped::<H, D, C>(store, name, manifest).await {
            Ok(digest) => Ok(digest.ct_eq(&manifest.digest).into()),
            Err((_, Some(_))) => Err(ObjectError::Damaged),
            Err((error, None)) => Err(error),
        }
    }

    /// Whether the slot holds this. What can't be read is not it.
    async fn holds<H: Digest<OutputSize = U32>, X: NorFlash>(&mut self, slot: &mut Slot<X>, what: Installed) -> bool {
        what.length <= slot.layout.capacity()
            && matches!(self.digest_of::<H, X>(slot, what.length).await, Ok(digest) if digest.ct_eq(&what.digest).into())
    }

    /// The digest of the first bytes of the slot.
    async fn digest_of<H: Digest<OutputSize = U32>, X: NorFlash>(
        &mut self,
        slot: &mut Slot<X>,
        length: u32,
    ) -> Result<[u8; 32], X::Error> {
        let mut hash = H::new();
        let mut at = 0;
        while at < length {
            let now = (length - at).min(self.layout.chunk);
            let whole = now.next_multiple_of(slot.layout.unit) as usize;
            let bytes = self.text_mut(0).get_mut(..whole).unwrap_or_default();
            slot.flash.read(at, bytes).await?;
            for piece in bytes.get(..now as usize).unwrap_or_default().chunks(sealing::PIECE) {
                sealing::pause().await;
                hash.update(piece);
            }
            at += now;
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(&hash.finalize());
        Ok(digest)
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
        Ok(found.map(|_| (number, long(&hold, 1))))
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
    /// Where the mark of so many strides is.
    const fn mark_at(&self, done: u32) -> u32 {
        self.layout.marks() + (done - 1) * self.layout.unit
    }

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

/// Name of what keeps an object.
fn hold_of(hash: u64) -> OwnName<HELD_NAME> {
    own_name(HOLDS, &hash.to_le_bytes())
}
