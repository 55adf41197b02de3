//! A light that never misses its beat while the store compacts: an erase takes 45 ms, a program 1 ms, as on a usual part. Time is
//! simulated, so it is the same at every run. The same on a chip, with its own time: `firmware/programs/blinky.rs`.
//!
//! The asynchronous store gives the processor away while the flash works. The blocking one does not, as the second half shows.
//!
//! `cargo run --release -p lockstone --features async --example blinky`

use core::cell::Cell;
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::error::Error;

use embassy_futures::select::{Either, select};
use embassy_futures::yield_now;
use embedded_storage::nor_flash as now;
use embedded_storage_async::nor_flash as later;
use lockstone::{Ascon, Memory, Part, SoftRootKey, asynchronous, blocking, buffer_size};
use lockstone_sim::{SimError, SimFlash};
use lockstone_torture::Random;

type Chip = SimFlash<1, 4, 4096>;
type Ram = Memory<16, { buffer_size(1, 4, 4096) + 8 }>;

const BEAT_MS: u32 = 20;
const PROGRAM_MS: u32 = 1;
const ERASE_MS: u32 = 45;
/// Enough to go round the flash, so that blocks are compacted and erased.
const PUTS: u32 = 300;
const VALUE: [u8; 200] = [7; 200];

/// Milliseconds. They go by when every task waits, or when one keeps the processor.
#[derive(Default)]
struct Clock(Cell<u32>);

impl Clock {
    fn pass(&self, milliseconds: u32) {
        self.0.set(self.0.get() + milliseconds);
    }

    async fn until(&self, moment: u32) {
        poll_fn(|_| if self.0.get() >= moment { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Polls a future until it ends; a millisecond goes by after each poll.
    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            self.pass(1);
        }
    }
}

/// A chip that takes its time.
struct Timed<'c> {
    chip: Chip,
    clock: &'c Clock,
}

impl now::ErrorType for Timed<'_> {
    type Error = SimError;
}

impl now::ReadNorFlash for Timed<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        now::ReadNorFlash::read(&mut self.chip, offset, bytes)
    }

    fn capacity(&self) -> usize {
        now::ReadNorFlash::capacity(&self.chip)
    }
}

/// Nobody else runs meanwhile.
impl now::NorFlash for Timed<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.clock.pass(ERASE_MS);
        now::NorFlash::erase(&mut self.chip, from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.clock.pass(PROGRAM_MS);
        now::NorFlash::write(&mut self.chip, offset, bytes)
    }
}

impl later::ReadNorFlash for Timed<'_> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        now::ReadNorFlash::read(&mut self.chip, offset, bytes)
    }

    fn capacity(&self) -> usize {
        now::ReadNorFlash::capacity(&self.chip)
    }
}

/// Others run meanwhile.
impl later::NorFlash for Timed<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        now::NorFlash::erase(&mut self.chip, from, to)?;
        self.clock.until(self.clock.0.get() + ERASE_MS).await;
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        now::NorFlash::write(&mut self.chip, offset, bytes)?;
        self.clock.until(self.clock.0.get() + PROGRAM_MS).await;
        Ok(())
    }
}

/// The light: beats that went by while it was not asked are missed.
async fn blink(clock: &Clock, missed: &Cell<u32>) {
    let mut due = clock.0.get() + BEAT_MS;
    loop {
        clock.until(due).await;
        let late = clock.0.get() - due;
        missed.set(missed.get() + late / BEAT_MS);
        due += (late / BEAT_MS + 1) * BEAT_MS;
    }
}

type Written = Result<u32, Box<dyn Error>>;

/// Overwrites a few settings again and again; how often a segment was erased.
async fn write(clock: &Clock, chip: Chip) -> Written {
    let (flash, mut memory) = (Timed { chip, clock }, Ram::new());
    let (root, identity) = (SoftRootKey::new([0x42; 32]), &mut Random(1));
    let mut store = asynchronous::Store::<_, Ascon>::format(flash, Part::NOR, &root, identity, &mut memory).await?;
    for turn in 0..PUTS {
        store.put(&[turn.to_le_bytes()[0] % 8][..], &VALUE).await?;
    }
    Ok(store.stats().await?.erases_max)
}

/// The same, call by call; between two calls, others may go on.
async fn write_blocking(clock: &Clock, chip: Chip) -> Written {
    let (flash, mut memory) = (Timed { chip, clock }, Ram::new());
    let (root, identity) = (SoftRootKey::new([0x42; 32]), &mut Random(1));
    let mut store = blocking::Store::<_, Ascon>::format(flash, Part::NOR, &root, identity, &mut memory)?;
    for turn in 0..PUTS {
        store.put(&[turn.to_le_bytes()[0] % 8][..], &VALUE)?;
        yield_now().await;
    }
    Ok(store.stats()?.erases_max)
}

/// Runs a writer beside the light; how many beats were missed.
fn beside(clock: &Clock, writer: impl Future<Output = Written>) -> Written {
    let missed = Cell::new(0);
    let ended = clock.run(select(blink(clock, &missed), writer));
    let Either::Second(erases) = ended else { return Err("the light ended".into()) };
    assert!(erases? > 1, "nothing was compacted");
    Ok(missed.get())
}

fn main() -> Result<(), Box<dyn Error>> {
    let chip = || Chip::new(8 * 4096, 0xff);
    let clock = Clock::default();
    let missed = beside(&clock, write(&clock, chip()))?;
    println!("asynchronous: {missed} beats missed in {} ms", clock.0.get());
    assert_eq!(missed, 0);

    let clock = Clock::default();
    let missed = beside(&clock, write_blocking(&clock, chip()))?;
    println!("blocking: {missed} beats missed in {} ms", clock.0.get());
    assert!(missed > 0, "a blocking store does not keep others waiting?");
    Ok(())
}
