//! Sequence numbers: in the store, bound to its counter if it has one.

use embedded_storage::nor_flash::NorFlash;
use lockstone::seal::Suite;
use lockstone::trust::MonotonicCounter;
use lockstone::{Key, Put};

use crate::SuitError;
use crate::staged::{Shared, said_by_store};

/// What the name of an entry begins with that holds a sequence number.
pub(crate) const PREFIX: &[u8] = b"suit-seq-no/";
/// Longest name of a back-end.
pub(crate) const ID_MAX: usize = 32;

/// Name of the entry with the sequence number of a back-end.
struct Name {
    bytes: [u8; PREFIX.len() + ID_MAX],
    length: usize,
}

impl Name {
    fn of(id: &str) -> Result<Self, SuitError> {
        let mut bytes = [0; PREFIX.len() + ID_MAX];
        let length = PREFIX.len() + id.len();
        let (start, rest) = bytes.split_at_mut(PREFIX.len());
        start.copy_from_slice(PREFIX);
        rest.get_mut(..id.len()).ok_or(SuitError::Unavailable)?.copy_from_slice(id.as_bytes());
        Ok(Self { bytes, length })
    }
}

impl<D: NorFlash, F: NorFlash, S: Suite, C: MonotonicCounter, R> Shared<'_, D, F, S, C, R> {
    /// The sequence number of a back-end.
    pub(crate) fn seq_no(&mut self, id: &str) -> Result<u32, SuitError> {
        let name = Name::of(id)?;
        let mut bytes = [0; 4];
        let found = self.store.get(self.key(&name), &mut bytes).map_err(|error| said_by_store(&error))?;
        match found {
            None => Ok(0),
            Some(4) => Ok(u32::from_le_bytes(bytes)),
            Some(_) => Err(SuitError::Damaged),
        }
    }

    /// Keeps it. The same again costs nothing.
    pub(crate) fn set_seq_no(&mut self, id: &str, seq_no: u32) -> Result<(), SuitError> {
        let had = self.seq_no(id)?;
        if seq_no < had {
            return Err(SuitError::SequenceNumber);
        }
        if seq_no == had {
            return Ok(());
        }
        let name = Name::of(id)?;
        let how = if C::PRESENT { Put::PROTECTED } else { Put::USUAL };
        self.store.put_with(self.key(&name), &seq_no.to_le_bytes(), how).map_err(|error| said_by_store(&error))
    }

    fn key<'n>(&self, name: &'n Name) -> Key<'n> {
        Key::new(name.bytes.get(..name.length).unwrap_or_default()).of_client(self.client())
    }
}
