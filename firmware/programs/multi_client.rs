//! Three tasks share a store asynchronously, each as a client of its own. One of them is cancelled again and again in the midst
//! of a call, which loses nothing.
#![no_std]
#![no_main]

use core::cell::Cell;
use core::pin::pin;

use board::executor::block_on;
use board::timed::Timed;
use board::{Failure, Flash, PART, Ram, insecure_root_key, open, println};
use embassy_futures::join::join3;
use embassy_futures::select::{Either, select};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use lockstone::asynchronous::{Clients, Store};
use lockstone::{Ascon, Rights};

board::program!(start);

/// Who is who; only this file knows.
const SENSOR: u32 = 1;
const NETWORK: u32 = 2;
const CLOCK: u32 = 3;
const ROUNDS: u32 = 20;

/// Who wrote last, and how often that was another one than before.
#[derive(Default)]
struct Turns {
    last: Cell<u32>,
    changes: Cell<u32>,
}

impl Turns {
    /// A client has written; the others go on.
    async fn take(&self, client: u32) {
        if self.last.replace(client) != client {
            self.changes.set(self.changes.get() + 1);
        }
        yield_now().await;
    }
}

type Shared<'a> = Mutex<NoopRawMutex, Clients<'a, &'a mut Timed<Flash>, Ascon>>;

/// Keeps its newest reading, under a name that others use too.
async fn sensor(store: &Shared<'_>, turns: &Turns) -> Result<(), Failure> {
    for reading in 1..=ROUNDS {
        store.lock().await.client(SENSOR).put(b"state", &reading.to_le_bytes()).await?;
        turns.take(SENSOR).await;
    }
    Ok(())
}

/// Keeps a session, and lets the sensor see the address.
async fn network(store: &Shared<'_>, turns: &Turns) -> Result<(), Failure> {
    for session in 1..=ROUNDS {
        store.lock().await.client(NETWORK).put(b"state", &[session as u8; 40]).await?;
        turns.take(NETWORK).await;
    }
    let mut all = store.lock().await;
    all.client(NETWORK).put(b"address", b"fd00::17").await?;
    all.client(NETWORK).share(b"address", SENSOR, Rights::READ).await?;
    Ok(())
}

/// Remembers the hour, and has no patience: a call that takes too long is dropped, and made again. How many were dropped in the
/// midst of the call, not while they waited for the lock.
async fn clock(store: &Shared<'_>, turns: &Turns) -> Result<u32, Failure> {
    let mut dropped = 0;
    for hour in 1..=ROUNDS {
        let mut patience = 2;
        loop {
            let is_in_call = Cell::new(false);
            let write = async {
                let mut all = store.lock().await;
                is_in_call.set(true);
                all.client(CLOCK).put(b"state", &hour.to_le_bytes()).await
            };
            let wait = async {
                for _ in 0..patience {
                    yield_now().await;
                }
            };
            match select(write, wait).await {
                Either::First(written) => break written?,
                Either::Second(()) if is_in_call.get() => (dropped, patience) = (dropped + 1, patience * 3),
                Either::Second(()) => {}
            }
        }
        turns.take(CLOCK).await;
    }
    Ok(dropped)
}

/// All tasks to their ends, then what each has.
async fn run(store: &Shared<'_>) -> Result<(), Failure> {
    let turns = Turns::default();
    let (sensed, networked, ticked) = join3(sensor(store, &turns), network(store, &turns), clock(store, &turns)).await;
    sensed?;
    networked?;
    if ticked? < ROUNDS {
        return Err("too few calls were dropped".into());
    }
    if turns.changes.get() < ROUNDS {
        return Err("one task wrote after the other".into());
    }

    let mut all = store.lock().await;
    let mut value = [0; 40];
    for (client, name) in [(SENSOR, "sensor"), (NETWORK, "network"), (CLOCK, "clock")] {
        let length = all.client(client).get(b"state", &mut value).await?;
        println!("{name}: {} in {length:?} bytes", value[0]);
    }
    let seen = all.client(SENSOR).get_shared(NETWORK, b"address", &mut value).await?.unwrap_or(0);
    println!("shared with the sensor: {}", str::from_utf8(&value[..seen])?);
    let hidden = all.client(CLOCK).get_shared(NETWORK, b"address", &mut value).await?;
    println!("and with the clock: {hidden:?}");
    Ok(())
}

type Keys<'a> = Store<'a, &'a mut Timed<Flash>, Ascon>;

// Two functions that are not inlined, so that neither future takes room on the stack while the other runs.

#[inline(never)]
fn mount<'a>(flash: &'a mut Timed<Flash>, memory: &'a mut Ram) -> Result<Keys<'a>, Failure> {
    let root = insecure_root_key();
    drop(open::<_, Ascon, _, _>(flash, PART, &root, memory)?); // a blank flash is formatted
    Ok(block_on(pin!(Store::mount(flash, PART, &root, memory)))?)
}

#[inline(never)]
fn serve(store: Keys<'_>) -> Result<(), Failure> {
    let store = Shared::new(Clients::new(store, &mut []));
    block_on(pin!(run(&store)))
}

fn start() -> Result<(), Failure> {
    let mut flash = Timed::new(board::flash()?, 0, 0);
    let mut memory = Ram::new();
    serve(mount(&mut flash, &mut memory)?)
}
