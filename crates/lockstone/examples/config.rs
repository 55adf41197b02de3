//! Settings that change ten times a day for 20 years, and what the flash has to say to that. The same on a chip:
//! `firmware/programs/config.rs`.
//!
//! `cargo run --release -p lockstone --example config`

use std::error::Error;

use lockstone::{Ascon, Memory, Part, SoftRootKey, Store, buffer_size};
use lockstone_sim::SimFlash;
use lockstone_torture::Random;

type Chip = SimFlash<1, 4, 4096>;
type Ram = Memory<16, { buffer_size(1, 4, 4096) + 64 }>;

const DAYS: u32 = 20 * 365;
const NAMES: [&str; 10] = [
    "wifi/ssid",
    "wifi/psk",
    "mqtt/host",
    "mqtt/topic",
    "tz",
    "volume",
    "interval",
    "calibration",
    "owner",
    "language",
];
/// What NOR flash is good for, at least.
const ENDURANCE: u32 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let (root, mut chip, mut memory) = (SoftRootKey::new([0x42; 32]), Chip::new(64 * 4096, 0xff), Ram::new());
    let mut store = Store::<_, Ascon>::format(&mut chip, Part::NOR, &root, &mut Random(1), &mut memory)?;
    let mut value = [0; 24];
    for day in 1..=DAYS {
        for name in NAMES {
            value[..4].copy_from_slice(&day.to_le_bytes());
            store.put(name, &value)?;
        }
    }
    for name in NAMES {
        store.get(name, &mut value)?;
        assert_eq!(value[..4], DAYS.to_le_bytes(), "{name} is not the newest");
    }
    let most = store.stats()?.erases_max;
    let (changes, years) = (10 * DAYS, 20 * ENDURANCE / most);
    println!("{changes} changes, at most {most} erases a segment: flash of {ENDURANCE} erases lasts {years} years");
    assert!(years > 100, "a rounding error is smaller");
    Ok(())
}
