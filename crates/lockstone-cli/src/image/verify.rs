//! Verify: is a flash still what the factory made, or, if it was used since, does it hold what the manifest says?

use lockstone::seal::Suite as Sealing;
use lockstone::trust::Anchor;
use lockstone::{Aes, Ascon, Error, Key, Plain, SoftRootKey, Store};

use super::build::{Order, build};
use crate::device::{AnyRam, Suite};
use crate::exit::Failure;
use crate::inspect::{ImageFlash, ReadCounter};

/// What a flash is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Byte for byte what a build makes.
    AsBuilt,
    /// Changed since, and every key of the manifest is there with its value.
    Used,
    /// Not what it should be, and why.
    Wrong(String),
}

pub(crate) fn verify(order: Order<'_>, image: &[u8], memory: &mut AnyRam) -> Result<Verdict, Failure> {
    let manifest = order.manifest;
    if build(order, memory)? == image {
        return Ok(Verdict::AsBuilt);
    }
    if image.len() != manifest.geometry.flash as usize {
        let sentence = format!("has {} bytes instead of {}", image.len(), manifest.geometry.flash);
        return Ok(Verdict::Wrong(sentence));
    }
    match manifest.suite {
        Suite::Ascon => compare::<Ascon>(order, image, memory),
        Suite::Aes => compare::<Aes>(order, image, memory),
        Suite::Plain => compare::<Plain>(order, image, memory),
    }
}

fn compare<S: Sealing>(order: Order<'_>, image: &[u8], memory: &mut AnyRam) -> Result<Verdict, Failure> {
    let Order { manifest, device, key } = order;
    let (flash, root) = (ImageFlash::new(image, image.len()), SoftRootKey::new(*key));
    // A device in use may be bound to its counter, which is not here: whether the image is the newest is not asked.
    let (part, anchor) = (manifest.geometry.part(), Anchor { root: &root, counter: ReadCounter(None) });
    let ram = memory.with_heads(manifest.heads);
    let mut store = match Store::<_, S, _>::danger_mount_rolled_back(flash, part, anchor, ram) {
        Ok(store) => store,
        Err(error) => return Ok(Verdict::Wrong(error.to_string())),
    };
    store.make_read_only();
    if !store.report().is_sound() {
        return Ok(Verdict::Wrong("is damaged or forged: `lockstone inspect` says where".to_owned()));
    }
    for entry in &manifest.entries {
        let wanted = manifest.value(entry, device)?;
        let name = Key::new(entry.name.as_bytes()).of_client(entry.client);
        let mut found = zeroize::Zeroizing::new(vec![0; wanted.len()]);
        let same = match store.get(name, &mut found) {
            Ok(Some(length)) => length == wanted.len() && *found == *wanted,
            Ok(None) | Err(Error::BufferTooSmall { .. }) => false,
            Err(error) => return Ok(Verdict::Wrong(format!("key {}: {error}", entry.name))),
        };
        if !same {
            return Ok(Verdict::Wrong(format!("key {} is missing or has another value", entry.name)));
        }
    }
    Ok(Verdict::Used)
}
