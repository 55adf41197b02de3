//! A certificate store: a chain of certificates and the key that belongs to it, replaced together or not at all, whenever
//! power goes. The same on a chip: `firmware/programs/certs.rs`.
//!
//! `cargo run -p lockstone --example certs`

use std::error::Error;

use lockstone::{Ascon, Memory, Part, SoftRootKey, Store, buffer_size};
use lockstone_sim::{SimFlash, Tear};
use lockstone_torture::Random;

type Chip = SimFlash<1, 4, 4096>;
type Ram = Memory<16, { buffer_size(1, 4, 4096) + 16 }>;

/// Names and lengths of what a TLS client keeps.
const CHAIN: [(&str, usize); 4] =
    [("ca/root", 1_400), ("ca/issuing", 1_150), ("device/cert", 900), ("device/key", 121)];

/// Puts a new chain: all of it appears at once, when the commit returns.
fn renew(chip: &mut Chip, root: &SoftRootKey, generation: u8) -> Result<(), Box<dyn Error>> {
    let mut memory = Ram::new();
    let mut store = Store::<_, Ascon>::mount(chip, Part::NOR, root, &mut memory)?;
    let mut renewal = store.transaction(6_000)?;
    for (name, length) in CHAIN {
        renewal.put(name, &vec![generation; length])?;
    }
    Ok(renewal.commit()?)
}

/// The generation of the chain, if all of it is there and of one piece.
fn generation(chip: &mut Chip, root: &SoftRootKey) -> Result<u8, Box<dyn Error>> {
    let mut memory = Ram::new();
    let mut store = Store::<_, Ascon>::mount(chip, Part::NOR, root, &mut memory)?;
    let mut all = Vec::new();
    for (name, length) in CHAIN {
        let mut value = vec![0; length];
        assert_eq!(store.get(name, &mut value)?, Some(length), "{name} is whole");
        all.extend(value);
    }
    assert!(all.iter().all(|byte| *byte == all[0]), "certificates of two chains");
    Ok(all[0])
}

fn main() -> Result<(), Box<dyn Error>> {
    let (root, mut chip) = (SoftRootKey::new([0x42; 32]), Chip::new(16 * 4096, 0xff));
    Store::<_, Ascon>::format(&mut chip, Part::NOR, &root, &mut Random(1), &mut Ram::new())?;
    renew(&mut chip, &root, 1)?;
    let (mut present, mut cuts) = (1, 0);
    for (next, tear) in (2..200).zip(Tear::ALL.into_iter().cycle()) {
        chip.cut_at(u64::from(next % 70), tear);
        let renewed = renew(&mut chip, &root, next);
        let is_cut = chip.is_cut();
        cuts += u32::from(is_cut);
        chip.cancel_cut();
        chip.power_on();
        let found = generation(&mut chip, &root)?;
        match renewed {
            Ok(()) => assert_eq!(found, next, "an acknowledged chain was lost"),
            Err(error) if !is_cut => return Err(error),
            Err(_) => assert!(found == present || found == next, "neither the old chain nor the new one"),
        }
        present = found;
    }
    println!("198 new chains, {cuts} of them cut: always one chain, whole");
    assert!((100..190).contains(&cuts), "too few cuts, or too many, to show anything");
    Ok(())
}
