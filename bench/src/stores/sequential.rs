//! sequential-storage: its map, with and without caches. Keys are strings of up to 15 characters.

use arrayvec::ArrayString;
use sequential_storage::Error;
use sequential_storage::cache::key_pointers::HeapKeyPointers;
use sequential_storage::cache::page_pointers::HeapPagePointers;
use sequential_storage::cache::page_states::HeapPageStates;
use sequential_storage::cache::{Cache, CacheImpl};
use sequential_storage::map::{MapConfig, MapStorage};

use super::{Change, Failure, Setup, Store, unit_of};
use crate::chip::{Chip, Port};
use crate::executor::block_on;

type Name = ArrayString<16>;

struct Sequential<const W: usize, C: CacheImpl<Name>> {
    map: MapStorage<Name, Port<W>, C>,
    buffer: Vec<u8>,
}

pub(super) fn open(cached: bool, chip: &Chip, setup: Setup) -> Result<Box<dyn Store>, Failure> {
    match chip.unit() {
        1 => open_on::<1>(cached, chip, setup),
        4 => open_on::<4>(cached, chip, setup),
        8 => open_on::<8>(cached, chip, setup),
        32 => open_on::<32>(cached, chip, setup),
        _ => Err(unit_of(chip)),
    }
}

fn open_on<const W: usize>(cached: bool, chip: &Chip, setup: Setup) -> Result<Box<dyn Store>, Failure> {
    if cached {
        let (pages, keys) = (chip.blocks(), setup.keys.max(1));
        let cache =
            Cache::new(HeapPageStates::new(pages), HeapPagePointers::new(pages), HeapKeyPointers::<Name>::new(keys));
        open_cached::<W, _>(chip, setup, cache)
    } else {
        open_cached::<W, _>(chip, setup, Cache::new_uncached())
    }
}

fn open_cached<const W: usize, C: CacheImpl<Name> + 'static>(
    chip: &Chip,
    setup: Setup,
    cache: C,
) -> Result<Box<dyn Store>, Failure> {
    let end = u32::try_from(chip.bytes()).map_err(Failure::failed)?;
    let config: MapConfig<Port<W>> = MapConfig::try_new(0..end).map_err(Failure::failed)?;
    let mut map = MapStorage::new(Port(chip.clone()), config, cache);
    if setup.format {
        block_on(map.erase_all()).map_err(refused)?;
    }
    // A key takes its length and two bytes more; both ends are rounded to units.
    let buffer = vec![0; (18 + setup.value_max).next_multiple_of(32)];
    Ok(Box::new(Sequential { map, buffer }))
}

fn refused<E: core::fmt::Debug>(error: Error<E>) -> Failure {
    match error {
        Error::FullStorage => Failure::Full,
        Error::ItemTooBig => Failure::unsupported("an item longer than a page"),
        other => Failure::failed(other),
    }
}

fn key(name: &str) -> Result<Name, Failure> {
    Name::from(name).map_err(|_| Failure::unsupported("names of more than 16 characters"))
}

impl<const W: usize, C: CacheImpl<Name>> Store for Sequential<W, C> {
    fn put(&mut self, name: &str, value: &[u8]) -> Result<(), Failure> {
        block_on(self.map.store_item(&mut self.buffer, &key(name)?, &value)).map_err(refused)
    }

    fn get(&mut self, name: &str, buffer: &mut [u8]) -> Result<Option<usize>, Failure> {
        let found: Option<&[u8]> = block_on(self.map.fetch_item(&mut self.buffer, &key(name)?)).map_err(refused)?;
        Ok(found.map(|value| {
            buffer.iter_mut().zip(value).for_each(|(to, from)| *to = *from);
            value.len()
        }))
    }

    fn delete(&mut self, name: &str) -> Result<(), Failure> {
        block_on(self.map.remove_item(&mut self.buffer, &key(name)?)).map_err(refused)
    }

    fn transact(&mut self, _: &[Change]) -> Result<(), Failure> {
        Err(Failure::unsupported("no transactions"))
    }

    fn ram(&self) -> usize {
        size_of::<MapStorage<Name, Port<W>, C>>() - size_of::<Port<W>>() + self.buffer.len()
    }
}
