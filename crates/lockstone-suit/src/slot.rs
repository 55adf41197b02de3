//! Slot: a payload for a code slot. It's kept sealed until it is installed, and copied by the boot loader then.

use core::cell::RefCell;

use embedded_storage::nor_flash::NorFlash;
use lockstone::seal::Suite;
use lockstone::trust::MonotonicCounter;
use lockstone::{InstallError, Put, Slot};
use rand_core::TryRng;
use sha2::Sha256;

use crate::sequence::{ID_MAX, PREFIX};
use crate::staged::{Shared, Staged, said};
use crate::{Manifest, SuitError, SuitStorage};

/// One code slot, as one location. `install` commits the payload as an object under the key of this name, and
/// [requests](lockstone::Objects::request_install) that the slot hold it: the boot loader copies it, in front of the next start, and
/// [`confirm_install`](lockstone::Objects::confirm_install) ends that. The code that runs is untouched until then.
///
/// When `install` fails for want of a working flash, the payload is taken back, and its key has none; unless the request stands
/// already, or nobody can tell: then the boot loader may copy it, so it stays readable, and is nothing that `erase` would wipe.
/// `start` begins anew in either case.
pub struct SlotStorage<'s, 'm, D, F, S, C, R, X> {
    staged: Staged<'s, 'm, D, F, S, C, R>,
    name: &'s str,
    slot: Slot<X>,
    /// Where the slot begins in the memory of the chip.
    offset: u32,
}

impl<'s, 'm, D, F, S, C, R, X> SlotStorage<'s, 'm, D, F, S, C, R, X> {
    /// The slot is the location `name` (of at most 32 bytes), and begins at `offset` in the memory of the chip. `ram`:
    /// [`upload_size`](lockstone::ObjectLayout::upload_size) of the longest payload.
    pub const fn new(
        shared: &'s RefCell<Shared<'m, D, F, S, C, R>>,
        name: &'s str,
        slot: Slot<X>,
        offset: u32,
        ram: &'s mut [u8],
    ) -> Self {
        Self { staged: Staged::new(shared, ram), name, slot, offset }
    }
}

impl<D, F, S, C, R, X> SuitStorage for SlotStorage<'_, '_, D, F, S, C, R, X>
where
    D: NorFlash,
    F: NorFlash,
    S: Suite,
    C: MonotonicCounter,
    R: TryRng,
    X: NorFlash,
{
    fn id(&self) -> &str {
        self.name
    }

    fn init(&mut self) -> Result<(), SuitError> {
        self.seq_no().map(drop)
    }

    fn start(&mut self, manifest: &Manifest<'_>, length: u32) -> Result<(), SuitError> {
        self.staged.stage.check_start()?;
        if length > self.slot.capacity() {
            return Err(SuitError::Exceeded);
        }
        self.staged.start(manifest, length)
    }

    fn write(&mut self, _manifest: &Manifest<'_>, bytes: &[u8], offset: u32) -> Result<(), SuitError> {
        self.staged.write(bytes, offset)
    }

    fn finish(&mut self, _manifest: &Manifest<'_>) -> Result<(), SuitError> {
        self.staged.finish()
    }

    fn read(&mut self, target: &mut [u8], offset: u32) -> Result<(), SuitError> {
        self.staged.read(target, offset)
    }

    fn install(&mut self, manifest: &Manifest<'_>) -> Result<(), SuitError> {
        let length = self.staged.commit(manifest, Put::USUAL)?;
        let slot = &mut self.slot;
        let (requested, stands) = self.staged.with(|shared, key, _, _| {
            let (store, objects) = shared.parts();
            let mut requested = objects.request_install::<Sha256, _, _, _>(store, key, slot, false);
            let mut stands = false;
            if requested.is_err() {
                // A boot loader may act on it all the same. Whoever can't tell does not take the payload from under it.
                stands = match (objects.manifest(store, key), objects.slot_state(store, slot)) {
                    (Ok(Some(wanted)), Ok(Some(state))) => state.pending && state.digest == wanted.digest,
                    (Ok(_), Ok(None)) => false,
                    _ => true,
                };
                if stands {
                    requested = objects.request_install::<Sha256, _, _, _>(store, key, slot, false);
                }
            }
            Ok((requested, stands))
        })?;
        let result = requested.map_err(|error| match error {
            InstallError::Object(error) => said(&error),
            InstallError::TooLarge => SuitError::Exceeded,
            InstallError::WrongDigest => SuitError::DigestMismatch,
            _ => SuitError::Failed,
        });
        if result.is_ok() || stands {
            self.staged.installed(length);
        } else {
            // A payload that is not installed leaves no trace.
            self.staged.remove()?;
        }
        result
    }

    fn erase(&mut self) -> Result<(), SuitError> {
        self.staged.erase()
    }

    fn has_location(&self, name: &[u8]) -> bool {
        name == self.name.as_bytes() && !name.starts_with(PREFIX) && name.len() <= ID_MAX
    }

    fn set_active_location(&mut self, name: &[u8]) -> Result<(), SuitError> {
        if self.has_location(name) { self.staged.locate(name) } else { Err(SuitError::Unavailable) }
    }

    fn match_offset(&self, offset: u32) -> Result<bool, SuitError> {
        Ok(offset == self.offset)
    }

    fn seq_no(&mut self) -> Result<u32, SuitError> {
        self.staged.shared.try_borrow_mut().map_err(|_| SuitError::Failed)?.seq_no(self.name)
    }

    fn set_seq_no(&mut self, seq_no: u32) -> Result<(), SuitError> {
        self.staged.shared.try_borrow_mut().map_err(|_| SuitError::Failed)?.set_seq_no(self.name, seq_no)
    }

    fn has_offset(&self) -> bool {
        true
    }
}

impl<D, F, S, C, R, X> core::fmt::Debug for SlotStorage<'_, '_, D, F, S, C, R, X> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SlotStorage")
            .field("name", &self.name)
            .field("stage", &self.staged.stage)
            .finish_non_exhaustive()
    }
}
