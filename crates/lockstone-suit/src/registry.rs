//! Registry: all back-ends of a device, for the handler that does not know which one serves a component.

use crate::manifest::Location;
use crate::{Manifest, SuitError, SuitStorage};

/// Back-ends, in the order in which they are asked.
pub struct Registry<'s, 'a>(&'s mut [&'a mut dyn SuitStorage]);

impl<'s, 'a> Registry<'s, 'a> {
    /// These back-ends.
    pub const fn new(storages: &'s mut [&'a mut dyn SuitStorage]) -> Self {
        Self(storages)
    }

    /// Calls [`init`](SuitStorage::init) on all; the first error is what counts, the others are called all the same.
    ///
    /// # Errors
    /// As each.
    pub fn init_all(&mut self) -> Result<(), SuitError> {
        self.0.iter_mut().map(|storage| storage.init()).fold(Ok(()), Result::and)
    }

    /// The back-end of this name.
    ///
    /// # Errors
    /// [`SuitError::Unavailable`].
    pub fn find_by_id(&mut self, id: &str) -> Result<&mut (dyn SuitStorage + 'a), SuitError> {
        let found = self.0.iter_mut().find(|storage| storage.id() == id);
        found.map(|storage| &mut **storage).ok_or(SuitError::Unavailable)
    }

    /// The back-end that serves the component that is handled, with its location active.
    ///
    /// # Errors
    /// [`SuitError::Unavailable`]: none does, or the manifest has no such component. [`SuitError::Order`]: it's busy with another.
    pub fn find_by_component(&mut self, manifest: &Manifest<'_>) -> Result<&mut (dyn SuitStorage + 'a), SuitError> {
        let id = manifest.component()?.id;
        for storage in self.0.iter_mut() {
            let location = Location::of(id, storage.separator());
            if let Some(location) = location.filter(|location| storage.has_location(location.name())) {
                storage.set_active_location(location.name())?;
                return Ok(&mut **storage);
            }
        }
        Err(SuitError::Unavailable)
    }

    /// The highest sequence number of all.
    ///
    /// # Errors
    /// [`SuitError::NotSupported`] when no back-end has one. One that can't be read fails the call: an older manifest might be
    /// accepted for want of it.
    pub fn highest_seq_no(&mut self) -> Result<u32, SuitError> {
        let mut highest = None;
        for storage in self.0.iter_mut() {
            match storage.seq_no() {
                Ok(seq_no) => highest = highest.max(Some(seq_no)),
                Err(SuitError::NotSupported) => {}
                Err(error) => return Err(error),
            }
        }
        highest.ok_or(SuitError::NotSupported)
    }

    /// Sets the sequence number in all that keep one.
    ///
    /// # Errors
    /// [`SuitError::NotSupported`] when none does, [`SuitError::SequenceNumber`] when it's lower than the highest. The first other
    /// error when one of them failed; the others have stored it, and the highest counts.
    pub fn set_seq_no_all(&mut self, seq_no: u32) -> Result<(), SuitError> {
        if seq_no < self.highest_seq_no()? {
            return Err(SuitError::SequenceNumber);
        }
        let results = self.0.iter_mut().map(|storage| storage.set_seq_no(seq_no));
        results.filter(|result| *result != Err(SuitError::NotSupported)).fold(Ok(()), Result::and)
    }
}

impl core::fmt::Debug for Registry<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|storage| storage.id())).finish()
    }
}
