//! Everything at once, on the smallest chip: a sealed store with a counter, clients with quotas and shares, transactions, a certificate,
//! a firmware update that is installed and verified, and a factory reset. What that takes of RAM is the figure of this program.
#![no_std]
#![no_main]

use core::cell::RefCell;

use board::{Failure, Flash, InsecureRandom, PART, Ram, insecure_root_key, println};
use embedded_storage::nor_flash::NorFlash;
use lockstone::trust::{Anchor, NorCounter, NorCounterError, Protection};
use lockstone::{
    Ascon, Attributes, Clients, Cursor, InstallError, Key, Objects, OpenError, Put, Quota, Rights, Slot, Store, Volume,
};
use sha2::{Digest, Sha256};

board::program!(start);

const APPLICATION: u32 = 1;
const NETWORK: u32 = 2;
const SUPPORT: u32 = 3;

/// The counter, keys, objects, and the code that runs. A product has its counter where no attacker writes.
const SIZES: [u32; 4] = {
    let block = Flash::ERASE_SIZE as u32;
    let counter = 2 * block;
    let (objects, code) = (20 * block, 12 * block);
    [counter, board::CAPACITY - counter - objects - code, objects, code]
};

const PIECE: usize = 512;
const PIECES: usize = 16;
const LENGTH: u32 = (PIECES * PIECE) as u32;

type Area<'f> = Volume<'f, Flash>;
type Counter<'f> = NorCounter<Area<'f>>;
type Keys<'a, 'f> = Store<'a, &'a mut Area<'f>, Ascon, &'a mut Counter<'f>>;
type Updates<'a, 'f> = Objects<'a, Area<'f>, Ascon>;
type Code<'f> = Slot<Area<'f>>;

/// The factory's bench: a counter, an empty store, and what belongs to this device, each where it is not yet.
#[inline(never)]
fn factory(flash: &RefCell<Flash>, memory: &mut Ram) -> Result<(), Failure> {
    let root = insecure_root_key();
    let [trusted, mut keys, ..] = Volume::split(flash, SIZES)?;
    if !matches!(Store::<_, Ascon>::mount(&mut keys, PART, &root, memory), Err(OpenError::Blank)) {
        return Ok(());
    }
    if matches!(Counter::open(trusted, 0xff), Err(NorCounterError::Blank)) {
        let [trusted, ..] = Volume::split(flash, SIZES)?;
        Counter::format(trusted, 0xff).map_err(|_| "no counter can be made")?;
    }
    let mut counter = counter(flash)?;
    let (anchor, identity) = (Anchor { root: &root, counter: &mut counter }, &mut InsecureRandom(1));
    let mut store =
        Store::<_, Ascon, _>::format_protected(&mut keys, PART, anchor, Protection::Chosen, identity, memory)?;
    let [serial, name] = [b"serial" as &[u8], b"name"].map(|name| Key::new(name).of_client(APPLICATION));
    let mut personal = store.protected_transaction(1_000)?;
    personal.put_with(serial, b"LS-000017", Put::with(Attributes::RETAINED.and(Attributes::WRITE_ONCE)))?;
    personal.put_with(name, b"thermostat", Put::with(Attributes::FACTORY))?;
    personal.commit()?;
    println!("factory: done");
    Ok(())
}

/// The counter; there must be one.
fn counter(flash: &RefCell<Flash>) -> Result<Counter<'_>, Failure> {
    let [trusted, ..] = Volume::split(flash, SIZES)?;
    Ok(Counter::open(trusted, 0xff).map_err(|_| "the counter can't be read")?)
}

/// What the server sends.
fn piece(number: usize) -> [u8; PIECE] {
    core::array::from_fn(|index| ((number * PIECE + index) / 3) as u8)
}

/// What the server signed: the digest that the update must have.
#[inline(never)]
fn expected() -> [u8; 32] {
    (0..PIECES).fold(Sha256::new(), |hash, number| hash.chain_update(piece(number))).finalize().into()
}

/// The boot loader: when this returns, the slot holds what it should.
#[inline(never)]
fn boot<'f>(store: &mut Keys<'_, 'f>, objects: &mut Updates<'_, 'f>, slot: &mut Code<'f>) -> Result<bool, Failure> {
    match objects.install::<Sha256, _, _, _>(store, slot, |_, _| {}) {
        Ok(installed) => println!("boot loader: {} bytes, as signed", installed.length),
        Err(InstallError::NothingRequested) => println!("boot loader: nothing to install"),
        Err(error) => return Err(error.into()),
    }
    if objects.slot_state(store, slot)?.is_none() {
        return Ok(false);
    }
    objects.confirm_install::<Sha256, _, _, _>(store, slot, false)?;
    Ok(true)
}

/// Takes half of the pieces, out of order; with the last of them asks for the install.
#[inline(never)]
fn update<'f>(store: &mut Keys<'_, 'f>, objects: &mut Updates<'_, 'f>, slot: &mut Code<'f>) -> Result<(), Failure> {
    let mut ram = [0; 600];
    let mut upload = match objects.resume(store, "firmware", &mut ram)? {
        Some(upload) => upload,
        None => objects.create(store, "firmware", Some(LENGTH), &mut InsecureRandom(1), &mut ram)?,
    };
    let first = upload.present() as usize / PIECE;
    for turn in first..first + PIECES / 2 {
        let number = turn * 7 % PIECES;
        objects.write(store, &mut upload, (number * PIECE) as u32, &piece(number))?;
    }
    println!("update: {} of {LENGTH} bytes", upload.present());
    if upload.next_missing(0).is_none() {
        objects.finish::<Sha256, _, _>(store, &mut upload, "firmware", Some(&expected()), Put::PROTECTED)?;
        objects.request_install::<Sha256, _, _, _>(store, "firmware", slot, false)?;
        println!("update: as signed, to be installed");
    }
    Ok(())
}

