//! Factory reset: some keys return to what the factory wrote, some stay, the rest is gone, all in one step that no older image
//! of the flash undoes.
#![no_std]
#![no_main]

use core::cell::RefCell;

use board::{Failure, Flash, InsecureRandom, PART, Ram, insecure_root_key, println};
use embedded_storage::nor_flash::NorFlash;
use lockstone::trust::{Anchor, NorCounter, NorCounterError, Protection};
use lockstone::{Ascon, Attributes, Clients, OpenError, Put, Store, Volume};

board::program!(reset);

const APPLICATION: u32 = 1;
const SUPPORT: u32 = 2;

/// Two erase blocks for the counter, the rest for the keys. A product has its counter where no attacker writes.
const SIZES: [u32; 2] = [2 * Flash::ERASE_SIZE as u32, board::CAPACITY - 2 * Flash::ERASE_SIZE as u32];

type Counter<'f> = NorCounter<Volume<'f, Flash>>;

/// The counter; the factory makes it, once.
fn counter(flash: &RefCell<Flash>) -> Result<Counter<'_>, Failure> {
    let [trusted, _] = Volume::split(flash, SIZES)?;
    match Counter::open(trusted, 0xff) {
        Ok(counter) => Ok(counter),
        Err(NorCounterError::Blank) => {
            let [trusted, _] = Volume::split(flash, SIZES)?;
            Ok(Counter::format(trusted, 0xff).map_err(|_| "no counter can be made")?)
        }
        Err(_) => Err("the counter can't be read".into()),
    }
}

fn reset() -> Result<(), Failure> {
    let root = insecure_root_key();
    let flash = RefCell::new(board::flash()?);
    let [_, mut keys] = Volume::split(&flash, SIZES)?;
    let mut counter = counter(&flash)?;
    let mut memory = Ram::new();
    let anchor = Anchor { root: &root, counter: &mut counter };
    let mounted = Store::<_, Ascon, _>::mount_protected(&mut keys, PART, anchor, &mut memory);
    let is_new = matches!(mounted, Err(OpenError::Blank));
    drop(mounted);
    let anchor = Anchor { root: &root, counter: &mut counter };
    let store = if is_new {
        println!("leaves the factory");
        let identity = &mut InsecureRandom(1);
        Store::<_, Ascon, _>::format_protected(&mut keys, PART, anchor, Protection::Chosen, identity, &mut memory)?
    } else {
        Store::mount_protected(&mut keys, PART, anchor, &mut memory)?
    };

    let mut clients = Clients::new(store, &mut []);
    let mut application = clients.client(APPLICATION);
    if is_new {
        application.put_with(b"serial", b"LS-000017", Put::with(Attributes::RETAINED))?;
        application.put_with(b"name", b"thermostat", Put::with(Attributes::FACTORY))?;
    }
    // What its owner does with it.
    application.put(b"name", b"living room")?;
    application.put(b"wifi", b"correct horse")?;

    // Only a client with the right may reset, and it resets all of them.
    if clients.client(SUPPORT).factory_reset().is_ok() {
        return Err("reset without the right".into());
    }
    clients.client_with_reset(SUPPORT).factory_reset()?;

    let (mut application, mut value) = (clients.client(APPLICATION), [0; 32]);
    for name in ["serial", "name", "wifi"] {
        match application.get(name.as_bytes(), &mut value)? {
            Some(length) => println!("{name}: {}", str::from_utf8(&value[..length])?),
            None => println!("{name}: nothing"),
        }
    }
    let steps = clients.store().counter_state().map_or(0, |state| state.value);
    println!("the counter stands at {steps}");
    Ok(())
}
