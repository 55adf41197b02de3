//! Lockstone, in a given amount of RAM.
//!
//! RAM is counted as it is on this host: heads, record buffer, a byte a segment, the state and the store itself. On a
//! 32-bit processor the last two are smaller. A mount leaks its RAM, because it is lent to the store for as long as that
//! lives and a store that is dropped can't hand it back; a few kilobytes a mount, in a program that ends.

use core::convert::Infallible;

use lockstone::seal::Suite as Sealing;
use lockstone::{Ascon, Error, Head, Part, Plain, Ram, SoftRootKey, State, buffer_size};

use super::{Change, Failure, Setup, Store, Suite, unit_of};
use crate::chip::{BLOCK, Chip, Port};

type Inner<const W: usize, S> = lockstone::Store<'static, Port<W>, S>;

struct Lockstone<const W: usize, S> {
    inner: Inner<W, S>,
    ram: usize,
}

/// The identity of a store: any number does here.
struct Identity;

impl rand_core::TryRng for Identity {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(42)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(42)
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        target.fill(42);
        Ok(())
    }
}

pub(super) fn open(suite: Suite, ram: usize, chip: &Chip, setup: Setup) -> Result<Box<dyn Store>, Failure> {
    match suite {
        Suite::Plain => open_with::<Plain>(ram, chip, setup),
        Suite::Ascon => open_with::<Ascon>(ram, chip, setup),
    }
}

fn open_with<S: Sealing + 'static>(ram: usize, chip: &Chip, setup: Setup) -> Result<Box<dyn Store>, Failure> {
    match chip.unit() {
        1 => open_on::<1, S>(ram, chip, setup),
        4 => open_on::<4, S>(ram, chip, setup),
        8 => open_on::<8, S>(ram, chip, setup),
        32 => open_on::<32, S>(ram, chip, setup),
        256 => open_on::<256, S>(ram, chip, setup),
        _ => Err(unit_of(chip)),
    }
}

/// How RAM is divided: heads, record buffer, bytes for segments.
fn divide<const W: usize, S: Sealing>(ram: usize, segments: usize) -> Option<(usize, usize, usize)> {
    let buffer = const { buffer_size(1, W, BLOCK) };
    let segments = segments.min(ram / 4);
    let fixed = buffer + segments + size_of::<State>() + size_of::<Inner<W, S>>();
    let heads = ram.checked_sub(fixed)? / size_of::<Head>();
    (heads > 0).then_some((heads.min(0xffff), buffer, segments))
}

fn open_on<const W: usize, S: Sealing + 'static>(
    ram: usize,
    chip: &Chip,
    setup: Setup,
) -> Result<Box<dyn Store>, Failure> {
    let (heads, buffer, used) =
        divide::<W, S>(ram, chip.blocks()).ok_or_else(|| Failure::unsupported(format!("{ram} bytes of RAM")))?;
    let taken = heads * size_of::<Head>() + buffer + used + size_of::<State>() + size_of::<Inner<W, S>>();
    let lent = Ram::new(
        Box::leak(vec![Head::EMPTY; heads].into_boxed_slice()),
        Box::leak(vec![0; buffer + used].into_boxed_slice()),
        Box::leak(Box::new(State::new())),
    );
    let (root, port) = (SoftRootKey::new([7; 32]), Port::<W>(chip.clone()));
    let inner = if setup.format {
        Inner::<W, S>::format_in(port, Part::NOR, &root, &mut Identity, lent)
    } else {
        Inner::<W, S>::mount_in(port, Part::NOR, &root, lent)
    };
    Ok(Box::new(Lockstone { inner: inner.map_err(Failure::failed)?, ram: taken }))
}

fn refused<E: core::fmt::Debug>(error: Error<E>) -> Failure {
    match error {
        Error::Full => Failure::Full,
        other => Failure::failed(other),
    }
}

impl<const W: usize, S: Sealing> Store for Lockstone<W, S> {
    fn put(&mut self, name: &str, value: &[u8]) -> Result<(), Failure> {
        self.inner.put(name, value).map_err(refused)
    }

    fn get(&mut self, name: &str, buffer: &mut [u8]) -> Result<Option<usize>, Failure> {
        self.inner.get(name, buffer).map_err(refused)
    }

    fn delete(&mut self, name: &str) -> Result<(), Failure> {
        self.inner.delete(name).map(drop).map_err(refused)
    }

    fn transact(&mut self, changes: &[Change]) -> Result<(), Failure> {
        let bytes: usize = changes.iter().map(|(name, value)| name.len() + value.len() + 40).sum();
        let bytes = u32::try_from(bytes).map_err(Failure::failed)?;
        let mut transaction = self.inner.transaction(bytes).map_err(refused)?;
        for (name, value) in changes {
            transaction.put(name.as_str(), value).map_err(refused)?;
        }
        transaction.commit().map_err(refused)
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.inner.close().map(drop).map_err(refused)
    }

    fn ram(&self) -> usize {
        self.ram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_ram_is_taken_than_given() {
        for (ram, blocks) in [(2048, 64), (4096, 64), (8192, 1024)] {
            let setup = Setup { format: true, keys: 10, value_max: 64 };
            let store = open(Suite::Ascon, ram, &Chip::new(4, blocks), setup).unwrap();
            assert!(store.ram() <= ram && store.ram() + 8 > ram, "{} of {ram}", store.ram());
        }
    }
}
