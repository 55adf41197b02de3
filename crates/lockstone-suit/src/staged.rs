//! Staged: a payload is an unfinished object until it's installed, so that nothing of it is valid or in the clear.

use core::cell::RefCell;

use embedded_storage::nor_flash::NorFlash;
use lockstone::seal::Suite;
use lockstone::trust::MonotonicCounter;
use lockstone::{ClientId, Error, Key, ObjectError, Objects, Put, Store, Suspended, Upload};
use rand_core::TryRng;
use sha2::Sha256;
use zeroize::Zeroize;

use crate::manifest::LOCATION_MAX;
use crate::order::{Stage, within};
use crate::{Manifest, SuitError};

/// A store and its objects, for several back-ends: `RefCell::new(Shared::new(...))`.
#[derive(Debug)]
pub struct Shared<'m, D, F, S, C, R> {
    pub(crate) store: Store<'m, D, S, C>,
    pub(crate) objects: Objects<'m, F, S>,
    random: R,
    client: ClientId,
}

impl<'m, D, F, S, C, R> Shared<'m, D, F, S, C, R> {
    /// Payloads and sequence numbers are kept as this client's. `random` is for the identities of objects.
    pub const fn new(store: Store<'m, D, S, C>, objects: Objects<'m, F, S>, random: R, client: ClientId) -> Self {
        Self { store, objects, random, client }
    }

    pub(crate) const fn client(&self) -> ClientId {
        self.client
    }

    /// The store and its objects, while no back-end is at work.
    pub const fn parts(&mut self) -> (&mut Store<'m, D, S, C>, &mut Objects<'m, F, S>) {
        (&mut self.store, &mut self.objects)
    }
}

/// A payload on its way.
pub(crate) struct Staged<'s, 'm, D, F, S, C, R> {
    pub(crate) shared: &'s RefCell<Shared<'m, D, F, S, C, R>>,
    ram: &'s mut [u8],
    upload: Option<Suspended>,
    pub(crate) stage: Stage,
    name: [u8; LOCATION_MAX],
    length: usize,
}

impl<'s, 'm, D, F, S, C, R> Staged<'s, 'm, D, F, S, C, R> {
    pub(crate) const fn new(shared: &'s RefCell<Shared<'m, D, F, S, C, R>>, ram: &'s mut [u8]) -> Self {
        Self { shared, ram, upload: None, stage: Stage::Nowhere, name: [0; LOCATION_MAX], length: 0 }
    }

    /// Makes a location active, which this back-end has.
    pub(crate) fn locate(&mut self, name: &[u8]) -> Result<(), SuitError> {
        if self.stage != Stage::Nowhere && self.name.get(..self.length) == Some(name) {
            return Ok(());
        }
        if self.stage.is_pending() {
            return Err(SuitError::Order);
        }
        let place = self.name.get_mut(..name.len()).ok_or(SuitError::Unavailable)?;
        place.copy_from_slice(name);
        (self.length, self.stage) = (name.len(), Stage::Located);
        Ok(())
    }
}

