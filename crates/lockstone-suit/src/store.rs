//! Store: payloads as objects under the keys of their paths, as a file system would keep them as files.

use core::cell::RefCell;

use embedded_storage::nor_flash::NorFlash;
use lockstone::Put;
use lockstone::seal::Suite;
use lockstone::trust::MonotonicCounter;
use rand_core::TryRng;

use crate::manifest::LOCATION_MAX;
use crate::sequence::PREFIX;
use crate::staged::{Shared, Staged};
use crate::{Manifest, SuitError, SuitStorage};

/// Payloads as objects. Pieces come in any order if they are whole chunks ([`ObjectLayout::chunk`](lockstone::ObjectLayout::chunk)),
/// else each must go on where the last one ended; what is given twice does no harm. Each key that begins with a prefix is a location, `/` stands between the parts of a component identifier.
/// What is installed under a key stays readable until the next payload is installed there, in one step.
pub struct StoreStorage<'s, 'm, D, F, S, C, R> {
    staged: Staged<'s, 'm, D, F, S, C, R>,
    prefix: &'s [u8],
}

impl<'s, 'm, D, F, S, C, R> StoreStorage<'s, 'm, D, F, S, C, R> {
    /// `ram`: [`upload_size`](lockstone::ObjectLayout::upload_size) of the longest payload.
    pub const fn new(shared: &'s RefCell<Shared<'m, D, F, S, C, R>>, prefix: &'s [u8], ram: &'s mut [u8]) -> Self {
        Self { staged: Staged::new(shared, ram), prefix }
    }
}

impl<D: NorFlash, F: NorFlash, S: Suite, C: MonotonicCounter, R: TryRng> SuitStorage
    for StoreStorage<'_, '_, D, F, S, C, R>
{
    fn id(&self) -> &str {
        "store"
    }

    fn init(&mut self) -> Result<(), SuitError> {
        self.seq_no().map(drop)
    }

    fn start(&mut self, manifest: &Manifest<'_>, length: u32) -> Result<(), SuitError> {
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
        self.staged.installed(length);
        Ok(())
    }

    fn erase(&mut self) -> Result<(), SuitError> {
        self.staged.erase()
    }

    fn has_location(&self, name: &[u8]) -> bool {
        name.starts_with(self.prefix)
            && !name.starts_with(PREFIX)
            && name.len() > self.prefix.len()
            && name.len() <= LOCATION_MAX
    }

    fn set_active_location(&mut self, name: &[u8]) -> Result<(), SuitError> {
        if self.has_location(name) { self.staged.locate(name) } else { Err(SuitError::Unavailable) }
    }

    fn seq_no(&mut self) -> Result<u32, SuitError> {
        self.staged.shared.try_borrow_mut().map_err(|_| SuitError::Failed)?.seq_no("store")
    }

    fn set_seq_no(&mut self, seq_no: u32) -> Result<(), SuitError> {
        self.staged.shared.try_borrow_mut().map_err(|_| SuitError::Failed)?.set_seq_no("store", seq_no)
    }

    fn separator(&self) -> Option<u8> {
        Some(b'/')
    }
}

impl<D, F, S, C, R> core::fmt::Debug for StoreStorage<'_, '_, D, F, S, C, R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StoreStorage").field("stage", &self.staged.stage).finish_non_exhaustive()
    }
}
