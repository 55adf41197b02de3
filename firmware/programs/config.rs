//! Settings that change ten times a day for 20 years, compressed, and what the flash has to say to that.
#![no_std]
#![no_main]

use board::{Failure, PART, Ram, insecure_root_key, open, println};
use lockstone::Ascon;

board::program!(settings);

const CHANGES: u32 = 10 * 365 * 20;
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

fn settings() -> Result<(), Failure> {
    let (root, mut flash) = (insecure_root_key(), board::flash()?);
    let mut memory = Ram::new();
    let mut store = open::<_, Ascon, _, _>(&mut flash, PART, &root, &mut memory)?;
    let (mut value, mut number) = ([0; 24], [0; 4]);
    store.get("changes", &mut number)?; // nothing yet: 0
    let done = u32::from_le_bytes(number);
    for change in done + 1..=CHANGES {
        value[..4].copy_from_slice(&change.to_le_bytes());
        store.put(NAMES[change as usize % NAMES.len()], &value)?;
        if change.is_multiple_of(1_000) {
            store.put("changes", &change.to_le_bytes())?;
        }
    }
    for (index, name) in (0..).zip(NAMES) {
        if store.get_range(name, 0, &mut number)? != Some(number.len()) {
            return Err("a setting is gone".into());
        }
        let newest = u32::from_le_bytes(number);
        if newest != CHANGES - 10 + if index == 0 { 10 } else { index } {
            return Err("not the newest value".into());
        }
    }
    let stats = store.stats()?;
    let years = 20 * ENDURANCE / stats.erases_max;
    println!("{CHANGES} changes of {} settings, the newest of each is there", NAMES.len());
    println!(
        "{} to {} erases a segment: flash of {ENDURANCE} erases lasts {years} years",
        stats.erases_min, stats.erases_max
    );
    Ok(())
}
