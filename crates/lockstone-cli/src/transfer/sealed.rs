//! Sealed exports: a fresh flash image under a root key of its own, of the same geometry as the device, all of it one store:
//! an object is a value as any other there.
//!
//! Nothing new to trust: what protects a device protects an export. The image opens with `inspect` and `import`. It has no
//! counter, so attributes that need one stand beside the values, as a value of another client.

use getrandom::SysRng;
use lockstone::seal::Suite as Sealing;
use lockstone::{Aes, Ascon, Attributes, Cursor, Key, Part, SoftRootKey, Store};
use zeroize::Zeroizing;

use super::Item;
use super::table::{self, TABLE};
use crate::device::{AnyRam, Chip, Geometry, HEADS};
use crate::exit::{Exit, Failure};
use crate::inspect::{ImageFlash, Sizes, guess};

/// The image that holds these keys. Always sealed by `ascon`, whatever the device uses.
pub(crate) fn seal(
    geometry: Geometry,
    client: u32,
    items: &[Item],
    table: Option<&str>,
    key: &[u8; 32],
) -> Result<Vec<u8>, Failure> {
    let (mut memory, root) = (AnyRam::new(), SoftRootKey::new(*key));
    let flash = Chip::new(geometry.flash as usize, 0xff);
    let mut store = Store::<_, Ascon>::format_in(flash, geometry.part(), &root, &mut SysRng, memory.with_heads(HEADS))?;
    for item in items {
        store.put(Key::new(&item.name).of_client(client), &item.value)?;
    }
    if let Some(table) = table {
        store.put(table_of(&table_name(client), client), table.as_bytes())?;
    }
    Ok(store.close()?.data().to_vec())
}

/// All keys of a client in a sealed image.
pub(crate) fn open(image: &[u8], client: u32, key: &[u8; 32]) -> Result<Vec<Item>, Failure> {
    let Some((sizes, header)) = guess(image) else {
        return Err(Failure::new(Exit::Damaged, "there is no store in the image"));
    };
    match header.suite {
        Ascon::ID => read::<Ascon>(image, sizes, header.heads, client, key),
        Aes::ID => read::<Aes>(image, sizes, header.heads, client, key),
        _ => Err(Failure::usage("the image is not sealed: make one with `lockstone export --sealed`")),
    }
}

fn read<S: Sealing>(image: &[u8], sizes: Sizes, heads: u16, client: u32, key: &[u8; 32]) -> Result<Vec<Item>, Failure> {
    let part = Part::NOR.with_units(sizes.unit as usize, sizes.segment as usize).thoroughly();
    let (mut memory, root) = (AnyRam::new(), SoftRootKey::new(*key));
    let flash = ImageFlash::new(image, image.len());
    let ram = memory.with_heads(heads.max(1).into());
    let mut store = Store::<_, S>::mount_in(flash, part, &root, ram)?;
    store.make_read_only();
    if !store.report().is_sound() {
        let failure = Failure::new(Exit::Damaged, "the image is damaged or forged");
        return Err(failure.hint("`lockstone inspect IMAGE --key F` says where"));
    }
    let (mut cursor, mut name, mut names) = (Cursor::new(), [0; 255], Vec::new());
    while let Some(length) = store.next_key(&mut cursor, client, b"", &mut name)? {
        names.push(name[..length].to_vec());
    }
    names.sort();
    let mut items = Vec::new();
    for name in names {
        let key = Key::new(&name).of_client(client);
        let value = value(&mut store, key)?.unwrap_or_default();
        let attributes = store.attributes_of(key)?.unwrap_or(Attributes::NONE);
        items.push(Item { name, value, attributes });
    }
    if let Some(text) = value(&mut store, table_of(&table_name(client), client))? {
        table::read(&text, &mut items)?;
    }
    Ok(items)
}

/// Where the table stands: under another client, one that `import` is not asked for by mistake as it is for a neighbour.
const fn table_of(name: &[u8], client: u32) -> Key<'_> {
    let last = u32::MAX - 1;
    Key::new(name).of_client(if client == last { last - 1 } else { last })
}

/// Name of the table of a client's attributes, which is not that of another's.
fn table_name(client: u32) -> Vec<u8> {
    format!("{TABLE}/{client}").into_bytes()
}

fn value<S: Sealing>(
    store: &mut Store<'_, ImageFlash<'_>, S>,
    key: Key<'_>,
) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let Some(length) = store.length(key)? else { return Ok(None) };
    let mut value = Zeroizing::new(vec![0; length as usize]);
    store.get(key, &mut value)?;
    Ok(Some(value))
}
