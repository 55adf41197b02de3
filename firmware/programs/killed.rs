//! Writes until it is killed, and says what is stored: for the test that ends the emulator in the midst of a write.
//!
//! `there KEY VALUE` for all keys at the start, then `stored KEY VALUE` whenever a put has returned.
#![no_std]
#![no_main]

use board::{Failure, PART, Ram, insecure_root_key, open, println};
use lockstone::Ascon;

board::program!(write);

const KEYS: u32 = 16;

fn write() -> Result<(), Failure> {
    let (root, mut flash) = (insecure_root_key(), board::flash()?);
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
