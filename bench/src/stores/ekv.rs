//! ekv, a log-structured merge tree. It works in transactions; a put is one with one key.

use ekv::config::{MAX_PAGE_COUNT, MAX_VALUE_SIZE};
use ekv::flash::{Flash, PageID};
use ekv::{CommitError, Config, Database, ReadError, WriteError};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use lockstone_sim::SimError;

use super::{Change, Failure, Setup, Store, unit_of};
use crate::chip::{BLOCK, Chip};
use crate::executor::block_on;

struct Pages(Chip);

impl Flash for Pages {
    type Error = SimError;

    fn page_count(&self) -> usize {
        self.0.blocks()
    }

    async fn erase(&mut self, page: PageID) -> Result<(), SimError> {
        self.0.erase(address(page, 0)?, address(page, BLOCK)?)
    }

    async fn read(&mut self, page: PageID, offset: usize, data: &mut [u8]) -> Result<(), SimError> {
        self.0.read(address(page, offset)?, data)
    }

    async fn write(&mut self, page: PageID, offset: usize, data: &[u8]) -> Result<(), SimError> {
        self.0.write(address(page, offset)?, data)
    }
}

fn address(page: PageID, offset: usize) -> Result<u32, SimError> {
    u32::try_from(page.index() * BLOCK + offset).map_err(|_| SimError::OutOfBounds)
}

struct Ekv(Box<Database<Pages, NoopRawMutex>>);

pub(super) fn open(chip: &Chip, setup: Setup) -> Result<Box<dyn Store>, Failure> {
    if !matches!(chip.unit(), 1 | 4) {
        return Err(unit_of(chip));
    }
    if chip.blocks() > MAX_PAGE_COUNT {
        return Err(Failure::unsupported(format!("built for {MAX_PAGE_COUNT} pages")));
    }
    let database = Box::new(Database::new(Pages(chip.clone()), Config::default()));
    if setup.format {
        block_on(database.format()).map_err(Failure::failed)?;
    }
    block_on(database.mount()).map_err(Failure::failed)?;
    Ok(Box::new(Ekv(database)))
}

fn unwritten(error: WriteError<SimError>) -> Failure {
    match error {
        WriteError::Full => Failure::Full,
        WriteError::ValueTooBig => Failure::unsupported(format!("built for values of {MAX_VALUE_SIZE} bytes")),
        other => Failure::failed(other),
    }
}

fn uncommitted(error: CommitError<SimError>) -> Failure {
    Failure::failed(error)
}

impl Store for Ekv {
    fn put(&mut self, name: &str, value: &[u8]) -> Result<(), Failure> {
        block_on(async {
            let mut transaction = self.0.write_transaction().await;
            transaction.write(name.as_bytes(), value).await.map_err(unwritten)?;
            transaction.commit().await.map_err(uncommitted)
        })
    }

    fn get(&mut self, name: &str, buffer: &mut [u8]) -> Result<Option<usize>, Failure> {
        block_on(async {
            let transaction = self.0.read_transaction().await;
            match transaction.read(name.as_bytes(), buffer).await {
                Ok(length) => Ok(Some(length)),
                Err(ReadError::KeyNotFound) => Ok(None),
                Err(error) => Err(Failure::failed(error)),
            }
        })
    }

    fn delete(&mut self, name: &str) -> Result<(), Failure> {
        block_on(async {
            let mut transaction = self.0.write_transaction().await;
            transaction.delete(name.as_bytes()).await.map_err(unwritten)?;
            transaction.commit().await.map_err(uncommitted)
        })
    }

    fn transact(&mut self, changes: &[Change]) -> Result<(), Failure> {
        let mut sorted: Vec<&Change> = changes.iter().collect();
        sorted.sort_unstable();
        block_on(async {
            let mut transaction = self.0.write_transaction().await;
            for (name, value) in sorted {
                transaction.write(name.as_bytes(), value).await.map_err(unwritten)?;
            }
            transaction.commit().await.map_err(uncommitted)
        })
    }

    fn ram(&self) -> usize {
        size_of::<Database<Pages, NoopRawMutex>>()
    }
}
