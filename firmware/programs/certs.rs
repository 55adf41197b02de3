//! A certificate store: a chain of certificates and the key that belongs to it, replaced together or not at all.
#![no_std]
#![no_main]

use board::{Failure, PART, Ram, insecure_root_key, open, println};
use lockstone::Ascon;

board::program!(certificates);

/// Names and lengths of what a TLS client keeps.
const CHAIN: [(&str, usize); 4] =
    [("ca/root", 1_400), ("ca/issuing", 1_150), ("device/cert", 900), ("device/key", 121)];

fn certificates() -> Result<(), Failure> {
    let (root, mut flash) = (insecure_root_key(), board::flash()?);
    let mut memory = Ram::new();
    let mut store = open::<_, Ascon, _, _>(&mut flash, PART, &root, &mut memory)?;
    let mut piece = [0; 64];
    let generation = store.get_range("device/key", 0, &mut piece)?.map_or(1, |_| piece[0] + 1);

    // A new chain: all of it appears at once, when the commit returns. It is no secret here; a product wipes what held its key
    // with the crate `zeroize`, as the compiler removes writes to a variable that nobody reads any more.
    let value = [generation; 1_400];
    let mut renewal = store.transaction(6_000)?;
    for (name, length) in CHAIN {
        renewal.put(name, &value[..length])?;
    }
    renewal.commit()?;

    // A TLS stack reads a certificate in pieces, into what little RAM it has.
    for (name, length) in CHAIN {
        let mut read = 0;
        while let Some(count) = store.get_range(name, read, &mut piece)?.filter(|count| *count > 0) {
            if piece[..count].iter().any(|byte| *byte != generation) {
                return Err("a piece of another chain".into());
            }
            read += count as u32;
        }
        println!("{name}: {read} of {length} bytes, generation {generation}");
    }
    Ok(())
}
