//! Settings of a device as a struct, over a firmware update that changes it.
//!
//! `cargo run -p lockstone --features typed --example settings`

use std::error::Error;

use lockstone::typed::Typed;
use lockstone::{Ascon, Memory, Part, SoftRootKey, Store, buffer_size};
use lockstone_sim::SimFlash;
use serde::{Deserialize, Serialize};

type Chip = SimFlash<1, 4, 4096>;
type Ram = Memory<16, { buffer_size(1, 4, 4096) + 16 }>;

/// What release 1 stores.
#[derive(Debug, Deserialize, Serialize)]
struct SettingsV1<'a> {
    name: &'a str,
    interval_min: u16,
}

impl<'a> Typed<'a> for SettingsV1<'a> {
    const VERSION: u8 = 1;
}

/// What release 2 stores: seconds, and one field more.
#[derive(Debug, Deserialize, Serialize)]
struct Settings<'a> {
    name: &'a str,
    interval_s: u32,
    night_mode: bool,
}

impl<'a> Typed<'a> for Settings<'a> {
    const VERSION: u8 = 2;

    fn upgrade(version: u8, bytes: &'a [u8]) -> Option<Self> {
        if version != 1 {
            return None;
        }
        let SettingsV1 { name, interval_min } = postcard::from_bytes(bytes).ok()?;
        Some(Self { name, interval_s: u32::from(interval_min) * 60, night_mode: false })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = SoftRootKey::new([0x42; 32]);
    let (mut chip, mut memory, mut scratch) = (Chip::new(16 * 4096, 0xff), Ram::new(), [0; 64]);

    let mut store = Store::<_, Ascon>::format(&mut chip, Part::NOR, &root, &mut Identity, &mut memory)?;
    store.put_typed("settings", &SettingsV1 { name: "kitchen", interval_min: 5 }, &mut scratch)?;
    store.close()?;

    // The device comes back with release 2.
    let mut store = Store::<_, Ascon>::mount(&mut chip, Part::NOR, &root, &mut memory)?;
    let settings: Settings<'_> = store.get_typed("settings", &mut scratch)?.ok_or("no settings")?;
    println!("read with release 2: {settings:?}");
    let changed = Settings { name: "kitchen", interval_s: 45, night_mode: true };
    store.put_typed("settings", &changed, &mut [0; 64])?;

    // A release 1 that comes back by a downgrade is told, and changes nothing.
    let mut scratch = [0; 64];
    let refused = store.get_typed::<SettingsV1<'_>>("settings", &mut scratch);
    println!("read with release 1: {}", refused.expect_err("version 2 is not for release 1"));
    Ok(())
}

/// Identities only have to differ between devices; a real one comes from a random generator.
struct Identity;

impl rand_core::TryRng for Identity {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(1)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(1)
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Self::Error> {
        target.fill(1);
        Ok(())
    }
}
