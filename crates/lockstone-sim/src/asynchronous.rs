//! The same chip for futures.
//!
//! Every operation is pending once before it acts and once after it has acted, and wakes itself each time: a future
//! dropped at its first pause has done nothing, one dropped at its second has done everything.
//!
//! Tested by the suite `futures`.

use std::pin::Pin;
use std::task::{Context, Poll};

use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};

use crate::{SimError, SimFlash};

/// Pending once.
struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

fn pause() -> Pause {
    Pause(false)
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ReadNorFlash for SimFlash<READ, WRITE, ERASE> {
    const READ_SIZE: usize = READ;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        pause().await;
        let result = self.read_now(offset, bytes);
        pause().await;
        result
    }

    fn capacity(&self) -> usize {
        self.data.len()
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> NorFlash for SimFlash<READ, WRITE, ERASE> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        pause().await;
        let result = self.erase_now(from, to);
        pause().await;
        result
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        pause().await;
        let result = self.write_now(offset, bytes);
        pause().await;
        result
    }
}