impl<'m, D, F, S, C, R> Staged<'_, 'm, D, F, S, C, R>
where
    D: NorFlash,
    F: NorFlash,
    S: Suite,
    C: MonotonicCounter,
    R: TryRng,
{
    /// Everything that a call needs: the store and its objects, and the key of the location.
    pub(crate) fn with<T>(
        &mut self,
        act: impl FnOnce(
            &mut Shared<'m, D, F, S, C, R>,
            Key<'_>,
            &mut Option<Suspended>,
            &mut [u8],
        ) -> Result<T, ObjectError<F::Error, D::Error>>,
    ) -> Result<T, SuitError> {
        let Ok(mut shared) = self.shared.try_borrow_mut() else { return Err(SuitError::Failed) };
        let key = Key::new(self.name.get(..self.length).unwrap_or_default()).of_client(shared.client);
        act(&mut shared, key, &mut self.upload, self.ram).map_err(|error| said(&error))
    }

    /// The same for what is being written.
    fn with_upload<T>(
        &mut self,
        act: impl FnOnce(
            &mut Shared<'m, D, F, S, C, R>,
            Key<'_>,
            &mut Upload<'_>,
        ) -> Result<T, ObjectError<F::Error, D::Error>>,
    ) -> Result<T, SuitError> {
        self.with(|shared, key, upload, ram| {
            let mut going = upload.take().ok_or(ObjectError::GivenUp)?.go_on(ram);
            let done = act(shared, key, &mut going);
            *upload = Some(going.suspend());
            done
        })
    }

    pub(crate) fn start(&mut self, manifest: &Manifest<'_>, length: u32) -> Result<(), SuitError> {
        self.stage.check_start()?;
        manifest.component()?;
        self.with(|Shared { objects, .. }, _, _, ram| {
            let layout = objects.layout();
            let fits = ram.len() >= layout.upload_size(length) && layout.blocks_for(length) <= layout.blocks;
            if fits { Ok(()) } else { Err(ObjectError::TooLarge) }
        })?;
        let begun = self.with(|Shared { store, objects, random, .. }, key, upload, ram| {
            let begun = objects.create(store, key, Some(length), random, ram)?;
            *upload = Some(begun.suspend());
            // Of one that was begun before, nothing is left: no bit of the new one is set yet, so the RAM is all zeros. Blocks that
            // can't be erased are nothing that a payload needs.
            ram.zeroize();
            let _ = objects.reclaim(store);
            Ok(())
        });
        match begun {
            Ok(()) => {}
            // Counted before anything was changed.
            Err(SuitError::Exceeded) => return Err(SuitError::Exceeded),
            Err(error) => {
                self.forget();
                self.stage = Stage::Located;
                return Err(error);
            }
        }
        self.stage = Stage::Writing(length);
        Ok(())
    }

    pub(crate) fn write(&mut self, bytes: &[u8], offset: u32) -> Result<(), SuitError> {
        within(bytes.len(), offset, self.stage.writing()?)?;
        self.with_upload(|Shared { store, objects, .. }, _, upload| objects.write(store, upload, offset, bytes))
    }

    pub(crate) fn finish(&mut self) -> Result<(), SuitError> {
        let length = self.stage.writing()?;
        let missing = self.with_upload(|_, _, upload| Ok(upload.next_missing(0)))?;
        if missing.is_some() {
            return Err(SuitError::Incomplete);
        }
        self.stage = Stage::Whole(length);
        Ok(())
    }

    pub(crate) fn read(&mut self, target: &mut [u8], offset: u32) -> Result<(), SuitError> {
        self.stage.check_read(target, offset)?;
        if let Stage::Whole(_) = self.stage {
            return self.with_upload(|Shared { store, objects, .. }, _, upload| {
                objects.read_upload(store, upload, offset, target)
            });
        }
        let read = self.with(|Shared { store, objects, .. }, key, _, _| objects.read(store, key, offset, target))?;
        if read == Some(target.len()) { Ok(()) } else { Err(SuitError::Damaged) }
    }

    /// Commits the object; what else belongs to an install follows.
    pub(crate) fn commit(&mut self, manifest: &Manifest<'_>, how: Put) -> Result<u32, SuitError> {
        let length = self.stage.whole()?;
        let digest = manifest.sha256()?;
        self.with_upload(|Shared { store, objects, .. }, key, upload| {
            objects.finish::<Sha256, _, _>(store, upload, key, digest.as_ref(), how)
        })?;
        Ok(length)
    }

    pub(crate) fn installed(&mut self, length: u32) {
        self.forget();
        self.stage = Stage::Installed(length);
    }

    pub(crate) fn erase(&mut self) -> Result<(), SuitError> {
        if !self.stage.is_pending() {
            return Err(SuitError::Order);
        }
        self.wipe()
    }

    /// Wipes what is there of an unfinished payload, of another power session too.
    fn wipe(&mut self) -> Result<(), SuitError> {
        self.forget();
        self.stage = Stage::Located;
        self.with(|Shared { store, objects, .. }, key, _, _| objects.abort(store, key)).map(drop)
    }

    /// Takes a payload back that was committed and could not be installed.
    pub(crate) fn remove(&mut self) -> Result<(), SuitError> {
        self.forget();
        self.stage = Stage::Located;
        self.with(|Shared { store, objects, .. }, key, _, _| {
            store.delete(key)?;
            objects.reclaim(store).map(drop)
        })
    }

    fn forget(&mut self) {
        self.upload = None;
        self.ram.zeroize();
    }
}

/// An error as the interface has it.
pub(crate) const fn said<E, D>(error: &ObjectError<E, D>) -> SuitError {
    match error {
        ObjectError::Full | ObjectError::TooLarge => SuitError::Exceeded,
        ObjectError::OutOfRange => SuitError::OutOfRange,
        ObjectError::Incomplete => SuitError::Incomplete,
        ObjectError::WrongDigest => SuitError::DigestMismatch,
        ObjectError::Damaged => SuitError::Damaged,
        ObjectError::Store(error) => said_by_store(error),
        _ => SuitError::Failed,
    }
}

pub(crate) const fn said_by_store<D>(error: &Error<D>) -> SuitError {
    match error {
        Error::Full | Error::TooLarge => SuitError::Exceeded,
        Error::Damaged | Error::RolledBack => SuitError::Damaged,
        _ => SuitError::Failed,
    }
}
