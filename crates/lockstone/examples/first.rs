//! The program that README.md begins with: it formats a simulated chip, and starts a device three times.
//!
//! `cargo run -p lockstone --example first`

use std::error::Error;

use lockstone::{Ascon, Memory, Part, SoftRootKey, Store, buffer_size};
use lockstone_sim::SimFlash;

/// Blocks of 4 KiB, a program unit of 4 bytes; any `NorFlash` of `embedded-storage` will do.
type Chip = SimFlash<1, 4, 4096>;
/// 16 bucket heads, a buffer for the longest record on such a chip, and one byte for each of 16 segments.
type Ram = Memory<16, { buffer_size(1, 4, 4096) + 16 }>;

/// What the device does at each start: counts.
fn boot(flash: &mut Chip, root: &SoftRootKey) -> Result<u32, Box<dyn Error>> {
    let mut memory = Ram::new();
    let mut store = Store::<_, Ascon>::mount(flash, Part::NOR, root, &mut memory)?;
    let mut count = [0; 4];
    store.get("boots", &mut count)?; // nothing there at the first start: the count stays 0
    let boots = u32::from_le_bytes(count) + 1;
    store.put("boots", &boots.to_le_bytes())?; // it returned: no power cut takes it back
    Ok(boots)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let root = SoftRootKey::new([0x5a; 32]); // a device has it in fuses, a TPM, a TEE
    let mut flash = Chip::new(16 * 4096, 0xff);
    Store::<_, Ascon>::format(&mut flash, Part::NOR, &root, &mut getrandom::SysRng, &mut Ram::new())?;
    (0..3).try_for_each(|_| boot(&mut flash, &root).map(|boots| println!("start {boots}")))
}
