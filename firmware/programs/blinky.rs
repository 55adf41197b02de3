//! A light that never misses its beat while the store compacts: an erase takes 45 ms here, a program 1 ms, as on a usual part.
//!
//! The asynchronous store gives the processor away while the flash works. The blocking one does not, as the second half shows.
#![no_std]
#![no_main]

use core::cell::Cell;
use core::pin::pin;

use board::executor::block_on;
use board::time::{now, until};
use board::timed::Timed;
use board::{Failure, Flash, PART, Ram, insecure_root_key, open, println, time};
use embassy_futures::select::select;
use embedded_storage::nor_flash::NorFlash;
use lockstone::{Ascon, asynchronous, blocking};

board::program!(start);

/// The light changes so often.
const BEAT_MS: u32 = 20;
/// Values put: enough to go round the flash, so that blocks are compacted and erased.
const PUTS: u32 = 300;
/// A small part, which is soon full of old values.
const BLOCKS: usize = 8;
const VALUE: [u8; 200] = [7; 200];

/// The light, and how well it kept time.
#[derive(Default)]
struct Light {
    beats: Cell<u32>,
    /// When the next beat is due.
    due: Cell<u32>,
    latest_ms: Cell<u32>,
    missed: Cell<u32>,
}

impl Light {
    async fn blink(&self) {
        self.due.set(now() + BEAT_MS);
        loop {
            until(self.due.get()).await;
            self.look();
            self.beats.set(self.beats.get() + 1);
            self.due.set(self.due.get() + BEAT_MS);
        }
    }

    /// How late the beat is that is due; whole beats that went by are missed.
    fn look(&self) {
        let late = now().saturating_sub(self.due.get());
        self.latest_ms.set(self.latest_ms.get().max(late));
        self.missed.set(self.missed.get() + late / BEAT_MS);
        self.due.set(self.due.get() + late / BEAT_MS * BEAT_MS);
    }
}

/// Overwrites a few settings again and again.
async fn write(flash: &mut Timed<Flash>) -> Result<u32, Failure> {
    let (root, mut memory) = (insecure_root_key(), Ram::new());
    let mut store = asynchronous::Store::<_, Ascon>::mount(flash, PART, &root, &mut memory).await?;
    let before = store.stats().await?.erases_max;
    for turn in 0..PUTS {
        store.put(&[turn as u8 % 8][..], &VALUE).await?;
    }
    Ok(store.stats().await?.erases_max - before)
}

/// The same, call by call; between two calls, others may go on.
async fn write_blocking(flash: &mut Timed<Flash>) -> Result<u32, Failure> {
    let (root, mut memory) = (insecure_root_key(), Ram::new());
    let mut store = blocking::Store::<_, Ascon>::mount(flash, PART, &root, &mut memory)?;
    let before = store.stats()?.erases_max;
    for turn in 0..PUTS {
        store.put(&[turn as u8 % 8][..], &VALUE)?;
        embassy_futures::yield_now().await;
    }
    Ok(store.stats()?.erases_max - before)
}

/// Runs the writer beside the light, until the writer is done.
fn beside(light: &Light, writer: impl Future<Output = Result<u32, Failure>>) -> Result<(), Failure> {
    let (mut erases, begun) = (0, now());
    block_on(pin!(select(light.blink(), async { writer.await.map(|most| erases = most) })));
    // The light was not polled any more when the writer was done: the beat that was due by then counts too.
    light.look();
    let elapsed = now() - begun;
    if erases == 0 {
        return Err("nothing was compacted".into());
    }
    // One beat more or less is due as the two begin and end.
    if elapsed < 10 * BEAT_MS || (light.beats.get() + light.missed.get()).abs_diff(elapsed / BEAT_MS) > 1 {
        return Err("beats and time don't match".into());
    }
    Ok(())
}

fn start() -> Result<(), Failure> {
    time::start(board::CLOCK / 1_000);
    let mut flash = Timed::new(board::flash()?, 1, 45).front(BLOCKS * Flash::ERASE_SIZE);
    drop(open::<_, Ascon, _, _>(&mut flash, PART, &insecure_root_key(), &mut Ram::new())?);

    let light = Light::default();
    beside(&light, write(&mut flash))?;
    println!("asynchronous: {} beats missed", light.missed.get());
    println!("# beats {} beats", light.beats.get());
    println!("# latest beat {} ms", light.latest_ms.get());

    let waiting = Light::default();
    beside(&waiting, write_blocking(&mut flash))?;
    println!("blocking: {}", if waiting.missed.get() > 0 { "beats are missed" } else { "no beat missed either" });
    println!("# beats missed when blocking {} beats", waiting.missed.get());
    if light.missed.get() == 0 { Ok(()) } else { Err("a beat was missed".into()) }
}
