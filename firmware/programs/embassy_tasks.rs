//! Embassy: three tasks that its executor runs share a store, each through a handle that reaches its own keys only.
#![no_std]
#![no_main]

use board::timed::Timed;
use board::{Failure, Flash, PART, Ram, insecure_root_key, open, println};
use embassy_executor::{Executor, Spawner};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use lockstone::Ascon;
use lockstone::asynchronous::{Clients, Store};
use lockstone_shared::embassy::{Handle, Shared};
use static_cell::{ConstStaticCell, StaticCell};

board::program!(start);

const SENSOR: u32 = 1;
const NETWORK: u32 = 2;
const CLOCK: u32 = 3;
const ROUNDS: u32 = 20;

// Tasks live for ever, and so does what they borrow: each of these is taken once.
static EXECUTOR: StaticCell<Executor> = StaticCell::new();
static FLASH: StaticCell<Timed<Flash>> = StaticCell::new();
static MEMORY: ConstStaticCell<Ram> = ConstStaticCell::new(Ram::new());
static STORE: StaticCell<Keys> = StaticCell::new();
static DONE: StaticCell<Done> = StaticCell::new();

/// One executor, so the lock is between its tasks only; with several of them it would be `CriticalSectionRawMutex`.
type Keys = Shared<'static, NoopRawMutex, &'static mut Timed<Flash>, Ascon>;
type Mine = Handle<&'static Keys>;
/// What a task has to say at its end.
type Done = [Signal<NoopRawMutex, Result<u32, Failure>>; 3];

/// Counts its readings.
async fn sense(mine: Mine) -> Result<u32, Failure> {
    let mut count = [0; 4];
    mine.get(b"state", &mut count).await?;
    for _ in 0..ROUNDS {
        count = (u32::from_le_bytes(count) + 1).to_le_bytes();
        mine.put(b"state", &count).await?;
        yield_now().await;
    }
    Ok(u32::from_le_bytes(count))
}

/// Keeps a session under the same name, and finds its own.
async fn talk(mine: Mine) -> Result<u32, Failure> {
    let mut session = [0; 40];
    for round in 1..=ROUNDS {
        mine.put(b"state", &[round as u8; 40]).await?;
        if mine.get(b"state", &mut session).await? != Some(40) || session != [round as u8; 40] {
            return Err("a session of somebody else".into());
        }
    }
    Ok(session[0].into())
}

#[embassy_executor::task]
async fn sensor(mine: Mine, done: &'static Done) {
    done[0].signal(sense(mine).await);
}

#[embassy_executor::task]
async fn network(mine: Mine, done: &'static Done) {
    done[1].signal(talk(mine).await);
}

/// So two wait while one is in a call, and none may wake the other before its turn.
#[embassy_executor::task]
async fn clock(mine: Mine, done: &'static Done) {
    done[2].signal(sense(mine).await);
}

/// Opens the store, and says who is who.
#[embassy_executor::task]
async fn boundary(spawner: Spawner) {
    board::end(serve(spawner).await)
}

async fn serve(spawner: Spawner) -> Result<(), Failure> {
    let (root, memory) = (insecure_root_key(), MEMORY.take());
    let flash = FLASH.init(Timed::new(board::flash()?, 0, 0));
    drop(open::<_, Ascon, _, _>(&mut *flash, PART, &root, &mut *memory)?); // a blank flash is formatted
    let store = Store::mount(flash, PART, &root, memory).await?;
    let (store, done) =
        (STORE.init(Shared::new(Clients::new(store, &mut []))), DONE.init([const { Signal::new() }; 3]));
    let (store, done) = (&*store, &*done);
    spawner.spawn(sensor(Handle::of(store, SENSOR), done))?;
    spawner.spawn(network(Handle::of(store, NETWORK), done))?;
    spawner.spawn(clock(Handle::of(store, CLOCK), done))?;
    println!("sensor: {} readings", done[0].wait().await?);
    println!("network: session {}", done[1].wait().await?);
    println!("clock: {} readings", done[2].wait().await?);
    Ok(())
}

fn start() -> Result<(), Failure> {
    EXECUTOR.init(Executor::new()).run(|spawner| {
        if spawner.spawn(boundary(spawner)).is_err() {
            board::end(Err("no room for a task".into()));
        }
    })
}
