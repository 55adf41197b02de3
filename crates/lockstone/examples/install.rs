//! New firmware over the running one, by a boot loader whose power goes again and again. README.md shows `boot`.
#![allow(clippy::cast_possible_truncation, missing_docs, reason = "an example, and also a test")]

use std::cell::RefCell;
use std::error::Error;

use lockstone::trust::{Anchor, NoCounter};
use lockstone::{Ascon, Installed, Memory, Objects, Part, Put, Reader, Slot, SoftRootKey, Store, Volume, buffer_size};
use lockstone_sim::{SimFlash, Tear};
use lockstone_torture::Random;
use sha2::Sha256;

type Flash = SimFlash<1, 4, 4096>;

const LENGTH: usize = 100_000;
const KEYS: u32 = 64 * 1024;
const OBJECTS: u32 = 256 * 1024;
const CODE: u32 = 128 * 1024;

/// The boot loader: when this returns, the slot holds what it should, and its code may be executed.
fn boot(flash: &RefCell<Flash>, root: &SoftRootKey) -> Result<Installed, Box<dyn Error>> {
    let (mut memory, mut buffer) = (Memory::<16, { buffer_size(1, 4, 4096) }>::new(), [0; 600]);
    let [keys, objects, code] = Volume::split(flash, [KEYS, OBJECTS, CODE])?;
    let anchor = Anchor { root, counter: Reader(NoCounter) };
    let mut store = Store::<_, Ascon, _>::mount_protected(keys, Part::NOR, anchor, &mut memory)?;
    let mut objects = Objects::<_, Ascon>::open(objects, Part::NOR, &mut store, &mut buffer)?;
    let mut slot = Slot::new(code, Part::NOR, 0)?;
    Ok(objects.install::<Sha256, _, _, _>(&mut store, &mut slot, |done, all| println!("    {done} of {all} bytes"))?)
}

/// The application: the firmware is there as an object, and is to run from the next restart on.
fn update(flash: &RefCell<Flash>, root: &SoftRootKey, firmware: &[u8]) -> Result<(), Box<dyn Error>> {
    let (mut memory, mut buffer, mut ram) = (Memory::<16, { buffer_size(1, 4, 4096) }>::new(), [0; 600], [0; 600]);
    let [keys, objects, code] = Volume::split(flash, [KEYS, OBJECTS, CODE])?;
    let mut store = Store::<_, Ascon>::format(keys, Part::NOR, root, &mut Random(2), &mut memory)?;
    let mut objects = Objects::<_, Ascon>::format(objects, Part::NOR, &mut buffer)?;
    let mut upload = objects.create(&mut store, "firmware", Some(LENGTH as u32), &mut Random(1), &mut ram)?;
    objects.write(&mut store, &mut upload, 0, firmware)?;
    objects.finish::<Sha256, _, _>(&mut store, &mut upload, "firmware", None, Put::USUAL)?;
    let mut slot = Slot::new(code, Part::NOR, 0)?;
    Ok(objects.request_install::<Sha256, _, _, _>(&mut store, "firmware", &mut slot, false)?)
}

/// The new application, once it runs well: the object is not needed any more.
fn confirm(flash: &RefCell<Flash>, root: &SoftRootKey) -> Result<Installed, Box<dyn Error>> {
    let (mut memory, mut buffer) = (Memory::<16, { buffer_size(1, 4, 4096) }>::new(), [0; 600]);
    let [keys, objects, code] = Volume::split(flash, [KEYS, OBJECTS, CODE])?;
    let mut store = Store::<_, Ascon>::mount(keys, Part::NOR, root, &mut memory)?;
    let mut objects = Objects::<_, Ascon>::open(objects, Part::NOR, &mut store, &mut buffer)?;
    let mut slot = Slot::new(code, Part::NOR, 0)?;
    let installed = objects.confirm_install::<Sha256, _, _, _>(&mut store, &mut slot, false)?;
    store.delete("firmware")?;
    objects.reclaim(&mut store)?;
    Ok(installed)
}

pub fn main() -> Result<(), Box<dyn Error>> {
    let root = SoftRootKey::new([0x42; 32]);
    let firmware: Vec<u8> = (0..LENGTH).map(|index| ((index * index) >> 8) as u8).collect();
    let flash = RefCell::new(Flash::new((KEYS + OBJECTS + CODE) as usize, 0xff));
    update(&flash, &root, &firmware)?;
    let mut boots = 0;
    loop {
        boots += 1;
        println!("boot {boots}");
        flash.borrow_mut().cut_at(50 * boots, Tear::Bits);
        let ended = boot(&flash, &root);
        if !flash.borrow().is_cut() {
            flash.borrow_mut().cancel_cut();
            ended?;
            break;
        }
        flash.borrow_mut().power_on();
    }
    let installed = confirm(&flash, &root)?;
    assert_eq!(boot(&flash, &root)?, installed);
    let flash = flash.borrow();
    assert_eq!(flash.data()[(KEYS + OBJECTS) as usize..][..LENGTH], firmware);
    println!("{} bytes run, after {} power cuts", installed.length, boots - 1);
    Ok(())
}
