//! Factory reset: some keys return to what the factory wrote, some stay, the rest is gone, in one step that no older image of
//! the flash undoes. The same on a chip: `firmware/programs/factory_reset.rs`.
//!
//! `cargo run -p lockstone --example factory_reset`

use std::error::Error;

use lockstone::trust::{Anchor, NorCounter, Protection};
use lockstone::{Ascon, Attributes, Clients, Memory, OpenError, Part, Put, SoftRootKey, Store, buffer_size};
use lockstone_sim::SimFlash;
use lockstone_torture::Random;

type Chip = SimFlash<1, 4, 4096>;
/// Two blocks on the chip, which no attacker can write.
type Trusted = SimFlash<4, 4, 1024>;
type Ram = Memory<16, { buffer_size(1, 4, 4096) + 16 }>;
type Device<'m> = Clients<'m, &'m mut Chip, Ascon, &'m mut NorCounter<Trusted>>;

const APPLICATION: u32 = 1;
const SUPPORT: u32 = 2;

/// What the factory writes.
fn factory(device: &mut Device<'_>) -> Result<(), Box<dyn Error>> {
    let mut application = device.client(APPLICATION);
    application.put_with(b"serial", b"LS-000017", Put::with(Attributes::RETAINED))?;
    Ok(application.put_with(b"name", b"thermostat", Put::with(Attributes::FACTORY))?)
}

/// What is there, in words.
fn shown(device: &mut Device<'_>) -> Result<String, Box<dyn Error>> {
    let (mut application, mut value) = (device.client(APPLICATION), [0; 32]);
    let mut text = String::new();
    for name in ["serial", "name", "wifi"] {
        let length = application.get(name.as_bytes(), &mut value)?;
        let value = length.map_or(Ok("nothing"), |length| str::from_utf8(&value[..length]))?;
        text += &format!("{name}: {value}; ");
    }
    Ok(text)
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = SoftRootKey::new([0x42; 32]);
    let mut chip = Chip::new(16 * 4096, 0xff);
    let mut counter = NorCounter::format(Trusted::new(2 * 1024, 0xff), 0xff).map_err(|_| "no counter can be made")?;
    let mut memory = Ram::new();
    let anchor = Anchor { root: &root, counter: &mut counter };
    let (protection, identity) = (Protection::Chosen, &mut Random(1));
    let store = Store::format_protected(&mut chip, Part::NOR, anchor, protection, identity, &mut memory)?;
    let mut device = Clients::new(store, &mut []);
    factory(&mut device)?;

    // What its owner does with it.
    device.client(APPLICATION).put(b"name", b"living room")?;
    device.client(APPLICATION).put(b"wifi", b"correct horse")?;
    println!("in use:      {}", shown(&mut device)?);
    let in_use = device.store().flash().data().to_vec();

    // Only a client with the right may reset, and it resets all of them.
    assert!(device.client(SUPPORT).factory_reset().is_err(), "reset without the right");
    device.client_with_reset(SUPPORT).factory_reset()?;
    let after = shown(&mut device)?;
    println!("after reset: {after}");
    assert_eq!(after, "serial: LS-000017; name: thermostat; wifi: nothing; ");

    // The flash as it was before: refused.
    drop(device);
    chip.restore(&in_use);
    let anchor = Anchor { root: &root, counter: &mut counter };
    let refused = Store::<_, Ascon, _>::mount_protected(&mut chip, Part::NOR, anchor, &mut memory);
    assert!(matches!(refused, Err(OpenError::RolledBack)), "an older image was accepted");
    println!("an older image of the flash is refused");
    Ok(())
}
