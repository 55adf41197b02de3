//! A flash that takes its time, asynchronously and blocking: what the emulator does at once takes as long as on a real part.

use core::future::poll_fn;
use core::task::Poll;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use embedded_storage_async::nor_flash as asynchronous;

use crate::time::{after, now};

/// A flash with the time that its operations take.
#[derive(Debug)]
pub struct Timed<F> {
    flash: F,
    capacity: usize,
    program_ms: u32,
    erase_ms: u32,
}

impl<F: ReadNorFlash> Timed<F> {
    /// With 0 ms, an operation gives way to other tasks once, and takes no time.
    pub fn new(flash: F, program_ms: u32, erase_ms: u32) -> Self {
        Self { capacity: flash.capacity(), flash, program_ms, erase_ms }
    }

    /// The same, of which only the front is used.
    pub fn front(self, capacity: usize) -> Self {
        Self { capacity: capacity.min(self.capacity), ..self }
    }
}

/// Lets other tasks go on.
async fn give_way() {
    let mut gave = false;
    poll_fn(|context| {
        if core::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What a driver does that has nothing else to do.
fn spin(periods: u32) {
    let end = now() + periods;
    while now() < end {}
}

impl<F: NorFlash> ErrorType for Timed<F> {
    type Error = F::Error;
}

impl<F: NorFlash> asynchronous::ReadNorFlash for Timed<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        give_way().await;
        self.flash.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.capacity
    }
}

impl<F: NorFlash> asynchronous::NorFlash for Timed<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.flash.erase(from, to)?;
        give_way().await;
        after(self.erase_ms).await;
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.flash.write(offset, bytes)?;
        give_way().await;
        after(self.program_ms).await;
        Ok(())
    }
}

impl<F: NorFlash> ReadNorFlash for Timed<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.flash.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.capacity
    }
}

impl<F: NorFlash> NorFlash for Timed<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.flash.erase(from, to)?;
        spin(self.erase_ms);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.flash.write(offset, bytes)?;
        spin(self.program_ms);
        Ok(())
    }
}
