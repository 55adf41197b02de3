//! esp-nvs: the format of ESP-IDF's NVS. Values are stored as blobs, the type that it has for any bytes.

use esp_nvs::error::Error;
use esp_nvs::platform::{Crc, software_crc32};
use esp_nvs::{Key, MAX_KEY_LENGTH, Nvs};

use super::{Change, Failure, Setup, Store, unit_of};
use crate::chip::{Chip, Port};

const SPACE: Key = Key::from_str("bench");

impl<const W: usize> Crc for Port<W> {
    fn crc32(init: u32, data: &[u8]) -> u32 {
        software_crc32(init, data)
    }
}

struct EspNvs<const W: usize>(Nvs<Port<W>>);

pub(super) fn open(chip: &Chip, setup: Setup) -> Result<Box<dyn Store>, Failure> {
    match chip.unit() {
        1 => open_on::<1>(chip, setup),
        4 => open_on::<4>(chip, setup),
        8 => open_on::<8>(chip, setup),
        32 => open_on::<32>(chip, setup),
        _ => Err(unit_of(chip)),
    }
}

fn open_on<const W: usize>(chip: &Chip, _: Setup) -> Result<Box<dyn Store>, Failure> {
    let nvs = Nvs::new(0, chip.bytes(), Port::<W>(chip.clone())).map_err(refused)?;
    Ok(Box::new(EspNvs(nvs)))
}

fn refused(error: Error) -> Failure {
    match error {
        Error::FlashFull => Failure::Full,
        other => Failure::failed(other),
    }
}

fn key(name: &str) -> Result<Key, Failure> {
    if name.len() > MAX_KEY_LENGTH {
        return Err(Failure::unsupported("names of more than 15 characters"));
    }
    Ok(Key::from_str(name))
}

impl<const W: usize> Store for EspNvs<W> {
    fn put(&mut self, name: &str, value: &[u8]) -> Result<(), Failure> {
        self.0.set(&SPACE, &key(name)?, value).map_err(refused)
    }

    fn get(&mut self, name: &str, buffer: &mut [u8]) -> Result<Option<usize>, Failure> {
        match self.0.get::<Vec<u8>>(&SPACE, &key(name)?) {
            Ok(value) => {
                buffer.iter_mut().zip(&value).for_each(|(to, from)| *to = *from);
                Ok(Some(value.len()))
            }
            Err(Error::KeyNotFound | Error::NamespaceNotFound) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    fn delete(&mut self, name: &str) -> Result<(), Failure> {
        self.0.delete(&SPACE, &key(name)?).map_err(refused)
    }

    fn transact(&mut self, _: &[Change]) -> Result<(), Failure> {
        Err(Failure::unsupported("no transactions"))
    }

    fn ram(&self) -> usize {
        size_of::<Nvs<Port<W>>>() - size_of::<Port<W>>()
    }
}
