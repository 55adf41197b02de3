//! Two parts of a firmware that know nothing of each other keep their data in one store, and share one entry of it.
//!
//! The store is behind a `RefCell`, as in a program with one thread; with threads it would be a mutex. Each part gets a
//! handle that the system's boundary made for it, and can't reach anything else.
//!
//! `cargo run -p lockstone --example clients`

use core::cell::RefCell;
use std::error::Error;

use lockstone::{Ascon, Clients, Memory, Part, Quota, Rights, SoftRootKey, Store, buffer_size};
use lockstone_sim::SimFlash;

type Chip = SimFlash<1, 4, 4096>;
type Ram = Memory<16, { buffer_size(1, 4, 4096) + 16 }>;
type Shared<'m> = RefCell<Clients<'m, Chip, Ascon>>;
type Done = Result<(), Box<dyn Error>>;

/// Who is who: known to the boundary alone.
const NETWORK: u32 = 1;
const APPLICATION: u32 = 2;

/// The network stack: keeps its keys, and lets the application see the address.
fn network(store: &Shared<'_>) -> Done {
    let mut all = store.borrow_mut();
    let mut mine = all.client(NETWORK);
    mine.put(b"session", b"a key that is nobody's business")?;
    mine.put(b"address", b"fd00::17")?;
    mine.share(b"address", APPLICATION, Rights::READ)?;
    Ok(())
}

/// The application: has a name of its own for its own session, and reads what it may.
fn application(store: &Shared<'_>) -> Done {
    let mut all = store.borrow_mut();
    let mut mine = all.client(APPLICATION);
    let mut buffer = [0; 64];
    mine.put(b"session", b"another thing altogether")?;
    assert_eq!(mine.get_shared(NETWORK, b"session", &mut buffer)?, None, "as if there were no such key");
    let length = mine.get_shared(NETWORK, b"address", &mut buffer)?.ok_or("nothing shared")?;
    println!("the network's address is {}", str::from_utf8(&buffer[..length])?);
    let mut records = 0;
    while mine.put(format!("record/{records}").as_bytes(), &[0; 64]).is_ok() {
        records += 1;
    }
    println!("the application filled its quota with {records} records");
    Ok(())
}

fn main() -> Done {
    let (root, mut memory) = (SoftRootKey::new([0x42; 32]), Ram::new());
    let chip = Chip::new(16 * 4096, 0xff);
    let store = Store::format(chip, Part::NOR, &root, &mut Identity, &mut memory)?;
    let mut quotas = [Quota::new(APPLICATION, 4000)];
    let store = RefCell::new(Clients::new(store, &mut quotas));
    network(&store)?;
    application(&store)?;
    network(&store)?;
    println!("and the network stack still has room");
    Ok(())
}

/// A device draws its identity from its random generator.
struct Identity;

impl rand_core::TryRng for Identity {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(4)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(4)
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Self::Error> {
        to.fill(4);
        Ok(())
    }
}
