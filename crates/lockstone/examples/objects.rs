//! Firmware as an object: written out of order with cuts, replaced a thousand times, read in its middle; and what that costs.
//!
//! `cargo run --release --example objects` prints one line for each bar.

#![allow(clippy::cast_possible_truncation, reason = "sizes of an example")]

use embedded_storage::nor_flash::NorFlash;
use lockstone::seal::Suite;
use lockstone::{Ascon, Memory, ObjectError, Objects, Part, Put, SoftRootKey, Store, buffer_size};
use lockstone_sim::{Power, SimError, SimFlash, Tear};
use lockstone_torture::Random;
use sha2::{Digest as _, Sha256};

type Flash = SimFlash<4, 4, 4096>;
type Keys = Memory<16, { buffer_size(4, 4, 4096) + 16 }>;
type Failure = ObjectError<SimError, SimError>;

const KEY: &str = "firmware";
/// A slot.
const SLOT: usize = 532;
const LENGTH: usize = 1_000_000;
/// A slot and a bit a chunk.
const UPLOAD: usize = SLOT + LENGTH.div_ceil(512).div_ceil(8);

fn main() {
    let root = SoftRootKey::new([0x42; 32]);
    let mut firmware = vec![0; LENGTH];
    let mut dice = Random(1);
    firmware.fill_with(|| dice.word() as u8);
    assemble(&root, &firmware);
    middle(&root);
    replace(&root);
}

fn show(name: &str, value: f64, unit: &str, bar: f64) {
    let met = if value <= bar { "met" } else { "NOT met" };
    println!("{name:<62} {value:>12.1} {unit:<8} bar {bar:>12.1}  {met}");
}

/// A megabyte in random blocks of 1 KiB, with about 200 cuts on the way.
fn assemble(root: &SoftRootKey, firmware: &[u8]) {
    let (mut keys, mut flash) = (Flash::new(16 * 4096, 0xff), Flash::new(400 * 4096, 0xff));
    let mut memory = Keys::new();
    drop(Store::<_, Ascon>::format(&mut keys, Part::NOR, root, &mut Random(2), &mut memory).expect("a blank part"));
    let digest = Sha256::digest(firmware).into();
    let (mut dice, mut cuts, mut sent, mut given) = (Random(3), 0_u32, 0_usize, std::collections::HashSet::new());
    loop {
        let power = Power::new();
        keys.plug_in(&power);
        flash.plug_in(&power);
        // All tables are written in one session.
        let most = if sent < LENGTH / 1200 { 24 } else { 300 };
        power.cut_at(dice.below(most) as u64, Tear::ALL[dice.below(Tear::ALL.len())]);
        let session = session(&mut keys, &mut flash, root, firmware, &digest, &mut dice, |offset| {
            sent += 1;
            assert!(given.insert(offset), "what was acknowledged is never asked for again");
        });
        power.cancel_cut();
        power.on();
        match session {
            Ok(()) => break,
            Err(_) => cuts += 1,
        }
    }
    let programmed = flash.counts().bytes_programmed as f64;
    let bar = 1.06 * LENGTH as f64 + 1.1 * 1024.0 * f64::from(cuts);
    println!("assembled {LENGTH} bytes of {sent} blocks with {cuts} cuts");
    show("bytes programmed for it", programmed, "B", bar);
    let objects = size_of::<Objects<'_, &mut Flash, Ascon>>() + SLOT;
    let upload = size_of::<lockstone::Upload<'_>>() + UPLOAD;
    show("RAM for it: upload, objects and their buffer", (objects + upload) as f64, "B", 2048.0);
}