/// A certificate and its key, renewed together or not at all.
#[inline(never)]
fn renew(store: &mut Keys<'_, '_>) -> Result<(), Failure> {
    let mut piece = [0; 64];
    let generation = store.get_range("device/key", 0, &mut piece)?.map_or(1, |_| piece[0] + 1);
    let mut renewal = store.transaction(2_000)?;
    renewal.put("device/cert", &[generation; 900])?;
    renewal.put("device/key", &[generation; 121])?;
    renewal.commit()?;
    let mut read = 0;
    while let Some(count) = store.get_range("device/cert", read, &mut piece)?.filter(|count| *count > 0) {
        if piece[..count].iter().any(|byte| *byte != generation) {
            return Err("a piece of another certificate".into());
        }
        read += count as u32;
    }
    println!("certificate: {read} bytes, generation {generation}");
    Ok(())
}

/// Clients, their quotas, what they share, and how many keys each has.
#[inline(never)]
fn share(clients: &mut Clients<'_, &mut Area<'_>, Ascon, &mut Counter<'_>>) -> Result<(), Failure> {
    let mut value = [0; 32];
    let mut network = clients.client(NETWORK);
    network.put(b"address", b"fd00::17")?;
    network.share(b"address", APPLICATION, Rights::READ)?;
    let mut mine = 0_u8;
    while network.put(&[mine], &[mine; 32]).is_ok() {
        mine += 1;
    }
    if mine > 20 {
        return Err("the quota does not hold".into());
    }
    let mut application = clients.client(APPLICATION);
    application.put(b"wifi", b"correct horse")?;
    application.put_with(b"minimum", b"8", Put::PROTECTED)?;
    let seen = application.get_shared(NETWORK, b"address", &mut value)?.ok_or("nothing is shared")?;
    println!("application: sees {}", str::from_utf8(&value[..seen])?);
    let (mut cursor, mut name, mut keys) = (Cursor::default(), [0; 255], 0);
    while application.next_key(&mut cursor, b"", &mut name)?.is_some() {
        keys += 1;
    }
    println!("application: {keys} keys; network: {mine} in its quota");
    for number in 0..mine {
        clients.client(NETWORK).delete(&[number])?;
    }
    Ok(())
}

/// Back to what the factory wrote, by right only.
#[inline(never)]
fn reset(clients: &mut Clients<'_, &mut Area<'_>, Ascon, &mut Counter<'_>>) -> Result<(), Failure> {
    if clients.client(SUPPORT).factory_reset().is_ok() {
        return Err("reset without the right".into());
    }
    clients.client(APPLICATION).put(b"name", b"living room")?;
    clients.client_with_reset(SUPPORT).factory_reset()?;
    let (mut application, mut value) = (clients.client(APPLICATION), [0; 32]);
    for name in ["serial", "name", "wifi"] {
        match application.get(name.as_bytes(), &mut value)? {
            Some(length) => println!("after the reset: {name} {}", str::from_utf8(&value[..length])?),
            None => println!("after the reset: no {name}"),
        }
    }
    Ok(())
}

/// What has objects: their buffer is not on the stack while clients work.
#[inline(never)]
fn firmware<'f>(flash: &'f RefCell<Flash>, store: &mut Keys<'_, 'f>) -> Result<bool, Failure> {
    let [_, _, objects, code] = Volume::split(flash, SIZES)?;
    let mut buffer = [0; 600];
    let mut objects = Objects::<_, Ascon>::open(objects, PART, store, &mut buffer)?;
    let mut slot = Slot::new(code, PART, 0)?;
    let is_installed = boot(store, &mut objects, &mut slot)?;
    if !is_installed {
        update(store, &mut objects, &mut slot)?;
    }
    Ok(is_installed)
}

fn start() -> Result<(), Failure> {
    let (root, flash) = (insecure_root_key(), RefCell::new(board::flash()?));
    let mut memory = Ram::new();
    factory(&flash, &mut memory)?;

    let [_, mut keys, ..] = Volume::split(&flash, SIZES)?;
    let mut counter = counter(&flash)?;
    let anchor = Anchor { root: &root, counter: &mut counter };
    let mut store = Store::<_, Ascon, _>::mount_protected(&mut keys, PART, anchor, &mut memory)?;
    let is_installed = firmware(&flash, &mut store)?;
    renew(&mut store)?;
    let mut quotas = [Quota::new(NETWORK, 700)];
    let mut clients = Clients::new(store, &mut quotas);
    share(&mut clients)?;
    if is_installed {
        reset(&mut clients)?;
        clients.store().scrub(|_, _| {})?;
    }
    let steps = clients.store().counter_state().map_or(0, |state| state.value);
    println!("the counter stands at {steps}");
    Ok(())
}
