//! wasefire-store. Its keys are numbers up to 4,095; which number a name has is the application's business.

use std::borrow::Cow;

use lockstone_sim::SimError;
use wasefire_error::{Code, Error};
use wasefire_store::{NO_CAPACITY, Storage, StorageIndex, Store as Inner, StoreUpdate};

use super::{Change, Failure, Setup, Store, unit_of};
use crate::chip::{BLOCK, Chip};

type Answer<T> = Result<T, Error>;

/// The longest value there is.
const VALUE_MAX: usize = 1023;
/// A key that nothing is stored under.
const ABSENT: usize = 4095;

struct Words(Chip);

impl Words {
    fn address(&self, index: StorageIndex) -> Answer<u32> {
        u32::try_from(index.page * BLOCK + index.byte).map_err(|_| broken(SimError::OutOfBounds))
    }
}

fn broken(_: SimError) -> Error {
    Error::user(Code::OutOfBounds)
}

impl Storage for Words {
    fn word_size(&self) -> usize {
        self.0.unit()
    }

    fn page_size(&self) -> usize {
        BLOCK
    }

    fn num_pages(&self) -> usize {
        self.0.blocks()
    }

    fn max_word_writes(&self) -> usize {
        2
    }

    fn max_page_erases(&self) -> usize {
        65_535
    }

    fn read_slice(&self, index: StorageIndex, length: usize) -> Answer<Cow<'_, [u8]>> {
        let mut bytes = vec![0; length];
        self.0.read(self.address(index)?, &mut bytes).map_err(broken)?;
        Ok(Cow::Owned(bytes))
    }

    fn write_slice(&mut self, index: StorageIndex, value: &[u8]) -> Answer<()> {
        self.0.write(self.address(index)?, value).map_err(broken)
    }

    fn erase_page(&mut self, page: usize) -> Answer<()> {
        let from = self.address(StorageIndex { page, byte: 0 })?;
        let to = self.address(StorageIndex { page, byte: BLOCK })?;
        self.0.erase(from, to).map_err(broken)
    }
}

struct Wasefire {
    inner: Inner<Words>,
    chip: Chip,
}

pub(super) fn open(chip: &Chip, setup: Setup) -> Result<Box<dyn Store>, Failure> {
    if chip.unit() != 4 {
        return Err(unit_of(chip));
    }
    if chip.blocks() > 64 {
        return Err(Failure::unsupported("more than 64 pages"));
    }
    if setup.keys >= ABSENT {
        return Err(Failure::unsupported("more than 4,095 keys"));
    }
    let inner = Inner::new(Words(chip.clone())).map_err(|(error, _)| refused(error))?;
    Ok(Box::new(Wasefire { inner, chip: chip.clone() }))
}

fn refused(error: Error) -> Failure {
    if error == NO_CAPACITY { Failure::Full } else { Failure::failed(error) }
}

fn fits(value: &[u8]) -> Result<(), Failure> {
    if value.len() > VALUE_MAX { Err(Failure::unsupported("values of more than 1,023 bytes")) } else { Ok(()) }
}

impl Store for Wasefire {
    fn put(&mut self, name: &str, value: &[u8]) -> Result<(), Failure> {
        fits(value)?;
        self.inner.insert(self.chip.number(name), value).map_err(refused)
    }

    fn get(&mut self, name: &str, buffer: &mut [u8]) -> Result<Option<usize>, Failure> {
        let key = self.chip.known_number(name).unwrap_or(ABSENT);
        let found = self.inner.find(key).map_err(refused)?;
        Ok(found.map(|value| {
            buffer.iter_mut().zip(&value).for_each(|(to, from)| *to = *from);
            value.len()
        }))
    }

    fn delete(&mut self, name: &str) -> Result<(), Failure> {
        self.inner.remove(self.chip.known_number(name).unwrap_or(ABSENT)).map_err(refused)
    }

    fn transact(&mut self, changes: &[Change]) -> Result<(), Failure> {
        if changes.len() > 31 {
            return Err(Failure::unsupported("more than 31 updates in a transaction"));
        }
        let updates: Vec<StoreUpdate<&[u8]>> = changes
            .iter()
            .map(|(name, value)| StoreUpdate::Insert { key: self.chip.number(name), value: value.as_slice() })
            .collect();
        self.inner.transaction(&updates).map_err(refused)
    }

    fn ram(&self) -> usize {
        size_of::<Inner<Words>>() - size_of::<Words>()
    }
}
