//! Firmware comes over a bad line, in pieces of any order, and power goes again and again. README.md shows `receive`.
#![allow(clippy::cast_possible_truncation, missing_docs, reason = "an example, and also a test")]

use std::cell::RefCell;
use std::error::Error;

use lockstone::{Ascon, Memory, Objects, Part, Put, SoftRootKey, Store, Volume, buffer_size};
use lockstone_sim::{SimFlash, Tear};
use lockstone_torture::Random;
use sha2::{Digest, Sha256};

type Flash = SimFlash<1, 4, 4096>;

const LENGTH: usize = 100_000;
const KEYS: u32 = 64 * 1024;
const OBJECTS: u32 = 448 * 1024;

type Line<'l> = dyn FnMut() -> (u32, &'l [u8]) + 'l;

/// Goes on with what is there already, until the firmware is whole, right, and under its name.
fn receive(
    flash: &RefCell<Flash>,
    root: &SoftRootKey,
    digest: &[u8; 32],
    line: &mut Line<'_>,
) -> Result<(), Box<dyn Error>> {
    let (mut memory, mut buffer, mut ram) = (Memory::<16, { buffer_size(1, 4, 4096) }>::new(), [0; 600], [0; 600]);
    let [keys, objects] = Volume::split(flash, [KEYS, OBJECTS])?;
    let mut store = Store::<_, Ascon>::mount(keys, Part::NOR, root, &mut memory)?;
    let mut objects = Objects::<_, Ascon>::open(objects, Part::NOR, &mut store, &mut buffer)?;
    let mut upload = match objects.resume(&mut store, "firmware", &mut ram)? {
        Some(upload) => upload,
        None => objects.create(&mut store, "firmware", Some(LENGTH as u32), &mut Random(1), &mut ram)?,
    };
    while upload.next_missing(0).is_some() {
        let (offset, piece) = line();
        objects.write(&mut store, &mut upload, offset, piece)?;
    }
    objects.finish::<Sha256, _, _>(&mut store, &mut upload, "firmware", Some(digest), Put::USUAL)?;
    Ok(())
}

pub fn main() -> Result<(), Box<dyn Error>> {
    let root = SoftRootKey::new([0x42; 32]);
    let firmware: Vec<u8> = (0..LENGTH).map(|index| ((index * index) >> 8) as u8).collect();
    let digest = Sha256::digest(&firmware).into();
    let flash = RefCell::new(Flash::new((KEYS + OBJECTS) as usize, 0xff));
    let mut memory = Memory::<16, { buffer_size(1, 4, 4096) }>::new();
    let [keys, objects] = Volume::split(&flash, [KEYS, OBJECTS])?;
    drop(Store::<_, Ascon>::format(keys, Part::NOR, &root, &mut Random(2), &mut memory)?);
    Objects::<_, Ascon>::format(objects, Part::NOR, &mut [0; 600])?;

    let (mut dice, mut cuts) = (Random(3), 0);
    let mut line = || {
        let offset = dice.below(LENGTH.div_ceil(1024)) * 1024;
        (offset as u32, &firmware[offset..(offset + 1024).min(LENGTH)])
    };
    loop {
        flash.borrow_mut().cut_at(20 + 5 * cuts, Tear::Bits);
        let ended = receive(&flash, &root, &digest, &mut line);
        if !flash.borrow().is_cut() {
            ended?;
            break;
        }
        flash.borrow_mut().power_on();
        cuts += 1;
    }
    println!("{LENGTH} bytes are there, after {cuts} power cuts");
    Ok(())
}
