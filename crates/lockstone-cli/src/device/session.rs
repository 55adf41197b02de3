//! A mounted store of any suite.

use lockstone::inspect::SegmentView;
use lockstone::{Aes, Ascon, Cursor, Error, Key, Plain, Report, SoftRootKey, Stats, Store};

use super::{AnyRam, Config, Purpose, Suite};
use crate::exit::Failure;
use crate::file_flash::{FileFlash, FlashError};

type Result<T> = core::result::Result<T, Error<FlashError>>;

/// The store of a device, whatever its suite.
#[derive(Debug)]
pub(crate) enum Session<'m> {
    Ascon(Store<'m, FileFlash, Ascon>),
    Aes(Store<'m, FileFlash, Aes>),
    Plain(Store<'m, FileFlash, Plain>),
}

/// The same call on the store of any suite.
macro_rules! on_store {
    ($session:expr, $store:ident => $call:expr) => {
        match $session {
            Session::Ascon($store) => $call,
            Session::Aes($store) => $call,
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
        memory: &'m mut AnyRam,
    ) -> core::result::Result<Self, Failure> {
        let (part, ram) = (config.geometry.part(), memory.with_heads(config.heads));
        let mut session = match config.suite {
            Suite::Ascon => Self::Ascon(Store::mount_in(flash, part, root, ram)?),
            Suite::Aes => Self::Aes(Store::mount_in(flash, part, root, ram)?),
            Suite::Plain => Self::Plain(Store::mount_in(flash, part, root, ram)?),
        };
        if purpose == Purpose::Look {
            on_store!(&mut session, store => store.make_read_only());
        }
        Ok(session)
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

    /// What a segment is; its records are passed over.
    pub(crate) fn look(&mut self, physical: u32) -> Result<SegmentView> {
        on_store!(self, store => store.look(physical, &mut |_| {}))
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
