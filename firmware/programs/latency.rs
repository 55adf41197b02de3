//! How long an interrupt waits at most while the store works, and how long the asynchronous store keeps the processor.
//!
//! The store masks no interrupt: it has no code to do so. So the delay is what the processor takes to enter the handler; that
//! the measurement would notice more is shown by masking interrupts once.
#![no_std]
#![no_main]

use core::cell::Cell;
use core::pin::pin;

use board::executor::block_on_timed;
use board::ram_flash::{CAPACITY, RamFlash};
use board::timed::Timed;
use board::{Failure, InsecureRandom, insecure_root_key, println, time};
use lockstone::seal::Suite;
use lockstone::{Ascon, Memory, Part, Plain, asynchronous, blocking, buffer_size};

board::program!(measure);

type Ram = Memory<16, { buffer_size(1, 4, 4096) + CAPACITY / 4096 }>;
/// As for 100 keys: a digest of all heads is long work.
type ManyHeads = Memory<128, { buffer_size(1, 4, 4096) + CAPACITY / 4096 }>;

/// So few heads that records have signposts.
type FewHeads = Memory<1, { buffer_size(1, 4, 4096) + CAPACITY / 4096 }>;

/// Ticks between two interrupts: some 2,000 to 5,000 instructions, and no multiple of anything.
const PERIOD: u32 = 1_999;
const PUTS: u32 = 400;
const VALUE: [u8; 200] = [7; 200];
const LONG: [u8; 1_000] = [8; 1_000];

/// Ticks of the clock in instructions of 32 ns.
fn instructions(ticks: u32) -> u64 {
    u64::from(ticks) * 1_000_000_000 / u64::from(board::CLOCK) / 32
}

/// Puts and compacts; how often a segment was erased.
fn work(flash: &mut RamFlash<'_>) -> Result<u32, Failure> {
    let (root, mut memory) = (insecure_root_key(), Ram::new());
    let identity = &mut InsecureRandom(1);
    let mut store = blocking::Store::<_, Ascon>::format(flash.again(), Part::NOR, &root, identity, &mut memory)?;
    for turn in 0..PUTS {
        store.put(&[turn as u8 % 8][..], &VALUE)?;
    }
    Ok(store.stats()?.erases_max)
}

/// Puts, gets and compacts; a value now and then is longer than a record. How often a segment was erased.
async fn work_asynchronously<S: Suite>(
    mut store: asynchronous::Store<'_, Timed<RamFlash<'_>>, S>,
) -> Result<u32, Failure> {
    let mut value = LONG;
    for turn in 0..PUTS {
        let name = &[turn as u8 % 8][..];
        store.put(name, if turn % 5 == 0 { &LONG } else { &VALUE }).await?;
        store.get(name, &mut value).await?;
    }
    let erases = store.stats().await?.erases_max;
    store.close().await?;
    Ok(erases)
}

/// Puts and gets among many keys that share a head.
async fn work_in_a_crowd(mut store: asynchronous::Store<'_, Timed<RamFlash<'_>>, Ascon>) -> Result<(), Failure> {
    let mut value = [0; 32];
    for turn in 0..PUTS {
        let name = &[b'k', (turn * 7 % 60) as u8][..];
        store.put(name, &VALUE[..32]).await?;
        if store.get(name, &mut value).await?.is_none() || store.contains(&[b'n', turn as u8][..]).await? {
            return Err("a key is lost, or there that was never put".into());
        }
    }
    store.close().await?;
    Ok(())
}

/// How long the asynchronous store keeps the processor at most where it goes by signposts.
#[inline(never)]
fn between_yields_in_a_crowd(flash: RamFlash<'_>) -> Result<(), Failure> {
    let (working, root, mut memory) = (Cell::new(0), insecure_root_key(), FewHeads::new());
    let identity = &mut InsecureRandom(1);
    let format =
        asynchronous::Store::<_, Ascon>::format(Timed::new(flash, 0, 0), Part::NOR, &root, identity, &mut memory);
    let store = block_on_timed(pin!(format), &Cell::new(0))?;
    block_on_timed(pin!(work_in_a_crowd(store)), &working)?;
    println!("# between two yields in a crowd ascon {} instructions", instructions(working.get()));
    Ok(())
}

/// How long the asynchronous store keeps the processor at most; a format and a mount are told apart, as they derive the key, here in
/// software, in one go.
#[inline(never)]
fn between_yields<S: Suite>(name: &str, mut flash: RamFlash<'_>) -> Result<(), Failure> {
    let (mounting, working) = (Cell::new(0), Cell::new(0));
    let (root, mut memory) = (insecure_root_key(), ManyHeads::new());
    let (part, identity) = (Timed::new(flash.kept(), 0, 0), &mut InsecureRandom(1));
    let format = asynchronous::Store::<_, S>::format(part, Part::NOR, &root, identity, &mut memory);
    drop(block_on_timed(pin!(format), &mounting)?);
    let mount = asynchronous::Store::<_, S>::mount(Timed::new(flash, 0, 0), Part::NOR, &root, &mut memory);
    let store = block_on_timed(pin!(mount), &mounting)?;
    if block_on_timed(pin!(work_asynchronously(store)), &working)? < 2 {
        return Err("that shows nothing".into());
    }
    println!("# between two yields {name} {} instructions", instructions(working.get()));
    println!("# between two yields of a mount {name} {} instructions", instructions(mounting.get()));
    Ok(())
}

fn measure() -> Result<(), Failure> {
    let mut flash = RamFlash::take().ok_or("the flash is taken")?;
    time::start(PERIOD);
    let erases = work(&mut flash)?;
    let (delay, served) = (instructions(time::latest()), time::now());
    if erases < 2 || served < 1_000 {
        return Err("that shows nothing".into());
    }
    println!("# interrupts served while the store compacts {served} interrupts");
    println!("# worst delay of an interrupt {delay} instructions");

    time::start(PERIOD);
    (0..10).for_each(|_| time::two_thousand_instructions_masked());
    let noticed = instructions(time::latest()) > 500;
    println!("interrupts that are masked: {}", if noticed { "noticed" } else { "not noticed" });

    time::start(1 << 24);
    between_yields::<Plain>("plain", flash.again())?;
    between_yields::<Ascon>("ascon", flash.again())?;
    between_yields_in_a_crowd(flash.again())?;
    if noticed { Ok(()) } else { Err("the measurement shows nothing".into()) }
}
