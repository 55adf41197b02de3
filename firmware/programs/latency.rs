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

/// Ticks between two interrupts: some 2,000 to 5,000 instructions, and no multiple of anything.
const PERIOD: u32 = 1_999;
const PUTS: u32 = 400;
const VALUE: [u8; 200] = [7; 200];

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

/// The same asynchronously.
async fn work_asynchronously<S: Suite>(flash: RamFlash<'_>) -> Result<u32, Failure> {
    let (root, mut memory) = (insecure_root_key(), Ram::new());
    let (flash, identity) = (Timed::new(flash, 0, 0), &mut InsecureRandom(1));
    let mut store = asynchronous::Store::<_, S>::format(flash, Part::NOR, &root, identity, &mut memory).await?;
    for turn in 0..PUTS {
        store.put(&[turn as u8 % 8][..], &VALUE).await?;
    }
    Ok(store.stats().await?.erases_max)
}

/// How long the asynchronous store keeps the processor at most.
#[inline(never)]
fn between_yields<S: Suite>(name: &str, flash: RamFlash<'_>) -> Result<(), Failure> {
    let longest = Cell::new(0);
    if block_on_timed(pin!(work_asynchronously::<S>(flash)), &longest)? < 2 {
        return Err("that shows nothing".into());
    }
    println!("# between two yields {name} {} instructions", instructions(longest.get()));
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
    if noticed { Ok(()) } else { Err("the measurement shows nothing".into()) }
}
