//! A firmware update over a bad line: pieces in any order, a restart in the middle, then the boot loader installs it in a slot.
//!
//! Three starts: the first gets half of the pieces, the second the rest and asks for the install, the third boots the new code.
#![no_std]
#![no_main]

use core::cell::RefCell;

use board::{CAPACITY, Failure, Flash, InsecureRandom, PART, Ram, insecure_root_key, open, println};
use lockstone::{Ascon, InstallError, Objects, Put, Slot, Store, Volume};
use sha2::{Digest, Sha256};

board::program!(start);

/// Keys, objects, and the code that runs.
const SIZES: [u32; 3] = [CAPACITY / 4, CAPACITY / 2, CAPACITY / 4];
const PIECE: usize = 1024;
const PIECES: usize = 40;
const LENGTH: u32 = (PIECES * PIECE) as u32;

type Part<'f> = Volume<'f, Flash>;
type Keys<'a, 'f> = Store<'a, &'a mut Part<'f>, Ascon>;

/// What the server sends.
fn piece(number: usize) -> [u8; PIECE] {
    core::array::from_fn(|index| ((number * PIECE + index) / 3) as u8)
}

/// What the server signed: the digest that the update must have.
fn expected() -> [u8; 32] {
    (0..PIECES).fold(Sha256::new(), |hash, number| hash.chain_update(piece(number))).finalize().into()
}

fn start() -> Result<(), Failure> {
    let (root, flash) = (insecure_root_key(), RefCell::new(board::flash()?));
    let [mut keys, objects, code] = Volume::split(&flash, SIZES)?;
    let mut memory = Ram::new();
    let mut store = open::<_, Ascon, _, _>(&mut keys, PART, &root, &mut memory)?;
    let mut buffer = [0; 1536];
    let mut objects = Objects::<_, Ascon>::open(objects, PART, &mut store, &mut buffer)?;
    let mut slot = Slot::new(code, PART, 0)?;

    // The boot loader: when this returns, the slot holds what it should, and may be executed.
    match objects.install::<Sha256, _, _, _>(&mut store, &mut slot, |_, _| {}) {
        Ok(installed) => println!("boot loader: the slot holds {} bytes, as signed", installed.length),
        Err(InstallError::NothingRequested) => println!("boot loader: nothing to install"),
        Err(error) => return Err(error.into()),
    }

    // The application.
    let is_installed = objects.slot_state(&mut store, &slot)?.is_some();
    if is_installed {
        let installed = objects.confirm_install::<Sha256, _, _, _>(&mut store, &mut slot, false)?;
        println!("application: runs well, {} bytes confirmed: {}", installed.length, installed.digest == expected());
    } else if receive(&mut store, &mut objects)? {
        objects.request_install::<Sha256, _, _, _>(&mut store, "firmware", &mut slot, false)?;
        println!("application: to be installed at the next start");
    }
    Ok(())
}

/// Takes pieces in the order in which they come, until the line drops; true when the object is whole and right.
fn receive<'f>(store: &mut Keys<'_, 'f>, objects: &mut Objects<'_, Part<'f>, Ascon>) -> Result<bool, Failure> {
    let mut ram = [0; 1536];
    let mut upload = match objects.resume(store, "firmware", &mut ram)? {
        Some(upload) => upload,
        None => objects.create(store, "firmware", Some(LENGTH), &mut InsecureRandom(1), &mut ram)?,
    };
    println!("application: {} of {LENGTH} bytes are there", upload.present());
    let first = upload.present() as usize / PIECE;
    for turn in first..first + PIECES / 2 {
        let number = turn * 7 % PIECES;
        objects.write(store, &mut upload, (number * PIECE) as u32, &piece(number))?;
    }
    if let Some(missing) = upload.next_missing(0) {
        println!("application: the line drops; missing from {}", missing.start);
        return Ok(false);
    }
    objects.finish::<Sha256, _, _>(store, &mut upload, "firmware", Some(&expected()), Put::USUAL)?;
    println!("application: {LENGTH} bytes, as signed");
    Ok(true)
}
