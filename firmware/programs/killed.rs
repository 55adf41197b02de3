//! Writes until it is killed, and says what is stored: for the test that ends the emulator in the midst of a write.
//!
//! `there KEY VALUE` for all keys at the start, `erases MIN MAX` of a segment, `ready`, and then `stored KEY VALUE` whenever a
//! put has returned.
#![no_std]
#![no_main]

use board::timed::Timed;
use board::{Failure, Flash, PART, Ram, insecure_root_key, open, println};
use embedded_storage::nor_flash::NorFlash;
use lockstone::Ascon;

board::program!(write);

const KEYS: u32 = 16;
/// A small part, so that the log goes round it and most kills are not far from an erase.
const BLOCKS: usize = 6;

fn write() -> Result<(), Failure> {
    let root = insecure_root_key();
    let mut flash = Timed::new(board::flash()?, 0, 0).front(BLOCKS * Flash::ERASE_SIZE);
    let mut memory = Ram::new();
    let mut store = open::<_, Ascon, _, _>(&mut flash, PART, &root, &mut memory)?;
    let (mut value, mut newest) = ([0; 100], 0);
    for key in 0..KEYS {
        if store.get(&key.to_le_bytes()[..], &mut value)?.is_some() {
            let [a, b, c, d, rest @ ..] = value;
            let number = u32::from_le_bytes([a, b, c, d]);
            if rest.iter().any(|byte| *byte != a) {
                return Err("a value is not whole".into());
            }
            println!("there {key} {number}");
            newest = newest.max(number);
        }
    }
    let stats = store.stats()?;
    println!("erases {} {}", stats.erases_min, stats.erases_max);
    println!("ready");
    for number in newest + 1.. {
        let key = number % KEYS;
        value.fill(number.to_le_bytes()[0]);
        value[..4].copy_from_slice(&number.to_le_bytes());
        store.put(&key.to_le_bytes()[..], &value)?;
        println!("stored {key} {number}");
    }
    Ok(())
}
