//! Build: from a manifest and the name of a device to the bytes of its flash, the same each time.
//!
//! ```text
//! root key of a device = derive( batch secret, "lockstone factory root key" | name )
//! identity of its store = derive( root key of the device, "lockstone factory store id" | suite, sizes, all keys )[8]
//! ```
//!
//! Everything else that a store writes follows from its key, its identity and the calls made. What differs in any key
//! is another store, so that no two of them are sealed alike.

use core::convert::Infallible;

use lockstone::seal::Suite as Sealing;
use lockstone::trust::RootKey;
use lockstone::{Aes, Ascon, Error, Key, OpenError, Plain, SoftRootKey, Store};
use zeroize::Zeroizing;

use super::manifest::Manifest;
use crate::device::Chip;
use crate::device::{AnyRam, Suite};
use crate::exit::Failure;
use lockstone_sim::SimError;

/// Root key of a device of a batch.
pub(crate) fn device_key(secret: &[u8; 32], device: &str) -> Result<Zeroizing<[u8; 32]>, Failure> {
    derive(secret, &[b"lockstone factory root key", device.as_bytes()].concat())
}

fn derive(secret: &[u8; 32], label: &[u8]) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut key = Zeroizing::new([0; 32]);
    let derived = SoftRootKey::new(*secret).derive(label, &mut key);
    derived.map_err(|_| Failure::from(OpenError::<SimError>::RootKey))?;
    Ok(key)
}

/// A device that is made, or was.
#[derive(Clone, Copy)]
pub(crate) struct Order<'o> {
    pub(crate) manifest: &'o Manifest,
    /// Its name; empty for one image.
    pub(crate) device: &'o str,
    pub(crate) key: &'o [u8; 32],
}

/// The content of the flash of one device.
pub(crate) fn build(order: Order<'_>, memory: &mut AnyRam) -> Result<Vec<u8>, Failure> {
    match order.manifest.suite {
        Suite::Ascon => build_sealed::<Ascon>(order, memory),
        Suite::Aes => build_sealed::<Aes>(order, memory),
        Suite::Plain => build_sealed::<Plain>(order, memory),
    }
}

fn build_sealed<S: Sealing>(order: Order<'_>, memory: &mut AnyRam) -> Result<Vec<u8>, Failure> {
    let Order { manifest, device, key } = order;
    let flash = Chip::new(manifest.geometry.flash as usize, 0xff);
    let root = SoftRootKey::new(*key);
    let mut values = Vec::new();
    for entry in &manifest.entries {
        values.push(manifest.value(entry, device)?);
    }
    let mut identity = Identity(*derive(key, &label(manifest, &values))?);
    let mut store = Store::<_, S>::format_in(
        flash,
        manifest.geometry.part(),
        &root,
        &mut identity,
        memory.with_heads(manifest.heads),
    )?;
    for (entry, value) in manifest.entries.iter().zip(&values) {
        let name = Key::new(entry.name.as_bytes()).of_client(entry.client);
        store.put(name, value).map_err(|error| about(&entry.name, value.len(), error))?;
    }
    Ok(store.close()?.data().to_vec())
}

/// All that makes the image what it is. Lengths stand before what they measure.
fn label(manifest: &Manifest, values: &[Zeroizing<Vec<u8>>]) -> Zeroizing<Vec<u8>> {
    let mut label = Zeroizing::new(b"lockstone factory store id".to_vec());
    let geometry = manifest.geometry;
    label.push(manifest.suite.id());
    let heads = u32::try_from(manifest.heads).unwrap_or(u32::MAX);
    [geometry.flash, geometry.block, geometry.write, heads].iter().for_each(|size| label.extend(size.to_le_bytes()));
    for (entry, value) in manifest.entries.iter().zip(values) {
        label.extend(entry.client.to_le_bytes());
        for bytes in [entry.name.as_bytes(), value] {
            label.extend((bytes.len() as u64).to_le_bytes());
            label.extend(bytes);
        }
    }
    label
}

fn about(name: &str, length: usize, error: Error<SimError>) -> Failure {
    let failure = Failure::from(error);
    let sentence = format!("key {name} of {length} bytes: {}", failure.sentence());
    Failure::new(failure.exit, sentence)
}

/// What a store draws when it is formatted: its identity, and nothing else.
struct Identity([u8; 32]);

impl rand_core::TryRng for Identity {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        target.iter_mut().zip(self.0.iter().cycle()).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}
