//! Factory reset: some keys return to what the factory wrote, some stay, the rest is gone, all in one step that no older image
//! of the flash undoes.
#![no_std]
#![no_main]

use core::cell::RefCell;

use board::{Failure, Flash, InsecureRandom, PART, Ram, insecure_root_key, println};
use embedded_storage::nor_flash::NorFlash;
use lockstone::trust::{Anchor, NorCounter, NorCounterError, Protection};
use lockstone::{Ascon, Attributes, Clients, Key, OpenError, Put, Store, Volume};

board::program!(reset);

const APPLICATION: u32 = 1;
const SUPPORT: u32 = 2;

/// Two erase blocks for the counter, the rest for the keys. A product has its counter where no attacker writes.
const SIZES: [u32; 2] = [2 * Flash::ERASE_SIZE as u32, board::CAPACITY - 2 * Flash::ERASE_SIZE as u32];

type Counter<'f> = NorCounter<Volume<'f, Flash>>;

/// The factory's bench: makes the counter and an empty store, where neither is yet. It goes on where a power cut ended it.
///
/// A product does this in the factory alone. A blank counter beside a store was erased by somebody, and no new one is made.
#[inline(never)]
fn factory(flash: &RefCell<Flash>, memory: &mut Ram) -> Result<(), Failure> {
    let root = insecure_root_key();
    let [trusted, mut keys] = Volume::split(flash, SIZES)?;
    let is_blank = matches!(Store::<_, Ascon>::mount(&mut keys, PART, &root, memory), Err(OpenError::Blank));
    if !is_blank {
        return Ok(());
    }
    if matches!(Counter::open(trusted, 0xff), Err(NorCounterError::Blank)) {
        let [trusted, _] = Volume::split(flash, SIZES)?;
        Counter::format(trusted, 0xff).map_err(|_| "no counter can be made")?;
        println!("factory: a counter");
    }
    let mut counter = counter(flash)?;
    let (anchor, identity) = (Anchor { root: &root, counter: &mut counter }, &mut InsecureRandom(1));
    drop(Store::<_, Ascon, _>::format_protected(&mut keys, PART, anchor, Protection::Chosen, identity, memory)?);
    println!("factory: a store");
    Ok(())
}

/// The counter; there must be one.
fn counter(flash: &RefCell<Flash>) -> Result<Counter<'_>, Failure> {
    let [trusted, _] = Volume::split(flash, SIZES)?;
    Ok(Counter::open(trusted, 0xff).map_err(|_| "the counter can't be read")?)
}

fn reset() -> Result<(), Failure> {
    let root = insecure_root_key();
    let flash = RefCell::new(board::flash()?);
    let mut memory = Ram::new();
    factory(&flash, &mut memory)?;

    let [_, mut keys] = Volume::split(&flash, SIZES)?;
    let mut counter = counter(&flash)?;
    let anchor = Anchor { root: &root, counter: &mut counter };
    let store = Store::<_, Ascon, _>::mount_protected(&mut keys, PART, anchor, &mut memory)?;
    let mut clients = Clients::new(store, &mut []);
    if clients.client(APPLICATION).length(b"serial")?.is_none() {
        // The last step of the factory, all of it or nothing: whether the serial is there says whether it was taken.
        let [serial, name] = [b"serial" as &[u8], b"name"].map(|name| Key::new(name).of_client(APPLICATION));
        let mut personal = clients.store().transaction(1_000)?;
        personal.put_with(serial, b"LS-000017", Put::with(Attributes::RETAINED))?;
        personal.put_with(name, b"thermostat", Put::with(Attributes::FACTORY))?;
        personal.commit()?;
        println!("factory: a serial number and a name");
    }
    let mut application = clients.client(APPLICATION);
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
