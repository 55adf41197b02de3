//! A mounted store of either suite.

use lockstone::{Ascon, Cursor, Error, Key, Memory, Part, Plain, Report, SoftRootKey, Stats, Store};

use super::{Config, FEW_HEADS, Purpose, Ram, Suite};
use crate::exit::Failure;
use crate::file_flash::{FileFlash, FlashError};

type Result<T> = core::result::Result<T, Error<FlashError>>;

/// The store of a device, whatever its suite.
#[derive(Debug)]
pub(crate) enum Session<'m> {
    Ascon(Store<'m, FileFlash, Ascon>),
    Plain(Store<'m, FileFlash, Plain>),
}

/// The same call on the store of either suite.
macro_rules! on_store {
    ($session:expr, $store:ident => $call:expr) => {
        match $session {
            Session::Ascon($store) => $call,
            Session::Plain($store) => $call,
        }
    };
}

impl<'m> Session<'m> {
    pub(super) fn mount(
        flash: FileFlash,
        config: &Config,
        root: &SoftRootKey,
        purpose: Purpose,
        memory: &'m mut Ram,
    ) -> core::result::Result<Self, Failure> {
        let part = config.geometry.part();
        if config.heads == FEW_HEADS {
            // Never given back: one store is mounted in the life of a process.
            let memory = Box::leak(Box::new(Memory::<FEW_HEADS, 2048, 8192>::new()));
            return Self::mount_in(flash, config.suite, part, root, purpose, memory);
        }
        Self::mount_in(flash, config.suite, part, root, purpose, memory)
    }

    fn mount_in<const HEADS: usize>(
        flash: FileFlash,
        suite: Suite,
        part: Part,
        root: &SoftRootKey,
        purpose: Purpose,
        memory: &'m mut Memory<HEADS, 2048, 8192>,
    ) -> core::result::Result<Self, Failure> {
        Ok(match (suite, purpose) {
            (Suite::Ascon, Purpose::Look) => Self::Ascon(Store::mount_read_only(flash, part, root, memory)?),
            (Suite::Ascon, Purpose::Use) => Self::Ascon(Store::mount(flash, part, root, memory)?),
            (Suite::Plain, Purpose::Look) => Self::Plain(Store::mount_read_only(flash, part, root, memory)?),
            (Suite::Plain, Purpose::Use) => Self::Plain(Store::mount(flash, part, root, memory)?),
        })
    }

    pub(crate) fn put(&mut self, key: Key<'_>, value: &[u8]) -> Result<()> {
        on_store!(self, store => store.put(key, value))
    }

    pub(crate) fn get_range(&mut self, key: Key<'_>, offset: u32, buffer: &mut [u8]) -> Result<Option<usize>> {
        on_store!(self, store => store.get_range(key, offset, buffer))
    }

    pub(crate) fn length(&mut self, key: Key<'_>) -> Result<Option<u32>> {
        on_store!(self, store => store.length(key))
    }

    pub(crate) fn delete(&mut self, key: Key<'_>) -> Result<bool> {
        on_store!(self, store => store.delete(key))
    }

    pub(crate) fn next_key(
        &mut self,
        cursor: &mut Cursor,
        client: u32,
        prefix: &[u8],
        name: &mut [u8; 255],
    ) -> Result<Option<usize>> {
        on_store!(self, store => store.next_key(cursor, client, prefix, name))
    }

    pub(crate) fn stats(&mut self) -> Result<Stats> {
        on_store!(self, store => store.stats())
    }

    pub(crate) const fn report(&self) -> &Report {
        on_store!(self, store => store.report())
    }

    /// Writes the closing mark, if one is due.
    pub(crate) fn close(self) -> Result<()> {
        on_store!(self, store => store.close().map(drop))
    }
}
