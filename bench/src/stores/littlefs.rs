//! littlefs2, Rust over the C code: a file a key, all in the root.
//!
//! A mounted file system borrows its caches and its storage. Both are leaked, because the store is dropped to pull the
//! plug; what is leaked is about a kilobyte a mount, and lets go of the chip.

use std::cell::RefCell;
use std::rc::Rc;

use littlefs2::consts::{U8, U64, U256};
use littlefs2::driver::Storage;
use littlefs2::fs::{Allocation, File, FileAllocation, Filesystem};
use littlefs2::io::{Error, Result as Answer};
use littlefs2::path::PathBuf;

use super::{Change, Failure, Setup, Store, unit_of};
use crate::chip::{BLOCK, Chip};

/// Declares storage of one cache size: that is a type there, of a crate that isn't named here.
macro_rules! storage {
    ($disk:ident, $cache:ty) => {
        struct $disk<const W: usize, const BLOCKS: usize>(Plug);

        impl<const W: usize, const BLOCKS: usize> From<Plug> for $disk<W, BLOCKS> {
            fn from(plug: Plug) -> Self {
                Self(plug)
            }
        }

        impl<const W: usize, const BLOCKS: usize> Storage for $disk<W, BLOCKS> {
            const READ_SIZE: usize = W;
            const WRITE_SIZE: usize = W;
            const BLOCK_SIZE: usize = BLOCK;
            const BLOCK_COUNT: usize = BLOCKS;
            const BLOCK_CYCLES: isize = 500;
            type CACHE_SIZE = $cache;
            type LOOKAHEAD_SIZE = U8;

            fn read(&mut self, offset: usize, buffer: &mut [u8]) -> Answer<usize> {
                let length = buffer.len();
                self.0.with(|chip| chip.read(address(offset)?, buffer).map_err(|_| Error::IO))?;
                Ok(length)
            }

            fn write(&mut self, offset: usize, data: &[u8]) -> Answer<usize> {
                self.0.with(|chip| chip.write(address(offset)?, data).map_err(|_| Error::IO))?;
                Ok(data.len())
            }

            fn erase(&mut self, offset: usize, length: usize) -> Answer<usize> {
                let (from, to) = (address(offset)?, address(offset + length)?);
                self.0.with(|chip| chip.erase(from, to).map_err(|_| Error::IO))?;
                Ok(length)
            }
        }
    };
}

storage!(Disk, U64);
storage!(WideDisk, U256);

fn address(offset: usize) -> Answer<u32> {
    u32::try_from(offset).map_err(|_| Error::INVALID)
}

/// The chip, until it is unplugged.
#[derive(Clone)]
struct Plug(Rc<RefCell<Option<Chip>>>);

impl Plug {
    fn with<T>(&self, act: impl FnOnce(&Chip) -> Answer<T>) -> Answer<T> {
        self.0.borrow().as_ref().map_or(Err(Error::IO), act)
    }
}

struct Littlefs<D: Storage + 'static> {
    inner: Filesystem<'static, D>,
    plug: Plug,
}

pub(super) fn open(chip: &Chip, setup: Setup) -> Result<Box<dyn Store>, Failure> {
    match (chip.unit(), chip.blocks()) {
        (1, 64) => open_on::<Disk<1, 64>>(chip, setup),
        (4, 64) => open_on::<Disk<4, 64>>(chip, setup),
        (4, 512) => open_on::<Disk<4, 512>>(chip, setup),
        (4, 1024) => open_on::<Disk<4, 1024>>(chip, setup),
        (4, 4096) => open_on::<Disk<4, 4096>>(chip, setup),
        (8, 64) => open_on::<Disk<8, 64>>(chip, setup),
        (32, 64) => open_on::<Disk<32, 64>>(chip, setup),
        (256, 64) => open_on::<WideDisk<256, 64>>(chip, setup),
        _ => Err(unit_of(chip)),
    }
}

fn open_on<D: Storage + From<Plug> + 'static>(chip: &Chip, setup: Setup) -> Result<Box<dyn Store>, Failure> {
    let plug = Plug(Rc::new(RefCell::new(Some(chip.clone()))));
    let storage = Box::leak(Box::new(D::from(plug.clone())));
    if setup.format {
        Filesystem::format(storage).map_err(refused)?;
    }
    let allocation: &'static mut Allocation<D> = Box::leak(Box::new(Filesystem::allocate()));
    let inner = Filesystem::mount(allocation, storage).map_err(refused)?;
    Ok(Box::new(Littlefs { inner, plug }))
}

fn refused(error: Error) -> Failure {
    match error {
        // A new file that finds no room is answered as a name that does not fit.
        Error::NO_SPACE | Error::FILENAME_TOO_LONG => Failure::Full,
        other => Failure::Failed(format!("littlefs error {}", other.code())),
    }
}

fn path(name: &str) -> Result<PathBuf, Failure> {
    PathBuf::try_from(name).map_err(Failure::failed)
}

impl<D: Storage + 'static> Store for Littlefs<D> {
    fn put(&mut self, name: &str, value: &[u8]) -> Result<(), Failure> {
        self.inner.write(&path(name)?, value).map_err(refused)
    }

    fn get(&mut self, name: &str, buffer: &mut [u8]) -> Result<Option<usize>, Failure> {
        let read = |file: &File<'_, '_, D>| file.read(buffer);
        match self.inner.open_file_and_then(&path(name)?, read) {
            Ok(length) => Ok(Some(length)),
            Err(Error::NO_SUCH_ENTRY) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    fn delete(&mut self, name: &str) -> Result<(), Failure> {
        self.inner.remove(&path(name)?).map_err(refused)
    }

    fn transact(&mut self, _: &[Change]) -> Result<(), Failure> {
        Err(Failure::unsupported("no transactions"))
    }

    fn ram(&self) -> usize {
        size_of::<Allocation<D>>() + size_of::<FileAllocation<D>>()
    }
}

impl<D: Storage + 'static> Drop for Littlefs<D> {
    fn drop(&mut self) {
        *self.plug.0.borrow_mut() = None;
    }
}
