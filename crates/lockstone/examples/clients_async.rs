//! Two tasks on one store, asynchronously: while one waits for the flash, the other goes on.
//!
//! The store is behind an asynchronous mutex (`embassy-sync`, as on a microcontroller). A task that is cancelled in the
//! middle of a call loses nothing: the next call finds out from flash what was stored.
//!
//! `cargo run -p lockstone --features async --example clients_async`

use std::error::Error;

use embassy_futures::block_on;
use embassy_futures::join::join;
use embassy_futures::select::select;
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use lockstone::asynchronous::{Clients, Store};
use lockstone::{Ascon, Memory, Part, SoftRootKey, buffer_size};
use lockstone_sim::SimFlash;

type Chip = SimFlash<1, 4, 4096>;
type Ram = Memory<16, { buffer_size(1, 4, 4096) + 16 }>;
type Shared<'m> = Mutex<NoopRawMutex, Clients<'m, Chip, Ascon>>;
type Done = Result<(), Box<dyn Error>>;

const METER: u32 = 1;
const CLOCK: u32 = 2;

/// Counts something, and remembers it each time.
async fn meter(store: &Shared<'_>) -> Done {
    for reading in 0..20_u32 {
        store.lock().await.client(METER).put(b"reading", &reading.to_le_bytes()).await?;
        yield_now().await;
    }
    Ok(())
}

/// Does the same under the same name, and gives up in the middle of a call now and then.
async fn clock(store: &Shared<'_>) -> Done {
    for tick in 0..20_u32 {
        let write = async { store.lock().await.client(CLOCK).put(b"reading", &tick.to_le_bytes()).await };
        if tick % 5 == 4 {
            let patience = async {
                for _ in 0..6 {
                    yield_now().await;
                }
            };
            select(write, patience).await;
        } else {
            write.await?;
        }
    }
    Ok(())
}

fn main() -> Done {
    let (root, mut memory) = (SoftRootKey::new([0x42; 32]), Ram::new());
    let chip = Chip::new(16 * 4096, 0xff);
    block_on(async {
        let store = Store::format(chip, Part::NOR, &root, &mut Identity, &mut memory).await?;
        let store = Shared::new(Clients::new(store, &mut []));
        let (metered, ticked) = join(meter(&store), clock(&store)).await;
        metered?;
        ticked?;
        for (client, what) in [(METER, "meter"), (CLOCK, "clock")] {
            let mut value = [0; 4];
            store.lock().await.client(client).get(b"reading", &mut value).await?;
            println!("the {what} stands at {}", u32::from_le_bytes(value));
        }
        Ok(())
    })
}

/// A device draws its identity from its random generator.
struct Identity;

impl rand_core::TryRng for Identity {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(4)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(4)
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Self::Error> {
        to.fill(4);
        Ok(())
    }
}