/// One power session: goes on, and finishes if it can.
fn session(
    keys: &mut Flash,
    flash: &mut Flash,
    root: &SoftRootKey,
    firmware: &[u8],
    digest: &[u8; 32],
    dice: &mut Random,
    mut acknowledged: impl FnMut(usize),
) -> Result<(), Failure> {
    let (mut memory, mut buffer, mut ram) = (Keys::new(), [0; SLOT], [0; UPLOAD]);
    let off = |_| ObjectError::Flash(SimError::PowerCut);
    let mut store = Store::<_, Ascon>::mount(keys, Part::NOR, root, &mut memory).map_err(off)?;
    let mut objects = Objects::<_, Ascon>::open(flash, Part::NOR, &mut store, &mut buffer).map_err(off)?;
    if objects.manifest(&mut store, KEY)?.is_some() {
        return Ok(());
    }
    let length = u32::try_from(firmware.len()).ok();
    let mut upload = match objects.resume(&mut store, KEY, &mut ram)? {
        Some(upload) => upload,
        None => objects.create(&mut store, KEY, length, dice, &mut ram)?,
    };
    while upload.next_missing(0).is_some() {
        // A block that the line happens to bring; what is there already would do no harm.
        let offset = dice.below(firmware.len().div_ceil(1024)) * 1024;
        let end = (offset + 1024).min(firmware.len());
        if upload.next_missing(offset as u32).is_some_and(|range| (range.start as usize) < end) {
            objects.write(&mut store, &mut upload, offset as u32, &firmware[offset..end])?;
            acknowledged(offset);
        }
    }
    objects.finish::<Sha256, _, _>(&mut store, &mut upload, KEY, Some(digest), Put::USUAL)?;
    Ok(())
}

/// Puts content under the key.
fn put<F: NorFlash, D: NorFlash, S: Suite>(
    objects: &mut Objects<'_, F, S>,
    store: &mut Store<'_, D, S>,
    content: &[u8],
    dice: &mut Random,
) -> Result<(), ObjectError<F::Error, D::Error>> {
    let mut ram = vec![0; objects.layout().upload_size(content.len() as u32)];
    let mut upload = objects.create(store, KEY, Some(content.len() as u32), dice, &mut ram)?;
    objects.write(store, &mut upload, 0, content)?;
    objects.finish::<Sha256, _, _>(store, &mut upload, KEY, None, Put::USUAL)?;
    Ok(())
}

/// Sixteen bytes of the middle of 3 MB.
fn middle(root: &SoftRootKey) {
    let (mut keys, mut flash) = (Flash::new(16 * 4096, 0xff), Flash::new(1000 * 4096, 0xff));
    let (mut memory, mut buffer) = (Keys::new(), [0; SLOT]);
    let mut store =
        Store::<_, Ascon>::format(&mut keys, Part::NOR, root, &mut Random(4), &mut memory).expect("a blank part");
    let mut objects = Objects::<_, Ascon>::format(&mut flash, Part::NOR, &mut buffer).expect("a blank part");
    put(&mut objects, &mut store, &vec![7; 3_000_000], &mut Random(5)).expect("there is room");
    objects.flash().reset_counts();
    let read = objects.read(&mut store, KEY, 1_500_000, &mut [0; 16]);
    assert_eq!(read, Ok(Some(16)));
    let chunks = objects.flash().counts().bytes_read as f64 / SLOT as f64;
    show("16 bytes of the middle of 3 MB: read, in chunks", chunks, "chunks", 2.0);
}

/// The same object a thousand times.
fn replace(root: &SoftRootKey) {
    let rounds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(1000_u32);
    let (mut keys, mut flash) = (Flash::new(16 * 4096, 0xff), Flash::new(320 * 4096, 0xff));
    let (mut memory, mut buffer) = (Keys::new(), [0; SLOT]);
    let mut store =
        Store::<_, Ascon>::format(&mut keys, Part::NOR, root, &mut Random(4), &mut memory).expect("a blank part");
    let mut objects = Objects::<_, Ascon>::format(&mut flash, Part::NOR, &mut buffer).expect("a blank part");
    let mut dice = Random(6);
    let mut content = vec![0; 512 * 1024];
    for round in 0..rounds {
        content[..4].copy_from_slice(&round.to_le_bytes());
        put(&mut objects, &mut store, &content, &mut dice).expect("there is room for two");
    }
    let (least, most) = objects.flash().erase_spread();
    show("512 KiB replaced 1,000 times: erases, spread over the blocks", f64::from(most - least), "erases", 3.0);
}
