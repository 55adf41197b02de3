//! ESP-IDF NVS partitions: each item becomes a key `namespace/key`.
//!
//! Numbers come as little-endian bytes of their width, strings without the closing zero, blobs as they are. Read by the
//! crate `esp-nvs` from a copy in memory; encrypted partitions have to be decrypted first.

use std::path::Path;

use esp_nvs::mem_flash::MemFlash;
use esp_nvs::{FLASH_SECTOR_SIZE, ItemType, Key, Nvs};
use zeroize::Zeroizing;

use super::Item;
use crate::exit::{Exit, Failure};

pub(crate) fn read(path: &Path, bytes: Vec<u8>) -> Result<Vec<Item>, Failure> {
    let refused = |why: &str| Failure::usage(format!("{} is no NVS partition: {why}", path.display()));
    let length = bytes.len();
    if length == 0 || !length.is_multiple_of(FLASH_SECTOR_SIZE) {
        return Err(refused("it is no whole number of pages of 4096 bytes"));
    }
    let mut nvs = Nvs::new(0, length, MemFlash::from_bytes(bytes)).map_err(|error| refused(&error.to_string()))?;
    let entries: Vec<(Key, Key, ItemType)> =
        nvs.typed_entries().collect::<Result<_, _>>().map_err(|error| refused(&error.to_string()))?;
    if entries.is_empty() {
        return Err(refused("it holds no item that can be read"));
    }
    let mut items = Vec::new();
    for (namespace, key, kind) in entries {
        let name = [trimmed(&namespace), b"/", trimmed(&key)].concat();
        let value = value(&mut nvs, &namespace, &key, kind).map_err(|error| {
            let name = String::from_utf8_lossy(&name).into_owned();
            Failure::new(Exit::Damaged, format!("item {name} of {} can't be read: {error}", path.display()))
        })?;
        items.push(Item::new(name, Zeroizing::new(value)));
    }
    Ok(items)
}

fn value(nvs: &mut Nvs<MemFlash>, space: &Key, key: &Key, kind: ItemType) -> Result<Vec<u8>, esp_nvs::error::Error> {
    Ok(match kind {
        ItemType::U8 => nvs.get::<u8>(space, key)?.to_le_bytes().to_vec(),
        ItemType::I8 => nvs.get::<i8>(space, key)?.to_le_bytes().to_vec(),
        ItemType::U16 => nvs.get::<u16>(space, key)?.to_le_bytes().to_vec(),
        ItemType::I16 => nvs.get::<i16>(space, key)?.to_le_bytes().to_vec(),
        ItemType::U32 => nvs.get::<u32>(space, key)?.to_le_bytes().to_vec(),
        ItemType::I32 => nvs.get::<i32>(space, key)?.to_le_bytes().to_vec(),
        ItemType::U64 => nvs.get::<u64>(space, key)?.to_le_bytes().to_vec(),
        ItemType::I64 => nvs.get::<i64>(space, key)?.to_le_bytes().to_vec(),
        ItemType::Sized => nvs.get::<String>(space, key)?.into_bytes(),
        _ => nvs.get::<Vec<u8>>(space, key)?,
    })
}

fn trimmed(key: &Key) -> &[u8] {
    let bytes = key.as_bytes();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_every_type_are_read() {
        let mut nvs = Nvs::new(0, 4 * FLASH_SECTOR_SIZE, MemFlash::new(4)).unwrap();
        let (wifi, boot) = (Key::from_str("wifi"), Key::from_str("boot"));
        nvs.set(&wifi, &Key::from_str("psk"), "correct horse").unwrap();
        nvs.set(&wifi, &Key::from_str("cert"), &[7_u8; 5000][..]).unwrap();
        nvs.set(&boot, &Key::from_str("count"), 70_000_u32).unwrap();
        nvs.set(&boot, &Key::from_str("bias"), -2_i8).unwrap();
        let mut items = read(Path::new("nvs.bin"), nvs.into_inner().into_inner()).unwrap();
        items.sort_by(|one, other| one.name.cmp(&other.name));
        let seen: Vec<_> =
            items.iter().map(|item| (String::from_utf8_lossy(&item.name), item.value.len(), item.value[0])).collect();
        let wanted = [("boot/bias", 1, 0xfe), ("boot/count", 4, 0x70), ("wifi/cert", 5000, 7), ("wifi/psk", 13, b'c')];
        assert_eq!(seen, wanted.map(|(name, length, first)| (name.into(), length, first)));
    }

    #[test]
    fn what_is_no_partition_is_refused() {
        for bytes in [vec![], vec![0xff; 100], vec![0xff; 8192], vec![0x42; 8192]] {
            assert!(read(Path::new("x"), bytes).is_err());
        }
    }
}
