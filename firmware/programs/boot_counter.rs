//! A boot counter that survives power cuts: the one of README.md, on a chip.
#![no_std]
#![no_main]

use board::{Failure, InsecureRandom, PART, Ram, insecure_root_key, println};
use lockstone::{Ascon, OpenError, Store};

board::program!(boot);

/// What the device does at each start: counts.
fn boot() -> Result<(), Failure> {
    let (root, mut flash) = (insecure_root_key(), board::flash()?);
    let mut memory = Ram::new();
    if matches!(Store::<_, Ascon>::mount(&mut flash, PART, &root, &mut memory), Err(OpenError::Blank)) {
        Store::<_, Ascon>::format(&mut flash, PART, &root, &mut InsecureRandom(1), &mut memory)?; // and nothing else is
    }
    let mut store = Store::<_, Ascon>::mount(&mut flash, PART, &root, &mut memory)?;
    let mut count = [0; 4];
    store.get("boots", &mut count)?; // nothing there at the first start: the count stays 0
    let boots = u32::from_le_bytes(count) + 1;
    store.put("boots", &boots.to_le_bytes())?; // it returned: no power cut takes it back
    println!("boot {boots}");
    Ok(())
}
