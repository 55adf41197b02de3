//! A boot counter that survives power cuts, on a simulated flash chip.
//!
//! `cargo run -p lockstone --example boot_counter`

use core::convert::Infallible;
use std::error::Error;

use lockstone::{Ascon, Memory, Part, SoftRootKey, Store, buffer_size};
use lockstone_sim::{SimFlash, Tear};

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

/// Formats a chip once, then starts the device 1,000 times, with the power cut at ever other moments.
pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let root = SoftRootKey::new([0x5a; 32]); // a device has it in fuses, a TPM, a TEE
    let mut flash = Chip::new(16 * 4096, 0xff);
    Store::<_, Ascon>::format(&mut flash, Part::NOR, &root, &mut Dice, &mut Ram::new())?;

    let (mut last, mut cuts) = (0, 0);
    for (start, tear) in (0..1_000).zip(Tear::ALL.into_iter().cycle()) {
        flash.cut_at(start % 7, tear);
        match boot(&mut flash, &root) {
            // A count that was cut may be there all the same: a number can be skipped, none comes twice.
            Ok(boots) => {
                assert!(boots > last, "an acknowledged start was lost");
                last = boots;
            }
            Err(error) => assert!(flash.is_cut(), "{error}"),
        }
        cuts += u32::from(flash.is_cut());
        flash.cancel_cut();
        flash.power_on();
    }
    println!("1,000 starts, {cuts} of them cut, counted to {last}: no acknowledged start was lost");
    Ok(())
}

/// The identity of a store is drawn when it is formatted. A toy: a device takes its hardware's generator.
struct Dice;

impl rand_core::TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(4)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(4)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(4);
        Ok(())
    }
}
